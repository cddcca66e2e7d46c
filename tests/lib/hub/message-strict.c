/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages are read strictly; nothing that is sent survives as nonsense. */
#include "fixture.h"

#include "control/wire/message-private.h"
#include <string.h>

static void
assert_parse (const char *text, gboolean fine)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (json_t) message = message_parse (text, strlen (text), &error);

  if ((message != NULL) != fine)
    g_error ("%.60s… was %s", text, fine ? "refused" : "taken");
  if (!fine)
    g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL);
}

static void
test_parse (void)
{
  assert_parse ("{\"v\":1}", TRUE);
  assert_parse (" {\"v\":1, \"x\":[[[[]]]]} ", TRUE);
  /* Brackets in strings are no nesting. */
  assert_parse ("{\"v\":1,\"x\":\"[[[[[[[[[[[[[[\\\"[[[\"}", TRUE);

  assert_parse ("", FALSE);
  assert_parse ("nonsense", FALSE);
  assert_parse ("[]", FALSE);
  assert_parse ("\"v\"", FALSE);
  assert_parse ("{}", FALSE);
  assert_parse ("{\"v\":2}", FALSE);
  assert_parse ("{\"v\":\"1\"}", FALSE);
  assert_parse ("{\"v\":1.0}", FALSE);
  assert_parse ("{\"v\":99999999999999999999999}", FALSE);
  assert_parse ("{\"v\":1} {\"v\":1}", FALSE);
  assert_parse ("{\"v\":1}garbage", FALSE);
  assert_parse ("{\"v\":1,\"v\":1}", FALSE);
  assert_parse ("{\"v\":1,\"a\":{\"b\":1,\"b\":2}}", FALSE);
  assert_parse ("{\"v\":1,\"x\":[[[[[[[[]]]]]]]]}", FALSE);
  assert_parse ("{\"v\":1,\"x\":\"\xff\xfe\"}", FALSE);
  assert_parse ("{\"v\":1,\"x\":\"\\ud800\"}", FALSE);
  assert_parse ("{\"v\":1,", FALSE);
}

static void
test_parse_sizes (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *deep = g_strnfill (MESSAGE_MAX, '[');
  g_autofree char *large = g_strnfill (MESSAGE_MAX + 1, ' ');

  g_assert_null (message_parse (deep, MESSAGE_MAX, NULL));
  memcpy (large, "{\"v\":1}", 7);
  g_assert_null (message_parse (large, MESSAGE_MAX + 1, &error));
  g_assert_nonnull (strstr (error->message, "limit"));
  /* At the limit it is fine, so the limit is what refused it. */
  json_t *fine = message_parse (large, MESSAGE_MAX, NULL);
  g_assert_nonnull (fine);
  json_decref (fine);
  /* A zero byte does not end a message. */
  g_assert_null (message_parse ("{\"v\":1}\0x", 9, NULL));
}

static void
test_random_bytes (void)
{
  char bytes[256];
  static const char alphabet[] = "{}[]\",:\\v1 \n0-.eEtfnul\xc3\xa9\x80";
  g_autoptr (GRand) random = g_rand_new_with_seed (20240607);

  for (int round = 0; round < 200000; round++) {
    gsize size = (gsize) g_rand_int_range (random, 0, sizeof bytes);
    gboolean json_like = round & 1;
    for (gsize i = 0; i < size; i++)
      bytes[i] = json_like
          ? alphabet[g_rand_int_range (random, 0, sizeof alphabet - 1)]
          : (char) g_rand_int (random);
    json_t *message = message_parse (bytes, size, NULL);
    if (message)
      json_decref (message);
  }
}

static json_t *
object (const char *text)
{
  json_t *json = json_loads (text, 0, NULL);

  g_assert_nonnull (json);
  return json;
}

static void
test_fields (void)
{
  gint64 number;
  guint64 wide;
  gboolean present;
  guint8 secret[DATAHUB_SECRET_SIZE];
  g_autoptr (json_t) m = object (
      "{\"s\":\"text\",\"n\":7,\"u\":\"18446744073709551615\",\"neg\":\"-1\","
      "\"big\":\"18446744073709551616\",\"null\":null,\"name\":\"../x\","
      "\"uuid\":\"0123456789ABCDEF0123456789ABCDEF\",\"secret\":\"00\"}");
  g_autoptr (json_t) fine =
      object ("{\"name\":\"cam0\",\"secret\":\"000102030405060708090a0b0c0d0e0f"
              "101112131415161718191a1b1c1d1e1f\"}");

  g_assert_cmpstr (message_string (m, "s", 4, TRUE, NULL), ==, "text");
  g_assert_null (message_string (m, "s", 3, TRUE, NULL));
  g_assert_null (message_string (m, "n", 9, TRUE, NULL));
  g_assert_null (message_string (m, "null", 9, FALSE, NULL));
  g_assert_true (message_integer (m, "n", 7, 7, &number, NULL));
  g_assert_false (message_integer (m, "n", 8, 9, &number, NULL));
  g_assert_false (message_integer (m, "s", 0, 9, &number, NULL));
  g_assert_true (message_u64 (m, "u", &wide, NULL));
  g_assert_cmpuint (wide, ==, G_MAXUINT64);
  g_assert_false (message_u64 (m, "neg", &wide, NULL));
  g_assert_false (message_u64 (m, "big", &wide, NULL));
  g_assert_false (message_u64 (m, "n", &wide, NULL));
  g_assert_null (message_name (m, NULL));
  g_assert_null (message_uuid (m, NULL));
  g_assert_false (message_secret (m, secret, &present, NULL));

  g_assert_cmpstr (message_name (fine, NULL), ==, "cam0");
  g_assert_cmpstr (message_uuid (fine, NULL), ==, "");
  g_assert_true (message_secret (fine, secret, &present, NULL));
  g_assert_true (present);
  g_assert_cmpuint (secret[31], ==, 31);
}

static void
test_wiped (void)
{
  guint8 secret[DATAHUB_SECRET_SIZE] = { 1, 2, 3 };
  g_autoptr (json_t) m = json_object ();

  message_set_secret (m, secret);
  const char *text = json_string_value (json_object_get (m, "secret"));
  g_assert_cmpuint (strlen (text), ==, 2 * DATAHUB_SECRET_SIZE);
  message_wipe_secret (m);
  for (int i = 0; i < 2 * DATAHUB_SECRET_SIZE; i++)
    g_assert_cmpint (text[i], ==, 0);
}

static void
test_patterns (void)
{
  g_assert_true (pattern_matches ("*", "cam0"));
  g_assert_true (pattern_matches ("cam?", "cam0"));
  g_assert_true (pattern_matches ("c*0", "cam0"));
  g_assert_true (pattern_matches ("*a*m*", "cam0"));
  g_assert_false (pattern_matches ("cam", "cam0"));
  g_assert_false (pattern_matches ("cam??", "cam0"));
  g_assert_false (pattern_matches ("mic*", "cam0"));
  g_assert_false (pattern_matches ("", "cam0"));
  g_assert_true (pattern_is_valid ("cam-*_?.x"));
  g_assert_false (pattern_is_valid (""));
  g_assert_false (pattern_is_valid ("cam/0"));
  g_assert_false (pattern_is_valid ("[a]"));
}

/* The pattern that makes a careless matcher take for ever. */
static void
test_pattern_is_quick (void)
{
  g_autofree char *name = g_strnfill (DATAHUB_CHANNEL_MAX, 'a');
  g_autoptr (GString) pattern = g_string_new (NULL);
  gint64 started = g_get_monotonic_time ();

  while (pattern->len < PATTERN_MAX - 2)
    g_string_append (pattern, "*a");
  g_string_append (pattern, "*b");
  for (int i = 0; i < 1000; i++)
    g_assert_false (pattern_matches (pattern->str, name));
  g_assert_cmpint (fixture_ms_since (started), <, 5000);
}

static void
test_errors_travel (void)
{
  g_autoptr (GError) before = g_error_new (DATAHUB_HUB_ERROR,
      DATAHUB_HUB_ERROR_BUSY, "held by %s", "another");
  g_autoptr (json_t) message = message_error (before);
  g_autoptr (GError) after = message_to_error (message);

  g_assert_error (after, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY);
  g_assert_cmpstr (after->message, ==, before->message);
}

static void
add_tests (void)
{
  fixture_add ("/message/parse", test_parse);
  fixture_add ("/message/parse-sizes", test_parse_sizes);
  fixture_add ("/message/random-bytes", test_random_bytes);
  fixture_add ("/message/fields", test_fields);
  fixture_add ("/message/wiped", test_wiped);
  fixture_add ("/message/patterns", test_patterns);
  fixture_add ("/message/pattern-is-quick", test_pattern_is_quick);
  fixture_add ("/message/errors-travel", test_errors_travel);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
