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
  GQueue sudden; /* of GstEvent: out of band, any thread; object lock */
  gint n_sudden; /* atomic: of `sudden` */
  GstDatahubEventState events;
  GstDatahubClockMap clock_map;
  GstDatahubFragments fragments;
  GstEvent *header; /* owned; what `fragments` found; NULL: none in force */
  GstDatahubMedium medium;
  GstDatahubUnits units;
  gboolean live, live_known;
  gint retell; /* atomic: consumers may not know which upstream events pass */
  gboolean restricted; /* a record states that some do not */
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
GstFlowReturn gst_datahub_output_write_again (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted);
void gst_datahub_output_hold_sudden (GstDatahubOutput *output, GstEvent *event);
GstFlowReturn gst_datahub_output_write_event (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted, GstEvent *event);
GstFlowReturn gst_datahub_output_write_header (GstDatahubOutput *output,
    GstDatahubWriter *writer, const GstDatahubWriterNow *now,
    GstBuffer ***buffers, guint *n);
GstFlowReturn gst_datahub_output_write_due (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted);
GstFlowReturn gst_datahub_output_write_units (GstDatahubOutput *output,
    GstDatahubWriter *writer, const GstDatahubWriterNow *now,
    GstBuffer **buffers, guint n);
void gst_datahub_output_look_live (GstDatahubOutput *output);

/* Whether gst_datahub_output_write_due() would write anything. */
static inline gboolean
gst_datahub_output_has_due (GstDatahubOutput *output)
{
  return !g_queue_is_empty (&output->waiting)
      || g_atomic_int_get (&output->retell)
      || g_atomic_int_get (&output->n_sudden);
}

/* The state that applies to what is written now, on @clock. */
static inline GstDatahubWriterNow
gst_datahub_output_get_now (GstDatahubOutput *output, GstClock *clock)
{
  if (!output->live_known)
    gst_datahub_output_look_live (output);
  return (GstDatahubWriterNow){ .segment = &output->sink->segment,
    .clock = clock,
    .base_time = gst_element_get_base_time (GST_ELEMENT_CAST (output->sink)),
    .clock_map = &output->clock_map,
    .live = output->live,
    .fragments = &output->fragments,
    .medium = &output->medium,
    .units = &output->units };
}

G_END_DECLS

#endif /* GST_DATAHUB_OUTPUT_H */
