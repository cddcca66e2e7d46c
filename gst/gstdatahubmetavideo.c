/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas about the picture: its layout, its crop, its orientation.
 * Tests: gst-metas, fuzz-meta */
#include "gstdatahubmetacodec.h"
#include "gstdatahubplanes.h"

#include <gst/video/gstvideoaffinetransformationmeta.h>
#include <gst/video/video.h>

static gboolean
encode_video (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoMeta *video = (GstVideoMeta *) meta;
  if (!gst_datahub_planes_fit (video->buffer, video->format, video->width,
          video->height, video->n_planes, video->offset, video->stride))
    return FALSE;
  gst_datahub_put_u32 (bytes, video->flags);
  gst_datahub_put_u32 (bytes, video->format);
  gst_datahub_put_u32 (bytes, (guint32) video->id);
  gst_datahub_put_u32 (bytes, video->width);
  gst_datahub_put_u32 (bytes, video->height);
  gst_datahub_put_u32 (bytes, video->n_planes);
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++) {
    gst_datahub_put_u64 (bytes, i < video->n_planes ? video->offset[i] : 0);
    gst_datahub_put_u32 (bytes,
        i < video->n_planes ? (guint32) video->stride[i] : 0);
  }
  gst_datahub_put_u32 (bytes, video->alignment.padding_top);
  gst_datahub_put_u32 (bytes, video->alignment.padding_bottom);
  gst_datahub_put_u32 (bytes, video->alignment.padding_left);
  gst_datahub_put_u32 (bytes, video->alignment.padding_right);
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
    gst_datahub_put_u32 (bytes, video->alignment.stride_align[i]);
  return TRUE;
}

static gboolean
get_planes (GstDatahubBytes *in, gsize *offset, gint *stride)
{
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++) {
    guint64 at = 0;
    guint32 step = 0;
    if (!gst_datahub_get_u64 (in, &at) || !gst_datahub_get_u32 (in, &step))
      return FALSE;
    offset[i] = (gsize) at;
    stride[i] = (gint) step;
  }
  return TRUE;
}

static gboolean
get_alignment (GstDatahubBytes *in, GstVideoAlignment *align)
{
  gst_video_alignment_reset (align);
  if (!gst_datahub_get_u32 (in, &align->padding_top)
      || !gst_datahub_get_u32 (in, &align->padding_bottom)
      || !gst_datahub_get_u32 (in, &align->padding_left)
      || !gst_datahub_get_u32 (in, &align->padding_right))
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
    if (!gst_datahub_get_u32 (in, &align->stride_align[i]))
      return FALSE;
  return TRUE;
}

/* Elements lay pictures out by it, with sums that are not checked. */
static gboolean
is_alignment_sane (const GstVideoAlignment *align)
{
  if (align->padding_top > GST_DATAHUB_SIDE_MAX
      || align->padding_bottom > GST_DATAHUB_SIDE_MAX
      || align->padding_left > GST_DATAHUB_SIDE_MAX
      || align->padding_right > GST_DATAHUB_SIDE_MAX)
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
    if (align->stride_align[i] > GST_DATAHUB_SIDE_MAX
        || (align->stride_align[i] & (align->stride_align[i] + 1)) != 0)
      return FALSE;
  return TRUE;
}

static gboolean
decode_video (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 flags, id, width, height, n_planes;
  gint format;
  gsize offset[GST_VIDEO_MAX_PLANES];
  gint stride[GST_VIDEO_MAX_PLANES];
  GstVideoAlignment align;
  GstVideoMeta *meta;
  if (!gst_datahub_get_u32 (&in, &flags)
      || !gst_datahub_get_enum (&in, GST_TYPE_VIDEO_FORMAT, &format)
      || !gst_datahub_get_u32 (&in, &id) || !gst_datahub_get_u32 (&in, &width)
      || !gst_datahub_get_u32 (&in, &height)
      || !gst_datahub_get_u32 (&in, &n_planes)
      || !get_planes (&in, offset, stride) || !get_alignment (&in, &align))
    return FALSE;
  if (format <= GST_VIDEO_FORMAT_ENCODED
      || !gst_datahub_planes_fit (buffer, (GstVideoFormat) format, width,
          height, n_planes, offset, stride))
    return FALSE;
  meta = gst_buffer_add_video_meta_full (buffer, (GstVideoFrameFlags) flags,
      (GstVideoFormat) format, width, height, n_planes, offset, stride);
  meta->id = (gint) id;
  if (is_alignment_sane (&align))
    meta->alignment = align;
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_video = { GST_DATAHUB_META_VIDEO,
  "GstVideoMeta", gst_video_meta_api_get_type, encode_video, decode_video };

static gboolean
encode_crop (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoCropMeta *crop = (GstVideoCropMeta *) meta;
  gst_datahub_put_u32 (bytes, crop->x);
  gst_datahub_put_u32 (bytes, crop->y);
  gst_datahub_put_u32 (bytes, crop->width);
  gst_datahub_put_u32 (bytes, crop->height);
  return crop->x <= GST_DATAHUB_SIDE_MAX && crop->y <= GST_DATAHUB_SIDE_MAX
      && crop->width <= GST_DATAHUB_SIDE_MAX
      && crop->height <= GST_DATAHUB_SIDE_MAX;
}

/* Whether it is inside of the picture is checked when all metas are there. */
static gboolean
decode_crop (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 x, y, width, height;
  GstVideoCropMeta *crop;
  if (!gst_datahub_get_u32 (&in, &x) || !gst_datahub_get_u32 (&in, &y)
      || !gst_datahub_get_u32 (&in, &width)
      || !gst_datahub_get_u32 (&in, &height) || x > GST_DATAHUB_SIDE_MAX
      || y > GST_DATAHUB_SIDE_MAX || width > GST_DATAHUB_SIDE_MAX
      || height > GST_DATAHUB_SIDE_MAX)
    return FALSE;
  crop = gst_buffer_add_video_crop_meta (buffer);
  crop->x = x;
  crop->y = y;
  crop->width = width;
  crop->height = height;
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_crop = { GST_DATAHUB_META_CROP,
  "GstVideoCropMeta", gst_video_crop_meta_api_get_type, encode_crop,
  decode_crop };

static gboolean
encode_affine (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoAffineTransformationMeta *affine =
      (GstVideoAffineTransformationMeta *) meta;
  for (guint i = 0; i < G_N_ELEMENTS (affine->matrix); i++) {
    gst_datahub_put_float (bytes, affine->matrix[i]);
    if (!isfinite (affine->matrix[i]))
      return FALSE;
  }
  return TRUE;
}

static gboolean
decode_affine (GstBuffer *buffer, GstDatahubBytes in)
{
  gfloat matrix[16];
  GstVideoAffineTransformationMeta *affine;
  for (guint i = 0; i < G_N_ELEMENTS (matrix); i++)
    if (!gst_datahub_get_float (&in, &matrix[i]))
      return FALSE;
  affine = gst_buffer_add_video_affine_transformation_meta (buffer);
  memcpy (affine->matrix, matrix, sizeof matrix);
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_affine = { GST_DATAHUB_META_AFFINE,
  "GstVideoAffineTransformationMeta",
  gst_video_affine_transformation_meta_api_get_type, encode_affine,
  decode_affine };
