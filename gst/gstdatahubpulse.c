/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pipeline that is paused, or blocked downstream, does not read, but it is
 * alive: tools can distinguish it from a stopped process. GStreamer's system
 * clock has one thread per process for such timers. */
#include "gstdatahubpulse.h"

#define PERIOD GST_SECOND

struct _GstDatahubPulse
{
  gatomicrefcount refs; /* the owner's, and the clock's */
  GstClockID id; /* owned */
  GMutex lock; /* guards the rest; innermost */
  DatahubConsumer *consumer; /* borrowed; NULL: stopped */
};

static void
pulse_unref (gpointer data)
{
  GstDatahubPulse *pulse = data;
  if (!g_atomic_ref_count_dec (&pulse->refs))
    return;
  g_mutex_clear (&pulse->lock);
  g_free (pulse);
}

/* The clock's thread. */
static gboolean
on_time (GstClock *clock, GstClockTime time, GstClockID id, gpointer user_data)
{
  GstDatahubPulse *pulse = user_data;
  g_mutex_lock (&pulse->lock);
  if (pulse->consumer)
    datahub_consumer_beat (pulse->consumer);
  g_mutex_unlock (&pulse->lock);
  return TRUE;
}

/**
 * gst_datahub_pulse_new:
 * @consumer: borrowed until the pulse is stopped
 *
 * Returns: (transfer full): a pulse that beats until it is stopped
 */
GstDatahubPulse *
gst_datahub_pulse_new (DatahubConsumer *consumer)
{
  GstDatahubPulse *pulse = g_new0 (GstDatahubPulse, 1);
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  g_atomic_ref_count_init (&pulse->refs);
  g_atomic_ref_count_inc (&pulse->refs);
  g_mutex_init (&pulse->lock);
  pulse->consumer = consumer;
  pulse->id = gst_clock_new_periodic_id (clock,
      gst_clock_get_time (clock) + PERIOD, PERIOD);
  gst_clock_id_wait_async (pulse->id, on_time, pulse, pulse_unref);
  return pulse;
}

/**
 * gst_datahub_pulse_stop:
 * @pulse: (transfer full): a pulse
 *
 * The consumer may be closed afterwards. Any thread.
 */
void
gst_datahub_pulse_stop (GstDatahubPulse *pulse)
{
  g_mutex_lock (&pulse->lock);
  pulse->consumer = NULL;
  g_mutex_unlock (&pulse->lock);
  gst_clock_id_unschedule (pulse->id);
  gst_clock_id_unref (pulse->id);
  pulse_unref (pulse);
}
