/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer that waits for long wakes rarely, and still notices that its producer is
 * dead. */
#include "fixture.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.16; the headers of an older system lack the number. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* What is noticed at all is noticed within this time. */
#define NOTICED check_scaled_ns (2 * CHECK_S)
#define SLOW_INTERVAL (600 * CHECK_MS)
#define N_SLOW 4

/* Without futex_waitv() a consumer sleeps in slices of 20 ms, so it cannot rest. An
 * emulator and a filter of system calls can refuse the call. */
static void
need_wait_for_two_words (void)
{
  long result = syscall (SYS_futex_waitv, NULL, 0, 0, NULL, 0);
  if (result < 0 && (errno == ENOSYS || errno == EPERM))
    check_skip ("futex_waitv() is missing: %s", strerror (errno));
}

static uint64_t
waits_of_read (DatahubConsumer *consumer, int64_t timeout_ns,
    DatahubResult wanted)
{
  DatahubView view;
  uint64_t before = consumer_stats (consumer).waits;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, timeout_ns, &view, &err),
      wanted);
  if (wanted == DATAHUB_OK)
    datahub_consumer_end_read (consumer, &view);
  return consumer_stats (consumer).waits - before;
}

/* Looks after 0.1, 0.2, 0.4, 0.8, 1.6 s of waiting: not ten each second. */
static void
idle_wait_is_quiet (void)
{
  need_wait_for_two_words ();
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  CHECK_INT (waits_of_read (consumer, 3 * CHECK_S, DATAHUB_TIMEOUT), <=, 8);
  /* the next wait is the same one */
  CHECK_INT (waits_of_read (consumer, CHECK_S, DATAHUB_TIMEOUT), <=, 2);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void *
commit_slowly (void *producer)
{
  for (uint32_t i = 0; i < N_SLOW; i++) {
    usleep (SLOW_INTERVAL / 1000); /* the interval is what is tested */
    commit_buffers (producer, i, 1);
  }
  return NULL;
}

/* Between the records of a slow stream, which are waited for as long as the ones
 * before, there is no look. */
static void
slow_stream_is_quiet (void)
{
  need_wait_for_two_words ();
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  CheckThread *thread = check_thread (commit_slowly, producer);
  uint64_t waits = 0;
  for (uint32_t i = 0; i < N_SLOW; i++) {
    uint64_t more = waits_of_read (consumer, SOON, DATAHUB_OK);
    waits += i > 0 ? more : 0;
  }
  CHECK_INT (waits, <=, 2 * (N_SLOW - 1));
  check_thread_join (thread);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* What is sent to an idle consumer does not wait for its next look. */
static void
idle_consumer_wakes (void)
{
  need_wait_for_two_words ();
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  waits_of_read (consumer, 2 * CHECK_S, DATAHUB_TIMEOUT);
  CheckThread *thread = check_thread (commit_slowly, producer);
  CHECK_INT (waits_of_read (consumer, SOON, DATAHUB_OK), <=, 2);
  check_thread_join (thread);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
produces (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  check_ready (parent);
  check_hear (parent->in);
  commit_buffers (producer, 0, 4);
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

static uint64_t
time_of_loss (DatahubConsumer *consumer, CheckChild *child)
{
  uint64_t start;
  check_kill (child);
  start = check_now_ns ();
  waits_of_read (consumer, SOON, DATAHUB_PRODUCER_LOST);
  return check_now_ns () - start;
}

static void
death_after_a_long_wait (void)
{
  CheckChild child = check_fork_ready (produces, NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  waits_of_read (consumer, 3 * CHECK_S, DATAHUB_TIMEOUT);
  CHECK_INT (time_of_loss (consumer, &child), <, (uint64_t) NOTICED);
  datahub_consumer_close (consumer);
}

/* After a fast stream the first look comes early, whatever was before. */
static void
death_in_a_fast_stream (void)
{
  CheckChild child = check_fork_ready (produces, NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  waits_of_read (consumer, 2 * CHECK_S, DATAHUB_TIMEOUT);
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  expect_buffers (consumer, 0, 4);
  CHECK_INT (time_of_loss (consumer, &child), <,
      (uint64_t) check_scaled_ns (CHECK_S));
  datahub_consumer_close (consumer);
}

static const CheckTest tests[] = {
  { "a consumer that waits for long looks rarely", idle_wait_is_quiet },
  { "a consumer of a slow stream does not look between two records",
      slow_stream_is_quiet },
  { "a record wakes a consumer that was idle", idle_consumer_wakes },
  { "death of the producer is noticed after a long wait",
      death_after_a_long_wait },
  { "death of the producer is noticed soon in a fast stream",
      death_in_a_fast_stream },
};
CHECK_MAIN (tests)
