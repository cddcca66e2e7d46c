/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The blocks that the broker announced to this hub. If the broker changes, the
 * entries stay until all clients have had time to register with the new
 * broker.
 * Tests: hub-signals, broker-liveness, hub-false-answers */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"

#include <string.h>

#define SETTLE_MS 3000
#define MAX_KNOWN 4096
#define ANSWER_US (2 * G_USEC_PER_SEC)
/* More is not a list that has an end. */
#define MAX_PAGES 256

typedef struct
{
  DatahubHubBlock *block; /* owned */
  guint generation; /* of the connection that last confirmed it */
} Known;

static void
known_free (gpointer data)
{
  Known *known = data;

  datahub_hub_block_unref (known->block);
  g_free (known);
}

static void
emit_removed (HubCore *core, DatahubHubBlock *block, const char *reason)
{
  hub_emit (core, SIGNAL_BLOCK_REMOVED, datahub_hub_block_get_name (block),
      block, reason);
}

/* The broker announced @block. */
void
hub_catalogue_add (HubCore *core, DatahubHubBlock *block)
{
  const char *name = datahub_hub_block_get_name (block);
  Known *known = g_hash_table_lookup (core->catalogue.known, name);

  if (known && hub_block_same (known->block, block)) {
    known->generation = core->catalogue.generation;
    return;
  }
  if (!known && g_hash_table_size (core->catalogue.known) >= MAX_KNOWN)
    return;
  if (known
      && strcmp (datahub_hub_block_get_uuid (known->block),
             datahub_hub_block_get_uuid (block))
          != 0)
    emit_removed (core, known->block, "replaced");
  known = g_new0 (Known, 1);
  known->block = datahub_hub_block_ref (block);
  known->generation = core->catalogue.generation;
  g_hash_table_replace (core->catalogue.known,
      (gpointer) datahub_hub_block_get_name (known->block), known);
  hub_emit (core, SIGNAL_BLOCK_ADDED, name, block);
}

/* The broker announced that it is gone. */
void
hub_catalogue_remove (HubCore *core, const char *name, const char *uuid,
    const char *reason)
{
  Known *known = g_hash_table_lookup (core->catalogue.known, name);

  if (!known || strcmp (datahub_hub_block_get_uuid (known->block), uuid) != 0)
    return;
  emit_removed (core, known->block, reason);
  g_hash_table_remove (core->catalogue.known, name);
}

/* Removes the blocks that no client of the new broker has registered until
 * now. */
static gboolean
settle (gpointer user_data)
{
  HubCore *core = user_data;
  GHashTableIter iter;
  Known *known;

  hub_clear_source (&core->catalogue.settle_source);
  g_hash_table_iter_init (&iter, core->catalogue.known);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &known))
    if (known->generation != core->catalogue.generation) {
      emit_removed (core, known->block, "lost");
      g_hash_table_iter_remove (&iter);
    }
  return G_SOURCE_REMOVE;
}

static void ask (HubCore *core, const char *after);

static void
page_came (json_t *reply, const GError *error, gpointer user_data)
{
  HubCore *core = user_data;
  size_t i;
  json_t *value;
  g_autofree char *last = NULL;

  if (!reply)
    return;
  json_array_foreach (json_object_get (reply, "blocks"), i, value)
  {
    g_autoptr (DatahubHubBlock) block = hub_block_from_json (value, NULL);
    if (!block)
      continue;
    hub_catalogue_add (core, block);
    g_free (last);
    last = g_strdup (datahub_hub_block_get_name (block));
  }
  if (last && json_is_true (json_object_get (reply, "more"))
      && ++core->catalogue.pages < MAX_PAGES)
    ask (core, last);
}

static void
ask (HubCore *core, const char *after)
{
  hub_call (core, json_pack ("{s:s, s:s}", "type", "list", "after", after),
      ANSWER_US, NULL, page_came, core);
}

/* Called when connected and subscribed to changes: requests the list of
 * blocks. */
void
hub_catalogue_connected (HubCore *core)
{
  core->catalogue.generation++;
  core->catalogue.pages = 0;
  hub_clear_source (&core->catalogue.settle_source);
  core->catalogue.settle_source =
      hub_core_after (core, SETTLE_MS, settle, core);
  ask (core, "");
}

void
hub_catalogue_init (HubCatalogue *catalogue)
{
  catalogue->known =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, known_free);
}

void
hub_catalogue_clear (HubCatalogue *catalogue)
{
  g_hash_table_unref (catalogue->known);
}
