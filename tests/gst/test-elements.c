/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the elements do with buffers, events and memory, in one process: a
 * producer and a consumer here still have mappings of their own. */
#include "place.h"

#include <gst/audio/audio.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <string.h>

#define BLOCK "datablock=test "
#define VIDEO_CAPS(w, h)                                                       \
  "video/x-raw, format=GRAY8, width=" #w ", height=" #h ", framerate=25/1"

static GstHarness *
new_sink (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsink " BLOCK "sync=false async=false %s",
          properties);
  return gst_harness_new_parse (line);
}

static GstHarness *
new_src (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc " BLOCK "%s", properties);
  GstHarness *h = gst_harness_new_parse (line);
  gst_harness_play (h);
  return h;
}

static GstElement *
element_of (GstHarness *h, const gchar *factory)
{
  GstIterator *all;
  GValue item = G_VALUE_INIT;
  GstElement *found = NULL;
  if (!GST_IS_BIN (h->element))
    return gst_object_ref (h->element);
  all = gst_bin_iterate_elements (GST_BIN (h->element));
  while (gst_iterator_next (all, &item) == GST_ITERATOR_OK) {
    GstElement *element = g_value_get_object (&item);
    if (g_str_has_prefix (GST_OBJECT_NAME (element), factory))
      found = gst_object_ref (element);
    g_value_reset (&item);
  }
  g_value_unset (&item);
  gst_iterator_free (all);
  return found;
}

static guint64
stat_of (GstHarness *h, const gchar *factory, const gchar *field)
{
  g_autoptr (GstElement) element = element_of (h, factory);
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;
  guint small = 0;
  g_object_get (element, "stats", &stats, NULL);
  if (gst_structure_get_uint (stats, field, &small))
    return small;
  fail_unless (gst_structure_get_uint64 (stats, field, &value), "%s", field);
  return value;
}

static GstBuffer *
bytes_buffer (gsize size, guint8 value)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  gst_buffer_memset (buffer, 0, value, size);
  return buffer;
}

static void
check_bytes (GstBuffer *buffer, gsize size, guint8 value)
{
  GstMapInfo map;
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  fail_unless_equals_int (map.size, size);
  for (gsize i = 0; i < size; i++)
    fail_unless_equals_int (map.data[i], value);
  gst_buffer_unmap (buffer, &map);
}

static void
push (GstHarness *h, gsize size, guint8 value)
{
  fail_unless_equals_int (gst_harness_push (h, bytes_buffer (size, value)),
      GST_FLOW_OK);
}

static void
wait_attached (GstHarness *sink, guint n)
{
  g_autoptr (GstElement) element = element_of (sink, "datahubsink");
  guint now = 0;
  while (now != n) {
    g_object_get (element, "num-consumers", &now, NULL);
    g_thread_yield ();
  }
}

/* ---- properties ---- */

GST_START_TEST (defaults_are_as_documented)
{
  GstElement *sink, *src;
  gchar *name, *broker, *mode;
  guint slots, max_consumers, wait, pinned;
  guint64 slot_size, block_timeout, timeout, max_age;
  gint checksum, delivery, start_at, on_disconnect, wake, timestamps;
  gboolean sync, last_sample, live;
  g_unsetenv ("DATAHUB_BROKER");
  sink = gst_element_factory_make ("datahubsink", NULL);
  src = gst_element_factory_make ("datahubsrc", NULL);
  g_object_get (sink, "datablock", &name, "broker", &broker, "shm-mode", &mode,
      "slots", &slots, "max-consumers", &max_consumers, "wait-for-consumers",
      &wait, "slot-size", &slot_size, "block-timeout", &block_timeout,
      "checksum", &checksum, "sync", &sync, "enable-last-sample", &last_sample,
      NULL);
  fail_unless_equals_string (name, "default");
  fail_unless_equals_string (broker, "auto");
  fail_unless_equals_string (mode, "0600");
  fail_unless (slots == 0 && slot_size == 0 && max_consumers == 128
      && wait == 0);
  fail_unless_equals_uint64 (block_timeout, 5 * GST_SECOND);
  fail_unless (checksum == 0 && sync && !last_sample);
  g_object_get (src, "delivery", &delivery, "start-at", &start_at,
      "on-disconnect", &on_disconnect, "wake", &wake, "timestamps", &timestamps,
      "max-pinned", &pinned, "timeout", &timeout, "max-age", &max_age,
      "is-live", &live, NULL);
  fail_unless (delivery == 0 && start_at == 2 && on_disconnect == 0 && wake == 0
      && timestamps == 0);
  fail_unless_equals_int (pinned, 8);
  fail_unless (timeout == GST_CLOCK_TIME_NONE && max_age == timeout && live);
  g_free (name);
  g_free (broker);
  g_free (mode);
  gst_object_unref (sink);
  gst_object_unref (src);
}
GST_END_TEST;

GST_START_TEST (the_environment_names_the_broker)
{
  GstElement *sink = gst_element_factory_make ("datahubsink", NULL);
  gchar *broker;
  g_object_get (sink, "broker", &broker, NULL);
  fail_unless_equals_string (broker, "none"); /* from the fixture */
  g_free (broker);
  gst_object_unref (sink);
}
GST_END_TEST;

GST_START_TEST (a_uri_names_the_block_and_sets_properties)
{
  GstElement *src = gst_element_make_from_uri (GST_URI_SRC,
      "datahub://Cam0?delivery=reliable&timeout=5&consumer-name=a%20b", NULL,
      NULL);
  g_autofree gchar *name = NULL, *consumer = NULL, *uri = NULL;
  guint64 timeout;
  gint delivery;
  fail_unless (src != NULL);
  g_object_get (src, "datablock", &name, "delivery", &delivery, "timeout",
      &timeout, "consumer-name", &consumer, NULL);
  fail_unless_equals_string (name, "Cam0");
  fail_unless_equals_string (consumer, "a b");
  fail_unless (delivery == 1 && timeout == 5);
  uri = gst_uri_handler_get_uri (GST_URI_HANDLER (src));
  fail_unless_equals_string (uri, "datahub://Cam0");
  gst_object_unref (src);
}
GST_END_TEST;

GST_START_TEST (a_wrong_uri_is_refused)
{
  static const gchar *const uris[] = { "datahub://", "datahub://a/b",
    "datahub://-x", "datahub://a?nosuch=1", "datahub://a?delivery=maybe",
    "datahub://a?curve-key-file=/etc/x", "datahub://a?delivery" };
  GstElement *src = gst_element_factory_make ("datahubsrc", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (uris); i++) {
    g_autoptr (GError) error = NULL;
    fail_if (gst_uri_handler_set_uri (GST_URI_HANDLER (src), uris[i], &error),
        "%s", uris[i]);
    fail_unless (error != NULL && *error->message);
  }
  gst_object_unref (src);
}
GST_END_TEST;

/* ---- memory ---- */

/* The only memory of a buffer, where it is. */
static gconstpointer
address_of (GstBuffer *buffer, gsize *size)
{
  GstMapInfo map;
  fail_unless_equals_int (gst_buffer_n_memory (buffer), 1);
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  gst_buffer_unmap (buffer, &map);
  *size = map.size;
  return map.data;
}

GST_START_TEST (nothing_is_copied_from_the_pool_to_the_consumer)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *in, *out;
  gsize size;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (64, 64));
  in = gst_harness_create_buffer (sink, 64 * 64);
  fail_unless (place_is_shared (address_of (in, &size), 64 * 64));
  fail_unless_equals_string (
      gst_buffer_peek_memory (in, 0)->allocator->mem_type, "DatahubSlot");
  gst_buffer_memset (in, 0, 0x5a, 64 * 64);
  fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
  src = new_src ("");
  out = gst_harness_pull (src);
  fail_unless (place_is_shared (address_of (out, &size), 64 * 64));
  fail_unless_equals_string (
      gst_buffer_peek_memory (out, 0)->allocator->mem_type, "DatahubLease");
  check_bytes (out, 64 * 64, 0x5a);
  fail_unless_equals_uint64 (stat_of (sink, "datahubsink", "zero-copy"), 1);
  fail_unless_equals_uint64 (stat_of (sink, "datahubsink", "copied"), 0);
  fail_unless_equals_uint64 (stat_of (src, "datahubsrc", "copied"), 0);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (foreign_memory_is_copied_once)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *out;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (64, 64));
  push (sink, 64 * 64, 7);
  src = new_src ("");
  out = gst_harness_pull (src);
  check_bytes (out, 64 * 64, 7);
  fail_unless_equals_uint64 (stat_of (sink, "datahubsink", "copied"), 1);
  fail_unless_equals_uint64 (stat_of (sink, "datahubsink", "copied-bytes"),
      64 * 64);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (alignment_and_padding_are_honoured)
{
  GstHarness *sink = new_sink ("");
  g_autoptr (GstQuery) query = NULL;
  g_autoptr (GstCaps) caps = gst_caps_from_string (VIDEO_CAPS (50, 20));
  g_autoptr (GstBufferPool) pool = NULL;
  GstVideoAlignment align;
  GstStructure *config;
  GstBuffer *buffer;
  GstVideoMeta *meta;
  gsize size;
  guint offered;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (50, 20));
  query = gst_query_new_allocation (caps, TRUE);
  fail_unless (gst_pad_peer_query (sink->srcpad, query));
  gst_query_parse_nth_allocation_pool (query, 0, &pool, &offered, NULL, NULL);
  fail_unless (pool != NULL);
  gst_video_alignment_reset (&align);
  align.padding_left = 16;
  align.padding_bottom = 12;
  align.stride_align[0] = 127;
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  gst_buffer_pool_config_add_option (config,
      GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
  gst_buffer_pool_config_set_video_alignment (config, &align);
  fail_unless (gst_buffer_pool_set_config (pool, config));
  gst_buffer_pool_set_active (pool, TRUE);
  fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL),
      GST_FLOW_OK);
  meta = gst_buffer_get_video_meta (buffer);
  fail_unless (meta && meta->stride[0] % 128 == 0 && meta->offset[0] >= 16);
  fail_unless ((guintptr) address_of (buffer, &size) % 128 == 0);
  fail_unless (size >= 32u * 128u);
  fail_unless (place_is_shared (address_of (buffer, &size), size));
  gst_buffer_unref (buffer);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (too_large_an_alignment_is_left_to_upstream)
{
  GstHarness *sink = new_sink ("");
  g_autoptr (GstCaps) caps = gst_caps_from_string (VIDEO_CAPS (50, 20));
  g_autoptr (GstQuery) query = NULL;
  g_autoptr (GstBufferPool) pool = NULL;
  GstAllocationParams params = { .align = 8191 };
  GstStructure *config;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (50, 20));
  query = gst_query_new_allocation (caps, TRUE);
  fail_unless (gst_pad_peer_query (sink->srcpad, query));
  gst_query_parse_nth_allocation_pool (query, 0, &pool, NULL, NULL, NULL);
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_allocator (config, NULL, &params);
  fail_if (gst_buffer_pool_set_config (pool, config));
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (without_caps_the_allocator_alone_is_offered)
{
  GstHarness *sink = new_sink ("");
  g_autoptr (GstQuery) query = gst_query_new_allocation (NULL, TRUE);
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (8, 8));
  fail_unless (gst_pad_peer_query (sink->srcpad, query));
  fail_unless_equals_int (gst_query_get_n_allocation_pools (query), 0);
  fail_unless_equals_int (gst_query_get_n_allocation_params (query), 1);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* tee ! queue ! something that writes in place. */
GST_START_TEST (what_was_committed_cannot_be_written_any_more)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *in, *out;
  GstMapInfo map;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  in = gst_harness_create_buffer (sink, 256);
  gst_buffer_memset (in, 0, 1, 256);
  fail_unless_equals_int (gst_harness_push (sink, gst_buffer_ref (in)),
      GST_FLOW_OK);
  /* we are its only owner now, so GStreamer calls it writable */
  fail_unless (gst_buffer_is_writable (in));
  fail_unless (gst_buffer_map (in, &map, GST_MAP_READWRITE));
  fail_if (place_is_shared (map.data, map.size), "it is still the slot");
  fail_unless_equals_int (map.data[0], 1);
  memset (map.data, 2, map.size);
  gst_buffer_unmap (in, &map);
  gst_buffer_unref (in);
  src = new_src ("");
  out = gst_harness_pull (src);
  check_bytes (out, 256, 1);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_buffer_pushed_twice_is_two_records_of_one_slot)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *in, *one, *two;
  gsize size;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  in = gst_harness_create_buffer (sink, 256);
  gst_buffer_memset (in, 0, 9, 256);
  gst_harness_push (sink, gst_buffer_ref (in));
  gst_harness_push (sink, in);
  src = new_src ("start-at=oldest");
  one = gst_harness_pull (src);
  two = gst_harness_pull (src);
  fail_unless (address_of (one, &size) == address_of (two, &size));
  check_bytes (two, 256, 9);
  fail_unless_equals_uint64 (stat_of (sink, "datahubsink", "zero-copy"), 2);
  gst_buffer_unref (one);
  gst_buffer_unref (two);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (the_pool_gives_a_fresh_slot_each_time)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  src = new_src ("delivery=reliable start-at=oldest max-pinned=3");
  for (guint i = 0; i < 300; i++) {
    GstBuffer *in = gst_harness_create_buffer (sink, 256), *out;
    gst_buffer_memset (in, 0, (guint8) i, 256);
    fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
    out = gst_harness_pull (src);
    check_bytes (out, 256, (guint8) i);
    gst_buffer_unref (out);
  }
  fail_unless_equals_uint64 (stat_of (sink, "datahubsink", "copied"), 0);
  fail_unless_equals_uint64 (stat_of (sink, "datahubsink", "growths"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A decoder keeps its reference frames. */
GST_START_TEST (upstream_may_hold_more_than_all_slots)
{
  GstHarness *sink = new_sink ("slots=4 max-bytes=200000");
  GstBuffer *held[40];
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (64, 64));
  for (guint i = 0; i < G_N_ELEMENTS (held); i++) {
    held[i] = gst_harness_create_buffer (sink, 4096);
    fail_unless (held[i] != NULL);
  }
  for (guint i = 0; i < G_N_ELEMENTS (held); i++)
    fail_unless_equals_int (gst_harness_push (sink, held[i]), GST_FLOW_OK);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_consumer_that_writes_gets_a_copy)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *out;
  GstMapInfo map;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  push (sink, 256, 3);
  src = new_src ("");
  out = gst_buffer_make_writable (gst_harness_pull (src));
  fail_unless (gst_buffer_map (out, &map, GST_MAP_READWRITE));
  fail_if (place_is_shared (map.data, map.size));
  fail_unless_equals_int (map.data[255], 3);
  gst_buffer_unmap (out, &map);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gpointer
free_buffers (gpointer data)
{
  g_list_free_full (data, (GDestroyNotify) gst_buffer_unref);
  return NULL;
}

GST_START_TEST (buffers_outlive_both_pipelines)
{
  GstHarness *sink = new_sink (""), *src;
  GList *held = NULL;
  guint fds;
  fds = place_count_fds ();
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  src = new_src ("start-at=oldest delivery=reliable");
  for (guint i = 0; i < 6; i++) {
    push (sink, 256, (guint8) i);
    held = g_list_append (held, gst_harness_pull (src));
  }
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
  for (guint i = 0; i < 6; i++) {
    GstBuffer *part;
    check_bytes (g_list_nth_data (held, i), 256, (guint8) i);
    part = gst_buffer_copy_region (g_list_nth_data (held, i),
        GST_BUFFER_COPY_ALL, 8, 16);
    check_bytes (part, 16, (guint8) i);
    held = g_list_append (held, part);
  }
  g_thread_join (g_thread_new ("free", free_buffers, held));
  fail_unless (place_count_fds () <= fds, "%u fds before, %u after", fds,
      place_count_fds ());
  fail_unless_equals_int (place_count_files (), 0);
}
GST_END_TEST;

GST_START_TEST (loans_outlive_the_sink)
{
  GstHarness *sink = new_sink ("");
  GstBuffer *loan;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  loan = gst_harness_create_buffer (sink, 256);
  gst_harness_teardown (sink);
  gst_buffer_memset (loan, 0, 1, 256);
  gst_buffer_unref (loan);
}
GST_END_TEST;

GST_START_TEST (a_hoarding_consumer_gets_copies)
{
  GstHarness *sink = new_sink (""), *src;
  GList *held = NULL;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  src = new_src ("delivery=reliable start-at=oldest max-pinned=2");
  for (guint i = 0; i < 20; i++) {
    push (sink, 256, (guint8) i);
    held = g_list_append (held, gst_harness_pull (src));
  }
  for (guint i = 0; i < 20; i++)
    check_bytes (g_list_nth_data (held, i), 256, (guint8) i);
  fail_unless_equals_uint64 (stat_of (src, "datahubsrc", "zero-copy"), 2);
  fail_unless_equals_uint64 (stat_of (src, "datahubsrc", "copied"), 18);
  g_list_free_full (held, (GDestroyNotify) gst_buffer_unref);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* ---- shapes of buffers ---- */

GST_START_TEST (many_memories_and_none_cross)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *in = gst_buffer_new (), *out;
  gst_harness_set_src_caps_str (sink, "application/x-test");
  for (guint i = 0; i < 9; i++)
    in = gst_buffer_append (in, bytes_buffer (10, 4));
  fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_push (sink, gst_buffer_new ()),
      GST_FLOW_OK);
  src = new_src ("start-at=oldest");
  out = gst_harness_pull (src);
  check_bytes (out, 90, 4);
  gst_buffer_unref (out);
  out = gst_harness_pull (src);
  fail_unless_equals_int (gst_buffer_get_size (out), 0);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (two_slots_in_one_buffer_cross_without_a_copy)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *in, *out;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  in = gst_buffer_append (gst_harness_create_buffer (sink, 256),
      gst_harness_create_buffer (sink, 256));
  gst_buffer_memset (in, 0, 1, 256);
  gst_buffer_memset (in, 256, 2, 256);
  fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
  src = new_src ("");
  out = gst_harness_pull (src);
  fail_unless_equals_int (gst_buffer_n_memory (out), 2);
  fail_unless_equals_int (gst_buffer_memcmp (out, 256, "\2\2\2", 3), 0);
  fail_unless_equals_uint64 (stat_of (sink, "datahubsink", "zero-copy"), 1);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gpointer
push_list (gpointer data)
{
  GstHarness *h = data;
  GstBufferList *list = gst_buffer_list_new ();
  for (guint i = 0; i < 200; i++)
    gst_buffer_list_add (list, bytes_buffer (100, (guint8) i));
  return GINT_TO_POINTER (gst_pad_push_list (h->srcpad, list));
}

GST_START_TEST (a_long_buffer_list_crosses_whole)
{
  GstHarness *sink = new_sink (""), *src;
  GThread *thread;
  gst_harness_set_src_caps_str (sink, "application/x-test");
  push (sink, 100, 255);
  src = new_src ("delivery=reliable start-at=oldest");
  wait_attached (sink, 1);
  thread = g_thread_new ("push", push_list, sink);
  gst_buffer_unref (gst_harness_pull (src));
  for (guint i = 0; i < 200; i++) {
    GstBuffer *out = gst_harness_pull (src);
    check_bytes (out, 100, (guint8) i);
    gst_buffer_unref (out);
  }
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_OK);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (flags_offsets_and_times_cross)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *in = bytes_buffer (10, 1), *out;
  gst_harness_set_src_caps_str (sink, "application/x-test");
  GST_BUFFER_PTS (in) = 5000;
  GST_BUFFER_DTS (in) = 4000;
  GST_BUFFER_DURATION (in) = 300;
  GST_BUFFER_OFFSET (in) = 77;
  GST_BUFFER_OFFSET_END (in) = 78;
  GST_BUFFER_FLAG_SET (in, GST_BUFFER_FLAG_HEADER | GST_BUFFER_FLAG_MARKER);
  gst_harness_push (sink, in);
  src = new_src ("timestamps=passthrough");
  out = gst_harness_pull (src);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (out), 5000);
  fail_unless_equals_uint64 (GST_BUFFER_DTS (out), 4000);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (out), 300);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (out), 77);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET_END (out), 78);
  fail_unless (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_HEADER));
  fail_unless (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_MARKER));
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (planar_audio_is_readable_at_the_other_end)
{
  GstHarness *sink = new_sink (""), *src;
  GstBuffer *in = bytes_buffer (2 * 64 * 4, 0), *out;
  gsize offsets[2] = { 256, 0 };
  GstAudioInfo info;
  GstAudioBuffer audio;
  gst_harness_set_src_caps_str (sink,
      "audio/x-raw, format=F32LE, rate=48000, channels=2, "
      "layout=non-interleaved, channel-mask=(bitmask)0x3");
  gst_audio_info_init (&info);
  gst_audio_info_set_format (&info, GST_AUDIO_FORMAT_F32LE, 48000, 2, NULL);
  info.layout = GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  gst_buffer_add_audio_meta (in, &info, 64, offsets);
  gst_buffer_memset (in, 256, 7, 256);
  gst_harness_push (sink, in);
  src = new_src ("");
  out = gst_harness_pull (src);
  fail_unless (gst_audio_buffer_map (&audio, &info, out, GST_MAP_READ));
  fail_unless_equals_int (audio.n_samples, 64);
  fail_unless_equals_int (((guint8 *) audio.planes[0])[255], 7);
  fail_unless_equals_int (((guint8 *) audio.planes[1])[0], 0);
  gst_audio_buffer_unmap (&audio);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A harness does not answer that it reads GstVideoMeta. */
GST_START_TEST (padded_pictures_fit_who_does_not_know_padding)
{
  GstHarness *sink = new_sink (""), *src;
  gsize offset[4] = { 32 };
  gint stride[4] = { 24 };
  GstBuffer *in = bytes_buffer (32 + 24 * 16, 0xee), *out;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  gst_buffer_add_video_meta_full (in, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 16, 16, 1, offset, stride);
  for (guint y = 0; y < 16; y++)
    gst_buffer_memset (in, 32 + y * 24, 5, 16);
  gst_harness_push (sink, in);
  src = new_src ("");
  out = gst_harness_pull (src);
  check_bytes (out, 256, 5);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* ---- events ---- */

static const gchar *
next_event (GstHarness *h, GstEvent **event)
{
  gst_clear_event (event);
  *event = gst_harness_pull_event (h);
  fail_unless (*event != NULL);
  return GST_EVENT_TYPE_NAME (*event);
}

static void
push_custom (GstHarness *h, const gchar *name)
{
  fail_unless (gst_harness_push_event (h,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new_empty (name))));
}

GST_START_TEST (events_come_in_order_with_buffers)
{
  GstHarness *sink = new_sink (""), *src;
  GstEvent *event = NULL;
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, "t", NULL);
  GstClockTime timestamp, duration;
  gst_harness_set_src_caps_str (sink, "application/x-test");
  fail_unless (gst_harness_push_event (sink, gst_event_new_tag (tags)));
  push_custom (sink, "before");
  push (sink, 10, 1);
  push_custom (sink, "between");
  fail_unless (gst_harness_push_event (sink, gst_event_new_gap (50, 60)));
  push (sink, 10, 2);
  src = new_src ("start-at=oldest timestamps=passthrough");
  gst_buffer_unref (gst_harness_pull (src));
  gst_buffer_unref (gst_harness_pull (src));
  /* the base class's own, then the producer's */
  fail_unless_equals_string (next_event (src, &event), "stream-start");
  fail_unless_equals_string (next_event (src, &event), "stream-start");
  fail_unless_equals_string (next_event (src, &event), "caps");
  fail_unless_equals_string (next_event (src, &event), "segment");
  fail_unless_equals_string (next_event (src, &event), "tag");
  fail_unless_equals_string (next_event (src, &event), "custom-downstream");
  fail_unless (gst_event_has_name (event, "before"));
  fail_unless_equals_string (next_event (src, &event), "custom-downstream");
  fail_unless (gst_event_has_name (event, "between"));
  fail_unless_equals_string (next_event (src, &event), "gap");
  gst_event_parse_gap (event, &timestamp, &duration);
  fail_unless (timestamp == 50 && duration == 60);
  fail_unless (gst_harness_try_pull_event (src) == NULL);
  gst_clear_event (&event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_late_joiner_is_told_what_is_in_force)
{
  GstHarness *sink = new_sink ("slots=8"), *src;
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, "t", NULL);
  GstEvent *event = NULL;
  GstBuffer *out;
  const GstSegment *in;
  GstSegment segment;
  gst_harness_set_src_caps_str (sink, "application/x-test, n=1");
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 3;
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  gst_harness_push_event (sink, gst_event_new_tag (tags));
  for (guint i = 0; i < 500; i++)
    push (sink, 10, (guint8) i);
  src = new_src ("timestamps=passthrough");
  out = gst_harness_pull (src);
  check_bytes (out, 10, (guint8) 499);
  fail_unless (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (out);
  next_event (src, &event);
  fail_unless_equals_string (next_event (src, &event), "stream-start");
  fail_unless_equals_string (next_event (src, &event), "caps");
  fail_unless_equals_string (next_event (src, &event), "segment");
  gst_event_parse_segment (event, &in);
  fail_unless_equals_uint64 (in->start, 3);
  fail_unless_equals_string (next_event (src, &event), "tag");
  fail_unless (gst_harness_try_pull_event (src) == NULL);
  gst_clear_event (&event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
pull_until_eos (GstHarness *src)
{
  GstEvent *event = NULL;
  while (strcmp (next_event (src, &event), "eos") != 0)
    ;
  gst_clear_event (&event);
}

GST_START_TEST (eos_reaches_those_who_come_late)
{
  GstHarness *sink = new_sink (""), *early, *late;
  gst_harness_set_src_caps_str (sink, "application/x-test");
  early = new_src ("");
  push (sink, 10, 1);
  gst_buffer_unref (gst_harness_pull (early));
  fail_unless (gst_harness_push_event (sink, gst_event_new_eos ()));
  pull_until_eos (early);
  late = new_src ("on-disconnect=error");
  gst_buffer_unref (gst_harness_pull (late));
  pull_until_eos (late);
  gst_harness_teardown (late);
  gst_harness_teardown (early);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_stream_of_nothing_ends_too)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  fail_unless (gst_harness_push_event (sink, gst_event_new_eos ()));
  src = new_src ("");
  pull_until_eos (src);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (events_that_are_not_wanted_do_not_cross)
{
  GstHarness *sink = new_sink ("event-types=gap"), *src;
  GstEvent *event = NULL;
  gst_harness_set_src_caps_str (sink, "application/x-test");
  push_custom (sink, "before");
  gst_harness_push_event (sink,
      gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "t", NULL)));
  push (sink, 10, 1);
  gst_harness_push_event (sink, gst_event_new_eos ());
  src = new_src ("start-at=oldest timestamps=passthrough");
  next_event (src, &event);
  fail_unless_equals_string (next_event (src, &event), "stream-start");
  fail_unless_equals_string (next_event (src, &event), "caps");
  fail_unless_equals_string (next_event (src, &event), "segment");
  fail_unless_equals_string (next_event (src, &event), "eos");
  gst_clear_event (&event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_flush_is_a_discont_with_a_new_segment)
{
  GstHarness *sink = new_sink (""), *src;
  GstEvent *event = NULL;
  GstSegment segment;
  GstBuffer *out;
  gst_harness_set_src_caps_str (sink, "application/x-test");
  push (sink, 10, 1);
  src = new_src ("timestamps=passthrough");
  gst_buffer_unref (gst_harness_pull (src));
  while (strcmp (next_event (src, &event), "segment") != 0)
    ;
  gst_harness_push_event (sink, gst_event_new_flush_start ());
  gst_harness_push_event (sink, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 9;
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  push (sink, 10, 2);
  out = gst_harness_pull (src);
  check_bytes (out, 10, 2);
  fail_unless (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (out);
  fail_unless_equals_string (next_event (src, &event), "segment");
  gst_clear_event (&event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_wish_for_a_keyframe_goes_up_to_the_producer)
{
  GstHarness *sink = new_sink (""), *src;
  GstEvent *event;
  gst_harness_set_src_caps_str (sink, "application/x-test");
  push (sink, 10, 1);
  src = new_src ("");
  gst_buffer_unref (gst_harness_pull (src));
  fail_unless (gst_harness_push_upstream_event (src,
      gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, TRUE,
          1)));
  do
    event = gst_harness_pull_upstream_event (sink);
  while (event && !gst_video_event_is_force_key_unit (event)
      && (gst_event_unref (event), TRUE));
  fail_unless (event != NULL);
  gst_event_unref (event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static Suite *
datahub_elements_suite (void)
{
  Suite *suite = suite_create ("elements");
  TCase *tc = tcase_create ("elements");
  suite_add_tcase (suite, tc);
  tcase_add_checked_fixture (tc, place_setup, place_teardown);
  tcase_add_test (tc, defaults_are_as_documented);
  tcase_add_test (tc, the_environment_names_the_broker);
  tcase_add_test (tc, a_uri_names_the_block_and_sets_properties);
  tcase_add_test (tc, a_wrong_uri_is_refused);
  tcase_add_test (tc, nothing_is_copied_from_the_pool_to_the_consumer);
  tcase_add_test (tc, foreign_memory_is_copied_once);
  tcase_add_test (tc, alignment_and_padding_are_honoured);
  tcase_add_test (tc, too_large_an_alignment_is_left_to_upstream);
  tcase_add_test (tc, without_caps_the_allocator_alone_is_offered);
  tcase_add_test (tc, what_was_committed_cannot_be_written_any_more);
  tcase_add_test (tc, a_buffer_pushed_twice_is_two_records_of_one_slot);
  tcase_add_test (tc, the_pool_gives_a_fresh_slot_each_time);
  tcase_add_test (tc, upstream_may_hold_more_than_all_slots);
  tcase_add_test (tc, a_consumer_that_writes_gets_a_copy);
  tcase_add_test (tc, buffers_outlive_both_pipelines);
  tcase_add_test (tc, loans_outlive_the_sink);
  tcase_add_test (tc, a_hoarding_consumer_gets_copies);
  tcase_add_test (tc, many_memories_and_none_cross);
  tcase_add_test (tc, two_slots_in_one_buffer_cross_without_a_copy);
  tcase_add_test (tc, a_long_buffer_list_crosses_whole);
  tcase_add_test (tc, flags_offsets_and_times_cross);
  tcase_add_test (tc, planar_audio_is_readable_at_the_other_end);
  tcase_add_test (tc, padded_pictures_fit_who_does_not_know_padding);
  tcase_add_test (tc, events_come_in_order_with_buffers);
  tcase_add_test (tc, a_late_joiner_is_told_what_is_in_force);
  tcase_add_test (tc, eos_reaches_those_who_come_late);
  tcase_add_test (tc, a_stream_of_nothing_ends_too);
  tcase_add_test (tc, events_that_are_not_wanted_do_not_cross);
  tcase_add_test (tc, a_flush_is_a_discont_with_a_new_segment);
  tcase_add_test (tc, a_wish_for_a_keyframe_goes_up_to_the_producer);
  return suite;
}

GST_CHECK_MAIN (datahub_elements)
