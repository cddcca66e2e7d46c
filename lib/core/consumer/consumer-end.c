/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* References to a consumer, and its end: with the last one its row becomes neutral
 * and its memory is freed.
 * Tests: core-lease, core-reclaim */
#include "consumer-private.h"

#include <stdlib.h>
#include <unistd.h>

void
consumer_free (DatahubConsumer *consumer)
{
  for (uint32_t i = 0; i < consumer->n_pools; i++)
    consumer_free_pools (consumer->pools[i]);
  block_release (&consumer->block);
  pthread_mutex_destroy (&consumer->lock);
  pthread_mutex_destroy (&consumer->mail_lock);
  free (consumer->held);
  free (consumer);
}

/* The last reader of a block removes its files if the producer did not do so,
 * because it died or did not wait. */
static void
remove_if_last (DatahubConsumer *consumer)
{
  Block *block = &consumer->block;
  Uuid uuid = block->uuid;
  uint32_t user = block->user;
  int dir = block->dir;
  bool over = load_seq (&block->header->state) == DATAHUB_STATE_CLOSED
      || !block_is_writer_alive (block);
  block->dir = -1;
  consumer_free (consumer);
  STEP (LEAVE_ROW_FREE);
  if (over)
    block_reclaim_dead (dir, user, &uuid);
  os_release_directory (&dir);
}

/* The caller and all leases are gone: the row goes neutral, its state last,
 * then the lock byte with the descriptor. */
void
consumer_end (DatahubConsumer *consumer)
{
  row_clean (&consumer->block, consumer->row_index);
  STEP (LEAVE_ROW_CLEAN);
  block_attend (&consumer->block);
  remove_if_last (consumer);
}

void
consumer_ref (DatahubConsumer *consumer)
{
  pthread_mutex_lock (&consumer->lock);
  consumer->references++;
  pthread_mutex_unlock (&consumer->lock);
}

void
consumer_unref (DatahubConsumer *consumer)
{
  bool last;
  pthread_mutex_lock (&consumer->lock);
  consumer->references--;
  last = consumer_is_unreferenced (consumer);
  pthread_mutex_unlock (&consumer->lock);
  if (last)
    consumer_end (consumer);
}
