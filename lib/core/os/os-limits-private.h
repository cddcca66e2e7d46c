/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limits of this process; see os-limits.c. */
#ifndef DATAHUB_OS_LIMITS_PRIVATE_H
#define DATAHUB_OS_LIMITS_PRIVATE_H

#include <datahub/types.h>

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

const char *os_reason (int number);
bool os_is_limited (int number);
DatahubResult os_check_group (uint64_t size, const char *what,
    DatahubError *error);
bool os_has_descriptors (uint64_t wanted);

/* Around a call that can make a file bigger. */
typedef struct
{
  sigset_t before;
  bool was_pending;
} OsSizeGuard;

void os_size_guard_begin (OsSizeGuard *guard);
void os_size_guard_end (OsSizeGuard *guard);

#endif /* DATAHUB_OS_LIMITS_PRIVATE_H */
