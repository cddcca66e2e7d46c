/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sources of one pipeline that its on-demand sinks switch on and off. */
#ifndef GST_DATAHUB_DEMAND_SWITCH_H
#define GST_DATAHUB_DEMAND_SWITCH_H

#include "gstdatahubdemand.h"

G_BEGIN_DECLS

GstDatahubDemandSwitch *gst_datahub_demand_switch_join (GstDatahubDemand
        *demand);
void gst_datahub_demand_switch_leave (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand);
void gst_datahub_demand_switch_unref (GstDatahubDemandSwitch *self);

void gst_datahub_demand_switch_allow (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand, gboolean playing);
void gst_datahub_demand_switch_kick (GstDatahubDemandSwitch *self,
    GstElement *element);
void gst_datahub_demand_switch_end (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand);
gboolean gst_datahub_demand_switch_take_eos (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand);
void gst_datahub_demand_switch_rewind (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand);

G_END_DECLS

#endif /* GST_DATAHUB_DEMAND_SWITCH_H */
