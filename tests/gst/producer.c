/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "producer.h"

#include <gst/check/gstcheck.h>

Producer
producer_start (const gchar *line)
{
  Producer producer = { .pipeline = gst_parse_launch (line, NULL) };
  fail_unless (GST_IS_PIPELINE (producer.pipeline));
  producer.sink = gst_bin_get_by_name (GST_BIN (producer.pipeline), "sink");
  gst_element_set_state (producer.pipeline, GST_STATE_PLAYING);
  return producer;
}

void
producer_end (Producer *producer)
{
  gst_element_set_state (producer->pipeline, GST_STATE_NULL);
  gst_object_unref (producer->sink);
  gst_object_unref (producer->pipeline);
}
