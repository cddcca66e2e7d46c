/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flexible zone: whole snapshots, whatever happens to their writer. */
#include "hostile.h"

#include <unistd.h>

#define ZONE 1000u

static DatahubProducer *
zoned_producer (void)
{
  DatahubProducerOptions options = small_options ();
  options.zone_size = ZONE;
  return producer_new ("cam0", &options);
}

static void
write_zone (DatahubProducer *producer, uint64_t value)
{
  uint64_t words[ZONE / 8];
  for (uint32_t i = 0; i < ZONE / 8; i++)
    words[i] = value;
  CHECK_OK (datahub_producer_write_zone (producer, 0, words, sizeof words,
      &err));
}

static uint64_t
read_zone (DatahubConsumer *consumer, uint64_t *version)
{
  uint64_t words[ZONE / 8];
  CHECK_OK (datahub_consumer_read_zone (consumer, 0, words, sizeof words,
      version, &err));
  for (uint32_t i = 1; i < ZONE / 8; i++)
    CHECK_INT (words[i], ==, words[0]);
  return words[0];
}

static void
round_trip (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  uint64_t version = 77, size;
  uint8_t bytes[13], all[ZONE];
  CHECK_INT (datahub_consumer_get_zone_size (consumer), ==, ZONE);
  CHECK_INT (read_zone (consumer, &version), ==, 0);
  CHECK_INT (version, ==, 0);
  write_zone (producer, 5);
  CHECK_INT (read_zone (consumer, &version), ==, 5);
  CHECK_INT (version, ==, 1);
  /* parts, at any offset, keep the rest */
  CHECK_OK (datahub_producer_write_zone (producer, 11, "hello, world", 13,
      &err));
  CHECK_OK (datahub_consumer_read_zone (consumer, 11, bytes, 13, &version,
      &err));
  CHECK_STR ((char *) bytes, "hello, world");
  CHECK_INT (version, ==, 2);
  CHECK_OK (datahub_consumer_read_zone (consumer, 0, all, ZONE, NULL, &err));
  CHECK_INT (all[8], ==, 5);
  CHECK_INT (all[10], ==, 0);
  CHECK_INT (all[24], ==, 5);
  CHECK (datahub_consumer_get_shared_zone (consumer, &size) == NULL);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
outside (void)
{
  DatahubProducer *producer = zoned_producer ();
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  uint8_t byte = 0;
  CHECK_RESULT (datahub_producer_write_zone (producer, ZONE, &byte, 1, &err),
      DATAHUB_ERROR_INVALID);
  CHECK_RESULT (datahub_producer_write_zone (producer, UINT64_MAX, &byte, 2,
                    &err),
      DATAHUB_ERROR_INVALID);
  CHECK_RESULT (datahub_consumer_read_zone (consumer, ZONE - 1, &byte, 2, NULL,
                    &err),
      DATAHUB_ERROR_INVALID);
  CHECK_CONTAINS (err.message, "1000");
  CHECK_OK (datahub_consumer_read_zone (consumer, ZONE - 1, &byte, 1, NULL,
      &err));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
without (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  uint8_t byte = 0;
  CHECK_INT (datahub_consumer_get_zone_size (consumer), ==, 0);
  CHECK_RESULT (datahub_producer_write_zone (producer, 0, &byte, 1, &err),
      DATAHUB_ERROR_INVALID);
  CHECK_RESULT (datahub_consumer_read_zone (consumer, 0, &byte, 1, NULL, &err),
      DATAHUB_ERROR_INVALID);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
read_many (CheckParent *parent)
{
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  uint64_t last = 0, last_version = 0, version;
  check_ready (parent);
  while (last < 20000) {
    uint64_t value = read_zone (consumer, &version);
    CHECK_INT (value, >=, last);
    CHECK_INT (version, >=, last_version);
    last = value;
    last_version = version;
  }
  datahub_consumer_close (consumer);
  check_tell (parent->out, 2);
}

static void
coherent (void)
{
  DatahubProducer *producer = zoned_producer ();
  CheckChild child = check_fork_ready (read_many, NULL);
  for (uint64_t value = 1; !check_has_word (child.from); value++)
    write_zone (producer, value);
  CHECK_HEAR (child.from, 2);
  check_join (&child);
  datahub_producer_close (producer);
}

static void
write_for_ever (CheckParent *parent)
{
  DatahubProducer *producer = zoned_producer ();
  write_zone (producer, 1);
  check_ready (parent);
  for (uint64_t value = 2;; value++)
    write_zone (producer, value);
}

/* Killed anywhere, mostly in the middle of a write. */
static void
writer_killed (void)
{
  for (int i = 0; i < 20; i++) {
    CheckChild child = check_fork_ready (write_for_ever, NULL);
    DatahubConsumer *consumer =
        consumer_new ("cam0", false, DATAHUB_START_LATEST);
    uint64_t before = read_zone (consumer, NULL);
    check_kill (&child);
    CHECK_INT (read_zone (consumer, NULL), >=, before);
    datahub_consumer_close (consumer);
  }
}

static const CheckTest tests[] = {
  { "what the producer writes is read, in parts and whole", round_trip },
  { "outside of the zone is refused", outside },
  { "a block without a zone says so", without },
  { "a snapshot is of one version", coherent },
  { "a writer killed half-way leaves the last whole snapshot", writer_killed },
};

CHECK_MAIN (tests)
