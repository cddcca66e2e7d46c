/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collections of streams <-> structures that have a text. */
#ifndef GST_DATAHUB_COLLECTION_H
#define GST_DATAHUB_COLLECTION_H

#include <gst/gst.h>

G_BEGIN_DECLS

GstStructure *gst_datahub_collection_to_structure (GstEvent *event);
GstEvent *gst_datahub_collection_from_structure (const GstStructure *structure);

G_END_DECLS

#endif /* GST_DATAHUB_COLLECTION_H */
