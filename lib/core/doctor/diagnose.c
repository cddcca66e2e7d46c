/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A snapshot of a block from outside: the state of each record, slot, row and
 * lock. The lists of the producer are private to its process, so a free slot
 * cannot be distinguished from a lent one. The ring and the holders of records
 * are visible.
 * Tests: core-diagnose, core-hostile-integrity */
#include "integrity-private.h"
#include "core/block/errors-private.h"
#include "core/userlock/lock-private.h"
#include "core/base/result-private.h"

#include <stdlib.h>
#include <string.h>

/* More slots than this are only counted: a hostile table may speak of any
 * number. */
#define SLOTS_LISTED_MAX (UINT32_C (1) << 17)
#define WORD_TRIES 4

/* Where the slots of a pool begin in the list. */
typedef struct
{
  PoolShape shape;
  uint32_t first, n;
} Shelf;

typedef struct
{
  Block *block;
  DatahubDiagnosis *out;
  Shelf shelves[MAX_POOLS];
  uint32_t n_shelves;
} Inventory;

static bool
copy_record (const Inventory *in, uint32_t index, BlockRecord *copy)
{
  if (index >= in->block->g.n_recs)
    return false;
  copy_unpinned (copy, block_record (in->block, index),
      offsetof (BlockRecord, inline_bytes));
  return true;
}

static DatahubSlotInfo *
find_slot (const Inventory *in, uint32_t gen, uint32_t slot)
{
  for (uint32_t i = 0; i < in->n_shelves; i++)
    if (in->shelves[i].shape.gen == gen && slot < in->shelves[i].n)
      return &in->out->slots[in->shelves[i].first + slot];
  return NULL;
}

static void
note_slot (const Inventory *in, uint32_t gen, uint32_t slot,
    const DatahubRecordInfo *record)
{
  DatahubSlotInfo *info = find_slot (in, gen, slot);
  if (!info)
    return;
  info->n_records++;
  /* a record that can still be read takes precedence over one that is only
   * kept */
  if (info->state == DATAHUB_RECORD_STATE_UNSEEN
      || (record->state == DATAHUB_RECORD_STATE_RING
          && info->state != DATAHUB_RECORD_STATE_RING))
    info->state = record->state;
  if (info->n_records == 1 || record->sequence > info->sequence) {
    info->sequence = record->sequence;
    info->age_ns = record->age_ns;
  }
}

/* Stores the state of a record, unless a state of higher precedence is known
 * already. The same state then holds for its slots and its contexts. Those have
 * none of their own beyond the four kinds there are; a hostile chain is cut at
 * @depth. */
static void
note_record (const Inventory *in, uint32_t index, const BlockRecord *copy,
    DatahubRecordState state, uint32_t depth)
{
  DatahubRecordInfo *info = &in->out->records[index];
  if (info->state != DATAHUB_RECORD_STATE_UNSEEN)
    return;
  info->state = state;
  info->sequence = copy->seq & SEQUENCE_MASK;
  info->type = (DatahubRecordType) copy->type;
  info->age_ns = block_age_at (in->block, copy->commit_ns, in->out->at_ns);
  for (uint32_t i = 0; i < copy->n_mem && i < MEMORIES_MAX; i++)
    note_slot (in, copy->mem[i].gen, copy->mem[i].slot, info);
  if (copy->meta_gen)
    note_slot (in, copy->meta_gen, copy->meta_slot, info);
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS && depth > 0; i++) {
    BlockRecord context;
    if (copy_record (in, copy->ctx[i], &context)
        && context.seq == copy->ctx_seq[i])
      note_record (in, copy->ctx[i], &context, DATAHUB_RECORD_STATE_CONTEXT,
          depth - 1);
  }
}

/* Follows a ring or sticky word, as an observer does. */
static void
follow_word (const Inventory *in, shared_u64 *at, DatahubRecordState state)
{
  for (int i = 0; i < WORD_TRIES; i++) {
    uint64_t word = load_seq (at);
    BlockRecord copy;
    if (!copy_record (in, RING_RECORD (word), &copy)
        || (copy.seq & SEQUENCE_MASK) != RING_SEQUENCE (word))
      return;
    if (load_seq (at) != word)
      continue;
    note_record (in, RING_RECORD (word), &copy, state, DATAHUB_N_CONTEXTS);
    return;
  }
}

static void
read_ring (const Inventory *in)
{
  const Block *block = in->block;
  uint64_t n = in->out->head - in->out->tail;
  if (in->out->head < in->out->tail || n > block->g.ring_size)
    n = block->g.ring_size; /* the counters lie, or the ring moved on */
  for (uint64_t i = 0; i < n; i++)
    follow_word (in, block_ring_word (block, in->out->tail + i),
        DATAHUB_RECORD_STATE_RING);
  for (uint32_t i = 0; i < N_STICKY; i++)
    follow_word (in, &block->sticky[i], DATAHUB_RECORD_STATE_CONTEXT);
}

/* A record that a row holds does not change; one that a row is just looking at
 * may be anything, and is nothing at the next scan. */
static void
note_pin (const Inventory *in, uint32_t index, uint32_t row)
{
  DatahubRecordInfo *info = &in->out->records[index];
  BlockRecord copy;
  if (info->n_holders++ > 0 || !copy_record (in, index, &copy))
    return;
  info->holder = row;
  note_record (in, index, &copy, DATAHUB_RECORD_STATE_HELD, DATAHUB_N_CONTEXTS);
  for (uint32_t i = 0; i < copy.n_mem && i < MEMORIES_MAX; i++) {
    DatahubSlotInfo *slot = find_slot (in, copy.mem[i].gen, copy.mem[i].slot);
    if (slot && slot->holder == DATAHUB_NO_ROW)
      slot->holder = row;
  }
}

static void
note_reading (const Inventory *in, DatahubRowInfo *info, uint64_t head)
{
  info->behind = head > info->info.cursor ? head - info->info.cursor : 0;
  info->waiting_ns =
      info->behind ? block_age_of (in->block, info->info.cursor) : -1;
}

/* An observer of a strict block receives a list of the consumers, but cannot
 * see their records or whether they sleep. */
static void
read_told_rows (Inventory *in)
{
  const Block *block = in->block;
  uint64_t head = load_seq (&block->header->head);
  for (uint32_t i = 0; i < block->access->n_infos && i < in->out->max_rows;
       i++) {
    DatahubRowInfo *info = &in->out->rows[in->out->n_rows++];
    info->info = block->access->infos[i];
    note_reading (in, info, head);
  }
}

static void
read_row (Inventory *in, uint32_t i)
{
  const Block *block = in->block;
  ConsumerRow *row = block_row (block, i);
  DatahubRowInfo *info = &in->out->rows[in->out->n_rows];
  uint64_t head = load_seq (&block->header->head);
  if (row_is_neutral (block, i))
    return;
  if (!row_read_info (block, block->lck, i, &info->info)) {
    info->info.row = i; /* no state, but not clean */
    info->info.alive = block_row_is_alive (block, block->lck, i);
  }
  in->out->n_rows++;
  info->sleeps = load_seq (&block->wake->waiters[i >> 6]) >> (i & 63) & 1;
  note_reading (in, info, head);
  for (uint32_t w = 0; w < block->g.pin_words; w++) {
    uint64_t word = load_seq (&row->pins[w]);
    for (uint32_t r = w * 64; word && r < block->g.n_recs; r++, word >>= 1)
      if (word & 1)
        note_pin (in, r, i);
  }
}

static void
read_lock (const Inventory *in, uint32_t i)
{
  static const DatahubHolder holders[] = {
    [LOCK_OWNER_NONE] = DATAHUB_HOLDER_NONE,
    [LOCK_OWNER_ALIVE] = DATAHUB_HOLDER_CONSUMER,
    [LOCK_OWNER_DEAD] = DATAHUB_HOLDER_CONSUMER,
    [LOCK_OWNER_ABANDONED] = DATAHUB_HOLDER_ABANDONED,
    [LOCK_OWNER_NOBODY] = DATAHUB_HOLDER_UNKNOWN,
  };
  const UserLock *lock = &in->block->wake->user_locks[i];
  DatahubLockInfo *info = &in->out->locks[i];
  LockOwner kind;
  lock_read_stats (lock, i, &info->stats);
  info->owner = load_seq (&lock->owner);
  info->stats.locked = false;
  info->row = DATAHUB_NO_ROW;
  kind = lock_owner_of (in->block, info->owner);
  info->holder = holders[kind];
  info->alive = kind == LOCK_OWNER_ALIVE;
  if (info->holder != DATAHUB_HOLDER_CONSUMER)
    return;
  info->stats.locked = true;
  info->thread = OWNER_THREAD (info->owner);
  if (OWNER_PARTICIPANT (info->owner) == PARTICIPANT_PRODUCER)
    info->holder = DATAHUB_HOLDER_PRODUCER;
  else
    info->row = OWNER_PARTICIPANT (info->owner) - PARTICIPANT_ROW;
}

/* Pools in the order of their generations. */
static void
read_pools (Inventory *in)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    PoolShape shape;
    int number;
    uint32_t k = in->n_shelves;
    if (!pool_shape_read (&in->block->pools[i], &shape)
        || pool_fault_of_file (in->block, &shape, &number))
      continue;
    for (; k > 0 && in->shelves[k - 1].shape.gen > shape.gen; k--)
      in->shelves[k] = in->shelves[k - 1];
    in->shelves[k] = (Shelf){ .shape = shape };
    in->n_shelves++;
  }
  for (uint32_t i = 0; i < in->n_shelves; i++) {
    Shelf *shelf = &in->shelves[i];
    uint32_t left = SLOTS_LISTED_MAX - in->out->n_slots;
    shelf->first = in->out->n_slots;
    shelf->n = shelf->shape.n_slots < left ? shelf->shape.n_slots : left;
    in->out->n_slots += shelf->n;
    if (UINT32_MAX - in->out->n_slots_omitted > shelf->shape.n_slots - shelf->n)
      in->out->n_slots_omitted += shelf->shape.n_slots - shelf->n;
  }
}

static bool
make_lists (Inventory *in)
{
  DatahubDiagnosis *out = in->out;
  read_pools (in);
  out->n_records = in->block->g.n_recs;
  out->max_rows = in->block->g.max_rows;
  out->rows = calloc (out->max_rows, sizeof *out->rows);
  out->records = calloc (out->n_records, sizeof *out->records);
  out->slots = calloc (out->n_slots + 1, sizeof *out->slots);
  if (!out->rows || !out->records || !out->slots)
    return false;
  for (uint32_t i = 0; i < out->n_records; i++)
    out->records[i] = (DatahubRecordInfo){ .record = i,
      .sequence = DATAHUB_NONE,
      .holder = DATAHUB_NO_ROW,
      .age_ns = -1 };
  for (uint32_t s = 0; s < in->n_shelves; s++)
    for (uint32_t i = 0; i < in->shelves[s].n; i++)
      out->slots[in->shelves[s].first + i] =
          (DatahubSlotInfo){ .pool = in->shelves[s].shape.gen,
            .slot = i,
            .sequence = DATAHUB_NONE,
            .holder = DATAHUB_NO_ROW,
            .age_ns = -1 };
  return true;
}

static void
read_header (Inventory *in)
{
  const Block *block = in->block;
  const BlockHeader *header = block->header;
  DatahubDiagnosis *out = in->out;
  uint64_t heartbeat = block_heartbeat (block);
  memcpy (out->channel, block->channel, sizeof out->channel);
  memcpy (out->uuid, block->uuid_text, sizeof out->uuid);
  out->at_ns = os_now ();
  out->state = load_seq (&header->state);
  out->producer_alive = block_is_writer_alive (block);
  out->producer_waits = load_seq (&header->producer_waiting);
  out->silent_ns = heartbeat ? (int64_t) silence_since (heartbeat) : -1;
  out->tail = load_seq (&header->tail);
  out->head = load_seq (&header->head);
  out->idle_ns = out->head ? block_age_of (block, out->head - 1) : -1;
  out->buffers = load_relaxed (&header->buffers);
  out->dropped = load_relaxed (&header->dropped);
}

static bool
take_inventory (Inventory *in)
{
  read_header (in);
  if (!make_lists (in))
    return false;
  read_ring (in);
  if (in->block->access)
    read_told_rows (in);
  for (uint32_t i = 0; i < in->block->g.max_rows && !in->block->access; i++)
    read_row (in, i);
  for (uint32_t i = 0; i < N_USER_LOCKS; i++)
    read_lock (in, i);
  in->out->n_errors = block_read_errors (in->block, in->out->errors);
  return true;
}

void
datahub_diagnosis_free (DatahubDiagnosis *diagnosis)
{
  if (!diagnosis)
    return;
  free (diagnosis->rows);
  free (diagnosis->records);
  free (diagnosis->slots);
  free (diagnosis);
}

/**
 * datahub_block_diagnose:
 * @channel: the name of a block
 * @before: (nullable): an earlier snapshot of the same block; not changed
 * @func: (nullable): called for each finding
 * @user_data: passed to @func
 * @diagnosis: (out) (transfer full): the snapshot
 * @error: (out) (optional): why it failed
 *
 * Reports the state and the holder of every record, slot, row and lock, as an
 * observer: nothing is written. One snapshot cannot distinguish slow
 * participants from active ones. With an earlier snapshot in @before,
 * participants that made no progress since then are reported as findings. The
 * caller chooses the interval; a second is suitable. Durations add up over
 * several snapshots.
 *
 * In a strict block pools, locks, and the records that consumers hold are not
 * visible.
 *
 * Numbers of a live stream may be a few records apart. Does not block, except
 * for a strict block, as datahub_block_inspect(). Any thread.
 *
 * Returns: %DATAHUB_OK or a failure
 */
DatahubResult
datahub_block_diagnose (const char *channel, const DatahubDiagnosis *before,
    DatahubFindingFunc func, void *user_data, DatahubDiagnosis **diagnosis,
    DatahubError *error)
{
  Block block;
  Inventory in = { .block = &block };
  DatahubResult result;
  bool done;
  *diagnosis = NULL;
  result_begin (error);
  result = block_open (&block, channel, ACCESS_OBSERVE, error);
  if (result != DATAHUB_OK)
    return result_end (error, result);
  in.out = calloc (1, sizeof *in.out);
  done = in.out && take_inventory (&in);
  block_release (&block);
  if (!done) {
    datahub_diagnosis_free (in.out);
    return result_fail (error, DATAHUB_ERROR_SYSTEM, 0, "Out of memory.");
  }
  if (before && strcmp (before->uuid, in.out->uuid) != 0)
    before = NULL;
  if (before)
    diagnosis_compare (in.out, before);
  diagnosis_report (in.out, before, func, user_data);
  *diagnosis = in.out;
  return result_end (error, DATAHUB_OK);
}
