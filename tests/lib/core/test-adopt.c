/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer dies and its successor goes on with the block, while consumers stay
 * attached. What does not fit is replaced, as test-lifecycle.c has it. */
#include "life.h"
#include "background-writer.h"

#include <string.h>

static void
goes_on (void)
{
  Life life = small_life (0, 5);
  CheckChild child = start_life (&life);
  DatahubConsumer *live_one =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  char uuid[DATAHUB_UUID_TEXT];
  strcpy (uuid, datahub_consumer_get_uuid (live_one));
  check_kill (&child);
  expect_buffers (live_one, 0, 5);
  expect_outcome (live_one, DATAHUB_PRODUCER_LOST);

  DatahubProducer *producer = adopt_block (2);
  CHECK_STR (datahub_producer_get_uuid (producer), uuid);
  CHECK_INT (producer_stats (producer).commits, ==, 5);
  CHECK_INT (commit_event (producer, DATAHUB_RECORD_CAPS, "new"), ==, 5);
  commit_buffers (producer, 5, 3);
  DatahubView view = read_record (live_one);
  check_event (&view, DATAHUB_RECORD_CAPS, "new");
  CHECK (view.discont);
  CHECK_INT (view.incarnation, ==, 2);
  CHECK_INT (view.lost, ==, 0);
  datahub_consumer_end_read (live_one, &view);
  view = read_record (live_one);
  CHECK (!view.discont);
  CHECK_INT (view.ordinal, ==, 5);
  datahub_consumer_end_read (live_one, &view);
  expect_buffers (live_one, 6, 2);
  CHECK_INT (consumer_stats (live_one).lost, ==, 0);
  CHECK_INT (consumer_stats (live_one).received, ==, 8);
  datahub_consumer_close (live_one);
  datahub_producer_close (producer);
}

static void
ring_kept (void)
{
  Life life = small_life (0, 6);
  leave_dead (&life);
  DatahubProducer *producer = adopt_block (2);
  DatahubConsumer *oldest = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *latest = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubConsumer *key = consumer_new ("cam0", false, DATAHUB_START_KEYFRAME);
  commit_buffers (producer, 6, 1);
  expect_buffers (oldest, 0, 7);
  /* Who wants what is new gets nothing of the dead. */
  expect_buffers (latest, 6, 1);
  expect_buffers (key, 6, 1);
  datahub_consumer_close (oldest);
  datahub_consumer_close (latest);
  datahub_consumer_close (key);
  datahub_producer_close (producer);
}

static void
reliable_loses_nothing (void)
{
  Life life = small_life (0, 8);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 2);
  check_kill (&child);
  DatahubProducer *producer = adopt_block (2);
  BackgroundWriter writing = { producer, 8, 100 };
  CheckThread *thread = background_writer_start (&writing);
  /* The ring is full of what it has not read: the successor waits for it. */
  check_until_asleep (thread);
  expect_buffers (consumer, 2, 106);
  check_thread_join (thread);
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
exact_loss (void)
{
  Life life = small_life (0, 5);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 2);
  check_kill (&child);
  DatahubProducer *producer = adopt_block (2);
  commit_buffers (producer, 5, 95);
  DatahubView view = read_record (consumer);
  CHECK_INT (view.offset, ==, view.ordinal);
  CHECK_INT (view.lost, ==, view.ordinal - 2);
  CHECK (view.discont);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
many_lives (void)
{
  Life life = small_life (0, 3);
  CheckChild child = start_life (&life);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *live_one =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held = read_record (live_one);
  datahub_consumer_hold (live_one, &held);
  datahub_consumer_end_read (live_one, &held);
  for (uint64_t i = 1; i < 30; i++) {
    check_kill (&child);
    life.first = 3 * i;
    child = start_life (&life);
    expect_buffers (reliable, 3 * (i - 1), 3);
    expect_buffers (live_one, 3 * (i - 1) + (i == 1), i == 1 ? 2 : 3);
  }
  check_kill (&child);
  DatahubProducer *producer = adopt_block (31);
  CHECK_INT (producer_stats (producer).commits, ==, 90);
  expect_buffers (reliable, 87, 3);
  check_buffer (&held, 0, 1000);
  datahub_consumer_end_read (live_one, &held);
  datahub_consumer_close (live_one);
  datahub_consumer_close (reliable);
  datahub_producer_close (producer);
}

static void
dies_with_a_lock (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubSpinlock *lock;
  CHECK_OK (datahub_producer_open_spinlock (producer, 3, &lock, &err));
  CHECK_OK (datahub_spinlock_lock (lock, 0));
  check_ready (parent);
  check_until_killed (parent);
}

static void
locks_of_the_dead (void)
{
  CheckChild child = check_fork_ready (dies_with_a_lock, NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSpinlock *lock;
  check_kill (&child);
  /* Byte 0 is held again, but not by who had the lock. */
  DatahubProducer *producer = adopt_block (2);
  CHECK_OK (datahub_consumer_open_spinlock (consumer, 3, &lock, &err));
  CHECK_RESULT (datahub_spinlock_lock (lock, SOON), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
watched (void)
{
  Life life = small_life (0, 1);
  leave_dead (&life);
  DatahubWatch *watch = datahub_watch_new ("cam0");
  check_keep_fds (CHECK_FDS_OF_WATCHES);
  CHECK (watch != NULL);
  DatahubProducer *producer = adopt_block (2);
  /* Well before the rescan. */
  CHECK_OK (datahub_watch_wait (watch, 500 * CHECK_MS));
  datahub_watch_free (watch);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a successor goes on with the block and its consumers", goes_on },
  { "the ring is kept; who joins late begins with the successor", ring_kept },
  { "a reliable consumer loses nothing that was committed",
      reliable_loses_nothing },
  { "a live consumer is told its loss exactly, across both producers",
      exact_loss },
  { "thirty producers die one after the other under their consumers",
      many_lives },
  { "user locks of the dead producer are not the successor's",
      locks_of_the_dead },
  { "who watches the name is told", watched },
};
CHECK_MAIN (tests)
