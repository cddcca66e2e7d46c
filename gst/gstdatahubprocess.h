/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process of a producer, in words for a message. */
#ifndef GST_DATAHUB_PROCESS_H
#define GST_DATAHUB_PROCESS_H

#include <glib.h>

G_BEGIN_DECLS

gboolean gst_datahub_process_has_block (gint pid, const gchar *uuid);
gchar *gst_datahub_process_describe (gint pid, const gchar *uuid);

G_END_DECLS

#endif /* GST_DATAHUB_PROCESS_H */
