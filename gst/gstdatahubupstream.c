/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running times differ between pipelines, so an event crosses with the instants that
 * its times mean, which both ends know from the records. The bytes come from another
 * process: each length and number is checked, and only the types below are made.
 * Tests: gst-upstream, fuzz-upstream */
#include "gstdatahubupstream.h"
#include "gstdatahubbytes.h"
#include "gstdatahubformat.h"
#include "gstdatahubtime.h"

#include <gst/video/video.h>
#include <math.h>

#define KEY_UNIT "GstForceKeyUnit"
/* A text in the event may not be longer, with its end. */
#define TEXT_MAX (DATAHUB_UPSTREAM_EVENT_MAX - sizeof (guint32))

void
gst_datahub_upstream_clear (GstDatahubUpstream *upstream)
{
  g_clear_pointer (&upstream->structure, gst_structure_free);
}

/* ---- events of this pipeline ---- */

static gint64
to_instant (GstClockTime running_time, gint64 distance)
{
  if (!gst_datahub_instant_is_valid (distance)
      || running_time >= (GstClockTime) GST_DATAHUB_TIME_MAX)
    return GST_DATAHUB_NO_INSTANT;
  return (gint64) running_time + distance;
}

/* What was before the start of the pipeline is as early as can be. */
static GstClockTime
to_running_time (gint64 instant, gint64 distance)
{
  if (!gst_datahub_instant_is_valid (instant)
      || !gst_datahub_instant_is_valid (distance))
    return GST_CLOCK_TIME_NONE;
  return (GstClockTime) MAX (instant - distance, 0);
}

static gboolean
parse_key_unit (GstEvent *event, gint64 distance, GstDatahubUpstream *upstream)
{
  GstClockTime running_time;
  upstream->kind = GST_DATAHUB_UPSTREAM_KEY_UNIT;
  if (!gst_video_event_parse_upstream_force_key_unit (event, &running_time,
          &upstream->all_headers, &upstream->count))
    return FALSE;
  upstream->instant = to_instant (running_time, distance);
  return upstream->instant != GST_DATAHUB_NO_INSTANT
      || !GST_CLOCK_TIME_IS_VALID (running_time);
}

static gboolean
parse_qos (GstEvent *event, gint64 distance, GstDatahubUpstream *upstream)
{
  GstClockTime timestamp;
  upstream->kind = GST_DATAHUB_UPSTREAM_QOS;
  gst_event_parse_qos (event, &upstream->qos_type, &upstream->proportion,
      &upstream->diff, &timestamp);
  upstream->instant = to_instant (timestamp, distance);
  return isfinite (upstream->proportion) && upstream->proportion >= 0.0;
}

/* A request for a key unit has a kind of its own, with checked numbers. */
static gboolean
is_named_for (const GstStructure *structure, GstDatahubUpstreamKind kind)
{
  if (kind == GST_DATAHUB_UPSTREAM_NAVIGATION)
    return gst_structure_has_name (structure, "application/x-gst-navigation");
  return !gst_structure_has_name (structure, KEY_UNIT);
}

static gboolean
parse_structure (GstEvent *event, GstDatahubUpstreamKind kind,
    GstDatahubUpstream *upstream)
{
  const GstStructure *structure = gst_event_get_structure (event);
  upstream->kind = kind;
  upstream->structure = structure ? gst_structure_copy (structure) : NULL;
  return structure && is_named_for (structure, kind);
}

/**
 * gst_datahub_upstream_from_event:
 * @event: an upstream event
 * @distance: from running times to instants
 * @upstream: (out): what crosses; must be cleared
 *
 * Returns: whether it may cross
 */
gboolean
gst_datahub_upstream_from_event (GstEvent *event, gint64 distance,
    GstDatahubUpstream *upstream)
{
  *upstream = (GstDatahubUpstream){ .instant = GST_DATAHUB_NO_INSTANT };
  if (gst_video_event_is_force_key_unit (event))
    return parse_key_unit (event, distance, upstream);
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_QOS:
      return parse_qos (event, distance, upstream);
    case GST_EVENT_NAVIGATION:
      return parse_structure (event, GST_DATAHUB_UPSTREAM_NAVIGATION, upstream);
    case GST_EVENT_CUSTOM_UPSTREAM:
      return parse_structure (event, GST_DATAHUB_UPSTREAM_CUSTOM, upstream);
    case GST_EVENT_CUSTOM_BOTH:
      return parse_structure (event, GST_DATAHUB_UPSTREAM_CUSTOM_BOTH,
          upstream);
    case GST_EVENT_CUSTOM_BOTH_OOB:
      return parse_structure (event, GST_DATAHUB_UPSTREAM_CUSTOM_BOTH_OOB,
          upstream);
    default:
      return FALSE;
  }
}

/* GStreamer insists that the buffer was not late before its pipeline began. */
static GstEvent *
new_qos (const GstDatahubUpstream *upstream, GstClockTime timestamp)
{
  gint64 diff = upstream->diff;
  if (timestamp < (GstClockTime) G_MAXINT64)
    diff = MAX (diff, -(gint64) timestamp);
  return gst_event_new_qos (upstream->qos_type, upstream->proportion,
      MAX (diff, -G_MAXINT64), timestamp);
}

/**
 * gst_datahub_upstream_to_event:
 * @upstream: what crossed
 * @distance: from running times of this pipeline to instants
 *
 * Returns: (transfer full): the event for upstream
 */
GstEvent *
gst_datahub_upstream_to_event (const GstDatahubUpstream *upstream,
    gint64 distance)
{
  GstClockTime running_time = to_running_time (upstream->instant, distance);
  GstStructure *structure =
      upstream->structure ? gst_structure_copy (upstream->structure) : NULL;
  switch (upstream->kind) {
    case GST_DATAHUB_UPSTREAM_KEY_UNIT:
      return gst_video_event_new_upstream_force_key_unit (running_time,
          upstream->all_headers, upstream->count);
    case GST_DATAHUB_UPSTREAM_QOS:
      return new_qos (upstream, running_time);
    case GST_DATAHUB_UPSTREAM_NAVIGATION:
      return gst_event_new_navigation (structure);
    case GST_DATAHUB_UPSTREAM_CUSTOM_BOTH:
      return gst_event_new_custom (GST_EVENT_CUSTOM_BOTH, structure);
    case GST_DATAHUB_UPSTREAM_CUSTOM_BOTH_OOB:
      return gst_event_new_custom (GST_EVENT_CUSTOM_BOTH_OOB, structure);
    default:
      return gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, structure);
  }
}

/* Which of `event-types` it belongs to. */
GstDatahubEvents
gst_datahub_upstream_type (const GstDatahubUpstream *upstream)
{
  switch (upstream->kind) {
    case GST_DATAHUB_UPSTREAM_KEY_UNIT:
      return GST_DATAHUB_EVENTS_FORCE_KEY_UNIT;
    case GST_DATAHUB_UPSTREAM_QOS:
      return GST_DATAHUB_EVENTS_QOS;
    case GST_DATAHUB_UPSTREAM_NAVIGATION:
      return GST_DATAHUB_EVENTS_NAVIGATION;
    default:
      return GST_DATAHUB_EVENTS_CUSTOM_UPSTREAM;
  }
}

/* ---- bytes ---- */

/* Returns: (transfer full) (nullable): a text that the sink takes; some values, as a
 * pointer, have none. */
static gchar *
to_text (const GstStructure *structure)
{
  g_autofree gchar *text =
      gst_structure_serialize (structure, GST_SERIALIZE_FLAG_NONE);
  g_autoptr (GstStructure) again = text && strlen (text) < TEXT_MAX
      ? gst_datahub_format_decode_structure (text, strlen (text) + 1)
      : NULL;
  return again ? g_steal_pointer (&text) : NULL;
}

/**
 * gst_datahub_upstream_encode:
 * @upstream: what is to cross
 *
 * Returns: (transfer full) (nullable): its bytes; %NULL: it has no text, or one that
 *   is too long
 */
GBytes *
gst_datahub_upstream_encode (const GstDatahubUpstream *upstream)
{
  GByteArray *bytes;
  g_autofree gchar *text =
      upstream->structure ? to_text (upstream->structure) : NULL;
  if (upstream->structure && !text)
    return NULL;
  bytes = g_byte_array_new ();
  gst_datahub_put_u32 (bytes, upstream->kind);
  if (text) {
    g_byte_array_append (bytes, (const guint8 *) text,
        (guint) strlen (text) + 1);
  } else if (upstream->kind == GST_DATAHUB_UPSTREAM_KEY_UNIT) {
    gst_datahub_put_u32 (bytes, upstream->count);
    gst_datahub_put_u64 (bytes, (guint64) upstream->instant);
    gst_datahub_put_u32 (bytes, upstream->all_headers != FALSE);
  } else {
    gst_datahub_put_u32 (bytes, upstream->qos_type);
    gst_datahub_put_u64 (bytes, (guint64) upstream->instant);
    gst_datahub_put_double (bytes, upstream->proportion);
    gst_datahub_put_u64 (bytes, (guint64) upstream->diff);
  }
  return g_byte_array_free_to_bytes (bytes);
}

static gboolean
get_i64 (GstDatahubBytes *in, gint64 *value)
{
  guint64 bits;
  if (!gst_datahub_get_u64 (in, &bits))
    return FALSE;
  *value = (gint64) bits;
  return TRUE;
}

static gboolean
get_instant (GstDatahubBytes *in, gint64 *instant)
{
  return get_i64 (in, instant)
      && (*instant == GST_DATAHUB_NO_INSTANT
          || gst_datahub_instant_is_valid (*instant));
}

static gboolean
decode_key_unit (GstDatahubBytes *in, GstDatahubUpstream *upstream)
{
  guint32 all_headers;
  if (!gst_datahub_get_u32 (in, &upstream->count)
      || !get_instant (in, &upstream->instant)
      || !gst_datahub_get_u32 (in, &all_headers) || all_headers > 1)
    return FALSE;
  upstream->all_headers = all_headers == 1;
  return in->size == 0;
}

static gboolean
decode_qos (GstDatahubBytes *in, GstDatahubUpstream *upstream)
{
  gint type;
  if (!gst_datahub_get_enum (in, GST_TYPE_QOS_TYPE, &type)
      || !get_instant (in, &upstream->instant)
      || !gst_datahub_get_double (in, &upstream->proportion)
      || !get_i64 (in, &upstream->diff))
    return FALSE;
  upstream->qos_type = (GstQOSType) type;
  return in->size == 0 && isfinite (upstream->proportion)
      && upstream->proportion >= 0.0
      && gst_datahub_instant_is_valid (upstream->diff);
}

static gboolean
decode_text (GstDatahubBytes *in, GstDatahubUpstream *upstream)
{
  upstream->structure =
      gst_datahub_format_decode_structure (in->data, in->size);
  return upstream->structure
      && is_named_for (upstream->structure, upstream->kind);
}

static gboolean
decode_body (GstDatahubBytes *in, GstDatahubUpstream *upstream)
{
  switch (upstream->kind) {
    case GST_DATAHUB_UPSTREAM_KEY_UNIT:
      return decode_key_unit (in, upstream);
    case GST_DATAHUB_UPSTREAM_QOS:
      return decode_qos (in, upstream);
    case GST_DATAHUB_UPSTREAM_NAVIGATION:
    case GST_DATAHUB_UPSTREAM_CUSTOM:
    case GST_DATAHUB_UPSTREAM_CUSTOM_BOTH:
    case GST_DATAHUB_UPSTREAM_CUSTOM_BOTH_OOB:
      return decode_text (in, upstream);
    default:
      return FALSE;
  }
}

/**
 * gst_datahub_upstream_decode:
 * @data: bytes of a consumer; untrusted, but a copy
 * @size: how many
 * @upstream: (out): what they mean; must be cleared
 *
 * Returns: whether they make sense
 */
gboolean
gst_datahub_upstream_decode (gconstpointer data, gsize size,
    GstDatahubUpstream *upstream)
{
  GstDatahubBytes in = { data, MIN (size, DATAHUB_UPSTREAM_EVENT_MAX) };
  guint32 kind;
  *upstream = (GstDatahubUpstream){ .instant = GST_DATAHUB_NO_INSTANT };
  if (size > DATAHUB_UPSTREAM_EVENT_MAX || !gst_datahub_get_u32 (&in, &kind))
    return FALSE;
  upstream->kind = (GstDatahubUpstreamKind) kind;
  if (decode_body (&in, upstream))
    return TRUE;
  gst_datahub_upstream_clear (upstream);
  return FALSE;
}
