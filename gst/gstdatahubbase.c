/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstBaseSrc is made for sources that define their own time:
 *
 * - It pushes a segment of its own directly before the first buffer, and takes only
 *   segments of the format that it began with.
 * - If its segment is played backwards, it marks each buffer DISCONT, so that a decoder
 *   has no group of pictures.
 * - If its segment has the flag SEGMENT, it ends without EOS.
 * - It gives times to buffers that have none.
 *
 * So segments are pushed here, as events. The base class gets a plain one, which
 * answers its queries, and what it pushes and what it sets is undone on the pad.
 * Tests: gst-segments, gst-events */
#include "gstdatahubbase.h"

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_src_debug);
#define GST_CAT_DEFAULT gst_datahub_src_debug

static void
remove_probe (GstDatahubBase *base, gulong *probe)
{
  if (*probe)
    gst_pad_remove_probe (GST_BASE_SRC_PAD (base->src), *probe);
  *probe = 0;
}

/* The pad's sticky event is ours again. That makes the pad push it once more, which is
 * dropped, too. */
static GstPadProbeReturn
undo_segment (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstDatahubBase *base = user_data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  if (GST_EVENT_TYPE (event) != GST_EVENT_SEGMENT || !base->segment)
    return GST_PAD_PROBE_OK;
  if (event == base->segment && !base->restored)
    return GST_PAD_PROBE_OK; /* pushed here */
  if (event == base->segment) {
    remove_probe (base, &base->segment_probe);
  } else {
    base->restored = TRUE;
    gst_pad_store_sticky_event (pad, base->segment);
  }
  /* a dropped sticky event would be sent again with the next buffer */
  gst_event_unref (event);
  GST_PAD_PROBE_INFO_DATA (info) = NULL;
  return GST_PAD_PROBE_HANDLED;
}

/**
 * gst_datahub_base_start:
 * @base: a stopped one
 * @src: the element
 *
 * Any thread, before the streaming thread runs.
 */
void
gst_datahub_base_start (GstDatahubBase *base, GstBaseSrc *src)
{
  *base = (GstDatahubBase){ .src = src };
  base->segment_probe = gst_pad_add_probe (GST_BASE_SRC_PAD (src),
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, undo_segment, base, NULL);
}

/* The streaming thread has ended. */
void
gst_datahub_base_stop (GstDatahubBase *base)
{
  if (!base->src)
    return;
  remove_probe (base, &base->segment_probe);
  remove_probe (base, &base->times_probe);
  gst_clear_event (&base->segment);
}

/* What the base class sees of a segment: the times. */
static void
show_segment (GstDatahubBase *base, const GstSegment *segment)
{
  GstSegment shown;
  gst_segment_init (&shown, GST_FORMAT_TIME);
  if (segment->format == GST_FORMAT_TIME) {
    gst_segment_copy_into (segment, &shown);
    shown.rate = ABS (segment->rate);
    shown.flags = GST_SEGMENT_FLAG_NONE;
  }
  GST_OBJECT_LOCK (base->src);
  base->src->segment = shown;
  GST_OBJECT_UNLOCK (base->src);
}

/**
 * gst_datahub_base_push_segment:
 * @base: one that was started
 * @segment: of any format
 */
void
gst_datahub_base_push_segment (GstDatahubBase *base, const GstSegment *segment)
{
  show_segment (base, segment);
  gst_clear_event (&base->segment);
  base->segment = gst_event_new_segment (segment);
  gst_pad_push_event (GST_BASE_SRC_PAD (base->src),
      gst_event_ref (base->segment));
}

static GstPadProbeReturn
undo_times (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstDatahubBase *base = user_data;
  GstBuffer *buffer =
      gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER (info));
  GST_BUFFER_PTS (buffer) = base->pts;
  GST_BUFFER_DTS (buffer) = base->dts;
  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  base->times_probe = 0;
  return GST_PAD_PROBE_REMOVE;
}

/* The next buffer is a first one for the base class. Any thread. */
void
gst_datahub_base_resume (GstDatahubBase *base)
{
  g_atomic_int_set (&base->synced, FALSE);
}

/**
 * gst_datahub_base_keep_times:
 * @base: one that was started
 * @buffer: the buffer that the base class is going to push
 *
 * A buffer without a PTS would get one from its DTS, and the first one would get 0.
 */
void
gst_datahub_base_keep_times (GstDatahubBase *base, GstBuffer *buffer)
{
  gboolean invented = !GST_BUFFER_PTS_IS_VALID (buffer)
      && (GST_BUFFER_DTS_IS_VALID (buffer)
          || !g_atomic_int_get (&base->synced));
  g_atomic_int_set (&base->synced, TRUE);
  remove_probe (base, &base->times_probe); /* of a buffer that was not pushed */
  if (!invented)
    return;
  base->pts = GST_BUFFER_PTS (buffer);
  base->dts = GST_BUFFER_DTS (buffer);
  base->times_probe = gst_pad_add_probe (GST_BASE_SRC_PAD (base->src),
      GST_PAD_PROBE_TYPE_BUFFER, undo_times, base, NULL);
}
