/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A wake-up costs time and polling costs power; the user chooses between them.
 * Notifications of the broker are another way to be woken.
 * Tests: gst-processes, gst-stopping */
#include "gstdatahubwake.h"

/* Spinning pays where the next buffer is that near; a futex wake costs about as
 * much. */
#define SPIN_NS (20 * GST_USECOND)
/* wake=notify also polls at this interval. */
#define NOTIFY_SLICE (100 * GST_MSECOND)

/* For a new consumer. Streaming thread. */
void
gst_datahub_wake_prepare (DatahubConsumer *consumer, GstDatahubWake wake)
{
  datahub_consumer_set_spin (consumer,
      wake == GST_DATAHUB_WAKE_ADAPTIVE ? SPIN_NS : 0);
}

/* Waits for a notification if one has arrived before, and otherwise on the
 * futex. In both cases it polls after a while: if data arrived without a
 * notification, the broker or its connection does not work any more. */
static DatahubResult
read_notified (const GstDatahubWaits *waits, DatahubView *view,
    DatahubError *error)
{
  DatahubResult result;
  if (!gst_datahub_notifier_is_trusted (waits->notifier))
    return datahub_consumer_begin_read (waits->consumer, NOTIFY_SLICE, view,
        error);
  gst_datahub_notifier_arm (waits->notifier);
  result = datahub_consumer_begin_read (waits->consumer, 0, view, error);
  if (result != DATAHUB_TIMEOUT)
    return result;
  result = gst_datahub_notifier_wait (waits->notifier, NOTIFY_SLICE);
  if (result != DATAHUB_TIMEOUT)
    return result == DATAHUB_OK ? DATAHUB_TIMEOUT : result;
  result = datahub_consumer_begin_read (waits->consumer, 0, view, error);
  if (result == DATAHUB_OK)
    gst_datahub_notifier_distrust (waits->notifier);
  return result;
}

/**
 * gst_datahub_wake_read:
 * @attachment: one with a consumer
 * @wake: as its consumer was prepared
 * @view: (out): the next record
 * @error: (out): what failed
 *
 * Waits for a limited time. Streaming thread.
 *
 * Returns: as datahub_consumer_begin_read(); %DATAHUB_TIMEOUT only means that
 * there was no record yet
 */
DatahubResult
gst_datahub_wake_read (const GstDatahubAttachment *attachment,
    GstDatahubWake wake, DatahubView *view, DatahubError *error)
{
  DatahubResult result;
  if (attachment->waits->notifier)
    return read_notified (attachment->waits, view, error);
  if (wake != GST_DATAHUB_WAKE_POLL)
    return datahub_consumer_begin_read (attachment->waits->consumer,
        gst_datahub_attachment_patience (attachment), view, error);
  result =
      datahub_consumer_begin_read (attachment->waits->consumer, 0, view, error);
  return result == DATAHUB_TIMEOUT ? gst_datahub_waits_doze (attachment->waits,
             gst_datahub_src_settings_read (attachment->element,
                 attachment->settings)
                 .poll_interval)
                                   : result;
}
