/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting of a producer: it waits only for reliable consumers, evicts those
 * that block it for too long, and cleans up after dead ones.
 * Tests: core-wait, core-flow, core-distrust */
#include "producer-private.h"
#include "core/base/result-private.h"

#include <string.h>

/* Rows are tested for dead owners at most this often while the producer is
 * short of room: their pins are back within 10 ms. */
#define REAP_PAUSE_NS (4 * NS_PER_MS)
/* A sleep and a wake take about as long. */
#define SPIN_NS (NS_PER_MS / 50)
/* While the ring does not move, a correct row can block at three gates: at each
 * of the records that are kept (RING_MIN_KEPT), and after them with a pin. A
 * word that moves forward and back makes no progress. */
#define GATES_AT_ONE_TAIL 4

static bool
reap_row (DatahubProducer *producer, uint32_t i)
{
  if (producer->block.g.strict)
    return strict_reap_row (producer, i);
  if (row_is_neutral (&producer->block, i))
    return false;
  if (os_lock_try (producer->reap_fd, LOCK_BYTE_ROW + i) != OS_LOCK_TAKEN)
    return false; /* alive, or another cleans it */
  STEP (REAP_LOCKED);
  row_clean (&producer->block, i);
  STEP (REAP_CLEANED);
  os_lock_drop (producer->reap_fd, LOCK_BYTE_ROW + i);
  STEP (REAP_UNLOCKED);
  return true;
}

/* Cleans the rows of dead consumers, unless that was done within
 * @not_within_ns. The kernel's lock is the evidence, nothing is reclaimed by a
 * timeout. Idempotent; killed half-way, the next one does it again. Returns how
 * many were cleaned. */
uint32_t
producer_reap (DatahubProducer *producer, int64_t not_within_ns)
{
  uint32_t reaped = 0, rows = block_rows_in_use (&producer->block);
  int64_t now = os_now ();
  pthread_mutex_lock (&producer->reap_lock);
  if (now - producer->last_reap >= not_within_ns) {
    producer->last_reap = now;
    for (uint32_t i = 0; i < rows; i++)
      reaped += reap_row (producer, i);
  }
  pthread_mutex_unlock (&producer->reap_lock);
  if (reaped) {
    if (!producer->block.g.strict) /* counted row by row */
      add_relaxed (&producer->block.header->reaped, reaped);
    block_attend (&producer->block);
  }
  return reaped;
}

/* Whether the row keeps something that the producer waits for: the oldest
 * record or, if slots are short, any record. A row that has read everything and
 * holds nothing does not block. */
static bool
is_in_the_way (const DatahubProducer *producer, ConsumerRow *row,
    uint64_t needed, bool starved)
{
  if (needed <= producer->tail && needed < producer->shown_head)
    return true;
  return starved
      && (needed < producer->shown_head
          || row_holds_pins (&producer->block, row));
}

/* Overdue, and not because it stood still. */
static bool
is_wobbling (const DatahubProducer *producer, const Blocker *blocker)
{
  int64_t timeout = producer->options.block_timeout_ns;
  return blocker->slept_ns < timeout
      && blocker->stuck_ns / GATES_AT_ONE_TAIL >= timeout;
}

/* Adds @slept_ns to the account of a row that is in the way. Returns whether it
 * was there for too long. */
static bool
is_overdue (const DatahubProducer *producer, Blocker *blocker, uint64_t gate,
    int64_t slept_ns)
{
  int64_t timeout = producer->options.block_timeout_ns;
  if (blocker->gate != gate) {
    blocker->gate = gate;
    blocker->slept_ns = 0;
  }
  if (blocker->tail != producer->tail) {
    blocker->tail = producer->tail;
    blocker->stuck_ns = 0;
  }
  blocker->slept_ns += slept_ns;
  blocker->stuck_ns += slept_ns;
  return timeout >= 0
      && (blocker->slept_ns >= timeout || is_wobbling (producer, blocker));
}

static void
distrust (DatahubProducer *producer, uint32_t i)
{
  store_relaxed (&producer->distrusted_claims[i],
      load_seq (&block_row (&producer->block, i)->claim));
  or_seq (&producer->distrusted[i >> 6], UINT64_C (1) << (i & 63));
}

/* Adds @slept_ns to the account of every row that blocks at the same gate as
 * before, and evicts those over block-timeout (L5). Only time that this
 * producer slept counts, at most a slice per call: a producer that was itself
 * stopped evicts no consumer when it continues. The compare-and-swap fails if
 * the row moved on or has another owner (the gate contains the incarnation).
 * Models: tests/model/gate.pml. */
static void
charge_blockers (DatahubProducer *producer, int64_t slept_ns, bool starved)
{
  const Block *block = &producer->block;
  uint32_t rows = block_rows_in_use (block);
  if (slept_ns > ROOM_SLICE_NS)
    slept_ns = ROOM_SLICE_NS;
  for (uint32_t i = 0; i < rows; i++) {
    ConsumerRow *row = block_row (block, i);
    Blocker *blocker = &producer->blockers[i];
    uint64_t gate = load_seq (&row->gate);
    uint64_t needed = GATE_SEQUENCE (gate);
    if (needed >= GATE_EVICTED || ring_is_distrusted (producer, i)
        || !is_in_the_way (producer, row, needed, starved)) {
      *blocker = (Blocker){ 0 };
      continue;
    }
    if (!is_overdue (producer, blocker, gate, slept_ns))
      continue;
    if (is_wobbling (producer, blocker))
      distrust (producer, i);
    if (swap_u64_seq (&row->gate, gate,
            GATE_WORD (gate >> SEQUENCE_BITS, GATE_EVICTED))) {
      STEP (EVICT_SWAPPED);
      producer->n_evictions++;
      add_relaxed (&block->header->evictions, 1);
      STEP (EVICT_COUNTED);
      add_seq (&block->wake->attention, 1);
      os_futex_wake (&block->wake->attention);
      STEP (EVICT_TOLD);
    }
    *blocker = (Blocker){ 0 };
  }
}

/* Announces the sleep before the last retry of everything (W5): a consumer that
 * frees something after that retry sees the bits and bumps `room`. Models:
 * tests/model/room.pml.
 *
 * A producer that waits for gates is woken when half of the ring is free, and
 * not for every record read, which would cost two context switches per buffer.
 * The slice of the sleep limits the delay. */
static void
announce (DatahubProducer *producer, uint32_t bits, bool waiting)
{
  BlockHeader *header = producer->block.header;
  pthread_mutex_lock (&producer->lock);
  for (uint32_t i = 0; i < N_WAITING_BITS; i++)
    if (bits >> i & 1)
      producer->n_waiting[i] += waiting ? 1 : UINT32_MAX;
  if (waiting) {
    store_seq (&header->room_wanted,
        producer->tail + (producer->head - producer->tail + 1) / 2);
    STEP (W5_WANTED_STORED);
  }
  store_seq (&header->producer_waiting,
      (producer->n_waiting[0] ? WAITING_GATE : 0)
          | (producer->n_waiting[1] ? WAITING_SLOT : 0));
  STEP (W5_BITS_STORED);
  pthread_mutex_unlock (&producer->lock);
}

static bool
is_gated (Attempt attempt)
{
  return attempt == ATTEMPT_WAIT || attempt == ATTEMPT_WAIT_ANY;
}

static uint32_t
waiting_bits (Attempt attempt)
{
  return attempt == ATTEMPT_WAIT ? WAITING_GATE : WAITING_GATE | WAITING_SLOT;
}

static Attempt
try_once (DatahubProducer *producer, Call *call)
{
  Attempt attempt = ATTEMPT_DONE;
  bool tidy;
  pthread_mutex_lock (&producer->lock);
  if (producer->closed)
    call->result = DATAHUB_CLOSED;
  else if (load_seq (&producer->interrupted) & call->wait)
    call->result = DATAHUB_INTERRUPTED;
  else
    attempt = call->attempt (producer, call);
  tidy = producer->has_idle_pools;
  pthread_mutex_unlock (&producer->lock);
  if (tidy)
    producer_tidy (producer);
  return attempt;
}

/* Sleeps until room changes, the slice or the time is up. */
static void
sleep_for_room (DatahubProducer *producer, uint32_t room, int64_t end,
    bool starved)
{
  int64_t start = os_now (), slice = ROOM_SLICE_NS;
  if (end >= 0 && end - start < slice)
    slice = end > start ? end - start : 0;
  os_futex_wait (&producer->block.wake->room, room, NULL, 0, slice);
  STEP (W5_SLEPT);
  producer_beat (producer);
  pthread_mutex_lock (&producer->lock);
  producer->n_waits++;
  charge_blockers (producer, os_now () - start, starved);
  pthread_mutex_unlock (&producer->lock);
}

static DatahubResult
wait_or_drop (DatahubProducer *producer)
{
  bool gated;
  pthread_mutex_lock (&producer->lock);
  gated = ring_is_gated (producer);
  pthread_mutex_unlock (&producer->lock);
  return gated ? DATAHUB_TIMEOUT : DATAHUB_DROPPED;
}

/* Decides the next step of an attempt that needs slots or a bigger pool.
 * Returns %DATAHUB_TIMEOUT to wait, %DATAHUB_OK to try again, else the
 * result. */
static DatahubResult
relieve (DatahubProducer *producer, Call *call, Attempt attempt)
{
  if (producer_reap (producer, REAP_PAUSE_NS))
    return DATAHUB_OK;
  if (is_gated (attempt))
    return DATAHUB_TIMEOUT;
  if (attempt == ATTEMPT_EXHAUSTED)
    return wait_or_drop (producer);
  return producer_grow (producer, call);
}

/* Looks for a little while whether a gate opens by itself: reliable consumers
 * that keep up are only microseconds behind, a sleep and a wake take longer.
 * Where there is one processor they cannot move meanwhile. */
static bool
spin_for_gates (DatahubProducer *producer)
{
  int64_t until;
  if (!os_may_spin ())
    return false;
  until = os_now () + SPIN_NS;
  do {
    bool open;
    for (int i = 0; i < 32; i++)
      spin_pause ();
    pthread_mutex_lock (&producer->lock);
    open = ring_lowest_gate (producer) > producer->tail;
    pthread_mutex_unlock (&producer->lock);
    if (open)
      return true;
  } while (os_now () < until);
  return false;
}

/* Continues after a first attempt that did not succeed. */
static DatahubResult
run_on (DatahubProducer *producer, Call *call, Attempt attempt)
{
  int64_t end = call->timeout_ns >= 0 ? os_end_of (call->timeout_ns) : -1;
  uint32_t room = 0, announced = 0;
  DatahubResult result;
  for (;; attempt = try_once (producer, call)) {
    result = call->result;
    if (attempt == ATTEMPT_DONE)
      break;
    result = relieve (producer, call, attempt);
    if (result == DATAHUB_OK)
      continue;
    if (result != DATAHUB_TIMEOUT || (end >= 0 && os_now () >= end))
      break;
    if (!announced && is_gated (attempt) && spin_for_gates (producer))
      continue;
    if (announced == waiting_bits (attempt))
      sleep_for_room (producer, room, end, !is_gated (attempt));
    announce (producer, announced, false);
    announced = waiting_bits (attempt);
    announce (producer, announced, true);
    room = load_seq (&producer->block.wake->room);
    STEP (W5_ROOM_LOADED);
  }
  if (announced)
    announce (producer, announced, false);
  return result;
}

/* Runs @call to its end: try; clean up after dead consumers; grow; wait for
 * reliable consumers. Without a wait the clock is not read. Any thread;
 * normally the streaming thread. */
DatahubResult
producer_run (DatahubProducer *producer, Call *call)
{
  Attempt attempt = try_once (producer, call);
  return attempt == ATTEMPT_DONE ? call->result
                                 : run_on (producer, call, attempt);
}

/**
 * datahub_producer_set_interrupted:
 * @producer: a producer
 * @waits: #DatahubWait bits
 * @interrupted: whether those waits end at once, now and until further notice
 *
 * A state, not an edge: calls of those kinds that would wait return
 * %DATAHUB_INTERRUPTED until it is taken back. Any thread; does not block.
 */
void
datahub_producer_set_interrupted (DatahubProducer *producer, uint32_t waits,
    bool interrupted)
{
  WakePage *wake = producer->block.wake;
  if (producer->generation != os_generation ())
    return;
  if (interrupted)
    or_seq (&producer->interrupted, waits);
  else
    and_seq (&producer->interrupted, ~waits);
  STEP (INTERRUPT_STORED);
  add_seq (&wake->room, 1);
  STEP (INTERRUPT_ROOM_BUMPED);
  os_futex_wake (&wake->room);
  add_seq (&wake->attention, 1);
  os_futex_wake (&wake->attention);
}
