/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caps that datahubsink accepts. Any thread. */
#ifndef GST_DATAHUB_SINK_CAPS_H
#define GST_DATAHUB_SINK_CAPS_H

#include "gstdatahubcapslimits.h"

G_BEGIN_DECLS

typedef struct
{
  GstElement *element; /* not owned: it owns this */
  GstPad *pad; /* not owned: the element's */
  GstDatahubCapsLimits *limits; /* not owned: of the consumers */
  gint asking; /* atomic: a thread asks upstream for its caps */
  gint refused; /* atomic: the error was posted */
} GstDatahubSinkCaps;

void gst_datahub_sink_caps_init (GstDatahubSinkCaps *caps, GstElement *element,
    GstPad *pad, GstDatahubCapsLimits *limits);
void gst_datahub_sink_caps_start (GstDatahubSinkCaps *caps);
gboolean gst_datahub_sink_caps_answer (GstDatahubSinkCaps *caps,
    GstQuery *query);

G_END_DECLS

#endif /* GST_DATAHUB_SINK_CAPS_H */
