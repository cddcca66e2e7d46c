/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The buffers without which the others of a stream cannot be decoded. One
 * streaming thread. */
#ifndef GST_DATAHUB_STREAM_HEADER_H
#define GST_DATAHUB_STREAM_HEADER_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* All zero: none. */
typedef struct
{
  GPtrArray *buffers; /* owned, of GstBuffer; NULL: none */
  guint64 ordinal; /* of the buffer that is next if none was missed */
  GQuark media_type; /* of the caps */
  gboolean needed; /* the caps are of a format that begins with one */
  gboolean from_caps; /* `buffers` are of the caps */
  gboolean pending; /* no buffer behind the caps was passed on yet */
  gboolean passed; /* one was */
  gboolean follows; /* and this block continues that stream */
  GQueue ready; /* of GstBuffer, owned: to be pushed next */
} GstDatahubStreamHeader;

void gst_datahub_stream_header_clear (GstDatahubStreamHeader *header);
void gst_datahub_stream_header_begin (GstDatahubStreamHeader *header,
    gboolean follows);
void gst_datahub_stream_header_set_caps (GstDatahubStreamHeader *header,
    const GstCaps *caps, guint64 ordinal);
gboolean gst_datahub_stream_header_is_missing (
    const GstDatahubStreamHeader *header, guint64 ordinal);
gboolean gst_datahub_stream_header_take_event (GstDatahubStreamHeader *header,
    GstEvent *event);
GstEvent *gst_datahub_stream_header_make_event (const GstCaps *caps,
    GPtrArray *buffers);
GstEvent *gst_datahub_stream_header_make_repeated (const GstCaps *caps,
    GstEvent *found);
GstBuffer *gst_datahub_stream_header_put_first (GstDatahubStreamHeader *header,
    GstBuffer *buffer, guint64 ordinal, gboolean inside);
GstBuffer *gst_datahub_stream_header_next (GstDatahubStreamHeader *header);
void gst_datahub_stream_header_drop_ready (GstDatahubStreamHeader *header);

G_END_DECLS

#endif /* GST_DATAHUB_STREAM_HEADER_H */
