/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data must never depend on a notification: a waiting reader also polls after a
 * while, and uses notifications only as long as they arrive in time. */
#include "gstdatahubbell.h"

struct _GstDatahubBell
{
  gatomicrefcount refs; /* the owner's, and the signal's */
  DatahubHub *hub; /* owned */
  gchar *channel; /* owned */
  gulong handler;

  GMutex lock; /* guards the rest; innermost */
  GCond cond;
  gboolean rung; /* since it was armed */
  gboolean trusted;
  gboolean interrupted;
  guint64 count;
};

static void
bell_unref (gpointer data)
{
  GstDatahubBell *bell = data;
  if (!g_atomic_ref_count_dec (&bell->refs))
    return;
  g_mutex_clear (&bell->lock);
  g_cond_clear (&bell->cond);
  g_free (bell->channel);
  g_free (bell);
}

static void
bell_closed (gpointer data, GClosure *closure)
{
  bell_unref (data);
}

/* The hub's thread. */
static void
on_notification (DatahubHub *hub, const gchar *name, const gchar *topic,
    const gchar *json, gpointer user_data)
{
  GstDatahubBell *bell = user_data;
  if (g_strcmp0 (topic, "data-ready") != 0)
    return;
  g_mutex_lock (&bell->lock);
  bell->rung = bell->trusted = TRUE;
  bell->count++;
  g_cond_broadcast (&bell->cond);
  g_mutex_unlock (&bell->lock);
}

/**
 * gst_datahub_bell_new:
 * @hub: a hub with signals in its own thread
 * @channel: the block's name
 *
 * Returns: (transfer full): a bell, not trusted until it rings
 */
GstDatahubBell *
gst_datahub_bell_new (DatahubHub *hub, const gchar *channel)
{
  GstDatahubBell *bell = g_new0 (GstDatahubBell, 1);
  g_autofree gchar *signal = g_strconcat ("notification::", channel, NULL);
  g_atomic_ref_count_init (&bell->refs);
  g_atomic_ref_count_inc (&bell->refs);
  g_mutex_init (&bell->lock);
  g_cond_init (&bell->cond);
  bell->hub = g_object_ref (hub);
  bell->channel = g_strdup (channel);
  bell->handler = g_signal_connect_data (hub, signal,
      G_CALLBACK (on_notification), bell, bell_closed, (GConnectFlags) 0);
  datahub_hub_subscribe (hub, channel);
  return bell;
}

/**
 * gst_datahub_bell_free:
 * @bell: (transfer full) (nullable): a bell nobody waits for
 */
void
gst_datahub_bell_free (GstDatahubBell *bell)
{
  if (!bell)
    return;
  datahub_hub_unsubscribe (bell->hub, bell->channel);
  g_signal_handler_disconnect (bell->hub, bell->handler);
  g_clear_object (&bell->hub);
  bell_unref (bell);
}

gboolean
gst_datahub_bell_is_trusted (GstDatahubBell *bell)
{
  gboolean trusted;
  g_mutex_lock (&bell->lock);
  trusted = bell->trusted;
  g_mutex_unlock (&bell->lock);
  return trusted;
}

/* There was data, and it did not ring. */
void
gst_datahub_bell_distrust (GstDatahubBell *bell)
{
  g_mutex_lock (&bell->lock);
  bell->trusted = FALSE;
  g_mutex_unlock (&bell->lock);
}

/* Arm, look, then wait: what comes after the look rings. */
void
gst_datahub_bell_arm (GstDatahubBell *bell)
{
  g_mutex_lock (&bell->lock);
  bell->rung = FALSE;
  g_mutex_unlock (&bell->lock);
}

/**
 * gst_datahub_bell_wait:
 * @bell: an armed bell
 * @time: how long
 *
 * Returns: %DATAHUB_OK when it rang, %DATAHUB_TIMEOUT, %DATAHUB_INTERRUPTED
 */
DatahubResult
gst_datahub_bell_wait (GstDatahubBell *bell, GstClockTime time)
{
  gint64 end = g_get_monotonic_time () + (gint64) (time / GST_USECOND);
  DatahubResult result;
  g_mutex_lock (&bell->lock);
  while (!bell->rung && !bell->interrupted)
    if (!g_cond_wait_until (&bell->cond, &bell->lock, end))
      break;
  result = bell->interrupted ? DATAHUB_INTERRUPTED
      : bell->rung           ? DATAHUB_OK
                             : DATAHUB_TIMEOUT;
  g_mutex_unlock (&bell->lock);
  return result;
}

/* A state, not an edge. Any thread. */
void
gst_datahub_bell_set_interrupted (GstDatahubBell *bell, gboolean interrupted)
{
  g_mutex_lock (&bell->lock);
  bell->interrupted = interrupted;
  g_cond_broadcast (&bell->cond);
  g_mutex_unlock (&bell->lock);
}

/* How often it rang. Any thread. */
guint64
gst_datahub_bell_count (GstDatahubBell *bell)
{
  guint64 count;
  g_mutex_lock (&bell->lock);
  count = bell->count;
  g_mutex_unlock (&bell->lock);
  return count;
}
