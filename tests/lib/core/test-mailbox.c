/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events that consumers post to the producer. */
#include "fixture.h"

#include <stdio.h>

typedef struct
{
  DatahubResult result;
  uint64_t id;
  uint64_t size;
  char bytes[DATAHUB_UPSTREAM_EVENT_MAX];
} Taken;

static Taken
take (DatahubProducer *producer)
{
  Taken taken = { .size = sizeof taken.bytes };
  taken.result = datahub_producer_take_event (producer, &taken.id, taken.bytes,
      &taken.size, &err);
  CHECK_INT (err.code, ==, taken.result);
  return taken;
}

static void
post (DatahubConsumer *consumer, const char *text)
{
  CHECK_OK (datahub_consumer_post_event (consumer, text, strlen (text) + 1,
      &err));
}

static void
expect_none (DatahubProducer *producer)
{
  CHECK_RESULT (take (producer).result, DATAHUB_TIMEOUT);
}

static uint64_t
expect_event_of_some (DatahubProducer *producer, const char *text)
{
  Taken taken = take (producer);
  CHECK_RESULT (taken.result, DATAHUB_OK);
  CHECK_INT (taken.size, ==, strlen (text) + 1);
  CHECK_STR (taken.bytes, text);
  return taken.id;
}

static uint64_t
id_of (DatahubProducer *producer, const char *name)
{
  DatahubConsumerInfo infos[16];
  uint32_t n = datahub_producer_list_consumers (producer, infos, 16);
  for (uint32_t i = 0; i < n; i++)
    if (strcmp (infos[i].name, name) == 0)
      return infos[i].id;
  check_fail (__FILE__, __LINE__, "no consumer \"%s\"", name);
}

static DatahubConsumer *
named_consumer (const char *name)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.name = name;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  return consumer;
}

static void
one_event (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = named_consumer ("viewer");
  uint32_t seen = 0;
  datahub_producer_wait_attention (producer, &seen, 0);
  expect_none (producer);
  post (consumer, "seek");
  CHECK_OK (datahub_producer_wait_attention (producer, &seen, SOON));
  CHECK_INT (expect_event_of_some (producer, "seek"), ==,
      id_of (producer, "viewer"));
  expect_none (producer); /* taken is taken */
  post (consumer, "click");
  expect_event_of_some (producer, "click");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Every size, every byte. */
static void
all_sizes (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = named_consumer ("viewer");
  uint8_t bytes[DATAHUB_UPSTREAM_EVENT_MAX];
  for (uint64_t size = 1; size <= sizeof bytes; size++) {
    Taken taken;
    for (uint64_t i = 0; i < size; i++)
      bytes[i] = (uint8_t) (i * 7 + size);
    CHECK_OK (datahub_consumer_post_event (consumer, bytes, size, &err));
    taken = take (producer);
    CHECK_RESULT (taken.result, DATAHUB_OK);
    CHECK_INT (taken.size, ==, size);
    CHECK (memcmp (taken.bytes, bytes, size) == 0);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
bad_sizes (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = named_consumer ("viewer");
  uint8_t bytes[DATAHUB_UPSTREAM_EVENT_MAX + 1] = { 0 };
  CHECK_RESULT (datahub_consumer_post_event (consumer, bytes, 0, &err),
      DATAHUB_ERROR_INVALID);
  CHECK_RESULT (datahub_consumer_post_event (consumer, bytes, sizeof bytes,
                    &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_CONTAINS (err.message, "1025");
  CHECK_RESULT (datahub_consumer_post_event (consumer, bytes, UINT64_MAX, &err),
      DATAHUB_ERROR_TOO_BIG);
  expect_none (producer);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* One that does not fit into the room of the caller stays. */
static void
small_room (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = named_consumer ("viewer");
  char bytes[8] = "...";
  uint64_t id, size = 4;
  post (consumer, "click");
  CHECK_RESULT (datahub_producer_take_event (producer, &id, bytes, &size, &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_INT (size, ==, 6);
  CHECK_STR (bytes, "...");
  CHECK_OK (datahub_producer_take_event (producer, &id, bytes, &size, &err));
  CHECK_STR (bytes, "click");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
full (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = named_consumer ("viewer");
  post (consumer, "first");
  for (int i = 0; i < 3; i++)
    CHECK_RESULT (datahub_consumer_post_event (consumer, "x", 2, &err),
        DATAHUB_ERROR_FULL);
  expect_event_of_some (producer, "first");
  post (consumer, "second");
  expect_event_of_some (producer, "second");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Consumers that always have the next one ready: each has its turn. */
static void
fair (void)
{
  static const char *const names[] = { "a", "b", "c", "d" };
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumers[4];
  uint64_t ids[4];
  for (int i = 0; i < 4; i++) {
    consumers[i] = named_consumer (names[i]);
    ids[i] = id_of (producer, names[i]);
    post (consumers[i], names[i]);
  }
  for (int i = 0; i < 40; i++) {
    CHECK_INT (expect_event_of_some (producer, names[i % 4]), ==, ids[i % 4]);
    post (consumers[i % 4], names[i % 4]);
  }
  for (int i = 0; i < 4; i++)
    datahub_consumer_close (consumers[i]);
  datahub_producer_close (producer);
}

static void
posts_and_waits (CheckParent *parent)
{
  DatahubConsumer *consumer = named_consumer (parent->data);
  post (consumer, parent->data);
  check_ready (parent);
  check_until_killed (parent);
}

/* The event is lost, and does not become one of the next owner of the row. */
static void
dead_before_it_is_taken (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (posts_and_waits, "dead");
  DatahubConsumerInfo info;
  check_kill (&child);
  /* the server of a strict block may be about to close its copy of the lock */
  CHECK_UNTIL (datahub_producer_list_consumers (producer, &info, 1) == 0);
  expect_none (producer);
  DatahubConsumer *consumer = named_consumer ("alive");
  expect_none (producer);
  post (consumer, "mine");
  CHECK_INT (expect_event_of_some (producer, "mine"), ==,
      id_of (producer, "alive"));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
gone_before_it_is_taken (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = named_consumer ("viewer");
  post (consumer, "late");
  datahub_consumer_close (consumer);
  expect_none (producer);
  consumer = named_consumer ("other");
  expect_none (producer);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
of_a_process (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (posts_and_waits, "afar");
  CHECK_INT (expect_event_of_some (producer, "afar"), ==,
      id_of (producer, "afar"));
  check_kill (&child);
  datahub_producer_close (producer);
}

/* Eviction takes nothing away: the consumer is still there. */
static void
after_a_rejoin (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 10 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  post (consumer, "before");
  commit_buffers (producer, 0, 40); /* evicts it */
  expect_outcome (consumer, DATAHUB_EVICTED);
  CHECK_OK (datahub_consumer_rejoin (consumer, &err));
  expect_event_of_some (producer, "before");
  post (consumer, "after");
  expect_event_of_some (producer, "after");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

typedef struct
{
  DatahubConsumer *consumer;
  uint32_t n;
} Poster;

#define N_POSTS 2000

static void *
keeps_posting (void *data)
{
  Poster *poster = data;
  for (uint32_t i = 0; i < N_POSTS; i++) {
    uint32_t words[200];
    DatahubResult result;
    for (int w = 0; w < 200; w++)
      words[w] = i;
    do
      result = datahub_consumer_post_event (poster->consumer, words,
          4 + i % 797, NULL);
    while (result == DATAHUB_ERROR_FULL);
    CHECK_RESULT (result, DATAHUB_OK);
  }
  return NULL;
}

/* In order, none twice, none missing, none mixed of two. */
static void
many_in_order (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  Poster poster = { .consumer = named_consumer ("viewer") };
  CheckThread *thread = check_thread (keeps_posting, &poster);
  for (uint32_t i = 0; i < N_POSTS;) {
    Taken taken = take (producer);
    if (taken.result == DATAHUB_TIMEOUT)
      continue;
    CHECK_RESULT (taken.result, DATAHUB_OK);
    CHECK_INT (taken.size, ==, 4 + i % 797);
    for (uint64_t b = 0; b < taken.size; b++)
      CHECK_INT ((uint8_t) taken.bytes[b], ==, (i >> (b % 4 * 8) & 0xff));
    i++;
  }
  check_thread_join (thread);
  expect_none (producer);
  datahub_consumer_close (poster.consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "an event reaches the producer once", one_event },
  { "an event of each size arrives byte by byte", all_sizes },
  { "an event of 0 bytes or more than fit is refused", bad_sizes },
  { "an event stays if the caller has too little room", small_room },
  { "a second event is refused until the first is taken", full },
  { "each consumer has its turn", fair },
  { "an event of a dead consumer is not delivered, nor from its row",
      dead_before_it_is_taken },
  { "an event of a consumer that left is not delivered",
      gone_before_it_is_taken },
  { "an event of another process is delivered", of_a_process },
  { "an event survives an eviction", after_a_rejoin },
  { "many events arrive in order, none twice", many_in_order },
};
CHECK_MAIN (tests)
