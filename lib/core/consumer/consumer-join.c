/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joining a stream: the start position of a consumer, and its gate.
 * Tests: core-join, core-rejoin, core-lapped */
#include "consumer-private.h"
#include "core/base/result-private.h"

/* A producer at full speed may lap a joiner while it joins. */
#define JOIN_TRIES 20
/* A correct producer claims past a gate only between this consumer's check and
 * its store. If a producer claims past an established gate, it cannot be
 * joined. */
#define GATE_TRIES 1000

/* What was flushed before a consumer came is not for it. A reliable one that was
 * evicted goes on where it was. */
static uint64_t
skip_flushed (const DatahubConsumer *consumer, uint64_t oldest, uint64_t head)
{
  uint64_t flush = consumer->flush_mark;
  if (consumer->reliable && consumer->gaps_are_losses)
    return oldest;
  return flush > oldest && flush <= head ? flush : oldest;
}

/* Where to begin, at or after @oldest, which cannot be retired meanwhile by a
 * reliable consumer's gate. A flush that comes after its load here is followed
 * by the first read. */
static void
choose_start (DatahubConsumer *consumer, uint64_t oldest)
{
  BlockHeader *header = consumer->block.header;
  uint64_t head, last, key;
  bool has_last, has_key;
  consumer->flush_mark = load_acquire (&header->flush_seq);
  head = load_acquire (&header->head); /* not below the flush */
  last = load_acquire (&header->last_buffer_seq);
  key = load_acquire (&header->last_key_seq);
  oldest = skip_flushed (consumer, oldest, head);
  has_last = last >= oldest && last < head;
  has_key = key >= oldest && key < head;
  consumer->need_key = false;
  if (consumer->start == DATAHUB_START_OLDEST)
    consumer->cursor = oldest;
  else if (consumer->start == DATAHUB_START_LATEST || last == key)
    consumer->cursor = has_last ? last : head;
  else if (has_key)
    consumer->cursor = key;
  else {
    consumer->cursor = head;
    consumer->need_key = true;
    datahub_consumer_request (consumer, DATAHUB_REQUEST_KEYFRAME);
  }
  if (consumer->cursor < oldest)
    consumer->cursor = oldest;
  while (consumer->cursor < head
      && consumer_meets_tombstone (consumer, consumer->cursor))
    consumer->cursor++; /* it was given up before */
}

/* The oldest record that can be read, if nothing is retired meanwhile. A producer
 * that was killed while it retired left one at the tail that is gone. */
static uint64_t
oldest_kept (const DatahubConsumer *consumer)
{
  const BlockHeader *header = consumer->block.header;
  uint64_t tail = load_seq (&header->tail);
  uint64_t word = load_seq (block_ring_word (&consumer->block, tail));
  if (tail >= load_seq (&header->head)
      || (RING_SEQUENCE (word) == (tail & SEQUENCE_MASK)
          && RING_RECORD (word) != RECORD_NONE))
    return tail;
  return tail + 1;
}

/* From here on missed buffers are losses. A live consumer lapped in the
 * meantime joins later instead; one that waits for its first keyframe has not
 * started.
 */
static void
start_counting (DatahubConsumer *consumer)
{
  for (int i = 0; i < JOIN_TRIES; i++) {
    if (consumer->need_key || consumer->next_ordinal != DATAHUB_NONE)
      return;
    consumer->next_ordinal = consumer_ordinal_at (consumer, consumer->cursor);
    if (consumer->next_ordinal == DATAHUB_NONE && !consumer->reliable)
      choose_start (consumer, oldest_kept (consumer));
  }
}

/* Stores the gate (B11) and counts itself (B12). */
static void
store_gate (DatahubConsumer *consumer, uint64_t sequence)
{
  store_seq (&consumer->row->gate,
      GATE_WORD (consumer->incarnation, sequence)); /* B11 */
  STEP (B11_GATE_STORED);
  add_seq (&consumer->block.wake->joins, 1); /* B12 */
  STEP (B12_JOIN_COUNTED);
}

static DatahubResult
note_head (DatahubConsumer *consumer)
{
  consumer->join_head = load_seq (&consumer->block.header->head); /* B13 */
  STEP (B13_HEAD_LOADED);
  return DATAHUB_OK;
}

/* What a dead producer had claimed and not retired is there still, and stays: a
 * successor locks byte 0 after it was free behind our gate (B14), and scans the
 * gates before it retires anything (C4). False: there is a producer; the gate is
 * to move on to where it can be had from. */
static bool
shut_gate_of_the_dead (DatahubConsumer *consumer, uint64_t *gate)
{
  const Block *block = &consumer->block;
  if (consumer->start != DATAHUB_START_OLDEST || block_is_writer_alive (block))
    return false;
  *gate = load_seq (&block->header->tail);
  store_gate (consumer, *gate);
  return !block_is_writer_alive (block); /* B14 */
}

/* Publishes the gate (B11), counts itself (B12), then checks that the producer
 * did not claim past it meanwhile (B10). The producer claims (A1), then checks
 * whether a consumer was counted, and if so scans the gates (A2). A buffer that
 * was discarded by a producer that did not see the gate is below the head that
 * is loaded after it (B13). Models: tests/model/gate.pml. */
static DatahubResult
shut_gate (DatahubConsumer *consumer, uint64_t *gate, uint64_t *oldest,
    DatahubError *error)
{
  shared_u64 *claim = &consumer->block.header->tail_claim;
  if (shut_gate_of_the_dead (consumer, gate)) {
    *oldest = oldest_kept (consumer);
    return note_head (consumer);
  }
  for (int i = 0; i < GATE_TRIES; i++) {
    *oldest = *gate = load_seq (claim); /* B10 */
    STEP (B10_CLAIM_LOADED);
    store_gate (consumer, *gate);
    if (load_seq (claim) <= *gate)
      return note_head (consumer);
  }
  store_seq (&consumer->row->gate,
      GATE_WORD (consumer->incarnation, GATE_OPEN));
  return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
      "The DataBlock \"%s\" is damaged: its oldest record keeps changing.",
      consumer->block.channel);
}

/* Whether a buffer was committed at @sequence or later. */
static bool
has_buffer_from (BlockHeader *header, uint64_t sequence)
{
  uint64_t last = load_acquire (&header->last_buffer_seq);
  return last != DATAHUB_NONE && last >= sequence
      && last < load_acquire (&header->head);
}

/* Joins the stream; again: where it was, or further on. */
DatahubResult
consumer_join (DatahubConsumer *consumer, DatahubError *error)
{
  BlockHeader *header = consumer->block.header;
  ConsumerRow *row = consumer->row;
  uint64_t gate = 0, oldest, before = consumer->cursor;
  consumer->gaps_are_losses = consumer->next_ordinal != DATAHUB_NONE;
  if (!consumer->reliable)
    oldest = oldest_kept (consumer);
  else if (shut_gate (consumer, &gate, &oldest, error) != DATAHUB_OK)
    return DATAHUB_ERROR_CORRUPT;
  choose_start (consumer, oldest);
  if (consumer->cursor < before)
    consumer->cursor = before;
  consumer->joined_late =
      !consumer->gaps_are_losses && has_buffer_from (header, consumer->cursor);
  start_counting (consumer);
  if (consumer->reliable)
    swap_u64_seq (&row->gate, GATE_WORD (consumer->incarnation, gate),
        GATE_WORD (consumer->incarnation, consumer->cursor));
  STEP (JOIN_START_STORED);
  store_relaxed (&row->cursor, consumer->cursor);
  consumer->flush_pending = false;
  consumer->evicted = false;
  store_seq (&row->state, DATAHUB_CONSUMER_ACTIVE);
  STEP (JOIN_ACTIVE_STORED);
  block_attend (&consumer->block);
  STEP (JOINED);
  return DATAHUB_OK;
}

/**
 * datahub_consumer_rejoin:
 * @consumer: an evicted consumer
 * @error: (out) (optional): why it failed
 *
 * Joins again after %DATAHUB_EVICTED, at the position of `start`, but never
 * before records that it has read. The next view contains the exact number of
 * lost buffers. Leases stay valid. The reading thread.
 *
 * Returns: %DATAHUB_OK or a failure
 */
DatahubResult
datahub_consumer_rejoin (DatahubConsumer *consumer, DatahubError *error)
{
  result_begin (error);
  if (consumer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This consumer belongs to the parent process.");
  /* another incarnation: an eviction meant for the old one fails */
  consumer->incarnation++;
  store_seq (&consumer->row->incarnation, consumer->incarnation);
  STEP (REJOIN_INCARNATION_STORED);
  consumer->discont = true;
  return result_end (error, consumer_join (consumer, error));
}
