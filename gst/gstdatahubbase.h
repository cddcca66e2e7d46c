/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What GstBaseSrc adds to a stream by itself, kept from it. One streaming
 * thread. */
#ifndef GST_DATAHUB_BASE_H
#define GST_DATAHUB_BASE_H

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

typedef struct
{
  GstBaseSrc *src; /* borrowed: it owns this */
  GstEvent *segment; /* owned; the last one that was pushed */
  gulong segment_probe; /* until the base class has pushed its own */
  gboolean restored; /* `segment` is the pad's again */
  gint synced; /* atomic: the base class has seen a buffer since it played */
  gulong times_probe; /* for the next buffer */
  GstClockTime pts, dts; /* of that buffer */
} GstDatahubBase;

void gst_datahub_base_start (GstDatahubBase *base, GstBaseSrc *src);
void gst_datahub_base_stop (GstDatahubBase *base);
void gst_datahub_base_push_segment (GstDatahubBase *base,
    const GstSegment *segment);
void gst_datahub_base_resume (GstDatahubBase *base);
void gst_datahub_base_keep_times (GstDatahubBase *base, GstBuffer *buffer);

G_END_DECLS

#endif /* GST_DATAHUB_BASE_H */
