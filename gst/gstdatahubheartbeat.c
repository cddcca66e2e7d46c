/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pipeline that is paused, or blocked downstream, does not read, but it is
 * alive: tools can distinguish it from a stopped process. GStreamer's system
 * clock has one thread per process for such timers.
 * Tests: gst-stopping, gst-processes */
#include "gstdatahubheartbeat.h"

/* With the time that a busy machine needs it is less than DATAHUB_STALLED_NS. */
#define PERIOD (2 * GST_SECOND)

struct _GstDatahubHeartbeat
{
  gatomicrefcount refs; /* the owner's, and the clock's */
  GstClockID id; /* owned */
  GMutex lock; /* guards the rest; innermost */
  DatahubConsumer *consumer; /* borrowed; NULL: stopped */
};

static void
pulse_unref (gpointer data)
{
  GstDatahubHeartbeat *heartbeat = data;
  if (!g_atomic_ref_count_dec (&heartbeat->refs))
    return;
  g_mutex_clear (&heartbeat->lock);
  g_free (heartbeat);
}

/* The clock's thread. */
static gboolean
on_time (GstClock *clock, GstClockTime time, GstClockID id, gpointer user_data)
{
  GstDatahubHeartbeat *heartbeat = user_data;
  g_mutex_lock (&heartbeat->lock);
  if (heartbeat->consumer)
    datahub_consumer_beat (heartbeat->consumer);
  g_mutex_unlock (&heartbeat->lock);
  return TRUE;
}

/**
 * gst_datahub_heartbeat_new:
 * @consumer: borrowed until the heartbeat is stopped
 *
 * Returns: (transfer full): a heartbeat that beats until it is stopped
 */
GstDatahubHeartbeat *
gst_datahub_heartbeat_new (DatahubConsumer *consumer)
{
  GstDatahubHeartbeat *heartbeat = g_new0 (GstDatahubHeartbeat, 1);
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  g_atomic_ref_count_init (&heartbeat->refs);
  g_atomic_ref_count_inc (&heartbeat->refs);
  g_mutex_init (&heartbeat->lock);
  heartbeat->consumer = consumer;
  /* all processes at the same moment, which finds the code in the caches */
  heartbeat->id = gst_clock_new_periodic_id (clock,
      (gst_clock_get_time (clock) / PERIOD + 1) * PERIOD, PERIOD);
  gst_clock_id_wait_async (heartbeat->id, on_time, heartbeat, pulse_unref);
  return heartbeat;
}

/**
 * gst_datahub_heartbeat_stop:
 * @heartbeat: (transfer full): a heartbeat
 *
 * The consumer may be closed afterwards. Any thread.
 */
void
gst_datahub_heartbeat_stop (GstDatahubHeartbeat *heartbeat)
{
  g_mutex_lock (&heartbeat->lock);
  heartbeat->consumer = NULL;
  g_mutex_unlock (&heartbeat->lock);
  gst_clock_id_unschedule (heartbeat->id);
  gst_clock_id_unref (heartbeat->id);
  pulse_unref (heartbeat);
}
