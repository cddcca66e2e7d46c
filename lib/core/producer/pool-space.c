/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory that pools can have: of the file system, or of the machine for a strict
 * block, and of the control group. It is read without a lock.
 * Tests: core-cgroup-limit, core-space */
#include "pools-private.h"
#include "core/os/os-cgroup-private.h"
#include "core/os/os-private.h"

#include <datahub/block.h>

#include <stdio.h>

static uint64_t
smaller_of (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

/* False with errno: the file system cannot be asked. Then there is no known limit. */
bool
pool_measure (const Pools *pools, PoolSpace *space)
{
  const Backing *backing = pools->backing;
  GroupSpace group = os_group_space ();
  *space = (PoolSpace){ UINT64_MAX, UINT64_MAX, UINT64_MAX, false };
  if (!os_space (backing->block->dir, &space->total, &space->available))
    return false;
  space->available = backing->funcs->available (space->available);
  space->most = smaller_of (space->total, group.limit);
  space->of_group = group.available < space->available;
  if (space->of_group) {
    space->total = group.limit;
    space->available = group.available;
  }
  return true;
}

/* What a message has about the memory that is free. */
PoolSpaceText
pool_describe_space (const Pools *pools, const PoolSpace *space)
{
  PoolSpaceText text = { "", "" };
  double left = space->available / 1048576.0, total = space->total / 1048576.0;
  if (space->of_group) {
    text.advice = "Raise that limit";
    snprintf (text.left, sizeof text.left,
        "%.1f MiB free of %.1f MiB, the memory limit of the control group",
        left, total);
  } else if (pools->backing->options->strict) {
    text.advice = "End other programs";
    snprintf (text.left, sizeof text.left, "%.1f MiB free", left);
  } else {
    text.advice = "Make that file system bigger";
    snprintf (text.left, sizeof text.left, "%.1f MiB free of %.1f MiB in %s",
        left, total, datahub_shm_directory ());
  }
  return text;
}

/* max-bytes for payloads; the bodies of events have a limit of their own. */
uint64_t
pool_bytes_allowed (const Pools *pools, PoolKind kind)
{
  return kind == POOL_PAYLOAD ? pools->max_bytes : SMALL_BYTES_MAX;
}

/* The bytes that a new pool can have beside the current ones. */
uint64_t
pool_bytes_that_fit (const Pools *pools, PoolKind kind)
{
  uint64_t left = SMALL_BYTES_MAX, available = pools->space.available;
  if (kind == POOL_PAYLOAD)
    left = pools->max_bytes > pools->bytes_used
        ? pools->max_bytes - pools->bytes_used
        : 0;
  return smaller_of (left, available > BLOCK_PAGE ? available - BLOCK_PAGE : 0);
}

/* The number of slots of @stride that fit beside the current pools; at most
 * @wanted. */
uint32_t
pool_slots_that_fit (const Pools *pools, PoolKind kind, uint32_t wanted,
    uint64_t stride)
{
  uint64_t slots = pool_bytes_that_fit (pools, kind) / stride;
  return slots < wanted ? (uint32_t) slots : wanted;
}
