/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A broker with the right keys that attacks its hubs: calls end in their time, a hub
 * ends in the middle of it and does not grow, and serves again if the broker does. */
#include "fake-broker.h"
#include "resident.h"

#include "common/speed.h"

#include <string.h>

#define CALL_NS (SECONDS / 4)
/* A call with a timeout takes at most so much longer. */
#define LATE_US (G_USEC_PER_SEC / 2)
#define END_US G_USEC_PER_SEC
/* Messages of 64 KiB that libzmq and the signals keep, and what an allocator does. */
#define GROWTH_KIB (64 * 1024)
#define GROWTH_SMALL_KIB (16 * 1024) /* of messages that are small */
#define FLOOD 100000
#define BIG 60000
#define BIG_FLOOD 2000
#define MESSAGES 500
/* What a handler of a program takes for each notification. */
#define HANDLER_US 300

static guint
count_descriptors (void)
{
  guint n = 0;
  GDir *dir = g_dir_open ("/proc/self/fd", 0, NULL);

  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}

/* --- what a hub must do during each attack --- */

static void
expect_in_time (gint64 start_us, const char *what)
{
  gint64 took_us = g_get_monotonic_time () - start_us;

  if (speed_is_over ((guint64) took_us, CALL_NS / 1000 + LATE_US))
    g_error ("%s took %" G_GINT64_FORMAT " ms", what, took_us / 1000);
}

/* Each has its result or an error; which one is the broker's to choose. */
static void
make_calls (DatahubHub *hub)
{
  gint64 start_us = g_get_monotonic_time ();
  DatahubHubBlock *block = datahub_hub_find (hub, "cam0", CALL_NS, NULL, NULL);

  expect_in_time (start_us, "find");
  g_clear_pointer (&block, datahub_hub_block_unref);
  start_us = g_get_monotonic_time ();
  GPtrArray *list = datahub_hub_list (hub, CALL_NS, NULL, NULL);
  expect_in_time (start_us, "list");
  g_clear_pointer (&list, g_ptr_array_unref);
  start_us = g_get_monotonic_time ();
  g_free (datahub_hub_request (hub, "ping", NULL, CALL_NS, NULL, NULL));
  expect_in_time (start_us, "ping");
  start_us = g_get_monotonic_time ();
  datahub_hub_wait_connected (hub, CALL_NS, NULL, NULL);
  expect_in_time (start_us, "the wait for the connection");
}

static void
expect_end (DatahubHub *hub)
{
  gint64 start_us = g_get_monotonic_time (), took_us;

  g_object_unref (hub);
  took_us = g_get_monotonic_time () - start_us;
  if (speed_is_over ((guint64) took_us, END_US))
    g_error ("the hub took %" G_GINT64_FORMAT " ms to end", took_us / 1000);
}

/* A hub with everything that a broker can refer to. */
static DatahubHub *
full_hub (FakeBroker *broker, DatahubHubFlags flags)
{
  static const guint8 secret[DATAHUB_SECRET_SIZE] = { 1 };
  DatahubHub *hub = fake_hub (broker, flags);

  datahub_hub_register_block (hub, "cam0", UUID_A, "video/x-raw", secret,
      DATAHUB_REGISTER_STRICT);
  datahub_hub_consumer_joined (hub, "cam0", UUID_A, 7, "viewer");
  datahub_hub_subscribe (hub, "*");
  return hub;
}

static void
expect_recovery (FakeBroker *broker, DatahubHub *hub)
{
  g_atomic_int_set (&broker->fair, TRUE);
  datahub_hub_wait_connected (hub, 30 * SECONDS, NULL, NULL);
  for (int i = 0; i < 10; i++) {
    g_autofree char *answer =
        datahub_hub_request (hub, "ping", NULL, 10 * SECONDS, NULL, NULL);
    if (answer)
      return;
  }
  g_error ("the hub does not serve again");
}

/* Two hubs at a time: one ends in the middle, the other one serves again after it. */
static void
endure (const FakeAttack *attack, DatahubHubFlags flags, int n_sent)
{
  FakeBroker *broker = fake_start (attack, NULL, NULL);
  DatahubHub *hub = full_hub (broker, flags);

  fixture_wait_until (g_atomic_int_get (&broker->n_hellos) > 0);
  make_calls (hub);
  fixture_wait_until (g_atomic_int_get (&broker->n_sent) >= n_sent);
  make_calls (hub);
  expect_end (hub);

  hub = full_hub (broker, flags);
  int hellos = g_atomic_int_get (&broker->n_hellos);
  fixture_wait_until (g_atomic_int_get (&broker->n_hellos) > hellos);
  make_calls (hub);
  expect_recovery (broker, hub);
  expect_end (hub);
  fake_stop (broker);
}

/* --- silence and nonsense --- */

static void
answer_nothing (FakeBroker *broker, json_t *request, const char *type)
{
}

static void
answer_hello_only (FakeBroker *broker, json_t *request, const char *type)
{
  if (strcmp (type, "hello") == 0)
    fake_answer (broker, request, type);
}

static void
answer_half (FakeBroker *broker, json_t *request, const char *type)
{
  static const char half[] = "{\"v\":1,\"type\":\"reply\",\"id\":";

  if (strcmp (type, "hello") == 0)
    fake_answer (broker, request, type);
  else
    fake_send (broker, half, strlen (half));
}

/* Each number but the right one, and each kind of thing that is none. */
static void
answer_wrong_ids (FakeBroker *broker, json_t *request, const char *type)
{
  static const char *const ids[] = { "0", "-1", "1000000", "1.0", "\"1\"",
    "null", "[]", "9223372036854775807", "9223372036854775808", "1e3" };
  json_int_t id = json_integer_value (json_object_get (request, "id"));

  if (strcmp (type, "hello") == 0 || strcmp (type, "ping") == 0) {
    fake_answer (broker, request, type);
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
    g_autofree char *text = g_strdup_printf (
        "{\"v\":1,\"type\":\"%s\",\"id\":%s,\"code\":\"hello\"}",
        i % 2 ? "reply" : "error", ids[i]);
    fake_send (broker, text, strlen (text));
  }
  json_object_set_new (request, "id", json_integer (id + 1000));
  fake_answer (broker, request, type);
  json_object_set_new (request, "id", json_integer (-id));
  fake_answer (broker, request, type);
}

/* An answer of the first ten requests once more, and of requests to come. */
static void
replay (FakeBroker *broker)
{
  for (int id = 1; id < 20; id++)
    fake_send_json (broker,
        json_pack ("{s:s, s:i, s:s, s:o, s:[o], s:b, s:s}", "type", "reply",
            "id", id, "state", "ready", "block", fake_block ("cam0", UUID_B, 1),
            "blocks", fake_block ("cam0", UUID_B, 1), "more", 1, "epoch",
            UUID_B));
}

static const char *const wrong[] = { "null", "true", "-1", "0",
  "9223372036854775807", "1e300", "\"\"", "[]", "{}", "[[[[[]]]]]",
  "\"\\u001b[2J\\n\\u0007\"", "\"../../etc/passwd\"", "\"%s%n%d\"",
  "\"\\ud800\"" };

/* The value @i of those that fit nowhere. */
static json_t *
wrong_value (guint i)
{
  if (i % (G_N_ELEMENTS (wrong) + 1) == G_N_ELEMENTS (wrong)) {
    g_autofree char *text = g_strnfill (20000, 'x');
    return json_string (text);
  }
  /* the last one is no JSON */
  json_t *value =
      json_loads (wrong[i % (G_N_ELEMENTS (wrong) + 1)], JSON_DECODE_ANY, NULL);
  return value ? value : json_null ();
}

static json_t *
full_answer (void)
{
  g_autofree char *ticket = g_strnfill (2 * DATAHUB_TICKET_SIZE, 'a');
  g_autofree char *secret = g_strnfill (2 * DATAHUB_SECRET_SIZE, 'b');

  return json_pack ("{s:s, s:o, s:[o], s:b, s:s, s:s, s:s, s:s}", "state",
      "ready", "block", fake_block ("cam0", UUID_A, 1), "blocks",
      fake_block ("cam0", UUID_A, 1), "more", 0, "secret", secret, "ticket",
      ticket, "code", "failed", "message", "no");
}

/* Another field has another wrong value with each step. */
static void
spoil (json_t *fields, guint step)
{
  json_t *block = json_object_get (fields, "block");
  gsize n = json_object_size (fields), n_block = json_object_size (block);
  gsize which = step % (n + n_block);
  json_t *where = which < n ? fields : block;
  void *iter = json_object_iter (where);

  for (which = which < n ? which : which - n; which > 0; which--)
    iter = json_object_iter_next (where, iter);
  json_object_iter_set_new (where, iter,
      wrong_value (step / (guint) (n + n_block)));
  if (where == block) {
    json_object_set_new (fields, "blocks", json_pack ("[O]", block));
  }
}

static void
answer_wrong_types (FakeBroker *broker, json_t *request, const char *type)
{
  if (strcmp (type, "hello") == 0) {
    fake_answer (broker, request, type);
    return;
  }
  json_t *fields = full_answer ();
  spoil (fields, broker->step);
  if (broker->step++ % 2)
    fake_reply (broker, request, fields);
  else {
    json_object_set_new (fields, "type", json_string ("error"));
    json_object_set (fields, "id", json_object_get (request, "id"));
    fake_send_json (broker, fields);
  }
}

/* Each event with each field wrong. */
static void
send_wrong_event (FakeBroker *broker)
{
  static const char *const events[] = { "block-added", "block-removed",
    "block-taken", "revoked", "consumer-added", "consumer-removed",
    "notification", "probe", "unknown" };
  guint which = broker->step % G_N_ELEMENTS (events);
  json_t *fields = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}",
      "name", "cam0", "uuid", UUID_A, "reason", "closed", "right", "consume",
      "key", "k", "consumer", "7", "label", "viewer", "topic", "caps", "block",
      fake_block ("cam0", UUID_A, 1));

  spoil (fields, broker->step / G_N_ELEMENTS (events));
  if (fake_event (broker, events[which], fields))
    broker->step++;
}

/* --- sizes --- */

static gboolean
send_big (FakeBroker *broker, gsize size, const char *unit, const char *begin,
    const char *end)
{
  g_autoptr (GString) text = g_string_sized_new (size + 64);

  g_string_append (text, begin);
  while (text->len + strlen (unit) + strlen (end) < size)
    g_string_append (text, unit);
  g_string_append (text, end);
  return fake_send (broker, text->str, text->len);
}

/* Deep, wide, with one key again and again, with long numbers; none above the limit. */
static void
send_huge (FakeBroker *broker)
{
  const gsize max = 64 * 1024;

  switch (broker->step++ % 6) {
    case 0:
      send_big (broker, max, "[", "", "");
      break;
    case 1:
      send_big (broker, max, "{\"a\":", "", "");
      break;
    case 2:
      send_big (broker, max, "0,", "{\"v\":1,\"type\":\"event\",\"x\":[",
          "0]}");
      break;
    case 3:
      send_big (broker, max, "\"a\":1,", "{\"v\":1,", "\"b\":1}");
      break;
    case 4:
      send_big (broker, max, "9", "{\"v\":1,\"id\":", "}");
      break;
    default:
      send_big (broker, max, "\\u0001",
          "{\"v\":1,\"type\":\"event\",\"event\":\"notification\",\"name\":"
          "\"cam0\",\"topic\":\"t\",\"payload\":\"",
          "\"}");
  }
}

/* Above the limit: libzmq ends the connection. */
static void
answer_above_limit (FakeBroker *broker, json_t *request, const char *type)
{
  fake_answer (broker, request, type);
  if (strcmp (type, "list") == 0)
    send_big (broker, 65 * 1024, " ", "{}", "");
}

static void
send_parts (FakeBroker *broker)
{
  static const char *const parts[] = { "", "{", "}", "", "{}", "x" };
  const char *many[1000];

  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = parts[i % G_N_ELEMENTS (parts)];
  fake_send_parts (broker, many, broker->step++ % G_N_ELEMENTS (many) + 1);
}

/* --- floods --- */

/* The broker has nothing else to do, and the hub has to read each. */
static void
flood (FakeBroker *broker)
{
  static const char text[] = "{\"v\":1,\"type\":\"event\",\"event\":"
                             "\"notification\",\"name\":\"cam0\",\"topic\":"
                             "\"data-ready\",\"payload\":{\"sequence\":[1,2,3,"
                             "4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}}";

  for (int i = 0; i < 200; i++)
    if (!fake_send (broker, text, sizeof text - 1))
      return;
}

static void
flood_revoked (FakeBroker *broker)
{
  g_autofree char *name = g_strdup_printf ("cam%u", broker->step++ % 1000);

  fake_event (broker, "revoked",
      json_pack ("{s:s, s:s, s:s, s:s}", "name", name, "uuid",
          broker->step % 2 ? UUID_A : UUID_B, "right",
          broker->step % 3 ? "consume" : "produce", "key",
          "0123456789012345678901234567890123456789"));
}

/* A block that this hub consumes comes again and again. */
static void
flood_blocks (FakeBroker *broker)
{
  fake_event (broker, "block-added",
      json_pack ("{s:o}", "block",
          fake_block ("cam0", UUID_A, (int) (broker->step++ % 2))));
}

static void
flood_names (FakeBroker *broker)
{
  g_autofree char *name = g_strdup_printf ("cam%u", broker->step++);

  fake_event (broker, "block-added",
      json_pack ("{s:o}", "block", fake_block (name, UUID_A, 1)));
}

static void
flood_taken (FakeBroker *broker)
{
  fake_event (broker, "block-taken",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A));
}

static const FakeAttack attacks[] = {
  { "nothing", answer_nothing, NULL },
  { "hello-only", answer_hello_only, NULL },
  { "half-answers", answer_half, NULL },
  { "wrong-ids", answer_wrong_ids, NULL },
  { "replays", NULL, replay },
  { "wrong-types", answer_wrong_types, NULL },
  { "wrong-events", NULL, send_wrong_event },
  { "huge", NULL, send_huge },
  { "above-limit", answer_above_limit, NULL },
  { "parts", NULL, send_parts },
  { "flood", NULL, flood },
  { "flood-unanswered", answer_hello_only, flood },
  { "flood-revoked", NULL, flood_revoked },
  { "flood-blocks", NULL, flood_blocks },
  { "flood-blocks-unanswered", answer_hello_only, flood_blocks },
  { "flood-names", NULL, flood_names },
  { "flood-taken", answer_hello_only, flood_taken },
};

static void
test_attack (gconstpointer data)
{
  const FakeAttack *attack = data;
  int n = attack->turn == send_huge ? 60 : attack->turn ? MESSAGES : 0;

  endure (attack, DATAHUB_HUB_THREAD_SIGNALS, n);
  /* what is made once in a process is there now */
  guint before = count_descriptors ();
  endure (attack, 0, n);
  g_assert_cmpuint (count_descriptors (), <=, before);
}

/* --- time --- */

static void
handle_slowly (DatahubHub *hub, const char *name, const char *topic,
    const char *json, gpointer user_data)
{
  gint64 end_us = g_get_monotonic_time () + HANDLER_US;

  while (g_get_monotonic_time () < end_us)
    continue;
}

/* The socket of the hub is never empty, and its timers run. */
static void
test_timers (void)
{
  static const FakeAttack attack = { "timers", answer_hello_only, flood };
  FakeBroker *broker = fake_start (&attack, NULL, NULL);
  DatahubHub *hub = fake_hub (broker, DATAHUB_HUB_THREAD_SIGNALS);

  g_signal_connect (hub, "notification", G_CALLBACK (handle_slowly), NULL);
  fixture_wait_until (g_atomic_int_get (&broker->n_full) > 10);
  for (int i = 0; i < 3; i++)
    make_calls (hub);
  expect_end (hub);
  fake_stop (broker);
}

/* --- memory --- */

static void
expect_no_growth (const FakeAttack *attack, int n, gint64 limit_kib)
{
  g_autoptr (GMainContext) idle = g_main_context_new ();
  FakeBroker *broker = fake_start (attack, NULL, NULL);

  g_main_context_push_thread_default (idle); /* no thread iterates it */
  DatahubHub *hub = full_hub (broker, 0);
  g_main_context_pop_thread_default (idle);
  fixture_wait_until (g_atomic_int_get (&broker->n_hellos) > 0);
  make_calls (hub);
  gint64 before = resident_kib (), most = before;
  for (int i = 1; i <= 10; i++) {
    fixture_wait_until (g_atomic_int_get (&broker->n_sent) >= n / 10 * i);
    most = MAX (most, resident_kib ());
  }
  make_calls (hub);
  most = MAX (most, resident_kib ());
  g_test_message ("%d messages, %" G_GINT64_FORMAT " KiB more", n,
      most - before);
  if (RESIDENT_IS_MEASURED)
    g_assert_cmpint (most - before, <, limit_kib);
  expect_end (hub);
  fake_stop (broker);
}

static void
test_flood_memory (void)
{
  static const FakeAttack attack = { "flood", NULL, flood };

  expect_no_growth (&attack, FLOOD, GROWTH_SMALL_KIB);
}

static void
flood_big (FakeBroker *broker)
{
  send_big (broker, BIG, "x",
      "{\"v\":1,\"type\":\"event\",\"event\":\"notification\",\"name\":"
      "\"cam0\",\"topic\":\"t\",\"payload\":\"",
      "\"}");
}

static void
test_big_memory (void)
{
  static const FakeAttack attack = { "big", NULL, flood_big };

  expect_no_growth (&attack, BIG_FLOOD, GROWTH_KIB);
}

/* The hub sends consumer-joined each time, and gets no answer. */
static void
test_blocks_memory (void)
{
  static const FakeAttack attack = { "blocks", answer_hello_only,
    flood_blocks };

  expect_no_growth (&attack, FLOOD, GROWTH_SMALL_KIB);
}

static void
add_tests (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (attacks); i++) {
    g_autofree char *path =
        g_strconcat ("/hub/hostile-broker/", attacks[i].name, NULL);
    fixture_add_data (path, &attacks[i], test_attack);
  }
  fixture_add ("/hub/hostile-broker/timers", test_timers);
  fixture_add ("/hub/hostile-broker/memory/flood", test_flood_memory);
  fixture_add ("/hub/hostile-broker/memory/big", test_big_memory);
  fixture_add ("/hub/hostile-broker/memory/blocks", test_blocks_memory);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
