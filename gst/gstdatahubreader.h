/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of a block -> buffers and events. One streaming thread. */
#ifndef GST_DATAHUB_READER_H
#define GST_DATAHUB_READER_H

#include "gstdatahubattachment.h"
#include "gstdatahubfeed.h"
#include "gstdatahuborigin.h"
#include "gstdatahubsticky.h"

G_BEGIN_DECLS

typedef struct
{
  GstDatahubAttachment *attachment; /* not owned: the element outlives this */
  GstDatahubFeed *feed; /* likewise */
  guint64 context[DATAHUB_N_CONTEXTS]; /* sequences passed on; NONE: not yet */
  GBytes *in_force; /* owned; the last record of tags; NULL: none */
  guint64 stream_ordinal; /* of the first buffer of the stream */
  gboolean
      catching_up; /* what is passed on was committed before what is read */
  gint restate; /* atomic: downstream may accept other caps than before */
  GstCaps *unfit; /* owned; caps that downstream does not accept */
  GstCaps *imposed; /* owned; caps that were pushed though they do not fit */
  gboolean looked; /* at the sticky records */
  gboolean discont; /* to be set on the next buffer */
  guint64 lost; /* to be reported with the next buffer */
  gboolean warned_damaged; /* once for each producer */
  GstDatahubOrigin origin; /* of its buffers */
} GstDatahubReader;

void gst_datahub_reader_init (GstDatahubReader *reader,
    GstDatahubAttachment *attachment, GstDatahubFeed *feed);
void gst_datahub_reader_clear (GstDatahubReader *reader);
void gst_datahub_reader_restate (GstDatahubReader *reader);
GstFlowReturn gst_datahub_reader_read (GstDatahubReader *reader,
    DatahubView *view, GstBuffer **buffer);
void gst_datahub_reader_post_lost (GstDatahubReader *reader, GstBuffer *buffer);

G_END_DECLS

#endif /* GST_DATAHUB_READER_H */
