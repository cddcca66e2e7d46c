/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading: find the next record, pin it, hand it out, move on.
 *
 * A consumer that is killed between any two steps leaves at most one pin bit
 * and its gate behind. The row is cleaned by the process that needs the space,
 * after the kernel has freed the lock byte.
 * Tests: core-flow, core-priority, core-expiry, core-lapped */
#include "consumer-private.h"
#include "core/base/result-private.h"

/* A reader that is lapped in every attempt, or misled by a wrong head, checks
 * its timeout and its interrupt after this many. */
#define LOOKS_MAX 1000

/* Reads the type of the record @s and the number of buffers before it. False if
 * it is gone. If the word changes meanwhile, the record may have been
 * discarded, which happens only once. */
static bool
peek (DatahubConsumer *consumer, uint64_t s, uint32_t *type, uint64_t *ordinal)
{
  shared_u64 *at = block_ring_word (&consumer->block, s);
  for (int i = 0; i < 2; i++) {
    uint64_t word = load_acquire (at);
    uint32_t index = RING_RECORD (word);
    bool stands;
    if (RING_SEQUENCE (word) != (s & SEQUENCE_MASK)
        || index >= consumer->block.g.n_recs)
      return false;
    consumer_pin (consumer, index);
    stands = load_seq (at) == word;
    if (stands) {
      const BlockRecord *record = block_record (&consumer->block, index);
      *type = record->type;
      *ordinal = record->ordinal;
    }
    consumer_unpin (consumer, index);
    if (stands)
      return true;
  }
  return false;
}

/* Whether the buffer @s was given up. */
bool
consumer_meets_tombstone (DatahubConsumer *consumer, uint64_t s)
{
  uint64_t ordinal;
  uint32_t type;
  return peek (consumer, s, &type, &ordinal) && type == RECORD_TYPE_TOMBSTONE;
}

/* The number of buffers before sequence @s, committed or not yet; %DATAHUB_NONE
 * if the ring has moved on. */
uint64_t
consumer_ordinal_at (DatahubConsumer *consumer, uint64_t s)
{
  bool there = s < load_acquire (&consumer->block.header->head);
  uint64_t ordinal = 0;
  uint32_t type = 0;
  if (!there && s == 0)
    return 0;
  if (!peek (consumer, there ? s : s - 1, &type, &ordinal))
    return DATAHUB_NONE;
  return ordinal
      + (!there
          && (type == DATAHUB_RECORD_BUFFER || type == RECORD_TYPE_TOMBSTONE));
}

/* Moves on from sequence @from; for a reliable consumer by compare-and-swap, so
 * that an eviction is never overwritten (L4). */
static void
advance (DatahubConsumer *consumer, uint64_t from, uint64_t to)
{
  ConsumerRow *row = consumer->row;
  consumer->cursor = to;
  store_relaxed (&row->cursor, to);
  STEP (CURSOR_STORED);
  if (!consumer->reliable)
    return;
  if (!swap_u64_seq (&row->gate, GATE_WORD (consumer->incarnation, from),
          GATE_WORD (consumer->incarnation, to))) /* B5 */
    consumer->evicted = true; /* reported by the next call */
  STEP (B5_GATE_MOVED);
  if (consumer_is_room_wanted (consumer, WAITING_GATE))
    consumer_kick_gate (consumer, to);
}

/* A live consumer was lapped, or its record is out of reach: on to the newest
 * buffer; where buffers depend on others, to the newest keyframe, or the next
 * one. Never back. */
static void
resync (DatahubConsumer *consumer)
{
  BlockHeader *header = consumer->block.header;
  uint64_t s = consumer->cursor;
  uint64_t tail = load_acquire (&header->tail);
  uint64_t last = load_acquire (&header->last_buffer_seq);
  uint64_t key = load_acquire (&header->last_key_seq);
  uint64_t head = load_acquire (&header->head);
  uint64_t to = last;
  if (last == DATAHUB_NONE || last >= head)
    to = head ? head - 1 : 0;
  if (to < tail && tail < head)
    to = tail; /* the newest buffer is gone: the oldest record */
  if (key != last && key != DATAHUB_NONE && key > s && key >= tail
      && key < head)
    to = key;
  else if (last != DATAHUB_NONE && (key != last || last >= head)) {
    /* both are stored before the head that makes them true, so the newest record
     * may depend on others even where they are equal */
    consumer->need_key = true;
    if (key != last)
      datahub_consumer_request (consumer, DATAHUB_REQUEST_KEYFRAME);
  }
  consumer->cursor = to > s ? to : s + 1;
  consumer->discont = true;
  if (consumer->joined_late)
    consumer->next_ordinal = DATAHUB_NONE; /* it joins here: nothing is lost */
  store_relaxed (&consumer->row->cursor, consumer->cursor);
  STEP (RESYNCED);
}

static void
note_flush (DatahubConsumer *consumer)
{
  uint64_t flush = load_acquire (&consumer->block.header->flush_seq);
  if (flush <= consumer->flush_mark)
    return;
  consumer->flush_mark = flush;
  consumer->flush_pending = true;
  if (consumer->reliable || consumer->cursor >= flush)
    return;
  consumer->cursor = flush;
  /* flushed, not lost */
  consumer->next_ordinal = consumer_ordinal_at (consumer, flush);
  store_relaxed (&consumer->row->cursor, flush);
  STEP (FLUSH_FOLLOWED);
}

static DatahubResult
on_mismatch (DatahubConsumer *consumer, DatahubError *error)
{
  uint64_t gate;
  if (!consumer->reliable) {
    resync (consumer);
    return DATAHUB_OK;
  }
  gate = load_seq (&consumer->row->gate);
  if (GATE_SEQUENCE (gate) == GATE_EVICTED) {
    consumer->evicted = true;
    return DATAHUB_EVICTED;
  }
  return consumer_refuse (consumer, consumer->cursor,
      "it was overwritten although this consumer still needed it", error);
}

/* Whether this buffer is of no use without a keyframe before it. Some streams
 * consist of delta units alone, such as an MPEG transport stream of audio: where
 * the producer has committed no keyframe, none is waited for. */
static bool
depends_on_key (const DatahubConsumer *consumer, const DatahubView *view)
{
  return !flags_begin (view->flags)
      && load_acquire (&consumer->block.header->last_key_seq) != DATAHUB_NONE;
}

/* Whether this record is passed over in silence: until the first keyframe. */
static bool
is_waiting_for_key (DatahubConsumer *consumer, const DatahubView *view)
{
  if (!consumer->need_key || view->type != DATAHUB_RECORD_BUFFER)
    return false;
  if (depends_on_key (consumer, view))
    return true;
  consumer->need_key = false;
  return false;
}

/* Buffers between the record before and the one of @ordinal were lost. */
static void
note_lost_until (DatahubConsumer *consumer, uint64_t ordinal)
{
  if (consumer->next_ordinal != DATAHUB_NONE
      && ordinal > consumer->next_ordinal) {
    uint64_t lost = ordinal - consumer->next_ordinal;
    consumer->pending_lost += lost;
    add_relaxed (&consumer->n_lost, lost);
  }
}

static void
note_gap (DatahubConsumer *consumer, const DatahubView *view)
{
  if (consumer->need_key && consumer->next_ordinal == DATAHUB_NONE)
    return; /* an event before the first keyframe: nothing has begun */
  note_lost_until (consumer, view->ordinal);
  consumer->next_ordinal =
      view->ordinal + (view->type == DATAHUB_RECORD_BUFFER);
}

static void
publish_counts (DatahubConsumer *consumer)
{
  ConsumerRow *row = consumer->row;
  store_relaxed (&row->received, load_relaxed (&consumer->n_received));
  store_relaxed (&row->lost, load_relaxed (&consumer->n_lost));
  store_relaxed (&row->expired, load_relaxed (&consumer->n_expired));
  STEP (RECORD_ACCOUNTED);
}

/* One in this many buffers that were not waited for. */
#define LATENCY_SAMPLE 64

static void
count_received (DatahubConsumer *consumer, const DatahubView *view)
{
  /* only this thread adds to it */
  uint64_t received = load_relaxed (&consumer->n_received) + 1;
  store_relaxed (&consumer->n_received, received);
  if (consumer->slept || received % LATENCY_SAMPLE == 0)
    consumer_note_latency (consumer, view);
  consumer->slept = false;
  consumer->waiting_since = 0;
}

static bool
is_too_old (DatahubConsumer *consumer, const DatahubView *view)
{
  uint64_t max_age = load_relaxed (&consumer->max_age_ns), now;
  if (max_age == 0)
    return false;
  now = (uint64_t) os_now ();
  return view->commit_ns < now && now - view->commit_ns > max_age;
}

/* Whether the buffer is passed over for its age: it is too old, or depends on
 * one that was. Where only the latter is why, a keyframe is asked for, once. */
static bool
is_expired (DatahubConsumer *consumer, const DatahubView *view)
{
  if (view->type != DATAHUB_RECORD_BUFFER)
    return false;
  if (!depends_on_key (consumer, view))
    consumer->expiring = consumer->expiring_told = false;
  if (is_too_old (consumer, view)) {
    consumer->expiring = true;
    return true;
  }
  if (!consumer->expiring)
    return false;
  if (!consumer->expiring_told)
    datahub_consumer_request (consumer, DATAHUB_REQUEST_KEYFRAME);
  consumer->expiring_told = true;
  return true;
}

static void
expire (DatahubConsumer *consumer, const DatahubView *view)
{
  note_gap (consumer, view);
  consumer->pending_expired++;
  add_relaxed (&consumer->n_expired, 1);
  publish_counts (consumer);
}

static void
account (DatahubConsumer *consumer, DatahubView *view)
{
  note_gap (consumer, view);
  consumer->joined_late &= view->type != DATAHUB_RECORD_BUFFER;
  view->lost = consumer->pending_lost;
  view->expired = consumer->pending_expired;
  consumer->pending_lost = consumer->pending_expired = 0;
  if (consumer->seen_incarnation != DATAHUB_NONE
      && consumer->seen_incarnation != view->incarnation)
    consumer->discont = true;
  consumer->seen_incarnation = view->incarnation;
  view->discont = consumer->discont || view->lost > 0 || view->expired > 0;
  if (consumer->flush_pending && view->sequence >= consumer->flush_mark) {
    consumer->flush_pending = false;
    view->flushed = view->discont = true;
  }
  consumer->discont = false;
  if (view->type == DATAHUB_RECORD_BUFFER)
    count_received (consumer, view);
  publish_counts (consumer);
}

/* The buffer at the cursor was given up: steps over it. For a live consumer it
 * is a loss, and delta units behind a delta unit that is gone are of no use. For
 * a reliable one it was gone before it joined, or else it was evicted. */
static DatahubResult
step_over (DatahubConsumer *consumer, uint32_t index, DatahubError *error)
{
  uint64_t s = consumer->cursor;
  const BlockRecord *record = block_record (&consumer->block, index);
  uint64_t seq = record->seq, ordinal = record->ordinal;
  uint32_t flags = record->flags;
  bool lasting = !(flags & DATAHUB_FLAG_DROPPABLE);
  DatahubResult result = DATAHUB_TIMEOUT;
  STEP (TOMBSTONE_MET);
  consumer_unpin (consumer, index);
  if ((seq & SEQUENCE_MASK) != (s & SEQUENCE_MASK))
    result = consumer_refuse (consumer, s, "it has another number", error);
  else if (!consumer->reliable && lasting && !consumer->need_key) {
    consumer->need_key = true;
    datahub_consumer_request (consumer, DATAHUB_REQUEST_KEYFRAME);
  } else if (consumer->reliable) {
    if (GATE_SEQUENCE (load_seq (&consumer->row->gate)) == GATE_EVICTED) {
      consumer->evicted = true;
      return DATAHUB_EVICTED;
    }
    if (s >= consumer->join_head)
      result = consumer_refuse (consumer, s,
          "it was discarded although this consumer still needed it", error);
    if (!consumer->gaps_are_losses && result == DATAHUB_TIMEOUT) {
      note_lost_until (consumer, ordinal);
      if (consumer->next_ordinal != DATAHUB_NONE)
        consumer->next_ordinal = ordinal + 1;
    }
  }
  consumer->discont = true;
  advance (consumer, s, s + 1);
  return result;
}

/* Delivers the record at the cursor, which is pinned, or returns the reason
 * against it. %DATAHUB_TIMEOUT: try again. */
static DatahubResult
take_pinned (DatahubConsumer *consumer, uint32_t index, DatahubView *view,
    DatahubError *error)
{
  uint64_t s = consumer->cursor, pools;
  DatahubResult result;
  if (block_record (&consumer->block, index)->type == RECORD_TYPE_TOMBSTONE)
    return step_over (consumer, index, error);
  result = consumer_describe (consumer, index, s & SEQUENCE_MASK, view, &pools,
      error);
  STEP (RECORD_DESCRIBED);
  if (result == DATAHUB_ERROR_SYSTEM && !consumer->reliable) {
    consumer_unpin (consumer, index); /* its pool is gone: lost, like a lap */
    resync (consumer);
    return DATAHUB_TIMEOUT;
  }
  if (result == DATAHUB_ERROR_SYSTEM) {
    consumer_unpin (consumer, index); /* nothing advanced (P3) */
    return result;
  }
  if (result == DATAHUB_OK && is_waiting_for_key (consumer, view)) {
    consumer_unpin (consumer, index);
    advance (consumer, s, s + 1);
    return DATAHUB_TIMEOUT;
  }
  if (result == DATAHUB_OK && is_expired (consumer, view)) {
    consumer_unpin (consumer, index);
    expire (consumer, view);
    advance (consumer, s, s + 1);
    return DATAHUB_TIMEOUT;
  }
  if (result == DATAHUB_OK)
    consumer_lend (consumer, view, pools);
  advance (consumer, s, s + 1);
  if (result == DATAHUB_ERROR_CHECKSUM) {
    add_relaxed (&consumer->n_damaged, 1);
    consumer->discont = true;
  }
  if (result != DATAHUB_OK) {
    consumer_unpin (consumer, index);
    return result;
  }
  account (consumer, view);
  return DATAHUB_OK;
}

/* Also if all records were read: a consumer that held slots for too long gets
 * this result before the next record. */
static bool
is_evicted (DatahubConsumer *consumer)
{
  if (consumer->reliable
      && GATE_SEQUENCE (load_seq (&consumer->row->gate)) == GATE_EVICTED)
    consumer->evicted = true;
  return consumer->evicted;
}

static DatahubResult
nothing_new (DatahubConsumer *consumer, uint32_t state)
{
  if (is_evicted (consumer))
    return DATAHUB_EVICTED;
  return state == DATAHUB_STATE_CLOSED ? DATAHUB_CLOSED : DATAHUB_TIMEOUT;
}

/* One attempt to read; %DATAHUB_TIMEOUT if there is no record. The end is only
 * concluded from values that were loaded before a head that still shows no
 * record (G2). */
static DatahubResult
try_read (DatahubConsumer *consumer, DatahubView *view, DatahubError *error)
{
  BlockHeader *header = consumer->block.header;
  for (int pass = 0; pass < LOOKS_MAX; pass++) {
    uint32_t state = load_seq (&header->state);
    uint64_t head, s, word, again;
    uint32_t index;
    DatahubResult result;
    if (consumer->evicted)
      return DATAHUB_EVICTED;
    note_flush (consumer);
    head = load_acquire (&header->head); /* B1 */
    STEP (B1_HEAD_LOADED);
    s = consumer->cursor;
    if (s >= head)
      return nothing_new (consumer, state);
    consumer_check_clock (consumer);
    word = load_acquire (block_ring_word (&consumer->block, s)); /* B2 */
    STEP (B2_WORD_LOADED);
    index = RING_RECORD (word);
    if (RING_SEQUENCE (word) != (s & SEQUENCE_MASK) || index == RECORD_NONE) {
      result = on_mismatch (consumer, error);
      if (result != DATAHUB_OK)
        return result;
      continue;
    }
    if (index >= consumer->block.g.n_recs) {
      advance (consumer, s, s + 1);
      return consumer_refuse (consumer, s, "its index is impossible", error);
    }
    consumer_pin (consumer, index);
    again = load_seq (block_ring_word (&consumer->block, s)); /* B4 */
    if (again != word) {
      consumer_unpin (consumer, index);
      if (RING_SEQUENCE (again) == RING_SEQUENCE (word)
          && RING_RECORD (again) != RECORD_NONE)
        continue; /* given up just now */
      result = on_mismatch (consumer, error);
      if (result != DATAHUB_OK)
        return result;
      continue;
    }
    STEP (B4_WORD_STANDS);
    result = take_pinned (consumer, index, view, error);
    if (result != DATAHUB_TIMEOUT)
      return result;
  }
  return DATAHUB_TIMEOUT;
}

/* The producer is dead; that was asked before this look, so an empty ring now
 * is all it left. Its death is reported once. After that only a new producer
 * can add records, or take over the name: then the block has ended. */
static DatahubResult
read_last (DatahubConsumer *consumer, DatahubView *view, DatahubError *error)
{
  bool over = consumer_block_is_over (consumer);
  DatahubResult result = try_read (consumer, view, error);
  uint64_t incarnation = consumer->asked_incarnation;
  if (result != DATAHUB_TIMEOUT)
    return result;
  if (!consumer->mourns || consumer->mourned != incarnation) {
    consumer->mourns = true;
    consumer->mourned = incarnation;
    return DATAHUB_PRODUCER_LOST;
  }
  return over ? DATAHUB_CLOSED : DATAHUB_TIMEOUT;
}

static DatahubResult
read_until (DatahubConsumer *consumer, int64_t timeout_ns, DatahubView *view,
    DatahubError *error)
{
  int64_t end = timeout_ns;
  bool timed = timeout_ns <= 0;
  for (;;) {
    DatahubResult result;
    if (load_relaxed (&consumer->block.header->pool_changes)
        != consumer->pools_seen)
      consumer_refresh_pools (consumer, NULL);
    result = try_read (consumer, view, error);
    if (result == DATAHUB_TIMEOUT && consumer_producer_is_dead (consumer))
      result = read_last (consumer, view, error);
    if (result != DATAHUB_TIMEOUT)
      return result;
    if (timeout_ns == 0)
      return DATAHUB_TIMEOUT;
    if (load_seq (&consumer->interrupted))
      return DATAHUB_INTERRUPTED;
    if (!timed)
      end = os_end_of (timeout_ns); /* without a wait the clock is not read */
    timed = true;
    if (consumer_sleep (consumer, end) == DATAHUB_TIMEOUT)
      return DATAHUB_TIMEOUT;
  }
}

static DatahubResult
enter (DatahubConsumer *consumer, DatahubError *error)
{
  if (consumer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This consumer belongs to the parent process.");
  if (exchange_seq (&consumer->busy, 1))
    return result_fail (error, DATAHUB_ERROR_BUSY, 0,
        "Another thread reads from this consumer.");
  consumer_beat (consumer);
  return DATAHUB_OK;
}

/**
 * datahub_consumer_begin_read:
 * @consumer: a consumer
 * @timeout_ns: how long to wait for a record
 * @view: (out caller-allocates): the record, leased
 * @error: (out) (optional): why it failed
 *
 * Delivers the next record in order. A live consumer that was lapped continues
 * with the newest record, and `lost` is the exact number of buffers that it
 * missed. If that happens before the first buffer of a stream that it joined, it
 * joins there, and nothing is lost. A reliable consumer misses nothing unless it is evicted. Buffers
 * older than the largest age are passed over and counted in `expired`. End the
 * lease with datahub_consumer_end_read(). One thread reads; a second one is
 * %DATAHUB_ERROR_BUSY.
 *
 * A record that does not match its checksum is %DATAHUB_ERROR_CHECKSUM, one
 * with impossible values %DATAHUB_ERROR_CORRUPT. Each is reported once and
 * skipped: the next call continues after it, and a buffer counts as lost.
 *
 * The death of the producer is %DATAHUB_PRODUCER_LOST once, when all it left
 * was read. The consumer may stay: gate, pins and leases do, and further calls
 * wait for a successor. One that adopts the block brings records with another
 * `incarnation`, the first of them marked `discont`; one that replaces it, or
 * closes it, is %DATAHUB_CLOSED. To wait for either, call again.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_TIMEOUT, %DATAHUB_INTERRUPTED,
 *   %DATAHUB_CLOSED, %DATAHUB_PRODUCER_LOST, %DATAHUB_EVICTED or a failure
 */
DatahubResult
datahub_consumer_begin_read (DatahubConsumer *consumer, int64_t timeout_ns,
    DatahubView *view, DatahubError *error)
{
  DatahubResult result;
  result_begin (error);
  result = enter (consumer, error);
  if (result != DATAHUB_OK)
    return result;
  if (timeout_ns != 0 && load_seq (&consumer->interrupted))
    result = DATAHUB_INTERRUPTED;
  else
    result = read_until (consumer, timeout_ns, view, error);
  store_release (&consumer->busy, 0);
  return result_end (error, result);
}

static bool
has_end_to_tell (DatahubConsumer *consumer)
{
  return consumer_producer_is_dead (consumer)
      && (!consumer->mourns || consumer->mourned != consumer->asked_incarnation
          || consumer_block_is_over (consumer));
}

/**
 * datahub_consumer_wait:
 * @consumer: a consumer
 * @timeout_ns: how long
 *
 * Waits until datahub_consumer_begin_read() would not wait, without reading a
 * record. The reading thread.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_TIMEOUT, %DATAHUB_INTERRUPTED,
 *   %DATAHUB_ERROR_BUSY, %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_consumer_wait (DatahubConsumer *consumer, int64_t timeout_ns)
{
  BlockHeader *header = consumer->block.header;
  int64_t end = os_end_of (timeout_ns);
  DatahubResult result = enter (consumer, NULL);
  if (result != DATAHUB_OK)
    return result;
  for (;;) {
    if (load_seq (&consumer->interrupted)) {
      result = DATAHUB_INTERRUPTED;
      break;
    }
    if (is_evicted (consumer) || load_acquire (&header->head) > consumer->cursor
        || load_seq (&header->state) == DATAHUB_STATE_CLOSED
        || has_end_to_tell (consumer))
      break;
    result = consumer_sleep (consumer, end);
    if (result == DATAHUB_TIMEOUT)
      break;
  }
  /* the next read asks the kernel again before it concludes anything */
  consumer->last_alive_check = 0;
  store_release (&consumer->busy, 0);
  return result;
}
