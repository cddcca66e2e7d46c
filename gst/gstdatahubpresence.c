/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application cannot see in the buffers that its picture is gone, or that it is
 * back. So a source reports its producer on the bus and by signals.
 *
 * A producer that starts and dies all the time must not flood the bus. After a few
 * messages there is at most one a second, and it has the state that is true then.
 * Tests: gst-presence, gst-presence-rate */
#include "gstdatahubpresence.h"
#include "gstdatahubtime.h"

#include <datahub/datahub.h>

#define SILENCE_NS (G_GINT64_CONSTANT (1) * GST_SECOND)
#define SILENCE_MAX_NS (G_GINT64_CONSTANT (30) * GST_SECOND)
/* With fewer records since the last silence the stream is that slow. */
#define SLOW_RECORDS 4
/* Messages at once, and the time that each costs. */
#define BURST 6
#define PRICE_NS (G_GINT64_CONSTANT (1) * GST_SECOND)
#define SHORTEST_WAIT_NS (G_GINT64_CONSTANT (1) * GST_MSECOND)

static guint signals[GST_DATAHUB_PRESENCE_WAITING + 1];

/**
 * GstDatahubSrc::producer-found:
 * @src: the element
 * @datablock: the name of its block
 *
 * The first record of a producer arrived, or the first one after
 * #GstDatahubSrc::waiting. Emitted in a thread that holds no lock of the element.
 */
/**
 * GstDatahubSrc::producer-lost:
 * @src: the element
 * @reason: "died" or "left"
 *
 * The producer is gone without EOS, and all its records were read. Emitted in a
 * thread that holds no lock of the element.
 */
/**
 * GstDatahubSrc::waiting:
 * @src: the element
 * @reason: "no-producer", "not-shared", "no-data", "no-introduction", "broker-silent",
 *   "producer-silent" or "producer-busy"
 *
 * No record arrived for one second. Emitted in a thread that holds no lock of the
 * element.
 */
void
gst_datahub_presence_install_signals (GType type)
{
  static const struct
  {
    GstDatahubPresenceState state;
    const gchar *name;
  } table[] = {
    { GST_DATAHUB_PRESENCE_FOUND, "producer-found" },
    { GST_DATAHUB_PRESENCE_LOST, "producer-lost" },
    { GST_DATAHUB_PRESENCE_WAITING, "waiting" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    signals[table[i].state] = g_signal_new (table[i].name, type,
        G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

void
gst_datahub_presence_init (GstDatahubPresence *presence, GstElement *element,
    GstDatahubOutbox *outbox)
{
  *presence = (GstDatahubPresence){ .element = element,
    .outbox = outbox,
    .attentive = TRUE };
}

/* Begins anew: nothing is known. */
void
gst_datahub_presence_start (GstDatahubPresence *presence)
{
  gst_datahub_presence_init (presence, presence->element, presence->outbox);
}

/* ---- messages ---- */

static void
emit_found (GstElement *element, const GstStructure *structure)
{
  g_signal_emit (element, signals[GST_DATAHUB_PRESENCE_FOUND], 0,
      gst_structure_get_string (structure, "datablock"));
}

static void
emit_lost (GstElement *element, const GstStructure *structure)
{
  g_signal_emit (element, signals[GST_DATAHUB_PRESENCE_LOST], 0,
      gst_structure_get_string (structure, "reason"));
}

static void
emit_waiting (GstElement *element, const GstStructure *structure)
{
  g_signal_emit (element, signals[GST_DATAHUB_PRESENCE_WAITING], 0,
      gst_structure_get_string (structure, "reason"));
}

static void
post (GstDatahubPresence *presence, GstStructure *structure,
    const gchar *datablock, GstDatahubOutboxEmit emit)
{
  gst_structure_set (structure, "datablock", G_TYPE_STRING, datablock,
      "skipped", G_TYPE_UINT, presence->skipped, NULL);
  gst_datahub_outbox_push (presence->outbox, presence->element,
      gst_message_new_element (GST_OBJECT_CAST (presence->element), structure),
      emit);
}

static void
post_state (GstDatahubPresence *presence, const gchar *datablock,
    const gchar *uuid, gint64 now)
{
  guint64 silence = presence->silent_since
      ? (guint64) MAX (now - presence->silent_since, 0)
      : 0;
  switch (presence->now.state) {
    case GST_DATAHUB_PRESENCE_FOUND:
      post (presence,
          gst_structure_new ("datahub-producer-found", "uuid", G_TYPE_STRING,
              uuid ? uuid : "", NULL),
          datablock, emit_found);
      break;
    case GST_DATAHUB_PRESENCE_LOST:
      post (presence,
          gst_structure_new ("datahub-producer-lost", "reason", G_TYPE_STRING,
              presence->now.reason, NULL),
          datablock, emit_lost);
      break;
    case GST_DATAHUB_PRESENCE_WAITING:
      post (presence,
          gst_structure_new ("datahub-waiting", "reason", G_TYPE_STRING,
              presence->now.reason, "silence", G_TYPE_UINT64, silence, NULL),
          datablock, emit_waiting);
      break;
    default:
      break;
  }
}

/* ---- states ---- */

static gboolean
is_told (const GstDatahubPresence *presence)
{
  return presence->now.state == presence->told.state
      && g_strcmp0 (presence->now.reason, presence->told.reason) == 0;
}

/* When the next message may be sent. */
static gint64
due (const GstDatahubPresence *presence)
{
  return presence->paid_until - (BURST - 1) * PRICE_NS;
}

/* Reports the state, if it is another one and the rate permits. */
static void
settle (GstDatahubPresence *presence, const gchar *datablock, const gchar *uuid,
    gint64 now)
{
  if (!is_told (presence) && now >= due (presence)) {
    post_state (presence, datablock, uuid, now);
    presence->told = presence->now;
    presence->skipped = 0;
    presence->paid_until = MAX (presence->paid_until, now) + PRICE_NS;
  }
  presence->attentive = presence->now.state != GST_DATAHUB_PRESENCE_FOUND
      || !is_told (presence) || presence->silent_since
      || (presence->silence && presence->heard < SLOW_RECORDS);
}

static void
change (GstDatahubPresence *presence, GstDatahubPresenceState state,
    const gchar *reason)
{
  GstDatahubPresenceWord word = { state, reason };
  if (presence->now.state == state
      && g_strcmp0 (presence->now.reason, reason) == 0)
    return;
  if (!is_told (presence))
    presence->skipped++;
  presence->now = word;
}

/**
 * gst_datahub_presence_heard:
 * @presence: one that is attentive
 * @datablock: the name of the block
 * @uuid: its identity
 *
 * A record arrived.
 */
void
gst_datahub_presence_heard (GstDatahubPresence *presence,
    const gchar *datablock, const gchar *uuid)
{
  gint64 now = gst_datahub_monotonic_now ();
  if (presence->silent_since) {
    gint64 silence = now - presence->silent_since;
    presence->silence = silence > SILENCE_NS ? silence : 0;
    presence->silent_since = 0;
    presence->heard = 0;
  }
  presence->heard++;
  change (presence, GST_DATAHUB_PRESENCE_FOUND, NULL);
  settle (presence, datablock, uuid, now);
}

/**
 * gst_datahub_presence_lost:
 * @presence: any
 * @datablock: the name of the block
 * @reason: how its producer ended; static
 */
void
gst_datahub_presence_lost (GstDatahubPresence *presence, const gchar *datablock,
    const gchar *reason)
{
  gint64 now = gst_datahub_monotonic_now ();
  if (!presence->silent_since)
    presence->silent_since = now;
  presence->silence = 0;
  change (presence, GST_DATAHUB_PRESENCE_LOST, reason);
  settle (presence, datablock, NULL, now);
}

/* How long a silence must be to be reported. */
static gint64
patience (const GstDatahubPresence *presence)
{
  if (presence->silence && presence->heard < SLOW_RECORDS)
    return MIN (2 * presence->silence, SILENCE_MAX_NS);
  return SILENCE_NS;
}

/**
 * gst_datahub_presence_quiet:
 * @presence: any
 * @datablock: the name of the block
 * @reason: what is missing; static
 * @slept: how long the thread has waited in vain until now
 *
 * No record arrived.
 */
void
gst_datahub_presence_quiet (GstDatahubPresence *presence,
    const gchar *datablock, const gchar *reason, gint64 slept)
{
  gint64 now = gst_datahub_monotonic_now ();
  if (!presence->silent_since)
    presence->silent_since = now - slept;
  if (now - presence->silent_since >= patience (presence))
    change (presence, GST_DATAHUB_PRESENCE_WAITING, reason);
  settle (presence, datablock, NULL, now);
}

/* The wait has ended for another reason, perhaps for a pause: what follows is
 * another silence. */
void
gst_datahub_presence_interrupted (GstDatahubPresence *presence)
{
  if (presence->now.state == GST_DATAHUB_PRESENCE_FOUND)
    presence->silent_since = 0;
}

/* Returns: when gst_datahub_presence_quiet() wants to be called at the latest, from
 * now on. Reads no clock while records arrive. */
gint64
gst_datahub_presence_left (const GstDatahubPresence *presence)
{
  gint64 end;
  if (!is_told (presence))
    end = due (presence);
  else if (presence->now.state == GST_DATAHUB_PRESENCE_WAITING)
    return DATAHUB_FOREVER;
  else if (!presence->silent_since)
    return patience (presence);
  else
    end = presence->silent_since + patience (presence);
  return MAX (end - gst_datahub_monotonic_now (), SHORTEST_WAIT_NS);
}
