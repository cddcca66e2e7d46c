/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub inspect`: shows one block, as it is in shared memory, and its
 * consumers. Needs no broker, and only reads. */
#include "clocks.h"

/* Time between the two snapshots of --slots. */
#define WATCH_US (G_USEC_PER_SEC / 5)

static const char *const state_words[] = {
  [DATAHUB_STATE_UNINITIALISED] = "uninitialised",
  [DATAHUB_STATE_MUTEX_READY] = "starting",
  [DATAHUB_STATE_READY] = "ready",
  [DATAHUB_STATE_DRAINING] = "draining",
  [DATAHUB_STATE_CLOSED] = "closed",
  [DATAHUB_STATE_MOVED] = "moved",
};

static const char *
state_word (const DatahubBlockInfo *info)
{
  guint state = info->state;

  if (state == DATAHUB_STATE_READY && !info->producer_alive)
    return "producer died";
  return state < G_N_ELEMENTS (state_words) && state_words[state]
      ? state_words[state]
      : "unknown";
}

static json_t *
block_json (const DatahubBlockInfo *info)
{
  g_autofree char *caps = cli_safe (info->caps);

  return json_pack (
      "{s:s, s:s, s:s, s:b, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:i,"
      " s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:i, s:i, s:I, s:s}",
      "name", info->channel, "uuid", info->uuid, "state", state_word (info),
      "producer-alive", info->producer_alive, "pid", info->producer_pid,
      "major", (int) info->major, "minor", (int) info->minor, "created-ns",
      (json_int_t) info->created_ns, "head", (json_int_t) info->head, "tail",
      (json_int_t) info->tail, "buffers", (json_int_t) info->buffers, "bytes",
      (json_int_t) info->bytes, "dropped", (json_int_t) info->dropped,
      "ring-size", (int) info->ring_size, "records", (int) info->n_records,
      "max-consumers", (int) info->max_consumers, "max-pinned",
      (int) info->max_pinned, "pools", (int) info->n_pools, "pool-bytes",
      (json_int_t) info->pool_bytes, "control-bytes",
      (json_int_t) info->control_bytes, "slot-size",
      (json_int_t) info->slot_size, "slots", (int) info->slots, "consumers",
      (int) info->n_consumers, "silent-ms",
      (json_int_t) (info->silent_ns / 1000000), "caps", caps);
}

/* What only the producer counts, and its clocks. A block of an earlier version
 * has none. */
static void
add_telemetry (json_t *json, const DatahubBlockInfo *info)
{
  json_object_update_new (json,
      json_pack ("{s:I, s:I, s:I}", "committed-records",
          (json_int_t) info->records, "evictions", (json_int_t) info->evictions,
          "reaped", (json_int_t) info->reaped));
  if (!info->has_telemetry)
    return;
  json_object_update_new (json,
      json_pack ("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "wakes",
          (json_int_t) info->wakes, "waits", (json_int_t) info->waits,
          "growths", (json_int_t) info->growths, "given-up",
          (json_int_t) info->given_up, "copied", (json_int_t) info->copied,
          "clock-monotonic-ns", (json_int_t) info->clock_monotonic_ns,
          "clock-realtime-ns", (json_int_t) info->clock_realtime_ns, "boot-id",
          info->boot_id));
  if (info->has_share)
    json_object_update_new (json,
        json_pack ("{s:i, s:i}", "share", (int) info->share, "share-consumers",
            (int) info->share_consumers));
}

static const char *
consumer_state_word (DatahubConsumerState state)
{
  static const char *const words[] = {
    [DATAHUB_CONSUMER_FREE] = "free",
    [DATAHUB_CONSUMER_CLAIMED] = "joining",
    [DATAHUB_CONSUMER_ACTIVE] = "active",
    [DATAHUB_CONSUMER_EVICTED] = "evicted",
    [DATAHUB_CONSUMER_LEAVING] = "leaving",
  };

  return (guint) state < G_N_ELEMENTS (words) ? words[state] : "unknown";
}

/* The state that matters most for a person. */
static const char *
row_state (const DatahubConsumerInfo *row)
{
  if (!row->alive)
    return "dead";
  if (row->stalled && row->state == DATAHUB_CONSUMER_ACTIVE)
    return "stalled";
  return consumer_state_word (row->state);
}

static json_t *
consumer_json (const DatahubConsumerInfo *row)
{
  g_autofree char *name = cli_safe (row->name);
  g_autofree char *id = g_strdup_printf ("%" G_GUINT64_FORMAT, row->id);

  return json_pack ("{s:s, s:i, s:s, s:s, s:b, s:b, s:s, s:i, s:I, s:I, s:I,"
                    " s:I, s:i, s:i, s:I, s:I, s:I, s:I, s:I}",
      "id", id, "row", (int) row->row, "name", name, "state",
      consumer_state_word (row->state), "alive", row->alive, "stalled",
      row->stalled, "delivery", row->reliable ? "reliable" : "live", "pid",
      row->pid, "received", (json_int_t) row->received, "lost",
      (json_int_t) row->lost, "expired", (json_int_t) row->expired, "cursor",
      (json_int_t) row->cursor, "pins", (int) row->pins, "quota",
      (int) row->quota, "silent-ms", (json_int_t) (row->silent_ns / 1000000),
      "latency-sum-ns", (json_int_t) row->latency_sum_ns, "latency-count",
      (json_int_t) row->latency_count, "latency-max-ns",
      (json_int_t) row->latency_max_ns, "over-quota",
      (json_int_t) row->over_quota);
}

static void
print_json (const DatahubBlockInfo *info, const DatahubConsumerInfo *rows,
    guint n, const CliErrors *errors, const DatahubDiagnosis *diagnosis)
{
  json_t *list = json_array ();
  json_t *json = block_json (info);

  for (guint i = 0; i < n; i++)
    json_array_append_new (list, consumer_json (&rows[i]));
  json_object_set_new (json, "consumer-list", list);
  add_telemetry (json, info);
  cli_add_clock (json, info->channel);
  cli_add_errors (json, errors);
  if (diagnosis)
    cli_add_slots (json, diagnosis);
  cli_print_json (json);
}

static void print_line (const char *label, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

static void
print_line (const char *label, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_autofree char *safe = cli_safe (text);
  g_print ("%-10s %s\n", label, safe);
}

static void
print_block (const DatahubBlockInfo *info)
{
  g_autofree char *bytes = cli_bytes (info->bytes);
  g_autofree char *pools = cli_bytes (info->pool_bytes);
  g_autofree char *control = cli_bytes (info->control_bytes);
  g_autofree char *slot = cli_bytes (info->slot_size);
  g_autoptr (GDateTime) created =
      g_date_time_new_from_unix_local ((gint64) (info->created_ns
          / G_GUINT64_CONSTANT (1000000000)));
  g_autofree char *since =
      created ? g_date_time_format (created, "%F %T") : g_strdup ("?");
  g_autofree char *clock = cli_clock_text (info->channel);

  print_line ("Block", "%s (%s)", info->channel, info->uuid);
  print_line ("State", "%s, layout %u.%u, since %s", state_word (info),
      info->major, info->minor, since);
  print_line ("Producer", "pid %d, %s; last heartbeat %.1f s ago",
      info->producer_pid, info->producer_alive ? "alive" : "gone",
      (double) info->silent_ns / 1e9);
  if (clock)
    print_line ("Clock", "%s", clock);
  print_line ("Caps", "%s", *info->caps ? info->caps : "none yet");
  print_line ("Sent",
      "%" G_GUINT64_FORMAT " buffers, %s, %" G_GUINT64_FORMAT " dropped",
      (guint64) info->buffers, bytes, (guint64) info->dropped);
  print_line ("Pressure",
      "%" G_GUINT64_FORMAT " waits, %" G_GUINT64_FORMAT
      " evictions, %" G_GUINT64_FORMAT " given up, %" G_GUINT64_FORMAT
      " growths, %" G_GUINT64_FORMAT " copied",
      (guint64) info->waits, (guint64) info->evictions,
      (guint64) info->given_up, (guint64) info->growths,
      (guint64) info->copied);
  print_line ("Ring",
      "%u words, records %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
      info->ring_size, (guint64) info->tail, (guint64) info->head);
  print_line ("Memory", "%u pools of %s, newest %u slots of %s, control %s",
      info->n_pools, pools, info->slots, slot, control);
  print_line ("Consumers", "%u of at most %u", info->n_consumers,
      info->max_consumers);
}

static char *
number (guint64 value)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT, value);
}

static void
print_consumers (const DatahubBlockInfo *info, const DatahubConsumerInfo *rows,
    guint n)
{
  static const char *const columns[] = { "NAME", "PID", "DELIVERY", "STATE",
    "RECEIVED", "LOST", "BEHIND", "PINS", NULL };
  g_autoptr (CliTable) table = cli_table_new (columns);

  for (guint i = 0; i < n; i++) {
    const DatahubConsumerInfo *row = &rows[i];
    guint64 lag = info->head > row->cursor ? info->head - row->cursor : 0;
    g_autofree char *pid = g_strdup_printf ("%d", row->pid);
    g_autofree char *received = number (row->received);
    g_autofree char *lost = number (row->lost);
    g_autofree char *behind = number (lag);
    g_autofree char *pins = g_strdup_printf ("%u/%u", row->pins, row->quota);
    cli_table_add (table, *row->name ? row->name : "?", pid,
        row->reliable ? "reliable" : "live", row_state (row), received, lost,
        behind, pins, NULL);
  }
  g_print ("\n");
  cli_table_print (table);
}

/* Takes two snapshots: the second knows the durations since the first. */
static DatahubResult
look_twice (const char *channel, DatahubDiagnosis **diagnosis,
    DatahubError *error)
{
  DatahubDiagnosis *before = NULL;
  DatahubResult result =
      datahub_block_diagnose (channel, NULL, NULL, NULL, &before, error);

  if (result != DATAHUB_OK)
    return result;
  g_usleep (WATCH_US);
  result =
      datahub_block_diagnose (channel, before, NULL, NULL, diagnosis, error);
  datahub_diagnosis_free (before);
  return result;
}

int
cli_inspect (int argc, char **argv)
{
  gboolean json = FALSE, slots = FALSE;
  const CliTarget user = { 0 }; /* the user's own broker */
  DatahubError error = { 0 };
  DatahubDiagnosis *diagnosis = NULL;
  CliErrors errors = { 0 };
  uint32_t n = 0;
  const GOptionEntry entries[] = {
    { "json", 'j', 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "slots", 's', 0, G_OPTION_ARG_NONE, &slots,
        "Also list each slot, record, row and user lock, with its holder",
        NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!cli_parse (&argc, &argv, "NAME",
          "Shows a block of this user on this machine, and its consumers.",
          "datahub inspect cam0", entries, NULL))
    return CLI_USAGE;
  if (argc != 2)
    return cli_fail (CLI_USAGE,
        "expected one NAME, as in: datahub inspect cam0");
  if (!datahub_channel_is_valid (argv[1], &error))
    return cli_fail (CLI_USAGE, "%s", error.message);

  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);
  g_autofree DatahubConsumerInfo *rows =
      g_new0 (DatahubConsumerInfo, DATAHUB_MAX_CONSUMERS);
  DatahubResult result = datahub_block_inspect (argv[1], info, &error);
  if (result == DATAHUB_OK)
    result = datahub_block_inspect_consumers (argv[1], rows,
        DATAHUB_MAX_CONSUMERS, &n, &error);
  if (result == DATAHUB_OK)
    result = datahub_block_inspect_errors (argv[1], errors.list,
        DATAHUB_MAX_BLOCK_ERRORS, &errors.n, &error);
  if (result == DATAHUB_OK && slots)
    result = look_twice (argv[1], &diagnosis, &error);
  if (result != DATAHUB_OK)
    return result == DATAHUB_ERROR_NOT_FOUND
        ? cli_fail_not_found (&user, argv[1], &error)
        : cli_fail (CLI_FAILED, "%s", error.message);
  n = MIN (n, DATAHUB_MAX_CONSUMERS);
  if (json) {
    print_json (info, rows, n, &errors, diagnosis);
  } else {
    print_block (info);
    if (n)
      print_consumers (info, rows, n);
    cli_print_errors (&errors);
    if (diagnosis)
      cli_print_slots (diagnosis);
  }
  datahub_diagnosis_free (diagnosis);
  return CLI_OK;
}
