/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the sweep in which the victim is a producer. This process holds the
 * consumers: a live and a reliable one that read all the time, and where the
 * part needs it one that does not. */
#include "sweep-parts.h"

#include "lib/core/census.h"

#include <unistd.h>

#define OTHER_CHANNEL "other"
#define EPOCH_BEFORE (EPOCH + 6) /* of a predecessor that died */
#define N_BEFORE 9
/* Nobody is let in but by the producer. */
static bool
is_strict (const Stage *stage)
{
  return (stage->scenario->epoch & TRAFFIC_STRICT) != 0;
}

static bool
is_end (DatahubResult result)
{
  return result == DATAHUB_CLOSED || result == DATAHUB_PRODUCER_LOST;
}

/* All that was committed came or is counted as lost; nothing else came. */
static void
drain (const Stage *stage, TrafficReader *reader)
{
  const Board *board = stage->board;
  if (!reader->consumer)
    return;
  DatahubResult result = stage_read_all (reader);
  if (result == DATAHUB_EVICTED) {
    CHECK (stage->scenario->part == producer_evicts);
    MUST (datahub_consumer_rejoin (reader->consumer, &stage_error));
    reader->reliable = false;
    result = stage_read_all (reader);
  }
  if (!is_end (result))
    check_fail (__FILE__, __LINE__, "the end is %s (%s)",
        datahub_result_name (result), stage_error.message);
  CHECK_INT (reader->next, <=, atomic_load (&board->attempted));
  if (reader->reliable || !atomic_load (&board->flushed))
    CHECK_INT (reader->next, >=, atomic_load (&board->committed));
}

static void
drain_all (Stage *stage)
{
  drain (stage, &stage->live);
  drain (stage, &stage->reliable);
  drain (stage, &stage->idle);
}

/* Scenery. */

static void
idle_consumer (CheckParent *parent)
{
  Random random = { 3 };
  TrafficReader reader;
  if (stage_attach (&reader, true, &random))
    while (reader.n_held < 3 && traffic_read (&reader, CHECK_S) == DATAHUB_OK)
      ;
  check_ready (parent);
  check_until_killed (parent);
}

static void
kill_a_consumer (void)
{
  CheckChild child = check_fork (idle_consumer, NULL);
  check_hear (child.from);
  check_kill (&child);
}

/* A block of somebody who will die. */
static void
predecessor (CheckParent *parent)
{
  const char *channel = parent->data;
  uint64_t epoch = EPOCH_BEFORE | TRAFFIC_GROWING;
  DatahubProducerOptions options = stage_options (epoch);
  DatahubProducer *producer = NULL;
  MUST (datahub_producer_create (channel, &options, &producer, &stage_error));
  MUST (traffic_send_caps (producer, epoch, 0, &stage_error));
  MUST (datahub_producer_publish (producer, &stage_error));
  check_ready (parent);
  check_hear (parent->in);
  for (uint32_t i = 0; i < N_BEFORE; i++)
    MUST (traffic_send (producer, epoch, i, 1, DATAHUB_FOREVER, &stage_error));
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

static CheckChild
start_predecessor (const char *channel)
{
  CheckChild child = check_fork_ready (predecessor, channel);
  return child;
}

static void
let_it_commit_and_die (CheckChild *child)
{
  check_tell (child->to, 1);
  CHECK_HEAR (child->from, 2);
  check_kill (child);
}

/* A dead block with consumers that stay, and one that died. */
static void
prepare_orphans (Stage *stage)
{
  CheckChild child = check_fork_ready (producer_dies_half_way, stage);
  CHECK (stage_attach (&stage->live, false, &stage->random));
  CHECK (stage_attach (&stage->reliable, true, &stage->random));
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  kill_a_consumer ();
  MUST_BE (stage_read_all (&stage->live), DATAHUB_TIMEOUT);
  MUST_BE (stage_read_all (&stage->reliable), DATAHUB_TIMEOUT);
  check_tell (child.to, 1);
  stage_wait_for_death (&child);
  atomic_store (&stage->board->published, 1);
  drain_all (stage);
}

static void
prepare_nothing (Stage *stage)
{
  (void) stage;
}

/* Two dead blocks: one that nobody has, one that a consumer still reads, which
 * has (or not) seen all of its pools. */
static void
prepare_dead (Stage *stage, bool lagging)
{
  CheckChild child = start_predecessor (OTHER_CHANNEL);
  let_it_commit_and_die (&child);
  child = start_predecessor (CHANNEL);
  CHECK (stage_attach (&stage->idle, false, &stage->random));
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  if (!lagging)
    MUST_BE (stage_read_all (&stage->idle), DATAHUB_TIMEOUT);
  check_kill (&child);
}

static void
prepare_dead_block (Stage *stage)
{
  prepare_dead (stage, false);
}

static void
prepare_lagging_reader (Stage *stage)
{
  prepare_dead (stage, true);
}

/* While the victim runs. */

/* Consumers that have nothing to do look this often whether it says a word. */
#define PAUSE_NS (200 * 1000)

/* The live one sleeps now and then, so that there is somebody to wake. */
static void
consumers_read (Stage *stage)
{
  DatahubResult result = DATAHUB_CLOSED;
  if (stage->all_pause) {
    stage_await_word (stage, PAUSE_NS);
    return;
  }
  if (stage->reliable.consumer && !stage->reliable_pauses)
    stage_read_all (&stage->reliable);
  if (stage->live.consumer)
    result = traffic_read (&stage->live, CHECK_MS);
  CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT || is_end (result));
  traffic_release_all (&stage->live);
  if (is_end (result))
    stage_await_word (stage, PAUSE_NS);
}

static void
read_on_while (Stage *stage, void (*what) (void))
{
  stage_read_all (&stage->reliable);
  what ();
}

static void
let_consumers_in (Stage *stage)
{
  bool idles =
      stage->scenario->part == producer_evicts || stage->scenario->is_slow;
  if (stage->live.consumer)
    return;
  bool came = stage_attach (&stage->live, false, &stage->random)
      && stage_attach (idles ? &stage->idle : &stage->reliable, true,
          &stage->random);
  CHECK (came || is_strict (stage));
  if (stage->role == SECOND_CONSUMER)
    stage_start_second (stage, consumer_is_reliable);
}

static void
answer (Stage *stage, Victim *victim, uint64_t word)
{
  if (word == PUBLISHED && victim == &stage->victim)
    let_consumers_in (stage);
  if (word == PAUSE || word == GO_ON)
    stage->reliable_pauses = word == PAUSE;
  if (word == CATCH_UP)
    MUST_BE (stage_read_all (&stage->reliable), DATAHUB_TIMEOUT);
  if (word == DEAD_CONSUMER)
    read_on_while (stage, kill_a_consumer);
  stage_answer (victim);
}

/* What is left of a producer. */

static void
check_locks_are_had (const TrafficReader *reader, int64_t timeout_ns)
{
  DatahubSpinlock *lock;
  if (!reader->consumer)
    return;
  for (uint32_t i = 0; i < 2; i++) {
    MUST (datahub_consumer_open_spinlock (reader->consumer, i, &lock,
        &stage_error));
    DatahubResult result = datahub_spinlock_lock (lock, timeout_ns);
    /* The one who has it may only stand still. */
    if (timeout_ns > 0 || result != DATAHUB_TIMEOUT) {
      CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
      MUST (datahub_spinlock_unlock (lock));
    }
    datahub_spinlock_close (lock);
  }
}

static void
check_names_of_locks (const Stage *stage)
{
  static const char *const names[] = { "one", "two", "three" };
  DatahubSpinlock *lock;
  if (!stage->live.consumer || atomic_load (&stage->board->closing))
    return;
  for (uint32_t i = 0; i < 3; i++) {
    DatahubResult result =
        datahub_consumer_open_named_spinlock (stage->live.consumer, names[i],
            &lock, &stage_error);
    CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
    datahub_spinlock_close (lock);
  }
}

static void
check_zone (const Stage *stage)
{
  uint8_t bytes[ZONE_SIZE];
  uint64_t version, written = atomic_load (&stage->board->zone);
  if (!stage->live.consumer)
    return;
  MUST (datahub_consumer_read_zone (stage->live.consumer, 0, bytes,
      sizeof bytes, &version, &stage_error));
  CHECK_INT (version, >=, written);
  CHECK_INT (version, <=, written + 1);
  for (uint32_t i = 0; i < sizeof bytes; i++)
    CHECK_INT (bytes[i], ==, (uint8_t) version);
}

/* Somebody who comes after the death finds what was committed. */
static void
come_late (Stage *stage)
{
  TrafficReader reader;
  bool must = atomic_load (&stage->board->published)
      && !atomic_load (&stage->board->closing) && !is_strict (stage);
  /* A reliable one would begin behind what the dead had claimed to retire. */
  if (!stage_attach (&reader, false, &stage->random)) {
    CHECK (!must);
    return;
  }
  drain (stage, &reader);
  stage_detach (&reader);
}

static void
read_on (TrafficReader *reader)
{
  if (reader->consumer)
    MUST_BE (stage_read_all (reader), DATAHUB_TIMEOUT);
}

/* Consumers stay where they are: nothing is missing between the two. */
static void
go_on_with_the_block (Stage *stage, DatahubProducer *producer)
{
  TrafficReader newcomer;
  take_up_numbers (stage->board, producer);
  for (uint32_t i = 0; i < 20; i++) {
    MUST (stage_commit (stage->board, producer, stage->scenario->epoch, 1,
        10 * CHECK_S));
    read_on (&stage->live);
    read_on (&stage->reliable);
    read_on (&stage->idle);
  }
  CHECK (stage_attach (&newcomer, true, &stage->random));
  read_on (&newcomer);
  CHECK_INT (newcomer.next, ==, atomic_load (&stage->board->committed));
  stage_detach (&newcomer);
  census_check (producer, 0);
  datahub_producer_close (producer);
}

/* Half of the dead are adopted where they can be. */
static bool
succeed_by_adoption (Stage *stage)
{
  DatahubProducerOptions options = stage_options (stage->scenario->epoch);
  DatahubProducer *producer = NULL;
  DatahubProducerStats stats;
  bool dead_with_name = atomic_load (&stage->board->published)
      && !atomic_load (&stage->board->closing) && !options.strict;
  options.adopt = true;
  options.block_timeout_ns = BLOCK_TIMEOUT_NS;
  MUST (datahub_producer_create (CHANNEL, &options, &producer, &stage_error));
  datahub_producer_get_stats (producer, &stats);
  CHECK (stats.adopted || !dead_with_name);
  if (stats.adopted) {
    MUST (datahub_producer_publish (producer, &stage_error));
    go_on_with_the_block (stage, producer);
  } else
    datahub_producer_close (producer);
  return stats.adopted;
}

/* The name is free, and a new block under it is whole. */
static void
succeed (Stage *stage)
{
  TrafficReader live, reliable;
  uint64_t epoch = stage->scenario->epoch + 1;
  const StepTrap *trap = &stage->victim.trap;
  /* After an heir with numbers of its own it may be either's block. */
  if ((trap->step + trap->arrival) % 2 == 0 && stage->role != SECOND_HEIR)
    succeed_by_adoption (stage);
  DatahubProducer *producer = stage_new_producer (epoch);
  CHECK (stage_attach (&live, false, &stage->random));
  CHECK (stage_attach (&reliable, true, &stage->random));
  for (uint32_t i = 0; i < 20; i++) {
    MUST (traffic_send (producer, epoch, i, 1, 10 * CHECK_S, &stage_error));
    MUST_BE (stage_read_all (&live), DATAHUB_TIMEOUT);
    MUST_BE (stage_read_all (&reliable), DATAHUB_TIMEOUT);
  }
  CHECK_INT (live.received, ==, 20);
  CHECK_INT (reliable.received, ==, 20);
  census_check (producer, 0);
  stage_detach (&live);
  stage_detach (&reliable);
  census_check_all_back (producer, 0);
  datahub_producer_close (producer);
}

static void
check_what_is_left (Stage *stage)
{
  check_locks_are_had (&stage->live, 10 * CHECK_S);
  check_names_of_locks (stage);
  check_zone (stage);
  drain_all (stage);
  come_late (stage);
}

/* The name's next owner dies too; what it committed is there, like its
 * predecessor's. */
static void
let_an_heir_die (Stage *stage)
{
  Board *board = stage->board;
  if (stage->role == SECOND_HEIR) {
    atomic_store (&board->attempted, 0);
    atomic_store (&board->committed, 0);
    atomic_store (&board->published, 0);
    atomic_store (&board->closing, 0);
    atomic_store (&board->is_new, 1);
  }
  stage_start_second (stage,
      stage->role == SECOND_HEIR ? producer_begins : producer_adopts);
  /* One that lives may close before they have looked again. */
  stage->all_pause = stage->second.trap.arrival == 0;
  stage_attend (stage, &stage->second);
  if (!atomic_load (&board->is_new))
    drain_all (stage);
  /* Before that the name may still be the first one's. */
  if (atomic_load (&board->published))
    come_late (stage);
  /* The last to leave a dead block removes it. */
  if (atomic_load (&board->is_new))
    atomic_store (&board->published, 0);
}

static void
after_producer (Stage *stage)
{
  stage_attend (stage, &stage->second);
  check_what_is_left (stage);
  if (stage->role >= SECOND_HEIR)
    let_an_heir_die (stage);
  succeed (stage);
  stage_detach (&stage->live);
  stage_detach (&stage->reliable);
  stage_detach (&stage->idle);
}

/* Of the predecessor all is read, whatever became of its name. */
static void
after_takeover (Stage *stage)
{
  DatahubResult result = stage_read_all (&stage->idle);
  CHECK (is_end (result));
  CHECK_INT (stage->idle.next, ==, N_BEFORE);
  CHECK_INT (stage->idle.received + stage->idle.lost, ==, N_BEFORE);
  stage_detach (&stage->idle);
  after_producer (stage);
}

/* Another candidate: refused, or the name is its own for a while. */
static void
try_the_name (const Stage *stage)
{
  DatahubProducerOptions options = stage_options (EPOCH);
  DatahubProducer *producer = NULL;
  bool taken = atomic_load (&stage->board->published)
      && !atomic_load (&stage->board->closing);
  MUST (datahub_producer_create (CHANNEL, &options, &producer, &stage_error));
  DatahubResult result = datahub_producer_publish (producer, &stage_error);
  CHECK (result == DATAHUB_ERROR_BUSY || (result == DATAHUB_OK && !taken));
  datahub_producer_close (producer);
}

static void
wait_beside (const Stage *stage, TrafficReader *reader)
{
  if (!reader->consumer)
    return;
  bool orphaned = reader->orphaned;
  DatahubResult result = stage_read_all (reader);
  CHECK (result == DATAHUB_TIMEOUT
      || (orphaned && result == DATAHUB_PRODUCER_LOST)
      || (atomic_load (&stage->board->closing) && result == DATAHUB_CLOSED));
}

/* A producer that stands still is alive: nobody gives it up. */
static void
beside_producer (Stage *stage)
{
  TrafficReader late;
  wait_beside (stage, &stage->live);
  if (!stage->reliable_pauses)
    wait_beside (stage, &stage->reliable);
  check_locks_are_had (&stage->live, 0);
  if (atomic_load (&stage->board->published)
      && !atomic_load (&stage->board->closing) && !is_strict (stage)) {
    CHECK (stage_attach (&late, false, &stage->random));
    MUST_BE (stage_read_all (&late), DATAHUB_TIMEOUT);
    stage_detach (&late);
  }
}

static void
beside_candidate (Stage *stage)
{
  beside_producer (stage);
  try_the_name (stage);
}

static const Scenario producer_dies = { .epoch = EPOCH,
  .prepare = prepare_nothing,
  .go_on = consumers_read,
  .hear = answer,
  .beside = beside_producer,
  .after = after_producer };

const Scenario producer_scenarios[] = {
  { .like = &producer_dies,
      .name = "a producer begins",
      .part = producer_begins,
      .beside = beside_candidate },
  { .like = &producer_dies,
      .name = "a producer takes a dead one's name",
      .part = producer_begins,
      .prepare = prepare_dead_block,
      .beside = beside_candidate,
      .after = after_takeover },
  { .like = &producer_dies,
      .name = "a producer takes the name of a block in use",
      .part = producer_begins,
      .prepare = prepare_lagging_reader,
      .beside = beside_candidate,
      .after = after_takeover },
  { .like = &producer_dies,
      .name = "a producer adopts a block",
      .part = producer_adopts,
      .prepare = prepare_orphans,
      .beside = beside_candidate,
      .has_heir = true },
  { .like = &producer_dies,
      .name = "a producer commits",
      .part = producer_commits,
      .has_consumer = true,
      .has_heir = true },
  { .like = &producer_dies,
      .name = "a producer packs and commits",
      .part = producer_commits,
      .epoch = EPOCH + 1 },
  { .like = &producer_dies,
      .name = "a producer flushes",
      .part = producer_flushes,
      .has_consumer = true,
      .has_heir = true },
  { .like = &producer_dies,
      .name = "a producer waits for room",
      .part = producer_waits_for_room,
      .has_consumer = true,
      .has_heir = true },
  { .like = &producer_dies,
      .name = "a producer evicts",
      .part = producer_evicts },
  { .like = &producer_dies,
      .name = "a producer cleans after the dead",
      .part = producer_cleans_after_the_dead },
  { .like = &producer_dies,
      .name = "a producer grows",
      .part = producer_grows,
      .epoch = EPOCH | TRAFFIC_GROWING,
      .has_consumer = true,
      .has_heir = true },
  { .like = &producer_dies,
      .name = "a producer gives buffers up",
      .part = producer_gives_up,
      .epoch = (EPOCH + 1) | TRAFFIC_DROPPABLE,
      .has_consumer = true,
      .has_heir = true },
  { .like = &producer_dies,
      .name = "a producer has user locks",
      .part = producer_has_user_locks },
  { .like = &producer_dies,
      .name = "a producer closes",
      .part = producer_closes,
      .epoch = EPOCH | TRAFFIC_GROWING,
      .beside = beside_candidate,
      .has_consumer = true,
      .has_heir = true },
  { .like = &producer_dies,
      .name = "a strict producer begins",
      .part = producer_begins,
      .epoch = EPOCH | TRAFFIC_STRICT,
      .beside = beside_candidate },
  { .like = &producer_dies,
      .name = "a strict producer grows",
      .part = producer_grows,
      .epoch = EPOCH | TRAFFIC_GROWING | TRAFFIC_STRICT },
  { .like = &producer_dies,
      .name = "a strict producer cleans after the dead",
      .part = producer_cleans_after_the_dead,
      .epoch = EPOCH | TRAFFIC_STRICT },
  { .like = &producer_dies,
      .name = "a strict producer closes",
      .part = producer_closes,
      .epoch = EPOCH | TRAFFIC_GROWING | TRAFFIC_STRICT,
      .beside = beside_candidate },
  { .like = &producer_dies,
      .name = "a producer closes beside a laggard",
      .part = producer_closes,
      .epoch = EPOCH | TRAFFIC_GROWING,
      .is_slow = true },
};
const uint32_t n_producer_scenarios =
    sizeof producer_scenarios / sizeof producer_scenarios[0];
