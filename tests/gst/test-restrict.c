/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consumers that accept only some caps. */
#include "messages.h"
#include "numbers.h"
#include "producer.h"
#include "sandbox.h"

static void
expect_caps (GstPad *pad, const gchar *filter, const gchar *expected)
{
  g_autoptr (GstCaps) asked = filter ? gst_caps_from_string (filter) : NULL;
  g_autoptr (GstCaps) wanted = gst_caps_from_string (expected);
  g_autoptr (GstCaps) caps = gst_pad_query_caps (pad, asked);
  fail_unless (gst_caps_is_equal (caps, wanted), "%" GST_PTR_FORMAT, caps);
}

GST_START_TEST (a_caps_query_is_answered_with_those_of_the_stream)
{
  GstHarness *sink = number_sink (""), *src = harness_src ("");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (src->element, "src");
  expect_caps (pad, NULL, "ANY");
  expect_caps (pad, "a/b; c/d", "a/b; c/d");
  push_number (sink, 1);
  fail_unless_equals_int (take_number (src, NULL), 1);
  expect_caps (pad, NULL, TEST_CAPS);
  expect_caps (pad, "a/b; " TEST_CAPS, TEST_CAPS);
  expect_caps (pad, "a/b", "EMPTY");
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
expect_refusal (const gchar *line)
{
  Producer a = producer_start (
      "videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=48 "
      "! datahubsink name=sink datablock=test");
  g_autoptr (GError) error = run_until_error (line);
  fail_unless (g_error_matches (error, GST_CORE_ERROR,
      GST_CORE_ERROR_NEGOTIATION));
  fail_unless (strstr (error->message, "width=(int)64") != NULL
          && strstr (error->message, "accepts: audio/x-raw") != NULL,
      "%s", error->message);
  producer_end (&a);
}

GST_START_TEST (a_refusal_names_both_sides)
{
  expect_refusal ("datahubsrc datablock=test ! audio/x-raw ! fakesink");
  expect_refusal ("datahubsrc datablock=test ! queue ! audio/x-raw ! fakesink");
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_caps_query_is_answered_with_those_of_the_stream);
  tcase_add_test (tc, a_refusal_names_both_sides);
}

SANDBOX_MAIN (restrict)
