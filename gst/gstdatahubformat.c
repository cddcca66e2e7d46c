/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies of records: caps, tags and structures as the text GStreamer itself
 * writes, a segment as fixed-width little-endian numbers. Decoded bytes were
 * written by another process: every length is checked before use, and must not
 * be asserted on.
 * Tests: gst-format, gst-text, fuzz-format */
#include "gstdatahubformat.h"
#include "gstdatahubbytes.h"
#include "gstdatahubcollection.h"
#include "gstdatahubfeatures.h"
#include "gstdatahublimits.h"
#include "gstdatahubtext.h"
#include "gstdatahubtoc.h"

#include <math.h>
#include <string.h>

/* Streams of one group that are further apart than so many groups lose it. */
#define GROUPS_MAX 4096u
#define SEGMENT_VERSION 1
#define SEGMENT_SIZE 88

static gchar *
body_text (gconstpointer data, gsize size)
{
  return gst_datahub_text_copy (data, size, GST_DATAHUB_BODY_MAX);
}

static GBytes *
text_body (gchar *text)
{
  return text ? g_bytes_new_take (text, strlen (text) + 1) : NULL;
}

/**
 * gst_datahub_format_decode_structure:
 * @data: a text and its end; untrusted
 * @size: its bytes
 *
 * Returns: (transfer full) (nullable): a structure, or %NULL where it is none
 */
GstStructure *
gst_datahub_format_decode_structure (gconstpointer data, gsize size)
{
  g_autofree gchar *text = body_text (data, size);
  return gst_datahub_text_to_structure (text);
}

void
gst_datahub_stream_start_clear (GstDatahubStreamStart *start)
{
  g_clear_pointer (&start->stream_id, g_free);
}

/**
 * gst_datahub_format_encode_stream_start:
 * @event: a STREAM_START
 * @pipeline: identifies this run of the producing pipeline
 *
 * Returns: (transfer full): the body of the record
 */
GBytes *
gst_datahub_format_encode_stream_start (GstEvent *event, guint64 pipeline)
{
  const gchar *id;
  GstStreamFlags flags;
  guint group = GST_GROUP_ID_INVALID;
  g_autoptr (GstStructure) structure = NULL;
  gst_event_parse_stream_start (event, &id);
  gst_event_parse_stream_flags (event, &flags);
  gst_event_parse_group_id (event, &group);
  structure =
      gst_structure_new ("datahub-stream-start", "stream-id", G_TYPE_STRING, id,
          "flags", G_TYPE_UINT, (guint) flags, "group", G_TYPE_UINT64,
          (guint64) group, "pipeline", G_TYPE_UINT64, pipeline, NULL);
  return text_body (gst_structure_serialize (structure,
      GST_SERIALIZE_FLAG_NONE));
}

/**
 * gst_datahub_format_decode_stream_start:
 * @data: the body of a record; untrusted
 * @size: its bytes
 * @start: (out): its contents; must be cleared
 *
 * Returns: whether it makes sense
 */
gboolean
gst_datahub_format_decode_stream_start (gconstpointer data, gsize size,
    GstDatahubStreamStart *start)
{
  g_autoptr (GstStructure) structure =
      gst_datahub_format_decode_structure (data, size);
  guint flags = 0;
  memset (start, 0, sizeof *start);
  if (!structure || !gst_structure_has_name (structure, "datahub-stream-start"))
    return FALSE;
  start->stream_id =
      g_strdup (gst_structure_get_string (structure, "stream-id"));
  if (!start->stream_id || !gst_structure_get_uint (structure, "flags", &flags)
      || !gst_structure_get_uint64 (structure, "group", &start->group)
      || !gst_structure_get_uint64 (structure, "pipeline", &start->pipeline)) {
    gst_datahub_stream_start_clear (start);
    return FALSE;
  }
  start->flags = flags
      & (GST_STREAM_FLAG_SPARSE | GST_STREAM_FLAG_SELECT
          | GST_STREAM_FLAG_UNSELECT);
  return TRUE;
}

/**
 * gst_datahub_format_local_group:
 * @start: a stream of a producing pipeline
 *
 * Returns: the group id that all streams of its group have in this process
 */
guint
gst_datahub_format_local_group (const GstDatahubStreamStart *start)
{
  static GMutex lock;
  static GHashTable *groups; /* for the life of the process */
  g_autofree gchar *key =
      g_strdup_printf ("%" G_GINT64_MODIFIER "x.%" G_GINT64_MODIFIER "x",
          start->pipeline, start->group);
  guint id;
  g_mutex_lock (&lock);
  if (!groups)
    groups = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  id = GPOINTER_TO_UINT (g_hash_table_lookup (groups, key));
  if (id == 0) {
    /* a producer that never stops beginning is not to fill the memory */
    if (g_hash_table_size (groups) >= GROUPS_MAX)
      g_hash_table_remove_all (groups);
    id = gst_util_group_id_next ();
    g_hash_table_insert (groups, g_steal_pointer (&key), GUINT_TO_POINTER (id));
  }
  g_mutex_unlock (&lock);
  return id;
}

/**
 * gst_datahub_format_encode_caps:
 * @caps: fixed caps
 *
 * The body is the text of the caps and its end, so that any reader of a block
 * can show it.
 *
 * Returns: (transfer full): the body of the record
 */
GBytes *
gst_datahub_format_encode_caps (const GstCaps *caps)
{
  return text_body (gst_caps_serialize (caps, GST_SERIALIZE_FLAG_NONE));
}

/**
 * gst_datahub_format_decode_caps:
 * @data: the body of a record; untrusted
 * @size: its bytes
 *
 * Returns: (transfer full) (nullable): fixed caps of system memory, or %NULL where
 *   the body has none
 */
GstCaps *
gst_datahub_format_decode_caps (gconstpointer data, gsize size)
{
  g_autofree gchar *text = body_text (data, size);
  g_autoptr (GstCaps) caps =
      text && g_ascii_isalpha (*text) ? gst_caps_from_string (text) : NULL;
  if (!caps || gst_caps_is_any (caps) || gst_caps_is_empty (caps)
      || !gst_caps_is_fixed (caps) || gst_datahub_features_find_memory (caps))
    return NULL;
  return g_steal_pointer (&caps);
}

/**
 * gst_datahub_format_decode_limits:
 * @data: the text of caps and its end; untrusted
 * @size: its bytes
 *
 * Returns: (transfer full) (nullable): caps of system memory that leave something
 */
GstCaps *
gst_datahub_format_decode_limits (gconstpointer data, gsize size)
{
  g_autofree gchar *text = body_text (data, size);
  g_autoptr (GstCaps) caps =
      text && g_ascii_isalpha (*text) ? gst_caps_from_string (text) : NULL;
  g_autoptr (GstCaps) kept =
      caps ? gst_datahub_features_keep_system (caps) : NULL;
  if (!kept || gst_caps_is_any (kept) || gst_caps_is_empty (kept))
    return NULL;
  return g_steal_pointer (&kept);
}

/**
 * gst_datahub_format_encode_segment:
 * @segment: a segment
 *
 * Returns: (transfer full): the body of the record
 */
GBytes *
gst_datahub_format_encode_segment (const GstSegment *segment)
{
  GByteArray *bytes = g_byte_array_sized_new (SEGMENT_SIZE);
  gst_datahub_put_u32 (bytes, SEGMENT_VERSION);
  gst_datahub_put_u32 (bytes, segment->format);
  gst_datahub_put_u32 (bytes, segment->flags);
  gst_datahub_put_u32 (bytes, 0);
  gst_datahub_put_double (bytes, segment->rate);
  gst_datahub_put_double (bytes, segment->applied_rate);
  gst_datahub_put_u64 (bytes, segment->base);
  gst_datahub_put_u64 (bytes, segment->offset);
  gst_datahub_put_u64 (bytes, segment->start);
  gst_datahub_put_u64 (bytes, segment->stop);
  gst_datahub_put_u64 (bytes, segment->time);
  gst_datahub_put_u64 (bytes, segment->position);
  gst_datahub_put_u64 (bytes, segment->duration);
  return g_byte_array_free_to_bytes (bytes);
}

static gboolean
is_segment_sane (const GstSegment *segment)
{
  if (segment->format <= GST_FORMAT_UNDEFINED
      || segment->format > GST_FORMAT_PERCENT)
    return FALSE;
  if (!isfinite (segment->rate) || segment->rate == 0.0
      || !isfinite (segment->applied_rate) || segment->applied_rate == 0.0)
    return FALSE;
  if (segment->start == GST_CLOCK_TIME_NONE
      || segment->base == GST_CLOCK_TIME_NONE
      || segment->offset == GST_CLOCK_TIME_NONE)
    return FALSE;
  return segment->stop == GST_CLOCK_TIME_NONE
      || segment->start <= segment->stop;
}

/**
 * gst_datahub_format_decode_segment:
 * @data: the body of a record; untrusted
 * @size: its bytes
 * @segment: (out): the segment
 *
 * Returns: whether it makes sense
 */
gboolean
gst_datahub_format_decode_segment (gconstpointer data, gsize size,
    GstSegment *segment)
{
  GstDatahubBytes in = { data, size };
  guint32 version = 0, format = 0, flags = 0, unused = 0;
  if (!gst_datahub_get_u32 (&in, &version) || version != SEGMENT_VERSION
      || in.size < SEGMENT_SIZE - 4)
    return FALSE;
  gst_datahub_get_u32 (&in, &format);
  gst_datahub_get_u32 (&in, &flags);
  gst_datahub_get_u32 (&in, &unused);
  if (format > GST_FORMAT_PERCENT)
    return FALSE;
  gst_segment_init (segment, (GstFormat) format);
  segment->flags = (GstSegmentFlags) (flags & 0xffff);
  gst_datahub_get_double (&in, &segment->rate);
  gst_datahub_get_double (&in, &segment->applied_rate);
  gst_datahub_get_u64 (&in, &segment->base);
  gst_datahub_get_u64 (&in, &segment->offset);
  gst_datahub_get_u64 (&in, &segment->start);
  gst_datahub_get_u64 (&in, &segment->stop);
  gst_datahub_get_u64 (&in, &segment->time);
  gst_datahub_get_u64 (&in, &segment->position);
  gst_datahub_get_u64 (&in, &segment->duration);
  return is_segment_sane (segment);
}

static void
append_tags (GByteArray *bytes, const GstTagList *tags)
{
  g_autofree gchar *text = tags ? gst_tag_list_to_string (tags) : g_strdup ("");
  g_byte_array_append (bytes, (const guint8 *) text, (guint) strlen (text) + 1);
}

/**
 * gst_datahub_format_encode_tags:
 * @stream: (nullable): tags of the stream in force
 * @global: (nullable): tags of the whole medium in force
 *
 * Both are written every time, so that one record is complete for consumers
 * that join later.
 *
 * Returns: (transfer full): the body of the record
 */
GBytes *
gst_datahub_format_encode_tags (const GstTagList *stream,
    const GstTagList *global)
{
  GByteArray *bytes = g_byte_array_new ();
  append_tags (bytes, stream);
  append_tags (bytes, global);
  return g_byte_array_free_to_bytes (bytes);
}

/* An empty text is no list, which is fine; FALSE is for nonsense. */
gboolean
gst_datahub_format_decode_tag_list (gconstpointer data, gsize size,
    GstTagScope scope, GstTagList **tags)
{
  g_autofree gchar *text = NULL;
  *tags = NULL;
  if (size == 1)
    return TRUE;
  text = body_text (data, size);
  if (!text || !g_str_has_prefix (text, "taglist"))
    return FALSE;
  *tags = gst_tag_list_new_from_string (text);
  if (!*tags)
    return FALSE;
  gst_tag_list_set_scope (*tags, scope);
  return TRUE;
}

/**
 * gst_datahub_format_decode_tags:
 * @data: the body of a record; untrusted
 * @size: its bytes
 * @stream: (out) (transfer full) (nullable): tags of the stream
 * @global: (out) (transfer full) (nullable): tags of the medium
 *
 * Returns: whether it makes sense
 */
gboolean
gst_datahub_format_decode_tags (gconstpointer data, gsize size,
    GstTagList **stream, GstTagList **global)
{
  const gchar *text = data;
  const gchar *end =
      data && size <= GST_DATAHUB_BODY_MAX ? memchr (data, 0, size) : NULL;
  gsize first = end ? (gsize) (end - text) + 1 : 0;
  *stream = *global = NULL;
  if (!end || first == size)
    return FALSE;
  if (gst_datahub_format_decode_tag_list (text, first, GST_TAG_SCOPE_STREAM,
          stream)
      && gst_datahub_format_decode_tag_list (text + first, size - first,
          GST_TAG_SCOPE_GLOBAL, global))
    return TRUE;
  gst_clear_tag_list (stream);
  gst_clear_tag_list (global);
  return FALSE;
}

static const struct
{
  guint32 wire; /* never changes; GstEventType's numbers are not ours */
  GstEventType type;
} event_types[] = {
  { 1, GST_EVENT_CUSTOM_DOWNSTREAM },
  { 2, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY },
  { 3, GST_EVENT_CUSTOM_BOTH },
  { 4, GST_EVENT_PROTECTION },
  { 5, GST_EVENT_STREAM_GROUP_DONE },
  { 6, GST_EVENT_TOC },
  { 7, GST_EVENT_SEGMENT_DONE },
  { 8, GST_EVENT_STREAM_COLLECTION },
  { 9, GST_EVENT_INSTANT_RATE_CHANGE },
};

static guint32
event_wire_type (GstEvent *event)
{
  for (guint i = 0; i < G_N_ELEMENTS (event_types); i++)
    if (event_types[i].type == GST_EVENT_TYPE (event))
      return event_types[i].wire;
  return 0;
}

/**
 * gst_datahub_format_event_crosses:
 * @event: a serialized event other than the ones with a record type
 *
 * Returns: whether it has an encoding
 */
gboolean
gst_datahub_format_event_crosses (GstEvent *event)
{
  return event_wire_type (event) != 0;
}

/* Returns: (transfer full) (nullable): what has a text. */
static GstStructure *
structure_of (GstEvent *event)
{
  const GstStructure *structure = gst_event_get_structure (event);
  if (GST_EVENT_TYPE (event) == GST_EVENT_TOC)
    return gst_datahub_toc_to_structure (event);
  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_COLLECTION)
    return gst_datahub_collection_to_structure (event);
  return structure ? gst_structure_copy (structure) : NULL;
}

/**
 * gst_datahub_format_encode_event:
 * @event: an event for which gst_datahub_format_event_crosses() holds
 *
 * Returns: (transfer full) (nullable): the body of the record, or %NULL where
 *   the event carries something that has no text
 */
GBytes *
gst_datahub_format_encode_event (GstEvent *event)
{
  g_autoptr (GstStructure) structure = structure_of (event);
  g_autofree gchar *text = structure
      ? gst_structure_serialize (structure, GST_SERIALIZE_FLAG_NONE)
      : NULL;
  GByteArray *bytes;
  if (!text)
    return NULL;
  bytes = g_byte_array_new ();
  gst_datahub_put_u32 (bytes, event_wire_type (event));
  g_byte_array_append (bytes, (const guint8 *) text, (guint) strlen (text) + 1);
  return g_byte_array_free_to_bytes (bytes);
}

static GstEvent *
protection_event (const GstStructure *structure)
{
  const gchar *system_id = gst_structure_get_string (structure, "system_id");
  const gchar *origin = gst_structure_get_string (structure, "origin");
  g_autoptr (GstBuffer) data = NULL;
  if (!system_id
      || !gst_structure_get (structure, "data", GST_TYPE_BUFFER, &data, NULL)
      || !data)
    return NULL;
  return gst_event_new_protection (system_id, data, origin);
}

static GstEvent *
group_done_event (const GstStructure *structure)
{
  guint group;
  if (!gst_structure_get_uint (structure, "group-id", &group)
      || group == GST_GROUP_ID_INVALID)
    return NULL;
  return gst_event_new_stream_group_done (group);
}

static GstEvent *
segment_done_event (const GstStructure *structure)
{
  gint format = GST_FORMAT_UNDEFINED;
  gint64 position;
  if (!gst_structure_get_enum (structure, "format", GST_TYPE_FORMAT, &format)
      || !gst_structure_get_int64 (structure, "position", &position)
      || format <= GST_FORMAT_UNDEFINED || format > GST_FORMAT_PERCENT)
    return NULL;
  return gst_event_new_segment_done ((GstFormat) format, position);
}

static GstEvent *
rate_event (const GstStructure *structure)
{
  GstSegmentFlags flags = GST_SEGMENT_FLAG_NONE;
  gdouble rate;
  if (!gst_structure_get_double (structure, "rate", &rate) || !isfinite (rate)
      || rate == 0.0)
    return NULL;
  gst_structure_get (structure, "flags", GST_TYPE_SEGMENT_FLAGS, &flags, NULL);
  return gst_event_new_instant_rate_change (rate,
      (GstSegmentFlags) (flags & GST_SEGMENT_INSTANT_FLAGS));
}

/* May take *@structure. */
static GstEvent *
event_of (GstEventType type, GstStructure **structure)
{
  switch (type) {
    case GST_EVENT_PROTECTION:
      return protection_event (*structure);
    case GST_EVENT_STREAM_GROUP_DONE:
      return group_done_event (*structure);
    case GST_EVENT_TOC:
      return gst_datahub_toc_from_structure (*structure);
    case GST_EVENT_SEGMENT_DONE:
      return segment_done_event (*structure);
    case GST_EVENT_STREAM_COLLECTION:
      return gst_datahub_collection_from_structure (*structure);
    case GST_EVENT_INSTANT_RATE_CHANGE:
      return rate_event (*structure);
    default:
      return gst_event_new_custom (type, g_steal_pointer (structure));
  }
}

/**
 * gst_datahub_format_decode_event:
 * @data: the body of a record; untrusted
 * @size: its bytes
 *
 * Returns: (transfer full) (nullable): the event, or %NULL where it is none
 *   that may cross
 */
GstEvent *
gst_datahub_format_decode_event (gconstpointer data, gsize size)
{
  GstDatahubBytes in = { data, size };
  g_autoptr (GstStructure) structure = NULL;
  guint32 wire = 0;
  if (!gst_datahub_get_u32 (&in, &wire))
    return NULL;
  structure = gst_datahub_format_decode_structure (in.data, in.size);
  if (!structure)
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (event_types); i++)
    if (event_types[i].wire == wire)
      return event_of (event_types[i].type, &structure);
  return NULL;
}
