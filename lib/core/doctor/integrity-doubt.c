/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Doubts of a scan: the kinds of findings, and the store of doubts that are checked
 * again.
 * Tests: core-integrity, core-diagnose */
#include "integrity-private.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const struct
{
  const char *name;
  DatahubSeverity severity;
} kinds[DATAHUB_N_FINDINGS] = {
  [DATAHUB_FINDING_HEADER] = { "header", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_STATE] = { "state", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_COUNTERS] = { "counters", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_RING_WORD] = { "ring-word", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_RECORD] = { "record", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_CHECKSUM] = { "checksum", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_STICKY_WORD] = { "sticky-word", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_POOL] = { "pool", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_WAKE_PAGE] = { "bell", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_ROW] = { "row", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_GATE] = { "gate", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_PINS] = { "pins", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_LOCK_WORD] = { "lock-word", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_LOCK_NAME] = { "lock-name", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_PRODUCER_DEAD] = { "producer-dead",
      DATAHUB_SEVERITY_LEFTOVER },
  [DATAHUB_FINDING_BLOCK_LEFTOVER] = { "block-leftover",
      DATAHUB_SEVERITY_LEFTOVER },
  [DATAHUB_FINDING_CONSUMER_DEAD] = { "consumer-dead",
      DATAHUB_SEVERITY_LEFTOVER },
  [DATAHUB_FINDING_LOCK_OWNER_DEAD] = { "lock-owner-dead",
      DATAHUB_SEVERITY_LEFTOVER },
  [DATAHUB_FINDING_NAMES_DIRTY] = { "names-dirty", DATAHUB_SEVERITY_LEFTOVER },
  [DATAHUB_FINDING_POOL_LEFTOVER] = { "pool-leftover",
      DATAHUB_SEVERITY_LEFTOVER },
  [DATAHUB_FINDING_PRODUCER_WAITS] = { "producer-waits",
      DATAHUB_SEVERITY_WARNING },
  [DATAHUB_FINDING_PRODUCER_DROPS] = { "producer-drops",
      DATAHUB_SEVERITY_WARNING },
  [DATAHUB_FINDING_PRODUCER_SILENT] = { "producer-silent",
      DATAHUB_SEVERITY_NOTE },
  [DATAHUB_FINDING_CONSUMER_STALLED] = { "consumer-stalled",
      DATAHUB_SEVERITY_WARNING },
  [DATAHUB_FINDING_CONSUMER_EVICTED] = { "consumer-evicted",
      DATAHUB_SEVERITY_WARNING },
  [DATAHUB_FINDING_CONSUMER_LOSES] = { "consumer-loses",
      DATAHUB_SEVERITY_NOTE },
  [DATAHUB_FINDING_LEASES_KEPT] = { "leases-kept", DATAHUB_SEVERITY_WARNING },
  [DATAHUB_FINDING_TABLE_FULL] = { "table-full", DATAHUB_SEVERITY_WARNING },
  [DATAHUB_FINDING_LOCK_HELD] = { "lock-held", DATAHUB_SEVERITY_WARNING },
  [DATAHUB_FINDING_LOCK_SLOW] = { "lock-slow", DATAHUB_SEVERITY_WARNING },
  [DATAHUB_FINDING_TELEMETRY] = { "telemetry", DATAHUB_SEVERITY_DAMAGE },
  [DATAHUB_FINDING_NOTED_ERROR] = { "noted-error", DATAHUB_SEVERITY_NOTE },
  [DATAHUB_FINDING_CONSUMER_COPIES] = { "consumer-copies",
      DATAHUB_SEVERITY_NOTE },
};

const char *
datahub_finding_name (DatahubFindingKind kind)
{
  return (unsigned) kind < DATAHUB_N_FINDINGS ? kinds[kind].name : "unknown";
}

/* Fills in @doubt; returns true, so that a check can end with it. */
bool
doubt_set (Doubt *doubt, DatahubFindingKind kind, uint32_t index,
    uint64_t evidence, const char *format, ...)
{
  va_list args;
  doubt->finding = (DatahubFinding){ .kind = kind,
    .severity = kinds[kind].severity,
    .index = index,
    .for_ns = -1 };
  doubt->evidence = evidence;
  va_start (args, format);
  vsnprintf (doubt->finding.message, sizeof doubt->finding.message, format,
      args);
  va_end (args);
  return true;
}

/* The time since record number @sequence was committed, in nanoseconds. If the
 * record is gone, the age of the oldest one in the ring, which is a lower
 * bound. < 0: unknown. */
int64_t
block_age_of (const Block *block, uint64_t sequence)
{
  uint64_t tail = load_acquire (&block->header->tail);
  uint64_t head = load_acquire (&block->header->head);
  uint64_t s = sequence > tail ? sequence : tail;
  shared_u64 *at = block_ring_word (block, s);
  uint64_t word = load_acquire (at);
  BlockRecord record;
  int64_t age;
  if (s >= head || RING_SEQUENCE (word) != (s & SEQUENCE_MASK)
      || RING_RECORD (word) >= block->g.n_recs)
    return -1;
  copy_unpinned (&record, block_record (block, RING_RECORD (word)),
      offsetof (BlockRecord, pts));
  age = block_age_at (block, record.commit_ns, os_now ());
  return load_seq (at) == word ? age : -1;
}

/* Stores a doubt, which is checked again later. */
void
scan_examine (Scan *scan, CheckFunc check, uint32_t index)
{
  Doubt doubt;
  if (!check (scan, index, &doubt))
    return;
  if (scan->n_suspects < SUSPECTS_MAX)
    scan->suspects[scan->n_suspects++] =
        (Suspect){ check, index, doubt.evidence };
  else
    scan->report->truncated = true;
}
