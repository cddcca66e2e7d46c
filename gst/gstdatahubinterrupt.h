/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All waits of a source, the one for a record among them, and the interruption of
 * any of them by one call. */
#ifndef GST_DATAHUB_INTERRUPT_H
#define GST_DATAHUB_INTERRUPT_H

#include "gstdatahubenums.h"
#include "gstdatahubnotifier.h"

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

typedef struct
{
  GstBaseSrc *src; /* borrowed: it owns this */

  /* Guards the fields below, and the counters of the source. Innermost lock;
   * must not be held in a wait except that of `wakeup`, which releases it. */
  GMutex lock;
  GCond wakeup;
  DatahubConsumer *const *consumer; /* the field of the attachment, its owner */
  DatahubWatch *watch; /* owned */
  GCancellable *introduction; /* while the broker is asked; else NULL */
  GstDatahubNotifier *notifier; /* owned; for wake=notify with a hub */
  gboolean unlocked, pausing;
  gboolean poked; /* the current wait, or the next, ends once */
} GstDatahubInterrupt;

void gst_datahub_interrupt_init (GstDatahubInterrupt *interrupt,
    GstBaseSrc *src, DatahubConsumer *const *consumer);
void gst_datahub_interrupt_clear (GstDatahubInterrupt *interrupt);

void gst_datahub_interrupt_set_unlocked (GstDatahubInterrupt *interrupt,
    gboolean unlocked);
void gst_datahub_interrupt_set_pausing (GstDatahubInterrupt *interrupt,
    gboolean pausing);
void gst_datahub_interrupt_poke (GstDatahubInterrupt *interrupt);
gboolean gst_datahub_interrupt_is_unlocked (GstDatahubInterrupt *interrupt);
void gst_datahub_interrupt_apply (GstDatahubInterrupt *interrupt);

void gst_datahub_interrupt_ensure_watch (GstDatahubInterrupt *interrupt,
    const gchar *channel);
void gst_datahub_interrupt_set_introduction (GstDatahubInterrupt *interrupt,
    GCancellable *cancellable);
void gst_datahub_interrupt_stop (GstDatahubInterrupt *interrupt);

DatahubResult gst_datahub_interrupt_sleep (GstDatahubInterrupt *interrupt,
    GstClockTime time);
void gst_datahub_interrupt_prepare_read (DatahubConsumer *consumer,
    GstDatahubWake wake);
DatahubResult gst_datahub_interrupt_read (GstDatahubInterrupt *interrupt,
    GstDatahubWake wake, gint64 time, DatahubView *view, DatahubError *error);
GstFlowReturn gst_datahub_interrupt_resume (GstDatahubInterrupt *interrupt);

G_END_DECLS

#endif /* GST_DATAHUB_INTERRUPT_H */
