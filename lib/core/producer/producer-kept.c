/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What consumers keep when slots or records are short. The producer waits only for
 * what would be free without its reliable consumers. What a live consumer has
 * pinned, too, is not worth a wait: the wait would be for the live one, and would
 * be charged to the reliable ones. Loans that come back lose a reliable consumer
 * nothing, so they are waited for where one is attached and no live one has a part
 * in the shortage.
 *
 * Records can share a slot: packed payloads, one memory in several buffers. So the ends
 * of records are counted for each slot. It is free when all that refers to it ended.
 *
 * The scans of pins are hints here. A pin that comes or goes meanwhile costs a wait
 * of one slice or one buffer; the scan before a record is used again decides.
 * Tests: core-kept */
#include "producer-private.h"

#include <string.h>

typedef struct
{
  DatahubProducer *producer;
  const Call *call; /* NULL: records are short */
  bool helps[MAX_POOLS]; /* a free slot of the pool would */
  PinScan live, reliable; /* pins of these consumers alone */
} Kept;

/* ---- pins ---- */

static void
want (Kept *kept, uint32_t record)
{
  pin_scan_want (&kept->live, record);
  pin_scan_want (&kept->reliable, record);
}

static void
look (Kept *kept)
{
  Ring *ring = &kept->producer->ring;
  uint32_t rows;
  fence_seq ();
  rows = block_rows_in_use (ring->block);
  for (uint32_t i = 0; i < rows; i++) {
    ConsumerRow *row = block_row (ring->block, i);
    PinScan *scan = ring_row_gates (ring, i) ? &kept->reliable : &kept->live;
    for (uint32_t k = 0; k < scan->n_words; k++)
      scan->busy[scan->words[k]] |= load_acquire (&row->pins[scan->words[k]]);
  }
}

/* For a bigger payload an old pool makes room, which gives its slots back. */
static void
look_at_pools (Kept *kept)
{
  const Pools *pools = &kept->producer->pools;
  const Call *call = kept->call;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    Pool *pool = pools->table[i];
    kept->helps[i] = pool && call && pool->shape.kind == call->kind
        && (call->bigger ? !pool->open
                         : pool_helps (pools, pool, call->kind, call->need));
    if (kept->helps[i])
      memset (pool->ends, 0, pool->shape.n_slots * sizeof *pool->ends);
  }
}

/* Looks for pins of all records in the ring and in limbo. */
static void
kept_begin (Kept *kept, DatahubProducer *producer, const Call *call)
{
  const Ring *ring = &producer->ring;
  kept->producer = producer;
  kept->call = call;
  look_at_pools (kept);
  pin_scan_begin (ring, &kept->live);
  pin_scan_begin (ring, &kept->reliable);
  for (uint32_t i = 0; i < ring->n_limbo; i++)
    want (kept, ring->limbo[i]);
  for (uint64_t s = ring->tail; s < ring->head; s++)
    want (kept, *ring_private (ring, s));
  look (kept);
}

/* ---- records ---- */

/* Counts the end of the record, which @refs lead to, unless a live consumer prevents
 * it. Returns whether it would help, together with those that were counted before. */
static bool
would_help (const Kept *kept, uint32_t record, uint32_t refs)
{
  const RecordRefs *state = &kept->producer->ring.records[record];
  if (state->refs != refs || pin_scan_is_pinned (&kept->live, record))
    return false;
  for (uint32_t i = 0; kept->call && i < state->n_slots; i++) {
    SlotRef slot = state->slots[i];
    if (kept->helps[slot.pool->entry]
        && ++slot.pool->ends[slot.slot] == slot.pool->refs[slot.slot])
      return true;
  }
  return !kept->call;
}

static bool
any_in_ring_would_help (const Kept *kept)
{
  const Ring *ring = &kept->producer->ring;
  for (uint64_t s = ring->tail; s < ring->head; s++)
    if (would_help (kept, *ring_private (ring, s), 1))
      return true;
  return false;
}

/* A record in limbo has a pin, or goes at the next try. */
static bool
any_in_limbo_would_help (const Kept *kept)
{
  const Ring *ring = &kept->producer->ring;
  for (uint32_t i = 0; i < ring->n_limbo; i++)
    if (would_help (kept, ring->limbo[i], 0))
      return true;
  return false;
}

/* ---- loans ---- */

/* References of the record to slots that would help. */
static uint64_t
count_helping (const Kept *kept, uint32_t record)
{
  const RecordRefs *state = &kept->producer->ring.records[record];
  uint64_t n = 0;
  for (uint32_t i = 0; i < state->n_slots; i++)
    n += kept->helps[state->slots[i].pool->entry];
  return n;
}

static bool
any_is_pinned_live (const Kept *kept)
{
  const Ring *ring = &kept->producer->ring;
  for (uint32_t i = 0; i < ring->n_limbo; i++)
    if (pin_scan_is_pinned (&kept->live, ring->limbo[i])
        && count_helping (kept, ring->limbo[i]))
      return true;
  for (uint64_t s = ring->tail; s < ring->head; s++)
    if (pin_scan_is_pinned (&kept->live, *ring_private (ring, s))
        && count_helping (kept, *ring_private (ring, s)))
      return true;
  return false;
}

/* A slot has more references than records have to it. */
static bool
any_is_lent (const Kept *kept)
{
  const DatahubProducer *producer = kept->producer;
  uint64_t refs = 0, of_records = 0;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    const Pool *pool = producer->pools.table[i];
    for (uint32_t k = 0; kept->helps[i] && k < pool->shape.n_slots; k++)
      refs += pool->refs[k];
  }
  for (uint32_t i = 0; i < producer->block.g.n_recs; i++)
    of_records += count_helping (kept, i);
  return refs > of_records;
}

/* ---- what follows ---- */

/* Whether reliable consumers alone keep what @call is short of, or loans. Retiring has come
 * to its end: the ring keeps what a gate protects, or, unless a bigger payload wants
 * it, what is to stay readable. */
bool
producer_is_kept_waiting (DatahubProducer *producer, const Call *call)
{
  Kept kept;
  if (!ring_is_gated (&producer->ring))
    return false;
  kept_begin (&kept, producer, call);
  if (any_in_limbo_would_help (&kept)
      || (call && call->bigger && any_in_ring_would_help (&kept)))
    return true;
  return call && !any_is_pinned_live (&kept) && any_is_lent (&kept);
}

/* Whether records that are to stay readable may go for a reliable consumer: not for
 * one that holds them itself, which would then be in the way of the others. */
bool
producer_may_keep_fewer (DatahubProducer *producer, const Call *call)
{
  Kept kept;
  if (ring_live_records (&producer->ring) == 0
      || !ring_is_gated (&producer->ring))
    return false;
  kept_begin (&kept, producer, call);
  for (uint32_t w = 0; w < kept.live.n_words; w++)
    kept.live.busy[kept.live.words[w]] |=
        kept.reliable.busy[kept.live.words[w]];
  return any_in_ring_would_help (&kept);
}
