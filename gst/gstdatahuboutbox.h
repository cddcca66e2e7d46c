/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages and signals of an element that are sent in order, in a thread that holds
 * no lock of the element. Any thread. */
#ifndef GST_DATAHUB_OUTBOX_H
#define GST_DATAHUB_OUTBOX_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Emits the signal that belongs to a message with the fields @structure. */
typedef void (*GstDatahubOutboxEmit) (GstElement *element,
    const GstStructure *structure);

typedef struct
{
  GMutex lock; /* guards the rest; innermost */
  GQueue queue; /* of Item */
  gboolean sending; /* a thread takes from the queue */
} GstDatahubOutbox;

void gst_datahub_outbox_init (GstDatahubOutbox *outbox);
void gst_datahub_outbox_clear (GstDatahubOutbox *outbox);
void gst_datahub_outbox_push (GstDatahubOutbox *outbox, GstElement *element,
    GstMessage *message, GstDatahubOutboxEmit emit);

G_END_DECLS

#endif /* GST_DATAHUB_OUTBOX_H */
