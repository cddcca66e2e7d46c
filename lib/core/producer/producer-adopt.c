/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adoption: a new producer continues the block of a dead one. Consumers keep
 * their mappings, rows, gates and pins, and only see that the incarnation has
 * changed. docs/memory-layout.md, "How a block is adopted", gives the steps C0
 * to C11.
 *
 * First the whole block is checked, once and on private copies, without a
 * store (producer-inherit.c). If it contradicts itself, it is left to be closed
 * and replaced. Then the private state is rebuilt from the records and the pins.
 * Then follow the stores. The process can die after each of them: the next
 * candidate comes to the same result and repeats them all. Byte 0 is the only
 * exclusion (D6).
 * Tests: core-adopt, core-adopt-fit, core-hostile-adopt */
#include "heir-private.h"
#include "producer-private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A candidate meets others, and a reclaimer, for an instant each. */
#define OPEN_PATIENCE_NS NS_PER_S
/* Numbers beyond these are no block's. */
#define GEN_MAX (UINT32_C (1) << 30)
#define INCARNATION_MAX (UINT64_C (1) << 47)
#define POOL_SLOTS_MAX (UINT32_C (1) << 20)

/* ---- C0: the owner of the block ---- */

/* Why the block is replaced although its sizes may fit. */
static bool
refuse (DatahubProducer *producer, DatahubResult why)
{
  producer->refusal = why;
  return false;
}

/* Opens the block of the name and takes its byte 0. False: there is none, it is
 * in use, or it is damaged. */
static bool
open_dead (DatahubProducer *producer)
{
  Block *block = &producer->block;
  char channel[DATAHUB_CHANNEL_MAX + 1];
  int64_t end = os_now () + OPEN_PATIENCE_NS;
  memcpy (channel, block->channel, sizeof channel);
  while (os_now () < end) {
    DatahubResult result = block_open (block, channel, ACCESS_PRODUCE, NULL);
    FileName entry;
    if (result == DATAHUB_ERROR_VERSION || result == DATAHUB_ERROR_CORRUPT)
      return refuse (producer, result);
    if (result != DATAHUB_OK)
      return false;
    entry = name_entry (block->user, channel);
    if (block_lock_for_producer (block->lck) == OS_LOCK_TAKEN
        && os_same_file (block->lck, block->dir, entry.text))
      return true;
    /* a live one, or another candidate was faster: look again */
    if (os_same_file (block->lck, block->dir, entry.text))
      return false;
    block_release (block);
  }
  return false;
}

/* ---- whether it fits ---- */

static bool
is_secret_alike (const DatahubProducer *producer)
{
  const uint8_t *secret = producer->options.secret;
  uint8_t tag[32] = { 0 };
  if (secret)
    secret_tag (secret, &producer->block.uuid, tag);
  return sodium_memcmp (tag, producer->block.header->identity.secret_tag,
             sizeof tag)
      == 0;
}

static bool
has_mode (const Block *block, const char *part, uint32_t mode)
{
  return os_file_mode (block->dir,
             name_part (block->user, &block->uuid, part).text)
      == (int) mode;
}

/* Whether this build maintains everything that the block has. A block of an
 * earlier version may lack features; it keeps lacking them. Opening the block
 * has checked the other features. */
static bool
is_known (const Block *block)
{
  return block->header->identity.minor <= BLOCK_MINOR
      && (block->g.features & ~FEATURES_COMPAT_KNOWN) == 0;
}

/* Whether the block has the layout of this build and the requested options. */
static bool
is_alike (const DatahubProducer *producer)
{
  const DatahubProducerOptions *options = &producer->options;
  const Block *block = &producer->block;
  const Geometry *g = &block->g;
  return load_seq (&block->header->state) == DATAHUB_STATE_READY
      && geometry_is_ours (g)
      && (!options->slots || options->slots == g->n_slots)
      && (!options->ring_size || options->ring_size == g->ring_size)
      && (!options->max_consumers || options->max_consumers == g->max_rows)
      && (!options->max_pinned || options->max_pinned == g->max_quota)
      && options->zone_size == g->zone_size
      && options->shared_zone_size == g->shared_zone_size
      && is_secret_alike (producer)
      && has_mode (block, "ctl", backing_private_mode (&producer->backing))
      && has_mode (block, "con", backing_shared_mode (&producer->backing))
      && has_mode (block, "lck", backing_lock_mode (&producer->backing));
}

/* ---- pools ---- */

static Pool *
open_pool (Pools *pools, const PoolShape *shape, uint32_t entry)
{
  const Block *block = pools->backing->block;
  Pool *pool;
  FileName name = name_pool (block->user, &block->uuid, shape->gen);
  if (shape->n_slots > POOL_SLOTS_MAX || shape->gen > GEN_MAX
      || pool_find (pools, shape->gen)
      || os_file_mode (block->dir, name.text)
          != (int) backing_private_mode (pools->backing)
      || !(pool = calloc (1, sizeof *pool)))
    return NULL;
  pool->shape = *shape;
  pool->entry = entry;
  pool->fd = -1;
  pool->refs = calloc (shape->n_slots, sizeof *pool->refs);
  pool->ends = calloc (shape->n_slots, sizeof *pool->ends);
  pool->free = calloc (shape->n_slots, sizeof *pool->free);
  if (pool->refs && pool->ends && pool->free)
    pool->map =
        pool_open (block, shape, &pool->fd, &pool->map_size, true, NULL);
  if (pool->map)
    return pool;
  pool_free (pools, pool, false);
  return NULL;
}

/* All of the table, or none of it. */
static bool
take_pools (Pools *pools)
{
  const Block *block = pools->backing->block;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    PoolShape shape;
    Pool *newest;
    if (load_seq (&block->pools[i].gen) == 0)
      continue;
    if (!pool_shape_read (&block->pools[i], &shape)
        || !(pools->table[i] = open_pool (pools, &shape, i)))
      return false;
    newest = pools->newest[shape.kind];
    if (!newest || newest->shape.gen < shape.gen)
      pools->newest[shape.kind] = pools->table[i];
  }
  return true;
}

/* Counts the memory of the pools: the newest is made whole again, the others have
 * what their producer had not given back. Returns whether max-bytes permits it. */
static bool
charge_pools (Pools *pools)
{
  uint64_t max_bytes = pools->backing->options->max_bytes;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    Pool *pool = pools->table[i];
    uint64_t allocated;
    if (!pool)
      continue;
    allocated = os_allocated (pool->fd);
    pool->charged = pool_counted_bytes (&pool->shape);
    if (pool != pools->newest[pool->shape.kind] && allocated < pool->charged)
      pool->charged = allocated;
    pools->bytes_used += pool->charged;
  }
  return max_bytes == 0 || pools->bytes_used <= max_bytes;
}

/* Opens the newest pools alone: parts of the others may have been given back. So
 * may parts of the newest, if it was just closing; it is made whole again. Models:
 * tests/model/open-pools.pml (make_whole, ALL_OPENED, NOT_WHOLE).
 * Memory must be allocated before it is written: otherwise a full file system
 * causes a SIGBUS. */
static bool
reserve_newest (Pools *pools)
{
  DatahubProducerOptions options = *pools->backing->options;
  const Pace pace = { producer_may_go_on, &options };
  for (uint32_t kind = 0; kind < N_POOL_KINDS; kind++) {
    Pool *pool = pools->newest[kind];
    if (!pool || !pool_make_again (pools, pool, &pace))
      return false;
    pool->open = true;
    pools->n_open[kind] = 1;
    pool_choose_only (pools, (PoolKind) kind);
  }
  return true;
}

static void
drop_pools (Pools *pools)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    if (pools->table[i])
      pool_free (pools, pools->table[i], false);
    pools->table[i] = NULL;
  }
  memset (pools->newest, 0, sizeof pools->newest);
  memset (pools->n_open, 0, sizeof pools->n_open);
  memset (pools->only, 0, sizeof pools->only);
  pools->bytes_used = 0;
}

/* ---- C1 to C10 ---- */

static void
store_words (const Heir *heir)
{
  const Block *block = heir->ring->block;
  for (uint32_t i = 0; i < block->g.ring_size; i++)
    if (RING_RECORD (heir->words[i]) == RECORD_NONE
        && RING_RECORD (load_relaxed (&block->ring[i])) != RECORD_NONE) {
      store_seq (&block->ring[i], heir->words[i]); /* C1 */
      STEP (C1_WORD_DROPPED);
    }
  for (uint32_t i = 0; i < N_STICKY; i++)
    if (load_relaxed (&block->sticky[i]) != heir->sticky[i]) {
      store_seq (&block->sticky[i], heir->sticky[i]); /* C2 */
      STEP (C2_STICKY_STORED);
    }
}

static void
store_header (const DatahubProducer *producer)
{
  BlockHeader *header = producer->block.header;
  store_seq (&header->tail, producer->ring.tail); /* C3 */
  STEP (C3_TAIL_STORED);
  store_seq (&header->tail_claim, producer->ring.tail); /* C4 */
  STEP (C4_CLAIM_STORED);
  store_seq (&header->producer_waiting, 0); /* C5 */
  STEP (C5_WAITING_CLEARED);
  store_seq (&header->last_buffer_seq, DATAHUB_NONE); /* C6 */
  store_seq (&header->last_key_seq, DATAHUB_NONE);
  STEP (C6_NEWEST_FORGOTTEN);
  store_seq (&header->incarnation, producer->incarnation); /* C7 */
  STEP (C7_INCARNATION_STORED);
  store_seq (&header->wake, load_relaxed (&header->wake) + 1); /* C8 */
  STEP (C8_WAKE_STEPPED);
  os_futex_wake (&header->wake);
  STEP (C8_WOKE);
}

/* Also notifies watchers of the name that its producer changed (the written
 * file is the entry). */
static void
sign_lock_file (const Block *block)
{
  LockPage page;
  if (!os_read_all (block->lck, &page, sizeof page))
    return;
  page.producer_pid = (uint32_t) getpid ();
  os_write_all (block->lck, &page, sizeof page);
}

static void
tidy_files (const DatahubProducer *producer)
{
  BlockHeader *header = producer->block.header;
  uint32_t gens[MAX_POOLS], n = 0;
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools.table[i])
      gens[n++] = producer->pools.table[i]->shape.gen;
  for (uint32_t i = 0; i < n; i++)
    raise_u32_seq (&header->next_gen, gens[i]);
  /* the dead producer may have added a pool without a wake: without this no
   * consumer would count as behind when the block closes, and its files would
   * be removed */
  add_seq (&header->pool_changes, 1);
  STEP (C9_CHANGES_COUNTED);
  block_unlink_stray_pools (&producer->block, gens, n); /* C9 */
  STEP (C9_STRAYS_UNLINKED);
  sign_lock_file (&producer->block);
  STEP (C9_LCK_SIGNED);
}

static void
greet_consumers (DatahubProducer *producer)
{
  WakePage *wake = producer->block.wake;
  reaper_run (&producer->reaper, 0); /* C10 */
  STEP (C10_REAPED);
  add_seq (&wake->room, 1);
  os_futex_wake (&wake->room);
  add_seq (&wake->attention, 1);
  os_futex_wake (&wake->attention);
  STEP (C10_ATTENTION_BUMPED);
  pthread_mutex_lock (&producer->lock);
  ring_reclaim (&producer->ring, &producer->pools);
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
}

/* ---- all of it ---- */

static bool
judge (DatahubProducer *producer, Heir *heir)
{
  const BlockHeader *header = producer->block.header;
  if (!is_known (&producer->block))
    return refuse (producer, DATAHUB_ERROR_VERSION);
  if (!is_alike (producer))
    return false;
  if (load_seq (&header->next_gen) <= GEN_MAX
      && load_seq (&header->incarnation) <= INCARNATION_MAX
      && take_pools (&producer->pools) && charge_pools (&producer->pools)
      && reserve_newest (&producer->pools) && ring_make_state (&producer->ring)
      && reaper_open (&producer->reaper) && heir_judge (heir))
    return true;
  return refuse (producer, DATAHUB_ERROR_CORRUPT);
}

static void
take_over (DatahubProducer *producer, Heir *heir)
{
  heir_settle (heir);
  producer->incarnation = load_seq (&producer->block.header->incarnation) + 1;
  producer->adopted = producer->published = true;
  store_words (heir);
  error_log_start (&producer->errors, &producer->block);
  store_header (producer);
  /* behind C7: a reader that finds the adopter's clocks finds that it is another
   * producer */
  ring_show_telemetry (&producer->ring);
  tidy_files (producer);
  greet_consumers (producer);
}

/* Restores the state of a producer without a block. Byte 0 is released. */
static void
give_up (DatahubProducer *producer)
{
  drop_pools (&producer->pools);
  ring_free_state (&producer->ring);
  reaper_close (&producer->reaper);
  block_release (&producer->block);
}

/* Takes over the dead block that the producer's name leads to, if there is one
 * and it is whole and fits. The producer is new, with its name and its limits.
 * Takes up to 0.2 s if the name is taken. Models: tests/model/adopt.pml. */
bool
producer_adopt (DatahubProducer *producer)
{
  Heir heir = { .ring = &producer->ring, .pools = &producer->pools };
  Block fresh = producer->block;
  bool adopted = open_dead (producer);
  if (adopted)
    STEP (C0_BYTE_0_LOCKED);
  adopted = adopted && judge (producer, &heir);
  if (adopted) {
    take_over (producer, &heir);
    os_release_directory (&fresh.dir);
  } else {
    give_up (producer);
    producer->block = fresh;
  }
  heir_free (&heir);
  return adopted;
}
