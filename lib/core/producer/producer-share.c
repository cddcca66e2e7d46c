/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The share: the number of slots that each consumer may hold before it must copy (S3).
 * All shares together leave the producer the slots that it needs, of those that the
 * block may grow to. So the share shrinks as consumers join, and as other blocks and
 * programs take the space; it grows again later.
 *
 * The share holds for a number of consumers that is stated with it. It includes some
 * that may join before the next look. A joiner that counts more copies until they are
 * included; one that was included stays so.
 *
 * A consumer stores its state, then loads the share and counts the consumers (F5). For
 * each lease it pins (B3), then loads the share (F4). So with each store of the share
 * and the look behind it, the producer sees what is held or the consumer sees the store:
 *
 * F1 includes no joiner any more. Behind it every consumer that uses the share is seen.
 * F2 states a share that fits if as many of them as the former share was for come to it,
 *    or hold more already. Behind it nothing is added to what the pins show but by the new share.
 * F3 states the share that fits beside these pins, for the same number of consumers: one
 *    that came since F2 is for the next look.
 *
 * Killed anywhere here, a producer leaves a share that is as safe as the one before; its
 * successor states its own (C10). Models: tests/model/share.pml.
 * Tests: core-lease-share, core-memory-need, core-hoarders */
#include "producer-private.h"

/* A share of that many slots is ample: more consumers can be included instead. */
#define AMPLE ((int64_t) LEASES_DEFAULT)
/* Consumers that may join before the next look. */
#define JOINERS 8u
/* A share that is not ample is computed again after that time. */
#define REVIEW_NS NS_PER_S

/* So often at most it is counted what several consumers hold together, which takes a
 * look at all pins. */
#define COUNTS 16

/* What the consumers hold now; of the budget each takes one more in passing. */
typedef struct
{
  const DatahubProducer *producer;
  uint32_t counts_left;
  int64_t budget; /* slots that all consumers together may hold */
  uint32_t n_rows; /* rows that were scanned */
  uint32_t n; /* consumers */
  uint32_t held[MAX_ROWS]; /* slots, by row */
} Demand;

/* Of a strict block the row is its client's, the claim is the producer's. */
static bool
is_present (const Block *block, uint32_t row)
{
  if (block->g.strict)
    return load_seq (&block->claims[row]) != 0;
  return load_seq (&block_row (block, row)->state) != DATAHUB_CONSUMER_FREE;
}

static uint32_t
count_present (const Block *block)
{
  uint32_t n = 0, rows = block_rows_in_use (block);
  for (uint32_t i = 0; i < rows; i++)
    n += is_present (block, i);
  return n;
}

/* ---- what is there ---- */

/* The slots that a lease of the record keeps, as its consumer counts them: its memories.
 * An event keeps none, and a record that is free has none. */
static uint32_t
slots_of (const DatahubProducer *producer, uint32_t record)
{
  uint32_t n, n_mem;
  if (record >= producer->block.g.n_recs)
    return 0;
  n = producer->ring.records[record].n_slots;
  n_mem = block_record (&producer->block, record)->n_mem;
  if (n > n_mem)
    n = n_mem; /* the last one is of metas */
  return n;
}

static uint32_t
slots_of_word (const DatahubProducer *producer, uint32_t word, uint64_t bits)
{
  uint32_t n = 0;
  for (; bits; bits &= bits - 1)
    n += slots_of (producer, word * 64 + (uint32_t) __builtin_ctzll (bits));
  return n;
}

static uint32_t
slots_of_row (const DatahubProducer *producer, const ConsumerRow *row)
{
  uint32_t n = 0;
  for (uint32_t w = 0; w < producer->block.g.pin_words; w++)
    n += slots_of_word (producer, w, load_acquire (&row->pins[w]));
  return n;
}

/* Of each consumer: the slots that its pins show. @allowed: as many consumers as that
 * share was for may come to it, so for so many that much is assumed. */
static void
look (Demand *demand, uint64_t allowed)
{
  const Block *block = &demand->producer->block;
  const uint32_t least = SHARE_STATED (allowed) ? SHARE_LIMIT (allowed) : 0;
  fence_seq ();
  demand->n_rows = block_rows_in_use (block);
  demand->n = 0;
  for (uint32_t i = 0; i < demand->n_rows; i++) {
    bool present = is_present (block, i);
    demand->held[i] = slots_of_row (demand->producer, block_row (block, i));
    if (present && demand->n < SHARE_COUNTED (allowed)
        && demand->held[i] < least)
      demand->held[i] = least;
    demand->n += present;
  }
}

/* The slots that consumers with more than @limit keep; one that several of them hold
 * counts once. */
static int64_t
kept_above (const Demand *demand, int64_t limit)
{
  const Block *block = &demand->producer->block;
  int64_t kept = 0;
  for (uint32_t w = 0; w < block->g.pin_words; w++) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < demand->n_rows; i++)
      if (demand->held[i] > limit)
        bits |= load_acquire (&block_row (block, i)->pins[w]);
    kept += slots_of_word (demand->producer, w, bits);
  }
  return kept;
}

static uint64_t
biggest_stride (const Pools *pools)
{
  uint64_t stride = BLOCK_PAGE;
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (pool_serves (pools->table[i], POOL_PAYLOAD, stride))
      stride = pools->table[i]->shape.stride;
  return stride;
}

/* The slots of the biggest size that the block has or may get, without those for the
 * ring and for upstream. After a growth failed it may get none: what was missing may be
 * a descriptor, an entry of the table, or memory that was free when it was measured. */
static int64_t
slots_to_hold (const DatahubProducer *producer)
{
  const Pools *pools = &producer->pools;
  const uint64_t stride = biggest_stride (pools);
  uint64_t n = pool_class (pools, POOL_PAYLOAD, stride).n_slots;
  uint32_t loans = producer->references; /* those, and the next one */
  if (!pools->ahead.failed)
    n += pool_bytes_that_fit (pools, POOL_PAYLOAD) / stride;
  if (n > UINT32_MAX)
    n = UINT32_MAX;
  return geometry_slots_to_hold ((uint32_t) n, loans);
}

static int64_t
records_to_hold (const Geometry *g)
{
  return (int64_t) g->n_recs - (int64_t) geometry_records_kept (g->ring_size);
}

/* ---- what each may have ---- */

/* Whether @counted consumers fit if each comes to @limit, beside those that hold more.
 * These keep what they hold, and cannot add to it before they hold less. That can be
 * counted in two ways: each with all that it holds; or what they hold together, where
 * a slot of several of them counts once, and each as if it held nothing. The second way
 * is only for what the pins show, not for what is assumed (F2). If neither fits, @next
 * is a limit that may. */
static bool
fits (Demand *demand, uint32_t counted, int64_t limit, int64_t *next)
{
  int64_t above = 0, below = counted, left, shared;
  for (uint32_t i = 0; i < demand->n_rows; i++)
    if (demand->held[i] > limit) {
      above += demand->held[i] + 1;
      below--;
    }
  left = demand->budget - above;
  if (below * (limit + 1) <= left)
    return true;
  *next = below > 0 && left > 0 ? left / below - 1 : -1;
  if (above == 0 || demand->counts_left == 0)
    return false;
  demand->counts_left--;
  left = demand->budget - kept_above (demand, limit);
  shared = left > 0 ? left / counted - 1 : -1;
  if (shared >= limit)
    return true;
  if (*next < shared)
    *next = shared;
  return false;
}

/* The largest limit for that many consumers. */
static int64_t
limit_for (Demand *demand, uint32_t counted)
{
  int64_t limit = demand->budget / counted - 1, next = 0;
  while (limit > 0 && !fits (demand, counted, limit, &next))
    limit = next < limit ? next : limit - 1;
  return limit > 0 ? limit : 0;
}

typedef struct
{
  uint32_t counted; /* consumers that it is for */
  int64_t most;
  int64_t limit;
} Share;

static uint64_t
word_of (const Share *share)
{
  return SHARE_WORD ((uint32_t) share->limit, share->counted);
}

static int64_t
ample_for (const DatahubProducer *producer)
{
  const uint32_t asked = producer->options.max_pinned;
  return asked && asked < AMPLE ? asked : AMPLE;
}

static void
choose_limit (Demand *demand, Share *share)
{
  share->limit = limit_for (demand, share->counted);
  if (share->limit > share->most)
    share->limit = share->most;
}

static int64_t
larger_of (int64_t a, int64_t b)
{
  return a > b ? a : b;
}

/* Includes as many joiners as there are consumers, unless the share would not be ample.
 * If it is not without any, none is included: those that are there have more. Of what
 * is more than ample half is kept: for joiners, while the others have the former
 * share. */
static Share
choose (Demand *demand)
{
  const DatahubProducer *producer = demand->producer;
  const uint32_t rows = producer->block.g.max_rows;
  const uint32_t asked = producer->options.max_pinned;
  const int64_t ample = ample_for (producer);
  uint32_t spare = demand->n > JOINERS ? demand->n : JOINERS;
  Share share = { .counted = demand->n ? demand->n : 1, .most = ample };
  for (; spare > 0; spare /= 2) {
    uint32_t counted = demand->n + spare < rows ? demand->n + spare : rows;
    if (demand->budget / counted <= ample)
      continue;
    share.counted = counted;
    share.most = larger_of (ample, demand->budget / counted / 2 - 1);
    break;
  }
  if (asked && share.most > asked)
    share.most = asked;
  choose_limit (demand, &share);
  return share;
}

static void
store_share (DatahubProducer *producer, uint64_t word)
{
  shared_u64 *at = &producer->block.header->share;
  if (load_relaxed (at) != word)
    store_seq (at, word);
  STEP (F_SHARE_STORED);
}

/* Of a block without a share, which has no consumer yet or was another producer's, the
 * pins show what is held. The lock is held. */
static void
state_share (DatahubProducer *producer, Demand *demand)
{
  uint64_t before = load_relaxed (&producer->block.header->share);
  uint64_t allowed = 0;
  Share share;
  if (!(producer->block.g.features & FEATURE_TELEMETRY))
    return; /* an adopted block has no such word */
  if (share_is_possible (&producer->block.g, before)) {
    allowed = before;
    store_share (producer, SHARE_WORD (SHARE_LIMIT (before), 0)); /* F1 */
  }
  look (demand, allowed);
  share = choose (demand);
  store_share (producer, word_of (&share)); /* F2 */
  store_relaxed (&producer->share.n, demand->n);
  look (demand, 0);
  demand->counts_left = COUNTS;
  choose_limit (demand, &share);
  store_share (producer, word_of (&share)); /* F3 */
  store_relaxed (&producer->share.is_low, share.limit < ample_for (producer));
}

/* Computes the share anew. Any thread; the lock must not be held. */
void
producer_update_share (DatahubProducer *producer)
{
  Demand demand = { .producer = producer };
  PoolSpace space;
  pool_measure (&producer->pools, &space);
  pthread_mutex_lock (&producer->lock);
  producer->pools.space = space;
  demand.budget = slots_to_hold (producer);
  if (demand.budget > records_to_hold (&producer->block.g))
    demand.budget = records_to_hold (&producer->block.g);
  if (!producer->closed)
    state_share (producer, &demand);
  pthread_mutex_unlock (&producer->lock);
}

/* Computes the share anew if consumers came or went, and at times if it is low. Any
 * thread; the lock must not be held. */
void
producer_check_share (DatahubProducer *producer)
{
  ShareState *share = &producer->share;
  uint32_t attention = load_seq (&producer->block.wake->attention);
  uint64_t now = (uint64_t) os_now_coarse ();
  bool due =
      load_relaxed (&share->is_low) && now >= load_relaxed (&share->due_ns);
  if (!due && attention == load_relaxed (&share->attention))
    return;
  store_relaxed (&share->attention, attention);
  if (!due && count_present (&producer->block) == load_relaxed (&share->n))
    return;
  store_relaxed (&share->due_ns, now + REVIEW_NS);
  if (due)
    producer_retry_growth (producer);
  producer_update_share (producer);
}
