/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "timelines.h"

GstElement *
some_element (void)
{
  return gst_object_ref_sink (gst_element_factory_make ("identity", NULL));
}

GstDatahubStamp
map_stamp (GstDatahubTimeline *timeline, gint64 base, gint64 running_time,
    GstDatahubStamp stamp)
{
  GstDatahubNow now = { TRUE, base, running_time };
  gst_datahub_timeline_map (timeline, &now, &stamp);
  return stamp;
}

GstDatahubStamp
map_times (GstDatahubTimeline *timeline, gint64 base, gint64 running_time,
    GstClockTime pts, GstClockTime dts, gint64 instant, gboolean live)
{
  return map_stamp (timeline, base, running_time,
      (GstDatahubStamp){ .pts = pts,
          .dts = dts,
          .instant = instant,
          .live = live });
}

/* In its pipeline. */
guint64
shown_at (const GstDatahubTimeline *timeline, const GstDatahubStamp *stamp)
{
  return gst_segment_to_running_time (&timeline->out, GST_FORMAT_TIME,
      stamp->pts);
}

void
start_timeline_of (GstDatahubTimeline *timeline, GstDatahubTimestamps mode,
    gboolean reliable, GstElement *element)
{
  GstSegment segment;
  gst_datahub_timeline_init (timeline, mode, reliable);
  gst_datahub_timeline_set_group (timeline,
      gst_datahub_group_join (element, 42));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_datahub_timeline_set_segment (timeline, &segment);
}

void
start_timeline (GstDatahubTimeline *timeline, GstDatahubTimestamps mode,
    GstElement *element)
{
  start_timeline_of (timeline, mode, FALSE, element);
}
