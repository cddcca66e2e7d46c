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
} Census;

static void
note_loose (Census *census)
{
  const Ring *ring = &census->producer->ring;
  CHECK_INT (ring->n_free_recs + ring->n_limbo, <=, census->n_recs);
  for (uint32_t i = 0; i < ring->n_free_recs; i++) {
    CHECK_INT (ring->free_recs[i], <, census->n_recs);
    census->loose[ring->free_recs[i]]++;
    census->is_free[ring->free_recs[i]] = 1;
  }
  for (uint32_t i = 0; i < ring->n_limbo; i++) {
    CHECK_INT (ring->limbo[i], <, census->n_recs);
    census->loose[ring->limbo[i]]++;
  }
}

static void
note_references (Census *census)
{
  const Ring *ring = &census->producer->ring;
  uint64_t tombstones = 0, lesser = 0;
  for (uint64_t s = ring->tail; s < ring->head; s++) {
    uint64_t word = load_relaxed (block_ring_word (ring->block, s));
    CHECK_INT (RING_SEQUENCE (word), ==, s);
    CHECK_INT (RING_RECORD (word), <, census->n_recs);
    CHECK_INT (RING_RECORD (word), ==, *ring_private (ring, s));
    tombstones += ring->records[RING_RECORD (word)].rank == RANK_TOMBSTONE;
    lesser += rank_is_lesser ((Rank) ring->records[RING_RECORD (word)].rank);
    census->refs[RING_RECORD (word)]++;
  }
  CHECK_INT (ring->n_tombstones, ==, tombstones);
  CHECK_INT (ring->n_lesser, ==, lesser);
  for (uint32_t i = 0; i < N_STICKY; i++) {
    uint64_t word = load_relaxed (&ring->block->sticky[i]);
    CHECK_INT (ring->shown[i], ==, RING_RECORD (word));
    if (ring->sticky[i] != RECORD_NONE)
      census->refs[ring->sticky[i]]++;
    if (ring->shown[i] != RECORD_NONE)
      census->refs[ring->shown[i]]++;
  }
  for (uint32_t r = 0; r < census->n_recs; r++)
    for (uint32_t i = 0; !census->is_free[r] && i < DATAHUB_N_CONTEXTS; i++)
      if (ring->records[r].ctx[i] != RECORD_NONE)
        census->refs[ring->records[r].ctx[i]]++;
}

static void
check_records (Census *census)
{
  for (uint32_t r = 0; r < census->n_recs; r++) {
    CHECK_INT (census->producer->ring.records[r].refs, ==, census->refs[r]);
    CHECK_INT (census->loose[r], ==, census->refs[r] == 0);
  }
}

/* References that records and the packing slot have to slots of @pool. */
static uint64_t
known_references (const Census *census, const Pool *pool)
{
  const Ring *ring = &census->producer->ring;
  uint64_t n = census->producer->pools.pack.pool == pool;
  for (uint32_t r = 0; r < census->n_recs; r++)
    for (uint32_t i = 0; !census->is_free[r] && i < ring->records[r].n_slots;
         i++)
      n += ring->records[r].slots[i].pool == pool;
  return n;
}

/* Returns how many references nobody but a loan can account for. */
static uint64_t
check_slots (const Census *census, const Pool *pool)
{
  uint64_t total = 0, used = 0;
  for (uint32_t i = 0; i < pool->shape.n_slots; i++) {
    total += pool->refs[i];
    used += pool->refs[i] > 0;
  }
  for (uint32_t i = 0; i < pool->n_free; i++)
    CHECK_INT (pool->refs[pool->free[i]], ==, 0);
  CHECK_INT (used + pool->n_free, ==, pool->shape.n_slots);
  CHECK_INT (total, >=, known_references (census, pool));
  return total - known_references (census, pool);
}

static void
check_locked (DatahubProducer *producer, uint32_t n_loans)
{
  Census census = { .producer = producer, .n_recs = producer->block.g.n_recs };
  uint64_t loans = 0;
  census.loose = calloc (census.n_recs, 1);
  census.is_free = calloc (census.n_recs, 1);
  census.refs = calloc (census.n_recs, sizeof *census.refs);
  CHECK (census.loose && census.is_free && census.refs);
  note_loose (&census);
  note_references (&census);
  check_records (&census);
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools.table[i])
      loans += check_slots (&census, producer->pools.table[i]);
  CHECK_INT (loans, ==, n_loans);
  free (census.loose);
  free (census.is_free);
  free (census.refs);
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
