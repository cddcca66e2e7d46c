/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The content of a measured stream: each buffer begins with a stamp. */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include "bench-address.h"
#include "bench-work.h"

typedef enum
{
  BENCH_HELLO = 1, /* before all receivers have joined; it is not counted */
  BENCH_MEASURED = 2, /* after the warm-up */
  BENCH_LAST = 4
} BenchFlags;

typedef struct
{
  uint64_t number, sent_ns, flags;
  uint64_t check; /* of the others: a torn stamp is seen */
} BenchStamp;

typedef struct
{
  const BenchWork *work;
  uint64_t sent, begin_ns, next_ns;
  uint64_t warm_ns; /* all memory was used once */
  uint64_t measured, measured_ns; /* after the warm-up, and its end */
  uint32_t hellos;
  bool over;
  BenchAddress address; /* of the last buffer */
} BenchSender;

uint64_t bench_stamp_check (const BenchStamp *stamp);
/* Each word of a whole payload but the stamp. */
uint64_t bench_fill_of (uint64_t number);
/* Waits for the pace and fills the buffer; returns false after the last one, when
 * all receivers have got it. */
bool bench_sender_fill (BenchSender *sender, void *data, uint64_t size);

#endif /* BENCH_SENDER_H */
