/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From which pool a slot is lent. Several pools can be open: those that give more
 * slots of one size, and pools of far smaller slots beside one of big slots. So a
 * single big payload does not make small payloads use big slots, whether it comes
 * first or later, or was its producer's last: the pool of an adopter can be such a one.
 *
 * A slot that is punched has no memory and must not be lent: only slots of a closed
 * pool are punched, and a closed pool is never opened again.
 * Models: tests/model/open-pools.pml (suits, find, close_unused).
 * Tests: core-growth, core-growth-bound, core-growth-edges */
#include "growth-shapes-private.h"

/* An open pool that no loan was of for UNUSED_AFTER loans is not needed. */
#ifdef DATAHUB_STEPS
#define LOOK_EVERY 4u /* the streams of the sweep are short */
#define UNUSED_AFTER 8u
#else
#define LOOK_EVERY 64u
#define UNUSED_AFTER 256u
#endif

/* Returns NULL where no open pool has such big slots. */
Pool *
pool_smallest (const Pools *pools, PoolKind kind, uint64_t size)
{
  Pool *least = NULL;
  if (pools->n_open[kind] == 1)
    return pools->newest[kind]->shape.stride >= size ? pools->newest[kind]
                                                     : NULL;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    Pool *pool = pools->table[i];
    if (pool_serves (pool, kind, size)
        && (!least || pool->shape.stride < least->shape.stride))
      least = pool;
  }
  return least;
}

/* Whether all slots that are big enough are for far bigger payloads. A pool for
 * such small ones is needed, in which they do not keep the big slots busy. */
bool
pool_is_wasted (const Pools *pools, PoolKind kind, uint64_t size)
{
  const Pool *least = pool_smallest (pools, kind, size);
  return least && growth_is_far (kind, least->shape.stride, size);
}

/* A free slot that is far too big is not lent: it is for bigger payloads. */
static bool
is_of_class (const Pool *pool, const Pool *least)
{
  return pool_serves (pool, least->shape.kind, least->shape.stride)
      && pool->shape.stride <= 2 * least->shape.stride;
}

/* Whether a free slot of @pool would be lent for @size bytes. */
bool
pool_helps (const Pools *pools, const Pool *pool, PoolKind kind, uint64_t size)
{
  const Pool *least = pool_smallest (pools, kind, size);
  return least && is_of_class (pool, least);
}

PoolClass
pool_class (const Pools *pools, PoolKind kind, uint64_t size)
{
  const Pool *least = pool_smallest (pools, kind, size);
  PoolClass class = { 0 };
  if (!least)
    return class;
  class.stride = least->shape.stride;
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (is_of_class (pools->table[i], least)) {
      class.n_slots += pools->table[i]->shape.n_slots;
      class.n_free += pools->table[i]->n_free;
    }
  return class;
}

/* Where several pools have room, that with the smallest slots, then that with the
 * most: the others become unused. NULL: none has. */
Pool *
pool_with_room_of_several (const Pools *pools, PoolKind kind, uint64_t size)
{
  Pool *least = pool_smallest (pools, kind, size), *best = NULL;
  if (!least || growth_is_far (kind, least->shape.stride, size))
    return NULL;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    Pool *pool = pools->table[i];
    if (!is_of_class (pool, least) || pool->n_free == 0)
      continue;
    if (!best || pool->shape.stride < best->shape.stride
        || (pool->shape.stride == best->shape.stride
            && pool->shape.n_slots > best->shape.n_slots))
      best = pool;
  }
  return best;
}

/* Closes pools, but not the last one that is open. @all: also those that slots are
 * lent of, but not the newest one; else those that nothing refers to, and for which
 * @unused loans were of other pools. */
static bool
close_others (Pools *pools, PoolKind kind, bool all, uint64_t unused)
{
  bool closed = false;
  for (uint32_t i = 0; i < MAX_POOLS && pools->n_open[kind] > 1; i++) {
    Pool *pool = pools->table[i];
    if (!pool_serves (pool, kind, 0))
      continue;
    if (all ? pool == pools->newest[kind]
            : pool->n_free < pool->shape.n_slots
                || pools->takes - pool->taken_at < unused)
      continue;
    pool_close (pools, pool);
    closed = true;
  }
  return closed;
}

/* Makes room for a growth. Returns whether any pool was closed. */
bool
pool_close_unused (Pools *pools, PoolKind kind, bool all)
{
  return close_others (pools, kind, all, 0);
}

/* Closes pools that others make unneeded; several of its kind are open. */
void
pool_note_taken (Pools *pools, Pool *pool)
{
  pool->taken_at = ++pools->takes;
  if (pools->takes % LOOK_EVERY == 0)
    close_others (pools, pool->shape.kind, false, UNUSED_AFTER);
}

/* The bytes of the slots that a loan or a record holds. */
uint64_t
pool_bytes_in_use (const Pools *pools, PoolKind kind)
{
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    const Pool *pool = pools->table[i];
    if (pool && pool->shape.kind == kind)
      bytes += (pool->shape.n_slots - pool->n_free) * pool->shape.stride;
  }
  return bytes;
}
