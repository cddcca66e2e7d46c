/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signal handlers of applications and event handlers of upstream must not run
 * in the streaming thread, which holds the pad's locks. Consumers also join and
 * leave while no buffer flows. So one thread for each sink sleeps until the
 * block signals a change. It converts changes to signals and messages for the
 * application, to events for upstream and to announcements at the broker.
 *
 * The producer detects every consumer that joins or leaves, also one without a
 * broker or one that is killed. So the producer announces them.
 * Tests: gst-attendance, gst-joiners, gst-events */
#include "gstdatahubconsumerwatch.h"

#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

#define CHANGES_AT_ONCE 16

enum
{
  SIGNAL_CONSUMER_ADDED,
  SIGNAL_CONSUMER_REMOVED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

/**
 * GstDatahubSink::consumer-added:
 * @sink: the element
 * @id: never the same for two consumers of a block
 * @name: as it calls itself
 *
 * A consumer has chosen where it starts. Emitted in a thread of the element; a
 * handler must not change the element's state.
 */
/**
 * GstDatahubSink::consumer-removed:
 * @sink: the element
 * @id: which
 * @reason: "left", "died" or "evicted"
 *
 * A consumer is gone. Emitted in a thread of the element; a handler must not
 * change the element's state.
 */
void
gst_datahub_consumer_watch_install_signals (GType type)
{
  signals[SIGNAL_CONSUMER_ADDED] =
      g_signal_new ("consumer-added", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
          NULL, G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_STRING);
  signals[SIGNAL_CONSUMER_REMOVED] =
      g_signal_new ("consumer-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
          NULL, G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_STRING);
}

/**
 * gst_datahub_consumer_watch_init:
 * @watch: a watch
 * @element: the sink, owner of this and of the following arguments
 * @client: the name and the broker
 * @settings: which events go upstream
 */
void
gst_datahub_consumer_watch_init (GstDatahubConsumerWatch *watch,
    GstElement *element, const GstDatahubClient *client,
    const GstDatahubSinkSettings *settings)
{
  *watch = (GstDatahubConsumerWatch){ .element = element,
    .client = client,
    .settings = settings,
    .demand = gst_datahub_demand_of (element) };
  gst_datahub_uplink_init (&watch->uplink, element, settings);
  gst_datahub_names_init (&watch->names, element);
  gst_datahub_caps_limits_init (&watch->limits, element,
      GST_BASE_SINK_PAD (element), settings);
}

/* ---- the service thread; no lock is held ---- */

static void
set_num_consumers (GstDatahubConsumerWatch *watch, gint change)
{
  GST_OBJECT_LOCK (watch->element);
  watch->num_consumers = change ? watch->num_consumers + (guint) change : 0;
  GST_OBJECT_UNLOCK (watch->element);
  g_object_notify (G_OBJECT (watch->element), "num-consumers");
}

static void
on_added (GstDatahubConsumerWatch *watch, guint64 id, const gchar *name)
{
  if (watch->client->hub)
    datahub_hub_consumer_joined (watch->client->hub, watch->client->channel,
        datahub_producer_get_uuid (watch->producer), id, name);
  GST_INFO_OBJECT (watch->element, "consumer %s (%" G_GUINT64_FORMAT ") came",
      name, id);
  g_hash_table_insert (watch->present, g_memdup2 (&id, sizeof id),
      g_strdup (name));
  set_num_consumers (watch, 1);
  gst_datahub_demand_consumer_added (watch->demand);
  g_signal_emit (watch->element, signals[SIGNAL_CONSUMER_ADDED], 0, id, name);
  gst_element_post_message (watch->element,
      gst_message_new_element (GST_OBJECT_CAST (watch->element),
          gst_structure_new ("consumer-added", "id", G_TYPE_UINT64, id, "name",
              G_TYPE_STRING, name, NULL)));
}

static void
on_removed (GstDatahubConsumerWatch *watch, guint64 id, const gchar *name,
    const gchar *reason)
{
  if (watch->client->hub)
    datahub_hub_consumer_left (watch->client->hub, watch->client->channel,
        datahub_producer_get_uuid (watch->producer), id, reason);
  GST_INFO_OBJECT (watch->element,
      "consumer %s (%" G_GUINT64_FORMAT ") went: %s", name, id, reason);
  g_hash_table_remove (watch->present, &id);
  set_num_consumers (watch, -1);
  g_signal_emit (watch->element, signals[SIGNAL_CONSUMER_REMOVED], 0, id,
      reason);
  gst_element_post_message (watch->element,
      gst_message_new_element (GST_OBJECT_CAST (watch->element),
          gst_structure_new ("consumer-removed", "id", G_TYPE_UINT64, id,
              "name", G_TYPE_STRING, name, "reason", G_TYPE_STRING, reason,
              NULL)));
}

static void
on_requested (GstDatahubConsumerWatch *watch, guint requests)
{
  GstDatahubEvents wanted =
      gst_datahub_sink_settings_read (watch->element, watch->settings).events;
  gboolean key_unit = (requests & DATAHUB_REQUEST_KEYFRAME) != 0;
  gboolean reconfigure = (requests & DATAHUB_REQUEST_RECONFIGURE) != 0;
  if (key_unit && (wanted & GST_DATAHUB_EVENTS_FORCE_KEY_UNIT))
    gst_datahub_uplink_ask_now (&watch->uplink);
  else if (key_unit)
    gst_datahub_uplink_refuse (&watch->uplink);
  if (reconfigure && (wanted & GST_DATAHUB_EVENTS_RECONFIGURE))
    gst_pad_push_event (GST_BASE_SINK_PAD (watch->element),
        gst_event_new_reconfigure ());
  else if (reconfigure)
    gst_datahub_uplink_refuse (&watch->uplink);
}

static void
report_changes (GstDatahubConsumerWatch *watch,
    const DatahubConsumerChange *changes, guint n)
{
  static const gchar *const reasons[] = { [DATAHUB_CHANGE_LEFT] = "left",
    [DATAHUB_CHANGE_DIED] = "died",
    [DATAHUB_CHANGE_EVICTED] = "evicted" };
  for (guint i = 0; i < n; i++)
    if (changes[i].event == DATAHUB_CHANGE_JOINED)
      on_added (watch, changes[i].id, changes[i].name);
    else
      on_removed (watch, changes[i].id, changes[i].name,
          reasons[changes[i].event]);
}

/* Reports what has changed, in portions. */
static void
take_changes (GstDatahubConsumerWatch *watch)
{
  DatahubConsumerChange changes[CHANGES_AT_ONCE];
  guint n;
  do {
    n = datahub_producer_take_changes (watch->producer, changes,
        CHANGES_AT_ONCE);
    report_changes (watch, changes, n);
  } while (n + 1 >= CHANGES_AT_ONCE);
}

static gboolean
is_notify_wanted (const DatahubConsumerInfo *infos, guint n)
{
  for (guint i = 0; i < n; i++)
    if (infos[i].notify)
      return TRUE;
  return FALSE;
}

static gint64
earlier (gint64 a, gint64 b)
{
  if (a == DATAHUB_FOREVER || b == DATAHUB_FOREVER)
    return MAX (a, b);
  return MIN (a, b);
}

/* Returns: how long nothing is to be done, if no consumer wants anything. */
static gint64
look (GstDatahubConsumerWatch *watch, DatahubConsumerInfo *infos)
{
  guint requests = datahub_producer_take_requests (watch->producer);
  guint n = datahub_producer_list_consumers (watch->producer, infos,
      DATAHUB_MAX_CONSUMERS);
  gint64 wait;
  take_changes (watch);
  g_atomic_int_set (&watch->notify, is_notify_wanted (infos, n));
  if (requests)
    on_requested (watch, requests);
  wait = gst_datahub_caps_limits_update (&watch->limits, watch->producer, infos,
      n);
  wait = earlier (wait,
      gst_datahub_demand_look (watch->demand, watch->producer, infos, n));
  return earlier (wait, gst_datahub_uplink_take (&watch->uplink, infos, n));
}

static GHashTable *
new_table (void)
{
  return g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
}

/* Reports that all consumers leave the block, each once. One may leave by itself
 * meanwhile, so what was reported before counts, and not what is there now. */
static void
report_rest (GstDatahubConsumerWatch *watch)
{
  g_autoptr (GHashTable) rest = NULL;
  GHashTableIter iter;
  gpointer id, name;
  take_changes (watch);
  rest = g_steal_pointer (&watch->present);
  watch->present = new_table ();
  g_hash_table_iter_init (&iter, rest);
  while (g_hash_table_iter_next (&iter, &id, &name))
    on_removed (watch, *(const guint64 *) id, name, "left");
}

/* Closes a block that another one follows; its consumers go over then. */
static void
drop_former (GstDatahubProducer *former, GstDatahubWriter *writer)
{
  gst_datahub_writer_free (writer);
  gst_datahub_producer_close (former);
  gst_datahub_producer_unref (former);
}

static void
enter_block (GstDatahubConsumerWatch *watch, GstDatahubProducer *block,
    GstDatahubWriter *writer)
{
  GST_OBJECT_LOCK (watch->element);
  watch->block = block;
  GST_OBJECT_UNLOCK (watch->element);
  watch->producer = gst_datahub_producer_enter (block);
  gst_datahub_names_start (&watch->names);
  gst_datahub_uplink_start (&watch->uplink, writer);
}

static void
leave_block (GstDatahubConsumerWatch *watch)
{
  GstDatahubProducer *block;
  GST_OBJECT_LOCK (watch->element);
  block = g_steal_pointer (&watch->block);
  GST_OBJECT_UNLOCK (watch->element);
  watch->producer = NULL;
  gst_datahub_producer_leave (block);
  gst_datahub_producer_unref (block);
  gst_datahub_uplink_stop (&watch->uplink);
  gst_datahub_caps_limits_clear (&watch->limits);
}

/* Ends the wait of the thread in @block. */
static void
interrupt (GstDatahubProducer *block)
{
  DatahubProducer *producer = gst_datahub_producer_enter (block);
  if (!producer)
    return;
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ATTENTION, true);
  gst_datahub_producer_leave (block);
}

static gboolean
is_stopping (GstDatahubConsumerWatch *watch)
{
  gboolean stopping;
  GST_OBJECT_LOCK (watch->element);
  stopping = watch->stopping;
  GST_OBJECT_UNLOCK (watch->element);
  return stopping;
}

/* Goes over to the next block. Not the streaming thread: it has locks that a signal
 * handler of this thread may wait for, so it must not wait for this thread. Returns:
 * whether there is one */
static gboolean
go_over (GstDatahubConsumerWatch *watch)
{
  GstDatahubProducer *next, *former;
  GstDatahubWriter *writer, *former_writer;
  GST_OBJECT_LOCK (watch->element);
  next = g_steal_pointer (&watch->next);
  writer = g_steal_pointer (&watch->next_writer);
  former = g_steal_pointer (&watch->former);
  former_writer = g_steal_pointer (&watch->former_writer);
  GST_OBJECT_UNLOCK (watch->element);
  if (!next)
    return FALSE;
  report_rest (watch);
  leave_block (watch);
  drop_former (former, former_writer);
  enter_block (watch, next, writer);
  return !is_stopping (watch);
}

/* Looks for the names, too. Consumers that the streaming thread waits for cannot come
 * to a block that lost them: its wait ends, so that it makes another one. */
static gint64
look_at_all (GstDatahubConsumerWatch *watch, DatahubConsumerInfo *infos)
{
  gint64 wait = look (watch, infos);
  wait =
      earlier (wait, gst_datahub_names_look (&watch->names, watch->producer));
  if (gst_datahub_names_are_lost (&watch->names, watch->producer))
    gst_datahub_producer_set_interrupted (watch->block,
        GST_DATAHUB_PRODUCER_RECONSIDER, TRUE);
  return wait;
}

static gpointer
run (gpointer data)
{
  GstDatahubConsumerWatch *watch = data;
  g_autofree DatahubConsumerInfo *infos =
      g_new (DatahubConsumerInfo, DATAHUB_MAX_CONSUMERS);
  guint32 seen = 0;
  DatahubResult result;
  watch->present = new_table ();
  do {
    gint64 wait = look_at_all (watch, infos);
    result = datahub_producer_wait_attention (watch->producer, &seen, wait);
    if (result == DATAHUB_INTERRUPTED && go_over (watch)) {
      seen = 0;
      result = DATAHUB_OK;
    }
  } while (result == DATAHUB_OK || result == DATAHUB_TIMEOUT);
  look (watch, infos);
  g_clear_pointer (&watch->present, g_hash_table_unref);
  return NULL;
}

/* ---- other threads ---- */

/* The hub's thread. The streaming thread makes another block, also if it waits for
 * consumers. */
static void
on_revoked (GstElement *element, gpointer data, const gchar *uuid)
{
  GstDatahubConsumerWatch *watch = data;
  g_autoptr (GstDatahubProducer) block = NULL;
  DatahubProducer *producer;
  GST_OBJECT_LOCK (element);
  if (watch->block)
    block = gst_datahub_producer_ref (watch->block);
  GST_OBJECT_UNLOCK (element);
  producer = block ? gst_datahub_producer_enter (block) : NULL;
  if (!producer)
    return;
  if (g_str_equal (datahub_producer_get_uuid (producer), uuid)) {
    gst_datahub_names_revoke (&watch->names, producer);
    gst_datahub_producer_set_interrupted (block,
        GST_DATAHUB_PRODUCER_RECONSIDER, TRUE);
  }
  gst_datahub_producer_leave (block);
}

/**
 * gst_datahub_consumer_watch_start:
 * @watch: one that does not run
 * @block: a published block
 * @writer: its writer, which outlives the run
 * @error: return location for a #GError
 *
 * Returns: whether the system granted the thread
 */
gboolean
gst_datahub_consumer_watch_start (GstDatahubConsumerWatch *watch,
    GstDatahubProducer *block, GstDatahubWriter *writer, GError **error)
{
  watch->stopping = FALSE;
  enter_block (watch, gst_datahub_producer_ref (block), writer);
  watch->thread = g_thread_try_new ("datahub-service", run, watch, error);
  if (!watch->thread) {
    leave_block (watch);
    return FALSE;
  }
  gst_datahub_revocation_start (&watch->revocation, watch->element,
      watch->client->hub, watch->client->channel, on_revoked, watch);
  return TRUE;
}

/* Whether the thread has not gone over to the last block yet. Any thread. */
gboolean
gst_datahub_consumer_watch_is_following (GstDatahubConsumerWatch *watch)
{
  gboolean following;
  GST_OBJECT_LOCK (watch->element);
  following = watch->next != NULL;
  GST_OBJECT_UNLOCK (watch->element);
  return following;
}

/**
 * gst_datahub_consumer_watch_follow:
 * @watch: one that runs, and is not following
 * @block: the published successor
 * @writer: its writer, which outlives the run
 * @former: (transfer full): the block so far
 * @former_writer: (transfer full): its writer
 *
 * The thread goes over to @block, and closes @former. Does not wait for it.
 */
void
gst_datahub_consumer_watch_follow (GstDatahubConsumerWatch *watch,
    GstDatahubProducer *block, GstDatahubWriter *writer,
    GstDatahubProducer *former, GstDatahubWriter *former_writer)
{
  g_autoptr (GstDatahubProducer) old = gst_datahub_producer_ref (former);
  GST_OBJECT_LOCK (watch->element);
  watch->next = gst_datahub_producer_ref (block);
  watch->next_writer = writer;
  watch->former = former;
  watch->former_writer = former_writer;
  GST_OBJECT_UNLOCK (watch->element);
  interrupt (old);
}

/**
 * gst_datahub_consumer_watch_stop:
 * @watch: a watch
 *
 * Ends the thread, if it runs, and waits for it. Must not be called in that
 * thread.
 */
void
gst_datahub_consumer_watch_stop (GstDatahubConsumerWatch *watch)
{
  g_autoptr (GstDatahubProducer) block = NULL;
  if (!watch->thread)
    return;
  gst_datahub_revocation_stop (&watch->revocation);
  GST_OBJECT_LOCK (watch->element);
  watch->stopping = TRUE;
  if (watch->block) /* NULL: the thread goes over, and looks then */
    block = gst_datahub_producer_ref (watch->block);
  GST_OBJECT_UNLOCK (watch->element);
  if (block)
    interrupt (block);
  g_thread_join (g_steal_pointer (&watch->thread));
  leave_block (watch);
  if (!watch->next)
    return;
  drop_former (g_steal_pointer (&watch->former),
      g_steal_pointer (&watch->former_writer));
  g_clear_pointer (&watch->next, gst_datahub_producer_unref);
  watch->next_writer = NULL;
}

/* The watch has stopped and the block is closed: it has no consumers. */
void
gst_datahub_consumer_watch_reset (GstDatahubConsumerWatch *watch)
{
  set_num_consumers (watch, 0);
}

/* Returns: whether @id is a property about consumers. Any thread. */
gboolean
gst_datahub_consumer_watch_get_property (GstDatahubConsumerWatch *watch,
    guint id, GValue *value)
{
  if (id == GST_DATAHUB_SINK_DEMANDED)
    g_value_set_boolean (value, g_atomic_int_get (&watch->demand->demanded));
  if (id != GST_DATAHUB_SINK_NUM_CONSUMERS)
    return id == GST_DATAHUB_SINK_DEMANDED;
  GST_OBJECT_LOCK (watch->element);
  g_value_set_uint (value, watch->num_consumers);
  GST_OBJECT_UNLOCK (watch->element);
  return TRUE;
}

/* Whether a consumer wants notifications of new data through the broker. Any
 * thread. */
gboolean
gst_datahub_consumer_watch_is_notify_wanted (GstDatahubConsumerWatch *watch)
{
  return g_atomic_int_get (&watch->notify);
}
