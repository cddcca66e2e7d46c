/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consumers that keep all that they may have, in every shortage: no buffer is lost, each
 * has its number and its bytes, and what cannot be lent is copied. */
#include "memory-need.h"
#include "strict-requests.h"

#include <stdlib.h>
#include <unistd.h>

#define MANY 128
#define SMALL UINT64_C (65536)
#define KEPT_MAX 256

/* A consumer and what it keeps, each with its number as offset. */
typedef struct
{
  DatahubConsumer *consumer;
  DatahubView kept[KEPT_MAX];
  uint32_t n, n_copies;
} Keeper;

static Keeper *
keepers_new (uint32_t n)
{
  Keeper *keepers = calloc (n, sizeof *keepers);
  CHECK (keepers != NULL);
  for (uint32_t i = 0; i < n; i++)
    keepers[i].consumer = consumer_new_quota ("cam0", false, 0);
  return keepers;
}

/* Reads the next buffer, which must be number @i, and keeps it if that is allowed. */
static void
keep (Keeper *keeper, uint64_t i)
{
  DatahubView view = read_record (keeper->consumer);
  CHECK_INT (view.lost, ==, 0);
  check_buffer (&view, i, 1000);
  keeper->n_copies += view.must_copy;
  if (view.must_copy || keeper->n == KEPT_MAX)
    datahub_consumer_end_read (keeper->consumer, &view);
  else
    keeper->kept[keeper->n++] = view;
}

/* What was kept has still the bytes that it had. */
static uint32_t
keepers_free (Keeper *keepers, uint32_t n)
{
  uint32_t n_copies = 0;
  for (uint32_t i = 0; i < n; i++) {
    Keeper *keeper = &keepers[i];
    for (uint32_t k = 0; k < keeper->n; k++) {
      check_buffer (&keeper->kept[k], keeper->kept[k].offset, 1000);
      datahub_consumer_end_read (keeper->consumer, &keeper->kept[k]);
    }
    n_copies += keeper->n_copies;
    datahub_consumer_close (keeper->consumer);
  }
  free (keepers);
  return n_copies;
}

/* Each keeps what it may of a stream. */
static void
keep_all (DatahubProducer *producer, Keeper *keepers, uint32_t n,
    uint32_t n_buffers)
{
  for (uint64_t i = 0; i < n_buffers; i++) {
    CHECK_OK (try_commit (producer, i, 1000, 0));
    for (uint32_t k = 0; k < n; k++)
      keep (&keepers[k], i);
  }
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
}

static DatahubProducer *
bounded (uint64_t size, uint64_t max_bytes)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = size;
  options.max_bytes = max_bytes;
  options.strict = is_strict_run ();
  return producer_new ("cam0", &options);
}

/* As many as there may be, of a block that is soon as big as it may get. */
static void
as_many_as_there_may_be (void)
{
  uint64_t max_bytes = 16 * MIB;
  DatahubProducer *producer = bounded (SMALL, max_bytes);
  Keeper *keepers = keepers_new (MANY);
  Service service;
  start_service (&service, producer);
  keep_all (producer, keepers, MANY, 80);
  CHECK_INT (keepers_free (keepers, MANY), >, 0);
  CHECK_INT (producer_stats (producer).bytes_used, <=, max_bytes);
  stop_service (&service);
  datahub_producer_close (producer);
}

/* Each next buffer is kept by another one, so together they keep the most. */
static void
each_another_buffer (void)
{
  enum
  {
    BUFFERS = 400
  };
  uint64_t max_bytes = 16 * MIB;
  DatahubProducer *producer = bounded (SMALL, max_bytes);
  Keeper *keepers = keepers_new (MANY);
  Service service;
  start_service (&service, producer);
  for (uint64_t i = 0; i < BUFFERS; i++) {
    commit_buffer (producer, i, 1000);
    for (uint32_t k = 0; k < MANY; k++)
      if (k == i % MANY) {
        keep (&keepers[k], i);
      } else {
        DatahubView view = read_record (keepers[k].consumer);
        CHECK_INT (view.lost, ==, 0);
        datahub_consumer_end_read (keepers[k].consumer, &view);
      }
  }
  stop_service (&service);
  keepers_free (keepers, MANY);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  CHECK_INT (producer_stats (producer).bytes_used, <=, max_bytes);
  datahub_producer_close (producer);
}

/* Another program takes the space while a pool is made: what the pool has already goes
 * back. */
static void
space_goes_while_it_grows (void)
{
  uint64_t before;
  DatahubProducer *producer = camera (PICTURE);
  Keeper *keepers = keepers_new (4);
  Service service;
  uint64_t other = bytes_in_the_making ();
  before = producer_stats (producer).bytes_used;
  start_service (&service, producer);
  pieces_left = 1;
  keep_all (producer, keepers, 4, 60);
  CHECK_INT (keepers_free (keepers, 4), >, 0);
  CHECK_INT (pieces_left, ==, 0);
  CHECK_INT (growths (producer), ==, 0);
  stop_service (&service);
  CHECK_INT (producer_stats (producer).bytes_used, ==, before);
  if (!is_strict_run ())
    CHECK_INT (bytes_in_the_making (), ==, other);
  pieces_left = UINT32_MAX;
  datahub_producer_close (producer);
}

/* The bytes of a block of pictures that grew once. */
static uint64_t
bytes_after_a_growth (void)
{
  DatahubProducer *producer = camera (PICTURE);
  Loans loans = { .n = 0 };
  uint64_t bytes;
  borrow (producer, &loans, FIRST_SLOTS + 1);
  CHECK_INT (growths (producer), ==, 1);
  bytes = producer_stats (producer).bytes_used;
  give_back (producer, &loans);
  datahub_producer_close (producer);
  return bytes;
}

static void
max_bytes_is_met_or_missed (void)
{
  uint64_t met_bytes = bytes_after_a_growth ();
  /* a page more or less is a slot more or less of the second pool */
  const uint64_t limits[] = { met_bytes, met_bytes - 1, met_bytes - PICTURE,
    met_bytes + 1 };
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    DatahubProducer *producer = bounded (PICTURE, limits[i]);
    Keeper *keepers = keepers_new (3);
    Service service;
    start_service (&service, producer);
    keep_all (producer, keepers, 3, 60);
    CHECK_INT (keepers_free (keepers, 3), >, 0);
    CHECK_INT (producer_stats (producer).bytes_used, <=, limits[i]);
    stop_service (&service);
    datahub_producer_close (producer);
  }
}

/* A process that keeps all it may, and then writes a word. */
static void
keeps_and_waits (CheckParent *parent)
{
  static Keeper keeper;
  uint64_t i = 0;
  keeper.consumer = consumer_new_quota ("cam0", false, 0);
  check_ready (parent);
  while (!keeper.n_copies && keeper.n < KEPT_MAX)
    keep (&keeper, i++);
  check_tell (parent->out, 1);
  check_until_killed (parent);
}

/* Until both children have kept what they may. A camera: each sees every buffer. */
static uint64_t
until_both_keep (DatahubProducer *producer, DatahubConsumer *other,
    const CheckChild *children)
{
  uint64_t start = check_now_ns (), i = 0;
  while (!check_has_word (children[0].from)
      || !check_has_word (children[1].from)) {
    commit_buffer (producer, i, 1000);
    expect_buffer (other, i++, 1000);
    CHECK_INT (check_now_ns () - start, <, (uint64_t) SOON);
    usleep (1000); /* time is the load: the interval of a camera */
  }
  return i;
}

/* Stopped, two keep what they have, and take no buffer from another one; killed, they
 * give all back, also the memory that was added for them. */
static void
stopped_and_killed (void)
{
  DatahubProducer *producer = camera (PICTURE);
  CheckChild children[2] = { check_fork_ready (keeps_and_waits, NULL),
    check_fork_ready (keeps_and_waits, NULL) };
  DatahubConsumer *other = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  uint64_t before = producer_stats (producer).bytes_used, start, i, end;
  Service service;
  start_service (&service, producer);
  i = until_both_keep (producer, other, children);
  for (int k = 0; k < 2; k++)
    check_stop (&children[k]);
  for (end = i + 100; i < end; i++) {
    commit_buffer (producer, i, 1000);
    expect_buffer (other, i, 1000);
  }
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  CHECK_UNTIL (growths (producer) > 0);
  for (int k = 0; k < 2; k++)
    check_kill (&children[k]);
  start = check_now_ns ();
  while (producer_stats (producer).bytes_used > before) {
    later += LONG;
    commit_buffer (producer, i, 1000);
    expect_buffer (other, i++, 1000);
    CHECK_INT (check_now_ns () - start, <, (uint64_t) SOON);
  }
  stop_service (&service);
  CHECK_INT (consumer_stats (other).lost, ==, 0);
  datahub_consumer_close (other);
  datahub_producer_close (producer);
}

/* A guest of a strict block that reads no message of the server: the pools that it is
 * sent wait in its socket, and no other thread or process does. */
static void
guest_that_does_not_read (void)
{
  DatahubProducer *producer;
  StrictRequest guest;
  StrictHello hello;
  DatahubConsumer *consumer;
  Service service;
  if (!is_strict_run ())
    check_skip ("a block with a name has no socket");
  producer = bounded (SMALL, 0);
  hello = strict_request_greeting (datahub_producer_get_uuid (producer));
  guest = strict_request_call (datahub_producer_get_uuid (producer), &hello,
      sizeof hello);
  CHECK_INT (guest.answer.status, ==, STRICT_GRANTED);
  consumer = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  start_service (&service, producer);
  for (uint64_t i = 0; i < 400; i++) {
    uint64_t size = 1000 + i * i * 40; /* and bigger: pool after pool */
    commit_buffer (producer, i, size);
    expect_buffer (consumer, i, size);
  }
  CHECK_INT (growths (producer), >, 5);
  stop_service (&service);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
  strict_request_leave (&guest);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "128 consumers keep all they may of a block of 16 MiB",
      as_many_as_there_may_be },
  { "128 consumers keep each another buffer of it", each_another_buffer },
  { "shared memory is filled while the block grows",
      space_goes_while_it_grows },
  { "max-bytes is just met, and just missed", max_bytes_is_met_or_missed },
  { "two that are stopped cost no buffer; killed, they give all back",
      stopped_and_killed },
  { "a guest that does not read what it is sent stops no growth",
      guest_that_does_not_read },
};

CHECK_MAIN (tests)
