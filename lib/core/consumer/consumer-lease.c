/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leases: a record and the pools that it refers to stay while a lease on it is
 * held.
 *
 * The first lease of a record sets its pin bit, the last one clears it; the
 * producer sees only the bit. Only the reading thread takes a first lease, and
 * needs no lock for it. Any thread can end a lease, also after the consumer was
 * closed. Model: tests/model/lease.pml.
 * Tests: core-lease, core-rejoin */
#include "consumer-private.h"

/* One more lease on a record that this process may hold already; the lock must
 * be held. */
static void
count_lease (DatahubConsumer *consumer, uint32_t record)
{
  HeldRecord *held = &consumer->held[record];
  uint32_t leases = load_relaxed (&held->leases);
  store_relaxed (&held->leases, leases + 1);
  if (leases == 0)
    or_seq (consumer_pin_word (consumer, record),
        UINT64_C (1) << (record & 63)); /* B3 */
}

void
consumer_pin_again (DatahubConsumer *consumer, uint32_t record)
{
  pthread_mutex_lock (&consumer->lock);
  count_lease (consumer, record);
  STEP (B3_PINNED);
  pthread_mutex_unlock (&consumer->lock);
}

/* Drops one lease; the lock is held. Returns whether it was the last; the caller
 * frees @garbage, once the lock is not held. */
static bool
drop_lease (DatahubConsumer *consumer, uint32_t record, ConsumerPool **garbage)
{
  HeldRecord *held = &consumer->held[record];
  uint32_t leases = load_relaxed (&held->leases) - 1;
  uint64_t pools;
  if (leases > 0) {
    store_release (&held->leases, leases);
    return false;
  }
  pools = load_relaxed (&held->pools);
  store_relaxed (&held->pools, 0);
  store_relaxed (&consumer->returned,
      load_relaxed (&consumer->returned) + held->n_slots);
  held->n_slots = 0;
  if (pools & consumer->stale)
    *garbage = consumer_drop_pools (consumer, pools);
  and_seq (consumer_pin_word (consumer, record),
      ~(UINT64_C (1) << (record & 63))); /* B6 */
  STEP (B6_UNPINNED);
  store_release (&held->leases, 0);
  return true;
}

void
consumer_unpin (DatahubConsumer *consumer, uint32_t record)
{
  ConsumerPool *garbage = NULL;
  bool last;
  pthread_mutex_lock (&consumer->lock);
  last = drop_lease (consumer, record, &garbage);
  pthread_mutex_unlock (&consumer->lock);
  if (last)
    consumer_kick (consumer);
  consumer_free_pools (garbage);
}

/* Ties @pools to the leases of @record, of which the reading thread has one. */
void
consumer_keep_pools (DatahubConsumer *consumer, uint32_t record, uint64_t pools)
{
  shared_u64 *held = &consumer->held[record].pools;
  store_relaxed (held, load_relaxed (held) | pools);
}

/* Counts the slots of @view, where no other lease did. */
static void
charge (DatahubConsumer *consumer, DatahubView *view)
{
  HeldRecord *held = &consumer->held[view->record];
  uint64_t share;
  if (held->n_slots > 0)
    return;
  share = load_seq (consumer->share_word); /* F4 */
  if (share != consumer->share)
    consumer_follow_share (consumer, share);
  view->must_copy = consumer_pinned (consumer) + view->n_slots
      > load_relaxed (&consumer->limit);
  held->n_slots = view->n_slots;
  store_relaxed (&consumer->lent,
      load_relaxed (&consumer->lent) + view->n_slots);
}

static void
count_over_quota (DatahubConsumer *consumer)
{
  uint64_t n = add_relaxed (&consumer->n_over_quota, 1) + 1;
  if (consumer->extra)
    store_relaxed (&consumer->extra->over_quota, n);
}

/* Turns the pin into a lease that the caller ends, with the pools of the
 * record. No lock is needed: only the end of the last lease writes these
 * fields, and the pin prevents it. The reading thread. */
void
consumer_lend (DatahubConsumer *consumer, DatahubView *view, uint64_t pools)
{
  charge (consumer, view);
  consumer_keep_pools (consumer, view->record, pools);
  store_relaxed (&consumer->n_lent, load_relaxed (&consumer->n_lent) + 1);
  if (view->must_copy)
    count_over_quota (consumer);
  STEP (LEASE_LENT);
}

void
datahub_consumer_hold (DatahubConsumer *consumer, const DatahubView *view)
{
  if (consumer->generation != os_generation ())
    return;
  pthread_mutex_lock (&consumer->lock);
  count_lease (consumer, view->record);
  consumer->references++;
  pthread_mutex_unlock (&consumer->lock);
}

void
datahub_consumer_end_read (DatahubConsumer *consumer, const DatahubView *view)
{
  ConsumerPool *garbage = NULL;
  bool kick, done, last = false;
  if (consumer->generation != os_generation ())
    return;
  pthread_mutex_lock (&consumer->lock);
  kick = drop_lease (consumer, view->record, &garbage)
      && consumer_is_room_wanted (consumer, WAITING_SLOT);
  /* the rest needs the handle, so the reference is kept */
  done = !kick && !garbage;
  if (done) {
    consumer->references--;
    last = consumer_is_unreferenced (consumer);
  }
  pthread_mutex_unlock (&consumer->lock);
  if (kick)
    consumer_bump_room (consumer);
  consumer_free_pools (garbage);
  if (!done)
    consumer_unref (consumer);
  else if (last)
    consumer_end (consumer);
}
