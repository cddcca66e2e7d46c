/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queries about a consumer and its block: indices and counts.
 * Tests: core-indices, core-consumers */
#include "consumer-private.h"
#include "core/base/sized-private.h"

#include <string.h>

const char *
datahub_consumer_get_uuid (DatahubConsumer *consumer)
{
  return consumer->block.uuid_text;
}

/* Written before the state, and loaded behind it. */
bool
datahub_consumer_has_successor (DatahubConsumer *consumer)
{
  static const uint8_t none[16];
  const BlockHeader *header = consumer->block.header;
  return consumer->generation == os_generation ()
      && load_seq (&header->state) == DATAHUB_STATE_CLOSED
      && memcmp (header->next_uuid, none, sizeof none) != 0;
}

/* A consumer of a strict block sees no other consumer than itself. */
void
datahub_consumer_get_indices_sized (DatahubConsumer *consumer,
    DatahubIndices *indices, size_t indices_size)
{
  DatahubIndices found = { 0 };
  if (consumer->generation == os_generation ())
    block_read_indices (&consumer->block, consumer->row_index, &found);
  sized_out (indices, indices_size, &found, sizeof found);
}

static void
read_stats (DatahubConsumer *consumer, DatahubConsumerStats *stats)
{
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
  stats->quota = load_relaxed (&consumer->limit);
  stats->ring_size = consumer->block.g.ring_size;
  stats->cursor = load_relaxed (&consumer->row->cursor);
  stats->head = load_acquire (&consumer->block.header->head);
}

void
datahub_consumer_get_stats_sized (DatahubConsumer *consumer,
    DatahubConsumerStats *stats, size_t stats_size)
{
  DatahubConsumerStats found = { 0 };
  if (consumer->generation == os_generation ())
    read_stats (consumer, &found);
  sized_out (stats, stats_size, &found, sizeof found);
}
