/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producers can start and stop in any order, and the name refers to the current
 * one. A source searches for a live producer, waits if there is none, and
 * follows it to its successor or to its end.
 * Tests: gst-attendance, gst-successors, gst-switch, gst-introduction */
#include "gstdatahubattachment.h"
#include "gstdatahubsrccaps.h"
#include "gstdatahubunbegun.h"

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_src_debug);
#define GST_CAT_DEFAULT gst_datahub_src_debug

/**
 * gst_datahub_attachment_init:
 * @attachment: an attachment
 * @element: the owner of this and of the following arguments
 * @client: the name and the broker
 * @settings: how to attach, and how long to wait; read at each use
 * @interrupt: the waits of the source; borrows the consumer of @attachment
 */
void
gst_datahub_attachment_init (GstDatahubAttachment *attachment,
    GstElement *element, GstDatahubClient *client,
    const GstDatahubSrcSettings *settings, GstDatahubInterrupt *interrupt)
{
  *attachment = (GstDatahubAttachment){ .element = element,
    .client = client,
    .settings = settings,
    .interrupt = interrupt };
  gst_datahub_presence_init (&attachment->presence, element, &client->outbox);
  gst_datahub_introduction_init (&attachment->introduction, element, client,
      interrupt);
}

static void
begin_notifications (GstDatahubAttachment *attachment)
{
  const GstDatahubClient *client = attachment->client;
  GstDatahubInterrupt *interrupt = attachment->interrupt;
  GstDatahubNotifier *notifier;
  if (!client->hub
      || gst_datahub_attachment_get_settings (attachment).wake
          != GST_DATAHUB_WAKE_NOTIFY)
    return;
  notifier = gst_datahub_notifier_new (client->hub, client->channel);
  g_mutex_lock (&interrupt->lock);
  interrupt->notifier = notifier;
  gst_datahub_interrupt_apply (interrupt);
  g_mutex_unlock (&interrupt->lock);
}

/* Begins anew, with one that has no consumer: nothing was read or counted yet. */
void
gst_datahub_attachment_start (GstDatahubAttachment *attachment)
{
  g_mutex_lock (&attachment->interrupt->lock);
  attachment->uuid[0] = '\0';
  attachment->waiting_since = attachment->unfit_since = 0;
  gst_datahub_refusal_clear (&attachment->refusal);
  attachment->counters = (GstDatahubAttachmentCounters){ 0 };
  attachment->told_skipped = attachment->follows = FALSE;
  g_mutex_unlock (&attachment->interrupt->lock);
  gst_datahub_presence_start (&attachment->presence);
  begin_notifications (attachment);
}

/* Goes over to the block of another name, as to the block of a successor. */
void
gst_datahub_attachment_change_name (GstDatahubAttachment *attachment)
{
  gst_datahub_attachment_forget (attachment);
  gst_datahub_interrupt_stop (attachment->interrupt);
  gst_datahub_client_rename (attachment->element, attachment->client);
  attachment->uuid[0] = '\0';
  attachment->follows = FALSE;
  attachment->waiting_since = attachment->unfit_since = 0;
  gst_datahub_presence_start (&attachment->presence);
  gst_datahub_refusal_clear (&attachment->refusal);
  begin_notifications (attachment);
  GST_INFO_OBJECT (attachment->element, "reads %s from now on",
      attachment->client->channel);
}

/* A copy. */
GstDatahubSrcSettings
gst_datahub_attachment_get_settings (const GstDatahubAttachment *attachment)
{
  return gst_datahub_src_settings_read (attachment->element,
      attachment->settings);
}

/* Closes the consumer, if there is one, and keeps its counters. */
void
gst_datahub_attachment_forget (GstDatahubAttachment *attachment)
{
  DatahubConsumer *consumer;
  DatahubConsumerStats stats;
  g_mutex_lock (&attachment->interrupt->lock);
  consumer = g_steal_pointer (&attachment->consumer);
  if (consumer) {
    datahub_consumer_get_stats (consumer, &stats);
    attachment->counters.received += stats.received;
    attachment->counters.lost += stats.lost;
    attachment->counters.expired += stats.expired;
    attachment->counters.damaged += stats.damaged;
  }
  g_mutex_unlock (&attachment->interrupt->lock);
  g_clear_pointer (&attachment->heartbeat, gst_datahub_heartbeat_stop);
  g_clear_pointer (&attachment->limits, g_free);
  if (consumer)
    datahub_consumer_close (consumer);
}

static void
use_consumer (GstDatahubAttachment *attachment, DatahubConsumer *consumer)
{
  g_strlcpy (attachment->uuid, datahub_consumer_get_uuid (consumer),
      sizeof attachment->uuid);
  attachment->waiting_since = attachment->unfit_since = 0;
  gst_datahub_refusal_clear (&attachment->refusal);
  attachment->heartbeat = gst_datahub_heartbeat_new (consumer);
  attachment->wake = gst_datahub_attachment_get_settings (attachment).wake;
  gst_datahub_interrupt_prepare_read (consumer, attachment->wake);
  attachment->incarnation = 0;
  attachment->follows = attachment->unbegun = FALSE;
  g_mutex_lock (&attachment->interrupt->lock);
  attachment->consumer = consumer;
  attachment->counters.producers++;
  attachment->counters.attachments++;
  gst_datahub_interrupt_apply (attachment->interrupt);
  g_mutex_unlock (&attachment->interrupt->lock);
  GST_INFO_OBJECT (attachment->element, "attached to %s, block %s",
      attachment->client->channel, attachment->uuid);
}

/* A new attachment must not use the block of a dead producer, and a block that
 * was read to its end must not be read again. */
static DatahubResult
find_block (GstDatahubAttachment *attachment, DatahubBlockGlance *glance,
    DatahubError *error)
{
  DatahubResult result =
      datahub_block_glance (attachment->client->channel, glance, error);
  if (result != DATAHUB_OK)
    return result;
  if (!glance->producer_alive || g_str_equal (glance->uuid, attachment->uuid))
    return DATAHUB_ERROR_NOT_FOUND;
  return DATAHUB_OK;
}

static GstFlowReturn
fail_timeout (GstDatahubAttachment *attachment, GstClockTime timeout)
{
  if (!gst_datahub_refusal_post (&attachment->refusal, attachment->element))
    gst_datahub_introduction_fail (&attachment->introduction, timeout);
  return GST_FLOW_ERROR;
}

static void
begin_waiting (GstDatahubAttachment *attachment)
{
  if (attachment->waiting_since)
    return;
  attachment->waiting_since = gst_datahub_monotonic_now ();
  gst_datahub_introduction_clear (&attachment->introduction);
  GST_INFO_OBJECT (attachment->element, "waiting for a producer of %s",
      attachment->client->channel);
}

/* How long the producer has to negotiate what downstream accepts: it asks upstream
 * once a second at most. */
#define UNFIT_NS (G_GINT64_CONSTANT (5) * GST_SECOND / 2)

static gint64
time_left (gint64 since, gint64 patience)
{
  return MAX (patience - (gst_datahub_monotonic_now () - since), 0);
}

/* Again, to the producer of the consumer, if downstream accepts something else. */
void
gst_datahub_attachment_state_limits (GstDatahubAttachment *attachment)
{
  g_autofree gchar *limits =
      gst_datahub_src_caps_get_limits (attachment->element,
          GST_BASE_SRC_PAD (attachment->element));
  if (g_strcmp0 (limits, attachment->limits) == 0)
    return;
  g_clear_pointer (&attachment->limits, g_free);
  if (datahub_consumer_set_limits (attachment->consumer, limits, NULL)
      == DATAHUB_OK)
    attachment->limits = g_steal_pointer (&limits);
}

/* Counts a buffer of @caps, which downstream does not accept. Reported once: the
 * producer may move its caps often. */
void
gst_datahub_attachment_note_skipped (GstDatahubAttachment *attachment,
    GstCaps *caps)
{
  g_mutex_lock (&attachment->interrupt->lock);
  attachment->counters.skipped++;
  g_mutex_unlock (&attachment->interrupt->lock);
  if (attachment->told_skipped)
    return;
  attachment->told_skipped = TRUE;
  GST_ELEMENT_INFO (attachment->element, CORE, NEGOTIATION,
      ("Downstream does not accept the caps of the stream. Buffers are skipped "
       "while the producer is asked for others; `skipped` in stats counts them. "
       "Set the caps at the producer to skip none."),
      ("the stream has %" GST_PTR_FORMAT, caps));
}

/* Whether downstream still does not accept the caps, and the producer does not
 * change them. */
gboolean
gst_datahub_attachment_is_unfit (const GstDatahubAttachment *attachment)
{
  return attachment->unfit_since
      && (!attachment->limits
          || time_left (attachment->unfit_since, UNFIT_NS) == 0);
}

/* How long a producer may still keep us waiting; 0: no longer. */
static gint64
patience_of (const GstDatahubAttachment *attachment)
{
  GstClockTime timeout;
  if (attachment->unfit_since)
    return time_left (attachment->unfit_since, UNFIT_NS);
  if (!attachment->waiting_since)
    return DATAHUB_FOREVER;
  timeout = gst_datahub_attachment_get_settings (attachment).timeout;
  if (!GST_CLOCK_TIME_IS_VALID (timeout) || timeout > (guint64) G_MAXINT64)
    return DATAHUB_FOREVER;
  return time_left (attachment->waiting_since, (gint64) timeout);
}

/* The time of @a and @b that is over first. */
static gint64
shorter (gint64 a, gint64 b)
{
  if (a == DATAHUB_FOREVER || b == DATAHUB_FOREVER)
    return MAX (a, b);
  return MIN (a, b);
}

/* How long the source may wait for what it does by itself. */
static gint64
due_left (const GstDatahubAttachment *attachment)
{
  return attachment->due
      ? MAX (attachment->due - gst_datahub_monotonic_now (), 0)
      : DATAHUB_FOREVER;
}

static DatahubResult
try_attach (GstDatahubAttachment *attachment, DatahubError *error)
{
  DatahubConsumerOptions options;
  DatahubConsumerStats stats;
  DatahubConsumer *consumer = NULL;
  DatahubBlockGlance glance;
  g_autofree gchar *name = NULL;
  DatahubResult result;
  gint64 limit = gst_datahub_introduction_begin (&attachment->introduction,
      shorter (patience_of (attachment),
          gst_datahub_presence_left (&attachment->presence)));
  result = find_block (attachment, &glance, error);
  if (result != DATAHUB_OK)
    return result;
  name = gst_datahub_src_settings_fill (attachment->element,
      attachment->settings, &options);
  options.watch = attachment->interrupt->watch;
  options.timeout_ns = limit;
  if (attachment->follows) /* the first record there is the next one */
    options.start = DATAHUB_START_OLDEST;
  g_free (attachment->limits);
  options.limits = attachment->limits =
      gst_datahub_src_caps_get_limits (attachment->element,
          GST_BASE_SRC_PAD (attachment->element));
  result = datahub_consumer_attach (attachment->client->channel, &options,
      &consumer, error);
  if (result == DATAHUB_ERROR_DENIED && glance.strict
      && attachment->client->hub)
    result = gst_datahub_introduction_attach (&attachment->introduction,
        &glance, &options, &consumer, error);
  gst_datahub_introduction_note (&attachment->introduction, &glance, error);
  if (result != DATAHUB_OK)
    return result;
  datahub_consumer_get_stats (consumer, &stats);
  attachment->ring_size = stats.ring_size;
  use_consumer (attachment, consumer);
  return result;
}

/* Waits for the name to change. */
static GstFlowReturn
wait_for_producer (GstDatahubAttachment *attachment, GstClockTime timeout)
{
  gint64 left = patience_of (attachment);
  DatahubResult result;
  if (!attachment->refusal.error.code)
    gst_datahub_introduction_look_elsewhere (&attachment->introduction,
        attachment->waiting_since, left);
  if (left == 0)
    return fail_timeout (attachment, timeout);
  left = patience_of (attachment);
  gst_datahub_introduction_warn (&attachment->introduction,
      attachment->waiting_since);
  gst_datahub_presence_quiet (&attachment->presence,
      attachment->client->channel,
      gst_datahub_introduction_word (&attachment->introduction), 0);
  left = shorter (left, gst_datahub_presence_left (&attachment->presence));
  left = shorter (left, due_left (attachment));
  left = shorter (left,
      gst_datahub_introduction_left (&attachment->introduction,
          attachment->waiting_since));
  if (attachment->interrupt->watch)
    result = datahub_watch_wait (attachment->interrupt->watch, left);
  else /* out of descriptors: look again, now and then */
    result =
        gst_datahub_interrupt_sleep (attachment->interrupt, GST_SECOND / 10);
  return result == DATAHUB_INTERRUPTED
      ? gst_datahub_interrupt_resume (attachment->interrupt)
      : GST_FLOW_OK;
}

static gboolean
is_not_there (DatahubResult result, const DatahubError *error)
{
  /* a strict block with a stopped producer is treated as missing */
  return result == DATAHUB_ERROR_NOT_FOUND || result == DATAHUB_TIMEOUT
      || (result == DATAHUB_ERROR_SYSTEM && error->sys_errno == ENOENT);
}

/**
 * gst_datahub_attachment_seek:
 * @attachment: one without a consumer
 *
 * Attaches to a live producer, or waits until the name changes, the wait is
 * interrupted or the user's timeout expires.
 *
 * Returns: %GST_FLOW_OK: the caller must check whether there is a consumer, and
 * call again otherwise; or a failure, which was posted
 */
GstFlowReturn
gst_datahub_attachment_seek (GstDatahubAttachment *attachment)
{
  GstDatahubSrcSettings settings =
      gst_datahub_attachment_get_settings (attachment);
  DatahubError error = { 0 };
  DatahubResult result;
  gst_datahub_interrupt_ensure_watch (attachment->interrupt,
      attachment->client->channel);
  begin_waiting (attachment);
  result = try_attach (attachment, &error);
  if (result == DATAHUB_OK)
    return GST_FLOW_OK;
  if (result == DATAHUB_INTERRUPTED)
    return gst_datahub_interrupt_resume (attachment->interrupt);
  if (gst_datahub_refusal_note (&attachment->refusal, attachment->element,
          &error)
      || is_not_there (result, &error))
    return wait_for_producer (attachment, settings.timeout);
  gst_datahub_client_post_error (attachment->element, &error, "attaching");
  return GST_FLOW_ERROR;
}

/* The producer has no stream yet. The stream is waited for as a producer is. */
void
gst_datahub_attachment_await_stream (GstDatahubAttachment *attachment)
{
  begin_waiting (attachment);
  attachment->unbegun = TRUE;
}

/**
 * gst_datahub_attachment_read:
 * @attachment: one with a consumer
 * @view: (out): the next record
 * @error: (out): what failed
 *
 * Waits for a limited time.
 *
 * Returns: as datahub_consumer_begin_read(); %DATAHUB_TIMEOUT only means that
 *     there was no record yet
 */
DatahubResult
gst_datahub_attachment_read (GstDatahubAttachment *attachment,
    DatahubView *view, DatahubError *error)
{
  attachment->asked = attachment->wake == GST_DATAHUB_WAKE_POLL
      ? (gint64) gst_datahub_attachment_get_settings (attachment).poll_interval
      : shorter (due_left (attachment),
          shorter (patience_of (attachment),
              gst_datahub_presence_left (&attachment->presence)));
  return gst_datahub_interrupt_read (attachment->interrupt, attachment->wake,
      attachment->asked, view, error);
}

/**
 * gst_datahub_attachment_meet:
 * @attachment: one with a consumer
 * @incarnation: the producer of the record
 *
 * Returns: whether the previous record was of another producer
 */
gboolean
gst_datahub_attachment_meet (GstDatahubAttachment *attachment,
    guint64 incarnation)
{
  gboolean another =
      attachment->incarnation && attachment->incarnation != incarnation;
  attachment->waiting_since = 0;
  attachment->unbegun = FALSE;
  attachment->incarnation = incarnation;
  gst_datahub_presence_heard (&attachment->presence,
      attachment->client->channel, attachment->uuid);
  if (!another)
    return FALSE;
  GST_INFO_OBJECT (attachment->element, "a new producer continues block %s",
      attachment->uuid);
  g_mutex_lock (&attachment->interrupt->lock);
  attachment->counters.producers++;
  g_mutex_unlock (&attachment->interrupt->lock);
  return TRUE;
}

/* A consumer stays while its producer is dead. A successor either continues the
 * block, which brings new records, or replaces it, which closes it. A successor
 * that adopted the block without a record yet is also detected.
 */
GstFlowReturn
gst_datahub_attachment_on_lull (GstDatahubAttachment *attachment)
{
  g_autofree DatahubBlockInfo *info = NULL;
  gst_datahub_presence_quiet (&attachment->presence,
      attachment->client->channel,
      attachment->waiting_since && !attachment->unbegun ? "no-producer"
                                                        : "no-data",
      attachment->interrupt->notifier ? 0 : MAX (attachment->asked, 0));
  if (patience_of (attachment) != 0)
    return GST_FLOW_OK;
  if (attachment->unbegun)
    return gst_datahub_unbegun_fail (attachment->element,
        attachment->client->channel,
        gst_datahub_attachment_get_settings (attachment).timeout);
  info = g_new0 (DatahubBlockInfo, 1);
  if (datahub_block_inspect (attachment->client->channel, info, NULL)
          != DATAHUB_OK
      || !info->producer_alive)
    return fail_timeout (attachment,
        gst_datahub_attachment_get_settings (attachment).timeout);
  attachment->waiting_since = 0;
  return GST_FLOW_OK;
}

/* A wait was ended by a pause, for good, or by a change of a setting. */
GstFlowReturn
gst_datahub_attachment_on_interrupt (GstDatahubAttachment *attachment)
{
  gst_datahub_presence_interrupted (&attachment->presence);
  return gst_datahub_interrupt_resume (attachment->interrupt);
}

/**
 * gst_datahub_attachment_on_end:
 * @attachment: one with a consumer
 * @result: %DATAHUB_CLOSED or %DATAHUB_PRODUCER_LOST
 *
 * Called when the producer is gone and all its records have been read. Closes
 * the consumer, unless it waits for the successor of a dead producer.
 *
 * Returns: %GST_FLOW_OK to continue, with or without a consumer
 */
GstFlowReturn
gst_datahub_attachment_on_end (GstDatahubAttachment *attachment,
    DatahubResult result)
{
  GstDatahubSrcSettings settings =
      gst_datahub_attachment_get_settings (attachment);
  const gchar *how =
      result == DATAHUB_CLOSED ? "left without ending the stream" : "died";
  GST_INFO_OBJECT (attachment->element, "the producer %s", how);
  attachment->unbegun = FALSE;
  attachment->follows = datahub_consumer_has_successor (attachment->consumer);
  if (attachment->follows)
    settings.on_disconnect = GST_DATAHUB_ON_DISCONNECT_WAIT;
  else
    gst_datahub_presence_lost (&attachment->presence,
        attachment->client->channel,
        result == DATAHUB_CLOSED ? "left" : "died");
  if (result == DATAHUB_PRODUCER_LOST
      && settings.on_disconnect == GST_DATAHUB_ON_DISCONNECT_WAIT) {
    begin_waiting (attachment);
    return GST_FLOW_OK;
  }
  gst_datahub_attachment_forget (attachment);
  switch (settings.on_disconnect) {
    case GST_DATAHUB_ON_DISCONNECT_EOS:
      return GST_FLOW_EOS;
    case GST_DATAHUB_ON_DISCONNECT_ERROR:
      GST_ELEMENT_ERROR (attachment->element, RESOURCE, READ,
          ("The producer of the DataBlock \"%s\" %s.",
              attachment->client->channel, how),
          ("block %s, on-disconnect=error", attachment->uuid));
      return GST_FLOW_ERROR;
    default:
      return GST_FLOW_OK;
  }
}

/* Joins the stream at its current position after the producer evicted the
 * consumer. */
GstFlowReturn
gst_datahub_attachment_rejoin (GstDatahubAttachment *attachment)
{
  DatahubError error = { 0 };
  DatahubResult result = datahub_consumer_rejoin (attachment->consumer, &error);
  GST_WARNING_OBJECT (attachment->element,
      "evicted: the producer waited for this consumer for too long");
  if (result != DATAHUB_OK) {
    gst_datahub_client_post_error (attachment->element, &error,
        "joining again");
    return GST_FLOW_ERROR;
  }
  g_mutex_lock (&attachment->interrupt->lock);
  attachment->counters.rejoins++;
  g_mutex_unlock (&attachment->interrupt->lock);
  return GST_FLOW_OK;
}

/* Sends a request to the producing pipeline. Returns: whether there is one. Any
 * thread. */
gboolean
gst_datahub_attachment_request (GstDatahubAttachment *attachment, guint32 what)
{
  gboolean attached;
  g_mutex_lock (&attachment->interrupt->lock);
  attached = attachment->consumer != NULL;
  if (attached)
    datahub_consumer_request (attachment->consumer, what);
  g_mutex_unlock (&attachment->interrupt->lock);
  return attached;
}

/* The setting may change while the stream flows. Any thread. */
void
gst_datahub_attachment_apply_max_age (GstDatahubAttachment *attachment)
{
  gint64 max_age = gst_datahub_src_settings_max_age (
      gst_datahub_attachment_get_settings (attachment).max_age);
  g_mutex_lock (&attachment->interrupt->lock);
  if (attachment->consumer)
    datahub_consumer_set_max_age (attachment->consumer, max_age);
  g_mutex_unlock (&attachment->interrupt->lock);
}

/* Returns: (transfer full): the counters of all consumers so far. Any thread. */
GstStructure *
gst_datahub_attachment_get_stats (GstDatahubAttachment *attachment)
{
  GstDatahubInterrupt *interrupt = attachment->interrupt;
  DatahubConsumerStats now = { 0 };
  GstDatahubAttachmentCounters counters;
  guint64 notifications;
  gint64 clock_offset = 0;
  g_mutex_lock (&interrupt->lock);
  if (attachment->consumer) {
    datahub_consumer_get_stats (attachment->consumer, &now);
    datahub_consumer_get_clock (attachment->consumer, &clock_offset);
  }
  counters = attachment->counters;
  notifications = interrupt->notifier
      ? gst_datahub_notifier_count (interrupt->notifier)
      : 0;
  g_mutex_unlock (&interrupt->lock);
  return gst_structure_new ("application/x-datahub-src-stats", "received",
      G_TYPE_UINT64, counters.received + now.received, "lost", G_TYPE_UINT64,
      counters.lost + now.lost, "damaged", G_TYPE_UINT64,
      counters.damaged + now.damaged, "expired", G_TYPE_UINT64,
      counters.expired + now.expired, "skipped", G_TYPE_UINT64,
      counters.skipped, "quota", G_TYPE_UINT, now.quota, "pinned", G_TYPE_UINT,
      now.pinned, "waits", G_TYPE_UINT64, now.waits, "lag", G_TYPE_UINT64,
      now.head - MIN (now.cursor, now.head), "bytes-mapped", G_TYPE_UINT64,
      now.bytes_mapped, "producers", G_TYPE_UINT64, counters.producers,
      "attachments", G_TYPE_UINT64, counters.attachments, "rejoins",
      G_TYPE_UINT64, counters.rejoins, "notifications", G_TYPE_UINT64,
      notifications, "clock-offset", G_TYPE_INT64, clock_offset, NULL);
}
