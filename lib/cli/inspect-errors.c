/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The distinct errors that the producer of a block noted, as text and as JSON. */
#include "cli.h"

static json_t *
error_json (const DatahubBlockError *error)
{
  g_autofree char *text = cli_safe (error->text);

  return json_pack ("{s:s, s:s, s:I, s:I, s:I}", "code",
      datahub_result_name (error->code), "text", text, "count",
      (json_int_t) error->count, "first-ns", (json_int_t) error->first_ns,
      "last-ns", (json_int_t) error->last_ns);
}

void
cli_add_errors (json_t *json, const CliErrors *errors)
{
  json_t *list = json_array ();

  for (guint i = 0; i < errors->n; i++)
    json_array_append_new (list, error_json (&errors->list[i]));
  json_object_set_new (json, "errors", list);
}

/* The local time of CLOCK_REALTIME @ns. */
static char *
local_time (guint64 ns)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local ((gint64) (ns
      / G_GUINT64_CONSTANT (1000000000)));

  return time ? g_date_time_format (time, "%F %T") : g_strdup ("?");
}

void
cli_print_errors (const CliErrors *errors)
{
  static const char *const columns[] = { "LAST", "FIRST", "COUNT", "CODE",
    "ERROR", NULL };
  g_autoptr (CliTable) table = cli_table_new (columns);

  if (errors->n == 0)
    return;
  for (guint i = 0; i < errors->n; i++) {
    const DatahubBlockError *error = &errors->list[i];
    g_autofree char *last = local_time (error->last_ns);
    g_autofree char *first = local_time (error->first_ns);
    g_autofree char *count =
        g_strdup_printf ("%" G_GUINT64_FORMAT, (guint64) error->count);
    cli_table_add (table, last, first, count, datahub_result_name (error->code),
        error->text, NULL);
  }
  g_print ("\n");
  cli_table_print (table);
}
