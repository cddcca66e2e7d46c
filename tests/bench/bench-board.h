/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A page that the processes of one measurement share, apart from what they
 * measure: how many buffers each receiver has, so that a source can keep at
 * most so many in flight where the transport itself does not limit it. */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <stdint.h>

typedef struct _BenchBoard BenchBoard;

/* Maps the file, which the driver made; NULL where there is none. */
BenchBoard *bench_board_open (const char *path);
void bench_board_received (BenchBoard *board, uint32_t receiver, uint64_t n);
/* Waits until sent - received <= in_flight for each of n receivers. */
void bench_board_throttle (BenchBoard *board, uint32_t n_receivers,
    uint64_t sent, uint64_t in_flight);

#endif /* BENCH_BOARD_H */
