/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the broker knows of blocks. It is only observed: no broker is started, and no
 * key or directory made. Any thread. */
#ifndef GST_DATAHUB_CATALOGUE_H
#define GST_DATAHUB_CATALOGUE_H

#include "gstdatahubdirectory.h"

G_BEGIN_DECLS

typedef struct _GstDatahubCatalogue GstDatahubCatalogue;

GstDatahubCatalogue *gst_datahub_catalogue_new (const GstDatahubDirectoryOptions
        *options);
void gst_datahub_catalogue_wait (GstDatahubCatalogue *catalogue);
void gst_datahub_catalogue_set_watch (GstDatahubCatalogue *catalogue,
    DatahubWatch *watch);
gboolean gst_datahub_catalogue_is_connected (GstDatahubCatalogue *catalogue);
DatahubHubBlock *gst_datahub_catalogue_get (GstDatahubCatalogue *catalogue,
    const gchar *name, gboolean *news);
void gst_datahub_catalogue_add_names (GstDatahubCatalogue *catalogue,
    GHashTable *names);
void gst_datahub_catalogue_free (GstDatahubCatalogue *catalogue);

G_END_DECLS

#endif /* GST_DATAHUB_CATALOGUE_H */
