/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inspection of a block from outside: takes no row and no lock, and writes
 * nothing.
 * Tests: core-consumers, core-hostile-fields, core-sealed */
#include "clock-private.h"
#include "core/base/result-private.h"
#include "core/base/sized-private.h"

#include <string.h>

#define PEEK_TRIES 10

/* Copies the bytes of an event record without pinning it: copies them, then
 * checks whether the sticky word is unchanged. A racy copy is discarded. */
static bool
peek_body (const Block *block, uint32_t index, uint64_t sequence, char *text,
    size_t size)
{
  BlockRecord record;
  copy_unpinned (&record, block_record (block, index), sizeof record);
  if ((record.seq & SEQUENCE_MASK) != sequence
      || record.type != DATAHUB_RECORD_CAPS)
    return false;
  if (record.meta_size < size)
    size = record.meta_size;
  else
    size--;
  if (record.meta_gen == 0) {
    if (size > RECORD_INLINE)
      size = RECORD_INLINE;
    memcpy (text, record.inline_bytes, size);
    text[size] = 0;
    return true;
  }
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    PoolShape shape;
    uint8_t *map;
    uint64_t map_size;
    bool inside;
    if (!pool_shape_read (&block->pools[i], &shape)
        || shape.gen != record.meta_gen)
      continue;
    map = pool_open (block, &shape, NULL, &map_size, false, NULL);
    if (!map)
      return false;
    inside = record.meta_slot < shape.n_slots
        && record.meta_offset <= shape.stride
        && size <= shape.stride - record.meta_offset;
    if (inside)
      copy_unpinned (text,
          map + BLOCK_PAGE + record.meta_slot * shape.stride
              + record.meta_offset,
          size);
    os_unmap (map, map_size);
    text[inside ? size : 0] = 0;
    return inside;
  }
  return false;
}

static void
read_caps (const Block *block, char *text, size_t size)
{
  shared_u64 *at = &block->sticky[DATAHUB_CONTEXT_CAPS];
  text[0] = 0;
  for (int i = 0; i < PEEK_TRIES; i++) {
    uint64_t word = load_seq (at);
    uint32_t index = RING_RECORD (word);
    if (index >= block->g.n_recs)
      return;
    if (peek_body (block, index, RING_SEQUENCE (word), text, size)
        && load_seq (at) == word)
      break;
    text[0] = 0;
  }
  /* text of another process that will be printed */
  for (char *c = text; *c; c++)
    if (*c < ' ' || *c > '~')
      *c = '?';
}

static void
read_pools (const Block *block, DatahubBlockInfo *info)
{
  uint32_t newest = 0;
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    PoolShape shape;
    if (!pool_shape_read (&block->pools[i], &shape))
      continue;
    info->n_pools++;
    info->pool_bytes += shape.size;
    if (shape.kind != POOL_PAYLOAD || shape.gen < newest)
      continue;
    newest = shape.gen;
    info->slot_size = shape.stride;
    info->slots = shape.n_slots;
  }
}

static uint32_t
count_active (const Block *block)
{
  DatahubConsumerInfo rows[MAX_ROWS];
  uint32_t n = 0, in_use = block_read_rows (block, block->lck, rows, MAX_ROWS);
  for (uint32_t i = 0; i < in_use; i++)
    n += rows[i].alive && rows[i].state == DATAHUB_CONSUMER_ACTIVE;
  return n;
}

/**
 * datahub_block_glance_sized:
 * @channel: the name of a block
 * @glance: (out caller-allocates): its producer
 * @glance_size: size of the structure
 * @error: (out) (optional): why it failed
 *
 * Reports which producer holds the name now, and whether it is alive, without
 * opening the block. Never blocks.
 *
 * Returns: %DATAHUB_OK or a failure
 */
DatahubResult
datahub_block_glance_sized (const char *channel, DatahubBlockGlance *glance,
    size_t glance_size, DatahubError *error)
{
  DatahubBlockGlance found = { 0 };
  Block block;
  bool strict = false;
  DatahubResult result;
  result_begin (error);
  result = block_open_entry (&block, channel, &strict, error);
  if (result == DATAHUB_OK) {
    memcpy (found.uuid, block.uuid_text, sizeof found.uuid);
    found.producer_alive = block_is_writer_alive (&block);
    found.strict = strict;
    found.foreign = block_is_foreign (&block);
    found.producer_pid = (int32_t) block.producer_pid;
    block_release (&block);
  }
  sized_out (glance, glance_size, &found, sizeof found);
  return result_end (error, result);
}

/* A share that no producer states counts as none. */
static void
read_share (const Block *block, DatahubBlockInfo *info)
{
  uint64_t word = load_relaxed (&block->header->share);
  if (!share_is_possible (&block->g, word))
    return;
  info->has_share = true;
  info->share = SHARE_LIMIT (word);
  info->share_consumers = SHARE_COUNTED (word);
}

static void
boot_to_text (const uint8_t id[16], char text[DATAHUB_UUID_TEXT])
{
  Uuid boot;
  memcpy (boot.bytes, id, sizeof boot.bytes);
  uuid_to_text (&boot, text);
  if (strspn (text, "0") == DATAHUB_UUID_TEXT - 1)
    text[0] = 0;
}

static void
read_telemetry (const Block *block, DatahubBlockInfo *info)
{
  const BlockHeader *header = block->header;
  ClockReading clock;
  info->features = block->g.features;
  info->records = load_relaxed (&header->records);
  info->evictions = load_relaxed (&header->evictions);
  info->reaped = load_relaxed (&header->reaped);
  if (!(block->g.features & FEATURE_TELEMETRY))
    return;
  info->has_telemetry = true;
  info->wakes = load_relaxed (&header->more.wakes);
  info->waits = load_relaxed (&header->more.waits);
  info->growths = load_relaxed (&header->more.growths);
  info->given_up = load_relaxed (&header->more.given_up);
  info->copied = load_relaxed (&header->more.copied);
  read_share (block, info);
  if (!clock_read (header, &clock))
    return;
  info->clock_monotonic_ns = clock.monotonic_ns;
  info->clock_realtime_ns = clock.realtime_ns;
  boot_to_text (clock.boot_id, info->boot_id);
}

static void
read_info (const Block *block, DatahubBlockInfo *info)
{
  BlockHeader *header = block->header;
  memcpy (info->channel, block->channel, sizeof info->channel);
  memcpy (info->uuid, block->uuid_text, sizeof info->uuid);
  info->state = (DatahubBlockState) load_seq (&header->state);
  info->producer_alive = block_is_writer_alive (block);
  info->producer_pid = (int32_t) block->producer_pid;
  info->major = header->identity.major;
  info->minor = header->identity.minor;
  info->created_ns = header->identity.created_ns;
  info->tail = load_acquire (&header->tail);
  info->head = load_acquire (&header->head);
  info->buffers = load_relaxed (&header->buffers);
  info->bytes = load_relaxed (&header->bytes);
  info->dropped = load_relaxed (&header->dropped);
  info->heartbeat_ns = block_heartbeat (block);
  info->silent_ns = silence_since (info->heartbeat_ns);
  info->ring_size = block->g.ring_size;
  info->n_records = block->g.n_recs;
  info->max_consumers = block->g.max_rows;
  info->max_pinned = block->g.max_quota;
  info->control_bytes = block->g.ctl_size + block->g.con_size;
  info->strict = block->g.strict;
  read_telemetry (block, info);
  info->n_consumers = count_active (block);
  read_pools (block, info);
  read_caps (block, info->caps, sizeof info->caps);
}

/**
 * datahub_block_inspect_sized:
 * @channel: the name of a block
 * @info: (out caller-allocates): a snapshot
 * @info_size: size of the structure
 * @error: (out) (optional): why it failed
 *
 * Looks at a block as an observer: it takes no row and changes nothing. Numbers
 * of a live stream may be a few records apart. Does not block, except for a
 * strict block: its producer is queried for up to 0.1 s. The result is then
 * %DATAHUB_TIMEOUT if the producer does not run, %DATAHUB_ERROR_NOT_FOUND if it
 * is dead.
 *
 * Returns: %DATAHUB_OK or a failure
 */
DatahubResult
datahub_block_inspect_sized (const char *channel, DatahubBlockInfo *info,
    size_t info_size, DatahubError *error)
{
  DatahubBlockInfo found = { 0 };
  Block block;
  DatahubResult result;
  result_begin (error);
  result = block_open (&block, channel, ACCESS_OBSERVE, error);
  if (result == DATAHUB_OK) {
    read_info (&block, &found);
    block_release (&block);
  }
  sized_out (info, info_size, &found, sizeof found);
  return result_end (error, result);
}

/**
 * datahub_block_inspect_clock:
 * @channel: the name of a block
 * @state: (out): whether its producer has the CLOCK_MONOTONIC of this process
 * @offset_ns: (out): what the library adds to times of the producer; 0 unless
 *   @state is %DATAHUB_CLOCK_MAPPED
 * @error: (out) (optional): why it failed
 *
 * Compares the clocks of the producer with those of this process, as an observer.
 * Blocks as datahub_block_inspect() does.
 *
 * Returns: %DATAHUB_OK or a failure
 */
DatahubResult
datahub_block_inspect_clock (const char *channel, DatahubClockState *state,
    int64_t *offset_ns, DatahubError *error)
{
  Block block;
  DatahubResult result;
  *state = DATAHUB_CLOCK_SAME;
  *offset_ns = 0;
  result_begin (error);
  result = block_open (&block, channel, ACCESS_OBSERVE, error);
  if (result == DATAHUB_OK) {
    *state = block.clock.state;
    *offset_ns = block.clock.offset_ns;
    block_release (&block);
  }
  return result_end (error, result);
}

DatahubResult
datahub_block_inspect_consumers (const char *channel,
    DatahubConsumerInfo *infos, uint32_t max_infos, uint32_t *n_infos,
    DatahubError *error)
{
  Block block;
  DatahubResult result;
  result_begin (error);
  result = block_open (&block, channel, ACCESS_OBSERVE, error);
  *n_infos = 0;
  if (result == DATAHUB_OK) {
    *n_infos = block_read_rows (&block, block.lck, infos, max_infos);
    block_release (&block);
  }
  return result_end (error, result);
}
