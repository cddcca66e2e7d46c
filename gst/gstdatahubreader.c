/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every record refers to the sticky records in effect when it was committed. A
 * reader that joins later, or was lapped, first reads those that it does not
 * know. So caps are always complete, and no sticky record is passed on
 * twice.
 *
 * Every result of a read is handled here; the attachment decides if the consumer
 * stays when its producer is gone.
 * Tests: gst-events, gst-joiners, gst-delivery, gst-damage */
#include "gstdatahubreader.h"
#include "gstdatahubsrccaps.h"
#include "gstdatahubunbegun.h"

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_src_debug);
#define GST_CAT_DEFAULT gst_datahub_src_debug

/**
 * gst_datahub_reader_init:
 * @reader: a reader
 * @attachment: not owned: has what is read
 * @feed: not owned: where buffers and events go
 */
void
gst_datahub_reader_init (GstDatahubReader *reader,
    GstDatahubAttachment *attachment, GstDatahubFeed *feed)
{
  *reader = (GstDatahubReader){ .attachment = attachment, .feed = feed };
}

/* The streaming thread has ended; may be used again. */
void
gst_datahub_reader_clear (GstDatahubReader *reader)
{
  reader->lost = 0;
  g_clear_pointer (&reader->in_force, g_bytes_unref);
  gst_clear_caps (&reader->unfit);
  gst_clear_caps (&reader->imposed);
}

/* ---- producers start and stop ---- */

/* The sticky records are passed on again, as after joining. */
static void
begin_producer (GstDatahubReader *reader, gboolean follows)
{
  GstDatahubSrcSettings settings =
      gst_datahub_attachment_get_settings (reader->attachment);
  for (guint i = 0; i < DATAHUB_N_CONTEXTS; i++)
    reader->context[i] = DATAHUB_NONE;
  g_clear_pointer (&reader->in_force, g_bytes_unref);
  gst_clear_caps (&reader->imposed);
  reader->stream_ordinal = 0;
  gst_datahub_origin_begin (&reader->origin, settings.origin_meta,
      reader->attachment->client->channel, reader->attachment->uuid);
  gst_datahub_feed_begin_producer (reader->feed, &settings, follows);
  reader->discont = TRUE;
  reader->warned_damaged = FALSE;
}

static GstFlowReturn
attach (GstDatahubReader *reader)
{
  gboolean follows = reader->attachment->follows; /* cleared by the seek */
  GstFlowReturn flow = gst_datahub_attachment_seek (reader->attachment);
  if (reader->attachment->consumer) {
    gst_datahub_attachment_follow_clock (reader->attachment,
        &reader->feed->clock);
    begin_producer (reader, follows);
    reader->looked = FALSE;
  }
  return flow;
}

static GstFlowReturn
rejoin (GstDatahubReader *reader)
{
  GstFlowReturn flow = gst_datahub_attachment_rejoin (reader->attachment);
  if (flow == GST_FLOW_OK)
    reader->discont = TRUE;
  return flow;
}

/* ---- records ---- */

/* The library has skipped the record and counts it. Reported once: faulty
 * memory can fail for every buffer. */
static GstFlowReturn
on_damaged (GstDatahubReader *reader, const DatahubError *error)
{
  GstElement *element = reader->attachment->element;
  GST_WARNING_OBJECT (element, "%s", error->message);
  if (!reader->warned_damaged)
    GST_ELEMENT_WARNING (element, STREAM, FORMAT,
        ("%s It was skipped. Later damaged records are skipped without a "
         "warning; `damaged` in stats counts them.",
            error->message),
        ("block %s", reader->attachment->uuid));
  reader->warned_damaged = TRUE;
  return GST_FLOW_OK;
}

static void
describe_damage (const DatahubView *view, const gchar *what,
    DatahubError *error)
{
  error->code = DATAHUB_ERROR_CORRUPT;
  g_snprintf (error->message, sizeof error->message,
      "Record %" G_GUINT64_FORMAT " is damaged: it has no valid %s.",
      view->sequence, what);
}

/* All but caps: the buffers can be used without it. */
static GstFlowReturn
skip_damaged (GstDatahubReader *reader, const DatahubView *view,
    const gchar *what)
{
  DatahubError error = { 0 };
  describe_damage (view, what, &error);
  g_mutex_lock (&reader->attachment->interrupt->lock);
  reader->attachment->counters.damaged++;
  g_mutex_unlock (&reader->attachment->interrupt->lock);
  return on_damaged (reader, &error);
}

static GstFlowReturn
tell_stream_start (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  g_auto (GstDatahubStreamStart) start = { 0 };
  if (!gst_datahub_format_decode_stream_start (view->meta, view->meta_size,
          &start))
    return skip_damaged (reader, view, "stream-start");
  reader->stream_ordinal = view->ordinal;
  gst_datahub_feed_push_stream_start (reader->feed, &start);
  return GST_FLOW_OK;
}

static GstPad *
pad_of (const GstDatahubReader *reader)
{
  return GST_BASE_SRC_PAD (reader->attachment->element);
}

static gboolean
is_imposed (const GstDatahubReader *reader, const GstCaps *caps)
{
  return reader->imposed && gst_caps_is_equal (reader->imposed, caps);
}

/* Whether downstream accepts the caps of the stream. If not, buffers are skipped
 * while the producer negotiates others. */
static gboolean
check_caps (GstDatahubReader *reader, GstCaps *caps)
{
  gboolean taken = is_imposed (reader, caps)
      || gst_datahub_src_caps_fit (pad_of (reader), caps);
  if (taken)
    reader->attachment->unfit_since = 0;
  else if (!reader->attachment->unfit_since)
    reader->attachment->unfit_since = gst_datahub_monotonic_now ();
  gst_caps_replace (&reader->unfit, taken ? NULL : caps);
  return taken;
}

/* Downstream may accept other caps than before: the producer has to know, and
 * buffers wait if the caps that were pushed do not fit any more. */
static void
restate (GstDatahubReader *reader)
{
  g_autoptr (GstCaps) pushed = gst_pad_get_current_caps (pad_of (reader));
  gst_datahub_attachment_state_limits (reader->attachment);
  if (pushed && !reader->unfit)
    check_caps (reader, pushed);
}

static GstFlowReturn
tell_caps (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  GstCaps *caps = gst_datahub_format_decode_caps (view->meta, view->meta_size);
  if (!caps) {
    describe_damage (view, "caps", error);
    return GST_FLOW_ERROR;
  }
  if (!check_caps (reader, caps)) {
    gst_caps_unref (caps);
    return GST_FLOW_OK;
  }
  gst_datahub_feed_push_caps (reader->feed, caps,
      reader->catching_up ? reader->stream_ordinal : view->ordinal);
  return GST_FLOW_OK;
}

static GstFlowReturn
tell_segment (GstDatahubReader *reader, const DatahubView *view,
    DatahubError *error)
{
  GstSegment segment;
  if (!gst_datahub_format_decode_segment (view->meta, view->meta_size,
          &segment))
    return skip_damaged (reader, view, "segment");
  gst_datahub_feed_set_segment (reader->feed, &segment);
  return GST_FLOW_OK;
}

static void
tell_event_body (GstDatahubReader *reader, const DatahubView *view,
    GstDatahubPiece body)
{
  GstEvent *event = gst_datahub_format_decode_event (body.data, body.size);
  if (event && view->type == DATAHUB_RECORD_EVENT
      && GST_CLOCK_TIME_IS_VALID (view->pts))
    gst_datahub_feed_push_timed_event (reader->feed, event, view);
  else if (event)
    gst_datahub_feed_push_event (reader->feed, event);
  else /* a newer producer may write events that are unknown here */
    skip_damaged (reader, view, "event that this version knows");
}

/* One of the two lists; none where it is empty. */
static GstFlowReturn
tell_tag_list (GstDatahubReader *reader, const DatahubView *view,
    const GstDatahubPiece *text, GstTagScope scope)
{
  GstTagList *tags;
  if (!gst_datahub_format_decode_tag_list (text->data, text->size, scope,
          &tags))
    return skip_damaged (reader, view, "tags");
  if (tags)
    gst_datahub_feed_push_event (reader->feed, gst_event_new_tag (tags));
  return GST_FLOW_OK;
}

/* Passes on the events that were not in the previous record of tags. */
static GstFlowReturn
tell_news (GstDatahubReader *reader, const DatahubView *view,
    const GstDatahubInForce *now, const GstDatahubInForce *before)
{
  static const GstTagScope scopes[] = { GST_TAG_SCOPE_STREAM,
    GST_TAG_SCOPE_GLOBAL };
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; i < G_N_ELEMENTS (scopes) && flow == GST_FLOW_OK; i++)
    if (!before || !gst_datahub_piece_equal (&now->tags[i], &before->tags[i]))
      flow = tell_tag_list (reader, view, &now->tags[i], scopes[i]);
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
    return skip_damaged (reader, view, "tags");
  told = g_steal_pointer (&reader->in_force);
  reader->in_force = g_bytes_new (view->meta, view->meta_size);
  if (!decode_in_force (reader->in_force, &now)) {
    g_clear_pointer (&reader->in_force, g_bytes_unref);
    return skip_damaged (reader, view, "tags");
  }
  /* the same record again: its producer repeated the tags */
  again = told && g_bytes_equal (told, reader->in_force);
  if (again)
    now.n_events = 0;
  if (told)
    decode_in_force (told, &before);
  return tell_news (reader, view, &now, told && !again ? &before : NULL);
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

static gboolean
is_damage (DatahubResult result)
{
  return result == DATAHUB_ERROR_CHECKSUM || result == DATAHUB_ERROR_CORRUPT;
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
    result = datahub_consumer_get_context (reader->attachment->consumer, view,
        (DatahubContext) i, &sticky, error);
    if (result == DATAHUB_ERROR_NOT_FOUND) {
      error->code = DATAHUB_OK; /* there is none, which is no failure */
      continue;
    }
    if (i != DATAHUB_CONTEXT_CAPS && is_damage (result)) {
      reader->context[i] = view->context[i];
      error->code = DATAHUB_OK;
      skip_damaged (reader, view, "tags, segment or stream-start in force");
      continue;
    }
    if (result != DATAHUB_OK)
      return GST_FLOW_ERROR;
    reader->catching_up = sticky.sequence != view->sequence;
    flow = tell_context (reader, i, &sticky, error);
    reader->catching_up = FALSE;
    if (flow != GST_FLOW_OK)
      return flow;
  }
  return GST_FLOW_OK;
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

/* What was read has been passed on: posts @error if it failed. */
static GstFlowReturn
finish (GstDatahubReader *reader, GstFlowReturn flow, const DatahubError *error,
    const gchar *doing)
{
  if (error->code)
    gst_datahub_client_post_error (reader->attachment->element, error, doing);
  if (flow == GST_FLOW_EOS)
    gst_datahub_feed_push_held (reader->feed);
  return flow;
}

/* A producer that adopted the block begins another stream, as a producer of
 * another block does. */
static void
meet_producer (GstDatahubReader *reader, const DatahubView *view)
{
  if (!gst_datahub_attachment_has_met (reader->attachment, view->incarnation)
      && gst_datahub_attachment_meet (reader->attachment, view->incarnation))
    begin_producer (reader, FALSE);
}

/* The producer does not negotiate others. An element's answer to a CAPS query may be
 * narrower than what it takes. Without this hop it would get the caps: it decides.
 *
 * Returns: whether it takes them */
static gboolean
impose_caps (GstDatahubReader *reader)
{
  if (!reader->unfit
      || !gst_datahub_src_caps_are_taken (pad_of (reader), reader->unfit))
    return FALSE;
  gst_caps_replace (&reader->imposed, reader->unfit);
  gst_clear_caps (&reader->unfit);
  reader->attachment->unfit_since = 0;
  gst_datahub_feed_push_caps (reader->feed, gst_caps_ref (reader->imposed),
      reader->stream_ordinal);
  return TRUE;
}

static GstFlowReturn
refuse_caps (GstDatahubReader *reader)
{
  gst_datahub_src_caps_post_refused (reader->attachment->element,
      pad_of (reader), reader->unfit);
  return GST_FLOW_ERROR;
}

static GstFlowReturn
end_patience (GstDatahubReader *reader)
{
  return impose_caps (reader) ? GST_FLOW_OK : refuse_caps (reader);
}

/* A record of caps that downstream does not accept. Releases its lease. */
static GstFlowReturn
skip_unfit (GstDatahubReader *reader, const DatahubView *view)
{
  datahub_consumer_end_read (reader->attachment->consumer, view);
  reader->discont = TRUE;
  if (view->type == DATAHUB_RECORD_BUFFER)
    gst_datahub_attachment_note_skipped (reader->attachment, reader->unfit);
  if (view->type == DATAHUB_RECORD_EOS)
    return refuse_caps (reader);
  return gst_datahub_attachment_is_unfit (reader->attachment)
      ? end_patience (reader)
      : GST_FLOW_OK;
}

static gboolean
needs_caps (DatahubRecordType type)
{
  return type == DATAHUB_RECORD_BUFFER || type == DATAHUB_RECORD_GAP
      || type == DATAHUB_RECORD_EOS;
}

/* Passes on the sticky records of the record, then the record. Takes the lease
 * of @view. */
static GstFlowReturn
take_view (GstDatahubReader *reader, const DatahubView *view,
    GstBuffer **buffer)
{
  DatahubConsumer *consumer = reader->attachment->consumer;
  DatahubError error = { 0 };
  GstFlowReturn flow;
  reader->looked = TRUE;
  meet_producer (reader, view);
  reader->discont |= view->discont;
  reader->lost += view->lost;
  flow = catch_up (reader, view, &error);
  if (flow == GST_FLOW_OK && reader->attachment->unfit_since
      && needs_caps (view->type))
    return skip_unfit (reader, view);
  if (flow == GST_FLOW_OK && view->type == DATAHUB_RECORD_BUFFER)
    return gst_datahub_feed_make_buffer (reader->feed, consumer, view, buffer);
  if (flow == GST_FLOW_OK)
    flow = tell_other (reader, view, &error);
  datahub_consumer_end_read (consumer, view);
  return finish (reader, flow, &error, "reading");
}

/* No record was read yet: a consumer that joined after the last buffer still
 * gets the sticky records, also the end of the stream. Records that the reader
 * has not reached are passed on later, in order. */
static GstFlowReturn
take_sticky (GstDatahubReader *reader)
{
  static const DatahubRecordType types[] = { DATAHUB_RECORD_STREAM_START,
    DATAHUB_RECORD_CAPS, DATAHUB_RECORD_SEGMENT, DATAHUB_RECORD_TAGS,
    DATAHUB_RECORD_EOS };
  DatahubConsumer *consumer = reader->attachment->consumer;
  DatahubConsumerStats stats;
  DatahubError error = { 0 };
  GstFlowReturn flow = GST_FLOW_OK;
  reader->looked = TRUE;
  if (!gst_datahub_unbegun_has_stream (consumer)) {
    gst_datahub_attachment_await_stream (reader->attachment);
    return GST_FLOW_OK;
  }
  datahub_consumer_get_stats (consumer, &stats);
  for (guint i = 0; i < G_N_ELEMENTS (types) && flow == GST_FLOW_OK; i++) {
    DatahubView view;
    if (datahub_consumer_read_sticky (consumer, types[i], &view, NULL)
        != DATAHUB_OK)
      continue;
    reader->catching_up = TRUE;
    if (view.sequence < stats.cursor)
      flow = tell_other (reader, &view, &error);
    reader->catching_up = FALSE;
    datahub_consumer_end_read (consumer, &view);
  }
  return finish (reader, flow, &error, "reading the sticky records");
}

/* A new consumer first checks for a record without waiting. */
static DatahubResult
read_view (GstDatahubReader *reader, DatahubView *view, DatahubError *error)
{
  return reader->looked
      ? gst_datahub_attachment_read (reader->attachment, view, error)
      : datahub_consumer_begin_read (reader->attachment->consumer, 0, view,
          error);
}

/**
 * gst_datahub_reader_read:
 * @reader: a reader
 * @view: (out): the record of @buffer, without its lease
 * @buffer: (inout): %NULL; the buffer, if the record is one
 *
 * Attaches, or reads one record and passes it on. Waits for a limited time.
 *
 * Returns: %GST_FLOW_OK to read again if there is no buffer; %GST_FLOW_EOS at
 *     the end; another flow if the wait was interrupted or an error was posted
 */
GstFlowReturn
gst_datahub_reader_read (GstDatahubReader *reader, DatahubView *view,
    GstBuffer **buffer)
{
  GstDatahubAttachment *attachment = reader->attachment;
  DatahubError error = { 0 };
  DatahubResult result;
  if (!attachment->consumer)
    return attach (reader);
  if (g_atomic_int_compare_and_exchange (&reader->restate, TRUE, FALSE))
    restate (reader);
  result = read_view (reader, view, &error);
  switch (result) {
    case DATAHUB_OK:
      gst_datahub_attachment_follow_clock (attachment, &reader->feed->clock);
      return take_view (reader, view, buffer);
    case DATAHUB_TIMEOUT:
      if (gst_datahub_attachment_is_unfit (attachment))
        return end_patience (reader);
      return reader->looked ? gst_datahub_attachment_on_lull (attachment)
                            : take_sticky (reader);
    case DATAHUB_INTERRUPTED:
      return gst_datahub_attachment_on_interrupt (attachment);
    case DATAHUB_CLOSED:
    case DATAHUB_PRODUCER_LOST:
      return gst_datahub_attachment_on_end (attachment, result);
    case DATAHUB_EVICTED:
      return rejoin (reader);
    case DATAHUB_ERROR_CHECKSUM:
      return on_damaged (reader, &error);
    default:
      return finish (reader, GST_FLOW_ERROR, &error, "reading");
  }
}

/**
 * gst_datahub_reader_post_lost:
 * @reader: a reader that has lost buffers
 * @buffer: the one behind them
 *
 * Posts a message about them.
 */
void
gst_datahub_reader_post_lost (GstDatahubReader *reader, GstBuffer *buffer)
{
  GstDatahubAttachment *attachment = reader->attachment;
  GstElement *element = attachment->element;
  GstBaseSrc *base = reader->feed->src;
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  const GstSegment *segment = &reader->feed->timeline.out;
  gboolean timed =
      segment->format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID (pts);
  DatahubConsumerStats stats;
  GstDatahubAttachmentCounters counters;
  GstMessage *message;
  datahub_consumer_get_stats (attachment->consumer, &stats);
  g_mutex_lock (&attachment->interrupt->lock);
  counters = attachment->counters;
  g_mutex_unlock (&attachment->interrupt->lock);
  GST_INFO_OBJECT (element, "%" G_GUINT64_FORMAT " buffers were lost",
      reader->lost);
  reader->lost = 0;
  message = gst_message_new_qos (GST_OBJECT_CAST (element),
      gst_base_src_is_live (base),
      timed ? gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts)
            : GST_CLOCK_TIME_NONE,
      timed ? gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts)
            : GST_CLOCK_TIME_NONE,
      pts, GST_BUFFER_DURATION (buffer));
  gst_message_set_qos_stats (message, GST_FORMAT_BUFFERS,
      counters.received + stats.received, counters.lost + stats.lost);
  gst_element_post_message (element, message);
}

/* The limits are stated again before the next read. Any thread. */
void
gst_datahub_reader_restate (GstDatahubReader *reader)
{
  g_atomic_int_set (&reader->restate, TRUE);
  gst_datahub_interrupt_poke (reader->attachment->interrupt);
}
