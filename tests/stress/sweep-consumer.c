/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the sweep in which the victim is a consumer, or somebody who
 * reclaims. This process is the producer and a reliable consumer that must not
 * lose anything. */
#include "sweep-parts.h"

#include "lib/core/census.h"

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
    stage_start_second (stage, consumer_is_reliable);
  MUST (datahub_producer_open_spinlock (stage->producer, 1, &stage->lock,
      &stage_error));
  commit_many (stage, 6);
}

#define N_SHORT 20 /* slots of the 32 that are on loan */

static DatahubSlot short_of[N_SHORT];

/* The ring has more words than there are slots for. */
static void
prepare_gaps (Stage *stage)
{
  prepare_stream (stage);
  for (uint32_t i = 0; i < N_SHORT; i++)
    MUST (datahub_producer_acquire_slot (stage->producer, 1, 0, &short_of[i],
        &stage_error));
  commit_many (stage, 20);
}

/* One more than there are leases for. */
static void
prepare_crowd (Stage *stage)
{
  prepare_stream (stage);
  CHECK (stage_attach (&stage->live, false, &stage->random));
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
  kill_a (stage, consumer_holds_and_dies);
}

static void
prepare_lone_producer (Stage *stage)
{
  stage->prop = check_fork (producer_commits_and_dies, stage);
  CHECK_HEAR (stage->prop.from, 1);
}

static void
prepare_garbage (Stage *stage)
{
  /* In this order: who creates a block removes what the dead left. */
  CheckChild whole = check_fork_ready (producer_commits_and_dies, stage);
  CheckChild half = check_fork (producer_dies_publishing, stage);
  stage_wait_for_death (&half);
  check_kill (&whole);
}

/* A dead row with pins and a user lock, and names that somebody died over. */
static void
prepare_wreck (Stage *stage)
{
  prepare_stream (stage);
  commit_many (stage, 10);
  CheckChild child = check_fork (consumer_dies_naming_a_lock, stage);
  stage_wait_for_death (&child);
  kill_a (stage, consumer_dies_with_everything);
}

static void
prepare_dead_producer (Stage *stage)
{
  kill_a (stage, producer_commits_and_dies);
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
  CHECK_UNTIL (stage_sleeps (stage->producer) != sleeps);
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
    kill_a (stage, consumer_dies_with_a_lock);
  if (word == DEAD_NAMER) {
    CheckChild child = check_fork (consumer_dies_naming_a_lock, stage);
    stage_wait_for_death (&child);
  }
  if (word == HOLD)
    hold_the_lock (stage);
  if (word == WANT)
    want (stage);
  stage_answer (victim);
}

/* While the victim runs. */

static void
produce_slowly (Stage *stage)
{
  let_the_lock_go (stage);
  DatahubResult result = commit (stage, 0);
  CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
      || result == DATAHUB_DROPPED);
  stage_await_word (stage, 200 * 1000); /* the distance of its buffers */
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
  stage_await_word (stage, CHECK_MS);
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
  /* The server's thread may be about to close its copies of what it gave. */
  CHECK_UNTIL (datahub_producer_list_consumers (stage->producer, infos,
                   MAX_CONSUMERS)
      == 1);
  CHECK_INT (infos[0].row, ==, 0);
  check_locks (stage);
  census_check (stage->producer, 0);
  fill_the_table (stage);
  CHECK_INT (stage->reliable.received, ==, stage->next - stage->reliable.first);
  stage_detach (&stage->reliable);
  census_check_all_back (stage->producer, 0);
  datahub_producer_close (stage->producer);
}

static void
after_gaps (Stage *stage)
{
  stage_attend (stage, &stage->second);
  for (uint32_t i = 0; i < N_SHORT; i++)
    datahub_producer_abort (stage->producer, &short_of[i]);
  after_consumer (stage);
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
      .epoch = EPOCH | TRAFFIC_GROWING },
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
      .epoch = (EPOCH + 1) | TRAFFIC_STRICT },
  { .like = &consumer_dies,
      .name = "a reliable consumer of a strict block",
      .part = consumer_is_reliable,
      .epoch = (EPOCH + 1) | TRAFFIC_STRICT },
  { .like = &consumer_dies,
      .name = "a consumer of a strict block follows growth",
      .part = consumer_follows_growth,
      .epoch = EPOCH | TRAFFIC_GROWING | TRAFFIC_STRICT },
  { .like = &consumer_dies,
      .name = "a consumer is evicted",
      .part = consumer_is_evicted },
  { .like = &consumer_dies,
      .name = "a consumer is lapped and flushed",
      .part = consumer_is_lapped },
  { .like = &consumer_dies,
      .name = "a live consumer steps over gaps",
      .part = consumer_is_live,
      .epoch = (EPOCH + 1) | TRAFFIC_DROPPABLE,
      .prepare = prepare_gaps,
      .after = after_gaps },
  { .like = &consumer_dies,
      .name = "a reliable consumer joins among gaps",
      .part = consumer_is_reliable,
      .epoch = (EPOCH + 1) | TRAFFIC_DROPPABLE,
      .prepare = prepare_gaps,
      .after = after_gaps },
  { .like = &consumer_dies,
      .name = "a consumer has user locks",
      .part = consumer_has_user_locks },
  { .like = &consumer_dies,
      .name = "a consumer of a strict block has user locks",
      .part = consumer_has_user_locks,
      .epoch = (EPOCH + 1) | TRAFFIC_STRICT },
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
