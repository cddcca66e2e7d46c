/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests: gst-events, gst-joiners */
#include "gstdatahubevents.h"
#include "gstdatahubformat.h"

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

static GBytes *
stream_start_body (GstEvent *event, GstDatahubEventState *state)
{
  gst_datahub_event_state_clear (state); /* its contents belong to one stream */
  return gst_datahub_format_encode_stream_start (event, state->pipeline);
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

static GBytes *
tags_body (GstEvent *event, GstDatahubEventState *state)
{
  GstTagList *tags;
  gst_event_parse_tag (event, &tags);
  gst_tag_list_replace (gst_tag_list_get_scope (tags) == GST_TAG_SCOPE_GLOBAL
          ? &state->global_tags
          : &state->stream_tags,
      tags);
  return in_force_body (state);
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

static GstFlowReturn
write_other (GstEvent *event, GstDatahubEventState *state,
    GstDatahubWriter *writer)
{
  g_autoptr (GBytes) body = gst_datahub_format_encode_event (event);
  g_autoptr (GBytes) in_force = NULL;
  if (!body) {
    GST_WARNING ("%" GST_PTR_FORMAT " cannot be written as text", event);
    return GST_FLOW_OK;
  }
  if (!GST_EVENT_IS_STICKY (event))
    return gst_datahub_writer_write_body (writer, DATAHUB_RECORD_EVENT, body);
  gst_datahub_sticky_put (&state->sticky, event, body);
  in_force = in_force_body (state);
  return gst_datahub_writer_write_body (writer, DATAHUB_RECORD_TAGS, in_force);
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
  g_autoptr (GBytes) body = NULL;
  DatahubRecordType type;
  if (!is_wanted (event, wanted))
    return GST_FLOW_OK;
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      type = DATAHUB_RECORD_STREAM_START;
      body = stream_start_body (event, state);
      break;
    case GST_EVENT_CAPS:
      type = DATAHUB_RECORD_CAPS;
      body = caps_body (event);
      break;
    case GST_EVENT_SEGMENT:
      type = DATAHUB_RECORD_SEGMENT;
      body = segment_body (event);
      break;
    case GST_EVENT_TAG:
      type = DATAHUB_RECORD_TAGS;
      body = tags_body (event, state);
      break;
    case GST_EVENT_EOS:
      type = DATAHUB_RECORD_EOS;
      break;
    default:
      return write_other (event, state, writer);
  }
  return gst_datahub_writer_write_body (writer, type, body);
}
