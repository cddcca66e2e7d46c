/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A heartbeat each second, from a thread other than the streaming thread. */
#ifndef GST_DATAHUB_PULSE_H
#define GST_DATAHUB_PULSE_H

#include <datahub/consumer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstDatahubPulse GstDatahubPulse;

GstDatahubPulse *gst_datahub_pulse_new (DatahubConsumer *consumer);
void gst_datahub_pulse_stop (GstDatahubPulse *pulse);

G_END_DECLS

#endif /* GST_DATAHUB_PULSE_H */
