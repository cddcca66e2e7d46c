/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings of datahubsink: properties <-> options of a producer.
 * The size of its slots follows the settings and the stream. */
#ifndef GST_DATAHUB_SINK_SETTINGS_H
#define GST_DATAHUB_SINK_SETTINGS_H

#include "gstdatahubclient.h"
#include "gstdatahubenums.h"

G_BEGIN_DECLS

/* Numbers of its properties. */
enum
{
  GST_DATAHUB_SINK_SLOTS = GST_DATAHUB_PROP_LAST,
  GST_DATAHUB_SINK_SLOT_SIZE,
  GST_DATAHUB_SINK_MAX_BYTES,
  GST_DATAHUB_SINK_MAX_CONSUMERS,
  GST_DATAHUB_SINK_WAIT_FOR_CONSUMERS,
  GST_DATAHUB_SINK_BLOCK_TIMEOUT,
  GST_DATAHUB_SINK_CHECKSUM,
  GST_DATAHUB_SINK_SHM_MODE,
  GST_DATAHUB_SINK_EVENT_TYPES,
  GST_DATAHUB_SINK_STRICT,
  GST_DATAHUB_SINK_HUGEPAGES,
  GST_DATAHUB_SINK_RESTRICT_CAPS,
  GST_DATAHUB_SINK_ON_DEMAND,
  GST_DATAHUB_SINK_ON_DEMAND_LINGER,
  /* not settings, only read */
  GST_DATAHUB_SINK_NUM_CONSUMERS,
  GST_DATAHUB_SINK_DEMANDED,
  GST_DATAHUB_SINK_STATS,
  GST_DATAHUB_SINK_LAST
};

/* Guarded by the element's object lock. */
typedef struct
{
  guint slots;
  guint64 slot_size;
  guint64 max_bytes;
  guint max_consumers;
  guint wait_for_consumers;
  GstClockTime block_timeout;
  DatahubChecksum checksum;
  gchar *shm_mode; /* owned */
  gboolean strict;
  DatahubHugePages hugepages;
  GstDatahubRestrictCaps restrict_caps;
  GstDatahubEvents events;
  gboolean on_demand;
  GstClockTime on_demand_linger;
} GstDatahubSinkSettings;

/* The slots for a stream. */
typedef struct
{
  guint64 slot_size; /* 0: only known from the first buffer */
  gboolean pack; /* small payloads share a slot */
  guint ring_size; /* 0: it follows from the slots */
} GstDatahubSlotSize;

void gst_datahub_sink_settings_init (GstDatahubSinkSettings *settings);
void gst_datahub_sink_settings_clear (GstDatahubSinkSettings *settings);
void gst_datahub_sink_settings_install_properties (GObjectClass *klass);
gboolean gst_datahub_sink_settings_set (GstElement *element,
    GstDatahubSinkSettings *settings, guint id, const GValue *value);
gboolean gst_datahub_sink_settings_get (GstElement *element,
    GstDatahubSinkSettings *settings, guint id, GValue *value);
gboolean gst_datahub_sink_settings_check (GstElement *element,
    GstDatahubSinkSettings *settings);
GstDatahubSinkSettings gst_datahub_sink_settings_read (GstElement *element,
    const GstDatahubSinkSettings *settings);
void gst_datahub_sink_settings_fill (GstElement *element,
    GstDatahubSinkSettings *settings, GstDatahubSlotSize size,
    DatahubProducerOptions *options);

GstDatahubSlotSize gst_datahub_slot_size_from_caps (const GstCaps *caps);
GstDatahubSlotSize gst_datahub_slot_size_from_buffer (GstBuffer *buffer);
GstDatahubSlotSize gst_datahub_slot_size_before_caps (const GstCaps *possible);

G_END_DECLS

#endif /* GST_DATAHUB_SINK_SETTINGS_H */
