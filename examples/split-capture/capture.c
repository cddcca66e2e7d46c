/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Process A: decodes a media file, or makes a live picture and a tone, into one
 * block for the video and one for the audio. */
#include "picture.h"
#include "worker.h"

#include <string.h>

#define TONE_RATE 48000
#define TONE_SAMPLES 480 /* 10 ms, as a sound card would deliver it */

typedef struct
{
  Worker *worker;
  GstElement *sinks[2];
  guint n_sinks;
  gint stopping; /* atomic */
} Capture;

static gchar **inputs;
static gdouble live_seconds = 10;
static gboolean fast;
static gint wait_for = 1;

static const GOptionEntry options[] = {
  { "duration", 'd', 0, G_OPTION_ARG_DOUBLE, &live_seconds,
      "Length of the live test picture, 0: until it is stopped (default: 10)",
      "SECONDS" },
  { "fast", 'f', 0, G_OPTION_ARG_NONE, &fast,
      "Decode a file as fast as the readers take it, not at its own pace",
      NULL },
  { "wait-for", 'w', 0, G_OPTION_ARG_INT, &wait_for,
      "Hold the first buffer until so many read each block (default: 1)", "N" },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &inputs, NULL,
      "[MEDIA-FILE]" },
  { NULL },
};

/* The stop of a file or of a device can take its time to travel through
 * demuxer, queues and decoders; here it takes effect at the blocks' doors. */
static GstPadProbeReturn
on_first_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Capture *capture = user_data;

  if (!g_atomic_int_get (&capture->stopping))
    return GST_PAD_PROBE_OK;
  gst_pad_push_event (pad, gst_event_new_eos ());
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = GST_FLOW_EOS;
  gst_buffer_unref (GST_PAD_PROBE_INFO_BUFFER (info));
  return GST_PAD_PROBE_HANDLED;
}

/* While a block waits for its readers, its first buffer waits at the sink pad. */
static gboolean
is_waiting (Capture *capture)
{
  for (guint i = 0; i < capture->n_sinks; i++) {
    guint n_consumers = 0;
    g_object_get (capture->sinks[i], "num-consumers", &n_consumers, NULL);
    if (n_consumers < (guint) wait_for)
      return worker_get_buffers (capture->worker, "video") <= 1
          && worker_get_buffers (capture->worker, "audio") <= 1;
  }
  return FALSE;
}

static gboolean
on_stop (Worker *worker, gpointer user_data)
{
  Capture *capture = user_data;

  if (is_waiting (capture)) {
    worker_say (worker, "stopped before each block had %d readers", wait_for);
    return FALSE;
  }
  g_atomic_int_set (&capture->stopping, TRUE);
  return capture->n_sinks > 0;
}

static GstElement *
make_sink (Capture *capture, const char *stream)
{
  g_autofree gchar *block = worker_block_name (capture->worker, stream);
  GstElement *sink = gst_element_factory_make ("datahubsink", block);

  g_object_set (sink, "datablock", block, "wait-for-consumers", wait_for,
      "sync", !fast, NULL);
  return sink;
}

static void
probe_sink (Capture *capture, GstElement *sink, const char *stream)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  g_autoptr (GstPad) peer = gst_pad_get_peer (pad);

  worker_watch (capture->worker, stream, sink);
  gst_pad_add_probe (peer, GST_PAD_PROBE_TYPE_BUFFER, on_first_buffer, capture,
      NULL);
  capture->sinks[capture->n_sinks++] = sink;
}

static gboolean
has_sink (Capture *capture, const char *stream)
{
  g_autofree gchar *block = worker_block_name (capture->worker, stream);
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (worker_get_pipeline (capture->worker)),
          block);
  return sink != NULL;
}

/* In a streaming thread of the decoder. */
static void
on_decoded_pad (GstElement *decoder, GstPad *pad, gpointer user_data)
{
  Capture *capture = user_data;
  GstElement *pipeline = worker_get_pipeline (capture->worker);
  g_autoptr (GstCaps) caps = gst_pad_query_caps (pad, NULL);
  const char *type = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  const char *stream = NULL;
  GstElement *sink;

  if (g_str_has_prefix (type, "video/") && worker_has_video (capture->worker))
    stream = "video";
  if (g_str_has_prefix (type, "audio/") && worker_has_audio (capture->worker))
    stream = "audio";
  if (!stream || has_sink (capture, stream))
    return;

  sink = make_sink (capture, stream);
  gst_bin_add (GST_BIN (pipeline), sink);
  g_autoptr (GstPad) sink_pad = gst_element_get_static_pad (sink, "sink");
  if (GST_PAD_LINK_FAILED (gst_pad_link (pad, sink_pad)))
    worker_fail (capture->worker, "cannot link the %s of the file", stream);
  probe_sink (capture, sink, stream);
  /* Not to the pipeline's own target, which is PLAYING: the sink has no clock
   * before the whole pipeline goes there. */
  gst_element_set_state (sink, GST_STATE_PAUSED);
}

static void
on_all_pads (GstElement *decoder, gpointer user_data)
{
  Capture *capture = user_data;

  if (worker_has_video (capture->worker) && !has_sink (capture, "video"))
    worker_say (capture->worker, "the file has no video");
  if (worker_has_audio (capture->worker) && !has_sink (capture, "audio"))
    worker_say (capture->worker, "the file has no audio");
  if (capture->n_sinks == 0)
    worker_fail (capture->worker, "the file has nothing to capture");
}

static GstElement *
build_file (Capture *capture, const char *input)
{
  GstElement *pipeline = gst_pipeline_new ("capture");
  GstElement *decoder = gst_element_factory_make ("uridecodebin", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *uri = gst_uri_is_valid (input)
      ? g_strdup (input)
      : gst_filename_to_uri (input, &error);

  if (!uri || !decoder) {
    g_printerr ("capture: %s\n", error ? error->message : "no uridecodebin");
    gst_clear_object (&decoder);
    gst_object_unref (pipeline);
    return NULL;
  }
  g_object_set (decoder, "uri", uri, NULL);
  g_signal_connect (decoder, "pad-added", G_CALLBACK (on_decoded_pad), capture);
  g_signal_connect (decoder, "no-more-pads", G_CALLBACK (on_all_pads), capture);
  gst_bin_add (GST_BIN (pipeline), decoder);
  return pipeline;
}

static gchar *
describe_live (Capture *capture)
{
  GString *text = g_string_new (NULL);
  gboolean endless = live_seconds <= 0;

  if (worker_has_video (capture->worker)) {
    g_autofree gchar *picture = picture_describe ("picture", TRUE,
        endless ? G_MAXINT : (guint) (live_seconds * PICTURE_RATE + 0.5));
    g_string_append_printf (text, "%s name=video-end  ", picture);
  }
  if (worker_has_audio (capture->worker))
    g_string_append_printf (text,
        "audiotestsrc is-live=true wave=sine freq=440 volume=0.1 "
        "samplesperbuffer=%u num-buffers=%u ! audio/x-raw,format=S16LE,"
        "rate=%u,channels=2,layout=interleaved ! identity name=audio-end",
        TONE_SAMPLES,
        endless ? G_MAXINT
                : (guint) (live_seconds * TONE_RATE / TONE_SAMPLES + 0.5),
        TONE_RATE);
  return g_string_free (text, FALSE);
}

static gboolean
end_in_block (Capture *capture, GstElement *pipeline, const char *stream)
{
  g_autofree gchar *name = g_strconcat (stream, "-end", NULL);
  g_autoptr (GstElement) end = gst_bin_get_by_name (GST_BIN (pipeline), name);
  GstElement *sink = make_sink (capture, stream);

  gst_bin_add (GST_BIN (pipeline), sink);
  if (!gst_element_link (end, sink))
    return FALSE;
  probe_sink (capture, sink, stream);
  return TRUE;
}

static GstElement *
build_live (Capture *capture)
{
  g_autofree gchar *text = describe_live (capture);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (text, &error);

  if (error) {
    worker_refuse (capture->worker, error);
    gst_clear_object (&pipeline);
    return NULL;
  }
  g_autoptr (GstElement) picture =
      gst_bin_get_by_name (GST_BIN (pipeline), "picture");
  if (picture)
    picture_attach (picture);
  if ((worker_has_video (capture->worker)
          && !end_in_block (capture, pipeline, "video"))
      || (worker_has_audio (capture->worker)
          && !end_in_block (capture, pipeline, "audio"))) {
    gst_object_unref (pipeline);
    return NULL;
  }
  return pipeline;
}

int
main (int argc, char **argv)
{
  Capture capture = { 0 };
  GstElement *pipeline;
  int status;

  capture.worker = worker_new ("capture",
      "Decodes a media file, or makes a live test picture and a tone, into two "
      "blocks of shared memory.",
      options, &argc, &argv);
  if (inputs && inputs[0]) {
    pipeline = build_file (&capture, inputs[0]);
  } else {
    fast = FALSE;
    pipeline = build_live (&capture);
  }
  if (!pipeline)
    return 1;
  worker_set_pipeline (capture.worker, pipeline);
  gst_object_unref (pipeline);
  worker_set_stop (capture.worker, on_stop, &capture);
  status = worker_run (capture.worker);
  worker_free (capture.worker);
  g_strfreev (inputs);
  return status;
}
