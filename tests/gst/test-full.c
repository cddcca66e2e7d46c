/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Full shared memory: a clear error with the numbers, no SIGBUS, nothing left.
 * In a small tmpfs that only this process sees. */
#include "place.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

static gboolean
write_text (const gchar *path, const gchar *text)
{
  FILE *file = fopen (path, "we");
  gboolean done = file && fputs (text, file) >= 0;
  return file && fclose (file) == 0 && done;
}

/* Root needs a mount namespace; others a user namespace around it, where the
 * kernel allows that. */
static gboolean
enter_namespace (void)
{
  g_autofree gchar *uid = g_strdup_printf ("0 %u 1", (guint) getuid ());
  if (unshare (CLONE_NEWNS) != 0) {
    if (unshare (CLONE_NEWUSER | CLONE_NEWNS) != 0
        || !write_text ("/proc/self/uid_map", uid))
      return FALSE;
  }
  return mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
      && mount ("tmpfs", "/dev/shm", "tmpfs", 0, "size=1m") == 0;
}

static GstMessage *
run_until_error (const gchar *line)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
      GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  fail_unless (message != NULL);
  return message;
}

GST_START_TEST (full_shared_memory_is_said_with_the_numbers)
{
  GstMessage *message = run_until_error (
      "videotestsrc num-buffers=1 ! video/x-raw,width=1920,height=1080 ! "
      "datahubsink datablock=test");
  g_autoptr (GError) error = NULL;
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                   GST_RESOURCE_ERROR_NO_SPACE_LEFT),
      "%s", error->message);
  fail_unless (strstr (error->message, "MiB") != NULL, "%s", error->message);
  gst_message_unref (message);
  fail_unless_equals_int (place_count_files (), 0);
}
GST_END_TEST;

/* The stream begins with frames that fit. */
GST_START_TEST (frames_that_outgrow_the_memory_are_an_error_too)
{
  GstMessage *message = run_until_error (
      "fakesrc num-buffers=200 sizetype=random sizemin=1 sizemax=2000000 "
      "filltype=zero ! datahubsink datablock=test sync=false slots=8 "
      "slot-size=4096");
  g_autoptr (GError) error = NULL;
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                   GST_RESOURCE_ERROR_NO_SPACE_LEFT),
      "%s", error->message);
  gst_message_unref (message);
  fail_unless_equals_int (place_count_files (), 0);
}
GST_END_TEST;

static Suite *
datahub_full_suite (void)
{
  Suite *suite = suite_create ("full");
  TCase *tc = tcase_create ("full");
  suite_add_tcase (suite, tc);
  tcase_add_checked_fixture (tc, place_setup, place_teardown);
  tcase_add_test (tc, full_shared_memory_is_said_with_the_numbers);
  tcase_add_test (tc, frames_that_outgrow_the_memory_are_an_error_too);
  return suite;
}

int
main (int argc, char **argv)
{
  if (!enter_namespace ()) {
    printf ("SKIPPED: a tmpfs of its own cannot be mounted here: %s\n",
        g_strerror (errno));
    return 77;
  }
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (datahub_full_suite (), "datahub_full", __FILE__);
}
