/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Growth of a block by adding a pool of bigger (or more) slots (protocol, section
 * 3a): ring, rows, sequences, gates and pins stay as they are, so no data is lost.
 * Models: tests/model/pool.pml.
 * Tests: core-growth, core-space */
#include "producer-private.h"
#include "core/base/result-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <string.h>

#define POOL_SLOTS_MIN 4u
/* After a failed growth for capacity, none is tried for a while. */
#define GROWTH_PAUSE_NS NS_PER_S

/* An entry is only reused if the server has a free place for the new pool:
 * without one the pool would never be sent. Model: PLACE_LATE. */
static void
leave_table (DatahubProducer *producer, const Pool *pool)
{
  producer->backing.funcs->withdraw_pool (&producer->backing, pool);
  pthread_mutex_lock (&producer->lock);
  producer->pools.table[pool->entry] = NULL;
  pthread_mutex_unlock (&producer->lock);
}

/* Removes pools that nothing refers to: out of the table, then the name, the
 * memory and our mapping (P2). */
void
producer_tidy (DatahubProducer *producer)
{
  for (;;) {
    Pool *idle;
    pthread_mutex_lock (&producer->lock);
    idle = pool_leave_idle (&producer->pools);
    pthread_mutex_unlock (&producer->lock);
    if (!idle)
      return;
    leave_table (producer, idle);
    pool_free (&producer->pools, idle, true);
  }
}

/* Adds a pool. Called without the lock by the one thread that holds
 * `growing`, or by the creator. A process killed in here leaves a file that no
 * table names; it goes with the block. */
DatahubResult
producer_add_pool (DatahubProducer *producer, PoolKind kind, uint32_t n_slots,
    uint64_t stride, DatahubError *error)
{
  PoolShape shape = { .kind = kind,
    .n_slots = n_slots,
    .stride = stride,
    .size = pool_size (n_slots, stride) };
  const Backing *backing = &producer->backing;
  Pools *pools = &producer->pools;
  Pool *pool;
  bool linked = true, closed;
  int entry;
  pthread_mutex_lock (&producer->lock);
  shape.gen = (uint32_t) add_seq (&producer->block.header->next_gen, 1) + 1;
  pthread_mutex_unlock (&producer->lock);
  STEP (P1_GEN_COUNTED);
  pool = pool_allocate (pools, &shape, error);
  if (!pool)
    return error ? error->code : DATAHUB_ERROR_SYSTEM;
  STEP (P1_FILE_MADE);
  backing->funcs->offer_pool (backing, pool);
  pthread_mutex_lock (&producer->lock);
  /* after a close no file is linked: it would never be removed */
  closed = producer->closed;
  entry = closed ? -1 : pool_free_entry (pools);
  if (producer->published && entry >= 0)
    linked = backing->funcs->link_pool (backing, pool);
  if (entry >= 0 && linked) {
    if (kind == POOL_PAYLOAD)
      pool_end_packing (pools);
    pool_install (pools, pool, (uint32_t) entry);
  }
  pthread_mutex_unlock (&producer->lock);
  if (entry >= 0 && linked)
    return DATAHUB_OK;
  pool_free (pools, pool, linked && !closed && producer->published);
  if (closed)
    return DATAHUB_CLOSED;
  return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
      "A pool could not be added to the block.");
}

/* Chooses the shape of the next pool. Returns false where nothing fits now. */
static bool
choose_growth (const Pools *pools, const Call *call, uint32_t *n_slots,
    uint64_t *stride)
{
  const Pool *newest = pools->newest[call->kind];
  uint64_t exact = round_up (call->grow_stride, BLOCK_PAGE);
  if (pool_free_entry (pools) < 0)
    return false;
  if (call->grow_stride == 0) {
    *stride = newest->shape.stride;
    *n_slots = pool_slots_that_fit (pools, call->kind,
        newest->shape.n_slots * 2, *stride);
    /* a pool smaller than the current one is of no use */
    return *n_slots > newest->shape.n_slots;
  }
  /* growing by half at least bounds the number of pools alive */
  *stride = round_up (newest->shape.stride / 2 * 3, BLOCK_PAGE);
  if (*stride < exact)
    *stride = exact;
  *n_slots =
      pool_slots_that_fit (pools, call->kind, newest->shape.n_slots, *stride);
  if (*n_slots < POOL_SLOTS_MIN) {
    *stride = exact;
    *n_slots =
        pool_slots_that_fit (pools, call->kind, newest->shape.n_slots, *stride);
  }
  return *n_slots >= POOL_SLOTS_MIN;
}

static DatahubResult
fail_too_big (const Pools *pools, const Call *call)
{
  uint64_t space = 0, total = 0, size = call->grow_stride;
  uint64_t limit = pool_bytes_allowed (pools, call->kind);
  uint64_t used = call->kind == POOL_PAYLOAD ? pools->bytes_used : 0;
  uint64_t wanted = POOL_SLOTS_MIN * round_up (size, BLOCK_PAGE);
  pool_space (pools, &total, &space);
  if (used + wanted <= limit)
    return result_fail (call->error, DATAHUB_ERROR_NO_SPACE, ENOSPC,
        "Not enough shared memory to grow for a payload of %llu bytes: "
        "%.1f MiB wanted, %.1f MiB free of %.1f MiB in %s.",
        (unsigned long long) size, wanted / 1048576.0, space / 1048576.0,
        total / 1048576.0, datahub_shm_directory ());
  if (call->kind != POOL_PAYLOAD)
    return result_fail (call->error, DATAHUB_ERROR_TOO_BIG, 0,
        "Metas or an event of %llu bytes do not fit: %u such slots exceed the "
        "%llu bytes that a block has for them; max-bytes does not change that.",
        (unsigned long long) size, POOL_SLOTS_MIN, (unsigned long long) limit);
  return result_fail (call->error, DATAHUB_ERROR_TOO_BIG, 0,
      "A payload of %llu bytes does not fit: %u such slots besides the %llu "
      "bytes in use exceed max-bytes, %llu.",
      (unsigned long long) size, POOL_SLOTS_MIN, (unsigned long long) used,
      (unsigned long long) limit);
}

/* If the block cannot grow now (P5): discard old frames that no reliable
 * consumer needs, or else wait for those consumers, or else drop the new frame.
 */
static DatahubResult
cannot_grow (DatahubProducer *producer, Call *call)
{
  if (call->grow_stride && !pool_is_any_old (&producer->pools))
    return fail_too_big (&producer->pools, call);
  if (call->grow_stride
      && ring_drain_old_pools (&producer->ring, &producer->pools))
    return DATAHUB_OK;
  if (call->grow_stride == 0)
    producer->pools.no_growth_until = os_now () + GROWTH_PAUSE_NS;
  return ring_is_gated (&producer->ring) ? DATAHUB_TIMEOUT : DATAHUB_DROPPED;
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
  if (producer->pools.growing) {
    pthread_mutex_unlock (&producer->lock);
    return DATAHUB_TIMEOUT;
  }
  if (producer->ring.n_limbo)
    ring_reclaim (&producer->ring, &producer->pools);
  go = (call->grow_stride || os_now () >= producer->pools.no_growth_until)
      && choose_growth (&producer->pools, call, &n_slots, &stride);
  result = go ? DATAHUB_OK : cannot_grow (producer, call);
  producer->pools.growing = go;
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
  if (!go)
    return result;
  result = producer_add_pool (producer, call->kind, n_slots, stride,
      call->error ? call->error : &local);
  pthread_mutex_lock (&producer->lock);
  producer->pools.growing = false;
  if (result == DATAHUB_OK)
    producer->pools.n_growths++;
  else if (call->grow_stride == 0)
    result = cannot_grow (producer, call);
  pthread_mutex_unlock (&producer->lock);
  add_seq (&producer->block.wake->room, 1); /* others waited for this pool */
  STEP (P1_ROOM_BUMPED);
  os_futex_wake (&producer->block.wake->room);
  producer_tidy (producer);
  return result;
}
