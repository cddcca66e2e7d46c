/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes of a consumer's mailbox. What is decoded becomes an event for every kind of
 * time of a pipeline; what can be encoded again means the same. */
#include "fuzz.h"

#include "gstdatahubtime.h"
#include "gstdatahubupstream.h"

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
try_events (const GstDatahubUpstream *upstream)
{
  static const gint64 distances[] = { 0, GST_DATAHUB_NO_INSTANT,
    GST_DATAHUB_TIME_MAX - 1, 1 - GST_DATAHUB_TIME_MAX };
  for (guint i = 0; i < G_N_ELEMENTS (distances); i++) {
    GstEvent *event = gst_datahub_upstream_to_event (upstream, distances[i]);
    g_auto (GstDatahubUpstream) again = { 0 };
    g_assert_nonnull (event);
    g_assert_true (GST_EVENT_IS_UPSTREAM (event));
    if (gst_datahub_upstream_from_event (event, distances[i], &again))
      g_assert_cmpint (again.kind, ==, upstream->kind);
    gst_event_unref (event);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_auto (GstDatahubUpstream) upstream = { 0 };
  g_auto (GstDatahubUpstream) again = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  if (!gst_datahub_upstream_decode (data, size, &upstream))
    return 0;
  g_assert_cmpint (gst_datahub_upstream_type (&upstream), !=, 0);
  try_events (&upstream);
  bytes = gst_datahub_upstream_encode (&upstream);
  if (!bytes)
    return 0;
  g_assert_true (gst_datahub_upstream_decode (g_bytes_get_data (bytes, NULL),
      g_bytes_get_size (bytes), &again));
  g_assert_cmpint (again.kind, ==, upstream.kind);
  g_assert_cmpint (again.instant, ==, upstream.instant);
  return 0;
}
