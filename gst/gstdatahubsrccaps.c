/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream has its caps from its producer, so a source negotiates nothing. If
 * downstream refuses them, both sides are named.
 * Tests: gst-restrict */
#include "gstdatahubsrccaps.h"

#include <string.h>

/* Of the texts in an error: lists of formats are long. */
#define TEXT_MAX 300

/* Answers a CAPS query: the stream's once they are known. Any thread.
 *
 * Returns: (transfer full): caps */
GstCaps *
gst_datahub_src_caps_get (GstPad *pad, GstCaps *filter)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  if (!caps)
    return filter ? gst_caps_ref (filter) : gst_caps_new_any ();
  return filter
      ? gst_caps_intersect_full (filter, caps, GST_CAPS_INTERSECT_FIRST)
      : gst_caps_ref (caps);
}

/* Whether downstream takes @caps, or there is no downstream yet. */
gboolean
gst_datahub_src_caps_are_taken (GstPad *pad, GstCaps *caps)
{
  return gst_pad_peer_query_accept_caps (pad, caps);
}

static gchar *
shorten (GstCaps *caps)
{
  g_autofree gchar *text = caps ? gst_caps_to_string (caps) : g_strdup ("none");
  if (strlen (text) <= TEXT_MAX)
    return g_steal_pointer (&text);
  /* texts of caps are ASCII */
  return g_strdup_printf ("%.*s...", TEXT_MAX, text);
}

/**
 * gst_datahub_src_caps_post_refused:
 * @element: the source
 * @pad: its pad
 * @caps: (nullable): those of the stream
 *
 * Posts the error. Any thread.
 */
void
gst_datahub_src_caps_post_refused (GstElement *element, GstPad *pad,
    GstCaps *caps)
{
  g_autoptr (GstCaps) taken = gst_pad_peer_query_caps (pad, NULL);
  g_autofree gchar *stream = shorten (caps), *wanted = shorten (taken);
  GST_ELEMENT_ERROR (element, CORE, NEGOTIATION,
      ("The caps of the stream do not fit. The stream has: %s. Downstream "
       "accepts: %s. Put a converter behind datahubsrc, or change the producer.",
          stream, wanted),
      ("downstream accepts %" GST_PTR_FORMAT, taken));
}

/**
 * gst_datahub_src_caps_is_refusal:
 * @element: the source
 * @message: a message that it posts
 *
 * Returns: whether the base class reports with it that the caps of a buffer were
 *     refused
 */
gboolean
gst_datahub_src_caps_is_refusal (GstElement *element, GstMessage *message)
{
  const GstStructure *details = NULL;
  gint flow = GST_FLOW_OK;
  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR
      || GST_MESSAGE_SRC (message) != GST_OBJECT_CAST (element))
    return FALSE;
  gst_message_parse_error_details (message, &details);
  return details && gst_structure_get_int (details, "flow-return", &flow)
      && flow == GST_FLOW_NOT_NEGOTIATED;
}
