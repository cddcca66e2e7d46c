/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream repeats what does not cross with each buffer, so one warning a name is
 * enough; the counter has the rest. What nothing could use is no reason to warn.
 * Names can come from another process: only so many are remembered, and no more
 * warnings follow.
 * Tests: gst-metas, gst-metas-unused, gst-left-out */
#include "gstdatahubleftout.h"

#define NAMES_MAX 64

/* All zero and @element %NULL: it only counts. */
void
gst_datahub_left_out_init (GstDatahubLeftOut *left, GstElement *element,
    const gchar *counter)
{
  *left = (GstDatahubLeftOut){ .element = element, .counter = counter };
}

/* Afterwards each name is reported again. */
void
gst_datahub_left_out_clear (GstDatahubLeftOut *left)
{
  g_clear_pointer (&left->names, g_hash_table_unref);
  left->count = 0;
  left->last[0] = '\0';
}

static gboolean
is_new (GstDatahubLeftOut *left, const gchar *name)
{
  if (!left->names)
    left->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return g_hash_table_size (left->names) < NAMES_MAX
      && g_hash_table_add (left->names, g_strdup (name));
}

/* Whether it is the first of its name. */
static gboolean
count (GstDatahubLeftOut *left, const gchar *name)
{
  left->count++;
  g_strlcpy (left->last, name, sizeof left->last);
  return left->element && is_new (left, name);
}

/**
 * gst_datahub_left_out_note:
 * @left: what was left out before
 * @name: of the thing
 * @size: its bytes; 0: it has none
 * @reason: as for printf(): the rest of a sentence that begins with the name
 *
 * Counts the thing, and posts a warning if it is the first of its name.
 */
void
gst_datahub_left_out_note (GstDatahubLeftOut *left, const gchar *name,
    gsize size, const gchar *reason, ...)
{
  g_autofree gchar *bytes = NULL;
  g_autofree gchar *why = NULL;
  va_list args;
  if (!count (left, name))
    return;
  va_start (args, reason);
  why = g_strdup_vprintf (reason, args);
  va_end (args);
  bytes = size ? g_strdup_printf (" (%" G_GSIZE_FORMAT " bytes)", size)
               : g_strdup ("");
  GST_ELEMENT_WARNING (left->element, STREAM, NOT_IMPLEMENTED,
      ("%s%s %s. It was left out; the rest of the stream goes on. Later ones are "
       "left out without a warning; `%s` in stats counts them.",
          name, bytes, why, left->counter),
      (NULL));
}

/**
 * gst_datahub_left_out_mention:
 * @left: what was left out before
 * @name: of the thing
 * @reason: the rest of a sentence that begins with the name
 *
 * As gst_datahub_left_out_note(), for a thing that nothing there can use: what is
 * posted is an information.
 */
void
gst_datahub_left_out_mention (GstDatahubLeftOut *left, const gchar *name,
    const gchar *reason)
{
  if (!count (left, name))
    return;
  GST_ELEMENT_INFO (left->element, STREAM, NOT_IMPLEMENTED,
      ("%s %s. It was left out, and later ones are; `%s` in stats counts them.",
          name, reason, left->counter),
      (NULL));
}
