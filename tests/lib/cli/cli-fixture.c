/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli-fixture.h"

#include <string.h>

#define MAX_ARGUMENTS 12

static const char *command;

void
cli_init (void)
{
  command = g_getenv ("DATAHUB_COMMAND");
  g_assert_nonnull (command);
}

const char *
cli_command (void)
{
  return command;
}

Result
run (const char *first, ...)
{
  va_list args;
  const char *argv[MAX_ARGUMENTS + 2] = { command, first };
  Result result = { 0 };
  g_autoptr (GError) error = NULL;

  va_start (args, first);
  for (int i = 2; first && argv[i - 1] && i < MAX_ARGUMENTS; i++)
    argv[i] = va_arg (args, const char *);
  va_end (args);
  g_autoptr (GSubprocess) process = g_subprocess_newv (argv,
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (process, NULL, NULL, &result.out, &result.err,
      &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_if_exited (process));
  result.code = g_subprocess_get_exit_status (process);
  return result;
}

void
result_clear (Result *result)
{
  g_free (result->out);
  g_free (result->err);
}

void
assert_says (const char *text, const char *words)
{
  if (!strstr (text, words))
    g_error ("\"%s\" does not say \"%s\"", text, words);
}

json_t *
parse (const Result *result)
{
  json_t *json = json_loads (result->out, JSON_REJECT_DUPLICATES, NULL);

  g_assert_nonnull (json);
  return json;
}

DatahubProducer *
produce (const char *name)
{
  DatahubProducerOptions options;
  DatahubProducer *producer;
  DatahubError error;

  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  options.slots = 8;
  g_assert_cmpint (datahub_producer_create (name, &options, &producer, &error),
      ==, DATAHUB_OK);
  g_assert_cmpint (datahub_producer_publish (producer, &error), ==, DATAHUB_OK);
  return producer;
}

void
assert_silent (const char *text, const char *words)
{
  if (strstr (text, words))
    g_error ("\"%s\" says \"%s\"", text, words);
}

const char *
text_of (json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}
