/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A forked child has copies of its parent's handles and must not act on them.
 */
#include "fixture.h"

static DatahubProducer *producer;
static DatahubConsumer *consumer;
static DatahubView view;
static DatahubSlot slot;

static void
set_up (void)
{
  producer = producer_new ("cam0", NULL);
  consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 2);
  view = read_record (consumer);
  fill_slot (producer, 2, 1000, &slot);
}

/* The parent's block is as it was: same lock, same row, same pins. */
static void
tear_down (void)
{
  DatahubProducer *second;
  CHECK_RESULT (producer_try ("cam0", NULL, &second), DATAHUB_ERROR_BUSY);
  check_buffer (&view, 0, 1000);
  DatahubCommit record = buffer_record (&slot, 2, 1000);
  CHECK_OK (datahub_producer_commit (producer, &record, 0, NULL, &err));
  datahub_consumer_end_read (consumer, &view);
  expect_buffers (consumer, 1, 2);
  /* Its row still gates. */
  commit_buffers (producer, 3, 8);
  CHECK_RESULT (try_commit (producer, 11, 1000, 0), DATAHUB_TIMEOUT);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
uses_everything (CheckParent *parent)
{
  DatahubSlot other;
  DatahubView read;
  uint32_t seen = 0;
  DatahubCommit record = buffer_record (&slot, 9, 10);
  CHECK_RESULT (datahub_producer_acquire_slot (producer, 10, 0, &other, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_commit (producer, &record, 0, NULL, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_commit_batch (producer, &record, 1, 0, NULL,
                    &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_publish (producer, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_flush (producer), DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_wait_consumers (producer, 1, 0),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_wait_attention (producer, &seen, 0),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &read, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_wait (consumer, 0), DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_rejoin (consumer, &err), DATAHUB_ERROR_FORKED);
}

static void
every_call (void)
{
  set_up ();
  CheckChild child = check_fork (uses_everything, NULL);
  check_join (&child);
  tear_down ();
}

static void
closes_everything (CheckParent *parent)
{
  datahub_producer_abort (producer, &slot);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
closing (void)
{
  set_up ();
  CheckChild child = check_fork (closes_everything, NULL);
  check_join (&child);
  tear_down ();
}

static void
only_exits (CheckParent *parent)
{
}

static void
exiting (void)
{
  set_up ();
  CheckChild child = check_fork (only_exits, NULL);
  check_join (&child);
  tear_down ();
}

static void
lives_on (CheckParent *parent)
{
  check_ready (parent);
  check_hear (parent->in);
}

/* A child that lives on must not keep the parent's block alive. */
static void
outlived (void)
{
  set_up ();
  CheckChild child = check_fork_ready (lives_on, NULL);
  datahub_consumer_end_read (consumer, &view);
  datahub_producer_abort (producer, &slot);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
  datahub_producer_close (producer_new ("cam0", NULL));
  check_tell (child.to, 1);
  check_join (&child);
}

static void
own_handles (CheckParent *parent)
{
  DatahubConsumer *own = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_buffers (own, 0, 2);
  datahub_consumer_close (own);
}

static void
attaches_anew (void)
{
  set_up ();
  CheckChild child = check_fork (own_handles, NULL);
  check_join (&child);
  tear_down ();
}

static const CheckTest tests[] = {
  { "every call on a parent's handle is refused in the child", every_call },
  { "closing a parent's handle in the child changes nothing", closing },
  { "a child that only exits changes nothing", exiting },
  { "a child that lives on keeps nothing of the parent's", outlived },
  { "a child can attach on its own", attaches_anew },
};
CHECK_MAIN (tests)
