/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishes the words that readers see of the ring: its head, and the sticky
 * words.
 * Tests: core-events, core-batch, core-adopt-unpublished */
#include "ring-private.h"

/* Begins to maintain what FEATURE_TELEMETRY announces, if the block has it. The
 * block is new, or it was adopted. */
void
ring_show_telemetry (Ring *ring)
{
  BlockHeader *header = ring->block->header;
  bool has = (ring->block->g.features & FEATURE_TELEMETRY) != 0;
  ring->counters = has ? &header->more : &ring->own_counters;
  clock_start (&ring->clock, has ? header : NULL);
}

/* Makes @record, or with RECORD_NONE no record, the sticky one of its kind. The
 * word is stored by ring_publish_sticky(). */
void
ring_replace_sticky (Ring *ring, uint32_t which, uint64_t sequence,
    uint32_t record)
{
  uint32_t old = ring->sticky[which];
  ring->sticky[which] = (uint16_t) record;
  ring->sticky_seq[which] = record == RECORD_NONE ? DATAHUB_NONE : sequence;
  ring->sticky_words[which] = RING_WORD (sequence, record);
  ring->sticky_changed |= 1u << which;
  if (record != RECORD_NONE)
    ring->records[record].refs++;
  if (old != RECORD_NONE)
    ring_unref (ring, old);
}

/* Stores the sticky words that changed; each store retires the old record for
 * readers of that word, as A3 does for the ring. Until then that record has a
 * reference for being reachable. */
void
ring_publish_sticky (Ring *ring)
{
  if (!ring->sticky_changed)
    return;
  for (uint32_t i = 0; i < N_STICKY; i++)
    if (ring->sticky_changed >> i & 1) {
      uint32_t old = ring->shown[i], now = ring->sticky[i];
      store_seq (&ring->block->sticky[i], ring->sticky_words[i]);
      STEP (STICKY_STORED);
      ring->shown[i] = (uint16_t) now;
      if (now != RECORD_NONE)
        ring->records[now].refs++;
      if (old != RECORD_NONE)
        ring_unref (ring, old);
    }
  ring->sticky_changed = 0;
}

/* Sticky records follow GstPad's rules: a new stream drops tags and EOS, more
 * data after EOS drops EOS. */
StickyChange
ring_sticky_change (DatahubRecordType type, uint32_t which)
{
  if (which == STICKY_EOS) {
    if (type == DATAHUB_RECORD_EOS)
      return STICKY_REPLACED;
    return type == DATAHUB_RECORD_EVENT || type == DATAHUB_RECORD_TAGS
        ? STICKY_KEPT
        : STICKY_DROPPED;
  }
  if (type == (DatahubRecordType) (DATAHUB_RECORD_STREAM_START + which))
    return STICKY_REPLACED;
  return type == DATAHUB_RECORD_STREAM_START && which == DATAHUB_CONTEXT_TAGS
      ? STICKY_DROPPED
      : STICKY_KEPT;
}

/* Whether a consumer sleeps and must be woken. The bits are taken (A9), so that
 * one sleep costs one wake, even if the sleeper is slow to run. Only after that
 * `wake` is incremented (A8). A sleeper loads `wake` first (B8), then sets its
 * bit (B7), then looks at the head: if its bit was taken, the value it sleeps
 * on is old and the kernel refuses; if it was not, it sees the head or the next
 * commit sees the bit. */
static bool
take_waiters (Ring *ring)
{
  shared_u32 *wake = &ring->block->header->wake;
  uint64_t taken = 0;
  for (uint32_t w = 0; w < N_WAITER_WORDS; w++) {
    shared_u64 *word = &ring->block->wake->waiters[w];
    if (load_seq (word))
      taken |= exchange_seq (word, 0); /* A9 */
  }
  if (!taken)
    return false;
  STEP (A9_WAITERS_TAKEN);
  store_seq (wake, load_relaxed (wake) + 1); /* A8 */
  STEP (A8_WAKE_STEPPED);
  return true;
}

/* Makes all committed records visible. Returns whether a consumer sleeps and
 * must be woken. */
bool
ring_show (Ring *ring, uint64_t now)
{
  BlockHeader *header = ring->block->header;
  /* before A7: a reader maps the times of these records by a pair of now, however
   * long the producer was idle */
  clock_refresh (&ring->clock, now);
  ring->shown_head = ring->head;
  store_seq (&header->head, ring->head); /* A7: all or nothing */
  STEP (A7_HEAD_STORED);
  /* after A7: a process killed before it leaves nothing of the batch visible */
  ring_publish_sticky (ring);
  store_relaxed (&header->records, ring->head);
  store_relaxed (&header->buffers, ring->ordinal);
  store_relaxed (&header->heartbeat, now);
  STEP (HEARTBEAT_STORED);
  return take_waiters (ring);
}

/* Publishes the records that an adopter holds back until
 * datahub_producer_publish(). */
void
ring_show_early (Ring *ring)
{
  ring->held_back = false;
  ring_show (ring, (uint64_t) os_now ());
  /* at once: to make room they have to read */
  os_futex_wake (&ring->block->header->wake);
  STEP (COMMIT_WOKE);
}
