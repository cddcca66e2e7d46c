/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of a reader -> buffers and events of a source, in this pipeline's
 * time. One streaming thread. */
#ifndef GST_DATAHUB_FEED_H
#define GST_DATAHUB_FEED_H

#include "gstdatahubaudiolayout.h"
#include "gstdatahubbase.h"
#include "gstdatahubformat.h"
#include "gstdatahublease.h"
#include "gstdatahubotherclock.h"
#include "gstdatahubsrcsettings.h"
#include "gstdatahubstreamheader.h"
#include "gstdatahubtimeline.h"
#include "gstdatahubvideolayout.h"

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

typedef struct
{
  GstBaseSrc *src; /* borrowed: it owns this */
  GstDatahubBase base;
  GstDatahubTimeline timeline;
  GstDatahubClockMap clock_map;
  GstDatahubOtherClock clock; /* the producer's */
  GstDatahubVideoLayout layout;
  GstDatahubAudioLayout audio;
  GstDatahubStreamHeader header;
  GQueue held; /* of GstEvent: waiting for the segment to be known */
  GstDatahubLeaseStats stats;
  GstDatahubLeftOut metas_refused;
  guint max_pinned; /* as set; 0: the default of the library */
  guint n_unshared; /* buffers that the share had no room for */
  guint64 pipeline; /* the producing one of the stream */
  GstDatahubEvents wanted; /* upstream, by the sink */
} GstDatahubFeed;

void gst_datahub_feed_init (GstDatahubFeed *feed, GstBaseSrc *src);
void gst_datahub_feed_start (GstDatahubFeed *feed);
void gst_datahub_feed_clear (GstDatahubFeed *feed);
void gst_datahub_feed_begin_producer (GstDatahubFeed *feed,
    const GstDatahubSrcSettings *settings, gboolean follows);
void gst_datahub_feed_push_stream_start (GstDatahubFeed *feed,
    const GstDatahubStreamStart *start);
void gst_datahub_feed_push_caps (GstDatahubFeed *feed, GstCaps *caps,
    guint64 ordinal);
void gst_datahub_feed_set_segment (GstDatahubFeed *feed,
    const GstSegment *segment);
void gst_datahub_feed_push_event (GstDatahubFeed *feed, GstEvent *event);
void gst_datahub_feed_push_timed_event (GstDatahubFeed *feed, GstEvent *event,
    const DatahubView *view);
void gst_datahub_feed_push_gap (GstDatahubFeed *feed, const DatahubView *view);
void gst_datahub_feed_check_header (GstDatahubFeed *feed, guint64 ordinal);
GstFlowReturn gst_datahub_feed_make_buffer (GstDatahubFeed *feed,
    DatahubConsumer *consumer, const DatahubView *view, GstBuffer **buffer);
void gst_datahub_feed_push_held (GstDatahubFeed *feed);

/* From running times here to instants of the producer. */
static inline gint64
gst_datahub_feed_distance (const GstDatahubFeed *feed)
{
  return gst_datahub_other_clock_distance (&feed->clock,
      feed->timeline.distance);
}

/* Whether gst_datahub_feed_push_held() would push anything. */
static inline gboolean
gst_datahub_feed_has_held (GstDatahubFeed *feed)
{
  return feed->timeline.out_changed || !g_queue_is_empty (&feed->held);
}

G_END_DECLS

#endif /* GST_DATAHUB_FEED_H */
