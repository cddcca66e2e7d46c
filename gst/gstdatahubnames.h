/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether later consumers can find the block of a sink. */
#ifndef GST_DATAHUB_NAMES_H
#define GST_DATAHUB_NAMES_H

#include <datahub/producer.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstElement *element; /* not owned: outlives this struct */
  gpointer lost; /* atomic: the producer that another block is to follow */
  gint revoked; /* atomic: because a key may not read it any more */

  /* The service thread's, or no other thread's while it does not run. */
  gint64 looked_at;
  DatahubResult found; /* at the last look */
} GstDatahubNames;

void gst_datahub_names_init (GstDatahubNames *names, GstElement *element);
void gst_datahub_names_start (GstDatahubNames *names);
gint64 gst_datahub_names_look (GstDatahubNames *names,
    DatahubProducer *producer);

void gst_datahub_names_revoke (GstDatahubNames *names,
    DatahubProducer *producer);

/* Any thread. */
static inline gboolean
gst_datahub_names_are_lost (GstDatahubNames *names,
    const DatahubProducer *producer)
{
  return g_atomic_pointer_get (&names->lost) == producer;
}

G_END_DECLS

#endif /* GST_DATAHUB_NAMES_H */
