/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGKILL at random: a producer and its consumers, live and reliable, die in
 * any instruction, thousands of times, while every payload is verified by every
 * reader, at its arrival and again when its lease ends. Most producers adopt the
 * block of the one before, and most consumers stay attached through it.
 *
 * DATAHUB_STRESS_ROUNDS deaths (2000 by default; a long run is 100000 with
 * CHECK_TIMEOUT=36000), DATAHUB_STRESS_SEED to repeat a schedule's choices. */
#include "actors.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL "kill"
#define N_CONSUMERS 5
#define MAX_DELAY_NS (40 * CHECK_MS)

static uint64_t
number_from (const char *variable, uint64_t otherwise)
{
  const char *text = getenv (variable);
  return text ? strtoull (text, NULL, 0) : otherwise;
}

typedef struct
{
  Random random;
  int signals;
  uint64_t epoch;
  ProducerActor producer_life;
  ConsumerActor lives[N_CONSUMERS];
  CheckChild producer, consumers[N_CONSUMERS];
} Scene;

static void
start_producer (Scene *scene)
{
  scene->epoch++;
  CHECK_INT (scene->epoch, <, MAX_EPOCHS);
  scene->producer_life = (ProducerActor){ .channel = CHANNEL,
    .epoch = scene->epoch,
    .seed = random_next (&scene->random),
    .options = random_records_options (scene->epoch),
    .kills_itself = true };
  scene->producer = check_fork (actor_produce, &scene->producer_life);
}

static void
start_consumer (Scene *scene, uint32_t i)
{
  scene->lives[i] = (ConsumerActor){ .channel = CHANNEL,
    .seed = random_next (&scene->random),
    .reliable = random_below (&scene->random, 2) == 0 };
  scene->consumers[i] = check_fork (actor_consume, &scene->lives[i]);
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

/* Lets everything run for a random while, which is the load: any moment of a life
 * is hit. Wakes when a child ends. */
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
  actor_board_make ();
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
  atomic_store (&actor_board->stopping, 1);
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
      (unsigned long long) atomic_load (&actor_board->suicides),
      (unsigned long long) atomic_load (&actor_board->attachments),
      (unsigned long long) atomic_load (&actor_board->drained));
  check_note ("%llu adoptions, consumers went on with a successor %llu times",
      (unsigned long long) atomic_load (&actor_board->adoptions),
      (unsigned long long) atomic_load (&actor_board->followed));
  check_note ("%llu buffers verified, %llu lost by live consumers, %llu over "
              "quota, at most %llu KiB of shared memory",
      (unsigned long long) atomic_load (&actor_board->delivered),
      (unsigned long long) atomic_load (&actor_board->lost),
      (unsigned long long) atomic_load (&actor_board->copies),
      (unsigned long long) most / 1024);
  CHECK_INT (atomic_load (&actor_board->delivered), >, rounds);
  CHECK_INT (atomic_load (&actor_board->drained), >, rounds / 20);
  if (!getenv ("CHECK_STRICT")) /* which nobody adopts */
    CHECK_INT (atomic_load (&actor_board->followed), >, rounds / 20);
  /* Dead blocks do not pile up. */
  CHECK_INT (most, <, 64 << 20);
  close (scene.signals);
  actor_board_drop ();
}

static const CheckTest tests[] = {
  { "producers and consumers killed at random, every payload verified",
      deaths },
};
CHECK_MAIN (tests)
