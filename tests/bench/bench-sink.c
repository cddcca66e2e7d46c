/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gives the buffers of a stream to a receiver. */
#include "bench-elements.h"
#include "bench-stats.h"

#include <gst/base/gstbasesink.h>
#include <gst/video/gstvideometa.h>

typedef struct
{
  GstBaseSink parent;
  BenchReceiver *receiver;
} BenchSink;

typedef struct
{
  GstBaseSinkClass parent;
} BenchSinkClass;

GType bench_sink_get_type (void);
G_DEFINE_TYPE (BenchSink, bench_sink, GST_TYPE_BASE_SINK)

static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstFlowReturn
render (GstBaseSink *base, GstBuffer *buffer)
{
  BenchSink *self = (BenchSink *) base;
  uint64_t now = bench_now_ns ();
  GstMapInfo map;
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return GST_FLOW_ERROR;
  bool more = bench_receiver_take (self->receiver, map.data, map.size, now);
  gst_buffer_unmap (buffer, &map);
  /* Transports without an end of stream end here. */
  if (!more)
    gst_element_post_message (GST_ELEMENT (self),
        gst_message_new_application (GST_OBJECT (self),
            gst_structure_new_empty ("bench-complete")));
  return GST_FLOW_OK;
}

/* As a display would: padded frames are welcome. */
static gboolean
propose_allocation (GstBaseSink *base, GstQuery *query)
{
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return TRUE;
}

static void
bench_sink_class_init (BenchSinkClass *klass)
{
  GstBaseSinkClass *base = GST_BASE_SINK_CLASS (klass);
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass),
      &template);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "sink",
      "Sink", "Receiver of a benchmark", "datahub");
  base->render = render;
  base->propose_allocation = propose_allocation;
}

static void
bench_sink_init (BenchSink *self)
{
  g_object_set (self, "sync", FALSE, "async", FALSE, "enable-last-sample",
      FALSE, "qos", FALSE, NULL);
}

GstElement *
bench_sink_new (BenchReceiver *receiver)
{
  BenchSink *self = g_object_new (bench_sink_get_type (), NULL);
  self->receiver = receiver;
  return GST_ELEMENT (self);
}
