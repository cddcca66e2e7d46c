/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time across pipelines. Pure functions but for the clock and the groups. */
#ifndef GST_DATAHUB_TIME_H
#define GST_DATAHUB_TIME_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* The instant of a record that has no time. */
#define GST_DATAHUB_NO_INSTANT G_MININT64
/* Times beyond this, 36 years, are nonsense: sums of a few cannot overflow. */
#define GST_DATAHUB_TIME_MAX (G_GINT64_CONSTANT (1) << 60)

typedef enum
{
  GST_DATAHUB_TIMESTAMPS_AUTO,
  GST_DATAHUB_TIMESTAMPS_CLOCK,
  GST_DATAHUB_TIMESTAMPS_PASSTHROUGH,
  GST_DATAHUB_TIMESTAMPS_RESTART
} GstDatahubTimestamps;

/* Data about another pipeline that the elements of one pipeline share, so that
 * audio and video stay synchronised. */
typedef struct _GstDatahubGroup GstDatahubGroup;

GstDatahubGroup *gst_datahub_group_join (GstElement *element, guint64 key);
void gst_datahub_group_leave (GstDatahubGroup *group);
guint64 gst_datahub_group_get_id (GstDatahubGroup *group);

/* A clock's time seen from CLOCK_MONOTONIC. */
typedef struct
{
  GstClock *clock; /* borrowed: only compared */
  gint64 offset; /* add it to the clock's time */
  gint64 sampled; /* when */
} GstDatahubClockMap;

/* FALSE for no time, and for what cannot be one. */
static inline gboolean
gst_datahub_instant_is_valid (gint64 instant)
{
  return instant > -GST_DATAHUB_TIME_MAX && instant < GST_DATAHUB_TIME_MAX;
}

gint64 gst_datahub_monotonic_now (void);
gint64 gst_datahub_clock_map_offset (GstDatahubClockMap *map, GstClock *clock);
gint64 gst_datahub_clock_map_instant (GstDatahubClockMap *map, GstClock *clock,
    GstClockTime base_time, const GstSegment *segment, GstClockTime timestamp);
gboolean gst_datahub_running_time (const GstSegment *segment,
    GstClockTime timestamp, gint64 *running_time);

/* How the records of one producer become buffers of this pipeline. Set up by
 * the streaming thread for each producer, and used by it alone. */
typedef struct
{
  GstDatahubTimestamps mode;
  GstDatahubGroup *group; /* owned; NULL: no clock to follow */
  GstSegment in; /* the producer's */
  GstSegment out; /* ours, where it differs by mode */
  gboolean out_changed; /* must be pushed before the mapped buffer */
  gboolean adjusted; /* `out` was moved to our clock */
  gint64 moved; /* by how much */
  gboolean started; /* `restart` knows its zero */
  gint64 zero;
} GstDatahubTimeline;

/* This pipeline, now. */
typedef struct
{
  gboolean known; /* there is a clock and a base time */
  gint64 base; /* CLOCK_MONOTONIC instant of running time 0 */
  gint64 running_time; /* now */
} GstDatahubNow;

typedef struct
{
  GstClockTime pts, dts;
  gint64 instant;
  gboolean live;
} GstDatahubStamp;

void gst_datahub_timeline_init (GstDatahubTimeline *timeline,
    GstDatahubTimestamps mode);
void gst_datahub_timeline_set_group (GstDatahubTimeline *timeline,
    GstDatahubGroup *group);
void gst_datahub_timeline_clear (GstDatahubTimeline *timeline);
void gst_datahub_timeline_set_segment (GstDatahubTimeline *timeline,
    const GstSegment *segment);
void gst_datahub_timeline_map (GstDatahubTimeline *timeline,
    const GstDatahubNow *now, GstDatahubStamp *stamp);
void gst_datahub_timeline_map_on_clock (GstDatahubTimeline *timeline,
    GstDatahubClockMap *map, GstClock *clock, GstClockTime base_time,
    GstDatahubStamp *stamp);

G_END_DECLS

#endif /* GST_DATAHUB_TIME_H */
