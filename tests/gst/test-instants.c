/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a frame is shown: at the same instant everywhere, now for a late viewer; and
 * the latency in between. */
#include "numbers.h"
#include "sandbox.h"
#include "producer.h"
#include "until.h"

static void
on_handoff (GstElement *fakesink, GstBuffer *buffer, GstPad *pad,
    gpointer user_data)
{
  GAsyncQueue *times = user_data;
  const GstSegment *segment;
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  GstElement *pipeline = GST_ELEMENT (GST_OBJECT_PARENT (fakesink));
  GstClockTime *time = g_new (GstClockTime, 1);
  gst_event_parse_segment (event, &segment);
  *time = gst_segment_to_running_time (segment, GST_FORMAT_TIME,
              GST_BUFFER_PTS (buffer))
      + gst_element_get_base_time (pipeline);
  g_async_queue_push (times, time);
}

static GstElement *
watch_times (const gchar *line, GAsyncQueue *times)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstElement) out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  g_signal_connect (out, "handoff", G_CALLBACK (on_handoff), times);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  return pipeline;
}

static void
end_pipeline (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* Two consumers that start at different times see each frame at one instant,
 * that of the producer. */
GST_START_TEST (live_frames_have_the_same_instant_everywhere)
{
  g_autoptr (GAsyncQueue) sent = g_async_queue_new_full (g_free);
  g_autoptr (GAsyncQueue) got = g_async_queue_new_full (g_free);
  GstElement *consumer = watch_times (
      "datahubsrc datablock=test timestamps=clock start-at=oldest ! "
      "fakesink name=out signal-handoffs=true sync=false",
      got);
  GstElement *producer = watch_times (
      "videotestsrc is-live=true num-buffers=10 ! tee name=t ! queue ! "
      "fakesink name=out signal-handoffs=true sync=false t. ! queue ! "
      "datahubsink datablock=test wait-for-consumers=1",
      sent);
  for (guint i = 0; i < 10; i++) {
    g_autofree GstClockTime *a = g_async_queue_pop (sent);
    g_autofree GstClockTime *b = g_async_queue_pop (got);
    fail_unless (ABS (GST_CLOCK_DIFF (*a, *b)) < (gint64) GST_MSECOND,
        "%" G_GINT64_FORMAT " ns apart", GST_CLOCK_DIFF (*a, *b));
  }
  end_pipeline (consumer);
  end_pipeline (producer);
}
GST_END_TEST;

/* A film that has played for long, and a viewer who comes now. */
GST_START_TEST (a_late_viewer_of_a_film_sees_it_now)
{
  Producer film = producer_start (
      "videotestsrc timestamp-offset=3600000000000 num-buffers=1 ! "
      "datahubsink name=sink datablock=test sync=false");
  g_autoptr (GAsyncQueue) got = g_async_queue_new_full (g_free);
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  g_autofree GstClockTime *at = NULL;
  GstElement *viewer;
  GstHarness *src;
  GstBuffer *buffer;
  UNTIL (element_stat (film.sink, "buffers") > 0);
  viewer = watch_times ("datahubsrc datablock=test ! fakesink name=out "
                        "signal-handoffs=true sync=false",
      got);
  at = g_async_queue_pop (got);
  fail_unless (ABS (GST_CLOCK_DIFF (*at, gst_clock_get_time (clock)))
          < (gint64) GST_SECOND,
      "it would be shown at the wrong time");
  end_pipeline (viewer);
  src = harness_src ("timestamps=passthrough");
  buffer = gst_harness_pull (src);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer), 3600 * GST_SECOND);
  gst_buffer_unref (buffer);
  gst_harness_teardown (src);
  producer_end (&film);
}
GST_END_TEST;

GST_START_TEST (latency_is_answered)
{
  GstHarness *sink = number_sink (""), *src;
  g_autoptr (GstQuery) query = gst_query_new_latency ();
  gboolean live;
  GstClockTime min, max;
  push_number (sink, 1);
  src = harness_src ("delivery=reliable");
  take_number (src, NULL);
  fail_unless (gst_pad_peer_query (src->sinkpad, query));
  gst_query_parse_latency (query, &live, &min, &max);
  fail_unless (live && GST_CLOCK_TIME_IS_VALID (min)
      && max == GST_CLOCK_TIME_NONE);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, live_frames_have_the_same_instant_everywhere);
  tcase_add_test (tc, a_late_viewer_of_a_film_sees_it_now);
  tcase_add_test (tc, latency_is_answered);
}

SANDBOX_MAIN (instants)
