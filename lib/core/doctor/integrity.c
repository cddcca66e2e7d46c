/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validation of a block as an observer: collects doubts, checks them again and
 * reports findings. The individual checks are in integrity-files.c,
 * integrity-ring.c and integrity-rows.c.
 * Tests: core-integrity, core-integrity-at-work, fuzz-integrity */
#include "integrity-private.h"
#include "core/base/result-private.h"
#include "core/base/sized-private.h"

#include <stdlib.h>
#include <string.h>

/* A doubt must exist for this long at every scan. A process that was stopped
 * between two steps stays so for longer: no check may depend on the pause. */
#define LOOKS_AGAIN 3
#define PAUSE_NS (2 * NS_PER_MS)

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
  uint64_t heartbeat = block_heartbeat (block);
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
  scan_telemetry (scan);
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
 * datahub_block_validate_sized:
 * @channel: the name of a block
 * @flags: #DatahubValidateFlags
 * @func: (nullable): called for each finding
 * @user_data: passed to @func
 * @report: (out caller-allocates): the number of findings, and of checked items
 * @report_size: size of the structure
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
datahub_block_validate_sized (const char *channel, uint32_t flags,
    DatahubFindingFunc func, void *user_data, DatahubIntegrityReport *report,
    size_t report_size, DatahubError *error)
{
  DatahubIntegrityReport found = { 0 };
  DatahubError local;
  DatahubResult result;
  Scan *scan = calloc (1, sizeof *scan);
  error = error ? error : &local;
  sized_out (report, report_size, &found, sizeof found);
  result_begin (error);
  if (!scan)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, 0, "Out of memory.");
  scan->flags = flags;
  scan->func = func;
  scan->user_data = user_data;
  scan->report = &found;
  result = block_open (&scan->block, channel, ACCESS_OBSERVE, error);
  if (result == DATAHUB_OK) {
    look_at_everything (scan);
    block_release (&scan->block);
  } else if (result == DATAHUB_ERROR_CORRUPT) {
    tell_unreadable (scan, error);
    result = DATAHUB_OK;
  }
  free (scan);
  sized_out (report, report_size, &found, sizeof found);
  return result_end (error, result);
}
