/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory on its way from the pool to the consumer: what is copied and what is not,
 * what is offered to upstream, what may be written, and what outlives what. */
#include "bytes.h"
#include "messages.h"
#include "sandbox.h"

#include <datahub/block.h>
#include <gst/video/video.h>
#include <string.h>

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
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *in, *out;
  gsize size;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (64, 64));
  in = gst_harness_create_buffer (sink, 64 * 64);
  fail_unless (sandbox_is_shared (address_of (in, &size), 64 * 64));
  fail_unless_equals_string (
      gst_buffer_peek_memory (in, 0)->allocator->mem_type, "DatahubSlot");
  gst_buffer_memset (in, 0, 0x5a, 64 * 64);
  fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
  src = harness_src ("");
  out = gst_harness_pull (src);
  fail_unless (sandbox_is_shared (address_of (out, &size), 64 * 64));
  fail_unless_equals_string (
      gst_buffer_peek_memory (out, 0)->allocator->mem_type, "DatahubLease");
  check_bytes (out, 64 * 64, 0x5a);
  fail_unless_equals_uint64 (element_stat (sink->element, "zero-copy"), 1);
  fail_unless_equals_uint64 (element_stat (sink->element, "copied"), 0);
  fail_unless_equals_uint64 (element_stat (src->element, "copied"), 0);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (foreign_memory_is_copied_once)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *out;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (64, 64));
  push_bytes (sink, 64 * 64, 7);
  src = harness_src ("");
  out = gst_harness_pull (src);
  check_bytes (out, 64 * 64, 7);
  fail_unless_equals_uint64 (element_stat (sink->element, "copied"), 1);
  fail_unless_equals_uint64 (element_stat (sink->element, "copied-bytes"),
      64 * 64);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The pool that @sink offers for pictures of 50 by 20. */
static GstBufferPool *
offered_pool (GstHarness *sink)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (VIDEO_CAPS (50, 20));
  g_autoptr (GstQuery) query = gst_query_new_allocation (caps, TRUE);
  GstBufferPool *pool = NULL;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (50, 20));
  fail_unless (gst_pad_peer_query (sink->srcpad, query));
  gst_query_parse_nth_allocation_pool (query, 0, &pool, NULL, NULL, NULL);
  fail_unless (pool != NULL);
  return pool;
}

static gboolean
configure (GstBufferPool *pool, const GstVideoAlignment *align)
{
  GstStructure *config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  if (align) {
    gst_buffer_pool_config_add_option (config,
        GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
    gst_buffer_pool_config_set_video_alignment (config, align);
  }
  return gst_buffer_pool_set_config (pool, config);
}

static GstBuffer *
acquire (GstBufferPool *pool)
{
  GstBuffer *buffer = NULL;
  fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL),
      GST_FLOW_OK);
  return buffer;
}

/* As a decoder does, and worse. */
static void
leave_traces (GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  meta->width = 64;
  meta->offset[0] = 4;
  meta->stride[0] = 128;
  meta->flags = GST_VIDEO_FRAME_FLAG_INTERLACED;
  gst_buffer_add_video_crop_meta (buffer)->width = 8;
  GST_META_FLAG_SET (gst_buffer_add_video_region_of_interest_meta (buffer,
                         "face", 1, 2, 3, 4),
      GST_META_FLAG_POOLED);
  gst_mini_object_set_qdata (GST_MINI_OBJECT_CAST (buffer),
      g_quark_from_static_string ("test-trace"), buffer, NULL);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_CORRUPTED);
  GST_BUFFER_PTS (buffer) = 7;
}

static void
check_is_as_configured (GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  gpointer state = NULL;
  fail_unless (gst_buffer_iterate_meta (buffer, &state) == &meta->meta);
  fail_unless (gst_buffer_iterate_meta (buffer, &state) == NULL);
  fail_unless_equals_int (meta->width, 50);
  fail_unless_equals_int (meta->height, 20);
  fail_unless_equals_int (meta->offset[0], 0);
  fail_unless_equals_int (meta->stride[0], 52);
  fail_unless_equals_int (meta->flags, GST_VIDEO_FRAME_FLAG_NONE);
  fail_if (gst_mini_object_get_qdata (GST_MINI_OBJECT_CAST (buffer),
      g_quark_from_static_string ("test-trace")));
  fail_unless_equals_int (GST_BUFFER_FLAGS (buffer), 0);
  fail_if (GST_BUFFER_PTS_IS_VALID (buffer));
  fail_unless_equals_int (gst_buffer_get_size (buffer), 52 * 20);
}

GST_START_TEST (alignment_and_padding_are_honoured)
{
  GstHarness *sink = harness_sink ("");
  g_autoptr (GstBufferPool) pool = offered_pool (sink);
  GstVideoAlignment align;
  GstBuffer *buffer;
  GstVideoMeta *meta;
  gsize size;
  gst_video_alignment_reset (&align);
  align.padding_left = 16;
  align.padding_bottom = 12;
  align.stride_align[0] = 127;
  fail_unless (configure (pool, &align));
  gst_buffer_pool_set_active (pool, TRUE);
  buffer = acquire (pool);
  meta = gst_buffer_get_video_meta (buffer);
  fail_unless (meta && meta->stride[0] % 128 == 0 && meta->offset[0] >= 16);
  fail_unless ((guintptr) address_of (buffer, &size) % 128 == 0);
  fail_unless (size >= 32u * 128u);
  fail_unless (sandbox_is_shared (address_of (buffer, &size), size));
  gst_buffer_unref (buffer);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (each_buffer_of_the_pool_is_as_configured)
{
  GstHarness *sink = harness_sink ("");
  g_autoptr (GstBufferPool) pool = offered_pool (sink);
  fail_unless (configure (pool, NULL));
  gst_buffer_pool_set_active (pool, TRUE);
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = acquire (pool);
    check_is_as_configured (buffer);
    leave_traces (buffer);
    gst_buffer_unref (buffer);
  }
  gst_buffer_pool_set_active (pool, FALSE);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (too_large_an_alignment_is_left_to_upstream)
{
  GstHarness *sink = harness_sink ("");
  g_autoptr (GstBufferPool) pool = offered_pool (sink);
  GstAllocationParams params = { .align = 8191 };
  GstStructure *config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_allocator (config, NULL, &params);
  fail_if (gst_buffer_pool_set_config (pool, config));
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* libav asks for it, but has no use for such buffers. */
GST_START_TEST (padding_to_the_right_is_refused_and_changes_nothing)
{
  GstHarness *sink = harness_sink ("");
  g_autoptr (GstBufferPool) pool = offered_pool (sink);
  GstVideoAlignment align;
  GstBuffer *buffer;
  fail_unless (configure (pool, NULL));
  gst_video_alignment_reset (&align);
  align.padding_bottom = 12;
  align.padding_right = 14;
  align.stride_align[0] = 15;
  fail_if (configure (pool, &align));
  gst_buffer_pool_set_active (pool, TRUE);
  buffer = acquire (pool);
  check_is_as_configured (buffer);
  gst_buffer_unref (buffer);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* mpeg2dec asks for it, and writes there. */
GST_START_TEST (padding_alone_is_given)
{
  GstHarness *sink = harness_sink ("");
  g_autoptr (GstBufferPool) pool = offered_pool (sink);
  GstVideoAlignment align;
  GstBuffer *buffer;
  GstVideoMeta *meta;
  gst_video_alignment_reset (&align);
  align.padding_bottom = 12;
  align.padding_right = 14;
  fail_unless (configure (pool, &align));
  gst_buffer_pool_set_active (pool, TRUE);
  buffer = acquire (pool);
  meta = gst_buffer_get_video_meta (buffer);
  fail_unless_equals_int (meta->width, 50);
  fail_unless (meta->stride[0] >= 64, "%d", meta->stride[0]);
  fail_unless (gst_buffer_get_size (buffer) >= 64 * 32);
  gst_buffer_unref (buffer);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (without_caps_the_allocator_alone_is_offered)
{
  GstHarness *sink = harness_sink ("");
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
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *in;
  GstMapInfo map;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  in = gst_harness_create_buffer (sink, 256);
  gst_buffer_memset (in, 0, 1, 256);
  fail_unless_equals_int (gst_harness_push (sink, gst_buffer_ref (in)),
      GST_FLOW_OK);
  /* we are its only owner now, so GStreamer calls it writable */
  fail_unless (gst_buffer_is_writable (in));
  fail_unless (gst_buffer_map (in, &map, GST_MAP_READWRITE));
  fail_if (sandbox_is_shared (map.data, map.size), "it is still the slot");
  fail_unless_equals_int (map.data[0], 1);
  memset (map.data, 2, map.size);
  gst_buffer_unmap (in, &map);
  gst_buffer_unref (in);
  src = harness_src ("");
  take_bytes (src, 256, 1);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_buffer_pushed_twice_is_two_records_of_one_slot)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *in, *one, *two;
  gsize size;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  in = gst_harness_create_buffer (sink, 256);
  gst_buffer_memset (in, 0, 9, 256);
  gst_harness_push (sink, gst_buffer_ref (in));
  gst_harness_push (sink, in);
  src = harness_src ("start-at=oldest");
  one = gst_harness_pull (src);
  two = gst_harness_pull (src);
  fail_unless (address_of (one, &size) == address_of (two, &size));
  check_bytes (two, 256, 9);
  fail_unless_equals_uint64 (element_stat (sink->element, "zero-copy"), 2);
  gst_buffer_unref (one);
  gst_buffer_unref (two);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (the_pool_gives_a_fresh_slot_each_time)
{
  GstHarness *sink = harness_sink (""), *src;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  src = harness_src ("delivery=reliable start-at=oldest max-pinned=3");
  for (guint i = 0; i < 300; i++) {
    GstBuffer *in = gst_harness_create_buffer (sink, 256), *out;
    gst_buffer_memset (in, 0, (guint8) i, 256);
    fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
    out = gst_harness_pull (src);
    check_bytes (out, 256, (guint8) i);
    gst_buffer_unref (out);
  }
  fail_unless_equals_uint64 (element_stat (sink->element, "copied"), 0);
  fail_unless_equals_uint64 (element_stat (sink->element, "growths"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A decoder keeps its reference frames. */
GST_START_TEST (upstream_may_hold_more_than_all_slots)
{
  GstHarness *sink = harness_sink ("slots=4 max-bytes=200000");
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

static guint64
dropped_by_inspection (void)
{
  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);
  fail_unless_equals_int (datahub_block_inspect ("test", info, NULL),
      DATAHUB_OK);
  return info->dropped;
}

static gboolean
pull_discont (GstHarness *src)
{
  g_autoptr (GstBuffer) buffer = gst_harness_pull (src);
  fail_unless (buffer != NULL);
  return GST_BUFFER_IS_DISCONT (buffer);
}

GST_START_TEST (a_buffer_without_room_is_counted_where_tools_look)
{
  GstHarness *sink = harness_sink ("slots=4 max-bytes=200000"), *src;
  GList *loans = NULL;
  GstBuffer *loan;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (64, 64));
  push_bytes (sink, 4096, 0);
  src = harness_src ("");
  fail_unless (pull_discont (src));
  do {
    loan = gst_harness_create_buffer (sink, 4096);
    loans = g_list_prepend (loans, loan);
  } while (g_str_equal (gst_buffer_peek_memory (loan, 0)->allocator->mem_type,
      "DatahubSlot"));
  /* the pool found no slot, but no buffer was dropped for it */
  fail_unless_equals_uint64 (dropped_by_inspection (), 0);
  push_bytes (sink, 4096, 1);
  push_bytes (sink, 4096, 2);
  fail_unless_equals_uint64 (dropped_by_inspection (), 2);
  fail_unless_equals_uint64 (element_stat (sink->element, "no-room"), 2);
  g_list_free_full (loans, (GDestroyNotify) gst_buffer_unref);
  push_bytes (sink, 4096, 3);
  fail_unless_equals_uint64 (dropped_by_inspection (), 2);
  /* consumers see that something is missing there */
  fail_unless (pull_discont (src));
  push_bytes (sink, 4096, 4);
  fail_if (pull_discont (src));
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_consumer_that_writes_gets_a_copy)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *out;
  GstMapInfo map;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  push_bytes (sink, 256, 3);
  src = harness_src ("");
  out = gst_buffer_make_writable (gst_harness_pull (src));
  fail_unless (gst_buffer_map (out, &map, GST_MAP_READWRITE));
  fail_if (sandbox_is_shared (map.data, map.size));
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
  GstHarness *sink = harness_sink (""), *src;
  GList *held = NULL;
  guint fds;
  /* the process keeps the descriptors of its first watch */
  datahub_watch_free (datahub_watch_new ("test"));
  fds = sandbox_count_fds ();
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  src = harness_src ("start-at=oldest delivery=reliable");
  for (guint i = 0; i < 6; i++) {
    push_bytes (sink, 256, (guint8) i);
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
  fail_unless (sandbox_count_fds () <= fds, "%u fds before, %u after", fds,
      sandbox_count_fds ());
  fail_unless_equals_int (sandbox_count_files (), 0);
}
GST_END_TEST;

GST_START_TEST (loans_outlive_the_sink)
{
  GstHarness *sink = harness_sink ("");
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
  GstHarness *sink = harness_sink (""), *src;
  GList *held = NULL;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  src = harness_src ("delivery=reliable start-at=oldest max-pinned=2");
  for (guint i = 0; i < 20; i++) {
    push_bytes (sink, 256, (guint8) i);
    held = g_list_append (held, gst_harness_pull (src));
  }
  for (guint i = 0; i < 20; i++)
    check_bytes (g_list_nth_data (held, i), 256, (guint8) i);
  fail_unless_equals_uint64 (element_stat (src->element, "zero-copy"), 2);
  fail_unless_equals_uint64 (element_stat (src->element, "copied"), 18);
  g_list_free_full (held, (GDestroyNotify) gst_buffer_unref);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
expect_no_warning (GstElement *element)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (element);
  fail_if (gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING));
}

/* Of a block that may not grow. */
GST_START_TEST (a_viewer_without_a_share_warns_once)
{
  GstHarness *sink = harness_sink ("slots=16 slot-size=4096 max-bytes=65536");
  GstHarness *src, *modest;
  GList *held = NULL;
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) warning = NULL;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  src = harness_src_heard ("start-at=oldest max-pinned=0");
  modest = harness_src_heard ("start-at=oldest max-pinned=1");
  for (guint i = 0; i < 40; i++) {
    push_bytes (sink, 4096, (guint8) i);
    held = g_list_prepend (held, gst_harness_pull (src));
    held = g_list_prepend (held, gst_harness_pull (modest));
  }
  fail_unless (element_stat (src->element, "copied") > 20);
  message = wait_message (src->element, GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &warning, NULL);
  fail_unless (g_error_matches (warning, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NO_SPACE_LEFT));
  fail_unless (strstr (warning->message, "max-bytes") != NULL);
  expect_no_warning (src->element);
  expect_no_warning (modest->element);
  g_list_free_full (held, (GDestroyNotify) gst_buffer_unref);
  gst_harness_teardown (src);
  gst_harness_teardown (modest);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* check_bytes() notes each byte, of a picture too many. */
static void
check_ends (GstBuffer *buffer, gsize size, guint8 value)
{
  fail_unless_equals_int (gst_buffer_get_size (buffer), size);
  fail_unless (gst_buffer_memcmp (buffer, 0, &value, 1) == 0);
  fail_unless (gst_buffer_memcmp (buffer, size - 1, &value, 1) == 0);
}

/* Of pictures of which the first slots are few. Each viewer holds what a decoder or a
 * queue would. */
GST_START_TEST (six_viewers_get_no_copy)
{
  enum
  {
    VIEWERS = 6,
    HELD = 5
  };
  const gsize size = 1280 * 720;
  GstHarness *sink = harness_sink (""), *viewers[VIEWERS];
  GstBuffer *held[VIEWERS][HELD];
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (1280, 720));
  push_bytes (sink, size, 0);
  for (guint i = 0; i < VIEWERS; i++) {
    viewers[i] = harness_src ("start-at=latest");
    gst_buffer_unref (gst_harness_pull (viewers[i]));
  }
  for (guint k = 0; k < HELD; k++) {
    push_bytes (sink, size, (guint8) k);
    for (guint i = 0; i < VIEWERS; i++)
      held[i][k] = gst_harness_pull (viewers[i]);
  }
  for (guint i = 0; i < VIEWERS; i++) {
    GstElement *viewer = viewers[i]->element;
    fail_unless_equals_uint64 (element_stat (viewer, "copied"), 0);
    fail_unless_equals_uint64 (element_stat (viewer, "zero-copy"), HELD + 1);
    fail_unless_equals_uint64 (element_stat (viewer, "lost"), 0);
    for (guint k = 0; k < HELD; k++) {
      check_ends (held[i][k], size, (guint8) k);
      gst_buffer_unref (held[i][k]);
    }
    gst_harness_teardown (viewers[i]);
  }
  fail_unless_equals_uint64 (element_stat (sink->element, "no-room"), 0);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, nothing_is_copied_from_the_pool_to_the_consumer);
  tcase_add_test (tc, foreign_memory_is_copied_once);
  tcase_add_test (tc, alignment_and_padding_are_honoured);
  tcase_add_test (tc, each_buffer_of_the_pool_is_as_configured);
  tcase_add_test (tc, padding_to_the_right_is_refused_and_changes_nothing);
  tcase_add_test (tc, padding_alone_is_given);
  tcase_add_test (tc, too_large_an_alignment_is_left_to_upstream);
  tcase_add_test (tc, without_caps_the_allocator_alone_is_offered);
  tcase_add_test (tc, what_was_committed_cannot_be_written_any_more);
  tcase_add_test (tc, a_buffer_pushed_twice_is_two_records_of_one_slot);
  tcase_add_test (tc, the_pool_gives_a_fresh_slot_each_time);
  tcase_add_test (tc, upstream_may_hold_more_than_all_slots);
  tcase_add_test (tc, a_buffer_without_room_is_counted_where_tools_look);
  tcase_add_test (tc, a_consumer_that_writes_gets_a_copy);
  tcase_add_test (tc, buffers_outlive_both_pipelines);
  tcase_add_test (tc, loans_outlive_the_sink);
  tcase_add_test (tc, a_hoarding_consumer_gets_copies);
  tcase_add_test (tc, six_viewers_get_no_copy);
  tcase_add_test (tc, a_viewer_without_a_share_warns_once);
}

SANDBOX_MAIN (zero_copy)
