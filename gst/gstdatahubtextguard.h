/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks text of another process before GStreamer parses it. Pure functions. */
#ifndef GST_DATAHUB_TEXTGUARD_H
#define GST_DATAHUB_TEXTGUARD_H

#include <glib.h>

G_BEGIN_DECLS

gboolean gst_datahub_textguard_is_shallow (const gchar *text);

G_END_DECLS

#endif /* GST_DATAHUB_TEXTGUARD_H */
