/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of a living block that another program removed: what can be linked again is,
 * what cannot is followed by another block, and nothing of it is taken for dead. */
#include "life.h"
#include "strict.h"

#include "core/producer/producer-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FileName
entry_of (const DatahubProducer *producer)
{
  return name_entry (producer->block.user, producer->block.channel);
}

static FileName
part_of_block (const DatahubProducer *producer, const char *part)
{
  return name_part (producer->block.user, &producer->block.uuid, part);
}

static void
remove_name (const DatahubProducer *producer, FileName name)
{
  CHECK (os_unlink (producer->block.dir, name.text));
}

static bool
has_name (const DatahubProducer *producer, FileName name)
{
  return os_same_file (producer->block.lck, producer->block.dir, name.text);
}

static void
late_consumer_reads (uint64_t first, uint32_t n)
{
  DatahubConsumer *late = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (late, first, n);
  datahub_consumer_close (late);
}

static void
links_are_made_again (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  int files = check_count_files ();
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 2);
  CHECK_OK (datahub_producer_check_names (producer, &err));
  remove_name (producer, entry_of (producer));
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_NOT_FOUND);
  CHECK_OK (datahub_producer_check_names (producer, &err));
  CHECK (has_name (producer, entry_of (producer)));
  late_consumer_reads (0, 2);
  remove_name (producer, part_of_block (producer, "lck"));
  CHECK_OK (datahub_producer_check_names (producer, &err));
  CHECK (has_name (producer, part_of_block (producer, "lck")));
  late_consumer_reads (0, 2);
  expect_buffers (consumer, 0, 2);
  datahub_consumer_close (consumer);
  CHECK_INT (check_count_files (), ==, files);
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
}

/* Consumers that are attached go over without a loss; the next one finds the other. */
static void
goes_on_in_another (DatahubProducer *producer,
    const DatahubProducerOptions *options)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubProducerOptions wanted = options ? *options : small_options ();
  DatahubProducer *other;
  commit_buffers (producer, 0, 3);
  CHECK (!datahub_consumer_has_successor (consumer));
  wanted.adopt = false;
  CHECK_OK (datahub_producer_create ("cam0", &wanted, &other, &err));
  commit_buffers (other, 3, 2);
  CHECK_OK (datahub_producer_succeed (producer, other, &err));
  CHECK (!datahub_consumer_has_successor (consumer));
  datahub_producer_close (producer);
  expect_buffers (consumer, 0, 3);
  expect_outcome (consumer, DATAHUB_CLOSED);
  CHECK (datahub_consumer_has_successor (consumer));
  datahub_consumer_close (consumer);
  late_consumer_reads (3, 2);
  CHECK_OK (datahub_producer_check_names (other, &err));
  datahub_producer_close (other);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
lose_part (const char *part)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *witness = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  remove_name (producer, part_of_block (producer, part));
  CHECK_RESULT (datahub_producer_check_names (producer, &err),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK_CONTAINS (err.message, "\"cam0\"");
  datahub_consumer_close (witness);
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
parts_are_missed (void)
{
  lose_part ("ctl");
  lose_part ("con");
  lose_part ("d1");
  lose_part ("d2");
}

/* Another block follows that of @producer, which is closed, and is found by its
 * name. */
static void
succeed_and_read (DatahubProducer *producer, DatahubProducerOptions options)
{
  DatahubProducer *other;
  options.adopt = false;
  CHECK_OK (datahub_producer_create ("cam0", &options, &other, &err));
  CHECK_OK (datahub_producer_succeed (producer, other, &err));
  datahub_producer_close (producer);
  commit_buffers (other, 0, 1);
  late_consumer_reads (0, 1);
  datahub_producer_close (other);
}

static void
a_part_of_a_strict_block (void)
{
  DatahubProducerOptions options = strict_options (NULL);
  DatahubProducer *producer = strict_producer (NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  remove_name (producer, part_of_block (producer, "sck"));
  CHECK_RESULT (datahub_producer_check_names (producer, &err),
      DATAHUB_ERROR_NOT_FOUND);
  datahub_consumer_close (consumer);
  succeed_and_read (producer, options);
}

static void
remove_all (DatahubProducer *producer)
{
  remove_name (producer, entry_of (producer));
  block_unlink_parts (producer->block.dir, producer->block.user,
      &producer->block.uuid);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
all_names_gone (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  goes_on_in_another (producer, NULL);
  producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  remove_all (producer);
  CHECK_RESULT (datahub_producer_check_names (producer, &err),
      DATAHUB_ERROR_NOT_FOUND);
  commit_buffers (producer, 0, 2);
  expect_buffers (consumer, 0, 2);
  DatahubProducerOptions options = small_options ();
  options.adopt = false;
  DatahubProducer *other;
  CHECK_OK (datahub_producer_create ("cam0", &options, &other, &err));
  CHECK_OK (datahub_producer_succeed (producer, other, &err));
  commit_buffers (other, 2, 1);
  datahub_producer_close (producer);
  expect_outcome (consumer, DATAHUB_CLOSED);
  CHECK (datahub_consumer_has_successor (consumer));
  datahub_consumer_close (consumer);
  late_consumer_reads (2, 1);
  datahub_producer_close (other);
}

static void
folder_is_gone (void)
{
  char path[256];
  struct stat before, after;
  snprintf (path, sizeof path, "%s/blocks", check_directory ());
  CHECK (mkdir (path, 0700) == 0 && chmod (path, 01777) == 0);
  CHECK (stat (path, &before) == 0);
  setenv ("DATAHUB_SHM_DIR", path, 1);
  DatahubProducer *producer = producer_new ("cam0", NULL);
  remove_name (producer, entry_of (producer));
  block_unlink_parts (producer->block.dir, producer->block.user,
      &producer->block.uuid);
  CHECK (rmdir (path) == 0);
  CHECK_RESULT (datahub_producer_check_names (producer, &err),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK (stat (path, &after) == 0 && before.st_ino != after.st_ino);
  CHECK_INT (after.st_mode, ==, before.st_mode);
  succeed_and_read (producer, small_options ());
  CHECK (rmdir (path) == 0);
  setenv ("DATAHUB_SHM_DIR", check_directory (), 1);
}

/* The name is not fought for. */
static void
taken_meanwhile (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL), *second, *third;
  DatahubProducerOptions options = small_options ();
  options.adopt = false;
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  remove_name (producer, entry_of (producer));
  CHECK_OK (producer_try ("cam0", NULL, &second));
  CHECK_RESULT (datahub_producer_check_names (producer, &err),
      DATAHUB_ERROR_BUSY);
  CHECK_OK (datahub_producer_create ("cam0", &options, &third, &err));
  CHECK_RESULT (datahub_producer_succeed (producer, third, &err),
      DATAHUB_ERROR_BUSY);
  datahub_producer_close (third);
  CHECK_OK (datahub_producer_check_names (second, &err));
  /* neither is disturbed */
  commit_buffers (producer, 0, 2);
  expect_buffers (consumer, 0, 2);
  commit_buffers (second, 7, 1);
  late_consumer_reads (7, 1);
  /* and when it is free again it is taken back */
  datahub_producer_close (second);
  CHECK_OK (datahub_producer_check_names (producer, &err));
  late_consumer_reads (0, 2);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
expect_kept (const DatahubProducer *producer, const char *part)
{
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK (os_has_name (producer->block.dir,
      part_of_block (producer, part).text));
}

static void
missing_lck_is_no_death (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL), *other;
  commit_buffers (producer, 0, 2);
  remove_name (producer, part_of_block (producer, "lck"));
  expect_kept (producer, "ctl");
  expect_kept (producer, "d1");
  late_consumer_reads (0, 2);
  expect_kept (producer, "con");
  CHECK_RESULT (producer_try ("cam0", NULL, &other), DATAHUB_ERROR_BUSY);
  remove_name (producer, entry_of (producer));
  expect_kept (producer, "ctl");
  /* the start of another producer reclaims too */
  CHECK_OK (producer_try ("cam0", NULL, &other));
  expect_kept (producer, "ctl");
  datahub_producer_close (other);
  expect_kept (producer, "ctl");
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
publish_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 2);
  check_ready (parent);
  check_until_killed (parent);
}

/* The entry is the same file, so its locks are evidence too. */
static void
entry_proves_death (void)
{
  CheckChild child = check_fork_ready (publish_and_wait, NULL);
  check_kill (&child);
  CHECK (unlink (check_find_file (".lck")) == 0);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK_INT (check_count_files (), ==, 0);
}

static const CheckTest tests[] = {
  { "an entry and a lock file that were removed are linked again",
      links_are_made_again },
  { "a part that was removed is missed", parts_are_missed },
  { "the socket of a strict block is missed, and another block follows",
      a_part_of_a_strict_block },
  { "where all names are gone the stream goes on in another block",
      all_names_gone },
  { "a directory that was removed is made again", folder_is_gone },
  { "a name that another producer took is left to it", taken_meanwhile },
  { "a lock file that is missing is no death", missing_lck_is_no_death },
  { "without a lock file the entry proves a death", entry_proves_death },
};
CHECK_MAIN (tests)
