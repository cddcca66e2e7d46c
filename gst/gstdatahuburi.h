/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* datahub://NAME?property=value&... */
#ifndef GST_DATAHUB_URI_H
#define GST_DATAHUB_URI_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* GInterfaceInitFunc of GstURIHandler. */
void gst_datahub_uri_init_sink (gpointer iface, gpointer data);
void gst_datahub_uri_init_src (gpointer iface, gpointer data);

G_END_DECLS

#endif /* GST_DATAHUB_URI_H */
