/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One side stands still at a step while the other one acts: what it finds when it
 * goes on is whole, and costs no third side anything.
 *
 * Tests: lib/core/consumer/consumer-read.c (try_read),
 * lib/core/consumer/consumer-join.c (choose_start),
 * lib/core/producer/producer-show.c, lib/core/producer/producer-evict.c,
 * lib/core/block/block-names.c (reclaim_once). */
#include "lib/core/fixture.h"
#include "lib/core/steps.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAP 100 /* buffers; a ring has 8 */
/* Of the lock file; docs/memory-layout.md. */
#define BYTE_OF_PRODUCER 0
#define BYTE_OF_FIRST_ROW 16

static void
trap_at (const char *step, uint32_t arrival)
{
  static StepCounts counts;
  static StepTrap trap;
  trap = (StepTrap){ steps_find (step), arrival, SIGSTOP };
  CHECK (trap.step != UINT32_MAX);
  counts = (StepCounts){ 0 };
  steps_watch (&counts, &trap);
}

static void
wait_until_stopped (const CheckChild *child)
{
  int status;
  CHECK (waitpid (child->pid, &status, WUNTRACED) == child->pid);
  CHECK (WIFSTOPPED (status));
}

/* ---- a reader that is lapped between its looks ---- */

static void
read_slowly (CheckParent *parent)
{
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView view;
  check_ready (parent);
  check_hear (parent->in);
  trap_at (parent->data, 1);
  view = read_record (consumer);
  steps_ignore ();
  check_buffer (&view, view.pts, 1000);
  CHECK_INT (view.lost, ==, view.pts);
  CHECK_INT (view.pts, >=, LAP - 8);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
}

static void
lap_at (const char *step)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild reader = check_fork_ready (read_slowly, step);
  commit_buffers (producer, 0, 1);
  check_tell (reader.to, 1);
  wait_until_stopped (&reader);
  commit_buffers (producer, 1, LAP);
  check_continue (&reader);
  check_join (&reader);
  datahub_producer_close (producer);
}

static void
lapped (void)
{
  lap_at ("B1_HEAD_LOADED");
  lap_at ("B2_WORD_LOADED");
  lap_at ("B3_PINNED");
}

/* ---- a reliable reader that is passed before its gate is shut ---- */

static void
join_slowly (CheckParent *parent)
{
  DatahubConsumer *consumer;
  DatahubView view;
  trap_at ("B10_CLAIM_LOADED", 1);
  consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  steps_ignore ();
  check_ready (parent);
  check_hear (parent->in);
  view = read_record (consumer);
  check_buffer (&view, view.pts, 1000);
  CHECK_INT (view.lost, ==, 0);
  datahub_consumer_end_read (consumer, &view);
  expect_buffers (consumer, view.pts + 1, 7);
  datahub_consumer_close (consumer);
}

static void
passed_at_the_join (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 8);
  CheckChild reader = check_fork (join_slowly, NULL);
  wait_until_stopped (&reader);
  commit_buffers (producer, 8, LAP);
  check_continue (&reader);
  CHECK_HEAR (reader.from, 1);
  /* Its gate holds what it has not read. */
  CHECK_RESULT (try_commit (producer, 8 + LAP, 1000, 0), DATAHUB_TIMEOUT);
  check_tell (reader.to, 1);
  check_join (&reader);
  datahub_producer_close (producer);
}

/* ---- a producer that stands between the records and what refers to them ---- */

static void
commit_caps_slowly (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_event (producer, DATAHUB_RECORD_CAPS, "before");
  check_ready (parent);
  check_hear (parent->in);
  trap_at (parent->data, 1);
  commit_event (producer, DATAHUB_RECORD_CAPS, "behind");
  steps_ignore ();
  check_hear (parent->in);
  datahub_producer_close (producer);
}

/* The newest caps of a reader are records that it can read. */
static bool
sees_new_caps (DatahubConsumer *consumer)
{
  DatahubView view;
  bool is_new;
  CHECK_OK (datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS, &view,
      &err));
  is_new = strcmp (view.meta, "behind") == 0;
  if (!is_new)
    check_event (&view, DATAHUB_RECORD_CAPS, "before");
  datahub_consumer_end_read (consumer, &view);
  return is_new;
}

static void
look_at (const char *step)
{
  CheckChild producer = check_fork_ready (commit_caps_slowly, step);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view;
  bool is_new;
  expect_event (consumer, DATAHUB_RECORD_CAPS, "before");
  check_tell (producer.to, 1);
  wait_until_stopped (&producer);
  is_new = sees_new_caps (consumer);
  if (datahub_consumer_begin_read (consumer, 0, &view, &err) == DATAHUB_OK)
    datahub_consumer_end_read (consumer, &view);
  else if (is_new)
    check_fail (__FILE__, __LINE__, "at %s the caps are of no record", step);
  check_continue (&producer);
  check_tell (producer.to, 1);
  check_join (&producer);
  datahub_consumer_close (consumer);
}

static void
sticky_follows_head (void)
{
  look_at ("A6_WORD_STORED");
  look_at ("A7_HEAD_STORED");
  look_at ("STICKY_STORED");
  look_at ("HEARTBEAT_STORED");
}

/* ---- a producer that was stopped while it waited ---- */

#define EVICTION CHECK_S

static void
fill_and_wait (CheckParent *parent)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = check_scaled_ns (EVICTION);
  DatahubProducer *producer = producer_new ("cam0", &options);
  check_ready (parent);
  check_hear (parent->in);
  commit_buffers (producer, 0, 8);
  trap_at ("W5_SLEPT", 3); /* it waits, and the time has begun */
  commit_buffers (producer, 8, 8);
  steps_ignore ();
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  datahub_producer_close (producer);
}

static uint64_t
waits_of_producer (void)
{
  DatahubBlockInfo info;
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  return info.waits;
}

/* The time that it stood still is no consumer's. */
static void
stopped_evicts_none (void)
{
  CheckChild producer = check_fork_ready (fill_and_wait, NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  uint64_t since, waits;
  check_tell (producer.to, 1);
  wait_until_stopped (&producer);
  waits = waits_of_producer ();
  since = check_now_ns ();
  /* a time is what is tested */
  CHECK_UNTIL (check_now_ns () - since
      > 2 * (uint64_t) check_scaled_ns (EVICTION));
  check_continue (&producer);
  CHECK_UNTIL (waits_of_producer () > waits + 1);
  expect_buffers (consumer, 0, 16);
  check_join (&producer);
  datahub_consumer_close (consumer);
}

/* ---- a flush while a consumer joins ---- */

static void
join_beside_a_flush (CheckParent *parent)
{
  DatahubConsumer *consumer;
  (void) parent;
  trap_at ("JOIN_START_STORED", 1);
  consumer = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  steps_ignore ();
  expect_buffers (consumer, 5, 3);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
}

static void
flushed_at_the_join (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild reader;
  commit_buffers (producer, 0, 5);
  reader = check_fork (join_beside_a_flush, NULL);
  wait_until_stopped (&reader);
  CHECK_OK (datahub_producer_flush (producer));
  commit_buffers (producer, 5, 3);
  check_continue (&reader);
  check_join (&reader);
  datahub_producer_close (producer);
}

/* ---- a name that is taken anew while it is reclaimed ---- */

/* As a producer or a consumer that lives does. */
static void
lock_byte (int fd, off_t byte)
{
  struct flock lock = { .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = byte,
    .l_len = 1 };
  CHECK (fcntl (fd, F_OFD_SETLK, &lock) == 0);
}

static void
publish_and_wait (CheckParent *parent)
{
  producer_new ("cam0", NULL);
  check_ready (parent);
  check_until_killed (parent);
}

static void
reclaim_slowly (CheckParent *parent)
{
  (void) parent;
  trap_at ("RECLAIM_OPENED", 1);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  steps_ignore ();
}

/* The file of the locks; its path. */
static void
find_lock_file (char path[PATH_MAX])
{
  DIR *dir = opendir (check_directory ());
  struct dirent *entry;
  path[0] = 0;
  CHECK (dir != NULL);
  while ((entry = readdir (dir)) != NULL)
    if (strstr (entry->d_name, ".lck"))
      snprintf (path, PATH_MAX, "%s/%s", check_directory (), entry->d_name);
  closedir (dir);
  CHECK (path[0] != 0);
}

/* The block of a producer that is dead; a process that removes its files stands still
 * before it looks at the locks. */
static CheckChild
begin_reclaim (char path[PATH_MAX])
{
  CheckChild dead = check_fork_ready (publish_and_wait, NULL), reclaiming;
  find_lock_file (path);
  check_kill (&dead);
  reclaiming = check_fork (reclaim_slowly, NULL);
  wait_until_stopped (&reclaiming);
  return reclaiming;
}

static void
name_stays (void)
{
  char path[PATH_MAX], aside[PATH_MAX];
  struct stat before, after;
  CheckChild reclaiming = begin_reclaim (path);
  uint32_t files = check_count_files ();
  snprintf (aside, sizeof aside, "%s/aside", check_directory ());
  CHECK (rename (path, aside) == 0);
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK (fd >= 0 && fstat (fd, &before) == 0);
  lock_byte (fd, BYTE_OF_PRODUCER);
  check_continue (&reclaiming);
  check_join (&reclaiming);
  CHECK (stat (path, &after) == 0 && after.st_ino == before.st_ino);
  CHECK_INT (check_count_files (), ==, files + 1);
  close (fd);
  CHECK (rename (aside, path) == 0);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK_INT (check_count_files (), ==, 0);
}

/* A consumer that opened the block while its producer lived takes its row now. */
static void
read_files_stay (void)
{
  char path[PATH_MAX];
  CheckChild reclaiming = begin_reclaim (path);
  uint32_t files = check_count_files ();
  int fd = open (path, O_RDWR | O_CLOEXEC);
  CHECK (fd >= 0);
  lock_byte (fd, BYTE_OF_FIRST_ROW);
  check_continue (&reclaiming);
  check_join (&reclaiming);
  CHECK_INT (check_count_files (), ==, files);
  close (fd);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK_INT (check_count_files (), ==, 0);
}

static const CheckTest tests[] = {
  { "a reader that is lapped between two looks reads a whole record", lapped },
  { "a reliable reader that is passed while it joins gets all from there",
      passed_at_the_join },
  { "a flush while a consumer joins is followed", flushed_at_the_join },
  { "what refers to a record is stored after the record can be read",
      sticky_follows_head },
  { "a producer that was stopped while it waits evicts no consumer",
      stopped_evicts_none },
  { "a name that is taken anew while it is reclaimed stays", name_stays },
  { "files that a consumer begins to read while they are reclaimed stay",
      read_files_stay },
};
CHECK_MAIN (tests)
