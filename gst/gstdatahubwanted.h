/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which upstream events a sink takes, for its consumers. */
#ifndef GST_DATAHUB_WANTED_H
#define GST_DATAHUB_WANTED_H

#include "gstdatahubenums.h"

G_BEGIN_DECLS

/* Those of consumers. */
#define GST_DATAHUB_EVENTS_UPSTREAM                                            \
  ((GstDatahubEvents) (GST_DATAHUB_EVENTS_FORCE_KEY_UNIT                       \
      | GST_DATAHUB_EVENTS_RECONFIGURE | GST_DATAHUB_EVENTS_QOS                \
      | GST_DATAHUB_EVENTS_NAVIGATION | GST_DATAHUB_EVENTS_CUSTOM_UPSTREAM))

GstEvent *gst_datahub_wanted_make_event (GstDatahubEvents wanted);
gboolean gst_datahub_wanted_take_event (GstDatahubEvents *wanted,
    GstEvent *event);

G_END_DECLS

#endif /* GST_DATAHUB_WANTED_H */
