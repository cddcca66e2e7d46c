/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Full shared memory: a clear error with the numbers, no SIGBUS, nothing left.
 * In a small tmpfs that only this process sees. */
#include "bytes.h"
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"
#include "until.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
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

/* Says that there is no space, and leaves nothing. */
static GError *
run_until_full (const gchar *line)
{
  GError *error = run_until_error (line);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                   GST_RESOURCE_ERROR_NO_SPACE_LEFT),
      "%s", error->message);
  fail_unless_equals_int (sandbox_count_files (), 0);
  return error;
}

GST_START_TEST (full_shared_memory_is_said_with_the_numbers)
{
  g_autoptr (GError) error = run_until_full (
      "videotestsrc num-buffers=1 ! video/x-raw,width=1920,height=1080 ! "
      "datahubsink datablock=test");
  fail_unless (strstr (error->message, "MiB") != NULL, "%s", error->message);
}
GST_END_TEST;

/* The stream begins with frames that fit. */
GST_START_TEST (frames_that_outgrow_the_memory_are_an_error_too)
{
  g_autoptr (GError) error G_GNUC_UNUSED = run_until_full (
      "fakesrc num-buffers=200 sizetype=random sizemin=1 sizemax=2000000 "
      "filltype=zero ! datahubsink datablock=test sync=false slots=8 "
      "slot-size=4096");
}
GST_END_TEST;

static gpointer
push_most (gpointer data)
{
  GstBuffer *buffer =
      gst_buffer_new_allocate (NULL, 512 << 20, NULL); /* not touched */
  return GINT_TO_POINTER (gst_harness_push (data, buffer));
}

/* The picture of the tags is left out, and the title comes. */
GST_START_TEST (tags_without_space_lose_their_pictures_alone)
{
  GstHarness *sink = harness_sink ("slot-size=1024 slots=4 max-consumers=4"),
             *src;
  g_autoptr (GstBuffer) picture = bytes_buffer (300000, 1);
  g_autoptr (GstSample) cover = gst_sample_new (picture, NULL, NULL, NULL);
  GstTagList *tags =
      gst_tag_list_new (GST_TAG_TITLE, "A song", GST_TAG_IMAGE, cover, NULL);
  GstEvent *event;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_bytes (sink, 10, 1);
  fail_unless (gst_harness_push_event (sink, gst_event_new_tag (tags)));
  push_bytes (sink, 10, 2);
  fail_unless_equals_uint64 (element_stat (sink->element, "left-out"), 1);
  src = harness_src ("");
  take_bytes (src, 10, 2);
  do
    event = gst_harness_pull_event (src);
  while (GST_EVENT_TYPE (event) != GST_EVENT_TAG);
  gst_event_parse_tag (event, &tags);
  fail_unless_equals_int (gst_tag_list_n_tags (tags), 1);
  fail_unless_equals_int (gst_tag_list_get_tag_size (tags, GST_TAG_TITLE), 1);
  gst_event_unref (event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static guint64
free_bytes (void)
{
  struct statvfs fs;
  fail_unless (statvfs ("/dev/shm", &fs) == 0);
  return (guint64) fs.f_bavail * fs.f_frsize;
}

/* This process alone has the file system, so what is missing there is being made. */
static void
stop_in_a_growth (guint64 before)
{
  GstHarness *sink = number_sink ("max-bytes=600000000");
  GThread *thread;
  push_number (sink, 1);
  thread = g_thread_new ("push", push_most, sink);
  UNTIL (free_bytes () < before - (16 << 20));
  gst_element_set_state (sink->element, GST_STATE_NULL);
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_FLUSHING);
  gst_harness_teardown (sink);
  fail_unless_equals_uint64 (free_bytes (), before);
  fail_unless_equals_int (sandbox_count_files (), 0);
}

/* One slot of that size fits, and two do not. */
GST_START_TEST (a_growth_that_was_stopped_leaves_its_memory_to_the_next_one)
{
  GstHarness *sink;
  guint64 before;
  fail_unless (mount ("tmpfs", "/dev/shm", "tmpfs", MS_REMOUNT, "size=600m")
      == 0);
  before = free_bytes ();
  for (guint i = 0; i < 3; i++)
    stop_in_a_growth (before);
  sink = number_sink ("max-bytes=600000000");
  push_number (sink, 1);
  fail_unless_equals_int (GPOINTER_TO_INT (push_most (sink)), GST_FLOW_OK);
  fail_unless_equals_uint64 (element_stat (sink->element, "growths"), 1);
  gst_harness_teardown (sink);
  fail_unless_equals_uint64 (free_bytes (), before);
  mount ("tmpfs", "/dev/shm", "tmpfs", MS_REMOUNT, "size=1m");
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, full_shared_memory_is_said_with_the_numbers);
  tcase_add_test (tc, frames_that_outgrow_the_memory_are_an_error_too);
  tcase_add_test (tc, tags_without_space_lose_their_pictures_alone);
  tcase_add_test (tc,
      a_growth_that_was_stopped_leaves_its_memory_to_the_next_one);
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
  return gst_check_run_suite (sandbox_suite ("full", add_tests), "datahub_full",
      __FILE__);
}
