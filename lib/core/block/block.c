/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a block that another process made. All its values are checked and
 * copied once, here.
 * Tests: core-hostile-header, core-hostile-fields, core-lifecycle */
#include "block-private.h"
#include "strict-protocol-private.h"
#include "core/base/result-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

/* A name may be replaced between the open of its entry and of its parts. */
#define OPEN_TRIES 5
/* A live producer answers at once; an observer does not wait longer for a
 * stopped one. */
#define LOOK_PATIENCE_NS (100 * NS_PER_MS)

DatahubResult
block_init_library (DatahubError *error)
{
  if (sodium_init () < 0)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, 0,
        "The cryptographic library could not be initialised.");
  return DATAHUB_OK;
}

/* BLAKE2b-256 of the UUID, keyed with the secret: proves the secret without
 * revealing it. */
void
secret_tag (const uint8_t *secret, const Uuid *uuid, uint8_t tag[32])
{
  crypto_generichash (tag, 32, uuid->bytes, sizeof uuid->bytes, secret,
      DATAHUB_SECRET_SIZE);
}

void
block_reset (Block *block)
{
  memset (block, 0, sizeof *block);
  block->dir = -1;
  block->lck = -1;
}

/* Unmaps and closes; freeing a half-opened block works. */
void
block_release (Block *block)
{
  bool observer = block->access && block->access->token < 0;
  if (block->header)
    os_unmap (block->header, block->g.ctl_size);
  if (block->wake && observer)
    os_free_room (block->wake, block->g.con_size);
  else if (block->wake)
    os_unmap (block->wake, block->g.con_size);
  if (block->access)
    strict_client_close (block);
  if (block->lck >= 0)
    os_close_lock_fd (block->lck);
  if (block->dir >= 0)
    close (block->dir);
  block_reset (block);
}

/* Evidence of death: the kernel frees byte 0 with the producer's last
 * descriptor. */
bool
block_is_writer_alive (const Block *block)
{
  return !os_lock_is_free (block->lck, LOCK_BYTE_PRODUCER);
}

/* The same of the consumer in row @i. @lock_fd is a description that does not
 * hold that row's lock. Only the producer of a strict block can test the lock.
 * It writes the result to ctl within milliseconds of a death. */
bool
block_row_is_alive (const Block *block, int lock_fd, uint32_t i)
{
  if (block->claims)
    return load_seq (&block->claims[i]) != 0;
  return !os_lock_is_free (lock_fd, LOCK_BYTE_ROW + i);
}

/* Which owner of row @i is the present one. */
uint64_t
block_row_claim (const Block *block, uint32_t i)
{
  return load_seq (block->claims ? &block->claims[i]
                                 : &block_row (block, i)->claim);
}

/* Sets the pointers into the mappings of the control file and the consumer
 * table. */
void
block_set_pointers (Block *block)
{
  const Geometry *g = &block->g;
  uint8_t *ctl = (uint8_t *) block->header;
  block->pools = (PoolEntry *) (ctl + g->pools_off);
  block->sticky = (shared_u64 *) (ctl + g->sticky_off);
  block->ring = (shared_u64 *) (ctl + g->ring_off);
  block->records = ctl + g->records_off;
  block->rows_hwm = &block->wake->rows_hwm;
  if (g->strict)
    block->claims = (shared_u64 *) (ctl + g->claims_off);
  else
    block->rows = (uint8_t *) block->wake + g->rows_off;
}

/* Signals the producer's side that a row changed or has a request. */
void
block_attend (Block *block)
{
  add_seq (&block->wake->attention, 1);
  STEP (ATTENTION_BUMPED);
  os_futex_wake (&block->wake->attention);
  STEP (ATTENTION_WOKE);
  if (load_seq (&block->header->producer_waiting)) {
    add_seq (&block->wake->room, 1);
    STEP (ATTENTION_ROOM_BUMPED);
    os_futex_wake (&block->wake->room);
  }
}

static DatahubResult
fail_open (const char *channel, int number, DatahubError *error)
{
  if (number == ENOENT)
    return result_fail (error, DATAHUB_ERROR_NOT_FOUND, number,
        "There is no DataBlock \"%s\".", channel);
  if (number == EACCES || number == EPERM || number == ELOOP)
    return result_fail (error, DATAHUB_ERROR_DENIED, number,
        "The DataBlock \"%s\" may not be opened: %s.", channel,
        strerror (number));
  return result_fail (error, DATAHUB_ERROR_SYSTEM, number,
      "The DataBlock \"%s\" cannot be opened: %s.", channel, strerror (number));
}

static DatahubResult
fail_owner (const char *channel, uint32_t owner, DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_DENIED, 0,
      "The DataBlock \"%s\" belongs to another user (uid %u); this is uid %u.",
      channel, owner, os_user ());
}

/* Opens one file of the block and checks that it is a plain file of ours. */
static int
open_part (Block *block, const char *part, bool writable, uint64_t *size,
    DatahubResult *result, DatahubError *error)
{
  uint32_t owner;
  FileName name = name_part (block->user, &block->uuid, part);
  int fd = os_open_existing (block->dir, name.text, writable);
  if (fd < 0) {
    *result = fail_open (block->channel, errno, error);
    return -1;
  }
  if (!os_file_size (fd, size, &owner))
    *result = result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: %s is not a plain file.",
        block->channel, name.text);
  else if (owner != block->user)
    *result = fail_owner (block->channel, owner, error);
  else
    return fd;
  close (fd);
  return -1;
}

/* @strict becomes whether the block is strict, so that a server hands it out. */
static DatahubResult
open_entry (Block *block, bool *strict, DatahubError *error)
{
  LockPage page;
  uint64_t size;
  uint32_t owner;
  FileName name = name_entry (block->user, block->channel);
  int fd = os_open_lock_fd (block->dir, name.text);
  if (fd < 0)
    return fail_open (block->channel, errno, error);
  block->lck = fd;
  if (!os_file_size (fd, &size, &owner))
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its lock file is not a plain file.",
        block->channel);
  if (owner != block->user)
    return fail_owner (block->channel, owner, error);
  if (size < sizeof page || !os_read_all (fd, &page, sizeof page)
      || page.magic != LOCK_MAGIC)
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its lock file is truncated, or is "
        "not one.",
        block->channel);
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
  memcpy (block->uuid.bytes, page.uuid, sizeof page.uuid);
  block->producer_pid = page.producer_pid;
  uuid_to_text (&block->uuid, block->uuid_text);
  return DATAHUB_OK;
}

/* An observer of a strict block has no consumer table: an empty one of its own
 * stands for it. */
static WakePage *
empty_wake_page (const Block *block)
{
  WakePage *wake = os_make_room (block->g.con_size);
  if (!wake || !os_make_writable (wake, block->g.con_size))
    return NULL;
  wake->magic = BLOCK_MAGIC;
  memcpy (wake->uuid, block->uuid.bytes, 16);
  return wake;
}

/* Copies and validates the header; maps ctl only once its own words about its
 * size are true of the file. @con < 0: there is none to be had. */
DatahubResult
block_map_control (Block *block, int ctl, uint64_t ctl_size, int con,
    uint64_t con_size, BlockAccess access, DatahubError *error)
{
  uint8_t copy[sizeof (BlockHeader) + N_SECTIONS * sizeof (BlockSection)];
  BlockIdentity id;
  BlockSection sections[N_SECTIONS];
  DatahubResult result;
  if (ctl_size < sizeof copy || !os_read_all (ctl, copy, sizeof copy))
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its control file is truncated.",
        block->channel);
  memcpy (&id, copy, sizeof id);
  memcpy (sections, copy + sizeof (BlockHeader), sizeof sections);
  result = geometry_validate (&id, sections, access, ctl_size,
      con < 0 ? id.con_size : con_size, &block->g, error);
  if (result != DATAHUB_OK)
    return result;
  if (block->g.strict != (block->access != NULL))
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its header and its lock file "
        "contradict each other about where its memory is.",
        block->channel);
  if (id.section_off != sizeof (BlockHeader)
      || memcmp (id.uuid, block->uuid.bytes, sizeof id.uuid) != 0)
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its files belong to different "
        "blocks.",
        block->channel);
  block->header = os_map (ctl, ctl_size, access == ACCESS_PRODUCE);
  block->wake =
      con < 0 ? empty_wake_page (block) : os_map (con, con_size, true);
  if (!block->header || !block->wake)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The DataBlock \"%s\" cannot be mapped: %s.", block->channel,
        strerror (errno));
  if (block->wake->magic != BLOCK_MAGIC
      || memcmp (block->wake->uuid, block->uuid.bytes, 16) != 0)
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its consumer table belongs to "
        "another block.",
        block->channel);
  block_set_pointers (block);
  return DATAHUB_OK;
}

static DatahubResult
open_parts (Block *block, BlockAccess access, DatahubError *error)
{
  uint64_t ctl_size = 0, con_size = 0;
  DatahubResult result = DATAHUB_OK;
  int con,
      ctl = open_part (block, "ctl", access == ACCESS_PRODUCE, &ctl_size,
          &result, error);
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

static DatahubResult
open_once (Block *block, const char *channel, BlockAccess access,
    const AccessRequest *request, DatahubError *error)
{
  bool strict = false;
  DatahubResult result = block_open_entry (block, channel, &strict, error);
  if (result != DATAHUB_OK)
    return result;
  result = strict ? strict_client_open (block, access, request, error)
                  : open_parts (block, access, error);
  if (result != DATAHUB_OK)
    block_release (block);
  return result;
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
  block->user = os_user ();
  strncpy (block->channel, channel, DATAHUB_CHANNEL_MAX);
  block->dir = os_open_directory (error);
  if (block->dir < 0)
    return DATAHUB_ERROR_SYSTEM;
  result = open_entry (block, strict, error);
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
  return block_open_as (block, channel, access, &nobody, error);
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

/* Takes a consistent copy of @entry. False: free, or changing under us, or
 * impossible. */
bool
pool_shape_read (const PoolEntry *entry, PoolShape *shape)
{
  uint32_t gen = load_acquire (&entry->gen);
  *shape = (PoolShape){ .gen = gen,
    .kind = load_acquire (&entry->kind),
    .n_slots = load_acquire (&entry->n_slots),
    .stride = load_acquire (&entry->stride),
    .size = load_acquire (&entry->size) };
  if (gen == 0 || load_acquire (&entry->gen) != gen)
    return false;
  return shape->kind < N_POOL_KINDS && shape->n_slots > 0 && shape->stride > 0
      && shape->stride % 64 == 0
      && shape->stride <= UINT64_MAX / 2 / shape->n_slots
      && shape->size == pool_size (shape->n_slots, shape->stride);
}

/* A pool on huge pages is a whole number of them. A file without a name must be
 * sealed, or its creator could truncate it under the mapping. */
static bool
is_pool_size (const Block *block, int fd, const PoolShape *shape, uint64_t size)
{
  if (!block->access)
    return size == shape->size;
  return size >= shape->size && size - shape->size < HUGE_PAGE_MAX
      && os_is_sealed (fd);
}

/* Maps a pool, @map_size bytes of it, and checks that the file matches the
 * table. @fd may be NULL if the caller does not keep the descriptor. Returns
 * NULL and sets @error. */
void *
pool_open (const Block *block, const PoolShape *shape, int *fd_out,
    uint64_t *map_size, bool writable, DatahubError *error)
{
  PoolPage page;
  uint64_t size = 0, total = UINT64_MAX, available;
  uint32_t owner;
  void *map = NULL;
  FileName name = name_pool (block->user, &block->uuid, shape->gen);
  int fd = block->access ? strict_client_take_pool (block, shape->gen)
                         : os_open_existing (block->dir, name.text, writable);
  if (fd < 0) {
    result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "Pool %u of the DataBlock \"%s\" cannot be opened: %s.", shape->gen,
        block->channel, strerror (errno));
    return NULL;
  }
  /* a file longer than its file system is mostly holes: reading it would not
   * end before all memory is gone */
  os_space (block->dir, &total, &available);
  if (!os_file_size (fd, &size, &owner) || owner != block->user
      || !is_pool_size (block, fd, shape, size)
      || (!block->access && size > total)
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
        block->channel, strerror (errno));
  *map_size = size;
  if (map && fd_out)
    *fd_out = fd;
  else
    close (fd);
  return map;
}
