/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* User locks: exclusion between processes and threads, recursion, names, and
 * the death of an owner. */
#include "holder.h"
#include "hostile.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#define N_ROUNDS 20000u
#define N_CONTENDERS 10

static DatahubProducer *
zoned_producer (void)
{
  DatahubProducerOptions options = small_options ();
  options.shared_zone_size = 4096;
  return producer_new ("cam0", &options);
}

static DatahubSpinlock *
open_of_producer (DatahubProducer *producer, uint32_t index)
{
  DatahubSpinlock *lock = NULL;
  CHECK_OK (datahub_producer_open_spinlock (producer, index, &lock, &err));
  return lock;
}

static DatahubSpinlock *
open_of_consumer (DatahubConsumer *consumer, uint32_t index)
{
  DatahubSpinlock *lock = NULL;
  CHECK_OK (datahub_consumer_open_spinlock (consumer, index, &lock, &err));
  return lock;
}

static void
recursive (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubSpinlock *ours = open_of_producer (producer, 3);
  DatahubSpinlock *theirs = open_of_consumer (consumer, 3);
  CHECK_OK (datahub_spinlock_lock (ours, 0));
  CHECK_OK (datahub_spinlock_lock (ours, 0));
  CHECK_RESULT (datahub_spinlock_lock (theirs, 0), DATAHUB_TIMEOUT);
  CHECK_RESULT (datahub_spinlock_lock (theirs, 30 * CHECK_MS), DATAHUB_TIMEOUT);
  CHECK_RESULT (datahub_spinlock_unlock (theirs), DATAHUB_ERROR_INVALID);
  CHECK_OK (datahub_spinlock_unlock (ours));
  CHECK_RESULT (datahub_spinlock_lock (theirs, 0), DATAHUB_TIMEOUT);
  CHECK_OK (datahub_spinlock_unlock (ours));
  CHECK_OK (datahub_spinlock_lock (theirs, 0));
  CHECK_RESULT (datahub_spinlock_unlock (ours), DATAHUB_ERROR_INVALID);
  CHECK_OK (datahub_spinlock_unlock (theirs));
  CHECK_RESULT (datahub_spinlock_unlock (theirs), DATAHUB_ERROR_INVALID);
  DatahubSpinlockStats stats;
  datahub_spinlock_get_stats (ours, &stats);
  CHECK_INT (stats.acquisitions, ==, 2);
  CHECK_INT (stats.reclaims, ==, 0);
  CHECK_INT (stats.max_hold_ns, >, 10 * CHECK_MS); /* in ticks of up to 10 ms */
  CHECK (!stats.locked);
  datahub_spinlock_close (ours);
  datahub_spinlock_close (theirs);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Two words that are equal outside of the lock, and differ inside. */
static void
contend (CheckParent *parent)
{
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubSpinlock *lock = open_of_consumer (consumer, 0);
  uint64_t size;
  volatile uint64_t *words = datahub_consumer_get_shared_zone (consumer, &size);
  CHECK (words != NULL);
  for (uint32_t i = 0; i < N_ROUNDS; i++) {
    CHECK_OK (datahub_spinlock_lock (lock, SOON));
    CHECK_INT (words[0], ==, words[1]);
    words[0]++;
    words[1]++;
    CHECK_OK (datahub_spinlock_unlock (lock));
  }
  datahub_spinlock_close (lock);
  datahub_consumer_close (consumer);
  check_tell (parent->out, 1);
}

static void
exclusion (void)
{
  DatahubProducer *producer = zoned_producer ();
  CheckChild children[N_CONTENDERS];
  uint64_t size;
  uint64_t *words = datahub_producer_get_shared_zone (producer, &size);
  CHECK_INT (size, ==, 4096);
  for (int i = 0; i < N_CONTENDERS; i++)
    children[i] = check_fork (contend, NULL);
  for (int i = 0; i < N_CONTENDERS; i++) {
    CHECK_HEAR (children[i].from, 1);
    check_join (&children[i]);
  }
  CHECK_INT (words[0], ==, N_CONTENDERS * N_ROUNDS);
  CHECK_INT (words[1], ==, N_CONTENDERS * N_ROUNDS);
  datahub_producer_close (producer);
}

/* Another process, which has user lock 7. */
static CheckChild
start_owner (void)
{
  static const Holder owner = { .lock = 7 };
  return check_fork_ready (hold_on, &owner);
}

static void
death_of_owner (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubConsumer *second = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubSpinlock *ours = open_of_producer (producer, 7);
  DatahubSpinlock *theirs = open_of_consumer (second, 7);
  CheckChild child = start_owner ();
  CHECK_RESULT (datahub_spinlock_lock (ours, 0), DATAHUB_TIMEOUT);
  check_kill (&child);
  /* exactly one contender gets it, and is told */
  CHECK_RESULT (datahub_spinlock_lock (ours, SOON), DATAHUB_OWNER_DIED);
  CHECK_RESULT (datahub_spinlock_lock (theirs, 0), DATAHUB_TIMEOUT);
  CHECK_OK (datahub_spinlock_unlock (ours));
  CHECK_OK (datahub_spinlock_lock (theirs, 0));
  CHECK_OK (datahub_spinlock_unlock (theirs));
  DatahubSpinlockStats stats;
  datahub_spinlock_get_stats (ours, &stats);
  CHECK_INT (stats.reclaims, ==, 1);
  datahub_spinlock_close (ours);
  datahub_spinlock_close (theirs);
  datahub_consumer_close (second);
  datahub_producer_close (producer);
}

/* A row that is used again has another incarnation: the dead owner's lock is
 * not mistaken for the new owner's. */
static void
row_used_again (void)
{
  DatahubProducer *producer = zoned_producer ();
  CheckChild child = start_owner ();
  check_kill (&child);
  DatahubConsumer *heir = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubSpinlock *lock = open_of_consumer (heir, 7);
  CHECK_RESULT (datahub_spinlock_unlock (lock), DATAHUB_ERROR_INVALID);
  CHECK_RESULT (datahub_spinlock_lock (lock, 0), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_consumer_close (heir);
  datahub_producer_close (producer);
}

static void
stopped_owner_keeps_it (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubSpinlock *lock = open_of_producer (producer, 7);
  CheckChild child = start_owner ();
  kill (child.pid, SIGSTOP);
  CHECK_RESULT (datahub_spinlock_lock (lock, 50 * CHECK_MS), DATAHUB_TIMEOUT);
  check_kill (&child);
  CHECK_RESULT (datahub_spinlock_lock (lock, SOON), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_producer_close (producer);
}

static void *
lock_for_long (void *data)
{
  return (void *) (uintptr_t) datahub_spinlock_lock (data, DATAHUB_FOREVER);
}

static void
interrupted (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubSpinlock *ours = open_of_producer (producer, 1);
  DatahubSpinlock *theirs = open_of_consumer (consumer, 1);
  pthread_t thread;
  void *result;
  CHECK_OK (datahub_spinlock_lock (ours, 0));
  CHECK_INT (pthread_create (&thread, NULL, lock_for_long, theirs), ==, 0);
  datahub_spinlock_set_interrupted (theirs, true);
  pthread_join (thread, &result);
  CHECK_INT ((uintptr_t) result, ==, DATAHUB_INTERRUPTED);
  CHECK_OK (datahub_spinlock_unlock (ours));
  datahub_spinlock_close (ours);
  datahub_spinlock_close (theirs);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
names (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubSpinlock *a = NULL, *b = NULL, *lock = NULL;
  DatahubSpinlockStats stats;
  CHECK_OK (datahub_producer_open_named_spinlock (producer, "metadata", &a,
      &err));
  CHECK_OK (datahub_consumer_open_named_spinlock (consumer, "metadata", &b,
      &err));
  CHECK_OK (datahub_spinlock_lock (a, 0));
  CHECK_RESULT (datahub_spinlock_lock (b, 0), DATAHUB_TIMEOUT);
  CHECK_OK (datahub_spinlock_unlock (a));
  datahub_spinlock_get_stats (b, &stats);
  CHECK_STR (stats.name, "metadata");
  for (int i = 1; i < DATAHUB_N_SPINLOCKS; i++) {
    char name[8] = { 'n', (char) ('0' + i), 0 };
    CHECK_OK (datahub_producer_open_named_spinlock (producer, name, &lock,
        &err));
    datahub_spinlock_close (lock);
  }
  CHECK_RESULT (datahub_producer_open_named_spinlock (producer, "ninth", &lock,
                    &err),
      DATAHUB_ERROR_FULL);
  CHECK (lock == NULL);
  CHECK_RESULT (datahub_producer_open_named_spinlock (producer, "", &lock,
                    &err),
      DATAHUB_ERROR_NAME);
  CHECK_RESULT (datahub_producer_open_named_spinlock (producer,
                    "a name of more than 23 characters", &lock, &err),
      DATAHUB_ERROR_NAME);
  CHECK_RESULT (datahub_producer_open_spinlock (producer, 8, &lock, &err),
      DATAHUB_ERROR_INVALID);
  datahub_spinlock_close (a);
  datahub_spinlock_close (b);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Somebody died over the names: the next one is told, and they are sound. */
static void
registry_owner_died (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubSpinlock *lock = NULL;
  DatahubSpinlockStats stats;
  CHECK_OK (datahub_producer_open_named_spinlock (producer, "first", &lock,
      &err));
  datahub_spinlock_close (lock);
  Intrusion con = intrude (".con");
  WakePage *wake = (WakePage *) con.bytes;
  memcpy ((void *) wake->user_locks[1].name, "first", 6);
  memcpy ((void *) wake->user_locks[2].name, "\xff\xfe\x01", 4);
  wake->registry_dirty = 1;
  CHECK_RESULT (datahub_producer_open_named_spinlock (producer, "second", &lock,
                    &err),
      DATAHUB_OWNER_DIED);
  datahub_spinlock_get_stats (lock, &stats);
  CHECK_INT (stats.index, ==, 1);
  datahub_spinlock_close (lock);
  CHECK_OK (datahub_producer_open_named_spinlock (producer, "first", &lock,
      &err));
  datahub_spinlock_get_stats (lock, &stats);
  CHECK_INT (stats.index, ==, 0);
  datahub_spinlock_close (lock);
  intrusion_end (&con);
  datahub_producer_close (producer);
}

static void
hostile_owner (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubSpinlock *lock = open_of_producer (producer, 0);
  Intrusion con = intrude (".con");
  WakePage *wake = (WakePage *) con.bytes;
  /* a participant that cannot be is as good as dead */
  wake->user_locks[0].owner = UINT64_C (0xfff0) << 48 | 77;
  CHECK_RESULT (datahub_spinlock_lock (lock, SOON), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  intrusion_end (&con);
  datahub_spinlock_close (lock);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a lock is recursive, and refuses whoever does not have it", recursive },
  { "processes exclude each other", exclusion },
  { "a dead owner's lock goes to one contender, who is told", death_of_owner },
  { "a row used again does not own what its dead owner held", row_used_again },
  { "a stopped owner keeps its lock", stopped_owner_keeps_it },
  { "an interrupt ends the wait for a lock", interrupted },
  { "locks have names", names },
  { "who died over the names is told, and they are repaired",
      registry_owner_died },
  { "an impossible owner holds nothing", hostile_owner },
};

CHECK_MAIN (tests)
