/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a reader would refuse is not written: it asks the reader's own functions.
 * Tests: gst-events, gst-joiners, gst-left-out */
#include "gstdatahubevents.h"
#include "gstdatahubformat.h"
#include "gstdatahublimits.h"
#include "gstdatahubtags.h"

void
gst_datahub_event_state_clear (GstDatahubEventState *state)
{
  gst_clear_tag_list (&state->stream_tags);
  gst_clear_tag_list (&state->global_tags);
  gst_datahub_sticky_clear (&state->sticky);
}

/**
 * gst_datahub_event_is_context:
 * @event: a serialized event
 *
 * Returns: whether consumers that join later must receive it, too
 */
gboolean
gst_datahub_event_is_context (GstEvent *event)
{
  return GST_EVENT_IS_STICKY (event) && GST_EVENT_TYPE (event) != GST_EVENT_EOS;
}

static gboolean
is_stream_start (GBytes *body)
{
  g_auto (GstDatahubStreamStart) start = { 0 };
  gsize size = 0;
  gconstpointer data = body ? g_bytes_get_data (body, &size) : NULL;
  return gst_datahub_format_decode_stream_start (data, size, &start);
}

/* The same with a stream-id that fits: a checksum of its own. */
static GBytes *
short_stream_start_body (GstEvent *event, guint64 pipeline,
    GstDatahubLeftOut *left)
{
  const gchar *id;
  g_autofree gchar *sum = NULL;
  g_autoptr (GstEvent) copy = NULL;
  GstStreamFlags flags;
  guint group = GST_GROUP_ID_INVALID;
  gst_event_parse_stream_start (event, &id);
  gst_event_parse_stream_flags (event, &flags);
  gst_event_parse_group_id (event, &group);
  sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, id, -1);
  copy = gst_event_new_stream_start (sum);
  gst_event_set_stream_flags (copy, flags);
  if (group != GST_GROUP_ID_INVALID)
    gst_event_set_group_id (copy, group);
  gst_datahub_left_out_note (left, "The stream-id", strlen (id),
      "does not fit the %u bytes of text that a record may have; its checksum "
      "is the stream-id of the consumers",
      GST_DATAHUB_BODY_MAX);
  return gst_datahub_format_encode_stream_start (copy, pipeline);
}

static GBytes *
stream_start_body (GstEvent *event, GstDatahubEventState *state,
    GstDatahubLeftOut *left)
{
  GBytes *body;
  gst_datahub_event_state_clear (state); /* its contents belong to one stream */
  body = gst_datahub_format_encode_stream_start (event, state->pipeline);
  if (is_stream_start (body))
    return body;
  g_clear_pointer (&body, g_bytes_unref);
  return short_stream_start_body (event, state->pipeline, left);
}

static GBytes *
caps_body (GstEvent *event)
{
  GstCaps *caps;
  gst_event_parse_caps (event, &caps);
  return gst_datahub_format_encode_caps (caps);
}

static GBytes *
segment_body (GstEvent *event)
{
  const GstSegment *segment;
  gst_event_parse_segment (event, &segment);
  return gst_datahub_format_encode_segment (segment);
}

/* Tags, and the other sticky events in effect. */
static GBytes *
in_force_body (const GstDatahubEventState *state)
{
  return gst_datahub_sticky_encode (&state->sticky,
      gst_datahub_format_encode_tags (state->stream_tags, state->global_tags));
}

/* Returns: %GST_FLOW_CUSTOM_SUCCESS if there is no space for it. */
static GstFlowReturn
write_in_force (const GstDatahubEventState *state, GstDatahubWriter *writer)
{
  g_autoptr (GBytes) body = in_force_body (state);
  return gst_datahub_writer_write_optional (writer, DATAHUB_RECORD_TAGS, body);
}

static void
drop_pictures (GstTagList **tags, GstDatahubLeftOut *left)
{
  GstTagList *fewer =
      *tags ? gst_datahub_tags_without_pictures (*tags, left) : NULL;
  gst_clear_tag_list (tags);
  *tags = fewer;
}

static void
note_no_space (GstDatahubWriter *writer, const gchar *what)
{
  gst_datahub_left_out_note (gst_datahub_writer_get_left_out (writer), what, 0,
      "%s", "has no space in the block");
}

/* Pictures need much space: without them the rest may fit. */
static GstFlowReturn
write_tags (GstEvent *event, GstDatahubEventState *state,
    GstDatahubWriter *writer)
{
  GstDatahubLeftOut *left = gst_datahub_writer_get_left_out (writer);
  GstTagList *tags, *fit, **list;
  GstFlowReturn flow;
  gst_event_parse_tag (event, &tags);
  fit = gst_datahub_tags_that_cross (tags, left);
  list = gst_tag_list_get_scope (tags) == GST_TAG_SCOPE_GLOBAL
      ? &state->global_tags
      : &state->stream_tags;
  gst_clear_tag_list (list);
  *list = fit;
  flow = write_in_force (state, writer);
  if (flow == GST_FLOW_CUSTOM_SUCCESS) {
    drop_pictures (&state->stream_tags, left);
    drop_pictures (&state->global_tags, left);
    flow = write_in_force (state, writer);
  }
  if (flow == GST_FLOW_CUSTOM_SUCCESS)
    note_no_space (writer, "A list of tags");
  return flow == GST_FLOW_CUSTOM_SUCCESS ? GST_FLOW_OK : flow;
}

static gboolean
is_wanted (GstEvent *event, GstDatahubEvents wanted)
{
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_TAG:
      return (wanted & GST_DATAHUB_EVENTS_TAG) != 0;
    case GST_EVENT_PROTECTION:
      return (wanted & GST_DATAHUB_EVENTS_PROTECTION) != 0;
    case GST_EVENT_TOC:
      return (wanted & GST_DATAHUB_EVENTS_TOC) != 0;
    case GST_EVENT_STREAM_GROUP_DONE:
      return (wanted & GST_DATAHUB_EVENTS_STREAM_GROUP_DONE) != 0;
    case GST_EVENT_STREAM_COLLECTION:
      return (wanted & GST_DATAHUB_EVENTS_STREAM_COLLECTION) != 0;
    case GST_EVENT_INSTANT_RATE_CHANGE:
      return (wanted & GST_DATAHUB_EVENTS_INSTANT_RATE_CHANGE) != 0;
    case GST_EVENT_SEGMENT_DONE:
      return (wanted & GST_DATAHUB_EVENTS_SEGMENT_DONE) != 0;
    case GST_EVENT_STREAM_START:
    case GST_EVENT_CAPS:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_EOS:
      return TRUE;
    default:
      return (wanted & GST_DATAHUB_EVENTS_CUSTOM)
          && gst_datahub_format_event_crosses (event);
  }
}

static gchar *
describe (GstEvent *event)
{
  const GstStructure *structure = gst_event_get_structure (event);
  return g_strdup_printf ("The event %s \"%s\"", GST_EVENT_TYPE_NAME (event),
      structure ? gst_structure_get_name (structure) : "");
}

/* Returns: (transfer full) (nullable): a body that a reader takes. */
static GBytes *
other_body (GstEvent *event, const gchar *name, GstDatahubLeftOut *left)
{
  g_autoptr (GBytes) body = gst_datahub_format_encode_event (event);
  gsize size = 0;
  gconstpointer data = body ? g_bytes_get_data (body, &size) : NULL;
  g_autoptr (GstEvent) back =
      body ? gst_datahub_format_decode_event (data, size) : NULL;
  if (back)
    return g_steal_pointer (&body);
  gst_datahub_left_out_note (left, name, size,
      "has no text that fits the %u bytes of a record and that a reader takes",
      GST_DATAHUB_BODY_MAX);
  return NULL;
}

/* All of them are in each record of tags, so not all can be kept. */
static void
keep_sticky (GstEvent *event, GBytes *body, GstDatahubEventState *state,
    GstDatahubWriter *writer)
{
  guint removed = gst_datahub_sticky_put (&state->sticky, event, body);
  for (guint i = 0; i < removed; i++)
    gst_datahub_left_out_note (gst_datahub_writer_get_left_out (writer),
        "An earlier sticky event", 0,
        "is no longer kept for consumers that join later: there are more than "
        "%u, or more than %u bytes of them",
        GST_DATAHUB_STICKY_MAX, GST_DATAHUB_STICKY_BYTES_MAX);
}

static GstFlowReturn
write_other (GstEvent *event, GstDatahubEventState *state,
    GstDatahubWriter *writer)
{
  g_autofree gchar *name = describe (event);
  g_autoptr (GBytes) body =
      other_body (event, name, gst_datahub_writer_get_left_out (writer));
  GstFlowReturn flow;
  if (!body)
    return GST_FLOW_OK;
  if (!GST_EVENT_IS_STICKY (event)) {
    flow =
        gst_datahub_writer_write_optional (writer, DATAHUB_RECORD_EVENT, body);
  } else {
    keep_sticky (event, body, state, writer);
    flow = write_in_force (state, writer);
  }
  if (flow != GST_FLOW_CUSTOM_SUCCESS)
    return flow;
  note_no_space (writer, name);
  return GST_FLOW_OK;
}

/* Without caps no consumer understands the stream. */
static GstFlowReturn
write_caps (GstEvent *event, GstDatahubWriter *writer)
{
  g_autoptr (GBytes) body = caps_body (event);
  gsize size = 0;
  gconstpointer data = body ? g_bytes_get_data (body, &size) : NULL;
  g_autoptr (GstCaps) back = gst_datahub_format_decode_caps (data, size);
  if (back)
    return gst_datahub_writer_write_body (writer, DATAHUB_RECORD_CAPS, body);
  gst_datahub_writer_refuse_caps (writer, size);
  return GST_FLOW_ERROR;
}

static GstFlowReturn
write_segment (GstEvent *event, GstDatahubWriter *writer)
{
  g_autoptr (GBytes) body = segment_body (event);
  GstSegment segment;
  gsize size;
  gconstpointer data = g_bytes_get_data (body, &size);
  if (gst_datahub_format_decode_segment (data, size, &segment))
    return gst_datahub_writer_write_body (writer, DATAHUB_RECORD_SEGMENT, body);
  gst_datahub_left_out_note (gst_datahub_writer_get_left_out (writer),
      "A segment", size,
      "is impossible, or has a format of this process alone");
  return GST_FLOW_OK;
}

static GstFlowReturn
write_one (GstEvent *event, GstDatahubEventState *state,
    GstDatahubWriter *writer)
{
  g_autoptr (GBytes) body = NULL;
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      body = stream_start_body (event, state,
          gst_datahub_writer_get_left_out (writer));
      return gst_datahub_writer_write_body (writer, DATAHUB_RECORD_STREAM_START,
          body);
    case GST_EVENT_CAPS:
      return write_caps (event, writer);
    case GST_EVENT_SEGMENT:
      return write_segment (event, writer);
    case GST_EVENT_TAG:
      return write_tags (event, state, writer);
    case GST_EVENT_EOS:
      return gst_datahub_writer_write_body (writer, DATAHUB_RECORD_EOS, NULL);
    default:
      return write_other (event, state, writer);
  }
}

/* Writes a sticky event of the elements themselves, which always crosses. */
GstFlowReturn
gst_datahub_event_write_own (GstEvent *event, GstDatahubEventState *state,
    GstDatahubWriter *writer)
{
  return write_other (event, state, writer);
}

/**
 * gst_datahub_event_write:
 * @event: a serialized event other than a GAP
 * @state: the sticky events in effect; updated
 * @wanted: which events cross
 * @writer: where to
 *
 * Returns: as gst_datahub_writer_write_buffers(); %GST_FLOW_OK for events that
 * do not cross
 */
GstFlowReturn
gst_datahub_event_write (GstEvent *event, GstDatahubEventState *state,
    GstDatahubEvents wanted, GstDatahubWriter *writer)
{
  GstFlowReturn flow;
  if (!is_wanted (event, wanted))
    return GST_FLOW_OK;
  flow = write_one (event, state, writer);
  gst_datahub_writer_count_left_out (writer);
  return flow;
}

/**
 * gst_datahub_event_write_at:
 * @event: an event that is not sticky
 * @timestamp: what it is about
 * @now: the state that applies
 * @wanted: which events cross
 * @writer: where to
 *
 * Returns: as gst_datahub_event_write()
 */
GstFlowReturn
gst_datahub_event_write_at (GstEvent *event, GstClockTime timestamp,
    const GstDatahubWriterNow *now, GstDatahubEvents wanted,
    GstDatahubWriter *writer)
{
  g_autofree gchar *name = describe (event);
  g_autoptr (GBytes) body = is_wanted (event, wanted)
      ? other_body (event, name, gst_datahub_writer_get_left_out (writer))
      : NULL;
  GstFlowReturn flow = body
      ? gst_datahub_writer_write_at (writer, now, timestamp, body)
      : GST_FLOW_OK;
  if (flow == GST_FLOW_CUSTOM_SUCCESS) {
    note_no_space (writer, name);
    flow = GST_FLOW_OK;
  }
  gst_datahub_writer_count_left_out (writer);
  return flow;
}
