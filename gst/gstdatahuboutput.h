/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sends segments and events of a source in the correct order. One streaming
 * thread. */
#ifndef GST_DATAHUB_OUTPUT_H
#define GST_DATAHUB_OUTPUT_H

#include "gstdatahubtime.h"

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

typedef struct
{
  GstBaseSrc *src; /* borrowed: it owns this */
  GQueue held; /* of GstEvent: waiting for the segment to be known */
  gulong probe; /* drops the base class's copy of a segment */
} GstDatahubOutput;

void gst_datahub_output_init (GstDatahubOutput *output, GstBaseSrc *src);
void gst_datahub_output_drop_held (GstDatahubOutput *output);
void gst_datahub_output_clear (GstDatahubOutput *output);
void gst_datahub_output_push (GstDatahubOutput *output,
    const GstDatahubTimeline *timeline, GstEvent *event);
void gst_datahub_output_flush (GstDatahubOutput *output,
    GstDatahubTimeline *timeline, gboolean event_follows);

G_END_DECLS

#endif /* GST_DATAHUB_OUTPUT_H */
