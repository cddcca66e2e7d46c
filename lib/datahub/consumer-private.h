/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_CONSUMER_PRIVATE_H
#define DATAHUB_CONSUMER_PRIVATE_H

#include "block-private.h"

#include <datahub/consumer.h>

#include <pthread.h>

/* Pools of the table, and old ones that leases keep mapped: one bit each. */
#define MAPPED_MAX 64u

/* A mapped pool, cached by generation, never by its place in the table (P3). */
typedef struct
{
  PoolShape shape;
  const uint8_t *map;
  uint64_t map_size;
  uint32_t id; /* index in mapped[] */
  uint32_t leases; /* guarded by the consumer's lock, as stale */
  bool stale; /* gone from the table: unmap with the last lease */
} ConsumerPool;

typedef struct
{
  uint32_t leases;
  uint32_t n_slots; /* counted against the quota */
  /* Pools that contexts of this record were shown from, by id: they stay
   * mapped as long as its lease, whatever the table says. */
  uint64_t context_pools;
} HeldRecord;

struct _DatahubConsumer
{
  Block block; /* unchanged after attach */
  uint32_t generation;
  uint32_t row_index;
  ConsumerRow *row;
  bool reliable;
  bool notify;
  DatahubStart start;
  uint32_t quota;

  /* Guards held[], pinned, references, mapped[] and the counts of leases;
   * innermost, never held across a system call. */
  pthread_mutex_t lock;
  uint32_t references; /* the caller's one, and one a lease */
  HeldRecord *held; /* per record: the same one may be read twice */
  uint32_t pinned; /* slots */
  ConsumerPool *mapped[MAPPED_MAX]; /* every pool that is mapped, by id */

  /* The reading thread's own; `busy` refuses a second one. */
  shared_u32 busy;
  uint64_t incarnation;
  uint64_t cursor;
  uint64_t join_head; /* tombstones below it are older than the join */
  bool gaps_are_losses; /* also those: it joined again, after an eviction */
  uint64_t next_ordinal; /* DATAHUB_NONE: whatever comes is not a loss */
  uint64_t seen_incarnation; /* of the record before; NONE: there was none */
  uint64_t mourned; /* incarnation whose death was told, if `mourns` */
  bool mourns;
  uint64_t flush_mark; /* records from here on follow a flush */
  bool flush_pending;
  bool discont;
  bool need_key;
  bool expiring; /* delta units depend on a buffer that was too old */
  bool expiring_told; /* and the producer was asked for a keyframe */
  uint64_t pending_lost, pending_expired; /* to be told with the next view */
  bool evicted;
  ConsumerPool *pools[2 * MAX_POOLS];
  uint32_t n_pools;
  uint32_t pools_seen;
  int64_t last_alive_check;
  uint64_t asked_incarnation; /* of the producer, before that check */
  uint64_t spin_ns;
  int64_t last_sleep_ns;

  /* Any thread. */
  shared_u32 interrupted;
  shared_u32 flush_word; /* futex; bumped by interrupts */
  shared_u64 max_age_ns; /* 0: none */
  shared_u64 n_received, n_lost, n_expired, n_damaged, n_over_quota, n_waits;
};

/* Attaching. */
void consumer_choose_start (DatahubConsumer *consumer, uint64_t oldest);
uint64_t consumer_ordinal_at (DatahubConsumer *consumer, uint64_t s);
bool consumer_meets_tombstone (DatahubConsumer *consumer, uint64_t s);
void consumer_ref (DatahubConsumer *consumer);
void consumer_unref (DatahubConsumer *consumer);
void consumer_end (DatahubConsumer *consumer);

/* Pins: B3 and B6. Any thread. */
void consumer_pin (DatahubConsumer *consumer, uint32_t record);
void consumer_unpin (DatahubConsumer *consumer, uint32_t record);
void consumer_lend (DatahubConsumer *consumer, DatahubView *view);

/* Views of pinned records; the reading thread. */
DatahubResult consumer_describe (DatahubConsumer *consumer, uint32_t index,
    uint64_t sequence, DatahubView *view, DatahubError *error);
DatahubResult consumer_refuse (DatahubConsumer *consumer, uint64_t sequence,
    const char *what, DatahubError *error);

/* Pools; the reading thread. */
bool consumer_refresh_pools (DatahubConsumer *consumer, DatahubError *error);
ConsumerPool *consumer_find_pool (DatahubConsumer *consumer, uint32_t gen);
void consumer_free_pool (ConsumerPool *pool);
bool consumer_drop_pool (DatahubConsumer *consumer,
    ConsumerPool *pool); /* the lock is held */

/* Waiting; the reading thread. */
DatahubResult consumer_sleep (DatahubConsumer *consumer, int64_t end);
bool consumer_is_orphaned (DatahubConsumer *consumer);
void consumer_beat (DatahubConsumer *consumer); /* any thread */
bool consumer_is_forsaken (const DatahubConsumer *consumer);
bool consumer_is_room_wanted (const DatahubConsumer *consumer);
void consumer_bump_room (DatahubConsumer *consumer);
void consumer_kick (DatahubConsumer *consumer);
void consumer_kick_gate (DatahubConsumer *consumer, uint64_t to);

#endif /* DATAHUB_CONSUMER_PRIVATE_H */
