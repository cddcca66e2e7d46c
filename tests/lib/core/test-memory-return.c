/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that a block did not need for some seconds is given back. */
#include "memory-need.h"

/* A block with twice its first slots. */
static void
grow (DatahubProducer *producer)
{
  Loans loans = { .n = 0 };
  borrow (producer, &loans, FIRST_SLOTS + 1);
  CHECK_INT (growths (producer), ==, 1);
  give_back (producer, &loans);
}

static void
returned_by_the_stream (void)
{
  DatahubProducer *producer = camera (PICTURE);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 0);
  uint64_t before = producer_stats (producer).bytes_used, i = 0;
  Loans loans = { .n = 0 };
  borrow (producer, &loans, 3 * FIRST_SLOTS);
  CHECK_INT (growths (producer), ==, 2); /* the last pool is the biggest */
  give_back (producer, &loans);
  for (; i < 30; i++) {
    commit_buffer (producer, i, 1000);
    expect_buffer (consumer, i, 1000);
  }
  CHECK_INT (producer_stats (producer).bytes_used, >, before);
  for (; i < 150; i++) {
    later += LONG / 20;
    commit_buffer (producer, i, 1000);
    expect_buffer (consumer, i, 1000);
  }
  CHECK_INT (producer_stats (producer).bytes_used, <=, before);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  CHECK_INT (growths (producer), ==, 2);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Whether no more than @before bytes are in use, some seconds later. */
static bool
is_returned (DatahubProducer *producer, uint64_t before)
{
  later += LONG;
  return producer_stats (producer).bytes_used <= before;
}

static void
returned_in_silence (void)
{
  DatahubProducer *producer = camera (PICTURE);
  uint64_t before = producer_stats (producer).bytes_used;
  Service service;
  start_service (&service, producer);
  grow (producer);
  CHECK_INT (producer_stats (producer).bytes_used, >, before);
  CHECK_UNTIL (is_returned (producer, before));
  stop_service (&service);
  datahub_producer_close (producer);
}

/* The pool that small payloads are packed in goes. */
static void
returned_while_packing (void)
{
  enum
  {
    N = 140
  };
  static DatahubSlot slots[N];
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer;
  uint64_t before;
  options.slots = 0;
  options.ring_size = 16;
  options.pack = true;
  producer = producer_new ("cam0", &options);
  before = producer_stats (producer).bytes_used;
  for (int i = 0; i < N; i++)
    CHECK_OK (datahub_producer_acquire_slot (producer, 4000, 0, &slots[i],
        &err));
  for (int i = 0; i < N; i++)
    datahub_producer_abort (producer, &slots[i]);
  for (int i = 0; i < 100; i++) {
    later += LONG / 10;
    CHECK_OK (datahub_producer_acquire_slot (producer, 2000, 0, slots, &err));
    memset (slots[0].data, 1, 2000);
    datahub_producer_abort (producer, slots);
  }
  CHECK_INT (producer_stats (producer).bytes_used, <=, before);
  datahub_producer_close (producer);
}

/* Loans need the memory of a pool that is closed and still in use. Of a strict block it
 * goes with the pool alone. */
static void
needed_again (void)
{
  DatahubProducerOptions options;
  DatahubProducer *producer;
  Loans loans = { .n = 0 };
  if (is_strict_run ())
    check_skip ("pools of a strict block are sealed");
  datahub_producer_options_init (&options);
  options.slot_size = PICTURE;
  options.max_bytes = 2 * FIRST_SLOTS * (PICTURE + 4096);
  producer = producer_new ("cam0", &options);
  grow (producer);
  for (uint64_t i = 0; producer->pools.n_open[POOL_PAYLOAD] > 1; i++) {
    CHECK_INT (i, <, 100);
    later += LONG / 20;
    commit_buffer (producer, i, 1000);
  }
  CHECK_INT (producer_stats (producer).bytes_used, >, 13 * PICTURE);
  borrow (producer, &loans, FIRST_SLOTS + 6);
  CHECK_INT (producer_stats (producer).bytes_used, <=, options.max_bytes);
  give_back (producer, &loans);
  datahub_producer_close (producer);
}

/* Of a number of slots that the options give no slot goes, though a smaller pool would
 * do. */
static void
exact_slots_stay (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer;
  Loans loans = { .n = 0 };
  options.slot_size = 5 * MIB;
  producer = producer_new ("cam0", &options);
  borrow (producer, &loans, 17);
  CHECK_INT (producer_stats (producer).slots, >, 16);
  CHECK_INT (producer_stats (producer).slots, <, 32);
  give_back (producer, &loans);
  for (uint64_t i = 0; i < 100; i++) {
    later += LONG / 20;
    commit_buffer (producer, i, 1000);
  }
  CHECK_INT (producer_stats (producer).slots, ==, 16);
  datahub_producer_close (producer);
}

/* What is held at any time within the last seconds stays. */
static void
kept_while_needed (void)
{
  DatahubProducer *producer = camera (PICTURE);
  Loans loans = { .n = 0 };
  uint64_t used;
  grow (producer);
  used = producer_stats (producer).bytes_used;
  for (uint64_t i = 0; i < 40; i++) {
    borrow (producer, &loans, i % 4 ? 1 : 6);
    later += LONG / 8; /* the next loan is looked at */
    commit_buffer (producer, i, 1000);
    give_back (producer, &loans);
  }
  CHECK_INT (producer_stats (producer).bytes_used, ==, used);
  CHECK_INT (growths (producer), ==, 1);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "memory that is not needed is given back as buffers flow",
      returned_by_the_stream },
  { "memory that is not needed is given back in silence", returned_in_silence },
  { "memory that small payloads are packed in is given back",
      returned_while_packing },
  { "memory of a pool that is closed and in use is there for a growth",
      needed_again },
  { "a number of slots that the options give stays", exact_slots_stay },
  { "memory that is needed now and then stays", kept_while_needed },
};

CHECK_MAIN (tests)
