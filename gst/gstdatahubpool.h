/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers on the slots of a block, and their proposal to upstream. */
#ifndef GST_DATAHUB_POOL_H
#define GST_DATAHUB_POOL_H

#include "gstdatahubrelay.h"

G_BEGIN_DECLS

#define GST_TYPE_DATAHUB_POOL (gst_datahub_pool_get_type ())
G_DECLARE_FINAL_TYPE (GstDatahubPool, gst_datahub_pool, GST, DATAHUB_POOL,
    GstBufferPool)

GstBufferPool *gst_datahub_pool_new (GstAllocator *allocator);
void gst_datahub_pool_propose (GstQuery *query, GstDatahubRelay *relay);

G_END_DECLS

#endif /* GST_DATAHUB_POOL_H */
