/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source's last buffer, which is repeated while no other comes. The streaming
 * thread's, unless a function states otherwise. */
#ifndef GST_DATAHUB_KEEPALIVE_H
#define GST_DATAHUB_KEEPALIVE_H

#include "gstdatahubreader.h"

G_BEGIN_DECLS

typedef struct
{
  GstDatahubReader *reader; /* not owned: the element outlives this */
  gint64 time; /* without a buffer until one is repeated; 0: never */
  GstBuffer *last; /* owned; a copy that shares the memory; NULL: none */
  GstCaps *caps; /* owned; of the stream that `dependent` is about */
  gboolean dependent; /* it has delta units */
  gint64 ran; /* running time of the pipeline when `last` came */
  guint64 repeated; /* the lock of the interrupt */
} GstDatahubKeepalive;

void gst_datahub_keepalive_init (GstDatahubKeepalive *keepalive,
    GstDatahubReader *reader);
void gst_datahub_keepalive_start (GstDatahubKeepalive *keepalive);
void gst_datahub_keepalive_stop (GstDatahubKeepalive *keepalive);
void gst_datahub_keepalive_note (GstDatahubKeepalive *keepalive,
    GstBuffer *buffer);
GstBuffer *gst_datahub_keepalive_take (GstDatahubKeepalive *keepalive,
    GstClockTime latency);

G_END_DECLS

#endif /* GST_DATAHUB_KEEPALIVE_H */
