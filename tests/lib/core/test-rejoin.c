/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who joins again after an eviction goes on, never back. */
#include "fixture.h"

/* Evicted for what it holds, though it has read everything. */
static void
goes_on_after (DatahubStart start)
{
  DatahubProducerOptions options = small_options ();
  DatahubView views[8];
  options.block_timeout_ns = 20 * CHECK_MS;
  options.slots = 10;
  options.max_bytes = 10 * 4096;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, start);
  for (uint64_t i = 0; i < 8; i++) {
    commit_buffer (producer, i, 1000);
    views[i] = read_record (consumer);
  }
  /* two slots are left */
  DatahubSlot loans[2];
  for (int i = 0; i < 2; i++)
    fill_slot (producer, 0, 10, &loans[i]);
  CHECK_RESULT (try_commit (producer, 8, 1000, SOON), DATAHUB_DROPPED);
  CHECK_INT (producer_stats (producer).evictions, ==, 1);
  for (int i = 0; i < 2; i++)
    datahub_producer_abort (producer, &loans[i]);
  /* the next record is still good, then it is told */
  DatahubView view;
  commit_buffer (producer, 8, 1000);
  expect_buffer (consumer, 8, 1000);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_EVICTED);
  CHECK_OK (datahub_consumer_rejoin (consumer, &err));
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_TIMEOUT);
  commit_buffer (producer, 9, 1000);
  view = read_record (consumer);
  check_buffer (&view, 9, 1000);
  CHECK_INT (view.lost, ==, 0);
  datahub_consumer_end_read (consumer, &view);
  for (int i = 0; i < 8; i++)
    datahub_consumer_end_read (consumer, &views[i]);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
goes_on (void)
{
  goes_on_after (DATAHUB_START_OLDEST);
  goes_on_after (DATAHUB_START_LATEST);
  goes_on_after (DATAHUB_START_KEYFRAME);
}

static const CheckTest tests[] = {
  { "what was read before an eviction does not come again", goes_on },
};
CHECK_MAIN (tests)
