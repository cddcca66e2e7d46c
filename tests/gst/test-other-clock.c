/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producers with a CLOCK_MONOTONIC that is not that of the consumer: real ones in another
 * time namespace, where the system gives one, and blocks with clocks that were written
 * over, which need no privilege. */
#include "child.h"
#include "harness.h"
#include "messages.h"
#include "producer.h"
#include "sandbox.h"
#include "until.h"

#include <datahub/block.h>
#include <datahub/producer.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gst/video/video.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FAR 100000
#define FRAMES 10

static gint64
clock_ns (clockid_t id)
{
  struct timespec now;
  clock_gettime (id, &now);
  return (gint64) GST_TIMESPEC_TO_TIME (now);
}

/* ---- in another namespace ---- */

/* Runs the programs of later children so far ahead; FALSE: not possible here. */
static gboolean
shift_children (gint64 seconds)
{
  const gchar *program = g_getenv ("DATAHUB_TEST_CHILD");
  g_autofree gchar *wrapper =
      g_build_filename (g_getenv ("DATAHUB_RUNTIME_DIR"), "shifted", NULL);
  g_autofree gchar *text = g_strdup_printf (
      "#!/bin/sh\nexec unshare --time --monotonic %" G_GINT64_FORMAT
      " --boottime %" G_GINT64_FORMAT
      " --fork --kill-child -- \"${0%%/*}/inside\" "
      "\"$@\"\n",
      seconds, seconds);
  g_autofree gchar *inside =
      g_build_filename (g_getenv ("DATAHUB_RUNTIME_DIR"), "inside", NULL);
  gint status = 1;
  fail_unless (g_file_set_contents (wrapper, text, -1, NULL));
  fail_unless_equals_int (g_chmod (wrapper, 0700), 0);
  fail_unless_equals_int (symlink ("/bin/true", inside), 0);
  if (!g_spawn_sync (NULL, (gchar *[]){ wrapper, NULL }, NULL,
          G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
          NULL, NULL, &status, NULL)
      || status != 0) {
    g_print ("SKIPPED: no time namespace can be made here\n");
    return FALSE;
  }
  fail_unless_equals_int (g_unlink (inside), 0);
  fail_unless_equals_int (symlink (program, inside), 0);
  g_setenv ("DATAHUB_TEST_CHILD", wrapper, TRUE);
  return TRUE;
}

/* As far as a clock can be that is not below 0. */
static gint64
behind (void)
{
  return -MIN (FAR, clock_ns (CLOCK_MONOTONIC) / 2 / (gint64) GST_SECOND);
}

/* Less than the distance of the clocks, and more than a busy machine needs. */
static GstClockTime
patience (gint64 seconds)
{
  return (GstClockTime) ABS (seconds) / 2 * GST_SECOND;
}

static gint64
stat_offset (GstElement *element)
{
  g_autoptr (GstStructure) stats = NULL;
  gint64 offset = 0;
  g_object_get (element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_int64 (stats, "clock-offset", &offset));
  return offset;
}

static void
on_handoff (GstElement *fakesink, GstBuffer *buffer, GstPad *pad,
    gpointer user_data)
{
  gint64 *late = g_new (gint64, 1);
  g_autoptr (GstClock) clock = gst_element_get_clock (fakesink);
  *late = (gint64) (gst_clock_get_time (clock)
      - gst_element_get_base_time (fakesink) - GST_BUFFER_PTS (buffer));
  g_async_queue_push (user_data, late);
}

/* The program that is killed is the parent of the producer. */
static gboolean
is_dead (void)
{
  DatahubBlockGlance glance;
  return datahub_block_glance ("test", &glance, NULL) == DATAHUB_OK
      && !glance.producer_alive;
}

/* A synced viewer of a camera that is so far ahead. */
static void
view_from (gint64 seconds)
{
  g_autoptr (GAsyncQueue) shown = g_async_queue_new_full (g_free);
  g_autoptr (GstElement) out = NULL, src = NULL;
  g_autoptr (GstMessage) info = NULL;
  g_autoptr (GError) text = NULL;
  g_autofree gchar *line = NULL;
  GstElement *viewer;
  Child *camera;
  if (!shift_children (seconds))
    return;
  camera = child_start ("videotestsrc is-live=true ! "
                        "video/x-raw,width=64,height=64,framerate=30/1 ! "
                        "datahubsink name=sink datablock=test");
  child_expect (camera, "playing");
  line = g_strdup_printf ("datahubsrc name=src datablock=test timestamps=clock "
                          "max-age=%" G_GUINT64_FORMAT " ! "
                          "fakesink name=out sync=true signal-handoffs=true",
      patience (seconds));
  viewer = gst_parse_launch (line, NULL);
  out = gst_bin_get_by_name (GST_BIN (viewer), "out");
  src = gst_bin_get_by_name (GST_BIN (viewer), "src");
  g_signal_connect (out, "handoff", G_CALLBACK (on_handoff), shown);
  gst_element_set_state (viewer, GST_STATE_PLAYING);
  for (guint i = 0; i < FRAMES; i++) {
    g_autofree gint64 *late = g_async_queue_pop (shown);
    fail_unless (ABS (*late) < (gint64) patience (seconds),
        "%" G_GINT64_FORMAT " ns late", *late);
  }
  info = wait_message (viewer, GST_MESSAGE_INFO);
  gst_message_parse_info (info, &text, NULL);
  fail_unless (g_error_matches (text, GST_CORE_ERROR, GST_CORE_ERROR_CLOCK));
  fail_unless (strstr (text->message, seconds > 0 ? "ahead" : "behind")
      != NULL);
  fail_unless (ABS (stat_offset (src) + seconds * (gint64) GST_SECOND)
      < (gint64) GST_SECOND);
  fail_unless_equals_uint64 (element_stat (src, "expired"), 0);
  gst_element_set_state (viewer, GST_STATE_NULL);
  gst_object_unref (viewer);
  child_kill (camera);
  UNTIL (is_dead ());
  sandbox_remove_files (NULL);
}

GST_START_TEST (a_camera_that_is_ahead_is_shown_in_time)
{
  view_from (FAR);
}
GST_END_TEST;

GST_START_TEST (a_camera_that_is_behind_is_shown_in_time)
{
  view_from (behind ());
}
GST_END_TEST;

/* The viewer is the one in a namespace, and is not taken for stalled. */
static void
view_here (gint64 seconds)
{
  Producer camera;
  Child *viewer;
  DatahubConsumerInfo consumer;
  guint32 n;
  if (!shift_children (seconds))
    return;
  camera = producer_start ("videotestsrc is-live=true ! "
                           "video/x-raw,width=64,height=64,framerate=30/1 ! "
                           "datahubsink name=sink datablock=test");
  viewer = child_start (
      "datahubsrc datablock=test timestamps=clock max-age=%" G_GUINT64_FORMAT
      " ! fakesink name=show sync=true",
      patience (seconds));
  for (guint i = 0; i < FRAMES; i++) {
    g_autofree gchar *buffer = child_next (viewer, "buffer show");
    fail_unless (buffer != NULL);
    fail_unless (ABS (child_pts (buffer)) < (gint64) patience (seconds));
  }
  fail_unless_equals_int (datahub_block_inspect_consumers ("test", &consumer, 1,
                              &n, NULL),
      DATAHUB_OK);
  fail_unless_equals_int (n, 1);
  fail_unless (consumer.silent_ns < patience (seconds));
  fail_unless_equals_uint64 (consumer.expired, 0);
  child_kill (viewer);
  producer_end (&camera);
}

GST_START_TEST (a_viewer_that_is_ahead_sees_all_in_time)
{
  view_here (FAR);
}
GST_END_TEST;

GST_START_TEST (a_viewer_that_is_behind_sees_all_in_time)
{
  view_here (behind ());
}
GST_END_TEST;

/* ---- clocks that were written over ---- */

/* The words of a header, as docs/memory-layout.md has them. */
typedef struct
{
  guint64 monotonic, realtime;
  guint8 boot[16];
} Pair;

#define OFFSET_TURN 0x320
#define OFFSET_PAIRS 0x340

static void
write_pair (const Pair *pair)
{
  g_autoptr (GDir) dir = g_dir_open (sandbox_directory (), 0, NULL);
  const gchar *name;
  guint written = 0;
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path =
        g_build_filename (sandbox_directory (), name, NULL);
    guint64 turn = 0;
    int fd;
    if (!g_str_has_suffix (name, ".ctl"))
      continue;
    fd = g_open (path, O_RDWR | O_CLOEXEC);
    fail_unless (fd >= 0);
    fail_unless (pread (fd, &turn, sizeof turn, OFFSET_TURN) == sizeof turn);
    fail_unless (pwrite (fd, pair, sizeof *pair,
                     (off_t) (OFFSET_PAIRS + turn % 2 * sizeof *pair))
        == sizeof *pair);
    close (fd);
    written++;
  }
  fail_unless_equals_int (written, 1);
}

/* The clocks of a producer that is so far ahead. */
static Pair
pair_ahead (GstClockTime monotonic, GstClockTime realtime)
{
  return (Pair){ (guint64) clock_ns (CLOCK_MONOTONIC) + monotonic,
    (guint64) clock_ns (CLOCK_REALTIME) + realtime, { 0 } };
}

/* A source of a producer that takes no pair any more: exactly one message. */
static void
expect_warning (const Pair *pair, const gchar *word)
{
  DatahubProducerOptions options;
  DatahubProducer *producer = NULL;
  GstHarness *src;
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) warning = NULL;
  g_autofree gchar *detail = NULL;
  datahub_producer_options_init (&options);
  options.slot_size = 64;
  fail_unless_equals_int (datahub_producer_create ("test", &options, &producer,
                              NULL),
      DATAHUB_OK);
  fail_unless_equals_int (datahub_producer_publish (producer, NULL),
      DATAHUB_OK);
  write_pair (pair);
  src = harness_src_heard ("");
  message = wait_message (src->element, GST_MESSAGE_WARNING | GST_MESSAGE_INFO);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &warning, &detail);
  fail_unless (g_error_matches (warning, GST_CORE_ERROR, GST_CORE_ERROR_CLOCK));
  fail_unless (strstr (warning->message, word) != NULL, "%s", warning->message);
  fail_unless (strstr (warning->message, "passthrough") != NULL);
  fail_unless_equals_int64 (stat_offset (src->element), 0);
  gst_element_set_state (src->element, GST_STATE_NULL);
  gst_harness_teardown (src);
  datahub_producer_close (producer);
}

GST_START_TEST (another_kernel_is_a_warning)
{
  Pair pair = pair_ahead (FAR * GST_SECOND, 0);
  memset (pair.boot, 7, sizeof pair.boot);
  expect_warning (&pair, "another kernel");
}
GST_END_TEST;

GST_START_TEST (clocks_that_contradict_themselves_are_a_warning)
{
  Pair pair = pair_ahead (FAR * GST_SECOND, FAR * GST_SECOND);
  expect_warning (&pair, "contradict");
}
GST_END_TEST;

GST_START_TEST (absurd_clocks_are_a_warning)
{
  Pair pair = { G_MAXUINT64, 1, { 0 } };
  expect_warning (&pair, "contradict");
}
GST_END_TEST;

/* ---- upstream ---- */

#define HERE (100 * GST_SECOND)

static GstHarness *
live_sink (void)
{
  GstHarness *h = harness_sink ("");
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64, NULL);
  gst_harness_use_systemclock (h);
  gst_harness_set_live (h, TRUE);
  gst_element_set_base_time (h->element, gst_clock_get_time (clock) - HERE);
  gst_harness_set_src_caps_str (h, TEST_CAPS);
  GST_BUFFER_PTS (buffer) = HERE;
  GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
  return h;
}

static GstHarness *
reader (GstHarness *sink)
{
  GstElement *element =
      gst_parse_launch ("datahubsrc datablock=test timestamps=clock", NULL);
  GstHarness *h = gst_harness_new_with_element (element, NULL, "src");
  gst_object_unref (element);
  gst_harness_use_systemclock (h);
  gst_element_set_base_time (h->element,
      gst_element_get_base_time (sink->element));
  gst_harness_play (h);
  return h;
}

/* The sink takes a new pair each second, so the one that was written may be gone when
 * the source comes: then another source. */
static GstHarness *
mapping_reader (GstHarness *sink, GstBuffer **first)
{
  for (gint64 since = g_get_monotonic_time ();;) {
    Pair pair = pair_ahead (5 * GST_SECOND, 0);
    GstHarness *h;
    write_pair (&pair);
    h = reader (sink);
    *first = gst_harness_pull (h);
    if (stat_offset (h->element))
      return h;
    gst_buffer_unref (*first);
    gst_harness_teardown (h);
    fail_unless (g_get_monotonic_time () - since < 60 * G_USEC_PER_SEC);
  }
}

/* A consumer speaks of instants in the producer's clock. */
GST_START_TEST (a_key_unit_is_asked_for_in_the_clock_of_the_producer)
{
  GstHarness *sink = live_sink (), *src;
  GstBuffer *buffer;
  GstEvent *event;
  GstClockTime time = GST_CLOCK_TIME_NONE, shown;
  src = mapping_reader (sink, &buffer);
  shown = GST_BUFFER_PTS (buffer); /* a running time */
  fail_unless (gst_harness_push_upstream_event (src,
      gst_video_event_new_upstream_force_key_unit (shown + GST_SECOND, FALSE,
          7)));
  while ((event = gst_harness_pull_upstream_event (sink))) {
    gboolean found = gst_video_event_is_force_key_unit (event)
        && gst_video_event_parse_upstream_force_key_unit (event, &time, NULL,
            NULL);
    gst_event_unref (event);
    if (found)
      break;
  }
  fail_unless (ABS (GST_CLOCK_DIFF (HERE + GST_SECOND, time))
          < (GstClockTimeDiff) (20 * GST_MSECOND),
      "%" GST_TIME_FORMAT, GST_TIME_ARGS (time));
  gst_buffer_unref (buffer);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_camera_that_is_ahead_is_shown_in_time);
  tcase_add_test (tc, a_camera_that_is_behind_is_shown_in_time);
  tcase_add_test (tc, a_viewer_that_is_ahead_sees_all_in_time);
  tcase_add_test (tc, a_viewer_that_is_behind_sees_all_in_time);
  tcase_add_test (tc, another_kernel_is_a_warning);
  tcase_add_test (tc, clocks_that_contradict_themselves_are_a_warning);
  tcase_add_test (tc, absurd_clocks_are_a_warning);
  tcase_add_test (tc, a_key_unit_is_asked_for_in_the_clock_of_the_producer);
}

SANDBOX_MAIN (other_clock)
