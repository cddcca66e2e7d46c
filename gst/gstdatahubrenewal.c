/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* If a block lost its names, or a consumer lost the right to it, its sink goes on in
 * another one. Consumers that are
 * attached read what was committed and go over; those that come later find the new
 * one. The sticky events of the pad describe the stream again, and upstream is asked
 * to take its buffers from the new block.
 *
 * If the name is another producer's by now, or there is no room, the old block goes
 * on as it was, with a warning, and the next try is later.
 * Tests: gst-lost-names, gst-revocation */
#include "gstdatahubrenewal.h"
#include "gstdatahubevents.h"
#include "gstdatahubtime.h"

#define PAUSE_NS (G_GINT64_CONSTANT (10) * GST_SECOND)
#define SHORT_PAUSE_NS GST_SECOND

static GstFlowReturn
describe_stream (GstDatahubWriter *writer, gpointer data)
{
  GstDatahubRenewal *renewal = data;
  GstElement *element = GST_ELEMENT_CAST (renewal->sink);
  return gst_datahub_output_write_again (renewal->output, writer,
      gst_datahub_sink_settings_read (element, renewal->settings).events);
}

static void
choose_options (GstDatahubRenewal *renewal, GstCaps *caps, GstBuffer *buffer,
    DatahubProducerOptions *options)
{
  GstDatahubSlotSize size = gst_datahub_slot_size_from_caps (caps);
  if (size.slot_size == 0)
    size = gst_datahub_slot_size_from_buffer (buffer);
  gst_datahub_sink_settings_fill (GST_ELEMENT_CAST (renewal->sink),
      renewal->settings, size, options);
  options->adopt = false;
}

static void
report_revocation (GstDatahubRenewal *renewal)
{
  GST_ELEMENT_INFO (renewal->sink, RESOURCE, NOT_AUTHORIZED,
      ("The broker's allow-list took the right to consume the DataBlock \"%s\" "
       "from a client that could read it. The stream goes on in a new block, "
       "which the other consumers follow.",
          renewal->publication->client->channel),
      ("`renewals` in stats counts; the log of the broker has the key"));
}

static void
on_renewed (GstDatahubRenewal *renewal, GstCaps *caps, gboolean revoked)
{
  gst_datahub_publication_register (renewal->publication, caps);
  if (revoked)
    report_revocation (renewal);
  else if (!renewal->publication->names_lost)
    GST_ELEMENT_WARNING (renewal->sink, RESOURCE, NOT_FOUND,
        ("The files of the DataBlock \"%s\" were removed by another program. The "
         "stream goes on in a new block. Find out what removes files in %s, such "
         "as RemoveIPC= of logind or a script.",
            renewal->publication->client->channel, datahub_shm_directory ()),
        ("reported once; `renewals` in stats counts"));
  if (!revoked)
    renewal->publication->names_lost = TRUE;
  gst_pad_push_event (GST_BASE_SINK_PAD (renewal->sink),
      gst_event_new_reconfigure ());
}

/* Before the memory of another block is taken for nothing. */
static gboolean
is_name_taken (const GstDatahubPublication *publication, DatahubError *error)
{
  DatahubBlockGlance glance;
  if (datahub_block_glance (publication->client->channel, &glance, NULL)
          != DATAHUB_OK
      || !glance.producer_alive || glance.foreign
      || g_str_equal (glance.uuid,
          datahub_producer_get_uuid (
              gst_datahub_writer_get_producer (publication->writer))))
    return FALSE;
  error->code = DATAHUB_ERROR_BUSY;
  g_snprintf (error->message, sizeof error->message,
      "The files of the DataBlock \"%s\" were removed, and another producer has "
      "its name now: consumers that come later do not find this producer.",
      publication->client->channel);
  return TRUE;
}

/**
 * gst_datahub_renewal_try:
 * @renewal: what it is about
 * @buffer: the next buffer
 *
 * Publishes another block in place of the one that lost its names. The writer of the
 * publication may be another one then.
 */
void
gst_datahub_renewal_try (GstDatahubRenewal *renewal, GstBuffer *buffer)
{
  g_autoptr (GstCaps) caps = NULL;
  DatahubProducerOptions options;
  DatahubError error = { 0 };
  gint64 now = gst_datahub_monotonic_now ();
  /* before the service thread goes over */
  gboolean revoked =
      g_atomic_int_get (&renewal->publication->watch.names.revoked);
  if (now < renewal->publication->renew_after)
    return;
  caps = gst_pad_get_current_caps (GST_BASE_SINK_PAD (renewal->sink));
  choose_options (renewal, caps, buffer, &options);
  if (!is_name_taken (renewal->publication, &error)
      && gst_datahub_publication_renew (renewal->publication, &options,
          describe_stream, renewal, &error)) {
    renewal->publication->renew_after = 0;
    on_renewed (renewal, caps, revoked);
    return;
  }
  if (error.code == DATAHUB_INTERRUPTED)
    return;
  if (!renewal->publication->renew_after)
    gst_datahub_client_post (GST_ELEMENT_CAST (renewal->sink),
        GST_MESSAGE_WARNING, &error,
        revoked ? "making another block for one that was revoked"
                : "making another block for one that lost its names");
  renewal->publication->renew_after =
      now + (error.code == DATAHUB_ERROR_NO_SPACE ? PAUSE_NS : SHORT_PAUSE_NS);
}

/**
 * gst_datahub_renewal_wait_consumers:
 * @renewal: what it is about
 * @buffer: (nullable): the next buffer
 *
 * Waits until the wanted consumers are attached, to the block that they can find.
 *
 * Returns: %GST_FLOW_OK; another flow if the wait was interrupted
 */
GstFlowReturn
gst_datahub_renewal_wait_consumers (GstDatahubRenewal *renewal,
    GstBuffer *buffer)
{
  GstFlowReturn flow;
  while ((flow = gst_datahub_publication_wait_consumers (renewal->publication))
      == GST_FLOW_CUSTOM_SUCCESS)
    gst_datahub_renewal_look (renewal, buffer);
  renewal->waited = flow == GST_FLOW_OK;
  return flow;
}
