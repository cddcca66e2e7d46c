/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What dead processes left is removed, and nothing else. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

typedef struct
{
  uint32_t files;
  uint64_t bytes;
} Found;

static void
count (const char *file, uint64_t bytes, void *user_data)
{
  Found *found = user_data;
  CHECK_CONTAINS (file, "datahub-");
  found->files++;
  found->bytes += bytes;
}

static Found
reclaim (bool dry_run)
{
  Found found = { 0 };
  CHECK_OK (datahub_block_reclaim (dry_run, count, &found, &err));
  return found;
}

static void
publish_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = producer_new (parent->data, NULL);
  commit_buffers (producer, 0, 5);
  commit_buffer (producer, 5, 50000);
  check_ready (parent);
  check_until_killed (parent);
}

static void
publish_and_die (const char *channel)
{
  CheckChild child = check_fork_ready (publish_and_wait, channel);
  check_kill (&child);
}

static void
nothing (void)
{
  CHECK_INT (reclaim (true).files, ==, 0);
  CHECK_INT (reclaim (false).files, ==, 0);
}

static void
dry (void)
{
  publish_and_die ("cam0");
  uint32_t files = check_count_files ();
  CHECK_INT (files, >=, 5);
  Found found = reclaim (true);
  CHECK_INT (found.files, ==, files);
  CHECK_INT (found.bytes, >, 50000);
  CHECK_INT (check_count_files (), ==, files);
  CHECK_INT (reclaim (false).files, ==, files);
  CHECK_INT (check_count_files (), ==, 0);
}

/* All three alive at once, for each new producer reclaims what it finds. */
static void
several (void)
{
  static const char *const channels[] = { "cam0", "cam1", "mic" };
  CheckChild children[3];
  for (int i = 0; i < 3; i++) {
    children[i] = check_fork_ready (publish_and_wait, channels[i]);
  }
  for (int i = 0; i < 3; i++)
    check_kill (&children[i]);
  uint32_t files = check_count_files ();
  CHECK_INT (reclaim (true).files, ==, files);
  CHECK_INT (reclaim (false).files, ==, files);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
live (void)
{
  /* A new producer reclaims too, so the dead one comes after it. */
  DatahubProducer *producer = producer_new ("alive", NULL);
  publish_and_die ("dead");
  DatahubConsumer *consumer =
      consumer_new ("alive", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 2);
  CHECK_INT (reclaim (false).files, >=, 5);
  CHECK_INT (reclaim (false).files, ==, 0);
  commit_buffers (producer, 2, 2);
  expect_buffers (consumer, 0, 4);
  DatahubConsumer *other = consumer_new ("alive", true, DATAHUB_START_OLDEST);
  expect_buffers (other, 0, 4);
  datahub_consumer_close (other);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* As long as a consumer is attached, the files may still be opened by it. */
static void
dead_but_read (void)
{
  CheckChild child = check_fork_ready (publish_and_wait, "cam0");
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_kill (&child);
  CHECK_INT (reclaim (false).files, ==, 0);
  expect_buffers (consumer, 0, 5);
  expect_buffer (consumer, 5, 50000);
  /* The last one out removes it. */
  datahub_consumer_close (consumer);
  CHECK_INT (check_count_files (), ==, 0);
}

static int
make (const char *name)
{
  char path[256];
  snprintf (path, sizeof path, "%s/%s", check_directory (), name);
  int fd = open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  CHECK (fd >= 0);
  return fd;
}

static void
foreign (void)
{
  char name[128];
  close (make ("something-else"));
  close (make ("datahubby"));
  /* Of another user, by its name. */
  snprintf (name, sizeof name, "datahub-%u-cam0", (unsigned) getuid () + 1);
  close (make (name));
  publish_and_die ("cam0");
  reclaim (false);
  CHECK_INT (check_count_files (), ==, 3);
  check_allow_files ();
}

/* Without a lock file there is no evidence: its producer may live, and another program
 * have removed the name. */
static void
orphans (void)
{
  static const char *const endings[] = { "ctl", "con", "d1", "d7" };
  char name[128];
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    snprintf (name, sizeof name,
        "datahub-%u-0123456789abcdef0123456789abcdef.%s", (unsigned) getuid (),
        endings[i]);
    close (make (name));
  }
  CHECK_INT (reclaim (true).files, ==, 0);
  CHECK_INT (reclaim (false).files, ==, 0);
  CHECK_INT (check_count_files (), ==, 4);
  check_allow_files ();
}

/* Two at once, and a new producer meanwhile: everyone ends well. */
static void
reclaim_again (CheckParent *parent)
{
  do
    datahub_block_reclaim (false, NULL, NULL, NULL);
  while (!check_has_word (parent->in));
}

static void
against_producers (void)
{
  CheckChild a = check_fork (reclaim_again, NULL);
  CheckChild b = check_fork (reclaim_again, NULL);
  for (int i = 0; i < 200; i++) {
    DatahubProducer *producer = producer_new ("cam0", NULL);
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    commit_buffers (producer, 0, 3);
    expect_buffers (consumer, 0, 3);
    datahub_consumer_close (consumer);
    datahub_producer_close (producer);
  }
  check_tell (a.to, 1);
  check_tell (b.to, 1);
  check_join (&a);
  check_join (&b);
}

static void
after_clean_stop (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *a = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *b = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  commit_buffers (producer, 0, 2);
  commit_buffer (producer, 2, 30000);
  datahub_producer_close (producer);
  expect_buffers (a, 0, 2);
  datahub_consumer_close (a);
  datahub_consumer_close (b);
  /* Nobody reclaims here: the last one out left nothing. */
  CHECK_INT (check_count_files (), ==, 0);
}

static const CheckTest tests[] = {
  { "nothing to reclaim is no error", nothing },
  { "a dry run lists everything and removes nothing", dry },
  { "what several dead producers left is removed", several },
  { "a live block is left alone", live },
  { "a dead producer's block is kept while somebody reads it", dead_but_read },
  { "files of others are left alone", foreign },
  { "objects without a lock file stay", orphans },
  { "reclaiming races with new producers and harms none", against_producers },
  { "a clean stop leaves nothing behind", after_clean_stop },
};
CHECK_MAIN (tests)
