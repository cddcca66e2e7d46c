/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Converts records of the producer's pipeline to caps, events and times of this
 * one. The base class pushes the buffers; everything else is sent before the
 * buffer that it precedes.
 *
 * The segment is known only when the first time is mapped, so earlier events wait
 * for it.
 * Tests: gst-events, gst-joiners, gst-clip */
#include "gstdatahubfeed.h"
#include "gstdatahubeventtimes.h"
#include "gstdatahubwanted.h"

/* A joiner may have to copy a few buffers until the share is computed for it. */
#define COPIES_WARNED_OF 10
/* What a consumer holds that asks for no number of slots. */
#define LIBRARY_DEFAULT 8

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_src_debug);
#define GST_CAT_DEFAULT gst_datahub_src_debug

/**
 * gst_datahub_feed_init:
 * @feed: a feed
 * @src: the element that pushes
 */
void
gst_datahub_feed_init (GstDatahubFeed *feed, GstBaseSrc *src)
{
  *feed = (GstDatahubFeed){ .src = src };
  g_queue_init (&feed->held);
  gst_datahub_left_out_init (&feed->metas_refused, GST_ELEMENT_CAST (src),
      "metas-refused");
  gst_datahub_timeline_init (&feed->timeline, GST_DATAHUB_TIMESTAMPS_AUTO,
      FALSE);
}

/* Drops the held events: their stream has ended. */
static void
drop_held (GstDatahubFeed *feed)
{
  g_queue_clear_full (&feed->held, (GDestroyNotify) gst_event_unref);
}

/* Before the streaming thread runs. */
void
gst_datahub_feed_start (GstDatahubFeed *feed)
{
  feed->stats = (GstDatahubLeaseStats){ 0 };
  feed->n_unshared = 0;
  feed->clock = (GstDatahubOtherClock){ 0 };
  gst_datahub_base_start (&feed->base, feed->src);
}

/* The streaming thread has ended; may be started again. */
void
gst_datahub_feed_clear (GstDatahubFeed *feed)
{
  feed->clock_map = (GstDatahubClockMap){ 0 };
  gst_datahub_timeline_clear (&feed->timeline);
  drop_held (feed);
  gst_datahub_base_stop (&feed->base);
  gst_datahub_left_out_clear (&feed->metas_refused);
  gst_datahub_stream_header_clear (&feed->header);
  gst_datahub_stream_header_drop_ready (&feed->header);
}

/**
 * gst_datahub_feed_begin_producer:
 * @feed: a feed
 * @settings: how times are to be mapped
 * @follows: whether the producer of before goes on in another block
 *
 * A producer's time has nothing to do with that of the one before, nor have its
 * events that wait for a first buffer.
 */
void
gst_datahub_feed_begin_producer (GstDatahubFeed *feed,
    const GstDatahubSrcSettings *settings, gboolean follows)
{
  drop_held (feed);
  feed->max_pinned = settings->max_pinned;
  feed->wanted = GST_DATAHUB_EVENTS_UPSTREAM;
  gst_datahub_stream_header_begin (&feed->header, follows);
  gst_datahub_timeline_clear (&feed->timeline);
  gst_datahub_timeline_init (&feed->timeline, settings->timestamps,
      settings->delivery == GST_DATAHUB_DELIVERY_RELIABLE);
}

static void
push_segment (GstDatahubFeed *feed)
{
  if (!feed->timeline.out_changed)
    return;
  feed->timeline.out_changed = FALSE;
  gst_datahub_base_push_segment (&feed->base, &feed->timeline.out);
}

/**
 * gst_datahub_feed_push_held:
 * @feed: a feed
 *
 * Sends the segment if it changed, then the held events.
 */
void
gst_datahub_feed_push_held (GstDatahubFeed *feed)
{
  GstEvent *event;
  push_segment (feed);
  while ((event = g_queue_pop_head (&feed->held)))
    gst_pad_push_event (GST_BASE_SRC_PAD (feed->src), event);
}

void
gst_datahub_feed_push_stream_start (GstDatahubFeed *feed,
    const GstDatahubStreamStart *start)
{
  GstEvent *event = gst_event_new_stream_start (start->stream_id);
  feed->pipeline = start->pipeline;
  gst_event_set_group_id (event, gst_datahub_format_local_group (start));
  gst_event_set_stream_flags (event, start->flags);
  gst_datahub_timeline_set_group (&feed->timeline,
      gst_datahub_group_join (GST_ELEMENT_CAST (feed->src), start->pipeline));
  gst_pad_push_event (GST_BASE_SRC_PAD (feed->src), event);
}

/**
 * gst_datahub_feed_push_caps:
 * @feed: a feed
 * @caps: (transfer full): the producer's
 * @ordinal: the next buffer, unless some were missed
 */
void
gst_datahub_feed_push_caps (GstDatahubFeed *feed, GstCaps *caps,
    guint64 ordinal)
{
  GST_INFO_OBJECT (feed->src, "%" GST_PTR_FORMAT, caps);
  gst_datahub_video_layout_reset (&feed->layout);
  gst_datahub_audio_layout_set_caps (&feed->audio, caps);
  gst_datahub_stream_header_set_caps (&feed->header, caps, ordinal);
  gst_datahub_timeline_set_caps (&feed->timeline, caps);
  /* a refusal shows when the next buffer is pushed */
  if (!gst_base_src_set_caps (feed->src, caps))
    GST_WARNING_OBJECT (feed->src, "downstream refused %" GST_PTR_FORMAT, caps);
  gst_caps_unref (caps);
}

void
gst_datahub_feed_set_segment (GstDatahubFeed *feed, const GstSegment *segment)
{
  gst_datahub_timeline_set_segment (&feed->timeline, segment);
}

/* Its groups have other numbers here; takes @event. */
static GstEvent *
to_local_group (GstDatahubFeed *feed, GstEvent *event)
{
  GstDatahubStreamStart start = { .pipeline = feed->pipeline };
  guint group;
  gst_event_parse_stream_group_done (event, &group);
  gst_event_unref (event);
  start.group = group;
  return gst_event_new_stream_group_done (
      gst_datahub_format_local_group (&start));
}

/* Pushes the event, now or after the next segment. Takes @event. */
void
gst_datahub_feed_push_event (GstDatahubFeed *feed, GstEvent *event)
{
  if (gst_datahub_stream_header_take_event (&feed->header, event)
      || gst_datahub_wanted_take_event (&feed->wanted, event)) {
    gst_event_unref (event);
    return;
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_GROUP_DONE)
    event = to_local_group (feed, event);
  if (feed->timeline.out_changed)
    g_queue_push_tail (&feed->held, event);
  else
    gst_pad_push_event (GST_BASE_SRC_PAD (feed->src), event);
}

static GstDatahubStamp
map_stamp (GstDatahubFeed *feed, const DatahubView *view)
{
  GstElement *element = GST_ELEMENT_CAST (feed->src);
  gboolean follow = gst_base_src_is_live (feed->src)
      && feed->timeline.mode != GST_DATAHUB_TIMESTAMPS_PASSTHROUGH;
  g_autoptr (GstClock) clock = follow ? gst_element_get_clock (element) : NULL;
  GstDatahubStamp stamp = { .pts = view->pts,
    .dts = view->dts,
    .instant = view->instant_ns,
    .committed = (gint64) MIN (view->commit_ns, (guint64) G_MAXINT64),
    .lost = view->lost > 0 || view->expired > 0,
    .live = (view->flags & DATAHUB_FLAG_LIVE) != 0 };
  gst_datahub_timeline_map_on_clock (&feed->timeline, &feed->clock_map, clock,
      gst_element_get_base_time (element), &stamp);
  return stamp;
}

/* Outside of a segment of times a gap means nothing, and elements downstream may
 * assert that there is one. */
void
gst_datahub_feed_push_gap (GstDatahubFeed *feed, const DatahubView *view)
{
  GstDatahubStamp stamp;
  GstEvent *event;
  if (!GST_CLOCK_TIME_IS_VALID (view->pts))
    return;
  stamp = map_stamp (feed, view);
  gst_datahub_feed_push_held (feed);
  if (feed->timeline.out.format != GST_FORMAT_TIME)
    return;
  event = gst_event_new_gap (stamp.pts, view->duration);
  gst_event_set_gap_flags (event,
      (GstGapFlags) (view->flags & GST_GAP_FLAG_MISSING_DATA));
  gst_pad_push_event (GST_BASE_SRC_PAD (feed->src), event);
}

/* The record has the time that the event is about. Takes @event. */
void
gst_datahub_feed_push_timed_event (GstDatahubFeed *feed, GstEvent *event,
    const DatahubView *view)
{
  GstDatahubStamp stamp = map_stamp (feed, view);
  gst_datahub_feed_push_held (feed);
  gst_pad_push_event (GST_BASE_SRC_PAD (feed->src),
      gst_datahub_event_times_set (event, &feed->timeline.out, stamp.pts));
}

/* The buffer had to be copied, and not because of max-pinned. Warns once. */
static void
warn_of_copies (GstDatahubFeed *feed, DatahubConsumer *consumer)
{
  DatahubConsumerStats now;
  if (feed->n_unshared == COPIES_WARNED_OF)
    return;
  datahub_consumer_get_stats (consumer, &now);
  if (feed->max_pinned && feed->max_pinned <= now.quota)
    return;
  if (!feed->max_pinned && now.quota >= LIBRARY_DEFAULT)
    return;
  if (++feed->n_unshared < COPIES_WARNED_OF)
    return;
  GST_ELEMENT_WARNING (feed->src, RESOURCE, NO_SPACE_LEFT,
      ("Buffers are copied: this element holds %u slots, and its share is %u. "
       "Raise max-bytes of the datahubsink, make its shared memory bigger, or hold "
       "fewer buffers here, with a smaller queue. Later copies are without a "
       "warning; `copied` in stats counts them.",
          now.pinned, now.quota),
      ("%u buffers so far", feed->n_unshared));
}

/**
 * gst_datahub_feed_make_buffer:
 * @feed: a feed
 * @consumer: the holder of the lease
 * @view: (transfer full): a leased record of a buffer
 * @buffer: (out): a buffer in this pipeline's time
 *
 * The segment may be new: gst_datahub_feed_has_held() must be checked before the
 * buffer is pushed.
 *
 * Returns: %GST_FLOW_OK
 */
GstFlowReturn
gst_datahub_feed_make_buffer (GstDatahubFeed *feed, DatahubConsumer *consumer,
    const DatahubView *view, GstBuffer **buffer)
{
  GstDatahubStamp stamp = map_stamp (feed, view);
  if (view->must_copy)
    warn_of_copies (feed, consumer);
  return gst_datahub_lease_make_buffer (consumer, view, &stamp, &feed->stats,
      &feed->metas_refused, buffer);
}

/* Before the buffer @ordinal is pushed. */
void
gst_datahub_feed_check_header (GstDatahubFeed *feed, guint64 ordinal)
{
  g_autoptr (GstCaps) caps = NULL;
  if (!gst_datahub_stream_header_is_missing (&feed->header, ordinal))
    return;
  feed->stats.headers_missing++;
  caps = gst_pad_get_current_caps (GST_BASE_SRC_PAD (feed->src));
  GST_ELEMENT_WARNING (feed->src, STREAM, DEMUX,
      ("The stream was joined behind its header, and elements downstream may not "
       "understand it: the producer keeps no header of %s. Start this consumer "
       "before the producer (datahubsink wait-for-consumers=1), or share the stream "
       "as it is in front of the muxer.",
          caps ? gst_structure_get_name (gst_caps_get_structure (caps, 0))
               : ""),
      ("the caps have no streamheader"));
}
