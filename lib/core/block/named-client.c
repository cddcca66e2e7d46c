/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process opens the files of a named block by their names, and takes a row by
 * locking its byte.
 * Tests: core-lifecycle, core-join, core-hostile-header */
#include "block-private.h"
#include "core/base/result-private.h"

#include <errno.h>
#include <unistd.h>

/* A reaper or prober may hold a row's byte for an instant (D5). */
#define CLAIM_PASSES 2

/* Opens one file of the block and checks that it is a plain file of ours. */
static int
open_part (Block *block, const char *part, bool writable, uint64_t *size,
    DatahubResult *result, DatahubError *error)
{
  uint32_t owner;
  FileName name = name_part (block->user, &block->uuid, part);
  int fd = os_open_existing (block->dir, name.text, writable);
  if (fd < 0) {
    *result = block_fail_open (block->channel, errno, error);
    return -1;
  }
  if (!os_file_size (fd, size, &owner))
    *result = result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: %s is not a plain file.",
        block->channel, name.text);
  else if (owner != block->owner)
    *result = block_fail_owner (block->channel, owner, error);
  else
    return fd;
  close (fd);
  return -1;
}

static DatahubResult
open_parts (Block *block, BlockAccess access, const AccessRequest *request,
    DatahubError *error)
{
  uint64_t ctl_size = 0, con_size = 0;
  DatahubResult result = DATAHUB_OK;
  int con,
      ctl = open_part (block, "ctl", access == ACCESS_PRODUCE, &ctl_size,
          &result, error);
  (void) request; /* the kernel's permissions decide */
  if (ctl < 0)
    return result;
  con = open_part (block, "con", true, &con_size, &result, error);
  if (con >= 0) {
    result =
        block_map_control (block, ctl, ctl_size, con, con_size, access, error);
    close (con);
  }
  close (ctl);
  return result;
}

static void
unmap (Block *block)
{
  if (block->wake)
    os_unmap (block->wake, block->g.con_size);
}

static int
open_pool (const Block *block, uint32_t gen, bool writable)
{
  FileName name = name_pool (block->user, &block->uuid, gen);
  return os_open_existing (block->dir, name.text, writable);
}

/* a file longer than its file system is mostly holes: reading it would not
 * end before all memory is gone */
static bool
is_pool_size (const Block *block, int fd, const PoolShape *shape, uint64_t size)
{
  uint64_t total = UINT64_MAX, available;
  (void) fd;
  os_space (block->dir, &total, &available);
  return size == shape->size && size <= total;
}

static void
forget_pools (const Block *block)
{
  (void) block;
}

static int
take_row (const Block *block)
{
  for (int pass = 0; pass < CLAIM_PASSES; pass++)
    for (uint32_t i = 0; i < block->g.max_rows; i++)
      if (os_lock_try (block->lck, LOCK_BYTE_ROW + i) == OS_LOCK_TAKEN) {
        STEP (ROW_LOCKED);
        return (int) i;
      }
  return -1;
}

static bool
get_quota (const Block *block, uint32_t *quota)
{
  (void) block;
  (void) quota;
  return false;
}

const ClientFuncs named_client = {
  .open = open_parts,
  .close = unmap,
  .open_pool = open_pool,
  .is_pool_size = is_pool_size,
  .forget_pools = forget_pools,
  .take_row = take_row,
  .get_quota = get_quota,
  .read_rows = rows_read,
  .keeps_row_byte = true,
};
