/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deadlines and cancellation, shared by all waiting operations.
 * Tests: hub-questions */
#include "control/wire/control-log-private.h"
#include "hub-wait-private.h"

gpointer
hub_wait_ref (HubWait *wait)
{
  g_atomic_ref_count_inc (&wait->refs);
  return wait;
}

void
hub_wait_unref (gpointer data)
{
  HubWait *wait = data;

  if (!g_atomic_ref_count_dec (&wait->refs))
    return;
  g_clear_object (&wait->cancellable);
  hub_core_unref (wait->core);
  wait->free_func (wait);
}

static gboolean
expired (gpointer user_data)
{
  HubWait *wait = user_data;

  if (!wait->ended)
    wait->cut (wait,
        g_error_new_literal (DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_TIMEOUT,
            "the broker did not answer in time"));
  return G_SOURCE_REMOVE;
}

static gboolean
cancel (gpointer user_data)
{
  HubWait *wait = user_data;

  if (!wait->ended)
    wait->cut (wait,
        g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED,
            "the operation was cancelled"));
  return G_SOURCE_REMOVE;
}

/* In the thread that cancels. */
static void
cancelled (GCancellable *cancellable, gpointer user_data)
{
  HubWait *wait = user_data;

  hub_core_post (wait->core, cancel, hub_wait_ref (wait), hub_wait_unref);
}

/* Starts @wait, which lives until it is unreffed and ended. A @timeout_us below
 * zero is none. */
void
hub_wait_begin (HubWait *wait, HubCore *core, gint64 timeout_us,
    GCancellable *cancellable)
{
  g_atomic_ref_count_init (&wait->refs);
  wait->core = hub_core_ref (core);
  if (timeout_us >= 0)
    wait->timer = hub_core_after (core,
        (guint) MIN ((timeout_us + 999) / 1000, G_MAXINT32), expired, wait);
  if (cancellable) {
    wait->cancellable = g_object_ref (cancellable);
    wait->handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled),
        hub_wait_ref (wait), hub_wait_unref);
  }
}

/* The one end of @wait; FALSE when it had ended before. */
gboolean
hub_wait_end (HubWait *wait)
{
  if (wait->ended)
    return FALSE;
  wait->ended = TRUE;
  hub_clear_source (&wait->timer);
  if (wait->handler)
    g_cancellable_disconnect (wait->cancellable, wait->handler);
  wait->handler = 0;
  return TRUE;
}

/* A timeout of the public functions in microseconds; below zero there is none. */
gint64
hub_wait_us (gint64 timeout_ns)
{
  return timeout_ns < 0 ? -1 : timeout_ns / 1000;
}
