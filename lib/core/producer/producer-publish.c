/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publication: gives the files of a block their names.
 *
 * A block becomes visible with its last link, the entry (R11). A creator that
 * is killed before that leaves at most links that reclaim recognises as
 * garbage.
 * Tests: core-lifecycle, core-adopt-fit */
#include "producer-private.h"
#include "core/block/entry-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <string.h>

/* Others may take and lose the name while we try. */
#define PUBLISH_TRIES 10

/* Links everything but the entry, lck first. */
static bool
link_parts (DatahubProducer *producer)
{
  Block *block = &producer->block;
  Backing *backing = &producer->backing;
  if (!os_link (block->lck, block->dir,
          name_part (block->user, &block->uuid, "lck").text))
    return false;
  STEP (PUBLISH_LCK_LINKED);
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools.table[i]
        && !backing->funcs->link_pool (backing, producer->pools.table[i]))
      return false;
  return backing->funcs->link_control (backing);
}

/* A producer of the same user in another user namespace may have taken the name
 * under another number since it was found free. The close of this one removes its
 * entry. */
static DatahubResult
check_alone (const Block *block, DatahubError *error)
{
  if (!entry_has_live_twin (block->dir, block->channel, block->user))
    return DATAHUB_OK;
  return result_fail (error, DATAHUB_ERROR_BUSY, 0,
      "The DataBlock \"%s\" already has a live producer, in another user "
      "namespace of this user.",
      block->channel);
}

static DatahubResult
link_entry (Block *block, DatahubError *error)
{
  FileName lck = name_part (block->user, &block->uuid, "lck");
  FileName entry = name_entry (block->user, block->channel);
  for (int i = 0; i < PUBLISH_TRIES; i++) {
    DatahubResult result = block_take_over (block->dir, block->channel, error);
    if (result != DATAHUB_OK)
      return result;
    STEP (PUBLISH_NAME_FREE);
    if (os_link_again (block->dir, lck.text, entry.text)) {
      STEP (PUBLISH_ENTRY_LINKED);
      return check_alone (block, error);
    }
    if (errno != EEXIST)
      break;
  }
  return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
      "The name %s cannot be made in %s: %s.", entry.text,
      datahub_shm_directory (), os_reason (errno));
}

/* An adopted block has its names; only C11 remains. */
static DatahubResult
publish_adopted (DatahubProducer *producer)
{
  bool wake = false;
  pthread_mutex_lock (&producer->lock);
  if (producer->ring.held_back)
    wake = ring_show (&producer->ring, (uint64_t) os_now ());
  producer->ring.held_back = false;
  pthread_mutex_unlock (&producer->lock);
  if (wake)
    os_futex_wake (&producer->block.header->wake);
  STEP (C11_PUBLISHED);
  return DATAHUB_OK;
}

/**
 * datahub_producer_publish:
 * @producer: a producer
 * @error: (out) (optional): why it failed
 *
 * Makes the block attachable under its name. A dead predecessor's block that was
 * not adopted is closed on its behalf and removed; a live one is
 * %DATAHUB_ERROR_BUSY. Takes up to 0.2 s if the name is taken. Once.
 *
 * Returns: %DATAHUB_OK or a failure; the producer can then only be closed
 */
DatahubResult
datahub_producer_publish (DatahubProducer *producer, DatahubError *error)
{
  DatahubError local;
  DatahubResult result;
  bool linked;
  error = error ? error : &local;
  result_begin (error);
  if (producer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This producer belongs to the parent process.");
  if (producer->adopted)
    return publish_adopted (producer);
  pthread_mutex_lock (&producer->lock);
  linked = !producer->published && !producer->closed;
  if (linked) {
    producer->published = true;
    linked = link_parts (producer) && reaper_open (&producer->reaper);
  }
  pthread_mutex_unlock (&producer->lock);
  if (!linked)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The files of the block cannot be made in %s: %s.",
        datahub_shm_directory (), os_reason (errno));
  result = producer->backing.funcs->serve (&producer->backing, error);
  if (result == DATAHUB_OK)
    result = link_entry (&producer->block, error);
  return result_end (error, result);
}
