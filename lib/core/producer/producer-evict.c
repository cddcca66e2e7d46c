/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Eviction of consumers that block the producer for too long. Each row has an
 * account of the time that the producer slept because of it.
 * Tests: core-flow, core-distrust */
#include "ring-private.h"

/* While the ring does not move, a correct row can block at three gates: at each
 * of the records that are kept (RING_MIN_KEPT), and after them with a pin. A
 * word that moves forward and back makes no progress. */
#define GATES_AT_ONE_TAIL 4

/* Whether the row pins a record that is in limbo. A lease of one that is in the ring
 * keeps nothing from the producer. */
static bool
pins_any_retired (const Ring *ring, ConsumerRow *row)
{
  for (uint32_t i = 0; i < ring->n_limbo; i++) {
    uint32_t record = ring->limbo[i];
    if (load_acquire (&row->pins[record >> 6]) >> (record & 63) & 1)
      return true;
  }
  return false;
}

/* Whether the row keeps something that the producer waits for: the oldest
 * record or, if slots are short, any record. A row that has read everything and
 * holds nothing but what is readable anyway does not block. */
static bool
is_in_the_way (const Ring *ring, ConsumerRow *row, uint64_t needed,
    bool starved)
{
  if (needed <= ring->tail && needed < ring->shown_head)
    return true;
  return starved && (needed < ring->shown_head || pins_any_retired (ring, row));
}

/* Overdue, and not because it stood still. */
static bool
is_wobbling (const Blocker *blocker, int64_t timeout)
{
  return blocker->slept_ns < timeout
      && blocker->stuck_ns / GATES_AT_ONE_TAIL >= timeout;
}

/* Adds @slept_ns to the account of a row that is in the way. Returns whether it
 * was there for too long. */
static bool
is_overdue (const Ring *ring, Blocker *blocker, uint64_t gate, int64_t slept_ns,
    int64_t timeout)
{
  if (blocker->gate != gate) {
    blocker->gate = gate;
    blocker->slept_ns = 0;
  }
  if (blocker->tail != ring->tail) {
    blocker->tail = ring->tail;
    blocker->stuck_ns = 0;
  }
  blocker->slept_ns += slept_ns;
  blocker->stuck_ns += slept_ns;
  return timeout >= 0
      && (blocker->slept_ns >= timeout || is_wobbling (blocker, timeout));
}

static void
distrust (Ring *ring, uint32_t i)
{
  store_relaxed (&ring->distrusted_claims[i],
      load_seq (&block_row (ring->block, i)->claim));
  or_seq (&ring->distrusted[i >> 6], UINT64_C (1) << (i & 63));
  error_log_note_row (ring->errors, DATAHUB_ERROR_CORRUPT, ring->block, i,
      "moves its gate back and forth");
}

/* Adds @slept_ns to the account of every row that blocks at the same gate as
 * before, and evicts those over block-timeout, @timeout_ns (L5). Only time that
 * this producer slept counts, at most a slice per call: a producer that was
 * itself stopped evicts no consumer when it continues. The compare-and-swap fails
 * if the row moved on or has another owner (the gate contains the incarnation).
 * Models: tests/model/gate.pml. */
void
ring_charge_blockers (Ring *ring, int64_t timeout_ns, int64_t slept_ns,
    bool starved)
{
  const Block *block = ring->block;
  uint32_t rows = block_rows_in_use (block);
  if (slept_ns > ROOM_SLICE_NS)
    slept_ns = ROOM_SLICE_NS;
  for (uint32_t i = 0; i < rows; i++) {
    ConsumerRow *row = block_row (block, i);
    Blocker *blocker = &ring->blockers[i];
    uint64_t gate = load_seq (&row->gate);
    uint64_t needed = GATE_SEQUENCE (gate);
    if (needed >= GATE_EVICTED || ring_is_distrusted (ring, i)
        || !is_in_the_way (ring, row, needed, starved)) {
      *blocker = (Blocker){ 0 };
      continue;
    }
    if (!is_overdue (ring, blocker, gate, slept_ns, timeout_ns))
      continue;
    if (is_wobbling (blocker, timeout_ns))
      distrust (ring, i);
    if (swap_u64_seq (&row->gate, gate,
            GATE_WORD (gate >> SEQUENCE_BITS, GATE_EVICTED))) {
      STEP (EVICT_SWAPPED);
      add_relaxed (&block->header->evictions, 1);
      STEP (EVICT_COUNTED);
      add_seq (&block->wake->attention, 1);
      os_futex_wake (&block->wake->attention);
      STEP (EVICT_TOLD);
      error_log_note_row (ring->errors, DATAHUB_EVICTED, block, i,
          "was evicted after block-timeout");
    }
    *blocker = (Blocker){ 0 };
  }
}

/* Clears the account of @row: its next owner is not charged for the last one. */
void
ring_clear_account (Ring *ring, uint32_t row)
{
  ring->blockers[row] = (Blocker){ 0 };
  and_seq (&ring->distrusted[row >> 6], ~(UINT64_C (1) << (row & 63)));
}
