/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that the subcommands share. A subcommand uses the library's public
 * headers only. */
#ifndef DATAHUB_CLI_H
#define DATAHUB_CLI_H

#include <datahub/datahub.h>
#include <jansson.h>

/* Exit codes, stable for scripts. */
enum
{
  CLI_OK = 0,
  CLI_FAILED = 1, /* the operation failed */
  CLI_USAGE = 2, /* the command line is wrong */
  CLI_NOT_FOUND = 3, /* there is no such block */
  CLI_PROBLEMS = 4 /* the doctor found problems */
};

/* How to reach the broker, for the subcommands that query it. */
typedef struct
{
  char *broker, *server_key, *key; /* owned */
} CliTarget;

int cli_broker (int argc, char **argv);
int cli_list (int argc, char **argv);
int cli_inspect (int argc, char **argv);
int cli_doctor (int argc, char **argv);
int cli_reclaim (int argc, char **argv);
int cli_keygen (int argc, char **argv);

/* options.c */
gboolean cli_parse (int *argc, char ***argv, const char *arguments,
    const char *summary, const char *example, const GOptionEntry *entries,
    CliTarget *target);
void cli_target_clear (CliTarget *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliTarget, cli_target_clear)

/* output.c */
typedef struct _CliTable CliTable;

char *cli_safe (const char *text);
char *cli_bytes (guint64 bytes);
int cli_fail (int code, const char *format, ...) G_GNUC_PRINTF (2, 3);
void cli_print_json (json_t *json);
CliTable *cli_table_new (const char *const *columns);
void cli_table_add (CliTable *table, ...) G_GNUC_NULL_TERMINATED;
guint cli_terminal_width (void);
void cli_table_fit (CliTable *table, guint width);
void cli_table_print (CliTable *table);
void cli_table_free (CliTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliTable, cli_table_free)

/* inspect-slots.c */
/* What the producer of a block noted, the newest first. */
typedef struct
{
  DatahubBlockError list[DATAHUB_MAX_BLOCK_ERRORS];
  uint32_t n;
} CliErrors;

void cli_print_errors (const CliErrors *errors);
void cli_add_errors (json_t *json, const CliErrors *errors);
void cli_print_slots (const DatahubDiagnosis *diagnosis);
void cli_add_slots (json_t *json, const DatahubDiagnosis *diagnosis);

/* elsewhere.c */
gboolean cli_is_here (DatahubHubBlock *block);
char *cli_describe_elsewhere (DatahubHubBlock *block, const char *where,
    char **advice);
int cli_fail_not_found (const CliTarget *target, const char *name,
    const DatahubError *error);

/* place.c */
char *cli_broker_place (DatahubHub *hub, json_t *json);

/* log.c */
void cli_log_to_stderr (void);
void cli_log_quietly (void);
int cli_finish (int code);

#endif /* DATAHUB_CLI_H */
