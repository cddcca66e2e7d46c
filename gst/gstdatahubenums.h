/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of the properties. */
#ifndef GST_DATAHUB_ENUMS_H
#define GST_DATAHUB_ENUMS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Which events cross. Stream-start, caps, segment and EOS always do. */
typedef enum
{
  GST_DATAHUB_EVENTS_TAG = 1 << 0,
  GST_DATAHUB_EVENTS_GAP = 1 << 1,
  GST_DATAHUB_EVENTS_CUSTOM = 1 << 2,
  GST_DATAHUB_EVENTS_PROTECTION = 1 << 3,
  GST_DATAHUB_EVENTS_STREAM_GROUP_DONE = 1 << 4,
  GST_DATAHUB_EVENTS_FORCE_KEY_UNIT = 1 << 5, /* upstream, from consumers */
  GST_DATAHUB_EVENTS_RECONFIGURE = 1 << 6, /* upstream, from consumers */
  GST_DATAHUB_EVENTS_TOC = 1 << 7,
  GST_DATAHUB_EVENTS_QOS = 1 << 8, /* upstream, from consumers */
  GST_DATAHUB_EVENTS_NAVIGATION = 1 << 9, /* upstream, from consumers */
  GST_DATAHUB_EVENTS_CUSTOM_UPSTREAM = 1 << 10, /* upstream, from consumers */
  GST_DATAHUB_EVENTS_STREAM_COLLECTION = 1 << 11,
  GST_DATAHUB_EVENTS_SEGMENT_DONE = 1 << 12,
  GST_DATAHUB_EVENTS_INSTANT_RATE_CHANGE = 1 << 13,
  GST_DATAHUB_EVENTS_ALL = (1 << 14) - 1
} GstDatahubEvents;

typedef enum
{
  GST_DATAHUB_DELIVERY_LIVE,
  GST_DATAHUB_DELIVERY_RELIABLE
} GstDatahubDelivery;

typedef enum
{
  GST_DATAHUB_ON_DISCONNECT_WAIT,
  GST_DATAHUB_ON_DISCONNECT_EOS,
  GST_DATAHUB_ON_DISCONNECT_ERROR
} GstDatahubOnDisconnect;

typedef enum
{
  GST_DATAHUB_WAKE_ADAPTIVE,
  GST_DATAHUB_WAKE_FUTEX,
  GST_DATAHUB_WAKE_POLL,
  GST_DATAHUB_WAKE_NOTIFY
} GstDatahubWake;

typedef enum
{
  GST_DATAHUB_RESTRICT_CAPS_UNSHARED,
  GST_DATAHUB_RESTRICT_CAPS_ALL,
  GST_DATAHUB_RESTRICT_CAPS_NONE
} GstDatahubRestrictCaps;

#define GST_TYPE_DATAHUB_CHECKSUM (gst_datahub_checksum_get_type ())
#define GST_TYPE_DATAHUB_EVENTS (gst_datahub_events_get_type ())
#define GST_TYPE_DATAHUB_HUGEPAGES (gst_datahub_hugepages_get_type ())
#define GST_TYPE_DATAHUB_RESTRICT_CAPS (gst_datahub_restrict_caps_get_type ())
#define GST_TYPE_DATAHUB_DELIVERY (gst_datahub_delivery_get_type ())
#define GST_TYPE_DATAHUB_START_AT (gst_datahub_start_at_get_type ())
#define GST_TYPE_DATAHUB_ON_DISCONNECT (gst_datahub_on_disconnect_get_type ())
#define GST_TYPE_DATAHUB_WAKE (gst_datahub_wake_get_type ())
#define GST_TYPE_DATAHUB_TIMESTAMPS (gst_datahub_timestamps_get_type ())

GType gst_datahub_checksum_get_type (void);
GType gst_datahub_events_get_type (void);
GType gst_datahub_hugepages_get_type (void);
GType gst_datahub_restrict_caps_get_type (void);
GType gst_datahub_delivery_get_type (void);
GType gst_datahub_start_at_get_type (void);
GType gst_datahub_on_disconnect_get_type (void);
GType gst_datahub_wake_get_type (void);
GType gst_datahub_timestamps_get_type (void);

G_END_DECLS

#endif /* GST_DATAHUB_ENUMS_H */
