/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mapped block: its header is checked and copied once, here. Evidence that its
 * producer and its consumers are alive, and signals to the producer's side.
 * Tests: core-hostile-header, core-lifecycle, core-late */
#include "block-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

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
  if (g->features & FEATURE_ERRORS)
    block->errors = (ErrorEntry *) (ctl + g->errors_off);
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

DatahubResult
block_fail_open (const char *channel, int number, DatahubError *error)
{
  if (number == ENOENT)
    return result_fail (error, DATAHUB_ERROR_NOT_FOUND, number,
        "There is no DataBlock \"%s\".", channel);
  if (number == EROFS)
    return result_fail (error, DATAHUB_ERROR_DENIED, number,
        "The DataBlock \"%s\" may not be opened: %s is mounted read-only for this "
        "process. A consumer writes to its own row there. Mount it writable.",
        channel, datahub_shm_directory ());
  if (number == EACCES || number == EPERM || number == ELOOP)
    return result_fail (error, DATAHUB_ERROR_DENIED, number,
        "The DataBlock \"%s\" may not be opened: %s.", channel,
        os_reason (number));
  return result_fail (error, DATAHUB_ERROR_SYSTEM, number,
      "The DataBlock \"%s\" cannot be opened: %s.", channel,
      os_reason (number));
}

DatahubResult
block_fail_owner (const char *channel, uint32_t owner, DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_DENIED, 0,
      "The DataBlock \"%s\" belongs to another user (uid %u); this is uid %u.",
      channel, owner, os_user ());
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
  uint8_t copy[sizeof (BlockHeader) + SECTIONS_MAX * sizeof (BlockSection)];
  BlockIdentity id;
  BlockSection sections[SECTIONS_MAX];
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
        os_reason (errno));
  if (block->wake->magic != BLOCK_MAGIC
      || memcmp (block->wake->uuid, block->uuid.bytes, 16) != 0)
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its consumer table belongs to "
        "another block.",
        block->channel);
  block_set_pointers (block);
  return DATAHUB_OK;
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
