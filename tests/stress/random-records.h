/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random traffic that can be verified completely: the shape and every byte of
 * buffer n of epoch e (one life of a producer) follow from e and n. */
#ifndef TESTS_STRESS_RANDOM_RECORDS_H
#define TESTS_STRESS_RANDOM_RECORDS_H

#include "common/check.h"

#include <datahub/core.h>

#define RECORDS_MAX_HELD 16
#define RECORDS_MAX_BATCH 4
/* In an epoch with this bit every eighth frame makes the block grow. */
#define RECORDS_GROWING (UINT64_C (1) << 20)
/* In one with this bit the block is strict. */
#define RECORDS_STRICT (UINT64_C (1) << 21)
/* Bit of an epoch: two buffers of three are droppable. */
#define RECORDS_DROPPABLE (UINT64_C (1) << 22)

typedef struct
{
  uint64_t state;
} Random;

uint64_t random_next (Random *random);
/* Uniform enough below limit. */
uint32_t random_below (Random *random, uint32_t limit);

/* Commits buffers first to first + n - 1 of an epoch as one batch. */
DatahubResult random_records_send (DatahubProducer *producer, uint64_t epoch,
    uint64_t first, uint32_t n, int64_t timeout_ns, DatahubError *error);
/* One sticky event that names the epoch. */
DatahubResult random_records_send_event (DatahubProducer *producer,
    DatahubRecordType type, uint64_t epoch, int64_t timeout_ns,
    DatahubError *error);
DatahubResult random_records_send_caps (DatahubProducer *producer,
    uint64_t epoch, int64_t timeout_ns, DatahubError *error);
DatahubResult random_records_send_tags (DatahubProducer *producer,
    uint64_t epoch, int64_t timeout_ns, DatahubError *error);
/* Acquires a slot and fills a part of it, as one who is about to die. */
void random_records_begin_only (DatahubProducer *producer);
DatahubProducerOptions random_records_options (uint64_t epoch);

/* One attachment: follows order and losses, holds leases and verifies them
 * again at their end. */
typedef struct
{
  DatahubConsumer *consumer;
  bool reliable;
  Random *random;
  bool adopts; /* may follow one producer after the other in its block */
  bool orphaned; /* told that the producer died, and nothing came since */
  bool started; /* a record came */
  uint64_t incarnation; /* of the newest record */
  bool based; /* a buffer of the epoch came: */
  uint64_t base; /* buffers of the block before the epoch */
  uint64_t epoch; /* of the newest record */
  uint64_t first; /* number of the first buffer */
  uint64_t next; /* number after the newest buffer */
  uint64_t received, lost, copies;
  uint64_t flushed; /* skipped at flushes of the producer */
  uint64_t given_up; /* gone before a reliable one joined */
  bool joined_reliably; /* also if it was evicted since */
  uint32_t n_held;
  DatahubView held[RECORDS_MAX_HELD];
} RecordReader;

/* Reads and verifies one record; every check fails the test. */
DatahubResult random_records_read (RecordReader *reader, int64_t timeout_ns);
/* Verifies and ends the leases, all of them or a random one. */
void random_records_release_one (RecordReader *reader);
void random_records_release_all (RecordReader *reader);
/* That the counts of reader and library agree. */
void random_records_check_counts (RecordReader *reader);

#endif /* TESTS_STRESS_RANDOM_RECORDS_H */
