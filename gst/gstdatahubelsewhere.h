/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block that the broker knows, and that is not in the shared memory of this process.
 * The streaming thread's. */
#ifndef GST_DATAHUB_ELSEWHERE_H
#define GST_DATAHUB_ELSEWHERE_H

#include "gstdatahubclient.h"
#include "gstdatahubinterrupt.h"

G_BEGIN_DECLS

typedef struct
{
  gint64 next; /* when the broker is asked again; 0: not yet asked */
  gchar
      uuid[DATAHUB_UUID_TEXT]; /* what the last answer named; empty: nothing */
  gboolean certain; /* two answers in a row named it */
} GstDatahubElsewhere;

void gst_datahub_elsewhere_look (GstDatahubElsewhere *elsewhere,
    const GstDatahubClient *client, GstDatahubInterrupt *interrupt,
    gint64 since, gint64 left);
gint64 gst_datahub_elsewhere_left (const GstDatahubElsewhere *elsewhere,
    const GstDatahubClient *client, gint64 since);

G_END_DECLS

#endif /* GST_DATAHUB_ELSEWHERE_H */
