/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of the broker to its clients. A client that cannot be reached loses
 * its connection here.
 * Tests: broker-quiet, broker-hostile, broker-liveness */
#include "control/wire/control-log-private.h"
#include "broker-private.h"

#include <sodium.h>
#include <string.h>
#include <zmq.h>

static gboolean
send_bytes (DatahubBroker *broker, GBytes *routing, const char *text)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (routing, &size);
  void *router = broker->ports[data[0]].router;

  return zmq_send (router, data + 1, size - 1, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0
      && zmq_send (router, text, strlen (text), ZMQ_DONTWAIT) >= 0;
}

/* Sends @message to the connection @routing. Returns FALSE if the connection is
 * gone or its queue is full. Never waits. */
gboolean
broker_send_to (DatahubBroker *broker, GBytes *routing, json_t *message)
{
  json_object_set_new (message, "v", json_integer (PROTOCOL_VERSION));
  char *text = json_dumps (message, JSON_COMPACT);
  /* A receiver would end the connection over it, and is not to blame. */
  gboolean fits = text && strlen (text) <= MESSAGE_MAX;
  gboolean sent = fits && send_bytes (broker, routing, text);

  if (text && json_object_get (message, "secret"))
    sodium_memzero (text, strlen (text));
  free (text);
  if (!sent)
    broker->stats.unsent++;
  return sent || !fits;
}

/* Marks the connection of @client as lost. Its blocks and consumers are checked
 * later, because the caller may be iterating over them. */
static void
lose_client (DatahubBroker *broker, BrokerClient *client)
{
  client->stalled = TRUE;
  registry_route (&broker->registry, client, NULL);
  token_new (client->epoch);
  if (!broker->watch_source)
    broker->watch_source = broker_run_in (broker, 0, broker->check);
}

/* Sends @message to @client. If the client is gone, or does not read its
 * messages, it is removed; if it is alive, it greets again. Never waits. */
void
broker_send (DatahubBroker *broker, BrokerClient *client, json_t *message)
{
  if (client->routing && !broker_send_to (broker, client->routing, message))
    lose_client (broker, client);
}

json_t *
broker_event_new (const char *event)
{
  return json_pack ("{s:s, s:s}", "type", "event", "event", event);
}

/* Sends @message about the block @name to all subscribers with the right to
 * observe it, and to @also. Takes @message. */
void
broker_publish (DatahubBroker *broker, const char *name, gboolean notification,
    BrokerClient *also, json_t *message)
{
  GHashTableIter iter;
  BrokerClient *client;

  g_hash_table_iter_init (&iter, broker->registry.clients);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &client))
    if (client == also
        || (client_listens (client, name, notification)
            && rights_allow (broker->rights, client->key, RIGHT_OBSERVE, name)))
      broker_send (broker, client, message);
  json_decref (message);
}
