/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas with a picture of their own: an encoded alpha channel, and the rectangles of
 * an overlay with their pixels.
 * Tests: gst-metas, fuzz-meta */
#include "gstdatahubflags.h"
#include "gstdatahubmetacodec.h"

#include <gst/video/gstvideocodecalphameta.h>
#include <gst/video/video.h>

/* Of a pixel in both formats of an overlay. */
#define PIXEL_SIZE 4u

static gboolean
encode_codec_alpha (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstBuffer *alpha = ((GstVideoCodecAlphaMeta *) meta)->buffer;
  GstMapInfo map;
  gboolean fits;
  if (!alpha || !gst_buffer_map (alpha, &map, GST_MAP_READ))
    return FALSE;
  fits = map.size <= GST_DATAHUB_METAS_MAX;
  gst_datahub_put_u32 (bytes, gst_datahub_flags_encode (alpha));
  gst_datahub_put_u64 (bytes, GST_BUFFER_PTS (alpha));
  gst_datahub_put_u64 (bytes, GST_BUFFER_DTS (alpha));
  gst_datahub_put_u64 (bytes, GST_BUFFER_DURATION (alpha));
  gst_datahub_put_u64 (bytes, GST_BUFFER_OFFSET (alpha));
  gst_datahub_put_u64 (bytes, GST_BUFFER_OFFSET_END (alpha));
  if (fits && map.size)
    gst_datahub_put (bytes, map.data, map.size);
  gst_buffer_unmap (alpha, &map);
  return fits;
}

static gboolean
decode_codec_alpha (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 flags;
  guint64 times[5];
  GstBuffer *alpha;
  if (!gst_datahub_get_u32 (&in, &flags))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (times); i++)
    if (!gst_datahub_get_u64 (&in, &times[i]))
      return FALSE;
  alpha =
      in.size ? gst_buffer_new_memdup (in.data, in.size) : gst_buffer_new ();
  GST_BUFFER_FLAG_SET (alpha, gst_datahub_flags_decode (flags));
  GST_BUFFER_PTS (alpha) = times[0];
  GST_BUFFER_DTS (alpha) = times[1];
  GST_BUFFER_DURATION (alpha) = times[2];
  GST_BUFFER_OFFSET (alpha) = times[3];
  GST_BUFFER_OFFSET_END (alpha) = times[4];
  gst_buffer_add_video_codec_alpha_meta (buffer, alpha); /* takes it */
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_codec_alpha = {
  GST_DATAHUB_META_CODEC_ALPHA, "GstVideoCodecAlphaMeta",
  gst_video_codec_alpha_meta_api_get_type, encode_codec_alpha,
  decode_codec_alpha
};

/* ---- overlays ---- */

/* A rectangle as it is on the wire, before its pixels. */
typedef struct
{
  gint32 x, y;
  guint32 rendered_width, rendered_height;
  guint32 flags;
  gfloat alpha;
  guint32 is_yuv;
  guint32 width, height; /* of its pixels */
} Rectangle;

static GstVideoFormat
format_of (const Rectangle *rectangle)
{
  return rectangle->is_yuv ? GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_YUV
                           : GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB;
}

/* Elements scale the pixels to the rendered size and add up positions, unchecked. */
static gboolean
is_rectangle_sane (const Rectangle *rectangle)
{
  const guint flags = GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA
      | GST_VIDEO_OVERLAY_FORMAT_FLAG_GLOBAL_ALPHA;
  return rectangle->width > 0 && rectangle->height > 0
      && rectangle->width <= GST_DATAHUB_SIDE_MAX
      && rectangle->height <= GST_DATAHUB_SIDE_MAX
      && rectangle->rendered_width > 0 && rectangle->rendered_height > 0
      && rectangle->rendered_width <= GST_DATAHUB_SIDE_MAX
      && rectangle->rendered_height <= GST_DATAHUB_SIDE_MAX
      && (guint64) rectangle->rendered_width * rectangle->rendered_height
      <= GST_DATAHUB_RENDERED_MAX
      && ABS ((gint64) rectangle->x) <= (gint64) GST_DATAHUB_SIDE_MAX
      && ABS ((gint64) rectangle->y) <= (gint64) GST_DATAHUB_SIDE_MAX
      && (rectangle->flags & ~flags) == 0 && rectangle->alpha >= 0.0f
      && rectangle->alpha <= 1.0f && rectangle->is_yuv <= 1;
}

static void
put_rectangle (GByteArray *bytes, const Rectangle *rectangle)
{
  gst_datahub_put_u32 (bytes, (guint32) rectangle->x);
  gst_datahub_put_u32 (bytes, (guint32) rectangle->y);
  gst_datahub_put_u32 (bytes, rectangle->rendered_width);
  gst_datahub_put_u32 (bytes, rectangle->rendered_height);
  gst_datahub_put_u32 (bytes, rectangle->flags);
  gst_datahub_put_float (bytes, rectangle->alpha);
  gst_datahub_put_u32 (bytes, rectangle->is_yuv);
  gst_datahub_put_u32 (bytes, rectangle->width);
  gst_datahub_put_u32 (bytes, rectangle->height);
}

static gboolean
get_rectangle (GstDatahubBytes *in, Rectangle *rectangle)
{
  return gst_datahub_get_u32 (in, (guint32 *) &rectangle->x)
      && gst_datahub_get_u32 (in, (guint32 *) &rectangle->y)
      && gst_datahub_get_u32 (in, &rectangle->rendered_width)
      && gst_datahub_get_u32 (in, &rectangle->rendered_height)
      && gst_datahub_get_u32 (in, &rectangle->flags)
      && gst_datahub_get_float (in, &rectangle->alpha)
      && gst_datahub_get_u32 (in, &rectangle->is_yuv)
      && gst_datahub_get_u32 (in, &rectangle->width)
      && gst_datahub_get_u32 (in, &rectangle->height)
      && is_rectangle_sane (rectangle);
}

/* Packed rows, whatever their stride is. */
static gboolean
put_pixels (GByteArray *bytes, GstBuffer *pixels, const Rectangle *rectangle)
{
  const gsize row = (gsize) rectangle->width * PIXEL_SIZE;
  GstVideoInfo info;
  GstVideoFrame frame;
  if (row * rectangle->height > GST_DATAHUB_METAS_MAX
      || !gst_video_info_set_format (&info, format_of (rectangle),
          rectangle->width, rectangle->height)
      || !gst_video_frame_map (&frame, &info, pixels, GST_MAP_READ))
    return FALSE;
  for (guint y = 0; y < rectangle->height; y++) {
    const guint8 *at = GST_VIDEO_FRAME_PLANE_DATA (&frame, 0);
    gst_datahub_put (bytes,
        at + (gssize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0), row);
  }
  gst_video_frame_unmap (&frame);
  return TRUE;
}

static gboolean
encode_rectangle (GstVideoOverlayRectangle *from, GByteArray *bytes)
{
  GstVideoOverlayFormatFlags flags =
      gst_video_overlay_rectangle_get_flags (from);
  GstBuffer *pixels =
      gst_video_overlay_rectangle_get_pixels_unscaled_raw (from, flags);
  GstVideoMeta *layout = pixels ? gst_buffer_get_video_meta (pixels) : NULL;
  Rectangle rectangle;
  gint x, y;
  guint width, height;
  if (!layout
      || !gst_video_overlay_rectangle_get_render_rectangle (from, &x, &y,
          &width, &height))
    return FALSE;
  rectangle = (Rectangle){ x, y, width, height, flags,
    gst_video_overlay_rectangle_get_global_alpha (from),
    layout->format == GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_YUV, layout->width,
    layout->height };
  if (!is_rectangle_sane (&rectangle)
      || format_of (&rectangle) != layout->format)
    return FALSE;
  put_rectangle (bytes, &rectangle);
  return put_pixels (bytes, pixels, &rectangle);
}

static gboolean
encode_overlay (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoOverlayComposition *overlay =
      ((GstVideoOverlayCompositionMeta *) meta)->overlay;
  guint n = overlay ? gst_video_overlay_composition_n_rectangles (overlay) : 0;
  guint before = bytes->len;
  if (n == 0 || n > GST_DATAHUB_RECTANGLES_MAX)
    return FALSE;
  gst_datahub_put_u32 (bytes, n);
  for (guint i = 0; i < n; i++)
    if (!encode_rectangle (gst_video_overlay_composition_get_rectangle (overlay,
                               i),
            bytes)
        || bytes->len - before > GST_DATAHUB_METAS_MAX)
      return FALSE;
  return TRUE;
}

static GstVideoOverlayRectangle *
decode_rectangle (GstDatahubBytes *in)
{
  Rectangle rectangle;
  const guint8 *data;
  g_autoptr (GstBuffer) pixels = NULL;
  GstVideoOverlayRectangle *to;
  gsize size;
  if (!get_rectangle (in, &rectangle))
    return NULL;
  size = (gsize) rectangle.width * rectangle.height * PIXEL_SIZE;
  if (!gst_datahub_take (in, &data, size))
    return NULL;
  pixels = gst_buffer_new_memdup (data, size);
  gst_buffer_add_video_meta (pixels, GST_VIDEO_FRAME_FLAG_NONE,
      format_of (&rectangle), rectangle.width, rectangle.height);
  to = gst_video_overlay_rectangle_new_raw (pixels, rectangle.x, rectangle.y,
      rectangle.rendered_width, rectangle.rendered_height,
      (GstVideoOverlayFormatFlags) (rectangle.flags
          & GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA));
  if (to && (rectangle.flags & GST_VIDEO_OVERLAY_FORMAT_FLAG_GLOBAL_ALPHA))
    gst_video_overlay_rectangle_set_global_alpha (to, rectangle.alpha);
  return to;
}

static gboolean
decode_overlay (GstBuffer *buffer, GstDatahubBytes in)
{
  g_autoptr (GstVideoOverlayComposition) overlay =
      gst_video_overlay_composition_new (NULL);
  guint32 n;
  if (!gst_datahub_get_u32 (&in, &n) || n == 0
      || n > GST_DATAHUB_RECTANGLES_MAX)
    return FALSE;
  for (guint i = 0; i < n; i++) {
    g_autoptr (GstVideoOverlayRectangle) rectangle = decode_rectangle (&in);
    if (!rectangle)
      return FALSE;
    gst_video_overlay_composition_add_rectangle (overlay, rectangle);
  }
  gst_buffer_add_video_overlay_composition_meta (buffer, overlay);
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_overlay = { GST_DATAHUB_META_OVERLAY,
  "GstVideoOverlayCompositionMeta",
  gst_video_overlay_composition_meta_api_get_type, encode_overlay,
  decode_overlay };
