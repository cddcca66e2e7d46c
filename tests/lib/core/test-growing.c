/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a growth takes its memory: as much as is needed and a little more, in
 * pieces, and no longer than the caller waits. */
#include "fixture.h"

#define MIB (UINT64_C (1) << 20)
#define SPARE (64 * MIB)
/* Takes the kernel most of a second. */
#define HUGE_SIZE (512 * MIB)

static DatahubProducer *
roomy_producer (void)
{
  DatahubProducerOptions options = small_options ();
  options.slots = 128;
  options.max_bytes = 8192 * MIB;
  return producer_new ("cam0", &options);
}

static void
bounded (void)
{
  const uint64_t size = 33 * MIB;
  DatahubProducer *producer = roomy_producer ();
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  uint64_t before = producer_stats (producer).bytes_used;
  for (uint64_t i = 0; i < 6; i++) {
    commit_buffer (producer, i, size);
    /* two that stay readable, and the one that is being written */
    CHECK_INT (producer_stats (producer).bytes_used - before, <=,
        3 * size + SPARE);
    expect_buffer (consumer, i, size);
  }
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Headroom for the next bigger payload counts. */
static void
bounded_with_headroom (void)
{
  const uint64_t big = 70 * MIB, bigger = 71 * MIB;
  DatahubProducer *producer = roomy_producer ();
  DatahubSlot slot;
  uint64_t before = producer_stats (producer).bytes_used;
  CHECK_OK (datahub_producer_acquire_slot (producer, big, SOON, &slot, &err));
  CHECK_INT (producer_stats (producer).bytes_used - before, <=,
      3 * big + SPARE);
  datahub_producer_abort (producer, &slot);
  CHECK_OK (datahub_producer_acquire_slot (producer, bigger, SOON, &slot,
      &err));
  CHECK_INT (producer_stats (producer).growths, <=, 2);
  CHECK_INT (producer_stats (producer).bytes_used - before, <=,
      3 * bigger + SPARE);
  datahub_producer_abort (producer, &slot);
  datahub_producer_close (producer);
}

/* A small payload's pool keeps its number of slots. */
static void
small_as_before (void)
{
  DatahubProducer *producer = roomy_producer ();
  commit_buffer (producer, 0, 100000);
  CHECK_INT (producer_stats (producer).slots, ==, 128);
  datahub_producer_close (producer);
}

static void
more_by_need (void)
{
  const uint64_t size = 20 * MIB;
  DatahubSlot loans[9];
  DatahubProducer *producer = roomy_producer ();
  uint64_t before = producer_stats (producer).bytes_used;
  for (uint64_t i = 0; i < 9; i++) {
    CHECK_OK (datahub_producer_acquire_slot (producer, size, SOON, &loans[i],
        &err));
    memset (loans[i].data, (int) i, size);
    /* those held may be in older pools, and the newest has room for all */
    CHECK_INT (producer_stats (producer).bytes_used - before, <=,
        i < 3 ? 3 * size + SPARE : 2 * (i + 1) * size + SPARE);
  }
  CHECK_INT (producer_stats (producer).growths, >=, 2);
  for (uint64_t i = 0; i < 9; i++) {
    CHECK_INT (loans[i].data[0], ==, i);
    CHECK_INT (loans[i].data[size - 1], ==, i);
    datahub_producer_abort (producer, &loans[i]);
  }
  CHECK_INT (producer_stats (producer).bytes_used - before, <=,
      9 * size + SPARE);
  datahub_producer_close (producer);
}

/* Leases of live consumers are a need, too: no buffer is lost. */
static void
leases_make_it_grow (void)
{
  const uint64_t size = 17 * MIB;
  DatahubProducer *producer = roomy_producer ();
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 8);
  DatahubView views[7];
  for (uint64_t i = 0; i < 7; i++) {
    commit_buffer (producer, i, size);
    views[i] = read_record (consumer);
    CHECK_INT (views[i].lost, ==, 0);
  }
  for (uint64_t i = 0; i < 7; i++) {
    check_buffer (&views[i], i, size);
    datahub_consumer_end_read (consumer, &views[i]);
  }
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void *
interrupts_in_the_middle (void *data)
{
  CHECK_UNTIL (bytes_in_the_making () > 8 * MIB);
  datahub_producer_set_interrupted (data, DATAHUB_WAIT_ACQUIRE, true);
  return NULL;
}

static void *
closes_in_the_middle (void *data)
{
  uint64_t at_close, now;
  CHECK_UNTIL (bytes_in_the_making () > 8 * MIB);
  datahub_producer_close (data);
  at_close = bytes_in_the_making ();
  while ((now = bytes_in_the_making ()) > MIB)
    CHECK_INT (now, <=, at_close + 8 * MIB);
  return NULL;
}

static void
interrupted (void)
{
  DatahubProducer *producer = roomy_producer ();
  uint64_t before = producer_stats (producer).bytes_used;
  uint64_t other = bytes_in_the_making ();
  CheckThread *thread = check_thread (interrupts_in_the_middle, producer);
  DatahubSlot slot;
  CHECK_RESULT (datahub_producer_acquire_slot (producer, HUGE_SIZE,
                    DATAHUB_FOREVER, &slot, &err),
      DATAHUB_INTERRUPTED);
  check_thread_join (thread);
  /* The memory is given back, and the block goes on. */
  CHECK_INT (bytes_in_the_making (), ==, other);
  CHECK_INT (producer_stats (producer).bytes_used, ==, before);
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ACQUIRE, false);
  commit_buffers (producer, 0, 4);
  commit_buffer (producer, 4, 5 * MIB);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  datahub_producer_close (producer);
}

static void
closed (void)
{
  DatahubProducer *producer = datahub_producer_ref (roomy_producer ());
  CheckThread *thread = check_thread (closes_in_the_middle, producer);
  DatahubSlot slot;
  CHECK_RESULT (datahub_producer_acquire_slot (producer, HUGE_SIZE,
                    DATAHUB_FOREVER, &slot, &err),
      DATAHUB_CLOSED);
  check_thread_join (thread);
  datahub_producer_unref (producer);
  check_assert_nothing_left ();
}

/* A try takes one piece, and the next one goes on there. */
static void
timed_out (void)
{
  const uint64_t size = 40 * MIB;
  DatahubProducer *producer = roomy_producer ();
  uint64_t before = producer_stats (producer).bytes_used;
  DatahubSlot slot;
  uint32_t tries = 1;
  CHECK_RESULT (datahub_producer_acquire_slot (producer, size, 0, &slot, &err),
      DATAHUB_TIMEOUT);
  CHECK_INT (producer_stats (producer).bytes_used, ==, before);
  while (datahub_producer_acquire_slot (producer, size, 0, &slot, &err)
      == DATAHUB_TIMEOUT)
    CHECK_INT (++tries, <, 1000);
  CHECK_INT (err.code, ==, DATAHUB_OK);
  CHECK_INT (tries, >, 10);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  memset (slot.data, 1, size);
  datahub_producer_abort (producer, &slot);
  datahub_producer_close (producer);
}

/* A caller that never waits gets what live consumers and loans make short. */
static void
prompt (void)
{
  enum
  {
    N = 160
  };
  DatahubProducer *producer = roomy_producer ();
  DatahubSlot slots[N];
  for (uint32_t i = 0; i < N; i++)
    CHECK_OK (datahub_producer_acquire_slot (producer, 64 << 10, 0, &slots[i],
        &err));
  CHECK_INT (producer_stats (producer).growths, >=, 1);
  for (uint32_t i = 0; i < N; i++)
    datahub_producer_abort (producer, &slots[i]);
  datahub_producer_close (producer);
}

/* What one caller began is not what another one needs. */
static void
unfinished_is_replaced (void)
{
  DatahubProducer *producer = roomy_producer ();
  uint64_t other = bytes_in_the_making ();
  DatahubSlot slot;
  for (int i = 0; i < 5; i++)
    CHECK_RESULT (datahub_producer_acquire_slot (producer, 40 * MIB, 0, &slot,
                      &err),
        DATAHUB_TIMEOUT);
  CHECK_INT (bytes_in_the_making (), >=, 20 * MIB);
  CHECK_RESULT (datahub_producer_acquire_slot (producer, 90 * MIB, 0, &slot,
                    &err),
      DATAHUB_TIMEOUT);
  CHECK_INT (bytes_in_the_making (), <, 20 * MIB);
  /* a smaller one gets what is there */
  CHECK_OK (datahub_producer_acquire_slot (producer, 30 * MIB, SOON, &slot,
      &err));
  CHECK_INT (slot.size, >=, 90 * MIB);
  if (!is_strict_run ())
    CHECK_INT (bytes_in_the_making (), ==, other);
  datahub_producer_abort (producer, &slot);
  datahub_producer_close (producer);
}

static void
unfinished_at_the_end (void)
{
  DatahubProducer *producer = roomy_producer ();
  DatahubSlot slot;
  CHECK_RESULT (datahub_producer_acquire_slot (producer, 40 * MIB, 0, &slot,
                    &err),
      DATAHUB_TIMEOUT);
  datahub_producer_close (producer);
  check_assert_nothing_left ();
}

static const CheckTest tests[] = {
  { "a pool for big frames takes what is needed and 64 MiB", bounded },
  { "headroom counts", bounded_with_headroom },
  { "a pool for small frames has as many slots as before", small_as_before },
  { "loans make it grow again", more_by_need },
  { "leases make it grow again", leases_make_it_grow },
  { "a growth is interrupted in the middle", interrupted },
  { "a close ends a growth", closed },
  { "a growth keeps to the timeout, and the next call continues it",
      timed_out },
  { "a small growth needs no time", prompt },
  { "a growth for another size replaces an unfinished one",
      unfinished_is_replaced },
  { "a block with an unfinished growth leaves nothing", unfinished_at_the_end },
};
CHECK_MAIN (tests)
