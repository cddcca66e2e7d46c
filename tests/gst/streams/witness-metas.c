/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas as text, so that those of two processes can be compared. */
#include "witness.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

static gchar *
describe_bytes (gconstpointer data, gsize size)
{
  return g_compute_checksum_for_data (G_CHECKSUM_MD5, data, size);
}

static gchar *
describe_caption (GstMeta *meta)
{
  GstVideoCaptionMeta *caption = (GstVideoCaptionMeta *) meta;
  g_autofree gchar *sum = describe_bytes (caption->data, caption->size);
  return g_strdup_printf ("%d %s", caption->caption_type, sum);
}

static gchar *
describe_time_code (GstMeta *meta)
{
  GstVideoTimeCode *tc = &((GstVideoTimeCodeMeta *) meta)->tc;
  g_autofree gchar *text = gst_video_time_code_to_string (tc);
  return g_strdup_printf ("%s flags %x at %u/%u", text, tc->config.flags,
      tc->config.fps_n, tc->config.fps_d);
}

static gchar *
describe_crop (GstMeta *meta)
{
  GstVideoCropMeta *crop = (GstVideoCropMeta *) meta;
  return g_strdup_printf ("%u+%u %ux%u", crop->x, crop->y, crop->width,
      crop->height);
}

static gchar *
describe_clipping (GstMeta *meta)
{
  GstAudioClippingMeta *clipping = (GstAudioClippingMeta *) meta;
  return g_strdup_printf ("%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
      gst_format_get_name (clipping->format), clipping->start, clipping->end);
}

static gchar *
describe_reference_time (GstMeta *meta)
{
  GstReferenceTimestampMeta *time = (GstReferenceTimestampMeta *) meta;
  g_autofree gchar *caps = gst_caps_to_string (time->reference);
  return g_strdup_printf ("%s %" G_GUINT64_FORMAT, caps, time->timestamp);
}

static gchar *
describe_region (GstMeta *meta)
{
  GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *) meta;
  return g_strdup_printf ("%s %d/%d %u+%u %ux%u",
      g_quark_to_string (roi->roi_type), roi->id, roi->parent_id, roi->x,
      roi->y, roi->w, roi->h);
}

static gchar *
describe_sei (GstMeta *meta)
{
  GstVideoSEIUserDataUnregisteredMeta *sei =
      (GstVideoSEIUserDataUnregisteredMeta *) meta;
  g_autofree gchar *name = describe_bytes (sei->uuid, sizeof sei->uuid);
  g_autofree gchar *sum = describe_bytes (sei->data, sei->size);
  return g_strdup_printf ("%s %s", name, sum);
}

static gchar *
describe_rectangle (GstVideoOverlayRectangle *rectangle)
{
  gint x, y;
  guint width, height;
  GstBuffer *pixels =
      gst_video_overlay_rectangle_get_pixels_unscaled_raw (rectangle,
          gst_video_overlay_rectangle_get_flags (rectangle));
  g_autofree gchar *sum = witness_sum_bytes (pixels);
  gst_video_overlay_rectangle_get_render_rectangle (rectangle, &x, &y, &width,
      &height);
  return g_strdup_printf ("%d+%d %ux%u %s", x, y, width, height, sum);
}

static gchar *
describe_overlay (GstMeta *meta)
{
  GstVideoOverlayComposition *overlay =
      ((GstVideoOverlayCompositionMeta *) meta)->overlay;
  GString *text = g_string_new (NULL);
  guint count = gst_video_overlay_composition_n_rectangles (overlay);
  for (guint i = 0; i < count; i++) {
    g_autofree gchar *each = describe_rectangle (
        gst_video_overlay_composition_get_rectangle (overlay, i));
    g_string_append_printf (text, "%s,", each);
  }
  return g_string_free (text, FALSE);
}

static gchar *
describe_custom (GstMeta *meta)
{
  return gst_structure_to_string (
      gst_custom_meta_get_structure ((GstCustomMeta *) meta));
}

/* Others have their name only. */
static gchar *
describe (GstMeta *meta)
{
  const struct
  {
    GType api;
    gchar *(*function) (GstMeta *);
  } table[] = {
    { GST_VIDEO_CAPTION_META_API_TYPE, describe_caption },
    { GST_VIDEO_TIME_CODE_META_API_TYPE, describe_time_code },
    { GST_VIDEO_CROP_META_API_TYPE, describe_crop },
    { GST_AUDIO_CLIPPING_META_API_TYPE, describe_clipping },
    { GST_REFERENCE_TIMESTAMP_META_API_TYPE, describe_reference_time },
    { GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE, describe_region },
    { GST_VIDEO_SEI_USER_DATA_UNREGISTERED_META_API_TYPE, describe_sei },
    { GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, describe_overlay },
  };
  if (gst_meta_info_is_custom (meta->info))
    return describe_custom (meta);
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    if (meta->info->api == table[i].api)
      return table[i].function (meta);
  return g_strdup ("");
}

/* The layout is in the sum; a parent is of one process only. */
static gboolean
is_left_out (GType api)
{
  return api == GST_VIDEO_META_API_TYPE || api == GST_AUDIO_META_API_TYPE
      || api == GST_PARENT_BUFFER_META_API_TYPE;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(const gchar *const *) a, *(const gchar *const *) b);
}

gchar *
witness_metas (GstBuffer *buffer)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);
  gpointer state = NULL;
  GstMeta *meta;
  while ((meta = gst_buffer_iterate_meta (buffer, &state))) {
    g_autofree gchar *text = NULL;
    if (is_left_out (meta->info->api))
      continue;
    text = describe (meta);
    g_ptr_array_add (list,
        g_strconcat (g_type_name (meta->info->api), " ", text, NULL));
  }
  g_ptr_array_sort (list, compare);
  g_ptr_array_add (list, NULL);
  return g_strjoinv ("; ", (gchar **) list->pdata);
}
