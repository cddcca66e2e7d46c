/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Big blocks, and the pages they are on. */
#include "fixture.h"

#include <stdio.h>
#include <sys/vfs.h>

#define GIB (UINT64_C (1) << 30)
#define EDGE 4096
/* The pool, and what the machine needs besides. */
#define BIG_SLOTS 5
#define BIG_NEED (6 * GIB)

static uint64_t
free_memory (void)
{
  FILE *file = fopen ("/proc/meminfo", "re");
  char line[128];
  unsigned long long kib = 0;
  while (file && fgets (line, sizeof line, file))
    if (sscanf (line, "MemAvailable: %llu", &kib) == 1)
      break;
  if (file)
    fclose (file);
  return kib * 1024;
}

static uint64_t
free_shared (void)
{
  struct statfs fs;
  CHECK (statfs (check_directory (), &fs) == 0);
  return (uint64_t) fs.f_bavail * (uint64_t) fs.f_bsize;
}

/* The first and the last page of each slot, each with its own pattern. */
static void
fill_edges (DatahubSlot *slot, uint64_t seed)
{
  pattern_fill (slot->data, EDGE, seed);
  pattern_fill (slot->data + slot->size - EDGE, EDGE, seed + 100);
}

static void
check_edges (const DatahubView *view, uint64_t seed)
{
  const DatahubViewMemory *m = &view->memories[0];
  CHECK_INT (m->size, ==, GIB);
  CHECK_INT (pattern_mismatch (m->data, EDGE, seed), ==, PATTERN_MATCHES);
  CHECK_INT (pattern_mismatch (m->data + m->size - EDGE, EDGE, seed + 100), ==,
      PATTERN_MATCHES);
}

static void
read_big (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view[4];
  check_ready (parent);
  for (uint64_t n = 0; n < 8; n += 4) {
    uint64_t lowest = UINT64_MAX, highest = 0;
    for (uint64_t i = 0; i < 4; i++) {
      view[i] = read_record (consumer);
      CHECK_INT (view[i].offset, ==, n + i);
      uint64_t at = (uint64_t) (uintptr_t) view[i].memories[0].data;
      lowest = at < lowest ? at : lowest;
      highest = at > highest ? at : highest;
    }
    /* four of five slots at once: from the first to the fourth at least */
    CHECK_INT (highest - lowest, >=, 3 * GIB);
    for (uint64_t i = 0; i < 4; i++) {
      check_edges (&view[i], n + i);
      datahub_consumer_end_read (consumer, &view[i]);
    }
  }
  datahub_consumer_close (consumer);
}

/* Offsets of 32 bits would fold the last slot onto the first. */
static void
big (void)
{
  if (free_shared () < BIG_NEED || free_memory () < BIG_NEED)
    check_skip ("a pool of %u GiB needs %.0f GiB free; there are %.1f in "
                "shared memory and %.1f in all",
        BIG_SLOTS, BIG_NEED / (double) GIB, free_shared () / (double) GIB,
        free_memory () / (double) GIB);
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = GIB;
  options.slots = BIG_SLOTS;
  options.ring_size = 4;
  options.max_bytes = BIG_SLOTS * GIB;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CHECK_INT (producer_stats (producer).bytes_used, >, UINT32_MAX);
  CheckChild child = check_fork_ready (read_big, NULL);
  uint64_t farthest = 0;
  uint8_t *first = NULL;
  for (uint64_t n = 0; n < 8; n++) {
    DatahubSlot slot;
    CHECK_OK (datahub_producer_acquire_slot (producer, GIB, SOON, &slot, &err));
    if (!first || slot.data < first)
      first = slot.data;
    if ((uint64_t) (slot.data - first) > farthest)
      farthest = (uint64_t) (slot.data - first);
    fill_edges (&slot, n);
    DatahubCommit record = buffer_record (&slot, n, GIB);
    CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  }
  check_join (&child);
  /* the last slot was in use: it begins at 4 GiB and ends behind it */
  CHECK_INT (farthest, ==, (BIG_SLOTS - 1) * GIB);
  datahub_producer_close (producer);
}

/* Whatever was asked for, the stream runs, and the statistics are the kernel's
 * words: a page size that this machine has. */
static void
huge_pages_or_not (void)
{
  static const DatahubHugePages wishes[] = { DATAHUB_HUGEPAGES_NEVER,
    DATAHUB_HUGEPAGES_ADVISE, DATAHUB_HUGEPAGES_2M, DATAHUB_HUGEPAGES_1G };
  for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
    DatahubProducerOptions options = small_options ();
    options.hugepages = wishes[i];
    DatahubProducer *producer = producer_new ("cam0", &options);
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    commit_buffers (producer, 0, 8);
    expect_buffers (consumer, 0, 8);
    uint64_t page = producer_stats (producer).page_size;
    check_note ("wish %d: pages of %llu bytes", wishes[i],
        (unsigned long long) page);
    /* a pool of 64 KiB by name is on none, whatever the system */
    CHECK_INT (page, >=, 4096);
    CHECK_INT (page, <=, 65536);
    datahub_consumer_close (consumer);
    datahub_producer_close (producer);
  }
}

static void
no_such_pages (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer;
  options.hugepages = (DatahubHugePages) 4;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_INVALID);
}

static const CheckTest tests[] = {
  { "a pool of over 4 GiB is written and read at both ends", big },
  { "huge pages are asked for, and what there is instead is told",
      huge_pages_or_not },
  { "an unknown kind of pages is refused", no_such_pages },
};
CHECK_MAIN (tests)
