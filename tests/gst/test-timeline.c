/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times across a block: when a buffer is shown, and what a pause, a group
 * or another clock changes. */
#include "suite.h"
#include "timelines.h"

GST_START_TEST (live_time_is_the_same_instant_here)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  /* captured at 1000 s, while this pipeline began at 990 s */
  stamp = map_times (&timeline, 990 * GST_SECOND, 11 * GST_SECOND,
      5 * GST_SECOND, 4 * GST_SECOND, 1000 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 10 * GST_SECOND);
  fail_unless_equals_uint64 (stamp.dts, 9 * GST_SECOND);
  fail_unless_equals_uint64 (timeline.out.base, 0);
  /* after a pause of this pipeline its base time is later */
  stamp = map_times (&timeline, 993 * GST_SECOND, 9 * GST_SECOND,
      6 * GST_SECOND, GST_CLOCK_TIME_NONE, 1004 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 11 * GST_SECOND);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* A recorder gets what was before its start, too. The shift is the first stream's:
 * another that begins even earlier does not move what was sent. */
GST_START_TEST (time_before_the_start_shifts_a_reliable_group_once)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  start_timeline_of (&video, GST_DATAHUB_TIMESTAMPS_CLOCK, TRUE, element);
  start_timeline_of (&audio, GST_DATAHUB_TIMESTAMPS_CLOCK, TRUE, element);
  stamp = map_times (&video, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      98 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 0);
  stamp = map_times (&audio, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      95 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 0);
  stamp = map_times (&audio, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      96 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, GST_MSECOND);
  stamp = map_times (&video, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      101 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 3 * GST_SECOND);
  stamp = map_times (&audio, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      101 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 3 * GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

/* A recorder that comes late gets a frame first that others are shown before, and
 * nothing has a time of decoding. */
GST_START_TEST (reordered_frames_keep_their_distances)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  guint64 begin;
  start_timeline_of (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  stamp = map_times (&timeline, 90 * GST_SECOND, 10 * GST_SECOND,
      800 * GST_MSECOND, GST_CLOCK_TIME_NONE, 50 * GST_SECOND, FALSE);
  begin = shown_at (&timeline, &stamp);
  fail_unless_equals_uint64 (begin, 10 * GST_SECOND);
  timeline.out_changed = FALSE;
  stamp =
      map_times (&timeline, 90 * GST_SECOND, 10 * GST_SECOND, 720 * GST_MSECOND,
          GST_CLOCK_TIME_NONE, 50 * GST_SECOND - 80 * GST_MSECOND, FALSE);
  fail_unless_equals_uint64 (begin - shown_at (&timeline, &stamp),
      80 * GST_MSECOND);
  fail_if (timeline.out_changed);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* A viewer that joins at an old keyframe, with pictures that are decoded before they
 * are shown: what is over is due at once in its order, then nothing is late. */
GST_START_TEST (a_live_viewer_shifts_for_no_past)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  guint64 last = 0;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  for (guint i = 0; i < 20; i++) {
    gint64 instant = 98 * GST_SECOND + i * 200 * GST_MSECOND;
    GstDatahubStamp stamp = map_times (&timeline, 100 * GST_SECOND,
        10 * GST_MSECOND, GST_SECOND, 800 * GST_MSECOND, instant, TRUE);
    guint64 shown = shown_at (&timeline, &stamp);
    fail_unless (shown > last && stamp.dts < stamp.pts);
    last = shown;
    if (instant < (gint64) (100 * GST_SECOND))
      fail_unless (shown <= 3 * GST_MSECOND);
    else if (instant > (gint64) (100 * GST_SECOND))
      fail_unless_equals_uint64 (shown, (guint64) instant - 100 * GST_SECOND);
  }
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* Audio and video of a camera; the video is recorded. */
GST_START_TEST (a_live_stream_stays_with_its_reliable_one)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  start_timeline_of (&video, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  start_timeline (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  map_times (&video, 100 * GST_SECOND, 0, 0, 0, 98 * GST_SECOND, TRUE);
  stamp = map_times (&audio, 100 * GST_SECOND, 0, 0, 0, 99 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

/* A pause of 1 s, in which the producer went on. */
static void
check_pause (gboolean reliable, GstClockTime next, GstClockTime later)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  start_timeline_of (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, reliable, element);
  stamp = map_times (&timeline, 100 * GST_SECOND, 5 * GST_SECOND, 0, 0,
      105 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 5 * GST_SECOND);
  stamp = map_times (&timeline, 101 * GST_SECOND, 5 * GST_SECOND, 0, 0,
      105 * GST_SECOND + 40 * GST_MSECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, next);
  stamp = map_times (&timeline, 101 * GST_SECOND, 6 * GST_SECOND, 0, 0,
      107 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, later);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}

GST_START_TEST (time_does_not_go_back_after_a_pause)
{
  check_pause (FALSE, 5 * GST_SECOND + 40 * GST_USECOND, 6 * GST_SECOND);
  check_pause (TRUE, 5 * GST_SECOND + 40 * GST_MSECOND, 7 * GST_SECOND);
}
GST_END_TEST;

/* As a reader at @running_time gets it, at once after its commit. */
static GstDatahubStamp
map_unpaced (GstDatahubTimeline *timeline, gint64 running_time,
    gint64 stream_time, gboolean lost)
{
  return map_stamp (timeline, 100 * GST_SECOND, running_time,
      (GstDatahubStamp){ .pts = (guint64) stream_time,
          .dts = GST_CLOCK_TIME_NONE,
          .instant = 50 * GST_SECOND + stream_time,
          .committed = 100 * GST_SECOND + running_time,
          .lost = lost });
}

/* A converter at full speed, and a viewer that it laps: the next picture is due
 * now, and the sound of the same film stays with it without going back. */
GST_START_TEST (a_live_viewer_is_anchored_anew_after_a_loss)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  start_timeline (&video, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  start_timeline (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  stamp = map_unpaced (&video, GST_SECOND, 0, FALSE);
  fail_unless_equals_uint64 (shown_at (&video, &stamp), GST_SECOND);
  stamp = map_unpaced (&audio, GST_SECOND, GST_SECOND, FALSE);
  fail_unless_equals_uint64 (shown_at (&audio, &stamp), 2 * GST_SECOND);
  video.out_changed = FALSE;
  stamp = map_unpaced (&video, 2 * GST_SECOND, 20 * GST_SECOND, TRUE);
  fail_unless (video.out_changed);
  fail_unless_equals_uint64 (shown_at (&video, &stamp), 2 * GST_SECOND);
  stamp = map_unpaced (&audio, 2 * GST_SECOND, 3 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (shown_at (&audio, &stamp),
      2 * GST_SECOND + 2 * GST_MSECOND);
  stamp = map_unpaced (&audio, 3 * GST_SECOND, 21 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (shown_at (&audio, &stamp), 3 * GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

/* One that waits for no clock has been sent far ahead, and goes on from there. */
GST_START_TEST (a_fast_reader_goes_on_after_a_loss)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  map_unpaced (&timeline, 0, 0, FALSE);
  map_unpaced (&timeline, GST_SECOND, 500 * GST_SECOND, FALSE);
  stamp = map_unpaced (&timeline, GST_SECOND, 506 * GST_SECOND, TRUE);
  fail_unless (ABS (GST_CLOCK_DIFF (shown_at (&timeline, &stamp),
                   500 * GST_SECOND))
      < (gint64) (10 * GST_MSECOND));
  stamp = map_unpaced (&timeline, GST_SECOND, 507 * GST_SECOND, FALSE);
  fail_unless (shown_at (&timeline, &stamp)
      > 500 * GST_SECOND + 900 * GST_MSECOND);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* A film that is played, joined at a keyframe of 2 s ago by a viewer that has run
 * for long. */
GST_START_TEST (a_paced_film_is_seen_in_time)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  stamp = map_stamp (&timeline, 100 * GST_SECOND, 60 * GST_SECOND,
      (GstDatahubStamp){ .pts = 7 * GST_SECOND,
          .dts = 7 * GST_SECOND,
          .instant = 158 * GST_SECOND,
          .committed = 158 * GST_SECOND });
  fail_unless_equals_uint64 (shown_at (&timeline, &stamp), 58 * GST_SECOND);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* Backwards: a group of pictures comes in the order of decoding, and the last of
 * it is shown first. */
GST_START_TEST (a_film_can_be_played_backwards)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstSegment segment;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = -1.0;
  segment.stop = segment.position = 4 * GST_SECOND;
  gst_datahub_timeline_set_segment (&timeline, &segment);
  for (gint64 group = 3; group >= 0; group--)
    for (gint64 i = 0; i < 4; i++) {
      GstClockTime pts =
          (guint64) group * GST_SECOND + (guint64) i * 250 * GST_MSECOND;
      GstDatahubStamp stamp = map_times (&timeline, 0, 7 * GST_SECOND, pts, pts,
          100 * GST_SECOND + (gint64) (4 * GST_SECOND - pts), FALSE);
      fail_unless_equals_uint64 (stamp.pts, pts);
      fail_unless_equals_uint64 (shown_at (&timeline, &stamp),
          11 * GST_SECOND - pts);
      fail_unless (timeline.out_changed == (group == 3 && i == 0));
      timeline.out_changed = FALSE;
    }
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* What is decoded only, in front of where an accurate seek went to, takes no time,
 * and shares the segment. */
GST_START_TEST (what_is_before_the_segment_delays_nothing)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  GstSegment segment;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = 2.0;
  segment.start = segment.time = 5 * GST_SECOND;
  gst_datahub_timeline_set_segment (&timeline, &segment);
  map_times (&timeline, 0, 7 * GST_SECOND, 4 * GST_SECOND, 4 * GST_SECOND,
      99500 * GST_MSECOND, FALSE);
  timeline.out_changed = FALSE;
  stamp = map_times (&timeline, 0, 7 * GST_SECOND, 5 * GST_SECOND,
      5 * GST_SECOND, 100 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (shown_at (&timeline, &stamp), 7 * GST_SECOND);
  stamp = map_times (&timeline, 0, 7 * GST_SECOND, 6 * GST_SECOND,
      6 * GST_SECOND, 100500 * GST_MSECOND, FALSE);
  fail_unless_equals_uint64 (shown_at (&timeline, &stamp), 7500 * GST_MSECOND);
  fail_if (timeline.out_changed);
  gst_datahub_timeline_clear (&timeline);
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
  stamp = map_times (&video, 0, 7 * GST_SECOND, 20 * GST_SECOND,
      GST_CLOCK_TIME_NONE, 520 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 20 * GST_SECOND);
  fail_unless_equals_uint64 (gst_segment_to_running_time (&video.out,
                                 GST_FORMAT_TIME, stamp.pts),
      7 * GST_SECOND);
  video.out_changed = FALSE;
  stamp = map_times (&audio, 0, 9 * GST_SECOND, 21 * GST_SECOND,
      GST_CLOCK_TIME_NONE, 521 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (gst_segment_to_running_time (&audio.out,
                                 GST_FORMAT_TIME, stamp.pts),
      8 * GST_SECOND);
  map_times (&video, 0, 9 * GST_SECOND, 22 * GST_SECOND, GST_CLOCK_TIME_NONE,
      522 * GST_SECOND, FALSE);
  fail_if (video.out_changed, "the segment moves for no reason");
  /* the producer was paused for 3 s: the stream goes on 3 s later */
  stamp = map_times (&video, 0, 9 * GST_SECOND, 23 * GST_SECOND,
      GST_CLOCK_TIME_NONE, 526 * GST_SECOND, FALSE);
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
  stamp = map_times (&timeline, 990, 0, 20, 10, 500, TRUE);
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
  stamp = map_times (&timeline, 0, 5, 1000, 900, 70000, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 100);
  fail_unless_equals_uint64 (stamp.dts, 0);
  fail_unless_equals_uint64 (timeline.out.base, 5);
  stamp = map_times (&timeline, 0, 9, 1050, 1050, 70050, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 150);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* Both streams count from the begin of the first. */
GST_START_TEST (restart_keeps_streams_together)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  start_timeline (&video, GST_DATAHUB_TIMESTAMPS_RESTART, element);
  start_timeline (&audio, GST_DATAHUB_TIMESTAMPS_RESTART, element);
  stamp = map_times (&video, 100 * GST_SECOND, 9 * GST_SECOND, 0, 0,
      108 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 0);
  fail_unless_equals_uint64 (shown_at (&video, &stamp), 8 * GST_SECOND);
  stamp = map_times (&audio, 100 * GST_SECOND, 10 * GST_SECOND, 0, 0,
      109 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, GST_SECOND);
  fail_unless_equals_uint64 (shown_at (&audio, &stamp), 9 * GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

/* Without a clock, or with a producer that had none. */
GST_START_TEST (restart_needs_no_clock)
{
  GstElement *element = some_element ();
  GstDatahubNow nothing = { 0 };
  GstDatahubTimeline video, audio;
  GstDatahubStamp one = { .pts = 3 * GST_SECOND,
    .dts = 3 * GST_SECOND,
    .instant = GST_DATAHUB_NO_INSTANT };
  GstDatahubStamp two = { .pts = 4 * GST_SECOND,
    .dts = GST_CLOCK_TIME_NONE,
    .instant = GST_DATAHUB_NO_INSTANT };
  start_timeline (&video, GST_DATAHUB_TIMESTAMPS_RESTART, element);
  start_timeline (&audio, GST_DATAHUB_TIMESTAMPS_RESTART, element);
  gst_datahub_timeline_map (&video, &nothing, &one);
  gst_datahub_timeline_map (&audio, &nothing, &two);
  fail_unless_equals_uint64 (one.pts, 0);
  fail_unless_equals_uint64 (two.pts, GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
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
  tcase_add_test (tc, time_before_the_start_shifts_a_reliable_group_once);
  tcase_add_test (tc, reordered_frames_keep_their_distances);
  tcase_add_test (tc, a_live_viewer_shifts_for_no_past);
  tcase_add_test (tc, a_live_stream_stays_with_its_reliable_one);
  tcase_add_test (tc, time_does_not_go_back_after_a_pause);
  tcase_add_test (tc, a_live_viewer_is_anchored_anew_after_a_loss);
  tcase_add_test (tc, a_fast_reader_goes_on_after_a_loss);
  tcase_add_test (tc, a_paced_film_is_seen_in_time);
  tcase_add_test (tc, a_film_can_be_played_backwards);
  tcase_add_test (tc, what_is_before_the_segment_delays_nothing);
  tcase_add_test (tc, a_group_ends_with_its_last_member);
  tcase_add_test (tc, other_time_is_placed_by_the_segment);
  tcase_add_test (tc, passthrough_changes_nothing);
  tcase_add_test (tc, restart_begins_at_zero);
  tcase_add_test (tc, restart_keeps_streams_together);
  tcase_add_test (tc, restart_needs_no_clock);
  tcase_add_test (tc, the_system_clock_is_monotonic);
}

SUITE_MAIN (timeline)
