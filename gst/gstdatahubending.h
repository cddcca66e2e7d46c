/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a sink learns of an EOS that upstream cannot deliver. */
#ifndef GST_DATAHUB_ENDING_H
#define GST_DATAHUB_ENDING_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_DATAHUB_ENDING_BINS 8

/* Zero-initialised. */
typedef struct
{
  GstElement *marked[1 + GST_DATAHUB_ENDING_BINS]; /* owned */
} GstDatahubEnding;

void gst_datahub_ending_listen (GstDatahubEnding *ending, GstElement *element);
void gst_datahub_ending_ignore (GstDatahubEnding *ending);

G_END_DECLS

#endif /* GST_DATAHUB_ENDING_H */
