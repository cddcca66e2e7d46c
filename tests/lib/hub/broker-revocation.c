/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a new allow-list takes from clients that are connected. */
#include "fixture.h"

#include <string.h>

#define INSTANCE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SECRET_TEXT                                                            \
  "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
#define EVENT_MS 30000

typedef struct
{
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];
} Keys;

typedef struct
{
  DatahubBroker *broker;
  Keys keys[3];
  Raw *producer, *first, *second;
} Place;

static Raw *
connect_with (Keys *keys)
{
  Raw *raw = raw_with_key (keys->public_key, keys->secret_key);
  raw_hello (raw, INSTANCE);
  return raw;
}

/* @words: of the producer, the first and the second consumer, each in its own form. */
static char *
list_of (const Place *p, const char *producer, const char *first,
    const char *second)
{
  return g_strdup_printf ("{\"clients\":[{\"key\":\"%s\",%s},"
                          "{\"key\":\"%s\",%s},{\"key\":\"%s\",%s}]}",
      p->keys[0].public_key, producer, p->keys[1].public_key, first,
      p->keys[2].public_key, second);
}

#define PRODUCES "\"produce\":[\"cam*\"]"
#define CONSUMES "\"consume\":[\"cam*\"]"
#define OBSERVES "\"observe\":[\"cam*\"]"

static void
load (Place *p, const char *producer, const char *first, const char *second)
{
  g_autofree char *list = list_of (p, producer, first, second);
  g_autofree char *file = fixture_file ("clients.json");
  g_autoptr (GError) error = NULL;

  fixture_write (file, list, 0600);
  datahub_broker_load_config (p->broker, file, &error);
  g_assert_no_error (error);
}

static void
find (Raw *raw, gboolean introduced)
{
  json_t *answer =
      raw_request_again (raw, "find", json_pack ("{s:s}", "name", "cam0"));
  g_assert_true ((json_object_get (answer, "ticket") != NULL) == introduced);
  json_decref (answer);
}

static void
place_init (Place *p)
{
  for (int i = 0; i < 3; i++)
    raw_key_pair (p->keys[i].public_key, p->keys[i].secret_key);
  g_autofree char *list = list_of (p, PRODUCES, CONSUMES, CONSUMES);
  p->broker = fixture_broker (list);
  p->producer = connect_with (&p->keys[0]);
  p->first = connect_with (&p->keys[1]);
  p->second = connect_with (&p->keys[2]);
  raw_expect_ok (p->producer, "register",
      json_pack ("{s:s, s:s, s:s, s:s, s:b}", "name", "cam0", "uuid", UUID_A,
          "caps", "x", "secret", SECRET_TEXT, "strict", 1));
}

static void
place_clear (Place *p)
{
  raw_free (p->producer);
  raw_free (p->first);
  raw_free (p->second);
  g_object_unref (p->broker);
}

static void
check_revoked (json_t *event, const char *right, const char *key)
{
  g_assert_nonnull (event);
  const char *words[][2] = { { "name", "cam0" }, { "uuid", UUID_A },
    { "right", right }, { "key", key } };
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    g_assert_cmpstr (json_string_value (json_object_get (event, words[i][0])),
        ==, words[i][1]);
  json_decref (event);
}

static void
expect_revoked (Raw *raw, const char *right, const char *key)
{
  check_revoked (raw_event (raw, "revoked", EVENT_MS), right, key);
}

/* Registers the block again, and returns the event that comes before the answer; NULL:
 * there is none. */
static json_t *
offer_again (Raw *raw)
{
  json_t *message, *event = NULL;
  g_autofree char *text =
      g_strdup_printf ("{\"v\":1,\"id\":%d,\"epoch\":\"%s\","
                       "\"type\":\"register\",\"name\":"
                       "\"cam0\",\"uuid\":\"" UUID_A
                       "\",\"caps\":\"x\",\"secret\":"
                       "\"" SECRET_TEXT "\",\"strict\":true}",
          (int) ++raw->id, raw->epoch);

  raw_send (raw, text, strlen (text));
  while ((message = raw_receive (raw, EVENT_MS))
      && !json_object_get (message, "id")) {
    const char *word = json_string_value (json_object_get (message, "event"));
    if (g_strcmp0 (word, "revoked") == 0) {
      g_assert_null (event);
      event = json_incref (message);
    }
    json_decref (message);
  }
  g_assert_cmpint (json_integer_value (json_object_get (message, "id")), ==,
      raw->id);
  g_assert_cmpstr (json_string_value (json_object_get (message, "type")), !=,
      "error");
  json_decref (message);
  return event;
}

/* The owner hears of the one that had a ticket, and of no other, once. */
static void
test_consume (void)
{
  Place p;

  place_init (&p);
  find (p.first, TRUE);
  load (&p, PRODUCES, OBSERVES, OBSERVES);
  expect_revoked (p.producer, "consume", p.keys[1].public_key);
  find (p.first, FALSE);
  load (&p, PRODUCES, OBSERVES, CONSUMES);
  find (p.second, TRUE);
  load (&p, PRODUCES, OBSERVES, OBSERVES);
  expect_revoked (p.producer, "consume", p.keys[2].public_key);
  place_clear (&p);
}

/* A key that is not listed at all any more. */
static void
test_removed_key (void)
{
  Place p;

  place_init (&p);
  find (p.first, TRUE);
  g_autofree char *list =
      g_strdup_printf ("{\"clients\":[{\"key\":\"%s\"," PRODUCES "}]}",
          p.keys[0].public_key);
  g_autofree char *file = fixture_file ("clients.json");
  fixture_write (file, list, 0600);
  g_assert_true (datahub_broker_load_config (p.broker, file, NULL));
  expect_revoked (p.producer, "consume", p.keys[1].public_key);
  place_clear (&p);
}

static gboolean
is_stalled (Raw *raw)
{
  json_t *answer =
      raw_request_again (raw, "find", json_pack ("{s:s}", "name", "cam0"));
  json_t *block = json_object_get (answer, "block");
  gboolean stalled = json_is_true (json_object_get (block, "stalled"));

  g_assert_nonnull (block);
  json_decref (answer);
  return stalled;
}

/* An owner without a connection when the list changes hears of it when it is back, and
 * no second time by the same connection. */
static void
test_owner_away (void)
{
  Place p;

  place_init (&p);
  find (p.first, TRUE);
  raw_free (p.producer);
  fixture_wait_until (is_stalled (p.second));
  load (&p, PRODUCES, OBSERVES, CONSUMES);
  find (p.first, FALSE);
  p.producer = connect_with (&p.keys[0]);
  check_revoked (offer_again (p.producer), "consume", p.keys[1].public_key);
  load (&p, PRODUCES, OBSERVES, CONSUMES);
  g_assert_null (offer_again (p.producer));
  place_clear (&p);
}

/* What was sent by a connection that broke may not have been read. */
static void
test_connection_lost (void)
{
  Place p;

  place_init (&p);
  find (p.first, TRUE);
  load (&p, PRODUCES, OBSERVES, CONSUMES);
  find (p.first, FALSE);
  raw_free (p.producer);
  p.producer = connect_with (&p.keys[0]);
  check_revoked (offer_again (p.producer), "consume", p.keys[1].public_key);
  place_clear (&p);
}

/* A list that takes nothing ends nothing. */
static void
test_same_list (void)
{
  Place p;

  place_init (&p);
  find (p.first, TRUE);
  load (&p, PRODUCES, CONSUMES, OBSERVES);
  g_assert_null (offer_again (p.producer));
  find (p.first, TRUE);
  place_clear (&p);
}

static void
test_joined (void)
{
  Place p;

  place_init (&p);
  raw_expect_ok (p.first, "consumer-joined",
      json_pack ("{s:s, s:s, s:s, s:s}", "name", "cam0", "uuid", UUID_A,
          "consumer", "5", "label", "x"));
  load (&p, PRODUCES, OBSERVES, CONSUMES);
  json_t *event = raw_event (p.producer, "consumer-removed", EVENT_MS);
  g_assert_nonnull (event);
  g_assert_cmpstr (json_string_value (json_object_get (event, "reason")), ==,
      "revoked");
  json_decref (event);
  place_clear (&p);
}

static void
test_produce (void)
{
  Place p;

  place_init (&p);
  raw_expect_ok (p.first, "subscribe",
      json_pack ("{s:s, s:b}", "pattern", "*", "notifications", FALSE));
  load (&p, OBSERVES, CONSUMES, CONSUMES);
  json_t *event = raw_event (p.first, "block-removed", EVENT_MS);
  g_assert_nonnull (event);
  g_assert_cmpstr (json_string_value (json_object_get (event, "reason")), ==,
      "revoked");
  json_decref (event);
  expect_revoked (p.producer, "produce", p.keys[0].public_key);
  place_clear (&p);
}

/* The thread of a broker that ends may still take the list. */
static void
test_end (void)
{
  g_autofree char *file = fixture_file ("clients.json");

  for (int i = 0; i < 30; i++) {
    DatahubBroker *broker = fixture_broker ("{\"clients\":[]}");
    fixture_write (file, "{\"clients\":[]}", 0600);
    g_assert_true (datahub_broker_load_config (broker, file, NULL));
    for (int spin = 0; spin < i; spin++)
      g_thread_yield ();
    g_object_unref (broker);
  }
}

static void
add_tests (void)
{
  fixture_add ("/broker/revocation/consume", test_consume);
  fixture_add ("/broker/revocation/removed-key", test_removed_key);
  fixture_add ("/broker/revocation/owner-away", test_owner_away);
  fixture_add ("/broker/revocation/connection-lost", test_connection_lost);
  fixture_add ("/broker/revocation/same-list", test_same_list);
  fixture_add ("/broker/revocation/joined", test_joined);
  fixture_add ("/broker/revocation/produce", test_produce);
  fixture_add ("/broker/revocation/end", test_end);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
