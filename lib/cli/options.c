/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines: parsed with GOption, with an example in each help text. */
#include "cli.h"

#include <stdlib.h>

static void
print_help (GOptionContext *context)
{
  g_autofree char *text = g_option_context_get_help (context, FALSE, NULL);
  g_print ("%s", text);
}

/* Reads the options of a subcommand. If they are wrong, prints the error and
 * returns FALSE. --help ends the program. */
gboolean
cli_parse (int *argc, char ***argv, const char *arguments, const char *summary,
    const char *example, const GOptionEntry *entries, CliTarget *target)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *description = g_strconcat ("Example:\n  ", example, NULL);
  g_autoptr (GOptionContext) context = g_option_context_new (arguments);
  CliTarget unused = { 0 };
  CliTarget *where = target ? target : &unused;
  const GOptionEntry target_entries[] = {
    { "broker", 'b', 0, G_OPTION_ARG_STRING, &where->broker,
        "Broker to ask: auto, none, ipc:///path or tcp://host:port",
        "ENDPOINT" },
    { "server-key", 0, 0, G_OPTION_ARG_FILENAME, &where->server_key,
        "File with the broker's public key", "FILE" },
    { "key", 0, 0, G_OPTION_ARG_FILENAME, &where->key,
        "File with this client's secret key", "FILE" },
    G_OPTION_ENTRY_NULL,
  };

  gboolean help = FALSE;
  const GOptionEntry help_entries[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this text", NULL },
    G_OPTION_ENTRY_NULL,
  };

  g_option_context_set_summary (context, summary);
  g_option_context_set_description (context, description);
  if (entries)
    g_option_context_add_main_entries (context, entries, NULL);
  if (target)
    g_option_context_add_main_entries (context, target_entries, NULL);
  /* the help of GOption would end the program without a look at the output */
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_add_main_entries (context, help_entries, NULL);
  if (g_option_context_parse (context, argc, argv, &error)) {
    if (!help)
      return TRUE;
    print_help (context);
    exit (cli_finish (CLI_OK));
  }
  g_printerr ("%s: %s\nSee: %s --help\n", g_get_prgname (), error->message,
      g_get_prgname ());
  return FALSE;
}

void
cli_target_clear (CliTarget *target)
{
  g_clear_pointer (&target->broker, g_free);
  g_clear_pointer (&target->server_key, g_free);
  g_clear_pointer (&target->key, g_free);
}
