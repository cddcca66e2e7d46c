/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times across a block: on whose clock a buffer is shown, and what a pause, a group
 * or another clock changes. */
#include "gstdatahubtime.h"
#include "suite.h"

static GstElement *
some_element (void)
{
  return gst_object_ref_sink (gst_element_factory_make ("identity", NULL));
}

static GstDatahubStamp
map (GstDatahubTimeline *timeline, gint64 base, gint64 running_time,
    GstClockTime pts, GstClockTime dts, gint64 instant, gboolean live)
{
  GstDatahubNow now = { TRUE, base, running_time };
  GstDatahubStamp stamp = { pts, dts, instant, live };
  gst_datahub_timeline_map (timeline, &now, &stamp);
  return stamp;
}

static void
start_timeline (GstDatahubTimeline *timeline, GstDatahubTimestamps mode,
    GstElement *element)
{
  GstSegment segment;
  gst_datahub_timeline_init (timeline, mode);
  gst_datahub_timeline_set_group (timeline,
      gst_datahub_group_join (element, 42));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_datahub_timeline_set_segment (timeline, &segment);
}

GST_START_TEST (live_time_is_the_same_instant_here)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  /* captured at 1000 s, while this pipeline began at 990 s */
  stamp = map (&timeline, 990 * GST_SECOND, 11 * GST_SECOND, 5 * GST_SECOND,
      4 * GST_SECOND, 1000 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 10 * GST_SECOND);
  fail_unless_equals_uint64 (stamp.dts, 9 * GST_SECOND);
  fail_unless_equals_uint64 (timeline.out.base, 0);
  /* after a pause of this pipeline its base time is later */
  stamp = map (&timeline, 993 * GST_SECOND, 9 * GST_SECOND, 6 * GST_SECOND,
      GST_CLOCK_TIME_NONE, 1001 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 8 * GST_SECOND);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (time_before_the_start_shifts_the_group_once)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  start_timeline (&video, GST_DATAHUB_TIMESTAMPS_CLOCK, element);
  start_timeline (&audio, GST_DATAHUB_TIMESTAMPS_CLOCK, element);
  stamp = map (&video, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      98 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 0);
  stamp = map (&audio, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      99 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, GST_SECOND);
  stamp = map (&video, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      101 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 3 * GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (a_group_ends_with_its_last_member)
{
  GstElement *element = some_element ();
  GstDatahubGroup *a = gst_datahub_group_join (element, 1);
  GstDatahubGroup *b = gst_datahub_group_join (element, 1);
  GstDatahubGroup *other = gst_datahub_group_join (element, 2);
  guint64 id = gst_datahub_group_get_id (a);
  fail_unless (a == b && other != a);
  gst_datahub_group_leave (a);
  gst_datahub_group_leave (b);
  a = gst_datahub_group_join (element, 1);
  fail_if (gst_datahub_group_get_id (a) == id);
  gst_datahub_group_leave (a);
  gst_datahub_group_leave (other);
  gst_object_unref (element);
}
GST_END_TEST;

/* A file at full speed: own timestamps, in a segment that lands on our clock,
 * and both streams keep their distance. */
GST_START_TEST (other_time_is_placed_by_the_segment)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  start_timeline (&video, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  start_timeline (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  stamp = map (&video, 0, 7 * GST_SECOND, 20 * GST_SECOND, GST_CLOCK_TIME_NONE,
      520 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 20 * GST_SECOND);
  fail_unless_equals_uint64 (gst_segment_to_running_time (&video.out,
                                 GST_FORMAT_TIME, stamp.pts),
      7 * GST_SECOND);
  video.out_changed = FALSE;
  stamp = map (&audio, 0, 9 * GST_SECOND, 21 * GST_SECOND, GST_CLOCK_TIME_NONE,
      521 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (gst_segment_to_running_time (&audio.out,
                                 GST_FORMAT_TIME, stamp.pts),
      8 * GST_SECOND);
  map (&video, 0, 9 * GST_SECOND, 22 * GST_SECOND, GST_CLOCK_TIME_NONE,
      522 * GST_SECOND, FALSE);
  fail_if (video.out_changed, "the segment moves for no reason");
  /* the producer was paused for 3 s: the stream goes on 3 s later */
  stamp = map (&video, 0, 9 * GST_SECOND, 23 * GST_SECOND, GST_CLOCK_TIME_NONE,
      526 * GST_SECOND, FALSE);
  fail_unless (video.out_changed);
  fail_unless_equals_uint64 (gst_segment_to_running_time (&video.out,
                                 GST_FORMAT_TIME, stamp.pts),
      13 * GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (passthrough_changes_nothing)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  GstSegment segment;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_PASSTHROUGH, element);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 3;
  segment.base = 5;
  gst_datahub_timeline_set_segment (&timeline, &segment);
  stamp = map (&timeline, 990, 0, 20, 10, 500, TRUE);
  fail_unless (stamp.pts == 20 && stamp.dts == 10);
  fail_unless (gst_segment_is_equal (&timeline.out, &segment));
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (restart_begins_at_zero)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_RESTART, element);
  stamp = map (&timeline, 0, 5, 1000, 900, 70000, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 100);
  fail_unless_equals_uint64 (stamp.dts, 0);
  fail_unless_equals_uint64 (timeline.out.base, 5);
  stamp = map (&timeline, 0, 9, 1050, 1050, 70050, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 150);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (the_system_clock_is_monotonic)
{
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  g_autoptr (GstClock) real = g_object_new (GST_TYPE_SYSTEM_CLOCK, "clock-type",
      GST_CLOCK_TYPE_REALTIME, NULL);
  GstDatahubClockMap here = { 0 }, there = { 0 };
  gint64 offset, error;
  fail_unless_equals_int64 (gst_datahub_clock_map_offset (&here, clock), 0);
  offset = gst_datahub_clock_map_offset (&there, real);
  error = (gint64) gst_clock_get_time (real) + offset
      - gst_datahub_monotonic_now ();
  fail_unless (ABS (error) < (gint64) (50 * GST_MSECOND));
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, live_time_is_the_same_instant_here);
  tcase_add_test (tc, time_before_the_start_shifts_the_group_once);
  tcase_add_test (tc, a_group_ends_with_its_last_member);
  tcase_add_test (tc, other_time_is_placed_by_the_segment);
  tcase_add_test (tc, passthrough_changes_nothing);
  tcase_add_test (tc, restart_begins_at_zero);
  tcase_add_test (tc, the_system_clock_is_monotonic);
}

SUITE_MAIN (timeline)
