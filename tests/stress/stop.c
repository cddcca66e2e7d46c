/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer that is stopped (SIGSTOP) is alive and does nothing. */
#include "random-records.h"

#include <stdatomic.h>

typedef struct
{
  bool reliable;
  uint32_t hold; /* leases to take before it is stopped */
} Sleeper;

static DatahubError error;

static void
must (DatahubResult result, DatahubResult wanted, const char *what)
{
  if (result != wanted)
    check_fail (__FILE__, __LINE__, "%s: %s (%s)", what,
        datahub_result_name (result), error.message);
}

/* Attaches, takes its leases, says so; later reads on until it is told that it
 * was evicted, or until the close. Tells the outcome and the exact sum. */
static void
sleeper (CheckParent *parent)
{
  const Sleeper *as = parent->data;
  Random random = { 1 };
  DatahubConsumerOptions options;
  RecordReader reader = { .reliable = as->reliable, .random = &random };
  datahub_consumer_options_init (&options);
  options.reliable = as->reliable;
  options.start = DATAHUB_START_OLDEST;
  must (datahub_consumer_attach ("stop", &options, &reader.consumer, &error),
      DATAHUB_OK, "attach");
  check_ready (parent);
  while (reader.n_held < as->hold)
    must (random_records_read (&reader, 20 * CHECK_S), DATAHUB_OK, "read");
  check_tell (parent->out, 2);
  check_hear (parent->in);

  DatahubResult result;
  while ((result = random_records_read (&reader, 20 * CHECK_S)) == DATAHUB_OK)
    ;
  check_tell (parent->out, result);
  if (result == DATAHUB_EVICTED) {
    must (datahub_consumer_rejoin (reader.consumer, &error), DATAHUB_OK,
        "rejoin");
    check_tell (parent->out, 3);
    /* From here on its first buffer may report a loss: the exact one. */
    reader.reliable = false;
    while ((result = random_records_read (&reader, 20 * CHECK_S)) == DATAHUB_OK)
      ;
    must (result, DATAHUB_CLOSED, "the end");
  }
  random_records_check_counts (&reader);
  check_tell (parent->out, reader.first + reader.received + reader.lost);
  random_records_release_all (&reader);
  datahub_consumer_close (reader.consumer);
}

static DatahubProducer *
producer_new (int64_t block_timeout_ns)
{
  DatahubProducerOptions options = random_records_options (0);
  options.block_timeout_ns = block_timeout_ns;
  DatahubProducer *producer = NULL;
  must (datahub_producer_create ("stop", &options, &producer, &error),
      DATAHUB_OK, "create");
  must (random_records_send_caps (producer, 0, 0, &error), DATAHUB_OK, "caps");
  must (datahub_producer_publish (producer, &error), DATAHUB_OK, "publish");
  return producer;
}

static CheckChild
stopped_child (const Sleeper *as, DatahubProducer *producer, uint64_t *next)
{
  CheckChild child = check_fork (sleeper, as);
  CHECK (check_hear (child.from) == 1);
  while (!check_has_word (child.from)) {
    DatahubResult result =
        random_records_send (producer, 0, *next, 1, 0, &error);
    if (result == DATAHUB_OK)
      ++*next;
    else
      must (result, DATAHUB_TIMEOUT, "send");
  }
  CHECK (check_hear (child.from) == 2);
  check_stop (&child);
  return child;
}

static void
finish (CheckChild *child, DatahubProducer *producer, uint64_t next,
    DatahubResult expected)
{
  check_tell (child->to, 1);
  check_continue (child);
  if (expected == DATAHUB_EVICTED) {
    CHECK (check_hear (child->from) == DATAHUB_EVICTED);
    CHECK (check_hear (child->from) == 3);
  }
  must (random_records_send (producer, 0, next, 1, 20 * CHECK_S, &error),
      DATAHUB_OK, "last");
  datahub_producer_close (producer);
  if (expected != DATAHUB_EVICTED)
    CHECK (check_hear (child->from) == (uint64_t) expected);
  /* What it missed before, received and lost together are everything. */
  CHECK_INT (check_hear (child->from), ==, next + 1);
  check_join (child);
}

static double
rate (DatahubProducer *producer, uint64_t *next, uint32_t n)
{
  uint64_t start = check_now_ns ();
  for (uint32_t i = 0; i < n; i++)
    must (random_records_send (producer, 0, (*next)++, 1, 0, &error),
        DATAHUB_OK, "full rate");
  return n * 1e9 / (double) (check_now_ns () - start);
}

static void
live (void)
{
  static const Sleeper as = { .reliable = false, .hold = 4 };
  DatahubProducer *producer = producer_new (-1);
  DatahubProducerStats stats;
  uint64_t next = 0;
  double alone = rate (producer, &next, 20000);
  CheckChild child = stopped_child (&as, producer, &next);
  double beside = rate (producer, &next, 20000);
  check_note ("%.0f buffers/s alone, %.0f beside a stopped consumer", alone,
      beside);
  datahub_producer_get_stats (producer, &stats);
  CHECK_INT (stats.dropped, ==, 0);
  CHECK_INT (stats.evictions, ==, 0);
  finish (&child, producer, next, DATAHUB_CLOSED);
}

static void
reliable (void)
{
  static const Sleeper as = { .reliable = true, .hold = 4 };
  DatahubProducer *producer = producer_new (300 * CHECK_MS);
  DatahubProducerStats stats;
  uint64_t next = 0;
  CheckChild child = stopped_child (&as, producer, &next);
  uint64_t start = check_now_ns ();
  /* Blocked for block-timeout once, then never again. */
  for (uint32_t i = 0; i < 2000; i++)
    must (random_records_send (producer, 0, next++, 1, 20 * CHECK_S, &error),
        DATAHUB_OK, "send");
  uint64_t took = check_now_ns () - start;
  CHECK_INT (took, >=, 250 * CHECK_MS);
  CHECK_INT (took, <, check_scaled_ns (5 * CHECK_S));
  datahub_producer_get_stats (producer, &stats);
  CHECK_INT (stats.evictions, ==, 1);
  CHECK_INT (stats.dropped, ==, 0);
  finish (&child, producer, next, DATAHUB_EVICTED);
}

typedef struct
{
  DatahubProducer *producer;
  uint64_t next;
  DatahubResult result;
  _Atomic bool stop;
} Blocked;

static void *
send_until_stopped (void *data)
{
  Blocked *blocked = data;
  do
    blocked->result = random_records_send (blocked->producer, 0,
        blocked->next++, 1, DATAHUB_FOREVER, &error);
  while (blocked->result == DATAHUB_OK && !atomic_load (&blocked->stop));
  return NULL;
}

/* Nobody waits for a process that does not run: not a blocked commit, once it
 * is interrupted, and not the close. */
static void
producer_stops (const Sleeper *as)
{
  Blocked blocked = { .producer = producer_new (-1) };
  CheckChild child = stopped_child (as, blocked.producer, &blocked.next);
  CheckThread *thread = check_thread (send_until_stopped, &blocked);
  if (as->reliable)
    check_until_asleep (thread);
  uint64_t start = check_now_ns ();
  datahub_producer_set_interrupted (blocked.producer, DATAHUB_WAIT_ALL, true);
  if (!as->reliable)
    atomic_store (&blocked.stop, true);
  check_thread_join (thread);
  datahub_producer_close (blocked.producer);
  CHECK_INT (check_now_ns () - start, <, check_scaled_ns (CHECK_S));
  if (as->reliable)
    CHECK_INT (blocked.result, ==, DATAHUB_INTERRUPTED);
  check_kill (&child);
  datahub_block_reclaim (false, NULL, NULL, NULL);
}

static void
stopping_beside_reliable (void)
{
  producer_stops (&(Sleeper){ .reliable = true, .hold = 2 });
}

static void
stopping_beside_live (void)
{
  producer_stops (&(Sleeper){ .reliable = false, .hold = 2 });
}

static const CheckTest tests[] = {
  { "beside a stopped live consumer the producer keeps its rate", live },
  { "a stopped reliable consumer is evicted after block-timeout and told",
      reliable },
  { "a producer blocked by a stopped reliable consumer stops within 1 s",
      stopping_beside_reliable },
  { "beside a stopped live consumer it stops within 1 s",
      stopping_beside_live },
};
CHECK_MAIN (tests)
