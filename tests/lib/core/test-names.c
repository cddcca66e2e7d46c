/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Channel names, and the files that follow from them. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

static void
allowed (void)
{
  static const char *const names[] = { "a", "0", "cam0", "Cam-0_front.left",
    "a..b", "A--", "x.ctl", "0123456789abcdef.ctl",
    /* 31 and 33 digits are not an object's name */
    "0123456789abcdef0123456789abcde.ctl",
    "0123456789abcdef0123456789abcdef0.ctl",
    "0123456789abcdef0123456789abcdef" };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (!datahub_channel_is_valid (names[i], &err))
      check_fail (__FILE__, __LINE__, "%s: %s", names[i], err.message);
}

static void
refused (void)
{
  static const char *const names[] = { "", ".", "..", ".a", "-a", "_a", "a/b",
    "/a", "a b", " a", "a ", "a\n", "a:b", "a*", "\xc3\xa9", "a\x01", "a\\",
    "../a" };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    memset (&err, 0, sizeof err);
    if (datahub_channel_is_valid (names[i], &err))
      check_fail (__FILE__, __LINE__, "\"%s\" was accepted", names[i]);
    CHECK_INT (err.code, ==, DATAHUB_ERROR_NAME);
    CHECK (strlen (err.message) > 10);
  }
  CHECK (!datahub_channel_is_valid (NULL, &err));
  CHECK (!datahub_channel_is_valid ("a/b", NULL));
}

static void
longest (void)
{
  char name[DATAHUB_CHANNEL_MAX + 2];
  memset (name, 'n', sizeof name);
  name[DATAHUB_CHANNEL_MAX] = '\0';
  CHECK (datahub_channel_is_valid (name, &err));
  datahub_producer_close (producer_new (name, NULL));

  name[DATAHUB_CHANNEL_MAX] = 'n';
  name[DATAHUB_CHANNEL_MAX + 1] = '\0';
  CHECK (!datahub_channel_is_valid (name, &err));
  CHECK_CONTAINS (err.message, "64");
}

static void
reserved (void)
{
  static const char *const endings[] = { "ctl", "con", "lck", "d0", "d1",
    "d42" };
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    char name[DATAHUB_CHANNEL_MAX + 1];
    snprintf (name, sizeof name, "0123456789abcdef0123456789abcdef.%s",
        endings[i]);
    if (datahub_channel_is_valid (name, &err))
      check_fail (__FILE__, __LINE__, "%s was accepted", name);
    CHECK_INT (err.code, ==, DATAHUB_ERROR_NAME);
  }
}

static void
every_call_refuses (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  DatahubBlockInfo info;
  uint32_t n;
  CHECK_RESULT (datahub_producer_create ("a/b", &options, &producer, &err),
      DATAHUB_ERROR_NAME);
  CHECK (producer == NULL);
  CHECK_CONTAINS (err.message, "a/b");
  CHECK_RESULT (consumer_try ("a/b"), DATAHUB_ERROR_NAME);
  CHECK_RESULT (datahub_block_inspect ("a/b", &info, &err), DATAHUB_ERROR_NAME);
  CHECK_RESULT (datahub_block_inspect_consumers ("a/b", NULL, 0, &n, &err),
      DATAHUB_ERROR_NAME);
}

static void
missing (void)
{
  DatahubBlockInfo info;
  CHECK_RESULT (consumer_try ("nobody"), DATAHUB_ERROR_NOT_FOUND);
  CHECK_CONTAINS (err.message, "nobody");
  CHECK_RESULT (datahub_block_inspect ("nobody", &info, &err),
      DATAHUB_ERROR_NOT_FOUND);
}

static void
missing_directory (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  setenv ("DATAHUB_SHM_DIR", "/nonexistent/datahub", 1);
  DatahubResult result =
      datahub_producer_create ("cam0", &options, &producer, &err);
  CHECK_INT (result, >=, DATAHUB_ERROR_FIRST);
  CHECK_CONTAINS (err.message, "/nonexistent/datahub");
}

static void
check_exists (const char *format, const char *what)
{
  char name[128], path[512];
  snprintf (name, sizeof name, format, (unsigned) getuid (), what);
  snprintf (path, sizeof path, "%s/%s", check_directory (), name);
  if (access (path, F_OK) != 0)
    check_fail (__FILE__, __LINE__, "%s is not there", path);
}

static void
files (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  CHECK_INT (strlen (uuid), ==, 32);
  check_exists ("datahub-%u-%s", "cam0");
  check_exists ("datahub-%u-%s.ctl", uuid);
  check_exists ("datahub-%u-%s.con", uuid);
  check_exists ("datahub-%u-%s.lck", uuid);
  CHECK_STR (datahub_shm_directory (), check_directory ());
  datahub_producer_close (producer);
}

static void
collect (const char *channel, void *user_data)
{
  char *all = user_data;
  strcat (strcat (all, channel), " ");
}

static void
listing (void)
{
  char all[256] = "";
  DatahubProducer *a = producer_new ("cam0", NULL);
  DatahubProducer *b = producer_new ("mic.1", NULL);
  CHECK_OK (datahub_block_list (collect, all, &err));
  CHECK_CONTAINS (all, "cam0 ");
  CHECK_CONTAINS (all, "mic.1 ");
  CHECK_INT (strlen (all), ==, strlen ("cam0 mic.1 "));
  datahub_producer_close (a);
  datahub_producer_close (b);
  all[0] = '\0';
  CHECK_OK (datahub_block_list (collect, all, &err));
  CHECK_STR (all, "");
}

static const CheckTest tests[] = {
  { "letters, digits, dot, dash and underscore make a name", allowed },
  { "other names are refused with a sentence", refused },
  { "64 characters are a name, 65 are not", longest },
  { "names that look like an object's file are reserved", reserved },
  { "create, attach and inspect refuse a wrong name", every_call_refuses },
  { "a block that nobody publishes is not found", missing },
  { "a missing shared memory directory is named in the error",
      missing_directory },
  { "a published block has its entry and its objects by name", files },
  { "the published channels are listed", listing },
};
CHECK_MAIN (tests)
