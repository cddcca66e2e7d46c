/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations of the reference's table of latencies, one by one, and beside
 * each what this machine takes for the least of it. Prints one JSON object a
 * line; asserts nothing. */
#include "bench-notes.h"
#include "bench-stats.h"

#include <datahub/datahub.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL "bench-table"
#define N_FAST 5000000u
#define N_SLOW 20000u
#define N_CONTENDED 200000u /* by all processes together */
#define N_NOTES 100u
/* Notices of new data are sent no faster than this. */
#define NOTE_PERIOD_NS 30000000u
#define ZONE_SIZE 1024u
#define SLOT_SIZE 4096u
#define MOST_CONTENDERS 10u
#define PATIENCE_NS INT64_C (10000000000)

static DatahubError error;
static DatahubProducer *producer;
static uint8_t bytes[SLOT_SIZE];
static volatile uint64_t seen;

static void
must (DatahubResult result, const char *what)
{
  if (result == DATAHUB_OK)
    return;
  fprintf (stderr, "table: %s: %s: %s\n", what, datahub_result_name (result),
      error.message);
  exit (1);
}

static void
print_ns (const char *what, uint64_t start, uint64_t n)
{
  printf ("{\"bench\": \"%s\", \"ns\": %.1f}\n", what,
      (double) (bench_now_ns () - start) / (double) n);
  fflush (stdout);
}

static void
open_producer (void)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = SLOT_SIZE;
  options.zone_size = options.shared_zone_size = ZONE_SIZE;
  must (datahub_producer_create (CHANNEL, &options, &producer, &error),
      "create");
  must (datahub_producer_publish (producer, &error), "publish");
}

static DatahubConsumer *
open_consumer (void)
{
  DatahubConsumer *consumer = NULL;
  must (datahub_consumer_attach (CHANNEL, NULL, &consumer, &error), "attach");
  return consumer;
}

/* ---- locks ---- */

static void
lock_and_unlock (DatahubSpinlock *lock, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    must (datahub_spinlock_lock (lock, DATAHUB_FOREVER), "lock");
    datahub_spinlock_unlock (lock);
  }
}

static void
spinlock_free (void)
{
  DatahubSpinlock *lock;
  must (datahub_producer_open_spinlock (producer, 0, &lock, &error), "open");
  lock_and_unlock (lock, 1000);
  uint64_t start = bench_now_ns ();
  lock_and_unlock (lock, N_FAST);
  print_ns ("spinlock-free", start, N_FAST);
  datahub_spinlock_close (lock);
}

/* @n processes take turns with nothing to do in between: the worst there is. */
static void
spinlock_contended (uint32_t n)
{
  pid_t pids[MOST_CONTENDERS];
  char what[32];
  sem_t *events = mmap (NULL, 2 * sizeof *events, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  sem_t *ready = &events[0], *start_line = &events[1];
  bench_event_init (ready);
  bench_event_init (start_line);
  for (uint32_t i = 0; i < n; i++) {
    pids[i] = fork ();
    if (pids[i] != 0)
      continue;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    DatahubSpinlock *lock;
    must (datahub_consumer_open_spinlock (open_consumer (), 1, &lock, &error),
        "open");
    bench_event_tell (ready);
    if (bench_event_wait (start_line))
      lock_and_unlock (lock, N_CONTENDED / n);
    _exit (0);
  }
  for (uint32_t i = 0; i < n; i++)
    must (bench_event_wait (ready) ? DATAHUB_OK : DATAHUB_TIMEOUT, "start");
  uint64_t start = bench_now_ns ();
  for (uint32_t i = 0; i < n; i++)
    bench_event_tell (start_line);
  for (uint32_t i = 0; i < n; i++)
    waitpid (pids[i], NULL, 0);
  snprintf (what, sizeof what, "spinlock-contended-%u", n);
  print_ns (what, start, N_CONTENDED / n * n);
  munmap (events, 2 * sizeof *events);
}

/* The management lock guards the names of locks: looking one up takes it. */
static void
management_lock (void)
{
  DatahubSpinlock *lock;
  uint64_t start = bench_now_ns ();
  for (uint32_t i = 0; i < N_SLOW; i++) {
    must (datahub_producer_open_named_spinlock (producer, "name", &lock,
              &error),
        "name");
    datahub_spinlock_close (lock);
  }
  print_ns ("management-lock", start, N_SLOW);
}

static void
robust_mutex_floor (void)
{
  pthread_mutexattr_t attributes;
  pthread_mutex_t *mutex = mmap (NULL, sizeof *mutex, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_init (&attributes);
  pthread_mutexattr_setpshared (&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust (&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init (mutex, &attributes);
  uint64_t start = bench_now_ns ();
  for (uint32_t i = 0; i < N_FAST; i++) {
    pthread_mutex_lock (mutex);
    pthread_mutex_unlock (mutex);
  }
  print_ns ("floor-robust-mutex", start, N_FAST);
  munmap (mutex, sizeof *mutex);
}

static void
file_lock_floor (void)
{
  int fd = memfd_create ("bench", MFD_CLOEXEC);
  uint64_t start = bench_now_ns ();
  for (uint32_t i = 0; i < N_SLOW; i++) {
    struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
    fcntl (fd, F_OFD_SETLK, &lock);
    lock.l_type = F_UNLCK;
    fcntl (fd, F_OFD_SETLK, &lock);
  }
  print_ns ("floor-file-lock", start, N_SLOW);
  close (fd);
}

/* ---- memory ---- */

static void
zone (void)
{
  DatahubConsumer *consumer = open_consumer ();
  uint32_t n = N_FAST / 10;
  uint64_t start = bench_now_ns ();
  for (uint32_t i = 0; i < n; i++)
    must (datahub_producer_write_zone (producer, 0, bytes, ZONE_SIZE, &error),
        "write");
  print_ns ("zone-write-1k", start, n);
  start = bench_now_ns ();
  for (uint32_t i = 0; i < n; i++)
    must (datahub_consumer_read_zone (consumer, 0, bytes, ZONE_SIZE, NULL,
              &error),
        "read");
  print_ns ("zone-read-1k", start, n);
  datahub_consumer_close (consumer);
}

static void
slot (void)
{
  uint32_t n = N_FAST / 5;
  uint64_t start = bench_now_ns ();
  for (uint32_t i = 0; i < n; i++) {
    DatahubSlot loan;
    must (datahub_producer_acquire_slot (producer, SLOT_SIZE, DATAHUB_FOREVER,
              &loan, &error),
        "acquire");
    memcpy (loan.data, bytes, SLOT_SIZE);
    DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
      .type = DATAHUB_RECORD_BUFFER,
      .n_memories = 1,
      .memories = { { .slot = &loan, .size = SLOT_SIZE } },
      .release = true };
    must (datahub_producer_commit (producer, &record, DATAHUB_FOREVER, NULL,
              &error),
        "commit");
  }
  print_ns ("slot-write-4k", start, n);
}

static void
memcpy_floor (const char *what, size_t size)
{
  static uint8_t to[64 * SLOT_SIZE];
  uint64_t start = bench_now_ns ();
  for (uint32_t i = 0; i < N_FAST / 5; i++) {
    memcpy (to + i % 64 * SLOT_SIZE, bytes, size);
    atomic_signal_fence (memory_order_seq_cst);
  }
  print_ns (what, start, N_FAST / 5);
}

static void
indices (void)
{
  uint64_t size;
  uint64_t *word = datahub_producer_get_shared_zone (producer, &size);
  DatahubIndices all;
  uint64_t start = bench_now_ns ();
  for (uint64_t i = 0; i < N_FAST; i++)
    datahub_index_store_release (word, i);
  print_ns ("index-store", start, N_FAST);
  start = bench_now_ns ();
  for (uint64_t i = 0; i < N_FAST; i++)
    seen = datahub_index_load_acquire (word);
  print_ns ("index-load", start, N_FAST);
  start = bench_now_ns ();
  for (uint64_t i = 0; i < N_SLOW; i++)
    datahub_producer_get_indices (producer, &all);
  print_ns ("indices-of-the-stream", start, N_SLOW);
}

/* ---- notices ---- */

typedef struct
{
  sem_t listening;
  _Atomic uint64_t sent_ns;
} Note;

typedef struct
{
  Note *note;
  uint64_t samples[N_NOTES];
  _Atomic uint32_t n;
  sem_t all;
} Heard;

/* The hub's thread. */
static void
on_notification (DatahubHub *hub, const char *name, const char *topic,
    const char *json, Heard *heard)
{
  uint32_t n = atomic_load (&heard->n);
  uint64_t sent = atomic_load (&heard->note->sent_ns);
  if (sent == 0 || n == N_NOTES)
    return;
  heard->samples[n] = bench_now_ns () - sent;
  atomic_store (&heard->n, n + 1);
  if (n + 1 == N_NOTES)
    bench_event_tell (&heard->all);
}

static void
hear_notes (Note *note)
{
  static Heard heard;
  char text[256];
  GError *failed = NULL;
  heard.note = note;
  bench_event_init (&heard.all);
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  g_signal_connect (hub, "notification", G_CALLBACK (on_notification), &heard);
  datahub_hub_subscribe (hub, CHANNEL);
  if (!datahub_hub_connect_to (hub, NULL, NULL, NULL, &failed)
      || !datahub_hub_wait_connected (hub, PATIENCE_NS, NULL, &failed))
    return;
  bench_event_tell (&note->listening);
  bench_event_wait (&heard.all); /* the hub's thread measures */
  if (atomic_load (&heard.n) == 0)
    return;
  bench_quantiles (heard.samples, heard.n, text, sizeof text);
  printf ("{\"bench\": \"notify\", %s}\n", text);
  fflush (stdout);
}

static void
notify (void)
{
  Note *note = mmap (NULL, sizeof *note, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  GError *failed = NULL;
  char json[48];
  bench_event_init (&note->listening);
  pid_t pid = fork ();
  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    hear_notes (note);
    _exit (0);
  }
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  datahub_hub_register_block (hub, CHANNEL,
      datahub_producer_get_uuid (producer), NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  if (!datahub_hub_connect_to (hub, NULL, NULL, NULL, &failed)
      || !datahub_hub_wait_connected (hub, PATIENCE_NS, NULL, &failed))
    fprintf (stderr, "table: no hub: %s\n", failed->message);
  bench_event_wait (&note->listening);
  uint64_t next = bench_now_ns ();
  for (uint32_t i = 0; i < N_NOTES + 10; i++) {
    bench_until (next += NOTE_PERIOD_NS);
    snprintf (json, sizeof json, "{\"sequence\": %u}", i);
    atomic_store (&note->sent_ns, bench_now_ns ());
    datahub_hub_send_notification (hub, CHANNEL, "data-ready", json);
  }
  waitpid (pid, NULL, 0);
  g_object_unref (hub);
  munmap (note, sizeof *note);
}

static void
control_bytes (void)
{
  DatahubBlockInfo info;
  must (datahub_block_inspect (CHANNEL, &info, &error), "inspect");
  printf ("{\"bench\": \"memory\", \"control_bytes\": %llu, \"consumers\": %u, "
          "\"pool_bytes\": %llu, \"slots\": %u, \"slot_bytes\": %llu}\n",
      (unsigned long long) info.control_bytes, info.max_consumers,
      (unsigned long long) info.pool_bytes, info.slots,
      (unsigned long long) info.slot_size);
}

int
main (void)
{
  open_producer ();
  spinlock_free ();
  for (uint32_t n = 2; n <= MOST_CONTENDERS; n += n == 2 ? 2 : 3)
    spinlock_contended (n);
  management_lock ();
  robust_mutex_floor ();
  file_lock_floor ();
  zone ();
  slot ();
  memcpy_floor ("floor-memcpy-1k", ZONE_SIZE);
  memcpy_floor ("floor-memcpy-4k", SLOT_SIZE);
  indices ();
  notify ();
  bench_notes_floor (N_NOTES, NOTE_PERIOD_NS);
  control_bytes ();
  datahub_producer_close (producer);
  return 0;
}
