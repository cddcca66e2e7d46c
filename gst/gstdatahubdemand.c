/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer that is attached is a demand, whatever it does. Its row goes with its
 * process, so a demand ends also if a consumer is killed. The block is there without a
 * stream, so that consumers can attach, and the sources start then.
 *
 * A source that ends by itself stays off until another consumer joins. Until the
 * consumers have read the EOS it stays in force, and then it is forgotten: a consumer
 * that joins waits for the next stream.
 * Tests: gst-demand, gst-demand-states */
#include "gstdatahubdemandswitch.h"
#include "gstdatahubtime.h"

#include <gst/base/gstbasesink.h>

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

enum
{
  SIGNAL_SOURCE_STOPPED,
  SIGNAL_SOURCE_STARTED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

/**
 * GstDatahubSink::source-started:
 * @sink: the element
 * @sources: (array zero-terminated=1): the names of the elements
 *
 * A consumer attached, and sources that only this demand needs were set to the state
 * of the pipeline. Emitted in a thread that holds no lock of the element.
 */
/**
 * GstDatahubSink::source-stopped:
 * @sink: the element
 * @sources: (array zero-terminated=1): the names of the elements
 *
 * The last consumer left, or the sources ended, and they were set to READY. Emitted in
 * a thread that holds no lock of the element.
 */
void
gst_datahub_demand_install_signals (GType type)
{
  signals[SIGNAL_SOURCE_STARTED] = g_signal_new ("source-started", type,
      G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRV);
  signals[SIGNAL_SOURCE_STOPPED] = g_signal_new ("source-stopped", type,
      G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRV);
}

static GQuark
demand_quark (void)
{
  return g_quark_from_static_string ("datahub-demand");
}

/**
 * gst_datahub_demand_init:
 * @demand: a demand
 * @element: the sink, owner of this and of the following arguments
 * @client: the name, and the outbox
 * @settings: whether the sink is on demand
 * @funcs: what the sink does for it
 * @data: passed to @funcs
 */
void
gst_datahub_demand_init (GstDatahubDemand *demand, GstElement *element,
    GstDatahubClient *client, const GstDatahubSinkSettings *settings,
    const GstDatahubDemandFuncs *funcs, gpointer data)
{
  *demand = (GstDatahubDemand){ .element = element,
    .client = client,
    .settings = settings,
    .funcs = funcs,
    .data = data };
  g_object_set_qdata (G_OBJECT (element), demand_quark (), demand);
}

/* Returns: (nullable): that of a datahubsink */
GstDatahubDemand *
gst_datahub_demand_of (GstElement *element)
{
  return g_object_get_qdata (G_OBJECT (element), demand_quark ());
}

gboolean
gst_datahub_demand_is_on (const GstDatahubDemand *demand)
{
  return gst_datahub_sink_settings_read (demand->element, demand->settings)
      .on_demand;
}

/* Whether the sources have to run for it. Any thread. */
gboolean
gst_datahub_demand_wants (const GstDatahubDemand *demand)
{
  gint ending = g_atomic_int_get (&demand->ending);
  if (ending == GST_DATAHUB_END_FLOWS)
    return TRUE;
  return ending == GST_DATAHUB_END_NONE && g_atomic_int_get (&demand->demanded)
      && g_atomic_int_get (&demand->rest) == GST_DATAHUB_REST_NONE;
}

/* ---- states ---- */

static void
set_demanded (GstDatahubDemand *demand, gboolean demanded)
{
  if (!g_atomic_int_compare_and_exchange (&demand->demanded, !demanded,
          demanded))
    return;
  GST_INFO_OBJECT (demand->element, "%s", demanded ? "demanded" : "no demand");
  g_object_notify (G_OBJECT (demand->element), "demanded");
}

/**
 * gst_datahub_demand_start:
 * @demand: one that is not started
 *
 * In READY, before the sources leave it. Nothing happens unless the sink is on demand.
 *
 * Returns: whether the sink can start; if not, an error was posted
 */
gboolean
gst_datahub_demand_start (GstDatahubDemand *demand)
{
  if (!gst_datahub_demand_is_on (demand))
    return TRUE;
  demand->rest = GST_DATAHUB_REST_NONE;
  demand->ending = GST_DATAHUB_END_NONE;
  demand->drained = demand->demanded = demand->changing = FALSE;
  demand->left_at = demand->drained_at = 0;
  demand->group = gst_datahub_demand_switch_join (demand);
  if (!demand->group)
    return FALSE;
  /* the pipeline plays without data */
  demand->was_async =
      gst_base_sink_is_async_enabled (GST_BASE_SINK (demand->element));
  gst_base_sink_set_async_enabled (GST_BASE_SINK (demand->element), FALSE);
  return TRUE;
}

/* Before a change of state of the sink. Waits for the end of a change of its
 * sources. */
void
gst_datahub_demand_before (GstDatahubDemand *demand, GstStateChange change)
{
  if (!demand->group)
    return;
  if (change == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    gst_datahub_demand_switch_allow (demand->group, demand, FALSE);
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY)
    gst_datahub_demand_switch_leave (demand->group, demand);
}

/* Behind it. */
void
gst_datahub_demand_after (GstDatahubDemand *demand, GstStateChange change,
    GstStateChangeReturn result)
{
  if (demand->group && change == GST_STATE_CHANGE_PAUSED_TO_PLAYING
      && result != GST_STATE_CHANGE_FAILURE)
    gst_datahub_demand_switch_allow (demand->group, demand, TRUE);
}

/* The other threads of the sink have ended. */
void
gst_datahub_demand_stop (GstDatahubDemand *demand)
{
  if (!demand->group)
    return;
  gst_datahub_demand_switch_leave (demand->group, demand);
  g_clear_pointer (&demand->group, gst_datahub_demand_switch_unref);
  gst_base_sink_set_async_enabled (GST_BASE_SINK (demand->element),
      demand->was_async);
  set_demanded (demand, FALSE);
}

/* ---- the service thread ---- */

static void
kick (GstDatahubDemand *demand)
{
  gst_datahub_demand_switch_kick (demand->group, demand->element);
}

/* A source that ended or failed is to begin again. */
void
gst_datahub_demand_consumer_added (GstDatahubDemand *demand)
{
  if (demand->group)
    g_atomic_int_compare_and_exchange (&demand->rest, GST_DATAHUB_REST_SILENT,
        GST_DATAHUB_REST_ASKED);
}

static gint64
get_linger (const GstDatahubDemand *demand)
{
  GstClockTime linger =
      gst_datahub_sink_settings_read (demand->element, demand->settings)
          .on_demand_linger;
  return linger > (GstClockTime) G_MAXINT64 ? DATAHUB_FOREVER : (gint64) linger;
}

/* Returns: how long the demand lasts without a consumer */
static gint64
look_at_demand (GstDatahubDemand *demand, guint n, gint64 now)
{
  gint64 linger = get_linger (demand);
  if (n > 0) {
    demand->left_at = 0;
    set_demanded (demand, TRUE);
    return DATAHUB_FOREVER;
  }
  if (!g_atomic_int_get (&demand->demanded))
    return DATAHUB_FOREVER;
  if (!demand->left_at)
    demand->left_at = now;
  if (linger == DATAHUB_FOREVER)
    return DATAHUB_FOREVER;
  if (now - demand->left_at < linger)
    return demand->left_at + linger - now;
  set_demanded (demand, FALSE);
  return DATAHUB_FOREVER;
}

static gboolean
have_all_read (DatahubProducer *producer, const DatahubConsumerInfo *infos,
    guint n)
{
  DatahubProducerStats stats;
  datahub_producer_get_stats (producer, &stats);
  for (guint i = 0; i < n; i++)
    if (infos[i].cursor < stats.records)
      return FALSE;
  return TRUE;
}

/* A consumer that is stopped reads the EOS too late. */
static gint64
look_at_eos (GstDatahubDemand *demand, DatahubProducer *producer,
    const DatahubConsumerInfo *infos, guint n, gint64 now)
{
  static const gint64 pause = 50 * GST_MSECOND, patience = 2 * GST_SECOND;
  if (!g_atomic_int_get (&demand->drained)) {
    demand->drained_at = 0;
    return DATAHUB_FOREVER;
  }
  if (!demand->drained_at)
    demand->drained_at = now;
  if (g_atomic_int_get (&demand->running)
      || (now - demand->drained_at < patience
          && !have_all_read (producer, infos, n)))
    return pause;
  gst_datahub_demand_switch_rewind (demand->group, demand);
  return DATAHUB_FOREVER;
}

/**
 * gst_datahub_demand_look:
 * @demand: a demand
 * @producer: the block
 * @infos: its consumers
 * @n: how many
 *
 * Also looks whether the pipeline changed. At least once a second.
 *
 * Returns: when to look again, in nanoseconds from now
 */
gint64
gst_datahub_demand_look (GstDatahubDemand *demand, DatahubProducer *producer,
    const DatahubConsumerInfo *infos, guint n)
{
  gint64 now, wait, other;
  if (!demand->group)
    return DATAHUB_FOREVER;
  now = gst_datahub_monotonic_now ();
  wait = look_at_demand (demand, n, now);
  other = look_at_eos (demand, producer, infos, n, now);
  kick (demand);
  return wait == DATAHUB_FOREVER || other == DATAHUB_FOREVER
      ? MAX (wait, other)
      : MIN (wait, other);
}

/* ---- the streaming thread ---- */

/**
 * gst_datahub_demand_take_eos:
 * @demand: a demand
 *
 * EOS was committed. The pipeline goes on if it is only the source's, for the next
 * demand.
 *
 * Returns: whether the pipeline goes on
 */
gboolean
gst_datahub_demand_take_eos (GstDatahubDemand *demand)
{
  if (!demand->group
      || !gst_datahub_demand_switch_take_eos (demand->group, demand))
    return FALSE;
  kick (demand);
  return TRUE;
}

/* ---- other threads ---- */

/* An EOS is sent to the pipeline. The state lock of the element is held. */
void
gst_datahub_demand_end (GstDatahubDemand *demand)
{
  if (demand->group)
    gst_datahub_demand_switch_end (demand->group, demand);
}

/* ---- messages ---- */

static gchar **
get_names (const GstStructure *structure)
{
  const GValue *names = gst_structure_get_value (structure, "sources");
  guint n = gst_value_array_get_size (names);
  gchar **copy = g_new0 (gchar *, n + 1);
  for (guint i = 0; i < n; i++)
    copy[i] = g_value_dup_string (gst_value_array_get_value (names, i));
  return copy;
}

static void
emit (GstElement *element, const GstStructure *structure)
{
  g_auto (GStrv) names = get_names (structure);
  gboolean started =
      gst_structure_has_name (structure, "datahub-source-started");
  g_signal_emit (element,
      signals[started ? SIGNAL_SOURCE_STARTED : SIGNAL_SOURCE_STOPPED], 0,
      names);
}

static void
take_names (GstStructure *structure, const GPtrArray *names)
{
  GValue array = G_VALUE_INIT, name = G_VALUE_INIT;
  gst_value_array_init (&array, names->len);
  for (guint i = 0; i < names->len; i++) {
    g_value_init (&name, G_TYPE_STRING);
    g_value_set_string (&name, names->pdata[i]);
    gst_value_array_append_and_take_value (&array, &name);
  }
  gst_structure_take_value (structure, "sources", &array);
}

/* Posts which sources were switched. A source that starts may be live, and the pipeline
 * did not know its latency. */
void
gst_datahub_demand_report (GstDatahubDemand *demand, gboolean started,
    const GPtrArray *names)
{
  GstStructure *structure =
      gst_structure_new (started ? "datahub-source-started"
                                 : "datahub-source-stopped",
          "datablock", G_TYPE_STRING, demand->client->channel, NULL);
  GstObject *object = GST_OBJECT_CAST (demand->element);
  GST_INFO_OBJECT (object, "%u sources %s", names->len,
      started ? "started" : "stopped");
  take_names (structure, names);
  if (started)
    gst_element_post_message (demand->element,
        gst_message_new_latency (object));
  gst_datahub_outbox_push (&demand->client->outbox, demand->element,
      gst_message_new_element (object, structure), emit);
}

/* The source has posted its own error. */
void
gst_datahub_demand_report_failure (GstDatahubDemand *demand,
    const gchar *source)
{
  g_atomic_int_set (&demand->rest, GST_DATAHUB_REST_SILENT);
  GST_ELEMENT_WARNING (demand->element, RESOURCE, FAILED,
      ("%s did not start. The consumers of the DataBlock \"%s\" wait; it is tried "
       "again when another one attaches.",
          source, demand->client->channel),
      ("the element posts the reason"));
}
