/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time lines for tests: each in a group of an element that is in no pipeline. */
#ifndef TESTS_GST_TIMELINES_H
#define TESTS_GST_TIMELINES_H

#include "gstdatahubtimeline.h"

GstElement *some_element (void);
/* Of a pipeline with that base time, at that running time. */
GstDatahubStamp map_stamp (GstDatahubTimeline *timeline, gint64 base,
    gint64 running_time, GstDatahubStamp stamp);
GstDatahubStamp map_times (GstDatahubTimeline *timeline, gint64 base,
    gint64 running_time, GstClockTime pts, GstClockTime dts, gint64 instant,
    gboolean live);
/* In its pipeline. */
guint64 shown_at (const GstDatahubTimeline *timeline,
    const GstDatahubStamp *stamp);
void start_timeline_of (GstDatahubTimeline *timeline, GstDatahubTimestamps mode,
    gboolean reliable, GstElement *element);
void start_timeline (GstDatahubTimeline *timeline, GstDatahubTimestamps mode,
    GstElement *element);

#endif /* TESTS_GST_TIMELINES_H */
