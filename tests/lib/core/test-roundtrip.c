/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One buffer from the producer to a consumer, in every shape it can have. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static void
all_fields (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  fill_slot (producer, 7, 300, &slot);
  DatahubCommit record = buffer_record (&slot, 7, 300);
  record.flags = DATAHUB_FLAG_DELTA_UNIT | 0x1234;
  record.dts = 2;
  record.duration = 3;
  record.offset_end = 5;
  record.instant_ns = -6;
  uint64_t sequence = 99, before = check_now_ns ();
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, &sequence, &err));
  uint64_t after = check_now_ns ();

  DatahubView view = read_record (consumer);
  check_buffer (&view, 7, 300);
  CHECK_INT (view.sequence, ==, sequence);
  CHECK_INT (view.ordinal, ==, 0);
  CHECK_INT (view.flags, ==, DATAHUB_FLAG_DELTA_UNIT | 0x1234);
  CHECK_INT (view.dts, ==, 2);
  CHECK_INT (view.duration, ==, 3);
  CHECK_INT (view.offset_end, ==, 5);
  CHECK_INT (view.instant_ns, ==, -6);
  CHECK_INT (view.commit_ns, >=, before);
  CHECK_INT (view.commit_ns, <=, after);
  CHECK_INT (view.lost, ==, 0);
  CHECK (!view.must_copy && !view.flushed);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
unset_times (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  fill_slot (producer, 0, 10, &slot);
  DatahubCommit record = buffer_record (&slot, 0, 10);
  record.pts = record.offset = DATAHUB_NONE;
  record.instant_ns = INT64_MIN;
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  DatahubView view = read_record (consumer);
  CHECK (view.pts == DATAHUB_NONE && view.dts == DATAHUB_NONE);
  CHECK (view.duration == DATAHUB_NONE && view.offset == DATAHUB_NONE);
  CHECK (view.offset_end == DATAHUB_NONE && view.instant_ns == INT64_MIN);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
unpublished (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  DatahubConsumer *consumer = NULL;
  CHECK_OK (datahub_producer_create ("cam0", &options, &producer, &err));
  commit_event (producer, DATAHUB_RECORD_CAPS, "video/x-raw");
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_NOT_FOUND);
  CHECK_OK (datahub_producer_publish (producer, &err));
  consumer = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "video/x-raw");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
never_published (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  CHECK_OK (datahub_producer_create ("cam0", &options, &producer, &err));
  commit_buffers (producer, 0, 20);
  datahub_producer_close (producer);
}

static void
other_process (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_ready (parent);
  expect_buffers (consumer, 0, 100);
  datahub_consumer_close (consumer);
}

static void
two_processes (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (other_process, NULL);
  commit_buffers (producer, 0, 100);
  check_join (&child);
  datahub_producer_close (producer);
}

static void
several_memories (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  static const uint64_t sizes[DATAHUB_MAX_MEMORIES] = { 4096, 1, 777, 0 };
  DatahubSlot slots[DATAHUB_MAX_MEMORIES];
  DatahubCommit record = buffer_record (NULL, 0, 0);
  record.n_memories = DATAHUB_MAX_MEMORIES;
  for (uint32_t i = 0; i < DATAHUB_MAX_MEMORIES; i++) {
    fill_slot (producer, 50 + i, 4096, &slots[i]);
    record.memories[i].slot = &slots[i];
    record.memories[i].offset = 0;
    record.memories[i].size = sizes[i];
  }
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  DatahubView view = read_record (consumer);
  CHECK_INT (view.n_memories, ==, DATAHUB_MAX_MEMORIES);
  for (uint32_t i = 0; i < DATAHUB_MAX_MEMORIES; i++) {
    CHECK_INT (view.memories[i].size, ==, sizes[i]);
    CHECK_INT (pattern_mismatch (view.memories[i].data, sizes[i], 50 + i), ==,
        PATTERN_MATCHES);
  }
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
too_many_memories (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubSlot slot;
  fill_slot (producer, 0, 10, &slot);
  DatahubCommit record = buffer_record (&slot, 0, 10);
  record.n_memories = DATAHUB_MAX_MEMORIES + 1;
  CHECK_RESULT (datahub_producer_commit (producer, &record, 0, NULL, &err),
      DATAHUB_ERROR_INVALID);
  record.n_memories = 1;
  record.memories[0].offset = slot.size;
  record.memories[0].size = 1;
  CHECK_RESULT (datahub_producer_commit (producer, &record, 0, NULL, &err),
      DATAHUB_ERROR_INVALID);
  record.memories[0].offset = UINT64_MAX;
  CHECK_RESULT (datahub_producer_commit (producer, &record, 0, NULL, &err),
      DATAHUB_ERROR_INVALID);
  datahub_producer_abort (producer, &slot);
  datahub_producer_close (producer);
}

static void
part_of_a_slot (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  fill_slot (producer, 3, 4096, &slot);
  DatahubCommit record = buffer_record (&slot, 3, 100);
  record.memories[0].offset = 800;
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  DatahubView view = read_record (consumer);
  uint8_t whole[4096];
  pattern_fill (whole, sizeof whole, 3);
  CHECK_INT (view.memories[0].size, ==, 100);
  CHECK (memcmp (view.memories[0].data, whole + 800, 100) == 0);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
check_metas (uint32_t meta_size, bool with_memory)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  uint8_t *meta = malloc (meta_size);
  DatahubSlot slot;
  fill_slot (producer, 1, 500, &slot);
  DatahubCommit record = buffer_record (&slot, 1, 500);
  record.n_memories = with_memory ? 1 : 0;
  record.meta = meta;
  record.meta_size = meta_size;
  pattern_fill (meta, meta_size, 99);
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  /* The commit copied it. */
  memset (meta, 0, meta_size);
  if (!with_memory)
    datahub_producer_abort (producer, &slot);
  DatahubView view = read_record (consumer);
  CHECK_INT (view.n_memories, ==, with_memory ? 1 : 0);
  CHECK_INT (view.meta_size, ==, meta_size);
  CHECK_INT (pattern_mismatch (view.meta, meta_size, 99), ==, PATTERN_MATCHES);
  if (with_memory)
    check_buffer (&view, 1, 500);
  datahub_consumer_end_read (consumer, &view);
  free (meta);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
small_metas (void)
{
  for (uint32_t size = 1; size <= 128; size++)
    check_metas (size, true);
}

static void
big_metas (void)
{
  check_metas (1000, true);
  check_metas (4096, true);
  check_metas (4097, true);
  check_metas (100000, true);
}

static void
metas_alone (void)
{
  check_metas (16, false);
  check_metas (5000, false);
}

static void
no_payload (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubCommit record = buffer_record (NULL, 4, 0);
  record.n_memories = 0;
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  DatahubView view = read_record (consumer);
  CHECK_INT (view.type, ==, DATAHUB_RECORD_BUFFER);
  CHECK_INT (view.n_memories, ==, 0);
  CHECK_INT (view.meta_size, ==, 0);
  CHECK_INT (view.offset, ==, 4);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
committed_twice (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  fill_slot (producer, 9, 200, &slot);
  DatahubCommit record = buffer_record (&slot, 9, 200);
  record.release = false;
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  datahub_producer_abort (producer, &slot);
  DatahubView first = read_record (consumer), second = read_record (consumer);
  check_buffer (&first, 9, 200);
  check_buffer (&second, 9, 200);
  /* The same bytes, not a copy of them. */
  CHECK (first.memories[0].data == second.memories[0].data);
  CHECK_INT (second.sequence, ==, first.sequence + 1);
  datahub_consumer_end_read (consumer, &first);
  check_buffer (&second, 9, 200);
  datahub_consumer_end_read (consumer, &second);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
zero_copy (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  fill_slot (producer, 1, 64, &slot);
  DatahubCommit record = buffer_record (&slot, 1, 64);
  record.release = false;
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  DatahubView view = read_record (consumer);
  CHECK_INT (view.memories[0].data[5], !=, 0x5a);
  /* A store through the loan shows through the lease: one memory. */
  *(volatile uint8_t *) (slot.data + 5) = 0x5a;
  CHECK_INT (*(const volatile uint8_t *) (view.memories[0].data + 5), ==, 0x5a);
  datahub_consumer_end_read (consumer, &view);
  datahub_producer_abort (producer, &slot);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
aborted (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  for (int i = 0; i < 200; i++) {
    DatahubSlot slot;
    fill_slot (producer, 1000, 64, &slot);
    datahub_producer_abort (producer, &slot);
  }
  CHECK_INT (producer_stats (producer).free_slots, ==, 16);
  commit_buffers (producer, 0, 1);
  expect_buffers (consumer, 0, 1);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
packed (void)
{
  DatahubProducerOptions options = small_options ();
  options.pack = true;
  options.ring_size = 64;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSlot a, b;
  fill_slot (producer, 1, 64, &a);
  fill_slot (producer, 2, 64, &b);
  CHECK_INT (a.slot, ==, b.slot);
  CHECK (a.offset + 64 <= b.offset || b.offset + 64 <= a.offset);
  datahub_producer_abort (producer, &a);
  datahub_producer_abort (producer, &b);
  /* More buffers in the ring than there are slots. */
  for (uint64_t i = 0; i < 60; i++)
    commit_buffer (producer, i, 100 + i);
  for (uint64_t i = 0; i < 60; i++)
    expect_buffer (consumer, i, 100 + i);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
packed_leases (void)
{
  DatahubProducerOptions options = small_options ();
  options.pack = true;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 3);
  DatahubView held = read_record (consumer);
  /* Many rounds of the ring reuse every slot but the one held. */
  commit_buffers (producer, 3, 500);
  check_buffer (&held, 0, 1000);
  datahub_consumer_end_read (consumer, &held);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
held_twice (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 1);
  DatahubView view = read_record (consumer);
  datahub_consumer_hold (consumer, &view);
  datahub_consumer_end_read (consumer, &view);
  commit_buffers (producer, 1, 500);
  check_buffer (&view, 0, 1000);
  datahub_consumer_end_read (consumer, &view);
  CHECK_INT (consumer_stats (consumer).pinned, ==, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
counted (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  for (uint64_t i = 0; i < 5; i++)
    commit_buffer (producer, i, 100);
  commit_event (producer, DATAHUB_RECORD_EVENT, "x");
  for (uint64_t i = 0; i < 5; i++)
    expect_buffer (consumer, i, 100);
  DatahubProducerStats out = producer_stats (producer);
  DatahubConsumerStats in = consumer_stats (consumer);
  CHECK_INT (out.commits, ==, 5);
  CHECK_INT (out.records, ==, 6);
  CHECK_INT (out.bytes, ==, 500);
  CHECK_INT (out.dropped, ==, 0);
  CHECK_INT (out.slots, ==, 16);
  CHECK_INT (out.ring_size, ==, 8);
  CHECK_INT (out.slot_size, >=, 4096);
  CHECK_INT (in.received, ==, 5);
  CHECK_INT (in.lost, ==, 0);
  CHECK_INT (in.head, ==, 6);
  CHECK_INT (in.cursor, ==, 5);
  CHECK_INT (in.bytes_mapped, >, 0);
  CHECK_STR (datahub_consumer_get_uuid (consumer),
      datahub_producer_get_uuid (producer));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a buffer arrives with every field", all_fields },
  { "unset times and offsets stay unset", unset_times },
  { "a block cannot be attached to before it is published", unpublished },
  { "a block that was never published leaves nothing", never_published },
  { "a hundred buffers cross to another process", two_processes },
  { "several memories arrive in order", several_memories },
  { "too many memories or bytes outside the loan are refused",
      too_many_memories },
  { "offset and size choose part of a slot", part_of_a_slot },
  { "small metas arrive beside the payload", small_metas },
  { "big metas arrive beside the payload", big_metas },
  { "metas arrive without a payload", metas_alone },
  { "a buffer without payload arrives", no_payload },
  { "one loan committed twice is two records of one memory", committed_twice },
  { "no byte is copied between loan and lease", zero_copy },
  { "aborted loans are free again", aborted },
  { "small payloads share a slot when asked to", packed },
  { "a lease on part of a shared slot keeps the slot", packed_leases },
  { "a lease held twice ends at the second end", held_twice },
  { "both sides count what passed", counted },
};
CHECK_MAIN (tests)
