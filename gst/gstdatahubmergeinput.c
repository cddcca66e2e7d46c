/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order within an input is its own: a picture that is shown before one that was
 * pushed earlier is due with that one. So the time of an input never goes back, and
 * what is due before the output has reached is late, and not only reordered.
 *
 * The running time of the next buffer is computed once and not at each comparison
 * with the other inputs.
 * Tests: gst-merge */
#include "gstdatahubmergeinput.h"

#include <stdlib.h>
#include <string.h>

G_DEFINE_TYPE (GstDatahubMergeInput, gst_datahub_merge_input,
    GST_TYPE_AGGREGATOR_PAD)

static GQuark
gap_quark (void)
{
  return g_quark_from_static_string ("GstDatahubMergeGap");
}

/* Without a time: in a segment of another format, or with neither PTS nor DTS. */
static gint64
running_time (const GstSegment *segment, GstBuffer *buffer)
{
  guint64 time = GST_BUFFER_DTS_OR_PTS (buffer);
  guint64 running;
  gint sign;
  if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID (time))
    return GST_DATAHUB_MERGE_NO_TIME;
  sign = gst_segment_to_running_time_full (segment, GST_FORMAT_TIME, time,
      &running);
  if (sign == 0 || running > (guint64) G_MAXINT64)
    return GST_DATAHUB_MERGE_NO_TIME;
  return sign * (gint64) running;
}

static void
forget (GstDatahubMergeInput *input)
{
  input->known = FALSE;
  input->time = GST_DATAHUB_MERGE_NO_TIME;
}

/* Whether there is a next buffer, and when it is due. */
GstDatahubMergeState
gst_datahub_merge_input_look (GstDatahubMergeInput *input)
{
  GstAggregatorPad *pad = GST_AGGREGATOR_PAD_CAST (input);
  GstBuffer *buffer;
  if (g_atomic_int_compare_and_exchange (&input->flushed, TRUE, FALSE))
    forget (input);
  if (input->known)
    return GST_DATAHUB_MERGE_READY;
  buffer = gst_aggregator_pad_peek_buffer (pad);
  if (!buffer)
    return gst_aggregator_pad_is_eos (pad) ? GST_DATAHUB_MERGE_ENDED
                                           : GST_DATAHUB_MERGE_EMPTY;
  input->due = running_time (&input->segment, buffer);
  if (input->due != GST_DATAHUB_MERGE_NO_TIME)
    input->due = input->time = MAX (input->due, input->time);
  input->known = TRUE;
  gst_buffer_unref (buffer);
  return GST_DATAHUB_MERGE_READY;
}

/* Returns: (transfer full) (nullable): the next buffer; %NULL after a flush */
GstBuffer *
gst_datahub_merge_input_take (GstDatahubMergeInput *input)
{
  input->known = FALSE;
  return gst_aggregator_pad_pop_buffer (GST_AGGREGATOR_PAD_CAST (input));
}

/* ---- gaps ---- */

/* Whether the base class will make a buffer of @event; it drops others. The segment
 * must be one of times. */
gboolean
gst_datahub_merge_input_has_gap_inside (GstDatahubMergeInput *input,
    GstEvent *event)
{
  GstClockTime start, duration, end = GST_CLOCK_TIME_NONE;
  guint64 clipped;
  gst_event_parse_gap (event, &start, &duration);
  if (GST_CLOCK_TIME_IS_VALID (duration))
    end = start + duration;
  return gst_segment_clip (&input->segment, GST_FORMAT_TIME, start, end,
      &clipped, &clipped);
}

/* Marks the buffer that the base class made of @event, which is the next one. */
void
gst_datahub_merge_input_mark_gap (GstDatahubMergeInput *input, GstEvent *event)
{
  GstBuffer *buffer =
      gst_aggregator_pad_peek_buffer (GST_AGGREGATOR_PAD_CAST (input));
  if (!buffer)
    return;
  gst_mini_object_set_qdata (GST_MINI_OBJECT_CAST (buffer), gap_quark (),
      gst_event_ref (event), (GDestroyNotify) gst_event_unref);
  gst_buffer_unref (buffer);
}

/* Returns: (transfer none) (nullable): the event that the buffer stands for */
GstEvent *
gst_datahub_merge_input_get_gap (GstBuffer *buffer)
{
  return gst_mini_object_get_qdata (GST_MINI_OBJECT_CAST (buffer),
      gap_quark ());
}

/* ---- the object ---- */

/* What was known of its stream is void. Any thread. */
void
gst_datahub_merge_input_reset (GstDatahubMergeInput *input)
{
  g_atomic_int_set (&input->flushed, TRUE);
}

static GstFlowReturn
gst_datahub_merge_input_flush (GstAggregatorPad *pad, GstAggregator *merge)
{
  gst_datahub_merge_input_reset (GST_DATAHUB_MERGE_INPUT (pad));
  return GST_FLOW_OK;
}

/* Its name is known then. */
static void
gst_datahub_merge_input_constructed (GObject *object)
{
  GstDatahubMergeInput *input = GST_DATAHUB_MERGE_INPUT (object);
  const gchar *name = GST_OBJECT_NAME (input);
  G_OBJECT_CLASS (gst_datahub_merge_input_parent_class)->constructed (object);
  if (name && g_str_has_prefix (name, "sink_"))
    input->number = (guint) strtoul (name + strlen ("sink_"), NULL, 10);
}

static void
gst_datahub_merge_input_finalize (GObject *object)
{
  gst_clear_caps (&GST_DATAHUB_MERGE_INPUT (object)->caps);
  G_OBJECT_CLASS (gst_datahub_merge_input_parent_class)->finalize (object);
}

static void
gst_datahub_merge_input_class_init (GstDatahubMergeInputClass *klass)
{
  G_OBJECT_CLASS (klass)->constructed = gst_datahub_merge_input_constructed;
  G_OBJECT_CLASS (klass)->finalize = gst_datahub_merge_input_finalize;
  GST_AGGREGATOR_PAD_CLASS (klass)->flush = gst_datahub_merge_input_flush;
}

static void
gst_datahub_merge_input_init (GstDatahubMergeInput *input)
{
  gst_segment_init (&input->segment, GST_FORMAT_UNDEFINED);
  forget (input);
}
