/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data about another pipeline that the elements of one pipeline share, so that
 * audio and video stay synchronised. Any thread. */
#ifndef GST_DATAHUB_GROUP_H
#define GST_DATAHUB_GROUP_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstDatahubGroup GstDatahubGroup;

/* Which instants have one offset. */
typedef enum
{
  GST_DATAHUB_LANE_OTHER, /* a producing pipeline that is not live */
  GST_DATAHUB_LANE_LIVE,
  GST_DATAHUB_LANE_OWN, /* no instants: running times of the producer */
  GST_DATAHUB_N_LANES
} GstDatahubLane;

/* This pipeline, now. */
typedef struct
{
  gboolean known; /* there is a clock and a base time */
  gint64 base; /* CLOCK_MONOTONIC instant of running time 0 */
  gint64 running_time; /* now */
} GstDatahubNow;

/* A buffer that is to be placed. */
typedef struct
{
  GstDatahubLane lane;
  gint64 instant; /* of its first timestamp */
  gint64 own; /* running time of it in the producing pipeline */
  gint64 position; /* of it in its segment */
  gboolean reordered; /* later ones may be shown before it */
  gint64 committed; /* CLOCK_MONOTONIC */
  gboolean lost; /* buffers before it were lost */
  gint64 sent; /* its stream has been placed up to this running time */
} GstDatahubArrival;

GstDatahubGroup *gst_datahub_group_join (GstElement *element, guint64 key);
void gst_datahub_group_leave (GstDatahubGroup *group);
guint64 gst_datahub_group_get_id (GstDatahubGroup *group);
void gst_datahub_group_set_reliable (GstDatahubGroup *group);
gint64 gst_datahub_group_get_offset (GstDatahubGroup *group,
    const GstDatahubNow *now, const GstDatahubArrival *arrival);
gint64 gst_datahub_group_get_move (GstDatahubGroup *group,
    const GstDatahubNow *now, const GstDatahubArrival *arrival);
gint64 gst_datahub_group_get_origin (GstDatahubGroup *group, gint64 first);

G_END_DECLS

#endif /* GST_DATAHUB_GROUP_H */
