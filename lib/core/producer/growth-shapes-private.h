/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shapes of pools that a growth adds. The producer's lock must be held. */
#ifndef DATAHUB_GROWTH_SHAPES_PRIVATE_H
#define DATAHUB_GROWTH_SHAPES_PRIVATE_H

#include "ring-private.h"

/* A slot over that is so big that one alone is better than none. */
#ifdef DATAHUB_STEPS
#define BIG_SLOT (UINT64_C (1) << 20) /* the blocks of the sweep are small */
#else
#define BIG_SLOT (UINT64_C (16) << 20)
#endif
#define POOL_SLOTS_MIN 4u

uint32_t growth_least_slots (uint64_t size);
uint32_t growth_first_slots (const Pools *pools, uint32_t most,
    uint64_t stride);
bool growth_choose_shape (const Pools *pools, PoolKind kind, uint64_t size,
    bool bigger, PoolShape *shape);
bool growth_is_history_big (const Pools *pools, PoolKind kind, uint64_t size);
bool growth_replaces (const Pool *pool, uint64_t stride);
bool growth_is_far (PoolKind kind, uint64_t stride, uint64_t size);

#endif /* DATAHUB_GROWTH_SHAPES_PRIVATE_H */
