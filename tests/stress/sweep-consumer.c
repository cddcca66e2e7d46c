/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the sweep in which the victim is a consumer, or somebody who
 * reclaims. This process is the producer and a reliable consumer that must not
 * lose anything. */
#include "sweep-parts.h"

#include "lib/core/account.h"

/* Scenery. */

static void
read_along (ScenarioRun *run)
{
  MUST_BE (scenario_read_all (&run->reliable), DATAHUB_TIMEOUT);
}

static DatahubResult
commit (ScenarioRun *run, int64_t timeout_ns)
{
  read_along (run);
  DatahubResult result = random_records_send (run->producer,
      run->scenario->epoch, run->next, 1, timeout_ns, &scenario_error);
  run->next += result == DATAHUB_OK;
  return result;
}

static void
commit_many (ScenarioRun *run, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    MUST (commit (run, check_scaled_ns (10 * CHECK_S)));
  read_along (run);
}

static void
prepare_stream (ScenarioRun *run)
{
  run->producer = scenario_new_producer (run->scenario->epoch);
  CHECK (scenario_attach (&run->reliable, true, &run->random));
  if (run->role == SECOND_CONSUMER)
    scenario_start_second (run, consumer_is_reliable);
  MUST (datahub_producer_open_spinlock (run->producer, 1, &run->lock,
      &scenario_error));
  commit_many (run, 6);
}

#define N_SHORT 20 /* slots of the 32 that are on loan */

static DatahubSlot short_of[N_SHORT];

/* The ring has more words than there are slots for. */
static void
prepare_gaps (ScenarioRun *run)
{
  prepare_stream (run);
  for (uint32_t i = 0; i < N_SHORT; i++)
    MUST (datahub_producer_acquire_slot (run->producer, 1, 0, &short_of[i],
        &scenario_error));
  commit_many (run, 20);
}

/* One more than there are leases for. */
static void
prepare_crowd (ScenarioRun *run)
{
  prepare_stream (run);
  CHECK (scenario_attach (&run->live, false, &run->random));
}

static void
kill_a (ScenarioRun *run, void (*part) (CheckParent *parent))
{
  CheckChild child = check_fork (part, run);
  check_hear (child.from);
  check_kill (&child);
}

/* The next who comes finds a row with three pins in it. */
static void
prepare_dead_row (ScenarioRun *run)
{
  prepare_stream (run);
  commit_many (run, 10);
  kill_a (run, consumer_holds_and_dies);
}

static void
prepare_lone_producer (ScenarioRun *run)
{
  run->prop = check_fork (producer_commits_and_dies, run);
  CHECK_HEAR (run->prop.from, 1);
}

static void
prepare_garbage (ScenarioRun *run)
{
  /* In this order: who creates a block removes what the dead left. */
  CheckChild whole = check_fork_ready (producer_commits_and_dies, run);
  CheckChild half = check_fork (producer_dies_publishing, run);
  scenario_wait_for_death (&half);
  check_kill (&whole);
}

/* A dead row with pins and a user lock, and names that somebody died over. */
static void
prepare_wreck (ScenarioRun *run)
{
  prepare_stream (run);
  commit_many (run, 10);
  CheckChild child = check_fork (consumer_dies_naming_a_lock, run);
  scenario_wait_for_death (&child);
  kill_a (run, consumer_dies_with_everything);
}

static void
prepare_dead_producer (ScenarioRun *run)
{
  kill_a (run, producer_commits_and_dies);
}

static void *
want_the_lock (void *data)
{
  ScenarioRun *run = data;
  DatahubResult result =
      datahub_spinlock_lock (run->lock, check_scaled_ns (20 * CHECK_S));
  CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
  MUST (datahub_spinlock_unlock (run->lock));
  return NULL;
}

static void
finish_wanting (ScenarioRun *run)
{
  if (run->thread)
    check_thread_join (run->thread);
  run->thread = NULL;
}

static void
hold_the_lock (ScenarioRun *run)
{
  finish_wanting (run);
  MUST (datahub_spinlock_lock (run->lock, check_scaled_ns (10 * CHECK_S)));
  run->holding = 40;
}

static void
let_the_lock_go (ScenarioRun *run)
{
  if (run->holding > 0 && --run->holding == 0)
    MUST (datahub_spinlock_unlock (run->lock));
}

static void *
commit_one_more (void *data)
{
  ScenarioRun *run = data;
  MUST (random_records_send (run->producer, run->scenario->epoch, run->next, 1,
      check_scaled_ns (10 * CHECK_S), &scenario_error));
  atomic_store (&run->is_filled, true);
  return NULL;
}

static void
finish_filling (ScenarioRun *run)
{
  if (!run->filler)
    return;
  check_thread_join (run->filler);
  run->filler = NULL;
  run->next++;
}

/* Until the producer has slept once, and sleeps again. A commit that had no time to
 * grow is none that waits for the consumer. */
static void
fill (ScenarioRun *run)
{
  uint64_t sleeps;
  do {
    finish_filling (run);
    while (commit (run, 0) == DATAHUB_OK)
      ;
    sleeps = scenario_sleeps (run->producer);
    atomic_store (&run->is_filled, false);
    run->filler = check_thread (commit_one_more, run);
    CHECK_UNTIL (scenario_sleeps (run->producer) != sleeps
        || atomic_load (&run->is_filled));
  } while (scenario_sleeps (run->producer) == sleeps);
}

static void
flush (ScenarioRun *run)
{
  commit_many (run, 8);
  MUST (datahub_producer_flush (run->producer));
  commit_many (run, 2);
}

static void
die_as_a_producer (ScenarioRun *run)
{
  check_tell (run->prop.to, 1);
  CHECK_HEAR (run->prop.from, 2);
  check_kill (&run->prop);
}

static void
want (ScenarioRun *run)
{
  run->thread = check_thread (want_the_lock, run);
  check_until_asleep (run->thread);
}

static void
take (ScenarioRun *run)
{
  CHECK_INT (mail_take (run->producer), ==, ++run->posted);
  CHECK_INT (mail_take (run->producer), ==, 0);
  CHECK_INT (mail_find_limits (run->producer), ==, run->posted);
}

static void
answer (ScenarioRun *run, Victim *victim, uint64_t word)
{
  if (word == TAKE)
    take (run);
  if (word == BLOCK || word == LAP)
    commit_many (run, 40);
  if (word == FILL)
    fill (run);
  if (word == FLUSH)
    flush (run);
  if (word == DIE)
    die_as_a_producer (run);
  if (word == DEAD_OWNER)
    kill_a (run, consumer_dies_with_a_lock);
  if (word == DEAD_NAMER) {
    CheckChild child = check_fork (consumer_dies_naming_a_lock, run);
    scenario_wait_for_death (&child);
  }
  if (word == HOLD)
    hold_the_lock (run);
  if (word == WANT)
    want (run);
  scenario_answer (victim);
}

/* While the victim runs. */

static void
produce_slowly (ScenarioRun *run)
{
  let_the_lock_go (run);
  DatahubResult result = commit (run, 0);
  CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
      || result == DATAHUB_DROPPED);
  scenario_await_word (run, 200 * 1000); /* the distance of its buffers */
}

/* Limits that are changed meanwhile are whole, and never go back. */
static void
watch_limits (ScenarioRun *run)
{
  uint64_t number = mail_find_limits (run->producer);
  CHECK (number == 0 || number == run->posted || number == run->posted + 1);
  produce_slowly (run);
}

/* As fast as the victim lets it. */
static void
produce_fast (ScenarioRun *run)
{
  finish_filling (run);
  DatahubResult result = commit (run, 8 * CHECK_MS);
  CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
      || result == DATAHUB_DROPPED);
}

static void
only_wait (ScenarioRun *run)
{
  scenario_await_word (run, CHECK_MS);
}

/* What is left of a consumer. */

static void
check_locks (ScenarioRun *run)
{
  DatahubSpinlock *each;
  finish_wanting (run);
  while (run->holding > 0)
    let_the_lock_go (run);
  for (uint32_t i = 0; i < 3; i++) {
    MUST (datahub_producer_open_spinlock (run->producer, i, &each,
        &scenario_error));
    DatahubResult result =
        datahub_spinlock_lock (each, check_scaled_ns (10 * CHECK_S));
    CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
    MUST (datahub_spinlock_unlock (each));
    datahub_spinlock_close (each);
  }
  DatahubResult result = datahub_producer_open_named_spinlock (run->producer,
      "three", &each, &scenario_error);
  CHECK (result == DATAHUB_OK || result == DATAHUB_OWNER_DIED);
  datahub_spinlock_close (each);
  datahub_spinlock_close (run->lock);
}

/* The rows of the dead are there for others, and no more than there were. */
static void
fill_the_table (ScenarioRun *run)
{
  RecordReader others[MAX_CONSUMERS - 1];
  DatahubConsumer *one_more = NULL;
  for (uint32_t i = 0; i < MAX_CONSUMERS - 1; i++)
    CHECK (scenario_attach (&others[i], i % 2, &run->random));
  MUST_BE (datahub_consumer_attach (CHANNEL, NULL, &one_more, &scenario_error),
      DATAHUB_ERROR_FULL);
  for (uint32_t i = 0; i < MAX_CONSUMERS - 1; i++)
    MUST_BE (scenario_read_all (&others[i]), DATAHUB_TIMEOUT);
  commit_many (run, 1);
  for (uint32_t i = 0; i < MAX_CONSUMERS - 1; i++) {
    MUST_BE (scenario_read_all (&others[i]), DATAHUB_TIMEOUT);
    CHECK_INT (others[i].next, ==, run->next);
    scenario_detach (&others[i]);
  }
}

static void
after_consumer (ScenarioRun *run)
{
  DatahubConsumerInfo infos[MAX_CONSUMERS];
  scenario_attend (run, &run->second);
  scenario_detach (&run->live);
  finish_filling (run);
  commit_many (run, 60);
  /* The server's thread may be about to close its copies of what it gave. */
  CHECK_UNTIL (datahub_producer_list_consumers (run->producer, infos,
                   MAX_CONSUMERS)
      == 1);
  CHECK_INT (infos[0].row, ==, 0);
  check_locks (run);
  account_check (run->producer, 0);
  fill_the_table (run);
  CHECK_INT (run->reliable.received, ==, run->next - run->reliable.first);
  scenario_detach (&run->reliable);
  account_check_all_back (run->producer, 0);
  datahub_producer_close (run->producer);
}

/* What it posted is gone with it, for its row's next owner too. */
static void
after_mail (ScenarioRun *run)
{
  DatahubConsumerInfo infos[MAX_CONSUMERS];
  RecordReader next;
  CHECK_UNTIL (datahub_producer_list_consumers (run->producer, infos,
                   MAX_CONSUMERS)
      == 1);
  CHECK_INT (mail_take (run->producer), ==, 0);
  CHECK_INT (mail_find_limits (run->producer), ==, 0);
  CHECK (scenario_attach (&next, false, &run->random));
  CHECK_INT (mail_take (run->producer), ==, 0);
  CHECK_INT (mail_find_limits (run->producer), ==, 0);
  MUST (mail_post (next.consumer, 99));
  CHECK_INT (mail_take (run->producer), ==, 99);
  scenario_detach (&next);
  after_consumer (run);
}

static void
after_gaps (ScenarioRun *run)
{
  scenario_attend (run, &run->second);
  for (uint32_t i = 0; i < N_SHORT; i++)
    datahub_producer_abort (run->producer, &short_of[i]);
  after_consumer (run);
}

/* The next repair does what is left of the one that was killed, and no more. */
static void
after_repair (ScenarioRun *run)
{
  DatahubIntegrityReport report;
  uint32_t n;
  for (int i = 0; i < 2; i++)
    MUST (datahub_block_repair (CHANNEL, 0, 10 * CHECK_S, NULL, NULL, &n,
        &scenario_error));
  CHECK_INT (n, ==, 0);
  MUST (datahub_block_validate (CHANNEL, 0, NULL, NULL, &report,
      &scenario_error));
  for (int i = 0; i < DATAHUB_N_SEVERITIES; i++)
    CHECK_INT (report.n_found[i], ==, 0);
  after_consumer (run);
}

/* Whoever comes next removes what the dead left. */
static void
after_the_last (ScenarioRun *run)
{
  if (run->victim.state == VICTIM_DEAD)
    MUST (datahub_block_reclaim (false, NULL, NULL, &scenario_error));
}

/* One that stands still costs the producer block-timeout at most, and only where
 * it was waited for. */
static void
beside_consumer (ScenarioRun *run)
{
  DatahubProducerStats before, after;
  RecordReader newcomer;
  finish_filling (run);
  datahub_producer_get_stats (run->producer, &before);
  commit_many (run, 60);
  datahub_producer_get_stats (run->producer, &after);
  CHECK_INT (after.evictions - before.evictions, <=, 1);
  if (after.evictions == before.evictions)
    CHECK_INT (after.waits, ==, before.waits);
  CHECK_INT (after.dropped, ==, 0);
  CHECK (scenario_attach (&newcomer, true, &run->random));
  MUST_BE (scenario_read_all (&newcomer), DATAHUB_TIMEOUT);
  scenario_detach (&newcomer);
}

/* Its limits are whole, or there are none while it changes them. */
static void
beside_mail (ScenarioRun *run)
{
  uint64_t number = mail_find_limits (run->producer);
  CHECK (number == 0 || number == run->posted || number == run->posted + 1);
  beside_consumer (run);
}

static void
beside_nothing (ScenarioRun *run)
{
  MUST (datahub_block_reclaim (false, NULL, NULL, &scenario_error));
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
      .part = consumer_is_live,
      .has_consumer = true },
  { .like = &consumer_dies,
      .name = "a reliable consumer",
      .part = consumer_is_reliable,
      .has_consumer = true },
  { .like = &consumer_dies,
      .name = "a consumer that is waited for",
      .part = consumer_is_waited_for,
      .go_on = produce_fast },
  { .like = &consumer_dies,
      .name = "a consumer follows growth",
      .part = consumer_follows_growth,
      .epoch = EPOCH | RECORDS_GROWING },
  { .like = &consumer_dies,
      .name = "a consumer leaves with leases",
      .part = consumer_leaves_with_leases,
      .prepare = prepare_crowd },
  { .like = &consumer_dies,
      .name = "a consumer takes a dead one's row",
      .part = consumer_is_live,
      .prepare = prepare_dead_row },
  { .like = &consumer_dies,
      .name = "a live consumer of a strict block",
      .part = consumer_is_live,
      .epoch = (EPOCH + 1) | RECORDS_STRICT },
  { .like = &consumer_dies,
      .name = "a reliable consumer of a strict block",
      .part = consumer_is_reliable,
      .epoch = (EPOCH + 1) | RECORDS_STRICT },
  { .like = &consumer_dies,
      .name = "a consumer of a strict block follows growth",
      .part = consumer_follows_growth,
      .epoch = EPOCH | RECORDS_GROWING | RECORDS_STRICT },
  { .like = &consumer_dies,
      .name = "a consumer is evicted",
      .part = consumer_is_evicted },
  { .like = &consumer_dies,
      .name = "a consumer is lapped and flushed",
      .part = consumer_is_lapped },
  { .like = &consumer_dies,
      .name = "a live consumer steps over gaps",
      .part = consumer_is_live,
      .epoch = (EPOCH + 1) | RECORDS_DROPPABLE,
      .prepare = prepare_gaps,
      .after = after_gaps },
  { .like = &consumer_dies,
      .name = "a reliable consumer joins among gaps",
      .part = consumer_is_reliable,
      .epoch = (EPOCH + 1) | RECORDS_DROPPABLE,
      .prepare = prepare_gaps,
      .after = after_gaps },
  { .like = &consumer_dies,
      .name = "a consumer has mail",
      .part = consumer_has_mail,
      .go_on = watch_limits,
      .beside = beside_mail,
      .after = after_mail },
  { .like = &consumer_dies,
      .name = "a consumer of a strict block has mail",
      .part = consumer_has_mail,
      .epoch = (EPOCH + 1) | RECORDS_STRICT,
      .go_on = watch_limits,
      .beside = beside_mail,
      .after = after_mail },
  { .like = &consumer_dies,
      .name = "a consumer has user locks",
      .part = consumer_has_user_locks },
  { .like = &consumer_dies,
      .name = "a consumer of a strict block has user locks",
      .part = consumer_has_user_locks,
      .epoch = (EPOCH + 1) | RECORDS_STRICT },
  { .like = &consumer_dies,
      .name = "the last consumer leaves",
      .part = consumer_is_the_last,
      .prepare = prepare_lone_producer,
      .go_on = only_wait,
      .beside = beside_nothing,
      .after = after_the_last },
  { .like = &consumer_dies,
      .name = "somebody reclaims",
      .part = somebody_reclaims,
      .prepare = prepare_garbage,
      .go_on = only_wait,
      .beside = beside_nothing,
      .after = after_the_last },
  { .like = &consumer_dies,
      .name = "somebody repairs",
      .part = somebody_repairs,
      .prepare = prepare_wreck,
      .go_on = only_wait,
      .after = after_repair },
  { .like = &consumer_dies,
      .name = "somebody repairs a dead producer's block",
      .part = somebody_repairs_for_good,
      .prepare = prepare_dead_producer,
      .go_on = only_wait,
      .beside = beside_nothing,
      .after = after_the_last },
};
const uint32_t n_consumer_scenarios =
    sizeof consumer_scenarios / sizeof consumer_scenarios[0];
