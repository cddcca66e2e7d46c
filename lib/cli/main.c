/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The `datahub` command: finds the subcommand and runs it. */
#include "cli.h"
#include "cli-config.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct
{
  const char *name;
  int (*run) (int argc, char **argv);
  const char *help;
} Command;

static const Command commands[] = {
  { "broker", cli_broker, "run the broker as a daemon" },
  { "list", cli_list, "list the blocks" },
  { "inspect", cli_inspect, "show one block and its consumers" },
  { "doctor", cli_doctor, "find problems and suggest what to do" },
  { "reclaim", cli_reclaim, "remove files that dead processes left behind" },
  { "keygen", cli_keygen, "make a key pair" },
};

static void
print_help (void)
{
  g_print ("Usage:\n  datahub COMMAND [OPTION…]\n\n"
           "Live media between processes over shared memory.\n\nCommands:\n");
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    g_print ("  %-10s %s\n", commands[i].name, commands[i].help);
  g_print (
      "\nOptions:\n"
      "  --help     show this text; after a command, show its options\n"
      "  --version  show the version\n\nExit codes:\n"
      "  0 done, 1 failed, 2 wrong usage, 3 no such block, 4 problems found\n"
      "\nExample:\n  datahub list --json\n");
}

static const Command *
find_command (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i].name, name) == 0)
      return &commands[i];
  return NULL;
}

static int
wrong_command (const char *name)
{
  g_autofree char *safe = cli_safe (name);

  g_printerr ("datahub: unknown command \"%s\"\nSee: datahub --help\n", safe);
  return CLI_USAGE;
}

/* A command with incomplete output has failed. */
int
cli_finish (int code)
{
  if (fflush (stdout) == 0 && !ferror (stdout))
    return code;
  g_printerr ("%s: cannot write the output: %s\n", g_get_prgname (),
      g_strerror (errno));
  return code == CLI_OK ? CLI_FAILED : code;
}

int
main (int argc, char **argv)
{
  const Command *command;
  g_autofree char *program = NULL;

  setlocale (LC_ALL, "");
  /* Output beyond RLIMIT_FSIZE is an error of write(), not the end. */
  signal (SIGXFSZ, SIG_IGN);
  g_set_prgname ("datahub");
  if (argc < 2) {
    print_help ();
    return CLI_USAGE;
  }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0
      || strcmp (argv[1], "help") == 0) {
    print_help ();
    return cli_finish (CLI_OK);
  }
  if (strcmp (argv[1], "--version") == 0) {
    g_print ("datahub %s\n", CLI_VERSION);
    return cli_finish (CLI_OK);
  }
  command = find_command (argv[1]);
  if (!command)
    return wrong_command (argv[1]);
  program = g_strconcat ("datahub ", command->name, NULL);
  g_set_prgname (program);
  argv[1] = program;
  if (command->run != cli_broker)
    cli_log_quietly ();
  return cli_finish (command->run (argc - 1, argv + 1));
}
