/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes the buffers of a measured stream: order, loss, damage, latency. */
#ifndef BENCH_RECEIVER_H
#define BENCH_RECEIVER_H

#include "bench-sender.h"

typedef struct
{
  const BenchWork *work;
  uint32_t number;
  uint64_t expected;
  uint64_t received; /* after the warm-up */
  uint64_t lost, torn, reordered;
  uint64_t first_ns, last_ns;
  uint64_t *latencies_ns, n_latencies;
  BenchAddress address; /* of the last buffer */
} BenchReceiver;

void bench_receiver_init (BenchReceiver *receiver, const BenchWork *work,
    uint32_t number);
/* @now: the instant at which the buffer came. Returns false after the last one. */
bool bench_receiver_take (BenchReceiver *receiver, const void *data,
    uint64_t size, uint64_t now);
/* Adds the latencies to the file of the work. */
void bench_receiver_save (const BenchReceiver *receiver);

#endif /* BENCH_RECEIVER_H */
