/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks that no consumer can read are no devices, and disturb no other one. Each
 * test ends with a good block: nothing comes before it. */
#include "devices.h"
#include "harness.h"
#include "sandbox.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GOOD_CAPS "text/x-raw, format=utf8"

static void
expect_good_one (Monitor *monitor)
{
  DatahubProducer *good = block_new_text ("good", GOOD_CAPS);
  monitor_expect_added (monitor, "good");
  datahub_producer_close (good);
  monitor_expect_removed (monitor, "good");
}

static void
expect_no_device (gconstpointer caps, gsize size)
{
  DatahubProducer *bad = block_new ("bad", caps, size);
  Monitor monitor = monitor_start ("Source/DataHub", NULL);
  fail_unless (gst_device_monitor_get_devices (monitor.monitor) == NULL);
  expect_good_one (&monitor);
  monitor_end (&monitor);
  datahub_producer_close (bad);
}

GST_START_TEST (caps_that_make_no_sense_are_no_device)
{
  static const gchar *const texts[] = { "((((((", "video/x-raw, a=(", "\033[2J",
    "1", "video/x-raw, width=[1,2]", "video/x-raw(memory:GLMemory), width=1",
    "a/b, c={(structure)\"d, e={(structure)\\\"f" };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    expect_no_device (texts[i], strlen (texts[i]) + 1);
}
GST_END_TEST;

/* They go into a slot: no text of that length is read as a whole. */
GST_START_TEST (endless_caps_are_no_device)
{
  g_autofree gchar *text = g_strnfill (1000000, 'a');
  g_autofree gchar *deep = g_strnfill (1000000, '{');
  expect_no_device (text, 1000001);
  memcpy (deep, "a/b, c=", strlen ("a/b, c="));
  expect_no_device (deep, 1000001);
  expect_no_device (text, 1000000); /* without an end */
}
GST_END_TEST;

/* A consumer could read it, so it is a device with what is certain. */
GST_START_TEST (of_long_caps_the_media_type_is_known)
{
  g_autofree gchar *value = g_strnfill (5000, 'a');
  g_autofree gchar *text =
      g_strdup_printf ("audio/x-vorbis, header=(string)%s", value);
  Monitor monitor = monitor_start ("Audio/Source/DataHub", NULL);
  DatahubProducer *block = block_new_text ("long", text);
  GstDevice *device =
      monitor_expect (&monitor, GST_MESSAGE_DEVICE_ADDED, "long");
  device_expect_caps (device, "audio/x-vorbis");
  gst_object_unref (device);
  datahub_producer_close (block);
  monitor_end (&monitor);
}
GST_END_TEST;

static gchar *
path_of (const gchar *format, const gchar *word)
{
  g_autofree gchar *name = g_strdup_printf (format, getuid (), word);
  return g_build_filename (sandbox_directory (), name, NULL);
}

static void
overwrite (const gchar *path, const gchar *bytes, gsize size)
{
  FILE *file = fopen (path, "r+e");
  fail_unless (file != NULL, "%s", path);
  fail_unless (fwrite (bytes, 1, size, file) == size);
  fail_unless (fclose (file) == 0);
}

GST_START_TEST (a_damaged_header_is_no_device)
{
  static const gchar zeros[256];
  DatahubProducer *bad = block_new_text ("bad", GOOD_CAPS);
  g_autofree gchar *path =
      path_of ("datahub-%u-%s.ctl", datahub_producer_get_uuid (bad));
  Monitor monitor;
  overwrite (path, zeros, sizeof zeros);
  monitor = monitor_start ("Source/DataHub", NULL);
  fail_unless (gst_device_monitor_get_devices (monitor.monitor) == NULL);
  expect_good_one (&monitor);
  monitor_end (&monitor);
  datahub_producer_close (bad);
}
GST_END_TEST;

/* Its damage is noticed at the next look at the caps. */
GST_START_TEST (a_device_whose_block_is_damaged_is_removed)
{
  static const gchar zeros[256];
  DatahubProducer *bad = block_new_text ("bad", GOOD_CAPS);
  g_autofree gchar *path =
      path_of ("datahub-%u-%s.ctl", datahub_producer_get_uuid (bad));
  Monitor monitor = monitor_start ("Source/DataHub", NULL);
  monitor_expect_added (&monitor, "bad");
  overwrite (path, zeros, sizeof zeros);
  monitor_expect_removed (&monitor, "bad");
  expect_good_one (&monitor);
  monitor_end (&monitor);
  datahub_producer_close (bad);
}
GST_END_TEST;

GST_START_TEST (files_that_are_no_blocks_are_no_devices)
{
  g_autofree gchar *file = path_of ("datahub-%u-%s", "file");
  g_autofree gchar *folder = path_of ("datahub-%u-%s", "folder");
  g_autofree gchar *link = path_of ("datahub-%u-%s", "link");
  Monitor monitor;
  fail_unless (g_file_set_contents (file, "text", -1, NULL));
  fail_unless_equals_int (g_mkdir_with_parents (folder, 0700), 0);
  fail_unless_equals_int (symlink ("/dev/zero", link), 0);
  monitor = monitor_start ("Source/DataHub", NULL);
  fail_unless (gst_device_monitor_get_devices (monitor.monitor) == NULL);
  expect_good_one (&monitor);
  monitor_end (&monitor);
  unlink (file);
  unlink (link);
  rmdir (folder);
}
GST_END_TEST;

/* A name that a terminal would act on. */
GST_START_TEST (the_name_of_a_program_is_text)
{
  Monitor monitor;
  GstHarness *sink;
  GstDevice *device;
  GstMessageType type;
  g_autofree gchar *name = NULL;
  g_setenv ("DATAHUB_BROKER", "auto", TRUE);
  g_set_prgname ("a\033[2Jb\nc");
  sink = harness_sink ("");
  monitor = monitor_start ("Source/DataHub", NULL);
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  gst_harness_push (sink, gst_buffer_new_allocate (NULL, 4, NULL));
  do {
    g_clear_pointer (&name, g_free);
    device = monitor_next (&monitor, &type);
    name = gst_device_get_display_name (device);
    gst_object_unref (device);
  } while (!strchr (name, '(')); /* the broker knows it a little later */
  for (const gchar *at = name; *at; at++)
    fail_unless (g_ascii_isprint (*at), "%s", name);
  fail_unless (g_str_has_prefix (name, "test (a"), "%s", name);
  gst_harness_teardown (sink);
  monitor_end (&monitor);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, caps_that_make_no_sense_are_no_device);
  tcase_add_test (tc, endless_caps_are_no_device);
  tcase_add_test (tc, of_long_caps_the_media_type_is_known);
  tcase_add_test (tc, a_damaged_header_is_no_device);
  tcase_add_test (tc, a_device_whose_block_is_damaged_is_removed);
  tcase_add_test (tc, files_that_are_no_blocks_are_no_devices);
  tcase_add_test (tc, the_name_of_a_program_is_text);
}

SANDBOX_MAIN (devices_hostile)
