/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times in events are those of the pipeline that gets them, as those of buffers. */
#include "bytes.h"
#include "sandbox.h"

#include <gst/video/video.h>

#define HERE (100 * GST_SECOND)
#define AHEAD (7 * GST_SECOND)

static void
push_at (GstHarness *h, GstClockTime pts)
{
  GstBuffer *buffer = bytes_buffer (10, 1);
  GST_BUFFER_PTS (buffer) = pts;
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

/* A live producer at HERE, and a consumer with running times that are AHEAD. */
static void
start (GstHarness **sink, GstHarness **src, const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc datablock=test %s", properties);
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  GstClockTime base = gst_clock_get_time (clock) - HERE;
  GstElement *element = gst_parse_launch (line, NULL);
  *sink = harness_sink ("");
  gst_harness_use_systemclock (*sink);
  gst_harness_set_live (*sink, TRUE);
  gst_element_set_base_time ((*sink)->element, base);
  gst_harness_set_src_caps_str (*sink, TEST_CAPS);
  push_at (*sink, HERE);
  *src = gst_harness_new_with_element (element, NULL, "src");
  gst_object_unref (element);
  gst_harness_use_systemclock (*src);
  gst_element_set_base_time ((*src)->element, base - AHEAD);
  gst_harness_play (*src);
  gst_buffer_unref (gst_harness_pull (*src));
}

/* The next of a type. */
static GstEvent *
next_down (GstHarness *src, GstEventType type)
{
  GstEvent *event;
  while ((event = gst_harness_pull_event (src))
      && GST_EVENT_TYPE (event) != type)
    gst_event_unref (event);
  fail_unless (event != NULL);
  return event;
}

static void
check_time (GstClockTime time, GstClockTime expected)
{
  fail_unless (ABS (GST_CLOCK_DIFF (time, expected))
          < (GstClockTimeDiff) GST_MSECOND,
      "%" GST_TIME_FORMAT, GST_TIME_ARGS (time));
}

static void
check_key_unit (GstHarness *src, GstClockTime expected, gboolean has_timestamp)
{
  GstEvent *event = next_down (src, GST_EVENT_CUSTOM_DOWNSTREAM);
  GstClockTime timestamp, stream_time, running_time;
  gboolean all_headers;
  guint count;
  fail_unless (gst_video_event_parse_downstream_force_key_unit (event,
      &timestamp, &stream_time, &running_time, &all_headers, &count));
  gst_event_unref (event);
  check_time (running_time, expected);
  fail_unless (all_headers && count == 3);
  fail_unless_equals_int (GST_CLOCK_TIME_IS_VALID (timestamp), has_timestamp);
  if (has_timestamp) {
    check_time (timestamp, expected);
    check_time (stream_time, expected);
  }
}

GST_START_TEST (a_key_unit_has_the_times_of_its_buffer)
{
  GstHarness *sink, *src;
  GstClockTime at = HERE + GST_SECOND;
  GstBuffer *buffer;
  start (&sink, &src, "");
  gst_harness_push_event (sink,
      gst_video_event_new_downstream_force_key_unit (at, at, at, TRUE, 3));
  check_key_unit (src, at + AHEAD, TRUE);
  gst_harness_push_event (sink,
      gst_video_event_new_downstream_force_key_unit (GST_CLOCK_TIME_NONE,
          GST_CLOCK_TIME_NONE, at, TRUE, 3));
  check_key_unit (src, at + AHEAD, FALSE);
  push_at (sink, at);
  buffer = gst_harness_pull (src);
  check_time (GST_BUFFER_PTS (buffer), at + AHEAD);
  gst_buffer_unref (buffer);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (times_that_are_passed_on_stay)
{
  GstHarness *sink, *src;
  GstClockTime at = HERE + GST_SECOND;
  start (&sink, &src, "timestamps=passthrough");
  gst_harness_push_event (sink,
      gst_video_event_new_downstream_force_key_unit (at, at, at, TRUE, 3));
  check_key_unit (src, at, TRUE);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (lost_packets_have_a_time)
{
  GstHarness *sink, *src;
  GstEvent *event;
  guint64 time = 0;
  start (&sink, &src, "");
  gst_harness_push_event (sink,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new ("GstRTPPacketLost", "seqnum", G_TYPE_UINT, 5,
              "timestamp", G_TYPE_UINT64, HERE + GST_SECOND, NULL)));
  event = next_down (src, GST_EVENT_CUSTOM_DOWNSTREAM);
  gst_structure_get_uint64 (gst_event_get_structure (event), "timestamp",
      &time);
  gst_event_unref (event);
  check_time (time, HERE + GST_SECOND + AHEAD);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (the_end_of_a_segment_crosses)
{
  GstHarness *sink, *src;
  GstEvent *event;
  GstFormat format;
  gint64 position;
  start (&sink, &src, "");
  gst_harness_push_event (sink,
      gst_event_new_segment_done (GST_FORMAT_TIME, HERE + GST_SECOND));
  event = next_down (src, GST_EVENT_SEGMENT_DONE);
  gst_event_parse_segment_done (event, &format, &position);
  gst_event_unref (event);
  fail_unless_equals_int (format, GST_FORMAT_TIME);
  check_time ((GstClockTime) position, HERE + GST_SECOND + AHEAD);
  gst_harness_push_event (sink,
      gst_event_new_segment_done (GST_FORMAT_BYTES, 4));
  event = next_down (src, GST_EVENT_SEGMENT_DONE);
  gst_event_parse_segment_done (event, &format, &position);
  gst_event_unref (event);
  fail_unless (format == GST_FORMAT_BYTES && position == 4);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static GstEvent *
new_collection (void)
{
  g_autoptr (GstStreamCollection) collection =
      gst_stream_collection_new ("upstream");
  g_autoptr (GstCaps) caps = gst_caps_from_string ("video/x-h264, width=320");
  g_autoptr (GstTagList) tags =
      gst_tag_list_new (GST_TAG_TITLE, "t \"q\"", NULL);
  GstStream *video = gst_stream_new ("v/1", caps, GST_STREAM_TYPE_VIDEO,
      GST_STREAM_FLAG_SELECT);
  gst_stream_set_tags (video, tags);
  gst_stream_collection_add_stream (collection, video);
  gst_stream_collection_add_stream (collection,
      gst_stream_new ("a/1", NULL, GST_STREAM_TYPE_AUDIO,
          GST_STREAM_FLAG_NONE));
  return gst_event_new_stream_collection (collection);
}

static void
check_collection (GstHarness *src)
{
  GstEvent *event = next_down (src, GST_EVENT_STREAM_COLLECTION);
  g_autoptr (GstStreamCollection) collection = NULL;
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GstTagList) tags = NULL;
  g_autofree gchar *title = NULL;
  GstStream *video, *audio;
  gst_event_parse_stream_collection (event, &collection);
  gst_event_unref (event);
  fail_unless_equals_string (gst_stream_collection_get_upstream_id (collection),
      "upstream");
  fail_unless_equals_int (gst_stream_collection_get_size (collection), 2);
  video = gst_stream_collection_get_stream (collection, 0);
  audio = gst_stream_collection_get_stream (collection, 1);
  fail_unless_equals_string (gst_stream_get_stream_id (video), "v/1");
  fail_unless_equals_string (gst_stream_get_stream_id (audio), "a/1");
  fail_unless (gst_stream_get_stream_type (video) == GST_STREAM_TYPE_VIDEO
      && gst_stream_get_stream_type (audio) == GST_STREAM_TYPE_AUDIO
      && gst_stream_get_stream_flags (video) == GST_STREAM_FLAG_SELECT);
  caps = gst_stream_get_caps (video);
  tags = gst_stream_get_tags (video);
  fail_unless (caps && tags && gst_stream_get_caps (audio) == NULL);
  gst_tag_list_get_string (tags, GST_TAG_TITLE, &title);
  fail_unless_equals_string (title, "t \"q\"");
}

GST_START_TEST (a_collection_of_streams_is_in_force)
{
  GstHarness *sink, *src, *late;
  start (&sink, &src, "");
  gst_harness_push_event (sink, new_collection ());
  check_collection (src);
  push_at (sink, HERE + GST_SECOND);
  late = harness_src ("");
  gst_buffer_unref (gst_harness_pull (late));
  check_collection (late);
  gst_harness_teardown (late);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
check_rate (GstHarness *src, gdouble expected)
{
  GstEvent *event = next_down (src, GST_EVENT_INSTANT_RATE_CHANGE);
  gdouble rate = 0.0;
  GstSegmentFlags flags;
  gst_event_parse_instant_rate_change (event, &rate, &flags);
  gst_event_unref (event);
  fail_unless (rate == expected);
  fail_unless (flags == GST_SEGMENT_FLAG_TRICKMODE);
}

/* It is not serialized, so the next buffer brings it. */
GST_START_TEST (a_change_of_the_rate_crosses)
{
  GstHarness *sink, *src, *late;
  start (&sink, &src, "");
  gst_harness_push_event (sink,
      gst_event_new_instant_rate_change (2.0, GST_SEGMENT_FLAG_TRICKMODE));
  push_at (sink, HERE + GST_SECOND);
  check_rate (src, 2.0);
  late = harness_src ("");
  gst_buffer_unref (gst_harness_pull (late));
  check_rate (late, 2.0);
  gst_harness_teardown (late);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_key_unit_has_the_times_of_its_buffer);
  tcase_add_test (tc, times_that_are_passed_on_stay);
  tcase_add_test (tc, lost_packets_have_a_time);
  tcase_add_test (tc, the_end_of_a_segment_crosses);
  tcase_add_test (tc, a_collection_of_streams_is_in_force);
  tcase_add_test (tc, a_change_of_the_rate_crosses);
}

SANDBOX_MAIN (timed_events)
