/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The work of one measurement, the same in each of its processes, and the
 * command line that describes it. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "bench-board.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum
{
  BENCH_PRODUCE,
  BENCH_CONSUME,
  BENCH_BOTH
} BenchRole;

typedef struct
{
  BenchRole role;
  const char *transport;
  const char *channel; /* name of the block, path of the socket, or port */
  uint64_t size; /* bytes of a buffer */
  const char *caps; /* of the GStreamer transports */
  double warm_up_s, seconds; /* the second follows the first */
  double rate; /* buffers a second; 0: flat out */
  bool every_byte; /* all of it is written and read, not the stamp only */
  bool own_memory; /* the source does not use the memory of the transport */
  uint64_t in_flight; /* buffers between a source and a sink at most */
  bool limited; /* the board keeps in_flight, because the transport does not */
  uint32_t receiver, receivers;
  const char *samples; /* file for the latencies; NULL: none */
  BenchBoard *board;
} BenchWork;

/* Ends the process with a message if the command line is wrong. */
void bench_work_parse (BenchWork *work, int argc, char **argv);

#endif /* BENCH_WORK_H */
