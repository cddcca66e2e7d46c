/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leases and loans: what keeps memory, for how long, and how much of it. */
#include "account.h"
#include "fixture.h"

static void
never_overwritten (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 3);
  DatahubView held[3];
  commit_buffers (producer, 0, 3);
  for (int i = 0; i < 3; i++)
    held[i] = read_record (consumer);
  commit_buffers (producer, 3, 2000);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  for (uint64_t i = 0; i < 3; i++) {
    check_buffer (&held[i], i, 1000);
    CHECK (!held[i].must_copy);
    datahub_consumer_end_read (consumer, &held[i]);
  }
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
quota (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 2);
  CHECK_INT (consumer_stats (consumer).quota, ==, 2);
  commit_buffers (producer, 0, 5);
  DatahubView a = read_record (consumer), b = read_record (consumer);
  CHECK (!a.must_copy && !b.must_copy);
  CHECK_INT (consumer_stats (consumer).pinned, ==, 2);
  DatahubView c = read_record (consumer);
  CHECK (c.must_copy);
  check_buffer (&c, 2, 1000);
  CHECK_INT (consumer_stats (consumer).over_quota, ==, 1);
  datahub_consumer_end_read (consumer, &c);
  datahub_consumer_end_read (consumer, &a);
  DatahubView d = read_record (consumer);
  CHECK (!d.must_copy);
  check_buffer (&d, 3, 1000);
  check_buffer (&b, 1, 1000);
  datahub_consumer_end_read (consumer, &b);
  datahub_consumer_end_read (consumer, &d);
  CHECK_INT (consumer_stats (consumer).pinned, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* However much consumers ask for, what is granted leaves the producer room:
 * with every granted slot held it still commits, and nobody else loses. */
#define N_GREEDY 3
#define MAX_HELD 16

typedef struct
{
  DatahubConsumer *consumer;
  DatahubView held[MAX_HELD];
  uint32_t n_held;
} Greedy;

static void
take_one (Greedy *greedy)
{
  DatahubView view = read_record (greedy->consumer);
  if (view.must_copy) {
    datahub_consumer_end_read (greedy->consumer, &view);
    return;
  }
  CHECK_INT (greedy->n_held, <, MAX_HELD);
  greedy->held[greedy->n_held++] = view;
}

static void
let_go (Greedy *greedy)
{
  for (uint32_t i = 0; i < greedy->n_held; i++) {
    check_buffer (&greedy->held[i], greedy->held[i].offset, 1000);
    datahub_consumer_end_read (greedy->consumer, &greedy->held[i]);
  }
  datahub_consumer_close (greedy->consumer);
}

static void
greedy (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_bytes = 16 * 4096;
  DatahubProducer *producer = producer_new ("cam0", &options);
  Greedy greedy[N_GREEDY] = { 0 };
  uint32_t n_held = 0;
  for (int i = 0; i < N_GREEDY; i++)
    greedy[i].consumer = consumer_new_quota ("cam0", false, 1000);
  DatahubConsumer *modest = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  for (uint64_t n = 0; n < 200; n++) {
    commit_buffer (producer, n, 1000);
    for (int i = 0; i < N_GREEDY; i++)
      take_one (&greedy[i]);
    expect_buffer (modest, n, 1000);
  }
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  for (int i = 0; i < N_GREEDY; i++) {
    n_held += greedy[i].n_held;
    let_go (&greedy[i]);
  }
  CHECK_INT (n_held, >, 0);
  datahub_consumer_close (modest);
  datahub_producer_close (producer);
}

static void
lease_outlives_close (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 2);
  DatahubView a = read_record (consumer), b = read_record (consumer);
  datahub_consumer_close (consumer);
  /* Gone for the producer's count, not for its memory. */
  CHECK_INT (datahub_producer_wait_consumers (producer, 1, 0), ==,
      DATAHUB_TIMEOUT);
  commit_buffers (producer, 2, 1000);
  check_buffer (&a, 0, 1000);
  datahub_consumer_end_read (consumer, &a);
  check_buffer (&b, 1, 1000);
  datahub_consumer_end_read (consumer, &b);
  commit_buffers (producer, 1002, 100);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  datahub_producer_close (producer);
}

static void
lease_outlives_producer (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 1);
  DatahubView view = read_record (consumer);
  datahub_producer_close (producer);
  datahub_consumer_close (consumer);
  check_buffer (&view, 0, 1000);
  datahub_consumer_end_read (consumer, &view);
}

static void *
end_elsewhere (void *data)
{
  void **both = data;
  datahub_consumer_end_read (both[0], both[1]);
  return NULL;
}

static void
ended_by_another_thread (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 1);
  DatahubView view = read_record (consumer);
  datahub_consumer_close (consumer);
  void *both[] = { consumer, &view };
  check_thread_join (check_thread (end_elsewhere, both));
  datahub_producer_close (producer);
}

static void
loan_outlives_close (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubSlot a, b;
  fill_slot (producer, 5, 4096, &a);
  fill_slot (producer, 6, 4096, &b);
  datahub_producer_close (producer);
  /* Upstream may still write and read what it was lent. */
  pattern_fill (a.data, 4096, 7);
  CHECK_INT (pattern_mismatch (a.data, 4096, 7), ==, PATTERN_MATCHES);
  CHECK_INT (pattern_mismatch (b.data, 4096, 6), ==, PATTERN_MATCHES);
  datahub_producer_abort (producer, &a);
  datahub_producer_abort (producer, &b);
}

/* Nobody can take the name before the last loan is back, for its holder may
 * still write; then anybody can. */
static void
loan_keeps_the_lock (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  fill_slot (producer, 5, 4096, &slot);
  commit_buffers (producer, 0, 2);
  datahub_producer_close (producer);
  /* Closed for readers at once. */
  expect_buffers (consumer, 0, 2);
  expect_outcome (consumer, DATAHUB_CLOSED);
  datahub_producer_abort (producer, &slot);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer_new ("cam0", NULL));
}

static void
hoards_and_waits (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 8);
  check_ready (parent);
  uint32_t n = 0;
  for (;;) {
    DatahubView view = read_record (consumer);
    if (view.must_copy)
      break;
    n++;
  }
  check_tell (parent->out, n);
  check_until_killed (parent);
}

static void
killed_hoarder (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (hoards_and_waits, NULL);
  uint64_t i = 0;
  /* One at a time, so that it gets each. */
  while (!check_has_word (child.from))
    commit_buffer (producer, i++, 1000);
  CHECK_INT (check_hear (child.from), >, 0);
  commit_buffers (producer, i, 100);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  check_kill (&child);
  /* Its slots are back: without a consumer all but the ring's are free. A server
   * counts the row before it cleans it, and lists it until then. */
  DatahubConsumerInfo info;
  uint32_t seen = 0;
  uint64_t start = check_now_ns ();
  while (producer_stats (producer).reaped == 0
      || datahub_producer_list_consumers (producer, &info, 1) > 0) {
    commit_buffers (producer, i += 100, 100);
    datahub_producer_wait_attention (producer, &seen, 10 * CHECK_MS);
    CHECK_INT (check_now_ns () - start, <, (uint64_t) SOON);
  }
  commit_buffers (producer, i + 100, 100);
  DatahubSlot slots[14];
  for (int j = 0; j < 14; j++)
    CHECK_OK (datahub_producer_acquire_slot (producer, 4096, 0, &slots[j],
        &err));
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  for (int j = 0; j < 14; j++)
    datahub_producer_abort (producer, &slots[j]);
  datahub_producer_close (producer);
}

/* Loans count too: a pipeline may hold many and still get more, by growth,
 * until max-bytes says no. */
static void
all_loaned (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_bytes = 16 * 4096;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubSlot slots[17];
  uint32_t n = 0;
  DatahubResult result;
  while ((result = datahub_producer_acquire_slot (producer, 4096, 0, &slots[n],
              &err))
      == DATAHUB_OK) {
    pattern_fill (slots[n].data, 4096, n);
    n++;
    CHECK_INT (n, <=, 16);
  }
  CHECK_RESULT (result, DATAHUB_DROPPED);
  CHECK_INT (producer_stats (producer).dropped, ==, 0); /* no buffer was */
  CHECK_INT (n, ==, 16);
  for (uint32_t i = 0; i < n; i++) {
    CHECK_INT (pattern_mismatch (slots[i].data, 4096, i), ==, PATTERN_MATCHES);
    datahub_producer_abort (producer, &slots[i]);
  }
  commit_buffers (producer, 0, 1);
  datahub_producer_close (producer);
}

/* A record that is leased is pinned a second time, by a peek or a sticky read,
 * while the first lease ends elsewhere. */
static void
lease_of_one_leased (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_event (producer, DATAHUB_RECORD_CAPS, "caps");
  DatahubView first = read_record (consumer), second;
  CHECK_OK (datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS,
      &second, &err));
  CHECK_INT (consumer_stats (consumer).pinned, ==, 1);
  datahub_consumer_end_read (consumer, &first);
  CHECK_INT (consumer_stats (consumer).pinned, ==, 1);
  datahub_consumer_hold (consumer, &second);
  datahub_consumer_end_read (consumer, &second);
  commit_event (producer, DATAHUB_RECORD_CAPS, "more");
  commit_buffers (producer, 0, 100);
  CHECK_INT (memcmp (second.meta, "caps", 4), ==, 0);
  datahub_consumer_close (consumer);
  CHECK_INT (memcmp (second.meta, "caps", 4), ==, 0);
  datahub_consumer_end_read (consumer, &second);
  account_check_all_back (producer, 0);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "leased memory is never overwritten", never_overwritten },
  { "above the quota a lease says that it must be copied", quota },
  { "greedy consumers starve neither the producer nor the others", greedy },
  { "a lease outlives the closed consumer", lease_outlives_close },
  { "a lease outlives producer and consumer", lease_outlives_producer },
  { "a lease ends in any thread", ended_by_another_thread },
  { "a loan outlives the closed producer", loan_outlives_close },
  { "readers learn of the close while a loan is out", loan_keeps_the_lock },
  { "a killed consumer gives back every slot it held", killed_hoarder },
  { "loans up to max-bytes, then dropped", all_loaned },
  { "a second lease of a record keeps what the first kept",
      lease_of_one_leased },
};
CHECK_MAIN (tests)
