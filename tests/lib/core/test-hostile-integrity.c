/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at blocks in which one word at a time is hostile: every look ends
 * soon, in bounded memory, and reads nothing outside of the block. */
#include "findings.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* One look with all that is wrong takes milliseconds. */
#define LOOK_NS check_scaled_ns (2 * CHECK_S)

typedef struct
{
  Intrusion *file;
  uint64_t n_looks;
  uint64_t slowest_ns;
} Attack;

static void
ignore (const DatahubFinding *finding, void *user_data)
{
  for (const char *c = finding->message; *c; c++)
    CHECK (*c >= ' ' && *c <= '~');
}

/* Everything that looks, at once; whatever it says. */
static void
look_at_it (Attack *attack)
{
  DatahubIntegrityReport report;
  DatahubBlockInfo info;
  DatahubConsumerInfo infos[8];
  DatahubDiagnosis *before = NULL, *after = NULL;
  uint32_t n;
  uint64_t start = check_now_ns (), took;
  datahub_block_validate ("cam0", DATAHUB_VALIDATE_CHECKSUMS, ignore, NULL,
      &report, &err);
  datahub_block_inspect ("cam0", &info, &err);
  datahub_block_inspect_consumers ("cam0", infos, 8, &n, &err);
  datahub_block_diagnose ("cam0", NULL, ignore, NULL, &before, &err);
  datahub_block_diagnose ("cam0", before, ignore, NULL, &after, &err);
  datahub_diagnosis_free (before);
  datahub_diagnosis_free (after);
  datahub_block_repair ("cam0", 0, SOON, NULL, NULL, &n, &err);
  datahub_block_repair ("cam0",
      DATAHUB_REPAIR_DRY_RUN | DATAHUB_REPAIR_CLOSE_DEAD, 0, NULL, NULL, &n,
      &err);
  took = check_now_ns () - start;
  CHECK_INT (took, <, (uint64_t) LOOK_NS);
  if (took > attack->slowest_ns)
    attack->slowest_ns = took;
  attack->n_looks++;
}

static uint64_t
noise (void)
{
  static uint64_t state = 7;
  state = state * UINT64_C (6364136223846793005) + 1442695040888963407u;
  return state ^ state >> 29;
}

/* Each word of [from, to) in turn: whole, and each half of it. */
static void
attack_words (Attack *attack, uint64_t from, uint64_t to)
{
  for (uint64_t at = from; at + 8 <= to; at += 8) {
    const uint64_t values[] = { 0, 1, UINT64_MAX, UINT64_MAX - 1, noise (),
      UINT64_C (1) << 47, 65535 };
    uint64_t saved;
    memcpy (&saved, attack->file->bytes + at, 8);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
      memcpy (attack->file->bytes + at, &values[i], 8);
      look_at_it (attack);
      memcpy (attack->file->bytes + at, &saved, 8);
    }
    for (int half = 0; half < 2; half++) {
      memcpy (attack->file->bytes + at + half * 4, &values[2 + half * 2], 4);
      look_at_it (attack);
      memcpy (attack->file->bytes + at, &saved, 8);
    }
  }
}

/* A block like a real one, and a consumer that keeps it from being removed. */
typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *consumer;
  DatahubView held;
} Scene;

static Scene
scene_new (void)
{
  Scene scene;
  DatahubProducerOptions options = small_options ();
  options.max_consumers = 4;
  options.checksum = DATAHUB_CHECKSUM_CRC32C;
  scene.producer = producer_new ("cam0", &options);
  scene.consumer = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_event (scene.producer, DATAHUB_RECORD_CAPS, "caps");
  commit_buffers (scene.producer, 0, 3);
  expect_event (scene.consumer, DATAHUB_RECORD_CAPS, "caps");
  scene.held = read_record (scene.consumer);
  return scene;
}

static void
scene_end (Scene *scene, Attack *attack)
{
  struct rusage usage;
  check_healthy ();
  CHECK (getrusage (RUSAGE_SELF, &usage) == 0);
  check_note ("%llu looks, the slowest %.1f ms, %ld MiB",
      (unsigned long long) attack->n_looks, attack->slowest_ns / 1e6,
      usage.ru_maxrss / 1024);
  intrusion_end (attack->file);
  datahub_consumer_end_read (scene->consumer, &scene->held);
  datahub_consumer_close (scene->consumer);
  datahub_producer_close (scene->producer);
}

static void
header (void)
{
  Scene scene = scene_new ();
  Intrusion ctl = intrude (".ctl");
  Attack attack = { .file = &ctl };
  attack_words (&attack, 0, 0x320);
  attack_words (&attack, sizeof (BlockHeader),
      sizeof (BlockHeader) + SECTIONS_MAX * sizeof (BlockSection));
  scene_end (&scene, &attack);
}

/* The same with the header's check sum made right again. */
static void
identity (void)
{
  Scene scene = scene_new ();
  Intrusion ctl = intrude (".ctl");
  Attack attack = { .file = &ctl };
  BlockIdentity *id = (BlockIdentity *) ctl.bytes, saved = *id;
  static const uint32_t values[] = { 0, 1, 63, 4096, 0x7fffffff, 0xfffffffe,
    0xffffffff };
  for (size_t at = 0; at < offsetof (BlockIdentity, header_check); at += 4)
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
      memcpy (ctl.bytes + at, &values[i], 4);
      renew_header_check (id);
      look_at_it (&attack);
      *id = saved;
    }
  scene_end (&scene, &attack);
}

static void
pools_and_words (void)
{
  Scene scene = scene_new ();
  Intrusion ctl = intrude (".ctl");
  Attack attack = { .file = &ctl };
  uint64_t pools =
      (uint64_t) ((uint8_t *) section_of (&ctl, SECTION_POOLS) - ctl.bytes);
  uint64_t sticky =
      (uint64_t) ((uint8_t *) section_of (&ctl, SECTION_STICKY) - ctl.bytes);
  uint64_t ring =
      (uint64_t) ((uint8_t *) section_of (&ctl, SECTION_RING) - ctl.bytes);
  attack_words (&attack, pools, pools + 3 * sizeof (PoolEntry));
  attack_words (&attack, sticky, sticky + N_STICKY_WORDS * 8);
  attack_words (&attack, ring, ring + 8 * 8);
  scene_end (&scene, &attack);
}

static void
records (void)
{
  Scene scene = scene_new ();
  Intrusion ctl = intrude (".ctl");
  Attack attack = { .file = &ctl };
  for (uint64_t s = 0; s < 2; s++) {
    uint64_t at = (uint64_t) ((uint8_t *) record_at (&ctl, s) - ctl.bytes);
    attack_words (&attack, at, at + offsetof (BlockRecord, inline_bytes));
  }
  scene_end (&scene, &attack);
}

static void
rows (void)
{
  Scene scene = scene_new ();
  Intrusion con = intrude (".con");
  Attack attack = { .file = &con };
  uint64_t stride =
      (uint64_t) ((uint8_t *) row_at (&con, 1) - (uint8_t *) row_at (&con, 0));
  attack_words (&attack, BLOCK_PAGE, BLOCK_PAGE + stride);
  attack_words (&attack, BLOCK_PAGE + 2 * stride, BLOCK_PAGE + 3 * stride);
  scene_end (&scene, &attack);
}

static void
wake_page (void)
{
  Scene scene = scene_new ();
  Intrusion con = intrude (".con");
  Attack attack = { .file = &con };
  attack_words (&attack, 0, 0x20);
  attack_words (&attack, 0x80, 0x88);
  attack_words (&attack, 0xc0, 0xc8);
  attack_words (&attack, 0x100, 0x108);
  attack_words (&attack, 0x140, 0x148);
  attack_words (&attack, offsetof (WakePage, user_locks),
      offsetof (WakePage, user_locks) + 2 * sizeof (UserLock));
  attack_words (&attack, 0xf00, 0xf18);
  scene_end (&scene, &attack);
}

static void
lock_file_and_pool_page (void)
{
  Scene scene = scene_new ();
  Intrusion lck = intrude (".lck"), pool = intrude (".d2");
  Attack attack = { .file = &pool };
  attack_words (&attack, 0, sizeof (PoolPage));
  intrusion_end (&pool);
  attack.file = &lck;
  attack_words (&attack, 0, sizeof (LockPage));
  scene_end (&scene, &attack);
}

static void
lengths (void)
{
  static const char *const suffixes[] = { ".ctl", ".con", ".d1", ".d2" };
  leave_dead_block ();
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    Intrusion file = intrude (suffixes[i]);
    static const uint64_t lengths[] = { 0, 1, 47, 4095, 4096, 5000,
      UINT64_C (1) << 40 };
    Attack attack = { .file = &file };
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
      CHECK (ftruncate (file.fd, (off_t) lengths[k]) == 0);
      look_at_it (&attack);
      intrusion_restore (&file);
    }
    intrusion_end (&file);
  }
  datahub_block_reclaim (false, NULL, NULL, NULL);
}

/* A pool that says it has four thousand million slots, and a file to match. */
static void
huge_pool (void)
{
  Scene scene = scene_new ();
  Intrusion ctl = intrude (".ctl"), pool = intrude (".d2");
  Attack attack = { .file = &ctl };
  PoolEntry *entries = section_of (&ctl, SECTION_POOLS);
  PoolPage *page = (PoolPage *) pool.bytes;
  for (uint32_t i = 0; i < 2; i++)
    if (entries[i].gen == 2) {
      page->n_slots = 0xffffffff;
      page->stride = 64;
      entries[i].n_slots = 0xffffffff;
      entries[i].stride = 64;
      entries[i].size = BLOCK_PAGE + UINT64_C (0xffffffff) * 64;
    }
  CHECK (ftruncate (pool.fd, (off_t) (BLOCK_PAGE + UINT64_C (0xffffffff) * 64))
      == 0);
  look_at_it (&attack);
  intrusion_restore (&pool);
  intrusion_end (&pool);
  intrusion_restore (&ctl);
  scene_end (&scene, &attack);
}

static const CheckTest tests[] = {
  { "every word of the header hostile in turn", header },
  { "every number of the identity hostile in turn, its check sum right",
      identity },
  { "every word of pools, sticky words and ring hostile in turn",
      pools_and_words },
  { "every word of a record hostile in turn", records },
  { "every word of a row hostile in turn", rows },
  { "every word of wake page and user locks hostile in turn", wake_page },
  { "every word of lock file and pool page hostile in turn",
      lock_file_and_pool_page },
  { "files of any length are looked at", lengths },
  { "a pool of any number of slots is looked at", huge_pool },
};
CHECK_MAIN (tests)
