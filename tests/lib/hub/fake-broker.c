/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-broker.h"

#include "control/wire/keys-private.h"
#include "control/wire/zmq-source-private.h"
#include <string.h>

#define POLL_MS 10
#define FULL_MS 1
/* Messages of the broker that wait for a hub are memory of the test. */
#define QUEUE 100

/* --- what is sent --- */

static gboolean
send_frame (FakeBroker *broker, const void *data, gsize size, int more)
{
  return zmq_send (broker->socket, data, size, ZMQ_DONTWAIT | more) >= 0;
}

static gboolean
begin_message (FakeBroker *broker)
{
  if (broker->has_peer
      && send_frame (broker, zmq_msg_data (&broker->peer),
          zmq_msg_size (&broker->peer), ZMQ_SNDMORE))
    return TRUE;
  g_atomic_int_inc (&broker->n_full);
  return FALSE;
}

gboolean
fake_send_parts (FakeBroker *broker, const char *const *parts, guint n)
{
  if (!begin_message (broker))
    return FALSE;
  for (guint i = 0; i < n; i++)
    if (!send_frame (broker, parts[i], strlen (parts[i]),
            i + 1 < n ? ZMQ_SNDMORE : 0))
      return FALSE;
  g_atomic_int_inc (&broker->n_sent);
  return TRUE;
}

gboolean
fake_send (FakeBroker *broker, const void *data, gsize size)
{
  if (!begin_message (broker) || !send_frame (broker, data, size, 0))
    return FALSE;
  g_atomic_int_inc (&broker->n_sent);
  return TRUE;
}

gboolean
fake_send_json (FakeBroker *broker, json_t *fields)
{
  json_object_set_new (fields, "v", json_integer (1));
  char *text = json_dumps (fields, JSON_COMPACT);
  gboolean sent = fake_send (broker, text, strlen (text));

  free (text);
  json_decref (fields);
  return sent;
}

gboolean
fake_event (FakeBroker *broker, const char *event, json_t *fields)
{
  json_t *message = fields ? fields : json_object ();

  json_object_set_new (message, "type", json_string ("event"));
  json_object_set_new (message, "event", json_string (event));
  return fake_send_json (broker, message);
}

gboolean
fake_reply (FakeBroker *broker, json_t *request, json_t *fields)
{
  json_t *message = fields ? fields : json_object ();

  json_object_set_new (message, "type", json_string ("reply"));
  json_object_set (message, "id", json_object_get (request, "id"));
  return fake_send_json (broker, message);
}

gboolean
fake_refuse (FakeBroker *broker, json_t *request, const char *code,
    const char *text)
{
  json_t *message = json_pack ("{s:s, s:s, s:s}", "type", "error", "code", code,
      "message", text);

  json_object_set (message, "id", json_object_get (request, "id"));
  return fake_send_json (broker, message);
}

json_t *
fake_greeting (void)
{
  return json_pack ("{s:s, s:i, s:i, s:b, s:s, s:i}", "epoch", UUID_A,
      "heartbeat-ms", 400, "heartbeats-missed", 3, "embedded", 0, "kind",
      "standalone", "pid", 1);
}

json_t *
fake_block (const char *name, const char *uuid, int pid)
{
  return json_pack ("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:b}",
      "name", name, "uuid", uuid, "caps", "video/x-raw", "program", "camera",
      "host", "here", "pid", pid, "consumers", 0, "pending", 0, "stalled", 0,
      "absent", 0);
}

void
fake_answer (FakeBroker *broker, json_t *request, const char *type)
{
  json_t *fields = NULL;

  if (strcmp (type, "hello") == 0)
    fields = fake_greeting ();
  else if (strcmp (type, "ping") == 0)
    fields = json_pack ("{s:s, s:i}", "kind", "standalone", "pid", 1);
  else if (strcmp (type, "list") == 0)
    fields = json_pack ("{s:[], s:b}", "blocks", "more", 0);
  else if (strcmp (type, "find") == 0)
    fields = json_pack ("{s:s}", "state", "not-found");
  fake_reply (broker, request, fields);
}

/* --- the thread --- */

static void
handle (FakeBroker *broker, json_t *request)
{
  const char *type = json_string_value (json_object_get (request, "type"));

  g_assert_nonnull (type);
  if (broker->attack.answer && !g_atomic_int_get (&broker->fair))
    broker->attack.answer (broker, request, type);
  else if (!json_is_true (json_object_get (request, "quiet")))
    fake_answer (broker, request, type);
  g_atomic_int_inc (&broker->n_requests);
  if (strcmp (type, "hello") == 0)
    g_atomic_int_inc (&broker->n_hellos);
}

/* A hub sends a connection's name, which libzmq adds, and one part. */
static gboolean
receive (FakeBroker *broker)
{
  zmq_msg_t peer, message;

  zmq_msg_init (&peer);
  if (zmq_msg_recv (&peer, broker->socket, ZMQ_DONTWAIT) < 0) {
    zmq_msg_close (&peer);
    return FALSE;
  }
  zmq_msg_init (&message);
  g_assert_cmpint (zmq_msg_recv (&message, broker->socket, 0), >=, 0);
  if (broker->has_peer)
    zmq_msg_close (&broker->peer);
  zmq_msg_init (&broker->peer);
  zmq_msg_move (&broker->peer, &peer);
  zmq_msg_close (&peer);
  broker->has_peer = TRUE;
  json_t *request =
      json_loadb (zmq_msg_data (&message), zmq_msg_size (&message), 0, NULL);
  zmq_msg_close (&message);
  g_assert_nonnull (request);
  handle (broker, request);
  json_decref (request);
  return TRUE;
}

static gpointer
run (gpointer data)
{
  FakeBroker *broker = data;
  int full = 0;

  while (!g_atomic_int_get (&broker->stop)) {
    zmq_pollitem_t item = { broker->socket, 0, ZMQ_POLLIN, 0 };
    gboolean busy = broker->attack.turn && broker->has_peer
        && !g_atomic_int_get (&broker->fair)
        && g_atomic_int_get (&broker->n_full) == full;
    full = g_atomic_int_get (&broker->n_full);
    if (g_atomic_int_get (&broker->deaf))
      item.events = 0;
    zmq_poll (&item, 1, busy ? 0 : broker->attack.turn ? FULL_MS : POLL_MS);
    while (!g_atomic_int_get (&broker->deaf) && receive (broker))
      continue;
    if (broker->attack.turn && broker->has_peer
        && !g_atomic_int_get (&broker->fair))
      broker->attack.turn (broker);
  }
  return NULL;
}

/* --- start and end --- */

static void
set_options (FakeBroker *broker)
{
  g_auto (Keypair) keys = { 0 };
  GError *error = NULL;
  const int numbers[][2] = { { ZMQ_CURVE_SERVER, 1 },
    { ZMQ_ROUTER_MANDATORY, 1 }, { ZMQ_SNDHWM, QUEUE }, { ZMQ_LINGER, 0 } };

  keypair_load_broker (&keys, TRUE, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_assert_cmpint (zmq_setsockopt (broker->socket, numbers[i][0],
                         &numbers[i][1], sizeof (int)),
        ==, 0);
  g_assert_cmpint (zmq_setsockopt (broker->socket, ZMQ_CURVE_SECRETKEY,
                       keys.secret_key, sizeof keys.secret_key),
      ==, 0);
}

FakeBroker *
fake_start (const FakeAttack *attack, const char *endpoint, gpointer data)
{
  FakeBroker *broker = g_new0 (FakeBroker, 1);

  broker->attack = *attack;
  broker->data = data;
  broker->endpoint = endpoint
      ? g_strdup (endpoint)
      : g_strconcat ("ipc://", fixture_dir (), "/fake.sock", NULL);
  broker->context = zmq_ctx_new ();
  broker->socket = zmq_socket (broker->context, ZMQ_ROUTER);
  set_options (broker);
  g_assert_cmpint (zmq_bind (broker->socket, broker->endpoint), ==, 0);
  broker->thread = g_thread_new ("fake-broker", run, broker);
  return broker;
}

void
fake_stop (FakeBroker *broker)
{
  g_atomic_int_set (&broker->stop, TRUE);
  g_thread_join (broker->thread);
  if (broker->has_peer)
    zmq_msg_close (&broker->peer);
  wire_close_socket (&broker->socket);
  zmq_ctx_term (broker->context);
  g_free (broker->endpoint);
  g_free (broker);
}

DatahubHub *
fake_hub (FakeBroker *broker, DatahubHubFlags flags)
{
  g_autoptr (GError) error = NULL;
  DatahubHub *hub = datahub_hub_new (flags);

  datahub_hub_connect_to (hub, broker->endpoint, NULL, NULL, &error);
  g_assert_no_error (error);
  return hub;
}
