/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream has its caps from its producer, so a source negotiates nothing. If
 * downstream refuses them, both sides are named.
 * Tests: gst-restrict */
#include "gstdatahubsrccaps.h"
#include "gstdatahubfeatures.h"

#include <datahub/types.h>
#include <string.h>

/* Of the texts in an error: lists of formats are long. */
#define TEXT_MAX 300

/* Values of one field that are still a choice: no list of all formats has so few. */
#define LIST_MAX 32

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

/* Whether the element behind the source takes @caps, or there is none yet. An
 * element that converts takes what it can read, whatever is behind it. */
gboolean
gst_datahub_src_caps_are_taken (GstPad *pad, GstCaps *caps)
{
  return gst_pad_peer_query_accept_caps (pad, caps);
}

/* Whether @caps are taken, and all of downstream can be negotiated with them. */
gboolean
gst_datahub_src_caps_fit (GstPad *pad, GstCaps *caps)
{
  g_autoptr (GstCaps) possible = NULL;
  if (!gst_datahub_src_caps_are_taken (pad, caps))
    return FALSE;
  possible = gst_pad_peer_query_caps (pad, caps);
  return gst_caps_can_intersect (possible, caps);
}

static gboolean
is_no_long_list (GQuark field, const GValue *value, gpointer user_data)
{
  return !GST_VALUE_HOLDS_LIST (value)
      || gst_value_list_get_size (value) <= LIST_MAX;
}

static gboolean
leave_out_long_lists (GstCapsFeatures *features, GstStructure *structure,
    gpointer user_data)
{
  gst_structure_filter_and_map_in_place (structure,
      (GstStructureFilterMapFunc) is_no_long_list, NULL);
  return TRUE;
}

/* A converter reads nearly all formats, and its list of them does not fit. Without
 * the list the limits are wider, which restricts the producer less. */
static gchar *
describe_in_short (GstCaps *caps)
{
  g_autoptr (GstCaps) wider = gst_caps_copy (caps);
  gst_caps_map_in_place (wider, leave_out_long_lists, NULL);
  wider = gst_caps_simplify (g_steal_pointer (&wider));
  return gst_caps_serialize (wider, GST_SERIALIZE_FLAG_NONE);
}

static gboolean
fits (const gchar *text)
{
  return text && *text && strlen (text) < DATAHUB_LIMITS_MAX;
}

/**
 * gst_datahub_src_caps_get_limits:
 * @element: the source
 * @pad: its pad
 *
 * Long lists are left out of what does not fit a row of the block. If that is not
 * enough, all of it is, with a warning.
 *
 * Returns: (transfer full) (nullable): what downstream accepts, as text; %NULL:
 *     anything
 */
gchar *
gst_datahub_src_caps_get_limits (GstElement *element, GstPad *pad)
{
  g_autoptr (GstCaps) taken = gst_pad_peer_query_caps (pad, NULL);
  g_autoptr (GstCaps) system = gst_datahub_features_keep_system (taken);
  g_autofree gchar *text = NULL, *in_short = NULL;
  system = gst_caps_simplify (g_steal_pointer (&system));
  if (gst_caps_is_any (system) || gst_caps_is_empty (system))
    return NULL;
  text = gst_caps_serialize (system, GST_SERIALIZE_FLAG_NONE);
  if (fits (text))
    return g_steal_pointer (&text);
  in_short = describe_in_short (system);
  if (fits (in_short))
    return g_steal_pointer (&in_short);
  GST_ELEMENT_WARNING (element, STREAM, FORMAT,
      ("The producer does not learn which caps downstream accepts: their text "
       "has %" G_GSIZE_FORMAT " bytes, at most %u cross. A capsfilter behind "
       "datahubsrc makes it short.",
          text ? strlen (text) + 1 : 0, DATAHUB_LIMITS_MAX),
      ("%" GST_PTR_FORMAT, system));
  return NULL;
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
