/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loans of slots: acquire, fill, then commit or abort, in any number and order.
 * Tests: core-roundtrip, core-shares, core-adopt-inherit */
#include "producer-private.h"
#include "core/base/result-private.h"

#include <stddef.h>

#define PACK_ALIGN 64

/* Prefetches the record that the next commit fills, which another processor may
 * have read: its cache lines are loaded while the caller fills the slot. */
static void
fetch_next_record (const DatahubProducer *producer)
{
  const uint8_t *record;
  if (producer->ring.n_free_recs == 0)
    return;
  record = (const uint8_t *) block_record (&producer->block,
      producer->ring.free_recs[producer->ring.n_free_recs - 1]);
  for (size_t line = 0; line < offsetof (BlockRecord, inline_bytes); line += 64)
    __builtin_prefetch (record + line, 1);
}

static void
lend (DatahubProducer *producer, Call *call, SlotRef slot, uint64_t offset,
    uint64_t size)
{
  *call->slot = (DatahubSlot){ .data = slot.pool->map + BLOCK_PAGE
        + slot.slot * slot.pool->shape.stride + offset,
    .size = size,
    .offset = offset,
    .pool = slot.pool->shape.gen,
    .slot = slot.slot };
  producer->references++;
  fetch_next_record (producer);
  STEP (SLOT_LENT);
  call->result = DATAHUB_OK;
}

/* Small payloads follow each other in one slot, which has a reference of its
 * own while it is being filled. A restarted producer never appends to a slot it
 * did not fill itself. */
static Attempt
attempt_pack (DatahubProducer *producer, Call *call)
{
  SlotRef *pack = &producer->pools.pack;
  uint64_t offset = round_up (producer->pools.pack_used, PACK_ALIGN);
  if (!pack->pool || offset + call->size > pack->pool->shape.stride) {
    SlotRef taken; /* taking one may close a pool, and end the packing in it */
    Attempt attempt;
    if (pack->pool)
      slot_unref (&producer->pools, *pack);
    *pack = (SlotRef){ NULL, 0 };
    attempt =
        producer_take_slot (producer, call, POOL_PAYLOAD, call->size, &taken);
    if (attempt != ATTEMPT_DONE)
      return attempt;
    *pack = taken;
    offset = 0;
  }
  producer->pools.pack_used = offset + call->size;
  STEP (SLOT_PACKED);
  slot_ref (*pack);
  lend (producer, call, *pack, offset, call->size);
  return ATTEMPT_DONE;
}

static bool
is_packable (const Pools *pools, uint64_t size)
{
  const Pool *pool = pool_smallest (pools, POOL_PAYLOAD, size);
  return pool && size <= pool->shape.stride / 2;
}

static Attempt
attempt_acquire (DatahubProducer *producer, Call *call)
{
  SlotRef slot;
  Attempt attempt;
  if (producer->options.pack && is_packable (&producer->pools, call->size))
    return attempt_pack (producer, call);
  attempt =
      producer_take_slot (producer, call, POOL_PAYLOAD, call->size, &slot);
  if (attempt == ATTEMPT_DONE)
    lend (producer, call, slot, 0, slot.pool->shape.stride);
  return attempt;
}

static DatahubResult
acquire (DatahubProducer *producer, uint64_t size, uint32_t flags,
    int64_t timeout_ns, DatahubSlot *slot, DatahubError *error)
{
  Call call;
  result_begin (error);
  if (producer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This producer belongs to the parent process.");
  if (size > UINT64_C (1) << 40)
    return result_fail (error, DATAHUB_ERROR_TOO_BIG, 0,
        "A payload of %llu bytes is not possible.", (unsigned long long) size);
  call_begin (&call, attempt_acquire, DATAHUB_WAIT_ACQUIRE, timeout_ns, error);
  call.rank = rank_of (DATAHUB_RECORD_BUFFER, flags);
  call.size = size ? size : 1;
  call.slot = slot;
  return result_end (error, producer_run (producer, &call));
}

/**
 * datahub_producer_acquire_slot:
 * @producer: a producer
 * @size: bytes wanted
 * @timeout_ns: how long to wait for reliable consumers
 * @slot: (out caller-allocates): the loan
 * @error: (out) (optional): why it failed
 *
 * Lends writable payload memory of at least @size bytes, page-aligned (64-byte
 * aligned where payloads are packed). The block grows where @size does not fit
 * its slots. Loans are kept in any number and ended in any order; they may
 * outlive datahub_producer_close(). Waits only for what reliable consumers alone
 * keep, where one is attached also for loans if no live consumer holds a slot, and
 * for the memory of a growth. A growth for a bigger payload that takes more than 16 MiB
 * and does not end in time is continued by the next call that needs it; any other
 * ends whatever @timeout_ns is. A refusal is not counted as a dropped buffer, see
 * datahub_producer_count_dropped(). Any thread.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_TIMEOUT, %DATAHUB_INTERRUPTED,
 *   %DATAHUB_DROPPED where every slot is held and `max-bytes` forbids more,
 *   %DATAHUB_CLOSED, or a failure
 */
DatahubResult
datahub_producer_acquire_slot (DatahubProducer *producer, uint64_t size,
    int64_t timeout_ns, DatahubSlot *slot, DatahubError *error)
{
  return acquire (producer, size, 0, timeout_ns, slot, error);
}

/**
 * datahub_producer_acquire_slot_for:
 * @producer: a producer
 * @size: bytes wanted
 * @flags: flags of the record that the slot is for
 * @timeout_ns: how long to wait for reliable consumers
 * @slot: (out caller-allocates): the loan
 * @error: (out) (optional): why it failed
 *
 * As datahub_producer_acquire_slot(), with the rank of the buffer. When slots
 * are short, old droppable buffers are discarded first, then old delta units,
 * then the oldest buffers. If only key frames are left and the block cannot
 * grow, a slot for a droppable buffer is refused with %DATAHUB_DROPPED. A slot
 * for a delta unit is refused rather than discarding the newest key frame,
 * unless there are reliable consumers. %DATAHUB_DROPPED counts as a dropped
 * buffer: the slot is for a record that is there already.
 *
 * Returns: as datahub_producer_acquire_slot()
 */
DatahubResult
datahub_producer_acquire_slot_for (DatahubProducer *producer, uint64_t size,
    uint32_t flags, int64_t timeout_ns, DatahubSlot *slot, DatahubError *error)
{
  DatahubResult result =
      acquire (producer, size, flags, timeout_ns, slot, error);
  if (result == DATAHUB_DROPPED)
    datahub_producer_count_dropped (producer, 1);
  return result;
}

/**
 * datahub_producer_abort:
 * @producer: the producer that lent @slot, closed or not
 * @slot: a loan
 *
 * Ends a loan. Committed data of it stays with its records; a slot that was
 * never committed is returned unseen. A slot that is not lent is ignored. Any
 * thread; does not block.
 */
void
datahub_producer_abort (DatahubProducer *producer, const DatahubSlot *slot)
{
  Pool *pool;
  bool lent, tidy, waited;
  if (producer->generation != os_generation ())
    return;
  pthread_mutex_lock (&producer->lock);
  pool = pool_find (&producer->pools, slot->pool);
  lent = pool && slot->slot < pool->shape.n_slots && pool->refs[slot->slot] > 0;
  if (lent)
    slot_unref (&producer->pools, (SlotRef){ pool, slot->slot });
  STEP (LOAN_ABORTED);
  tidy = producer->pools.has_idle;
  waited = producer->n_waiting[1] > 0;
  pthread_mutex_unlock (&producer->lock);
  if (tidy)
    producer_tidy (producer);
  if (waited) {
    add_seq (&producer->block.wake->room, 1);
    STEP (ABORT_ROOM_BUMPED);
    os_futex_wake (&producer->block.wake->room);
  }
  if (lent)
    producer_unref (producer);
}
