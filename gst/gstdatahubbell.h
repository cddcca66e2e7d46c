/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Receives notifications about new data of a block through the broker. */
#ifndef GST_DATAHUB_BELL_H
#define GST_DATAHUB_BELL_H

#include <datahub/datahub.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstDatahubBell GstDatahubBell;

GstDatahubBell *gst_datahub_bell_new (DatahubHub *hub, const gchar *channel);
void gst_datahub_bell_free (GstDatahubBell *bell);

gboolean gst_datahub_bell_is_trusted (GstDatahubBell *bell);
void gst_datahub_bell_distrust (GstDatahubBell *bell);
void gst_datahub_bell_arm (GstDatahubBell *bell);
DatahubResult gst_datahub_bell_wait (GstDatahubBell *bell, GstClockTime time);
void gst_datahub_bell_set_interrupted (GstDatahubBell *bell,
    gboolean interrupted);
guint64 gst_datahub_bell_count (GstDatahubBell *bell);

G_END_DECLS

#endif /* GST_DATAHUB_BELL_H */
