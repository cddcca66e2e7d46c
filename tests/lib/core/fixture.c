/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_SIZE 1000

_Thread_local DatahubError err;

bool
is_strict_run (void)
{
  return getenv ("CHECK_STRICT") != NULL;
}

DatahubProducerOptions
small_options (void)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  options.slots = 16;
  options.ring_size = 8;
  options.strict = is_strict_run ();
  return options;
}

DatahubResult
producer_try (const char *channel, const DatahubProducerOptions *options,
    DatahubProducer **producer)
{
  DatahubProducerOptions standard = small_options ();
  *producer = NULL;
  DatahubResult result = datahub_producer_create (channel,
      options ? options : &standard, producer, &err);
  if (result != DATAHUB_OK)
    return result;
  result = datahub_producer_publish (*producer, &err);
  if (result != DATAHUB_OK) {
    datahub_producer_close (*producer);
    *producer = NULL;
  }
  return result;
}

DatahubProducer *
producer_new (const char *channel, const DatahubProducerOptions *options)
{
  DatahubProducer *producer;
  DatahubBlockInfo info;
  CHECK_OK (producer_try (channel, options, &producer));
  /* A child that is forked while the server's thread begins inherits the lock of a
   * sanitizer's allocator, which that thread holds, and never gets it. A thread that
   * answers has begun. */
  if (is_strict_run ())
    CHECK_UNTIL (datahub_block_inspect (channel, &info, NULL) == DATAHUB_OK);
  return producer;
}

static DatahubConsumerOptions
patient_options (bool reliable, DatahubStart start)
{
  DatahubConsumerOptions options;
  datahub_consumer_options_init (&options);
  options.timeout_ns = SOON;
  options.reliable = reliable;
  options.start = start;
  return options;
}

static DatahubConsumer *
attach (const char *channel, const DatahubConsumerOptions *options)
{
  DatahubConsumer *consumer = NULL;
  CHECK_OK (datahub_consumer_attach (channel, options, &consumer, &err));
  CHECK (consumer != NULL);
  return consumer;
}

DatahubConsumer *
consumer_new (const char *channel, bool reliable, DatahubStart start)
{
  DatahubConsumerOptions options = patient_options (reliable, start);
  return attach (channel, &options);
}

DatahubResult
consumer_try (const char *channel)
{
  DatahubConsumerOptions options =
      patient_options (false, DATAHUB_START_KEYFRAME);
  DatahubConsumer *consumer = NULL;
  DatahubResult result =
      datahub_consumer_attach (channel, &options, &consumer, &err);
  CHECK_INT (consumer != NULL, ==, result == DATAHUB_OK);
  if (consumer)
    datahub_consumer_close (consumer);
  return result;
}

DatahubConsumer *
consumer_new_quota (const char *channel, bool reliable, uint32_t max_pinned)
{
  DatahubConsumerOptions options =
      patient_options (reliable, DATAHUB_START_OLDEST);
  options.max_pinned = max_pinned;
  return attach (channel, &options);
}

DatahubCommit
buffer_record (const DatahubSlot *slot, uint64_t seed, uint64_t size)
{
  return (DatahubCommit){
    .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_BUFFER,
    .pts = seed,
    .dts = DATAHUB_NONE,
    .duration = DATAHUB_NONE,
    .offset = seed,
    .offset_end = DATAHUB_NONE,
    .n_memories = 1,
    .memories = { { .slot = slot, .size = size } },
    .release = true,
  };
}

void
fill_slot (DatahubProducer *producer, uint64_t seed, uint64_t size,
    DatahubSlot *slot)
{
  CHECK_OK (datahub_producer_acquire_slot (producer, size, SOON, slot, &err));
  CHECK_INT (slot->size, >=, size);
  pattern_fill (slot->data, size, seed);
}

DatahubResult
try_commit (DatahubProducer *producer, uint64_t seed, uint64_t size,
    int64_t timeout_ns)
{
  DatahubSlot slot;
  DatahubResult result =
      datahub_producer_acquire_slot (producer, size, timeout_ns, &slot, &err);
  if (result != DATAHUB_OK)
    return result;
  pattern_fill (slot.data, size, seed);
  DatahubCommit record = buffer_record (&slot, seed, size);
  result = datahub_producer_commit (producer, &record, timeout_ns, NULL, &err);
  if (result != DATAHUB_OK)
    datahub_producer_abort (producer, &slot);
  return result;
}

void
commit_buffer (DatahubProducer *producer, uint64_t seed, uint64_t size)
{
  CHECK_OK (try_commit (producer, seed, size, SOON));
}

void
commit_buffers (DatahubProducer *producer, uint64_t first, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    commit_buffer (producer, first + i, DEFAULT_SIZE);
}

DatahubCommit
event_record (DatahubRecordType type, const char *body)
{
  DatahubCommit record;
  datahub_commit_init (&record, type);
  record.meta = body;
  record.meta_size = body ? (uint32_t) strlen (body) + 1 : 0;
  return record;
}

uint64_t
commit_event (DatahubProducer *producer, DatahubRecordType type,
    const char *body)
{
  uint64_t sequence = DATAHUB_NONE;
  DatahubCommit record = event_record (type, body);
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, &sequence, &err));
  return sequence;
}

DatahubView
read_record (DatahubConsumer *consumer)
{
  DatahubView view;
  CHECK_OK (datahub_consumer_begin_read (consumer, SOON, &view, &err));
  return view;
}

void
check_buffer (const DatahubView *view, uint64_t seed, uint64_t size)
{
  CHECK_INT (view->type, ==, DATAHUB_RECORD_BUFFER);
  CHECK_INT (view->offset, ==, seed);
  CHECK_INT (view->pts, ==, seed);
  CHECK_INT (view->n_memories, ==, 1);
  CHECK_INT (view->memories[0].size, ==, size);
  CHECK_INT (pattern_mismatch (view->memories[0].data, size, seed), ==,
      PATTERN_MATCHES);
}

void
expect_buffer (DatahubConsumer *consumer, uint64_t seed, uint64_t size)
{
  DatahubView view = read_record (consumer);
  check_buffer (&view, seed, size);
  datahub_consumer_end_read (consumer, &view);
}

void
expect_buffers (DatahubConsumer *consumer, uint64_t first, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    expect_buffer (consumer, first + i, DEFAULT_SIZE);
}

void
expect_outcome (DatahubConsumer *consumer, DatahubResult wanted)
{
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
      wanted);
}

void
check_event (const DatahubView *view, DatahubRecordType type, const char *body)
{
  CHECK_INT (view->type, ==, type);
  CHECK_INT (view->n_memories, ==, 0);
  CHECK_INT (view->meta_size, ==, (uint32_t) strlen (body) + 1);
  CHECK_STR (view->meta, body);
}

void
expect_event (DatahubConsumer *consumer, DatahubRecordType type,
    const char *body)
{
  DatahubView view = read_record (consumer);
  check_event (&view, type, body);
  datahub_consumer_end_read (consumer, &view);
}

void
expect_sticky (DatahubConsumer *consumer, DatahubRecordType type,
    const char *body)
{
  DatahubView view;
  CHECK_OK (datahub_consumer_read_sticky (consumer, type, &view, &err));
  check_event (&view, type, body);
  datahub_consumer_end_read (consumer, &view);
}

DatahubProducerStats
producer_stats (DatahubProducer *producer)
{
  DatahubProducerStats stats;
  datahub_producer_get_stats (producer, &stats);
  return stats;
}

DatahubConsumerStats
consumer_stats (DatahubConsumer *consumer)
{
  DatahubConsumerStats stats;
  datahub_consumer_get_stats (consumer, &stats);
  return stats;
}

uint64_t
bytes_in_the_making (void)
{
  uint64_t most = 0;
  for (int fd = 3; fd < 256; fd++) {
    struct stat st;
    char path[32];
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    if (stat (path, &st) == 0 && S_ISREG (st.st_mode) && st.st_nlink == 0
        && (uint64_t) st.st_blocks * 512 > most)
      most = (uint64_t) st.st_blocks * 512;
  }
  return most;
}

uint64_t
number_before (const char *what)
{
  const char *at = strstr (err.message, what);
  if (!at)
    check_fail (__FILE__, __LINE__, "\"%s\" has no \"%s\"", err.message, what);
  while (at > err.message && at[-1] >= '0' && at[-1] <= '9')
    at--;
  return strtoull (at, NULL, 10);
}
