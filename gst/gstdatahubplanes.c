/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GStreamer maps the planes of a GstVideoMeta unchecked, each with the one memory
 * that has its first byte. So a layout is good only if every row, or tile, of a
 * plane is in that memory.
 * Tests: gst-metas, fuzz-meta */
#include "gstdatahubplanes.h"
#include "gstdatahublimits.h"

/* The bytes that a plane has before and from its offset on. */
typedef struct
{
  guint64 before, from;
} Extent;

/* The bytes of a row of plane @i, for all components. If several pixels share
 * bytes, the default layout of GStreamer is used. */
static guint64
row_size (const GstVideoFormatInfo *finfo, guint i, guint width, guint height,
    const gint *comps)
{
  guint64 row = 0;
  GstVideoInfo info;
  if (GST_VIDEO_FORMAT_INFO_IS_COMPLEX (finfo))
    return gst_video_info_set_format (&info, finfo->format, width, height)
            && GST_VIDEO_INFO_PLANE_STRIDE (&info, i) > 0
        ? (guint64) GST_VIDEO_INFO_PLANE_STRIDE (&info, i)
        : G_MAXUINT64;
  for (guint c = 0; c < GST_VIDEO_MAX_COMPONENTS && comps[c] >= 0; c++)
    row = MAX (row,
        (guint64) GST_VIDEO_FORMAT_INFO_SCALE_WIDTH (finfo, comps[c], width)
            * (guint64) GST_VIDEO_FORMAT_INFO_PSTRIDE (finfo, comps[c]));
  return row;
}

/* A negative stride: the rows are stored from the last to the first, and the
 * offset is that of the first. */
static gboolean
measure_rows (const GstVideoFormatInfo *finfo, guint i, guint width,
    guint height, gint stride, Extent *extent)
{
  gint comps[GST_VIDEO_MAX_COMPONENTS] = { -1 };
  guint64 step = (guint64) ABS ((gint64) stride);
  guint64 rows, row;
  gst_video_format_info_component (finfo, i, comps);
  if (comps[0] < 0)
    return FALSE;
  rows = (guint64) GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT (finfo, comps[0], height);
  row = row_size (finfo, i, width, height, comps);
  if (rows == 0 || row == 0 || step < row)
    return FALSE;
  extent->before = stride < 0 ? (rows - 1) * step : 0;
  extent->from = stride < 0 ? row : (rows - 1) * step + row;
  return TRUE;
}

/* The stride is the number of tiles in both directions. A picture has at least
 * those of the default layout. */
static gboolean
measure_tiles (const GstVideoFormatInfo *finfo, guint i, guint width,
    guint height, gint stride, Extent *extent)
{
  guint64 size = GST_VIDEO_FORMAT_INFO_TILE_SIZE (finfo, i);
  GstVideoInfo info;
  gint least;
  if (stride <= 0 || size == 0
      || !gst_video_info_set_format (&info, finfo->format, width, height))
    return FALSE;
  least = GST_VIDEO_INFO_PLANE_STRIDE (&info, i);
  if (GST_VIDEO_TILE_X_TILES (stride) < GST_VIDEO_TILE_X_TILES (least)
      || GST_VIDEO_TILE_Y_TILES (stride) < GST_VIDEO_TILE_Y_TILES (least))
    return FALSE;
  extent->before = 0;
  extent->from = (guint64) GST_VIDEO_TILE_X_TILES (stride)
      * (guint64) GST_VIDEO_TILE_Y_TILES (stride) * size;
  return TRUE;
}

static gboolean
measure (const GstVideoFormatInfo *finfo, guint i, guint width, guint height,
    gint stride, Extent *extent)
{
  if (GST_VIDEO_FORMAT_INFO_HAS_PALETTE (finfo) && i == 1) {
    *extent = (Extent){ .from = 256 * 4 };
    return TRUE;
  }
  return GST_VIDEO_FORMAT_INFO_IS_TILED (finfo)
      ? measure_tiles (finfo, i, width, height, stride, extent)
      : measure_rows (finfo, i, width, height, stride, extent);
}

/* Whether the bytes around @offset are in one memory of @buffer. */
static gboolean
is_inside (GstBuffer *buffer, gsize offset, const Extent *extent)
{
  gsize size = gst_buffer_get_size (buffer), skip;
  guint index, length;
  if (offset > size || extent->from > size - offset || extent->before > offset)
    return FALSE;
  if (gst_buffer_n_memory (buffer) == 1)
    return TRUE;
  return gst_buffer_find_memory (buffer, offset - (gsize) extent->before,
             (gsize) (extent->before + extent->from), &index, &length, &skip)
      && length == 1;
}

/**
 * gst_datahub_planes_fit:
 * @buffer: with its memory in place
 * @format: a format that this GStreamer has
 * @width: of the picture
 * @height: likewise
 * @n_planes: how many
 * @offset: of each plane
 * @stride: of each plane
 *
 * Returns: whether the buffer has all bytes of such a picture
 */
gboolean
gst_datahub_planes_fit (GstBuffer *buffer, GstVideoFormat format, guint width,
    guint height, guint n_planes, const gsize *offset, const gint *stride)
{
  const GstVideoFormatInfo *finfo = gst_video_format_get_info (format);
  if (!finfo || n_planes == 0 || n_planes > GST_VIDEO_MAX_PLANES
      || n_planes != GST_VIDEO_FORMAT_INFO_N_PLANES (finfo) || width == 0
      || height == 0 || width > GST_DATAHUB_SIDE_MAX
      || height > GST_DATAHUB_SIDE_MAX)
    return FALSE;
  for (guint i = 0; i < n_planes; i++) {
    Extent extent;
    if (!measure (finfo, i, width, height, stride[i], &extent)
        || !is_inside (buffer, offset[i], &extent))
      return FALSE;
  }
  return TRUE;
}
