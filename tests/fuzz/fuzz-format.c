/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies of records: the first byte says of which type, the rest is what the
 * elements read from shared memory. What is decoded is encoded again, and that
 * must be decodable. */
#include "fuzz.h"

#include "gstdatahubformat.h"
#include "gstdatahubsticky.h"

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  /* no plugin is needed, so none is looked for */
  g_setenv ("GST_PLUGIN_SYSTEM_PATH", "", TRUE);
  g_setenv ("GST_PLUGIN_PATH", "", TRUE);
  g_setenv ("GST_REGISTRY_FORK", "no", TRUE);
  gst_init (NULL, NULL);
  return 0;
}

static void
try_caps (gconstpointer data, gsize size)
{
  g_autoptr (GstCaps) caps = gst_datahub_format_decode_caps (data, size);
  if (!caps)
    return;
  g_assert_true (gst_caps_is_fixed (caps));
  g_bytes_unref (gst_datahub_format_encode_caps (caps));
}

/* They are combined with those of other consumers, and with caps of upstream. */
static void
try_limits (gconstpointer data, gsize size)
{
  g_autoptr (GstCaps) limits = gst_datahub_format_decode_limits (data, size);
  g_autoptr (GstCaps) other = gst_caps_from_string (
      "video/x-raw, width=[1,100], format={I420,NV12}; audio/x-raw, rate=48000");
  g_autoptr (GstCaps) both = limits ? gst_caps_intersect (limits, other) : NULL;
  if (!both)
    return;
  g_assert_true (gst_caps_is_empty (both)
      || gst_caps_can_intersect (other, limits));
  gst_caps_is_equal (limits, both);
}

static void
try_segment (gconstpointer data, gsize size)
{
  GstSegment segment;
  if (!gst_datahub_format_decode_segment (data, size, &segment))
    return;
  g_autoptr (GBytes) bytes = gst_datahub_format_encode_segment (&segment);
  GstSegment again;
  g_assert_true (gst_datahub_format_decode_segment (g_bytes_get_data (bytes,
                                                        NULL),
      g_bytes_get_size (bytes), &again));
  gst_segment_to_running_time (&segment, segment.format, segment.start);
}

static void
try_stream_start (gconstpointer data, gsize size)
{
  g_auto (GstDatahubStreamStart) start = { 0 };
  if (gst_datahub_format_decode_stream_start (data, size, &start))
    g_assert_true (start.stream_id != NULL);
}

static void
try_tags (gconstpointer data, gsize size)
{
  g_autoptr (GstTagList) stream = NULL;
  g_autoptr (GstTagList) global = NULL;
  if (gst_datahub_format_decode_tags (data, size, &stream, &global))
    g_bytes_unref (gst_datahub_format_encode_tags (stream, global));
  GstDatahubInForce in_force;
  if (gst_datahub_sticky_decode (data, size, &in_force))
    for (guint i = 0; i < in_force.n_events; i++)
      g_assert_true (gst_datahub_sticky_has (&in_force, &in_force.events[i]));
}

static void
try_event (gconstpointer data, gsize size)
{
  g_autoptr (GstEvent) event = gst_datahub_format_decode_event (data, size);
  if (event && gst_datahub_format_event_crosses (event)) {
    GBytes *bytes = gst_datahub_format_encode_event (event);
    g_clear_pointer (&bytes, g_bytes_unref);
  }
}

static void (*const decoders[]) (gconstpointer data, gsize size) = { try_caps,
  try_segment, try_stream_start, try_tags, try_event, try_limits };

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size > 0)
    decoders[data[0] % G_N_ELEMENTS (decoders)](data + 1, size - 1);
  return 0;
}
