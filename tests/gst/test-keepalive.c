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
reader_new (const gchar *properties, const gchar *to)
{
  g_autofree gchar *line = g_strconcat (LINE, properties, to, NULL);
  Reader r = { gst_parse_launch (line, NULL), NULL,
    g_async_queue_new_full ((GDestroyNotify) gst_buffer_unref) };
  g_autoptr (GstElement) out =
      gst_bin_get_by_name (GST_BIN (r.pipeline), "out");
  r.src = gst_bin_get_by_name (GST_BIN (r.pipeline), "src");
  g_signal_connect (out, "handoff", G_CALLBACK (on_handoff), r.buffers);
  return r;
}

static Reader
reader_start (const gchar *properties)
{
  Reader r = reader_new (properties, OUT);
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
push_picture_at (GstHarness *sink, guint32 number, GstClockTime pts,
    GstBufferFlags flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64, NULL);
  gst_buffer_fill (buffer, 0, &number, sizeof number);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
  GST_BUFFER_FLAG_SET (buffer, flags);
  fail_unless_equals_int (gst_harness_push (sink, buffer), GST_FLOW_OK);
}

static void
push_picture (GstHarness *sink, guint32 number, GstBufferFlags flags)
{
  push_picture_at (sink, number, number * GST_SECOND, flags);
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

/* A sink has the buffer before the pipeline plays. */
GST_START_TEST (the_picture_of_a_paused_pipeline_is_repeated)
{
  GstHarness *sink = number_sink ("");
  Reader r = reader_new ("keepalive-time=20 is-live=false",
      " ! fakesink name=out sync=false signal-handoffs=true");
  push_picture (sink, 7, 0);
  gst_element_set_state (r.pipeline, GST_STATE_PAUSED);
  fail_unless (gst_element_get_state (r.pipeline, NULL, NULL,
                   WAIT_US * GST_USECOND)
      == GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (r.pipeline, GST_STATE_PLAYING);
  take_repeats (&r, 7, 4);
  reader_end (&r);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A buffer of no bytes stands for the gap. */
static GstPadProbeReturn
note_gap (GstPad *pad, GstPadProbeInfo *info, gpointer to)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_GAP)
    g_async_queue_push (to, gst_buffer_new ());
  return GST_PAD_PROBE_OK;
}

static void
take_gap (Reader *r)
{
  gsize size;
  do {
    g_autoptr (GstBuffer) buffer = reader_take (r);
    size = gst_buffer_get_size (buffer);
  } while (size > 0);
}

/* In it, the times of the last buffer are others. */
GST_START_TEST (nothing_is_repeated_in_another_segment)
{
  GstHarness *sink = number_sink ("");
  Reader r = reader_start ("keepalive-time=20");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (r.src, "src");
  g_autoptr (GstBuffer) next = NULL;
  GstSegment segment;
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note_gap,
      r.buffers, NULL);
  push_picture (sink, 1, 0);
  take_repeats (&r, 1, 2);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.base = GST_SECOND * 100;
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  gst_harness_push_event (sink, gst_event_new_gap (GST_SECOND, GST_SECOND));
  take_gap (&r);
  fail_unless (g_async_queue_timeout_pop (r.buffers,
                   25 * EVERY_MS * G_TIME_SPAN_MILLISECOND)
      == NULL);
  push_picture (sink, 2, 0);
  next = reader_take (&r);
  fail_unless_equals_int (number_of (next), 2);
  take_repeats (&r, 2, 2);
  reader_end (&r);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gboolean
take_is_discont (Reader *r, guint32 number)
{
  for (;;) {
    g_autoptr (GstBuffer) buffer = reader_take (r);
    if (number_of (buffer) == number)
      return GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  }
}

GST_START_TEST (what_is_behind_a_repeat_is_discont)
{
  GstHarness *sink = number_sink ("");
  Reader r = reader_start ("keepalive-time=20");
  push_picture (sink, 1, 0);
  fail_unless (take_is_discont (&r, 1)); /* the first one */
  take_repeats (&r, 1, 3);
  push_picture_at (sink, 2, GST_SECOND + 1, 0);
  fail_unless (take_is_discont (&r, 2));
  push_picture (sink, 30, 0);
  fail_if (take_is_discont (&r, 30));
  reader_end (&r);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* ---- the latency of a live producer ---- */

/* Of the first buffer, and so the latency. */
#define AGE (8 * GST_SECOND)
#define BEGAN (100 * GST_SECOND)

static GstClockTime
running_time_of (GstElement *element)
{
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  return gst_clock_get_time (clock) - gst_element_get_base_time (element);
}

static void
use_clock (GstHarness *h)
{
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  gst_harness_use_systemclock (h);
  gst_element_set_base_time (h->element, gst_clock_get_time (clock) - BEGAN);
}

/* The repeats of a second. Each has the age of the latency, or is at most a bit later
 * than the picture. */
static void
check_ages (GstHarness *src, GstClockTime fresh)
{
  GstClockTime last = fresh;
  for (guint i = 1; i <= 50; i++) {
    g_autoptr (GstBuffer) buffer = gst_harness_pull (src);
    GstClockTime oldest = running_time_of (src->element) - AGE;
    fail_unless (buffer != NULL);
    fail_unless_equals_int (number_of (buffer), 2);
    fail_unless (GST_BUFFER_PTS (buffer) > last);
    fail_unless (GST_BUFFER_PTS (buffer) <= MAX (oldest, fresh + i));
    last = GST_BUFFER_PTS (buffer);
  }
}

GST_START_TEST (a_repeat_is_not_before_its_time)
{
  GstElement *element = gst_parse_launch ("datahubsrc datablock=test "
                                          "keepalive-time=20",
      NULL);
  GstHarness *sink = number_sink (""), *src;
  GstBuffer *buffer;
  GstClockTime fresh;
  use_clock (sink);
  gst_harness_set_live (sink, TRUE);
  src = gst_harness_new_with_element (element, NULL, "src");
  gst_object_unref (element);
  use_clock (src);
  gst_harness_play (src);
  push_picture_at (sink, 1, running_time_of (sink->element) - AGE, 0);
  gst_buffer_unref (gst_harness_pull (src));
  push_picture_at (sink, 2, running_time_of (sink->element), 0);
  do
    buffer = gst_harness_pull (src);
  while (number_of (buffer) == 1 && gst_buffer_replace (&buffer, NULL));
  fresh = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);
  check_ages (src, fresh);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_still_picture_is_repeated_with_new_times);
  tcase_add_test (tc, repeats_hold_one_slot);
  tcase_add_test (tc, repeats_go_on_while_the_producer_is_gone);
  tcase_add_test (tc, nothing_is_repeated_after_eos);
  tcase_add_test (tc, the_picture_of_a_paused_pipeline_is_repeated);
  tcase_add_test (tc, nothing_is_repeated_in_another_segment);
  tcase_add_test (tc, what_is_behind_a_repeat_is_discont);
  tcase_add_test (tc, a_repeat_is_not_before_its_time);
  tcase_add_test (tc, nothing_is_repeated_by_default);
  tcase_add_test (tc, streams_with_delta_units_are_not_repeated);
}

SANDBOX_MAIN (keepalive)
