/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slots that consumers of both kinds hold where the block cannot grow. The producer
 * waits for what reliable consumers alone keep. What a live consumer holds costs it
 * no time, and no reliable consumer its place. */
#include "background-writer.h"

#define SLOTS 4u

/* For ever, where a producer that waits for the wrong one would show it. */
static const int64_t block_for_ever = -1;

static DatahubProducerOptions
tight_options (int64_t block_timeout_ns)
{
  DatahubProducerOptions options = small_options ();
  options.slots = SLOTS;
  options.ring_size = 4;
  options.max_bytes = SLOTS * 4096;
  options.block_timeout_ns = block_timeout_ns;
  return options;
}

typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *reliable, *live;
  DatahubView views[2 * SLOTS]; /* of one of them */
  uint64_t next;
} Scene;

static void
scene_start (Scene *scene, int64_t block_timeout_ns)
{
  DatahubProducerOptions options = tight_options (block_timeout_ns);
  *scene = (Scene){ .producer = producer_new ("cam0", &options) };
  scene->reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  scene->live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
}

static void
scene_end (Scene *scene)
{
  CHECK_INT (producer_stats (scene->producer).evictions, ==, 0);
  CHECK_INT (consumer_stats (scene->reliable).lost, ==, 0);
  datahub_consumer_close (scene->live);
  datahub_consumer_close (scene->reliable);
  datahub_producer_close (scene->producer);
}

/* Commits @n buffers that @holder leases and @other only reads. */
static void
commit_held (Scene *scene, DatahubConsumer *holder, DatahubConsumer *other,
    uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    commit_buffer (scene->producer, scene->next, 1000);
    scene->views[i] = read_record (holder);
    check_buffer (&scene->views[i], scene->next, 1000);
    expect_buffer (other, scene->next++, 1000);
  }
}

static void
release (Scene *scene, DatahubConsumer *holder, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    datahub_consumer_end_read (holder, &scene->views[i]);
}

static void
goes_on (Scene *scene, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++, scene->next++) {
    CHECK_OK (try_commit (scene->producer, scene->next, 1000, 0));
    expect_buffer (scene->reliable, scene->next, 1000);
  }
}

static void
live_holds_all (void)
{
  Scene scene;
  scene_start (&scene, block_for_ever);
  commit_held (&scene, scene.live, scene.reliable, SLOTS);
  CHECK_RESULT (try_commit (scene.producer, 99, 1000, 200 * CHECK_MS),
      DATAHUB_DROPPED);
  CHECK_INT (producer_stats (scene.producer).waits, ==, 0);
  /* what is readable stays so */
  CHECK_RESULT (try_commit (scene.producer, 99, 1000, 0), DATAHUB_DROPPED);
  DatahubIndices indices;
  datahub_producer_get_indices (scene.producer, &indices);
  CHECK_INT (indices.write_index - indices.oldest_index, >=, 2);
  release (&scene, scene.live, SLOTS);
  goes_on (&scene, 20);
  scene_end (&scene);
}

/* Up to all slots but one. */
static void
live_holds_some (void)
{
  for (uint32_t n = 1; n < SLOTS; n++) {
    Scene scene;
    scene_start (&scene, block_for_ever);
    commit_held (&scene, scene.live, scene.reliable, n);
    goes_on (&scene, 20);
    CHECK_INT (producer_stats (scene.producer).dropped, ==, 0);
    CHECK_INT (producer_stats (scene.producer).waits, ==, 0);
    release (&scene, scene.live, n);
    scene_end (&scene);
  }
}

/* Without a reliable consumer two records stay readable, and the new one goes. */
static void
live_alone_is_as_ever (void)
{
  DatahubProducerOptions options = tight_options (block_for_ever);
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView views[2];
  for (uint64_t i = 0; i < 2; i++) {
    commit_buffer (producer, i, 1000);
    views[i] = read_record (live);
  }
  commit_buffers (producer, 2, 2);
  CHECK_RESULT (try_commit (producer, 4, 1000, SOON), DATAHUB_DROPPED);
  expect_buffers (live, 2, 2);
  for (uint64_t i = 0; i < 2; i++)
    datahub_consumer_end_read (live, &views[i]);
  datahub_consumer_close (live);
  datahub_producer_close (producer);
}

static void
reliable_is_waited_for (void)
{
  Scene scene;
  BackgroundWriter writing;
  CheckThread *thread;
  scene_start (&scene, block_for_ever);
  commit_held (&scene, scene.reliable, scene.live, SLOTS);
  CHECK_RESULT (try_commit (scene.producer, scene.next, 1000, 0),
      DATAHUB_TIMEOUT);
  writing = (BackgroundWriter){ scene.producer, scene.next, 1 };
  thread = background_writer_start (&writing);
  check_until_asleep (thread);
  release (&scene, scene.reliable, SLOTS);
  check_thread_join (thread);
  expect_buffers (scene.reliable, scene.next++, 1);
  CHECK_INT (producer_stats (scene.producer).dropped, ==, 0);
  scene_end (&scene);
}

/* Metas behind the payload are another reference to its slot. */
static void
commit_with_metas (Scene *scene)
{
  static const char metas[1000];
  DatahubSlot slot;
  fill_slot (scene->producer, scene->next, 1000, &slot);
  DatahubCommit record = buffer_record (&slot, scene->next, 1000);
  record.meta = metas;
  record.meta_size = sizeof metas;
  CHECK_OK (datahub_producer_commit (scene->producer, &record, SOON, NULL,
      &err));
}

static void
reliable_holds_metas (void)
{
  Scene scene;
  scene_start (&scene, block_for_ever);
  for (uint32_t i = 0; i < SLOTS; i++) {
    commit_with_metas (&scene);
    scene.views[i] = read_record (scene.reliable);
    expect_buffer (scene.live, scene.next++, 1000);
  }
  CHECK_RESULT (try_commit (scene.producer, scene.next, 1000, 0),
      DATAHUB_TIMEOUT);
  release (&scene, scene.reliable, SLOTS);
  goes_on (&scene, 20);
  CHECK_INT (producer_stats (scene.producer).dropped, ==, 0);
  scene_end (&scene);
}

/* Two payloads share a slot. The live consumer has none of them, or the second one of
 * each slot. */
static void
holds_packed (bool live_too)
{
  DatahubProducerOptions options = tight_options (block_for_ever);
  Scene scene = { 0 };
  options.pack = true;
  scene.producer = producer_new ("cam0", &options);
  scene.reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  scene.live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  for (uint32_t i = 0; i < 2 * SLOTS; i++) {
    bool live_has_it = live_too && i % 2 == 1;
    commit_buffer (scene.producer, scene.next, 2000);
    scene.views[i] = read_record (live_has_it ? scene.live : scene.reliable);
    expect_buffer (live_has_it ? scene.reliable : scene.live, scene.next++,
        2000);
  }
  CHECK_RESULT (try_commit (scene.producer, scene.next, 2000, 0),
      live_too ? DATAHUB_DROPPED : DATAHUB_TIMEOUT);
  for (uint32_t i = 0; i < 2 * SLOTS; i++)
    datahub_consumer_end_read (live_too && i % 2 == 1 ? scene.live
                                                      : scene.reliable,
        &scene.views[i]);
  goes_on (&scene, 20);
  scene_end (&scene);
}

static void
reliable_holds_packed (void)
{
  holds_packed (false);
}

static void
both_hold_packed (void)
{
  holds_packed (true);
}

/* It has not read what is in the only slots that the live one left. */
static void
reliable_is_behind (void)
{
  Scene scene;
  scene_start (&scene, block_for_ever);
  commit_held (&scene, scene.live, scene.reliable, 2);
  commit_buffers (scene.producer, scene.next, 2);
  CHECK_RESULT (try_commit (scene.producer, scene.next + 2, 1000, 0),
      DATAHUB_TIMEOUT);
  expect_buffers (scene.reliable, scene.next, 1);
  CHECK_OK (try_commit (scene.producer, scene.next + 2, 1000, SOON));
  expect_buffers (scene.reliable, scene.next + 1, 2);
  CHECK_INT (producer_stats (scene.producer).dropped, ==, 0);
  release (&scene, scene.live, 2);
  scene_end (&scene);
}

static void
both_hold_the_same (void)
{
  Scene scene;
  DatahubView views[SLOTS];
  scene_start (&scene, block_for_ever);
  for (uint32_t i = 0; i < SLOTS; i++) {
    commit_buffers (scene.producer, i, 1);
    scene.views[i] = read_record (scene.live);
    views[i] = read_record (scene.reliable);
  }
  CHECK_RESULT (try_commit (scene.producer, 99, 1000, 200 * CHECK_MS),
      DATAHUB_DROPPED);
  CHECK_INT (producer_stats (scene.producer).waits, ==, 0);
  release (&scene, scene.live, SLOTS);
  CHECK_RESULT (try_commit (scene.producer, 99, 1000, 0), DATAHUB_TIMEOUT);
  for (uint32_t i = 0; i < SLOTS; i++)
    datahub_consumer_end_read (scene.reliable, &views[i]);
  scene.next = SLOTS;
  goes_on (&scene, 20);
  scene_end (&scene);
}

/* Loans come back, so a reliable consumer loses nothing by a wait for one. Where a
 * live consumer holds a slot as well, the wait would be for that one, too. */
static void
loans_are_waited_for (void)
{
  Scene scene;
  DatahubSlot loans[SLOTS], slot;
  uint32_t n = 0;
  scene_start (&scene, block_for_ever);
  commit_held (&scene, scene.live, scene.reliable, 1);
  while (n < SLOTS - 1) {
    CHECK_OK (datahub_producer_acquire_slot (scene.producer, 1000, 0,
        &loans[n++], &err));
  }
  CHECK_RESULT (datahub_producer_acquire_slot (scene.producer, 1000,
                    200 * CHECK_MS, &slot, &err),
      DATAHUB_DROPPED);
  CHECK_INT (producer_stats (scene.producer).waits, ==, 0);
  release (&scene, scene.live, 1);
  CHECK_OK (datahub_producer_acquire_slot (scene.producer, 1000, 0, &loans[n++],
      &err));
  CHECK_RESULT (datahub_producer_acquire_slot (scene.producer, 1000, 0, &slot,
                    &err),
      DATAHUB_TIMEOUT);
  while (n > 0)
    datahub_producer_abort (scene.producer, &loans[--n]);
  goes_on (&scene, 20);
  scene_end (&scene);
}

/* A pool for bigger payloads waits for the old ones in the same way. */
static void
live_holds_the_old_pool (void)
{
  DatahubProducerOptions options = small_options ();
  Scene scene = { 0 };
  if (is_strict_run ())
    check_skip ("the kernel gives back a sealed pool only as a whole");
  options.block_timeout_ns = block_for_ever;
  options.max_bytes = (4 * 8 + 4 * 16 + 3) << 10;
  options.slots = 4;
  options.ring_size = 4;
  scene.producer = producer_new ("cam0", &options);
  scene.reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  scene.live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_held (&scene, scene.live, scene.reliable, 1);
  /* another pool fits, and is too small for what follows */
  commit_buffer (scene.producer, scene.next, 8000);
  expect_buffer (scene.reliable, scene.next++, 8000);
  CHECK_RESULT (try_commit (scene.producer, 99, 16000, 200 * CHECK_MS),
      DATAHUB_DROPPED);
  CHECK_INT (producer_stats (scene.producer).waits, ==, 0);
  release (&scene, scene.live, 1);
  CHECK_OK (try_commit (scene.producer, scene.next, 16000, SOON));
  expect_buffer (scene.reliable, scene.next++, 16000);
  scene_end (&scene);
}

/* One that has read everything and leases the newest record, as a sink does that
 * keeps its last picture, is not evicted for what another one holds. */
static void
a_lease_of_the_newest_is_not_in_the_way (void)
{
  DatahubProducerOptions options = tight_options (100 * CHECK_MS);
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *slow = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *good = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView held[SLOTS], newest = { 0 };
  for (uint32_t i = 0; i < SLOTS; i++) {
    commit_buffer (producer, i, 1000);
    held[i] = read_record (slow);
    if (i > 0)
      datahub_consumer_end_read (good, &newest);
    newest = read_record (good);
  }
  datahub_consumer_end_read (slow, &held[SLOTS - 1]);
  /* until the slow one is out; what it holds is still held */
  CHECK_RESULT (try_commit (producer, SLOTS, 1000, SOON), DATAHUB_DROPPED);
  CHECK_INT (producer_stats (producer).evictions, ==, 1);
  check_buffer (&newest, SLOTS - 1, 1000);
  datahub_consumer_end_read (good, &newest);
  commit_buffer (producer, SLOTS, 1000);
  expect_buffer (good, SLOTS, 1000);
  for (uint32_t i = 0; i + 1 < SLOTS; i++)
    datahub_consumer_end_read (slow, &held[i]);
  datahub_consumer_close (slow);
  datahub_consumer_close (good);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a buffer is dropped at once where a live consumer holds every slot",
      live_holds_all },
  { "a reliable consumer loses nothing while one slot is left",
      live_holds_some },
  { "without a reliable consumer two records stay readable",
      live_alone_is_as_ever },
  { "what a reliable consumer alone holds is waited for",
      reliable_is_waited_for },
  { "so is a payload with metas behind it", reliable_holds_metas },
  { "so are payloads that share slots", reliable_holds_packed },
  { "slots that a live consumer has a part of are not waited for",
      both_hold_packed },
  { "what a reliable consumer has not read is waited for", reliable_is_behind },
  { "what a live consumer holds as well is not waited for",
      both_hold_the_same },
  { "loans are waited for unless a live consumer holds a slot as well",
      loans_are_waited_for },
  { "a growth does not wait for a live consumer", live_holds_the_old_pool },
  { "a lease of the newest record is in nothing's way",
      a_lease_of_the_newest_is_not_in_the_way },
};
CHECK_MAIN (tests)
