/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of the broker to its clients. A client that cannot be reached loses
 * its connection here.
 * Tests: broker-quiet, broker-hostile, broker-liveness */
#include "control/wire/control-log-private.h"
#include "broker-private.h"

#include <sodium.h>
#include <string.h>
#include <zmq.h>

/* A message as it is sent: written once, and shared by all its receivers. */
typedef struct
{
  zmq_msg_t bytes;
  gsize size;
  gboolean fits; /* otherwise a receiver would end the connection over it */
} Letter;

static void
free_text (void *text, void *hint)
{
  free (text);
}

static void
wipe_text (void *text, void *size)
{
  sodium_memzero (text, GPOINTER_TO_SIZE (size));
  free (text);
}

static void
letter_write (Letter *letter, json_t *message)
{
  gboolean is_secret = json_object_get (message, "secret")
      || json_object_get (message, "ticket");
  char *text;

  json_object_set_new (message, "v", json_integer (PROTOCOL_VERSION));
  text = json_dumps (message, JSON_COMPACT);
  letter->size = text ? strlen (text) : 0;
  letter->fits = text && letter->size <= MESSAGE_MAX;
  if (text)
    zmq_msg_init_data (&letter->bytes, text, letter->size,
        is_secret ? wipe_text : free_text, GSIZE_TO_POINTER (letter->size));
  else
    zmq_msg_init (&letter->bytes);
}

static void
letter_clear (Letter *letter)
{
  zmq_msg_close (&letter->bytes);
}

static gboolean
send_bytes (DatahubBroker *broker, GBytes *routing, zmq_msg_t *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (routing, &size);
  void *router = broker->ports[data[0]].router;
  zmq_msg_t copy;

  if (zmq_send (router, data + 1, size - 1, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
    return FALSE;
  zmq_msg_init (&copy);
  if (zmq_msg_copy (&copy, bytes) == 0
      && zmq_msg_send (&copy, router, ZMQ_DONTWAIT) >= 0)
    return TRUE;
  zmq_msg_close (&copy);
  return FALSE;
}

static void
pay (BrokerCall *call, gsize bytes)
{
  if (!call)
    return;
  account_charge (call->connection_account, bytes);
  if (call->key_account)
    account_charge (call->key_account, bytes);
}

/* Returns FALSE if the connection is gone or its queue is full. Never waits. */
static gboolean
letter_send (DatahubBroker *broker, GBytes *routing, Letter *letter)
{
  gboolean sent = letter->fits && send_bytes (broker, routing, &letter->bytes);

  pay (broker->call, letter->size);
  if (!sent)
    broker->stats.unsent++;
  return sent || !letter->fits;
}

/* Sends @message to the connection @routing, if that is there and reads. */
void
broker_send_to (DatahubBroker *broker, GBytes *routing, json_t *message)
{
  Letter letter;

  letter_write (&letter, message);
  letter_send (broker, routing, &letter);
  letter_clear (&letter);
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

/* If the client is gone, or does not read its messages, it is removed; if it is alive, it
 * greets again. */
static gboolean
deliver (DatahubBroker *broker, BrokerClient *client, Letter *letter)
{
  if (!client->routing)
    return FALSE;
  if (letter_send (broker, client->routing, letter))
    return TRUE;
  lose_client (broker, client);
  return FALSE;
}

/* Sends @message to @client. Never waits. Returns whether its connection took it, which may
 * break before @client has read it. */
gboolean
broker_send (DatahubBroker *broker, BrokerClient *client, json_t *message)
{
  Letter letter;

  letter_write (&letter, message);
  gboolean sent = deliver (broker, client, &letter);
  letter_clear (&letter);
  return sent;
}

/* Sends @message to all clients that @choose returns TRUE for. */
void
broker_send_each (DatahubBroker *broker, json_t *message, BrokerChoice choose,
    gconstpointer user_data)
{
  GHashTableIter iter;
  BrokerClient *client;
  Letter letter;

  letter_write (&letter, message);
  g_hash_table_iter_init (&iter, broker->registry.clients);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &client))
    if (choose (client, user_data))
      deliver (broker, client, &letter);
  letter_clear (&letter);
}

json_t *
broker_event_new (const char *event)
{
  return json_pack ("{s:s, s:s}", "type", "event", "event", event);
}

typedef struct
{
  DatahubBroker *broker;
  const char *name;
  gboolean notification;
  const BrokerClient *also;
} Audience;

static gboolean
is_in_audience (const BrokerClient *client, gconstpointer user_data)
{
  const Audience *a = user_data;

  return client == a->also
      || (client_listens (client, a->name, a->notification)
          && rights_allow (a->broker->rights, client->key, RIGHT_OBSERVE,
              a->name));
}

/* Sends @message about the block @name to all subscribers with the right to
 * observe it, and to @also. Takes @message. */
void
broker_publish (DatahubBroker *broker, const char *name, gboolean notification,
    BrokerClient *also, json_t *message)
{
  const Audience audience = { broker, name, notification, also };

  broker_send_each (broker, message, is_in_audience, &audience);
  json_decref (message);
}
