/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When records run out, not slots: more slots would not help. */
#include "fixture.h"

static DatahubResult
try_event (DatahubProducer *producer, int64_t timeout_ns)
{
  DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_GAP,
    .pts = 1 };
  return datahub_producer_commit (producer, &record, timeout_ns, NULL, &err);
}

static DatahubProducerOptions
few_records (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_consumers = 1;
  options.max_pinned = 1;
  return options;
}

/* Holds all that comes, until nothing comes any more. */
static uint32_t
hold_all (DatahubProducer *producer, DatahubConsumer *consumer,
    DatahubView views[1000], DatahubResult *last)
{
  uint32_t n = 0;
  for (; n < 1000; n++) {
    *last = try_event (producer, 0);
    if (*last != DATAHUB_OK)
      break;
    views[n] = read_record (consumer);
  }
  return n;
}

static void
held_by_a_live_one (void)
{
  static DatahubView views[1000];
  DatahubProducerOptions options = few_records ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubResult last;
  uint64_t before = producer_stats (producer).bytes_used;
  uint32_t n = hold_all (producer, consumer, views, &last);
  CHECK_INT (n, <, 1000);
  CHECK_RESULT (last, DATAHUB_DROPPED);
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  CHECK_INT (producer_stats (producer).bytes_used, ==, before);
  /* and the others still find something in the ring */
  DatahubIndices indices;
  datahub_producer_get_indices (producer, &indices);
  CHECK_INT (indices.write_index - indices.oldest_index, >=, 2);
  datahub_consumer_end_read (consumer, &views[0]);
  CHECK_OK (try_event (producer, 0));
  for (uint32_t i = 1; i < n; i++)
    datahub_consumer_end_read (consumer, &views[i]);
  commit_buffers (producer, 0, 20);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void *
lets_go (void *data)
{
  DatahubConsumer *consumer = ((void **) data)[0];
  datahub_consumer_end_read (consumer, ((void **) data)[1]);
  return NULL;
}

/* A reliable one is waited for. */
static void
held_by_a_reliable_one (void)
{
  static DatahubView views[1000];
  DatahubProducerOptions options = few_records ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubResult last;
  uint32_t n = hold_all (producer, consumer, views, &last);
  CHECK_INT (n, <, 1000);
  CHECK_RESULT (last, DATAHUB_TIMEOUT);
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  void *data[] = { consumer, &views[0] };
  CheckThread *thread = check_thread (lets_go, data);
  CHECK_OK (try_event (producer, SOON));
  check_thread_join (thread);
  for (uint32_t i = 1; i < n; i++)
    datahub_consumer_end_read (consumer, &views[i]);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Nothing that a live one keeps as well is waited for. */
static void
held_by_both (void)
{
  static DatahubView views[1000], others[1000];
  DatahubProducerOptions options = few_records ();
  DatahubProducer *producer;
  DatahubConsumer *reliable, *live;
  DatahubResult last = DATAHUB_OK;
  uint32_t n = 0;
  options.max_consumers = 2;
  producer = producer_new ("cam0", &options);
  reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  for (; n < 1000 && (last = try_event (producer, 0)) == DATAHUB_OK; n++) {
    views[n] = read_record (reliable);
    others[n] = read_record (live);
  }
  CHECK_INT (n, <, 1000);
  CHECK_RESULT (last, DATAHUB_DROPPED);
  for (uint32_t i = 0; i < n; i++)
    datahub_consumer_end_read (live, &others[i]);
  /* now it is the reliable one alone */
  CHECK_RESULT (try_event (producer, 0), DATAHUB_TIMEOUT);
  for (uint32_t i = 0; i < n; i++)
    datahub_consumer_end_read (reliable, &views[i]);
  CHECK_OK (try_event (producer, 0));
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  datahub_consumer_close (live);
  datahub_consumer_close (reliable);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "records that a live consumer keeps make nothing grow",
      held_by_a_live_one },
  { "records that a reliable consumer keeps are waited for",
      held_by_a_reliable_one },
  { "records that a live consumer keeps as well are not waited for",
      held_by_both },
};
CHECK_MAIN (tests)
