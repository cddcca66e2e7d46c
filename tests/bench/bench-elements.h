/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source and a sink that measure what is between them. */
#ifndef BENCH_ELEMENTS_H
#define BENCH_ELEMENTS_H

#include "bench-board.h"

#include <gst/gst.h>
#include <stdbool.h>

/* The same in every process of a measurement. */
typedef struct
{
  uint64_t size; /* bytes of a buffer */
  bool video; /* 1080p I420; else bytes of no format */
  uint64_t count;
  uint64_t warm_up; /* buffers before the measurement starts */
  double rate; /* buffers a second; 0: flat out */
  bool every_byte; /* write and read all of it, not the header only */
  bool own_pool; /* the source refuses the pool it is offered */
  uint64_t in_flight; /* kept by the board; 0: by the transport */
  uint32_t receivers;
  BenchBoard *board;
} BenchWork;

/* Where the bytes of one buffer in the middle are: file and offset of the
 * mapping, so that two processes can be compared. */
typedef struct
{
  char text[256];
} BenchAddress;

typedef struct
{
  uint64_t received; /* after the warm-up */
  uint64_t lost, wrong;
  uint64_t first_ns, last_ns;
  uint64_t *latencies_ns;
  BenchAddress address;
} BenchReceived;

GstElement *bench_source_new (const BenchWork *work, BenchAddress *address);
GstElement *bench_sink_new (const BenchWork *work, uint32_t receiver,
    BenchReceived *received);
GstCaps *bench_caps (const BenchWork *work);

#endif /* BENCH_ELEMENTS_H */
