/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The meta that identifies where a buffer comes from: block and number. */
#ifndef GST_DATAHUB_ORIGIN_H
#define GST_DATAHUB_ORIGIN_H

#include "gstdatahubsrcsettings.h"

G_BEGIN_DECLS

#define GST_DATAHUB_ORIGIN_META "datahub-origin"

typedef struct
{
  gboolean wanted;
  const gchar *datablock; /* not owned: the name that the source reads */
  gchar uuid[DATAHUB_UUID_TEXT]; /* of the block */
} GstDatahubOrigin;

void gst_datahub_origin_register (void);
void gst_datahub_origin_begin (GstDatahubOrigin *origin, gboolean wanted,
    const gchar *datablock, const gchar *uuid);
GstBuffer *gst_datahub_origin_attach (const GstDatahubOrigin *origin,
    GstBuffer *buffer, guint64 number);
GstBuffer *gst_datahub_origin_add_pad (GstBuffer *buffer, const gchar *pad);

G_END_DECLS

#endif /* GST_DATAHUB_ORIGIN_H */
