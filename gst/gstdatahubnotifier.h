/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Receives notifications about new data of a block through the broker. */
#ifndef GST_DATAHUB_NOTIFIER_H
#define GST_DATAHUB_NOTIFIER_H

#include <datahub/datahub.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstDatahubNotifier GstDatahubNotifier;

GstDatahubNotifier *gst_datahub_notifier_new (DatahubHub *hub,
    const gchar *channel);
void gst_datahub_notifier_free (GstDatahubNotifier *notifier);

gboolean gst_datahub_notifier_is_trusted (GstDatahubNotifier *notifier);
void gst_datahub_notifier_distrust (GstDatahubNotifier *notifier);
void gst_datahub_notifier_arm (GstDatahubNotifier *notifier);
DatahubResult gst_datahub_notifier_wait (GstDatahubNotifier *notifier,
    GstClockTime time);
void gst_datahub_notifier_set_interrupted (GstDatahubNotifier *notifier,
    gboolean interrupted);
guint64 gst_datahub_notifier_count (GstDatahubNotifier *notifier);

G_END_DECLS

#endif /* GST_DATAHUB_NOTIFIER_H */
