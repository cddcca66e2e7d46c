/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* datahub://NAME?property=value&... */
#ifndef GST_DATAHUB_URI_H
#define GST_DATAHUB_URI_H

#include <gst/gst.h>

G_BEGIN_DECLS

extern const gchar *const gst_datahub_uri_protocols[];

gboolean gst_datahub_uri_apply (GstElement *element, const gchar *uri,
    GError **error);
gchar *gst_datahub_uri_describe (GstElement *element);

G_END_DECLS

#endif /* GST_DATAHUB_URI_H */
