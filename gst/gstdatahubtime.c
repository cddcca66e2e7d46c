/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every record contains an instant: its running time in the producing pipeline
 * as a time of CLOCK_MONOTONIC, which all processes of a machine share. A
 * consumer maps instants to its own running time:
 *
 *   live producer      running time = instant - base time + shift
 *   any other producer running time = instant + anchor
 *
 * `shift` is normally 0; it grows once, if a buffer from before this pipeline's
 * start would get a negative time. `anchor` places the first buffer that
 * arrives at the current time: if a file is read at full speed, only the
 * differences of instants are meaningful. Both belong to the group of all
 * sources of this pipeline that read from the same run of a producing pipeline,
 * so that audio and video stay synchronised.
 * Tests: gst-timeline, gst-instants */
#include "gstdatahubtime.h"

#include <time.h>

#define CLOCK_MAP_REFRESH GST_SECOND
/* A pause of the producer moves its base time; rounding does not. */
#define MOVE_TOLERANCE (2 * GST_MSECOND)

struct _GstDatahubGroup
{
  guint refs;
  guint64 key;
  guint64 id;
  gpointer pipeline; /* compared only: members keep it alive */
  gboolean has_anchor;
  gint64 anchor;
  gint64 shift;
};

/* Guards the list and the groups in it. Innermost. */
static GMutex groups_lock;
static GList *groups;

static gpointer
pipeline_of (GstElement *element)
{
  GstObject *at = GST_OBJECT_CAST (element);
  GstObject *top = at;
  for (; at; at = GST_OBJECT_PARENT (at))
    top = at;
  return top;
}

/**
 * gst_datahub_group_join:
 * @element: an element
 * @key: what its pipeline deals with, such as the id of a producing pipeline
 *
 * A group lives while it has members, so one run of a pipeline does not inherit
 * from the run before. Any thread.
 *
 * Returns: (transfer full): the group of @element's pipeline for @key
 */
GstDatahubGroup *
gst_datahub_group_join (GstElement *element, guint64 key)
{
  gpointer pipeline = pipeline_of (element);
  GstDatahubGroup *group = NULL;
  g_mutex_lock (&groups_lock);
  for (GList *l = groups; l && !group; l = l->next) {
    GstDatahubGroup *other = l->data;
    if (other->key == key && other->pipeline == pipeline)
      group = other;
  }
  if (!group) {
    group = g_new0 (GstDatahubGroup, 1);
    group->key = key;
    group->pipeline = pipeline;
    group->id = (guint64) g_random_int () << 32 | g_random_int ();
    groups = g_list_prepend (groups, group);
  }
  group->refs++;
  g_mutex_unlock (&groups_lock);
  return group;
}

/**
 * gst_datahub_group_leave:
 * @group: (transfer full): a group
 *
 * Any thread.
 */
void
gst_datahub_group_leave (GstDatahubGroup *group)
{
  gboolean last;
  g_mutex_lock (&groups_lock);
  last = --group->refs == 0;
  if (last)
    groups = g_list_remove (groups, group);
  g_mutex_unlock (&groups_lock);
  if (last)
    g_free (group);
}

/**
 * gst_datahub_group_get_id:
 * @group: a group
 *
 * Returns: a random number, the same for all members
 */
guint64
gst_datahub_group_get_id (GstDatahubGroup *group)
{
  return group->id;
}

/* Running time of a buffer with a first timestamp that is @lead before the
 * timestamp of @instant. */
static gint64
group_running_time (GstDatahubGroup *group, const GstDatahubNow *now,
    gint64 instant, gint64 lead, gboolean live)
{
  gint64 running_time;
  g_mutex_lock (&groups_lock);
  if (!live && !group->has_anchor) {
    group->has_anchor = TRUE;
    group->anchor = MAX (now->running_time, 0) + lead - instant;
  }
  running_time =
      live ? instant - now->base + group->shift : instant + group->anchor;
  if (running_time < lead) {
    gint64 more = lead - running_time;
    if (live)
      group->shift += more;
    else
      group->anchor += more;
    running_time = lead;
  }
  g_mutex_unlock (&groups_lock);
  return running_time;
}

gint64
gst_datahub_monotonic_now (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) GST_TIMESPEC_TO_TIME (now);
}

/* Not for subclasses: they report another clock's time. */
static gboolean
is_monotonic (GstClock *clock)
{
  GstClockType type = GST_CLOCK_TYPE_OTHER;
  GstClockTime internal, external, num, denom;
  if (G_OBJECT_TYPE (clock) != GST_TYPE_SYSTEM_CLOCK)
    return FALSE;
  g_object_get (clock, "clock-type", &type, NULL);
  gst_clock_get_calibration (clock, &internal, &external, &num, &denom);
  return type == GST_CLOCK_TYPE_MONOTONIC && internal == external
      && num == denom;
}

/* The clock's time lies between two looks at CLOCK_MONOTONIC: the closest pair
 * of a few is the best guess. */
static gint64
sample_offset (GstClock *clock)
{
  gint64 best = G_MAXINT64, offset = 0;
  for (guint i = 0; i < 3; i++) {
    gint64 before = gst_datahub_monotonic_now ();
    gint64 time = (gint64) gst_clock_get_time (clock);
    gint64 after = gst_datahub_monotonic_now ();
    if (after - before < best) {
      best = after - before;
      offset = before + (after - before) / 2 - time;
    }
  }
  return offset;
}

/**
 * gst_datahub_clock_map_offset:
 * @map: keeps what was measured; zero-initialised
 * @clock: (nullable): the clock of a pipeline
 *
 * Measured at most once a second and smoothed, so that two timestamps keep
 * their distance. Not thread-safe on one @map.
 *
 * Returns: what to add to a time of @clock to get one of CLOCK_MONOTONIC
 */
gint64
gst_datahub_clock_map_offset (GstDatahubClockMap *map, GstClock *clock)
{
  gint64 now, offset;
  gboolean same = map->clock == clock;
  if (!clock)
    return 0;
  if (same && map->sampled == 0)
    return map->offset; /* CLOCK_MONOTONIC itself */
  now = gst_datahub_monotonic_now ();
  if (same && now - map->sampled < (gint64) CLOCK_MAP_REFRESH)
    return map->offset;
  if (!same && is_monotonic (clock)) {
    *map = (GstDatahubClockMap){ clock, 0, 0 };
    return 0;
  }
  offset = sample_offset (clock);
  if (same && ABS (offset - map->offset) < (gint64) GST_MSECOND)
    offset = map->offset + (offset - map->offset) / 8;
  *map = (GstDatahubClockMap){ clock, offset, now };
  return offset;
}

/**
 * gst_datahub_running_time:
 * @segment: a segment
 * @timestamp: a time in it, or before or after it
 * @running_time: (out): signed
 *
 * Returns: whether there is one
 */
gboolean
gst_datahub_running_time (const GstSegment *segment, GstClockTime timestamp,
    gint64 *running_time)
{
  guint64 distance = 0;
  gint sign;
  if (segment->format != GST_FORMAT_TIME
      || !GST_CLOCK_TIME_IS_VALID (timestamp))
    return FALSE;
  sign = gst_segment_to_running_time_full (segment, GST_FORMAT_TIME, timestamp,
      &distance);
  if (sign == 0 || distance >= (guint64) GST_DATAHUB_TIME_MAX)
    return FALSE;
  *running_time = sign < 0 ? -(gint64) distance : (gint64) distance;
  return TRUE;
}

/**
 * gst_datahub_clock_map_instant:
 * @map: of @clock
 * @clock: (nullable): this pipeline's
 * @base_time: this pipeline's
 * @segment: a segment of this pipeline
 * @timestamp: a time in it, or before or after it
 *
 * Returns: the instant of @timestamp, or #GST_DATAHUB_NO_INSTANT
 */
gint64
gst_datahub_clock_map_instant (GstDatahubClockMap *map, GstClock *clock,
    GstClockTime base_time, const GstSegment *segment, GstClockTime timestamp)
{
  gint64 running_time;
  if (!clock || !GST_CLOCK_TIME_IS_VALID (base_time)
      || !gst_datahub_running_time (segment, timestamp, &running_time))
    return GST_DATAHUB_NO_INSTANT;
  return (gint64) base_time + gst_datahub_clock_map_offset (map, clock)
      + running_time;
}

void
gst_datahub_timeline_init (GstDatahubTimeline *timeline,
    GstDatahubTimestamps mode)
{
  *timeline = (GstDatahubTimeline){ .mode = mode };
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

/* From the presentation of a buffer to its decoding; negative as a rule. */
static gint64
decoding_offset (const GstDatahubStamp *stamp)
{
  guint64 ahead = stamp->pts - stamp->dts, behind = stamp->dts - stamp->pts;
  if (!GST_CLOCK_TIME_IS_VALID (stamp->pts)
      || !GST_CLOCK_TIME_IS_VALID (stamp->dts))
    return 0;
  if (stamp->dts < stamp->pts)
    return -(gint64) MIN (ahead, (guint64) GST_DATAHUB_TIME_MAX);
  return (gint64) MIN (behind, (guint64) GST_DATAHUB_TIME_MAX);
}

/* How far the first timestamp of a buffer is before its presentation. */
static gint64
lead_of (const GstDatahubStamp *stamp)
{
  return MAX (-decoding_offset (stamp), 0);
}

/* Gives the buffer the time @time; its DTS keeps its distance. */
static void
restamp (GstDatahubStamp *stamp, gint64 time)
{
  gint64 offset = decoding_offset (stamp);
  GstClockTime decoded = (GstClockTime) MAX (time + offset, 0);
  if (GST_CLOCK_TIME_IS_VALID (stamp->dts))
    stamp->dts = decoded;
  if (GST_CLOCK_TIME_IS_VALID (stamp->pts))
    stamp->pts = (GstClockTime) MAX (time, 0);
}

/* An open segment from 0 on, in which times are running times. */
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

static void
map_clock (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    GstDatahubStamp *stamp)
{
  use_plain_segment (timeline, 0);
  restamp (stamp,
      group_running_time (timeline->group, now, stamp->instant, lead_of (stamp),
          stamp->live));
}

/* The producer's own timestamps, but its segment is moved so that running times
 * are ours; it moves again when the producer was paused. */
static void
move_segment (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    const GstDatahubStamp *stamp, gint64 own)
{
  gint64 wanted = group_running_time (timeline->group, now, stamp->instant,
      lead_of (stamp), stamp->live);
  gint64 move = wanted - own;
  GstSegment moved = timeline->in;
  if (timeline->adjusted
      && ABS (move - timeline->moved) <= (gint64) MOVE_TOLERANCE)
    return;
  timeline->adjusted = TRUE;
  timeline->moved = move;
  if (!gst_segment_offset_running_time (&moved, GST_FORMAT_TIME, move))
    return;
  timeline->out = moved;
  timeline->out_changed = TRUE;
}

static void
map_restart (GstDatahubTimeline *timeline, const GstDatahubNow *now,
    GstDatahubStamp *stamp, gint64 own)
{
  gint64 lead = lead_of (stamp);
  gint64 at =
      gst_datahub_instant_is_valid (stamp->instant) ? stamp->instant : own;
  if (!timeline->started) {
    timeline->started = TRUE;
    timeline->zero = at - lead;
    use_plain_segment (timeline,
        now->known ? (guint64) MAX (now->running_time, 0) : 0);
  }
  restamp (stamp, at - timeline->zero);
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
  gint64 own = 0;
  gboolean timed = gst_datahub_running_time (&timeline->in,
      GST_CLOCK_TIME_IS_VALID (stamp->pts) ? stamp->pts : stamp->dts, &own);
  gboolean on_clock = timed && now->known && timeline->group
      && gst_datahub_instant_is_valid (stamp->instant);
  switch (timeline->mode) {
    case GST_DATAHUB_TIMESTAMPS_PASSTHROUGH:
      return;
    case GST_DATAHUB_TIMESTAMPS_RESTART:
      if (timed)
        map_restart (timeline, now, stamp, own);
      return;
    case GST_DATAHUB_TIMESTAMPS_CLOCK:
      if (on_clock)
        map_clock (timeline, now, stamp);
      return;
    case GST_DATAHUB_TIMESTAMPS_AUTO:
      if (on_clock && stamp->live)
        map_clock (timeline, now, stamp);
      else if (on_clock)
        move_segment (timeline, now, stamp, own);
      return;
  }
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
}
