/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order in which buffers are discarded when slots are short: droppable
 * buffers, then delta units, then the oldest, including key frames.
 *
 * A buffer is discarded in place, in the middle of the ring: its word is
 * changed to refer to a tombstone, a record with the same sequence and ordinal
 * but without memories, and the record itself is retired like any other.
 * Readers skip the tombstone; a consumer that had pinned the record before
 * keeps it. Only a buffer that no gate protects is discarded, and nothing is
 * committed between the check of the gates and the change of the word. So a
 * reliable consumer reads a tombstone only of a buffer that was committed
 * before it joined (it loads `head` behind its gate: join_head).
 * docs/memory-layout.md, "How a buffer is given up", has the steps T1 to T4 and
 * the argument.
 * Tests: core-priority */
#include "producer-private.h"

#include <string.h>

/* Whether all references to @slot are the record's: its memories and metas can share
 * one. */
static bool
is_alone_in (const RecordRefs *state, SlotRef slot)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < state->n_slots; i++)
    n += state->slots[i].pool == slot.pool && state->slots[i].slot == slot.slot;
  return slot.pool->refs[slot.slot] == n;
}

/* Whether only the record keeps a slot that is short. A pinned record would free
 * nothing now. The test for pins is only a hint here: the scan before the
 * record is reused decides. */
static bool
would_free_a_slot (const DatahubProducer *producer, uint32_t record,
    const Call *call, const PinScan *pins)
{
  const Ring *ring = &producer->ring;
  const Pools *pools = &producer->pools;
  const RecordRefs *state = &ring->records[record];
  if (state->refs != 1 || pin_scan_is_pinned (pins, record))
    return false;
  for (uint32_t i = 0; i < state->n_slots; i++) {
    const Pool *pool = state->slots[i].pool;
    if (pool_helps (pools, pool, call->kind, call->need)
        && is_alone_in (state, state->slots[i]))
      return true;
  }
  return false;
}

static void
fill_tombstone (Ring *ring, uint32_t from, uint32_t to)
{
  RecordRefs *state = &ring->records[to];
  BlockRecord *record = block_record (ring->block, to);
  *state = (RecordRefs){ .refs = 1, .rank = RANK_TOMBSTONE };
  memcpy (record, block_record (ring->block, from),
      offsetof (BlockRecord, inline_bytes));
  record->type = RECORD_TYPE_TOMBSTONE;
  record->n_mem = 0;
  record->meta_size = 0;
  record->meta_gen = 0;
  record->checksum_kind = DATAHUB_CHECKSUM_NONE;
  memcpy (state->ctx, ring->records[from].ctx, sizeof state->ctx);
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS; i++)
    if (state->ctx[i] != RECORD_NONE)
      ring->records[state->ctx[i]].refs++;
  STEP (T3_TOMBSTONE_FILLED);
}

static void
bury (Ring *ring, uint64_t s, uint32_t record)
{
  uint32_t tombstone = ring->free_recs[--ring->n_free_recs];
  fill_tombstone (ring, record, tombstone); /* T3 */
  store_seq (block_ring_word (ring->block, s),
      RING_WORD (s, tombstone)); /* T4: A3 of the one, A6 of the other */
  STEP (T4_TOMBSTONE_STORED);
  *ring_private (ring, s) = (uint16_t) tombstone;
  ring->n_tombstones++;
  ring->n_lesser--;
  count_one (&ring->counters->given_up);
  ring_unref (ring, record);
}

/* Discards the oldest buffer below @end of @rank that would free a slot for
 * @call. The newest buffer stays, since joining consumers start there. The lock
 * is held. */
static bool
give_up (DatahubProducer *producer, const Call *call, Rank rank, uint64_t end,
    const PinScan *pins)
{
  Ring *ring = &producer->ring;
  for (uint64_t s = ring->tail; s < end; s++) {
    uint32_t record = *ring_private (ring, s);
    if (ring->records[record].rank != rank || s == ring->last_buffer
        || !would_free_a_slot (producer, record, call, pins))
      continue;
    bury (ring, s, record);
    return true;
  }
  return false;
}

/* Makes room for @call at the expense of the oldest droppable buffer, else of the
 * oldest delta unit. False: there is none to be had. */
static bool
make_room (DatahubProducer *producer, const Call *call)
{
  Ring *ring = &producer->ring;
  PinScan pins;
  uint64_t end;
  if (ring->n_free_recs == 0 || ring->n_lesser == 0)
    return false;
  end = ring_lowest_gate (ring); /* T1: A0, A2 */
  /* unpublished records are above the head that joining consumers load */
  if (end > ring->shown_head)
    end = ring->shown_head;
  pin_scan_begin (ring, &pins);
  for (uint64_t s = ring->tail; s < end; s++)
    pin_scan_want (&pins, *ring_private (ring, s));
  pin_scan_look (ring, &pins); /* T2 */
  return give_up (producer, call, RANK_DROPPABLE, end, &pins)
      || give_up (producer, call, RANK_DELTA, end, &pins);
}

/* Whether the oldest record may go for a buffer of rank @wanted: not a key
 * frame for a droppable one, and for a delta unit not the newest key frame,
 * which it depends on. Older key frames can be discarded for it: the stream
 * must continue rather than keep old key frames. A reliable consumer waits for
 * the new buffer, so if there is one, old buffers that it has read are
 * discarded. */
static bool
may_retire_for (Ring *ring, Rank wanted)
{
  if (!rank_is_lesser (wanted)
      || ring->records[*ring_private (ring, ring->tail)].rank != RANK_KEY)
    return true;
  if (wanted == RANK_DELTA && ring->tail != ring->last_key)
    return true;
  return ring_is_gated (ring);
}

/* Whether as many records stay readable as shall though slots are short. If the
 * block cannot grow, fewer stay of one or two slots: there would be none for the
 * next buffer. Fewer stay, too, where a reliable consumer waits for that buffer and
 * one of them would free a slot: what live consumers hold does not cost it any. */
static bool
is_at_its_least (DatahubProducer *producer, const Call *call, uint64_t n_slots)
{
  uint64_t kept = RING_MIN_KEPT;
  if (call->cramped && n_slots <= RING_MIN_KEPT)
    kept = n_slots - 1;
  if (ring_live_records (&producer->ring) > kept)
    return false;
  return !call->cramped || !producer_may_keep_fewer (producer, call);
}

/* Small payloads get big slots only where no pool for them can be added. Returns
 * whether one is to be tried now. Else @size is that of slots to be used. */
static bool
wants_smaller_slots (const Pools *pools, Call *call, uint64_t *size)
{
  call->smaller = pool_is_wasted (pools, call->kind, *size);
  if (!call->smaller)
    return false;
  if (!call->wasteful && os_now () >= pools->no_smaller_until)
    return true;
  call->wasteful = true;
  *size = pool_smallest (pools, call->kind, *size)->shape.stride;
  return false;
}

/* Rule S1: a free slot; else one in limbo; else the slot of a droppable buffer
 * or a delta unit; else the oldest of the ring, down to RING_MIN_KEPT, if the
 * new buffer has a sufficient rank. Never sleeps because of a live consumer. */
Attempt
producer_find_slot (DatahubProducer *producer, Call *call, PoolKind kind,
    uint64_t size, SlotRef *slot)
{
  Ring *ring = &producer->ring;
  Pools *pools = &producer->pools;
  PoolClass class;
  Pool *pool;
  call->kind = kind;
  call->need = size;
  call->bigger = false;
  if (wants_smaller_slots (pools, call, &size))
    return ATTEMPT_GROW;
  call->need = size;
  while (!(pool = pool_with_room (pools, kind, size))) {
    class = pool_class (pools, kind, size);
    call->bigger = class.n_slots == 0;
    if (call->bigger)
      return ATTEMPT_GROW;
    if (ring->n_limbo && ring_reclaim (ring, pools))
      continue;
    if (is_at_its_least (producer, call, class.n_slots))
      return ATTEMPT_STARVED;
    if (make_room (producer, call))
      continue;
    if (!may_retire_for (ring, call->rank))
      return ATTEMPT_STARVED;
    if (!ring_retire_oldest (ring))
      return ATTEMPT_WAIT_ANY;
  }
  *slot = pool_take (pools, pool);
  return ATTEMPT_DONE;
}
