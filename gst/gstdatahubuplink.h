/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of all consumers -> events for the producing pipeline. The service thread
 * of the sink, unless a function states otherwise. */
#ifndef GST_DATAHUB_UPLINK_H
#define GST_DATAHUB_UPLINK_H

#include "gstdatahubsinksettings.h"
#include "gstdatahubupstream.h"
#include "gstdatahubwriter.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 pushed; /* upstream took them */
  guint64 merged; /* requests that were made already */
  guint64
      refused; /* not of `event-types`, too many of one consumer, or upstream
                    * did not take them */
  guint64 damaged;
} GstDatahubUplinkStats;

typedef struct
{
  GstElement *element; /* not owned: it owns this */
  const GstDatahubSinkSettings *settings; /* object lock */
  GstDatahubWriter *writer; /* borrowed while the thread runs */
  GstDatahubClockMap clock_map;
  GArray *asked; /* requests for key units that were made */
  GArray *late; /* consumers that are */
  GArray *allowances; /* of consumers that asked for key units */
  gint64 now_at; /* when a key unit was wanted at once; 0: never */
  gboolean later; /* `soon` is to be made */
  GstDatahubUpstream soon; /* has no structure */
  GstDatahubUplinkStats stats; /* object lock */
} GstDatahubUplink;

void gst_datahub_uplink_init (GstDatahubUplink *uplink, GstElement *element,
    const GstDatahubSinkSettings *settings);
void gst_datahub_uplink_start (GstDatahubUplink *uplink,
    GstDatahubWriter *writer);
void gst_datahub_uplink_stop (GstDatahubUplink *uplink);
void gst_datahub_uplink_ask_now (GstDatahubUplink *uplink);
void gst_datahub_uplink_refuse (GstDatahubUplink *uplink);
gint64 gst_datahub_uplink_take (GstDatahubUplink *uplink,
    const DatahubConsumerInfo *infos, guint n);

G_END_DECLS

#endif /* GST_DATAHUB_UPLINK_H */
