/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The old end of the ring: retiring records to make space, and the gates that
 * prevent it.
 *
 * Life of a record: free -> filled -> in the ring (A6, A7) -> retired (A3) ->
 * limbo while any row has its bit -> free (A5). Up to A7 it is
 * producer-commit.c. Records that a producer had retired when it was killed are
 * put in limbo by its adopter.
 * Tests: core-flow, core-growth, core-distrust */
#include "producer-private.h"

/* Only for the owner at that time: the gate of the next owner is used again.
 * (In a strict block the bit is cleared when the row gets another owner, since
 * a client writes its words.) */
bool
ring_is_distrusted (const DatahubProducer *producer, uint32_t row)
{
  const Block *block = &producer->block;
  if (!(load_relaxed (&producer->distrusted[row >> 6]) >> (row & 63) & 1))
    return false;
  return block->g.strict
      || load_seq (&block_row (block, row)->claim)
      == load_relaxed (&producer->distrusted_claims[row]);
}

/* The sequence that row @i still needs according to its gate; at or above
 * GATE_EVICTED: none. A gate that moved forward and back while the producer
 * waited for it is ignored until it is open again: otherwise a process that
 * writes it faster than a compare-and-swap could block the producer for ever.
 */
static uint64_t
row_needs (DatahubProducer *producer, uint32_t i)
{
  shared_u64 *gate = &block_row (&producer->block, i)->gate;
  uint64_t word = load_seq (gate), needed = GATE_SEQUENCE (word);
  if (needed == GATE_EVICTED || !ring_is_distrusted (producer, i))
    return needed;
  if (needed == GATE_OPEN)
    and_seq (&producer->distrusted[i >> 6], ~(UINT64_C (1) << (i & 63)));
  else
    store_seq (gate, GATE_WORD (word >> SEQUENCE_BITS, GATE_EVICTED));
  return GATE_EVICTED;
}

/* Whether any consumer that the stream waits for is attached. */
bool
ring_is_gated (DatahubProducer *producer)
{
  uint32_t rows = block_rows_in_use (&producer->block);
  for (uint32_t i = 0; i < rows; i++)
    if (row_needs (producer, i) < GATE_EVICTED)
      return true;
  return false;
}

/* The lowest sequence a reliable consumer still needs (A2). The words belong to
 * other processes: a hostile one can hold the producer no longer than a few
 * times block-timeout, like a slow one. */
uint64_t
ring_lowest_gate (DatahubProducer *producer)
{
  uint64_t lowest = GATE_OPEN;
  uint32_t rows = block_rows_in_use (&producer->block);
  for (uint32_t i = 0; i < rows; i++) {
    uint64_t needed = row_needs (producer, i);
    if (needed < GATE_EVICTED && needed < lowest)
      lowest = needed;
  }
  return lowest;
}

/* No gate is below the result (A2). Gates only move forward, and a
 * joining consumer counts itself after it stored its gate, so the result of a
 * scan is valid until a consumer joins. */
static uint64_t
lowest_gate_known (DatahubProducer *producer, uint64_t needed)
{
  uint32_t joins = load_seq (&producer->block.wake->joins);
  /* clients of a strict block may write to that word: it decides nothing there */
  if (joins == producer->joins && producer->lowest >= needed
      && !producer->block.g.strict)
    return producer->lowest;
  producer->joins = joins;
  producer->lowest = ring_lowest_gate (producer);
  return producer->lowest;
}

/* Claims a few sequences at once: first claims (A1), then reads the gates (A2),
 * and gives back the sequences that a gate protects. A joining consumer stores
 * its gate, counts itself, then loads the claim (B11, B12, B10): one of the two
 * sees the other. Models: tests/model/gate.pml. */
static bool
claim (DatahubProducer *producer)
{
  BlockHeader *header = producer->block.header;
  uint64_t s = producer->tail;
  uint64_t step = producer->block.g.ring_size / 4;
  uint64_t target = s + (step ? step : 1);
  uint64_t lowest;
  if (target > producer->shown_head)
    target = producer->shown_head;
  store_seq (&header->tail_claim, target); /* A1 */
  STEP (A1_CLAIMED);
  lowest = lowest_gate_known (producer, target); /* A2 */
  STEP (A2_SCANNED);
  if (lowest >= target) {
    producer->cleared = target;
    return true;
  }
  producer->cleared = lowest > s ? lowest : s;
  store_seq (&header->tail_claim, producer->cleared);
  STEP (A1_GIVEN_BACK);
  return producer->cleared > s;
}

static void
count_out (DatahubProducer *producer, Rank rank)
{
  producer->n_tombstones -= rank == RANK_TOMBSTONE;
  producer->n_lesser -= rank_is_lesser (rank);
}

/* Takes the oldest record out of the ring; false where a gate forbids it. The
 * ring is not empty. */
bool
ring_retire_oldest (DatahubProducer *producer)
{
  uint64_t s = producer->tail;
  /* unseen, it would be lost without a trace, and a tail beyond the head is
   * damage to the next adopter; model: RETIRES_UNSEEN */
  if (producer->held_back && s >= producer->shown_head)
    ring_show_early (producer);
  if (s >= producer->cleared && !claim (producer))
    return false;
  count_out (producer,
      (Rank) producer->records[*ring_private (producer, s)].rank);
  store_release (block_ring_word (&producer->block, s),
      RING_WORD (s, RECORD_NONE)); /* A3 */
  STEP (A3_RETIRED);
  producer->tail = s + 1;
  store_release (&producer->block.header->tail, s + 1);
  STEP (TAIL_STORED);
  ring_unref (producer, *ring_private (producer, s));
  return true;
}

void
ring_unref (DatahubProducer *producer, uint32_t record)
{
  if (--producer->records[record].refs == 0)
    producer->limbo[producer->n_limbo++] = (uint16_t) record;
}

static void
free_record (DatahubProducer *producer, uint32_t record)
{
  RecordRefs *state = &producer->records[record];
  for (uint32_t i = 0; i < state->n_slots; i++)
    slot_unref (producer, state->slots[i]);
  state->n_slots = 0;
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS; i++)
    if (state->ctx[i] != RECORD_NONE)
      ring_unref (producer, state->ctx[i]);
  producer->free_recs[producer->n_free_recs++] = (uint16_t) record;
}

/* Loads the words that are wanted, of every row. */
void
pin_scan_look (const DatahubProducer *producer, PinScan *scan)
{
  const Block *block = &producer->block;
  uint32_t rows;
  fence_seq (); /* A10 */
  STEP (A10_FENCED);
  rows = block_rows_in_use (block); /* A4 */
  for (uint32_t i = 0; i < rows; i++) {
    ConsumerRow *row = block_row (block, i);
    for (uint32_t k = 0; k < scan->n_words; k++)
      scan->busy[scan->words[k]] |=
          load_acquire (&row->pins[scan->words[k]]); /* A5 */
    STEP (A5_ROW_SCANNED);
  }
}

/* One pass over the rows (A5) frees every retired record without a pin. Many
 * are retired (A3) before one fence (A10): a reader whose pin (B3) the pass
 * does not see sees all of that in B4 and backs off. A fence for each would
 * wait for the stores of its commit. Records that the freed ones referred to
 * join limbo after them, and are judged by the same scan if it saw them: their
 * own words were retired before it. Returns how many were freed. */
uint32_t
ring_reclaim (DatahubProducer *producer)
{
  PinScan scan;
  uint32_t kept = 0, freed = 0;
  pin_scan_begin (producer, &scan);
  for (uint32_t i = 0; i < producer->n_limbo; i++)
    pin_scan_want (&scan, producer->limbo[i]);
  pin_scan_look (producer, &scan);
  for (uint32_t i = 0; i < producer->n_limbo; i++) {
    uint32_t record = producer->limbo[i];
    if (pin_scan_is_pinned (&scan, record)) {
      producer->limbo[kept++] = (uint16_t) record;
      continue;
    }
    free_record (producer, record);
    freed++;
  }
  producer->n_limbo = kept;
  STEP (RECLAIMED);
  return freed;
}

/* Makes an old pool idle by retiring records that no reliable consumer needs,
 * oldest first: a new frame takes precedence over old ones. Returns whether a
 * pool is idle. */
bool
ring_drain_old_pools (DatahubProducer *producer)
{
  for (;;) {
    if (producer->n_limbo)
      ring_reclaim (producer);
    if (producer->has_idle_pools)
      return true;
    if (producer->tail == producer->head || !ring_retire_oldest (producer))
      return false;
  }
}
