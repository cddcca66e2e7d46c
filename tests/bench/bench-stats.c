/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE_S 10

uint64_t
bench_now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

void
bench_until (uint64_t instant_ns)
{
  struct timespec until = { (time_t) (instant_ns / 1000000000u),
    (long) (instant_ns % 1000000000u) };
  /* the pace: a stream of that rate is what is measured */
  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, /* that instant */
             &until, NULL)
      != 0)
    ;
}

void
bench_event_init (sem_t *event)
{
  sem_init (event, 1, 0);
}

void
bench_event_tell (sem_t *event)
{
  sem_post (event);
}

bool
bench_event_wait (sem_t *event)
{
  struct timespec end;
  clock_gettime (CLOCK_MONOTONIC, &end);
  end.tv_sec += PATIENCE_S;
  while (sem_clockwait (event, CLOCK_MONOTONIC, &end) != 0)
    if (errno != EINTR)
      return false;
  return true;
}

static int
compare (const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
  return x < y ? -1 : x > y;
}

static double
at (const uint64_t *sorted_ns, uint32_t n, double quantile)
{
  uint32_t i = (uint32_t) (quantile * (n - 1) + 0.5);
  return (double) sorted_ns[i] / 1000.0;
}

void
bench_quantiles (uint64_t *samples_ns, uint32_t n, char *text, size_t size)
{
  if (n == 0) {
    snprintf (text, size, "\"n\": 0");
    return;
  }
  qsort (samples_ns, n, sizeof *samples_ns, compare);
  snprintf (text, size,
      "\"n\": %u, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
      "\"p99_9_us\": %.1f, \"max_us\": %.1f",
      n, at (samples_ns, n, 0.5), at (samples_ns, n, 0.9),
      at (samples_ns, n, 0.99), at (samples_ns, n, 0.999),
      at (samples_ns, n, 1));
}
