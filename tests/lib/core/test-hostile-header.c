/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaching to what is truncated, damaged, of another version, of another
 * block, or of another user: refused with the right error, never a crash. */
#include "hostile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const suffixes[] = { ".ctl", ".con", "-cam0" };

/* Also the way back: what was broken and mended attaches and is read; the last
 * reader removes what the dead producer left. */
static void
check_whole (void)
{
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "caps");
  expect_buffers (consumer, 0, 7);
  datahub_consumer_close (consumer);
}

static void
truncated (void)
{
  leave_dead_block ();
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    Intrusion file = intrude (suffixes[i]);
    static const uint64_t lengths[] = { 0, 1, 39, 255, 256, 1023, 4095, 4096 };
    for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
      if (lengths[j] >= file.size)
        continue;
      CHECK (ftruncate (file.fd, (off_t) lengths[j]) == 0);
      CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
      intrusion_restore (&file);
    }
    CHECK (ftruncate (file.fd, (off_t) file.size - 1) == 0);
    CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
    intrusion_restore (&file);
    intrusion_end (&file);
  }
  check_whole ();
}

static void
zeroed (void)
{
  leave_dead_block ();
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    Intrusion file = intrude (suffixes[i]);
    memset (file.bytes, 0, file.size);
    CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
    memset (file.bytes, 0xff, file.size);
    DatahubResult result = consumer_try ("cam0");
    CHECK (result == DATAHUB_ERROR_CORRUPT || result == DATAHUB_ERROR_VERSION);
    intrusion_restore (&file);
    intrusion_end (&file);
  }
  check_whole ();
}

static void
empty_entry (void)
{
  char path[256];
  snprintf (path, sizeof path, "%s/datahub-%u-cam0", check_directory (),
      (unsigned) getuid ());
  close (open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
  /* Nobody holds it, so a producer takes the name over. */
  datahub_producer_close (producer_new ("cam0", NULL));
}

static void
not_a_file (void)
{
  char path[256];
  DatahubProducer *producer;
  snprintf (path, sizeof path, "%s/datahub-%u-cam0", check_directory (),
      (unsigned) getuid ());
  CHECK (mkdir (path, 0700) == 0);
  CHECK_INT (consumer_try ("cam0"), >=, DATAHUB_ERROR_FIRST);
  CHECK_INT (producer_try ("cam0", NULL, &producer), >=, DATAHUB_ERROR_FIRST);
  rmdir (path);
  CHECK (mkfifo (path, 0600) == 0);
  CHECK_INT (consumer_try ("cam0"), >=, DATAHUB_ERROR_FIRST);
  CHECK_INT (producer_try ("cam0", NULL, &producer), >=, DATAHUB_ERROR_FIRST);
  unlink (path);
  CHECK (symlink ("/etc/passwd", path) == 0);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_DENIED);
  CHECK_INT (producer_try ("cam0", NULL, &producer), >=, DATAHUB_ERROR_FIRST);
  unlink (path);
}

static void
other_version (void)
{
  leave_dead_block ();
  Intrusion ctl = intrude (".ctl");
  BlockIdentity *id = (BlockIdentity *) ctl.bytes;
  id->major = 2;
  renew_header_check (id);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_VERSION);
  CHECK_CONTAINS (err.message, "2");
  CHECK_CONTAINS (err.message, "upgrade");
  intrusion_restore (&ctl);

  id->feat_incompat = UINT64_C (1) << 40;
  renew_header_check (id);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_VERSION);
  intrusion_restore (&ctl);

  id->endian = 0x04030201;
  renew_header_check (id);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_VERSION);
  intrusion_restore (&ctl);

  id->layout_hash ^= 1;
  renew_header_check (id);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_VERSION);
  intrusion_restore (&ctl);
  intrusion_end (&ctl);

  Intrusion lck = intrude ("-cam0");
  ((LockPage *) lck.bytes)->major = 7;
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_VERSION);
  intrusion_restore (&lck);
  intrusion_end (&lck);
  check_whole ();
}

/* A minor version and a compatible feature more are no reason to refuse. */
static void
later_minor (void)
{
  leave_dead_block ();
  Intrusion ctl = intrude (".ctl");
  BlockIdentity *id = (BlockIdentity *) ctl.bytes;
  id->minor = 9;
  id->feat_compat = ~UINT64_C (0);
  renew_header_check (id);
  check_whole ();
  intrusion_end (&ctl);
}

/* A feature that only lets observe: no row is taken, a look is possible. */
static void
observe_only (void)
{
  DatahubBlockInfo info;
  DatahubProducer *producer;
  leave_dead_block ();
  Intrusion ctl = intrude (".ctl");
  BlockIdentity *id = (BlockIdentity *) ctl.bytes;
  id->feat_ro_compat = UINT64_C (1) << 5;
  renew_header_check (id);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_VERSION);
  CHECK_CONTAINS (err.message, "observe");
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  CHECK_INT (info.buffers, ==, 7);
  id->feat_incompat = UINT64_C (1) << 40;
  renew_header_check (id);
  CHECK_RESULT (datahub_block_inspect ("cam0", &info, &err),
      DATAHUB_ERROR_VERSION);
  /* one that is known, and cannot be true of files with names */
  id->feat_incompat = FEATURE_STRICT;
  renew_header_check (id);
  CHECK_RESULT (datahub_block_inspect ("cam0", &info, &err),
      DATAHUB_ERROR_CORRUPT);
  intrusion_end (&ctl);
  /* A name whose dead block nobody here understands is free all the same. */
  CHECK_OK (producer_try ("cam0", NULL, &producer));
  datahub_producer_close (producer);
}

static void
flipped_bits (void)
{
  leave_dead_block ();
  Intrusion ctl = intrude (".ctl");
  for (size_t i = 0; i < sizeof (BlockIdentity); i++) {
    ctl.bytes[i] ^= 0x10;
    DatahubResult result = consumer_try ("cam0");
    if (result != DATAHUB_ERROR_CORRUPT && result != DATAHUB_ERROR_VERSION)
      check_fail (__FILE__, __LINE__, "byte %zu: %s", i,
          datahub_result_name (result));
    intrusion_restore (&ctl);
  }
  intrusion_end (&ctl);
  check_whole ();
}

/* Every 32-bit number of the header and of the table of sections in turn, the
 * check sum right: accepted only where it changes nothing that is used. */
static void
impossible_numbers (void)
{
  static const uint32_t values[] = { 0, 1, 2, 3, 63, 4097, 0x7fffffff,
    0x80000000, 0xfffffff8, 0xffffffff };
  leave_dead_block ();
  Intrusion ctl = intrude (".ctl");
  BlockIdentity *id = (BlockIdentity *) ctl.bytes;
  uint32_t refused = 0;
  size_t end = sizeof (BlockHeader) + (N_SECTIONS + 1) * sizeof (BlockSection);
  /* So that an attach that works does not remove the dead block. */
  DatahubConsumer *keeper = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  for (size_t at = 0; at < end; at += 4)
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
      memcpy (ctl.bytes + at, &values[i], 4);
      renew_header_check (id);
      DatahubResult result = consumer_try ("cam0");
      refused += result != DATAHUB_OK;
      if (result != DATAHUB_OK && result != DATAHUB_ERROR_CORRUPT
          && result != DATAHUB_ERROR_VERSION && result != DATAHUB_ERROR_FULL
          && result != DATAHUB_ERROR_NOT_FOUND)
        check_fail (__FILE__, __LINE__, "offset %zu value %x: %s", at,
            values[i], datahub_result_name (result));
      intrusion_restore (&ctl);
    }
  CHECK_INT (refused, >, 300);
  intrusion_end (&ctl);
  datahub_consumer_close (keeper);
}

static void
files_of_two_blocks (void)
{
  leave_dead_block ();
  Intrusion con = intrude (".con");
  WakePage *wake = (WakePage *) con.bytes;
  wake->uuid[3] ^= 1;
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
  intrusion_restore (&con);
  wake->magic++;
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
  intrusion_restore (&con);
  intrusion_end (&con);

  Intrusion ctl = intrude (".ctl");
  BlockIdentity *id = (BlockIdentity *) ctl.bytes;
  id->uuid[7] ^= 1;
  renew_header_check (id);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
  intrusion_restore (&ctl);
  intrusion_end (&ctl);
  check_whole ();
}

static void
missing_parts (void)
{
  static const char *const parts[] = { ".ctl", ".con" };
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    leave_dead_block ();
    unlink (check_find_file (parts[i]));
    DatahubResult result = consumer_try ("cam0");
    CHECK (result == DATAHUB_ERROR_NOT_FOUND
        || result == DATAHUB_ERROR_CORRUPT);
    /* The name is not lost for ever. */
    datahub_producer_close (producer_new ("cam0", NULL));
    CHECK_INT (check_count_files (), ==, 0);
  }
}

/* A producer whose predecessor left garbage under the name. */
static void
replaced_garbage (void)
{
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    leave_dead_block ();
    Intrusion file = intrude (suffixes[i]);
    memset (file.bytes, 0x5a, file.size);
    intrusion_end (&file);
    DatahubProducer *producer = producer_new ("cam0", NULL);
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    commit_buffers (producer, 0, 3);
    expect_buffers (consumer, 0, 3);
    datahub_consumer_close (consumer);
    datahub_producer_close (producer);
    datahub_block_reclaim (false, NULL, NULL, NULL);
  }
}

static void
other_user (void)
{
  if (geteuid () != 0)
    check_skip ("only root can give files away");
  leave_dead_block ();
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    char path[256];
    snprintf (path, sizeof path, "%s", check_find_file (suffixes[i]));
    CHECK (chown (path, 12345, 12345) == 0);
    CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_DENIED);
    CHECK_CONTAINS (err.message, "12345");
    CHECK (chown (path, 0, 0) == 0);
  }
  check_whole ();
}

static void
other_users_name (void)
{
  if (geteuid () != 0)
    check_skip ("only root can give files away");
  char path[256];
  DatahubProducer *producer;
  snprintf (path, sizeof path, "%s/datahub-0-cam0", check_directory ());
  close (open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  CHECK (chown (path, 12345, 12345) == 0);
  CHECK_RESULT (producer_try ("cam0", NULL, &producer), DATAHUB_ERROR_DENIED);
  unlink (path);
}

static void
as_somebody_else (CheckParent *parent)
{
  DatahubResult result;
  if (setresgid (65534, 65534, 65534) != 0
      || setresuid (65534, 65534, 65534) != 0)
    _exit (77);
  result = consumer_try ("cam0");
  CHECK (result == DATAHUB_ERROR_NOT_FOUND || result == DATAHUB_ERROR_DENIED);
}

static void
seen_by_another_user (void)
{
  if (geteuid () != 0)
    check_skip ("only root can become another user");
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK (chmod (check_directory (), 01777) == 0);
  CheckChild child = check_fork (as_somebody_else, NULL);
  check_join (&child);
  datahub_producer_close (producer);
}

static void
inspected (void)
{
  leave_dead_block ();
  DatahubBlockInfo info;
  Intrusion ctl = intrude (".ctl");
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  CHECK (!info.producer_alive);
  memset (ctl.bytes, 0x33, ctl.size);
  CHECK_RESULT (datahub_block_inspect ("cam0", &info, &err),
      DATAHUB_ERROR_CORRUPT);
  intrusion_end (&ctl);
  datahub_block_reclaim (false, NULL, NULL, NULL);
  CHECK_INT (check_count_files (), ==, 0);
}

static const CheckTest tests[] = {
  { "a truncated file is refused as damaged", truncated },
  { "a zeroed file is refused as damaged", zeroed },
  { "an empty entry is refused and can be taken over", empty_entry },
  { "directories, pipes and links under the name are refused", not_a_file },
  { "another version is refused and says what to upgrade", other_version },
  { "a later minor version is accepted", later_minor },
  { "an unknown feature may let observe, and no more", observe_only },
  { "a flipped bit anywhere in the header is found", flipped_bits },
  { "impossible numbers in the header never crash", impossible_numbers },
  { "files of two blocks do not mix", files_of_two_blocks },
  { "a block with a part missing is refused and can be replaced",
      missing_parts },
  { "garbage under the name does not stop a new producer", replaced_garbage },
  { "a block of another user is refused with its owner", other_user },
  { "a name taken by another user's file is refused", other_users_name },
  { "another user does not get in", seen_by_another_user },
  { "a damaged block is inspected with an error and reclaimed", inspected },
};
CHECK_MAIN (tests)
