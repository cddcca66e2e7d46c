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
 * meets one of the pipeline. A streaming thread that is to end may wait in a sink, for
 * the clock or a reliable consumer: the border of what goes off is flushed.
 * Tests: gst-demand, gst-demand-states */
#include "gstdatahubdemandswitch.h"
#include "gstdatahubdemandgraph.h"
#include "gstdatahubdemandplan.h"

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

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

  /* Of the thread that works; with the lock if none does. */
  GPtrArray *held; /* of GstElement, owned: locked in READY */
};

static GMutex switches_lock; /* guards the list, and the references */
static GList *switches;

/* ---- changing it; the thread that works ---- */

/* The border of @elements. A sink that got EOS has nothing to wait for, and its
 * consumers read on. */
static GPtrArray *
border_of (const GPtrArray *elements)
{
  GPtrArray *border = gst_datahub_elements_new ();
  for (guint i = 0; i < elements->len; i++) {
    g_autoptr (GPtrArray) pads =
        gst_datahub_demand_graph_border (elements->pdata[i], elements);
    for (guint j = 0; j < pads->len; j++) {
      g_autoptr (GstElement) parent =
          gst_pad_get_parent_element (pads->pdata[j]);
      GstDatahubDemand *demand = parent ? gst_datahub_demand_of (parent) : NULL;
      if (!demand || !g_atomic_int_get (&demand->drained))
        g_ptr_array_add (border, gst_object_ref (pads->pdata[j]));
    }
  }
  return border;
}

static void
hold (GstDatahubDemandSwitch *self, GstElement *element)
{
  gst_element_set_locked_state (element, TRUE);
  if (!gst_datahub_elements_have (self->held, element))
    g_ptr_array_add (self->held, gst_object_ref (element));
}

static void
switch_off (GstDatahubDemandSwitch *self, const GPtrArray *elements)
{
  g_autoptr (GPtrArray) border = border_of (elements);
  for (guint i = 0; i < border->len; i++)
    gst_pad_send_event (border->pdata[i], gst_event_new_flush_start ());
  for (guint i = 0; i < elements->len; i++) {
    hold (self, elements->pdata[i]);
    gst_element_set_state (elements->pdata[i], GST_STATE_READY);
  }
  for (guint i = 0; i < border->len; i++)
    gst_pad_send_event (border->pdata[i], gst_event_new_flush_stop (FALSE));
}

/* All sinks on demand play. The pipeline may be about to, because another sink was added,
 * which waits for data of this element. One that was taken out meanwhile stays. */
static gboolean
release (GstDatahubDemandSwitch *self, GstElement *element)
{
  g_autoptr (GstObject) parent =
      gst_object_get_parent (GST_OBJECT_CAST (element));
  gst_element_set_locked_state (element, FALSE);
  return !parent
      || gst_element_set_state (element, GST_STATE_PLAYING)
      != GST_STATE_CHANGE_FAILURE;
}

/* Returns: (nullable): the element that did not start. All are off then. */
static GstElement *
switch_on (GstDatahubDemandSwitch *self, const GPtrArray *elements)
{
  GstElement *failed = NULL;
  for (guint i = 0; i < elements->len && !failed; i++)
    if (!release (self, elements->pdata[i]))
      failed = elements->pdata[i];
  for (guint i = 0; i < elements->len; i++)
    if (!failed)
      g_ptr_array_remove (self->held, elements->pdata[i]);
  if (failed)
    switch_off (self, elements);
  return failed;
}

/* Returns: (transfer full): the names of the sources in @elements that feed @demand */
static GPtrArray *
names_for (GstDatahubDemand *demand, const GPtrArray *elements)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) sources =
      gst_datahub_demand_plan_sources (demand->element);
  for (guint i = 0; i < sources->len; i++)
    if (gst_datahub_elements_have (elements, sources->pdata[i]))
      g_ptr_array_add (names, gst_object_get_name (sources->pdata[i]));
  return names;
}

static void
prepare_start (const GPtrArray *members, const GPtrArray *elements)
{
  for (guint i = 0; i < members->len; i++) {
    g_autoptr (GPtrArray) names = names_for (members->pdata[i], elements);
    if (names->len > 0)
      gst_datahub_demand_rewind (members->pdata[i]);
  }
}

static void
report (const GPtrArray *members, const GPtrArray *elements, gboolean started)
{
  for (guint i = 0; i < members->len; i++) {
    g_autoptr (GPtrArray) names = names_for (members->pdata[i], elements);
    if (names->len > 0)
      gst_datahub_demand_report (members->pdata[i], started, names);
  }
}

/* Each of the members waits for another consumer. */
static void
report_failure (const GPtrArray *members, const GPtrArray *elements,
    GstElement *failed)
{
  for (guint i = 0; i < members->len; i++) {
    g_autoptr (GPtrArray) names = names_for (members->pdata[i], elements);
    if (names->len > 0)
      gst_datahub_demand_report_failure (members->pdata[i],
          GST_OBJECT_NAME (failed));
  }
}

static void
start (GstDatahubDemandSwitch *self, const GPtrArray *members,
    const GPtrArray *elements)
{
  GstElement *failed;
  prepare_start (members, elements);
  failed = switch_on (self, elements);
  if (failed)
    report_failure (members, elements, failed);
  else
    report (members, elements, TRUE);
}

static void
stop (GstDatahubDemandSwitch *self, const GPtrArray *members,
    const GPtrArray *elements)
{
  switch_off (self, elements);
  report (members, elements, FALSE);
}

static void
note_running (GstDatahubDemandSwitch *self, GstDatahubDemand *demand)
{
  g_autoptr (GPtrArray) names = names_for (demand, self->held);
  g_atomic_int_set (&demand->running, names->len == 0);
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

/* Once the sources are off. */
static void
end_streams (const GPtrArray *members)
{
  for (guint i = 0; i < members->len; i++) {
    GstDatahubDemand *demand = members->pdata[i];
    if (g_atomic_int_compare_and_exchange (&demand->ending, GST_DATAHUB_END_DUE,
            GST_DATAHUB_END_DONE))
      demand->funcs->end (demand->data);
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
  if (to_stop->len > 0)
    stop (self, members, to_stop);
  if (to_start->len > 0)
    start (self, members, to_start);
  for (guint i = 0; i < members->len; i++)
    note_running (self, members->pdata[i]);
  end_streams (members);
  return end_rest (members);
}

/* ---- the thread ---- */

/* The lock is held. Returns: (transfer full) (nullable): the members, if all play */
static GPtrArray *
get_players (GstDatahubDemandSwitch *self)
{
  GPtrArray *members = g_ptr_array_new ();
  for (guint i = 0; i < self->members->len; i++) {
    GstDatahubDemand *demand = self->members->pdata[i];
    if (!demand->playing)
      g_clear_pointer (&members, g_ptr_array_unref);
    if (!members)
      break;
    g_ptr_array_add (members, demand);
  }
  return members;
}

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
  if (!members) {
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
 * the thread that works, and must not wait for itself. */
static void
wait_idle (GstDatahubDemandSwitch *self)
{
  while (self->busy && self->worker != g_thread_self ())
    g_cond_wait (&self->idle, &self->lock);
}

/**
 * gst_datahub_demand_switch_allow:
 * @self: a switch
 * @demand: a member
 * @playing: whether its sink plays
 *
 * Only while all members play the sources change. Waits for the end of a change if
 * @playing is FALSE.
 */
void
gst_datahub_demand_switch_allow (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand, gboolean playing)
{
  g_mutex_lock (&self->lock);
  demand->playing = playing;
  if (!playing)
    wait_idle (self);
  g_mutex_unlock (&self->lock);
  if (playing)
    gst_datahub_demand_switch_kick (self, demand->element);
}

/**
 * gst_datahub_demand_switch_end:
 * @self: a switch
 * @demand: a member
 *
 * An EOS is sent to the pipeline. Sources that are on push it. For others, and for
 * those that just change, the sink ends the stream itself. Any thread.
 */
void
gst_datahub_demand_switch_end (GstDatahubDemandSwitch *self,
    GstDatahubDemand *demand)
{
  g_mutex_lock (&self->lock);
  if (g_atomic_int_get (&demand->ending) == GST_DATAHUB_END_NONE)
    g_atomic_int_set (&demand->ending,
        self->busy || !g_atomic_int_get (&demand->running)
            ? GST_DATAHUB_END_DUE
            : GST_DATAHUB_END_FLOWS);
  g_mutex_unlock (&self->lock);
  gst_datahub_demand_switch_kick (self, demand->element);
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

/* The lock is held. Those that run already are switched off when the sink plays. */
static void
hold_stopped (GstDatahubDemandSwitch *self)
{
  g_autoptr (GPtrArray) off =
      gst_datahub_demand_plan_choose_off (self->held, self->members);
  for (guint i = 0; i < off->len; i++)
    if (GST_STATE (off->pdata[i]) <= GST_STATE_READY)
      hold (self, off->pdata[i]);
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
  if (!gst_datahub_demand_plan_check (demand))
    return NULL;
  self = get_switch (demand->element);
  g_mutex_lock (&self->lock);
  demand->playing = FALSE;
  wait_idle (self);
  g_ptr_array_add (self->members, demand);
  hold_stopped (self);
  note_running (self, demand);
  g_mutex_unlock (&self->lock);
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
  g_autoptr (GPtrArray) chain = NULL;
  g_mutex_lock (&self->lock);
  demand->playing = FALSE;
  wait_idle (self);
  g_ptr_array_remove (self->members, demand);
  chain = gst_datahub_demand_plan_chain (self->members);
  for (guint i = self->held->len; i-- > 0;)
    if (!gst_datahub_elements_have (chain, self->held->pdata[i])) {
      gst_element_set_locked_state (self->held->pdata[i], FALSE);
      g_ptr_array_remove_index (self->held, i);
    }
  g_mutex_unlock (&self->lock);
}
