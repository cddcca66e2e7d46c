/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks the ring of a dead producer, on private copies, and makes it the ring
 * of its successor. The stores are in producer-adopt.c.
 * Tests: core-adopt-inherit, core-hostile-adopt */
#include "heir-private.h"

#include <stdlib.h>
#include <string.h>

/* A number beyond this is no stream's: 2^47 records at a million a second are four
 * years. */
#define HEAD_MAX (UINT64_C (1) << 47)

/* ---- records ---- */

/* A reference that makes no sense counts for nothing: readers refuse it too. */
static void
count_slot (Pools *pools, RecordRefs *state, uint32_t gen, uint32_t slot,
    uint64_t offset, uint64_t size)
{
  Pool *pool = gen ? pool_find (pools, gen) : NULL;
  if (!pool || slot >= pool->shape.n_slots || offset > pool->shape.stride
      || size > pool->shape.stride - offset)
    return;
  state->slots[state->n_slots] = (SlotRef){ pool, slot };
  slot_ref (state->slots[state->n_slots++]);
}

/* Copies a record once. Slots of all records count, also of those that are only
 * pinned, or only left over (D1): the latter are free after the first reclaim.
 */
static void
inherit_record (Heir *heir, uint32_t index)
{
  Ring *ring = heir->ring;
  RecordRefs *state = &ring->records[index];
  Inherited *own = &heir->records[index];
  BlockRecord record;
  memcpy (&record, block_record (ring->block, index),
      offsetof (BlockRecord, inline_bytes));
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS; i++)
    state->ctx[i] = RECORD_NONE;
  if (record.type < DATAHUB_RECORD_BUFFER || record.type > RECORD_TYPE_TOMBSTONE
      || record.n_mem > MEMORIES_MAX)
    return;
  *own = (Inherited){ .seq = record.seq,
    .ordinal = record.ordinal,
    .type = record.type,
    .flags = record.flags };
  memcpy (own->ctx, record.ctx, sizeof own->ctx);
  memcpy (own->ctx_seq, record.ctx_seq, sizeof own->ctx_seq);
  for (uint32_t i = 0; i < record.n_mem; i++)
    count_slot (heir->pools, state, record.mem[i].gen, record.mem[i].slot,
        record.mem[i].offset, record.mem[i].size);
  count_slot (heir->pools, state, record.meta_gen, record.meta_slot,
      record.meta_offset, record.meta_size);
}

/* A context that is in use still matches its reference in the record. Otherwise
 * it was used again, and the record is a leftover. Sequences fall along these
 * references, so they never lead in a circle. */
static void
count_contexts (Heir *heir, uint32_t index)
{
  Ring *ring = heir->ring;
  const Inherited *own = &heir->records[index];
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS && own->type; i++) {
    uint32_t ctx = own->ctx[i];
    const Inherited *other;
    if (ctx >= ring->block->g.n_recs)
      continue;
    other = &heir->records[ctx];
    if (other->type != DATAHUB_RECORD_STREAM_START + i
        || other->seq != own->ctx_seq[i] || other->seq >= own->seq)
      continue;
    ring->records[index].ctx[i] = (uint16_t) ctx;
    ring->records[ctx].refs++;
  }
}

static void
inherit_records (Heir *heir)
{
  uint32_t n = heir->ring->block->g.n_recs;
  for (uint32_t i = 0; i < n; i++)
    inherit_record (heir, i);
  for (uint32_t i = 0; i < n; i++)
    count_contexts (heir, i);
}

/* ---- ring and sticky words ---- */

/* Rule D2. The record must know the sequence, so no two words keep the same. */
static bool
keeps_word (const Heir *heir, uint32_t i, uint64_t word)
{
  const Geometry *g = &heir->ring->block->g;
  uint64_t s = RING_SEQUENCE (word);
  uint32_t record = RING_RECORD (word);
  return record < g->n_recs && s < heir->head && heir->head - s <= g->ring_size
      && (s & (g->ring_size - 1)) == i && heir->records[record].type
      && heir->records[record].seq == s;
}

/* All kept records must be valid, up to the head: from the tail, or from the
 * record after it if the producer was killed while it retired one. */
static bool
judge_ring (Heir *heir)
{
  const Block *block = heir->ring->block;
  uint64_t tail = load_seq (&block->header->tail), n_kept = 0;
  heir->head = load_seq (&block->header->head);
  heir->tail = heir->head;
  if (heir->head > HEAD_MAX)
    return false;
  for (uint32_t i = 0; i < block->g.ring_size; i++) {
    uint64_t word = load_seq (&block->ring[i]);
    heir->words[i] = RING_WORD (0, RECORD_NONE);
    if (!keeps_word (heir, i, word))
      continue;
    heir->words[i] = word;
    n_kept++;
    if (RING_SEQUENCE (word) < heir->tail)
      heir->tail = RING_SEQUENCE (word);
  }
  return heir->head - heir->tail == n_kept && heir->tail >= tail
      && heir->tail - tail <= 1;
}

static void
count_kept (Heir *heir)
{
  Ring *ring = heir->ring;
  for (uint32_t i = 0; i < ring->block->g.ring_size; i++) {
    uint32_t record = RING_RECORD (heir->words[i]);
    ring->entries[i] = (uint16_t) record;
    if (record != RECORD_NONE)
      ring->records[record].refs++;
  }
}

static bool
keeps_sticky (const Heir *heir, uint32_t which, uint64_t word)
{
  uint64_t s = RING_SEQUENCE (word);
  uint32_t record = RING_RECORD (word);
  return record < heir->ring->block->g.n_recs && s < heir->head
      && heir->records[record].seq == s && heir->records[record].type
      && ring_sticky_change ((DatahubRecordType) heir->records[record].type,
             which)
      == STICKY_REPLACED;
}

/* Applies the changes of record @s in the ring to the sticky words, as far as
 * they were not stored. */
static void
follow_sticky (Heir *heir, uint64_t s)
{
  uint64_t ring_size = heir->ring->block->g.ring_size;
  uint32_t record = RING_RECORD (heir->words[s & (ring_size - 1)]);
  DatahubRecordType type = (DatahubRecordType) heir->records[record].type;
  for (uint32_t i = 0; i < N_STICKY; i++) {
    StickyChange change = ring_sticky_change (type, i);
    if (change == STICKY_KEPT || s < RING_SEQUENCE (heir->sticky[i]))
      continue;
    heir->sticky[i] =
        RING_WORD (s, change == STICKY_REPLACED ? record : RECORD_NONE);
  }
}

static void
judge_sticky (Heir *heir)
{
  for (uint32_t i = 0; i < N_STICKY; i++) {
    uint64_t word = load_seq (&heir->ring->block->sticky[i]);
    uint64_t s = RING_SEQUENCE (word);
    if (!keeps_sticky (heir, i, word))
      word = RING_WORD (s <= heir->head ? s : 0, RECORD_NONE);
    heir->sticky[i] = word;
  }
  for (uint64_t s = heir->tail; s < heir->head; s++)
    follow_sticky (heir, s);
  /* the stream continues, so joining consumers must not find it ended */
  if (RING_RECORD (heir->sticky[STICKY_EOS]) != RECORD_NONE)
    heir->sticky[STICKY_EOS] = RING_WORD (heir->head, RECORD_NONE);
}

static void
count_sticky (Heir *heir)
{
  Ring *ring = heir->ring;
  for (uint32_t i = 0; i < N_STICKY; i++) {
    uint32_t record = RING_RECORD (heir->sticky[i]);
    ring->sticky_words[i] = heir->sticky[i];
    ring->sticky[i] = ring->shown[i] = (uint16_t) record;
    if (record == RECORD_NONE)
      continue;
    ring->sticky_seq[i] = heir->records[record].seq;
    ring->records[record].refs += 2;
  }
}

/* Buffers committed so far: the newest record knows; in an empty ring the
 * counter, which is stored behind the head. */
static uint64_t
count_buffers (const Heir *heir)
{
  const Block *block = heir->ring->block;
  const Inherited *last;
  if (heir->tail == heir->head)
    return load_seq (&block->header->buffers);
  last = &heir->records[RING_RECORD (
      heir->words[(heir->head - 1) & (block->g.ring_size - 1)])];
  return last->ordinal
      + (last->type == DATAHUB_RECORD_BUFFER
          || last->type == RECORD_TYPE_TOMBSTONE);
}

/* ---- private state ---- */

static void
stack_free_slots (Pools *pools, Pool *pool)
{
  for (uint32_t i = pool->shape.n_slots; i > 0; i--)
    if (pool->refs[i - 1] == 0)
      pool->free[pool->n_free++] = i - 1;
  if (!pool->open)
    pool_leave_closed (pools, pool);
}

/* Restores the ranks of the records in the ring, and which were discarded. */
static void
rank_kept (Heir *heir)
{
  Ring *ring = heir->ring;
  for (uint64_t s = heir->tail; s < heir->head; s++) {
    uint32_t record = *ring_private (ring, s);
    const Inherited *own = &heir->records[record];
    bool buried = own->type == RECORD_TYPE_TOMBSTONE;
    Rank rank = buried ? RANK_TOMBSTONE
                       : rank_of ((DatahubRecordType) own->type, own->flags);
    ring->records[record].rank = (uint8_t) rank;
    ring->n_tombstones += buried;
    ring->n_lesser += rank_is_lesser (rank);
    if (own->type == DATAHUB_RECORD_BUFFER)
      ring->last_buffer = s;
    if (rank == RANK_KEY && flags_begin (own->flags))
      ring->last_key = s;
  }
}

/* Makes the state of the ring and of the pools that of the successor. Records that
 * nothing leads to wait in limbo for a scan of the rows. */
void
heir_settle (Heir *heir)
{
  Ring *ring = heir->ring;
  count_kept (heir);
  count_sticky (heir);
  ring->n_free_recs = 0;
  for (uint32_t i = 0; i < ring->block->g.n_recs; i++)
    if (ring->records[i].refs == 0)
      ring->limbo[ring->n_limbo++] = (uint16_t) i;
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (heir->pools->table[i])
      stack_free_slots (heir->pools, heir->pools->table[i]);
  ring->head = ring->shown_head = heir->head;
  ring->tail = ring->cleared = heir->tail;
  rank_kept (heir);
  ring->ordinal = count_buffers (heir);
  ring->held_back = true;
}

/* ---- all of it ---- */

/* Copies and judges; nothing is stored in the block. False: it contradicts itself,
 * or out of memory. */
bool
heir_judge (Heir *heir)
{
  const Block *block = heir->ring->block;
  heir->records = calloc (block->g.n_recs, sizeof *heir->records);
  heir->words = calloc (block->g.ring_size, sizeof *heir->words);
  if (!heir->records || !heir->words)
    return false;
  inherit_records (heir);
  /* live consumers would wait for a record that is far away */
  if (!judge_ring (heir) || load_seq (&block->header->flush_seq) > heir->head)
    return false;
  judge_sticky (heir);
  return true;
}

void
heir_free (Heir *heir)
{
  free (heir->records);
  free (heir->words);
}
