/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mappings of pools on the consumer's side. Only a pinned record needs its
 * pool, and the producer keeps a pool with a pinned record (P2, P3).
 * Tests: core-growth, core-hostile-peers */
#include "consumer-private.h"
#include "core/base/result-private.h"

#include <stdlib.h>
#include <unistd.h>

void
consumer_free_pools (ConsumerPool *first)
{
  while (first) {
    ConsumerPool *pool = first;
    first = pool->next;
    os_unmap ((void *) pool->map, pool->map_size);
    free (pool);
  }
}

/* The pools that leased records need. */
static uint64_t
needed_pools (const DatahubConsumer *consumer)
{
  uint64_t needed = 0;
  for (uint32_t i = 0; i < consumer->block.g.n_recs; i++)
    needed |= load_relaxed (&consumer->held[i].pools);
  return needed;
}

/* Removes those of @pools that left the table and that no lease needs. The lock
 * must be held; the caller frees the returned list after it unlocks. No new
 * view can refer to a stale pool, and leases that do were taken before it
 * became stale, under the lock: none is missed. */
ConsumerPool *
consumer_drop_pools (DatahubConsumer *consumer, uint64_t pools)
{
  ConsumerPool *dropped = NULL;
  uint64_t left = pools & consumer->stale;
  if (left)
    left &= ~needed_pools (consumer);
  consumer->stale &= ~left;
  for (; left; left &= left - 1) {
    ConsumerPool **at = &consumer->mapped[__builtin_ctzll (left)];
    (*at)->next = dropped;
    dropped = *at;
    *at = NULL;
  }
  return dropped;
}

/* The reading thread alone adds; others only remove. */
static uint32_t
free_id (DatahubConsumer *consumer)
{
  uint32_t id = 0;
  pthread_mutex_lock (&consumer->lock);
  while (id < MAPPED_MAX && consumer->mapped[id])
    id++;
  pthread_mutex_unlock (&consumer->lock);
  return id;
}

static bool
map_pool (DatahubConsumer *consumer, const PoolShape *shape,
    DatahubError *error)
{
  ConsumerPool *pool;
  uint64_t map_size;
  void *map;
  int fd = -1;
  uint32_t id = free_id (consumer);
  if (consumer->n_pools == 2 * MAX_POOLS || id == MAPPED_MAX) {
    result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The DataBlock \"%s\" has replaced its pools, and leases of this "
        "consumer still hold old ones: %u are mapped.",
        consumer->block.channel, id);
    return false;
  }
  map = pool_open (&consumer->block, shape, &fd, &map_size, false, error);
  if (!map)
    return false;
  /* a look at every page would fill the holes of an old pool again */
  if (os_is_whole (fd))
    os_prefault (map, map_size, false, true);
  close (fd);
  pool = calloc (1, sizeof *pool);
  if (!pool) {
    os_unmap (map, map_size);
    return false;
  }
  *pool = (ConsumerPool){ .shape = *shape,
    .map = map,
    .map_size = map_size,
    .id = id };
  pthread_mutex_lock (&consumer->lock);
  consumer->mapped[id] = pool;
  consumer->pools[consumer->n_pools++] = pool;
  pthread_mutex_unlock (&consumer->lock);
  STEP (P3_POOL_MAPPED);
  return true;
}

/* Forgets pools that left the table; those with leases go with the last one. */
static void
drop_absent (DatahubConsumer *consumer)
{
  for (uint32_t i = 0; i < consumer->n_pools;) {
    ConsumerPool *pool = consumer->pools[i], *dropped;
    if (block_names_pool (&consumer->block, pool->shape.gen)) {
      i++;
      continue;
    }
    pthread_mutex_lock (&consumer->lock);
    consumer->pools[i] = consumer->pools[--consumer->n_pools];
    consumer->stale |= UINT64_C (1) << pool->id;
    dropped = consumer_drop_pools (consumer, UINT64_C (1) << pool->id);
    pthread_mutex_unlock (&consumer->lock);
    consumer_free_pools (dropped);
    STEP (P3_POOL_DROPPED);
  }
}

/* Opens every pool of the table now and not with its first record: by then the
 * producer and its names can be gone. Returns false where one could not be
 * opened; that matters only if a record needs it. */
bool
consumer_refresh_pools (DatahubConsumer *consumer, DatahubError *error)
{
  bool complete = true;
  uint32_t changes = load_seq (&consumer->block.header->pool_changes);
  drop_absent (consumer);
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    PoolShape shape;
    if (!pool_shape_read (&consumer->block.pools[i], &shape)
        || consumer_find_pool (consumer, shape.gen))
      continue;
    complete = map_pool (consumer, &shape, error) && complete;
  }
  consumer->block.client->forget_pools (&consumer->block);
  consumer->pools_seen = changes;
  store_seq (&consumer->row->pools_seen, changes);
  STEP (P3_POOLS_SEEN);
  consumer_kick (consumer); /* a closing producer may wait for this */
  return complete;
}
