/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of producers in the sweep: in the victim's process, trapped from
 * part_begins() on. */
#include "sweep-parts.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define LOST_CHANNEL "lost"

static DatahubProducer *
create (CheckParent *parent, const DatahubProducerOptions *options)
{
  DatahubProducer *producer = NULL;
  uint64_t epoch = scenario_of (parent)->scenario->epoch;
  MUST (datahub_producer_create (CHANNEL, options, &producer, &scenario_error));
  MUST (random_records_send_caps (producer, epoch, 0, &scenario_error));
  return producer;
}

static void
publish (CheckParent *parent, DatahubProducer *producer)
{
  MUST (datahub_producer_publish (producer, &scenario_error));
  atomic_store (&scenario_of (parent)->board->published, 1);
  part_asks (parent, PUBLISHED);
}

static DatahubProducer *
open_producer (CheckParent *parent)
{
  DatahubProducerOptions options =
      scenario_options (scenario_of (parent)->scenario->epoch);
  DatahubProducer *producer = create (parent, &options);
  publish (parent, producer);
  return producer;
}

static void
commit (CheckParent *parent, DatahubProducer *producer, uint32_t n)
{
  ScenarioRun *run = scenario_of (parent);
  MUST (scenario_commit (run->board, producer, run->scenario->epoch, n,
      DATAHUB_FOREVER));
}

static void
commit_many (CheckParent *parent, DatahubProducer *producer, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    commit (parent, producer, 1);
}

static void
send (CheckParent *parent, DatahubProducer *producer, DatahubRecordType type)
{
  MUST (random_records_send_event (producer, type,
      scenario_of (parent)->scenario->epoch, DATAHUB_FOREVER, &scenario_error));
}

static void
close_producer (CheckParent *parent, DatahubProducer *producer)
{
  atomic_store (&scenario_of (parent)->board->closing, 1);
  datahub_producer_close (producer);
}

static void
end_part (CheckParent *parent, DatahubProducer *producer)
{
  part_ends ();
  close_producer (parent, producer);
}

void
take_up_numbers (Board *board, DatahubProducer *producer)
{
  DatahubProducerStats stats;
  datahub_producer_get_stats (producer, &stats);
  atomic_store (&board->is_new, !stats.adopted);
  if (stats.adopted) {
    CHECK_INT (stats.commits, >=, atomic_load (&board->committed));
    CHECK_INT (stats.commits, <=, atomic_load (&board->attempted));
  }
  atomic_store (&board->attempted, stats.commits);
  atomic_store (&board->committed, stats.commits);
}

/* Parts. */

void
producer_adopts (CheckParent *parent)
{
  ScenarioRun *run = scenario_of (parent);
  DatahubProducerOptions options = scenario_options (run->scenario->epoch);
  options.adopt = true;
  part_begins (parent);
  DatahubProducer *producer = create (parent, &options);
  take_up_numbers (run->board, producer);
  if (atomic_load (&run->board->is_new))
    atomic_store (&run->board->published, 0);
  atomic_store (&run->board->closing, 0);
  publish (parent, producer);
  commit_many (parent, producer, 4);
  end_part (parent, producer);
}

void
producer_begins (CheckParent *parent)
{
  part_begins (parent);
  DatahubProducer *producer = open_producer (parent);
  commit (parent, producer, 1);
  end_part (parent, producer);
}

void
producer_commits (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  DatahubSlot slot;
  part_begins (parent);
  for (uint32_t i = 0; i < 24; i++) {
    commit (parent, producer, 1 + i % RECORDS_MAX_BATCH);
    if (i % 8 == 1)
      send (parent, producer, DATAHUB_RECORD_TAGS);
    if (i % 8 == 3)
      scenario_write_zone (scenario_of (parent)->board, producer);
    if (i % 8 == 5)
      datahub_producer_take_requests (producer);
  }
  send (parent, producer, DATAHUB_RECORD_EOS);
  send (parent, producer, DATAHUB_RECORD_STREAM_START);
  send (parent, producer, DATAHUB_RECORD_CAPS);
  MUST (datahub_producer_acquire_slot (producer, 8192, DATAHUB_FOREVER, &slot,
      &scenario_error));
  datahub_producer_abort (producer, &slot);
  commit_many (parent, producer, 3);
  end_part (parent, producer);
}

void
producer_takes_events (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  Board *board = scenario_of (parent)->board;
  part_begins (parent);
  for (uint64_t number = 1; number <= 4; number++) {
    part_asks (parent, POST);
    mail_find_limits (producer); /* whole, or being changed */
    CHECK_INT (mail_take (producer), ==, number);
    atomic_store (&board->taken, number);
    CHECK_INT (mail_take (producer), ==, 0);
    commit (parent, producer, 1);
  }
  end_part (parent, producer);
}

void
producer_flushes (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  part_begins (parent);
  for (uint32_t i = 0; i < 3; i++) {
    commit_many (parent, producer, 4);
    send (parent, producer, DATAHUB_RECORD_SEGMENT);
    atomic_store (&scenario_of (parent)->board->flushed, 1);
    MUST (datahub_producer_flush (producer));
  }
  commit (parent, producer, 1);
  end_part (parent, producer);
}

#define N_SHORT 24 /* slots of the 32 that are on loan */

/* The ring has more words than there are slots for. */
void
producer_gives_up (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  DatahubSlot slots[N_SHORT];
  DatahubProducerStats stats;
  for (uint32_t i = 0; i < N_SHORT; i++)
    MUST (datahub_producer_acquire_slot (producer, 1, DATAHUB_FOREVER,
        &slots[i], &scenario_error));
  part_begins (parent);
  commit_many (parent, producer, 40);
  datahub_producer_get_stats (producer, &stats);
  CHECK_INT (stats.given_up, >, 0);
  for (uint32_t i = 0; i < N_SHORT; i++)
    datahub_producer_abort (producer, &slots[i]);
  end_part (parent, producer);
}

typedef struct
{
  DatahubProducer *producer;
  DatahubSlot slot;
  _Atomic bool done;
} Borrower;

/* A live consumer that dies with a pin is not waited for, until it is found dead. */
static void *
borrow (void *data)
{
  Borrower *borrower = data;
  DatahubResult result = DATAHUB_DROPPED;
  while (result == DATAHUB_DROPPED)
    result = datahub_producer_acquire_slot (borrower->producer, 8192,
        DATAHUB_FOREVER, &borrower->slot, &scenario_error);
  MUST (result);
  atomic_store (&borrower->done, true);
  return NULL;
}

/* Every slot is lent but those of a ring that can be no shorter; a thread waits
 * for one, another gives one back. */
static void
wait_for_a_loan (DatahubProducer *producer)
{
  DatahubSlot slots[64];
  uint32_t n = 0;
  Borrower borrower = { .producer = producer };
  while (datahub_producer_acquire_slot (producer, 8192, 0, &slots[n],
             &scenario_error)
      == DATAHUB_OK)
    n++;
  CHECK (n > 0);
  uint64_t sleeps = scenario_sleeps (producer);
  CheckThread *thread = check_thread (borrow, &borrower);
  /* A second victim may have died, and left it a slot. */
  CHECK_UNTIL (scenario_sleeps (producer) != sleeps
      || atomic_load (&borrower.done));
  datahub_producer_abort (producer, &slots[--n]);
  check_thread_join (thread);
  datahub_producer_abort (producer, &borrower.slot);
  while (n > 0)
    datahub_producer_abort (producer, &slots[--n]);
}

void
producer_waits_for_room (CheckParent *parent)
{
  ScenarioRun *run = scenario_of (parent);
  DatahubProducerOptions options = scenario_options (run->scenario->epoch);
  DatahubResult result;
  options.max_bytes = options.slots * 8192;
  DatahubProducer *producer = create (parent, &options);
  publish (parent, producer);
  part_begins (parent);
  part_asks (parent, PAUSE);
  do
    result = scenario_commit (run->board, producer, run->scenario->epoch, 1,
        12 * CHECK_MS);
  while (result == DATAHUB_OK);
  MUST_BE (result, DATAHUB_TIMEOUT);
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ALL, true);
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ALL, false);
  part_asks (parent, GO_ON);
  commit_many (parent, producer, 20);
  part_asks (parent, CATCH_UP);
  /* the waiter may just be looking, not asleep, when the loan comes back */
  for (uint32_t i = 0; i < 4; i++)
    wait_for_a_loan (producer);
  commit_many (parent, producer, 4);
  end_part (parent, producer);
}

void
producer_evicts (CheckParent *parent)
{
  DatahubProducerOptions options =
      scenario_options (scenario_of (parent)->scenario->epoch);
  options.block_timeout_ns = BLOCK_TIMEOUT_NS;
  DatahubProducer *producer = create (parent, &options);
  publish (parent, producer);
  part_begins (parent);
  commit_many (parent, producer, 40);
  end_part (parent, producer);
}

void
producer_cleans_after_the_dead (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  part_begins (parent);
  for (uint32_t i = 0; i < 3; i++) {
    commit_many (parent, producer, 4);
    part_asks (parent, DEAD_CONSUMER);
    commit_many (parent, producer, 20);
  }
  end_part (parent, producer);
}

void
producer_grows (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  part_begins (parent);
  commit_many (parent, producer, 64);
  end_part (parent, producer);
}

/* A growth of many pieces: some thrown away, some kept for the next try. */
void
producer_grows_in_pieces (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  DatahubResult result = DATAHUB_TIMEOUT;
  DatahubSlot slot;
  part_begins (parent);
  commit_many (parent, producer, 4);
  for (uint32_t i = 0; i < 3; i++)
    MUST_BE (datahub_producer_acquire_slot (producer, 3 << 20, 0, &slot,
                 &scenario_error),
        DATAHUB_TIMEOUT);
  MUST_BE (datahub_producer_acquire_slot (producer, 7 << 19, 0, &slot,
               &scenario_error),
      DATAHUB_TIMEOUT);
  while (result == DATAHUB_TIMEOUT)
    result = datahub_producer_acquire_slot (producer, 2 << 20, 0, &slot,
        &scenario_error);
  MUST (result);
  datahub_producer_abort (producer, &slot);
  commit_many (parent, producer, 24);
  end_part (parent, producer);
}

/* Big slots beside small ones, given back while the small ones are in use. */
void
producer_has_big_slots (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  DatahubProducerStats stats;
  DatahubSlot slot;
  part_begins (parent);
  commit_many (parent, producer, 4);
  for (uint32_t i = 0; i < 2; i++) {
    DatahubResult result = DATAHUB_TIMEOUT;
    while (result == DATAHUB_TIMEOUT)
      result = datahub_producer_acquire_slot (producer, 5 << 19, 0, &slot,
          &scenario_error);
    MUST (result);
    datahub_producer_abort (producer, &slot);
    commit_many (parent, producer, 16);
  }
  datahub_producer_get_stats (producer, &stats);
  MUST_BE (stats.growths, 2);
  end_part (parent, producer);
}

/* The small payloads get a pool of their own at once, and the first one goes. The
 * number of slots is automatic, and what a successor asks for. */
void
producer_begins_with_big_slots (CheckParent *parent)
{
  DatahubProducerOptions options =
      scenario_options (scenario_of (parent)->scenario->epoch);
  DatahubProducerStats stats;
  DatahubProducer *producer;
  uint64_t before;
  options.slots = 0;
  options.slot_size = 3 << 19;
  producer = create (parent, &options);
  publish (parent, producer);
  datahub_producer_get_stats (producer, &stats);
  before = stats.bytes_used;
  part_begins (parent);
  commit_many (parent, producer, 32);
  datahub_producer_get_stats (producer, &stats);
  MUST_BE (stats.growths > 0, true);
  MUST_BE (stats.bytes_used < before, true);
  end_part (parent, producer);
}

/* Behind a growth that the others have not seen. */
void
producer_closes (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  commit_many (parent, producer, 8);
  part_begins (parent);
  close_producer (parent, producer);
}

/* As a script does that tidies up. */
static void
remove_file (const char *format, const char *middle)
{
  char name[128], path[400];
  snprintf (name, sizeof name, format, (unsigned) geteuid (), middle);
  snprintf (path, sizeof path, "%s/%s", datahub_shm_directory (), name);
  CHECK (unlink (path) == 0);
}

static DatahubProducer *
create_of (const char *channel)
{
  DatahubProducerOptions options = scenario_options (EPOCH);
  DatahubProducer *producer = NULL;
  options.adopt = false;
  MUST (datahub_producer_create (channel, &options, &producer,
      &scenario_error));
  return producer;
}

/* Under another name, without consumers. What is left has its locks as evidence. */
void
producer_loses_names (CheckParent *parent)
{
  DatahubProducer *producer = create_of (LOST_CHANNEL), *successor;
  const char *uuid = datahub_producer_get_uuid (producer);
  MUST (datahub_producer_publish (producer, &scenario_error));
  part_begins (parent);
  remove_file ("datahub-%u-%s", LOST_CHANNEL);
  MUST (datahub_producer_check_names (producer, &scenario_error));
  remove_file ("datahub-%u-%s.lck", uuid);
  MUST (datahub_producer_check_names (producer, &scenario_error));
  remove_file ("datahub-%u-%s.ctl", uuid);
  MUST_BE (datahub_producer_check_names (producer, &scenario_error),
      DATAHUB_ERROR_NOT_FOUND);
  successor = create_of (LOST_CHANNEL);
  MUST (datahub_producer_succeed (producer, successor, &scenario_error));
  datahub_producer_close (producer);
  MUST (datahub_producer_check_names (successor, &scenario_error));
  part_ends ();
  datahub_producer_close (successor);
}

void
producer_has_user_locks (CheckParent *parent)
{
  DatahubProducer *producer = open_producer (parent);
  DatahubSpinlock *lock;
  part_begins (parent);
  MUST (datahub_producer_open_named_spinlock (producer, "one", &lock,
      &scenario_error));
  for (uint32_t i = 0; i < 3; i++) {
    MUST (datahub_spinlock_lock (lock, DATAHUB_FOREVER));
    MUST (datahub_spinlock_lock (lock, DATAHUB_FOREVER));
    MUST (datahub_spinlock_unlock (lock));
    MUST (datahub_spinlock_unlock (lock));
  }
  datahub_spinlock_close (lock);
  MUST (datahub_producer_open_named_spinlock (producer, "two", &lock,
      &scenario_error));
  datahub_spinlock_close (lock);
  end_part (parent, producer);
}
/* Commits, ends its stream, and dies in the middle of one batch more. */
void
producer_dies_half_way (CheckParent *parent)
{
  static StepCounts counts;
  StepTrap trap = { steps_find ("A6_WORD_STORED"), 3, SIGKILL };
  DatahubProducerOptions options =
      scenario_options (scenario_of (parent)->scenario->epoch);
  DatahubProducer *producer = create (parent, &options);
  MUST (datahub_producer_publish (producer, &scenario_error));
  check_ready (parent);
  check_hear (parent->in);
  commit_many (parent, producer, 9);
  send (parent, producer, DATAHUB_RECORD_EOS);
  check_tell (parent->out, 2);
  check_hear (parent->in);
  steps_watch (&counts, &trap);
  commit (parent, producer, RECORDS_MAX_BATCH);
}
