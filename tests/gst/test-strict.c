/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict blocks as users have them: strict=true on the sink, nothing on the
 * source. */
#include "place.h"

#include <datahub/block.h>
#include <signal.h>

#define TEST_PICTURE                                                           \
  "videotestsrc pattern=ball ! video/x-raw,width=64,height=64"
#define STRICT "datahubsink name=sink datablock=cam0 strict=true"

static void
take_buffers (Child *child, guint n)
{
  for (guint i = 0; i < n; i++)
    child_expect (child, "buffer show");
}

static void
stop (Child *child)
{
  child_signal (child, SIGINT);
  fail_unless_equals_int (child_end (child), 0);
}

/* Another process, growth in between, the end told; the memory has no name. */
static void
cross (const gchar *broker)
{
  Child *reader = child_start (
      "datahubsrc datablock=cam0 delivery=reliable %s ! fakesink name=show",
      broker);
  Child *writer = child_start ("videotestsrc num-buffers=30 ! "
                               "video/x-raw,width=320,height=240 ! " STRICT
                               " slot-size=4096 wait-for-consumers=1 %s",
      broker);
  guint n = 0, files;
  gchar *line;
  child_expect (reader, "buffer show");
  files = place_count_files ();
  while ((line = child_next (reader, "buffer"))) {
    n++;
    g_free (line);
  }
  fail_unless_equals_int (files, 3); /* entry, lock file, socket */
  fail_unless_equals_int (n, 29);
  fail_unless_equals_int (child_end (reader), 0);
  fail_unless_equals_int (child_end (writer), 0);
}

GST_START_TEST (a_strict_stream_crosses_without_a_broker)
{
  cross ("broker=none");
}
GST_END_TEST;

GST_START_TEST (a_strict_stream_crosses_with_the_brokers_introduction)
{
  cross ("broker=auto");
}
GST_END_TEST;

static GstMessage *
run_until_error (const gchar *line)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
      GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  fail_unless (message != NULL);
  return message;
}

/* Where a broker introduces, it alone does: being the same user is not enough. */
GST_START_TEST (who_was_not_introduced_is_refused)
{
  Child *writer = child_start (TEST_PICTURE " ! " STRICT " broker=auto");
  GstMessage *message;
  g_autoptr (GError) error = NULL;
  child_expect (writer, "playing");
  message =
      run_until_error ("datahubsrc datablock=cam0 broker=none ! fakesink");
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                   GST_RESOURCE_ERROR_NOT_AUTHORIZED),
      "%s", error->message);
  fail_unless (strstr (error->message, "ticket") != NULL, "%s", error->message);
  gst_message_unref (message);
  stop (writer);
}
GST_END_TEST;

/* Sealed memory is not taken over: the consumer goes on with a new block. */
GST_START_TEST (a_killed_strict_producer_is_replaced)
{
  Child *reader =
      child_start ("datahubsrc name=src datablock=cam0 ! fakesink name=show");
  for (guint round = 0; round < 3; round++) {
    Child *writer = child_start (TEST_PICTURE " ! " STRICT);
    take_buffers (reader, 10);
    if (round < 2) {
      child_signal (writer, SIGKILL);
      child_end (writer);
    } else
      stop (writer);
  }
  stop (reader);
}
GST_END_TEST;

/* A producer that stands still keeps nobody from stopping. */
GST_START_TEST (who_asks_a_stopped_producer_stops_at_once)
{
  Child *writer = child_start (TEST_PICTURE " ! " STRICT), *reader;
  gint64 start;
  child_expect (writer, "playing");
  child_signal (writer, SIGSTOP);
  reader = child_start ("datahubsrc datablock=cam0 ! fakesink name=show");
  child_expect (reader, "started");
  start = g_get_monotonic_time ();
  stop (reader);
  fail_unless (g_get_monotonic_time () - start < G_USEC_PER_SEC);
  child_signal (writer, SIGCONT);
  stop (writer);
}
GST_END_TEST;

/* The wish is kept where it can be; where not, that is said, once. */
GST_START_TEST (missing_huge_pages_are_said)
{
  GstElement *pipeline = gst_parse_launch (
      "videotestsrc num-buffers=5 ! video/x-raw,width=64,height=64 ! "
      "datahubsink name=sink datablock=cam0 hugepages=1G",
      NULL);
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GError) warning = NULL;
  g_autoptr (GstStructure) stats = NULL;
  GstMessage *message;
  guint64 page = 0;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
      GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &warning, NULL);
  fail_unless (strstr (warning->message, "strict=true") != NULL, "%s",
      warning->message);
  gst_message_unref (message);
  message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
      GST_MESSAGE_WARNING | GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
  gst_message_unref (message);
  g_object_get (sink, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, "page-size", &page));
  fail_unless (page >= 4096 && page < 1 << 30);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}
GST_END_TEST;

static Suite *
strict_suite (void)
{
  Suite *suite = suite_create ("strict");
  TCase *cases = tcase_create ("strict");
  suite_add_tcase (suite, cases);
  tcase_add_checked_fixture (cases, place_setup, place_teardown);
  tcase_add_test (cases, a_strict_stream_crosses_without_a_broker);
  tcase_add_test (cases, a_strict_stream_crosses_with_the_brokers_introduction);
  tcase_add_test (cases, who_was_not_introduced_is_refused);
  tcase_add_test (cases, a_killed_strict_producer_is_replaced);
  tcase_add_test (cases, who_asks_a_stopped_producer_stops_at_once);
  tcase_add_test (cases, missing_huge_pages_are_said);
  return suite;
}

GST_CHECK_MAIN (strict);
