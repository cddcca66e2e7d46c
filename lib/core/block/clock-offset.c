/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What to add to a time of a producer's CLOCK_MONOTONIC to get one of this process:
 * not 0 if the two are in different time namespaces.
 *
 * A time namespace moves CLOCK_MONOTONIC by a constant and leaves CLOCK_REALTIME, so
 * the difference realtime - monotonic is another one in another namespace. The difference also
 * changes if CLOCK_REALTIME is set, and if the machine was suspended, between the
 * producer's pair and the look of the reader. Such a step must not count as a
 * namespace. But a pair was taken in the past:
 *
 *   offset < 0  the producer's clock would be ahead of this one. Believed if the pair
 *               is of a time that this process has not reached yet. A clock that was set
 *               forward and a suspended machine give no such pair.
 *   offset > 0  the producer's clock would be behind. Believed unless the pair would
 *               be of the future then. CLOCK_REALTIME set back gives this, if the pair
 *               is older than the step is long: then the producer has been idle for as
 *               long, and its next heartbeat brings a pair that shows no difference.
 *
 * A consumer looks again at each new pair. If its own difference changed since its
 * last look, there was a step, and the pair may be from before it: the offset stays,
 * and the next pair decides. An offset that a pair repeats stays without evidence.
 *
 * The pair is another process's claim. It decides only about that producer's own
 * times. Sums cannot overflow: values from 2^62 ns on are not used.
 * Tests: core-clock-offsets, core-clocks, core-clock-changes, core-hostile-fields */
#include "clock-private.h"

#include <string.h>

/* Less than this is noise of two readings, or a small step of CLOCK_REALTIME. */
#define TOLERANCE_NS (100 * NS_PER_MS)
/* 36 years. */
#define OFFSET_MAX_NS (INT64_C (1) << 60)

static int64_t
difference_of (const ClockReading *reading)
{
  return (int64_t) reading->realtime_ns - (int64_t) reading->monotonic_ns;
}

static bool
is_near (int64_t a, int64_t b)
{
  return a - b <= TOLERANCE_NS && b - a <= TOLERANCE_NS;
}

static bool
is_possible (const ClockReading *reading)
{
  return reading->monotonic_ns < (uint64_t) CLOCK_TIME_MAX
      && reading->realtime_ns < (uint64_t) CLOCK_TIME_MAX;
}

/* A boot that is not known may be this one: the two share memory. */
static bool
is_other_boot (const ClockReading *a, const ClockReading *b)
{
  static const uint8_t unknown[16];
  return memcmp (a->boot_id, unknown, sizeof unknown) != 0
      && memcmp (b->boot_id, unknown, sizeof unknown) != 0
      && memcmp (a->boot_id, b->boot_id, sizeof unknown) != 0;
}

/* A time of the producer is later than this process could have read it. */
static bool
is_ahead (uint64_t theirs, const ClockReading *own)
{
  return theirs > own->monotonic_ns + (uint64_t) TOLERANCE_NS;
}

static DatahubClockState
judge (const ClockReading *pair, const ClockReading *own, int64_t offset)
{
  bool ahead = is_ahead (pair->monotonic_ns, own);
  bool explained = offset >= -OFFSET_MAX_NS && offset <= OFFSET_MAX_NS
      && (int64_t) pair->monotonic_ns + offset
          <= (int64_t) own->monotonic_ns + TOLERANCE_NS;
  if (!explained || !(ahead || offset > 0))
    return ahead ? DATAHUB_CLOCK_IMPLAUSIBLE : DATAHUB_CLOCK_SAME;
  return is_other_boot (pair, own) ? DATAHUB_CLOCK_OTHER_BOOT
                                   : DATAHUB_CLOCK_MAPPED;
}

/* Compares the producer's pair with a later reading of this process. Without a
 * pair (@pair NULL) its heartbeat is all there is: it shows a clock that is ahead,
 * but not by how much. */
ClockOffset
clock_compare (const ClockReading *pair, uint64_t heartbeat,
    const ClockReading *own)
{
  ClockOffset found = { .own_difference = difference_of (own) };
  if (!pair) {
    found.state =
        is_ahead (heartbeat, own) ? DATAHUB_CLOCK_UNKNOWN : DATAHUB_CLOCK_SAME;
    return found;
  }
  if (!is_possible (pair)) {
    found.state = DATAHUB_CLOCK_IMPLAUSIBLE;
    return found;
  }
  found.shown_ns = difference_of (pair) - found.own_difference;
  if (is_near (found.shown_ns, 0))
    found.shown_ns = 0;
  found.state = judge (pair, own, found.shown_ns);
  if (found.state == DATAHUB_CLOCK_MAPPED)
    found.offset_ns = found.shown_ns;
  return found;
}

/* @found is of a newer pair of the same producer than @known. */
void
clock_follow (ClockOffset *known, const ClockOffset *found)
{
  bool stepped = !is_near (found->own_difference, known->own_difference);
  bool repeated = known->state == DATAHUB_CLOCK_MAPPED
      && is_near (found->shown_ns, known->offset_ns);
  known->own_difference = found->own_difference;
  if (!stepped && !repeated)
    *known = *found;
}

/* Compares the newest pair of @block with the clocks of now. The boot is read only
 * if it matters. */
ClockOffset
clock_find (const Block *block)
{
  const BlockHeader *header = block->header;
  ClockReading pair, own = { 0 };
  bool has = (block->g.features & FEATURE_TELEMETRY) != 0
      && clock_read (header, &pair);
  uint64_t heartbeat = load_acquire (&header->heartbeat);
  ClockOffset found;
  clock_read_own (&own); /* later than what it is compared with */
  found = clock_compare (has ? &pair : NULL, heartbeat, &own);
  if (found.state != DATAHUB_CLOCK_MAPPED)
    return found;
  os_boot_id (own.boot_id);
  return clock_compare (&pair, heartbeat, &own);
}
