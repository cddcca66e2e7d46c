/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers with read-only memory on the records of a block, for downstream. */
#ifndef GST_DATAHUB_LEASE_H
#define GST_DATAHUB_LEASE_H

#include "gstdatahubleftout.h"
#include "gstdatahubtime.h"

#include <datahub/consumer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_DATAHUB_LEASE_MEMORY_TYPE "DatahubLease"

typedef struct
{
  guint64 zero_copy;
  guint64 copied;
  guint64 metas_refused;
  guint64 headers_missing; /* streams that were joined behind their header */
} GstDatahubLeaseStats;

GstFlowReturn gst_datahub_lease_make_buffer (DatahubConsumer *consumer,
    const DatahubView *view, const GstDatahubStamp *stamp,
    GstDatahubLeaseStats *stats, GstDatahubLeftOut *metas_refused,
    GstBuffer **result);
void gst_datahub_lease_stats_add (const GstDatahubLeaseStats *stats,
    GstStructure *structure);

G_END_DECLS

#endif /* GST_DATAHUB_LEASE_H */
