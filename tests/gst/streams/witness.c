/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs one pipeline and writes what passes the elements that are named show...:
 *
 *   witness [--paused] [--hold NAME=COUNT | --hold NAME=eos] PIPELINE
 *   witness --missing ELEMENT...    prints those that are not installed
 *
 * One line for each observation, fields separated by tabs, texts escaped:
 *
 *   buffer NAME PTS DTS DURATION OFFSET OFFSET_END FLAGS SIZE SUM RUNNING-TIME
 *     METAS
 *   event NAME TYPE TEXT [SUMS]     SUMS: of the stream header in caps
 *   held NAME       COUNT buffers have passed and the next one is here, or EOS
 *   message NAME STRUCTURE | warning TEXT | error TEXT
 *   stats NAME STRUCTURE            of datahub elements, at the end
 *   started | paused | playing | sought | refused | segment-done | eos | stopped
 *
 * Commands come line by line on the standard input: go (ends the hold), pause,
 * play, eos (of the sources), end (EOS to show-0, after its source has stopped),
 * stop, seek RATE FLAGS START STOP. The end of the input is a stop. */
#include "witness.h"

#include <glib-unix.h>
#include <stdio.h>
#include <sys/prctl.h>

#define STATE_TIMEOUT (20 * GST_SECOND)

typedef struct
{
  GMainLoop *loop;
  GstElement *pipeline;
  GstPad *first; /* of the elements that are named show... */
  const gchar *hold_name;
  guint64 hold_count;
  gboolean hold_eos;
  gboolean is_held; /* once; of the streaming thread */
  gboolean is_flushing, is_released;
  GMutex lock; /* guards the line above; no other lock is taken under it */
  GCond changed;
  int status;
} Witness;

typedef struct
{
  Witness *witness;
  gchar *name;
  guint64 count;
  GstSegment segment;
} Place;

/* ---- The hold ---- */

static void
set_flag (Witness *witness, gboolean *flag, gboolean value)
{
  g_mutex_lock (&witness->lock);
  *flag = value;
  g_cond_broadcast (&witness->changed);
  g_mutex_unlock (&witness->lock);
}

/* Whether what is here passes: a flush ends the hold and takes it along. */
static gboolean
hold (Place *place)
{
  Witness *witness = place->witness;
  gboolean passes;
  if (!witness->is_held)
    printf ("held\t%s\n", place->name);
  g_mutex_lock (&witness->lock);
  while (!witness->is_held && !witness->is_released && !witness->is_flushing)
    g_cond_wait (&witness->changed, &witness->lock);
  witness->is_held = TRUE;
  passes = !witness->is_flushing;
  g_mutex_unlock (&witness->lock);
  return passes;
}

static gboolean
is_hold (Place *place, gboolean eos)
{
  Witness *witness = place->witness;
  return g_strcmp0 (witness->hold_name, place->name) == 0
      && witness->hold_eos == eos
      && (eos || place->count == witness->hold_count);
}

/* ---- What passes ---- */

static gchar *
show_time (GstClockTime time)
{
  return GST_CLOCK_TIME_IS_VALID (time)
      ? g_strdup_printf ("%" G_GUINT64_FORMAT, time)
      : g_strdup ("-");
}

static gchar *
show_running_time (Place *place, GstClockTime time)
{
  guint64 value = 0;
  gint sign = 0;
  if (place->segment.format == GST_FORMAT_TIME
      && GST_CLOCK_TIME_IS_VALID (time))
    sign = gst_segment_to_running_time_full (&place->segment, GST_FORMAT_TIME,
        time, &value);
  return sign
      ? g_strdup_printf ("%s%" G_GUINT64_FORMAT, sign < 0 ? "-" : "", value)
      : g_strdup ("-");
}

static void
show_buffer (Place *place, GstPad *pad, GstBuffer *buffer)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  g_autofree gchar *sum = witness_sum (buffer, caps);
  g_autofree gchar *plain = witness_metas (buffer);
  g_autofree gchar *metas = g_strescape (plain, NULL);
  g_autofree gchar *pts = show_time (GST_BUFFER_PTS (buffer));
  g_autofree gchar *dts = show_time (GST_BUFFER_DTS (buffer));
  g_autofree gchar *duration = show_time (GST_BUFFER_DURATION (buffer));
  g_autofree gchar *first = show_time (GST_BUFFER_OFFSET (buffer));
  g_autofree gchar *last = show_time (GST_BUFFER_OFFSET_END (buffer));
  g_autofree gchar *running =
      show_running_time (place, GST_BUFFER_PTS (buffer));
  printf ("buffer\t%s\t%s\t%s\t%s\t%s\t%s\t%x\t%" G_GSIZE_FORMAT
          "\t%s\t%s\t%s\n",
      place->name, pts, dts, duration, first, last, GST_BUFFER_FLAGS (buffer),
      gst_buffer_get_size (buffer), sum, running, metas);
}

/* Covers and logos are long: their sums are enough. */
static gchar *
describe_tags (GstTagList *tags)
{
  g_autofree gchar *text = gst_tag_list_to_string (tags);
  g_autofree gchar *sum =
      g_compute_checksum_for_string (G_CHECKSUM_MD5, text, -1);
  return g_strdup_printf ("%s %s",
      gst_tag_list_get_scope (tags) == GST_TAG_SCOPE_GLOBAL ? "global"
                                                            : "stream",
      strlen (text) < 2000 ? text : sum);
}

static gchar *
describe_header (GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  const GValue *list = gst_structure_get_value (structure, "streamheader");
  GString *text = g_string_new (NULL);
  guint count = list && GST_VALUE_HOLDS_ARRAY (list)
      ? gst_value_array_get_size (list)
      : 0;
  for (guint i = 0; i < count; i++) {
    g_autofree gchar *sum = witness_sum_bytes (
        gst_value_get_buffer (gst_value_array_get_value (list, i)));
    g_string_append_printf (text, "%s%s", i ? "," : "", sum);
  }
  return g_string_free (text, FALSE);
}

/* As text it has only the name of an object. */
static gchar *
describe_collection (GstEvent *event)
{
  g_autoptr (GstStreamCollection) collection = NULL;
  GString *text = g_string_new (NULL);
  gst_event_parse_stream_collection (event, &collection);
  g_string_append_printf (text, "upstream-id=%s",
      gst_stream_collection_get_upstream_id (collection));
  for (guint i = 0; i < gst_stream_collection_get_size (collection); i++) {
    GstStream *stream = gst_stream_collection_get_stream (collection, i);
    g_string_append_printf (text, " stream=%s type=%x flags=%x",
        gst_stream_get_stream_id (stream), gst_stream_get_stream_type (stream),
        gst_stream_get_stream_flags (stream));
  }
  return g_string_free (text, FALSE);
}

static gchar *
describe_event (GstEvent *event)
{
  const GstStructure *structure = gst_event_get_structure (event);
  GstCaps *caps;
  GstTagList *tags;
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      return gst_caps_to_string (caps);
    case GST_EVENT_TAG:
      gst_event_parse_tag (event, &tags);
      return describe_tags (tags);
    case GST_EVENT_STREAM_COLLECTION:
      return describe_collection (event);
    default:
      return structure ? gst_structure_to_string (structure) : g_strdup ("");
  }
}

static gchar *
describe_segment (const GstSegment *s)
{
  return g_strdup_printf (
      "format=%s rate=%g applied=%g flags=%x base=%" G_GINT64_FORMAT
      " offset=%" G_GINT64_FORMAT " start=%" G_GINT64_FORMAT
      " stop=%" G_GINT64_FORMAT " time=%" G_GINT64_FORMAT,
      gst_format_get_name (s->format), s->rate, s->applied_rate, s->flags,
      (gint64) s->base, (gint64) s->offset, (gint64) s->start, (gint64) s->stop,
      (gint64) s->time);
}

static void
show_event (Place *place, GstEvent *event)
{
  g_autofree gchar *text = NULL, *escaped = NULL, *header = NULL;
  GstCaps *caps;
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT) {
    gst_event_copy_segment (event, &place->segment);
    text = describe_segment (&place->segment);
  } else {
    text = describe_event (event);
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    gst_event_parse_caps (event, &caps);
    header = describe_header (caps);
  }
  escaped = g_strescape (text, NULL);
  printf ("event\t%s\t%s\t%s\t%s\n", place->name, GST_EVENT_TYPE_NAME (event),
      escaped, header ? header : "");
}

static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Place *place = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  if (is_hold (place, FALSE) && !hold (place))
    return GST_PAD_PROBE_DROP; /* a flush has taken it along */
  place->count++;
  show_buffer (place, pad, buffer);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Place *place = user_data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_START:
      set_flag (place->witness, &place->witness->is_flushing, TRUE);
      break;
    case GST_EVENT_FLUSH_STOP:
      set_flag (place->witness, &place->witness->is_flushing, FALSE);
      break;
    case GST_EVENT_EOS:
      if (is_hold (place, TRUE))
        hold (place);
      break;
    default:
      break;
  }
  show_event (place, event);
  return GST_PAD_PROBE_OK;
}

static void
watch_element (const GValue *item, gpointer user_data)
{
  GstElement *element = g_value_get_object (item);
  g_autoptr (GstPad) pad = NULL;
  Place *place;
  if (!g_str_has_prefix (GST_OBJECT_NAME (element), "show"))
    return;
  pad = gst_element_get_static_pad (element, "sink");
  place = g_new0 (Place, 1); /* as long as the process */
  place->witness = user_data;
  place->name = gst_element_get_name (element);
  if (g_str_equal (place->name, "show-0"))
    place->witness->first = pad; /* lives as long as the pipeline */
  gst_segment_init (&place->segment, GST_FORMAT_UNDEFINED);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, place, NULL);
  gst_pad_add_probe (pad,
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      on_event, place, NULL);
}

/* ---- Commands ---- */

static void
set_state (Witness *witness, GstState state, const gchar *word)
{
  GstStateChangeReturn rc;
  gst_element_set_state (witness->pipeline, state);
  rc = gst_element_get_state (witness->pipeline, NULL, NULL, STATE_TIMEOUT);
  printf ("%s\n", rc == GST_STATE_CHANGE_FAILURE ? "refused" : word);
}

static void
seek (Witness *witness, gchar **words)
{
  gint64 start = g_ascii_strtoll (words[3], NULL, 10);
  gint64 stop = g_ascii_strtoll (words[4], NULL, 10);
  gboolean done =
      gst_element_seek (witness->pipeline, g_ascii_strtod (words[1], NULL),
          GST_FORMAT_TIME, (GstSeekFlags) g_ascii_strtoll (words[2], NULL, 10),
          start < 0 ? GST_SEEK_TYPE_NONE : GST_SEEK_TYPE_SET, start,
          stop < 0 ? GST_SEEK_TYPE_NONE : GST_SEEK_TYPE_SET, stop);
  printf ("%s\n", done ? "sought" : "refused");
}

static void
stop (Witness *witness)
{
  printf ("stopped\n");
  set_flag (witness, &witness->is_released, TRUE);
  g_main_loop_quit (witness->loop);
}

static void
obey (Witness *witness, const gchar *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 0);
  if (g_str_equal (words[0], "go"))
    set_flag (witness, &witness->is_released, TRUE);
  else if (g_str_equal (words[0], "pause"))
    set_state (witness, GST_STATE_PAUSED, "paused");
  else if (g_str_equal (words[0], "play"))
    set_state (witness, GST_STATE_PLAYING, "playing");
  else if (g_str_equal (words[0], "eos"))
    gst_element_send_event (witness->pipeline, gst_event_new_eos ());
  else if (g_str_equal (words[0], "end"))
    gst_pad_send_event (witness->first, gst_event_new_eos ());
  else if (g_str_equal (words[0], "seek") && g_strv_length (words) == 5)
    seek (witness, words);
  else
    stop (witness);
}

static gboolean
on_input (GIOChannel *channel, GIOCondition condition, gpointer user_data)
{
  g_autofree gchar *line = NULL;
  gsize end;
  if (g_io_channel_read_line (channel, &line, NULL, &end, NULL)
      != G_IO_STATUS_NORMAL) {
    stop (user_data);
    return G_SOURCE_REMOVE;
  }
  line[end] = '\0';
  obey (user_data, line);
  return G_SOURCE_CONTINUE;
}

/* ---- The bus ---- */

static void
show_text (const gchar *kind, GError *error, const gchar *detail)
{
  g_autofree gchar *plain =
      g_strdup_printf ("%s | %s", error->message, detail ? detail : "");
  g_autofree gchar *text = g_strescape (plain, NULL);
  printf ("%s\t%s\n", kind, text);
}

static void
show_problem (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *detail = NULL;
  gboolean is_error = GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;
  if (is_error)
    gst_message_parse_error (message, &error, &detail);
  else
    gst_message_parse_warning (message, &error, &detail);
  show_text (is_error ? "error" : "warning", error, detail);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Witness *witness = user_data;
  g_autofree gchar *text = NULL;
  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency (GST_BIN (witness->pipeline));
      break;
    case GST_MESSAGE_ELEMENT:
      text = gst_structure_to_string (gst_message_get_structure (message));
      printf ("message\t%s\t%s\n", GST_MESSAGE_SRC_NAME (message), text);
      break;
    case GST_MESSAGE_SEGMENT_DONE:
      printf ("segment-done\n");
      break;
    case GST_MESSAGE_EOS:
      printf ("eos\n");
      g_main_loop_quit (witness->loop);
      break;
    case GST_MESSAGE_WARNING:
      show_problem (message);
      break;
    case GST_MESSAGE_ERROR:
      show_problem (message);
      witness->status = 1;
      g_main_loop_quit (witness->loop);
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
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
  printf ("stats\t%s\t%s\n", GST_OBJECT_NAME (element), text);
}

static void
for_each_element (Witness *witness, GstIteratorForeachFunction function)
{
  GstIterator *elements = gst_bin_iterate_recurse (GST_BIN (witness->pipeline));
  gst_iterator_foreach (elements, function, witness);
  gst_iterator_free (elements);
}

/* ---- main ---- */

static int
print_missing (gchar **names)
{
  for (; *names; names++) {
    g_autoptr (GstElementFactory) factory = gst_element_factory_find (*names);
    if (!factory)
      printf ("%s\n", *names);
  }
  return 0;
}

static void
set_hold (Witness *witness, gchar *text)
{
  gchar *count = strchr (text, '=');
  *count++ = '\0';
  witness->hold_name = text;
  witness->hold_eos = g_str_equal (count, "eos");
  witness->hold_count = g_ascii_strtoull (count, NULL, 10);
}

static void
run (Witness *witness, GstState first)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (witness->pipeline);
  g_autoptr (GIOChannel) input = g_io_channel_unix_new (0);
  witness->loop = g_main_loop_new (NULL, FALSE);
  gst_bus_add_watch (bus, on_message, witness);
  g_io_add_watch (input, G_IO_IN | G_IO_HUP, on_input, witness);
  for_each_element (witness, watch_element);
  if (first == GST_STATE_PAUSED)
    set_state (witness, GST_STATE_PAUSED, "paused");
  else
    gst_element_set_state (witness->pipeline, GST_STATE_PLAYING);
  printf ("started\n");
  g_main_loop_run (witness->loop);
  for_each_element (witness, show_stats);
  set_flag (witness, &witness->is_released, TRUE);
  gst_element_set_state (witness->pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  g_main_loop_unref (witness->loop);
}

int
main (int argc, char **argv)
{
  Witness witness = { 0 };
  g_autoptr (GError) error = NULL;
  GstState first = GST_STATE_PLAYING;
  prctl (PR_SET_PDEATHSIG, SIGKILL); /* goes with the test, however it ends */
  gst_init (&argc, &argv);
  setvbuf (stdout, NULL, _IOLBF, 0);
  for (argv++; *argv && g_str_has_prefix (*argv, "--"); argv++) {
    if (g_str_equal (*argv, "--missing"))
      return print_missing (argv + 1);
    if (g_str_equal (*argv, "--paused"))
      first = GST_STATE_PAUSED;
    if (g_str_equal (*argv, "--hold") && argv[1] && strchr (argv[1], '='))
      set_hold (&witness, *++argv);
  }
  witness.pipeline = gst_parse_launch (*argv ? *argv : "", &error);
  if (error || !GST_IS_BIN (witness.pipeline)) {
    fprintf (stderr, "%s\n", error ? error->message : "not a pipeline");
    return 2;
  }
  run (&witness, first);
  gst_object_unref (witness.pipeline);
  return witness.status;
}
