/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validation of the ring: its counters, its words, and every record that can be
 * reached through them. The producer may be running, or may have died between
 * any two steps: such states are valid (rule D2 of the protocol).
 * Tests: core-integrity, core-hostile-integrity, core-integrity-at-work */
#include "core/block/checksum-private.h"
#include "integrity-private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536u
/* Records of a batch that is being published lie this far ahead at most. */
#define AHEAD(g) ((g)->ring_size)

static const char *const record_types[] = { "0", "buffer", "stream-start",
  "caps", "segment", "tags", "gap", "EOS", "event", "tombstone" };

static uint64_t
distance (uint64_t from, uint64_t to)
{
  return (to - from) & SEQUENCE_MASK;
}

/* A shape once seen stays true for its generation: those are never used again.
 * So the copy is asked first, and the table only where it does not know. */
bool
scan_find_pool (Scan *scan, uint32_t gen, PoolShape *shape)
{
  if (gen == 0)
    return false;
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t i = 0; i < scan->n_pools; i++)
      if (scan->pools[i].gen == gen) {
        *shape = scan->pools[i];
        return true;
      }
    scan->n_pools = 0;
    for (uint32_t i = 0; i < MAX_POOLS; i++)
      if (pool_shape_read (&scan->block.pools[i], &scan->pools[scan->n_pools]))
        scan->n_pools++;
  }
  return false;
}

typedef enum
{
  COUNTERS_ORDER,
  COUNTERS_CLAIM,
  COUNTERS_KEY,
  COUNTERS_BUFFER,
  COUNTERS_FLUSH,
  COUNTERS_WAITING,
  COUNTERS_INCARNATION,
  N_COUNTERS
} Counters;

/* Each pair is loaded in an order in which one value is a bound of the other,
 * independent of the producer's progress. */
static bool
check_order (const Block *block, Doubt *doubt)
{
  const BlockHeader *header = block->header;
  uint64_t before = load_seq (&header->tail);
  uint64_t head = load_seq (&header->head);
  uint64_t tail = load_seq (&header->tail);
  if (head >= before && (tail >= head || head - tail <= block->g.ring_size))
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_COUNTERS, COUNTERS_ORDER,
      head ^ tail << 1,
      "The ring has %u words, and goes from record %llu to %llu.",
      block->g.ring_size, (unsigned long long) tail, (unsigned long long) head);
}

static bool
check_claim (const Block *block, Doubt *doubt)
{
  const BlockHeader *header = block->header;
  uint64_t tail = load_seq (&header->tail);
  uint64_t claim = load_seq (&header->tail_claim);
  uint64_t head = load_seq (&header->head);
  if (tail > head)
    return false; /* check_order() reports wrong ends */
  /* below the tail is where a successor killed in its first steps leaves it */
  if (claim <= head && (claim >= tail || !block_is_writer_alive (block)))
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_COUNTERS, COUNTERS_CLAIM, claim,
      "tail_claim is %llu, outside of the ring from %llu to %llu.",
      (unsigned long long) claim, (unsigned long long) tail,
      (unsigned long long) head);
}

static bool
check_newest (const Block *block, Counters which, Doubt *doubt)
{
  const BlockHeader *header = block->header;
  bool key = which == COUNTERS_KEY;
  uint64_t newest =
      load_seq (key ? &header->last_key_seq : &header->last_buffer_seq);
  uint64_t head = load_seq (&header->head);
  if (newest == DATAHUB_NONE || newest < head
      || newest - head < AHEAD (&block->g))
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_COUNTERS, which, newest,
      "The newest %s is recorded as %llu, but the ring ends before record "
      "%llu.",
      key ? "key frame" : "buffer", (unsigned long long) newest,
      (unsigned long long) head);
}

static bool
check_counters (Scan *scan, uint32_t which, Doubt *doubt)
{
  const Block *block = &scan->block;
  const BlockHeader *header = block->header;
  uint64_t flush, head;
  uint32_t waiting;
  switch (which) {
    case COUNTERS_ORDER:
      return check_order (block, doubt);
    case COUNTERS_CLAIM:
      return check_claim (block, doubt);
    case COUNTERS_KEY:
    case COUNTERS_BUFFER:
      return check_newest (block, which, doubt);
    case COUNTERS_FLUSH:
      flush = load_seq (&header->flush_seq);
      head = load_seq (&header->head);
      return flush > head
          && doubt_set (doubt, DATAHUB_FINDING_COUNTERS, which, flush,
              "flush_seq is %llu, after the end of the ring, %llu: live "
              "consumers skip new records.",
              (unsigned long long) flush, (unsigned long long) head);
    case COUNTERS_WAITING:
      waiting = load_seq (&header->producer_waiting);
      return waiting > (WAITING_GATE | WAITING_SLOT)
          && doubt_set (doubt, DATAHUB_FINDING_COUNTERS, which, waiting,
              "producer_waiting is %#x, which has unknown bits.", waiting);
    case COUNTERS_INCARNATION:
      return load_seq (&header->incarnation) == 0
          && doubt_set (doubt, DATAHUB_FINDING_COUNTERS, which, 0,
              "The incarnation of the producer is 0.");
  }
  return false;
}

static bool
is_inside (Scan *scan, uint32_t gen, uint32_t slot, uint64_t offset,
    uint64_t size)
{
  PoolShape shape;
  return scan_find_pool (scan, gen, &shape) && slot < shape.n_slots
      && offset <= shape.stride && size <= shape.stride - offset;
}

static const char *
fault_of_numbers (Scan *scan, const BlockRecord *record)
{
  if (record->type < DATAHUB_RECORD_BUFFER
      || record->type > RECORD_TYPE_TOMBSTONE)
    return "its type is unknown";
  if (record->type == RECORD_TYPE_TOMBSTONE
      && (record->n_mem || record->meta_size))
    return "its type is that of a discarded record, but it has bytes";
  if (record->n_mem > MEMORIES_MAX)
    return "it has too many memories";
  for (uint32_t i = 0; i < record->n_mem; i++)
    if (!is_inside (scan, record->mem[i].gen, record->mem[i].slot,
            record->mem[i].offset, record->mem[i].size))
      return "a memory reaches outside of its slot, or is in no pool";
  if (record->meta_gen == 0 && record->meta_size > RECORD_INLINE)
    return "its body has an impossible size";
  if (record->meta_gen
      && !is_inside (scan, record->meta_gen, record->meta_slot,
          record->meta_offset, record->meta_size))
    return "its body reaches outside of its slot, or is in no pool";
  if (record->checksum_kind > DATAHUB_CHECKSUM_BLAKE2B)
    return "its kind of checksum is unknown";
  return NULL;
}

/* The producer keeps the contexts of a record, so they must exist as long as
 * the word that refers to the record is unchanged. */
static const char *
fault_of_contexts (Scan *scan, const BlockRecord *record)
{
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS; i++) {
    BlockRecord context;
    if (record->ctx[i] == RECORD_NONE)
      continue;
    if (record->ctx[i] >= scan->block.g.n_recs)
      return "the number of one of its sticky records is impossible";
    copy_unpinned (&context, block_record (&scan->block, record->ctx[i]),
        offsetof (BlockRecord, inline_bytes));
    if (context.seq != record->ctx_seq[i]
        || context.type != DATAHUB_RECORD_STREAM_START + i)
      return "one of its sticky records is another record by now";
    if (fault_of_numbers (scan, &context))
      return "one of its sticky records is damaged";
  }
  return NULL;
}

/* @word, which was loaded from @at, refers to a record: copies it, checks the
 * copy, and tests whether the word is unchanged. */
static bool
check_record (Scan *scan, shared_u64 *at, uint64_t word, uint32_t type,
    DatahubFindingKind kind, uint32_t index, Doubt *doubt)
{
  BlockRecord record;
  const char *fault = NULL;
  uint64_t sequence = RING_SEQUENCE (word);
  copy_unpinned (&record, block_record (&scan->block, RING_RECORD (word)),
      offsetof (BlockRecord, inline_bytes));
  if ((record.seq & SEQUENCE_MASK) != sequence)
    fault = "it has another number";
  else if (type && record.type != type)
    fault = "it is of another type";
  if (!fault)
    fault = fault_of_numbers (scan, &record);
  if (!fault)
    fault = fault_of_contexts (scan, &record);
  if (!fault || load_seq (at) != word)
    return false;
  return doubt_set (doubt, kind, index,
      word ^ fnv1a (&record, offsetof (BlockRecord, inline_bytes)),
      "Record %llu (%s, place %u) is damaged: %s.",
      (unsigned long long) sequence,
      record.type <= RECORD_TYPE_TOMBSTONE ? record_types[record.type] : "?",
      RING_RECORD (word), fault);
}

typedef enum
{
  WORD_IDLE, /* leads nowhere, as it may */
  WORD_COMMITTED, /* leads to a record that can be read */
  WORD_WRONG
} WordKind;

/* Checks word @i. Head is loaded before it and tail after it, so a sequence
 * between the two was in the ring when the word was loaded. At the tail itself
 * there may be no record: it was just retired, or the producer was killed
 * meanwhile. Records beyond head belong to a batch that is not published yet.
 */
static WordKind
judge_word (Scan *scan, uint32_t i, uint64_t *word, Doubt *doubt)
{
  const Block *block = &scan->block;
  const BlockHeader *header = block->header;
  uint64_t before = load_seq (&header->tail);
  uint64_t head = load_seq (&header->head), tail, s, ahead;
  uint32_t record;
  *word = load_seq (&block->ring[i]);
  tail = load_seq (&header->tail);
  s = tail + ((i - tail) & (block->g.ring_size - 1));
  record = RING_RECORD (*word);
  if (s < head && (record != RECORD_NONE || s != tail)) {
    if (record >= block->g.n_recs
        || RING_SEQUENCE (*word) != (s & SEQUENCE_MASK)) {
      doubt_set (doubt, DATAHUB_FINDING_RING_WORD, i, *word,
          "Ring word %u should refer to record %llu; it refers to record %llu "
          "at place %u of %u.",
          i, (unsigned long long) s, (unsigned long long) RING_SEQUENCE (*word),
          record, block->g.n_recs);
      return WORD_WRONG;
    }
    return WORD_COMMITTED;
  }
  if (record == RECORD_NONE)
    return WORD_IDLE;
  ahead = distance (before, load_seq (&header->head)) + AHEAD (&block->g);
  if (record < block->g.n_recs
      && RING_SEQUENCE (*word) % block->g.ring_size == i
      && distance (before, RING_SEQUENCE (*word)) < ahead)
    return WORD_IDLE;
  doubt_set (doubt, DATAHUB_FINDING_RING_WORD, i, *word,
      "Ring word %u refers to record %llu at place %u, which is not in the "
      "ring from %llu to %llu.",
      i, (unsigned long long) RING_SEQUENCE (*word), record,
      (unsigned long long) tail, (unsigned long long) head);
  return WORD_WRONG;
}

static bool
check_ring_word (Scan *scan, uint32_t i, Doubt *doubt)
{
  uint64_t word;
  shared_u64 *at = &scan->block.ring[i];
  WordKind kind = judge_word (scan, i, &word, doubt);
  if (kind != WORD_COMMITTED) {
    /* a wrong counter is reported as such, and not again for every word */
    Doubt unused;
    return kind == WORD_WRONG && load_seq (at) == word
        && !check_order (&scan->block, &unused);
  }
  scan->report->n_words += scan->first;
  /* a record knows its number, so no two words can both be right about it */
  return check_record (scan, at, word, 0, DATAHUB_FINDING_RECORD, i, doubt);
}

static bool
check_sticky_word (Scan *scan, uint32_t i, Doubt *doubt)
{
  shared_u64 *at = &scan->block.sticky[i];
  uint64_t word = load_seq (at);
  uint32_t type = i == STICKY_EOS ? (uint32_t) DATAHUB_RECORD_EOS
                                  : DATAHUB_RECORD_STREAM_START + i;
  if (RING_RECORD (word) == RECORD_NONE)
    return false;
  if (RING_RECORD (word) >= scan->block.g.n_recs)
    return load_seq (at) == word
        && doubt_set (doubt, DATAHUB_FINDING_STICKY_WORD, i, word,
            "The word of the current %s refers to place %u of %u.",
            record_types[type], RING_RECORD (word), scan->block.g.n_recs);
  scan->report->n_words += scan->first;
  return check_record (scan, at, word, type, DATAHUB_FINDING_STICKY_WORD, i,
      doubt);
}

/* Read, not mapped: if the file is truncated meanwhile, this is an error and
 * not a signal. */
static bool
sum_piece (Scan *scan, Checksum *sum, uint32_t gen, uint32_t slot,
    uint64_t offset, uint64_t size)
{
  static const uint64_t first = BLOCK_PAGE;
  PoolShape shape;
  uint8_t *chunk;
  bool whole;
  int fd;
  if (!scan_find_pool (scan, gen, &shape)
      || !is_inside (scan, gen, slot, offset, size))
    return false;
  fd = os_open_existing (scan->block.dir,
      name_pool (scan->block.user, &scan->block.uuid, gen).text, false);
  chunk = malloc (CHUNK);
  whole = fd >= 0 && chunk;
  offset += first + slot * shape.stride;
  while (whole && size > 0) {
    size_t n = size < CHUNK ? (size_t) size : CHUNK;
    whole = os_read_at (fd, chunk, n, offset);
    checksum_add (sum, chunk, n);
    offset += n;
    size -= n;
  }
  free (chunk);
  if (fd >= 0)
    close (fd);
  return whole;
}

/* Returns whether all bytes could be read. */
static bool
sum_record (Scan *scan, const BlockRecord *record, uint8_t sum[CHECKSUM_SIZE])
{
  Checksum checksum;
  checksum_begin (&checksum, (DatahubChecksum) record->checksum_kind);
  for (uint32_t i = 0; i < record->n_mem; i++)
    if (!sum_piece (scan, &checksum, record->mem[i].gen, record->mem[i].slot,
            record->mem[i].offset, record->mem[i].size))
      return false;
  if (record->meta_gen == 0)
    checksum_add (&checksum, record->inline_bytes, record->meta_size);
  else if (!sum_piece (scan, &checksum, record->meta_gen, record->meta_slot,
               record->meta_offset, record->meta_size))
    return false;
  checksum_end (&checksum, sum);
  return true;
}

static bool
check_checksum (Scan *scan, uint32_t i, Doubt *doubt)
{
  shared_u64 *at = &scan->block.ring[i];
  BlockRecord record;
  uint8_t sum[CHECKSUM_SIZE];
  uint64_t word;
  if (judge_word (scan, i, &word, doubt) != WORD_COMMITTED)
    return false;
  copy_unpinned (&record, block_record (&scan->block, RING_RECORD (word)),
      sizeof record);
  if (record.checksum_kind == DATAHUB_CHECKSUM_NONE
      || fault_of_numbers (scan, &record) || !sum_record (scan, &record, sum))
    return false;
  /* its fence keeps the reads above before the last look at the word */
  copy_unpinned (&record, block_record (&scan->block, RING_RECORD (word)),
      sizeof record);
  if (load_seq (at) != word)
    return false;
  scan->report->n_checksums += scan->first;
  if (memcmp (sum, record.checksum, sizeof sum) == 0)
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_CHECKSUM, i,
      word ^ fnv1a (sum, sizeof sum),
      "The bytes of record %llu do not match its checksum: they were changed "
      "after its commit.",
      (unsigned long long) RING_SEQUENCE (word));
}

void
scan_ring (Scan *scan)
{
  for (uint32_t i = 0; i < N_COUNTERS; i++)
    scan_examine (scan, check_counters, i);
  for (uint32_t i = 0; i < N_STICKY; i++)
    scan_examine (scan, check_sticky_word, i);
  for (uint32_t i = 0; i < scan->block.g.ring_size; i++)
    scan_examine (scan, check_ring_word, i);
  if ((scan->flags & DATAHUB_VALIDATE_CHECKSUMS) && !scan->block.g.strict)
    for (uint32_t i = 0; i < scan->block.g.ring_size; i++)
      scan_examine (scan, check_checksum, i);
}
