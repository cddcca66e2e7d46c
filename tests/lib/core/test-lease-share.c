/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The share of each consumer: by what the block may grow to, by how many consumers
 * there are, and by what others hold. */
#include "fixture.h"
#include "hostile.h"

#include "core/producer/producer-private.h"

#define SLOTS 16 /* of small_options() */
#define BUDGET 12 /* of them, without those for the ring and for upstream */
#define HELD_MAX 64
#define BUFFER 1000

typedef struct
{
  DatahubConsumer *consumer;
  DatahubView held[HELD_MAX];
  uint32_t n;
} Hoarder;

/* A block that cannot grow beyond its first pool. */
static DatahubProducer *
bounded (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_bytes = SLOTS * 4096;
  return producer_new ("cam0", &options);
}

/* It holds all that it may. */
static Hoarder
hoarder (void)
{
  return (Hoarder){ .consumer = consumer_new_quota ("cam0", false, 1000) };
}

static uint32_t
quota (const Hoarder *hoarder)
{
  return consumer_stats (hoarder->consumer).quota;
}

/* Reads one buffer and keeps it, unless it must be copied. Returns whether it is
 * kept. */
static bool
take (Hoarder *hoarder)
{
  DatahubView view = read_record (hoarder->consumer);
  CHECK_INT (view.lost, ==, 0);
  if (view.must_copy) {
    datahub_consumer_end_read (hoarder->consumer, &view);
    return false;
  }
  CHECK_INT (hoarder->n, <, HELD_MAX);
  hoarder->held[hoarder->n++] = view;
  return true;
}

static void
release (Hoarder *hoarder)
{
  for (uint32_t i = 0; i < hoarder->n; i++) {
    check_buffer (&hoarder->held[i], hoarder->held[i].offset, BUFFER);
    datahub_consumer_end_read (hoarder->consumer, &hoarder->held[i]);
  }
  hoarder->n = 0;
}

static void
end (Hoarder *hoarder)
{
  release (hoarder);
  datahub_consumer_close (hoarder->consumer);
}

static uint64_t number; /* of the next buffer */

/* Each takes each of @n new buffers. */
static void
stream (DatahubProducer *producer, Hoarder *all, uint32_t n_all, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    commit_buffer (producer, number++, BUFFER);
    for (uint32_t k = 0; k < n_all; k++)
      take (&all[k]);
  }
}

/* Commits until the share of @hoarder is @wanted: it is computed again at times. */
static void
await_quota (DatahubProducer *producer, Hoarder *all, uint32_t n_all,
    const Hoarder *hoarder, uint32_t wanted)
{
  uint64_t end = check_now_ns () + (uint64_t) SOON;
  while (quota (hoarder) != wanted && check_now_ns () < end) {
    stream (producer, all, n_all, 1);
    for (uint32_t i = 0; i < n_all; i++)
      release (&all[i]);
  }
  CHECK_INT (quota (hoarder), ==, wanted);
}

static void
end_read_next (Hoarder *hoarder)
{
  DatahubView view = read_record (hoarder->consumer);
  datahub_consumer_end_read (hoarder->consumer, &view);
}

static void
nobody_copies (void)
{
  enum
  {
    CONSUMERS = 12,
    HOLDS = 20
  };
  DatahubProducer *producer = producer_new ("cam0", NULL);
  Hoarder all[CONSUMERS];
  for (int i = 0; i < CONSUMERS; i++)
    all[i] = hoarder ();
  stream (producer, all, CONSUMERS, HOLDS);
  for (int i = 0; i < CONSUMERS; i++)
    CHECK_INT (all[i].n, ==, HOLDS);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  for (int i = 0; i < CONSUMERS; i++)
    end (&all[i]);
  datahub_producer_close (producer);
}

/* However much they hold, a modest one loses nothing, and the producer nothing. */
static void
bounded_loses_nothing (void)
{
  enum
  {
    CONSUMERS = 3
  };
  DatahubProducer *producer = bounded ();
  Hoarder all[CONSUMERS];
  uint32_t held = 0;
  for (int i = 0; i < CONSUMERS; i++)
    all[i] = hoarder ();
  DatahubConsumer *modest = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  for (int i = 0; i < 200; i++) {
    stream (producer, all, CONSUMERS, 1);
    expect_buffer (modest, number - 1, BUFFER);
  }
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  for (int i = 0; i < CONSUMERS; i++) {
    held += all[i].n;
    CHECK_INT (all[i].n, ==, BUDGET / (CONSUMERS + 1) - 1);
    end (&all[i]);
  }
  CHECK_INT (held, >, 0);
  datahub_consumer_close (modest);
  datahub_producer_close (producer);
}

/* What is held stays; a second one has what is left, and both the same when the first
 * has let go. */
static void
shrinks_and_grows (void)
{
  DatahubProducer *producer = bounded ();
  Hoarder all[2] = { hoarder () };
  stream (producer, all, 1, 20);
  CHECK_INT (all[0].n, ==, 8);
  all[1] = hoarder ();
  stream (producer, all, 2, 20);
  CHECK_INT (all[0].n, ==, 8);
  CHECK_INT (all[1].n, ==, BUDGET - 9 - 1);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  release (&all[0]);
  await_quota (producer, all, 2, &all[0], BUDGET / 2 - 1);
  stream (producer, all, 2, 20);
  CHECK_INT (all[0].n, ==, BUDGET / 2 - 1);
  CHECK_INT (all[1].n, ==, BUDGET / 2 - 1);
  end (&all[1]);
  await_quota (producer, all, 1, &all[0], 8);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  end (&all[0]);
  datahub_producer_close (producer);
}

/* A joiner that the share is not computed for copies until it is. The producer of a
 * strict block computes it before the consumer attaches. */
static void
joiner_waits_for_its_share (void)
{
  DatahubProducer *producer = bounded ();
  Hoarder all[2] = { hoarder () };
  CHECK_INT (quota (&all[0]), ==, 8);
  stream (producer, all, 1, 2);
  all[1] = hoarder ();
  if (!is_strict_run ()) {
    CHECK_INT (quota (&all[1]), ==, 0);
    CHECK (!take (&all[1]));
  }
  stream (producer, all, 2, 2);
  CHECK_INT (quota (&all[1]), ==, BUDGET / 2 - 1);
  CHECK_INT (all[1].n, >, 0);
  end (&all[0]);
  end (&all[1]);
  datahub_producer_close (producer);
}

/* Two hold the same buffers: they keep them once. So a third has a share. */
static void
shared_buffers_count_once (void)
{
  DatahubProducer *producer = bounded ();
  Hoarder all[3] = { hoarder (), hoarder () };
  stream (producer, all, 2, 20);
  CHECK_INT (all[0].n, ==, BUDGET / 2 - 1);
  CHECK_INT (all[1].n, ==, BUDGET / 2 - 1);
  all[2] = hoarder ();
  stream (producer, all, 3, 20);
  CHECK_INT (all[2].n, ==, (BUDGET - (BUDGET / 2 - 1)) / 3 - 1);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  for (int i = 0; i < 3; i++)
    end (&all[i]);
  datahub_producer_close (producer);
}

/* The second has what the first leaves, and one in passing of each is left. */
static void
joiner_has_what_is_left (void)
{
  DatahubProducer *producer = bounded ();
  Hoarder all[2] = { hoarder () };
  stream (producer, all, 1, 6);
  all[1] = hoarder ();
  stream (producer, &all[1], 1, 1);
  CHECK_INT (quota (&all[1]), ==, BUDGET - (6 + 1) - 1);
  end (&all[0]);
  end (&all[1]);
  datahub_producer_close (producer);
}

/* A lease counts as its consumer counts it: the memories of a buffer, not its metas;
 * an event keeps no slot. */
static void
counts_as_consumers_do (void)
{
  static const char metas[1000];
  DatahubProducer *producer = bounded ();
  Hoarder all[2] = { hoarder () };
  DatahubView events[2];
  DatahubSlot slot;
  for (int i = 0; i < 6; i++) {
    DatahubCommit commit;
    fill_slot (producer, number, BUFFER, &slot);
    commit = buffer_record (&slot, number++, BUFFER);
    commit.meta = metas;
    commit.meta_size = sizeof metas;
    CHECK_OK (datahub_producer_commit (producer, &commit, SOON, NULL, &err));
    CHECK (take (&all[0]));
  }
  for (int i = 0; i < 2; i++) {
    commit_event (producer, DATAHUB_RECORD_EVENT, "event");
    events[i] = read_record (all[0].consumer);
  }
  all[1] = hoarder ();
  stream (producer, &all[1], 1, 1);
  CHECK_INT (quota (&all[1]), ==, BUDGET - (6 + 1) - 1);
  for (int i = 0; i < 2; i++)
    datahub_consumer_end_read (all[0].consumer, &events[i]);
  end (&all[0]);
  end (&all[1]);
  datahub_producer_close (producer);
}

/* Before the producer looks. */
static void
joiners_at_once (void)
{
  enum
  {
    CONSUMERS = 8
  };
  DatahubProducer *producer = producer_new ("cam0", NULL);
  Hoarder all[CONSUMERS];
  uint32_t records = producer->block.g.n_recs
      - (uint32_t) geometry_records_kept (producer->block.g.ring_size);
  for (int i = 0; i < CONSUMERS; i++) {
    all[i] = hoarder ();
    if (!is_strict_run ())
      CHECK_INT (quota (&all[i]), ==, records / CONSUMERS / 2 - 1);
    CHECK_INT (quota (&all[i]), >=, 8);
  }
  for (int i = 0; i < CONSUMERS; i++)
    end (&all[i]);
  datahub_producer_close (producer);
}

/* Pins of records that are not there are no slots, and nothing behind the last record
 * is looked at. */
static void
pins_beyond_the_records (void)
{
  if (is_strict_run ())
    check_skip ("the memory of a strict block has no name");
  DatahubProducer *producer = bounded ();
  Intrusion con = intrude (".con");
  const Geometry *g = &producer->block.g;
  Hoarder all[2] = { hoarder () };
  ConsumerRow *row = (ConsumerRow *) (con.bytes + g->rows_off);
  CHECK_INT (g->n_recs % 64, !=, 0);
  row->pins[g->pin_words - 1] = UINT64_MAX << g->n_recs % 64;
  all[1] = hoarder ();
  stream (producer, &all[1], 1, 1);
  CHECK_INT (quota (&all[1]), ==, BUDGET / 2 - 1);
  row->pins[g->pin_words - 1] = 0;
  end (&all[0]);
  end (&all[1]);
  intrusion_end (&con);
  datahub_producer_close (producer);
}

/* Not for more consumers than the block has rows for. */
static void
counts_no_more_than_there_may_be (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_pinned = 20;
  options.max_consumers = 4;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CHECK_INT (SHARE_COUNTED (producer->block.header->share), ==, 4);
  datahub_producer_close (producer);
}

/* More only for a consumer that asks for more: the space that a block may grow to is
 * not reserved. */
static void
eight_by_default (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  Hoarder all[1] = {
    { .consumer = consumer_new ("cam0", false, DATAHUB_START_OLDEST) }
  };
  CHECK_INT (quota (&all[0]), ==, 8);
  stream (producer, all, 1, 20);
  CHECK_INT (all[0].n, ==, 8);
  end (&all[0]);
  datahub_producer_close (producer);
}

/* The share is one of slots of the biggest size, and follows a growth at once. */
static void
follows_bigger_slots (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_bytes = 1 << 20;
  DatahubProducer *producer = producer_new ("cam0", &options);
  Hoarder all[1] = { hoarder () };
  uint32_t before;
  stream (producer, all, 1, 1);
  before = quota (&all[0]);
  commit_buffer (producer, number++, 65536);
  end_read_next (&all[0]);
  stream (producer, all, 1, 1);
  CHECK_INT (quota (&all[0]), <, before);
  CHECK_INT (quota (&all[0]), <=, (1 << 20) / 65536);
  end (&all[0]);
  datahub_producer_close (producer);
}

/* Of a record that is free nothing is kept. */
static void
pins_of_free_records (void)
{
  if (is_strict_run ())
    check_skip ("the memory of a strict block has no name");
  DatahubProducer *producer = bounded ();
  Intrusion con = intrude (".con");
  Hoarder all[2] = { hoarder () };
  ConsumerRow *row = (ConsumerRow *) (con.bytes + producer->block.g.rows_off);
  row->pins[2] = UINT64_MAX;
  all[1] = hoarder ();
  stream (producer, &all[1], 1, 1);
  CHECK_INT (quota (&all[1]), ==, BUDGET / 2 - 1);
  row->pins[2] = 0;
  end (&all[0]);
  end (&all[1]);
  intrusion_end (&con);
  datahub_producer_close (producer);
}

/* Both of the producer and of the consumer. */
static void
never_more_than_asked (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_pinned = 3;
  DatahubProducer *producer = producer_new ("cam0", &options);
  Hoarder all[2] = { hoarder () };
  all[1] = (Hoarder){ .consumer = consumer_new_quota ("cam0", false, 2) };
  stream (producer, all, 2, 20);
  CHECK_INT (all[0].n, ==, 3);
  CHECK_INT (all[1].n, ==, 2);
  end (&all[0]);
  end (&all[1]);
  datahub_producer_close (producer);
}

/* Loans of upstream beyond those that are kept for it are no slots to hold. */
static void
loans_reduce_it (void)
{
  enum
  {
    LOANS = 8
  };
  DatahubProducer *producer = bounded ();
  DatahubSlot loans[LOANS];
  for (int i = 0; i < LOANS; i++)
    CHECK_OK (datahub_producer_acquire_slot (producer, BUFFER, 0, &loans[i],
        &err));
  Hoarder all[1] = { hoarder () };
  stream (producer, all, 1, 30);
  /* one more is being filled; the ring keeps two, and one is in passing */
  CHECK_INT (all[0].n, ==, SLOTS - LOANS - 1 - 2 - 1);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  for (int i = 0; i < LOANS; i++)
    datahub_producer_abort (producer, &loans[i]);
  end (&all[0]);
  datahub_producer_close (producer);
}

/* The consumers of a block without a share take what the others leave. */
static void
quotas_without_a_share (void)
{
  if (is_strict_run ())
    check_skip ("the memory of a strict block has no name");
  DatahubProducer *producer = bounded ();
  Intrusion ctl = intrude (".ctl");
  Intrusion con = intrude (".con");
  Hoarder all[3], liar;
  ((BlockHeader *) ctl.bytes)->share = 0;
  /* a row with a quota that no consumer takes does not count */
  liar = hoarder ();
  ((ConsumerRow *) (con.bytes + producer->block.g.rows_off))->quota = 9;
  for (int i = 0; i < 3; i++)
    all[i] = hoarder ();
  CHECK_INT (quota (&all[0]), ==, 8);
  CHECK_INT (quota (&all[1]), ==, BUDGET - 9 - 1);
  CHECK_INT (quota (&all[2]), ==, 0);
  for (int i = 0; i < 3; i++)
    end (&all[i]);
  end (&liar);
  intrusion_end (&con);
  intrusion_end (&ctl);
  datahub_producer_close (producer);
}

/* Though the share does not change. */
static void
joiner_takes_the_place_of_another (void)
{
  if (is_strict_run ())
    check_skip ("the producer of a strict block counts");
  DatahubProducer *producer = bounded ();
  Hoarder all[2] = { hoarder () };
  for (int i = 0; i < 3; i++)
    commit_buffer (producer, number++, BUFFER);
  all[1] = hoarder ();
  CHECK (!take (&all[1]));
  CHECK_INT (quota (&all[1]), ==, 0);
  end (&all[0]);
  CHECK (take (&all[1]));
  CHECK_INT (quota (&all[1]), ==, 8);
  end (&all[1]);
  datahub_producer_close (producer);
}

/* What no producer states. */
static void
impossible_share (void)
{
  if (is_strict_run ())
    check_skip ("the memory of a strict block has no name");
  DatahubProducer *producer = bounded ();
  Intrusion ctl = intrude (".ctl");
  Hoarder all[1];
  ((BlockHeader *) ctl.bytes)->share = SHARE_WORD (UINT32_MAX - 1, UINT32_MAX);
  all[0].consumer = consumer_new_quota ("cam0", false, UINT32_MAX);
  all[0].n = 0;
  CHECK_INT (quota (&all[0]), ==, producer->block.g.n_recs);
  end (&all[0]);
  intrusion_end (&ctl);
  datahub_producer_close (producer);
}

static void
few_slots (void)
{
  DatahubProducerOptions options = small_options ();
  options.slots = 8;
  options.max_bytes = 8 * 4096;
  DatahubProducer *producer = producer_new ("cam0", &options);
  Hoarder first = hoarder ();
  CHECK_INT (quota (&first), ==, 8 - 2 - 2 - 1);
  end (&first);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "no consumer copies where the block may grow", nobody_copies },
  { "where it may not, each has a part and nothing is lost",
      bounded_loses_nothing },
  { "a share shrinks with a joiner, and grows when slots are let go",
      shrinks_and_grows },
  { "a joiner that is not counted copies until it is",
      joiner_waits_for_its_share },
  { "a joiner has what the others leave", joiner_has_what_is_left },
  { "joiners at once have a share before the producer looks", joiners_at_once },
  { "buffers that several hold are counted once", shared_buffers_count_once },
  { "leases count as their consumers count them", counts_as_consumers_do },
  { "of few slots the first consumer has its share at once", few_slots },
  { "a joiner takes the place of one that left",
      joiner_takes_the_place_of_another },
  { "a share that no producer states is at most all records",
      impossible_share },
  { "eight slots are held by default", eight_by_default },
  { "a share follows bigger slots", follows_bigger_slots },
  { "pins of free records keep nothing", pins_of_free_records },
  { "pins beyond the records are ignored", pins_beyond_the_records },
  { "a share is at most what either side asked for", never_more_than_asked },
  { "a share is for at most as many consumers as there may be",
      counts_no_more_than_there_may_be },
  { "what upstream has on loan is no part of it", loans_reduce_it },
  { "consumers of a block without a share have quotas",
      quotas_without_a_share },
};
CHECK_MAIN (tests)
