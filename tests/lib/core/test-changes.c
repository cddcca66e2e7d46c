/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of the consumer table, as the producer takes them: each consumer has its own
 * end, also if another one has its row already. */
#include "fixture.h"
#include "holder.h"

#include <string.h>

#define MOST 8

static const Holder idle = { .reliable = true };

static DatahubConsumerChange changes[MOST];

static uint32_t
take (DatahubProducer *producer)
{
  memset (changes, 0xa5, sizeof changes);
  return datahub_producer_take_changes (producer, changes, MOST);
}

static void
expect_one (DatahubProducer *producer, DatahubChange event)
{
  CHECK_INT (take (producer), ==, 1);
  CHECK_INT (changes[0].event, ==, event);
  CHECK_INT (changes[0].reserved[0], ==, 0);
}

static DatahubProducer *
producer_for (uint32_t max_consumers)
{
  DatahubProducerOptions options = small_options ();
  options.max_consumers = max_consumers;
  return producer_new ("cam0", &options);
}

static void
comes_and_goes (void)
{
  DatahubProducer *producer = producer_for (2);
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  uint64_t id;
  datahub_consumer_options_init (&options);
  options.name = "preview";
  CHECK_INT (take (producer), ==, 0);
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  expect_one (producer, DATAHUB_CHANGE_JOINED);
  CHECK_STR (changes[0].name, "preview");
  id = changes[0].id;
  CHECK_INT (take (producer), ==, 0);
  datahub_consumer_close (consumer);
  expect_one (producer, DATAHUB_CHANGE_LEFT);
  CHECK (changes[0].id == id);
  CHECK_STR (changes[0].name, "preview");
  CHECK_INT (take (producer), ==, 0);
  datahub_producer_close (producer);
}

/* Two changes of one row: the end of @end and the newcomer. */
static void
expect_successor (DatahubProducer *producer, DatahubChange end, uint64_t *id)
{
  CHECK_INT (take (producer), ==, 2);
  CHECK_INT (changes[0].event, ==, end);
  CHECK (changes[0].id == *id);
  CHECK_INT (changes[1].event, ==, DATAHUB_CHANGE_JOINED);
  CHECK (changes[1].id != *id);
  *id = changes[1].id;
}

static void
row_is_taken_at_once (void)
{
  DatahubProducer *producer = producer_for (1);
  uint64_t id = 0;
  for (int round = 0; round < 10; round++) {
    CheckChild child = check_fork_ready (hold_on, &idle);
    DatahubConsumer *consumer;
    if (round > 0) {
      expect_successor (producer, DATAHUB_CHANGE_LEFT, &id);
    } else {
      expect_one (producer, DATAHUB_CHANGE_JOINED);
      id = changes[0].id;
    }
    check_kill (&child);
    consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
    expect_successor (producer, DATAHUB_CHANGE_DIED, &id);
    datahub_consumer_close (consumer);
  }
  datahub_producer_close (producer);
}

/* Several owners of the row between two looks: that of the first is the one that is
 * known. */
static void
row_is_taken_again_and_again (void)
{
  DatahubProducer *producer = producer_for (1);
  CheckChild child = check_fork_ready (hold_on, &idle);
  DatahubConsumer *consumer;
  uint64_t id;
  expect_one (producer, DATAHUB_CHANGE_JOINED);
  id = changes[0].id;
  check_kill (&child);
  for (int i = 0; i < 20; i++)
    datahub_consumer_close (consumer_new ("cam0", true, DATAHUB_START_LATEST));
  consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  expect_successor (producer, DATAHUB_CHANGE_DIED, &id);
  datahub_consumer_close (consumer);
  for (int i = 0; i < 5; i++) {
    child = check_fork_ready (hold_on, &idle);
    check_kill (&child);
  }
  consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  expect_successor (producer, DATAHUB_CHANGE_LEFT, &id);
  datahub_consumer_close (consumer);
  expect_one (producer, DATAHUB_CHANGE_LEFT);
  datahub_producer_close (producer);
}

static void
each_has_its_own_end (void)
{
  DatahubProducer *producer = producer_for (2);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  CheckChild child;
  uint64_t id;
  expect_one (producer, DATAHUB_CHANGE_JOINED);
  id = changes[0].id;
  child = check_fork_ready (hold_on, &idle);
  expect_one (producer, DATAHUB_CHANGE_JOINED);
  DatahubConsumerInfo info;
  check_kill (&child);
  datahub_consumer_close (consumer);
  /* a strict consumer counts until the server has closed its copy of the lock */
  CHECK_UNTIL (datahub_producer_list_consumers (producer, &info, 1) == 0);
  CHECK_INT (take (producer), ==, 2);
  for (int i = 0; i < 2; i++)
    CHECK_INT (changes[i].event, ==,
        changes[i].id == id ? DATAHUB_CHANGE_LEFT : DATAHUB_CHANGE_DIED);
  CHECK_INT (take (producer), ==, 0);
  datahub_producer_close (producer);
}

/* A consumer that is closed has left, also if it still has leases and is killed. */
static void
closed_with_leases (void)
{
  DatahubProducer *producer = producer_for (2);
  DatahubConsumer *consumer;
  DatahubView view;
  commit_buffers (producer, 0, 1);
  consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_one (producer, DATAHUB_CHANGE_JOINED);
  view = read_record (consumer);
  datahub_consumer_close (consumer);
  expect_one (producer, DATAHUB_CHANGE_LEFT);
  datahub_consumer_end_read (consumer, &view);
  CHECK_INT (take (producer), ==, 0);
  datahub_producer_close (producer);
}

static void
is_evicted (bool look_between)
{
  DatahubProducerOptions options = small_options ();
  DatahubView view;
  uint64_t n = 0, id;
  options.block_timeout_ns = 20 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_one (producer, DATAHUB_CHANGE_JOINED);
  id = changes[0].id;
  while (producer_stats (producer).evictions == 0)
    commit_buffer (producer, n++, 1000);
  if (look_between) {
    expect_one (producer, DATAHUB_CHANGE_EVICTED);
    CHECK (changes[0].id == id);
    CHECK_INT (take (producer), ==, 0);
  }
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_EVICTED);
  CHECK_OK (datahub_consumer_rejoin (consumer, &err));
  CHECK_INT (take (producer), ==, look_between ? 1 : 2);
  if (!look_between)
    CHECK_INT (changes[0].event, ==, DATAHUB_CHANGE_EVICTED);
  CHECK_INT (changes[look_between ? 0 : 1].event, ==, DATAHUB_CHANGE_JOINED);
  datahub_consumer_close (consumer);
  expect_one (producer, DATAHUB_CHANGE_LEFT);
  datahub_producer_close (producer);
}

static void
evicted (void)
{
  is_evicted (true);
  is_evicted (false);
}

/* A small array gets all of them, in portions. */
static void
portions (void)
{
  DatahubProducer *producer = producer_for (5);
  DatahubConsumer *consumers[5];
  uint32_t n, sum = 0;
  for (int i = 0; i < 5; i++)
    consumers[i] = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  while ((n = datahub_producer_take_changes (producer, changes, 3)) > 0) {
    CHECK_INT (n, <=, 3);
    sum += n;
  }
  CHECK_INT (sum, ==, 5);
  CHECK_INT (datahub_producer_take_changes (producer, changes, 0), ==, 0);
  for (int i = 0; i < 5; i++)
    datahub_consumer_close (consumers[i]);
  CHECK_INT (take (producer), ==, 5);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a consumer joins and leaves", comes_and_goes },
  { "a killed consumer died, if its row was taken at once, too",
      row_is_taken_at_once },
  { "the end of a consumer outlives many later owners of its row",
      row_is_taken_again_and_again },
  { "two that end at one time have each its own reason", each_has_its_own_end },
  { "a closed consumer with leases has left, once", closed_with_leases },
  { "an eviction is one end, and a rejoin is another beginning", evicted },
  { "changes come in portions of any size", portions },
};
CHECK_MAIN (tests)
