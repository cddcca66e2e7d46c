/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serialized events -> records. One streaming thread. */
#ifndef GST_DATAHUB_EVENTS_H
#define GST_DATAHUB_EVENTS_H

#include "gstdatahubenums.h"
#include "gstdatahubsticky.h"
#include "gstdatahubwriter.h"

G_BEGIN_DECLS

/* The state in effect that is not in a single event. */
typedef struct
{
  guint64 pipeline; /* this run of this pipeline */
  GstTagList *stream_tags, *global_tags; /* owned */
  GstDatahubSticky sticky;
} GstDatahubEventState;

void gst_datahub_event_state_clear (GstDatahubEventState *state);
gboolean gst_datahub_event_is_context (GstEvent *event);
GstFlowReturn gst_datahub_event_write (GstEvent *event,
    GstDatahubEventState *state, GstDatahubEvents wanted,
    GstDatahubWriter *writer);

GstFlowReturn gst_datahub_event_write_at (GstEvent *event,
    GstClockTime timestamp, const GstDatahubWriterNow *now,
    GstDatahubEvents wanted, GstDatahubWriter *writer);
GstFlowReturn gst_datahub_event_write_own (GstEvent *event,
    GstDatahubEventState *state, GstDatahubWriter *writer);

G_END_DECLS

#endif /* GST_DATAHUB_EVENTS_H */
