/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the extra parts of the rows: events of consumers, and the caps that they
 * can read. Other processes wrote them. Each is copied once and checked, and is
 * valid only if its word is the same before and after the copy.
 *
 * A producer that is killed before E3 leaves the event to its successor; it had
 * acted on nothing. After E3 the event is gone with it. So each event is returned
 * at most once. Models: tests/model/mailbox.pml.
 * Tests: core-mailbox, core-caps-limits, core-hostile-mail */
#include "producer-private.h"
#include "core/base/result-private.h"

#include <string.h>

static void
get_bytes (shared_u64 *words, uint8_t *bytes, uint64_t size)
{
  for (uint64_t at = 0; at < size; at += 8) {
    uint64_t word = load_acquire (&words[at / 8]);
    memcpy (bytes + at, &word, size - at < 8 ? size - at : 8);
    STEP (MAIL_WORD_COPIED);
  }
}

static DatahubResult
check_parent (const DatahubProducer *producer, DatahubError *error)
{
  if (producer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This producer belongs to the parent process.");
  return DATAHUB_OK;
}

/* Whether row @i has an owner that has joined, and @word is its own. @id becomes
 * its id. The next owner of the row stores state FREE, incarnation, claim, state
 * ACTIVE, in this order. So if the incarnation, loaded first, is the next owner's,
 * one of the other two shows it. */
static bool
is_owners (DatahubProducer *producer, uint32_t i, uint64_t word, uint64_t *id)
{
  const Block *block = &producer->block;
  const ConsumerRow *row = block_row (block, i);
  producer->backing.funcs->update_claims (&producer->reaper);
  *id = load_seq (&row->incarnation) << 8 | i;
  return load_seq (&row->state) == DATAHUB_CONSUMER_ACTIVE
      && MAIL_CLAIM (word) == (block_row_claim (block, i) & 0xffff)
      && block_row_is_alive (block, block->lck, i);
}

/* ---- events ---- */

/* False: the row was given to another consumer meanwhile. */
static bool
empty_mailbox (RowExtra *extra, uint64_t word)
{
  bool emptied = swap_u64_seq (&extra->event, word,
      MAIL_WORD (MAIL_CLAIM (word), MAIL_COUNT (word), 0)); /* E3 */
  STEP (EVENT_TAKEN);
  return emptied;
}

/* TIMEOUT: row @i has no event. */
static DatahubResult
take_from_row (DatahubProducer *producer, uint32_t i, uint64_t *consumer_id,
    void *bytes, uint64_t *size, DatahubError *error)
{
  RowExtra *extra = block_row_extra (&producer->block, i);
  uint64_t word = load_acquire (&extra->event), room = *size;
  if (MAIL_SIZE (word) == 0)
    return DATAHUB_TIMEOUT;
  if (!is_owners (producer, i, word, consumer_id))
    return DATAHUB_TIMEOUT;
  if (MAIL_SIZE (word) > DATAHUB_UPSTREAM_EVENT_MAX) {
    empty_mailbox (extra, word);
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The consumer of row %u posted an event of %u bytes: at most %u fit.",
        i, (uint32_t) MAIL_SIZE (word), DATAHUB_UPSTREAM_EVENT_MAX);
  }
  *size = MAIL_SIZE (word);
  if (*size > room)
    return result_fail (error, DATAHUB_ERROR_TOO_BIG, 0,
        "The event has %u bytes; there is room for %llu.", (uint32_t) *size,
        (unsigned long long) room);
  get_bytes (extra->event_bytes, bytes, *size); /* E5 */
  STEP (EVENT_COPIED);
  if (empty_mailbox (extra, word))
    return DATAHUB_OK;
  *size = room;
  return DATAHUB_TIMEOUT;
}

/**
 * datahub_producer_take_event:
 * @producer: a producer
 * @consumer_id: (out): `id` of the consumer, as in #DatahubConsumerInfo
 * @bytes: (array length=size) (out caller-allocates): the event
 * @size: (inout): the room at @bytes, then the size of the event
 * @error: (out) (optional): why it failed
 *
 * Takes one event of a live consumer that has joined. The next call begins at the
 * next consumer, so one that posts all the time holds up no other. Call it until
 * it returns %DATAHUB_TIMEOUT whenever datahub_producer_wait_attention() returns
 * %DATAHUB_OK. Does not block.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_TIMEOUT, %DATAHUB_ERROR_TOO_BIG,
 *   %DATAHUB_ERROR_CORRUPT, %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_producer_take_event (DatahubProducer *producer, uint64_t *consumer_id,
    void *bytes, uint64_t *size, DatahubError *error)
{
  DatahubResult result;
  uint32_t rows;
  *consumer_id = 0;
  result_begin (error);
  result = check_parent (producer, error);
  if (result != DATAHUB_OK)
    return result;
  if (producer->block.g.row_extra_off == 0)
    return result_end (error, DATAHUB_TIMEOUT);
  rows = block_rows_in_use (&producer->block);
  for (uint32_t k = 0; k < rows; k++) {
    uint32_t i = load_relaxed (&producer->mail_row) % rows;
    result = take_from_row (producer, i, consumer_id, bytes, size, error);
    if (result == DATAHUB_ERROR_TOO_BIG)
      return result;
    store_relaxed (&producer->mail_row, (i + 1) % rows);
    if (result != DATAHUB_TIMEOUT)
      return result_end (error, result);
  }
  return result_end (error, DATAHUB_TIMEOUT);
}

/* ---- limits ---- */

static DatahubResult
judge_limits (const Block *block, uint32_t i, char *caps, uint64_t length,
    DatahubError *error)
{
  if (memchr (caps, 0, length) == NULL)
    return DATAHUB_OK;
  caps[0] = 0;
  return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
      "The limits of the consumer in row %u of \"%s\" are not a text: they "
      "count as none.",
      i, block->channel);
}

static DatahubResult
no_limits (char *caps, DatahubError *error)
{
  caps[0] = 0;
  return result_fail (error, DATAHUB_ERROR_NOT_FOUND, 0,
      "There is no such consumer, or it has no limits.");
}

/**
 * datahub_producer_get_limits:
 * @producer: a producer
 * @consumer_id: `id` of a #DatahubConsumerInfo
 * @caps: (out caller-allocates): the caps, a text with its end
 * @size: room at @caps; %DATAHUB_LIMITS_MAX suffices
 * @error: (out) (optional): why it failed
 *
 * Copies the limits of one consumer. `limits_sequence` of its
 * #DatahubConsumerInfo shows whether they changed. While a consumer changes them
 * the result is %DATAHUB_TIMEOUT and what was read before still holds; the end of
 * the change wakes datahub_producer_wait_attention(). Without a result @caps is
 * "". Any thread; does not block.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_ERROR_NOT_FOUND, %DATAHUB_TIMEOUT,
 *   %DATAHUB_ERROR_TOO_BIG, %DATAHUB_ERROR_CORRUPT, %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_producer_get_limits (DatahubProducer *producer, uint64_t consumer_id,
    char *caps, uint64_t size, DatahubError *error)
{
  Block *block = &producer->block;
  uint32_t i = (uint32_t) (consumer_id & 0xff);
  uint64_t word, length, id;
  RowExtra *extra;
  DatahubResult result;
  result_begin (error);
  result = check_parent (producer, error);
  if (result != DATAHUB_OK)
    return result;
  if (size == 0)
    return result_fail (error, DATAHUB_ERROR_TOO_BIG, 0,
        "There is no room for limits.");
  if (i >= block_rows_in_use (block) || block->g.row_extra_off == 0)
    return no_limits (caps, error);
  extra = block_row_extra (block, i);
  word = load_acquire (&extra->limits); /* M4 */
  length = MAIL_SIZE (word);
  caps[0] = 0;
  if (!is_owners (producer, i, word, &id) || id != consumer_id)
    return no_limits (caps, error);
  if (MAIL_COUNT (word) & 1)
    return result_end (error, DATAHUB_TIMEOUT);
  if (length == 0 || length >= DATAHUB_LIMITS_MAX)
    return no_limits (caps, error);
  if (length >= size)
    return result_fail (error, DATAHUB_ERROR_TOO_BIG, 0,
        "The limits have %llu characters; there is room for %llu.",
        (unsigned long long) length, (unsigned long long) size - 1);
  get_bytes (extra->limits_bytes, (uint8_t *) caps, length); /* M5 */
  caps[length] = 0;
  if (load_acquire (&extra->limits) != word) { /* M6 */
    caps[0] = 0;
    return result_end (error, DATAHUB_TIMEOUT);
  }
  return result_end (error, judge_limits (block, i, caps, length, error));
}
