/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the broker refuses to an element -> messages of the element. */
#ifndef GST_DATAHUB_BROKER_NEWS_H
#define GST_DATAHUB_BROKER_NEWS_H

#include "gstdatahuboutbox.h"

#include <datahub/datahub.h>

G_BEGIN_DECLS

typedef struct _GstDatahubBrokerNews GstDatahubBrokerNews;

GstDatahubBrokerNews *gst_datahub_broker_news_new (GstElement *element,
    GstDatahubOutbox *outbox, DatahubHub *hub, const gchar *channel);
void gst_datahub_broker_news_free (GstDatahubBrokerNews *news);

G_END_DECLS

#endif /* GST_DATAHUB_BROKER_NEWS_H */
