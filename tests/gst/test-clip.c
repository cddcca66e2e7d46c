/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real film, decoded in one process and received in another: every frame and
 * every sample arrives, the same to the last bit, in order, at full speed. */
#include "child.h"
#include "sandbox.h"
#include "until.h"

#define FRAMES 720

static const gchar *
clip (void)
{
  const gchar *path = g_getenv ("DATAHUB_TEST_CLIP");
  return path && g_file_test (path, G_FILE_TEST_IS_REGULAR) ? path : NULL;
}

static gboolean
have_elements (void)
{
  static const gchar *const names[] = { "qtdemux", "h264parse", "avdec_h264",
    "aacparse", "avdec_aac" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (GstElementFactory) factory = gst_element_factory_find (names[i]);
    if (!factory) {
      g_print ("# skipped: there is no %s\n", names[i]);
      return FALSE;
    }
  }
  return TRUE;
}

/* The payloads that a child showed, in order: PTS, size and checksum of each.
 * Flags are left out: the first buffer of a consumer has DISCONT. */
static GPtrArray *
collect (Child *child, const gchar *name)
{
  GPtrArray *list = g_ptr_array_new_with_free_func (g_free);
  g_autofree gchar *prefix = g_strdup_printf ("buffer %s ", name);
  gchar *line;
  while ((line = child_next (child, prefix))) {
    g_autofree gchar *sum = child_sum (line);
    g_ptr_array_add (list,
        g_strdup_printf ("%" G_GINT64_FORMAT " %s", child_pts (line), sum));
    g_free (line);
  }
  return list;
}

static void
check_same (GPtrArray *sent, GPtrArray *received, guint at_least)
{
  fail_unless (sent->len >= at_least, "only %u were sent", sent->len);
  fail_unless_equals_int (sent->len, received->len);
  for (guint i = 0; i < sent->len; i++)
    fail_unless_equals_string (g_ptr_array_index (sent, i),
        g_ptr_array_index (received, i));
}

static Child *
start_producer (const gchar *branch, const gchar *block)
{
  return child_start ("filesrc location=%s ! qtdemux name=d %s ! "
                      "identity name=show-sent ! datahubsink name=sink "
                      "datablock=%s wait-for-consumers=1 sync=false",
      clip (), branch, block);
}

static Child *
start_consumer (const gchar *block)
{
  return child_start ("datahubsrc name=src datablock=%s delivery=reliable "
                      "start-at=oldest timestamps=passthrough ! "
                      "fakesink name=show-received sync=false",
      block);
}

typedef struct
{
  Child *child;
  const gchar *name;
} Job;

static gpointer
collect_job (gpointer data)
{
  Job *job = data;
  return collect (job->child, job->name);
}

/* Both children write at once, so both must be read at once. */
static void
run_clip (const gchar *branch, gboolean consumer_first, guint at_least)
{
  Child *producer = NULL, *consumer;
  GPtrArray *sent, *received;
  GThread *thread;
  Job job = { NULL, "show-sent" };
  if (!consumer_first) {
    producer = start_producer (branch, "clip");
    UNTIL (sandbox_count_files () > 0);
  }
  consumer = start_consumer ("clip");
  if (consumer_first) {
    child_expect (consumer, "started");
    producer = start_producer (branch, "clip");
  }
  job.child = producer;
  thread = g_thread_new ("sent", collect_job, &job);
  received = collect (consumer, "show-received");
  sent = g_thread_join (thread);
  check_same (sent, received, at_least);
  g_ptr_array_unref (sent);
  g_ptr_array_unref (received);
  fail_unless_equals_int (child_end (producer), 0);
  fail_unless_equals_int (child_end (consumer), 0);
}

#define VIDEO "d.video_0 ! h264parse ! avdec_h264"
#define AUDIO "d.audio_0 ! aacparse ! avdec_aac"
#define ENCODED "d.video_0 ! h264parse"

GST_START_TEST (every_frame_arrives_unchanged)
{
  run_clip (VIDEO, FALSE, FRAMES);
}
GST_END_TEST;

GST_START_TEST (every_frame_arrives_when_the_consumer_is_first)
{
  run_clip (VIDEO, TRUE, FRAMES);
}
GST_END_TEST;

GST_START_TEST (every_sample_arrives_unchanged)
{
  run_clip (AUDIO, FALSE, 1000);
}
GST_END_TEST;

GST_START_TEST (every_sample_arrives_when_the_consumer_is_first)
{
  run_clip (AUDIO, TRUE, 1000);
}
GST_END_TEST;

GST_START_TEST (every_packet_arrives_unchanged)
{
  run_clip (ENCODED, FALSE, FRAMES);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, every_frame_arrives_unchanged);
  tcase_add_test (tc, every_frame_arrives_when_the_consumer_is_first);
  tcase_add_test (tc, every_sample_arrives_unchanged);
  tcase_add_test (tc, every_sample_arrives_when_the_consumer_is_first);
  tcase_add_test (tc, every_packet_arrives_unchanged);
}

int
main (int argc, char **argv)
{
  gst_check_init (&argc, &argv);
  if (!clip ()) {
    g_print ("SKIPPED: no clip; DATAHUB_TEST_CLIP names one\n");
    return 77;
  }
  if (!have_elements ())
    return 77;
  return gst_check_run_suite (sandbox_suite ("clip", add_tests), "datahub_clip",
      __FILE__);
}
