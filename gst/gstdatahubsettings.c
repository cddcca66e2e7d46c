/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields are guarded by the element's object lock.
 * Tests: gst-properties */
#include "gstdatahubsettings.h"

static const GstDatahubSetting *
find (const GstDatahubSetting *table, guint id)
{
  while (table->id && table->id != id)
    table++;
  return table->id ? table : NULL;
}

static void
write_field (gpointer field, GType type, const GValue *value)
{
  switch (type) {
    case G_TYPE_BOOLEAN:
      *(gboolean *) field = g_value_get_boolean (value);
      break;
    case G_TYPE_UINT:
      *(guint *) field = g_value_get_uint (value);
      break;
    case G_TYPE_UINT64:
      *(guint64 *) field = g_value_get_uint64 (value);
      break;
    case G_TYPE_ENUM:
      *(gint *) field = g_value_get_enum (value);
      break;
    case G_TYPE_FLAGS:
      *(guint *) field = g_value_get_flags (value);
      break;
    case G_TYPE_STRING:
      g_free (*(gchar **) field);
      *(gchar **) field = g_value_dup_string (value);
      break;
    default:
      g_assert_not_reached ();
  }
}

static void
read_field (gconstpointer field, GType type, GValue *value)
{
  switch (type) {
    case G_TYPE_BOOLEAN:
      g_value_set_boolean (value, *(const gboolean *) field);
      break;
    case G_TYPE_UINT:
      g_value_set_uint (value, *(const guint *) field);
      break;
    case G_TYPE_UINT64:
      g_value_set_uint64 (value, *(const guint64 *) field);
      break;
    case G_TYPE_ENUM:
      g_value_set_enum (value, *(const gint *) field);
      break;
    case G_TYPE_FLAGS:
      g_value_set_flags (value, *(const guint *) field);
      break;
    case G_TYPE_STRING:
      g_value_set_string (value, *(gchar *const *) field);
      break;
    default:
      g_assert_not_reached ();
  }
}

/* Returns: whether @id is in @table. */
gboolean
gst_datahub_settings_set (GstElement *element, gpointer settings,
    const GstDatahubSetting *table, guint id, const GValue *value)
{
  const GstDatahubSetting *setting = find (table, id);
  if (!setting)
    return FALSE;
  GST_OBJECT_LOCK (element);
  write_field (G_STRUCT_MEMBER_P (settings, setting->offset), setting->type,
      value);
  GST_OBJECT_UNLOCK (element);
  return TRUE;
}

/* Returns: whether @id is in @table. */
gboolean
gst_datahub_settings_get (GstElement *element, gconstpointer settings,
    const GstDatahubSetting *table, guint id, GValue *value)
{
  const GstDatahubSetting *setting = find (table, id);
  if (!setting)
    return FALSE;
  GST_OBJECT_LOCK (element);
  read_field (G_STRUCT_MEMBER_P (settings, setting->offset), setting->type,
      value);
  GST_OBJECT_UNLOCK (element);
  return TRUE;
}
