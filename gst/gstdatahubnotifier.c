/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data must never depend on a notification: a waiting reader also polls after a
 * while, and uses notifications only as long as they arrive in time.
 * Tests: gst-processes */
#include "gstdatahubnotifier.h"

struct _GstDatahubNotifier
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
notifier_unref (gpointer data)
{
  GstDatahubNotifier *notifier = data;
  if (!g_atomic_ref_count_dec (&notifier->refs))
    return;
  g_mutex_clear (&notifier->lock);
  g_cond_clear (&notifier->cond);
  g_free (notifier->channel);
  g_free (notifier);
}

static void
notifier_closed (gpointer data, GClosure *closure)
{
  notifier_unref (data);
}

/* The hub's thread. */
static void
on_notification (DatahubHub *hub, const gchar *name, const gchar *topic,
    const gchar *json, gpointer user_data)
{
  GstDatahubNotifier *notifier = user_data;
  if (g_strcmp0 (topic, "data-ready") != 0)
    return;
  g_mutex_lock (&notifier->lock);
  notifier->rung = notifier->trusted = TRUE;
  notifier->count++;
  g_cond_broadcast (&notifier->cond);
  g_mutex_unlock (&notifier->lock);
}

/**
 * gst_datahub_notifier_new:
 * @hub: a hub with signals in its own thread
 * @channel: the block's name
 *
 * Returns: (transfer full): a notifier, not trusted until it rings
 */
GstDatahubNotifier *
gst_datahub_notifier_new (DatahubHub *hub, const gchar *channel)
{
  GstDatahubNotifier *notifier = g_new0 (GstDatahubNotifier, 1);
  g_autofree gchar *signal = g_strconcat ("notification::", channel, NULL);
  g_atomic_ref_count_init (&notifier->refs);
  g_atomic_ref_count_inc (&notifier->refs);
  g_mutex_init (&notifier->lock);
  g_cond_init (&notifier->cond);
  notifier->hub = g_object_ref (hub);
  notifier->channel = g_strdup (channel);
  notifier->handler =
      g_signal_connect_data (hub, signal, G_CALLBACK (on_notification),
          notifier, notifier_closed, (GConnectFlags) 0);
  datahub_hub_subscribe (hub, channel);
  return notifier;
}

/**
 * gst_datahub_notifier_free:
 * @notifier: (transfer full) (nullable): a notifier without waiting threads
 */
void
gst_datahub_notifier_free (GstDatahubNotifier *notifier)
{
  if (!notifier)
    return;
  datahub_hub_unsubscribe (notifier->hub, notifier->channel);
  g_signal_handler_disconnect (notifier->hub, notifier->handler);
  g_clear_object (&notifier->hub);
  notifier_unref (notifier);
}

gboolean
gst_datahub_notifier_is_trusted (GstDatahubNotifier *notifier)
{
  gboolean trusted;
  g_mutex_lock (&notifier->lock);
  trusted = notifier->trusted;
  g_mutex_unlock (&notifier->lock);
  return trusted;
}

/* There was data, and it did not ring. */
void
gst_datahub_notifier_distrust (GstDatahubNotifier *notifier)
{
  g_mutex_lock (&notifier->lock);
  notifier->trusted = FALSE;
  g_mutex_unlock (&notifier->lock);
}

/* Must be called before the check for data and the wait: data after the check
 * causes a notification. */
void
gst_datahub_notifier_arm (GstDatahubNotifier *notifier)
{
  g_mutex_lock (&notifier->lock);
  notifier->rung = FALSE;
  g_mutex_unlock (&notifier->lock);
}

/**
 * gst_datahub_notifier_wait:
 * @notifier: an armed notifier
 * @time: how long
 *
 * Returns: %DATAHUB_OK when it rang, %DATAHUB_TIMEOUT, %DATAHUB_INTERRUPTED
 */
DatahubResult
gst_datahub_notifier_wait (GstDatahubNotifier *notifier, GstClockTime time)
{
  gint64 end = g_get_monotonic_time () + (gint64) (time / GST_USECOND);
  DatahubResult result;
  g_mutex_lock (&notifier->lock);
  while (!notifier->rung && !notifier->interrupted)
    if (!g_cond_wait_until (&notifier->cond, &notifier->lock, end))
      break;
  result = notifier->interrupted ? DATAHUB_INTERRUPTED
      : notifier->rung           ? DATAHUB_OK
                                 : DATAHUB_TIMEOUT;
  g_mutex_unlock (&notifier->lock);
  return result;
}

/* A state, not an edge. Any thread. */
void
gst_datahub_notifier_set_interrupted (GstDatahubNotifier *notifier,
    gboolean interrupted)
{
  g_mutex_lock (&notifier->lock);
  notifier->interrupted = interrupted;
  g_cond_broadcast (&notifier->cond);
  g_mutex_unlock (&notifier->lock);
}

/* How often it rang. Any thread. */
guint64
gst_datahub_notifier_count (GstDatahubNotifier *notifier)
{
  guint64 count;
  g_mutex_lock (&notifier->lock);
  count = notifier->count;
  g_mutex_unlock (&notifier->lock);
  return count;
}
