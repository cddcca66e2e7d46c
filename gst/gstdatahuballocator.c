/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A GstMemory of this allocator is the loan of a slot: upstream writes to it,
 * the sink commits it without a copy, and freeing it ends the loan. After the
 * commit it must not be written to, not even by the pipeline that made it. So
 * it is sealed, and GStreamer copies it if an element wants to write.
 * Tests: gst-zero-copy, gst-buffers */
#include "gstdatahuballocator.h"

#include <string.h>

/* Alignment of a slot's data that needs no extra room; a power of two. */
#define SLOT_ALIGN_MASK 63u
/* The block lends bigger slots to big payloads alone, */
#define BIG_SLOT (G_GUINT64_CONSTANT (16) << 20)
/* and what upstream left of one is copied if it is as small as that: a few
 * microseconds, for a slot that readers would keep. */
#define CHEAP_COPY (64u << 10)

typedef struct
{
  GstMemory mem;
  DatahubProducer *producer; /* kept alive by the loan, also when closed */
  DatahubSlot slot;
  guint8 *data; /* start of maxsize bytes in the slot */
} SlotMemory;

struct _GstDatahubAllocator
{
  GstAllocator parent;
  GstDatahubProducer *block; /* owned */
};

G_DEFINE_TYPE (GstDatahubAllocator, gst_datahub_allocator, GST_TYPE_ALLOCATOR)

/**
 * gst_datahub_allocator_alloc_slot:
 * @allocator: an allocator
 * @size: bytes
 * @params: alignment, prefix and padding
 * @timeout_ns: how long to wait for a slot
 *
 * Any thread.
 *
 * Returns: (transfer full) (nullable): memory on a slot, or %NULL where there
 *   is none in time
 */
GstMemory *
gst_datahub_allocator_alloc_slot (GstDatahubAllocator *allocator, gsize size,
    const GstAllocationParams *params, gint64 timeout_ns)
{
  gsize maxsize = size + params->prefix + params->padding;
  gsize align = params->align | gst_memory_alignment;
  gsize spare = (align & ~(gsize) SLOT_ALIGN_MASK) ? align : 0;
  DatahubProducer *producer = gst_datahub_producer_enter (allocator->block);
  DatahubError error = { 0 };
  DatahubSlot slot;
  SlotMemory *memory;
  DatahubResult result;
  if (!producer)
    return NULL;
  result = datahub_producer_acquire_slot (producer, maxsize + spare, timeout_ns,
      &slot, &error);
  gst_datahub_producer_leave (allocator->block);
  if (result != DATAHUB_OK) {
    GST_LOG_OBJECT (allocator, "no slot of %" G_GSIZE_FORMAT " bytes: %s %s",
        maxsize + spare, datahub_result_name (result), error.message);
    return NULL;
  }
  memory = g_slice_new (SlotMemory);
  memory->producer = producer;
  memory->slot = slot;
  memory->data =
      (guint8 *) (((guintptr) slot.data + align) & ~(guintptr) align);
  gst_memory_init (GST_MEMORY_CAST (memory), 0, GST_ALLOCATOR (allocator), NULL,
      maxsize, align, params->prefix, size);
  if (params->prefix && (params->flags & GST_MEMORY_FLAG_ZERO_PREFIXED))
    memset (memory->data, 0, params->prefix);
  if (params->padding && (params->flags & GST_MEMORY_FLAG_ZERO_PADDED))
    memset (memory->data + params->prefix + size, 0, params->padding);
  return GST_MEMORY_CAST (memory);
}

/* Of a caller that took it from the configuration of our pool; the query offers a
 * #GstDatahubRelay. Never waits. The sink copies memory that is not on a slot. */
static GstMemory *
gst_datahub_allocator_alloc (GstAllocator *allocator, gsize size,
    GstAllocationParams *params)
{
  GstMemory *memory =
      gst_datahub_allocator_alloc_slot (GST_DATAHUB_ALLOCATOR (allocator), size,
          params, 0);
  return memory ? memory : gst_allocator_alloc (NULL, size, params);
}

static void
gst_datahub_allocator_free (GstAllocator *allocator, GstMemory *mem)
{
  SlotMemory *memory = (SlotMemory *) mem;
  if (!mem->parent)
    datahub_producer_abort (memory->producer, &memory->slot);
  g_slice_free (SlotMemory, memory);
}

static gpointer
map_memory (GstMemory *mem, gsize maxsize, GstMapFlags flags)
{
  return ((SlotMemory *) mem)->data;
}

static void
unmap_memory (GstMemory *mem)
{
}

static GstMemory *
share_memory (GstMemory *mem, gssize offset, gssize size)
{
  SlotMemory *memory = (SlotMemory *) mem;
  GstMemory *root = mem->parent ? mem->parent : mem;
  SlotMemory *part = g_slice_new (SlotMemory);
  if (size == -1)
    size = (gssize) mem->size - offset;
  part->producer = memory->producer;
  part->slot = memory->slot;
  part->data = memory->data;
  gst_memory_init (GST_MEMORY_CAST (part),
      GST_MINI_OBJECT_FLAGS (root) | GST_MINI_OBJECT_FLAG_LOCK_READONLY,
      mem->allocator, root, mem->maxsize, mem->align,
      mem->offset + (gsize) offset, (gsize) size);
  return GST_MEMORY_CAST (part);
}

/* A copy is made for writing, and not necessarily for this sink: it must not
 * use a slot. */
static GstMemory *
copy_memory (GstMemory *mem, gssize offset, gssize size)
{
  const guint8 *from =
      ((SlotMemory *) mem)->data + mem->offset + (gsize) offset;
  GstAllocationParams params = { .align = mem->align };
  GstMemory *copy;
  GstMapInfo map;
  if (size == -1)
    size = MAX ((gssize) mem->size - offset, 0);
  copy = gst_allocator_alloc (NULL, (gsize) size, &params);
  if (copy && gst_memory_map (copy, &map, GST_MAP_WRITE)) {
    memcpy (map.data, from, (gsize) size);
    gst_memory_unmap (copy, &map);
  }
  return copy;
}

static gboolean
is_span (GstMemory *first, GstMemory *second, gsize *offset)
{
  SlotMemory *a = (SlotMemory *) first, *b = (SlotMemory *) second;
  if (offset && first->parent)
    *offset = first->offset - first->parent->offset;
  return a->data + first->offset + first->size == b->data + second->offset;
}

/* Whether @memory is on a slot of the block; if so @commit describes it. */
static gboolean
to_commit (GstDatahubAllocator *allocator, GstMemory *memory,
    DatahubCommitMemory *commit)
{
  SlotMemory *slot = (SlotMemory *) memory;
  if (memory->allocator != GST_ALLOCATOR_CAST (allocator))
    return FALSE;
  commit->slot = &slot->slot;
  commit->offset = (guint64) (slot->data - slot->slot.data) + memory->offset;
  commit->size = memory->size;
  return TRUE;
}

/* Whether the @n memories are a small part of a big slot. */
static gboolean
is_waste (const DatahubCommit *commit, guint n)
{
  gboolean big = FALSE;
  guint64 size = 0;
  for (guint i = 0; i < n; i++) {
    size += commit->memories[i].size;
    big |= commit->memories[i].slot->size > BIG_SLOT;
  }
  return big && size <= CHEAP_COPY;
}

/* Before a commit: after this call the memory cannot be mapped for writing. The
 * caller holds the buffer, so no element can start to write at this moment. */
static void
seal_memory (GstMemory *memory)
{
  GST_MINI_OBJECT_FLAG_SET (memory, GST_MINI_OBJECT_FLAG_LOCK_READONLY);
  if (memory->parent)
    GST_MINI_OBJECT_FLAG_SET (memory->parent,
        GST_MINI_OBJECT_FLAG_LOCK_READONLY);
}

/* A pool of upstream frees the buffer instead of using it again. */
static void
seal (GstBuffer *buffer, guint n)
{
  for (guint i = 0; i < n; i++)
    seal_memory (gst_buffer_peek_memory (buffer, i));
  if (buffer->pool && gst_buffer_is_writable (buffer))
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_TAG_MEMORY);
}

/**
 * gst_datahub_allocator_take_buffer:
 * @allocator: the allocator of the block that is to be committed to
 * @buffer: any buffer; sealed if it is taken
 * @commit: (inout): gets the memories of the buffer
 *
 * Returns: whether the whole buffer is on slots of that block, so that it can be
 *     committed without a copy, and is not a small part of a big one
 */
gboolean
gst_datahub_allocator_take_buffer (GstDatahubAllocator *allocator,
    GstBuffer *buffer, DatahubCommit *commit)
{
  guint n = gst_buffer_n_memory (buffer);
  if (n > DATAHUB_MAX_MEMORIES)
    return FALSE;
  for (guint i = 0; i < n; i++)
    if (!to_commit (allocator, gst_buffer_peek_memory (buffer, i),
            &commit->memories[i]))
      return FALSE;
  if (is_waste (commit, n))
    return FALSE;
  seal (buffer, n);
  commit->n_memories = n;
  commit->release = false;
  return TRUE;
}

static void
gst_datahub_allocator_finalize (GObject *object)
{
  GstDatahubAllocator *allocator = GST_DATAHUB_ALLOCATOR (object);
  g_clear_pointer (&allocator->block, gst_datahub_producer_unref);
  G_OBJECT_CLASS (gst_datahub_allocator_parent_class)->finalize (object);
}

static void
gst_datahub_allocator_class_init (GstDatahubAllocatorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gst_datahub_allocator_finalize;
  GST_ALLOCATOR_CLASS (klass)->alloc = gst_datahub_allocator_alloc;
  GST_ALLOCATOR_CLASS (klass)->free = gst_datahub_allocator_free;
}

static void
gst_datahub_allocator_init (GstDatahubAllocator *allocator)
{
  GstAllocator *base = GST_ALLOCATOR_CAST (allocator);
  base->mem_type = "DatahubSlot";
  base->mem_map = map_memory;
  base->mem_unmap = unmap_memory;
  base->mem_share = share_memory;
  base->mem_copy = copy_memory;
  base->mem_is_span = is_span;
}

/**
 * gst_datahub_allocator_new:
 * @block: a block
 *
 * Returns: (transfer full): an allocator on its slots
 */
GstAllocator *
gst_datahub_allocator_new (GstDatahubProducer *block)
{
  GstDatahubAllocator *allocator =
      g_object_new (GST_TYPE_DATAHUB_ALLOCATOR, NULL);
  gst_object_ref_sink (allocator);
  allocator->block = gst_datahub_producer_ref (block);
  return GST_ALLOCATOR_CAST (allocator);
}
