/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The door of a strict block when guests give back less than they say. */
#include "fixture.h"

#include "datahub/consumer-private.h"
#include "datahub/door-private.h"
#include "datahub/producer-private.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static DatahubProducer *
strict_producer (void)
{
  DatahubProducerOptions options = small_options ();
  options.strict = true;
  return producer_new ("cam0", &options);
}

/* Greets as a consumer and is let in. Returns the connection; what came over it
 * is given back at once, the lock that says who lives with it. */
static int
come_and_drop_all (const char *uuid)
{
  DoorHello hello = { .magic = DOOR_MAGIC,
    .version = DOOR_VERSION,
    .wish = DOOR_WISH_CONSUME };
  DoorAnswer answer;
  Uuid block;
  char name[128];
  int fds[OS_FDS_MAX], fd, dir = os_open_directory (NULL);
  uint32_t n_fds = 0;
  snprintf (name, sizeof name, "datahub-%u-%s.sck", (unsigned) geteuid (),
      uuid);
  CHECK (uuid_from_text (uuid, &block));
  memcpy (hello.uuid, block.bytes, sizeof hello.uuid);
  fd = os_connect (dir, name);
  close (dir);
  CHECK (fd >= 0 && os_send (fd, &hello, sizeof hello, NULL, 0));
  CHECK (os_wait_readable (fd, -1, SOON));
  CHECK (os_receive (fd, &answer, sizeof answer, fds, &n_fds)
      == (ssize_t) sizeof answer);
  CHECK_INT (answer.status, ==, DOOR_GRANTED);
  for (uint32_t i = 0; i < n_fds; i++)
    close (fds[i]);
  return fd;
}

/* A guest is let in again and again, keeps every connection and gives up every
 * row: there are never more guests than rows. */
static void
connections_without_rows (void)
{
  enum
  {
    VISITS = 2 * MAX_ROWS
  };
  struct rlimit limit = { 2048, 2048 };
  int visits[VISITS];
  setrlimit (RLIMIT_NOFILE, &limit);
  DatahubProducer *producer = strict_producer ();
  uint32_t before = check_count_fds ();
  for (int i = 0; i < VISITS; i++)
    visits[i] = come_and_drop_all (datahub_producer_get_uuid (producer));
  /* the producer's ends of them: of the newest, and perhaps of one that goes */
  CHECK_INT (check_count_fds () - before, <, VISITS + 16);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 5);
  expect_buffers (consumer, 0, 5);
  datahub_consumer_close (consumer);
  for (int i = 0; i < VISITS; i++)
    close (visits[i]);
  datahub_producer_close (producer);
}

static void
publish_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = strict_producer ();
  check_tell (parent->out, 1);
  check_hear (parent->in);
  datahub_producer_close (producer);
}

static void
locks_and_waits (CheckParent *parent)
{
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSpinlock *lock;
  CHECK_OK (datahub_consumer_open_spinlock (consumer, 3, &lock, &err));
  CHECK_OK (datahub_spinlock_lock (lock, SOON));
  check_tell (parent->out, 1);
  check_hear (parent->in);
  CHECK_OK (datahub_spinlock_unlock (lock));
  check_tell (parent->out, 2);
  check_hear (parent->in);
  CHECK_OK (datahub_spinlock_lock (lock, SOON));
  check_tell (parent->out, 3);
  check_hear (parent->in);
}

/* With the producer dead nobody tells who lives, but the kernel. */
static void
locks_after_the_producer (void)
{
  CheckChild producer = check_fork (publish_and_wait, NULL);
  CHECK_HEAR (producer.from, 1);
  CheckChild owner = check_fork (locks_and_waits, NULL);
  CHECK_HEAR (owner.from, 1);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSpinlock *lock;
  CHECK_OK (datahub_consumer_open_spinlock (consumer, 3, &lock, &err));
  check_kill (&producer);
  /* its owner lives */
  CHECK_RESULT (datahub_spinlock_lock (lock, 50 * CHECK_MS), DATAHUB_TIMEOUT);
  check_tell (owner.to, 1);
  CHECK_HEAR (owner.from, 2);
  CHECK_OK (datahub_spinlock_lock (lock, SOON));
  CHECK_OK (datahub_spinlock_unlock (lock));
  check_tell (owner.to, 1);
  CHECK_HEAR (owner.from, 3);
  CHECK_RESULT (datahub_spinlock_lock (lock, 0), DATAHUB_TIMEOUT);
  check_kill (&owner);
  CHECK_RESULT (datahub_spinlock_lock (lock, SOON), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_consumer_close (consumer);
}

/* Pools that came and went while a guest did something else are let go of. */
static void
pools_that_went (void)
{
  DatahubProducer *producer = strict_producer ();
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  uint64_t size = 4096;
  commit_buffer (producer, 0, size);
  expect_buffer (consumer, 0, size);
  for (uint64_t i = 1; i < 5; i++) {
    size *= 2;
    /* more than the ring keeps, so the pool before goes */
    for (uint64_t k = 0; k < 20; k++)
      commit_buffer (producer, 100 * i + k, size);
  }
  CHECK_INT (producer_stats (producer).growths, ==, 4);
  expect_buffer (consumer, 419, size);
  CHECK_INT (consumer->block.pass->n_pools, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "guests that keep connections and give up rows do not add up",
      connections_without_rows },
  { "a lock of a consumer that died after the producer is taken from it",
      locks_after_the_producer },
  { "a guest keeps no pool that it never saw", pools_that_went },
};
CHECK_MAIN (tests)
