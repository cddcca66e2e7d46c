/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Forced release of one thing: a row, a record that a row holds, a slot, a user
 * lock. Only a dead holder loses the thing: a live program may be using it at
 * this moment, and would release it a second time later. So the release from a
 * live holder is refused with advice; the kernel releases all when that process
 * ends. Models: tests/model/repair.pml.
 * Tests: core-repair, cli-doctor */
#include "core/userlock/lock-private.h"
#include "repair-private.h"
#include "core/base/result-private.h"
#include "core/base/sized-private.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS (2 * NS_PER_S)

static const SizedType thing_type = { "DatahubHeldThing",
  "datahub_held_thing_init", SIZE_WITH (DatahubHeldThing, holder),
  sizeof (DatahubHeldThing) };

typedef struct
{
  Block block;
  int fd; /* of the lock file; holds byte 1 */
  DatahubError *error;
} Releaser;

static DatahubResult
refuse_living (Releaser *releaser, uint32_t i)
{
  DatahubConsumerInfo info;
  if (!row_read_info (&releaser->block, releaser->block.lck, i, &info))
    return result_fail (releaser->error, DATAHUB_ERROR_BUSY, 0,
        "Row %u belongs to a live process, which may be joining: nothing was "
        "released.",
        i);
  return result_fail (releaser->error, DATAHUB_ERROR_BUSY, 0,
      "The consumer \"%s\" (row %u) is alive and may use what it holds: "
      "nothing was released. End process %d to release all that it holds.",
      info.name, i, info.pid);
}

/* Takes the byte of row @i, which has a dead owner. */
static DatahubResult
lock_row (Releaser *releaser, uint32_t i)
{
  OsLock got = os_lock_try (releaser->fd, LOCK_BYTE_ROW + i);
  STEP (RELEASE_ROW_TRIED);
  if (got == OS_LOCK_TAKEN)
    return DATAHUB_OK;
  return refuse_living (releaser, i);
}

/* Whether row @i still belongs to consumer @consumer; 0: to any. */
static bool
is_meant (const Releaser *releaser, uint32_t i, uint64_t consumer)
{
  uint64_t incarnation =
      load_seq (&block_row (&releaser->block, i)->incarnation);
  return consumer == 0 || consumer == (incarnation << 8 | i);
}

static DatahubResult
fail_gone (Releaser *releaser, const char *what, uint32_t index)
{
  return result_fail (releaser->error, DATAHUB_ERROR_NOT_FOUND, 0,
      "No process holds %s %u any more, or another one holds it.", what, index);
}

static DatahubResult
release_row (Releaser *releaser, uint32_t i, uint64_t consumer)
{
  DatahubResult result = DATAHUB_OK;
  if (i >= releaser->block.g.max_rows)
    return fail_gone (releaser, "row", i);
  if (!is_meant (releaser, i, consumer) || row_is_neutral (&releaser->block, i))
    return fail_gone (releaser, "row", i);
  result = lock_row (releaser, i);
  if (result != DATAHUB_OK)
    return result;
  if (!is_meant (releaser, i, consumer) || row_is_neutral (&releaser->block, i))
    result = fail_gone (releaser, "row", i);
  else
    row_clean (&releaser->block, i);
  os_lock_drop (releaser->fd, LOCK_BYTE_ROW + i);
  return result;
}

static bool
holds (const Block *block, uint32_t i, uint32_t record)
{
  return load_seq (&block_row (block, i)->pins[record >> 6]) >> (record & 63)
      & 1;
}

/* Clears one bit. The owner is dead, and the row cannot be taken meanwhile,
 * since that needs its byte. */
static DatahubResult
release_pin (Releaser *releaser, uint32_t i, uint32_t record, uint64_t consumer)
{
  DatahubResult result;
  if (i >= releaser->block.g.max_rows || record >= releaser->block.g.n_recs
      || !is_meant (releaser, i, consumer)
      || !holds (&releaser->block, i, record))
    return fail_gone (releaser, "record", record);
  result = lock_row (releaser, i);
  if (result != DATAHUB_OK)
    return result;
  if (!is_meant (releaser, i, consumer))
    result = fail_gone (releaser, "row", i);
  else
    and_seq (&block_row (&releaser->block, i)->pins[record >> 6],
        ~(UINT64_C (1) << (record & 63)));
  STEP (RELEASE_PIN_CLEARED);
  os_lock_drop (releaser->fd, LOCK_BYTE_ROW + i);
  return result;
}

static bool
has_bytes_in (const BlockRecord *record, uint32_t gen, uint32_t slot)
{
  for (uint32_t i = 0; i < record->n_mem && i < MEMORIES_MAX; i++)
    if (record->mem[i].gen == gen && record->mem[i].slot == slot)
      return true;
  return record->meta_gen == gen && gen && record->meta_slot == slot;
}

typedef enum
{
  PASS_TEST, /* whether a holder lives */
  PASS_RELEASE
} Pass;

/* Every pin of a row on a record with bytes in that slot. */
static DatahubResult
visit_row (Releaser *releaser, uint32_t i, uint32_t gen, uint32_t slot,
    Pass pass, uint32_t *n)
{
  const Block *block = &releaser->block;
  for (uint32_t r = 0; r < block->g.n_recs; r++) {
    BlockRecord record;
    DatahubResult result;
    if (!holds (block, i, r))
      continue;
    copy_unpinned (&record, block_record (block, r),
        offsetof (BlockRecord, inline_bytes));
    if (!has_bytes_in (&record, gen, slot))
      continue;
    (*n)++;
    if (block_row_is_alive (block, block->lck, i))
      return refuse_living (releaser, i);
    if (pass == PASS_TEST)
      continue;
    result = release_pin (releaser, i, r, 0);
    if (result != DATAHUB_OK && result != DATAHUB_ERROR_NOT_FOUND)
      return result;
  }
  return DATAHUB_OK;
}

/* All of its holders are dead, or nothing is released. */
static DatahubResult
release_slot (Releaser *releaser, uint32_t gen, uint32_t slot)
{
  static const Pass passes[] = { PASS_TEST, PASS_RELEASE };
  uint32_t n = 0;
  for (size_t p = 0; p < 2; p++)
    for (uint32_t i = 0; i < releaser->block.g.max_rows; i++) {
      DatahubResult result = visit_row (releaser, i, gen, slot, passes[p], &n);
      if (result != DATAHUB_OK)
        return result;
    }
  if (n)
    return DATAHUB_OK;
  return result_fail (releaser->error, DATAHUB_ERROR_NOT_FOUND, 0,
      "No consumer holds slot %u of pool %u. It is free, in the ring, or lent to "
      "the producing program, which gives it back when it ends.",
      slot, gen);
}

static DatahubResult
release_lock (Releaser *releaser, uint32_t i, uint64_t owner)
{
  UserLock *lock;
  uint64_t word;
  LockOwner kind;
  if (i >= N_USER_LOCKS)
    return fail_gone (releaser, "user lock", i);
  lock = &releaser->block.wake->user_locks[i];
  word = load_seq (&lock->owner);
  kind = lock_owner_of (&releaser->block, word);
  if (kind == LOCK_OWNER_NONE || kind == LOCK_OWNER_ABANDONED
      || (owner && owner != word))
    return fail_gone (releaser, "user lock", i);
  if (kind != LOCK_OWNER_ALIVE)
    return repair_abandon (lock, word) ? DATAHUB_OK
                                       : fail_gone (releaser, "user lock", i);
  if (OWNER_PARTICIPANT (word) != PARTICIPANT_PRODUCER)
    return refuse_living (releaser, OWNER_PARTICIPANT (word) - PARTICIPANT_ROW);
  return result_fail (releaser->error, DATAHUB_ERROR_BUSY, 0,
      "The producer holds user lock %u (thread %u) and is alive: nothing was "
      "released. End the producer to release the lock.",
      i, OWNER_THREAD (word));
}

static DatahubResult
release (Releaser *releaser, const DatahubHeldThing *thing)
{
  switch (thing->kind) {
    case DATAHUB_HELD_ROW:
      return release_row (releaser, thing->row, thing->holder);
    case DATAHUB_HELD_RECORD:
      return release_pin (releaser, thing->row, thing->record, thing->holder);
    case DATAHUB_HELD_SLOT:
      return release_slot (releaser, thing->pool, thing->slot);
    case DATAHUB_HELD_LOCK:
      return release_lock (releaser, thing->lock, thing->holder);
  }
  return result_fail (releaser->error, DATAHUB_ERROR_INVALID, 0,
      "%d is not a kind of thing that can be released.", (int) thing->kind);
}

void
datahub_held_thing_init_sized (DatahubHeldThing *thing, size_t struct_size,
    DatahubHeldKind kind)
{
  DatahubHeldThing defaults = { .struct_size = struct_size, .kind = kind };
  sized_out (thing, struct_size, &defaults, sizeof defaults);
}

/**
 * datahub_block_release:
 * @channel: the name of a block
 * @thing: what to release, and its holder
 * @error: (out) (optional): why it failed
 *
 * Releases one thing that a dead process holds. `holder` is the expected
 * holder: the id of a consumer (#DatahubConsumerInfo), or the owner word of a
 * lock (#DatahubLockInfo); 0: any. Takes nothing from a live holder, as shown
 * by kernel locks: the result is then %DATAHUB_ERROR_BUSY, and @error names the
 * process to end. Takes up to 2 s if another process repairs the block. Any
 * thread.
 *
 * Returns: %DATAHUB_OK; %DATAHUB_ERROR_BUSY: its holder is alive, or another
 * repairer is running; %DATAHUB_ERROR_NOT_FOUND: there is nothing to release,
 * or another holds it by now; or a failure
 */
DatahubResult
datahub_block_release (const char *channel, const DatahubHeldThing *thing,
    DatahubError *error)
{
  Releaser releaser = { .error = error };
  DatahubHeldThing known = { 0 };
  DatahubResult result;
  result_begin (error);
  result = sized_in (&thing_type, &known, thing, error);
  if (result == DATAHUB_OK)
    result = block_open (&releaser.block, channel, ACCESS_CONSUME, error);
  if (result != DATAHUB_OK)
    return result_end (error, result);
  result = repair_lock (&releaser.block, PATIENCE_NS, &releaser.fd, error);
  if (result == DATAHUB_OK) {
    result = release (&releaser, &known);
    os_close_lock_fd (releaser.fd);
    if (result == DATAHUB_OK)
      block_attend (&releaser.block);
  }
  block_release (&releaser.block);
  return result_end (error, result);
}
