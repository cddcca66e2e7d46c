/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client that says exactly what a test wants it to say. */
#include "fixture.h"

#include "control/wire/keys-private.h"
#include "control/wire/message-private.h"
#include "control/wire/zmq-source-private.h"
#include <sodium.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define ANSWER_MS 30000
#define HELLOS 10

char *
raw_endpoint (void)
{
  return g_strconcat ("ipc://", fixture_dir (), "/run/broker.sock", NULL);
}

void
raw_server_key (char key[DATAHUB_KEY_TEXT + 1])
{
  g_autofree char *file = fixture_file ("run/broker.pub");

  g_assert_true (datahub_keys_load_public (file, key, NULL));
}

void
raw_key_pair (char public_key[DATAHUB_KEY_TEXT + 1],
    char secret_key[DATAHUB_KEY_TEXT + 1])
{
  g_assert_cmpint (zmq_curve_keypair (public_key, secret_key), ==, 0);
}

static Raw *
raw_new (void *context)
{
  int zero = 0;
  Raw *raw = g_new0 (Raw, 1);

  raw->borrowed = context != NULL;
  raw->context = context ? context : zmq_ctx_new ();
  raw->socket = zmq_socket (raw->context, ZMQ_DEALER);
  zmq_setsockopt (raw->socket, ZMQ_LINGER, &zero, sizeof zero);
  return raw;
}

static void
connect_monitored (Raw *raw, const char *endpoint)
{
  raw->monitor = wire_monitor_open (raw->context, raw->socket,
      ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
          | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
          | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
  g_assert_cmpint (zmq_connect (raw->socket, endpoint), ==, 0);
}

Raw *
raw_with_key (const char *public_key, const char *secret_key)
{
  g_autofree char *endpoint = raw_endpoint ();

  return raw_with_key_at (endpoint, public_key, secret_key);
}

Raw *
raw_with_key_at (const char *endpoint, const char *public_key,
    const char *secret_key)
{
  return raw_named (endpoint, public_key, secret_key, NULL);
}

static Raw *
connect_in (void *context, const char *endpoint, const char *public_key,
    const char *secret_key, const char *name)
{
  char server_key[DATAHUB_KEY_TEXT + 1];
  Raw *raw = raw_new (context);

  raw_server_key (server_key);
  g_strlcpy (raw->public_key, public_key, sizeof raw->public_key);
  g_strlcpy (raw->secret_key, secret_key, sizeof raw->secret_key);
  zmq_setsockopt (raw->socket, ZMQ_CURVE_SERVERKEY, server_key, 41);
  zmq_setsockopt (raw->socket, ZMQ_CURVE_PUBLICKEY, public_key, 41);
  zmq_setsockopt (raw->socket, ZMQ_CURVE_SECRETKEY, secret_key, 41);
  if (name)
    zmq_setsockopt (raw->socket, ZMQ_ROUTING_ID, name, strlen (name));
  connect_monitored (raw, endpoint);
  return raw;
}

Raw *
raw_named (const char *endpoint, const char *public_key, const char *secret_key,
    const char *name)
{
  return connect_in (NULL, endpoint, public_key, secret_key, name);
}

Raw *
raw_beside (const Raw *other, const char *endpoint)
{
  return connect_in (other->context, endpoint, other->public_key,
      other->secret_key, NULL);
}

/* No keys, and a password perhaps. */
Raw *
raw_without_key (const char *password)
{
  g_autofree char *endpoint = raw_endpoint ();
  Raw *raw = raw_new (NULL);

  if (password) {
    zmq_setsockopt (raw->socket, ZMQ_PLAIN_USERNAME, "admin", 5);
    zmq_setsockopt (raw->socket, ZMQ_PLAIN_PASSWORD, password,
        strlen (password));
  }
  connect_monitored (raw, endpoint);
  return raw;
}

/* With the key of the broker's own user. */
Raw *
raw_own (void)
{
  g_autofree char *endpoint = raw_endpoint ();

  return raw_own_at (endpoint);
}

Raw *
raw_own_at (const char *endpoint)
{
  g_auto (Keypair) broker = { 0 }, client = { 0 };

  g_assert_true (keypair_load_broker (&broker, FALSE, NULL));
  g_assert_true (keypair_derive_own_client (&broker, &client, NULL));
  return raw_with_key_at (endpoint, client.public_key, client.secret_key);
}

void
raw_free (Raw *raw)
{
  wire_monitor_close (raw->socket, &raw->monitor);
  wire_close_socket (&raw->socket);
  if (!raw->borrowed)
    zmq_ctx_term (raw->context);
  g_free (raw);
}

/* What became of the handshake; 0 when nothing did. */
int
raw_handshake_event (Raw *raw, int timeout_ms)
{
  int event = 0, value;
  zmq_pollitem_t item = { raw->monitor, 0, ZMQ_POLLIN, 0 };

  if (zmq_poll (&item, 1, timeout_ms) > 0)
    wire_monitor_read (raw->monitor, &event, &value);
  return event;
}

void
raw_send (Raw *raw, const void *data, gsize size)
{
  g_assert_cmpint (zmq_send (raw->socket, data, size, 0), ==, (int) size);
}

/* The next message; NULL when none comes. */
json_t *
raw_receive (Raw *raw, int timeout_ms)
{
  zmq_msg_t message;
  json_t *json;
  zmq_pollitem_t item = { raw->socket, 0, ZMQ_POLLIN, 0 };

  if (zmq_poll (&item, 1, timeout_ms) <= 0)
    return NULL;
  zmq_msg_init (&message);
  g_assert_cmpint (zmq_msg_recv (&message, raw->socket, 0), >=, 0);
  json = json_loadb (zmq_msg_data (&message), zmq_msg_size (&message), 0, NULL);
  zmq_msg_close (&message);
  g_assert_nonnull (json);
  return json;
}

/* The next event of this kind; others are passed over. */
json_t *
raw_event (Raw *raw, const char *event, int timeout_ms)
{
  gint64 started = g_get_monotonic_time ();
  json_t *json;

  while ((json = raw_receive (raw,
              MAX (0, timeout_ms - (int) fixture_ms_since (started))))) {
    if (g_strcmp0 (json_string_value (json_object_get (json, "event")), event)
        == 0)
      return json;
    json_decref (json);
  }
  return NULL;
}

static void
send_json (Raw *raw, json_t *message)
{
  char *text = json_dumps (message, JSON_COMPACT);

  raw_send (raw, text, strlen (text));
  free (text);
  json_decref (message);
}

/* Sends a request and returns its answer; events are passed over. */
json_t *
raw_request (Raw *raw, const char *type, json_t *fields)
{
  json_t *answer;
  gint64 id = ++raw->id;
  json_t *message = fields ? fields : json_object ();

  json_object_set_new (message, "v", json_integer (1));
  json_object_set_new (message, "id", json_integer (id));
  json_object_set_new (message, "type", json_string (type));
  if (*raw->epoch && !json_object_get (message, "epoch"))
    json_object_set_new (message, "epoch", json_string (raw->epoch));
  send_json (raw, message);
  while ((answer = raw_receive (raw, ANSWER_MS))) {
    json_t *answered = json_object_get (answer, "id");
    /* 0: to a message that could not be read. */
    if (json_is_integer (answered)
        && (json_integer_value (answered) == id
            || json_integer_value (answered) == 0))
      return answer;
    json_decref (answer);
  }
  g_error ("no answer to %s", type);
}

void
raw_hello (Raw *raw, const char *instance)
{
  raw_hello_from (raw, instance, "nowhere");
}

void
raw_hello_from (Raw *raw, const char *instance, const char *host)
{
  json_t *answer = raw_request (raw, "hello",
      json_pack ("{s:s, s:s, s:s, s:s, s:i}", "key", raw->public_key,
          "instance", instance, "program", "raw", "host", host, "pid",
          (int) getpid ()));
  const char *epoch = json_string_value (json_object_get (answer, "epoch"));

  g_assert_nonnull (epoch);
  g_strlcpy (raw->epoch, epoch, sizeof raw->epoch);
  g_strlcpy (raw->instance, instance, sizeof raw->instance);
  g_strlcpy (raw->host, host, sizeof raw->host);
  json_decref (answer);
}

/* As raw_request(); a client that was silent for long, which these are on a busy
 * machine, says hello again as the broker asks it to. */
json_t *
raw_request_again (Raw *raw, const char *type, json_t *fields)
{
  g_autoptr (json_t) copy = fields ? fields : json_object ();
  g_autofree char *host = g_strdup (raw->host);

  for (int i = 0;; i++) {
    json_t *again = json_deep_copy (copy);
    json_t *answer = raw_request (raw, type, again);
    if (i == HELLOS
        || g_strcmp0 (json_string_value (json_object_get (answer, "code")),
            "hello-required"))
      return answer;
    json_decref (answer);
    raw->epoch[0] = '\0';
    raw_hello_from (raw, raw->instance, host);
  }
}

void
raw_expect_error (Raw *raw, const char *type, json_t *fields, const char *code)
{
  json_t *answer = strcmp (code, "hello-required") == 0
      ? raw_request (raw, type, fields)
      : raw_request_again (raw, type, fields);

  g_assert_cmpstr (json_string_value (json_object_get (answer, "type")), ==,
      "error");
  g_assert_cmpstr (json_string_value (json_object_get (answer, "code")), ==,
      code);
  g_assert_nonnull (json_string_value (json_object_get (answer, "message")));
  json_decref (answer);
}

void
raw_expect_ok (Raw *raw, const char *type, json_t *fields)
{
  json_t *answer = raw_request_again (raw, type, fields);

  if (g_strcmp0 (json_string_value (json_object_get (answer, "type")), "reply"))
    g_error ("%s was refused: %s", type,
        json_string_value (json_object_get (answer, "message")));
  json_decref (answer);
}

/* One of the broker's numbers. */
gint64
raw_stat (Raw *raw, const char *name)
{
  json_t *answer = raw_request_again (raw, "stats", NULL);
  json_t *value = json_object_get (answer, name);

  g_assert_true (json_is_integer (value));
  gint64 number = json_integer_value (value);
  json_decref (answer);
  return number;
}
