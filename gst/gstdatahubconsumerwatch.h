/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sink's second thread, the service thread: consumers that join, leave and send
 * requests. */
#ifndef GST_DATAHUB_CONSUMER_WATCH_H
#define GST_DATAHUB_CONSUMER_WATCH_H

#include "gstdatahubcapslimits.h"
#include "gstdatahubdemand.h"
#include "gstdatahubnames.h"
#include "gstdatahubrevocation.h"
#include "gstdatahubproducer.h"
#include "gstdatahubsinksettings.h"
#include "gstdatahubuplink.h"

G_BEGIN_DECLS

typedef struct
{
  /* Not owned: the element outlives this struct. */
  GstElement *element;
  const GstDatahubClient *client;
  const GstDatahubSinkSettings *settings; /* object lock */
  GstDatahubDemand *demand; /* of the element */
  GstDatahubCapsLimits limits;
  guint num_consumers; /* object lock; written by the thread */
  gint notify; /* atomic: a consumer wants notifications of new data */

  GstDatahubProducer *block; /* owned; object lock */
  gboolean stopping; /* object lock */
  GstDatahubRevocation revocation;
  GThread *thread; /* NULL: it does not run; set while it does not */

  /* Another block that the thread is to go over to; object lock. All owned, NULL:
   * there is none. */
  GstDatahubProducer *next;
  GstDatahubWriter *next_writer; /* not owned: the publication's */
  GstDatahubProducer *former; /* of the publication; the thread closes it */
  GstDatahubWriter *former_writer;

  /* The thread's. */
  DatahubProducer *producer; /* entered */
  GHashTable *present; /* owned; id -> name; their end was not reported */
  GstDatahubUplink uplink;
  GstDatahubNames names;
} GstDatahubConsumerWatch;

void gst_datahub_consumer_watch_install_signals (GType type);
void gst_datahub_consumer_watch_init (GstDatahubConsumerWatch *watch,
    GstElement *element, const GstDatahubClient *client,
    const GstDatahubSinkSettings *settings);
gboolean gst_datahub_consumer_watch_start (GstDatahubConsumerWatch *watch,
    GstDatahubProducer *block, GstDatahubWriter *writer, GError **error);
gboolean gst_datahub_consumer_watch_is_following (GstDatahubConsumerWatch
        *watch);
void gst_datahub_consumer_watch_follow (GstDatahubConsumerWatch *watch,
    GstDatahubProducer *block, GstDatahubWriter *writer,
    GstDatahubProducer *former, GstDatahubWriter *former_writer);
void gst_datahub_consumer_watch_stop (GstDatahubConsumerWatch *watch);
void gst_datahub_consumer_watch_reset (GstDatahubConsumerWatch *watch);
gboolean gst_datahub_consumer_watch_get_property (
    GstDatahubConsumerWatch *watch, guint id, GValue *value);
gboolean gst_datahub_consumer_watch_is_notify_wanted (GstDatahubConsumerWatch
        *watch);

G_END_DECLS

#endif /* GST_DATAHUB_CONSUMER_WATCH_H */
