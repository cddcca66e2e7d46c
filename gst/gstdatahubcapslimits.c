/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer states the caps that it can read. The sink passes the intersection of
 * all on to upstream. Nothing that one consumer states harms another: a statement
 * that leaves nothing, or that upstream cannot meet, is left out, in the order in
 * which the consumers joined. A consumer that states nothing may depend on the caps
 * as they are, so with restrict-caps=unshared the caps do not move beside it.
 * Tests: gst-restrict */
#include "gstdatahubcapslimits.h"
#include "gstdatahubformat.h"

#include <string.h>

/* Between two requests to upstream. */
#define INTERVAL_NS GST_SECOND
/* Products of long lists grow; hostile ones without an end. */
#define STRUCTURES_MAX 64

typedef struct
{
  guint64 id, sequence;
  GstCaps *caps; /* owned; NULL: none, or not readable */
  const gchar *why; /* it is not applied; NULL: it is */
  gboolean reported; /* that it is not applied */
} Stated;

static void
stated_clear (gpointer data)
{
  gst_clear_caps (&((Stated *) data)->caps);
}

void
gst_datahub_caps_limits_init (GstDatahubCapsLimits *limits, GstElement *element,
    GstPad *pad, const GstDatahubSinkSettings *settings)
{
  *limits = (GstDatahubCapsLimits){ .element = element,
    .pad = pad,
    .settings = settings,
    .known = g_array_new (FALSE, TRUE, sizeof (Stated)) };
  g_array_set_clear_func (limits->known, stated_clear);
  gst_datahub_left_out_init (&limits->left, element, "limits-left");
}

/* Takes @caps. */
static void
set_in_force (GstDatahubCapsLimits *limits, GstCaps *caps)
{
  GST_OBJECT_LOCK (limits->element);
  gst_caps_take (&limits->in_force, caps);
  GST_OBJECT_UNLOCK (limits->element);
}

/* The service thread has ended; may be used again. */
void
gst_datahub_caps_limits_clear (GstDatahubCapsLimits *limits)
{
  set_in_force (limits, NULL);
  gst_clear_caps (&limits->asked);
  limits->asked_at = 0;
  g_array_set_size (limits->known, 0);
  gst_datahub_left_out_clear (&limits->left);
}

/* With its owner. */
void
gst_datahub_caps_limits_free_contents (GstDatahubCapsLimits *limits)
{
  gst_datahub_caps_limits_clear (limits);
  g_clear_pointer (&limits->known, g_array_unref);
}

/* Reads what is stated now into @now, which has what was read before. Stays with
 * that while the consumer changes it. */
static void
read_stated (DatahubProducer *producer, guint64 sequence, Stated *now)
{
  gchar text[DATAHUB_LIMITS_MAX];
  DatahubResult result =
      datahub_producer_get_limits (producer, now->id, text, sizeof text, NULL);
  if (result == DATAHUB_TIMEOUT)
    return;
  now->sequence = sequence;
  now->reported = FALSE;
  gst_clear_caps (&now->caps);
  if (result == DATAHUB_OK)
    now->caps = gst_datahub_format_decode_limits (text, strlen (text) + 1);
}

static const Stated *
find (const GArray *known, guint64 id)
{
  for (guint i = 0; i < known->len; i++)
    if (g_array_index (known, Stated, i).id == id)
      return &g_array_index (known, Stated, i);
  return NULL;
}

/* Reads only what is new. */
static void
refresh (GstDatahubCapsLimits *limits, DatahubProducer *producer,
    const DatahubConsumerInfo *infos, guint n)
{
  g_autoptr (GArray) before = g_steal_pointer (&limits->known);
  limits->known = g_array_new (FALSE, TRUE, sizeof (Stated));
  g_array_set_clear_func (limits->known, stated_clear);
  for (guint i = 0; i < n; i++) {
    const Stated *old = find (before, infos[i].id);
    Stated now = { .id = infos[i].id };
    if (infos[i].state != DATAHUB_CONSUMER_ACTIVE)
      continue;
    if (old) {
      now.sequence = old->sequence;
      now.reported = old->reported;
      now.caps = old->caps ? gst_caps_ref (old->caps) : NULL;
    }
    if (now.sequence != infos[i].limits_sequence)
      read_stated (producer, infos[i].limits_sequence, &now);
    g_array_append_val (limits->known, now);
  }
}

static gint
by_id (gconstpointer a, gconstpointer b)
{
  guint64 x = ((const Stated *) a)->id, y = ((const Stated *) b)->id;
  return x < y ? -1 : x > y;
}

/* Whether a consumer depends on the caps as they are. */
static gboolean
is_shared (const GstDatahubCapsLimits *limits)
{
  for (guint i = 0; i < limits->known->len; i++)
    if (!g_array_index (limits->known, Stated, i).caps)
      return limits->known->len > 1;
  return FALSE;
}

static gboolean
fits (GstCaps *current, GstCaps *caps)
{
  return !current || gst_caps_can_intersect (current, caps);
}

static gboolean
upstream_can (GstDatahubCapsLimits *limits, GstCaps *caps)
{
  g_autoptr (GstCaps) possible = gst_pad_peer_query_caps (limits->pad, caps);
  return !gst_caps_is_empty (possible);
}

/* Returns: (nullable): why the statement @one cannot be applied beside @all; %NULL:
 * @both is what they leave */
static const gchar *
join (GstDatahubCapsLimits *limits, GstCaps *current, gboolean may_move,
    GstCaps *all, GstCaps *one, GstCaps **both)
{
  if (!may_move && !fits (current, one))
    return "a consumer beside it states nothing, so the caps do not move. Set "
           "restrict-caps=all to move them";
  *both = all ? gst_caps_intersect (all, one) : gst_caps_ref (one);
  if (gst_caps_is_empty (*both) || gst_caps_get_size (*both) > STRUCTURES_MAX)
    return "earlier consumers read something else. Put a converter behind its "
           "datahubsrc";
  if (!fits (current, *both) && !upstream_can (limits, *both))
    return "upstream cannot produce it. Put a converter in front of datahubsink";
  return NULL;
}

/* Returns: (transfer full) (nullable): those of all consumers together */
static GstCaps *
combine (GstDatahubCapsLimits *limits, GstCaps *current, gboolean may_move)
{
  g_autoptr (GstCaps) all = NULL;
  for (guint i = 0; i < limits->known->len; i++) {
    Stated *one = &g_array_index (limits->known, Stated, i);
    g_autoptr (GstCaps) both = NULL;
    if (!one->caps)
      continue;
    one->why = join (limits, current, may_move, all, one->caps, &both);
    if (!one->why)
      gst_caps_replace (&all, both);
  }
  return g_steal_pointer (&all);
}

static const gchar *
name_of (guint64 id, const DatahubConsumerInfo *infos, guint n)
{
  for (guint i = 0; i < n; i++)
    if (infos[i].id == id)
      return g_utf8_validate (infos[i].name, -1, NULL) ? infos[i].name : "?";
  return "?";
}

/* A consumer that reads the present caps lacks nothing. */
static void
report_left (GstDatahubCapsLimits *limits, GstCaps *current,
    const DatahubConsumerInfo *infos, guint n)
{
  for (guint i = 0; i < limits->known->len; i++) {
    Stated *one = &g_array_index (limits->known, Stated, i);
    if (!one->caps || !one->why || one->reported || fits (current, one->caps))
      continue;
    one->reported = TRUE;
    gst_datahub_left_out_note (&limits->left, "A limit of the caps", 0,
        "by the consumer \"%s\" cannot be applied, and that consumer gets no "
        "buffers: %s",
        name_of (one->id, infos, n), one->why);
    GST_OBJECT_LOCK (limits->element);
    limits->n_left++;
    GST_OBJECT_UNLOCK (limits->element);
  }
}

/* Returns: how long to wait before upstream can be asked; FOREVER: it was. */
static gint64
ask_upstream (GstDatahubCapsLimits *limits, GstCaps *wanted)
{
  gint64 now = g_get_monotonic_time () * 1000;
  if (limits->asked && gst_caps_is_equal (limits->asked, wanted))
    return DATAHUB_FOREVER;
  if (limits->asked_at && now - limits->asked_at < (gint64) INTERVAL_NS)
    return (gint64) INTERVAL_NS - (now - limits->asked_at);
  gst_caps_replace (&limits->asked, wanted);
  limits->asked_at = now;
  GST_OBJECT_LOCK (limits->element);
  limits->renegotiations++;
  GST_OBJECT_UNLOCK (limits->element);
  GST_INFO_OBJECT (limits->element, "consumers want %" GST_PTR_FORMAT, wanted);
  gst_pad_push_event (limits->pad, gst_event_new_reconfigure ());
  return DATAHUB_FOREVER;
}

/**
 * gst_datahub_caps_limits_update:
 * @limits: those of a sink
 * @producer: its block
 * @infos: the consumers now
 * @n: how many
 *
 * Puts what the consumers state in force. Service thread; no lock is held.
 *
 * Returns: in how many nanoseconds it must be called again, or %DATAHUB_FOREVER
 */
gint64
gst_datahub_caps_limits_update (GstDatahubCapsLimits *limits,
    DatahubProducer *producer, const DatahubConsumerInfo *infos, guint n)
{
  GstDatahubRestrictCaps mode =
      gst_datahub_sink_settings_read (limits->element, limits->settings)
          .restrict_caps;
  g_autoptr (GstCaps) current = gst_pad_get_current_caps (limits->pad);
  g_autoptr (GstCaps) wanted = NULL;
  if (mode == GST_DATAHUB_RESTRICT_CAPS_NONE)
    return DATAHUB_FOREVER;
  refresh (limits, producer, infos, n);
  g_array_sort (limits->known, by_id);
  wanted = combine (limits, current,
      mode == GST_DATAHUB_RESTRICT_CAPS_ALL || !is_shared (limits));
  set_in_force (limits, wanted ? gst_caps_ref (wanted) : NULL);
  report_left (limits, current, infos, n);
  if (wanted && !fits (current, wanted))
    return ask_upstream (limits, wanted);
  gst_clear_caps (&limits->asked);
  return DATAHUB_FOREVER;
}

/**
 * gst_datahub_caps_limits_apply:
 * @limits: those of a sink
 * @caps: (transfer full): what the sink accepts
 *
 * Any thread.
 *
 * Returns: (transfer full): what consumers read, or @caps if that leaves nothing
 */
GstCaps *
gst_datahub_caps_limits_apply (GstDatahubCapsLimits *limits, GstCaps *caps)
{
  g_autoptr (GstCaps) in_force = NULL;
  GstCaps *both;
  GST_OBJECT_LOCK (limits->element);
  in_force = limits->in_force ? gst_caps_ref (limits->in_force) : NULL;
  GST_OBJECT_UNLOCK (limits->element);
  if (!in_force)
    return caps;
  both = gst_caps_intersect_full (caps, in_force, GST_CAPS_INTERSECT_FIRST);
  if (gst_caps_is_empty (both)) {
    gst_caps_unref (both);
    return caps;
  }
  gst_caps_unref (caps);
  return both;
}
