/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who waits for whom, and what is lost when nobody does. */
#include "background-writer.h"

static void
lapped (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 2);
  expect_buffers (consumer, 0, 2);
  commit_buffers (producer, 2, 100);
  DatahubView view = read_record (consumer);
  CHECK_INT (view.lost, >, 0);
  CHECK_INT (view.lost, ==, view.offset - 2);
  CHECK (view.discont);
  check_buffer (&view, view.offset, 1000);
  CHECK_INT (consumer_stats (consumer).lost, ==, view.lost);
  uint64_t next = view.offset + 1;
  datahub_consumer_end_read (consumer, &view);
  for (; next < 102; next++) {
    view = read_record (consumer);
    check_buffer (&view, next, 1000);
    CHECK_INT (view.lost, ==, 0);
    CHECK (!view.discont);
    datahub_consumer_end_read (consumer, &view);
  }
  DatahubConsumerStats stats = consumer_stats (consumer);
  CHECK_INT (stats.received + stats.lost, ==, 102);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Events between the buffers must not disturb the count of lost ones. */
static void
lapped_with_events (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  uint64_t n = 0, seen = 0;
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 3 * (round % 7); i++) {
      commit_event (producer, DATAHUB_RECORD_TAGS, "tags");
      commit_buffers (producer, n++, 1 + 0);
    }
    DatahubView view;
    while (datahub_consumer_begin_read (consumer, 0, &view, &err)
        == DATAHUB_OK) {
      if (view.type == DATAHUB_RECORD_BUFFER) {
        CHECK_INT (view.lost, ==, view.offset - seen);
        seen = view.offset + 1;
      }
      datahub_consumer_end_read (consumer, &view);
    }
    DatahubConsumerStats stats = consumer_stats (consumer);
    CHECK_INT (stats.received + stats.lost, ==, n);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
lapped_delta (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 1);
  expect_buffers (consumer, 0, 1);
  for (uint64_t i = 1; i < 40; i++) {
    DatahubSlot slot;
    fill_slot (producer, i, 1000, &slot);
    DatahubCommit record = buffer_record (&slot, i, 1000);
    record.flags = i == 35 ? 0 : DATAHUB_FLAG_DELTA_UNIT;
    CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  }
  DatahubView view = read_record (consumer);
  CHECK_INT (view.offset, ==, 35);
  CHECK_INT (view.lost, ==, 34);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
attach_and_sit (CheckParent *parent)
{
  const bool *reliable = parent->data;
  DatahubConsumer *consumer =
      consumer_new ("cam0", *reliable, DATAHUB_START_OLDEST);
  check_ready (parent);
  check_hear (parent->in);
  datahub_consumer_close (consumer);
}

static void
live_never_slows (void)
{
  bool reliable = false;
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (attach_and_sit, &reliable);
  check_stop (&child);
  for (uint64_t i = 0; i < 10000; i++)
    CHECK_OK (try_commit (producer, i, 100, 0));
  CHECK_INT (producer_stats (producer).waits, ==, 0);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  check_kill (&child);
  datahub_producer_close (producer);
}

static void
reads_everything (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_ready (parent);
  for (uint64_t i = 0; i < 20000; i++) {
    DatahubView view = read_record (consumer);
    check_buffer (&view, i, 100 + i % 900);
    CHECK_INT (view.lost, ==, 0);
    datahub_consumer_end_read (consumer, &view);
  }
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
}

static void
reliable_gets_everything (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild a = check_fork (reads_everything, NULL);
  CheckChild b = check_fork (reads_everything, NULL);
  CHECK_HEAR (a.from, 1);
  CHECK_HEAR (b.from, 1);
  for (uint64_t i = 0; i < 20000; i++)
    commit_buffer (producer, i, 100 + i % 900);
  check_join (&a);
  check_join (&b);
  datahub_producer_close (producer);
}

static void
producer_waits (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  CHECK_RESULT (try_commit (producer, 8, 1000, 0), DATAHUB_TIMEOUT);
  uint64_t start = check_now_ns ();
  CHECK_RESULT (try_commit (producer, 8, 1000, 50 * CHECK_MS), DATAHUB_TIMEOUT);
  CHECK_INT (check_now_ns () - start, >=, (uint64_t) (50 * CHECK_MS));
  CHECK_INT (producer_stats (producer).waits, >, 0);
  expect_buffers (consumer, 0, 1);
  CHECK_OK (try_commit (producer, 8, 1000, 0));
  CHECK_RESULT (try_commit (producer, 9, 1000, 0), DATAHUB_TIMEOUT);
  expect_buffers (consumer, 1, 8);
  datahub_consumer_close (consumer);
  CHECK_OK (try_commit (producer, 9, 1000, 0));
  datahub_producer_close (producer);
}

static void
reading_wakes_the_producer (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  BackgroundWriter writing = { producer, 8, 1 };
  CheckThread *thread = background_writer_start (&writing);
  check_until_asleep (thread);
  expect_buffers (consumer, 0, 1);
  check_thread_join (thread);
  expect_buffers (consumer, 1, 8);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
evicted (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 100 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  uint64_t start = check_now_ns ();
  CHECK_OK (try_commit (producer, 8, 1000, SOON));
  CHECK_INT (check_now_ns () - start, >=, (uint64_t) (90 * CHECK_MS));
  CHECK_INT (producer_stats (producer).evictions, ==, 1);
  commit_buffers (producer, 9, 50);

  /* It is told; nothing it gets before that is out of order or wrong. */
  DatahubView view;
  DatahubResult result;
  uint64_t next = 0;
  while ((result = datahub_consumer_begin_read (consumer, 0, &view, &err))
      == DATAHUB_OK) {
    CHECK_INT (view.offset, ==, next);
    check_buffer (&view, next++, 1000);
    datahub_consumer_end_read (consumer, &view);
  }
  CHECK_RESULT (result, DATAHUB_EVICTED);

  CHECK_OK (datahub_consumer_rejoin (consumer, &err));
  commit_buffers (producer, 59, 1);
  view = read_record (consumer);
  CHECK_INT (view.lost, ==, view.offset - next);
  CHECK (view.discont);
  check_buffer (&view, view.offset, 1000);
  datahub_consumer_end_read (consumer, &view);
  for (uint64_t i = view.offset + 1; i < 60; i++)
    expect_buffer (consumer, i, 1000);
  DatahubConsumerStats stats = consumer_stats (consumer);
  CHECK_INT (stats.received + stats.lost, ==, 60);
  /* It is reliable again. */
  commit_buffers (producer, 60, 8);
  CHECK_RESULT (try_commit (producer, 68, 1000, 0), DATAHUB_TIMEOUT);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Leases taken before the eviction hold after it. */
static void
evicted_lease (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 50 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 4);
  DatahubView held = read_record (consumer);
  commit_buffers (producer, 4, 300);
  CHECK_INT (producer_stats (producer).evictions, ==, 1);
  check_buffer (&held, 0, 1000);
  datahub_consumer_end_read (consumer, &held);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* It has read everything, and keeps what the producer needs. */
static void
evicted_hoarder (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_bytes = 16 * 4096;
  options.block_timeout_ns = 50 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", true, 4);
  DatahubView views[4], none;
  DatahubSlot loans[16];
  uint32_t n = 0;
  for (uint32_t i = 0; i < 4; i++) {
    commit_buffer (producer, i, 1000);
    views[i] = read_record (consumer);
  }
  while (datahub_producer_acquire_slot (producer, 1, SOON, &loans[n], &err)
      == DATAHUB_OK)
    n++;
  CHECK_INT (producer_stats (producer).evictions, ==, 1);
  CHECK_OK (datahub_consumer_wait (consumer, SOON));
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &none, &err),
      DATAHUB_EVICTED);
  for (uint32_t i = 0; i < 4; i++) {
    check_buffer (&views[i], i, 1000);
    datahub_consumer_end_read (consumer, &views[i]);
  }
  for (uint32_t i = 0; i < n; i++)
    datahub_producer_abort (producer, &loans[i]);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
never_evicted (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = -1;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  CHECK_RESULT (try_commit (producer, 8, 1000, 300 * CHECK_MS),
      DATAHUB_TIMEOUT);
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  expect_buffers (consumer, 0, 8);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* One slow reliable consumer among live ones: the live ones lose nothing that
 * the ring still holds, the slow one nothing at all. */
static void
killed_reliable (void)
{
  bool reliable = true;
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (attach_and_sit, &reliable);
  commit_buffers (producer, 0, 8);
  CHECK_RESULT (try_commit (producer, 8, 1000, 0), DATAHUB_TIMEOUT);
  check_kill (&child);
  uint64_t start = check_now_ns ();
  commit_buffers (producer, 8, 1);
  /* By the kernel's lock, long before any block-timeout. */
  CHECK_INT (check_now_ns () - start, <, (uint64_t) SOON / 10);
  CHECK_INT (producer_stats (producer).reaped, ==, 1);
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  commit_buffers (producer, 9, 100);
  datahub_producer_close (producer);
}

static void
flushed (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 6);
  expect_buffers (live, 0, 2);
  expect_buffers (reliable, 0, 2);
  CHECK_OK (datahub_producer_flush (producer));
  commit_buffers (producer, 6, 2);
  /* Live skips what was before the flush, and it is not lost. */
  DatahubView view = read_record (live);
  check_buffer (&view, 6, 1000);
  CHECK (view.flushed && view.discont);
  CHECK_INT (view.lost, ==, 0);
  datahub_consumer_end_read (live, &view);
  CHECK_INT (consumer_stats (live).lost, ==, 0);
  expect_buffers (live, 7, 1);
  /* Reliable drains, and is told where the flush was. */
  expect_buffers (reliable, 2, 4);
  view = read_record (reliable);
  check_buffer (&view, 6, 1000);
  CHECK (view.flushed && view.discont);
  datahub_consumer_end_read (reliable, &view);
  view = read_record (reliable);
  CHECK (!view.flushed && !view.discont);
  datahub_consumer_end_read (reliable, &view);
  datahub_consumer_close (live);
  datahub_consumer_close (reliable);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a lapped live consumer knows exactly what it lost", lapped },
  { "events do not disturb the count of lost buffers", lapped_with_events },
  { "a lapped consumer of delta units resumes at a key frame", lapped_delta },
  { "a stopped live consumer never slows the producer", live_never_slows },
  { "reliable consumers get everything", reliable_gets_everything },
  { "the producer waits for a reliable consumer, with a timeout",
      producer_waits },
  { "reading wakes the waiting producer", reading_wakes_the_producer },
  { "a blocking consumer is evicted, told, and rejoins with exact loss",
      evicted },
  { "leases taken before an eviction hold after it", evicted_lease },
  { "who has read everything and is evicted for what it holds hears of it",
      evicted_hoarder },
  { "without block-timeout nobody is evicted", never_evicted },
  { "a killed reliable consumer frees the producer", killed_reliable },
  { "a flush: live skips, reliable drains, both are told", flushed },
};
CHECK_MAIN (tests)
