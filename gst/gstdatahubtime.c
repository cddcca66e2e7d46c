/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every record contains an instant: its running time in the producing pipeline
 * as a time of CLOCK_MONOTONIC, which all processes of a machine share. The
 * consumer's side is in gstdatahubtimeline.c.
 * Tests: gst-timeline, gst-instants */
#include "gstdatahubtime.h"

#include <time.h>

#define CLOCK_MAP_REFRESH GST_SECOND

gint64
gst_datahub_monotonic_now (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) GST_TIMESPEC_TO_TIME (now);
}

/* Whether what arrives at the pad is live. */
gboolean
gst_datahub_is_live (GstPad *pad)
{
  g_autoptr (GstQuery) query = gst_query_new_latency ();
  gboolean live = FALSE;
  if (gst_pad_peer_query (pad, query))
    gst_query_parse_latency (query, &live, NULL, NULL);
  return live;
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
