/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lifecycle of a consumer: attach, settings, close.
 * Tests: core-lifecycle, core-late, core-hostile-peers */
#include "consumer-private.h"
#include "core/base/result-private.h"
#include "core/base/sized-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const SizedType options_type = { "DatahubConsumerOptions",
  "datahub_consumer_options_init",
  SIZE_WITH (DatahubConsumerOptions, struct_size),
  sizeof (DatahubConsumerOptions) };

void
datahub_consumer_options_init_sized (DatahubConsumerOptions *options,
    size_t struct_size)
{
  DatahubConsumerOptions defaults = { .struct_size = struct_size,
    .start = DATAHUB_START_KEYFRAME };
  sized_out (options, struct_size, &defaults, sizeof defaults);
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

static DatahubConsumer *
consumer_new (const DatahubConsumerOptions *options)
{
  DatahubConsumer *consumer = calloc (1, sizeof *consumer);
  if (!consumer)
    return NULL;
  block_reset (&consumer->block);
  pthread_mutex_init (&consumer->lock, NULL);
  pthread_mutex_init (&consumer->mail_lock, NULL);
  consumer->generation = os_generation ();
  consumer->reliable = options->reliable;
  consumer->notify = options->notify;
  consumer->asked = options->max_pinned;
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
    .watch = options->watch,
    .interrupted = &consumer->interrupted };
  DatahubResult result =
      block_open_as (block, channel, ACCESS_CONSUME, &request, error);
  uint32_t state;
  if (result != DATAHUB_OK)
    return result;
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

static DatahubResult
attach (const char *channel, const DatahubConsumerOptions *options,
    DatahubConsumer **consumer, DatahubError *error)
{
  DatahubConsumer *made = consumer_new (options);
  DatahubResult result;
  if (!made)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  result = open_block (made, channel, options, error);
  STEP (ATTACH_OPENED);
  if (result == DATAHUB_OK) {
    consumer_begin_clock (made);
    result = consumer_claim_row (made, options, error);
  }
  if (result != DATAHUB_OK) {
    consumer_free (made);
    return result;
  }
  consumer_begin_share (made);
  consumer_refresh_pools (made, NULL);
  result = consumer_join (made, error);
  if (result == DATAHUB_OK && !has_all_pools (made))
    result = result_fail (error, DATAHUB_ERROR_NOT_FOUND, 0,
        "The DataBlock \"%s\" was just closed.", channel);
  if (result == DATAHUB_OK)
    *consumer = made;
  else
    datahub_consumer_close (made);
  return result;
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
 */
DatahubResult
datahub_consumer_attach (const char *channel,
    const DatahubConsumerOptions *options, DatahubConsumer **consumer,
    DatahubError *error)
{
  DatahubConsumerOptions known;
  DatahubResult result = DATAHUB_OK;
  *consumer = NULL;
  result_begin (error);
  datahub_consumer_options_init (&known);
  if (options)
    result = sized_in (&options_type, &known, options, error);
  if (result == DATAHUB_OK)
    result = consumer_check_limits (known.limits, error);
  if (result == DATAHUB_OK)
    result = attach (channel, &known, consumer, error);
  return result_end (error, result);
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
  row_note_departure (row);
  STEP (LEAVE_NOTED);
  store_seq (&row->state, DATAHUB_CONSUMER_LEAVING);
  STEP (LEAVE_STATE_STORED);
  block_attend (&consumer->block);
  consumer_unref (consumer);
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
