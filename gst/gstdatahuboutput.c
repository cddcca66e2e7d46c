/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstBaseSrc sends a new segment itself, but only directly before the next
 * buffer, so events would overtake it. The segment is known only when the first
 * time is mapped, so earlier events wait for it. */
#include "gstdatahuboutput.h"

void
gst_datahub_output_init (GstDatahubOutput *output, GstBaseSrc *src)
{
  *output = (GstDatahubOutput){ .src = src };
  g_queue_init (&output->held);
}

static void
remove_probe (GstDatahubOutput *output)
{
  if (output->probe)
    gst_pad_remove_probe (GST_BASE_SRC_PAD (output->src), output->probe);
  output->probe = 0;
}

/* Drops what is held: the stream that it was of is over. */
void
gst_datahub_output_drop_held (GstDatahubOutput *output)
{
  g_queue_clear_full (&output->held, (GDestroyNotify) gst_event_unref);
}

/* May be used again. */
void
gst_datahub_output_clear (GstDatahubOutput *output)
{
  gst_datahub_output_drop_held (output);
  remove_probe (output);
}

static GstPadProbeReturn
drop_segment (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstDatahubOutput *output = user_data;
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) != GST_EVENT_SEGMENT)
    return GST_PAD_PROBE_OK;
  remove_probe (output);
  /* a dropped sticky event would be sent again with the next buffer */
  gst_event_unref (GST_PAD_PROBE_INFO_EVENT (info));
  GST_PAD_PROBE_INFO_DATA (info) = NULL;
  return GST_PAD_PROBE_HANDLED;
}

static void
push_segment (GstDatahubOutput *output, GstDatahubTimeline *timeline,
    gboolean at_once)
{
  GstPad *pad = GST_BASE_SRC_PAD (output->src);
  if (!timeline->out_changed)
    return;
  timeline->out_changed = FALSE;
  gst_base_src_new_segment (output->src, &timeline->out);
  remove_probe (output);
  if (!at_once)
    return;
  gst_pad_push_event (pad, gst_event_new_segment (&timeline->out));
  output->probe = gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      drop_segment, output, NULL);
}

/**
 * gst_datahub_output_push:
 * @output: where to
 * @timeline: the time of the stream
 * @event: (transfer full): a serialized event
 *
 * Pushes the event, now or behind the segment that is to come.
 */
void
gst_datahub_output_push (GstDatahubOutput *output,
    const GstDatahubTimeline *timeline, GstEvent *event)
{
  if (timeline->out_changed)
    g_queue_push_tail (&output->held, event);
  else
    gst_pad_push_event (GST_BASE_SRC_PAD (output->src), event);
}

/**
 * gst_datahub_output_flush:
 * @output: where to
 * @timeline: the time of the stream; its segment is sent if it changed
 * @event_follows: whether an event, and not a buffer, comes next
 *
 * Sends the segment, then what waited for it.
 */
void
gst_datahub_output_flush (GstDatahubOutput *output,
    GstDatahubTimeline *timeline, gboolean event_follows)
{
  GstEvent *event;
  push_segment (output, timeline,
      event_follows || !g_queue_is_empty (&output->held));
  while ((event = g_queue_pop_head (&output->held)))
    gst_pad_push_event (GST_BASE_SRC_PAD (output->src), event);
}
