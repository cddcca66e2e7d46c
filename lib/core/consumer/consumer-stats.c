/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queries about a consumer and its block: indices and counts.
 * Tests: core-indices, core-consumers */
#include "consumer-private.h"

#include <string.h>

/**
 * datahub_consumer_get_uuid:
 * @consumer: a consumer
 *
 * Returns: the UUID of the block, 32 hexadecimal digits; owned by @consumer
 */
const char *
datahub_consumer_get_uuid (DatahubConsumer *consumer)
{
  return consumer->block.uuid_text;
}

/**
 * datahub_consumer_get_indices:
 * @consumer: a consumer
 * @indices: (out caller-allocates): a snapshot
 *
 * See datahub_producer_get_indices(). Of a strict block a consumer sees no other
 * consumer than itself. Any thread.
 */
void
datahub_consumer_get_indices (DatahubConsumer *consumer,
    DatahubIndices *indices)
{
  memset (indices, 0, sizeof *indices);
  if (consumer->generation == os_generation ())
    block_read_indices (&consumer->block, consumer->row_index, indices);
}

/**
 * datahub_consumer_get_stats:
 * @consumer: a consumer
 * @stats: (out caller-allocates): a snapshot
 *
 * Any thread; does not block.
 */
void
datahub_consumer_get_stats (DatahubConsumer *consumer,
    DatahubConsumerStats *stats)
{
  memset (stats, 0, sizeof *stats);
  if (consumer->generation != os_generation ())
    return;
  pthread_mutex_lock (&consumer->lock);
  stats->pinned = consumer_pinned (consumer);
  for (uint32_t i = 0; i < MAPPED_MAX; i++)
    if (consumer->mapped[i])
      stats->bytes_mapped += consumer->mapped[i]->shape.size;
  pthread_mutex_unlock (&consumer->lock);
  stats->received = load_relaxed (&consumer->n_received);
  stats->lost = load_relaxed (&consumer->n_lost);
  stats->expired = load_relaxed (&consumer->n_expired);
  stats->damaged = load_relaxed (&consumer->n_damaged);
  stats->over_quota = load_relaxed (&consumer->n_over_quota);
  stats->waits = load_relaxed (&consumer->n_waits);
  stats->quota = consumer->quota;
  stats->ring_size = consumer->block.g.ring_size;
  stats->cursor = load_relaxed (&consumer->row->cursor);
  stats->head = load_acquire (&consumer->block.header->head);
}
