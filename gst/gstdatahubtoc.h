/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of contents <-> structures. Pure functions; any thread. */
#ifndef GST_DATAHUB_TOC_H
#define GST_DATAHUB_TOC_H

#include <gst/gst.h>

G_BEGIN_DECLS

GstStructure *gst_datahub_toc_to_structure (GstEvent *event);
GstEvent *gst_datahub_toc_from_structure (const GstStructure *structure);

G_END_DECLS

#endif /* GST_DATAHUB_TOC_H */
