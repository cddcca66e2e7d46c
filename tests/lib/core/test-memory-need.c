/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a block follows what loans and leases hold: it begins with little, and
 * the service thread adds to it before a call is short of a slot. */
#include "memory-need.h"

#include <sys/resource.h>

static void
begins_small (void)
{
  DatahubProducer *producer = camera (PICTURE);
  CHECK_INT (producer_stats (producer).slots, ==, FIRST_SLOTS);
  CHECK_INT (producer_stats (producer).bytes_used, <=, 38 * MIB);
  datahub_producer_close (producer);
  producer = camera (4096); /* small ones are all there */
  CHECK_INT (producer_stats (producer).slots, ==, 128);
  datahub_producer_close (producer);
}

/* A viewer that holds two pictures, and a producer with two loans, need no more. */
static void
enough_for_a_viewer (void)
{
  DatahubProducer *producer = camera (PICTURE);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 0);
  Service service;
  DatahubView views[2];
  Loans loans = { .n = 0 };
  start_service (&service, producer);
  borrow (producer, &loans, 1);
  for (uint64_t i = 0; i < 200; i++) {
    if (i >= 2)
      datahub_consumer_end_read (consumer, &views[i % 2]);
    commit_buffer (producer, i, 1000);
    views[i % 2] = read_record (consumer);
    CHECK_INT (views[i % 2].must_copy, ==, false);
  }
  stop_service (&service);
  CHECK_INT (growths (producer), ==, 0);
  for (int i = 0; i < 2; i++)
    datahub_consumer_end_read (consumer, &views[i]);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  give_back (producer, &loans);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* The thread sleeps, and is woken for it. */
static void
loans_ahead (void)
{
  DatahubProducer *producer = camera (PICTURE);
  Service service;
  Loans loans = { .n = 0 };
  uint32_t changes;
  start_service (&service, producer);
  changes = service.n_changes;
  borrow (producer, &loans, FIRST_SLOTS - 5);
  CHECK_INT (growths (producer), ==, 0);
  CHECK_INT (service.n_changes, ==, changes);
  borrow (producer, &loans, 1);
  CHECK_UNTIL (growths (producer) == 1 && service.n_changes > changes);
  CHECK_INT (producer_stats (producer).slots, ==, 2 * FIRST_SLOTS);
  borrow (producer, &loans, FIRST_SLOTS); /* and those of the next pool */
  CHECK_UNTIL (growths (producer) == 2);
  stop_service (&service);
  give_back (producer, &loans);
  datahub_producer_close (producer);
}

/* What retired records hold counts, and is seen with the next loan. */
static void
leases_ahead (void)
{
  DatahubProducer *producer = camera (PICTURE);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 20);
  DatahubView views[20];
  Service service;
  uint64_t i = 0;
  start_service (&service, producer);
  for (; i < 20; i++) {
    commit_buffer (producer, i, 1000);
    views[i] = read_record (consumer);
    CHECK_INT (views[i].must_copy, ==, false);
    if (i == FIRST_SLOTS - 5)
      CHECK_UNTIL (growths (producer) == 1);
  }
  stop_service (&service);
  for (i = 0; i < 20; i++) {
    check_buffer (&views[i], i, 1000);
    datahub_consumer_end_read (consumer, &views[i]);
  }
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* The number that the options give is the number, until no slot is left. Of a ring of 32
 * half would be low water. */
static void
exact_slots (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer;
  Service service;
  Loans loans = { .n = 0 };
  options.ring_size = 32;
  producer = producer_new ("cam0", &options);
  start_service (&service, producer);
  borrow (producer, &loans, 13);
  give_back (producer, &loans);
  stop_service (&service);
  CHECK_INT (growths (producer), ==, 0);
  datahub_producer_close (producer);
}

/* The service thread begins with a pool, and stops before its first piece. */
static DatahubProducer *
in_the_making (Service *service, Loans *loans)
{
  DatahubProducer *producer = camera (15 * MIB);
  start_service (service, producer);
  stops = true;
  borrow (producer, loans, 5);
  CHECK_UNTIL (stopped);
  CHECK_INT (growths (producer), ==, 0);
  return producer;
}

static uint32_t
share_limit (const DatahubProducer *producer)
{
  return SHARE_LIMIT (load_seq (&producer->block.header->share));
}

static bool
is_paused (DatahubProducer *producer)
{
  bool paused;
  pthread_mutex_lock (&producer->lock);
  paused = producer->pools.no_growth_until > os_now ();
  pthread_mutex_unlock (&producer->lock);
  return paused;
}

static void *
borrows_the_rest (void *data)
{
  Loans loans = { .n = 0 };
  borrow (data, &loans, 3);
  give_back (data, &loans);
  return NULL;
}

/* A call that must not wait for others gets its slot although another thread makes a
 * pool: it goes on where that one is. */
static void
taken_over (void)
{
  Service service;
  Loans loans = { .n = 0 };
  DatahubProducer *producer = in_the_making (&service, &loans);
  CheckThread *stream = check_thread (borrows_the_rest, producer);
  CHECK_UNTIL (is_hurried (producer));
  stops = false;
  check_thread_join (stream);
  CHECK_INT (growths (producer), ==, 1);
  CHECK_INT (n_pieces, ==, 1);
  stop_service (&service);
  give_back (producer, &loans);
  datahub_producer_close (producer);
}

/* The service thread begins after the call looked whether it had. */
static void
taken_over_late (void)
{
  DatahubProducer *producer = camera (15 * MIB);
  Service service;
  Loans loans = { .n = 0 };
  met = producer;
  start_service (&service, producer);
  stops = meets = true;
  borrow (producer, &loans, 8);
  CHECK (stopped);
  CHECK_INT (growths (producer), ==, 1);
  stops = meets = false;
  stop_service (&service);
  give_back (producer, &loans);
  datahub_producer_close (producer);
}

static void
borrow_big (DatahubProducer *producer, Loans *loans, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    CHECK_OK (datahub_producer_acquire_slot (producer, 17 * MIB, SOON,
        &loans->slots[loans->n++], &err));
}

/* Slots were short for a size, and its pools closed before the thread came to it. */
static void
asked_for_in_vain (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer;
  Loans loans = { .n = 0 };
  DatahubSlot slot;
  uint32_t seen = 0;
  options.max_bytes = 60 * MIB;
  producer = producer_new ("cam0", &options);
  borrow_big (producer, &loans, 1);
  give_back (producer, &loans);
  borrow (producer, &loans, 20); /* the newest pool is of small slots */
  give_back (producer, &loans);
  producer->pools.ahead.need = 0; /* for those, which is not the case here */
  borrow_big (producer, &loans, 2);
  CHECK_INT (producer->pools.ahead.need, ==, 17 * MIB);
  give_back (producer, &loans);
  CHECK_RESULT (datahub_producer_acquire_slot (producer, 100 * MIB, 0, &slot,
                    &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK (pool_smallest (&producer->pools, POOL_PAYLOAD, 17 * MIB) == NULL);
  datahub_producer_wait_attention (producer, &seen, 0);
  later += LONG;
  datahub_producer_wait_attention (producer, &seen, 0);
  commit_buffers (producer, 0, 4);
  CHECK_INT (producer->pools.ahead.need, ==, 0);
  datahub_producer_close (producer);
}

/* What a call began for a bigger payload stays for the next one. */
static void
beside_an_unfinished_one (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  Loans loans = { .n = 0 };
  DatahubSlot slot;
  uint32_t seen = 0;
  const Pool *unfinished;
  CHECK_RESULT (datahub_producer_acquire_slot (producer, 40 * MIB, 0, &slot,
                    &err),
      DATAHUB_TIMEOUT);
  unfinished = producer->pools.unfinished;
  CHECK (unfinished != NULL);
  borrow (producer, &loans, 14);
  CHECK_INT (producer->pools.ahead.need, >, 0);
  datahub_producer_wait_attention (producer, &seen, 0);
  CHECK (producer->pools.unfinished == unfinished);
  CHECK_INT (growths (producer), ==, 0);
  CHECK_OK (datahub_producer_acquire_slot (producer, 40 * MIB, SOON, &slot,
      &err));
  datahub_producer_abort (producer, &slot);
  give_back (producer, &loans);
  datahub_producer_close (producer);
}

static void
interrupted (void)
{
  uint64_t other = bytes_in_the_making ();
  Service service;
  Loans loans = { .n = 0 };
  DatahubProducer *producer = in_the_making (&service, &loans);
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ATTENTION, true);
  stops = false;
  stop_service (&service);
  CHECK_INT (growths (producer), ==, 0);
  CHECK_INT (n_pieces, ==, 1);
  if (!is_strict_run ())
    CHECK_INT (bytes_in_the_making (), ==, other);
  /* without the thread the call itself makes it */
  borrow (producer, &loans, 4);
  CHECK_INT (growths (producer), ==, 1);
  give_back (producer, &loans);
  datahub_producer_close (producer);
}

static void
closed (void)
{
  Service service;
  Loans loans = { .n = 0 };
  DatahubProducer *producer =
      datahub_producer_ref (in_the_making (&service, &loans));
  give_back (producer, &loans);
  datahub_producer_close (producer);
  stops = false;
  stop_service (&service);
  CHECK_INT (n_pieces, ==, 1);
  datahub_producer_unref (producer);
  check_assert_nothing_left ();
}

/* The service thread's growth fails, and is not tried again at once. */
static void
fail_ahead (Service *service, Loans *loans)
{
  DatahubProducer *producer = service->producer;
  borrow (producer, loans, FIRST_SLOTS - 4);
  CHECK_UNTIL (load_relaxed (&producer->memory_work) == 0
      && !is_hurried (producer) && is_paused (producer));
  CHECK_INT (growths (producer), ==, 0);
  borrow (producer, loans, 1);
  CHECK_INT (load_relaxed (&producer->memory_work), ==, 0);
}

/* What the consumers may hold follows from it, before a call is short of slots. */
static void
no_memory (void)
{
  DatahubProducer *producer = camera (PICTURE);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 0);
  Service service;
  Loans loans = { .n = 0 };
  CHECK_INT (share_limit (producer), >=, 8);
  start_service (&service, producer);
  available = MIB;
  fail_ahead (&service, &loans);
  CHECK_UNTIL (share_limit (producer) < 8);
  stop_service (&service);
  give_back (producer, &loans);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* The limit that was, or no descriptor at all. */
static void
allow_descriptors (bool any)
{
  static struct rlimit limit;
  struct rlimit none = { 0, 0 };
  if (!limit.rlim_max)
    CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
  none.rlim_max = limit.rlim_max;
  CHECK (setrlimit (RLIMIT_NOFILE, any ? &limit : &none) == 0);
}

/* There is memory enough, so the share counted on it. As soon as there is a descriptor a
 * growth is tried again for consumers that could hold more. */
static void
no_descriptors (void)
{
  DatahubProducer *producer = camera (PICTURE);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 0);
  Service service;
  Loans loans = { .n = 0 };
  CHECK_INT (share_limit (producer), >,
      2 * FIRST_SLOTS); /* more than a block that grew once has */
  start_service (&service, producer);
  allow_descriptors (false);
  fail_ahead (&service, &loans);
  CHECK_UNTIL (share_limit (producer) < 8);
  allow_descriptors (true);
  give_back (producer, &loans);
  CHECK_UNTIL (growths (producer) == 1);
  CHECK_UNTIL (share_limit (producer) > 2 * FIRST_SLOTS);
  CHECK_INT (growths (producer), ==, 1);
  stop_service (&service);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* A second and a buffer later. */
static bool
is_high_later (DatahubProducer *producer, uint64_t *i)
{
  later += CHECK_S;
  commit_buffer (producer, (*i)++, 1000);
  return share_limit (producer) > 2 * FIRST_SLOTS;
}

/* The calls themselves are all that a producer without a service thread has. */
static void
no_descriptors_for_a_while (void)
{
  DatahubProducer *producer = camera (PICTURE);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 0);
  Loans loans = { .n = 0 };
  DatahubSlot slot;
  uint64_t i = 0;
  CHECK_INT (share_limit (producer), >, 2 * FIRST_SLOTS);
  allow_descriptors (false);
  borrow (producer, &loans, FIRST_SLOTS);
  CHECK_RESULT (datahub_producer_acquire_slot (producer, 1, 0, &slot, &err),
      DATAHUB_DROPPED);
  give_back (producer, &loans);
  commit_buffer (producer, i++, 1000);
  CHECK_INT (share_limit (producer), <, 8);
  allow_descriptors (true);
  CHECK_UNTIL (is_high_later (producer, &i));
  CHECK_INT (growths (producer), ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* A growth is not possible: the consumers may hold less before any buffer is lost, and
 * each one has all it may hold. */
static void
copies_before_loss (void (*end_growth) (bool ends))
{
  enum
  {
    N = 3,
    BUFFERS = 60
  };
  DatahubProducer *producer = camera (PICTURE);
  DatahubConsumer *hoarders[N];
  DatahubView views[N][BUFFERS];
  uint32_t held[N] = { 0 }, copies = 0;
  Service service;
  for (int k = 0; k < N; k++)
    hoarders[k] = consumer_new_quota ("cam0", false, 0);
  start_service (&service, producer);
  end_growth (true);
  for (uint64_t i = 0; i < BUFFERS; i++) {
    CHECK_OK (try_commit (producer, i, 1000, 0));
    for (int k = 0; k < N; k++) {
      DatahubView view = read_record (hoarders[k]);
      CHECK_INT (view.lost, ==, 0);
      check_buffer (&view, i, 1000);
      copies += view.must_copy;
      if (view.must_copy)
        datahub_consumer_end_read (hoarders[k], &view);
      else
        views[k][held[k]++] = view;
    }
  }
  CHECK_INT (copies, >, 0);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  CHECK_INT (growths (producer), ==, 0);
  stop_service (&service);
  end_growth (false);
  for (int k = 0; k < N; k++) {
    for (uint32_t i = 0; i < held[k]; i++)
      datahub_consumer_end_read (hoarders[k], &views[k][i]);
    datahub_consumer_close (hoarders[k]);
  }
  datahub_producer_close (producer);
}

/* Another process takes the rest. */
static void
take_space (bool ends)
{
  available = ends ? MIB : UINT64_MAX;
}

static void
no_space_ahead (void)
{
  copies_before_loss (take_space);
}

static void
take_descriptors (bool ends)
{
  allow_descriptors (!ends);
}

static void
no_descriptor_ahead (void)
{
  copies_before_loss (take_descriptors);
}

static const CheckTest tests[] = {
  { "a block of pictures begins with few slots", begins_small },
  { "which are enough for a viewer that holds two", enough_for_a_viewer },
  { "a pool is added before loans use up the slots", loans_ahead },
  { "a pool is added before leases use up the slots", leases_ahead },
  { "a number of slots that the options give is kept", exact_slots },
  { "a call that does not wait takes a pool in the making over", taken_over },
  { "and also if that one begins after the call looked", taken_over_late },
  { "a size is not made if its pools have closed", asked_for_in_vain },
  { "an unfinished pool of a bigger size stays", beside_an_unfinished_one },
  { "an interruption ends the making", interrupted },
  { "a close ends the making", closed },
  { "if memory is short, the share falls before slots are", no_memory },
  { "if descriptors are short it falls too, and rises when they are there",
      no_descriptors },
  { "it rises also if there is no service thread", no_descriptors_for_a_while },
  { "without space for a growth, consumers copy before a buffer is lost",
      no_space_ahead },
  { "without a descriptor for a growth, consumers copy before a buffer is lost",
      no_descriptor_ahead },
};

CHECK_MAIN (tests)
