/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The slots of a producer. Its lock must be held in all of these functions,
 * except in those that make or free a pool that is in no table. */
#ifndef DATAHUB_POOLS_PRIVATE_H
#define DATAHUB_POOLS_PRIVATE_H

#include "backing-private.h"

struct _Pool
{
  PoolShape shape;
  uint32_t entry; /* of the pool table */
  bool open; /* slots are lent; else it goes once nothing refers to it */
  bool whole; /* closed, and its memory goes with it, not slot by slot */
  bool leaving; /* out of the shared table, and still behind the server */
  uint64_t taken_at; /* pools->takes at the last loan */
  uint64_t charged; /* bytes of it in bytes_used */
  int fd;
  uint8_t *map;
  uint64_t map_size; /* the file's, whole pages of its kind */
  uint64_t huge_page; /* asked for; 0: normal pages */
  uint64_t reserved, prefaulted; /* bytes, while it is being made */
  uint64_t page_size; /* of the memory in use */
  uint32_t *refs; /* per slot: records and loans */
  uint32_t *ends; /* per slot, of producer-kept.c: references that would end */
  uint32_t *free; /* stack */
  uint32_t n_free;
};

typedef struct
{
  Pool *pool;
  uint32_t slot;
} SlotRef;

/* The bodies of events and metas never need more. */
#define SMALL_BYTES_MAX (UINT64_C (64) << 20)

/* The memory that pools could have when it was measured. */
typedef struct
{
  uint64_t available; /* what both the file system and the control group have */
  uint64_t total; /* the size of the one that has less available */
  uint64_t most; /* the smaller of both sizes */
  bool of_group; /* the control group has less available */
} PoolSpace;

/* Of producer-memory.c. */
typedef struct
{
  uint64_t need; /* bytes of payloads that will be short of slots; 0: none */
  bool wake; /* the service thread is to be woken for it */
  bool growing; /* that thread makes a pool, */
  bool hurry; /* which the streaming thread waits for */
  bool failed; /* the last growth for more slots, for whatever reason */
  uint32_t n_open; /* pools at the last look */
  uint64_t size; /* of the last loan that was looked at */
  int64_t looked_at, since; /* CLOCK_MONOTONIC_COARSE */
  uint64_t needed_most; /* slots, since then */
} MemoryNeed;

typedef struct
{
  Backing *backing; /* not owned: the producer's */
  Pool *table[MAX_POOLS];
  Pool *newest[N_POOL_KINDS]; /* of those that are open */
  uint32_t n_open[N_POOL_KINDS]; /* at least one */
  /* The one that is open, if any payload may have its slots; else NULL. */
  Pool *only[N_POOL_KINDS];
  uint64_t takes; /* loans of kinds that have no `only` pool */
  bool growing; /* some thread creates a pool, unlocked */
  Pool *unfinished; /* in no table: the next growth continues it */
  bool has_idle;
  int64_t no_growth_until;
  int64_t no_smaller_until; /* small payloads use big slots */
  uint64_t bytes_used; /* of payload slots with memory; limited by max_bytes */
  uint64_t max_bytes;
  MemoryNeed ahead;
  PoolSpace space; /* measured before each choice of a shape */
  SlotRef pack; /* partly filled slot, with a reference of its own */
  uint64_t pack_used;
} Pools;

static inline void
slot_ref (SlotRef slot)
{
  slot.pool->refs[slot.slot]++;
}

Pool *pool_find_old (const Pools *pools, uint32_t gen);

/* The pool of a generation, or NULL. */
static inline Pool *
pool_find (const Pools *pools, uint32_t gen)
{
  Pool *newest = pools->newest[POOL_PAYLOAD];
  return newest && newest->shape.gen == gen ? newest
                                            : pool_find_old (pools, gen);
}

/* Whether slots of @pool are lent for @size bytes. */
static inline bool
pool_serves (const Pool *pool, PoolKind kind, uint64_t size)
{
  return pool && pool->open && pool->shape.kind == kind
      && pool->shape.stride >= size;
}

/* Slots for payloads of one size: those of the smallest open pool with slots that are
 * big enough, and of other open pools with slots up to twice that size. */
typedef struct
{
  uint64_t stride; /* 0: there is none */
  uint64_t n_slots, n_free;
} PoolClass;

PoolClass pool_class (const Pools *pools, PoolKind kind, uint64_t size);
Pool *pool_smallest (const Pools *pools, PoolKind kind, uint64_t size);
bool pool_is_wasted (const Pools *pools, PoolKind kind, uint64_t size);
bool pool_helps (const Pools *pools, const Pool *pool, PoolKind kind,
    uint64_t size);
Pool *pool_with_room_of_several (const Pools *pools, PoolKind kind,
    uint64_t size);
void pool_note_taken (Pools *pools, Pool *pool);

/* The pool to lend a slot for @size bytes of, or NULL. Nearly always one is open. */
static inline Pool *
pool_with_room (const Pools *pools, PoolKind kind, uint64_t size)
{
  Pool *only = pools->only[kind];
  if (!only)
    return pool_with_room_of_several (pools, kind, size);
  return only->n_free > 0 && only->shape.stride >= size ? only : NULL;
}

/* Takes a slot of a pool that has a free one. */
static inline SlotRef
pool_take (Pools *pools, Pool *pool)
{
  SlotRef slot = { pool, pool->free[--pool->n_free] };
  pool->refs[slot.slot] = 1;
  if (!pools->only[pool->shape.kind])
    pool_note_taken (pools, pool);
  return slot;
}

uint64_t pool_bytes_in_use (const Pools *pools, PoolKind kind);
void pool_choose_only (Pools *pools, PoolKind kind);
void pool_close (Pools *pools, Pool *pool);
void pool_close_whole (Pools *pools, Pool *pool);
bool pool_break_up (Pools *pools);
void pool_leave_closed (Pools *pools, Pool *pool);
bool pool_close_unused (Pools *pools, PoolKind kind, bool all);

void slot_unref (Pools *pools, SlotRef slot);
void pool_end_packing (Pools *pools);
int pool_free_entry (const Pools *pools);
void pool_install (Pools *pools, Pool *pool, uint32_t entry);
Pool *pool_leave_idle (Pools *pools);
bool pool_is_any_old (const Pools *pools);
uint64_t pool_counted_bytes (const PoolShape *shape);
void pool_free (const Pools *pools, Pool *pool, bool unlink); /* unlocked */

/* The memory for pools. pool-space.c */

typedef struct
{
  char left[256];
  const char *advice; /* the beginning of a sentence */
} PoolSpaceText;

bool pool_measure (const Pools *pools, PoolSpace *space); /* unlocked */
PoolSpaceText pool_describe_space (const Pools *pools, const PoolSpace *space);
uint64_t pool_bytes_allowed (const Pools *pools, PoolKind kind);
/* By the last measure. */
uint64_t pool_bytes_that_fit (const Pools *pools, PoolKind kind);
uint32_t pool_slots_that_fit (const Pools *pools, PoolKind kind,
    uint32_t wanted, uint64_t stride);

/* Making a pool that no table names; unlocked. producer-pool-make.c */

/* The memory of a pool is taken in pieces. */
#ifdef DATAHUB_STEPS
#define POOL_PIECE (UINT64_C (1) << 20) /* the blocks of the sweep are small */
#else
#define POOL_PIECE                                                             \
  (UINT64_C (4) << 20) /* takes the kernel a few milliseconds */
#endif

/* Asked between two pieces: %DATAHUB_OK to go on, else the result. */
typedef struct
{
  DatahubResult (*may_go_on) (void *data);
  void *data;
} Pace;

Pool *pool_begin (const Pools *pools, const PoolShape *shape,
    DatahubError *error);
DatahubResult pool_make (const Pools *pools, Pool *pool, const Pace *pace,
    DatahubError *error);
bool pool_make_again (const Pools *pools, Pool *pool, const Pace *pace);

#endif /* DATAHUB_POOLS_PRIVATE_H */
