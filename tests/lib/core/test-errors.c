/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The distinct errors that a producer notes in its block: which are one, which are
 * replaced, what a reader returns of entries that are half written or hostile. */
#include "findings.h"
#include "life.h"
#include "torn.h"

#include "core/block/errors-private.h"
#include "core/producer/error-log-private.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

static ErrorLog torn_log;

static void
note_another (void)
{
  torn_log.own[0].count = 0; /* so that it takes the place of the first */
  error_log_note (&torn_log, DATAHUB_ERROR_DENIED, "the second");
}

/* Another error is noted while a reader is in the middle of the text. */
static void
entries_are_whole (void)
{
  DatahubBlockError error;
  ErrorEntry *entry = torn_new (offsetof (ErrorEntry, text) + 8);
  error_log_init (&torn_log);
  for (uint32_t i = 1; i < N_ERRORS; i++)
    torn_log.own[i] = (DatahubBlockError){ .count = 1, .last_ns = UINT64_MAX };
  torn_log.entries = entry;
  error_log_note (&torn_log, DATAHUB_ERROR_INVALID, "this is the first");
  CHECK (error_entry_read (entry, &error));
  CHECK_STR (error.text, "this is the first");
  torn_arm (note_another);
  CHECK (error_entry_read (entry, &error));
  CHECK_INT (error.code, ==, DATAHUB_ERROR_DENIED);
  CHECK_STR (error.text, "the second");
  torn_free ();
}

/* By the system call alone: the store that was interrupted may hold locks of a
 * sanitizer. */
static void
die_between (void)
{
  syscall (SYS_kill, getpid (), SIGKILL);
}

static void
note_and_die (CheckParent *parent)
{
  (void) parent;
  torn_arm (die_between);
  error_log_note (&torn_log, DATAHUB_ERROR_INVALID, "this is the first");
}

/* The producer was killed in the middle of the text, of a new entry and of one that
 * was shown; a reader that comes while it writes finds the same. */
static void
half_written (void)
{
  DatahubBlockError error;
  ErrorEntry *entry = torn_new (offsetof (ErrorEntry, text) + 8);
  error_log_init (&torn_log);
  memset (torn_log.own, 0, sizeof torn_log.own);
  torn_log.entries = entry;
  for (int i = 0; i < 2; i++) {
    CheckChild child = check_fork (note_and_die, NULL);
    siginfo_t end;
    CHECK (waitid (P_PID, (id_t) child.pid, &end, WEXITED | WNOWAIT) == 0);
    check_kill (&child); /* it was killed before */
    CHECK (!error_entry_read (entry, &error));
    error_log_note (&torn_log, DATAHUB_ERROR_INVALID, "this is the first");
    CHECK (error_entry_read (entry, &error));
    CHECK_INT (error.count, ==, i + 1);
  }
  torn_free ();
}

/* Each number of the section, at its value and one beside it, and a section that
 * ends with the file before its entries do. */
static void
section_must_fit (void)
{
  leave_dead_block ();
  Intrusion ctl = intrude (".ctl");
  BlockSection *section =
      (BlockSection *) (ctl.bytes + sizeof (BlockHeader)) + N_SECTIONS;
  const BlockSection right = *section;
  DatahubConsumer *keeper = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  CHECK_INT (right.kind, ==, SECTION_ERRORS);
  for (int step = -1; step <= 1; step += 2) {
    section->count = right.count + (uint32_t) step;
    section->size = (uint64_t) section->count * section->stride;
    CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
    *section = right;
    section->stride = right.stride + 8 * (uint32_t) step;
    CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
    *section = right;
  }
  section->offset = ctl.size - 8;
  section->size = 8;
  section->count = 1;
  section->stride = 8;
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
  *section = right;
  section->kind = SECTION_ERRORS + 1;
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
  *section = right;
  datahub_consumer_close (keeper);
  intrusion_end (&ctl);
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
  { "an entry that is being written is not shown", half_written },
  { "a section of errors that does not fit is refused", section_must_fit },
};
CHECK_MAIN (tests)
