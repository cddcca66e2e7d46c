/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What upstream allocates for a stream of which no caps give the size: memory of the
 * sink's allocator, which it asks for before there is a block. */
#include "bytes.h"
#include "sandbox.h"
#include "until.h"

#include <string.h>

#define TENSOR (1u << 20)

/* Those of the link, for example. */
static void
forget_events (GstHarness *sink)
{
  GstEvent *event;
  while ((event = gst_harness_try_pull_upstream_event (sink)))
    gst_event_unref (event);
}

/* What @sink answers to upstream's query: no pool, and this allocator. */
static GstAllocator *
ask (GstHarness *sink, const gchar *caps_text)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (caps_text);
  g_autoptr (GstQuery) query = gst_query_new_allocation (caps, TRUE);
  GstAllocator *allocator = NULL;
  fail_unless (gst_pad_peer_query (sink->srcpad, query));
  fail_unless_equals_int (gst_query_get_n_allocation_pools (query), 0);
  fail_unless_equals_int (gst_query_get_n_allocation_params (query), 1);
  gst_query_parse_nth_allocation_param (query, 0, &allocator, NULL);
  fail_unless (allocator != NULL);
  forget_events (sink);
  return allocator;
}

static gboolean
is_on_a_slot (GstBuffer *buffer)
{
  return g_str_equal (gst_buffer_peek_memory (buffer, 0)->allocator->mem_type,
      "DatahubSlot");
}

static GstBuffer *
allocate (GstAllocator *allocator, gsize size, guint8 value)
{
  GstBuffer *buffer = gst_buffer_new_allocate (allocator, size, NULL);
  fail_unless_equals_int (gst_buffer_get_size (buffer), size);
  fail_unless_equals_int (gst_buffer_memset (buffer, 0, value, size), size);
  return buffer;
}

static void
push (GstHarness *sink, GstAllocator *allocator, gsize size, guint8 value)
{
  fail_unless_equals_int (gst_harness_push (sink,
                              allocate (allocator, size, value)),
      GST_FLOW_OK);
}

/* check_bytes() notes each byte, which are too many here. */
static void
take (GstHarness *src, gsize size, guint8 value)
{
  g_autoptr (GstBuffer) buffer = gst_harness_pull (src);
  GstMapInfo map;
  fail_unless (buffer && gst_buffer_map (buffer, &map, GST_MAP_READ));
  fail_unless_equals_int (map.size, size);
  fail_unless (map.data[0] == value
      && memcmp (map.data, map.data + 1, size - 1) == 0);
  gst_buffer_unmap (buffer, &map);
}

static void
check_copies (GstHarness *sink, guint64 copied, guint64 zero_copy)
{
  fail_unless_equals_uint64 (element_stat (sink->element, "copied"), copied);
  fail_unless_equals_uint64 (element_stat (sink->element, "zero-copy"),
      zero_copy);
}

/* No event is sent upstream for it: upstream keeps its allocator. */
static void
check_not_disturbed (GstHarness *sink)
{
  GstEvent *event;
  while ((event = gst_harness_try_pull_upstream_event (sink))) {
    fail_if (GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE);
    gst_event_unref (event);
  }
}

GST_START_TEST (only_the_first_tensor_is_copied)
{
  GstHarness *sink = harness_sink (""), *src;
  GstAllocator *allocator;
  gst_harness_set_src_caps_str (sink, "other/tensors");
  allocator = ask (sink, "other/tensors");
  push (sink, allocator, TENSOR, 0);
  src = harness_src ("delivery=reliable start-at=oldest");
  take (src, TENSOR, 0);
  for (guint8 i = 1; i < 40; i++) {
    push (sink, allocator, TENSOR, i);
    take (src, TENSOR, i);
  }
  check_copies (sink, 1, 39);
  fail_unless_equals_uint64 (element_stat (src->element, "copied"), 0);
  check_not_disturbed (sink);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Encoded pictures: each buffer is as big as its data. The block may still grow in the
 * first round. */
GST_START_TEST (sizes_may_vary)
{
  static const gsize sizes[] = { 40000, 300, 1, 90000, 65536, 1500, 200000 };
  const guint8 first_round = G_N_ELEMENTS (sizes);
  GstHarness *sink = harness_sink (""), *src;
  GstAllocator *allocator;
  guint64 copied = 0;
  gst_harness_set_src_caps_str (sink, "video/x-h264");
  allocator = ask (sink, "video/x-h264");
  push (sink, allocator, sizes[0], 0);
  src = harness_src ("delivery=reliable start-at=oldest");
  take (src, sizes[0], 0);
  for (guint8 i = 1; i < 70; i++) {
    gsize size = sizes[i % G_N_ELEMENTS (sizes)];
    push (sink, allocator, size, i);
    take (src, size, i);
    if (i == first_round)
      copied = element_stat (sink->element, "copied");
  }
  check_copies (sink, copied, 70 - copied);
  fail_unless (copied <= 3);
  check_not_disturbed (sink);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The block grows when upstream allocates, or when the sink copies, if that takes
 * longer than upstream waits. */
GST_START_TEST (a_size_may_jump)
{
  GstHarness *sink = harness_sink (""), *src;
  GstAllocator *allocator;
  guint64 copied;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  push (sink, allocator, 10, 0);
  src = harness_src ("delivery=reliable start-at=oldest");
  take (src, 10, 0);
  push (sink, allocator, TENSOR, 1);
  take (src, TENSOR, 1);
  copied = element_stat (sink->element, "copied");
  for (guint8 i = 2; i < 20; i++) {
    gsize size = i % 4 == 0 ? TENSOR : 10;
    push (sink, allocator, size, i);
    take (src, size, i);
  }
  check_copies (sink, copied, 20 - copied);
  fail_unless (element_stat (sink->element, "growths") >= 1);
  check_not_disturbed (sink);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (other_caps_and_flushes_change_nothing)
{
  GstHarness *sink = harness_sink (""), *src;
  GstAllocator *allocator, *other;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  push (sink, allocator, 5000, 0);
  gst_harness_set_src_caps_str (sink, "application/x-other");
  other = ask (sink, "application/x-other");
  fail_unless (other == allocator);
  push (sink, allocator, 5000, 1);
  fail_unless (gst_harness_push_event (sink, gst_event_new_flush_start ()));
  fail_unless (gst_harness_push_event (sink, gst_event_new_flush_stop (TRUE)));
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  src = harness_src ("delivery=reliable");
  for (guint8 i = 2; i < 10; i++)
    push (sink, allocator, 5000, i);
  check_copies (sink, 1, 9);
  check_not_disturbed (sink);
  gst_object_unref (other);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The sink stops and starts, and upstream does not: it has the same allocator. */
GST_START_TEST (the_allocator_is_of_every_block_of_the_sink)
{
  GstHarness *sink = harness_sink ("");
  GstBuffer *loan, *orphan;
  GstAllocator *allocator;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  push (sink, allocator, 5000, 0);
  loan = allocate (allocator, 5000, 1);
  fail_unless (is_on_a_slot (loan));
  gst_element_set_state (sink->element, GST_STATE_NULL);
  orphan = allocate (allocator, 5000, 2);
  fail_if (is_on_a_slot (orphan));
  gst_element_set_state (sink->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  /* a slot of the former block is foreign memory in the new one */
  fail_unless_equals_int (gst_harness_push (sink, loan), GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_push (sink, orphan), GST_FLOW_OK);
  check_copies (sink, 2, 0);
  push (sink, allocator, 5000, 3);
  check_copies (sink, 2, 1);
  gst_harness_teardown (sink);
  loan = allocate (allocator, 5000, 4);
  fail_if (is_on_a_slot (loan));
  gst_buffer_unref (loan);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* It lost its names, and the sink goes on in another one. */
static void
renew (GstHarness *sink, GstAllocator *allocator)
{
  sandbox_remove_files (NULL);
  UNTIL ((push (sink, allocator, 5000, 1),
      element_stat (sink->element, "renewals") > 0));
}

GST_START_TEST (the_allocator_follows_a_new_block)
{
  GstHarness *sink = harness_sink ("");
  GstAllocator *allocator;
  guint64 zero_copy;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  push (sink, allocator, 5000, 0);
  renew (sink, allocator);
  zero_copy = element_stat (sink->element, "zero-copy");
  push (sink, allocator, 5000, 2);
  fail_unless_equals_uint64 (element_stat (sink->element, "zero-copy"),
      zero_copy + 1);
  gst_object_unref (allocator);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (upstream_that_allocates_elsewhere_is_copied_and_not_disturbed)
{
  GstHarness *sink = harness_sink (""), *src;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  gst_object_unref (ask (sink, TEST_CAPS));
  push_bytes (sink, 5000, 0);
  src = harness_src ("delivery=reliable start-at=oldest");
  take (src, 5000, 0);
  for (guint8 i = 1; i < 40; i++) {
    push_bytes (sink, 5000, i);
    take (src, 5000, i);
  }
  check_copies (sink, 40, 0);
  check_not_disturbed (sink);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The size that the user sets is no size of buffers: elements would keep it. */
GST_START_TEST (slot_size_makes_no_pool)
{
  GstHarness *sink = harness_sink ("slot-size=65536"), *src;
  GstAllocator *allocator;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  src = harness_src ("delivery=reliable");
  push (sink, allocator, 100, 1);
  take (src, 100, 1);
  check_copies (sink, 0, 1);
  push (sink, allocator, 200000, 2);
  take (src, 200000, 2);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static GstBufferPool *
pool_of_upstream (GstAllocator *allocator, guint size)
{
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, NULL, size, 2, 0);
  if (allocator)
    gst_buffer_pool_config_set_allocator (config, allocator, NULL);
  fail_unless (gst_buffer_pool_set_config (pool, config));
  fail_unless (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

static GstBuffer *
acquire (GstBufferPool *pool, guint8 value)
{
  GstBuffer *buffer = NULL;
  fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL),
      GST_FLOW_OK);
  gst_buffer_memset (buffer, 0, value, 5000);
  return buffer;
}

static void
push_of_pool (GstHarness *sink, GstBufferPool *pool, GstHarness *src)
{
  for (guint8 i = 0; i < 40; i++) {
    fail_unless_equals_int (gst_harness_push (sink, acquire (pool, i)),
        GST_FLOW_OK);
    if (src)
      take (src, 5000, i);
  }
}

static void
end_pool (GstBufferPool *pool)
{
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
}

/* It does not use again what it allocated before there was a block, nor slots. */
GST_START_TEST (a_pool_of_upstream_allocates_slots)
{
  GstHarness *sink = harness_sink (""), *src;
  GstAllocator *allocator;
  GstBufferPool *pool;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  pool = pool_of_upstream (allocator, 5000);
  gst_harness_push (sink, acquire (pool, 0));
  src = harness_src ("delivery=reliable");
  take (src, 5000, 0);
  push_of_pool (sink, pool, src);
  check_copies (sink, 2, 39);
  end_pool (pool);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Its buffers with slots of the former block are copied once, and not used again. */
GST_START_TEST (a_pool_of_upstream_follows_a_new_block)
{
  GstHarness *sink = harness_sink ("");
  GstAllocator *allocator;
  GstBufferPool *pool;
  guint64 copied;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  push (sink, allocator, 5000, 0);
  pool = pool_of_upstream (allocator, 5000);
  renew (sink, allocator);
  copied = element_stat (sink->element, "copied");
  push_of_pool (sink, pool, NULL);
  fail_unless_equals_uint64 (element_stat (sink->element, "copied"),
      copied + 2);
  end_pool (pool);
  gst_object_unref (allocator);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_pool_of_other_memory_uses_it_again)
{
  GstHarness *sink = harness_sink ("");
  GstBufferPool *pool = pool_of_upstream (NULL, 5000);
  GstBuffer *first = acquire (pool, 0), *again;
  gpointer address = first;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  gst_harness_push (sink, first);
  gst_buffer_unref (acquire (pool, 1)); /* the second one of the pool */
  again = acquire (pool, 2);
  fail_unless (again == address);
  gst_buffer_unref (again);
  end_pool (pool);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* An element that allocates for the worst case and shrinks the buffer. */
GST_START_TEST (a_little_data_does_not_keep_a_big_slot)
{
  const gsize big = 17u << 20;
  GstHarness *sink = harness_sink ("max-bytes=60000000"), *src;
  GstAllocator *allocator;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  push (sink, allocator, 5000, 0);
  src = harness_src ("delivery=reliable start-at=oldest");
  take (src, 5000, 0);
  for (guint8 i = 1; i < 12; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (allocator, big, NULL);
    gst_buffer_memset (buffer, 0, i, 5000);
    gst_buffer_set_size (buffer, 5000);
    fail_unless_equals_int (gst_harness_push (sink, buffer), GST_FLOW_OK);
  }
  for (guint8 i = 1; i < 12; i++)
    take (src, 5000, i);
  check_copies (sink, 12, 0);
  fail_unless_equals_uint64 (element_stat (sink->element, "no-room"), 0);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gpointer
allocate_until_on_a_slot (gpointer allocator)
{
  GstBuffer *buffer = NULL;
  do {
    gst_clear_buffer (&buffer);
    buffer = allocate (allocator, 5000, 9);
  } while (!is_on_a_slot (buffer));
  return buffer;
}

#define FEW_SLOTS "slots=4 max-bytes=32768 slot-size=8192"

/* The producer waits for loans too while a reliable consumer is attached. */
GST_START_TEST (upstream_waits_for_a_slot)
{
  GstHarness *sink = harness_sink (FEW_SLOTS), *src;
  GstAllocator *allocator;
  GstBuffer *loan, *other = NULL;
  GThread *thread;
  GList *loans = NULL;
  guint64 waits;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  src = harness_src ("delivery=reliable start-at=oldest");
  push (sink, allocator, 5000, 1);
  take (src, 5000, 1);
  while (is_on_a_slot (loan = allocate (allocator, 5000, 2)))
    loans = g_list_prepend (loans, loan);
  gst_buffer_unref (loan);
  waits = element_stat (sink->element, "waits");
  thread = g_thread_new ("allocates", allocate_until_on_a_slot, allocator);
  UNTIL (element_stat (sink->element, "waits") > waits);
  g_list_free_full (loans, (GDestroyNotify) gst_buffer_unref);
  other = g_thread_join (thread);
  gst_buffer_unref (other);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* As a pool does when it starts. Each sleep is of 5 ms, or more. */
GST_START_TEST (upstream_that_takes_every_slot_waits_once)
{
  GstHarness *sink = harness_sink (FEW_SLOTS), *src;
  GstAllocator *allocator;
  GstBuffer *held[40];
  guint64 waits;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  allocator = ask (sink, TEST_CAPS);
  src = harness_src ("delivery=reliable start-at=oldest");
  push (sink, allocator, 5000, 1);
  take (src, 5000, 1);
  waits = element_stat (sink->element, "waits");
  for (guint i = 0; i < G_N_ELEMENTS (held); i++)
    held[i] = allocate (allocator, 5000, 2);
  fail_if (is_on_a_slot (held[G_N_ELEMENTS (held) - 1]));
  fail_unless (element_stat (sink->element, "waits") > waits);
  fail_unless (element_stat (sink->element, "waits") < waits + 200);
  for (guint i = 0; i < G_N_ELEMENTS (held); i++)
    gst_buffer_unref (held[i]);
  gst_object_unref (allocator);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, only_the_first_tensor_is_copied);
  tcase_add_test (tc, sizes_may_vary);
  tcase_add_test (tc, a_size_may_jump);
  tcase_add_test (tc, other_caps_and_flushes_change_nothing);
  tcase_add_test (tc, the_allocator_is_of_every_block_of_the_sink);
  tcase_add_test (tc, the_allocator_follows_a_new_block);
  tcase_add_test (tc,
      upstream_that_allocates_elsewhere_is_copied_and_not_disturbed);
  tcase_add_test (tc, slot_size_makes_no_pool);
  tcase_add_test (tc, a_pool_of_upstream_allocates_slots);
  tcase_add_test (tc, a_pool_of_upstream_follows_a_new_block);
  tcase_add_test (tc, a_pool_of_other_memory_uses_it_again);
  tcase_add_test (tc, a_little_data_does_not_keep_a_big_slot);
  tcase_add_test (tc, upstream_waits_for_a_slot);
  tcase_add_test (tc, upstream_that_takes_every_slot_waits_once);
}

SANDBOX_MAIN (allocation)
