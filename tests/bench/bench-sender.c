/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-sender.h"
#include "bench-stats.h"
#include "bench-usage.h"

#include <string.h>

#define CHECK UINT64_C (0x9e3779b97f4a7c15)
/* The first pass over new memory costs many times the next ones, so all memory of
 * a transport is used once before the warm-up; but not longer than this. */
#define LONGEST_FIRST_PASS_NS UINT64_C (30000000000)
/* Enough buffers for a figure; a slow transport is not waited for longer. */
#define LEAST_MEASURED 16
#define LONGEST_EXTRA_S 1.5
#define MOST_DOUBLINGS 7

uint64_t
bench_stamp_check (const BenchStamp *stamp)
{
  return (stamp->number * CHECK) ^ (stamp->sent_ns * 3) ^ (stamp->flags << 56);
}

uint64_t
bench_fill_of (uint64_t number)
{
  return (number & 0xff) * UINT64_C (0x0101010101010101);
}

static void
pace (BenchSender *self)
{
  const BenchWork *work = self->work;
  if (work->limited)
    bench_board_throttle (work->board, work->receivers, self->sent,
        work->in_flight);
  if (work->rate <= 0 || self->warm_ns == 0)
    return;
  self->next_ns += (uint64_t) (1e9 / work->rate);
  /* late: the next ones follow at once, so that the rate is kept */
  if (self->next_ns > bench_now_ns ())
    bench_until (self->next_ns);
}

static bool
is_warm (BenchSender *self, uint64_t now)
{
  if (self->warm_ns == 0
      && (self->sent >= 2 * self->work->in_flight
          || now - self->begin_ns > LONGEST_FIRST_PASS_NS))
    self->warm_ns = self->next_ns = now;
  return self->warm_ns != 0
      && (double) (now - self->warm_ns) / 1e9 >= self->work->warm_up_s;
}

static uint64_t
flags_at (BenchSender *self, uint64_t now)
{
  double seconds = self->work->seconds;
  if (self->measured == 0 && !is_warm (self, now))
    return 0;
  bench_usage_begin ();
  if (self->measured++ == 0)
    self->measured_ns = now;
  double elapsed = (double) (now - self->measured_ns) / 1e9;
  self->over = elapsed >= seconds
      && (self->measured > LEAST_MEASURED
          || elapsed >= seconds + LONGEST_EXTRA_S);
  return BENCH_MEASURED | (self->over ? BENCH_LAST : 0);
}

static void
put (BenchStamp stamp, void *data)
{
  stamp.check = bench_stamp_check (&stamp);
  memcpy (data, &stamp, sizeof stamp);
}

/* Hellos come at growing intervals: each is a whole buffer, and some transports
 * queue all of them for a receiver that is slow. */
static bool
have_joined (BenchSender *self)
{
  const BenchWork *work = self->work;
  uint32_t n = self->hellos == 0 ? 1 : 1u << (self->hellos - 1);
  for (uint32_t i = 0; i < n; i++)
    if (bench_board_wait_joined (work->board, work->receivers))
      return true;
  self->hellos += self->hellos < MOST_DOUBLINGS;
  return false;
}

bool
bench_sender_fill (BenchSender *self, void *data, uint64_t size)
{
  const BenchWork *work = self->work;
  if (self->over) {
    bench_board_throttle (work->board, work->receivers, self->sent, 0);
    return false;
  }
  if (self->begin_ns == 0 && !have_joined (self)) {
    put ((BenchStamp){ .flags = BENCH_HELLO }, data);
    return true;
  }
  if (self->begin_ns == 0)
    self->begin_ns = bench_now_ns ();
  if (work->every_byte)
    memset (data, (int) (self->sent & 0xff), size);
  pace (self);
  uint64_t flags = flags_at (self, bench_now_ns ());
  if (self->over)
    bench_address_of (data, &self->address);
  put ((BenchStamp){ self->sent++, bench_now_ns (), flags, 0 }, data);
  return true;
}
