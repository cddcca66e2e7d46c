/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties that are fields of a structure, from a table. Any thread. */
#ifndef GST_DATAHUB_SETTINGS_H
#define GST_DATAHUB_SETTINGS_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  guint id; /* of the property; 0 ends a table */
  guint offset; /* of the field */
  GType type; /* fundamental, of both; the field owns its string */
} GstDatahubSetting;

#define GST_DATAHUB_SIZE_OF(type)                                              \
  ((type) == G_TYPE_STRING          ? sizeof (gchar *)                         \
          : (type) == G_TYPE_UINT64 ? sizeof (guint64)                         \
                                    : sizeof (guint))

/* 0. Does not compile if the size of the field is not that of the type. */
#define GST_DATAHUB_CHECK_SIZE(field, type)                                    \
  (0 * sizeof (gchar[sizeof (field) == GST_DATAHUB_SIZE_OF (type) ? 1 : -1]))

#define GST_DATAHUB_SETTING(id, Struct, field, type)                           \
  {                                                                            \
    id,                                                                        \
        G_STRUCT_OFFSET (Struct, field)                                        \
        + GST_DATAHUB_CHECK_SIZE (((Struct *) 0)->field, type),                \
        type                                                                   \
  }

gboolean gst_datahub_settings_set (GstElement *element, gpointer settings,
    const GstDatahubSetting *table, guint id, const GValue *value);
gboolean gst_datahub_settings_get (GstElement *element, gconstpointer settings,
    const GstDatahubSetting *table, guint id, GValue *value);

G_END_DECLS

#endif /* GST_DATAHUB_SETTINGS_H */
