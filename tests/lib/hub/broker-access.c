/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is let in, and what a key may do. Every check is seen to refuse. */
#include "fixture.h"

#include <datahub/ticket.h>

#include <string.h>
#include <zmq.h>

#define INSTANCE_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define INSTANCE_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SECRET_TEXT                                                            \
  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

typedef struct
{
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];
} Keys;

static Keys
new_keys (void)
{
  Keys keys;

  raw_key_pair (keys.public_key, keys.secret_key);
  return keys;
}

static Raw *
connect_with (const Keys *keys)
{
  return raw_with_key (keys->public_key, keys->secret_key);
}

static json_t *
named (const char *name)
{
  return json_pack ("{s:s}", "name", name);
}

static json_t *
block (const char *name, const char *uuid)
{
  return json_pack ("{s:s, s:s, s:s}", "name", name, "uuid", uuid, "caps",
      "video/x-raw");
}

static void
test_own_user (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *raw = raw_own ();

  g_assert_cmpint (raw_handshake_event (raw, 10000), ==,
      ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
  raw_hello (raw, INSTANCE_A);
  raw_expect_ok (raw, "ping", NULL);
  raw_free (raw);
}

/* The ZAP handler is what refuses: CURVE alone takes any client key. */
static void
test_unknown_key (void)
{
  Keys keys = new_keys ();
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *raw = connect_with (&keys);

  g_assert_cmpint (raw_handshake_event (raw, 10000), ==,
      ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
  raw_free (raw);
}

static void
assert_refused (Raw *raw)
{
  static const char hello[] = "{\"v\":1,\"type\":\"hello\",\"id\":1}";
  int event;

  raw_send (raw, hello, sizeof hello - 1);
  event = raw_handshake_event (raw, 10000);
  /* which of the two ends says so first is chance */
  g_assert_true (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
      || event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
  g_assert_null (raw_receive (raw, 0));
  raw_free (raw);
}

static void
test_no_curve (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);

  assert_refused (raw_without_key (NULL));
  assert_refused (raw_without_key ("admin"));

  Raw *raw = raw_own ();
  raw_hello (raw, INSTANCE_A);
  /* Nothing of them reached the broker's own code. */
  g_assert_cmpint (raw_stat (raw, "clients"), ==, 1);
  g_assert_cmpint (raw_stat (raw, "malformed"), ==, 0);
  raw_free (raw);
}

static void
test_identity (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *raw = raw_own ();
  Keys other = new_keys ();

  raw_expect_error (raw, "hello",
      json_pack ("{s:s, s:s, s:s, s:s, s:i}", "key", other.public_key,
          "instance", INSTANCE_A, "program", "raw", "host", "h", "pid", 1),
      "denied");
  raw_hello (raw, INSTANCE_A);
  g_assert_cmpint (raw_stat (raw, "impersonated"), ==, 1);
  g_assert_cmpint (raw_stat (raw, "clients"), ==, 1);
  raw_free (raw);
}

static void
test_hello_first (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *raw = raw_own ();

  raw_expect_error (raw, "list", NULL, "protocol");
  g_strlcpy (raw->epoch, INSTANCE_A, sizeof raw->epoch);
  raw_expect_error (raw, "list", NULL, "hello-required");
  raw->epoch[0] = '\0';
  raw_hello (raw, INSTANCE_A);
  raw_expect_ok (raw, "list", NULL);
  /* Another epoch is another connection's. */
  raw_expect_error (raw, "list",
      json_pack ("{s:s}", "epoch", "00000000000000000000000000000000"),
      "hello-required");
  raw_free (raw);
}

/* A message that is sent again is not acted on again. */
static void
test_replay (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *raw = raw_own ();

  raw_hello (raw, INSTANCE_A);
  raw_expect_ok (raw, "register", block ("cam0", UUID_A));
  g_autofree char *again = g_strdup_printf (
      "{\"v\":1,\"type\":\"unregister\",\"id\":%d,\"epoch\":\"%s\","
      "\"name\":\"cam0\",\"uuid\":\"%s\"}",
      (int) raw->id, raw->epoch, UUID_A);
  raw_send (raw, again, strlen (again));
  g_assert_cmpint (raw_stat (raw, "replayed"), ==, 1);
  g_assert_cmpint (raw_stat (raw, "blocks"), ==, 1);
  raw_free (raw);
}

static const char list_format[] =
    "{\"clients\":["
    "{\"key\":\"%s\",\"name\":\"producer\",\"produce\":[\"cam*\"]},"
    "{\"key\":\"%s\",\"consume\":[\"cam*\"]},"
    "{\"key\":\"%s\",\"observe\":[\"cam0\"]}]}";

typedef struct
{
  DatahubBroker *broker;
  Raw *producer, *consumer, *observer;
} Three;

static Three
three (void)
{
  Three t;
  Keys p = new_keys (), c = new_keys (), o = new_keys ();
  g_autofree char *list =
      g_strdup_printf (list_format, p.public_key, c.public_key, o.public_key);

  t.broker = fixture_broker (list);
  t.producer = connect_with (&p);
  t.consumer = connect_with (&c);
  t.observer = connect_with (&o);
  raw_hello (t.producer, INSTANCE_A);
  raw_hello (t.consumer, INSTANCE_A);
  raw_hello (t.observer, INSTANCE_A);
  return t;
}

static void
three_free (Three *t)
{
  raw_free (t->producer);
  raw_free (t->consumer);
  raw_free (t->observer);
  g_object_unref (t->broker);
}

static void
test_right_to_produce (void)
{
  Three t = three ();

  raw_expect_ok (t.producer, "register", block ("cam0", UUID_A));
  raw_expect_error (t.producer, "register", block ("mic0", UUID_A), "denied");
  raw_expect_error (t.consumer, "register", block ("cam1", UUID_A), "denied");
  raw_expect_error (t.observer, "register", block ("cam0", UUID_B), "denied");
  three_free (&t);
}

/* The secret goes to who may consume, and to nobody else. */
static void
test_right_to_consume (void)
{
  Three t = three ();
  json_t *fields = block ("cam0", UUID_A);
  json_t *answer;

  json_object_set_new (fields, "secret", json_string (SECRET_TEXT));
  raw_expect_ok (t.producer, "register", fields);

  answer = raw_request (t.consumer, "find", named ("cam0"));
  g_assert_cmpstr (json_string_value (json_object_get (answer, "state")), ==,
      "ready");
  g_assert_cmpstr (json_string_value (json_object_get (answer, "secret")), ==,
      SECRET_TEXT);
  json_decref (answer);

  answer = raw_request (t.observer, "find", named ("cam0"));
  g_assert_cmpstr (json_string_value (json_object_get (answer, "state")), ==,
      "ready");
  g_assert_null (json_object_get (answer, "secret"));
  json_decref (answer);

  answer = raw_request (t.consumer, "list", NULL);
  char *text = json_dumps (answer, 0);
  g_assert_nonnull (strstr (text, "cam0"));
  g_assert_null (strstr (text, SECRET_TEXT));
  free (text);
  json_decref (answer);

  raw_expect_error (t.observer, "consumer-joined",
      json_pack ("{s:s, s:s, s:s, s:s}", "name", "cam0", "uuid", UUID_A,
          "consumer", "1", "label", "x"),
      "denied");
  raw_expect_error (t.observer, "notify",
      json_pack ("{s:s, s:s}", "name", "cam0", "topic", "t"), "denied");
  three_free (&t);
}

/* Of a strict block nobody gets the secret; a ticket goes to who may consume,
 * another one each time. */
static void
test_tickets (void)
{
  Three t = three ();
  json_t *fields = block ("cam0", UUID_A);
  g_autofree char *first = NULL;
  json_t *answer;

  json_object_set_new (fields, "secret", json_string (SECRET_TEXT));
  json_object_set_new (fields, "strict", json_true ());
  raw_expect_ok (t.producer, "register", fields);
  for (int i = 0; i < 2; i++) {
    answer = raw_request (t.consumer, "find", named ("cam0"));
    const char *ticket = json_string_value (json_object_get (answer, "ticket"));
    g_assert_null (json_object_get (answer, "secret"));
    g_assert_nonnull (ticket);
    g_assert_cmpuint (strlen (ticket), ==, 2 * DATAHUB_TICKET_SIZE);
    g_assert_cmpstr (ticket, !=, first);
    if (!first)
      first = g_strdup (ticket);
    json_decref (answer);
  }
  answer = raw_request (t.observer, "find", named ("cam0"));
  g_assert_cmpstr (json_string_value (json_object_get (answer, "state")), ==,
      "ready");
  g_assert_null (json_object_get (answer, "secret"));
  g_assert_null (json_object_get (answer, "ticket"));
  json_decref (answer);
  three_free (&t);
}

static void
test_right_to_observe (void)
{
  Three t = three ();
  json_t *answer;

  raw_expect_ok (t.observer, "subscribe",
      json_pack ("{s:s, s:b}", "pattern", "*", "notifications", TRUE));
  raw_expect_ok (t.producer, "register", block ("cam1", UUID_A));
  raw_expect_ok (t.producer, "register", block ("cam0", UUID_B));
  /* Of the two events only that about cam0 comes. */
  answer = raw_event (t.observer, "block-added", 5000);
  g_assert_nonnull (answer);
  g_assert_cmpstr (json_string_value (json_object_get (json_object_get (answer,
                                                           "block"),
                       "name")),
      ==, "cam0");
  json_decref (answer);
  raw_expect_error (t.observer, "find", named ("cam1"), "denied");
  answer = raw_request (t.observer, "list", NULL);
  g_assert_cmpuint (json_array_size (json_object_get (answer, "blocks")), ==,
      1);
  json_decref (answer);
  three_free (&t);
}

static void
test_right_to_administer (void)
{
  Three t = three ();
  Raw *own = raw_own ();

  raw_expect_error (t.producer, "stats", NULL, "denied");
  raw_expect_error (t.producer, "yield", NULL, "denied");
  raw_hello (own, INSTANCE_B);
  raw_expect_ok (own, "stats", NULL);
  /* This one is not embedded: it stays. */
  raw_expect_error (own, "yield", NULL, "busy");
  raw_free (own);
  three_free (&t);
}

static void
test_owner_only (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *a = raw_own (), *b = raw_own ();

  raw_hello (a, INSTANCE_A);
  raw_hello (b, INSTANCE_B);
  raw_expect_ok (a, "register", block ("cam0", UUID_A));
  raw_expect_error (b, "unregister",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A), "denied");
  raw_expect_error (a, "unregister",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_B), "not-found");
  raw_expect_error (a, "unregister", named ("cam0"), "not-found");
  raw_expect_ok (a, "unregister",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A));
  raw_free (a);
  raw_free (b);
}

/* A key that is taken off the list is refused from the next message on, on the
 * connection that it has. */
static void
test_list_changes (void)
{
  Keys keys = new_keys ();
  g_autoptr (GError) error = NULL;
  g_autofree char *list =
      g_strdup_printf ("{\"clients\":[{\"key\":\"%s\",\"observe\":[\"*\"]}]}",
          keys.public_key);
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (list);
  g_autofree char *file = fixture_file ("clients.json");
  Raw *own = raw_own (), *raw = connect_with (&keys);

  raw_hello (own, INSTANCE_A);
  raw_hello (raw, INSTANCE_B);
  raw_expect_ok (raw, "ping", NULL);

  /* A broken list changes nothing. */
  fixture_write (file, "{\"clients\":[{}]}", 0600);
  g_assert_false (datahub_broker_load_config (broker, file, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS);
  raw_expect_ok (raw, "ping", NULL);

  fixture_write (file, "{\"clients\":[]}", 0600);
  g_assert_true (datahub_broker_load_config (broker, file, NULL));
  gint64 refused = raw_stat (own, "malformed");
  g_autofree char *ping =
      g_strdup_printf ("{\"v\":1,\"type\":\"ping\",\"id\":%d,"
                       "\"epoch\":\"%s\"}",
          (int) ++raw->id, raw->epoch);
  raw_send (raw, ping, strlen (ping));
  fixture_wait_until (raw_stat (own, "malformed") == refused + 1);
  g_assert_null (raw_receive (raw, 0));
  raw_expect_ok (own, "ping", NULL);
  raw_free (own);
  raw_free (raw);
}

static void
test_bad_lists (void)
{
  static const char *const lists[] = {
    "",
    "[]",
    "{}",
    "{\"clients\":{}}",
    "{\"clients\":[],\"more\":1}",
    "{\"clients\":[1]}",
    "{\"clients\":[{\"key\":\"short\"}]}",
    "{\"clients\":[],\"clients\":[]}",
  };
  Keys keys = new_keys ();
  g_autofree char *file = fixture_file ("clients.json");
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    fixture_write (file, lists[i], 0600);
    g_assert_false (datahub_broker_load_config (broker, file, NULL));
  }
  g_autofree char *unknown =
      g_strdup_printf ("{\"clients\":[{\"key\":\"%s\",\"destroy\":[\"*\"]}]}",
          keys.public_key);
  fixture_write (file, unknown, 0600);
  g_assert_false (datahub_broker_load_config (broker, file, NULL));
  g_autofree char *twice =
      g_strdup_printf ("{\"clients\":[{\"key\":\"%s\"},{\"key\":\"%s\"}]}",
          keys.public_key, keys.public_key);
  fixture_write (file, twice, 0600);
  g_assert_false (datahub_broker_load_config (broker, file, NULL));
  /* Others could add themselves. */
  fixture_write (file, "{\"clients\":[]}", 0666);
  g_assert_false (datahub_broker_load_config (broker, file, NULL));
  fixture_write (file, "{\"clients\":[]}", 0644);
  g_assert_true (datahub_broker_load_config (broker, file, NULL));
}

static void
add_tests (void)
{
  fixture_add ("/broker/access/own-user", test_own_user);
  fixture_add ("/broker/access/unknown-key", test_unknown_key);
  fixture_add ("/broker/access/no-curve", test_no_curve);
  fixture_add ("/broker/access/identity", test_identity);
  fixture_add ("/broker/access/hello-first", test_hello_first);
  fixture_add ("/broker/access/replay", test_replay);
  fixture_add ("/broker/access/right-to-produce", test_right_to_produce);
  fixture_add ("/broker/access/right-to-consume", test_right_to_consume);
  fixture_add ("/broker/access/tickets", test_tickets);
  fixture_add ("/broker/access/right-to-observe", test_right_to_observe);
  fixture_add ("/broker/access/right-to-administer", test_right_to_administer);
  fixture_add ("/broker/access/owner-only", test_owner_only);
  fixture_add ("/broker/access/list-changes", test_list_changes);
  fixture_add ("/broker/access/bad-lists", test_bad_lists);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
