/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pushes numbered buffers from the pool that downstream offers (or its own),
 * each with the instant of its sending in its first bytes. */
#include "bench-address.h"
#include "bench-elements.h"
#include "bench-stats.h"

#include <gst/base/gstpushsrc.h>
#include <string.h>

#define HEADER_SIZE 16

typedef struct
{
  GstPushSrc parent;
  const BenchWork *work;
  BenchAddress *address;
  uint64_t sent;
  uint64_t next_ns;
} BenchSource;

typedef struct
{
  GstPushSrcClass parent;
} BenchSourceClass;

GType bench_source_get_type (void);
G_DEFINE_TYPE (BenchSource, bench_source, GST_TYPE_PUSH_SRC)

static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static gboolean
configure (GstBufferPool *pool, GstCaps *caps, guint size, guint min, guint max)
{
  GstStructure *config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, size, min, max);
  if (gst_buffer_pool_set_config (pool, config))
    return TRUE;
  /* it changed what it can do: take that */
  config = gst_buffer_pool_get_config (pool);
  return gst_buffer_pool_config_validate_params (config, caps, size, min, max)
      && gst_buffer_pool_set_config (pool, config);
}

/* Downstream's pool; else downstream's allocator, buffer by buffer, as base
 * classes do; else a pool of its own, as video sources do. */
static gboolean
decide_allocation (GstBaseSrc *base, GstQuery *query)
{
  BenchSource *self = (BenchSource *) base;
  bool own = self->work->own_pool;
  GstCaps *caps = NULL;
  GstBufferPool *pool = NULL;
  guint size = (guint) self->work->size, min = 2, max = 0;
  bool offered = gst_query_get_n_allocation_pools (query) > 0;
  gst_query_parse_allocation (query, &caps, NULL);
  if (!own && offered)
    gst_query_parse_nth_allocation_pool (query, 0, &pool, NULL, &min, &max);
  else if (!own && gst_query_get_n_allocation_params (query) > 0)
    return TRUE;
  if (!pool)
    pool = gst_buffer_pool_new ();
  gboolean ok = configure (pool, caps, size, min, max);
  if (offered)
    gst_query_set_nth_allocation_pool (query, 0, pool, size, min, max);
  else
    gst_query_add_allocation_pool (query, pool, size, min, max);
  gst_object_unref (pool);
  return ok;
}

static void
pace (BenchSource *self)
{
  const BenchWork *work = self->work;
  bench_board_throttle (work->board, work->receivers, self->sent,
      work->in_flight);
  if (work->rate <= 0)
    return;
  if (self->next_ns == 0)
    self->next_ns = bench_now_ns ();
  self->next_ns += (uint64_t) (1e9 / work->rate);
  bench_until (self->next_ns);
}

static GstFlowReturn
fill (GstPushSrc *base, GstBuffer *buffer)
{
  BenchSource *self = (BenchSource *) base;
  const BenchWork *work = self->work;
  GstMapInfo map;
  if (self->sent == work->count)
    return GST_FLOW_EOS;
  if (self->sent == work->warm_up)
    bench_cpu_mark ();
  if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    return GST_FLOW_ERROR;
  if (work->every_byte)
    memset (map.data, (int) self->sent, map.size);
  pace (self);
  uint64_t header[2] = { self->sent, bench_now_ns () };
  memcpy (map.data, header, HEADER_SIZE);
  if (self->sent == work->count / 2)
    bench_address_of (map.data, self->address);
  gst_buffer_unmap (buffer, &map);
  if (work->rate > 0)
    GST_BUFFER_PTS (buffer) =
        (GstClockTime) ((double) self->sent * 1e9 / work->rate);
  self->sent++;
  return GST_FLOW_OK;
}

static GstCaps *
get_caps (GstBaseSrc *base, GstCaps *filter)
{
  return bench_caps (((BenchSource *) base)->work);
}

static gboolean
is_seekable (GstBaseSrc *base)
{
  return FALSE;
}

static void
bench_source_class_init (BenchSourceClass *klass)
{
  GstBaseSrcClass *base = GST_BASE_SRC_CLASS (klass);
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass),
      &template);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "source",
      "Source", "Numbered buffers of a benchmark", "datahub");
  base->decide_allocation = decide_allocation;
  base->get_caps = get_caps;
  base->is_seekable = is_seekable;
  GST_PUSH_SRC_CLASS (klass)->fill = fill;
}

static void
bench_source_init (BenchSource *self)
{
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_TIME);
}

GstElement *
bench_source_new (const BenchWork *work, BenchAddress *address)
{
  BenchSource *self = g_object_new (bench_source_get_type (), NULL);
  self->work = work;
  self->address = address;
  gst_base_src_set_blocksize (GST_BASE_SRC (self), (guint) work->size);
  return GST_ELEMENT (self);
}
