/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producer and consumers as threads of one process, for ThreadSanitizer: with
 * the build option shared-mappings they share one mapping, so that it sees both
 * sides. Joins, leaves, leases ended elsewhere, interrupts and statistics go on
 * beside the traffic. */
#include "random-records.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL "threads"
#define N_CONSUMERS 4

typedef struct
{
  DatahubProducer *producer;
  _Atomic uint64_t committed;
  _Atomic bool stopping;
  uint64_t target;
} ScenarioRun;

typedef struct
{
  ScenarioRun *run;
  uint32_t index;
  uint64_t received, lost;
} Actor;

static uint64_t
target (void)
{
  const char *text = getenv ("DATAHUB_STRESS_BUFFERS");
  return text ? strtoull (text, NULL, 0) : 100000;
}

static void
must (DatahubResult result, const DatahubError *error, const char *what)
{
  if (result != DATAHUB_OK)
    check_fail (__FILE__, __LINE__, "%s: %s: %s", what,
        datahub_result_name (result), error->message);
}

static void *
produce (void *data)
{
  ScenarioRun *run = data;
  DatahubError error = { 0 };
  Random random = { 11 };
  uint64_t n = 0;
  while (n < run->target) {
    uint32_t k = 1 + random_below (&random, RECORDS_MAX_BATCH);
    DatahubResult result =
        random_records_send (run->producer, 1, n, k, DATAHUB_FOREVER, &error);
    if (result == DATAHUB_INTERRUPTED) {
      /* Somebody flushes, and gets on meanwhile; then the same buffers. */
      sched_yield ();
      continue;
    }
    must (result, &error, "send");
    n += k;
    atomic_store (&run->committed, n);
    if (random_below (&random, 50) == 0) {
      result =
          random_records_send_caps (run->producer, 1, DATAHUB_FOREVER, &error);
      CHECK (result == DATAHUB_OK || result == DATAHUB_INTERRUPTED);
    }
  }
  return NULL;
}

static DatahubConsumer *
attach (bool reliable, uint32_t max_pinned)
{
  DatahubConsumerOptions options;
  DatahubError error = { 0 };
  DatahubConsumer *consumer = NULL;
  datahub_consumer_options_init (&options);
  options.reliable = reliable;
  options.max_pinned = max_pinned;
  options.start = DATAHUB_START_OLDEST;
  must (datahub_consumer_attach (CHANNEL, &options, &consumer, &error), &error,
      "attach");
  return consumer;
}

/* Stays from the first buffer to the close; reliable ones lose nothing. */
static void *
consume_all (void *data)
{
  Actor *actor = data;
  Random random = { actor->index };
  bool reliable = actor->index % 2;
  RecordReader reader = { .consumer = attach (reliable, 6),
    .reliable = reliable,
    .random = &random };
  DatahubResult result;
  while ((result = random_records_read (&reader, DATAHUB_FOREVER)) == DATAHUB_OK
      || result == DATAHUB_INTERRUPTED)
    ;
  CHECK_INT (result, ==, DATAHUB_CLOSED);
  random_records_check_counts (&reader);
  actor->received = reader.received;
  actor->lost = reader.lost;
  datahub_consumer_close (reader.consumer);
  random_records_release_all (&reader);
  return NULL;
}

/* Joins and leaves all the time. */
static void *
consume_bits (void *data)
{
  Actor *actor = data;
  Random random = { actor->index };
  for (bool reliable = true; !atomic_load (&actor->run->stopping);
       reliable = !reliable) {
    RecordReader reader = { .consumer = attach (reliable, 3),
      .reliable = reliable,
      .random = &random };
    for (uint32_t i = random_below (&random, 200); i > 0; i--) {
      DatahubResult result = random_records_read (&reader, 20 * CHECK_MS);
      CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT);
    }
    datahub_consumer_request (reader.consumer, DATAHUB_REQUEST_KEYFRAME);
    random_records_check_counts (&reader);
    datahub_consumer_close (reader.consumer);
    random_records_release_all (&reader);
  }
  return NULL;
}

/* The service thread of a sink: events, lists, statistics, interrupts. */
static void *
serve (void *data)
{
  ScenarioRun *run = data;
  uint32_t seen = 0;
  while (!atomic_load (&run->stopping)) {
    DatahubConsumerInfo infos[8];
    DatahubProducerStats stats;
    DatahubBlockInfo block;
    DatahubError error;
    DatahubResult result =
        datahub_producer_wait_attention (run->producer, &seen, 5 * CHECK_MS);
    CHECK (result < DATAHUB_ERROR_FIRST);
    datahub_producer_list_consumers (run->producer, infos, 8);
    datahub_producer_get_stats (run->producer, &stats);
    datahub_producer_take_requests (run->producer);
    datahub_block_inspect (CHANNEL, &block, &error);
    datahub_producer_set_interrupted (run->producer,
        DATAHUB_WAIT_COMMIT | DATAHUB_WAIT_ACQUIRE, true);
    datahub_producer_set_interrupted (run->producer,
        DATAHUB_WAIT_COMMIT | DATAHUB_WAIT_ACQUIRE, false);
  }
  return NULL;
}

static DatahubProducer *
producer_new (void)
{
  DatahubProducerOptions options = random_records_options (1);
  DatahubProducer *producer = NULL;
  DatahubError error = { 0 };
  must (datahub_producer_create (CHANNEL, &options, &producer, &error), &error,
      "create");
  must (random_records_send_caps (producer, 1, 0, &error), &error, "caps");
  must (datahub_producer_publish (producer, &error), &error, "publish");
  return producer;
}

static void
together (void)
{
  ScenarioRun run = { .producer = producer_new (), .target = target () };
  Actor actors[N_CONSUMERS], request = { .run = &run, .index = 99 };
  CheckThread *consumers[N_CONSUMERS];
  for (uint32_t i = 0; i < N_CONSUMERS; i++) {
    actors[i] = (Actor){ .run = &run, .index = i };
    consumers[i] = check_thread (consume_all, &actors[i]);
  }
  CHECK_INT (datahub_producer_wait_consumers (run.producer, N_CONSUMERS,
                 check_scaled_ns (20 * CHECK_S)),
      ==, DATAHUB_OK);
  CheckThread *visits = check_thread (consume_bits, &request);
  CheckThread *service = check_thread (serve, &run);
  check_thread_join (check_thread (produce, &run));
  atomic_store (&run.stopping, true);
  check_thread_join (visits);
  check_thread_join (service);
  datahub_producer_close (run.producer);
  uint64_t committed = atomic_load (&run.committed);
  for (uint32_t i = 0; i < N_CONSUMERS; i++) {
    check_thread_join (consumers[i]);
    check_note ("consumer %u: %llu received, %llu lost", i,
        (unsigned long long) actors[i].received,
        (unsigned long long) actors[i].lost);
    CHECK_INT (actors[i].received + actors[i].lost, ==, committed);
    if (i % 2)
      CHECK_INT (actors[i].lost, ==, 0);
  }
}

/* Leases of one attachment ended by several threads, while another attachment
 * of the same process reads the same records. */
typedef struct
{
  DatahubConsumer *consumer;
  DatahubView views[64];
  _Atomic uint32_t next;
} Leases;

static void *
end_some (void *data)
{
  Leases *leases = data;
  for (uint32_t i; (i = atomic_fetch_add (&leases->next, 1)) < 64;)
    datahub_consumer_end_read (leases->consumer, &leases->views[i]);
  return NULL;
}

static void
end_everywhere (Leases *leases)
{
  CheckThread *threads[3];
  atomic_store (&leases->next, 0);
  for (int i = 0; i < 3; i++)
    threads[i] = check_thread (end_some, leases);
  for (int i = 0; i < 3; i++)
    check_thread_join (threads[i]);
}

static void
leases_elsewhere (void)
{
  static Leases leases;
  DatahubProducer *producer = producer_new ();
  DatahubError error = { 0 };
  DatahubView view;
  uint64_t n = 0;
  for (int round = 0; round < 200; round++) {
    leases.consumer = attach (false, 8);
    must (random_records_send (producer, 1, n++, 1, 0, &error), &error, "send");
    do {
      must (datahub_consumer_begin_read (leases.consumer, CHECK_S, &view,
                &error),
          &error, "read");
      if (view.offset != n - 1 || view.type != DATAHUB_RECORD_BUFFER)
        datahub_consumer_end_read (leases.consumer, &view);
    } while (view.type != DATAHUB_RECORD_BUFFER || view.offset != n - 1);
    for (int i = 0; i < 64; i++) {
      leases.views[i] = view;
      datahub_consumer_hold (leases.consumer, &view);
    }
    datahub_consumer_end_read (leases.consumer, &view);
    datahub_consumer_close (leases.consumer);
    end_everywhere (&leases);
    for (int i = 0; i < 40; i++)
      must (random_records_send (producer, 1, n++, 1, 0, &error), &error,
          "send");
  }
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "threads read, join, leave and interrupt beside a producer", together },
  { "leases end in any thread, after the close too", leases_elsewhere },
};
CHECK_MAIN (tests)
