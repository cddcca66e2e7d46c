/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the records of one producer become buffers of this pipeline. One streaming
 * thread. */
#ifndef GST_DATAHUB_TIMELINE_H
#define GST_DATAHUB_TIMELINE_H

#include "gstdatahubgroup.h"
#include "gstdatahubtime.h"

G_BEGIN_DECLS

/* Instants -> running times: slope 1 with an offset, and where that would go back,
 * nearly none from the knee on, until it catches up. */
typedef struct
{
  gboolean begun;
  gint64 floor; /* no time is earlier */
  gint64 offset;
  gint64 knee_instant, knee_time;
  gint64 last_instant, last_time; /* the latest ones */
} GstDatahubCurve;

/* Set up by the streaming thread for each producer, and used by it alone. */
typedef struct
{
  GstDatahubTimestamps mode;
  gboolean reliable; /* everything is shown, with the distances it had */
  GstDatahubGroup *group; /* owned; NULL: no clock to follow */
  GstSegment in; /* the producer's */
  GstSegment out; /* ours, where it differs by mode */
  gboolean out_changed; /* must be pushed before the mapped buffer */
  gboolean adjusted; /* `out` was moved to our clock */
  gint64 moved; /* by how much */
  gint64 lead; /* timestamp of running time `base`: DTS may be before it */
  gboolean reorders; /* buffers may be shown in another order than they come */
  GstDatahubCurve shown, decoded; /* for PTS and DTS */
  gint64 distance; /* from running times to instants; may be NO_INSTANT */
} GstDatahubTimeline;

void gst_datahub_timeline_init (GstDatahubTimeline *timeline,
    GstDatahubTimestamps mode, gboolean reliable);
void gst_datahub_timeline_set_group (GstDatahubTimeline *timeline,
    GstDatahubGroup *group);
void gst_datahub_timeline_clear (GstDatahubTimeline *timeline);
void gst_datahub_timeline_set_segment (GstDatahubTimeline *timeline,
    const GstSegment *segment);
void gst_datahub_timeline_set_caps (GstDatahubTimeline *timeline,
    const GstCaps *caps);
void gst_datahub_timeline_map (GstDatahubTimeline *timeline,
    const GstDatahubNow *now, GstDatahubStamp *stamp);
void gst_datahub_timeline_map_on_clock (GstDatahubTimeline *timeline,
    GstDatahubClockMap *map, GstClock *clock, GstClockTime base_time,
    GstDatahubStamp *stamp);

G_END_DECLS

#endif /* GST_DATAHUB_TIMELINE_H */
