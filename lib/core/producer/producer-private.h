/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a producer, and the functions that its files share. */
#ifndef DATAHUB_PRODUCER_PRIVATE_H
#define DATAHUB_PRODUCER_PRIVATE_H

#include "core/block/block-private.h"
#include "core/block/strict-protocol-private.h"

#include <datahub/producer.h>

#include <pthread.h>
#include <string.h>

#define BATCH_MAX 64u
#define N_WAITING_BITS 2u

typedef struct
{
  PoolShape shape;
  uint32_t entry; /* of the pool table */
  bool leaving; /* out of the shared table, and still behind the server */
  int fd;
  uint8_t *map;
  uint64_t map_size; /* the file's, whole pages of its kind */
  uint64_t page_size; /* of the memory in use */
  uint32_t *refs; /* per slot: records and loans */
  uint32_t *free; /* stack */
  uint32_t n_free;
} Pool;

typedef struct
{
  Pool *pool;
  uint32_t slot;
} SlotRef;

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

/* A row of a strict block, which is an object of its own. */
typedef struct
{
  int fd; /* a description that holds no lock; -1: not in use */
  bool granted;
  uint32_t quota;
  uint64_t claim; /* of the newest owner */
} StrictRow;

typedef struct
{
  uint32_t row;
  uint32_t quota;
  int row_fd; /* to map */
  int token_fd; /* its lock lives as long as the consumer */
} RowAccess;

typedef struct _StrictServer StrictServer;

struct _DatahubProducer
{
  Block block; /* unchanged after creation */
  DatahubProducerOptions options;
  uint32_t generation; /* os_generation() of the owner */
  uint64_t incarnation; /* unchanged after creation, like `adopted` */
  bool adopted;
  int ctl_fd, con_fd; /* until they have names; of a strict block, for good */
  StrictServer *server; /* of a strict block; else NULL */
  shared_u32 strict_hwm; /* rows_hwm, where no client can reach it */

  /* Guards everything below but the atomics. Innermost; never held across a
   * sleep, a system call that can wait, or a payload copy. */
  pthread_mutex_t lock;
  uint32_t references; /* the caller's one, and one a loan */
  bool published; /* has names */
  bool held_back; /* adopted, not published: head is not stored */
  bool closed;
  bool keeps_parts; /* at close, for consumers that lag or a successor */
  bool growing; /* some thread creates a pool, unlocked */
  bool has_idle_pools;
  int64_t no_growth_until;

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
  uint16_t *ring;
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

  Pool *pools[MAX_POOLS];
  Pool *newest[N_POOL_KINDS];
  uint64_t bytes_used; /* of payload slots; limited by max_bytes */
  uint64_t max_bytes;
  SlotRef pack; /* partly filled slot, with a reference of its own */
  uint64_t pack_used;

  uint32_t n_waiting[N_WAITING_BITS]; /* threads that announced each bit */
  Blocker blockers[MAX_ROWS];
  /* Bits of rows with a gate that is ignored, see row_needs(), and the claims
   * of their owners at that time. */
  shared_u64 distrusted[N_WAITER_WORDS];
  shared_u64 distrusted_claims[MAX_ROWS];
  uint64_t n_evictions, n_waits, n_growths, n_given_up;
  uint32_t batch_max; /* unchanged after creation */

  shared_u32 interrupted; /* DatahubWait bits */
  shared_u64 n_wakes;

  /* Guards reap_fd: an own description that never keeps a lock (D3). */
  pthread_mutex_t reap_lock;
  int reap_fd;
  int64_t last_reap;
  /* of a strict block, guarded by reap_lock */
  StrictRow *rows;
  int blank_fd; /* mapped in place of a removed row */
};

static inline void
slot_ref (SlotRef slot)
{
  slot.pool->refs[slot.slot]++;
}

/* Permissions of files that only the producer writes. */
static inline uint32_t
producer_private_mode (const DatahubProducer *producer)
{
  return producer->options.mode & 0644;
}

/* A user that can read a block must be able to lock and to write its row. */
static inline uint32_t
producer_shared_mode (const DatahubProducer *producer)
{
  uint32_t mode = producer->options.mode;
  return (mode | (mode & 0444) >> 1) & 0666;
}

/* The result of an attempt under the lock. */
typedef enum
{
  ATTEMPT_DONE, /* the call's result is set */
  ATTEMPT_WAIT, /* a reliable consumer is in the way */
  ATTEMPT_WAIT_ANY, /* the same, but any released slot helps as well */
  ATTEMPT_STARVED, /* every slot is held; no wait has started yet */
  ATTEMPT_EXHAUSTED, /* every record is held; growing adds no records */
  ATTEMPT_GROW /* a pool of grow_stride is needed */
} Attempt;

/* Determined by a commit for each record before it is filled: the location of
 * bytes that do not fit into the record, and its checksum. */
typedef struct
{
  SlotRef slot; /* pool NULL: in the record */
  uint64_t offset;
  uint8_t checksum[32];
} MetaLocation;

typedef struct _Call Call;
typedef Attempt (*AttemptFunc) (DatahubProducer *producer, Call *call);
struct _Call
{
  AttemptFunc attempt;
  uint32_t wait; /* DatahubWait bit */
  int64_t timeout_ns;
  PoolKind kind; /* of the pool that is short */
  uint64_t grow_stride; /* 0: more slots of the same size */
  DatahubResult result;
  DatahubError *error;
  Rank rank; /* of the buffer that needs the slot */
  /* of an acquire */
  uint64_t size;
  DatahubSlot *slot;
  /* of a commit */
  const DatahubCommit *commits;
  uint32_t n_commits;
  uint64_t first_sequence;
  bool checked;
  uint32_t n_meta_locations; /* of meta_locations[] that are chosen */
  MetaLocation *meta_locations; /* n_commits of them */
  bool wake;
};

/* Sets the fields that all calls need; the caller sets those of its attempt.
 * Fields are set one by one, because clearing the rest costs more than a short
 * call itself. */
static inline void
call_begin (Call *call, AttemptFunc attempt, uint32_t wait, int64_t timeout_ns,
    DatahubError *error)
{
  call->attempt = attempt;
  call->wait = wait;
  call->timeout_ns = timeout_ns;
  call->result = DATAHUB_OK;
  call->error = error;
}

/* The heartbeat: shows that this process runs. */
static inline void
producer_beat (DatahubProducer *producer)
{
  store_relaxed (&producer->block.header->heartbeat, (uint64_t) os_now ());
  STEP (HEARTBEAT_STORED);
}

DatahubResult producer_run (DatahubProducer *producer, Call *call);
uint32_t producer_reap (DatahubProducer *producer, int64_t not_within_ns);

/* The effect of a record on a sticky word. */
typedef enum
{
  STICKY_KEPT,
  STICKY_REPLACED, /* refers to the record */
  STICKY_DROPPED /* refers to none */
} StickyChange;

/* Creation; no other thread knows the producer yet. */
bool producer_adopt (DatahubProducer *producer);
bool producer_make_private_state (DatahubProducer *producer);
bool producer_open_reaper (DatahubProducer *producer);

/* The record of a sequence in the ring. */
static inline uint16_t *
ring_private (const DatahubProducer *producer, uint64_t sequence)
{
  return &producer->ring[sequence & (producer->block.g.ring_size - 1)];
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
pin_scan_begin (const DatahubProducer *producer, PinScan *scan)
{
  scan->n_words = 0;
  memset (scan->busy, 0xff, producer->block.g.pin_words * sizeof scan->busy[0]);
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

void pin_scan_look (const DatahubProducer *producer, PinScan *scan); /* A5 */

/* Ring; the lock is held. */
bool ring_show (DatahubProducer *producer, uint64_t now);
void ring_show_early (DatahubProducer *producer);
StickyChange ring_sticky_change (DatahubRecordType type, uint32_t which);
bool ring_retire_oldest (DatahubProducer *producer);
uint32_t ring_reclaim (DatahubProducer *producer);
void ring_unref (DatahubProducer *producer, uint32_t record);
uint64_t ring_lowest_gate (DatahubProducer *producer);
bool ring_is_distrusted (const DatahubProducer *producer, uint32_t row);
bool ring_is_gated (DatahubProducer *producer);
bool ring_drain_old_pools (DatahubProducer *producer);

/* Under pressure; the lock is held. */
uint64_t ring_live_records (const DatahubProducer *producer);
bool ring_give_up (DatahubProducer *producer, const Pool *pool);
bool ring_may_retire_for (DatahubProducer *producer, Rank wanted);

/* Pools. The lock must be held unless stated otherwise. */
Pool *pool_find_old (const DatahubProducer *producer, uint32_t gen);
Attempt pool_take (DatahubProducer *producer, Call *call, PoolKind kind,
    SlotRef *slot);
void slot_unref (DatahubProducer *producer, SlotRef slot);
DatahubResult pool_create (DatahubProducer *producer, PoolKind kind,
    uint32_t n_slots, uint64_t stride, DatahubError *error); /* unlocked */
DatahubResult producer_grow (DatahubProducer *producer,
    Call *call); /* unlocked */
void producer_tidy (DatahubProducer *producer); /* unlocked */
uint64_t pool_counted_bytes (const PoolShape *shape);
bool pool_link (DatahubProducer *producer, Pool *pool);
void pool_free (DatahubProducer *producer, Pool *pool, bool unlink);

/* The pool of a generation, or NULL; the lock is held. */
static inline Pool *
pool_find (const DatahubProducer *producer, uint32_t gen)
{
  Pool *newest = producer->newest[POOL_PAYLOAD];
  return newest && newest->shape.gen == gen ? newest
                                            : pool_find_old (producer, gen);
}

/* Strict blocks. */
DatahubResult strict_make_control (DatahubProducer *producer,
    DatahubError *error);
int strict_create_pool (DatahubProducer *producer, uint64_t *size, bool payload,
    const char *what, DatahubError *error);
bool strict_seal (int *fd);
bool strict_reap_row (DatahubProducer *producer, uint32_t row);
StrictStatus strict_give_row (DatahubProducer *producer, uint32_t asked,
    RowAccess *access);
void strict_end_access (RowAccess *access);
void strict_free (DatahubProducer *producer);
StrictServer *strict_server_new (DatahubProducer *producer,
    const uint8_t *secret);
DatahubResult strict_server_open (StrictServer *server, DatahubError *error);
void strict_server_add_pool (StrictServer *server, uint32_t gen, PoolKind kind,
    int fd);
void strict_server_drop_pool (StrictServer *server, uint32_t gen);
void strict_server_close (StrictServer *server);
void strict_server_free (StrictServer *server);

/* Lifetime; unlocked. */
bool producer_space (const DatahubProducer *producer, uint64_t *total,
    uint64_t *available);
void producer_unref (DatahubProducer *producer);
void producer_free (DatahubProducer *producer); /* no other thread has it */
void producer_close_fd (int *fd); /* -1: there is none */

#endif /* DATAHUB_PRODUCER_PRIVATE_H */
