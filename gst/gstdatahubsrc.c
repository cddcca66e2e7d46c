/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-datahubsrc
 * @title: datahubsrc
 * @short_description: reads a stream that another process shares
 *
 * datahubsrc reads the DataBlock that a datahubsink in another process, or in
 * this one, publishes under the name in #GstDatahubSrc:datablock. It may be
 * started first: it waits for a producer, at most #GstDatahubSrc:timeout. When
 * the producer goes without EOS and comes again, it carries on with a DISCONT; one
 * that was killed is succeeded in the same block, without a new attachment.
 *
 * Buffers are read-only views of the shared memory, without a copy, at most
 * #GstDatahubSrc:max-pinned at once; beyond that they are copied, so that a
 * pipeline that hoards buffers hurts itself alone.
 *
 * With #GstDatahubSrc:delivery=live the producer is never slowed down; who is
 * too slow is told exactly how many buffers were lost, by DISCONT, by QoS
 * messages and in #GstDatahubSrc:stats. With reliable the producer waits, and
 * nothing is lost.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 datahubsrc datablock=cam0 ! videoconvert ! autovideosink
 * ]| Shows what somebody shares as cam0, now or later.
 * |[
 * gst-launch-1.0 -e datahubsrc datablock=cam0 delivery=reliable ! videoconvert ! x264enc ! mp4mux ! filesink location=cam0.mp4
 * ]| Records it without a loss.
 */
#include "gstdatahubsrc.h"
#include "gstdatahubbell.h"
#include "gstdatahubfeed.h"
#include "gstdatahublatency.h"
#include "gstdatahubpulse.h"
#include "gstdatahubsrcsettings.h"
#include "gstdatahuburi.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY (datahubsrc_debug);
#define GST_CAT_DEFAULT datahubsrc_debug

/* Spinning pays where the next buffer is that near; a futex wake costs about as
 * much. */
#define SPIN_NS (20 * GST_USECOND)
/* wake=notify looks by itself this often, whatever it hears. */
#define NOTIFY_SLICE (100 * GST_MSECOND)

enum
{
  PROP_IS_LIVE = GST_DATAHUB_SRC_LAST,
  PROP_STATS
};

/* Written by the streaming thread, under the lock. */
typedef struct
{
  /* of producers before this one */
  guint64 received, lost, expired, damaged;
  guint64 rejoins;
  guint64 producers, attachments;
} Counters;

/* How long to wait for the broker before looking at the name again. */
#define INTRODUCTION_NS (G_GINT64_CONSTANT (2) * GST_SECOND)

struct _GstDatahubSrc
{
  GstPushSrc parent;

  GstDatahubClient client;
  GstDatahubSrcSettings settings; /* object lock */

  /* Guards what follows. Innermost; never held in a wait but that of `wakeup`,
   * which releases it. */
  GMutex lock;
  GCond wakeup;
  DatahubConsumer *consumer; /* owned; set and closed by the streaming thread */
  DatahubWatch *watch; /* owned */
  GCancellable *introduction; /* while the broker is asked; else NULL */
  GstDatahubBell *bell; /* owned; wake=notify where there is a hub */
  gboolean unlocked, pausing;
  Counters counters;
  GstDatahubReaderStats reader_stats;
  GstDatahubLatency latency;

  /* The streaming thread's. */
  GstDatahubReader reader;
  GstDatahubPulse *pulse; /* owned; while there is a consumer */
  gchar uuid[DATAHUB_UUID_TEXT]; /* of the block read last */
  guint ring_size;
  guint64 incarnation; /* of the producer in that block; 0: no record yet */
  gint64 waiting_since; /* for a producer; 0: not waiting */
  gboolean polls; /* wake=poll */
  gboolean looked; /* at the sticky records */
  gboolean discont; /* to be said with the next buffer */
  guint64 lost; /* likewise */
  gboolean told_damaged; /* once for each producer */
  GstDatahubFeed feed;
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

/* ---- interrupting ---- */

/* The lock is held. */
static void
apply_interrupt (GstDatahubSrc *self)
{
  gboolean interrupted = self->unlocked || self->pausing;
  if (self->consumer)
    datahub_consumer_set_interrupted (self->consumer, interrupted);
  if (self->watch)
    datahub_watch_set_interrupted (self->watch, interrupted);
  if (self->bell)
    gst_datahub_bell_set_interrupted (self->bell, interrupted);
  g_cond_broadcast (&self->wakeup);
}

static void
interrupt (GstDatahubSrc *self, gboolean *why, gboolean interrupted)
{
  g_autoptr (GCancellable) introduction = NULL;
  g_mutex_lock (&self->lock);
  *why = interrupted;
  apply_interrupt (self);
  if (interrupted && self->introduction)
    introduction = g_object_ref (self->introduction);
  g_mutex_unlock (&self->lock);
  if (introduction)
    g_cancellable_cancel (introduction);
}

/* A wait was ended: by a pause, which lasts until PLAYING, or for good. */
static GstFlowReturn
on_interrupted (GstDatahubSrc *self)
{
  gboolean unlocked, pausing;
  g_mutex_lock (&self->lock);
  unlocked = self->unlocked;
  pausing = self->pausing;
  g_mutex_unlock (&self->lock);
  if (unlocked)
    return GST_FLOW_FLUSHING;
  return pausing ? gst_base_src_wait_playing (GST_BASE_SRC (self))
                 : GST_FLOW_OK;
}

/* Sleeps for @time or until interrupted. */
static DatahubResult
doze (GstDatahubSrc *self, GstClockTime time)
{
  gint64 end = g_get_monotonic_time () + (gint64) (time / GST_USECOND);
  gboolean interrupted;
  g_mutex_lock (&self->lock);
  while (!(interrupted = self->unlocked || self->pausing))
    if (!g_cond_wait_until (&self->wakeup, &self->lock, end))
      break;
  g_mutex_unlock (&self->lock);
  return interrupted ? DATAHUB_INTERRUPTED : DATAHUB_TIMEOUT;
}

/* ---- the producer comes and goes ---- */

static void
forget_consumer (GstDatahubSrc *self)
{
  DatahubConsumer *consumer;
  DatahubConsumerStats stats;
  g_mutex_lock (&self->lock);
  consumer = g_steal_pointer (&self->consumer);
  if (consumer) {
    datahub_consumer_get_stats (consumer, &stats);
    self->counters.received += stats.received;
    self->counters.lost += stats.lost;
    self->counters.expired += stats.expired;
    self->counters.damaged += stats.damaged;
  }
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&self->pulse, gst_datahub_pulse_stop);
  if (consumer)
    datahub_consumer_close (consumer);
  self->reader.consumer = NULL;
}

static void
begin_producer (GstDatahubSrc *self, const GstDatahubSrcSettings *settings)
{
  gst_datahub_feed_begin_producer (&self->feed, settings->timestamps);
  self->discont = TRUE;
  self->told_damaged = FALSE;
  self->waiting_since = 0;
}

static void
use_consumer (GstDatahubSrc *self, DatahubConsumer *consumer,
    const GstDatahubSrcSettings *settings)
{
  datahub_consumer_set_spin (consumer,
      settings->wake == GST_DATAHUB_WAKE_ADAPTIVE ? SPIN_NS : 0);
  self->polls = settings->wake == GST_DATAHUB_WAKE_POLL;
  g_strlcpy (self->uuid, datahub_consumer_get_uuid (consumer),
      sizeof self->uuid);
  gst_datahub_reader_init (&self->reader, consumer, &gst_datahub_feed_funcs,
      &self->feed);
  begin_producer (self, settings);
  self->pulse = gst_datahub_pulse_new (consumer);
  self->looked = FALSE;
  self->incarnation = 0;
  g_mutex_lock (&self->lock);
  self->consumer = consumer;
  self->counters.producers++;
  self->counters.attachments++;
  apply_interrupt (self);
  g_mutex_unlock (&self->lock);
  GST_INFO_OBJECT (self, "attached to %s, block %s", self->client.channel,
      self->uuid);
}

/* A block whose producer is dead is of no use to who comes now, and one that
 * was read to its end must not be read again. */
static DatahubResult
find_block (GstDatahubSrc *self, DatahubBlockGlance *glance,
    DatahubError *error)
{
  DatahubResult result =
      datahub_block_glance (self->client.channel, glance, error);
  if (result != DATAHUB_OK)
    return result;
  if (!glance->producer_alive || g_str_equal (glance->uuid, self->uuid))
    return DATAHUB_ERROR_NOT_FOUND;
  return DATAHUB_OK;
}

static void
set_introduction (GstDatahubSrc *self, GCancellable *cancellable)
{
  gboolean interrupted;
  g_mutex_lock (&self->lock);
  g_set_object (&self->introduction, cancellable);
  interrupted = self->unlocked || self->pausing;
  g_mutex_unlock (&self->lock);
  if (cancellable && interrupted)
    g_cancellable_cancel (cancellable);
}

static DatahubResult
refused_by_broker (const GError *why, DatahubError *error)
{
  if (g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return DATAHUB_INTERRUPTED;
  if (why->domain == DATAHUB_HUB_ERROR
      && (why->code == DATAHUB_HUB_ERROR_NOT_FOUND
          || why->code == DATAHUB_HUB_ERROR_PENDING
          || why->code == DATAHUB_HUB_ERROR_DISCONNECTED
          || why->code == DATAHUB_HUB_ERROR_TIMEOUT))
    return DATAHUB_ERROR_NOT_FOUND; /* not yet, or there is no broker now */
  g_strlcpy (error->message, why->message, sizeof error->message);
  return error->code = DATAHUB_ERROR_DENIED;
}

/* Asks the broker for a ticket to the block that @glance saw, and attaches with
 * it. The only wait of this thread for a broker, and it can be interrupted. */
static DatahubResult
attach_introduced (GstDatahubSrc *self, const DatahubBlockGlance *glance,
    DatahubConsumerOptions *options, DatahubConsumer **consumer,
    DatahubError *error)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DatahubHubBlock) block = NULL;
  g_autoptr (GError) why = NULL;
  set_introduction (self, cancellable);
  block = datahub_hub_find (self->client.hub, self->client.channel,
      INTRODUCTION_NS, cancellable, &why);
  set_introduction (self, NULL);
  if (!block)
    return refused_by_broker (why, error);
  if (!g_str_equal (datahub_hub_block_get_uuid (block), glance->uuid))
    return DATAHUB_ERROR_NOT_FOUND; /* one of the two is out of date */
  options->ticket = datahub_hub_block_get_ticket (block);
  if (!options->ticket) {
    g_snprintf (error->message, sizeof error->message,
        "The broker does not let this key read the DataBlock \"%s\".",
        self->client.channel);
    return error->code = DATAHUB_ERROR_DENIED;
  }
  return datahub_consumer_attach (self->client.channel, options, consumer,
      error);
}

static DatahubResult
try_attach (GstDatahubSrc *self, const GstDatahubSrcSettings *settings,
    DatahubError *error)
{
  DatahubConsumerOptions options;
  DatahubConsumerStats stats;
  DatahubConsumer *consumer = NULL;
  DatahubBlockGlance glance;
  g_autofree gchar *name = NULL;
  DatahubResult result = find_block (self, &glance, error);
  if (result != DATAHUB_OK)
    return result;
  name = gst_datahub_src_settings_fill (GST_ELEMENT_CAST (self),
      &self->settings, &options);
  options.watch = self->watch;
  result = datahub_consumer_attach (self->client.channel, &options, &consumer,
      error);
  if (result == DATAHUB_ERROR_DENIED && glance.strict && self->client.hub)
    result = attach_introduced (self, &glance, &options, &consumer, error);
  if (result != DATAHUB_OK)
    return result;
  datahub_consumer_get_stats (consumer, &stats);
  self->ring_size = stats.ring_size;
  use_consumer (self, consumer, settings);
  return result;
}

static GstFlowReturn
fail_timeout (GstDatahubSrc *self, GstClockTime timeout)
{
  GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
      ("No producer of the DataBlock \"%s\" came within %.1f s. Start one: "
       "gst-launch-1.0 ... ! datahubsink datablock=%s",
          self->client.channel, (gdouble) timeout / GST_SECOND,
          self->client.channel),
      ("looked in %s", datahub_shm_directory ()));
  return GST_FLOW_ERROR;
}

static void
begin_waiting (GstDatahubSrc *self)
{
  if (self->waiting_since)
    return;
  self->waiting_since = gst_datahub_monotonic_now ();
  GST_INFO_OBJECT (self, "waiting for a producer of %s", self->client.channel);
}

/* How long a producer may still keep us waiting; 0: no longer. */
static gint64
patience (GstDatahubSrc *self)
{
  GstClockTime timeout;
  gint64 left;
  if (!self->waiting_since)
    return DATAHUB_FOREVER;
  timeout = get_settings (self).timeout;
  if (!GST_CLOCK_TIME_IS_VALID (timeout) || timeout > (guint64) G_MAXINT64)
    return DATAHUB_FOREVER;
  left =
      (gint64) timeout - (gst_datahub_monotonic_now () - self->waiting_since);
  return MAX (left, 0);
}

/* Waits for the name to change. */
static GstFlowReturn
wait_for_producer (GstDatahubSrc *self, GstClockTime timeout)
{
  gint64 left;
  DatahubResult result;
  begin_waiting (self);
  left = patience (self);
  if (left == 0)
    return fail_timeout (self, timeout);
  if (self->watch)
    result = datahub_watch_wait (self->watch, left);
  else /* out of descriptors: look again, now and then */
    result = doze (self, GST_SECOND / 10);
  return result == DATAHUB_INTERRUPTED ? on_interrupted (self) : GST_FLOW_OK;
}

static gboolean
is_not_there (DatahubResult result, const DatahubError *error)
{
  /* a strict block whose producer stands still is as good as not there */
  return result == DATAHUB_ERROR_NOT_FOUND || result == DATAHUB_TIMEOUT
      || (result == DATAHUB_ERROR_SYSTEM && error->sys_errno == ENOENT);
}

static void
ensure_watch (GstDatahubSrc *self)
{
  if (self->watch)
    return;
  g_mutex_lock (&self->lock);
  self->watch = datahub_watch_new (self->client.channel);
  apply_interrupt (self);
  g_mutex_unlock (&self->lock);
}

static GstFlowReturn
attach (GstDatahubSrc *self)
{
  GstDatahubSrcSettings settings = get_settings (self);
  DatahubError error = { 0 };
  DatahubResult result;
  ensure_watch (self);
  result = try_attach (self, &settings, &error);
  if (result == DATAHUB_OK)
    return GST_FLOW_OK;
  if (result == DATAHUB_INTERRUPTED)
    return on_interrupted (self);
  if (is_not_there (result, &error))
    return wait_for_producer (self, settings.timeout);
  error.code = result;
  gst_datahub_client_post_error (GST_ELEMENT_CAST (self), &error, "attaching");
  return GST_FLOW_ERROR;
}

/* While its producer is dead a consumer stays: a successor goes on with the
 * block, and then there are records to read; or replaces it, and then it is
 * closed. One that adopted it and has nothing to say yet has come all the same.
 */
static GstFlowReturn
on_silence (GstDatahubSrc *self)
{
  g_autofree DatahubBlockInfo *info = NULL;
  if (patience (self) != 0)
    return GST_FLOW_OK;
  info = g_new0 (DatahubBlockInfo, 1);
  if (datahub_block_inspect (self->client.channel, info, NULL) != DATAHUB_OK
      || !info->producer_alive)
    return fail_timeout (self, get_settings (self).timeout);
  self->waiting_since = 0;
  return GST_FLOW_OK;
}

/* The producer is gone and all it left has been read. */
static GstFlowReturn
on_end (GstDatahubSrc *self, DatahubResult result)
{
  GstDatahubSrcSettings settings = get_settings (self);
  const gchar *how =
      result == DATAHUB_CLOSED ? "left without ending the stream" : "died";
  GST_INFO_OBJECT (self, "the producer %s", how);
  if (result == DATAHUB_PRODUCER_LOST
      && settings.on_disconnect == GST_DATAHUB_ON_DISCONNECT_WAIT) {
    begin_waiting (self);
    return GST_FLOW_OK;
  }
  forget_consumer (self);
  switch (settings.on_disconnect) {
    case GST_DATAHUB_ON_DISCONNECT_EOS:
      return GST_FLOW_EOS;
    case GST_DATAHUB_ON_DISCONNECT_ERROR:
      GST_ELEMENT_ERROR (self, RESOURCE, READ,
          ("The producer of the DataBlock \"%s\" %s.", self->client.channel,
              how),
          ("block %s, on-disconnect=error", self->uuid));
      return GST_FLOW_ERROR;
    default:
      return GST_FLOW_OK;
  }
}

static GstFlowReturn
rejoin (GstDatahubSrc *self)
{
  DatahubError error = { 0 };
  DatahubResult result = datahub_consumer_rejoin (self->consumer, &error);
  GST_WARNING_OBJECT (self,
      "evicted: the producer waited for this consumer for too long");
  if (result != DATAHUB_OK) {
    error.code = result;
    gst_datahub_client_post_error (GST_ELEMENT_CAST (self), &error,
        "joining again");
    return GST_FLOW_ERROR;
  }
  g_mutex_lock (&self->lock);
  self->counters.rejoins++;
  g_mutex_unlock (&self->lock);
  self->discont = TRUE;
  return GST_FLOW_OK;
}

/* ---- buffers ---- */

static void
tell_lost (GstDatahubSrc *self, GstBuffer *buffer)
{
  GstBaseSrc *base = GST_BASE_SRC (self);
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  const GstSegment *segment = &self->feed.timeline.out;
  gboolean timed =
      segment->format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID (pts);
  DatahubConsumerStats stats;
  Counters counters;
  GstMessage *message;
  datahub_consumer_get_stats (self->consumer, &stats);
  g_mutex_lock (&self->lock);
  counters = self->counters;
  g_mutex_unlock (&self->lock);
  GST_INFO_OBJECT (self, "%" G_GUINT64_FORMAT " buffers were lost", self->lost);
  self->lost = 0;
  message =
      gst_message_new_qos (GST_OBJECT_CAST (self), gst_base_src_is_live (base),
          timed ? gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts)
                : GST_CLOCK_TIME_NONE,
          timed ? gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts)
                : GST_CLOCK_TIME_NONE,
          pts, GST_BUFFER_DURATION (buffer));
  gst_message_set_qos_stats (message, GST_FORMAT_BUFFERS,
      counters.received + stats.received, counters.lost + stats.lost);
  gst_element_post_message (GST_ELEMENT_CAST (self), message);
}

static void
measure_latency (GstDatahubSrc *self, const DatahubView *view)
{
  GstDatahubLatency measured;
  gboolean grown;
  if (!gst_datahub_latency_measure (&measured, view, self->ring_size))
    return;
  g_mutex_lock (&self->lock);
  grown = gst_datahub_latency_grow (&self->latency, &measured);
  g_mutex_unlock (&self->lock);
  if (grown)
    gst_element_post_message (GST_ELEMENT_CAST (self),
        gst_message_new_latency (GST_OBJECT_CAST (self)));
}

/* Takes @buffer. */
static GstBuffer *
fit_layout (GstDatahubSrc *self, GstBuffer *buffer)
{
  GstBuffer *fit = gst_datahub_layout_fit (&self->feed.layout,
      GST_BASE_SRC_PAD (self), buffer);
  if (fit != buffer) {
    self->reader.stats.copied++;
    self->reader.stats.zero_copy--;
  }
  return fit;
}

static GstBuffer *
finish_buffer (GstDatahubSrc *self, GstBuffer *buffer, const DatahubView *view)
{
  gst_datahub_feed_stamp (&self->feed, view, buffer);
  if (self->discont)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  self->discont = FALSE;
  gst_datahub_feed_push_held (&self->feed, FALSE);
  if (self->lost)
    tell_lost (self, buffer);
  measure_latency (self, view);
  buffer = fit_layout (self, buffer);
  g_mutex_lock (&self->lock);
  self->reader_stats = self->reader.stats;
  g_mutex_unlock (&self->lock);
  return buffer;
}

/* A record of a producer that adopted the block: another stream, as if it were
 * another block. */
static void
meet_producer (GstDatahubSrc *self, guint64 incarnation)
{
  gboolean another = self->incarnation && self->incarnation != incarnation;
  self->waiting_since = 0;
  self->incarnation = incarnation;
  if (!another)
    return;
  GST_INFO_OBJECT (self, "a successor goes on with block %s", self->uuid);
  GstDatahubSrcSettings settings = get_settings (self);
  begin_producer (self, &settings);
  gst_datahub_reader_start_over (&self->reader);
  g_mutex_lock (&self->lock);
  self->counters.producers++;
  g_mutex_unlock (&self->lock);
}

static GstFlowReturn
take_view (GstDatahubSrc *self, const DatahubView *view, GstBuffer **buffer)
{
  DatahubError error = { 0 };
  GstFlowReturn flow;
  self->looked = TRUE;
  meet_producer (self, view->incarnation);
  self->discont |= view->discont;
  self->lost += view->lost;
  flow = gst_datahub_reader_take_view (&self->reader, view, buffer, &error);
  if (error.code)
    gst_datahub_client_post_error (GST_ELEMENT_CAST (self), &error, "reading");
  if (*buffer)
    *buffer = finish_buffer (self, *buffer, view);
  if (flow == GST_FLOW_EOS)
    gst_datahub_feed_push_held (&self->feed, TRUE);
  return flow;
}

/* Nothing came yet: who joined behind the last buffer still learns what stream
 * this is, and whether it is over. */
static GstFlowReturn
look_at_sticky (GstDatahubSrc *self)
{
  DatahubError error = { 0 };
  GstFlowReturn flow;
  self->looked = TRUE;
  flow = gst_datahub_reader_take_sticky (&self->reader, &error);
  if (error.code)
    gst_datahub_client_post_error (GST_ELEMENT_CAST (self), &error,
        "reading what is in force");
  if (flow == GST_FLOW_EOS)
    gst_datahub_feed_push_held (&self->feed, TRUE);
  return flow;
}

/* Waits for a notification once one came, and for the futex until then. Either
 * way it looks by itself after a while: data that came without being heard of
 * means that the broker, or the way to it, is not what it was. */
static DatahubResult
read_notified (GstDatahubSrc *self, DatahubView *view, DatahubError *error)
{
  DatahubResult result;
  if (!gst_datahub_bell_is_trusted (self->bell))
    return datahub_consumer_begin_read (self->consumer, NOTIFY_SLICE, view,
        error);
  gst_datahub_bell_arm (self->bell);
  result = datahub_consumer_begin_read (self->consumer, 0, view, error);
  if (result != DATAHUB_TIMEOUT)
    return result;
  result = gst_datahub_bell_wait (self->bell, NOTIFY_SLICE);
  if (result != DATAHUB_TIMEOUT)
    return result == DATAHUB_OK ? DATAHUB_TIMEOUT : result;
  result = datahub_consumer_begin_read (self->consumer, 0, view, error);
  if (result == DATAHUB_OK)
    gst_datahub_bell_distrust (self->bell);
  return result;
}

static DatahubResult
read_view (GstDatahubSrc *self, DatahubView *view, DatahubError *error)
{
  DatahubResult result;
  if (!self->looked)
    return datahub_consumer_begin_read (self->consumer, 0, view, error);
  if (self->bell)
    return read_notified (self, view, error);
  if (!self->polls)
    return datahub_consumer_begin_read (self->consumer, patience (self), view,
        error);
  result = datahub_consumer_begin_read (self->consumer, 0, view, error);
  return result == DATAHUB_TIMEOUT
      ? doze (self, get_settings (self).poll_interval)
      : result;
}

/* The library has passed the record over, and counts it. Told once: a memory
 * that fails may fail for every buffer. */
static GstFlowReturn
on_damaged (GstDatahubSrc *self, const DatahubError *error)
{
  GST_WARNING_OBJECT (self, "%s", error->message);
  if (!self->told_damaged)
    GST_ELEMENT_WARNING (self, STREAM, FORMAT,
        ("%s It was skipped, as others like it will be; `damaged` in the "
         "statistics counts them.",
            error->message),
        ("block %s", self->uuid));
  self->told_damaged = TRUE;
  return GST_FLOW_OK;
}

static GstFlowReturn
read_one (GstDatahubSrc *self, GstBuffer **buffer)
{
  DatahubError error = { 0 };
  DatahubView view;
  DatahubResult result = read_view (self, &view, &error);
  switch (result) {
    case DATAHUB_OK:
      return take_view (self, &view, buffer);
    case DATAHUB_TIMEOUT:
      return self->looked ? on_silence (self) : look_at_sticky (self);
    case DATAHUB_INTERRUPTED:
      return on_interrupted (self);
    case DATAHUB_CLOSED:
    case DATAHUB_PRODUCER_LOST:
      return on_end (self, result);
    case DATAHUB_EVICTED:
      return rejoin (self);
    case DATAHUB_ERROR_CHECKSUM:
      return on_damaged (self, &error);
    default:
      error.code = result;
      gst_datahub_client_post_error (GST_ELEMENT_CAST (self), &error,
          "reading");
      return GST_FLOW_ERROR;
  }
}

/* ---- the base class ---- */

static GstFlowReturn
gst_datahub_src_create (GstPushSrc *src, GstBuffer **buffer)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  GstBuffer *made = NULL;
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean unlocked;
  while (flow == GST_FLOW_OK && !made) {
    g_mutex_lock (&self->lock);
    unlocked = self->unlocked;
    g_mutex_unlock (&self->lock);
    if (unlocked)
      return GST_FLOW_FLUSHING;
    flow = self->consumer ? read_one (self, &made) : attach (self);
  }
  if (flow == GST_FLOW_OK)
    *buffer = made;
  else
    gst_clear_buffer (&made);
  return flow;
}

static gboolean
gst_datahub_src_start (GstBaseSrc *src)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  GstDatahubBell *bell = NULL;
  self->uuid[0] = '\0';
  self->waiting_since = 0;
  self->lost = 0;
  if (self->client.hub && get_settings (self).wake == GST_DATAHUB_WAKE_NOTIFY)
    bell = gst_datahub_bell_new (self->client.hub, self->client.channel);
  self->reader.stats = (GstDatahubReaderStats){ 0 };
  g_mutex_lock (&self->lock);
  self->counters = (Counters){ 0 };
  self->reader_stats = self->reader.stats;
  self->bell = bell;
  gst_datahub_latency_init (&self->latency);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

/* The streaming thread has ended. Leases live on in the buffers downstream. */
static gboolean
gst_datahub_src_stop (GstBaseSrc *src)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  DatahubWatch *watch;
  GstDatahubBell *bell;
  forget_consumer (self);
  g_mutex_lock (&self->lock);
  watch = g_steal_pointer (&self->watch);
  bell = g_steal_pointer (&self->bell);
  g_mutex_unlock (&self->lock);
  datahub_watch_free (watch);
  gst_datahub_bell_free (bell);
  gst_datahub_feed_clear (&self->feed);
  return TRUE;
}

static gboolean
gst_datahub_src_unlock (GstBaseSrc *src)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  interrupt (self, &self->unlocked, TRUE);
  return TRUE;
}

static gboolean
gst_datahub_src_unlock_stop (GstBaseSrc *src)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  interrupt (self, &self->unlocked, FALSE);
  return TRUE;
}

static GstStateChangeReturn
chain_state (GstDatahubSrc *self, GstStateChange change)
{
  return GST_ELEMENT_CLASS (gst_datahub_src_parent_class)
      ->change_state (GST_ELEMENT_CAST (self), change);
}

/* What can be refused is refused here rather than in start, after which the
 * base class would post an error of its own. */
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
  interrupt (self, &self->pausing, TRUE);
  result = chain_state (self, change);
  interrupt (self, &self->pausing, FALSE);
  return result;
}

static GstStateChangeReturn
gst_datahub_src_change_state (GstElement *element, GstStateChange change)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (element);
  GstStateChangeReturn result;
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
  GstDatahubLatency latency;
  g_mutex_lock (&self->lock);
  latency = self->latency;
  g_mutex_unlock (&self->lock);
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

/* Events from downstream, any thread. */
static gboolean
gst_datahub_src_event (GstBaseSrc *src, GstEvent *event)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (src);
  if (GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE)
    gst_datahub_layout_reset (&self->feed.layout);
  if (!gst_video_event_is_force_key_unit (event))
    return GST_BASE_SRC_CLASS (gst_datahub_src_parent_class)
        ->event (src, event);
  g_mutex_lock (&self->lock);
  if (self->consumer)
    datahub_consumer_request (self->consumer, DATAHUB_REQUEST_KEYFRAME);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

/* ---- the object ---- */

static GstStructure *
get_stats (GstDatahubSrc *self)
{
  DatahubConsumerStats now = { 0 };
  Counters counters;
  GstDatahubReaderStats reader;
  GstClockTime latency;
  guint64 notifications;
  g_mutex_lock (&self->lock);
  if (self->consumer)
    datahub_consumer_get_stats (self->consumer, &now);
  counters = self->counters;
  reader = self->reader_stats;
  latency = self->latency.min;
  notifications = self->bell ? gst_datahub_bell_count (self->bell) : 0;
  g_mutex_unlock (&self->lock);
  return gst_structure_new ("application/x-datahub-src-stats", "received",
      G_TYPE_UINT64, counters.received + now.received, "lost", G_TYPE_UINT64,
      counters.lost + now.lost, "damaged", G_TYPE_UINT64,
      counters.damaged + now.damaged, "expired", G_TYPE_UINT64,
      counters.expired + now.expired, "zero-copy", G_TYPE_UINT64,
      reader.zero_copy, "copied", G_TYPE_UINT64, reader.copied, "metas-refused",
      G_TYPE_UINT64, reader.metas_refused, "quota", G_TYPE_UINT, now.quota,
      "pinned", G_TYPE_UINT, now.pinned, "waits", G_TYPE_UINT64, now.waits,
      "lag", G_TYPE_UINT64, now.head - MIN (now.cursor, now.head),
      "bytes-mapped", G_TYPE_UINT64, now.bytes_mapped, "producers",
      G_TYPE_UINT64, counters.producers, "attachments", G_TYPE_UINT64,
      counters.attachments, "rejoins", G_TYPE_UINT64, counters.rejoins,
      "notifications", G_TYPE_UINT64, notifications, "latency", G_TYPE_UINT64,
      latency, NULL);
}

/* It may change while the stream flows. */
static void
apply_max_age (GstDatahubSrc *self)
{
  gint64 max_age =
      gst_datahub_src_settings_max_age (get_settings (self).max_age);
  g_mutex_lock (&self->lock);
  if (self->consumer)
    datahub_consumer_set_max_age (self->consumer, max_age);
  g_mutex_unlock (&self->lock);
}

static void
gst_datahub_src_set_property (GObject *object, guint id, const GValue *value,
    GParamSpec *spec)
{
  GstDatahubSrc *self = GST_DATAHUB_SRC (object);
  GstElement *element = GST_ELEMENT_CAST (self);
  if (gst_datahub_client_set_property (element, &self->client, id, value))
    return;
  if (gst_datahub_src_settings_set (element, &self->settings, id, value)) {
    if (id == GST_DATAHUB_SRC_MAX_AGE)
      apply_max_age (self);
    return;
  }
  if (id == PROP_IS_LIVE)
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
    case PROP_IS_LIVE:
      g_value_set_boolean (value, gst_base_src_is_live (GST_BASE_SRC (self)));
      break;
    case PROP_STATS:
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
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->wakeup);
  G_OBJECT_CLASS (gst_datahub_src_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  gst_datahub_client_install_properties (klass);
  gst_datahub_src_settings_install_properties (klass);
  g_object_class_install_property (klass, PROP_IS_LIVE,
      g_param_spec_boolean ("is-live", "Is live",
          "Whether this is a live source: no preroll, data in PLAYING only",
          TRUE, ready));
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics", "Counters of this consumer",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
gst_datahub_src_class_init (GstDatahubSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *src_class = GST_BASE_SRC_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (datahubsrc_debug, "datahubsrc", 0,
      "reads a stream that another process shares");
  object_class->set_property = gst_datahub_src_set_property;
  object_class->get_property = gst_datahub_src_get_property;
  object_class->finalize = gst_datahub_src_finalize;
  install_properties (object_class);

  element_class->change_state = gst_datahub_src_change_state;
  element_class->set_context = gst_datahub_src_set_context;
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "DataHub source",
      "Source/DataHub",
      "Reads a stream of any kind that another process shares, without a copy",
      "The DataHub developers");

  src_class->start = gst_datahub_src_start;
  src_class->stop = gst_datahub_src_stop;
  src_class->unlock = gst_datahub_src_unlock;
  src_class->unlock_stop = gst_datahub_src_unlock_stop;
  src_class->is_seekable = gst_datahub_src_is_seekable;
  src_class->query = gst_datahub_src_query;
  src_class->event = gst_datahub_src_event;
  GST_PUSH_SRC_CLASS (klass)->create = gst_datahub_src_create;

  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_DELIVERY, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_START_AT, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_ON_DISCONNECT, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_WAKE, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_TIMESTAMPS, 0);
}

static void
gst_datahub_src_init (GstDatahubSrc *self)
{
  GstBaseSrc *base = GST_BASE_SRC (self);
  gst_datahub_client_init (&self->client);
  g_mutex_init (&self->lock);
  g_cond_init (&self->wakeup);
  gst_datahub_feed_init (&self->feed, base);
  gst_datahub_src_settings_init (&self->settings);
  gst_datahub_latency_init (&self->latency);
  gst_base_src_set_live (base, TRUE);
  gst_base_src_set_format (base, GST_FORMAT_TIME);
  gst_base_src_set_do_timestamp (base, FALSE);
  /* a segment with a stop is the producer's: only its EOS ends the stream */
  gst_base_src_set_automatic_eos (base, FALSE);
}
