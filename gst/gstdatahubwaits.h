/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All waits of a source, so that one call interrupts any of them. */
#ifndef GST_DATAHUB_WAITS_H
#define GST_DATAHUB_WAITS_H

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
  DatahubConsumer *consumer; /* owned; set and closed by the streaming thread */
  DatahubWatch *watch; /* owned */
  GCancellable *introduction; /* while the broker is asked; else NULL */
  GstDatahubNotifier *notifier; /* owned; wake=notify where there is a hub */
  gboolean unlocked, pausing;
} GstDatahubWaits;

void gst_datahub_waits_init (GstDatahubWaits *waits, GstBaseSrc *src);
void gst_datahub_waits_clear (GstDatahubWaits *waits);

void gst_datahub_waits_set_unlocked (GstDatahubWaits *waits, gboolean unlocked);
void gst_datahub_waits_set_pausing (GstDatahubWaits *waits, gboolean pausing);
gboolean gst_datahub_waits_is_unlocked (GstDatahubWaits *waits);
void gst_datahub_waits_apply (GstDatahubWaits *waits);

void gst_datahub_waits_ensure_watch (GstDatahubWaits *waits,
    const gchar *channel);
void gst_datahub_waits_set_introduction (GstDatahubWaits *waits,
    GCancellable *cancellable);
void gst_datahub_waits_stop (GstDatahubWaits *waits);

DatahubResult gst_datahub_waits_doze (GstDatahubWaits *waits,
    GstClockTime time);
GstFlowReturn gst_datahub_waits_resume (GstDatahubWaits *waits);

G_END_DECLS

#endif /* GST_DATAHUB_WAITS_H */
