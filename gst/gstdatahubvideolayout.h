/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures in a layout that downstream supports. One streaming thread. */
#ifndef GST_DATAHUB_VIDEO_LAYOUT_H
#define GST_DATAHUB_VIDEO_LAYOUT_H

#include "gstdatahubleftout.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

/* The answer of downstream; zero-initialised. */
typedef struct
{
  gint asked; /* atomic: another thread may reset it */
  gboolean takes_video_meta, takes_crop;
} GstDatahubVideoLayout;

void gst_datahub_video_layout_reset (GstDatahubVideoLayout *layout);
gboolean gst_datahub_video_layout_is_of (const GstVideoMeta *meta,
    const GstVideoInfo *info);
GstBuffer *gst_datahub_video_layout_fit (GstDatahubVideoLayout *layout,
    GstPad *pad, GstBuffer *buffer, GstDatahubLeftOut *metas_refused);

G_END_DECLS

#endif /* GST_DATAHUB_VIDEO_LAYOUT_H */
