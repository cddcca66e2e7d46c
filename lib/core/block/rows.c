/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the consumer table, as seen by processes other than their owner. The
 * lock byte decides whether a row is alive; the words in the row are only
 * hints.
 * Tests: core-consumers, core-indices, core-hostile-peers */
#include "block-private.h"

#include <string.h>

bool
row_holds_pins (const Block *block, ConsumerRow *row)
{
  for (uint32_t w = 0; w < block->g.pin_words; w++)
    if (load_seq (&row->pins[w]))
      return true;
  return false;
}

static bool
row_has_no_mail (const Block *block, uint32_t i)
{
  const RowExtra *extra = block_row_extra (block, i);
  return !extra
      || (MAIL_SIZE (load_seq (&extra->event)) == 0
          && MAIL_SIZE (load_seq (&extra->limits)) == 0);
}

/* What a producer copies meanwhile it does not get: its word is another one then
 * (E3, M6). */
static void
clean_mail (const Block *block, uint32_t i)
{
  RowExtra *extra = block_row_extra (block, i);
  if (!extra)
    return;
  exchange_seq (&extra->event, 0);
  exchange_seq (&extra->limits, 0);
  STEP (CLEAN_MAIL);
}

bool
row_is_neutral (const Block *block, uint32_t i)
{
  ConsumerRow *row = block_row (block, i);
  if (load_seq (&row->state) != DATAHUB_CONSUMER_FREE
      || GATE_SEQUENCE (load_seq (&row->gate)) != GATE_OPEN
      || (load_seq (&block->wake->waiters[i >> 6]) >> (i & 63) & 1))
    return false;
  return !row_holds_pins (block, row) && row_has_no_mail (block, i);
}

/* Cleans up after a dead owner. The caller holds the row's lock byte, so it is
 * the only cleaner. If it is killed meanwhile, the next holder of the byte
 * repeats all steps. state = FREE is stored last, so a row half cleaned never
 * looks done. Pins go by exchange, an RMW: readers' unpins before it stay in
 * the release sequence that the producer's scan (A5) acquires. */
void
row_clean (Block *block, uint32_t i)
{
  ConsumerRow *row = block_row (block, i);
  for (uint32_t w = 0; w < block->g.pin_words; w++) {
    exchange_seq (&row->pins[w], 0);
    STEP (CLEAN_PINS_WORD);
  }
  store_seq (&row->gate,
      GATE_WORD (load_relaxed (&row->incarnation), GATE_OPEN));
  STEP (CLEAN_GATE);
  and_seq (&block->wake->waiters[i >> 6], ~(UINT64_C (1) << (i & 63)));
  STEP (CLEAN_WAITER);
  clean_mail (block, i);
  store_relaxed (&row->requests, 0);
  store_relaxed (&row->quota, 0);
  store_relaxed (&row->mode, 0);
  STEP (CLEAN_HINTS);
  store_seq (&row->state, DATAHUB_CONSUMER_FREE);
  STEP (CLEAN_STATE);
}

/* A word about the owners that left of their own accord: the low half of a claim, and
 * bits of it and of the 31 before it. An owner of the row that is killed writes no
 * bit, so one word has the end of each owner, however fast the next one comes. */
uint64_t
departures_note (uint64_t word, uint64_t claim)
{
  uint32_t passed = (uint32_t) claim - (uint32_t) word;
  uint64_t bits = passed < 32 ? (word >> 32) << passed : 0;
  return (bits | 1) << 32 | (uint32_t) claim;
}

/* Whether the owner with @claim left of its own accord. One that is too long ago is
 * taken to have left. */
bool
departures_has (uint64_t word, uint64_t claim)
{
  int32_t since = (int32_t) ((uint32_t) word - (uint32_t) claim);
  if (since < 0)
    return false;
  return since > 31 || (word >> 32 >> since & 1);
}

/* The owner is about to leave. A word of a former owner is kept in it. */
void
row_note_departure (ConsumerRow *row)
{
  store_seq (&row->departures,
      departures_note (load_relaxed (&row->departures),
          load_relaxed (&row->claim)));
}

static uint32_t
count_pins (const Block *block, const ConsumerRow *row)
{
  uint32_t pins = 0;
  for (uint32_t w = 0; w < block->g.pin_words; w++)
    pins += (uint32_t) __builtin_popcountll (load_relaxed (&row->pins[w]));
  return pins;
}

/* Names are the peer's words: cut at the end, anything that is not printable
 * ASCII made harmless for terminals and logs. */
void
row_clean_name (char name[DATAHUB_CONSUMER_NAME_MAX])
{
  name[DATAHUB_CONSUMER_NAME_MAX - 1] = 0;
  for (char *c = name; *c; c++)
    if (*c < ' ' || *c > '~')
      *c = '?';
}

void
row_read_name (const ConsumerRow *row, char name[DATAHUB_CONSUMER_NAME_MAX])
{
  for (uint32_t i = 0; i < 5; i++) {
    uint64_t word = load_relaxed (&row->name[i]);
    memcpy (name + i * 8, &word, 8);
  }
  row_clean_name (name);
}

/* Derives `stalled` from the last heartbeat. The word is a time of the producer's
 * clock: a consumer of another time namespace stores such a one. */
void
row_judge_silence (const Block *block, DatahubConsumerInfo *info)
{
  info->heartbeat_ns =
      clock_word_to_own (info->heartbeat_ns, block->clock.offset_ns);
  info->silent_ns = silence_since (info->heartbeat_ns);
  info->stalled = info->alive && info->state != DATAHUB_CONSUMER_LEAVING
      && info->silent_ns > (uint64_t) DATAHUB_STALLED_NS;
}

static void
read_extra (const Block *block, uint32_t i, DatahubConsumerInfo *info)
{
  const RowExtra *extra = block_row_extra (block, i);
  uint64_t claim = load_relaxed (&block_row (block, i)->claim), word;
  if (!extra || load_acquire (&extra->owner) != claim)
    return;
  info->latency_sum_ns = load_relaxed (&extra->latency_sum_ns);
  info->latency_count = load_relaxed (&extra->latency_count);
  info->latency_max_ns = load_relaxed (&extra->latency_max_ns);
  info->over_quota = load_relaxed (&extra->over_quota);
  word = load_acquire (&extra->limits);
  if (MAIL_CLAIM (word) == (claim & 0xffff) && MAIL_SIZE (word) > 0)
    info->limits_sequence = MAIL_COUNT (word) / 2;
}

/* Returns false where the row is free. @lock_fd is a description that holds no
 * row byte, or the row's own (then the row counts as alive by its state). */
bool
row_read_info (const Block *block, int lock_fd, uint32_t i,
    DatahubConsumerInfo *info)
{
  ConsumerRow *row = block_row (block, i);
  uint32_t state = load_acquire (&row->state);
  memset (info, 0, sizeof *info);
  if (state == DATAHUB_CONSUMER_FREE || state > DATAHUB_CONSUMER_LEAVING)
    return false;
  info->row = i;
  info->id = load_relaxed (&row->incarnation) << 8 | i;
  info->state = (DatahubConsumerState) state;
  if (GATE_SEQUENCE (load_relaxed (&row->gate)) == GATE_EVICTED)
    info->state = DATAHUB_CONSUMER_EVICTED;
  info->alive = block_row_is_alive (block, lock_fd, i);
  info->reliable = load_relaxed (&row->mode) & MODE_RELIABLE;
  info->notify = load_relaxed (&row->mode) & MODE_NOTIFY;
  info->pid = (int32_t) load_relaxed (&row->pid);
  info->received = load_relaxed (&row->received);
  info->lost = load_relaxed (&row->lost);
  info->expired = load_relaxed (&row->expired);
  info->cursor = load_relaxed (&row->cursor);
  info->quota = load_relaxed (&row->quota);
  info->pins = count_pins (block, row);
  info->heartbeat_ns = load_relaxed (&row->heartbeat);
  row_judge_silence (block, info);
  read_extra (block, i, info);
  row_read_name (row, info->name);
  return true;
}

uint32_t
rows_read (const Block *block, int lock_fd, DatahubConsumerInfo *infos,
    uint32_t max_infos)
{
  uint32_t n = 0, rows = block_rows_in_use (block);
  for (uint32_t i = 0; i < rows && n < max_infos; i++)
    if (row_read_info (block, lock_fd, i, &infos[n]))
      n++;
  return n;
}

/* @own_row: of the consumer that asks; UINT32_MAX: none. Cursors are their owners'
 * claims: none is believed to be outside of the ring. */
void
block_read_indices (const Block *block, uint32_t own_row,
    DatahubIndices *indices)
{
  const BlockHeader *header = block->header;
  uint64_t tail = load_acquire (&header->tail);
  uint64_t head = load_acquire (&header->head);
  uint32_t rows = block_rows_in_use (block);
  *indices = (DatahubIndices){ .write_index = head,
    .commit_index = head,
    .read_index = head,
    .oldest_index = tail < head ? tail : head,
    .current_slot_id = head ? head - 1 : DATAHUB_NONE };
  uint32_t first = 0;
  /* of a strict block a consumer has no row mapped but its own */
  if (block->g.strict && own_row != UINT32_MAX) {
    first = own_row;
    rows = own_row + 1;
  }
  for (uint32_t i = first; i < rows; i++) {
    DatahubConsumerInfo info;
    /* the kernel does not report a lock that the caller holds itself */
    if (!row_read_info (block, block->lck, i, &info)
        || !(info.alive || i == own_row)
        || info.state != DATAHUB_CONSUMER_ACTIVE)
      continue;
    indices->active_consumer_count++;
    if (info.cursor < indices->read_index)
      indices->read_index = info.cursor;
  }
  if (indices->read_index < indices->oldest_index)
    indices->read_index = indices->oldest_index;
}
