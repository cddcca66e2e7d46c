/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making a pool. Big ones take the kernel seconds, so the memory is allocated in
 * pieces, and between two of them the caller is asked whether to go on.
 *
 * The memory has no name and no table names it. A producer killed in here leaves
 * nothing: the kernel frees the memory with the last descriptor.
 * Tests: core-growing, core-growth, core-space, core-cgroup-limit, stress-sweep */
#include "pools-private.h"
#include "core/base/result-private.h"
#include "core/os/os-cgroup-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const pool_kind_names[N_POOL_KINDS] = { "payload pool",
  "event pool" };

/* The message has the memory that was wanted, what is free, and how many of the
 * slots that is enough for. */
static DatahubResult
fail_space (const Pools *pools, const PoolShape *shape, int number,
    DatahubError *error)
{
  uint64_t slots = 0;
  PoolSpace space;
  PoolSpaceText text;
  pool_measure (pools, &space);
  text = pool_describe_space (pools, &space);
  if (space.available > BLOCK_PAGE)
    slots = (space.available - BLOCK_PAGE) / shape->stride;
  return result_fail (error, DATAHUB_ERROR_NO_SPACE, number,
      "Not enough %s for the %s: %.1f MiB wanted for %u slots of %llu bytes, "
      "%s: %llu such slots fit. %s, or use fewer or smaller slots.",
      pools->backing->funcs->place, pool_kind_names[shape->kind],
      shape->size / 1048576.0, shape->n_slots,
      (unsigned long long) shape->stride, text.left, (unsigned long long) slots,
      text.advice);
}

static DatahubResult
fail (const Pools *pools, Pool *pool, int number, const char *what,
    DatahubError *error)
{
  os_close (&pool->fd); /* what it got counts as free again */
  bool limited =
      number == EFBIG || (number == ENOMEM && os_is_limited (number));
  if (number == ENOSPC || number == EDQUOT || (number == ENOMEM && !limited))
    return fail_space (pools, &pool->shape, number, error);
  return result_fail (error,
      limited ? DATAHUB_ERROR_NO_SPACE : DATAHUB_ERROR_SYSTEM, number,
      "A pool of %llu bytes cannot be %s: %s.",
      (unsigned long long) pool->shape.size, what, os_reason (number));
}

/* Returns 0 or errno. */
static int
open_file (const Pools *pools, Pool *pool, uint64_t huge_page)
{
  const Backing *backing = pools->backing;
  os_close (&pool->fd);
  pool->reserved = 0;
  pool->huge_page = huge_page;
  pool->map_size = pool->shape.size;
  pool->fd = backing->funcs->create_pool (backing, &pool->map_size, huge_page,
      pool_kind_names[pool->shape.kind]);
  return pool->fd < 0 ? errno : 0;
}

/* Opens the file, on huge pages if the options ask for them and the kernel has
 * any. What cannot fit is refused before it takes the space of others. */
static DatahubResult
open_pool (const Pools *pools, Pool *pool, DatahubError *error)
{
  const Backing *backing = pools->backing;
  uint64_t huge_page = 0;
  int number = 0;
  PoolSpace space;
  if (pool->shape.kind == POOL_PAYLOAD)
    huge_page = backing->funcs->huge_page (backing);
  if (huge_page && open_file (pools, pool, huge_page) == 0)
    return DATAHUB_OK;
  pool_measure (pools, &space);
  if (space.available < pool->shape.size)
    number = ENOSPC;
  else
    number = open_file (pools, pool, 0);
  return number ? fail (pools, pool, number, "made", error) : DATAHUB_OK;
}

/* Makes the handle of a pool that has no memory yet. */
Pool *
pool_begin (const Pools *pools, const PoolShape *shape, DatahubError *error)
{
  Pool *pool = calloc (1, sizeof *pool);
  if (pool) {
    pool->fd = -1;
    pool->shape = *shape;
    pool->refs = calloc (shape->n_slots, sizeof *pool->refs);
    pool->ends = calloc (shape->n_slots, sizeof *pool->ends);
    pool->free = calloc (shape->n_slots, sizeof *pool->free);
  }
  if (!pool || !pool->refs || !pool->ends || !pool->free)
    result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  else if (open_pool (pools, pool, error) == DATAHUB_OK)
    return pool;
  if (pool)
    pool_free (pools, pool, false);
  return NULL;
}

static uint64_t
next_piece (const Pool *pool, uint64_t done)
{
  uint64_t piece = pool->huge_page > POOL_PIECE ? pool->huge_page : POOL_PIECE;
  uint64_t left = pool->map_size - done;
  return left < piece ? left : piece;
}

/* After a piece; behind the last one there is nothing to end. */
static DatahubResult
ask (const Pool *pool, uint64_t done, const Pace *pace)
{
  if (!pace || done == pool->map_size)
    return DATAHUB_OK;
  return pace->may_go_on (pace->data);
}

/* Returns 0 or errno. Others can take memory between two pieces. Huge pages do not
 * count against the memory limit of the control group. */
static int
reserve_piece (const Pool *pool, uint64_t piece)
{
  if (!pool->huge_page && os_group_space ().available < piece)
    return ENOSPC;
  return os_reserve_piece (pool->fd, pool->reserved, piece);
}

/* Allocates the memory; on normal pages where the huge ones are used up. */
static DatahubResult
reserve (const Pools *pools, Pool *pool, const Pace *pace, DatahubError *error)
{
  DatahubResult result = DATAHUB_OK;
  while (pool->reserved < pool->map_size && result == DATAHUB_OK) {
    uint64_t piece = next_piece (pool, pool->reserved);
    int number = reserve_piece (pool, piece);
    if (number && pool->huge_page) {
      number = open_file (pools, pool, 0);
      piece = 0;
    }
    if (number)
      return fail (pools, pool, number, "allocated", error);
    pool->reserved += piece;
    STEP (P1_PIECE_RESERVED);
    result = ask (pool, pool->reserved, pace);
  }
  return result;
}

/* Maps the whole memory; where the block is strict, seals it. */
static DatahubResult
map (const Pools *pools, Pool *pool, DatahubError *error)
{
  if (pool->map)
    return DATAHUB_OK;
  pool->map = os_map (pool->fd, pool->map_size, true);
  if (pool->map && pools->backing->funcs->seal_pool (&pool->fd))
    return DATAHUB_OK;
  return fail (pools, pool, errno, "mapped", error);
}

static DatahubResult
prefault (const Pools *pools, Pool *pool, const Pace *pace)
{
  bool huge = pools->backing->options->hugepages != DATAHUB_HUGEPAGES_NEVER;
  DatahubResult result = DATAHUB_OK;
  while (pool->prefaulted < pool->map_size && result == DATAHUB_OK) {
    uint64_t piece = next_piece (pool, pool->prefaulted);
    os_prefault (pool->map + pool->prefaulted, piece, true, huge);
    pool->prefaulted += piece;
    result = ask (pool, pool->prefaulted, pace);
  }
  return result;
}

/* Allocates and prefaults all of the memory of an adopted pool: parts of it may
 * have been given back. False: not enough memory, or @pace ended it. */
bool
pool_make_again (const Pools *pools, Pool *pool, const Pace *pace)
{
  bool huge = pools->backing->options->hugepages != DATAHUB_HUGEPAGES_NEVER;
  uint64_t piece, allocated = os_allocated (pool->fd);
  if (allocated < pool->shape.size
      && os_group_space ().available < pool->shape.size - allocated)
    return false;
  for (uint64_t done = 0; done < pool->shape.size; done += piece) {
    piece = pool->shape.size - done < POOL_PIECE ? pool->shape.size - done
                                                 : POOL_PIECE;
    if (os_reserve_piece (pool->fd, done, piece) != 0)
      return false;
    os_prefault (pool->map + done, piece, true, huge);
    if (pace->may_go_on (pace->data) != DATAHUB_OK)
      return false;
  }
  pool->page_size = os_page_size_of (pool->map);
  return true;
}

static void
fill_page (const Pools *pools, Pool *pool)
{
  const PoolShape *shape = &pool->shape;
  PoolPage page = { .magic = POOL_MAGIC,
    .gen = shape->gen,
    .kind = shape->kind,
    .n_slots = shape->n_slots,
    .stride = shape->stride };
  memcpy (page.uuid, pools->backing->block->uuid.bytes, 16);
  memcpy (pool->map, &page, sizeof page);
}

/* Continues the making of @pool. Anything but %DATAHUB_OK is what @pace
 * answered, after which it can be continued, or a failure. At least one piece is
 * made, so that callers with a short timeout come to an end together. */
DatahubResult
pool_make (const Pools *pools, Pool *pool, const Pace *pace,
    DatahubError *error)
{
  DatahubResult result = reserve (pools, pool, pace, error);
  if (result == DATAHUB_OK)
    result = map (pools, pool, error);
  if (result == DATAHUB_OK)
    result = prefault (pools, pool, pace);
  if (result != DATAHUB_OK)
    return result;
  pool->page_size = os_page_size_of (pool->map);
  fill_page (pools, pool);
  pool->n_free = pool->shape.n_slots;
  for (uint32_t i = 0; i < pool->n_free; i++)
    pool->free[i] = pool->n_free - 1 - i;
  return DATAHUB_OK;
}
