/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer maps instants to its own running time, see gstdatahubgroup.c. The
 * running time of a stream never goes back: what is from before this pipeline's
 * start, or was committed while it was paused, is due at once, in its order. It is
 * squeezed, not clipped: a decoder and a multiplexer need all of it.
 *
 * At the normal rate, a live producer's buffers get running times as timestamps.
 * Others keep their timestamps, and their segment is moved.
 * Tests: gst-timeline, gst-instants */
#include "gstdatahubtimeline.h"

/* A pause of the producer moves its base time; rounding does not. */
#define MOVE_TOLERANCE (2 * GST_MSECOND)
/* A second of what is over takes a thousandth of one. */
#define SQUEEZE 1000

/* Where a buffer is in the producer's stream. */
typedef struct
{
  gint64 own; /* running time in the producing pipeline */
  gint64 instant; /* of it */
  gint64 decoding; /* from it to that of decoding; negative as a rule */
} Place;

void
gst_datahub_timeline_init (GstDatahubTimeline *timeline,
    GstDatahubTimestamps mode, gboolean reliable)
{
  *timeline = (GstDatahubTimeline){ .mode = mode, .reliable = reliable };
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

/* ---- from instants to running times ---- */

static gint64
curve_at (const GstDatahubCurve *curve, gint64 instant)
{
  gint64 after = instant - curve->knee_instant;
  gint64 plain = instant + curve->offset;
  if (after < 0) /* reordered, and without a time of decoding */
    return MAX (MAX (plain, curve->knee_time + after), 0);
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

static void
curve_note (GstDatahubCurve *curve, gint64 instant)
{
  gint64 time = curve_at (curve, instant);
  if (instant < curve->last_instant)
    return;
  curve->last_instant = instant;
  curve->last_time = MAX (curve->last_time, time);
}

/* The instant of the first timestamp of the buffer. */
static gint64
first_instant (const Place *place)
{
  return place->instant + MIN (place->decoding, 0);
}

/* Returns: the running time of the buffer. */
static gint64
place_in_group (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    const GstDatahubStamp *stamp, const Place *place, GstDatahubLane lane)
{
  GstDatahubCurve *curve = &timeline->curve;
  GstDatahubArrival arrival = { lane, first_instant (place), stamp->committed,
    stamp->lost && curve->begun && timeline->in.rate > 0, curve->last_time };
  gint64 offset = gst_datahub_group_get_offset (timeline->group, now, &arrival);
  gint64 floor = 0;
  if (timeline->mode == GST_DATAHUB_TIMESTAMPS_RESTART)
    floor = gst_datahub_group_get_origin (timeline->group,
        arrival.instant + offset);
  curve_bend (curve, offset, arrival.instant, floor);
  curve_note (curve, place->instant);
  return curve_at (curve, place->instant);
}

/* ---- from running times to timestamps ---- */

/* An open segment from 0 on, in which times are running times from @base on. */
static void
use_plain_segment (GstDatahubTimeline *timeline, guint64 base)
{
  GstSegment plain;
  gst_segment_init (&plain, GST_FORMAT_TIME);
  plain.base = base;
  if (gst_segment_is_equal (&plain, &timeline->out))
    return;
  timeline->out = plain;
  timeline->out_changed = TRUE;
}

/* The timestamps become running times since @origin. */
static void
restamp (GstDatahubTimeline *timeline, const Place *place, gint64 time,
    gint64 origin, GstDatahubStamp *stamp)
{
  gint64 decoded =
      curve_at (&timeline->curve, place->instant + place->decoding);
  use_plain_segment (timeline, (guint64) origin);
  if (GST_CLOCK_TIME_IS_VALID (stamp->dts))
    stamp->dts = (GstClockTime) MAX (decoded - origin, 0);
  if (GST_CLOCK_TIME_IS_VALID (stamp->pts))
    stamp->pts = (GstClockTime) MAX (time - origin, 0);
}

/* The producer's own timestamps, but its segment is moved so that running times
 * are ours; it moves again when the producer was paused. */
static void
move_segment (GstDatahubTimeline *timeline, gint64 move)
{
  GstSegment moved = timeline->in;
  if (timeline->adjusted
      && ABS (move - timeline->moved) <= (gint64) MOVE_TOLERANCE)
    return;
  if (!gst_segment_offset_running_time (&moved, GST_FORMAT_TIME, move))
    return; /* it would end before it begins */
  timeline->adjusted = TRUE;
  timeline->moved = move;
  timeline->out = moved;
  timeline->out_changed = TRUE;
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

static void
map_clock (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    GstDatahubStamp *stamp, Place *place, GstDatahubLane lane)
{
  gint64 time, origin = 0;
  gboolean plain = timeline->in.rate == 1.0
      && (stamp->live || timeline->mode != GST_DATAHUB_TIMESTAMPS_AUTO);
  if (!plain)
    use_begin_of_segment (&timeline->in, place);
  time = place_in_group (timeline, now, stamp, place, lane);
  if (timeline->mode == GST_DATAHUB_TIMESTAMPS_RESTART)
    origin = gst_datahub_group_get_origin (timeline->group, time);
  if (plain)
    restamp (timeline, place, time, origin, stamp);
  else
    move_segment (timeline, time - place->own);
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
  GstDatahubLane lane =
      stamp->live ? GST_DATAHUB_LANE_LIVE : GST_DATAHUB_LANE_OTHER;
  Place place;
  if (timeline->mode == GST_DATAHUB_TIMESTAMPS_PASSTHROUGH || !timeline->group
      || !find_place (timeline, stamp, &place))
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
  if (timeline->curve.begun && now->known)
    return -timeline->curve.offset;
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
