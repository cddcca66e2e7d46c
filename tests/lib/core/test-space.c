/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A full shared-memory file system is an error with the numbers, at creation
 * and at growth, and never a SIGBUS. Needs a mount namespace of its own. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

static void
write_text (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (write (fd, text, strlen (text)) < 0)
      check_note ("%s: %m", path);
    close (fd);
  }
}

/* A file system of its own over the directory of the test. */
static void
mount_small (const char *size)
{
  char options[64], map[64];
  unsigned uid = getuid (), gid = getgid ();
  if (uid != 0) {
    if (unshare (CLONE_NEWUSER | CLONE_NEWNS) != 0)
      check_skip ("no user namespaces here: %s", strerror (errno));
    write_text ("/proc/self/setgroups", "deny");
    snprintf (map, sizeof map, "%u %u 1", uid, uid);
    write_text ("/proc/self/uid_map", map);
    snprintf (map, sizeof map, "%u %u 1", gid, gid);
    write_text ("/proc/self/gid_map", map);
  } else if (unshare (CLONE_NEWNS) != 0) {
    check_skip ("no mount namespace here: %s", strerror (errno));
  }
  mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  snprintf (options, sizeof options, "size=%s,mode=0700", size);
  if (mount ("tmpfs", check_directory (), "tmpfs", 0, options) != 0)
    check_skip ("cannot mount a small tmpfs: %s", strerror (errno));
}

static uint64_t
free_bytes (void)
{
  struct statfs fs;
  CHECK (statfs (check_directory (), &fs) == 0);
  return (uint64_t) fs.f_bavail * (uint64_t) fs.f_bsize;
}

static void
at_creation (void)
{
  mount_small ("4m");
  uint64_t before = free_bytes ();
  DatahubProducerOptions options = small_options ();
  options.slot_size = 256 << 10;
  options.slots = 16;
  options.max_bytes = 64 << 20;
  DatahubProducer *producer = NULL;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_NO_SPACE);
  CHECK_CONTAINS (err.message, check_directory ());
  check_note ("%s", err.message);
  CHECK (strpbrk (err.message, "0123456789") != NULL);
  /* And it took nothing with it. */
  CHECK_INT (free_bytes (), ==, before);
  CHECK_INT (check_count_files (), ==, 0);
  /* The number in the message fits, and no more. */
  uint64_t fits = number_before (" such slots fit");
  CHECK_INT (fits, <, 16);
  options.slots = (uint32_t) fits + 1;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_NO_SPACE);
  options.slots = (uint32_t) fits;
  CHECK_OK (producer_try ("cam0", &options, &producer));
  datahub_producer_close (producer);
}

static void
at_growth (void)
{
  mount_small ("4m");
  DatahubProducerOptions options = small_options ();
  options.max_bytes = 256 << 20;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 4);
  DatahubResult result = try_commit (producer, 4, 8 << 20, 0);
  CHECK_RESULT (result, DATAHUB_ERROR_NO_SPACE);
  CHECK_CONTAINS (err.message, check_directory ());
  check_note ("%s", err.message);
  /* The block goes on as it was. */
  commit_buffers (producer, 4, 4);
  expect_buffers (consumer, 0, 8);
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  result = try_commit (producer, 8, 8 << 20, 0);
  CHECK_RESULT (result, DATAHUB_ERROR_NO_SPACE);
  uint64_t fits = number_before (" bytes fits");
  CHECK_RESULT (try_commit (producer, 8, fits + 1, 0), DATAHUB_ERROR_NO_SPACE);
  CHECK_OK (try_commit (producer, 8, fits, SOON));
  expect_buffer (consumer, 8, fits);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Where one or two big slots fit, they are used over and over. */
static void
read_in_turn (const char *space, uint32_t slots, bool reliable)
{
  const uint64_t size = 17 << 20;
  mount_small (space);
  DatahubProducerOptions options = small_options ();
  options.max_bytes = 256 << 20;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer =
      consumer_new ("cam0", reliable, DATAHUB_START_OLDEST);
  for (uint64_t i = 0; i < 8; i++) {
    CHECK_OK (try_commit (producer, i, size, SOON));
    expect_buffer (consumer, i, size);
  }
  CHECK_INT (producer_stats (producer).slots, ==, slots);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  /* A slot that is held is not overwritten. */
  CHECK_OK (try_commit (producer, 8, size, SOON));
  DatahubView view = read_record (consumer);
  while (try_commit (producer, 9, size, 0) == DATAHUB_OK)
    ;
  check_buffer (&view, 8, size);
  datahub_consumer_end_read (consumer, &view);
  CHECK_OK (try_commit (producer, 10, size, SOON));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
one_live (void)
{
  read_in_turn ("24m", 1, false);
}

static void
one_reliable (void)
{
  read_in_turn ("24m", 1, true);
}

static void
two_live (void)
{
  read_in_turn ("40m", 2, false);
}

static void
two_reliable (void)
{
  read_in_turn ("40m", 2, true);
}

/* Everything is allocated before it is used: filling the file system up after
 * the creation takes nothing away. */
static void
filled_up_later (void)
{
  mount_small ("8m");
  DatahubProducerOptions options = small_options ();
  options.slot_size = 64 << 10;
  DatahubProducer *producer = producer_new ("cam0", &options);
  char path[256];
  snprintf (path, sizeof path, "%s/filler", check_directory ());
  int fd = open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  CHECK (fd >= 0);
  while (posix_fallocate (fd, 0, (off_t) free_bytes ()) == 0
      && free_bytes () > 0)
    ;
  CHECK_INT (free_bytes (), ==, 0);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  for (uint64_t i = 0; i < 200; i++) {
    commit_buffer (producer, i, 64 << 10);
    expect_buffer (consumer, i, 64 << 10);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  close (fd);
  unlink (path);
}

/* Left to itself it takes no more than half of what there is. */
static void
automatic_fits (void)
{
  mount_small ("32m");
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = 1 << 20;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubProducerStats stats = producer_stats (producer);
  CHECK_INT (stats.max_bytes, <=, 16 << 20);
  CHECK_INT (stats.bytes_used, <=, stats.max_bytes);
  CHECK_INT (stats.slots, >=, 4);
  for (uint64_t i = 0; i < 50; i++)
    commit_buffer (producer, i, 1 << 20);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "creation on a full file system fails with the numbers", at_creation },
  { "growth on a full file system fails, the block goes on", at_growth },
  { "one slot that fits is used by a live stream", one_live },
  { "one slot that fits is used by a reliable stream", one_reliable },
  { "two slots that fit are used by a live stream", two_live },
  { "two slots that fit are used by a reliable stream", two_reliable },
  { "filling the file system up later takes nothing away", filled_up_later },
  { "automatic sizes take at most half of the file system", automatic_fits },
};
CHECK_MAIN (tests)
