/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the instant of a buffer to its commit: a sink in the consumer's pipeline must
 * add it. Not thread-safe on one object. */
#ifndef GST_DATAHUB_LATENCY_H
#define GST_DATAHUB_LATENCY_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstClockTime min; /* the answer */
  gboolean known;
  gint64 begin; /* of the window, a time of commits */
  gint64 length;
  gint64 peak, last_peak; /* the largest age in this window and in the last */
  gint64 quiet_peak; /* in `quiet` windows */
  guint quiet;
} GstDatahubLatency;

gboolean gst_datahub_latency_begin (GstDatahubLatency *latency);
gboolean gst_datahub_latency_measure (GstDatahubLatency *latency,
    gint64 committed, gint64 age);

G_END_DECLS

#endif /* GST_DATAHUB_LATENCY_H */
