/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker.h"

#include <glib-unix.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A polite end may take this long: the encoder has to drain and to write the
 * index of its file. */
#define STOP_SECONDS 10
/* The launcher hears of progress so often, a person each second. */
#define REPORT_MS 200

typedef struct
{
  const char *name;
  GstElement *element;
  guint64 buffers, bytes; /* atomic by the lock */
} Stream;

struct _Worker
{
  const char *title;
  gboolean report; /* the launcher reads, not a person */
  gchar *streams_option, *block_prefix;
  GstElement *pipeline;
  GMainLoop *loop;
  WorkerStop stop;
  gpointer stop_data;
  gboolean stopping;
  int status;
  guint seconds;
  GMutex lock; /* guards the counters; a leaf */
  Stream streams[2];
  guint n_streams;
};

static gboolean
parse_options (Worker *worker, const char *summary, const GOptionEntry *entries,
    int *argc, char ***argv)
{
  const GOptionEntry shared[] = {
    { "name", 'n', 0, G_OPTION_ARG_STRING, &worker->block_prefix,
        "Blocks are called NAME-video and NAME-audio (default: split)",
        "NAME" },
    { "streams", 's', 0, G_OPTION_ARG_STRING, &worker->streams_option,
        "video, audio or video,audio (default: both)", "LIST" },
    { "report", 0, 0, G_OPTION_ARG_NONE, &worker->report,
        "Write for the launcher, not for a person", NULL },
    { NULL },
  };
  g_autoptr (GError) error = NULL;
  GOptionContext *context = g_option_context_new (NULL);
  gboolean ok;

  g_option_context_set_summary (context, summary);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_main_entries (context, shared, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  ok = g_option_context_parse (context, argc, argv, &error);
  if (!ok)
    g_printerr ("%s: %s\n", worker->title, error->message);
  g_option_context_free (context);
  return ok;
}

static gboolean
have_elements (const char *title)
{
  g_autoptr (GstElementFactory) source =
      gst_element_factory_find ("datahubsrc");
  if (source)
    return TRUE;
  g_printerr ("%s: GStreamer does not find the datahub elements; run it from "
              "`meson devenv -C BUILD`, or set GST_PLUGIN_PATH to BUILD/gst\n",
      title);
  return FALSE;
}

Worker *
worker_new (const char *title, const char *summary, const GOptionEntry *entries,
    int *argc, char ***argv)
{
  Worker *worker = g_new0 (Worker, 1);

  worker->title = title;
  worker->loop = g_main_loop_new (NULL, FALSE);
  g_mutex_init (&worker->lock);
  if (!parse_options (worker, summary, entries, argc, argv))
    exit (2);
  if (!worker->block_prefix)
    worker->block_prefix = g_strdup ("split");
  if (!worker_has_video (worker) && !worker_has_audio (worker)) {
    g_printerr ("%s: --streams names neither video nor audio\n", title);
    exit (2);
  }
  if (!have_elements (title))
    exit (1);
  g_set_prgname (title);
  /* The launcher may die first; the file is completed all the same. */
  signal (SIGPIPE, SIG_IGN);
  return worker;
}

void
worker_free (Worker *worker)
{
  for (guint i = 0; i < worker->n_streams; i++)
    gst_object_unref (worker->streams[i].element);
  gst_clear_object (&worker->pipeline);
  g_main_loop_unref (worker->loop);
  g_free (worker->block_prefix);
  g_free (worker->streams_option);
  g_mutex_clear (&worker->lock);
  g_free (worker);
}

static gboolean
has_stream (Worker *worker, const char *name)
{
  g_auto (GStrv) names = NULL;
  if (!worker->streams_option)
    return TRUE;
  names = g_strsplit (worker->streams_option, ",", -1);
  return g_strv_contains ((const gchar *const *) names, name);
}

gboolean
worker_has_video (Worker *worker)
{
  return has_stream (worker, "video");
}

gboolean
worker_has_audio (Worker *worker)
{
  return has_stream (worker, "audio");
}

gchar *
worker_block_name (Worker *worker, const char *stream)
{
  return g_strdup_printf ("%s-%s", worker->block_prefix, stream);
}

void
worker_set_pipeline (Worker *worker, GstElement *pipeline)
{
  gst_object_replace ((GstObject **) &worker->pipeline, GST_OBJECT (pipeline));
}

GstElement *
worker_get_pipeline (Worker *worker)
{
  return worker->pipeline;
}

void
worker_set_stop (Worker *worker, WorkerStop stop, gpointer user_data)
{
  worker->stop = stop;
  worker->stop_data = user_data;
}

void
worker_say (Worker *worker, const char *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  if (worker->report)
    g_print ("SAY %s\n", text);
  else
    g_print ("%s: %s\n", worker->title, text);
}

void
worker_report (Worker *worker, const char *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  if (!worker->report)
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_print ("%s\n", text);
}

void
worker_fail (Worker *worker, const char *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  worker_say (worker, "error: %s", text);
  worker->status = 1;
  g_main_loop_quit (worker->loop);
}

void
worker_refuse (Worker *worker, const GError *error)
{
  gboolean missing =
      g_error_matches (error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT);
  worker_say (worker, "error: %s%s", error->message,
      missing ? "; `.ci/install-packages run` installs all that is needed"
              : "");
}

/* In the streaming thread. */
static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Worker *worker = user_data;
  g_autoptr (GstElement) element = gst_pad_get_parent_element (pad);
  gsize size = gst_buffer_get_size (GST_PAD_PROBE_INFO_BUFFER (info));

  g_mutex_lock (&worker->lock);
  for (guint i = 0; i < worker->n_streams; i++)
    if (worker->streams[i].element == element) {
      worker->streams[i].buffers++;
      worker->streams[i].bytes += size;
    }
  g_mutex_unlock (&worker->lock);
  return GST_PAD_PROBE_OK;
}

void
worker_watch (Worker *worker, const char *stream, GstElement *element)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");

  g_mutex_lock (&worker->lock);
  g_assert (worker->n_streams < G_N_ELEMENTS (worker->streams));
  worker->streams[worker->n_streams++] = (Stream){
    .name = stream,
    .element = gst_object_ref (element),
  };
  g_mutex_unlock (&worker->lock);

  if (!pad)
    pad = gst_element_get_static_pad (element, "src");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, worker, NULL);
}

void
worker_watch_block (Worker *worker, GstElement *pipeline, const char *stream)
{
  g_autofree gchar *block = worker_block_name (worker, stream);
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), block);
  worker_watch (worker, stream, element);
}

guint64
worker_get_buffers (Worker *worker, const char *stream)
{
  guint64 buffers = 0;
  g_mutex_lock (&worker->lock);
  for (guint i = 0; i < worker->n_streams; i++)
    if (g_str_equal (worker->streams[i].name, stream))
      buffers = worker->streams[i].buffers;
  g_mutex_unlock (&worker->lock);
  return buffers;
}

/* The number of lost buffers that the element itself reports. A sink loses
 * buffers that are too late for its clock or find no space. */
static guint64
stream_lost (const Stream *stream)
{
  static const char *const fields[] = { "lost", "dropped", "no-room" };
  g_autoptr (GstStructure) stats = NULL;
  guint64 lost = 0;

  g_object_get (stream->element, "stats", &stats, NULL);
  for (guint i = 0; stats && i < G_N_ELEMENTS (fields); i++) {
    guint64 count;
    if (gst_structure_get_uint64 (stats, fields[i], &count))
      lost += count;
  }
  return lost;
}

/* What a sink has put into its block: the buffer it holds back, waiting for
 * consumers, has passed its pad but is not there yet. */
static void
count_committed (Stream *stream)
{
  g_autoptr (GstStructure) stats = NULL;

  g_object_get (stream->element, "stats", &stats, NULL);
  if (stats && gst_structure_has_field (stats, "slots")) {
    gst_structure_get_uint64 (stats, "buffers", &stream->buffers);
    gst_structure_get_uint64 (stats, "bytes", &stream->bytes);
  }
}

static void
tell_progress (Worker *worker, const char *key)
{
  g_autoptr (GString) line = g_string_new (NULL);
  Stream streams[G_N_ELEMENTS (worker->streams)];
  guint n_streams;

  g_mutex_lock (&worker->lock);
  memcpy (streams, worker->streams, sizeof streams);
  n_streams = worker->n_streams;
  g_mutex_unlock (&worker->lock);

  for (guint i = 0; i < n_streams; i++) {
    guint64 lost = stream_lost (&streams[i]);
    count_committed (&streams[i]);
    worker_report (worker,
        "%s %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
        key, streams[i].name, streams[i].buffers, streams[i].bytes, lost);
    g_string_append_printf (line,
        "%s%s %" G_GUINT64_FORMAT " buffers, %.1f MB, lost %" G_GUINT64_FORMAT,
        i ? "   " : "", streams[i].name, streams[i].buffers,
        streams[i].bytes / 1e6, lost);
  }
  if (!worker->report)
    worker_say (worker, "%3u s   %s", worker->seconds, line->str);
}

static gboolean
on_tick (gpointer user_data)
{
  Worker *worker = user_data;
  worker->seconds++;
  tell_progress (worker, "PROGRESS");
  return G_SOURCE_CONTINUE;
}

static gboolean
on_stop_late (gpointer user_data)
{
  Worker *worker = user_data;
  worker_fail (worker, "not finished %u s after the request to stop",
      STOP_SECONDS);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_signal (gpointer user_data)
{
  Worker *worker = user_data;

  if (worker->stopping) {
    worker_fail (worker, "stopped at once, the output is unfinished");
    return G_SOURCE_CONTINUE;
  }
  worker->stopping = TRUE;
  if (worker->stop (worker, worker->stop_data)) {
    worker_say (worker, "finishing (interrupt once more to stop at once)");
    g_timeout_add_seconds (STOP_SECONDS, on_stop_late, worker);
  } else {
    g_main_loop_quit (worker->loop);
  }
  return G_SOURCE_CONTINUE;
}

static void
on_error (Worker *worker, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *debug = NULL;

  gst_message_parse_error (message, &error, &debug);
  worker_fail (worker, "%s: %s\n    (%s)", GST_MESSAGE_SRC_NAME (message),
      error->message, debug ? debug : "no details");
}

/* What a datahubsrc reports about its producer. */
static void
on_producer_message (Worker *worker, const GstStructure *s)
{
  const gchar *block = gst_structure_get_string (s, "datablock");
  const gchar *reason = gst_structure_get_string (s, "reason");

  if (gst_structure_has_name (s, "datahub-producer-found"))
    worker_say (worker, "%s has a producer", block);
  else if (gst_structure_has_name (s, "datahub-producer-lost"))
    worker_say (worker, "%s has lost its producer: %s", block, reason);
  else if (gst_structure_has_name (s, "datahub-waiting"))
    worker_say (worker, "%s is waited for: %s", block, reason);
}

static void
on_element_message (Worker *worker, GstMessage *message)
{
  const GstStructure *s = gst_message_get_structure (message);
  const char *text;

  if (gst_structure_has_name (s, "consumer-added")) {
    text = gst_structure_get_string (s, "name");
    worker_say (worker, "%s is now read by %s", GST_MESSAGE_SRC_NAME (message),
        text ? text : "a consumer");
  } else if (gst_structure_has_name (s, "consumer-removed")) {
    text = gst_structure_get_string (s, "name");
    worker_say (worker, "%s is no longer read by %s (%s)",
        GST_MESSAGE_SRC_NAME (message), text ? text : "a consumer",
        gst_structure_get_string (s, "reason"));
  } else {
    on_producer_message (worker, s);
  }
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Worker *worker = user_data;
  g_autoptr (GError) error = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ERROR:
      on_error (worker, message);
      break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning (message, &error, NULL);
      worker_say (worker, "warning: %s", error->message);
      break;
    case GST_MESSAGE_EOS:
      g_main_loop_quit (worker->loop);
      break;
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency (GST_BIN (worker->pipeline));
      break;
    case GST_MESSAGE_ELEMENT:
      on_element_message (worker, message);
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

int
worker_run (Worker *worker)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (worker->pipeline);
  guint watch = gst_bus_add_watch (bus, on_message, worker);
  guint tick =
      g_timeout_add (worker->report ? REPORT_MS : 1000, on_tick, worker);
  guint interrupt = g_unix_signal_add (SIGINT, on_signal, worker);
  guint terminate = g_unix_signal_add (SIGTERM, on_signal, worker);

  /* A failure to start is a message on the bus. */
  gst_element_set_state (worker->pipeline, GST_STATE_PLAYING);
  g_main_loop_run (worker->loop);
  tell_progress (worker, "END");
  gst_element_set_state (worker->pipeline, GST_STATE_NULL);

  g_source_remove (watch);
  g_source_remove (tick);
  g_source_remove (interrupt);
  g_source_remove (terminate);
  return worker->status;
}
