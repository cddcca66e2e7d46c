/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a block takes when payloads of very different sizes alternate: three of the
 * biggest, those that loans and leases hold, and 64 MiB. */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define KIB (UINT64_C (1) << 10)
#define MIB (UINT64_C (1) << 20)
#define SPARE (64 * MIB)
#define SIZES_MAX 8
#define HELD_MAX 8
#define ROUNDS 3
/* A payload that is smaller than the biggest by this does not use its slots. */
#define FAR 4
#define SPACE_WANTED (UINT64_C (3) << 30)

typedef struct
{
  uint64_t sizes[SIZES_MAX]; /* up to a 0 */
  uint64_t step; /* added to each size with each round */
  uint32_t small; /* payloads of the first size behind each one */
  uint32_t loans, leases;
  bool reliable;
} Case;

typedef struct
{
  const Case *as;
  DatahubProducer *producer;
  DatahubConsumer *consumer;
  uint64_t before, biggest, n;
  DatahubSlot loans[HELD_MAX];
  uint64_t loan_sizes[HELD_MAX];
  DatahubView views[HELD_MAX];
  uint32_t n_loans, n_views;
} Run;

/* The memory of all files of the block. */
static uint64_t
bytes_on_disk (void)
{
  uint64_t bytes = 0;
  DIR *dir = opendir (check_directory ());
  CHECK (dir != NULL);
  for (struct dirent *entry; (entry = readdir (dir));) {
    struct stat st;
    if (fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
        && S_ISREG (st.st_mode))
      bytes += (uint64_t) st.st_blocks * 512;
  }
  closedir (dir);
  return bytes;
}

/* What a held payload may cost. */
static uint64_t
cost (const Run *run, uint64_t size)
{
  return size > run->biggest / FAR ? run->biggest : size + 4 * KIB;
}

static void
check_bound (const Run *run)
{
  uint64_t bound = 3 * run->biggest + SPARE;
  for (uint32_t i = 0; i < run->n_loans; i++)
    bound += cost (run, run->loan_sizes[i]);
  for (uint32_t i = 0; i < run->n_views; i++)
    bound += cost (run, run->views[i].memories[0].size);
  CHECK_INT (producer_stats (run->producer).bytes_used, <=,
      run->before + bound);
  /* the control parts and events, too */
  if (!is_strict_run ())
    CHECK_INT (bytes_on_disk (), <=, run->before + bound + 8 * MIB);
}

static void
keep_loan (Run *run, uint64_t size)
{
  uint32_t at = run->n_loans;
  if (at == run->as->loans) {
    datahub_producer_abort (run->producer, &run->loans[0]);
    memmove (run->loans, run->loans + 1, --at * sizeof run->loans[0]);
    memmove (run->loan_sizes, run->loan_sizes + 1,
        at * sizeof run->loan_sizes[0]);
  }
  CHECK_OK (datahub_producer_acquire_slot (run->producer, size, SOON,
      &run->loans[at], &err));
  memset (run->loans[at].data, 1, size);
  run->loan_sizes[at] = size;
  run->n_loans = at + 1;
}

static void
keep_lease (Run *run)
{
  if (run->n_views == run->as->leases) {
    datahub_consumer_end_read (run->consumer, &run->views[0]);
    memmove (run->views, run->views + 1, --run->n_views * sizeof run->views[0]);
  }
  run->views[run->n_views++] = read_record (run->consumer);
}

static void
pass (Run *run, uint64_t size)
{
  if (size > run->biggest)
    run->biggest = size;
  commit_buffer (run->producer, run->n++, size);
  if (run->as->leases)
    keep_lease (run);
  else if (run->as->reliable)
    expect_buffer (run->consumer, run->n - 1, size);
  if (run->as->loans)
    keep_loan (run, size);
  check_bound (run);
}

static void
end (Run *run)
{
  for (uint32_t i = 0; i < run->n_loans; i++)
    datahub_producer_abort (run->producer, &run->loans[i]);
  for (uint32_t i = 0; i < run->n_views; i++)
    datahub_consumer_end_read (run->consumer, &run->views[i]);
  CHECK_INT (producer_stats (run->producer).dropped, ==, 0);
  if (run->as->leases || run->as->reliable) {
    CHECK_INT (consumer_stats (run->consumer).lost, ==, 0);
    datahub_consumer_close (run->consumer);
  }
  datahub_producer_close (run->producer);
}

static void
require_space (void)
{
  struct statvfs fs;
  CHECK (statvfs (check_directory (), &fs) == 0);
  if ((uint64_t) fs.f_bavail * fs.f_frsize < SPACE_WANTED)
    check_skip ("less than 3 GiB of shared memory are free");
}

static DatahubProducer *
roomy_producer (void)
{
  DatahubProducerOptions options = small_options ();
  options.slot_size = 12 * KIB;
  options.slots = 64;
  options.ring_size = 32;
  options.max_bytes = UINT64_C (16) << 30;
  return producer_new ("cam0", &options);
}

static void
run_case (const Case *as)
{
  Run run = { .as = as };
  require_space ();
  if (is_strict_run () && as->step)
    check_skip ("the kernel gives back a sealed pool only as a whole");
  run.producer = roomy_producer ();
  if (as->leases || as->reliable)
    run.consumer = as->reliable
        ? consumer_new ("cam0", true, DATAHUB_START_OLDEST)
        : consumer_new_quota ("cam0", false, HELD_MAX);
  run.before = producer_stats (run.producer).bytes_used;
  for (uint32_t round = 0; round < ROUNDS; round++)
    for (uint32_t i = 0; i < SIZES_MAX && as->sizes[i]; i++) {
      pass (&run, as->sizes[i] + round * as->step);
      for (uint32_t k = 0; k < as->small; k++)
        pass (&run, as->sizes[0]);
    }
  end (&run);
}

static const Case cases[] = {
  { .sizes = { 12 * KIB, 100 * MIB, 12 * KIB }, .small = 8, .leases = 6 },
  { .sizes = { 12 * KIB, 100 * MIB }, .small = 8, .loans = 6 },
  { .sizes = { 12 * KIB, 33000000, 100 * MIB }, .small = 1, .leases = 2 },
  { .sizes = { 12 * KIB, 33000000, 100 * MIB }, .small = 1, .reliable = true },
  { .sizes = { 12 * KIB, 17 * MIB, 24 * MIB, 34 * MIB, 48 * MIB, 68 * MIB,
        96 * MIB } },
  { .sizes = { 12 * KIB, 17 * MIB, 24 * MIB, 34 * MIB, 48 * MIB, 68 * MIB },
      .leases = 3 },
  { .sizes = { 60 * MIB, 60 * MIB + 1, 60 * MIB + 4096, 60 * MIB + 4097 },
      .step = 3 * 4096 },
  { .sizes = { 60 * MIB, 60 * MIB + 1, 60 * MIB + 4096, 60 * MIB + 4097 },
      .step = 3 * 4096,
      .leases = 5 },
  { .sizes = { 60 * MIB, 61 * MIB, 61 * MIB, 61 * MIB, 61 * MIB, 61 * MIB },
      .loans = 4,
      .leases = 3 },
};

#define RUN(i)                                                                 \
  static void case_##i (void)                                                  \
  {                                                                            \
    run_case (&cases[i]);                                                      \
  }
RUN (0)
RUN (1)
RUN (2)
RUN (3)
RUN (4)
RUN (5)
RUN (6)
RUN (7)
RUN (8)

/* The memory of the big slots is given back while the stream goes on, and the small
 * payloads never used it. */
static void
given_back (void)
{
  DatahubProducer *producer;
  uint64_t before;
  require_space ();
  producer = roomy_producer ();
  commit_buffer (producer, 0, 12 * KIB);
  before = producer_stats (producer).bytes_used;
  commit_buffer (producer, 1, 100 * MIB);
  CHECK_INT (producer_stats (producer).bytes_used, >=, 100 * MIB);
  for (uint64_t i = 2; i < 402; i++)
    commit_buffer (producer, i, 12 * KIB);
  CHECK_INT (producer_stats (producer).bytes_used, ==, before);
  CHECK_INT (producer_stats (producer).slots, ==, 64);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  datahub_producer_close (producer);
}

/* A block that began with big slots goes over to small ones when they are short. */
static void
from_big_to_small (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer;
  DatahubSlot loans[6];
  require_space ();
  options.slot_size = 40 * MIB;
  options.slots = 4;
  options.max_bytes = UINT64_C (16) << 30;
  producer = producer_new ("cam0", &options);
  for (uint32_t i = 0; i < 6; i++)
    CHECK_OK (datahub_producer_acquire_slot (producer, 12 * KIB, SOON,
        &loans[i], &err));
  CHECK_INT (producer_stats (producer).bytes_used, <=, 4 * 40 * MIB + SPARE);
  for (uint32_t i = 0; i < 6; i++)
    datahub_producer_abort (producer, &loans[i]);
  for (uint64_t i = 0; i < 400; i++)
    commit_buffer (producer, i, 12 * KIB);
  CHECK_INT (producer_stats (producer).bytes_used, <=, SPARE);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "one of 100 MiB among small ones", case_0 },
  { "one of 100 MiB among small ones, and upstream holds some", case_1 },
  { "small, big, and bigger ones in turn", case_2 },
  { "small, big, and bigger ones for a reliable consumer", case_3 },
  { "several growths in a row", case_4 },
  { "several growths in a row, and leases on all", case_5 },
  { "one byte more each time", case_6 },
  { "one byte more each time, and leases on all", case_7 },
  { "headroom does not add up", case_8 },
  { "the memory of big slots is given back when small ones follow",
      given_back },
  { "a block of big slots goes over to small ones", from_big_to_small },
};
CHECK_MAIN (tests)
