/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a block that another process made. All its values are checked and
 * copied once, here.
 * Tests: core-hostile-header, core-hostile-fields, core-lifecycle */
#include "clock-private.h"
#include "entry-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A name may be replaced between the open of its entry and of its parts. */
#define OPEN_TRIES 5
/* A live producer answers at once; an observer does not wait longer for a
 * stopped one. */
#define LOOK_PATIENCE_NS (100 * NS_PER_MS)

void
block_reset (Block *block)
{
  memset (block, 0, sizeof *block);
  block->client = &named_client;
  block->dir = -1;
  block->lck = -1;
}

/* Unmaps and closes; freeing a half-opened block works. */
void
block_release (Block *block)
{
  if (block->header)
    os_unmap (block->header, block->g.ctl_size);
  block->client->close (block);
  if (block->lck >= 0)
    os_close_lock_fd (block->lck);
  os_release_directory (&block->dir);
  block_reset (block);
}

/* Opens what the channel leads to and checks its owner. Only a strict block of
 * another user is of use, and there its lock file can only be read. */
static DatahubResult
open_lock_file (Block *block, uint64_t *size, DatahubError *error)
{
  Entry entry = entry_find (block->dir, block->channel);
  FileName name = name_entry (entry.user, block->channel);
  bool foreign = entry.rank == ENTRY_FOREIGN;
  if (entry.rank == ENTRY_TAKEN)
    return entry_fail_taken (block->channel, &entry, error);
  block->user = entry.user;
  block->lck = os_open_lock_fd (block->dir, name.text, !foreign);
  if (block->lck < 0 && foreign && errno == EACCES)
    return entry_fail_foreign (block->channel, entry.owner, error);
  if (block->lck < 0)
    return block_fail_open (block->channel, errno, error);
  if (!os_file_size (block->lck, size, &block->owner))
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its lock file is not a plain file.",
        block->channel);
  if (block_is_foreign (block) != foreign)
    return block_fail_open (block->channel, ENOENT, error); /* it changed */
  return DATAHUB_OK;
}

/* A file of any program, or one that was truncated. The next producer replaces it, so a
 * wait for one should go on: callers see that by the errno. */
static DatahubResult
fail_no_lock_page (const Block *block, DatahubError *error)
{
  bool free = os_lock_is_free (block->lck, LOCK_BYTE_PRODUCER);
  return result_fail (error, DATAHUB_ERROR_CORRUPT, EINVAL,
      "The DataBlock \"%s\" is damaged: its lock file is truncated, or is not "
      "one. %s.",
      block->channel,
      free ? "The next producer replaces it"
           : "Stop its producer, which runs, and start it again");
}

/* @strict becomes whether the block is strict, so that a server hands it out. */
static DatahubResult
open_entry (Block *block, bool *strict, DatahubError *error)
{
  LockPage page;
  uint64_t size;
  bool known;
  DatahubResult result = open_lock_file (block, &size, error);
  if (result != DATAHUB_OK)
    return result;
  known = size >= sizeof page && os_read_all (block->lck, &page, sizeof page)
      && page.magic == LOCK_MAGIC;
  if (block_is_foreign (block) && !(known && page.flags & LOCK_FLAG_STRICT))
    return entry_fail_foreign (block->channel, block->owner, error);
  if (!known)
    return fail_no_lock_page (block, error);
  if (page.major != BLOCK_MAJOR)
    return result_fail (error, DATAHUB_ERROR_VERSION, 0,
        "The DataBlock \"%s\" has version %u, this program supports version "
        "%u: upgrade the %s.",
        block->channel, page.major, BLOCK_MAJOR,
        page.major > BLOCK_MAJOR ? "consumer" : "producer");
  if (page.flags & ~LOCK_FLAGS_KNOWN)
    return result_fail (error, DATAHUB_ERROR_VERSION, 0,
        "The DataBlock \"%s\" uses a kind of storage (flags %#x) that this "
        "program does not know: upgrade the consumer.",
        block->channel, page.flags & ~LOCK_FLAGS_KNOWN);
  *strict = (page.flags & LOCK_FLAG_STRICT) != 0;
  block->client = *strict ? &strict_client : &named_client;
  memcpy (block->uuid.bytes, page.uuid, sizeof page.uuid);
  block->producer_pid = page.producer_pid;
  uuid_to_text (&block->uuid, block->uuid_text);
  return DATAHUB_OK;
}

/* Opens the entry of @channel and nothing behind it. On failure @block is
 * released. */
DatahubResult
block_open_entry (Block *block, const char *channel, bool *strict,
    DatahubError *error)
{
  DatahubResult result;
  block_reset (block);
  if (!datahub_channel_is_valid (channel, error))
    return DATAHUB_ERROR_NAME;
  strncpy (block->channel, channel, DATAHUB_CHANNEL_MAX);
  block->dir = os_share_directory (error);
  if (block->dir < 0)
    return DATAHUB_ERROR_SYSTEM;
  result = open_entry (block, strict, error);
  if (result != DATAHUB_OK)
    block_release (block);
  return result;
}

static DatahubResult
open_once (Block *block, const char *channel, BlockAccess access,
    const AccessRequest *request, DatahubError *error)
{
  bool strict = false;
  DatahubResult result = block_open_entry (block, channel, &strict, error);
  if (result != DATAHUB_OK)
    return result;
  result = block->client->open (block, access, request, error);
  if (result != DATAHUB_OK)
    block_release (block);
  return result;
}

/* Opens the block that @channel names now. On failure @block is released. */
DatahubResult
block_open (Block *block, const char *channel, BlockAccess access,
    DatahubError *error)
{
  const AccessRequest nobody = { .timeout_ns = LOOK_PATIENCE_NS,
    .observes = true };
  DatahubResult result = block_open_as (block, channel, access, &nobody, error);
  if (result != DATAHUB_OK || access == ACCESS_PRODUCE)
    return result; /* an adopter's clocks are to be the producer's */
  block->clock = clock_find (block);
  for (uint32_t i = 0; block->access && i < block->access->n_infos; i++)
    row_judge_silence (block, &block->access->infos[i]);
  return result;
}

/* The same, with the proof in @request for the server of a strict block. */
DatahubResult
block_open_as (Block *block, const char *channel, BlockAccess access,
    const AccessRequest *request, DatahubError *error)
{
  DatahubResult result = block_init_library (error);
  block_reset (block);
  if (result != DATAHUB_OK)
    return result;
  for (int i = 0; i < OPEN_TRIES; i++) {
    result = open_once (block, channel, access, request, error);
    /* not found although the entry was there: a successor replaces it */
    if (result != DATAHUB_ERROR_NOT_FOUND)
      break;
  }
  return result;
}

/* Maps a pool, @map_size bytes of it, and checks that the file matches the
 * table. @fd may be NULL if the caller does not keep the descriptor. Returns
 * NULL and sets @error. */
void *
pool_open (const Block *block, const PoolShape *shape, int *fd_out,
    uint64_t *map_size, bool writable, DatahubError *error)
{
  PoolPage page;
  uint64_t size = 0;
  uint32_t owner;
  void *map = NULL;
  int fd = block->client->open_pool (block, shape->gen, writable);
  if (fd < 0) {
    result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "Pool %u of the DataBlock \"%s\" cannot be opened: %s.", shape->gen,
        block->channel, os_reason (errno));
    return NULL;
  }
  if (!os_file_size (fd, &size, &owner) || owner != block->owner
      || !block->client->is_pool_size (block, fd, shape, size)
      || !os_read_all (fd, &page, sizeof page) || page.magic != POOL_MAGIC
      || page.gen != shape->gen || page.kind != shape->kind
      || page.n_slots != shape->n_slots || page.stride != shape->stride
      || memcmp (page.uuid, block->uuid.bytes, 16) != 0)
    result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "Pool %u of the DataBlock \"%s\" is damaged.", shape->gen,
        block->channel);
  else if (!(map = os_map (fd, size, writable)))
    result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "Pool %u of the DataBlock \"%s\" cannot be mapped: %s.", shape->gen,
        block->channel, os_reason (errno));
  *map_size = size;
  if (map && fd_out)
    *fd_out = fd;
  else
    close (fd);
  return map;
}
