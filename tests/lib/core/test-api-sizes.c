/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library accepts structures of other sizes than its own, and its version can
 * be compared. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUARD 0xa5
#define SIZE_WITH(type, member)                                                \
  (offsetof (type, member) + sizeof (((type *) 0)->member))

/* ---- versions ---- */

static void
versions (void)
{
  char text[32];
  uint32_t number = datahub_version_number ();
  snprintf (text, sizeof text, "%u.%u.%u", number / 1000000,
      number / 1000 % 1000, number % 1000);
  CHECK_STR (datahub_version (), text);
  CHECK_STR (DATAHUB_VERSION, text);
  CHECK_INT (number, ==, DATAHUB_VERSION_NUMBER);
  CHECK_INT (number, ==,
      DATAHUB_VERSION_MAJOR * 1000000 + DATAHUB_VERSION_MINOR * 1000
          + DATAHUB_VERSION_MICRO);
  CHECK (DATAHUB_CHECK_VERSION (DATAHUB_VERSION_MAJOR, DATAHUB_VERSION_MINOR,
      DATAHUB_VERSION_MICRO));
  CHECK (!DATAHUB_CHECK_VERSION (DATAHUB_VERSION_MAJOR, DATAHUB_VERSION_MINOR,
      DATAHUB_VERSION_MICRO + 1));
  CHECK (!DATAHUB_CHECK_VERSION (DATAHUB_VERSION_MAJOR,
      DATAHUB_VERSION_MINOR + 1, 0));
  CHECK (DATAHUB_CHECK_VERSION (0, 0, 999));
}

/* ---- structures that the caller fills in ---- */

static DatahubProducer *producer;
static DatahubConsumer *consumer;
static DatahubSlot slot;

static void
set_up (void)
{
  producer = producer_new ("cam0", NULL);
  consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
}

static void
tear_down (void)
{
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static DatahubResult
try_create (const void *options)
{
  DatahubProducer *made = NULL;
  DatahubResult result = datahub_producer_create ("cam1", options, &made, &err);
  CHECK ((made != NULL) == (result == DATAHUB_OK));
  datahub_producer_close (made);
  return result;
}

static DatahubResult
try_attach (const void *options)
{
  DatahubConsumer *made = NULL;
  DatahubResult result = datahub_consumer_attach ("cam0", options, &made, &err);
  CHECK ((made != NULL) == (result == DATAHUB_OK));
  datahub_consumer_close (made);
  return result;
}

static DatahubResult
try_record (const void *record)
{
  return datahub_producer_commit (producer, record, 0, NULL, &err);
}

static DatahubResult
try_release (const void *thing)
{
  return datahub_block_release ("cam0", thing, &err);
}

static void
init_options (void *options, size_t size)
{
  datahub_producer_options_init_sized (options, size);
  ((DatahubProducerOptions *) options)->slot_size = 1000;
}

static void
init_consumer (void *options, size_t size)
{
  datahub_consumer_options_init_sized (options, size);
}

static void
init_record (void *record, size_t size)
{
  datahub_commit_init_sized (record, size, DATAHUB_RECORD_GAP);
}

static void
init_thing (void *thing, size_t size)
{
  datahub_held_thing_init_sized (thing, size, DATAHUB_HELD_ROW);
}

/* A row that lives: the only thing of the block that can be named. */
static const struct
{
  const char *type, *init_name;
  void (*init) (void *given, size_t size);
  DatahubResult (*call) (const void *given);
  DatahubResult accepted;
  size_t size, least;
} given_types[] = {
  { "DatahubProducerOptions", "datahub_producer_options_init", init_options,
      try_create, DATAHUB_OK, sizeof (DatahubProducerOptions),
      SIZE_WITH (DatahubProducerOptions, slot_size) },
  { "DatahubConsumerOptions", "datahub_consumer_options_init", init_consumer,
      try_attach, DATAHUB_OK, sizeof (DatahubConsumerOptions),
      sizeof (size_t) },
  { "DatahubCommit", "datahub_commit_init", init_record, try_record, DATAHUB_OK,
      sizeof (DatahubCommit), SIZE_WITH (DatahubCommit, memories) },
  { "DatahubHeldThing", "datahub_held_thing_init", init_thing, try_release,
      DATAHUB_ERROR_BUSY, sizeof (DatahubHeldThing),
      SIZE_WITH (DatahubHeldThing, holder) },
};
#define N_GIVEN (sizeof given_types / sizeof given_types[0])
#define ROOM 512

static void
check_guard (const uint8_t *bytes, size_t from, size_t until)
{
  for (size_t i = from; i < until; i++)
    CHECK_INT (bytes[i], ==, GUARD);
}

/* Bytes behind a smaller structure are neither written nor read. */
static void
smaller_structures (void)
{
  set_up ();
  for (size_t i = 0; i < N_GIVEN; i++)
    for (size_t size = given_types[i].least; size <= given_types[i].size;
         size += sizeof (size_t)) {
      _Alignas(uint64_t) uint8_t given[ROOM];
      memset (given, GUARD, sizeof given);
      given_types[i].init (given, size);
      check_guard (given, size, sizeof given);
      CHECK_RESULT (given_types[i].call (given), given_types[i].accepted);
      check_guard (given, size, sizeof given);
    }
  tear_down ();
}

static void
refused_structures (void)
{
  set_up ();
  for (size_t i = 0; i < N_GIVEN; i++) {
    const size_t sizes[] = { 0, 1, given_types[i].least - sizeof (size_t),
      given_types[i].least + 1, given_types[i].size + sizeof (size_t),
      SIZE_MAX };
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
      _Alignas(uint64_t) uint8_t given[ROOM];
      char number[32];
      given_types[i].init (given, given_types[i].size);
      memcpy (given, &sizes[k], sizeof sizes[k]);
      CHECK_RESULT (given_types[i].call (given), DATAHUB_ERROR_INVALID);
      snprintf (number, sizeof number, "%zu", sizes[k]);
      CHECK_CONTAINS (err.message, given_types[i].type);
      CHECK_CONTAINS (err.message, "is not initialised");
      CHECK_CONTAINS (err.message, number);
      CHECK_CONTAINS (err.message, given_types[i].init_name);
    }
    if (given_types[i].call == try_attach)
      continue; /* NULL means the defaults there */
    CHECK_RESULT (given_types[i].call (NULL), DATAHUB_ERROR_INVALID);
    CHECK_CONTAINS (err.message, given_types[i].init_name);
  }
  CHECK_INT (producer_stats (producer).records, ==, 0);
  tear_down ();
}

static void
defaults_of_smaller_options (void)
{
  _Alignas(uint64_t) uint8_t given[ROOM];
  DatahubProducerOptions options;
  DatahubProducer *made[2];
  memset (given, GUARD, sizeof given);
  init_options (given, SIZE_WITH (DatahubProducerOptions, slot_size));
  init_options (&options, sizeof options);
  CHECK_OK (datahub_producer_create ("cam1", (void *) given, &made[0], &err));
  CHECK_OK (datahub_producer_create ("cam2", &options, &made[1], &err));
  DatahubProducerStats smaller = producer_stats (made[0]);
  DatahubProducerStats whole = producer_stats (made[1]);
  CHECK (memcmp (&smaller, &whole, sizeof whole) == 0);
  datahub_producer_close (made[0]);
  datahub_producer_close (made[1]);
}

/* The memories, without the metas and `release`, which come later. */
static void
fill_small_record (uint8_t *given, uint64_t seed)
{
  DatahubCommit record;
  size_t size = SIZE_WITH (DatahubCommit, memories);
  fill_slot (producer, seed, 100, &slot);
  record = buffer_record (&slot, seed, 100);
  record.struct_size = size;
  memcpy (given, &record, size);
}

static void
smaller_record (void)
{
  _Alignas(uint64_t) uint8_t given[ROOM];
  DatahubView view;
  set_up ();
  memset (given, GUARD, sizeof given);
  fill_small_record (given, 3);
  CHECK_OK (datahub_producer_commit (producer, (void *) given, 0, NULL, &err));
  datahub_producer_abort (producer, &slot); /* the loan was not released */
  view = read_record (consumer);
  check_buffer (&view, 3, 100);
  CHECK_INT (view.meta_size, ==, 0);
  datahub_consumer_end_read (consumer, &view);
  tear_down ();
}

static void
smaller_records_in_a_batch (void)
{
  enum
  {
    STRIDE = SIZE_WITH (DatahubCommit, memories),
    N = 3
  };
  _Alignas(uint64_t) uint8_t given[N * STRIDE];
  DatahubSlot slots[N];
  size_t other = sizeof (DatahubCommit);
  set_up ();
  for (uint32_t i = 0; i < N; i++) {
    DatahubCommit record;
    fill_slot (producer, i, 100, &slots[i]);
    record = buffer_record (&slots[i], i, 100);
    record.struct_size = STRIDE;
    memcpy (given + i * STRIDE, &record, STRIDE);
  }
  CHECK_OK (datahub_producer_commit_batch (producer, (void *) given, N, 0, NULL,
      &err));
  for (uint32_t i = 0; i < N; i++)
    datahub_producer_abort (producer, &slots[i]);
  expect_buffer (consumer, 0, 100);
  expect_buffer (consumer, 1, 100);
  expect_buffer (consumer, 2, 100);
  memcpy (given + STRIDE, &other, sizeof other);
  CHECK_RESULT (datahub_producer_commit_batch (producer, (void *) given, N, 0,
                    NULL, &err),
      DATAHUB_ERROR_INVALID);
  CHECK_CONTAINS (err.message, "different sizes");
  CHECK_INT (producer_stats (producer).records, ==, N);
  tear_down ();
}

/* ---- structures that the library fills in ---- */

static void
fill_producer_stats (void *given, size_t size)
{
  datahub_producer_get_stats_sized (producer, given, size);
}

static void
fill_consumer_stats (void *given, size_t size)
{
  datahub_consumer_get_stats_sized (consumer, given, size);
}

static void
fill_producer_indices (void *given, size_t size)
{
  datahub_producer_get_indices_sized (producer, given, size);
}

static void
fill_consumer_indices (void *given, size_t size)
{
  datahub_consumer_get_indices_sized (consumer, given, size);
}

static void
fill_glance (void *given, size_t size)
{
  CHECK_OK (datahub_block_glance_sized ("cam0", given, size, &err));
}

static void
fill_report (void *given, size_t size)
{
  CHECK_OK (datahub_block_validate_sized ("cam0", 0, NULL, NULL, given, size,
      &err));
}

static const struct
{
  void (*fill) (void *given, size_t size);
  size_t size;
} filled_types[] = {
  { fill_producer_stats, sizeof (DatahubProducerStats) },
  { fill_consumer_stats, sizeof (DatahubConsumerStats) },
  { fill_producer_indices, sizeof (DatahubIndices) },
  { fill_consumer_indices, sizeof (DatahubIndices) },
  { fill_glance, sizeof (DatahubBlockGlance) },
  { fill_report, sizeof (DatahubIntegrityReport) },
};

static void
sizes_of_filled_structures (void)
{
  set_up ();
  commit_buffers (producer, 0, 2);
  for (size_t i = 0; i < sizeof filled_types / sizeof filled_types[0]; i++) {
    _Alignas(uint64_t) uint8_t whole[ROOM], given[ROOM];
    size_t size = filled_types[i].size;
    memset (whole, GUARD, sizeof whole);
    filled_types[i].fill (whole, size);
    check_guard (whole, size, sizeof whole);
    for (size_t smaller = 0; smaller < size; smaller += sizeof (uint32_t)) {
      memset (given, GUARD, sizeof given);
      filled_types[i].fill (given, smaller);
      CHECK (memcmp (given, whole, smaller) == 0);
      check_guard (given, smaller, sizeof given);
    }
    memset (given, GUARD, sizeof given);
    filled_types[i].fill (given, size + 16);
    CHECK (memcmp (given, whole, size) == 0);
    for (size_t k = size; k < size + 16; k++)
      CHECK_INT (given[k], ==, 0);
    check_guard (given, size + 16, sizeof given);
  }
  tear_down ();
}

static void
sizes_of_block_info (void)
{
  struct
  {
    DatahubBlockInfo info;
    uint8_t more[16];
  } given;
  set_up ();
  memset (&given, GUARD, sizeof given);
  CHECK_OK (datahub_block_inspect_sized ("cam0", &given.info,
      offsetof (DatahubBlockInfo, state), &err));
  CHECK_STR (given.info.channel, "cam0");
  check_guard ((uint8_t *) &given, offsetof (DatahubBlockInfo, state),
      sizeof given);
  memset (&given, GUARD, sizeof given);
  CHECK_OK (datahub_block_inspect_sized ("cam0", &given.info, sizeof given,
      &err));
  CHECK_INT (given.info.slots, ==, 16);
  for (size_t i = 0; i < sizeof given.more; i++)
    CHECK_INT (given.more[i], ==, 0);
  tear_down ();
}

static const CheckTest tests[] = {
  { "the version of the headers is that of the library", versions },
  { "smaller structures are accepted, bytes behind them are left alone",
      smaller_structures },
  { "structures of no version are refused with the function to call",
      refused_structures },
  { "members that smaller options lack have their defaults",
      defaults_of_smaller_options },
  { "a smaller record is committed without its later members", smaller_record },
  { "smaller records are found in a batch, mixed sizes are refused",
      smaller_records_in_a_batch },
  { "the library writes as many bytes as the caller's structure has",
      sizes_of_filled_structures },
  { "a block is described in as many bytes as there are", sizes_of_block_info },
};
CHECK_MAIN (tests)
