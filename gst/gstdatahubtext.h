/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structures <-> text in shared memory. Pure functions; any thread. */
#ifndef GST_DATAHUB_TEXT_H
#define GST_DATAHUB_TEXT_H

#include <gst/gst.h>

G_BEGIN_DECLS

gboolean gst_datahub_text_crosses (const gchar *text, gsize max);
gchar *gst_datahub_text_from_structure (const GstStructure *structure,
    gsize max);
gchar *gst_datahub_text_copy (gconstpointer data, gsize size, gsize max);
GstStructure *gst_datahub_text_to_structure (const gchar *text);

G_END_DECLS

#endif /* GST_DATAHUB_TEXT_H */
