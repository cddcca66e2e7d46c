/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets which buffers: what a live consumer loses and is told of, what a
 * reliable one waits for, where a stream is joined, what goes first when there
 * is no room. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"
#include "until.h"

GST_START_TEST (live_is_told_exactly_what_it_lost)
{
  GstHarness *sink = number_sink ("slots=16"), *src = harness_src_heard ("");
  guint32 number, got = 0;
  gboolean discont = FALSE;
  GstMessage *message;
  guint64 processed, dropped;
  GstFormat format;
  push_number (sink, 0);
  fail_unless_equals_int (take_number (src, NULL), 0);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  for (guint32 i = 1; i <= 1000; i++)
    push_number (sink, i);
  gst_element_set_state (src->element, GST_STATE_PLAYING);
  for (number = 0; number != 1000; got++) {
    guint32 before = number;
    gboolean jumped;
    number = take_number (src, &jumped);
    fail_unless (jumped == (number != before + 1));
    discont |= jumped;
  }
  fail_unless (discont && got < 1000);
  fail_unless_equals_uint64 (element_stat (src->element, "lost"), 1000 - got);
  fail_unless_equals_uint64 (element_stat (src->element, "received"), 1 + got);
  do { /* one message for each gap, and the last one tells the sum */
    message = wait_message (src->element, GST_MESSAGE_QOS);
    gst_message_parse_qos_stats (message, &format, &processed, &dropped);
    fail_unless_equals_int (format, GST_FORMAT_BUFFERS);
    gst_message_unref (message);
  } while (dropped != 1000 - got);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gpointer
push_many (gpointer data)
{
  for (guint32 i = 0; i < 2000; i++)
    push_number ((GstHarness *) data, i);
  return NULL;
}

GST_START_TEST (reliable_loses_nothing)
{
  GstHarness *sink = number_sink ("slots=8 wait-for-consumers=1");
  GstHarness *src = harness_src ("delivery=reliable start-at=oldest");
  GThread *thread = g_thread_new ("push", push_many, sink);
  for (guint32 i = 0; i < 2000; i++)
    fail_unless_equals_int (take_number (src, NULL), i);
  g_thread_join (thread);
  fail_unless_equals_uint64 (element_stat (src->element, "lost"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gpointer
push_growing (gpointer data)
{
  GstHarness *h = data;
  for (guint32 i = 0; i < 60; i++) {
    if (i % 20 == 0) {
      g_autofree gchar *caps =
          g_strdup_printf (TEST_CAPS ", size=(int)%u", i / 20);
      gst_harness_push_event (h,
          gst_event_new_caps (gst_caps_from_string (caps)));
    }
    push_number_sized (h, i, (gsize) 1000 << (i / 20 * 4), (GstBufferFlags) 0);
  }
  return NULL;
}

GST_START_TEST (new_caps_and_bigger_frames_lose_nothing)
{
  GstHarness *sink = number_sink ("slots=8 wait-for-consumers=1");
  GstHarness *src = harness_src ("delivery=reliable start-at=oldest");
  GThread *thread = g_thread_new ("push", push_growing, sink);
  for (guint32 i = 0; i < 60; i++) {
    GstBuffer *buffer = gst_harness_pull (src);
    guint32 number = 0;
    g_autoptr (GstCaps) caps = gst_pad_get_current_caps (src->sinkpad);
    gint size = -1;
    gst_buffer_extract (buffer, 0, &number, sizeof number);
    fail_unless_equals_int (number, i);
    fail_unless_equals_int (gst_buffer_get_size (buffer), 1000 << (i / 20 * 4));
    /* caps may be ahead of what was pulled, never behind */
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "size", &size);
    fail_unless (size >= (gint) (i / 20));
    gst_buffer_unref (buffer);
  }
  g_thread_join (thread);
  fail_unless (element_stat (sink->element, "growths") >= 2);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (who_joins_at_a_keyframe_gets_one)
{
  GstHarness *sink = number_sink (""), *src;
  for (guint32 i = 0; i < 6; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64, NULL);
    gst_buffer_fill (buffer, 0, &i, sizeof i);
    if (i != 2)
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    gst_harness_push (sink, buffer);
  }
  src = harness_src ("");
  fail_unless_equals_int (take_number (src, NULL), 2);
  fail_unless_equals_int (take_number (src, NULL), 3);
  gst_harness_teardown (src);
  src = harness_src ("start-at=latest");
  fail_unless_equals_int (take_number (src, NULL), 5);
  gst_harness_teardown (src);
  src = harness_src ("start-at=oldest");
  fail_unless_equals_int (take_number (src, NULL), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Two consumers hold all they may, the block may not grow. */
GST_START_TEST (keyframes_outlive_what_depends_on_them)
{
  GstHarness *sink = number_sink ("slots=16 slot-size=4096 max-bytes=65536");
  GstHarness *hoarder = harness_src (""), *other, *src;
  GstBuffer *held[10], *buffer;
  for (guint32 i = 0; i < 8; i++) {
    push_number_sized (sink, i, 3000, (GstBufferFlags) 0);
    held[i] = gst_harness_pull (hoarder);
  }
  fail_unless_equals_uint64 (element_stat (hoarder->element, "quota"), 8);
  other = harness_src ("max-pinned=2");
  gst_buffer_unref (gst_harness_pull (other));
  for (guint32 i = 8; i < 10; i++) {
    push_number_sized (sink, i, 3000, (GstBufferFlags) 0);
    held[i] = gst_harness_pull (other);
  }
  fail_unless_equals_uint64 (element_stat (other->element, "pinned"), 2);
  for (guint32 i = 10; i < 48; i++)
    push_number_sized (sink, i, 3000,
        i % 8 == 0  ? (GstBufferFlags) 0
            : i % 2 ? GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_DROPPABLE
                    : GST_BUFFER_FLAG_DELTA_UNIT);
  fail_unless (element_stat (sink->element, "given-up") > 0);
  fail_unless_equals_uint64 (element_stat (sink->element, "no-room"), 0);
  fail_unless_equals_uint64 (element_stat (sink->element, "growths"), 0);
  src = harness_src ("");
  buffer = gst_harness_pull (src);
  fail_unless (gst_buffer_memcmp (buffer, 0, &(guint32){ 40 }, 4) == 0);
  gst_buffer_unref (buffer);
  /* nothing depends on 41, so 42 is delivered */
  buffer = gst_harness_pull (src);
  fail_unless (gst_buffer_memcmp (buffer, 0, &(guint32){ 42 }, 4) == 0);
  fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (buffer);
  for (guint32 i = 0; i < 10; i++) {
    fail_unless (gst_buffer_memcmp (held[i], 0, &i, 4) == 0);
    gst_buffer_unref (held[i]);
  }
  gst_harness_teardown (src);
  gst_harness_teardown (other);
  gst_harness_teardown (hoarder);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (old_buffers_are_skipped)
{
  GstHarness *sink = number_sink (""), *src;
  gboolean discont;
  push_number (sink, 1);
  g_usleep (3000); /* time is under test: the age of a buffer */
  src = harness_src ("max-age=1000000");
  UNTIL (element_stat (src->element, "expired") > 0);
  /* it can be changed while the stream flows */
  g_object_set (src->element, "max-age", GST_CLOCK_TIME_NONE, NULL);
  push_number (sink, 2);
  fail_unless_equals_int (take_number (src, &discont), 2);
  fail_unless (discont);
  fail_unless_equals_uint64 (element_stat (src->element, "expired"), 1);
  fail_unless_equals_uint64 (element_stat (src->element, "lost"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (who_holds_the_producer_too_long_is_evicted_and_comes_back)
{
  GstHarness *sink = number_sink ("slots=8 block-timeout=50000000");
  GstHarness *src = harness_src ("delivery=reliable");
  gboolean discont = FALSE;
  guint32 number;
  guint64 got = 1;
  push_number (sink, 0);
  fail_unless_equals_int (take_number (src, NULL), 0);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  for (guint32 i = 1; i <= 100; i++)
    push_number (sink,
        i); /* waits for the paused consumer until it is evicted */
  fail_unless_equals_uint64 (element_stat (sink->element, "evictions"), 1);
  gst_element_set_state (src->element, GST_STATE_PLAYING);
  do {
    gboolean jumped;
    number = take_number (src, &jumped);
    discont |= jumped;
    got++;
  } while (number != 100);
  fail_unless (discont);
  fail_unless_equals_uint64 (element_stat (src->element, "rejoins"), 1);
  fail_unless_equals_uint64 (element_stat (src->element, "lost"), 101 - got);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, live_is_told_exactly_what_it_lost);
  tcase_add_test (tc, reliable_loses_nothing);
  tcase_add_test (tc, new_caps_and_bigger_frames_lose_nothing);
  tcase_add_test (tc, who_joins_at_a_keyframe_gets_one);
  tcase_add_test (tc, keyframes_outlive_what_depends_on_them);
  tcase_add_test (tc, old_buffers_are_skipped);
  tcase_add_test (tc,
      who_holds_the_producer_too_long_is_evicted_and_comes_back);
}

SANDBOX_MAIN (delivery)
