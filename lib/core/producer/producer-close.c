/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a producer: the block is closed, its names are removed, and with
 * the last loan its memory and byte 0 are released.
 *
 * A producer that is killed meanwhile leaves the same state as any dead
 * producer. The next producer of the name or a reclaim removes it.
 * Tests: core-reclaim, core-lifecycle, core-growth */
#include "producer-private.h"

#include <stdlib.h>
#include <unistd.h>

/* The last reference is gone: no call and no loan is left. Files that were left
 * to the consumers may have lost the last of them meanwhile. */
void
producer_free (DatahubProducer *producer)
{
  Uuid uuid = producer->block.uuid;
  uint32_t user = producer->block.user;
  int dir = -1;
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools.table[i])
      pool_free (&producer->pools, producer->pools.table[i], false);
  if (producer->pools.unfinished)
    pool_free (&producer->pools, producer->pools.unfinished, false);
  producer->backing.funcs->free (producer);
  os_close (&producer->backing.ctl_fd);
  os_close (&producer->backing.con_fd);
  reaper_close (&producer->reaper);
  if (producer->keeps_parts) {
    dir = producer->block.dir;
    producer->block.dir = -1;
  }
  block_release (&producer->block);
  STEP (CLOSE_BYTE_0_FREE);
  if (dir >= 0) {
    block_reclaim_dead (dir, user, &uuid);
    os_release_directory (&dir);
  }
  ring_free_state (&producer->ring);
  pthread_mutex_destroy (&producer->lock);
  pthread_mutex_destroy (&producer->reaper.lock);
  pthread_mutex_destroy (&producer->errors.lock);
  free (producer);
}

void
producer_unref (DatahubProducer *producer)
{
  bool last;
  pthread_mutex_lock (&producer->lock);
  last = --producer->references == 0;
  pthread_mutex_unlock (&producer->lock);
  if (last)
    producer_free (producer);
}

/* Byte 0 is ours, so the names are ours to remove; the entry only where it
 * still leads to this block. */
static void
unlink_names (DatahubProducer *producer, bool keep_parts)
{
  Block *block = &producer->block;
  FileName entry = name_entry (block->user, block->channel);
  if (os_same_file (block->lck, block->dir, entry.text))
    os_unlink (block->dir, entry.text);
  STEP (CLOSE_ENTRY_UNLINKED);
  producer->keeps_parts = keep_parts;
  if (!keep_parts)
    block_unlink_parts (block->dir, block->user, &block->uuid);
  STEP (CLOSE_NAMES_DONE);
}

static void
mark_closed (BlockHeader *header)
{
  store_seq (&header->state, DATAHUB_STATE_CLOSED);
  STEP (CLOSE_STATE_STORED);
  store_seq (&header->wake, load_relaxed (&header->wake) + 1);
  STEP (CLOSE_WAKE_STEPPED);
}

/**
 * datahub_producer_close:
 * @producer: (transfer full) (nullable): a producer
 *
 * Marks the block closed, wakes all consumers, ends every wait of other threads
 * and removes the names. A block that was adopted but not published stays for
 * the next producer. Consumers read all committed records. Loans stay valid
 * until datahub_producer_abort(). Takes up to 0.3 s if a live consumer has not
 * seen the newest pool; the last consumer then removes the files.
 */
void
datahub_producer_close (DatahubProducer *producer)
{
  BlockHeader *header;
  bool published, left;
  if (!producer || producer->generation != os_generation ())
    return;
  header = producer->block.header;
  pthread_mutex_lock (&producer->lock);
  producer->closed = true;
  published = producer->published;
  left = producer->ring.held_back;
  if (!left)
    mark_closed (header);
  pthread_mutex_unlock (&producer->lock);
  os_futex_wake (&header->wake);
  STEP (CLOSE_WOKE);
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ALL, true);
  producer_drop_unfinished (producer);
  producer->backing.funcs->stop_serving (&producer->backing);
  producer->keeps_parts = left;
  if (published && !left)
    unlink_names (producer,
        producer->backing.funcs->wait_for_laggards (&producer->backing));
  producer_unref (producer);
}

/**
 * datahub_producer_ref:
 * @producer: a producer, not yet closed by its last holder
 *
 * Keeps the handle alive for another thread; the block can be closed all the
 * same, calls then return %DATAHUB_CLOSED.
 *
 * Returns: (transfer full): @producer
 */
DatahubProducer *
datahub_producer_ref (DatahubProducer *producer)
{
  pthread_mutex_lock (&producer->lock);
  producer->references++;
  pthread_mutex_unlock (&producer->lock);
  return producer;
}

void
datahub_producer_unref (DatahubProducer *producer)
{
  if (producer->generation == os_generation ())
    producer_unref (producer);
}
