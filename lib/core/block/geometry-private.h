/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sizes of a block. The creator computes them; every other process checks
 * and copies them once. Pure functions. */
#ifndef DATAHUB_GEOMETRY_PRIVATE_H
#define DATAHUB_GEOMETRY_PRIVATE_H

#include "block-layout-private.h"

#include <datahub/producer.h>

/* The ring never retires below this many records to free a slot (S1). */
#define RING_MIN_KEPT 2u
/* Slots left for upstream's loans when quotas are granted. */
#define LOANS_KEPT 4u
#define LOANS_KEPT_MIN 2u
/* Slots that a consumer holds without a copy unless it asked for another number. */
#define LEASES_DEFAULT 8u
/* Records kept for contexts: stream-start, caps, segment, tags in force. */
#define CONTEXT_RECORDS 64u
#define SMALL_SLOTS 64u
#define SMALL_STRIDE 4096u

typedef struct
{
  uint32_t ring_size;
  uint32_t n_recs;
  uint32_t max_rows;
  uint32_t max_quota;
  uint32_t pin_words;
  uint32_t row_stride;
  uint32_t rec_stride;
  uint32_t n_slots; /* of the first payload pool */
  uint64_t slot_stride;
  uint64_t pools_off;
  uint64_t sticky_off;
  uint64_t ring_off;
  uint64_t records_off;
  uint64_t rows_off;
  uint64_t zone_off;
  uint64_t zone_size;
  uint64_t shared_zone_off;
  uint64_t shared_zone_size;
  uint64_t ctl_size;
  uint64_t con_size;
  uint32_t lease_budget;
  uint64_t features; /* compatible ones, also those that this build does not
                        know */
  uint64_t errors_off; /* with FEATURE_ERRORS, else 0 */
  bool strict; /* each row is an object of its own */
  uint64_t claims_off; /* of a strict block, in ctl */
  uint32_t row_extra_off; /* in a row; 0: rows have none */
} Geometry;

static inline uint64_t
round_up (uint64_t value, uint64_t step)
{
  return (value + step - 1) / step * step;
}

/* The producer's zone: a sequence on a line of its own, then its copies. */
static inline uint64_t
zone_bytes (uint64_t zone_size)
{
  return zone_size ? BLOCK_LINE + ZONE_COPIES * round_up (zone_size, BLOCK_LINE)
                   : 0;
}

/* The access of a process to a block. An observer takes no row and stores
 * nothing, so it can also open blocks with some unknown features. */
typedef enum
{
  ACCESS_OBSERVE,
  ACCESS_CONSUME,
  ACCESS_PRODUCE /* ctl is mapped writable */
} BlockAccess;

/* The biggest page a pool may be rounded up to. */
#define HUGE_PAGE_MAX (UINT64_C (1) << 30)

/* Size of the file of a pool, its first page included. */
static inline uint64_t
pool_size (uint32_t n_slots, uint64_t stride)
{
  return BLOCK_PAGE + n_slots * stride;
}

DatahubResult geometry_compute (const DatahubProducerOptions *options,
    uint64_t space, Geometry *geometry, DatahubError *error);
DatahubResult geometry_validate (const BlockIdentity *identity,
    const BlockSection sections[SECTIONS_MAX], BlockAccess access,
    uint64_t ctl_size, uint64_t con_size, Geometry *geometry,
    DatahubError *error);
bool geometry_is_ours (const Geometry *geometry);
uint32_t geometry_sections (const Geometry *geometry,
    BlockSection sections[SECTIONS_MAX]);
uint32_t geometry_slots_to_hold (uint32_t n_slots, uint32_t loans);
uint32_t geometry_lease_budget (uint32_t n_slots);
uint64_t geometry_records_kept (uint32_t ring);

/* Whether a producer can have stated that share. */
static inline bool
share_is_possible (const Geometry *g, uint64_t word)
{
  return SHARE_STATED (word) && SHARE_LIMIT (word) <= g->n_recs
      && SHARE_COUNTED (word) <= g->max_rows;
}
uint64_t fnv1a (const void *bytes, size_t size);
uint64_t geometry_layout_hash (void);

#endif /* DATAHUB_GEOMETRY_PRIVATE_H */
