/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients that take what they can get: places and budgets belong to a key and to a
 * connection, the own user has places of its own, and an innocent client is answered. */
#include "fixture.h"

#include "common/speed.h"

#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#define INSTANCE_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define INSTANCE_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ANY_TCP "tcp://127.0.0.1:*"
#define WORST_US (250 * G_TIME_SPAN_MILLISECOND)
#define ATTEMPTS 3
#define PINGS 200
#define LISTENERS 60
#define LARGE 60000
#define PER_KEY 128
#define BLOCKS_PER_KEY 512

/* A broker with two keys of strangers, and a hub of the own user that stays connected. */
typedef struct
{
  DatahubBroker *broker;
  char *tcp; /* owned */
  char keys[2][2][DATAHUB_KEY_TEXT + 1]; /* of two strangers: public, secret */
  DatahubHub *hub;
  Raw *innocent;
  int lost;
} Fair;

static void
allow_descriptors (void)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static void
fair_begin (Fair *f)
{
  allow_descriptors ();
  for (int i = 0; i < 2; i++)
    raw_key_pair (f->keys[i][0], f->keys[i][1]);
  g_autofree char *config =
      g_strdup_printf ("{\"clients\":[{\"key\":\"%s\",\"produce\":[\"*\"]},"
                       "{\"key\":\"%s\",\"produce\":[\"*\"]}]}",
          f->keys[0][0], f->keys[1][0]);
  f->broker = fixture_broker_at (config, ANY_TCP, &f->tcp);
  f->innocent = raw_own ();
  raw_hello (f->innocent, INSTANCE_A);
  f->hub = fixture_hub (DATAHUB_HUB_THREAD_SIGNALS);
  g_signal_connect_swapped (f->hub, "broker-lost",
      G_CALLBACK (g_atomic_int_inc), &f->lost);
}

static void
fair_end (Fair *f)
{
  g_assert_true (datahub_hub_wait_connected (f->hub, 30 * SECONDS, NULL, NULL));
  g_object_unref (f->hub);
  raw_free (f->innocent);
  g_object_unref (f->broker);
  g_free (f->tcp);
}

static Raw *
stranger (Fair *f, int n)
{
  return raw_with_key_at (f->tcp, f->keys[n][0], f->keys[n][1]);
}

/* "hello" as yet another client. Returns the code of the refusal; NULL: let in. */
static const char *
another (Raw *raw, int number)
{
  static char code[32];
  g_autofree char *instance = g_strdup_printf ("%032x", number);
  json_t *answer;

  raw->epoch[0] = '\0';
  answer = raw_request (raw, "hello",
      json_pack ("{s:s, s:s, s:s, s:s, s:i}", "key", raw->public_key,
          "instance", instance, "program", "many", "host", "x", "pid", 1));
  json_t *refused = json_object_get (answer, "code");
  g_strlcpy (code, refused ? json_string_value (refused) : "", sizeof code);
  if (!refused)
    g_strlcpy (raw->epoch,
        json_string_value (json_object_get (answer, "epoch")),
        sizeof raw->epoch);
  json_decref (answer);
  return *code ? code : NULL;
}

/* One connection has one client, and what that one registered, after any number of
 * hellos. */
static void
test_one_connection (void)
{
  Fair f = { 0 };

  fair_begin (&f);
  Raw *doors[] = { stranger (&f, 0), raw_own () };
  for (guint d = 0; d < G_N_ELEMENTS (doors); d++) {
    gint64 clients = raw_stat (f.innocent, "clients");
    for (int i = 0; i < 300; i++) {
      g_autofree char *name = g_strdup_printf ("n%d", i);
      g_assert_null (another (doors[d], i));
      raw_expect_ok (doors[d], "register",
          json_pack ("{s:s, s:s}", "name", name, "uuid", UUID_A));
    }
    g_assert_cmpint (raw_stat (f.innocent, "blocks"), ==, 1);
    g_assert_cmpint (raw_stat (f.innocent, "clients"), <=, clients + 1);
    raw_expect_ok (doors[d], "bye", NULL);
    raw_free (doors[d]);
  }
  fair_end (&f);
}

/* A key has a part of the places for strangers. */
static void
test_places_of_a_key (void)
{
  Fair f = { 0 };
  Raw *many[PER_KEY + 20];
  int n_refused = 0;
  gint64 start_us = g_get_monotonic_time ();

  fair_begin (&f);
  Raw *first = stranger (&f, 0);
  for (guint i = 0; i < G_N_ELEMENTS (many); i++) {
    g_autofree char *name = g_strdup_printf ("n%d", i);
    many[i] = raw_beside (first, f.tcp);
    const char *code = another (many[i], (int) i);
    n_refused += code != NULL;
    if (code)
      g_assert_cmpstr (code, ==, "limit");
    else /* with a block it stays, though it is silent */
      json_decref (raw_request (many[i], "register",
          json_pack ("{s:s, s:s}", "name", name, "uuid", UUID_A)));
  }
  g_assert_cmpint (raw_stat (f.innocent, "clients"), <=, PER_KEY + 2);
  /* a client that is silent for 30 s leaves its place */
  if (fixture_ms_since (start_us) < 25000)
    g_assert_cmpint (n_refused, ==, (int) G_N_ELEMENTS (many) - PER_KEY);
  Raw *other = stranger (&f, 1);
  g_assert_null (another (other, 1));
  Raw *own = raw_own ();
  raw_hello (own, INSTANCE_B);
  raw_free (own);
  raw_free (other);
  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    raw_free (many[i]);
  raw_free (first);
  fair_end (&f);
}

/* Names that stay, over several connections. */
static void
test_blocks_of_a_key (void)
{
  Fair f = { 0 };
  Raw *many[3];
  int n_registered = 0;
  gint64 start_us = g_get_monotonic_time ();

  fair_begin (&f);
  for (int c = 0; c < 3; c++) {
    many[c] = stranger (&f, 0);
    g_assert_null (another (many[c], c));
    for (int i = 0; i < 200; i++) {
      g_autofree char *name = g_strdup_printf ("n%d-%d", c, i);
      json_t *answer = raw_request_again (many[c], "register",
          json_pack ("{s:s, s:s}", "name", name, "uuid", UUID_A));
      n_registered += !json_object_get (answer, "code");
      json_decref (answer);
    }
  }
  /* the blocks of a client that is silent for 30 s leave their places */
  if (fixture_ms_since (start_us) < 25000)
    g_assert_cmpint (n_registered, ==, BLOCKS_PER_KEY);
  Raw *other = stranger (&f, 1);
  g_assert_null (another (other, 1));
  raw_expect_ok (other, "register",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A));
  raw_free (other);
  for (int c = 0; c < 3; c++)
    raw_free (many[c]);
  fair_end (&f);
}

static void
send_ping (Raw *raw)
{
  g_autofree char *text =
      g_strdup_printf ("{\"v\":1,\"type\":\"ping\",\"id\":%d,\"epoch\":\"%s\"}",
          (int) ++raw->id, raw->epoch);

  raw_send (raw, text, strlen (text));
}

/* Sends pings without waiting for their answers. */
static void
send_pings (Raw *raw, int n)
{
  for (int i = 0; i < n; i++) {
    json_t *answer;
    send_ping (raw);
    while ((answer = raw_receive (raw, 0)))
      json_decref (answer);
  }
}

/* @raw uses up its budget, with a new "hello" again and again. */
static void
use_up (Fair *f, Raw *raw, int number)
{
  gint64 before = raw_stat (f->innocent, "throttled");
  gint64 start_us = fixture_wait_begin ();

  do {
    fixture_wait_step (start_us, "the budget is used up");
    g_autofree char *instance = g_strdup_printf ("%032x", ++number);
    g_autofree char *text = g_strdup_printf (
        "{\"v\":1,\"type\":\"hello\",\"id\":%d,\"key\":\"%s\","
        "\"instance\":\"%s\",\"program\":\"p\",\"host\":\"x\",\"pid\":1}",
        (int) ++raw->id, raw->public_key, instance);
    raw_send (raw, text, strlen (text));
    send_pings (raw, 500);
  } while (raw_stat (f->innocent, "throttled") < before + 1000);
}

/* Returns the number of refused requests, when those that were sent have been read. */
static gint64
settle (Fair *f)
{
  gint64 before, now = -1, start_us = fixture_wait_begin ();

  do {
    fixture_wait_step (start_us, "all requests were read");
    before = now;
    for (int i = 0; i < 20; i++)
      now = raw_stat (f->innocent, "throttled");
  } while (now != before);
  return now;
}

/* Returns whether it took less time than the key needs to earn what was sent. */
static gboolean
key_is_used_up (Fair *f)
{
  Raw *raw[3];

  for (int i = 0; i < 2; i++) {
    raw[i] = stranger (f, 0);
    use_up (f, raw[i], 0);
  }
  gint64 start_us = g_get_monotonic_time ();
  gint64 before = settle (f);
  raw[2] = stranger (f, 0);
  send_pings (raw[2], 1500);
  gboolean quick = fixture_ms_since (start_us) < 1200;
  g_test_message ("sent within %" G_GINT64_FORMAT " ms",
      fixture_ms_since (start_us));
  if (quick)
    fixture_wait_until (raw_stat (f->innocent, "throttled") > before);
  for (int i = 0; i < 3; i++)
    raw_free (raw[i]);
  return quick;
}

static void
test_budget (void)
{
  Fair f = { 0 };

  fair_begin (&f);
  Raw *own = raw_own ();
  use_up (&f, own, 0);
  raw_free (own);
  /* nor does a new connection bring a key a new one */
  gboolean done = FALSE;
  for (int i = 0; i < 10 && !done; i++)
    done = key_is_used_up (&f);
  if (!done)
    g_test_skip ("this machine is too slow");
  fair_end (&f);
}

/* ---- an attack in a thread, and an innocent client ---- */

typedef struct
{
  Raw *raw;
  char *text; /* a printf format of an id and an epoch; owned */
  gboolean reads;
  int sent; /* atomic */
  int limited; /* answers with this code; atomic */
  int stop; /* atomic */
} Attack;

static gpointer
attack (gpointer data)
{
  Attack *a = data;
  json_t *answer;

  while (!g_atomic_int_get (&a->stop)) {
    g_autoptr (GString) text = g_string_new (NULL);
    g_string_printf (text, "{\"v\":1,\"id\":%d,\"epoch\":\"%s\",%s}",
        (int) ++a->raw->id, a->raw->epoch, a->text);
    if (zmq_send (a->raw->socket, text->str, text->len, ZMQ_DONTWAIT) >= 0)
      g_atomic_int_inc (&a->sent);
    else
      g_thread_yield ();
    while (a->reads && (answer = raw_receive (a->raw, 0))) {
      if (g_strcmp0 (json_string_value (json_object_get (answer, "code")),
              "limit")
          == 0)
        g_atomic_int_inc (&a->limited);
      json_decref (answer);
    }
  }
  return NULL;
}

/* How long the longest answer to an innocent ping takes, until the attack has sent @n
 * more requests. */
static gint64
ask_during (Fair *f, Attack *a, int n)
{
  gint64 worst_us = 0, start_us = fixture_wait_begin ();
  int before = g_atomic_int_get (&a->sent);

  for (int i = 0; i < PINGS || g_atomic_int_get (&a->sent) < before + n; i++) {
    gint64 asked_us = g_get_monotonic_time ();
    raw_expect_ok (f->innocent, "ping", NULL);
    worst_us = MAX (worst_us, g_get_monotonic_time () - asked_us);
    fixture_wait_step (start_us, "the attack sends");
  }
  return worst_us;
}

/* A pause of this machine is not the broker's: an attack that is a fault shows each
 * time. */
static void
expect_service (Fair *f, Attack *a, int n, gboolean until_limited)
{
  gboolean served = FALSE;
  GThread *thread = g_thread_new ("attack", attack, a);

  for (int i = 0; i < ATTEMPTS && !served; i++) {
    int lost = g_atomic_int_get (&f->lost);
    gint64 worst_us = ask_during (f, a, n);
    g_test_message ("worst answer %" G_GINT64_FORMAT " us", worst_us);
    served = !speed_is_over ((uint64_t) worst_us, WORST_US)
        && g_atomic_int_get (&f->lost) == lost;
  }
  if (until_limited)
    fixture_wait_until (g_atomic_int_get (&a->limited) > 0);
  g_atomic_int_set (&a->stop, TRUE);
  g_thread_join (thread);
  g_assert_true (served);
  g_free (a->text);
}

static char *
notice_of (gsize size)
{
  g_autofree char *filler = g_strnfill (size, 'x');

  return g_strdup_printf (
      "\"type\":\"notify\",\"quiet\":true,"
      "\"name\":\"cam0\",\"topic\":\"t\",\"payload\":\"%s\"",
      filler);
}

typedef struct
{
  Raw *raw[LISTENERS];
  int stop; /* atomic */
} Listeners;

/* Reads what comes to the listeners, and gives signs of life. */
static gpointer
listen_all (gpointer data)
{
  Listeners *l = data;
  zmq_pollitem_t items[LISTENERS];
  gint64 spoken_us = 0;
  char piece[64];

  for (int i = 0; i < LISTENERS; i++)
    items[i] = (zmq_pollitem_t){ l->raw[i]->socket, 0, ZMQ_POLLIN, 0 };
  while (!g_atomic_int_get (&l->stop)) {
    zmq_poll (items, LISTENERS, 50);
    for (int i = 0; i < LISTENERS; i++)
      for (int j = 0; j < 64
           && zmq_recv (l->raw[i]->socket, piece, sizeof piece, ZMQ_DONTWAIT)
               >= 0;
           j++)
        continue;
    if (fixture_ms_since (spoken_us) < 300)
      continue;
    spoken_us = g_get_monotonic_time ();
    for (int i = 0; i < LISTENERS; i++)
      send_ping (l->raw[i]);
  }
  return NULL;
}

static void
listeners_connect (Listeners *l, const Raw *first)
{
  g_autofree char *endpoint = raw_endpoint ();

  for (int i = 0; i < LISTENERS; i++) {
    g_autofree char *name = g_strdup_printf ("listener%d", i);
    l->raw[i] = raw_beside (first, endpoint);
    g_assert_null (another (l->raw[i], 1000 + i));
    /* with a block it stays, though it is silent */
    raw_expect_ok (l->raw[i], "register",
        json_pack ("{s:s, s:s}", "name", name, "uuid", UUID_A));
    raw_expect_ok (l->raw[i], "subscribe",
        json_pack ("{s:s, s:b}", "pattern", "cam0", "notifications", TRUE));
  }
}

/* Large notices to many listeners: what is sent to each of them is charged. */
static void
fan_out (gboolean by_tcp)
{
  Fair f = { 0 };
  Listeners l = { 0 };

  fair_begin (&f);
  Raw *first = raw_own ();
  listeners_connect (&l, first);
  Raw *evil = by_tcp ? stranger (&f, 0) : raw_own ();
  raw_hello (evil, INSTANCE_B);
  raw_expect_ok (evil, "register",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A));
  GThread *reader = g_thread_new ("listen", listen_all, &l);
  Attack a = { .raw = evil, .text = notice_of (LARGE), .reads = TRUE };
  expect_service (&f, &a, 100, TRUE);
  raw_free (evil);
  g_atomic_int_set (&l.stop, TRUE);
  g_thread_join (reader);
  for (int i = 0; i < LISTENERS; i++)
    raw_free (l.raw[i]);
  raw_free (first);
  fair_end (&f);
}

static void
test_fan_out (void)
{
  fan_out (FALSE);
}

static void
test_fan_out_by_tcp (void)
{
  fan_out (TRUE);
}

/* Asks for much and reads none of it. */
static void
test_slow_reader (void)
{
  Fair f = { 0 };

  fair_begin (&f);
  Raw *owner = stranger (&f, 1);
  g_autofree char *caps = g_strnfill (8000, 'x');
  g_assert_null (another (owner, 1));
  for (int i = 0; i < 16; i++) {
    g_autofree char *name = g_strdup_printf ("n%d", i);
    raw_expect_ok (owner, "register",
        json_pack ("{s:s, s:s, s:s}", "name", name, "uuid", UUID_A, "caps",
            caps));
  }
  Raw *evil = stranger (&f, 1);
  raw_hello (evil, INSTANCE_B);
  Attack a = { .raw = evil, .text = g_strdup ("\"type\":\"list\"") };
  expect_service (&f, &a, 4000, FALSE);
  raw_free (evil);
  raw_free (owner);
  fair_end (&f);
}

/* Large objects of many keys are dear to read. */
static void
test_large_objects (void)
{
  Fair f = { 0 };
  GString *text = g_string_new ("\"type\":\"find\",\"name\":\"n\",\"more\":{");

  fair_begin (&f);
  for (int i = 0; text->len < LARGE; i++)
    g_string_append_printf (text, "%s\"k%d\":[{}]", i ? "," : "", i);
  g_string_append_c (text, '}');
  Raw *evil = stranger (&f, 0);
  raw_hello (evil, INSTANCE_B);
  Attack a = { .raw = evil,
    .text = g_string_free (text, FALSE),
    .reads = TRUE };
  expect_service (&f, &a, 150, FALSE);
  raw_free (evil);
  fair_end (&f);
}

/* Without a hello, and without end. */
static void
test_without_hello (void)
{
  Fair f = { 0 };

  fair_begin (&f);
  Raw *evil = raw_own ();
  Attack a = { .raw = evil,
    .text = g_strdup ("\"type\":\"list\""),
    .reads = TRUE };
  expect_service (&f, &a, 5000, FALSE);
  raw_free (evil);
  fair_end (&f);
}

static void
add_tests (void)
{
  fixture_add ("/broker/fair/one-connection", test_one_connection);
  fixture_add ("/broker/fair/places-of-a-key", test_places_of_a_key);
  fixture_add ("/broker/fair/blocks-of-a-key", test_blocks_of_a_key);
  fixture_add ("/broker/fair/budget", test_budget);
  fixture_add ("/broker/fair/fan-out", test_fan_out);
  fixture_add ("/broker/fair/fan-out-by-tcp", test_fan_out_by_tcp);
  fixture_add ("/broker/fair/slow-reader", test_slow_reader);
  fixture_add ("/broker/fair/large-objects", test_large_objects);
  fixture_add ("/broker/fair/without-hello", test_without_hello);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
