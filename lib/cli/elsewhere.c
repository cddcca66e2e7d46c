/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block that the broker knows and that is not in the shared memory of this process:
 * its producer is in a container with memory of its own, or on another machine.
 * Tests: cli-doctor, gst-containers */
#include "cli.h"

#include <string.h>

#define CONNECT_NS (400 * G_GINT64_CONSTANT (1000000))

static const char what_to_do[] =
    "Let both see one shared memory directory: containers and services must share "
    "it, or set DATAHUB_SHM_DIR of both to one that they share. Memory of another "
    "machine cannot be read.";

/* Whether consumers of this process can find @block by its name. A block is made
 * before it is registered. */
gboolean
cli_is_here (DatahubHubBlock *block)
{
  DatahubBlockGlance glance;
  DatahubResult result =
      datahub_block_glance (datahub_hub_block_get_name (block), &glance, NULL);

  return datahub_hub_block_is_pending (block)
      || (result != DATAHUB_OK && result != DATAHUB_ERROR_NOT_FOUND)
      || (result == DATAHUB_OK
          && strcmp (glance.uuid, datahub_hub_block_get_uuid (block)) == 0);
}

/* Returns: what the broker at @where knows of @block, which is not here; and what
 * can be done in *@advice */
char *
cli_describe_elsewhere (DatahubHubBlock *block, const char *where,
    char **advice)
{
  *advice = g_strdup (what_to_do);
  return g_strdup_printf (
      "The broker at %s knows a producer of the block %s, process %d by its own "
      "number, but the block is not in %s as this process sees it.",
      where, datahub_hub_block_get_name (block),
      datahub_hub_block_get_pid (block), datahub_shm_directory ());
}

/* Returns: the same, if the broker answers at once and knows @name; or NULL */
static char *
look (const CliTarget *target, const char *name)
{
  const char *broker =
      target->broker ? target->broker : g_getenv ("DATAHUB_BROKER");
  gboolean stopped;

  if (g_strcmp0 (broker, "none") == 0)
    return NULL;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);
  if (!datahub_hub_connect_to (hub, broker, target->server_key, target->key,
          NULL)
      || !datahub_hub_wait_connected (hub, CONNECT_NS, NULL, NULL))
    return NULL;
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, name, 0, NULL, NULL);
  if (!block || cli_is_here (block))
    return NULL;
  g_autofree char *where = datahub_hub_describe_broker (broker, &stopped);
  g_autofree char *advice = NULL;
  g_autofree char *text = cli_describe_elsewhere (block, where, &advice);
  return g_strconcat (text, " ", advice, NULL);
}

/* @error: what the library reported of the block @name. Returns the exit code. */
int
cli_fail_not_found (const CliTarget *target, const char *name,
    const DatahubError *error)
{
  g_autofree char *elsewhere = look (target, name);

  if (elsewhere)
    return cli_fail (CLI_NOT_FOUND, "%s", elsewhere);
  return cli_fail (CLI_NOT_FOUND, "%s To see the names: datahub list",
      error->message);
}
