/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Upstream asks for an allocator once, before its first buffer. The size of a slot,
 * and so the block, may be known only from that buffer. This allocator can be offered
 * before: what it allocates is on slots as soon as there is a block, and on those of
 * the next block after the sink took another one. Upstream need not negotiate again.
 *
 * Its memory is of the size that upstream asks for. A pool would give all buffers of
 * a stream one size, which elements of GStreamer keep: the data of smaller buffers
 * would have an end that nothing wrote.
 *
 * While there is no slot, it allocates from the heap: a spare, which the sink copies.
 * A pool of upstream that uses this allocator is made to allocate anew for each
 * buffer: it would use a spare, or a slot of a former block, for ever, and write to a
 * slot that was committed.
 * Tests: gst-allocation, gst-upstreams, gst-zero-copy */
#include "gstdatahubrelay.h"

/* How long upstream is held while reliable consumers have all slots. A caller that
 * holds all of them itself must not wait for ever, nor for each buffer of a pool that
 * it fills. So no other allocation waits so long after a wait that had no success. */
#define WAIT_NS (100 * GST_MSECOND)

struct _GstDatahubRelay
{
  GstAllocator parent;

  GMutex lock; /* guards the rest; innermost */
  GstDatahubAllocator *target; /* owned; NULL: no block */
  gint64 no_wait_until; /* of g_get_monotonic_time() */
};

G_DEFINE_TYPE (GstDatahubRelay, gst_datahub_relay, GST_TYPE_ALLOCATOR)

static G_DEFINE_QUARK (datahub - spare, spare);

/* Returns: (transfer full): memory of the heap that the sink recognizes */
static GstMemory *
alloc_spare (gsize size, GstAllocationParams *params)
{
  GstMemory *memory = gst_allocator_alloc (NULL, size, params);
  if (memory)
    gst_mini_object_set_qdata (GST_MINI_OBJECT_CAST (memory), spare_quark (),
        GINT_TO_POINTER (TRUE), NULL);
  return memory;
}

/* Returns: (transfer full) (nullable): where slots are; may be used without a lock */
static GstDatahubAllocator *
ref_target (GstDatahubRelay *relay, gboolean *may_wait)
{
  GstDatahubAllocator *target;
  g_mutex_lock (&relay->lock);
  target = relay->target ? gst_object_ref (relay->target) : NULL;
  *may_wait = relay->no_wait_until == 0
      || g_get_monotonic_time () >= relay->no_wait_until;
  g_mutex_unlock (&relay->lock);
  return target;
}

static void
note_futile_wait (GstDatahubRelay *relay)
{
  g_mutex_lock (&relay->lock);
  relay->no_wait_until =
      g_get_monotonic_time () + (gint64) GST_TIME_AS_USECONDS (WAIT_NS);
  g_mutex_unlock (&relay->lock);
}

static GstMemory *
gst_datahub_relay_alloc (GstAllocator *allocator, gsize size,
    GstAllocationParams *params)
{
  GstDatahubRelay *relay = GST_DATAHUB_RELAY (allocator);
  gboolean may_wait;
  GstDatahubAllocator *target = ref_target (relay, &may_wait);
  GstMemory *memory = NULL;
  if (target) {
    memory = gst_datahub_allocator_alloc_slot (target, size, params,
        may_wait ? (gint64) WAIT_NS : 0);
    gst_object_unref (target);
    if (!memory && may_wait)
      note_futile_wait (relay);
  }
  return memory ? memory : alloc_spare (size, params);
}

static void
gst_datahub_relay_finalize (GObject *object)
{
  GstDatahubRelay *relay = GST_DATAHUB_RELAY (object);
  gst_clear_object (&relay->target);
  g_mutex_clear (&relay->lock);
  G_OBJECT_CLASS (gst_datahub_relay_parent_class)->finalize (object);
}

static void
gst_datahub_relay_class_init (GstDatahubRelayClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gst_datahub_relay_finalize;
  /* no free: its memory is of the target or of the heap, which free it */
  GST_ALLOCATOR_CLASS (klass)->alloc = gst_datahub_relay_alloc;
}

static void
gst_datahub_relay_init (GstDatahubRelay *relay)
{
  GST_ALLOCATOR_CAST (relay)->mem_type = "DatahubSlot";
  g_mutex_init (&relay->lock);
}

/**
 * gst_datahub_relay_new:
 *
 * Returns: (transfer full): an allocator without a block
 */
GstDatahubRelay *
gst_datahub_relay_new (void)
{
  return gst_object_ref_sink (g_object_new (GST_TYPE_DATAHUB_RELAY, NULL));
}

/**
 * gst_datahub_relay_set_target:
 * @relay: a relay
 * @target: (nullable): the #GstDatahubAllocator of the block; %NULL: there is none
 *
 * Loans of another block stay valid. Any thread.
 */
void
gst_datahub_relay_set_target (GstDatahubRelay *relay, GstAllocator *target)
{
  GstDatahubAllocator *before;
  g_mutex_lock (&relay->lock);
  before = relay->target;
  relay->target =
      target ? GST_DATAHUB_ALLOCATOR (gst_object_ref (target)) : NULL;
  relay->no_wait_until = 0;
  g_mutex_unlock (&relay->lock);
  gst_clear_object (&before);
}

/* Returns: (transfer full) (nullable): the allocator of the block. Any thread. */
GstAllocator *
gst_datahub_relay_get_target (GstDatahubRelay *relay)
{
  gboolean may_wait;
  GstDatahubAllocator *target = ref_target (relay, &may_wait);
  return target ? GST_ALLOCATOR_CAST (target) : NULL;
}

/* A slot that the sink copied is of another block, which it would keep, or too big. */
static gboolean
is_of_relay (GstMemory *memory)
{
  return GST_IS_DATAHUB_ALLOCATOR (memory->allocator)
      || gst_mini_object_get_qdata (GST_MINI_OBJECT_CAST (memory),
          spare_quark ());
}

/**
 * gst_datahub_relay_end_copied:
 * @buffer: any buffer that the sink copied
 *
 * Makes the pool of the buffer free it instead of using it again, if its memory is a
 * spare or a slot. Other pools and buffers stay as they are.
 */
void
gst_datahub_relay_end_copied (GstBuffer *buffer)
{
  if (!buffer->pool || !gst_buffer_is_writable (buffer)
      || gst_buffer_n_memory (buffer) == 0)
    return;
  if (is_of_relay (gst_buffer_peek_memory (buffer, 0)))
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_TAG_MEMORY);
}
