/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients of a strict block: what one leaves behind is not the next one's, and
 * what one needs it keeps. */
#include "strict.h"
#include "strict-requests.h"

#include "core/consumer/consumer-private.h"
#include "core/producer/producer-private.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* More than the server has places for. */
#define HANGERS_ON 400

static void
hang_on (CheckParent *parent)
{
  const char *uuid = parent->data;
  StrictHello hello = strict_request_greeting (uuid);
  for (int i = 0; i < HANGERS_ON; i++) {
    StrictRequest request = strict_request_call (uuid, &hello, sizeof hello);
    CHECK_INT (request.answer.status, ==, STRICT_GRANTED);
    for (uint32_t k = 0; k < request.n_fds; k++)
      close (request.fds[k]);
  }
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

/* Clients that give their row back and never hang up. */
static void
hangers_on (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  uint32_t fds = check_count_fds ();
  CheckChild child = check_fork (hang_on, uuid);
  CHECK_HEAR (child.from, 1);
  CHECK_OK (consumer_try ("cam0"));
  CHECK_UNTIL (check_count_fds () <= fds + producer->block.g.max_rows);
  check_tell (child.to, 1);
  check_join (&child);
  CHECK_UNTIL (check_count_fds () <= fds);
  datahub_producer_close (producer);
}

static void *
commit_nine (void *data)
{
  commit_buffers (data, 0, 9); /* one more than the ring has words */
  return NULL;
}

static ConsumerRow *
map_row (const StrictRequest *request)
{
  ConsumerRow *row = mmap (NULL, BLOCK_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
      request->fds[STRICT_FDS_ROW], 0);
  CHECK (row != MAP_FAILED);
  return row;
}

/* One follows the other before the producer looks at the gates again. */
static StrictRequest
follow_at_once (DatahubProducer *producer, StrictRequest *first,
    const StrictHello *hello, ConsumerRow **row)
{
  pthread_mutex_lock (&producer->lock);
  strict_request_leave (first);
  StrictRequest next = {
    .fd = strict_request_knock (datahub_producer_get_uuid (producer))
  };
  CHECK (os_send (next.fd, hello, sizeof *hello, NULL, 0));
  bool at_once = os_wait_readable (next.fd, -1, 20 * CHECK_MS);
  if (!at_once)
    pthread_mutex_unlock (&producer->lock);
  strict_request_hear (&next);
  CHECK_INT (next.answer.row, ==, first->answer.row);
  *row = map_row (&next);
  CHECK_INT ((*row)->incarnation, ==, 1); /* and 2 once it is there */
  store_seq (&(*row)->gate, GATE_WORD (2, 0));
  if (at_once)
    pthread_mutex_unlock (&producer->lock);
  return next;
}

/* The client before knew what the gate of the next one would say, and stood in
 * the way with it: the next one has all of block-timeout, all the same. */
static void
stall_is_not_inherited (void)
{
  DatahubProducerOptions options = strict_options (NULL);
  options.block_timeout_ns = 80 * ROOM_SLICE_NS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  const char *uuid = datahub_producer_get_uuid (producer);
  StrictHello hello = strict_request_greeting (uuid);
  StrictRequest first = strict_request_call (uuid, &hello, sizeof hello);
  ConsumerRow *row = map_row (&first);
  DatahubConsumer *holder = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  store_seq (&row->gate, GATE_WORD (2, 0));
  CheckThread *thread = check_thread (commit_nine, producer);
  CHECK_UNTIL (producer_stats (producer).waits >= 40);
  munmap (row, BLOCK_PAGE);
  StrictRequest next = follow_at_once (producer, &first, &hello, &row);
  CHECK_UNTIL (producer_stats (producer).evictions > 0);
  CHECK_INT (GATE_SEQUENCE (load_seq (&holder->row->gate)), ==, GATE_EVICTED);
  CHECK_INT (load_seq (&row->gate), ==, GATE_WORD (2, 0));
  store_seq (&row->gate, GATE_WORD (2, GATE_OPEN));
  check_thread_join (thread);
  munmap (row, BLOCK_PAGE);
  strict_request_leave (&next);
  datahub_consumer_close (holder);
  datahub_producer_close (producer);
}

/* Pools come and go while a consumer looks away, and one that came first stays:
 * that of the bodies of events. */
static void
old_pool_stays (uint32_t n_frames)
{
  DatahubProducerOptions options = strict_options (NULL);
  DatahubView view, caps_view;
  static char caps[20000]; /* no slot that there is takes it */
  /* room for a pool, and for one of slots a page bigger beside it */
  options.max_bytes = 4096 * BLOCK_PAGE;
  options.slots = 8;
  options.ring_size = 4;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  commit_buffer (producer, 0, 1000);
  expect_buffer (consumer, 0, 1000);
  memset (caps, 'c', sizeof caps - 1);
  commit_event (producer, DATAHUB_RECORD_CAPS, caps);
  commit_buffer (producer, 1, 277 * BLOCK_PAGE);
  commit_buffer (producer, 2, 278 * BLOCK_PAGE);
  for (uint32_t n = 0; n < n_frames; n++)
    commit_buffer (producer, 3 + n, (417 + n) * BLOCK_PAGE);
  CHECK_INT (producer_stats (producer).growths, >, 2 * MAX_POOLS);
  CHECK_OK (datahub_consumer_begin_read (consumer, SOON, &view, &err));
  CHECK_OK (datahub_consumer_get_context (consumer, &view, DATAHUB_CONTEXT_CAPS,
      &caps_view, &err));
  CHECK_INT (caps_view.meta_size, ==, sizeof caps);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
looks_away_for_long (void)
{
  /* the newest pool is on either side of it in the table */
  old_pool_stays (40);
  old_pool_stays (41);
}

static void
publish_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = strict_producer (NULL);
  check_tell (parent->out, 1);
  check_hear (parent->in);
  datahub_producer_close (producer);
}

static void
locks_and_waits (CheckParent *parent)
{
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSpinlock *lock;
  CHECK_OK (datahub_consumer_open_spinlock (consumer, 3, &lock, &err));
  CHECK_OK (datahub_spinlock_lock (lock, SOON));
  check_tell (parent->out, 1);
  check_hear (parent->in);
  CHECK_OK (datahub_spinlock_unlock (lock));
  check_tell (parent->out, 2);
  check_hear (parent->in);
  CHECK_OK (datahub_spinlock_lock (lock, SOON));
  check_tell (parent->out, 3);
  check_hear (parent->in);
}

/* With the producer dead nobody tells who lives, but the kernel. */
static void
locks_after_the_producer (void)
{
  CheckChild producer = check_fork (publish_and_wait, NULL);
  CHECK_HEAR (producer.from, 1);
  CheckChild owner = check_fork (locks_and_waits, NULL);
  CHECK_HEAR (owner.from, 1);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSpinlock *lock;
  CHECK_OK (datahub_consumer_open_spinlock (consumer, 3, &lock, &err));
  check_kill (&producer);
  /* its owner lives */
  CHECK_RESULT (datahub_spinlock_lock (lock, 50 * CHECK_MS), DATAHUB_TIMEOUT);
  check_tell (owner.to, 1);
  CHECK_HEAR (owner.from, 2);
  CHECK_OK (datahub_spinlock_lock (lock, SOON));
  CHECK_OK (datahub_spinlock_unlock (lock));
  check_tell (owner.to, 1);
  CHECK_HEAR (owner.from, 3);
  CHECK_RESULT (datahub_spinlock_lock (lock, 0), DATAHUB_TIMEOUT);
  check_kill (&owner);
  CHECK_RESULT (datahub_spinlock_lock (lock, SOON), DATAHUB_OWNER_DIED);
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  datahub_consumer_close (consumer);
}

/* Pools that came and went while a client did something else are let go of. */
static void
pools_that_went (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  uint64_t size = 4096;
  commit_buffer (producer, 0, size);
  expect_buffer (consumer, 0, size);
  for (uint64_t i = 1; i < 5; i++) {
    size *= 2;
    /* more than the ring keeps, so the pool before goes */
    for (uint64_t k = 0; k < 20; k++)
      commit_buffer (producer, 100 * i + k, size);
  }
  CHECK_INT (producer_stats (producer).growths, ==, 4);
  expect_buffer (consumer, 419, size);
  CHECK_INT (consumer->block.access->n_pools, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "who gives its row back and stays in the server takes nobody's place",
      hangers_on },
  { "a client is not evicted for what the last owner of its row did",
      stall_is_not_inherited },
  { "a pool that stays is not forgotten over many that went",
      looks_away_for_long },
  { "a lock of a consumer that died after the producer is taken from it",
      locks_after_the_producer },
  { "a client keeps no pool that it never saw", pools_that_went },
};
CHECK_MAIN (tests)
