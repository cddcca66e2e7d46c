/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes of other PID namespaces: numbers mean nothing between them, kernel
 * locks mean the same everywhere. The first process of each namespace has the
 * number 1, and so has its thread: two of them are the worst case of a number
 * that is used again. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL "namespaces"
/* What a child says when it may not have a namespace. */
#define REFUSED UINT64_C (404)

/* With the same user inside as outside: who is not root needs a user namespace
 * for it. */
static bool
leave_namespace (void)
{
  char map[64];
  if (unshare (CLONE_NEWPID) == 0)
    return true;
  snprintf (map, sizeof map, "%u %u 1", geteuid (), geteuid ());
  return unshare (CLONE_NEWUSER | CLONE_NEWPID) == 0
      && check_write_file ("/proc/self/uid_map", map);
}

typedef void (*Run) (CheckParent *parent);

/* Its parent is outside, and takes it along when it is killed. */
static void
run_inside (CheckParent *parent)
{
  Run run = (Run) parent->data;
  if (!leave_namespace ()) {
    check_tell (parent->out, REFUSED);
    return;
  }
  pid_t pid = fork ();
  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    CHECK_INT (getpid (), ==, 1);
    run (parent);
    _exit (0);
  }
  int status = 1;
  CHECK (pid > 0 && waitpid (pid, &status, 0) == pid);
  CHECK_INT (status, ==, 0);
}

/* Returns when the child says that it is ready. */
static CheckChild
start_inside (Run run)
{
  CheckChild child = check_fork (run_inside, (const void *) run);
  uint64_t word = check_hear (child.from);
  if (word == REFUSED) {
    check_join (&child);
    check_allow_files ();
    check_skip ("PID namespaces may not be made here");
  }
  CHECK_INT (word, ==, 1);
  return child;
}

static DatahubConsumer *
attach (void)
{
  return consumer_new (CHANNEL, true, DATAHUB_START_OLDEST);
}

static DatahubSpinlock *
open_lock (DatahubConsumer *consumer)
{
  DatahubSpinlock *lock;
  CHECK_OK (datahub_consumer_open_spinlock (consumer, 0, &lock, &err));
  return lock;
}

/* Children. Each says 1 when it is ready and waits for a word. */

static void
reader (CheckParent *parent)
{
  DatahubConsumer *consumer = attach ();
  DatahubView view = read_record (consumer);
  check_buffer (&view, 0, 1000);
  check_ready (parent);
  check_hear (parent->in);
  datahub_consumer_end_read (consumer, &view);
  expect_buffers (consumer, 1, 3);
  datahub_consumer_close (consumer);
}

static void
owner (CheckParent *parent)
{
  DatahubConsumer *consumer = attach ();
  DatahubSpinlock *lock = open_lock (consumer);
  CHECK_OK (datahub_spinlock_lock (lock, SOON));
  check_ready (parent);
  check_hear (parent->in);
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_consumer_close (consumer);
}

static void
bystander (CheckParent *parent)
{
  DatahubConsumer *consumer = attach ();
  check_ready (parent);
  check_hear (parent->in);
  datahub_consumer_close (consumer);
}

/* Tells what it gets. */
static void
contender (CheckParent *parent)
{
  DatahubConsumer *consumer = attach ();
  DatahubSpinlock *lock = open_lock (consumer);
  check_ready (parent);
  check_hear (parent->in);
  check_tell (parent->out, datahub_spinlock_lock (lock, SOON));
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_consumer_close (consumer);
}

static uint32_t
count_consumers (DatahubProducer *producer)
{
  DatahubConsumerInfo infos[8];
  return datahub_producer_list_consumers (producer, infos, 8);
}

/* Killed outside, it is gone inside soon. */
static void
kill_and_wait (CheckChild *child, DatahubProducer *producer, uint32_t left)
{
  check_kill (child);
  CHECK_UNTIL (count_consumers (producer) == left);
}

static void
finish (CheckChild *child)
{
  check_tell (child->to, 1);
  check_join (child);
}

/* Tests. */

static void
reads_and_is_alive (void)
{
  DatahubProducer *producer = producer_new (CHANNEL, NULL);
  DatahubConsumerInfo info;
  commit_buffers (producer, 0, 4);
  CheckChild child = start_inside (reader);
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 1);
  CHECK_INT (info.pid, ==, 1); /* a number for people, of another namespace */
  CHECK_INT (info.pins, ==, 1);
  finish (&child);
  CHECK_INT (count_consumers (producer), ==, 0);
  datahub_producer_close (producer);
}

static void
dies_there (void)
{
  DatahubProducer *producer = producer_new (CHANNEL, NULL);
  commit_buffers (producer, 0, 4);
  CheckChild child = start_inside (reader);
  kill_and_wait (&child, producer, 0);
  /* It was reliable, and held the first: neither is in the way any more. */
  commit_buffers (producer, 4, 100);
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  CHECK_INT (producer_stats (producer).reaped, ==, 1);
  DatahubConsumer *consumer = attach ();
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static DatahubSpinlock *
lock_of (DatahubProducer *producer)
{
  DatahubSpinlock *lock;
  CHECK_OK (datahub_producer_open_spinlock (producer, 0, &lock, &err));
  return lock;
}

static void
lock_is_held_there (void)
{
  DatahubProducer *producer = producer_new (CHANNEL, NULL);
  DatahubSpinlock *lock = lock_of (producer);
  CheckChild child = start_inside (owner);
  CHECK_RESULT (datahub_spinlock_lock (lock, 0), DATAHUB_TIMEOUT);
  CHECK_RESULT (datahub_spinlock_lock (lock, 30 * CHECK_MS), DATAHUB_TIMEOUT);
  check_kill (&child);
  CHECK_RESULT (datahub_spinlock_lock (lock, SOON), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_producer_close (producer);
}

/* Process 1 holds the lock, and process 1 dies: not the same. */
static void
namesake_dies (void)
{
  DatahubProducer *producer = producer_new (CHANNEL, NULL);
  DatahubSpinlock *lock = lock_of (producer);
  CheckChild first = start_inside (owner);
  CheckChild second = start_inside (bystander);
  kill_and_wait (&second, producer, 1);
  CHECK_RESULT (datahub_spinlock_lock (lock, 30 * CHECK_MS), DATAHUB_TIMEOUT);
  finish (&first);
  CHECK_OK (datahub_spinlock_lock (lock, SOON));
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_producer_close (producer);
}

/* Process 1 dies with the lock, while process 1 lives. */
static void
namesake_lives (void)
{
  DatahubProducer *producer = producer_new (CHANNEL, NULL);
  CheckChild first = start_inside (owner);
  CheckChild second = start_inside (contender);
  kill_and_wait (&first, producer, 1);
  check_tell (second.to, 1);
  CHECK_HEAR (second.from, DATAHUB_OWNER_DIED);
  check_join (&second);
  datahub_producer_close (producer);
}

/* Same row, same thread number: but for the row's incarnation the word in the
 * lock would be its own, and this a recursion. */
static void
namesake_comes (void)
{
  DatahubProducer *producer = producer_new (CHANNEL, NULL);
  CheckChild first = start_inside (owner);
  kill_and_wait (&first, producer, 0);
  CheckChild second = start_inside (contender);
  DatahubConsumerInfo info;
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 1);
  CHECK_INT (info.row, ==, 0);
  check_tell (second.to, 1);
  CHECK_HEAR (second.from, DATAHUB_OWNER_DIED);
  check_join (&second);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a consumer in another PID namespace reads, and is alive",
      reads_and_is_alive },
  { "one that dies in another PID namespace gives everything back",
      dies_there },
  { "a user lock held in another PID namespace is not taken from the living",
      lock_is_held_there },
  { "the death of a process of the same number is not the owner's",
      namesake_dies },
  { "a living process of the same number is not the dead owner",
      namesake_lives },
  { "who takes the dead owner's row, with its number, is told that it died",
      namesake_comes },
};
CHECK_MAIN (tests)
