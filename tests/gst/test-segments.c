/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Segments of any format and rate, and times, arrive as they were. */
#include "numbers.h"
#include "sandbox.h"

#define READER "timestamps=passthrough delivery=reliable start-at=oldest"

static void
push_segment (GstHarness *h, const GstSegment *segment)
{
  fail_unless (gst_harness_push_event (h, gst_event_new_segment (segment)));
}

/* A sink in which @segment is in force. */
static GstHarness *
sink_with (const GstSegment *segment)
{
  GstHarness *sink = number_sink ("");
  push_segment (sink, segment);
  return sink;
}

static void
push_stamped (GstHarness *h, GstClockTime pts, GstClockTime dts,
    GstBufferFlags flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64, NULL);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DTS (buffer) = dts;
  GST_BUFFER_FLAG_SET (buffer, flags);
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

/* The times, and whether it is marked. */
static void
check_next (GstHarness *h, GstClockTime pts, GstClockTime dts, gboolean discont)
{
  g_autoptr (GstBuffer) buffer = gst_harness_pull (h);
  fail_unless (buffer != NULL);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer), pts);
  fail_unless_equals_uint64 (GST_BUFFER_DTS (buffer), dts);
  fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT)
      == discont);
}

static const GstSegment *
segment_of (GstEvent *event)
{
  const GstSegment *segment;
  fail_unless (event != NULL);
  gst_event_parse_segment (event, &segment);
  return segment;
}

/* The only one of the events that have arrived, and what the pad keeps. */
static void
check_segment (GstHarness *h, const GstSegment *expected)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (h->element, "src");
  g_autoptr (GstEvent) kept =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  GstEvent *event;
  guint n = 0;
  while ((event = gst_harness_try_pull_event (h))) {
    if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT) {
      n++;
      fail_unless (gst_segment_is_equal (segment_of (event), expected));
    }
    gst_event_unref (event);
  }
  fail_unless_equals_int (n, 1);
  fail_unless (gst_segment_is_equal (segment_of (kept), expected));
}

static GstSegment
bytes_segment (guint64 start, guint64 stop)
{
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  segment.start = segment.time = segment.position = start;
  segment.stop = stop;
  return segment;
}

/* A file, which is written once more at its begin. Buffers have no times. */
GST_START_TEST (bytes_are_not_taken_for_time)
{
  GstSegment first_part = bytes_segment (0, 64);
  GstSegment second_part = bytes_segment (4, GST_CLOCK_TIME_NONE);
  GstHarness *sink = sink_with (&first_part), *src;
  push_stamped (sink, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, 0);
  push_stamped (sink, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, 0);
  src = harness_src ("delivery=reliable");
  check_next (src, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, TRUE);
  check_segment (src, &first_part);
  push_segment (sink, &second_part);
  push_stamped (sink, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, 0);
  check_next (src, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, FALSE);
  check_segment (src, &second_part);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* It would be a time. */
GST_START_TEST (a_gap_between_bytes_is_dropped)
{
  GstSegment segment = bytes_segment (0, GST_CLOCK_TIME_NONE);
  GstHarness *sink = sink_with (&segment), *src;
  GstEvent *event;
  push_stamped (sink, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, 0);
  gst_harness_push_event (sink, gst_event_new_gap (5, 1));
  push_stamped (sink, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, 0);
  src = harness_src ("delivery=reliable start-at=oldest");
  gst_buffer_unref (gst_harness_pull (src));
  gst_buffer_unref (gst_harness_pull (src));
  while ((event = gst_harness_try_pull_event (src))) {
    fail_if (GST_EVENT_TYPE (event) == GST_EVENT_GAP);
    gst_event_unref (event);
  }
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The segment is also pushed once where an event is between it and the buffer. */
GST_START_TEST (an_event_in_front_changes_no_segment)
{
  GstSegment segment = bytes_segment (0, GST_CLOCK_TIME_NONE);
  GstHarness *sink = sink_with (&segment), *src;
  gst_harness_push_event (sink,
      gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "t", NULL)));
  push_stamped (sink, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, 0);
  src = harness_src ("");
  check_next (src, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, TRUE);
  check_segment (src, &segment);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Decoders of a stream that is played backwards need groups of pictures: the first
 * buffer of each is marked, and no other. */
GST_START_TEST (backwards_only_the_marked_buffers_are_marked)
{
  GstHarness *sink, *src;
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = -1.0;
  segment.stop = segment.position = 4;
  sink = sink_with (&segment);
  for (guint64 pts = 2; pts <= 3; pts++)
    push_stamped (sink, pts, pts, pts == 2 ? GST_BUFFER_FLAG_DISCONT : 0);
  src = harness_src (READER);
  check_next (src, 2, 2, TRUE);
  check_next (src, 3, 3, FALSE);
  check_segment (src, &segment);
  for (guint64 pts = 0; pts <= 1; pts++)
    push_stamped (sink, pts, pts, pts == 0 ? GST_BUFFER_FLAG_DISCONT : 0);
  check_next (src, 0, 0, TRUE);
  check_next (src, 1, 1, FALSE);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A producer that loops: its segment ends with a message there, and here with EOS. */
GST_START_TEST (eos_is_eos_in_a_looping_segment)
{
  GstHarness *sink, *src;
  GstSegment segment;
  GstEvent *event = NULL;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = 2.0;
  segment.flags = GST_SEGMENT_FLAG_SEGMENT;
  sink = sink_with (&segment);
  push_stamped (sink, 1, 1, 0);
  src = harness_src (READER);
  check_next (src, 1, 1, TRUE);
  check_segment (src, &segment);
  gst_harness_push_event (sink, gst_event_new_eos ());
  event = gst_harness_pull_event (src);
  fail_unless (event && GST_EVENT_TYPE (event) == GST_EVENT_EOS);
  gst_event_unref (event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Also the first one, with a clock and in each mode that keeps timestamps. */
static void
check_no_time_is_invented (const gchar *properties)
{
  GstHarness *sink, *src;
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  sink = sink_with (&segment);
  gst_harness_set_live (sink, FALSE);
  push_stamped (sink, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, 0);
  push_stamped (sink, GST_CLOCK_TIME_NONE, 5, 0);
  push_stamped (sink, 7, GST_CLOCK_TIME_NONE, 0);
  push_stamped (sink, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, 0);
  src = harness_src (properties);
  gst_harness_use_systemclock (src);
  check_next (src, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, TRUE);
  check_next (src, GST_CLOCK_TIME_NONE, 5, FALSE);
  check_next (src, 7, GST_CLOCK_TIME_NONE, FALSE);
  check_next (src, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, FALSE);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}

GST_START_TEST (no_time_is_invented)
{
  check_no_time_is_invented (READER);
  check_no_time_is_invented ("start-at=oldest");
  check_no_time_is_invented ("start-at=oldest is-live=false");
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, bytes_are_not_taken_for_time);
  tcase_add_test (tc, a_gap_between_bytes_is_dropped);
  tcase_add_test (tc, an_event_in_front_changes_no_segment);
  tcase_add_test (tc, backwards_only_the_marked_buffers_are_marked);
  tcase_add_test (tc, eos_is_eos_in_a_looping_segment);
  tcase_add_test (tc, no_time_is_invented);
}

SANDBOX_MAIN (segments)
