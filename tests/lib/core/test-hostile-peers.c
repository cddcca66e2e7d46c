/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A live peer that is not well-behaved, at the moments that hurt: it writes over
 * what the other side has just checked, or keeps a word moving for ever. And
 * both sides under noise from another thread, so that nothing is read twice and
 * believed the second time. */
#include "hostile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SMALL_BODY 1000 /* of an event: too long for the record itself */

typedef struct
{
  DatahubProducer *producer;
  Intrusion ctl;
  Intrusion con;
  BlockHeader *header;
  PoolEntry *pools;
  uint64_t *ring;
  uint8_t *records;
} Scene;

static Scene
scene_new (const DatahubProducerOptions *options)
{
  Scene scene = { .producer = producer_new ("cam0", options) };
  const BlockSection *sections;
  scene.ctl = intrude (".ctl");
  scene.con = intrude (".con");
  scene.header = (BlockHeader *) scene.ctl.bytes;
  sections = (const BlockSection *) (scene.ctl.bytes + sizeof (BlockHeader));
  scene.pools = (PoolEntry *) (scene.ctl.bytes + sections[0].offset);
  scene.ring = (uint64_t *) (scene.ctl.bytes + sections[2].offset);
  scene.records = scene.ctl.bytes + sections[3].offset;
  return scene;
}

static void
scene_end (Scene *scene)
{
  datahub_producer_close (scene->producer);
  intrusion_end (&scene->ctl);
  intrusion_end (&scene->con);
}

static BlockRecord *
record_of (const Scene *scene, uint64_t sequence)
{
  const BlockIdentity *id = &scene->header->identity;
  uint32_t index = RING_RECORD (scene->ring[sequence % id->ring_size]);
  CHECK_INT (index, <, id->n_recs);
  return (BlockRecord *) (scene->records + (size_t) index * id->rec_stride);
}

static PoolEntry *
entry_of (const Scene *scene, uint32_t gen)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (atomic_load (&scene->pools[i].gen) == gen)
      return &scene->pools[i];
  check_fail (__FILE__, __LINE__, "no pool %u in the table", gen);
}

/* Which record is where is the producer's private knowledge: it never takes an
 * index back out of the ring. */
static void
ring_written_over (void)
{
  static const uint32_t indices[] = { RECORD_NONE, 0xfffe, 40000, 0, 1 };
  for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
    Scene scene = scene_new (NULL);
    commit_buffers (scene.producer, 0, 8);
    for (uint64_t s = 0; s < 8; s++)
      scene.ring[s] = RING_WORD (s, indices[i]);
    /* often enough that what was freed wrongly is used again */
    commit_buffers (scene.producer, 8, 500);
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    expect_buffers (consumer, 500, 8);
    datahub_consumer_close (consumer);
    scene_end (&scene);
  }
}

/* A record of two memories: while the reader looks for the pool of the second,
 * the pool of the first is in the table no more. */
static void
pool_gone_between_two_memories (void)
{
  Scene scene = scene_new (NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (scene.producer, 0, 1);
  expect_buffers (consumer, 0, 1);
  uint32_t changes = atomic_load (&scene.header->pool_changes);
  uint32_t first = record_of (&scene, 0)->mem[0].gen;
  commit_buffer (scene.producer, 1, 20000); /* in a new pool */
  BlockRecord *record = record_of (&scene, 1);
  record->n_mem = 2;
  record->mem[1] = record->mem[0];
  record->mem[0] = record_of (&scene, 0)->mem[0];
  CHECK_INT (record->mem[1].gen, !=, first);
  /* the reader is not to look before it needs the second memory */
  atomic_store (&scene.header->pool_changes, changes);
  atomic_store (&entry_of (&scene, first)->gen, 0);
  for (int i = 0; i < 2; i++) /* nothing advanced */
    expect_outcome (consumer, DATAHUB_ERROR_SYSTEM);
  datahub_consumer_close (consumer);
  scene_end (&scene);
}

/* The bytes of a context stay readable as long as the lease of its record,
 * though their pool leaves the table meanwhile. */
static void
pool_of_a_context_gone (void)
{
  Scene scene = scene_new (NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view, context, other;
  char caps[SMALL_BODY];
  memset (caps, 'c', sizeof caps - 1);
  caps[sizeof caps - 1] = 0;
  commit_event (scene.producer, DATAHUB_RECORD_CAPS, caps);
  commit_buffers (scene.producer, 0, 2);
  expect_event (consumer, DATAHUB_RECORD_CAPS, caps);
  view = read_record (consumer);
  for (int i = 0; i < 2; i++) /* asked for twice is no more than once */
    CHECK_OK (datahub_consumer_get_context (consumer, &view,
        DATAHUB_CONTEXT_CAPS, &context, &err));
  atomic_store (&entry_of (&scene, record_of (&scene, 0)->meta_gen)->gen, 0);
  atomic_fetch_add (&scene.header->pool_changes, 1);
  other = read_record (consumer); /* looks at the table */
  CHECK_STR (context.meta, caps);
  datahub_consumer_hold (consumer, &view);
  datahub_consumer_end_read (consumer, &view);
  CHECK_STR (context.meta, caps);
  uint64_t mapped = consumer_stats (consumer).bytes_mapped;
  datahub_consumer_end_read (consumer, &view);
  CHECK_INT (consumer_stats (consumer).bytes_mapped, <, mapped);
  datahub_consumer_end_read (consumer, &other);
  datahub_consumer_close (consumer);
  scene_end (&scene);
}

/* Copies the pool file of @file under another generation. */
static void
link_pool (const Intrusion *file, uint32_t gen)
{
  char path[256];
  uint32_t length;
  snprintf (path, sizeof path, "%s", check_find_file (".ctl"));
  length = (uint32_t) strlen (path) - 3;
  snprintf (path + length, sizeof path - length, "d%u", gen);
  int fd = open (path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  CHECK (fd >= 0);
  ((PoolPage *) file->bytes)->gen = gen;
  CHECK (write (fd, file->bytes, file->size) == (ssize_t) file->size);
  close (fd);
}

/* Pools that come and go without end while leases stay: what is mapped is
 * bounded, and told. */
static void
pools_without_end (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubView views[200];
  uint32_t n = 0;
  options.slots = 256;
  Scene scene = scene_new (&options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  Intrusion file = intrude (".d2");
  PoolEntry *entry = entry_of (&scene, 2);
  for (; n < 200; n++) {
    commit_buffers (scene.producer, n, 1);
    link_pool (&file, 1000 + n);
    record_of (&scene, n)->mem[0].gen = 1000 + n;
    atomic_store (&entry->gen, 1000 + n);
    atomic_fetch_add (&scene.header->pool_changes, 1);
    if (datahub_consumer_begin_read (consumer, SOON, &views[n], &err)
        != DATAHUB_OK)
      break;
  }
  CHECK_INT (err.code, ==, DATAHUB_ERROR_SYSTEM);
  CHECK_INT (n, >, 2 * MAX_POOLS);
  CHECK_INT (n, <, 100);
  for (uint32_t i = 0; i < n; i++) {
    touch (&views[i]);
    datahub_consumer_end_read (consumer, &views[i]);
  }
  /* with the leases gone there is room again, and nothing was lost */
  CHECK_OK (datahub_consumer_begin_read (consumer, SOON, &views[0], &err));
  datahub_consumer_end_read (consumer, &views[0]);
  datahub_consumer_close (consumer);
  intrusion_end (&file);
  scene_end (&scene);
}

/* A gate that moves, but never past the oldest record, is as good as one that
 * stands still. */
static void
wobbling_gate (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 100 * CHECK_MS;
  Scene scene = scene_new (&options);
  commit_buffers (scene.producer, 0, 20);
  DatahubConsumer *liar = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  Wobble w = {
    .word = &((ConsumerRow *) (scene.con.bytes + BLOCK_PAGE))->gate,
  };
  CheckThread *thread = check_thread (wobble, &w);
  CHECK_UNTIL (GATE_SEQUENCE (atomic_load (w.word)) <= 8);
  commit_buffers (scene.producer, 20, 11); /* each within SOON */
  CHECK_INT (producer_stats (scene.producer).waits, >, 0);
  atomic_store (&w.stop, 1);
  check_thread_join (thread);
  datahub_consumer_close (liar);
  /* seen open, the row is believed again, whoever has it next */
  commit_buffers (scene.producer, 31, 9);
  DatahubConsumer *sound = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  expect_buffers (sound, 39, 1);
  commit_buffers (scene.producer, 40, 8);
  CHECK_RESULT (try_commit (scene.producer, 48, 1000, CHECK_MS),
      DATAHUB_TIMEOUT);
  expect_buffers (sound, 40, 8);
  datahub_consumer_close (sound);
  scene_end (&scene);
}

static void *
claim_on (void *data)
{
  Wobble *w = data;
  while (!atomic_load (&w->stop))
    atomic_fetch_add (w->word, 1);
  return NULL;
}

/* A claim that runs away from every gate: the joiner gives up, it does not run
 * after it. */
static void
runaway_claim (void)
{
  Scene scene = scene_new (NULL);
  commit_buffers (scene.producer, 0, 20);
  Wobble w = { .word = &scene.header->tail_claim };
  CheckThread *thread = check_thread (claim_on, &w);
  for (int i = 0; i < 200; i++) {
    DatahubConsumerOptions options;
    DatahubConsumer *consumer;
    datahub_consumer_options_init (&options);
    options.reliable = true;
    DatahubResult result =
        datahub_consumer_attach ("cam0", &options, &consumer, &err);
    CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_CORRUPT);
    datahub_consumer_close (consumer);
  }
  atomic_store (&w.stop, 1);
  check_thread_join (thread);
  scene_end (&scene);
}

/* What old pools have given back is not taken again by who joins late. */
static void
late_joiner_fills_no_holes (void)
{
  Scene scene = scene_new (NULL);
  DatahubConsumer *holder = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (scene.producer, 0, 8);
  DatahubView view = read_record (holder);
  for (uint64_t i = 8; i < 40; i++)
    commit_buffer (scene.producer, i, 20000); /* in a pool of bigger slots */
  uint64_t before = check_bytes_used ();
  DatahubConsumer *late = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  CHECK_INT (check_bytes_used (), ==, before);
  check_buffer (&view, 0, 1000);
  datahub_consumer_end_read (holder, &view);
  datahub_consumer_close (holder);
  datahub_consumer_close (late);
  scene_end (&scene);
}

/* Of the file system, by which a file of holes is longer than it. */
static uint64_t
twice_all_bytes (void)
{
  struct statvfs vfs;
  CHECK (statvfs (check_directory (), &vfs) == 0);
  return 2 * (uint64_t) vfs.f_blocks * vfs.f_frsize;
}

/* A pool file of holes, longer than all memory there is, that could be mapped. */
static void
endless_pool (void)
{
  Scene scene = scene_new (NULL);
  commit_buffers (scene.producer, 0, 1);
  uint32_t gen = record_of (&scene, 0)->mem[0].gen;
  PoolEntry *entry = entry_of (&scene, gen);
  uint64_t slots = atomic_load (&entry->n_slots);
  uint64_t stride = twice_all_bytes () / slots / BLOCK_PAGE * BLOCK_PAGE;
  Intrusion pool = intrude (".d2");
  CHECK (ftruncate (pool.fd, (off_t) (BLOCK_PAGE + slots * stride)) == 0);
  atomic_store (&entry->stride, stride);
  atomic_store (&entry->size, BLOCK_PAGE + slots * stride);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_outcome (consumer, DATAHUB_ERROR_SYSTEM);
  datahub_consumer_close (consumer);
  intrusion_restore (&pool);
  intrusion_end (&pool);
  scene_end (&scene);
}

/* Words at random, each a plausible one as often as not. */
typedef struct
{
  Intrusion *file;
  uint64_t begin, skip_from, skip_to;
  uint64_t seed;
  shared_u32 stop;
} Scribble;

static void *
scribble (void *data)
{
  Scribble *s = data;
  while (!atomic_load (&s->stop)) {
    uint64_t at =
        s->begin + check_noise (&s->seed) % (s->file->size - 8 - s->begin);
    uint64_t word = check_noise (&s->seed);
    uint32_t n = word & 1 ? 8 : 1 + (uint32_t) (word >> 1) % 4;
    if (at + 8 > s->skip_from && at < s->skip_to)
      continue;
    word = check_noise (&s->seed) >> check_noise (&s->seed) % 64;
    memcpy (s->file->bytes + at, &word, n);
  }
  return NULL;
}

static DatahubProducerOptions
full_options (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 2 * CHECK_MS;
  options.checksum = DATAHUB_CHECKSUM_CRC32C;
  options.zone_size = 64;
  options.shared_zone_size = 64;
  options.max_consumers = 4;
  options.max_bytes = UINT64_C (16) << 20;
  return options;
}

/* Commits that any outcome but a failure of the library may end. */
static void
go_on (DatahubProducer *producer, uint64_t first, uint32_t n)
{
  DatahubConsumerInfo infos[4];
  uint8_t bytes[64] = { 0 };
  for (uint32_t i = 0; i < n; i++) {
    DatahubResult result = try_commit (producer, first + i, 1000, CHECK_MS);
    CHECK_INT (result, <, DATAHUB_ERROR_FIRST);
    datahub_producer_list_consumers (producer, infos, 4);
    datahub_producer_take_requests (producer);
    datahub_producer_write_zone (producer, 0, bytes, sizeof bytes, &err);
    datahub_producer_wait_consumers (producer, 1, 0);
    datahub_producer_wait_attention (producer, &(uint32_t){ 0 }, 0);
  }
}

/* All that a consumer may write is written over while the producer and two sound
 * consumers work. Nobody crashes, nobody hangs, and afterwards all is well. */
static void
noise_in_the_consumer_table (void)
{
  DatahubProducerOptions options = full_options ();
  Scene scene = scene_new (&options);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  Scribble noise = { .file = &scene.con,
    .skip_from = offsetof (WakePage, magic),
    .skip_to = BLOCK_PAGE,
    .seed = check_now_ns () };
  check_note ("seed %llu", (unsigned long long) noise.seed);
  commit_event (scene.producer, DATAHUB_RECORD_CAPS, "caps");
  CheckThread *thread = check_thread (scribble, &noise);
  for (uint64_t i = 0; i < 150; i++) {
    go_on (scene.producer, 4 * i, 4);
    devour (reliable, 4);
    devour (live, 4);
    hostile_read ("cam0");
  }
  atomic_store (&noise.stop, 1);
  check_thread_join (thread);
  datahub_consumer_close (reliable);
  datahub_consumer_close (live);
  intrusion_restore (&scene.con);
  reliable = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  devour (reliable, 20);
  commit_buffers (scene.producer, 5000, 3);
  expect_buffers (reliable, 5000, 3);
  datahub_consumer_close (reliable);
  scene_end (&scene);
}

/* The same the other way around: a producer whose control file changes under
 * the readers' eyes, between a check and a use as well. */
static void
noise_in_the_control_file (void)
{
  DatahubProducerOptions options = full_options ();
  Scene scene = scene_new (&options);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  Scribble noise = { .file = &scene.ctl,
    .begin = sizeof (BlockIdentity),
    .skip_from = sizeof (BlockHeader),
    .skip_to = sizeof (BlockHeader) + SECTIONS_MAX * sizeof (BlockSection),
    .seed = check_now_ns () };
  check_note ("seed %llu", (unsigned long long) noise.seed);
  commit_event (scene.producer, DATAHUB_RECORD_CAPS, "caps");
  CheckThread *thread = check_thread (scribble, &noise);
  for (uint64_t i = 0; i < 300; i++) {
    go_on (scene.producer, 4 * i, 4);
    devour (reliable, 8);
    devour (live, 8);
    hostile_read ("cam0");
    if (i % 32 == 0) /* so that there is something sound to damage */
      CHECK (pwrite (scene.ctl.fd, scene.ctl.saved, scene.ctl.size, 0)
          == (ssize_t) scene.ctl.size);
  }
  atomic_store (&noise.stop, 1);
  check_thread_join (thread);
  datahub_consumer_close (reliable);
  datahub_consumer_close (live);
  scene_end (&scene);
}

/* With checksums, what a peer did to payload or pins is never delivered as
 * sound. One thread, so that nothing changes behind the check. */
static void
torn_data_is_told (void)
{
  DatahubProducerOptions options = full_options ();
  options.max_bytes = 16 * 4096; /* all payload stays in the file it damages */
  Scene scene = scene_new (&options);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  Intrusion pool = intrude (".d2");
  uint64_t seed = check_now_ns (), refused = 0, sound = 0;
  ConsumerRow *row = (ConsumerRow *) (scene.con.bytes + BLOCK_PAGE);
  check_note ("seed %llu", (unsigned long long) seed);
  for (uint64_t i = 0; refused < 10 || sound < 100; i++) {
    DatahubView view;
    CHECK_INT (i, <, 1000000);
    CHECK_INT (try_commit (scene.producer, i, 1000, 0), <, DATAHUB_ERROR_FIRST);
    if (check_noise (&seed) % 2)
      pool.bytes[check_noise (&seed) % pool.size] ^= 1;
    if (check_noise (&seed) % 4 == 0)
      atomic_store (&row->pins[0], check_noise (&seed));
    DatahubResult result =
        datahub_consumer_begin_read (consumer, 0, &view, &err);
    refused += result == DATAHUB_ERROR_CHECKSUM;
    if (result != DATAHUB_OK)
      continue;
    CHECK_INT (view.memories[0].size, ==, 1000);
    CHECK_INT (pattern_mismatch (view.memories[0].data, 1000, view.offset), ==,
        PATTERN_MATCHES);
    sound++;
    datahub_consumer_end_read (consumer, &view);
  }
  datahub_consumer_close (consumer);
  intrusion_end (&pool);
  scene_end (&scene);
}

static const CheckTest tests[] = {
  { "what is in the ring is never believed by its producer",
      ring_written_over },
  { "a pool that goes while a record is looked at is an error",
      pool_gone_between_two_memories },
  { "a context stays readable though its pool leaves the table",
      pool_of_a_context_gone },
  { "pools that come and go without end are refused in the end",
      pools_without_end },
  { "a gate that moves on and back is evicted like one that stands",
      wobbling_gate },
  { "a claim that runs away does not keep a joiner", runaway_claim },
  { "who joins late does not fill the holes of old pools",
      late_joiner_fills_no_holes },
  { "a pool of holes, longer than all memory, is refused", endless_pool },
  { "noise in the consumer table stops neither producer nor consumers",
      noise_in_the_consumer_table },
  { "noise in the control file stops no reader", noise_in_the_control_file },
  { "with checksums torn data is told", torn_data_is_told },
};
CHECK_MAIN (tests)
