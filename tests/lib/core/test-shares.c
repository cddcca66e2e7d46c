/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several payloads in one loan: what is not committed yet is the caller's. */
#include "fixture.h"

#include <string.h>

#define PART 1000
#define METAS 1000

static DatahubCommit
part_record (const DatahubSlot *slot, uint64_t seed, const void *metas)
{
  DatahubCommit record = buffer_record (slot, seed, PART);
  record.release = false;
  record.memories[0].offset = seed * PART;
  record.meta = metas;
  record.meta_size = METAS;
  return record;
}

/* Two buffers that share a slot, each with metas that do not fit its record. */
static void
metas_and_the_next_part (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  uint8_t metas[2][METAS];
  CHECK_OK (datahub_producer_acquire_slot (producer, 4 * PART, SOON, &slot,
      &err));
  for (uint64_t i = 0; i < 2; i++) {
    pattern_fill (slot.data + i * PART, PART, i);
    pattern_fill (metas[i], METAS, 100 + i);
  }
  for (uint64_t i = 0; i < 2; i++) {
    DatahubCommit record = part_record (&slot, i, metas[i]);
    CHECK_OK (datahub_producer_commit (producer, &record, 0, NULL, &err));
  }
  for (uint64_t i = 0; i < 2; i++) {
    DatahubView view = read_record (consumer);
    check_buffer (&view, i, PART);
    CHECK_INT (view.meta_size, ==, METAS);
    CHECK (memcmp (view.meta, metas[i], METAS) == 0);
    datahub_consumer_end_read (consumer, &view);
  }
  datahub_producer_abort (producer, &slot);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* One buffer of two memories in one slot, the second in front of the first. */
static void
check_other_memory (bool release)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  uint8_t metas[METAS];
  CHECK_OK (datahub_producer_acquire_slot (producer, 4 * PART, SOON, &slot,
      &err));
  for (uint64_t i = 0; i < 2; i++)
    pattern_fill (slot.data + i * PART, PART, i);
  pattern_fill (metas, METAS, 100);
  DatahubCommit record = part_record (&slot, 1, metas);
  record.release = release;
  record.n_memories = 2;
  record.memories[1] = (DatahubCommitMemory){ &slot, 0, PART };
  CHECK_OK (datahub_producer_commit (producer, &record, 0, NULL, &err));
  DatahubView view = read_record (consumer);
  for (uint64_t i = 0; i < 2; i++)
    CHECK_INT (pattern_mismatch (view.memories[i].data, PART, 1 - i), ==,
        PATTERN_MATCHES);
  CHECK (memcmp (view.meta, metas, METAS) == 0);
  datahub_consumer_end_read (consumer, &view);
  if (!release)
    datahub_producer_abort (producer, &slot);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
metas_and_the_other_memory (void)
{
  check_other_memory (false);
  check_other_memory (true);
}

/* The planes of a frame lie in one loan: it ends once. */
static void
planes_of_one_loan (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  for (uint64_t k = 0; k < 40; k++) {
    DatahubSlot slot;
    CHECK_OK (datahub_producer_acquire_slot (producer, 3 * PART, SOON, &slot,
        &err));
    DatahubCommit record = buffer_record (&slot, k, PART);
    record.n_memories = 3;
    for (uint64_t i = 0; i < 3; i++) {
      pattern_fill (slot.data + i * PART, PART, k + i);
      record.memories[i] = (DatahubCommitMemory){ &slot, i * PART, PART };
    }
    CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
    DatahubView view = read_record (consumer);
    CHECK_INT (view.n_memories, ==, 3);
    for (uint64_t i = 0; i < 3; i++)
      CHECK_INT (pattern_mismatch (view.memories[i].data, PART, k + i), ==,
          PATTERN_MATCHES);
    datahub_consumer_end_read (consumer, &view);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "metas of one buffer leave the next part of its loan alone",
      metas_and_the_next_part },
  { "metas of a buffer leave its other memory alone",
      metas_and_the_other_memory },
  { "a loan that a record names more than once ends once", planes_of_one_loan },
};
CHECK_MAIN (tests)
