/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a stream begins at a consumer: with one segment, and the distances that it was
 * sent with. */
#include "suite.h"
#include "timelines.h"

/* Whether a segment is to be pushed. */
static gboolean
take_change (GstDatahubTimeline *timeline)
{
  gboolean changed = timeline->out_changed;
  timeline->out_changed = FALSE;
  return changed;
}

/* ---- a camera with B frames ---- */

/* What comes, in the order of decoding, from a camera with two B frames in a row. */
static GstDatahubStamp
b_frame (guint i)
{
  static const gint64 shown[] = { 0, 60, 20, 40, 120, 80, 100, 180, 140, 160 };
  gint64 pts = shown[i] * (gint64) GST_MSECOND;
  return (GstDatahubStamp){ .pts = GST_SECOND + (guint64) pts,
    .dts = GST_SECOND - 40 * GST_MSECOND + i * 20 * GST_MSECOND,
    .instant = 100 * GST_SECOND + pts,
    .live = TRUE };
}

#define N_B_FRAMES 10

/* A viewer that began that long before the camera's first picture, or after it. */
static void
check_b_frames (gint64 before, GstDatahubTimestamps mode)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstClockTime last = 0;
  start_timeline (&timeline, mode, element);
  for (guint i = 0; i < N_B_FRAMES; i++) {
    GstDatahubStamp was = b_frame (i), stamp;
    gint64 due = was.instant - 100 * (gint64) GST_SECOND + before;
    stamp = map_stamp (&timeline, 100 * GST_SECOND - before, 0, was);
    fail_unless (stamp.dts <= stamp.pts && (i == 0 || stamp.dts > last));
    fail_unless (take_change (&timeline) == (i == 0));
    last = stamp.dts;
    if (due < 0) {
      fail_unless (shown_at (&timeline, &stamp) < GST_MSECOND);
      continue;
    }
    fail_unless_equals_int64 (shown_at (&timeline, &stamp), due);
    fail_unless_equals_uint64 (stamp.pts - stamp.dts, was.pts - was.dts);
  }
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}

/* However short the time is between the start of a viewer and the first picture: the
 * time of its decoding may be before the start. */
GST_START_TEST (b_frames_of_a_camera_keep_their_distances)
{
  check_b_frames (0, GST_DATAHUB_TIMESTAMPS_AUTO);
  check_b_frames (7 * GST_MSECOND, GST_DATAHUB_TIMESTAMPS_AUTO);
  check_b_frames (7 * GST_MSECOND, GST_DATAHUB_TIMESTAMPS_CLOCK);
  check_b_frames (7 * GST_MSECOND, GST_DATAHUB_TIMESTAMPS_RESTART);
  check_b_frames (40 * GST_MSECOND, GST_DATAHUB_TIMESTAMPS_AUTO);
  check_b_frames (GST_SECOND, GST_DATAHUB_TIMESTAMPS_AUTO);
  check_b_frames (-70 * (gint64) GST_MSECOND, GST_DATAHUB_TIMESTAMPS_AUTO);
}
GST_END_TEST;

/* Something at the same time comes first. */
static void
check_b_frames_behind (GstClockTime dts)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp before = b_frame (0);
  before.dts = dts;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  before = map_stamp (&timeline, 100 * GST_SECOND, 0, before);
  fail_unless_equals_uint64 (shown_at (&timeline, &before), 0);
  fail_unless (take_change (&timeline));
  for (guint i = 0; i < N_B_FRAMES; i++) {
    GstDatahubStamp was = b_frame (i), stamp;
    stamp = map_stamp (&timeline, 100 * GST_SECOND, 0, was);
    fail_unless (take_change (&timeline) == (i == 0));
    fail_unless_equals_uint64 (stamp.pts - stamp.dts, was.pts - was.dts);
  }
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}

/* A gap has no time of decoding: the room for those comes with the first frame that
 * needs it. */
GST_START_TEST (b_frames_behind_a_gap_keep_their_distances)
{
  check_b_frames_behind (GST_CLOCK_TIME_NONE);
  check_b_frames_behind (b_frame (0).pts);
}
GST_END_TEST;

/* A viewer pauses twice at a pyramid of B frames, before it has caught up. */
GST_START_TEST (decoding_is_not_after_showing)
{
  static const gint64 shown[] = { 0, 80, 40, 20, 60 };
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  for (guint i = 0; i < G_N_ELEMENTS (shown); i++) {
    gint64 base = (gint64) ((90 + MIN (i, 2)) * GST_SECOND);
    GstDatahubStamp stamp = b_frame (i);
    stamp.pts = GST_SECOND + (guint64) shown[i] * GST_MSECOND;
    stamp.instant = 99 * (gint64) GST_SECOND + (gint64) stamp.pts;
    stamp = map_stamp (&timeline, base, 0, stamp);
    fail_unless (stamp.dts <= stamp.pts);
  }
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* ---- a file, joined late ---- */

/* A file at full speed, which began at 50 s and was all read in 10 ms. */
static GstDatahubStamp
file_stamp (GstClockTime pts, GstClockTime dts)
{
  GstClockTime own = GST_CLOCK_TIME_IS_VALID (pts) ? pts : dts;
  return (GstDatahubStamp){ .pts = pts,
    .dts = dts,
    .instant = GST_CLOCK_TIME_IS_VALID (own) ? (gint64) (50 * GST_SECOND + own)
                                             : GST_DATAHUB_NO_INSTANT,
    .committed = 50 * GST_SECOND + 10 * GST_MSECOND };
}

/* Running time, by a recorder that has run for that long. */
static guint64
record (GstDatahubTimeline *timeline, gint64 running_time, GstClockTime pts,
    GstClockTime dts)
{
  GstDatahubStamp stamp = map_stamp (timeline, 90 * GST_SECOND, running_time,
      file_stamp (pts, dts));
  fail_unless_equals_uint64 (stamp.pts, pts);
  fail_unless_equals_uint64 (stamp.dts, dts);
  return shown_at (timeline, &stamp);
}

/* A recorder begins 3 ms before a frame comes that others are shown before, and
 * nothing has a time of decoding: it has one segment. */
static void
check_reordered (const GstDatahubStamp *joined, const gchar *media,
    gboolean has_room)
{
  GstElement *element = some_element ();
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple (media);
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  guint64 begin;
  start_timeline_of (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  gst_datahub_timeline_set_caps (&timeline, caps);
  stamp = map_stamp (&timeline, 90 * GST_SECOND, 3 * GST_MSECOND, *joined);
  begin = shown_at (&timeline, &stamp);
  fail_unless (has_room == (begin >= 160 * GST_MSECOND));
  fail_unless (take_change (&timeline));
  for (guint i = 1; has_room && i <= 4; i++) {
    GstDatahubStamp next = *joined;
    next.pts -= i * 40 * GST_MSECOND;
    next.instant -= i * 40 * (gint64) GST_MSECOND;
    stamp = map_stamp (&timeline, 90 * GST_SECOND, 3 * GST_MSECOND, next);
    fail_unless_equals_uint64 (begin - shown_at (&timeline, &stamp),
        i * 40 * GST_MSECOND);
    fail_if (take_change (&timeline));
  }
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}

GST_START_TEST (reordered_frames_have_room_at_the_start)
{
  GstDatahubStamp file = file_stamp (800 * GST_MSECOND, GST_CLOCK_TIME_NONE);
  GstDatahubStamp played = file, camera;
  played.committed = played.instant + (gint64) GST_MSECOND;
  camera = played;
  camera.live = TRUE;
  check_reordered (&file, "video/x-h264", TRUE);
  check_reordered (&file, "video/x-raw", TRUE);
  check_reordered (&played, "video/x-h264", TRUE);
  check_reordered (&played, "video/x-raw", FALSE);
  check_reordered (&played, "audio/mpeg", FALSE);
  check_reordered (&camera, "video/x-h264", TRUE);
  check_reordered (&camera, "video/x-raw", FALSE);
}
GST_END_TEST;

/* Late recorders of a file: its sound is read 1.6 s ahead of its pictures, and comes
 * first. */
GST_START_TEST (a_stream_of_a_file_that_is_behind_keeps_its_distances)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  guint64 sound, picture;
  start_timeline_of (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  start_timeline_of (&video, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  sound = record (&audio, GST_MSECOND, 1700 * GST_MSECOND, 1700 * GST_MSECOND);
  fail_unless (take_change (&audio));
  for (guint i = 0; i < 5; i++) {
    GstClockTime dts = (100 + i * 40) * GST_MSECOND;
    picture = record (&video, GST_MSECOND, dts + 20 * GST_MSECOND, dts);
    fail_unless_equals_uint64 (sound - picture,
        1700 * GST_MSECOND - dts - 20 * GST_MSECOND);
    fail_unless (take_change (&video) == (i == 0));
  }
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

/* No consumer waits for room that it has or does not need. */
static void
check_no_room (gboolean reliable, gint64 running_time, guint64 base,
    GstClockTime pts)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp = file_stamp (pts, pts);
  GstSegment segment;
  start_timeline_of (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, reliable, element);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.base = base;
  gst_datahub_timeline_set_segment (&timeline, &segment);
  stamp.instant += (gint64) base;
  stamp = map_stamp (&timeline, 90 * GST_SECOND, running_time, stamp);
  fail_unless_equals_uint64 (stamp.pts, pts);
  fail_unless_equals_int64 (shown_at (&timeline, &stamp), running_time);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}

GST_START_TEST (room_is_left_where_it_is_needed)
{
  check_no_room (TRUE, 7 * GST_SECOND, 0, 3600 * GST_SECOND);
  check_no_room (TRUE, GST_MSECOND, 3 * GST_SECOND, 0);
  check_no_room (FALSE, GST_MSECOND, 0, 3 * GST_SECOND);
}
GST_END_TEST;

/* Pictures that are further behind than the room: they are squeezed in one segment,
 * in their order, and the rest is in time. */
GST_START_TEST (what_is_squeezed_for_a_recorder_has_one_segment)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  guint64 last = 0;
  start_timeline_of (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  start_timeline_of (&video, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  fail_unless_equals_uint64 (record (&audio, GST_MSECOND, 20 * GST_SECOND,
                                 20 * GST_SECOND),
      2 * GST_SECOND);
  for (guint i = 0; i < 30; i++) {
    GstClockTime dts = 10 * GST_SECOND + i * 500 * GST_MSECOND;
    GstDatahubStamp stamp = file_stamp (dts + 100 * GST_MSECOND, dts);
    gint64 due = (gint64) (dts + 100 * GST_MSECOND) - 18 * (gint64) GST_SECOND;
    stamp = map_stamp (&video, 90 * GST_SECOND, GST_MSECOND, stamp);
    fail_unless (i == 0 || shown_at (&video, &stamp) > last);
    last = shown_at (&video, &stamp);
    fail_unless (stamp.dts < stamp.pts);
    fail_unless (take_change (&video) == (i == 0));
    if (due < 0)
      fail_unless (last < 10 * GST_MSECOND);
    else
      fail_unless (stamp.dts == dts && last == (guint64) due);
  }
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

/* With B frames, a picture that is shown in time is decoded among those that are
 * squeezed: DTS do not go back there. */
GST_START_TEST (what_is_squeezed_is_decoded_in_its_order)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstClockTime last = 0;
  start_timeline_of (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  start_timeline_of (&video, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  record (&audio, GST_MSECOND, 12 * GST_SECOND, 12 * GST_SECOND);
  for (guint i = 0; i < 30; i++) {
    GstClockTime dts = (9800 + i * 40) * GST_MSECOND;
    guint behind = i == 0 ? 80 : i % 3 == 0 ? 200 : 60;
    GstClockTime pts = dts + behind * GST_MSECOND;
    GstDatahubStamp stamp =
        map_stamp (&video, 90 * GST_SECOND, GST_MSECOND, file_stamp (pts, dts));
    fail_unless (stamp.dts >= last && stamp.dts <= stamp.pts);
    last = stamp.dts;
    fail_unless (take_change (&video) == (i == 0));
    if (pts >= 10100 * GST_MSECOND)
      fail_unless_equals_uint64 (stamp.pts, pts);
  }
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

/* What is only decoded, and what is played backwards, shares a place, and so needs no
 * other timestamps. */
static void
check_begin_of_segment (gdouble rate, GstClockTime start, GstClockTime pts)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  GstSegment segment;
  start_timeline_of (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  start_timeline_of (&video, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  record (&audio, GST_MSECOND, 20 * GST_SECOND, 20 * GST_SECOND);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = rate;
  segment.start = start;
  segment.stop = 40 * GST_SECOND;
  gst_datahub_timeline_set_segment (&video, &segment);
  stamp =
      map_stamp (&video, 90 * GST_SECOND, GST_MSECOND, file_stamp (pts, pts));
  fail_unless_equals_uint64 (stamp.pts, pts);
  fail_unless_equals_uint64 (stamp.dts, pts);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}

GST_START_TEST (what_is_placed_with_its_segment_keeps_its_timestamps)
{
  check_begin_of_segment (1.0, 10 * GST_SECOND, 9 * GST_SECOND);
  check_begin_of_segment (-1.0, 0, 9 * GST_SECOND);
}
GST_END_TEST;

/* A viewer of a film that is played gets all timestamps, also of what is over, and a
 * buffer without a time changes nothing. */
GST_START_TEST (a_viewer_of_a_film_gets_its_timestamps)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  for (guint i = 0; i < 5; i++) {
    GstDatahubStamp nothing =
        file_stamp (GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
    GstDatahubStamp stamp = file_stamp (i * GST_SECOND, i * GST_SECOND);
    stamp.committed = stamp.instant;
    stamp = map_stamp (&timeline, 60 * GST_SECOND, GST_MSECOND, stamp);
    fail_unless_equals_uint64 (stamp.pts, i * GST_SECOND);
    fail_unless (shown_at (&timeline, &stamp) < 10 * GST_MSECOND);
    take_change (&timeline);
    map_stamp (&timeline, 60 * GST_SECOND, GST_MSECOND, nothing);
    fail_if (take_change (&timeline));
  }
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

/* ---- a stream that begins without times ---- */

static void
map_header (GstDatahubTimeline *timeline, gint64 running_time)
{
  GstDatahubStamp header =
      file_stamp (GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  header = map_stamp (timeline, 90 * GST_SECOND, running_time, header);
  fail_if (GST_CLOCK_TIME_IS_VALID (header.pts)
      || GST_CLOCK_TIME_IS_VALID (header.dts));
  fail_unless (take_change (timeline));
}

/* It is in the segment of its stream, and so is that of a stream beside it. */
GST_START_TEST (a_header_without_a_time_has_the_same_segment)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio, text;
  start_timeline_of (&video, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  start_timeline_of (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  start_timeline_of (&text, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  map_header (&video, 10 * GST_MSECOND);
  map_header (&audio, 30 * GST_MSECOND);
  fail_unless_equals_uint64 (record (&video, 80 * GST_MSECOND, 40 * GST_MSECOND,
                                 GST_CLOCK_TIME_NONE),
      50 * GST_MSECOND);
  fail_unless_equals_uint64 (record (&audio, 80 * GST_MSECOND, 30 * GST_MSECOND,
                                 GST_CLOCK_TIME_NONE),
      40 * GST_MSECOND);
  map_header (&text, 90 * GST_MSECOND);
  fail_unless_equals_uint64 (record (&text, 95 * GST_MSECOND, 0, 0),
      10 * GST_MSECOND);
  fail_if (take_change (&video) || take_change (&audio) || take_change (&text));
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_datahub_timeline_clear (&text);
  gst_object_unref (element);
}
GST_END_TEST;

static void
check_header_far_away (gint64 arrival, GstClockTime pts, guint64 due)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  start_timeline_of (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  map_header (&timeline, 10 * GST_MSECOND);
  fail_unless_equals_uint64 (record (&timeline, arrival, pts,
                                 GST_CLOCK_TIME_NONE),
      due);
  fail_unless (take_change (&timeline));
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}

/* In the middle of a file the first time is far from the begin of the segment. It may
 * also come much later than the header. */
GST_START_TEST (a_header_far_from_the_first_time_does_not_place_it)
{
  check_header_far_away (80 * GST_MSECOND, 3600 * GST_SECOND, 2 * GST_SECOND);
  check_header_far_away (5 * GST_SECOND, 0, 5 * GST_SECOND);
}
GST_END_TEST;

/* A header that was committed at 1 s, and a picture behind it. */
static void
check_header_of_viewer (gint64 arrival, gint64 coding, gboolean is_paced,
    gboolean is_one_segment)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp header =
      file_stamp (GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  GstDatahubStamp picture = file_stamp (0, 0);
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  header.committed = 91 * GST_SECOND;
  picture.committed = header.committed + coding;
  if (is_paced)
    picture.instant = picture.committed;
  map_stamp (&timeline, 90 * GST_SECOND, arrival, header);
  fail_unless (take_change (&timeline));
  map_stamp (&timeline, 90 * GST_SECOND, arrival + coding, picture);
  fail_unless (take_change (&timeline) == !is_one_segment);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}

/* A viewer is not to be late for the first picture, because its encoder needed
 * time. */
GST_START_TEST (a_header_makes_no_viewer_late)
{
  check_header_of_viewer (GST_SECOND, 15 * GST_MSECOND, FALSE, TRUE);
  check_header_of_viewer (GST_SECOND, 70 * GST_MSECOND, FALSE, FALSE);
  check_header_of_viewer (1200 * GST_MSECOND, 15 * GST_MSECOND, TRUE, TRUE);
  check_header_of_viewer (9 * GST_SECOND, 15 * GST_MSECOND, FALSE, TRUE);
}
GST_END_TEST;

/* Of a camera, and of a file, with running times, or times that begin at 0. Those that
 * were sent begin at 1000 s. */
static void
check_header_in_running_times (GstDatahubTimestamps mode, gboolean live,
    guint64 base)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp = file_stamp (GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  GstSegment segment;
  start_timeline_of (&timeline, mode, TRUE, element);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 1000 * GST_SECOND;
  gst_datahub_timeline_set_segment (&timeline, &segment);
  stamp.live = live;
  map_stamp (&timeline, 40 * GST_SECOND, 10 * GST_SECOND, stamp);
  fail_unless (take_change (&timeline));
  stamp = file_stamp (1000 * GST_SECOND, 1000 * GST_SECOND);
  stamp.instant = 50 * GST_SECOND;
  stamp.live = live;
  stamp = map_stamp (&timeline, 40 * GST_SECOND,
      10 * GST_SECOND + 5 * GST_MSECOND, stamp);
  fail_unless_equals_uint64 (stamp.pts + base, 10 * GST_SECOND);
  fail_unless_equals_uint64 (shown_at (&timeline, &stamp), 10 * GST_SECOND);
  fail_if (take_change (&timeline));
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}

GST_START_TEST (a_header_is_in_the_segment_of_running_times)
{
  check_header_in_running_times (GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, 0);
  check_header_in_running_times (GST_DATAHUB_TIMESTAMPS_CLOCK, TRUE, 0);
  check_header_in_running_times (GST_DATAHUB_TIMESTAMPS_CLOCK, FALSE, 0);
  check_header_in_running_times (GST_DATAHUB_TIMESTAMPS_RESTART, FALSE,
      10 * GST_SECOND);
}
GST_END_TEST;

/* Where the instants of a camera are is known with its first time only. */
GST_START_TEST (a_header_of_a_camera_moves_no_restart)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp = file_stamp (GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_RESTART, element);
  stamp.live = TRUE;
  map_stamp (&timeline, 40 * GST_SECOND, 10 * GST_SECOND, stamp);
  stamp = file_stamp (0, 0);
  stamp.live = TRUE;
  stamp.instant -= 100 * (gint64) GST_MSECOND;
  stamp = map_stamp (&timeline, 40 * GST_SECOND, 10 * GST_SECOND, stamp);
  fail_unless_equals_uint64 (stamp.pts, 0);
  fail_unless_equals_uint64 (shown_at (&timeline, &stamp), 9900 * GST_MSECOND);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (a_segment_of_bytes_stays_as_it_is)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstSegment segment;
  start_timeline_of (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, TRUE, element);
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  segment.start = segment.time = 188;
  gst_datahub_timeline_set_segment (&timeline, &segment);
  map_header (&timeline, 10 * GST_MSECOND);
  fail_unless (gst_segment_is_equal (&timeline.out, &segment));
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, b_frames_of_a_camera_keep_their_distances);
  tcase_add_test (tc, b_frames_behind_a_gap_keep_their_distances);
  tcase_add_test (tc, decoding_is_not_after_showing);
  tcase_add_test (tc, reordered_frames_have_room_at_the_start);
  tcase_add_test (tc, a_stream_of_a_file_that_is_behind_keeps_its_distances);
  tcase_add_test (tc, room_is_left_where_it_is_needed);
  tcase_add_test (tc, what_is_squeezed_for_a_recorder_has_one_segment);
  tcase_add_test (tc, what_is_squeezed_is_decoded_in_its_order);
  tcase_add_test (tc, what_is_placed_with_its_segment_keeps_its_timestamps);
  tcase_add_test (tc, a_viewer_of_a_film_gets_its_timestamps);
  tcase_add_test (tc, a_header_without_a_time_has_the_same_segment);
  tcase_add_test (tc, a_header_far_from_the_first_time_does_not_place_it);
  tcase_add_test (tc, a_header_makes_no_viewer_late);
  tcase_add_test (tc, a_header_is_in_the_segment_of_running_times);
  tcase_add_test (tc, a_header_of_a_camera_moves_no_restart);
  tcase_add_test (tc, a_segment_of_bytes_stays_as_it_is);
}

SUITE_MAIN (timeline_begins)
