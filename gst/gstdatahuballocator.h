/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocator of writable memory on the slots of a block, for upstream. */
#ifndef GST_DATAHUB_ALLOCATOR_H
#define GST_DATAHUB_ALLOCATOR_H

#include "gstdatahubproducer.h"

G_BEGIN_DECLS

#define GST_TYPE_DATAHUB_ALLOCATOR (gst_datahub_allocator_get_type ())
G_DECLARE_FINAL_TYPE (GstDatahubAllocator, gst_datahub_allocator, GST,
    DATAHUB_ALLOCATOR, GstAllocator)

GstAllocator *gst_datahub_allocator_new (GstDatahubProducer *block);
GstMemory *gst_datahub_allocator_alloc_slot (GstDatahubAllocator *allocator,
    gsize size, const GstAllocationParams *params, gint64 timeout_ns);
gboolean gst_datahub_allocator_take_buffer (GstDatahubAllocator *allocator,
    GstBuffer *buffer, DatahubCommit *commit);

G_END_DECLS

#endif /* GST_DATAHUB_ALLOCATOR_H */
