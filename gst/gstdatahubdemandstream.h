/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a sink on demand writes to its block while no streaming thread runs. */
#ifndef GST_DATAHUB_DEMAND_STREAM_H
#define GST_DATAHUB_DEMAND_STREAM_H

#include "gstdatahubdemand.h"
#include "gstdatahubrenewal.h"

G_BEGIN_DECLS

/* The data is a GstDatahubRenewal. */
extern const GstDatahubDemandFuncs gst_datahub_demand_stream_funcs;

gboolean gst_datahub_demand_stream_publish (GstDatahubRenewal *renewal);

G_END_DECLS

#endif /* GST_DATAHUB_DEMAND_STREAM_H */
