/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pushes the buffers of a sender, from the pool that downstream offers or from
 * its own. */
#include "bench-elements.h"

#include <gst/base/gstpushsrc.h>

typedef struct
{
  GstPushSrc parent;
  BenchSender *sender;
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
  const BenchWork *work = self->sender->work;
  bool own = work->own_memory;
  GstCaps *caps = NULL;
  GstBufferPool *pool = NULL;
  guint size = (guint) work->size, min = 2, max = 0;
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

static GstFlowReturn
fill (GstPushSrc *base, GstBuffer *buffer)
{
  BenchSender *sender = ((BenchSource *) base)->sender;
  double rate = sender->work->rate;
  GstMapInfo map;
  if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    return GST_FLOW_ERROR;
  bool more = bench_sender_fill (sender, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  if (!more) {
    /* some sinks never let an end of stream through */
    gst_element_post_message (GST_ELEMENT (base),
        gst_message_new_application (GST_OBJECT (base),
            gst_structure_new_empty ("bench-sent")));
    return GST_FLOW_EOS;
  }
  if (rate > 0)
    GST_BUFFER_PTS (buffer) =
        (GstClockTime) ((double) sender->sent * 1e9 / rate);
  return GST_FLOW_OK;
}

static GstCaps *
get_caps (GstBaseSrc *base, GstCaps *filter)
{
  return gst_caps_from_string (((BenchSource *) base)->sender->work->caps);
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
bench_source_new (BenchSender *sender)
{
  BenchSource *self = g_object_new (bench_source_get_type (), NULL);
  self->sender = sender;
  gst_base_src_set_blocksize (GST_BASE_SRC (self), (guint) sender->work->size);
  return GST_ELEMENT (self);
}
