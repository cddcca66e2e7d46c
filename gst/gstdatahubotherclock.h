/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer with a CLOCK_MONOTONIC that is not this process's. */
#ifndef GST_DATAHUB_OTHER_CLOCK_H
#define GST_DATAHUB_OTHER_CLOCK_H

#include "gstdatahubtime.h"

#include <datahub/consumer.h>

G_BEGIN_DECLS

/* Zero-initialised. The streaming thread's. */
typedef struct
{
  DatahubClockState state;
  gint64 offset; /* what the library added to the producer's times */
  guint told; /* bits of states that were posted */
} GstDatahubOtherClock;

void gst_datahub_other_clock_post (GstDatahubOtherClock *clock,
    GstElement *element, const gchar *channel);

/* With each record: posts what is new. */
static inline void
gst_datahub_other_clock_follow (GstDatahubOtherClock *clock,
    GstElement *element, DatahubConsumer *consumer, const gchar *channel)
{
  clock->state = datahub_consumer_get_clock (consumer, &clock->offset);
  if (G_UNLIKELY (clock->state != DATAHUB_CLOCK_SAME)
      && !(clock->told & (1u << clock->state)))
    gst_datahub_other_clock_post (clock, element, channel);
}

/* Returns: @distance, from running times to instants, for the producer's instants */
static inline gint64
gst_datahub_other_clock_distance (const GstDatahubOtherClock *clock,
    gint64 distance)
{
  return gst_datahub_instant_is_valid (distance) ? distance - clock->offset
                                                 : distance;
}

G_END_DECLS

#endif /* GST_DATAHUB_OTHER_CLOCK_H */
