/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pipelines around a sink on demand: which are refused, what keeps the source on, what
 * fails and ends. */
#include "messages.h"
#include "producer.h"
#include "sandbox.h"
#include "until.h"

#include <glib/gstdio.h>

#include <gst/check/gstharness.h>

#define PICTURE "video/x-raw,format=GRAY8,width=64,height=64"
#define CAMERA "videotestsrc name=camera is-live=true ! " PICTURE
#define SINK                                                                   \
  "datahubsink name=sink datablock=test on-demand=true "                       \
  "on-demand-linger=0 "

static void
expect_refused (const gchar *line, const gchar *word)
{
  g_autoptr (GError) error = run_until_error (line);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                   GST_RESOURCE_ERROR_SETTINGS)
          && strstr (error->message, word),
      "%s", error->message);
}

GST_START_TEST (what_cannot_work_is_refused)
{
  expect_refused (CAMERA " ! " SINK "wait-for-consumers=1",
      "wait-for-consumers=1");
  expect_refused ("videotestsrc ! fakesink " SINK, "no source feeds");
  expect_refused (CAMERA " ! tee name=t ! queue ! " SINK
                         " t. ! queue ! fakesink name=display",
      "camera also feeds display");
  expect_refused (CAMERA " ! tee name=t ! queue ! " SINK
                         " t. ! queue ! datahubsink name=other datablock=other",
      "camera also feeds other");
}
GST_END_TEST;

/* A consumer that can be ended. */
static GstElement *
join (const gchar *datablock)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc datablock=%s ! fakesink", datablock);
  GstElement *consumer = gst_parse_launch (line, NULL);
  gst_element_set_state (consumer, GST_STATE_PLAYING);
  return consumer;
}

static void
leave (GstElement *consumer)
{
  gst_element_set_state (consumer, GST_STATE_NULL);
  gst_object_unref (consumer);
}

static GstElement *
get (const Producer *producer, const gchar *name)
{
  GstElement *element =
      gst_bin_get_by_name (GST_BIN (producer->pipeline), name);
  fail_unless (element != NULL);
  gst_object_unref (element); /* the pipeline has it */
  return element;
}

static gboolean
is_on (const Producer *producer)
{
  return GST_STATE (get (producer, "camera")) == GST_STATE_PLAYING;
}

static gboolean
is_off (const Producer *producer)
{
  GstElement *camera = get (producer, "camera");
  return GST_STATE (camera) == GST_STATE_READY
      && gst_element_is_locked_state (camera);
}

static gboolean
is_demanded (GstElement *sink)
{
  gboolean demanded;
  g_object_get (sink, "demanded", &demanded, NULL);
  return demanded;
}

/* Until the next element message with this name. */
static void
expect_element_message (GstElement *pipeline, const gchar *name)
{
  gboolean found = FALSE;
  while (!found) {
    GstMessage *message = wait_message (pipeline, GST_MESSAGE_ELEMENT);
    fail_unless (message != NULL, "no %s", name);
    found = gst_message_has_name (message, name);
    gst_message_unref (message);
  }
}

static void
on_demanded (GObject *sink, GParamSpec *spec, gpointer count)
{
  g_atomic_int_inc ((gint *) count);
}

static void
on_sources (GstElement *sink, gchar **names, gpointer count)
{
  fail_unless (g_strv_length (names) == 1 && g_str_equal (names[0], "camera"));
  g_atomic_int_inc ((gint *) count);
}

GST_START_TEST (an_application_is_informed)
{
  Producer producer = producer_start (CAMERA " ! " SINK);
  GstElement *consumer;
  gint demanded = 0, started = 0, stopped = 0;
  gboolean async;
  g_signal_connect (producer.sink, "notify::demanded", G_CALLBACK (on_demanded),
      &demanded);
  g_signal_connect (producer.sink, "source-started", G_CALLBACK (on_sources),
      &started);
  g_signal_connect (producer.sink, "source-stopped", G_CALLBACK (on_sources),
      &stopped);
  fail_unless (gst_element_get_state (producer.pipeline, NULL, NULL,
                   20 * GST_SECOND)
      == GST_STATE_CHANGE_SUCCESS);
  fail_unless (is_off (&producer) && !is_demanded (producer.sink));
  consumer = join ("test");
  expect_element_message (producer.pipeline, "datahub-source-started");
  fail_unless (is_on (&producer) && is_demanded (producer.sink));
  leave (consumer);
  expect_element_message (producer.pipeline, "datahub-source-stopped");
  fail_unless (is_off (&producer) && !is_demanded (producer.sink));
  fail_unless_equals_int (g_atomic_int_get (&demanded), 2);
  fail_unless_equals_int (g_atomic_int_get (&started), 1);
  fail_unless_equals_int (g_atomic_int_get (&stopped), 1);
  gst_element_set_state (producer.pipeline, GST_STATE_NULL);
  g_object_get (producer.sink, "async", &async, NULL);
  fail_unless (async);
  fail_if (gst_element_is_locked_state (get (&producer, "camera")));
  producer_end (&producer);
}
GST_END_TEST;

GST_START_TEST (two_sinks_of_a_source_stop_it_only_together)
{
  Producer producer = producer_start (CAMERA
      " ! tee name=t ! queue ! " SINK
      "t. ! queue ! datahubsink name=other datablock=other on-demand=true "
      "on-demand-linger=0");
  GstElement *other = get (&producer, "other"), *first, *second;
  fail_unless (is_off (&producer));
  first = join ("test");
  UNTIL (is_on (&producer));
  second = join ("other");
  UNTIL (is_demanded (other));
  leave (first);
  UNTIL (!is_demanded (producer.sink));
  expect_element_message (producer.pipeline, "consumer-removed");
  fail_unless (is_on (&producer));
  leave (second);
  UNTIL (is_off (&producer));
  producer_end (&producer);
}
GST_END_TEST;

static GstElement *
add_display (const Producer *producer)
{
  GstElement *display =
      gst_parse_bin_from_description ("queue ! fakesink", TRUE, NULL);
  gst_bin_add (GST_BIN (producer->pipeline), display);
  fail_unless (gst_element_link (get (producer, "t"), display));
  gst_element_sync_state_with_parent (display);
  return display;
}

static void
remove_display (const Producer *producer, GstElement *display)
{
  GstPad *pad = gst_element_get_static_pad (display, "sink");
  GstPad *peer = gst_pad_get_peer (pad);
  gst_pad_unlink (peer, pad);
  gst_element_release_request_pad (get (producer, "t"), peer);
  gst_object_unref (peer);
  gst_object_unref (pad);
  gst_element_set_state (display, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (producer->pipeline), display);
}

GST_START_TEST (a_display_keeps_the_source_on)
{
  Producer producer = producer_start (CAMERA
      " ! tee name=t allow-not-linked=true ! queue ! " SINK);
  GstElement *display, *consumer;
  fail_unless (is_off (&producer));
  display = add_display (&producer);
  UNTIL (is_on (&producer));
  consumer = join ("test");
  UNTIL (is_demanded (producer.sink));
  leave (consumer);
  UNTIL (!is_demanded (producer.sink));
  expect_element_message (producer.pipeline, "consumer-removed");
  fail_unless (is_on (&producer));
  remove_display (&producer, display);
  UNTIL (is_off (&producer));
  producer_end (&producer);
}
GST_END_TEST;

static void
expect_message (GstElement *pipeline, GstMessageType type, const gchar *source)
{
  GstMessage *message = wait_message (pipeline, type);
  fail_unless (message && g_str_equal (GST_MESSAGE_SRC_NAME (message), source));
  gst_message_unref (message);
}

GST_START_TEST (a_source_that_fails_is_tried_again_for_the_next_consumer)
{
  g_autofree gchar *path =
      g_build_filename (sandbox_directory (), "camera", NULL);
  g_autofree gchar *line =
      g_strdup_printf ("filesrc name=camera location=%s ! " SINK "sync=false",
          path);
  Producer producer = producer_start (line);
  GstElement *first = join ("test"), *second;
  expect_message (producer.pipeline, GST_MESSAGE_ERROR, "camera");
  expect_message (producer.pipeline, GST_MESSAGE_WARNING, "sink");
  UNTIL (is_off (&producer));
  fail_unless (g_file_set_contents (path, "picture", -1, NULL));
  second = join ("test");
  expect_message (second, GST_MESSAGE_EOS, GST_OBJECT_NAME (second));
  expect_message (first, GST_MESSAGE_EOS, GST_OBJECT_NAME (first));
  leave (first);
  leave (second);
  producer_end (&producer);
  g_unlink (path);
}
GST_END_TEST;

GST_START_TEST (a_consumer_waits_for_the_stream_as_for_a_producer)
{
  Producer producer =
      producer_start ("filesrc name=camera location=/nowhere ! " SINK);
  g_autoptr (GError) error = run_until_error (
      "datahubsrc datablock=test timeout=100000000 ! fakesink");
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                   GST_RESOURCE_ERROR_NOT_FOUND)
          && strstr (error->message, "has a producer, but no data"),
      "%s", error->message);
  producer_end (&producer);
}
GST_END_TEST;

/* As gst-launch-1.0 -e does. */
GST_START_TEST (the_pipeline_can_be_ended_whether_its_source_is_on_or_off)
{
  for (guint i = 0; i < 2; i++) {
    Producer producer = producer_start (CAMERA " ! " SINK);
    GstElement *consumer = NULL;
    fail_unless (is_off (&producer));
    if (i == 1) {
      consumer = join ("test");
      expect_element_message (producer.pipeline, "datahub-source-started");
      UNTIL (is_on (&producer));
    }
    gst_element_send_event (producer.pipeline, gst_event_new_eos ());
    expect_message (producer.pipeline, GST_MESSAGE_EOS,
        GST_OBJECT_NAME (producer.pipeline));
    if (consumer) {
      expect_message (consumer, GST_MESSAGE_EOS, GST_OBJECT_NAME (consumer));
      leave (consumer);
    }
    producer_end (&producer);
  }
}
GST_END_TEST;

static void
add_bin (GstElement *pipeline, const gchar *name, const gchar *line)
{
  GstElement *bin = gst_parse_bin_from_description (line, TRUE, NULL);
  gst_object_set_name (GST_OBJECT_CAST (bin), name);
  gst_bin_add (GST_BIN (pipeline), bin);
}

/* The sink is in another bin than the source, and a bin counts as one source. */
GST_START_TEST (bins_are_seen_through)
{
  Producer producer = { gst_pipeline_new (NULL), NULL };
  GstElement *consumer;
  add_bin (producer.pipeline, "camera", "videotestsrc is-live=true ! " PICTURE);
  add_bin (producer.pipeline, "end", "queue ! " SINK);
  producer.sink = gst_bin_get_by_name (GST_BIN (producer.pipeline), "sink");
  fail_unless (gst_element_link (get (&producer, "camera"),
      get (&producer, "end")));
  gst_element_set_state (producer.pipeline, GST_STATE_PLAYING);
  fail_unless (is_off (&producer));
  consumer = join ("test");
  UNTIL (is_on (&producer));
  leave (consumer);
  UNTIL (is_off (&producer));
  producer_end (&producer);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, what_cannot_work_is_refused);
  tcase_add_test (tc, an_application_is_informed);
  tcase_add_test (tc, two_sinks_of_a_source_stop_it_only_together);
  tcase_add_test (tc, a_display_keeps_the_source_on);
  tcase_add_test (tc, a_source_that_fails_is_tried_again_for_the_next_consumer);
  tcase_add_test (tc, a_consumer_waits_for_the_stream_as_for_a_producer);
  tcase_add_test (tc,
      the_pipeline_can_be_ended_whether_its_source_is_on_or_off);
  tcase_add_test (tc, bins_are_seen_through);
}

SANDBOX_MAIN (demand_pipelines)
