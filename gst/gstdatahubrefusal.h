/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a source cannot use what has the name of its block. The streaming thread's. */
#ifndef GST_DATAHUB_REFUSAL_H
#define GST_DATAHUB_REFUSAL_H

#include <datahub/types.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  DatahubError error; /* code 0: it can be used, or there is nothing */
} GstDatahubRefusal;

void gst_datahub_refusal_clear (GstDatahubRefusal *refusal);
gboolean gst_datahub_refusal_note (GstDatahubRefusal *refusal,
    GstElement *element, const DatahubError *error);
gboolean gst_datahub_refusal_post (const GstDatahubRefusal *refusal,
    GstElement *element);

G_END_DECLS

#endif /* GST_DATAHUB_REFUSAL_H */
