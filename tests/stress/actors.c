/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "actors.h"

#include "lib/core/account.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>

ActorBoard *actor_board;

void
actor_board_make (void)
{
  actor_board = mmap (NULL, sizeof *actor_board, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK (actor_board != MAP_FAILED);
}

void
actor_board_drop (void)
{
  munmap (actor_board, sizeof *actor_board);
}

static void
must (DatahubResult result, const DatahubError *error, const char *what)
{
  if (result != DATAHUB_OK)
    check_fail (__FILE__, __LINE__, "%s: %s: %s", what,
        datahub_result_name (result), error->message);
}

/* The producer. */

static void
produce_some (DatahubProducer *producer, uint64_t epoch, Random *random)
{
  DatahubError error = { 0 };
  Epoch *own = &actor_board->epochs[epoch];
  uint64_t n = atomic_load (&own->committed);
  if (random_below (random, 40) == 0)
    must (random_records_send_caps (producer, epoch, DATAHUB_FOREVER, &error),
        &error, "caps");
  if (random_below (random, 20) == 0)
    must (random_records_send_tags (producer, epoch, DATAHUB_FOREVER, &error),
        &error, "tags");
  uint32_t k = random_below (random, 4) == 0
      ? 1 + random_below (random, RECORDS_MAX_BATCH)
      : 1;
  atomic_store (&own->attempted, n + k);
  must (random_records_send (producer, epoch, n, k, DATAHUB_FOREVER, &error),
      &error, "send");
  atomic_store (&own->committed, n + k);
}

/* After all consumers are gone: everything they held is back. */
static void
check_nothing_held (DatahubProducer *producer, uint64_t epoch, Random *random)
{
  DatahubConsumerInfo info;
  DatahubProducerStats stats;
  for (int i = 0; i < 100; i++)
    produce_some (producer, epoch, random);
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 0);
  datahub_producer_get_stats (producer, &stats);
  CHECK_INT (stats.dropped, ==, 0);
  CHECK_INT (stats.evictions, ==, 0);
  account_check (producer, 0);
  account_check_all_back (producer, 0);
}

static void
keep_rate (const ProducerActor *life)
{
  struct timespec distance = { 0, life->pause_ns };
  nanosleep (&distance, NULL); /* time is the load: a stream of that rate */
}

void
actor_produce (CheckParent *parent)
{
  const ProducerActor *life = parent->data;
  Random random = { life->seed };
  DatahubError error = { 0 };
  DatahubProducerOptions options = life->options;
  DatahubProducer *producer = NULL;
  DatahubProducerStats stats;
  options.adopt = random_below (&random, 8) != 0;
  must (datahub_producer_create (life->channel, &options, &producer, &error),
      &error, "create");
  datahub_producer_get_stats (producer, &stats);
  atomic_store (&actor_board->epochs[life->epoch].base, stats.commits);
  atomic_fetch_add (&actor_board->adoptions, stats.adopted);
  must (random_records_send_caps (producer, life->epoch, DATAHUB_FOREVER,
            &error),
      &error, "first caps");
  must (datahub_producer_publish (producer, &error), &error, "publish");
  uint32_t suicide = life->kills_itself && random_below (&random, 4) == 0
      ? 1 + random_below (&random, 2000)
      : UINT32_MAX;
  for (uint32_t i = 0; !check_has_word (parent->in); i++) {
    if (i == suicide && !atomic_load (&actor_board->stopping)) {
      atomic_fetch_add (&actor_board->suicides, 1);
      random_records_begin_only (producer);
      raise (SIGKILL);
    }
    produce_some (producer, life->epoch, &random);
    if (life->pause_ns)
      keep_rate (life);
  }
  check_nothing_held (producer, life->epoch, &random);
  datahub_producer_close (producer);
}

/* A consumer. */

static DatahubConsumer *
attach (const ConsumerActor *life, Random *random)
{
  DatahubConsumerOptions options;
  DatahubError error = { 0 };
  DatahubConsumer *consumer = NULL;
  datahub_consumer_options_init (&options);
  options.reliable = life->reliable;
  options.start = (DatahubStart) random_below (random, 3);
  options.max_pinned = 1 + random_below (random, 8);
  DatahubResult result =
      datahub_consumer_attach (life->channel, &options, &consumer, &error);
  /* the producer of a strict block may be stopped, or dying, before it answers */
  if (result == DATAHUB_ERROR_NOT_FOUND || result == DATAHUB_TIMEOUT)
    return NULL;
  must (result, &error, "attach");
  atomic_fetch_add (&actor_board->attachments, 1);
  return consumer;
}

static DatahubConsumer *
attach_or_wait (const ConsumerActor *life, Random *random)
{
  DatahubConsumer *consumer = NULL;
  DatahubWatch *watch = datahub_watch_new (life->channel);
  CHECK (watch != NULL);
  while (!atomic_load (&actor_board->stopping)
      && !(consumer = attach (life, random)))
    datahub_watch_wait (watch, 50 * CHECK_MS);
  datahub_watch_free (watch);
  return consumer;
}

/* Its producer closed or died: all that was committed came or is counted. */
static void
check_drained (const RecordReader *reader)
{
  if (!reader->started)
    return;
  const Epoch *epoch = &actor_board->epochs[reader->epoch];
  uint64_t base = atomic_load (&epoch->base);
  CHECK_INT (reader->next, >=, base + atomic_load (&epoch->committed));
  CHECK_INT (reader->next, <=, base + atomic_load (&epoch->attempted));
  atomic_fetch_add (&actor_board->drained, 1);
}

static void
add_up (const RecordReader *reader)
{
  atomic_fetch_add (&actor_board->delivered, reader->received);
  atomic_fetch_add (&actor_board->lost, reader->lost);
  atomic_fetch_add (&actor_board->copies, reader->copies);
}

static DatahubResult
read_one (RecordReader *reader)
{
  uint64_t incarnation = reader->incarnation;
  DatahubResult result = random_records_read (reader, 50 * CHECK_MS);
  if (reader->based)
    CHECK_INT (reader->base, ==,
        atomic_load (&actor_board->epochs[reader->epoch].base));
  if (incarnation && reader->incarnation != incarnation)
    atomic_fetch_add (&actor_board->followed, 1);
  if (result == DATAHUB_PRODUCER_LOST)
    check_drained (reader);
  return result;
}

static void
fail_read (DatahubConsumer *consumer, const ConsumerActor *life,
    DatahubResult result)
{
  DatahubConsumerStats stats;
  datahub_consumer_get_stats (consumer, &stats);
  check_fail (__FILE__, __LINE__,
      "a read of %s, %s: %s; at %llu of %llu, %u slots held, %u granted",
      life->channel, life->reliable ? "reliable" : "live",
      datahub_result_name (result), (unsigned long long) stats.cursor,
      (unsigned long long) stats.head, stats.pinned, stats.quota);
}

/* One attachment; the leases left over at its end outlive it. */
static RecordReader
consume_block (DatahubConsumer *consumer, const ConsumerActor *life,
    Random *random)
{
  RecordReader reader = { .consumer = consumer,
    .reliable = life->reliable,
    .adopts = true,
    .random = random };
  uint32_t stay = !life->stays && random_below (random, 8) == 0
      ? random_below (random, 3000)
      : UINT32_MAX;
  DatahubResult result = DATAHUB_OK;
  for (uint32_t i = 0; i < stay && !atomic_load (&actor_board->stopping); i++) {
    result = read_one (&reader);
    /* Most wait for a successor. */
    if (result == DATAHUB_PRODUCER_LOST
        && (life->stays || random_below (random, 8) != 0))
      continue;
    if (result != DATAHUB_OK && result != DATAHUB_TIMEOUT)
      break;
  }
  if (result == DATAHUB_CLOSED)
    check_drained (&reader);
  else if (result != DATAHUB_OK && result != DATAHUB_TIMEOUT
      && result != DATAHUB_PRODUCER_LOST)
    fail_read (consumer, life, result);
  random_records_check_counts (&reader);
  add_up (&reader);
  datahub_consumer_close (consumer);
  return reader;
}

void
actor_consume (CheckParent *parent)
{
  const ConsumerActor *life = parent->data;
  Random random = { life->seed };
  RecordReader before = { .random = &random };
  for (;;) {
    DatahubConsumer *consumer = attach_or_wait (life, &random);
    if (!consumer)
      break;
    RecordReader reader = consume_block (consumer, life, &random);
    random_records_release_all (&before);
    before = reader;
  }
  random_records_release_all (&before);
}
