/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The latency from capture to commit, which a sink in this pipeline must add.
 * It only grows, because each change posts a message and a new query.
 * Tests: gst-instants */
#include "gstdatahublatency.h"
#include "gstdatahubtime.h"

/* Latency is reported in these steps, so that it is not reported for every
 * buffer. Beyond the limit the stream has stopped and is not slow. */
#define LATENCY_STEP (5 * GST_MSECOND)
#define LATENCY_MAX (10 * GST_SECOND)

/* Nothing measured yet. */
void
gst_datahub_latency_init (GstDatahubLatency *latency)
{
  *latency = (GstDatahubLatency){ .min = 0, .max = GST_CLOCK_TIME_NONE };
}

/**
 * gst_datahub_latency_measure:
 * @latency: (out): that of one record
 * @view: the record
 * @ring_size: how many records its block keeps
 *
 * Returns: whether the latency is known from the record
 */
gboolean
gst_datahub_latency_measure (GstDatahubLatency *latency,
    const DatahubView *view, guint ring_size)
{
  gint64 age;
  if (!(view->flags & DATAHUB_FLAG_LIVE)
      || !gst_datahub_instant_is_valid (view->instant_ns)
      || view->commit_ns >= (guint64) GST_DATAHUB_TIME_MAX)
    return FALSE;
  age = (gint64) view->commit_ns - view->instant_ns;
  if (age < 0 || age > (gint64) LATENCY_MAX)
    return FALSE;
  gst_datahub_latency_init (latency);
  latency->min = ((GstClockTime) age / LATENCY_STEP + 1) * LATENCY_STEP;
  if (GST_CLOCK_TIME_IS_VALID (view->duration) && view->duration < LATENCY_MAX
      && ring_size > 2)
    latency->max = latency->min + view->duration * (ring_size - 2);
  return TRUE;
}

/* Returns: whether @latency became @measured, which must then be reported. */
gboolean
gst_datahub_latency_grow (GstDatahubLatency *latency,
    const GstDatahubLatency *measured)
{
  if (measured->min <= latency->min)
    return FALSE;
  *latency = *measured;
  return TRUE;
}
