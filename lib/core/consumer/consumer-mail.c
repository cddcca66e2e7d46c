/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The extra part of a row carries two things to the producer: one event at a time,
 * and the caps that the consumer can read.
 *
 * The bytes are stored first, then one word with their number and the claim of the
 * consumer. A consumer that is killed before it stores the word has posted
 * nothing, and afterwards the whole event. Words of a former owner of the row have
 * another claim, so they are ignored, also if a program that does not know them
 * cleaned the row. Models: tests/model/mailbox.pml.
 * Tests: core-mailbox, core-caps-limits, core-hostile-mail */
#include "consumer-private.h"
#include "core/base/result-private.h"

#include <string.h>

/* Whole words: the bytes behind the end of the last one are 0. */
static void
put_bytes (shared_u64 *words, const void *bytes, uint64_t size)
{
  for (uint64_t at = 0; at < size; at += 8) {
    uint64_t word = 0;
    memcpy (&word, (const uint8_t *) bytes + at, size - at < 8 ? size - at : 8);
    store_release (&words[at / 8], word);
    STEP (MAIL_WORD_PUT);
  }
}

static DatahubResult
check_mail (const DatahubConsumer *consumer, DatahubError *error)
{
  if (consumer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This consumer belongs to the parent process.");
  if (!consumer->extra)
    return result_fail (error, DATAHUB_ERROR_VERSION, 0,
        "The DataBlock \"%s\" was made by a version without events and limits "
        "of consumers: upgrade the producer.",
        consumer->block.channel);
  return DATAHUB_OK;
}

/* ---- events ---- */

/* Whether the event before is still there. The producer's compare-and-swap (E3)
 * leaves another word. A process that writes to a row of another one leaves
 * another word, too; the next event replaces it. */
static bool
is_full (const DatahubConsumer *consumer)
{
  return MAIL_SIZE (consumer->event_word) > 0
      && load_seq (&consumer->extra->event) == consumer->event_word; /* E4 */
}

/* The mailbox is empty, so the producer does not read the bytes. */
static void
post (DatahubConsumer *consumer, const void *bytes, uint64_t size)
{
  put_bytes (consumer->extra->event_bytes, bytes, size); /* E1 */
  consumer->event_word =
      MAIL_WORD (consumer->claim, MAIL_COUNT (consumer->event_word) + 1, size);
  store_seq (&consumer->extra->event, consumer->event_word); /* E2 */
  STEP (EVENT_POSTED);
}

/**
 * datahub_consumer_post_event:
 * @consumer: a consumer
 * @bytes: (array length=size): the event; copied
 * @size: 1 to %DATAHUB_UPSTREAM_EVENT_MAX
 * @error: (out) (optional): why it failed
 *
 * Puts an event into the mailbox of this consumer, and wakes the service thread
 * of the producer. There is room for one: until the producer has taken it, the
 * next one is %DATAHUB_ERROR_FULL. A producer that dies after it took an event and
 * before it acted on it has lost it; one that dies before it finished taking it
 * leaves it to its successor. An event that was not taken is lost with
 * datahub_consumer_close(). Any thread; does not block.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_ERROR_FULL, %DATAHUB_ERROR_TOO_BIG,
 *   %DATAHUB_ERROR_VERSION, %DATAHUB_ERROR_INVALID, %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_consumer_post_event (DatahubConsumer *consumer, const void *bytes,
    uint64_t size, DatahubError *error)
{
  DatahubResult result;
  bool full;
  result_begin (error);
  result = check_mail (consumer, error);
  if (result != DATAHUB_OK)
    return result;
  if (size == 0)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "An event of 0 bytes cannot be posted.");
  if (size > DATAHUB_UPSTREAM_EVENT_MAX)
    return result_fail (error, DATAHUB_ERROR_TOO_BIG, 0,
        "An event of %llu bytes does not fit: at most %u do.",
        (unsigned long long) size, DATAHUB_UPSTREAM_EVENT_MAX);
  pthread_mutex_lock (&consumer->mail_lock);
  full = is_full (consumer);
  if (!full)
    post (consumer, bytes, size);
  pthread_mutex_unlock (&consumer->mail_lock);
  if (full)
    return result_fail (error, DATAHUB_ERROR_FULL, 0,
        "The producer of \"%s\" has not taken the event before.",
        consumer->block.channel);
  block_attend (&consumer->block);
  return result_end (error, DATAHUB_OK);
}

/* ---- limits ---- */

/* @length 0: none. While the count is odd, nothing is valid but what was read
 * before (M1 to M3). */
static void
change_limits (DatahubConsumer *consumer, const char *caps, uint64_t length)
{
  shared_u64 *word = &consumer->extra->limits;
  uint64_t count = consumer->limits_count;
  store_seq (word,
      MAIL_WORD (consumer->claim, count + 1, consumer->limits_size)); /* M1 */
  STEP (LIMITS_OPENED);
  put_bytes (consumer->extra->limits_bytes, caps, length); /* M2 */
  consumer->limits_count = count + 2;
  consumer->limits_size = length;
  store_seq (word, MAIL_WORD (consumer->claim, count + 2, length)); /* M3 */
  STEP (LIMITS_STORED);
}

DatahubResult
consumer_check_limits (const char *caps, DatahubError *error)
{
  size_t length = caps ? strlen (caps) : 1;
  if (length == 0)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "The limits of a consumer cannot be an empty text.");
  if (length >= DATAHUB_LIMITS_MAX)
    return result_fail (error, DATAHUB_ERROR_TOO_BIG, 0,
        "Caps of %zu characters do not fit as limits: at most %u do.", length,
        DATAHUB_LIMITS_MAX - 1);
  return DATAHUB_OK;
}

/**
 * datahub_consumer_set_limits:
 * @consumer: a consumer
 * @caps: (nullable): the caps that it can read, as text; %NULL: any
 * @error: (out) (optional): why it failed
 *
 * Stores the limits for the producer and wakes its service thread. What the
 * producer does with them is its decision. They last until they are changed or
 * the consumer leaves, also across an eviction and another producer that adopts
 * the block. `limits` of the options stores them before the producer counts the
 * consumer. Any thread; does not block.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_ERROR_TOO_BIG, %DATAHUB_ERROR_VERSION,
 *   %DATAHUB_ERROR_INVALID, %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_consumer_set_limits (DatahubConsumer *consumer, const char *caps,
    DatahubError *error)
{
  DatahubResult result;
  result_begin (error);
  result = check_mail (consumer, error);
  if (result == DATAHUB_OK)
    result = consumer_check_limits (caps, error);
  if (result != DATAHUB_OK)
    return result;
  pthread_mutex_lock (&consumer->mail_lock);
  change_limits (consumer, caps, caps ? strlen (caps) : 0);
  pthread_mutex_unlock (&consumer->mail_lock);
  block_attend (&consumer->block);
  return result_end (error, DATAHUB_OK);
}

/* ---- the row ---- */

/* Takes over the extra part of the row, which is claimed and not ACTIVE yet. */
void
consumer_occupy_extra (DatahubConsumer *consumer, const char *limits)
{
  RowExtra *extra = block_row_extra (&consumer->block, consumer->row_index);
  consumer->extra = extra;
  if (!extra)
    return;
  consumer->event_word = MAIL_WORD (consumer->claim, 0, 0);
  exchange_seq (&extra->event, consumer->event_word);
  exchange_seq (&extra->limits, MAIL_WORD (consumer->claim, 0, 0));
  STEP (ROW_MAIL_EMPTIED);
  store_relaxed (&extra->latency_sum_ns, 0);
  store_relaxed (&extra->latency_count, 0);
  store_relaxed (&extra->latency_max_ns, 0);
  store_relaxed (&extra->over_quota, load_relaxed (&consumer->n_over_quota));
  store_release (&extra->owner, consumer->claim);
  STEP (ROW_EXTRA_OWNED);
  if (limits)
    change_limits (consumer, limits, strlen (limits));
}

/* The time from the commit of @view until now. Only after a sleep, which reads the
 * clock anyway, and for one in 64 of the other buffers: a read that does not wait
 * does not read the clock. */
void
consumer_note_latency (DatahubConsumer *consumer, const DatahubView *view)
{
  RowExtra *extra = consumer->extra;
  uint64_t now, latency;
  if (!extra)
    return;
  now = (uint64_t) os_now ();
  latency = view->commit_ns < now ? now - view->commit_ns : 0;
  if (latency > consumer->latency_max_ns) {
    consumer->latency_max_ns = latency;
    store_relaxed (&extra->latency_max_ns, latency);
  }
  consumer->latency_sum_ns += latency;
  store_relaxed (&extra->latency_sum_ns, consumer->latency_sum_ns);
  store_relaxed (&extra->latency_count, ++consumer->latency_count);
  STEP (LATENCY_STORED);
}
