/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lifecycle of a consumer: attach, join, leave.
 *
 * A row is written only while its lock byte is held (L2). The kernel frees the
 * byte with the last descriptor. So a consumer that is killed at any point
 * leaves a row that other processes recognise as dead and clean.
 * Tests: core-join, core-late, core-lifecycle, core-hostile-peers */
#include "consumer-private.h"
#include "core/base/result-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A reaper or prober may hold a row's byte for an instant (D5). */
#define CLAIM_PASSES 2
/* A producer at full speed may lap a joiner while it joins. */
#define JOIN_TRIES 20
/* A correct producer claims past a gate only between this consumer's check and
 * its store. If a producer claims past an established gate, it cannot be
 * joined. */
#define GATE_TRIES 1000

/**
 * datahub_consumer_options_init:
 * @options: (out caller-allocates): set to the defaults: live, from the newest
 *   keyframe, the block's quota
 */
void
datahub_consumer_options_init (DatahubConsumerOptions *options)
{
  memset (options, 0, sizeof *options);
  options->start = DATAHUB_START_KEYFRAME;
}

static DatahubResult
check_secret (const Block *block, const uint8_t *secret, DatahubError *error)
{
  uint8_t tag[32];
  if (!secret)
    return DATAHUB_OK; /* same user: the kernel's permissions are the wall */
  secret_tag (secret, &block->uuid, tag);
  if (sodium_memcmp (tag, block->header->identity.secret_tag, sizeof tag) == 0)
    return DATAHUB_OK;
  return result_fail (error, DATAHUB_ERROR_DENIED, 0,
      "The secret does not open the DataBlock \"%s\".", block->channel);
}

static void
write_name (ConsumerRow *row, const char *name)
{
  char text[DATAHUB_CONSUMER_NAME_MAX] = { 0 };
  strncpy (text, name ? name : program_invocation_short_name, sizeof text - 1);
  for (uint32_t i = 0; i < 5; i++) {
    uint64_t word;
    memcpy (&word, text + i * 8, 8);
    store_relaxed (&row->name[i], word);
  }
}

static void
occupy_row (DatahubConsumer *consumer, const char *name)
{
  ConsumerRow *row = consumer->row;
  if (!row_is_neutral (&consumer->block, consumer->row_index))
    row_clean (&consumer->block, consumer->row_index);
  consumer->incarnation = load_relaxed (&row->incarnation) + 1;
  store_seq (&row->incarnation, consumer->incarnation);
  STEP (ROW_INCARNATION_STORED);
  store_seq (&row->claim, consumer->incarnation);
  STEP (ROW_CLAIM_STORED);
  store_seq (&row->gate, GATE_WORD (consumer->incarnation, GATE_OPEN));
  STEP (ROW_GATE_STORED);
  store_relaxed (&row->mode,
      (consumer->reliable ? MODE_RELIABLE : 0)
          | (consumer->notify ? MODE_NOTIFY : 0));
  store_relaxed (&row->pid, (uint32_t) getpid ());
  store_seq (&row->pools_seen, 0); /* the table has changed at least once */
  store_relaxed (&row->received, 0);
  store_relaxed (&row->lost, 0);
  store_relaxed (&row->expired, 0);
  store_relaxed (&row->heartbeat, (uint64_t) os_now_coarse ());
  write_name (row, name);
  STEP (ROW_FIELDS_STORED);
  store_seq (&row->state, DATAHUB_CONSUMER_CLAIMED);
  STEP (ROW_STATE_STORED);
  raise_u32_seq (&consumer->block.wake->rows_hwm, consumer->row_index + 1);
  STEP (ROWS_HWM_RAISED);
}

static DatahubResult
claim_row (DatahubConsumer *consumer, const char *name, DatahubError *error)
{
  Block *block = &consumer->block;
  if (block->access) { /* given at the server, and ours while we live */
    consumer->row_index = block->access->row;
    consumer->row = block_row (block, consumer->row_index);
    occupy_row (consumer, name);
    return DATAHUB_OK;
  }
  for (int pass = 0; pass < CLAIM_PASSES; pass++)
    for (uint32_t i = 0; i < block->g.max_rows; i++) {
      if (os_lock_try (block->lck, LOCK_BYTE_ROW + i) != OS_LOCK_TAKEN)
        continue;
      STEP (ROW_LOCKED);
      consumer->row_index = i;
      consumer->row = block_row (block, i);
      occupy_row (consumer, name);
      return DATAHUB_OK;
    }
  return result_fail (error, DATAHUB_ERROR_FULL, 0,
      "The DataBlock \"%s\" already has %u consumers; raise max-consumers of "
      "the producer.",
      block->channel, block->g.max_rows);
}

static uint64_t
granted_to_all (const DatahubConsumer *consumer)
{
  uint64_t sum = 0;
  uint32_t rows = block_rows_in_use (&consumer->block);
  for (uint32_t i = 0; i < rows; i++) {
    ConsumerRow *row = block_row (&consumer->block, i);
    uint32_t quota = load_seq (&row->quota);
    if (load_seq (&row->state) != DATAHUB_CONSUMER_FREE
        && quota <= consumer->block.g.max_quota)
      sum += quota + 1; /* one in passing */
  }
  return sum;
}

/* Leases are granted from a budget that leaves the producer its minimum (S3).
 * If two consumers join at once, both may find room; both then return the
 * excess. Above the quota buffers are copied, so a wrong grant costs speed, not
 * data. */
static void
grant_quota (DatahubConsumer *consumer, uint32_t asked)
{
  const Geometry *g = &consumer->block.g;
  uint64_t total;
  uint32_t quota = asked && asked < g->max_quota ? asked : g->max_quota;
  if (consumer->block.access) { /* the producer saw to it */
    consumer->quota = consumer->block.access->quota;
    return;
  }
  store_seq (&consumer->row->quota, quota);
  STEP (QUOTA_ASKED);
  total = granted_to_all (consumer);
  if (total > g->lease_budget) {
    uint64_t excess = total - g->lease_budget;
    quota = excess < quota ? quota - (uint32_t) excess : 0;
    store_seq (&consumer->row->quota, quota);
    STEP (QUOTA_GIVEN_BACK);
  }
  consumer->quota = quota;
}

/* Where to begin, at or after @oldest, which cannot be retired meanwhile by a
 * reliable consumer's gate. */
void
consumer_choose_start (DatahubConsumer *consumer, uint64_t oldest)
{
  BlockHeader *header = consumer->block.header;
  uint64_t head = load_acquire (&header->head);
  uint64_t last = load_acquire (&header->last_buffer_seq);
  uint64_t key = load_acquire (&header->last_key_seq);
  bool has_last = last >= oldest && last < head;
  bool has_key = key >= oldest && key < head;
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
      consumer_choose_start (consumer, oldest_kept (consumer));
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

/* Joins the stream; again: where it was, or further on. */
static DatahubResult
join (DatahubConsumer *consumer, DatahubError *error)
{
  BlockHeader *header = consumer->block.header;
  ConsumerRow *row = consumer->row;
  uint64_t gate = 0, oldest, before = consumer->cursor;
  consumer->gaps_are_losses = consumer->next_ordinal != DATAHUB_NONE;
  if (!consumer->reliable)
    oldest = oldest_kept (consumer);
  else if (shut_gate (consumer, &gate, &oldest, error) != DATAHUB_OK)
    return DATAHUB_ERROR_CORRUPT;
  consumer_choose_start (consumer, oldest);
  if (consumer->cursor < before)
    consumer->cursor = before;
  start_counting (consumer);
  if (consumer->reliable)
    swap_u64_seq (&row->gate, GATE_WORD (consumer->incarnation, gate),
        GATE_WORD (consumer->incarnation, consumer->cursor));
  STEP (JOIN_START_STORED);
  store_relaxed (&row->cursor, consumer->cursor);
  consumer->flush_mark = load_acquire (&header->flush_seq);
  consumer->flush_pending = false;
  consumer->evicted = false;
  store_seq (&row->state, DATAHUB_CONSUMER_ACTIVE);
  STEP (JOIN_ACTIVE_STORED);
  block_attend (&consumer->block);
  STEP (JOINED);
  return DATAHUB_OK;
}

static void
consumer_free (DatahubConsumer *consumer)
{
  for (uint32_t i = 0; i < consumer->n_pools; i++)
    consumer_free_pools (consumer->pools[i]);
  block_release (&consumer->block);
  pthread_mutex_destroy (&consumer->lock);
  free (consumer->held);
  free (consumer);
}

static DatahubConsumer *
consumer_new (const DatahubConsumerOptions *options)
{
  DatahubConsumer *consumer = calloc (1, sizeof *consumer);
  if (!consumer)
    return NULL;
  block_reset (&consumer->block);
  pthread_mutex_init (&consumer->lock, NULL);
  consumer->generation = os_generation ();
  consumer->reliable = options->reliable;
  consumer->notify = options->notify;
  consumer->start = options->start;
  consumer->references = 1;
  consumer->next_ordinal = DATAHUB_NONE;
  datahub_consumer_set_max_age (consumer, options->max_age_ns);
  consumer->seen_incarnation = DATAHUB_NONE;
  return consumer;
}

static DatahubResult
open_block (DatahubConsumer *consumer, const char *channel,
    const DatahubConsumerOptions *options, DatahubError *error)
{
  Block *block = &consumer->block;
  const AccessRequest request = { .secret = options->secret,
    .ticket = options->ticket,
    .max_pinned = options->max_pinned,
    .timeout_ns = options->timeout_ns,
    .watch = options->watch };
  DatahubResult result =
      block_open_as (block, channel, ACCESS_CONSUME, &request, error);
  uint32_t state;
  if (result != DATAHUB_OK)
    return result;
  if (block->access)
    block->access->interrupted = &consumer->interrupted;
  state = load_seq (&block->header->state);
  if (state == DATAHUB_STATE_CLOSED || state == DATAHUB_STATE_MOVED)
    return result_fail (error, DATAHUB_ERROR_NOT_FOUND, 0,
        "The DataBlock \"%s\" is closed.", channel);
  if (state != DATAHUB_STATE_READY && state != DATAHUB_STATE_DRAINING)
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" is damaged: its state word is %u.", channel,
        state);
  result = check_secret (block, options->secret, error);
  if (result != DATAHUB_OK)
    return result;
  consumer->held = calloc (block->g.n_recs, sizeof *consumer->held);
  if (!consumer->held)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  return DATAHUB_OK;
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

/* Whether each pool is open that a record may need. The row is ACTIVE. A producer
 * that was closed since may have counted it, and a counted consumer reads to the
 * end: such a producer keeps the files of pools that the row has not seen. A block
 * that was closed or reclaimed before the row stood may have lost the files; no
 * producer counted on the row then. Model: tests/model/close.pml. */
static bool
has_all_pools (DatahubConsumer *consumer)
{
  return !consumer_block_is_over (consumer)
      || consumer_refresh_pools (consumer, NULL);
}

/**
 * datahub_consumer_attach:
 * @channel: the name of the block
 * @options: (nullable): how to read it; copied; %NULL: the defaults
 * @consumer: (out): the consumer
 * @error: (out) (optional): why it failed
 *
 * Opens the block that currently has the name, checks all of it, takes a row and
 * chooses the start position. Works while the producer is dead: its committed
 * records can be read. Does not wait: %DATAHUB_ERROR_NOT_FOUND if there is no
 * block (see datahub_watch_new()).
 *
 * The access to a strict block is requested from its producer, which must be
 * alive and answer within `timeout_ns`; an interrupt of `watch` ends the wait. If
 * the block has a secret, the producer accepts a `ticket`, or one that is made
 * here from `secret`.
 *
 * Returns: %DATAHUB_OK or a failure; of a strict block also %DATAHUB_TIMEOUT and
 *   %DATAHUB_INTERRUPTED, with @error set
 */
DatahubResult
datahub_consumer_attach (const char *channel,
    const DatahubConsumerOptions *options, DatahubConsumer **consumer,
    DatahubError *error)
{
  DatahubConsumerOptions defaults;
  DatahubConsumer *made;
  DatahubResult result;
  *consumer = NULL;
  datahub_consumer_options_init (&defaults);
  options = options ? options : &defaults;
  made = consumer_new (options);
  if (!made)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  result = open_block (made, channel, options, error);
  STEP (ATTACH_OPENED);
  if (result == DATAHUB_OK)
    result = claim_row (made, options->name, error);
  if (result != DATAHUB_OK) {
    consumer_free (made);
    return result;
  }
  grant_quota (made, options->max_pinned);
  consumer_refresh_pools (made, NULL);
  result = join (made, error);
  if (result == DATAHUB_OK && !has_all_pools (made))
    result = result_fail (error, DATAHUB_ERROR_NOT_FOUND, 0,
        "The DataBlock \"%s\" was just closed.", channel);
  if (result != DATAHUB_OK) {
    datahub_consumer_close (made);
    return result;
  }
  *consumer = made;
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
  if (consumer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This consumer belongs to the parent process.");
  /* another incarnation: an eviction meant for the old one fails */
  consumer->incarnation++;
  store_seq (&consumer->row->incarnation, consumer->incarnation);
  STEP (REJOIN_INCARNATION_STORED);
  consumer->discont = true;
  return join (consumer, error);
}

/* The last reader of a block removes its files if the producer did not do so,
 * because it died or did not wait. */
static void
remove_if_last (DatahubConsumer *consumer)
{
  Block *block = &consumer->block;
  Uuid uuid = block->uuid;
  uint32_t user = block->user;
  int dir = block->dir;
  bool over = load_seq (&block->header->state) == DATAHUB_STATE_CLOSED
      || !block_is_writer_alive (block);
  block->dir = -1;
  consumer_free (consumer);
  STEP (LEAVE_ROW_FREE);
  if (over)
    block_reclaim_dead (dir, user, &uuid);
  close (dir);
}

/* The caller and all leases are gone: the row goes neutral, its state last,
 * then the lock byte with the descriptor. */
void
consumer_end (DatahubConsumer *consumer)
{
  row_clean (&consumer->block, consumer->row_index);
  STEP (LEAVE_ROW_CLEAN);
  block_attend (&consumer->block);
  remove_if_last (consumer);
}

void
consumer_ref (DatahubConsumer *consumer)
{
  pthread_mutex_lock (&consumer->lock);
  consumer->references++;
  pthread_mutex_unlock (&consumer->lock);
}

void
consumer_unref (DatahubConsumer *consumer)
{
  bool last;
  pthread_mutex_lock (&consumer->lock);
  consumer->references--;
  last = consumer_is_unreferenced (consumer);
  pthread_mutex_unlock (&consumer->lock);
  if (last)
    consumer_end (consumer);
}

/**
 * datahub_consumer_close:
 * @consumer: (transfer full) (nullable): a consumer
 *
 * Leaves the stream at once: the producer no longer waits for it or counts it.
 * Leases stay valid; the last datahub_consumer_end_read(), from any thread,
 * frees the rest. No thread may be in another call but hold and end_read.
 */
void
datahub_consumer_close (DatahubConsumer *consumer)
{
  ConsumerRow *row;
  uint32_t i;
  if (!consumer || consumer->generation != os_generation ())
    return;
  row = consumer->row;
  i = consumer->row_index;
  store_seq (&row->gate, GATE_WORD (consumer->incarnation, GATE_OPEN));
  STEP (LEAVE_GATE_OPEN);
  and_seq (&consumer->block.wake->waiters[i >> 6], ~(UINT64_C (1) << (i & 63)));
  STEP (LEAVE_WAITER_CLEARED);
  store_seq (&row->state, DATAHUB_CONSUMER_LEAVING);
  STEP (LEAVE_STATE_STORED);
  block_attend (&consumer->block);
  consumer_unref (consumer);
}

/**
 * datahub_consumer_request:
 * @consumer: a consumer
 * @requests: #DatahubRequest bits
 *
 * Asks the producing pipeline for something, without a broker. Any thread; does
 * not block.
 */
void
datahub_consumer_request (DatahubConsumer *consumer, uint32_t requests)
{
  if (consumer->generation != os_generation ())
    return;
  or_seq (&consumer->row->requests, requests);
  STEP (REQUEST_STORED);
  block_attend (&consumer->block);
}

/**
 * datahub_consumer_set_spin:
 * @consumer: a consumer
 * @spin_ns: how long to poll for new data before sleeping, in nanoseconds
 *
 * Trades processor time for latency. After a long sleep, ten times this or
 * more, a consumer does not spin: with a paced stream it only sleeps. 0, the
 * default, never spins. After at most 0.1 s it checks whether the producer is
 * alive. Under a real-time policy (SCHED_FIFO, SCHED_RR) it never spins. The
 * reading thread.
 */
void
datahub_consumer_set_spin (DatahubConsumer *consumer, uint64_t spin_ns)
{
  consumer->spin_ns = spin_ns < SLEEP_SLICE_NS ? spin_ns : SLEEP_SLICE_NS;
}

/**
 * datahub_consumer_set_max_age:
 * @consumer: a consumer
 * @max_age_ns: the largest age, in nanoseconds since the commit; 0 or less:
 *   none is too old
 *
 * A buffer that is older when its turn comes is passed over, and so are the
 * delta units behind it, up to the next keyframe that is fresh. They are
 * counted as `expired`, not as lost. This holds for reliable consumers, too:
 * the producer does not wait for expired buffers. Events are never too old. Any
 * thread; does not block.
 */
void
datahub_consumer_set_max_age (DatahubConsumer *consumer, int64_t max_age_ns)
{
  store_relaxed (&consumer->max_age_ns,
      max_age_ns > 0 ? (uint64_t) max_age_ns : 0);
}

/**
 * datahub_consumer_get_uuid:
 * @consumer: a consumer
 *
 * Returns: the UUID of the block, 32 hexadecimal digits; owned by @consumer
 */
const char *
datahub_consumer_get_uuid (DatahubConsumer *consumer)
{
  return consumer->block.uuid_text;
}

/**
 * datahub_consumer_get_indices:
 * @consumer: a consumer
 * @indices: (out caller-allocates): a snapshot
 *
 * See datahub_producer_get_indices(). Of a strict block a consumer sees no other
 * consumer than itself. Any thread.
 */
void
datahub_consumer_get_indices (DatahubConsumer *consumer,
    DatahubIndices *indices)
{
  memset (indices, 0, sizeof *indices);
  if (consumer->generation == os_generation ())
    block_read_indices (&consumer->block, consumer->row_index, indices);
}

/**
 * datahub_consumer_get_stats:
 * @consumer: a consumer
 * @stats: (out caller-allocates): a snapshot
 *
 * Any thread; does not block.
 */
void
datahub_consumer_get_stats (DatahubConsumer *consumer,
    DatahubConsumerStats *stats)
{
  memset (stats, 0, sizeof *stats);
  if (consumer->generation != os_generation ())
    return;
  pthread_mutex_lock (&consumer->lock);
  stats->pinned = consumer_pinned (consumer);
  for (uint32_t i = 0; i < MAPPED_MAX; i++)
    if (consumer->mapped[i])
      stats->bytes_mapped += consumer->mapped[i]->shape.size;
  pthread_mutex_unlock (&consumer->lock);
  stats->received = load_relaxed (&consumer->n_received);
  stats->lost = load_relaxed (&consumer->n_lost);
  stats->expired = load_relaxed (&consumer->n_expired);
  stats->damaged = load_relaxed (&consumer->n_damaged);
  stats->over_quota = load_relaxed (&consumer->n_over_quota);
  stats->waits = load_relaxed (&consumer->n_waits);
  stats->quota = consumer->quota;
  stats->ring_size = consumer->block.g.ring_size;
  stats->cursor = load_relaxed (&consumer->row->cursor);
  stats->head = load_acquire (&consumer->block.header->head);
}
