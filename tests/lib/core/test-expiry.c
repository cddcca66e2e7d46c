/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is too old is passed over, and counted apart from what is lost. An age of
 * one nanosecond is behind everything that was committed; one of an hour is
 * ahead of it: nothing here waits for time to pass. */
#include "fixture.h"

#define ALL_TOO_OLD 1
#define NONE_TOO_OLD (3600 * CHECK_S)

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
expect_nothing (DatahubConsumer *consumer)
{
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_TIMEOUT);
}

static void
old_ones_are_passed_over (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumerOptions options;
  datahub_consumer_options_init (&options);
  CHECK_INT (options.max_age_ns, ==, 0);
  options.start = DATAHUB_START_OLDEST;
  options.max_age_ns = ALL_TOO_OLD;
  DatahubConsumer *consumer;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  commit_buffers (producer, 0, 5);
  expect_nothing (consumer);
  CHECK_INT (consumer_stats (consumer).expired, ==, 5);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  CHECK_INT (consumer_stats (consumer).received, ==, 0);

  datahub_consumer_set_max_age (consumer, NONE_TOO_OLD);
  commit_buffers (producer, 5, 2);
  DatahubView view = read_record (consumer);
  check_buffer (&view, 5, 1000);
  CHECK_INT (view.expired, ==, 5);
  CHECK_INT (view.lost, ==, 0);
  CHECK (view.discont);
  datahub_consumer_end_read (consumer, &view);
  view = read_record (consumer);
  check_buffer (&view, 6, 1000);
  CHECK_INT (view.expired, ==, 0);
  CHECK (!view.discont);
  datahub_consumer_end_read (consumer, &view);

  datahub_consumer_set_max_age (consumer, -1); /* none is too old */
  commit_buffers (producer, 7, 1);
  expect_buffers (consumer, 7, 1);

  DatahubConsumerInfo info;
  uint32_t n;
  CHECK_OK (datahub_block_inspect_consumers ("cam0", &info, 1, &n, &err));
  CHECK_INT (n, ==, 1);
  CHECK_INT (info.received, ==, 3);
  CHECK_INT (info.expired, ==, 5);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
events_are_never_too_old (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  datahub_consumer_set_max_age (consumer, ALL_TOO_OLD);
  commit_buffers (producer, 0, 2);
  commit_event (producer, DATAHUB_RECORD_CAPS, "caps");
  DatahubView view = read_record (consumer);
  CHECK_INT (view.type, ==, DATAHUB_RECORD_CAPS);
  CHECK_INT (view.expired, ==, 2);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Whatever is read, lapped or too old: each buffer is counted once. */
static void
counts_are_exact (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  uint64_t n = 0, seen = 0, lost = 0, expired = 0;
  for (int round = 0; round < 70; round++) {
    uint32_t some = (uint32_t) (round * 5 % 13);
    datahub_consumer_set_max_age (consumer,
        round % 3 ? NONE_TOO_OLD : ALL_TOO_OLD);
    commit_buffers (producer, n, some);
    n += some;
    DatahubView view;
    while (datahub_consumer_begin_read (consumer, 0, &view, &err)
        == DATAHUB_OK) {
      CHECK_INT (view.lost + view.expired, ==, view.offset - seen);
      seen = view.offset + 1;
      lost += view.lost;
      expired += view.expired;
      datahub_consumer_end_read (consumer, &view);
    }
    DatahubConsumerStats stats = consumer_stats (consumer);
    CHECK_INT (stats.received + stats.lost + stats.expired, ==, n);
  }
  CHECK_INT (lost, >, 0);
  CHECK_INT (expired, >, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
resumes_at_a_keyframe (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_flags (producer, 0, 0);
  commit_flags (producer, 1, DATAHUB_FLAG_DELTA_UNIT);
  datahub_consumer_set_max_age (consumer, ALL_TOO_OLD);
  expect_nothing (consumer);
  CHECK_INT (datahub_producer_take_requests (producer), ==, 0);
  datahub_consumer_set_max_age (consumer, NONE_TOO_OLD);
  commit_flags (producer, 2, DATAHUB_FLAG_DELTA_UNIT);
  commit_flags (producer, 3, DATAHUB_FLAG_DELTA_UNIT);
  expect_nothing (consumer); /* fresh, but of no use */
  CHECK_INT (consumer_stats (consumer).expired, ==, 4);
  CHECK_INT (datahub_producer_take_requests (producer), ==,
      DATAHUB_REQUEST_KEYFRAME);
  commit_flags (producer, 4, 0);
  commit_flags (producer, 5, DATAHUB_FLAG_DELTA_UNIT);
  DatahubView view = read_record (consumer);
  check_buffer (&view, 4, 1000);
  CHECK_INT (view.expired, ==, 4);
  CHECK_INT (view.lost, ==, 0);
  CHECK (view.discont);
  datahub_consumer_end_read (consumer, &view);
  expect_buffers (consumer, 5, 1);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
resumes_without_keyframes (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_flags (producer, 0, DATAHUB_FLAG_DELTA_UNIT);
  datahub_consumer_set_max_age (consumer, ALL_TOO_OLD);
  expect_nothing (consumer);
  datahub_consumer_set_max_age (consumer, NONE_TOO_OLD);
  commit_flags (producer, 1, DATAHUB_FLAG_DELTA_UNIT);
  DatahubView view = read_record (consumer);
  check_buffer (&view, 1, 1000);
  CHECK_INT (view.expired, ==, 1);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
reliable_ones_let_go (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  CHECK_RESULT (try_commit (producer, 8, 1000, 0), DATAHUB_TIMEOUT);
  datahub_consumer_set_max_age (consumer, ALL_TOO_OLD);
  expect_nothing (consumer);
  /* its gate has moved over all of them */
  for (uint64_t i = 8; i < 16; i++)
    CHECK_OK (try_commit (producer, i, 1000, 0));
  CHECK_RESULT (try_commit (producer, 16, 1000, 0), DATAHUB_TIMEOUT);
  datahub_consumer_set_max_age (consumer, 0);
  DatahubView view = read_record (consumer);
  check_buffer (&view, 8, 1000);
  CHECK_INT (view.expired, ==, 8);
  CHECK_INT (view.lost, ==, 0);
  datahub_consumer_end_read (consumer, &view);
  expect_buffers (consumer, 9, 7);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "buffers that are too old are passed over, and not lost",
      old_ones_are_passed_over },
  { "events are never too old", events_are_never_too_old },
  { "received, lost and expired are every buffer once", counts_are_exact },
  { "after an expiry delta units resume at a fresh keyframe",
      resumes_at_a_keyframe },
  { "after an expiry a stream without keyframes resumes at a fresh buffer",
      resumes_without_keyframes },
  { "a reliable consumer's gate moves over what is too old",
      reliable_ones_let_go },
};
CHECK_MAIN (tests)
