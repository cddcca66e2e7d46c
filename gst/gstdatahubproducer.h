/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that several threads use until one of them closes it. */
#ifndef GST_DATAHUB_PRODUCER_H
#define GST_DATAHUB_PRODUCER_H

#include <datahub/producer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstDatahubProducer GstDatahubProducer;

/* Why waits are to end; each is set and cleared on its own. */
typedef enum
{
  GST_DATAHUB_PRODUCER_UNLOCKED = 1 << 0, /* render must return */
  GST_DATAHUB_PRODUCER_FLUSHING = 1 << 1, /* upstream must get its buffers */
  GST_DATAHUB_PRODUCER_RECONSIDER = 1 << 2, /* another number of consumers */
  GST_DATAHUB_PRODUCER_YIELD = 1 << 3 /* what is written is tried again later */
} GstDatahubProducerInterrupt;

GstDatahubProducer *gst_datahub_producer_new (const gchar *channel,
    const DatahubProducerOptions *options, DatahubError *error);
GstDatahubProducer *gst_datahub_producer_ref (GstDatahubProducer *block);
void gst_datahub_producer_unref (GstDatahubProducer *block);
void gst_datahub_producer_close (GstDatahubProducer *block);

DatahubProducer *gst_datahub_producer_enter (GstDatahubProducer *block);
void gst_datahub_producer_leave (GstDatahubProducer *block);
void gst_datahub_producer_set_interrupted (GstDatahubProducer *block,
    GstDatahubProducerInterrupt why, gboolean interrupted);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstDatahubProducer, gst_datahub_producer_unref)

G_END_DECLS

#endif /* GST_DATAHUB_PRODUCER_H */
