/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* User locks (tier 2 of the reference): spin a little, then sleep on a futex.
 *
 * The owner is named by participant, incarnation and thread, never by PID; it
 * is dead when the kernel has freed its lock byte, or the row was claimed anew.
 * The lock of a dead owner is taken by compare-and-swap on the word that names
 * the owner: exactly one contender gets it, with the result that the guarded
 * data may be half changed. An owner that is killed between any two steps
 * leaves either its name in the word (reclaimed) or zero (free).
 * Tests: core-lock, core-namespaces, core-connections */
#include "core/consumer/consumer-private.h"
#include "lock-private.h"
#include "core/producer/producer-private.h"
#include "core/base/result-private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* About the time of a wake-up: longer critical sections are worth a sleep. */
#define SPIN_NS (20 * 1000)
#define SPIN_ROUND 32
/* The leaving owner of a row has its byte for an instant more. */
#define BYTE_PATIENCE_NS (200 * NS_PER_MS)
#define BYTE_RETRY_NS (2 * NS_PER_MS)
/* Sleepers look for dead owners this often. */
#define LOCK_SLICE_NS ROOM_SLICE_NS

struct _DatahubSpinlock
{
  Block *block; /* of the handle that opened it, which outlives it */
  DatahubProducer *producer;
  DatahubConsumer *consumer;
  uint32_t generation;
  uint32_t index;
  UserLock *shared;
  uint32_t participant;
  shared_u32 interrupted;
  shared_u32 flush_word;
  /* the owner's; by the coarse clock: two looks at the other one would cost more
   * than the lock */
  int64_t locked_at;
};

static uint64_t
own_word (const DatahubSpinlock *lock)
{
  uint64_t incarnation = lock->consumer
      ? load_relaxed (&lock->consumer->row->claim)
      : load_relaxed (&lock->producer->block.header->incarnation);
  return OWNER_WORD (lock->participant, incarnation, os_thread ());
}

/* While the producer of a strict block is alive, its words show which consumers
 * are alive. When it is dead, these words are not updated any more, but a
 * consumer that uses locks holds the byte of its row. */
static bool
is_row_alive (const Block *block, uint32_t row)
{
  if (!block_row_is_alive (block, block->lck, row))
    return false;
  return block->client->keeps_row_byte || block_is_writer_alive (block)
      || !os_lock_is_free (block->lck, LOCK_BYTE_ROW + row);
}

/* The lock of the owner's byte must not be on @block's own description of the
 * lock file: an own lock looks free. */
LockOwner
lock_owner_of (const Block *block, uint64_t word)
{
  uint32_t participant = OWNER_PARTICIPANT (word);
  uint32_t row = participant - PARTICIPANT_ROW;
  bool dead;
  if (word == 0)
    return LOCK_OWNER_NONE;
  if (participant == PARTICIPANT_ABANDONED)
    return LOCK_OWNER_ABANDONED;
  if (participant == PARTICIPANT_PRODUCER)
    dead = (load_seq (&block->header->incarnation) & 0xffff)
            != OWNER_INCARNATION (word)
        || os_lock_is_free (block->lck, LOCK_BYTE_PRODUCER);
  else if (participant < PARTICIPANT_ROW || row >= block->g.max_rows)
    return LOCK_OWNER_NOBODY;
  else
    dead = (block_row_claim (block, row) & 0xffff) != OWNER_INCARNATION (word)
        || !is_row_alive (block, row);
  return dead ? LOCK_OWNER_DEAD : LOCK_OWNER_ALIVE;
}

static bool
is_dead (const DatahubSpinlock *lock, uint64_t word)
{
  if (OWNER_PARTICIPANT (word) == lock->participant)
    return OWNER_INCARNATION (word) != OWNER_INCARNATION (own_word (lock));
  return lock_owner_of (lock->block, word) != LOCK_OWNER_ALIVE;
}

static DatahubResult
own (DatahubSpinlock *lock, bool reclaimed)
{
  UserLock *shared = lock->shared;
  STEP (LOCK_OWNER_STORED);
  store_relaxed (&shared->depth, 1);
  store_relaxed (&shared->acquisitions,
      load_relaxed (&shared->acquisitions) + 1);
  STEP (LOCK_OWNED);
  lock->locked_at = os_now_coarse ();
  if (!reclaimed)
    return DATAHUB_OK;
  add_relaxed (&shared->reclaims, 1);
  STEP (LOCK_RECLAIMED);
  return DATAHUB_OWNER_DIED;
}

/* One try. %DATAHUB_TIMEOUT: another has it. @check: look whether it lives. */
static DatahubResult
try_lock (DatahubSpinlock *lock, uint64_t me, bool check)
{
  UserLock *shared = lock->shared;
  uint64_t word = load_seq (&shared->owner);
  if (word == me) {
    store_relaxed (&shared->depth, load_relaxed (&shared->depth) + 1);
    STEP (LOCK_DEPTH_RAISED);
    return DATAHUB_OK;
  }
  if (word == 0)
    return swap_u64_seq (&shared->owner, 0, me) ? own (lock, false)
                                                : DATAHUB_TIMEOUT;
  if (check && is_dead (lock, word) && swap_u64_seq (&shared->owner, word, me))
    return own (lock, true);
  return DATAHUB_TIMEOUT;
}

static DatahubResult
spin (DatahubSpinlock *lock, uint64_t me, int64_t end)
{
  int64_t until = os_now () + SPIN_NS;
  if (!os_may_spin ())
    return DATAHUB_TIMEOUT;
  if (end >= 0 && end < until)
    until = end;
  do {
    for (int i = 0; i < SPIN_ROUND; i++) {
      if (load_relaxed (&lock->shared->owner) == 0
          && try_lock (lock, me, false) == DATAHUB_OK)
        return DATAHUB_OK;
      spin_pause ();
    }
  } while (os_now () < until);
  return DATAHUB_TIMEOUT;
}

/* The waiter marks that it sleeps, tries once more, then sleeps. The owner
 * frees the word, then checks for a sleeper. So one of the two sees the
 * other. */
static DatahubResult
sleep_once (DatahubSpinlock *lock, uint64_t me, int64_t end)
{
  UserLock *shared = lock->shared;
  int64_t left = end < 0 ? LOCK_SLICE_NS : end - os_now ();
  uint32_t flush = load_seq (&lock->flush_word), turn;
  DatahubResult result;
  if (left <= 0)
    return DATAHUB_TIMEOUT;
  turn = load_seq (&shared->turn);
  store_seq (&shared->contended, 1);
  STEP (LOCK_CONTENDED_STORED);
  result = try_lock (lock, me, true);
  if (result != DATAHUB_TIMEOUT || load_seq (&lock->interrupted))
    return result;
  os_futex_wait (&shared->turn, turn, &lock->flush_word, flush,
      left < LOCK_SLICE_NS ? left : LOCK_SLICE_NS);
  STEP (LOCK_SLEPT);
  return try_lock (lock, me, true);
}

/**
 * datahub_spinlock_lock:
 * @lock: a lock
 * @timeout_ns: how long to wait; 0 tries
 *
 * Takes the lock; the thread that has it may take it again, and unlocks as
 * often. Spins some 20 µs, then sleeps; under a real-time policy it sleeps at
 * once, for a thread that spins there could keep the owner from running.
 *
 * Returns: %DATAHUB_OK; %DATAHUB_OWNER_DIED: taken too, but its last owner died
 *   with it, so the guarded data may be half changed; %DATAHUB_TIMEOUT;
 *   %DATAHUB_INTERRUPTED; %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_spinlock_lock (DatahubSpinlock *lock, int64_t timeout_ns)
{
  uint64_t me;
  int64_t end;
  DatahubResult result;
  if (lock->generation != os_generation ())
    return DATAHUB_ERROR_FORKED;
  me = own_word (lock);
  result = try_lock (lock, me, timeout_ns == 0);
  if (result != DATAHUB_TIMEOUT || timeout_ns == 0)
    return result;
  end = os_end_of (timeout_ns);
  result = spin (lock, me, end);
  while (result == DATAHUB_TIMEOUT) {
    if (load_seq (&lock->interrupted))
      return DATAHUB_INTERRUPTED;
    result = sleep_once (lock, me, end);
    if (result == DATAHUB_TIMEOUT && end >= 0 && os_now () >= end)
      return DATAHUB_TIMEOUT;
  }
  return result;
}

/**
 * datahub_spinlock_unlock:
 * @lock: a lock
 *
 * Gives back one lock of the calling thread. Does not block.
 *
 * Returns: %DATAHUB_OK, or %DATAHUB_ERROR_INVALID where another has it
 */
DatahubResult
datahub_spinlock_unlock (DatahubSpinlock *lock)
{
  UserLock *shared = lock->shared;
  uint32_t depth;
  uint64_t held;
  if (lock->generation != os_generation ())
    return DATAHUB_ERROR_FORKED;
  if (load_relaxed (&shared->owner) != own_word (lock))
    return DATAHUB_ERROR_INVALID;
  depth = load_relaxed (&shared->depth);
  if (depth > 1) {
    store_relaxed (&shared->depth, depth - 1);
    STEP (UNLOCK_DEPTH_LOWERED);
    return DATAHUB_OK;
  }
  held = (uint64_t) (os_now_coarse () - lock->locked_at);
  if (held > load_relaxed (&shared->max_hold_ns))
    store_relaxed (&shared->max_hold_ns, held);
  store_relaxed (&shared->depth, 0);
  STEP (UNLOCK_DEPTH_CLEARED);
  store_seq (&shared->owner, 0);
  STEP (UNLOCK_OWNER_CLEARED);
  if (!load_seq (&shared->contended) || !exchange_seq (&shared->contended, 0))
    return DATAHUB_OK;
  STEP (UNLOCK_CONTENDED_TAKEN);
  add_seq (&shared->turn, 1);
  STEP (UNLOCK_TURN_STEPPED);
  os_futex_wake (&shared->turn);
  return DATAHUB_OK;
}

void
datahub_spinlock_set_interrupted (DatahubSpinlock *lock, bool interrupted)
{
  store_seq (&lock->interrupted, interrupted);
  add_seq (&lock->flush_word, 1);
  os_futex_wake (&lock->flush_word);
}

void
lock_read_stats (const UserLock *shared, uint32_t index,
    DatahubSpinlockStats *stats)
{
  uint64_t owner = load_relaxed (&shared->owner);
  memset (stats, 0, sizeof *stats);
  stats->index = index;
  lock_registry_read_name (shared, stats->name);
  stats->locked =
      owner != 0 && OWNER_PARTICIPANT (owner) != PARTICIPANT_ABANDONED;
  stats->acquisitions = load_relaxed (&shared->acquisitions);
  stats->reclaims = load_relaxed (&shared->reclaims);
  stats->max_hold_ns = load_relaxed (&shared->max_hold_ns);
}

void
datahub_spinlock_get_stats (DatahubSpinlock *lock, DatahubSpinlockStats *stats)
{
  memset (stats, 0, sizeof *stats);
  if (lock->generation == os_generation ())
    lock_read_stats (lock->shared, lock->index, stats);
}

static DatahubResult
open_lock (Block *block, uint32_t index, DatahubSpinlock **lock,
    DatahubError *error)
{
  *lock = NULL;
  if (index >= N_USER_LOCKS)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "User lock %u does not exist: there are 0 to %u.", index,
        N_USER_LOCKS - 1);
  *lock = calloc (1, sizeof **lock);
  if (!*lock)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, 0, "Out of memory.");
  (*lock)->block = block;
  (*lock)->index = index;
  (*lock)->shared = &block->wake->user_locks[index];
  (*lock)->generation = os_generation ();
  return DATAHUB_OK;
}

static DatahubResult
fail_forked (DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_FORKED, 0,
      "The handle belongs to the parent process.");
}

DatahubResult
datahub_producer_open_spinlock (DatahubProducer *producer, uint32_t index,
    DatahubSpinlock **lock, DatahubError *error)
{
  DatahubResult result;
  *lock = NULL;
  result_begin (error);
  if (producer->generation != os_generation ())
    return fail_forked (error);
  result = open_lock (&producer->block, index, lock, error);
  if (result != DATAHUB_OK)
    return result;
  (*lock)->producer = datahub_producer_ref (producer);
  (*lock)->participant = PARTICIPANT_PRODUCER;
  return DATAHUB_OK;
}

/* A client of a strict block takes the byte of its row in lck, which has no
 * other use there: if the producer is dead and cannot report it, the byte shows
 * other clients that this one is alive. The previous owner of the row releases
 * the byte within an instant. */
static DatahubResult
take_row_byte (DatahubConsumer *consumer, DatahubError *error)
{
  const Block *block = &consumer->block;
  uint64_t byte = LOCK_BYTE_ROW + consumer->row_index;
  int64_t end = os_now () + BYTE_PATIENCE_NS;
  if (block->client->keeps_row_byte)
    return DATAHUB_OK; /* it has it since it attached */
  while (os_lock_try (block->lck, byte) != OS_LOCK_TAKEN) {
    if (os_now () > end)
      return result_fail (error, DATAHUB_ERROR_BUSY, 0,
          "Another process holds byte %u of the lock file, which must mark "
          "this consumer as alive.",
          (unsigned) byte);
    os_pause (BYTE_RETRY_NS);
  }
  STEP (LOCK_ROW_BYTE_TAKEN);
  return DATAHUB_OK;
}

DatahubResult
datahub_consumer_open_spinlock (DatahubConsumer *consumer, uint32_t index,
    DatahubSpinlock **lock, DatahubError *error)
{
  DatahubResult result;
  *lock = NULL;
  result_begin (error);
  if (consumer->generation != os_generation ())
    return fail_forked (error);
  result = take_row_byte (consumer, error);
  if (result == DATAHUB_OK)
    result = open_lock (&consumer->block, index, lock, error);
  if (result != DATAHUB_OK)
    return result;
  consumer_ref (consumer);
  (*lock)->consumer = consumer;
  (*lock)->participant = PARTICIPANT_ROW + consumer->row_index;
  return DATAHUB_OK;
}

/**
 * datahub_producer_open_named_spinlock:
 * @producer: a published producer
 * @name: 1 to 23 printable characters
 * @lock: (out): the lock
 * @error: (out) (optional): why it failed
 *
 * Opens the user lock with that name; the first call for a name gives it to a
 * lock without one. Takes up to 2 s if another process holds the names.
 *
 * Returns: %DATAHUB_OK; %DATAHUB_OWNER_DIED: opened too, but a process died
 * while it changed the names, which were checked and repaired; or a failure
 */
DatahubResult
datahub_producer_open_named_spinlock (DatahubProducer *producer,
    const char *name, DatahubSpinlock **lock, DatahubError *error)
{
  uint32_t index = 0;
  bool suspect = false;
  DatahubResult result;
  *lock = NULL;
  result_begin (error);
  if (producer->generation != os_generation ())
    return fail_forked (error);
  result = lock_registry_find (&producer->block, name, &index, &suspect, error);
  if (result == DATAHUB_OK)
    result = datahub_producer_open_spinlock (producer, index, lock, error);
  return result_end (error,
      result == DATAHUB_OK && suspect ? DATAHUB_OWNER_DIED : result);
}

DatahubResult
datahub_consumer_open_named_spinlock (DatahubConsumer *consumer,
    const char *name, DatahubSpinlock **lock, DatahubError *error)
{
  uint32_t index = 0;
  bool suspect = false;
  DatahubResult result;
  *lock = NULL;
  result_begin (error);
  if (consumer->generation != os_generation ())
    return fail_forked (error);
  result = lock_registry_find (&consumer->block, name, &index, &suspect, error);
  if (result == DATAHUB_OK)
    result = datahub_consumer_open_spinlock (consumer, index, lock, error);
  return result_end (error,
      result == DATAHUB_OK && suspect ? DATAHUB_OWNER_DIED : result);
}

/**
 * datahub_spinlock_close:
 * @lock: (transfer full) (nullable): a lock
 *
 * Closes the handle. A lock it still holds stays held until its participant is
 * gone: unlock first.
 */
void
datahub_spinlock_close (DatahubSpinlock *lock)
{
  if (!lock)
    return;
  if (lock->generation == os_generation ()) {
    if (lock->producer)
      datahub_producer_unref (lock->producer);
    if (lock->consumer)
      consumer_unref (lock->consumer);
  }
  free (lock);
}
