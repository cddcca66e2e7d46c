/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Upstream's threads use the pool and the allocator, also after the sink has
 * stopped. They enter the producer for each call. Closing it refuses new calls,
 * ends the waits of running ones, and waits until these have returned.
 * Tests: gst-zero-copy, gst-full */
#include "gstdatahubproducer.h"

struct _GstDatahubProducer
{
  gatomicrefcount refs;

  GMutex lock; /* guards the rest; innermost, never held in a call */
  GCond left;
  DatahubProducer *producer; /* owned until closed */
  guint inside;
  gboolean closed;
  guint interrupts;
};

/**
 * gst_datahub_producer_new:
 * @channel: the name
 * @options: the options of the producer
 * @error: (out): why it failed
 *
 * Returns: (transfer full) (nullable): a block, not published yet
 */
GstDatahubProducer *
gst_datahub_producer_new (const gchar *channel,
    const DatahubProducerOptions *options, DatahubError *error)
{
  DatahubProducer *producer = NULL;
  GstDatahubProducer *block;
  if (datahub_producer_create (channel, options, &producer, error)
      != DATAHUB_OK)
    return NULL;
  block = g_new0 (GstDatahubProducer, 1);
  g_atomic_ref_count_init (&block->refs);
  g_mutex_init (&block->lock);
  g_cond_init (&block->left);
  block->producer = producer;
  return block;
}

GstDatahubProducer *
gst_datahub_producer_ref (GstDatahubProducer *block)
{
  g_atomic_ref_count_inc (&block->refs);
  return block;
}

void
gst_datahub_producer_unref (GstDatahubProducer *block)
{
  if (!g_atomic_ref_count_dec (&block->refs))
    return;
  gst_datahub_producer_close (block);
  g_mutex_clear (&block->lock);
  g_cond_clear (&block->left);
  g_free (block);
}

/**
 * gst_datahub_producer_close:
 * @block: a block
 *
 * Ends the waits of all threads inside and closes the producer once they left.
 * Loans stay valid. Any thread; may be called again.
 */
void
gst_datahub_producer_close (GstDatahubProducer *block)
{
  DatahubProducer *producer;
  g_mutex_lock (&block->lock);
  block->closed = TRUE;
  if (block->producer)
    datahub_producer_set_interrupted (block->producer, DATAHUB_WAIT_ALL, TRUE);
  while (block->inside > 0)
    g_cond_wait (&block->left, &block->lock);
  producer = g_steal_pointer (&block->producer);
  g_mutex_unlock (&block->lock);
  if (producer)
    datahub_producer_close (producer);
}

/**
 * gst_datahub_producer_enter:
 * @block: a block
 *
 * Returns: (nullable): the producer, until gst_datahub_producer_leave(); %NULL
 *   once the block is closed
 */
DatahubProducer *
gst_datahub_producer_enter (GstDatahubProducer *block)
{
  DatahubProducer *producer = NULL;
  g_mutex_lock (&block->lock);
  if (!block->closed) {
    block->inside++;
    producer = block->producer;
  }
  g_mutex_unlock (&block->lock);
  return producer;
}

void
gst_datahub_producer_leave (GstDatahubProducer *block)
{
  g_mutex_lock (&block->lock);
  if (--block->inside == 0)
    g_cond_broadcast (&block->left);
  g_mutex_unlock (&block->lock);
}

/**
 * gst_datahub_producer_set_interrupted:
 * @block: a block
 * @why: one reason
 * @interrupted: whether it holds now
 *
 * UNLOCKED ends every wait for room, of render and, with a spare memory from
 * the heap, of upstream's pool; FLUSHING only the latter, YIELD only the former.
 * RECONSIDER ends the wait for consumers. Any thread.
 */
void
gst_datahub_producer_set_interrupted (GstDatahubProducer *block,
    GstDatahubProducerInterrupt why, gboolean interrupted)
{
  const guint commit =
      GST_DATAHUB_PRODUCER_UNLOCKED | GST_DATAHUB_PRODUCER_YIELD;
  const guint acquire =
      GST_DATAHUB_PRODUCER_UNLOCKED | GST_DATAHUB_PRODUCER_FLUSHING;
  const guint consumers =
      GST_DATAHUB_PRODUCER_UNLOCKED | GST_DATAHUB_PRODUCER_RECONSIDER;
  g_mutex_lock (&block->lock);
  block->interrupts =
      interrupted ? block->interrupts | why : block->interrupts & ~(guint) why;
  if (block->producer && !block->closed) {
    datahub_producer_set_interrupted (block->producer, DATAHUB_WAIT_COMMIT,
        (block->interrupts & commit) != 0);
    datahub_producer_set_interrupted (block->producer, DATAHUB_WAIT_CONSUMERS,
        (block->interrupts & consumers) != 0);
    datahub_producer_set_interrupted (block->producer, DATAHUB_WAIT_ACQUIRE,
        (block->interrupts & acquire) != 0);
  }
  g_mutex_unlock (&block->lock);
}
