/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer dies and its successor goes on with the block, while consumers stay
 * attached. What does not fit is replaced, as test-lifecycle.c has it. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a producer does before it is killed. */
typedef struct
{
  DatahubProducerOptions options;
  uint64_t first; /* buffer */
  uint32_t n;
  uint64_t size; /* 0: 1000 */
  bool caps; /* one before the first buffer, named after it */
  bool dies_filling;
} Life;

static Life
small_life (uint64_t first, uint32_t n)
{
  return (Life){ .options = small_options (), .first = first, .n = n };
}

static void
live (CheckParent *parent)
{
  const Life *life = parent->data;
  DatahubProducer *producer = producer_new ("cam0", &life->options);
  DatahubSlot slot;
  char caps[32];
  snprintf (caps, sizeof caps, "caps %llu", (unsigned long long) life->first);
  if (life->caps)
    commit_event (producer, DATAHUB_RECORD_CAPS, caps);
  for (uint32_t i = 0; i < life->n; i++)
    commit_buffer (producer, life->first + i, life->size ? life->size : 1000);
  if (life->dies_filling) {
    fill_slot (producer, 1 << 20, 3000, &slot);
    fill_slot (producer, 1 << 20, 3000, &slot);
  }
  check_ready (parent);
  check_until_killed (parent);
}

static CheckChild
start_life (const Life *life)
{
  CheckChild child = check_fork_ready (live, life);
  return child;
}

static void
leave_dead (const Life *life)
{
  CheckChild child = start_life (life);
  check_kill (&child);
}

static void
expect_lost (DatahubConsumer *consumer)
{
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
      DATAHUB_PRODUCER_LOST);
}

static DatahubProducer *
adopt (uint64_t incarnation)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK (producer_stats (producer).adopted);
  CHECK_INT (producer_stats (producer).incarnation, ==, incarnation);
  return producer;
}

/* ---- what goes on ---- */

static void
goes_on (void)
{
  Life life = small_life (0, 5);
  CheckChild child = start_life (&life);
  DatahubConsumer *live_one =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  char uuid[DATAHUB_UUID_TEXT];
  strcpy (uuid, datahub_consumer_get_uuid (live_one));
  check_kill (&child);
  expect_buffers (live_one, 0, 5);
  expect_lost (live_one);

  DatahubProducer *producer = adopt (2);
  CHECK_STR (datahub_producer_get_uuid (producer), uuid);
  CHECK_INT (producer_stats (producer).commits, ==, 5);
  CHECK_INT (commit_event (producer, DATAHUB_RECORD_CAPS, "new"), ==, 5);
  commit_buffers (producer, 5, 3);
  DatahubView view = read_record (live_one);
  check_event (&view, DATAHUB_RECORD_CAPS, "new");
  CHECK (view.discont);
  CHECK_INT (view.incarnation, ==, 2);
  CHECK_INT (view.lost, ==, 0);
  datahub_consumer_end_read (live_one, &view);
  view = read_record (live_one);
  CHECK (!view.discont);
  CHECK_INT (view.ordinal, ==, 5);
  datahub_consumer_end_read (live_one, &view);
  expect_buffers (live_one, 6, 2);
  CHECK_INT (consumer_stats (live_one).lost, ==, 0);
  CHECK_INT (consumer_stats (live_one).received, ==, 8);
  datahub_consumer_close (live_one);
  datahub_producer_close (producer);
}

static void
ring_kept (void)
{
  Life life = small_life (0, 6);
  leave_dead (&life);
  DatahubProducer *producer = adopt (2);
  DatahubConsumer *oldest = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *latest = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubConsumer *key = consumer_new ("cam0", false, DATAHUB_START_KEYFRAME);
  commit_buffers (producer, 6, 1);
  expect_buffers (oldest, 0, 7);
  /* Who wants what is new gets nothing of the dead. */
  expect_buffers (latest, 6, 1);
  expect_buffers (key, 6, 1);
  datahub_consumer_close (oldest);
  datahub_consumer_close (latest);
  datahub_consumer_close (key);
  datahub_producer_close (producer);
}

typedef struct
{
  DatahubProducer *producer;
  uint64_t first;
  uint32_t n;
} Writing;

static void *
write_all (void *data)
{
  Writing *writing = data;
  commit_buffers (writing->producer, writing->first, writing->n);
  return NULL;
}

static void
reliable_loses_nothing (void)
{
  Life life = small_life (0, 8);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 2);
  check_kill (&child);
  DatahubProducer *producer = adopt (2);
  Writing writing = { producer, 8, 100 };
  CheckThread *thread = check_thread (write_all, &writing);
  /* The ring is full of what it has not read: the successor waits for it. */
  check_until_asleep (thread);
  expect_buffers (consumer, 2, 106);
  check_thread_join (thread);
  CHECK_INT (producer_stats (producer).evictions, ==, 0);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
exact_loss (void)
{
  Life life = small_life (0, 5);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 2);
  check_kill (&child);
  DatahubProducer *producer = adopt (2);
  commit_buffers (producer, 5, 95);
  DatahubView view = read_record (consumer);
  CHECK_INT (view.offset, ==, view.ordinal);
  CHECK_INT (view.lost, ==, view.ordinal - 2);
  CHECK (view.discont);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
many_lives (void)
{
  Life life = small_life (0, 3);
  CheckChild child = start_life (&life);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *live_one =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held = read_record (live_one);
  datahub_consumer_hold (live_one, &held);
  datahub_consumer_end_read (live_one, &held);
  for (uint64_t i = 1; i < 30; i++) {
    check_kill (&child);
    life.first = 3 * i;
    child = start_life (&life);
    expect_buffers (reliable, 3 * (i - 1), 3);
    expect_buffers (live_one, 3 * (i - 1) + (i == 1), i == 1 ? 2 : 3);
  }
  check_kill (&child);
  DatahubProducer *producer = adopt (31);
  CHECK_INT (producer_stats (producer).commits, ==, 90);
  expect_buffers (reliable, 87, 3);
  check_buffer (&held, 0, 1000);
  datahub_consumer_end_read (live_one, &held);
  datahub_consumer_close (live_one);
  datahub_consumer_close (reliable);
  datahub_producer_close (producer);
}

/* ---- nothing of the dead one's work is lost, nothing half done is seen ---- */

static void
uncommitted_invisible (void)
{
  Life life = small_life (0, 3);
  life.dies_filling = true;
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_kill (&child);
  DatahubProducer *producer = adopt (2);
  CHECK_INT (consumer_stats (consumer).head, ==, 3);
  expect_buffers (consumer, 0, 3);
  /* Three slots are in the ring; those it was filling are free. */
  CHECK_INT (producer_stats (producer).free_slots, ==, 13);
  commit_buffers (producer, 3, 5);
  expect_buffers (consumer, 3, 5);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
leases_survive (void)
{
  Life life = small_life (0, 8);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held[4];
  for (uint64_t i = 0; i < 4; i++)
    held[i] = read_record (consumer);
  check_kill (&child);
  DatahubProducer *producer = adopt (2);
  commit_buffers (producer, 100, 500);
  for (uint64_t i = 0; i < 4; i++)
    check_buffer (&held[i], i, 1000);
  /* Back they come when the leases end, and not before. */
  CHECK_INT (producer_stats (producer).slots, ==, 16);
  for (uint64_t i = 0; i < 4; i++)
    datahub_consumer_end_read (consumer, &held[i]);
  commit_buffers (producer, 600, 20);
  DatahubSlot slots[7];
  for (int i = 0; i < 7; i++)
    CHECK_OK (datahub_producer_acquire_slot (producer, 1000, 0, &slots[i],
        &err));
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  for (int i = 0; i < 7; i++)
    datahub_producer_abort (producer, &slots[i]);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
laps_the_leased (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_event (producer, DATAHUB_RECORD_CAPS, "first");
  commit_buffers (producer, 0, 4);
  check_ready (parent);
  check_hear (parent->in);
  /* What is leased leaves the ring; its records are in limbo. */
  commit_event (producer, DATAHUB_RECORD_CAPS, "second");
  commit_buffers (producer, 4, 40);
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

static void
limbo_is_inherited (void)
{
  CheckChild child = check_fork_ready (laps_the_leased, NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held[4], caps;
  expect_event (consumer, DATAHUB_RECORD_CAPS, "first");
  for (int i = 0; i < 4; i++)
    held[i] = read_record (consumer);
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  check_kill (&child);
  DatahubProducer *producer = adopt (2);
  for (uint64_t i = 0; i < 200; i++) {
    commit_event (producer, DATAHUB_RECORD_CAPS, "later");
    commit_buffers (producer, 1000 + i, 1);
  }
  for (uint64_t i = 0; i < 4; i++) {
    check_buffer (&held[i], i, 1000);
    /* What it stands in is in use as long as it is. */
    CHECK_OK (datahub_consumer_get_context (consumer, &held[i],
        DATAHUB_CONTEXT_CAPS, &caps, &err));
    check_event (&caps, DATAHUB_RECORD_CAPS, "first");
    datahub_consumer_end_read (consumer, &held[i]);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
sticky_survive (void)
{
  Life life = small_life (0, 20);
  life.caps = true;
  leave_dead (&life);
  DatahubProducer *producer = adopt (2);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  DatahubView view;
  CHECK_OK (datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS, &view,
      &err));
  check_event (&view, DATAHUB_RECORD_CAPS, "caps 0");
  datahub_consumer_end_read (consumer, &view);
  /* What is committed now stands in them, until there are others. */
  commit_buffers (producer, 20, 1);
  view = read_record (consumer);
  DatahubView caps;
  CHECK_OK (datahub_consumer_get_context (consumer, &view, DATAHUB_CONTEXT_CAPS,
      &caps, &err));
  check_event (&caps, DATAHUB_RECORD_CAPS, "caps 0");
  datahub_consumer_end_read (consumer, &view);
  commit_event (producer, DATAHUB_RECORD_CAPS, "new");
  commit_buffers (producer, 21, 1);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "new");
  view = read_record (consumer);
  CHECK_OK (datahub_consumer_get_context (consumer, &view, DATAHUB_CONTEXT_CAPS,
      &caps, &err));
  check_event (&caps, DATAHUB_RECORD_CAPS, "new");
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
ends_its_stream (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 2);
  commit_event (producer, DATAHUB_RECORD_EOS, "");
  check_ready (parent);
  check_until_killed (parent);
}

static void
eos_is_over (void)
{
  CheckChild child = check_fork_ready (ends_its_stream, NULL);
  DatahubConsumer *early = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_kill (&child);
  DatahubProducer *producer = adopt (2);
  DatahubConsumer *late = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  DatahubView view;
  CHECK_RESULT (datahub_consumer_read_sticky (late, DATAHUB_RECORD_EOS, &view,
                    &err),
      DATAHUB_ERROR_NOT_FOUND);
  /* It did happen for who was there. */
  expect_buffers (early, 0, 2);
  expect_event (early, DATAHUB_RECORD_EOS, "");
  datahub_consumer_close (early);
  datahub_consumer_close (late);
  datahub_producer_close (producer);
}

static void
grows_twice (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 1);
  commit_buffer (producer, 1, 20000);
  check_ready (parent);
  check_hear (parent->in);
  commit_buffer (producer, 2, 50000);
  commit_buffer (producer, 3, 60000);
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

static void
grown_pools (void)
{
  CheckChild child = check_fork_ready (grows_twice, NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView held[2] = { read_record (consumer), read_record (consumer) };
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  check_kill (&child);
  DatahubProducer *producer = adopt (2);
  CHECK_INT (datahub_producer_get_slot_size (producer), >=, 60000);
  commit_buffer (producer, 4, 60000);
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  expect_buffer (consumer, 2, 50000);
  expect_buffer (consumer, 3, 60000);
  expect_buffer (consumer, 4, 60000);
  check_buffer (&held[0], 0, 1000);
  check_buffer (&held[1], 1, 20000);
  datahub_consumer_end_read (consumer, &held[0]);
  datahub_consumer_end_read (consumer, &held[1]);
  /* With the leases the old pools go, files and all. */
  for (uint64_t i = 5; i < 25; i++) {
    commit_buffer (producer, i, 60000);
    expect_buffer (consumer, i, 60000);
  }
  DatahubBlockInfo info;
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  CHECK_INT (info.n_pools, ==, 2);
  CHECK_INT (check_count_files (), ==, 6);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
grows_after (void)
{
  Life life = small_life (0, 4);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_kill (&child);
  /* It asks for bigger slots: no reason not to go on. */
  DatahubProducerOptions options = small_options ();
  options.slot_size = 100000;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CHECK (producer_stats (producer).adopted);
  commit_buffer (producer, 4, 100000);
  commit_buffer (producer, 5, 1000);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  expect_buffers (consumer, 0, 4);
  expect_buffer (consumer, 4, 100000);
  expect_buffer (consumer, 5, 1000);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
packed (void)
{
  Life life = small_life (0, 6);
  life.options.pack = true;
  life.size = 500; /* six in one slot, which is not full */
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held[6];
  for (int i = 0; i < 6; i++)
    held[i] = read_record (consumer);
  check_kill (&child);
  DatahubProducer *producer = producer_new ("cam0", &life.options);
  CHECK (producer_stats (producer).adopted);
  for (uint64_t i = 6; i < 500; i++) {
    commit_buffer (producer, i, 500);
    if (i % 50 == 7 && i / 50 < 6) { /* they end one by one */
      check_buffer (&held[i / 50], i / 50, 500);
      datahub_consumer_end_read (consumer, &held[i / 50]);
    }
    for (uint64_t k = i / 50 + 1; k < 6; k++)
      check_buffer (&held[k], k, 500);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
batches (void)
{
  Life life = small_life (0, 7);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_kill (&child);
  DatahubProducer *producer = adopt (2);
  expect_buffers (consumer, 0, 7);
  for (uint64_t round = 0; round < 20; round++) {
    DatahubSlot slots[4];
    DatahubCommit records[4];
    for (uint64_t i = 0; i < 4; i++) {
      fill_slot (producer, 7 + 4 * round + i, 900, &slots[i]);
      records[i] = buffer_record (&slots[i], 7 + 4 * round + i, 900);
    }
    uint64_t first = 0;
    CHECK_OK (datahub_producer_commit_batch (producer, records, 4, SOON, &first,
        &err));
    CHECK_INT (first, ==, 7 + 4 * round);
    for (uint64_t i = 0; i < 4; i++)
      expect_buffer (consumer, 7 + 4 * round + i, 900);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* ---- before it is published ---- */

static void
unpublished (void)
{
  Life life = small_life (0, 5);
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view;
  check_kill (&child);
  CHECK_OK (datahub_producer_create ("cam0", &options, &producer, &err));
  CHECK (producer_stats (producer).adopted);
  commit_event (producer, DATAHUB_RECORD_CAPS, "new");
  commit_buffers (producer, 5, 2);
  expect_buffers (consumer, 0, 5);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_TIMEOUT);
  CHECK_INT (consumer_stats (consumer).head, ==, 5);
  CHECK_RESULT (datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS,
                    &view, &err),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK_OK (datahub_producer_publish (producer, &err));
  expect_event (consumer, DATAHUB_RECORD_CAPS, "new");
  expect_buffers (consumer, 5, 2);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
never_published (void)
{
  Life life = small_life (0, 5);
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view;
  check_kill (&child);
  CHECK_OK (datahub_producer_create ("cam0", &options, &producer, &err));
  commit_buffers (producer, 77, 3);
  datahub_producer_close (producer);
  /* As dead as it was, and as good for the next one. */
  expect_buffers (consumer, 0, 5);
  expect_lost (consumer);
  producer = adopt (3);
  commit_buffers (producer, 5, 2);
  expect_buffers (consumer, 5, 2);
  datahub_producer_close (producer);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
      DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
  /* With nobody attached there is no reason to leave it. */
  leave_dead (&life);
  CHECK_OK (datahub_producer_create ("cam0", &options, &producer, &err));
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
fills_the_ring_unpublished (void)
{
  Life life = small_life (0, 8);
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_kill (&child);
  CHECK_OK (datahub_producer_create ("cam0", &options, &producer, &err));
  Writing writing = { producer, 8, 40 };
  CheckThread *thread = check_thread (write_all, &writing);
  /* Eight wait behind the eight; the rest could never be read otherwise. */
  expect_buffers (consumer, 0, 48);
  check_thread_join (thread);
  CHECK_OK (datahub_producer_publish (producer, &err));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
live_unpublished (CheckParent *parent)
{
  const Life *life = parent->data;
  DatahubProducer *producer = NULL;
  CHECK_OK (datahub_producer_create ("cam0", &life->options, &producer, &err));
  CHECK (producer_stats (producer).adopted);
  commit_buffers (producer, life->first, life->n);
  check_ready (parent);
  check_until_killed (parent);
}

/* Four slots, one of them held: what comes next does not fit unseen. */
static void
short_of_slots_unpublished (void)
{
  Life life = small_life (0, 1), next = small_life (1, 4);
  life.options.slots = life.options.ring_size = 4;
  next.options = life.options;
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held = read_record (consumer);
  check_kill (&child);
  child = check_fork_ready (live_unpublished, &next);
  check_kill (&child);
  /* What was retired had been shown, so the block is whole. */
  DatahubProducer *producer = producer_new ("cam0", &life.options);
  CHECK (producer_stats (producer).adopted);
  check_buffer (&held, 0, 1000);
  datahub_consumer_end_read (consumer, &held);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* ---- a consumer waits ---- */

static void *
read_for_ever (void *data)
{
  DatahubView view;
  DatahubResult result =
      datahub_consumer_begin_read (data, DATAHUB_FOREVER, &view, NULL);
  if (result == DATAHUB_OK)
    datahub_consumer_end_read (data, &view);
  return (void *) (uintptr_t) result;
}

static void
waits_for_a_successor (void)
{
  Life life = small_life (0, 2);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view;
  expect_buffers (consumer, 0, 2);
  check_kill (&child);
  expect_lost (consumer);
  /* Told once; then it sleeps like beside an idle producer. */
  uint64_t waits = consumer_stats (consumer).waits;
  uint64_t start = check_now_ns ();
  for (int i = 0; i < 3; i++) {
    CHECK_RESULT (datahub_consumer_wait (consumer, 100 * CHECK_MS),
        DATAHUB_TIMEOUT);
    CHECK_RESULT (datahub_consumer_begin_read (consumer, 100 * CHECK_MS, &view,
                      &err),
        DATAHUB_TIMEOUT);
  }
  CHECK_INT (check_now_ns () - start, >=, 600 * CHECK_MS);
  /* a few of 100 ms each; of 20 ms where there is no futex_waitv() */
  CHECK_INT (consumer_stats (consumer).waits - waits, <=, 45);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_TIMEOUT);

  CheckThread *thread = check_thread (read_for_ever, consumer);
  check_until_asleep (thread);
  datahub_consumer_set_interrupted (consumer, true);
  CHECK_INT ((uintptr_t) check_thread_join (thread), ==, DATAHUB_INTERRUPTED);
  datahub_consumer_set_interrupted (consumer, false);

  thread = check_thread (read_for_ever, consumer);
  check_until_asleep (thread);
  life = small_life (2, 2);
  child = start_life (&life);
  CHECK_INT ((uintptr_t) check_thread_join (thread), ==, DATAHUB_OK);
  expect_buffers (consumer, 3, 1);
  check_kill (&child);
  datahub_consumer_close (consumer);
}

static void
each_death_is_told (void)
{
  Life life = small_life (0, 1);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 1);
  check_kill (&child);
  expect_lost (consumer);
  life.n = 0;
  leave_dead (&life);
  /* Another one came and died, without a record. */
  expect_lost (consumer);
  datahub_consumer_close (consumer);
}

static DatahubConsumer *
wait_beside_dead (void)
{
  Life life = small_life (0, 2);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 2);
  check_kill (&child);
  expect_lost (consumer);
  return consumer;
}

static void
replaced_meanwhile (void)
{
  DatahubConsumer *consumer = wait_beside_dead ();
  CheckThread *thread = check_thread (read_for_ever, consumer);
  check_until_asleep (thread);
  Life life = small_life (0, 1);
  life.options.adopt = false;
  leave_dead (&life);
  CHECK_INT ((uintptr_t) check_thread_join (thread), ==, DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer_new ("cam0", NULL));
}

/* Somebody took the name away, and told nobody. */
static void
name_gone_meanwhile (void)
{
  DatahubConsumer *consumer = wait_beside_dead ();
  CheckThread *thread = check_thread (read_for_ever, consumer);
  check_until_asleep (thread);
  CHECK (unlink (check_find_file ("-cam0")) == 0);
  CHECK_INT ((uintptr_t) check_thread_join (thread), ==, DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
}

static void
consumer_killed (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView views[3];
  for (int i = 0; i < 3; i++)
    views[i] = read_record (consumer);
  (void) views;
  check_ready (parent);
  check_until_killed (parent);
}

static void
both_killed (void)
{
  Life life = small_life (0, 8);
  CheckChild producer_child = start_life (&life);
  CheckChild consumer_child = check_fork_ready (consumer_killed, NULL);
  check_kill (&consumer_child);
  check_kill (&producer_child);
  /* Without a consumer the dead block is adopted all the same, */
  DatahubProducer *producer = adopt (2);
  DatahubConsumerInfo infos[4];
  CHECK_INT (producer_stats (producer).reaped, ==, 1);
  CHECK_INT (datahub_producer_list_consumers (producer, infos, 4), ==, 0);
  /* and its gate and pins are gone: nobody is waited for. */
  for (uint64_t i = 8; i < 100; i++)
    CHECK_OK (try_commit (producer, i, 1000, 0));
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  datahub_producer_close (producer);
}

/* ---- what is not adopted ---- */

static void
expect_replaced (const DatahubProducerOptions *options)
{
  Life life = small_life (0, 2);
  CheckChild child = start_life (&life);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view;
  check_kill (&child);
  DatahubProducer *producer = producer_new ("cam0", options);
  CHECK (!producer_stats (producer).adopted);
  CHECK_INT (producer_stats (producer).incarnation, ==, 1);
  expect_buffers (consumer, 0, 2);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
      DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
  commit_buffers (producer, 0, 2);
  datahub_producer_close (producer);
  check_assert_nothing_left ();
}

static void
other_sizes (void)
{
  static const uint8_t secret[DATAHUB_SECRET_SIZE] = { 1, 2, 3 };
  DatahubProducerOptions options = small_options ();
  options.ring_size = 16;
  expect_replaced (&options);
  options = small_options ();
  options.slots = 17;
  expect_replaced (&options);
  options = small_options ();
  options.max_consumers = 5;
  expect_replaced (&options);
  options = small_options ();
  options.max_pinned = 3;
  expect_replaced (&options);
  options = small_options ();
  options.zone_size = 64;
  expect_replaced (&options);
  options = small_options ();
  options.shared_zone_size = 64;
  expect_replaced (&options);
  options = small_options ();
  options.mode = 0640;
  expect_replaced (&options);
  options = small_options ();
  options.secret = secret;
  expect_replaced (&options);
  options = small_options ();
  options.adopt = false;
  expect_replaced (&options);
}

static void
over_max_bytes (void)
{
  Life life = small_life (0, 2);
  life.size = 100000;
  DatahubProducerOptions options = small_options ();
  options.max_bytes = 16 * 4096;
  leave_dead (&life);
  DatahubProducer *producer = producer_new ("cam0", &options);
  CHECK (!producer_stats (producer).adopted);
  datahub_producer_close (producer);
}

static void
automatic_sizes (void)
{
  Life life = small_life (0, 2);
  DatahubProducerOptions options;
  leave_dead (&life);
  datahub_producer_options_init (&options);
  options.slot_size = 100;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CHECK (producer_stats (producer).adopted);
  CHECK_INT (producer_stats (producer).ring_size, ==, 8);
  datahub_producer_close (producer);
}

static void
secrets (void)
{
  static const uint8_t right[DATAHUB_SECRET_SIZE] = { 7 },
                       wrong[DATAHUB_SECRET_SIZE] = { 8 };
  Life life = small_life (0, 2);
  life.options.secret = right;
  leave_dead (&life);
  DatahubProducer *producer = producer_new ("cam0", &life.options);
  CHECK (producer_stats (producer).adopted);
  datahub_producer_close (producer);
  leave_dead (&life);
  DatahubProducerOptions other = life.options;
  other.secret = wrong;
  producer = producer_new ("cam0", &other);
  CHECK (!producer_stats (producer).adopted);
  datahub_producer_close (producer);
  leave_dead (&life);
  producer = producer_new ("cam0", NULL);
  CHECK (!producer_stats (producer).adopted);
  datahub_producer_close (producer);
}

static void
live_one_is_busy (void)
{
  Life life = small_life (0, 2);
  CheckChild child = start_life (&life);
  DatahubProducer *producer;
  DatahubBlockInfo info;
  char pid[32];
  check_kill (&child);
  child = start_life (&life);
  /* The one that adopted, not the one that made it. */
  CHECK_RESULT (producer_try ("cam0", NULL, &producer), DATAHUB_ERROR_BUSY);
  snprintf (pid, sizeof pid, "(process %d)", (int) child.pid);
  CHECK_CONTAINS (err.message, pid);
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  CHECK_INT (info.producer_pid, ==, child.pid);
  CHECK_INT (info.head, ==, 4);
  check_kill (&child);
  check_allow_files ();
}

/* ---- several at once ---- */

typedef struct
{
  Life life;
  int gate[2];
} Race;

static void
run_race (CheckParent *parent)
{
  const Race *race = parent->data;
  DatahubProducer *producer = NULL;
  char byte;
  close (race->gate[1]);
  CHECK (read (race->gate[0], &byte, 1) == 0); /* the other end is closed */
  DatahubResult result =
      datahub_producer_create ("cam0", &race->life.options, &producer, &err);
  CHECK_INT (result, ==, DATAHUB_OK);
  bool adopted = producer_stats (producer).adopted;
  result = datahub_producer_publish (producer, &err);
  CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_BUSY);
  CHECK_INT (adopted, <=, result == DATAHUB_OK);
  check_tell (parent->out, result == DATAHUB_OK ? 1 + adopted : 0);
  CHECK_HEAR (parent->in, 1);
  datahub_producer_close (producer);
}

static void
two_candidates (void)
{
  for (int round = 0; round < 20; round++) {
    Race race = { .life = small_life (0, 4) };
    CheckChild child = start_life (&race.life), racers[3];
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    uint64_t words[4] = { 0 };
    DatahubView view;
    CHECK (pipe (race.gate) == 0);
    check_kill (&child);
    for (int i = 0; i < 3; i++)
      racers[i] = check_fork (run_race, &race);
    close (race.gate[0]);
    close (race.gate[1]);
    for (int i = 0; i < 3; i++)
      words[check_hear (racers[i].from)]++;
    CHECK_INT (words[2], ==, 1);
    CHECK_INT (words[1], ==, 0);
    for (int i = 0; i < 3; i++) {
      check_tell (racers[i].to, 1);
      check_join (&racers[i]);
    }
    expect_buffers (consumer, 0, 4);
    CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
        DATAHUB_CLOSED);
    datahub_consumer_close (consumer);
  }
}

static void
adopt_at_once (CheckParent *parent)
{
  const Life *life = parent->data;
  DatahubProducer *producer = producer_new ("cam0", &life->options);
  check_ready (parent);
  commit_buffers (producer, life->first, life->n);
  check_until_killed (parent);
}

/* Killed at any moment of its start, by chance; every place between two stores
 * is for the sweep. */
static void
killed_adopting (void)
{
  Life life = small_life (0, 8);
  CheckChild child = start_life (&life);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *live_one =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held[3], view;
  uint64_t seed = check_now_ns ();
  check_note ("seed %llu", (unsigned long long) seed);
  for (int i = 0; i < 3; i++)
    held[i] = read_record (live_one);
  expect_buffers (reliable, 0, 1);
  check_kill (&child);
  Life short_life = small_life (0, 0);
  /* how long a whole one takes here */
  uint64_t whole = check_now_ns ();
  child = check_fork_ready (adopt_at_once, &short_life);
  whole = check_now_ns () - whole;
  check_kill (&child);
  for (int round = 0; round < 300; round++) {
    child = check_fork (adopt_at_once, &short_life);
    seed = seed * UINT64_C (6364136223846793005) + 1442695040888963407u;
    uint64_t until = check_now_ns () + (seed >> 33) % (2 * whole);
    while (check_now_ns () < until)
      ;
    check_kill (&child);
  }
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK (producer_stats (producer).adopted);
  CHECK_INT (producer_stats (producer).incarnation, >, 10);
  CHECK_INT (producer_stats (producer).commits, ==, 8);
  expect_buffers (reliable, 1, 7);
  commit_buffers (producer, 8, 4);
  do {
    view = read_record (reliable);
    datahub_consumer_end_read (reliable, &view);
  } while (view.offset != 11);
  CHECK_INT (consumer_stats (reliable).lost, ==, 0);
  for (uint64_t i = 0; i < 3; i++) {
    check_buffer (&held[i], i, 1000);
    datahub_consumer_end_read (live_one, &held[i]);
  }
  datahub_consumer_close (reliable);
  datahub_consumer_close (live_one);
  datahub_producer_close (producer);
}

/* ---- what others have ---- */

static void
dies_with_a_lock (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubSpinlock *lock;
  CHECK_OK (datahub_producer_open_spinlock (producer, 3, &lock, &err));
  CHECK_OK (datahub_spinlock_lock (lock, 0));
  check_ready (parent);
  check_until_killed (parent);
}

static void
locks_of_the_dead (void)
{
  CheckChild child = check_fork_ready (dies_with_a_lock, NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSpinlock *lock;
  check_kill (&child);
  /* Byte 0 is held again, but not by who had the lock. */
  DatahubProducer *producer = adopt (2);
  CHECK_OK (datahub_consumer_open_spinlock (consumer, 3, &lock, &err));
  CHECK_RESULT (datahub_spinlock_lock (lock, SOON), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
watched (void)
{
  Life life = small_life (0, 1);
  leave_dead (&life);
  DatahubWatch *watch = datahub_watch_new ("cam0");
  CHECK (watch != NULL);
  DatahubProducer *producer = adopt (2);
  /* Well before the rescan. */
  CHECK_OK (datahub_watch_wait (watch, 500 * CHECK_MS));
  datahub_watch_free (watch);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a successor goes on with the block and its consumers", goes_on },
  { "the ring is kept; who joins late begins with the successor", ring_kept },
  { "a reliable consumer loses nothing that was committed",
      reliable_loses_nothing },
  { "a live consumer is told its loss exactly, across both producers",
      exact_loss },
  { "thirty producers die one after the other under their consumers",
      many_lives },
  { "what was not committed is invisible and its slots are free",
      uncommitted_invisible },
  { "leases survive, and their slots are not written to", leases_survive },
  { "slots and contexts of records that left the ring stay while pinned",
      limbo_is_inherited },
  { "sticky records survive and are the context of what follows",
      sticky_survive },
  { "an end of the stream does not end the successor's", eos_is_over },
  { "pools of a block that has grown are taken over, and go in time",
      grown_pools },
  { "a successor with bigger frames grows the block", grows_after },
  { "a slot that was partly packed is never appended to", packed },
  { "batches follow", batches },
  { "nothing is seen before the publication", unpublished },
  { "a successor that was never published leaves the block as it was",
      never_published },
  { "a ring full of what is not published is shown",
      fills_the_ring_unpublished },
  { "nothing is retired before it is shown", short_of_slots_unpublished },
  { "a consumer waits for a successor, asleep, and can be interrupted",
      waits_for_a_successor },
  { "each death is told once", each_death_is_told },
  { "a consumer that waits is told when the block is replaced",
      replaced_meanwhile },
  { "a consumer that waits is told when the name is gone",
      name_gone_meanwhile },
  { "consumers that died with the producer are cleaned away", both_killed },
  { "a block with other sizes, mode or secret is replaced", other_sizes },
  { "a block over max-bytes is replaced", over_max_bytes },
  { "automatic sizes take what is there", automatic_sizes },
  { "a block is adopted with its secret alone", secrets },
  { "a live successor is busy and says who it is", live_one_is_busy },
  { "of candidates at the same moment exactly one adopts", two_candidates },
  { "killed while it adopts, three hundred times, nothing is lost",
      killed_adopting },
  { "user locks of the dead producer are not the successor's",
      locks_of_the_dead },
  { "who watches the name is told", watched },
};
CHECK_MAIN (tests)
