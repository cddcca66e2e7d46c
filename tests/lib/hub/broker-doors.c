/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The own user's socket, and the one for strangers: the name of a block changes hands by
 * evidence of the kernel, not by what a client writes. */
#include "fixture.h"

#include "common/speed.h"
#include "control/broker/evidence-private.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#define INSTANCE_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define INSTANCE_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ANSWER_MS 30000
#define ANY_TCP "tcp://127.0.0.1:*"
#define STARTS 300

typedef struct
{
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];
} Keys;

/* A broker with two doors, a key of a stranger on its list, a producer of "cam0", and
 * the own user, which looks on. */
typedef struct
{
  DatahubBroker *broker;
  char *tcp; /* owned */
  Keys stranger;
  Child *producer;
  char *uuid; /* owned */
  Raw *own;
} Doors;

static char *
list_of (const Keys *keys, const char *rights)
{
  return g_strdup_printf ("{\"clients\":[{\"key\":\"%s\",%s}]}",
      keys->public_key, rights);
}

static void
doors_open (Doors *d, const char *endpoint)
{
  raw_key_pair (d->stranger.public_key, d->stranger.secret_key);
  g_autofree char *config = list_of (&d->stranger, "\"produce\":[\"*\"]");
  d->broker = fixture_broker_at (config, endpoint, &d->tcp);
  d->own = raw_own ();
  raw_hello (d->own, INSTANCE_A);
}

static void
doors_produce (Doors *d)
{
  d->producer = fixture_spawn ("produce", "cam0");
  g_autofree char *line = fixture_read_line (d->producer);
  g_assert_nonnull (line);
  g_assert_true (g_str_has_prefix (line, "uuid "));
  d->uuid = g_strdup (line + strlen ("uuid "));
}

static void
doors_close (Doors *d)
{
  if (d->producer)
    g_assert_cmpint (fixture_reap (d->producer), ==, 0);
  raw_free (d->own);
  g_object_unref (d->broker);
  g_free (d->tcp);
  g_free (d->uuid);
}

/* A stranger that claims to be on this machine. */
static Raw *
stranger (Doors *d)
{
  g_autofree char *host = evidence_host ();
  Raw *raw =
      raw_with_key_at (d->tcp, d->stranger.public_key, d->stranger.secret_key);

  raw_hello_from (raw, INSTANCE_B, host);
  return raw;
}

/* The process that has the name "cam0"; 0: none. */
static int
owner (Raw *raw)
{
  json_t *answer =
      raw_request_again (raw, "find", json_pack ("{s:s}", "name", "cam0"));
  json_t *block = json_object_get (answer, "block");
  json_t *program = json_object_get (block, "program");
  int pid = (int) json_integer_value (json_object_get (block, "pid"));

  /* clients of the bare protocol are of this process */
  if (block && strcmp (json_string_value (program), "raw") == 0)
    g_assert_cmpint (pid, ==, (int) getpid ());
  json_decref (answer);
  return pid;
}

static gboolean
is_stalled (Raw *raw)
{
  json_t *answer =
      raw_request_again (raw, "find", json_pack ("{s:s}", "name", "cam0"));
  gboolean stalled =
      json_is_true (json_object_get (json_object_get (answer, "block"),
          "stalled"));

  json_decref (answer);
  return stalled;
}

static gboolean
owner_is (Raw *raw, int pid)
{
  return owner (raw) == pid;
}

static json_t *
claim (Doors *d)
{
  return json_pack ("{s:s, s:s, s:s, s:s, s:b}", "name", "cam0", "uuid",
      d->uuid, "caps", "video/x-raw,false=1", "secret",
      "00000000000000000000000000000000"
      "00000000000000000000000000000000",
      "strict", TRUE);
}

/* A client that may produce a name can learn the uuid of its block. */
static void
test_live_name (void)
{
  Doors d = { 0 };

  doors_open (&d, ANY_TCP);
  doors_produce (&d);
  Raw *evil = stranger (&d);
  raw_expect_error (evil, "register", claim (&d), "busy");
  raw_expect_error (evil, "unregister",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", d.uuid), "denied");
  g_assert_cmpint (owner (d.own), ==, d.producer->pid);
  /* nor while its owner is stopped: it has its lock */
  fixture_stop (d.producer);
  fixture_wait_until (is_stalled (d.own));
  raw_expect_error (evil, "register", claim (&d), "busy");
  g_assert_cmpint (owner (d.own), ==, d.producer->pid);
  fixture_signal (d.producer, SIGCONT);
  raw_free (evil);
  doors_close (&d);
}

/* A name that a stranger had first goes to the producer that has the lock. */
static void
test_own_user_gets_its_name (void)
{
  Doors d = { .uuid = g_strdup (UUID_A) };

  doors_open (&d, ANY_TCP);
  Raw *evil = stranger (&d);
  raw_expect_ok (evil, "register", claim (&d));
  g_free (d.uuid);
  doors_produce (&d);
  g_assert_cmpint (owner (d.own), ==, d.producer->pid);
  json_t *event = raw_event (evil, "block-taken", ANSWER_MS);
  g_assert_nonnull (event);
  g_assert_cmpstr (json_string_value (json_object_get (event, "uuid")), ==,
      UUID_A);
  json_decref (event);
  raw_free (evil);
  doors_close (&d);
}

/* Another client of the own user has the name for a moment. */
static void
test_owner_registers_again (void)
{
  Doors d = { 0 };

  doors_open (&d, ANY_TCP);
  doors_produce (&d);
  raw_expect_ok (d.own, "subscribe", json_pack ("{s:s}", "pattern", "cam0"));
  fixture_stop (d.producer);
  raw_expect_ok (d.own, "register", claim (&d));
  g_assert_cmpint (owner (d.own), ==, (int) getpid ());
  gint64 start_us = g_get_monotonic_time ();
  fixture_signal (d.producer, SIGCONT);
  fixture_wait_until (owner_is (d.own, d.producer->pid));
  g_assert_false (speed_is_over ((uint64_t) (g_get_monotonic_time ()
                                     - start_us),
      G_USEC_PER_SEC));
  raw_free (d.own);
  d.own = raw_own ();
  doors_close (&d);
}

/* A socket in a directory that others can enter is for strangers, whatever their key. */
static void
test_open_directory (void)
{
  g_autofree char *directory = fixture_file ("open");
  g_autofree char *endpoint =
      g_strconcat ("ipc://", directory, "/broker.sock", NULL);
  Doors d = { 0 };

  g_assert_cmpint (g_mkdir (directory, 0700), ==, 0);
  g_assert_cmpint (g_chmod (directory, 0711), ==, 0);
  doors_open (&d, endpoint);
  doors_produce (&d);
  Raw *evil = raw_own_at (d.tcp);
  raw_hello (evil, INSTANCE_B);
  raw_expect_error (evil, "register", claim (&d), "busy");
  g_assert_cmpint (owner (d.own), ==, d.producer->pid);
  raw_free (evil);
  doors_close (&d);
}

static int toggling; /* atomic */

static gpointer
toggle (gpointer directory)
{
  for (guint i = 0; g_atomic_int_get (&toggling); i++) {
    g_chmod (directory, i % 16 ? 0700 : 0711);
    if (i % 256 == 8)
      g_thread_yield ();
  }
  return NULL;
}

/* A broker starts or not, whatever becomes of its directory meanwhile. */
static void
test_directory_changes (void)
{
  g_autofree char *directory = datahub_runtime_dir (NULL);
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();
  guint n_started = 0, n_refused = 0;

  g_assert_true (datahub_broker_add_endpoint (broker, ANY_TCP, NULL));
  g_atomic_int_set (&toggling, TRUE);
  GThread *thread = g_thread_new ("toggle", toggle, directory);
  for (guint i = 0; i < STARTS; i++) {
    g_autoptr (GError) error = NULL;
    gboolean started = datahub_broker_start (broker, &error);
    g_assert_true (started == (error == NULL));
    n_started += started;
    n_refused += !started;
    datahub_broker_stop (broker);
  }
  g_atomic_int_set (&toggling, FALSE);
  g_thread_join (thread);
  g_test_message ("started %u, refused %u", n_started, n_refused);
  g_assert_cmpint (g_chmod (directory, 0700), ==, 0);
  g_assert_true (datahub_broker_start (broker, NULL));
}

static void
open_for_two (Doors *d, Keys *other)
{
  raw_key_pair (d->stranger.public_key, d->stranger.secret_key);
  raw_key_pair (other->public_key, other->secret_key);
  g_autofree char *config =
      g_strdup_printf ("{\"clients\":[{\"key\":\"%s\",\"produce\":[\"*\"]},"
                       "{\"key\":\"%s\",\"produce\":[\"*\"]}]}",
          d->stranger.public_key, other->public_key);
  d->broker = fixture_broker_at (config, ANY_TCP, &d->tcp);
  d->own = raw_own ();
  raw_hello (d->own, INSTANCE_A);
}

/* Returns whether it took less time than the name is kept. */
static gboolean
try_for_a_moment (Doors *d, Raw *evil)
{
  Raw *good = stranger (d);
  json_t *answer;
  gint64 start_us;
  gboolean quick;

  raw_expect_ok (good, "register", claim (d));
  start_us = g_get_monotonic_time ();
  raw_free (good);
  fixture_wait_until (is_stalled (d->own));
  json_t *fields = claim (d);
  json_object_set_new (fields, "uuid", json_string (UUID_B));
  answer = raw_request_again (evil, "register", fields);
  quick = fixture_ms_since (start_us) < 2500;
  if (quick)
    g_assert_cmpstr (json_string_value (json_object_get (answer, "code")), ==,
        "busy");
  else if (!json_object_get (answer, "code"))
    raw_expect_ok (evil, "unregister",
        json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_B));
  json_decref (answer);
  return quick;
}

/* The name of a stranger stays for a moment after its connection broke. */
static void
test_moment_without_connection (void)
{
  Doors d = { 0 };
  Keys other;
  gboolean done = FALSE;

  open_for_two (&d, &other);
  d.uuid = g_strdup (UUID_A);
  Raw *evil = raw_with_key_at (d.tcp, other.public_key, other.secret_key);
  raw_hello (evil, INSTANCE_A);
  for (int i = 0; i < 10 && !done; i++)
    done = try_for_a_moment (&d, evil);
  if (!done)
    g_test_skip ("this machine is too slow");
  /* the same key need not wait */
  Raw *good = stranger (&d);
  raw_expect_ok (good, "register", claim (&d));
  raw_free (good);
  raw_free (evil);
  doors_close (&d);
}

/* libzmq lets a client choose the name of its route. Another key on a route that had a
 * client is not that client, though it repeats its epoch. */
static void
test_route_of_another (void)
{
  Doors d = { 0 };
  Keys other;

  open_for_two (&d, &other);
  for (int i = 0; i < 20; i++) {
    Raw *good = raw_named (d.tcp, d.stranger.public_key, d.stranger.secret_key,
        "route");
    raw_hello (good, INSTANCE_B);
    raw_expect_ok (good, "register",
        json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A));
    char epoch[33];
    g_strlcpy (epoch, good->epoch, sizeof epoch);
    raw_free (good);
    Raw *evil = raw_named (d.tcp, other.public_key, other.secret_key, "route");
    evil->id = 1000;
    json_t *answer = raw_request (evil, "unregister",
        json_pack ("{s:s, s:s, s:s}", "name", "cam0", "uuid", UUID_A, "epoch",
            epoch));
    g_assert_cmpstr (json_string_value (json_object_get (answer, "code")), ==,
        "hello-required");
    json_decref (answer);
    raw_free (evil);
    g_assert_cmpint (owner (d.own), ==, (int) getpid ());
  }
  doors_close (&d);
}

static int
produce (const char *name)
{
  return fixture_produce (name, TRUE);
}

static void
add_tests (void)
{
  fixture_add ("/broker/doors/live-name", test_live_name);
  fixture_add ("/broker/doors/own-user-gets-its-name",
      test_own_user_gets_its_name);
  fixture_add ("/broker/doors/owner-registers-again",
      test_owner_registers_again);
  fixture_add ("/broker/doors/open-directory", test_open_directory);
  fixture_add ("/broker/doors/directory-changes", test_directory_changes);
  fixture_add ("/broker/doors/moment-without-connection",
      test_moment_without_connection);
  fixture_add ("/broker/doors/route-of-another", test_route_of_another);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("produce", produce);
  return fixture_main (&argc, &argv, add_tests);
}
