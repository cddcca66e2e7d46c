/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words about the clock of a producer. */
#ifndef DATAHUB_CLI_CLOCKS_H
#define DATAHUB_CLI_CLOCKS_H

#include "doctor.h"

char *cli_clock_text (const char *channel);
void cli_add_clock (json_t *json, const char *channel);
void doctor_note_clock (Subject *subject, const char *channel);

#endif /* DATAHUB_CLI_CLOCKS_H */
