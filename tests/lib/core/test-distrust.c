/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has the row next is not blamed for what its last owner did. */
#include "hostile.h"

static void
attach_and_wait (CheckParent *parent)
{
  consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

/* Nobody cleans the row or sees its gate open before the next owner comes. */
static void
next_owner (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 50 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  Intrusion con = intrude (".con");
  commit_buffers (producer, 0, 20);
  CheckChild child = check_fork (attach_and_wait, NULL);
  CHECK_HEAR (child.from, 1);
  Wobble w = {
    .word = &((ConsumerRow *) (con.bytes + BLOCK_PAGE))->gate,
  };
  CheckThread *thread = check_thread (wobble, &w);
  CHECK_UNTIL (GATE_SEQUENCE (atomic_load (w.word)) <= 8);
  commit_buffers (producer, 20, 5);
  CHECK_INT (producer_stats (producer).waits, >, 0);
  check_kill (&child);
  atomic_store (&w.stop, 1);
  check_thread_join (thread);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  expect_buffer (consumer, 24, 1000);
  for (uint64_t i = 25; i < 50; i++) {
    commit_buffer (producer, i, 1000);
    expect_buffer (consumer, i, 1000);
  }
  /* and it is waited for */
  commit_buffers (producer, 50, 8);
  CHECK_RESULT (try_commit (producer, 58, 1000, CHECK_MS), DATAHUB_TIMEOUT);
  expect_buffers (consumer, 50, 8);
  datahub_consumer_close (consumer);
  intrusion_end (&con);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "the next owner of a row is believed", next_owner },
};
CHECK_MAIN (tests)
