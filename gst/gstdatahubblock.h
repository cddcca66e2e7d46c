/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that several threads use until one of them closes it. */
#ifndef GST_DATAHUB_BLOCK_H
#define GST_DATAHUB_BLOCK_H

#include <datahub/producer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstDatahubBlock GstDatahubBlock;

/* Why waits are to end; each is set and cleared on its own. */
typedef enum
{
  GST_DATAHUB_BLOCK_UNLOCKED = 1 << 0, /* render must return */
  GST_DATAHUB_BLOCK_FLUSHING = 1 << 1 /* upstream must get its buffers */
} GstDatahubBlockInterrupt;

GstDatahubBlock *gst_datahub_block_new (const gchar *channel,
    const DatahubProducerOptions *options, DatahubError *error);
GstDatahubBlock *gst_datahub_block_ref (GstDatahubBlock *block);
void gst_datahub_block_unref (GstDatahubBlock *block);
void gst_datahub_block_close (GstDatahubBlock *block);

DatahubProducer *gst_datahub_block_enter (GstDatahubBlock *block);
void gst_datahub_block_leave (GstDatahubBlock *block);
void gst_datahub_block_set_interrupted (GstDatahubBlock *block,
    GstDatahubBlockInterrupt why, gboolean interrupted);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstDatahubBlock, gst_datahub_block_unref)

G_END_DECLS

#endif /* GST_DATAHUB_BLOCK_H */
