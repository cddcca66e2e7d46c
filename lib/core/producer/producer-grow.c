/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Growth of a block by adding a pool of bigger (or more) slots (protocol, section
 * 3a): ring, rows, sequences, gates and pins stay as they are, so no data is lost.
 * Models: tests/model/pool.pml.
 * Tests: core-growth, core-space */
#include "growth-shapes-private.h"
#include "producer-private.h"
#include "core/base/result-private.h"

#include <errno.h>
#include <string.h>

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

/* The answer of the creator to the question whether the creation goes on. */
DatahubResult
producer_may_go_on (void *data)
{
  const DatahubProducerOptions *options = data;
  return !options->may_go_on || options->may_go_on (options->may_go_on_data)
      ? DATAHUB_OK
      : DATAHUB_INTERRUPTED;
}

/* Adds a pool. Called without the lock by the creator. The memory has no name
 * before it is in the table: killed in here, a process leaves nothing of it. */
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
  Pace pace = { producer_may_go_on, &producer->options };
  DatahubResult result;
  if (!pool)
    return error->code;
  result = pool_make (pools, pool, &pace, error);
  STEP (P1_FILE_MADE);
  if (result == DATAHUB_OK)
    return install (producer, pool, error);
  pool_free (pools, pool, false);
  return result;
}

/* ---- A growth that is not possible; the lock is held. ---- */

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
  uint64_t size = call->need, stride = round_up (size, BLOCK_PAGE);
  uint64_t limit = pool_bytes_allowed (pools, call->kind);
  uint64_t used = call->kind == POOL_PAYLOAD ? pools->bytes_used : 0;
  uint64_t wanted = growth_least_slots (size) * stride;
  uint64_t fits = biggest_that_fits (pools, call->kind);
  PoolSpaceText text = pool_describe_space (pools, &pools->space);
  if (used + wanted <= limit)
    return result_fail (call->error, DATAHUB_ERROR_NO_SPACE, ENOSPC,
        "Not enough %s to grow for a payload of %llu bytes: %.1f MiB wanted for "
        "%u slots, %s: %llu such slots fit. A payload of %llu bytes fits. %s, or "
        "use smaller payloads.",
        pools->backing->funcs->place, (unsigned long long) size,
        wanted / 1048576.0, growth_least_slots (size), text.left,
        (unsigned long long) (pool_bytes_that_fit (pools, call->kind) / stride),
        (unsigned long long) fits, text.advice);
  if (call->kind != POOL_PAYLOAD)
    return result_fail (call->error, DATAHUB_ERROR_TOO_BIG, 0,
        "Metas or an event of %llu bytes do not fit: %u such slots exceed the "
        "%llu bytes that a block has for them; max-bytes does not change that.",
        (unsigned long long) size, growth_least_slots (size),
        (unsigned long long) limit);
  return result_fail (call->error, DATAHUB_ERROR_TOO_BIG, 0,
      "A payload of %llu bytes does not fit: %u such slots besides the %llu "
      "bytes in use exceed max-bytes, %llu. A payload of %llu bytes fits.",
      (unsigned long long) size, growth_least_slots (size),
      (unsigned long long) used, (unsigned long long) limit,
      (unsigned long long) fits);
}

/* The next try is after a second. Returns false where one is waited for already. Until
 * a growth of that kind succeeds the share does not count on any. */
static bool
pause_growth_of (DatahubProducer *producer, PoolKind kind)
{
  int64_t now = os_now ();
  if (kind == POOL_PAYLOAD)
    producer->pools.ahead.failed = true;
  if (now < producer->pools.no_growth_until)
    return false;
  producer->pools.no_growth_until = now + GROWTH_PAUSE_NS;
  producer_doubt_share (producer); /* it counted on that space */
  return true;
}

static void
pause_growth_ahead (DatahubProducer *producer)
{
  pause_growth_of (producer, POOL_PAYLOAD);
}

/* The same for a call that is short of slots. */
static void
pause_growth (DatahubProducer *producer, const Call *call)
{
  if (!pause_growth_of (producer, call->kind))
    return;
  error_log_note (&producer->errors, DATAHUB_ERROR_NO_SPACE,
      "Slots are short and the block cannot grow: max-bytes or the file system.");
}

/* A pool for small payloads may have room where none for big ones has. */
static bool
wants_smaller (const Call *call)
{
  return call->smaller && !call->wasteful;
}

static DatahubResult
waste_slots (DatahubProducer *producer, Call *call)
{
  producer->pools.no_smaller_until = os_now () + GROWTH_PAUSE_NS;
  call->wasteful = true;
  error_log_note (&producer->errors, DATAHUB_ERROR_NO_SPACE,
      "Small payloads use big slots: the block cannot grow.");
  return DATAHUB_OK;
}

/* If the block cannot grow now (P5): remove pools that are not in use; discard old
 * frames that no reliable consumer needs, or else wait for what only those
 * consumers keep, or else drop the new frame. */
static DatahubResult
cannot_grow (DatahubProducer *producer, Call *call)
{
  Pools *pools = &producer->pools;
  if (pool_close_unused (pools, call->kind, call->bigger)
      || pool_break_up (pools))
    return DATAHUB_OK;
  if (wants_smaller (call))
    return waste_slots (producer, call);
  if (call->bigger && !pool_is_any_old (pools))
    return fail_too_big (pools, call);
  if (call->bigger && ring_drain_old_pools (&producer->ring, pools))
    return DATAHUB_OK;
  if (!call->bigger) {
    pause_growth (producer, call);
    if (!call->cramped) {
      call->cramped = true;
      return DATAHUB_OK;
    }
  }
  return producer_is_kept_waiting (producer, call) ? DATAHUB_TIMEOUT
                                                   : DATAHUB_DROPPED;
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
  bool closed, hurry;
  producer_beat (producer);
  pthread_mutex_lock (&producer->lock);
  closed = producer->closed;
  hurry = growth->call->ahead && producer->pools.ahead.hurry;
  pthread_mutex_unlock (&producer->lock);
  if (closed)
    return DATAHUB_CLOSED;
  if (load_seq (&producer->interrupted) & growth->call->wait)
    return DATAHUB_INTERRUPTED;
  if (hurry)
    return DATAHUB_TIMEOUT;
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
  return call->bigger && shape->size > PROMPT_BYTES;
}

/* Whether an unfinished pool is what @call needs. */
static bool
is_of_use (const Pools *pools, const Call *call, const PoolShape *shape)
{
  PoolClass now = pool_class (pools, call->kind, call->need);
  if (shape->kind != call->kind || shape->stride < call->need
      || growth_is_far (call->kind, shape->stride, call->need))
    return false;
  return call->bigger || shape->stride <= 2 * now.stride;
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

/* What the ring keeps beyond its minimum must not add to what big payloads take. */
static void
drop_history (DatahubProducer *producer, const Call *call)
{
  Ring *ring = &producer->ring;
  while (growth_is_history_big (&producer->pools, call->kind, call->need)
      && ring_live_records (ring) > RING_MIN_KEPT && ring_retire_oldest (ring))
    if (ring->n_limbo)
      ring_reclaim (ring, &producer->pools);
}

static bool
choose_shape (DatahubProducer *producer, const Call *call, PoolShape *shape)
{
  const Pools *pools = &producer->pools;
  if (!growth_choose_shape (pools, call->kind, call->need, call->bigger, shape))
    return false;
  if (!call->ahead)
    drop_history (producer, call);
  return growth_choose_shape (pools, call->kind, call->need, call->bigger,
      shape);
}

/* Whether a growth for capacity failed a moment ago. */
static bool
is_paused (const DatahubProducer *producer, const Call *call)
{
  return !call->bigger && !wants_smaller (call)
      && os_now () < producer->pools.no_growth_until;
}

/* A growth ahead of need is not vital. */
static DatahubResult
cannot_grow_ahead (DatahubProducer *producer)
{
  if (pool_break_up (&producer->pools))
    return DATAHUB_ERROR_NO_SPACE; /* now there is more: the caller tries again */
  pause_growth_ahead (producer);
  return DATAHUB_DROPPED;
}

/* Some thread makes a pool. A big slot is better than a wait. */
static DatahubResult
leave_to_other (Call *call)
{
  bool waste = wants_smaller (call);
  call->wasteful |= waste;
  return waste ? DATAHUB_OK : DATAHUB_TIMEOUT;
}

/* Takes the lock, with the free memory measured before. False: there is no use in it. */
static bool
measure_and_lock (DatahubProducer *producer, const Call *call)
{
  Pools *pools = &producer->pools;
  PoolSpace space;
  bool useful;
  pthread_mutex_lock (&producer->lock);
  useful = !pools->growing && !is_paused (producer, call);
  if (!useful)
    return false;
  pthread_mutex_unlock (&producer->lock);
  pool_measure (pools, &space);
  pthread_mutex_lock (&producer->lock);
  pools->space = space;
  return true;
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
  bool measured = measure_and_lock (producer, call), go;
  call->met_ahead = pools->ahead.growing && !call->ahead && !producer->closed;
  if (pools->growing) {
    result = call->met_ahead ? DATAHUB_TIMEOUT : leave_to_other (call);
    pthread_mutex_unlock (&producer->lock);
    return result;
  }
  if (producer->ring.n_limbo)
    ring_reclaim (&producer->ring, pools);
  if (pools->unfinished && is_of_use (pools, call, &pools->unfinished->shape))
    pool = take_unfinished (pools);
  go = pool || (measured && choose_shape (producer, call, &shape));
  result = DATAHUB_OK;
  if (call->ahead && pools->unfinished)
    go = false; /* a bigger payload waits for that one */
  else if (!go)
    result = call->ahead ? cannot_grow_ahead (producer)
                         : cannot_grow (producer, call);
  pools->growing = go;
  pools->ahead.growing = go && call->ahead;
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
  if (!go)
    return result;
  result = make_and_install (producer, call, pool, &shape, error);
  pthread_mutex_lock (&producer->lock);
  pools->growing = pools->ahead.growing = pools->ahead.hurry = false;
  pools->ahead.need = 0;
  if (result == DATAHUB_OK) {
    pools->ahead.failed &= call->kind != POOL_PAYLOAD;
    count_one (&producer->ring.counters->growths);
    producer_doubt_share (producer); /* the slots may have another size */
  }
  pthread_mutex_unlock (&producer->lock);
  add_seq (&producer->block.wake->room, 1); /* others waited for this pool */
  STEP (P1_ROOM_BUMPED);
  os_futex_wake (&producer->block.wake->room);
  return result;
}

static bool
must_wait_for_ahead (DatahubProducer *producer, const Call *call)
{
  Pools *pools = &producer->pools;
  bool wait = !(load_seq (&producer->interrupted) & call->wait);
  pthread_mutex_lock (&producer->lock);
  wait = wait && pools->ahead.growing && !producer->closed;
  pools->ahead.hurry = wait;
  pthread_mutex_unlock (&producer->lock);
  return wait;
}

/* Makes the service thread leave a pool in the making after its next piece, for this
 * thread to continue with. A call that must not wait for other threads cannot leave it
 * to that one, which may have a lower priority. */
static void
take_over (DatahubProducer *producer, const Call *call)
{
  shared_u32 *room = &producer->block.wake->room;
  uint32_t seen = load_seq (room);
  while (must_wait_for_ahead (producer, call)) {
    os_futex_wait (room, seen, NULL, 0, ROOM_SLICE_NS);
    producer_beat (producer);
    seen = load_seq (room);
  }
}

/* One try, after the service thread has left what it makes. That thread may begin
 * between the wait and the try. */
static DatahubResult
grow_beside_service (DatahubProducer *producer, Call *call, DatahubError *error)
{
  DatahubResult result;
  do {
    take_over (producer, call);
    drop_useless (producer, call);
    result = grow_once (producer, call, error);
  } while (call->met_ahead
      && !(load_seq (&producer->interrupted) & call->wait));
  return result;
}

/* The service thread's growth, for payloads of @size bytes. A failure lowers the share of
 * the consumers before slots are short. */
void
producer_grow_ahead (DatahubProducer *producer, uint64_t size)
{
  Call call;
  DatahubError error;
  DatahubResult result = DATAHUB_ERROR_NO_SPACE;
  call_begin (&call, NULL, DATAHUB_WAIT_ATTENTION, 0, &error);
  call.ahead = true;
  call.kind = POOL_PAYLOAD;
  call.need = size;
  call.bigger = call.smaller = false;
  for (int i = 0; i < GROWTH_TRIES && result == DATAHUB_ERROR_NO_SPACE; i++)
    result = grow_once (producer, &call, &error);
  pthread_mutex_lock (&producer->lock);
  if (result >= DATAHUB_ERROR_FIRST)
    pause_growth_ahead (producer);
  producer->pools.ahead.need = 0;
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
}

/* Returns %DATAHUB_OK to try again, %DATAHUB_TIMEOUT to wait for room, else the
 * result of the call. */
DatahubResult
producer_grow (DatahubProducer *producer, Call *call)
{
  DatahubError local;
  DatahubError *error = call->error ? call->error : &local;
  DatahubResult result = DATAHUB_ERROR_NO_SPACE;
  for (int i = 0; i < GROWTH_TRIES && result == DATAHUB_ERROR_NO_SPACE; i++)
    result = grow_beside_service (producer, call, error);
  /* more slots are not vital */
  if (result >= DATAHUB_ERROR_FIRST && !call->bigger) {
    pthread_mutex_lock (&producer->lock);
    result = cannot_grow (producer, call);
    pthread_mutex_unlock (&producer->lock);
  }
  producer_tidy (producer);
  return result;
}
