/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A still picture goes on: the last buffer is repeated while no other comes. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"

#define EVERY_MS 20
#define LINE                                                                   \
  "datahubsrc name=src datablock=test start-at=oldest delivery=reliable "      \
  "timestamps=passthrough "
#define OUT " ! fakesink name=out sync=false async=false signal-handoffs=true"
#define WAIT_US (20 * G_TIME_SPAN_SECOND)

typedef struct
{
  GstElement *pipeline, *src;
  GAsyncQueue *buffers;
} Reader;

static void
on_handoff (GstElement *sink, GstBuffer *buffer, GstPad *pad, GAsyncQueue *to)
{
  g_async_queue_push (to, gst_buffer_ref (buffer));
}

static Reader
reader_start (const gchar *properties)
{
  g_autofree gchar *line = g_strconcat (LINE, properties, OUT, NULL);
  Reader r = { gst_parse_launch (line, NULL), NULL,
    g_async_queue_new_full ((GDestroyNotify) gst_buffer_unref) };
  g_autoptr (GstElement) out =
      gst_bin_get_by_name (GST_BIN (r.pipeline), "out");
  r.src = gst_bin_get_by_name (GST_BIN (r.pipeline), "src");
  g_signal_connect (out, "handoff", G_CALLBACK (on_handoff), r.buffers);
  gst_element_set_state (r.pipeline, GST_STATE_PLAYING);
  return r;
}

static void
reader_end (Reader *r)
{
  gst_element_set_state (r->pipeline, GST_STATE_NULL);
  g_async_queue_unref (r->buffers);
  gst_object_unref (r->src);
  gst_object_unref (r->pipeline);
}

static GstBuffer *
reader_take (Reader *r)
{
  GstBuffer *buffer = g_async_queue_timeout_pop (r->buffers, WAIT_US);
  fail_unless (buffer != NULL);
  return buffer;
}

static guint32
number_of (GstBuffer *buffer)
{
  guint32 number = 0;
  gst_buffer_extract (buffer, 0, &number, sizeof number);
  return number;
}

static void
push_picture (GstHarness *sink, guint32 number, GstBufferFlags flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64, NULL);
  gst_buffer_fill (buffer, 0, &number, sizeof number);
  GST_BUFFER_PTS (buffer) = number * GST_SECOND;
  GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
  GST_BUFFER_FLAG_SET (buffer, flags);
  fail_unless_equals_int (gst_harness_push (sink, buffer), GST_FLOW_OK);
}

/* Takes repeats of @number, @n of them. */
static void
take_repeats (Reader *r, guint32 number, guint n)
{
  GstClockTime last = 0;
  while (n > 0) {
    g_autoptr (GstBuffer) buffer = reader_take (r);
    if (number_of (buffer) != number)
      continue;
    fail_unless (GST_BUFFER_PTS (buffer) > last);
    last = GST_BUFFER_PTS (buffer);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (buffer), 40 * GST_MSECOND);
    fail_if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_GAP));
    n--;
  }
}

static void
wait_for (Reader *r, const gchar *name)
{
  for (;;) {
    g_autoptr (GstMessage) message =
        wait_message (r->pipeline, GST_MESSAGE_ELEMENT);
    if (gst_message_has_name (message, name))
      return;
  }
}

GST_START_TEST (a_still_picture_is_repeated_with_new_times)
{
  GstHarness *sink = number_sink ("");
  Reader r = reader_start ("keepalive-time=20");
  GstClockTime pts;
  GstBuffer *buffer;
  push_picture (sink, 7, GST_BUFFER_FLAG_GAP);
  buffer = reader_take (&r);
  pts = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);
  fail_unless_equals_uint64 (pts, 7 * GST_SECOND);
  buffer = reader_take (&r);
  fail_unless_equals_int (number_of (buffer), 7);
  fail_unless (GST_BUFFER_PTS (buffer) >= pts + EVERY_MS * GST_MSECOND / 2);
  fail_if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_GAP));
  fail_if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (buffer);
  take_repeats (&r, 7, 5);
  fail_unless (element_stat (r.src, "repeated") >= 6);
  fail_unless_equals_uint64 (element_stat (r.src, "received"), 1);
  push_picture (sink, 9, 0);
  take_repeats (&r, 9, 3);
  reader_end (&r);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (repeats_hold_one_slot)
{
  GstHarness *sink = number_sink ("");
  Reader r = reader_start ("keepalive-time=20");
  push_picture (sink, 1, 0);
  take_repeats (&r, 1, 5);
  fail_unless_equals_uint64 (element_stat (r.src, "pinned"), 1);
  reader_end (&r);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Until another producer has the name. */
GST_START_TEST (repeats_go_on_while_the_producer_is_gone)
{
  GstHarness *sink = number_sink ("");
  Reader r = reader_start ("keepalive-time=20");
  push_picture (sink, 1, 0);
  take_repeats (&r, 1, 1);
  gst_harness_teardown (sink);
  wait_for (&r, "datahub-producer-lost");
  while (g_async_queue_length (r.buffers) > 0)
    gst_buffer_unref (g_async_queue_pop (r.buffers));
  take_repeats (&r, 1, 10);
  sink = number_sink ("");
  push_picture (sink, 2, 0);
  take_repeats (&r, 2, 3);
  reader_end (&r);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (nothing_is_repeated_after_eos)
{
  GstHarness *sink = number_sink ("");
  Reader r = reader_start ("keepalive-time=20");
  push_picture (sink, 1, 0);
  take_repeats (&r, 1, 3);
  gst_harness_push_event (sink, gst_event_new_eos ());
  gst_message_unref (wait_message (r.pipeline, GST_MESSAGE_EOS));
  while (g_async_queue_length (r.buffers) > 0)
    gst_buffer_unref (g_async_queue_pop (r.buffers));
  fail_unless (g_async_queue_timeout_pop (r.buffers,
                   25 * EVERY_MS * G_TIME_SPAN_MILLISECOND)
      == NULL);
  reader_end (&r);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
expect_no_repeat (const gchar *properties, GstBufferFlags flags)
{
  GstHarness *sink = number_sink ("");
  Reader r = reader_start (properties);
  push_picture (sink, 1, 0);
  push_picture (sink, 2, flags);
  wait_for (&r, "datahub-waiting"); /* a second after the last buffer */
  /* the key unit may have been repeated before its delta unit came */
  while (g_async_queue_length (r.buffers) > 1)
    gst_buffer_unref (g_async_queue_pop (r.buffers));
  take_repeats (&r, 2, 1);
  fail_unless (element_stat (r.src, "repeated")
      <= (flags ? G_GUINT64_CONSTANT (1) : 0));
  reader_end (&r);
  gst_harness_teardown (sink);
}

GST_START_TEST (nothing_is_repeated_by_default)
{
  expect_no_repeat ("", 0);
}
GST_END_TEST;

GST_START_TEST (streams_with_delta_units_are_not_repeated)
{
  expect_no_repeat ("keepalive-time=200", GST_BUFFER_FLAG_DELTA_UNIT);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_still_picture_is_repeated_with_new_times);
  tcase_add_test (tc, repeats_hold_one_slot);
  tcase_add_test (tc, repeats_go_on_while_the_producer_is_gone);
  tcase_add_test (tc, nothing_is_repeated_after_eos);
  tcase_add_test (tc, nothing_is_repeated_by_default);
  tcase_add_test (tc, streams_with_delta_units_are_not_repeated);
}

SANDBOX_MAIN (keepalive)
