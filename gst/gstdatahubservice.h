/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sink's second thread: consumers that join, leave and send requests. */
#ifndef GST_DATAHUB_SERVICE_H
#define GST_DATAHUB_SERVICE_H

#include "gstdatahubproducer.h"

G_BEGIN_DECLS

typedef struct _GstDatahubService GstDatahubService;

/* All are called in the service's thread, with no lock held. */
typedef struct
{
  void (*consumer_added) (gpointer user_data, guint64 id, const gchar *name);
  void (*consumer_removed) (gpointer user_data, guint64 id, const gchar *name,
      const gchar *reason);
  void (*requested) (gpointer user_data, guint requests);
  /* whether a consumer wants notifications of new data through the broker */
  void (*notify) (gpointer user_data, gboolean wanted);
} GstDatahubServiceFuncs;

GstDatahubService *gst_datahub_service_new (GstDatahubProducer *block,
    const GstDatahubServiceFuncs *funcs, gpointer user_data);
void gst_datahub_service_stop (GstDatahubService *service);

G_END_DECLS

#endif /* GST_DATAHUB_SERVICE_H */
