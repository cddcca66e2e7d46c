/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many slots a consumer may hold before it must copy (S3): the share that the
 * producer states for each, see producer-share.c, and never more than the consumer asked
 * for; LEASES_DEFAULT is what it asks for by default. A block of a producer that states
 * no share has quotas, which its consumers grant themselves.
 *
 * The word is the producer's claim. A share that is too large costs that producer
 * slots, and no consumer a buffer of another block.
 * Tests: core-lease-share, core-limits */
#include "consumer-private.h"

/* ---- a producer that states no share ---- */

static uint64_t
granted_to_all (const DatahubConsumer *consumer)
{
  uint64_t sum = 0;
  uint32_t rows = block_rows_in_use (&consumer->block);
  for (uint32_t i = 0; i < rows; i++) {
    ConsumerRow *row = block_row (&consumer->block, i);
    uint32_t quota = load_seq (&row->quota);
    if (load_seq (&row->state) != DATAHUB_CONSUMER_FREE
        && quota <= consumer->block.g.max_quota)
      sum += quota + 1; /* one in passing */
  }
  return sum;
}

/* Leases are granted from a budget that leaves the producer its minimum. If two
 * consumers join at once, both may find room; both then return the excess. */
static uint32_t
grant_quota (DatahubConsumer *consumer)
{
  const Geometry *g = &consumer->block.g;
  uint64_t total;
  uint32_t quota = g->max_quota;
  if (consumer->block.client->get_quota (&consumer->block, &quota))
    return quota;
  if (consumer->asked && consumer->asked < quota)
    quota = consumer->asked;
  store_seq (&consumer->row->quota, quota);
  total = granted_to_all (consumer);
  if (total > g->lease_budget) {
    uint64_t excess = total - g->lease_budget;
    quota = excess < quota ? quota - (uint32_t) excess : 0;
  }
  return quota;
}

/* ---- the share ---- */

/* Of a strict block the producer counts a consumer before it can read. */
static bool
is_among (const DatahubConsumer *consumer, uint32_t counted)
{
  uint32_t n = 0, rows = block_rows_in_use (&consumer->block);
  if (consumer->is_counted || consumer->block.g.strict)
    return true;
  for (uint32_t i = 0; i < rows; i++)
    n += load_seq (&block_row (&consumer->block, i)->state)
        != DATAHUB_CONSUMER_FREE;
  return n <= counted;
}

static uint32_t
limit_of (const DatahubConsumer *consumer, uint64_t word)
{
  uint32_t limit = SHARE_LIMIT (word);
  uint32_t wanted = consumer->asked ? consumer->asked : LEASES_DEFAULT;
  if (limit > consumer->block.g.n_recs)
    limit = consumer->block.g.n_recs;
  return wanted < limit ? wanted : limit;
}

/* Takes over the share in @word (F5). A consumer that is not counted yet looks again at
 * each lease. The row's state must be stored before. The reading thread. */
void
consumer_follow_share (DatahubConsumer *consumer, uint64_t word)
{
  uint32_t limit;
  consumer->share = word;
  if (!SHARE_STATED (word))
    limit = grant_quota (consumer);
  else if (is_among (consumer, SHARE_COUNTED (word))) {
    consumer->is_counted = true;
    limit = limit_of (consumer, word);
  } else {
    limit = 0;
    consumer->share = ~word;
  }
  store_relaxed (&consumer->limit, limit);
  store_seq (&consumer->row->quota, limit);
  STEP (F5_SHARE_FOLLOWED);
}

/* The row was taken. */
void
consumer_begin_share (DatahubConsumer *consumer)
{
  static const shared_u64 none;
  const Block *block = &consumer->block;
  consumer->share_word =
      block->g.features & FEATURE_TELEMETRY ? &block->header->share : &none;
  consumer_follow_share (consumer, load_seq (consumer->share_word));
}
