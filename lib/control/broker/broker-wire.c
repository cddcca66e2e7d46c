/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's side of the wire. Each incoming message is checked here (its
 * sender, its order, the sender's budget) before a handler receives it.
 * Tests: broker-hostile, broker-access */
#include "control/wire/control-log-private.h"
#include "broker-private.h"
#include "control/wire/control-error-private.h"
#include "control/wire/zmq-source-private.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* Messages taken per turn of the loop. ZeroMQ takes them from its connections
 * one after the other, so a flood of one delays the others by one message. */
#define MESSAGES_PER_TURN 32
#define STRANGERS_PER_TURN 8
/* A turn takes no more messages after this time: large ones take long to read. The own
 * user's clients wait so long at most for those of others. */
#define TURN_US (5 * G_TIME_SPAN_MILLISECOND)

/* Takes one message of exactly two parts; FALSE when there is none. The parts
 * are empty when it had another shape. */
static gboolean
receive (void *router, zmq_msg_t *routing, zmq_msg_t *body)
{
  zmq_msg_t spare;
  int n = 1;

  zmq_msg_init (routing);
  zmq_msg_init (body);
  if (zmq_msg_recv (routing, router, ZMQ_DONTWAIT) < 0)
    return FALSE;
  if (!zmq_msg_more (routing))
    return TRUE;
  zmq_msg_recv (body, router, ZMQ_DONTWAIT);
  gboolean more = zmq_msg_more (body);
  zmq_msg_init (&spare);
  while (more && zmq_msg_recv (&spare, router, ZMQ_DONTWAIT) >= 0) {
    more = zmq_msg_more (&spare);
    n++;
  }
  zmq_msg_close (&spare);
  if (n > 1) {
    zmq_msg_close (body);
    zmq_msg_init (body);
  }
  return TRUE;
}

/* The id of a request must increase within the epoch of its connection. So a
 * replayed message is detected independently of the clock of its sender. */
static gboolean
check_session (BrokerCall *call, gint64 id, gboolean *replayed, GError **error)
{
  BrokerClient *client = call->client;
  const char *epoch = message_token (call->message, "epoch", error);

  if (!epoch)
    return FALSE;
  if (!client || strcmp (epoch, client->epoch) != 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_DISCONNECTED,
        "the first request must be hello: this connection has no epoch, or "
        "another one");
  if (id <= client->last_id) {
    *replayed = TRUE;
    return message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL, "replayed");
  }
  client->last_id = id;
  return TRUE;
}

/* What a client causes to be sent is limited, by connection and by key. */
static gboolean
check_debt (BrokerCall *call, GError **error)
{
  if (!account_is_in_debt (call->connection_account)
      && (!call->key_account || !account_is_in_debt (call->key_account)))
    return TRUE;
  call->broker->stats.throttled++;
  return message_refuse (error, DATAHUB_HUB_ERROR_LIMIT,
      "too much was sent for this client; it must wait");
}

static gboolean
answer (BrokerCall *call, gint64 *id, gboolean *silent, GError **error)
{
  const char *type = message_string (call->message, "type", 32, TRUE, error);
  if (!type || !message_integer (call->message, "id", 1, G_MAXINT64, id, error))
    return FALSE;

  const BrokerRequest *request = broker_find_request (type);
  if (!request)
    return message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "unknown type of request");
  if (strcmp (type, "hello") != 0
      && !check_session (call, *id, silent, error)) {
    call->broker->stats.replayed += *silent;
    return FALSE;
  }
  if (call->client)
    broker_heard (call->broker, call->client);
  call->broker->stats.requests++;
  return (!request->costly || check_debt (call, error))
      && request->handler (call, error);
}

static void
reply (BrokerCall *call, gint64 id, const GError *error)
{
  g_autoptr (json_t) refusal = error ? message_error (error) : NULL;
  json_t *message = refusal ? refusal : call->reply;

  if (!message
      || (!error && json_is_true (json_object_get (call->message, "quiet"))))
    return;
  json_object_set_new (message, "id", json_integer (id));
  if (!error)
    json_object_set_new (message, "type", json_string ("reply"));
  broker_send_to (call->broker, call->routing, message);
  message_wipe_secret (message);
}

/* The accounts that pay for a request: that of the connection, and by the door of
 * strangers that of the key. The own user's processes have one key. */
static gboolean
open_accounts (BrokerPort *port, BrokerCall *call, gsize size)
{
  DatahubBroker *broker = port->broker;
  gboolean own = port->number == PORT_OWN;
  gint64 now = g_get_monotonic_time ();

  call->connection_account = accounts_get (&broker->connections, call->routing,
      own ? &account_own : &account_connection, now);
  if (!own) {
    g_autoptr (GBytes) key = g_bytes_new (call->key, strlen (call->key));
    call->key_account = accounts_get (&broker->keys, key, &account_key, now);
  }
  return account_take_request (call->connection_account, size)
      && (own || account_take_request (call->key_account, size));
}

static void
handle (BrokerPort *port, BrokerCall *call, const void *data, gsize size)
{
  DatahubBroker *broker = port->broker;
  g_autoptr (GError) error = NULL;
  gint64 id = 0;
  gboolean silent = FALSE;

  if (!open_accounts (port, call, size)) {
    broker->stats.throttled++;
    return;
  }
  call->client = registry_by_route (&broker->registry, call->routing);
  /* A route is its connection's: another key on it is another connection that
   * asked for the same name. */
  if (call->client && strcmp (call->client->key, call->key) != 0)
    call->client = NULL;
  g_autoptr (json_t) message = message_parse (data, size, &error);
  g_autoptr (json_t) body = json_object ();
  call->message = message;
  call->reply = body;
  broker->call = call;
  if (!message)
    broker->stats.malformed++;
  else
    answer (call, &id, &silent, &error);
  if (message)
    message_wipe_secret (message);
  if (!silent)
    reply (call, id, error);
  broker->call = NULL;
}

/* The route of a client: the number of its port, and what libzmq calls it there. */
static GBytes *
make_route (const BrokerPort *port, zmq_msg_t *routing)
{
  gsize size = zmq_msg_size (routing);
  guint8 *data = g_malloc (size + 1);

  data[0] = (guint8) port->number;
  memcpy (data + 1, zmq_msg_data (routing), size);
  return g_bytes_new_take (data, size + 1);
}

static void
handle_frames (BrokerPort *port, zmq_msg_t *routing, zmq_msg_t *body)
{
  const char *key = zmq_msg_gets (body, "User-Id");
  gsize size = zmq_msg_size (body);

  /* A key taken off the list since it connected is refused here. */
  if (size == 0 || !key || !rights_knows (port->broker->rights, key)) {
    port->broker->stats.malformed++;
    return;
  }
  g_autoptr (GBytes) route = make_route (port, routing);
  BrokerCall call = { .broker = port->broker, .key = key, .routing = route };
  handle (port, &call, zmq_msg_data (body), size);
}

/* Takes a turn's worth of messages. */
void
broker_read (gpointer user_data)
{
  BrokerPort *port = user_data;
  int n = port->number == PORT_OWN ? MESSAGES_PER_TURN : STRANGERS_PER_TURN;
  gint64 end_us = g_get_monotonic_time () + TURN_US;

  for (int i = 0; i < n && g_get_monotonic_time () < end_us; i++) {
    zmq_msg_t routing, body;
    gboolean received = receive (port->router, &routing, &body);
    if (received)
      handle_frames (port, &routing, &body);
    zmq_msg_close (&routing);
    zmq_msg_close (&body);
    if (!received)
      return;
  }
}
