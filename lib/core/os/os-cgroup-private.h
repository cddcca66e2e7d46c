/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory limit of the control group of this process. */
#ifndef DATAHUB_OS_CGROUP_PRIVATE_H
#define DATAHUB_OS_CGROUP_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

/* UINT64_MAX: there is no limit. */
typedef struct
{
  uint64_t limit; /* the lowest of the group and its ancestors */
  uint64_t available; /* the least that one of them has left */
} GroupSpace;

/* Both versions of control groups: where they are, and the names in their files. */
typedef struct
{
  const char *top; /* the directory of all groups */
  const char *key; /* in the file cgroup of a process, before the path */
  const char *limit, *usage; /* files */
  const char *inactive, *active; /* lines of memory.stat */
} GroupVersion;

#define N_GROUP_VERSIONS 2
extern const GroupVersion group_versions[N_GROUP_VERSIONS];

/* Parsers of what the kernel writes. */
void group_parse_path (const GroupVersion *version, const char *text,
    char *path, size_t size);
uint64_t group_parse_limit (const char *text);
uint64_t group_parse_rest (const GroupVersion *version, uint64_t limit,
    const char *usage, const char *stat);

/* Reads a few files: not under a lock. */
GroupSpace os_group_space (void);
/* @root is put before each path. */
GroupSpace os_group_space_below (const char *root);

#endif /* DATAHUB_OS_CGROUP_PRIVATE_H */
