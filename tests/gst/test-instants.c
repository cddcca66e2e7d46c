/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a frame is shown: at the same instant everywhere, now for a late viewer; and
 * the latency in between. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"
#include "producer.h"
#include "until.h"

#include <datahub/block.h>

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

/* From the first to the last of so many frames, on the clock of their viewer. */
static GstClockTimeDiff
take_span (const gchar *properties, guint n)
{
  g_autoptr (GAsyncQueue) got = g_async_queue_new_full (g_free);
  g_autofree gchar *line = g_strdup_printf (
      "datahubsrc datablock=test "
      "start-at=oldest %s ! fakesink name=out signal-handoffs=true sync=false",
      properties);
  GstElement *viewer = watch_times (line, got);
  g_autofree GstClockTime *first = g_async_queue_pop (got);
  GstClockTime last = *first;
  for (guint i = 1; i < n; i++) {
    g_autofree GstClockTime *time = g_async_queue_pop (got);
    fail_unless (*time > last, "the time of the viewer goes back");
    last = *time;
  }
  end_pipeline (viewer);
  return GST_CLOCK_DIFF (*first, last);
}

/* All that was made before a live viewer began is due when it begins; a recorder gets
 * it with its distances. */
GST_START_TEST (what_is_over_is_due_at_once)
{
  Producer camera =
      producer_start ("videotestsrc is-live=true num-buffers=10 ! "
                      "video/x-raw,framerate=30/1 ! "
                      "datahubsink name=sink datablock=test");
  GstClockTimeDiff live, reliable;
  UNTIL (element_stat (camera.sink, "buffers") == 10);
  live = take_span ("", 10);
  reliable = take_span ("delivery=reliable", 10);
  fail_unless (live < (gint64) GST_MSECOND);
  fail_unless (reliable >= (gint64) (299 * GST_MSECOND));
  producer_end (&camera);
}
GST_END_TEST;

static void
push_at (GstHarness *h, GstClockTime pts)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64, NULL);
  GST_BUFFER_PTS (buffer) = pts;
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

static GstClockTime
take_running_time (GstHarness *h, gboolean *discont)
{
  g_autoptr (GstBuffer) buffer = gst_harness_pull (h);
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (h->sinkpad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  gst_event_parse_segment (event, &segment);
  *discont = GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  return gst_segment_to_running_time (segment, GST_FORMAT_TIME,
      GST_BUFFER_PTS (buffer));
}

/* A converter at full speed: 100 s of its film are made while its viewer pauses. */
GST_START_TEST (who_was_lapped_does_not_wait_for_the_film)
{
  GstHarness *sink = number_sink ("slots=16"), *src;
  GstClockTime begin, time;
  gboolean discont;
  gst_harness_set_live (sink, FALSE);
  src = harness_src ("");
  push_at (sink, 0);
  begin = take_running_time (src, &discont);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  for (guint i = 1; i <= 100; i++)
    push_at (sink, i * GST_SECOND);
  gst_element_set_state (src->element, GST_STATE_PLAYING);
  do /* at most one was on its way when the pause began */
    time = take_running_time (src, &discont);
  while (!discont);
  fail_unless (time >= begin && time < begin + 5 * GST_SECOND,
      "it waits for %" GST_TIME_FORMAT, GST_TIME_ARGS (time - begin));
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
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

/* The first live buffer is measured, and the pipeline asks again. */
GST_START_TEST (latency_is_measured)
{
  Producer camera = producer_start ("videotestsrc is-live=true ! "
                                    "datahubsink name=sink datablock=test");
  GstHarness *src = harness_src_heard ("");
  g_autoptr (GstQuery) query = gst_query_new_latency ();
  GstClockTime min;
  gst_message_unref (wait_message (src->element, GST_MESSAGE_LATENCY));
  fail_unless (gst_pad_peer_query (src->sinkpad, query));
  gst_query_parse_latency (query, NULL, &min, NULL);
  fail_unless (min > 0 && min % (5 * GST_MSECOND) == 0);
  gst_harness_teardown (src);
  producer_end (&camera);
}
GST_END_TEST;

/* A buffer of a stream with B frames, which is decoded before it is shown. */
static void
push_reordered (GstElement *appsrc, GstClockTime pts, GstClockTime dts)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (TEST_CAPS);
  g_autoptr (GstBuffer) buffer = gst_buffer_new_allocate (NULL, 64, NULL);
  g_autoptr (GstSample) sample = NULL;
  GstSegment segment;
  GstFlowReturn flow = GST_FLOW_ERROR;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 2 * GST_SECOND;
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DTS (buffer) = dts;
  GST_BUFFER_DURATION (buffer) = 33 * GST_MSECOND;
  sample = gst_sample_new (buffer, caps, &segment, NULL);
  g_signal_emit_by_name (appsrc, "push-sample", sample, &flow);
  fail_unless_equals_int (flow, GST_FLOW_OK);
}

static guint
count_segments (GstHarness *h)
{
  GstEvent *event;
  guint n = 0;
  while ((event = gst_harness_try_pull_event (h))) {
    n += GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT;
    gst_event_unref (event);
  }
  return n;
}

GST_START_TEST (a_film_waits_for_its_consumer_and_keeps_its_time)
{
  GstElement *film = gst_parse_launch (
      "appsrc name=in format=time handle-segment-change=true ! "
      "datahubsink name=sink datablock=test wait-for-consumers=1",
      NULL);
  g_autoptr (GstElement) in = gst_bin_get_by_name (GST_BIN (film), "in");
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (film), "sink");
  GstClockTime begin = GST_CLOCK_TIME_NONE;
  GstHarness *src;
  gst_element_set_state (film, GST_STATE_PAUSED);
  for (guint i = 0; i < 4; i++)
    push_reordered (in, 2 * GST_SECOND + i * 100 * GST_MSECOND,
        1800 * GST_MSECOND + i * 100 * GST_MSECOND);
  fail_unless_equals_int (gst_element_get_state (film, NULL, NULL,
                              10 * GST_SECOND),
      GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (film, GST_STATE_PLAYING);
  fail_unless_equals_int (gst_element_get_state (film, NULL, NULL,
                              10 * GST_SECOND),
      GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_uint64 (element_stat (sink, "buffers"), 0);
  src = harness_src ("delivery=reliable start-at=oldest");
  for (guint i = 0; i < 4; i++) {
    g_autoptr (GstBuffer) buffer = gst_harness_pull (src);
    if (i == 0)
      begin = GST_BUFFER_PTS (buffer);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer) - begin,
        i * 100 * GST_MSECOND);
  }
  fail_unless_equals_int (count_segments (src), 1);
  gst_harness_teardown (src);
  end_pipeline (film);
}
GST_END_TEST;

/* With a consumer there, nothing is written before the clock runs. */
GST_START_TEST (nothing_is_written_before_it_plays)
{
  GstElement *film = gst_parse_launch (
      "appsrc name=in format=time handle-segment-change=true ! "
      "datahubsink name=sink datablock=test sync=false",
      NULL);
  g_autoptr (GstElement) in = gst_bin_get_by_name (GST_BIN (film), "in");
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (film), "sink");
  gst_element_set_state (film, GST_STATE_PAUSED);
  /* one before the segment, which crosses, too */
  push_reordered (in, 1 * GST_SECOND, 900 * GST_MSECOND);
  push_reordered (in, 2 * GST_SECOND, 1900 * GST_MSECOND);
  fail_unless_equals_int (gst_element_get_state (film, NULL, NULL,
                              10 * GST_SECOND),
      GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_uint64 (element_stat (sink, "buffers"), 0);
  gst_element_set_state (film, GST_STATE_PLAYING);
  UNTIL (element_stat (sink, "buffers") == 2);
  end_pipeline (film);
}
GST_END_TEST;

static gpointer
send_early_gap (gpointer user_data)
{
  GstPad *pad = user_data;
  g_autoptr (GstCaps) caps = gst_caps_from_string (TEST_CAPS);
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 2 * GST_SECOND;
  gst_pad_send_event (pad, gst_event_new_stream_start ("film"));
  gst_pad_send_event (pad, gst_event_new_caps (caps));
  gst_pad_send_event (pad, gst_event_new_segment (&segment));
  gst_pad_send_event (pad, gst_event_new_gap (GST_SECOND, GST_SECOND));
  return NULL;
}

static guint64
committed_records (void)
{
  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);
  datahub_block_inspect ("test", info, NULL);
  return info->head;
}

/* The base class does not preroll a gap before the segment either. */
GST_START_TEST (a_gap_before_the_segment_waits_to_play)
{
  GstElement *film = gst_pipeline_new (NULL);
  GstElement *sink = gst_element_factory_make ("datahubsink", NULL);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  GThread *upstream;
  g_object_set (sink, "datablock", "test", NULL);
  gst_bin_add (GST_BIN (film), sink);
  gst_element_set_state (film, GST_STATE_PAUSED);
  upstream = g_thread_new ("upstream", send_early_gap, pad);
  fail_unless_equals_int (gst_element_get_state (film, NULL, NULL,
                              10 * GST_SECOND),
      GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_uint64 (committed_records (), 0);
  gst_element_set_state (film, GST_STATE_PLAYING);
  g_thread_join (upstream);
  fail_unless_equals_uint64 (committed_records (), 4);
  end_pipeline (film);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, live_frames_have_the_same_instant_everywhere);
  tcase_add_test (tc, a_late_viewer_of_a_film_sees_it_now);
  tcase_add_test (tc, a_film_waits_for_its_consumer_and_keeps_its_time);
  tcase_add_test (tc, nothing_is_written_before_it_plays);
  tcase_add_test (tc, a_gap_before_the_segment_waits_to_play);
  tcase_add_test (tc, what_is_over_is_due_at_once);
  tcase_add_test (tc, who_was_lapped_does_not_wait_for_the_film);
  tcase_add_test (tc, latency_is_answered);
  tcase_add_test (tc, latency_is_measured);
}

SANDBOX_MAIN (instants)
