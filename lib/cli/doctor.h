/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types and functions that the files of `datahub doctor` share. */
#ifndef DATAHUB_CLI_DOCTOR_H
#define DATAHUB_CLI_DOCTOR_H

#include "cli.h"

typedef struct
{
  DatahubSeverity severity;
  char *name; /* of the kind, as "ring-word"; owned, as the others */
  char *message;
  char *advice; /* what to do; NULL: nothing */
  gint64 for_ns; /* < 0: not known */
} Problem;

/* One thing that was examined: the environment, or a block. */
typedef struct
{
  char *title;
  char *summary;
  GPtrArray *problems; /* of Problem */
  GPtrArray *actions; /* of char *: what was repaired, or would be */
  json_t *json; /* more about it, for programs; owned */
} Subject;

Subject *subject_new (const char *title);
void subject_free (gpointer subject);
void subject_add (Subject *subject, DatahubSeverity severity, const char *name,
    gint64 for_ns, char *message, char *advice);

/* doctor-environment.c */
Subject *doctor_environment (const CliTarget *target);

/* doctor-advice.c */
char *doctor_advice (DatahubFindingKind kind, const char *channel);
char *doctor_process_word (int pid, const char *uuid, char **what_to_do);

/* doctor-release.c */
int doctor_release (const char *channel, const char *text);

/* doctor-report.c */
guint doctor_count (GPtrArray *subjects);
void doctor_print (GPtrArray *subjects, gboolean repaired);
void doctor_print_json (GPtrArray *subjects, gboolean repaired);

#endif /* DATAHUB_CLI_DOCTOR_H */
