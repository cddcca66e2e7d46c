/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A key that may not consume the block of a sink any more -> another block. */
#ifndef GST_DATAHUB_REVOCATION_H
#define GST_DATAHUB_REVOCATION_H

#include <datahub/datahub.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* The hub's thread. @element is alive until it returns. */
typedef void (*GstDatahubRevoked) (GstElement *element, gpointer data,
    const gchar *uuid);

typedef struct
{
  DatahubHub *hub; /* owned; NULL: not connected */
  gulong handler;
} GstDatahubRevocation;

void gst_datahub_revocation_start (GstDatahubRevocation *revocation,
    GstElement *element, DatahubHub *hub, const gchar *channel,
    GstDatahubRevoked revoked, gpointer data);
void gst_datahub_revocation_stop (GstDatahubRevocation *revocation);

G_END_DECLS

#endif /* GST_DATAHUB_REVOCATION_H */
