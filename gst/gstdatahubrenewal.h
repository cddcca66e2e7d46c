/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another block in place of one that lost its names. */
#ifndef GST_DATAHUB_RENEWAL_H
#define GST_DATAHUB_RENEWAL_H

#include "gstdatahuboutput.h"
#include "gstdatahubpublication.h"

G_BEGIN_DECLS

/* The streaming thread's. */
typedef struct
{
  GstBaseSink *sink; /* not owned, as what follows: they outlive this struct */
  GstDatahubPublication *publication;
  GstDatahubOutput *output;
  GstDatahubSinkSettings *settings; /* object lock */
  gboolean waited; /* the wanted consumers were attached */
} GstDatahubRenewal;

void gst_datahub_renewal_try (GstDatahubRenewal *renewal, GstBuffer *buffer);
GstFlowReturn gst_datahub_renewal_wait_consumers (GstDatahubRenewal *renewal,
    GstBuffer *buffer);

/* Before each write. */
static inline void
gst_datahub_renewal_look (GstDatahubRenewal *renewal, GstBuffer *buffer)
{
  GstDatahubPublication *publication = renewal->publication;
  if (G_UNLIKELY (gst_datahub_names_are_lost (&publication->watch.names,
          gst_datahub_writer_get_producer (publication->writer)))
      && buffer)
    gst_datahub_renewal_try (renewal, buffer);
}

G_END_DECLS

#endif /* GST_DATAHUB_RENEWAL_H */
