/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repair of a block in place: cleans up after dead processes at once, before
 * another process needs the space. Nothing else is changed: damage is not
 * repaired by guessing, and nothing is taken from a live process.
 *
 * Only the kernel's locks are evidence. Each change is made under the lock byte
 * that proves the death, or by a compare-and-swap of the word that names the
 * dead owner. Repairers exclude each other by byte 1. If one dies, the kernel
 * frees the byte and the next repairer completes the work: each action can be
 * repeated. Models: tests/model/repair.pml, strays.pml.
 * Tests: core-repair, core-hostile-integrity, stress-sweep */
#include "integrity-private.h"
#include "core/userlock/lock-private.h"
#include "repair-private.h"
#include "core/base/result-private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS (2 * NS_PER_MS)
/* More generations than a block has at once are a lie. */
#define GENS_MAX (4 * MAX_POOLS)
/* Every row and lock, the names, the pool files, the block itself. */
#define ACTIONS_MAX (MAX_ROWS + N_USER_LOCKS + 4)

/* Actions are reported after all locks are released. */
typedef struct
{
  Block *block;
  int fd; /* of the lock file, own description; < 0 on a dry run */
  uint32_t flags;
  DatahubRepair actions[ACTIONS_MAX];
  uint32_t n_actions;
} Repairer;

static const char *const names[DATAHUB_N_REPAIRS] = {
  [DATAHUB_REPAIR_ROW] = "row",
  [DATAHUB_REPAIR_LOCK] = "lock",
  [DATAHUB_REPAIR_NAMES] = "names",
  [DATAHUB_REPAIR_POOL_FILES] = "pool-files",
  [DATAHUB_REPAIR_CLOSE] = "close",
};

const char *
datahub_repair_name (DatahubRepairKind kind)
{
  return (unsigned) kind < DATAHUB_N_REPAIRS ? names[kind] : "unknown";
}

static void note (Repairer *repairer, DatahubRepairKind kind, uint32_t index,
    const char *format, ...) __attribute__ ((format (printf, 4, 5)));

static void
note (Repairer *repairer, DatahubRepairKind kind, uint32_t index,
    const char *format, ...)
{
  DatahubRepair *action;
  va_list args;
  if (repairer->n_actions == ACTIONS_MAX)
    return;
  action = &repairer->actions[repairer->n_actions++];
  action->kind = kind;
  action->index = index;
  va_start (args, format);
  vsnprintf (action->message, sizeof action->message, format, args);
  va_end (args);
}

/* A description of the lock file of its own: one's own locks look free (D3). */
int
repair_open_lock_file (const Block *block)
{
  FileName name = name_part (block->user, &block->uuid, "lck");
  int fd = os_open_lock_fd (block->dir, name.text, true);
  if (fd < 0 || os_same_file (block->lck, block->dir, name.text))
    return fd;
  os_close_lock_fd (fd);
  return -1;
}

/* Takes byte 1, in at most @timeout_ns (< 0: for ever). */
DatahubResult
repair_lock (const Block *block, int64_t timeout_ns, int *fd,
    DatahubError *error)
{
  int64_t end = os_end_of (timeout_ns);
  *fd = repair_open_lock_file (block);
  if (*fd < 0)
    return result_fail (error, DATAHUB_ERROR_NOT_FOUND, errno,
        "The DataBlock \"%s\" was just removed.", block->channel);
  for (;;) {
    OsLock got = os_lock_try (*fd, LOCK_BYTE_JANITOR);
    if (got == OS_LOCK_TAKEN)
      return DATAHUB_OK;
    if (got == OS_LOCK_ERROR || (end >= 0 && os_now () >= end))
      break;
    os_pause (RETRY_NS);
  }
  os_close_lock_fd (*fd);
  *fd = -1;
  return result_fail (error, DATAHUB_ERROR_BUSY, 0,
      "Another process is repairing the DataBlock \"%s\".", block->channel);
}

static bool
is_dry (const Repairer *repairer)
{
  return repairer->fd < 0;
}

/* Called with the row's byte held: its owner is dead, and the row cannot be
 * taken meanwhile. */
static bool
clean_row (Repairer *repairer, uint32_t i)
{
  bool cleaned = false;
  if (os_lock_try (repairer->fd, LOCK_BYTE_ROW + i) != OS_LOCK_TAKEN)
    return false;
  STEP (REPAIR_ROW_LOCKED);
  if (!row_is_neutral (repairer->block, i)) {
    row_clean (repairer->block, i);
    cleaned = true;
  }
  os_lock_drop (repairer->fd, LOCK_BYTE_ROW + i);
  STEP (REPAIR_ROW_UNLOCKED);
  return cleaned;
}

static void
repair_rows (Repairer *repairer)
{
  Block *block = repairer->block;
  uint32_t cleaned = 0;
  for (uint32_t i = 0; i < block->g.max_rows; i++) {
    DatahubConsumerInfo info;
    if (row_is_neutral (block, i) || block_row_is_alive (block, block->lck, i))
      continue;
    if (!row_read_info (block, block->lck, i, &info))
      info.pins = 0, info.pid = 0, info.name[0] = 0;
    if (!is_dry (repairer) && !clean_row (repairer, i))
      continue;
    cleaned++;
    note (repairer, DATAHUB_REPAIR_ROW, i,
        "The row of the dead consumer \"%s\" (process %d, row %u) is cleaned; "
        "%u records are released.",
        info.name, info.pid, i, info.pins);
  }
  if (cleaned && !is_dry (repairer))
    block_attend (block);
}

/* Replaces the dead owner by "abandoned": the next thread that takes the lock
 * gets the same result as if it had found the dead owner itself. */
bool
repair_abandon (UserLock *lock, uint64_t owner)
{
  if (!swap_u64_seq (&lock->owner, owner,
          OWNER_WORD (PARTICIPANT_ABANDONED, 0, 0)))
    return false;
  STEP (REPAIR_LOCK_ABANDONED);
  add_seq (&lock->turn, 1);
  os_futex_wake (&lock->turn);
  return true;
}

static void
repair_locks (Repairer *repairer)
{
  const Block *block = repairer->block;
  for (uint32_t i = 0; i < N_USER_LOCKS; i++) {
    UserLock *lock = &block->wake->user_locks[i];
    uint64_t owner = load_seq (&lock->owner);
    LockOwner kind = lock_owner_of (block, owner);
    char name[DATAHUB_SPINLOCK_NAME_MAX];
    if (kind != LOCK_OWNER_DEAD && kind != LOCK_OWNER_NOBODY)
      continue;
    if (!is_dry (repairer) && !repair_abandon (lock, owner))
      continue; /* another thread took it meanwhile, with that result */
    lock_registry_read_name (lock, name);
    note (repairer, DATAHUB_REPAIR_LOCK, i,
        "User lock %u%s%s%s is taken from its dead owner; the next thread that "
        "takes it gets that result.",
        i, name[0] ? " (" : "", name, name[0] ? ")" : "");
  }
}

static void
repair_names (Repairer *repairer)
{
  Block *block = repairer->block;
  bool dirty = load_seq (&block->wake->registry_dirty)
      && os_lock_is_free (block->lck, LOCK_BYTE_REGISTRY);
  if (!dirty)
    return;
  if (!is_dry (repairer)
      && (lock_registry_repair (block, &dirty, NULL) != DATAHUB_OK || !dirty))
    return;
  note (repairer, DATAHUB_REPAIR_NAMES, 0,
      "The names of the user locks are checked, and invalid ones are removed.");
}

/* Generations of the files that stay. */
typedef struct
{
  uint32_t gens[GENS_MAX];
  uint32_t n;
  bool doubtful; /* the table is damaged: then every file stays */
} Kept;

static void
keep (Kept *kept, uint32_t gen)
{
  for (uint32_t i = 0; i < kept->n; i++)
    if (kept->gens[i] == gen)
      return;
  if (kept->n == GENS_MAX)
    kept->doubtful = true;
  else
    kept->gens[kept->n++] = gen;
}

static void
keep_table (const Block *block, Kept *kept)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    PoolShape shape;
    int number;
    if (load_seq (&block->pools[i].gen) == 0)
      continue;
    if (!pool_shape_read (&block->pools[i], &shape)
        || pool_fault_of_file (block, &shape, &number))
      kept->doubtful = true;
    else
      keep (kept, shape.gen);
  }
}

/* A pool leaves the table only when no record refers to it. If a record refers
 * to a pool that is not in the table, the table was overwritten. */
static void
keep_referred (const Block *block, Kept *kept)
{
  for (uint32_t i = 0; i < block->g.ring_size; i++) {
    uint32_t index = RING_RECORD (load_seq (&block->ring[i]));
    BlockRecord record;
    if (index >= block->g.n_recs)
      continue;
    copy_unpinned (&record, block_record (block, index),
        offsetof (BlockRecord, inline_bytes));
    for (uint32_t m = 0; m < record.n_mem && m < MEMORIES_MAX; m++)
      keep (kept, record.mem[m].gen);
    if (record.meta_gen)
      keep (kept, record.meta_gen);
  }
}

/* Pool files that are in no table. Byte 0 is held, so the block cannot grow. */
static void
remove_stray_pools (Repairer *repairer)
{
  const Block *block = repairer->block;
  Kept kept = { .n = 0 };
  uint32_t strays;
  keep_table (block, &kept);
  keep_referred (block, &kept);
  if (kept.doubtful)
    return;
  strays = block_count_stray_pools (block, kept.gens, kept.n);
  if (strays == 0)
    return;
  if (!is_dry (repairer))
    block_unlink_stray_pools (block, kept.gens, kept.n);
  note (repairer, DATAHUB_REPAIR_POOL_FILES, strays,
      "%u file%s of pools that the dead producer added or removed when it died "
      "%s removed.",
      strays, strays > 1 ? "s" : "", strays > 1 ? "are" : "is");
}

static bool
is_unfinished (uint32_t state)
{
  return state != DATAHUB_STATE_CLOSED && state != DATAHUB_STATE_MOVED;
}

static void
close_block (Repairer *repairer)
{
  const Block *block = repairer->block;
  uint32_t state = load_seq (&block->header->state);
  if (!is_unfinished (state))
    return;
  if (!is_dry (repairer))
    block_close_for_the_dead (block->channel, &block->uuid);
  note (repairer, DATAHUB_REPAIR_CLOSE, 0,
      "The block is closed for its dead producer, and its consumers are woken: "
      "they read all committed records, then their stream ends.");
}

/* Holding byte 0 proves that the producer is dead, and that no other starts
 * meanwhile. The entry must still refer to this block. */
static void
repair_producers_part (Repairer *repairer)
{
  const Block *block = repairer->block;
  FileName entry = name_entry (block->user, block->channel);
  if (block_is_writer_alive (block)
      || (!is_dry (repairer)
          && os_lock_try (repairer->fd, LOCK_BYTE_PRODUCER) != OS_LOCK_TAKEN))
    return;
  STEP (REPAIR_BYTE_0_TRIED);
  if (os_same_file (block->lck, block->dir, entry.text)) {
    remove_stray_pools (repairer);
    if (repairer->flags & DATAHUB_REPAIR_CLOSE_DEAD)
      close_block (repairer);
  }
  if (!is_dry (repairer))
    os_lock_drop (repairer->fd, LOCK_BYTE_PRODUCER);
}

static void
tell (const Repairer *repairer, DatahubRepairFunc func, void *user_data,
    uint32_t *n_done)
{
  *n_done = repairer->n_actions;
  for (uint32_t i = 0; i < repairer->n_actions && func; i++)
    func (&repairer->actions[i], user_data);
}

static void
repair_everything (Repairer *repairer)
{
  STEP (REPAIR_LOCKED);
  repair_rows (repairer);
  repair_locks (repairer);
  repair_names (repairer);
  repair_producers_part (repairer);
  if (!is_dry (repairer))
    os_close_lock_fd (repairer->fd);
  STEP (REPAIR_UNLOCKED);
}

/* A closed block that no process has open is removed, as its last reader would
 * do. */
static void
remove_if_unused (const Block *block, uint32_t flags)
{
  if ((flags & DATAHUB_REPAIR_CLOSE_DEAD) && !(flags & DATAHUB_REPAIR_DRY_RUN)
      && load_seq (&block->header->state) == DATAHUB_STATE_CLOSED)
    block_reclaim_dead (block->dir, block->user, &block->uuid);
}

/**
 * datahub_block_repair:
 * @channel: the name of a block
 * @flags: #DatahubRepairFlags
 * @timeout_ns: how long to wait for another repairer; 0 does not, < 0 for ever
 * @func: (nullable): called for each action, after all of them
 * @user_data: passed to @func
 * @n_done: (out): how many there were
 * @error: (out) (optional): why it failed
 *
 * Cleans up after dead programs in a block, as far as that is safe while other
 * programs use it: rows of dead consumers, user locks of dead owners (the next
 * thread that takes one gets %DATAHUB_OWNER_DIED), names of locks that were half
 * changed, files of pools that are in no table. Nothing is taken from a live
 * process, as shown by kernel locks, and damage is not repaired.
 *
 * The block of a dead producer stays, so that a new producer can continue it.
 * With %DATAHUB_REPAIR_CLOSE_DEAD it is closed for good, and removed if no
 * process has it open.
 *
 * Two repairers exclude each other. If one is killed, the next completes its
 * work. With %DATAHUB_REPAIR_DRY_RUN it takes no lock, changes nothing, and
 * only reports what it would do. Only its producer can repair a strict block:
 * %DATAHUB_ERROR_DENIED. Any thread.
 *
 * Returns: %DATAHUB_OK; %DATAHUB_ERROR_BUSY: another repairer is at work; or a
 *   failure
 */
DatahubResult
datahub_block_repair (const char *channel, uint32_t flags, int64_t timeout_ns,
    DatahubRepairFunc func, void *user_data, uint32_t *n_done,
    DatahubError *error)
{
  Block block;
  Repairer *repairer;
  DatahubResult result;
  *n_done = 0;
  result_begin (error);
  result = block_open (&block, channel, ACCESS_CONSUME, error);
  if (result != DATAHUB_OK)
    return result_end (error, result);
  repairer = calloc (1, sizeof *repairer);
  if (!repairer) {
    block_release (&block);
    return result_fail (error, DATAHUB_ERROR_SYSTEM, 0, "Out of memory.");
  }
  *repairer = (Repairer){ .block = &block, .fd = -1, .flags = flags };
  if (!(flags & DATAHUB_REPAIR_DRY_RUN))
    result = repair_lock (&block, timeout_ns, &repairer->fd, error);
  if (result == DATAHUB_OK) {
    repair_everything (repairer);
    remove_if_unused (&block, flags);
    tell (repairer, func, user_data, n_done);
  }
  block_release (&block);
  free (repairer);
  return result_end (error, result);
}
