/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes first when slots are short. A hoarder holds all it may, the block
 * may not grow, and the rest of the stream has to do with few slots. */
#include "fixture.h"

#define SLOTS 12
#define RING 8
#define HELD 7 /* what the budget of 12 slots grants */
#define DELTA DATAHUB_FLAG_DELTA_UNIT
#define DROPPABLE DATAHUB_FLAG_DROPPABLE

typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *hoarder;
  DatahubView held[HELD];
  uint64_t next; /* number of the next buffer */
  const void *metas; /* of each buffer */
  uint32_t meta_size;
} Scene;

static DatahubResult
try_commit_flags (Scene *scene, uint32_t flags, int64_t timeout_ns)
{
  DatahubSlot slot;
  DatahubResult result = datahub_producer_acquire_slot_for (scene->producer,
      1000, flags, timeout_ns, &slot, &err);
  if (result != DATAHUB_OK)
    return result;
  pattern_fill (slot.data, 1000, scene->next);
  DatahubCommit record = buffer_record (&slot, scene->next, 1000);
  record.flags = flags;
  record.meta = scene->metas;
  record.meta_size = scene->meta_size;
  result = datahub_producer_commit (scene->producer, &record, timeout_ns, NULL,
      &err);
  if (result != DATAHUB_OK)
    datahub_producer_abort (scene->producer, &slot);
  else
    scene->next++;
  return result;
}

static void
commit_flags (Scene *scene, uint32_t flags)
{
  CHECK_OK (try_commit_flags (scene, flags, SOON));
}

static DatahubProducer *
new_producer (int64_t block_timeout_ns)
{
  DatahubProducerOptions options = small_options ();
  options.slots = SLOTS;
  options.ring_size = RING;
  options.max_bytes = SLOTS * options.slot_size;
  options.block_timeout_ns = block_timeout_ns;
  return producer_new ("cam0", &options);
}

/* All but five slots are held. */
static void
scene_start (Scene *scene)
{
  *scene = (Scene){ .producer = new_producer (DATAHUB_FOREVER) };
  scene->hoarder = consumer_new_quota ("cam0", false, HELD);
  CHECK_INT (consumer_stats (scene->hoarder).quota, ==, HELD);
  for (int i = 0; i < HELD; i++) {
    commit_flags (scene, 0);
    scene->held[i] = read_record (scene->hoarder);
    CHECK (!scene->held[i].must_copy);
  }
}

static void
scene_end (Scene *scene)
{
  for (uint64_t i = 0; i < HELD; i++) {
    check_buffer (&scene->held[i], i, 1000);
    datahub_consumer_end_read (scene->hoarder, &scene->held[i]);
  }
  datahub_consumer_close (scene->hoarder);
  datahub_producer_close (scene->producer);
}

static uint64_t
oldest_sequence (void)
{
  DatahubBlockInfo info;
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  return info.tail;
}

/* Reads all there is; returns which of the newest 64 buffers came, by number,
 * as bits. Every loss is exact. */
static uint64_t
read_all (DatahubConsumer *consumer, uint64_t next)
{
  DatahubView view;
  uint64_t seen = 0;
  while (datahub_consumer_begin_read (consumer, 0, &view, &err) == DATAHUB_OK) {
    check_buffer (&view, view.offset, 1000);
    CHECK_INT (view.lost, ==, view.offset - next);
    CHECK_INT (view.discont, ==, view.lost > 0);
    next = view.offset + 1;
    seen |= UINT64_C (1) << view.offset;
    datahub_consumer_end_read (consumer, &view);
  }
  return seen;
}

static bool
has (uint64_t seen, uint64_t number)
{
  return seen >> number & 1;
}

static void
keyframes_outlive_delta_units (void)
{
  Scene scene;
  scene_start (&scene);
  DatahubConsumer *late = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  read_all (late, HELD - 1);
  while (scene.next < 47)
    commit_flags (&scene, scene.next % 4 == 0 ? 0 : DELTA);
  CHECK_INT (oldest_sequence (), ==, 47 - RING);
  CHECK_INT (producer_stats (scene.producer).given_up, >, 10);
  CHECK_INT (producer_stats (scene.producer).growths, ==, 0);
  CHECK_INT (producer_stats (scene.producer).dropped, ==, 0);

  /* who comes now finds both key frames that the ring reaches back to */
  DatahubConsumer *joined = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView view = read_record (joined);
  CHECK_INT (view.lost, ==, 0);
  uint64_t first = view.offset;
  datahub_consumer_end_read (joined, &view);
  uint64_t seen = read_all (joined, first + 1) | UINT64_C (1) << first;
  CHECK (has (seen, 40) && has (seen, 44) && has (seen, 45) && has (seen, 46));
  /* 41 is gone, so what depends on it is passed over, and counted */
  CHECK (!has (seen, 41) && !has (seen, 42) && !has (seen, 43));
  DatahubConsumerStats stats = consumer_stats (joined);
  CHECK_INT (stats.received + stats.lost, ==, 47 - first);
  datahub_consumer_close (joined);

  /* who was lapped resumes, as ever, at the newest key frame */
  seen = read_all (late, HELD);
  CHECK_INT (seen, ==, UINT64_C (7) << 44);
  stats = consumer_stats (late);
  CHECK_INT (stats.received + stats.lost, ==, 47 - HELD + 1);
  datahub_consumer_close (late);
  scene_end (&scene);
}

/* They are too many for the record, so they are behind the payload, in its slot. */
static void
with_metas (void)
{
  static const char metas[1000];
  Scene scene;
  scene_start (&scene);
  scene.metas = metas;
  scene.meta_size = sizeof metas;
  while (scene.next < 47)
    commit_flags (&scene, scene.next % 4 == 0 ? 0 : DELTA);
  CHECK_INT (producer_stats (scene.producer).given_up, >, 10);
  CHECK_INT (producer_stats (scene.producer).dropped, ==, 0);
  scene_end (&scene);
}

static void
droppable_goes_first (void)
{
  Scene scene;
  scene_start (&scene);
  DatahubConsumer *reader = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  read_all (reader, HELD - 1);
  /* 7 K, 8 d, 9 D, 10 d, 11 D fill the five slots; 12 D takes that of 8, 13 K
   * that of 10, 14 d that of 9 */
  commit_flags (&scene, 0);
  commit_flags (&scene, DELTA | DROPPABLE);
  commit_flags (&scene, DELTA);
  commit_flags (&scene, DELTA | DROPPABLE);
  commit_flags (&scene, DELTA);
  commit_flags (&scene, DELTA);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 1);
  commit_flags (&scene, 0);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 2);
  /* nothing depends on 8 and 10: the delta units around them are delivered */
  uint64_t seen = read_all (reader, HELD);
  CHECK_INT (seen, ==,
      UINT64_C (1) << 7 | UINT64_C (1) << 9 | UINT64_C (1) << 11
          | UINT64_C (1) << 12 | UINT64_C (1) << 13);
  CHECK_INT (consumer_stats (reader).lost, ==, 2);
  commit_flags (&scene, DROPPABLE);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 3);
  datahub_consumer_close (reader);
  DatahubConsumer *late = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView view = read_record (late);
  check_buffer (&view, 7, 1000);
  datahub_consumer_end_read (late, &view);
  seen = read_all (late, 8);
  CHECK_INT (seen, ==, UINT64_C (1) << 13 | UINT64_C (1) << 14);
  datahub_consumer_close (late);
  scene_end (&scene);
}

static void
new_ones_are_refused_for_keyframes (void)
{
  Scene scene;
  scene_start (&scene);
  for (int i = 0; i < 5; i++) /* 7 to 11, all key frames */
    commit_flags (&scene, 0);
  CHECK_RESULT (try_commit_flags (&scene, DROPPABLE, 0), DATAHUB_DROPPED);
  CHECK_INT (producer_stats (scene.producer).dropped, ==, 1);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 0);
  CHECK_INT (oldest_sequence (), ==, 4);
  /* a delta unit is worth the older key frames, and the delta unit before it */
  for (int i = 0; i < 3; i++)
    commit_flags (&scene, DELTA);
  CHECK_INT (oldest_sequence (), ==, 9);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 1);
  DatahubConsumer *late = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_buffers (late, 9, 3);
  datahub_consumer_close (late);
  /* a key frame is worth everything */
  for (int i = 0; i < 4; i++)
    commit_flags (&scene, 0);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 3);
  CHECK_INT (oldest_sequence (), ==, 11);
  scene_end (&scene);
}

static void
the_newest_keyframe_stays (void)
{
  Scene scene;
  scene_start (&scene);
  commit_flags (&scene, 0); /* 7 */
  DatahubSlot loans[3];
  for (int i = 0; i < 3; i++)
    CHECK_OK (datahub_producer_acquire_slot (scene.producer, 1000, 0, &loans[i],
        &err));
  commit_flags (&scene, DELTA); /* 8 */
  CHECK_RESULT (try_commit_flags (&scene, DELTA, 0), DATAHUB_DROPPED);
  DatahubConsumer *late = consumer_new ("cam0", false, DATAHUB_START_KEYFRAME);
  expect_buffers (late, 7, 2);
  datahub_consumer_close (late);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 0);
  datahub_producer_abort (scene.producer, &loans[0]);
  for (int i = 0; i < 5; i++) /* one slot more and the stream goes on */
    commit_flags (&scene, DELTA);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 4);
  late = consumer_new ("cam0", false, DATAHUB_START_KEYFRAME);
  expect_buffers (late, 7, 1);
  datahub_consumer_close (late);
  datahub_producer_abort (scene.producer, &loans[1]);
  datahub_producer_abort (scene.producer, &loans[2]);
  scene_end (&scene);
}

/* A reliable consumer loses nothing, whatever the flags. */
static void
gates_protect (void)
{
  Scene scene;
  scene_start (&scene);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  expect_buffers (reliable, HELD - 1, 1);
  while (scene.next < 12)
    commit_flags (&scene, DROPPABLE);
  CHECK_RESULT (try_commit_flags (&scene, 0, 0), DATAHUB_TIMEOUT);
  CHECK_RESULT (try_commit_flags (&scene, DROPPABLE, 0), DATAHUB_TIMEOUT);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 0);
  expect_buffers (reliable, 7, 2);
  commit_flags (&scene, 0);
  commit_flags (&scene, 0);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 2);
  CHECK_RESULT (try_commit_flags (&scene, 0, 0), DATAHUB_TIMEOUT);
  expect_buffers (reliable, 9, 5);
  CHECK_INT (consumer_stats (reliable).lost, ==, 0);
  datahub_consumer_close (reliable);
  scene_end (&scene);
}

/* Who joins reliably where something was given up was never promised that, and
 * misses nothing from then on. */
static void
reliable_joins_later (void)
{
  Scene scene;
  scene_start (&scene);
  commit_flags (&scene, 0); /* 7 */
  for (int i = 0; i < 6; i++)
    commit_flags (&scene, DROPPABLE); /* 8 and 9 are given up */
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 2);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  CHECK_RESULT (try_commit_flags (&scene, DROPPABLE, 0), DATAHUB_TIMEOUT);
  uint64_t next = oldest_sequence ();
  while (next < 13) {
    DatahubView view = read_record (reliable);
    if (next == 8) {
      CHECK (view.discont);
      next = 10;
    }
    check_buffer (&view, next++, 1000);
    CHECK_INT (view.lost, ==, 0);
    datahub_consumer_end_read (reliable, &view);
  }
  for (int i = 0; i < 30; i++) {
    commit_flags (&scene, DROPPABLE);
    expect_buffers (reliable, 13 + (uint64_t) i, 1);
  }
  CHECK_INT (consumer_stats (reliable).lost, ==, 0);
  datahub_consumer_close (reliable);
  scene_end (&scene);
}

/* An evicted consumer that finds tombstones is told, and knows what it lost. */
static void
evicted_among_them (void)
{
  Scene scene = { .producer = new_producer (50 * CHECK_MS) };
  scene.hoarder = consumer_new_quota ("cam0", false, HELD);
  for (int i = 0; i < HELD; i++) {
    commit_flags (&scene, 0);
    scene.held[i] = read_record (scene.hoarder);
  }
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  expect_buffers (reliable, HELD - 1, 1);
  while (scene.next < 16)
    commit_flags (&scene, DROPPABLE);
  CHECK_INT (producer_stats (scene.producer).evictions, ==, 1);
  CHECK_INT (producer_stats (scene.producer).given_up, >, 0);
  DatahubView view;
  uint64_t next = 7;
  DatahubResult result;
  while ((result = datahub_consumer_begin_read (reliable, 0, &view, &err))
      == DATAHUB_OK) {
    check_buffer (&view, next++, 1000);
    datahub_consumer_end_read (reliable, &view);
  }
  CHECK_RESULT (result, DATAHUB_EVICTED);
  CHECK_OK (datahub_consumer_rejoin (reliable, &err));
  commit_flags (&scene, 0);
  view = read_record (reliable);
  CHECK_INT (view.lost, ==, view.offset - next);
  datahub_consumer_end_read (reliable, &view);
  datahub_consumer_close (reliable);
  scene_end (&scene);
}

/* What a reader holds is not given up, and stays as it is. */
static void
leases_hold (void)
{
  Scene scene;
  scene_start (&scene);
  DatahubConsumer *reader = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  read_all (reader, HELD - 1);
  commit_flags (&scene, DROPPABLE); /* 7 */
  DatahubView view = read_record (reader);
  check_buffer (&view, 7, 1000);
  for (int i = 0; i < 20; i++)
    commit_flags (&scene, DROPPABLE);
  check_buffer (&view, 7, 1000);
  datahub_consumer_end_read (reader, &view);
  datahub_consumer_close (reader);
  scene_end (&scene);
}

#define MANY 20000

static uint32_t
flags_of (uint64_t number)
{
  if (number % 12 == 0 || number == MANY - 1)
    return 0;
  return number % 3 == 1 ? DELTA | DROPPABLE : DELTA;
}

static void
reads_many (CheckParent *parent)
{
  const bool *reliable = parent->data;
  DatahubConsumer *consumer =
      consumer_new ("cam0", *reliable, DATAHUB_START_OLDEST);
  check_ready (parent);
  uint64_t next = 0;
  bool broken = false; /* a delta unit is missing since the last key frame */
  while (next < MANY) {
    DatahubView view = read_record (consumer);
    CHECK_INT (view.lost, ==, view.offset - next);
    for (uint64_t i = next; i < view.offset; i++)
      broken |= flags_of (i) != (DELTA | DROPPABLE);
    if (flags_of (view.offset) == 0)
      broken = false;
    CHECK_INT (view.flags, ==, flags_of (view.offset));
    CHECK (!broken);
    if (*reliable)
      CHECK_INT (view.lost, ==, 0);
    check_buffer (&view, view.offset, 1000);
    next = view.offset + 1;
    datahub_consumer_end_read (consumer, &view);
  }
  DatahubConsumerStats stats = consumer_stats (consumer);
  CHECK_INT (stats.received + stats.lost, ==, MANY);
  datahub_consumer_close (consumer);
}

/* Full speed, real processes: each delivers only what can be decoded, every
 * byte right and every loss exact; the reliable one loses nothing. */
static void
under_load (void)
{
  bool live = false, reliable = true;
  Scene scene = { .producer = new_producer (DATAHUB_FOREVER) };
  CheckChild readers[3] = { check_fork (reads_many, &live),
    check_fork (reads_many, &live), check_fork (reads_many, &reliable) };
  for (int i = 0; i < 3; i++)
    CHECK_HEAR (readers[i].from, 1);
  /* loans are as good as a hoarder to be short of slots */
  DatahubSlot loans[6];
  for (int i = 0; i < 6; i++)
    CHECK_OK (datahub_producer_acquire_slot (scene.producer, 1000, SOON,
        &loans[i], &err));
  while (scene.next < MANY)
    commit_flags (&scene, flags_of (scene.next));
  for (int i = 0; i < 6; i++)
    datahub_producer_abort (scene.producer, &loans[i]);
  DatahubProducerStats stats = producer_stats (scene.producer);
  check_note ("%llu of %d given up", (unsigned long long) stats.given_up, MANY);
  CHECK_INT (stats.given_up, >, 0);
  for (int i = 0; i < 3; i++)
    check_join (&readers[i]);
  datahub_producer_close (scene.producer);
}

static void
gives_up_and_waits (CheckParent *parent)
{
  Scene scene = { .producer = new_producer (DATAHUB_FOREVER) };
  DatahubSlot loans[7];
  for (int i = 0; i < 7; i++)
    CHECK_OK (datahub_producer_acquire_slot (scene.producer, 1000, SOON,
        &loans[i], &err));
  while (scene.next < RING)
    commit_flags (&scene, scene.next ? DROPPABLE : 0);
  check_tell (parent->out, producer_stats (scene.producer).given_up);
  check_until_killed (parent);
}

/* A successor that adopts the block keeps the gaps as they are. */
static void
adopted (void)
{
  CheckChild child = check_fork (gives_up_and_waits, NULL);
  CHECK_HEAR (child.from, 3); /* of eight, in five slots */
  DatahubConsumer *live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  check_kill (&child);
  Scene scene = { .producer = new_producer (DATAHUB_FOREVER), .next = RING };
  CHECK (producer_stats (scene.producer).adopted);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  CHECK_INT (read_all (live, 0), ==, 0xf1);
  CHECK_INT (consumer_stats (live).lost, ==, 3);
  expect_buffers (reliable, 0, 1);
  expect_buffers (reliable, 4, 4);
  CHECK_INT (consumer_stats (reliable).lost, ==, 0);
  /* and goes on giving up what the dead one left; the count is of both */
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 3);
  DatahubSlot loans[7];
  for (int i = 0; i < 7; i++)
    CHECK_OK (datahub_producer_acquire_slot (scene.producer, 1000, SOON,
        &loans[i], &err));
  commit_flags (&scene, 0);
  CHECK_INT (producer_stats (scene.producer).given_up, ==, 4);
  for (int i = 0; i < 2; i++)
    commit_flags (&scene, 0);
  CHECK_INT (producer_stats (scene.producer).given_up, >, 4);
  expect_buffers (reliable, RING, 3);
  CHECK_INT (consumer_stats (reliable).lost, ==, 0);
  for (int i = 0; i < 7; i++)
    datahub_producer_abort (scene.producer, &loans[i]);
  datahub_consumer_close (live);
  datahub_consumer_close (reliable);
  datahub_producer_close (scene.producer);
}

#define JOINS 400

/* Joins, reads a little, leaves, again and again. There may be gaps in what was
 * committed before it joined, and nowhere else. Sequences are numbers here. */
static void
joins_many (CheckParent *parent)
{
  uint64_t gaps = 0;
  check_ready (parent);
  for (int i = 0; i < JOINS; i++) {
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    uint64_t joined = consumer_stats (consumer).head, next = DATAHUB_NONE;
    for (int j = 0; j < 20; j++) {
      DatahubView view = read_record (consumer);
      CHECK_INT (view.lost, ==, 0);
      if (next != DATAHUB_NONE && view.offset != next) {
        CHECK_INT (view.offset, <=, joined);
        CHECK (view.discont);
        gaps++;
      }
      check_buffer (&view, view.offset, 1000);
      next = view.offset + 1;
      datahub_consumer_end_read (consumer, &view);
    }
    CHECK_INT (consumer_stats (consumer).lost, ==, 0);
    datahub_consumer_close (consumer);
  }
  check_tell (parent->out, gaps);
}

/* While nobody reliable is there a droppable buffer may be refused, rather than
 * a key frame go. */
static void
commit_unless_refused (Scene *scene, uint32_t flags)
{
  DatahubResult result = try_commit_flags (scene, flags, SOON);
  if (result != DATAHUB_DROPPED || !flags)
    CHECK_OK (result);
}

static void
joins_under_load (void)
{
  Scene scene = { .producer = new_producer (DATAHUB_FOREVER) };
  DatahubSlot loans[6];
  for (int i = 0; i < 6; i++)
    CHECK_OK (datahub_producer_acquire_slot (scene.producer, 1000, SOON,
        &loans[i], &err));
  CheckChild readers[2] = { check_fork (joins_many, NULL),
    check_fork (joins_many, NULL) };
  uint64_t gaps = 0, turn = 0;
  for (int i = 0; i < 2; i++)
    CHECK_HEAR (readers[i].from, 1);
  for (int i = 0; i < 2; i++) {
    while (!check_has_word (readers[i].from))
      commit_unless_refused (&scene, turn++ % 4 ? DROPPABLE : 0);
    gaps += check_hear (readers[i].from);
    check_join (&readers[i]);
  }
  check_note ("%llu gaps before a join, %llu of %llu given up",
      (unsigned long long) gaps,
      (unsigned long long) producer_stats (scene.producer).given_up,
      (unsigned long long) scene.next);
  for (int i = 0; i < 6; i++)
    datahub_producer_abort (scene.producer, &loans[i]);
  datahub_producer_close (scene.producer);
}

static const CheckTest tests[] = {
  { "key frames outlive delta units when slots are short",
      keyframes_outlive_delta_units },
  { "so do key frames with many metas", with_metas },
  { "droppable buffers go before delta units", droppable_goes_first },
  { "where only key frames are left a new droppable buffer is refused",
      new_ones_are_refused_for_keyframes },
  { "the newest key frame stays for the delta units that need it",
      the_newest_keyframe_stays },
  { "what a reliable consumer still needs is not given up", gates_protect },
  { "a reliable consumer that joins among gaps misses nothing from then on",
      reliable_joins_later },
  { "an evicted consumer among gaps is told, and its loss is exact",
      evicted_among_them },
  { "what a reader holds is not given up", leases_hold },
  { "a successor keeps the gaps, and goes on", adopted },
  { "under load every loss is exact and only what can be decoded comes",
      under_load },
  { "under load joiners find gaps before they joined, and none behind",
      joins_under_load },
};
CHECK_MAIN (tests)
