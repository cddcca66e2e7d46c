/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pair of CLOCK_MONOTONIC and CLOCK_REALTIME in the header of a block, with the
 * boot. If the difference of the clocks is another one in a process, it has another
 * time namespace; the two differences map times of the producer.
 *
 * The producer takes a new pair at its heartbeats, at most once a second, since
 * CLOCK_REALTIME may be set and a suspended machine stops CLOCK_MONOTONIC alone.
 * There are two places: the newest pair is at turn mod 2, and the next one is
 * written to the other place before the turn. So a producer that is killed at any
 * step leaves the last complete pair. A reader that finds the turn unchanged has
 * copied one pair: its place is not written before the turn has moved.
 *
 * Words are stored with release and loaded with acquire, which orders each behind
 * the turn before it.
 * Models: tests/model/clock.pml.
 * Tests: core-telemetry, core-clocks, core-hostile-fields */
#include "clock-private.h"

#include <string.h>

#define REFRESH_NS NS_PER_S
/* An interrupted reading is repeated: its two clocks are of two instants. */
#define READING_MAX_NS (20 * NS_PER_MS / 1000)
#define READ_TRIES 10

/* Reads CLOCK_REALTIME between two readings of CLOCK_MONOTONIC; the closest pair of
 * some tries. The boot is left to the caller. */
void
clock_read_own (ClockReading *reading)
{
  int64_t best = INT64_MAX;
  for (int i = 0; i < READ_TRIES && best > READING_MAX_NS; i++) {
    int64_t before = os_now (), took;
    uint64_t realtime = os_wall_clock ();
    took = os_now () - before;
    if (took >= best)
      continue;
    best = took;
    reading->realtime_ns = realtime;
    reading->monotonic_ns = (uint64_t) (before + took / 2);
  }
}

static void
store_pair (BlockHeader *header, const ClockReading *reading)
{
  uint64_t turn = load_relaxed (&header->clock_turn) + 1; /* ours to store */
  ClockPair *pair = &header->clock[turn % N_CLOCK_PAIRS];
  uint64_t boot[2];
  memcpy (boot, reading->boot_id, sizeof boot);
  store_release (&pair->monotonic_ns, reading->monotonic_ns); /* K1 */
  STEP (K1_CLOCK_BEGUN);
  store_release (&pair->realtime_ns, reading->realtime_ns);
  store_release (&pair->boot_id[0], boot[0]);
  store_release (&pair->boot_id[1], boot[1]);
  STEP (K1_CLOCK_FILLED);
  store_release (&header->clock_turn, turn); /* K2 */
  STEP (K2_CLOCK_TURNED);
}

/* Any thread of the producer; of several one takes the pair. */
void
clock_take_pair (ClockWriter *writer, uint64_t now)
{
  ClockReading reading;
  if (exchange_seq (&writer->busy, 1))
    return;
  if (now >= load_relaxed (&writer->due_ns)) {
    memcpy (reading.boot_id, writer->boot_id, sizeof reading.boot_id);
    clock_read_own (&reading);
    store_pair (writer->header, &reading);
    store_relaxed (&writer->due_ns, reading.monotonic_ns + REFRESH_NS);
  }
  store_seq (&writer->busy, 0);
}

/* Takes the first pair of a creator or adopter. Without FEATURE_TELEMETRY
 * (@header NULL) no pair is ever due. */
void
clock_start (ClockWriter *writer, BlockHeader *header)
{
  writer->header = header;
  if (!header) {
    store_relaxed (&writer->due_ns, UINT64_MAX);
    return;
  }
  os_boot_id (writer->boot_id);
  clock_take_pair (writer, (uint64_t) os_now ());
}

/* Copies the newest pair. False: there is none. The caller knows that the block
 * has FEATURE_TELEMETRY. The values are the producer's claims. */
bool
clock_read (const BlockHeader *header, ClockReading *reading)
{
  for (int i = 0; i < READ_TRIES; i++) {
    uint64_t turn = load_acquire (&header->clock_turn), boot[2]; /* K3 */
    const ClockPair *pair = &header->clock[turn % N_CLOCK_PAIRS];
    if (turn == 0)
      return false;
    reading->monotonic_ns = load_acquire (&pair->monotonic_ns);
    reading->realtime_ns = load_acquire (&pair->realtime_ns);
    boot[0] = load_acquire (&pair->boot_id[0]);
    boot[1] = load_acquire (&pair->boot_id[1]);
    memcpy (reading->boot_id, boot, sizeof boot);
    if (load_acquire (&header->clock_turn) == turn) /* K4 */
      return reading->monotonic_ns != 0 && reading->realtime_ns != 0;
  }
  return false;
}
