/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sums over pictures and samples, equal for each layout of the same content. */
#include "witness.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

/* GstVideoFormatUnpack knows each format: packed, tiled, 10 bit. */
static void
sum_picture (GChecksum *sum, GstVideoFrame *frame)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  gint width = GST_VIDEO_FRAME_WIDTH (frame);
  gsize size = (gsize) width * 8; /* of AYUV64 and ARGB64, the widest */
  g_autofree guint8 *line = g_malloc0 (size);
  /* A field of its own has half of the lines. */
  gint height = GST_VIDEO_INFO_FIELD_HEIGHT (&frame->info);
  for (gint y = 0; y < height; y++) {
    format->unpack_func (format, GST_VIDEO_PACK_FLAG_NONE, line, frame->data,
        frame->info.stride, 0, y, width);
    g_checksum_update (sum, line, (gssize) size);
  }
}

static void
sum_samples (GChecksum *sum, GstAudioBuffer *audio)
{
  for (gint i = 0; i < GST_AUDIO_BUFFER_N_PLANES (audio); i++)
    g_checksum_update (sum, audio->planes[i],
        (gssize) GST_AUDIO_BUFFER_PLANE_SIZE (audio));
}

static gboolean
sum_video (GChecksum *sum, GstBuffer *buffer, GstCaps *caps)
{
  GstVideoInfo info;
  GstVideoFrame frame;
  if (!gst_video_info_from_caps (&info, caps) || !info.finfo->unpack_func
      || GST_VIDEO_INFO_FORMAT (&info) == GST_VIDEO_FORMAT_ENCODED
      || !gst_video_frame_map (&frame, &info, buffer, GST_MAP_READ))
    return FALSE;
  sum_picture (sum, &frame);
  gst_video_frame_unmap (&frame);
  return TRUE;
}

static gboolean
sum_audio (GChecksum *sum, GstBuffer *buffer, GstCaps *caps)
{
  GstAudioInfo info;
  GstAudioBuffer samples;
  if (!gst_audio_info_from_caps (&info, caps)
      || GST_AUDIO_INFO_FORMAT (&info) == GST_AUDIO_FORMAT_ENCODED
      || !gst_audio_buffer_map (&samples, &info, buffer, GST_MAP_READ))
    return FALSE;
  sum_samples (sum, &samples);
  gst_audio_buffer_unmap (&samples);
  return TRUE;
}

gchar *
witness_sum_bytes (GstBuffer *buffer)
{
  GstMapInfo map;
  gchar *sum;
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return g_strdup ("unreadable");
  sum = g_compute_checksum_for_data (G_CHECKSUM_MD5, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  return sum;
}

gchar *
witness_sum (GstBuffer *buffer, GstCaps *caps)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_MD5);
  gboolean is_raw = gst_buffer_get_size (buffer) && caps
      && (sum_video (sum, buffer, caps) || sum_audio (sum, buffer, caps));
  return is_raw ? g_strdup (g_checksum_get_string (sum))
                : witness_sum_bytes (buffer);
}
