/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validation of the pools: the table, its files, and files that are in no
 * table.
 * Tests: core-integrity, fuzz-integrity */
#include "integrity-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
check_shape (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  const PoolEntry *entry = &block->pools[i];
  PoolShape shape;
  uint32_t gen = load_seq (&entry->gen), newest;
  if (gen == 0)
    return false;
  if (!pool_shape_read (entry, &shape))
    return load_seq (&entry->gen) == gen
        && doubt_set (doubt, DATAHUB_FINDING_POOL, i, gen,
            "Entry %u of the pool table (pool %u) has impossible numbers.", i,
            gen);
  newest = load_seq (&block->header->next_gen);
  if (gen > newest && load_seq (&entry->gen) == gen)
    return doubt_set (doubt, DATAHUB_FINDING_POOL, i, gen,
        "The table has a pool %u, but the newest is recorded as %u.", gen,
        newest);
  for (uint32_t k = 0; k < i; k++)
    if (load_seq (&block->pools[k].gen) == gen && load_seq (&entry->gen) == gen)
      return doubt_set (doubt, DATAHUB_FINDING_POOL, i, gen,
          "Pool %u is in the table twice.", gen);
  return false;
}

/* Returns the fault of the file of a pool, or NULL. *@number: errno, or 0. */
const char *
pool_fault_of_file (const Block *block, const PoolShape *shape, int *number)
{
  PoolPage page;
  uint64_t size;
  uint32_t owner;
  const char *fault = NULL;
  int fd = os_open_existing (block->dir,
      name_pool (block->user, &block->uuid, shape->gen).text, false);
  *number = fd < 0 ? errno : 0;
  if (fd < 0)
    return errno == ENOENT ? "is missing" : "cannot be opened";
  if (!os_file_size (fd, &size, &owner))
    fault = "is not a plain file";
  else if (owner != block->owner)
    fault = "belongs to another user";
  else if (size != shape->size)
    fault = "has another length than in the table";
  else if (!os_read_all (fd, &page, sizeof page) || page.magic != POOL_MAGIC
      || page.gen != shape->gen || page.kind != shape->kind
      || page.n_slots != shape->n_slots || page.stride != shape->stride
      || memcmp (page.uuid, block->uuid.bytes, sizeof page.uuid) != 0)
    fault = "has a first page that contradicts the table";
  close (fd);
  return fault;
}

/* The file of a pool gets its name before its entry in the table and keeps it
 * longer. Only closing or removing the block removes it first. */
static bool
check_file (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  PoolShape shape;
  int number;
  const char *fault;
  if (!pool_shape_read (&block->pools[i], &shape))
    return false;
  scan->report->n_pools += scan->first;
  fault = pool_fault_of_file (block, &shape, &number);
  if (!fault || load_seq (&block->pools[i].gen) != shape.gen
      || load_seq (&block->header->state) >= DATAHUB_STATE_CLOSED
      || !os_same_file (block->lck, block->dir,
          name_entry (block->user, block->channel).text))
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_POOL, i,
      shape.gen ^ fnv1a (fault, strlen (fault)), "The file of pool %u %s%s%s.",
      shape.gen, fault, number ? ": " : "", number ? strerror (number) : "");
}

static void
note_pool_file (int dir, const char *file, void *data)
{
  Scan *scan = data;
  const char *channel, *part;
  Uuid uuid;
  if (name_parse (scan->block.user, file, &channel, &uuid, &part) != NAME_PART
      || part[0] != 'd' || memcmp (&uuid, &scan->block.uuid, sizeof uuid) != 0)
    return;
  if (scan->n_leftovers < SUSPECTS_MAX)
    scan->leftovers[scan->n_leftovers++] =
        (uint32_t) strtoul (part + 1, NULL, 10);
}

/* A living producer makes the file of a pool before its entry, and removes it
 * behind it, so only a dead one's is left over. */
static bool
check_leftover (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  uint32_t gen = scan->leftovers[i];
  FileName name = name_pool (block->user, &block->uuid, gen);
  uint64_t size = 0;
  uint32_t owner;
  int fd;
  if (block_is_writer_alive (block))
    return false;
  for (uint32_t k = 0; k < MAX_POOLS; k++)
    if (load_seq (&block->pools[k].gen) == gen)
      return false;
  fd = os_open_existing (block->dir, name.text, false);
  if (fd < 0)
    return false;
  os_file_size (fd, &size, &owner);
  close (fd);
  return doubt_set (doubt, DATAHUB_FINDING_POOL_LEFTOVER, gen, gen,
      "The producer died while it added or removed pool %u: the file, %llu "
      "bytes, is not in the table.",
      gen, (unsigned long long) size);
}

void
scan_files (Scan *scan)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    scan_examine (scan, check_shape, i);
    scan_examine (scan, check_file, i);
  }
  block_for_each_name (scan->block.dir, note_pool_file, scan);
  for (uint32_t i = 0; i < scan->n_leftovers; i++)
    scan_examine (scan, check_leftover, i);
}
