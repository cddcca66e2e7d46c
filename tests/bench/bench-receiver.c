/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-receiver.h"
#include "bench-usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LATENCIES (UINT64_C (1) << 20)

void
bench_receiver_init (BenchReceiver *self, const BenchWork *work,
    uint32_t number)
{
  *self = (BenchReceiver){ .work = work, .number = number };
  if (work->samples)
    self->latencies_ns = calloc (MOST_LATENCIES, sizeof (uint64_t));
}

/* Reads each word after the stamp; true if they are those of one buffer. */
static bool
is_whole (const uint8_t *data, uint64_t size, uint64_t number)
{
  uint64_t sum = 0, n = (size - sizeof (BenchStamp)) / 8;
  data += sizeof (BenchStamp);
  for (uint64_t i = 0; i < n; i++) {
    uint64_t word;
    memcpy (&word, data + i * 8, 8);
    sum += word;
  }
  return sum == n * bench_fill_of (number);
}

static void
count (BenchReceiver *self, const BenchStamp *stamp, uint64_t now)
{
  if (stamp->number < self->expected)
    self->reordered++;
  else
    self->lost += stamp->number - self->expected;
  if (stamp->number >= self->expected)
    self->expected = stamp->number + 1;
  if (!(stamp->flags & BENCH_MEASURED)) {
    self->lost = 0; /* the warm-up does not count */
    return;
  }
  bench_usage_begin ();
  if (self->received++ == 0)
    self->first_ns = now;
  self->last_ns = now;
  /* after the last buffer others may be ending, which it would measure */
  if (self->latencies_ns && !(stamp->flags & BENCH_LAST)
      && self->n_latencies < MOST_LATENCIES)
    self->latencies_ns[self->n_latencies++] = now - stamp->sent_ns;
}

bool
bench_receiver_take (BenchReceiver *self, const void *data, uint64_t size,
    uint64_t now)
{
  BenchStamp stamp;
  if (size < sizeof stamp) {
    self->torn++;
    return true;
  }
  memcpy (&stamp, data, sizeof stamp);
  if (stamp.check != bench_stamp_check (&stamp)) {
    self->torn++;
    return true;
  }
  bench_board_join (self->work->board, self->number);
  if (stamp.flags & BENCH_HELLO)
    return true;
  if (self->work->every_byte && !is_whole (data, size, stamp.number))
    self->torn++;
  count (self, &stamp, now);
  if (stamp.flags & BENCH_LAST)
    bench_address_of (data, &self->address);
  bench_board_received (self->work->board, self->number, stamp.number + 1);
  return !(stamp.flags & BENCH_LAST);
}

void
bench_receiver_save (const BenchReceiver *self)
{
  FILE *file = self->latencies_ns ? fopen (self->work->samples, "abe") : NULL;
  if (!file)
    return;
  fwrite (self->latencies_ns, sizeof (uint64_t), self->n_latencies, file);
  fclose (file);
}
