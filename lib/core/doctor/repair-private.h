/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that repair and release share. Both change a block of another
 * process. */
#ifndef DATAHUB_REPAIR_PRIVATE_H
#define DATAHUB_REPAIR_PRIVATE_H

#include "core/block/block-private.h"

#include <datahub/integrity.h>

int repair_open_lock_file (const Block *block);
DatahubResult repair_lock (const Block *block, int64_t timeout_ns, int *fd,
    DatahubError *error);
bool repair_abandon (UserLock *lock, uint64_t owner);

#endif /* DATAHUB_REPAIR_PRIVATE_H */
