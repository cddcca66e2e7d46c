/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validation of a block as an observer: collects doubts, checks them again and
 * reports findings. The individual checks are in integrity-files.c,
 * integrity-ring.c and integrity-rows.c.
 * Tests: core-integrity, core-integrity-at-work, fuzz-integrity */
#include "integrity-private.h"
#include "core/base/result-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A doubt must exist for this long at every scan. A process that was stopped
 * between two steps stays so for longer: no check may depend on the pause. */
#define LOOKS_AGAIN 3
#define PAUSE_NS (2 * NS_PER_MS)

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
};

/**
 * datahub_finding_name:
 * @kind: a kind of finding
 *
 * Returns: its name for logs and scripts, as "ring-word"; "unknown" for a kind
 *   of a later version
 */
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
  age = os_now () - (int64_t) record.commit_ns;
  return load_seq (at) == word && age >= 0 ? age : -1;
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

void
scan_report (Scan *scan, DatahubFinding *finding)
{
  DatahubIntegrityReport *report = scan->report;
  report->n_found[finding->severity]++;
  if (scan->n_reported[finding->kind]++ >= REPORTED_MAX)
    report->n_untold++;
  else if (scan->func)
    scan->func (finding, scan->user_data);
}

/* Keeps the suspects with unchanged evidence. */
static void
look_again (Scan *scan)
{
  uint32_t kept = 0;
  for (uint32_t i = 0; i < scan->n_suspects; i++) {
    Suspect *suspect = &scan->suspects[i];
    Doubt doubt;
    if (suspect->check (scan, suspect->index, &doubt)
        && doubt.evidence == suspect->evidence)
      scan->suspects[kept++] = *suspect;
  }
  scan->n_suspects = kept;
}

static void
tell_suspects (Scan *scan)
{
  for (uint32_t i = 0; i < scan->n_suspects; i++) {
    Suspect *suspect = &scan->suspects[i];
    Doubt doubt;
    if (suspect->check (scan, suspect->index, &doubt)
        && doubt.evidence == suspect->evidence)
      scan_report (scan, &doubt.finding);
  }
}

static bool
check_state (Scan *scan, uint32_t index, Doubt *doubt)
{
  const Block *block = &scan->block;
  uint32_t state = load_seq (&block->header->state);
  uint64_t heartbeat = load_relaxed (&block->header->heartbeat);
  if (state > DATAHUB_STATE_MOVED)
    return doubt_set (doubt, DATAHUB_FINDING_STATE, 0, state,
        "The state word is %u, which is not a state.", state);
  if (state < DATAHUB_STATE_READY)
    return doubt_set (doubt, DATAHUB_FINDING_STATE, 0, state,
        "The block has a name, but its state word (%u) is that of an "
        "unfinished block: no consumer can attach.",
        state);
  if (block_is_writer_alive (block))
    return false;
  if (state == DATAHUB_STATE_READY || state == DATAHUB_STATE_DRAINING) {
    /* a clean close stores the state before it lets the lock go */
    if (load_seq (&block->header->state) != state)
      return false;
    doubt_set (doubt, DATAHUB_FINDING_PRODUCER_DEAD, 0, state,
        "The producer is dead: its lock is free, and the block was not "
        "closed.");
    if (heartbeat)
      doubt->finding.for_ns = (int64_t) silence_since (heartbeat);
    return true;
  }
  for (uint32_t i = 0; i < block->g.max_rows; i++)
    if (block_row_is_alive (block, block->lck, i))
      return false;
  if (!os_same_file (block->lck, block->dir,
          name_entry (block->user, block->channel).text))
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_BLOCK_LEFTOVER, 0, state,
      "The block is closed and no process has it open, but its files still "
      "exist.");
}

/* The header as it is mapped now: block_open() checked a copy of the file. The
 * tag of the secret is under the same check sum. */
static bool
check_header (Scan *scan, uint32_t index, Doubt *doubt)
{
  const Block *block = &scan->block;
  BlockIdentity id;
  LockPage page;
  uint64_t sum;
  copy_unpinned (&id, &block->header->identity, sizeof id);
  sum = fnv1a (&id, offsetof (BlockIdentity, header_check));
  if (id.header_check != sum)
    return doubt_set (doubt, DATAHUB_FINDING_HEADER, 0, sum,
        "The header was changed after the block was made: its check sum does "
        "not match.");
  if (!os_read_all (block->lck, &page, sizeof page)
      || page.max_rows != block->g.max_rows)
    return doubt_set (doubt, DATAHUB_FINDING_HEADER, 1, page.max_rows,
        "The lock file has %u rows, the header %u.", page.max_rows,
        block->g.max_rows);
  return false;
}

static void
look_at_everything (Scan *scan)
{
  scan->first = true;
  scan_examine (scan, check_header, 0);
  scan_examine (scan, check_state, 0);
  scan_ring (scan);
  if (!scan->block.g.strict) { /* of which an observer sees ctl alone */
    scan_files (scan);
    scan_rows (scan);
    scan_locks (scan);
  }
  scan->first = false;
  for (int i = 0; i < LOOKS_AGAIN && scan->n_suspects > 0; i++) {
    os_pause (PAUSE_NS);
    look_again (scan);
  }
  tell_suspects (scan);
}

/* A block that cannot be opened because of damage is a finding, too. */
static void
tell_unreadable (Scan *scan, const DatahubError *error)
{
  Doubt doubt;
  doubt_set (&doubt, DATAHUB_FINDING_HEADER, 0, 0, "%s", error->message);
  scan_report (scan, &doubt.finding);
}

/**
 * datahub_block_validate:
 * @channel: the name of a block
 * @flags: #DatahubValidateFlags
 * @func: (nullable): called for each finding
 * @user_data: passed to @func
 * @report: (out caller-allocates): the number of findings, and of checked items
 * @error: (out) (optional): why it failed
 *
 * Checks a block against the rules of its layout, as an observer: takes no row
 * and no lock, writes nothing, and can run beside programs at full speed. A
 * fault is checked again before it is reported, so that a program between two
 * steps is not a finding. At most 8 findings of one kind are reported; the
 * others are only counted.
 *
 * Takes a few milliseconds; with %DATAHUB_VALIDATE_CHECKSUMS as long as it
 * takes to read the payload. Not for a streaming thread. Any thread.
 *
 * Returns: %DATAHUB_OK if the block could be examined, also with findings; a
 * damaged header is a finding. Else a failure
 */
DatahubResult
datahub_block_validate (const char *channel, uint32_t flags,
    DatahubFindingFunc func, void *user_data, DatahubIntegrityReport *report,
    DatahubError *error)
{
  DatahubError local;
  DatahubResult result;
  Scan *scan = calloc (1, sizeof *scan);
  error = error ? error : &local;
  memset (report, 0, sizeof *report);
  if (!scan)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, 0, "Out of memory.");
  scan->flags = flags;
  scan->func = func;
  scan->user_data = user_data;
  scan->report = report;
  result = block_open (&scan->block, channel, ACCESS_OBSERVE, error);
  if (result == DATAHUB_OK) {
    look_at_everything (scan);
    block_release (&scan->block);
  } else if (result == DATAHUB_ERROR_CORRUPT) {
    tell_unreadable (scan, error);
    result = DATAHUB_OK;
  }
  free (scan);
  return result;
}
