/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a header shows of its producer beside the stream: clocks, limits,
 * counters; over adoptions, in blocks of an earlier version, and where another
 * process wrote to it. */
#include "findings.h"
#include "life.h"
#include "torn.h"

#include "core/block/clock-private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static DatahubBlockInfo
inspect_block (void)
{
  DatahubBlockInfo info;
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  return info;
}

static int64_t
clock_ns (clockid_t clock)
{
  struct timespec ts;
  clock_gettime (clock, &ts);
  return (int64_t) ts.tv_sec * CHECK_S + ts.tv_nsec;
}

static int64_t
distance_ns (int64_t a, int64_t b)
{
  return a < b ? b - a : a - b;
}

/* The difference of the clocks is that of this process: both are on one machine. */
static void
check_clock (const DatahubBlockInfo *info)
{
  int64_t difference = clock_ns (CLOCK_REALTIME) - clock_ns (CLOCK_MONOTONIC);
  int64_t shown =
      (int64_t) info->clock_realtime_ns - (int64_t) info->clock_monotonic_ns;
  CHECK (info->has_telemetry && info->clock_monotonic_ns > 0);
  CHECK_INT (distance_ns (difference, shown), <, 100 * CHECK_MS);
}

static void
pair_at_creation (void)
{
  char text[64], boot[DATAHUB_UUID_TEXT] = "";
  size_t n = 0;
  uint64_t before = (uint64_t) clock_ns (CLOCK_MONOTONIC);
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubBlockInfo info = inspect_block ();
  FILE *file = fopen ("/proc/sys/kernel/random/boot_id", "r");
  check_clock (&info);
  CHECK_INT (info.clock_monotonic_ns, >=, before);
  CHECK (file && fgets (text, sizeof text, file));
  fclose (file);
  for (const char *c = text; *c && n < sizeof boot - 1; c++)
    if (*c != '-' && *c != '\n')
      boot[n++] = *c;
  boot[n] = 0;
  CHECK_STR (info.boot_id, boot);
  CHECK_INT (info.minor, ==, BLOCK_MINOR);
  datahub_producer_close (producer);
}

/* A heartbeat a second later comes with a new pair; one before does not. */
static void
pair_with_heartbeats (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubBlockInfo first = inspect_block (), next;
  uint64_t end = check_now_ns () + (uint64_t) SOON, n = 0;
  do {
    commit_buffers (producer, n++, 1);
    next = inspect_block ();
    CHECK (check_now_ns () < end);
  } while (next.clock_monotonic_ns == first.clock_monotonic_ns);
  CHECK_INT (next.clock_monotonic_ns - first.clock_monotonic_ns, >=, CHECK_S);
  check_clock (&next);
  datahub_producer_close (producer);
}

static void
pair_of_the_adopter (void)
{
  Life life = small_life (0, 2);
  leave_dead (&life);
  DatahubBlockInfo dead = inspect_block ();
  DatahubProducer *producer = adopt_block (2);
  DatahubBlockInfo info = inspect_block ();
  check_clock (&info);
  CHECK_INT (info.clock_monotonic_ns, >, dead.clock_monotonic_ns);
  CHECK_STR (info.boot_id, dead.boot_id);
  datahub_producer_close (producer);
}

static ClockWriter torn_writer;

/* The second one is written to the place that the reader copies. */
static void
take_two_pairs (void)
{
  memset (torn_writer.boot_id, 2, sizeof torn_writer.boot_id);
  for (int i = 0; i < 2; i++) {
    store_relaxed (&torn_writer.due_ns, 0);
    clock_take_pair (&torn_writer, 1);
  }
}

/* Two pairs are taken while a reader is in the middle of one. */
static void
pairs_are_whole (void)
{
  ClockReading reading, again;
  BlockHeader *header =
      torn_new (offsetof (BlockHeader, clock) + offsetof (ClockPair, boot_id));
  torn_writer = (ClockWriter){ .header = header };
  CHECK (!clock_read (header, &reading));
  for (int i = 0; i < 2; i++) { /* the second is in the first place */
    store_relaxed (&torn_writer.due_ns, 0);
    clock_take_pair (&torn_writer, 1);
  }
  torn_arm (take_two_pairs);
  CHECK (clock_read (header, &reading));
  CHECK (clock_read (header, &again));
  CHECK_INT (header->clock_turn, ==, 4);
  CHECK (memcmp (&reading, &again, sizeof reading) == 0);
  torn_free ();
}

static void
counters (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 10 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 20);
  commit_buffer (producer, 20, 20000);
  datahub_producer_count_copied (producer, 3);
  DatahubBlockInfo info = inspect_block ();
  DatahubProducerStats stats = producer_stats (producer);
  CHECK_INT (info.evictions, ==, 1);
  CHECK_INT (info.growths, ==, 1);
  CHECK_INT (info.waits, >=, 1);
  CHECK_INT (info.copied, ==, 3);
  CHECK_INT (info.records, ==, 21);
  CHECK_INT (info.evictions, ==, stats.evictions);
  CHECK_INT (info.waits, ==, stats.waits);
  CHECK_INT (info.wakes, ==, stats.wakes);
  CHECK_INT (info.growths, ==, stats.growths);
  CHECK_INT (info.given_up, ==, stats.given_up);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
grow_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffer (producer, 0, 20000);
  datahub_producer_count_copied (producer, 5);
  check_ready (parent);
  check_until_killed (parent);
}

/* Counters go on with the block. */
static void
counters_over_adoption (void)
{
  CheckChild child = check_fork_ready (grow_and_wait, NULL);
  check_kill (&child);
  DatahubProducer *producer = adopt_block (2);
  datahub_producer_count_copied (producer, 1);
  DatahubBlockInfo info = inspect_block ();
  CHECK_INT (info.growths, ==, 1);
  CHECK_INT (info.copied, ==, 6);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  datahub_producer_close (producer);
}

/* Turns the dead block into one that an earlier version made. */
static void
make_earlier (Intrusion *ctl)
{
  BlockHeader *header = (BlockHeader *) ctl->bytes;
  BlockIdentity *id = &header->identity;
  id->minor = 0;
  id->feat_compat &= ~(FEATURE_TELEMETRY | FEATURE_ERRORS);
  id->n_sections = N_SECTIONS;
  id->ctl_size -= BLOCK_PAGE;
  memset (&header->more, 0, sizeof header->more);
  header->clock_turn = 0;
  memset (header->clock, 0, sizeof header->clock);
  renew_header_check (id);
  CHECK (ftruncate (ctl->fd, (off_t) id->ctl_size) == 0);
}

/* A block without the words is adopted, and gets none of them: another program
 * may have them for something else. */
static void
earlier_version (void)
{
  Life life = small_life (0, 2);
  DatahubBlockError errors[DATAHUB_MAX_BLOCK_ERRORS];
  uint32_t n;
  leave_dead (&life);
  Intrusion ctl = intrude (".ctl");
  BlockHeader *header = (BlockHeader *) ctl.bytes;
  make_earlier (&ctl);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubProducer *producer = adopt_block (2);
  datahub_producer_count_copied (producer, 7);
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "an error");
  commit_buffer (producer, 2, 20000);
  commit_buffers (producer, 3, 2);
  expect_buffers (consumer, 0, 2);
  expect_buffer (consumer, 2, 20000);
  expect_buffers (consumer, 3, 2);
  DatahubBlockInfo info = inspect_block ();
  CHECK (!info.has_telemetry && info.clock_monotonic_ns == 0);
  CHECK_INT (info.copied + info.growths, ==, 0);
  CHECK_INT (info.records, ==, 5);
  CHECK_OK (datahub_block_inspect_errors ("cam0", errors,
      DATAHUB_MAX_BLOCK_ERRORS, &n, &err));
  CHECK_INT (n, ==, 0);
  CHECK_INT (header->clock_turn, ==, 0);
  CHECK_INT (header->more.copied + header->more.growths, ==, 0);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  check_healthy ();
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  intrusion_end (&ctl);
}

/* One feature without the other is a block as well. */
static void
one_feature (void)
{
  static const uint64_t features[] = { FEATURE_TELEMETRY, FEATURE_ERRORS };
  for (size_t i = 0; i < 2; i++) {
    Life life = small_life (0, 2);
    leave_dead (&life);
    Intrusion ctl = intrude (".ctl");
    BlockIdentity *id = (BlockIdentity *) ctl.bytes;
    if (features[i] == FEATURE_TELEMETRY)
      make_earlier (&ctl);
    id->feat_compat = FEATURE_ROW_EXTRA | features[i];
    renew_header_check (id);
    ((BlockHeader *) ctl.bytes)->share = 0;
    DatahubProducer *producer = adopt_block (2);
    DatahubBlockInfo info = inspect_block ();
    CHECK_INT (info.features, ==, FEATURE_ROW_EXTRA | features[i]);
    CHECK_INT (info.has_telemetry, ==, features[i] == FEATURE_TELEMETRY);
    CHECK_INT (info.has_share, ==, features[i] == FEATURE_TELEMETRY);
    CHECK_INT (((BlockHeader *) ctl.bytes)->share != 0, ==, info.has_share);
    if (!info.has_share) {
      /* a word that means something else, or nothing */
      ((BlockHeader *) ctl.bytes)->share = SHARE_WORD (1, 1);
      DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 2);
      CHECK_INT (consumer_stats (consumer).quota, ==, 2);
      datahub_consumer_close (consumer);
    }
    datahub_producer_close (producer);
    intrusion_end (&ctl);
  }
}

static void
check_no_share (BlockHeader *header, uint64_t word)
{
  header->share = word;
  CHECK (!inspect_block ().has_share);
  check_found (DATAHUB_FINDING_TELEMETRY, "share");
}

/* At the limit and one past it. */
static void
limits (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  Intrusion ctl = intrude (".ctl");
  BlockHeader *header = (BlockHeader *) ctl.bytes;
  const uint32_t n_recs = header->identity.n_recs;
  const uint32_t rows = header->identity.max_rows;
  CHECK (inspect_block ().has_share);
  header->share = SHARE_WORD (n_recs, rows);
  CHECK_INT (inspect_block ().share, ==, n_recs);
  CHECK_INT (inspect_block ().share_consumers, ==, rows);
  check_healthy ();
  header->share = SHARE_WORD (0, 0);
  CHECK (inspect_block ().has_share);
  CHECK_INT (inspect_block ().share, ==, 0);
  check_healthy ();
  header->share = 0;
  CHECK (!inspect_block ().has_share);
  check_healthy ();
  check_no_share (header, SHARE_WORD (n_recs + 1, rows));
  check_no_share (header, SHARE_WORD (n_recs, rows + 1));
  check_no_share (header, UINT64_MAX);
  header->share = 0;
  header->clock[header->clock_turn % 2].realtime_ns = 0;
  CHECK_INT (inspect_block ().clock_monotonic_ns, ==, 0);
  check_found (DATAHUB_FINDING_TELEMETRY, "clocks");
  header->clock_turn = 0;
  check_healthy ();
  intrusion_end (&ctl);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "both clocks and the boot are there at creation", pair_at_creation },
  { "heartbeats renew the clocks once a second", pair_with_heartbeats },
  { "an adopter takes its own clocks", pair_of_the_adopter },
  { "a reader never mixes two pairs of clocks", pairs_are_whole },
  { "the producer's counters are read from outside", counters },
  { "counters go on over an adoption", counters_over_adoption },
  { "a block of an earlier version is adopted and stays as it is",
      earlier_version },
  { "a block may have one feature without the other", one_feature },
  { "limits and clocks that no producer states count as none", limits },
};
CHECK_MAIN (tests)
