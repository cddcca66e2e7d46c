/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a live buffer waits for, and what it need not wait for. */
#include "sandbox.h"

#define FRAME (GST_SECOND / 200)

static GstElement *
play (const gchar *line)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  fail_unless (pipeline != NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  fail_unless (gst_element_get_state (pipeline, NULL, NULL, 20 * GST_SECOND)
      != GST_STATE_CHANGE_FAILURE);
  return pipeline;
}

static void
stop (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

GST_START_TEST (a_sink_adds_no_latency)
{
  GstElement *pipeline = play ("videotestsrc is-live=true ! "
                               "video/x-raw,width=64,height=64,framerate=200/1 "
                               "! datahubsink datablock=cam0 broker=none");
  g_autoptr (GstQuery) query = gst_query_new_latency ();
  gboolean live = FALSE;
  GstClockTime min = 0;
  fail_unless (gst_element_query (pipeline, query));
  gst_query_parse_latency (query, &live, &min, NULL);
  fail_unless (live);
  fail_unless_equals_uint64 (min, FRAME);
  stop (pipeline);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_sink_adds_no_latency);
}

SANDBOX_MAIN (latency)
