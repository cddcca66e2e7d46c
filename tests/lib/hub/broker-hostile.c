/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients that are let in and then behave badly: the broker neither falls nor
 * grows, and the others are served. */
#include "fixture.h"
#include "resident.h"

#include "common/speed.h"

#include <string.h>
#include <zmq.h>

#define INSTANCE_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define INSTANCE_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define INSTANCE_C "cccccccccccccccccccccccccccccccc"
/* The queue of one client, of messages of 64 KiB, and what an allocator keeps. */
#define FLOOD_KIB (96 * 1024)
#define WORST_US (250 * G_TIME_SPAN_MILLISECOND)

static void
assert_alive (Raw *good)
{
  raw_expect_ok (good, "ping", NULL);
  g_assert_cmpint (raw_stat (good, "blocks"), ==, 0);
}

static void
test_nonsense (void)
{
  static const char *const messages[] = {
    "",
    "\0",
    "null",
    "{",
    "{\"v\":1}",
    "{\"v\":1,\"type\":\"list\"}",
    "{\"v\":1,\"type\":7,\"id\":1}",
    "{\"v\":1,\"type\":\"list\",\"id\":\"1\"}",
    "{\"v\":1,\"type\":\"list\",\"id\":-1}",
    "{\"v\":1,\"type\":\"hello\",\"id\":1}",
    "{\"v\":1,\"type\":\"hello\",\"id\":1,\"key\":[],\"instance\":{}}",
    "{\"v\":1,\"type\":\"no-such\",\"id\":1}",
    "{\"v\":1,\"type\":\"register\",\"id\":9,\"epoch\":\"x\",\"name\":\"a\"}",
    "{\"v\":1,\"v\":1}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
  };
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *bad = raw_own (), *good = raw_own ();

  raw_hello (good, INSTANCE_A);
  for (guint i = 0; i < G_N_ELEMENTS (messages); i++)
    raw_send (bad, messages[i], strlen (messages[i]));
  raw_send (bad, "\0\0\0", 3);
  /* What can be answered is: the last but the empty one come back as errors. */
  for (guint i = 1; i < G_N_ELEMENTS (messages); i++) {
    json_t *answer = raw_receive (bad, 10000);
    g_assert_nonnull (answer);
    g_assert_cmpstr (json_string_value (json_object_get (answer, "type")), ==,
        "error");
    json_decref (answer);
  }
  g_assert_cmpint (raw_stat (good, "malformed"), >=, 5);
  assert_alive (good);
  raw_free (bad);
  raw_free (good);
}

/* Right types of messages with wrong types of fields. */
static void
test_wrong_fields (void)
{
  static const char *const types[] = { "register", "unregister", "find", "list",
    "subscribe", "unsubscribe", "consumer-joined", "consumer-left", "notify" };
  static const char *const values[] = { "null", "true", "7", "-1", "1e300",
    "\"\"", "\"x\"", "[]", "{}", "\"../../etc/passwd\"", "\"\\u0000\"" };
  static const char *const fields[] = { "name", "uuid", "caps", "secret",
    "after", "pattern", "consumer", "label", "reason", "topic" };
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  Raw *bad = raw_own (), *good = raw_own ();

  raw_hello (good, INSTANCE_A);
  raw_hello (bad, INSTANCE_B);
  for (int round = 0; round < 1500; round++) {
    json_t *message = json_object ();
    for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
      json_t *value = json_loads (
          values[g_rand_int_range (random, 0, G_N_ELEMENTS (values))],
          JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
      if (g_rand_boolean (random))
        json_object_set (message, fields[i], value);
      json_decref (value);
    }
    json_decref (raw_request (bad,
        types[g_rand_int_range (random, 0, G_N_ELEMENTS (types))], message));
  }
  raw_expect_ok (good, "ping", NULL);
  /* "x" is a name; everything else must have been refused. */
  g_assert_cmpint (raw_stat (good, "blocks"), <=, 1);
  raw_free (bad);
  raw_free (good);
}

static void
test_random_bytes (void)
{
  char bytes[512];
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autoptr (GRand) random = g_rand_new_with_seed (11);
  Raw *bad = raw_own (), *good = raw_own ();

  raw_hello (good, INSTANCE_A);
  for (int round = 0; round < 3000; round++) {
    gsize size = (gsize) g_rand_int_range (random, 1, sizeof bytes);
    json_t *answer;
    for (gsize i = 0; i < size; i++)
      bytes[i] = (char) g_rand_int (random);
    raw_send (bad, bytes, size);
    while ((answer = raw_receive (bad, 0)))
      json_decref (answer);
  }
  assert_alive (good);
  raw_free (bad);
  raw_free (good);
}

/* The socket itself ends a connection that sends too much at once. */
static void
test_oversized (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *bad = raw_own (), *good = raw_own ();
  g_autofree char *large = g_strnfill (1024 * 1024, ' ');

  raw_hello (good, INSTANCE_A);
  raw_hello (bad, INSTANCE_B);
  g_assert_cmpint (raw_handshake_event (bad, 10000), ==,
      ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
  raw_send (bad, large, 1024 * 1024);
  /* it is connected anew, so it was cut off */
  g_assert_cmpint (raw_handshake_event (bad, 10000), ==,
      ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
  g_assert_null (raw_receive (bad, 0));
  assert_alive (good);
  raw_free (bad);
  raw_free (good);
}

static void
test_many_parts (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *bad = raw_own (), *good = raw_own ();

  raw_hello (good, INSTANCE_A);
  raw_hello (bad, INSTANCE_B);
  for (int i = 0; i < 1000; i++)
    g_assert_cmpint (zmq_send (bad->socket, "x", 1, ZMQ_SNDMORE), ==, 1);
  g_assert_cmpint (zmq_send (bad->socket, "x", 1, 0), ==, 1);
  fixture_wait_until (raw_stat (good, "malformed") == 1);
  raw_expect_ok (bad, "ping", NULL);
  assert_alive (good);
  raw_free (bad);
  raw_free (good);
}

/* Sends a hello as another client and registers a name, again and again. What is over the
 * budget is not answered, so nothing is waited for. */
static void
grow (Raw *bad, int round)
{
  json_t *answer;
  g_autofree char *hello = g_strdup_printf (
      "{\"v\":1,\"type\":\"hello\",\"id\":%d,\"key\":\"%s\","
      "\"instance\":\"%032x\",\"program\":\"p\",\"host\":\"x\",\"pid\":1}",
      (int) ++bad->id, bad->public_key, (guint) round);

  raw_send (bad, hello, strlen (hello));
  while ((answer = raw_receive (bad, 0))) {
    const char *epoch = json_string_value (json_object_get (answer, "epoch"));
    if (epoch)
      g_strlcpy (bad->epoch, epoch, sizeof bad->epoch);
    json_decref (answer);
  }
  g_autofree char *name = g_strdup_printf (
      "{\"v\":1,\"type\":\"register\",\"id\":%d,\"epoch\":\"%s\","
      "\"name\":\"n%d\",\"uuid\":\"" UUID_A "\"}",
      (int) ++bad->id, bad->epoch, round);
  raw_send (bad, name, strlen (name));
}

/* One connection has one client with its names; the broker stays as it is. */
static void
test_no_growth (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *bad = raw_own (), *good = raw_own ();
  gint64 before = 0;

  raw_hello (good, INSTANCE_A);
  for (int round = 0; round < 4000; round++) {
    grow (bad, round);
    if (round == 1000)
      before = resident_kib ();
  }
  fixture_wait_until (raw_stat (good, "throttled") > 0);
  g_assert_cmpint (raw_stat (good, "clients"), <=, 2);
  g_assert_cmpint (raw_stat (good, "blocks"), <=, 256);
  if (RESIDENT_IS_MEASURED)
    g_assert_cmpint (resident_kib () - before, <, 16 * 1024);
  raw_free (bad);
  raw_expect_ok (good, "ping", NULL);
  raw_free (good);
}

static void
test_limits (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *raw = raw_own ();
  int refused = 0;

  raw_hello (raw, INSTANCE_A);
  for (int i = 0; i < 300; i++) {
    g_autofree char *name = g_strdup_printf ("n%d", i);
    json_t *answer = raw_request (raw, "register",
        json_pack ("{s:s, s:s}", "name", name, "uuid", UUID_A));
    refused += g_strcmp0 (json_string_value (json_object_get (answer, "code")),
                   "limit")
        == 0;
    json_decref (answer);
  }
  g_assert_cmpint (refused, ==, 300 - 256);
  /* what it has it may tell again, as with other caps */
  raw_expect_ok (raw, "register",
      json_pack ("{s:s, s:s, s:s}", "name", "n0", "uuid", UUID_A, "caps",
          "video/x-raw"));
  for (int i = 0; i < 64; i++) {
    g_autofree char *pattern = g_strdup_printf ("p%d", i);
    raw_expect_ok (raw, "subscribe", json_pack ("{s:s}", "pattern", pattern));
  }
  raw_expect_error (raw, "subscribe", json_pack ("{s:s}", "pattern", "more"),
      "limit");
  for (int i = 0; i < 256; i++)
    raw_expect_ok (raw, "consumer-joined",
        json_pack ("{s:s, s:s, s:o, s:s}", "name", "n0", "uuid", UUID_A,
            "consumer", json_sprintf ("%d", i), "label", "x"));
  raw_expect_error (raw, "consumer-joined",
      json_pack ("{s:s, s:s, s:s, s:s}", "name", "n0", "uuid", UUID_A,
          "consumer", "256", "label", "x"),
      "limit");
  g_autofree char *caps = g_strnfill (8193, 'x');
  raw_expect_error (raw, "register",
      json_pack ("{s:s, s:s, s:s}", "name", "n0", "uuid", UUID_A, "caps", caps),
      "protocol");
  raw_free (raw);
}

/* A notification that would be too long for its receivers when it is written
 * again costs none of them its connection. */
static void
test_growing_payload (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *bad = raw_own (), *good = raw_own ();

  raw_hello (good, INSTANCE_A);
  raw_hello (bad, INSTANCE_B);
  raw_expect_ok (good, "subscribe",
      json_pack ("{s:s, s:b}", "pattern", "*", "notifications", TRUE));
  raw_expect_ok (bad, "register",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A));
  g_autoptr (GString) text = g_string_new (NULL);
  g_string_printf (text,
      "{\"v\":1,\"type\":\"notify\",\"id\":%d,\"epoch\":\"%s\","
      "\"name\":\"cam0\",\"topic\":\"t\",\"payload\":[1e9",
      (int) ++bad->id, bad->epoch);
  while (text->len < 60000)
    g_string_append (text, ",1e9");
  g_string_append (text, "]}");
  raw_send (bad, text->str, text->len);
  fixture_wait_until (raw_stat (good, "unsent") == 1);
  raw_expect_ok (bad, "notify",
      json_pack ("{s:s, s:s}", "name", "cam0", "topic", "short"));
  json_t *event = raw_event (good, "notification", 10000);
  g_assert_nonnull (event);
  g_assert_cmpstr (json_string_value (json_object_get (event, "topic")), ==,
      "short");
  json_decref (event);
  raw_free (bad);
  raw_free (good);
}

/* --- a flood --- */

typedef struct
{
  Raw *raw;
  int stop; /* atomic */
  int sent; /* atomic */
} Flood;

/* As fast as it can, reading nothing. */
static gpointer
flood (gpointer data)
{
  Flood *f = data;

  while (!g_atomic_int_get (&f->stop)) {
    g_autofree char *text =
        g_strdup_printf ("{\"v\":1,\"type\":\"list\",\"id\":%d,"
                         "\"epoch\":\"%s\"}",
            (int) ++f->raw->id, f->raw->epoch);
    if (zmq_send (f->raw->socket, text, strlen (text), ZMQ_DONTWAIT) >= 0)
      g_atomic_int_inc (&f->sent);
    else
      g_thread_yield ();
  }
  return NULL;
}

/* So that an answer to the flood is large. */
static void
fill_registry (Raw *raw)
{
  g_autofree char *caps = g_strnfill (2000, 'x');

  for (int i = 0; i < 200; i++) {
    g_autofree char *name = g_strdup_printf ("n%d", i);
    raw_expect_ok (raw, "register",
        json_pack ("{s:s, s:s, s:s}", "name", name, "uuid", UUID_A, "caps",
            caps));
  }
}

/* Returns the worst time of an answer to @good, in microseconds. */
static gint64
ask_in_flood (Raw *good, Flood *f)
{
  gint64 worst_us = 0;
  int before = g_atomic_int_get (&f->sent);

  for (int i = 0; i < 300 || g_atomic_int_get (&f->sent) < before + 5000; i++) {
    gint64 started = g_get_monotonic_time ();
    raw_expect_ok (good, "ping", NULL);
    worst_us = MAX (worst_us, g_get_monotonic_time () - started);
  }
  return worst_us;
}

static void
test_flood (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *bad = raw_own (), *good = raw_own (), *full = raw_own ();
  Flood f = { .raw = bad };
  gboolean served = FALSE;
  gint64 before;

  raw_hello (good, INSTANCE_A);
  raw_hello (bad, INSTANCE_B);
  raw_hello (full, INSTANCE_C);
  fill_registry (full);
  before = resident_kib ();
  GThread *thread = g_thread_new ("flood", flood, &f);
  /* a pause of the machine is not the broker's */
  for (int i = 0; i < 3 && !served; i++) {
    gint64 worst_us = ask_in_flood (good, &f);
    g_test_message ("worst answer %" G_GINT64_FORMAT " us", worst_us);
    served = !speed_is_over ((uint64_t) worst_us, WORST_US);
  }
  g_atomic_int_set (&f.stop, TRUE);
  g_thread_join (thread);
  g_assert_true (served);
  if (RESIDENT_IS_MEASURED)
    g_assert_cmpint (resident_kib () - before, <, FLOOD_KIB);
  raw_free (bad);
  raw_free (full);
  raw_free (good);
}

/* Over its budget a client's requests are counted and dropped. */
static void
test_budget (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *bad = raw_own (), *good = raw_own ();

  raw_hello (good, INSTANCE_A);
  raw_hello (bad, INSTANCE_B);
  for (int i = 0; i < 6000; i++) {
    json_t *answer;
    g_autofree char *text = g_strdup_printf (
        "{\"v\":1,\"type\":\"ping\",\"id\":%d,\"epoch\":\"%s\"}",
        (int) ++bad->id, bad->epoch);
    raw_send (bad, text, strlen (text));
    while ((answer = raw_receive (bad, 0)))
      json_decref (answer);
  }
  fixture_wait_until (raw_stat (good, "throttled") > 0);
  raw_free (bad);
  raw_free (good);
}

static void
add_tests (void)
{
  fixture_add ("/broker/hostile/nonsense", test_nonsense);
  fixture_add ("/broker/hostile/wrong-fields", test_wrong_fields);
  fixture_add ("/broker/hostile/random-bytes", test_random_bytes);
  fixture_add ("/broker/hostile/oversized", test_oversized);
  fixture_add ("/broker/hostile/many-parts", test_many_parts);
  fixture_add ("/broker/hostile/no-growth", test_no_growth);
  fixture_add ("/broker/hostile/limits", test_limits);
  fixture_add ("/broker/hostile/growing-payload", test_growing_payload);
  fixture_add ("/broker/hostile/flood", test_flood);
  fixture_add ("/broker/hostile/budget", test_budget);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
