/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clocks of a producer as its block shows them, and as this process sees
 * them. */
#ifndef DATAHUB_CLOCK_PRIVATE_H
#define DATAHUB_CLOCK_PRIVATE_H

#include "block-private.h"

/* Both clocks at one instant. */
typedef struct
{
  uint64_t monotonic_ns;
  uint64_t realtime_ns;
  uint8_t boot_id[16]; /* 0: not known */
} ClockReading;

/* The producer's side. */
typedef struct
{
  BlockHeader *header; /* NULL: the block has no FEATURE_TELEMETRY */
  uint8_t boot_id[16];
  shared_u64 due_ns; /* CLOCK_MONOTONIC of the next pair */
  shared_u32 busy; /* a thread takes a pair */
} ClockWriter;

void clock_start (ClockWriter *writer, BlockHeader *header);
void clock_take_pair (ClockWriter *writer, uint64_t now);

/* Called at each heartbeat: takes a new pair if the last one is a second old. */
static inline void
clock_refresh (ClockWriter *writer, uint64_t now)
{
  if (now >= load_relaxed (&writer->due_ns))
    clock_take_pair (writer, now);
}

void clock_read_own (ClockReading *reading);
bool clock_read (const BlockHeader *header, ClockReading *reading);

/* The reader's side. */
ClockOffset clock_compare (const ClockReading *pair, uint64_t heartbeat,
    const ClockReading *own);
void clock_follow (ClockOffset *known, const ClockOffset *found);
ClockOffset clock_find (const Block *block);

#endif /* DATAHUB_CLOCK_PRIVATE_H */
