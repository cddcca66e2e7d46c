/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* User locks: owner words and the registry of names. */
#ifndef DATAHUB_LOCK_PRIVATE_H
#define DATAHUB_LOCK_PRIVATE_H

#include "core/block/block-private.h"

#include <datahub/lock.h>

/* The owner in an owner word. */
typedef enum
{
  LOCK_OWNER_NONE, /* the lock is free */
  LOCK_OWNER_ALIVE,
  LOCK_OWNER_DEAD,
  LOCK_OWNER_ABANDONED, /* free to take; its last owner died over it */
  LOCK_OWNER_NOBODY /* no such participant: the word was overwritten */
} LockOwner;
LockOwner lock_owner_of (const Block *block, uint64_t word);

/* Finds the lock of that name, or gives the name to a free one. *@suspect: the
 * last process that changed the names died during the change; the names were
 * checked. */
DatahubResult lock_registry_find (Block *block, const char *name,
    uint32_t *index, bool *suspect, DatahubError *error);
/* Only repairs the names; *@suspect is true if that was needed. */
DatahubResult lock_registry_repair (Block *block, bool *suspect,
    DatahubError *error);
void lock_read_stats (const UserLock *shared, uint32_t index,
    DatahubSpinlockStats *stats);
void lock_registry_read_name (const UserLock *lock,
    char name[DATAHUB_SPINLOCK_NAME_MAX]);

#endif /* DATAHUB_LOCK_PRIVATE_H */
