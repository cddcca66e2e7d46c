/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a sink posts as a warning or an error -> the errors that its block shows.
 * Any thread. */
#ifndef GST_DATAHUB_NOTES_H
#define GST_DATAHUB_NOTES_H

#include "gstdatahubproducer.h"

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_DATAHUB_NOTES_EARLY_MAX 8

typedef struct
{
  GstElement *element; /* not owned: it owns this */
  GPtrArray *early; /* of messages, before there is a block; object lock */
} GstDatahubNotes;

void gst_datahub_notes_init (GstDatahubNotes *notes, GstElement *element);
void gst_datahub_notes_clear (GstDatahubNotes *notes);
void gst_datahub_notes_free_contents (GstDatahubNotes *notes);
void gst_datahub_notes_take (GstDatahubNotes *notes, GstDatahubProducer *block,
    GstMessage *message);
void gst_datahub_notes_write_early (GstDatahubNotes *notes,
    GstDatahubProducer *block);

G_END_DECLS

#endif /* GST_DATAHUB_NOTES_H */
