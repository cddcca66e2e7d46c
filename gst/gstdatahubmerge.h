/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_DATAHUB_MERGE_H
#define GST_DATAHUB_MERGE_H

#include <gst/base/gstaggregator.h>

G_BEGIN_DECLS

#define GST_TYPE_DATAHUB_MERGE (gst_datahub_merge_get_type ())
G_DECLARE_FINAL_TYPE (GstDatahubMerge, gst_datahub_merge, GST, DATAHUB_MERGE,
    GstAggregator)
GST_ELEMENT_REGISTER_DECLARE (datahubmerge)

G_END_DECLS

#endif /* GST_DATAHUB_MERGE_H */
