/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture of 64 MB in the tags of a song must not cost the title of the song. So
 * each value is measured, and what does not fit is left out alone.
 * Tests: gst-left-out */
#include "gstdatahubtags.h"
#include "gstdatahublimits.h"
#include "gstdatahubtext.h"

#include <string.h>

static gsize
buffer_size (GstBuffer *buffer)
{
  return buffer ? gst_buffer_get_size (buffer) : 0;
}

static gboolean
has_picture (const GValue *value)
{
  return G_VALUE_HOLDS (value, GST_TYPE_SAMPLE)
      || G_VALUE_HOLDS (value, GST_TYPE_BUFFER);
}

/* At least so many bytes its text has. */
static gsize
least_size (const GValue *value)
{
  if (G_VALUE_HOLDS_STRING (value))
    return g_value_get_string (value) ? strlen (g_value_get_string (value)) : 0;
  if (G_VALUE_HOLDS (value, GST_TYPE_BUFFER))
    return buffer_size (g_value_get_boxed (value));
  if (G_VALUE_HOLDS (value, GST_TYPE_SAMPLE) && g_value_get_boxed (value))
    return buffer_size (gst_sample_get_buffer (g_value_get_boxed (value)));
  return 0;
}

/* Each value of @tags, with its name, until @visit returns FALSE. */
static gboolean
visit_values (const GstTagList *tags,
    gboolean (*visit) (const gchar *name, const GValue *value,
        gpointer user_data),
    gpointer user_data)
{
  for (gint t = 0; t < gst_tag_list_n_tags (tags); t++) {
    const gchar *name = gst_tag_list_nth_tag_name (tags, (guint) t);
    for (guint i = 0; i < gst_tag_list_get_tag_size (tags, name); i++)
      if (!visit (name, gst_tag_list_get_value_index (tags, name, i),
              user_data))
        return FALSE;
  }
  return TRUE;
}

static gboolean
add_least_size (const gchar *name, const GValue *value, gpointer user_data)
{
  *(gsize *) user_data += least_size (value);
  return TRUE;
}

/* Whether a reader takes all of it. */
static gboolean
cross_together (const GstTagList *tags)
{
  g_autofree gchar *text = NULL;
  gsize least = 0;
  visit_values (tags, add_least_size, &least);
  if (least >= GST_DATAHUB_BODY_MAX)
    return FALSE;
  text = gst_tag_list_to_string (tags);
  return text && gst_datahub_text_crosses (text, GST_DATAHUB_BODY_MAX);
}

/* What is chosen of a list. */
typedef struct
{
  GstTagList *tags;
  GstDatahubLeftOut *left;
  gsize size;
} Choice;

static void
leave_out (Choice *choice, const gchar *name, gsize size)
{
  g_autofree gchar *what = g_strdup_printf ("The tag \"%s\"", name);
  gst_datahub_left_out_note (choice->left, what, size,
      "does not fit the %u bytes of text that all tags may have, or no reader "
      "takes its text",
      GST_DATAHUB_BODY_MAX);
}

static gboolean
choose (const gchar *name, const GValue *value, gpointer user_data)
{
  Choice *choice = user_data;
  g_autofree gchar *text = NULL;
  gsize size = least_size (value);
  if (choice->size + size < GST_DATAHUB_BODY_MAX) {
    g_autoptr (GstTagList) one = gst_tag_list_new_empty ();
    gst_tag_list_add_value (one, GST_TAG_MERGE_APPEND, name, value);
    text = gst_tag_list_to_string (one);
    size = text ? strlen (text) : size;
  }
  if (text && gst_datahub_text_crosses (text, GST_DATAHUB_BODY_MAX)
      && choice->size + size < GST_DATAHUB_BODY_MAX) {
    choice->size += size;
    gst_tag_list_add_value (choice->tags, GST_TAG_MERGE_APPEND, name, value);
  } else {
    leave_out (choice, name, size);
  }
  return TRUE;
}

static gboolean
choose_no_picture (const gchar *name, const GValue *value, gpointer user_data)
{
  Choice *choice = user_data;
  if (!has_picture (value))
    gst_tag_list_add_value (choice->tags, GST_TAG_MERGE_APPEND, name, value);
  else
    leave_out (choice, name, least_size (value));
  return TRUE;
}

static GstTagList *
choose_from (const GstTagList *tags,
    gboolean (*visit) (const gchar *name, const GValue *value,
        gpointer user_data),
    GstDatahubLeftOut *left)
{
  Choice choice = { gst_tag_list_new_empty (), left, strlen ("taglist;") + 1 };
  gst_tag_list_set_scope (choice.tags, gst_tag_list_get_scope (tags));
  visit_values (tags, visit, &choice);
  return choice.tags;
}

/**
 * gst_datahub_tags_that_cross:
 * @tags: a list
 * @left: gets the values that do not fit
 *
 * Returns: (transfer full): the others, which a reader takes together
 */
GstTagList *
gst_datahub_tags_that_cross (const GstTagList *tags, GstDatahubLeftOut *left)
{
  GstTagList *chosen;
  if (cross_together (tags))
    return gst_tag_list_copy (tags);
  chosen = choose_from (tags, choose, left);
  /* each alone fits, all together need not */
  while (!gst_tag_list_is_empty (chosen) && !cross_together (chosen)) {
    g_autofree gchar *last = g_strdup (gst_tag_list_nth_tag_name (chosen,
        (guint) gst_tag_list_n_tags (chosen) - 1));
    Choice choice = { chosen, left, 0 };
    gst_tag_list_remove_tag (chosen, last);
    leave_out (&choice, last, 0);
  }
  return chosen;
}

/* For a block without space for them. */
GstTagList *
gst_datahub_tags_without_pictures (const GstTagList *tags,
    GstDatahubLeftOut *left)
{
  return choose_from (tags, choose_no_picture, left);
}
