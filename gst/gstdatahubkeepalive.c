/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A repeated buffer is as much later than the last one as the pipeline has run since
 * that came; a pause does not count. The next buffer may be younger when it arrives,
 * but of a live producer not older than the latency. So a repeat has that age: then its
 * time is not behind the one of the next buffer, and a sink does not get it late. If
 * that is not yet later than the last one, a repeat is the least bit later. A buffer
 * that is before a repeat in spite of that is marked DISCONT.
 *
 * A buffer that others depend on, or that depends on others, is not repeated. Nor is
 * one of before once another stream, another segment or other caps have begun.
 * Tests: gst-keepalive */
#include "gstdatahubkeepalive.h"

#define NO_TIME G_MININT64

void
gst_datahub_keepalive_init (GstDatahubKeepalive *keepalive,
    GstDatahubReader *reader)
{
  *keepalive = (GstDatahubKeepalive){ .reader = reader };
}

static void
drop (GstDatahubKeepalive *keepalive)
{
  gst_clear_buffer (&keepalive->last);
  keepalive->reader->attachment->due = 0;
}

/* The streaming thread does not run. */
void
gst_datahub_keepalive_stop (GstDatahubKeepalive *keepalive)
{
  drop (keepalive);
  gst_clear_caps (&keepalive->caps);
  keepalive->dependent = FALSE;
  keepalive->reached = NO_TIME;
}

/* Before the streaming thread runs. */
void
gst_datahub_keepalive_start (GstDatahubKeepalive *keepalive)
{
  GstDatahubAttachment *attachment = keepalive->reader->attachment;
  keepalive->time =
      (gint64) gst_datahub_attachment_get_settings (attachment).keepalive_time
      * (gint64) GST_MSECOND;
  keepalive->reached = NO_TIME;
  g_mutex_lock (&attachment->interrupt->lock);
  keepalive->repeated = 0;
  g_mutex_unlock (&attachment->interrupt->lock);
}

/* Since the pipeline plays. Returns: whether it does, and has a clock */
static gboolean
get_running_time (const GstDatahubKeepalive *keepalive, gint64 *now)
{
  GstElement *element = keepalive->reader->attachment->element;
  g_autoptr (GstClock) clock = gst_element_get_clock (element);
  if (!clock || GST_STATE (element) != GST_STATE_PLAYING)
    return FALSE;
  *now = (gint64) (gst_clock_get_time (clock)
      - gst_element_get_base_time (element));
  return TRUE;
}

/* Whether the caps that were pushed last are still those of the stream. */
static gboolean
follow_caps (GstDatahubKeepalive *keepalive)
{
  GstElement *element = keepalive->reader->attachment->element;
  g_autoptr (GstCaps) caps =
      gst_pad_get_current_caps (GST_BASE_SRC_PAD (element));
  return !gst_caps_replace (&keepalive->caps, caps);
}

/* The times of the last buffer are those of its segment. Another one may have been
 * pushed in front of a gap or of an event. */
static gboolean
is_in_segment (const GstDatahubKeepalive *keepalive)
{
  GstEvent *event = keepalive->reader->feed->base.segment;
  const GstSegment *pushed;
  if (!event)
    return TRUE;
  gst_event_parse_segment (event, &pushed);
  return gst_segment_is_equal (pushed, &keepalive->segment);
}

static gboolean
is_fit (const GstDatahubKeepalive *keepalive, GstBuffer *buffer)
{
  const GstSegment *segment = &keepalive->reader->feed->timeline.out;
  return !keepalive->dependent && GST_BUFFER_PTS_IS_VALID (buffer)
      && segment->format == GST_FORMAT_TIME && segment->rate == 1.0;
}

/* @buffer is in the segment of the feed, the repeats may have been in another. */
static void
mark_if_behind (GstDatahubKeepalive *keepalive, GstBuffer *buffer)
{
  gint64 time;
  if (gst_datahub_running_time (&keepalive->reader->feed->timeline.out,
          GST_BUFFER_PTS (buffer), &time)
      && time < keepalive->reached)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  keepalive->reached = NO_TIME;
}

/**
 * gst_datahub_keepalive_note:
 * @keepalive: one with a time
 * @buffer: what is pushed next; may be marked
 *
 * The copy shares the memory, which is read-only for elements downstream anyway. The
 * pipeline may not play yet: then the buffer is the one that a sink shows in PAUSED.
 */
void
gst_datahub_keepalive_note (GstDatahubKeepalive *keepalive, GstBuffer *buffer)
{
  gboolean delta = GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  drop (keepalive);
  if (!follow_caps (keepalive))
    keepalive->dependent = FALSE;
  keepalive->dependent |= delta;
  mark_if_behind (keepalive, buffer);
  if (!is_fit (keepalive, buffer))
    return;
  if (!get_running_time (keepalive, &keepalive->ran))
    keepalive->ran = NO_TIME;
  keepalive->segment = keepalive->reader->feed->timeline.out;
  keepalive->shift = 0;
  keepalive->last = gst_buffer_copy (buffer);
  keepalive->reader->attachment->due =
      gst_datahub_monotonic_now () + keepalive->time;
}

/* By how much the last buffer was younger than the oldest ones. It has no known age in a
 * segment that is not moved to this pipeline's clock. */
static gint64
get_slack (const GstDatahubKeepalive *keepalive, GstClockTime latency)
{
  gint64 pushed;
  if (!gst_datahub_running_time (&keepalive->segment,
          GST_BUFFER_PTS (keepalive->last), &pushed))
    return 0;
  return CLAMP ((gint64) latency - (keepalive->ran - pushed), 0,
      (gint64) latency);
}

static GstBuffer *
make_buffer (GstDatahubKeepalive *keepalive)
{
  GstDatahubInterrupt *interrupt = keepalive->reader->attachment->interrupt;
  GstBuffer *buffer = gst_buffer_copy (keepalive->last);
  GST_BUFFER_PTS (buffer) += (GstClockTime) keepalive->shift;
  if (GST_BUFFER_DTS_IS_VALID (buffer))
    GST_BUFFER_DTS (buffer) += (GstClockTime) keepalive->shift;
  if (!gst_datahub_running_time (&keepalive->segment, GST_BUFFER_PTS (buffer),
          &keepalive->reached))
    keepalive->reached = NO_TIME;
  GST_BUFFER_OFFSET (buffer) = GST_BUFFER_OFFSET_END (buffer) =
      GST_BUFFER_OFFSET_NONE;
  GST_BUFFER_FLAG_UNSET (buffer, GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_GAP);
  g_mutex_lock (&interrupt->lock);
  keepalive->repeated++;
  g_mutex_unlock (&interrupt->lock);
  return buffer;
}

/**
 * gst_datahub_keepalive_take:
 * @keepalive: one with a time
 * @latency: what the source answers to a latency query
 *
 * Returns: (transfer full) (nullable): the last buffer again, if it is time
 */
GstBuffer *
gst_datahub_keepalive_take (GstDatahubKeepalive *keepalive,
    GstClockTime latency)
{
  GstDatahubAttachment *attachment = keepalive->reader->attachment;
  gint64 monotonic = gst_datahub_monotonic_now (), now, later;
  if (!keepalive->last || monotonic < attachment->due)
    return NULL;
  attachment->due = monotonic + keepalive->time;
  if (keepalive->reader->discont || !follow_caps (keepalive)
      || !is_in_segment (keepalive)) {
    drop (keepalive);
    return NULL;
  }
  if (!get_running_time (keepalive, &now))
    return NULL;
  if (keepalive->ran == NO_TIME)
    keepalive->ran = now;
  if (now <= keepalive->ran)
    return NULL;
  later = now - keepalive->ran - get_slack (keepalive, latency);
  keepalive->shift = MAX (later, keepalive->shift + 1);
  return make_buffer (keepalive);
}
