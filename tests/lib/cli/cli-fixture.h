/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command, run as a shell would run it. */
#ifndef TESTS_CLI_FIXTURE_H
#define TESTS_CLI_FIXTURE_H

#include "../hub/fixture.h"

#include <jansson.h>

typedef struct
{
  char *out, *err;
  int code;
} Result;

/* Finds the command; call it first. */
void cli_init (void);
const char *cli_command (void);

/* Runs the command to its end; the arguments end with NULL. */
Result run (const char *first, ...);
void result_clear (Result *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Result, result_clear)

void assert_says (const char *text, const char *words);
void assert_silent (const char *text, const char *words);
/* What was printed, which must be JSON. */
json_t *parse (const Result *result);
const char *text_of (json_t *json, const char *key);
/* A producer of small slots, published. */
DatahubProducer *produce (const char *name);

#endif /* TESTS_CLI_FIXTURE_H */
