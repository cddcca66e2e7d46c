/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs one pipeline in a process of its own and tells on its standard output,
 * line by line, what goes on:
 *
 *   pipeline-child PIPELINE
 *
 *   started                         the pipeline was set to PLAYING
 *   playing                         and has reached it: each sink has data
 *   buffer NAME PTS SIZE FLAGS MD5  of each element named show...
 *   event NAME TYPE                 that reached it
 *   message NAME STRUCTURE          element messages
 *   log NAME TEXT                   what a datahub element says at level INFO
 *   stats NAME STRUCTURE            of datahub elements, at the end
 *   warning DOMAIN CODE TEXT
 *   eos | error DOMAIN CODE TEXT | stopped
 *
 * SIGINT stops it without EOS, as it does gst-launch-1.0. The exit status is 0
 * unless there was an error. */
#include <glib-unix.h>
#include <gst/audio/audio.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

typedef struct
{
  GMainLoop *loop;
  GstElement *pipeline;
  int status;
} Child;

static void
hash_video (GChecksum *sum, GstVideoFrame *frame)
{
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (frame); c++) {
    const guint8 *row = GST_VIDEO_FRAME_COMP_DATA (frame, c);
    gint width = GST_VIDEO_FRAME_COMP_WIDTH (frame, c)
        * GST_VIDEO_FRAME_COMP_PSTRIDE (frame, c);
    for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (frame, c); y++)
      g_checksum_update (sum,
          row + (gsize) y * (gsize) GST_VIDEO_FRAME_COMP_STRIDE (frame, c),
          width);
  }
}

static void
hash_audio (GChecksum *sum, GstAudioBuffer *audio)
{
  for (gint i = 0; i < GST_AUDIO_BUFFER_N_PLANES (audio); i++)
    g_checksum_update (sum, audio->planes[i],
        (gssize) GST_AUDIO_BUFFER_PLANE_SIZE (audio));
}

/* Of what is seen and heard: not of padding. */
static gchar *
hash (GstBuffer *buffer, GstCaps *caps)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_MD5);
  GstVideoInfo video;
  GstAudioInfo audio;
  GstVideoFrame frame;
  GstAudioBuffer samples;
  GstMapInfo map;
  if (caps && gst_video_info_from_caps (&video, caps)
      && gst_video_frame_map (&frame, &video, buffer, GST_MAP_READ)) {
    hash_video (sum, &frame);
    gst_video_frame_unmap (&frame);
  } else if (caps && gst_audio_info_from_caps (&audio, caps)
      && gst_audio_buffer_map (&samples, &audio, buffer, GST_MAP_READ)) {
    hash_audio (sum, &samples);
    gst_audio_buffer_unmap (&samples);
  } else if (gst_buffer_map (buffer, &map, GST_MAP_READ)) {
    g_checksum_update (sum, map.data, (gssize) map.size);
    gst_buffer_unmap (buffer, &map);
  }
  return g_strdup (g_checksum_get_string (sum));
}

static void
show_buffer (GstPad *pad, const gchar *name, GstBuffer *buffer)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  g_autofree gchar *sum = hash (buffer, caps);
  printf ("buffer %s %" G_GINT64_FORMAT " %" G_GSIZE_FORMAT " %x %s\n", name,
      (gint64) GST_BUFFER_PTS (buffer), gst_buffer_get_size (buffer),
      GST_BUFFER_FLAGS (buffer), sum);
}

static GstPadProbeReturn
show (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  const gchar *name = user_data;
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER)
    show_buffer (pad, name, GST_PAD_PROBE_INFO_BUFFER (info));
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM)
    printf ("event %s %s\n", name,
        GST_EVENT_TYPE_NAME (GST_PAD_PROBE_INFO_EVENT (info)));
  return GST_PAD_PROBE_OK;
}

static void
watch_element (const GValue *item, gpointer user_data)
{
  GstElement *element = g_value_get_object (item);
  g_autoptr (GstPad) pad = NULL;
  if (!g_str_has_prefix (GST_OBJECT_NAME (element), "show"))
    return;
  pad = gst_element_get_static_pad (element, "sink");
  gst_pad_add_probe (pad,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, show,
      GST_OBJECT_NAME (element), NULL);
}

static void
show_stats (const GValue *item, gpointer user_data)
{
  GstElement *element = g_value_get_object (item);
  g_autoptr (GstStructure) stats = NULL;
  g_autofree gchar *text = NULL;
  if (!g_str_has_prefix (G_OBJECT_TYPE_NAME (element), "GstDatahub"))
    return;
  g_object_get (element, "stats", &stats, NULL);
  text = gst_structure_to_string (stats);
  printf ("stats %s %s\n", GST_OBJECT_NAME (element), text);
}

static void
for_each_element (Child *child, GstIteratorForeachFunction func)
{
  GstIterator *elements = gst_bin_iterate_recurse (GST_BIN (child->pipeline));
  gst_iterator_foreach (elements, func, NULL);
  gst_iterator_free (elements);
}

static void
show_error (GstMessage *message)
{
  gboolean fatal = GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;
  g_autoptr (GError) error = NULL;
  if (fatal)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  printf ("%s %s %d %s\n", fatal ? "error" : "warning",
      g_quark_to_string (error->domain), error->code, error->message);
}

static void
on_log (GstDebugCategory *category, GstDebugLevel level, const gchar *file,
    const gchar *function, gint line, GObject *object, GstDebugMessage *message,
    gpointer user_data)
{
  if (level == GST_LEVEL_INFO && GST_IS_ELEMENT (object)
      && g_str_has_prefix (G_OBJECT_TYPE_NAME (object), "GstDatahub"))
    printf ("log %s %s\n", GST_OBJECT_NAME (object),
        gst_debug_message_get (message));
}

/* The default function would tell all of it again, but whoever set GST_DEBUG
 * wants that. */
static void
show_log (void)
{
  if (!g_getenv ("GST_DEBUG"))
    gst_debug_remove_log_function (gst_debug_log_default);
  gst_debug_add_log_function (on_log, NULL, NULL);
  gst_debug_set_threshold_from_string ("datahub*:INFO", FALSE);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Child *child = user_data;
  gboolean ours = GST_MESSAGE_SRC (message) == GST_OBJECT (child->pipeline);
  GstState state;
  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_STATE_CHANGED:
      gst_message_parse_state_changed (message, NULL, &state, NULL);
      if (ours && state == GST_STATE_PLAYING)
        printf ("playing\n");
      break;
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency (GST_BIN (child->pipeline));
      break;
    case GST_MESSAGE_ELEMENT: {
      g_autofree gchar *text =
          gst_structure_to_string (gst_message_get_structure (message));
      printf ("message %s %s\n", GST_MESSAGE_SRC_NAME (message), text);
      break;
    }
    case GST_MESSAGE_EOS:
      printf ("eos\n");
      g_main_loop_quit (child->loop);
      break;
    case GST_MESSAGE_WARNING:
      show_error (message);
      break;
    case GST_MESSAGE_ERROR:
      show_error (message);
      child->status = 1;
      g_main_loop_quit (child->loop);
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_signal (gpointer user_data)
{
  Child *child = user_data;
  printf ("stopped\n");
  g_main_loop_quit (child->loop);
  return G_SOURCE_CONTINUE;
}

int
main (int argc, char **argv)
{
  Child child = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GstBus) bus = NULL;
  prctl (PR_SET_PDEATHSIG, SIGKILL); /* goes with the test, however it ends */
  gst_init (&argc, &argv);
  setvbuf (stdout, NULL, _IOLBF, 0);
  show_log ();
  child.pipeline = gst_parse_launch (argc > 1 ? argv[1] : "", &error);
  if (error || !GST_IS_BIN (child.pipeline)) {
    fprintf (stderr, "%s\n", error ? error->message : "not a pipeline");
    return 2;
  }
  child.loop = g_main_loop_new (NULL, FALSE);
  bus = gst_element_get_bus (child.pipeline);
  gst_bus_add_watch (bus, on_message, &child);
  g_unix_signal_add (SIGINT, on_signal, &child);
  for_each_element (&child, watch_element);
  gst_element_set_state (child.pipeline, GST_STATE_PLAYING);
  printf ("started\n");
  g_main_loop_run (child.loop);
  for_each_element (&child, show_stats);
  gst_element_set_state (child.pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  gst_object_unref (child.pipeline);
  g_main_loop_unref (child.loop);
  return child.status;
}
