/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the sweep in which the victim is a producer. This process holds the
 * consumers: a live and a reliable one that read all the time, and where the
 * part needs it one that does not. */
#include "sweep-parts.h"

#include "lib/core/account.h"

#include <unistd.h>

#define OTHER_CHANNEL "other"
#define EPOCH_BEFORE (EPOCH + 6) /* of a predecessor that died */
#define N_BEFORE 9
/* Nobody is let in but by the producer. */
static bool
is_strict (const ScenarioRun *run)
{
  return (run->scenario->epoch & RECORDS_STRICT) != 0;
}

static bool
is_end (DatahubResult result)
{
  return result == DATAHUB_CLOSED || result == DATAHUB_PRODUCER_LOST;
}

/* All that was committed came or is counted as lost; nothing else came. */
static void
drain (const ScenarioRun *run, RecordReader *reader)
{
  const Board *board = run->board;
  if (!reader->consumer)
    return;
  DatahubResult result = scenario_read_all (reader);
  if (result == DATAHUB_EVICTED) {
    CHECK (run->scenario->part == producer_evicts);
    MUST (datahub_consumer_rejoin (reader->consumer, &scenario_error));
    reader->reliable = false;
    result = scenario_read_all (reader);
  }
  if (!is_end (result))
    check_fail (__FILE__, __LINE__, "the end is %s (%s)",
        datahub_result_name (result), scenario_error.message);
  CHECK_INT (reader->next, <=, atomic_load (&board->attempted));
  if (reader->reliable || !atomic_load (&board->flushed))
    CHECK_INT (reader->next, >=, atomic_load (&board->committed));
}

static void
drain_all (ScenarioRun *run)
{
  drain (run, &run->live);
  drain (run, &run->reliable);
  drain (run, &run->idle);
}

/* Scenery. */

static void
idle_consumer (CheckParent *parent)
{
  Random random = { 3 };
  RecordReader reader;
  if (scenario_attach (&reader, true, &random))
    while (reader.n_held < 3
        && random_records_read (&reader, CHECK_S) == DATAHUB_OK)
      ;
  check_ready (parent);
  check_until_killed (parent);
}

static void
kill_a_consumer (void)
{
  CheckChild child = check_fork_ready (idle_consumer, NULL);
  check_kill (&child);
}

/* A block of somebody who will die. */
static void
predecessor (CheckParent *parent)
{
  const char *channel = parent->data;
  uint64_t epoch = EPOCH_BEFORE | RECORDS_GROWING;
  DatahubProducerOptions options = scenario_options (epoch);
  DatahubProducer *producer = NULL;
  MUST (datahub_producer_create (channel, &options, &producer,
      &scenario_error));
  MUST (random_records_send_caps (producer, epoch, 0, &scenario_error));
  MUST (datahub_producer_publish (producer, &scenario_error));
  check_ready (parent);
  check_hear (parent->in);
  for (uint32_t i = 0; i < N_BEFORE; i++)
    MUST (random_records_send (producer, epoch, i, 1, DATAHUB_FOREVER,
        &scenario_error));
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

static CheckChild
start_predecessor (const char *channel)
{
  return check_fork_ready (predecessor, channel);
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
prepare_orphans (ScenarioRun *run)
{
  CheckChild child = check_fork_ready (producer_dies_half_way, run);
  CHECK (scenario_attach (&run->live, false, &run->random));
  CHECK (scenario_attach (&run->reliable, true, &run->random));
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  kill_a_consumer ();
  MUST_BE (scenario_read_all (&run->live), DATAHUB_TIMEOUT);
  MUST_BE (scenario_read_all (&run->reliable), DATAHUB_TIMEOUT);
  check_tell (child.to, 1);
  scenario_wait_for_death (&child);
  atomic_store (&run->board->published, 1);
  drain_all (run);
}

static void
prepare_nothing (ScenarioRun *run)
{
  (void) run;
}

/* Two dead blocks: one that nobody has, one that a consumer still reads, which
 * has (or not) seen all of its pools. */
static void
prepare_dead (ScenarioRun *run, bool lagging)
{
  CheckChild child = start_predecessor (OTHER_CHANNEL);
  let_it_commit_and_die (&child);
  child = start_predecessor (CHANNEL);
  CHECK (scenario_attach (&run->idle, false, &run->random));
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  if (!lagging)
    MUST_BE (scenario_read_all (&run->idle), DATAHUB_TIMEOUT);
  check_kill (&child);
}

static void
prepare_dead_block (ScenarioRun *run)
{
  prepare_dead (run, false);
}

static void
prepare_lagging_reader (ScenarioRun *run)
{
  prepare_dead (run, true);
}

/* While the victim runs. */

/* Consumers that have nothing to do look this often whether it says a word. */
#define PAUSE_NS (200 * 1000)

/* The live one sleeps now and then, so that there is somebody to wake. */
static void
consumers_read (ScenarioRun *run)
{
  DatahubResult result = DATAHUB_CLOSED;
  if (run->all_pause) {
    scenario_await_word (run, PAUSE_NS);
    return;
  }
  if (run->reliable.consumer && !run->reliable_pauses)
    scenario_read_all (&run->reliable);
  if (run->live.consumer)
    result = random_records_read (&run->live, CHECK_MS);
  CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT || is_end (result));
  random_records_release_all (&run->live);
  if (is_end (result))
    scenario_await_word (run, PAUSE_NS);
}

static void
read_on_while (ScenarioRun *run, void (*what) (void))
{
  scenario_read_all (&run->reliable);
  what ();
}

static void
let_consumers_in (ScenarioRun *run)
{
  bool idles = run->scenario->part == producer_evicts || run->scenario->is_slow;
  if (run->live.consumer)
    return;
  bool came = scenario_attach (&run->live, false, &run->random)
      && scenario_attach (idles ? &run->idle : &run->reliable, true,
          &run->random);
  CHECK (came || is_strict (run));
  if (run->role == SECOND_CONSUMER)
    scenario_start_second (run, consumer_is_reliable);
}

static void
answer (ScenarioRun *run, Victim *victim, uint64_t word)
{
  if (word == PUBLISHED && victim == &run->victim)
    let_consumers_in (run);
  if (word == PAUSE || word == GO_ON)
    run->reliable_pauses = word == PAUSE;
  if (word == CATCH_UP)
    MUST_BE (scenario_read_all (&run->reliable), DATAHUB_TIMEOUT);
  if (word == DEAD_CONSUMER)
    read_on_while (run, kill_a_consumer);
  if (word == POST)
    mail_post_next (run);
  scenario_answer (victim);
}

/* What is left of a producer. */

static void
check_locks_are_had (const RecordReader *reader, int64_t timeout_ns)
{
  DatahubSpinlock *lock;
  if (!reader->consumer)
    return;
  for (uint32_t i = 0; i < 2; i++) {
    MUST (datahub_consumer_open_spinlock (reader->consumer, i, &lock,
        &scenario_error));
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
check_names_of_locks (const ScenarioRun *run)
{
  static const char *const names[] = { "one", "two", "three" };
  DatahubSpinlock *lock;
  if (!run->live.consumer || atomic_load (&run->board->closing))
    return;
  for (uint32_t i = 0; i < 3; i++) {
    DatahubResult result =
        datahub_consumer_open_named_spinlock (run->live.consumer, names[i],
            &lock, &scenario_error);
    CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
    datahub_spinlock_close (lock);
  }
}

/* Somebody who comes after the death finds what was committed. */
static void
come_late (ScenarioRun *run)
{
  RecordReader reader;
  bool must = atomic_load (&run->board->published)
      && !atomic_load (&run->board->closing) && !is_strict (run);
  /* A reliable one would begin behind what the dead had claimed to retire. */
  if (!scenario_attach (&reader, false, &run->random)) {
    CHECK (!must);
    return;
  }
  drain (run, &reader);
  scenario_detach (&reader);
}

static void
read_on (RecordReader *reader)
{
  if (reader->consumer)
    MUST_BE (scenario_read_all (reader), DATAHUB_TIMEOUT);
}

/* Consumers stay where they are: nothing is missing between the two. */
static void
go_on_with_the_block (ScenarioRun *run, DatahubProducer *producer)
{
  RecordReader newcomer;
  take_up_numbers (run->board, producer);
  if (run->posted)
    mail_check_left (run, producer);
  for (uint32_t i = 0; i < 20; i++) {
    MUST (scenario_commit (run->board, producer, run->scenario->epoch, 1,
        10 * CHECK_S));
    read_on (&run->live);
    read_on (&run->reliable);
    read_on (&run->idle);
  }
  CHECK (scenario_attach (&newcomer, true, &run->random));
  read_on (&newcomer);
  CHECK_INT (newcomer.next, ==, atomic_load (&run->board->committed));
  scenario_detach (&newcomer);
  account_check (producer, 0);
  datahub_producer_close (producer);
}

/* Half of the dead are adopted where they can be. */
static bool
succeed_by_adoption (ScenarioRun *run)
{
  DatahubProducerOptions options = scenario_options (run->scenario->epoch);
  DatahubProducer *producer = NULL;
  DatahubProducerStats stats;
  bool dead_with_name = atomic_load (&run->board->published)
      && !atomic_load (&run->board->closing) && !options.strict;
  options.adopt = true;
  options.block_timeout_ns = BLOCK_TIMEOUT_NS;
  MUST (datahub_producer_create (CHANNEL, &options, &producer,
      &scenario_error));
  datahub_producer_get_stats (producer, &stats);
  CHECK (stats.adopted || !dead_with_name);
  if (stats.adopted) {
    MUST (datahub_producer_publish (producer, &scenario_error));
    go_on_with_the_block (run, producer);
  } else
    datahub_producer_close (producer);
  return stats.adopted;
}

/* The name is free, and a new block under it is whole. */
static void
succeed (ScenarioRun *run)
{
  RecordReader live, reliable;
  uint64_t epoch = run->scenario->epoch + 1;
  const StepTrap *trap = &run->victim.trap;
  /* After an heir with numbers of its own it may be either's block. */
  if ((trap->step + trap->arrival) % 2 == 0 && run->role != SECOND_HEIR)
    succeed_by_adoption (run);
  DatahubProducer *producer = scenario_new_producer (epoch);
  CHECK (scenario_attach (&live, false, &run->random));
  CHECK (scenario_attach (&reliable, true, &run->random));
  for (uint32_t i = 0; i < 20; i++) {
    MUST (random_records_send (producer, epoch, i, 1, 10 * CHECK_S,
        &scenario_error));
    MUST_BE (scenario_read_all (&live), DATAHUB_TIMEOUT);
    MUST_BE (scenario_read_all (&reliable), DATAHUB_TIMEOUT);
  }
  CHECK_INT (live.received, ==, 20);
  CHECK_INT (reliable.received, ==, 20);
  account_check (producer, 0);
  scenario_detach (&live);
  scenario_detach (&reliable);
  account_check_all_back (producer, 0);
  datahub_producer_close (producer);
}

static void
check_what_is_left (ScenarioRun *run)
{
  telemetry_check ();
  check_locks_are_had (&run->live, 10 * CHECK_S);
  check_names_of_locks (run);
  scenario_check_zone (run);
  drain_all (run);
  come_late (run);
}

/* The name's next owner dies too; what it committed is there, like its
 * predecessor's. */
static void
let_an_heir_die (ScenarioRun *run)
{
  Board *board = run->board;
  if (run->role == SECOND_HEIR) {
    atomic_store (&board->attempted, 0);
    atomic_store (&board->committed, 0);
    atomic_store (&board->published, 0);
    atomic_store (&board->closing, 0);
    atomic_store (&board->is_new, 1);
  }
  scenario_start_second (run,
      run->role == SECOND_HEIR ? producer_begins : producer_adopts);
  /* One that lives may close before they have looked again. */
  run->all_pause = run->second.trap.arrival == 0;
  scenario_attend (run, &run->second);
  if (!atomic_load (&board->is_new))
    drain_all (run);
  /* Before that the name may still be the first one's. */
  if (atomic_load (&board->published))
    come_late (run);
  /* The last to leave a dead block removes it. */
  if (atomic_load (&board->is_new))
    atomic_store (&board->published, 0);
}

static void
after_producer (ScenarioRun *run)
{
  scenario_attend (run, &run->second);
  check_what_is_left (run);
  if (run->role >= SECOND_HEIR)
    let_an_heir_die (run);
  succeed (run);
  scenario_detach (&run->live);
  scenario_detach (&run->reliable);
  scenario_detach (&run->idle);
}

/* Of the predecessor all is read, whatever became of its name. */
static void
after_takeover (ScenarioRun *run)
{
  CHECK (is_end (scenario_read_all (&run->idle)));
  CHECK_INT (run->idle.next, ==, N_BEFORE);
  CHECK_INT (run->idle.received + run->idle.lost, ==, N_BEFORE);
  scenario_detach (&run->idle);
  after_producer (run);
}

/* Another candidate: refused, or the name is its own for a while. */
static void
try_the_name (const ScenarioRun *run)
{
  DatahubProducerOptions options = scenario_options (EPOCH);
  DatahubProducer *producer = NULL;
  bool taken = atomic_load (&run->board->published)
      && !atomic_load (&run->board->closing);
  MUST (datahub_producer_create (CHANNEL, &options, &producer,
      &scenario_error));
  DatahubResult result = datahub_producer_publish (producer, &scenario_error);
  CHECK (result == DATAHUB_ERROR_BUSY || (result == DATAHUB_OK && !taken));
  datahub_producer_close (producer);
}

static void
wait_beside (const ScenarioRun *run, RecordReader *reader)
{
  if (!reader->consumer)
    return;
  bool orphaned = reader->orphaned;
  DatahubResult result = scenario_read_all (reader);
  CHECK (result == DATAHUB_TIMEOUT
      || (orphaned && result == DATAHUB_PRODUCER_LOST)
      || (atomic_load (&run->board->closing) && result == DATAHUB_CLOSED));
}

/* A producer that stands still is alive: nobody gives it up. */
static void
beside_producer (ScenarioRun *run)
{
  RecordReader late;
  if (run->posted)
    mail_change_limits (run);
  wait_beside (run, &run->live);
  if (!run->reliable_pauses)
    wait_beside (run, &run->reliable);
  check_locks_are_had (&run->live, 0);
  if (atomic_load (&run->board->published)
      && !atomic_load (&run->board->closing) && !is_strict (run)) {
    CHECK (scenario_attach (&late, false, &run->random));
    MUST_BE (scenario_read_all (&late), DATAHUB_TIMEOUT);
    scenario_detach (&late);
  }
}

static void
beside_candidate (ScenarioRun *run)
{
  beside_producer (run);
  try_the_name (run);
}

/* A consumer of its own, and a successor. */
#define WITH_BOTH .has_consumer = true, .has_heir = true

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
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a producer packs and commits",
      .part = producer_commits,
      .epoch = EPOCH + 1 },
  { .like = &producer_dies,
      .name = "a producer flushes",
      .part = producer_flushes,
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a producer waits for room",
      .part = producer_waits_for_room,
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a producer evicts",
      .part = producer_evicts },
  { .like = &producer_dies,
      .name = "a producer cleans after the dead",
      .part = producer_cleans_after_the_dead },
  { .like = &producer_dies,
      .name = "a producer grows",
      .part = producer_grows,
      .epoch = EPOCH | RECORDS_GROWING,
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a producer grows in pieces",
      .part = producer_grows_in_pieces,
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a producer has big slots",
      .part = producer_has_big_slots,
      .epoch = EPOCH + 1, /* not packed: a loan each */
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a producer begins with big slots",
      .part = producer_begins_with_big_slots,
      .epoch = EPOCH + 1,
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a producer gives buffers up",
      .part = producer_gives_up,
      .epoch = (EPOCH + 1) | RECORDS_DROPPABLE,
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a producer takes events",
      .part = producer_takes_events },
  { .like = &producer_dies,
      .name = "a producer loses its names",
      .part = producer_loses_names },
  { .like = &producer_dies,
      .name = "a producer has user locks",
      .part = producer_has_user_locks },
  { .like = &producer_dies,
      .name = "a producer closes",
      .part = producer_closes,
      .epoch = EPOCH | RECORDS_GROWING,
      .beside = beside_candidate,
      WITH_BOTH },
  { .like = &producer_dies,
      .name = "a strict producer begins",
      .part = producer_begins,
      .epoch = EPOCH | RECORDS_STRICT,
      .beside = beside_candidate },
  { .like = &producer_dies,
      .name = "a strict producer grows",
      .part = producer_grows,
      .epoch = EPOCH | RECORDS_GROWING | RECORDS_STRICT },
  { .like = &producer_dies,
      .name = "a strict producer grows in pieces",
      .part = producer_grows_in_pieces,
      .epoch = EPOCH | RECORDS_STRICT },
  { .like = &producer_dies,
      .name = "a strict producer cleans after the dead",
      .part = producer_cleans_after_the_dead,
      .epoch = EPOCH | RECORDS_STRICT },
  { .like = &producer_dies,
      .name = "a strict producer closes",
      .part = producer_closes,
      .epoch = EPOCH | RECORDS_GROWING | RECORDS_STRICT,
      .beside = beside_candidate },
  { .like = &producer_dies,
      .name = "a producer closes beside a laggard",
      .part = producer_closes,
      .epoch = EPOCH | RECORDS_GROWING,
      .is_slow = true },
};
const uint32_t n_producer_scenarios =
    sizeof producer_scenarios / sizeof producer_scenarios[0];
