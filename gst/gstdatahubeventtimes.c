/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A record of an event has the timestamp that the event is about, and its instant, as
 * a record of a buffer has. A consumer maps that timestamp as it maps those of
 * buffers, and derives the other times of the event from it.
 * Tests: gst-timed-events */
#include "gstdatahubeventtimes.h"

/* Custom events with times; fields that are NULL it does not have. */
static const struct
{
  const gchar *name;
  const gchar *timestamp, *running_time, *stream_time;
} timed[] = {
  { "GstForceKeyUnit", "timestamp", "running-time", "stream-time" },
  { "GstRTPPacketLost", "timestamp", NULL, NULL },
};

static gint
find (GstEvent *event)
{
  for (guint i = 0; i < G_N_ELEMENTS (timed); i++)
    if (gst_event_has_name (event, timed[i].name))
      return (gint) i;
  return -1;
}

static GstClockTime
get_time (const GstStructure *structure, const gchar *field)
{
  guint64 time = GST_CLOCK_TIME_NONE;
  if (field)
    gst_structure_get_uint64 (structure, field, &time);
  return time;
}

/**
 * gst_datahub_event_times_get:
 * @event: a serialized event that is not sticky
 * @segment: the one in force
 * @timestamp: (out): what it is about
 *
 * Returns: whether it has such a time
 */
gboolean
gst_datahub_event_times_get (GstEvent *event, const GstSegment *segment,
    GstClockTime *timestamp)
{
  const GstStructure *structure = gst_event_get_structure (event);
  gint i = structure ? find (event) : -1;
  GstFormat format;
  gint64 position = -1;
  *timestamp = GST_CLOCK_TIME_NONE;
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT_DONE) {
    gst_event_parse_segment_done (event, &format, &position);
    if (format == GST_FORMAT_TIME && position >= 0)
      *timestamp = (GstClockTime) position;
  } else if (i >= 0) {
    GstClockTime running_time = get_time (structure, timed[i].running_time);
    *timestamp = get_time (structure, timed[i].timestamp);
    if (!GST_CLOCK_TIME_IS_VALID (*timestamp)
        && GST_CLOCK_TIME_IS_VALID (running_time)
        && segment->format == GST_FORMAT_TIME)
      *timestamp = gst_segment_position_from_running_time (segment,
          GST_FORMAT_TIME, running_time);
  }
  return GST_CLOCK_TIME_IS_VALID (*timestamp);
}

/* A time that the event does not have stays out. */
static void
replace_time (GstStructure *structure, const gchar *field, GstClockTime time)
{
  if (GST_CLOCK_TIME_IS_VALID (get_time (structure, field)))
    gst_structure_set (structure, field, G_TYPE_UINT64, time, NULL);
}

/**
 * gst_datahub_event_times_set:
 * @event: (transfer full): an event with a time
 * @segment: the one in force here
 * @timestamp: what the event is about, in @segment
 *
 * Returns: (transfer full): the event in the times of this pipeline
 */
GstEvent *
gst_datahub_event_times_set (GstEvent *event, const GstSegment *segment,
    GstClockTime timestamp)
{
  GstStructure *structure;
  gint i = find (event);
  gboolean in_time = segment->format == GST_FORMAT_TIME;
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT_DONE) {
    gst_event_unref (event);
    return gst_event_new_segment_done (GST_FORMAT_TIME, (gint64) timestamp);
  }
  if (i < 0)
    return event;
  event = gst_event_make_writable (event);
  structure = gst_event_writable_structure (event);
  replace_time (structure, timed[i].timestamp, timestamp);
  replace_time (structure, timed[i].running_time,
      in_time
          ? gst_segment_to_running_time (segment, GST_FORMAT_TIME, timestamp)
          : GST_CLOCK_TIME_NONE);
  replace_time (structure, timed[i].stream_time,
      in_time ? gst_segment_to_stream_time (segment, GST_FORMAT_TIME, timestamp)
              : GST_CLOCK_TIME_NONE);
  return event;
}
