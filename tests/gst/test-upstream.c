/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of consumers reach the producing pipeline whole, in its time, and as one
 * where several ask for the same. */
#include "bytes.h"
#include "sandbox.h"
#include "until.h"

#include <datahub/consumer.h>
#include <datahub/producer.h>
#include <gst/video/video.h>

#define FRAME (40 * GST_MSECOND)
/* Where the producing pipeline is in its time, and a consumer in its own. */
#define HERE (100 * GST_SECOND)
#define AHEAD (7 * GST_SECOND)

/* A live producer that has written one frame at HERE. */
static GstHarness *
live_sink (const gchar *properties)
{
  GstHarness *h = harness_sink (properties);
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  GstBuffer *buffer = bytes_buffer (10, 1);
  gst_harness_use_systemclock (h);
  gst_harness_set_live (h, TRUE);
  gst_element_set_base_time (h->element, gst_clock_get_time (clock) - HERE);
  gst_harness_set_src_caps_str (h, TEST_CAPS);
  GST_BUFFER_PTS (buffer) = HERE;
  GST_BUFFER_DURATION (buffer) = FRAME;
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
  return h;
}

/* A consumer that has read it; its running times are AHEAD of those of the
 * producer. */
static GstHarness *
reader (GstHarness *sink, const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc datablock=test %s", properties);
  GstElement *element = gst_parse_launch (line, NULL);
  GstHarness *h = gst_harness_new_with_element (element, NULL, "src");
  gst_object_unref (element);
  gst_harness_use_systemclock (h);
  gst_element_set_base_time (h->element,
      gst_element_get_base_time (sink->element) - AHEAD);
  gst_harness_play (h);
  gst_buffer_unref (gst_harness_pull (h));
  return h;
}

/* The next of a type, before any QoS. */
static GstEvent *
next_up (GstHarness *sink, GstEventType type)
{
  GstEvent *event;
  while ((event = gst_harness_pull_upstream_event (sink))
      && GST_EVENT_TYPE (event) != type) {
    fail_if (GST_EVENT_TYPE (event) == GST_EVENT_QOS);
    gst_event_unref (event);
  }
  fail_unless (event != NULL);
  return event;
}

static gboolean
ask (GstHarness *src, GstClockTime running_time, gboolean all_headers)
{
  return gst_harness_push_upstream_event (src,
      gst_video_event_new_upstream_force_key_unit (running_time, all_headers,
          7));
}

static void
expect_ask (GstHarness *sink, GstClockTime running_time, gboolean all_headers)
{
  GstEvent *event = next_up (sink, GST_EVENT_CUSTOM_UPSTREAM);
  GstClockTime time;
  gboolean all;
  guint count;
  fail_unless (gst_video_event_parse_upstream_force_key_unit (event, &time,
      &all, &count));
  if (GST_CLOCK_TIME_IS_VALID (running_time))
    fail_unless (ABS (GST_CLOCK_DIFF (time, running_time))
            < (GstClockTimeDiff) GST_MSECOND,
        "%" GST_TIME_FORMAT, GST_TIME_ARGS (time));
  else
    fail_if (GST_CLOCK_TIME_IS_VALID (time));
  fail_unless_equals_int (all, all_headers);
  fail_unless_equals_int (count, 7);
  gst_event_unref (event);
}

/* An event that comes behind all others. */
static void
mark (GstHarness *src, GstHarness *sink, const gchar *name)
{
  GstEvent *event;
  fail_unless (gst_harness_push_upstream_event (src,
      gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
          gst_structure_new (name, "x", G_TYPE_INT, 5, NULL))));
  event = next_up (sink, GST_EVENT_CUSTOM_UPSTREAM);
  fail_unless (gst_event_has_name (event, name), "%s comes first",
      gst_structure_get_name (gst_event_get_structure (event)));
  gst_event_unref (event);
}

static void
end (GstHarness *sink, GstHarness *a, GstHarness *b)
{
  gst_harness_teardown (a);
  if (b)
    gst_harness_teardown (b);
  gst_harness_teardown (sink);
}

GST_START_TEST (a_key_unit_is_asked_for_in_the_time_of_the_producer)
{
  GstHarness *sink = live_sink (""), *src = reader (sink, "");
  fail_unless (ask (src, HERE + AHEAD + GST_SECOND, FALSE));
  expect_ask (sink, HERE + GST_SECOND, FALSE);
  fail_unless (ask (src, GST_CLOCK_TIME_NONE, TRUE));
  expect_ask (sink, GST_CLOCK_TIME_NONE, TRUE);
  end (sink, src, NULL);
}
GST_END_TEST;

GST_START_TEST (what_the_stream_has_passed_is_wanted_now)
{
  GstHarness *sink = live_sink (""), *src = reader (sink, "");
  fail_unless (ask (src, HERE + AHEAD - GST_SECOND, FALSE));
  expect_ask (sink, GST_CLOCK_TIME_NONE, FALSE);
  end (sink, src, NULL);
}
GST_END_TEST;

GST_START_TEST (an_instant_is_asked_for_once)
{
  GstHarness *sink = live_sink (""), *a = reader (sink, "");
  GstHarness *b = reader (sink, "delivery=reliable");
  GstClockTime at = HERE + AHEAD + GST_SECOND;
  fail_unless (ask (a, at, FALSE));
  expect_ask (sink, HERE + GST_SECOND, FALSE);
  fail_unless (ask (b, at + FRAME / 2, FALSE));
  UNTIL (element_stat (sink->element, "events-merged") == 1);
  fail_unless (ask (b, at + FRAME / 2, TRUE));
  expect_ask (sink, HERE + GST_SECOND + FRAME / 2, TRUE);
  fail_unless (ask (b, at + 2 * FRAME, FALSE));
  expect_ask (sink, HERE + GST_SECOND + 2 * FRAME, FALSE);
  mark (a, sink, "end");
  end (sink, a, b);
}
GST_END_TEST;

#define AHEAD_MAX 16

/* Encoders keep them all. */
GST_START_TEST (one_consumer_asks_only_so_far_ahead)
{
  GstHarness *sink = live_sink (""), *a = reader (sink, "");
  GstHarness *b = reader (sink, "");
  GstClockTime at = HERE + AHEAD + GST_SECOND;
  for (guint i = 0; i < 2 * AHEAD_MAX; i++)
    fail_unless (ask (a, at + i * 7 * FRAME, FALSE));
  for (guint i = 0; i < AHEAD_MAX; i++)
    expect_ask (sink, HERE + GST_SECOND + i * 7 * FRAME, FALSE);
  UNTIL (element_stat (sink->element, "events-refused") == AHEAD_MAX);
  fail_unless (ask (b, at + 500 * FRAME, FALSE));
  expect_ask (sink, HERE + GST_SECOND + 500 * FRAME, FALSE);
  fail_unless (ask (a, at + 500 * FRAME, TRUE));
  expect_ask (sink, HERE + GST_SECOND + 500 * FRAME, TRUE);
  fail_unless (ask (a, GST_CLOCK_TIME_NONE, FALSE));
  expect_ask (sink, GST_CLOCK_TIME_NONE, FALSE);
  mark (a, sink, "end");
  end (sink, a, b);
}
GST_END_TEST;

#define AT_ONCE_MAX 4

#define STORM 60

/* An encoder would make each frame a key unit. No two requests are the same, and all
 * are for what the stream has passed. */
GST_START_TEST (a_key_unit_at_once_is_asked_for_four_times_a_second)
{
  GstHarness *sink = live_sink (""), *a = reader (sink, "");
  GstHarness *b = reader (sink, "");
  gint64 since = g_get_monotonic_time ();
  guint64 pushed, most;
  for (guint i = 1; i <= STORM; i++) {
    GstClockTime at = HERE + AHEAD - i * 4 * FRAME;
    UNTIL (ask (a, at, FALSE));
    UNTIL (ask (b, at + 2 * FRAME, FALSE));
  }
  UNTIL (element_stat (sink->element, "events-pushed")
          + element_stat (sink->element, "events-merged")
      == 2 * STORM);
  pushed = element_stat (sink->element, "events-pushed");
  since = g_get_monotonic_time () - since;
  most = 2 * (AT_ONCE_MAX + (guint64) (since * 4 / G_USEC_PER_SEC) + 1);
  fail_unless (pushed >= AT_ONCE_MAX && pushed <= most, "%" G_GUINT64_FORMAT,
      pushed);
  expect_ask (sink, GST_CLOCK_TIME_NONE, FALSE);
  end (sink, a, b);
}
GST_END_TEST;

/* A few requests may come together. */
GST_START_TEST (a_key_unit_that_is_wanted_too_often_comes_later)
{
  GstHarness *sink = live_sink (""), *a = reader (sink, "");
  GstHarness *b = reader (sink, "");
  gint64 since = g_get_monotonic_time (), took;
  for (guint i = 1; i <= AT_ONCE_MAX; i++) {
    fail_unless (ask (a, HERE + AHEAD - i * 3 * FRAME, FALSE));
    expect_ask (sink, GST_CLOCK_TIME_NONE, FALSE);
  }
  took = g_get_monotonic_time () - since;
  fail_unless (ask (a, GST_CLOCK_TIME_NONE, TRUE));
  expect_ask (sink, GST_CLOCK_TIME_NONE, TRUE);
  since = g_get_monotonic_time () - since;
  /* on a slow machine it was not too often */
  fail_unless (since >= G_USEC_PER_SEC / 4 || took >= G_USEC_PER_SEC / 8);
  /* another consumer has an allowance of its own, and what waits goes with it */
  fail_unless (ask (a, HERE + AHEAD - 40 * FRAME, FALSE));
  fail_unless (ask (b, HERE + AHEAD - 50 * FRAME, FALSE));
  expect_ask (sink, GST_CLOCK_TIME_NONE, FALSE);
  UNTIL (element_stat (sink->element, "events-pushed")
          + element_stat (sink->element, "events-merged")
      == AT_ONCE_MAX + 3);
  end (sink, a, b);
}
GST_END_TEST;

GST_START_TEST (instants_of_one_consumer_may_be_close)
{
  GstHarness *sink = live_sink (""), *a = reader (sink, "");
  GstClockTime at = HERE + AHEAD + GST_SECOND;
  for (guint i = 0; i < AHEAD_MAX; i++) {
    fail_unless (ask (a, at + i * 2 * FRAME, FALSE));
    expect_ask (sink, HERE + GST_SECOND + i * 2 * FRAME, FALSE);
  }
  fail_unless (ask (a, at + AHEAD_MAX * 2 * FRAME, FALSE));
  UNTIL (element_stat (sink->element, "events-refused") == 1);
  end (sink, a, NULL);
}
GST_END_TEST;

/* Until the mailbox has room: QoS does not wait for it. */
static void
send_qos (GstHarness *src, GstQOSType type, gdouble proportion,
    GstClockTime time)
{
  UNTIL (gst_harness_push_upstream_event (src,
      gst_event_new_qos (type, proportion, 5, time)));
}

GST_START_TEST (qos_goes_up_while_all_are_late)
{
  GstHarness *sink = live_sink (""), *a = reader (sink, "");
  GstHarness *b = reader (sink, "");
  GstEvent *event;
  GstQOSType type;
  gdouble proportion;
  GstClockTimeDiff diff;
  GstClockTime time;
  UNTIL (element_stat (sink->element, "num-consumers") == 2);
  send_qos (a, GST_QOS_TYPE_UNDERFLOW, 1.5, HERE + AHEAD + 9);
  mark (a, sink, "one-is-late");
  send_qos (b, GST_QOS_TYPE_UNDERFLOW, 2.5, HERE + AHEAD);
  event = next_up (sink, GST_EVENT_QOS);
  gst_event_parse_qos (event, &type, &proportion, &diff, &time);
  gst_event_unref (event);
  fail_unless (type == GST_QOS_TYPE_UNDERFLOW && proportion == 1.5);
  fail_unless_equals_uint64 (time, HERE);
  send_qos (b, GST_QOS_TYPE_OVERFLOW, 0.5, HERE + AHEAD);
  mark (b, sink, "in-time-again");
  fail_if (gst_harness_push_upstream_event (b,
      gst_event_new_qos (GST_QOS_TYPE_OVERFLOW, 0.5, 5, HERE)));
  send_qos (a, GST_QOS_TYPE_UNDERFLOW, 1.5, HERE + AHEAD);
  mark (a, sink, "end");
  end (sink, a, b);
}
GST_END_TEST;

GST_START_TEST (a_reliable_consumer_needs_every_buffer)
{
  GstHarness *sink = live_sink (""), *a = reader (sink, "");
  GstHarness *b = reader (sink, "delivery=reliable");
  UNTIL (element_stat (sink->element, "num-consumers") == 2);
  fail_if (gst_harness_push_upstream_event (b,
      gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 2.0, 5, HERE)));
  send_qos (a, GST_QOS_TYPE_UNDERFLOW, 1.5, HERE + AHEAD);
  mark (a, sink, "end");
  end (sink, a, b);
}
GST_END_TEST;

static void
check_whole (GstHarness *src, GstHarness *sink, GstEvent *event)
{
  GstEventType type = GST_EVENT_TYPE (event);
  g_autoptr (GstStructure) sent =
      gst_structure_copy (gst_event_get_structure (event));
  GstEvent *came;
  fail_unless (gst_harness_push_upstream_event (src, event));
  came = next_up (sink, type);
  fail_unless (gst_structure_is_equal (gst_event_get_structure (came), sent));
  gst_event_unref (came);
}

static GstStructure *
content (const gchar *name)
{
  return gst_structure_new (name, "event", G_TYPE_STRING, "mouse-move",
      "pointer_x", G_TYPE_DOUBLE, 3.0, "n", G_TYPE_INT, 4, NULL);
}

GST_START_TEST (other_events_cross_as_they_are)
{
  static const GstEventType types[] = { GST_EVENT_CUSTOM_UPSTREAM,
    GST_EVENT_CUSTOM_BOTH, GST_EVENT_CUSTOM_BOTH_OOB };
  GstHarness *sink = live_sink (""), *src = reader (sink, "");
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    check_whole (src, sink, gst_event_new_custom (types[i], content ("mine")));
  check_whole (src, sink,
      gst_event_new_navigation (content ("application/x-gst-navigation")));
  end (sink, src, NULL);
}
GST_END_TEST;

/* The mailbox holds one. */
GST_START_TEST (events_one_upon_the_other_all_arrive)
{
  GstHarness *sink = live_sink (""), *src = reader (sink, "");
  for (gint i = 0; i < 200; i++)
    fail_unless (gst_harness_push_upstream_event (src,
        gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
            gst_structure_new ("burst", "i", G_TYPE_INT, i, NULL))));
  for (gint i = 0; i < 200; i++) {
    GstEvent *event = next_up (sink, GST_EVENT_CUSTOM_UPSTREAM);
    gint number = -1;
    gst_structure_get_int (gst_event_get_structure (event), "i", &number);
    fail_unless_equals_int (number, i);
    gst_event_unref (event);
  }
  fail_unless_equals_uint64 (element_stat (src->element, "events-sent"), 200);
  end (sink, src, NULL);
}
GST_END_TEST;

GST_START_TEST (what_does_not_cross_is_refused)
{
  GstHarness *sink = live_sink (""), *src = reader (sink, "");
  GstHarness *alone;
  g_autofree gchar *text = g_strnfill (2000, 'a');
  fail_if (gst_harness_push_upstream_event (src,
      gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
          gst_structure_new ("long", "text", G_TYPE_STRING, text, NULL))));
  fail_if (gst_harness_push_upstream_event (src,
      gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
          gst_structure_new ("no-text", "p", G_TYPE_POINTER, src, NULL))));
  fail_if (gst_harness_push_upstream_event (src,
      gst_event_new_step (GST_FORMAT_BUFFERS, 1, 1.0, TRUE, FALSE)));
  fail_unless_equals_uint64 (element_stat (src->element, "events-refused"), 2);
  end (sink, src, NULL);
  alone = harness_src ("");
  fail_if (ask (alone, GST_CLOCK_TIME_NONE, FALSE));
  fail_if (gst_harness_push_upstream_event (alone,
      gst_event_new_reconfigure ()));
  gst_harness_teardown (alone);
}
GST_END_TEST;

/* A consumer knows them with its first buffer. */
GST_START_TEST (only_events_of_event_types_go_up)
{
  GstHarness *sink = live_sink ("event-types=custom-upstream");
  GstHarness *src = reader (sink, "");
  fail_if (ask (src, GST_CLOCK_TIME_NONE, FALSE));
  fail_if (gst_harness_push_upstream_event (src,
      gst_event_new_navigation (content ("application/x-gst-navigation"))));
  fail_if (gst_harness_push_upstream_event (src, gst_event_new_reconfigure ()));
  fail_unless_equals_uint64 (element_stat (src->element, "events-refused"), 3);
  mark (src, sink, "end");
  fail_unless_equals_uint64 (element_stat (src->element, "events-sent"), 1);
  end (sink, src, NULL);
}
GST_END_TEST;

/* Of a consumer that does not know, or that does not care. */
GST_START_TEST (the_sink_refuses_what_it_excludes)
{
  static const guint8 key_unit[24] = { 1 };
  GstHarness *sink = live_sink ("event-types=custom-upstream");
  GstHarness *src = reader (sink, "");
  guint64 before = element_stat (sink->element, "events-refused");
  DatahubConsumer *consumer = NULL;
  fail_unless_equals_int (datahub_consumer_attach ("test", NULL, &consumer,
                              NULL),
      DATAHUB_OK);
  fail_unless_equals_int (datahub_consumer_post_event (consumer, key_unit, 20,
                              NULL),
      DATAHUB_OK);
  UNTIL (element_stat (sink->element, "events-refused") > before);
  datahub_consumer_request (consumer, DATAHUB_REQUEST_RECONFIGURE);
  UNTIL (element_stat (sink->element, "events-refused") > before + 1);
  mark (src, sink, "end");
  datahub_consumer_close (consumer);
  end (sink, src, NULL);
}
GST_END_TEST;

static void
push_frame (GstHarness *sink, GstHarness *src)
{
  GstBuffer *buffer = bytes_buffer (10, 1);
  GST_BUFFER_PTS (buffer) = HERE;
  fail_unless_equals_int (gst_harness_push (sink, buffer), GST_FLOW_OK);
  gst_buffer_unref (gst_harness_pull (src));
}

/* Also beyond a new stream; none of it is for downstream. */
GST_START_TEST (a_change_of_event_types_reaches_the_consumers)
{
  GstHarness *sink = live_sink (""), *src = reader (sink, "");
  GstEvent *event;
  fail_unless (ask (src, GST_CLOCK_TIME_NONE, FALSE));
  expect_ask (sink, GST_CLOCK_TIME_NONE, FALSE);
  gst_util_set_object_arg (G_OBJECT (sink->element), "event-types", "qos");
  push_frame (sink, src);
  fail_if (ask (src, GST_CLOCK_TIME_NONE, FALSE));
  gst_harness_push_event (sink, gst_event_new_stream_start ("another"));
  gst_util_set_object_arg (G_OBJECT (sink->element), "event-types",
      "qos+force-key-unit");
  push_frame (sink, src);
  fail_unless (ask (src, GST_CLOCK_TIME_NONE, TRUE));
  expect_ask (sink, GST_CLOCK_TIME_NONE, TRUE);
  while ((event = gst_harness_try_pull_event (src))) {
    fail_if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY);
    gst_event_unref (event);
  }
  end (sink, src, NULL);
}
GST_END_TEST;

GST_START_TEST (bytes_that_make_no_sense_are_counted)
{
  static const guint8 junk[][4] = { { 0 }, { 1 }, { 2 }, { 3 }, { 4 }, { 99 } };
  GstHarness *sink = live_sink (""), *src = reader (sink, "");
  DatahubConsumer *consumer = NULL;
  fail_unless_equals_int (datahub_consumer_attach ("test", NULL, &consumer,
                              NULL),
      DATAHUB_OK);
  for (guint i = 0; i < G_N_ELEMENTS (junk); i++)
    UNTIL (datahub_consumer_post_event (consumer, junk[i], sizeof junk[i], NULL)
        == DATAHUB_OK);
  UNTIL (element_stat (sink->element, "events-damaged") == G_N_ELEMENTS (junk));
  mark (src, sink, "end");
  datahub_consumer_close (consumer);
  end (sink, src, NULL);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_key_unit_is_asked_for_in_the_time_of_the_producer);
  tcase_add_test (tc, what_the_stream_has_passed_is_wanted_now);
  tcase_add_test (tc, an_instant_is_asked_for_once);
  tcase_add_test (tc, one_consumer_asks_only_so_far_ahead);
  tcase_add_test (tc, a_key_unit_at_once_is_asked_for_four_times_a_second);
  tcase_add_test (tc, a_key_unit_that_is_wanted_too_often_comes_later);
  tcase_add_test (tc, instants_of_one_consumer_may_be_close);
  tcase_add_test (tc, qos_goes_up_while_all_are_late);
  tcase_add_test (tc, a_reliable_consumer_needs_every_buffer);
  tcase_add_test (tc, other_events_cross_as_they_are);
  tcase_add_test (tc, events_one_upon_the_other_all_arrive);
  tcase_add_test (tc, what_does_not_cross_is_refused);
  tcase_add_test (tc, only_events_of_event_types_go_up);
  tcase_add_test (tc, the_sink_refuses_what_it_excludes);
  tcase_add_test (tc, a_change_of_event_types_reaches_the_consumers);
  tcase_add_test (tc, bytes_that_make_no_sense_are_counted);
}

SANDBOX_MAIN (upstream)
