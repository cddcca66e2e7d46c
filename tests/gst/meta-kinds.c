/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meta-kinds.h"

#include <gst/audio/audio.h>
#include <gst/check/gstcheck.h>
#include <gst/net/net.h>
#include <gst/rtp/rtp.h>
#include <gst/video/gstvideoaffinetransformationmeta.h>
#include <gst/video/gstvideocodecalphameta.h>
#include <gst/video/video.h>
#include <string.h>

#define SIZE 4096

GstBuffer *
plain (gsize size, guint8 value)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  gst_buffer_memset (buffer, 0, value, size);
  return buffer;
}

static void
add_clipping (GstBuffer *buffer)
{
  gst_buffer_add_audio_clipping_meta (buffer, GST_FORMAT_DEFAULT, 312, 5);
}

static gboolean
is_clipping (GstBuffer *buffer)
{
  GstAudioClippingMeta *meta = gst_buffer_get_audio_clipping_meta (buffer);
  return meta && meta->format == GST_FORMAT_DEFAULT && meta->start == 312
      && meta->end == 5;
}

static void
add_protection (GstBuffer *buffer)
{
  g_autoptr (GstBuffer) iv = gst_buffer_new_memdup ("\1\2\3\4\5\6\7\0", 8);
  gst_buffer_add_protection_meta (buffer,
      gst_structure_new ("application/x-cenc", "iv_size", G_TYPE_UINT, 8, "iv",
          GST_TYPE_BUFFER, iv, "encrypted", G_TYPE_BOOLEAN, TRUE, NULL));
}

static gboolean
is_protection (GstBuffer *buffer)
{
  GstProtectionMeta *meta = gst_buffer_get_protection_meta (buffer);
  g_autoptr (GstBuffer) iv = NULL;
  return meta && gst_structure_has_name (meta->info, "application/x-cenc")
      && gst_structure_get (meta->info, "iv", GST_TYPE_BUFFER, &iv, NULL)
      && gst_buffer_get_size (iv) == 8
      && gst_buffer_memcmp (iv, 0, "\1\2\3\4\5\6\7\0", 8) == 0;
}

static void
add_caption (GstBuffer *buffer)
{
  gst_buffer_add_video_caption_meta (buffer, GST_VIDEO_CAPTION_TYPE_CEA708_RAW,
      (const guint8 *) "\374\1\2", 3);
}

static gboolean
is_caption (GstBuffer *buffer)
{
  GstVideoCaptionMeta *meta = gst_buffer_get_video_caption_meta (buffer);
  return meta && meta->caption_type == GST_VIDEO_CAPTION_TYPE_CEA708_RAW
      && meta->size == 3 && memcmp (meta->data, "\374\1\2", 3) == 0;
}

static void
add_time_code (GstBuffer *buffer)
{
  g_autoptr (GDateTime) jam =
      g_date_time_new_from_iso8601 ("2026-03-04T05:06:07.25+02:00", NULL);
  gst_buffer_add_video_time_code_meta_full (buffer, 30000, 1001, jam,
      GST_VIDEO_TIME_CODE_FLAGS_DROP_FRAME, 1, 2, 3, 4, 1);
}

static gboolean
is_time_code (GstBuffer *buffer)
{
  GstVideoTimeCodeMeta *meta = gst_buffer_get_video_time_code_meta (buffer);
  g_autofree gchar *jam = meta
      ? g_date_time_format_iso8601 (meta->tc.config.latest_daily_jam)
      : NULL;
  return meta && meta->tc.config.fps_n == 30000 && meta->tc.config.fps_d == 1001
      && meta->tc.hours == 1 && meta->tc.minutes == 2 && meta->tc.seconds == 3
      && meta->tc.frames == 4 && meta->tc.field_count == 1
      && meta->tc.config.flags == GST_VIDEO_TIME_CODE_FLAGS_DROP_FRAME
      && g_str_equal (jam, "2026-03-04T05:06:07.250000+02");
}

static void
add_afd (GstBuffer *buffer)
{
  gst_buffer_add_video_afd_meta (buffer, 1, GST_VIDEO_AFD_SPEC_ATSC_A53,
      GST_VIDEO_AFD_4_3_FULL_16_9_FULL);
}

static gboolean
is_afd (GstBuffer *buffer)
{
  GstVideoAFDMeta *meta = gst_buffer_get_video_afd_meta (buffer);
  return meta && meta->field == 1 && meta->spec == GST_VIDEO_AFD_SPEC_ATSC_A53
      && meta->afd == GST_VIDEO_AFD_4_3_FULL_16_9_FULL;
}

static void
add_bar (GstBuffer *buffer)
{
  gst_buffer_add_video_bar_meta (buffer, 0, TRUE, 10, 11);
}

static gboolean
is_bar (GstBuffer *buffer)
{
  GstVideoBarMeta *meta = gst_buffer_get_video_bar_meta (buffer);
  return meta && meta->is_letterbox && meta->bar_data1 == 10
      && meta->bar_data2 == 11;
}

static void
add_level (GstBuffer *buffer)
{
  gst_buffer_add_audio_level_meta (buffer, 77, TRUE);
}

static gboolean
is_level (GstBuffer *buffer)
{
  GstAudioLevelMeta *meta = gst_buffer_get_audio_level_meta (buffer);
  return meta && meta->level == 77 && meta->voice_activity;
}

static void
add_downmix (GstBuffer *buffer)
{
  const GstAudioChannelPosition from[] = {
    GST_AUDIO_CHANNEL_POSITION_FRONT_LEFT,
    GST_AUDIO_CHANNEL_POSITION_FRONT_RIGHT, GST_AUDIO_CHANNEL_POSITION_LFE1
  };
  const GstAudioChannelPosition to[] = { GST_AUDIO_CHANNEL_POSITION_FRONT_LEFT,
    GST_AUDIO_CHANNEL_POSITION_FRONT_RIGHT };
  const gfloat matrix[] = { 1, 0, 0.25, 0, 1, 0.5 };
  const gfloat *rows[] = { matrix, matrix + 3 };
  gst_buffer_add_audio_downmix_meta (buffer, from, 3, to, 2, rows);
}

static gboolean
is_downmix (GstBuffer *buffer)
{
  GstAudioDownmixMeta *meta =
      (GstAudioDownmixMeta *) gst_buffer_get_meta (buffer,
          GST_AUDIO_DOWNMIX_META_API_TYPE);
  return meta && meta->from_channels == 3 && meta->to_channels == 2
      && meta->from_position[2] == GST_AUDIO_CHANNEL_POSITION_LFE1
      && meta->matrix[0][2] == 0.25f && meta->matrix[1][2] == 0.5f;
}

static void
add_codec_alpha (GstBuffer *buffer)
{
  GstBuffer *alpha = plain (50, 9);
  GST_BUFFER_PTS (alpha) = 123;
  GST_BUFFER_FLAG_SET (alpha, GST_BUFFER_FLAG_DELTA_UNIT);
  gst_buffer_add_video_codec_alpha_meta (buffer, alpha);
}

static gboolean
is_codec_alpha (GstBuffer *buffer)
{
  GstVideoCodecAlphaMeta *meta =
      (GstVideoCodecAlphaMeta *) gst_buffer_get_meta (buffer,
          GST_VIDEO_CODEC_ALPHA_META_API_TYPE);
  return meta && gst_buffer_get_size (meta->buffer) == 50
      && gst_buffer_memcmp (meta->buffer, 49, "\11", 1) == 0
      && GST_BUFFER_PTS (meta->buffer) == 123
      && GST_BUFFER_FLAG_IS_SET (meta->buffer, GST_BUFFER_FLAG_DELTA_UNIT)
      && GST_MINI_OBJECT_REFCOUNT (meta->buffer) == 1;
}

static guint8 uuid[] = "0123456789abcdef";

static void
add_sei (GstBuffer *buffer)
{
  gst_buffer_add_video_sei_user_data_unregistered_meta (buffer, uuid,
      (guint8 *) "x264", 4);
}

static gboolean
is_sei (GstBuffer *buffer)
{
  GstVideoSEIUserDataUnregisteredMeta *meta =
      gst_buffer_get_video_sei_user_data_unregistered_meta (buffer);
  return meta && memcmp (meta->uuid, uuid, 16) == 0 && meta->size == 4
      && memcmp (meta->data, "x264", 4) == 0;
}

static void
add_rtp_source (GstBuffer *buffer)
{
  guint32 ssrc = 7, csrc[] = { 8, 9 };
  gst_buffer_add_rtp_source_meta (buffer, &ssrc, csrc, 2);
}

static gboolean
is_rtp_source (GstBuffer *buffer)
{
  GstRTPSourceMeta *meta = gst_buffer_get_rtp_source_meta (buffer);
  return meta && meta->ssrc_valid && meta->ssrc == 7 && meta->csrc_count == 2
      && meta->csrc[1] == 9;
}

static void
add_address (GstBuffer *buffer, const gchar *text)
{
  g_autoptr (GSocketAddress) address =
      g_inet_socket_address_new_from_string (text, 5004);
  gst_buffer_add_net_address_meta (buffer, address);
}

static gboolean
is_address (GstBuffer *buffer, const gchar *text)
{
  GstNetAddressMeta *meta = gst_buffer_get_net_address_meta (buffer);
  GInetSocketAddress *inet = meta ? G_INET_SOCKET_ADDRESS (meta->addr) : NULL;
  g_autofree gchar *ip = inet
      ? g_inet_address_to_string (g_inet_socket_address_get_address (inet))
      : NULL;
  return ip && g_str_equal (ip, text)
      && g_inet_socket_address_get_port (inet) == 5004;
}

static void
add_ipv4 (GstBuffer *buffer)
{
  add_address (buffer, "192.0.2.7");
}

static gboolean
is_ipv4 (GstBuffer *buffer)
{
  return is_address (buffer, "192.0.2.7");
}

static void
add_ipv6 (GstBuffer *buffer)
{
  add_address (buffer, "2001:db8::7");
}

static gboolean
is_ipv6 (GstBuffer *buffer)
{
  return is_address (buffer, "2001:db8::7");
}

static void
add_affine (GstBuffer *buffer)
{
  GstVideoAffineTransformationMeta *meta =
      gst_buffer_add_video_affine_transformation_meta (buffer);
  meta->matrix[5] = -1.0f;
}

static gboolean
is_affine (GstBuffer *buffer)
{
  GstVideoAffineTransformationMeta *meta =
      gst_buffer_get_video_affine_transformation_meta (buffer);
  return meta && meta->matrix[0] == 1.0f && meta->matrix[5] == -1.0f;
}

/* Two rectangles, the first with padded rows. */
static void
add_overlay (GstBuffer *buffer)
{
  g_autoptr (GstVideoOverlayComposition) overlay =
      gst_video_overlay_composition_new (NULL);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GstBuffer) pixels = plain (80 * 8, (guint8) (40 + i));
    g_autoptr (GstVideoOverlayRectangle) rectangle = NULL;
    gsize offset[4] = { 0 };
    gint stride[4] = { i ? 64 : 80 };
    if (i == 0)
      gst_buffer_memset (pixels, 64, 99, 16); /* the padding of the first row */
    gst_buffer_add_video_meta_full (pixels, GST_VIDEO_FRAME_FLAG_NONE,
        GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, 16, 8, 1, offset, stride);
    rectangle = gst_video_overlay_rectangle_new_raw (pixels, -3, 4 + (gint) i,
        32, 16, GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
    if (i)
      gst_video_overlay_rectangle_set_global_alpha (rectangle, 0.5);
    gst_video_overlay_composition_add_rectangle (overlay, rectangle);
  }
  gst_buffer_add_video_overlay_composition_meta (buffer, overlay);
}

static gboolean
are_pixels (GstVideoOverlayRectangle *rectangle, guint8 value)
{
  GstBuffer *pixels =
      gst_video_overlay_rectangle_get_pixels_unscaled_raw (rectangle,
          gst_video_overlay_rectangle_get_flags (rectangle));
  GstVideoInfo info;
  GstVideoFrame frame;
  gboolean equal = TRUE;
  gst_video_info_set_format (&info, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB,
      16, 8);
  fail_unless (gst_video_frame_map (&frame, &info, pixels, GST_MAP_READ));
  for (guint i = 0; i < 16 * 8 * 4; i++) {
    const guint8 *row = GST_VIDEO_FRAME_PLANE_DATA (&frame, 0);
    row += (gint) (i / 64) * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0);
    equal &= row[i % 64] == value;
  }
  gst_video_frame_unmap (&frame);
  return equal;
}

static gboolean
is_overlay (GstBuffer *buffer)
{
  GstVideoOverlayCompositionMeta *meta =
      gst_buffer_get_video_overlay_composition_meta (buffer);
  GstVideoOverlayRectangle *one, *two;
  gint x, y;
  guint width, height;
  if (!meta || gst_video_overlay_composition_n_rectangles (meta->overlay) != 2)
    return FALSE;
  one = gst_video_overlay_composition_get_rectangle (meta->overlay, 0);
  two = gst_video_overlay_composition_get_rectangle (meta->overlay, 1);
  return gst_video_overlay_rectangle_get_render_rectangle (two, &x, &y, &width,
             &height)
      && x == -3 && y == 5 && width == 32 && height == 16
      && gst_video_overlay_rectangle_get_flags (one)
      == GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA
      && gst_video_overlay_rectangle_get_global_alpha (two) == 0.5f
      && are_pixels (one, 40) && are_pixels (two, 41);
}

/* 16000 bytes of text, with brackets as in lyrics. */
static void
add_custom (GstBuffer *buffer)
{
  g_autofree gchar *text = g_strnfill (16000, '[');
  gst_structure_set (gst_custom_meta_get_structure (
                         gst_buffer_add_custom_meta (buffer, "test-kind")),
      "text", G_TYPE_STRING, text, NULL);
}

static gboolean
is_custom (GstBuffer *buffer)
{
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, "test-kind");
  const gchar *text = meta
      ? gst_structure_get_string (gst_custom_meta_get_structure (meta), "text")
      : NULL;
  return text && strlen (text) == 16000 && text[15999] == '[';
}

static void
add_crop (GstBuffer *buffer)
{
  GstVideoCropMeta *meta = gst_buffer_add_video_crop_meta (buffer);
  meta->x = 1;
  meta->width = 30;
  meta->height = 20;
}

static gboolean
is_crop (GstBuffer *buffer)
{
  GstVideoCropMeta *meta = gst_buffer_get_video_crop_meta (buffer);
  return meta && meta->x == 1 && meta->y == 0 && meta->width == 30
      && meta->height == 20;
}

/* Rows from the last to the first. */
static void
add_bottom_up (GstBuffer *buffer)
{
  gsize offset[4] = { 31 * 128 };
  gint stride[4] = { -128 };
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_BGRx, 32, 32, 1, offset, stride);
}

static gboolean
is_bottom_up (GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  return meta && meta->stride[0] == -128 && meta->offset[0] == 31 * 128;
}

/* A crop that precedes the layout which it is in. */
static void
add_crop_and_layout (GstBuffer *buffer)
{
  add_crop (buffer);
  add_bottom_up (buffer);
}

static gboolean
is_crop_and_layout (GstBuffer *buffer)
{
  gpointer state = NULL;
  GstMeta *first = gst_buffer_iterate_meta (buffer, &state);
  return first->info->api == GST_VIDEO_CROP_META_API_TYPE && is_crop (buffer)
      && is_bottom_up (buffer);
}

/* Tiles of 64 by 32 pixels. */
static void
add_tiles (GstBuffer *buffer)
{
  GstVideoInfo info;
  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_NV12_64Z32, 48, 30);
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_NV12_64Z32, 48, 30, 2, info.offset, info.stride);
}

static gboolean
is_tiles (GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  GstVideoInfo info;
  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_NV12_64Z32, 48, 30);
  return meta && meta->format == GST_VIDEO_FORMAT_NV12_64Z32
      && meta->stride[1] == info.stride[1] && meta->offset[1] == info.offset[1];
}

const MetaKind meta_kinds[N_META_KINDS] = {
  { "clipping", add_clipping, is_clipping, 8 },
  { "protection", add_protection, is_protection, 8 },
  { "caption", add_caption, is_caption, 8, TRUE },
  { "time code", add_time_code, is_time_code, 8 },
  { "AFD", add_afd, is_afd, 8 },
  { "bar", add_bar, is_bar, 8 },
  { "level", add_level, is_level, 8 },
  { "downmix", add_downmix, is_downmix, 8 },
  { "codec alpha", add_codec_alpha, is_codec_alpha, 8, TRUE },
  { "SEI", add_sei, is_sei, 8, TRUE },
  { "RTP source", add_rtp_source, is_rtp_source, 8 },
  { "IPv4 address", add_ipv4, is_ipv4, 8 },
  { "IPv6 address", add_ipv6, is_ipv6, 8 },
  { "affine", add_affine, is_affine, 8 },
  { "overlay", add_overlay, is_overlay, 8 },
  { "custom", add_custom, is_custom, 8 },
  { "crop", add_crop, is_crop, 8 },
  { "bottom-up", add_bottom_up, is_bottom_up, SIZE },
  { "crop and layout", add_crop_and_layout, is_crop_and_layout, SIZE, TRUE },
  { "tiles", add_tiles, is_tiles, 2 * SIZE },
};

const MetaKind *
meta_kind (const gchar *name)
{
  guint i = 0;
  while (i < N_META_KINDS && !g_str_equal (meta_kinds[i].name, name))
    i++;
  fail_unless (i < N_META_KINDS, "%s", name);
  return &meta_kinds[i];
}

void
add_kind (GstBuffer *buffer, const gchar *name)
{
  meta_kind (name)->add (buffer);
}

gboolean
is_kind (GstBuffer *buffer, const gchar *name)
{
  return meta_kind (name)->is (buffer);
}
