/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any state at any time, also in the middle of a start or stop of the source. */
#include "producer.h"
#include "sandbox.h"
#include "until.h"

#include <gst/check/gstcheck.h>

#define CHANGES 1000
/* Of a pipeline with several threads: its changes take longer. */
#define CHANGES_OF_MANY 300

static GstElement *
new_consumer (void)
{
  return gst_parse_launch ("datahubsrc datablock=test ! fakesink async=false",
      NULL);
}

static GstState
any_state (GRand *rand)
{
  return (GstState) g_rand_int_range (rand, GST_STATE_NULL,
      GST_STATE_PLAYING + 1);
}

static void
change (GRand *rand, GstElement *pipeline, GstElement **consumers)
{
  GstElement *consumer = consumers[g_rand_int_range (rand, 0, 2)];
  if (g_rand_boolean (rand))
    gst_element_set_state (pipeline, any_state (rand));
  else
    gst_element_set_state (consumer,
        g_rand_boolean (rand) ? GST_STATE_PLAYING : GST_STATE_NULL);
}

/* Whatever happened, it works. */
static void
check_works (Producer *producer, GstElement *consumer)
{
  GstElement *camera =
      gst_bin_get_by_name (GST_BIN (producer->pipeline), "camera");
  gst_element_set_state (consumer, GST_STATE_NULL);
  gst_element_set_state (producer->pipeline, GST_STATE_PLAYING);
  UNTIL (GST_STATE (camera) == GST_STATE_READY);
  gst_element_set_state (consumer, GST_STATE_PLAYING);
  UNTIL (GST_STATE (camera) == GST_STATE_PLAYING);
  gst_object_unref (camera);
}

static void
run (const gchar *line, guint n, guint32 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  Producer producer = producer_start (line);
  GstElement *consumers[] = { new_consumer (), new_consumer () };
  for (guint i = 0; i < n; i++)
    change (rand, producer.pipeline, consumers);
  gst_element_set_state (consumers[1], GST_STATE_NULL);
  check_works (&producer, consumers[0]);
  for (guint i = 0; i < G_N_ELEMENTS (consumers); i++) {
    gst_element_set_state (consumers[i], GST_STATE_NULL);
    gst_object_unref (consumers[i]);
  }
  producer_end (&producer);
}

GST_START_TEST (any_state_of_a_live_pipeline)
{
  run ("videotestsrc name=camera is-live=true ! "
       "video/x-raw,format=GRAY8,width=64,height=64 ! "
       "datahubsink name=sink datablock=test on-demand=true on-demand-linger=0",
      CHANGES, 1);
}
GST_END_TEST;

GST_START_TEST (any_state_of_a_pipeline_with_threads)
{
  run ("videotestsrc name=camera ! video/x-raw,format=GRAY8,width=64,height=64 "
       "! queue ! tee name=t ! queue ! datahubsink name=sink datablock=test "
       "on-demand=true on-demand-linger=1000000 t. ! queue ! datahubsink "
       "datablock=other on-demand=true",
      CHANGES_OF_MANY, 2);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, any_state_of_a_live_pipeline);
  tcase_add_test (tc, any_state_of_a_pipeline_with_threads);
}

SANDBOX_MAIN (demand_states)
