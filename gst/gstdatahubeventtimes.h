/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times in events, which belong to the pipeline that made them. Pure functions. */
#ifndef GST_DATAHUB_EVENT_TIMES_H
#define GST_DATAHUB_EVENT_TIMES_H

#include <gst/gst.h>

G_BEGIN_DECLS

gboolean gst_datahub_event_times_get (GstEvent *event,
    const GstSegment *segment, GstClockTime *timestamp);
GstEvent *gst_datahub_event_times_set (GstEvent *event,
    const GstSegment *segment, GstClockTime timestamp);

G_END_DECLS

#endif /* GST_DATAHUB_EVENT_TIMES_H */
