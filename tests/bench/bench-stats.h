/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clock, pace and quantiles of the benchmarks. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t bench_now_ns (void);
/* Sleeps until an instant of CLOCK_MONOTONIC. */
void bench_until (uint64_t instant_ns);
/* Events between processes: sem is in memory that both have. Waits until it was
 * told, up to ten seconds; returns whether it was. */
void bench_event_init (sem_t *event);
void bench_event_tell (sem_t *event);
bool bench_event_wait (sem_t *event);
/* Sorts the samples; writes the members of a JSON object, in microseconds. */
void bench_quantiles (uint64_t *samples_ns, uint32_t n, char *text,
    size_t size);

#endif /* BENCH_STATS_H */
