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

/* Whether only the record keeps a slot of @pool. A pinned record would free
 * nothing now. The test for pins is only a hint here: the scan before the
 * record is reused decides. */
static bool
would_free_a_slot (const DatahubProducer *producer, uint32_t record,
    const Pool *pool, const PinScan *pins)
{
  const RecordRefs *state = &producer->records[record];
  if (state->refs != 1 || pin_scan_is_pinned (pins, record))
    return false;
  for (uint32_t i = 0; i < state->n_slots; i++)
    if (state->slots[i].pool == pool && pool->refs[state->slots[i].slot] == 1)
      return true;
  return false;
}

static void
fill_tombstone (DatahubProducer *producer, uint32_t from, uint32_t to)
{
  RecordRefs *state = &producer->records[to];
  BlockRecord *record = block_record (&producer->block, to);
  *state = (RecordRefs){ .refs = 1, .rank = RANK_TOMBSTONE };
  memcpy (record, block_record (&producer->block, from),
      offsetof (BlockRecord, inline_bytes));
  record->type = RECORD_TYPE_TOMBSTONE;
  record->n_mem = 0;
  record->meta_size = 0;
  record->meta_gen = 0;
  record->checksum_kind = DATAHUB_CHECKSUM_NONE;
  memcpy (state->ctx, producer->records[from].ctx, sizeof state->ctx);
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS; i++)
    if (state->ctx[i] != RECORD_NONE)
      producer->records[state->ctx[i]].refs++;
  STEP (T3_TOMBSTONE_FILLED);
}

static void
bury (DatahubProducer *producer, uint64_t s, uint32_t record)
{
  uint32_t tombstone = producer->free_recs[--producer->n_free_recs];
  fill_tombstone (producer, record, tombstone); /* T3 */
  store_seq (block_ring_word (&producer->block, s),
      RING_WORD (s, tombstone)); /* T4: A3 of the one, A6 of the other */
  STEP (T4_TOMBSTONE_STORED);
  *ring_private (producer, s) = (uint16_t) tombstone;
  producer->n_tombstones++;
  producer->n_lesser--;
  producer->n_given_up++;
  ring_unref (producer, record);
}

/* Discards the oldest buffer below @end of @rank that would free a slot of
 * @pool. The newest buffer stays, since joining consumers start there. The lock
 * is held. */
static bool
give_up (DatahubProducer *producer, const Pool *pool, Rank rank, uint64_t end,
    const PinScan *pins)
{
  for (uint64_t s = producer->tail; s < end; s++) {
    uint32_t record = *ring_private (producer, s);
    if (producer->records[record].rank != rank || s == producer->last_buffer
        || !would_free_a_slot (producer, record, pool, pins))
      continue;
    bury (producer, s, record);
    return true;
  }
  return false;
}

/* How many records of the ring can still be read. */
uint64_t
ring_live_records (const DatahubProducer *producer)
{
  return producer->head - producer->tail - producer->n_tombstones;
}

/* Makes room in @pool at the expense of the oldest droppable buffer, else of the
 * oldest delta unit. False: there is none to be had. */
bool
ring_give_up (DatahubProducer *producer, const Pool *pool)
{
  PinScan pins;
  uint64_t end;
  if (producer->n_free_recs == 0 || producer->n_lesser == 0)
    return false;
  end = ring_lowest_gate (producer); /* T1: A0, A2 */
  /* unpublished records are above the head that joining consumers load */
  if (end > producer->shown_head)
    end = producer->shown_head;
  pin_scan_begin (producer, &pins);
  for (uint64_t s = producer->tail; s < end; s++)
    pin_scan_want (&pins, *ring_private (producer, s));
  pin_scan_look (producer, &pins); /* T2 */
  return give_up (producer, pool, RANK_DROPPABLE, end, &pins)
      || give_up (producer, pool, RANK_DELTA, end, &pins);
}

/* Whether the oldest record may go for a buffer of rank @wanted: not a key
 * frame for a droppable one, and for a delta unit not the newest key frame,
 * which it depends on. Older key frames can be discarded for it: the stream
 * must continue rather than keep old key frames. A reliable consumer waits for
 * the new buffer, so if there is one, old buffers that it has read are
 * discarded. */
bool
ring_may_retire_for (DatahubProducer *producer, Rank wanted)
{
  if (!rank_is_lesser (wanted)
      || producer->records[*ring_private (producer, producer->tail)].rank
          != RANK_KEY)
    return true;
  if (wanted == RANK_DELTA && producer->tail != producer->last_key)
    return true;
  return ring_is_gated (producer);
}
