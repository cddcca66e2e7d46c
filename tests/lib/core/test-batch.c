/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several records in one commit. */
#include "fixture.h"

#include <sched.h>
#include <stdlib.h>

#define BATCH 4

static DatahubProducerOptions
wide_options (void)
{
  DatahubProducerOptions options = small_options ();
  options.slots = 32;
  options.ring_size = 16;
  return options;
}

static DatahubResult
try_batch (DatahubProducer *producer, uint64_t first, int64_t timeout_ns)
{
  DatahubSlot slots[BATCH];
  DatahubCommit records[BATCH];
  for (uint32_t i = 0; i < BATCH; i++) {
    fill_slot (producer, first + i, 1000, &slots[i]);
    records[i] = buffer_record (&slots[i], first + i, 1000);
  }
  uint64_t sequence = DATAHUB_NONE;
  DatahubResult result = datahub_producer_commit_batch (producer, records,
      BATCH, timeout_ns, &sequence, &err);
  if (result == DATAHUB_OK)
    CHECK_INT (sequence, ==, first);
  else
    for (uint32_t i = 0; i < BATCH; i++)
      datahub_producer_abort (producer, &slots[i]);
  return result;
}

static void
together (void)
{
  DatahubProducerOptions options = wide_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  CHECK_OK (try_batch (producer, 0, SOON));
  CHECK_INT (consumer_stats (consumer).head, ==, BATCH);
  expect_buffers (consumer, 0, BATCH);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Watches the head while the producer commits batches; it must never stand
 * inside one. */
static void
watch_head (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_ready (parent);
  for (uint64_t head = 0; head < 2000 * BATCH;) {
    head = consumer_stats (consumer).head;
    CHECK_INT (head % BATCH, ==, 0);
    DatahubView view;
    while (datahub_consumer_begin_read (consumer, 0, &view, &err) == DATAHUB_OK)
      datahub_consumer_end_read (consumer, &view);
    sched_yield (); /* the producer gets on, also on one processor */
  }
  datahub_consumer_close (consumer);
}

static void
never_half (void)
{
  DatahubProducerOptions options = wide_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  CheckChild child = check_fork_ready (watch_head, NULL);
  for (uint64_t i = 0; i < 2000; i++)
    CHECK_OK (try_batch (producer, i * BATCH, SOON));
  check_join (&child);
  datahub_producer_close (producer);
}

static void
no_room (void)
{
  DatahubProducerOptions options = wide_options ();
  options.block_timeout_ns = -1;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 16 - BATCH + 1);
  CHECK_RESULT (try_batch (producer, 13, 0), DATAHUB_TIMEOUT);
  CHECK_INT (consumer_stats (consumer).head, ==, 13);
  /* One place more, and it fits: nothing of the first try was left over. */
  expect_buffers (consumer, 0, 1);
  CHECK_OK (try_batch (producer, 13, 0));
  expect_buffers (consumer, 1, 16);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
too_big (void)
{
  DatahubProducerOptions options = wide_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  uint32_t max = datahub_producer_get_batch_max (producer);
  CHECK_INT (max, ==, 8);
  DatahubCommit *records = calloc (max + 1, sizeof *records);
  DatahubSlot *slots = calloc (max + 1, sizeof *slots);
  for (uint32_t i = 0; i <= max; i++) {
    fill_slot (producer, i, 10, &slots[i]);
    records[i] = buffer_record (&slots[i], i, 10);
  }
  CHECK_RESULT (datahub_producer_commit_batch (producer, records, max + 1, 0,
                    NULL, &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_CONTAINS (err.message, "9");
  CHECK_CONTAINS (err.message, "8");
  CHECK_INT (producer_stats (producer).records, ==, 0);
  CHECK_OK (datahub_producer_commit_batch (producer, records, max, 0, NULL,
      &err));
  CHECK_INT (producer_stats (producer).records, ==, max);
  datahub_producer_abort (producer, &slots[max]);
  free (records);
  free (slots);
  datahub_producer_close (producer);
}

static void
mixed (void)
{
  DatahubProducerOptions options = wide_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  fill_slot (producer, 0, 1000, &slot);
  DatahubCommit records[] = {
    event_record (DATAHUB_RECORD_CAPS, "caps"),
    buffer_record (&slot, 0, 1000),
    event_record (DATAHUB_RECORD_EOS, "eos"),
  };
  CHECK_OK (datahub_producer_commit_batch (producer, records, 3, 0, NULL,
      &err));
  expect_event (consumer, DATAHUB_RECORD_CAPS, "caps");
  DatahubView view = read_record (consumer);
  check_buffer (&view, 0, 1000);
  /* The caps of its own batch are already its context. */
  CHECK_INT (view.context[DATAHUB_CONTEXT_CAPS], ==, 0);
  datahub_consumer_end_read (consumer, &view);
  expect_event (consumer, DATAHUB_RECORD_EOS, "eos");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a batch arrives in order", together },
  { "another process never sees half a batch", never_half },
  { "a batch without room leaves nothing of itself", no_room },
  { "a batch longer than half the ring is refused with the numbers", too_big },
  { "events and buffers share a batch", mixed },
};
CHECK_MAIN (tests)
