/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pipeline with sinks on demand that ends, or stops, while its sources change or its
 * consumers stand still. */
#include "harness.h"
#include "messages.h"
#include "producer.h"
#include "sandbox.h"
#include "until.h"

#include <datahub/block.h>

#define SINK " on-demand=true on-demand-linger=0 sync=false "
#define APPSRC "appsrc name=still format=time ! "
#define N_BUFFERS 10

static GstElement *
get (const Producer *producer, const gchar *name)
{
  GstElement *element =
      gst_bin_get_by_name (GST_BIN (producer->pipeline), name);
  fail_unless (element != NULL);
  gst_object_unref (element); /* the pipeline has it */
  return element;
}

static void
push (const Producer *producer)
{
  GstFlowReturn flow;
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 16, NULL);
  g_signal_emit_by_name (get (producer, "still"), "push-buffer", buffer, &flow);
  gst_buffer_unref (buffer);
  fail_unless_equals_int (flow, GST_FLOW_OK);
}

/* The next message that a source was switched. */
static void
expect_switched (const Producer *producer, const gchar *name)
{
  gboolean found = FALSE;
  while (!found) {
    GstMessage *message =
        wait_message (producer->pipeline, GST_MESSAGE_ELEMENT);
    found = gst_message_has_name (message, name);
    gst_message_unref (message);
  }
}

static void
on_buffer (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer count)
{
  g_atomic_int_inc ((gint *) count);
}

/* A consumer that counts what it gets. */
static GstElement *
join (const gchar *datablock, gint *count)
{
  g_autofree gchar *line = g_strdup_printf ("datahubsrc datablock=%s "
                                            "delivery=reliable ! fakesink "
                                            "name=show signal-handoffs=true "
                                            "async=false",
      datablock);
  GstElement *consumer = gst_parse_launch (line, NULL);
  GstElement *show = gst_bin_get_by_name (GST_BIN (consumer), "show");
  g_signal_connect (show, "handoff", G_CALLBACK (on_buffer), count);
  gst_object_unref (show);
  gst_element_set_state (consumer, GST_STATE_PLAYING);
  return consumer;
}

static void
leave (GstElement *consumer)
{
  gst_element_set_state (consumer, GST_STATE_NULL);
  gst_object_unref (consumer);
}

static void
expect_eos (GstElement *pipeline)
{
  GstMessage *message =
      wait_message (pipeline, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
  gst_message_unref (message);
}

typedef struct
{
  GstElement *sink;
  GMutex shut; /* locked by the test */
  gint reached; /* atomic */
} Gate;

/* The thread that starts the source of the sink waits here. */
static GstBusSyncReply
hold_start (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Gate *gate = user_data;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_LATENCY
      && GST_MESSAGE_SRC (message) == GST_OBJECT_CAST (gate->sink)
      && g_atomic_int_compare_and_exchange (&gate->reached, FALSE, TRUE)) {
    g_mutex_lock (&gate->shut);
    g_mutex_unlock (&gate->shut);
  }
  return GST_BUS_PASS;
}

static GstPadProbeReturn
on_held (GstPad *pad, GstPadProbeInfo *info, gpointer held)
{
  g_atomic_int_set ((gint *) held, TRUE);
  return GST_PAD_PROBE_OK; /* until the probe is removed */
}

/* The buffers of one stream are in a queue while the source of the other one starts. */
GST_START_TEST (an_end_loses_nothing_while_another_source_starts)
{
  Producer producer = producer_start (APPSRC
      "queue name=queue ! datahubsink name=sink datablock=test" SINK
      "videotestsrc is-live=true ! datahubsink name=other datablock=other" SINK);
  g_autoptr (GstBus) bus = gst_element_get_bus (producer.pipeline);
  Gate gate = { .sink = get (&producer, "other") };
  gint count = 0, rest = 0, held = FALSE;
  GstElement *counted = join ("test", &count), *started;
  GstPad *pad = gst_element_get_static_pad (get (&producer, "queue"), "src");
  gulong probe;
  g_mutex_init (&gate.shut);
  g_mutex_lock (&gate.shut);
  expect_switched (&producer, "datahub-source-started");
  probe = gst_pad_add_probe (pad,
      GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, on_held, &held,
      NULL);
  for (guint i = 0; i < N_BUFFERS; i++)
    push (&producer);
  UNTIL (g_atomic_int_get (&held));
  gst_bus_set_sync_handler (bus, hold_start, &gate, NULL);
  started = join ("other", &rest);
  UNTIL (g_atomic_int_get (&gate.reached));
  fail_unless (gst_element_send_event (producer.pipeline,
      gst_event_new_eos ()));
  g_mutex_unlock (&gate.shut);
  expect_eos (started);
  gst_pad_remove_probe (pad, probe);
  expect_eos (counted);
  fail_unless_equals_int (g_atomic_int_get (&count), N_BUFFERS);
  expect_eos (producer.pipeline);
  leave (counted);
  leave (started);
  gst_object_unref (pad);
  gst_bus_set_sync_handler (bus, NULL, NULL, NULL);
  producer_end (&producer);
  g_mutex_clear (&gate.shut);
}
GST_END_TEST;

/* How many records fit in before the producer has to wait for its only consumer. */
static guint64
room (void)
{
  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);
  DatahubConsumerInfo consumer;
  uint32_t n;
  fail_unless (datahub_block_inspect ("test", info, NULL) == DATAHUB_OK
      && datahub_block_inspect_consumers ("test", &consumer, 1, &n, NULL)
          == DATAHUB_OK);
  fail_unless_equals_int (n, 1);
  return info->ring_size - (info->head - consumer.cursor);
}

static void
fill (const Producer *producer)
{
  guint64 left = room ();
  fail_unless (left > 1);
  for (; left > 1; left = room ()) {
    gst_element_send_event (get (producer, "still"),
        gst_event_new_gap (left * GST_SECOND, GST_SECOND));
    UNTIL (room () < left);
  }
}

/* The EOS of the source takes the last place. */
GST_START_TEST (an_end_that_waits_for_a_consumer_does_not_hold_up_a_stop)
{
  Producer producer =
      producer_start (APPSRC "datahubsink name=sink datablock=test" SINK
                             "block-timeout=18446744073709551615");
  GstHarness *src = harness_src ("delivery=reliable");
  HarnessHold hold;
  GstFlowReturn flow;
  gint64 begin;
  harness_hold (src, &hold);
  expect_switched (&producer, "datahub-source-started");
  push (&producer);
  harness_wait_held (&hold);
  fill (&producer);
  g_signal_emit_by_name (get (&producer, "still"), "end-of-stream", &flow);
  expect_switched (&producer, "datahub-source-stopped");
  fail_unless_equals_uint64 (room (), 0);
  fail_unless_equals_uint64 (element_stat (producer.sink, "waits"), 0);
  gst_element_send_event (producer.pipeline, gst_event_new_eos ());
  UNTIL (element_stat (producer.sink, "waits") > 0);
  gst_element_set_state (producer.pipeline, GST_STATE_PAUSED);
  gst_element_set_state (producer.pipeline, GST_STATE_PLAYING);
  begin = g_get_monotonic_time ();
  gst_element_set_state (producer.pipeline, GST_STATE_NULL);
  fail_unless (g_get_monotonic_time () - begin < 5 * G_USEC_PER_SEC);
  harness_release (&hold);
  gst_harness_teardown (src);
  producer_end (&producer);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, an_end_loses_nothing_while_another_source_starts);
  tcase_add_test (tc, an_end_that_waits_for_a_consumer_does_not_hold_up_a_stop);
}

SANDBOX_MAIN (demand_ends)
