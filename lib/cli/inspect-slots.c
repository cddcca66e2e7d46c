/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub inspect --slots`: lists the slots and records with state, holder and
 * age, the rows of the consumers, and the user locks with their holders. */
#include "cli.h"

#include <string.h>

static const char *const state_words[] = {
  [DATAHUB_RECORD_STATE_UNSEEN] = "free or lent",
  [DATAHUB_RECORD_STATE_RING] = "in the ring",
  [DATAHUB_RECORD_STATE_CONTEXT] = "in force",
  [DATAHUB_RECORD_STATE_HELD] = "held",
};

static const char *
type_word (DatahubRecordType type)
{
  static const char *const words[] = {
    [DATAHUB_RECORD_BUFFER] = "buffer",
    [DATAHUB_RECORD_STREAM_START] = "stream-start",
    [DATAHUB_RECORD_CAPS] = "caps",
    [DATAHUB_RECORD_SEGMENT] = "segment",
    [DATAHUB_RECORD_TAGS] = "tags",
    [DATAHUB_RECORD_GAP] = "gap",
    [DATAHUB_RECORD_EOS] = "EOS",
    [DATAHUB_RECORD_EVENT] = "event",
  };

  return (guint) type < G_N_ELEMENTS (words) && words[type] ? words[type] : "?";
}

/* A duration for people; "-" if there is none. */
static char *
duration (gint64 ns)
{
  if (ns <= 0)
    return g_strdup ("-");
  return g_strdup_printf ("%.3f s",
      (double) ns / G_GINT64_CONSTANT (1000000000));
}

static char *
number (guint64 value)
{
  return value == DATAHUB_NONE ? g_strdup ("-")
                               : g_strdup_printf ("%" G_GUINT64_FORMAT, value);
}

static char *
row_name (const DatahubDiagnosis *diagnosis, guint32 row)
{
  if (row == DATAHUB_NO_ROW)
    return g_strdup ("-");
  for (guint i = 0; i < diagnosis->n_rows; i++)
    if (diagnosis->rows[i].info.row == row)
      return g_strdup_printf ("%s (row %u)", diagnosis->rows[i].info.name, row);
  return g_strdup_printf ("row %u", row);
}

static void
print_slots (const DatahubDiagnosis *diagnosis)
{
  static const char *const columns[] = { "POOL", "SLOT", "STATE", "RECORD",
    "RECORDS", "AGE", "HELD BY", "AT LEAST", NULL };
  g_autoptr (CliTable) table = cli_table_new (columns);
  guint n[G_N_ELEMENTS (state_words)] = { 0 };

  for (guint i = 0; i < diagnosis->n_slots; i++) {
    const DatahubSlotInfo *slot = &diagnosis->slots[i];
    g_autofree char *pool = number (slot->pool);
    g_autofree char *index = number (slot->slot);
    g_autofree char *record = number (slot->sequence);
    g_autofree char *records = number (slot->n_records);
    g_autofree char *age = duration (slot->age_ns);
    g_autofree char *holder = row_name (diagnosis, slot->holder);
    g_autofree char *held = duration (slot->held_ns);
    n[slot->state]++;
    if (slot->state != DATAHUB_RECORD_STATE_UNSEEN)
      cli_table_add (table, pool, index, state_words[slot->state], record,
          records, age, holder, held, NULL);
  }
  g_print ("\nSlots: %u in the ring, %u in force, %u held, %u free or lent to "
           "the producing program\n",
      n[DATAHUB_RECORD_STATE_RING], n[DATAHUB_RECORD_STATE_CONTEXT],
      n[DATAHUB_RECORD_STATE_HELD], n[DATAHUB_RECORD_STATE_UNSEEN]);
  if (diagnosis->n_slots_omitted)
    g_print ("(%u more are not listed)\n", diagnosis->n_slots_omitted);
  if (n[DATAHUB_RECORD_STATE_UNSEEN] < diagnosis->n_slots)
    cli_table_print (table);
}

static void
print_records (const DatahubDiagnosis *diagnosis)
{
  static const char *const columns[] = { "PLACE", "RECORD", "TYPE", "STATE",
    "AGE", "HOLDERS", "HELD BY", "AT LEAST", NULL };
  g_autoptr (CliTable) table = cli_table_new (columns);
  guint n = 0;

  for (guint i = 0; i < diagnosis->n_records; i++) {
    const DatahubRecordInfo *record = &diagnosis->records[i];
    g_autofree char *place = number (record->record);
    g_autofree char *sequence = number (record->sequence);
    g_autofree char *age = duration (record->age_ns);
    g_autofree char *holders = number (record->n_holders);
    g_autofree char *holder = row_name (diagnosis, record->holder);
    g_autofree char *held = duration (record->held_ns);
    if (record->state == DATAHUB_RECORD_STATE_UNSEEN)
      continue;
    n++;
    cli_table_add (table, place, sequence, type_word (record->type),
        state_words[record->state], age, holders, holder, held, NULL);
  }
  g_print ("\nRecords: %u of %u in use\n", n, diagnosis->n_records);
  if (n)
    cli_table_print (table);
}

static void
print_rows (const DatahubDiagnosis *diagnosis)
{
  static const char *const columns[] = { "ROW", "NAME", "PID", "ALIVE",
    "BEHIND", "NEXT WAITS", "STANDS STILL", "HOLDS", "OLDEST", "SLEEPS", NULL };
  g_autoptr (CliTable) table = cli_table_new (columns);

  g_print ("\nRows: %u of %u in use\n", diagnosis->n_rows, diagnosis->max_rows);
  for (guint i = 0; i < diagnosis->n_rows; i++) {
    const DatahubRowInfo *row = &diagnosis->rows[i];
    g_autofree char *index = number (row->info.row);
    g_autofree char *pid = g_strdup_printf ("%d", row->info.pid);
    g_autofree char *behind = number (row->behind);
    g_autofree char *waiting = duration (row->waiting_ns);
    g_autofree char *still = duration (row->still_ns);
    g_autofree char *holds = number (row->info.pins);
    g_autofree char *held = duration (row->held_ns);
    cli_table_add (table, index, *row->info.name ? row->info.name : "?", pid,
        row->info.alive ? "yes" : "no", behind, waiting, still, holds, held,
        row->sleeps ? "yes" : "no", NULL);
  }
  if (diagnosis->n_rows)
    cli_table_print (table);
}

static char *
holder_word (const DatahubDiagnosis *diagnosis, const DatahubLockInfo *lock)
{
  g_autofree char *consumer = NULL;
  const char *word = "-";

  switch (lock->holder) {
    case DATAHUB_HOLDER_NONE:
      return g_strdup ("-");
    case DATAHUB_HOLDER_ABANDONED:
      return g_strdup ("nobody; its last owner died");
    case DATAHUB_HOLDER_UNKNOWN:
      return g_strdup ("nobody there is");
    case DATAHUB_HOLDER_PRODUCER:
      word = "producer";
      break;
    case DATAHUB_HOLDER_CONSUMER:
      word = consumer = row_name (diagnosis, lock->row);
      break;
  }
  return g_strdup_printf ("%s, thread %u%s", word, lock->thread,
      lock->alive ? "" : ", dead");
}

static gboolean
is_used (const DatahubLockInfo *lock)
{
  return lock->stats.name[0] || lock->stats.acquisitions
      || lock->holder != DATAHUB_HOLDER_NONE;
}

static void
print_locks (const DatahubDiagnosis *diagnosis)
{
  static const char *const columns[] = { "LOCK", "NAME", "TAKEN", "LONGEST",
    "RECLAIMED", "AT LEAST", "HELD BY", NULL };
  g_autoptr (CliTable) table = cli_table_new (columns);
  guint n = 0;

  for (guint i = 0; i < DATAHUB_N_SPINLOCKS; i++) {
    const DatahubLockInfo *lock = &diagnosis->locks[i];
    g_autofree char *index = number (i);
    g_autofree char *taken = number (lock->stats.acquisitions);
    g_autofree char *longest = duration ((gint64) lock->stats.max_hold_ns);
    g_autofree char *reclaims = number (lock->stats.reclaims);
    g_autofree char *held = duration (lock->held_ns);
    g_autofree char *holder = holder_word (diagnosis, lock);
    if (!is_used (lock))
      continue;
    n++;
    cli_table_add (table, index, lock->stats.name[0] ? lock->stats.name : "-",
        taken, longest, reclaims, held, holder, NULL);
  }
  g_print ("\nUser locks: %u of %u have been used\n", n, DATAHUB_N_SPINLOCKS);
  if (n)
    cli_table_print (table);
}

/* Prints the result of datahub_block_diagnose(). */
void
cli_print_slots (const DatahubDiagnosis *diagnosis)
{
  print_slots (diagnosis);
  print_records (diagnosis);
  print_rows (diagnosis);
  print_locks (diagnosis);
}

static void
set_row (json_t *json, const char *key, guint32 row)
{
  json_object_set_new (json, key,
      row == DATAHUB_NO_ROW ? json_null () : json_integer (row));
}

static json_t *
slots_json (const DatahubDiagnosis *diagnosis)
{
  json_t *list = json_array ();

  for (guint i = 0; i < diagnosis->n_slots; i++) {
    const DatahubSlotInfo *slot = &diagnosis->slots[i];
    json_t *json;
    if (slot->state == DATAHUB_RECORD_STATE_UNSEEN)
      continue;
    json = json_pack ("{s:i, s:i, s:s, s:I, s:i, s:I, s:I}", "pool",
        (int) slot->pool, "slot", (int) slot->slot, "state",
        state_words[slot->state], "record", (json_int_t) slot->sequence,
        "records", (int) slot->n_records, "age-ns", (json_int_t) slot->age_ns,
        "held-ns", (json_int_t) slot->held_ns);
    set_row (json, "holder", slot->holder);
    json_array_append_new (list, json);
  }
  return list;
}

static json_t *
records_json (const DatahubDiagnosis *diagnosis)
{
  json_t *list = json_array ();

  for (guint i = 0; i < diagnosis->n_records; i++) {
    const DatahubRecordInfo *record = &diagnosis->records[i];
    json_t *json;
    if (record->state == DATAHUB_RECORD_STATE_UNSEEN)
      continue;
    json = json_pack ("{s:i, s:I, s:s, s:s, s:i, s:I, s:I}", "place",
        (int) record->record, "record", (json_int_t) record->sequence, "type",
        type_word (record->type), "state", state_words[record->state],
        "holders", (int) record->n_holders, "age-ns",
        (json_int_t) record->age_ns, "held-ns", (json_int_t) record->held_ns);
    set_row (json, "holder", record->holder);
    json_array_append_new (list, json);
  }
  return list;
}

static json_t *
rows_json (const DatahubDiagnosis *diagnosis)
{
  json_t *list = json_array ();

  for (guint i = 0; i < diagnosis->n_rows; i++) {
    const DatahubRowInfo *row = &diagnosis->rows[i];
    g_autofree char *name = cli_safe (row->info.name);
    json_array_append_new (list,
        json_pack ("{s:i, s:s, s:b, s:I, s:I, s:I, s:I, s:b}", "row",
            (int) row->info.row, "name", name, "alive", row->info.alive,
            "behind", (json_int_t) row->behind, "waiting-ns",
            (json_int_t) row->waiting_ns, "still-ns",
            (json_int_t) row->still_ns, "held-ns", (json_int_t) row->held_ns,
            "sleeps", row->sleeps));
  }
  return list;
}

static json_t *
locks_json (const DatahubDiagnosis *diagnosis)
{
  json_t *list = json_array ();

  for (guint i = 0; i < DATAHUB_N_SPINLOCKS; i++) {
    const DatahubLockInfo *lock = &diagnosis->locks[i];
    g_autofree char *holder = holder_word (diagnosis, lock);
    g_autofree char *safe = cli_safe (holder);
    g_autofree char *name = cli_safe (lock->stats.name);
    if (!is_used (lock))
      continue;
    json_array_append_new (list,
        json_pack ("{s:i, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:i}", "lock",
            (int) i, "name", name, "held-by", safe, "locked",
            lock->stats.locked, "alive", lock->alive, "held-ns",
            (json_int_t) lock->held_ns, "longest-ns",
            (json_int_t) lock->stats.max_hold_ns, "taken",
            (json_int_t) lock->stats.acquisitions, "reclaims",
            (int) lock->stats.reclaims));
  }
  return list;
}

/* Adds the same data to @json. */
void
cli_add_slots (json_t *json, const DatahubDiagnosis *diagnosis)
{
  json_object_set_new (json, "slot-list", slots_json (diagnosis));
  json_object_set_new (json, "record-list", records_json (diagnosis));
  json_object_set_new (json, "row-list", rows_json (diagnosis));
  json_object_set_new (json, "lock-list", locks_json (diagnosis));
}
