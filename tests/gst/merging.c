/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "merging.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_SECONDS 60

static GstStaticPadTemplate any = GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK,
    GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/* ---- scripts ---- */

static GstClockTime
ms_of (const gchar *text)
{
  return text && *text ? strtoull (text, NULL, 10) * GST_MSECOND
                       : GST_CLOCK_TIME_NONE;
}

static GstEvent *
make_segment (const gchar *text)
{
  const gchar *slash = strchr (text, '/');
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.base = ms_of (text);
  if (slash)
    segment.start = segment.time = segment.position = ms_of (slash + 1);
  return gst_event_new_segment (&segment);
}

static GstEvent *
make_caps (const gchar *name)
{
  g_autofree gchar *media = g_strconcat ("application/x-", name, NULL);
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple (media);
  return gst_event_new_caps (caps);
}

static GstBuffer *
make_buffer (const gchar *word)
{
  GstBuffer *buffer = gst_buffer_new ();
  const gchar *slash = strchr (word, '/');
  if (slash)
    GST_BUFFER_DTS (buffer) = ms_of (word + 2);
  if (*word != '-')
    GST_BUFFER_PTS (buffer) = ms_of (slash ? slash + 1 : word);
  return buffer;
}

static GstMiniObject *
make_word (const gchar *word)
{
  if (g_str_has_prefix (word, "c="))
    return GST_MINI_OBJECT_CAST (make_caps (word + 2));
  if (g_str_has_prefix (word, "s="))
    return GST_MINI_OBJECT_CAST (make_segment (word + 2));
  if (g_str_has_prefix (word, "g="))
    return GST_MINI_OBJECT_CAST (gst_event_new_gap (ms_of (word + 2),
        GST_MSECOND));
  return GST_MINI_OBJECT_CAST (make_buffer (word));
}

static GstFlowReturn
push_item (MergingInput *input, GstMiniObject *item)
{
  if (GST_IS_BUFFER (item))
    return gst_pad_push (input->pad, GST_BUFFER_CAST (item));
  return gst_pad_push_event (input->pad, GST_EVENT_CAST (item))
      ? GST_FLOW_OK
      : GST_FLOW_ERROR;
}

GstFlowReturn
merging_push (MergingInput *input, const gchar *script)
{
  g_auto (GStrv) words = g_strsplit (script, " ", -1);
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; words[i] && flow == GST_FLOW_OK; i++) {
    GstMiniObject *item = make_word (words[i]);
    if (GST_IS_BUFFER (item))
      GST_BUFFER_OFFSET_END (item) = (guint64) (input - input->merging->inputs);
    flow = push_item (input, item);
  }
  return flow;
}

/* ---- the inputs ---- */

static gboolean
answer_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  Merging *merging = gst_pad_get_element_private (pad);
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return gst_pad_query_default (pad, parent, query);
  gst_query_set_latency (query, merging->live, 0, GST_CLOCK_TIME_NONE);
  return TRUE;
}

static void
add_input (Merging *merging, guint number)
{
  MergingInput *input = &merging->inputs[merging->n++];
  g_autofree gchar *name = g_strdup_printf ("sink_%u", number);
  g_autoptr (GstPad) sink =
      gst_element_request_pad_simple (merging->merge, name);
  *input = (MergingInput){ .merging = merging, .number = number };
  input->pad = gst_pad_new (NULL, GST_PAD_SRC);
  gst_pad_set_element_private (input->pad, merging);
  gst_pad_set_query_function (input->pad, answer_query);
  gst_pad_set_active (input->pad, TRUE);
  fail_unless (gst_pad_link (input->pad, sink) == GST_PAD_LINK_OK);
}

static gpointer
feed (gpointer data)
{
  MergingInput *input = data;
  GstMiniObject *item;
  while ((item = input->make (input->data)))
    if (push_item (input, item) != GST_FLOW_OK)
      return NULL;
  gst_pad_push_event (input->pad, gst_event_new_eos ());
  return NULL;
}

void
merging_start (MergingInput *input, MergingMake make, gpointer data)
{
  input->make = make;
  input->data = data;
  input->thread = g_thread_new ("input", feed, input);
}

void
merging_join (Merging *merging)
{
  for (guint i = 0; i < merging->n; i++)
    g_clear_pointer (&merging->inputs[i].thread, g_thread_join);
}

/* ---- the output ---- */

static MergingInput *
input_of (Merging *merging, GstBuffer *buffer)
{
  guint index = (guint) GST_BUFFER_OFFSET_END (buffer);
  fail_unless (index < merging->n);
  return &merging->inputs[index];
}

static void
log_buffer (Merging *merging, GstBuffer *buffer)
{
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  if (GST_CLOCK_TIME_IS_VALID (pts))
    g_string_append_printf (merging->log, "%u", (guint) (pts / GST_MSECOND));
  else
    g_string_append_c (merging->log, '-');
  g_string_append_printf (merging->log, "@%u%s ",
      input_of (merging, buffer)->number,
      GST_BUFFER_IS_DISCONT (buffer) ? "!" : "");
}

static void
check_order (Merging *merging, GstBuffer *buffer)
{
  MergingInput *input = input_of (merging, buffer);
  gint64 time = (gint64) GST_BUFFER_PTS (buffer);
  merging->unordered += time < merging->last;
  merging->last = time;
  merging->wrong += GST_BUFFER_OFFSET (buffer) != input->next++;
}

static GstFlowReturn
take_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  Merging *merging = gst_pad_get_element_private (pad);
  g_mutex_lock (&merging->lock);
  merging->buffers++;
  if (merging->log)
    log_buffer (merging, buffer);
  else
    check_order (merging, buffer);
  g_cond_broadcast (&merging->changed);
  g_mutex_unlock (&merging->lock);
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static void
log_event (Merging *merging, GstEvent *event)
{
  const GstSegment *segment;
  GstClockTime time;
  GstCaps *caps;
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      g_string_append_printf (merging->log, "c=%s ",
          gst_structure_get_name (gst_caps_get_structure (caps, 0))
              + strlen ("application/x-"));
      break;
    case GST_EVENT_SEGMENT:
      gst_event_parse_segment (event, &segment);
      g_string_append_printf (merging->log, "s=%u ",
          (guint) (segment->base / GST_MSECOND));
      break;
    case GST_EVENT_GAP:
      gst_event_parse_gap (event, &time, NULL);
      g_string_append_printf (merging->log, "g=%u ",
          (guint) (time / GST_MSECOND));
      break;
    case GST_EVENT_EOS:
      g_string_append (merging->log, "eos");
      break;
    default:
      break;
  }
}

static gboolean
take_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  Merging *merging = gst_pad_get_element_private (pad);
  g_mutex_lock (&merging->lock);
  if (merging->log)
    log_event (merging, event);
  merging->ended |= GST_EVENT_TYPE (event) == GST_EVENT_EOS;
  g_cond_broadcast (&merging->changed);
  g_mutex_unlock (&merging->lock);
  gst_event_unref (event);
  return TRUE;
}

void
merging_init (Merging *merging, const gint *numbers)
{
  g_autoptr (GstPad) src = NULL;
  memset (merging, 0, sizeof *merging);
  g_mutex_init (&merging->lock);
  g_cond_init (&merging->changed);
  merging->log = g_string_new (NULL);
  merging->last = G_MININT64;
  merging->merge = gst_element_factory_make ("datahubmerge", NULL);
  fail_unless (merging->merge != NULL);
  src = gst_element_get_static_pad (merging->merge, "src");
  merging->out = gst_pad_new_from_static_template (&any, NULL);
  gst_pad_set_element_private (merging->out, merging);
  gst_pad_set_chain_function (merging->out, take_buffer);
  gst_pad_set_event_function (merging->out, take_event);
  gst_pad_set_active (merging->out, TRUE);
  fail_unless (gst_pad_link (src, merging->out) == GST_PAD_LINK_OK);
  while (*numbers >= 0)
    add_input (merging, (guint) *numbers++);
}

void
merging_play (Merging *merging)
{
  fail_unless (gst_element_set_state (merging->merge, GST_STATE_PLAYING)
      == GST_STATE_CHANGE_SUCCESS);
  for (guint i = 0; i < merging->n; i++) {
    g_autofree gchar *id = g_strdup_printf ("stream-%u", i);
    gst_pad_push_event (merging->inputs[i].pad,
        gst_event_new_stream_start (id));
  }
}

void
merging_clear (Merging *merging)
{
  gst_element_set_state (merging->merge, GST_STATE_NULL);
  merging_join (merging);
  for (guint i = 0; i < merging->n; i++) {
    gst_pad_set_active (merging->inputs[i].pad, FALSE);
    gst_object_unref (merging->inputs[i].pad);
  }
  gst_pad_set_active (merging->out, FALSE);
  gst_object_unref (merging->out);
  gst_object_unref (merging->merge);
  if (merging->log)
    g_string_free (merging->log, TRUE);
  g_mutex_clear (&merging->lock);
  g_cond_clear (&merging->changed);
}

/* ---- runs of scripts ---- */

typedef struct
{
  gchar **words;
  guint at, index;
} Script;

static GstMiniObject *
next_word (gpointer data)
{
  Script *script = data;
  GstMiniObject *item;
  if (!script->words[script->at])
    return NULL;
  item = make_word (script->words[script->at++]);
  if (GST_IS_BUFFER (item))
    GST_BUFFER_OFFSET_END (item) = script->index;
  return item;
}

static void
wait_for (Merging *merging, gboolean (*done) (Merging *merging, gpointer data),
    gpointer data)
{
  gint64 end = g_get_monotonic_time () + WAIT_SECONDS * G_TIME_SPAN_SECOND;
  g_mutex_lock (&merging->lock);
  while (!done (merging, data))
    if (!g_cond_wait_until (&merging->changed, &merging->lock, end))
      fail ("there is only: %s", merging->log->str);
  g_mutex_unlock (&merging->lock);
}

static gboolean
has_ended (Merging *merging, gpointer data)
{
  return merging->ended;
}

gchar *
merging_run (Merging *merging, const gchar *const *scripts)
{
  Script all[MERGING_MAX];
  merging_play (merging);
  for (guint i = 0; i < merging->n; i++) {
    all[i] = (Script){ g_strsplit (scripts[i], " ", -1), 0, i };
    merging_start (&merging->inputs[i], next_word, &all[i]);
  }
  wait_for (merging, has_ended, NULL);
  merging_join (merging);
  for (guint i = 0; i < merging->n; i++)
    g_strfreev (all[i].words);
  return g_strdup (merging->log->str);
}

static gboolean
has_text (Merging *merging, gpointer data)
{
  return strlen (merging->log->str) >= strlen (data);
}

void
merging_expect (Merging *merging, const gchar *text)
{
  wait_for (merging, has_text, (gpointer) text);
  g_mutex_lock (&merging->lock);
  fail_unless_equals_string (merging->log->str, text);
  g_mutex_unlock (&merging->lock);
}

guint64
merging_stat (Merging *merging, const gchar *field)
{
  return element_stat (merging->merge, field);
}
