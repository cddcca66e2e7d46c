/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leases: while one stands, its record and the pools it points into stay.
 *
 * The first lease of a record sets its pin bit, the last one clears it; the
 * producer sees the bit and nothing else. Any thread may end a lease, also
 * after the consumer was closed. */
#include "consumer-private.h"

void
consumer_pin (DatahubConsumer *consumer, uint32_t record)
{
  pthread_mutex_lock (&consumer->lock);
  if (consumer->held[record].leases++ == 0)
    or_seq (&consumer->row->pins[record >> 6],
        UINT64_C (1) << (record & 63)); /* B3 */
  STEP (B3_PINNED);
  pthread_mutex_unlock (&consumer->lock);
}

/* Pools that nothing needs any more, to be freed without the lock. */
typedef struct
{
  ConsumerPool *pools[DATAHUB_MAX_MEMORIES + 1 + MAPPED_MAX];
  uint32_t n;
} Garbage;

static void
drop_pool (DatahubConsumer *consumer, ConsumerPool *pool, Garbage *garbage)
{
  if (consumer_drop_pool (consumer, pool))
    garbage->pools[garbage->n++] = pool;
}

static void
free_garbage (Garbage *garbage)
{
  while (garbage->n > 0)
    consumer_free_pool (garbage->pools[--garbage->n]);
}

/* Drops one lease; the lock is held. Returns whether it was the last. */
static bool
drop_lease (DatahubConsumer *consumer, uint32_t record, Garbage *garbage)
{
  HeldRecord *held = &consumer->held[record];
  if (--held->leases > 0)
    return false;
  consumer->pinned -= held->n_slots;
  held->n_slots = 0;
  for (uint64_t left = held->context_pools; left; left &= left - 1)
    drop_pool (consumer, consumer->mapped[__builtin_ctzll (left)], garbage);
  held->context_pools = 0;
  and_seq (&consumer->row->pins[record >> 6],
      ~(UINT64_C (1) << (record & 63))); /* B6 */
  STEP (B6_UNPINNED);
  return true;
}

void
consumer_unpin (DatahubConsumer *consumer, uint32_t record)
{
  Garbage garbage;
  bool last;
  garbage.n = 0;
  pthread_mutex_lock (&consumer->lock);
  last = drop_lease (consumer, record, &garbage);
  pthread_mutex_unlock (&consumer->lock);
  if (last)
    consumer_kick (consumer);
  free_garbage (&garbage);
}

/* Turns the pin into a lease the caller ends. */
void
consumer_lend (DatahubConsumer *consumer, DatahubView *view)
{
  HeldRecord *held = &consumer->held[view->record];
  pthread_mutex_lock (&consumer->lock);
  if (held->n_slots == 0) {
    view->must_copy = consumer->pinned + view->n_slots > consumer->quota;
    held->n_slots = view->n_slots;
    consumer->pinned += view->n_slots;
  }
  for (uint32_t i = 0; i <= DATAHUB_MAX_MEMORIES; i++)
    if (view->pools[i])
      ((ConsumerPool *) view->pools[i])->leases++;
  consumer->references++;
  pthread_mutex_unlock (&consumer->lock);
  STEP (LEASE_LENT);
  if (view->must_copy)
    add_relaxed (&consumer->n_over_quota, 1);
}

/**
 * datahub_consumer_hold:
 * @consumer: a consumer, closed or not
 * @view: a leased record
 *
 * Adds a lease on the same record; end each one. Any thread.
 */
void
datahub_consumer_hold (DatahubConsumer *consumer, const DatahubView *view)
{
  if (consumer->generation != os_generation ())
    return;
  pthread_mutex_lock (&consumer->lock);
  consumer->held[view->record].leases++;
  for (uint32_t i = 0; i <= DATAHUB_MAX_MEMORIES; i++)
    if (view->pools[i])
      ((ConsumerPool *) view->pools[i])->leases++;
  consumer->references++;
  pthread_mutex_unlock (&consumer->lock);
}

/**
 * datahub_consumer_end_read:
 * @consumer: a consumer, closed or not
 * @view: a leased record
 *
 * Ends a lease; the memory may change right after. Any thread; does not block.
 */
void
datahub_consumer_end_read (DatahubConsumer *consumer, const DatahubView *view)
{
  Garbage garbage;
  bool kick, done, last = false;
  if (consumer->generation != os_generation ())
    return;
  garbage.n = 0;
  pthread_mutex_lock (&consumer->lock);
  for (uint32_t i = 0; i <= DATAHUB_MAX_MEMORIES; i++)
    if (view->pools[i])
      drop_pool (consumer, view->pools[i], &garbage);
  kick = drop_lease (consumer, view->record, &garbage)
      && consumer_is_room_wanted (consumer);
  /* what is still to be done needs the handle, and so the reference */
  done = !kick && garbage.n == 0;
  if (done)
    last = --consumer->references == 0;
  pthread_mutex_unlock (&consumer->lock);
  if (kick)
    consumer_bump_room (consumer);
  free_garbage (&garbage);
  if (!done)
    consumer_unref (consumer);
  else if (last)
    consumer_end (consumer);
}
