/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer may have no stream yet: a sink on demand publishes its block before its
 * source starts. A consumer waits for the stream as it waits for a producer.
 * Tests: gst-demand-pipelines */
#include "gstdatahubunbegun.h"

/* Whether a stream is in force. The sink forgets the segment of one that is over, and
 * begins the next one with other caps. */
gboolean
gst_datahub_unbegun_has_stream (DatahubConsumer *consumer)
{
  static const DatahubRecordType types[] = { DATAHUB_RECORD_SEGMENT,
    DATAHUB_RECORD_EOS };
  gboolean found = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (types) && !found; i++) {
    DatahubView view;
    found = datahub_consumer_read_sticky (consumer, types[i], &view, NULL)
        == DATAHUB_OK;
    if (found)
      datahub_consumer_end_read (consumer, &view);
  }
  return found;
}

/* The time of the user is up: posts the error. */
GstFlowReturn
gst_datahub_unbegun_fail (GstElement *element, const gchar *channel,
    GstClockTime timeout)
{
  GST_ELEMENT_ERROR (element, RESOURCE, NOT_FOUND,
      ("The DataBlock \"%s\" has a producer, but no data came within %g s. Look at "
       "the errors of its source.",
          channel, (gdouble) timeout / GST_SECOND),
      ("it has no stream"));
  return GST_FLOW_ERROR;
}
