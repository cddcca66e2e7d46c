/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shape of the pool that a growth adds. With n slots in use, the one that is
 * short included and three at least, a payload of a size that is big makes the
 * payload pools take at most n times that size and SPARE_BYTES.
 * Models: tests/model/pool.pml, tests/model/open-pools.pml (grow, replace).
 * Tests: core-growing, core-growth-bound, core-growth-edges */
#include "growth-shapes-private.h"

/* A pool for a bigger size begins with what its stream needs at once: the
 * records that the ring keeps and the slot that is being filled. */
#define SLOTS_NEEDED (RING_MIN_KEPT + 1)
/* Bytes beyond the need that a growth may take. Loans and leases that turn out to
 * need more make the block grow again. */
#define SPARE_BYTES (UINT64_C (64) << 20)
/* A first pool that takes no more than this has slots for all loans and leases. */
#define FIRST_BYTES (UINT64_C (8) << 20)
/* Slots that are so many times bigger than a payload are for others. */
#define FAR 4u
/* A pool for small payloads beside big slots has so many slots at once, */
#define SMALLER_SLOTS 32u
/* unless they are more bytes than that. */
#define SMALLER_BYTES (UINT64_C (8) << 20)
/* With so many pools a growth takes bigger steps: the table is bounded. */
#define MANY_POOLS (MAX_POOLS / 2)

/* The least that is of use. */
uint32_t
growth_least_slots (uint64_t size)
{
  return size > BIG_SLOT ? 1 : POOL_SLOTS_MIN;
}

static uint64_t
at_least (uint64_t value, uint64_t least)
{
  return value > least ? value : least;
}

static uint64_t
at_most (uint64_t value, uint64_t most)
{
  return value < most ? value : most;
}

/* The slots of the first payload pool where the options leave the number open: those
 * of a full ring and some loans, or more if they are small; at most what a growth for
 * that size would have. @most are for the ring, all loans and leases. The block grows
 * when those need more. */
uint32_t
growth_first_slots (const Pools *pools, uint32_t most, uint64_t stride)
{
  uint64_t spare = stride > BIG_SLOT ? 0 : SPARE_BYTES / stride;
  uint64_t slots = pools->backing->block->g.ring_size + LOANS_KEPT;
  slots = at_least (slots, FIRST_BYTES / stride);
  slots = at_most (at_most (slots, SLOTS_NEEDED + spare), most);
  slots = pool_slots_that_fit (pools, POOL_PAYLOAD, (uint32_t) slots, stride);
  return (uint32_t) at_least (slots, growth_least_slots (stride));
}

/* Whether slots of @stride are for far bigger payloads than those of @size. */
bool
growth_is_far (PoolKind kind, uint64_t stride, uint64_t size)
{
  return kind == POOL_PAYLOAD && stride > BIG_SLOT
      && round_up (size, BLOCK_PAGE) < stride / FAR;
}

/* Slots of @stride that @bytes are enough for beside @used bytes. */
static uint64_t
slots_beside (uint64_t bytes, uint64_t used, uint64_t stride)
{
  return bytes > used ? (bytes - used) / stride : 0;
}

/* Slots in use that are not far smaller than @stride. */
static uint64_t
slots_in_use (const Pools *pools, PoolKind kind, uint64_t stride)
{
  uint64_t n = 0;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    const Pool *pool = pools->table[i];
    if (pool && pool->shape.kind == kind && pool->shape.stride >= stride / FAR)
      n += pool->shape.n_slots - pool->n_free;
  }
  return n;
}

static uint32_t
count_pools (const Pools *pools)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    n += pools->table[i] != NULL;
  return n;
}

/* For payloads of a bigger size: not more slots than before, and not more bytes
 * than needed at once and SPARE_BYTES. The free slots of a pool of big slots count
 * too, since it gives them back only when the new pool is there. */
static bool
choose_bigger (const Pools *pools, PoolKind kind, uint64_t size,
    PoolShape *shape)
{
  const uint64_t before = pools->newest[kind]->shape.stride;
  const PoolClass now = pool_class (pools, kind, before);
  uint64_t exact = round_up (size, BLOCK_PAGE);
  uint64_t bytes = SLOTS_NEEDED * exact + SPARE_BYTES;
  uint64_t most = at_least (now.n_slots, SLOTS_NEEDED);
  uint64_t used = exact > BIG_SLOT && kind == POOL_PAYLOAD
      ? pools->bytes_used
      : pool_bytes_in_use (pools, kind);
  uint64_t wanted, roomy = round_up (before / 2 * 3, BLOCK_PAGE);
  /* growing by half, at most by its share of the spare bytes, bounds the number
   * of pools alive */
  roomy = at_most (roomy,
      exact + SPARE_BYTES / SLOTS_NEEDED / BLOCK_PAGE * BLOCK_PAGE);
  shape->stride = at_least (roomy, exact);
  wanted = at_most (slots_beside (bytes, used, shape->stride), most);
  wanted = at_least (wanted, growth_least_slots (size));
  shape->n_slots =
      pool_slots_that_fit (pools, kind, (uint32_t) wanted, shape->stride);
  if (shape->n_slots >= wanted)
    return true;
  shape->stride = exact;
  shape->n_slots = pool_slots_that_fit (pools, kind, (uint32_t) wanted, exact);
  return shape->n_slots >= growth_least_slots (size);
}

/* For more slots that are big: those in use and the one that is short, without
 * headroom, which would add up. */
static uint64_t
more_big_slots (const Pools *pools, PoolKind kind, uint64_t exact)
{
  uint64_t held = slots_in_use (pools, kind, exact);
  uint64_t bytes = at_least (held + 1, SLOTS_NEEDED) * exact + SPARE_BYTES;
  uint64_t used = kind == POOL_PAYLOAD ? pools->bytes_used
                                       : pool_bytes_in_use (pools, kind);
  uint64_t wanted = slots_beside (bytes, used, exact);
  if (count_pools (pools) > MANY_POOLS)
    wanted = at_least (wanted, held / 2);
  return at_least (wanted, 1);
}

/* For more slots that are not big: the one that is short, and SPARE_BYTES of
 * others; at most as many as there are. */
static uint64_t
more_slots (const Pools *pools, PoolKind kind, const PoolClass *now)
{
  uint64_t wanted = 1 + SPARE_BYTES / now->stride;
  if (count_pools (pools) > MANY_POOLS)
    wanted = at_least (wanted, now->n_slots / 2);
  wanted = at_most (wanted, at_least (now->n_slots, SLOTS_NEEDED));
  return at_most (wanted,
      slots_beside (pool_bytes_allowed (pools, kind),
          pool_bytes_in_use (pools, kind), now->stride));
}

/* For payloads that are far smaller than the slots: as the first pool is, if that
 * is enough. A first pool of big slots has few. */
static uint64_t
choose_smaller (const Pools *pools, uint64_t exact, PoolShape *shape)
{
  const Geometry *first = &pools->backing->block->g;
  bool fits = exact <= first->slot_stride && first->slot_stride <= BIG_SLOT;
  uint64_t few = at_most (SMALLER_SLOTS, SMALLER_BYTES / exact);
  shape->stride = fits ? first->slot_stride : exact;
  few = at_least (few, first->n_slots);
  return at_least (at_most (SPARE_BYTES / shape->stride, few),
      growth_least_slots (exact));
}

/* For more slots for payloads of @size, beside those that are there. */
static bool
choose_more (const Pools *pools, PoolKind kind, uint64_t size, PoolShape *shape)
{
  PoolClass now = pool_class (pools, kind, size);
  uint64_t exact = round_up (size, BLOCK_PAGE), wanted;
  if (now.stride == 0)
    return false; /* their pool closed meanwhile */
  shape->stride = now.stride;
  if (now.stride <= BIG_SLOT) {
    wanted = more_slots (pools, kind, &now);
  } else if (growth_is_far (kind, now.stride, size)) {
    wanted = choose_smaller (pools, exact, shape);
  } else {
    shape->stride = exact;
    wanted = more_big_slots (pools, kind, exact);
  }
  shape->n_slots =
      pool_slots_that_fit (pools, kind, (uint32_t) wanted, shape->stride);
  return shape->n_slots > 0;
}

/* Chooses the shape of the next pool: of slots for @size bytes if @bigger, else of
 * more slots for payloads of that size. Returns false where nothing fits now. */
bool
growth_choose_shape (const Pools *pools, PoolKind kind, uint64_t size,
    bool bigger, PoolShape *shape)
{
  bool fits = pool_free_entry (pools) >= 0;
  *shape = (PoolShape){ .kind = kind };
  if (fits && bigger)
    fits = choose_bigger (pools, kind, size, shape);
  else if (fits)
    fits = choose_more (pools, kind, size, shape);
  shape->size = pool_size (shape->n_slots, shape->stride);
  return fits;
}

/* Whether old records are to go before a growth for payloads of @size: they hold
 * more than the spare bytes, and history is not a need. */
bool
growth_is_history_big (const Pools *pools, PoolKind kind, uint64_t size)
{
  return kind == POOL_PAYLOAD && size > BIG_SLOT
      && pool_bytes_in_use (pools, kind) > SPARE_BYTES;
}

/* Whether an open pool closes as one with slots of @stride is added. Pools of small
 * slots stay beside one of big slots. */
bool
growth_replaces (const Pool *pool, uint64_t stride)
{
  return pool->shape.stride < stride
      && (stride <= BIG_SLOT || pool->shape.stride > stride / FAR);
}
