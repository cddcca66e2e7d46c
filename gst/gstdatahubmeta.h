/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstMetas <-> the meta bytes of a record. Pure functions; any thread. */
#ifndef GST_DATAHUB_META_H
#define GST_DATAHUB_META_H

#include <gst/gst.h>

G_BEGIN_DECLS

guint gst_datahub_meta_encode (GstBuffer *buffer, GByteArray *bytes,
    const gchar **left_behind);
guint gst_datahub_meta_decode (GstBuffer *buffer, gconstpointer data,
    gsize size);

G_END_DECLS

#endif /* GST_DATAHUB_META_H */
