/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reports the consumers of a sink's block to the application and to
 * upstream. */
#ifndef GST_DATAHUB_AUDIENCE_H
#define GST_DATAHUB_AUDIENCE_H

#include "gstdatahubservice.h"
#include "gstdatahubsinksettings.h"

G_BEGIN_DECLS

typedef struct
{
  /* Not owned: the element outlives this struct. */
  GstElement *element;
  const GstDatahubSinkSettings *settings; /* object lock */
  guint num_consumers; /* object lock; written by the service's thread */
  gint notify; /* atomic: a consumer wants notifications of new data */
} GstDatahubAudience;

/* For a service with a GstDatahubAudience as user data. */
extern const GstDatahubServiceFuncs gst_datahub_audience_funcs;

void gst_datahub_audience_install_signals (GType type);
void gst_datahub_audience_init (GstDatahubAudience *audience,
    GstElement *element, const GstDatahubSinkSettings *settings);
void gst_datahub_audience_leave (GstDatahubAudience *audience);
gboolean gst_datahub_audience_is_notify_wanted (GstDatahubAudience *audience);

G_END_DECLS

#endif /* GST_DATAHUB_AUDIENCE_H */
