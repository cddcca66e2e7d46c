/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub doctor`: reports problems of the blocks of this user, their
 * duration, and what to do about them. */
#include "clocks.h"

#include <string.h>

#define WATCH_DEFAULT 1.0
#define WATCH_MAX 3600.0
/* How long to wait for another repairer. */
#define REPAIR_NS (2 * G_GINT64_CONSTANT (1000000000))

/* One block on its way through the examination. */
typedef struct
{
  Subject *subject; /* borrowed */
  char *channel;
  DatahubDiagnosis *before;
} Candidate;

static void
candidate_free (gpointer data)
{
  Candidate *one = data;

  g_free (one->channel);
  datahub_diagnosis_free (one->before);
  g_free (one);
}

static void
add_case (const char *channel, void *user_data)
{
  Candidate *one = g_new0 (Candidate, 1);

  one->channel = g_strdup (channel);
  g_ptr_array_add (user_data, one);
}

static int
by_name (gconstpointer a, gconstpointer b)
{
  const Candidate *const *x = a, *const *y = b;

  return strcmp ((*x)->channel, (*y)->channel);
}

static void
note_finding (const DatahubFinding *finding, void *user_data)
{
  Subject *subject = user_data;

  subject_add (subject, finding->severity, datahub_finding_name (finding->kind),
      finding->for_ns, g_strdup (finding->message),
      doctor_advice (finding->kind, subject->title));
}

static const char *
producer_word (const DatahubDiagnosis *diagnosis)
{
  if (diagnosis->state == DATAHUB_STATE_CLOSED)
    return "closed";
  return diagnosis->producer_alive ? "producer alive" : "producer dead";
}

/* One line with the state of the block. */
static void
summarise (Subject *subject, const DatahubDiagnosis *diagnosis)
{
  guint consumers = 0;

  for (guint i = 0; i < diagnosis->n_rows; i++)
    consumers += diagnosis->rows[i].info.alive;
  g_free (subject->summary);
  subject->summary =
      g_strdup_printf ("%s, %u consumer%s, %" G_GUINT64_FORMAT " buffers",
          producer_word (diagnosis), consumers, consumers == 1 ? "" : "s",
          (guint64) diagnosis->buffers);
  json_object_update_new (subject->json,
      json_pack ("{s:s, s:s, s:b, s:i, s:I}", "name", diagnosis->channel,
          "uuid", diagnosis->uuid, "producer-alive", diagnosis->producer_alive,
          "consumers", (int) consumers, "buffers",
          (json_int_t) diagnosis->buffers));
  if (diagnosis->silent_ns >= 0)
    json_object_set_new (subject->json, "silent-ns",
        json_integer ((json_int_t) diagnosis->silent_ns));
  if (diagnosis->idle_ns >= 0)
    json_object_set_new (subject->json, "idle-ns",
        json_integer ((json_int_t) diagnosis->idle_ns));
}

static void
note_process (Subject *subject, int pid, const char *uuid, const char *whose)
{
  char *what_to_do;
  g_autofree char *word = doctor_process_word (pid, uuid, &what_to_do);

  if (word)
    subject_add (subject, DATAHUB_SEVERITY_WARNING, "process", -1,
        g_strdup_printf ("The process of the %s (%d) %s.", whose, pid, word),
        what_to_do);
}

/* Reports processes that the kernel does not let run: they explain why a block
 * seems stuck. */
static void
note_processes (Subject *subject, const DatahubDiagnosis *diagnosis)
{
  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);

  if (diagnosis->producer_alive
      && datahub_block_inspect (diagnosis->channel, info, NULL) == DATAHUB_OK)
    note_process (subject, info->producer_pid, diagnosis->uuid, "producer");
  for (guint i = 0; i < diagnosis->n_rows; i++) {
    const DatahubConsumerInfo *row = &diagnosis->rows[i].info;
    g_autofree char *whose = g_strdup_printf ("consumer \"%s\"", row->name);
    if (row->alive)
      note_process (subject, row->pid, diagnosis->uuid, whose);
  }
}

static void
note_failure (Subject *subject, DatahubResult result, const DatahubError *error)
{
  DatahubSeverity severity = result == DATAHUB_ERROR_NOT_FOUND
      ? DATAHUB_SEVERITY_NOTE
      : DATAHUB_SEVERITY_WARNING;

  subject_add (subject, severity, datahub_result_name (result), -1,
      g_strdup (result == DATAHUB_ERROR_NOT_FOUND
              ? "Only the name is left: the block was just closed, or it was a "
                "strict block and its producer died."
              : error->message),
      NULL);
}

static void
note_action (const DatahubRepair *action, void *user_data)
{
  Subject *subject = user_data;

  g_ptr_array_add (subject->actions, cli_safe (action->message));
}

/* Repairs the block, or lists what would be repaired. */
static void
repair (Subject *subject, guint flags)
{
  DatahubError error = { 0 };
  guint32 n;
  DatahubResult result = datahub_block_repair (subject->title, flags, REPAIR_NS,
      note_action, subject, &n, &error);

  /* examine() reports a block that cannot be opened */
  if (result == DATAHUB_ERROR_BUSY)
    note_failure (subject, result, &error);
}

/* Takes the second snapshot and compares it with the first. */
static void
examine (const Candidate *one, gboolean checksums)
{
  Subject *subject = one->subject;
  DatahubIntegrityReport report;
  DatahubDiagnosis *diagnosis = NULL;
  DatahubError error = { 0 };
  DatahubResult result;

  result = datahub_block_validate (one->channel,
      checksums ? DATAHUB_VALIDATE_CHECKSUMS : 0, note_finding, subject,
      &report, &error);
  if (result == DATAHUB_OK && report.n_untold)
    subject_add (subject, DATAHUB_SEVERITY_NOTE, "more", -1,
        g_strdup_printf ("%u more findings like these.", report.n_untold),
        NULL);
  if (result == DATAHUB_OK)
    result = datahub_block_diagnose (one->channel, one->before, note_finding,
        subject, &diagnosis, &error);
  if (diagnosis) {
    summarise (subject, diagnosis);
    note_processes (subject, diagnosis);
    doctor_note_clock (subject, one->channel);
  } else if (result != DATAHUB_ERROR_CORRUPT) { /* that is a finding already */
    note_failure (subject, result, &error);
  }
  datahub_diagnosis_free (diagnosis);
}

typedef struct
{
  guint n;
  guint64 bytes;
} Leftovers;

static void
count_leftover (const char *file, uint64_t bytes, void *user_data)
{
  Leftovers *leftovers = user_data;

  leftovers->n++;
  leftovers->bytes += bytes;
}

static void
note_leftovers (Subject *environment)
{
  Leftovers leftovers = { 0 };

  if (datahub_block_reclaim (true, count_leftover, &leftovers, NULL)
          >= DATAHUB_ERROR_FIRST
      || leftovers.n == 0)
    return;
  g_autofree char *size = cli_bytes (leftovers.bytes);
  subject_add (environment, DATAHUB_SEVERITY_LEFTOVER, "files", -1,
      g_strdup_printf ("%u files of dead processes take %s.", leftovers.n,
          size),
      g_strdup ("To remove them now: datahub reclaim --yes. The next producer "
                "that starts removes them, too."));
}

static void
collect (GPtrArray *candidates, GPtrArray *subjects)
{
  for (guint i = 0; i < candidates->len; i++) {
    Candidate *one = g_ptr_array_index (candidates, i);
    one->subject = subject_new (one->channel);
    json_object_set_new (one->subject->json, "name",
        json_string (one->channel));
    g_ptr_array_add (subjects, one->subject);
  }
}

static void
repair_all (GPtrArray *subjects, guint flags)
{
  for (guint i = 1; i < subjects->len; i++)
    repair (g_ptr_array_index (subjects, i), flags);
}

static void
first_looks (GPtrArray *candidates, double watch)
{
  for (guint i = 0; i < candidates->len && watch > 0; i++) {
    Candidate *one = g_ptr_array_index (candidates, i);
    datahub_block_diagnose (one->channel, NULL, NULL, NULL, &one->before, NULL);
  }
  if (candidates->len > 0 && watch > 0)
    g_usleep ((gulong) (watch * G_USEC_PER_SEC));
}

static void
examine_all (GPtrArray *candidates, double watch, gboolean checksums)
{
  first_looks (candidates, watch);
  for (guint i = 0; i < candidates->len; i++)
    examine (g_ptr_array_index (candidates, i), checksums);
}

/* Fills @candidates with the block that was named, or with all blocks. Returns an
 * exit code. */
static int
find_cases (const CliTarget *target, const char *channel, GPtrArray *candidates)
{
  DatahubError error = { 0 };
  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);

  if (!channel) {
    /* doctor_environment() reports a directory that is missing */
    datahub_block_list (add_case, candidates, &error);
    g_ptr_array_sort (candidates, by_name);
    return CLI_OK;
  }
  if (!datahub_channel_is_valid (channel, &error))
    return cli_fail (CLI_USAGE, "%s", error.message);
  if (datahub_block_inspect (channel, info, &error) == DATAHUB_ERROR_NOT_FOUND)
    return cli_fail_not_found (target, channel, &error);
  add_case (channel, candidates);
  return CLI_OK;
}

int
cli_doctor (int argc, char **argv)
{
  gboolean json = FALSE, checksums = TRUE, repair_it = FALSE;
  gboolean close_it = FALSE;
  g_autofree char *thing = NULL;
  double watch = WATCH_DEFAULT;
  g_auto (CliTarget) target = { 0 };
  g_autoptr (GPtrArray) candidates =
      g_ptr_array_new_with_free_func (candidate_free);
  g_autoptr (GPtrArray) subjects =
      g_ptr_array_new_with_free_func (subject_free);
  const GOptionEntry entries[] = {
    { "json", 'j', 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "watch", 'w', 0, G_OPTION_ARG_DOUBLE, &watch,
        "Seconds between the two snapshots that are compared (default: 1)",
        "SECONDS" },
    { "repair", 'r', 0, G_OPTION_ARG_NONE, &repair_it,
        "Clean up what dead processes left (default: only report it)", NULL },
    { "close", 0, 0, G_OPTION_ARG_NONE, &close_it,
        "Like --repair, and close the block of a dead producer for good: no "
        "producer can continue it",
        NULL },
    { "release", 0, 0, G_OPTION_ARG_STRING, &thing,
        "Release one thing that a dead process holds: row:ROW, "
        "record:ROW/PLACE, slot:POOL/SLOT, lock:LOCK",
        "THING" },
    { "no-checksums", 0, G_OPTION_FLAG_REVERSE, G_OPTION_ARG_NONE, &checksums,
        "Do not verify checksums, which reads all payload", NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!cli_parse (&argc, &argv, "[NAME]",
          "Reports problems of one block of this user, or of all blocks, with "
          "their\nduration and what to do about them. Does not disturb running "
          "pipelines, and\nchanges nothing without --repair, --close or "
          "--release. Exits with 4 if there\nis a problem.",
          "datahub doctor cam0", entries, &target))
    return CLI_USAGE;
  if (argc > 2)
    return cli_fail (CLI_USAGE,
        "expected one NAME, or none to examine all blocks");
  if (!(watch >= 0 && watch <= WATCH_MAX))
    return cli_fail (CLI_USAGE, "--watch takes 0 to %.0f seconds", WATCH_MAX);
  if ((close_it || thing) && argc != 2)
    return cli_fail (CLI_USAGE,
        "--close and --release need the NAME of a block");
  int code = find_cases (&target, argc == 2 ? argv[1] : NULL, candidates);
  if (code != CLI_OK)
    return code;
  if (thing)
    return doctor_release (argv[1], thing);
  repair_it |= close_it;
  g_ptr_array_add (subjects, doctor_environment (&target));
  collect (candidates, subjects);
  /* repaired first, so that the report shows what is left */
  if (repair_it)
    repair_all (subjects, close_it ? DATAHUB_REPAIR_CLOSE_DEAD : 0);
  note_leftovers (g_ptr_array_index (subjects, 0));
  examine_all (candidates, watch, checksums);
  if (!repair_it)
    repair_all (subjects, DATAHUB_REPAIR_DRY_RUN);
  if (json)
    doctor_print_json (subjects, repair_it);
  else
    doctor_print (subjects, repair_it);
  return doctor_count (subjects) ? CLI_PROBLEMS : CLI_OK;
}
