/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A meta that contradicts the caps lets elements read beyond the buffer. Sources
 * refuse it. The sink asks the same before it writes, because there the cause can
 * be mended.
 * Tests: gst-buffers */
#include "gstdatahubmedium.h"

void
gst_datahub_medium_set_caps (GstDatahubMedium *medium, const GstCaps *caps)
{
  medium->picture =
      gst_structure_has_name (gst_caps_get_structure (caps, 0), "video/x-raw")
      && gst_video_info_from_caps (&medium->video, caps)
      && GST_VIDEO_INFO_FORMAT (&medium->video) != GST_VIDEO_FORMAT_ENCODED;
  gst_datahub_audio_layout_set_caps (&medium->audio, caps);
}

static gboolean
is_inside (const GstVideoCropMeta *crop, guint width, guint height)
{
  return (guint64) crop->x + crop->width <= width
      && (guint64) crop->y + crop->height <= height;
}

static gboolean
is_picture (const GstDatahubMedium *medium, const GstVideoMeta *meta)
{
  return !medium->picture
      || gst_datahub_video_layout_is_of (meta, &medium->video);
}

/* The picture is that of the buffer's meta, or that of the caps. */
static gboolean
crops_picture (const GstDatahubMedium *medium, GstBuffer *buffer,
    const GstVideoCropMeta *crop)
{
  const GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  if (meta && is_picture (medium, meta))
    return is_inside (crop, meta->width, meta->height);
  return !medium->picture
      || is_inside (crop, (guint) GST_VIDEO_INFO_WIDTH (&medium->video),
          (guint) GST_VIDEO_INFO_HEIGHT (&medium->video));
}

/**
 * gst_datahub_medium_contradiction:
 * @medium: that of the caps
 * @buffer: a buffer
 * @meta: one of its metas
 *
 * Returns: (nullable): how @meta contradicts the caps; %NULL: it does not
 */
const gchar *
gst_datahub_medium_contradiction (const GstDatahubMedium *medium,
    GstBuffer *buffer, const GstMeta *meta)
{
  GType api = meta->info->api;
  if (api == GST_VIDEO_META_API_TYPE)
    return is_picture (medium, (const GstVideoMeta *) meta)
        ? NULL
        : "is of another picture than the caps";
  if (api == GST_VIDEO_CROP_META_API_TYPE)
    return crops_picture (medium, buffer, (const GstVideoCropMeta *) meta)
        ? NULL
        : "is not inside of the picture";
  return gst_datahub_audio_layout_fits (&medium->audio, meta)
      ? NULL
      : "is of other samples than the caps";
}
