/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of user locks, and the management lock that guards them (tier 1 of the
 * reference's two). It is a kernel lock on a byte of the lock file rather than
 * a mutex in shared memory: it is freed with its owner in any PID namespace,
 * the block contains no structure of a C library, and no peer can corrupt it.
 * The word `registry_dirty` replaces the EOWNERDEAD of a robust mutex: it is
 * set while names are changed. A process that takes the lock and finds it set
 * knows that the last owner died during a change. It must check the names
 * before it clears the word.
 * Tests: core-lock, core-repair */
#include "lock-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <string.h>

#define PATIENCE_NS (2 * NS_PER_S)
#define RETRY_NS (100 * 1000)

static bool
is_printable (const char *name)
{
  for (; *name; name++)
    if (*name < '!' || *name > '~')
      return false;
  return true;
}

void
lock_registry_read_name (const UserLock *lock,
    char name[DATAHUB_SPINLOCK_NAME_MAX])
{
  for (uint32_t i = 0; i < 3; i++) {
    uint64_t word = load_acquire (&lock->name[i]);
    memcpy (name + i * 8, &word, 8);
  }
  name[DATAHUB_SPINLOCK_NAME_MAX - 1] = 0;
  if (!is_printable (name))
    name[0] = 0; /* overwritten: treated as no name */
}

static void
write_name (UserLock *lock, const char *name)
{
  char text[DATAHUB_SPINLOCK_NAME_MAX] = { 0 };
  memcpy (text, name, strnlen (name, sizeof text - 1));
  for (uint32_t i = 0; i < 3; i++) {
    uint64_t word;
    memcpy (&word, text + i * 8, 8);
    store_release (&lock->name[i], word);
    STEP (REGISTRY_NAME_WORD);
  }
}

/* After a death during a change at most one name is half written: removes an
 * invalid name, and the second of two equal ones. */
static void
repair (Block *block)
{
  char names[N_USER_LOCKS][DATAHUB_SPINLOCK_NAME_MAX];
  for (uint32_t i = 0; i < N_USER_LOCKS; i++) {
    UserLock *lock = &block->wake->user_locks[i];
    lock_registry_read_name (lock, names[i]);
    for (uint32_t k = 0; k < i; k++)
      if (names[i][0] && strcmp (names[i], names[k]) == 0)
        names[i][0] = 0;
    if (!names[i][0])
      write_name (lock, "");
  }
}

static DatahubResult
find_locked (Block *block, const char *name, uint32_t *index,
    DatahubError *error)
{
  uint32_t unnamed = N_USER_LOCKS;
  for (uint32_t i = 0; i < N_USER_LOCKS; i++) {
    char known[DATAHUB_SPINLOCK_NAME_MAX];
    lock_registry_read_name (&block->wake->user_locks[i], known);
    if (strcmp (known, name) == 0) {
      *index = i;
      return DATAHUB_OK;
    }
    if (!known[0] && unnamed == N_USER_LOCKS)
      unnamed = i;
  }
  if (unnamed == N_USER_LOCKS)
    return result_fail (error, DATAHUB_ERROR_FULL, 0,
        "All %u user locks have names, none of them \"%s\".", N_USER_LOCKS,
        name);
  store_seq (&block->wake->registry_dirty, 1);
  STEP (REGISTRY_DIRTY_STORED);
  write_name (&block->wake->user_locks[unnamed], name);
  store_seq (&block->wake->registry_dirty, 0);
  STEP (REGISTRY_CLEAN_STORED);
  *index = unnamed;
  return DATAHUB_OK;
}

/* A kernel lock does not exclude threads that share its description, so each
 * call opens one of its own. */
static int
lock_management (Block *block, DatahubError *error)
{
  FileName name = name_part (block->user, &block->uuid, "lck");
  int64_t end = os_now () + PATIENCE_NS;
  int fd = os_open_lock_fd (block->dir, name.text, true);
  if (fd < 0) {
    result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The lock file of the block cannot be opened: %s. Its producer is "
        "gone; use the lock by its index.",
        os_reason (errno));
    return -1;
  }
  while (os_lock_try (fd, LOCK_BYTE_REGISTRY) != OS_LOCK_TAKEN) {
    if (os_now () > end) {
      result_fail (error, DATAHUB_ERROR_BUSY, 0,
          "Another process has held the names of the locks for over %d s.",
          (int) (PATIENCE_NS / NS_PER_S));
      os_close_lock_fd (fd);
      return -1;
    }
    os_pause (RETRY_NS);
  }
  return fd;
}

/* Takes the management lock and repairs the names if the last holder died.
 * Returns the descriptor that holds it, or -1. */
static int
enter_registry (Block *block, bool *suspect, DatahubError *error)
{
  int fd = lock_management (block, error);
  if (fd < 0)
    return -1;
  STEP (REGISTRY_LOCKED);
  *suspect = load_seq (&block->wake->registry_dirty) != 0;
  if (*suspect) {
    repair (block);
    STEP (REGISTRY_REPAIRED);
    store_seq (&block->wake->registry_dirty, 0);
  }
  return fd;
}

/* Takes up to 2 s where another process holds the names. */
DatahubResult
lock_registry_find (Block *block, const char *name, uint32_t *index,
    bool *suspect, DatahubError *error)
{
  size_t length = strnlen (name, DATAHUB_SPINLOCK_NAME_MAX);
  DatahubResult result;
  int fd;
  if (length == 0 || length >= DATAHUB_SPINLOCK_NAME_MAX
      || !is_printable (name))
    return result_fail (error, DATAHUB_ERROR_NAME, 0,
        "The name of a lock has 1 to %d printable characters.",
        DATAHUB_SPINLOCK_NAME_MAX - 1);
  fd = enter_registry (block, suspect, error);
  if (fd < 0)
    return error ? error->code : DATAHUB_ERROR_SYSTEM;
  result = find_locked (block, name, index, error);
  os_close_lock_fd (fd);
  return result;
}

/* Takes up to 2 s where another process holds the names. */
DatahubResult
lock_registry_repair (Block *block, bool *suspect, DatahubError *error)
{
  int fd = enter_registry (block, suspect, error);
  if (fd < 0)
    return error ? error->code : DATAHUB_ERROR_SYSTEM;
  os_close_lock_fd (fd);
  return DATAHUB_OK;
}
