/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request may ask not to be answered, so that a notice wakes nobody but those
 * whom it is for. */
#include "fixture.h"

#include <string.h>

#define INSTANCE "cccccccccccccccccccccccccccccccc"

static json_t *
quiet_notice (const char *name)
{
  return json_pack ("{s:s, s:s, s:b}", "name", name, "topic", "caps", "quiet",
      1);
}

/* Sends a request without waiting for its answer. Returns: its id. */
static gint64
send_request (Raw *raw, const char *type, json_t *fields)
{
  json_t *message = fields ? fields : json_object ();
  char *text;

  json_object_set_new (message, "v", json_integer (1));
  json_object_set_new (message, "type", json_string (type));
  json_object_set_new (message, "id", json_integer (++raw->id));
  json_object_set_new (message, "epoch", json_string (raw->epoch));
  text = json_dumps (message, JSON_COMPACT);
  raw_send (raw, text, strlen (text));
  free (text);
  json_decref (message);
  return raw->id;
}

/* The next answer is of this type and to this request. */
static void
expect_answer (Raw *raw, const char *type, gint64 id)
{
  json_t *answer;

  while ((answer = raw_receive (raw, 10000))) {
    if (g_strcmp0 (json_string_value (json_object_get (answer, "type")),
            "event")
        != 0)
      break;
    json_decref (answer);
  }
  g_assert_nonnull (answer);
  g_assert_cmpstr (json_string_value (json_object_get (answer, "type")), ==,
      type);
  g_assert_cmpint (json_integer_value (json_object_get (answer, "id")), ==, id);
  json_decref (answer);
}

static void
test_success_is_not_answered (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *raw = raw_own ();

  raw_hello (raw, INSTANCE);
  raw_expect_ok (raw, "register",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A));
  send_request (raw, "notify", quiet_notice ("cam0"));
  expect_answer (raw, "reply", send_request (raw, "ping", NULL));
  raw_free (raw);
}

static void
test_refusal_is_answered (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Raw *raw = raw_own ();

  raw_hello (raw, INSTANCE);
  expect_answer (raw, "error",
      send_request (raw, "notify", quiet_notice ("nowhere")));
  raw_free (raw);
}

static void
add_tests (void)
{
  fixture_add ("/broker/quiet/success-is-not-answered",
      test_success_is_not_answered);
  fixture_add ("/broker/quiet/refusal-is-answered", test_refusal_is_answered);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
