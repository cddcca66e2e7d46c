/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validation of what a producer maintains beside the stream: the share, its
 * clocks, its errors. No program depends on it, but values that no producer
 * writes show that another one did.
 * Tests: core-telemetry, core-errors */
#include "integrity-private.h"
#include "core/block/clock-private.h"
#include "core/block/errors-private.h"

#include <string.h>

typedef enum
{
  TELEMETRY_SHARE,
  TELEMETRY_CLOCK,
  N_TELEMETRY
} Telemetry;

static bool
check_share (const Block *block, Doubt *doubt)
{
  uint64_t word = load_relaxed (&block->header->share);
  return word != 0 && !share_is_possible (&block->g, word)
      && doubt_set (doubt, DATAHUB_FINDING_TELEMETRY, TELEMETRY_SHARE, word,
          "The share is %u slots for each of %u consumers, but the block has %u "
          "records and room for %u consumers.",
          SHARE_LIMIT (word), SHARE_COUNTED (word), block->g.n_recs,
          block->g.max_rows);
}

/* A pair that is complete has no 0 in it. */
static bool
check_clock (const Block *block, Doubt *doubt)
{
  const BlockHeader *header = block->header;
  uint64_t turn = load_acquire (&header->clock_turn);
  const ClockPair *pair = &header->clock[turn % N_CLOCK_PAIRS];
  if (turn == 0
      || (load_acquire (&pair->monotonic_ns)
          && load_acquire (&pair->realtime_ns)))
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_TELEMETRY, TELEMETRY_CLOCK, turn,
      "The newest reading of the producer's clocks is empty.");
}

static bool
check_telemetry (Scan *scan, uint32_t which, Doubt *doubt)
{
  return which == TELEMETRY_CLOCK ? check_clock (&scan->block, doubt)
                                  : check_share (&scan->block, doubt);
}

/* An entry that is not being written has a code, a count and a text that ends. An
 * odd turn is that of a producer at work, or of one that was killed there. */
static bool
check_error (Scan *scan, uint32_t index, Doubt *doubt)
{
  const ErrorEntry *entry = &scan->block.errors[index];
  uint32_t turn = load_acquire (&entry->turn);
  uint32_t code = load_acquire (&entry->code);
  uint64_t count = load_acquire (&entry->count);
  uint64_t last = load_acquire (&entry->text[ERROR_TEXT_WORDS - 1]);
  if (turn == 0 || turn % 2
      || (code > 0 && code <= ERROR_CODE_MAX && count > 0
          && ((const char *) &last)[7] == 0))
    return false;
  if (load_acquire (&entry->turn) != turn)
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_TELEMETRY, N_TELEMETRY + index, turn,
      "Entry %u of the producer's errors has code %u, count %llu or a text "
      "that no producer writes.",
      index, code, (unsigned long long) count);
}

void
scan_telemetry (Scan *scan)
{
  const Block *block = &scan->block;
  if (block->g.features & FEATURE_TELEMETRY)
    for (uint32_t i = 0; i < N_TELEMETRY; i++)
      scan_examine (scan, check_telemetry, i);
  for (uint32_t i = 0; i < N_ERRORS && block->errors; i++)
    scan_examine (scan, check_error, i);
}
