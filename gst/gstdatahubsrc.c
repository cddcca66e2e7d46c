/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests: gst-delivery, gst-instants, gst-stopping, gst-damage, gst-processes */
/**
 * SECTION:element-datahubsrc
 * @title: datahubsrc
 * @short_description: reads a stream that another process shares
 *
 * datahubsrc reads the DataBlock that a datahubsink in another process, or in
 * this one, publishes under the name in #GstDatahubSrc:datablock. It can start
 * first: it waits for a producer for at most #GstDatahubSrc:timeout. If the
 * producer leaves without EOS and a new one starts, datahubsrc continues with a
 * DISCONT. If the producer was killed, the new one continues the same block,
 * and datahubsrc stays attached. The element messages datahub-producer-found,
 * datahub-producer-lost and datahub-waiting report it, and signals of these names.
 *
 * Buffers are read-only views of the shared memory, without a copy. At most
 * #GstDatahubSrc:max-pinned of them exist at once; further buffers are copied,
 * so that a pipeline that holds many buffers does not use up the slots.
 *
 * With #GstDatahubSrc:delivery=live the producer is never slowed down. If
 * datahubsrc is too slow, it reports the exact number of lost buffers by
 * DISCONT, by QoS messages and in #GstDatahubSrc:stats. With reliable the
 * producer waits, and no buffer is lost.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 datahubsrc datablock=cam0 ! videoconvert ! autovideosink
 * ]| Shows the stream that is shared as cam0, now or later.
 * |[
 * gst-launch-1.0 -e datahubsrc datablock=cam0 delivery=reliable ! videoconvert ! x264enc ! mp4mux ! filesink location=cam0.mp4
 * ]| Records the stream without a loss.
 */
#include "gstdatahubsrc.h"
#include "gstdatahubattachment.h"
#include "gstdatahubkeepalive.h"
#include "gstdatahublatency.h"
#include "gstdatahubpostbox.h"
#include "gstdatahubsrccaps.h"
#include "gstdatahuburi.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_src_debug);
#define GST_CAT_DEFAULT gst_datahub_src_debug

/* Beyond it the stream has stopped and is not slow. */
#define LATENCY_MAX (10 * GST_SECOND)

/* The answer to a latency query. */
typedef struct
{
  GstClockTime min;
  GstClockTime max; /* with what the ring can hold; may be NONE */
} Latency;

struct _GstDatahubSrc
{
  GstPushSrc parent;

  GstDatahubClient client;
  GstDatahubSrcSettings settings; /* object lock */

  GstDatahubInterrupt interrupt;
  /* The lock of `interrupt`. */
  GstDatahubLeaseStats stats;
  Latency latency;

  /* The streaming thread's. */
  GstDatahubAttachment attachment;
  GstDatahubReader reader;
  GstDatahubKeepalive keepalive;
  GstDatahubPostbox postbox;
  GstDatahubFeed feed;
  GstDatahubLatency meter;
  guint64 metered; /* the number of the producer that `meter` is for */
  /* The result of create until the base class has taken it. Since GStreamer 1.24
   * the base class drops results during a pause, and calls create again. */
  GstBuffer *offered; /* owned */
  gboolean ended;

  gint flushed; /* atomic: `offered` and `ended` are void */
  gint renamed; /* atomic: the name changed while the element runs */
  GThread *pausing_thread; /* atomic; compared only */
};

G_DEFINE_TYPE_WITH_CODE (GstDatahubSrc, gst_datahub_src, GST_TYPE_PUSH_SRC,
    G_IMPLEMENT_INTERFACE (GST_TYPE_URI_HANDLER, gst_datahub_uri_init_src))
GST_ELEMENT_REGISTER_DEFINE (datahubsrc, "datahubsrc", GST_RANK_PRIMARY,
    GST_TYPE_DATAHUB_SRC)

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstDatahubSrcSettings
get_settings (GstDatahubSrc *self)
{
  return gst_datahub_src_settings_read (GST_ELEMENT_CAST (self),
      &self->settings);
}

/* ---- buffers ---- */

/* Returns: how old the buffer was when it was committed; negative: not known */
static gint64
age_at_commit (const DatahubView *view)
{
  gint64 age;
  if (!(view->flags & DATAHUB_FLAG_LIVE)
      || !gst_datahub_instant_is_valid (view->instant_ns)
      || view->commit_ns >= (guint64) GST_DATAHUB_TIME_MAX)
    return -1;
  age = (gint64) view->commit_ns - view->instant_ns;
  return age > (gint64) LATENCY_MAX ? -1 : age;
}

/* Whether the answer to a latency query changed. */
static gboolean
meter_latency (GstDatahubSrc *self, const DatahubView *view)
{
  gint64 age = age_at_commit (view);
  guint64 producer = self->attachment.counters.producers;
  gboolean changed = FALSE;
  if (producer != self->metered)
    changed = gst_datahub_latency_begin (&self->meter);
  self->metered = producer;
  if (age >= 0)
    changed |= gst_datahub_latency_measure (&self->meter,
        (gint64) view->commit_ns, age);
  return changed;
}

/* With what the ring can hold. */
static void
publish_latency (GstDatahubSrc *self, const DatahubView *view)
{
  Latency latency = { self->meter.min, GST_CLOCK_TIME_NONE };
  guint ring_size = self->attachment.ring_size;
  if (GST_CLOCK_TIME_IS_VALID (view->duration) && view->duration < LATENCY_MAX
      && ring_size > 2)
    latency.max = latency.min + view->duration * (ring_size - 2);
  g_mutex_lock (&self->interrupt.lock);
  self->latency = latency;
  g_mutex_unlock (&self->interrupt.lock);
  gst_element_post_message (GST_ELEMENT_CAST (self),
      gst_message_new_latency (GST_OBJECT_CAST (self)));
}

/* Takes @buffer, which has metas or needs them. */
static GstBuffer *
fit_layout (GstDatahubSrc *self, GstBuffer *buffer)
{
  GstBuffer *fit = buffer;
  gst_datahub_audio_layout_check (&self->feed.audio, buffer,
      &self->feed.metas_refused);
  if (gst_buffer_get_video_meta (buffer)
      || gst_buffer_get_video_crop_meta (buffer))
    fit = gst_datahub_video_layout_fit (&self->feed.layout,
        GST_BASE_SRC_PAD (self), buffer, &self->feed.metas_refused);
  self->feed.stats.metas_refused = self->feed.metas_refused.count;
  if (fit != buffer) {
    self->feed.stats.copied++;
    self->feed.stats.zero_copy--;
  }
  return fit;
}

/* Takes @buffer. */
static GstBuffer *
finish_buffer (GstDatahubSrc *self, GstBuffer *buffer, const DatahubView *view)
{
  if (self->reader.discont)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  self->reader.discont = FALSE;
  if (gst_datahub_feed_has_held (&self->feed))
    gst_datahub_feed_push_held (&self->feed);
  if (self->reader.lost)
    gst_datahub_reader_post_lost (&self->reader, buffer);
  if (meter_latency (self, view))
    publish_latency (self, view);
  if (g_atomic_int_get (&self->postbox.n_kept))
    gst_datahub_postbox_retry (&self->postbox);
  if (view->meta_size || self->feed.audio.planar)
    buffer = fit_layout (self, buffer);
  if (self->reader.origin.wanted)
    buffer =
        gst_datahub_origin_attach (&self->reader.origin, buffer, view->ordinal);
  if (self->keepalive.time)
    gst_datahub_keepalive_note (&self->keepalive, buffer);
  if (self->feed.header.pending)
    gst_datahub_feed_check_header (&self->feed, view->ordinal);
  g_mutex_lock (&self->interrupt.lock);
  self->stats = self->feed.stats;
  self->postbox.distance = gst_datahub_feed_distance (&self->feed);
  self->postbox.wanted = self->feed.wanted;
  g_mutex_unlock (&self->interrupt.lock);
  if (self->feed.header.pending)
    buffer = gst_datahub_stream_header_put_first (&self->feed.header, buffer,
        view->ordinal, (view->flags & DATAHUB_FLAG_INSIDE) != 0);
  return buffer;
}

/* ---- the base class ---- */

/* Streaming thread, or when it has ended. */
static void
forget_result (GstDatahubSrc *self)
{
  gst_clear_buffer (&self->offered);
  gst_datahub_stream_header_drop_ready (&self->feed.header);
  self->ended = FALSE;
}

/* The pad is looked at, too: since GStreamer 1.24 the base class may call
 * unlock_stop in this thread, for a pause, after unlock for a deactivation. */
static gboolean
is_unlocked (GstDatahubSrc *self)
{
  return gst_datahub_interrupt_is_unlocked (&self->interrupt)
      || GST_PAD_IS_FLUSHING (GST_BASE_SRC_PAD (self));
}

static GstFlowReturn
gst_datahub_src_create (GstPushSrc *src, GstBuffer **buffer)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  GstFlowReturn flow = GST_FLOW_OK;
  DatahubView view;
  if (g_atomic_int_compare_and_exchange (&self->flushed, TRUE, FALSE))
    forget_result (self);
  if (self->ended)
    return GST_FLOW_EOS;
  if (!self->offered && !g_queue_is_empty (&self->feed.header.ready))
    self->offered = gst_datahub_stream_header_next (&self->feed.header);
  while (flow == GST_FLOW_OK && !self->offered) {
    if (is_unlocked (self))
      return GST_FLOW_FLUSHING;
    if (g_atomic_int_compare_and_exchange (&self->renamed, TRUE, FALSE))
      gst_datahub_attachment_change_name (&self->attachment);
    flow = gst_datahub_reader_read (&self->reader, &view, &self->offered);
    if (self->offered)
      self->offered = finish_buffer (self, self->offered, &view);
    else if (self->keepalive.last && flow == GST_FLOW_OK)
      self->offered =
          gst_datahub_keepalive_take (&self->keepalive, self->meter.min);
  }
  self->ended = flow == GST_FLOW_EOS;
  if (flow == GST_FLOW_OK)
    *buffer = gst_buffer_ref (self->offered);
  else
    gst_clear_buffer (&self->offered);
  return flow;
}

/* The first call for a buffer that the base class will push. */
static void
gst_datahub_src_get_times (GstBaseSrc *src, GstBuffer *buffer,
    GstClockTime *start, GstClockTime *end)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  gst_clear_buffer (&self->offered);
  gst_datahub_base_keep_times (&self->feed.base, buffer);
  *start = *end = GST_CLOCK_TIME_NONE; /* it must not wait for a clock */
}

static gboolean
gst_datahub_src_start (GstBaseSrc *src)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  g_atomic_int_set (&self->renamed, FALSE);
  gst_datahub_feed_start (&self->feed);
  gst_datahub_keepalive_start (&self->keepalive);
  gst_datahub_latency_begin (&self->meter);
  self->metered = 0;
  gst_datahub_attachment_start (&self->attachment);
  g_mutex_lock (&self->interrupt.lock);
  gst_datahub_postbox_start (&self->postbox);
  self->stats = self->feed.stats;
  self->latency = (Latency){ .max = GST_CLOCK_TIME_NONE };
  g_mutex_unlock (&self->interrupt.lock);
  return TRUE;
}

/* The streaming thread has ended. Leases live on in the buffers downstream. */
static gboolean
gst_datahub_src_stop (GstBaseSrc *src)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  gst_datahub_keepalive_stop (&self->keepalive);
  gst_datahub_attachment_forget (&self->attachment);
  gst_datahub_reader_clear (&self->reader);
  g_mutex_lock (&self->interrupt.lock);
  gst_datahub_postbox_clear (&self->postbox);
  g_mutex_unlock (&self->interrupt.lock);
  gst_datahub_interrupt_stop (&self->interrupt);
  gst_datahub_feed_clear (&self->feed);
  forget_result (self);
  return TRUE;
}

/* Since GStreamer 1.24 the base class calls this for a pause, too, and unlock_stop
 * not before it calls create again. But create does not return for a pause; it
 * waits for PLAYING and goes on. */
static gboolean
gst_datahub_src_unlock (GstBaseSrc *src)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  if (g_atomic_pointer_get (&self->pausing_thread) == g_thread_self ())
    return TRUE;
  g_atomic_int_set (&self->flushed, TRUE);
  gst_datahub_interrupt_set_unlocked (&self->interrupt, TRUE);
  return TRUE;
}

static gboolean
gst_datahub_src_unlock_stop (GstBaseSrc *src)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  gst_datahub_interrupt_set_unlocked (&self->interrupt, FALSE);
  return TRUE;
}

static GstStateChangeReturn
chain_state (GstDatahubSrc *self, GstStateChange change)
{
  return GST_ELEMENT_CLASS (gst_datahub_src_parent_class)
      ->change_state (GST_ELEMENT_CAST (self), change);
}

/* Settings are checked here rather than in start: after a failed start the base
 * class would post an error of its own. */
static GstStateChangeReturn
prepare (GstDatahubSrc *self, GstStateChange change)
{
  GstStateChangeReturn result = GST_STATE_CHANGE_FAILURE;
  if (gst_datahub_client_start (GST_ELEMENT_CAST (self), &self->client))
    result = chain_state (self, change);
  if (result == GST_STATE_CHANGE_FAILURE)
    gst_datahub_client_stop (&self->client);
  return result;
}

/* The base class takes the lock that create holds before it pauses, and ends no
 * waits for that, so they are ended here. */
static GstStateChangeReturn
pause_stream (GstDatahubSrc *self, GstStateChange change)
{
  GstStateChangeReturn result;
  gst_datahub_interrupt_set_pausing (&self->interrupt, TRUE);
  g_atomic_pointer_set (&self->pausing_thread, g_thread_self ());
  result = chain_state (self, change);
  g_atomic_pointer_set (&self->pausing_thread, NULL);
  gst_datahub_interrupt_set_pausing (&self->interrupt, FALSE);
  return result;
}

static GstStateChangeReturn
gst_datahub_src_change_state (GstElement *element, GstStateChange change)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (element);
  GstStateChangeReturn result;
  if (change == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    gst_datahub_base_resume (&self->feed.base);
  switch (change) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      return prepare (self, change);
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      return gst_base_src_is_live (GST_BASE_SRC (self))
          ? pause_stream (self, change)
          : chain_state (self, change);
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      result = chain_state (self, change);
      gst_datahub_client_stop (&self->client);
      return result;
    default:
      return chain_state (self, change);
  }
}

static GstCaps *
gst_datahub_src_get_caps (GstBaseSrc *src, GstCaps *filter)
{
  return gst_datahub_src_caps_get (GST_BASE_SRC_PAD (src), filter);
}

/* The caps are the producer's. */
static gboolean
gst_datahub_src_negotiate (GstBaseSrc *src)
{
  return TRUE;
}

/* The base class reports that a buffer was not negotiated without a reason. */
static gboolean
gst_datahub_src_post_message (GstElement *element, GstMessage *message)
{
  GstPad *pad = GST_BASE_SRC_PAD (element);
  g_autoptr (GstCaps) caps = NULL;
  if (!gst_datahub_src_caps_is_refusal (element, message))
    return GST_ELEMENT_CLASS (gst_datahub_src_parent_class)
        ->post_message (element, message);
  gst_message_unref (message);
  caps = gst_pad_get_current_caps (pad);
  gst_datahub_src_caps_post_refused (element, pad, caps);
  return TRUE;
}

static gboolean
gst_datahub_src_is_seekable (GstBaseSrc *src)
{
  return FALSE;
}

static gboolean
answer_latency (GstDatahubSrc *self, GstQuery *query)
{
  gboolean reliable =
      get_settings (self).delivery == GST_DATAHUB_DELIVERY_RELIABLE;
  Latency latency;
  g_mutex_lock (&self->interrupt.lock);
  latency = self->latency;
  g_mutex_unlock (&self->interrupt.lock);
  gst_query_set_latency (query, gst_base_src_is_live (GST_BASE_SRC (self)),
      latency.min, reliable ? GST_CLOCK_TIME_NONE : latency.max);
  return TRUE;
}

static gboolean
gst_datahub_src_query (GstBaseSrc *src, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_LATENCY)
    return answer_latency (GST_DATAHUB_SRC (src), query);
  return GST_BASE_SRC_CLASS (gst_datahub_src_parent_class)->query (src, query);
}

/* Events from downstream, any thread. The base class would swallow QoS. */
static gboolean
gst_datahub_src_event (GstBaseSrc *src, GstEvent *event)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  if (gst_datahub_postbox_carries (event))
    return gst_datahub_postbox_send (&self->postbox, event);
  if (GST_EVENT_TYPE (event) != GST_EVENT_RECONFIGURE)
    return GST_BASE_SRC_CLASS (gst_datahub_src_parent_class)
        ->event (src, event);
  gst_datahub_video_layout_reset (&self->feed.layout);
  gst_datahub_reader_restate (&self->reader);
  return gst_datahub_postbox_wants (&self->postbox,
             GST_DATAHUB_EVENTS_RECONFIGURE)
      && gst_datahub_attachment_request (&self->attachment,
          DATAHUB_REQUEST_RECONFIGURE);
}

/* ---- the object ---- */

static GstStructure *
get_stats (GstDatahubSrc *self)
{
  GstStructure *stats = gst_datahub_attachment_get_stats (&self->attachment);
  g_mutex_lock (&self->interrupt.lock);
  gst_datahub_lease_stats_add (&self->stats, stats);
  gst_structure_set (stats, "latency", G_TYPE_UINT64, self->latency.min,
      "repeated", G_TYPE_UINT64, self->keepalive.repeated, "events-sent",
      G_TYPE_UINT64, self->postbox.stats.sent, "events-refused", G_TYPE_UINT64,
      self->postbox.stats.refused, NULL);
  g_mutex_unlock (&self->interrupt.lock);
  return stats;
}

/* What a running element uses from now on. */
static void
apply_setting (GstDatahubSrc *self, guint id)
{
  if (id == GST_DATAHUB_SRC_MAX_AGE)
    gst_datahub_attachment_apply_max_age (&self->attachment);
  if (!g_atomic_int_get (&self->client.running))
    return;
  if (id == GST_DATAHUB_PROP_DATABLOCK)
    g_atomic_int_set (&self->renamed, TRUE);
  gst_datahub_interrupt_poke (&self->interrupt);
}

static void
gst_datahub_src_set_property (GObject *object, guint id, const GValue *value,
    GParamSpec *spec)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (object);
  GstElement *element = GST_ELEMENT_CAST (self);
  if (!gst_datahub_client_may_set (element, &self->client, spec, value))
    return;
  if (gst_datahub_client_set_property (element, &self->client, id, value)
      || gst_datahub_src_settings_set (element, &self->settings, id, value))
    apply_setting (self, id);
  else if (id == GST_DATAHUB_SRC_IS_LIVE)
    gst_base_src_set_live (GST_BASE_SRC (self), g_value_get_boolean (value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
gst_datahub_src_get_property (GObject *object, guint id, GValue *value,
    GParamSpec *spec)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (object);
  GstElement *element = GST_ELEMENT_CAST (self);
  if (gst_datahub_client_get_property (element, &self->client, id, value)
      || gst_datahub_src_settings_get (element, &self->settings, id, value))
    return;
  switch (id) {
    case GST_DATAHUB_SRC_IS_LIVE:
      g_value_set_boolean (value, gst_base_src_is_live (GST_BASE_SRC (self)));
      break;
    case GST_DATAHUB_SRC_STATS:
      g_value_take_boxed (value, get_stats (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
  }
}

static void
gst_datahub_src_set_context (GstElement *element, GstContext *context)
{
  gst_datahub_client_set_context (element, &GST_DATAHUB_SRC (element)->client,
      context);
  GST_ELEMENT_CLASS (gst_datahub_src_parent_class)
      ->set_context (element, context);
}

static void
gst_datahub_src_finalize (GObject *object)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (object);
  gst_datahub_client_clear (&self->client);
  gst_datahub_src_settings_clear (&self->settings);
  gst_datahub_interrupt_clear (&self->interrupt);
  G_OBJECT_CLASS (gst_datahub_src_parent_class)->finalize (object);
}

static void
gst_datahub_src_class_init (GstDatahubSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *src_class = GST_BASE_SRC_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_datahub_src_debug, "datahubsrc", 0,
      "reads a stream that another process shares");
  object_class->set_property = gst_datahub_src_set_property;
  object_class->get_property = gst_datahub_src_get_property;
  object_class->finalize = gst_datahub_src_finalize;
  gst_datahub_client_install_properties (object_class,
      GST_PARAM_MUTABLE_PLAYING);
  gst_datahub_src_settings_install_properties (object_class);
  gst_datahub_presence_install_signals (G_TYPE_FROM_CLASS (klass));

  element_class->change_state = gst_datahub_src_change_state;
  element_class->post_message = gst_datahub_src_post_message;
  element_class->set_context = gst_datahub_src_set_context;
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "DataHub source",
      "Source",
      "Reads a stream of any kind that another process shares, without a copy",
      "The DataHub developers");

  src_class->start = gst_datahub_src_start;
  src_class->stop = gst_datahub_src_stop;
  src_class->unlock = gst_datahub_src_unlock;
  src_class->unlock_stop = gst_datahub_src_unlock_stop;
  src_class->get_times = gst_datahub_src_get_times;
  src_class->get_caps = gst_datahub_src_get_caps;
  src_class->negotiate = gst_datahub_src_negotiate;
  src_class->is_seekable = gst_datahub_src_is_seekable;
  src_class->query = gst_datahub_src_query;
  src_class->event = gst_datahub_src_event;
  GST_PUSH_SRC_CLASS (klass)->create = gst_datahub_src_create;
}

static void
gst_datahub_src_init (GstDatahubSrc *self)
{
  GstBaseSrc *base = GST_BASE_SRC (self);
  gst_datahub_client_init (&self->client);
  gst_datahub_interrupt_init (&self->interrupt, base,
      &self->attachment.consumer);
  gst_datahub_attachment_init (&self->attachment, GST_ELEMENT_CAST (self),
      &self->client, &self->settings, &self->interrupt);
  gst_datahub_feed_init (&self->feed, base);
  gst_datahub_postbox_init (&self->postbox, &self->attachment);
  gst_datahub_reader_init (&self->reader, &self->attachment, &self->feed);
  gst_datahub_keepalive_init (&self->keepalive, &self->reader);
  gst_datahub_src_settings_init (&self->settings);
  self->latency = (Latency){ .max = GST_CLOCK_TIME_NONE };
  gst_base_src_set_live (base, TRUE);
  gst_base_src_set_format (base, GST_FORMAT_TIME);
  gst_base_src_set_do_timestamp (base, FALSE);
  /* a segment with a stop is the producer's: only its EOS ends the stream */
  gst_base_src_set_automatic_eos (base, FALSE);
}
