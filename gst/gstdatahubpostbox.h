/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Upstream events of a source -> the mailbox of its consumer. Any thread, unless a
 * function states otherwise. */
#ifndef GST_DATAHUB_POSTBOX_H
#define GST_DATAHUB_POSTBOX_H

#include "gstdatahubattachment.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 sent, refused;
} GstDatahubPostboxStats;

typedef struct
{
  GstDatahubAttachment *attachment; /* not owned: the element outlives this */

  /* The lock of its interrupt. */
  gint64 distance; /* from running times to instants; NO_INSTANT: not known */
  GstDatahubEvents wanted; /* by the sink */
  GQueue kept; /* of GBytes: key units that found the mailbox full */
  gboolean stuck; /* the producer did not empty the mailbox in time */
  gboolean told_late; /* the last report to the producer: late */
  GstDatahubPostboxStats stats;

  gint n_kept; /* atomic: of `kept` */
} GstDatahubPostbox;

void gst_datahub_postbox_init (GstDatahubPostbox *postbox,
    GstDatahubAttachment *attachment);
void gst_datahub_postbox_start (GstDatahubPostbox *postbox);
void gst_datahub_postbox_clear (GstDatahubPostbox *postbox);
gboolean gst_datahub_postbox_carries (GstEvent *event);
gboolean gst_datahub_postbox_send (GstDatahubPostbox *postbox, GstEvent *event);
gboolean gst_datahub_postbox_wants (GstDatahubPostbox *postbox,
    GstDatahubEvents type);
void gst_datahub_postbox_retry (GstDatahubPostbox *postbox);

G_END_DECLS

#endif /* GST_DATAHUB_POSTBOX_H */
