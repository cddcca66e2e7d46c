/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text that GStreamer itself writes of a structure. A writer and a reader use
 * the same checks, so that a reader takes all that was written.
 * Tests: gst-format, gst-text, gst-metas, fuzz-format, fuzz-meta */
#include "gstdatahubtext.h"
#include "gstdatahubtextguard.h"

#include <string.h>

/**
 * gst_datahub_text_crosses:
 * @text: a text
 * @max: the bytes that it may have with its end
 *
 * Returns: whether a reader takes it
 */
gboolean
gst_datahub_text_crosses (const gchar *text, gsize max)
{
  gsize length = strlen (text);
  return length < max && g_utf8_validate (text, (gssize) length, NULL)
      && gst_datahub_textguard_is_shallow (text);
}

static gboolean has_text (const GValue *value);

static gboolean
each_has_text (GQuark field, const GValue *value, gpointer user_data)
{
  return has_text (value);
}

static gboolean
is_list_text (const GValue *value)
{
  gboolean array = GST_VALUE_HOLDS_ARRAY (value);
  guint n = array ? gst_value_array_get_size (value)
                  : gst_value_list_get_size (value);
  for (guint i = 0; i < n; i++)
    if (!has_text (array ? gst_value_array_get_value (value, i)
                         : gst_value_list_get_value (value, i)))
      return FALSE;
  return TRUE;
}

static gboolean
is_boxed_text (GType type)
{
  return type == GST_TYPE_CAPS || type == GST_TYPE_BUFFER
      || type == GST_TYPE_SAMPLE || type == GST_TYPE_TAG_LIST
      || type == GST_TYPE_SEGMENT || type == GST_TYPE_DATE_TIME
      || type == G_TYPE_DATE || type == GST_TYPE_CAPS_FEATURES
      || type == GST_TYPE_ALLOCATION_PARAMS;
}

/* Whether the text of @value can be read. A pointer and an object are written, but
 * no reader understands them, and it refuses the rest of the structure, too. */
static gboolean
has_text (const GValue *value)
{
  GType type = G_VALUE_TYPE (value);
  if (GST_VALUE_HOLDS_STRUCTURE (value))
    return gst_value_get_structure (value)
        && gst_structure_foreach (gst_value_get_structure (value),
            each_has_text, NULL);
  if (GST_VALUE_HOLDS_ARRAY (value) || GST_VALUE_HOLDS_LIST (value))
    return is_list_text (value);
  switch (G_TYPE_FUNDAMENTAL (type)) {
    case G_TYPE_BOXED:
      return is_boxed_text (type) && g_value_get_boxed (value);
    case G_TYPE_POINTER:
    case G_TYPE_OBJECT:
    case G_TYPE_INTERFACE:
    case G_TYPE_PARAM:
    case G_TYPE_VARIANT:
      return FALSE;
    default:
      return TRUE;
  }
}

/**
 * gst_datahub_text_from_structure:
 * @structure: a structure
 * @max: the bytes that its text may have with its end
 *
 * Returns: (transfer full) (nullable): its text, or %NULL if a reader would refuse
 *   it
 */
gchar *
gst_datahub_text_from_structure (const GstStructure *structure, gsize max)
{
  g_autofree gchar *text = NULL;
  if (!gst_structure_foreach (structure, each_has_text, NULL))
    return NULL;
  text = gst_structure_serialize (structure, GST_SERIALIZE_FLAG_NONE);
  return text && gst_datahub_text_crosses (text, max) ? g_steal_pointer (&text)
                                                      : NULL;
}

/**
 * gst_datahub_text_copy:
 * @data: bytes that another process wrote and can still change
 * @size: how many
 * @max: how many there may be
 *
 * Copies the text, then checks the copy.
 *
 * Returns: (transfer full) (nullable): a text that is safe for GStreamer's parser
 */
gchar *
gst_datahub_text_copy (gconstpointer data, gsize size, gsize max)
{
  g_autofree gchar *text = NULL;
  if (!data || size == 0 || size > max)
    return NULL;
  text = g_memdup2 (data, size);
  if (memchr (text, 0, size) != text + size - 1
      || !gst_datahub_text_crosses (text, max))
    return NULL;
  return g_steal_pointer (&text);
}

/**
 * gst_datahub_text_to_structure:
 * @text: (nullable): of gst_datahub_text_copy()
 *
 * Returns: (transfer full) (nullable): the structure
 */
GstStructure *
gst_datahub_text_to_structure (const gchar *text)
{
  GstStructure *structure;
  gchar *end = NULL;
  /* GStreamer's parser takes other names, then complains about them */
  if (!text || !g_ascii_isalpha (*text))
    return NULL;
  /* without @end GStreamer warns of what is behind the structure */
  structure = gst_structure_from_string (text, &end);
  if (structure && *end != '\0')
    g_clear_pointer (&structure, gst_structure_free);
  return structure;
}
