/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Things that do not cross. Each name is reported once. One streaming thread. */
#ifndef GST_DATAHUB_LEFT_OUT_H
#define GST_DATAHUB_LEFT_OUT_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstElement
      *element; /* not owned; posts the messages; NULL: nothing is posted */
  const gchar *counter; /* the field of its statistics that counts them */
  GHashTable *names; /* owned; those that were reported */
  guint64 count;
  gchar last[80]; /* the name of the last one */
} GstDatahubLeftOut;

void gst_datahub_left_out_init (GstDatahubLeftOut *left, GstElement *element,
    const gchar *counter);
void gst_datahub_left_out_clear (GstDatahubLeftOut *left);
void gst_datahub_left_out_note (GstDatahubLeftOut *left, const gchar *name,
    gsize size, const gchar *reason, ...) G_GNUC_PRINTF (4, 5);
void gst_datahub_left_out_mention (GstDatahubLeftOut *left, const gchar *name,
    const gchar *reason);

G_END_DECLS

#endif /* GST_DATAHUB_LEFT_OUT_H */
