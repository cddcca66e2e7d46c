/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a consumer that comes late starts. */
#include "fixture.h"

#include <string.h>

static void
commit_flags (DatahubProducer *producer, uint64_t seed, uint32_t flags)
{
  DatahubSlot slot;
  fill_slot (producer, seed, 1000, &slot);
  DatahubCommit record = buffer_record (&slot, seed, 1000);
  record.flags = flags;
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
}

static void
commit_delta (DatahubProducer *producer, uint64_t seed)
{
  commit_flags (producer, seed, DATAHUB_FLAG_DELTA_UNIT);
}

static void
check_first (DatahubStart start, bool reliable, uint64_t seed)
{
  DatahubConsumer *consumer = consumer_new ("cam0", reliable, start);
  DatahubView view = read_record (consumer);
  check_buffer (&view, seed, 1000);
  /* What was before the start was never promised. */
  CHECK_INT (view.lost, ==, 0);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
}

static void
latest (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 30);
  check_first (DATAHUB_START_LATEST, false, 29);
  check_first (DATAHUB_START_LATEST, true, 29);
  datahub_producer_close (producer);
}

static void
latest_of_none (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_TIMEOUT);
  commit_buffers (producer, 0, 3);
  expect_buffers (consumer, 0, 3);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
oldest (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 30);
  /* The ring keeps 8. */
  check_first (DATAHUB_START_OLDEST, false, 22);
  check_first (DATAHUB_START_OLDEST, true, 22);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 22, 8);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* A source went off and will come back: its last picture is of the past. */
static void
flushed (void)
{
  static const DatahubStart starts[] = { DATAHUB_START_LATEST,
    DATAHUB_START_KEYFRAME, DATAHUB_START_OLDEST };
  for (int i = 0; i < 6; i++) {
    DatahubProducer *producer = producer_new ("cam0", NULL);
    DatahubConsumer *consumer;
    DatahubView view;
    commit_buffers (producer, 0, 5);
    CHECK_OK (datahub_producer_flush (producer));
    consumer = consumer_new ("cam0", i & 1, starts[i / 2]);
    CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
        DATAHUB_TIMEOUT);
    commit_buffers (producer, 5, 3);
    expect_buffers (consumer, 5, 3);
    CHECK_INT (consumer_stats (consumer).lost, ==, 0);
    datahub_consumer_close (consumer);
    datahub_producer_close (producer);
  }
}

static void
keyframe (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 5);
  for (uint64_t i = 5; i < 9; i++)
    commit_delta (producer, i);
  check_first (DATAHUB_START_KEYFRAME, false, 4);
  check_first (DATAHUB_START_KEYFRAME, true, 4);
  check_first (DATAHUB_START_LATEST, false, 8);
  datahub_producer_close (producer);
}

static void
keyframe_without_deltas (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 30);
  check_first (DATAHUB_START_KEYFRAME, false, 29);
  datahub_producer_close (producer);
}

static void
keyframe_gone (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 1);
  for (uint64_t i = 1; i < 30; i++)
    commit_delta (producer, i);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_KEYFRAME);
  commit_delta (producer, 30);
  commit_buffers (producer, 31, 1);
  /* Whatever comes before it: the key frame itself is not missed. */
  DatahubView view;
  do {
    view = read_record (consumer);
    CHECK_INT (view.offset, <=, 31);
    datahub_consumer_end_read (consumer, &view);
  } while (view.offset != 31);
  CHECK (!(view.flags & DATAHUB_FLAG_DELTA_UNIT));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* A unit of several buffers is joined at its first one. */
static void
inside_of_a_unit (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 1);
  commit_flags (producer, 1, DATAHUB_FLAG_INSIDE);
  check_first (DATAHUB_START_KEYFRAME, false, 0);
  commit_delta (producer, 2);
  check_first (DATAHUB_START_KEYFRAME, false, 0);
  check_first (DATAHUB_START_KEYFRAME, true, 0);
  for (uint64_t i = 3; i < 30; i++)
    commit_delta (producer, i);
  DatahubConsumer *waits = consumer_new ("cam0", true, DATAHUB_START_KEYFRAME);
  commit_flags (producer, 30, DATAHUB_FLAG_INSIDE);
  commit_buffers (producer, 31, 1);
  commit_flags (producer, 32, DATAHUB_FLAG_INSIDE);
  expect_buffers (waits, 31, 2);
  datahub_consumer_close (waits);
  datahub_producer_close (producer);
}

/* Nothing is waited for that does not come. */
static void
without_keyframes (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  for (uint64_t i = 0; i < 30; i++)
    commit_delta (producer, i);
  DatahubConsumer *late = consumer_new ("cam0", false, DATAHUB_START_KEYFRAME);
  DatahubConsumer *kept = consumer_new ("cam0", true, DATAHUB_START_KEYFRAME);
  for (uint64_t i = 30; i < 33; i++)
    commit_delta (producer, i);
  expect_buffers (late, 30, 3);
  expect_buffers (kept, 30, 3);
  CHECK_INT (consumer_stats (late).lost, ==, 0);
  datahub_consumer_close (kept);
  /* lapped */
  for (uint64_t i = 33; i < 60; i++)
    commit_delta (producer, i);
  DatahubView view = read_record (late);
  check_buffer (&view, 59, 1000);
  CHECK_INT (view.lost, ==, 26);
  datahub_consumer_end_read (late, &view);
  datahub_consumer_close (late);
  datahub_producer_close (producer);
}

/* Events come to who waits for its first key frame, and do not make what it
 * passes over a loss. */
static void
events_before_the_keyframe (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 1);
  for (uint64_t i = 1; i < 20; i++)
    commit_delta (producer, i);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_KEYFRAME);
  commit_delta (producer, 20);
  commit_event (producer, DATAHUB_RECORD_TAGS, "title=street");
  commit_delta (producer, 21);
  commit_delta (producer, 22);
  commit_buffers (producer, 23, 1);
  expect_event (consumer, DATAHUB_RECORD_TAGS, "title=street");
  DatahubView view = read_record (consumer);
  check_buffer (&view, 23, 1000);
  CHECK_INT (view.lost, ==, 0);
  datahub_consumer_end_read (consumer, &view);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
keyframe_request (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  uint32_t seen = 0;
  datahub_producer_wait_attention (producer, &seen, 0);
  CHECK_INT (datahub_producer_take_requests (producer), ==, 0);
  datahub_consumer_request (consumer, DATAHUB_REQUEST_KEYFRAME);
  CHECK_OK (datahub_producer_wait_attention (producer, &seen, SOON));
  CHECK_INT (datahub_producer_take_requests (producer), ==,
      DATAHUB_REQUEST_KEYFRAME);
  /* Taken is taken. */
  CHECK_INT (datahub_producer_take_requests (producer), ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
asks_from_afar (CheckParent *parent)
{
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  CHECK_HEAR (parent->in, 1);
  datahub_consumer_request (consumer,
      DATAHUB_REQUEST_KEYFRAME | DATAHUB_REQUEST_RECONFIGURE);
  CHECK_HEAR (parent->in, 2);
  datahub_consumer_close (consumer);
}

static void
request_of_a_process (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork (asks_from_afar, NULL);
  CHECK_OK (datahub_producer_wait_consumers (producer, 1, SOON));
  uint32_t seen = 0, requests = 0;
  datahub_producer_wait_attention (producer, &seen, 0);
  check_tell (child.to, 1);
  while ((requests |= datahub_producer_take_requests (producer))
      != (DATAHUB_REQUEST_KEYFRAME | DATAHUB_REQUEST_RECONFIGURE))
    CHECK_OK (datahub_producer_wait_attention (producer, &seen, SOON));
  check_tell (child.to, 2);
  check_join (&child);
  datahub_producer_close (producer);
}

/* Joins again and again while the producer runs; a reliable joiner must get
 * every buffer from its first one on. */
static void
keeps_joining (CheckParent *parent)
{
  for (int i = 0; i < 300; i++) {
    DatahubConsumer *consumer = consumer_new ("cam0", true,
        i % 2 ? DATAHUB_START_OLDEST : DATAHUB_START_LATEST);
    uint64_t next = DATAHUB_NONE;
    for (int j = 0; j < 20; j++) {
      DatahubView view = read_record (consumer);
      if (next != DATAHUB_NONE)
        CHECK_INT (view.offset, ==, next);
      check_buffer (&view, view.offset, 100);
      CHECK_INT (view.lost, ==, 0);
      next = view.offset + 1;
      datahub_consumer_end_read (consumer, &view);
    }
    CHECK_INT (consumer_stats (consumer).lost, ==, 0);
    datahub_consumer_close (consumer);
  }
  check_tell (parent->out, 1);
}

static void
reliable_joins_a_running_producer (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork (keeps_joining, NULL);
  for (uint64_t i = 0; !check_has_word (child.from); i++)
    commit_buffer (producer, i, 100);
  CHECK_HEAR (child.from, 1);
  check_join (&child);
  datahub_producer_close (producer);
}

static uint64_t
lost_after (DatahubConsumer *consumer, DatahubProducer *producer, uint64_t seed)
{
  commit_buffers (producer, seed, 150);
  DatahubView view = read_record (consumer);
  uint64_t lost = view.lost;
  CHECK (view.discont);
  CHECK_INT (view.offset, >, seed);
  CHECK_INT (consumer_stats (consumer).lost, ==, lost);
  datahub_consumer_end_read (consumer, &view);
  return lost;
}

/* The ring was overwritten before the first read. A consumer that was there before
 * the first buffer has lost buffers; one that joins a stream joins it later. */
static void
lapped_before_it_reads (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *early = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 5);
  DatahubConsumer *late = consumer_new ("cam0", false, DATAHUB_START_KEYFRAME);
  CHECK_INT (lost_after (late, producer, 5), ==, 0);
  CHECK_INT (lost_after (early, producer, 155), >, 250);
  DatahubView view = read_record (late);
  CHECK_INT (view.lost, ==, view.offset - 155);
  datahub_consumer_end_read (late, &view);
  datahub_consumer_close (early);
  datahub_consumer_close (late);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "latest starts at the newest buffer", latest },
  { "latest of an empty block starts at the next buffer", latest_of_none },
  { "oldest starts at the oldest buffer kept", oldest },
  { "nothing that was flushed before is joined at", flushed },
  { "keyframe starts at the newest key frame", keyframe },
  { "keyframe is latest when every buffer is one", keyframe_without_deltas },
  { "keyframe starts at the next buffer of a stream without key frames",
      without_keyframes },
  { "keyframe gets the next one when the ring holds none", keyframe_gone },
  { "a unit of several buffers is joined at its first one", inside_of_a_unit },
  { "a consumer that is lapped before its first read joins later",
      lapped_before_it_reads },
  { "an event before the first key frame makes nothing a loss",
      events_before_the_keyframe },
  { "a request for a key frame reaches the producer once", keyframe_request },
  { "requests of another process wake the producer", request_of_a_process },
  { "a reliable consumer joins a running producer without loss",
      reliable_joins_a_running_producer },
};
CHECK_MAIN (tests)
