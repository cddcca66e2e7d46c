/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at what the examples wrote with eyes of its own:
 *   media-check count FILE              prints "VIDEO-FRAMES AUDIO-SAMPLES"
 *   media-check psnr PNG TIME [CLIP]    compares a PNG with the frame of CLIP,
 *                                       or of the test picture, at TIME */
#include "picture.h"

#include <gst/app/gstappsink.h>
#include <gst/audio/audio.h>
#include <gst/video/video.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RGB "video/x-raw,format=RGB,pixel-aspect-ratio=1/1"
/* The conversion that the preview makes; any difference left is damage. */
#define TO_RGB "videoconvert ! videoscale ! " RGB " ! appsink name=out"
#define PSNR_MIN 40.0
#define WAIT (60 * GST_SECOND)

typedef struct
{
  guint64 frames, samples; /* atomic by the lock */
  GMutex lock;
} Counts;

static void G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN die (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fputc ('\n', stderr);
  exit (1);
}

static void
on_element (GstBin *bin, GstBin *inner, GstElement *element, gpointer user_data)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  if (factory && g_str_has_prefix (GST_OBJECT_NAME (factory), "avdec_")
      && g_object_class_find_property (G_OBJECT_GET_CLASS (element),
          "max-threads"))
    g_object_set (element, "max-threads", 1, NULL);
}

/* The libav decoders of GStreamer 1.26 abort now and then in several threads, if
 * the coded width differs from the width in the caps ("video meta uses 864x480
 * instead of 854x480"). This program has no element of datahub. */
static GstElement *
decode_in_one_thread (GstElement *pipeline)
{
  g_signal_connect (pipeline, "deep-element-added", G_CALLBACK (on_element),
      NULL);
  return pipeline;
}

static GstElement *parse (const char *format, ...) G_GNUC_PRINTF (1, 2);

static GstElement *
parse (const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *text = NULL;
  GstElement *pipeline;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  pipeline = gst_parse_launch (text, &error);
  if (error)
    die ("%s: %s", text, error->message);
  return decode_in_one_thread (pipeline);
}

static void
run_to_end (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, WAIT,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (!message)
    die ("no end after 60 s");
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    die ("%s", error->message);
  }
}

static GstPadProbeReturn
on_decoded (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Counts *counts = user_data;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  GstAudioInfo audio;

  g_mutex_lock (&counts->lock);
  if (gst_structure_has_name (gst_caps_get_structure (caps, 0), "video/x-raw"))
    counts->frames++;
  else if (gst_audio_info_from_caps (&audio, caps))
    counts->samples += gst_buffer_get_size (GST_PAD_PROBE_INFO_BUFFER (info))
        / GST_AUDIO_INFO_BPF (&audio);
  g_mutex_unlock (&counts->lock);
  return GST_PAD_PROBE_OK;
}

static void
on_pad (GstElement *decoder, GstPad *pad, gpointer user_data)
{
  g_autoptr (GstObject) pipeline = gst_object_get_parent (GST_OBJECT (decoder));
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  g_autoptr (GstPad) sink_pad = gst_element_get_static_pad (sink, "sink");

  gst_bin_add (GST_BIN (pipeline), sink);
  gst_pad_link (pad, sink_pad);
  gst_pad_add_probe (sink_pad, GST_PAD_PROBE_TYPE_BUFFER, on_decoded, user_data,
      NULL);
  gst_element_sync_state_with_parent (sink);
}

static void
count (const char *path)
{
  Counts counts = { 0 };
  GstElement *pipeline = decode_in_one_thread (gst_pipeline_new (NULL));
  GstElement *decoder = gst_element_factory_make ("uridecodebin", NULL);
  g_autofree gchar *uri = gst_filename_to_uri (path, NULL);

  g_mutex_init (&counts.lock);
  g_object_set (decoder, "uri", uri, NULL);
  g_signal_connect (decoder, "pad-added", G_CALLBACK (on_pad), &counts);
  gst_bin_add (GST_BIN (pipeline), decoder);
  run_to_end (pipeline);
  gst_object_unref (pipeline);
  g_mutex_clear (&counts.lock);
  printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", counts.frames,
      counts.samples);
}

/* The frame at @pts, or the first if @pts is none. */
static GstSample *
take_frame (GstElement *pipeline, GstClockTime pts)
{
  g_autoptr (GstElement) out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  GstSample *sample;

  g_object_set (out, "sync", FALSE, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((sample = gst_app_sink_try_pull_sample (GST_APP_SINK (out), WAIT))) {
    if (!GST_CLOCK_TIME_IS_VALID (pts)
        || GST_BUFFER_PTS (gst_sample_get_buffer (sample)) == pts)
      break;
    gst_sample_unref (sample);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return sample;
}

static GstSample *
reference_frame (const char *clip, GstClockTime pts)
{
  GstElement *pipeline;
  GstSample *sample;

  if (clip) {
    g_autofree gchar *uri = gst_filename_to_uri (clip, NULL);
    pipeline = parse ("uridecodebin uri=%s ! " TO_RGB, uri);
  } else {
    /* A live source starts at some odd time; the picture depends on it alone. */
    g_autofree gchar *text = picture_describe ("picture", FALSE, 1);
    pipeline = parse ("%s ! " TO_RGB, text);
    g_autoptr (GstElement) picture =
        gst_bin_get_by_name (GST_BIN (pipeline), "picture");
    g_object_set (picture, "timestamp-offset", (gint64) pts, NULL);
    picture_attach (picture);
  }
  sample = take_frame (pipeline, pts);
  gst_object_unref (pipeline);
  return sample;
}

static double
psnr (GstSample *a, GstSample *b)
{
  GstVideoInfo a_info, b_info;
  GstVideoFrame a_frame, b_frame;
  double squares = 0, n;

  if (!gst_video_info_from_caps (&a_info, gst_sample_get_caps (a))
      || !gst_video_info_from_caps (&b_info, gst_sample_get_caps (b)))
    die ("not video");
  if (GST_VIDEO_INFO_WIDTH (&a_info) != GST_VIDEO_INFO_WIDTH (&b_info)
      || GST_VIDEO_INFO_HEIGHT (&a_info) != GST_VIDEO_INFO_HEIGHT (&b_info))
    die ("the picture is %dx%d, the frame %dx%d",
        GST_VIDEO_INFO_WIDTH (&a_info), GST_VIDEO_INFO_HEIGHT (&a_info),
        GST_VIDEO_INFO_WIDTH (&b_info), GST_VIDEO_INFO_HEIGHT (&b_info));
  if (!gst_video_frame_map (&a_frame, &a_info, gst_sample_get_buffer (a),
          GST_MAP_READ)
      || !gst_video_frame_map (&b_frame, &b_info, gst_sample_get_buffer (b),
          GST_MAP_READ))
    die ("cannot map");
  n = 3.0 * GST_VIDEO_INFO_WIDTH (&a_info) * GST_VIDEO_INFO_HEIGHT (&a_info);
  for (gint y = 0; y < GST_VIDEO_INFO_HEIGHT (&a_info); y++) {
    const guint8 *p = (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&a_frame, 0)
        + (gsize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&a_frame, 0);
    const guint8 *q = (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&b_frame, 0)
        + (gsize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&b_frame, 0);
    for (gint x = 0; x < 3 * GST_VIDEO_INFO_WIDTH (&a_info); x++)
      squares += (p[x] - q[x]) * (p[x] - q[x]);
  }
  gst_video_frame_unmap (&a_frame);
  gst_video_frame_unmap (&b_frame);
  return squares > 0 ? 10 * log10 (255.0 * 255.0 * n / squares) : INFINITY;
}

/* "0:00:01.233333333", as GST_TIME_FORMAT writes it. */
static GstClockTime
parse_time (const char *text)
{
  guint h, m, s, ns;
  if (sscanf (text, "%u:%u:%u.%9u", &h, &m, &s, &ns) != 4)
    die ("not a time: %s", text);
  return (h * 3600 + m * 60 + s) * GST_SECOND + ns;
}

static void
compare (const char *png, const char *time, const char *clip)
{
  GstElement *pipeline = parse ("filesrc location=%s ! pngdec ! " TO_RGB, png);
  GstSample *picture = take_frame (pipeline, GST_CLOCK_TIME_NONE);
  GstSample *frame = reference_frame (clip, parse_time (time));
  double db;

  gst_object_unref (pipeline);
  if (!picture)
    die ("%s is no PNG", png);
  if (!frame)
    die ("the producer has no frame at %s", time);
  db = psnr (picture, frame);
  printf ("PSNR %.1f dB\n", db);
  if (db < PSNR_MIN)
    die ("the picture is not the producer's frame");
  gst_sample_unref (picture);
  gst_sample_unref (frame);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  if (argc == 3 && g_str_equal (argv[1], "count"))
    count (argv[2]);
  else if (argc >= 4 && g_str_equal (argv[1], "psnr"))
    compare (argv[2], argv[3], argv[4]);
  else
    die ("usage: media-check count FILE | psnr PNG TIME [CLIP]");
  return 0;
}
