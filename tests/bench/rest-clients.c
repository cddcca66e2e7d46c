/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Idle clients of a broker, for tests/bench/rest. Usage: bench-rest-clients N.
 * Connects N hubs to the broker of the runtime directory and writes "ready". For each
 * line that it reads it writes what the broker has counted, as one line of JSON. Ends
 * with its input. */
#include <datahub/hub.h>

#include <stdio.h>
#include <stdlib.h>

#define WAIT_NS (30 * G_GINT64_CONSTANT (1000000000))

static gboolean
connect_all (GPtrArray *hubs, guint n, GError **error)
{
  for (guint i = 0; i < n; i++) {
    g_ptr_array_add (hubs, datahub_hub_new (DATAHUB_HUB_MONITOR));
    if (!datahub_hub_connect_to (g_ptr_array_index (hubs, i), NULL, NULL, NULL,
            error)
        || !datahub_hub_wait_connected (g_ptr_array_index (hubs, i), WAIT_NS,
            NULL, error))
      return FALSE;
  }
  return TRUE;
}

static void
say (const char *text)
{
  puts (text);
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) hubs = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;
  char line[16];

  if (argc == 2 && connect_all (hubs, (guint) atoi (argv[1]), &error))
    say ("ready");
  while (!error && hubs->len && fgets (line, sizeof line, stdin)) {
    g_autofree char *stats = datahub_hub_request (g_ptr_array_index (hubs, 0),
        "stats", NULL, WAIT_NS, NULL, &error);
    if (stats)
      say (stats);
  }
  if (error)
    fprintf (stderr, "%s\n", error->message);
  return error != NULL;
}
