/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_LOCK_PRIVATE_H
#define DATAHUB_LOCK_PRIVATE_H

#include "block-private.h"

#include <datahub/lock.h>

/* Finds the lock of that name, or gives the name to a free one. *@suspect: the
 * last who changed the names died over it; they were checked. */
DatahubResult lock_registry_find (Block *block, const char *name,
    uint32_t *index, bool *suspect, DatahubError *error);
void lock_registry_read_name (const UserLock *lock,
    char name[DATAHUB_SPINLOCK_NAME_MAX]);

#endif /* DATAHUB_LOCK_PRIVATE_H */
