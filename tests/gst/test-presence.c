/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a source reports about its producer: found, lost, waited for. */
#include "child.h"
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"

#include <signal.h>

/* The next element message of a source of this name, with @text in a field. A machine
 * that stands still for a second causes others in between. */
static GstMessage *
expect_word (GstElement *element, const gchar *name, const gchar *field,
    const gchar *text)
{
  for (;;) {
    GstMessage *message = wait_message (element, GST_MESSAGE_ELEMENT);
    const GstStructure *structure = gst_message_get_structure (message);
    fail_unless (GST_MESSAGE_SRC (message) == GST_OBJECT_CAST (element));
    if (gst_structure_has_name (structure, name)
        && g_strcmp0 (gst_structure_get_string (structure, field), text) == 0)
      return message;
    gst_message_unref (message);
  }
}

static void
expect_text (GstElement *element, const gchar *name, const gchar *field,
    const gchar *text)
{
  gst_message_unref (expect_word (element, name, field, text));
}

static void
expect_silence (GstElement *element, const gchar *reason)
{
  g_autoptr (GstMessage) message =
      expect_word (element, "datahub-waiting", "reason", reason);
  const GstStructure *structure = gst_message_get_structure (message);
  guint64 silence;
  fail_unless (gst_structure_get_uint64 (structure, "silence", &silence));
  fail_unless (silence >= GST_SECOND, "%" G_GUINT64_FORMAT, silence);
}

static void
produce (GstHarness *src, guint32 number)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1");
  push_number (sink, number);
  fail_unless_equals_int (take_number (src, NULL), number);
  expect_text (src->element, "datahub-producer-found", "datablock", "test");
  gst_harness_teardown (sink);
  expect_text (src->element, "datahub-producer-lost", "reason", "left");
}

GST_START_TEST (producers_are_reported_when_they_come_and_go)
{
  GstHarness *src = harness_src_heard ("start-at=oldest");
  expect_silence (src->element, "no-producer");
  produce (src, 1);
  expect_silence (src->element, "no-producer");
  produce (src, 2);
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (a_silent_producer_is_reported_and_found_again)
{
  GstHarness *sink = number_sink (""), *src;
  push_number (sink, 1);
  src = harness_src_heard ("start-at=oldest");
  fail_unless_equals_int (take_number (src, NULL), 1);
  expect_text (src->element, "datahub-producer-found", "datablock", "test");
  expect_silence (src->element, "no-data");
  push_number (sink, 2);
  fail_unless_equals_int (take_number (src, NULL), 2);
  expect_text (src->element, "datahub-producer-found", "datablock", "test");
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_killed_producer_has_died)
{
  GstElement *pipeline =
      gst_parse_launch ("datahubsrc name=src datablock=cam0 ! fakesink", NULL);
  GstElement *src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
  Child *producer = child_producer ("");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (gboolean lost = FALSE; !lost;) {
    g_autoptr (GstMessage) message =
        wait_message (pipeline, GST_MESSAGE_ELEMENT);
    if (gst_message_has_name (message, "datahub-producer-found"))
      child_signal (producer, SIGKILL);
    lost = gst_message_has_name (message, "datahub-producer-lost");
    if (lost)
      fail_unless_equals_string (
          gst_structure_get_string (gst_message_get_structure (message),
              "reason"),
          "died");
  }
  child_end (producer);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (src);
  gst_object_unref (pipeline);
}
GST_END_TEST;

typedef struct
{
  GMutex lock;
  GAsyncQueue *queue; /* of texts */
  gboolean pause; /* the lock */
} Heard;

static void
hear (GstElement *src, const gchar *text, Heard *heard, const gchar *signal)
{
  g_mutex_lock (&heard->lock);
  /* would wait for ever if the thread had the lock of the stream */
  if (heard->pause) {
    gst_element_set_state (src, GST_STATE_PAUSED);
    gst_element_set_state (src, GST_STATE_PLAYING);
  }
  g_mutex_unlock (&heard->lock);
  g_async_queue_push (heard->queue, g_strdup_printf ("%s %s", signal, text));
}

static void
on_found (GstElement *src, const gchar *datablock, gpointer user_data)
{
  hear (src, datablock, user_data, "found");
}

static void
on_lost (GstElement *src, const gchar *reason, gpointer user_data)
{
  hear (src, reason, user_data, "lost");
}

static void
on_waiting (GstElement *src, const gchar *reason, gpointer user_data)
{
  hear (src, reason, user_data, "waiting");
}

static void
expect_signal (Heard *heard, const gchar *text)
{
  for (gboolean found = FALSE; !found;) {
    g_autofree gchar *got =
        g_async_queue_timeout_pop (heard->queue, 30 * G_USEC_PER_SEC);
    fail_unless (got != NULL, "no %s", text);
    found = g_str_equal (got, text);
  }
}

GST_START_TEST (a_handler_may_change_the_state)
{
  static Heard heard; /* a handler may run when the element has stopped */
  GstHarness *src, *sink;
  g_autoptr (GstElement) element = NULL;
  heard.queue = g_async_queue_new_full (g_free);
  heard.pause = TRUE;
  src = gst_harness_new_parse ("datahubsrc datablock=test start-at=oldest");
  element = gst_harness_find_element (src, "datahubsrc");
  g_signal_connect (element, "producer-found", G_CALLBACK (on_found), &heard);
  g_signal_connect (element, "producer-lost", G_CALLBACK (on_lost), &heard);
  g_signal_connect (element, "waiting", G_CALLBACK (on_waiting), &heard);
  gst_harness_play (src);
  expect_signal (&heard, "waiting no-producer");
  sink = number_sink ("wait-for-consumers=1");
  push_number (sink, 1);
  expect_signal (&heard, "found test");
  gst_harness_teardown (sink);
  expect_signal (&heard, "lost left");
  g_mutex_lock (&heard.lock);
  heard.pause = FALSE;
  g_mutex_unlock (&heard.lock);
  gst_harness_teardown (src);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, producers_are_reported_when_they_come_and_go);
  tcase_add_test (tc, a_silent_producer_is_reported_and_found_again);
  tcase_add_test (tc, a_killed_producer_has_died);
  tcase_add_test (tc, a_handler_may_change_the_state);
}

SANDBOX_MAIN (presence)
