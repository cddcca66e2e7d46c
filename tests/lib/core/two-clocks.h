/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producers and consumers with two CLOCK_MONOTONIC, as in two time namespaces,
 * and a CLOCK_REALTIME that is set. The program has a clock_gettime() of its own, so
 * one process can be both sides and no privilege is needed: a call is made with the
 * clocks that are in force then. Threads of the library have those of the producer. */
#ifndef TESTS_CORE_TWO_CLOCKS_H
#define TESTS_CORE_TWO_CLOCKS_H

#include "findings.h"
#include "life.h"

#include "core/block/clock-private.h"

#define HOUR (3600 * CHECK_S)
#define FAR (100000 * CHECK_S)

/* How far a producer is ahead. */
#define N_DISTANCES 4
extern const int64_t distances[N_DISTANCES];

/* Threads of the library read these at any time. The clocks of its threads, and of the
 * main one, are so far ahead; CLOCK_REALTIME was set by so much; so much time has
 * passed: at the begin enough that no clock is below 0 on a machine that just
 * started. */
extern _Atomic int64_t shifts[2], stepped, passed;

/* How often the main thread has read CLOCK_REALTIME, and what this header showed
 * when it last did. */
extern uint64_t readings;
extern const BlockHeader *watched;
extern uint64_t head_at_reading, incarnation_at_reading;

/* From here on this thread's clock is @shift ahead. */
void use_clock (int64_t shift);
int64_t now_ns (void);

/* A producer with a clock that is @shift ahead; its calls need use_clock(). */
DatahubProducer *producer_ahead (int64_t shift);
/* Buffer @seed, with the instant of now in the producer's clock. */
int64_t commit_now (DatahubProducer *producer, int64_t shift, uint64_t seed);
/* A consumer with the clock 0, which begins with the oldest. */
DatahubConsumer *attach (int64_t max_age_ns);
/* Within the noise of readings. */
void check_about (int64_t value, int64_t wanted);
void check_clock_of (DatahubConsumer *consumer, DatahubClockState state,
    int64_t offset);
/* Reads a buffer and returns by how much its instant was moved. */
int64_t moved_by (DatahubConsumer *consumer, int64_t instant);
void check_not_silent (const DatahubConsumerInfo *info);
void end (DatahubConsumer *consumer, DatahubProducer *producer);

#endif /* TESTS_CORE_TWO_CLOCKS_H */
