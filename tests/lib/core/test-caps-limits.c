/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caps that a consumer is limited to, as the producer sees them. */
#include "fixture.h"

#include <stdio.h>

static DatahubConsumer *
limited_consumer (const char *limits)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.limits = limits;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  return consumer;
}

static DatahubConsumerInfo
only_consumer (DatahubProducer *producer)
{
  DatahubConsumerInfo info;
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 1);
  return info;
}

static void
expect_limits (DatahubProducer *producer, uint64_t id, const char *wanted)
{
  char caps[DATAHUB_LIMITS_MAX] = "?";
  DatahubResult result =
      datahub_producer_get_limits (producer, id, caps, sizeof caps, &err);
  CHECK_INT (err.code, ==, result);
  CHECK_RESULT (result, wanted ? DATAHUB_OK : DATAHUB_ERROR_NOT_FOUND);
  CHECK_STR (caps, wanted ? wanted : "");
}

static void
changed_at_any_time (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = limited_consumer (NULL);
  DatahubConsumerInfo info = only_consumer (producer), before;
  uint32_t seen = 0;
  CHECK_INT (info.limits_sequence, ==, 0);
  expect_limits (producer, info.id, NULL);
  datahub_producer_wait_attention (producer, &seen, 0);
  CHECK_OK (datahub_consumer_set_limits (consumer, "video/x-raw", &err));
  CHECK_OK (datahub_producer_wait_attention (producer, &seen, SOON));
  before = only_consumer (producer);
  CHECK_INT (before.limits_sequence, >, 0);
  expect_limits (producer, info.id, "video/x-raw");
  CHECK_OK (datahub_consumer_set_limits (consumer, "audio/x-raw", &err));
  info = only_consumer (producer);
  CHECK_INT (info.limits_sequence, >, before.limits_sequence);
  expect_limits (producer, info.id, "audio/x-raw");
  CHECK_OK (datahub_consumer_set_limits (consumer, NULL, &err));
  CHECK_INT (only_consumer (producer).limits_sequence, ==, 0);
  expect_limits (producer, info.id, NULL);
  /* a sequence is never the same for two texts, though one was none */
  CHECK_OK (datahub_consumer_set_limits (consumer, "text/plain", &err));
  CHECK_INT (only_consumer (producer).limits_sequence, >, info.limits_sequence);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
all_lengths (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = limited_consumer ("x");
  uint64_t id = only_consumer (producer).id;
  char text[DATAHUB_LIMITS_MAX + 1];
  for (size_t length = 1; length < DATAHUB_LIMITS_MAX; length++) {
    for (size_t i = 0; i < length; i++)
      text[i] = (char) ('a' + (i + length) % 26);
    text[length] = 0;
    CHECK_OK (datahub_consumer_set_limits (consumer, text, &err));
    expect_limits (producer, id, text);
  }
  memset (text, 'x', DATAHUB_LIMITS_MAX);
  text[DATAHUB_LIMITS_MAX] = 0;
  CHECK_RESULT (datahub_consumer_set_limits (consumer, text, &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_CONTAINS (err.message, "2048");
  CHECK_RESULT (datahub_consumer_set_limits (consumer, "", &err),
      DATAHUB_ERROR_INVALID);
  text[DATAHUB_LIMITS_MAX - 1] = 0;
  for (size_t i = 0; i + 1 < DATAHUB_LIMITS_MAX; i++)
    text[i] = (char) ('a' + (i + DATAHUB_LIMITS_MAX - 1) % 26);
  expect_limits (producer, id, text); /* as before the refusals */
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* The producer that lists the consumer finds its limits. */
static void
from_the_start (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = limited_consumer ("video/x-h264");
  DatahubConsumerInfo info = only_consumer (producer);
  CHECK_INT (info.limits_sequence, >, 0);
  expect_limits (producer, info.id, "video/x-h264");
  datahub_consumer_close (consumer);
  expect_limits (producer, info.id, NULL); /* it left */
  consumer = limited_consumer (NULL); /* has the same row */
  CHECK_INT (only_consumer (producer).limits_sequence, ==, 0);
  expect_limits (producer, only_consumer (producer).id, NULL);
  expect_limits (producer, info.id, NULL);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
bad_option (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  char text[DATAHUB_LIMITS_MAX + 1];
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  memset (text, 'x', DATAHUB_LIMITS_MAX);
  text[DATAHUB_LIMITS_MAX] = 0;
  datahub_consumer_options_init (&options);
  options.limits = text;
  CHECK_RESULT (datahub_consumer_attach ("cam0", &options, &consumer, &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK (consumer == NULL);
  datahub_producer_close (producer);
}

static void
small_room (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = limited_consumer ("abcd");
  uint64_t id = only_consumer (producer).id;
  char caps[8] = "zzzzzzz";
  CHECK_RESULT (datahub_producer_get_limits (producer, id, caps, 4, &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_STR (caps, "");
  CHECK_INT (caps[4], ==, 'z');
  CHECK_RESULT (datahub_producer_get_limits (producer, id, caps, 0, &err),
      DATAHUB_ERROR_TOO_BIG);
  CHECK_OK (datahub_producer_get_limits (producer, id, caps, 5, &err));
  CHECK_STR (caps, "abcd");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
no_such_consumer (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = limited_consumer ("abcd");
  uint64_t id = only_consumer (producer).id;
  const uint64_t others[] = { 0, id + 1, id + 256, id - 256, UINT64_MAX,
    id | 0xff };
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    expect_limits (producer, others[i], NULL);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
sets_limits_and_waits (CheckParent *parent)
{
  limited_consumer ("image/png");
  check_ready (parent);
  check_until_killed (parent);
}

static void
of_a_process (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (sets_limits_and_waits, NULL);
  uint64_t id = only_consumer (producer).id;
  expect_limits (producer, id, "image/png");
  DatahubConsumerInfo info;
  check_kill (&child);
  /* the server of a strict block may be about to close its copy of the lock */
  CHECK_UNTIL (datahub_producer_list_consumers (producer, &info, 1) == 0);
  expect_limits (producer, id, NULL);
  DatahubConsumer *consumer = limited_consumer (NULL);
  expect_limits (producer, only_consumer (producer).id, NULL);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
after_a_rejoin (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 10 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  CHECK_OK (datahub_consumer_set_limits (consumer, "video/x-vp8", &err));
  commit_buffers (producer, 0, 40); /* evicts it */
  expect_outcome (consumer, DATAHUB_EVICTED);
  CHECK_OK (datahub_consumer_rejoin (consumer, &err));
  expect_limits (producer, only_consumer (producer).id, "video/x-vp8");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

typedef struct
{
  DatahubConsumer *consumer;
  _Atomic bool stop;
} Changer;

static void *
keeps_changing (void *data)
{
  Changer *changer = data;
  for (uint32_t i = 1; !changer->stop; i++) {
    char text[1024];
    memset (text, 'a' + (char) (i % 26), sizeof text);
    text[30 + i % 990] = 0;
    CHECK_OK (datahub_consumer_set_limits (changer->consumer, text, NULL));
  }
  return NULL;
}

/* A text of two is never seen. */
static void
changed_while_read (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  Changer changer = { .consumer = limited_consumer ("zzz") };
  uint64_t id = only_consumer (producer).id;
  CheckThread *thread = check_thread (keeps_changing, &changer);
  for (uint32_t whole = 0; whole < 3000;) {
    char caps[DATAHUB_LIMITS_MAX];
    DatahubResult result =
        datahub_producer_get_limits (producer, id, caps, sizeof caps, &err);
    if (result == DATAHUB_TIMEOUT) {
      CHECK_STR (caps, "");
      continue;
    }
    CHECK_RESULT (result, DATAHUB_OK);
    size_t length = strlen (caps);
    CHECK_INT (length, >=, 3);
    CHECK_INT (strspn (caps, (char[]){ caps[0], 0 }), ==, length);
    whole++;
  }
  changer.stop = true;
  check_thread_join (thread);
  datahub_consumer_close (changer.consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "limits can be changed and removed", changed_at_any_time },
  { "limits of each length arrive, others are refused", all_lengths },
  { "limits of the options are there when the consumer is", from_the_start },
  { "an attach with limits that do not fit is refused", bad_option },
  { "too little room is refused", small_room },
  { "an id of no consumer has no limits", no_such_consumer },
  { "limits of another process end with it", of_a_process },
  { "limits survive an eviction", after_a_rejoin },
  { "limits that change while they are read are whole or not there",
      changed_while_read },
};
CHECK_MAIN (tests)
