/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events <-> bodies of records. Pure functions; any thread. */
#ifndef GST_DATAHUB_FORMAT_H
#define GST_DATAHUB_FORMAT_H

#include <datahub/types.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  gchar *stream_id; /* owned */
  GstStreamFlags flags;
  guint64 group; /* the same for streams of one group of one pipeline */
  guint64 pipeline; /* one run of one producing pipeline; random */
} GstDatahubStreamStart;

void gst_datahub_stream_start_clear (GstDatahubStreamStart *start);
GBytes *gst_datahub_format_encode_stream_start (GstEvent *event,
    guint64 pipeline);
gboolean gst_datahub_format_decode_stream_start (gconstpointer data, gsize size,
    GstDatahubStreamStart *start);

guint gst_datahub_format_local_group (const GstDatahubStreamStart *start);

GBytes *gst_datahub_format_encode_caps (const GstCaps *caps);
GstCaps *gst_datahub_format_decode_caps (gconstpointer data, gsize size);

GstCaps *gst_datahub_format_decode_limits (gconstpointer data, gsize size);

GBytes *gst_datahub_format_encode_segment (const GstSegment *segment);
gboolean gst_datahub_format_decode_segment (gconstpointer data, gsize size,
    GstSegment *segment);

GBytes *gst_datahub_format_encode_tags (const GstTagList *stream,
    const GstTagList *global);
gboolean gst_datahub_format_decode_tag_list (gconstpointer data, gsize size,
    GstTagScope scope, GstTagList **tags);
gboolean gst_datahub_format_decode_tags (gconstpointer data, gsize size,
    GstTagList **stream, GstTagList **global);

GstStructure *gst_datahub_format_decode_structure (gconstpointer data,
    gsize size);

gboolean gst_datahub_format_event_crosses (GstEvent *event);
GBytes *gst_datahub_format_encode_event (GstEvent *event);
GstEvent *gst_datahub_format_decode_event (gconstpointer data, gsize size);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (GstDatahubStreamStart,
    gst_datahub_stream_start_clear)

G_END_DECLS

#endif /* GST_DATAHUB_FORMAT_H */
