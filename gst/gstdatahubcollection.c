/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A STREAM_COLLECTION holds an object, which is written as nested structures. Decoded
 * structures come from another process: all fields are optional but the stream-id.
 * Tests: gst-timed-events, fuzz-format */
#include "gstdatahubcollection.h"

#define STREAMS_MAX 1024u
#define TYPES_ALL                                                              \
  (GST_STREAM_TYPE_AUDIO | GST_STREAM_TYPE_VIDEO | GST_STREAM_TYPE_CONTAINER   \
      | GST_STREAM_TYPE_TEXT | GST_STREAM_TYPE_UNKNOWN)

static GstStructure *
stream_to_structure (GstStream *stream)
{
  g_autoptr (GstCaps) caps = gst_stream_get_caps (stream);
  g_autoptr (GstTagList) tags = gst_stream_get_tags (stream);
  g_autofree gchar *text = tags ? gst_tag_list_to_string (tags) : NULL;
  GstStructure *structure = gst_structure_new ("stream", "id", G_TYPE_STRING,
      gst_stream_get_stream_id (stream), "type", G_TYPE_UINT,
      (guint) gst_stream_get_stream_type (stream), "flags", G_TYPE_UINT,
      (guint) gst_stream_get_stream_flags (stream), NULL);
  if (caps)
    gst_structure_set (structure, "caps", GST_TYPE_CAPS, caps, NULL);
  if (text)
    gst_structure_set (structure, "tags", G_TYPE_STRING, text, NULL);
  return structure;
}

/**
 * gst_datahub_collection_to_structure:
 * @event: a STREAM_COLLECTION
 *
 * Returns: (transfer full): all of it
 */
GstStructure *
gst_datahub_collection_to_structure (GstEvent *event)
{
  g_autoptr (GstStreamCollection) collection = NULL;
  GstStructure *structure;
  GValue array = G_VALUE_INIT;
  guint n;
  gst_event_parse_stream_collection (event, &collection);
  structure = gst_structure_new ("collection", "upstream-id", G_TYPE_STRING,
      gst_stream_collection_get_upstream_id (collection), NULL);
  g_value_init (&array, GST_TYPE_ARRAY);
  n = MIN (gst_stream_collection_get_size (collection), STREAMS_MAX);
  for (guint i = 0; i < n; i++) {
    GValue value = G_VALUE_INIT;
    g_value_init (&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&value,
        stream_to_structure (gst_stream_collection_get_stream (collection, i)));
    gst_value_array_append_and_take_value (&array, &value);
  }
  gst_structure_take_value (structure, "streams", &array);
  return structure;
}

static GstTagList *
get_tags (const GstStructure *structure)
{
  const gchar *text = gst_structure_get_string (structure, "tags");
  return text && g_str_has_prefix (text, "taglist")
      ? gst_tag_list_new_from_string (text)
      : NULL;
}

static GstStream *
stream_from_structure (const GstStructure *structure)
{
  const gchar *id = gst_structure_get_string (structure, "id");
  guint type = 0, flags = 0;
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GstTagList) tags = get_tags (structure);
  GstStream *stream;
  if (!id || !*id)
    return NULL;
  gst_structure_get_uint (structure, "type", &type);
  gst_structure_get_uint (structure, "flags", &flags);
  gst_structure_get (structure, "caps", GST_TYPE_CAPS, &caps, NULL);
  stream = gst_stream_new (id, caps, (GstStreamType) (type & TYPES_ALL),
      (GstStreamFlags) (flags & 7));
  if (tags)
    gst_stream_set_tags (stream, tags);
  return stream;
}

static GstStream *
stream_from_value (const GValue *value)
{
  const GstStructure *structure = GST_VALUE_HOLDS_STRUCTURE (value)
      ? gst_value_get_structure (value)
      : NULL;
  return structure ? stream_from_structure (structure) : NULL;
}

/**
 * gst_datahub_collection_from_structure:
 * @structure: what another process wrote
 *
 * Returns: (transfer full) (nullable): the event
 */
GstEvent *
gst_datahub_collection_from_structure (const GstStructure *structure)
{
  const GValue *array = gst_structure_get_value (structure, "streams");
  g_autoptr (GstStreamCollection) collection = NULL;
  guint n;
  if (!array || !GST_VALUE_HOLDS_ARRAY (array))
    return NULL;
  collection = gst_stream_collection_new (gst_structure_get_string (structure,
      "upstream-id"));
  n = MIN (gst_value_array_get_size (array), STREAMS_MAX);
  for (guint i = 0; i < n; i++) {
    GstStream *stream =
        stream_from_value (gst_value_array_get_value (array, i));
    if (stream)
      gst_stream_collection_add_stream (collection, stream);
  }
  return gst_event_new_stream_collection (collection);
}
