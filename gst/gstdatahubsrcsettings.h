/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings of datahubsrc: properties <-> options of a consumer. */
#ifndef GST_DATAHUB_SRC_SETTINGS_H
#define GST_DATAHUB_SRC_SETTINGS_H

#include "gstdatahubclient.h"
#include "gstdatahubenums.h"
#include "gstdatahubtime.h"

G_BEGIN_DECLS

/* Numbers of its properties. */
enum
{
  GST_DATAHUB_SRC_DELIVERY = GST_DATAHUB_PROP_LAST,
  GST_DATAHUB_SRC_START_AT,
  GST_DATAHUB_SRC_ON_DISCONNECT,
  GST_DATAHUB_SRC_TIMEOUT,
  GST_DATAHUB_SRC_MAX_AGE,
  GST_DATAHUB_SRC_MAX_PINNED,
  GST_DATAHUB_SRC_WAKE,
  GST_DATAHUB_SRC_POLL_INTERVAL,
  GST_DATAHUB_SRC_TIMESTAMPS,
  GST_DATAHUB_SRC_CONSUMER_NAME,
  GST_DATAHUB_SRC_ORIGIN_META,
  GST_DATAHUB_SRC_KEEPALIVE_TIME,
  /* not settings */
  GST_DATAHUB_SRC_IS_LIVE,
  GST_DATAHUB_SRC_STATS,
  GST_DATAHUB_SRC_LAST
};

/* Guarded by the element's object lock. */
typedef struct
{
  GstDatahubDelivery delivery;
  DatahubStart start_at;
  GstDatahubOnDisconnect on_disconnect;
  GstClockTime timeout;
  GstClockTime max_age;
  guint max_pinned;
  GstDatahubWake wake;
  GstClockTime poll_interval;
  GstDatahubTimestamps timestamps;
  gchar *consumer_name; /* owned */
  gboolean origin_meta;
  guint keepalive_time; /* milliseconds; 0: off */
} GstDatahubSrcSettings;

void gst_datahub_src_settings_init (GstDatahubSrcSettings *settings);
void gst_datahub_src_settings_clear (GstDatahubSrcSettings *settings);
void gst_datahub_src_settings_install_properties (GObjectClass *klass);
gboolean gst_datahub_src_settings_set (GstElement *element,
    GstDatahubSrcSettings *settings, guint id, const GValue *value);
gboolean gst_datahub_src_settings_get (GstElement *element,
    GstDatahubSrcSettings *settings, guint id, GValue *value);
GstDatahubSrcSettings gst_datahub_src_settings_read (GstElement *element,
    const GstDatahubSrcSettings *settings);
gint64 gst_datahub_src_settings_max_age (GstClockTime max_age);
gchar *gst_datahub_src_settings_fill (GstElement *element,
    const GstDatahubSrcSettings *settings, DatahubConsumerOptions *options);

G_END_DECLS

#endif /* GST_DATAHUB_SRC_SETTINGS_H */
