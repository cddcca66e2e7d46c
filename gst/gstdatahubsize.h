/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The slot size for a stream. Pure functions. */
#ifndef GST_DATAHUB_SIZE_H
#define GST_DATAHUB_SIZE_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  guint64 slot_size; /* 0: only known from the first buffer */
  gboolean pack; /* small payloads share a slot */
} GstDatahubSize;

GstDatahubSize gst_datahub_size_from_caps (const GstCaps *caps);
GstDatahubSize gst_datahub_size_from_buffer (GstBuffer *buffer);

G_END_DECLS

#endif /* GST_DATAHUB_SIZE_H */
