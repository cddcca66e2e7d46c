/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the fragments of an MP4 stream begin. One streaming thread. */
#ifndef GST_DATAHUB_FRAGMENTS_H
#define GST_DATAHUB_FRAGMENTS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* All zero: the stream has no fragments. */
typedef struct
{
  gboolean watched;
  guint64 left; /* bytes until the next box */
  guint8 head[16]; /* of that box */
  guint head_size;
  GPtrArray
      *header; /* owned, of GstBuffer: up to the end of moov; NULL: done */
  gsize header_size;
  gboolean complete; /* the header is */
} GstDatahubFragments;

void gst_datahub_fragments_clear (GstDatahubFragments *fragments);
void gst_datahub_fragments_set_caps (GstDatahubFragments *fragments,
    const GstCaps *caps);
void gst_datahub_fragments_flush (GstDatahubFragments *fragments);
gboolean gst_datahub_fragments_begin (GstDatahubFragments *fragments,
    GstBuffer *buffer);
GPtrArray *gst_datahub_fragments_take_header (GstDatahubFragments *fragments);

G_END_DECLS

#endif /* GST_DATAHUB_FRAGMENTS_H */
