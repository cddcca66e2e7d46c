/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the sweep in which the victim is a consumer, or somebody who
 * reclaims. This process is the producer and a reliable consumer that must not
 * lose anything. */
#include "stage.h"

#include "lib/core/census.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#define N_READ 20

/* What a victim asks for. */
enum
{
  BLOCK = 1, /* commits until the victim is evicted */
  LAP,
  FILL, /* the producer sleeps: the victim is in the way */
  FLUSH,
  DIE, /* the producer dies */
  DEAD_OWNER, /* of user lock 2 */
  DEAD_NAMER, /* of a user lock */
  HOLD, /* user lock 1, for a while */
  WANT, /* user lock 1, which the victim has */
};

/* Parts. */

static void
attach (CheckParent *parent, TrafficReader *reader, bool reliable)
{
  CHECK (stage_attach (reader, reliable, &stage_of (parent)->random));
}

/* Its producer may be another victim. */
static bool
is_too_late (CheckParent *parent)
{
  const Stage *stage = stage_of (parent);
  return !stage->producer && atomic_load (&stage->board->closing);
}

/* Returns whether there may be more: the producer may die too, which is told
 * once. One who was stopped for long is evicted, is told so, and goes on. */
static bool
read_some (TrafficReader *reader, uint32_t n)
{
  for (uint32_t i = 0; i < n && !reader->orphaned; i++) {
    DatahubResult result =
        traffic_read (reader, check_scaled_ns (10 * CHECK_S));
    if (result == DATAHUB_CLOSED || result == DATAHUB_PRODUCER_LOST)
      return false;
    if (result == DATAHUB_EVICTED) {
      MUST (datahub_consumer_rejoin (reader->consumer, &stage_error));
      reader->reliable = false;
    } else
      MUST (result);
  }
  return true;
}

static void
read_and_leave (CheckParent *parent, bool reliable)
{
  TrafficReader reader;
  DatahubView view;
  part_begins (parent);
  if (!stage_attach (&reader, reliable, &stage_of (parent)->random)) {
    CHECK (is_too_late (parent));
    return;
  }
  bool lives = read_some (&reader, N_READ);
  MUST (datahub_consumer_read_sticky (reader.consumer, DATAHUB_RECORD_CAPS,
      &view, &stage_error));
  datahub_consumer_end_read (reader.consumer, &view);
  datahub_consumer_request (reader.consumer, DATAHUB_REQUEST_KEYFRAME);
  if (lives)
    read_some (&reader, 2);
  stage_detach (&reader);
}

static void
live_part (CheckParent *parent)
{
  read_and_leave (parent, false);
}

void
reliable_part (CheckParent *parent)
{
  read_and_leave (parent, true);
}

/* Its leases end after it has left. */
static void
leaves_with_leases (CheckParent *parent)
{
  TrafficReader reader;
  part_begins (parent);
  attach (parent, &reader, true);
  while (reader.n_held < 3)
    read_some (&reader, 1);
  datahub_consumer_close (reader.consumer);
  traffic_release_all (&reader);
}

/* Whenever it reads, the producer waits for it. */
static void
is_waited_for (CheckParent *parent)
{
  TrafficReader reader;
  attach (parent, &reader, true);
  part_begins (parent);
  for (uint32_t i = 0; i < 4; i++) {
    part_asks (parent, FILL);
    datahub_consumer_request (reader.consumer, DATAHUB_REQUEST_KEYFRAME);
    read_some (&reader, N_READ);
  }
  stage_detach (&reader);
}

static void
is_evicted (CheckParent *parent)
{
  TrafficReader reader;
  attach (parent, &reader, true);
  read_some (&reader, 2);
  part_asks (parent, BLOCK);
  part_begins (parent);
  while (reader.reliable)
    read_some (&reader, 1);
  read_some (&reader, N_READ);
  stage_detach (&reader);
}

static void
is_lapped (CheckParent *parent)
{
  TrafficReader reader;
  attach (parent, &reader, false);
  read_some (&reader, 2);
  part_begins (parent);
  for (uint32_t i = 0; i < 3; i++) {
    part_asks (parent, LAP);
    read_some (&reader, 3);
    part_asks (parent, FLUSH);
    read_some (&reader, 3);
  }
  stage_detach (&reader);
}

static void
follows_growth (CheckParent *parent)
{
  TrafficReader reader;
  part_begins (parent);
  attach (parent, &reader, true);
  read_some (&reader, 80);
  stage_detach (&reader);
}

static void
is_the_last (CheckParent *parent)
{
  TrafficReader reader;
  attach (parent, &reader, true);
  part_asks (parent, DIE);
  part_begins (parent);
  read_some (&reader, 1000);
  stage_detach (&reader);
}

static void
reclaims (CheckParent *parent)
{
  part_begins (parent);
  MUST (datahub_block_reclaim (false, NULL, NULL, &stage_error));
}

/* A record that the dead consumer holds. */
static bool
find_held (DatahubHeldThing *thing)
{
  DatahubDiagnosis *diagnosis = NULL;
  bool found = false;
  MUST (datahub_block_diagnose (CHANNEL, NULL, NULL, NULL, &diagnosis,
      &stage_error));
  for (uint32_t r = 0; r < diagnosis->n_rows && !found; r++)
    for (uint32_t i = 0; i < diagnosis->n_records && !found; i++) {
      found = !diagnosis->rows[r].info.alive
          && diagnosis->records[i].holder == diagnosis->rows[r].info.row;
      *thing = (DatahubHeldThing){ .kind = DATAHUB_HELD_RECORD,
        .row = diagnosis->rows[r].info.row,
        .record = diagnosis->records[i].record,
        .holder = diagnosis->rows[r].info.id };
    }
  datahub_diagnosis_free (diagnosis);
  return found;
}

static void
repairs (CheckParent *parent)
{
  DatahubHeldThing thing;
  DatahubResult result;
  uint32_t n;
  CHECK (find_held (&thing));
  part_begins (parent);
  result = datahub_block_release (CHANNEL, &thing, &stage_error);
  /* while it stood still the producer may have cleaned the row */
  CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_NOT_FOUND);
  MUST (datahub_block_repair (CHANNEL, 0, 10 * CHECK_S, NULL, NULL, &n,
      &stage_error));
  CHECK_INT (n, <=, 3); /* the row, its lock, the names */
}

static void
repairs_for_good (CheckParent *parent)
{
  DatahubResult result;
  uint32_t n;
  part_begins (parent);
  result = datahub_block_repair (CHANNEL, DATAHUB_REPAIR_CLOSE_DEAD,
      10 * CHECK_S, NULL, NULL, &n, &stage_error);
  /* while it stood still somebody may have removed the block */
  CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_NOT_FOUND);
  CHECK_INT (n, <=, 1);
}

static void
lock (DatahubSpinlock *lock_, DatahubResult wanted)
{
  MUST_BE (datahub_spinlock_lock (lock_, check_scaled_ns (10 * CHECK_S)),
      wanted);
}

static void
has_user_locks (CheckParent *parent)
{
  TrafficReader reader;
  DatahubSpinlock *one, *two, *named;
  attach (parent, &reader, false);
  DatahubConsumer *consumer = reader.consumer;
  MUST (datahub_consumer_open_spinlock (consumer, 1, &one, &stage_error));
  MUST (datahub_consumer_open_spinlock (consumer, 2, &two, &stage_error));
  part_begins (parent);
  lock (one, DATAHUB_OK);
  lock (one, DATAHUB_OK);
  MUST (datahub_spinlock_unlock (one));
  part_asks (parent, WANT);
  MUST (datahub_spinlock_unlock (one));
  part_asks (parent, HOLD);
  lock (one, DATAHUB_OK);
  MUST (datahub_spinlock_unlock (one));
  part_asks (parent, DEAD_OWNER);
  lock (two, DATAHUB_OWNER_DIED);
  MUST (datahub_spinlock_unlock (two));
  part_asks (parent, DEAD_NAMER);
  MUST_BE (datahub_consumer_open_named_spinlock (consumer, "three", &named,
               &stage_error),
      DATAHUB_OWNER_DIED);
  datahub_spinlock_close (named);
  datahub_spinlock_close (one);
  datahub_spinlock_close (two);
  part_ends ();
  stage_detach (&reader);
}

/* Scenery. */

static void
read_along (Stage *stage)
{
  MUST_BE (stage_read_all (&stage->reliable), DATAHUB_TIMEOUT);
}

static DatahubResult
commit (Stage *stage, int64_t timeout_ns)
{
  read_along (stage);
  DatahubResult result = traffic_send (stage->producer, stage->scenario->epoch,
      stage->next, 1, timeout_ns, &stage_error);
  stage->next += result == DATAHUB_OK;
  return result;
}

static void
commit_many (Stage *stage, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    MUST (commit (stage, check_scaled_ns (10 * CHECK_S)));
  read_along (stage);
}

static void
prepare_stream (Stage *stage)
{
  stage->producer = stage_new_producer (stage->scenario->epoch);
  CHECK (stage_attach (&stage->reliable, true, &stage->random));
  if (stage->role == SECOND_CONSUMER)
    stage_start_second (stage, reliable_part);
  MUST (datahub_producer_open_spinlock (stage->producer, 1, &stage->lock,
      &stage_error));
  commit_many (stage, 6);
}

/* One more than there are leases for. */
static void
prepare_crowd (Stage *stage)
{
  prepare_stream (stage);
  CHECK (stage_attach (&stage->live, false, &stage->random));
}

static void
dead_holder (CheckParent *parent)
{
  TrafficReader reader;
  attach (parent, &reader, false);
  while (reader.n_held < 3)
    read_some (&reader, 1);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

static void
kill_a (Stage *stage, void (*run) (CheckParent *parent))
{
  CheckChild child = check_fork (run, stage);
  check_hear (child.from);
  check_kill (&child);
}

/* The next who comes finds a row with three pins in it. */
static void
prepare_dead_row (Stage *stage)
{
  prepare_stream (stage);
  commit_many (stage, 10);
  kill_a (stage, dead_holder);
}

static void
lone_producer (CheckParent *parent)
{
  Stage *stage = stage_of (parent);
  DatahubProducer *producer = stage_new_producer (stage->scenario->epoch);
  check_tell (parent->out, 1);
  check_hear (parent->in);
  for (uint32_t i = 0; i < 10; i++)
    MUST (traffic_send (producer, stage->scenario->epoch, i, 1, 10 * CHECK_S,
        &stage_error));
  check_tell (parent->out, 2);
  check_hear (parent->in);
}

static void
prepare_lone_producer (Stage *stage)
{
  stage->prop = check_fork (lone_producer, stage);
  CHECK_HEAR (stage->prop.from, 1);
}

/* Links some of its files. */
static void
half_a_producer (CheckParent *parent)
{
  static StepCounts counts;
  StepTrap trap = { steps_find ("PUBLISH_CON_LINKED"), 1, SIGKILL };
  steps_watch (&counts, &trap);
  stage_new_producer (stage_of (parent)->scenario->epoch);
}

static void
prepare_garbage (Stage *stage)
{
  /* In this order: who creates a block removes what the dead left. */
  CheckChild whole = check_fork (lone_producer, stage);
  CHECK_HEAR (whole.from, 1);
  CheckChild half = check_fork (half_a_producer, stage);
  stage_wait_for_death (&half);
  check_kill (&whole);
}

static void
dead_owner (CheckParent *parent)
{
  TrafficReader reader;
  DatahubSpinlock *two;
  attach (parent, &reader, false);
  MUST (datahub_consumer_open_spinlock (reader.consumer, 2, &two,
      &stage_error));
  lock (two, DATAHUB_OK);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

static void
dead_namer (CheckParent *parent)
{
  static StepCounts counts;
  StepTrap trap = { steps_find ("REGISTRY_NAME_WORD"), 1, SIGKILL };
  TrafficReader reader;
  DatahubSpinlock *named;
  attach (parent, &reader, false);
  steps_watch (&counts, &trap);
  datahub_consumer_open_named_spinlock (reader.consumer, "three", &named,
      &stage_error);
}

static void
dead_holder_of_all (CheckParent *parent)
{
  TrafficReader reader;
  DatahubSpinlock *two;
  attach (parent, &reader, false);
  MUST (datahub_consumer_open_spinlock (reader.consumer, 2, &two,
      &stage_error));
  lock (two, DATAHUB_OK);
  while (reader.n_held < 3)
    read_some (&reader, 1);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

/* A dead row with pins and a user lock, and names that somebody died over. */
static void
prepare_wreck (Stage *stage)
{
  prepare_stream (stage);
  commit_many (stage, 10);
  CheckChild child = check_fork (dead_namer, stage);
  stage_wait_for_death (&child);
  kill_a (stage, dead_holder_of_all);
}

static void
prepare_dead_producer (Stage *stage)
{
  kill_a (stage, lone_producer);
}

static void *
want_the_lock (void *data)
{
  Stage *stage = data;
  DatahubResult result =
      datahub_spinlock_lock (stage->lock, check_scaled_ns (20 * CHECK_S));
  CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
  MUST (datahub_spinlock_unlock (stage->lock));
  return NULL;
}

static void
finish_wanting (Stage *stage)
{
  if (stage->thread)
    check_thread_join (stage->thread);
  stage->thread = NULL;
}

static void
hold_the_lock (Stage *stage)
{
  finish_wanting (stage);
  MUST (datahub_spinlock_lock (stage->lock, check_scaled_ns (10 * CHECK_S)));
  stage->holding = 40;
}

static void
let_the_lock_go (Stage *stage)
{
  if (stage->holding > 0 && --stage->holding == 0)
    MUST (datahub_spinlock_unlock (stage->lock));
}

static void *
commit_one_more (void *data)
{
  Stage *stage = data;
  MUST (traffic_send (stage->producer, stage->scenario->epoch, stage->next, 1,
      check_scaled_ns (10 * CHECK_S), &stage_error));
  return NULL;
}

static void
finish_filling (Stage *stage)
{
  if (!stage->filler)
    return;
  check_thread_join (stage->filler);
  stage->filler = NULL;
  stage->next++;
}

/* Until the producer has slept once, and sleeps again. */
static void
fill (Stage *stage)
{
  while (commit (stage, 0) == DATAHUB_OK)
    ;
  uint64_t sleeps = stage_sleeps (stage->producer);
  stage->filler = check_thread (commit_one_more, stage);
  while (stage_sleeps (stage->producer) == sleeps)
    sched_yield ();
}

static void
flush (Stage *stage)
{
  commit_many (stage, 8);
  MUST (datahub_producer_flush (stage->producer));
  commit_many (stage, 2);
}

static void
die_as_a_producer (Stage *stage)
{
  check_tell (stage->prop.to, 1);
  CHECK_HEAR (stage->prop.from, 2);
  check_kill (&stage->prop);
}

static void
want (Stage *stage)
{
  stage->thread = check_thread (want_the_lock, stage);
  check_until_asleep (stage->thread);
}

static void
answer (Stage *stage, Victim *victim, uint64_t word)
{
  if (word == BLOCK || word == LAP)
    commit_many (stage, 40);
  if (word == FILL)
    fill (stage);
  if (word == FLUSH)
    flush (stage);
  if (word == DIE)
    die_as_a_producer (stage);
  if (word == DEAD_OWNER)
    kill_a (stage, dead_owner);
  if (word == DEAD_NAMER) {
    CheckChild child = check_fork (dead_namer, stage);
    stage_wait_for_death (&child);
  }
  if (word == HOLD)
    hold_the_lock (stage);
  if (word == WANT)
    want (stage);
  check_tell (victim->child.to, 1);
}

/* While the victim runs. */

static void
pause_for (const Stage *stage, int64_t ns)
{
  struct pollfd poll_fd = { .fd = stage->victim.child.from, .events = POLLIN };
  ppoll (&poll_fd, 1, &(struct timespec){ 0, ns }, NULL);
}

static void
produce_slowly (Stage *stage)
{
  let_the_lock_go (stage);
  DatahubResult result = commit (stage, 0);
  CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
      || result == DATAHUB_DROPPED);
  pause_for (stage, 200 * 1000);
}

/* As fast as the victim lets it. */
static void
produce_fast (Stage *stage)
{
  finish_filling (stage);
  DatahubResult result = commit (stage, 8 * CHECK_MS);
  CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
      || result == DATAHUB_DROPPED);
}

static void
only_wait (Stage *stage)
{
  pause_for (stage, CHECK_MS);
}

/* What is left of a consumer. */

static void
check_locks (Stage *stage)
{
  DatahubSpinlock *each;
  finish_wanting (stage);
  while (stage->holding > 0)
    let_the_lock_go (stage);
  for (uint32_t i = 0; i < 3; i++) {
    MUST (datahub_producer_open_spinlock (stage->producer, i, &each,
        &stage_error));
    DatahubResult result =
        datahub_spinlock_lock (each, check_scaled_ns (10 * CHECK_S));
    CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
    MUST (datahub_spinlock_unlock (each));
    datahub_spinlock_close (each);
  }
  DatahubResult result = datahub_producer_open_named_spinlock (stage->producer,
      "three", &each, &stage_error);
  CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
  datahub_spinlock_close (each);
  datahub_spinlock_close (stage->lock);
}

/* The rows of the dead are there for others, and no more than there were. */
static void
fill_the_table (Stage *stage)
{
  TrafficReader others[MAX_CONSUMERS - 1];
  DatahubConsumer *one_more = NULL;
  for (uint32_t i = 0; i < MAX_CONSUMERS - 1; i++)
    CHECK (stage_attach (&others[i], i % 2, &stage->random));
  MUST_BE (datahub_consumer_attach (CHANNEL, NULL, &one_more, &stage_error),
      DATAHUB_ERROR_FULL);
  for (uint32_t i = 0; i < MAX_CONSUMERS - 1; i++)
    MUST_BE (stage_read_all (&others[i]), DATAHUB_TIMEOUT);
  commit_many (stage, 1);
  for (uint32_t i = 0; i < MAX_CONSUMERS - 1; i++) {
    MUST_BE (stage_read_all (&others[i]), DATAHUB_TIMEOUT);
    CHECK_INT (others[i].next, ==, stage->next);
    stage_detach (&others[i]);
  }
}

static void
after_consumer (Stage *stage)
{
  DatahubConsumerInfo infos[MAX_CONSUMERS];
  stage_attend (stage, &stage->second);
  stage_detach (&stage->live);
  finish_filling (stage);
  commit_many (stage, 60);
  CHECK_INT (datahub_producer_list_consumers (stage->producer, infos,
                 MAX_CONSUMERS),
      ==, 1);
  CHECK_INT (infos[0].row, ==, 0);
  check_locks (stage);
  census_check (stage->producer, 0);
  fill_the_table (stage);
  CHECK_INT (stage->reliable.received, ==, stage->next - stage->reliable.first);
  stage_detach (&stage->reliable);
  census_check_all_back (stage->producer, 0);
  datahub_producer_close (stage->producer);
}

/* The next repair does what is left of the one that was killed, and no more. */
static void
after_repair (Stage *stage)
{
  DatahubIntegrityReport report;
  uint32_t n;
  for (int i = 0; i < 2; i++)
    MUST (datahub_block_repair (CHANNEL, 0, 10 * CHECK_S, NULL, NULL, &n,
        &stage_error));
  CHECK_INT (n, ==, 0);
  MUST (datahub_block_validate (CHANNEL, 0, NULL, NULL, &report, &stage_error));
  for (int i = 0; i < DATAHUB_N_SEVERITIES; i++)
    CHECK_INT (report.n_found[i], ==, 0);
  after_consumer (stage);
}

/* Whoever comes next removes what the dead left. */
static void
after_the_last (Stage *stage)
{
  if (stage->victim.state == VICTIM_DEAD)
    MUST (datahub_block_reclaim (false, NULL, NULL, &stage_error));
}

/* One that stands still costs the producer block-timeout at most, and only where
 * it was waited for. */
static void
beside_consumer (Stage *stage)
{
  DatahubProducerStats before, after;
  TrafficReader newcomer;
  finish_filling (stage);
  datahub_producer_get_stats (stage->producer, &before);
  commit_many (stage, 60);
  datahub_producer_get_stats (stage->producer, &after);
  CHECK_INT (after.evictions - before.evictions, <=, 1);
  if (after.evictions == before.evictions)
    CHECK_INT (after.waits, ==, before.waits);
  CHECK_INT (after.dropped, ==, 0);
  CHECK (stage_attach (&newcomer, true, &stage->random));
  MUST_BE (stage_read_all (&newcomer), DATAHUB_TIMEOUT);
  stage_detach (&newcomer);
}

static void
beside_nothing (Stage *stage)
{
  MUST (datahub_block_reclaim (false, NULL, NULL, &stage_error));
}

static const Scenario consumer_dies = { .epoch = EPOCH + 1,
  .prepare = prepare_stream,
  .go_on = produce_slowly,
  .hear = answer,
  .beside = beside_consumer,
  .after = after_consumer };

const Scenario consumer_scenarios[] = {
  { .like = &consumer_dies,
      .name = "a live consumer",
      .part = live_part,
      .has_consumer = true },
  { .like = &consumer_dies,
      .name = "a reliable consumer",
      .part = reliable_part,
      .has_consumer = true },
  { .like = &consumer_dies,
      .name = "a consumer that is waited for",
      .part = is_waited_for,
      .go_on = produce_fast },
  { .like = &consumer_dies,
      .name = "a consumer follows growth",
      .part = follows_growth,
      .epoch = EPOCH | TRAFFIC_GROWING },
  { .like = &consumer_dies,
      .name = "a consumer leaves with leases",
      .part = leaves_with_leases,
      .prepare = prepare_crowd },
  { .like = &consumer_dies,
      .name = "a consumer takes a dead one's row",
      .part = live_part,
      .prepare = prepare_dead_row },
  { .like = &consumer_dies,
      .name = "a consumer is evicted",
      .part = is_evicted },
  { .like = &consumer_dies,
      .name = "a consumer is lapped and flushed",
      .part = is_lapped },
  { .like = &consumer_dies,
      .name = "a consumer has user locks",
      .part = has_user_locks },
  { .like = &consumer_dies,
      .name = "the last consumer leaves",
      .part = is_the_last,
      .prepare = prepare_lone_producer,
      .go_on = only_wait,
      .beside = beside_nothing,
      .after = after_the_last },
  { .like = &consumer_dies,
      .name = "somebody reclaims",
      .part = reclaims,
      .prepare = prepare_garbage,
      .go_on = only_wait,
      .beside = beside_nothing,
      .after = after_the_last },
  { .like = &consumer_dies,
      .name = "somebody repairs",
      .part = repairs,
      .prepare = prepare_wreck,
      .go_on = only_wait,
      .after = after_repair },
  { .like = &consumer_dies,
      .name = "somebody repairs a dead producer's block",
      .part = repairs_for_good,
      .prepare = prepare_dead_producer,
      .go_on = only_wait,
      .beside = beside_nothing,
      .after = after_the_last },
};
const uint32_t n_consumer_scenarios =
    sizeof consumer_scenarios / sizeof consumer_scenarios[0];
