/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Process C: reads both blocks live, without slowing the capture, and keeps the
 * frame with the most detail as a PNG. */
#include "score.h"
#include "sheet.h"
#include "worker.h"

#include <gst/app/gstappsink.h>
#include <gst/video/video.h>

#include <math.h>

#define CONVERT_TIMEOUT (10 * GST_SECOND)
/* How often a better frame is written out while the preview runs. */
#define REFRESH_SECONDS 2

typedef struct
{
  Worker *worker;
  GMutex lock; /* guards the fields below; a leaf */
  GstSample *best;
  double best_score;
  gboolean is_written;
  Sheet *sheet;
  float loudest;
} Preview;

static gchar *output, *sheet_output;

static const GOptionEntry options[] = {
  { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
      "The picture to write (default: preview.png)", "FILE" },
  { "sheet", 0, 0, G_OPTION_ARG_FILENAME, &sheet_output,
      "Also write a contact sheet", "FILE" },
  { NULL },
};

static gboolean
save (Worker *worker, GstSample *sample, const char *path)
{
  g_autoptr (GstCaps) png = gst_caps_new_empty_simple ("image/png");
  g_autoptr (GError) error = NULL;
  GstSample *image =
      gst_video_convert_sample (sample, png, CONVERT_TIMEOUT, &error);
  GstMapInfo map;
  gboolean ok = FALSE;

  if (image
      && gst_buffer_map (gst_sample_get_buffer (image), &map, GST_MAP_READ)) {
    ok = g_file_set_contents (path, (const gchar *) map.data, map.size, &error);
    gst_buffer_unmap (gst_sample_get_buffer (image), &map);
  }
  if (!ok)
    worker_fail (worker, "cannot write %s: %s", path,
        error ? error->message : "no data");
  if (image)
    gst_sample_unref (image);
  return ok;
}

/* In the appsink's streaming thread. */
static GstFlowReturn
on_frame (GstAppSink *sink, gpointer user_data)
{
  Preview *preview = user_data;
  GstSample *sample = gst_app_sink_pull_sample (sink);
  GstVideoInfo info;
  GstVideoFrame frame;
  double score;

  if (!sample)
    return GST_FLOW_EOS;
  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      || !gst_video_frame_map (&frame, &info, gst_sample_get_buffer (sample),
          GST_MAP_READ)) {
    gst_sample_unref (sample);
    return GST_FLOW_ERROR;
  }
  score = frame_score (&frame);
  g_mutex_lock (&preview->lock);
  sheet_offer (preview->sheet, &frame,
      GST_BUFFER_PTS (gst_sample_get_buffer (sample)));
  gst_video_frame_unmap (&frame);
  if (!preview->best || score > preview->best_score) {
    g_clear_pointer (&preview->best, gst_sample_unref);
    preview->best = gst_sample_ref (sample);
    preview->best_score = score;
    preview->is_written = FALSE;
  }
  g_mutex_unlock (&preview->lock);
  gst_sample_unref (sample);
  return GST_FLOW_OK;
}

/* In the audio's streaming thread. */
static GstPadProbeReturn
on_sound (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Preview *preview = user_data;
  GstMapInfo map;
  float peak = 0;

  if (!gst_buffer_map (GST_PAD_PROBE_INFO_BUFFER (info), &map, GST_MAP_READ))
    return GST_PAD_PROBE_OK;
  for (gsize i = 0; i < map.size / sizeof (float); i++)
    peak = MAX (peak, fabsf (((const float *) map.data)[i]));
  gst_buffer_unmap (GST_PAD_PROBE_INFO_BUFFER (info), &map);
  g_mutex_lock (&preview->lock);
  preview->loudest = MAX (preview->loudest, peak);
  g_mutex_unlock (&preview->lock);
  return GST_PAD_PROBE_OK;
}

/* Writes the best frame so far, unless it is there already. */
static GstClockTime
write_best (Preview *preview)
{
  GstSample *best = NULL;
  GstClockTime pts = GST_CLOCK_TIME_NONE;
  gboolean is_written;

  g_mutex_lock (&preview->lock);
  if (preview->best)
    best = gst_sample_ref (preview->best);
  is_written = preview->is_written;
  preview->is_written = TRUE;
  g_mutex_unlock (&preview->lock);
  if (!best)
    return pts;
  if (is_written || save (preview->worker, best, output))
    pts = GST_BUFFER_PTS (gst_sample_get_buffer (best));
  gst_sample_unref (best);
  return pts;
}

static gboolean
on_refresh (gpointer user_data)
{
  write_best (user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_stop (Worker *worker, gpointer user_data)
{
  return gst_element_send_event (worker_get_pipeline (worker),
      gst_event_new_eos ());
}

static void
describe (Worker *worker, GString *text)
{
  /* The producer's own times, so that a picture is identified by its PTS. Sinks
   * with async=false: one stream does not wait for the other. */
  const char *source = "datahubsrc name=%s datablock=%s delivery=live "
                       "timestamps=passthrough on-disconnect=eos "
                       "consumer-name=preview ! ";
  if (worker_has_video (worker)) {
    g_autofree gchar *block = worker_block_name (worker, "video");
    g_string_append_printf (text, source, block, block);
    g_string_append (text,
        "videoconvert ! videoflip video-direction=auto ! videoscale ! "
        "video/x-raw,format=RGB,pixel-aspect-ratio=1/1 ! "
        "appsink name=frames sync=false async=false  ");
  }
  if (worker_has_audio (worker)) {
    g_autofree gchar *block = worker_block_name (worker, "audio");
    g_string_append_printf (text, source, block, block);
    g_string_append (text,
        "audioconvert ! audio/x-raw,format=F32LE,layout=interleaved ! "
        "fakesink name=sound sync=false async=false");
  }
}

static GstElement *
build (Preview *preview)
{
  GstAppSinkCallbacks callbacks = { .new_sample = on_frame };
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline;

  describe (preview->worker, text);
  pipeline = gst_parse_launch (text->str, &error);
  if (error) {
    worker_refuse (preview->worker, error);
    gst_clear_object (&pipeline);
    return NULL;
  }
  if (worker_has_video (preview->worker)) {
    g_autoptr (GstElement) frames =
        gst_bin_get_by_name (GST_BIN (pipeline), "frames");
    gst_app_sink_set_callbacks (GST_APP_SINK (frames), &callbacks, preview,
        NULL);
    worker_watch_block (preview->worker, pipeline, "video");
  }
  if (worker_has_audio (preview->worker)) {
    g_autoptr (GstElement) sound =
        gst_bin_get_by_name (GST_BIN (pipeline), "sound");
    g_autoptr (GstPad) pad = gst_element_get_static_pad (sound, "sink");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_sound, preview, NULL);
    worker_watch_block (preview->worker, pipeline, "audio");
  }
  return pipeline;
}

/* The pipeline has stopped. Returns FALSE if something could not be written. */
static gboolean
finish (Preview *preview)
{
  GstClockTime pts = write_best (preview);
  gboolean ok = !preview->best || GST_CLOCK_TIME_IS_VALID (pts);

  if (GST_CLOCK_TIME_IS_VALID (pts)) {
    worker_say (preview->worker,
        "the picture is the frame at %" GST_TIME_FORMAT, GST_TIME_ARGS (pts));
  }
  if (preview->loudest > 0)
    worker_say (preview->worker, "the loudest sound was at %.1f dB",
        20 * log10f (preview->loudest));
  if (sheet_output) {
    GstSample *sheet = sheet_draw (preview->sheet);
    if (sheet)
      ok &= save (preview->worker, sheet, sheet_output);
    g_clear_pointer (&sheet, gst_sample_unref);
  }
  return ok;
}

int
main (int argc, char **argv)
{
  Preview preview = { .sheet = sheet_new () };
  GstElement *pipeline;
  int status;

  g_mutex_init (&preview.lock);
  preview.worker = worker_new ("preview",
      "Looks at the blocks of a capture as they pass and keeps the best frame "
      "as a PNG.",
      options, &argc, &argv);
  if (!output)
    output = g_strdup ("preview.png");
  pipeline = build (&preview);
  if (!pipeline)
    return 1;
  worker_set_pipeline (preview.worker, pipeline);
  gst_object_unref (pipeline);
  worker_set_stop (preview.worker, on_stop, NULL);
  g_timeout_add_seconds (REFRESH_SECONDS, on_refresh, &preview);
  status = worker_run (preview.worker);
  if (!finish (&preview))
    status = 1;
  worker_free (preview.worker);
  g_clear_pointer (&preview.best, gst_sample_unref);
  sheet_free (preview.sheet);
  g_mutex_clear (&preview.lock);
  g_free (output);
  g_free (sheet_output);
  return status;
}
