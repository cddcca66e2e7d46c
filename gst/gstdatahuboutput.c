/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sticky events describe the stream: they are written as soon as there is a block,
 * so that consumers which attach in PAUSED have a complete description. All other
 * records belong to a place in the stream. They are not written before the sink
 * plays and the wanted consumers are attached, which would miss them.
 * Tests: gst-events, gst-joiners, gst-headers */
#include "gstdatahuboutput.h"
#include "gstdatahubeventtimes.h"
#include "gstdatahubstreamheader.h"
#include "gstdatahubwanted.h"

void
gst_datahub_output_init (GstDatahubOutput *output, GstBaseSink *sink)
{
  *output = (GstDatahubOutput){ .sink = sink };
  g_queue_init (&output->pending);
  g_queue_init (&output->waiting);
  g_queue_init (&output->sudden);
}

/* A stream begins; @pipeline is this run of the pipeline. */
void
gst_datahub_output_begin (GstDatahubOutput *output, guint64 pipeline)
{
  output->events.pipeline = pipeline;
  output->clock_map = (GstDatahubClockMap){ 0 };
  output->medium = (GstDatahubMedium){ 0 };
  output->live_known = output->restricted = FALSE;
  g_atomic_int_set (&output->retell, TRUE);
}

static void
clear_events (GQueue *queue)
{
  g_queue_clear_full (queue, (GDestroyNotify) gst_event_unref);
}

static void
clear_sudden (GstDatahubOutput *output)
{
  GST_OBJECT_LOCK (output->sink);
  clear_events (&output->sudden);
  g_atomic_int_set (&output->n_sudden, 0);
  GST_OBJECT_UNLOCK (output->sink);
}

/* The streaming thread has ended. */
void
gst_datahub_output_end (GstDatahubOutput *output)
{
  clear_events (&output->pending);
  clear_events (&output->waiting);
  clear_sudden (output);
  gst_datahub_event_state_clear (&output->events);
  gst_datahub_fragments_clear (&output->fragments);
  gst_clear_event (&output->header);
  gst_datahub_units_clear (&output->units);
}

/* Upstream flushed what does not describe the stream. */
void
gst_datahub_output_flush (GstDatahubOutput *output)
{
  clear_events (&output->waiting);
  clear_sudden (output);
  gst_datahub_sticky_forget (&output->events.sticky,
      GST_EVENT_INSTANT_RATE_CHANGE);
  gst_datahub_fragments_flush (&output->fragments);
  gst_datahub_units_clear (&output->units);
  output->live_known = FALSE;
}

void
gst_datahub_output_set_caps (GstDatahubOutput *output, const GstCaps *caps)
{
  gst_datahub_fragments_set_caps (&output->fragments, caps);
  if (!output->fragments.watched)
    gst_clear_event (&output->header);
  gst_datahub_medium_set_caps (&output->medium, caps);
  gst_datahub_units_set_caps (&output->units, caps);
}

/* Asks upstream whether the stream is live. */
void
gst_datahub_output_look_live (GstDatahubOutput *output)
{
  output->live = gst_datahub_is_live (GST_BASE_SINK_PAD (output->sink));
  output->live_known = TRUE;
}

/* Writes what is held of a unit, and @last behind it. */
static GstFlowReturn
write_unit (GstDatahubOutput *output, GstDatahubWriter *writer,
    const GstDatahubWriterNow *now, GstBuffer *last)
{
  g_autoptr (GPtrArray) buffers = NULL;
  GstBuffer *buffer;
  if (last && g_queue_is_empty (&output->units.head))
    return gst_datahub_writer_write_buffers (writer, now, &last, 1);
  buffers = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  while ((buffer = g_queue_pop_head (&output->units.head)))
    g_ptr_array_add (buffers, buffer);
  if (last)
    g_ptr_array_add (buffers, gst_buffer_ref (last));
  return gst_datahub_writer_write_buffers (writer, now,
      (GstBuffer **) buffers->pdata, buffers->len);
}

/* An event is behind what is held of a unit. */
static GstFlowReturn
write_head (GstDatahubOutput *output, GstDatahubWriter *writer)
{
  g_autoptr (GstClock) clock =
      gst_element_get_clock (GST_ELEMENT_CAST (output->sink));
  GstDatahubWriterNow now = gst_datahub_output_get_now (output, clock);
  gst_datahub_units_give_up (&output->units);
  return write_unit (output, writer, &now, NULL);
}

static GstFlowReturn
write_gap (GstDatahubOutput *output, GstDatahubWriter *writer, GstEvent *event)
{
  g_autoptr (GstClock) clock =
      gst_element_get_clock (GST_ELEMENT_CAST (output->sink));
  GstDatahubWriterNow now = gst_datahub_output_get_now (output, clock);
  return gst_datahub_writer_write_gap (writer, &now, event);
}

/* Consumers answer DURATION by the segment: adds what upstream answers.
 * Returns: (transfer full): a SEGMENT */
static GstEvent *
with_duration (GstDatahubOutput *output, GstEvent *event)
{
  const GstSegment *segment;
  GstSegment longer;
  gint64 duration = -1;
  gst_event_parse_segment (event, &segment);
  if (segment->duration != GST_CLOCK_TIME_NONE
      || !gst_pad_peer_query_duration (GST_BASE_SINK_PAD (output->sink),
          segment->format, &duration)
      || duration < 0)
    return gst_event_ref (event);
  longer = *segment;
  longer.duration = (guint64) duration;
  return gst_event_new_segment (&longer);
}

static GstFlowReturn
write_segment (GstDatahubOutput *output, GstDatahubWriter *writer,
    GstDatahubEvents wanted, GstEvent *event)
{
  g_autoptr (GstEvent) known = with_duration (output, event);
  output->live_known = FALSE;
  return gst_datahub_event_write (known, &output->events, wanted, writer);
}

static GstFlowReturn
write_timed (GstDatahubOutput *output, GstDatahubWriter *writer,
    GstDatahubEvents wanted, GstEvent *event, GstClockTime timestamp)
{
  g_autoptr (GstClock) clock =
      gst_element_get_clock (GST_ELEMENT_CAST (output->sink));
  GstDatahubWriterNow now = gst_datahub_output_get_now (output, clock);
  return gst_datahub_event_write_at (event, timestamp, &now, wanted, writer);
}

static GstFlowReturn
write_any (GstDatahubOutput *output, GstDatahubWriter *writer,
    GstDatahubEvents wanted, GstEvent *event)
{
  GstClockTime timestamp;
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT)
    return write_segment (output, writer, wanted, event);
  if (GST_EVENT_TYPE (event) == GST_EVENT_GAP)
    return wanted & GST_DATAHUB_EVENTS_GAP ? write_gap (output, writer, event)
                                           : GST_FLOW_OK;
  if (!GST_EVENT_IS_STICKY (event)
      && gst_datahub_event_times_get (event, &output->sink->segment,
          &timestamp))
    return write_timed (output, writer, wanted, event, timestamp);
  return gst_datahub_event_write (event, &output->events, wanted, writer);
}

/**
 * gst_datahub_output_write_event:
 * @output: an output
 * @writer: where to
 * @wanted: which events cross
 * @event: a serialized event
 *
 * Returns: as gst_datahub_writer_write_buffers()
 */
GstFlowReturn
gst_datahub_output_write_event (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted, GstEvent *event)
{
  GstFlowReturn flow = g_queue_is_empty (&output->units.head)
      ? GST_FLOW_OK
      : write_head (output, writer);
  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
    /* it ends what is in force */
    g_atomic_int_set (&output->retell, TRUE);
    gst_clear_event (&output->header);
  }
  return flow == GST_FLOW_OK ? write_any (output, writer, wanted, event) : flow;
}

/* Muxers send the tags of a stream in front of its stream-start, which ends all that
 * was in force. So the first one goes in front, as a pad keeps them. */
static gboolean
begins_all (const GstDatahubOutput *output, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) != GST_EVENT_STREAM_START)
    return FALSE;
  for (const GList *l = output->pending.head; l; l = l->next)
    if (GST_EVENT_TYPE (l->data) == GST_EVENT_STREAM_START)
      return FALSE;
  return TRUE;
}

/* Keeps the event for write_pending() or write_due(). */
void
gst_datahub_output_hold_event (GstDatahubOutput *output, GstEvent *event)
{
  gst_event_ref (event);
  if (!gst_datahub_event_is_context (event))
    g_queue_push_tail (&output->waiting, event);
  else if (begins_all (output, event))
    g_queue_push_head (&output->pending, event);
  else
    g_queue_push_tail (&output->pending, event);
}

/* Keeps an event that is not serialized: one thread writes. Any thread. */
void
gst_datahub_output_hold_sudden (GstDatahubOutput *output, GstEvent *event)
{
  GST_OBJECT_LOCK (output->sink);
  g_queue_push_tail (&output->sudden, gst_event_ref (event));
  g_atomic_int_inc (&output->n_sudden);
  GST_OBJECT_UNLOCK (output->sink);
}

static GstFlowReturn
write_all (GstDatahubOutput *output, GstDatahubWriter *writer,
    GstDatahubEvents wanted, GQueue *queue)
{
  GstFlowReturn flow = GST_FLOW_OK;
  GstEvent *event;
  while (flow == GST_FLOW_OK && (event = g_queue_pop_head (queue))) {
    flow = gst_datahub_output_write_event (output, writer, wanted, event);
    gst_event_unref (event);
  }
  return flow;
}

/* Writes the events that describe the stream. */
GstFlowReturn
gst_datahub_output_write_pending (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted)
{
  return write_all (output, writer, wanted, &output->pending);
}

static gboolean
hold_sticky (GstPad *pad, GstEvent **event, gpointer data)
{
  if (gst_datahub_event_is_context (*event))
    gst_datahub_output_hold_event (data, *event);
  return TRUE;
}

/* The stream began in another block. */
static GstFlowReturn
write_repeated_header (GstDatahubOutput *output, GstDatahubWriter *writer,
    GstEvent *found)
{
  g_autoptr (GstCaps) caps =
      gst_pad_get_current_caps (GST_BASE_SINK_PAD (output->sink));
  g_autoptr (GstEvent) event =
      caps ? gst_datahub_stream_header_make_repeated (caps, found) : NULL;
  return event ? gst_datahub_event_write_own (event, &output->events, writer)
               : GST_FLOW_OK;
}

/* Writes all that describes the stream to another block: the sticky events of the
 * pad, and the header, which upstream does not repeat. What is held of a unit stands
 * behind it. */
GstFlowReturn
gst_datahub_output_write_again (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted)
{
  g_autoptr (GstEvent) header = g_steal_pointer (&output->header);
  GQueue head = output->units.head;
  GstFlowReturn flow;
  g_queue_init (&output->units.head);
  clear_events (&output->pending); /* of a try that failed */
  gst_pad_sticky_events_foreach (GST_BASE_SINK_PAD (output->sink), hold_sticky,
      output);
  g_atomic_int_set (&output->retell, TRUE);
  flow = gst_datahub_output_write_pending (output, writer, wanted);
  if (flow == GST_FLOW_OK)
    flow = write_repeated_header (output, writer, header);
  output->header = g_steal_pointer (&header);
  output->units.head = head;
  return flow;
}

/* Writes the events that came out of band. */
static GstFlowReturn
write_sudden (GstDatahubOutput *output, GstDatahubWriter *writer,
    GstDatahubEvents wanted)
{
  GQueue events;
  GstFlowReturn flow;
  GST_OBJECT_LOCK (output->sink);
  events = output->sudden;
  g_queue_init (&output->sudden);
  g_atomic_int_set (&output->n_sudden, 0);
  GST_OBJECT_UNLOCK (output->sink);
  flow = write_all (output, writer, wanted, &events);
  clear_events (&events);
  return flow;
}

/* Consumers refuse the upstream events that the sink excludes, if they know. As long
 * as all pass there is nothing to know. */
static GstFlowReturn
write_wanted (GstDatahubOutput *output, GstDatahubWriter *writer,
    GstDatahubEvents wanted)
{
  g_autoptr (GstEvent) event = NULL;
  g_atomic_int_set (&output->retell, FALSE);
  if (!output->restricted && (~wanted & GST_DATAHUB_EVENTS_UPSTREAM) == 0)
    return GST_FLOW_OK;
  output->restricted = TRUE;
  event = gst_datahub_wanted_make_event (wanted);
  return gst_datahub_event_write_own (event, &output->events, writer);
}

/**
 * gst_datahub_output_write_due:
 * @output: an output
 * @writer: where to
 * @wanted: which events cross
 *
 * Writes what came before the stream played, which upstream events the sink takes,
 * and what came out of band.
 *
 * Returns: as gst_datahub_writer_write_buffers()
 */
GstFlowReturn
gst_datahub_output_write_due (GstDatahubOutput *output,
    GstDatahubWriter *writer, GstDatahubEvents wanted)
{
  GstFlowReturn flow = write_all (output, writer, wanted, &output->waiting);
  if (flow == GST_FLOW_OK && g_atomic_int_get (&output->retell))
    flow = write_wanted (output, writer, wanted);
  if (flow == GST_FLOW_OK && g_atomic_int_get (&output->n_sudden))
    flow = write_sudden (output, writer, wanted);
  return flow;
}

static GstFlowReturn
write_one (GstDatahubOutput *output, GstDatahubWriter *writer,
    const GstDatahubWriterNow *now, GstBuffer *buffer)
{
  GstFlowReturn flow =
      gst_datahub_writer_write_buffers (writer, now, &buffer, 1);
  g_autoptr (GPtrArray) header =
      gst_datahub_fragments_take_header (&output->fragments);
  g_autoptr (GstCaps) caps = header
      ? gst_pad_get_current_caps (GST_BASE_SINK_PAD (output->sink))
      : NULL;
  if (flow != GST_FLOW_OK || !caps)
    return flow;
  gst_clear_event (&output->header);
  output->header = gst_datahub_stream_header_make_event (caps, header);
  return gst_datahub_event_write_own (output->header, &output->events, writer);
}

/**
 * gst_datahub_output_write_header:
 * @output: an output; its header is looked for
 * @writer: where to
 * @now: the state that applies
 * @buffers: (inout): buffers; the first that is not written yet
 * @n: (inout): how many
 *
 * Writes the buffers up to the end of the header, which is in force for the buffer
 * behind it.
 *
 * Returns: as gst_datahub_writer_write_buffers()
 */
GstFlowReturn
gst_datahub_output_write_header (GstDatahubOutput *output,
    GstDatahubWriter *writer, const GstDatahubWriterNow *now,
    GstBuffer ***buffers, guint *n)
{
  GstFlowReturn flow = GST_FLOW_OK;
  for (; *n > 0 && flow == GST_FLOW_OK && output->fragments.header;
       (*buffers)++, (*n)--)
    flow = write_one (output, writer, now, **buffers);
  return flow;
}

/**
 * gst_datahub_output_write_units:
 * @output: an output; its units have several buffers
 * @writer: where to
 * @now: the state that applies
 * @buffers: (array length=n): buffers
 * @n: how many
 *
 * The beginning of a unit may be held until the rest of it comes.
 *
 * Returns: as gst_datahub_writer_write_buffers()
 */
GstFlowReturn
gst_datahub_output_write_units (GstDatahubOutput *output,
    GstDatahubWriter *writer, const GstDatahubWriterNow *now,
    GstBuffer **buffers, guint n)
{
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; i < n && flow == GST_FLOW_OK; i++)
    if (!gst_datahub_units_hold (&output->units, buffers[i]))
      flow = write_unit (output, writer, now, buffers[i]);
  return flow;
}
