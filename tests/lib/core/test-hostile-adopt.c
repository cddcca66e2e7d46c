/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A dead block that somebody wrote to before a successor came: it adopts what
 * makes sense and replaces what does not; nothing is read or written out of
 * bounds, and what it keeps account of is right. */
#include "account.h"
#include "findings.h"
#include "life.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a dead block that somebody wrote to ---- */

typedef struct
{
  Intrusion ctl;
  BlockHeader *header;
  uint64_t *ring;
  uint64_t *sticky;
  PoolEntry *pools;
  uint8_t *records;
} Ruin;

/* Caps and seven buffers of 1000 bytes, in a ring of 8. */
static Ruin
ruin_new (void)
{
  Ruin ruin;
  leave_dead_block ();
  ruin.ctl = intrude (".ctl");
  ruin.header = (BlockHeader *) ruin.ctl.bytes;
  ruin.ring = section_of (&ruin.ctl, SECTION_RING);
  ruin.sticky = section_of (&ruin.ctl, SECTION_STICKY);
  ruin.pools = section_of (&ruin.ctl, SECTION_POOLS);
  ruin.records = section_of (&ruin.ctl, SECTION_RECORDS);
  return ruin;
}

static BlockRecord *
ruin_record (const Ruin *ruin, uint32_t index)
{
  return (BlockRecord *) (ruin->records
      + (size_t) index * ruin->header->identity.rec_stride);
}

/* The record of sequence @s. */
static BlockRecord *
ruin_record_of (const Ruin *ruin, uint64_t s)
{
  return ruin_record (ruin, RING_RECORD (ruin->ring[s % 8]));
}

/* Reads whatever is there, and touches every byte. */
static DatahubResult
read_anything (DatahubConsumer *consumer)
{
  DatahubResult result;
  DatahubView view, context;
  for (int i = 0; i < 1000; i++) {
    result = datahub_consumer_begin_read (consumer, 0, &view, &err);
    if (result == DATAHUB_ERROR_CORRUPT)
      continue;
    if (result != DATAHUB_OK)
      return result;
    touch (&view);
    for (int c = 0; c < DATAHUB_N_CONTEXTS; c++)
      if (datahub_consumer_get_context (consumer, &view, (DatahubContext) c,
              &context, &err)
          == DATAHUB_OK)
        touch (&context);
    datahub_consumer_end_read (consumer, &view);
  }
  return DATAHUB_TIMEOUT;
}

/* A producer comes and works, in this block or in another; what it keeps account
 * of is right; a live consumer that was attached reads without harm. Returns
 * whether it adopted. */
static bool
outlive (Ruin *ruin, DatahubConsumer *consumer)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer;
  options.block_timeout_ns = 20 * CHECK_MS;
  CHECK_OK (producer_try ("cam0", &options, &producer));
  bool adopted = producer_stats (producer).adopted;
  if (adopted)
    account_check (producer, 0);
  for (uint64_t i = 0; i < 60; i++) {
    if (i % 8 == 0)
      commit_event (producer, DATAHUB_RECORD_CAPS, "new");
    commit_buffer (producer, 100 + i, 1000);
    if (consumer && i % 3 == 0)
      read_anything (consumer);
  }
  if (adopted)
    account_check (producer, 0);
  DatahubConsumer *late = consumer_new ("cam0", true, DATAHUB_START_LATEST);
  commit_buffer (producer, 1000, 1000);
  DatahubView view;
  do {
    view = read_record (late);
    datahub_consumer_end_read (late, &view);
  } while (view.offset != 1000);
  datahub_consumer_close (late);
  if (consumer)
    datahub_consumer_close (consumer);
  if (adopted)
    account_check_all_back (producer, 0);
  datahub_producer_close (producer);
  intrusion_end (&ruin->ctl);
  check_assert_nothing_left ();
  return adopted;
}

static bool
outlive_unattended (Ruin *ruin)
{
  return outlive (ruin, NULL);
}

static void
ruined_ring (void)
{
  static const uint64_t words[] = { 0, 5, 0xfffe, UINT64_MAX, UINT64_MAX - 1,
    RING_WORD (3, 60000), RING_WORD (UINT64_C (1) << 46, 2),
    RING_WORD (7, RECORD_NONE) };
  for (uint32_t i = 0; i < 8; i++)
    for (size_t j = 0; j < sizeof words / sizeof words[0]; j++) {
      Ruin ruin = ruin_new ();
      DatahubConsumer *consumer =
          consumer_new ("cam0", false, DATAHUB_START_OLDEST);
      bool oldest = i == 0; /* as if it had just been retired */
      bool same = ruin.ring[i] == words[j];
      ruin.ring[i] = words[j];
      CHECK_INT (outlive (&ruin, consumer), ==, oldest || same);
    }
  /* Two words of one record, and two records of one sequence. */
  Ruin ruin = ruin_new ();
  ruin.ring[3] = RING_WORD (3, RING_RECORD (ruin.ring[4]));
  CHECK (!outlive_unattended (&ruin));
  ruin = ruin_new ();
  ruin_record_of (&ruin, 3)->seq = 4;
  CHECK (!outlive_unattended (&ruin));
}

/* Words of a batch that was never committed are as if they were not there. */
static void
half_a_batch (void)
{
  Ruin ruin = ruin_new ();
  BlockRecord *record = ruin_record (&ruin, 40);
  *record = *ruin_record_of (&ruin, 7);
  record->seq = 8;
  ruin.ring[0] = RING_WORD (8, 40); /* sequence 0 had been retired for it */
  ruin.header->tail = ruin.header->tail_claim = 1;
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubProducer *producer = adopt_block (2);
  CHECK_INT (consumer_stats (consumer).head, ==, 8);
  expect_buffers (consumer, 0, 7);
  CHECK_INT (commit_event (producer, DATAHUB_RECORD_CAPS, "new"), ==, 8);
  commit_buffers (producer, 7, 3);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "new");
  expect_buffers (consumer, 7, 3);
  account_check (producer, 0);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  intrusion_end (&ruin.ctl);
}

static void
late_sticky_word (void)
{
  Ruin ruin = ruin_new ();
  /* Killed between head and sticky word: as if caps had never been told. */
  ruin.sticky[DATAHUB_CONTEXT_CAPS] = RING_WORD (0, RECORD_NONE);
  DatahubProducer *producer = adopt_block (2);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_LATEST);
  expect_sticky (consumer, DATAHUB_RECORD_CAPS, "caps");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  intrusion_end (&ruin.ctl);
}

static void
ruined_sticky_words (void)
{
  static const uint64_t words[] = { 0, 1, 5, 0xfffe, UINT64_MAX,
    RING_WORD (3, 3), RING_WORD (900, 0), RING_WORD (0, 60000) };
  for (uint32_t i = 0; i < N_STICKY_WORDS; i++)
    for (size_t j = 0; j < sizeof words / sizeof words[0]; j++) {
      Ruin ruin = ruin_new ();
      ruin.sticky[i] = words[j];
      CHECK (outlive_unattended (&ruin));
    }
}

static void
ruined_records (void)
{
  static const uint64_t values[] = { UINT64_C (0x0000000500000005),
    UINT64_C (0xffff00010000ffff), UINT64_C (1) << 47, UINT64_MAX };
  for (size_t at = 0; at < offsetof (BlockRecord, inline_bytes); at += 8)
    for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
      Ruin ruin = ruin_new ();
      DatahubConsumer *consumer =
          consumer_new ("cam0", false, DATAHUB_START_OLDEST);
      for (uint64_t s = j % 2 ? 3 : 0; s < (j % 2 ? 4 : 8); s++)
        memcpy ((uint8_t *) ruin_record_of (&ruin, s) + at, &values[j], 8);
      outlive (&ruin, consumer);
    }
}

/* Contexts that lead in a circle would keep each other for ever. */
static void
contexts_in_a_circle (void)
{
  Ruin ruin = ruin_new ();
  uint32_t n = ruin.header->identity.n_recs;
  for (uint32_t i = 20; i < n; i++) {
    BlockRecord *record = ruin_record (&ruin, i);
    uint32_t to = i + 1 < n ? i + 1 : 20;
    record->seq = 5;
    record->type = DATAHUB_RECORD_CAPS;
    for (int c = 0; c < DATAHUB_N_CONTEXTS; c++) {
      record->ctx[c] = (uint16_t) to;
      record->ctx_seq[c] = 5;
    }
  }
  CHECK (outlive_unattended (&ruin));
}

/* All records claim all slots: what nobody pins is free again. */
static void
slots_claimed_by_all (void)
{
  Ruin ruin = ruin_new ();
  for (uint32_t i = 20; i < ruin.header->identity.n_recs; i++) {
    BlockRecord *record = ruin_record (&ruin, i);
    record->seq = i;
    record->type = DATAHUB_RECORD_BUFFER;
    record->n_mem = 4;
    for (uint32_t m = 0; m < 4; m++)
      record->mem[m] = (RecordMemory){ .gen = 1 + (i + m) % 4,
        .slot = (i * 7 + m) % 20,
        .offset = m % 3 == 0 ? 0 : 4000,
        .size = m == 3 ? UINT64_MAX : 10 };
  }
  CHECK (outlive_unattended (&ruin));
}

static void
ruined_header (void)
{
  static const struct
  {
    size_t at, size;
    uint64_t value;
    bool adopted;
  } cases[] = {
#define CASE(field, value, adopted)                                            \
  { offsetof (BlockHeader, field), sizeof ((BlockHeader *) 0)->field, value,   \
    adopted }
    CASE (state, 0, false),
    CASE (state, 1, false),
    CASE (state, 3, false),
    CASE (state, 4, false),
    CASE (state, 5, false),
    CASE (state, UINT32_MAX, false),
    CASE (head, 0, true), /* as if nothing had been committed, */
    CASE (head, 7, true), /* or one less */
    CASE (head, 9, false),
    CASE (head, UINT64_C (1) << 50, false),
    CASE (head, UINT64_MAX, false),
    CASE (tail, 1, false),
    CASE (tail, 8, false),
    CASE (tail, UINT64_MAX, false),
    CASE (tail_claim, UINT64_MAX, true),
    CASE (tail_claim, 5, true),
    CASE (last_key_seq, 77, true),
    CASE (last_buffer_seq, UINT64_MAX - 5, true),
    CASE (flush_seq, 8, true),
    CASE (flush_seq, 9, false), /* who reads would wait for that one */
    CASE (flush_seq, UINT64_MAX, false),
    CASE (wake, UINT32_MAX, true),
    CASE (producer_waiting, 3, true),
    CASE (next_gen, 0, true),
    CASE (next_gen, UINT32_MAX, false),
    CASE (pool_changes, 99, true),
    CASE (room_wanted, 3, true),
    CASE (buffers, UINT64_MAX, true),
    CASE (incarnation, UINT64_MAX - 1, false),
    CASE (incarnation, 1000, true),
#undef CASE
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    Ruin ruin = ruin_new ();
    memcpy (ruin.ctl.bytes + cases[i].at, &cases[i].value, cases[i].size);
    bool adopted = outlive_unattended (&ruin);
    if (adopted != cases[i].adopted)
      check_fail (__FILE__, __LINE__, "case %zu: adopted %d", i, adopted);
  }
}

/* Numbers that agree with each other and with the files, and are no build's. */
static void
other_layout (void)
{
  Ruin ruin = ruin_new ();
  BlockSection *sections =
      (BlockSection *) (ruin.ctl.bytes + sizeof (BlockHeader));
  sections[2].offset = sections[3].offset; /* the ring on the records */
  CHECK (!outlive_unattended (&ruin));
  ruin = ruin_new ();
  ruin.header->identity.minor = BLOCK_MINOR + 1;
  renew_header_check (&ruin.header->identity);
  CHECK (!outlive_unattended (&ruin));
  ruin = ruin_new ();
  ruin.header->identity.lease_budget++;
  renew_header_check (&ruin.header->identity);
  CHECK (!outlive_unattended (&ruin));
}

/* Each feature that this build does not know is one it would not maintain. */
static void
unknown_features (void)
{
  for (uint32_t bit = 0; bit < 64; bit++) {
    uint64_t feature = UINT64_C (1) << bit;
    if (feature & FEATURES_COMPAT_KNOWN)
      continue;
    Ruin ruin = ruin_new ();
    ruin.header->identity.feat_compat |= feature;
    renew_header_check (&ruin.header->identity);
    if (outlive_unattended (&ruin))
      check_fail (__FILE__, __LINE__, "adopted with feature bit %u", bit);
  }
}

static void
ruined_pools (void)
{
  static const uint32_t values[] = { 0, 1, 2, 7, 64, 0xfffff000, UINT32_MAX };
  static const size_t fields[] = { offsetof (PoolEntry, gen),
    offsetof (PoolEntry, kind), offsetof (PoolEntry, n_slots),
    offsetof (PoolEntry, stride), offsetof (PoolEntry, size) };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    for (size_t j = 0; j < sizeof values / sizeof values[0]; j++)
      for (uint32_t p = 0; p < 2; p++) {
        Ruin ruin = ruin_new ();
        uint8_t *at = (uint8_t *) &ruin.pools[p] + fields[i];
        bool same = memcmp (at, &values[j], 4) == 0;
        memcpy (at, &values[j], 4);
        CHECK_INT (outlive_unattended (&ruin), ==, same);
      }
  /* One entry twice. */
  Ruin ruin = ruin_new ();
  memcpy ((void *) &ruin.pools[7], (void *) &ruin.pools[1],
      sizeof ruin.pools[7]);
  CHECK (!outlive_unattended (&ruin));
}

static void
ruined_pool_files (void)
{
  static const char *const names[] = { ".d1", ".d2" };
  for (uint32_t i = 0; i < 2; i++) {
    /* cut */
    Ruin ruin = ruin_new ();
    CHECK (truncate (check_find_file (names[i]), 5000) == 0);
    CHECK (!outlive_unattended (&ruin));
    /* gone */
    ruin = ruin_new ();
    CHECK (unlink (check_find_file (names[i])) == 0);
    CHECK (!outlive_unattended (&ruin));
    /* of another shape than the table says */
    ruin = ruin_new ();
    Intrusion pool = intrude (names[i]);
    ((PoolPage *) pool.bytes)->n_slots++;
    intrusion_end (&pool);
    CHECK (!outlive_unattended (&ruin));
    /* with holes, which are filled before anything is written there */
    ruin = ruin_new ();
    int fd = open (check_find_file (names[i]), O_RDWR | O_CLOEXEC);
    struct stat st;
    CHECK (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096,
               40960)
        == 0);
    CHECK (outlive_unattended (&ruin));
    CHECK (fstat (fd, &st) == 0);
    CHECK_INT (st.st_blocks * 512, >=, st.st_size);
    close (fd);
  }
  /* no such table names this one */
  Ruin ruin = ruin_new ();
  char path[512];
  strcpy (path, check_find_file (".d1"));
  strcpy (strrchr (path, '.'), ".d99");
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  close (fd);
  uint32_t files = check_count_files ();
  DatahubProducer *producer = adopt_block (2);
  CHECK_INT (check_count_files (), ==, files - 1);
  CHECK (access (path, F_OK) < 0);
  datahub_producer_close (producer);
  intrusion_end (&ruin.ctl);
}

/* Rows that say anything, and nobody has: their pins and gates are gone before
 * they keep anything. */
static void
ruined_rows (void)
{
  for (int round = 0; round < 20; round++) {
    Ruin ruin = ruin_new ();
    Intrusion con = intrude (".con");
    uint64_t state = (uint64_t) round + 1;
    for (uint64_t at = 0; at + 8 <= con.size; at += 8) {
      state = state * UINT64_C (6364136223846793005) + 1442695040888963407u;
      uint64_t word = round == 0 ? UINT64_MAX : state;
      if (at < 0xf00 || at >= BLOCK_PAGE)
        memcpy (con.bytes + at, &word, 8);
    }
    intrusion_end (&con);
    CHECK (outlive_unattended (&ruin));
  }
}

/* Anything, anywhere behind the identity. */
static void
ruined_at_random (void)
{
  uint64_t state = check_now_ns (), adopted = 0;
  check_note ("seed %llu", (unsigned long long) state);
  for (int round = 0; round < 200; round++) {
    Ruin ruin = ruin_new ();
    DatahubConsumer *consumer = round % 2
        ? consumer_new ("cam0", round % 4 == 1, DATAHUB_START_OLDEST)
        : NULL;
    uint64_t begin = offsetof (BlockHeader, head);
    uint64_t used = (uint64_t) ((uint8_t *) ruin_record (&ruin, 8)
        - ruin.ctl.bytes); /* records that the dead one had filled */
    uint64_t end = round % 5 ? used : ruin.ctl.size;
    for (int i = 0; i < 1 + round % 20; i++) {
      state = state * UINT64_C (6364136223846793005) + 1442695040888963407u;
      uint64_t at = begin + (state >> 20) % (end - begin - 8);
      uint64_t word = state >> (state % 64);
      memcpy (ruin.ctl.bytes + at, &word, round % 3 ? 2 : 8);
    }
    adopted += outlive (&ruin, consumer);
  }
  check_note ("%llu of 200 were adopted", (unsigned long long) adopted);
}

static const CheckTest tests[] = {
  { "a ring with a hole or a stranger in it is not adopted", ruined_ring },
  { "words of half a batch are dropped", half_a_batch },
  { "a sticky word that is behind the ring is made up for", late_sticky_word },
  { "sticky words that lead nowhere are dropped", ruined_sticky_words },
  { "any value in any field of a record does no harm", ruined_records },
  { "contexts in a circle keep nothing", contexts_in_a_circle },
  { "slots that all records claim come back", slots_claimed_by_all },
  { "a header that makes no sense is not adopted", ruined_header },
  { "another build's layout is not adopted", other_layout },
  { "a block with a feature that is not known is not adopted",
      unknown_features },
  { "a wrong table of pools is not adopted", ruined_pools },
  { "pool files must be what the table says", ruined_pool_files },
  { "rows that nobody has keep nothing", ruined_rows },
  { "two hundred blocks with random changes do no harm", ruined_at_random },
};
CHECK_MAIN (tests)
