/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user locks of a block. They guard what users keep in the flexible zone;
 * the stream itself needs none. A handle may be used from any thread; the thread
 * that locks must unlock. */
#ifndef DATAHUB_LOCK_H
#define DATAHUB_LOCK_H

#include <datahub/consumer.h>
#include <datahub/producer.h>

DATAHUB_BEGIN_DECLS

#define DATAHUB_N_SPINLOCKS 8
#define DATAHUB_SPINLOCK_NAME_MAX 24 /* with the end */

typedef struct _DatahubSpinlock DatahubSpinlock;

/* Of all processes together. Frozen: DatahubLockInfo contains it. */
typedef struct
{
  uint32_t index; /* 0 to DATAHUB_N_SPINLOCKS - 1 */
  char name[DATAHUB_SPINLOCK_NAME_MAX]; /* empty: none */
  bool locked;
  uint64_t acquisitions;
  uint32_t reclaims; /* taken from dead owners */
  uint64_t max_hold_ns; /* the longest time it was held; a resolution of some
                           milliseconds */
  uint64_t reserved[2]; /* 0 */
} DatahubSpinlockStats;

/* Open lock @index of the block of a handle, which stays alive as long as the
 * lock is open; the caller closes @lock, NULL on failure. Do not block; for the
 * consumer of a strict block up to 0.2 s. Fail with INVALID, BUSY, SYSTEM or
 * FORKED. */
DATAHUB_API DatahubResult
datahub_producer_open_spinlock (DatahubProducer *producer, uint32_t index,
    DatahubSpinlock **lock, DatahubError *error);
DATAHUB_API DatahubResult
datahub_consumer_open_spinlock (DatahubConsumer *consumer, uint32_t index,
    DatahubSpinlock **lock, DatahubError *error);
/* The same for the lock called @name, 1 to 23 printable characters; a lock
 * without a name gets it. The block must be published. Take up to 2 s if another
 * process changes the names. OWNER_DIED: opened, the names were repaired. Fail
 * also with NAME or FULL. */
DATAHUB_API DatahubResult
datahub_producer_open_named_spinlock (DatahubProducer *producer,
    const char *name, DatahubSpinlock **lock, DatahubError *error);
DATAHUB_API DatahubResult
datahub_consumer_open_named_spinlock (DatahubConsumer *consumer,
    const char *name, DatahubSpinlock **lock, DatahubError *error);
/* Closes the handle; NULL is ignored. Unlock first: a lock that it holds stays
 * held until its producer or consumer is gone. */
DATAHUB_API void datahub_spinlock_close (DatahubSpinlock *lock);

/* Takes the lock, which the owning thread may take again. Spins some 20 us, then
 * sleeps. OK; OWNER_DIED: taken, but what it guards may be half changed; TIMEOUT,
 * INTERRUPTED, FORKED. */
DATAHUB_API DatahubResult datahub_spinlock_lock (DatahubSpinlock *lock,
    int64_t timeout_ns);
/* Undoes one lock of the calling thread. Does not block. OK, INVALID (the thread
 * does not hold it), FORKED. */
DATAHUB_API DatahubResult datahub_spinlock_unlock (DatahubSpinlock *lock);
/* While @interrupted is true, waits of this handle end with INTERRUPTED. Does not
 * block. */
DATAHUB_API void datahub_spinlock_set_interrupted (DatahubSpinlock *lock,
    bool interrupted);
/* A snapshot, all 0 in a forked process. Does not block. */
DATAHUB_API void datahub_spinlock_get_stats (DatahubSpinlock *lock,
    DatahubSpinlockStats *stats);

DATAHUB_END_DECLS

#endif /* DATAHUB_LOCK_H */
