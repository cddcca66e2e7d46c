/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An input of datahubmerge: what is next there, and when it is due. */
#ifndef GST_DATAHUB_MERGE_INPUT_H
#define GST_DATAHUB_MERGE_INPUT_H

#include <gst/base/gstaggregator.h>

G_BEGIN_DECLS

#define GST_TYPE_DATAHUB_MERGE_INPUT (gst_datahub_merge_input_get_type ())
G_DECLARE_FINAL_TYPE (GstDatahubMergeInput, gst_datahub_merge_input, GST,
    DATAHUB_MERGE_INPUT, GstAggregatorPad)

/* Before all times: of what has no time. */
#define GST_DATAHUB_MERGE_NO_TIME G_MININT64

/* All fields but `flushed` are of the thread that pushes. */
struct _GstDatahubMergeInput
{
  GstAggregatorPad parent;

  guint number; /* in its name; of two equal times the lower number is first */
  GstCaps *caps; /* owned; of its next buffer; NULL: none yet */
  GstSegment segment; /* likewise */
  gint64 time; /* the largest running time so far */
  gboolean known; /* there is a next buffer, and `due` is its running time */
  gint64 due;
  gint flushed; /* atomic: what is known is void */
};

typedef enum
{
  GST_DATAHUB_MERGE_READY,
  GST_DATAHUB_MERGE_EMPTY,
  GST_DATAHUB_MERGE_ENDED
} GstDatahubMergeState;

GstDatahubMergeState gst_datahub_merge_input_look (GstDatahubMergeInput *input);
GstBuffer *gst_datahub_merge_input_take (GstDatahubMergeInput *input);
void gst_datahub_merge_input_reset (GstDatahubMergeInput *input);
void gst_datahub_merge_input_mark_gap (GstDatahubMergeInput *input,
    GstEvent *event);
GstEvent *gst_datahub_merge_input_get_gap (GstBuffer *buffer);
gboolean gst_datahub_merge_input_has_gap_inside (GstDatahubMergeInput *input,
    GstEvent *event);

G_END_DECLS

#endif /* GST_DATAHUB_MERGE_INPUT_H */
