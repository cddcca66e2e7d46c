/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer with another CLOCK_MONOTONIC, one for as long as it lives: records, signs
 * of life, and a CLOCK_REALTIME that is set meanwhile. */
#include "two-clocks.h"

/* ---- records ---- */

static void
records_are_mapped (void)
{
  for (size_t i = 0; i < N_DISTANCES; i++) {
    int64_t far = distances[i], instant;
    DatahubProducer *producer = producer_ahead (far);
    DatahubConsumer *consumer = attach (0);
    check_clock_of (consumer, DATAHUB_CLOCK_MAPPED, -far);
    instant = commit_now (producer, far, 0);
    check_about (moved_by (consumer, instant), -far);
    end (consumer, producer);
  }
}

static void
same_clock (void)
{
  DatahubProducer *producer = producer_ahead (0);
  DatahubConsumer *consumer = attach (HOUR);
  int64_t instant = commit_now (producer, 0, 0);
  CHECK_INT (moved_by (consumer, instant), ==, 0);
  check_clock_of (consumer, DATAHUB_CLOCK_SAME, 0);
  end (consumer, producer);
}

static void
no_instant (void)
{
  DatahubProducer *producer = producer_ahead (FAR);
  DatahubConsumer *consumer = attach (0);
  DatahubView view;
  DatahubSlot slot;
  use_clock (FAR);
  fill_slot (producer, 0, 1000, &slot);
  DatahubCommit record = buffer_record (&slot, 0, 1000);
  record.instant_ns = INT64_MIN;
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  use_clock (0);
  view = read_record (consumer);
  CHECK_INT (view.instant_ns, ==, INT64_MIN);
  datahub_consumer_end_read (consumer, &view);
  end (consumer, producer);
}

/* In both directions: neither does each buffer expire, nor none. */
static void
age_is_mapped (void)
{
  for (size_t i = 0; i < N_DISTANCES; i++) {
    DatahubProducer *producer = producer_ahead (distances[i]);
    DatahubConsumer *consumer = attach (60 * CHECK_S);
    DatahubConsumerInfo info;
    DatahubView view;
    uint32_t n;
    commit_now (producer, distances[i], 0);
    use_clock (0);
    expect_buffer (consumer, 0, 1000);
    CHECK_OK (datahub_block_inspect_consumers ("cam0", &info, 1, &n, &err));
    CHECK_INT (info.latency_max_ns, <, 60 * CHECK_S);
    commit_now (producer, distances[i], 1);
    use_clock (0);
    datahub_consumer_set_max_age (consumer, 1);
    CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
        DATAHUB_TIMEOUT);
    CHECK_INT (consumer_stats (consumer).expired, ==, 1);
    end (consumer, producer);
  }
}

/* Nothing came for longer than the clocks are apart: the pair that the consumer
 * found at its attach is of its past. A record comes with a new one. */
static void
idle_for_long (void)
{
  DatahubProducer *producer = producer_ahead (5 * CHECK_S);
  DatahubConsumer *consumer;
  int64_t instant;
  passed += 60 * CHECK_S;
  consumer = attach (0);
  check_clock_of (consumer, DATAHUB_CLOCK_SAME, 0);
  instant = commit_now (producer, 5 * CHECK_S, 0);
  check_about (moved_by (consumer, instant), -5 * CHECK_S);
  check_clock_of (consumer, DATAHUB_CLOCK_MAPPED, -5 * CHECK_S);
  end (consumer, producer);
}

/* So a reader of a record cannot find the pair before. */
static void
pair_before_records (void)
{
  DatahubProducer *producer = producer_ahead (0);
  Intrusion ctl = intrude (".ctl");
  const BlockHeader *header = (const BlockHeader *) ctl.bytes;
  commit_now (producer, 0, 0);
  uint64_t head = header->head, turn = header->clock_turn;
  passed += 2 * CHECK_S;
  head_at_reading = UINT64_MAX;
  watched = header;
  commit_now (producer, 0, 1);
  watched = NULL;
  CHECK_INT (header->clock_turn, ==, turn + 1);
  CHECK_INT (head_at_reading, ==, head);
  CHECK_INT (header->head, ==, head + 1);
  intrusion_end (&ctl);
  datahub_producer_close (producer);
}

/* ---- CLOCK_REALTIME is set ---- */

static const int64_t steps[] = { HOUR, -HOUR, FAR * 1000, -FAR };

/* The pair is from before the step, and the next one from behind it. */
static void
step_before_attach (void)
{
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    DatahubProducer *producer = producer_ahead (0);
    DatahubConsumer *consumer;
    int64_t instant;
    stepped += steps[i];
    consumer = attach (60 * CHECK_S);
    check_clock_of (consumer, DATAHUB_CLOCK_SAME, 0);
    passed += 2 * CHECK_S;
    instant = commit_now (producer, 0, 0);
    CHECK_INT (moved_by (consumer, instant), ==, 0);
    check_clock_of (consumer, DATAHUB_CLOCK_SAME, 0);
    end (consumer, producer);
  }
}

/* Between a new pair and the look of the consumer. */
static void
step_behind_a_pair (int64_t far)
{
  DatahubClockState state = far ? DATAHUB_CLOCK_MAPPED : DATAHUB_CLOCK_SAME;
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    DatahubProducer *producer = producer_ahead (far);
    DatahubConsumer *consumer = attach (0);
    int64_t instant;
    for (uint64_t k = 0; k < 3; k++) {
      passed += 2 * CHECK_S;
      instant = commit_now (producer, far, k);
      if (k == 1)
        stepped += steps[i];
      check_about (moved_by (consumer, instant), -far);
      check_clock_of (consumer, state, -far);
    }
    end (consumer, producer);
  }
}

static void
step_of_one_clock (void)
{
  step_behind_a_pair (0);
}

static void
step_of_two_clocks (void)
{
  step_behind_a_pair (FAR);
  step_behind_a_pair (-FAR / 10);
}

/* The consumer comes back late: the newest pair is of its past, as before. */
static void
consumer_is_late (void)
{
  DatahubProducer *producer = producer_ahead (5 * CHECK_S);
  DatahubConsumer *consumer = attach (0);
  int64_t instant;
  passed += 2 * CHECK_S;
  instant = commit_now (producer, 5 * CHECK_S, 0);
  passed += 60 * CHECK_S;
  check_about (moved_by (consumer, instant), -5 * CHECK_S);
  check_clock_of (consumer, DATAHUB_CLOCK_MAPPED, -5 * CHECK_S);
  end (consumer, producer);
}

/* ---- signs of life ---- */

/* As the consumer, the producer and a third process see them. */
static void
heartbeats_are_mapped (void)
{
  for (size_t i = 0; i < N_DISTANCES; i++) {
    int64_t far = distances[i], offset;
    DatahubProducer *producer = producer_ahead (far);
    DatahubConsumer *consumer = attach (0);
    const int64_t views[] = { 0, far, -HOUR };
    commit_now (producer, far, 0);
    use_clock (0);
    datahub_consumer_beat (consumer);
    for (size_t v = 0; v < 3; v++) {
      DatahubConsumerInfo info;
      DatahubBlockInfo block;
      DatahubClockState state;
      uint32_t n;
      use_clock (views[v]);
      CHECK_OK (datahub_block_inspect_consumers ("cam0", &info, 1, &n, &err));
      CHECK_INT (n, ==, 1);
      check_not_silent (&info);
      CHECK_OK (datahub_block_inspect ("cam0", &block, &err));
      CHECK_INT (block.silent_ns, <, 60 * CHECK_S);
      CHECK_INT (block.heartbeat_ns, <=, now_ns ());
      CHECK_OK (datahub_block_inspect_clock ("cam0", &state, &offset, &err));
      CHECK_INT (state, ==, v == 1 ? DATAHUB_CLOCK_SAME : DATAHUB_CLOCK_MAPPED);
      check_about (offset, views[v] - far);
    }
    end (consumer, producer);
  }
}

/* The other direction of each: what is silent is seen to be. */
static void
silence_is_mapped (void)
{
  DatahubProducer *producer = producer_ahead (FAR);
  DatahubConsumer *consumer = attach (0);
  DatahubConsumerInfo info;
  DatahubBlockInfo block;
  uint32_t n;
  commit_now (producer, FAR, 0);
  use_clock (0);
  passed += HOUR;
  CHECK_OK (datahub_block_inspect_consumers ("cam0", &info, 1, &n, &err));
  CHECK (info.stalled);
  check_about ((int64_t) info.silent_ns / 1000, HOUR / 1000);
  CHECK_OK (datahub_block_inspect ("cam0", &block, &err));
  CHECK_INT (block.silent_ns, >=, HOUR);
  CHECK_INT (block.silent_ns, <, HOUR + 60 * CHECK_S);
  end (consumer, producer);
}

static void
ages_of_a_diagnosis (void)
{
  for (size_t i = 0; i < N_DISTANCES; i++) {
    DatahubProducer *producer = producer_ahead (distances[i]);
    DatahubConsumer *consumer = attach (0);
    DatahubDiagnosis *diagnosis;
    commit_now (producer, distances[i], 0);
    use_clock (0);
    CHECK_OK (datahub_block_diagnose ("cam0", NULL, NULL, NULL, &diagnosis,
        &err));
    CHECK_INT (diagnosis->silent_ns, >=, 0);
    CHECK_INT (diagnosis->silent_ns, <, 60 * CHECK_S);
    CHECK_INT (diagnosis->idle_ns, >=, 0);
    CHECK_INT (diagnosis->idle_ns, <, 60 * CHECK_S);
    CHECK_INT (diagnosis->rows[0].waiting_ns, >=, 0);
    CHECK_INT (diagnosis->rows[0].waiting_ns, <, 60 * CHECK_S);
    for (uint32_t r = 0; r < diagnosis->n_records; r++)
      if (diagnosis->records[r].state == DATAHUB_RECORD_STATE_RING) {
        CHECK_INT (diagnosis->records[r].age_ns, >=, 0);
        CHECK_INT (diagnosis->records[r].age_ns, <, 60 * CHECK_S);
      }
    datahub_diagnosis_free (diagnosis);
    end (consumer, producer);
  }
}

static const CheckTest tests[] = {
  { "one clock: nothing is moved", same_clock },
  { "another clock: records have the reader's times", records_are_mapped },
  { "a record without an instant gets none", no_instant },
  { "max-age and the latency work across clocks", age_is_mapped },
  { "the first record after a long silence has the right time", idle_for_long },
  { "a pair is taken before the records that need it", pair_before_records },
  { "a real-time clock that was set is no other clock", step_before_attach },
  { "nor if it is set while a consumer reads", step_of_one_clock },
  { "a clock that was set does not change what is mapped", step_of_two_clocks },
  { "a late consumer keeps what it knew", consumer_is_late },
  { "signs of life are understood across clocks", heartbeats_are_mapped },
  { "so is silence", silence_is_mapped },
  { "so are the ages of a diagnosis", ages_of_a_diagnosis },
};
CHECK_MAIN (tests)
