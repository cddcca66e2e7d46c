/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registry only keeps the data. The broker checks the rights before it
 * changes an entry.
 * Tests: broker-liveness, broker-hostile, hub-signals */
#include "control/wire/control-log-private.h"
#include "registry-private.h"

#include <sodium.h>
#include <string.h>

static void
subscription_free (gpointer data)
{
  Subscription *subscription = data;

  g_free (subscription->pattern);
  g_free (subscription);
}

/* @client has so many blocks more, or fewer. */
static void
count_blocks (BrokerClient *client, int n)
{
  client->n_blocks += n;
  if (!client->account)
    return;
  client->account->n_blocks += n;
  client->registry->n_blocks_of_strangers += n;
}

static void
client_free (gpointer data)
{
  BrokerClient *client = data;

  if (client->account) {
    client->account->n_clients--;
    client->registry->n_strangers--;
  }
  g_clear_pointer (&client->routing, g_bytes_unref);
  g_ptr_array_unref (client->subscriptions);
  g_free (client->program);
  g_free (client->host);
  g_free (client->id);
  g_free (client);
}

static void
joined_free (gpointer data)
{
  Joined *joined = data;

  joined->client->n_consumers--;
  g_free (joined->label);
  g_free (joined);
}

static void
block_free (gpointer data)
{
  BlockEntry *block = data;

  count_blocks (block->owner, -1);
  g_ptr_array_unref (block->joined);
  g_hash_table_unref (block->introduced);
  sodium_memzero (block->secret, sizeof block->secret);
  g_free (block->caps);
  g_free (block);
}

static int
compare_names (gconstpointer a, gconstpointer b, gpointer user_data)
{
  return strcmp (a, b);
}

void
registry_init (Registry *registry)
{
  registry->clients =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, client_free);
  registry->routes = g_hash_table_new (g_bytes_hash, g_bytes_equal);
  registry->blocks = g_tree_new_full (compare_names, NULL, NULL, block_free);
}

/* Blocks first: they refer to clients. */
void
registry_clear (Registry *registry)
{
  g_clear_pointer (&registry->blocks, g_tree_unref);
  g_clear_pointer (&registry->routes, g_hash_table_unref);
  g_clear_pointer (&registry->clients, g_hash_table_unref);
}

static gboolean
has_place (const Registry *registry, const Account *account)
{
  return g_hash_table_size (registry->clients) < MAX_CLIENTS
      && (!account
          || (registry->n_strangers < MAX_STRANGERS
              && account->n_clients < MAX_CLIENTS_PER_KEY));
}

/* The client of this key and instance, made if it is new; NULL when there are too many
 * already. @account is that of the key of a stranger; NULL: it is the own user's. */
BrokerClient *
registry_get_client (Registry *registry, Account *account, const char *key,
    const char *instance)
{
  gboolean local = account == NULL;
  g_autofree char *id =
      g_strconcat (local ? "own/" : "stranger/", key, "/", instance, NULL);
  BrokerClient *client = g_hash_table_lookup (registry->clients, id);

  if (client)
    return client;
  if (!has_place (registry, account))
    return NULL;
  client = g_new0 (BrokerClient, 1);
  client->id = g_steal_pointer (&id);
  client->local = local;
  client->registry = registry;
  client->account = account;
  if (account) {
    account->n_clients++;
    registry->n_strangers++;
  }
  g_strlcpy (client->key, key, sizeof client->key);
  g_strlcpy (client->instance, instance, sizeof client->instance);
  client->subscriptions = g_ptr_array_new_with_free_func (subscription_free);
  g_hash_table_insert (registry->clients, client->id, client);
  return client;
}

/* @client is reached by @routing from now on; NULL: by nothing. A client that
 * was there before is not reached any more. */
void
registry_route (Registry *registry, BrokerClient *client, GBytes *routing)
{
  BrokerClient *before =
      routing ? g_hash_table_lookup (registry->routes, routing) : NULL;

  if (before == client && client->routing)
    return;
  if (client->routing) {
    g_hash_table_remove (registry->routes, client->routing);
    g_clear_pointer (&client->routing, g_bytes_unref);
  }
  if (before) {
    registry_route (registry, before, NULL);
    before->stalled = TRUE;
  }
  if (routing) {
    client->routing = g_bytes_ref (routing);
    g_hash_table_insert (registry->routes, client->routing, client);
  }
}

BrokerClient *
registry_by_route (Registry *registry, GBytes *routing)
{
  return g_hash_table_lookup (registry->routes, routing);
}

/* Forgets a client that nothing refers to any more. */
void
registry_drop_idle (Registry *registry, BrokerClient *client)
{
  if (client->n_blocks || client->n_consumers)
    return;
  registry_route (registry, client, NULL);
  g_hash_table_remove (registry->clients, client->id);
}

gboolean
client_listens (const BrokerClient *client, const char *name,
    gboolean notification)
{
  for (guint i = 0; i < client->subscriptions->len; i++) {
    Subscription *s = g_ptr_array_index (client->subscriptions, i);
    if ((s->notifications || !notification)
        && pattern_matches (s->pattern, name))
      return TRUE;
  }
  return FALSE;
}

BlockEntry *
registry_find (Registry *registry, const char *name)
{
  return g_tree_lookup (registry->blocks, name);
}

/* The result of a look that is under way does not count any more. */
static void
set_serial (Registry *registry, BlockEntry *block)
{
  block->serial = ++registry->serial;
  block->asked = block->asked_consumers = FALSE;
  block->again_us = 0;
}

/* Adds a block; there is none of this name. */
BlockEntry *
registry_add (Registry *registry, BrokerClient *owner, const char *name,
    const char *uuid, const char *caps)
{
  BlockEntry *block = g_new0 (BlockEntry, 1);

  g_strlcpy (block->name, name, sizeof block->name);
  g_strlcpy (block->uuid, uuid, sizeof block->uuid);
  block->caps = g_strdup (caps ? caps : "");
  block->owner = owner;
  block->joined = g_ptr_array_new_with_free_func (joined_free);
  block->introduced =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  count_blocks (owner, 1);
  set_serial (registry, block);
  g_tree_insert (registry->blocks, block->name, block);
  return block;
}

void
registry_remove (Registry *registry, BlockEntry *block)
{
  g_tree_remove (registry->blocks, block->name);
}

/* Transfers the block, with its consumers, to @owner. */
void
registry_hand_over (Registry *registry, BlockEntry *block, BrokerClient *owner)
{
  count_blocks (block->owner, -1);
  block->owner = owner;
  count_blocks (owner, 1);
  set_serial (registry, block);
}

/* Whether @client can have one more block. */
gboolean
client_may_register (const BrokerClient *client)
{
  return client->n_blocks < MAX_BLOCKS_PER_CLIENT
      && (!client->account
          || (client->account->n_blocks < MAX_BLOCKS_PER_KEY
              && client->registry->n_blocks_of_strangers
                  < MAX_BLOCKS_OF_STRANGERS));
}

guint
registry_n_blocks (Registry *registry)
{
  return g_tree_nnodes (registry->blocks);
}

Joined *
block_entry_find_joined (BlockEntry *block, guint64 id)
{
  for (guint i = 0; i < block->joined->len; i++) {
    Joined *joined = g_ptr_array_index (block->joined, i);
    if (joined->id == id)
      return joined;
  }
  return NULL;
}

/* Whether @client, which is not the owner, can join: strangers leave places. */
gboolean
block_entry_has_room (const BlockEntry *block, const BrokerClient *client)
{
  guint n = 0;

  if (client->local)
    return TRUE;
  for (guint i = 0; i < block->joined->len; i++)
    n += !((Joined *) g_ptr_array_index (block->joined, i))->client->local;
  return n < MAX_JOINED_STRANGERS;
}

/* NULL when the block has as many consumers as are remembered. */
Joined *
block_entry_join (BlockEntry *block, BrokerClient *client, guint64 id,
    const char *label)
{
  if (block->joined->len >= DATAHUB_MAX_CONSUMERS)
    return NULL;
  Joined *joined = g_new0 (Joined, 1);
  joined->id = id;
  joined->label = message_clean (label);
  joined->client = client;
  client->n_consumers++;
  g_ptr_array_add (block->joined, joined);
  return joined;
}

void
block_entry_leave (BlockEntry *block, Joined *joined)
{
  g_ptr_array_remove (block->joined, joined);
}

/* The public data of the block, for all clients with the right to observe it;
 * never the secret. */
json_t *
block_entry_to_json (BlockEntry *block)
{
  json_t *json =
      json_pack ("{s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:b}", "name",
          block->name, "caps", block->caps, "program", block->owner->program,
          "host", block->owner->host, "pid", block->owner->pid, "consumers",
          (int) block->joined->len, "pending", !*block->uuid, "stalled",
          block->stalled_us != 0, "absent", block->absent);

  if (*block->uuid)
    json_object_set_new (json, "uuid", json_string (block->uuid));
  return json;
}

static gboolean
collect_block (gpointer name, gpointer block, gpointer blocks)
{
  g_ptr_array_add (blocks, block);
  return FALSE;
}

/* Returns: (transfer container): all blocks, so that they can be removed one by
 * one */
GPtrArray *
registry_list_blocks (Registry *registry)
{
  GPtrArray *blocks = g_ptr_array_new ();

  g_tree_foreach (registry->blocks, collect_block, blocks);
  return blocks;
}
