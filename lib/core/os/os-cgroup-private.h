/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory limit of the control group of this process. */
#ifndef DATAHUB_OS_CGROUP_PRIVATE_H
#define DATAHUB_OS_CGROUP_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

/* UINT64_MAX: there is no limit. */
typedef struct
{
  uint64_t limit; /* the lowest of the group and its ancestors */
  uint64_t available; /* the least that one of them has left */
} GroupSpace;

GroupSpace os_group_space (void);
GroupSpace os_group_space_of (const char *proc, const char *prefix);

#endif /* DATAHUB_OS_CGROUP_PRIVATE_H */
