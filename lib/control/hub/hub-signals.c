/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hub's signals: their signatures, and the thread that emits them.
 * Tests: hub-signals */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"

#include <gobject/gvaluecollector.h>
#include <string.h>

#define MAX_ARGUMENTS 4
/* Signals that wait if no thread iterates the context, and the bytes of their texts;
 * more are dropped. */
#define MAX_WAITING 4096
#define MAX_WAITING_BYTES (16 * 1024 * 1024)

guint hub_signals[N_SIGNALS];

typedef struct
{
  HubBack *back; /* owned */
  guint signal;
  GQuark detail;
  int bytes;
  guint n_values;
  GValue values[1 + MAX_ARGUMENTS]; /* the instance's is filled in last */
} Emission;

HubBack *
hub_back_new (DatahubHub *hub)
{
  HubBack *back = g_new0 (HubBack, 1);

  g_atomic_ref_count_init (&back->refs);
  g_weak_ref_init (&back->hub, hub);
  return back;
}

void
hub_back_unref (HubBack *back)
{
  if (!g_atomic_ref_count_dec (&back->refs))
    return;
  g_weak_ref_clear (&back->hub);
  g_free (back);
}

static guint
add_signal (GType type, const char *name, guint n, ...)
{
  GType types[MAX_ARGUMENTS];
  va_list args;

  va_start (args, n);
  for (guint i = 0; i < n; i++)
    types[i] = va_arg (args, GType);
  va_end (args);
  return g_signal_newv (name, type, G_SIGNAL_RUN_LAST | G_SIGNAL_DETAILED, NULL,
      NULL, NULL, NULL, G_TYPE_NONE, n, types);
}

void
hub_signals_init (GType type)
{
  guint *signals = hub_signals;

  signals[SIGNAL_BLOCK_ADDED] =
      add_signal (type, "block-added", 1, DATAHUB_TYPE_HUB_BLOCK);
  signals[SIGNAL_BLOCK_REMOVED] = add_signal (type, "block-removed", 2,
      DATAHUB_TYPE_HUB_BLOCK, G_TYPE_STRING);
  signals[SIGNAL_CONSUMER_ADDED] = add_signal (type, "consumer-added", 3,
      G_TYPE_STRING, G_TYPE_UINT64, G_TYPE_STRING);
  signals[SIGNAL_CONSUMER_REMOVED] = add_signal (type, "consumer-removed", 4,
      G_TYPE_STRING, G_TYPE_UINT64, G_TYPE_STRING, G_TYPE_STRING);
  signals[SIGNAL_CONSUMER_REVOKED] = add_signal (type, "consumer-revoked", 3,
      G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
  signals[SIGNAL_NOTIFICATION] = add_signal (type, "notification", 3,
      G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
  signals[SIGNAL_REGISTER_REFUSED] =
      add_signal (type, "register-refused", 2, G_TYPE_STRING, G_TYPE_ERROR);
  signals[SIGNAL_BROKER_FOUND] =
      add_signal (type, "broker-found", 1, G_TYPE_STRING);
  signals[SIGNAL_BROKER_LOST] =
      add_signal (type, "broker-lost", 1, G_TYPE_ERROR);
}

static void
emission_free (gpointer data)
{
  Emission *emission = data;

  for (guint i = 0; i < emission->n_values; i++)
    g_value_unset (&emission->values[1 + i]);
  hub_back_unref (emission->back);
  g_free (emission);
}

/* Runs in the thread of the signals. A finalized hub emits nothing.
 */
static void
emit (Emission *emission)
{
  g_autoptr (DatahubHub) hub = g_weak_ref_get (&emission->back->hub);

  if (!hub)
    return;
  g_value_init (&emission->values[0], G_OBJECT_TYPE (hub));
  g_value_set_object (&emission->values[0], hub);
  g_signal_emitv (emission->values, emission->signal, emission->detail, NULL);
  g_value_unset (&emission->values[0]);
}

static void
leave_queue (const Emission *emission)
{
  g_atomic_int_add (&emission->back->waiting, -1);
  g_atomic_int_add (&emission->back->waiting_bytes, -emission->bytes);
}

static gboolean
emit_posted (gpointer data)
{
  Emission *emission = data;

  leave_queue (emission);
  g_atomic_int_set (&emission->back->dropped, 0);
  emit (emission);
  return G_SOURCE_REMOVE;
}

/* What a signal keeps in memory, about: its texts are by far the most. */
static int
size_of (const Emission *emission)
{
  gsize bytes = sizeof *emission;

  for (guint i = 0; i < emission->n_values; i++) {
    const GValue *value = &emission->values[1 + i];
    if (G_VALUE_HOLDS_STRING (value) && g_value_get_string (value))
      bytes += strlen (g_value_get_string (value));
    else if (G_VALUE_HOLDS (value, DATAHUB_TYPE_HUB_BLOCK))
      bytes += strlen (datahub_hub_block_get_caps (g_value_get_boxed (value)));
  }
  return (int) MIN (bytes, MAX_WAITING_BYTES);
}

/* One line in the log, until signals are emitted again. */
static void
drop (Emission *emission)
{
  gboolean first = g_atomic_int_add (&emission->back->dropped, 1) == 0;

  leave_queue (emission);
  control_log (first ? G_LOG_LEVEL_MESSAGE : G_LOG_LEVEL_DEBUG,
      "signal-dropped",
      "signals of the hub are dropped: more than %d or more than %d MiB wait, because "
      "no thread iterates the main context that is to emit them",
      MAX_WAITING, MAX_WAITING_BYTES / 1024 / 1024);
  emission_free (emission);
}

static void
post (HubCore *core, Emission *emission)
{
  HubBack *back = emission->back;

  emission->bytes = size_of (emission);
  int before = g_atomic_int_add (&back->waiting, 1);
  int bytes = g_atomic_int_add (&back->waiting_bytes, emission->bytes);
  if (before >= MAX_WAITING || bytes > MAX_WAITING_BYTES - emission->bytes) {
    drop (emission);
    return;
  }
  GSource *source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, emit_posted, emission, emission_free);
  g_source_attach (source, core->signal_context);
  g_source_unref (source);
}

/* Emits @signal with the arguments that follow, in the thread that the hub's
 * maker chose. @detail may be NULL. */
void
hub_emit (HubCore *core, guint signal, const char *detail, ...)
{
  GSignalQuery query;
  va_list args;
  Emission *emission = g_new0 (Emission, 1);

  emission->back = core->back;
  g_atomic_ref_count_inc (&core->back->refs);
  emission->signal = hub_signals[signal];
  /* A topic without a handler has no quark, and needs none. */
  emission->detail = detail ? g_quark_try_string (detail) : 0;
  g_signal_query (emission->signal, &query);
  va_start (args, detail);
  for (guint i = 0; i < query.n_params; i++) {
    g_autofree char *problem = NULL;
    G_VALUE_COLLECT_INIT (&emission->values[1 + i], query.param_types[i], args,
        0, &problem);
    emission->n_values++;
  }
  va_end (args);
  if (core->flags & DATAHUB_HUB_THREAD_SIGNALS) {
    emit (emission);
    emission_free (emission);
  } else {
    post (core, emission);
  }
}
