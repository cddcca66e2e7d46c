/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queries about a producer and its block: sizes, indices, counts.
 * Tests: core-records, core-growth, core-diagnose */
#include "producer-private.h"
#include "core/base/sized-private.h"

const char *
datahub_producer_get_uuid (DatahubProducer *producer)
{
  return producer->block.uuid_text;
}

uint32_t
datahub_producer_get_batch_max (DatahubProducer *producer)
{
  return producer->ring.batch_max;
}

uint64_t
datahub_producer_get_slot_size (DatahubProducer *producer)
{
  uint64_t size;
  pthread_mutex_lock (&producer->lock);
  size = producer->pools.newest[POOL_PAYLOAD]->shape.stride;
  pthread_mutex_unlock (&producer->lock);
  return size;
}

void
datahub_producer_count_dropped (DatahubProducer *producer, uint64_t n_buffers)
{
  if (producer->generation == os_generation ())
    add_relaxed (&producer->block.header->dropped, n_buffers);
}

void
datahub_producer_count_copied (DatahubProducer *producer, uint64_t n_buffers)
{
  if (producer->generation == os_generation ())
    add_relaxed (&producer->ring.counters->copied, n_buffers);
}

/**
 * datahub_producer_get_indices_sized:
 * @producer: a producer
 * @indices: (out caller-allocates): a snapshot
 * @indices_size: size of the structure
 *
 * For programs that build a protocol of their own beside the stream, and for
 * monitoring. Makes one system call for each consumer, so it should not be
 * called for every buffer. The numbers of a live stream may be a few records
 * apart. `read_index` is `commit_index` if no consumer is attached, and never
 * below `oldest_index`. Any thread; does not block.
 */
void
datahub_producer_get_indices_sized (DatahubProducer *producer,
    DatahubIndices *indices, size_t indices_size)
{
  DatahubIndices found = { 0 };
  if (producer->generation == os_generation ()) {
    block_read_indices (&producer->block, UINT32_MAX, &found);
    pthread_mutex_lock (&producer->lock);
    found.write_index = producer->ring.head;
    pthread_mutex_unlock (&producer->lock);
  }
  sized_out (indices, indices_size, &found, sizeof found);
}

static void
read_stats (DatahubProducer *producer, DatahubProducerStats *stats)
{
  BlockHeader *header = producer->block.header;
  const ProducerCounters *more = producer->ring.counters;
  const Pool *pool;
  PoolClass class;
  pthread_mutex_lock (&producer->lock);
  pool = producer->pools.newest[POOL_PAYLOAD];
  class = pool_class (&producer->pools, POOL_PAYLOAD, pool->shape.stride);
  *stats = (DatahubProducerStats){ .commits = producer->ring.ordinal,
    .records = producer->ring.head,
    .bytes = load_relaxed (&header->bytes),
    .dropped = load_relaxed (&header->dropped),
    .evictions = load_relaxed (&header->evictions),
    .reaped = load_relaxed (&header->reaped),
    .waits = load_relaxed (&more->waits),
    .wakes = load_relaxed (&more->wakes),
    .growths = load_relaxed (&more->growths),
    .given_up = load_relaxed (&more->given_up),
    .bytes_used = producer->pools.bytes_used,
    .max_bytes = producer->pools.max_bytes,
    .slot_size = pool->shape.stride,
    .slots = (uint32_t) class.n_slots,
    .free_slots = (uint32_t) class.n_free,
    .ring_size = producer->block.g.ring_size,
    .page_size = pool->page_size,
    .adopted = producer->adopted,
    .incarnation = producer->incarnation };
  pthread_mutex_unlock (&producer->lock);
}

void
datahub_producer_get_stats_sized (DatahubProducer *producer,
    DatahubProducerStats *stats, size_t stats_size)
{
  DatahubProducerStats found = { 0 };
  if (producer->generation == os_generation ())
    read_stats (producer, &found);
  sized_out (stats, stats_size, &found, sizeof found);
}
