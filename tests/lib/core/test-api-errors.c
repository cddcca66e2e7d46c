/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each call that takes an error sets its code to what the call returns. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static DatahubProducer *producer;
static DatahubConsumer *consumer;
static DatahubSlot slot;

static void
set_up (void)
{
  producer = producer_new ("cam0", NULL);
  consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
}

static void
tear_down (void)
{
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
ignore_name (const char *name, void *user_data)
{
}

static DatahubResult
create_with (uint32_t mode, DatahubChecksum checksum, DatahubHugePages pages,
    uint64_t slot_size, DatahubError *error)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *made = NULL;
  DatahubResult result;
  options.mode = mode;
  options.checksum = checksum;
  options.hugepages = pages;
  options.slot_size = slot_size;
  result = datahub_producer_create ("cam1", &options, &made, error);
  datahub_producer_close (made);
  return result;
}

static DatahubResult
commit_of (DatahubProducer *of, uint32_t n_memories, DatahubError *error)
{
  DatahubCommit record;
  datahub_commit_init (&record, DATAHUB_RECORD_GAP);
  record.n_memories = n_memories;
  return datahub_producer_commit (of, &record, 0, NULL, error);
}

static DatahubResult
read_interrupted (DatahubError *error)
{
  DatahubView view;
  DatahubResult result;
  datahub_consumer_set_interrupted (consumer, true);
  result = datahub_consumer_begin_read (consumer, SOON, &view, error);
  datahub_consumer_set_interrupted (consumer, false);
  return result;
}

static DatahubResult
acquire_interrupted (DatahubError *error)
{
  DatahubResult result;
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ALL, true);
  result = datahub_producer_acquire_slot (producer, 1, SOON, &slot, error);
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ALL, false);
  return result;
}

/* What each case needs: a closed producer, a block that was read to its end, a
 * leased record, and room for results. */
typedef struct
{
  DatahubProducer *closed, *second, *none;
  DatahubConsumer *of_closed, *nobody;
  DatahubView view, other;
  DatahubBlockGlance glance;
  DatahubBlockInfo info;
  DatahubConsumerInfo infos[1];
  DatahubIntegrityReport report;
  DatahubDiagnosis *diagnosis;
  DatahubHeldThing thing;
  DatahubSpinlock *lock;
  DatahubCommit records[2];
  uint8_t bytes[DATAHUB_TICKET_SIZE];
  uint32_t n;
} Bench;

#define CASE_ONCE(wanted, call)                                                \
  do {                                                                         \
    check_error (__LINE__, #call, call, DATAHUB_##wanted, error);              \
  } while (0)
/* Also without an error to fill in. */
#define CASE(wanted, call)                                                     \
  do {                                                                         \
    DatahubError *error = &err;                                                \
    CASE_ONCE (wanted, call);                                                  \
    error = NULL;                                                              \
    CASE_ONCE (wanted, call);                                                  \
  } while (0)

/* The error of the case before stays in @error, so that a code or a sentence that
 * the call does not set is noticed. */
static void
check_error (int line, const char *call, DatahubResult got,
    DatahubResult wanted, const DatahubError *error)
{
  if (got != wanted || (error && error->code != got))
    check_fail (__FILE__, line, "%s: %s, error.code %s, wanted %s", call,
        datahub_result_name (got), datahub_result_name (err.code),
        datahub_result_name (wanted));
  if (error && got != DATAHUB_OK && strlen (error->message) < 8)
    check_fail (__FILE__, line, "%s: no sentence", call);
}

static void
errors_of_block (Bench *b)
{
  CASE (ERROR_NOT_FOUND, datahub_block_glance ("none", &b->glance, error));
  CASE (ERROR_NAME, datahub_block_glance ("a/b", &b->glance, error));
  CASE (OK, datahub_block_glance ("cam0", &b->glance, error));
  CASE (ERROR_NOT_FOUND, datahub_block_inspect ("none", &b->info, error));
  CASE (ERROR_NOT_FOUND,
      datahub_block_inspect_consumers ("none", b->infos, 1, &b->n, error));
  CASE (OK,
      datahub_block_inspect_consumers ("cam0", b->infos, 1, &b->n, error));
  CASE (OK, datahub_block_list (ignore_name, NULL, error));
  CASE (OK, datahub_block_reclaim (true, NULL, NULL, error));
  CASE (ERROR_NOT_FOUND,
      datahub_block_validate ("none", 0, NULL, NULL, &b->report, error));
  CASE (ERROR_NOT_FOUND,
      datahub_block_diagnose ("none", NULL, NULL, NULL, &b->diagnosis, error));
  CASE (ERROR_NOT_FOUND,
      datahub_block_repair ("none", 0, 0, NULL, NULL, &b->n, error));
  CASE (ERROR_NOT_FOUND, datahub_block_release ("none", &b->thing, error));
  CASE (ERROR_BUSY, datahub_block_release ("cam0", &b->thing, error));
}

static void
errors_of_producer (Bench *b)
{
  CASE (ERROR_NAME, datahub_producer_create ("", NULL, &b->none, error));
  CASE (ERROR_INVALID, datahub_producer_create ("cam1", NULL, &b->none, error));
  CASE (ERROR_INVALID, create_with (01000, 0, 0, 100, error));
  CASE (ERROR_INVALID, create_with (0, 9, 0, 100, error));
  CASE (ERROR_INVALID, create_with (0, 0, 9, 100, error));
  CASE (ERROR_INVALID, create_with (0, 0, 0, 0, error));
  {
    DatahubError *error = &err;
    CASE_ONCE (ERROR_BUSY, datahub_producer_publish (b->second, error));
  }
  CASE (ERROR_TOO_BIG,
      datahub_producer_acquire_slot (producer, UINT64_MAX, 0, &slot, error));
  CASE (INTERRUPTED, acquire_interrupted (error));
  CASE (CLOSED, datahub_producer_acquire_slot (b->closed, 1, 0, &slot, error));
  CASE (ERROR_INVALID, commit_of (producer, 5, error));
  CASE (CLOSED, commit_of (b->closed, 0, error));
  CASE (ERROR_INVALID,
      datahub_producer_commit_batch (producer, b->records, 0, 0, NULL, error));
  CASE (ERROR_TOO_BIG,
      datahub_producer_commit_batch (producer, b->records, 99, 0, NULL, error));
}

static void
errors_of_consumer (Bench *b)
{
  CASE (ERROR_NOT_FOUND,
      datahub_consumer_attach ("none", NULL, &b->nobody, error));
  CASE (ERROR_NAME, datahub_consumer_attach (NULL, NULL, &b->nobody, error));
  CASE (TIMEOUT, datahub_consumer_begin_read (consumer, 0, &b->other, error));
  CASE (INTERRUPTED, read_interrupted (error));
  CASE (CLOSED,
      datahub_consumer_begin_read (b->of_closed, 0, &b->other, error));
  CASE (OK, datahub_consumer_rejoin (consumer, error));
  CASE (ERROR_NOT_FOUND,
      datahub_consumer_get_context (consumer, &b->view, DATAHUB_CONTEXT_TAGS,
          &b->other, error));
  CASE (ERROR_INVALID,
      datahub_consumer_get_context (consumer, &b->view, DATAHUB_N_CONTEXTS,
          &b->other, error));
  CASE (ERROR_NOT_FOUND,
      datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS, &b->other,
          error));
  CASE (ERROR_INVALID,
      datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_BUFFER, &b->other,
          error));
}

static void
errors_of_rest (Bench *b)
{
  CASE (ERROR_INVALID,
      datahub_producer_open_spinlock (producer, 8, &b->lock, error));
  CASE (ERROR_INVALID,
      datahub_consumer_open_spinlock (consumer, 8, &b->lock, error));
  CASE (ERROR_NAME,
      datahub_producer_open_named_spinlock (producer, "", &b->lock, error));
  CASE (ERROR_NAME,
      datahub_consumer_open_named_spinlock (consumer, "", &b->lock, error));
  CASE (ERROR_INVALID,
      datahub_producer_write_zone (producer, 1, b->bytes, 1, error));
  CASE (CLOSED, datahub_producer_write_zone (b->closed, 0, b->bytes, 8, error));
  CASE (ERROR_INVALID,
      datahub_consumer_read_zone (consumer, 1, b->bytes, 1, NULL, error));
  CASE (OK, datahub_secret_generate (b->bytes, error));
  CASE (ERROR_INVALID,
      datahub_ticket_make (b->bytes, "0", NULL, 0, b->bytes, error));
}

/* A closed producer that another reference keeps, and a consumer of it. */
static void
make_closed (Bench *b)
{
  DatahubProducerOptions options = small_options ();
  options.zone_size = 64;
  b->closed = producer_new ("cam2", &options);
  datahub_producer_ref (b->closed);
  b->of_closed = consumer_new ("cam2", false, DATAHUB_START_OLDEST);
  datahub_producer_close (b->closed);
}

static void
codes_of_errors (void)
{
  static Bench b;
  DatahubProducerOptions options = small_options ();
  set_up ();
  make_closed (&b);
  CHECK_OK (datahub_producer_create ("cam0", &options, &b.second, &err));
  datahub_held_thing_init (&b.thing, DATAHUB_HELD_ROW);
  commit_buffers (producer, 0, 1);
  b.view = read_record (consumer);
  err = (DatahubError){ .code = DATAHUB_ERROR_CHECKSUM };
  errors_of_block (&b);
  errors_of_producer (&b);
  errors_of_consumer (&b);
  errors_of_rest (&b);
  datahub_consumer_end_read (consumer, &b.view);
  datahub_consumer_close (b.of_closed);
  datahub_producer_unref (b.closed);
  datahub_producer_close (b.second);
  tear_down ();
}

/* The directory is missing: no call reaches a block. */
static void
codes_without_directory (void)
{
  static Bench b;
  char *before = strdup (datahub_shm_directory ());
  CHECK (setenv ("DATAHUB_SHM_DIR", "/dev/shm/no/such/directory", 1) == 0);
  CASE (ERROR_SYSTEM, datahub_block_list (ignore_name, NULL, error));
  CASE (ERROR_SYSTEM, datahub_block_reclaim (true, NULL, NULL, error));
  CASE (ERROR_SYSTEM, datahub_block_glance ("cam0", &b.glance, error));
  CASE (ERROR_SYSTEM, create_with (0, 0, 0, 100, error));
  CASE (ERROR_SYSTEM, datahub_consumer_attach ("cam0", NULL, &b.nobody, error));
  CHECK (setenv ("DATAHUB_SHM_DIR", before, 1) == 0);
  free (before);
}

static void
names_and_codes (void)
{
  DatahubError *error = &err;
  CHECK (!datahub_channel_is_valid ("a/b", error));
  CHECK_INT (err.code, ==, DATAHUB_ERROR_NAME);
  CHECK_CONTAINS (err.message, "a/b");
  CHECK (datahub_channel_is_valid ("cam0", error));
  CHECK_INT (err.code, ==, DATAHUB_OK);
  CHECK (!datahub_channel_is_valid (NULL, NULL));
}

static void
in_forked_child (CheckParent *parent)
{
  static Bench b;
  CASE (ERROR_FORKED, commit_of (producer, 0, error));
  CASE (ERROR_FORKED,
      datahub_producer_acquire_slot (producer, 1, 0, &slot, error));
  CASE (ERROR_FORKED, datahub_producer_publish (producer, error));
  CASE (ERROR_FORKED,
      datahub_producer_open_spinlock (producer, 0, &b.lock, error));
  CASE (ERROR_FORKED,
      datahub_producer_open_named_spinlock (producer, "a", &b.lock, error));
  CASE (ERROR_FORKED,
      datahub_producer_write_zone (producer, 0, b.bytes, 1, error));
  CASE (ERROR_FORKED,
      datahub_consumer_begin_read (consumer, 0, &b.view, error));
  CASE (ERROR_FORKED, datahub_consumer_rejoin (consumer, error));
  CASE (ERROR_FORKED,
      datahub_consumer_get_context (consumer, &b.view, DATAHUB_CONTEXT_CAPS,
          &b.other, error));
  CASE (ERROR_FORKED,
      datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS, &b.other,
          error));
  CASE (ERROR_FORKED,
      datahub_consumer_open_spinlock (consumer, 0, &b.lock, error));
  CASE (ERROR_FORKED,
      datahub_consumer_open_named_spinlock (consumer, "a", &b.lock, error));
  CASE (ERROR_FORKED,
      datahub_consumer_read_zone (consumer, 0, b.bytes, 1, NULL, error));
}

static void
codes_after_fork (void)
{
  set_up ();
  err = (DatahubError){ .code = DATAHUB_OK };
  CheckChild child = check_fork (in_forked_child, NULL);
  check_join (&child);
  tear_down ();
}

static const CheckTest tests[] = {
  { "each call sets the code that it returns", codes_of_errors },
  { "calls without a directory set the code", codes_without_directory },
  { "the check of a name sets the code", names_and_codes },
  { "calls of a forked process set the code", codes_after_fork },
};
CHECK_MAIN (tests)
