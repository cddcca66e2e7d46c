/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict blocks as users have them: strict=true on the sink, nothing on the
 * source. */
#include "child.h"
#include "messages.h"
#include "sandbox.h"

#include <signal.h>

#define STRICT "datahubsink name=sink datablock=cam0 strict=true"

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
  guint files;
  child_expect (reader, "buffer show");
  files = sandbox_count_files ();
  fail_unless_equals_int (files, 3); /* entry, lock file, socket */
  fail_unless_equals_int (child_count_buffers (reader), 29);
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

/* Where a broker introduces, it alone does: being the same user is not enough. */
GST_START_TEST (who_was_not_introduced_is_refused)
{
  Child *writer = child_start (TEST_PICTURE " ! " STRICT " broker=auto");
  g_autoptr (GError) error = NULL;
  child_expect (writer, "playing");
  error = run_until_error ("datahubsrc datablock=cam0 broker=none ! fakesink");
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                   GST_RESOURCE_ERROR_NOT_AUTHORIZED),
      "%s", error->message);
  fail_unless (strstr (error->message, "ticket") != NULL, "%s", error->message);
  child_stop (writer);
}
GST_END_TEST;

/* Sealed memory is not taken over: the consumer goes on with a new block. */
GST_START_TEST (a_killed_strict_producer_is_replaced)
{
  Child *reader = child_consumer ("");
  for (guint round = 0; round < 3; round++) {
    Child *writer = child_start (TEST_PICTURE " ! " STRICT);
    child_take_buffers (reader, 10);
    if (round < 2)
      child_kill (writer);
    else
      child_stop (writer);
  }
  child_stop (reader);
}
GST_END_TEST;

/* A producer that stands still keeps nobody from stopping. */
GST_START_TEST (who_asks_a_stopped_producer_stops_at_once)
{
  Child *writer = child_start (TEST_PICTURE " ! " STRICT), *reader;
  child_expect (writer, "playing");
  child_halt (writer);
  reader = child_consumer ("");
  child_expect (reader, "started");
  child_stop (reader);
  child_signal (writer, SIGCONT);
  child_stop (writer);
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
  g_autoptr (GError) warning = NULL;
  g_autoptr (GstStructure) stats = NULL;
  GstMessage *message;
  guint64 page = 0;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = wait_message (pipeline, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &warning, NULL);
  fail_unless (strstr (warning->message, "strict=true") != NULL, "%s",
      warning->message);
  gst_message_unref (message);
  message = wait_message (pipeline,
      GST_MESSAGE_WARNING | GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
  gst_message_unref (message);
  g_object_get (sink, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, "page-size", &page));
  fail_unless (page >= 4096 && page < 1 << 30);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_strict_stream_crosses_without_a_broker);
  tcase_add_test (tc, a_strict_stream_crosses_with_the_brokers_introduction);
  tcase_add_test (tc, who_was_not_introduced_is_refused);
  tcase_add_test (tc, a_killed_strict_producer_is_replaced);
  tcase_add_test (tc, who_asks_a_stopped_producer_stops_at_once);
  tcase_add_test (tc, missing_huge_pages_are_said);
}

SANDBOX_MAIN (strict)
