/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of consumers in the sweep, and of those who reclaim and repair: in the
 * victim's process, trapped from part_begins() on; and of those who die in the
 * scenery. */
#include "sweep-parts.h"

#include <signal.h>

#define N_READ 20

/* Parts. */

static void
attach (CheckParent *parent, RecordReader *reader, bool reliable)
{
  CHECK (scenario_attach (reader, reliable, &scenario_of (parent)->random));
}

/* Its producer may be another victim. */
static bool
is_too_late (CheckParent *parent)
{
  const ScenarioRun *run = scenario_of (parent);
  return !run->producer && atomic_load (&run->board->closing);
}

/* Returns whether there may be more: the producer may die too, which is told
 * once. One who was stopped for long is evicted, is told so, and goes on. */
static bool
read_some (RecordReader *reader, uint32_t n)
{
  for (uint32_t i = 0; i < n && !reader->orphaned; i++) {
    DatahubResult result =
        random_records_read (reader, check_scaled_ns (10 * CHECK_S));
    if (result == DATAHUB_CLOSED || result == DATAHUB_PRODUCER_LOST)
      return false;
    if (result == DATAHUB_EVICTED) {
      MUST (datahub_consumer_rejoin (reader->consumer, &scenario_error));
      reader->reliable = false;
    } else
      MUST (result);
  }
  return true;
}

static void
read_and_leave (CheckParent *parent, bool reliable)
{
  RecordReader reader;
  DatahubView view;
  part_begins (parent);
  if (!scenario_attach (&reader, reliable, &scenario_of (parent)->random)) {
    CHECK (is_too_late (parent));
    return;
  }
  bool lives = read_some (&reader, N_READ);
  MUST (datahub_consumer_read_sticky (reader.consumer, DATAHUB_RECORD_CAPS,
      &view, &scenario_error));
  datahub_consumer_end_read (reader.consumer, &view);
  datahub_consumer_request (reader.consumer, DATAHUB_REQUEST_KEYFRAME);
  if (lives)
    read_some (&reader, 2);
  scenario_detach (&reader);
}

void
consumer_is_live (CheckParent *parent)
{
  read_and_leave (parent, false);
}

void
consumer_is_reliable (CheckParent *parent)
{
  read_and_leave (parent, true);
}

/* Its leases end after it has left. */
void
consumer_leaves_with_leases (CheckParent *parent)
{
  RecordReader reader;
  part_begins (parent);
  attach (parent, &reader, true);
  while (reader.n_held < 3)
    read_some (&reader, 1);
  datahub_consumer_close (reader.consumer);
  random_records_release_all (&reader);
}

/* Whenever it reads, the producer waits for it. */
void
consumer_is_waited_for (CheckParent *parent)
{
  RecordReader reader;
  attach (parent, &reader, true);
  part_begins (parent);
  for (uint32_t i = 0; i < 4; i++) {
    part_asks (parent, FILL);
    datahub_consumer_request (reader.consumer, DATAHUB_REQUEST_KEYFRAME);
    read_some (&reader, N_READ);
  }
  scenario_detach (&reader);
}

void
consumer_is_evicted (CheckParent *parent)
{
  RecordReader reader;
  attach (parent, &reader, true);
  read_some (&reader, 2);
  part_asks (parent, BLOCK);
  part_begins (parent);
  while (reader.reliable)
    read_some (&reader, 1);
  read_some (&reader, N_READ);
  scenario_detach (&reader);
}

void
consumer_is_lapped (CheckParent *parent)
{
  RecordReader reader;
  attach (parent, &reader, false);
  read_some (&reader, 2);
  part_begins (parent);
  for (uint32_t i = 0; i < 3; i++) {
    part_asks (parent, LAP);
    read_some (&reader, 3);
    part_asks (parent, FLUSH);
    read_some (&reader, 3);
  }
  scenario_detach (&reader);
}

void
consumer_follows_growth (CheckParent *parent)
{
  RecordReader reader;
  part_begins (parent);
  attach (parent, &reader, true);
  read_some (&reader, 80);
  scenario_detach (&reader);
}

void
consumer_is_the_last (CheckParent *parent)
{
  RecordReader reader;
  attach (parent, &reader, true);
  part_asks (parent, DIE);
  part_begins (parent);
  read_some (&reader, 1000);
  scenario_detach (&reader);
}

void
somebody_reclaims (CheckParent *parent)
{
  part_begins (parent);
  MUST (datahub_block_reclaim (false, NULL, NULL, &scenario_error));
}

/* A record that the dead consumer holds. */
static bool
find_held (DatahubHeldThing *thing)
{
  DatahubDiagnosis *diagnosis = NULL;
  bool found = false;
  MUST (datahub_block_diagnose (CHANNEL, NULL, NULL, NULL, &diagnosis,
      &scenario_error));
  for (uint32_t r = 0; r < diagnosis->n_rows && !found; r++)
    for (uint32_t i = 0; i < diagnosis->n_records && !found; i++) {
      found = !diagnosis->rows[r].info.alive
          && diagnosis->records[i].holder == diagnosis->rows[r].info.row;
      *thing = (DatahubHeldThing){ .struct_size = sizeof (DatahubHeldThing),
        .kind = DATAHUB_HELD_RECORD,
        .row = diagnosis->rows[r].info.row,
        .record = diagnosis->records[i].record,
        .holder = diagnosis->rows[r].info.id };
    }
  datahub_diagnosis_free (diagnosis);
  return found;
}

void
somebody_repairs (CheckParent *parent)
{
  DatahubHeldThing thing;
  DatahubResult result;
  uint32_t n;
  CHECK (find_held (&thing));
  part_begins (parent);
  result = datahub_block_release (CHANNEL, &thing, &scenario_error);
  /* while it stood still the producer may have cleaned the row */
  CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_NOT_FOUND);
  MUST (datahub_block_repair (CHANNEL, 0, 10 * CHECK_S, NULL, NULL, &n,
      &scenario_error));
  CHECK_INT (n, <=, 3); /* the row, its lock, the names */
}

void
somebody_repairs_for_good (CheckParent *parent)
{
  DatahubResult result;
  uint32_t n;
  part_begins (parent);
  result = datahub_block_repair (CHANNEL, DATAHUB_REPAIR_CLOSE_DEAD,
      10 * CHECK_S, NULL, NULL, &n, &scenario_error);
  /* while it stood still somebody may have removed the block */
  CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_NOT_FOUND);
  CHECK_INT (n, <=, 1);
}

/* It has limits from the start; an event and a change go on at a time. */
void
consumer_has_mail (CheckParent *parent)
{
  char text[DATAHUB_LIMITS_MAX];
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.limits = mail_limits (1, text);
  part_begins (parent);
  MUST (datahub_consumer_attach (CHANNEL, &options, &consumer,
      &scenario_error));
  for (uint64_t number = 1; number <= 4; number++) {
    MUST (mail_post (consumer, number));
    MUST_BE (mail_post (consumer, 1000), DATAHUB_ERROR_FULL);
    part_asks (parent, TAKE);
    MUST (datahub_consumer_set_limits (consumer, mail_limits (number + 1, text),
        &scenario_error));
  }
  MUST (datahub_consumer_set_limits (consumer, NULL, &scenario_error));
  MUST (mail_post (consumer, 5));
  datahub_consumer_close (consumer);
}

static void
lock (DatahubSpinlock *lock_, DatahubResult wanted)
{
  MUST_BE (datahub_spinlock_lock (lock_, check_scaled_ns (10 * CHECK_S)),
      wanted);
}

void
consumer_has_user_locks (CheckParent *parent)
{
  RecordReader reader;
  DatahubSpinlock *one, *two, *named;
  attach (parent, &reader, false);
  DatahubConsumer *consumer = reader.consumer;
  MUST (datahub_consumer_open_spinlock (consumer, 1, &one, &scenario_error));
  MUST (datahub_consumer_open_spinlock (consumer, 2, &two, &scenario_error));
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
               &scenario_error),
      DATAHUB_OWNER_DIED);
  datahub_spinlock_close (named);
  datahub_spinlock_close (one);
  datahub_spinlock_close (two);
  part_ends ();
  scenario_detach (&reader);
}
/* Who dies before the victim comes. */

void
consumer_holds_and_dies (CheckParent *parent)
{
  RecordReader reader;
  attach (parent, &reader, false);
  while (reader.n_held < 3)
    read_some (&reader, 1);
  check_ready (parent);
  check_until_killed (parent);
}

void
producer_commits_and_dies (CheckParent *parent)
{
  ScenarioRun *run = scenario_of (parent);
  DatahubProducer *producer = scenario_new_producer (run->scenario->epoch);
  check_ready (parent);
  check_hear (parent->in);
  for (uint32_t i = 0; i < 10; i++)
    MUST (random_records_send (producer, run->scenario->epoch, i, 1,
        10 * CHECK_S, &scenario_error));
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

/* Links some of its files. */
void
producer_dies_publishing (CheckParent *parent)
{
  static StepCounts counts;
  StepTrap trap = { steps_find ("PUBLISH_CON_LINKED"), 1, SIGKILL };
  steps_watch (&counts, &trap);
  scenario_new_producer (scenario_of (parent)->scenario->epoch);
}

void
consumer_dies_with_a_lock (CheckParent *parent)
{
  RecordReader reader;
  DatahubSpinlock *two;
  attach (parent, &reader, false);
  MUST (datahub_consumer_open_spinlock (reader.consumer, 2, &two,
      &scenario_error));
  lock (two, DATAHUB_OK);
  check_ready (parent);
  check_until_killed (parent);
}

void
consumer_dies_naming_a_lock (CheckParent *parent)
{
  static StepCounts counts;
  StepTrap trap = { steps_find ("REGISTRY_NAME_WORD"), 1, SIGKILL };
  RecordReader reader;
  DatahubSpinlock *named;
  attach (parent, &reader, false);
  steps_watch (&counts, &trap);
  datahub_consumer_open_named_spinlock (reader.consumer, "three", &named,
      &scenario_error);
}

void
consumer_dies_with_everything (CheckParent *parent)
{
  RecordReader reader;
  DatahubSpinlock *two;
  attach (parent, &reader, false);
  MUST (datahub_consumer_open_spinlock (reader.consumer, 2, &two,
      &scenario_error));
  lock (two, DATAHUB_OK);
  while (reader.n_held < 3)
    read_some (&reader, 1);
  check_ready (parent);
  check_until_killed (parent);
}
