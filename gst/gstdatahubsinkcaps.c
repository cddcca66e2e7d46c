/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Upstream queries the caps before it chooses, and queries for one kind of memory
 * at a time. So an empty answer is an error only if upstream has no other caps.
 * Tests: gst-features */
#include "gstdatahubsinkcaps.h"
#include "gstdatahubfeatures.h"

void
gst_datahub_sink_caps_init (GstDatahubSinkCaps *caps, GstElement *element,
    GstPad *pad, GstDatahubCapsLimits *limits)
{
  *caps =
      (GstDatahubSinkCaps){ .element = element, .pad = pad, .limits = limits };
}

/* The element starts: an error may be posted again. */
void
gst_datahub_sink_caps_start (GstDatahubSinkCaps *caps)
{
  g_atomic_int_set (&caps->refused, FALSE);
}

/* Returns: (transfer full) (nullable): what upstream can produce. A query that
 * upstream sends in return is not followed by another one. */
static GstCaps *
ask_upstream (GstDatahubSinkCaps *caps)
{
  GstCaps *upstream;
  if (!g_atomic_int_compare_and_exchange (&caps->asking, FALSE, TRUE))
    return NULL;
  upstream = gst_pad_peer_query_caps (caps->pad, NULL);
  g_atomic_int_set (&caps->asking, FALSE);
  return upstream;
}

/* Upstream cannot negotiate and will report only that. This error comes first and
 * contains the reason. */
static void
refuse_memory (GstDatahubSinkCaps *caps)
{
  g_autoptr (GstCaps) upstream = NULL;
  g_autoptr (GstCaps) system = NULL;
  const gchar *memory;
  if (!GST_PAD_IS_ACTIVE (caps->pad) || g_atomic_int_get (&caps->refused))
    return;
  upstream = ask_upstream (caps);
  memory = upstream ? gst_datahub_features_find_memory (upstream) : NULL;
  system = memory ? gst_datahub_features_keep_system (upstream) : NULL;
  if (!system || !gst_caps_is_empty (system)
      || !g_atomic_int_compare_and_exchange (&caps->refused, FALSE, TRUE))
    return;
  GST_ELEMENT_ERROR (caps->element, CORE, NEGOTIATION,
      ("Buffers in %s cannot be shared, only system memory can. Put %s in front "
       "of datahubsink.",
          memory, gst_datahub_features_get_converter (memory)),
      ("upstream produces %" GST_PTR_FORMAT, upstream));
}

/* Returns: (transfer full): the part of @filter that the sink accepts */
static GstCaps *
get_accepted (GstDatahubSinkCaps *caps, GstCaps *filter)
{
  GstCaps *accepted;
  if (!filter)
    return gst_caps_new_any ();
  accepted = gst_datahub_features_keep_system (filter);
  if (gst_caps_is_empty (accepted) && !gst_caps_is_empty (filter))
    refuse_memory (caps);
  return accepted;
}

static void
answer_caps (GstDatahubSinkCaps *caps, GstQuery *query)
{
  g_autoptr (GstCaps) accepted = NULL;
  GstCaps *filter;
  gst_query_parse_caps (query, &filter);
  accepted =
      gst_datahub_caps_limits_apply (caps->limits, get_accepted (caps, filter));
  gst_query_set_caps_result (query, accepted);
}

/* Upstream sends this query, and the pad does for each CAPS event. */
static void
answer_accept_caps (GstDatahubSinkCaps *caps, GstQuery *query)
{
  g_autoptr (GstCaps) accepted = NULL;
  GstCaps *asked;
  gst_query_parse_accept_caps (query, &asked);
  accepted = get_accepted (caps, asked);
  gst_query_set_accept_caps_result (query, !gst_caps_is_empty (accepted));
}

/**
 * gst_datahub_sink_caps_answer:
 * @caps: the caps of a sink
 * @query: any query of upstream
 *
 * Answers CAPS and ACCEPT_CAPS. Posts an error if upstream produces no system
 * memory.
 *
 * Returns: whether @query is one of them
 */
gboolean
gst_datahub_sink_caps_answer (GstDatahubSinkCaps *caps, GstQuery *query)
{
  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_CAPS:
      answer_caps (caps, query);
      return TRUE;
    case GST_QUERY_ACCEPT_CAPS:
      answer_accept_caps (caps, query);
      return TRUE;
    default:
      return FALSE;
  }
}
