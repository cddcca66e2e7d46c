/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Process B: reads both blocks reliably and encodes them to an MP4. */
#include "worker.h"

#include <string.h>

static gchar *output;

static const GOptionEntry options[] = {
  { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
      "The file to write (default: recording.mp4)", "FILE" },
  { NULL },
};

typedef struct
{
  const char *element; /* its factory */
  const char *chain; /* with its caps and parser */
} Encoder;

/* The first that this machine has is taken. */
static const Encoder video_encoders[] = {
  { "x264enc",
      "video/x-raw,format={I420,NV12} ! x264enc speed-preset=veryfast "
      "pass=qual quantizer=21 key-int-max=60 rc-lookahead=10 ! "
      "video/x-h264,profile=high ! h264parse" },
  { "openh264enc",
      "video/x-raw,format=I420 ! openh264enc bitrate=4000000 gop-size=60 "
      "complexity=low ! h264parse" },
  { "avenc_mpeg4",
      "video/x-raw,format=I420 ! avenc_mpeg4 bitrate=4000000 ! "
      "mpeg4videoparse" },
};

/* avenc_aac takes 5.1 and what its decoder gives, unconverted. */
static const Encoder audio_encoders[] = {
  { "avenc_aac", "avenc_aac bitrate=160000 ! aacparse" },
  { "fdkaacenc", "audio/x-raw,channels=2 ! fdkaacenc ! aacparse" },
  { "voaacenc", "audio/x-raw,channels=2 ! voaacenc bitrate=128000 ! aacparse" },
};

static const char *
choose (const Encoder *encoders, gsize n_encoders)
{
  for (gsize i = 0; i < n_encoders; i++) {
    g_autoptr (GstElementFactory) factory =
        gst_element_factory_find (encoders[i].element);
    if (factory)
      return encoders[i].chain;
  }
  return NULL;
}

/* EOS from the sources on: it drains the encoders and completes the file. */
static gboolean
on_stop (Worker *worker, gpointer user_data)
{
  GstElement *pipeline = worker_get_pipeline (worker);

  if (worker_get_buffers (worker, "video") == 0
      && worker_get_buffers (worker, "audio") == 0) {
    worker_say (worker, "stopped before any buffer had arrived");
    return FALSE;
  }
  return gst_element_send_event (pipeline, gst_event_new_eos ());
}

/* The index is written in fragments first and put in order at the end, so that
 * even an encoder that is killed leaves a file that plays. */
static void
add_muxer (GString *text)
{
  g_string_append (text,
      "mp4mux name=mux fragment-duration=1000 "
      "fragment-mode=first-moov-then-finalise ! "
      "filesink name=file buffer-mode=unbuffered async=false ");
}

static gboolean
add_stream (Worker *worker, GString *text, const char *stream,
    const char *chain)
{
  g_autofree gchar *block = worker_block_name (worker, stream);
  const char *convert = g_str_equal (stream, "video")
      ? "videoconvert"
      : "audioconvert ! audioresample";

  if (!chain) {
    worker_say (worker,
        "error: no %s encoder for MP4; `.ci/install-packages run` installs one",
        stream);
    return FALSE;
  }
  /* Both keep the producer's time, so that they stay together; the second
   * queue lets one stream run ahead while the other's encoder looks ahead. */
  g_string_append_printf (text,
      "datahubsrc name=%s datablock=%s delivery=reliable start-at=oldest "
      "timestamps=passthrough on-disconnect=eos consumer-name=encode ! "
      "queue max-size-buffers=4 max-size-time=0 max-size-bytes=0 ! "
      "%s ! %s ! queue max-size-buffers=0 max-size-bytes=0 "
      "max-size-time=10000000000 ! mux. ",
      block, block, convert, chain);
  return TRUE;
}

static GstElement *
build (Worker *worker)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline;

  add_muxer (text);
  if (worker_has_video (worker)
      && !add_stream (worker, text, "video",
          choose (video_encoders, G_N_ELEMENTS (video_encoders))))
    return NULL;
  if (worker_has_audio (worker)
      && !add_stream (worker, text, "audio",
          choose (audio_encoders, G_N_ELEMENTS (audio_encoders))))
    return NULL;

  pipeline = gst_parse_launch (text->str, &error);
  if (error) {
    worker_refuse (worker, error);
    gst_clear_object (&pipeline);
    return NULL;
  }
  g_autoptr (GstElement) file =
      gst_bin_get_by_name (GST_BIN (pipeline), "file");
  g_object_set (file, "location", output, NULL);
  if (worker_has_video (worker))
    worker_watch_block (worker, pipeline, "video");
  if (worker_has_audio (worker))
    worker_watch_block (worker, pipeline, "audio");
  return pipeline;
}

int
main (int argc, char **argv)
{
  Worker *worker;
  GstElement *pipeline;
  int status;

  worker = worker_new ("encode",
      "Reads the blocks of a capture without losing a buffer and encodes them "
      "to an MP4.",
      options, &argc, &argv);
  if (!output)
    output = g_strdup ("recording.mp4");
  pipeline = build (worker);
  if (!pipeline)
    return 1;
  worker_set_pipeline (worker, pipeline);
  gst_object_unref (pipeline);
  worker_set_stop (worker, on_stop, NULL);
  status = worker_run (worker);
  worker_free (worker);
  g_free (output);
  return status;
}
