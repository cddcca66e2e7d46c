/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a named block on the producer's side: files without names until
 * the block is published, then files in the directory of shared memory, which
 * consumers open themselves.
 * Tests: core-lifecycle, core-space, core-late, core-reclaim */
#include "producer-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <string.h>

/* How long a close waits for stream consumers to open the newest pools. */
#define CLOSE_PATIENCE_NS (300 * NS_PER_MS)

static DatahubResult
make_control (DatahubProducer *producer, DatahubError *error)
{
  Block *block = &producer->block;
  Backing *backing = &producer->backing;
  Geometry *g = &block->g;
  backing->ctl_fd = os_create_unnamed (block->dir, g->ctl_size,
      backing_private_mode (backing), "control file", error);
  if (backing->ctl_fd < 0)
    return error->code;
  backing->con_fd = os_create_unnamed (block->dir, g->con_size,
      backing_shared_mode (backing), "consumer table", error);
  if (backing->con_fd < 0)
    return error->code;
  block->header = os_map (backing->ctl_fd, g->ctl_size, true);
  block->wake = os_map (backing->con_fd, g->con_size, true);
  if (!block->header || !block->wake)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The block cannot be mapped: %s.", os_reason (errno));
  block_set_pointers (block);
  for (uint32_t i = 0; i < g->max_rows; i++)
    store_relaxed (&block_row (block, i)->gate, GATE_WORD (0, GATE_OPEN));
  return DATAHUB_OK;
}

static uint64_t
available (uint64_t space)
{
  return space;
}

/* Files have the pages of the file system. */
static uint64_t
huge_page (const Backing *backing)
{
  (void) backing;
  return 0;
}

static int
create_pool (const Backing *backing, uint64_t *size, uint64_t huge_page,
    const char *what)
{
  (void) size;
  (void) huge_page;
  (void) what;
  return os_open_unnamed (backing->block->dir, backing_private_mode (backing));
}

static bool
seal_pool (int *fd)
{
  (void) fd;
  return true;
}

/* Consumers open the file by its name. */
static void
leave_pool (const Backing *backing, const Pool *pool)
{
  (void) backing;
  (void) pool;
}

static FileName
name_of (const Backing *backing, const Pool *pool)
{
  const Block *block = backing->block;
  return name_pool (block->user, &block->uuid, pool->shape.gen);
}

static bool
link_pool (const Backing *backing, const Pool *pool)
{
  bool linked =
      os_link (pool->fd, backing->block->dir, name_of (backing, pool).text);
  STEP (P1_FILE_LINKED);
  return linked;
}

static void
remove_pool (const Backing *backing, const Pool *pool)
{
  os_unlink (backing->block->dir, name_of (backing, pool).text);
  STEP (P2_FILE_UNLINKED);
  os_punch (pool->fd, 0, pool->shape.size);
  STEP (P2_FILE_PUNCHED);
}

static bool
link_control (Backing *backing)
{
  const Block *block = backing->block;
  if (!os_link (backing->con_fd, block->dir,
          name_part (block->user, &block->uuid, "con").text))
    return false;
  STEP (PUBLISH_CON_LINKED);
  if (!os_link (backing->ctl_fd, block->dir,
          name_part (block->user, &block->uuid, "ctl").text))
    return false;
  STEP (PUBLISH_CTL_LINKED);
  os_close (&backing->ctl_fd);
  os_close (&backing->con_fd);
  return true;
}

static DatahubResult
serve (const Backing *backing, DatahubError *error)
{
  (void) backing;
  (void) error;
  return DATAHUB_OK;
}

static bool
reap_row (Reaper *reaper, uint32_t i)
{
  Block *block = reaper->backing->block;
  if (row_is_neutral (block, i))
    return false;
  if (os_lock_try (reaper->fd, LOCK_BYTE_ROW + i) != OS_LOCK_TAKEN)
    return false; /* alive, or another cleans it */
  STEP (REAP_LOCKED);
  error_log_note_row (reaper->backing->errors, DATAHUB_OWNER_DIED, block, i,
      "died");
  row_clean (block, i);
  STEP (REAP_CLEANED);
  os_lock_drop (reaper->fd, LOCK_BYTE_ROW + i);
  STEP (REAP_UNLOCKED);
  add_relaxed (&block->header->reaped, 1);
  return true;
}

/* The kernel's locks are as new as can be. */
static void
update_claims (Reaper *reaper)
{
  (void) reaper;
}

static void
stop_serving (const Backing *backing)
{
  (void) backing;
}

/* Gives living consumers the time to open pools they have not seen; they were
 * woken. */
static bool
wait_for_laggards (const Backing *backing)
{
  const Block *block = backing->block;
  WakePage *wake = block->wake;
  int64_t end = os_now () + CLOSE_PATIENCE_NS;
  bool lagging;
  store_seq (&block->header->producer_waiting, WAITING_SLOT);
  STEP (CLOSE_WAITING_STORED);
  for (;;) {
    uint32_t room = load_seq (&wake->room);
    lagging = block_names_lagging (block);
    STEP (CLOSE_LAGGARDS_LOOKED);
    if (!lagging || os_now () > end)
      break;
    os_futex_wait (&wake->room, room, NULL, 0, ROOM_SLICE_NS);
  }
  store_seq (&block->header->producer_waiting, 0);
  STEP (CLOSE_WAITING_TAKEN_BACK);
  return lagging;
}

static void
free_nothing (DatahubProducer *producer)
{
  (void) producer;
}

const BackingFuncs named_backing = {
  .place = "shared memory",
  .make_control = make_control,
  .available = available,
  .huge_page = huge_page,
  .create_pool = create_pool,
  .seal_pool = seal_pool,
  .offer_pool = leave_pool,
  .link_pool = link_pool,
  .withdraw_pool = leave_pool,
  .remove_pool = remove_pool,
  .link_control = link_control,
  .serve = serve,
  .rows_in_lck = true,
  .reap_row = reap_row,
  .update_claims = update_claims,
  .stop_serving = stop_serving,
  .wait_for_laggards = wait_for_laggards,
  .free = free_nothing,
};
