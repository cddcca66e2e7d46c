/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block that begins with big slots, or is adopted with them: it takes what one
 * takes that began with small slots, and goes on where that one does. */
#include "fixture.h"

#include <sys/statvfs.h>

#define KIB (UINT64_C (1) << 10)
#define MIB (UINT64_C (1) << 20)
#define SPARE (64 * MIB)
#define SMALL (12 * KIB)
#define SPACE_WANTED (UINT64_C (2) << 30)
/* A pool closes after 256 loans of others. */
#define MANY 400u
#define SIZES 3

static void
require_space (void)
{
  struct statvfs fs;
  CHECK (statvfs (check_directory (), &fs) == 0);
  if ((uint64_t) fs.f_bavail * fs.f_frsize < SPACE_WANTED)
    check_skip ("less than 2 GiB of shared memory are free");
}

/* Automatic sizes. */
static DatahubProducerOptions
big_first (uint64_t slot_size, uint64_t max_bytes)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = slot_size;
  options.max_bytes = max_bytes;
  options.max_consumers = 4;
  return options;
}

static void
few_slots (void)
{
  static const uint64_t sizes[] = { 4 * KIB, MIB, 8 * MIB, 12 * MIB, 16 * MIB,
    17 * MIB, 33 * MIB, 50 * MIB, 100 * MIB };
  require_space ();
  for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    DatahubProducerOptions options = big_first (sizes[i], 2048 * MIB);
    DatahubProducer *producer = producer_new ("cam0", &options);
    CHECK_INT (producer_stats (producer).bytes_used, <=, 3 * sizes[i] + SPARE);
    CHECK_INT (producer_stats (producer).slots, >=, 3);
    datahub_producer_close (producer);
  }
}

/* The memory of the big slots is given back, with and without a reliable consumer. */
static void
small_follow (bool reliable)
{
  DatahubProducerOptions options = big_first (100 * MIB, 2048 * MIB);
  DatahubProducer *producer;
  DatahubConsumer *consumer = NULL;
  require_space ();
  producer = producer_new ("cam0", &options);
  if (reliable)
    consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffer (producer, 0, 100 * MIB);
  if (reliable)
    expect_buffer (consumer, 0, 100 * MIB);
  for (uint64_t i = 1; i <= MANY; i++) {
    commit_buffer (producer, i, SMALL);
    if (reliable)
      expect_buffer (consumer, i, SMALL);
    CHECK_INT (producer_stats (producer).growths, ==, 1); /* at once */
    CHECK_INT (producer_stats (producer).bytes_used, <=, 300 * MIB + SPARE);
  }
  CHECK_INT (producer_stats (producer).bytes_used, <=, SPARE);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  /* and a big one comes again */
  commit_buffer (producer, MANY + 1, 100 * MIB);
  if (reliable) {
    expect_buffer (consumer, MANY + 1, 100 * MIB);
    datahub_consumer_close (consumer);
  }
  CHECK_INT (producer_stats (producer).bytes_used, <=, 300 * MIB + SPARE);
  datahub_producer_close (producer);
}

static void
small_follow_alone (void)
{
  small_follow (false);
}

static void
small_follow_reliable (void)
{
  small_follow (true);
}

/* Passes six buffers of @size to a reliable consumer. */
static void
pass_six (DatahubProducer *producer, uint64_t first, uint64_t size)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  for (uint64_t i = first; i < first + 6; i++) {
    commit_buffer (producer, i, size);
    DatahubView view = read_record (consumer);
    while (view.offset != i) {
      datahub_consumer_end_read (consumer, &view);
      view = read_record (consumer);
    }
    check_buffer (&view, i, size);
    datahub_consumer_end_read (consumer, &view);
  }
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  datahub_consumer_close (consumer);
}

/* One slot of the size is enough if it is big, four if not, whatever came first. */
static void
tight_max_bytes (void)
{
  static const struct
  {
    uint64_t size, max_bytes;
  } cases[] = { { 20 * MIB, 20 * MIB }, { 20 * MIB, 40 * MIB },
    { 20 * MIB, 60 * MIB }, { 20 * MIB, 61 * MIB }, { 2 * MIB, 8 * MIB },
    { 2 * MIB, 10 * MIB } };
  require_space ();
  for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    DatahubProducerOptions options =
        big_first (cases[i].size, cases[i].max_bytes);
    DatahubProducer *producer = producer_new ("cam0", &options);
    pass_six (producer, 0, cases[i].size);
    CHECK_INT (producer_stats (producer).bytes_used, <=, options.max_bytes);
    datahub_producer_close (producer);
    options.slot_size = SMALL;
    options.max_bytes += 64 * SMALL;
    options.slots = 16;
    producer = producer_new ("cam0", &options);
    commit_buffer (producer, 0, SMALL);
    pass_six (producer, 1, cases[i].size);
    datahub_producer_close (producer);
  }
}

static void
too_tight (void)
{
  DatahubProducerOptions options = big_first (20 * MIB, 20 * MIB - 1);
  DatahubProducer *producer;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_CONTAINS (err.message, "1 slots of 20971520 bytes");
  options = big_first (2 * MIB, 8 * MIB - 1);
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_TOO_BIG);
  /* a number that was asked for is not changed */
  options = big_first (20 * MIB, 99 * MIB);
  options.slots = 5;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_CONTAINS (err.message, "5 slots");
}

/* Where no pool for small payloads fits, they use the big slots. */
static void
no_room_for_small_ones (void)
{
  DatahubProducerOptions options = big_first (20 * MIB, 60 * MIB);
  DatahubProducer *producer;
  require_space ();
  producer = producer_new ("cam0", &options);
  for (uint64_t i = 0; i < 20; i++)
    CHECK_OK (try_commit (producer, i, SMALL, 0));
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  CHECK_INT (producer_stats (producer).bytes_used, ==, 60 * MIB);
  datahub_producer_close (producer);
}

/* They get their pool, however short the big slots were. */
static void
room_for_small_ones_alone (void)
{
  DatahubProducerOptions options = big_first (20 * MIB, 21 * MIB);
  DatahubProducer *producer;
  require_space ();
  producer = producer_new ("cam0", &options);
  for (uint64_t i = 0; i < 4; i++)
    commit_buffer (producer, i, 20 * MIB);
  CHECK_INT (producer_stats (producer).slots, ==, 1);
  for (uint64_t i = 4; i < MANY; i++)
    commit_buffer (producer, i, SMALL);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  CHECK_INT (producer_stats (producer).bytes_used, <=, MIB);
  datahub_producer_close (producer);
}

/* ---- after a kill ---- */

typedef struct
{
  DatahubProducerOptions options;
  uint64_t sizes[SIZES]; /* up to a 0 */
} Killed;

static void
commits_and_waits (CheckParent *parent)
{
  const Killed *as = parent->data;
  DatahubProducer *producer = producer_new ("cam0", &as->options);
  check_ready (parent);
  for (uint64_t i = 0; i < SIZES && as->sizes[i]; i++) {
    check_hear (parent->in);
    commit_buffer (producer, i, as->sizes[i]);
    check_tell (parent->out, i);
  }
  check_until_killed (parent);
}

static void
one_more (CheckChild *child, uint64_t i)
{
  check_tell (child->to, i);
  CHECK_HEAR (child->from, i);
}

static DatahubProducer *
adopt (const Killed *as)
{
  DatahubProducer *producer = producer_new ("cam0", &as->options);
  CHECK (producer_stats (producer).adopted);
  return producer;
}

static void
adopted_with_big_slots (void)
{
  Killed as = { .options = big_first (SMALL, 2048 * MIB),
    .sizes = { SMALL, 100 * MIB } };
  CheckChild child;
  DatahubProducer *producer;
  require_space ();
  child = check_fork_ready (commits_and_waits, &as);
  one_more (&child, 0);
  one_more (&child, 1);
  check_kill (&child);
  producer = adopt (&as);
  for (uint64_t i = 2; i < MANY; i++) {
    commit_buffer (producer, i, SMALL);
    CHECK_INT (producer_stats (producer).bytes_used, <=, 300 * MIB + SPARE);
  }
  CHECK_INT (producer_stats (producer).bytes_used, <=, SPARE);
  datahub_producer_close (producer);
}

/* A pool that an adopter does not lend of keeps the memory of what is held, and the
 * rest counts for nothing: not for the file system, and not for max-bytes. */
static void
adopted_with_an_older_pool (void)
{
  Killed as = { .options = big_first (20 * MIB, 140 * MIB),
    .sizes = { 20 * MIB, 30 * MIB, 45 * MIB } };
  CheckChild child;
  DatahubConsumer *consumer;
  DatahubProducer *producer;
  DatahubView views[3];
  require_space ();
  as.options.slots = 4;
  child = check_fork_ready (commits_and_waits, &as);
  consumer = consumer_new_quota ("cam0", false, 3);
  for (uint64_t i = 0; i < 3; i++) {
    one_more (&child, i);
    views[i] = read_record (consumer);
  }
  check_kill (&child);
  producer = adopt (&as);
  CHECK_INT (producer_stats (producer).bytes_used, <=, as.options.max_bytes);
  for (uint64_t i = 0; i < 3; i++) {
    check_buffer (&views[i], i, as.sizes[i]);
    datahub_consumer_end_read (consumer, &views[i]);
  }
  pass_six (producer, 3, 45 * MIB);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Both pools were open: the one that stays closed gives back what is free. */
static void
adopted_with_an_open_pool (void)
{
  Killed as = { .options = big_first (MIB, 2048 * MIB),
    .sizes = { MIB, 20 * MIB } };
  CheckChild child;
  DatahubProducer *producer;
  DatahubProducerStats stats;
  require_space ();
  as.options.slots = 32;
  child = check_fork_ready (commits_and_waits, &as);
  one_more (&child, 0);
  one_more (&child, 1);
  check_kill (&child);
  producer = adopt (&as);
  stats = producer_stats (producer);
  /* and the slot of the first buffer, which is still readable */
  CHECK_INT (stats.bytes_used, ==, stats.slots * stats.slot_size + MIB);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a first pool has what is needed at once", few_slots },
  { "the memory of big first slots is given back when small payloads follow",
      small_follow_alone },
  { "the same for a reliable consumer", small_follow_reliable },
  { "a stream fits within max-bytes whatever it began with", tight_max_bytes },
  { "less than the least is refused with the numbers", too_tight },
  { "small payloads use big slots where no others fit",
      no_room_for_small_ones },
  { "small payloads have a pool beside the only big slot",
      room_for_small_ones_alone },
  { "an adopted pool of big slots goes when small payloads follow",
      adopted_with_big_slots },
  { "an adopted block counts the memory that there is",
      adopted_with_an_older_pool },
  { "an adopted pool that stays closed gives back its free slots",
      adopted_with_an_open_pool },
};
CHECK_MAIN (tests)
