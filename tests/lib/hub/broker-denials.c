/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refusals in the broker's log: one line for each key in a minute, with all that an
 * administrator needs. */
#include "fixture.h"

#include "control/broker/denials-private.h"

#include <string.h>
#include <unistd.h>

#define MINUTE (60 * G_USEC_PER_SEC)
#define INSTANCE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
test_rate (void)
{
  Denials denials;
  guint64 others = 77;
  gint64 now = 5;

  denials_init (&denials);
  g_assert_cmpstr (denials_note (&denials, "a", now, &others), ==, "a");
  g_assert_cmpuint (others, ==, 0);
  for (int i = 0; i < 200; i++)
    g_assert_null (denials_note (&denials, "a", now + i, &others));
  g_assert_nonnull (denials_note (&denials, "b", now, &others));
  g_assert_nonnull (denials_note (&denials, "a", now + MINUTE, &others));
  g_assert_cmpuint (others, ==, 200);
  g_assert_null (denials_note (&denials, "a", now + MINUTE + 1, &others));
  denials_clear (&denials);
}

/* Strangers with ever new keys fill neither the memory nor the log. */
static void
test_strangers (void)
{
  Denials denials;
  guint64 others;
  guint lines = 0;

  denials_init (&denials);
  for (int i = 0; i < 10000; i++) {
    g_autofree char *key = g_strdup_printf ("%d", i);
    lines += denials_note (&denials, key, 7, &others) != NULL;
  }
  g_assert_cmpuint (lines, ==, 256);
  /* later there is room again, and none is left out of the counts */
  g_assert_cmpstr (denials_note (&denials, "late", 7 + MINUTE, &others), ==,
      "late");
  for (int i = 0; i < 253; i++) {
    g_autofree char *key = g_strdup_printf ("new%d", i);
    denials_note (&denials, key, 7 + MINUTE, &others);
  }
  g_assert_cmpstr (denials_note (&denials, "over", 7 + MINUTE, &others), ==,
      "*");
  g_assert_cmpuint (others, ==, 10000 - 256);
  denials_clear (&denials);
}

typedef struct
{
  GMutex lock; /* guards the rest */
  guint n;
  char *name, *right, *key, *pid, *from; /* owned; of the last line */
  char *text; /* owned */
} Lines;

static Lines lines;
static guint n_unbound, n_controls, n_left; /* guarded by the same */

static char *
field (const GLogField *fields, gsize n_fields, const char *name)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, name) == 0)
      return g_strdup (fields[i].value);
  return NULL;
}

static gboolean
has_control (const char *text)
{
  for (const char *c = text; *c; c = g_utf8_next_char (c))
    if (g_unichar_iscntrl (g_utf8_get_char (c)))
      return TRUE;
  return FALSE;
}

static GLogWriterOutput
collect (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer user_data)
{
  g_autofree char *event = field (fields, n_fields, "DATAHUB_EVENT");

  g_autofree char *text = field (fields, n_fields, "MESSAGE");

  g_mutex_lock (&lines.lock);
  n_unbound += g_strcmp0 (event, "consume-unbound") == 0;
  n_left += g_strcmp0 (event, "consumer-removed") == 0;
  n_controls += text && has_control (text);
  g_mutex_unlock (&lines.lock);
  if (g_strcmp0 (event, "denied") != 0)
    return G_LOG_WRITER_HANDLED;
  g_mutex_lock (&lines.lock);
  lines.n++;
  g_free (lines.name);
  g_free (lines.right);
  g_free (lines.key);
  g_free (lines.pid);
  g_free (lines.from);
  g_free (lines.text);
  lines.name = field (fields, n_fields, "DATAHUB_NAME");
  lines.right = field (fields, n_fields, "DATAHUB_RIGHT");
  lines.key = field (fields, n_fields, "DATAHUB_KEY");
  lines.pid = field (fields, n_fields, "DATAHUB_PID");
  lines.from = field (fields, n_fields, "DATAHUB_ADDRESS");
  lines.text = field (fields, n_fields, "MESSAGE");
  g_mutex_unlock (&lines.lock);
  return G_LOG_WRITER_HANDLED;
}

/* The answer comes after the line. */
static void
test_line (void)
{
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];
  g_autoptr (DatahubBroker) broker = NULL;
  Raw *raw;

  raw_key_pair (public_key, secret_key);
  g_autofree char *list =
      g_strdup_printf ("{\"clients\":[{\"key\":\"%s\",\"consume\":[\"*\"]}]}",
          public_key);
  broker = fixture_broker (list);
  raw = raw_with_key (public_key, secret_key);
  raw_hello (raw, INSTANCE);
  for (int i = 0; i < 3; i++)
    raw_expect_error (raw, "register",
        json_pack ("{s:s, s:s, s:s}", "name", "cam0", "uuid", UUID_A, "caps",
            "x"),
        "denied");
  g_mutex_lock (&lines.lock);
  g_assert_cmpuint (lines.n, ==, 1);
  g_assert_cmpstr (lines.name, ==, "cam0");
  g_assert_cmpstr (lines.right, ==, "produce");
  g_assert_cmpstr (lines.key, ==, public_key);
  g_assert_nonnull (lines.pid);
  g_assert_cmpstr (lines.pid, !=, "0");
  g_mutex_unlock (&lines.lock);
  raw_free (raw);
}

/* One more key that is on no list; returns when it is refused. */
static void
add_stranger (void)
{
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];

  raw_key_pair (public_key, secret_key);
  Raw *raw = raw_with_key (public_key, secret_key);
  g_assert_cmpint (raw_handshake_event (raw, 30000), !=, 0);
  raw_free (raw);
}

static gboolean
has_line_of (const char *key)
{
  g_mutex_lock (&lines.lock);
  gboolean found = g_strcmp0 (lines.key, key) == 0;
  g_mutex_unlock (&lines.lock);
  return found;
}

/* A key that is on no list: the line has what is to be added to the list, and where the
 * client is. */
static void
test_stranger_line (void)
{
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];
  g_autofree char *bound = NULL, *own = NULL;
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED =
      fixture_broker_at ("{\"clients\":[]}", "tcp://127.0.0.1:*", &bound);

  raw_key_pair (public_key, secret_key);
  Raw *raw = raw_with_key (public_key, secret_key);
  fixture_wait_until (has_line_of (public_key));
  own = g_strdup_printf ("pid %d of user %u", (int) getpid (),
      (unsigned) geteuid ());
  g_mutex_lock (&lines.lock);
  g_assert_cmpstr (lines.from, ==, own);
  g_assert_cmpstr (lines.right, ==, "connect");
  g_assert_nonnull (strstr (lines.text, public_key));
  g_assert_nonnull (strstr (lines.text, own));
  g_mutex_unlock (&lines.lock);
  raw_free (raw);

  raw_key_pair (public_key, secret_key);
  raw = raw_with_key_at (bound, public_key, secret_key);
  fixture_wait_until (has_line_of (public_key));
  g_mutex_lock (&lines.lock);
  g_assert_cmpstr (lines.from, ==, "127.0.0.1");
  g_mutex_unlock (&lines.lock);
  raw_free (raw);
}

static void
test_unbound (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED =
      fixture_broker ("{\"clients\":[]}");
  Raw *raw = raw_own ();

  raw_hello (raw, INSTANCE);
  for (int i = 0; i < 3; i++)
    raw_expect_ok (raw, "register",
        json_pack ("{s:s, s:s, s:s}", "name", "cam0", "uuid", UUID_A, "caps",
            "x"));
  raw_expect_ok (raw, "register",
      json_pack ("{s:s, s:s, s:s, s:s, s:b}", "name", "cam1", "uuid", UUID_B,
          "caps", "x", "secret",
          "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
          "strict", 1));
  g_mutex_lock (&lines.lock);
  g_assert_cmpuint (n_unbound, ==, 1);
  g_mutex_unlock (&lines.lock);
  raw_free (raw);
}

static void
test_strangers_hide_nothing (void)
{
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];
  g_autoptr (DatahubBroker) broker = NULL;

  raw_key_pair (public_key, secret_key);
  g_autofree char *list =
      g_strdup_printf ("{\"clients\":[{\"key\":\"%s\",\"consume\":[\"*\"]}]}",
          public_key);
  broker = fixture_broker (list);
  for (int i = 0; i < 256; i++)
    add_stranger ();
  Raw *raw = raw_with_key (public_key, secret_key);
  raw_hello (raw, INSTANCE);
  raw_expect_error (raw, "register",
      json_pack ("{s:s, s:s, s:s}", "name", "cam1", "uuid", UUID_A, "caps",
          "x"),
      "denied");
  g_mutex_lock (&lines.lock);
  g_assert_cmpstr (lines.name, ==, "cam1");
  g_assert_cmpstr (lines.key, ==, public_key);
  g_mutex_unlock (&lines.lock);
  raw_free (raw);
}

#define FORGED "\n** (x): forged\r\033[2J\302\233"

/* The words of a client begin no line and control no terminal. */
static void
test_controls (void)
{
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];

  raw_key_pair (public_key, secret_key);
  g_autofree char *list = g_strdup_printf ("{\"clients\":[{\"key\":\"%s\","
                                           "\"produce\":[\"cam*\"]}]}",
      public_key);
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (list);
  Raw *raw = raw_with_key (public_key, secret_key);
  raw_hello (raw, INSTANCE);
  json_t *answer = raw_request (raw, "hello",
      json_pack ("{s:s, s:s, s:s, s:s, s:i}", "key", public_key, "instance",
          INSTANCE, "program", "p" FORGED, "host", "h" FORGED, "pid", 1));
  g_strlcpy (raw->epoch, json_string_value (json_object_get (answer, "epoch")),
      sizeof raw->epoch);
  json_decref (answer);
  raw_expect_ok (raw, "register",
      json_pack ("{s:s, s:s, s:s}", "name", "cam0", "uuid", UUID_A, "caps",
          "x"));
  raw_expect_ok (raw, "consumer-joined",
      json_pack ("{s:s, s:s, s:s, s:s}", "name", "cam0", "uuid", UUID_A,
          "consumer", "5", "label", "l" FORGED));
  raw_expect_ok (raw, "consumer-left",
      json_pack ("{s:s, s:s, s:s, s:s}", "name", "cam0", "uuid", UUID_A,
          "consumer", "5", "reason", "r" FORGED));
  raw_expect_error (raw, "register",
      json_pack ("{s:s, s:s, s:s}", "name", "mic0", "uuid", UUID_B, "caps",
          "x"),
      "denied");
  g_mutex_lock (&lines.lock);
  g_assert_cmpstr (lines.name, ==, "mic0");
  g_assert_nonnull (strstr (lines.from, "p?** (x): forged??[2J??"));
  g_assert_false (has_control (lines.from));
  g_assert_cmpuint (n_left, ==, 1);
  g_assert_cmpuint (n_controls, ==, 0);
  g_mutex_unlock (&lines.lock);
  raw_free (raw);
}

static void
add_tests (void)
{
  fixture_add ("/broker/denials/rate", test_rate);
  fixture_add ("/broker/denials/strangers", test_strangers);
  fixture_add ("/broker/denials/line", test_line);
  fixture_add ("/broker/denials/strangers-hide-nothing",
      test_strangers_hide_nothing);
  fixture_add ("/broker/denials/stranger-line", test_stranger_line);
  fixture_add ("/broker/denials/unbound", test_unbound);
  fixture_add ("/broker/denials/controls", test_controls);
}

int
main (int argc, char **argv)
{
  g_log_set_writer_func (collect, NULL, NULL);
  return fixture_main (&argc, &argv, add_tests);
}
