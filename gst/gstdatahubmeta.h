/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstMetas <-> the meta bytes of a record. Any thread. */
#ifndef GST_DATAHUB_META_H
#define GST_DATAHUB_META_H

#include "gstdatahubmedium.h"

G_BEGIN_DECLS

void gst_datahub_meta_encode (GstBuffer *buffer, GByteArray *bytes,
    GstDatahubLeftOut *left);
void gst_datahub_meta_encode_of (GstBuffer *buffer,
    const GstDatahubMedium *medium, GByteArray *bytes, GstDatahubLeftOut *left);
void gst_datahub_meta_decode (GstBuffer *buffer, gconstpointer data, gsize size,
    GstDatahubLeftOut *left);

G_END_DECLS

#endif /* GST_DATAHUB_META_H */
