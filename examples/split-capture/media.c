/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media.h"

#include <gst/pbutils/pbutils.h>

#define INSPECT_TIMEOUT (30 * GST_SECOND)

static gchar *
codec_name (GstDiscovererStreamInfo *stream)
{
  g_autoptr (GstCaps) caps = gst_discoverer_stream_info_get_caps (stream);
  return gst_pb_utils_get_codec_description (caps);
}

static void
describe_video (GString *text, GstDiscovererVideoInfo *video)
{
  g_autofree gchar *codec = codec_name (GST_DISCOVERER_STREAM_INFO (video));

  g_string_append_printf (text, ", %s %ux%u", codec,
      gst_discoverer_video_info_get_width (video),
      gst_discoverer_video_info_get_height (video));
  if (!gst_discoverer_video_info_is_image (video)
      && gst_discoverer_video_info_get_framerate_num (video) > 0)
    g_string_append_printf (text, " at %.4g/s",
        (double) gst_discoverer_video_info_get_framerate_num (video)
            / gst_discoverer_video_info_get_framerate_denom (video));
}

static void
describe_audio (GString *text, GstDiscovererAudioInfo *audio)
{
  g_autofree gchar *codec = codec_name (GST_DISCOVERER_STREAM_INFO (audio));

  g_string_append_printf (text, ", %s %u Hz, %u channels", codec,
      gst_discoverer_audio_info_get_sample_rate (audio),
      gst_discoverer_audio_info_get_channels (audio));
}

static void
describe (GstDiscovererInfo *found, MediaInfo *info)
{
  GList *videos = gst_discoverer_info_get_video_streams (found);
  GList *audios = gst_discoverer_info_get_audio_streams (found);
  GstClockTime duration = gst_discoverer_info_get_duration (found);
  GString *text = g_string_new (NULL);

  if (GST_CLOCK_TIME_IS_VALID (duration) && duration > 0)
    g_string_append_printf (text, "%.2f s", (double) duration / GST_SECOND);
  else
    g_string_append (text, "a picture");
  info->has_video = videos != NULL;
  info->has_audio = audios != NULL;
  if (videos)
    describe_video (text, videos->data);
  if (audios)
    describe_audio (text, audios->data);
  info->text = g_string_free (text, FALSE);
  gst_discoverer_stream_info_list_free (videos);
  gst_discoverer_stream_info_list_free (audios);
}

gboolean
media_inspect (const char *path, MediaInfo *info, GError **error)
{
  g_autoptr (GstDiscoverer) discoverer =
      gst_discoverer_new (INSPECT_TIMEOUT, error);
  g_autoptr (GstDiscovererInfo) found = NULL;
  g_autofree gchar *uri = NULL;

  *info = (MediaInfo){ 0 };
  if (!discoverer)
    return FALSE;
  uri = gst_uri_is_valid (path) ? g_strdup (path)
                                : gst_filename_to_uri (path, error);
  if (!uri)
    return FALSE;
  found = gst_discoverer_discover_uri (discoverer, uri, error);
  if (!found || (error && *error))
    return FALSE;
  describe (found, info);
  if (!info->has_video && !info->has_audio) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "neither video nor audio in it");
    media_info_clear (info);
    return FALSE;
  }
  return TRUE;
}

void
media_info_clear (MediaInfo *info)
{
  g_clear_pointer (&info->text, g_free);
}
