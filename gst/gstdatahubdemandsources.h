/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets sources of on-demand sinks to READY and back, and reports it. `held` has the
 * elements that are off. One thread at a time. */
#ifndef GST_DATAHUB_DEMAND_SOURCES_H
#define GST_DATAHUB_DEMAND_SOURCES_H

#include "gstdatahubdemandplan.h"

G_BEGIN_DECLS

void gst_datahub_demand_sources_off (GPtrArray *held,
    const GPtrArray *elements);
gboolean gst_datahub_demand_sources_release (GstElement *element);
void gst_datahub_demand_sources_let_go (GPtrArray *held,
    const GPtrArray *members);
void gst_datahub_demand_sources_hold_stopped (GPtrArray *held,
    const GPtrArray *members);

GPtrArray *gst_datahub_demand_sources_names (GstDatahubDemand *demand,
    const GPtrArray *elements);
void gst_datahub_demand_sources_report (const GPtrArray *members,
    const GPtrArray *elements, gboolean started);
void gst_datahub_demand_sources_report_failure (const GPtrArray *members,
    const GPtrArray *elements, GstElement *failed);

G_END_DECLS

#endif /* GST_DATAHUB_DEMAND_SOURCES_H */
