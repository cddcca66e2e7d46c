/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A TOC event holds its table as an object that has no text form, so it is
 * written as nested structures. Decoded structures come from another process:
 * depth and numbers are bounded.
 * Tests: gst-format, gst-joiners */
#include "gstdatahubtoc.h"
#include "gstdatahublimits.h"
#include "gstdatahubtext.h"

static void
put_tags (GstStructure *structure, GstTagList *tags)
{
  g_autofree gchar *text = tags ? gst_tag_list_to_string (tags) : NULL;
  if (text)
    gst_structure_set (structure, "tags", G_TYPE_STRING, text, NULL);
}

/* A string in the text of the table is only now parsed as text, so it is checked
 * now. FALSE: it is not safe. */
static gboolean
get_tags (const GstStructure *structure, GstTagList **tags)
{
  const gchar *text = gst_structure_get_string (structure, "tags");
  *tags = NULL;
  if (text && !gst_datahub_text_crosses (text, GST_DATAHUB_BODY_MAX))
    return FALSE;
  if (text)
    *tags = gst_tag_list_new_from_string (text);
  return TRUE;
}

static GstStructure *entry_to_structure (const GstTocEntry *entry);

static void
put_entries (GstStructure *structure, GList *entries)
{
  GValue array = G_VALUE_INIT;
  if (!entries)
    return;
  g_value_init (&array, GST_TYPE_ARRAY);
  for (; entries; entries = entries->next) {
    GValue value = G_VALUE_INIT;
    g_value_init (&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&value, entry_to_structure (entries->data));
    gst_value_array_append_and_take_value (&array, &value);
  }
  gst_structure_take_value (structure, "entries", &array);
}

static GstStructure *
entry_to_structure (const GstTocEntry *entry)
{
  GstStructure *structure = gst_structure_new ("entry", "type", G_TYPE_INT,
      (gint) gst_toc_entry_get_entry_type (entry), "uid", G_TYPE_STRING,
      gst_toc_entry_get_uid (entry), NULL);
  gint64 start, stop;
  GstTocLoopType loop;
  gint repeat;
  if (gst_toc_entry_get_start_stop_times (entry, &start, &stop))
    gst_structure_set (structure, "start", G_TYPE_INT64, start, "stop",
        G_TYPE_INT64, stop, NULL);
  if (gst_toc_entry_get_loop (entry, &loop, &repeat))
    gst_structure_set (structure, "loop", G_TYPE_INT, (gint) loop, "repeat",
        G_TYPE_INT, repeat, NULL);
  put_tags (structure, gst_toc_entry_get_tags (entry));
  put_entries (structure, gst_toc_entry_get_sub_entries (entry));
  return structure;
}

/* Each level is quoted by the one above, so the text grows exponentially. */
static gboolean
are_entries_few (GList *entries, guint depth, guint *left)
{
  if (entries && depth > GST_DATAHUB_TOC_DEPTH_MAX)
    return FALSE;
  for (; entries; entries = entries->next)
    if ((*left)-- == 0
        || !are_entries_few (gst_toc_entry_get_sub_entries (entries->data),
            depth + 1, left))
      return FALSE;
  return TRUE;
}

/**
 * gst_datahub_toc_to_structure:
 * @event: a TOC
 *
 * Returns: (transfer full) (nullable): all of it, or %NULL if it has more levels or
 *   entries than a reader takes
 */
GstStructure *
gst_datahub_toc_to_structure (GstEvent *event)
{
  g_autoptr (GstToc) toc = NULL;
  gboolean updated;
  GstStructure *structure;
  guint left = GST_DATAHUB_TOC_ENTRIES_MAX;
  gst_event_parse_toc (event, &toc, &updated);
  if (!are_entries_few (gst_toc_get_entries (toc), 1, &left))
    return NULL;
  structure = gst_structure_new ("toc", "scope", G_TYPE_INT,
      (gint) gst_toc_get_scope (toc), "updated", G_TYPE_BOOLEAN, updated, NULL);
  put_tags (structure, gst_toc_get_tags (toc));
  put_entries (structure, gst_toc_get_entries (toc));
  return structure;
}

/* The alternatives are negative, the sequences positive. */
static gboolean
is_entry_type (gint type)
{
  return type >= GST_TOC_ENTRY_TYPE_ANGLE && type <= GST_TOC_ENTRY_TYPE_CHAPTER
      && type != GST_TOC_ENTRY_TYPE_INVALID;
}

typedef void (*AddFunc) (gpointer parent, GstTocEntry *entry);

static void
add_to_toc (gpointer parent, GstTocEntry *entry)
{
  gst_toc_append_entry (parent, entry);
}

static void
add_to_entry (gpointer parent, GstTocEntry *entry)
{
  gst_toc_entry_append_sub_entry (parent, entry);
}

static gboolean get_entries (const GstStructure *structure, guint depth,
    guint *left, AddFunc add, gpointer parent);

static GstTocEntry *
entry_from_structure (const GstStructure *structure, guint depth, guint *left)
{
  const gchar *uid = gst_structure_get_string (structure, "uid");
  g_autoptr (GstTocEntry) entry = NULL;
  GstTagList *tags;
  gint64 start, stop;
  gint type, loop, repeat;
  if (!uid || !gst_structure_get_int (structure, "type", &type)
      || !is_entry_type (type) || *left == 0)
    return NULL;
  --*left;
  entry = gst_toc_entry_new ((GstTocEntryType) type, uid);
  if (gst_structure_get (structure, "start", G_TYPE_INT64, &start, "stop",
          G_TYPE_INT64, &stop, NULL))
    gst_toc_entry_set_start_stop_times (entry, start, stop);
  if (gst_structure_get (structure, "loop", G_TYPE_INT, &loop, "repeat",
          G_TYPE_INT, &repeat, NULL)
      && loop >= GST_TOC_LOOP_NONE && loop <= GST_TOC_LOOP_PING_PONG)
    gst_toc_entry_set_loop (entry, (GstTocLoopType) loop, repeat);
  if (!get_tags (structure, &tags))
    return NULL;
  if (tags)
    gst_toc_entry_set_tags (entry, tags);
  if (!get_entries (structure, depth + 1, left, add_to_entry, entry))
    return NULL;
  return g_steal_pointer (&entry);
}

static gboolean
get_entries (const GstStructure *structure, guint depth, guint *left,
    AddFunc add, gpointer parent)
{
  const GValue *array = gst_structure_get_value (structure, "entries");
  if (!array)
    return TRUE;
  if (!GST_VALUE_HOLDS_ARRAY (array) || depth > GST_DATAHUB_TOC_DEPTH_MAX)
    return FALSE;
  for (guint i = 0; i < gst_value_array_get_size (array); i++) {
    const GValue *value = gst_value_array_get_value (array, i);
    GstTocEntry *entry = NULL;
    if (GST_VALUE_HOLDS_STRUCTURE (value))
      entry =
          entry_from_structure (gst_value_get_structure (value), depth, left);
    if (!entry)
      return FALSE;
    add (parent, entry);
  }
  return TRUE;
}

/**
 * gst_datahub_toc_from_structure:
 * @structure: untrusted
 *
 * Returns: (transfer full) (nullable): a TOC, or %NULL where it is none
 */
GstEvent *
gst_datahub_toc_from_structure (const GstStructure *structure)
{
  g_autoptr (GstToc) toc = NULL;
  GstTagList *tags;
  gboolean updated;
  guint left = GST_DATAHUB_TOC_ENTRIES_MAX;
  gint scope;
  if (!gst_structure_get (structure, "scope", G_TYPE_INT, &scope, "updated",
          G_TYPE_BOOLEAN, &updated, NULL)
      || (scope != GST_TOC_SCOPE_GLOBAL && scope != GST_TOC_SCOPE_CURRENT))
    return NULL;
  toc = gst_toc_new ((GstTocScope) scope);
  if (!get_tags (structure, &tags))
    return NULL;
  if (tags)
    gst_toc_set_tags (toc, tags);
  if (!get_entries (structure, 1, &left, add_to_toc, toc))
    return NULL;
  return gst_event_new_toc (toc, updated);
}
