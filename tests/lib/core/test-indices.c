/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The raw indices, and a queue that users build from two of their own. */
#include "holder.h"
#include "hostile.h"

#include "queue.h"

#include <sched.h>

#define ITEMS 200000
#define ZONE_SIZE (128 + 16 * 8)

static DatahubIndices
indices_of (DatahubProducer *producer)
{
  DatahubIndices indices;
  datahub_producer_get_indices (producer, &indices);
  return indices;
}

static void
of_the_stream (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubIndices i = indices_of (producer), seen;
  CHECK_INT (i.write_index, ==, 0);
  CHECK_INT (i.commit_index, ==, 0);
  CHECK_INT (i.read_index, ==, 0);
  CHECK (i.current_slot_id == DATAHUB_NONE);
  CHECK_INT (i.active_consumer_count, ==, 0);

  DatahubConsumer *slow = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubConsumer *fast = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 5);
  expect_buffers (slow, 0, 2);
  expect_buffers (fast, 0, 4);
  i = indices_of (producer);
  CHECK_INT (i.write_index, ==, 5);
  CHECK_INT (i.commit_index, ==, 5);
  CHECK_INT (i.read_index, ==, 2);
  CHECK_INT (i.oldest_index, ==, 0);
  CHECK_INT (i.current_slot_id, ==, 4);
  CHECK_INT (i.active_consumer_count, ==, 2);
  datahub_consumer_get_indices (fast, &seen);
  CHECK_INT (seen.read_index, ==, 2);
  CHECK_INT (seen.write_index, ==, 5);
  CHECK_INT (seen.active_consumer_count, ==, 2);

  /* who was lapped is not behind the oldest record */
  expect_buffers (fast, 4, 1);
  for (uint64_t n = 5; n < 30; n++) {
    commit_buffers (producer, n, 1);
    expect_buffers (fast, n, 1);
  }
  i = indices_of (producer);
  CHECK_INT (i.oldest_index, ==, 22);
  CHECK_INT (i.read_index, ==, 22);
  datahub_consumer_close (slow);
  CHECK_INT (indices_of (producer).read_index, ==, 30);
  CHECK_INT (indices_of (producer).active_consumer_count, ==, 1);
  datahub_consumer_close (fast);
  datahub_producer_close (producer);
}

/* Who shall not see the others does not. */
static void
of_a_strict_block (void)
{
  DatahubProducerOptions options = small_options ();
  options.strict = true;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *a = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubConsumer *b = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubIndices indices;
  commit_buffers (producer, 0, 4);
  expect_buffers (b, 0, 3);
  indices = indices_of (producer);
  CHECK_INT (indices.active_consumer_count, ==, 2);
  CHECK_INT (indices.read_index, ==, 0);
  datahub_consumer_get_indices (b, &indices);
  CHECK_INT (indices.commit_index, ==, 4);
  CHECK_INT (indices.active_consumer_count, ==, 1);
  CHECK_INT (indices.read_index, ==, 3);
  datahub_consumer_close (a);
  datahub_consumer_close (b);
  datahub_producer_close (producer);
}

static void
the_dead_do_not_count (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  const Holder idle = { .reliable = true };
  CheckChild child = check_fork_ready (hold_on, &idle);
  commit_buffers (producer, 0, 3);
  CHECK_INT (indices_of (producer).active_consumer_count, ==, 1);
  CHECK_INT (indices_of (producer).read_index, ==, 0);
  check_kill (&child);
  CHECK_INT (indices_of (producer).active_consumer_count, ==, 0);
  CHECK_INT (indices_of (producer).read_index, ==, 3);
  datahub_producer_close (producer);
}

static void
lying_cursors (void)
{
  static const uint64_t lies[] = { 0, 1, 99, UINT64_MAX, UINT64_MAX - 1,
    UINT64_C (1) << 63 };
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 20);
  Intrusion con = intrude (".con");
  ConsumerRow *row = (ConsumerRow *) (con.bytes + BLOCK_PAGE);
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    row->cursor = lies[i];
    DatahubIndices indices = indices_of (producer);
    CHECK_INT (indices.read_index, >=, indices.oldest_index);
    CHECK_INT (indices.read_index, <=, indices.commit_index);
  }
  intrusion_end (&con);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* The queue. */

static DatahubProducerOptions
zone_options (void)
{
  DatahubProducerOptions options = small_options ();
  options.shared_zone_size = ZONE_SIZE;
  return options;
}

static Queue
queue_of_producer (DatahubProducer *producer)
{
  Queue queue;
  uint64_t size;
  void *zone = datahub_producer_get_shared_zone (producer, &size);
  CHECK (queue_open (&queue, zone, size, sizeof (uint64_t)));
  CHECK_INT (queue.capacity, ==, 16);
  return queue;
}

static Queue
queue_of_consumer (DatahubConsumer *consumer)
{
  Queue queue;
  uint64_t size;
  void *zone = datahub_consumer_get_shared_zone (consumer, &size);
  CHECK (queue_open (&queue, zone, size, sizeof (uint64_t)));
  return queue;
}

static void
full_and_empty (void)
{
  DatahubProducerOptions options = zone_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  Queue queue = queue_of_producer (producer), small;
  uint64_t n, got;
  CHECK (!queue_open (&small, queue.zone, sizeof (QueueZone) + 7, 8));
  CHECK (!queue_open (&small, NULL, 0, 8));
  CHECK (!queue_receive (&queue, &got));
  for (int round = 0; round < 3; round++) {
    for (n = 0; n < 16; n++)
      CHECK (queue_send (&queue, &n));
    CHECK (!queue_send (&queue, &n));
    for (n = 0; n < 16; n++)
      CHECK (queue_receive (&queue, &got) && got == n);
    CHECK (!queue_receive (&queue, &got));
  }
  /* indices that make no sense give nothing and take nothing */
  static const uint64_t lies[] = { 0, 47, 65, UINT64_MAX, UINT64_C (1) << 40 };
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    queue.zone->write_index = lies[i];
    queue.zone->read_index = 48;
    CHECK (!queue_receive (&queue, &got));
    queue.zone->write_index = 48;
    queue.zone->read_index = lies[i] == 47 ? 49 : lies[i];
    CHECK (!queue_send (&queue, &n));
  }
  datahub_producer_close (producer);
}

/* Receives until it is killed, or has all; says what it has. */
static void
receive (CheckParent *parent)
{
  const uint64_t *first = parent->data;
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  Queue queue = queue_of_consumer (consumer);
  check_ready (parent);
  for (uint64_t next = *first, got; next < ITEMS; next++) {
    CHECK_UNTIL (queue_receive (&queue, &got));
    /* what the one before had received but not acknowledged comes again */
    if (next == *first && got < next)
      next = got;
    CHECK_INT (got, ==, next);
  }
  check_tell (parent->out, 2);
  datahub_consumer_close (consumer);
}

static void
between_processes (void)
{
  uint64_t zero = 0;
  DatahubProducerOptions options = zone_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  Queue queue = queue_of_producer (producer);
  CheckChild child = check_fork_ready (receive, &zero);
  for (uint64_t i = 0; i < ITEMS; i++)
    CHECK_UNTIL (queue_send (&queue, &i));
  CHECK_HEAR (child.from, 2);
  check_join (&child);
  datahub_producer_close (producer);
}

/* Its successor goes on where the words say, and misses nothing. */
static void
receiver_killed (void)
{
  uint64_t first = 0;
  DatahubProducerOptions options = zone_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  Queue queue = queue_of_producer (producer);
  for (int life = 0; life < 20; life++) {
    CheckChild child = check_fork_ready (receive, &first);
    for (int i = 0; i < 2000; i++) {
      uint64_t item = queue.zone->write_index;
      CHECK_UNTIL (queue_send (&queue, &item));
    }
    check_kill (&child);
    first = datahub_index_load_acquire (&queue.zone->read_index);
    CHECK_INT (first, <=, queue.zone->write_index);
    CHECK_INT (queue.zone->write_index - first, <=, queue.capacity);
  }
  uint64_t got;
  while (queue_receive (&queue, &got))
    CHECK_INT (got, ==, first++);
  CHECK_INT (first, ==, 40000);
  datahub_producer_close (producer);
}

static void
send_for_ever (CheckParent *parent)
{
  DatahubProducerOptions options = zone_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  Queue queue = queue_of_producer (producer);
  check_ready (parent);
  for (;;) {
    uint64_t item = queue.zone->write_index;
    CHECK_UNTIL (queue_send (&queue, &item));
  }
}

/* A successor adopts the block, and the zone with it. */
static void
sender_killed (void)
{
  uint64_t next = 0, got;
  DatahubConsumer *consumer = NULL;
  Queue queue;
  for (int life = 0; life < 10; life++) {
    CheckChild child = check_fork_ready (send_for_ever, NULL);
    if (!consumer) {
      consumer = consumer_new ("cam0", false, DATAHUB_START_LATEST);
      queue = queue_of_consumer (consumer);
    }
    for (int i = 0; i < 2000; i++) {
      CHECK_UNTIL (queue_receive (&queue, &got));
      CHECK_INT (got, ==, next++);
    }
    check_kill (&child);
    while (queue_receive (&queue, &got))
      CHECK_INT (got, ==, next++);
  }
  datahub_consumer_close (consumer);
}

static const CheckTest tests[] = {
  { "the indices of a stream tell who is where", of_the_stream },
  { "a consumer of a strict block sees itself alone", of_a_strict_block },
  { "dead consumers do not count", the_dead_do_not_count },
  { "a cursor that lies is not believed", lying_cursors },
  { "a queue of two indices is full and empty, and refuses nonsense",
      full_and_empty },
  { "a queue of two indices carries everything between two processes",
      between_processes },
  { "a killed receiver's successor misses nothing", receiver_killed },
  { "a killed sender's successor goes on with the queue", sender_killed },
};
CHECK_MAIN (tests)
