/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The latency of a stream, measured from its records. Pure functions. */
#ifndef GST_DATAHUB_LATENCY_H
#define GST_DATAHUB_LATENCY_H

#include <datahub/consumer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstClockTime min;
  GstClockTime max; /* with a full ring; may be NONE */
} GstDatahubLatency;

void gst_datahub_latency_init (GstDatahubLatency *latency);
gboolean gst_datahub_latency_measure (GstDatahubLatency *latency,
    const DatahubView *view, guint ring_size);
gboolean gst_datahub_latency_grow (GstDatahubLatency *latency,
    const GstDatahubLatency *measured);

G_END_DECLS

#endif /* GST_DATAHUB_LATENCY_H */
