/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer maps instants to its own running time, see gstdatahubgroup.c. The
 * running time of a stream never goes back: what is from before this pipeline's
 * start, or was committed while it was paused, is due at once, in its order. It is
 * squeezed, not clipped: a decoder and a multiplexer need all of it.
 *
 * At the normal rate, a live producer's buffers get running times as timestamps.
 * Others keep their timestamps, and their segment is moved.
 *
 * DTS is as far before PTS as it was. That may be before running time 0, so the
 * segment of running times begins later than its timestamps by the `lead`. What is
 * squeezed has DTS squeezed alike, that much earlier.
 * Tests: gst-timeline, gst-timeline-begins, gst-instants */
#include "gstdatahubtimeline.h"

/* A pause of the producer moves its base time; rounding does not. */
#define MOVE_TOLERANCE (2 * GST_MSECOND)
/* A second of what is over takes a thousandth of one. */
#define SQUEEZE 1000
/* DTS that are further before running time 0 are wrong. */
#define LEAD_MAX (gint64) (10 * GST_SECOND)

/* Where a buffer is in the producer's stream. */
typedef struct
{
  gint64 own; /* running time in the producing pipeline */
  gint64 instant; /* of it */
  gint64 decoding; /* from it to that of decoding; negative as a rule */
  gboolean hidden; /* it is before its segment */
} Place;

/* Its running times here. */
typedef struct
{
  gint64 shown;
  gint64 decoded;
} Due;

void
gst_datahub_timeline_init (GstDatahubTimeline *timeline,
    GstDatahubTimestamps mode, gboolean reliable)
{
  *timeline = (GstDatahubTimeline){ .mode = mode,
    .reliable = reliable,
    .decoded.floor = -GST_DATAHUB_TIME_MAX };
  gst_segment_init (&timeline->in, GST_FORMAT_TIME);
  gst_segment_init (&timeline->out, GST_FORMAT_TIME);
  timeline->out_changed = TRUE;
}

void
gst_datahub_timeline_clear (GstDatahubTimeline *timeline)
{
  g_clear_pointer (&timeline->group, gst_datahub_group_leave);
}

/* Takes @group. */
void
gst_datahub_timeline_set_group (GstDatahubTimeline *timeline,
    GstDatahubGroup *group)
{
  gst_datahub_timeline_clear (timeline);
  if (timeline->reliable)
    gst_datahub_group_set_reliable (group);
  timeline->group = group;
  timeline->adjusted = FALSE;
}

/* A producer's segment only reaches downstream where its timestamps do. */
void
gst_datahub_timeline_set_segment (GstDatahubTimeline *timeline,
    const GstSegment *segment)
{
  timeline->in = *segment;
  timeline->adjusted = FALSE;
  if (timeline->mode == GST_DATAHUB_TIMESTAMPS_PASSTHROUGH
      || timeline->mode == GST_DATAHUB_TIMESTAMPS_AUTO
      || segment->format != GST_FORMAT_TIME) {
    timeline->out = *segment;
    timeline->out_changed = TRUE;
  } else if (timeline->out.format != GST_FORMAT_TIME) {
    gst_segment_init (&timeline->out, GST_FORMAT_TIME);
    timeline->out_changed = TRUE;
  }
}

/* Whether later buffers may have earlier times. */
void
gst_datahub_timeline_set_caps (GstDatahubTimeline *timeline,
    const GstCaps *caps)
{
  const gchar *name = gst_caps_is_empty (caps) || gst_caps_is_any (caps)
      ? ""
      : gst_structure_get_name (gst_caps_get_structure (caps, 0));
  timeline->reorders = !g_str_has_prefix (name, "audio/")
      && !g_str_has_prefix (name, "image/") && !g_str_has_prefix (name, "text/")
      && !g_str_equal (name, "video/x-raw");
}

/* ---- from instants to running times ---- */

static gint64
curve_at (const GstDatahubCurve *curve, gint64 instant)
{
  gint64 after = instant - curve->knee_instant;
  gint64 plain = instant + curve->offset;
  if (after < 0) /* reordered, and without a time of decoding */
    return MAX (MAX (plain, curve->knee_time + after), curve->floor);
  return MAX (plain, curve->knee_time + after / SQUEEZE);
}

/* From now on @offset applies. A buffer that would be placed before others that
 * were sent begins the knee. */
static void
curve_bend (GstDatahubCurve *curve, gint64 offset, gint64 first, gint64 floor)
{
  if (!curve->begun) {
    curve->begun = TRUE;
    curve->last_instant = curve->knee_instant = first;
    curve->last_time = curve->knee_time = floor;
  } else if (offset < curve->offset) {
    curve->knee_instant = curve->last_instant;
    curve->knee_time = curve->last_time;
  }
  curve->offset = offset;
}

/* Returns: the time of @instant */
static gint64
curve_note (GstDatahubCurve *curve, gint64 instant)
{
  gint64 time = curve_at (curve, instant);
  if (instant >= curve->last_instant) {
    curve->last_instant = instant;
    curve->last_time = MAX (curve->last_time, time);
  }
  return time;
}

/* From the instant to the first timestamp of the buffer. */
static gint64
to_first (const Place *place)
{
  return MIN (place->decoding, 0);
}

static GstDatahubArrival
arrival_of (const GstDatahubTimeline *timeline, const GstDatahubStamp *stamp,
    const Place *place, GstDatahubLane lane)
{
  gint64 own = place->own + to_first (place);
  return (GstDatahubArrival){ .lane = lane,
    .instant = place->instant + to_first (place),
    .own = own,
    .position = own - (gint64) timeline->in.base,
    .reordered = timeline->reorders && !GST_CLOCK_TIME_IS_VALID (stamp->dts),
    .committed = stamp->committed,
    .lost = stamp->lost && timeline->shown.begun && timeline->in.rate > 0,
    .sent = timeline->shown.last_time };
}

static Due
place_in_group (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    const GstDatahubStamp *stamp, const Place *place, GstDatahubLane lane)
{
  GstDatahubArrival arrival = arrival_of (timeline, stamp, place, lane);
  gint64 offset = gst_datahub_group_get_offset (timeline->group, now, &arrival);
  gint64 floor = 0;
  Due due;
  if (timeline->mode == GST_DATAHUB_TIMESTAMPS_RESTART)
    floor = gst_datahub_group_get_origin (timeline->group,
        arrival.instant + offset);
  curve_bend (&timeline->shown, offset,
      place->instant + offset < floor ? arrival.instant : place->instant,
      floor);
  due.shown = due.decoded = curve_note (&timeline->shown, place->instant);
  if (!GST_CLOCK_TIME_IS_VALID (stamp->dts))
    return due;
  curve_bend (&timeline->decoded, offset, arrival.instant,
      floor + to_first (place));
  due.decoded = MIN (due.shown + MAX (place->decoding, 0),
      curve_note (&timeline->decoded, place->instant + place->decoding));
  return due;
}

/* ---- from running times to timestamps ---- */

/* An open segment, in which times since `lead` are running times since @base. */
static void
use_plain_segment (GstDatahubTimeline *timeline, guint64 base)
{
  GstSegment plain;
  gst_segment_init (&plain, GST_FORMAT_TIME);
  plain.base = base;
  plain.start = plain.position = (guint64) timeline->lead;
  if (gst_segment_is_equal (&plain, &timeline->out))
    return;
  timeline->out = plain;
  timeline->out_changed = TRUE;
}

/* The timestamps become running times since @origin. */
static void
restamp (GstDatahubTimeline *timeline, const Due *due, gint64 origin,
    GstDatahubStamp *stamp)
{
  gint64 shown = due->shown - origin, decoded = due->decoded - origin;
  gboolean has_dts = GST_CLOCK_TIME_IS_VALID (stamp->dts);
  if (has_dts)
    timeline->lead = CLAMP (-decoded, timeline->lead, LEAD_MAX);
  use_plain_segment (timeline, (guint64) origin);
  if (has_dts)
    stamp->dts = (GstClockTime) MAX (decoded + timeline->lead, 0);
  if (GST_CLOCK_TIME_IS_VALID (stamp->pts))
    stamp->pts = (GstClockTime) (MAX (shown, 0) + timeline->lead);
}

/* The producer's own timestamps, but its segment is moved so that running times
 * are ours; it moves again when the producer was paused. Returns FALSE if it would
 * end before it begins. */
static gboolean
move_segment (GstDatahubTimeline *timeline, gint64 move)
{
  GstSegment moved = timeline->in;
  if (timeline->adjusted
      && ABS (move - timeline->moved) <= (gint64) MOVE_TOLERANCE)
    return TRUE;
  if (!gst_segment_offset_running_time (&moved, GST_FORMAT_TIME, move))
    return FALSE;
  timeline->adjusted = TRUE;
  timeline->moved = move;
  timeline->out = moved;
  timeline->out_changed = TRUE;
  return TRUE;
}

/* What is squeezed keeps the segment and gets the timestamps of when it is due. A
 * PTS that is not squeezed stays as it is, also if the DTS is. */
static gboolean
restamp_in_segment (const GstDatahubTimeline *timeline, const Due *due,
    gboolean squeezed, GstDatahubStamp *stamp)
{
  GstClockTime pts = stamp->pts;
  GstClockTime reorder = (GstClockTime) ((gdouble) (due->shown - due->decoded)
      * timeline->in.rate);
  if (squeezed || !GST_CLOCK_TIME_IS_VALID (pts))
    pts = gst_segment_position_from_running_time (&timeline->out,
        GST_FORMAT_TIME, (guint64) due->shown);
  if (!GST_CLOCK_TIME_IS_VALID (pts))
    return FALSE;
  if (GST_CLOCK_TIME_IS_VALID (stamp->dts))
    stamp->dts = pts - MIN (reorder, pts);
  if (GST_CLOCK_TIME_IS_VALID (stamp->pts))
    stamp->pts = pts;
  return TRUE;
}

/* A viewer gets each buffer's own timestamps. One that is squeezed gets a segment,
 * too, unless the consumer is reliable: it has one segment. */
static void
move_to (GstDatahubTimeline *timeline, const Place *place, const Due *due,
    GstDatahubStamp *stamp)
{
  gint64 plain = place->instant + timeline->shown.offset;
  gboolean squeezed = due->shown != plain;
  gboolean dts_squeezed = GST_CLOCK_TIME_IS_VALID (stamp->dts)
      && due->decoded > plain + place->decoding;
  if (timeline->reliable && timeline->in.rate > 0 && (squeezed || dts_squeezed)
      && move_segment (timeline, plain - place->own)
      && (place->hidden || restamp_in_segment (timeline, due, squeezed, stamp)))
    return;
  move_segment (timeline, due->shown - place->own);
}

/* ---- a record ---- */

/* What is decoded but not shown, and all that is played backwards, is placed with
 * the begin of its segment: it arrives in another order than it is shown. */
static void
use_begin_of_segment (const GstSegment *in, Place *place)
{
  gint64 before = place->own - (gint64) in->base;
  if (in->rate > 0 && before >= 0)
    return;
  place->hidden = in->rate > 0;
  place->own -= before;
  place->instant -= before;
  place->decoding = 0;
}

static gboolean
find_place (const GstDatahubTimeline *timeline, const GstDatahubStamp *stamp,
    Place *place)
{
  gint64 decoded;
  *place = (Place){ .instant = stamp->instant };
  if (timeline->in.base >= (guint64) GST_DATAHUB_TIME_MAX
      || !gst_datahub_running_time (&timeline->in,
          GST_CLOCK_TIME_IS_VALID (stamp->pts) ? stamp->pts : stamp->dts,
          &place->own))
    return FALSE;
  if (GST_CLOCK_TIME_IS_VALID (stamp->pts)
      && gst_datahub_running_time (&timeline->in, stamp->dts, &decoded))
    place->decoding = decoded - place->own;
  return TRUE;
}

static gboolean
gives_running_times (const GstDatahubTimeline *timeline,
    const GstDatahubStamp *stamp)
{
  return timeline->in.rate == 1.0
      && (stamp->live || timeline->mode != GST_DATAHUB_TIMESTAMPS_AUTO);
}

static void
map_clock (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    GstDatahubStamp *stamp, Place *place, GstDatahubLane lane)
{
  Due due;
  gint64 origin = 0;
  gboolean plain = gives_running_times (timeline, stamp);
  if (!plain)
    use_begin_of_segment (&timeline->in, place);
  due = place_in_group (timeline, now, stamp, place, lane);
  if (timeline->mode == GST_DATAHUB_TIMESTAMPS_RESTART)
    origin = gst_datahub_group_get_origin (timeline->group, due.shown);
  if (plain)
    restamp (timeline, &due, origin, stamp);
  else
    move_to (timeline, place, &due, stamp);
}

static GstDatahubLane
lane_of (const GstDatahubStamp *stamp)
{
  return stamp->live ? GST_DATAHUB_LANE_LIVE : GST_DATAHUB_LANE_OTHER;
}

/* Until the first time of a producer that is not live is known. */
static void
guess_segment (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    const GstDatahubStamp *stamp)
{
  GstDatahubArrival begin = { .lane = GST_DATAHUB_LANE_OTHER,
    .instant = GST_DATAHUB_NO_INSTANT,
    .own = (gint64) timeline->in.base,
    .committed = stamp->committed };
  gint64 move = gst_datahub_group_get_move (timeline->group, now, &begin);
  gint64 origin = 0;
  if (timeline->mode == GST_DATAHUB_TIMESTAMPS_RESTART)
    origin = gst_datahub_group_get_origin (timeline->group, move + begin.own);
  if (gives_running_times (timeline, stamp))
    use_plain_segment (timeline, (guint64) origin);
  else
    move_segment (timeline, move);
}

/* A buffer without a time may be the first one of a segment, as headers are: it gets
 * the segment of those that follow. */
static void
map_segment (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    const GstDatahubStamp *stamp)
{
  if (!timeline->out_changed || timeline->in.format != GST_FORMAT_TIME
      || timeline->in.base >= (guint64) GST_DATAHUB_TIME_MAX)
    return;
  if (!stamp->live)
    guess_segment (timeline, now, stamp);
  else if (timeline->mode != GST_DATAHUB_TIMESTAMPS_RESTART
      && gives_running_times (timeline, stamp))
    use_plain_segment (timeline, 0);
}

static gboolean
has_time (const GstDatahubStamp *stamp)
{
  return GST_CLOCK_TIME_IS_VALID (stamp->pts)
      || GST_CLOCK_TIME_IS_VALID (stamp->dts);
}

/**
 * gst_datahub_timeline_map:
 * @timeline: how this producer's time maps
 * @now: this pipeline's time
 * @stamp: (inout): the timestamps of a record
 *
 * Converts the producer's timestamps to this pipeline's. If `out_changed` is
 * set afterwards, `out` must be pushed before the buffer.
 */
void
gst_datahub_timeline_map (GstDatahubTimeline *timeline,
    const GstDatahubNow *now, GstDatahubStamp *stamp)
{
  gboolean has_instant = gst_datahub_instant_is_valid (stamp->instant);
  GstDatahubLane lane = lane_of (stamp);
  Place place;
  if (timeline->mode == GST_DATAHUB_TIMESTAMPS_PASSTHROUGH || !timeline->group)
    return;
  if (now->known && !has_time (stamp))
    map_segment (timeline, now, stamp);
  if (!find_place (timeline, stamp, &place))
    return;
  if (timeline->mode != GST_DATAHUB_TIMESTAMPS_RESTART
      && (!now->known || !has_instant))
    return;
  if (!now->known || !has_instant) {
    lane = GST_DATAHUB_LANE_OWN;
    place.instant = place.own;
  }
  map_clock (timeline, now, stamp, &place, lane);
}

/* From running times of this pipeline to instants, for what is to come. */
static gint64
distance_of (const GstDatahubTimeline *timeline, const GstDatahubNow *now,
    const GstDatahubStamp *stamp)
{
  gint64 running_time;
  if (!gst_datahub_instant_is_valid (stamp->instant))
    return GST_DATAHUB_NO_INSTANT;
  if (timeline->shown.begun && now->known)
    return -timeline->shown.offset;
  if (!gst_datahub_running_time (&timeline->out,
          GST_CLOCK_TIME_IS_VALID (stamp->pts) ? stamp->pts : stamp->dts,
          &running_time))
    return GST_DATAHUB_NO_INSTANT;
  return stamp->instant - running_time;
}

/**
 * gst_datahub_timeline_map_on_clock:
 * @timeline: how this producer's time maps
 * @map: of @clock
 * @clock: (nullable): this pipeline's; %NULL: it has none to follow
 * @base_time: this pipeline's
 * @stamp: (inout): the timestamps of a record
 *
 * As gst_datahub_timeline_map(), at the current time of @clock.
 */
void
gst_datahub_timeline_map_on_clock (GstDatahubTimeline *timeline,
    GstDatahubClockMap *map, GstClock *clock, GstClockTime base_time,
    GstDatahubStamp *stamp)
{
  GstDatahubNow now = { 0 };
  if (clock && GST_CLOCK_TIME_IS_VALID (base_time)) {
    now.known = TRUE;
    now.base = (gint64) base_time + gst_datahub_clock_map_offset (map, clock);
    now.running_time = gst_datahub_monotonic_now () - now.base;
  }
  gst_datahub_timeline_map (timeline, &now, stamp);
  timeline->distance = distance_of (timeline, &now, stamp);
}
