/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests: gst-buffers, gst-stopping, gst-full, gst-latency */
/**
 * SECTION:element-datahubsink
 * @title: datahubsink
 * @short_description: shares a stream with other processes
 *
 * datahubsink publishes a stream of any caps as a DataBlock in shared memory,
 * under the name in #GstDatahubSink:datablock. Any number of datahubsrc
 * elements in other processes read it without a copy. The processes can start
 * in any order.
 *
 * If upstream uses the buffer pool or the allocator that datahubsink proposes, it
 * writes directly into shared memory; other buffers are copied once. If a frame is
 * bigger than a slot, the block grows.
 *
 * A live consumer never slows the pipeline down. A reliable consumer can block
 * the pipeline for at most #GstDatahubSink:block-timeout; then it is evicted.
 *
 * With #GstDatahubSink:wait-for-consumers the first buffer waits, and what is
 * behind it; an EOS that is sent to the pipeline ends the wait.
 *
 * In addition to its signals, datahubsink posts element messages:
 * "consumer-added" with "id" and "name", and "consumer-removed" with "id",
 * "name" and "reason" (left, died or evicted).
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! video/x-raw,width=1280,height=720 ! datahubsink datablock=cam0
 * ]| Shares a test picture. Show it with
 * |[
 * gst-launch-1.0 datahubsrc datablock=cam0 ! videoconvert ! autovideosink
 * ]|
 * |[
 * gst-launch-1.0 filesrc location=film.mp4 ! decodebin ! datahubsink datablock=film wait-for-consumers=1 sync=false
 * ]| Shares a film at full speed, starting when one consumer is attached.
 */
#include "gstdatahubsink.h"
#include "gstdatahubdemandstream.h"
#include "gstdatahubgroup.h"
#include "gstdatahubpool.h"
#include "gstdatahubrenewal.h"
#include "gstdatahubsinkcaps.h"
#include "gstdatahubsinksettings.h"
#include "gstdatahuburi.h"

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

struct _GstDatahubSink
{
  GstBaseSink parent;

  GstDatahubClient client;
  GstDatahubSinkSettings settings; /* object lock */

  GstDatahubPublication publication;
  GstDatahubSinkCaps caps;
  GstDatahubDemand demand;

  /* The streaming thread's. */
  GstDatahubOutput output;
  GstDatahubRenewal renewal;
  GstDatahubGroup *group;
  gboolean failed; /* no block will be made, and the error was posted */
};

G_DEFINE_TYPE_WITH_CODE (GstDatahubSink, gst_datahub_sink, GST_TYPE_BASE_SINK,
    G_IMPLEMENT_INTERFACE (GST_TYPE_URI_HANDLER, gst_datahub_uri_init_sink))
GST_ELEMENT_REGISTER_DEFINE (datahubsink, "datahubsink", GST_RANK_NONE,
    GST_TYPE_DATAHUB_SINK)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstDatahubSinkSettings
get_settings (GstDatahubSink *self)
{
  return gst_datahub_sink_settings_read (GST_ELEMENT_CAST (self),
      &self->settings);
}

/* ---- making the block ---- */

/* The known sticky events are written before the block becomes visible, so that
 * consumers get a complete description. */
static GstFlowReturn
try_make_block (GstDatahubSink *self, GstDatahubSlotSize size, GstCaps *caps,
    gboolean in_render)
{
  DatahubProducerOptions options;
  GstFlowReturn flow;
  gst_datahub_sink_settings_fill (GST_ELEMENT_CAST (self), &self->settings,
      size, &options);
  flow =
      gst_datahub_publication_create (&self->publication, &options, in_render);
  if (flow == GST_FLOW_OK)
    flow = gst_datahub_output_write_pending (&self->output,
        self->publication.writer, get_settings (self).events);
  if (flow == GST_FLOW_OK)
    flow = gst_datahub_publication_publish (&self->publication);
  if (flow != GST_FLOW_OK)
    return flow;
  GST_INFO_OBJECT (self,
      "published %s with slots of %" G_GUINT64_FORMAT " bytes",
      self->client.channel, options.slot_size);
  gst_datahub_publication_register (&self->publication, caps);
  return flow;
}

/* Upstream tries again after a failure; the error is posted only once. */
static GstFlowReturn
make_block (GstDatahubSink *self, GstDatahubSlotSize size, GstCaps *caps,
    gboolean in_render)
{
  GstFlowReturn flow = self->failed
      ? GST_FLOW_ERROR
      : try_make_block (self, size, caps, in_render);
  self->failed |= flow == GST_FLOW_ERROR;
  return flow;
}

/* Returns %GST_FLOW_CUSTOM_SUCCESS if the preroll lock is wanted. */
static GstFlowReturn
ensure_block (GstDatahubSink *self, GstBuffer *buffer)
{
  g_autoptr (GstCaps) caps = NULL;
  if (self->failed)
    return GST_FLOW_ERROR;
  if (self->publication.writer)
    return GST_FLOW_OK;
  caps = gst_pad_get_current_caps (GST_BASE_SINK_PAD (self));
  return make_block (self, gst_datahub_slot_size_from_buffer (buffer), caps,
      TRUE);
}

/* Begins again after a pause. */
static GstFlowReturn
ensure_block_in_play (GstDatahubSink *self, GstBuffer *buffer)
{
  GstFlowReturn flow;
  while ((flow = ensure_block (self, buffer)) == GST_FLOW_CUSTOM_SUCCESS)
    if ((flow = gst_base_sink_wait_preroll (GST_BASE_SINK (self))))
      break;
  return flow;
}

/* ---- the base class ---- */

/* The streaming thread has ended. */
static void
finish (GstDatahubSink *self)
{
  gst_datahub_publication_close (&self->publication);
  gst_datahub_output_end (&self->output);
  g_clear_pointer (&self->group, gst_datahub_group_leave);
  gst_datahub_demand_stop (&self->demand);
  gst_datahub_client_stop (&self->client);
}

/* Settings are checked before the base class starts. */
static gboolean
prepare (GstDatahubSink *self)
{
  GstElement *element = GST_ELEMENT_CAST (self);
  gst_datahub_notes_clear (&self->publication.notes);
  if (!gst_datahub_sink_settings_check (element, &self->settings)
      || !gst_datahub_client_start (element, &self->client)
      || !gst_datahub_publication_is_name_free (&self->publication)
      || !gst_datahub_demand_start (&self->demand)) {
    gst_datahub_client_stop (&self->client);
    return FALSE;
  }
  self->group = gst_datahub_group_join (element, 0);
  gst_datahub_output_begin (&self->output,
      gst_datahub_group_get_id (self->group));
  self->failed = FALSE;
  self->renewal.waited = self->demand.group != NULL; /* for none */
  gst_datahub_publication_start (&self->publication);
  if (self->demand.group)
    gst_datahub_ending_listen (&self->publication.eos, GST_ELEMENT_CAST (self));
  gst_datahub_sink_caps_start (&self->caps);
  if (!self->demand.group || gst_datahub_demand_stream_publish (&self->renewal))
    return TRUE;
  finish (self);
  return FALSE;
}

static gboolean
gst_datahub_sink_unlock (GstBaseSink *sink)
{
  gst_datahub_publication_interrupt (&GST_DATAHUB_SINK (sink)->publication,
      GST_DATAHUB_PRODUCER_UNLOCKED, TRUE);
  return TRUE;
}

static gboolean
gst_datahub_sink_unlock_stop (GstBaseSink *sink)
{
  gst_datahub_publication_interrupt (&GST_DATAHUB_SINK (sink)->publication,
      GST_DATAHUB_PRODUCER_UNLOCKED, FALSE);
  return TRUE;
}

/* Whether the base class takes the preroll lock in @change without an unlock before.
 * render may have it and wait: its wait for the preroll ended with a first signal,
 * and before it ran the sink was paused once more. */
static gboolean
may_meet_render (GstStateChange change)
{
  return change == GST_STATE_CHANGE_PAUSED_TO_PLAYING
      || change == GST_STATE_CHANGE_PAUSED_TO_READY;
}

/* Lets render continue after its interruption. While the lock is held, render is
 * either not running or waiting for the signal. */
static void
let_render_go_on (GstDatahubSink *self)
{
  GstBaseSink *sink = GST_BASE_SINK (self);
  GST_BASE_SINK_PREROLL_LOCK (sink);
  gst_datahub_sink_unlock_stop (sink);
  GST_BASE_SINK_PREROLL_SIGNAL (sink);
  GST_BASE_SINK_PREROLL_UNLOCK (sink);
}

static GstStateChangeReturn
gst_datahub_sink_change_state (GstElement *element, GstStateChange change)
{
  GstDatahubSink *self = GST_DATAHUB_SINK (element);
  GstStateChangeReturn result;
  gst_datahub_demand_before (&self->demand, change);
  if (change == GST_STATE_CHANGE_READY_TO_PAUSED && !prepare (self))
    return GST_STATE_CHANGE_FAILURE;
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) {
    gst_datahub_publication_stop (&self->publication);
    gst_datahub_publication_interrupt (&self->publication,
        GST_DATAHUB_PRODUCER_FLUSHING, TRUE);
  }
  if (may_meet_render (change))
    gst_datahub_sink_unlock (GST_BASE_SINK (self));
  result = GST_ELEMENT_CLASS (gst_datahub_sink_parent_class)
               ->change_state (element, change);
  if (may_meet_render (change))
    let_render_go_on (self);
  gst_datahub_demand_after (&self->demand, change, result);
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY
      || (change == GST_STATE_CHANGE_READY_TO_PAUSED
          && result == GST_STATE_CHANGE_FAILURE))
    finish (self);
  return result;
}

/* Sent to the pipeline by the application, as gst-launch-1.0 -e does; it also comes
 * through the pad, behind what is held back. */
static gboolean
gst_datahub_sink_send_event (GstElement *element, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return GST_ELEMENT_CLASS (gst_datahub_sink_parent_class)
        ->send_event (element, event);
  gst_event_unref (event);
  gst_datahub_publication_end_wait (&GST_DATAHUB_SINK (element)->publication);
  gst_datahub_demand_end (&GST_DATAHUB_SINK (element)->demand);
  return TRUE;
}

static gboolean
gst_datahub_sink_post_message (GstElement *element, GstMessage *message)
{
  gst_datahub_publication_note (&GST_DATAHUB_SINK (element)->publication,
      message);
  return GST_ELEMENT_CLASS (gst_datahub_sink_parent_class)
      ->post_message (element, message);
}

static GstFlowReturn
write_event (GstDatahubSink *self, GstEvent *event)
{
  GstFlowReturn flow = gst_datahub_output_write_event (&self->output,
      self->publication.writer, get_settings (self).events, event);
  if (flow == GST_FLOW_OK)
    gst_datahub_publication_notify (&self->publication);
  return flow;
}

/* The base class prerolls only what it synchronizes. Others, such as a buffer with a
 * DTS before the segment, it passes on in PAUSED, without a base time. */
static GstFlowReturn
prepare_to_write (GstDatahubSink *self, gpointer object, GstBuffer *first)
{
  GstFlowReturn flow = gst_base_sink_do_preroll (GST_BASE_SINK (self),
      GST_MINI_OBJECT_CAST (object));
  if (flow == GST_FLOW_OK)
    flow = ensure_block_in_play (self, first);
  if (flow == GST_FLOW_OK && !self->renewal.waited)
    flow = gst_datahub_renewal_wait_consumers (&self->renewal, first);
  if (flow == GST_FLOW_OK)
    gst_datahub_renewal_look (&self->renewal, first);
  if (flow == GST_FLOW_OK && gst_datahub_output_has_due (&self->output))
    flow = gst_datahub_output_write_due (&self->output,
        self->publication.writer, get_settings (self).events);
  return flow;
}

static GstFlowReturn
take_in_play (GstDatahubSink *self, GstEvent *event)
{
  GstFlowReturn flow = prepare_to_write (self, event, NULL);
  return flow == GST_FLOW_OK ? write_event (self, event) : flow;
}

/* Sticky events wait for the block, others until the sink plays. */
static GstFlowReturn
take_event (GstDatahubSink *self, GstEvent *event)
{
  if (gst_datahub_event_is_context (event)) {
    if (self->publication.writer)
      return write_event (self, event);
  } else if (!GST_BASE_SINK (self)->need_preroll) {
    return take_in_play (self, event);
  }
  gst_datahub_output_hold_event (&self->output, event);
  return GST_FLOW_OK;
}

/* The slot size of raw media is known from the caps, and the user can set it
 * for other media. Then the block exists when upstream queries the allocation. */
static gboolean
take_caps (GstDatahubSink *self, GstEvent *event)
{
  GstDatahubSlotSize size;
  GstCaps *caps;
  GstFlowReturn flow;
  if (take_event (self, event) != GST_FLOW_OK)
    return FALSE;
  gst_event_parse_caps (event, &caps);
  gst_datahub_output_set_caps (&self->output, caps);
  if (self->publication.writer) {
    gst_datahub_publication_register (&self->publication, caps);
    return TRUE;
  }
  size = gst_datahub_slot_size_from_caps (caps);
  if (size.slot_size == 0)
    size.slot_size = get_settings (self).slot_size;
  if (size.slot_size == 0)
    return TRUE;
  flow = make_block (self, size, caps, FALSE);
  return flow == GST_FLOW_OK || flow == GST_FLOW_FLUSHING;
}

static gboolean
chain_event (GstBaseSink *sink, GstEvent *event)
{
  return GST_BASE_SINK_CLASS (gst_datahub_sink_parent_class)
      ->event (sink, event);
}

static gboolean
refuse_event (GstEvent *event)
{
  gst_event_unref (event);
  return FALSE;
}

static gboolean
gst_datahub_sink_event (GstBaseSink *sink, GstEvent *event)
{
  GstDatahubSink *self = GST_DATAHUB_SINK (sink);
  gboolean done;
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_START:
      gst_datahub_publication_interrupt (&self->publication,
          GST_DATAHUB_PRODUCER_FLUSHING, TRUE);
      return chain_event (sink, event);
    case GST_EVENT_FLUSH_STOP:
      gst_datahub_publication_flush (&self->publication);
      gst_datahub_publication_interrupt (&self->publication,
          GST_DATAHUB_PRODUCER_FLUSHING, FALSE);
      gst_datahub_output_flush (&self->output);
      return chain_event (sink, event);
    case GST_EVENT_CAPS:
      return take_caps (self, event) ? chain_event (sink, event)
                                     : refuse_event (event);
    case GST_EVENT_EOS:
      /* Committed before the base class waits for the clock and posts its
       * message: the application may stop the pipeline as soon as it has that. */
      if (take_in_play (self, event) != GST_FLOW_OK)
        return refuse_event (event);
      if (!gst_datahub_demand_take_eos (&self->demand))
        return chain_event (sink, event);
      gst_event_unref (event);
      return TRUE;
    case GST_EVENT_GAP:
      done = chain_event (sink, gst_event_ref (event))
          && take_in_play (self, event) == GST_FLOW_OK;
      gst_event_unref (event);
      return done;
    case GST_EVENT_INSTANT_RATE_CHANGE:
      gst_datahub_output_hold_sudden (&self->output, event);
      return chain_event (sink, event);
    default:
      if (!GST_EVENT_IS_SERIALIZED (event))
        return chain_event (sink, event);
      if (take_event (self, event) != GST_FLOW_OK)
        return refuse_event (event);
      return chain_event (sink, event);
  }
}

/* Consumers can attach while the pipeline is in PAUSED. */
static GstFlowReturn
gst_datahub_sink_preroll (GstBaseSink *sink, GstBuffer *buffer)
{
  GstFlowReturn flow = ensure_block (GST_DATAHUB_SINK (sink), buffer);
  /* if the base class wants to play already, render makes the block */
  return flow == GST_FLOW_CUSTOM_SUCCESS ? GST_FLOW_OK : flow;
}

static GstFlowReturn
write_buffers (GstDatahubSink *self, GstBuffer **buffers, guint n)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (GST_ELEMENT_CAST (self));
  GstDatahubWriterNow now = gst_datahub_output_get_now (&self->output, clock);
  GstDatahubOutput *output = &self->output;
  GstDatahubWriter *writer = self->publication.writer;
  GstFlowReturn flow = GST_FLOW_OK;
  if (output->fragments.header)
    flow = gst_datahub_output_write_header (output, writer, &now, &buffers, &n);
  if (flow == GST_FLOW_OK && output->units.syntax)
    flow = gst_datahub_output_write_units (output, writer, &now, buffers, n);
  else if (flow == GST_FLOW_OK && n > 0)
    flow = gst_datahub_writer_write_buffers (writer, &now, buffers, n);
  if (flow == GST_FLOW_OK)
    gst_datahub_publication_notify (&self->publication);
  return flow;
}

static GstFlowReturn
gst_datahub_sink_render (GstBaseSink *sink, GstBuffer *buffer)
{
  GstDatahubSink *self = GST_DATAHUB_SINK (sink);
  GstFlowReturn flow = prepare_to_write (self, buffer, buffer);
  return flow == GST_FLOW_OK ? write_buffers (self, &buffer, 1) : flow;
}

static GstFlowReturn
gst_datahub_sink_render_list (GstBaseSink *sink, GstBufferList *list)
{
  GstDatahubSink *self = GST_DATAHUB_SINK (sink);
  guint length = gst_buffer_list_length (list);
  g_autofree GstBuffer **buffers = g_new (GstBuffer *, length);
  GstFlowReturn flow;
  if (length == 0)
    return GST_FLOW_OK;
  for (guint i = 0; i < length; i++)
    buffers[i] = gst_buffer_list_get (list, i);
  flow = prepare_to_write (self, list, buffers[0]);
  return flow == GST_FLOW_OK ? write_buffers (self, buffers, length) : flow;
}

static gboolean
gst_datahub_sink_query (GstBaseSink *sink, GstQuery *query)
{
  return gst_datahub_sink_caps_answer (&GST_DATAHUB_SINK (sink)->caps, query)
      || GST_BASE_SINK_CLASS (gst_datahub_sink_parent_class)
             ->query (sink, query);
}

static gboolean
gst_datahub_sink_propose_allocation (GstBaseSink *sink, GstQuery *query)
{
  gst_datahub_pool_propose (query, GST_DATAHUB_SINK (sink)->publication.relay);
  return TRUE;
}

/* ---- the object ---- */

static void
gst_datahub_sink_set_property (GObject *object, guint id, const GValue *value,
    GParamSpec *spec)
{
  GstDatahubSink *self = GST_DATAHUB_SINK (object);
  GstElement *element = GST_ELEMENT_CAST (self);
  if (!gst_datahub_client_may_set (element, &self->client, spec, value))
    return;
  if (!gst_datahub_client_set_property (element, &self->client, id, value)
      && !gst_datahub_sink_settings_set (element, &self->settings, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
  if (id == GST_DATAHUB_SINK_EVENT_TYPES)
    g_atomic_int_set (&self->output.retell, TRUE);
  if (id == GST_DATAHUB_SINK_WAIT_FOR_CONSUMERS)
    gst_datahub_publication_interrupt (&self->publication,
        GST_DATAHUB_PRODUCER_RECONSIDER, TRUE);
}

static void
gst_datahub_sink_get_property (GObject *object, guint id, GValue *value,
    GParamSpec *spec)
{
  GstDatahubSink *self = GST_DATAHUB_SINK (object);
  GstElement *element = GST_ELEMENT_CAST (self);
  if (gst_datahub_client_get_property (element, &self->client, id, value)
      || gst_datahub_sink_settings_get (element, &self->settings, id, value)
      || gst_datahub_consumer_watch_get_property (&self->publication.watch, id,
          value))
    return;
  if (id == GST_DATAHUB_SINK_STATS)
    g_value_take_boxed (value,
        gst_datahub_publication_get_stats (&self->publication));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
gst_datahub_sink_set_context (GstElement *element, GstContext *context)
{
  gst_datahub_client_set_context (element, &GST_DATAHUB_SINK (element)->client,
      context);
  GST_ELEMENT_CLASS (gst_datahub_sink_parent_class)
      ->set_context (element, context);
}

static void
gst_datahub_sink_finalize (GObject *object)
{
  GstDatahubSink *self = GST_DATAHUB_SINK (object);
  gst_datahub_client_clear (&self->client);
  gst_datahub_caps_limits_free_contents (&self->publication.watch.limits);
  gst_datahub_notes_free_contents (&self->publication.notes);
  gst_object_unref (self->publication.relay);
  gst_datahub_sink_settings_clear (&self->settings);
  G_OBJECT_CLASS (gst_datahub_sink_parent_class)->finalize (object);
}

static void
gst_datahub_sink_class_init (GstDatahubSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_datahub_sink_debug, "datahubsink", 0,
      "shares a stream with other processes");
  object_class->set_property = gst_datahub_sink_set_property;
  object_class->get_property = gst_datahub_sink_get_property;
  object_class->finalize = gst_datahub_sink_finalize;
  gst_datahub_client_install_properties (object_class, GST_PARAM_MUTABLE_READY);
  gst_datahub_sink_settings_install_properties (object_class);
  gst_datahub_consumer_watch_install_signals (G_TYPE_FROM_CLASS (klass));
  gst_datahub_demand_install_signals (G_TYPE_FROM_CLASS (klass));

  element_class->change_state = gst_datahub_sink_change_state;
  element_class->send_event = gst_datahub_sink_send_event;
  element_class->post_message = gst_datahub_sink_post_message;
  element_class->set_context = gst_datahub_sink_set_context;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class, "DataHub sink", "Sink",
      "Shares a stream of any kind with other processes, without a copy",
      "The DataHub developers");

  sink_class->unlock = gst_datahub_sink_unlock;
  sink_class->unlock_stop = gst_datahub_sink_unlock_stop;
  sink_class->event = gst_datahub_sink_event;
  sink_class->preroll = gst_datahub_sink_preroll;
  sink_class->render = gst_datahub_sink_render;
  sink_class->render_list = gst_datahub_sink_render_list;
  sink_class->query = gst_datahub_sink_query;
  sink_class->propose_allocation = gst_datahub_sink_propose_allocation;

  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_CHECKSUM, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_EVENTS, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_RESTRICT_CAPS, 0);
}

static void
gst_datahub_sink_init (GstDatahubSink *self)
{
  gst_datahub_client_init (&self->client);
  gst_datahub_demand_init (&self->demand, GST_ELEMENT_CAST (self),
      &self->client, &self->settings, &gst_datahub_demand_stream_funcs,
      &self->renewal);
  gst_datahub_publication_init (&self->publication, GST_ELEMENT_CAST (self),
      &self->client, &self->settings);
  gst_datahub_sink_caps_init (&self->caps, GST_ELEMENT_CAST (self),
      GST_BASE_SINK_PAD (self), &self->publication.watch.limits);
  gst_datahub_output_init (&self->output, GST_BASE_SINK (self));
  gst_datahub_sink_settings_init (&self->settings);
  self->renewal = (GstDatahubRenewal){ GST_BASE_SINK (self), &self->publication,
    &self->output, &self->settings };
  /* Nothing is presented here: time for that would only make every live buffer
   * later, here and at all consumers. */
  gst_base_sink_set_processing_deadline (GST_BASE_SINK (self), 0);
  /* decoders in consumers need buffers before the segment's start */
  gst_base_sink_set_drop_out_of_segment (GST_BASE_SINK (self), FALSE);
  /* the last sample would keep a slot on loan for good */
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}
