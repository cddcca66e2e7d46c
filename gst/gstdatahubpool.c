/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstBufferPool's own recycling is of no use here: it would hand out again a
 * memory whose slot was committed, and it frees buffers whose memory is sealed.
 * So buffers are recycled without their memory: each gets a fresh slot when it
 * is acquired and loses it when it comes back. */
#include "gstdatahubpool.h"

#include <gst/video/video.h>

/* Empty buffers kept; more than pipelines commonly have under way. */
#define SHELLS_MAX 32
/* The block offers alignment up to a page. */
#define ALIGN_MAX 4095u
/* How long upstream is held when no slot is free. Then it gets memory from the
 * heap and waits in the sink, which copies: a decoder that holds every slot
 * itself and wants one more must not wait for ever. */
#define WAIT_NS (100 * GST_MSECOND)

struct _GstDatahubPool
{
  GstBufferPool parent;
  GstDatahubAllocator *allocator; /* owned */
  GstAtomicQueue *shells; /* owned; of buffers without memory */

  /* configuration; changed while the pool is inactive */
  gsize size;
  GstAllocationParams params;
  gboolean add_video_meta;
  GstVideoInfo info;
  GstVideoAlignment align;
};

G_DEFINE_TYPE (GstDatahubPool, gst_datahub_pool, GST_TYPE_BUFFER_POOL)

static const gchar **
gst_datahub_pool_get_options (GstBufferPool *pool)
{
  static const gchar *options[] = { GST_BUFFER_POOL_OPTION_VIDEO_META,
    GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT, NULL };
  return options;
}

/* Lays the picture out as upstream asks. */
static gboolean
configure_video (GstDatahubPool *self, GstStructure *config)
{
  gst_video_alignment_reset (&self->align);
  if (!gst_buffer_pool_config_has_option (config,
          GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT))
    return TRUE;
  gst_buffer_pool_config_get_video_alignment (config, &self->align);
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++) {
    if (self->align.stride_align[i] > ALIGN_MAX)
      return FALSE;
    self->params.align |= self->align.stride_align[i];
  }
  if (!gst_video_info_align (&self->info, &self->align))
    return FALSE;
  gst_buffer_pool_config_set_video_alignment (config, &self->align);
  self->size = MAX (self->size, self->info.size);
  return TRUE;
}

static gboolean
gst_datahub_pool_set_config (GstBufferPool *pool, GstStructure *config)
{
  GstDatahubPool *self = GST_DATAHUB_POOL (pool);
  GstCaps *caps = NULL;
  guint size, min, max;
  if (!gst_buffer_pool_config_get_params (config, &caps, &size, &min, &max))
    return FALSE;
  gst_allocation_params_init (&self->params);
  gst_buffer_pool_config_get_allocator (config, NULL, &self->params);
  if (self->params.align > ALIGN_MAX)
    return FALSE;
  self->size = size;
  self->add_video_meta = FALSE;
  if (caps && gst_video_info_from_caps (&self->info, caps)) {
    self->add_video_meta = gst_buffer_pool_config_has_option (config,
        GST_BUFFER_POOL_OPTION_VIDEO_META);
    self->size = MAX (self->size, self->info.size);
    if (!configure_video (self, config))
      return FALSE;
  }
  if (self->size == 0 || self->size > G_MAXUINT)
    return FALSE;
  gst_buffer_pool_config_set_params (config, caps, (guint) self->size, min,
      max);
  gst_buffer_pool_config_set_allocator (config,
      GST_ALLOCATOR_CAST (self->allocator), &self->params);
  return GST_BUFFER_POOL_CLASS (gst_datahub_pool_parent_class)
      ->set_config (pool, config);
}

/* Nothing is allocated ahead: slots are there already. */
static gboolean
gst_datahub_pool_start (GstBufferPool *pool)
{
  return TRUE;
}

static void
free_shells (GstDatahubPool *self)
{
  GstBuffer *shell;
  while ((shell = gst_atomic_queue_pop (self->shells)))
    gst_buffer_unref (shell);
}

static gboolean
gst_datahub_pool_stop (GstBufferPool *pool)
{
  free_shells (GST_DATAHUB_POOL (pool));
  return TRUE;
}

static GstMemory *
next_memory (GstDatahubPool *self, const GstBufferPoolAcquireParams *params)
{
  gboolean wait =
      !params || !(params->flags & GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT);
  GstMemory *memory = gst_datahub_allocator_alloc_slot (self->allocator,
      self->size, &self->params, wait ? (gint64) WAIT_NS : 0);
  return memory ? memory
                : gst_allocator_alloc (NULL, self->size, &self->params);
}

static void
add_video_meta (GstDatahubPool *self, GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  if (!meta) {
    meta = gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
        GST_VIDEO_INFO_FORMAT (&self->info),
        (guint) GST_VIDEO_INFO_WIDTH (&self->info),
        (guint) GST_VIDEO_INFO_HEIGHT (&self->info),
        GST_VIDEO_INFO_N_PLANES (&self->info), self->info.offset,
        self->info.stride);
    GST_META_FLAG_SET (meta, GST_META_FLAG_POOLED);
    GST_META_FLAG_SET (meta, GST_META_FLAG_LOCKED);
  }
  gst_video_meta_set_alignment (meta, self->align);
}

static GstFlowReturn
gst_datahub_pool_acquire (GstBufferPool *pool, GstBuffer **buffer,
    GstBufferPoolAcquireParams *params)
{
  GstDatahubPool *self = GST_DATAHUB_POOL (pool);
  GstBuffer *shell;
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
  shell = gst_atomic_queue_pop (self->shells);
  if (!shell)
    shell = gst_buffer_new ();
  gst_buffer_append_memory (shell, memory);
  if (self->add_video_meta)
    add_video_meta (self, shell);
  GST_BUFFER_FLAG_UNSET (shell, GST_BUFFER_FLAG_TAG_MEMORY);
  *buffer = shell;
  return GST_FLOW_OK;
}

/* The memory goes, and with it the loan; what was committed stays readable. */
static void
gst_datahub_pool_release (GstBufferPool *pool, GstBuffer *buffer)
{
  GstDatahubPool *self = GST_DATAHUB_POOL (pool);
  gst_buffer_remove_all_memory (buffer);
  GST_BUFFER_POOL_CLASS (gst_datahub_pool_parent_class)
      ->reset_buffer (pool, buffer);
  if (GST_BUFFER_POOL_IS_FLUSHING (pool)
      || gst_atomic_queue_length (self->shells) >= SHELLS_MAX)
    gst_buffer_unref (buffer);
  else
    gst_atomic_queue_push (self->shells, buffer);
}

static void
gst_datahub_pool_finalize (GObject *object)
{
  GstDatahubPool *self = GST_DATAHUB_POOL (object);
  free_shells (self);
  gst_atomic_queue_unref (self->shells);
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
  self->shells = gst_atomic_queue_new (SHELLS_MAX);
  gst_video_info_init (&self->info);
  gst_video_alignment_reset (&self->align);
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
