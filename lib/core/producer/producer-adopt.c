/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adoption: a new producer continues the block of a dead one. Consumers keep
 * their mappings, rows, gates and pins, and only see that the incarnation has
 * changed. docs/memory-layout.md, "How a block is adopted", gives the steps C0
 * to C11.
 *
 * First the whole block is checked, once and on private copies, without a
 * store. If it contradicts itself, it is left to be closed and replaced. Then
 * the private state is rebuilt from the records and the pins. Then follow the
 * stores. The process can die after each of them: the next candidate comes to
 * the same result and repeats them all. Byte 0 is the only exclusion (D6).
 * Tests: core-adopt, core-adopt-inherit, core-adopt-fit, core-hostile-adopt */
#include "producer-private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A candidate meets others, and a reclaimer, for an instant each. */
#define OPEN_PATIENCE_NS NS_PER_S
/* Numbers beyond these are no stream's: 2^47 records at a million a second are
 * four years. */
#define HEAD_MAX (UINT64_C (1) << 47)
#define GEN_MAX (UINT32_C (1) << 30)
#define INCARNATION_MAX (UINT64_C (1) << 47)
#define POOL_SLOTS_MAX (UINT32_C (1) << 20)

/* A record as the dead left it. */
typedef struct
{
  uint64_t seq, ordinal;
  uint64_t ctx_seq[DATAHUB_N_CONTEXTS];
  uint16_t ctx[DATAHUB_N_CONTEXTS];
  uint32_t type; /* 0: it makes no sense, or was never filled */
  uint32_t flags;
} Inherited;

typedef struct
{
  DatahubProducer *producer;
  Inherited *records;
  uint64_t *ring; /* words as they shall be */
  uint64_t sticky[N_STICKY];
  uint64_t head, tail, ordinal;
} Heir;

/* ---- C0: the owner of the block ---- */

/* Opens the block of the name and takes its byte 0. False: there is none, it is
 * in use, or it is damaged. */
static bool
open_dead (DatahubProducer *producer)
{
  Block *block = &producer->block;
  char channel[DATAHUB_CHANNEL_MAX + 1];
  int64_t end = os_now () + OPEN_PATIENCE_NS;
  memcpy (channel, block->channel, sizeof channel);
  while (os_now () < end) {
    FileName entry = name_entry (os_user (), channel);
    if (block_open (block, channel, ACCESS_PRODUCE, NULL) != DATAHUB_OK)
      return false;
    if (block_lock_for_producer (block->lck) == OS_LOCK_TAKEN
        && os_same_file (block->lck, block->dir, entry.text))
      return true;
    /* a live one, or another candidate was faster: look again */
    if (os_same_file (block->lck, block->dir, entry.text))
      return false;
    block_release (block);
  }
  return false;
}

/* ---- whether it fits ---- */

static bool
is_secret_alike (const DatahubProducer *producer)
{
  const uint8_t *secret = producer->options.secret;
  uint8_t tag[32] = { 0 };
  if (secret)
    secret_tag (secret, &producer->block.uuid, tag);
  return sodium_memcmp (tag, producer->block.header->identity.secret_tag,
             sizeof tag)
      == 0;
}

static bool
has_mode (const Block *block, const char *part, uint32_t mode)
{
  return os_file_mode (block->dir,
             name_part (block->user, &block->uuid, part).text)
      == (int) mode;
}

/* Whether the block has the layout of this build and the requested options. */
static bool
is_alike (const DatahubProducer *producer)
{
  const DatahubProducerOptions *options = &producer->options;
  const Block *block = &producer->block;
  const Geometry *g = &block->g;
  const BlockIdentity *id = &block->header->identity;
  return load_seq (&block->header->state) == DATAHUB_STATE_READY
      && id->minor == BLOCK_MINOR && id->feat_compat == 0
      && geometry_is_ours (g)
      && (!options->slots || options->slots == g->n_slots)
      && (!options->ring_size || options->ring_size == g->ring_size)
      && (!options->max_consumers || options->max_consumers == g->max_rows)
      && (!options->max_pinned || options->max_pinned == g->max_quota)
      && options->zone_size == g->zone_size
      && options->shared_zone_size == g->shared_zone_size
      && is_secret_alike (producer)
      && has_mode (block, "ctl", producer_private_mode (producer))
      && has_mode (block, "con", producer_shared_mode (producer))
      && has_mode (block, "lck", producer_shared_mode (producer));
}

/* ---- pools ---- */

static Pool *
open_pool (DatahubProducer *producer, const PoolShape *shape, uint32_t entry)
{
  const Block *block = &producer->block;
  Pool *pool;
  FileName name = name_pool (block->user, &block->uuid, shape->gen);
  if (shape->n_slots > POOL_SLOTS_MAX || shape->gen > GEN_MAX
      || pool_find (producer, shape->gen)
      || os_file_mode (block->dir, name.text)
          != (int) producer_private_mode (producer)
      || !(pool = calloc (1, sizeof *pool)))
    return NULL;
  pool->shape = *shape;
  pool->entry = entry;
  pool->fd = -1;
  pool->refs = calloc (shape->n_slots, sizeof *pool->refs);
  pool->free = calloc (shape->n_slots, sizeof *pool->free);
  if (pool->refs && pool->free)
    pool->map =
        pool_open (block, shape, &pool->fd, &pool->map_size, true, NULL);
  if (pool->map)
    return pool;
  pool_free (producer, pool, false);
  return NULL;
}

/* All of the table, or none of it. */
static bool
take_pools (DatahubProducer *producer)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    PoolShape shape;
    Pool *newest;
    if (load_seq (&producer->block.pools[i].gen) == 0)
      continue;
    if (!pool_shape_read (&producer->block.pools[i], &shape)
        || !(producer->pools[i] = open_pool (producer, &shape, i)))
      return false;
    producer->bytes_used += pool_counted_bytes (&shape);
    newest = producer->newest[shape.kind];
    if (!newest || newest->shape.gen < shape.gen)
      producer->newest[shape.kind] = producer->pools[i];
  }
  if (producer->options.max_bytes
      && producer->bytes_used > producer->options.max_bytes)
    return false;
  return true;
}

/* Memory must be allocated before it is written: otherwise a full file system
 * causes a SIGBUS. */
static bool
reserve_newest (DatahubProducer *producer)
{
  for (uint32_t kind = 0; kind < N_POOL_KINDS; kind++) {
    Pool *pool = producer->newest[kind];
    if (!pool || !os_reserve (pool->fd, pool->shape.size))
      return false;
    os_prefault (pool->map, pool->shape.size, true,
        producer->options.hugepages != DATAHUB_HUGEPAGES_NEVER);
    pool->page_size = os_page_size_of (pool->map);
  }
  return true;
}

static void
drop_pools (DatahubProducer *producer)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    if (producer->pools[i])
      pool_free (producer, producer->pools[i], false);
    producer->pools[i] = NULL;
  }
  memset (producer->newest, 0, sizeof producer->newest);
  producer->bytes_used = 0;
}

/* ---- records ---- */

/* A reference that makes no sense counts for nothing: readers refuse it too. */
static void
count_slot (DatahubProducer *producer, RecordRefs *state, uint32_t gen,
    uint32_t slot, uint64_t offset, uint64_t size)
{
  Pool *pool = gen ? pool_find (producer, gen) : NULL;
  if (!pool || slot >= pool->shape.n_slots || offset > pool->shape.stride
      || size > pool->shape.stride - offset)
    return;
  state->slots[state->n_slots] = (SlotRef){ pool, slot };
  slot_ref (state->slots[state->n_slots++]);
}

/* Copies a record once. Slots of all records count, also of those that are only
 * pinned, or only left over (D1): the latter are free after the first
 * reclaim. */
static void
inherit_record (Heir *heir, uint32_t index)
{
  DatahubProducer *producer = heir->producer;
  RecordRefs *state = &producer->records[index];
  Inherited *own = &heir->records[index];
  BlockRecord record;
  memcpy (&record, block_record (&producer->block, index),
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
    count_slot (producer, state, record.mem[i].gen, record.mem[i].slot,
        record.mem[i].offset, record.mem[i].size);
  count_slot (producer, state, record.meta_gen, record.meta_slot,
      record.meta_offset, record.meta_size);
}

/* A context that is in use still matches its reference in the record. Otherwise
 * it was used again, and the record is a leftover. Sequences fall along these
 * references, so they never lead in a circle. */
static void
count_contexts (Heir *heir, uint32_t index)
{
  DatahubProducer *producer = heir->producer;
  const Inherited *own = &heir->records[index];
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS && own->type; i++) {
    uint32_t ctx = own->ctx[i];
    const Inherited *other;
    if (ctx >= producer->block.g.n_recs)
      continue;
    other = &heir->records[ctx];
    if (other->type != DATAHUB_RECORD_STREAM_START + i
        || other->seq != own->ctx_seq[i] || other->seq >= own->seq)
      continue;
    producer->records[index].ctx[i] = (uint16_t) ctx;
    producer->records[ctx].refs++;
  }
}

static void
inherit_records (Heir *heir)
{
  uint32_t n = heir->producer->block.g.n_recs;
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
  const Geometry *g = &heir->producer->block.g;
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
  const Block *block = &heir->producer->block;
  uint64_t tail = load_seq (&block->header->tail), n_kept = 0;
  heir->head = load_seq (&block->header->head);
  heir->tail = heir->head;
  if (heir->head > HEAD_MAX)
    return false;
  for (uint32_t i = 0; i < block->g.ring_size; i++) {
    uint64_t word = load_seq (&block->ring[i]);
    heir->ring[i] = RING_WORD (0, RECORD_NONE);
    if (!keeps_word (heir, i, word))
      continue;
    heir->ring[i] = word;
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
  DatahubProducer *producer = heir->producer;
  for (uint32_t i = 0; i < producer->block.g.ring_size; i++) {
    uint32_t record = RING_RECORD (heir->ring[i]);
    producer->ring[i] = (uint16_t) record;
    if (record != RECORD_NONE)
      producer->records[record].refs++;
  }
}

static bool
keeps_sticky (const Heir *heir, uint32_t which, uint64_t word)
{
  uint64_t s = RING_SEQUENCE (word);
  uint32_t record = RING_RECORD (word);
  return record < heir->producer->block.g.n_recs && s < heir->head
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
  uint64_t ring_size = heir->producer->block.g.ring_size;
  uint32_t record = RING_RECORD (heir->ring[s & (ring_size - 1)]);
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
    uint64_t word = load_seq (&heir->producer->block.sticky[i]);
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
  DatahubProducer *producer = heir->producer;
  for (uint32_t i = 0; i < N_STICKY; i++) {
    uint32_t record = RING_RECORD (heir->sticky[i]);
    producer->sticky_words[i] = heir->sticky[i];
    producer->sticky[i] = producer->shown[i] = (uint16_t) record;
    if (record == RECORD_NONE)
      continue;
    producer->sticky_seq[i] = heir->records[record].seq;
    producer->records[record].refs += 2;
  }
}

/* Buffers committed so far: the newest record knows; in an empty ring the
 * counter, which is stored behind the head. */
static uint64_t
count_buffers (const Heir *heir)
{
  const Block *block = &heir->producer->block;
  const Inherited *last;
  if (heir->tail == heir->head)
    return load_seq (&block->header->buffers);
  last = &heir->records[RING_RECORD (
      heir->ring[(heir->head - 1) & (block->g.ring_size - 1)])];
  return last->ordinal
      + (last->type == DATAHUB_RECORD_BUFFER
          || last->type == RECORD_TYPE_TOMBSTONE);
}

/* ---- private state ---- */

static void
stack_free_slots (DatahubProducer *producer, Pool *pool)
{
  for (uint32_t i = pool->shape.n_slots; i > 0; i--)
    if (pool->refs[i - 1] == 0)
      pool->free[pool->n_free++] = i - 1;
  if (pool != producer->newest[pool->shape.kind]
      && pool->n_free == pool->shape.n_slots)
    producer->has_idle_pools = true;
}

/* Restores the ranks of the records in the ring, and which were discarded. */
static void
rank_kept (Heir *heir)
{
  DatahubProducer *producer = heir->producer;
  for (uint64_t s = heir->tail; s < heir->head; s++) {
    uint32_t record = *ring_private (producer, s);
    const Inherited *own = &heir->records[record];
    bool buried = own->type == RECORD_TYPE_TOMBSTONE;
    Rank rank = buried ? RANK_TOMBSTONE
                       : rank_of ((DatahubRecordType) own->type, own->flags);
    producer->records[record].rank = (uint8_t) rank;
    producer->n_tombstones += buried;
    producer->n_lesser += rank_is_lesser (rank);
    if (own->type == DATAHUB_RECORD_BUFFER)
      producer->last_buffer = s;
    if (rank == RANK_KEY)
      producer->last_key = s;
  }
}

/* Records that nothing leads to wait in limbo for a scan of the rows. */
static void
settle (Heir *heir)
{
  DatahubProducer *producer = heir->producer;
  BlockHeader *header = producer->block.header;
  producer->n_free_recs = 0;
  for (uint32_t i = 0; i < producer->block.g.n_recs; i++)
    if (producer->records[i].refs == 0)
      producer->limbo[producer->n_limbo++] = (uint16_t) i;
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools[i])
      stack_free_slots (producer, producer->pools[i]);
  producer->head = producer->shown_head = heir->head;
  producer->tail = producer->cleared = heir->tail;
  rank_kept (heir);
  producer->ordinal = count_buffers (heir);
  producer->incarnation = load_seq (&header->incarnation) + 1;
  producer->adopted = producer->published = producer->held_back = true;
}

/* ---- C1 to C10 ---- */

static void
store_words (Heir *heir)
{
  const Block *block = &heir->producer->block;
  for (uint32_t i = 0; i < block->g.ring_size; i++)
    if (RING_RECORD (heir->ring[i]) == RECORD_NONE
        && RING_RECORD (load_relaxed (&block->ring[i])) != RECORD_NONE) {
      store_seq (&block->ring[i], heir->ring[i]); /* C1 */
      STEP (C1_WORD_DROPPED);
    }
  for (uint32_t i = 0; i < N_STICKY; i++)
    if (load_relaxed (&block->sticky[i]) != heir->sticky[i]) {
      store_seq (&block->sticky[i], heir->sticky[i]); /* C2 */
      STEP (C2_STICKY_STORED);
    }
}

static void
store_header (const DatahubProducer *producer)
{
  BlockHeader *header = producer->block.header;
  store_seq (&header->tail, producer->tail); /* C3 */
  STEP (C3_TAIL_STORED);
  store_seq (&header->tail_claim, producer->tail); /* C4 */
  STEP (C4_CLAIM_STORED);
  store_seq (&header->producer_waiting, 0); /* C5 */
  STEP (C5_WAITING_CLEARED);
  store_seq (&header->last_buffer_seq, DATAHUB_NONE); /* C6 */
  store_seq (&header->last_key_seq, DATAHUB_NONE);
  STEP (C6_NEWEST_FORGOTTEN);
  store_seq (&header->incarnation, producer->incarnation); /* C7 */
  STEP (C7_INCARNATION_STORED);
  store_seq (&header->wake, load_relaxed (&header->wake) + 1); /* C8 */
  STEP (C8_WAKE_STEPPED);
  os_futex_wake (&header->wake);
  STEP (C8_WOKE);
}

/* Also notifies watchers of the name that its producer changed (the written
 * file is the entry). */
static void
sign_lock_file (const Block *block)
{
  LockPage page;
  if (!os_read_all (block->lck, &page, sizeof page))
    return;
  page.producer_pid = (uint32_t) getpid ();
  os_write_all (block->lck, &page, sizeof page);
}

static void
tidy_files (const DatahubProducer *producer)
{
  BlockHeader *header = producer->block.header;
  uint32_t gens[MAX_POOLS], n = 0;
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools[i])
      gens[n++] = producer->pools[i]->shape.gen;
  for (uint32_t i = 0; i < n; i++)
    raise_u32_seq (&header->next_gen, gens[i]);
  /* the dead producer may have added a pool without a wake: without this no
   * consumer would count as behind when the block closes, and its files would
   * be removed */
  add_seq (&header->pool_changes, 1);
  STEP (C9_CHANGES_COUNTED);
  block_unlink_stray_pools (&producer->block, gens, n); /* C9 */
  STEP (C9_STRAYS_UNLINKED);
  sign_lock_file (&producer->block);
  STEP (C9_LCK_SIGNED);
}

static void
greet_consumers (DatahubProducer *producer)
{
  WakePage *wake = producer->block.wake;
  producer_reap (producer, 0); /* C10 */
  STEP (C10_REAPED);
  add_seq (&wake->room, 1);
  os_futex_wake (&wake->room);
  add_seq (&wake->attention, 1);
  os_futex_wake (&wake->attention);
  STEP (C10_ATTENTION_BUMPED);
  pthread_mutex_lock (&producer->lock);
  ring_reclaim (producer);
  pthread_mutex_unlock (&producer->lock);
  producer_tidy (producer);
}

/* ---- all of it ---- */

static bool
judge (Heir *heir)
{
  DatahubProducer *producer = heir->producer;
  const Geometry *g = &producer->block.g;
  if (!is_alike (producer)
      || load_seq (&producer->block.header->next_gen) > GEN_MAX
      || load_seq (&producer->block.header->incarnation) > INCARNATION_MAX
      || !take_pools (producer) || !reserve_newest (producer)
      || !producer_make_private_state (producer)
      || !producer_open_reaper (producer))
    return false;
  heir->records = calloc (g->n_recs, sizeof *heir->records);
  heir->ring = calloc (g->ring_size, sizeof *heir->ring);
  if (!heir->records || !heir->ring)
    return false;
  inherit_records (heir);
  /* live consumers would wait for a record that is far away */
  if (!judge_ring (heir)
      || load_seq (&producer->block.header->flush_seq) > heir->head)
    return false;
  judge_sticky (heir);
  return true;
}

static void
take_over (Heir *heir)
{
  count_kept (heir);
  count_sticky (heir);
  settle (heir);
  store_words (heir);
  store_header (heir->producer);
  tidy_files (heir->producer);
  greet_consumers (heir->producer);
}

/* Restores the state of a producer without a block. Byte 0 is released. */
static void
give_up (DatahubProducer *producer)
{
  drop_pools (producer);
  free (producer->ring);
  free (producer->records);
  free (producer->free_recs);
  free (producer->limbo);
  producer->records = NULL;
  producer->ring = producer->free_recs = producer->limbo = NULL;
  if (producer->reap_fd >= 0)
    os_close_lock_fd (producer->reap_fd);
  producer->reap_fd = -1;
  block_release (&producer->block);
}

/* Takes over the dead block that the producer's name leads to, if there is one
 * and it is whole and fits. The producer is new, with its name and its limits.
 * Takes up to 0.2 s if the name is taken. Models: tests/model/adopt.pml. */
bool
producer_adopt (DatahubProducer *producer)
{
  Heir heir = { .producer = producer };
  Block fresh = producer->block;
  bool adopted = open_dead (producer);
  if (adopted)
    STEP (C0_BYTE_0_LOCKED);
  adopted = adopted && judge (&heir);
  if (adopted) {
    take_over (&heir);
    close (fresh.dir);
  } else {
    give_up (producer);
    producer->block = fresh;
  }
  free (heir.records);
  free (heir.ring);
  return adopted;
}
