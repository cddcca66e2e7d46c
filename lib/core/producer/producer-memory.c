/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a block follows need. The streaming thread notes here how many slots
 * loans and consumers hold. The service thread, in
 * datahub_producer_wait_attention(), adds a pool before they are short, and closes
 * one that was not needed for RETURN_NS. A producer that has no such thread grows
 * when a slot is short, and gives memory back with its next loan.
 *
 * A pool that is being made has no name and no table names it, so a producer that is
 * killed here leaves nothing. What is published, and how a pool ends, is as in
 * any growth: tests/model/pool.pml, tests/model/open-pools.pml.
 * Tests: core-memory-need, core-memory-return, core-hoarders, stress-sweep */
#include "growth-shapes-private.h"
#include "producer-private.h"

#ifdef DATAHUB_STEPS
#define RETURN_NS (10 * NS_PER_MS) /* the streams of the sweep are short */
#else
#define RETURN_NS (5 * NS_PER_S)
#endif
/* Beside a full ring and what is held: the slot that the next call takes, and one that
 * is retired and not looked at yet. */
#define SLOTS_AT_WORK 2u

/* The slots that serve payloads of a size, and what keeps them. A record of the ring may
 * have no slot, or several: it counts as one. */
typedef struct
{
  uint64_t stride;
  uint64_t n;
  uint64_t n_usable; /* free, or of a record in the ring without a pin */
  uint64_t n_outside; /* of loans, and of retired records with a pin */
} SlotUse;

static uint64_t
at_most (uint64_t value, uint64_t most)
{
  return value < most ? value : most;
}

/* Records in the ring that no consumer has pinned. */
static uint64_t
count_unpinned (const Ring *ring)
{
  PinScan pins;
  uint64_t n = 0;
  pin_scan_begin (ring, &pins);
  for (uint64_t s = ring->tail; s < ring->head; s++)
    pin_scan_want (&pins, *ring_private (ring, s));
  pin_scan_look (ring, &pins);
  for (uint64_t s = ring->tail; s < ring->head; s++)
    n += !pin_scan_is_pinned (&pins, *ring_private (ring, s));
  return at_most (n, ring_live_records (ring));
}

static SlotUse
look (DatahubProducer *producer, uint64_t size)
{
  Ring *ring = &producer->ring;
  PoolClass class;
  uint64_t taken;
  if (ring->n_limbo)
    ring_reclaim (ring, &producer->pools);
  class = pool_class (&producer->pools, POOL_PAYLOAD, size);
  taken = class.n_slots - class.n_free;
  return (SlotUse){ .stride = class.stride,
    .n = class.n_slots,
    .n_usable = class.n_free + at_most (count_unpinned (ring), taken),
    .n_outside = taken - at_most (ring_live_records (ring), taken) };
}

/* If no more slots can be used, a pool is added: the others are held. A number of slots
 * that the options give stays until one is short. */
static uint64_t
low_water (const DatahubProducer *producer, uint64_t stride)
{
  uint64_t half = producer->block.g.ring_size / 2;
  if (stride > BIG_SLOT)
    return RING_MIN_KEPT - 1;
  if (producer->options.slots || half < RING_MIN_KEPT)
    return RING_MIN_KEPT;
  return half;
}

/* Asks the service thread for a pool. */
static void
ask_for_more (DatahubProducer *producer, uint64_t size)
{
  producer->pools.ahead.need = size;
  producer->pools.ahead.wake = true;
  or_seq (&producer->memory_work, MEMORY_WANTED);
}

/* Of the last loan that was looked at, or of the newest pool. */
static uint64_t
size_to_grow_for (const Pools *pools)
{
  const Pool *newest = pools->newest[POOL_PAYLOAD];
  if (pools->ahead.size || !newest)
    return pools->ahead.size;
  return newest->shape.stride;
}

/* A growth failed, and the consumers have a low share for it: tries another one, which
 * may find what was missing. Without a service thread the last such request is still
 * there; then the share counts on growth again, and the next call that is short of
 * slots finds out. The lock must not be held. */
void
producer_retry_growth (DatahubProducer *producer)
{
  MemoryNeed *ahead = &producer->pools.ahead;
  uint64_t size;
  pthread_mutex_lock (&producer->lock);
  size = size_to_grow_for (&producer->pools);
  if (!ahead->failed || !size || producer->closed
      || os_now () < producer->pools.no_growth_until) {
    pthread_mutex_unlock (&producer->lock);
    return;
  }
  if (load_relaxed (&producer->memory_work) & MEMORY_WANTED) {
    and_seq (&producer->memory_work, ~MEMORY_WANTED);
    ahead->need = 0;
    ahead->failed = false;
  } else if (!ahead->need) {
    ask_for_more (producer, size);
  }
  pthread_mutex_unlock (&producer->lock);
}

/* ---- less ---- */

/* A pool that can go: the biggest one without which there are @needed slots. */
static Pool *
find_unneeded (const Pools *pools, const SlotUse *use, uint64_t needed)
{
  Pool *best = NULL;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    Pool *pool = pools->table[i];
    if (!pool_serves (pool, POOL_PAYLOAD, use->stride)
        || pool->shape.stride > 2 * use->stride
        || use->n < needed + pool->shape.n_slots)
      continue;
    if (!best || pool->shape.n_slots > best->shape.n_slots)
      best = pool;
  }
  return best;
}

/* The time begins anew. */
static void
begin_window (MemoryNeed *ahead, int64_t now)
{
  ahead->since = now;
  ahead->needed_most = 0;
}

static uint64_t
larger_of (uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

/* Never less than the number of slots that the options give. */
static uint64_t
slots_needed (const DatahubProducer *producer, const SlotUse *use)
{
  uint64_t held = use->n - use->n_usable + low_water (producer, use->stride);
  uint64_t full = use->n_outside + producer->block.g.ring_size;
  return larger_of (larger_of (held, full) + SLOTS_AT_WORK,
      producer->options.slots);
}

/* What was needed in the last seconds stays. */
static void
look_for_unneeded (DatahubProducer *producer, const SlotUse *use, int64_t now)
{
  Pools *pools = &producer->pools;
  MemoryNeed *ahead = &pools->ahead;
  uint64_t needed = slots_needed (producer, use);
  Pool *pool;
  if (ahead->n_open != pools->n_open[POOL_PAYLOAD])
    begin_window (ahead, now);
  ahead->n_open = pools->n_open[POOL_PAYLOAD];
  if (needed > ahead->needed_most)
    ahead->needed_most = needed;
  if (now - ahead->since < RETURN_NS)
    return;
  pool = find_unneeded (pools, use, ahead->needed_most);
  if (pool && pools->pack.pool == pool)
    pool_end_packing (pools);
  if (pool)
    pool_close_whole (pools, pool);
  begin_window (ahead, now);
}

/* ---- at each tick ---- */

static void
note_several (DatahubProducer *producer, bool several)
{
  if (!!(load_relaxed (&producer->memory_work) & MEMORY_SEVERAL) == several)
    return;
  if (several)
    or_seq (&producer->memory_work, MEMORY_SEVERAL);
  else
    and_seq (&producer->memory_work, ~MEMORY_SEVERAL);
}

/* Whether slots are short without regard to pins. */
static bool
is_plainly_low (const DatahubProducer *producer, uint64_t size)
{
  PoolClass class = pool_class (&producer->pools, POOL_PAYLOAD, size);
  return class.n_free + ring_live_records (&producer->ring)
      <= low_water (producer, class.stride);
}

/* After a loan of a payload slot, if few are free or several pools are open. The pins are
 * looked at once in a tick of the coarse clock. The lock is held. */
void
producer_note_need (DatahubProducer *producer, uint64_t size)
{
  Pools *pools = &producer->pools;
  MemoryNeed *ahead = &pools->ahead;
  int64_t now = os_now_coarse ();
  SlotUse use;
  if (now == ahead->looked_at
      && (ahead->need || now < pools->no_growth_until
          || !is_plainly_low (producer, size)))
    return;
  ahead->looked_at = now;
  ahead->size = size;
  use = look (producer, size);
  if (use.n == 0)
    return; /* the pools for that size are closed */
  if (use.n_usable <= low_water (producer, use.stride) && !ahead->need
      && !pools->growing && now >= pools->no_growth_until)
    ask_for_more (producer, size);
  note_several (producer, pools->n_open[POOL_PAYLOAD] > 1);
  if (pools->n_open[POOL_PAYLOAD] > 1)
    look_for_unneeded (producer, &use, now);
}

/* ---- the service thread ---- */

/* Without a loan the streaming thread does not look. */
static void
look_in_its_place (DatahubProducer *producer)
{
  pthread_mutex_lock (&producer->lock);
  if (!producer->closed && producer->pools.n_open[POOL_PAYLOAD] > 1)
    producer_note_need (producer, producer->pools.ahead.size);
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
}

/* Adds the pool that was asked for, and looks for one that is not needed any more. May
 * take as long as the memory of a pool does; an interruption of
 * %DATAHUB_WAIT_ATTENTION ends it between two pieces. */
void
producer_tend_memory (DatahubProducer *producer)
{
  uint32_t work = load_relaxed (&producer->memory_work);
  uint64_t size;
  if (!work)
    return;
  if (work & MEMORY_SEVERAL)
    look_in_its_place (producer);
  if (!(work & MEMORY_WANTED))
    return;
  pthread_mutex_lock (&producer->lock);
  and_seq (&producer->memory_work, ~MEMORY_WANTED);
  size = producer->pools.ahead.need;
  pthread_mutex_unlock (&producer->lock);
  if (size)
    producer_grow_ahead (producer, size);
  producer_follow_consumers (producer); /* the share follows from it */
}
