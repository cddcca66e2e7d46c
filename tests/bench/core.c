/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core without GStreamer: what a buffer costs, how that changes with the
 * number of attached consumers, what an attachment and a block cost, how fast a
 * sleeping process wakes, how soon the slots of a killed one are back; and this machine's own floors beside them.
 * Prints one JSON object a line; asserts nothing. */
#include "bench-stats.h"

#include <datahub/core.h>

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL "bench-core"
#define N_CYCLES 2000000u
#define N_COMMITS 500000u
#define N_ATTACHES 2000u
#define N_CREATIONS 500u
#define N_WAKES 2000u
#define WAKE_PERIOD_NS 1000000u
#define N_CROWDS 8u /* of 1, 2, 4 ... consumers */
#define MAX_CONSUMERS (1u << (N_CROWDS - 1))
#define N_TURNS 7u

static const char *const deliveries[] = { "live", "reliable" };
static DatahubError error;
static bool strict; /* --strict: memory without names, sealed */

static void
must (DatahubResult result, const char *what)
{
  if (result == DATAHUB_OK)
    return;
  fprintf (stderr, "core: %s: %s: %s\n", what, datahub_result_name (result),
      error.message);
  exit (1);
}

static DatahubProducer *
producer_new (uint64_t slot_size)
{
  DatahubProducerOptions options;
  DatahubProducer *producer = NULL;
  datahub_producer_options_init (&options);
  options.slot_size = slot_size;
  options.strict = strict;
  must (datahub_producer_create (CHANNEL, &options, &producer, &error),
      "create");
  must (datahub_producer_publish (producer, &error), "publish");
  return producer;
}

static DatahubConsumer *
consumer_new (bool reliable)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  datahub_consumer_options_init (&options);
  options.reliable = reliable;
  must (datahub_consumer_attach (CHANNEL, &options, &consumer, &error),
      "attach");
  return consumer;
}

/* All of a record but its memory: not what is measured. */
static DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
  .type = DATAHUB_RECORD_BUFFER,
  .pts = DATAHUB_NONE,
  .dts = DATAHUB_NONE,
  .duration = DATAHUB_NONE,
  .offset = DATAHUB_NONE,
  .offset_end = DATAHUB_NONE,
  .n_memories = 1,
  .release = true };

static DatahubResult
try_put (DatahubProducer *producer, const void *bytes, uint64_t size,
    int64_t timeout_ns)
{
  DatahubSlot slot;
  DatahubResult result =
      datahub_producer_acquire_slot (producer, size, timeout_ns, &slot, &error);
  if (result != DATAHUB_OK)
    return result;
  memcpy (slot.data, bytes, size);
  record.memories[0] = (DatahubCommitMemory){ &slot, 0, size };
  result =
      datahub_producer_commit (producer, &record, timeout_ns, NULL, &error);
  if (result != DATAHUB_OK)
    datahub_producer_abort (producer, &slot);
  return result;
}

static void
put (DatahubProducer *producer, const void *bytes, uint64_t size)
{
  must (try_put (producer, bytes, size, DATAHUB_FOREVER), "put");
}

/* acquire + commit + begin_read + end_read, one thread, nothing else. Returns
 * nanoseconds. */
static double
cycle (bool reliable)
{
  double took;
  DatahubProducer *producer = producer_new (4096);
  DatahubConsumer *consumer = consumer_new (reliable);
  uint64_t word = 0, start = 0;
  for (uint32_t i = 0; i < N_CYCLES + N_CYCLES / 10; i++) {
    DatahubView view;
    if (i == N_CYCLES / 10)
      start = bench_now_ns ();
    put (producer, &word, sizeof word);
    must (datahub_consumer_begin_read (consumer, 0, &view, &error), "read");
    datahub_consumer_end_read (consumer, &view);
  }
  took = (double) (bench_now_ns () - start) / N_CYCLES;
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  return took;
}

/* What the producer pays while n consumers are attached: idle live ones, and
 * reliable ones that keep up (their reading is not in the time). Returns
 * nanoseconds. */
static double
commit_cost (uint32_t n, bool reliable)
{
  DatahubProducer *producer = producer_new (4096);
  DatahubConsumer *consumers[MAX_CONSUMERS];
  uint64_t word = 0, took = 0;
  uint32_t commits = reliable ? N_COMMITS / 8 / (1 + n / 8) : N_COMMITS / 2;
  for (uint32_t i = 0; i < n; i++)
    consumers[i] = consumer_new (reliable);
  for (uint32_t i = 0; i < commits; i += 8) {
    uint64_t start = bench_now_ns ();
    for (uint32_t j = 0; j < 8; j++)
      put (producer, &word, sizeof word);
    took += bench_now_ns () - start;
    DatahubView view;
    for (uint32_t j = 0; reliable && j < n; j++)
      while (datahub_consumer_begin_read (consumers[j], 0, &view, &error)
          == DATAHUB_OK)
        datahub_consumer_end_read (consumers[j], &view);
  }
  for (uint32_t i = 0; i < n; i++)
    datahub_consumer_close (consumers[i]);
  datahub_producer_close (producer);
  return (double) took / commits;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

static double
median (double *samples)
{
  qsort (samples, N_TURNS, sizeof samples[0], compare_doubles);
  return samples[N_TURNS / 2];
}

/* Each is measured once a turn: what the machine does besides, and where its
 * memory lies, changes a single figure by half. */
static void
cycles_and_commits (void)
{
  static double cycles[2][N_TURNS], commits[2][N_CROWDS][N_TURNS];
  for (uint32_t turn = 0; turn < N_TURNS; turn++)
    for (uint32_t reliable = 0; reliable < 2; reliable++) {
      cycles[reliable][turn] = cycle (reliable);
      for (uint32_t i = 0; i < N_CROWDS; i++)
        commits[reliable][i][turn] = commit_cost (1u << i, reliable);
    }
  for (uint32_t reliable = 0; reliable < 2; reliable++)
    printf ("{\"bench\": \"core-cycle\", \"delivery\": \"%s\", \"ns\": %.1f}\n",
        deliveries[reliable], median (cycles[reliable]));
  for (uint32_t reliable = 0; reliable < 2; reliable++)
    for (uint32_t i = 0; i < N_CROWDS; i++)
      printf ("{\"bench\": \"core-commit\", \"consumers\": %u, "
              "\"delivery\": \"%s\", \"ns\": %.1f}\n",
          1u << i, deliveries[reliable], median (commits[reliable][i]));
  fflush (stdout);
}

/* The copy path: a 4 KiB and a 64 KiB payload copied into a warm slot, against
 * the same copy alone. */
static void
copy_cost (uint64_t size)
{
  DatahubProducer *producer = producer_new (size);
  uint8_t *from = malloc (size), *to = malloc (size * 32);
  uint32_t n = (uint32_t) ((UINT64_C (1) << 31) / size);
  memset (from, 1, size);
  memset (to, 2, size * 32);
  for (uint32_t i = 0; i < 64; i++)
    put (producer, from, size);
  uint64_t start = bench_now_ns ();
  for (uint32_t i = 0; i < n; i++)
    put (producer, from, size);
  double slot_ns = (double) (bench_now_ns () - start) / n;
  start = bench_now_ns ();
  for (uint32_t i = 0; i < n; i++) {
    memcpy (to + i % 32 * size, from, size);
    atomic_signal_fence (memory_order_seq_cst);
  }
  double memcpy_ns = (double) (bench_now_ns () - start) / n;
  printf ("{\"bench\": \"core-copy\", \"bytes\": %llu, \"slot_ns\": %.1f, "
          "\"memcpy_ns\": %.1f}\n",
      (unsigned long long) size, slot_ns, memcpy_ns);
  free (from);
  free (to);
  datahub_producer_close (producer);
}

static void
report_latency (const char *bench, uint64_t *samples, uint32_t n)
{
  char text[256];
  bench_quantiles (samples, n, text, sizeof text);
  printf ("{\"bench\": \"%s\", %s}\n", bench, text);
}

static pid_t
child_of (void (*run) (void *), void *data)
{
  fflush (stdout);
  pid_t pid = fork ();
  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    run (data);
    fflush (stdout);
    _exit (0);
  }
  return pid;
}

/* A consumer that finds a block of 4 KiB slots by its name, and leaves. */
static void
attach_cost (void)
{
  DatahubProducer *producer = producer_new (4096);
  uint64_t samples[N_ATTACHES];
  for (uint32_t i = 0; i < N_ATTACHES; i++) {
    uint64_t start = bench_now_ns ();
    DatahubConsumer *consumer = consumer_new (i % 2);
    samples[i] = bench_now_ns () - start;
    datahub_consumer_close (consumer);
  }
  report_latency ("core-attach", samples, N_ATTACHES);
  datahub_producer_close (producer);
}

/* A block of 4 KiB slots, until consumers can find it. */
static void
creation_cost (void)
{
  uint64_t samples[N_CREATIONS];
  for (uint32_t i = 0; i < N_CREATIONS; i++) {
    uint64_t start = bench_now_ns ();
    DatahubProducer *producer = producer_new (4096);
    samples[i] = bench_now_ns () - start;
    datahub_producer_close (producer);
  }
  report_latency ("core-create", samples, N_CREATIONS);
}

typedef struct
{
  const char *bench;
  _Atomic uint32_t bell; /* the futex floor's word */
  _Atomic uint64_t sent_ns;
} Wake;

static void
receive_wakes (void *data)
{
  const Wake *wake = data;
  uint64_t *samples = calloc (N_WAKES, sizeof *samples);
  DatahubConsumer *consumer = consumer_new (true);
  for (uint32_t i = 0; i < N_WAKES; i++) {
    DatahubView view;
    must (datahub_consumer_begin_read (consumer, DATAHUB_FOREVER, &view,
              &error),
        "read");
    uint64_t sent, now = bench_now_ns ();
    memcpy (&sent, view.memories[0].data, sizeof sent);
    samples[i] = now - sent;
    datahub_consumer_end_read (consumer, &view);
  }
  report_latency (wake->bench, samples, N_WAKES);
  datahub_consumer_close (consumer);
  free (samples);
}

static void
wake_latency (const char *bench)
{
  Wake wake = { .bench = bench };
  DatahubProducer *producer = producer_new (4096);
  pid_t pid = child_of (receive_wakes, &wake);
  must (datahub_producer_wait_consumers (producer, 1, DATAHUB_FOREVER),
      "consumer");
  uint64_t next = bench_now_ns ();
  for (uint32_t i = 0; i < N_WAKES; i++) {
    bench_until (next += WAKE_PERIOD_NS);
    uint64_t now = bench_now_ns ();
    put (producer, &now, sizeof now);
  }
  waitpid (pid, NULL, 0);
  datahub_producer_close (producer);
}

static void
receive_bell (void *data)
{
  Wake *wake = data;
  uint64_t *samples = calloc (N_WAKES, sizeof *samples);
  for (uint32_t i = 0; i < N_WAKES; i++) {
    while (atomic_load (&wake->bell) == i)
      syscall (SYS_futex, &wake->bell, FUTEX_WAIT, i, NULL, NULL, 0);
    samples[i] = bench_now_ns () - atomic_load (&wake->sent_ns);
  }
  report_latency (wake->bench, samples, N_WAKES);
  free (samples);
}

static void
futex_floor (void)
{
  Wake *wake = mmap (NULL, sizeof *wake, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  wake->bench = "floor-futex-wake";
  pid_t pid = child_of (receive_bell, wake);
  uint64_t next = bench_now_ns () + WAKE_PERIOD_NS;
  for (uint32_t i = 0; i < N_WAKES; i++) {
    bench_until (next += WAKE_PERIOD_NS);
    atomic_store (&wake->sent_ns, bench_now_ns ());
    atomic_store (&wake->bell, i + 1);
    syscall (SYS_futex, &wake->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
  }
  waitpid (pid, NULL, 0);
  munmap (wake, sizeof *wake);
}

/* A reliable consumer holds its leases and stops reading: SIGKILL, and the time
 * until the producer, which needs the room, has it. */
static void
hoard (void *data)
{
  DatahubConsumer *consumer = consumer_new (true);
  DatahubView view;
  while (datahub_consumer_begin_read (consumer, DATAHUB_FOREVER, &view, &error)
          == DATAHUB_OK
      && !view.must_copy)
    ;
  atomic_store ((_Atomic uint32_t *) data, 1);
  for (;;)
    pause ();
}

static uint64_t
recovery_once (_Atomic uint32_t *hoarding)
{
  DatahubProducer *producer = producer_new (4096);
  atomic_store (hoarding, 0);
  pid_t pid = child_of (hoard, (void *) hoarding);
  must (datahub_producer_wait_consumers (producer, 1, DATAHUB_FOREVER),
      "consumer");
  uint64_t word = 0;
  /* fills the ring, and goes on until it is full behind the hoarder */
  while (!atomic_load (hoarding))
    try_put (producer, &word, sizeof word, 0);
  while (try_put (producer, &word, sizeof word, 0) == DATAHUB_OK)
    ;
  uint64_t start = bench_now_ns ();
  kill (pid, SIGKILL);
  put (producer, &word, sizeof word);
  uint64_t took = bench_now_ns () - start;
  waitpid (pid, NULL, 0);
  datahub_producer_close (producer);
  return took;
}

static void
recovery (void)
{
  enum
  {
    TIMES = 50
  };
  uint64_t samples[TIMES];
  _Atomic uint32_t *hoarding = mmap (NULL, sizeof *hoarding,
      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < TIMES; i++)
    samples[i] = recovery_once (hoarding);
  report_latency ("core-recovery-after-sigkill", samples, TIMES);
  munmap ((void *) hoarding, sizeof *hoarding);
}

int
main (int argc, char **argv)
{
  strict = argc > 1 && strcmp (argv[1], "--strict") == 0;
  cycles_and_commits ();
  copy_cost (4096);
  copy_cost (65536);
  copy_cost (1920 * 1080 * 3 / 2);
  attach_cost ();
  creation_cost ();
  futex_floor ();
  wake_latency ("core-wake");
  recovery ();
  return 0;
}
