/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is refused, each with its own error on the bus. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"
#include "producer.h"

static void
expect_start_error (const gchar *line, GQuark domain, gint code,
    const gchar *word)
{
  GstElement *element = gst_parse_launch (line, NULL);
  g_autoptr (GstBus) bus = gst_bus_new ();
  gst_object_ref_sink (element);
  gst_element_set_bus (element, bus);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_PAUSED),
      GST_STATE_CHANGE_FAILURE);
  expect_error (element, domain, code, word);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
}

GST_START_TEST (wrong_names_are_refused)
{
  static const gchar *const names[] = { "\"\"", "../x", "-a", "\"a b\"",
    "a123456789a123456789a123456789a123456789a123456789a123456789a1234" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree gchar *sink =
        g_strdup_printf ("datahubsink datablock=%s", names[i]);
    g_autofree gchar *src =
        g_strdup_printf ("datahubsrc datablock=%s", names[i]);
    expect_start_error (sink, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "");
    expect_start_error (src, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "");
  }
}
GST_END_TEST;

GST_START_TEST (a_wrong_mode_is_refused)
{
  expect_start_error ("datahubsink shm-mode=rw", GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS, "rw");
  expect_start_error ("datahubsink shm-mode=0777", GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS, "0777");
}
GST_END_TEST;

GST_START_TEST (a_mode_for_other_users_needs_strict)
{
  static const gchar *const modes[] = { "0640", "0660", "0666", "0604", "0602",
    "0644", "0620" };
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++) {
    g_autofree gchar *sink =
        g_strdup_printf ("datahubsink shm-mode=%s", modes[i]);
    g_autofree gchar *strict =
        g_strdup_printf ("datahubsink strict=true shm-mode=%s", modes[i]);
    GstElement *element;
    expect_start_error (sink, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "strict");
    element = gst_object_ref_sink (gst_parse_launch (strict, NULL));
    fail_unless_equals_int (gst_element_set_state (element, GST_STATE_PAUSED),
        GST_STATE_CHANGE_ASYNC);
    gst_element_set_state (element, GST_STATE_NULL);
    gst_object_unref (element);
  }
}
GST_END_TEST;

GST_START_TEST (a_second_producer_is_refused)
{
  GstHarness *sink = number_sink ("");
  push_number (sink, 1);
  expect_start_error ("datahubsink datablock=test", GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_BUSY, "\"test\"");
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Runs until an error: of both, only the later one can publish last. */
GST_START_TEST (of_two_that_start_at_once_one_is_refused)
{
  Producer a = producer_start ("videotestsrc ! datahubsink name=sink "
                               "datablock=test wait-for-consumers=1");
  GstElement *other;
  gst_element_get_state (a.pipeline, NULL, NULL, 10 * GST_SECOND);
  other = gst_parse_launch ("videotestsrc ! datahubsink datablock=test", NULL);
  fail_unless_equals_int (gst_element_set_state (other, GST_STATE_PLAYING),
      GST_STATE_CHANGE_FAILURE);
  expect_error (other, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY, "\"test\"");
  gst_element_set_state (other, GST_STATE_NULL);
  gst_object_unref (other);
  producer_end (&a);
}
GST_END_TEST;

GST_START_TEST (the_consumer_table_can_be_full)
{
  GstHarness *sink = number_sink ("max-consumers=1"), *one, *two;
  push_number (sink, 1);
  one = harness_src ("");
  take_number (one, NULL);
  two = harness_src_heard ("");
  expect_error (two->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY,
      "max-consumers");
  gst_harness_teardown (one);
  gst_harness_teardown (two);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (what_does_not_fit_max_bytes_is_dropped_or_refused)
{
  GstHarness *sink = number_sink ("slots=4 slot-size=4096 max-bytes=400000");
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (sink->element, bus);
  push_number (sink, 1);
  fail_unless_equals_int (gst_harness_push (sink,
                              gst_buffer_new_allocate (NULL, 1000000, NULL)),
      GST_FLOW_ERROR);
  expect_error (sink->element, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NO_SPACE_LEFT, "");
  gst_object_unref (bus);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, wrong_names_are_refused);
  tcase_add_test (tc, a_wrong_mode_is_refused);
  tcase_add_test (tc, a_mode_for_other_users_needs_strict);
  tcase_add_test (tc, a_second_producer_is_refused);
  tcase_add_test (tc, of_two_that_start_at_once_one_is_refused);
  tcase_add_test (tc, the_consumer_table_can_be_full);
  tcase_add_test (tc, what_does_not_fit_max_bytes_is_dropped_or_refused);
}

SANDBOX_MAIN (refusals)
