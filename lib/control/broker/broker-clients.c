/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients come and go: "hello", "ping", "bye".
 * Tests: broker-hostile, broker-doors */
#include "control/wire/control-log-private.h"
#include "broker-handlers-private.h"
#include "control/wire/control-error-private.h"
#include "control/wire/process-private.h"
#include <datahub/hub.h>

#include <string.h>
#include <unistd.h>

/* Where the broker runs: for any client, because its user may have to act on it. */
static void
add_place (BrokerCall *call)
{
  json_object_set_new (call->reply, "kind",
      json_string (broker_kind (call->broker)));
  json_object_set_new (call->reply, "pid", json_integer (getpid ()));
}

/* The description of a client by itself, for people. */
typedef struct
{
  const char *key, *instance, *program, *host;
  const char *pids; /* the namespace of the pid; NULL: not named */
  gint64 pid;
} Identity;

/* The key that it claims must be the key of its connection. */
static gboolean
read_identity (BrokerCall *call, Identity *id, GError **error)
{
  json_t *message = call->message;

  if (!(id->key =
              message_string (message, "key", DATAHUB_KEY_TEXT, TRUE, error))
      || !(id->instance = message_token (message, "instance", error))
      || !(id->program =
               message_string (message, "program", LABEL_MAX, TRUE, error))
      || !(id->host = message_string (message, "host", LABEL_MAX, TRUE, error))
      || !message_integer (message, "pid", 0, G_MAXINT32, &id->pid, error))
    return FALSE;
  id->pids = message_string (message, "pids", LABEL_MAX, FALSE, NULL);
  if (strcmp (id->key, call->key) == 0)
    return TRUE;
  call->broker->stats.impersonated++;
  control_log (G_LOG_LEVEL_MESSAGE, "impersonation",
      "a client with key %.8s… claimed another's identity", call->key);
  return message_refuse (error, DATAHUB_HUB_ERROR_DENIED,
      "the claimed identity does not belong to the key of this connection");
}

/* Removes the blocks and the consumers of @client. */
static void
remove_all (DatahubBroker *broker, BrokerClient *client, const char *left,
    const char *closed)
{
  g_autoptr (GPtrArray) blocks = registry_list_blocks (&broker->registry);

  for (guint i = 0; i < blocks->len; i++) {
    BlockEntry *block = g_ptr_array_index (blocks, i);
    for (guint j = block->joined->len; j > 0; j--) {
      Joined *joined = g_ptr_array_index (block->joined, j - 1);
      if (joined->client == client)
        broker_remove_joined (broker, block, joined, left);
    }
    if (block->owner == client)
      broker_remove_block (broker, block, closed);
  }
}

/* Whether the kernel shows this process that of @client. A client that names another
 * process than its own only has its own silence noticed later. */
static gboolean
can_be_examined (const BrokerClient *client, const char *pids)
{
  g_autofree char *own = process_space ();

  return client->local && own && g_strcmp0 (own, pids) == 0
      && process_look (client->pid) != PROCESS_UNKNOWN;
}

/* @client is reached by the connection of @call from now on. A connection has one
 * client: one that it had before is gone with its blocks and consumers. */
static void
connect_client (BrokerCall *call, BrokerClient *client, const Identity *id)
{
  Registry *registry = &call->broker->registry;

  registry_route (registry, client, call->routing);
  if (call->client && call->client != client) {
    remove_all (call->broker, call->client, "lost", "lost");
    registry_drop_idle (registry, call->client);
  }
  call->client = client;
  token_new (client->epoch);
  message_integer (call->message, "id", 1, G_MAXINT64, &client->last_id, NULL);
  g_free (client->program);
  g_free (client->host);
  client->program = message_clean (id->program);
  client->host = message_clean (id->host);
  client->pid = (int) id->pid;
  client->examined = can_be_examined (client, id->pids);
  client->stopped_looks = 0;
  g_ptr_array_set_size (client->subscriptions, 0);
  broker_heard (call->broker, client);
}

gboolean
broker_handle_hello (BrokerCall *call, GError **error)
{
  DatahubBroker *broker = call->broker;
  Identity id = { 0 };

  if (!read_identity (call, &id, error))
    return FALSE;
  BrokerClient *client = registry_get_client (&broker->registry,
      call->key_account, id.key, id.instance);
  if (!client)
    return message_refuse (error, DATAHUB_HUB_ERROR_LIMIT,
        "too many clients: this broker has %d places, by tcp %d, and for each "
        "key %d of them",
        MAX_CLIENTS, MAX_STRANGERS, MAX_CLIENTS_PER_KEY);
  connect_client (call, client, &id);
  json_object_set_new (call->reply, "epoch", json_string (client->epoch));
  json_object_set_new (call->reply, "heartbeat-ms",
      json_integer (broker_heartbeat_ms (client)));
  json_object_set_new (call->reply, "heartbeats-missed",
      json_integer (PROTOCOL_HEARTBEATS_MISSED));
  json_object_set_new (call->reply, "embedded",
      json_boolean (broker->embedded));
  if (client->examined)
    json_object_set_new (call->reply, "pids", json_string (id.pids));
  add_place (call);
  return TRUE;
}

gboolean
broker_handle_ping (BrokerCall *call, GError **error)
{
  add_place (call);
  return TRUE;
}

/* The client leaves, and everything of it. */
gboolean
broker_handle_bye (BrokerCall *call, GError **error)
{
  remove_all (call->broker, call->client, "left", "closed");
  registry_drop_idle (&call->broker->registry, call->client);
  call->client = NULL;
  return TRUE;
}
