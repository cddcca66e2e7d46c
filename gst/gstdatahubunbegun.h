/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks that have a producer and no stream yet. */
#ifndef GST_DATAHUB_UNBEGUN_H
#define GST_DATAHUB_UNBEGUN_H

#include <datahub/consumer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

gboolean gst_datahub_unbegun_has_stream (DatahubConsumer *consumer);
GstFlowReturn gst_datahub_unbegun_fail (GstElement *element,
    const gchar *channel, GstClockTime timeout);

G_END_DECLS

#endif /* GST_DATAHUB_UNBEGUN_H */
