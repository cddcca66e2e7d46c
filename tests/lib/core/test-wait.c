/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every wait: it ends in time, by its event, and by an interrupt. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *consumer;
  DatahubWatch *watch;
} Peers;

typedef DatahubResult (*WaitFunc) (Peers *peers, int64_t timeout_ns);

static DatahubResult
wait_acquire (Peers *peers, int64_t timeout_ns)
{
  DatahubSlot slot;
  return datahub_producer_acquire_slot (peers->producer, 100, timeout_ns, &slot,
      &err);
}

static DatahubResult
wait_commit (Peers *peers, int64_t timeout_ns)
{
  DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_EVENT };
  return datahub_producer_commit (peers->producer, &record, timeout_ns, NULL,
      &err);
}

static DatahubResult
wait_consumers (Peers *peers, int64_t timeout_ns)
{
  return datahub_producer_wait_consumers (peers->producer, 5, timeout_ns);
}

static DatahubResult
wait_attention (Peers *peers, int64_t timeout_ns)
{
  uint32_t seen = 0;
  /* The first call may report what happened before. */
  while (datahub_producer_wait_attention (peers->producer, &seen, 0)
      == DATAHUB_OK)
    ;
  return datahub_producer_wait_attention (peers->producer, &seen, timeout_ns);
}

static DatahubResult
wait_begin_read (Peers *peers, int64_t timeout_ns)
{
  DatahubView view;
  return datahub_consumer_begin_read (peers->consumer, timeout_ns, &view, &err);
}

static DatahubResult
wait_wait (Peers *peers, int64_t timeout_ns)
{
  return datahub_consumer_wait (peers->consumer, timeout_ns);
}

static DatahubResult
wait_watch (Peers *peers, int64_t timeout_ns)
{
  return datahub_watch_wait (peers->watch, timeout_ns);
}

/* A ring that a reliable consumer keeps full, so that acquire and commit wait;
 * for readers, an empty one. */
static Peers
peers_new (bool full)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = -1;
  options.slots = 8;
  options.max_bytes = 8 * 4096;
  Peers peers = { .producer = producer_new ("cam0", &options) };
  peers.consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  if (full)
    while (try_commit (peers.producer, 0, 100, 0) == DATAHUB_OK)
      ;
  if (full)
    while (wait_commit (&peers, 0) == DATAHUB_OK)
      ;
  return peers;
}

static void
peers_close (Peers *peers)
{
  if (peers->watch)
    datahub_watch_free (peers->watch);
  datahub_consumer_close (peers->consumer);
  datahub_producer_close (peers->producer);
}

static void
check_timeouts (WaitFunc wait, Peers *peers, int64_t shortest_ns)
{
  uint64_t start = check_now_ns ();
  CHECK_RESULT (wait (peers, 0), DATAHUB_TIMEOUT);
  CHECK_INT (check_now_ns () - start, <, (uint64_t) (CHECK_S / 2));
  start = check_now_ns ();
  CHECK_RESULT (wait (peers, shortest_ns), DATAHUB_TIMEOUT);
  uint64_t took = check_now_ns () - start;
  CHECK_INT (took, >=, (uint64_t) shortest_ns);
  CHECK_INT (took, <, (uint64_t) (shortest_ns + SOON));
}

static void
acquire_timeout (void)
{
  Peers peers = peers_new (true);
  check_timeouts (wait_acquire, &peers, 30 * CHECK_MS);
  peers_close (&peers);
}

static void
commit_timeout (void)
{
  Peers peers = peers_new (true);
  check_timeouts (wait_commit, &peers, 30 * CHECK_MS);
  peers_close (&peers);
}

static void
consumers_timeout (void)
{
  Peers peers = peers_new (false);
  check_timeouts (wait_consumers, &peers, 30 * CHECK_MS);
  peers_close (&peers);
}

static void
attention_timeout (void)
{
  Peers peers = peers_new (false);
  check_timeouts (wait_attention, &peers, 30 * CHECK_MS);
  peers_close (&peers);
}

static void
begin_read_timeout (void)
{
  Peers peers = peers_new (false);
  check_timeouts (wait_begin_read, &peers, 30 * CHECK_MS);
  /* Longer than a slice of the sleep. */
  check_timeouts (wait_begin_read, &peers, 250 * CHECK_MS);
  peers_close (&peers);
}

static void
wait_timeout (void)
{
  Peers peers = peers_new (false);
  check_timeouts (wait_wait, &peers, 30 * CHECK_MS);
  peers_close (&peers);
}

static void
watch_timeout (void)
{
  Peers peers = peers_new (false);
  peers.watch = datahub_watch_new ("cam1");
  check_keep_fds (CHECK_FDS_OF_WATCHES);
  CHECK (peers.watch != NULL);
  /* The first wait may report that the directory was looked at. */
  while (datahub_watch_wait (peers.watch, 0) == DATAHUB_OK)
    ;
  check_timeouts (wait_watch, &peers, 30 * CHECK_MS);
  peers_close (&peers);
}

typedef struct
{
  Peers *peers;
  WaitFunc wait;
  DatahubResult result;
} Waiter;

static void *
wait_for_ever (void *data)
{
  Waiter *waiter = data;
  waiter->result = waiter->wait (waiter->peers, DATAHUB_FOREVER);
  return NULL;
}

static void
interrupt_producer (Peers *peers, bool on)
{
  datahub_producer_set_interrupted (peers->producer, DATAHUB_WAIT_ALL, on);
}

static void
interrupt_consumer (Peers *peers, bool on)
{
  datahub_consumer_set_interrupted (peers->consumer, on);
}

static void
interrupt_watch (Peers *peers, bool on)
{
  datahub_watch_set_interrupted (peers->watch, on);
}

/* Asleep and interrupted; called while interrupted; working again after. */
static void
check_interrupt (Peers *peers, WaitFunc wait,
    void (*interrupt) (Peers *peers, bool on))
{
  for (int round = 0; round < 5; round++) {
    Waiter waiter = { .peers = peers, .wait = wait };
    CheckThread *thread = check_thread (wait_for_ever, &waiter);
    check_until_asleep (thread);
    uint64_t start = check_now_ns ();
    interrupt (peers, true);
    check_thread_join (thread);
    CHECK_INT (check_now_ns () - start, <,
        (uint64_t) check_scaled_ns (CHECK_S));
    CHECK_RESULT (waiter.result, DATAHUB_INTERRUPTED);
    CHECK_RESULT (wait (peers, DATAHUB_FOREVER), DATAHUB_INTERRUPTED);
    interrupt (peers, false);
    CHECK_RESULT (wait (peers, 5 * CHECK_MS), DATAHUB_TIMEOUT);
  }
}

static void
interrupt_acquire (void)
{
  Peers peers = peers_new (true);
  check_interrupt (&peers, wait_acquire, interrupt_producer);
  peers_close (&peers);
}

static void
interrupt_commit (void)
{
  Peers peers = peers_new (true);
  check_interrupt (&peers, wait_commit, interrupt_producer);
  peers_close (&peers);
}

static void
interrupt_consumers (void)
{
  Peers peers = peers_new (false);
  check_interrupt (&peers, wait_consumers, interrupt_producer);
  peers_close (&peers);
}

static void
interrupt_attention (void)
{
  Peers peers = peers_new (false);
  check_interrupt (&peers, wait_attention, interrupt_producer);
  peers_close (&peers);
}

static void
interrupt_begin_read (void)
{
  Peers peers = peers_new (false);
  check_interrupt (&peers, wait_begin_read, interrupt_consumer);
  peers_close (&peers);
}

static void
interrupt_wait (void)
{
  Peers peers = peers_new (false);
  check_interrupt (&peers, wait_wait, interrupt_consumer);
  peers_close (&peers);
}

static void
interrupt_watch_wait (void)
{
  Peers peers = peers_new (false);
  peers.watch = datahub_watch_new ("cam1");
  check_keep_fds (CHECK_FDS_OF_WATCHES);
  while (datahub_watch_wait (peers.watch, 0) == DATAHUB_OK)
    ;
  check_interrupt (&peers, wait_watch, interrupt_watch);
  peers_close (&peers);
}

/* An interrupt of one kind of wait leaves the others alone. */
static void
interrupt_one_kind (void)
{
  Peers peers = peers_new (true);
  datahub_producer_set_interrupted (peers.producer, DATAHUB_WAIT_ACQUIRE, true);
  CHECK_RESULT (wait_acquire (&peers, SOON), DATAHUB_INTERRUPTED);
  CHECK_RESULT (wait_commit (&peers, 5 * CHECK_MS), DATAHUB_TIMEOUT);
  CHECK_RESULT (wait_consumers (&peers, 5 * CHECK_MS), DATAHUB_TIMEOUT);
  datahub_producer_set_interrupted (peers.producer, DATAHUB_WAIT_COMMIT, true);
  datahub_producer_set_interrupted (peers.producer, DATAHUB_WAIT_ACQUIRE,
      false);
  CHECK_RESULT (wait_acquire (&peers, 5 * CHECK_MS), DATAHUB_TIMEOUT);
  CHECK_RESULT (wait_commit (&peers, SOON), DATAHUB_INTERRUPTED);
  peers_close (&peers);
}

static void
event_begin_read (void)
{
  Peers peers = peers_new (false);
  for (uint64_t i = 0; i < 20; i++) {
    Waiter waiter = { .peers = &peers, .wait = wait_wait };
    CheckThread *thread = check_thread (wait_for_ever, &waiter);
    check_until_asleep (thread);
    commit_buffers (peers.producer, i, 1);
    check_thread_join (thread);
    CHECK_RESULT (waiter.result, DATAHUB_OK);
    expect_buffers (peers.consumer, i, 1);
  }
  CHECK_INT (consumer_stats (peers.consumer).waits, >, 0);
  peers_close (&peers);
}

static void
event_closed (void)
{
  Peers peers = peers_new (false);
  Waiter waiter = { .peers = &peers, .wait = wait_begin_read };
  CheckThread *thread = check_thread (wait_for_ever, &waiter);
  check_until_asleep (thread);
  datahub_producer_close (peers.producer);
  check_thread_join (thread);
  CHECK_RESULT (waiter.result, DATAHUB_CLOSED);
  datahub_consumer_close (peers.consumer);
}

static void
event_consumers (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumers[5];
  Peers peers = { .producer = producer };
  CHECK_RESULT (datahub_producer_wait_consumers (producer, 0, 0), DATAHUB_OK);
  Waiter waiter = { .peers = &peers, .wait = wait_consumers };
  CheckThread *thread = check_thread (wait_for_ever, &waiter);
  check_until_asleep (thread);
  for (int i = 0; i < 5; i++)
    consumers[i] = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  check_thread_join (thread);
  CHECK_RESULT (waiter.result, DATAHUB_OK);
  for (int i = 0; i < 5; i++)
    datahub_consumer_close (consumers[i]);
  datahub_producer_close (producer);
}

static void
event_watch (void)
{
  Peers peers = { .watch = datahub_watch_new ("cam0") };
  check_keep_fds (CHECK_FDS_OF_WATCHES);
  while (datahub_watch_wait (peers.watch, 0) == DATAHUB_OK)
    ;
  Waiter waiter = { .peers = &peers, .wait = wait_watch };
  CheckThread *thread = check_thread (wait_for_ever, &waiter);
  check_until_asleep (thread);
  DatahubProducer *producer = producer_new ("cam0", NULL);
  check_thread_join (thread);
  CHECK_RESULT (waiter.result, DATAHUB_OK);
  datahub_watch_free (peers.watch);
  datahub_producer_close (producer);
}

/* The attachment has one reading thread; the other is told, not muddled. */
static void
one_waiting_thread (void)
{
  Peers peers = peers_new (false);
  Waiter waiter = { .peers = &peers, .wait = wait_wait };
  CheckThread *thread = check_thread (wait_for_ever, &waiter);
  check_until_asleep (thread);
  CHECK_RESULT (wait_wait (&peers, 10 * CHECK_MS), DATAHUB_ERROR_BUSY);
  interrupt_consumer (&peers, true);
  check_thread_join (thread);
  CHECK_RESULT (waiter.result, DATAHUB_INTERRUPTED);
  peers_close (&peers);
}

static void
spinning (void)
{
  Peers peers = peers_new (false);
  datahub_consumer_set_spin (peers.consumer, 20 * 1000);
  check_timeouts (wait_begin_read, &peers, 30 * CHECK_MS);
  commit_buffers (peers.producer, 0, 3);
  expect_buffers (peers.consumer, 0, 3);
  check_interrupt (&peers, wait_begin_read, interrupt_consumer);
  peers_close (&peers);
}

static uint64_t
thread_ns (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &ts);
  return (uint64_t) ts.tv_sec * CHECK_S + (uint64_t) ts.tv_nsec;
}

/* What the calling thread spends on waiting for nothing, for 50 ms. */
static uint64_t
wait_and_spin (DatahubConsumer *consumer)
{
  DatahubView view;
  uint64_t start = thread_ns ();
  datahub_consumer_set_spin (consumer, 100 * CHECK_MS);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 50 * CHECK_MS, &view,
                    &err),
      DATAHUB_TIMEOUT);
  return thread_ns () - start;
}

static void *
wait_in_real_time (void *data)
{
  const struct sched_param first = { .sched_priority = 1 };
  uint64_t took;
  if (pthread_setschedparam (pthread_self (), SCHED_FIFO, &first) != 0)
    return NULL;
  took = wait_and_spin (data);
  CHECK_INT (took, <, 25 * CHECK_MS);
  return data;
}

/* It could keep whom it waits for from running. */
static void
real_time_never_spins (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  pthread_t thread;
  void *permitted;
  CHECK (pthread_create (&thread, NULL, wait_in_real_time, consumer) == 0);
  CHECK (pthread_join (thread, &permitted) == 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  if (!permitted)
    check_skip ("this user may not run threads under SCHED_FIFO");
}

static const CheckTest tests[] = {
  { "acquire ends in time", acquire_timeout },
  { "commit ends in time", commit_timeout },
  { "waiting for consumers ends in time", consumers_timeout },
  { "waiting for attention ends in time", attention_timeout },
  { "begin_read ends in time", begin_read_timeout },
  { "waiting for data ends in time", wait_timeout },
  { "watching a name ends in time", watch_timeout },
  { "an interrupt ends acquire", interrupt_acquire },
  { "an interrupt ends commit", interrupt_commit },
  { "an interrupt ends waiting for consumers", interrupt_consumers },
  { "an interrupt ends waiting for attention", interrupt_attention },
  { "an interrupt ends begin_read", interrupt_begin_read },
  { "an interrupt ends waiting for data", interrupt_wait },
  { "an interrupt ends watching a name", interrupt_watch_wait },
  { "an interrupt of one kind of wait leaves the others", interrupt_one_kind },
  { "a commit wakes a sleeping consumer", event_begin_read },
  { "closing wakes a sleeping consumer", event_closed },
  { "attaching wakes a producer that waits for consumers", event_consumers },
  { "publishing wakes who watches the name", event_watch },
  { "a second waiting thread is refused", one_waiting_thread },
  { "under SCHED_FIFO nobody spins", real_time_never_spins },
  { "spinning before sleeping changes no outcome", spinning },
};
CHECK_MAIN (tests)
