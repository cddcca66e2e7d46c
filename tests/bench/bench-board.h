/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that the processes of one measurement share, apart from what they
 * measure: which receivers have joined, and how many buffers each of them has, so
 * that a source can limit the buffers in flight where the transport does not. */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_MOST_RECEIVERS 128

typedef struct _BenchBoard BenchBoard;

/* Maps the file and makes it big enough; NULL if there is none. */
BenchBoard *bench_board_open (const char *path);
/* The receiver has got a first buffer. */
void bench_board_join (BenchBoard *board, uint32_t receiver);
/* Waits until n receivers have joined, 10 ms at most; returns whether they have. */
bool bench_board_wait_joined (BenchBoard *board, uint32_t n);
void bench_board_received (BenchBoard *board, uint32_t receiver, uint64_t n);
/* Waits until sent - received <= in_flight for each of n receivers. */
void bench_board_throttle (BenchBoard *board, uint32_t n, uint64_t sent,
    uint64_t in_flight);

#endif /* BENCH_BOARD_H */
