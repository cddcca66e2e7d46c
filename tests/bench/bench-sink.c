/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Receives numbered buffers: order, loss, latency, rate. */
#include "bench-address.h"
#include "bench-elements.h"
#include "bench-stats.h"

#include <gst/base/gstbasesink.h>
#include <gst/video/gstvideometa.h>
#include <string.h>

#define HEADER_SIZE 16

typedef struct
{
  GstBaseSink parent;
  const BenchWork *work;
  uint32_t receiver;
  BenchReceived *received;
  uint64_t expected, seen;
} BenchSink;

typedef struct
{
  GstBaseSinkClass parent;
} BenchSinkClass;

GType bench_sink_get_type (void);
G_DEFINE_TYPE (BenchSink, bench_sink, GST_TYPE_BASE_SINK)

static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static volatile uint64_t byte_sum;

static void
read_every_byte (const GstMapInfo *map)
{
  uint64_t sum = 0;
  for (gsize i = 0; i + 8 <= map->size; i += 8) {
    uint64_t word;
    memcpy (&word, map->data + i, 8);
    sum += word;
  }
  byte_sum += sum;
}

static void
note (BenchSink *self, uint64_t number, uint64_t sent_ns, uint64_t now)
{
  BenchReceived *received = self->received;
  if (number < self->expected)
    received->wrong++;
  else
    received->lost += number - self->expected;
  self->expected = number + 1;
  if (number < self->work->warm_up) {
    received->lost = 0;
    received->first_ns = now;
    return;
  }
  if (number == self->work->warm_up)
    bench_cpu_mark ();
  if (received->latencies_ns && received->received < self->work->count)
    received->latencies_ns[received->received] = now - sent_ns;
  received->received++;
  received->last_ns = now;
}

static GstFlowReturn
render (GstBaseSink *base, GstBuffer *buffer)
{
  BenchSink *self = (BenchSink *) base;
  uint64_t now = bench_now_ns (), header[2];
  GstMapInfo map;
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return GST_FLOW_ERROR;
  if (map.size < HEADER_SIZE) {
    gst_buffer_unmap (buffer, &map);
    return GST_FLOW_ERROR;
  }
  memcpy (header, map.data, HEADER_SIZE);
  if (self->work->every_byte)
    read_every_byte (&map);
  if (header[0] == self->work->count / 2)
    bench_address_of (map.data, &self->received->address);
  gst_buffer_unmap (buffer, &map);
  note (self, header[0], header[1], now);
  bench_board_received (self->work->board, self->receiver, header[0] + 1);
  /* Transports without an end of stream end here. */
  if (header[0] + 1 == self->work->count)
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
bench_sink_new (const BenchWork *work, uint32_t receiver,
    BenchReceived *received)
{
  BenchSink *self = g_object_new (bench_sink_get_type (), NULL);
  self->work = work;
  self->receiver = receiver;
  self->received = received;
  return GST_ELEMENT (self);
}
