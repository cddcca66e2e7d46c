/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Diagnosing a block: what everything is, who holds it, and who does not move. */
#include "findings.h"
#include "holder.h"

#include <string.h>
#include <unistd.h>

/* Looks once, compared with @before, which is freed. */
static DatahubDiagnosis *
look (DatahubDiagnosis *before, Findings *found)
{
  DatahubDiagnosis *diagnosis = NULL;
  Findings unused;
  memset (&unused, 0, sizeof unused);
  CHECK_OK (datahub_block_diagnose ("cam0", before, findings_note,
      found ? found : &unused, &diagnosis, &err));
  datahub_diagnosis_free (before);
  return diagnosis;
}

/* Looks again and again until that finding comes. */
static DatahubFinding
look_until (DatahubFindingKind kind)
{
  uint64_t end = check_now_ns () + (uint64_t) SOON;
  DatahubDiagnosis *diagnosis = look (NULL, NULL);
  Findings found;
  do {
    memset (&found, 0, sizeof found);
    diagnosis = look (diagnosis, &found);
    if (check_now_ns () > end)
      check_found_in (&found, kind, ""); /* says what was found instead */
  } while (!found.of_kind[kind]);
  datahub_diagnosis_free (diagnosis);
  return found.last[kind];
}

static uint32_t
count_records (const DatahubDiagnosis *diagnosis, DatahubRecordState state)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < diagnosis->n_records; i++)
    n += diagnosis->records[i].state == state;
  return n;
}

static uint32_t
count_slots (const DatahubDiagnosis *diagnosis, DatahubRecordState state)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < diagnosis->n_slots; i++)
    n += diagnosis->slots[i].state == state;
  return n;
}

static void
inventory (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubSlot loan;
  commit_event (producer, DATAHUB_RECORD_CAPS, "caps");
  commit_buffers (producer, 0, 1);
  expect_event (consumer, DATAHUB_RECORD_CAPS, "caps");
  DatahubView held = read_record (consumer);
  commit_buffers (producer, 1, 20);
  fill_slot (producer, 5, 100, &loan);
  DatahubDiagnosis *d = look (NULL, NULL);
  CHECK_STR (d->channel, "cam0");
  CHECK_STR (d->uuid, datahub_producer_get_uuid (producer));
  CHECK (d->producer_alive);
  CHECK_INT (d->silent_ns, >=, 0);
  CHECK_INT (d->watched_ns, ==, 0);
  CHECK_INT (d->head, ==, 22);
  /* eight in the ring, the one that is held, the caps that all stand in */
  CHECK_INT (count_records (d, DATAHUB_RECORD_STATE_RING), ==, 8);
  CHECK_INT (count_records (d, DATAHUB_RECORD_STATE_HELD), ==, 1);
  CHECK_INT (count_records (d, DATAHUB_RECORD_STATE_CONTEXT), ==, 1);
  CHECK_INT (count_slots (d, DATAHUB_RECORD_STATE_RING), ==, 8);
  CHECK_INT (count_slots (d, DATAHUB_RECORD_STATE_HELD), ==, 1);
  /* those of both pools; the loan is among those that nobody can see */
  CHECK_INT (d->n_slots, ==, 16 + 64);
  CHECK_INT (count_slots (d, DATAHUB_RECORD_STATE_UNSEEN), ==, 16 + 64 - 9);
  for (uint32_t i = 0; i < d->n_records; i++)
    if (d->records[i].state == DATAHUB_RECORD_STATE_HELD) {
      CHECK_INT (d->records[i].sequence, ==, 1);
      CHECK_INT (d->records[i].type, ==, DATAHUB_RECORD_BUFFER);
      CHECK_INT (d->records[i].n_holders, ==, 1);
      CHECK_INT (d->records[i].holder, ==, 0);
      CHECK_INT (d->records[i].age_ns, >, 0);
    }
  for (uint32_t i = 0; i < d->n_slots; i++)
    if (d->slots[i].state == DATAHUB_RECORD_STATE_HELD) {
      CHECK_INT (d->slots[i].holder, ==, 0);
      CHECK_INT (d->slots[i].n_records, ==, 1);
      CHECK_INT (d->slots[i].sequence, ==, 1);
    }
  CHECK_INT (d->n_rows, ==, 1);
  CHECK_INT (d->rows[0].info.pid, ==, getpid ());
  CHECK_INT (d->rows[0].info.pins, ==, 1);
  CHECK_INT (d->rows[0].behind, ==, 20);
  CHECK_INT (d->rows[0].waiting_ns, >, 0);
  datahub_diagnosis_free (d);
  datahub_producer_abort (producer, &loan);
  datahub_consumer_end_read (consumer, &held);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
times_add_up (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 3);
  DatahubView held = read_record (consumer);
  int64_t watched = 0;
  DatahubDiagnosis *d = look (NULL, NULL);
  CHECK_INT (d->rows[0].still_ns, ==, 0);
  for (int i = 0; i < 3; i++) {
    d = look (d, NULL);
    watched += d->watched_ns;
    CHECK_INT (d->watched_ns, >, 0);
    CHECK_INT (d->rows[0].still_ns, ==, watched);
    CHECK_INT (d->rows[0].held_ns, ==, watched);
    CHECK_INT (d->rows[0].waiting_ns, >=, watched);
  }
  /* who moves starts anew; what it holds it still holds */
  expect_buffers (consumer, 1, 1);
  d = look (d, NULL);
  CHECK_INT (d->rows[0].still_ns, ==, 0);
  CHECK_INT (d->rows[0].held_ns, ==, watched + d->watched_ns);
  datahub_consumer_end_read (consumer, &held);
  expect_buffers (consumer, 2, 1);
  Findings found;
  memset (&found, 0, sizeof found);
  d = look (d, &found);
  d = look (d, &found);
  CHECK_INT (d->rows[0].still_ns, ==, 0); /* has read all there is */
  CHECK_INT (d->rows[0].waiting_ns, <, 0);
  CHECK_INT (d->rows[0].held_ns, ==, 0);
  CHECK_INT (found.n, ==, 0);
  datahub_diagnosis_free (d);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
stalled (void)
{
  for (int i = 0; i < 2; i++) {
    bool reliable = i;
    DatahubProducer *producer = producer_new ("cam0", NULL);
    const Holder idle = { .reliable = reliable };
    CheckChild child = check_fork_ready (hold_on, &idle);
    check_stop (&child);
    commit_buffers (producer, 0, 5);
    DatahubFinding finding = look_until (DATAHUB_FINDING_CONSUMER_STALLED);
    CHECK_CONTAINS (finding.message, reliable ? "reliable" : "live");
    CHECK_CONTAINS (finding.message, "5 behind");
    CHECK_INT (finding.for_ns, >=, CHECK_S / 2);
    /* a live one is in nobody's way */
    CHECK_INT (finding.severity, ==,
        reliable ? DATAHUB_SEVERITY_WARNING : DATAHUB_SEVERITY_NOTE);
    check_healthy ();
    check_kill (&child);
    datahub_producer_close (producer);
  }
}

static void *
commit_until_interrupted (void *data)
{
  DatahubResult result = DATAHUB_OK;
  for (uint64_t i = 0; result == DATAHUB_OK; i++)
    result = try_commit (data, i, 1000, DATAHUB_FOREVER);
  CHECK_INT (result, ==, DATAHUB_INTERRUPTED);
  return NULL;
}

static void
producer_waits (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = -1;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  CheckThread *thread = check_thread (commit_until_interrupted, producer);
  DatahubFinding finding = look_until (DATAHUB_FINDING_PRODUCER_WAITS);
  CHECK_CONTAINS (finding.message, "core-diagnose");
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ALL, true);
  check_thread_join (thread);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
evicted (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 10 * CHECK_MS;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 20);
  DatahubFinding finding = look_until (DATAHUB_FINDING_CONSUMER_EVICTED);
  CHECK_CONTAINS (finding.message, "was evicted");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
leases_kept (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 2);
  DatahubView first = read_record (consumer), second = read_record (consumer);
  datahub_consumer_close (consumer);
  DatahubFinding finding = look_until (DATAHUB_FINDING_LEASES_KEPT);
  CHECK_CONTAINS (finding.message, "still holds 2 of its records");
  CHECK_INT (finding.for_ns, >=, CHECK_S / 2);
  datahub_consumer_end_read (consumer, &first);
  datahub_consumer_end_read (consumer, &second);
  datahub_producer_close (producer);
}

static void
locks (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubSpinlock *lock = NULL;
  CHECK_OK (datahub_producer_open_named_spinlock (producer, "meta", &lock,
      &err));
  CHECK_OK (datahub_spinlock_lock (lock, 0));
  DatahubFinding finding = look_until (DATAHUB_FINDING_LOCK_HELD);
  CHECK_CONTAINS (finding.message,
      "User lock 0 (meta) is held by the producer");
  CHECK_INT (finding.for_ns, >=, CHECK_S / 10);
  /* again: the owner counts in ticks, and must have seen as much */
  look_until (DATAHUB_FINDING_LOCK_HELD);
  DatahubDiagnosis *d = look (NULL, NULL);
  CHECK_INT (d->locks[0].holder, ==, DATAHUB_HOLDER_PRODUCER);
  CHECK_INT (d->locks[0].thread, ==, gettid ());
  CHECK (d->locks[0].alive && d->locks[0].stats.locked);
  CHECK_INT (d->locks[1].holder, ==, DATAHUB_HOLDER_NONE);
  datahub_diagnosis_free (d);
  CHECK_OK (datahub_spinlock_unlock (lock));
  /* over, but remembered */
  Findings found;
  memset (&found, 0, sizeof found);
  d = look (NULL, &found);
  d = look (d, &found);
  CHECK_INT (found.of_kind[DATAHUB_FINDING_LOCK_HELD], ==, 0);
  check_found_in (&found, DATAHUB_FINDING_LOCK_SLOW, "was held for up to");
  datahub_diagnosis_free (d);
  datahub_spinlock_close (lock);
  datahub_producer_close (producer);
}

static void
full_table (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_consumers = 2;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *a = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  Findings found;
  memset (&found, 0, sizeof found);
  datahub_diagnosis_free (look (NULL, &found));
  CHECK_INT (found.n, ==, 0);
  DatahubConsumer *b = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  datahub_diagnosis_free (look (NULL, &found));
  check_found_in (&found, DATAHUB_FINDING_TABLE_FULL, "All 2 rows");
  datahub_consumer_close (a);
  datahub_consumer_close (b);
  datahub_producer_close (producer);
}

/* Of the buffers between two looks. */
static void
copies (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new_quota ("cam0", false, 2);
  DatahubView views[5];
  DatahubDiagnosis *d;
  Findings found;
  memset (&found, 0, sizeof found);
  commit_buffers (producer, 0, 5);
  for (int i = 0; i < 3; i++)
    views[i] = read_record (consumer);
  CHECK_INT (views[2].must_copy, ==, true);
  d = look (NULL, NULL);
  for (int i = 3; i < 5; i++)
    views[i] = read_record (consumer);
  d = look (d, &found);
  check_found_in (&found, DATAHUB_FINDING_CONSUMER_COPIES,
      "had to copy 2 of 2 buffers");
  check_found_in (&found, DATAHUB_FINDING_CONSUMER_COPIES, "it may hold 2");
  CHECK_INT (found.n, ==, 1);
  memset (&found, 0, sizeof found);
  d = look (d, &found);
  CHECK_INT (found.n, ==, 0);
  datahub_diagnosis_free (d);
  for (int i = 0; i < 5; i++)
    datahub_consumer_end_read (consumer, &views[i]);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
losses (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  Findings found;
  memset (&found, 0, sizeof found);
  commit_buffers (producer, 0, 1);
  expect_buffers (consumer, 0, 1);
  DatahubDiagnosis *d = look (NULL, NULL);
  commit_buffers (producer, 1, 30);
  DatahubView view = read_record (consumer);
  CHECK_INT (view.lost, ==, 29);
  datahub_consumer_end_read (consumer, &view);
  datahub_producer_count_dropped (producer, 3);
  d = look (d, &found);
  check_found_in (&found, DATAHUB_FINDING_CONSUMER_LOSES, "lost 29 buffers");
  check_found_in (&found, DATAHUB_FINDING_PRODUCER_DROPS, "dropped 3 buffers");
  CHECK_INT (found.n, ==, 2);
  datahub_diagnosis_free (d);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Another block under the same name is no later look at the first. */
static void
another_block (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubDiagnosis *d = look (NULL, NULL);
  datahub_producer_close (producer);
  producer = producer_new ("cam0", NULL);
  datahub_producer_count_dropped (producer, 3);
  Findings found;
  memset (&found, 0, sizeof found);
  d = look (d, &found);
  CHECK_INT (d->watched_ns, ==, 0);
  CHECK_INT (found.n, ==, 0);
  datahub_diagnosis_free (d);
  datahub_producer_close (producer);
  CHECK_RESULT (datahub_block_diagnose ("cam0", NULL, NULL, NULL, &d, &err),
      DATAHUB_ERROR_NOT_FOUND);
  CHECK (d == NULL);
}

/* As many records as a block can have, each standing in the next one. */
static void
endless_context (void)
{
  DatahubProducerOptions options = small_options ();
  options.max_consumers = 256;
  options.max_pinned = 200;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *keeper = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 1);
  Intrusion ctl = intrude (".ctl");
  uint32_t n = ((BlockHeader *) ctl.bytes)->identity.n_recs;
  BlockRecord *records = section_of (&ctl, SECTION_RECORDS);
  for (uint32_t i = 0; i < n; i++)
    for (int k = 0; k < DATAHUB_N_CONTEXTS; k++) {
      uint32_t next = (i * 4 + (uint32_t) k + 1) % n;
      records[i].ctx[k] = (uint16_t) next;
      records[i].ctx_seq[k] = records[next].seq;
    }
  CHECK_INT (n, >, 50000);
  DatahubDiagnosis *d = look (NULL, NULL);
  CHECK_INT (count_records (d, DATAHUB_RECORD_STATE_RING), ==, 1);
  datahub_diagnosis_free (d);
  intrusion_restore (&ctl);
  intrusion_end (&ctl);
  datahub_consumer_close (keeper);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "every record, slot and row is told apart", inventory },
  { "times add up over looks", times_add_up },
  { "a stopped consumer has stalled", stalled },
  { "a producer that waits is found, and for whom it waits", producer_waits },
  { "an evicted consumer that does not come back is found", evicted },
  { "leases kept after a close are found", leases_kept },
  { "a lock held for long is found, and who has it", locks },
  { "a full table is found", full_table },
  { "losses and drops between two looks are found", losses },
  { "copies between two looks are found", copies },
  { "a look at another block is no second look", another_block },
  { "a chain of contexts as long as the block is cut", endless_context },
};
CHECK_MAIN (tests)
