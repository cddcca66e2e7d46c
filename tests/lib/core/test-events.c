/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events between buffers, and the sticky ones that a buffer stands in. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
in_order (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_event (producer, DATAHUB_RECORD_STREAM_START, "stream");
  commit_event (producer, DATAHUB_RECORD_CAPS, "caps");
  commit_event (producer, DATAHUB_RECORD_SEGMENT, "segment");
  commit_buffers (producer, 0, 1);
  expect_event (consumer, DATAHUB_RECORD_STREAM_START, "stream");
  expect_event (consumer, DATAHUB_RECORD_CAPS, "caps");
  expect_event (consumer, DATAHUB_RECORD_SEGMENT, "segment");
  expect_buffers (consumer, 0, 1);
  commit_event (producer, DATAHUB_RECORD_GAP, "gap");
  commit_event (producer, DATAHUB_RECORD_TAGS, "tags");
  commit_event (producer, DATAHUB_RECORD_EVENT, "other");
  commit_event (producer, DATAHUB_RECORD_EOS, "eos");
  expect_event (consumer, DATAHUB_RECORD_GAP, "gap");
  expect_event (consumer, DATAHUB_RECORD_TAGS, "tags");
  expect_event (consumer, DATAHUB_RECORD_EVENT, "other");
  expect_event (consumer, DATAHUB_RECORD_EOS, "eos");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
not_counted (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 1);
  commit_event (producer, DATAHUB_RECORD_TAGS, "tags");
  commit_event (producer, DATAHUB_RECORD_GAP, "gap");
  commit_buffers (producer, 1, 1);
  static const uint64_t ordinals[] = { 0, 1, 1, 1 };
  for (uint64_t i = 0; i < 4; i++) {
    DatahubView view = read_record (consumer);
    CHECK_INT (view.sequence, ==, i);
    CHECK_INT (view.ordinal, ==, ordinals[i]);
    CHECK_INT (view.lost, ==, 0);
    datahub_consumer_end_read (consumer, &view);
  }
  CHECK_INT (consumer_stats (consumer).received, ==, 2);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
check_context (DatahubConsumer *consumer, const DatahubView *view,
    DatahubContext context, DatahubRecordType type, const char *body)
{
  DatahubView sticky;
  CHECK_OK (datahub_consumer_get_context (consumer, view, context, &sticky,
      &err));
  check_event (&sticky, type, body);
  CHECK_INT (sticky.sequence, ==, view->context[context]);
}

static void
context (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 1);
  uint64_t caps = commit_event (producer, DATAHUB_RECORD_CAPS, "caps 1");
  uint64_t segment =
      commit_event (producer, DATAHUB_RECORD_SEGMENT, "segment 1");
  commit_buffers (producer, 1, 1);

  DatahubView bare = read_record (consumer), sticky;
  for (int i = 0; i < DATAHUB_N_CONTEXTS; i++)
    CHECK (bare.context[i] == DATAHUB_NONE);
  CHECK_INT (datahub_consumer_get_context (consumer, &bare,
                 DATAHUB_CONTEXT_CAPS, &sticky, &err),
      ==, DATAHUB_ERROR_NOT_FOUND);
  datahub_consumer_end_read (consumer, &bare);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "caps 1");
  expect_event (consumer, DATAHUB_RECORD_SEGMENT, "segment 1");

  DatahubView view = read_record (consumer);
  CHECK_INT (view.context[DATAHUB_CONTEXT_CAPS], ==, caps);
  CHECK_INT (view.context[DATAHUB_CONTEXT_SEGMENT], ==, segment);
  CHECK (view.context[DATAHUB_CONTEXT_TAGS] == DATAHUB_NONE);
  check_context (consumer, &view, DATAHUB_CONTEXT_CAPS, DATAHUB_RECORD_CAPS,
      "caps 1");
  check_context (consumer, &view, DATAHUB_CONTEXT_SEGMENT,
      DATAHUB_RECORD_SEGMENT, "segment 1");
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* A lease keeps the caps it stands in, however often they change after. */
static void
old_context (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_event (producer, DATAHUB_RECORD_CAPS, "the first caps");
  commit_buffers (producer, 0, 1);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "the first caps");
  DatahubView view = read_record (consumer);
  for (uint64_t i = 1; i < 500; i++) {
    char caps[32];
    snprintf (caps, sizeof caps, "other caps %llu", (unsigned long long) i);
    commit_event (producer, DATAHUB_RECORD_CAPS, caps);
    commit_buffers (producer, i, 1);
  }
  check_context (consumer, &view, DATAHUB_CONTEXT_CAPS, DATAHUB_RECORD_CAPS,
      "the first caps");
  check_buffer (&view, 0, 1000);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Joining at the oldest buffer means the caps of that buffer, not today's. */
static void
context_of_oldest (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_event (producer, DATAHUB_RECORD_CAPS, "old caps");
  commit_buffers (producer, 0, 20);
  commit_event (producer, DATAHUB_RECORD_CAPS, "new caps");
  commit_buffers (producer, 20, 2);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view = read_record (consumer);
  CHECK_INT (view.type, ==, DATAHUB_RECORD_BUFFER);
  check_context (consumer, &view, DATAHUB_CONTEXT_CAPS, DATAHUB_RECORD_CAPS,
      "old caps");
  uint64_t last = view.offset;
  datahub_consumer_end_read (consumer, &view);
  for (;;) {
    view = read_record (consumer);
    bool is_caps = view.type == DATAHUB_RECORD_CAPS;
    if (is_caps)
      check_event (&view, DATAHUB_RECORD_CAPS, "new caps");
    else
      last = view.offset;
    datahub_consumer_end_read (consumer, &view);
    if (is_caps)
      break;
  }
  CHECK_INT (last, ==, 19);
  view = read_record (consumer);
  check_context (consumer, &view, DATAHUB_CONTEXT_CAPS, DATAHUB_RECORD_CAPS,
      "new caps");
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
sticky (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubView view;
  CHECK_INT (datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS, &view,
                 &err),
      ==, DATAHUB_ERROR_NOT_FOUND);
  commit_event (producer, DATAHUB_RECORD_CAPS, "caps 1");
  CHECK_OK (datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS, &view,
      &err));
  /* It is a lease: later caps leave it as it is. */
  for (int i = 0; i < 300; i++)
    commit_event (producer, DATAHUB_RECORD_CAPS, "caps 2");
  check_event (&view, DATAHUB_RECORD_CAPS, "caps 1");
  datahub_consumer_end_read (consumer, &view);
  expect_sticky (consumer, DATAHUB_RECORD_CAPS, "caps 2");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* The sticky record stays when the ring has long forgotten it. */
static void
sticky_outlives_ring (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_event (producer, DATAHUB_RECORD_CAPS, "caps");
  commit_event (producer, DATAHUB_RECORD_TAGS, "tags");
  commit_buffers (producer, 0, 1000);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubView view;
  expect_sticky (consumer, DATAHUB_RECORD_TAGS, "tags");
  view = read_record (consumer);
  CHECK_INT (view.offset, ==, 999);
  check_context (consumer, &view, DATAHUB_CONTEXT_CAPS, DATAHUB_RECORD_CAPS,
      "caps");
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
eos_sticky (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 3);
  commit_event (producer, DATAHUB_RECORD_EOS, "eos");
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  expect_sticky (consumer, DATAHUB_RECORD_EOS, "eos");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
big_bodies (void)
{
  static const uint32_t sizes[] = { 40, 200, 1000, 4096, 20000, 70000 };
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    char *body = malloc (sizes[i]);
    memset (body, 'a' + (int) i, sizes[i] - 1);
    body[sizes[i] - 1] = '\0';
    commit_event (producer, DATAHUB_RECORD_TAGS, body);
    expect_event (consumer, DATAHUB_RECORD_TAGS, body);
    free (body);
  }
  commit_buffers (producer, 0, 1);
  expect_buffers (consumer, 0, 1);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Events alone must not exhaust anything, with nobody and with a reader. */
static void
many_events (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  for (int i = 0; i < 5000; i++) {
    commit_event (producer, DATAHUB_RECORD_STREAM_START, "stream");
    commit_event (producer, DATAHUB_RECORD_CAPS, "caps");
    commit_event (producer, DATAHUB_RECORD_SEGMENT, "segment");
    commit_event (producer, DATAHUB_RECORD_TAGS, "tags");
  }
  commit_buffers (producer, 0, 1);
  DatahubView view;
  do {
    view = read_record (consumer);
    datahub_consumer_end_read (consumer, &view);
  } while (view.type != DATAHUB_RECORD_BUFFER);
  CHECK_INT (view.lost, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "events arrive between the buffers where they were sent", in_order },
  { "events have a sequence but are not counted as buffers", not_counted },
  { "a record names the sticky events it stands in", context },
  { "a lease keeps its caps however often they change", old_context },
  { "the oldest buffer comes with its own caps", context_of_oldest },
  { "the newest sticky event can be read before any buffer", sticky },
  { "sticky events stay when the ring has forgotten them",
      sticky_outlives_ring },
  { "the end of the stream can be read by a late joiner", eos_sticky },
  { "bodies of any size arrive", big_bodies },
  { "twenty thousand events exhaust nothing", many_events },
};
CHECK_MAIN (tests)
