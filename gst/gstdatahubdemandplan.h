/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which elements are to be off. Reads links and demands as they are; any thread. */
#ifndef GST_DATAHUB_DEMAND_PLAN_H
#define GST_DATAHUB_DEMAND_PLAN_H

#include "gstdatahubdemand.h"

G_BEGIN_DECLS

/* Arrays of elements, owned. */
static inline GPtrArray *
gst_datahub_elements_new (void)
{
  return g_ptr_array_new_with_free_func (gst_object_unref);
}

static inline gboolean
gst_datahub_elements_have (const GPtrArray *elements, gconstpointer element)
{
  return g_ptr_array_find ((GPtrArray *) elements, element, NULL);
}

GPtrArray *gst_datahub_elements_without (const GPtrArray *elements,
    const GPtrArray *others);

gboolean gst_datahub_demand_plan_check (GstDatahubDemand *demand);
GPtrArray *gst_datahub_demand_plan_sources (GstElement *element);
GPtrArray *gst_datahub_demand_plan_chain (const GPtrArray *members);
GPtrArray *gst_datahub_demand_plan_choose_off (const GPtrArray *held,
    const GPtrArray *members);

G_END_DECLS

#endif /* GST_DATAHUB_DEMAND_PLAN_H */
