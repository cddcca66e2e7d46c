/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a producer, and the functions that its files share. */
#ifndef DATAHUB_PRODUCER_PRIVATE_H
#define DATAHUB_PRODUCER_PRIVATE_H

#include "reaper-private.h"
#include "ring-private.h"
#include "core/block/strict-protocol-private.h"

#include <pthread.h>
#include <string.h>

#define N_WAITING_BITS 2u

/* What the service thread has to do for the memory of the block. */
#define MEMORY_WANTED 1u /* a pool is to be added */
#define MEMORY_SEVERAL 2u /* several pools are open: one may be unneeded */

/* A consumer that was reported as joined; id 0: none. */
typedef struct
{
  uint64_t id, claim;
  bool evicted;
  char name[DATAHUB_CONSUMER_NAME_MAX];
} KnownConsumer;

/* Of producer-share.c. */
typedef struct
{
  shared_u32 attention; /* of the last look */
  shared_u32 n; /* consumers that the share was computed for */
  shared_u32 is_low;
  shared_u64 due_ns; /* the next look if it is low; CLOCK_MONOTONIC_COARSE */
} ShareState;

/* Its parts have files of their own: the ring its old end, its new end and what
 * readers see of it; the pools; the backing; the reaper. The files that take a
 * producer are those that need more than one of them. */
struct _DatahubProducer
{
  Block block; /* unchanged after creation */
  DatahubProducerOptions options;
  Backing backing; /* unchanged after creation */
  uint32_t generation; /* os_generation() of the owner */
  uint64_t incarnation; /* unchanged after creation, like `adopted` */
  bool adopted;
  DatahubResult
      refusal; /* why a dead block was not adopted; OK: there was none,
                            or its sizes are not the requested ones */
  ErrorLog errors;

  /* Guards everything below but the atomics and the reaper. Innermost; never held
   * across a sleep, a system call that can wait, or a payload copy. */
  pthread_mutex_t lock;
  uint32_t references; /* the caller's one, and one a loan */
  bool published; /* has names */
  bool closed;
  bool keeps_parts; /* at close, for consumers that lag or a successor */
  Ring ring;
  Pools pools;
  uint32_t n_waiting[N_WAITING_BITS]; /* threads that announced each bit */

  ShareState share;
  shared_u32 memory_work; /* MEMORY_ bits */
  shared_u32 interrupted; /* DatahubWait bits */
  shared_u32 mail_row; /* looked at next for an event */
  KnownConsumer known[MAX_ROWS]; /* of the thread that takes changes */
  Reaper reaper;
};

/* The result of an attempt under the lock. */
typedef enum
{
  ATTEMPT_DONE, /* the call's result is set */
  ATTEMPT_WAIT, /* a reliable consumer is in the way */
  ATTEMPT_WAIT_ANY, /* the same, but any released slot helps as well */
  ATTEMPT_STARVED, /* every slot is held; no wait has started yet */
  ATTEMPT_EXHAUSTED, /* every record is held; growing adds no records */
  ATTEMPT_GROW /* a pool of bigger slots is needed */
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
  int64_t end; /* once it cannot be done at once; -1: never */
  PoolKind kind; /* of the pool that is short */
  uint64_t need; /* bytes of the slot that is short */
  bool bigger; /* no open pool has such slots */
  bool smaller; /* all slots are for far bigger payloads */
  bool wasteful; /* it cannot grow: such slots are used */
  bool cramped; /* it cannot grow: fewer records stay readable */
  bool ahead; /* of need: no call waits for it */
  bool met_ahead; /* the service thread makes a pool */
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
  call->wasteful = call->cramped = call->ahead = call->met_ahead = false;
  call->error = error;
}

/* The heartbeat: shows that this process runs. */
static inline void
producer_beat (DatahubProducer *producer)
{
  uint64_t now = (uint64_t) os_now ();
  store_relaxed (&producer->block.header->heartbeat, now);
  STEP (HEARTBEAT_STORED);
  clock_refresh (&producer->ring.clock, now);
}

DatahubResult producer_run (DatahubProducer *producer, Call *call);

/* Creation; no other thread knows the producer yet. */
bool producer_adopt (DatahubProducer *producer);

/* The share of each consumer; unlocked. */
void producer_update_share (DatahubProducer *producer);
void producer_check_share (DatahubProducer *producer);

/* The next call computes the share anew. */
static inline void
producer_doubt_share (DatahubProducer *producer)
{
  store_relaxed (&producer->share.due_ns, 0);
  store_relaxed (&producer->share.is_low, true);
}

/* Before each call: two words that change when consumers come or go. */
static inline void
producer_follow_consumers (DatahubProducer *producer)
{
  if (load_relaxed (&producer->block.wake->attention)
          != load_relaxed (&producer->share.attention)
      || load_relaxed (&producer->share.is_low))
    producer_check_share (producer);
}

/* Slots when they are short; the lock is held. */
Attempt producer_find_slot (DatahubProducer *producer, Call *call,
    PoolKind kind, uint64_t size, SlotRef *slot);

/* What follows need: producer-memory.c. A loan that leaves so few slots free is noted:
 * more than the ring needs to go on while a pool is made. */
#define FEW_FREE 4u
void producer_note_need (DatahubProducer *producer, uint64_t size);
void producer_retry_growth (DatahubProducer *producer); /* unlocked */
void producer_tend_memory (DatahubProducer *producer); /* unlocked */

/* What consumers keep from a call that is short of slots, NULL: of records. The
 * lock is held. producer-kept.c */
bool producer_is_kept_waiting (DatahubProducer *producer, const Call *call);
bool producer_may_keep_fewer (DatahubProducer *producer, const Call *call);

/* Slots. The lock is held. */
static inline Attempt
producer_take_slot (DatahubProducer *producer, Call *call, PoolKind kind,
    uint64_t size, SlotRef *slot)
{
  const Pools *pools = &producer->pools;
  Pool *pool = pool_with_room (pools, kind, size);
  Attempt attempt = ATTEMPT_DONE;
  if (pool)
    *slot = pool_take (&producer->pools, pool);
  else
    attempt = producer_find_slot (producer, call, kind, size, slot);
  if (attempt == ATTEMPT_DONE && kind == POOL_PAYLOAD
      && (slot->pool->n_free <= FEW_FREE || !pools->only[kind]))
    producer_note_need (producer, size);
  return attempt;
}

/* Growth; unlocked. */
DatahubResult producer_may_go_on (void *options);
DatahubResult producer_add_pool (DatahubProducer *producer, PoolKind kind,
    uint32_t n_slots, uint64_t stride, DatahubError *error);
void producer_drop_unfinished (DatahubProducer *producer);
DatahubResult producer_grow (DatahubProducer *producer, Call *call);
void producer_grow_ahead (DatahubProducer *producer, uint64_t size);
void producer_tidy (DatahubProducer *producer);

/* A row of a strict block that is being given away. */
typedef struct
{
  uint32_t row;
  uint32_t quota;
  int row_fd; /* to map */
  int token_fd; /* its lock lives as long as the consumer */
} RowAccess;

/* Strict blocks. */
DatahubResult strict_fail_memory (const char *what, DatahubError *error);
DatahubResult strict_make_rows (Reaper *reaper, DatahubError *error);
bool strict_reap_row (Reaper *reaper, uint32_t row);
StrictStatus strict_give_row (DatahubProducer *producer, uint32_t asked,
    RowAccess *access);
void strict_end_access (RowAccess *access);
void strict_free_rows (Reaper *reaper);
StrictStatus strict_judge (const Block *block, TicketBook *book,
    const uint8_t *secret, const StrictHello *hello);
StrictServer *strict_server_new (DatahubProducer *producer,
    const uint8_t *secret);
DatahubResult strict_server_open (StrictServer *server, DatahubError *error);
void strict_server_add_pool (StrictServer *server, uint32_t gen, PoolKind kind,
    int fd);
void strict_server_drop_pool (StrictServer *server, uint32_t gen);
void strict_server_close (StrictServer *server);
void strict_server_free (StrictServer *server);

/* Lifetime; unlocked. */
void producer_unref (DatahubProducer *producer);
void producer_free (DatahubProducer *producer); /* no other thread has it */

#endif /* DATAHUB_PRODUCER_PRIVATE_H */
