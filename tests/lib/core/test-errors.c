/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The distinct errors that a producer notes in its block: which are one, which are
 * replaced, what a reader returns of entries that are half written or hostile. */
#include "findings.h"
#include "life.h"

#include "core/block/errors-private.h"
#include "core/producer/error-log-private.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef struct
{
  DatahubBlockError list[DATAHUB_MAX_BLOCK_ERRORS];
  uint32_t n;
} Errors;

static Errors
errors_of_block (void)
{
  Errors errors;
  CHECK_OK (datahub_block_inspect_errors ("cam0", errors.list,
      DATAHUB_MAX_BLOCK_ERRORS, &errors.n, &err));
  return errors;
}

static const DatahubBlockError *
find_error (const Errors *errors, DatahubResult code, const char *words)
{
  for (uint32_t i = 0; i < errors->n; i++)
    if (errors->list[i].code == code && strstr (errors->list[i].text, words))
      return &errors->list[i];
  check_fail (__FILE__, __LINE__, "no error %s with \"%s\"",
      datahub_result_name (code), words);
}

static void
distinct (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK_INT (errors_of_block ().n, ==, 0);
  for (int i = 0; i < 3; i++) {
    datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "one");
    datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "two");
  }
  datahub_producer_note_error (producer, DATAHUB_ERROR_DENIED, "one");
  Errors errors = errors_of_block ();
  CHECK_INT (errors.n, ==, 3);
  /* the newest first */
  CHECK_INT (errors.list[0].code, ==, DATAHUB_ERROR_DENIED);
  CHECK_INT (errors.list[0].count, ==, 1);
  CHECK_STR (errors.list[1].text, "two");
  CHECK_STR (errors.list[2].text, "one");
  CHECK_INT (errors.list[2].count, ==, 3);
  CHECK_INT (errors.list[2].first_ns, <, errors.list[2].last_ns);
  CHECK_INT (errors.list[2].last_ns, <=, errors.list[1].last_ns);
  check_healthy ();
  datahub_producer_close (producer);
}

static void
refused (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  datahub_producer_note_error (producer, DATAHUB_OK, "no error");
  datahub_producer_note_error (producer, (DatahubResult) -1, "below");
  datahub_producer_note_error (producer, (DatahubResult) (ERROR_CODE_MAX + 1),
      "one past");
  CHECK_INT (errors_of_block ().n, ==, 0);
  datahub_producer_note_error (producer, (DatahubResult) ERROR_CODE_MAX,
      "limit");
  CHECK_INT (errors_of_block ().n, ==, 1);
  datahub_producer_close (producer);
}

/* Of 32 and one more, the one that was not noted for the longest time goes. */
static void
full (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  char text[16];
  for (int i = 0; i < 32; i++) {
    snprintf (text, sizeof text, "error %d", i);
    datahub_producer_note_error (producer, DATAHUB_ERROR_SYSTEM, text);
  }
  datahub_producer_note_error (producer, DATAHUB_ERROR_SYSTEM, "error 0");
  CHECK_INT (errors_of_block ().n, ==, 32);
  datahub_producer_note_error (producer, DATAHUB_ERROR_SYSTEM, "error 32");
  Errors errors = errors_of_block ();
  CHECK_INT (errors.n, ==, 32);
  CHECK_STR (errors.list[0].text, "error 32");
  CHECK_INT (find_error (&errors, DATAHUB_ERROR_SYSTEM, "error 0")->count, ==,
      2);
  for (uint32_t i = 0; i < errors.n; i++)
    CHECK (strcmp (errors.list[i].text, "error 1") != 0);
  datahub_producer_close (producer);
}

static void
harmless_text (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  char text[300];
  memset (text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  memcpy (text, "\x1b[2J\n\xc3\xa4\x7f", 8);
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, text);
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, text);
  Errors errors = errors_of_block ();
  CHECK_INT (errors.n, ==, 1);
  CHECK_INT (errors.list[0].count, ==, 2);
  CHECK_INT (strlen (errors.list[0].text), ==, 95);
  CHECK (strncmp (errors.list[0].text, "?[2J????xx", 10) == 0);
  datahub_producer_close (producer);
}

/* What goes wrong in the core and is not a failed call. */
static void
noted_by_the_core (void)
{
  DatahubProducerOptions options = small_options ();
  options.block_timeout_ns = 10 * CHECK_MS;
  options.max_bytes = 32 * 4096;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubSlot slots[64];
  uint32_t n = 0;
  commit_buffers (producer, 0, 20);
  CHECK_RESULT (datahub_producer_acquire_slot (producer, UINT64_C (1) << 20, 0,
                    &slots[0], &err),
      DATAHUB_ERROR_TOO_BIG);
  while (n < 64
      && datahub_producer_acquire_slot (producer, 4096, 0, &slots[n], &err)
          == DATAHUB_OK)
    n++;
  CHECK_RESULT (err.code, DATAHUB_DROPPED);
  while (n > 0)
    datahub_producer_abort (producer, &slots[--n]);
  Errors errors = errors_of_block ();
  find_error (&errors, DATAHUB_EVICTED, "was evicted");
  find_error (&errors, DATAHUB_ERROR_TOO_BIG, "max-bytes");
  find_error (&errors, DATAHUB_ERROR_NO_SPACE, "cannot grow");
  find_error (&errors, DATAHUB_DROPPED, "every slot");
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
attach_and_hold (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  (void) consumer;
  check_ready (parent);
  check_until_killed (parent);
}

static void
dead_consumer (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CheckChild child = check_fork_ready (attach_and_hold, NULL);
  check_kill (&child);
  commit_buffers (producer, 0, 20);
  Errors errors = errors_of_block ();
  find_error (&errors, DATAHUB_OWNER_DIED, "died");
  datahub_producer_close (producer);
}

static void
note_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "one");
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "two");
  check_ready (parent);
  check_until_killed (parent);
}

/* A successor continues the errors; the one that was being written when the
 * producer died is not shown, and its place is used again. */
static void
over_adoption (void)
{
  CheckChild child = check_fork_ready (note_and_wait, NULL);
  check_kill (&child);
  Intrusion ctl = intrude (".ctl");
  ErrorEntry *entries = section_of (&ctl, SECTION_ERRORS);
  CHECK_INT (errors_of_block ().n, ==, 2);
  entries[1].turn |= 1;
  CHECK_INT (errors_of_block ().n, ==, 1);
  DatahubProducer *producer = adopt_block (2);
  CHECK_INT (errors_of_block ().n, ==, 1);
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "one");
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "three");
  Errors errors = errors_of_block ();
  CHECK_INT (errors.n, ==, 2);
  CHECK_STR (errors.list[0].text, "three");
  CHECK_INT (errors.list[1].count, ==, 2);
  CHECK_INT (entries[1].turn % 2, ==, 0);
  CHECK_INT (entries[2].turn, ==, 0);
  datahub_producer_close (producer);
  intrusion_end (&ctl);
}

/* A block that cannot be continued is replaced, and the new one has the reason. */
static void
refused_adoption (void)
{
  Life life = small_life (0, 2);
  leave_dead (&life);
  Intrusion ctl = intrude (".ctl");
  BlockHeader *header = (BlockHeader *) ctl.bytes;
  header->identity.feat_compat |= UINT64_C (1) << 63;
  renew_header_check (&header->identity);
  intrusion_end (&ctl);
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK (!producer_stats (producer).adopted);
  Errors errors = errors_of_block ();
  find_error (&errors, DATAHUB_ERROR_VERSION, "unknown features");
  datahub_producer_close (producer);
  leave_dead (&life);
  ctl = intrude (".ctl");
  ((BlockHeader *) ctl.bytes)->tail += 2;
  intrusion_end (&ctl);
  producer = producer_new ("cam0", NULL);
  CHECK (!producer_stats (producer).adopted);
  errors = errors_of_block ();
  find_error (&errors, DATAHUB_ERROR_CORRUPT, "damaged");
  datahub_producer_close (producer);
}

static void
expect_hidden (uint32_t visible)
{
  CHECK_INT (errors_of_block ().n, ==, visible);
  check_found (DATAHUB_FINDING_TELEMETRY, "Entry 0");
}

static void
hostile_entries (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "one");
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "two");
  Intrusion ctl = intrude (".ctl");
  ErrorEntry *entry = section_of (&ctl, SECTION_ERRORS), saved = *entry;
  CHECK_INT (errors_of_block ().n, ==, 2);
  entry->code = ERROR_CODE_MAX + 1;
  expect_hidden (1);
  entry->code = ERROR_CODE_MAX; /* of a later version */
  CHECK_INT (errors_of_block ().n, ==, 2);
  check_healthy ();
  entry->code = 0;
  expect_hidden (1);
  *entry = saved;
  entry->count = 0;
  expect_hidden (1);
  *entry = saved;
  /* a text without an end is cut */
  memset ((void *) entry->text, 0xff, sizeof entry->text);
  expect_hidden (2);
  entry->turn = 1;
  CHECK_INT (errors_of_block ().n, ==, 1);
  check_healthy ();
  intrusion_end (&ctl);
  datahub_producer_close (producer);
}

static void
diagnosed (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubDiagnosis *diagnosis = NULL;
  Findings found = { 0 };
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "strange");
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "strange");
  datahub_producer_note_error (producer, DATAHUB_ERROR_DENIED, "old");
  Intrusion ctl = intrude (".ctl");
  ErrorEntry *entries = section_of (&ctl, SECTION_ERRORS);
  entries[1].last_ns -= UINT64_C (3601) * CHECK_S; /* over an hour ago */
  CHECK_OK (datahub_block_diagnose ("cam0", NULL, findings_note, &found,
      &diagnosis, &err));
  CHECK_INT (found.of_kind[DATAHUB_FINDING_NOTED_ERROR], ==, 1);
  check_found_in (&found, DATAHUB_FINDING_NOTED_ERROR, "2 times");
  check_found_in (&found, DATAHUB_FINDING_NOTED_ERROR, "strange (invalid)");
  CHECK_INT (diagnosis->n_errors, ==, 2);
  datahub_diagnosis_free (diagnosis);
  intrusion_end (&ctl);
  datahub_producer_close (producer);
}

/* A writer of entries in which each word follows from one number. */
typedef struct
{
  ErrorLog log;
  ErrorEntry entries[N_ERRORS];
  shared_u32 stop;
} Notes;

static void *
note_fast (void *data)
{
  Notes *notes = data;
  char text[DATAHUB_BLOCK_ERROR_TEXT_MAX] = { 0 };
  for (uint32_t n = 0; !load_relaxed (&notes->stop); n++) {
    char letter = (char) ('a' + n % 26);
    memset (text, letter, sizeof text - 1);
    for (uint32_t i = 0; i < N_ERRORS;
         i++) /* one entry: the others are older */
      notes->log.own[i] =
          (DatahubBlockError){ .count = i ? 9 : 0, .last_ns = UINT64_MAX };
    error_log_note (&notes->log, (DatahubResult) letter, "%s", text);
  }
  return NULL;
}

static void
entries_are_whole (void)
{
  static Notes notes;
  DatahubBlockError error;
  uint32_t seen = 0;
  pthread_t thread;
  error_log_init (&notes.log);
  notes.log.entries = notes.entries;
  pthread_create (&thread, NULL, note_fast, &notes);
  for (uint64_t end = check_now_ns () + 200 * CHECK_MS;
       check_now_ns () < end;) {
    if (!error_entry_read (&notes.entries[0], &error))
      continue;
    CHECK_INT (strlen (error.text), ==, 95);
    for (uint32_t i = 0; i < 95; i++)
      CHECK_INT (error.text[i], ==, (int) error.code);
    seen++;
  }
  store_relaxed (&notes.stop, 1);
  pthread_join (thread, NULL);
  CHECK_INT (seen, >, 100);
}

static const CheckTest tests[] = {
  { "the same code and text are one error", distinct },
  { "codes that are none are not noted", refused },
  { "the error with the oldest last time is replaced", full },
  { "text is cut and made harmless", harmless_text },
  { "the core notes evictions, refused growth and drops", noted_by_the_core },
  { "the core notes consumers that died", dead_consumer },
  { "a successor continues the errors and reuses a half written one",
      over_adoption },
  { "a block that cannot be continued is noted in the new one",
      refused_adoption },
  { "entries that no producer writes are found and not shown",
      hostile_entries },
  { "the errors of the last hour are findings", diagnosed },
  { "a reader never returns a torn entry", entries_are_whole },
};
CHECK_MAIN (tests)
