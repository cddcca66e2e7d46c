/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Upstream events <-> bytes in the mailbox of a consumer. Pure functions; any
 * thread. */
#ifndef GST_DATAHUB_UPSTREAM_H
#define GST_DATAHUB_UPSTREAM_H

#include "gstdatahubenums.h"

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum
{
  GST_DATAHUB_UPSTREAM_KEY_UNIT = 1, /* these numbers never change */
  GST_DATAHUB_UPSTREAM_QOS,
  GST_DATAHUB_UPSTREAM_NAVIGATION,
  GST_DATAHUB_UPSTREAM_CUSTOM,
  GST_DATAHUB_UPSTREAM_CUSTOM_BOTH,
  GST_DATAHUB_UPSTREAM_CUSTOM_BOTH_OOB
} GstDatahubUpstreamKind;

/* Times are instants, as those of records: GST_DATAHUB_NO_INSTANT for none. */
typedef struct
{
  GstDatahubUpstreamKind kind;
  gint64 instant; /* of a key unit, or of the buffer of a QoS */

  gboolean all_headers; /* of a key unit */
  guint count;

  GstQOSType qos_type; /* of a QoS */
  gdouble proportion;
  gint64 diff;

  GstStructure *structure; /* owned; of the others */
} GstDatahubUpstream;

/* @distance is what to add to a running time to get an instant; NO_INSTANT: it is
 * not known. */
gboolean gst_datahub_upstream_from_event (GstEvent *event, gint64 distance,
    GstDatahubUpstream *upstream);
GstEvent *gst_datahub_upstream_to_event (const GstDatahubUpstream *upstream,
    gint64 distance);
GBytes *gst_datahub_upstream_encode (const GstDatahubUpstream *upstream);
gboolean gst_datahub_upstream_decode (gconstpointer data, gsize size,
    GstDatahubUpstream *upstream);
GstDatahubEvents gst_datahub_upstream_type (const GstDatahubUpstream *upstream);
void gst_datahub_upstream_clear (GstDatahubUpstream *upstream);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (GstDatahubUpstream,
    gst_datahub_upstream_clear)

G_END_DECLS

#endif /* GST_DATAHUB_UPSTREAM_H */
