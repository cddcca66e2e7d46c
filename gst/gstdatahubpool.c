/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* If upstream allocates here, it writes directly into shared memory without a
 * copy.
 *
 * This pool does not recycle buffers. A recycled one would keep memory on a
 * committed slot, and metas, flags or data that an element left on it. Each
 * buffer is new, has a slot of its own, and is freed when it comes back.
 * Tests: gst-zero-copy, gst-clip, gst-decoders */
#include "gstdatahubpool.h"

#include <datahub/resources.h>
#include <gst/audio/audio.h>
#include <gst/video/video.h>

/* The block offers alignment up to a page. */
#define ALIGN_MAX 4095u
/* How long upstream is held when no slot is free. Then it gets memory from the
 * heap and waits in the sink, which copies: a decoder that holds every slot
 * itself and wants one more must not wait for ever. */
#define WAIT_NS (100 * GST_MSECOND)

/* The requirements of the configuration for each buffer. */
typedef struct
{
  gsize size;
  GstAllocationParams params;
  gboolean add_video_meta;
  GstVideoInfo info;
  GstVideoAlignment align;
} Shape;

struct _GstDatahubPool
{
  GstBufferPool parent;
  GstDatahubAllocator *allocator; /* owned */
  Shape shape; /* changed while the pool is inactive */
};

/* What a GstBufferPool opens. */
#define POOL_DESCRIPTORS 2

G_DEFINE_TYPE (GstDatahubPool, gst_datahub_pool, GST_TYPE_BUFFER_POOL)

static const gchar **
gst_datahub_pool_get_options (GstBufferPool *pool)
{
  static const gchar *options[] = { GST_BUFFER_POOL_OPTION_VIDEO_META,
    GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT, NULL };
  return options;
}

/* Padding to the right is refused as a rule. The libav decoders ask for it where the coded
 * width differs from the width in the caps. They then compare the two widths,
 * allocate elsewhere and negotiate anew for each picture; the decoder of
 * GStreamer 1.26 does so in several threads at once and aborts. Without padding
 * such a decoder negotiates once and copies into this pool's buffers.
 *
 * A decoder that asks for padding alone, without an alignment of the strides, gets
 * it: mpeg2dec writes whole macroblocks and has no other way once the pool has the
 * option. The libav decoders always ask for both. */
static gboolean
is_padding_possible (const GstVideoAlignment *align)
{
  if (align->padding_right == 0)
    return TRUE;
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
    if (align->stride_align[i] > 0)
      return FALSE;
  return TRUE;
}

/* Lays the picture out as upstream asks. */
static gboolean
lay_out_video (Shape *shape, GstStructure *config)
{
  gst_video_alignment_reset (&shape->align);
  if (!gst_buffer_pool_config_has_option (config,
          GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT))
    return TRUE;
  gst_buffer_pool_config_get_video_alignment (config, &shape->align);
  if (!is_padding_possible (&shape->align))
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++) {
    if (shape->align.stride_align[i] > ALIGN_MAX)
      return FALSE;
    shape->params.align |= shape->align.stride_align[i];
  }
  if (!gst_video_info_align (&shape->info, &shape->align))
    return FALSE;
  gst_buffer_pool_config_set_video_alignment (config, &shape->align);
  shape->size = MAX (shape->size, shape->info.size);
  return TRUE;
}

/* Reads @config, and writes what follows of it back. */
static gboolean
take_config (Shape *shape, GstAllocator *allocator, GstStructure *config)
{
  GstCaps *caps = NULL;
  guint size, min, max;
  if (!gst_buffer_pool_config_get_params (config, &caps, &size, &min, &max))
    return FALSE;
  gst_allocation_params_init (&shape->params);
  gst_buffer_pool_config_get_allocator (config, NULL, &shape->params);
  if (shape->params.align > ALIGN_MAX)
    return FALSE;
  shape->size = size;
  if (caps && gst_video_info_from_caps (&shape->info, caps)) {
    shape->add_video_meta = gst_buffer_pool_config_has_option (config,
        GST_BUFFER_POOL_OPTION_VIDEO_META);
    shape->size = MAX (shape->size, shape->info.size);
    if (!lay_out_video (shape, config))
      return FALSE;
  }
  if (shape->size == 0 || shape->size > G_MAXUINT)
    return FALSE;
  gst_buffer_pool_config_set_params (config, caps, (guint) shape->size, min,
      max);
  gst_buffer_pool_config_set_allocator (config, allocator, &shape->params);
  return TRUE;
}

/* A configuration that is refused changes nothing: the pool may be used with the
 * one before. */
static gboolean
gst_datahub_pool_set_config (GstBufferPool *pool, GstStructure *config)
{
  GstDatahubPool *self = GST_DATAHUB_POOL (pool);
  Shape shape = { 0 };
  if (!take_config (&shape, GST_ALLOCATOR_CAST (self->allocator), config)
      || !GST_BUFFER_POOL_CLASS (gst_datahub_pool_parent_class)
              ->set_config (pool, config))
    return FALSE;
  self->shape = shape;
  return TRUE;
}

/* Nothing is allocated ahead: slots are there already. */
static gboolean
gst_datahub_pool_start (GstBufferPool *pool)
{
  return TRUE;
}

static gboolean
gst_datahub_pool_stop (GstBufferPool *pool)
{
  return TRUE;
}

static GstMemory *
next_memory (GstDatahubPool *self, const GstBufferPoolAcquireParams *params)
{
  gboolean wait =
      !params || !(params->flags & GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT);
  GstMemory *memory = gst_datahub_allocator_alloc_slot (self->allocator,
      self->shape.size, &self->shape.params, wait ? (gint64) WAIT_NS : 0);
  return memory
      ? memory
      : gst_allocator_alloc (NULL, self->shape.size, &self->shape.params);
}

static void
add_video_meta (Shape *shape, GstBuffer *buffer)
{
  GstVideoInfo *info = &shape->info;
  GstVideoMeta *meta = gst_buffer_add_video_meta_full (buffer,
      GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT (info),
      (guint) GST_VIDEO_INFO_WIDTH (info), (guint) GST_VIDEO_INFO_HEIGHT (info),
      GST_VIDEO_INFO_N_PLANES (info), info->offset, info->stride);
  gst_video_meta_set_alignment (meta, shape->align);
  /* elements must not copy it to buffers of another layout */
  GST_META_FLAG_SET (meta, GST_META_FLAG_POOLED);
  GST_META_FLAG_SET (meta, GST_META_FLAG_LOCKED);
}

static GstFlowReturn
gst_datahub_pool_acquire (GstBufferPool *pool, GstBuffer **buffer,
    GstBufferPoolAcquireParams *params)
{
  GstDatahubPool *self = GST_DATAHUB_POOL (pool);
  GstMemory *memory;
  if (GST_BUFFER_POOL_IS_FLUSHING (pool))
    return GST_FLOW_FLUSHING;
  memory = next_memory (self, params);
  if (!memory)
    return GST_FLOW_ERROR;
  if (GST_BUFFER_POOL_IS_FLUSHING (pool)) {
    gst_memory_unref (memory);
    return GST_FLOW_FLUSHING;
  }
  *buffer = gst_buffer_new ();
  gst_buffer_append_memory (*buffer, memory);
  if (self->shape.add_video_meta)
    add_video_meta (&self->shape, *buffer);
  GST_BUFFER_FLAG_UNSET (*buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  return GST_FLOW_OK;
}

/* Frees the memory and ends its loan; committed data stays readable. */
static void
gst_datahub_pool_release (GstBufferPool *pool, GstBuffer *buffer)
{
  gst_buffer_unref (buffer);
}

static void
gst_datahub_pool_finalize (GObject *object)
{
  GstDatahubPool *self = GST_DATAHUB_POOL (object);
  G_OBJECT_CLASS (gst_datahub_pool_parent_class)->finalize (object);
  gst_clear_object (&self->allocator);
}

static void
gst_datahub_pool_class_init (GstDatahubPoolClass *klass)
{
  GstBufferPoolClass *pool_class = GST_BUFFER_POOL_CLASS (klass);
  G_OBJECT_CLASS (klass)->finalize = gst_datahub_pool_finalize;
  pool_class->get_options = gst_datahub_pool_get_options;
  pool_class->set_config = gst_datahub_pool_set_config;
  pool_class->start = gst_datahub_pool_start;
  pool_class->stop = gst_datahub_pool_stop;
  pool_class->acquire_buffer = gst_datahub_pool_acquire;
  pool_class->release_buffer = gst_datahub_pool_release;
}

static void
gst_datahub_pool_init (GstDatahubPool *self)
{
  gst_video_info_init (&self->shape.info);
}

/**
 * gst_datahub_pool_new:
 * @allocator: a #GstDatahubAllocator
 *
 * Returns: (transfer full): a pool of buffers on its slots
 */
GstBufferPool *
gst_datahub_pool_new (GstAllocator *allocator)
{
  GstDatahubPool *self = g_object_new (GST_TYPE_DATAHUB_POOL, NULL);
  gst_object_ref_sink (self);
  self->allocator = GST_DATAHUB_ALLOCATOR (gst_object_ref (allocator));
  return GST_BUFFER_POOL_CAST (self);
}

static void
propose_pool (GstQuery *query, GstAllocator *allocator, GstCaps *caps)
{
  g_autoptr (GstBufferPool) pool = NULL;
  GstStructure *config;
  GstVideoInfo info;
  /* A GstBufferPool without its descriptors warns at each buffer. */
  if (!gst_video_info_from_caps (&info, caps) || info.size == 0
      || info.size > G_MAXUINT
      || datahub_resources_try (POOL_DESCRIPTORS, 0, NULL) != DATAHUB_OK)
    return;
  pool = gst_datahub_pool_new (allocator);
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, (guint) info.size, 0, 0);
  if (gst_buffer_pool_set_config (pool, config))
    gst_query_add_allocation_pool (query, pool, (guint) info.size, 0, 0);
}

/**
 * gst_datahub_pool_propose:
 * @query: an allocation query
 * @relay: the allocator of the sink
 *
 * Only pictures get a pool: elements do not set the size of the buffers of a pool, and
 * buffers of other formats have several.
 */
void
gst_datahub_pool_propose (GstQuery *query, GstDatahubRelay *relay)
{
  g_autoptr (GstAllocator) target = gst_datahub_relay_get_target (relay);
  GstAllocationParams params;
  GstCaps *caps = NULL;
  gboolean need_pool = FALSE;
  gst_query_parse_allocation (query, &caps, &need_pool);
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  gst_query_add_allocation_meta (query, GST_AUDIO_META_API_TYPE, NULL);
  gst_allocation_params_init (&params);
  gst_query_add_allocation_param (query, GST_ALLOCATOR_CAST (relay), &params);
  if (caps && need_pool && target)
    propose_pool (query, target, caps);
}
