/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The new end of the ring: a batch of records is filled, then published at
 * once.
 *
 * A producer that is killed between any two steps leaves either nothing visible
 * (before A7) or the whole batch (after it): there is no state of several words
 * in shared memory.
 * Tests: core-roundtrip, core-batch, core-shares, stress-sweep */
#include "core/block/checksum-private.h"
#include "commit-sizes-private.h"
#include "producer-private.h"
#include "core/base/result-private.h"

#include <string.h>

#define META_ALIGN 16

/* Where the memories of @commit end in the slot of @last. */
static uint64_t
end_in_slot (const DatahubCommit *commit, const DatahubCommitMemory *last)
{
  uint64_t end = 0;
  for (uint32_t i = 0; i < commit->n_memories; i++) {
    const DatahubCommitMemory *m = &commit->memories[i];
    if (m->slot->pool == last->slot->pool && m->slot->slot == last->slot->slot
        && m->slot->offset + m->offset + m->size > end)
      end = m->slot->offset + m->offset + m->size;
  }
  return end;
}

static bool
is_last_memory_roomy (DatahubProducer *producer, const DatahubCommit *commit,
    MetaLocation *location)
{
  const DatahubCommitMemory *last;
  SlotRef slot;
  /* the caller may use the memory after the payload as long as the loan */
  if (commit->n_memories == 0 || !commit->release)
    return false;
  last = &commit->memories[commit->n_memories - 1];
  slot = (SlotRef){ pool_find (&producer->pools, last->slot->pool),
    last->slot->slot };
  /* a slot that other records or payloads share is not ours to write to */
  if (!slot.pool || slot.pool->refs[slot.slot] != 1)
    return false;
  location->slot = slot;
  location->offset = round_up (end_in_slot (commit, last), META_ALIGN);
  return location->offset + commit->meta_size <= slot.pool->shape.stride;
}

/* Finds a place for the bytes of metas and events that are too many for the
 * record itself: behind the payload, else in a small slot. */
static Attempt
choose_meta_location (DatahubProducer *producer, Call *call, uint32_t i)
{
  const DatahubCommit *commit = &call->commits[i];
  MetaLocation *location = &call->meta_locations[i];
  if (commit->meta_size <= RECORD_INLINE) {
    location->slot.pool = NULL;
    return ATTEMPT_DONE;
  }
  if (is_last_memory_roomy (producer, commit, location)) {
    slot_ref (location->slot);
    return ATTEMPT_DONE;
  }
  location->offset = 0;
  return producer_take_slot (producer, call, POOL_SMALL, commit->meta_size,
      &location->slot);
}

static void
drop_places (DatahubProducer *producer, Call *call)
{
  for (uint32_t i = 0; i < call->n_meta_locations; i++)
    if (call->meta_locations[i].slot.pool)
      slot_unref (&producer->pools, call->meta_locations[i].slot);
  call->n_meta_locations = 0;
}

static bool
is_same_loan (const DatahubSlot *a, const DatahubSlot *b)
{
  return a->pool == b->pool && a->slot == b->slot && a->offset == b->offset;
}

/* Whether the loan of memory @i ends here: with the first memory it is of. */
static bool
ends_loan (const DatahubCommit *commit, uint32_t i)
{
  if (!commit->release)
    return false;
  for (uint32_t k = 0; k < i; k++)
    if (is_same_loan (commit->memories[k].slot, commit->memories[i].slot))
      return false;
  return true;
}

static void
fill_memories (DatahubProducer *producer, const DatahubCommit *commit,
    RecordRefs *state, BlockRecord *record)
{
  record->n_mem = commit->n_memories;
  for (uint32_t i = 0; i < commit->n_memories; i++) {
    const DatahubCommitMemory *m = &commit->memories[i];
    SlotRef slot = { pool_find (&producer->pools, m->slot->pool),
      m->slot->slot };
    /* the reference of a loan that ends becomes the record's */
    if (ends_loan (commit, i))
      producer->references--; /* never the last: the caller has one */
    else
      slot_ref (slot);
    state->slots[state->n_slots++] = slot;
    record->mem[i] = (RecordMemory){ .gen = m->slot->pool,
      .slot = m->slot->slot,
      .offset = m->slot->offset + m->offset,
      .size = m->size,
      .maxsize = m->slot->size - m->offset };
  }
}

static void
fill_meta (Call *call, uint32_t i, RecordRefs *state, BlockRecord *record)
{
  const DatahubCommit *commit = &call->commits[i];
  SlotRef location = call->meta_locations[i].slot;
  uint8_t *at = record->inline_bytes;
  record->meta_size = commit->meta_size;
  record->meta_gen = 0;
  record->meta_slot = 0;
  record->meta_offset = 0;
  if (location.pool) {
    record->meta_gen = location.pool->shape.gen;
    record->meta_slot = location.slot;
    record->meta_offset = call->meta_locations[i].offset;
    at = location.pool->map + BLOCK_PAGE
        + location.slot * location.pool->shape.stride + record->meta_offset;
    state->slots[state->n_slots++] = location; /* the reference moves here */
  }
  if (commit->meta_size)
    memcpy (at, commit->meta, commit->meta_size);
}

/* A sticky record only refers to types that precede it in a stream. Otherwise
 * caps would refer to the current segment, which refers to the previous caps,
 * and so on, and every sticky record would be kept for ever. */
static void
fill_contexts (DatahubProducer *producer, DatahubRecordType type,
    RecordRefs *state, BlockRecord *record)
{
  uint32_t own = (uint32_t) (type - DATAHUB_RECORD_STREAM_START);
  uint32_t n = own < DATAHUB_N_CONTEXTS ? own : DATAHUB_N_CONTEXTS;
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS; i++) {
    uint32_t ctx = i < n ? producer->ring.sticky[i] : RECORD_NONE;
    state->ctx[i] = record->ctx[i] = (uint16_t) ctx;
    record->ctx_seq[i] = i < n ? producer->ring.sticky_seq[i] : DATAHUB_NONE;
    if (ctx != RECORD_NONE)
      producer->ring.records[ctx].refs++;
  }
}

static void
update_sticky (DatahubProducer *producer, DatahubRecordType type,
    uint64_t sequence, uint32_t record)
{
  /* the many that change nothing */
  if (type == DATAHUB_RECORD_BUFFER
      && producer->ring.sticky[STICKY_EOS] == RECORD_NONE)
    return;
  for (uint32_t i = 0; i < N_STICKY; i++) {
    StickyChange change = ring_sticky_change (type, i);
    if (change == STICKY_REPLACED)
      ring_replace_sticky (&producer->ring, i, sequence, record);
    else if (change == STICKY_DROPPED
        && producer->ring.sticky[i] != RECORD_NONE)
      ring_replace_sticky (&producer->ring, i, sequence, RECORD_NONE);
  }
}

static void
fill_record (DatahubProducer *producer, Call *call, uint32_t i,
    uint64_t sequence, uint32_t index, uint64_t now)
{
  const DatahubCommit *commit = &call->commits[i];
  RecordRefs *state = &producer->ring.records[index];
  BlockRecord *record = block_record (&producer->block, index);
  state->refs = 1; /* the ring's */
  state->rank = (uint8_t) rank_of (commit->type, commit->flags);
  producer->ring.n_lesser += rank_is_lesser ((Rank) state->rank);
  state->n_slots = 0;
  record->seq = sequence;
  STEP (RECORD_BEGUN);
  record->ordinal = producer->ring.ordinal;
  record->commit_ns = now;
  record->pts = commit->pts;
  record->dts = commit->dts;
  record->duration = commit->duration;
  record->offset = commit->offset;
  record->offset_end = commit->offset_end;
  record->instant_ns = commit->instant_ns;
  record->flags = commit->flags;
  record->incarnation = producer->incarnation;
  record->type = commit->type;
  record->checksum_kind = producer->options.checksum;
  if (record->checksum_kind)
    memcpy (record->checksum, call->meta_locations[i].checksum, CHECKSUM_SIZE);
  fill_memories (producer, commit, state, record);
  fill_meta (call, i, state, record);
  fill_contexts (producer, commit->type, state, record);
  STEP (RECORD_FILLED);
}

/* Statistics, and the start positions of joining consumers; stored before A7
 * makes them valid. The count of buffers comes after it: an adopter relies on
 * it (C11). */
static void
note_buffer (DatahubProducer *producer, const DatahubCommit *commit,
    uint64_t sequence)
{
  BlockHeader *header = producer->block.header;
  uint64_t bytes = 0;
  if (commit->type != DATAHUB_RECORD_BUFFER)
    return;
  for (uint32_t i = 0; i < commit->n_memories; i++)
    bytes += commit->memories[i].size;
  producer->ring.ordinal++;
  store_relaxed (&header->bytes, load_relaxed (&header->bytes) + bytes);
  producer->ring.last_buffer = sequence;
  store_relaxed (&header->last_buffer_seq, sequence);
  if (flags_begin (commit->flags)) {
    producer->ring.last_key = sequence;
    store_relaxed (&header->last_key_seq, sequence);
  }
  STEP (BUFFER_NOTED);
}

static void
publish_batch (DatahubProducer *producer, Call *call)
{
  uint64_t first = producer->ring.head, now = (uint64_t) os_now ();
  uint32_t taken;
  for (uint32_t i = 0; i < call->n_commits; i++) {
    taken = producer->ring.free_recs[--producer->ring.n_free_recs];
    fill_record (producer, call, i, first + i, taken, now);
    note_buffer (producer, &call->commits[i], first + i);
    *ring_private (&producer->ring, first + i) = (uint16_t) taken;
    store_release (block_ring_word (&producer->block, first + i),
        RING_WORD (first + i, taken)); /* A6 */
    STEP (A6_WORD_STORED);
    /* later records of the batch refer to this one */
    update_sticky (producer, call->commits[i].type, first + i, taken);
  }
  call->n_meta_locations = 0;
  producer->ring.head = first + call->n_commits;
  if (!producer->ring.held_back)
    call->wake = ring_show (&producer->ring, now);
  call->first_sequence = first;
}

/* The records that are committed to an adopted block become visible when it is
 * published, or earlier if the ring would be full of invisible records. */
static void
stop_holding_back (DatahubProducer *producer, uint32_t n)
{
  if (producer->ring.held_back
      && producer->ring.head + n - producer->ring.shown_head
          > producer->block.g.ring_size)
    ring_show_early (&producer->ring);
}

static bool
is_commit_sound (DatahubProducer *producer, const DatahubCommit *commit)
{
  if (commit->type < DATAHUB_RECORD_BUFFER
      || commit->type > DATAHUB_RECORD_EVENT
      || commit->n_memories > MEMORIES_MAX
      || (commit->meta_size && !commit->meta))
    return false;
  for (uint32_t i = 0; i < commit->n_memories; i++) {
    const DatahubCommitMemory *m = &commit->memories[i];
    const Pool *pool = pool_find (&producer->pools, m->slot->pool);
    if (!pool || m->slot->slot >= pool->shape.n_slots
        || pool->refs[m->slot->slot] == 0 || m->offset > m->slot->size
        || m->size > m->slot->size - m->offset
        || m->slot->offset > pool->shape.stride
        || m->slot->size > pool->shape.stride - m->slot->offset)
      return false;
  }
  return true;
}

static bool
check_commits (DatahubProducer *producer, Call *call)
{
  call->checked = true;
  for (uint32_t i = 0; i < call->n_commits; i++)
    if (!is_commit_sound (producer, &call->commits[i])) {
      call->result = result_fail (call->error, DATAHUB_ERROR_INVALID, 0,
          "The record to commit is malformed: a memory is not a slot lent by "
          "this producer, or a number is impossible.");
      return false;
    }
  return true;
}

/* Makes room for the whole batch, then publishes it. */
static Attempt
attempt_commit (DatahubProducer *producer, Call *call)
{
  uint32_t n = call->n_commits;
  if (!call->checked && !check_commits (producer, call))
    return ATTEMPT_DONE;
  stop_holding_back (producer, n);
  while (producer->ring.head + n - producer->ring.tail
      > producer->block.g.ring_size)
    if (!ring_retire_oldest (&producer->ring))
      return ATTEMPT_WAIT;
  while (producer->ring.n_free_recs < n) {
    if (producer->ring.n_limbo
        && ring_reclaim (&producer->ring, &producer->pools))
      continue;
    if (ring_live_records (&producer->ring) <= RING_MIN_KEPT)
      return ATTEMPT_EXHAUSTED;
    if (!ring_retire_oldest (&producer->ring))
      return ATTEMPT_WAIT_ANY;
  }
  for (; call->n_meta_locations < n; call->n_meta_locations++) {
    Attempt attempt =
        choose_meta_location (producer, call, call->n_meta_locations);
    if (attempt != ATTEMPT_DONE)
      return attempt;
  }
  publish_batch (producer, call);
  call->result = DATAHUB_OK;
  return ATTEMPT_DONE;
}

/* Without the lock: it reads every byte. Loans that are not sound are refused
 * before, under it. */
static DatahubResult
stamp (DatahubProducer *producer, Call *call)
{
  bool sound;
  pthread_mutex_lock (&producer->lock);
  sound = check_commits (producer, call);
  pthread_mutex_unlock (&producer->lock);
  for (uint32_t i = 0; i < call->n_commits && sound; i++) {
    const DatahubCommit *commit = &call->commits[i];
    Checksum checksum;
    checksum_begin (&checksum, producer->options.checksum);
    for (uint32_t m = 0; m < commit->n_memories; m++)
      checksum_add (&checksum,
          commit->memories[m].slot->data + commit->memories[m].offset,
          commit->memories[m].size);
    checksum_add (&checksum, commit->meta, commit->meta_size);
    checksum_end (&checksum, call->meta_locations[i].checksum);
  }
  return sound ? DATAHUB_OK : call->result;
}

static uint64_t
count_buffers (const DatahubCommit *records, uint32_t n)
{
  uint64_t buffers = 0;
  for (uint32_t i = 0; i < n; i++)
    buffers += records[i].type == DATAHUB_RECORD_BUFFER;
  return buffers;
}

/* @meta_locations is room for @n of them. */
static DatahubResult
commit_all (DatahubProducer *producer, const DatahubCommit *records, uint32_t n,
    MetaLocation *meta_locations, int64_t timeout_ns, uint64_t *first_sequence,
    DatahubError *error)
{
  DatahubResult result = DATAHUB_OK;
  Call call;
  if (producer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This producer belongs to the parent process.");
  call_begin (&call, attempt_commit, DATAHUB_WAIT_COMMIT, timeout_ns, error);
  call.rank = RANK_EVENT; /* its payloads have their slots */
  call.commits = records;
  call.n_commits = n;
  call.checked = call.wake = false;
  call.meta_locations = meta_locations;
  call.n_meta_locations = 0;
  if (producer->options.checksum)
    result = stamp (producer, &call);
  if (result == DATAHUB_OK)
    result = producer_run (producer, &call);
  if (result != DATAHUB_OK) {
    pthread_mutex_lock (&producer->lock);
    drop_places (producer, &call);
    pthread_mutex_unlock (&producer->lock);
    if (result == DATAHUB_DROPPED)
      datahub_producer_count_dropped (producer, count_buffers (records, n));
    return result;
  }
  if (call.wake) {
    os_futex_wake (&producer->block.header->wake);
    STEP (COMMIT_WOKE);
    add_relaxed (&producer->ring.counters->wakes, 1);
  }
  if (first_sequence)
    *first_sequence = call.first_sequence;
  return DATAHUB_OK;
}

/* Not inline, for the copies are large. */
__attribute__ ((noinline)) static DatahubResult
commit_converted (DatahubProducer *producer, const DatahubCommit *records,
    uint32_t n, MetaLocation *meta_locations, int64_t timeout_ns,
    uint64_t *first_sequence, DatahubError *error)
{
  DatahubCommit known[DATAHUB_MAX_BATCH];
  DatahubResult result = commit_convert (known, records, n, error);
  if (result != DATAHUB_OK)
    return result;
  return commit_all (producer, known, n, meta_locations, timeout_ns,
      first_sequence, error);
}

static DatahubResult
commit_any (DatahubProducer *producer, const DatahubCommit *records, uint32_t n,
    MetaLocation *meta_locations, int64_t timeout_ns, uint64_t *first_sequence,
    DatahubError *error)
{
  if (commit_is_of_this_version (records, n))
    return commit_all (producer, records, n, meta_locations, timeout_ns,
        first_sequence, error);
  return commit_converted (producer, records, n, meta_locations, timeout_ns,
      first_sequence, error);
}

/* Without a reliable consumer that is behind, it takes a bounded number of
 * steps. */
DatahubResult
datahub_producer_commit_batch (DatahubProducer *producer,
    const DatahubCommit *records, uint32_t n_records, int64_t timeout_ns,
    uint64_t *first_sequence, DatahubError *error)
{
  MetaLocation meta_locations[DATAHUB_MAX_BATCH];
  result_begin (error);
  if (n_records == 0)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "An empty batch cannot be committed.");
  if (n_records > producer->ring.batch_max)
    return result_fail (error, DATAHUB_ERROR_TOO_BIG, 0,
        "A batch of %u records is too big for a ring of %u: at most %u.",
        n_records, producer->block.g.ring_size, producer->ring.batch_max);
  return result_end (error,
      commit_any (producer, records, n_records, meta_locations, timeout_ns,
          first_sequence, error));
}

DatahubResult
datahub_producer_commit (DatahubProducer *producer, const DatahubCommit *record,
    int64_t timeout_ns, uint64_t *sequence, DatahubError *error)
{
  MetaLocation location;
  result_begin (error);
  return result_end (error,
      commit_any (producer, record, 1, &location, timeout_ns, sequence, error));
}

DatahubResult
datahub_producer_flush (DatahubProducer *producer)
{
  BlockHeader *header = producer->block.header;
  if (producer->generation != os_generation ())
    return DATAHUB_ERROR_FORKED;
  pthread_mutex_lock (&producer->lock);
  if (producer->ring.held_back)
    ring_show (&producer->ring, (uint64_t) os_now ());
  producer->ring.held_back = false;
  store_release (&header->flush_seq, producer->ring.head);
  STEP (FLUSH_SEQ_STORED);
  if (producer->ring.sticky[STICKY_EOS] != RECORD_NONE)
    ring_replace_sticky (&producer->ring, STICKY_EOS, producer->ring.head,
        RECORD_NONE);
  if (producer->ring.sticky[DATAHUB_CONTEXT_SEGMENT] != RECORD_NONE)
    ring_replace_sticky (&producer->ring, DATAHUB_CONTEXT_SEGMENT,
        producer->ring.head, RECORD_NONE);
  ring_publish_sticky (&producer->ring);
  store_seq (&header->wake, load_relaxed (&header->wake) + 1);
  STEP (FLUSH_WAKE_STEPPED);
  pthread_mutex_unlock (&producer->lock);
  os_futex_wake (&header->wake);
  STEP (FLUSH_WOKE);
  return DATAHUB_OK;
}
