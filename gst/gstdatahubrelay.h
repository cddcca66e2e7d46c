/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The allocator that a sink offers upstream, whatever its block is. */
#ifndef GST_DATAHUB_RELAY_H
#define GST_DATAHUB_RELAY_H

#include "gstdatahuballocator.h"

G_BEGIN_DECLS

#define GST_TYPE_DATAHUB_RELAY (gst_datahub_relay_get_type ())
G_DECLARE_FINAL_TYPE (GstDatahubRelay, gst_datahub_relay, GST, DATAHUB_RELAY,
    GstAllocator)

GstDatahubRelay *gst_datahub_relay_new (void);
void gst_datahub_relay_set_target (GstDatahubRelay *relay,
    GstAllocator *target);
GstAllocator *gst_datahub_relay_get_target (GstDatahubRelay *relay);
void gst_datahub_relay_end_copied (GstBuffer *buffer);

G_END_DECLS

#endif /* GST_DATAHUB_RELAY_H */
