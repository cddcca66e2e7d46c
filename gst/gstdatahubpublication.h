/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block that a sink publishes, from its name to its end. Must be used in
 * the streaming thread, unless a function states otherwise. */
#ifndef GST_DATAHUB_PUBLICATION_H
#define GST_DATAHUB_PUBLICATION_H

#include "gstdatahubclient.h"
#include "gstdatahubconsumerwatch.h"
#include "gstdatahubending.h"
#include "gstdatahubnotes.h"
#include "gstdatahubrelay.h"
#include "gstdatahubwriter.h"

G_BEGIN_DECLS

typedef struct
{
  /* Not owned: the element outlives this struct. */
  GstElement *element;
  const GstDatahubClient *client;

  /* Set by the streaming thread and by stop, read by others: object lock. */
  GstDatahubProducer *block; /* owned */
  GstDatahubWriter *writer; /* owned */
  gboolean unlocked;
  gboolean stopping; /* no block is made any more */
  gboolean ending; /* no consumer is waited for */
  guint64 renewals; /* blocks that followed one without names, or revoked */
  gboolean names_lost; /* the streaming thread's; that was reported */
  gint64 renew_after; /* the streaming thread's; a try failed */

  GstDatahubRelay *relay; /* owned; of the block; any thread */
  GstDatahubEnding eos; /* of the pipeline, while consumers are waited for */
  GstDatahubNotes notes;

  /* The streaming thread's. */
  GstDatahubConsumerWatch watch; /* runs once the block is published */
  gboolean has_secret; /* of a strict block that a broker knows */
  guint8 secret[DATAHUB_SECRET_SIZE];
} GstDatahubPublication;

void gst_datahub_publication_init (GstDatahubPublication *publication,
    GstElement *element, const GstDatahubClient *client,
    const GstDatahubSinkSettings *settings);
gboolean gst_datahub_publication_is_name_free (const GstDatahubPublication
        *publication);

void gst_datahub_publication_start (GstDatahubPublication *publication);
void gst_datahub_publication_end_wait (GstDatahubPublication *publication);
void gst_datahub_publication_stop (GstDatahubPublication *publication);
GstFlowReturn gst_datahub_publication_create (GstDatahubPublication
                                                  *publication,
    DatahubProducerOptions *options, gboolean in_render);
GstFlowReturn gst_datahub_publication_publish (GstDatahubPublication
        *publication);
GstFlowReturn gst_datahub_publication_wait_consumers (GstDatahubPublication
        *publication);
void gst_datahub_publication_flush (GstDatahubPublication *publication);
void gst_datahub_publication_notify (GstDatahubPublication *publication);
void gst_datahub_publication_register (GstDatahubPublication *publication,
    GstCaps *caps);
typedef GstFlowReturn (*GstDatahubDescribe) (GstDatahubWriter *writer,
    gpointer data);
gboolean gst_datahub_publication_renew (GstDatahubPublication *publication,
    DatahubProducerOptions *options, GstDatahubDescribe describe, gpointer data,
    DatahubError *error);
void gst_datahub_publication_close (GstDatahubPublication *publication);

GstStructure *gst_datahub_publication_get_stats (GstDatahubPublication
        *publication);
void gst_datahub_publication_note (GstDatahubPublication *publication,
    GstMessage *message);
void gst_datahub_publication_interrupt (GstDatahubPublication *publication,
    GstDatahubProducerInterrupt why, gboolean interrupted);

G_END_DECLS

#endif /* GST_DATAHUB_PUBLICATION_H */
