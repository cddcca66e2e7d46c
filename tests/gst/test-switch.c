/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties that are set while an element runs: they apply, or are refused. */
#include "messages.h"
#include "numbers.h"
#include "producer.h"
#include "sandbox.h"
#include "until.h"

#define OTHER_CAPS "application/x-other"

static GstHarness *
other_sink (void)
{
  GstHarness *h = gst_harness_new_parse (
      "datahubsink sync=false async=false datablock=other");
  gst_harness_set_src_caps_str (h, OTHER_CAPS);
  return h;
}

static void
expect_name (GstElement *element, const gchar *expected)
{
  g_autofree gchar *name = NULL;
  g_object_get (element, "datablock", &name, NULL);
  fail_unless_equals_string (name, expected);
}

static void
expect_warning (GstElement *element, const gchar *word)
{
  g_autoptr (GstMessage) message = wait_message (element, GST_MESSAGE_WARNING);
  g_autoptr (GError) error = NULL;
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS));
  fail_unless (strstr (error->message, word) != NULL, "%s", error->message);
}

/* The next event of this type that a source pushed. */
static GstEvent *
take_event (GstHarness *h, GstEventType type)
{
  for (;;) {
    GstEvent *event = gst_harness_pull_event (h);
    fail_unless (event != NULL);
    if (GST_EVENT_TYPE (event) == type)
      return event;
    gst_event_unref (event);
  }
}

static void
expect_caps (GstHarness *h, const gchar *text)
{
  g_autoptr (GstEvent) event = take_event (h, GST_EVENT_CAPS);
  g_autoptr (GstCaps) expected = gst_caps_from_string (text);
  GstCaps *caps;
  gst_event_parse_caps (event, &caps);
  fail_unless (gst_caps_is_equal (caps, expected), "%" GST_PTR_FORMAT, caps);
}

GST_START_TEST (a_source_goes_over_to_another_name)
{
  GstHarness *sink = number_sink (""), *other = other_sink (), *src;
  gboolean discont;
  push_number (sink, 1);
  push_number (other, 101);
  src = harness_src ("start-at=oldest");
  fail_unless_equals_int (take_number (src, NULL), 1);
  expect_caps (src, TEST_CAPS);
  gst_event_unref (take_event (src, GST_EVENT_SEGMENT));
  g_object_set (src->element, "datablock", "other", NULL);
  fail_unless_equals_int (take_number (src, &discont), 101);
  fail_unless (discont);
  gst_event_unref (take_event (src, GST_EVENT_STREAM_START));
  expect_caps (src, OTHER_CAPS);
  gst_event_unref (take_event (src, GST_EVENT_SEGMENT));
  expect_name (src->element, "other");
  fail_unless_equals_uint64 (element_stat (src->element, "received"), 2);
  g_object_set (src->element, "datablock", "test", NULL);
  fail_unless_equals_int (take_number (src, &discont), 1);
  fail_unless (discont);
  fail_unless_equals_uint64 (element_stat (src->element, "producers"), 3);
  gst_harness_teardown (src);
  gst_harness_teardown (other);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* It waits for a producer that never comes, then for one that is there. */
GST_START_TEST (a_source_that_waits_goes_over)
{
  GstHarness *src = harness_src (""), *other = other_sink ();
  until_asleep ("datahubsrc");
  g_object_set (src->element, "datablock", "other", NULL);
  push_number (other, 7);
  fail_unless_equals_int (take_number (src, NULL), 7);
  gst_harness_teardown (src);
  gst_harness_teardown (other);
}
GST_END_TEST;

GST_START_TEST (a_timeout_applies_to_a_source_that_waits)
{
  GstHarness *src = harness_src_heard ("");
  until_asleep ("datahubsrc");
  g_object_set (src->element, "timeout", G_GUINT64_CONSTANT (5), NULL);
  expect_error (src->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
      "within 5 ns (timeout is in nanoseconds");
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (a_name_that_is_not_valid_is_refused_and_the_stream_goes_on)
{
  GstHarness *sink = number_sink (""), *src = harness_src_heard ("");
  push_number (sink, 1);
  fail_unless_equals_int (take_number (src, NULL), 1);
  g_object_set (src->element, "datablock", "a/b", NULL);
  expect_warning (src->element, "datablock keeps its value");
  expect_name (src->element, "test");
  push_number (sink, 2);
  fail_unless_equals_int (take_number (src, NULL), 2);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_uri_switches_a_running_source_and_no_sink)
{
  GstHarness *sink = number_sink (""), *other = other_sink (), *src;
  g_autoptr (GError) error = NULL, again = NULL;
  push_number (sink, 1);
  push_number (other, 101);
  src = harness_src ("");
  fail_unless_equals_int (take_number (src, NULL), 1);
  fail_if (gst_uri_handler_set_uri (GST_URI_HANDLER (src->element),
      "datahub://other?delivery=reliable", &error));
  fail_unless (g_error_matches (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE));
  fail_unless (strstr (error->message, "delivery") != NULL);
  expect_name (src->element, "test");
  fail_unless (gst_uri_handler_set_uri (GST_URI_HANDLER (src->element),
      "datahub://other?timeout=7000000000", NULL));
  fail_unless_equals_int (take_number (src, NULL), 101);
  fail_if (gst_uri_handler_set_uri (GST_URI_HANDLER (sink->element),
      "datahub://third", &again));
  fail_unless (g_error_matches (again, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE));
  gst_harness_teardown (src);
  gst_harness_teardown (other);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
expect_refusal (GstElement *element, const gchar *property, guint value)
{
  guint before, after;
  g_object_get (element, property, &before, NULL);
  fail_unless (before != value);
  g_object_set (element, property, value, NULL);
  expect_warning (element, property);
  g_object_get (element, property, &after, NULL);
  fail_unless_equals_int (before, after);
}

GST_START_TEST (what_needs_ready_is_refused_by_a_running_element)
{
  GstHarness *sink = number_sink (""), *src;
  g_autoptr (GstBus) bus = gst_bus_new ();
  gst_element_set_bus (sink->element, bus);
  push_number (sink, 1);
  src = harness_src_heard ("");
  fail_unless_equals_int (take_number (src, NULL), 1);
  expect_refusal (sink->element, "slots", 77);
  expect_refusal (sink->element, "strict", TRUE);
  expect_refusal (src->element, "max-pinned", 3);
  expect_refusal (src->element, "delivery", 1);
  expect_refusal (src->element, "is-live", FALSE);
  g_object_set (sink->element, "datablock", "other", NULL);
  expect_warning (sink->element, "NULL and READY only");
  expect_name (sink->element, "test");
  push_number (sink, 2);
  fail_unless_equals_int (take_number (src, NULL), 2);
  gst_element_set_bus (sink->element, NULL);
  gst_harness_teardown (src);
  gst_element_set_state (sink->element, GST_STATE_READY);
  g_object_set (sink->element, "datablock", "other", NULL);
  expect_name (sink->element, "other");
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_sink_that_waits_for_consumers_follows_the_number)
{
  Producer a = producer_start ("fakesrc num-buffers=1 ! datahubsink name=sink "
                               "datablock=test wait-for-consumers=100");
  gst_element_get_state (a.pipeline, NULL, NULL, 20 * GST_SECOND);
  g_object_set (a.sink, "wait-for-consumers", 50, NULL);
  fail_unless (gst_element_set_state (a.pipeline, GST_STATE_PAUSED)
      != GST_STATE_CHANGE_FAILURE);
  gst_element_set_state (a.pipeline, GST_STATE_PLAYING);
  gst_element_get_state (a.pipeline, NULL, NULL, 20 * GST_SECOND);
  until_asleep ("fakesrc");
  g_object_set (a.sink, "wait-for-consumers", 0, NULL);
  gst_message_unref (wait_message (a.pipeline, GST_MESSAGE_EOS));
  producer_end (&a);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_source_goes_over_to_another_name);
  tcase_add_test (tc, a_source_that_waits_goes_over);
  tcase_add_test (tc, a_timeout_applies_to_a_source_that_waits);
  tcase_add_test (tc,
      a_name_that_is_not_valid_is_refused_and_the_stream_goes_on);
  tcase_add_test (tc, a_uri_switches_a_running_source_and_no_sink);
  tcase_add_test (tc, what_needs_ready_is_refused_by_a_running_element);
  tcase_add_test (tc, a_sink_that_waits_for_consumers_follows_the_number);
}

SANDBOX_MAIN (switch)
