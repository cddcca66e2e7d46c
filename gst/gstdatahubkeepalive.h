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
  GstSegment segment; /* of `last` */
  gint64 ran; /* running time when `last` came; G_MININT64: not known yet */
  gint64 shift; /* by how much the latest repeat is later than `last` */
  gint64 reached; /* the latest repeat's running time; G_MININT64: none */
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
