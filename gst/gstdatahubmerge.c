/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests: gst-merge, gst-merge-sources */
/**
 * SECTION:element-datahubmerge
 * @title: datahubmerge
 * @short_description: merges several streams into one, in order of time
 *
 * datahubmerge pushes the buffers of all its inputs in the order of their running
 * times (DTS, or PTS), and of equal times in the order of the numbers of the pads.
 * It changes neither payload nor times nor flags. Each input may have caps of its
 * own: a CAPS event is in front of a buffer with other caps than those of the buffer
 * before, and a SEGMENT event likewise.
 *
 * While all inputs are not live, it waits for each of them. While one is live, an
 * input without data delays the others for at most #GstAggregator:latency more
 * than the latency of the sources. What arrives later than that is pushed at once,
 * with DISCONT, and counted as `late` in #GstDatahubMerge:stats.
 *
 * With `origin-meta=true` on the sources, each buffer has the custom meta
 * "datahub-origin" with the fields `datablock`, `uuid`, `sequence` (the number of the
 * buffer in its block) and `pad` (of datahubmerge).
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 datahubmerge name=m ! datahubsink datablock=all datahubsrc datablock=cam0 origin-meta=true ! m. datahubsrc datablock=cam1 origin-meta=true ! m.
 * ]| Shares the buffers of two blocks as one stream.
 */
#include "gstdatahubmerge.h"
#include "gstdatahubmergeinput.h"
#include "gstdatahuborigin.h"

GST_DEBUG_CATEGORY_STATIC (gst_datahub_merge_debug);
#define GST_CAT_DEFAULT gst_datahub_merge_debug

/* Buffers of one call, so that the base class can look at its state. */
#define RUN_MAX 64

enum
{
  PROP_STATS = 1
};

typedef struct
{
  guint64 buffers, late, caps_changes, segment_changes, gaps;
} Stats;

struct _GstDatahubMerge
{
  GstAggregator parent;

  /* The pushing thread's. */
  GstCaps *caps; /* owned; that were pushed; NULL: none yet */
  GstSegment segment; /* likewise */
  GstDatahubMergeInput *last; /* compared only: what was pushed last */
  gint64 reached; /* the largest running time of what was pushed */
  gboolean warned_late;

  Stats stats; /* object lock */
};

G_DEFINE_TYPE (GstDatahubMerge, gst_datahub_merge, GST_TYPE_AGGREGATOR)
GST_ELEMENT_REGISTER_DEFINE (datahubmerge, "datahubmerge", GST_RANK_NONE,
    GST_TYPE_DATAHUB_MERGE)

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink_%u",
    GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY);

/* ---- which is next ---- */

typedef struct
{
  GstDatahubMergeInput *input; /* the next one; NULL: none */
  guint inputs, empty;
} Choice;

static gboolean
is_before (const GstDatahubMergeInput *a, const GstDatahubMergeInput *b)
{
  return !b || a->due < b->due || (a->due == b->due && a->number < b->number);
}

static Choice
choose (GstDatahubMerge *self)
{
  Choice choice = { 0 };
  GST_OBJECT_LOCK (self);
  for (GList *l = GST_ELEMENT_CAST (self)->sinkpads; l; l = l->next) {
    GstDatahubMergeInput *input = l->data;
    GstDatahubMergeState state = gst_datahub_merge_input_look (input);
    choice.inputs++;
    choice.empty += state == GST_DATAHUB_MERGE_EMPTY;
    if (state == GST_DATAHUB_MERGE_READY && is_before (input, choice.input))
      choice.input = input;
  }
  if (choice.input)
    gst_object_ref (choice.input);
  GST_OBJECT_UNLOCK (self);
  return choice;
}

/* In a live pipeline the base class waits until then, and for the latency. */
static GstClockTime
gst_datahub_merge_get_next_time (GstAggregator *merge)
{
  Choice choice = choose (GST_DATAHUB_MERGE (merge));
  GstClockTime time = GST_CLOCK_TIME_NONE;
  if (choice.input)
    time = (GstClockTime) MAX (choice.input->due, 0);
  gst_clear_object (&choice.input);
  return time;
}

/* ---- what is pushed ---- */

static void
count (GstDatahubMerge *self, guint64 *counter)
{
  GST_OBJECT_LOCK (self);
  ++*counter;
  GST_OBJECT_UNLOCK (self);
}

/* Whether caps changed. Equal caps are one object from then on. */
static gboolean
take_caps (GstDatahubMerge *self, GstDatahubMergeInput *input)
{
  if (!input->caps || input->caps == self->caps)
    return FALSE;
  if (self->caps && gst_caps_is_equal (input->caps, self->caps)) {
    gst_caps_replace (&input->caps, self->caps);
    return FALSE;
  }
  gst_caps_replace (&self->caps, input->caps);
  count (self, &self->stats.caps_changes);
  return TRUE;
}

static void
take_segment (GstDatahubMerge *self, GstDatahubMergeInput *input)
{
  if (input->segment.format == GST_FORMAT_UNDEFINED
      || gst_segment_is_equal (&input->segment, &self->segment))
    return;
  self->segment = input->segment;
  gst_aggregator_update_segment (GST_AGGREGATOR_CAST (self), &self->segment);
  count (self, &self->stats.segment_changes);
}

/* Changes what describes the next buffer, if it is not that of before. The first
 * call sends the stream-start. */
static void
describe (GstDatahubMerge *self, GstDatahubMergeInput *input)
{
  gboolean first = !self->last;
  gboolean caps;
  if (input == self->last)
    return;
  self->last = input;
  take_segment (self, input);
  caps = take_caps (self, input);
  if (caps || first)
    gst_aggregator_set_src_caps (GST_AGGREGATOR_CAST (self),
        caps ? self->caps : NULL);
}

static void
warn_late (GstDatahubMerge *self, GstDatahubMergeInput *input, gint64 late)
{
  if (self->warned_late)
    return;
  self->warned_late = TRUE;
  GST_ELEMENT_WARNING (self, CORE, CLOCK,
      ("A buffer of %s came %.1f ms behind others that were already pushed. It "
       "is pushed out of order, with DISCONT. Raise latency to wait longer for "
       "slow inputs. Later ones are without a warning; `late` in stats counts "
       "them.",
          GST_OBJECT_NAME (input), (gdouble) late / GST_MSECOND),
      ("latency is %" GST_TIME_FORMAT,
          GST_TIME_ARGS (
              gst_aggregator_get_latency (GST_AGGREGATOR_CAST (self)))));
}

/* Others were pushed meanwhile that are due later. Takes @buffer. */
static GstBuffer *
mark_late (GstDatahubMerge *self, GstDatahubMergeInput *input, gint64 due,
    GstBuffer *buffer)
{
  count (self, &self->stats.late);
  warn_late (self, input, self->reached - due);
  buffer = gst_buffer_make_writable (buffer);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  return buffer;
}

/* The base class sends it with the next buffer, and some versions with caps. */
static void
push_segment (GstDatahubMerge *self)
{
  GstPad *pad = GST_AGGREGATOR_SRC_PAD (self);
  g_autoptr (GstEvent) sent =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment = NULL;
  if (sent)
    gst_event_parse_segment (sent, &segment);
  if (!segment || !gst_segment_is_equal (segment, &self->segment))
    gst_pad_push_event (pad, gst_event_new_segment (&self->segment));
}

/* Takes @buffer. */
static GstFlowReturn
push_gap (GstDatahubMerge *self, GstBuffer *buffer)
{
  GstEvent *event = gst_event_ref (gst_datahub_merge_input_get_gap (buffer));
  gst_buffer_unref (buffer);
  count (self, &self->stats.gaps);
  push_segment (self);
  gst_pad_push_event (GST_AGGREGATOR_SRC_PAD (self), event);
  return GST_FLOW_OK;
}

static GstFlowReturn
push_next (GstDatahubMerge *self, GstDatahubMergeInput *input)
{
  gint64 due = input->due;
  GstBuffer *buffer = gst_datahub_merge_input_take (input);
  if (!buffer)
    return GST_FLOW_OK;
  describe (self, input);
  if (gst_datahub_merge_input_get_gap (buffer)) {
    self->reached = MAX (self->reached, due);
    return push_gap (self, buffer);
  }
  buffer = gst_datahub_origin_add_pad (buffer, GST_OBJECT_NAME (input));
  if (due != GST_DATAHUB_MERGE_NO_TIME && due < self->reached)
    buffer = mark_late (self, input, due, buffer);
  self->reached = MAX (self->reached, due);
  count (self, &self->stats.buffers);
  return gst_aggregator_finish_buffer (GST_AGGREGATOR_CAST (self), buffer);
}

/* Of another stream nothing is known downstream. */
static void
begin (GstDatahubMerge *self)
{
  gst_clear_caps (&self->caps);
  gst_segment_init (&self->segment, GST_FORMAT_UNDEFINED);
  self->last = NULL;
  self->reached = GST_DATAHUB_MERGE_NO_TIME;
}

/* Some versions of the base class start again after EOS, if an input gets another
 * stream, and without a call of start or flush. */
static GstFlowReturn
end_stream (GstDatahubMerge *self)
{
  begin (self);
  GST_OBJECT_LOCK (self);
  for (GList *l = GST_ELEMENT_CAST (self)->sinkpads; l; l = l->next)
    gst_datahub_merge_input_reset (l->data);
  GST_OBJECT_UNLOCK (self);
  return GST_FLOW_EOS;
}

/* Without a timeout all inputs have a buffer or have ended. After a timeout one
 * buffer is pushed: those that follow have times of their own. If all inputs were
 * released meanwhile, the stream must not end: others may be requested. */
static GstFlowReturn
gst_datahub_merge_aggregate (GstAggregator *merge, gboolean timeout)
{
  GstDatahubMerge *self = GST_DATAHUB_MERGE (merge);
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; i < RUN_MAX && flow == GST_FLOW_OK; i++) {
    Choice choice = choose (self);
    if (!choice.inputs || (choice.empty && (i > 0 || !timeout))) {
      flow = i > 0 ? GST_FLOW_OK : GST_AGGREGATOR_FLOW_NEED_DATA;
      gst_clear_object (&choice.input);
      break;
    }
    if (choice.input)
      flow = push_next (self, choice.input);
    else
      flow = choice.empty ? GST_AGGREGATOR_FLOW_NEED_DATA : end_stream (self);
    gst_clear_object (&choice.input);
  }
  return flow;
}

/* ---- events and queries ---- */

static gboolean
chain_event (GstAggregator *merge, GstAggregatorPad *pad, GstEvent *event)
{
  return GST_AGGREGATOR_CLASS (gst_datahub_merge_parent_class)
      ->sink_event (merge, pad, event);
}

/* The base class makes a buffer of it, which waits for its turn. It asserts that the
 * segment is one of times, and another process may cause that it is not. Takes
 * @event. */
static gboolean
take_gap (GstAggregator *merge, GstDatahubMergeInput *input, GstEvent *event)
{
  gboolean timed = input->segment.format == GST_FORMAT_TIME;
  gboolean inside =
      timed && gst_datahub_merge_input_has_gap_inside (input, event);
  g_autoptr (GstEvent) kept = gst_event_ref (event);
  gboolean done = TRUE;
  if (timed)
    done = chain_event (merge, GST_AGGREGATOR_PAD_CAST (input), event);
  else
    gst_event_unref (event);
  if (inside && done)
    gst_datahub_merge_input_mark_gap (input, kept);
  return done;
}

static void
forget_last (GstDatahubMerge *self, GstDatahubMergeInput *input)
{
  if (self->last == input)
    self->last = NULL;
}

/* What is serialized comes in the thread that pushes, in front of the next buffer. */
static gboolean
gst_datahub_merge_sink_event (GstAggregator *merge, GstAggregatorPad *pad,
    GstEvent *event)
{
  GstDatahubMergeInput *input = GST_DATAHUB_MERGE_INPUT (pad);
  GstCaps *caps;
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      gst_caps_replace (&input->caps, caps);
      forget_last (GST_DATAHUB_MERGE (merge), input);
      gst_event_unref (event);
      return TRUE;
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment (event, &input->segment);
      forget_last (GST_DATAHUB_MERGE (merge), input);
      return chain_event (merge, pad, event);
    case GST_EVENT_GAP:
      return take_gap (merge, input, event);
    default:
      return chain_event (merge, pad, event);
  }
}

/* Inputs allocate as downstream proposes: the base class does not pass the query on.
 * But a pool is for one thread with one caps. */
static gboolean
gst_datahub_merge_propose_allocation (GstAggregator *merge,
    GstAggregatorPad *pad, GstQuery *decided, GstQuery *query)
{
  if (!gst_pad_peer_query (GST_AGGREGATOR_SRC_PAD (merge), query))
    return FALSE;
  while (gst_query_get_n_allocation_pools (query) > 0)
    gst_query_remove_nth_allocation_pool (query, 0);
  return TRUE;
}

/* The caps are those of the inputs. */
static gboolean
gst_datahub_merge_negotiate (GstAggregator *merge)
{
  return TRUE;
}

static GstAggregatorPad *
gst_datahub_merge_create_new_pad (GstAggregator *merge, GstPadTemplate *templ,
    const gchar *name, const GstCaps *caps)
{
  GstAggregatorPad *pad = GST_AGGREGATOR_CLASS (gst_datahub_merge_parent_class)
                              ->create_new_pad (merge, templ, name, caps);
  if (!pad)
    return NULL;
  GST_PAD_SET_PROXY_CAPS (pad);
  return pad;
}

/* ---- the object ---- */

/* All inputs were flushed. */
static GstFlowReturn
gst_datahub_merge_flush (GstAggregator *merge)
{
  begin (GST_DATAHUB_MERGE (merge));
  return GST_FLOW_OK;
}

static gboolean
gst_datahub_merge_start (GstAggregator *merge)
{
  GstDatahubMerge *self = GST_DATAHUB_MERGE (merge);
  begin (self);
  self->warned_late = FALSE;
  GST_OBJECT_LOCK (self);
  self->stats = (Stats){ 0 };
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static void
gst_datahub_merge_get_property (GObject *object, guint id, GValue *value,
    GParamSpec *spec)
{
  GstDatahubMerge *self = GST_DATAHUB_MERGE (object);
  Stats stats;
  if (id != PROP_STATS) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    return;
  }
  GST_OBJECT_LOCK (self);
  stats = self->stats;
  GST_OBJECT_UNLOCK (self);
  g_value_take_boxed (value,
      gst_structure_new ("application/x-datahub-merge-stats", "buffers",
          G_TYPE_UINT64, stats.buffers, "late", G_TYPE_UINT64, stats.late,
          "gaps", G_TYPE_UINT64, stats.gaps, "caps-changes", G_TYPE_UINT64,
          stats.caps_changes, "segment-changes", G_TYPE_UINT64,
          stats.segment_changes, NULL));
}

static void
gst_datahub_merge_finalize (GObject *object)
{
  gst_clear_caps (&GST_DATAHUB_MERGE (object)->caps);
  G_OBJECT_CLASS (gst_datahub_merge_parent_class)->finalize (object);
}

static void
gst_datahub_merge_class_init (GstDatahubMergeClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstAggregatorClass *merge_class = GST_AGGREGATOR_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_datahub_merge_debug, "datahubmerge", 0,
      "merges several streams into one");
  gst_datahub_origin_register ();
  object_class->get_property = gst_datahub_merge_get_property;
  object_class->finalize = gst_datahub_merge_finalize;
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics", "Counters of the merge",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

  gst_element_class_add_static_pad_template_with_gtype (element_class,
      &src_template, GST_TYPE_AGGREGATOR_PAD);
  gst_element_class_add_static_pad_template_with_gtype (element_class,
      &sink_template, GST_TYPE_DATAHUB_MERGE_INPUT);
  gst_element_class_set_static_metadata (element_class, "DataHub merge",
      "Generic",
      "Merges several streams of any kind into one, in order of time",
      "The DataHub developers");

  merge_class->start = gst_datahub_merge_start;
  merge_class->flush = gst_datahub_merge_flush;
  merge_class->aggregate = gst_datahub_merge_aggregate;
  merge_class->get_next_time = gst_datahub_merge_get_next_time;
  merge_class->negotiate = gst_datahub_merge_negotiate;
  merge_class->sink_event = gst_datahub_merge_sink_event;
  merge_class->propose_allocation = gst_datahub_merge_propose_allocation;
  merge_class->create_new_pad = gst_datahub_merge_create_new_pad;
}

static void
gst_datahub_merge_init (GstDatahubMerge *self)
{
  begin (self);
}
