/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of a block -> buffers and events. One streaming thread. */
#ifndef GST_DATAHUB_READER_H
#define GST_DATAHUB_READER_H

#include "gstdatahubfeed.h"
#include "gstdatahubsticky.h"

#include <datahub/consumer.h>

G_BEGIN_DECLS

typedef struct
{
  guint64 zero_copy;
  guint64 copied;
  guint64 metas_refused;
} GstDatahubReaderStats;

typedef struct
{
  DatahubConsumer *consumer; /* borrowed from the element */
  GstDatahubFeed *feed; /* borrowed from the element */
  guint64 context[DATAHUB_N_CONTEXTS]; /* sequences passed on; NONE: not yet */
  GBytes *in_force; /* owned; the last record of tags; NULL: none */
  GstDatahubReaderStats stats; /* written by the streaming thread */
} GstDatahubReader;

void gst_datahub_reader_init (GstDatahubReader *reader,
    DatahubConsumer *consumer, GstDatahubFeed *feed);
void gst_datahub_reader_clear (GstDatahubReader *reader);
void gst_datahub_reader_start_over (GstDatahubReader *reader);
GstFlowReturn gst_datahub_reader_take_view (GstDatahubReader *reader,
    const DatahubView *view, GstBuffer **buffer, DatahubError *error);
GstFlowReturn gst_datahub_reader_take_sticky (GstDatahubReader *reader,
    DatahubError *error);

G_END_DECLS

#endif /* GST_DATAHUB_READER_H */
