/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub list`: lists the blocks that the broker knows and those that have a
 * name in shared memory. Never hosts a broker. */
#include "cli.h"

#include <string.h>

#define CONNECT_NS (400 * G_GINT64_CONSTANT (1000000))
#define ANSWER_NS (2000 * G_GINT64_CONSTANT (1000000))

typedef struct
{
  char *name;
  char *caps, *program;
  const char *state;
  int pid;
  guint consumers;
  gboolean from_broker, from_memory;
} Row;

static void
row_free (gpointer data)
{
  Row *row = data;

  g_free (row->name);
  g_free (row->caps);
  g_free (row->program);
  g_free (row);
}

static Row *
get_row (GTree *rows, const char *name)
{
  Row *row = g_tree_lookup (rows, name);

  if (!row) {
    row = g_new0 (Row, 1);
    row->name = g_strdup (name);
    row->caps = g_strdup ("");
    row->program = g_strdup ("");
    row->state = "unknown";
    g_tree_insert (rows, row->name, row);
  }
  return row;
}

static void
set_text (char **where, const char *text)
{
  g_free (*where);
  *where = cli_safe (text);
}

static void
add_from_broker (GTree *rows, DatahubHubBlock *block)
{
  Row *row = get_row (rows, datahub_hub_block_get_name (block));

  row->from_broker = TRUE;
  row->pid = datahub_hub_block_get_pid (block);
  row->consumers = datahub_hub_block_get_n_consumers (block);
  row->state = datahub_hub_block_is_pending (block) ? "pending"
      : datahub_hub_block_is_absent (block)         ? "unknown"
      : datahub_hub_block_is_stalled (block)        ? "stalled"
                                                    : "ready";
  set_text (&row->caps, datahub_hub_block_get_caps (block));
  set_text (&row->program, datahub_hub_block_get_program (block));
}

/* Replaces values of the broker, which can be out of date, by those in shared
 * memory. */
static void
add_from_memory (const char *channel, void *user_data)
{
  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);
  DatahubResult result = datahub_block_inspect (channel, info, NULL);
  Row *row;

  if (result == DATAHUB_ERROR_NOT_FOUND)
    return;
  row = get_row (user_data, channel);
  row->from_memory = TRUE;
  if (result != DATAHUB_OK) {
    row->state = datahub_result_name (result);
    return;
  }
  row->pid = info->producer_pid;
  row->consumers = info->n_consumers;
  if (!info->producer_alive)
    row->state = "dead";
  else if (strcmp (row->state, "unknown") == 0)
    row->state = info->state == DATAHUB_STATE_READY ? "ready" : "starting";
  if (*info->caps)
    set_text (&row->caps, info->caps);
}

/* Adds the blocks of the broker to @rows, and where it runs to @json, unless that is
 * NULL. Returns TRUE if the broker answered. */
static gboolean
ask_broker (const CliTarget *target, GTree *rows, json_t *json, GError **error)
{
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);

  if (!datahub_hub_connect_to (hub, target->broker, target->server_key,
          target->key, error)
      || !datahub_hub_wait_connected (hub, CONNECT_NS, NULL, error))
    return FALSE;
  g_autoptr (GPtrArray) blocks = datahub_hub_list (hub, ANSWER_NS, NULL, error);
  for (guint i = 0; blocks && i < blocks->len; i++)
    add_from_broker (rows, g_ptr_array_index (blocks, i));
  if (json)
    g_free (cli_broker_place (hub, json));
  return blocks != NULL;
}

/* Whether @error means that no broker runs, that it does not answer, or that the
 * system refuses what a connection takes. Then the blocks must still be listed:
 * the process that hosts the broker may be the one that hangs. */
static gboolean
is_silence (const GError *error)
{
  return g_error_matches (error, DATAHUB_HUB_ERROR,
             DATAHUB_HUB_ERROR_DISCONNECTED)
      || g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_TIMEOUT)
      || g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_LIMIT);
}

static const char *
via (const Row *row)
{
  if (row->from_broker && row->from_memory)
    return "broker";
  return row->from_broker ? "broker only" : "name only";
}

static gboolean
add_json (gpointer name, gpointer data, gpointer user_data)
{
  Row *row = data;

  json_array_append_new (user_data,
      json_pack ("{s:s, s:s, s:s, s:i, s:i, s:s, s:b, s:b}", "name", row->name,
          "state", row->state, "program", row->program, "pid", row->pid,
          "consumers", (int) row->consumers, "caps", row->caps, "from-broker",
          row->from_broker, "from-memory", row->from_memory));
  return FALSE;
}

static void
print_json (json_t *json, GTree *rows, gboolean connected, const GError *error)
{
  json_t *blocks = json_array ();

  g_tree_foreach (rows, add_json, blocks);
  json_object_set_new (json, "broker", json_boolean (connected));
  json_object_set_new (json, "blocks", blocks);
  if (error)
    json_object_set_new (json, "broker-error", json_string (error->message));
  cli_print_json (json_incref (json));
}

/* Removes the types of the values from the caps: "width=(int)640" becomes
 * "width=640". */
static gboolean
remove_types (gpointer name, gpointer data, gpointer types)
{
  Row *row = data;
  g_autofree char *caps =
      g_regex_replace_literal (types, row->caps, -1, 0, "=", 0, NULL);

  set_text (&row->caps, caps);
  return FALSE;
}

static gboolean
add_to_table (gpointer name, gpointer data, gpointer table)
{
  Row *row = data;
  g_autofree char *pid = g_strdup_printf ("%d", row->pid);
  g_autofree char *consumers = g_strdup_printf ("%u", row->consumers);

  cli_table_add (table, row->name, row->state, pid, consumers, via (row),
      *row->caps ? row->caps : "-", NULL);
  return FALSE;
}

/* On a terminal the caps are shortened, so that each block takes one line. */
static void
print_table (GTree *rows)
{
  static const char *const columns[] = { "NAME", "STATE", "PID", "CONSUMERS",
    "FOUND BY", "CAPS", NULL };

  if (g_tree_nnodes (rows) == 0) {
    g_print ("No blocks.\n");
    return;
  }
  g_autoptr (CliTable) table = cli_table_new (columns);
  guint width = cli_terminal_width ();
  if (width) {
    g_autoptr (GRegex) types = g_regex_new ("=\\([a-z]+\\)", 0, 0, NULL);
    g_tree_foreach (rows, remove_types, types);
  }
  g_tree_foreach (rows, add_to_table, table);
  if (width)
    cli_table_fit (table, width);
  cli_table_print (table);
}

static int
compare (gconstpointer a, gconstpointer b, gpointer user_data)
{
  return strcmp (a, b);
}

int
cli_list (int argc, char **argv)
{
  gboolean json = FALSE, connected = FALSE;
  g_auto (CliTarget) target = { 0 };
  g_autoptr (GError) error = NULL;
  DatahubError problem = { 0 };
  g_autoptr (GTree) rows = g_tree_new_full (compare, NULL, NULL, row_free);
  json_auto_t *report = json_object ();
  const GOptionEntry entries[] = {
    { "json", 'j', 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!cli_parse (&argc, &argv, NULL,
          "Lists the blocks that the broker knows, and the blocks of this user "
          "that have a\nname in shared memory.",
          "datahub list", entries, &target))
    return CLI_USAGE;
  if (argc != 1)
    return cli_fail (CLI_USAGE, "this command takes no arguments");

  const char *broker =
      target.broker ? target.broker : g_getenv ("DATAHUB_BROKER");
  gboolean with_broker = g_strcmp0 (broker, "none") != 0;
  if (with_broker)
    connected = ask_broker (&target, rows, json ? report : NULL, &error);
  if (with_broker && !connected && !is_silence (error))
    return cli_fail (CLI_FAILED, "%s", error->message);
  if (datahub_block_list (add_from_memory, rows, &problem)
      >= DATAHUB_ERROR_FIRST)
    return cli_fail (CLI_FAILED, "%s", problem.message);
  if (json) {
    print_json (report, rows, connected, error);
  } else {
    print_table (rows);
    if (error)
      g_printerr ("(%s; blocks were found by name only)\n", error->message);
  }
  return CLI_OK;
}
