/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The soak: a hundred consumers of two blocks, of whom some die every moment and
 * others come; the producer of one block dies now and then too, that of the other
 * lives to the end, like four of the consumers. Everything that anybody reads is
 * verified, and neither files, nor descriptors, nor memory of those who live
 * grow.
 *
 * DATAHUB_SOAK_KILLS: how many die, 1500 by default; the long form is 100000 with
 * CHECK_TIMEOUT=36000. DATAHUB_STRESS_SEED repeats a schedule's choices. */
#include "actors.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_CONSUMERS 100
/* Two of each block, a reliable and a live one, that nobody kills. */
#define N_SURVIVORS 4
#define MAX_DELAY_NS (24 * CHECK_MS)
#define PAUSE_NS (2 * CHECK_MS)
/* Of the producer that lives; the others count from 1. */
#define STEADY_EPOCH (MAX_EPOCHS - 1)

static const char *const channels[] = { "steady", "mortal" };

/* Those whose memory and descriptors are looked at: this process, the producer
 * that lives, the survivors. */
#define N_WATCHED (2 + N_SURVIVORS)
#define MEMORY_SLACK_KIB 1024
#define FDS_SLACK 4
#define FILES_MAX 120

typedef struct
{
  uint64_t memory_kib[N_WATCHED]; /* anonymous, resident */
  uint32_t fds[N_WATCHED];
  uint32_t files;
  uint64_t bytes;
} Sample;

typedef struct
{
  Random random;
  uint64_t epoch;
  uint64_t producers_killed, consumers_killed;
  ProducerActor producer_lives[2];
  CheckChild producers[2];
  ConsumerActor lives[N_CONSUMERS];
  CheckChild consumers[N_CONSUMERS];
  Sample first, most;
} Soak;

static uint64_t
number_from (const char *variable, uint64_t otherwise)
{
  const char *text = getenv (variable);
  return text ? strtoull (text, NULL, 0) : otherwise;
}

static void
start_producer (Soak *soak, uint32_t which)
{
  uint64_t epoch = which == 0 ? STEADY_EPOCH : ++soak->epoch;
  DatahubProducerOptions options = random_records_options (epoch);
  CHECK_INT (soak->epoch, <, STEADY_EPOCH);
  options.slots = 128;
  options.max_consumers = N_CONSUMERS;
  soak->producer_lives[which] = (ProducerActor){ .channel = channels[which],
    .epoch = epoch,
    .seed = random_next (&soak->random),
    .options = options,
    .pause_ns = PAUSE_NS };
  soak->producers[which] =
      check_fork (actor_produce, &soak->producer_lives[which]);
}

static void
start_consumer (Soak *soak, uint32_t i)
{
  soak->lives[i] = (ConsumerActor){ .channel = channels[i % 2],
    .seed = random_next (&soak->random),
    .reliable = i < 2 || i % 10 == 4,
    .stays = i < N_SURVIVORS };
  soak->consumers[i] = check_fork (actor_consume, &soak->lives[i]);
}

static void
check_nobody_failed (void)
{
  int status;
  pid_t pid = waitpid (-1, &status, WNOHANG);
  if (pid != 0)
    check_fail (__FILE__, __LINE__, "process %d ended with status 0x%x",
        (int) pid, (unsigned) status);
}

static void
let_run (Soak *soak)
{
  struct timespec delay = { 0,
    (long) random_below (&soak->random, MAX_DELAY_NS) };
  nanosleep (&delay, NULL); /* time is the load: kills at any moment */
}

static void
one_death (Soak *soak)
{
  uint32_t i = random_below (&soak->random, N_CONSUMERS - N_SURVIVORS + 2);
  let_run (soak);
  check_nobody_failed ();
  if (i >= N_CONSUMERS - N_SURVIVORS) {
    check_kill (&soak->producers[1]);
    start_producer (soak, 1);
    soak->producers_killed++;
    return;
  }
  check_kill (&soak->consumers[N_SURVIVORS + i]);
  start_consumer (soak, N_SURVIVORS + i);
  soak->consumers_killed++;
}

/* What does not grow. */

static uint64_t
memory_of (pid_t pid)
{
  char path[64], line[256];
  unsigned long long kib = 0;
  snprintf (path, sizeof path, "/proc/%d/status", (int) pid);
  FILE *status = fopen (path, "re");
  CHECK (status != NULL);
  while (fgets (line, sizeof line, status))
    if (sscanf (line, "RssAnon: %llu kB", &kib) == 1)
      break;
  fclose (status);
  return kib;
}

static Sample
take_sample (const Soak *soak)
{
  Sample sample = { .files = check_count_files (),
    .bytes = check_bytes_used () };
  for (uint32_t i = 0; i < N_WATCHED; i++) {
    pid_t pid = i == 0 ? getpid ()
        : i == 1       ? soak->producers[0].pid
                       : soak->consumers[i - 2].pid;
    sample.memory_kib[i] = memory_of (pid);
    sample.fds[i] = check_count_fds_of (pid);
  }
  return sample;
}

static void
keep_most (Sample *most, const Sample *sample)
{
  for (uint32_t i = 0; i < N_WATCHED; i++) {
    if (sample->memory_kib[i] > most->memory_kib[i])
      most->memory_kib[i] = sample->memory_kib[i];
    if (sample->fds[i] > most->fds[i])
      most->fds[i] = sample->fds[i];
  }
  if (sample->files > most->files)
    most->files = sample->files;
  if (sample->bytes > most->bytes)
    most->bytes = sample->bytes;
}

/* A sanitizer keeps freed memory for a while. */
static bool
is_memory_plain (void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

static void
check_flat (const Soak *soak)
{
  static const char *const names[N_WATCHED] = { "this process",
    "steady producer", "reliable consumer, steady", "reliable consumer, mortal",
    "live consumer, steady", "live consumer, mortal" };
  for (uint32_t i = 0; i < N_WATCHED; i++) {
    check_note ("%s: %llu KiB and %u descriptors at first, at most %llu KiB "
                "and %u later",
        names[i], (unsigned long long) soak->first.memory_kib[i],
        soak->first.fds[i], (unsigned long long) soak->most.memory_kib[i],
        soak->most.fds[i]);
    CHECK_INT (soak->most.fds[i], <=, soak->first.fds[i] + FDS_SLACK);
    if (is_memory_plain ())
      CHECK_INT (soak->most.memory_kib[i], <=,
          soak->first.memory_kib[i] + MEMORY_SLACK_KIB);
  }
  check_note ("at most %u files of %llu KiB", soak->most.files,
      (unsigned long long) soak->most.bytes / 1024);
  CHECK_INT (soak->most.files, <=, FILES_MAX);
}

static void
begin (Soak *soak)
{
  actor_board_make ();
  for (uint32_t i = 0; i < 2; i++)
    start_producer (soak, i);
  for (uint32_t i = 0; i < N_CONSUMERS; i++)
    start_consumer (soak, i);
}

/* The last consumers are killed or leave, then both producers look at what they
 * left. */
static void
wind_down (Soak *soak)
{
  for (uint32_t i = N_SURVIVORS; i < N_CONSUMERS / 2; i++)
    check_kill (&soak->consumers[i]);
  atomic_store (&actor_board->stopping, 1);
  for (uint32_t i = 0; i < N_SURVIVORS; i++)
    check_join (&soak->consumers[i]);
  for (uint32_t i = N_CONSUMERS / 2; i < N_CONSUMERS; i++)
    check_join (&soak->consumers[i]);
  for (uint32_t i = 0; i < 2; i++) {
    check_tell (soak->producers[i].to, 1);
    check_join (&soak->producers[i]);
  }
}

static void
report (const Soak *soak, uint64_t start)
{
  double seconds = (double) (check_now_ns () - start) / 1e9;
  uint64_t killed = soak->producers_killed + soak->consumers_killed;
  check_note ("%llu killed (%llu consumers, %llu producers) in %.0f s, %.0f %% "
              "of the consumers a second",
      (unsigned long long) killed, (unsigned long long) soak->consumers_killed,
      (unsigned long long) soak->producers_killed, seconds,
      100.0 * (double) soak->consumers_killed / N_CONSUMERS / seconds);
  check_note (
      "%llu attachments, %llu drained to the end, %llu buffers verified, "
      "%llu lost by live consumers",
      (unsigned long long) atomic_load (&actor_board->attachments),
      (unsigned long long) atomic_load (&actor_board->drained),
      (unsigned long long) atomic_load (&actor_board->delivered),
      (unsigned long long) atomic_load (&actor_board->lost));
}

static void
soak (void)
{
  static Soak it;
  uint64_t kills = number_from ("DATAHUB_SOAK_KILLS", 1500);
  uint64_t start = check_now_ns ();
  it.random.state = number_from ("DATAHUB_STRESS_SEED", start);
  check_note ("%llu kills, seed %llu", (unsigned long long) kills,
      (unsigned long long) it.random.state);
  begin (&it);
  for (uint64_t i = 0; i < kills; i++) {
    one_death (&it);
    if (i == kills / 5)
      it.first = take_sample (&it);
    if (i > kills / 5 && i % 25 == 0) {
      Sample sample = take_sample (&it);
      keep_most (&it.most, &sample);
    }
    if (i % 10000 == 9999)
      report (&it, start);
  }
  wind_down (&it);
  datahub_block_reclaim (false, NULL, NULL, NULL);
  report (&it, start);
  check_flat (&it);
  CHECK_INT (atomic_load (&actor_board->delivered), >, kills);
  actor_board_drop ();
}

static const CheckTest tests[] = {
  { "a hundred consumers die and come, everything verified, nothing grows",
      soak },
};
CHECK_MAIN (tests)
