/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGKILL at random: a producer and its consumers, live and reliable, die in
 * any instruction, thousands of times, while every payload is verified by every
 * reader, at its arrival and again when its lease ends. Most producers adopt the
 * block of the one before, and most consumers stay attached through it.
 *
 * DATAHUB_STRESS_ROUNDS deaths (2000 by default; a long run is 100000 with
 * CHECK_TIMEOUT=36000), DATAHUB_STRESS_SEED to repeat a schedule's choices. */
#include "traffic.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL "kill"
#define N_CONSUMERS 5
#define MAX_EPOCHS (1u << 20)
#define MAX_DELAY_NS (40 * CHECK_MS)

/* What everybody writes down for the others to check. An epoch's numbers are
 * written by its producer alone. */
typedef struct
{
  _Atomic uint64_t attempted; /* buffers whose commit was begun */
  _Atomic uint64_t committed; /* buffers whose commit returned */
  _Atomic uint64_t base; /* buffers in the block before the epoch */
} Epoch;

typedef struct
{
  _Atomic uint64_t delivered, lost, copies, attachments, drained, suicides;
  _Atomic uint64_t adoptions, followed;
  _Atomic uint32_t stopping;
  Epoch epochs[MAX_EPOCHS];
} Board;

typedef struct
{
  uint64_t epoch;
  uint64_t seed;
} ProducerLife;

typedef struct
{
  uint64_t seed;
  bool reliable;
} ConsumerLife;

static Board *board;

static uint64_t
number_from (const char *variable, uint64_t otherwise)
{
  const char *text = getenv (variable);
  return text ? strtoull (text, NULL, 0) : otherwise;
}

static void
must (DatahubResult result, const DatahubError *error, const char *what)
{
  if (result != DATAHUB_OK)
    check_fail (__FILE__, __LINE__, "%s: %s: %s", what,
        datahub_result_name (result), error->message);
}

/* The producer. */

static void
produce_some (DatahubProducer *producer, uint64_t epoch, Random *random)
{
  DatahubError error = { 0 };
  Epoch *own = &board->epochs[epoch];
  uint64_t n = atomic_load (&own->committed);
  if (random_below (random, 40) == 0)
    must (traffic_send_caps (producer, epoch, DATAHUB_FOREVER, &error), &error,
        "caps");
  if (random_below (random, 20) == 0)
    must (traffic_send_tags (producer, epoch, DATAHUB_FOREVER, &error), &error,
        "tags");
  uint32_t k = random_below (random, 4) == 0
      ? 1 + random_below (random, TRAFFIC_MAX_BATCH)
      : 1;
  atomic_store (&own->attempted, n + k);
  must (traffic_send (producer, epoch, n, k, DATAHUB_FOREVER, &error), &error,
      "send");
  atomic_store (&own->committed, n + k);
}

/* After all consumers are gone: everything they held is back. */
static void
check_nothing_held (DatahubProducer *producer, uint64_t epoch, Random *random)
{
  DatahubConsumerInfo info;
  DatahubProducerStats stats;
  for (int i = 0; i < 100; i++)
    produce_some (producer, epoch, random);
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 0);
  datahub_producer_get_stats (producer, &stats);
  CHECK_INT (stats.dropped, ==, 0);
  CHECK_INT (stats.evictions, ==, 0);
}

static void
produce (CheckParent *parent)
{
  const ProducerLife *life = parent->data;
  Random random = { life->seed };
  DatahubError error = { 0 };
  DatahubProducerOptions options = traffic_options (life->epoch);
  DatahubProducer *producer = NULL;
  DatahubProducerStats stats;
  options.adopt = random_below (&random, 8) != 0;
  must (datahub_producer_create (CHANNEL, &options, &producer, &error), &error,
      "create");
  datahub_producer_get_stats (producer, &stats);
  atomic_store (&board->epochs[life->epoch].base, stats.commits);
  atomic_fetch_add (&board->adoptions, stats.adopted);
  must (traffic_send_caps (producer, life->epoch, DATAHUB_FOREVER, &error),
      &error, "first caps");
  must (datahub_producer_publish (producer, &error), &error, "publish");
  uint32_t suicide = random_below (&random, 4) == 0
      ? 1 + random_below (&random, 2000)
      : UINT32_MAX;
  for (uint32_t i = 0; !check_has_word (parent->in); i++) {
    if (i == suicide && !atomic_load (&board->stopping)) {
      atomic_fetch_add (&board->suicides, 1);
      traffic_begin_only (producer);
      raise (SIGKILL);
    }
    produce_some (producer, life->epoch, &random);
  }
  check_nothing_held (producer, life->epoch, &random);
  datahub_producer_close (producer);
}

/* A consumer. */

static DatahubConsumer *
attach (bool reliable, Random *random)
{
  DatahubConsumerOptions options;
  DatahubError error = { 0 };
  DatahubConsumer *consumer = NULL;
  datahub_consumer_options_init (&options);
  options.reliable = reliable;
  options.start = (DatahubStart) random_below (random, 3);
  options.max_pinned = 1 + random_below (random, 8);
  DatahubResult result =
      datahub_consumer_attach (CHANNEL, &options, &consumer, &error);
  /* the producer of a strict block may be stopped, or dying, before it answers */
  if (result == DATAHUB_ERROR_NOT_FOUND || result == DATAHUB_TIMEOUT)
    return NULL;
  must (result, &error, "attach");
  atomic_fetch_add (&board->attachments, 1);
  return consumer;
}

static DatahubConsumer *
attach_or_wait (bool reliable, Random *random)
{
  DatahubConsumer *consumer = NULL;
  DatahubWatch *watch = datahub_watch_new (CHANNEL);
  CHECK (watch != NULL);
  while (!atomic_load (&board->stopping)
      && !(consumer = attach (reliable, random)))
    datahub_watch_wait (watch, 50 * CHECK_MS);
  datahub_watch_free (watch);
  return consumer;
}

/* Its producer closed or died: all that was committed came or is counted. */
static void
check_drained (const TrafficReader *reader)
{
  if (!reader->started)
    return;
  const Epoch *epoch = &board->epochs[reader->epoch];
  uint64_t base = atomic_load (&epoch->base);
  CHECK_INT (reader->next, >=, base + atomic_load (&epoch->committed));
  CHECK_INT (reader->next, <=, base + atomic_load (&epoch->attempted));
  atomic_fetch_add (&board->drained, 1);
}

static void
add_up (const TrafficReader *reader)
{
  atomic_fetch_add (&board->delivered, reader->received);
  atomic_fetch_add (&board->lost, reader->lost);
  atomic_fetch_add (&board->copies, reader->copies);
}

/* One attachment; the leases left over at its end outlive it. */
static TrafficReader
consume_block (DatahubConsumer *consumer, bool reliable, Random *random)
{
  TrafficReader reader = { .consumer = consumer,
    .reliable = reliable,
    .adopts = true,
    .random = random };
  uint64_t incarnation = 0;
  uint32_t stay =
      random_below (random, 8) == 0 ? random_below (random, 3000) : UINT32_MAX;
  DatahubResult result = DATAHUB_OK;
  for (uint32_t i = 0; i < stay && !atomic_load (&board->stopping); i++) {
    result = traffic_read (&reader, 50 * CHECK_MS);
    if (reader.based)
      CHECK_INT (reader.base, ==,
          atomic_load (&board->epochs[reader.epoch].base));
    if (incarnation && reader.incarnation != incarnation)
      atomic_fetch_add (&board->followed, 1);
    incarnation = reader.incarnation;
    if (result == DATAHUB_PRODUCER_LOST)
      check_drained (&reader);
    /* Most wait for a successor. */
    if (result == DATAHUB_PRODUCER_LOST && random_below (random, 8) != 0)
      continue;
    if (result != DATAHUB_OK && result != DATAHUB_TIMEOUT)
      break;
  }
  if (result == DATAHUB_CLOSED)
    check_drained (&reader);
  else
    CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
        || result == DATAHUB_PRODUCER_LOST);
  traffic_check_counts (&reader);
  add_up (&reader);
  datahub_consumer_close (consumer);
  return reader;
}

static void
consume (CheckParent *parent)
{
  const ConsumerLife *life = parent->data;
  Random random = { life->seed };
  TrafficReader before = { .random = &random };
  for (;;) {
    DatahubConsumer *consumer = attach_or_wait (life->reliable, &random);
    if (!consumer)
      break;
    TrafficReader reader = consume_block (consumer, life->reliable, &random);
    traffic_release_all (&before);
    before = reader;
  }
  traffic_release_all (&before);
}

/* The parent. */

typedef struct
{
  Random random;
  int signals;
  uint64_t epoch;
  ProducerLife producer_life;
  ConsumerLife lives[N_CONSUMERS];
  CheckChild producer, consumers[N_CONSUMERS];
} Scene;

static void
start_producer (Scene *scene)
{
  scene->epoch++;
  CHECK_INT (scene->epoch, <, MAX_EPOCHS);
  scene->producer_life =
      (ProducerLife){ scene->epoch, random_next (&scene->random) };
  scene->producer = check_fork (produce, &scene->producer_life);
}

static void
start_consumer (Scene *scene, uint32_t i)
{
  scene->lives[i] = (ConsumerLife){ random_next (&scene->random),
    random_below (&scene->random, 2) == 0 };
  scene->consumers[i] = check_fork (consume, &scene->lives[i]);
}

static void
end_pipes (CheckChild *child)
{
  close (child->to);
  close (child->from);
  child->pid = -1;
}

/* A child has ended by itself: only a suicide of the producer is right. */
static void
collect (Scene *scene)
{
  int status;
  for (pid_t pid; (pid = waitpid (-1, &status, WNOHANG)) > 0;) {
    if (pid != scene->producer.pid || !WIFSIGNALED (status)
        || WTERMSIG (status) != SIGKILL)
      check_fail (__FILE__, __LINE__, "%s %d ended with status 0x%x",
          pid == scene->producer.pid ? "producer" : "consumer", (int) pid,
          (unsigned) status);
    end_pipes (&scene->producer);
    start_producer (scene);
  }
}

/* Lets everything run for a random while; wakes when a child ends. */
static void
let_run (Scene *scene)
{
  struct timespec delay = { 0,
    (long) random_below (&scene->random, MAX_DELAY_NS) };
  struct pollfd poll_fd = { .fd = scene->signals, .events = POLLIN };
  struct signalfd_siginfo info;
  /* The signal of the last victim is no news. */
  while (read (scene->signals, &info, sizeof info) == sizeof info)
    ;
  collect (scene);
  if (ppoll (&poll_fd, 1, &delay, NULL) == 1)
    collect (scene);
}

/* The victim may have ended by itself an instant before: same outcome. */
static void
kill_one (CheckChild *victim)
{
  int status;
  kill (victim->pid, SIGKILL);
  CHECK (waitpid (victim->pid, &status, 0) == victim->pid);
  if (!WIFSIGNALED (status) || WTERMSIG (status) != SIGKILL)
    check_fail (__FILE__, __LINE__, "a child ended with status 0x%x",
        (unsigned) status);
  end_pipes (victim);
}

static void
one_round (Scene *scene)
{
  let_run (scene);
  uint32_t victim = random_below (&scene->random, N_CONSUMERS + 2);
  if (victim >= N_CONSUMERS) {
    kill_one (&scene->producer);
    start_producer (scene);
  } else {
    kill_one (&scene->consumers[victim]);
    start_consumer (scene, victim);
  }
}

static void
set_up (Scene *scene)
{
  sigset_t mask;
  board = mmap (NULL, sizeof *board, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK (board != MAP_FAILED);
  sigemptyset (&mask);
  sigaddset (&mask, SIGCHLD);
  sigprocmask (SIG_BLOCK, &mask, NULL);
  scene->signals = signalfd (-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  CHECK (scene->signals >= 0);
  start_producer (scene);
  for (uint32_t i = 0; i < N_CONSUMERS; i++)
    start_consumer (scene, i);
}

/* Half of the consumers leave, half are killed; then the producer looks at what
 * they left. It may just have killed itself: the next one looks. */
static void
wind_down (Scene *scene)
{
  const uint64_t word = 1;
  int status;
  collect (scene);
  for (uint32_t i = 1; i < N_CONSUMERS; i += 2)
    kill_one (&scene->consumers[i]);
  atomic_store (&board->stopping, 1);
  for (uint32_t i = 0; i < N_CONSUMERS; i += 2)
    check_join (&scene->consumers[i]);
  if (write (scene->producer.to, &word, sizeof word) != sizeof word)
    CHECK_INT (errno, ==, EPIPE); /* it did, already */
  CHECK (waitpid (scene->producer.pid, &status, 0) == scene->producer.pid);
  end_pipes (&scene->producer);
  if (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL) {
    start_producer (scene);
    check_tell (scene->producer.to, 1);
    check_join (&scene->producer);
  } else {
    CHECK_INT (status, ==, 0);
  }
}

static void
deaths (void)
{
  static Scene scene;
  uint64_t rounds = number_from ("DATAHUB_STRESS_ROUNDS", 2000);
  uint64_t seed = number_from ("DATAHUB_STRESS_SEED", check_now_ns ());
  uint64_t most = 0;
  scene.random.state = seed;
  check_note ("%llu rounds, seed %llu", (unsigned long long) rounds,
      (unsigned long long) seed);
  set_up (&scene);
  for (uint64_t i = 0; i < rounds; i++) {
    one_round (&scene);
    if (i % 50 == 0 && check_bytes_used () > most)
      most = check_bytes_used ();
  }
  wind_down (&scene);
  datahub_block_reclaim (false, NULL, NULL, NULL);
  check_note ("%llu producers (%llu killed while filling), %llu attachments, "
              "%llu drained to the end",
      (unsigned long long) scene.epoch,
      (unsigned long long) atomic_load (&board->suicides),
      (unsigned long long) atomic_load (&board->attachments),
      (unsigned long long) atomic_load (&board->drained));
  check_note ("%llu adoptions, consumers went on with a successor %llu times",
      (unsigned long long) atomic_load (&board->adoptions),
      (unsigned long long) atomic_load (&board->followed));
  check_note ("%llu buffers verified, %llu lost by live consumers, %llu over "
              "quota, at most %llu KiB of shared memory",
      (unsigned long long) atomic_load (&board->delivered),
      (unsigned long long) atomic_load (&board->lost),
      (unsigned long long) atomic_load (&board->copies),
      (unsigned long long) most / 1024);
  CHECK_INT (atomic_load (&board->delivered), >, rounds);
  CHECK_INT (atomic_load (&board->drained), >, rounds / 20);
  if (!getenv ("CHECK_STRICT")) /* which nobody adopts */
    CHECK_INT (atomic_load (&board->followed), >, rounds / 20);
  /* Dead blocks do not pile up. */
  CHECK_INT (most, <, 64 << 20);
  close (scene.signals);
  munmap (board, sizeof *board);
}

static const CheckTest tests[] = {
  { "producers and consumers killed at random, every payload verified",
      deaths },
};
CHECK_MAIN (tests)
