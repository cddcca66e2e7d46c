/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refusals in the broker's log: one line for each key in a minute, with all that an
 * administrator needs. */
#include "fixture.h"

#include "control/broker/denials-private.h"

#include <string.h>

#define MINUTE (60 * G_USEC_PER_SEC)
#define INSTANCE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
test_rate (void)
{
  Denials denials;
  guint64 others = 77;
  gint64 now = 5;

  denials_init (&denials);
  g_assert_true (denials_note (&denials, "a", now, &others));
  g_assert_cmpuint (others, ==, 0);
  for (int i = 0; i < 200; i++)
    g_assert_false (denials_note (&denials, "a", now + i, &others));
  g_assert_true (denials_note (&denials, "b", now, &others));
  g_assert_true (denials_note (&denials, "a", now + MINUTE, &others));
  g_assert_cmpuint (others, ==, 200);
  g_assert_false (denials_note (&denials, "a", now + MINUTE + 1, &others));
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
    lines += denials_note (&denials, key, 7, &others);
  }
  g_assert_cmpuint (lines, <=, 256);
  g_assert_cmpuint (g_hash_table_size (denials.keys), <=, 256);
  /* later there is room again */
  g_assert_true (denials_note (&denials, "late", 7 + MINUTE, &others));
  denials_clear (&denials);
}

typedef struct
{
  GMutex lock; /* guards the rest */
  guint n;
  char *name, *right, *key, *pid; /* owned; of the last line */
} Lines;

static Lines lines;

static char *
field (const GLogField *fields, gsize n_fields, const char *name)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, name) == 0)
      return g_strdup (fields[i].value);
  return NULL;
}

static GLogWriterOutput
collect (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer user_data)
{
  g_autofree char *event = field (fields, n_fields, "DATAHUB_EVENT");

  if (g_strcmp0 (event, "denied") != 0)
    return G_LOG_WRITER_HANDLED;
  g_mutex_lock (&lines.lock);
  lines.n++;
  g_free (lines.name);
  g_free (lines.right);
  g_free (lines.key);
  g_free (lines.pid);
  lines.name = field (fields, n_fields, "DATAHUB_NAME");
  lines.right = field (fields, n_fields, "DATAHUB_RIGHT");
  lines.key = field (fields, n_fields, "DATAHUB_KEY");
  lines.pid = field (fields, n_fields, "DATAHUB_PID");
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

static void
add_tests (void)
{
  fixture_add ("/broker/denials/rate", test_rate);
  fixture_add ("/broker/denials/strangers", test_strangers);
  fixture_add ("/broker/denials/line", test_line);
  fixture_add ("/broker/denials/strangers-hide-nothing",
      test_strangers_hide_nothing);
}

int
main (int argc, char **argv)
{
  g_log_set_writer_func (collect, NULL, NULL);
  return fixture_main (&argc, &argv, add_tests);
}
