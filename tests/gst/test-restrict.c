/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consumers that accept only some caps. */
#include "messages.h"
#include "numbers.h"
#include "producer.h"
#include "sandbox.h"
#include "until.h"

#include <datahub/types.h>

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

#define SINK "datahubsink name=sink datablock=test "
#define CAMERA "videotestsrc is-live=true ! " SINK
#define VIEWER(caps) "datahubsrc datablock=test num-buffers=5 ! " caps

static GstElement *
play (const gchar *line)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  fail_unless (GST_IS_PIPELINE (pipeline));
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  return pipeline;
}

static void
stop (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

static void
expect_end (GstElement *viewer)
{
  g_autoptr (GstMessage) message =
      wait_message (viewer, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
}

static gint
width_at (GstElement *sink)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  gint width = 0;
  if (caps)
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
  return width;
}

static void
expect_width (GstElement *sink, gint expected)
{
  fail_unless_equals_int (width_at (sink), expected);
}

/* Returns when it has buffers. */
static GstElement *
play_until_data (const gchar *line)
{
  GstElement *viewer = play (line);
  g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (viewer), "src");
  UNTIL (element_stat (src, "zero-copy") + element_stat (src, "copied") > 2);
  return viewer;
}

GST_START_TEST (what_a_consumer_reads_is_negotiated)
{
  Producer a = producer_start (CAMERA);
  GstElement *viewer = play (VIEWER ("video/x-raw,width=128 ! fakesink"));
  expect_end (viewer);
  expect_width (a.sink, 128);
  fail_unless_equals_uint64 (element_stat (a.sink, "renegotiations"), 1);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

/* It takes all formats of raw video itself, but cannot make other widths. */
GST_START_TEST (what_is_behind_a_converter_is_negotiated)
{
  Producer a = producer_start (CAMERA);
  GstElement *viewer =
      play (VIEWER ("videoconvert ! video/x-raw,width=128 ! fakesink"));
  expect_end (viewer);
  expect_width (a.sink, 128);
  fail_unless_equals_uint64 (element_stat (a.sink, "renegotiations"), 1);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

GST_START_TEST (a_converter_that_converts_restricts_nothing)
{
  Producer a = producer_start (CAMERA);
  GstElement *viewer = play (
      VIEWER ("videoconvert ! videoscale ! video/x-raw,width=128 ! fakesink"));
  expect_end (viewer);
  expect_width (a.sink, 320);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

static GstPadProbeReturn
answer_narrowly (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);
  g_autoptr (GstCaps) caps = NULL;
  if (GST_QUERY_TYPE (query) != GST_QUERY_CAPS)
    return GST_PAD_PROBE_OK;
  caps = gst_caps_from_string ("video/x-raw, width=128");
  gst_query_set_caps_result (query, caps);
  return GST_PAD_PROBE_HANDLED;
}

/* Some elements answer with less than they take. */
GST_START_TEST (caps_that_are_taken_are_pushed_in_the_end)
{
  Producer a = producer_start (CAMERA "restrict-caps=none");
  GstElement *viewer =
      gst_parse_launch (VIEWER ("identity name=first ! fakesink name=end"),
          NULL);
  g_autoptr (GstElement) first =
      gst_bin_get_by_name (GST_BIN (viewer), "first");
  g_autoptr (GstElement) end = gst_bin_get_by_name (GST_BIN (viewer), "end");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (first, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, answer_narrowly,
      NULL, NULL);
  gst_element_set_state (viewer, GST_STATE_PLAYING);
  expect_end (viewer);
  expect_width (end, 320);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

GST_START_TEST (a_consumer_that_reads_other_caps_from_now_on_is_followed)
{
  Producer a = producer_start (CAMERA);
  GstElement *viewer =
      play_until_data ("datahubsrc name=src datablock=test ! capsfilter "
                       "name=filter ! fakesink name=end");
  g_autoptr (GstElement) filter =
      gst_bin_get_by_name (GST_BIN (viewer), "filter");
  g_autoptr (GstElement) end = gst_bin_get_by_name (GST_BIN (viewer), "end");
  g_autoptr (GstCaps) caps = gst_caps_from_string ("video/x-raw, width=128");
  g_object_set (filter, "caps", caps, NULL);
  UNTIL (width_at (end) == 128);
  /* a pad has its caps after the consumers */
  UNTIL (width_at (a.sink) == 128);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

/* How many of its messages have this word, of all that it has posted. */
static guint
count_told (GstElement *pipeline, GstMessageType type, const gchar *word)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  guint n = 0;
  while ((message = gst_bus_pop_filtered (bus, type))) {
    g_autoptr (GError) told = NULL;
    if (type == GST_MESSAGE_INFO)
      gst_message_parse_info (message, &told, NULL);
    else
      gst_message_parse_warning (message, &told, NULL);
    n += strstr (told->message, word) != NULL;
    gst_message_unref (message);
  }
  return n;
}

/* The reliable consumer waits for other caps before it passes any buffer on. */
GST_START_TEST (buffers_of_caps_that_do_not_fit_are_counted_and_named_once)
{
  Producer a = producer_start (CAMERA);
  GstElement *viewer;
  g_autoptr (GstElement) src = NULL;
  guint64 before;
  UNTIL (element_stat (a.sink, "buffers") > 0);
  viewer = play_until_data ("datahubsrc name=src datablock=test "
                            "start-at=oldest delivery=reliable ! "
                            "video/x-raw,width=128 ! fakesink");
  src = gst_bin_get_by_name (GST_BIN (viewer), "src");
  before = element_stat (src, "skipped");
  fail_unless (before > 0);
  fail_unless_equals_int (count_told (viewer, GST_MESSAGE_INFO, "`skipped`"),
      1);
  UNTIL (element_stat (src, "received") > before + 10);
  fail_unless_equals_uint64 (element_stat (src, "skipped"), before);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

GST_START_TEST (a_consumer_may_be_first)
{
  GstElement *viewer = play (VIEWER ("video/x-raw,width=128 ! fakesink"));
  Producer a = producer_start (CAMERA "wait-for-consumers=1");
  expect_end (viewer);
  expect_width (a.sink, 128);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

static void
expect_refused (GstElement *viewer)
{
  expect_error (viewer, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
      "=(int)128");
}

/* That it was reported once, with @word. */
static void
expect_left (Producer *a, const gchar *word)
{
  fail_unless_equals_uint64 (element_stat (a->sink, "limits-left"), 1);
  fail_unless_equals_int (count_told (a->pipeline, GST_MESSAGE_WARNING, word),
      1);
}

GST_START_TEST (limits_that_upstream_cannot_meet_are_reported)
{
  Producer a = producer_start ("videotestsrc is-live=true ! "
                               "video/x-raw,width=64 ! " SINK);
  GstElement *viewer = play ("datahubsrc datablock=test consumer-name=tv ! "
                             "video/x-raw,width=128 ! fakesink");
  expect_refused (viewer);
  expect_left (&a,
      "by the consumer \"tv\" cannot be applied, and that "
      "consumer gets no buffers: upstream cannot produce it");
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

GST_START_TEST (caps_do_not_move_beside_a_consumer_that_states_nothing)
{
  Producer a = producer_start (CAMERA);
  GstElement *earlier =
      play_until_data ("datahubsrc name=src datablock=test ! fakesink");
  GstElement *later = play (VIEWER ("video/x-raw,width=128 ! fakesink"));
  expect_refused (later);
  expect_width (a.sink, 320);
  fail_unless_equals_uint64 (element_stat (a.sink, "renegotiations"), 0);
  expect_left (&a, "restrict-caps=all");
  stop (later);
  stop (earlier);
  producer_end (&a);
}
GST_END_TEST;

GST_START_TEST (caps_move_if_all_that_are_attached_read_them)
{
  Producer a = producer_start (CAMERA);
  GstElement *earlier =
      play_until_data ("datahubsrc name=src datablock=test delivery=reliable ! "
                       "video/x-raw,width=[100,400] ! fakesink");
  g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (earlier), "src");
  GstElement *later = play (VIEWER ("video/x-raw,width=128 ! fakesink"));
  GstElement *third;
  expect_end (later);
  expect_width (a.sink, 128);
  stop (later);
  third = play (VIEWER ("video/x-raw,width=500 ! fakesink"));
  expect_refused (third);
  expect_width (a.sink, 128);
  fail_unless_equals_uint64 (element_stat (src, "lost"), 0);
  expect_left (&a, "earlier consumers");
  stop (third);
  stop (earlier);
  producer_end (&a);
}
GST_END_TEST;

static void
view (const gchar *line)
{
  GstElement *viewer = play (line);
  expect_end (viewer);
  stop (viewer);
}

GST_START_TEST (upstream_is_asked_once_a_second_at_most)
{
  gint64 before = g_get_monotonic_time ();
  Producer a = producer_start (CAMERA);
  view (VIEWER ("video/x-raw,width=128 ! fakesink"));
  view (VIEWER ("video/x-raw,width=144 ! fakesink"));
  fail_unless (g_get_monotonic_time () - before >= G_USEC_PER_SEC);
  fail_unless_equals_uint64 (element_stat (a.sink, "renegotiations"), 2);
  producer_end (&a);
}
GST_END_TEST;

static GstPadProbeReturn
refuse (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  gst_clear_buffer ((GstBuffer **) &GST_PAD_PROBE_INFO_DATA (info));
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = GST_FLOW_NOT_NEGOTIATED;
  return GST_PAD_PROBE_HANDLED;
}

/* Downstream accepts the caps, and refuses the buffers. */
GST_START_TEST (a_buffer_that_is_not_negotiated_names_both_sides)
{
  GstElement *viewer =
      gst_parse_launch ("datahubsrc name=src datablock=test ! fakesink", NULL);
  g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (viewer), "src");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (src, "src");
  Producer a = producer_start (CAMERA);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, refuse, NULL, NULL);
  gst_element_set_state (viewer, GST_STATE_PLAYING);
  expect_error (viewer, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
      "Downstream accepts: ANY");
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

GST_START_TEST (restrict_caps_none_leaves_the_choice_to_upstream)
{
  Producer a = producer_start (CAMERA "restrict-caps=none");
  GstElement *viewer = play (VIEWER ("video/x-raw,width=128 ! fakesink"));
  expect_refused (viewer);
  expect_width (a.sink, 320);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

GST_START_TEST (limits_that_are_too_long_are_left_out_with_a_warning)
{
  GString *caps = g_string_new ("a/b");
  g_autofree gchar *line = NULL;
  GstElement *viewer;
  Producer a = producer_start (CAMERA);
  for (guint i = 0; i < 300; i++)
    g_string_append_printf (caps, "; a%u/b", i);
  line = g_strdup_printf ("datahubsrc datablock=test ! capsfilter "
                          "caps=\"%s\" ! fakesink",
      caps->str);
  viewer = play (line);
  gst_message_unref (wait_message (viewer, GST_MESSAGE_WARNING));
  expect_error (viewer, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION, "a/b");
  g_string_free (caps, TRUE);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

/* Caps of width 128; their text has so many bytes, without its end. */
static gchar *
long_limits (gsize size)
{
  g_autofree gchar *text = NULL, *line = NULL;
  for (gsize n = size - 100; n < size; n++) {
    g_autofree gchar *fill = g_strnfill (n, 'x');
    g_autoptr (GstCaps) caps = NULL;
    g_free (g_steal_pointer (&line));
    g_free (g_steal_pointer (&text));
    line = g_strdup_printf ("video/x-raw,width=128; a/b,x=(string)%s", fill);
    caps = gst_caps_simplify (gst_caps_from_string (line));
    text = gst_caps_serialize (caps, GST_SERIALIZE_FLAG_NONE);
    if (strlen (text) == size)
      return g_steal_pointer (&line);
  }
  fail ("no such caps");
  return NULL;
}

static GstElement *
play_limited (gsize size)
{
  g_autofree gchar *caps = long_limits (size);
  g_autofree gchar *line = g_strdup_printf (
      "datahubsrc datablock=test num-buffers=5 ! capsfilter caps=\"%s\" ! "
      "fakesink",
      caps);
  return play (line);
}

GST_START_TEST (the_longest_limits_cross_and_one_byte_more_does_not)
{
  Producer a = producer_start (CAMERA);
  GstElement *viewer = play_limited (DATAHUB_LIMITS_MAX);
  gst_message_unref (wait_message (viewer, GST_MESSAGE_WARNING));
  expect_refused (viewer);
  expect_width (a.sink, 320);
  stop (viewer);
  viewer = play_limited (DATAHUB_LIMITS_MAX - 1);
  expect_end (viewer);
  expect_width (a.sink, 128);
  fail_unless_equals_int (count_told (viewer, GST_MESSAGE_WARNING, ""), 0);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

/* The formats of a converter are too many to state, and restrict nothing. */
GST_START_TEST (a_converter_is_no_reason_for_a_warning)
{
  Producer a = producer_start (CAMERA);
  GstElement *viewer = play_until_data ("datahubsrc name=src datablock=test ! "
                                        "videoconvert ! fakesink");
  GstMessage *message =
      gst_bus_pop_filtered (GST_ELEMENT_BUS (viewer), GST_MESSAGE_WARNING);
  fail_unless (message == NULL, "%" GST_PTR_FORMAT, message);
  stop (viewer);
  producer_end (&a);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_caps_query_is_answered_with_those_of_the_stream);
  tcase_add_test (tc, a_refusal_names_both_sides);
  tcase_add_test (tc, what_a_consumer_reads_is_negotiated);
  tcase_add_test (tc, what_is_behind_a_converter_is_negotiated);
  tcase_add_test (tc, a_converter_that_converts_restricts_nothing);
  tcase_add_test (tc, caps_that_are_taken_are_pushed_in_the_end);
  tcase_add_test (tc, a_consumer_that_reads_other_caps_from_now_on_is_followed);
  tcase_add_test (tc,
      buffers_of_caps_that_do_not_fit_are_counted_and_named_once);
  tcase_add_test (tc, a_consumer_may_be_first);
  tcase_add_test (tc, limits_that_upstream_cannot_meet_are_reported);
  tcase_add_test (tc, caps_do_not_move_beside_a_consumer_that_states_nothing);
  tcase_add_test (tc, caps_move_if_all_that_are_attached_read_them);
  tcase_add_test (tc, upstream_is_asked_once_a_second_at_most);
  tcase_add_test (tc, a_buffer_that_is_not_negotiated_names_both_sides);
  tcase_add_test (tc, restrict_caps_none_leaves_the_choice_to_upstream);
  tcase_add_test (tc, limits_that_are_too_long_are_left_out_with_a_warning);
  tcase_add_test (tc, the_longest_limits_cross_and_one_byte_more_does_not);
  tcase_add_test (tc, a_converter_is_no_reason_for_a_warning);
}

SANDBOX_MAIN (restrict)
