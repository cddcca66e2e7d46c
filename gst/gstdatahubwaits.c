/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The streaming thread waits for a name, a broker, a record or a notification,
 * and none of these waits knows the others. One call here interrupts the
 * current wait, and every later one until it is undone.
 * Tests: gst-stopping, gst-strict */
#include "gstdatahubwaits.h"

/* Everything else is zero: nothing to wait in yet. */
void
gst_datahub_waits_init (GstDatahubWaits *waits, GstBaseSrc *src)
{
  waits->src = src;
  g_mutex_init (&waits->lock);
  g_cond_init (&waits->wakeup);
}

/* Must not be called while a thread waits. */
void
gst_datahub_waits_clear (GstDatahubWaits *waits)
{
  g_mutex_clear (&waits->lock);
  g_cond_clear (&waits->wakeup);
}

/* Interrupts all waits, or allows them again. The lock must be held. */
void
gst_datahub_waits_apply (GstDatahubWaits *waits)
{
  gboolean interrupted = waits->unlocked || waits->pausing;
  if (waits->consumer)
    datahub_consumer_set_interrupted (waits->consumer, interrupted);
  if (waits->watch)
    datahub_watch_set_interrupted (waits->watch, interrupted);
  if (waits->notifier)
    gst_datahub_notifier_set_interrupted (waits->notifier, interrupted);
  g_cond_broadcast (&waits->wakeup);
}

static void
interrupt (GstDatahubWaits *waits, gboolean *why, gboolean interrupted)
{
  g_autoptr (GCancellable) introduction = NULL;
  g_mutex_lock (&waits->lock);
  *why = interrupted;
  gst_datahub_waits_apply (waits);
  if (interrupted && waits->introduction)
    introduction = g_object_ref (waits->introduction);
  g_mutex_unlock (&waits->lock);
  if (introduction)
    g_cancellable_cancel (introduction);
}

/* Ends all waits for good, or allows them again. Any thread. */
void
gst_datahub_waits_set_unlocked (GstDatahubWaits *waits, gboolean unlocked)
{
  interrupt (waits, &waits->unlocked, unlocked);
}

/* Likewise, for a pause. */
void
gst_datahub_waits_set_pausing (GstDatahubWaits *waits, gboolean pausing)
{
  interrupt (waits, &waits->pausing, pausing);
}

gboolean
gst_datahub_waits_is_unlocked (GstDatahubWaits *waits)
{
  gboolean unlocked;
  g_mutex_lock (&waits->lock);
  unlocked = waits->unlocked;
  g_mutex_unlock (&waits->lock);
  return unlocked;
}

/**
 * gst_datahub_waits_ensure_watch:
 * @waits: what the thread waits in
 * @channel: the name to watch
 *
 * Out of descriptors there is no watch. Streaming thread.
 */
void
gst_datahub_waits_ensure_watch (GstDatahubWaits *waits, const gchar *channel)
{
  if (waits->watch)
    return;
  g_mutex_lock (&waits->lock);
  waits->watch = datahub_watch_new (channel);
  gst_datahub_waits_apply (waits);
  g_mutex_unlock (&waits->lock);
}

/**
 * gst_datahub_waits_set_introduction:
 * @waits: what the thread waits in
 * @cancellable: (nullable): what ends the wait for the broker; %NULL after it
 *
 * Streaming thread.
 */
void
gst_datahub_waits_set_introduction (GstDatahubWaits *waits,
    GCancellable *cancellable)
{
  gboolean interrupted;
  g_mutex_lock (&waits->lock);
  g_set_object (&waits->introduction, cancellable);
  interrupted = waits->unlocked || waits->pausing;
  g_mutex_unlock (&waits->lock);
  if (cancellable && interrupted)
    g_cancellable_cancel (cancellable);
}

/* Called when the streaming thread has ended and has released its consumer. */
void
gst_datahub_waits_stop (GstDatahubWaits *waits)
{
  DatahubWatch *watch;
  GstDatahubNotifier *notifier;
  g_mutex_lock (&waits->lock);
  watch = g_steal_pointer (&waits->watch);
  notifier = g_steal_pointer (&waits->notifier);
  g_mutex_unlock (&waits->lock);
  datahub_watch_free (watch);
  gst_datahub_notifier_free (notifier);
}

/* Sleeps for @time or until interrupted. */
DatahubResult
gst_datahub_waits_doze (GstDatahubWaits *waits, GstClockTime time)
{
  gint64 end = g_get_monotonic_time () + (gint64) (time / GST_USECOND);
  gboolean interrupted;
  g_mutex_lock (&waits->lock);
  while (!(interrupted = waits->unlocked || waits->pausing))
    if (!g_cond_wait_until (&waits->wakeup, &waits->lock, end))
      break;
  g_mutex_unlock (&waits->lock);
  return interrupted ? DATAHUB_INTERRUPTED : DATAHUB_TIMEOUT;
}

/* A wait was ended: by a pause, which lasts until PLAYING, or for good. */
GstFlowReturn
gst_datahub_waits_resume (GstDatahubWaits *waits)
{
  gboolean unlocked, pausing;
  g_mutex_lock (&waits->lock);
  unlocked = waits->unlocked;
  pausing = waits->pausing;
  g_mutex_unlock (&waits->lock);
  if (unlocked)
    return GST_FLOW_FLUSHING;
  return pausing ? gst_base_src_wait_playing (waits->src) : GST_FLOW_OK;
}
