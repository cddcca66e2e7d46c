/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joining a block whose producer is dead: all that is left of it can be had. */
#include "fixture.h"
#include "hostile.h"

#include <string.h>

static void
commit_and_die (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, (uint32_t) (uintptr_t) parent->data);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

/* @n: buffers that it commits; the ring keeps 8. */
static void
leave_dead (uint32_t n)
{
  CheckChild child = check_fork (commit_and_die, (const void *) (uintptr_t) n);
  CHECK_HEAR (child.from, 1);
  check_kill (&child);
}

static void
expect_all (uint64_t first, bool reliable)
{
  DatahubConsumer *consumer =
      consumer_new ("cam0", reliable, DATAHUB_START_OLDEST);
  DatahubView view;
  expect_buffers (consumer, first, (uint32_t) (20 - first));
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
      DATAHUB_PRODUCER_LOST);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
}

/* A producer claims several records at once (a quarter of the ring): those that
 * it had claimed and not retired are there. */
static void
claimed_by_the_dead (void)
{
  for (uint32_t n = 17; n < 21; n++) {
    leave_dead (n);
    DatahubConsumer *live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
    DatahubConsumer *reliable =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    expect_buffers (live, n - 8, 8);
    expect_buffers (reliable, n - 8, 8);
    datahub_consumer_close (live);
    datahub_consumer_close (reliable);
    CHECK_INT (check_count_files (), ==, 0);
  }
}

/* Its successor waits for who joined before it came. */
static void
gate_before_the_heir (void)
{
  DatahubView view;
  leave_dead (17);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK (producer_stats (producer).adopted);
  CHECK_RESULT (try_commit (producer, 17, 1000, 0), DATAHUB_TIMEOUT);
  for (uint64_t i = 0; i < 30; i++) {
    expect_buffer (consumer, 9 + i, 1000);
    commit_buffer (producer, 17 + i, 1000);
  }
  expect_buffers (consumer, 39, 8);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_TIMEOUT);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Killed behind the retirement of a record, before the store of `tail`. Returns
 * the oldest record that is left. */
static uint64_t
leave_half_retired (void)
{
  leave_dead (20);
  Intrusion ctl = intrude (".ctl");
  BlockHeader *header = (BlockHeader *) ctl.bytes;
  const BlockSection *sections =
      (const BlockSection *) (ctl.bytes + sizeof *header);
  uint64_t tail = load_seq (&header->tail);
  CHECK_INT (tail, ==, 12);
  for (uint32_t i = 0; i < SECTIONS_MAX; i++)
    if (sections[i].kind == SECTION_RING)
      store_seq ((shared_u64 *) (ctl.bytes + sections[i].offset) + tail % 8,
          RING_WORD (tail, RECORD_NONE));
  store_seq (&header->tail_claim, tail + 2);
  intrusion_end (&ctl);
  return tail + 1;
}

static void
retired_by_the_dead (void)
{
  expect_all (leave_half_retired (), false);
  expect_all (leave_half_retired (), true);
}

static const CheckTest tests[] = {
  { "what a dead producer had claimed can be had", claimed_by_the_dead },
  { "its successor waits for who joined before it", gate_before_the_heir },
  { "who joins begins behind what was half retired", retired_by_the_dead },
};
CHECK_MAIN (tests)
