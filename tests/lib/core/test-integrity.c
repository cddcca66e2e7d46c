/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validating a block: each kind of damage is found by its name, and so is what
 * the dead left. */
#include "findings.h"
#include "holder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_RECORDS 6 /* the caps, and five buffers */

/* A block with caps, five buffers, a reliable consumer that holds the first
 * buffer, and a live one that has read nothing. */
typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *reliable, *live;
  DatahubView held;
  Intrusion ctl, con;
  BlockHeader *header;
  WakePage *wake;
} Scene;

static Scene
scene_new (void)
{
  Scene scene;
  DatahubProducerOptions options = small_options ();
  options.checksum = DATAHUB_CHECKSUM_CRC32C;
  options.max_consumers = 100;
  memset (&scene, 0, sizeof scene);
  scene.producer = producer_new ("cam0", &options);
  scene.reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  scene.live = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_event (scene.producer, DATAHUB_RECORD_CAPS, "caps");
  commit_buffers (scene.producer, 0, N_RECORDS - 1);
  expect_event (scene.reliable, DATAHUB_RECORD_CAPS, "caps");
  scene.held = read_record (scene.reliable);
  scene.ctl = intrude (".ctl");
  scene.con = intrude (".con");
  scene.header = (BlockHeader *) scene.ctl.bytes;
  scene.wake = (WakePage *) scene.con.bytes;
  check_healthy ();
  return scene;
}

static void
scene_end (Scene *scene)
{
  check_healthy ();
  datahub_consumer_end_read (scene->reliable, &scene->held);
  datahub_consumer_close (scene->reliable);
  datahub_consumer_close (scene->live);
  check_healthy ();
  datahub_producer_close (scene->producer);
  intrusion_end (&scene->ctl);
  intrusion_end (&scene->con);
}

static void
mend (Scene *scene)
{
  intrusion_restore (&scene->ctl);
  intrusion_restore (&scene->con);
}

/* Sets one thing, and expects one kind of finding that says so. */
#define FINDS(scene, lvalue, value, kind, words)                               \
  do {                                                                         \
    (lvalue) = (value);                                                        \
    check_found (DATAHUB_FINDING_##kind, words);                               \
    mend (scene);                                                              \
  } while (0)

static void
header (void)
{
  Scene scene = scene_new ();
  BlockIdentity *id = &scene.header->identity;
  FINDS (&scene, id->secret_tag[5], 1, HEADER, "check sum");
  FINDS (&scene, id->n_recs, 1, HEADER, "check sum");
  FINDS (&scene, scene.header->state, 6, STATE, "not a state");
  FINDS (&scene, scene.header->state, DATAHUB_STATE_MUTEX_READY, STATE,
      "of an unfinished block");
  id->max_rows--;
  renew_header_check (id);
  check_found (DATAHUB_FINDING_HEADER, "100 rows, the header 99");
  mend (&scene);
  scene_end (&scene);
}

static void
counters (void)
{
  Scene scene = scene_new ();
  BlockHeader *h = scene.header;
  FINDS (&scene, h->head, 9, COUNTERS, "from record 0 to 9");
  FINDS (&scene, h->tail, 7, COUNTERS, "from record 7 to 6");
  FINDS (&scene, h->tail_claim, 7, COUNTERS, "tail_claim is 7");
  FINDS (&scene, h->last_key_seq, 100, COUNTERS, "key frame");
  FINDS (&scene, h->last_buffer_seq, 100, COUNTERS, "newest buffer");
  FINDS (&scene, h->flush_seq, 7, COUNTERS, "flush_seq is 7");
  FINDS (&scene, h->producer_waiting, 8, COUNTERS, "0x8");
  FINDS (&scene, h->incarnation, 0, COUNTERS, "incarnation");
  scene_end (&scene);
}

static void
ring_words (void)
{
  Scene scene = scene_new ();
  uint32_t n = scene.header->identity.n_recs;
  uint64_t first = *ring_word_of (&scene.ctl, 1);
  FINDS (&scene, *ring_word_of (&scene.ctl, 2), RING_WORD (2, n), RING_WORD,
      "should refer to record 2");
  FINDS (&scene, *ring_word_of (&scene.ctl, 2), RING_WORD (2, RECORD_NONE),
      RING_WORD, "should refer to record 2");
  FINDS (&scene, *ring_word_of (&scene.ctl, 2), RING_WORD (10, 2), RING_WORD,
      "refers to record 10");
  FINDS (&scene, *ring_word_of (&scene.ctl, 7), RING_WORD (7, n), RING_WORD,
      "which is not in the ring");
  FINDS (&scene, *ring_word_of (&scene.ctl, 7), RING_WORD (6, 0), RING_WORD,
      "which is not in the ring");
  FINDS (&scene, *ring_word_of (&scene.ctl, 7), RING_WORD (47, 0), RING_WORD,
      "which is not in the ring");
  /* two words that lead to one record: one of them is wrong about it */
  *ring_word_of (&scene.ctl, 2) = RING_WORD (2, RING_RECORD (first));
  record_at (&scene.ctl, 1)->seq = 2;
  check_found (DATAHUB_FINDING_RECORD, "another number");
  mend (&scene);
  scene_end (&scene);
}

/* What a producer leaves that is killed between two steps is no damage. */
static void
between_steps (void)
{
  Scene scene = scene_new ();
  *ring_word_of (&scene.ctl, 0) = RING_WORD (0, RECORD_NONE); /* A3 */
  scene.header->tail_claim = 2; /* A1 */
  *ring_word_of (&scene.ctl, 6) = RING_WORD (6, 9); /* A6 */
  scene.header->last_buffer_seq = 6;
  check_healthy ();
  mend (&scene);
  scene_end (&scene);
}

static void
records (void)
{
  Scene scene = scene_new ();
  BlockRecord *r = record_at (&scene.ctl, 2);
  const BlockRecord *caps = record_at (&scene.ctl, 0);
  FINDS (&scene, r->seq, 3, RECORD, "another number");
  FINDS (&scene, r->type, 0, RECORD, "type");
  FINDS (&scene, r->type, 9, RECORD, "type");
  FINDS (&scene, r->type, 10, RECORD, "type");
  FINDS (&scene, r->n_mem, 5, RECORD, "too many memories");
  FINDS (&scene, r->mem[0].gen, 99, RECORD, "in no pool");
  FINDS (&scene, r->mem[0].slot, 16, RECORD, "outside of its slot");
  FINDS (&scene, r->mem[0].offset, 4097, RECORD, "outside of its slot");
  FINDS (&scene, r->mem[0].size, UINT64_MAX, RECORD, "outside of its slot");
  FINDS (&scene, r->meta_size, RECORD_INLINE + 1, RECORD, "impossible size");
  FINDS (&scene, r->meta_gen, 77, RECORD, "its body");
  FINDS (&scene, r->checksum_kind, 3, RECORD, "checksum is unknown");
  FINDS (&scene, r->ctx[DATAHUB_CONTEXT_CAPS], 60000, RECORD, "sticky records");
  FINDS (&scene, r->ctx_seq[DATAHUB_CONTEXT_CAPS], 77, RECORD,
      "sticky records");
  FINDS (&scene, ((BlockRecord *) caps)->n_mem, 9, RECORD, "damaged");
  scene_end (&scene);
}

static void
checksums (void)
{
  Scene scene = scene_new ();
  Findings found = findings_of (DATAHUB_VALIDATE_CHECKSUMS);
  CHECK_INT (found.report.n_checksums, ==, N_RECORDS);
  FINDS (&scene, record_at (&scene.ctl, 2)->checksum[1],
      record_at (&scene.ctl, 2)->checksum[1] ^ 1, CHECKSUM, "record 2");
  FINDS (&scene, record_at (&scene.ctl, 0)->inline_bytes[1], 'A', CHECKSUM,
      "record 0");
  Intrusion pool = intrude (".d2");
  const RecordMemory *m = &record_at (&scene.ctl, 3)->mem[0];
  pool.bytes[BLOCK_PAGE + m->slot * 4096 + m->offset + 999] ^= 4;
  check_found (DATAHUB_FINDING_CHECKSUM, "record 3");
  /* not asked for: not read */
  found = findings_of (0);
  CHECK_INT (found.n, ==, 0);
  CHECK_INT (found.report.n_checksums, ==, 0);
  intrusion_restore (&pool);
  intrusion_end (&pool);
  scene_end (&scene);
}

static void
sticky_words (void)
{
  Scene scene = scene_new ();
  uint64_t *sticky = section_of (&scene.ctl, SECTION_STICKY);
  uint64_t buffer = *ring_word_of (&scene.ctl, 1);
  FINDS (&scene, sticky[DATAHUB_CONTEXT_CAPS], RING_WORD (0, 60000),
      STICKY_WORD, "current caps");
  FINDS (&scene, sticky[DATAHUB_CONTEXT_CAPS], buffer, STICKY_WORD,
      "another type");
  FINDS (&scene, sticky[STICKY_EOS], RING_WORD (3, 500), STICKY_WORD,
      "another number");
  scene_end (&scene);
}

static void
pools (void)
{
  Scene scene = scene_new ();
  PoolEntry *entries = section_of (&scene.ctl, SECTION_POOLS);
  FINDS (&scene, entries[1].stride, 4095, POOL, "impossible numbers");
  FINDS (&scene, entries[1].kind, 7, POOL, "impossible numbers");
  FINDS (&scene, entries[1].n_slots, 0, POOL, "impossible numbers");
  FINDS (&scene, scene.header->next_gen, 1, POOL, "newest is recorded as 1");
  entries[5] = entries[1];
  check_found (DATAHUB_FINDING_POOL, "twice");
  mend (&scene);
  entries[1].n_slots = 32;
  entries[1].size = BLOCK_PAGE + 32 * 4096;
  check_found (DATAHUB_FINDING_POOL, "another length");
  mend (&scene);
  Intrusion pool = intrude (".d2");
  FINDS (&scene, ((PoolPage *) pool.bytes)->gen, 3, POOL, "first page");
  intrusion_restore (&pool);
  CHECK (ftruncate (pool.fd, 5000) == 0);
  check_found (DATAHUB_FINDING_POOL, "another length");
  intrusion_restore (&pool);
  intrusion_end (&pool);
  char path[256], away[256];
  snprintf (path, sizeof path, "%s", check_find_file (".d2"));
  snprintf (away, sizeof away, "%s/away", check_directory ());
  CHECK (rename (path, away) == 0);
  check_found (DATAHUB_FINDING_POOL, "is missing");
  CHECK (rename (away, path) == 0);
  scene_end (&scene);
}

static RowExtra *
extra_of (const Scene *scene, ConsumerRow *row)
{
  uint64_t end = sizeof *row + 8 * (uint64_t) scene->header->identity.pin_words;
  return (RowExtra *) ((uint8_t *) row + (end + 63) / 64 * 64);
}

static void
rows (void)
{
  Scene scene = scene_new ();
  ConsumerRow *reliable = row_at (&scene.con, 0);
  ConsumerRow *live = row_at (&scene.con, 1);
  uint32_t n = scene.header->identity.n_recs;
  FINDS (&scene, scene.wake->rows_hwm, 101, WAKE_PAGE, "rows_hwm is 101");
  FINDS (&scene, scene.wake->waiters[1], UINT64_C (1) << 36, WAKE_PAGE,
      "Row 100");
  FINDS (&scene, live->state, 5, ROW, "state of row 1 is 5");
  FINDS (&scene, live->mode, 4, ROW, "mode of row 1 is 4");
  FINDS (&scene, live->quota, n + 1, ROW, "Row 1 may hold");
  FINDS (&scene, live->claim, 9, ROW, "claimed by incarnation 9");
  FINDS (&scene, live->cursor, 7, ROW, "Row 1 reads record 7");
  FINDS (&scene, live->gate, GATE_WORD (1, 3), GATE, "live consumer, but");
  FINDS (&scene, reliable->gate, GATE_WORD (2, 2), GATE, "incarnation 2");
  FINDS (&scene, reliable->gate, GATE_WORD (1, 7), GATE, "needs record 7");
  FINDS (&scene, extra_of (&scene, live)->event, MAIL_WORD (1, 3, 1025), ROW,
      "event of 1025 bytes");
  FINDS (&scene, extra_of (&scene, live)->limits, MAIL_WORD (1, 4, 2048), ROW,
      "limits of 2048");
  CHECK_INT (n & 63, !=, 0);
  FINDS (&scene, live->pins[n / 64], UINT64_C (1) << (n & 63), PINS, "beyond");
  scene_end (&scene);
}

static void
behind_the_ring (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  expect_buffers (consumer, 0, 8);
  commit_buffers (producer, 8, 8);
  check_healthy ();
  Intrusion con = intrude (".con");
  row_at (&con, 0)->gate = GATE_WORD (1, 2);
  check_found (DATAHUB_FINDING_GATE, "needs record 2");
  intrusion_restore (&con);
  intrusion_end (&con);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
locks (void)
{
  Scene scene = scene_new ();
  UserLock *user = scene.wake->user_locks;
  DatahubSpinlock *lock = NULL;
  FINDS (&scene, user[3].owner, UINT64_C (300) << 48 | 5, LOCK_WORD,
      "participant 300");
  FINDS (&scene, user[3].owner, 5, LOCK_WORD, "participant 0");
  FINDS (&scene, user[3].contended, 2, LOCK_WORD, "contended");
  FINDS (&scene, user[2].name[0], 0x0101, LOCK_NAME, "name of user lock 2");
  CHECK_OK (datahub_producer_open_named_spinlock (scene.producer, "meta", &lock,
      &err));
  CHECK_OK (datahub_spinlock_lock (lock, 0));
  check_healthy ();
  uint64_t name = user[0].name[0];
  user[4].name[0] = name;
  check_found (DATAHUB_FINDING_LOCK_NAME, "0 and 4 have the same name, meta");
  user[4].name[0] = 0;
  /* a name being written is none of our business while its lock is held */
  scene.wake->registry_dirty = 1;
  check_found (DATAHUB_FINDING_NAMES_DIRTY, "died");
  scene.wake->registry_dirty = 0;
  CHECK_OK (datahub_spinlock_unlock (lock));
  datahub_spinlock_close (lock);
  scene_end (&scene);
}

static void
unreadable (void)
{
  leave_dead_block ();
  Intrusion ctl = intrude (".ctl");
  memset (ctl.bytes, 0x5a, ctl.size);
  check_found (DATAHUB_FINDING_HEADER, "damaged");
  CHECK (ftruncate (ctl.fd, 100) == 0);
  check_found (DATAHUB_FINDING_HEADER, "truncated");
  intrusion_restore (&ctl);
  intrusion_end (&ctl);
  datahub_block_reclaim (false, NULL, NULL, NULL);
  DatahubIntegrityReport report;
  CHECK_RESULT (datahub_block_validate ("cam0", 0, NULL, NULL, &report, &err),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK_RESULT (datahub_block_validate ("../x", 0, NULL, NULL, &report, &err),
      DATAHUB_ERROR_NAME);
}

/* Everything wrong at once: few are told, all are counted, soon. */
static void
all_at_once (void)
{
  Scene scene = scene_new ();
  uint64_t start = check_now_ns ();
  for (uint32_t i = 0; i < 100; i++)
    row_at (&scene.con, i)->state = 77;
  for (uint64_t s = 0; s < 8; s++)
    *ring_word_of (&scene.ctl, s) = RING_WORD (s, 60000);
  Findings found = findings_of (0);
  CHECK_INT (found.of_kind[DATAHUB_FINDING_ROW], ==, 8);
  CHECK_INT (found.of_kind[DATAHUB_FINDING_RING_WORD], ==, 8);
  CHECK_INT (found.report.n_untold, >=, 92);
  CHECK_INT (found.report.n_found[DATAHUB_SEVERITY_DAMAGE], >=, 108);
  CHECK_INT (check_now_ns () - start, <, (uint64_t) SOON);
  mend (&scene);
  scene_end (&scene);
}

static void
dead_consumer (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 6);
  const Holder holder = { .reliable = true, .records = 2, .lock = 5 };
  CheckChild child = check_fork_ready (hold_on, &holder);
  check_healthy ();
  check_stop (&child);
  check_healthy ();
  check_kill (&child);
  Findings found = findings_of (0);
  check_found_in (&found, DATAHUB_FINDING_CONSUMER_DEAD, "records it holds: 2");
  check_found_in (&found, DATAHUB_FINDING_LOCK_OWNER_DEAD,
      "User lock 5 is still held by the consumer of row 0");
  CHECK_INT (found.n, ==, 2);
  CHECK_INT (found.report.n_found[DATAHUB_SEVERITY_LEFTOVER], ==, 2);
  /* its next record was committed before it died, and waits since then */
  CHECK_INT (found.last[DATAHUB_FINDING_CONSUMER_DEAD].for_ns, >, 0);
  datahub_producer_close (producer);
}

static void
dead_producer (void)
{
  leave_dead_block ();
  Findings found = findings_of (0);
  check_found_in (&found, DATAHUB_FINDING_PRODUCER_DEAD, "lock is free");
  CHECK_INT (found.n, ==, 1);
  CHECK_INT (found.last[DATAHUB_FINDING_PRODUCER_DEAD].for_ns, >, 0);
  /* the file of a pool that was never named by the table */
  make_stray_pool ();
  check_found (DATAHUB_FINDING_POOL_LEFTOVER, "pool 9");
  /* the same, closed on its behalf, with nobody left */
  Intrusion ctl = intrude (".ctl");
  ((BlockHeader *) ctl.bytes)->state = DATAHUB_STATE_CLOSED;
  check_found (DATAHUB_FINDING_BLOCK_LEFTOVER, "no process has it open");
  intrusion_end (&ctl);
  datahub_block_reclaim (false, NULL, NULL, NULL);
}

static void
observes_only (void)
{
  Scene scene = scene_new ();
  uint8_t *ctl = malloc (scene.ctl.size), *con = malloc (scene.con.size);
  CHECK (ctl && con);
  memcpy (ctl, scene.ctl.bytes, scene.ctl.size);
  memcpy (con, scene.con.bytes, scene.con.size);
  uint32_t fds = check_count_fds ();
  Findings found = findings_of (DATAHUB_VALIDATE_CHECKSUMS);
  CHECK_INT (found.report.n_rows, ==, 2);
  CHECK_INT (found.report.n_pools, ==, 2);
  CHECK_INT (found.report.n_words, ==, N_RECORDS + 1); /* and the caps */
  CHECK_INT (check_count_fds (), ==, fds);
  CHECK (memcmp (ctl, scene.ctl.bytes, scene.ctl.size) == 0);
  CHECK (memcmp (con, scene.con.bytes, scene.con.size) == 0);
  free (ctl);
  free (con);
  CHECK_STR (datahub_finding_name (DATAHUB_FINDING_RING_WORD), "ring-word");
  CHECK_STR (datahub_finding_name (DATAHUB_N_FINDINGS), "unknown");
  scene_end (&scene);
}

static const CheckTest tests[] = {
  { "a changed header or state is found", header },
  { "impossible counters are found", counters },
  { "a wrong ring word is found", ring_words },
  { "what a kill leaves between two steps is no damage", between_steps },
  { "a damaged record that can be reached is found", records },
  { "bytes that do not match their checksum are found", checksums },
  { "a wrong sticky word is found", sticky_words },
  { "a wrong pool or pool file is found", pools },
  { "a wrong wake page or row is found", rows },
  { "a gate behind the ring is found", behind_the_ring },
  { "wrong user locks and names are found", locks },
  { "a block that cannot be opened is a finding", unreadable },
  { "many findings are counted, few are told", all_at_once },
  { "a dead consumer's row and locks are found, a stopped one's are not",
      dead_consumer },
  { "a dead producer and what it left are found", dead_producer },
  { "validating changes nothing", observes_only },
};
CHECK_MAIN (tests)
