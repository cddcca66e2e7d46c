/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A successor that has adopted a block and is not published yet: nothing of it is
 * seen, and the block stays whole. */
#include "life.h"
#include "background-writer.h"

static DatahubProducer *
adopt_unpublished (const DatahubProducerOptions *options)
{
  DatahubProducer *producer = NULL;
  CHECK_OK (datahub_producer_create ("cam0", options, &producer, &err));
  CHECK (producer_stats (producer).adopted);
  return producer;
}

static void
unpublished (void)
{
  Life life = small_life (0, 5);
  DatahubConsumer *consumer = orphan_of (&life, true);
  DatahubProducer *producer = adopt_unpublished (&life.options);
  DatahubView view;
  commit_event (producer, DATAHUB_RECORD_CAPS, "new");
  commit_buffers (producer, 5, 2);
  expect_buffers (consumer, 0, 5);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_TIMEOUT);
  CHECK_INT (consumer_stats (consumer).head, ==, 5);
  CHECK_RESULT (datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS,
                    &view, &err),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK_OK (datahub_producer_publish (producer, &err));
  expect_event (consumer, DATAHUB_RECORD_CAPS, "new");
  expect_buffers (consumer, 5, 2);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
never_published (void)
{
  Life life = small_life (0, 5);
  DatahubConsumer *consumer = orphan_of (&life, true);
  DatahubProducer *producer = adopt_unpublished (&life.options);
  commit_buffers (producer, 77, 3);
  datahub_producer_close (producer);
  /* As dead as it was, and as good for the next one. */
  expect_buffers (consumer, 0, 5);
  expect_outcome (consumer, DATAHUB_PRODUCER_LOST);
  producer = adopt_block (3);
  commit_buffers (producer, 5, 2);
  expect_buffers (consumer, 5, 2);
  datahub_producer_close (producer);
  expect_outcome (consumer, DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
  /* With nobody attached there is no reason to leave it. */
  leave_dead (&life);
  datahub_producer_close (adopt_unpublished (&life.options));
  CHECK_INT (check_count_files (), ==, 0);
}

static void
fills_the_ring_unpublished (void)
{
  Life life = small_life (0, 8);
  DatahubConsumer *consumer = orphan_of (&life, true);
  DatahubProducer *producer = adopt_unpublished (&life.options);
  BackgroundWriter writing = { producer, 8, 40 };
  CheckThread *thread = background_writer_start (&writing);
  /* Eight wait behind the eight; the rest could never be read otherwise. */
  expect_buffers (consumer, 0, 48);
  check_thread_join (thread);
  CHECK_OK (datahub_producer_publish (producer, &err));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
live_unpublished (CheckParent *parent)
{
  const Life *life = parent->data;
  DatahubProducer *producer = adopt_unpublished (&life->options);
  commit_buffers (producer, life->first, life->n);
  check_ready (parent);
  check_until_killed (parent);
}

/* Four slots, one of them held: what comes next does not fit unseen. */
static void
short_of_slots_unpublished (void)
{
  Life life = small_life (0, 1), next = small_life (1, 4);
  life.options.slots = life.options.ring_size = 4;
  next.options = life.options;
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held = read_record (consumer);
  check_kill (&child);
  child = check_fork_ready (live_unpublished, &next);
  check_kill (&child);
  /* What was retired had been shown, so the block is whole. */
  DatahubProducer *producer = producer_new ("cam0", &life.options);
  CHECK (producer_stats (producer).adopted);
  check_buffer (&held, 0, 1000);
  datahub_consumer_end_read (consumer, &held);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "nothing is seen before the publication", unpublished },
  { "a successor that was never published leaves the block as it was",
      never_published },
  { "a ring full of what is not published is shown",
      fills_the_ring_unpublished },
  { "nothing is retired before it is shown", short_of_slots_unpublished },
};
CHECK_MAIN (tests)
