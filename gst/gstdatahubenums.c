/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The enumerations and flags of the properties, with their descriptions.
 * Tests: gst-properties */
#include "gstdatahubenums.h"
#include "gstdatahubtime.h"

#include <datahub/consumer.h>
#include <datahub/producer.h>

#define DEFINE_TYPE(name, Name, register_static)                               \
  GType gst_datahub_##name##_get_type (void)                                   \
  {                                                                            \
    static gsize type;                                                         \
    if (g_once_init_enter (&type))                                             \
      g_once_init_leave (&type,                                                \
          register_static ("GstDatahub" #Name, name##_values));                \
    return (GType) type;                                                       \
  }

static const GFlagsValue events_values[] = { { GST_DATAHUB_EVENTS_TAG, "Tags",
                                                 "tag" },
  { GST_DATAHUB_EVENTS_GAP, "Gaps", "gap" },
  { GST_DATAHUB_EVENTS_CUSTOM, "Custom serialized events", "custom" },
  { GST_DATAHUB_EVENTS_PROTECTION, "Protection", "protection" },
  { GST_DATAHUB_EVENTS_STREAM_GROUP_DONE, "Stream group done",
      "stream-group-done" },
  { GST_DATAHUB_EVENTS_FORCE_KEY_UNIT, "Upstream: requests for a keyframe",
      "force-key-unit" },
  { GST_DATAHUB_EVENTS_RECONFIGURE, "Upstream: requests to renegotiate",
      "reconfigure" },
  { GST_DATAHUB_EVENTS_TOC, "Tables of contents", "toc" },
  { GST_DATAHUB_EVENTS_QOS,
      "Upstream: quality of service, while all live consumers are late",
      "qos" },
  { GST_DATAHUB_EVENTS_NAVIGATION, "Upstream: navigation", "navigation" },
  { GST_DATAHUB_EVENTS_CUSTOM_UPSTREAM, "Upstream: custom events",
      "custom-upstream" },
  { GST_DATAHUB_EVENTS_STREAM_COLLECTION, "Collections of streams",
      "stream-collection" },
  { GST_DATAHUB_EVENTS_SEGMENT_DONE, "Segment done", "segment-done" },
  { GST_DATAHUB_EVENTS_INSTANT_RATE_CHANGE, "Changes of the rate",
      "instant-rate-change" },
  { 0, NULL, NULL } };

static const GEnumValue checksum_values[] = { { DATAHUB_CHECKSUM_NONE, "None",
                                                  "none" },
  { DATAHUB_CHECKSUM_CRC32C, "CRC-32C: fast, detects accidental changes",
      "crc32c" },
  { DATAHUB_CHECKSUM_BLAKE2B, "BLAKE2b-256: detects any change", "blake2b" },
  { 0, NULL, NULL } };

static const GEnumValue restrict_caps_values[] = {
  { GST_DATAHUB_RESTRICT_CAPS_UNSHARED,
      "Consumers choose, and the caps do not move beside one that states nothing",
      "unshared" },
  { GST_DATAHUB_RESTRICT_CAPS_ALL, "Consumers choose", "all" },
  { GST_DATAHUB_RESTRICT_CAPS_NONE, "Upstream chooses", "none" },
  { 0, NULL, NULL }
};

static const GEnumValue delivery_values[] = {
  { GST_DATAHUB_DELIVERY_LIVE,
      "Never slows the producer; losses are counted exactly", "live" },
  { GST_DATAHUB_DELIVERY_RELIABLE, "The producer waits for this consumer",
      "reliable" },
  { 0, NULL, NULL }
};

static const GEnumValue start_at_values[] = {
  { DATAHUB_START_LATEST, "The newest buffer", "latest" },
  { DATAHUB_START_OLDEST, "The oldest buffer that the block still holds",
      "oldest" },
  { DATAHUB_START_KEYFRAME, "The newest keyframe, or the next one",
      "keyframe" },
  { 0, NULL, NULL }
};

static const GEnumValue hugepages_values[] = { { DATAHUB_HUGEPAGES_NEVER,
                                                   "Normal pages", "never" },
  { DATAHUB_HUGEPAGES_ADVISE,
      "Transparent huge pages, if the system has them for shared memory",
      "advise" },
  { DATAHUB_HUGEPAGES_2M, "Reserved pages of 2 MiB; needs strict", "2M" },
  { DATAHUB_HUGEPAGES_1G, "Reserved pages of 1 GiB; needs strict", "1G" },
  { 0, NULL, NULL } };

static const GEnumValue on_disconnect_values[] = {
  { GST_DATAHUB_ON_DISCONNECT_WAIT, "Wait for the next producer", "wait" },
  { GST_DATAHUB_ON_DISCONNECT_EOS, "End the stream", "eos" },
  { GST_DATAHUB_ON_DISCONNECT_ERROR, "Fail", "error" }, { 0, NULL, NULL }
};

static const GEnumValue wake_values[] = {
  { GST_DATAHUB_WAKE_ADAPTIVE, "Spin for a moment, then sleep on a futex",
      "adaptive" },
  { GST_DATAHUB_WAKE_FUTEX, "Sleep on a futex", "futex" },
  { GST_DATAHUB_WAKE_POLL, "Check for a buffer every poll-interval", "poll" },
  { GST_DATAHUB_WAKE_NOTIFY,
      "Wait for notifications through the broker; sleep on a futex until one "
      "has arrived",
      "notify" },
  { 0, NULL, NULL }
};

static const GEnumValue timestamps_values[] = {
  { GST_DATAHUB_TIMESTAMPS_AUTO,
      "Like clock if the producer is live; otherwise the producer's "
      "timestamps, in a segment placed on this pipeline's clock",
      "auto" },
  { GST_DATAHUB_TIMESTAMPS_CLOCK,
      "The same instant on this pipeline's clock and base time", "clock" },
  { GST_DATAHUB_TIMESTAMPS_PASSTHROUGH, "The producer's timestamps and segment",
      "passthrough" },
  { GST_DATAHUB_TIMESTAMPS_RESTART, "Timestamps start at zero", "restart" },
  { 0, NULL, NULL }
};

DEFINE_TYPE (checksum, Checksum, g_enum_register_static)
DEFINE_TYPE (restrict_caps, RestrictCaps, g_enum_register_static)
DEFINE_TYPE (events, Events, g_flags_register_static)
DEFINE_TYPE (hugepages, Hugepages, g_enum_register_static)
DEFINE_TYPE (delivery, Delivery, g_enum_register_static)
DEFINE_TYPE (start_at, StartAt, g_enum_register_static)
DEFINE_TYPE (on_disconnect, OnDisconnect, g_enum_register_static)
DEFINE_TYPE (wake, Wake, g_enum_register_static)
DEFINE_TYPE (timestamps, Timestamps, g_enum_register_static)
