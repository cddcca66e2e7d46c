/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stream of a sink, as it is written to the block. One streaming thread. */
#ifndef GST_DATAHUB_OUTPUT_H
#define GST_DATAHUB_OUTPUT_H

#include "gstdatahubevents.h"

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

typedef struct
{
  GstBaseSink *sink; /* borrowed: it owns this */
  GQueue pending; /* of GstEvent: sticky ones from before the block */
  GQueue waiting; /* of GstEvent: others, until the stream plays */
  GstDatahubEventState events;
  GstDatahubClockMap clock_map;
  GstDatahubFragments fragments;
  gboolean live, live_known;
} GstDatahubOutput;

void gst_datahub_output_init (GstDatahubOutput *output, GstBaseSink *sink);
void gst_datahub_output_begin (GstDatahubOutput *output, guint64 pipeline);
void gst_datahub_output_end (GstDatahubOutput *output);
void gst_datahub_output_flush (GstDatahubOutput *output);
void gst_datahub_output_set_caps (GstDatahubOutput *output,
    const GstCaps *caps);

void gst_datahub_output_hold_event (GstDatahubOutput *output, GstEvent *event);
GstFlowReturn gst_datahub_output_write_pending (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted);
GstFlowReturn gst_datahub_output_write_waiting (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted);
GstFlowReturn gst_datahub_output_write_event (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted, GstEvent *event);
GstFlowReturn gst_datahub_output_write_buffers (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstBuffer **buffers, guint n);

G_END_DECLS

#endif /* GST_DATAHUB_OUTPUT_H */
