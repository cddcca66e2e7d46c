/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer in another time namespace has another CLOCK_MONOTONIC. The library maps its
 * times. Where it cannot, instants mean nothing in this pipeline: a sink may wait for a
 * day, or drop everything as late. Each state is posted once between start and stop.
 * Tests: gst-other-clock */
#include "gstdatahubotherclock.h"

#define WHAT_TO_DO                                                                 \
  "Buffers may be rendered too early, too late or not at all, and max-age may be " \
  "wrong. Set timestamps=passthrough and no max-age, or sync=false in the sinks"

static void
post_mapped (const GstDatahubOtherClock *clock, GstElement *element,
    const gchar *channel)
{
  gdouble seconds = (gdouble) ABS (clock->offset) / GST_SECOND;
  const gchar *side = clock->offset < 0 ? "ahead" : "behind";
  GST_ELEMENT_INFO (element, CORE, CLOCK,
      ("The producer of the DataBlock \"%s\" is in another time namespace: its "
       "monotonic clock is %.3f s %s. Its times are mapped; `clock-offset` in stats "
       "is the difference.",
          channel, seconds, side),
      ("its monotonic clock is %.3f s %s; offset %" G_GINT64_FORMAT " ns",
          seconds, side, clock->offset));
}

static const gchar *
reason_of (DatahubClockState state)
{
  switch (state) {
    case DATAHUB_CLOCK_OTHER_BOOT:
      return "runs on another kernel: its monotonic clock has nothing to do with "
             "the one here";
    case DATAHUB_CLOCK_UNKNOWN:
      return "has a monotonic clock that is ahead, and shows no clocks to compare: "
             "it is of an earlier version";
    default:
      return "shows clocks that contradict themselves: it is faulty, or another "
             "process wrote to the block";
  }
}

/**
 * gst_datahub_other_clock_post:
 * @clock: of a producer with another clock
 * @element: posts the message
 * @channel: the name of the block
 *
 * An info message if the times of the producer are mapped, else a warning.
 */
void
gst_datahub_other_clock_post (GstDatahubOtherClock *clock, GstElement *element,
    const gchar *channel)
{
  clock->told |= 1u << clock->state;
  if (clock->state == DATAHUB_CLOCK_MAPPED)
    post_mapped (clock, element, channel);
  else
    GST_ELEMENT_WARNING (element, CORE, CLOCK,
        ("The producer of the DataBlock \"%s\" %s. Its times are not mapped. " WHAT_TO_DO
         ".",
            channel, reason_of (clock->state)),
        ("state %d", (gint) clock->state));
}
