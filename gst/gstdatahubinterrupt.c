/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The streaming thread waits for a name, a broker, a record or a notification,
 * and none of these waits knows the others. One call here interrupts the
 * current wait, and every later one until it is undone.
 *
 * A wake-up costs time and polling costs power; the user chooses between them.
 * Notifications of the broker are another way to be woken.
 * Tests: gst-stopping, gst-switch, gst-strict, gst-processes */
#include "gstdatahubinterrupt.h"

/* Spinning pays where the next buffer is that near; a futex wake costs about as
 * much. */
#define SPIN_NS (20 * GST_USECOND)
/* wake=notify also polls at this interval. */
#define NOTIFY_SLICE (100 * GST_MSECOND)

/**
 * gst_datahub_interrupt_init:
 * @interrupt: all zero
 * @src: the element; not owned
 * @consumer: where its owner has the consumer, guarded by the lock
 */
void
gst_datahub_interrupt_init (GstDatahubInterrupt *interrupt, GstBaseSrc *src,
    DatahubConsumer *const *consumer)
{
  interrupt->src = src;
  interrupt->consumer = consumer;
  g_mutex_init (&interrupt->lock);
  g_cond_init (&interrupt->wakeup);
}

/* Must not be called while a thread waits. */
void
gst_datahub_interrupt_clear (GstDatahubInterrupt *interrupt)
{
  g_mutex_clear (&interrupt->lock);
  g_cond_clear (&interrupt->wakeup);
}

/* The lock must be held. */
static gboolean
is_interrupted (const GstDatahubInterrupt *interrupt)
{
  return interrupt->unlocked || interrupt->pausing || interrupt->poked;
}

/* Interrupts all waits, or allows them again. The lock must be held. */
void
gst_datahub_interrupt_apply (GstDatahubInterrupt *interrupt)
{
  gboolean interrupted = is_interrupted (interrupt);
  if (*interrupt->consumer)
    datahub_consumer_set_interrupted (*interrupt->consumer, interrupted);
  if (interrupt->watch)
    datahub_watch_set_interrupted (interrupt->watch, interrupted);
  if (interrupt->notifier)
    gst_datahub_notifier_set_interrupted (interrupt->notifier, interrupted);
  g_cond_broadcast (&interrupt->wakeup);
}

static void
set_reason (GstDatahubInterrupt *interrupt, gboolean *why, gboolean interrupted)
{
  g_autoptr (GCancellable) introduction = NULL;
  g_mutex_lock (&interrupt->lock);
  *why = interrupted;
  gst_datahub_interrupt_apply (interrupt);
  if (interrupted && interrupt->introduction)
    introduction = g_object_ref (interrupt->introduction);
  g_mutex_unlock (&interrupt->lock);
  if (introduction)
    g_cancellable_cancel (introduction);
}

/* Ends all waits for good, or allows them again. Any thread. */
void
gst_datahub_interrupt_set_unlocked (GstDatahubInterrupt *interrupt,
    gboolean unlocked)
{
  set_reason (interrupt, &interrupt->unlocked, unlocked);
}

/* Likewise, for a pause. */
void
gst_datahub_interrupt_set_pausing (GstDatahubInterrupt *interrupt,
    gboolean pausing)
{
  set_reason (interrupt, &interrupt->pausing, pausing);
}

/* A setting changed that the current wait does not know: the wait ends, and the
 * thread looks at the settings again. Any thread. */
void
gst_datahub_interrupt_poke (GstDatahubInterrupt *interrupt)
{
  set_reason (interrupt, &interrupt->poked, TRUE);
}

gboolean
gst_datahub_interrupt_is_unlocked (GstDatahubInterrupt *interrupt)
{
  gboolean unlocked;
  g_mutex_lock (&interrupt->lock);
  unlocked = interrupt->unlocked;
  g_mutex_unlock (&interrupt->lock);
  return unlocked;
}

/**
 * gst_datahub_interrupt_ensure_watch:
 * @interrupt: the waits of the source
 * @channel: the name to watch
 *
 * Out of descriptors there is no watch. Streaming thread.
 */
void
gst_datahub_interrupt_ensure_watch (GstDatahubInterrupt *interrupt,
    const gchar *channel)
{
  if (interrupt->watch)
    return;
  g_mutex_lock (&interrupt->lock);
  interrupt->watch = datahub_watch_new (channel);
  gst_datahub_interrupt_apply (interrupt);
  g_mutex_unlock (&interrupt->lock);
}

/**
 * gst_datahub_interrupt_set_introduction:
 * @interrupt: what the thread waits in
 * @cancellable: (nullable): what ends the wait for the broker; %NULL after it
 *
 * Streaming thread.
 */
void
gst_datahub_interrupt_set_introduction (GstDatahubInterrupt *interrupt,
    GCancellable *cancellable)
{
  gboolean interrupted;
  g_mutex_lock (&interrupt->lock);
  g_set_object (&interrupt->introduction, cancellable);
  interrupted = is_interrupted (interrupt);
  g_mutex_unlock (&interrupt->lock);
  if (cancellable && interrupted)
    g_cancellable_cancel (cancellable);
}

/* Called when the streaming thread has ended and has released its consumer. */
void
gst_datahub_interrupt_stop (GstDatahubInterrupt *interrupt)
{
  DatahubWatch *watch;
  GstDatahubNotifier *notifier;
  g_mutex_lock (&interrupt->lock);
  watch = g_steal_pointer (&interrupt->watch);
  notifier = g_steal_pointer (&interrupt->notifier);
  g_mutex_unlock (&interrupt->lock);
  datahub_watch_free (watch);
  gst_datahub_notifier_free (notifier);
}

/* Sleeps for @time or until interrupted. */
DatahubResult
gst_datahub_interrupt_sleep (GstDatahubInterrupt *interrupt, GstClockTime time)
{
  gint64 end = g_get_monotonic_time () + (gint64) (time / GST_USECOND);
  gboolean interrupted;
  g_mutex_lock (&interrupt->lock);
  while (!(interrupted = is_interrupted (interrupt)))
    if (!g_cond_wait_until (&interrupt->wakeup, &interrupt->lock, end))
      break;
  g_mutex_unlock (&interrupt->lock);
  return interrupted ? DATAHUB_INTERRUPTED : DATAHUB_TIMEOUT;
}

/* For a new consumer. Streaming thread. */
void
gst_datahub_interrupt_prepare_read (DatahubConsumer *consumer,
    GstDatahubWake wake)
{
  datahub_consumer_set_spin (consumer,
      wake == GST_DATAHUB_WAKE_ADAPTIVE ? SPIN_NS : 0);
}

/* Waits for a notification if one has arrived before, and otherwise on the
 * futex. In both cases it polls after a while: if data arrived without a
 * notification, the broker or its connection does not work any more. */
static DatahubResult
read_notified (const GstDatahubInterrupt *interrupt, DatahubView *view,
    DatahubError *error)
{
  DatahubConsumer *consumer = *interrupt->consumer;
  DatahubResult result;
  if (!gst_datahub_notifier_is_trusted (interrupt->notifier))
    return datahub_consumer_begin_read (consumer, NOTIFY_SLICE, view, error);
  gst_datahub_notifier_arm (interrupt->notifier);
  result = datahub_consumer_begin_read (consumer, 0, view, error);
  if (result != DATAHUB_TIMEOUT)
    return result;
  result = gst_datahub_notifier_wait (interrupt->notifier, NOTIFY_SLICE);
  if (result != DATAHUB_TIMEOUT)
    return result == DATAHUB_OK ? DATAHUB_TIMEOUT : result;
  result = datahub_consumer_begin_read (consumer, 0, view, error);
  if (result == DATAHUB_OK)
    gst_datahub_notifier_distrust (interrupt->notifier);
  return result;
}

/**
 * gst_datahub_interrupt_read:
 * @interrupt: one with a consumer
 * @wake: as gst_datahub_interrupt_prepare_read() got it
 * @time: how long to wait; of wake=poll the interval, of wake=notify not used
 * @view: (out): the next record
 * @error: (out): what failed
 *
 * Streaming thread.
 *
 * Returns: as datahub_consumer_begin_read(); %DATAHUB_TIMEOUT only means that
 *     there was no record yet
 */
DatahubResult
gst_datahub_interrupt_read (GstDatahubInterrupt *interrupt, GstDatahubWake wake,
    gint64 time, DatahubView *view, DatahubError *error)
{
  DatahubResult result;
  if (interrupt->notifier)
    return read_notified (interrupt, view, error);
  if (wake != GST_DATAHUB_WAKE_POLL)
    return datahub_consumer_begin_read (*interrupt->consumer, time, view,
        error);
  result = datahub_consumer_begin_read (*interrupt->consumer, 0, view, error);
  return result == DATAHUB_TIMEOUT
      ? gst_datahub_interrupt_sleep (interrupt, (GstClockTime) time)
      : result;
}

/* A wait was ended: by a pause, which lasts until PLAYING, for good, or once. */
GstFlowReturn
gst_datahub_interrupt_resume (GstDatahubInterrupt *interrupt)
{
  gboolean unlocked, pausing;
  g_mutex_lock (&interrupt->lock);
  unlocked = interrupt->unlocked;
  pausing = interrupt->pausing;
  interrupt->poked = FALSE;
  gst_datahub_interrupt_apply (interrupt);
  g_mutex_unlock (&interrupt->lock);
  if (unlocked)
    return GST_FLOW_FLUSHING;
  return pausing ? gst_base_src_wait_playing (interrupt->src) : GST_FLOW_OK;
}
