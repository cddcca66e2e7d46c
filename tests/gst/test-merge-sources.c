/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks that are merged: each buffer has its origin, and a producer that does not
 * run has the effect that the pipeline wants. */
#include "child.h"
#include "harness.h"
#include "messages.h"
#include "sandbox.h"
#include "until.h"

#include <signal.h>

#define SOURCE                                                                 \
  "datahubsrc origin-meta=true start-at=oldest delivery=reliable "             \
  "timestamps=passthrough is-live=false datablock="
#define LIVE_SOURCE "datahubsrc origin-meta=true datablock="
#define N 100
#define WAIT_US (20 * G_TIME_SPAN_SECOND)

/* A pipeline with a fakesink called out, and what it got. */
typedef struct
{
  GstElement *pipeline;
  GAsyncQueue *buffers;
} Reader;

static void
on_handoff (GstElement *sink, GstBuffer *buffer, GstPad *pad, GAsyncQueue *to)
{
  g_async_queue_push (to, gst_buffer_ref (buffer));
}

static Reader
reader_start (const gchar *line)
{
  Reader r = { gst_parse_launch (line, NULL),
    g_async_queue_new_full ((GDestroyNotify) gst_buffer_unref) };
  GstElement *out = gst_bin_get_by_name (GST_BIN (r.pipeline), "out");
  fail_unless (out != NULL);
  g_object_set (out, "signal-handoffs", TRUE, "sync", FALSE, "async", FALSE,
      NULL);
  g_signal_connect (out, "handoff", G_CALLBACK (on_handoff), r.buffers);
  gst_object_unref (out);
  fail_unless (gst_element_set_state (r.pipeline, GST_STATE_PLAYING)
      != GST_STATE_CHANGE_FAILURE);
  return r;
}

static GstBuffer *
reader_take (Reader *r)
{
  GstBuffer *buffer = g_async_queue_timeout_pop (r->buffers, WAIT_US);
  fail_unless (buffer != NULL);
  return buffer;
}

static void
reader_end (Reader *r)
{
  fail_unless (gst_element_set_state (r->pipeline, GST_STATE_NULL)
      == GST_STATE_CHANGE_SUCCESS);
  g_async_queue_unref (r->buffers);
  gst_object_unref (r->pipeline);
}

/* ---- origin ---- */

static const GstStructure *
origin_of (GstBuffer *buffer)
{
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, "datahub-origin");
  fail_unless (meta != NULL);
  fail_unless_equals_int (gst_buffer_get_n_meta (buffer, meta->meta.info->api),
      1);
  return gst_custom_meta_get_structure (meta);
}

typedef struct
{
  GstClockTime last;
  guint64 next[2];
  gchar *uuid[2];
} Seen;

static void
check_buffer (Seen *seen, GstBuffer *buffer)
{
  const GstStructure *origin = origin_of (buffer);
  const gchar *name = gst_structure_get_string (origin, "datablock");
  const gchar *uuid = gst_structure_get_string (origin, "uuid");
  guint which = g_str_equal (name, "b");
  guint64 sequence;
  fail_unless_equals_string (name, which ? "b" : "a");
  fail_unless_equals_string (gst_structure_get_string (origin, "pad"),
      which ? "sink_1" : "sink_0");
  fail_unless (gst_structure_get_uint64 (origin, "sequence", &sequence));
  fail_unless_equals_uint64 (sequence, seen->next[which]++);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer),
      sequence * 2 * GST_MSECOND + which * GST_MSECOND);
  fail_unless (GST_BUFFER_PTS (buffer) >= seen->last);
  seen->last = GST_BUFFER_PTS (buffer);
  fail_unless_equals_int (strlen (uuid), 32);
  if (!seen->uuid[which])
    seen->uuid[which] = g_strdup (uuid);
  fail_unless_equals_string (uuid, seen->uuid[which]);
}

static GstHarness *
start_sink (const gchar *name)
{
  g_autofree gchar *line = g_strdup_printf (
      "datahubsink sync=false async=false wait-for-consumers=1 datablock=%s",
      name);
  GstHarness *h = gst_harness_new_parse (line);
  gst_harness_set_src_caps_str (h, "application/x-test");
  g_object_set_data (G_OBJECT (h->element), "which",
      GUINT_TO_POINTER (*name == 'b'));
  return h;
}

static gpointer
push_all (gpointer data)
{
  GstHarness *h = data;
  guint which =
      GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (h->element), "which"));
  for (guint i = 0; i < N; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64, NULL);
    GST_BUFFER_PTS (buffer) = i * 2 * GST_MSECOND + which * GST_MSECOND;
    gst_harness_push (h, buffer);
  }
  gst_harness_push_event (h, gst_event_new_eos ());
  return NULL;
}

/* Reads what two producers push, through @line. */
static void
check_two_blocks (const gchar *line, const gchar *between)
{
  GstHarness *sinks[2] = { start_sink ("a"), start_sink ("b") };
  GThread *threads[2];
  Seen seen = { 0 };
  GstElement *merging = between ? gst_parse_launch (between, NULL) : NULL;
  Reader r = reader_start (line);
  if (merging)
    gst_element_set_state (merging, GST_STATE_PLAYING);
  for (guint i = 0; i < 2; i++)
    threads[i] = g_thread_new ("pusher", push_all, sinks[i]);
  for (guint i = 0; i < 2 * N; i++) {
    g_autoptr (GstBuffer) buffer = reader_take (&r);
    check_buffer (&seen, buffer);
  }
  gst_message_unref (wait_message (r.pipeline, GST_MESSAGE_EOS));
  fail_unless (g_async_queue_try_pop (r.buffers) == NULL);
  fail_if (g_str_equal (seen.uuid[0], seen.uuid[1]));
  for (guint i = 0; i < 2; i++) {
    g_thread_join (threads[i]);
    g_free (seen.uuid[i]);
  }
  reader_end (&r);
  if (merging)
    gst_element_set_state (merging, GST_STATE_NULL);
  gst_clear_object (&merging);
  for (guint i = 0; i < 2; i++)
    gst_harness_teardown (sinks[i]);
}

GST_START_TEST (each_buffer_has_its_origin_and_none_is_lost)
{
  check_two_blocks ("datahubmerge name=m ! fakesink name=out " SOURCE
                    "a ! m.sink_0 " SOURCE "b ! m.sink_1",
      NULL);
}
GST_END_TEST;

GST_START_TEST (a_merged_stream_that_is_shared_again_has_the_first_origin)
{
  check_two_blocks (SOURCE "all ! fakesink name=out",
      "datahubmerge name=m ! datahubsink datablock=all sync=false async=false "
      "wait-for-consumers=1 " SOURCE "a ! m.sink_0 " SOURCE "b ! m.sink_1");
}
GST_END_TEST;

GST_START_TEST (a_buffer_has_no_origin_by_default)
{
  GstHarness *sink = start_sink ("a");
  Reader r = reader_start ("datahubsrc datablock=a start-at=oldest "
                           "delivery=reliable ! fakesink name=out");
  GThread *thread = g_thread_new ("pusher", push_all, sink);
  for (guint i = 0; i < N; i++) {
    g_autoptr (GstBuffer) buffer = reader_take (&r);
    fail_unless (!gst_buffer_get_custom_meta (buffer, "datahub-origin"));
  }
  g_thread_join (thread);
  reader_end (&r);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* ---- memory ---- */

static GstHarness *
start_merge_and_sink (void)
{
  GstElement *bin = gst_parse_bin_from_description (
      "datahubmerge name=m ! datahubsink name=out datablock=all sync=false "
      "async=false",
      FALSE, NULL);
  g_autoptr (GstElement) merge = gst_bin_get_by_name (GST_BIN (bin), "m");
  g_autoptr (GstPad) pad = gst_element_request_pad_simple (merge, "sink_0");
  GstHarness *h;
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink", pad));
  h = gst_harness_new_with_element (bin, "sink", NULL);
  gst_object_unref (bin);
  gst_harness_set_src_caps_str (h, "application/x-test");
  return h;
}

static GstAllocator *
ask_allocator (GstHarness *h)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("application/x-test");
  g_autoptr (GstQuery) query = gst_query_new_allocation (caps, TRUE);
  GstAllocator *allocator = NULL;
  fail_unless (gst_pad_peer_query (h->srcpad, query));
  fail_unless_equals_int (gst_query_get_n_allocation_pools (query), 0);
  fail_unless_equals_int (gst_query_get_n_allocation_params (query), 1);
  gst_query_parse_nth_allocation_param (query, 0, &allocator, NULL);
  fail_unless (allocator != NULL);
  return allocator;
}

/* The block does not exist before the first buffer, which is copied. */
GST_START_TEST (inputs_of_a_merge_allocate_from_the_sink_behind_it)
{
  GstHarness *h = start_merge_and_sink ();
  g_autoptr (GstElement) out =
      gst_bin_get_by_name (GST_BIN (h->element), "out");
  g_autoptr (GstAllocator) allocator = ask_allocator (h);
  gst_harness_push (h, gst_buffer_new_allocate (allocator, 64, NULL));
  UNTIL (element_stat (out, "copied") == 1);
  gst_harness_push (h, gst_buffer_new_allocate (allocator, 64, NULL));
  UNTIL (element_stat (out, "zero-copy") == 1);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* ---- a producer that is stopped ---- */

static Child *
start_camera (const gchar *name)
{
  return child_start ("videotestsrc is-live=true ! "
                      "video/x-raw,format=GRAY8,width=16,height=16,"
                      "framerate=50/1 ! datahubsink datablock=%s",
      name);
}

static gboolean
is_from (GstBuffer *buffer, const gchar *name)
{
  return g_str_equal (gst_structure_get_string (origin_of (buffer),
                          "datablock"),
      name);
}

static void
take_from (Reader *r, const gchar *name, guint n)
{
  while (n > 0) {
    g_autoptr (GstBuffer) buffer = reader_take (r);
    n -= is_from (buffer, name);
  }
}

GST_START_TEST (a_stopped_producer_holds_up_no_live_merge)
{
  Child *a = start_camera ("a"), *b = start_camera ("b");
  Reader r =
      reader_start ("datahubmerge name=m ! fakesink name=out " LIVE_SOURCE
                    "a ! m. " LIVE_SOURCE "b ! m.");
  take_from (&r, "a", 3);
  take_from (&r, "b", 3);
  child_halt (b);
  take_from (&r, "a", 50);
  child_signal (b, SIGCONT);
  take_from (&r, "b", 3);
  reader_end (&r);
  child_signal (b, SIGCONT);
  child_stop (a);
  child_stop (b);
}
GST_END_TEST;

/* What is on the way arrives; then a second passes without a buffer. */
static void
drain (Reader *r)
{
  GstBuffer *buffer;
  while ((buffer = g_async_queue_timeout_pop (r->buffers, G_TIME_SPAN_SECOND)))
    gst_buffer_unref (buffer);
}

GST_START_TEST (a_merge_that_is_not_live_waits_for_a_stopped_producer)
{
  Child *a = start_camera ("a"), *b = start_camera ("b");
  Reader r =
      reader_start ("datahubmerge name=m ! fakesink name=out " LIVE_SOURCE
                    "a is-live=false ! m. " LIVE_SOURCE "b is-live=false ! m.");
  take_from (&r, "a", 3);
  take_from (&r, "b", 3);
  child_halt (b);
  drain (&r);
  child_signal (b, SIGCONT);
  take_from (&r, "b", 3);
  take_from (&r, "a", 3);
  child_halt (b);
  drain (&r);
  reader_end (&r);
  child_signal (b, SIGCONT);
  child_stop (a);
  child_stop (b);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, each_buffer_has_its_origin_and_none_is_lost);
  tcase_add_test (tc,
      a_merged_stream_that_is_shared_again_has_the_first_origin);
  tcase_add_test (tc, a_buffer_has_no_origin_by_default);
  tcase_add_test (tc, inputs_of_a_merge_allocate_from_the_sink_behind_it);
  tcase_add_test (tc, a_stopped_producer_holds_up_no_live_merge);
  tcase_add_test (tc, a_merge_that_is_not_live_waits_for_a_stopped_producer);
}

SANDBOX_MAIN (merge_sources)
