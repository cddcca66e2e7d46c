/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the broker runs: in a helper process, in a process that needed one, or by
 * `datahub broker`. */
#include "cli.h"

#include <string.h>

#define ANSWER_NS (2000 * G_GINT64_CONSTANT (1000000))

static char *
describe (const char *kind, int pid)
{
  if (strcmp (kind, "helper") == 0)
    return g_strdup_printf ("the broker runs in the helper process %d", pid);
  if (strcmp (kind, "process") == 0)
    return g_strdup_printf ("the broker runs in process %d, which uses it",
        pid);
  return g_strdup_printf ("the broker is process %d", pid);
}

/* Adds kind and process of the broker of @hub to @json, and returns a sentence without
 * its end; NULL if it does not answer. */
char *
cli_broker_place (DatahubHub *hub, json_t *json)
{
  g_autofree char *text =
      datahub_hub_request (hub, "ping", NULL, ANSWER_NS, NULL, NULL);
  json_t *answer = text ? json_loads (text, 0, NULL) : NULL;
  const char *kind;
  char *place = NULL;
  int pid;

  if (answer
      && json_unpack (answer, "{s:s, s:i}", "kind", &kind, "pid", &pid) == 0) {
    place = describe (kind, pid);
    json_object_set_new (json, "broker-kind", json_string (kind));
    json_object_set_new (json, "broker-pid", json_integer (pid));
  }
  json_decref (answer);
  return place;
}
