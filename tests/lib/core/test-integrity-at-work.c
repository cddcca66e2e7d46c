/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validating blocks in order, idle and at full speed: whatever their programs do,
 * and wherever they are killed, there is no damage. */
#include "findings.h"

#include <string.h>

static void
idle (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  check_healthy ();
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_healthy ();
  commit_event (producer, DATAHUB_RECORD_EOS, NULL);
  check_healthy ();
  datahub_consumer_close (consumer);
  datahub_producer_flush (producer);
  check_healthy ();
  datahub_producer_close (producer);
}

static void
evicted (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 10 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view;
  commit_buffers (producer, 0, 20);
  CHECK_INT (producer_stats (producer).evictions, ==, 1);
  check_healthy ();
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_EVICTED);
  CHECK_OK (datahub_consumer_rejoin (consumer, &err));
  check_healthy ();
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
draining (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubIntegrityReport report;
  commit_buffers (producer, 0, 5);
  Intrusion ctl = intrude (".ctl");
  BlockHeader *header = (BlockHeader *) ctl.bytes;
  /* from here until the name is gone */
  header->state = DATAHUB_STATE_CLOSED;
  check_healthy ();
  header->state = DATAHUB_STATE_DRAINING;
  check_healthy ();
  intrusion_end (&ctl);
  datahub_producer_close (producer);
  CHECK_RESULT (datahub_block_validate ("cam0", 0, NULL, NULL, &report, &err),
      DATAHUB_ERROR_NOT_FOUND);
  expect_buffers (consumer, 0, 5);
  datahub_consumer_close (consumer);
}

/* A producer at full speed: batches, events, bodies too big for a record,
 * frames that make it grow and shrink back, flushes. Until a word comes. */
static void
produce_fast (CheckParent *parent)
{
  DatahubProducerOptions options = small_options ();
  options.checksum = DATAHUB_CHECKSUM_CRC32C;
  options.block_timeout_ns = 5 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  char body[1000];
  memset (body, 'x', sizeof body - 1);
  body[sizeof body - 1] = 0;
  check_ready (parent);
  for (uint64_t i = 0; !check_has_word (parent->in); i++) {
    DatahubSlot slots[3];
    DatahubCommit commits[3];
    uint64_t size = i % 1000 > 900 ? 4000 + 100 * (i / 1000 % 50) : 500;
    for (int k = 0; k < 3; k++) {
      fill_slot (producer, i, size, &slots[k]);
      commits[k] = buffer_record (&slots[k], i, size);
    }
    DatahubResult result =
        datahub_producer_commit_batch (producer, commits, 3, SOON, NULL, &err);
    for (int k = 0; k < 3 && result != DATAHUB_OK; k++)
      datahub_producer_abort (producer, &slots[k]);
    if (i % 50 == 0)
      commit_event (producer, DATAHUB_RECORD_CAPS, i % 100 ? "caps" : body);
    if (i % 70 == 0)
      commit_event (producer, DATAHUB_RECORD_STREAM_START, "stream");
    if (i % 90 == 0)
      commit_event (producer, DATAHUB_RECORD_SEGMENT, "segment");
    if (i % 300 == 0)
      datahub_producer_flush (producer);
    if (i % 200 == 0)
      commit_event (producer, DATAHUB_RECORD_EOS, NULL);
  }
  datahub_producer_close (producer);
}

/* Consumers that come, read, hold, are evicted, rejoin and leave. */
static void
consume_fast (CheckParent *parent)
{
  const bool *reliable = parent->data;
  for (uint32_t n = 0; !check_has_word (parent->in); n++) {
    DatahubConsumer *consumer =
        consumer_new ("cam0", *reliable, DATAHUB_START_OLDEST);
    DatahubView held = { 0 }, view;
    bool holds = false;
    DatahubSpinlock *lock = NULL;
    DatahubResult result = datahub_consumer_open_named_spinlock (consumer,
        n % 2 ? "odd" : "even", &lock, &err);
    CHECK (result < DATAHUB_ERROR_FIRST);
    for (int i = 0; i < 300; i++) {
      result = datahub_consumer_begin_read (consumer, 0, &view, &err);
      if (result == DATAHUB_EVICTED)
        CHECK_OK (datahub_consumer_rejoin (consumer, &err));
      if (result != DATAHUB_OK)
        continue;
      if (holds)
        datahub_consumer_end_read (consumer, &held);
      held = view;
      holds = true;
      if (i % 16 == 0 && datahub_spinlock_lock (lock, 0) == DATAHUB_OK)
        datahub_spinlock_unlock (lock);
    }
    if (holds)
      datahub_consumer_end_read (consumer, &held);
    datahub_spinlock_close (lock);
    datahub_consumer_close (consumer);
  }
}

static void
check_undamaged (const Findings *found)
{
  for (int i = 0; i < DATAHUB_N_FINDINGS; i++)
    if (found->of_kind[i] && found->last[i].severity == DATAHUB_SEVERITY_DAMAGE)
      check_fail (__FILE__, __LINE__, "%s: %s",
          datahub_finding_name ((DatahubFindingKind) i),
          found->last[i].message);
}

static void
no_false_alarm (void)
{
  static const bool reliable = true, live = false;
  CheckChild producer = check_fork (produce_fast, NULL), consumers[3];
  uint64_t words = 0, sums = 0, end;
  CHECK_HEAR (producer.from, 1);
  consumers[0] = check_fork (consume_fast, &reliable);
  consumers[1] = check_fork (consume_fast, &live);
  consumers[2] = check_fork (consume_fast, &live);
  end = check_now_ns () + (uint64_t) check_scaled_ns (3 * CHECK_S);
  for (int i = 0; i < 200 || check_now_ns () < end; i++) {
    Findings found = findings_of (i % 2 ? DATAHUB_VALIDATE_CHECKSUMS : 0);
    if (found.n)
      check_healthy (); /* says what, if it is there still */
    CHECK_INT (found.n, ==, 0);
    words += found.report.n_words;
    sums += found.report.n_checksums;
  }
  check_note ("%llu words and %llu checksums looked at",
      (unsigned long long) words, (unsigned long long) sums);
  CHECK_INT (words, >, 500);
  CHECK_INT (sums, >, 50);
  for (int i = 0; i < 3; i++) {
    check_tell (consumers[i].to, 1);
    check_join (&consumers[i]);
  }
  check_tell (producer.to, 1);
  check_join (&producer);
}

/* Blocks that come and go under one name. */
static void
come_and_go (CheckParent *parent)
{
  for (uint64_t i = 0; !check_has_word (parent->in); i++) {
    DatahubProducer *producer = producer_new ("cam0", NULL);
    commit_buffers (producer, 0, 500); /* long enough to be met */
    datahub_producer_close (producer);
  }
  check_tell (parent->out, 1);
}

static void
no_false_alarm_in_passing (void)
{
  CheckChild child = check_fork (come_and_go, NULL);
  uint32_t seen = 0;
  uint64_t end = check_now_ns () + (uint64_t) SOON;
  while (seen < 50) {
    Findings found;
    memset (&found, 0, sizeof found);
    DatahubResult result = datahub_block_validate ("cam0",
        DATAHUB_VALIDATE_CHECKSUMS, findings_note, &found, &found.report, &err);
    if (result != DATAHUB_OK && result != DATAHUB_ERROR_NOT_FOUND)
      check_fail (__FILE__, __LINE__, "%s: %s", datahub_result_name (result),
          err.message);
    for (int k = 0; k < DATAHUB_N_FINDINGS; k++)
      if (found.of_kind[k])
        check_fail (__FILE__, __LINE__, "%s", found.last[k].message);
    seen += result == DATAHUB_OK;
    CHECK_INT (check_now_ns (), <, end);
  }
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 1);
  check_join (&child);
}

/* Producers and consumers killed at any instruction, and successors that adopt
 * what they left: there is something left over at times, and never damage. */
static void
no_damage_by_kills (void)
{
  static const bool reliable = true, live = false;
  uint32_t leftovers = 0, looks = 0;
  uint64_t end = check_now_ns () + (uint64_t) check_scaled_ns (4 * CHECK_S);
  CheckChild producer = check_fork_ready (produce_fast, NULL);
  /* the last one to leave a dead block would remove it */
  DatahubConsumer *keeper = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  for (uint32_t round = 0; round < 20 || check_now_ns () < end; round++) {
    CheckChild consumers[2] = { check_fork (consume_fast, &reliable),
      check_fork (consume_fast, &live) };
    for (uint32_t i = 0; i < 1 + round % 3; i++, looks++) {
      Findings found = findings_of (i ? DATAHUB_VALIDATE_CHECKSUMS : 0);
      check_undamaged (&found);
    }
    check_kill (&producer);
    check_kill (&consumers[round % 2]);
    Findings found = findings_of (DATAHUB_VALIDATE_CHECKSUMS);
    check_undamaged (&found);
    check_kill (&consumers[1 - round % 2]); /* it looks at byte 0 at times */
    found = findings_of (DATAHUB_VALIDATE_CHECKSUMS);
    check_undamaged (&found);
    CHECK_INT (found.of_kind[DATAHUB_FINDING_PRODUCER_DEAD], ==, 1);
    leftovers += found.n;
    producer = check_fork (produce_fast, NULL); /* it adopts the block */
    CHECK_HEAR (producer.from, 1);
  }
  check_note ("%u looks at the living, %u things left by the dead", looks,
      leftovers);
  datahub_consumer_close (keeper);
  check_tell (producer.to, 1);
  check_join (&producer);
}

static const CheckTest tests[] = {
  { "an idle block has no findings", idle },
  { "an evicted consumer is no finding", evicted },
  { "a closing block has no findings", draining },
  { "a block at full speed has no findings", no_false_alarm },
  { "blocks that come and go have no findings", no_false_alarm_in_passing },
  { "producers killed at full speed, and adopted, leave no damage",
      no_damage_by_kills },
};
CHECK_MAIN (tests)
