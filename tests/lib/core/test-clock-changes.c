/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producers of other time namespaces, one after another, and clocks that others may
 * have written. */
#include "two-clocks.h"

/* ---- another producer ---- */

/* The one before had the clock of the consumer, the successor has another; what the
 * first left keeps its times. */
static void
adopter_is_elsewhere (void)
{
  Life life = small_life (0, 2);
  DatahubConsumer *consumer;
  DatahubProducer *producer;
  int64_t instant;
  leave_dead (&life);
  consumer = attach (0);
  check_clock_of (consumer, DATAHUB_CLOCK_SAME, 0);
  shifts[0] = FAR;
  use_clock (FAR);
  producer = adopt_block (2);
  instant = commit_now (producer, FAR, 2);
  for (uint64_t seed = 0; seed < 2; seed++) {
    use_clock (0);
    DatahubView view = read_record (consumer);
    check_buffer (&view, seed, 1000);
    CHECK_INT (view.commit_ns, <=, now_ns ());
    CHECK_INT (view.commit_ns, >, now_ns () - 60 * CHECK_S);
    datahub_consumer_end_read (consumer, &view);
  }
  check_about (moved_by (consumer, instant), -FAR);
  check_clock_of (consumer, DATAHUB_CLOCK_MAPPED, -FAR);
  end (consumer, producer);
}

/* The reverse: what the former one left keeps its offset, however many pairs the
 * adopter takes. */
static void
former_is_elsewhere (void)
{
  Life life = small_life (0, 2);
  DatahubConsumer *consumer;
  DatahubProducer *producer;
  int64_t instants[2];
  shifts[0] = FAR;
  use_clock (FAR);
  leave_dead (&life);
  consumer = attach (0);
  check_clock_of (consumer, DATAHUB_CLOCK_MAPPED, -FAR);
  shifts[0] = 0;
  use_clock (0);
  producer = adopt_block (2);
  for (uint64_t seed = 0; seed < 2; seed++) {
    passed += 2 * CHECK_S;
    instants[seed] = commit_now (producer, 0, 2 + seed);
    DatahubView view = read_record (consumer);
    check_buffer (&view, seed, 1000);
    CHECK_INT (view.commit_ns, <=, now_ns ());
    CHECK_INT (view.commit_ns, >, now_ns () - 60 * CHECK_S);
    datahub_consumer_end_read (consumer, &view);
    check_clock_of (consumer, DATAHUB_CLOCK_SAME, 0);
  }
  for (size_t i = 0; i < 2; i++)
    CHECK_INT (moved_by (consumer, instants[i]), ==, 0);
  end (consumer, producer);
}

/* A reader that finds the pair of an adopter finds its incarnation, too: the pair is
 * not taken for one of the producer before. */
static void
adopter_is_seen_first (void)
{
  Life life = small_life (0, 2);
  DatahubProducer *producer;
  Intrusion ctl;
  uint64_t turn;
  shifts[0] = 0;
  leave_dead (&life);
  use_clock (0);
  ctl = intrude (".ctl");
  turn = ((BlockHeader *) ctl.bytes)->clock_turn;
  incarnation_at_reading = 0;
  watched = (BlockHeader *) ctl.bytes;
  producer = adopt_block (2);
  CHECK_INT (watched->clock_turn, >, turn);
  watched = NULL;
  CHECK_INT (incarnation_at_reading, ==, 2);
  intrusion_end (&ctl);
  datahub_producer_close (producer);
}

/* The adopter's own view: rows are in its clock. */
static void
adopter_is_itself (void)
{
  Life life = small_life (0, 2);
  DatahubProducer *producer;
  DatahubConsumerInfo info;
  DatahubConsumer *consumer;
  leave_dead (&life);
  shifts[0] = FAR;
  use_clock (FAR);
  producer = adopt_block (2);
  consumer = attach (0);
  use_clock (FAR);
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 1);
  check_not_silent (&info);
  end (consumer, producer);
}

/* ---- the consumer's looks ---- */

/* Buffer @seed is committed and read. Returns: readings of the clocks by the consumer */
static uint64_t
pass_one (DatahubProducer *producer, DatahubConsumer *consumer, uint64_t seed)
{
  uint64_t before;
  commit_now (producer, FAR, seed);
  use_clock (0);
  before = readings;
  expect_buffer (consumer, seed, 1000);
  return readings - before;
}

/* The clocks are read for a new pair, not for each record; after the attach, and after
 * a new pair. */
static void
looks_only_at_new_pairs (void)
{
  DatahubProducer *producer = producer_ahead (FAR);
  Intrusion ctl = intrude (".ctl");
  const BlockHeader *header = (const BlockHeader *) ctl.bytes;
  DatahubConsumer *consumer = attach (0);
  uint64_t seed = 0;
  for (int i = 0; i < 2; i++) {
    for (uint64_t turn = 0, n; turn != header->clock_turn; seed++) {
      turn = header->clock_turn;
      n = pass_one (producer, consumer, seed);
      if (turn == header->clock_turn) /* or a second went by */
        CHECK_INT (n, ==, 0);
    }
    passed += 2 * CHECK_S;
    CHECK_INT (pass_one (producer, consumer, seed++), >, 0);
  }
  intrusion_end (&ctl);
  end (consumer, producer);
}

/* What a consumer and an observer find. */
static void
check_states (DatahubClockState wanted)
{
  DatahubConsumer *consumer = attach (0);
  DatahubClockState state;
  int64_t offset;
  check_clock_of (consumer, wanted, 0);
  CHECK_OK (datahub_block_inspect_clock ("cam0", &state, &offset, &err));
  CHECK_INT (state, ==, wanted);
  CHECK_INT (offset, ==, 0);
  datahub_consumer_close (consumer);
}

static void
clocks_of_another_kernel (void)
{
  DatahubProducer *producer = producer_ahead (FAR);
  Intrusion ctl = intrude (".ctl");
  BlockHeader *header = (BlockHeader *) ctl.bytes;
  ClockPair *pair = &header->clock[header->clock_turn % 2];
  use_clock (0);
  if (pair->boot_id[0] == 0 && pair->boot_id[1] == 0)
    check_skip ("the boot is not known here");
  pair->boot_id[0] ^= 1;
  check_states (DATAHUB_CLOCK_OTHER_BOOT);
  pair->boot_id[0] = pair->boot_id[1] = 0;
  pair->monotonic_ns = UINT64_MAX;
  check_states (DATAHUB_CLOCK_IMPLAUSIBLE);
  intrusion_end (&ctl);
  use_clock (FAR);
  datahub_producer_close (producer);
}

/* In a block of an earlier version these words may be for something else. */
static void
no_clocks (void)
{
  DatahubProducer *producer = producer_ahead (0);
  Intrusion ctl = intrude (".ctl");
  BlockHeader *header = (BlockHeader *) ctl.bytes;
  DatahubConsumer *consumer;
  int64_t instant;
  header->identity.feat_compat &= ~(uint64_t) FEATURE_TELEMETRY;
  renew_header_check (&header->identity);
  header->heartbeat = (uint64_t) (now_ns () + HOUR);
  check_states (DATAHUB_CLOCK_UNKNOWN);
  consumer = attach (0);
  instant = commit_now (producer, 0, 0);
  header->clock[0].monotonic_ns = header->clock[1].monotonic_ns = HOUR;
  header->clock_turn += 2;
  CHECK_INT (moved_by (consumer, instant), ==, 0);
  check_clock_of (consumer, DATAHUB_CLOCK_UNKNOWN, 0);
  intrusion_end (&ctl);
  end (consumer, producer);
}

/* ---- what others may have written ---- */

static void
hostile_pairs (void)
{
  static const uint64_t words[] = { 1, 1000, UINT64_C (1) << 60,
    (UINT64_C (1) << 62) - 1, UINT64_C (1) << 62, UINT64_C (1) << 63,
    UINT64_MAX };
  const size_t n = sizeof words / sizeof words[0];
  DatahubProducer *producer = producer_ahead (0);
  Intrusion ctl = intrude (".ctl");
  BlockHeader *header = (BlockHeader *) ctl.bytes;
  for (size_t i = 0; i < n * n; i++) {
    ClockPair *pair = &header->clock[header->clock_turn % 2];
    DatahubClockState state;
    DatahubBlockInfo info;
    int64_t offset;
    pair->monotonic_ns = words[i / n];
    pair->realtime_ns = words[i % n];
    CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
    CHECK_OK (datahub_block_inspect_clock ("cam0", &state, &offset, &err));
    CHECK_INT (offset, <=, INT64_C (1) << 60);
    CHECK_INT (offset, >=, -(INT64_C (1) << 60));
    CHECK ((offset != 0) == (state == DATAHUB_CLOCK_MAPPED));
  }
  intrusion_end (&ctl);
  datahub_producer_close (producer);
}

/* Only a time before now has an age. */
static void
check_age_of (uint64_t sequence, uint64_t commit_ns)
{
  DatahubDiagnosis *diagnosis;
  uint32_t found = 0;
  CHECK_OK (datahub_block_diagnose ("cam0", NULL, NULL, NULL, &diagnosis,
      &err));
  for (uint32_t r = 0; r < diagnosis->n_records; r++)
    if (diagnosis->records[r].state == DATAHUB_RECORD_STATE_RING
        && diagnosis->records[r].sequence == sequence) {
      int64_t age = diagnosis->records[r].age_ns;
      found++;
      if (commit_ns <= 1)
        CHECK_INT (age, >, 0);
      else
        CHECK_INT (age, ==, -1);
    }
  CHECK_INT (found, ==, 1);
  datahub_diagnosis_free (diagnosis);
}

/* The times of a record are claims, too. */
static void
hostile_times (void)
{
  static const uint64_t words[] = { 0, 1, INT64_MAX, UINT64_C (1) << 63,
    UINT64_MAX };
  DatahubProducer *producer = producer_ahead (-5 * CHECK_S);
  DatahubConsumer *consumer = attach (0);
  Intrusion ctl = intrude (".ctl");
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    DatahubView view;
    commit_now (producer, -5 * CHECK_S, i);
    BlockRecord *record = record_at (&ctl, i);
    record->instant_ns = (int64_t) words[i];
    record->commit_ns = words[i];
    use_clock (0);
    view = read_record (consumer);
    if (words[i] == (uint64_t) INT64_MAX || words[i] == UINT64_C (1) << 63)
      CHECK_INT (view.instant_ns, ==, (int64_t) words[i]);
    else /* -1 is a time */
      check_about (view.instant_ns, 5 * CHECK_S);
    check_age_of (i, words[i]);
    datahub_consumer_end_read (consumer, &view);
  }
  intrusion_end (&ctl);
  end (consumer, producer);
}

static const CheckTest tests[] = {
  { "an adopter with another clock is mapped, its predecessor is not",
      adopter_is_elsewhere },
  { "so if it is the one before that has another clock", former_is_elsewhere },
  { "the clocks of an adopter are behind its incarnation",
      adopter_is_seen_first },
  { "an adopter takes no clock but its own", adopter_is_itself },
  { "records with no new pair cost no look at the clocks",
      looks_only_at_new_pairs },
  { "clocks of another kernel, or of none, move nothing",
      clocks_of_another_kernel },
  { "without telemetry there are no clocks to follow", no_clocks },
  { "impossible clocks move nothing", hostile_pairs },
  { "impossible times are passed on as they are", hostile_times },
};
CHECK_MAIN (tests)
