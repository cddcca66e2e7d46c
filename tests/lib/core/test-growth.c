/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Payloads that outgrow their slots: a pool of bigger ones, up to max-bytes. */
#include "fixture.h"

static void
reads_across_growth (CheckParent *parent)
{
  const bool *reliable = parent->data;
  DatahubConsumer *consumer =
      consumer_new ("cam0", *reliable, DATAHUB_START_OLDEST);
  check_ready (parent);
  uint64_t next = 0;
  while (next < 600) {
    DatahubView view = read_record (consumer);
    CHECK_INT (view.offset, ==, next + view.lost);
    if (*reliable)
      CHECK_INT (view.lost, ==, 0);
    check_buffer (&view, view.offset, view.offset < 300 ? 3000 : 30000);
    next = view.offset + 1;
    datahub_consumer_end_read (consumer, &view);
  }
  DatahubConsumerStats stats = consumer_stats (consumer);
  CHECK_INT (stats.received + stats.lost, ==, 600);
  datahub_consumer_close (consumer);
}

static void
lossless (void)
{
  bool reliable = true, live = false;
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild a = check_fork (reads_across_growth, &reliable);
  CheckChild b = check_fork (reads_across_growth, &live);
  CHECK_HEAR (a.from, 1);
  CHECK_HEAR (b.from, 1);
  for (uint64_t i = 0; i < 600; i++)
    commit_buffer (producer, i, i < 300 ? 3000 : 30000);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  CHECK_INT (producer_stats (producer).slot_size, >=, 30000);
  CHECK_INT (datahub_producer_get_slot_size (producer), >=, 30000);
  check_join (&a);
  check_join (&b);
  datahub_producer_close (producer);
}

static uint32_t
count_pools (void)
{
  DatahubBlockInfo info;
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  return info.n_pools;
}

/* The old pool goes when nothing refers to it: neither ring nor lease nor loan.
 */
static void
old_pool_freed (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  uint32_t before = count_pools ();
  commit_buffer (producer, 0, 3000);
  DatahubView held = read_record (consumer);
  for (uint64_t i = 1; i < 100; i++)
    commit_buffer (producer, i, 20000);
  check_buffer (&held, 0, 3000);
  CHECK_INT (count_pools (), ==, before + 1);
  uint64_t with_both = producer_stats (producer).bytes_used;
  datahub_consumer_end_read (consumer, &held);
  for (uint64_t i = 100; i < 200; i++) {
    commit_buffer (producer, i, 20000);
    DatahubView view;
    while (datahub_consumer_begin_read (consumer, 0, &view, &err) == DATAHUB_OK)
      datahub_consumer_end_read (consumer, &view);
  }
  CHECK_INT (count_pools (), ==, before);
  CHECK_INT (producer_stats (producer).bytes_used, <, with_both);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
loan_of_old_pool (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSlot old;
  fill_slot (producer, 1, 3000, &old);
  commit_buffer (producer, 0, 20000);
  CHECK_INT (pattern_mismatch (old.data, 3000, 1), ==, PATTERN_MATCHES);
  DatahubCommit record = buffer_record (&old, 1, 3000);
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  expect_buffer (consumer, 0, 20000);
  expect_buffer (consumer, 1, 3000);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
grows_again_and_again (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  uint64_t size = 1000;
  for (uint64_t i = 0; i < 60; i++) {
    commit_buffer (producer, i, size);
    expect_buffer (consumer, i, size);
    size += size / 7;
  }
  /* Each pool is half as big again at least, so they are few. */
  CHECK_INT (producer_stats (producer).growths, >=, 5);
  CHECK_INT (producer_stats (producer).growths, <=, 16);
  CHECK_INT (count_pools (), <=, 6);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
small_after_big (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  for (uint64_t i = 0; i < 200; i++) {
    uint64_t size = i % 10 ? 500 : 9000;
    commit_buffer (producer, i, size);
    expect_buffer (consumer, i, size);
  }
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
beyond_max_bytes (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_bytes = 1 << 20;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubSlot slot;
  CHECK_RESULT (datahub_producer_acquire_slot (producer, 3 << 20, 0, &slot,
                    &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_CONTAINS (err.message, "3145728");
  CHECK_CONTAINS (err.message, "1048576");
  /* Nothing is broken by it. */
  commit_buffers (producer, 0, 20);
  datahub_producer_close (producer);
}

/* 16 slots of 4 KiB, then 16 of 8 KiB; the next size fits beside the second
 * pool, not beside it and any slot in use of the first. */
static DatahubProducerOptions
tight_options (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_bytes = (16 * 8 + 4 * 16 + 3) << 10;
  options.block_timeout_ns = -1;
  return options;
}

static void
dropped_then_fits (void)
{
  DatahubProducerOptions options = tight_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubSlot loan;
  fill_slot (producer, 5, 4096, &loan);
  for (uint64_t i = 0; i < 20; i++)
    commit_buffer (producer, i, 8000);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  CHECK_RESULT (try_commit (producer, 20, 16000, 0), DATAHUB_DROPPED);
  CHECK_INT (producer_stats (producer).bytes_used, <=, options.max_bytes);
  CHECK_INT (pattern_mismatch (loan.data, 4096, 5), ==, PATTERN_MATCHES);
  /* Smaller ones are not affected. */
  commit_buffer (producer, 21, 8000);
  datahub_producer_abort (producer, &loan);
  commit_buffer (producer, 22, 16000);
  CHECK_INT (producer_stats (producer).growths, ==, 2);
  CHECK_INT (producer_stats (producer).bytes_used, <=, options.max_bytes);
  datahub_producer_close (producer);
}

/* A reliable consumer makes the growth wait instead of losing. */
static void
reliable_waits_for_pool (void)
{
  DatahubProducerOptions options = tight_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 3);
  for (uint64_t i = 3; i < 6; i++)
    commit_buffer (producer, i, 8000);
  CHECK_RESULT (try_commit (producer, 6, 16000, 20 * CHECK_MS),
      DATAHUB_TIMEOUT);
  expect_buffers (consumer, 0, 3);
  CHECK_OK (try_commit (producer, 6, 16000, SOON));
  for (uint64_t i = 3; i < 6; i++)
    expect_buffer (consumer, i, 8000);
  expect_buffer (consumer, 6, 16000);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Live consumers' old frames give way to a new one that needs their pool. */
static void
old_frames_give_way (void)
{
  DatahubProducerOptions options = tight_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 3);
  for (uint64_t i = 3; i < 6; i++)
    commit_buffer (producer, i, 8000);
  commit_buffer (producer, 6, 16000);
  DatahubView view = read_record (consumer);
  CHECK_INT (view.offset, >=, 3);
  CHECK_INT (view.lost, ==, view.offset);
  while (view.offset != 6) {
    datahub_consumer_end_read (consumer, &view);
    view = read_record (consumer);
  }
  check_buffer (&view, 6, 16000);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
late_joiner (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  uint64_t size = 1000;
  for (uint64_t i = 0; i < 30; i++) {
    commit_buffer (producer, i, size);
    size += size / 4;
  }
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubView view = read_record (consumer);
  check_buffer (&view, 29, view.memories[0].size);
  CHECK_INT (view.memories[0].size, >, 400000);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Also across a close: what a reader has not read yet stays readable, its pool
 * not yet opened included. */
static void
closed_after_growth (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffer (producer, 0, 1000);
  commit_buffer (producer, 1, 50000);
  datahub_producer_close (producer);
  expect_buffer (consumer, 0, 1000);
  expect_buffer (consumer, 1, 50000);
  expect_outcome (consumer, DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
}

static const CheckTest tests[] = {
  { "growth loses nothing, for reliable and live consumers", lossless },
  { "the old pool is freed after its last lease", old_pool_freed },
  { "a loan of the old pool can still be committed", loan_of_old_pool },
  { "growing again and again keeps the pools few", grows_again_and_again },
  { "small payloads after big ones need no other pool", small_after_big },
  { "a payload beyond max-bytes is refused with the numbers",
      beyond_max_bytes },
  { "a frame that does not fit beside a held pool is dropped, later fits",
      dropped_then_fits },
  { "growth waits for a reliable consumer", reliable_waits_for_pool },
  { "old frames give way to a growth", old_frames_give_way },
  { "a late joiner opens the pools that are there", late_joiner },
  { "what was committed before a close is read after it, in every pool",
      closed_after_growth },
};
CHECK_MAIN (tests)
