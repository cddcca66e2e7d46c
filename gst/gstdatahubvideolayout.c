/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An element that does not read GstVideoMeta cannot use a padded picture. It
 * gets a copy in the default layout.
 * Tests: gst-buffers, gst-clip */
#include "gstdatahubvideolayout.h"

#include <gst/video/video.h>

/* Downstream may have changed: it is asked again. Any thread. */
void
gst_datahub_video_layout_reset (GstDatahubVideoLayout *layout)
{
  g_atomic_int_set (&layout->asked, FALSE);
}

static gboolean
takes_video_meta (GstDatahubVideoLayout *layout, GstPad *pad, GstCaps *caps)
{
  g_autoptr (GstQuery) query = NULL;
  if (g_atomic_int_get (&layout->asked))
    return layout->takes_video_meta;
  g_atomic_int_set (&layout->asked, TRUE);
  query = gst_query_new_allocation (caps, FALSE);
  layout->takes_video_meta = gst_pad_peer_query (pad, query)
      && gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return layout->takes_video_meta;
}

static gboolean
is_usual (const GstVideoMeta *meta, const GstVideoInfo *info)
{
  for (guint i = 0; i < meta->n_planes; i++)
    if (meta->offset[i] != GST_VIDEO_INFO_PLANE_OFFSET (info, i)
        || meta->stride[i] != GST_VIDEO_INFO_PLANE_STRIDE (info, i))
      return FALSE;
  return TRUE;
}

static gboolean
copy_frame (GstBuffer *from, GstBuffer *to, const GstVideoInfo *info)
{
  GstVideoFrame in, out;
  gboolean done;
  if (!gst_video_frame_map (&in, info, from, GST_MAP_READ))
    return FALSE;
  if (!gst_video_frame_map (&out, info, to, GST_MAP_WRITE)) {
    gst_video_frame_unmap (&in);
    return FALSE;
  }
  done = gst_video_frame_copy (&out, &in);
  gst_video_frame_unmap (&out);
  gst_video_frame_unmap (&in);
  return done;
}

static GstBuffer *
copy_plain (GstBuffer *buffer, const GstVideoInfo *info)
{
  GstBuffer *plain = gst_buffer_new_allocate (NULL, info->size, NULL);
  if (!plain || !copy_frame (buffer, plain, info)) {
    gst_clear_buffer (&plain);
    return NULL;
  }
  gst_buffer_copy_into (plain, buffer,
      GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  return plain;
}

/**
 * gst_datahub_video_layout_fit:
 * @layout: the answer of downstream
 * @pad: where the buffer will be pushed, with its caps
 * @buffer: (transfer full): any buffer
 *
 * Returns: (transfer full): @buffer, or a copy in the layout that its caps
 * imply
 */
GstBuffer *
gst_datahub_video_layout_fit (GstDatahubVideoLayout *layout, GstPad *pad,
    GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  g_autoptr (GstCaps) caps = NULL;
  GstVideoInfo info;
  GstBuffer *plain;
  if (!meta)
    return buffer;
  caps = gst_pad_get_current_caps (pad);
  if (!caps || !gst_video_info_from_caps (&info, caps) || is_usual (meta, &info)
      || takes_video_meta (layout, pad, caps))
    return buffer;
  plain = copy_plain (buffer, &info);
  if (!plain)
    return buffer;
  gst_buffer_unref (buffer);
  return plain;
}
