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

/* A slot over that is so big that one alone is better than none. */
#define BIG_SLOT (UINT64_C (16) << 20)
#define POOL_SLOTS_MIN 4u
/* A pool for a bigger size begins with what its stream needs at once: the
 * records that the ring keeps and the slot that is being filled. */
#define SLOTS_NEEDED (RING_MIN_KEPT + 1)
/* Bytes beyond the need that a growth may take. Loans and leases that turn out to
 * need more make the block grow again. */
#define SPARE_BYTES (UINT64_C (64) << 20)
/* A pool up to this size takes no time that matters. */
#define PROMPT_BYTES (4 * POOL_PIECE)
/* Others may take the space that a growth counted on. */
#define GROWTH_TRIES 3

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

static uint32_t
next_gen (DatahubProducer *producer)
{
  uint32_t gen;
  pthread_mutex_lock (&producer->lock);
  gen = (uint32_t) add_seq (&producer->block.header->next_gen, 1) + 1;
  pthread_mutex_unlock (&producer->lock);
  STEP (P1_GEN_COUNTED);
  return gen;
}

/* Puts a pool that is ready in the table; without room there, or after a close,
 * it is freed. */
static DatahubResult
install (DatahubProducer *producer, Pool *pool, DatahubError *error)
{
  const Backing *backing = &producer->backing;
  Pools *pools = &producer->pools;
  bool linked = true, closed;
  int entry;
  backing->funcs->offer_pool (backing, pool);
  pthread_mutex_lock (&producer->lock);
  /* after a close no file is linked: it would never be removed */
  closed = producer->closed;
  entry = closed ? -1 : pool_free_entry (pools);
  if (producer->published && entry >= 0)
    linked = backing->funcs->link_pool (backing, pool);
  if (entry >= 0 && linked) {
    if (pool->shape.kind == POOL_PAYLOAD)
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

/* Adds a pool. Called without the lock by the creator. A process killed in here
 * leaves a file that no table names; it goes with the block. */
DatahubResult
producer_add_pool (DatahubProducer *producer, PoolKind kind, uint32_t n_slots,
    uint64_t stride, DatahubError *error)
{
  Pools *pools = &producer->pools;
  PoolShape shape = { .kind = kind,
    .n_slots = n_slots,
    .stride = stride,
    .size = pool_size (n_slots, stride),
    .gen = next_gen (producer) };
  Pool *pool = pool_begin (pools, &shape, error);
  DatahubResult result;
  if (!pool)
    return error->code;
  result = pool_make (pools, pool, NULL, error);
  STEP (P1_FILE_MADE);
  if (result == DATAHUB_OK)
    return install (producer, pool, error);
  pool_free (pools, pool, false);
  return result;
}

/* ---- The shape of the next pool; the lock is held. ---- */

/* The least that is of use. */
static uint32_t
least_slots (uint64_t size)
{
  return size > BIG_SLOT ? 1 : POOL_SLOTS_MIN;
}

/* For payloads of a bigger size: not more slots than before, and not more bytes
 * than needed at once and SPARE_BYTES. */
static bool
choose_bigger (const Pools *pools, PoolKind kind, uint64_t size,
    PoolShape *shape)
{
  const PoolShape *now = &pools->newest[kind]->shape;
  uint64_t exact = round_up (size, BLOCK_PAGE);
  uint64_t bytes = SLOTS_NEEDED * exact + SPARE_BYTES;
  uint64_t most = now->n_slots > SLOTS_NEEDED ? now->n_slots : SLOTS_NEEDED;
  uint64_t wanted, roomy = round_up (now->stride / 2 * 3, BLOCK_PAGE);
  /* growing by half, at most by its share of the spare bytes, bounds the number
   * of pools alive */
  if (roomy > exact + SPARE_BYTES / SLOTS_NEEDED)
    roomy = exact + SPARE_BYTES / SLOTS_NEEDED / BLOCK_PAGE * BLOCK_PAGE;
  shape->stride = roomy > exact ? roomy : exact;
  wanted = bytes / shape->stride < most ? bytes / shape->stride : most;
  shape->n_slots =
      pool_slots_that_fit (pools, kind, (uint32_t) wanted, shape->stride);
  if (shape->n_slots >= wanted)
    return true;
  shape->stride = exact;
  shape->n_slots = pool_slots_that_fit (pools, kind, (uint32_t) wanted, exact);
  return shape->n_slots >= least_slots (size);
}

/* Slots of the newest pool's size that something holds. */
static uint64_t
slots_in_use (const Pools *pools, PoolKind kind)
{
  uint64_t n = 0;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    const Pool *pool = pools->table[i];
    if (pool && pool->shape.kind == kind
        && pool->shape.stride == pools->newest[kind]->shape.stride)
      n += pool->shape.n_slots - pool->n_free;
  }
  return n;
}

/* For more slots of the same size: those in use, the one that is short, and
 * SPARE_BYTES of others; at most twice as many as before. A pool smaller than the
 * current one is of no use. */
static bool
choose_more (const Pools *pools, PoolKind kind, PoolShape *shape)
{
  const PoolShape *now = &pools->newest[kind]->shape;
  uint64_t most = now->n_slots * UINT64_C (2);
  uint64_t wanted = slots_in_use (pools, kind) + 1 + SPARE_BYTES / now->stride;
  if (most < SLOTS_NEEDED)
    most = SLOTS_NEEDED;
  if (wanted > most)
    wanted = most;
  shape->stride = now->stride;
  shape->n_slots =
      pool_slots_that_fit (pools, kind, (uint32_t) wanted, shape->stride);
  return shape->n_slots > now->n_slots;
}

/* Chooses the shape of the next pool. Returns false where nothing fits now. */
static bool
choose_growth (const Pools *pools, const Call *call, PoolShape *shape)
{
  bool fits = pool_free_entry (pools) >= 0;
  *shape = (PoolShape){ .kind = call->kind };
  if (fits && call->grow_stride)
    fits = choose_bigger (pools, call->kind, call->grow_stride, shape);
  else if (fits)
    fits = choose_more (pools, call->kind, shape);
  shape->size = pool_size (shape->n_slots, shape->stride);
  return fits;
}

/* How big a payload can be that a growth now would have room for. */
static uint64_t
biggest_that_fits (const Pools *pools, PoolKind kind)
{
  uint64_t bytes = pool_bytes_that_fit (pools, kind);
  uint64_t alone = bytes / BLOCK_PAGE * BLOCK_PAGE;
  uint64_t shared = bytes / POOL_SLOTS_MIN / BLOCK_PAGE * BLOCK_PAGE;
  return alone > BIG_SLOT ? alone : shared;
}

static DatahubResult
fail_too_big (const Pools *pools, const Call *call)
{
  uint64_t space = 0, total = 0, size = call->grow_stride;
  uint64_t limit = pool_bytes_allowed (pools, call->kind);
  uint64_t used = call->kind == POOL_PAYLOAD ? pools->bytes_used : 0;
  uint64_t wanted = least_slots (size) * round_up (size, BLOCK_PAGE);
  uint64_t fits = biggest_that_fits (pools, call->kind);
  pool_space (pools, &total, &space);
  if (used + wanted <= limit)
    return result_fail (call->error, DATAHUB_ERROR_NO_SPACE, ENOSPC,
        "Not enough %s to grow for a payload of %llu bytes: %.1f MiB wanted, "
        "%.1f MiB free of %.1f MiB in %s. A payload of %llu bytes fits.",
        pools->backing->funcs->place, (unsigned long long) size,
        wanted / 1048576.0, space / 1048576.0, total / 1048576.0,
        datahub_shm_directory (), (unsigned long long) fits);
  if (call->kind != POOL_PAYLOAD)
    return result_fail (call->error, DATAHUB_ERROR_TOO_BIG, 0,
        "Metas or an event of %llu bytes do not fit: %u such slots exceed the "
        "%llu bytes that a block has for them; max-bytes does not change that.",
        (unsigned long long) size, least_slots (size),
        (unsigned long long) limit);
  return result_fail (call->error, DATAHUB_ERROR_TOO_BIG, 0,
      "A payload of %llu bytes does not fit: %u such slots besides the %llu "
      "bytes in use exceed max-bytes, %llu. A payload of %llu bytes fits.",
      (unsigned long long) size, least_slots (size), (unsigned long long) used,
      (unsigned long long) limit, (unsigned long long) fits);
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
  if (call->grow_stride == 0) {
    producer->pools.no_growth_until = os_now () + GROWTH_PAUSE_NS;
    error_log_note (&producer->errors, DATAHUB_ERROR_NO_SPACE,
        "Slots are short and the block cannot grow: max-bytes or the file system.");
  }
  return ring_is_gated (&producer->ring) ? DATAHUB_TIMEOUT : DATAHUB_DROPPED;
}

/* ---- A pool in the making ---- */

typedef struct
{
  DatahubProducer *producer;
  const Call *call;
  bool timed; /* ends with the time of the call */
} Growth;

/* An allocation ends where the call would not wait any longer. */
static DatahubResult
may_go_on (void *data)
{
  const Growth *growth = data;
  DatahubProducer *producer = growth->producer;
  bool closed;
  producer_beat (producer);
  pthread_mutex_lock (&producer->lock);
  closed = producer->closed;
  pthread_mutex_unlock (&producer->lock);
  if (closed)
    return DATAHUB_CLOSED;
  if (load_seq (&producer->interrupted) & growth->call->wait)
    return DATAHUB_INTERRUPTED;
  if (!growth->timed || growth->call->end < 0 || os_now () < growth->call->end)
    return DATAHUB_OK;
  return DATAHUB_TIMEOUT;
}

/* What live consumers hold must not cost a producer that never waits a buffer. So
 * only a pool for bigger payloads waits for other tries, and only one that takes
 * long. */
static bool
is_timed (const Call *call, const PoolShape *shape)
{
  return call->grow_stride && shape->size > PROMPT_BYTES;
}

/* Whether an unfinished pool is what @call needs. */
static bool
is_of_use (const Pools *pools, const Call *call, const PoolShape *shape)
{
  const PoolShape *now = &pools->newest[call->kind]->shape;
  if (shape->kind != call->kind)
    return false;
  if (call->grow_stride)
    return shape->stride >= call->grow_stride;
  return shape->stride >= now->stride && shape->n_slots > now->n_slots;
}

static Pool *
take_unfinished (Pools *pools)
{
  Pool *pool = pools->unfinished;
  pools->unfinished = NULL;
  return pool;
}

/* Frees an unfinished pool that no other growth is to continue. */
void
producer_drop_unfinished (DatahubProducer *producer)
{
  Pool *pool;
  pthread_mutex_lock (&producer->lock);
  pool = take_unfinished (&producer->pools);
  pthread_mutex_unlock (&producer->lock);
  if (pool)
    pool_free (&producer->pools, pool, false);
}

/* Makes room for a pool of another shape. */
static void
drop_useless (DatahubProducer *producer, const Call *call)
{
  Pools *pools = &producer->pools;
  bool useless;
  pthread_mutex_lock (&producer->lock);
  useless =
      pools->unfinished && !is_of_use (pools, call, &pools->unfinished->shape);
  pthread_mutex_unlock (&producer->lock);
  if (useless)
    producer_drop_unfinished (producer);
}

/* Makes or continues @pool, NULL: one of @shape, and adds it. If the time is up,
 * the next growth continues it; an interruption gives the memory back. Only the
 * thread that holds `growing` comes here. */
static DatahubResult
make_and_install (DatahubProducer *producer, Call *call, Pool *pool,
    PoolShape *shape, DatahubError *error)
{
  Pools *pools = &producer->pools;
  Growth growth = { .producer = producer, .call = call };
  Pace pace = { may_go_on, &growth };
  DatahubResult result;
  if (!pool) {
    shape->gen = next_gen (producer);
    pool = pool_begin (pools, shape, error);
  }
  if (!pool)
    return error->code;
  growth.timed = is_timed (call, &pool->shape);
  result = pool_make (pools, pool, &pace, error);
  STEP (P1_FILE_MADE);
  if (result == DATAHUB_OK)
    return install (producer, pool, error);
  pthread_mutex_lock (&producer->lock);
  if (result == DATAHUB_TIMEOUT && !producer->closed) {
    Pool *other = take_unfinished (pools); /* of the other kind */
    pools->unfinished = pool;
    pool = other;
  }
  pthread_mutex_unlock (&producer->lock);
  if (pool)
    pool_free (pools, pool, false);
  return result;
}

/* One try. Returns as producer_grow(), or %DATAHUB_ERROR_NO_SPACE where others
 * took the space meanwhile. */
static DatahubResult
grow_once (DatahubProducer *producer, Call *call, DatahubError *error)
{
  Pools *pools = &producer->pools;
  Pool *pool = NULL;
  PoolShape shape;
  DatahubResult result;
  bool go;
  pthread_mutex_lock (&producer->lock);
  if (pools->growing) {
    pthread_mutex_unlock (&producer->lock);
    return DATAHUB_TIMEOUT;
  }
  if (producer->ring.n_limbo)
    ring_reclaim (&producer->ring, pools);
  if (pools->unfinished && is_of_use (pools, call, &pools->unfinished->shape))
    pool = take_unfinished (pools);
  go = pool
      || ((call->grow_stride || os_now () >= pools->no_growth_until)
          && choose_growth (pools, call, &shape));
  result = go ? DATAHUB_OK : cannot_grow (producer, call);
  pools->growing = go;
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
  if (!go)
    return result;
  result = make_and_install (producer, call, pool, &shape, error);
  pthread_mutex_lock (&producer->lock);
  pools->growing = false;
  if (result == DATAHUB_OK)
    count_one (&producer->ring.counters->growths);
  pthread_mutex_unlock (&producer->lock);
  add_seq (&producer->block.wake->room, 1); /* others waited for this pool */
  STEP (P1_ROOM_BUMPED);
  os_futex_wake (&producer->block.wake->room);
  return result;
}

/* Returns %DATAHUB_OK to try again, %DATAHUB_TIMEOUT to wait for room, else the
 * result of the call. */
DatahubResult
producer_grow (DatahubProducer *producer, Call *call)
{
  DatahubError local;
  DatahubError *error = call->error ? call->error : &local;
  DatahubResult result = DATAHUB_ERROR_NO_SPACE;
  drop_useless (producer, call);
  for (int i = 0; i < GROWTH_TRIES && result == DATAHUB_ERROR_NO_SPACE; i++)
    result = grow_once (producer, call, error);
  /* more slots are not vital */
  if (result >= DATAHUB_ERROR_FIRST && call->grow_stride == 0) {
    pthread_mutex_lock (&producer->lock);
    result = cannot_grow (producer, call);
    pthread_mutex_unlock (&producer->lock);
  }
  producer_tidy (producer);
  return result;
}
