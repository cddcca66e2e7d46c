/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every record refers to the sticky records in effect when it was committed. A
 * reader that joins later, or was lapped, first reads those that it does not
 * know. So caps are always complete, and no sticky record is passed on
 * twice.
 * Tests: gst-events, gst-joiners, gst-delivery */
#include "gstdatahubreader.h"
#include "gstdatahublease.h"
#include "gstdatahubmeta.h"

#include <string.h>

/**
 * gst_datahub_reader_init:
 * @reader: (inout): a reader, or all zero
 * @consumer: borrowed: what to read
 * @feed: borrowed: where the events go
 */
void
gst_datahub_reader_init (GstDatahubReader *reader, DatahubConsumer *consumer,
    GstDatahubFeed *feed)
{
  GstDatahubReaderStats stats = reader->stats;
  gst_datahub_reader_clear (reader);
  *reader =
      (GstDatahubReader){ .consumer = consumer, .feed = feed, .stats = stats };
  gst_datahub_reader_start_over (reader);
}

/* May be used again after an init. */
void
gst_datahub_reader_clear (GstDatahubReader *reader)
{
  reader->consumer = NULL;
  g_clear_pointer (&reader->in_force, g_bytes_unref);
}

/**
 * gst_datahub_reader_start_over:
 * @reader: a reader
 *
 * The sticky records are passed on again, as after joining.
 */
void
gst_datahub_reader_start_over (GstDatahubReader *reader)
{
  for (guint i = 0; i < DATAHUB_N_CONTEXTS; i++)
    reader->context[i] = DATAHUB_NONE;
  g_clear_pointer (&reader->in_force, g_bytes_unref);
}

static GstFlowReturn
damaged (const DatahubView *view, const gchar *what, DatahubError *error)
{
  error->code = DATAHUB_ERROR_CORRUPT;
  g_snprintf (error->message, sizeof error->message,
      "Record %" G_GUINT64_FORMAT " is damaged: it has no valid %s.",
      view->sequence, what);
  return GST_FLOW_ERROR;
}

static GstFlowReturn
tell_stream_start (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  g_auto (GstDatahubStreamStart) start = { 0 };
  if (!gst_datahub_format_decode_stream_start (view->meta, view->meta_size,
          &start))
    return damaged (view, "stream-start", error);
  gst_datahub_feed_push_stream_start (reader->feed, &start);
  return GST_FLOW_OK;
}

static GstFlowReturn
tell_caps (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  GstCaps *caps = gst_datahub_format_decode_caps (view->meta, view->meta_size);
  if (!caps)
    return damaged (view, "caps", error);
  gst_datahub_feed_push_caps (reader->feed, caps);
  return GST_FLOW_OK;
}

static GstFlowReturn
tell_segment (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  GstSegment segment;
  if (!gst_datahub_format_decode_segment (view->meta, view->meta_size,
          &segment))
    return damaged (view, "segment", error);
  gst_datahub_feed_set_segment (reader->feed, &segment);
  return GST_FLOW_OK;
}

static void
tell_event_body (GstDatahubReader *reader, const DatahubView *view,
    GstDatahubPiece body)
{
  GstEvent *event = gst_datahub_format_decode_event (body.data, body.size);
  if (event)
    gst_datahub_feed_push_event (reader->feed, event);
  else /* a newer producer may write events that are unknown here */
    GST_WARNING ("record %" G_GUINT64_FORMAT " contains an unknown event",
        view->sequence);
}

/* One of the two lists; none where it is empty. */
static GstFlowReturn
tell_tag_list (GstDatahubReader *reader, const DatahubView *view,
    const GstDatahubPiece *text, GstTagScope scope, DatahubError *error)
{
  GstTagList *tags;
  if (!gst_datahub_format_decode_tag_list (text->data, text->size, scope,
          &tags))
    return damaged (view, "tags", error);
  if (tags)
    gst_datahub_feed_push_event (reader->feed, gst_event_new_tag (tags));
  return GST_FLOW_OK;
}

/* Passes on the events that were not in the previous record of tags. */
static GstFlowReturn
tell_news (GstDatahubReader *reader, const DatahubView *view,
    const GstDatahubInForce *now, const GstDatahubInForce *before,
    DatahubError *error)
{
  static const GstTagScope scopes[] = { GST_TAG_SCOPE_STREAM,
    GST_TAG_SCOPE_GLOBAL };
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; i < G_N_ELEMENTS (scopes) && flow == GST_FLOW_OK; i++)
    if (!before || !gst_datahub_piece_equal (&now->tags[i], &before->tags[i]))
      flow = tell_tag_list (reader, view, &now->tags[i], scopes[i], error);
  for (guint i = 0; i < now->n_events && flow == GST_FLOW_OK; i++)
    if (!before || !gst_datahub_sticky_has (before, &now->events[i]))
      tell_event_body (reader, view, gst_datahub_sticky_body (&now->events[i]));
  return flow;
}

static gboolean
decode_in_force (GBytes *record, GstDatahubInForce *in_force)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (record, &size);
  return gst_datahub_sticky_decode (data, size, in_force);
}

static GstFlowReturn
tell_tags (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  g_autoptr (GBytes) told = NULL;
  GstDatahubInForce now, before;
  gboolean again;
  if (view->meta_size > GST_DATAHUB_STICKY_SIZE_MAX)
    return damaged (view, "tags", error);
  told = g_steal_pointer (&reader->in_force);
  reader->in_force = g_bytes_new (view->meta, view->meta_size);
  if (!decode_in_force (reader->in_force, &now)) {
    g_clear_pointer (&reader->in_force, g_bytes_unref);
    return damaged (view, "tags", error);
  }
  /* the same record again: its producer repeated the tags */
  again = told && g_bytes_equal (told, reader->in_force);
  if (again)
    now.n_events = 0;
  if (told)
    decode_in_force (told, &before);
  return tell_news (reader, view, &now, told && !again ? &before : NULL, error);
}

static GstFlowReturn (*const tell[DATAHUB_N_CONTEXTS]) (
    GstDatahubReader *reader, const DatahubView *view, DatahubError *error) = {
  [DATAHUB_CONTEXT_STREAM_START] = tell_stream_start,
  [DATAHUB_CONTEXT_CAPS] = tell_caps,
  [DATAHUB_CONTEXT_SEGMENT] = tell_segment,
  [DATAHUB_CONTEXT_TAGS] = tell_tags,
};

static GstFlowReturn
tell_context (GstDatahubReader *reader, guint context, const DatahubView *view,
    DatahubError *error)
{
  if (reader->context[context] == view->sequence)
    return GST_FLOW_OK;
  reader->context[context] = view->sequence;
  return tell[context](reader, view, error);
}

/* Passes on the sticky records of @view that are new. */
static GstFlowReturn
catch_up (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  for (guint i = 0; i < DATAHUB_N_CONTEXTS; i++) {
    DatahubView sticky;
    GstFlowReturn flow;
    DatahubResult result;
    if (view->context[i] == DATAHUB_NONE
        || view->context[i] == reader->context[i])
      continue;
    result = datahub_consumer_get_context (reader->consumer, view,
        (DatahubContext) i, &sticky, error);
    if (result == DATAHUB_ERROR_NOT_FOUND)
      continue;
    if (result != DATAHUB_OK) {
      error->code = result;
      return GST_FLOW_ERROR;
    }
    flow = tell_context (reader, i, &sticky, error);
    if (flow != GST_FLOW_OK)
      return flow;
  }
  return GST_FLOW_OK;
}

/* Takes the lease of @view. */
static GstBuffer *
make_buffer (GstDatahubReader *reader, const DatahubView *view)
{
  GstBuffer *buffer = gst_buffer_new ();
  gboolean lease = view->n_memories > 0 && !view->must_copy;
  if (lease)
    gst_datahub_lease_append (buffer, reader->consumer, view);
  else
    gst_datahub_lease_append_copy (buffer, view);
  if (view->meta_size)
    reader->stats.metas_refused +=
        gst_datahub_meta_decode (buffer, view->meta, view->meta_size);
  if (!lease)
    datahub_consumer_end_read (reader->consumer, view);
  *(view->must_copy ? &reader->stats.copied : &reader->stats.zero_copy) += 1;
  GST_BUFFER_PTS (buffer) = view->pts;
  GST_BUFFER_DTS (buffer) = view->dts;
  GST_BUFFER_DURATION (buffer) = view->duration;
  GST_BUFFER_OFFSET (buffer) = view->offset;
  GST_BUFFER_OFFSET_END (buffer) = view->offset_end;
  GST_BUFFER_FLAG_SET (buffer, gst_datahub_format_decode_flags (view->flags));
  return buffer;
}

static GstFlowReturn
tell_other (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  switch (view->type) {
    case DATAHUB_RECORD_STREAM_START:
    case DATAHUB_RECORD_CAPS:
    case DATAHUB_RECORD_SEGMENT:
    case DATAHUB_RECORD_TAGS:
      return tell_context (reader,
          (guint) view->type - DATAHUB_RECORD_STREAM_START, view, error);
    case DATAHUB_RECORD_GAP:
      gst_datahub_feed_push_gap (reader->feed, view);
      return GST_FLOW_OK;
    case DATAHUB_RECORD_EOS:
      return GST_FLOW_EOS;
    default:
      tell_event_body (reader, view,
          (GstDatahubPiece){ view->meta, view->meta_size });
      return GST_FLOW_OK;
  }
}

/**
 * gst_datahub_reader_take_view:
 * @reader: a reader
 * @view: (transfer full): a leased record
 * @buffer: (out): the buffer, where the record is one; else %NULL
 * @error: (out): why it failed
 *
 * Passes on the sticky records of the record, then the record.
 *
 * Returns: %GST_FLOW_OK; %GST_FLOW_EOS for the end; what a function returned;
 *   %GST_FLOW_ERROR with @error set
 */
GstFlowReturn
gst_datahub_reader_take_view (GstDatahubReader *reader, const DatahubView *view,
    GstBuffer **buffer, DatahubError *error)
{
  GstFlowReturn flow = catch_up (reader, view, error);
  *buffer = NULL;
  if (flow == GST_FLOW_OK && view->type == DATAHUB_RECORD_BUFFER) {
    *buffer = make_buffer (reader, view);
    return GST_FLOW_OK;
  }
  if (flow == GST_FLOW_OK)
    flow = tell_other (reader, view, error);
  datahub_consumer_end_read (reader->consumer, view);
  return flow;
}

/**
 * gst_datahub_reader_take_sticky:
 * @reader: a reader that has read all records
 * @error: (out): why it failed
 *
 * For a consumer that joined after the last buffer: passes on the current
 * sticky records, also the end of the stream. Records that the reader has not
 * reached are passed on later, in order.
 *
 * Returns: as gst_datahub_reader_take_view()
 */
GstFlowReturn
gst_datahub_reader_take_sticky (GstDatahubReader *reader, DatahubError *error)
{
  static const DatahubRecordType types[] = { DATAHUB_RECORD_STREAM_START,
    DATAHUB_RECORD_CAPS, DATAHUB_RECORD_SEGMENT, DATAHUB_RECORD_TAGS,
    DATAHUB_RECORD_EOS };
  DatahubConsumerStats stats;
  GstFlowReturn flow = GST_FLOW_OK;
  datahub_consumer_get_stats (reader->consumer, &stats);
  for (guint i = 0; i < G_N_ELEMENTS (types) && flow == GST_FLOW_OK; i++) {
    DatahubView view;
    if (datahub_consumer_read_sticky (reader->consumer, types[i], &view, NULL)
        != DATAHUB_OK)
      continue;
    if (view.sequence < stats.cursor)
      flow = tell_other (reader, &view, error);
    datahub_consumer_end_read (reader->consumer, &view);
  }
  return flow;
}
