/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which elements of a pipeline feed a sink, and where their data ends. Reads the
 * links as they are; any thread. */
#ifndef GST_DATAHUB_DEMAND_GRAPH_H
#define GST_DATAHUB_DEMAND_GRAPH_H

#include <gst/gst.h>

G_BEGIN_DECLS

gboolean gst_datahub_demand_graph_is_source (GstElement *element);
void gst_datahub_demand_graph_add_upstream (GstElement *element,
    GPtrArray *found);
void gst_datahub_demand_graph_add_ends (GstElement *element, GPtrArray *ends);
GPtrArray *gst_datahub_demand_graph_border (GstElement *element,
    const GPtrArray *inside);

G_END_DECLS

#endif /* GST_DATAHUB_DEMAND_GRAPH_H */
