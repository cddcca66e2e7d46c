/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time across pipelines: the instant of a record, and a pipeline's clock. */
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

/* A clock's time seen from CLOCK_MONOTONIC. */
typedef struct
{
  GstClock *clock; /* borrowed: only compared */
  gint64 offset; /* add it to the clock's time */
  gint64 sampled; /* when */
} GstDatahubClockMap;

/* The times of a record. */
typedef struct
{
  GstClockTime pts, dts;
  gint64 instant;
  gint64 committed; /* CLOCK_MONOTONIC */
  gboolean live; /* the producing pipeline is */
  gboolean lost; /* buffers before it were lost */
} GstDatahubStamp;

/* FALSE for no time, and for what cannot be one. */
static inline gboolean
gst_datahub_instant_is_valid (gint64 instant)
{
  return instant > -GST_DATAHUB_TIME_MAX && instant < GST_DATAHUB_TIME_MAX;
}

gint64 gst_datahub_monotonic_now (void);
gboolean gst_datahub_is_live (GstPad *pad);
gint64 gst_datahub_clock_map_offset (GstDatahubClockMap *map, GstClock *clock);
gint64 gst_datahub_clock_map_instant (GstDatahubClockMap *map, GstClock *clock,
    GstClockTime base_time, const GstSegment *segment, GstClockTime timestamp);
gboolean gst_datahub_running_time (const GstSegment *segment,
    GstClockTime timestamp, gint64 *running_time);

G_END_DECLS

#endif /* GST_DATAHUB_TIME_H */
