/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers of a hostile broker that have the right form: a hub takes no greeting with
 * absurd numbers, no block of another name, no list without an end, no ticket of
 * another size; and such a broker decides neither how often it connects nor for how
 * long it hosts no broker. */
#include "fake-broker.h"

#include "common/speed.h"
#include "control/wire/endpoint-private.h"

#include <string.h>
#include <unistd.h>

#define TEN_THOUSAND 10000
#define PAGE 200
/* What a hub remembers of blocks; of the list that a program asked for, the pages. */
#define MAX_KNOWN 4096
#define LOOPS_US (2 * G_USEC_PER_SEC)

/* --- greetings --- */

typedef struct
{
  const char *field, *value;
  gboolean good;
} Greeting;

static void
answer_greeting (FakeBroker *broker, json_t *request, const char *type)
{
  const Greeting *greeting = broker->data;

  if (strcmp (type, "hello") != 0) {
    fake_answer (broker, request, type);
    return;
  }
  json_t *fields = fake_greeting ();
  if (greeting->value)
    json_object_set_new (fields, greeting->field,
        json_loads (greeting->value, JSON_DECODE_ANY, NULL));
  else
    json_object_del (fields, greeting->field);
  fake_reply (broker, request, fields);
}

static void
try_greeting (const Greeting *greeting)
{
  static const FakeAttack attack = { "greeting", answer_greeting, NULL };
  g_autoptr (GError) error = NULL;
  FakeBroker *broker = fake_start (&attack, NULL, (gpointer) greeting);
  DatahubHub *hub = fake_hub (broker, DATAHUB_HUB_THREAD_SIGNALS);
  gboolean connected =
      datahub_hub_wait_connected (hub, 20 * SECONDS, NULL, &error);

  g_test_message ("%s %s: %s", greeting->field, greeting->value,
      error ? error->message : "connected");
  g_assert_cmpint (connected, ==, greeting->good);
  if (!connected) {
    g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL);
    g_assert_nonnull (strstr (error->message, greeting->field));
  }
  g_object_unref (hub);
  fake_stop (broker);
}

static void
test_greetings (void)
{
  static const Greeting greetings[] = {
    { "heartbeat-ms", "50", TRUE },
    { "heartbeat-ms", "10000", TRUE },
    { "heartbeats-missed", "100", TRUE },
    { "heartbeat-ms", "49" },
    { "heartbeat-ms", "0" },
    { "heartbeat-ms", "-400" },
    { "heartbeat-ms", "10001" },
    { "heartbeat-ms", "9223372036854775807" },
    { "heartbeat-ms", "4294967696" },
    { "heartbeat-ms", "400.0" },
    { "heartbeat-ms", "\"400\"" },
    { "heartbeat-ms" },
    { "heartbeats-missed", "0" },
    { "heartbeats-missed", "-1" },
    { "heartbeats-missed", "101" },
    { "heartbeats-missed", "4294967299" },
    { "heartbeats-missed" },
    { "epoch", "\"0123456789ABCDEF0123456789abcdef\"" },
    { "epoch", "\"0123456789abcdef\"" },
    { "epoch", "\"0123456789abcdef0123456789abcdef0\"" },
    { "epoch", "17" },
    { "epoch" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (greetings); i++)
    try_greeting (&greetings[i]);
}

/* --- blocks --- */

typedef struct
{
  const char *field, *value;
  DatahubHubError code;
} Found;

static void
answer_found (FakeBroker *broker, json_t *request, const char *type)
{
  const Found *found = broker->data;

  if (strcmp (type, "find") != 0) {
    fake_answer (broker, request, type);
    return;
  }
  json_t *block = fake_block ("cam0", UUID_A, 1);
  json_t *fields = json_pack ("{s:s, s:o}", "state", "ready", "block", block);
  json_t *value = json_loads (found->value, JSON_DECODE_ANY, NULL);
  json_object_set_new (json_object_get (block, found->field) ? block : fields,
      found->field, value);
  fake_reply (broker, request, fields);
}

static void
try_found (const Found *found)
{
  static const FakeAttack attack = { "found", answer_found, NULL };
  g_autoptr (GError) error = NULL;
  FakeBroker *broker = fake_start (&attack, NULL, (gpointer) found);
  DatahubHub *hub = fake_hub (broker, DATAHUB_HUB_THREAD_SIGNALS);
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, "cam0", 20 * SECONDS, NULL, &error);

  g_test_message ("%s %.60s: %s", found->field, found->value,
      error ? error->message : "found");
  g_assert_null (block);
  g_assert_error (error, DATAHUB_HUB_ERROR, (int) found->code);
  g_object_unref (hub);
  fake_stop (broker);
}

/* A forged ticket has the right form: the producer refuses it. */
static void
test_found (void)
{
  g_autofree char *digits = g_strnfill (2 * DATAHUB_TICKET_SIZE, 'a');
  g_autofree char *longer = g_strconcat ("\"", digits, "a\"", NULL);
  g_autofree char *shorter = g_strconcat ("\"", digits + 1, "\"", NULL);
  g_autofree char *letters = g_strconcat ("\"", digits + 1, "g\"", NULL);
  g_autofree char *endless = g_strnfill (30000, 'a');
  g_autofree char *huge = g_strconcat ("\"", endless, "\"", NULL);
  const Found found[] = {
    { "name", "\"cam1\"", DATAHUB_HUB_ERROR_PROTOCOL },
    { "name", "\"../cam0\"", DATAHUB_HUB_ERROR_PROTOCOL },
    { "name", "\"cam0\\n\"", DATAHUB_HUB_ERROR_PROTOCOL },
    { "uuid", "\"0\"", DATAHUB_HUB_ERROR_PROTOCOL },
    { "pid", "-1", DATAHUB_HUB_ERROR_PROTOCOL },
    { "consumers", "4294967296", DATAHUB_HUB_ERROR_PROTOCOL },
    { "ticket", longer, DATAHUB_HUB_ERROR_PROTOCOL },
    { "ticket", shorter, DATAHUB_HUB_ERROR_PROTOCOL },
    { "ticket", letters, DATAHUB_HUB_ERROR_PROTOCOL },
    { "ticket", huge, DATAHUB_HUB_ERROR_PROTOCOL },
    { "ticket", "7", DATAHUB_HUB_ERROR_PROTOCOL },
    { "secret", "\"aa\"", DATAHUB_HUB_ERROR_PROTOCOL },
    { "secret", "[]", DATAHUB_HUB_ERROR_PROTOCOL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (found); i++)
    try_found (&found[i]);
}

/* --- lists --- */

/* A page of @n blocks, the names from @first; ten digits, so that they are in order. */
static json_t *
make_page (guint first, guint n, gboolean more)
{
  json_t *blocks = json_array ();

  for (guint i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf ("cam%010u", first + i);
    json_array_append_new (blocks, fake_block (name, UUID_A, 1));
  }
  return json_pack ("{s:o, s:b}", "blocks", blocks, "more", more);
}

static void
answer_ten_thousand (FakeBroker *broker, json_t *request, const char *type)
{
  const char *after = json_string_value (json_object_get (request, "after"));

  if (strcmp (type, "list") != 0) {
    fake_answer (broker, request, type);
    return;
  }
  guint first = *after ? (guint) g_ascii_strtoull (after + 3, NULL, 10) + 1 : 0;
  fake_reply (broker, request,
      make_page (first, PAGE, first + PAGE < TEN_THOUSAND));
}

static void
test_ten_thousand (void)
{
  static const FakeAttack attack = { "many", answer_ten_thousand, NULL };
  g_autoptr (GError) error = NULL;
  int added = 0;
  FakeBroker *broker = fake_start (&attack, NULL, NULL);
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);

  g_signal_connect_swapped (hub, "block-added", G_CALLBACK (g_atomic_int_inc),
      &added);
  datahub_hub_connect_to (hub, broker->endpoint, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) list =
      datahub_hub_list (hub, 30 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (list->len, ==, TEN_THOUSAND);
  fixture_wait_until (g_atomic_int_get (&added) >= MAX_KNOWN);
  fixture_round_trip (hub);
  g_assert_cmpint (added, ==, MAX_KNOWN);
  g_object_unref (hub);
  fake_stop (broker);
}

/* The pages have no end: the same page again, or ever new names. */
static void
answer_same_page (FakeBroker *broker, json_t *request, const char *type)
{
  if (strcmp (type, "list") == 0)
    fake_reply (broker, request, make_page (0, 2, TRUE));
  else
    fake_answer (broker, request, type);
}

static void
answer_twins (FakeBroker *broker, json_t *request, const char *type)
{
  json_t *page = make_page (0, 1, FALSE);
  json_t *blocks = json_object_get (page, "blocks");

  json_array_append (blocks, json_array_get (blocks, 0));
  if (strcmp (type, "list") == 0)
    fake_reply (broker, request, json_incref (page));
  else
    fake_answer (broker, request, type);
  json_decref (page);
}

static void
answer_endless (FakeBroker *broker, json_t *request, const char *type)
{
  if (strcmp (type, "list") == 0)
    fake_reply (broker, request, make_page (broker->step++, 1, TRUE));
  else
    fake_answer (broker, request, type);
}

/* Requests that the hub makes by itself come to an end. */
static void
expect_rest (FakeBroker *broker, DatahubHub *hub)
{
  int before;

  do {
    before = g_atomic_int_get (&broker->n_requests);
    for (int i = 0; i < 10; i++)
      fixture_round_trip (hub);
    fixture_wait_until (TRUE);
  } while (g_atomic_int_get (&broker->n_requests) > before + 10 + 2);
}

static void
try_list (const FakeAttack *attack)
{
  g_autoptr (GError) error = NULL;
  gint64 start_us = fixture_wait_begin ();
  FakeBroker *broker = fake_start (attack, NULL, NULL);
  DatahubHub *hub = fake_hub (broker, DATAHUB_HUB_THREAD_SIGNALS);
  g_autoptr (GPtrArray) list =
      datahub_hub_list (hub, 20 * SECONDS, NULL, &error);

  g_assert_null (list);
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL);
  expect_rest (broker, hub);
  fixture_wait_step (start_us, attack->name);
  g_object_unref (hub);
  fake_stop (broker);
}

static void
test_lists (void)
{
  static const FakeAttack attacks[] = {
    { "the same page", answer_same_page, NULL },
    { "twins", answer_twins, NULL },
    { "an endless list", answer_endless, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (attacks); i++)
    try_list (&attacks[i]);
}

/* --- messages --- */

/* A message is one part; the last part of another one is none. */
static void
send_two_parts (FakeBroker *broker)
{
  static const char *const parts[] = { "{}",
    "{\"v\":1,\"type\":\"event\",\"event\":\"notification\",\"name\":\"cam0\","
    "\"topic\":\"parts\"}" };

  if (broker->step < 3 && fake_send_parts (broker, parts, 2))
    broker->step++;
}

static void
test_two_parts (void)
{
  static const FakeAttack attack = { "parts", NULL, send_two_parts };
  int notices = 0;
  FakeBroker *broker = fake_start (&attack, NULL, NULL);
  DatahubHub *hub = fake_hub (broker, DATAHUB_HUB_THREAD_SIGNALS);

  g_signal_connect_swapped (hub, "notification", G_CALLBACK (g_atomic_int_inc),
      &notices);
  fixture_wait_until (g_atomic_int_get (&broker->n_sent) > 5);
  fixture_round_trip (hub);
  g_assert_cmpint (g_atomic_int_get (&notices), ==, 0);
  g_object_unref (hub);
  fake_stop (broker);
}

/* The text of an error goes to terminals and logs. */
static void
answer_with_controls (FakeBroker *broker, json_t *request, const char *type)
{
  if (strcmp (type, "find") == 0)
    fake_refuse (broker, request, "denied",
        "no\x1b[2J\nevent=denied \xc2\x9b!");
  else
    fake_answer (broker, request, type);
}

static void
test_control_characters (void)
{
  static const FakeAttack attack = { "controls", answer_with_controls, NULL };
  g_autoptr (GError) error = NULL;
  FakeBroker *broker = fake_start (&attack, NULL, NULL);
  DatahubHub *hub = fake_hub (broker, DATAHUB_HUB_THREAD_SIGNALS);
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, "cam0", 20 * SECONDS, NULL, &error);

  g_assert_null (block);
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DENIED);
  g_assert_cmpstr (error->message, ==,
      "no?[2J?event=denied ?"
      "?!");
  g_object_unref (hub);
  fake_stop (broker);
}

/* --- connections --- */

/* Lets the hub in and loses it at once, again and again. */
static void
answer_and_forget (FakeBroker *broker, json_t *request, const char *type)
{
  if (strcmp (type, "hello") == 0)
    fake_answer (broker, request, type);
  else
    fake_refuse (broker, request, "hello-required", "again");
}

static void
test_loop (void)
{
  static const FakeAttack attack = { "loop", answer_and_forget, NULL };
  FakeBroker *broker = fake_start (&attack, NULL, NULL);
  gint64 start_us = fixture_wait_begin ();
  DatahubHub *hub = fake_hub (broker, DATAHUB_HUB_THREAD_SIGNALS);

  fixture_wait_until (g_get_monotonic_time () - start_us > LOOPS_US);
  /* five at once, then 15 ms and longer, up to 100 ms */
  g_test_message ("%d connections in 2 s", broker->n_hellos);
  g_assert_cmpint (g_atomic_int_get (&broker->n_hellos), >, 3);
  g_assert_cmpint (g_atomic_int_get (&broker->n_hellos), <, 50);
  g_atomic_int_set (&broker->fair, TRUE);
  datahub_hub_wait_connected (hub, 20 * SECONDS, NULL, NULL);
  fixture_round_trip (hub);
  g_object_unref (hub);
  fake_stop (broker);
}

/* --- the election --- */

/* A hub that hosts no broker for long would leave its user without one. */
static void
send_closing (FakeBroker *broker)
{
  const char *hold = broker->data;

  if (fake_event (broker, "closing",
          json_pack ("{s:o}", "hold-ms",
              json_loads (hold, JSON_DECODE_ANY, NULL))))
    g_atomic_int_set (&broker->fair, TRUE);
}

static void
try_hold (const char *hold)
{
  static const FakeAttack attack = { "closing", NULL, send_closing };
  g_autoptr (GError) error = NULL;
  g_autofree char *endpoint = endpoint_runtime (TRUE, &error);
  int lost = 0;

  g_assert_no_error (error);
  int lock = endpoint_lock (endpoint, &error);
  g_assert_no_error (error);
  FakeBroker *broker = fake_start (&attack, endpoint, (gpointer) hold);
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  g_signal_connect_swapped (hub, "broker-lost", G_CALLBACK (g_atomic_int_inc),
      &lost);
  datahub_hub_connect_to (hub, "auto", NULL, NULL, &error);
  g_assert_no_error (error);
  fixture_wait_until (g_atomic_int_get (&lost) > 0);
  fake_stop (broker);
  close (lock);
  fixture_wait_until (datahub_hub_is_hosting (hub));
  g_object_unref (hub);
}

static void
test_hold (void)
{
  static const char *const holds[] = { "9223372036854775807", "9000000000000",
    "-9223372036854775807", "600000", "\"5\"", "5000" };

  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (holds); i++)
    try_hold (holds[i]);
}

static void
add_tests (void)
{
  fixture_add ("/hub/false-answers/greetings", test_greetings);
  fixture_add ("/hub/false-answers/found", test_found);
  fixture_add ("/hub/false-answers/ten-thousand", test_ten_thousand);
  fixture_add ("/hub/false-answers/lists", test_lists);
  fixture_add ("/hub/false-answers/two-parts", test_two_parts);
  fixture_add ("/hub/false-answers/control-characters",
      test_control_characters);
  fixture_add ("/hub/false-answers/loop", test_loop);
  fixture_add ("/hub/false-answers/hold", test_hold);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
