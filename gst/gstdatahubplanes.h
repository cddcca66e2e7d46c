/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the planes of a picture lie in a buffer. Pure functions; any thread. */
#ifndef GST_DATAHUB_PLANES_H
#define GST_DATAHUB_PLANES_H

#include <gst/video/video.h>

G_BEGIN_DECLS

gboolean gst_datahub_planes_fit (GstBuffer *buffer, GstVideoFormat format,
    guint width, guint height, guint n_planes, const gsize *offset,
    const gint *stride);

G_END_DECLS

#endif /* GST_DATAHUB_PLANES_H */
