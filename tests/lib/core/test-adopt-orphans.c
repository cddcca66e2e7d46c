/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consumers of a dead producer, until somebody comes: they wait, are told, can be
 * interrupted, and may be dead themselves. */
#include "holder.h"
#include "life.h"

#include <unistd.h>

static void *
read_for_ever (void *data)
{
  DatahubView view;
  DatahubResult result =
      datahub_consumer_begin_read (data, DATAHUB_FOREVER, &view, NULL);
  if (result == DATAHUB_OK)
    datahub_consumer_end_read (data, &view);
  return (void *) (uintptr_t) result;
}

static DatahubConsumer *
wait_beside_dead (void)
{
  Life life = small_life (0, 2);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 2);
  check_kill (&child);
  expect_outcome (consumer, DATAHUB_PRODUCER_LOST);
  return consumer;
}

static void
waits_for_a_successor (void)
{
  DatahubConsumer *consumer = wait_beside_dead ();
  DatahubView view;
  /* Told once; then it sleeps like beside an idle producer. */
  uint64_t waits = consumer_stats (consumer).waits;
  uint64_t start = check_now_ns ();
  for (int i = 0; i < 3; i++) {
    CHECK_RESULT (datahub_consumer_wait (consumer, 100 * CHECK_MS),
        DATAHUB_TIMEOUT);
    CHECK_RESULT (datahub_consumer_begin_read (consumer, 100 * CHECK_MS, &view,
                      &err),
        DATAHUB_TIMEOUT);
  }
  CHECK_INT (check_now_ns () - start, >=, 600 * CHECK_MS);
  /* a few of 100 ms each; of 20 ms where there is no futex_waitv() */
  CHECK_INT (consumer_stats (consumer).waits - waits, <=, 45);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_TIMEOUT);

  CheckThread *thread = check_thread (read_for_ever, consumer);
  check_until_asleep (thread);
  datahub_consumer_set_interrupted (consumer, true);
  CHECK_INT ((uintptr_t) check_thread_join (thread), ==, DATAHUB_INTERRUPTED);
  datahub_consumer_set_interrupted (consumer, false);

  thread = check_thread (read_for_ever, consumer);
  check_until_asleep (thread);
  Life life = small_life (2, 2);
  CheckChild child = start_life (&life);
  CHECK_INT ((uintptr_t) check_thread_join (thread), ==, DATAHUB_OK);
  expect_buffers (consumer, 3, 1);
  check_kill (&child);
  datahub_consumer_close (consumer);
}

static void
each_death_is_told (void)
{
  Life life = small_life (0, 1);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 1);
  check_kill (&child);
  expect_outcome (consumer, DATAHUB_PRODUCER_LOST);
  life.n = 0;
  leave_dead (&life);
  /* Another one came and died, without a record. */
  expect_outcome (consumer, DATAHUB_PRODUCER_LOST);
  datahub_consumer_close (consumer);
}

static void
replaced_meanwhile (void)
{
  DatahubConsumer *consumer = wait_beside_dead ();
  CheckThread *thread = check_thread (read_for_ever, consumer);
  check_until_asleep (thread);
  Life life = small_life (0, 1);
  life.options.adopt = false;
  leave_dead (&life);
  CHECK_INT ((uintptr_t) check_thread_join (thread), ==, DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer_new ("cam0", NULL));
}

/* Somebody took the name away, and told nobody. */
static void
name_gone_meanwhile (void)
{
  DatahubConsumer *consumer = wait_beside_dead ();
  CheckThread *thread = check_thread (read_for_ever, consumer);
  check_until_asleep (thread);
  CHECK (unlink (check_find_file ("-cam0")) == 0);
  CHECK_INT ((uintptr_t) check_thread_join (thread), ==, DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
}

static void
both_killed (void)
{
  const Holder holder = { .reliable = true, .records = 3 };
  Life life = small_life (0, 8);
  CheckChild producer_child = start_life (&life);
  CheckChild consumer_child = check_fork_ready (hold_on, &holder);
  check_kill (&consumer_child);
  check_kill (&producer_child);
  /* Without a consumer the dead block is adopted all the same, */
  DatahubProducer *producer = adopt_block (2);
  DatahubConsumerInfo infos[4];
  CHECK_INT (producer_stats (producer).reaped, ==, 1);
  CHECK_INT (datahub_producer_list_consumers (producer, infos, 4), ==, 0);
  /* and its gate and pins are gone: nobody is waited for. */
  for (uint64_t i = 8; i < 100; i++)
    CHECK_OK (try_commit (producer, i, 1000, 0));
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a consumer waits for a successor, asleep, and can be interrupted",
      waits_for_a_successor },
  { "each death is told once", each_death_is_told },
  { "a consumer that waits is told when the block is replaced",
      replaced_meanwhile },
  { "a consumer that waits is told when the name is gone",
      name_gone_meanwhile },
  { "consumers that died with the producer are cleaned away", both_killed },
};
CHECK_MAIN (tests)
