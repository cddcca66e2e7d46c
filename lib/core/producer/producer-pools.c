/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools of slots. Slots are lent only of open pools, see pool-classes.c. A closed
 * pool gives the memory of free slots back, and is removed when no loan and no
 * record, in the ring or in limbo, refers to it. Models: tests/model/pool.pml,
 * tests/model/open-pools.pml (close, punch, tidy, grow, replace, settle).
 * Tests: core-growth, core-connections */
#include "growth-shapes-private.h"

#include <stdlib.h>
#include <unistd.h>

Pool *
pool_find_old (const Pools *pools, uint32_t gen)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (pools->table[i] && pools->table[i]->shape.gen == gen)
      return pools->table[i];
  return NULL;
}

/* max-bytes is about payload: the small pool of events is bounded by itself. */
uint64_t
pool_counted_bytes (const PoolShape *shape)
{
  return shape->kind == POOL_PAYLOAD ? shape->n_slots * shape->stride : 0;
}

/* The memory of a free slot of a closed pool goes at once where the kernel allows
 * that: not in a sealed pool, and huge pages go with the pool. */
static bool
punch (const Pool *pool, uint32_t slot)
{
  bool gone = os_punch (pool->fd, BLOCK_PAGE + slot * pool->shape.stride,
      pool->shape.stride);
  STEP (SLOT_PUNCHED);
  return gone && !pool->huge_page;
}

static void
give_back (Pools *pools, Pool *pool, uint32_t slot)
{
  if (!punch (pool, slot) || pool->charged < pool->shape.stride)
    return;
  pool->charged -= pool->shape.stride;
  pools->bytes_used -= pool->shape.stride;
}

static Pool *
newest_open (const Pools *pools, PoolKind kind)
{
  Pool *newest = NULL;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    Pool *pool = pools->table[i];
    if (pool_serves (pool, kind, 0)
        && (!newest || pool->shape.gen > newest->shape.gen))
      newest = pool;
  }
  return newest;
}

/* After the open pools of @kind changed. Which payloads get slots of several pools,
 * or of one with big slots, is decided in pool-classes.c. */
void
pool_choose_only (Pools *pools, PoolKind kind)
{
  Pool *newest = pools->newest[kind];
  bool plain = pools->n_open[kind] == 1 && newest->shape.stride <= BIG_SLOT;
  pools->only[kind] = plain ? newest : NULL;
}

/* Lends no slot of @pool any more. Another pool of its kind is open. The memory goes
 * when nothing refers to the pool: to give it back slot by slot takes the kernel a
 * millisecond for each picture, and the lock is held. */
void
pool_close_whole (Pools *pools, Pool *pool)
{
  PoolKind kind = (PoolKind) pool->shape.kind;
  pool->open = false;
  pool->whole = true;
  pools->n_open[kind]--;
  if (pool->n_free == pool->shape.n_slots)
    pools->has_idle = true;
  if (pools->newest[kind] == pool)
    pools->newest[kind] = newest_open (pools, kind);
  pool_choose_only (pools, kind);
}

/* The same. What is free in a pool that is in use is given back at once: a growth needs
 * that memory. */
void
pool_close (Pools *pools, Pool *pool)
{
  pool_close_whole (pools, pool);
  pool->whole = pool->n_free == pool->shape.n_slots;
  for (uint32_t i = 0; i < pool->n_free && !pool->whole; i++)
    give_back (pools, pool, pool->free[i]);
}

/* A growth needs the memory of the free slots of pools that were to go as a whole.
 * Returns whether any may have been given back. */
bool
pool_break_up (Pools *pools)
{
  bool any = false;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    Pool *pool = pools->table[i];
    if (!pool || pool->open || !pool->whole
        || pool->n_free == pool->shape.n_slots)
      continue;
    pool->whole = false;
    for (uint32_t k = 0; k < pool->n_free; k++)
      give_back (pools, pool, pool->free[k]);
    any |= pool->n_free > 0;
  }
  return any;
}

/* For a pool that was adopted and stays closed: some of its free slots may have
 * memory, others were given back before. No record leads to a free slot, so a
 * successor that comes to the same end may do it again. */
void
pool_leave_closed (Pools *pools, Pool *pool)
{
  uint64_t held = (pool->shape.n_slots - pool->n_free) * pool->shape.stride;
  bool gone = true;
  for (uint32_t i = 0; i < pool->n_free; i++)
    gone = punch (pool, pool->free[i]) && gone;
  if (gone && pool->charged > held) {
    pools->bytes_used -= pool->charged - held;
    pool->charged = held;
  }
  if (pool->n_free == pool->shape.n_slots)
    pools->has_idle = true;
}

/* A slot of a closed pool has become free. */
static void __attribute__ ((noinline)) free_closed (Pools *pools, SlotRef slot)
{
  if (!slot.pool->whole)
    give_back (pools, slot.pool, slot.slot);
  if (slot.pool->n_free == slot.pool->shape.n_slots)
    pools->has_idle = true;
}

/* A slot without a reference is free at once: readers pin records, and a record
 * keeps its slots until reclaim saw no pin. */
void
slot_unref (Pools *pools, SlotRef slot)
{
  Pool *pool = slot.pool;
  if (--pool->refs[slot.slot] > 0)
    return;
  pool->free[pool->n_free++] = slot.slot;
  if (!pool->open)
    free_closed (pools, slot);
}

/* Unmaps, and where asked unlinks. The pool is in no table any more. */
void
pool_free (const Pools *pools, Pool *pool, bool unlink_it)
{
  const Backing *backing = pools->backing;
  backing->funcs->withdraw_pool (backing, pool);
  if (unlink_it)
    backing->funcs->remove_pool (backing, pool);
  if (pool->map)
    os_unmap (pool->map, pool->map_size);
  if (pool->fd >= 0)
    close (pool->fd);
  free (pool->refs);
  free (pool->ends);
  free (pool->free);
  free (pool);
}

/* Takes a pool that nothing refers to out of the table, or returns NULL. P2: the
 * table entry goes first, so that no reader looks for a file that is gone. */
Pool *
pool_leave_idle (Pools *pools)
{
  Block *block = pools->backing->block;
  for (uint32_t i = 0; i < MAX_POOLS && pools->has_idle; i++) {
    Pool *pool = pools->table[i];
    if (!pool || pool->leaving || pool->open
        || pool->n_free < pool->shape.n_slots)
      continue;
    pool->leaving = true;
    store_seq (&block->pools[pool->entry].gen, 0);
    STEP (P2_ENTRY_FREED);
    add_seq (&block->header->pool_changes, 1);
    STEP (P2_CHANGES_COUNTED);
    pools->bytes_used -= pool->charged;
    return pool;
  }
  pools->has_idle = false;
  return NULL;
}

/* The index of a free entry of the pool table; -1: none. */
int
pool_free_entry (const Pools *pools)
{
  for (int i = 0; i < (int) MAX_POOLS; i++)
    if (!pools->table[i])
      return i;
  return -1;
}

/* After @pool is in the table: an adopter takes the newest pool there and needs its
 * memory. */
static void
close_replaced (Pools *pools, const Pool *pool)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (pool_serves (pools->table[i], (PoolKind) pool->shape.kind, 0)
        && growth_replaces (pools->table[i], pool->shape.stride))
      pool_close (pools, pools->table[i]);
}

/* Makes @pool the newest of its kind, and closes those that it replaces. The
 * entry's generation is stored last: a reader that sees it sees the rest (P1). */
void
pool_install (Pools *pools, Pool *pool, uint32_t entry)
{
  PoolEntry *shared = &pools->backing->block->pools[entry];
  pool->entry = entry;
  pool->open = true;
  pool->taken_at = pools->takes;
  pool->charged = pool_counted_bytes (&pool->shape);
  pools->table[entry] = pool;
  pools->newest[pool->shape.kind] = pool;
  pools->n_open[pool->shape.kind]++;
  pools->bytes_used += pool->charged;
  store_release (&shared->kind, pool->shape.kind);
  store_release (&shared->n_slots, pool->shape.n_slots);
  store_release (&shared->stride, pool->shape.stride);
  store_release (&shared->size, pool->shape.size);
  STEP (P1_ENTRY_FILLED);
  store_seq (&shared->gen, pool->shape.gen);
  STEP (P1_ENTRY_GEN_STORED);
  add_seq (&pools->backing->block->header->pool_changes, 1);
  STEP (P1_CHANGES_COUNTED);
  pool_choose_only (pools, (PoolKind) pool->shape.kind);
  close_replaced (pools, pool);
}

/* Drops the packing slot: its unused rest is lost. */
void
pool_end_packing (Pools *pools)
{
  if (pools->pack.pool)
    slot_unref (pools, pools->pack);
  pools->pack = (SlotRef){ NULL, 0 };
}

/* Old pools that will go by themselves and give their bytes back. */
bool
pool_is_any_old (const Pools *pools)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    const Pool *pool = pools->table[i];
    if (pool && !pool->open)
      return true;
  }
  return false;
}
