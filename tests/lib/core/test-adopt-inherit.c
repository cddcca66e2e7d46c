/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a successor inherits of a dead producer: all that was committed and what is
 * leased of it, with its pools and contexts; nothing that was half done. */
#include "life.h"

static void
uncommitted_invisible (void)
{
  Life life = small_life (0, 3);
  life.dies_filling = true;
  DatahubConsumer *consumer = orphan_of (&life, true);
  DatahubProducer *producer = adopt_block (2);
  CHECK_INT (consumer_stats (consumer).head, ==, 3);
  expect_buffers (consumer, 0, 3);
  /* Three slots are in the ring; those it was filling are free. */
  CHECK_INT (producer_stats (producer).free_slots, ==, 13);
  commit_buffers (producer, 3, 5);
  expect_buffers (consumer, 3, 5);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
leases_survive (void)
{
  Life life = small_life (0, 8);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held[4];
  for (uint64_t i = 0; i < 4; i++)
    held[i] = read_record (consumer);
  check_kill (&child);
  DatahubProducer *producer = adopt_block (2);
  commit_buffers (producer, 100, 500);
  for (uint64_t i = 0; i < 4; i++)
    check_buffer (&held[i], i, 1000);
  /* Back they come when the leases end, and not before. */
  CHECK_INT (producer_stats (producer).slots, ==, 16);
  for (uint64_t i = 0; i < 4; i++)
    datahub_consumer_end_read (consumer, &held[i]);
  commit_buffers (producer, 600, 20);
  DatahubSlot slots[7];
  for (int i = 0; i < 7; i++)
    CHECK_OK (datahub_producer_acquire_slot (producer, 1000, 0, &slots[i],
        &err));
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  for (int i = 0; i < 7; i++)
    datahub_producer_abort (producer, &slots[i]);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
laps_the_leased (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_event (producer, DATAHUB_RECORD_CAPS, "first");
  commit_buffers (producer, 0, 4);
  check_ready (parent);
  check_hear (parent->in);
  /* What is leased leaves the ring; its records are in limbo. */
  commit_event (producer, DATAHUB_RECORD_CAPS, "second");
  commit_buffers (producer, 4, 40);
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

static void
limbo_is_inherited (void)
{
  CheckChild child = check_fork_ready (laps_the_leased, NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held[4], caps;
  expect_event (consumer, DATAHUB_RECORD_CAPS, "first");
  for (int i = 0; i < 4; i++)
    held[i] = read_record (consumer);
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  check_kill (&child);
  DatahubProducer *producer = adopt_block (2);
  for (uint64_t i = 0; i < 200; i++) {
    commit_event (producer, DATAHUB_RECORD_CAPS, "later");
    commit_buffers (producer, 1000 + i, 1);
  }
  for (uint64_t i = 0; i < 4; i++) {
    check_buffer (&held[i], i, 1000);
    /* What it stands in is in use as long as it is. */
    CHECK_OK (datahub_consumer_get_context (consumer, &held[i],
        DATAHUB_CONTEXT_CAPS, &caps, &err));
    check_event (&caps, DATAHUB_RECORD_CAPS, "first");
    datahub_consumer_end_read (consumer, &held[i]);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
sticky_survive (void)
{
  Life life = small_life (0, 20);
  life.caps = true;
  leave_dead (&life);
  DatahubProducer *producer = adopt_block (2);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubView view;
  expect_sticky (consumer, DATAHUB_RECORD_CAPS, "caps 0");
  /* What is committed now stands in them, until there are others. */
  commit_buffers (producer, 20, 1);
  view = read_record (consumer);
  DatahubView caps;
  CHECK_OK (datahub_consumer_get_context (consumer, &view, DATAHUB_CONTEXT_CAPS,
      &caps, &err));
  check_event (&caps, DATAHUB_RECORD_CAPS, "caps 0");
  datahub_consumer_end_read (consumer, &view);
  commit_event (producer, DATAHUB_RECORD_CAPS, "new");
  commit_buffers (producer, 21, 1);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "new");
  view = read_record (consumer);
  CHECK_OK (datahub_consumer_get_context (consumer, &view, DATAHUB_CONTEXT_CAPS,
      &caps, &err));
  check_event (&caps, DATAHUB_RECORD_CAPS, "new");
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
ends_its_stream (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 2);
  commit_event (producer, DATAHUB_RECORD_EOS, "");
  check_ready (parent);
  check_until_killed (parent);
}

static void
eos_is_over (void)
{
  CheckChild child = check_fork_ready (ends_its_stream, NULL);
  DatahubConsumer *early = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_kill (&child);
  DatahubProducer *producer = adopt_block (2);
  DatahubConsumer *late = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  DatahubView view;
  CHECK_RESULT (datahub_consumer_read_sticky (late, DATAHUB_RECORD_EOS, &view,
                    &err),
      DATAHUB_ERROR_NOT_FOUND);
  /* It did happen for who was there. */
  expect_buffers (early, 0, 2);
  expect_event (early, DATAHUB_RECORD_EOS, "");
  datahub_consumer_close (early);
  datahub_consumer_close (late);
  datahub_producer_close (producer);
}

static void
grows_twice (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 1);
  commit_buffer (producer, 1, 20000);
  check_ready (parent);
  check_hear (parent->in);
  commit_buffer (producer, 2, 50000);
  commit_buffer (producer, 3, 60000);
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

static void
grown_pools (void)
{
  CheckChild child = check_fork_ready (grows_twice, NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView held[2] = { read_record (consumer), read_record (consumer) };
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  check_kill (&child);
  DatahubProducer *producer = adopt_block (2);
  CHECK_INT (datahub_producer_get_slot_size (producer), >=, 60000);
  /* the predecessor's; none is needed for this size */
  CHECK_INT (producer_stats (producer).growths, ==, 3);
  commit_buffer (producer, 4, 60000);
  CHECK_INT (producer_stats (producer).growths, ==, 3);
  expect_buffer (consumer, 2, 50000);
  expect_buffer (consumer, 3, 60000);
  expect_buffer (consumer, 4, 60000);
  check_buffer (&held[0], 0, 1000);
  check_buffer (&held[1], 1, 20000);
  datahub_consumer_end_read (consumer, &held[0]);
  datahub_consumer_end_read (consumer, &held[1]);
  /* With the leases the old pools go, files and all. */
  for (uint64_t i = 5; i < 25; i++) {
    commit_buffer (producer, i, 60000);
    expect_buffer (consumer, i, 60000);
  }
  DatahubBlockInfo info;
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  CHECK_INT (info.n_pools, ==, 2);
  CHECK_INT (check_count_files (), ==, 6);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
grows_after (void)
{
  Life life = small_life (0, 4);
  DatahubConsumer *consumer = orphan_of (&life, true);
  /* It asks for bigger slots: no reason not to go on. */
  DatahubProducerOptions options = small_options ();
  options.slot_size = 100000;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CHECK (producer_stats (producer).adopted);
  commit_buffer (producer, 4, 100000);
  commit_buffer (producer, 5, 1000);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  expect_buffers (consumer, 0, 4);
  expect_buffer (consumer, 4, 100000);
  expect_buffer (consumer, 5, 1000);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
packed (void)
{
  Life life = small_life (0, 6);
  life.options.pack = true;
  life.size = 500; /* six in one slot, which is not full */
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held[6];
  for (int i = 0; i < 6; i++)
    held[i] = read_record (consumer);
  check_kill (&child);
  DatahubProducer *producer = producer_new ("cam0", &life.options);
  CHECK (producer_stats (producer).adopted);
  for (uint64_t i = 6; i < 500; i++) {
    commit_buffer (producer, i, 500);
    if (i % 50 == 7 && i / 50 < 6) { /* they end one by one */
      check_buffer (&held[i / 50], i / 50, 500);
      datahub_consumer_end_read (consumer, &held[i / 50]);
    }
    for (uint64_t k = i / 50 + 1; k < 6; k++)
      check_buffer (&held[k], k, 500);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
batches (void)
{
  Life life = small_life (0, 7);
  DatahubConsumer *consumer = orphan_of (&life, true);
  DatahubProducer *producer = adopt_block (2);
  expect_buffers (consumer, 0, 7);
  for (uint64_t round = 0; round < 20; round++) {
    DatahubSlot slots[4];
    DatahubCommit records[4];
    for (uint64_t i = 0; i < 4; i++) {
      fill_slot (producer, 7 + 4 * round + i, 900, &slots[i]);
      records[i] = buffer_record (&slots[i], 7 + 4 * round + i, 900);
    }
    uint64_t first = 0;
    CHECK_OK (datahub_producer_commit_batch (producer, records, 4, SOON, &first,
        &err));
    CHECK_INT (first, ==, 7 + 4 * round);
    for (uint64_t i = 0; i < 4; i++)
      expect_buffer (consumer, 7 + 4 * round + i, 900);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "what was not committed is invisible and its slots are free",
      uncommitted_invisible },
  { "leases survive, and their slots are not written to", leases_survive },
  { "slots and contexts of records that left the ring stay while pinned",
      limbo_is_inherited },
  { "sticky records survive and are the context of what follows",
      sticky_survive },
  { "an end of the stream does not end the successor's", eos_is_over },
  { "pools of a block that has grown are taken over, and go in time",
      grown_pools },
  { "a successor with bigger frames grows the block", grows_after },
  { "a slot that was partly packed is never appended to", packed },
  { "batches follow", batches },
};
CHECK_MAIN (tests)
