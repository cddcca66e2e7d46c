/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the cost of a buffer grows with the consumers, the slots and the size of a
 * block, in one thread without waits. scale [LIMIT_MIB]: the biggest block. Prints
 * one JSON object a line; asserts nothing. */
#include "bench-stats.h"

#include <datahub/core.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL "bench-scale"
#define MOST_CONSUMERS 128
#define LONGEST_NS 200000000u /* of one point */
#define BATCH 32u
#define MOST_BATCHES 4096u
#define LONGEST_WAIT_NS INT64_C (10000000000)
#define MIB (UINT64_C (1) << 20)

typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *consumers[MOST_CONSUMERS];
  uint32_t n_consumers;
} Block;

static DatahubError error;

static void
must (DatahubResult result, const char *what)
{
  if (result == DATAHUB_OK)
    return;
  fprintf (stderr, "scale: %s: %s: %s\n", what, datahub_result_name (result),
      error.message);
  exit (1);
}

static bool
open_block (Block *block, uint32_t n_consumers, uint32_t slots, uint64_t size)
{
  DatahubProducerOptions options;
  DatahubConsumerOptions how;
  *block = (Block){ .n_consumers = n_consumers };
  datahub_producer_options_init (&options);
  options.slot_size = size;
  options.slots = slots;
  if (datahub_producer_create (CHANNEL, &options, &block->producer, &error)
      != DATAHUB_OK) {
    fprintf (stderr, "scale: %u slots of %llu bytes: %s\n", slots,
        (unsigned long long) size, error.message);
    return false;
  }
  must (datahub_producer_publish (block->producer, &error), "publish");
  datahub_consumer_options_init (&how);
  how.reliable = true;
  for (uint32_t i = 0; i < n_consumers; i++)
    must (datahub_consumer_attach (CHANNEL, &how, &block->consumers[i], &error),
        "attach");
  return true;
}

static void
close_block (Block *block)
{
  for (uint32_t i = 0; i < block->n_consumers; i++)
    datahub_consumer_close (block->consumers[i]);
  datahub_producer_close (block->producer);
}

static void
put (Block *block)
{
  DatahubSlot slot;
  must (datahub_producer_acquire_slot (block->producer, 64, LONGEST_WAIT_NS,
            &slot, &error),
      "acquire");
  memset (slot.data, 1, 64);
  DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_BUFFER,
    .n_memories = 1,
    .memories = { { .slot = &slot, .size = 64 } },
    .release = true };
  must (datahub_producer_commit (block->producer, &record, LONGEST_WAIT_NS,
            NULL, &error),
      "commit");
}

static void
take (DatahubConsumer *consumer)
{
  DatahubView view;
  must (datahub_consumer_begin_read (consumer, 0, &view, &error), "read");
  datahub_consumer_end_read (consumer, &view);
}

typedef struct
{
  double writing[MOST_BATCHES], reading[MOST_BATCHES]; /* ns of a buffer */
  uint32_t n;
} Costs;

static int
compare (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

/* A process that gets the processor in between makes a few batches longer. */
static double
median (double *costs, uint32_t n)
{
  qsort (costs, n, sizeof costs[0], compare);
  return costs[n / 2];
}

/* Some buffers through all consumers; the two parts of their cost. */
static void
measure_batch (Block *block, Costs *costs)
{
  uint64_t writing = 0, reading = 0;
  for (uint32_t i = 0; i < BATCH; i++) {
    uint64_t start = bench_now_ns ();
    put (block);
    uint64_t between = bench_now_ns ();
    for (uint32_t j = 0; j < block->n_consumers; j++)
      take (block->consumers[j]);
    reading += bench_now_ns () - between;
    writing += between - start;
  }
  costs->writing[costs->n] = (double) writing / BATCH;
  costs->reading[costs->n++] = (double) reading / BATCH / block->n_consumers;
}

static void
measure (Block *block, const char *what, uint64_t x)
{
  static Costs costs;
  /* each slot once */
  for (uint32_t i = 0; i < 2 * 4096 / BATCH; i++, costs.n = 0)
    measure_batch (block, &costs);
  uint64_t start = bench_now_ns ();
  while (costs.n < MOST_BATCHES && bench_now_ns () - start < LONGEST_NS)
    measure_batch (block, &costs);
  if (costs.n == 0)
    measure_batch (block, &costs);
  printf ("{\"bench\": \"%s\", \"x\": %llu, \"write_ns\": %.1f, "
          "\"read_ns\": %.1f}\n",
      what, (unsigned long long) x, median (costs.writing, costs.n),
      median (costs.reading, costs.n));
  fflush (stdout);
}

static void
measure_block (const char *what, uint64_t x, uint32_t n_consumers,
    uint32_t slots, uint64_t size)
{
  Block block;
  if (!open_block (&block, n_consumers, slots, size))
    return;
  measure (&block, what, x);
  close_block (&block);
}

int
main (int argc, char **argv)
{
  uint64_t limit = argc > 1 ? strtoull (argv[1], NULL, 0) : 1024;
  for (uint32_t n = 1; n <= MOST_CONSUMERS; n *= 2)
    measure_block ("scale-consumers", n, n, 128, 4096);
  for (uint32_t slots = 8; slots <= 4096; slots *= 2)
    measure_block ("scale-slots", slots, 1, slots, 4096);
  for (uint64_t mib = 1; mib <= limit; mib *= 4)
    measure_block ("scale-block", mib, 1, 64, mib * MIB / 64);
  return 0;
}
