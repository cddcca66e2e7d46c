/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools of slots. The block grows by adding a pool of bigger (or more) slots
 * (protocol, section 3a): ring, rows, sequences, gates and pins stay as they
 * are, so no data is lost. Slots are allocated only from the newest pool of a
 * kind. An older pool is removed when no loan and no record, in the ring or in
 * limbo, refers to it. Models: tests/model/pool.pml.
 * Tests: core-growth, core-space, core-connections */
#include "producer-private.h"
#include "core/base/result-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_SLOTS_MIN 4u
/* The bodies of events and metas never need more. */
#define SMALL_BYTES_MAX (UINT64_C (64) << 20)
/* After a failed growth for capacity, none is tried for a while. */
#define GROWTH_PAUSE_NS NS_PER_S

static const char *const pool_kind_names[N_POOL_KINDS] = { "payload pool",
  "event pool" };

Pool *
pool_find_old (const DatahubProducer *producer, uint32_t gen)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools[i] && producer->pools[i]->shape.gen == gen)
      return producer->pools[i];
  return NULL;
}

/* max-bytes is about payload: the small pool of events is bounded by itself. */
uint64_t
pool_counted_bytes (const PoolShape *shape)
{
  return shape->kind == POOL_PAYLOAD ? shape->n_slots * shape->stride : 0;
}

/* A slot without a reference is free at once: readers pin records, and a record
 * keeps its slots until reclaim saw no pin. */
void
slot_unref (DatahubProducer *producer, SlotRef slot)
{
  Pool *pool = slot.pool;
  if (--pool->refs[slot.slot] > 0)
    return;
  pool->free[pool->n_free++] = slot.slot;
  if (pool == producer->newest[pool->shape.kind])
    return;
  os_punch (pool->fd, BLOCK_PAGE + slot.slot * pool->shape.stride,
      pool->shape.stride);
  STEP (SLOT_PUNCHED);
  if (pool->n_free == pool->shape.n_slots)
    producer->has_idle_pools = true;
}

/* Unmaps, and where asked unlinks. The pool is in no table any more. */
void
pool_free (DatahubProducer *producer, Pool *pool, bool unlink_it)
{
  if (producer->server)
    strict_server_drop_pool (producer->server, pool->shape.gen);
  if (unlink_it && !producer->block.g.strict) {
    os_unlink (producer->block.dir,
        name_pool (producer->block.user, &producer->block.uuid, pool->shape.gen)
            .text);
    STEP (P2_FILE_UNLINKED);
    os_punch (pool->fd, 0, pool->shape.size);
    STEP (P2_FILE_PUNCHED);
  }
  if (pool->map)
    os_unmap (pool->map, pool->map_size);
  if (pool->fd >= 0)
    close (pool->fd);
  free (pool->refs);
  free (pool->free);
  free (pool);
}

bool
pool_link (DatahubProducer *producer, Pool *pool)
{
  if (producer->block.g.strict)
    return true; /* it is behind the server */
  bool linked = os_link (pool->fd, producer->block.dir,
      name_pool (producer->block.user, &producer->block.uuid, pool->shape.gen)
          .text);
  STEP (P1_FILE_LINKED);
  return linked;
}

/* An entry is only reused if the server has a free place for the new pool:
 * without one the pool would never be sent. Model: PLACE_LATE. */
static void
leave_table (DatahubProducer *producer, const Pool *pool)
{
  if (producer->server)
    strict_server_drop_pool (producer->server, pool->shape.gen);
  pthread_mutex_lock (&producer->lock);
  producer->pools[pool->entry] = NULL;
  pthread_mutex_unlock (&producer->lock);
}

/* P2: the table entry goes first, so that no reader looks for a file that is
 * gone; then the name, the memory and our mapping. */
void
producer_tidy (DatahubProducer *producer)
{
  for (;;) {
    Pool *idle = NULL;
    pthread_mutex_lock (&producer->lock);
    for (uint32_t i = 0; i < MAX_POOLS && producer->has_idle_pools; i++) {
      Pool *pool = producer->pools[i];
      if (!pool || pool->leaving || pool == producer->newest[pool->shape.kind]
          || pool->n_free < pool->shape.n_slots)
        continue;
      idle = pool;
      pool->leaving = true;
      store_seq (&producer->block.pools[pool->entry].gen, 0);
      STEP (P2_ENTRY_FREED);
      add_seq (&producer->block.header->pool_changes, 1);
      STEP (P2_CHANGES_COUNTED);
      producer->bytes_used -= pool_counted_bytes (&pool->shape);
      break;
    }
    if (!idle)
      producer->has_idle_pools = false;
    pthread_mutex_unlock (&producer->lock);
    if (!idle)
      return;
    leave_table (producer, idle);
    pool_free (producer, idle, true);
  }
}

/* The memory of a pool, mapped; where the block is strict, sealed. */
static bool
pool_map (DatahubProducer *producer, Pool *pool, DatahubError *error)
{
  const char *what = pool_kind_names[pool->shape.kind];
  bool strict = producer->block.g.strict;
  bool payload = pool->shape.kind == POOL_PAYLOAD;
  pool->map_size = pool->shape.size;
  if (strict)
    pool->fd =
        strict_create_pool (producer, &pool->map_size, payload, what, error);
  else
    pool->fd = os_create_unnamed (producer->block.dir, pool->shape.size,
        producer_private_mode (producer), what, error);
  if (pool->fd < 0)
    return false;
  pool->map = os_map (pool->fd, pool->map_size, true);
  if (pool->map && (!strict || strict_seal (&pool->fd)))
    return true;
  result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
      "A pool of %llu bytes cannot be mapped: %s.",
      (unsigned long long) pool->shape.size, strerror (errno));
  return false;
}

static Pool *
pool_allocate (DatahubProducer *producer, const PoolShape *shape,
    DatahubError *error)
{
  Pool *pool = calloc (1, sizeof *pool);
  PoolPage page = { .magic = POOL_MAGIC,
    .gen = shape->gen,
    .kind = shape->kind,
    .n_slots = shape->n_slots,
    .stride = shape->stride };
  if (!pool) {
    result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
    return NULL;
  }
  pool->shape = *shape;
  pool->refs = calloc (shape->n_slots, sizeof *pool->refs);
  pool->free = calloc (shape->n_slots, sizeof *pool->free);
  pool->fd = -1;
  if (!pool->refs || !pool->free)
    result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  if (!pool->refs || !pool->free || !pool_map (producer, pool, error)) {
    pool_free (producer, pool, false);
    return NULL;
  }
  os_prefault (pool->map, pool->map_size, true,
      producer->options.hugepages != DATAHUB_HUGEPAGES_NEVER);
  pool->page_size = os_page_size_of (pool->map);
  memcpy (page.uuid, producer->block.uuid.bytes, 16);
  memcpy (pool->map, &page, sizeof page);
  for (uint32_t i = 0; i < shape->n_slots; i++)
    pool->free[i] = shape->n_slots - 1 - i;
  pool->n_free = shape->n_slots;
  return pool;
}

static int
free_entry (const DatahubProducer *producer)
{
  for (int i = 0; i < (int) MAX_POOLS; i++)
    if (!producer->pools[i])
      return i;
  return -1;
}

/* Makes @pool the newest of its kind. The entry's generation is stored last: a
 * reader that sees it sees the rest (P1). */
static void
pool_install (DatahubProducer *producer, Pool *pool, uint32_t entry)
{
  PoolEntry *shared = &producer->block.pools[entry];
  Pool *old = producer->newest[pool->shape.kind];
  pool->entry = entry;
  producer->pools[entry] = pool;
  producer->newest[pool->shape.kind] = pool;
  producer->bytes_used += pool_counted_bytes (&pool->shape);
  if (old && old->n_free == old->shape.n_slots)
    producer->has_idle_pools = true;
  store_release (&shared->kind, pool->shape.kind);
  store_release (&shared->n_slots, pool->shape.n_slots);
  store_release (&shared->stride, pool->shape.stride);
  store_release (&shared->size, pool->shape.size);
  STEP (P1_ENTRY_FILLED);
  store_seq (&shared->gen, pool->shape.gen);
  STEP (P1_ENTRY_GEN_STORED);
  add_seq (&producer->block.header->pool_changes, 1);
  STEP (P1_CHANGES_COUNTED);
}

/* Drops the packing slot: its unused rest is lost. */
static void
leave_pack_slot (DatahubProducer *producer)
{
  if (producer->pack.pool)
    slot_unref (producer, producer->pack);
  producer->pack = (SlotRef){ NULL, 0 };
}

/* Adds a pool. Called without the lock by the one thread that holds
 * `growing`, or by the creator. A process killed in here leaves a file that no
 * table names; it goes with the block. */
DatahubResult
pool_create (DatahubProducer *producer, PoolKind kind, uint32_t n_slots,
    uint64_t stride, DatahubError *error)
{
  PoolShape shape = { .kind = kind,
    .n_slots = n_slots,
    .stride = stride,
    .size = pool_size (n_slots, stride) };
  Pool *pool;
  bool linked = true, closed;
  int entry;
  pthread_mutex_lock (&producer->lock);
  shape.gen = (uint32_t) add_seq (&producer->block.header->next_gen, 1) + 1;
  pthread_mutex_unlock (&producer->lock);
  STEP (P1_GEN_COUNTED);
  pool = pool_allocate (producer, &shape, error);
  if (!pool)
    return error ? error->code : DATAHUB_ERROR_SYSTEM;
  STEP (P1_FILE_MADE);
  if (producer->server)
    strict_server_add_pool (producer->server, shape.gen, kind, pool->fd);
  pthread_mutex_lock (&producer->lock);
  /* after a close no file is linked: it would never be removed */
  closed = producer->closed;
  entry = closed ? -1 : free_entry (producer);
  if (producer->published && entry >= 0)
    linked = pool_link (producer, pool);
  if (entry >= 0 && linked) {
    if (kind == POOL_PAYLOAD)
      leave_pack_slot (producer);
    pool_install (producer, pool, (uint32_t) entry);
  }
  pthread_mutex_unlock (&producer->lock);
  if (entry >= 0 && linked)
    return DATAHUB_OK;
  pool_free (producer, pool, linked && !closed && producer->published);
  if (closed)
    return DATAHUB_CLOSED;
  return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
      "A pool could not be added to the block.");
}

/* The number of slots of @stride that fit beside the current pools; at most
 * @wanted. */
static uint32_t
slots_that_fit (const DatahubProducer *producer, PoolKind kind, uint32_t wanted,
    uint64_t stride)
{
  uint64_t space = 0, total = 0;
  uint64_t left = SMALL_BYTES_MAX;
  if (kind == POOL_PAYLOAD)
    left = producer->max_bytes > producer->bytes_used
        ? producer->max_bytes - producer->bytes_used
        : 0;
  if (producer_space (producer, &total, &space) && space < BLOCK_PAGE)
    left = 0;
  else if (space - BLOCK_PAGE < left)
    left = space - BLOCK_PAGE;
  left /= stride;
  return left < wanted ? (uint32_t) left : wanted;
}

/* Old pools that will go by themselves and give their bytes back. */
static bool
has_old_pools (const DatahubProducer *producer)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    const Pool *pool = producer->pools[i];
    if (pool && pool != producer->newest[pool->shape.kind])
      return true;
  }
  return false;
}

static DatahubResult
fail_too_big (const DatahubProducer *producer, const Call *call)
{
  uint64_t space = 0, total = 0, size = call->grow_stride;
  uint64_t limit =
      call->kind == POOL_PAYLOAD ? producer->max_bytes : SMALL_BYTES_MAX;
  uint64_t used = call->kind == POOL_PAYLOAD ? producer->bytes_used : 0;
  uint64_t wanted = POOL_SLOTS_MIN * round_up (size, BLOCK_PAGE);
  producer_space (producer, &total, &space);
  if (used + wanted <= limit)
    return result_fail (call->error, DATAHUB_ERROR_NO_SPACE, ENOSPC,
        "Not enough shared memory to grow for a payload of %llu bytes: "
        "%.1f MiB wanted, %.1f MiB free of %.1f MiB in %s.",
        (unsigned long long) size, wanted / 1048576.0, space / 1048576.0,
        total / 1048576.0, datahub_shm_directory ());
  return result_fail (call->error, DATAHUB_ERROR_TOO_BIG, 0,
      "A payload of %llu bytes does not fit: %u such slots besides the %llu "
      "bytes in use exceed max-bytes, %llu.",
      (unsigned long long) size, POOL_SLOTS_MIN, (unsigned long long) used,
      (unsigned long long) limit);
}

/* Chooses the shape of the next pool. Returns false where nothing fits now. */
static bool
choose_growth (DatahubProducer *producer, const Call *call, uint32_t *n_slots,
    uint64_t *stride)
{
  const Pool *newest = producer->newest[call->kind];
  uint64_t exact = round_up (call->grow_stride, BLOCK_PAGE);
  if (free_entry (producer) < 0)
    return false;
  if (call->grow_stride == 0) {
    *stride = newest->shape.stride;
    *n_slots = slots_that_fit (producer, call->kind, newest->shape.n_slots * 2,
        *stride);
    /* a pool smaller than the current one is of no use */
    return *n_slots > newest->shape.n_slots;
  }
  /* growing by half at least bounds the number of pools alive */
  *stride = round_up (newest->shape.stride / 2 * 3, BLOCK_PAGE);
  if (*stride < exact)
    *stride = exact;
  *n_slots =
      slots_that_fit (producer, call->kind, newest->shape.n_slots, *stride);
  if (*n_slots < POOL_SLOTS_MIN) {
    *stride = exact;
    *n_slots =
        slots_that_fit (producer, call->kind, newest->shape.n_slots, *stride);
  }
  return *n_slots >= POOL_SLOTS_MIN;
}

/* If the block cannot grow now (P5): discard old frames that no reliable
 * consumer needs, or else wait for those consumers, or else drop the new
 * frame. */
static DatahubResult
cannot_grow (DatahubProducer *producer, Call *call)
{
  if (call->grow_stride && !has_old_pools (producer))
    return fail_too_big (producer, call);
  if (call->grow_stride && ring_drain_old_pools (producer))
    return DATAHUB_OK;
  if (call->grow_stride == 0)
    producer->no_growth_until = os_now () + GROWTH_PAUSE_NS;
  return ring_is_gated (producer) ? DATAHUB_TIMEOUT : DATAHUB_DROPPED;
}

/* Returns %DATAHUB_OK to try again, %DATAHUB_TIMEOUT to wait for room, else the
 * result of the call. */
DatahubResult
producer_grow (DatahubProducer *producer, Call *call)
{
  uint32_t n_slots = 0;
  uint64_t stride = 0;
  DatahubError local;
  DatahubResult result;
  bool go;
  pthread_mutex_lock (&producer->lock);
  if (producer->growing) {
    pthread_mutex_unlock (&producer->lock);
    return DATAHUB_TIMEOUT;
  }
  if (producer->n_limbo)
    ring_reclaim (producer);
  go = (call->grow_stride || os_now () >= producer->no_growth_until)
      && choose_growth (producer, call, &n_slots, &stride);
  result = go ? DATAHUB_OK : cannot_grow (producer, call);
  producer->growing = go;
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
  if (!go)
    return result;
  result = pool_create (producer, call->kind, n_slots, stride,
      call->error ? call->error : &local);
  pthread_mutex_lock (&producer->lock);
  producer->growing = false;
  if (result == DATAHUB_OK)
    producer->n_growths++;
  else if (call->grow_stride == 0)
    result = cannot_grow (producer, call);
  pthread_mutex_unlock (&producer->lock);
  add_seq (&producer->block.wake->room, 1); /* others waited for this pool */
  STEP (P1_ROOM_BUMPED);
  os_futex_wake (&producer->block.wake->room);
  producer_tidy (producer);
  return result;
}

/* Rule S1: a free slot; else one in limbo; else the slot of a droppable buffer
 * or a delta unit; else the oldest of the ring, down to RING_MIN_KEPT, if the
 * new buffer has a sufficient rank. Never sleeps because of a live consumer. */
Attempt
pool_take (DatahubProducer *producer, Call *call, PoolKind kind, SlotRef *slot)
{
  Pool *pool = producer->newest[kind];
  call->kind = kind;
  call->grow_stride = 0;
  while (pool->n_free == 0) {
    if (producer->n_limbo && ring_reclaim (producer))
      continue;
    if (ring_live_records (producer) <= RING_MIN_KEPT)
      return ATTEMPT_STARVED;
    if (ring_give_up (producer, pool))
      continue;
    if (!ring_may_retire_for (producer, call->rank))
      return ATTEMPT_STARVED;
    if (!ring_retire_oldest (producer))
      return ATTEMPT_WAIT_ANY;
  }
  *slot = (SlotRef){ pool, pool->free[--pool->n_free] };
  pool->refs[slot->slot] = 1;
  return ATTEMPT_DONE;
}
