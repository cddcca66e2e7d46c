/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting of a source for the next record, for each value of `wake`. */
#ifndef GST_DATAHUB_WAKE_H
#define GST_DATAHUB_WAKE_H

#include "gstdatahubattachment.h"

G_BEGIN_DECLS

void gst_datahub_wake_prepare (DatahubConsumer *consumer, GstDatahubWake wake);
DatahubResult gst_datahub_wake_read (const GstDatahubAttachment *attachment,
    GstDatahubWake wake, DatahubView *view, DatahubError *error);

G_END_DECLS

#endif /* GST_DATAHUB_WAKE_H */
