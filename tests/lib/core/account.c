/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "account.h"

#include "core/producer/producer-private.h"

#include <stdlib.h>

typedef struct
{
  const DatahubProducer *producer;
  uint32_t n_recs;
  uint8_t *loose; /* per record: times in free_recs or limbo */
  uint8_t *is_free;
  uint32_t *refs; /* per record: references found */
} Account;

static void
note_loose (Account *account)
{
  const Ring *ring = &account->producer->ring;
  CHECK_INT (ring->n_free_recs + ring->n_limbo, <=, account->n_recs);
  for (uint32_t i = 0; i < ring->n_free_recs; i++) {
    CHECK_INT (ring->free_recs[i], <, account->n_recs);
    account->loose[ring->free_recs[i]]++;
    account->is_free[ring->free_recs[i]] = 1;
  }
  for (uint32_t i = 0; i < ring->n_limbo; i++) {
    CHECK_INT (ring->limbo[i], <, account->n_recs);
    account->loose[ring->limbo[i]]++;
  }
}

static void
note_references (Account *account)
{
  const Ring *ring = &account->producer->ring;
  uint64_t tombstones = 0, lesser = 0;
  for (uint64_t s = ring->tail; s < ring->head; s++) {
    uint64_t word = load_relaxed (block_ring_word (ring->block, s));
    CHECK_INT (RING_SEQUENCE (word), ==, s);
    CHECK_INT (RING_RECORD (word), <, account->n_recs);
    CHECK_INT (RING_RECORD (word), ==, *ring_private (ring, s));
    tombstones += ring->records[RING_RECORD (word)].rank == RANK_TOMBSTONE;
    lesser += rank_is_lesser ((Rank) ring->records[RING_RECORD (word)].rank);
    account->refs[RING_RECORD (word)]++;
  }
  CHECK_INT (ring->n_tombstones, ==, tombstones);
  CHECK_INT (ring->n_lesser, ==, lesser);
  for (uint32_t i = 0; i < N_STICKY; i++) {
    uint64_t word = load_relaxed (&ring->block->sticky[i]);
    CHECK_INT (ring->shown[i], ==, RING_RECORD (word));
    if (ring->sticky[i] != RECORD_NONE)
      account->refs[ring->sticky[i]]++;
    if (ring->shown[i] != RECORD_NONE)
      account->refs[ring->shown[i]]++;
  }
  for (uint32_t r = 0; r < account->n_recs; r++)
    for (uint32_t i = 0; !account->is_free[r] && i < DATAHUB_N_CONTEXTS; i++)
      if (ring->records[r].ctx[i] != RECORD_NONE)
        account->refs[ring->records[r].ctx[i]]++;
}

static void
check_records (Account *account)
{
  for (uint32_t r = 0; r < account->n_recs; r++) {
    CHECK_INT (account->producer->ring.records[r].refs, ==, account->refs[r]);
    CHECK_INT (account->loose[r], ==, account->refs[r] == 0);
  }
}

/* References that records and the packing slot have to slots of @pool. */
static uint64_t
known_references (const Account *account, const Pool *pool)
{
  const Ring *ring = &account->producer->ring;
  uint64_t n = account->producer->pools.pack.pool == pool;
  for (uint32_t r = 0; r < account->n_recs; r++)
    for (uint32_t i = 0; !account->is_free[r] && i < ring->records[r].n_slots;
         i++)
      n += ring->records[r].slots[i].pool == pool;
  return n;
}

/* Returns how many references nobody but a loan can account for. */
static uint64_t
check_slots (const Account *account, const Pool *pool)
{
  uint64_t total = 0, used = 0;
  for (uint32_t i = 0; i < pool->shape.n_slots; i++) {
    total += pool->refs[i];
    used += pool->refs[i] > 0;
  }
  for (uint32_t i = 0; i < pool->n_free; i++)
    CHECK_INT (pool->refs[pool->free[i]], ==, 0);
  CHECK_INT (used + pool->n_free, ==, pool->shape.n_slots);
  CHECK_INT (total, >=, known_references (account, pool));
  return total - known_references (account, pool);
}

static void
check_locked (DatahubProducer *producer, uint32_t n_loans)
{
  Account account = { .producer = producer,
    .n_recs = producer->block.g.n_recs };
  uint64_t loans = 0;
  account.loose = calloc (account.n_recs, 1);
  account.is_free = calloc (account.n_recs, 1);
  account.refs = calloc (account.n_recs, sizeof *account.refs);
  CHECK (account.loose && account.is_free && account.refs);
  note_loose (&account);
  note_references (&account);
  check_records (&account);
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools.table[i])
      loans += check_slots (&account, producer->pools.table[i]);
  CHECK_INT (loans, ==, n_loans);
  free (account.loose);
  free (account.is_free);
  free (account.refs);
}

void
account_check (DatahubProducer *producer, uint32_t n_loans)
{
  pthread_mutex_lock (&producer->lock);
  check_locked (producer, n_loans);
  pthread_mutex_unlock (&producer->lock);
}

static void
check_nobody_attached (DatahubProducer *producer)
{
  const Block *block = &producer->block;
  for (uint32_t i = 0; i < block_rows_in_use (block); i++)
    CHECK (row_is_neutral (block, i));
  for (uint32_t w = 0; w < N_WAITER_WORDS; w++)
    CHECK_INT (load_seq (&block->wake->waiters[w]), ==, 0);
}

void
account_check_all_back (DatahubProducer *producer, uint32_t n_loans)
{
  uint32_t pools = 0;
  reaper_run (&producer->reaper, 0);
  check_nobody_attached (producer);
  pthread_mutex_lock (&producer->lock);
  while (producer->ring.tail < producer->ring.head)
    CHECK (ring_retire_oldest (&producer->ring));
  while (producer->ring.n_limbo)
    CHECK_INT (ring_reclaim (&producer->ring, &producer->pools), >, 0);
  check_locked (producer, n_loans);
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    pools += producer->pools.table[i] != NULL;
  if (n_loans == 0)
    CHECK_INT (pools, ==, N_POOL_KINDS);
}
