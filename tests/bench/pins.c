/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where should a reader's pin be recorded? A bitmap per reader (rows, what the
 * core does) against a bitmap per record (masks), the same ring and the same
 * traffic around them, measured before the layout was frozen. Prints one JSON
 * object a line; asserts nothing.
 *
 * Three questions, each for 1 to 128 readers:
 *   commit   what a commit costs while readers are attached but idle
 *   read     what pinning and unpinning costs one reader alone
 *   busy     reads a second of all readers, and commits a second, while N
 *            threads read the newest record and one commits */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RING 64
#define RECORDS 512
#define WORDS (RECORDS / 64)
#define MAX_READERS 128
#define NONE 0xffffu
#define IDLE_COMMITS 2000000
#define IDLE_READS 5000000
#define BUSY_NS 300000000u

typedef _Atomic uint64_t Word;

typedef struct
{
  /* one reader's line (WORDS = 8: 64 bytes) and the next, as in a row */
  Word pins[WORDS];
  uint8_t pad[64];
} __attribute__ ((aligned (128))) Row;

typedef struct
{
  Word mask[MAX_READERS / 64];
} __attribute__ ((aligned (64))) Mask;

typedef struct
{
  Word head __attribute__ ((aligned (128)));
  Word ring[RING] __attribute__ ((aligned (128)));
  Row rows[MAX_READERS];
  Mask masks[RECORDS];
  uint32_t n_readers;
  /* private to the producer */
  uint32_t free_records[RECORDS], n_free;
  uint32_t limbo[RECORDS], n_limbo;
  uint64_t tail;
} Block;

typedef struct
{
  const char *name;
  void (*pin) (Block *block, uint32_t reader, uint32_t record);
  void (*unpin) (Block *block, uint32_t reader, uint32_t record);
  void (*reclaim) (Block *block);
} Scheme;

static uint64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static void
row_pin (Block *block, uint32_t reader, uint32_t record)
{
  atomic_fetch_or (&block->rows[reader].pins[record / 64],
      UINT64_C (1) << (record % 64));
}

static void
row_unpin (Block *block, uint32_t reader, uint32_t record)
{
  atomic_fetch_and (&block->rows[reader].pins[record / 64],
      ~(UINT64_C (1) << (record % 64)));
}

/* Puts back every retired record that is not busy; busy ones stay in limbo. */
static void
sweep (Block *block, const uint64_t *busy)
{
  uint32_t kept = 0;
  for (uint32_t i = 0; i < block->n_limbo; i++) {
    uint32_t record = block->limbo[i];
    if (busy[record / 64] >> (record % 64) & 1)
      block->limbo[kept++] = record;
    else
      block->free_records[block->n_free++] = record;
  }
  block->n_limbo = kept;
}

static void
row_reclaim (Block *block)
{
  uint64_t busy[WORDS] = { 0 };
  for (uint32_t i = 0; i < block->n_readers; i++)
    for (uint32_t w = 0; w < WORDS; w++)
      busy[w] |= atomic_load (&block->rows[i].pins[w]);
  sweep (block, busy);
}

static void
mask_pin (Block *block, uint32_t reader, uint32_t record)
{
  atomic_fetch_or (&block->masks[record].mask[reader / 64],
      UINT64_C (1) << (reader % 64));
}

static void
mask_unpin (Block *block, uint32_t reader, uint32_t record)
{
  atomic_fetch_and (&block->masks[record].mask[reader / 64],
      ~(UINT64_C (1) << (reader % 64)));
}

static void
mask_reclaim (Block *block)
{
  uint64_t busy[WORDS] = { 0 };
  for (uint32_t i = 0; i < block->n_limbo; i++) {
    uint32_t record = block->limbo[i];
    uint64_t any = 0;
    for (uint32_t w = 0; w * 64 < block->n_readers; w++)
      any |= atomic_load (&block->masks[record].mask[w]);
    if (any)
      busy[record / 64] |= UINT64_C (1) << (record % 64);
  }
  sweep (block, busy);
}

static const Scheme schemes[] = {
  { "rows", row_pin, row_unpin, row_reclaim },
  { "masks", mask_pin, mask_unpin, mask_reclaim },
};

static Block *
block_new (uint32_t n_readers)
{
  Block *block = aligned_alloc (128, (sizeof (Block) + 127) / 128 * 128);
  if (!block)
    exit (1);
  memset (block, 0, sizeof *block);
  block->n_readers = n_readers;
  for (uint32_t i = 0; i < RECORDS; i++)
    block->free_records[block->n_free++] = i;
  for (uint32_t i = 0; i < RING; i++)
    atomic_store (&block->ring[i], NONE);
  return block;
}

static void
commit (Block *block, const Scheme *scheme)
{
  uint64_t head = atomic_load_explicit (&block->head, memory_order_relaxed);
  if (head - block->tail == RING) {
    Word *oldest = &block->ring[block->tail % RING];
    block->limbo[block->n_limbo++] = (uint32_t) atomic_load (oldest) & NONE;
    atomic_store (oldest, block->tail << 16 | NONE);
    block->tail++;
  }
  if (block->n_free == 0)
    scheme->reclaim (block);
  uint32_t record = block->free_records[--block->n_free];
  atomic_store_explicit (&block->ring[head % RING], head << 16 | record,
      memory_order_release);
  atomic_store_explicit (&block->head, head + 1, memory_order_release);
}

/* Pins the record of a sequence, or says that it is gone. */
static bool
read_one (Block *block, const Scheme *scheme, uint32_t reader, uint64_t seq)
{
  Word *place = &block->ring[seq % RING];
  uint64_t word = atomic_load_explicit (place, memory_order_acquire);
  uint32_t record = (uint32_t) word & NONE;
  if (word >> 16 != seq || record == NONE)
    return false;
  scheme->pin (block, reader, record);
  bool valid = atomic_load (place) == word;
  scheme->unpin (block, reader, record);
  return valid;
}

static double
commit_cost (const Scheme *scheme, uint32_t n_readers)
{
  Block *block = block_new (n_readers);
  uint64_t start = now_ns ();
  for (uint32_t i = 0; i < IDLE_COMMITS; i++)
    commit (block, scheme);
  double cost = (double) (now_ns () - start) / IDLE_COMMITS;
  free (block);
  return cost;
}

static double
read_cost (const Scheme *scheme, uint32_t n_readers)
{
  Block *block = block_new (n_readers);
  uint64_t hits = 0;
  for (uint32_t i = 0; i < RING; i++)
    commit (block, scheme);
  uint64_t start = now_ns ();
  for (uint32_t i = 0; i < IDLE_READS; i++)
    hits += read_one (block, scheme, 0, i % RING);
  double cost = (double) (now_ns () - start) / IDLE_READS;
  if (hits != IDLE_READS)
    fprintf (stderr, "pins: only %llu reads\n", (unsigned long long) hits);
  free (block);
  return cost;
}

typedef struct
{
  Block *block;
  const Scheme *scheme;
  uint32_t index;
  atomic_bool *stop;
  uint64_t reads;
  uint8_t pad[64];
} Reader;

static void *
read_newest (void *data)
{
  Reader *reader = data;
  uint64_t reads = 0;
  while (!atomic_load_explicit (reader->stop, memory_order_relaxed)) {
    uint64_t head =
        atomic_load_explicit (&reader->block->head, memory_order_acquire);
    if (head > 0)
      reads +=
          read_one (reader->block, reader->scheme, reader->index, head - 1);
  }
  reader->reads = reads;
  return NULL;
}

static void
busy (const Scheme *scheme, uint32_t n_readers, double *reads, double *commits)
{
  static Reader readers[MAX_READERS];
  pthread_t threads[MAX_READERS];
  atomic_bool stop = false;
  Block *block = block_new (n_readers);
  for (uint32_t i = 0; i < n_readers; i++) {
    readers[i] = (Reader){ block, scheme, i, &stop, 0, { 0 } };
    if (pthread_create (&threads[i], NULL, read_newest, &readers[i]) != 0)
      exit (1);
  }
  uint64_t start = now_ns (), n = 0, took;
  while ((took = now_ns () - start) < BUSY_NS)
    for (int i = 0; i < 64; i++, n++)
      commit (block, scheme);
  atomic_store (&stop, true);
  *reads = 0;
  for (uint32_t i = 0; i < n_readers; i++) {
    pthread_join (threads[i], NULL);
    *reads += (double) readers[i].reads;
  }
  *reads *= 1e9 / (double) took;
  *commits = (double) n * 1e9 / (double) took;
  free (block);
}

int
main (void)
{
  for (uint32_t n = 1; n <= MAX_READERS; n *= 2)
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
      const Scheme *scheme = &schemes[i];
      double reads, commits;
      busy (scheme, n, &reads, &commits);
      printf ("{\"bench\": \"pins\", \"scheme\": \"%s\", \"readers\": %u, "
              "\"commit_ns\": %.2f, \"read_ns\": %.2f, "
              "\"busy_reads_per_s\": %.0f, \"busy_commits_per_s\": %.0f}\n",
          scheme->name, n, commit_cost (scheme, n), read_cost (scheme, n),
          reads, commits);
      fflush (stdout);
    }
  return 0;
}
