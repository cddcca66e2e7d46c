/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words in shared memory that a well-behaved peer would never write, while the
 * other side works: nothing is read or written out of bounds, no wait becomes
 * endless, and where there is something to tell it is told. */
#include "hostile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *consumer;
  Intrusion ctl;
  BlockHeader *header;
  BlockSection *sections;
} Scene;

static void *
section (Scene *scene, uint32_t kind)
{
  for (uint32_t i = 0; i < SECTIONS_MAX; i++)
    if (scene->sections[i].kind == kind)
      return scene->ctl.bytes + scene->sections[i].offset;
  check_fail (__FILE__, __LINE__, "no section %u", kind);
}

static Scene
scene_new (bool reliable)
{
  Scene scene = { .producer = producer_new ("cam0", NULL) };
  scene.consumer = consumer_new ("cam0", reliable, DATAHUB_START_OLDEST);
  scene.ctl = intrude (".ctl");
  scene.header = (BlockHeader *) scene.ctl.bytes;
  scene.sections = (BlockSection *) (scene.ctl.bytes + sizeof (BlockHeader));
  return scene;
}

static void
scene_end (Scene *scene)
{
  datahub_consumer_close (scene->consumer);
  datahub_producer_close (scene->producer);
  intrusion_end (&scene->ctl);
}

static uint64_t *
ring_word (Scene *scene, uint64_t sequence)
{
  uint64_t *ring = section (scene, SECTION_RING);
  return &ring[sequence % scene->header->identity.ring_size];
}

static BlockRecord *
record_of (Scene *scene, uint64_t sequence)
{
  uint8_t *records = section (scene, SECTION_RECORDS);
  uint32_t index = RING_RECORD (*ring_word (scene, sequence));
  CHECK_INT (index, <, scene->header->identity.n_recs);
  return (BlockRecord *) (records
      + (size_t) index * scene->header->identity.rec_stride);
}

/* What one wrong field in a record may lead to: an error for this record alone,
 * or, where the value happens to be possible, other bytes inside the block. */
static void
check_damage (size_t offset, size_t size, uint64_t value, bool must_refuse)
{
  Scene scene = scene_new (true);
  DatahubView view;
  commit_buffers (scene.producer, 0, 2);
  memcpy ((uint8_t *) record_of (&scene, 0) + offset, &value, size);
  DatahubResult result =
      datahub_consumer_begin_read (scene.consumer, SOON, &view, &err);
  if (must_refuse && result != DATAHUB_ERROR_CORRUPT
      && result != DATAHUB_ERROR_SYSTEM)
    check_fail (__FILE__, __LINE__, "offset %zu value %llx: %s", offset,
        (unsigned long long) value, datahub_result_name (result));
  if (result == DATAHUB_OK) {
    touch (&view);
    datahub_consumer_end_read (scene.consumer, &view);
  }
  if (result == DATAHUB_OK || result == DATAHUB_ERROR_CORRUPT)
    expect_buffers (scene.consumer, 1, 1);
  scene_end (&scene);
}

#define DAMAGE(field, value)                                                   \
  check_damage (offsetof (BlockRecord, field),                                 \
      sizeof ((BlockRecord *) 0)->field, value, true)

static void
record_memories (void)
{
  DAMAGE (n_mem, 5);
  DAMAGE (n_mem, UINT32_MAX);
  DAMAGE (mem[0].slot, 16);
  DAMAGE (mem[0].slot, UINT32_MAX);
  DAMAGE (mem[0].offset, 4097);
  DAMAGE (mem[0].offset, UINT64_MAX);
  DAMAGE (mem[0].offset, UINT64_MAX - 999);
  DAMAGE (mem[0].size, 4097);
  DAMAGE (mem[0].size, UINT64_MAX);
  DAMAGE (mem[0].gen, 0);
  DAMAGE (mem[0].gen, 99);
  DAMAGE (mem[0].gen, UINT32_MAX);
}

static void
record_bodies (void)
{
  DAMAGE (meta_size, RECORD_INLINE + 1);
  DAMAGE (meta_size, UINT32_MAX);
  DAMAGE (meta_gen, 99);
  DAMAGE (type, 0);
  DAMAGE (type, 99);
  DAMAGE (seq, 1);
  DAMAGE (seq, UINT64_MAX);
}

static void
record_fields_at_random (void)
{
  static const uint64_t values[] = { 0, 1, 2, 0x7fff, 0xffff, 0xfffffffe,
    UINT64_C (0x8000000000000000), UINT64_MAX };
  for (size_t at = 0; at < offsetof (BlockRecord, inline_bytes); at += 4)
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
      check_damage (at, 4, values[i], false);
}

static void
contexts (void)
{
  static const uint16_t indices[] = { 0, 1, 500, 0x7fff, 0xfffe, 0xffff };
  for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
    Scene scene = scene_new (true);
    commit_event (scene.producer, DATAHUB_RECORD_CAPS, "caps");
    commit_buffers (scene.producer, 0, 1);
    record_of (&scene, 1)->ctx[DATAHUB_CONTEXT_CAPS] = indices[i];
    expect_event (scene.consumer, DATAHUB_RECORD_CAPS, "caps");
    DatahubView view = read_record (scene.consumer), context;
    if (datahub_consumer_get_context (scene.consumer, &view,
            DATAHUB_CONTEXT_CAPS, &context, &err)
        == DATAHUB_OK)
      touch (&context);
    datahub_consumer_end_read (scene.consumer, &view);
    scene_end (&scene);
  }
}

static void
ring_words (void)
{
  static const bool kinds[] = { true, false };
  for (size_t i = 0; i < 2; i++) {
    Scene scene = scene_new (kinds[i]);
    DatahubView view;
    commit_buffers (scene.producer, 0, 3);
    uint32_t n_recs = scene.header->identity.n_recs;
    *ring_word (&scene, 0) = RING_WORD (0, n_recs);
    CHECK_RESULT (datahub_consumer_begin_read (scene.consumer, SOON, &view,
                      &err),
        DATAHUB_ERROR_CORRUPT);
    *ring_word (&scene, 1) = RING_WORD (1, 0xfffe);
    CHECK_RESULT (datahub_consumer_begin_read (scene.consumer, SOON, &view,
                      &err),
        DATAHUB_ERROR_CORRUPT);
    expect_buffers (scene.consumer, 2, 1);
    scene_end (&scene);
  }
}

static void
ring_word_taken_from_reliable (void)
{
  Scene scene = scene_new (true);
  DatahubView view;
  commit_buffers (scene.producer, 0, 3);
  *ring_word (&scene, 0) = RING_WORD (12345, 1);
  CHECK_RESULT (datahub_consumer_begin_read (scene.consumer, SOON, &view, &err),
      DATAHUB_ERROR_CORRUPT);
  scene_end (&scene);
}

typedef struct
{
  Scene *scene;
  DatahubResult result;
  DatahubView view;
} Reading;

static void *
read_for_ever (void *data)
{
  Reading *reading = data;
  DatahubResult result;
  while ((result = datahub_consumer_begin_read (reading->scene->consumer,
              DATAHUB_FOREVER, &reading->view, &err))
      != DATAHUB_INTERRUPTED)
    if (result == DATAHUB_OK) {
      touch (&reading->view);
      datahub_consumer_end_read (reading->scene->consumer, &reading->view);
    }
  reading->result = result;
  return NULL;
}

/* Any head, tail, flush or newest sequence: the reader can be stopped. */
static void
counters (void)
{
  static const size_t fields[] = { offsetof (BlockHeader, head),
    offsetof (BlockHeader, tail), offsetof (BlockHeader, flush_seq),
    offsetof (BlockHeader, last_buffer_seq),
    offsetof (BlockHeader, last_key_seq), offsetof (BlockHeader, state),
    offsetof (BlockHeader, wake), offsetof (BlockHeader, pool_changes),
    offsetof (BlockHeader, tail_claim) };
  static const uint64_t values[] = { 0, 1, 1000, UINT64_C (1) << 47,
    UINT64_C (1) << 62, UINT64_MAX };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    for (size_t j = 0; j < sizeof values / sizeof values[0]; j++)
      for (int reliable = 0; reliable < 2; reliable++) {
        Scene scene = scene_new (reliable);
        Reading reading = { .scene = &scene };
        commit_buffers (scene.producer, 0, 6);
        uint32_t size = fields[i] == offsetof (BlockHeader, state)
                || fields[i] == offsetof (BlockHeader, wake)
                || fields[i] == offsetof (BlockHeader, pool_changes)
            ? 4
            : 8;
        memcpy (scene.ctl.bytes + fields[i], &values[j], size);
        CheckThread *thread = check_thread (read_for_ever, &reading);
        datahub_consumer_set_interrupted (scene.consumer, true);
        check_thread_join (thread);
        CHECK_INT (reading.result, ==, DATAHUB_INTERRUPTED);
        /* What it joins now is as wrong, and must end as well. */
        consumer_try ("cam0");
        scene_end (&scene);
      }
}

/* A head far ahead must not keep a reader running for as long. */
static void
head_far_ahead (void)
{
  for (int reliable = 0; reliable < 2; reliable++) {
    Scene scene = scene_new (reliable);
    DatahubView view;
    commit_buffers (scene.producer, 0, 2);
    expect_buffers (scene.consumer, 0, 2);
    atomic_store (&scene.header->head, UINT64_C (1) << 46);
    uint64_t start = check_now_ns ();
    for (int i = 0; i < 5; i++)
      if (datahub_consumer_begin_read (scene.consumer, 10 * CHECK_MS, &view,
              &err)
          == DATAHUB_OK) {
        touch (&view);
        datahub_consumer_end_read (scene.consumer, &view);
      }
    CHECK_INT (check_now_ns () - start, <, (uint64_t) SOON / 2);
    scene_end (&scene);
  }
}

static void
sticky_words (void)
{
  Scene scene = scene_new (false);
  uint64_t *sticky = section (&scene, SECTION_STICKY);
  static const uint64_t words[] = { 0, 5, 0xfffe, UINT64_MAX - 1,
    RING_WORD (77, 0), RING_WORD (0, 1) };
  commit_event (scene.producer, DATAHUB_RECORD_CAPS, "caps");
  uint64_t right = sticky[DATAHUB_CONTEXT_CAPS];
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    DatahubView view;
    sticky[DATAHUB_CONTEXT_CAPS] = words[i];
    if (datahub_consumer_read_sticky (scene.consumer, DATAHUB_RECORD_CAPS,
            &view, &err)
        == DATAHUB_OK) {
      touch (&view);
      datahub_consumer_end_read (scene.consumer, &view);
    }
    DatahubBlockInfo info;
    datahub_block_inspect ("cam0", &info, &err);
  }
  sticky[DATAHUB_CONTEXT_CAPS] = right;
  scene_end (&scene);
}

/* The table of pools and the pool files, while a reader needs a new pool. */
static void
pool_table (void)
{
  static const size_t fields[] = { offsetof (PoolEntry, gen),
    offsetof (PoolEntry, kind), offsetof (PoolEntry, n_slots),
    offsetof (PoolEntry, stride), offsetof (PoolEntry, size) };
  static const uint32_t values[] = { 0, 1, 7, 64, 0xfffff000, 0xffffffff };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
      Scene scene = scene_new (false);
      PoolEntry *pools = section (&scene, SECTION_POOLS);
      PoolEntry saved[MAX_POOLS];
      DatahubView view;
      commit_buffers (scene.producer, 0, 1);
      commit_buffer (scene.producer, 1, 20000);
      memcpy ((void *) saved, (void *) pools, sizeof saved);
      for (uint32_t p = 0; p < MAX_POOLS; p++)
        memcpy ((uint8_t *) &pools[p] + fields[i], &values[j], 4);
      for (int k = 0; k < 3; k++)
        if (datahub_consumer_begin_read (scene.consumer, 0, &view, &err)
            == DATAHUB_OK) {
          touch (&view);
          datahub_consumer_end_read (scene.consumer, &view);
        }
      consumer_try ("cam0");
      memcpy ((void *) pools, (void *) saved, sizeof saved);
      scene_end (&scene);
    }
}

static void
pool_files (void)
{
  static const uint64_t lengths[] = { 0, 10, 4096, 20000 };
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    leave_dead_block ();
    DatahubConsumer *keeper =
        consumer_new ("cam0", false, DATAHUB_START_OLDEST);
    Intrusion pool = intrude (".d2");
    DatahubView view;
    /* keeper maps it: it only looks again after the file is mended */
    CHECK (ftruncate (pool.fd, (off_t) lengths[i]) == 0);
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    expect_event (consumer, DATAHUB_RECORD_CAPS, "caps");
    DatahubResult result =
        datahub_consumer_begin_read (consumer, SOON, &view, &err);
    CHECK (result == DATAHUB_ERROR_CORRUPT || result == DATAHUB_ERROR_SYSTEM);
    datahub_consumer_close (consumer);
    intrusion_restore (&pool);
    expect_event (keeper, DATAHUB_RECORD_CAPS, "caps");
    expect_buffers (keeper, 0, 7);
    intrusion_end (&pool);
    datahub_consumer_close (keeper);
  }
}

/* The whole table of consumers written over, again and again, by a consumer
 * that is not one: the producer goes on. */
static void
consumer_table (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 20 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  Intrusion con = intrude (".con");
  uint64_t state = 42;
  DatahubConsumerInfo infos[8];
  for (int round = 0; round < 300; round++) {
    for (uint64_t at = round % 2 ? 0 : BLOCK_PAGE; at + 8 <= con.size;
         at += 8 + 8 * (check_noise (&state) % 16)) {
      uint64_t word = check_noise (&state);
      if (check_noise (&state) % 4 == 0)
        word = GATE_WORD (1, round);
      if (check_noise (&state) % 4 == 0)
        word = UINT64_MAX;
      if (at < 0xf00 || at >= BLOCK_PAGE)
        memcpy (con.bytes + at, &word, 8);
    }
    DatahubResult result =
        try_commit (producer, (uint64_t) round, 1000, 5 * CHECK_MS);
    CHECK_INT (result, <, DATAHUB_ERROR_FIRST);
    datahub_producer_list_consumers (producer, infos, 8);
    datahub_producer_take_requests (producer);
    datahub_block_inspect_consumers ("cam0", infos, 8, &(uint32_t){ 0 }, &err);
  }
  /* Rows without an owner are cleaned; then everything is as before. */
  intrusion_restore (&con);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  commit_buffers (producer, 1000, 1);
  DatahubView view;
  do {
    view = read_record (consumer);
    datahub_consumer_end_read (consumer, &view);
  } while (view.offset != 1000);
  datahub_consumer_close (consumer);
  intrusion_end (&con);
  datahub_producer_close (producer);
}

/* A gate held for ever by nobody alive, and one by a live liar. */
static void
lying_gate (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 50 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *liar = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  Intrusion con = intrude (".con");
  ConsumerRow *row = (ConsumerRow *) (con.bytes + BLOCK_PAGE);
  for (int i = 0; i < 3; i++) {
    atomic_store (&row->gate, GATE_WORD (1, 0));
    commit_buffers (producer, (uint64_t) i * 20, 20);
  }
  CHECK_INT (producer_stats (producer).evictions, >=, 1);
  intrusion_end (&con);
  datahub_consumer_close (liar);
  datahub_producer_close (producer);
}

/* Everything in ctl that a producer writes, changed at random while a consumer
 * reads and an inspector looks. */
static void
at_random (void)
{
  Scene scene = scene_new (false);
  uint64_t state = check_now_ns ();
  check_note ("seed %llu", (unsigned long long) state);
  uint64_t begin = offsetof (BlockHeader, head), left = scene.ctl.size - begin;
  for (uint64_t round = 0; round < 20000; round++) {
    DatahubView view;
    DatahubBlockInfo info;
    uint64_t at = begin + check_noise (&state) % (left - 8),
             word = check_noise (&state);
    if (at >= sizeof (BlockHeader)
        && at < sizeof (BlockHeader) + SECTIONS_MAX * sizeof (BlockSection))
      continue;
    if (round % 3 == 0)
      word >>= check_noise (&state) % 64;
    memcpy (scene.ctl.bytes + at, &word, round % 2 ? 8 : 2);
    for (int i = 0; i < 4; i++)
      if (datahub_consumer_begin_read (scene.consumer, 0, &view, &err)
          == DATAHUB_OK) {
        DatahubView context;
        touch (&view);
        for (int c = 0; c < DATAHUB_N_CONTEXTS; c++)
          if (datahub_consumer_get_context (scene.consumer, &view,
                  (DatahubContext) c, &context, &err)
              == DATAHUB_OK)
            touch (&context);
        datahub_consumer_end_read (scene.consumer, &view);
      }
    if (round % 16 == 0) {
      datahub_block_inspect ("cam0", &info, &err);
      /* As it was, with fresh records, so that the next changes matter. */
      memcpy (scene.ctl.bytes + begin, scene.ctl.saved + begin, left);
      atomic_store (&scene.header->head, round % 8);
    }
  }
  memcpy (scene.ctl.bytes, scene.ctl.saved, scene.ctl.size);
  scene_end (&scene);
}

static const CheckTest tests[] = {
  { "memories outside of their slot or pool are refused", record_memories },
  { "impossible bodies, types and numbers are refused", record_bodies },
  { "any value in any field of a record never reads out of bounds",
      record_fields_at_random },
  { "contexts that point anywhere never read out of bounds", contexts },
  { "impossible ring words are refused and passed", ring_words },
  { "a record taken from a reliable consumer is an error",
      ring_word_taken_from_reliable },
  { "whatever the counters say, a reader can be stopped", counters },
  { "a head far ahead does not keep a reader busy", head_far_ahead },
  { "sticky words that point anywhere never read out of bounds", sticky_words },
  { "impossible pool tables are not mapped", pool_table },
  { "truncated pools are refused, not touched", pool_files },
  { "a consumer table full of noise does not stop a producer", consumer_table },
  { "a lying gate holds the producer no longer than block-timeout",
      lying_gate },
  { "twenty thousand random changes under a reader never crash it", at_random },
};
CHECK_MAIN (tests)
