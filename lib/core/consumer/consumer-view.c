/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Views: the checked contents of a pinned record, and the sticky records in
 * effect when it was committed.
 *
 * The producer may be hostile: plain fields must be loaded once, and each value
 * of a record must be checked before use.
 * Tests: core-events, core-hostile-records, core-hostile-fields */
#include "core/block/checksum-private.h"
#include "consumer-private.h"
#include "core/base/result-private.h"

#define STICKY_TRIES 100

/* Frozen: a caller allocates it for each record. */
_Static_assert(sizeof (DatahubView) == 304, "view");

DatahubResult
consumer_refuse (DatahubConsumer *consumer, uint64_t sequence, const char *what,
    DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
      "Record %llu of the DataBlock \"%s\" is damaged: %s.",
      (unsigned long long) sequence, consumer->block.channel, what);
}

/* Finds the bytes [offset, offset + size) of a slot, or NULL where they are not
 * inside it. */
static const uint8_t *
locate (const ConsumerPool *pool, uint32_t slot, uint64_t offset, uint64_t size)
{
  const PoolShape *shape = &pool->shape;
  if (slot >= shape->n_slots || offset > shape->stride
      || size > shape->stride - offset)
    return NULL;
  return pool->map + BLOCK_PAGE + slot * shape->stride + offset;
}

static DatahubResult
fail_pool (DatahubConsumer *consumer, uint32_t gen, DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_SYSTEM, 0,
      "Pool %u of the DataBlock \"%s\" could not be opened; its producer is "
      "gone or has replaced it.",
      gen, consumer->block.channel);
}

/* A record where it is: volatile, so that each field is loaded exactly once,
 * and the checked value is the one that is used. */
typedef const volatile BlockRecord SharedRecord;

static DatahubResult
view_memories (DatahubConsumer *consumer, SharedRecord *record,
    DatahubView *view, uint64_t *pools, DatahubError *error)
{
  for (uint32_t i = 0; i < view->n_memories; i++) {
    uint32_t gen = record->mem[i].gen;
    uint64_t size = record->mem[i].size;
    const ConsumerPool *pool = consumer_find_pool (consumer, gen);
    if (!pool)
      return fail_pool (consumer, gen, error);
    view->memories[i].data =
        locate (pool, record->mem[i].slot, record->mem[i].offset, size);
    view->memories[i].size = size;
    *pools |= UINT64_C (1) << pool->id;
    if (!view->memories[i].data)
      return consumer_refuse (consumer, view->sequence,
          "a memory reaches outside of its slot", error);
  }
  return DATAHUB_OK;
}

static DatahubResult
view_meta (DatahubConsumer *consumer, SharedRecord *record, DatahubView *view,
    uint64_t *pools, DatahubError *error)
{
  const ConsumerPool *pool;
  uint32_t gen = record->meta_gen;
  view->meta_size = record->meta_size;
  if (gen == 0) {
    view->meta = (const void *) record->inline_bytes;
    if (view->meta_size > RECORD_INLINE)
      return consumer_refuse (consumer, view->sequence,
          "its body has an impossible size", error);
    return DATAHUB_OK;
  }
  pool = consumer_find_pool (consumer, gen);
  if (!pool)
    return fail_pool (consumer, gen, error);
  view->meta =
      locate (pool, record->meta_slot, record->meta_offset, view->meta_size);
  *pools |= UINT64_C (1) << pool->id;
  if (!view->meta)
    return consumer_refuse (consumer, view->sequence,
        "its body reaches outside of its slot", error);
  return DATAHUB_OK;
}

/* The contexts that the record refers to, which are checked when they are read.
 * A sticky record is its own context. */
static void
view_contexts (SharedRecord *record, DatahubView *view)
{
  uint32_t own = (uint32_t) view->type - DATAHUB_RECORD_STREAM_START;
  for (uint32_t i = 0; i < DATAHUB_N_CONTEXTS; i++) {
    view->context_records[i] = record->ctx[i];
    view->context[i] = record->ctx_seq[i];
  }
  if (own < DATAHUB_N_CONTEXTS) {
    view->context_records[own] = (uint16_t) view->record;
    view->context[own] = view->sequence;
  }
}

/* Compares the checksum of the data of @view with the producer's. */
static DatahubResult
verify (DatahubConsumer *consumer, SharedRecord *record, uint32_t kind,
    const DatahubView *view, DatahubError *error)
{
  Checksum checksum;
  uint8_t sum[CHECKSUM_SIZE];
  if (kind > DATAHUB_CHECKSUM_BLAKE2B)
    return consumer_refuse (consumer, view->sequence,
        "its kind of checksum is unknown", error);
  checksum_begin (&checksum, (DatahubChecksum) kind);
  for (uint32_t i = 0; i < view->n_memories; i++)
    checksum_add (&checksum, view->memories[i].data, view->memories[i].size);
  checksum_add (&checksum, view->meta, view->meta_size);
  checksum_end (&checksum, sum);
  if (sodium_memcmp (sum, (const void *) record->checksum, sizeof sum) != 0)
    return result_fail (error, DATAHUB_ERROR_CHECKSUM, 0,
        "Record %llu of the DataBlock \"%s\" does not match its checksum.",
        (unsigned long long) view->sequence, consumer->block.channel);
  return DATAHUB_OK;
}

/* The fields one by one: to clear the view first, with the memories that are not
 * used, would cost as much as the rest. Returns why they make no sense, or
 * NULL. */
static const char *
view_fields (SharedRecord *record, uint32_t index, uint64_t sequence,
    DatahubView *view)
{
  uint32_t type = record->type, n_mem = record->n_mem;
  view->sequence = record->seq;
  if ((view->sequence & SEQUENCE_MASK) != sequence)
    return "it has another number";
  if (type < DATAHUB_RECORD_BUFFER || type > DATAHUB_RECORD_EVENT)
    return "its type is unknown";
  if (n_mem > DATAHUB_MAX_MEMORIES)
    return "it has too many memories";
  view->ordinal = record->ordinal;
  view->type = (DatahubRecordType) type;
  view->flags = record->flags;
  view->pts = record->pts;
  view->dts = record->dts;
  view->duration = record->duration;
  view->offset = record->offset;
  view->offset_end = record->offset_end;
  view->instant_ns = record->instant_ns;
  view->commit_ns = record->commit_ns;
  view->incarnation = record->incarnation;
  view->lost = view->expired = 0;
  view->discont = view->flushed = view->must_copy = false;
  view->n_memories = n_mem;
  view->record = index;
  view->n_slots = n_mem ? n_mem : 1;
  return NULL;
}

/* Finds the bytes. If a pool is unknown, the table is read again, which can
 * also unmap pools: then all is repeated, once. */
static DatahubResult
view_bytes (DatahubConsumer *consumer, SharedRecord *record, DatahubView *view,
    uint64_t *pools, DatahubError *error)
{
  for (bool again = false;; again = true) {
    DatahubResult result;
    *pools = 0;
    result = view_memories (consumer, record, view, pools, error);
    if (result == DATAHUB_OK)
      result = view_meta (consumer, record, view, pools, error);
    if (result != DATAHUB_ERROR_SYSTEM || again)
      return result;
    consumer_refresh_pools (consumer, error);
  }
}

/* Checks record @index, which cannot change now, and describes it. Its plain
 * fields are loaded once; nothing is used that was not checked. @pools is set to
 * the pools it points into, by id; they are mapped until the next look at the
 * table, and longer where they are tied to a lease. */
DatahubResult
consumer_describe (DatahubConsumer *consumer, uint32_t index, uint64_t sequence,
    DatahubView *view, uint64_t *pools, DatahubError *error)
{
  SharedRecord *record = block_record (&consumer->block, index);
  const char *fault = view_fields (record, index, sequence, view);
  uint32_t checksum_kind;
  DatahubResult result;
  if (fault)
    return consumer_refuse (consumer, sequence, fault, error);
  if (consumer->clock.maps)
    consumer_map_times (consumer, view);
  view_contexts (record, view);
  result = view_bytes (consumer, record, view, pools, error);
  checksum_kind = record->checksum_kind;
  if (result == DATAHUB_OK && checksum_kind != DATAHUB_CHECKSUM_NONE)
    result = verify (consumer, record, checksum_kind, view, error);
  return result;
}

/**
 * datahub_consumer_get_context:
 * @consumer: a consumer
 * @of: a leased record
 * @context: which
 * @view: (out caller-allocates): the sticky record in effect for @of
 * @error: (out) (optional): why it failed
 *
 * Stream-start, caps, segment and tags as they were when @of was committed. The
 * view is valid while the lease of @of is; it is not a lease of its own. The
 * reading thread.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_ERROR_NOT_FOUND where none is set, or a
 * failure
 */
DatahubResult
datahub_consumer_get_context (DatahubConsumer *consumer, const DatahubView *of,
    DatahubContext context, DatahubView *view, DatahubError *error)
{
  DatahubResult result;
  uint64_t pools;
  uint32_t index;
  result_begin (error);
  if (consumer->generation != os_generation ())
    return result_end (error, DATAHUB_ERROR_FORKED);
  if ((unsigned) context >= DATAHUB_N_CONTEXTS)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "There is no context number %d.", (int) context);
  index = of->context_records[context];
  if (index >= consumer->block.g.n_recs)
    return result_end (error, DATAHUB_ERROR_NOT_FOUND);
  result = consumer_describe (consumer, index,
      of->context[context] & SEQUENCE_MASK, view, &pools, error);
  if (result == DATAHUB_OK)
    consumer_keep_pools (consumer, of->record, pools);
  return result_end (error, result);
}

/* Leases the record in sticky word @which, by the pin protocol of the ring. */
static DatahubResult
lend_sticky (DatahubConsumer *consumer, uint32_t which, DatahubView *view,
    DatahubError *error)
{
  shared_u64 *at = &consumer->block.sticky[which];
  for (int i = 0; i < STICKY_TRIES; i++) {
    uint64_t word = load_acquire (at);
    uint32_t index = RING_RECORD (word);
    uint64_t pools;
    DatahubResult result;
    if (index >= consumer->block.g.n_recs)
      return DATAHUB_ERROR_NOT_FOUND;
    consumer_pin (consumer, index);
    if (load_seq (at) != word) {
      consumer_unpin (consumer, index);
      continue;
    }
    result = consumer_describe (consumer, index, RING_SEQUENCE (word), view,
        &pools, error);
    if (result == DATAHUB_OK)
      consumer_lend (consumer, view, pools);
    else
      consumer_unpin (consumer, index);
    return result;
  }
  return DATAHUB_ERROR_NOT_FOUND;
}

/**
 * datahub_consumer_read_sticky:
 * @consumer: a consumer
 * @type: stream-start, caps, segment, tags or EOS
 * @view: (out caller-allocates): the newest record of that type, leased
 * @error: (out) (optional): why it failed
 *
 * For a consumer that joined behind the last buffer: what is in force now. The
 * reading thread.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_ERROR_NOT_FOUND where none is set, or a failure
 */
DatahubResult
datahub_consumer_read_sticky (DatahubConsumer *consumer, DatahubRecordType type,
    DatahubView *view, DatahubError *error)
{
  uint32_t which = type == DATAHUB_RECORD_EOS
      ? STICKY_EOS
      : (uint32_t) type - DATAHUB_RECORD_STREAM_START;
  result_begin (error);
  if (consumer->generation != os_generation ())
    return result_end (error, DATAHUB_ERROR_FORKED);
  if (which >= N_STICKY)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "Records of that type are not sticky.");
  return result_end (error, lend_sticky (consumer, which, view, error));
}
