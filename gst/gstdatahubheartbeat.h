/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A heartbeat each second, from a thread other than the streaming thread. */
#ifndef GST_DATAHUB_HEARTBEAT_H
#define GST_DATAHUB_HEARTBEAT_H

#include <datahub/consumer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstDatahubHeartbeat GstDatahubHeartbeat;

GstDatahubHeartbeat *gst_datahub_heartbeat_new (DatahubConsumer *consumer);
void gst_datahub_heartbeat_stop (GstDatahubHeartbeat *heartbeat);

G_END_DECLS

#endif /* GST_DATAHUB_HEARTBEAT_H */
