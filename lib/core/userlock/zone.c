/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flexible zone.
 *
 * The producer's part has four copies and a sequence: copy s mod 4 is the
 * current one at sequence s. A write fills the next copy and then increments
 * the sequence. So a producer that is killed during a write leaves the last
 * complete snapshot, and readers never wait. A read at sequence s is valid if
 * the sequence is at most s + 2 afterwards: the copy is first written again by
 * the write that makes s + 4, which begins at s + 3.
 *
 * Words are stored with release and loaded with acquire, which orders each
 * behind the sequence before it, without fences.
 * Tests: core-zone, core-hostile-fields */
#include "core/consumer/consumer-private.h"
#include "core/producer/producer-private.h"
#include "core/base/result-private.h"

#include <datahub/zone.h>

#include <string.h>

/* If the producer overtakes a reader this often, the read fails. */
#define READ_TRIES 1000

typedef struct
{
  shared_u64 *sequence;
  shared_u64 *copies[ZONE_COPIES];
  uint64_t words;
} Zone;

static Zone
find_zone (const Block *block)
{
  uint8_t *base = (uint8_t *) block->header + block->g.zone_off;
  uint64_t stride = round_up (block->g.zone_size, BLOCK_LINE);
  Zone zone = { .sequence = (shared_u64 *) base, .words = stride / 8 };
  for (uint32_t i = 0; i < ZONE_COPIES; i++)
    zone.copies[i] = (shared_u64 *) (base + BLOCK_LINE + i * stride);
  return zone;
}

static DatahubResult
check_range (const Block *block, uint64_t offset, uint64_t size,
    DatahubError *error)
{
  if (offset <= block->g.zone_size && size <= block->g.zone_size - offset)
    return DATAHUB_OK;
  return result_fail (error, DATAHUB_ERROR_INVALID, 0,
      "%llu bytes at %llu are outside of the flexible zone of %llu bytes.",
      (unsigned long long) size, (unsigned long long) offset,
      (unsigned long long) block->g.zone_size);
}

/* Replaces part of a word, keeping the rest. */
static void
put_part (shared_u64 *word, uint64_t at, const uint8_t *bytes, uint64_t n)
{
  uint64_t value = load_relaxed (word);
  memcpy ((uint8_t *) &value + at, bytes, n);
  store_release (word, value);
}

/* How many of @size bytes come before the next whole word. */
static uint64_t
bytes_to_word (uint64_t offset, uint64_t size)
{
  uint64_t n = -offset % 8;
  return n < size ? n : size;
}

static void
put_bytes (shared_u64 *words, uint64_t offset, const uint8_t *bytes,
    uint64_t size)
{
  uint64_t head = bytes_to_word (offset, size), n = (size - head) / 8;
  shared_u64 *word = &words[(offset + head) / 8];
  if (head)
    put_part (&words[offset / 8], offset % 8, bytes, head);
  bytes += head;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t value;
    memcpy (&value, bytes + i * 8, 8);
    store_release (&word[i], value);
  }
  if ((size - head) % 8)
    put_part (&word[n], 0, bytes + n * 8, (size - head) % 8);
}

/* Words of the copy in force that the next one keeps. */
static void
copy_words (const Zone *zone, uint64_t s, uint64_t from, uint64_t until)
{
  for (uint64_t i = from; i < until; i++) {
    store_release (&zone->copies[(s + 1) % ZONE_COPIES][i],
        load_relaxed (&zone->copies[s % ZONE_COPIES][i]));
    STEP (ZONE_WORD_COPIED);
  }
}

static void
get_part (shared_u64 *word, uint64_t at, uint8_t *bytes, uint64_t n)
{
  uint64_t value = load_acquire (word);
  memcpy (bytes, (uint8_t *) &value + at, n);
}

static void
get_bytes (shared_u64 *words, uint64_t offset, uint8_t *bytes, uint64_t size)
{
  uint64_t head = bytes_to_word (offset, size), n = (size - head) / 8;
  shared_u64 *word = &words[(offset + head) / 8];
  if (head)
    get_part (&words[offset / 8], offset % 8, bytes, head);
  bytes += head;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t value = load_acquire (&word[i]);
    memcpy (bytes + i * 8, &value, 8);
  }
  if ((size - head) % 8)
    get_part (&word[n], 0, bytes + n * 8, (size - head) % 8);
}

/**
 * datahub_producer_write_zone:
 * @producer: a producer made with a `zone_size`
 * @offset: where, in bytes
 * @bytes: (array length=size): the new bytes; copied
 * @size: how many
 * @error: (out) (optional): why it failed
 *
 * Changes part of the flexible zone; readers see all of the change or none.
 * Does not wait. Any thread.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_ERROR_INVALID outside of the zone,
 *   %DATAHUB_CLOSED, %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_producer_write_zone (DatahubProducer *producer, uint64_t offset,
    const void *bytes, uint64_t size, DatahubError *error)
{
  Zone zone = find_zone (&producer->block);
  DatahubResult result;
  uint64_t s;
  result_begin (error);
  if (producer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This producer belongs to the parent process.");
  result = check_range (&producer->block, offset, size, error);
  if (result != DATAHUB_OK || size == 0)
    return result;
  pthread_mutex_lock (&producer->lock);
  if (producer->closed)
    result = DATAHUB_CLOSED;
  else {
    s = load_relaxed (zone.sequence); /* ours alone to store */
    copy_words (&zone, s, 0, (offset + 7) / 8);
    copy_words (&zone, s, (offset + size) / 8, zone.words);
    put_bytes (zone.copies[(s + 1) % ZONE_COPIES], offset, bytes, size);
    STEP (ZONE_BYTES_PUT);
    store_release (zone.sequence, s + 1);
    STEP (ZONE_STEPPED);
  }
  pthread_mutex_unlock (&producer->lock);
  return result_end (error, result);
}

/**
 * datahub_consumer_read_zone:
 * @consumer: a consumer
 * @offset: where, in bytes
 * @bytes: (array length=size) (out caller-allocates): where to put them
 * @size: how many
 * @version: (out) (optional): grows by one with each write
 * @error: (out) (optional): why it failed
 *
 * Copies a coherent snapshot of part of the producer's zone: all of it from one
 * version. Never waits, not even for a producer that was killed during a write.
 * Any thread.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_ERROR_INVALID outside of the zone,
 *   %DATAHUB_TIMEOUT if the producer changed it faster than it can be copied a
 *   thousand times, %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_consumer_read_zone (DatahubConsumer *consumer, uint64_t offset,
    void *bytes, uint64_t size, uint64_t *version, DatahubError *error)
{
  Zone zone = find_zone (&consumer->block);
  DatahubResult result;
  result_begin (error);
  if (consumer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This consumer belongs to the parent process.");
  result = check_range (&consumer->block, offset, size, error);
  if (result != DATAHUB_OK)
    return result;
  if (consumer->block.g.zone_size == 0) {
    if (version)
      *version = 0;
    return DATAHUB_OK;
  }
  for (int i = 0; i < READ_TRIES; i++) {
    uint64_t s = load_acquire (zone.sequence);
    get_bytes (zone.copies[s % ZONE_COPIES], offset, bytes, size);
    if (load_acquire (zone.sequence) - s > ZONE_COPIES - 2)
      continue;
    if (version)
      *version = s;
    return DATAHUB_OK;
  }
  return result_end (error, DATAHUB_TIMEOUT);
}

uint64_t
datahub_consumer_get_zone_size (DatahubConsumer *consumer)
{
  return consumer->block.g.zone_size;
}

static void *
shared_zone (const Block *block, uint64_t *size)
{
  *size = block->g.shared_zone_size;
  if (*size == 0)
    return NULL;
  return (uint8_t *) block->wake + block->g.shared_zone_off;
}

/**
 * datahub_producer_get_shared_zone:
 * @producer: a producer made with a `shared_zone_size`
 * @size: (out): its bytes
 *
 * Memory that producer and consumers read and write, each under a user lock
 * that they agree on. Its contents were written by other processes and must be
 * checked.
 *
 * Returns: (nullable): the memory, 64-byte aligned, until the handle is gone
 */
void *
datahub_producer_get_shared_zone (DatahubProducer *producer, uint64_t *size)
{
  return shared_zone (&producer->block, size);
}

void *
datahub_consumer_get_shared_zone (DatahubConsumer *consumer, uint64_t *size)
{
  return shared_zone (&consumer->block, size);
}

/**
 * datahub_index_load_acquire:
 * @word: an aligned word of the shared zone
 *
 * After this call, all data that another process wrote before it stored the
 * value with datahub_index_store_release() is visible. So two words, each
 * written by one side only, form a queue without a lock; see
 * examples/index-queue.
 *
 * Returns: its value, which another process wrote: check it before use
 */
uint64_t
datahub_index_load_acquire (const uint64_t *word)
{
  return load_acquire ((const shared_u64 *) word);
}

/**
 * datahub_index_store_release:
 * @word: an aligned word of the shared zone that only the caller writes
 * @value: what to store
 *
 * See datahub_index_load_acquire().
 */
void
datahub_index_store_release (uint64_t *word, uint64_t value)
{
  store_release ((shared_u64 *) word, value);
}
