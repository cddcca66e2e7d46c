/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caps of a source and what downstream takes. Streaming thread, unless a
 * function states otherwise. */
#ifndef GST_DATAHUB_SRC_CAPS_H
#define GST_DATAHUB_SRC_CAPS_H

#include <gst/gst.h>

G_BEGIN_DECLS

GstCaps *gst_datahub_src_caps_get (GstPad *pad, GstCaps *filter);
gboolean gst_datahub_src_caps_are_taken (GstPad *pad, GstCaps *caps);
gboolean gst_datahub_src_caps_fit (GstPad *pad, GstCaps *caps);
gchar *gst_datahub_src_caps_get_limits (GstElement *element, GstPad *pad);
void gst_datahub_src_caps_post_refused (GstElement *element, GstPad *pad,
    GstCaps *caps);
gboolean gst_datahub_src_caps_is_refusal (GstElement *element,
    GstMessage *message);

G_END_DECLS

#endif /* GST_DATAHUB_SRC_CAPS_H */
