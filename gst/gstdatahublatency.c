/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each change of the answer is a message and a query, and moves the pictures of this
 * pipeline in time. So ages are collected in windows, and the answer is rounded.
 *
 * The first buffer gives an answer at once. While the windows are short, the answer
 * grows at the end of each; later it grows if two windows need it, so that a single
 * hold-up delays nothing for good. It shrinks if many windows need at most half of
 * it.
 * Tests: gst-latency-meter, gst-instants */
#include "gstdatahublatency.h"

#define STEP ((gint64) (5 * GST_MSECOND))
/* A larger answer has coarser steps: at most an eighth of it. */
#define STEPS 8
#define SHORTEST ((gint64) (50 * GST_MSECOND))
#define LONGEST ((gint64) GST_SECOND)
#define QUIET_WINDOWS 8

static GstClockTime
round_up (gint64 age)
{
  gint64 step = STEP;
  while (step * STEPS < age)
    step *= 2;
  return (GstClockTime) ((age / step + 1) * step);
}

static gboolean
answer (GstDatahubLatency *latency, GstClockTime min)
{
  gboolean changed = latency->min != min;
  latency->min = min;
  return changed;
}

/**
 * gst_datahub_latency_begin:
 * @latency: a latency
 *
 * Another producer: nothing is known of it.
 *
 * Returns: whether the answer changed
 */
gboolean
gst_datahub_latency_begin (GstDatahubLatency *latency)
{
  gboolean changed = latency->min != 0;
  *latency = (GstDatahubLatency){ .length = SHORTEST };
  return changed;
}

/* After many windows, the answer is compared with what they needed. */
static gboolean
shrink (GstDatahubLatency *latency)
{
  GstClockTime needed = round_up (latency->quiet_peak);
  if (latency->quiet < QUIET_WINDOWS)
    return FALSE;
  latency->quiet = 0;
  latency->quiet_peak = 0;
  return needed * 2 <= latency->min && answer (latency, needed);
}

static gboolean
end_window (GstDatahubLatency *latency, gint64 at)
{
  gboolean is_long = latency->length == LONGEST;
  gint64 needed =
      is_long ? MIN (latency->peak, latency->last_peak) : latency->peak;
  gboolean changed = FALSE;
  latency->quiet_peak = MAX (latency->quiet_peak, needed);
  latency->quiet += is_long;
  if (round_up (needed) > latency->min)
    changed = answer (latency, round_up (needed));
  changed |= shrink (latency);
  latency->last_peak = latency->peak;
  latency->peak = 0;
  latency->begin = at;
  latency->length = MIN (2 * latency->length, LONGEST);
  return changed;
}

/**
 * gst_datahub_latency_measure:
 * @latency: a latency
 * @committed: when a buffer was committed
 * @age: how old it was then; not negative, and less than a minute
 *
 * Returns: whether the answer changed
 */
gboolean
gst_datahub_latency_measure (GstDatahubLatency *latency, gint64 committed,
    gint64 age)
{
  gboolean changed = FALSE;
  if (!latency->known) {
    latency->known = TRUE;
    latency->begin = committed;
    latency->length = SHORTEST;
    latency->peak = age;
    return answer (latency, round_up (age));
  }
  /* what caught up after a hold-up is in the window that begins with it */
  if (committed < latency->begin
      || committed - latency->begin >= latency->length)
    changed = end_window (latency, committed);
  latency->peak = MAX (latency->peak, age);
  return changed;
}
