/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a consumer, and the functions that its files share. */
#ifndef DATAHUB_CONSUMER_PRIVATE_H
#define DATAHUB_CONSUMER_PRIVATE_H

#include "core/block/block-private.h"

#include <datahub/consumer.h>

#include <pthread.h>

/* Pools in the table, and old pools that leases keep mapped: one bit each. */
#define MAPPED_MAX 64u

/* A mapped pool, cached by generation and never by its position in the table
 * (P3). */
typedef struct _ConsumerPool ConsumerPool;
struct _ConsumerPool
{
  PoolShape shape;
  const uint8_t *map;
  uint64_t map_size;
  uint32_t id; /* index in mapped[] */
  ConsumerPool *next; /* in a list of pools to be freed */
};

/* The leases of this process on one record. Only the reading thread increments
 * the count from 0, without the lock; all other changes of the count need the
 * lock. The other fields are written by the reading thread while it has a
 * lease, and cleared with the last lease, under the lock. */
typedef struct
{
  shared_u32 leases;
  uint32_t n_slots; /* counted against the quota */
  /* Pools that hold the record or one of its contexts, by id: they stay mapped
   * while a lease of the record is held, even if the table has dropped them. */
  shared_u64 pools;
} HeldRecord;

/* The clock of the producer, see clock-offset.c. */
typedef struct
{
  /* Only for the reading thread. */
  const shared_u64 *turn; /* of the pairs; never moves without telemetry */
  uint64_t seen_turn; /* that `now` is of */
  uint64_t incarnation; /* of the producer that `now` is of */
  ClockOffset now;
  uint64_t former_incarnation; /* 0: none */
  int64_t former_offset_ns; /* records of that producer may still be read */
  bool maps; /* one of the two offsets is not 0 */
  /* Copies of `now`; any thread. */
  shared_u64 offset_ns;
  shared_u32 state;
} ConsumerClock;

struct _DatahubConsumer
{
  Block block; /* unchanged after attach */
  uint32_t generation;
  uint32_t row_index;
  ConsumerRow *row;
  RowExtra *extra; /* NULL: the rows of the block have none */
  uint64_t claim; /* of the row; a rejoin keeps it */
  bool reliable;
  bool notify;
  DatahubStart start;
  uint32_t asked; /* slots it wants to hold at most; 0: LEASES_DEFAULT */

  /* Guards held[] (see there), references, returned, mapped[] and stale.
   * Innermost lock; must not be held across a system call. */
  pthread_mutex_t lock;
  /* The caller's reference, locks, and leases minus the lent ones. The sum with
   * n_lent, modulo 2^64, is the number of all references. */
  uint64_t references;
  HeldRecord *held; /* per record; a record can be read more than once */
  ConsumerPool *mapped[MAPPED_MAX]; /* every pool that is mapped, by id */
  uint64_t stale; /* bits of pools that left the table; unmapped with the last
                     lease */
  shared_u64 returned; /* slots returned, of all that were lent */

  /* Guards the event and the limits of the row, and these. Innermost. */
  pthread_mutex_t mail_lock;
  uint64_t event_word; /* stored last */
  uint64_t limits_count, limits_size; /* stored last */

  /* Only for the reading thread; `busy` refuses a second one. Other threads can
   * load the counts. */
  shared_u32 busy;
  shared_u64 n_lent; /* leases */
  shared_u64 lent; /* slots */
  const shared_u64 *share_word; /* of a block without one: a 0 */
  uint64_t share; /* the share word that `limit` is of */
  bool is_counted; /* among the consumers that a share was for */
  uint64_t incarnation;
  uint64_t cursor;
  uint64_t join_head; /* tombstones below it are older than the join */
  bool gaps_are_losses; /* those, too, after joining again */
  bool
      joined_late; /* there were buffers to begin with, and none was read yet */
  uint64_t next_ordinal; /* DATAHUB_NONE: a gap is not a loss */
  uint64_t seen_incarnation; /* of the previous record; NONE: no record yet */
  uint64_t mourned; /* incarnation that was reported as dead, if `mourns` */
  bool mourns;
  uint64_t flush_mark; /* records from here on follow a flush */
  bool flush_pending;
  bool discont;
  bool need_key;
  bool expiring; /* delta units depend on a buffer that was too old */
  bool expiring_told; /* and a keyframe was requested */
  uint64_t pending_lost, pending_expired; /* reported with the next view */
  bool evicted;
  ConsumerPool *pools[2 * MAX_POOLS];
  uint32_t n_pools;
  uint32_t pools_seen;
  int64_t last_alive_check;
  uint64_t asked_incarnation; /* of the producer, as read before that check */
  uint64_t spin_ns;
  int64_t last_sleep_ns;
  int64_t waiting_since; /* of the wait that is under way; 0: none is */
  int64_t usual_ns; /* how long the last wait was that a wake ended */
  bool slept; /* since the buffer before */
  uint64_t latency_sum_ns, latency_count, latency_max_ns;
  ConsumerClock clock;

  /* Any thread. */
  shared_u32 interrupted;
  shared_u32 flush_word; /* futex; bumped by interrupts */
  shared_u32 limit; /* slots it may hold without a copy */
  shared_u64 max_age_ns; /* 0: none */
  shared_u64 n_received, n_lost, n_expired, n_damaged, n_over_quota, n_waits;
};

/* Whether the handle has no references; the lock must be held. A lease that
 * n_lent does not include yet was not ended either. So the sum is never too low
 * while the caller has the handle, and after that no lease is taken. */
static inline bool
consumer_is_unreferenced (const DatahubConsumer *consumer)
{
  return consumer->references + load_relaxed (&consumer->n_lent) == 0;
}

/* The number of held slots. In other threads than the reading one it may lag by
 * a lease, but is never below 0. */
static inline uint32_t
consumer_pinned (const DatahubConsumer *consumer)
{
  uint64_t returned = load_relaxed (&consumer->returned);
  uint64_t lent = load_relaxed (&consumer->lent);
  return lent > returned ? (uint32_t) (lent - returned) : 0;
}

static inline shared_u64 *
consumer_pin_word (const DatahubConsumer *consumer, uint32_t record)
{
  return &consumer->row->pins[record >> 6];
}

void consumer_pin_again (DatahubConsumer *consumer, uint32_t record);

/* Pins a record (B3). No lock is needed: if this consumer does not hold the
 * record, no other thread can take it, and the thread that released it stored
 * the 0 after clearing its bit. The reading thread. */
static inline void
consumer_pin (DatahubConsumer *consumer, uint32_t record)
{
  shared_u32 *leases = &consumer->held[record].leases;
  if (load_acquire (leases) != 0) {
    consumer_pin_again (consumer, record);
    return;
  }
  store_relaxed (leases, 1);
  or_seq (consumer_pin_word (consumer, record),
      UINT64_C (1) << (record & 63)); /* B3 */
  STEP (B3_PINNED);
}

/* A mapped pool, or NULL. The reading thread. */
static inline ConsumerPool *
consumer_find_pool (const DatahubConsumer *consumer, uint32_t gen)
{
  for (uint32_t i = 0; i < consumer->n_pools; i++)
    if (consumer->pools[i]->shape.gen == gen)
      return consumer->pools[i];
  return NULL;
}

/* A heartbeat: shows only that this process runs. Tools show consumers without
 * one, but no decision depends on it. A time of the producer's clock, as all times
 * in a block. Any thread. */
static inline void
consumer_beat (DatahubConsumer *consumer)
{
  int64_t offset = (int64_t) load_relaxed (&consumer->clock.offset_ns);
  store_relaxed (&consumer->row->heartbeat,
      clock_word_to_own ((uint64_t) os_now_coarse (), -offset));
  STEP (BEAT_STORED);
}

/* Whether a producer sleeps until an event in @bits (WAITING_). The load is
 * seq_cst and follows the seq_cst store or RMW that freed the space (W5):
 * either it sees the producer's bits, or the producer's last retry sees the
 * space. In the common case it is the only cost. */
static inline bool
consumer_is_room_wanted (const DatahubConsumer *consumer, uint32_t bits)
{
  return load_seq (&consumer->block.header->producer_waiting) & bits;
}

/* The producer's clock; the reading thread. */
void consumer_begin_clock (DatahubConsumer *consumer);
void consumer_follow_clock (DatahubConsumer *consumer);
void consumer_map_times (const DatahubConsumer *consumer, DatahubView *view);

/* Looks at the producer's clocks if there is a new pair: at most once a second. */
static inline void
consumer_check_clock (DatahubConsumer *consumer)
{
  if (load_acquire (consumer->clock.turn) != consumer->clock.seen_turn)
    consumer_follow_clock (consumer);
}

/* The row. */
DatahubResult consumer_claim_row (DatahubConsumer *consumer,
    const DatahubConsumerOptions *options, DatahubError *error);
void consumer_begin_share (DatahubConsumer *consumer);
void consumer_follow_share (DatahubConsumer *consumer, uint64_t word);

/* The extra part of the row. */
DatahubResult consumer_check_limits (const char *caps, DatahubError *error);
void consumer_occupy_extra (DatahubConsumer *consumer, const char *limits);
void consumer_note_latency (DatahubConsumer *consumer, const DatahubView *view);

/* Joining. */
DatahubResult consumer_join (DatahubConsumer *consumer, DatahubError *error);
uint64_t consumer_ordinal_at (DatahubConsumer *consumer, uint64_t s);
bool consumer_meets_tombstone (DatahubConsumer *consumer, uint64_t s);

/* The end. */
void consumer_ref (DatahubConsumer *consumer);
void consumer_unref (DatahubConsumer *consumer);
void consumer_end (DatahubConsumer *consumer);
void consumer_free (DatahubConsumer *consumer); /* it has no row */

/* Pins: B3 and B6. */
void consumer_unpin (DatahubConsumer *consumer, uint32_t record);
void consumer_lend (DatahubConsumer *consumer, DatahubView *view,
    uint64_t pools);
void consumer_keep_pools (DatahubConsumer *consumer, uint32_t record,
    uint64_t pools);

/* Views of pinned records; the reading thread. */
DatahubResult consumer_describe (DatahubConsumer *consumer, uint32_t index,
    uint64_t sequence, DatahubView *view, uint64_t *pools, DatahubError *error);
DatahubResult consumer_refuse (DatahubConsumer *consumer, uint64_t sequence,
    const char *what, DatahubError *error);

/* Pools; the reading thread. */
bool consumer_refresh_pools (DatahubConsumer *consumer, DatahubError *error);
void consumer_free_pools (ConsumerPool *first);
ConsumerPool *consumer_drop_pools (DatahubConsumer *consumer,
    uint64_t pools); /* the lock is held */

/* Waiting; the reading thread. */
DatahubResult consumer_sleep (DatahubConsumer *consumer, int64_t end);
bool consumer_producer_is_dead (DatahubConsumer *consumer);
bool consumer_block_is_over (const DatahubConsumer *consumer);
void consumer_bump_room (DatahubConsumer *consumer);
void consumer_kick (DatahubConsumer *consumer);
void consumer_kick_gate (DatahubConsumer *consumer, uint64_t to);

#endif /* DATAHUB_CONSUMER_PRIVATE_H */
