/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block that a sink publishes, from its name to its end. Must be used in
 * the streaming thread, unless a function states otherwise. */
#ifndef GST_DATAHUB_SHARE_H
#define GST_DATAHUB_SHARE_H

#include "gstdatahubclient.h"
#include "gstdatahubservice.h"
#include "gstdatahubwriter.h"

G_BEGIN_DECLS

typedef struct
{
  GstElement *element; /* borrowed: it owns this, and what follows */
  const GstDatahubClient *client;

  /* Set by the streaming thread and by stop, read by others: object lock. */
  GstDatahubProducer *block; /* owned */
  GstDatahubWriter *writer; /* owned */
  gboolean unlocked;

  /* The streaming thread's. */
  GstDatahubService *service; /* owned; once it is published */
  GstDatahubServiceFuncs funcs; /* who hears of its consumers besides */
  gpointer user_data; /* for them */
  gboolean has_secret; /* of a strict block that a broker knows */
  guint8 secret[DATAHUB_SECRET_SIZE];
} GstDatahubShare;

void gst_datahub_share_init (GstDatahubShare *share, GstElement *element,
    const GstDatahubClient *client);
gboolean gst_datahub_share_is_name_free (const GstDatahubShare *share);

GstFlowReturn gst_datahub_share_create (GstDatahubShare *share,
    DatahubProducerOptions *options, GstDatahubResumeFunc resume);
GstFlowReturn gst_datahub_share_publish (GstDatahubShare *share,
    const GstDatahubServiceFuncs *funcs, gpointer user_data);
void gst_datahub_share_register (GstDatahubShare *share, GstCaps *caps);
gboolean gst_datahub_share_close (GstDatahubShare *share);

GstAllocator *gst_datahub_share_get_allocator (GstDatahubShare *share);
void gst_datahub_share_interrupt (GstDatahubShare *share,
    GstDatahubProducerInterrupt why, gboolean interrupted);

G_END_DECLS

#endif /* GST_DATAHUB_SHARE_H */
