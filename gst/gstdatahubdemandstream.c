/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block without a stream: consumers attach to it, and the source starts for them.
 * Tests: gst-demand, gst-demand-pipelines */
#include "gstdatahubdemandstream.h"

/**
 * gst_datahub_demand_stream_publish:
 * @renewal: what it is about; the sink is in READY
 *
 * Publishes the block before its caps are known.
 *
 * Returns: whether it is there; if not, an error was posted
 */
gboolean
gst_datahub_demand_stream_publish (GstDatahubRenewal *renewal)
{
  g_autoptr (GstCaps) possible =
      gst_pad_peer_query_caps (GST_BASE_SINK_PAD (renewal->sink), NULL);
  DatahubProducerOptions options;
  gst_datahub_sink_settings_fill (GST_ELEMENT_CAST (renewal->sink),
      renewal->settings, gst_datahub_slot_size_before_caps (possible),
      &options);
  if (gst_datahub_publication_create (renewal->publication, &options, FALSE)
          != GST_FLOW_OK
      || gst_datahub_publication_publish (renewal->publication) != GST_FLOW_OK)
    return FALSE;
  gst_datahub_publication_register (renewal->publication, NULL);
  return TRUE;
}

static void
rewind_stream (gpointer data)
{
  gst_datahub_publication_flush (((GstDatahubRenewal *) data)->publication);
}

/* The pipeline ends while the sources are off. A streaming thread that is still there
 * may wait in the sink for a change of state, which waits for this thread. */
static gboolean
end_stream (gpointer data)
{
  GstDatahubRenewal *renewal = data;
  GstDatahubWriter *writer;
  GstElement *element = GST_ELEMENT_CAST (renewal->sink);
  g_autoptr (GstEvent) eos = gst_event_new_eos ();
  GstFlowReturn flow;
  if (!GST_PAD_STREAM_TRYLOCK (GST_BASE_SINK_PAD (renewal->sink)))
    return FALSE;
  writer = renewal->publication->writer;
  gst_datahub_writer_set_yielding (writer, TRUE);
  flow = gst_datahub_output_write_event (renewal->output, writer,
      gst_datahub_sink_settings_read (element, renewal->settings).events, eos);
  gst_datahub_writer_set_yielding (writer, FALSE);
  GST_PAD_STREAM_UNLOCK (GST_BASE_SINK_PAD (renewal->sink));
  return flow != GST_FLOW_FLUSHING;
}

static void
interrupt_end (gpointer data, gboolean interrupted)
{
  gst_datahub_publication_interrupt (((GstDatahubRenewal *) data)->publication,
      GST_DATAHUB_PRODUCER_YIELD, interrupted);
}

const GstDatahubDemandFuncs gst_datahub_demand_stream_funcs = { rewind_stream,
  end_stream, interrupt_end };
