/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub reclaim`: removes files that dead processes left in shared memory.
 */
#include "cli.h"

typedef struct
{
  gboolean json;
  json_t *files;
  CliTable *table;
  guint n;
  guint64 bytes;
} Found;

static void
found (const char *file, uint64_t bytes, void *user_data)
{
  Found *f = user_data;
  g_autofree char *safe = cli_safe (file);
  g_autofree char *size = cli_bytes (bytes);

  f->n++;
  f->bytes += bytes;
  if (f->json)
    json_array_append_new (f->files,
        json_pack ("{s:s, s:I}", "file", safe, "bytes", (json_int_t) bytes));
  else
    cli_table_add (f->table, safe, size, NULL);
}

static void
report (Found *f, gboolean yes)
{
  g_autofree char *size = cli_bytes (f->bytes);

  if (f->json) {
    cli_print_json (json_pack ("{s:b, s:O, s:I}", "removed", yes, "files",
        f->files, "bytes", (json_int_t) f->bytes));
    return;
  }
  if (f->n)
    cli_table_print (f->table);
  if (!f->n)
    g_print ("Nothing to reclaim.\n");
  else if (yes)
    g_print ("%u files removed, %s.\n", f->n, size);
  else
    g_print ("%u files, %s. Nothing was removed; add --yes to remove them.\n",
        f->n, size);
}

int
cli_reclaim (int argc, char **argv)
{
  static const char *const columns[] = { "FILE", "SIZE", NULL };
  gboolean yes = FALSE;
  DatahubError error = { 0 };
  Found f = { 0 };
  const GOptionEntry entries[] = {
    { "yes", 'y', 0, G_OPTION_ARG_NONE, &yes,
        "Remove the files (default: only list them)", NULL },
    { "json", 'j', 0, G_OPTION_ARG_NONE, &f.json, "Print JSON", NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!cli_parse (&argc, &argv, NULL,
          "Lists, and with --yes removes, the files of blocks that have "
          "neither a living\nproducer nor a consumer.",
          "datahub reclaim --yes", entries, NULL))
    return CLI_USAGE;
  if (argc != 1)
    return cli_fail (CLI_USAGE, "this command takes no arguments");
  f.files = json_array ();
  f.table = cli_table_new (columns);
  DatahubResult result = datahub_block_reclaim (!yes, found, &f, &error);
  if (result < DATAHUB_ERROR_FIRST)
    report (&f, yes);
  json_decref (f.files);
  cli_table_free (f.table);
  return result < DATAHUB_ERROR_FIRST
      ? CLI_OK
      : cli_fail (CLI_FAILED, "%s", error.message);
}
