/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arguments at the ends of their ranges. */
#include "fixture.h"

#include <datahub/lock.h>

#include <fcntl.h>
#include <unistd.h>

/* As good as for ever: the end of such a wait is beyond the clock. */
static void
longest_timeout (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  DatahubSpinlock *lock;
  DatahubView view;
  DatahubWatch *watch = datahub_watch_new ("cam1");
  check_keep_fds (CHECK_FDS_OF_WATCHES);
  datahub_consumer_options_init (&options);
  options.timeout_ns = INT64_MAX;
  options.reliable = true;
  options.start = DATAHUB_START_OLDEST;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  CHECK_OK (datahub_producer_wait_consumers (producer, 1, INT64_MAX));
  CHECK_OK (try_commit (producer, 0, 1000, INT64_MAX));
  CHECK_OK (datahub_consumer_wait (consumer, INT64_MAX));
  CHECK_OK (datahub_consumer_begin_read (consumer, INT64_MAX, &view, &err));
  datahub_consumer_end_read (consumer, &view);
  CHECK_OK (datahub_consumer_open_spinlock (consumer, 0, &lock, &err));
  CHECK_OK (datahub_spinlock_lock (lock, INT64_MAX));
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  /* it comes back once a second to let its caller look */
  CHECK (watch != NULL);
  CHECK_OK (datahub_watch_wait (watch, INT64_MAX));
  datahub_watch_free (watch);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void *
repairs (void *data)
{
  uint32_t n;
  CHECK_OK (datahub_block_repair ("cam0", 0, INT64_MAX, NULL, NULL, &n, &err));
  return NULL;
}

/* Such a wait is one: it does not end before it began. */
static void
waits_for_a_repairer (void)
{
  struct flock byte = { .l_type = F_WRLCK, .l_start = 1, .l_len = 1 };
  if (is_strict_run ())
    check_skip ("a strict block is not repaired");
  DatahubProducer *producer = producer_new ("cam0", NULL);
  int fd = open (check_find_file (".lck"), O_RDWR | O_CLOEXEC);
  CHECK (fd >= 0 && fcntl (fd, F_OFD_SETLK, &byte) == 0);
  CheckThread *thread = check_thread (repairs, NULL);
  check_until_asleep (thread);
  close (fd);
  check_thread_join (thread);
  datahub_producer_close (producer);
}

static void
publish_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  check_tell (parent->out, 1);
  check_hear (parent->in);
  datahub_producer_close (producer);
}

static void *
attaches (void *data)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  datahub_consumer_options_init (&options);
  options.timeout_ns = INT64_MAX;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  datahub_consumer_close (consumer);
  return NULL;
}

static void
waits_for_a_producer (void)
{
  CheckChild child = check_fork (publish_and_wait, NULL);
  CHECK_HEAR (child.from, 1);
  check_stop (&child);
  CheckThread *thread = check_thread (attaches, NULL);
  if (is_strict_run ()) /* else nobody is asked */
    check_until_asleep (thread);
  check_continue (&child);
  check_thread_join (thread);
  check_tell (child.to, 1);
  check_join (&child);
}

/* Who spins for hours still learns in time that the producer is dead. */
static void
longest_spin (void)
{
  CheckChild child = check_fork (publish_and_wait, NULL);
  CHECK_HEAR (child.from, 1);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView view;
  datahub_consumer_set_spin (consumer, UINT64_C (3600) * CHECK_S);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, CHECK_MS, &view, &err),
      DATAHUB_TIMEOUT);
  check_kill (&child);
  uint64_t start = check_now_ns ();
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
      DATAHUB_PRODUCER_LOST);
  CHECK_INT (check_now_ns () - start, <, check_scaled_ns (2 * CHECK_S));
  datahub_consumer_set_spin (consumer, UINT64_MAX);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, CHECK_MS, &view, &err),
      DATAHUB_TIMEOUT);
  datahub_consumer_close (consumer);
}

/* Who is evicted at once joins again like anybody. */
static void
shortest_block_timeout (void)
{
  static const int64_t timeouts[] = { 0, 1, CHECK_MS };
  for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
    DatahubProducerOptions options = small_options ();
    options.block_timeout_ns = timeouts[i];
    DatahubProducer *producer = producer_new ("cam0", &options);
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_LATEST);
    DatahubView view;
    commit_buffers (producer, 0, 9);
    CHECK_INT (producer_stats (producer).evictions, ==, 1);
    CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
        DATAHUB_EVICTED);
    CHECK_OK (datahub_consumer_rejoin (consumer, &err));
    expect_buffer (consumer, 8, 1000);
    for (uint64_t k = 9; k < 30; k++) {
      commit_buffer (producer, k, 1000);
      expect_buffer (consumer, k, 1000);
    }
    datahub_consumer_close (consumer);
    datahub_producer_close (producer);
  }
}

/* What was never lent ends no loan. */
static void
abort_of_no_loan (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubSlot none = { 0 }, lent;
  datahub_producer_abort (producer, &none);
  fill_slot (producer, 0, 1000, &lent);
  none = lent;
  none.slot = 1000;
  datahub_producer_abort (producer, &none);
  datahub_producer_abort (producer, &lent);
  datahub_producer_abort (producer, &lent);
  commit_buffers (producer, 0, 20);
  CHECK_INT (producer_stats (producer).commits, ==, 20);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "the longest timeout is as good as none", longest_timeout },
  { "a repairer with the longest timeout waits", waits_for_a_repairer },
  { "an attach with the longest timeout waits", waits_for_a_producer },
  { "the longest spin tells of the producer's death", longest_spin },
  { "who was evicted at once can join again", shortest_block_timeout },
  { "an abort of what is no loan changes nothing", abort_of_no_loan },
};
CHECK_MAIN (tests)
