/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the instants of a producing pipeline are in this one:
 *
 *   running time = instant + offset
 *
 *   live producer       offset = - base time
 *   one that is paced   offset: the first buffer is due when it was committed
 *   any other producer  offset: the first buffer is due when it arrives
 *
 * The offset belongs to the group of all sources of this pipeline that read from
 * the same run of a producing pipeline, so that audio and video stay
 * synchronised. The first buffer that arrives sets it, and no other stream moves
 * it: what was sent before would be wrong.
 *
 * A producer that is not live is paced if it commits in time with the clock, as
 * a player of a film does. Others, such as a converter, run at any speed.
 *
 * A live consumer shows the present. The offset follows the base time, so that
 * nothing that was committed during a pause is shown later than it was. If a
 * producer that is not live ran ahead and buffers were lost, the next one is due
 * when it was committed.
 *
 * A reliable consumer has everything, with the distances it had. Its first buffer
 * is due at once, however old it is, and a pause delays what comes behind it.
 * One reliable source makes its group reliable.
 *
 * What comes behind the first buffer of a reliable group may be shown before it: it
 * was reordered, or it is of another stream. So that it keeps its distance, the first
 * buffer is not due before its position in the producer's segment, up to a limit.
 *
 * A stream may begin with buffers without a time, and they need the segment. Then the
 * begin of the producer's segment is due when the first of them arrives. If the first
 * time is far from that, it is placed anew.
 * Tests: gst-timeline, gst-timeline-begins, gst-instants */
#include "gstdatahubgroup.h"
#include "gstdatahubtime.h"

/* A pause moves the base time; a drifting clock does so by less. */
#define PAUSE_MIN (2 * GST_MSECOND)
/* A paced producer commits so near to the instant. */
#define PACED_MAX GST_SECOND
/* Two streams of one group are committed that much apart. */
#define ANCHOR_TOLERANCE (20 * GST_MSECOND)
/* So much room is left in front of a first buffer that was committed before its
 * time; and of one of a stream without times of decoding. */
#define ROOM_AHEAD (2 * GST_SECOND)
#define ROOM_REORDERED (200 * GST_MSECOND)
/* A first time may be so much later than its buffer's arrival, or earlier. */
#define GUESS_EARLY ROOM_AHEAD
#define GUESS_LATE GST_SECOND

typedef struct
{
  gboolean known;
  gint64 offset;
  gint64 base; /* that `offset` is for */
  gint64 epoch; /* instant of running time 0 in the producing pipeline */
  gboolean guessed;
  gint64
      guess; /* running time here of running time 0 there, until it is known */
} Lane;

struct _GstDatahubGroup
{
  guint refs;
  guint64 key;
  guint64 id;
  gpointer pipeline; /* compared only: members keep it alive */
  gboolean reliable;
  Lane lanes[GST_DATAHUB_N_LANES];
  gboolean has_origin;
  gint64 origin;
};

/* Guards the list and the groups in it. Innermost. */
static GMutex groups_lock;
static GList *groups;

static gpointer
pipeline_of (GstElement *element)
{
  GstObject *at = GST_OBJECT_CAST (element);
  GstObject *top = at;
  for (; at; at = GST_OBJECT_PARENT (at))
    top = at;
  return top;
}

/**
 * gst_datahub_group_join:
 * @element: an element
 * @key: what its pipeline deals with, such as the id of a producing pipeline
 *
 * A group lives while it has members, so one run of a pipeline does not inherit
 * from the run before. Any thread.
 *
 * Returns: (transfer full): the group of @element's pipeline for @key
 */
GstDatahubGroup *
gst_datahub_group_join (GstElement *element, guint64 key)
{
  gpointer pipeline = pipeline_of (element);
  GstDatahubGroup *group = NULL;
  g_mutex_lock (&groups_lock);
  for (GList *l = groups; l && !group; l = l->next) {
    GstDatahubGroup *other = l->data;
    if (other->key == key && other->pipeline == pipeline)
      group = other;
  }
  if (!group) {
    group = g_new0 (GstDatahubGroup, 1);
    group->key = key;
    group->pipeline = pipeline;
    group->id = (guint64) g_random_int () << 32 | g_random_int ();
    groups = g_list_prepend (groups, group);
  }
  group->refs++;
  g_mutex_unlock (&groups_lock);
  return group;
}

/**
 * gst_datahub_group_leave:
 * @group: (transfer full): a group
 *
 * Any thread.
 */
void
gst_datahub_group_leave (GstDatahubGroup *group)
{
  gboolean last;
  g_mutex_lock (&groups_lock);
  last = --group->refs == 0;
  if (last)
    groups = g_list_remove (groups, group);
  g_mutex_unlock (&groups_lock);
  if (last)
    g_free (group);
}

/**
 * gst_datahub_group_get_id:
 * @group: a group
 *
 * Returns: a random number, the same for all members
 */
guint64
gst_datahub_group_get_id (GstDatahubGroup *group)
{
  return group->id;
}

/* A member is a reliable consumer. */
void
gst_datahub_group_set_reliable (GstDatahubGroup *group)
{
  g_mutex_lock (&groups_lock);
  group->reliable = TRUE;
  g_mutex_unlock (&groups_lock);
}

static gboolean
has_commit (const GstDatahubArrival *arrival)
{
  return arrival->lane == GST_DATAHUB_LANE_OTHER && arrival->committed > 0
      && gst_datahub_instant_is_valid (arrival->committed);
}

static gboolean
is_paced (const GstDatahubArrival *arrival)
{
  return has_commit (arrival)
      && ABS (arrival->committed - arrival->instant) < (gint64) PACED_MAX;
}

/* The running time at which the buffer was committed. */
static gint64
commit_time (const GstDatahubNow *now, const GstDatahubArrival *arrival)
{
  return MIN (arrival->committed - now->base, now->running_time);
}

/* The producer does not wait for a clock. */
static gboolean
is_ahead (const GstDatahubArrival *arrival)
{
  return has_commit (arrival)
      && arrival->committed < arrival->instant - (gint64) ANCHOR_TOLERANCE;
}

/* The earliest running time of the first buffer of a reliable group. */
static gint64
room_before (const GstDatahubArrival *arrival)
{
  gint64 room = arrival->reordered ? (gint64) ROOM_REORDERED : 0;
  if (is_ahead (arrival))
    room = ROOM_AHEAD;
  return CLAMP (arrival->position, 0, room);
}

static gint64
first_offset (const GstDatahubGroup *group, const GstDatahubNow *now,
    const GstDatahubArrival *arrival)
{
  gint64 room = group->reliable ? room_before (arrival) : 0;
  if (arrival->lane == GST_DATAHUB_LANE_LIVE)
    return group->reliable ? MAX (-now->base, room - arrival->instant)
                           : -now->base;
  if (!group->reliable && is_paced (arrival))
    return commit_time (now, arrival) - arrival->instant;
  return MAX (now->running_time, room) - arrival->instant;
}

/* A viewer sees the present, a recorder gets one segment. */
static gboolean
guess_fits (const GstDatahubGroup *group, gint64 error)
{
  if (!group->reliable)
    return ABS (error) <= (gint64) ANCHOR_TOLERANCE;
  return error >= -(gint64) GUESS_LATE && error <= (gint64) GUESS_EARLY;
}

static gint64
first_offset_or_guess (const GstDatahubGroup *group, const Lane *lane,
    const GstDatahubNow *now, const GstDatahubArrival *arrival)
{
  gint64 offset = first_offset (group, now, arrival);
  gint64 guess = lane->guess + arrival->own - arrival->instant;
  return lane->guessed && guess_fits (group, guess - offset) ? guess : offset;
}

/* This pipeline was paused, or its clock drifts. */
static void
follow_base (const GstDatahubGroup *group, Lane *lane, GstDatahubLane which,
    gint64 base)
{
  gint64 change = base - lane->base;
  gboolean pause = ABS (change) > (gint64) PAUSE_MIN;
  lane->base = base;
  if (which == GST_DATAHUB_LANE_OWN)
    return;
  if (!group->reliable || (which == GST_DATAHUB_LANE_LIVE && !pause))
    lane->offset -= change;
}

/* Back to when the buffer was committed; never before what was sent. */
static void
anchor_anew (Lane *lane, const GstDatahubNow *now,
    const GstDatahubArrival *arrival)
{
  gint64 due = MAX (commit_time (now, arrival), arrival->sent);
  gint64 offset = due - arrival->instant;
  if (ABS (offset - lane->offset) > (gint64) ANCHOR_TOLERANCE)
    lane->offset = offset;
}

/**
 * gst_datahub_group_get_offset:
 * @group: a group
 * @now: this pipeline's time
 * @arrival: the buffer to be placed
 *
 * Returns: what to add to an instant to get a running time. A buffer from before
 *   this pipeline's start can get a negative one
 */
gint64
gst_datahub_group_get_offset (GstDatahubGroup *group, const GstDatahubNow *now,
    const GstDatahubArrival *arrival)
{
  Lane *lane = &group->lanes[arrival->lane];
  gint64 offset;
  g_mutex_lock (&groups_lock);
  if (!lane->known)
    *lane = (Lane){ .known = TRUE,
      .offset = first_offset_or_guess (group, lane, now, arrival),
      .base = now->base };
  else if (lane->base != now->base)
    follow_base (group, lane, arrival->lane, now->base);
  if (arrival->lost && !group->reliable && has_commit (arrival))
    anchor_anew (lane, now, arrival);
  lane->epoch = arrival->instant - arrival->own;
  offset = lane->offset;
  g_mutex_unlock (&groups_lock);
  return offset;
}

/* When what arrives is due, if it has no time. */
static gint64
due_at_arrival (const GstDatahubGroup *group, const GstDatahubNow *now,
    const GstDatahubArrival *arrival)
{
  gint64 due = now->running_time;
  if (!group->reliable && has_commit (arrival)
      && due - commit_time (now, arrival) < (gint64) PACED_MAX)
    due = commit_time (now, arrival);
  return MAX (due, 0);
}

/**
 * gst_datahub_group_get_move:
 * @group: a group
 * @now: this pipeline's time
 * @arrival: a buffer without a time, with the begin of its segment as `own`
 *
 * Returns: what to add to a running time of the producing pipeline to get one of
 *   this pipeline
 */
gint64
gst_datahub_group_get_move (GstDatahubGroup *group, const GstDatahubNow *now,
    const GstDatahubArrival *arrival)
{
  Lane *lane = &group->lanes[arrival->lane];
  gint64 move;
  g_mutex_lock (&groups_lock);
  if (!lane->known && !lane->guessed) {
    lane->guessed = TRUE;
    lane->guess = due_at_arrival (group, now, arrival) - arrival->own;
  }
  move = lane->known ? lane->offset + lane->epoch : lane->guess;
  g_mutex_unlock (&groups_lock);
  return move;
}

/**
 * gst_datahub_group_get_origin:
 * @group: a group
 * @first: the running time of the first buffer of a stream
 *
 * Returns: the running time at which timestamps begin at 0, which is that of the
 *   first stream
 */
gint64
gst_datahub_group_get_origin (GstDatahubGroup *group, gint64 first)
{
  gint64 origin;
  g_mutex_lock (&groups_lock);
  if (!group->has_origin) {
    group->has_origin = TRUE;
    group->origin = MAX (first, 0);
  }
  origin = group->origin;
  g_mutex_unlock (&groups_lock);
  return origin;
}
