/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records of a producer: the ring, retired records, and sticky records. The
 * producer's lock must be held in all of these functions. */
#ifndef DATAHUB_RING_PRIVATE_H
#define DATAHUB_RING_PRIVATE_H

#include "pools-private.h"
#include "core/block/clock-private.h"

#include <string.h>

/* The rank of a record when slots are short. */
typedef enum
{
  RANK_EVENT, /* also any record of unknown rank */
  RANK_KEY,
  RANK_DELTA,
  RANK_DROPPABLE,
  RANK_TOMBSTONE
} Rank;

static inline Rank
rank_of (DatahubRecordType type, uint32_t flags)
{
  if (type != DATAHUB_RECORD_BUFFER)
    return RANK_EVENT;
  if (flags & DATAHUB_FLAG_DROPPABLE)
    return RANK_DROPPABLE;
  return flags & DATAHUB_FLAG_DELTA_UNIT ? RANK_DELTA : RANK_KEY;
}

/* Whether a record of that rank may be discarded before older ones. */
static inline bool
rank_is_lesser (Rank rank)
{
  return rank == RANK_DELTA || rank == RANK_DROPPABLE;
}

/* The references of a record. They are private: neither a crash nor a peer that
 * writes to the shared copy can corrupt them. */
typedef struct
{
  uint32_t refs; /* ring, sticky (here and shown), contexts of other records */
  uint8_t rank; /* Rank */
  uint32_t n_slots;
  SlotRef slots[MEMORIES_MAX + 1];
  uint16_t ctx[DATAHUB_N_CONTEXTS];
} RecordRefs;

typedef struct
{
  uint64_t gate; /* the gate word seen blocking */
  int64_t slept_ns; /* at that gate */
  uint64_t tail;
  int64_t stuck_ns; /* at that tail, independent of the gate */
} Blocker;

typedef struct
{
  Block *block; /* not owned: the producer's, like the errors */
  ErrorLog *errors;
  bool held_back; /* adopted, not published: head is not stored */
  uint32_t batch_max; /* unchanged after creation */
  uint64_t head, tail, ordinal;
  uint64_t shown_head; /* as stored: below head while held back */
  uint64_t cleared; /* retire below this without a claim */
  uint64_t lowest; /* no gate is below this, */
  uint32_t joins; /* until the next consumer joins */
  uint64_t last_buffer, last_key; /* sequences; DATAHUB_NONE: none */
  uint64_t n_tombstones; /* in the ring */
  uint64_t n_lesser; /* droppable buffers and delta units in the ring */
  /* The record of each sequence in the ring, kept privately as RecordRefs: an
   * index in shared memory cannot be trusted. */
  uint16_t *entries;
  RecordRefs *records;
  uint16_t *free_recs;
  uint32_t n_free_recs;
  uint16_t *limbo;
  uint32_t n_limbo;
  uint16_t sticky[N_STICKY]; /* record, or RECORD_NONE */
  uint64_t sticky_seq[N_STICKY]; /* its sequence, or DATAHUB_NONE */
  uint64_t sticky_words[N_STICKY];
  uint32_t sticky_changed; /* bits: words to store after A7 */
  uint16_t shown[N_STICKY]; /* records that the stored words lead to */
  ClockWriter clock;
  ProducerCounters *counters; /* the header's; of a block without them, own */
  ProducerCounters own_counters;
  Blocker blockers[MAX_ROWS];
  /* Bits of rows with a gate that is ignored, see row_needs(), and the claims
   * of their owners at that time. */
  shared_u64 distrusted[N_WAITER_WORDS];
  shared_u64 distrusted_claims[MAX_ROWS];
} Ring;

bool ring_make_state (Ring *ring);
void ring_show_telemetry (Ring *ring);
void ring_free_state (Ring *ring);

/* Counts an event. The producer's lock is held: no other thread stores to the
 * word. */
static inline void
count_one (shared_u64 *counter)
{
  store_relaxed (counter, load_relaxed (counter) + 1);
}

/* The record of a sequence in the ring. */
static inline uint16_t *
ring_private (const Ring *ring, uint64_t sequence)
{
  return &ring->entries[sequence & (ring->block->g.ring_size - 1)];
}

/* How many records of the ring can still be read. */
static inline uint64_t
ring_live_records (const Ring *ring)
{
  return ring->head - ring->tail - ring->n_tombstones;
}

/* A record that nothing refers to waits in limbo for a scan of the pins. */
static inline void
ring_unref (Ring *ring, uint32_t record)
{
  if (--ring->records[record].refs == 0)
    ring->limbo[ring->n_limbo++] = (uint16_t) record;
}

/* A scan for pins of some records: reads the pin words with those records in
 * all rows; records in other words count as pinned. A producer reuses the same
 * few records, so the words are few. */
typedef struct
{
  uint32_t n_words;
  uint16_t words[PIN_WORDS_MAX];
  uint64_t busy[PIN_WORDS_MAX];
} PinScan;

static inline void
pin_scan_begin (const Ring *ring, PinScan *scan)
{
  scan->n_words = 0;
  memset (scan->busy, 0xff, ring->block->g.pin_words * sizeof scan->busy[0]);
}

static inline void
pin_scan_want (PinScan *scan, uint32_t record)
{
  uint32_t word = record >> 6;
  if (scan->busy[word] == 0)
    return;
  scan->busy[word] = 0;
  scan->words[scan->n_words++] = (uint16_t) word;
}

static inline bool
pin_scan_is_pinned (const PinScan *scan, uint32_t record)
{
  return scan->busy[record >> 6] >> (record & 63) & 1;
}

void pin_scan_look (const Ring *ring, PinScan *scan); /* A5 */

/* What readers see: producer-show.c. */

/* The effect of a record on a sticky word. */
typedef enum
{
  STICKY_KEPT,
  STICKY_REPLACED, /* refers to the record */
  STICKY_DROPPED /* refers to none */
} StickyChange;

StickyChange ring_sticky_change (DatahubRecordType type, uint32_t which);
void ring_replace_sticky (Ring *ring, uint32_t which, uint64_t sequence,
    uint32_t record);
void ring_publish_sticky (Ring *ring);
bool ring_show (Ring *ring, uint64_t now);
void ring_show_early (Ring *ring);

/* The old end: producer-ring.c. */
bool ring_retire_oldest (Ring *ring);
uint32_t ring_reclaim (Ring *ring, Pools *pools);
bool ring_drain_old_pools (Ring *ring, Pools *pools);
uint64_t ring_lowest_gate (Ring *ring);
bool ring_is_gated (Ring *ring);
bool ring_row_gates (Ring *ring, uint32_t row);
bool ring_is_distrusted (const Ring *ring, uint32_t row);

/* Rows that are in the way: producer-evict.c. */
void ring_charge_blockers (Ring *ring, int64_t timeout_ns, int64_t slept_ns,
    bool starved);
void ring_clear_account (Ring *ring, uint32_t row);

#endif /* DATAHUB_RING_PRIVATE_H */
