/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Read-only memory on the records of a block, for downstream. */
#ifndef GST_DATAHUB_LEASE_H
#define GST_DATAHUB_LEASE_H

#include <datahub/consumer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_DATAHUB_LEASE_MEMORY_TYPE "DatahubLease"

void gst_datahub_lease_append (GstBuffer *buffer, DatahubConsumer *consumer,
    const DatahubView *view);
void gst_datahub_lease_append_copy (GstBuffer *buffer, const DatahubView *view);

G_END_DECLS

#endif /* GST_DATAHUB_LEASE_H */
