/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source is off if all its data ends at on-demand sinks without a demand. The
 * elements behind it that have no other source are off with it: they keep nothing of
 * a stream that ended, and one that reads its source in pull mode does not run it. Off
 * means READY, with a locked state, so that the pipeline plays on.
 *
 * One thread at a time compares what is off with what is to be off, and changes it,
 * until both are the same. It is a thread of GStreamer's pool, because a change of
 * state may wait for the threads of the pipeline. Nothing changes unless all of these
 * sinks play, and a sink that pauses waits for the end of a change, so that no change
 * meets one of the pipeline. An element may need long for its change of state: then the
 * sink goes on, and what is changed later gets the state of the pipeline. A streaming thread that is to end may wait in a sink, for
 * the clock or a reliable consumer: the border of what goes off is flushed.
 * Tests: gst-demand, gst-demand-states */
#include "gstdatahubdemandswitch.h"
#include "gstdatahubdemandplan.h"
#include "gstdatahubdemandsources.h"

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

/* For a source that does not end its change of state. */
#define PATIENCE (10 * G_USEC_PER_SEC)

struct _GstDatahubDemandSwitch
{
  gpointer pipeline; /* compared only: members keep it alive */
  guint refs; /* switches_lock */

  GMutex lock; /* guards what follows; never held in a call */
  GCond idle;
  GPtrArray *members; /* of GstDatahubDemand; not owned */
  gboolean busy; /* a thread works */
  gboolean again; /* it has to compare once more */
  GThread *worker; /* which; compared only */
  guint waiting; /* threads that wait for the end of the work */
  guint ends; /* how often a pipeline was ended */
  guint ends_seen; /* before the comparison */
  GstDatahubDemand *ending; /* the thread that works is in its `end` */
  gboolean left; /* a member left while a thread worked */

  /* Of the thread that works; with the lock if none does. */
  GPtrArray *held; /* of GstElement, owned: locked in READY */
};

static GMutex switches_lock; /* guards the list, and the references */
static GList *switches;

/* ---- the members ---- */

static gboolean
has_member (const GstDatahubDemandSwitch *self, GstDatahubDemand *demand)
{
  return g_ptr_array_find (self->members, demand, NULL);
}

static void
unref_member (gpointer demand)
{
  gst_object_unref (((GstDatahubDemand *) demand)->element);
}

/* The lock is held. Returns: (transfer full) (nullable): the members, if all play. They
 * may leave meanwhile, and their elements be released. */
static GPtrArray *
get_players (GstDatahubDemandSwitch *self)
{
  GPtrArray *members = g_ptr_array_new_with_free_func (unref_member);
  for (guint i = 0; i < self->members->len; i++) {
    GstDatahubDemand *demand = self->members->pdata[i];
    if (!demand->playing)
      g_clear_pointer (&members, g_ptr_array_unref);
    if (!members)
      break;
    gst_object_ref (demand->element);
    g_ptr_array_add (members, demand);
  }
  return members;
}

/* The lock is held. */
static gboolean
is_playing (const GstDatahubDemandSwitch *self)
{
  gboolean playing = self->members->len > 0;
  for (guint i = 0; i < self->members->len; i++)
    playing &= ((GstDatahubDemand *) self->members->pdata[i])->playing;
  return playing;
}

static gboolean
do_all_play (GstDatahubDemandSwitch *self)
{
  gboolean play;
  g_mutex_lock (&self->lock);
  play = is_playing (self);
  g_mutex_unlock (&self->lock);
  return play;
}

/* Whether a sink paused or left without a wait for the end of a change. While one waits,
 * the pipeline has not come to the sources yet, and does not need them to change. */
static gboolean
is_left_behind (GstDatahubDemandSwitch *self)
{
  gboolean behind;
  g_mutex_lock (&self->lock);
  behind = !is_playing (self) && !self->waiting;
  g_mutex_unlock (&self->lock);
  return behind;
}

static gboolean
has_members (GstDatahubDemandSwitch *self)
{
  gboolean any;
  g_mutex_lock (&self->lock);
  any = self->members->len > 0;
  g_mutex_unlock (&self->lock);
  return any;
}

/* ---- changing it; the thread that works ---- */

/* Ends early if a sink pauses: the rest stays off until it plays again.
 * Returns: (nullable): the element that did not start. All are off then. */
static GstElement *
switch_on (GstDatahubDemandSwitch *self, const GPtrArray *elements)
{
  GstElement *failed = NULL;
  guint n = 0;
  while (n < elements->len && !failed && do_all_play (self)) {
    if (!gst_datahub_demand_sources_release (elements->pdata[n]))
      failed = elements->pdata[n];
    else
      g_ptr_array_remove (self->held, elements->pdata[n]);
    n++;
  }
  if (failed && has_members (self))
    gst_datahub_demand_sources_off (self->held, elements);
  else if (is_left_behind (self))
    for (guint i = 0; i < n; i++)
      gst_element_sync_state_with_parent (elements->pdata[i]);
  return failed;
}

static void
prepare_start (GstDatahubDemandSwitch *self, const GPtrArray *members,
    const GPtrArray *elements)
{
  for (guint i = 0; i < members->len; i++) {
    g_autoptr (GPtrArray) names =
        gst_datahub_demand_sources_names (members->pdata[i], elements);
    if (names->len > 0)
      gst_datahub_demand_switch_rewind (self, members->pdata[i]);
  }
}

static void
note_running (GstDatahubDemandSwitch *self, GstDatahubDemand *demand)
{
  g_autoptr (GPtrArray) names =
      gst_datahub_demand_sources_names (demand, self->held);
  g_atomic_int_set (&demand->running, names->len == 0);
}

/* Returns: whether the pipeline was not ended meanwhile, so that the choice of what to
 * change is still right */
static gboolean
begin_change (GstDatahubDemandSwitch *self, const GPtrArray *members,
    const GPtrArray *elements)
{
  gboolean same;
  g_mutex_lock (&self->lock);
  same = self->ends == self->ends_seen;
  for (guint i = 0; i < members->len && same; i++) {
    GstDatahubDemand *demand = members->pdata[i];
    g_autoptr (GPtrArray) names =
        gst_datahub_demand_sources_names (demand, elements);
    demand->changing = names->len > 0;
  }
  g_mutex_unlock (&self->lock);
  return same;
}

static void
end_change (GstDatahubDemandSwitch *self, const GPtrArray *members)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < members->len; i++) {
    GstDatahubDemand *demand = members->pdata[i];
    note_running (self, demand);
    demand->changing = FALSE;
  }
  g_mutex_unlock (&self->lock);
}

static void
start (GstDatahubDemandSwitch *self, const GPtrArray *members,
    const GPtrArray *elements)
{
  GstElement *failed;
  g_autoptr (GPtrArray) on = NULL;
  prepare_start (self, members, elements);
  failed = switch_on (self, elements);
  end_change (self, members);
  on = gst_datahub_elements_without (elements, self->held);
  if (failed)
    gst_datahub_demand_sources_report_failure (members, elements, failed);
  else
    gst_datahub_demand_sources_report (members, on, TRUE);
}

/* A source that ended or failed begins again for a consumer that joined since, once
 * it is off. Returns: whether one does */
static gboolean
end_rest (const GPtrArray *members)
{
  gboolean any = FALSE;
  for (guint i = 0; i < members->len; i++) {
    GstDatahubDemand *demand = members->pdata[i];
    if (!g_atomic_int_get (&demand->running))
      any |= g_atomic_int_compare_and_exchange (&demand->rest,
          GST_DATAHUB_REST_ASKED, GST_DATAHUB_REST_NONE);
  }
  return any;
}

/* Whether no source pushes an EOS. The lock is held. */
static gboolean
is_still (const GstDatahubDemand *demand)
{
  return !g_atomic_int_get (&demand->running)
      || g_atomic_int_get (&demand->rest) != GST_DATAHUB_REST_NONE;
}

static gboolean
begin_end (GstDatahubDemandSwitch *self, GstDatahubDemand *demand)
{
  g_mutex_lock (&self->lock);
  if (!self->waiting && has_member (self, demand) && demand->playing
      && is_still (demand)
      && g_atomic_int_get (&demand->ending) == GST_DATAHUB_END_DUE)
    self->ending = demand;
  g_mutex_unlock (&self->lock);
  return self->ending != NULL;
}

/* The member cannot leave before. */
static void
finish_end (GstDatahubDemandSwitch *self, gboolean done)
{
  GstDatahubDemand *demand = self->ending;
  g_mutex_lock (&self->lock);
  if (done)
    g_atomic_int_set (&demand->ending, GST_DATAHUB_END_DONE);
  demand->funcs->interrupt (demand->data, FALSE);
  self->ending = NULL;
  g_cond_broadcast (&self->idle);
  g_mutex_unlock (&self->lock);
}

/* Once the sources are off. One that is interrupted is tried again with a later kick. */
static void
end_streams (GstDatahubDemandSwitch *self, const GPtrArray *members)
{
  for (guint i = 0; i < members->len; i++) {
    GstDatahubDemand *demand = members->pdata[i];
    gboolean done;
    if (!begin_end (self, demand))
      continue;
    done = demand->funcs->end (demand->data);
    finish_end (self, done);
    if (done)
      gst_element_post_message (demand->element,
          gst_message_new_eos (GST_OBJECT_CAST (demand->element)));
  }
}

/* Returns: whether to compare again */
static gboolean
settle (GstDatahubDemandSwitch *self, const GPtrArray *members)
{
  g_autoptr (GPtrArray) off =
      gst_datahub_demand_plan_choose_off (self->held, members);
  g_autoptr (GPtrArray) to_start =
      gst_datahub_elements_without (self->held, off);
  g_autoptr (GPtrArray) to_stop =
      gst_datahub_elements_without (off, self->held);
  g_autoptr (GPtrArray) changes =
      gst_datahub_elements_without (off, self->held);
  for (guint i = 0; i < to_start->len; i++)
    g_ptr_array_add (changes, gst_object_ref (to_start->pdata[i]));
  if (changes->len > 0 && !begin_change (self, members, changes))
    return TRUE;
  if (to_stop->len > 0) {
    gst_datahub_demand_sources_off (self->held, to_stop);
    gst_datahub_demand_sources_report (members, to_stop, FALSE);
  }
  if (to_start->len > 0)
    start (self, members, to_start);
  end_change (self, members);
  end_streams (self, members);
  return end_rest (members);
}

/* ---- the thread ---- */

/* Returns: (nullable): the members, if they are to be compared once more; %NULL: the
 * work is done */
static GPtrArray *
get_work (GstDatahubDemandSwitch *self)
{
  GPtrArray *members = NULL;
  g_mutex_lock (&self->lock);
  self->worker = g_thread_self ();
  if (self->again)
    members = get_players (self);
  self->again = FALSE;
  self->ends_seen = self->ends;
  if (!members) {
    if (self->left)
      gst_datahub_demand_sources_let_go (self->held, self->members);
    self->left = FALSE;
    self->busy = FALSE;
    self->worker = NULL;
    g_cond_broadcast (&self->idle);
  }
  g_mutex_unlock (&self->lock);
  return members;
}

static void
ask_again (GstDatahubDemandSwitch *self)
{
  g_mutex_lock (&self->lock);
  self->again = TRUE;
  g_mutex_unlock (&self->lock);
}

static void
work (GstElement *element, gpointer user_data)
{
  GstDatahubDemandSwitch *self = user_data;
  GPtrArray *members;
  while ((members = get_work (self))) {
    if (settle (self, members))
      ask_again (self);
    g_ptr_array_unref (members);
  }
}

static GstDatahubDemandSwitch *
ref_switch (GstDatahubDemandSwitch *self)
{
  g_mutex_lock (&switches_lock);
  self->refs++;
  g_mutex_unlock (&switches_lock);
  return self;
}

/**
 * gst_datahub_demand_switch_kick:
 * @self: a switch
 * @element: one of its sinks
 *
 * Compares soon, in another thread. Any thread.
 */
void
gst_datahub_demand_switch_kick (GstDatahubDemandSwitch *self,
    GstElement *element)
{
  gboolean begin;
  g_mutex_lock (&self->lock);
  begin = !self->busy;
  self->busy = self->again = TRUE;
  g_mutex_unlock (&self->lock);
  if (begin)
    gst_element_call_async (element, work, ref_switch (self),
        (GDestroyNotify) gst_datahub_demand_switch_unref);
}

/* The lock is held. A handler of a message that a source posts while it changes runs in
 * the thread that works, and must not wait for itself. An end of a stream that is being
 * written may wait for consumers: it is interrupted.
 * Returns: whether no other thread works */
static gboolean
wait_idle (GstDatahubDemandSwitch *self)
{
  gint64 until = g_get_monotonic_time () + PATIENCE;
  gboolean in_time = TRUE;
  if (self->worker == g_thread_self ())
    return TRUE;
  self->waiting++;
  if (self->ending)
    self->ending->funcs->interrupt (self->ending->data, TRUE);
  while (self->busy && in_time)
    in_time = g_cond_wait_until (&self->idle, &self->lock, until);
  while (self->ending)
    g_cond_wait (&self->idle, &self->lock);
  self->waiting--;
  return !self->busy;
}

/* Waited in vain. No lock is held. */
static void
warn_busy (GstDatahubDemand *demand)
{
  GST_ELEMENT_WARNING (demand->element, RESOURCE, BUSY,
      ("A source of the DataBlock \"%s\" does not end its change of state. The sink "
       "goes on without it; look why the source hangs.",
          demand->client->channel),
      ("waited %d s", (gint) (PATIENCE / G_USEC_PER_SEC)));
}

/**
 * gst_datahub_demand_switch_allow:
 * @self: a switch
 * @demand: a member
 * @playing: whether its sink plays
 *
 * Only while all members play the sources change. Waits for the end of a change if
 * @playing is FALSE, for a limited time.
 */
void
gst_datahub_demand_switch_allow (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand, gboolean playing)
{
  gboolean idle;
  g_mutex_lock (&self->lock);
  demand->playing = playing;
  idle = playing || wait_idle (self);
  g_mutex_unlock (&self->lock);
  if (!idle)
    warn_busy (demand);
  if (playing)
    gst_datahub_demand_switch_kick (self, demand->element);
}

/**
 * gst_datahub_demand_switch_end:
 * @self: a switch
 * @demand: a member
 *
 * An EOS is sent to the pipeline. Sources that are on push it. For others, and for
 * those that just change or have ended, the sink ends the stream itself. Any thread.
 */
void
gst_datahub_demand_switch_end (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand)
{
  g_mutex_lock (&self->lock);
  self->ends++;
  if (g_atomic_int_get (&demand->ending) == GST_DATAHUB_END_NONE)
    g_atomic_int_set (&demand->ending,
        demand->changing || is_still (demand) ? GST_DATAHUB_END_DUE
                                              : GST_DATAHUB_END_FLOWS);
  g_mutex_unlock (&self->lock);
  gst_datahub_demand_switch_kick (self, demand->element);
}

/* The streaming thread committed EOS. Returns: whether it ends only the source */
gboolean
gst_datahub_demand_switch_take_eos (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand)
{
  gboolean taken;
  g_mutex_lock (&self->lock);
  taken = g_atomic_int_get (&demand->ending) == GST_DATAHUB_END_NONE;
  if (taken) {
    g_atomic_int_set (&demand->drained, TRUE);
    g_atomic_int_set (&demand->rest, GST_DATAHUB_REST_SILENT);
  }
  g_mutex_unlock (&self->lock);
  return taken;
}

/* Forgets the stream before, also for consumers that did not read its end. Under the
 * lock: the next stream does not begin in between. */
void
gst_datahub_demand_switch_rewind (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand)
{
  g_mutex_lock (&self->lock);
  if (has_member (self, demand)
      && g_atomic_int_compare_and_exchange (&demand->drained, TRUE, FALSE))
    demand->funcs->rewind (demand->data);
  g_mutex_unlock (&self->lock);
}

/* ---- members ---- */

static GstDatahubDemandSwitch *
new_switch (gpointer pipeline)
{
  GstDatahubDemandSwitch *self = g_new0 (GstDatahubDemandSwitch, 1);
  self->pipeline = pipeline;
  g_mutex_init (&self->lock);
  g_cond_init (&self->idle);
  self->members = g_ptr_array_new ();
  self->held = gst_datahub_elements_new ();
  switches = g_list_prepend (switches, self);
  return self;
}

static GstDatahubDemandSwitch *
get_switch (GstElement *element)
{
  GstDatahubDemandSwitch *self = NULL;
  GstObject *top = GST_OBJECT_CAST (element);
  while (GST_OBJECT_PARENT (top))
    top = GST_OBJECT_PARENT (top);
  g_mutex_lock (&switches_lock);
  for (GList *l = switches; l && !self; l = l->next)
    if (((GstDatahubDemandSwitch *) l->data)->pipeline == top)
      self = l->data;
  if (!self)
    self = new_switch (top);
  self->refs++;
  g_mutex_unlock (&switches_lock);
  return self;
}

/* Any thread. */
void
gst_datahub_demand_switch_unref (GstDatahubDemandSwitch *self)
{
  gboolean last;
  g_mutex_lock (&switches_lock);
  last = --self->refs == 0;
  if (last)
    switches = g_list_remove (switches, self);
  g_mutex_unlock (&switches_lock);
  if (!last)
    return;
  g_ptr_array_unref (self->members);
  g_ptr_array_unref (self->held);
  g_cond_clear (&self->idle);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/**
 * gst_datahub_demand_switch_join:
 * @demand: of a sink that goes to PAUSED, before its sources do
 *
 * The sources do not start with the pipeline.
 *
 * Returns: (transfer full) (nullable): the switch of the pipeline; %NULL: an error was
 *   posted
 */
GstDatahubDemandSwitch *
gst_datahub_demand_switch_join (GstDatahubDemand *demand)
{
  GstDatahubDemandSwitch *self;
  gboolean idle;
  if (!gst_datahub_demand_plan_check (demand))
    return NULL;
  self = get_switch (demand->element);
  g_mutex_lock (&self->lock);
  demand->playing = FALSE;
  idle = wait_idle (self);
  g_ptr_array_add (self->members, demand);
  if (idle)
    gst_datahub_demand_sources_hold_stopped (self->held, self->members);
  if (idle)
    note_running (self, demand);
  g_mutex_unlock (&self->lock);
  if (!idle)
    warn_busy (demand);
  return self;
}

/**
 * gst_datahub_demand_switch_leave:
 * @self: a switch
 * @demand: a member; its sink goes to READY
 *
 * The pipeline has the state of its sources again, which stay as they are.
 */
void
gst_datahub_demand_switch_leave (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand)
{
  gboolean idle = TRUE;
  g_mutex_lock (&self->lock);
  demand->playing = FALSE;
  if (has_member (self, demand))
    idle = wait_idle (self);
  g_ptr_array_remove (self->members, demand);
  if (idle && (!self->busy || self->worker == g_thread_self ()))
    gst_datahub_demand_sources_let_go (self->held, self->members);
  else
    self->left = TRUE;
  g_mutex_unlock (&self->lock);
  if (!idle)
    warn_busy (demand);
}
