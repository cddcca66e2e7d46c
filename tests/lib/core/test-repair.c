/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repairing a block in place, and taking one thing from a dead holder: what is
 * right is done once, by one, and again where somebody died over it; what lives
 * loses nothing. */
#include "findings.h"
#include "holder.h"
#include "life.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  uint32_t n, of_kind[DATAHUB_N_REPAIRS];
  DatahubRepair last[DATAHUB_N_REPAIRS];
} Repairs;

static void
note (const DatahubRepair *action, void *user_data)
{
  Repairs *repairs = user_data;
  CHECK_INT (action->kind, <, DATAHUB_N_REPAIRS);
  repairs->n++;
  repairs->of_kind[action->kind]++;
  repairs->last[action->kind] = *action;
}

static Repairs
repair (uint32_t flags)
{
  Repairs repairs;
  uint32_t n;
  memset (&repairs, 0, sizeof repairs);
  CHECK_OK (datahub_block_repair ("cam0", flags, SOON, note, &repairs, &n,
      &err));
  CHECK_INT (n, ==, repairs.n);
  return repairs;
}

/* A consumer that holds two records and user lock 5, and sleeps for a third. */
static CheckChild
start_holder (void)
{
  static const Holder holder = { .reliable = true,
    .records = 2,
    .lock = 5,
    .inherits = true };
  return check_fork_ready (hold_on, &holder);
}

/* Beside a producer at work: everything of a dead consumer, and once only. */
static void
dead_consumer (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 4);
  CheckChild child = start_holder ();
  CHECK_INT (repair (0).n, ==, 0);
  check_stop (&child);
  CHECK_INT (repair (0).n, ==, 0);
  check_kill (&child);
  /* a dry run says it, and does nothing */
  for (int i = 0; i < 2; i++) {
    Repairs dry = repair (DATAHUB_REPAIR_DRY_RUN);
    CHECK_INT (dry.n, ==, 2);
    CHECK_CONTAINS (dry.last[DATAHUB_REPAIR_ROW].message, "2 records");
    CHECK_CONTAINS (dry.last[DATAHUB_REPAIR_LOCK].message, "User lock 5");
    check_found (DATAHUB_FINDING_CONSUMER_DEAD, "dead");
  }
  Repairs done = repair (0);
  CHECK_INT (done.of_kind[DATAHUB_REPAIR_ROW], ==, 1);
  CHECK_INT (done.of_kind[DATAHUB_REPAIR_LOCK], ==, 1);
  CHECK_INT (done.n, ==, 2);
  check_healthy ();
  CHECK_INT (repair (0).n, ==, 0);
  /* the gate is open, the slots are back, and the lock tells who takes it */
  commit_buffers (producer, 4, 40);
  DatahubSpinlock *lock = NULL;
  DatahubSpinlockStats stats;
  CHECK_OK (datahub_producer_open_spinlock (producer, 5, &lock, &err));
  datahub_spinlock_get_stats (lock, &stats);
  CHECK (!stats.locked);
  CHECK_RESULT (datahub_spinlock_lock (lock, SOON), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  CHECK_OK (datahub_spinlock_lock (lock, 0));
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_producer_close (producer);
}

static void
lock_names (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubSpinlock *lock = NULL;
  CHECK_OK (datahub_producer_open_named_spinlock (producer, "meta", &lock,
      &err));
  datahub_spinlock_close (lock);
  Intrusion con = intrude (".con");
  WakePage *wake = (WakePage *) con.bytes;
  memcpy ((void *) wake->user_locks[1].name, "meta", 5);
  wake->registry_dirty = 1;
  CHECK_INT (repair (DATAHUB_REPAIR_DRY_RUN).of_kind[DATAHUB_REPAIR_NAMES], ==,
      1);
  CHECK_INT (repair (0).of_kind[DATAHUB_REPAIR_NAMES], ==, 1);
  CHECK_INT (wake->registry_dirty, ==, 0);
  CHECK_INT (wake->user_locks[1].name[0], ==, 0);
  CHECK_INT (repair (0).n, ==, 0);
  check_healthy ();
  intrusion_end (&con);
  datahub_producer_close (producer);
}

static void
stray_pools (void)
{
  /* of a living producer they are none of ours: it may be growing */
  DatahubProducer *producer = producer_new ("cam0", NULL);
  make_stray_pool ();
  CHECK_INT (repair (0).n, ==, 0);
  CHECK_INT (check_count_files (), ==, 7);
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);

  leave_dead_block ();
  uint32_t files = check_count_files ();
  make_stray_pool ();
  CHECK_INT (repair (DATAHUB_REPAIR_DRY_RUN).of_kind[DATAHUB_REPAIR_POOL_FILES],
      ==, 1);
  CHECK_INT (check_count_files (), ==, files + 1);
  CHECK_INT (repair (0).of_kind[DATAHUB_REPAIR_POOL_FILES], ==, 1);
  CHECK_INT (check_count_files (), ==, files);
  CHECK_INT (repair (0).n, ==, 0);
  /* a successor goes on with it all the same */
  producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "caps");
  expect_buffers (consumer, 0, 7);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* A table that somebody changed does not make a pool a stray one. */
static void
pools_of_a_damaged_table (void)
{
  leave_dead_block ();
  uint32_t files = check_count_files ();
  Intrusion ctl = intrude (".ctl");
  PoolEntry *entries = section_of (&ctl, SECTION_POOLS);
  const uint32_t gens[] = { 0, 3, UINT32_MAX };
  for (size_t i = 0; i < sizeof gens / sizeof gens[0]; i++) {
    entries[1].gen = gens[i];
    CHECK_INT (repair (0).n, ==, 0);
    CHECK_INT (check_count_files (), ==, files);
    intrusion_restore (&ctl);
  }
  intrusion_end (&ctl);
  /* where a file is not what the table says, the others are left alone too */
  Intrusion pool = intrude (".d2");
  ((PoolPage *) pool.bytes)->gen = 9;
  make_stray_pool ();
  CHECK_INT (repair (0).n, ==, 0);
  CHECK_INT (check_count_files (), ==, files + 1);
  intrusion_restore (&pool);
  CHECK_INT (repair (0).n, ==, 1);
  CHECK_INT (check_count_files (), ==, files);
  intrusion_end (&pool);
  datahub_block_reclaim (false, NULL, NULL, NULL);
}

/* Attaches, reads until the stream is over, and says how it ended. */
static void
read_to_the_end (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubResult result;
  DatahubView view;
  check_ready (parent);
  do {
    result = datahub_consumer_begin_read (consumer, SOON, &view, &err);
    if (result == DATAHUB_OK)
      datahub_consumer_end_read (consumer, &view);
  } while (result == DATAHUB_OK || result == DATAHUB_PRODUCER_LOST);
  check_tell (parent->out, result);
  datahub_consumer_close (consumer);
}

static void
dead_producer (void)
{
  DatahubIntegrityReport report;
  Life life = small_life (0, 5);
  CheckChild child = start_life (&life);
  CheckChild reader = check_fork_ready (read_to_the_end, NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  /* never from a living one, stopped or not */
  CHECK_INT (repair (DATAHUB_REPAIR_CLOSE_DEAD).n, ==, 0);
  check_stop (&child);
  CHECK_INT (repair (DATAHUB_REPAIR_CLOSE_DEAD).n, ==, 0);
  check_kill (&child);
  /* not asked for: left for a successor */
  CHECK_INT (repair (0).n, ==, 0);
  check_found (DATAHUB_FINDING_PRODUCER_DEAD, "dead");
  CHECK_INT (repair (DATAHUB_REPAIR_DRY_RUN | DATAHUB_REPAIR_CLOSE_DEAD)
                 .of_kind[DATAHUB_REPAIR_CLOSE],
      ==, 1);
  check_found (DATAHUB_FINDING_PRODUCER_DEAD, "dead");
  Repairs done = repair (DATAHUB_REPAIR_CLOSE_DEAD);
  CHECK_INT (done.of_kind[DATAHUB_REPAIR_CLOSE], ==, 1);
  /* readers are woken, read to the end, and are told */
  CHECK_HEAR (reader.from, DATAHUB_CLOSED);
  check_join (&reader);
  expect_buffers (consumer, 0, 5);
  check_healthy ();
  CHECK_INT (repair (DATAHUB_REPAIR_CLOSE_DEAD).n, ==, 0);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_NOT_FOUND);
  /* the last one removes what is left */
  datahub_consumer_close (consumer);
  CHECK_RESULT (datahub_block_validate ("cam0", 0, NULL, NULL, &report, &err),
      DATAHUB_ERROR_NOT_FOUND);

  /* with nobody left it is removed at once */
  leave_dead_block ();
  CHECK_INT (repair (DATAHUB_REPAIR_CLOSE_DEAD).of_kind[DATAHUB_REPAIR_CLOSE],
      ==, 1);
  CHECK_INT (check_count_files (), ==, 0);
}

/* Damage is not guessed away. */
static void
damage (void)
{
  leave_dead_block ();
  Intrusion ctl = intrude (".ctl");
  *ring_word_of (&ctl, 3) = RING_WORD (3, 60000);
  ((BlockHeader *) ctl.bytes)->flush_seq = 99;
  CHECK_INT (repair (0).n, ==, 0);
  check_found (DATAHUB_FINDING_RING_WORD, "record 3");
  check_found (DATAHUB_FINDING_COUNTERS, "99");
  intrusion_end (&ctl);
  datahub_block_reclaim (false, NULL, NULL, NULL);
  uint32_t n;
  CHECK_RESULT (datahub_block_repair ("cam0", 0, 0, NULL, NULL, &n, &err),
      DATAHUB_ERROR_NOT_FOUND);
}

/* A row that no consumer left so: nobody has its lock, so it may be cleaned. */
static void
hostile_row (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  Intrusion con = intrude (".con");
  ConsumerRow *row = row_at (&con, 70);
  row->state = 77;
  row->gate = GATE_WORD (9, 0);
  row->pins[0] = UINT64_MAX;
  check_found (DATAHUB_FINDING_CONSUMER_DEAD, "Row 70 has no owner");
  CHECK_INT (repair (0).of_kind[DATAHUB_REPAIR_ROW], ==, 1);
  check_healthy ();
  intrusion_end (&con);
  datahub_producer_close (producer);
}

/* Two at once: one does it, the other finds nothing to do. */

static void
repair_when_told (CheckParent *parent)
{
  uint32_t n = 0;
  check_hear (parent->in);
  CHECK_OK (datahub_block_repair ("cam0", 0, SOON, NULL, NULL, &n, &err));
  check_tell (parent->out, n);
}

static void
two_repairers (void)
{
  for (int round = 0; round < 10; round++) {
    DatahubProducer *producer = producer_new ("cam0", NULL);
    CheckChild repairers[4];
    uint64_t done = 0, most = 0;
    commit_buffers (producer, 0, 4);
    CheckChild child = start_holder ();
    for (int i = 0; i < 4; i++)
      repairers[i] = check_fork (repair_when_told, NULL);
    check_kill (&child);
    for (int i = 0; i < 4; i++)
      check_tell (repairers[i].to, 1);
    for (int i = 0; i < 4; i++) {
      uint64_t n = check_hear (repairers[i].from);
      done += n;
      most = n > most ? n : most;
      check_join (&repairers[i]);
    }
    CHECK_INT (done, ==, 2);
    CHECK_INT (most, ==, 2); /* by one of them */
    check_healthy ();
    datahub_producer_close (producer);
  }
}

static void
busy (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  uint32_t n;
  int fd = open (check_find_file (".lck"), O_RDWR | O_CLOEXEC);
  struct flock lock = { .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = LOCK_BYTE_JANITOR,
    .l_len = 1 };
  CHECK (fcntl (fd, F_OFD_SETLK, &lock) == 0);
  CHECK_RESULT (datahub_block_repair ("cam0", 0, 0, NULL, NULL, &n, &err),
      DATAHUB_ERROR_BUSY);
  CHECK_CONTAINS (err.message, "Another process is repairing");
  CHECK_RESULT (datahub_block_repair ("cam0", 0, 10 * CHECK_MS, NULL, NULL, &n,
                    &err),
      DATAHUB_ERROR_BUSY);
  /* looking needs no lock */
  CHECK_OK (datahub_block_repair ("cam0", DATAHUB_REPAIR_DRY_RUN, 0, NULL, NULL,
      &n, &err));
  close (fd);
  CHECK_OK (datahub_block_repair ("cam0", 0, 0, NULL, NULL, &n, &err));
  datahub_producer_close (producer);
}

/* Forced release. */

static DatahubResult
release (DatahubHeldThing thing)
{
  thing.struct_size = sizeof thing;
  return datahub_block_release ("cam0", &thing, &err);
}

/* Where record @sequence lies. */
static uint32_t
place_of (uint64_t sequence)
{
  Intrusion ctl = intrude (".ctl");
  uint32_t record = RING_RECORD (*ring_word_of (&ctl, sequence));
  intrusion_end (&ctl);
  return record;
}

static DatahubSlotInfo
slot_held (void)
{
  DatahubDiagnosis *d = NULL;
  DatahubSlotInfo slot = { .holder = DATAHUB_NO_ROW };
  CHECK_OK (datahub_block_diagnose ("cam0", NULL, NULL, NULL, &d, &err));
  for (uint32_t i = 0; i < d->n_slots; i++)
    if (d->slots[i].holder != DATAHUB_NO_ROW)
      slot = d->slots[i];
  datahub_diagnosis_free (d);
  return slot;
}

static uint64_t
id_of_row_0 (void)
{
  DatahubConsumerInfo info;
  uint32_t n;
  CHECK_OK (datahub_block_inspect_consumers ("cam0", &info, 1, &n, &err));
  CHECK_INT (n, ==, 1);
  return info.id;
}

static void
refused_for_the_living (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 4);
  CheckChild child = start_holder ();
  uint64_t id = id_of_row_0 ();
  DatahubSlotInfo slot = slot_held ();
  DatahubHeldThing things[] = {
    { .kind = DATAHUB_HELD_ROW, .row = 0, .holder = id },
    { .kind = DATAHUB_HELD_ROW, .row = 0 },
    { .kind = DATAHUB_HELD_RECORD, .row = 0, .record = place_of (0) },
    { .kind = DATAHUB_HELD_SLOT, .pool = slot.pool, .slot = slot.slot },
    { .kind = DATAHUB_HELD_LOCK, .lock = 5 },
  };
  char pid[32];
  snprintf (pid, sizeof pid, "End process %d", (int) child.pid);
  for (int stopped = 0; stopped < 2; stopped++) {
    for (size_t i = 0; i < sizeof things / sizeof things[0]; i++) {
      CHECK_RESULT (release (things[i]), DATAHUB_ERROR_BUSY);
      CHECK_CONTAINS (err.message, "nothing was released");
      CHECK_CONTAINS (err.message, pid);
    }
    if (!stopped)
      check_stop (&child);
  }
  DatahubSpinlock *lock = NULL;
  CHECK_OK (datahub_producer_open_spinlock (producer, 2, &lock, &err));
  CHECK_OK (datahub_spinlock_lock (lock, 0));
  CHECK_RESULT (release ((DatahubHeldThing){ .kind = DATAHUB_HELD_LOCK,
                    .lock = 2 }),
      DATAHUB_ERROR_BUSY);
  CHECK_CONTAINS (err.message, "End the producer");
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  /* nothing of it was touched */
  DatahubConsumerInfo info;
  uint32_t n;
  CHECK_OK (datahub_block_inspect_consumers ("cam0", &info, 1, &n, &err));
  CHECK_INT (info.pins, ==, 2);
  CHECK_INT (info.id, ==, id);
  check_healthy ();
  check_kill (&child);
  datahub_producer_close (producer);
}

/* A slot that a dead and a living consumer hold: all of it or nothing. */
static void
held_by_both (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 4);
  CheckChild dead = start_holder ();
  DatahubConsumer *living = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView first = read_record (living), second = read_record (living);
  DatahubSlotInfo slot = slot_held ();
  DatahubHeldThing thing = { .kind = DATAHUB_HELD_SLOT,
    .pool = slot.pool,
    .slot = slot.slot };
  DatahubConsumerInfo infos[2];
  uint32_t n;
  check_kill (&dead);
  CHECK_RESULT (release (thing), DATAHUB_ERROR_BUSY);
  CHECK_CONTAINS (err.message, "(row 1) is alive");
  CHECK_OK (datahub_block_inspect_consumers ("cam0", infos, 2, &n, &err));
  CHECK_INT (n, ==, 2);
  CHECK_INT (infos[0].pins, ==, 2);
  CHECK_INT (infos[1].pins, ==, 2);
  datahub_consumer_end_read (living, &first);
  datahub_consumer_end_read (living, &second);
  CHECK_OK (release (thing));
  datahub_consumer_close (living);
  datahub_producer_close (producer);
}

/* One thing after the other; the producer goes on. */
static void
taken_from_the_dead (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 4);
  CheckChild child = start_holder ();
  uint64_t id = id_of_row_0 ();
  check_kill (&child);
  CHECK_OK (release ((DatahubHeldThing){ .kind = DATAHUB_HELD_LOCK,
      .lock = 5 }));
  CHECK_RESULT (release ((DatahubHeldThing){ .kind = DATAHUB_HELD_LOCK,
                    .lock = 5 }),
      DATAHUB_ERROR_NOT_FOUND);
  DatahubSlotInfo slot = slot_held ();
  DatahubHeldThing in_slot = { .kind = DATAHUB_HELD_SLOT,
    .pool = slot.pool,
    .slot = slot.slot };
  CHECK_OK (release (in_slot));
  CHECK_RESULT (release (in_slot), DATAHUB_ERROR_NOT_FOUND);
  CHECK_CONTAINS (err.message, "No consumer holds slot");
  slot = slot_held ();
  CHECK_INT (slot.holder, ==, 0);
  DatahubHeldThing record = { .kind = DATAHUB_HELD_RECORD,
    .row = 0,
    .record = place_of (slot.sequence),
    .holder = id };
  CHECK_OK (release (record));
  CHECK_RESULT (release (record), DATAHUB_ERROR_NOT_FOUND);
  CHECK_INT (slot_held ().holder, ==, DATAHUB_NO_ROW);
  /* the row is still that of the dead: its gate */
  check_found (DATAHUB_FINDING_CONSUMER_DEAD, "it holds: 0");
  DatahubHeldThing row = { .kind = DATAHUB_HELD_ROW, .row = 0, .holder = id };
  CHECK_OK (release (row));
  CHECK_RESULT (release (row), DATAHUB_ERROR_NOT_FOUND);
  check_healthy ();
  commit_buffers (producer, 4, 40);
  datahub_producer_close (producer);
}

/* The one who was meant is gone, and another has its place. */
static void
not_the_one_meant (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 4);
  CheckChild first = start_holder ();
  uint64_t id = id_of_row_0 ();
  check_kill (&first);
  CheckChild second = start_holder (); /* takes the row over */
  uint64_t other = id_of_row_0 ();
  CHECK_INT (other, !=, id);
  check_kill (&second);
  CHECK_RESULT (release ((DatahubHeldThing){ .kind = DATAHUB_HELD_ROW,
                    .row = 0,
                    .holder = id }),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK_RESULT (release ((DatahubHeldThing){ .kind = DATAHUB_HELD_RECORD,
                    .row = 0,
                    .record = place_of (0),
                    .holder = id }),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK_RESULT (release ((DatahubHeldThing){ .kind = DATAHUB_HELD_LOCK,
                    .lock = 5,
                    .holder = 1 }),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK_OK (release ((DatahubHeldThing){ .kind = DATAHUB_HELD_ROW,
      .row = 0,
      .holder = other }));
  datahub_producer_close (producer);
}

static void
impossible_things (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  const uint32_t numbers[] = { 128, 256, 0x10000, UINT32_MAX };
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    uint32_t n = numbers[i] == 128 ? 8 : numbers[i]; /* of locks there are 8 */
    DatahubHeldThing things[] = {
      { .kind = DATAHUB_HELD_ROW, .row = numbers[i] },
      { .kind = DATAHUB_HELD_RECORD, .row = numbers[i], .record = 1 },
      { .kind = DATAHUB_HELD_RECORD, .row = 1, .record = UINT32_MAX - 128 + n },
      { .kind = DATAHUB_HELD_SLOT, .pool = numbers[i], .slot = numbers[i] },
      { .kind = DATAHUB_HELD_LOCK, .lock = n },
    };
    for (size_t k = 0; k < sizeof things / sizeof things[0]; k++)
      CHECK_RESULT (release (things[k]), DATAHUB_ERROR_NOT_FOUND);
  }
  CHECK_RESULT (release ((DatahubHeldThing){ .kind = (DatahubHeldKind) 9 }),
      DATAHUB_ERROR_INVALID);
  datahub_producer_close (producer);
  CHECK_RESULT (release ((DatahubHeldThing){ .kind = DATAHUB_HELD_ROW }),
      DATAHUB_ERROR_NOT_FOUND);
}

static const CheckTest tests[] = {
  { "what a dead consumer left is cleaned once, a stopped one's is not",
      dead_consumer },
  { "names of locks that somebody died over are repaired", lock_names },
  { "pool files of a dead producer that no table names are removed",
      stray_pools },
  { "a pool that a damaged table does not name is kept",
      pools_of_a_damaged_table },
  { "a dead producer's block is closed only when asked to, and readers are "
    "woken",
      dead_producer },
  { "damage is left as it is", damage },
  { "an impossible row without an owner is cleaned", hostile_row },
  { "of several repairers at once exactly one acts", two_repairers },
  { "a second repairer waits no longer than it was told", busy },
  { "nothing is taken from who lives", refused_for_the_living },
  { "of a slot that a living one holds too nothing is taken", held_by_both },
  { "things are taken from the dead one by one", taken_from_the_dead },
  { "another holder than the one meant keeps what it has", not_the_one_meant },
  { "things that there are not are refused", impossible_things },
};
CHECK_MAIN (tests)
