/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The old end of the ring: retiring records to make space, and the gates that
 * prevent it.
 *
 * Life of a record: free -> filled -> in the ring (A6, A7) -> retired (A3) ->
 * limbo while any row has its bit -> free (A5). Up to A7 it is
 * producer-commit.c. Records that a producer had retired when it was killed are
 * put in limbo by its adopter.
 * Tests: core-flow, core-growth, core-distrust */
#include "ring-private.h"

#include <stdlib.h>

/* Allocates the private state, which a crash of another process cannot corrupt;
 * all records are free. False: out of memory. */
bool
ring_make_state (Ring *ring)
{
  uint32_t n = ring->block->g.n_recs;
  ring->entries = calloc (ring->block->g.ring_size, sizeof *ring->entries);
  ring->records = calloc (n, sizeof *ring->records);
  ring->free_recs = calloc (n, sizeof *ring->free_recs);
  ring->limbo = calloc (n, sizeof *ring->limbo);
  if (!ring->entries || !ring->records || !ring->free_recs || !ring->limbo)
    return false;
  for (uint32_t i = 0; i < n; i++)
    ring->free_recs[i] = (uint16_t) (n - 1 - i);
  ring->n_free_recs = n;
  for (uint32_t i = 0; i < N_STICKY; i++) {
    ring->sticky[i] = ring->shown[i] = RECORD_NONE;
    ring->sticky_seq[i] = DATAHUB_NONE;
  }
  ring->last_buffer = ring->last_key = DATAHUB_NONE;
  ring->batch_max = ring->block->g.ring_size / 2;
  if (ring->batch_max > DATAHUB_MAX_BATCH)
    ring->batch_max = DATAHUB_MAX_BATCH;
  return true;
}

void
ring_free_state (Ring *ring)
{
  free (ring->entries);
  free (ring->records);
  free (ring->free_recs);
  free (ring->limbo);
  ring->records = NULL;
  ring->entries = ring->free_recs = ring->limbo = NULL;
}

/* Only for the owner at that time: the gate of the next owner is used again.
 * (In a strict block the bit is cleared when the row gets another owner, since
 * a client writes its words.) */
bool
ring_is_distrusted (const Ring *ring, uint32_t row)
{
  const Block *block = ring->block;
  if (!(load_relaxed (&ring->distrusted[row >> 6]) >> (row & 63) & 1))
    return false;
  return block->g.strict
      || load_seq (&block_row (block, row)->claim)
      == load_relaxed (&ring->distrusted_claims[row]);
}

/* The sequence that row @i still needs according to its gate; at or above
 * GATE_EVICTED: none. A gate that moved forward and back while the producer
 * waited for it is ignored until it is open again: otherwise a process that
 * writes it faster than a compare-and-swap could block the producer for ever.
 */
static uint64_t
row_needs (Ring *ring, uint32_t i)
{
  shared_u64 *gate = &block_row (ring->block, i)->gate;
  uint64_t word = load_seq (gate), needed = GATE_SEQUENCE (word);
  if (needed == GATE_EVICTED || !ring_is_distrusted (ring, i))
    return needed;
  if (needed == GATE_OPEN)
    and_seq (&ring->distrusted[i >> 6], ~(UINT64_C (1) << (i & 63)));
  else
    store_seq (gate, GATE_WORD (word >> SEQUENCE_BITS, GATE_EVICTED));
  return GATE_EVICTED;
}

/* Whether the stream waits for the consumer of the row. */
bool
ring_row_gates (Ring *ring, uint32_t row)
{
  return row_needs (ring, row) < GATE_EVICTED;
}

/* Whether any consumer that the stream waits for is attached. */
bool
ring_is_gated (Ring *ring)
{
  uint32_t rows = block_rows_in_use (ring->block);
  for (uint32_t i = 0; i < rows; i++)
    if (ring_row_gates (ring, i))
      return true;
  return false;
}

/* The lowest sequence a reliable consumer still needs (A2). The words belong to
 * other processes: a hostile one can hold the producer no longer than a few
 * times block-timeout, like a slow one. */
uint64_t
ring_lowest_gate (Ring *ring)
{
  uint64_t lowest = GATE_OPEN;
  uint32_t rows = block_rows_in_use (ring->block);
  for (uint32_t i = 0; i < rows; i++) {
    uint64_t needed = row_needs (ring, i);
    if (needed < GATE_EVICTED && needed < lowest)
      lowest = needed;
  }
  return lowest;
}

/* No gate is below the result (A2). Gates only move forward, and a
 * joining consumer counts itself after it stored its gate, so the result of a
 * scan is valid until a consumer joins. */
static uint64_t
lowest_gate_known (Ring *ring, uint64_t needed)
{
  uint32_t joins = load_seq (&ring->block->wake->joins);
  /* clients of a strict block may write to that word: it decides nothing there */
  if (joins == ring->joins && ring->lowest >= needed && !ring->block->g.strict)
    return ring->lowest;
  ring->joins = joins;
  ring->lowest = ring_lowest_gate (ring);
  return ring->lowest;
}

/* Claims a few sequences at once: first claims (A1), then reads the gates (A2),
 * and gives back the sequences that a gate protects. A joining consumer stores
 * its gate, counts itself, then loads the claim (B11, B12, B10): one of the two
 * sees the other. Models: tests/model/gate.pml. */
static bool
claim (Ring *ring)
{
  BlockHeader *header = ring->block->header;
  uint64_t s = ring->tail;
  uint64_t step = ring->block->g.ring_size / 4;
  uint64_t target = s + (step ? step : 1);
  uint64_t lowest;
  if (target > ring->shown_head)
    target = ring->shown_head;
  store_seq (&header->tail_claim, target); /* A1 */
  STEP (A1_CLAIMED);
  lowest = lowest_gate_known (ring, target); /* A2 */
  STEP (A2_SCANNED);
  if (lowest >= target) {
    ring->cleared = target;
    return true;
  }
  ring->cleared = lowest > s ? lowest : s;
  store_seq (&header->tail_claim, ring->cleared);
  STEP (A1_GIVEN_BACK);
  return ring->cleared > s;
}

static void
count_out (Ring *ring, Rank rank)
{
  ring->n_tombstones -= rank == RANK_TOMBSTONE;
  ring->n_lesser -= rank_is_lesser (rank);
}

/* Takes the oldest record out of the ring; false where a gate forbids it. The
 * ring is not empty. */
bool
ring_retire_oldest (Ring *ring)
{
  uint64_t s = ring->tail;
  /* unseen, it would be lost without a trace, and a tail beyond the head is
   * damage to the next adopter; model: RETIRES_UNSEEN */
  if (ring->held_back && s >= ring->shown_head)
    ring_show_early (ring);
  if (s >= ring->cleared && !claim (ring))
    return false;
  count_out (ring, (Rank) ring->records[*ring_private (ring, s)].rank);
  store_release (block_ring_word (ring->block, s),
      RING_WORD (s, RECORD_NONE)); /* A3 */
  STEP (A3_RETIRED);
  ring->tail = s + 1;
  store_release (&ring->block->header->tail, s + 1);
  STEP (TAIL_STORED);
  ring_unref (ring, *ring_private (ring, s));
  return true;
}

static void
free_record (Ring *ring, Pools *pools, uint32_t record)
{
  RecordRefs *state = &ring->records[record];
  for (uint32_t i = 0; i < state->n_slots; i++)
    slot_unref (pools, state->slots[i]);
  state->n_slots = 0;
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS; i++)
    if (state->ctx[i] != RECORD_NONE)
      ring_unref (ring, state->ctx[i]);
  ring->free_recs[ring->n_free_recs++] = (uint16_t) record;
}

/* Loads the words that are wanted, of every row. */
void
pin_scan_look (const Ring *ring, PinScan *scan)
{
  const Block *block = ring->block;
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
 * are retired (A3) before one fence (A10): if the pass does not see the pin
 * (B3) of a reader, that reader sees all of this in B4 and backs off. A fence
 * for each would wait for the stores of its commit. Records that the freed ones
 * referred to join limbo after them, and are judged by the same scan if it saw
 * them: their own words were retired before it. Returns how many were freed. */
uint32_t
ring_reclaim (Ring *ring, Pools *pools)
{
  PinScan scan;
  uint32_t kept = 0, freed = 0;
  pin_scan_begin (ring, &scan);
  for (uint32_t i = 0; i < ring->n_limbo; i++)
    pin_scan_want (&scan, ring->limbo[i]);
  pin_scan_look (ring, &scan);
  for (uint32_t i = 0; i < ring->n_limbo; i++) {
    uint32_t record = ring->limbo[i];
    if (pin_scan_is_pinned (&scan, record)) {
      ring->limbo[kept++] = (uint16_t) record;
      continue;
    }
    free_record (ring, pools, record);
    freed++;
  }
  ring->n_limbo = kept;
  STEP (RECLAIMED);
  return freed;
}

/* Makes an old pool idle by retiring records that no reliable consumer needs,
 * oldest first: a new frame takes precedence over old ones. Returns whether a
 * pool is idle. */
bool
ring_drain_old_pools (Ring *ring, Pools *pools)
{
  for (;;) {
    if (ring->n_limbo)
      ring_reclaim (ring, pools);
    if (pools->has_idle)
      return true;
    if (ring->tail == ring->head || !ring_retire_oldest (ring))
      return false;
  }
}
