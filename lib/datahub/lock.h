/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_LOCK_H
#define DATAHUB_LOCK_H

#include <datahub/consumer.h>
#include <datahub/producer.h>

DATAHUB_BEGIN_DECLS

#define DATAHUB_N_SPINLOCKS 8
#define DATAHUB_SPINLOCK_NAME_MAX 24

/* One of the eight user locks of a block, by index or by name. They guard what
 * users keep in the flexible zone; the stream itself needs none. */
typedef struct _DatahubSpinlock DatahubSpinlock;

typedef struct
{
  uint32_t index;
  char name[DATAHUB_SPINLOCK_NAME_MAX]; /* empty: none */
  bool locked;
  uint64_t acquisitions;
  uint32_t reclaims; /* taken from dead owners */
  uint64_t max_hold_ns; /* the longest anybody held it, in ticks of some ms */
} DatahubSpinlockStats;

DATAHUB_API DatahubResult
datahub_producer_open_spinlock (DatahubProducer *producer, uint32_t index,
    DatahubSpinlock **lock, DatahubError *error);
DATAHUB_API DatahubResult
datahub_producer_open_named_spinlock (DatahubProducer *producer,
    const char *name, DatahubSpinlock **lock, DatahubError *error);
DATAHUB_API DatahubResult
datahub_consumer_open_spinlock (DatahubConsumer *consumer, uint32_t index,
    DatahubSpinlock **lock, DatahubError *error);
DATAHUB_API DatahubResult
datahub_consumer_open_named_spinlock (DatahubConsumer *consumer,
    const char *name, DatahubSpinlock **lock, DatahubError *error);
DATAHUB_API void datahub_spinlock_close (DatahubSpinlock *lock);

DATAHUB_API DatahubResult datahub_spinlock_lock (DatahubSpinlock *lock,
    int64_t timeout_ns);
DATAHUB_API DatahubResult datahub_spinlock_unlock (DatahubSpinlock *lock);
DATAHUB_API void datahub_spinlock_set_interrupted (DatahubSpinlock *lock,
    bool interrupted);
DATAHUB_API void datahub_spinlock_get_stats (DatahubSpinlock *lock,
    DatahubSpinlockStats *stats);

DATAHUB_END_DECLS

#endif /* DATAHUB_LOCK_H */
