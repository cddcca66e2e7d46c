/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting of a producer: it waits only for reliable consumers. Between two sleeps
 * it cleans up after dead consumers and evicts those that block it for too long.
 * Tests: core-wait, core-flow */
#include "producer-private.h"
#include "core/base/result-private.h"

#include <string.h>

/* Rows are tested for dead owners at most this often while the producer is
 * short of room: their pins are back within 10 ms. */
#define REAP_PAUSE_NS (4 * NS_PER_MS)
/* A sleep and a wake take about as long. */
#define SPIN_NS (NS_PER_MS / 50)

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
        producer->ring.tail
            + (producer->ring.head - producer->ring.tail + 1) / 2);
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

static void
wake_service (DatahubProducer *producer)
{
  add_seq (&producer->block.wake->attention, 1);
  os_futex_wake (&producer->block.wake->attention);
}

static Attempt
try_once (DatahubProducer *producer, Call *call)
{
  Attempt attempt = ATTEMPT_DONE;
  bool tidy, wake;
  pthread_mutex_lock (&producer->lock);
  if (producer->closed)
    call->result = DATAHUB_CLOSED;
  else if (load_seq (&producer->interrupted) & call->wait)
    call->result = DATAHUB_INTERRUPTED;
  else
    attempt = call->attempt (producer, call);
  tidy = producer->pools.has_idle;
  wake = producer->pools.ahead.wake;
  producer->pools.ahead.wake = false;
  pthread_mutex_unlock (&producer->lock);
  if (tidy)
    producer_tidy (producer);
  if (wake)
    wake_service (producer);
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
  count_one (&producer->ring.counters->waits);
  ring_charge_blockers (&producer->ring, producer->options.block_timeout_ns,
      os_now () - start, starved);
  pthread_mutex_unlock (&producer->lock);
}

static DatahubResult
wait_or_drop (DatahubProducer *producer)
{
  bool waits;
  pthread_mutex_lock (&producer->lock);
  waits = producer_is_kept_waiting (producer, NULL);
  pthread_mutex_unlock (&producer->lock);
  return waits ? DATAHUB_TIMEOUT : DATAHUB_DROPPED;
}

/* Decides the next step of an attempt that needs slots or a bigger pool.
 * Returns %DATAHUB_TIMEOUT to wait, %DATAHUB_OK to try again, else the
 * result. */
static DatahubResult
relieve (DatahubProducer *producer, Call *call, Attempt attempt)
{
  if (reaper_run (&producer->reaper, REAP_PAUSE_NS))
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
    open = ring_lowest_gate (&producer->ring) > producer->ring.tail;
    pthread_mutex_unlock (&producer->lock);
    if (open)
      return true;
  } while (os_now () < until);
  return false;
}

/* Notes why a call failed that nothing can help; @attempt was its last. */
static void
note_failure (DatahubProducer *producer, DatahubResult result, Attempt attempt)
{
  const char *text = "A pool could not be added.";
  if (result < DATAHUB_ERROR_FIRST && result != DATAHUB_DROPPED)
    return;
  if (result == DATAHUB_DROPPED)
    text = attempt == ATTEMPT_EXHAUSTED
        ? "A buffer was dropped: every record is held."
        : "A buffer was dropped: every slot is held.";
  else if (result == DATAHUB_ERROR_TOO_BIG)
    text = "A payload does not fit within max-bytes.";
  else if (result == DATAHUB_ERROR_NO_SPACE)
    text = "The block cannot grow: shared memory is full.";
  error_log_note (&producer->errors, result, "%s", text);
}

/* Continues after a first attempt that did not succeed. */
static DatahubResult
run_on (DatahubProducer *producer, Call *call, Attempt attempt)
{
  int64_t end = os_end_of (call->timeout_ns);
  uint32_t room = 0, announced = 0;
  DatahubResult result;
  call->end = end;
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
  note_failure (producer, result, attempt);
  return result;
}

/* Runs @call to its end: try; clean up after dead consumers; grow; wait for
 * reliable consumers. Without a wait the clock is not read. Any thread;
 * normally the streaming thread. */
DatahubResult
producer_run (DatahubProducer *producer, Call *call)
{
  Attempt attempt;
  producer_follow_consumers (producer);
  attempt = try_once (producer, call);
  return attempt == ATTEMPT_DONE ? call->result
                                 : run_on (producer, call, attempt);
}

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
  wake_service (producer);
}
