/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a consumer waits for data.
 * Tests: core-wait, core-limits */
#include "consumer-private.h"

/* A sleep is short when it took less than so many spins; most of a short one is
 * the wake. */
#define NEAR_SPINS 10

/**
 * datahub_consumer_beat:
 * @consumer: a consumer
 *
 * A sign of life from a program that does not read for a while, because it is
 * paused or busy: calls that read or wait give one by themselves. Without any for
 * %DATAHUB_STALLED_NS tools show the consumer as stalled, and that is all: it
 * loses nothing. Any thread; does not block.
 */
void
datahub_consumer_beat (DatahubConsumer *consumer)
{
  if (consumer->generation == os_generation ())
    consumer_beat (consumer);
}

/* Wakes a producer that sleeps for room. */
void
consumer_bump_room (DatahubConsumer *consumer)
{
  WakePage *wake = consumer->block.wake;
  add_seq (&wake->room, 1);
  STEP (KICK_ROOM_BUMPED);
  os_futex_wake (&wake->room);
}

void
consumer_kick (DatahubConsumer *consumer)
{
  if (consumer_is_room_wanted (consumer, WAITING_SLOT))
    consumer_bump_room (consumer);
}

/* A producer waits for gates, and this one moved to @to: it is woken once, when
 * there is room worth a context switch, or when this consumer has read everything
 * and will sleep itself. Gates move by one, and the producer
 * sleeps only after it found this one below what it announced, so none passes
 * it unseen. */
void
consumer_kick_gate (DatahubConsumer *consumer, uint64_t to)
{
  const BlockHeader *header = consumer->block.header;
  if (to == load_seq (&header->room_wanted)
      || to >= load_acquire (&header->head))
    consumer_bump_room (consumer);
}

/* Whether the block is over. The entry is the first name that is removed. While
 * it refers to this block, a producer can still adopt it. */
bool
consumer_block_is_over (const DatahubConsumer *consumer)
{
  const Block *block = &consumer->block;
  FileName entry = name_entry (block->user, block->channel);
  return load_seq (&block->header->state) == DATAHUB_STATE_CLOSED
      || !os_same_file (block->lck, block->dir, entry.text);
}

/* Whether the producer is dead. Asks the kernel at most once a slice: idle is
 * not dead, and a live stream never asks. */
bool
consumer_producer_is_dead (DatahubConsumer *consumer)
{
  int64_t now = os_now ();
  if (consumer->last_alive_check
      && now - consumer->last_alive_check < SLEEP_SLICE_NS * 9 / 10)
    return false;
  consumer->last_alive_check = now;
  /* before the check, so that a new successor is not taken for the dead
   * producer */
  consumer->asked_incarnation = load_seq (&consumer->block.header->incarnation);
  return !block_is_writer_alive (&consumer->block);
}

static bool
has_news (const DatahubConsumer *consumer)
{
  const BlockHeader *header = consumer->block.header;
  return load_seq (&header->head) > consumer->cursor
      || load_seq (&header->state) == DATAHUB_STATE_CLOSED
      || load_seq (&consumer->interrupted);
}

static bool
spin (const DatahubConsumer *consumer, int64_t end)
{
  int64_t until = os_now () + (int64_t) consumer->spin_ns;
  if (end >= 0 && until > end)
    until = end;
  do {
    for (int i = 0; i < 32; i++) {
      if (has_news (consumer))
        return true;
      spin_pause ();
    }
  } while (os_now () < until);
  return false;
}

/* Waits are like the ones before. Where those were long, as in a paced stream, a
 * spin only burns; measured at 1000 buffers a second it cost latency too. */
static bool
is_spin_worth_it (const DatahubConsumer *consumer)
{
  return consumer->last_sleep_ns < NEAR_SPINS * (int64_t) consumer->spin_ns
      && os_may_spin ();
}

/* How long this consumer sleeps before it looks whether the producer lives. The longer
 * a record is usual to take, or has taken by now, the rarer the looks: a fast stream that
 * stops is looked at after SLEEP_SLICE_NS, a slow one between two records not at all. */
static int64_t
slice_of (const DatahubConsumer *consumer, int64_t now)
{
  int64_t slice = consumer->usual_ns + consumer->usual_ns / 2;
  int64_t waited = now - consumer->waiting_since;
  if (slice < waited)
    slice = waited;
  if (slice < SLEEP_SLICE_NS)
    return SLEEP_SLICE_NS;
  return slice < IDLE_SLICE_NS ? slice : IDLE_SLICE_NS;
}

/* A sleep has ended that a look would have ended after @slice. News that only the look
 * found mean that a wake was lost, by a crash of the producer or by a hostile consumer of
 * a strict block: the looks become frequent again. */
static void
note_sleep (DatahubConsumer *consumer, int64_t start, int64_t slice)
{
  int64_t now = os_now ();
  consumer->last_sleep_ns = now - start;
  if (!has_news (consumer))
    return;
  consumer->usual_ns =
      consumer->last_sleep_ns < slice ? now - consumer->waiting_since : 0;
  consumer->waiting_since = 0;
}

/* Sleeps until a record may have arrived, at most a slice, at most until @end
 * (< 0: no end). Loads `wake` (B8), sets the waiter bit (B7), then checks a
 * last time; the producer stores head (A7), then takes the bits (A9) and steps
 * `wake` (A8) if there were any. Either the check sees the head, or the
 * producer sees the bit and the value slept on is old. The private word lets an
 * interrupt wake this thread alone; it was loaded before the flag was tested
 * (W2). Models: tests/model/wake.pml. */
DatahubResult
consumer_sleep (DatahubConsumer *consumer, int64_t end)
{
  shared_u64 *waiters =
      &consumer->block.wake->waiters[consumer->row_index >> 6];
  uint64_t bit = UINT64_C (1) << (consumer->row_index & 63);
  shared_u32 *wake = &consumer->block.header->wake;
  uint32_t flush, seen;
  int64_t start = os_now (), slice;
  if (end >= 0 && end <= start)
    return DATAHUB_TIMEOUT;
  if (consumer->waiting_since == 0)
    consumer->waiting_since = start;
  consumer_beat (consumer);
  consumer->slept = true;
  if (is_spin_worth_it (consumer) && spin (consumer, end))
    return DATAHUB_OK;
  slice = slice_of (consumer, start);
  flush = load_seq (&consumer->flush_word);
  seen = load_seq (wake); /* B8 */
  STEP (B8_WAKE_LOADED);
  or_seq (waiters, bit); /* B7 */
  STEP (B7_WAITER_SET);
  if (!has_news (consumer)) {
    add_relaxed (&consumer->n_waits, 1);
    os_futex_wait (wake, seen, &consumer->flush_word, flush,
        end < 0 || end - start > slice ? slice : end - start);
    STEP (READER_SLEPT);
    note_sleep (consumer, start, slice);
  }
  and_seq (waiters, ~bit); /* B9 */
  STEP (B9_WAITER_CLEARED);
  return DATAHUB_OK;
}

void
datahub_consumer_set_interrupted (DatahubConsumer *consumer, bool interrupted)
{
  if (consumer->generation != os_generation ())
    return;
  store_seq (&consumer->interrupted, interrupted);
  add_seq (&consumer->flush_word, 1);
  os_futex_wake (&consumer->flush_word);
}
