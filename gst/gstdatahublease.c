/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A GstMemory of this allocator is a lease on one record; if the record has
 * several memories, they share the lease. It is read-only: GStreamer copies it
 * if an element wants to write. The lease ends when the last memory is freed,
 * in any thread, also after the element, the pipeline or the producer is gone:
 * the consumer's handle lives as long as its leases.
 * Tests: gst-zero-copy, gst-buffers */
#include "gstdatahublease.h"
#include "gstdatahubflags.h"
#include "gstdatahubmeta.h"

typedef struct
{
  gatomicrefcount refs;
  DatahubConsumer *consumer;
  DatahubView view;
} Lease;

typedef struct
{
  GstMemory mem;
  const guint8 *data;
  Lease *lease; /* a reference; none in a part of another memory */
} LeaseMemory;

#define GST_TYPE_DATAHUB_LEASES (gst_datahub_leases_get_type ())
G_DECLARE_FINAL_TYPE (GstDatahubLeases, gst_datahub_leases, GST, DATAHUB_LEASES,
    GstAllocator)

struct _GstDatahubLeases
{
  GstAllocator parent;
};

G_DEFINE_TYPE (GstDatahubLeases, gst_datahub_leases, GST_TYPE_ALLOCATOR)

static GstMemory *
refuse_alloc (GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  return NULL; /* leases come from records alone */
}

static void
free_memory (GstAllocator *allocator, GstMemory *mem)
{
  LeaseMemory *memory = (LeaseMemory *) mem;
  Lease *lease = memory->lease;
  if (lease && g_atomic_ref_count_dec (&lease->refs)) {
    datahub_consumer_end_read (lease->consumer, &lease->view);
    g_slice_free (Lease, lease);
  }
  g_slice_free (LeaseMemory, memory);
}

static gpointer
map_memory (GstMemory *mem, gsize maxsize, GstMapFlags flags)
{
  return (gpointer) ((LeaseMemory *) mem)->data;
}

static void
unmap_memory (GstMemory *mem)
{
}

static GstMemory *
share_memory (GstMemory *mem, gssize offset, gssize size)
{
  GstMemory *root = mem->parent ? mem->parent : mem;
  LeaseMemory *part = g_slice_new (LeaseMemory);
  if (size == -1)
    size = (gssize) mem->size - offset;
  part->data = ((LeaseMemory *) mem)->data;
  part->lease = NULL; /* the root is kept alive by the part */
  gst_memory_init (GST_MEMORY_CAST (part), GST_MEMORY_FLAG_READONLY,
      mem->allocator, root, mem->maxsize, mem->align,
      mem->offset + (gsize) offset, (gsize) size);
  return GST_MEMORY_CAST (part);
}

static gboolean
is_span (GstMemory *first, GstMemory *second, gsize *offset)
{
  LeaseMemory *a = (LeaseMemory *) first, *b = (LeaseMemory *) second;
  if (offset && first->parent)
    *offset = first->offset - first->parent->offset;
  return a->data + first->offset + first->size == b->data + second->offset;
}

static void
gst_datahub_leases_class_init (GstDatahubLeasesClass *klass)
{
  GST_ALLOCATOR_CLASS (klass)->alloc = refuse_alloc;
  GST_ALLOCATOR_CLASS (klass)->free = free_memory;
}

static void
gst_datahub_leases_init (GstDatahubLeases *leases)
{
  GstAllocator *base = GST_ALLOCATOR_CAST (leases);
  base->mem_type = GST_DATAHUB_LEASE_MEMORY_TYPE;
  base->mem_map = map_memory;
  base->mem_unmap = unmap_memory;
  base->mem_share = share_memory;
  base->mem_is_span = is_span;
  GST_OBJECT_FLAG_SET (base, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

/* One for the process, as it has no state. */
static GstAllocator *
leases (void)
{
  static gsize once;
  static GstAllocator *allocator;
  if (g_once_init_enter (&once)) {
    allocator = g_object_new (GST_TYPE_DATAHUB_LEASES, NULL);
    gst_object_ref_sink (allocator);
    GST_OBJECT_FLAG_SET (allocator, GST_OBJECT_FLAG_MAY_BE_LEAKED);
    g_once_init_leave (&once, 1);
  }
  return allocator;
}

/* Takes a reference to @lease. */
static GstMemory *
new_memory (Lease *lease, const void *data, gsize size)
{
  LeaseMemory *memory = g_slice_new (LeaseMemory);
  memory->data = data;
  memory->lease = lease;
  gst_memory_init (GST_MEMORY_CAST (memory), GST_MEMORY_FLAG_READONLY,
      leases (), NULL, size, 0, 0, size);
  return GST_MEMORY_CAST (memory);
}

/* The bytes of all memories, if each begins where the one before ends; else 0. */
static gsize
span_of (const DatahubView *view)
{
  gsize size = 0;
  for (guint i = 0; i < view->n_memories; i++) {
    if ((const guint8 *) view->memories[0].data + size
        != view->memories[i].data)
      return 0;
    size += view->memories[i].size;
  }
  return size;
}

/* Parts of one memory: an element that maps the whole buffer needs no copy. */
static void
append_parts (GstBuffer *buffer, Lease *lease, gsize size)
{
  const DatahubView *view = &lease->view;
  GstMemory *whole = new_memory (lease, view->memories[0].data, size);
  gsize offset = 0;
  for (guint i = 0; i < view->n_memories; i++) {
    gst_buffer_append_memory (buffer,
        share_memory (whole, (gssize) offset, (gssize) view->memories[i].size));
    offset += view->memories[i].size;
  }
  gst_memory_unref (whole);
}

/* Appends the memories of the record without a copy. The lease of @view is the
 * buffer's now. */
static void
append_lease (GstBuffer *buffer, DatahubConsumer *consumer,
    const DatahubView *view)
{
  Lease *lease = g_slice_new (Lease);
  gsize span = view->n_memories > 1 ? span_of (view) : 0;
  g_atomic_ref_count_init (&lease->refs);
  lease->consumer = consumer;
  lease->view = *view;
  if (span) {
    append_parts (buffer, lease, span);
    return;
  }
  for (guint i = 0; i < view->n_memories; i++) {
    if (i > 0)
      g_atomic_ref_count_inc (&lease->refs);
    gst_buffer_append_memory (buffer,
        new_memory (lease, view->memories[i].data, view->memories[i].size));
  }
}

/* Appends copies of the memories of the record. */
static void
append_copy (GstBuffer *buffer, const DatahubView *view)
{
  for (guint i = 0; i < view->n_memories; i++) {
    GstMemory *memory =
        gst_allocator_alloc (NULL, view->memories[i].size, NULL);
    GstMapInfo map;
    if (memory && gst_memory_map (memory, &map, GST_MAP_WRITE)) {
      memcpy (map.data, view->memories[i].data, map.size);
      gst_memory_unmap (memory, &map);
    }
    if (memory)
      gst_buffer_append_memory (buffer, memory);
  }
}

/**
 * gst_datahub_lease_make_buffer:
 * @consumer: the holder of the lease
 * @view: (transfer full): a leased record
 * @stamp: the times of the buffer
 * @stats: (inout): counts the buffer
 * @metas_refused: gets the metas that are not passed on
 * @result: (out): the buffer
 *
 * Makes a buffer on the memories of the record, or on copies of them if the
 * consumer holds too many records. Any thread.
 *
 * Returns: %GST_FLOW_OK
 */
GstFlowReturn
gst_datahub_lease_make_buffer (DatahubConsumer *consumer,
    const DatahubView *view, const GstDatahubStamp *stamp,
    GstDatahubLeaseStats *stats, GstDatahubLeftOut *metas_refused,
    GstBuffer **result)
{
  GstBuffer *buffer = gst_buffer_new ();
  gboolean lease = view->n_memories > 0 && !view->must_copy;
  if (lease)
    append_lease (buffer, consumer, view);
  else
    append_copy (buffer, view);
  if (view->meta_size)
    gst_datahub_meta_decode (buffer, view->meta, view->meta_size,
        metas_refused);
  stats->metas_refused = metas_refused->count;
  if (!lease)
    datahub_consumer_end_read (consumer, view);
  *(view->must_copy ? &stats->copied : &stats->zero_copy) += 1;
  GST_BUFFER_PTS (buffer) = stamp->pts;
  GST_BUFFER_DTS (buffer) = stamp->dts;
  GST_BUFFER_DURATION (buffer) = view->duration;
  GST_BUFFER_OFFSET (buffer) = view->offset;
  GST_BUFFER_OFFSET_END (buffer) = view->offset_end;
  GST_BUFFER_FLAG_SET (buffer, gst_datahub_flags_decode (view->flags));
  *result = buffer;
  return GST_FLOW_OK;
}

void
gst_datahub_lease_stats_add (const GstDatahubLeaseStats *stats,
    GstStructure *structure)
{
  gst_structure_set (structure, "zero-copy", G_TYPE_UINT64, stats->zero_copy,
      "copied", G_TYPE_UINT64, stats->copied, "metas-refused", G_TYPE_UINT64,
      stats->metas_refused, "headers-missing", G_TYPE_UINT64,
      stats->headers_missing, NULL);
}
