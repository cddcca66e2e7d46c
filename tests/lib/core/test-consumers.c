/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of consumers, as the producer and an inspector see it. */
#include "fixture.h"
#include "holder.h"

#include <string.h>
#include <unistd.h>

/* Attached, and no more. */
static const Holder idle = { .reliable = true };

static void
full (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_consumers = 3;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumers[3];
  for (int i = 0; i < 3; i++)
    consumers[i] = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_FULL);
  CHECK_CONTAINS (err.message, "3");
  datahub_consumer_close (consumers[1]);
  consumers[1] = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  commit_buffers (producer, 0, 1);
  for (int i = 0; i < 3; i++) {
    expect_buffers (consumers[i], 0, 1);
    datahub_consumer_close (consumers[i]);
  }
  datahub_producer_close (producer);
}

/* A row of a dead process is taken over, cleaned, by the next one. */
static void
full_of_dead (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_consumers = 2;
  DatahubProducer *producer = producer_new ("cam0", &options);
  for (int i = 0; i < 20; i++) {
    CheckChild a = check_fork (hold_on, &idle);
    CheckChild b = check_fork (hold_on, &idle);
    CHECK_HEAR (a.from, 1);
    CHECK_HEAR (b.from, 1);
    check_kill (&a);
    check_kill (&b);
  }
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  expect_buffers (consumer, 0, 8);
  datahub_consumer_close (consumer);
  commit_buffers (producer, 8, 100);
  datahub_producer_close (producer);
}

#define MOST 256

static void
serve_many (uint32_t max_consumers, int n_consumers)
{
  DatahubProducerOptions options = small_options ();
  options.slots = 0;
  options.ring_size = 0;
  options.max_consumers = max_consumers;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumers[MOST];
  for (int i = 0; i < n_consumers; i++)
    consumers[i] = consumer_new ("cam0", i % 2, DATAHUB_START_OLDEST);
  CHECK_OK (datahub_producer_wait_consumers (producer, (uint32_t) n_consumers,
      0));
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_FULL);
  for (uint64_t n = 0; n < 50; n++) {
    commit_buffer (producer, n, 1000);
    for (int i = 0; i < n_consumers; i++)
      expect_buffer (consumers[i], n, 1000);
  }
  for (int i = 0; i < n_consumers; i++) {
    CHECK_INT (consumer_stats (consumers[i]).lost, ==, 0);
    datahub_consumer_close (consumers[i]);
  }
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  datahub_producer_close (producer);
}

static void
many (void)
{
  serve_many (0, 128);
}

static void
most (void)
{
  serve_many (MOST, MOST);
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer;
  options.max_consumers = MOST + 1;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_INVALID);
  CHECK_CONTAINS (err.message, "256");
}

static void
listed (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumerOptions options;
  DatahubConsumer *a = NULL, *b = NULL;
  datahub_consumer_options_init (&options);
  options.name = "preview";
  options.max_pinned = 2;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &a, &err));
  options.name = "a name that is far too long for the forty bytes of its row";
  options.reliable = true;
  options.start = DATAHUB_START_OLDEST;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &b, &err));
  commit_buffers (producer, 0, 3);
  DatahubView held = read_record (b);
  expect_buffers (b, 1, 1);

  DatahubConsumerInfo infos[4];
  memset (infos, 0, sizeof infos);
  CHECK_INT (datahub_producer_list_consumers (producer, infos, 4), ==, 2);
  DatahubConsumerInfo *first = &infos[0], *second = &infos[1];
  CHECK_STR (first->name, "preview");
  CHECK (!first->reliable && first->alive);
  CHECK_INT (first->state, ==, DATAHUB_CONSUMER_ACTIVE);
  CHECK_INT (first->pid, ==, getpid ());
  CHECK_INT (first->quota, ==, 2);
  CHECK_INT (strlen (second->name), <, DATAHUB_CONSUMER_NAME_MAX);
  CHECK_INT (strncmp (second->name, "a name that is far too long", 27), ==, 0);
  CHECK (second->reliable);
  CHECK_INT (second->received, ==, 2);
  CHECK_INT (second->lost, ==, 0);
  CHECK_INT (second->cursor, ==, 2);
  CHECK_INT (second->pins, ==, 1);
  CHECK (first->id != second->id);

  uint64_t id = first->id;
  datahub_consumer_close (a);
  CHECK_INT (datahub_producer_list_consumers (producer, infos, 4), ==, 1);
  options.name = NULL;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &a, &err));
  CHECK_INT (datahub_producer_list_consumers (producer, infos, 4), ==, 2);
  /* The same row, another consumer. */
  CHECK_INT (infos[0].row, ==, 0);
  CHECK (infos[0].id != id);
  CHECK (infos[0].name[0] != '\0');
  datahub_consumer_end_read (b, &held);
  datahub_consumer_close (a);
  datahub_consumer_close (b);
  datahub_producer_close (producer);
}

static void *
read_one (void *data)
{
  DatahubView view = read_record (data);
  datahub_consumer_end_read (data, &view);
  return NULL;
}

static DatahubConsumerInfo
listed_one (DatahubProducer *producer)
{
  DatahubConsumerInfo info;
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 1);
  return info;
}

/* One that was waited for counts, of the others one in 64. */
static void
latency (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubConsumerInfo info = listed_one (producer), shown;
  uint64_t start = check_now_ns (), most;
  uint32_t n = 0;
  CHECK_INT (info.latency_count, ==, 0);
  CHECK_INT (info.latency_sum_ns, ==, 0);
  CheckThread *thread = check_thread (read_one, consumer);
  check_until_asleep (thread);
  commit_buffers (producer, 0, 1);
  check_thread_join (thread);
  most = check_now_ns () - start;
  info = listed_one (producer);
  CHECK_INT (info.latency_count, ==, 1);
  CHECK_INT (info.latency_sum_ns, >, 0);
  CHECK_INT (info.latency_sum_ns, <=, most);
  CHECK_INT (info.latency_max_ns, ==, info.latency_sum_ns);
  for (uint64_t i = 1; i < 128; i++) {
    commit_buffers (producer, i, 1);
    expect_buffers (consumer, i, 1);
  }
  most += check_now_ns () - start;
  info = listed_one (producer);
  CHECK_INT (info.latency_count, ==, 3); /* and the 64th and the 128th */
  CHECK_INT (info.latency_sum_ns, <=, most);
  CHECK_OK (datahub_block_inspect_consumers ("cam0", &shown, 1, &n, &err));
  CHECK_INT (shown.latency_count, ==, 3);
  CHECK_INT (shown.latency_sum_ns, ==, info.latency_sum_ns);
  datahub_consumer_close (consumer);
  /* the next owner of the row begins anew */
  consumer = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  CHECK_INT (listed_one (producer).latency_count, ==, 0);
  CHECK_INT (listed_one (producer).latency_max_ns, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
attention (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  uint32_t seen = 0;
  datahub_producer_wait_attention (producer, &seen, 0);
  CHECK_RESULT (datahub_producer_wait_attention (producer, &seen, 0),
      DATAHUB_TIMEOUT);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  CHECK_OK (datahub_producer_wait_attention (producer, &seen, SOON));
  while (datahub_producer_wait_attention (producer, &seen, 0) == DATAHUB_OK)
    ;
  datahub_consumer_close (consumer);
  CHECK_OK (datahub_producer_wait_attention (producer, &seen, SOON));
  datahub_producer_close (producer);
}

/* Death sends no word, yet the list is right. */
static void
dead_not_listed (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (hold_on, &idle);
  DatahubConsumerInfo info;
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 1);
  CHECK (info.alive);
  check_kill (&child);
  /* the server of a strict block closes its copy of the consumer's lock after the
   * consumer can have it */
  CHECK_UNTIL (datahub_producer_list_consumers (producer, &info, 1) == 0);
  CHECK_RESULT (datahub_producer_wait_consumers (producer, 1, 0),
      DATAHUB_TIMEOUT);
  commit_buffers (producer, 0, 20);
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 0);
  CHECK_INT (producer_stats (producer).reaped, ==, 1);
  datahub_producer_close (producer);
}

static void
inspected (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_event (producer, DATAHUB_RECORD_CAPS, "video/x-raw, width=4");
  commit_buffers (producer, 0, 6);
  DatahubBlockInfo info;
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  CHECK_STR (info.channel, "cam0");
  CHECK_STR (info.uuid, datahub_producer_get_uuid (producer));
  CHECK_INT (info.state, ==, DATAHUB_STATE_READY);
  CHECK (info.producer_alive);
  CHECK_INT (info.producer_pid, ==, getpid ());
  CHECK_INT (info.major, ==, 1);
  CHECK_INT (info.head, ==, 7);
  CHECK_INT (info.buffers, ==, 6);
  CHECK_INT (info.bytes, ==, 6000);
  CHECK_INT (info.ring_size, ==, 8);
  CHECK_INT (info.slots, ==, 16);
  CHECK_INT (info.slot_size, >=, 4096);
  CHECK_INT (info.n_consumers, ==, 1);
  CHECK_INT (info.n_pools, >=, 1);
  CHECK_INT (info.pool_bytes, >=, 16 * 4096);
  CHECK_INT (info.control_bytes, <=, 3 << 19); /* 1.5 MiB */
  CHECK_STR (info.caps, "video/x-raw, width=4");
  DatahubConsumerInfo rows[2];
  uint32_t n = 0;
  CHECK_OK (datahub_block_inspect_consumers ("cam0", rows, 2, &n, &err));
  CHECK_INT (n, ==, 1);
  CHECK (rows[0].reliable && rows[0].alive);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
inspect_changes_nothing (CheckParent *parent)
{
  DatahubBlockInfo info;
  DatahubConsumerInfo infos[8];
  uint32_t n;
  while (!check_has_word (parent->in)) {
    DatahubResult result = datahub_block_inspect ("cam0", &info, &err);
    if (result == DATAHUB_OK)
      result = datahub_block_inspect_consumers ("cam0", infos, 8, &n, &err);
    /* a strict producer on a slow machine may be late with its answer */
    CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_NOT_FOUND
        || result == DATAHUB_TIMEOUT);
  }
}

/* Looking all the time never makes an attach or a producer fail. */
static void
inspected_all_the_time (void)
{
  CheckChild child = check_fork (inspect_changes_nothing, NULL);
  for (int i = 0; i < 200; i++) {
    DatahubProducer *producer = producer_new ("cam0", NULL);
    DatahubConsumer *a = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    DatahubConsumer *b = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
    commit_buffers (producer, 0, 3);
    expect_buffers (a, 0, 3);
    expect_buffers (b, 0, 3);
    datahub_consumer_close (a);
    datahub_consumer_close (b);
    datahub_producer_close (producer);
  }
  check_tell (child.to, 1);
  check_join (&child);
}

static void
reads_until_told (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_ready (parent);
  expect_buffers (consumer, 0, 4);
  check_tell (parent->out, 2);
  check_hear (parent->in);
  expect_buffers (consumer, 4, 8);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
}

static DatahubConsumerInfo
only_consumer (void)
{
  DatahubConsumerInfo info;
  uint32_t n;
  DatahubResult result;
  CHECK_UNTIL ((result = datahub_block_inspect_consumers ("cam0", &info, 1, &n,
                    &err))
      != DATAHUB_TIMEOUT);
  CHECK_OK (result);
  CHECK_INT (n, ==, 1);
  return info;
}

static void
until_stalled (DatahubProducer *producer, bool wanted)
{
  DatahubConsumerInfo info;
  do
    CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 1);
  while (info.stalled != wanted);
}

/* Stopped is not dead: it is shown, and keeps its place and its gate. */
static void
stalled (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = DATAHUB_FOREVER;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CheckChild child = check_fork_ready (reads_until_told, NULL);
  CHECK (!only_consumer ().stalled);
  CHECK_INT (only_consumer ().heartbeat_ns, >, 0);
  commit_buffers (producer, 0, 4);
  CHECK_HEAR (child.from, 2);
  check_stop (&child);
  commit_buffers (producer, 4, 8);
  until_stalled (producer, true);
  DatahubConsumerInfo info = only_consumer ();
  CHECK (info.alive);
  CHECK_INT (info.silent_ns, >, DATAHUB_STALLED_NS);
  CHECK_RESULT (try_commit (producer, 12, 1000, 0), DATAHUB_TIMEOUT);
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  CHECK_INT (producer_stats (producer).reaped, ==, 0);
  DatahubConsumerInfo listed;
  CHECK_INT (datahub_producer_list_consumers (producer, &listed, 1), ==, 1);
  CHECK (listed.stalled);
  check_continue (&child);
  check_tell (child.to, 1);
  check_join (&child);
  datahub_producer_close (producer);
}

/* A program may give signs of life without reading. */
static void
beats (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  until_stalled (producer, true);
  datahub_consumer_beat (consumer);
  CHECK (!only_consumer ().stalled);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void *
beat_on (void *consumer)
{
  for (;;) {
    DatahubConsumerStats stats = consumer_stats (consumer);
    datahub_consumer_beat (consumer);
    if (stats.head >= 20)
      return NULL;
  }
}

/* Signs of life do not buy time: it is reading that counts. */
static void
beating_is_not_reading (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 50 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  CheckThread *thread = check_thread (beat_on, consumer);
  commit_buffers (producer, 0, 20);
  check_thread_join (thread);
  CHECK_INT (producer_stats (producer).evictions, ==, 1);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* A producer that waits for its consumers gives signs of life too. */
static void
idle_producer_beats (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubBlockInfo before, after;
  uint32_t seen = 0;
  CHECK_OK (datahub_block_inspect ("cam0", &before, &err));
  while (datahub_producer_wait_attention (producer, &seen, 0) == DATAHUB_OK)
    ;
  CHECK_OK (datahub_block_inspect ("cam0", &after, &err));
  CHECK_INT (after.heartbeat_ns, >, before.heartbeat_ns);
  CHECK_INT (after.head, ==, before.head);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a full table refuses with its size and takes again after a leave", full },
  { "rows of the dead are taken over", full_of_dead },
  { "128 consumers get every buffer", many },
  { "256 consumers by configuration get every buffer, and no more fit", most },
  { "the producer lists its consumers", listed },
  { "the latency of delivery is summed for each consumer", latency },
  { "joining and leaving call for the producer's attention", attention },
  { "a killed consumer is not listed as alive", dead_not_listed },
  { "an inspector sees the block without touching it", inspected },
  { "inspecting all the time disturbs nobody", inspected_all_the_time },
  { "a stopped consumer shows as stalled, and keeps its place and its gate",
      stalled },
  { "a sign of life ends it", beats },
  { "signs of life do not keep who does not read from being evicted",
      beating_is_not_reading },
  { "an idle producer gives signs of life", idle_producer_beats },
};
CHECK_MAIN (tests)
