/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which dead block a new producer adopts and which it replaces, and that of a live
 * one it gets neither. */
#include "life.h"

#include <stdio.h>

static void
expect_replaced (const DatahubProducerOptions *options)
{
  Life life = small_life (0, 2);
  DatahubConsumer *consumer = orphan_of (&life, true);
  DatahubProducer *producer = producer_new ("cam0", options);
  CHECK (!producer_stats (producer).adopted);
  CHECK_INT (producer_stats (producer).incarnation, ==, 1);
  expect_buffers (consumer, 0, 2);
  expect_outcome (consumer, DATAHUB_CLOSED);
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
  options.mode = 0400;
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

static const CheckTest tests[] = {
  { "a block with other sizes, mode or secret is replaced", other_sizes },
  { "a block over max-bytes is replaced", over_max_bytes },
  { "automatic sizes take what is there", automatic_sizes },
  { "a block is adopted with its secret alone", secrets },
  { "a live successor is busy and says who it is", live_one_is_busy },
};
CHECK_MAIN (tests)
