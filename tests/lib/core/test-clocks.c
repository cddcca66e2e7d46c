/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producers and consumers with two CLOCK_MONOTONIC, as in two time namespaces,
 * and a CLOCK_REALTIME that is set. The program has a clock_gettime() of its own, so
 * one process can be both sides and no privilege is needed: a call is made with the
 * clocks that are in force then. Threads of the library have those of the producer. */
#include "findings.h"
#include "life.h"

#include "core/block/clock-private.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HOUR (3600 * CHECK_S)
#define FAR (100000 * CHECK_S)

static int64_t
    shifts[2]; /* of the threads of the library, of the main thread */
static int64_t stepped; /* CLOCK_REALTIME was set */
static int64_t passed; /* time */
static _Thread_local int is_main;

/* What the producer shows at the moment that it reads CLOCK_REALTIME. */
static const BlockHeader *watched;
static uint64_t head_at_reading;

int
clock_gettime (clockid_t id, struct timespec *ts)
{
  int result = (int) syscall (SYS_clock_gettime, id, ts);
  int64_t ns = (int64_t) ts->tv_sec * CHECK_S + ts->tv_nsec;
  if (id == CLOCK_REALTIME) {
    ns += passed + stepped;
    if (watched)
      head_at_reading = watched->head;
  } else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
    ns += passed + shifts[is_main];
  ts->tv_sec = ns / CHECK_S;
  ts->tv_nsec = ns % CHECK_S;
  return result;
}

/* From here on this thread's clock is @shift ahead. */
static void
use_clock (int64_t shift)
{
  is_main = 1;
  shifts[1] = shift;
}

static int64_t
now_ns (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (int64_t) ts.tv_sec * CHECK_S + ts.tv_nsec;
}

/* A producer with a clock that is @shift ahead; its calls need use_clock(). */
static DatahubProducer *
producer_ahead (int64_t shift)
{
  shifts[0] = shift;
  use_clock (shift);
  return producer_new ("cam0", NULL);
}

/* Buffer @seed, with the instant of now in the producer's clock. */
static int64_t
commit_now (DatahubProducer *producer, int64_t shift, uint64_t seed)
{
  DatahubSlot slot;
  use_clock (shift);
  fill_slot (producer, seed, 1000, &slot);
  DatahubCommit record = buffer_record (&slot, seed, 1000);
  record.instant_ns = now_ns ();
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  return record.instant_ns;
}

static DatahubConsumer *
attach (int64_t max_age_ns)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  use_clock (0);
  datahub_consumer_options_init (&options);
  options.start = DATAHUB_START_OLDEST;
  options.max_age_ns = max_age_ns;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  return consumer;
}

/* Within the noise of readings. */
static void
check_about (int64_t value, int64_t wanted)
{
  CHECK_INT (value, >, wanted - 10 * CHECK_MS);
  CHECK_INT (value, <, wanted + 10 * CHECK_MS);
}

static void
check_clock_of (DatahubConsumer *consumer, DatahubClockState state,
    int64_t offset)
{
  int64_t found;
  CHECK_INT (datahub_consumer_get_clock (consumer, &found), ==, state);
  if (offset)
    check_about (found, offset);
  else
    CHECK_INT (found, ==, 0);
}

/* Reads a buffer and returns by how much its instant was moved. */
static int64_t
moved_by (DatahubConsumer *consumer, int64_t instant)
{
  DatahubView view;
  use_clock (0);
  view = read_record (consumer);
  datahub_consumer_end_read (consumer, &view);
  /* the instant was read before the commit */
  CHECK_INT ((int64_t) view.commit_ns - view.instant_ns, >=, 0);
  CHECK_INT ((int64_t) view.commit_ns - view.instant_ns, <, HOUR);
  return view.instant_ns - instant;
}

static void
end (DatahubConsumer *consumer, DatahubProducer *producer)
{
  use_clock (0);
  datahub_consumer_close (consumer);
  use_clock (shifts[0]);
  datahub_producer_close (producer);
}

/* ---- records ---- */

static const int64_t distances[] = { FAR, -FAR / 10, 5 * CHECK_S,
  -5 * CHECK_S };

static void
records_are_mapped (void)
{
  for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
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
  for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
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

static void
check_not_silent (const DatahubConsumerInfo *info)
{
  CHECK_INT (info->silent_ns, <, 60 * CHECK_S);
  CHECK (!info->stalled);
  CHECK_INT (info->heartbeat_ns, <=, now_ns ());
  CHECK_INT (info->heartbeat_ns, >, now_ns () - 60 * CHECK_S);
}

/* As the consumer, the producer and a third process see them. */
static void
heartbeats_are_mapped (void)
{
  for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
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
  for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
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
  if (is_strict_run ())
    check_skip ("a strict block ends with its producer");
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

/* The adopter's own view: rows are in its clock. */
static void
adopter_is_itself (void)
{
  Life life = small_life (0, 2);
  DatahubProducer *producer;
  DatahubConsumerInfo info;
  DatahubConsumer *consumer;
  if (is_strict_run ())
    check_skip ("a strict block ends with its producer");
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

/* A row's heartbeat and the instant of a record are claims, too. */
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
    datahub_consumer_end_read (consumer, &view);
  }
  intrusion_end (&ctl);
  end (consumer, producer);
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
  { "an adopter with another clock is mapped, its predecessor is not",
      adopter_is_elsewhere },
  { "an adopter takes no clock but its own", adopter_is_itself },
  { "impossible clocks move nothing", hostile_pairs },
  { "impossible times are passed on as they are", hostile_times },
};
CHECK_MAIN (tests)
