/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The descriptors that a producer and a consumer keep open. A process may have
 * hundreds of blocks open; the shared memory directory costs it one descriptor in
 * all. */
#include "fixture.h"

#include "core/consumer/consumer-private.h"
#include "core/producer/producer-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCKS 10

/* lck twice, and two pools; of a strict block lck, the memory of the control file,
 * the table, two pools, what is mapped without an owner, the socket, the wake of its
 * thread. */
#define OF_A_PRODUCER (is_strict_run () ? 8 : 4)
/* lck; of a strict block also the token and the connection */
#define OF_A_CONSUMER (is_strict_run () ? 3 : 1)

/* producer_new() may leave the connection of an observer for a moment. */
static DatahubProducer *
producer_alone (const char *channel, const DatahubProducerOptions *options)
{
  DatahubProducer *producer;
  CHECK_OK (producer_try (channel, options, &producer));
  return producer;
}

static DatahubProducer *producers[BLOCKS];
static DatahubConsumer *consumers[BLOCKS];

static const char *
name_of (int i)
{
  static char name[16];
  snprintf (name, sizeof name, "cam%d", i);
  return name;
}

static void
open_all (void)
{
  for (int i = 0; i < BLOCKS; i++)
    producers[i] = producer_alone (name_of (i), NULL);
}

static void
attach_all (void)
{
  for (int i = 0; i < BLOCKS; i++)
    consumers[i] = consumer_new (name_of (i), true, DATAHUB_START_OLDEST);
}

/* The servers of strict blocks are in this process too: a row and a connection for
 * each consumer. */
static uint32_t
at_the_producers (void)
{
  return is_strict_run () ? 2 * BLOCKS : 0;
}

static void
each_block (void)
{
  uint32_t none = check_count_fds (), with_producers;
  open_all ();
  with_producers = check_count_fds ();
  CHECK_INT (with_producers - none, ==, BLOCKS * OF_A_PRODUCER + 1);
  attach_all ();
  /* the thread of a server closes what it has sent soon after */
  CHECK_UNTIL (check_count_fds () - with_producers
      == BLOCKS * OF_A_CONSUMER + at_the_producers ());
  for (int i = 0; i < BLOCKS; i++) {
    commit_buffers (producers[i], 0, 2);
    expect_buffers (consumers[i], 0, 2);
  }
  for (int i = 0; i < BLOCKS; i++)
    datahub_producer_close (producers[i]);
  for (int i = 0; i < BLOCKS; i++)
    datahub_consumer_close (consumers[i]);
  CHECK_INT (check_count_fds (), ==, none);
}

/* Those of a pair; the thread of a strict block's server closes what it has sent soon
 * after. */
static uint32_t
settled_fds (uint32_t none)
{
  uint32_t settled =
      none + 1 + OF_A_PRODUCER + OF_A_CONSUMER + (is_strict_run () ? 2 : 0);
  CHECK_UNTIL (check_count_fds () == settled);
  return settled;
}

/* A pool that is in use costs its producer a descriptor, and a consumer none. With the
 * pool it goes. */
static void
grown_block (void)
{
  uint32_t none = check_count_fds ();
  DatahubProducer *producer = producer_alone ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffer (producer, 0, 3000);
  DatahubView held = read_record (consumer);
  uint32_t before = settled_fds (none);
  commit_buffer (producer, 1, 20000);
  commit_buffer (producer, 2, 200000);
  expect_buffer (consumer, 1, 20000);
  expect_buffer (consumer, 2, 200000);
  CHECK_UNTIL (check_count_fds () - before == 2);
  check_buffer (&held, 0, 3000);
  datahub_consumer_end_read (consumer, &held);
  for (uint64_t i = 3; i < 100; i++) {
    commit_buffer (producer, i, 200000);
    expect_buffer (consumer, i, 200000);
  }
  CHECK_UNTIL (check_count_fds () == before);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static uint64_t
bytes_of (const Pool *pool)
{
  struct stat st;
  CHECK (fstat (pool->fd, &st) == 0);
  return (uint64_t) st.st_blocks * 512;
}

/* Why a pool keeps its descriptor: with its mapping alone, the kernel does not take the
 * memory of free slots back if the program has locked its memory. */
static void
locked_memory (void)
{
  DatahubProducer *producer = producer_alone ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  Pool *old = producer->pools.newest[POOL_PAYLOAD];
  uint64_t whole = bytes_of (old);
  if (is_strict_run ())
    check_skip ("a strict block is sealed: the memory goes with the pool");
  if (mlock (old->map, old->map_size) != 0)
    check_skip ("memory may not be locked");
  commit_buffer (producer, 0, 3000);
  DatahubView held = read_record (consumer);
  for (uint64_t i = 1; i < 100; i++) {
    commit_buffer (producer, i, 20000);
    expect_buffer (consumer, i, 20000);
  }
  CHECK_INT (whole, >, 4 * old->shape.stride);
  CHECK_INT (bytes_of (old), <=, BLOCK_PAGE + old->shape.stride);
  check_buffer (&held, 0, 3000);
  datahub_consumer_end_read (consumer, &held);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static bool
is_same_directory (int fd, const char *path)
{
  struct stat of_fd, of_path;
  return fstat (fd, &of_fd) == 0 && stat (path, &of_path) == 0
      && of_fd.st_ino == of_path.st_ino && of_fd.st_dev == of_path.st_dev;
}

/* Another directory is at the path: a block that is made there is not made in the
 * former one, and each close ends what it should. */
static void
replaced_directory (void)
{
  const char *path = check_directory ();
  char former[512];
  DatahubProducer *before = producer_alone ("cam0", NULL), *after;
  int of_before = before->block.dir;
  uint32_t open = check_count_fds ();
  snprintf (former, sizeof former, "%s-former", path);
  CHECK (rename (path, former) == 0 && mkdir (path, 0700) == 0);
  after = producer_alone ("cam0", NULL);
  CHECK (is_same_directory (after->block.dir, path));
  CHECK (is_same_directory (before->block.dir, former));
  CHECK_INT (before->block.dir, ==, of_before);
  CHECK_INT (check_count_fds () - open, ==, OF_A_PRODUCER + 1);
  datahub_producer_close (before);
  CHECK (is_same_directory (after->block.dir, path));
  DatahubConsumer *late = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  CHECK_INT (late->block.dir, ==, after->block.dir);
  commit_buffers (after, 0, 2);
  expect_buffers (late, 0, 2);
  datahub_producer_close (after);
  datahub_consumer_close (late);
  CHECK (rmdir (former) == 0);
}

/* No handle is left from one round to the next: the descriptor is closed, and its
 * number may be another file's. */
static void *
comes_and_goes (void *name)
{
  for (int i = 0; i < 50; i++) {
    DatahubConsumer *consumer =
        consumer_new (name, false, DATAHUB_START_LATEST);
    CHECK (is_same_directory (consumer->block.dir, check_directory ()));
    datahub_consumer_close (consumer);
  }
  return NULL;
}

static void
creates_and_closes (const char *name)
{
  for (int i = 0; i < 20; i++)
    datahub_producer_close (producer_alone (name, NULL));
}

static void
several_threads (void)
{
  static char own[] = "cam0", other[] = "cam1", made[] = "cam2";
  uint32_t none = check_count_fds ();
  DatahubProducer *first = producer_alone (own, NULL),
                  *second = producer_alone (other, NULL);
  CheckThread *threads[] = { check_thread (comes_and_goes, own),
    check_thread (comes_and_goes, other) };
  creates_and_closes (made);
  check_thread_join (threads[0]);
  check_thread_join (threads[1]);
  datahub_producer_close (first);
  datahub_producer_close (second);
  CHECK_INT (check_count_fds (), ==, none);
}

static void
attaches_too (CheckParent *parent)
{
  static char name[] = "cam0";
  comes_and_goes (name);
  CHECK (is_same_directory (((DatahubProducer *) parent->data)->block.dir,
      check_directory ()));
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

/* A child uses the descriptor that it inherits, and does not close its parent's. */
static void
forked_child (void)
{
  DatahubProducer *producer = producer_alone ("cam0", NULL);
  CheckChild child = check_fork (attaches_too, producer);
  CHECK_HEAR (child.from, 1);
  CHECK (is_same_directory (producer->block.dir, check_directory ()));
  check_tell (child.to, 1);
  check_join (&child);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a block costs a limited number of descriptors", each_block },
  { "a pool in use costs its producer one more", grown_block },
  { "memory of free slots goes back though it is locked", locked_memory },
  { "a directory that was replaced has a descriptor of its own",
      replaced_directory },
  { "the directory's descriptor is there as long as a block is open",
      several_threads },
  { "a child uses the descriptor that it inherits", forked_child },
};
CHECK_MAIN (tests)
