/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of tags that a reader takes. Streaming thread. */
#ifndef GST_DATAHUB_TAGS_H
#define GST_DATAHUB_TAGS_H

#include "gstdatahubleftout.h"

G_BEGIN_DECLS

GstTagList *gst_datahub_tags_that_cross (const GstTagList *tags,
    GstDatahubLeftOut *left);
GstTagList *gst_datahub_tags_without_pictures (const GstTagList *tags,
    GstDatahubLeftOut *left);

G_END_DECLS

#endif /* GST_DATAHUB_TAGS_H */
