/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers and events -> records of a block. One streaming thread. */
#ifndef GST_DATAHUB_WRITER_H
#define GST_DATAHUB_WRITER_H

#include "gstdatahubfragments.h"
#include "gstdatahubleftout.h"
#include "gstdatahubmedium.h"
#include "gstdatahubproducer.h"
#include "gstdatahubtime.h"
#include "gstdatahubunits.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 zero_copy; /* buffers committed as they were */
  guint64 copied; /* buffers copied once */
  guint64 copied_bytes;
  guint64 dropped; /* buffers for which there was no room */
  guint64 metas_left; /* metas that have no encoding */
  guint64 left_out; /* tags and events that did not fit */
} GstDatahubWriterStats;

/* Of the last buffer. */
typedef struct
{
  gint64 instant; /* GST_DATAHUB_NO_INSTANT: none yet, or it has no time */
  GstClockTime duration; /* may be NONE */
} GstDatahubWriterPosition;

/* The state that applies to all buffers of one call. */
typedef struct
{
  const GstSegment *segment;
  GstClock *clock; /* borrowed; NULL: none */
  GstClockTime base_time;
  GstDatahubClockMap *clock_map; /* of `clock` */
  gboolean live;
  GstDatahubFragments *fragments; /* of the stream */
  const GstDatahubMedium *medium; /* of the caps */
  GstDatahubUnits *units; /* of the stream */
} GstDatahubWriterNow;

typedef struct _GstDatahubWriter GstDatahubWriter;

GstDatahubWriter *gst_datahub_writer_new (GstDatahubProducer *block,
    GstElement *element);
void gst_datahub_writer_free (GstDatahubWriter *writer);
GstAllocator *gst_datahub_writer_get_allocator (GstDatahubWriter *writer);
DatahubProducer *gst_datahub_writer_get_producer (GstDatahubWriter *writer);
void gst_datahub_writer_get_stats (GstDatahubWriter *writer,
    GstDatahubWriterStats *stats);
GstDatahubWriterPosition gst_datahub_writer_get_position (GstDatahubWriter
        *writer);

void gst_datahub_writer_set_yielding (GstDatahubWriter *writer,
    gboolean yielding);

GstFlowReturn gst_datahub_writer_write_buffers (GstDatahubWriter *writer,
    const GstDatahubWriterNow *now, GstBuffer **buffers, guint n_buffers);
GstFlowReturn gst_datahub_writer_write_body (GstDatahubWriter *writer,
    DatahubRecordType type, GBytes *body);
GstFlowReturn gst_datahub_writer_write_optional (GstDatahubWriter *writer,
    DatahubRecordType type, GBytes *body);
GstDatahubLeftOut *gst_datahub_writer_get_left_out (GstDatahubWriter *writer);
void gst_datahub_writer_refuse_caps (GstDatahubWriter *writer, gsize size);
void gst_datahub_writer_count_left_out (GstDatahubWriter *writer);
GstFlowReturn gst_datahub_writer_write_at (GstDatahubWriter *writer,
    const GstDatahubWriterNow *now, GstClockTime timestamp, GBytes *body);
GstFlowReturn gst_datahub_writer_write_gap (GstDatahubWriter *writer,
    const GstDatahubWriterNow *now, GstEvent *event);

G_END_DECLS

#endif /* GST_DATAHUB_WRITER_H */
