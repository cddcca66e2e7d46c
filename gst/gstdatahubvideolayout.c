/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An element that does not read GstVideoMeta cannot use a padded picture, and one
 * that does not read GstVideoCropMeta cannot use a part of a picture. It gets a
 * copy in the default layout, cropped, with the other metas.
 * Tests: gst-buffers, gst-clip */
#include "gstdatahubvideolayout.h"

/* Downstream may have changed: it is asked again. Any thread. */
void
gst_datahub_video_layout_reset (GstDatahubVideoLayout *layout)
{
  g_atomic_int_set (&layout->asked, FALSE);
}

static void
ask (GstDatahubVideoLayout *layout, GstPad *pad, GstCaps *caps)
{
  g_autoptr (GstQuery) query = NULL;
  gboolean answered;
  if (g_atomic_int_get (&layout->asked))
    return;
  g_atomic_int_set (&layout->asked, TRUE);
  query = gst_query_new_allocation (caps, FALSE);
  answered = gst_pad_peer_query (pad, query);
  layout->takes_video_meta = answered
      && gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  layout->takes_crop = answered
      && gst_query_find_allocation_meta (query, GST_VIDEO_CROP_META_API_TYPE,
          NULL);
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

/* GStreamer calls it a programming error to map other pictures by these caps. */
gboolean
gst_datahub_video_layout_is_of (const GstVideoMeta *meta,
    const GstVideoInfo *info)
{
  return meta->format == GST_VIDEO_INFO_FORMAT (info)
      && meta->n_planes == GST_VIDEO_INFO_N_PLANES (info)
      && meta->width >= (guint) GST_VIDEO_INFO_WIDTH (info)
      && meta->height >= (guint) GST_VIDEO_INFO_FIELD_HEIGHT (info);
}

typedef struct
{
  const GstVideoInfo *info;
  GstDatahubLeftOut *refused;
} Check;

static gboolean
check_picture (GstBuffer *buffer, GstMeta **meta, gpointer user_data)
{
  const Check *check = user_data;
  if ((*meta)->info->api != GST_VIDEO_META_API_TYPE
      || gst_datahub_video_layout_is_of ((const GstVideoMeta *) *meta,
          check->info))
    return TRUE;
  *meta = NULL;
  gst_datahub_left_out_note (check->refused, "GstVideoMeta", 0,
      "is of another picture than the caps");
  return TRUE;
}

/* Some elements read the picture by its meta, others by the caps: it must be the
 * same one. */
static GstVideoMeta *
check_pictures (GstBuffer *buffer, const GstVideoInfo *info,
    GstDatahubLeftOut *metas_refused)
{
  Check check = { info, metas_refused };
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  if (!meta)
    return NULL;
  gst_buffer_foreach_meta (buffer, check_picture, &check);
  return gst_buffer_get_video_meta (buffer);
}

/* Returns: the crop of @buffer that makes its picture as large as in its caps, or
 * %NULL. Another crop is of a picture that has that size already; it stays a
 * meta. */
static GstVideoCropMeta *
crop_to_caps (GstBuffer *buffer, const GstVideoMeta *meta,
    const GstVideoInfo *info)
{
  GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta (buffer);
  if (!crop || crop->width != (guint) GST_VIDEO_INFO_WIDTH (info)
      || crop->height != (guint) GST_VIDEO_INFO_HEIGHT (info)
      || crop->x > meta->width - crop->width
      || crop->y > meta->height - crop->height)
    return NULL;
  return meta->width == crop->width && meta->height == crop->height ? NULL
                                                                    : crop;
}

static gboolean
copy_part (GstVideoFrame *to, GstVideoFrame *from, const GstVideoCropMeta *crop)
{
  GstVideoConverter *converter =
      gst_video_converter_new (&from->info, &to->info,
          gst_structure_new ("part", GST_VIDEO_CONVERTER_OPT_SRC_X, G_TYPE_INT,
              (gint) crop->x, GST_VIDEO_CONVERTER_OPT_SRC_Y, G_TYPE_INT,
              (gint) crop->y, GST_VIDEO_CONVERTER_OPT_SRC_WIDTH, G_TYPE_INT,
              (gint) crop->width, GST_VIDEO_CONVERTER_OPT_SRC_HEIGHT,
              G_TYPE_INT, (gint) crop->height, NULL));
  if (!converter)
    return FALSE;
  gst_video_converter_frame (converter, from, to);
  gst_video_converter_free (converter);
  return TRUE;
}

static gboolean
copy_frame (GstBuffer *from, GstBuffer *to, const GstVideoInfo *info,
    const GstVideoCropMeta *crop)
{
  GstVideoFrame in, out;
  gboolean done;
  if (!gst_video_frame_map (&in, info, from, GST_MAP_READ))
    return FALSE;
  if (!gst_video_frame_map (&out, info, to, GST_MAP_WRITE)) {
    gst_video_frame_unmap (&in);
    return FALSE;
  }
  done = crop ? copy_part (&out, &in, crop) : gst_video_frame_copy (&out, &in);
  gst_video_frame_unmap (&out);
  gst_video_frame_unmap (&in);
  return done;
}

/* Moves [@at, @at + @size) by @offset, and cuts it to [0, @limit). */
static void
cut_side (guint *at, guint *size, guint offset, guint limit)
{
  guint before = *at < offset ? MIN (offset - *at, *size) : 0;
  *size -= before;
  *at = *at > offset ? MIN (*at - offset, limit) : 0;
  *size = MIN (*size, limit - *at);
}

/* Regions are relative to the picture, which is now the part in @crop. */
static void
move_regions (GstBuffer *buffer, const GstVideoCropMeta *crop)
{
  gpointer state = NULL;
  GstMeta *meta;
  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state,
              GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
    GstVideoRegionOfInterestMeta *region =
        (GstVideoRegionOfInterestMeta *) meta;
    cut_side (&region->x, &region->w, crop->x, crop->width);
    cut_side (&region->y, &region->h, crop->y, crop->height);
  }
}

static GstVideoOverlayComposition *
move_overlay (GstVideoOverlayComposition *overlay, const GstVideoCropMeta *crop)
{
  GstVideoOverlayComposition *moved = gst_video_overlay_composition_new (NULL);
  for (guint i = 0; i < gst_video_overlay_composition_n_rectangles (overlay);
       i++) {
    g_autoptr (GstVideoOverlayRectangle) rectangle =
        gst_video_overlay_rectangle_copy (
            gst_video_overlay_composition_get_rectangle (overlay, i));
    gint x, y;
    guint width, height;
    gst_video_overlay_rectangle_get_render_rectangle (rectangle, &x, &y, &width,
        &height);
    gst_video_overlay_rectangle_set_render_rectangle (rectangle,
        x - (gint) crop->x, y - (gint) crop->y, width, height);
    gst_video_overlay_composition_add_rectangle (moved, rectangle);
  }
  return moved;
}

/* Their rectangles, too. Other buffers can share the composition. */
static void
move_overlays (GstBuffer *buffer, const GstVideoCropMeta *crop)
{
  gpointer state = NULL;
  GstMeta *meta;
  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state,
              GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE))) {
    GstVideoOverlayCompositionMeta *overlay =
        (GstVideoOverlayCompositionMeta *) meta;
    GstVideoOverlayComposition *moved = move_overlay (overlay->overlay, crop);
    gst_video_overlay_composition_unref (overlay->overlay);
    overlay->overlay = moved;
  }
}

/* All of this kind. */
static void
remove_metas (GstBuffer *buffer, GType api)
{
  GstMeta *meta;
  while ((meta = gst_buffer_get_meta (buffer, api)))
    gst_buffer_remove_meta (buffer, meta);
}

/* Returns: (nullable): everything of @buffer but the layout and the crop. */
static GstBuffer *
copy_plain (GstBuffer *buffer, const GstVideoInfo *info,
    const GstVideoCropMeta *crop)
{
  GstBuffer *plain = gst_buffer_new_allocate (NULL, info->size, NULL);
  if (!plain || !copy_frame (buffer, plain, info, crop)) {
    gst_clear_buffer (&plain);
    return NULL;
  }
  gst_buffer_copy_into (plain, buffer, GST_BUFFER_COPY_METADATA, 0, -1);
  remove_metas (plain, GST_VIDEO_META_API_TYPE);
  if (crop) {
    move_regions (plain, crop);
    move_overlays (plain, crop);
    remove_metas (plain, GST_VIDEO_CROP_META_API_TYPE);
  }
  return plain;
}

/* A crop outside of the picture of the caps: elements would read there. */
static void
check_crop (GstBuffer *buffer, const GstVideoInfo *info,
    GstDatahubLeftOut *metas_refused)
{
  GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta (buffer);
  if (!crop
      || ((guint64) crop->x + crop->width <= (guint) info->width
          && (guint64) crop->y + crop->height <= (guint) info->height))
    return;
  remove_metas (buffer, GST_VIDEO_CROP_META_API_TYPE);
  gst_datahub_left_out_note (metas_refused, "GstVideoCropMeta", 0,
      "is not inside of the picture");
}

/**
 * gst_datahub_video_layout_fit:
 * @layout: the answer of downstream
 * @pad: where the buffer will be pushed, with its caps
 * @buffer: (transfer full): any buffer
 * @metas_refused: gets what is not of the picture of the caps
 *
 * Returns: (transfer full): @buffer, or a copy in the layout that its caps
 * imply
 */
GstBuffer *
gst_datahub_video_layout_fit (GstDatahubVideoLayout *layout, GstPad *pad,
    GstBuffer *buffer, GstDatahubLeftOut *metas_refused)
{
  GstVideoMeta *meta;
  GstVideoCropMeta *crop;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  GstVideoInfo info;
  GstBuffer *plain;
  if (!caps || !gst_video_info_from_caps (&info, caps)
      || GST_VIDEO_INFO_FORMAT (&info) == GST_VIDEO_FORMAT_ENCODED)
    return buffer;
  meta = check_pictures (buffer, &info, metas_refused);
  if (!meta) {
    check_crop (buffer, &info, metas_refused);
    return buffer;
  }
  if (meta->height < (guint) GST_VIDEO_INFO_HEIGHT (&info))
    return buffer; /* a field */
  crop = crop_to_caps (buffer, meta, &info);
  if (is_usual (meta, &info) && !crop)
    return buffer;
  ask (layout, pad, caps);
  if ((layout->takes_video_meta || is_usual (meta, &info))
      && (layout->takes_crop || !crop))
    return buffer;
  plain = copy_plain (buffer, &info, crop);
  if (!plain) {
    gst_datahub_left_out_note (metas_refused, "GstVideoMeta", 0,
        "has a layout that downstream does not read and that cannot be converted");
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_CORRUPTED);
    return buffer;
  }
  gst_buffer_unref (buffer);
  return plain;
}
