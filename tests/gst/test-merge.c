/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* datahubmerge by itself: order, what describes the stream, and what is late. */
#include "merging.h"
#include "suite.h"
#include "until.h"

#include <gst/check/gsttestclock.h>

#define TWO ((const gint[]){ 0, 1, -1 })
#define MANY_SECONDS 10
#define FLAGS                                                                  \
  (GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_MARKER | GST_BUFFER_FLAG_HEADER)

static void
expect (const gint *numbers, const gchar *one, const gchar *other,
    const gchar *text)
{
  Merging m;
  g_autofree gchar *pushed = NULL;
  merging_init (&m, numbers);
  pushed = merging_run (&m, (const gchar *const[]){ one, other });
  fail_unless_equals_string (pushed, text);
  fail_unless_equals_uint64 (merging_stat (&m, "late"), 0);
  merging_clear (&m);
}

GST_START_TEST (buffers_are_pushed_in_order_of_running_time)
{
  expect (TWO, "c=a s=0 0 2 2 4", "c=a s=0 1 2 3",
      "c=a s=0 0@0 1@1 2@0 2@0 2@1 3@1 4@0 eos");
}
GST_END_TEST;

GST_START_TEST (of_equal_times_the_lower_number_is_first)
{
  expect ((const gint[]){ 5, 2, -1 }, "c=a s=0 1 2", "c=a s=0 1 2",
      "c=a s=0 1@2 1@5 2@2 2@5 eos");
}
GST_END_TEST;

GST_START_TEST (an_input_that_ends_holds_nothing_up)
{
  expect (TWO, "c=a s=0 1 5 9", "c=a s=0", "c=a s=0 1@0 5@0 9@0 eos");
}
GST_END_TEST;

GST_START_TEST (caps_and_segments_are_in_order)
{
  expect (TWO, "c=a s=0 0 2 c=c 4", "c=b s=0 1 3 5",
      "c=a s=0 0@0 c=b 1@1 c=a 2@0 c=b 3@1 c=c 4@0 c=b 5@1 eos");
  expect (TWO, "c=a s=0 0 20", "c=a s=10 0 5",
      "c=a s=0 0@0 s=10 0@1 5@1 s=0 20@0 eos");
  expect (TWO, "c=a s=0 0 s=5 0 9", "c=a s=0 3 8",
      "c=a s=0 0@0 3@1 s=5 0@0 s=0 8@1 s=5 9@0 eos");
}
GST_END_TEST;

/* They are different objects. */
GST_START_TEST (equal_caps_and_segments_are_sent_once)
{
  Merging m;
  g_autofree gchar *pushed = NULL;
  merging_init (&m, TWO);
  pushed = merging_run (&m,
      (const gchar *const[]){ "c=a s=0 0 2 c=a s=0 4", "c=a s=0 1 3 5" });
  fail_unless_equals_string (pushed, "c=a s=0 0@0 1@1 2@0 3@1 4@0 5@1 eos");
  fail_unless_equals_uint64 (merging_stat (&m, "caps-changes"), 1);
  fail_unless_equals_uint64 (merging_stat (&m, "segment-changes"), 1);
  fail_unless_equals_uint64 (merging_stat (&m, "buffers"), 6);
  merging_clear (&m);
}
GST_END_TEST;

GST_START_TEST (a_gap_waits_for_its_turn)
{
  expect (TWO, "c=a s=0 0 g=5 10", "c=a s=0 3 7",
      "c=a s=0 0@0 3@1 g=5 7@1 10@0 eos");
  /* the first thing of an input, in a segment of its own */
  expect (TWO, "c=a s=0 0 9", "c=b s=4 g=1 6",
      "c=a s=0 0@0 c=b s=4 g=1 c=a s=0 9@0 c=b s=4 6@1 eos");
}
GST_END_TEST;

GST_START_TEST (what_has_no_time_does_not_wait_for_others)
{
  expect (TWO, "c=a s=0 - 4 -", "c=a s=0 1 9",
      "c=a s=0 -@0 1@1 4@0 -@0 9@1 eos");
}
GST_END_TEST;

GST_START_TEST (running_times_may_be_negative)
{
  expect (TWO, "c=a s=0/100 50 100 150", "c=a s=0/100 80 110 160",
      "c=a s=0 50@0 80@1 100@0 110@1 150@0 160@1 eos");
}
GST_END_TEST;

/* The order of the input: a later picture may be shown earlier. */
GST_START_TEST (an_input_keeps_its_order)
{
  expect (TWO, "c=a s=0 0 40 20 60", "c=a s=0 10 50",
      "c=a s=0 0@0 10@1 40@0 20@0 50@1 60@0 eos");
  expect (TWO, "c=a s=0 d=0/30 d=10/90 d=20/60", "c=a s=0 5 15 25",
      "c=a s=0 30@0 5@1 90@0 15@1 60@0 25@1 eos");
}
GST_END_TEST;

/* ---- what is not changed ---- */

static GstBuffer *kept; /* owned */

static GstFlowReturn
keep_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  kept = buffer;
  return GST_FLOW_OK;
}

GST_START_TEST (a_buffer_arrives_as_it_was_pushed)
{
  Merging m;
  GstBuffer *sent = gst_buffer_new_allocate (NULL, 10, NULL);
  merging_init (&m, (const gint[]){ 0, -1 });
  merging_play (&m);
  merging_push (&m.inputs[0], "c=a s=0");
  gst_pad_set_chain_function (m.out, keep_buffer);
  GST_BUFFER_PTS (sent) = 7;
  GST_BUFFER_DTS (sent) = 6;
  GST_BUFFER_DURATION (sent) = 5;
  GST_BUFFER_FLAG_SET (sent, FLAGS);
  fail_unless_equals_int (gst_pad_push (m.inputs[0].pad, sent), GST_FLOW_OK);
  gst_pad_push_event (m.inputs[0].pad, gst_event_new_eos ());
  g_mutex_lock (&m.lock);
  while (!m.ended)
    g_cond_wait (&m.changed, &m.lock);
  g_mutex_unlock (&m.lock);
  fail_unless (kept == sent);
  fail_unless (GST_BUFFER_PTS (sent) == 7 && GST_BUFFER_DTS (sent) == 6
      && GST_BUFFER_DURATION (sent) == 5);
  fail_unless_equals_int (GST_BUFFER_FLAGS (sent) & ~GST_BUFFER_FLAG_TAG_MEMORY,
      FLAGS);
  gst_clear_buffer (&kept);
  merging_clear (&m);
}
GST_END_TEST;

/* ---- one input is silent ---- */

static void
play_with_clock (Merging *m, GstTestClock **clock)
{
  *clock = GST_TEST_CLOCK (gst_test_clock_new ());
  m->live = TRUE;
  gst_element_set_clock (m->merge, GST_CLOCK (*clock));
  gst_element_set_base_time (m->merge, 0);
  merging_play (m);
}

/* The base class waits for this time, and for no other; it may have passed. */
static void
let_pass (GstTestClock *clock, GstClockTime time)
{
  GstClockTime now = gst_clock_get_time (GST_CLOCK (clock));
  GstClockID id;
  gst_test_clock_wait_for_next_pending_id (clock, &id);
  fail_unless_equals_uint64 (gst_clock_id_get_time (id), time);
  gst_clock_id_unref (id);
  gst_test_clock_set_time (clock, MAX (time, now));
  id = gst_test_clock_process_next_clock_id (clock);
  gst_clock_id_unref (id);
}

GST_START_TEST (a_live_input_that_is_silent_holds_others_for_the_latency)
{
  Merging m;
  GstTestClock *clock;
  merging_init (&m, TWO);
  g_object_set (m.merge, "latency", 5 * GST_MSECOND, NULL);
  play_with_clock (&m, &clock);
  merging_push (&m.inputs[0], "c=a s=0 10");
  let_pass (clock, 15 * GST_MSECOND);
  merging_expect (&m, "c=a s=0 10@0 ");
  gst_object_unref (clock);
  merging_clear (&m);
}
GST_END_TEST;

static void
expect_late_warning (GstBus *bus)
{
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  g_autoptr (GError) error = NULL;
  fail_unless (message != NULL);
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (strstr (error->message, "sink_1 came 4.0 ms") != NULL, "%s",
      error->message);
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING) == NULL);
}

GST_START_TEST (what_is_late_has_discont_and_is_counted)
{
  Merging m;
  GstTestClock *clock;
  g_autoptr (GstBus) bus = gst_bus_new ();
  merging_init (&m, TWO);
  gst_element_set_bus (m.merge, bus);
  play_with_clock (&m, &clock);
  merging_push (&m.inputs[1], "c=a s=0");
  merging_push (&m.inputs[0], "c=a s=0");
  merging_push (&m.inputs[0], "10");
  let_pass (clock, 10 * GST_MSECOND);
  merging_expect (&m, "c=a s=0 10@0 ");
  merging_push (&m.inputs[1], "6");
  let_pass (clock, 6 * GST_MSECOND);
  merging_expect (&m, "c=a s=0 10@0 6@1! ");
  merging_push (&m.inputs[0], "12");
  let_pass (clock, 12 * GST_MSECOND);
  merging_expect (&m, "c=a s=0 10@0 6@1! 12@0 ");
  merging_push (&m.inputs[1], "11");
  let_pass (clock, 11 * GST_MSECOND);
  merging_expect (&m, "c=a s=0 10@0 6@1! 12@0 11@1! ");
  fail_unless_equals_uint64 (merging_stat (&m, "late"), 2);
  expect_late_warning (bus);
  gst_element_set_bus (m.merge, NULL);
  gst_object_unref (clock);
  merging_clear (&m);
}
GST_END_TEST;

GST_START_TEST (a_merge_that_waits_stops_at_once)
{
  Merging m;
  merging_init (&m, TWO);
  merging_play (&m);
  merging_push (&m.inputs[0], "c=a s=0 10");
  merging_push (&m.inputs[1], "c=a s=0");
  fail_unless (gst_element_set_state (m.merge, GST_STATE_NULL)
      == GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_uint64 (m.buffers, 0);
  merging_clear (&m);
}
GST_END_TEST;

/* ---- flush ---- */

static void
flush (MergingInput *input)
{
  gst_pad_push_event (input->pad, gst_event_new_flush_start ());
  gst_pad_push_event (input->pad, gst_event_new_flush_stop (TRUE));
}

/* It has 10 and waits for the other one. */
GST_START_TEST (a_flush_of_one_input_drops_what_it_has)
{
  Merging m;
  merging_init (&m, TWO);
  merging_play (&m);
  merging_push (&m.inputs[1], "c=a s=0");
  merging_push (&m.inputs[0], "c=a s=0");
  merging_push (&m.inputs[0], "10");
  until_asleep ("datahubmerge"); /* it knows that 10 is next */
  flush (&m.inputs[0]);
  merging_push (&m.inputs[0], "s=0");
  merging_push (&m.inputs[0], "3");
  merging_push (&m.inputs[1], "5");
  merging_expect (&m, "c=a s=0 3@0 ");
  gst_pad_push_event (m.inputs[0].pad, gst_event_new_eos ());
  merging_expect (&m, "c=a s=0 3@0 5@1 ");
  fail_unless_equals_uint64 (merging_stat (&m, "late"), 0);
  merging_clear (&m);
}
GST_END_TEST;

GST_START_TEST (an_input_can_be_added_and_released_while_it_runs)
{
  Merging m;
  GstPad *more;
  merging_init (&m, TWO);
  merging_play (&m);
  merging_push (&m.inputs[0], "c=a s=0");
  merging_push (&m.inputs[1], "c=a s=0");
  more = gst_element_request_pad_simple (m.merge, "sink_7");
  merging_push (&m.inputs[0], "1");
  merging_push (&m.inputs[1], "2");
  gst_element_release_request_pad (m.merge, more);
  gst_object_unref (more);
  merging_expect (&m, "c=a s=0 1@0 ");
  merging_clear (&m);
}
GST_END_TEST;

static GstPadProbeReturn
on_blocked (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  g_atomic_int_set ((gint *) user_data, TRUE);
  return GST_PAD_PROBE_OK; /* until the probe is removed */
}

/* It pushes the buffer of its only input, which is released meanwhile. */
GST_START_TEST (a_merge_without_an_input_waits_for_the_next_one)
{
  Merging m;
  gint blocked = FALSE;
  gulong probe;
  GstPad *src, *sink;
  merging_init (&m, (const gint[]){ 0, -1 });
  merging_play (&m);
  src = gst_element_get_static_pad (m.merge, "src");
  probe = gst_pad_add_probe (src,
      GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, on_blocked,
      &blocked, NULL);
  merging_push (&m.inputs[0], "c=a s=0 1");
  UNTIL (g_atomic_int_get (&blocked));
  sink = gst_pad_get_peer (m.inputs[0].pad);
  gst_element_release_request_pad (m.merge, sink);
  gst_object_unref (sink);
  gst_pad_remove_probe (src, probe);
  gst_object_unref (src);
  merging_expect (&m, "c=a s=0 1@0 ");
  until_asleep ("datahubmerge");
  sink = gst_element_request_pad_simple (m.merge, "sink_1");
  fail_unless (gst_pad_link (m.inputs[0].pad, sink) == GST_PAD_LINK_OK);
  gst_object_unref (sink);
  merging_push (&m.inputs[0], "2");
  merging_expect (&m, "c=a s=0 1@0 2@0 ");
  merging_clear (&m);
}
GST_END_TEST;

/* A source may get both from another process. */
GST_START_TEST (a_gap_outside_of_a_time_segment_is_dropped)
{
  Merging m;
  GstSegment bytes;
  merging_init (&m, (const gint[]){ 0, -1 });
  merging_play (&m);
  merging_push (&m.inputs[0], "c=a");
  gst_segment_init (&bytes, GST_FORMAT_BYTES);
  gst_pad_push_event (m.inputs[0].pad, gst_event_new_segment (&bytes));
  merging_push (&m.inputs[0], "g=5 -");
  merging_expect (&m, "c=a s=0 -@0 ");
  fail_unless_equals_uint64 (merging_stat (&m, "gaps"), 0);
  merging_clear (&m);
}
GST_END_TEST;

/* ---- many ---- */

typedef struct
{
  GRand *rand;
  guint index;
  guint64 n, most;
  GstClockTime time;
  gint64 end; /* of the time that the test has */
} Stream;

static GstMiniObject *
make_random (gpointer data)
{
  Stream *stream = data;
  GstBuffer *buffer;
  if (stream->n == stream->most || g_get_monotonic_time () > stream->end)
    return NULL;
  buffer = gst_buffer_new ();
  GST_BUFFER_PTS (buffer) = stream->time;
  GST_BUFFER_OFFSET (buffer) = stream->n++;
  GST_BUFFER_OFFSET_END (buffer) = stream->index;
  stream->time += (GstClockTime) g_rand_int_range (stream->rand, 1,
      2 << (stream->index % 8));
  return GST_MINI_OBJECT_CAST (buffer);
}

static void
check_all_arrived (Merging *m, Stream *streams)
{
  guint64 sum = 0;
  for (guint i = 0; i < m->n; i++) {
    fail_unless_equals_uint64 (m->inputs[i].next, streams[i].n);
    sum += streams[i].n;
    g_rand_free (streams[i].rand);
  }
  fail_unless_equals_uint64 (m->buffers, sum);
  fail_unless_equals_uint64 (m->unordered, 0);
  fail_unless_equals_uint64 (m->wrong, 0);
}

/* The latency gives the queue of each input so much time. On a busy machine there
 * are fewer buffers: each hand-over to another thread has to wait there. */
static void
check_many (guint n, guint64 total, GstClockTime latency)
{
  Merging m;
  Stream streams[MERGING_MAX];
  gint64 end = g_get_monotonic_time () + MANY_SECONDS * G_TIME_SPAN_SECOND;
  gint numbers[MERGING_MAX + 1];
  for (guint i = 0; i <= n; i++)
    numbers[i] = i < n ? (gint) i : -1;
  merging_init (&m, numbers);
  g_string_free (g_steal_pointer (&m.log), TRUE);
  g_object_set (m.merge, "latency", latency, NULL);
  merging_play (&m);
  for (guint i = 0; i < n; i++) {
    streams[i] = (Stream){ g_rand_new_with_seed (i), i, 0, total / n, 0, end };
    merging_push (&m.inputs[i], "c=a s=0");
    merging_start (&m.inputs[i], make_random, &streams[i]);
  }
  merging_join (&m);
  g_mutex_lock (&m.lock);
  while (!m.ended)
    g_cond_wait (&m.changed, &m.lock);
  g_mutex_unlock (&m.lock);
  check_all_arrived (&m, streams);
  g_print ("%u inputs: %" G_GUINT64_FORMAT " buffers\n", n, m.buffers);
  merging_clear (&m);
}

GST_START_TEST (two_inputs_of_random_rates)
{
  check_many (2, 20000, 0);
}
GST_END_TEST;

GST_START_TEST (a_million_buffers_of_eight_inputs)
{
  check_many (8, 1000000, 20000);
}
GST_END_TEST;

GST_START_TEST (sixty_four_inputs_of_random_rates)
{
  check_many (64, 64000, 1000);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, buffers_are_pushed_in_order_of_running_time);
  tcase_add_test (tc, of_equal_times_the_lower_number_is_first);
  tcase_add_test (tc, an_input_that_ends_holds_nothing_up);
  tcase_add_test (tc, caps_and_segments_are_in_order);
  tcase_add_test (tc, equal_caps_and_segments_are_sent_once);
  tcase_add_test (tc, a_gap_waits_for_its_turn);
  tcase_add_test (tc, what_has_no_time_does_not_wait_for_others);
  tcase_add_test (tc, running_times_may_be_negative);
  tcase_add_test (tc, an_input_keeps_its_order);
  tcase_add_test (tc, a_buffer_arrives_as_it_was_pushed);
  tcase_add_test (tc, a_live_input_that_is_silent_holds_others_for_the_latency);
  tcase_add_test (tc, what_is_late_has_discont_and_is_counted);
  tcase_add_test (tc, a_merge_that_waits_stops_at_once);
  tcase_add_test (tc, a_flush_of_one_input_drops_what_it_has);
  tcase_add_test (tc, an_input_can_be_added_and_released_while_it_runs);
  tcase_add_test (tc, a_merge_without_an_input_waits_for_the_next_one);
  tcase_add_test (tc, a_gap_outside_of_a_time_segment_is_dropped);
  tcase_add_test (tc, two_inputs_of_random_rates);
  tcase_add_test (tc, a_million_buffers_of_eight_inputs);
  tcase_add_test (tc, sixty_four_inputs_of_random_rates);
}

SUITE_MAIN (merge)
