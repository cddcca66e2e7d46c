/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the core share: blocks and consumers in one line, buffers
 * whose bytes follow from a number, outcomes with their words. */
#ifndef TESTS_CORE_FIXTURE_H
#define TESTS_CORE_FIXTURE_H

#include "common/check.h"
#include "common/pattern.h"

#include <datahub/core.h>

#include <string.h>

/* The error of calls that can fail, one per thread; shown when a check fails. */
extern _Thread_local DatahubError err;

#define CHECK_RESULT(call, wanted)                                             \
  do {                                                                         \
    DatahubResult check_got = (call);                                          \
    if (strncmp (#call, "datahub_", 8) == 0 && strstr (#call, "&err")          \
        && err.code != check_got)                                              \
      check_fail (__FILE__, __LINE__, "%s: %s, error.code is %s", #call,       \
          datahub_result_name (check_got), datahub_result_name (err.code));    \
    if (check_got != (wanted))                                                 \
      check_fail (__FILE__, __LINE__, "%s: %s (%s), wanted %s", #call,         \
          datahub_result_name (check_got), err.message,                        \
          datahub_result_name (wanted));                                       \
  } while (0)
#define CHECK_OK(call) CHECK_RESULT (call, DATAHUB_OK)

/* Long enough for any machine, short enough for a test that fails. */
#define SOON check_scaled_ns (10 * CHECK_S)

/* Whether the blocks of this run are strict: CHECK_STRICT is set. */
bool is_strict_run (void);
/* 4 KiB slots, 16 of them, and a ring of 8. */
DatahubProducerOptions small_options (void);
/* Created and published. NULL: small_options(). */
DatahubProducer *producer_new (const char *channel,
    const DatahubProducerOptions *options);
/* The outcome of create and publish together; *producer only if it is OK. */
DatahubResult producer_try (const char *channel,
    const DatahubProducerOptions *options, DatahubProducer **producer);
DatahubConsumer *consumer_new (const char *channel, bool reliable,
    DatahubStart start);
/* What an attach of somebody who expects to fail gets. */
DatahubResult consumer_try (const char *channel);
DatahubConsumer *consumer_new_quota (const char *channel, bool reliable,
    uint32_t max_pinned);

/* A buffer of size bytes that follow from seed; pts and offset are the seed. */
DatahubResult try_commit (DatahubProducer *producer, uint64_t seed,
    uint64_t size, int64_t timeout_ns);
void commit_buffer (DatahubProducer *producer, uint64_t seed, uint64_t size);
/* Buffers first, first + 1, ... of 1000 bytes. */
void commit_buffers (DatahubProducer *producer, uint64_t first, uint32_t n);
uint64_t commit_event (DatahubProducer *producer, DatahubRecordType type,
    const char *body);
DatahubCommit event_record (DatahubRecordType type, const char *body);
DatahubCommit buffer_record (const DatahubSlot *slot, uint64_t seed,
    uint64_t size);
void fill_slot (DatahubProducer *producer, uint64_t seed, uint64_t size,
    DatahubSlot *slot);

DatahubView read_record (DatahubConsumer *consumer);
/* That a lease shows buffer number seed, every byte of it. */
void check_buffer (const DatahubView *view, uint64_t seed, uint64_t size);
/* Reads one buffer, checks it, ends the lease. */
void expect_buffer (DatahubConsumer *consumer, uint64_t seed, uint64_t size);
void expect_buffers (DatahubConsumer *consumer, uint64_t first, uint32_t n);
/* That the newest record of a sticky type is this one. */
void expect_sticky (DatahubConsumer *consumer, DatahubRecordType type,
    const char *body);
/* That the next read has this outcome instead, within SOON. */
void expect_outcome (DatahubConsumer *consumer, DatahubResult wanted);
void expect_event (DatahubConsumer *consumer, DatahubRecordType type,
    const char *body);
void check_event (const DatahubView *view, DatahubRecordType type,
    const char *body);

/* The number that the message of the last error has before @what. */
uint64_t number_before (const char *what);

DatahubProducerStats producer_stats (DatahubProducer *producer);
DatahubConsumerStats consumer_stats (DatahubConsumer *consumer);

/* The bytes of memory without a name that this process is making. By path: a call
 * that takes the descriptor would race with its close. */
uint64_t bytes_in_the_making (void);

#endif /* TESTS_CORE_FIXTURE_H */
