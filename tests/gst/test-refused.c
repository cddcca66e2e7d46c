/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each refusal of the broker is one message on the bus of each element. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"

#include <datahub/datahub.h>
#include <string.h>

/* A broker with an allow-list of one key, and files of keys. */
typedef struct
{
  DatahubBroker *broker; /* owned; NULL: none runs */
  gchar *endpoint, *server; /* owned; server: file of its public key */
  gchar *listed, *stranger; /* owned; files of secret keys */
} Place;

static gchar *
file_of (const gchar *name)
{
  return g_build_filename (g_getenv ("DATAHUB_RUNTIME_DIR"), name, NULL);
}

/* Returns the file of the secret key, and in @public_key the text of the other. */
static gchar *
make_key (const gchar *name, gchar public_key[DATAHUB_KEY_TEXT + 1])
{
  gchar *secret = file_of (name);
  g_autofree gchar *public = g_strconcat (secret, ".pub", NULL);
  fail_unless (datahub_keys_generate (secret, public, NULL));
  fail_unless (datahub_keys_load_public (public, public_key, NULL));
  return secret;
}

static void
place_init (Place *place)
{
  gchar key[DATAHUB_KEY_TEXT + 1], other[DATAHUB_KEY_TEXT + 1];
  g_autofree gchar *runtime = datahub_runtime_dir (NULL);
  g_autofree gchar *config = file_of ("allow.json");
  g_autofree gchar *text = NULL;
  fail_unless (runtime != NULL);
  place->endpoint = g_strdup_printf ("ipc://%s/broker.sock", runtime);
  place->listed = make_key ("listed", key);
  place->stranger = make_key ("stranger", other);
  text = g_strdup_printf ("{\"clients\":[{\"key\":\"%s\","
                          "\"consume\":[\"*\"],\"produce\":[\"mic*\"]}]}",
      key);
  fail_unless (g_file_set_contents_full (config, text, -1,
      G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  place->broker = datahub_broker_new ();
  fail_unless (datahub_broker_load_config (place->broker, config, NULL));
  fail_unless (datahub_broker_start (place->broker, NULL));
  place->server = file_of ("broker.pub");
  fail_unless (datahub_keys_load_public (place->server, key, NULL));
}

static void
place_clear (Place *place)
{
  g_clear_object (&place->broker);
  g_free (place->endpoint);
  g_free (place->server);
  g_free (place->listed);
  g_free (place->stranger);
}

/* An element that connects with these files; NULL: without. */
static GstElement *
start_element (const gchar *factory, const Place *place, const gchar *server,
    const gchar *key)
{
  GstElement *element = gst_element_factory_make (factory, NULL);
  g_autoptr (GstBus) bus = gst_bus_new ();
  gst_object_ref_sink (element);
  gst_element_set_bus (element, bus);
  g_object_set (element, "broker", place->endpoint, "curve-server-key", server,
      "curve-key-file", key, "datablock", "test", NULL);
  fail_unless (gst_element_set_state (element, GST_STATE_PAUSED)
      != GST_STATE_CHANGE_FAILURE);
  return element;
}

static void
stop_element (GstElement *element)
{
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (element);
}

static void
expect (GstElement *element, GstMessageType type, gint code, const gchar *word)
{
  g_autoptr (GstMessage) message =
      wait_message (element, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  fail_unless (GST_MESSAGE_TYPE (message) == type, "%s", error->message);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR, code), "%d: %s",
      error->code, error->message);
  fail_unless (strstr (error->message, word) != NULL, "%s", error->message);
  fail_unless (strstr (error->message, "\"test\"") != NULL);
}

/* Sink and source, and a second source on the same connection, which starts when
 * the problem is known. */
static void
expect_of_both (const Place *place, const gchar *server, const gchar *key,
    gint code, const gchar *word)
{
  GstElement *sink = start_element ("datahubsink", place, server, key);
  GstElement *src = start_element ("datahubsrc", place, server, key), *late;
  expect (sink, GST_MESSAGE_WARNING, code, word);
  expect (src, GST_MESSAGE_WARNING, code, word);
  late = start_element ("datahubsrc", place, server, key);
  expect (late, GST_MESSAGE_WARNING, code, word);
  stop_element (late);
  stop_element (src);
  stop_element (sink);
}

GST_START_TEST (a_key_that_is_not_listed)
{
  Place place;
  place_init (&place);
  expect_of_both (&place, place.server, place.stranger,
      GST_RESOURCE_ERROR_NOT_AUTHORIZED, "allow-list");
  place_clear (&place);
}
GST_END_TEST;

GST_START_TEST (a_wrong_server_key)
{
  Place place;
  g_autofree gchar *wrong = NULL;
  place_init (&place);
  wrong = g_strconcat (place.stranger, ".pub", NULL);
  expect_of_both (&place, wrong, place.listed,
      GST_RESOURCE_ERROR_NOT_AUTHORIZED, "server key");
  place_clear (&place);
}
GST_END_TEST;

GST_START_TEST (no_keys)
{
  Place place = { .endpoint = g_strdup ("tcp://127.0.0.1:1") };
  expect_of_both (&place, NULL, NULL, GST_RESOURCE_ERROR_NOT_AUTHORIZED,
      "curve-key-file");
  place_clear (&place);
}
GST_END_TEST;

GST_START_TEST (no_broker_there)
{
  Place place;
  place_init (&place);
  g_clear_object (&place.broker);
  expect_of_both (&place, place.server, place.listed, GST_RESOURCE_ERROR_BUSY,
      "no broker answers");
  place_clear (&place);
}
GST_END_TEST;

static void
expect_refused_sink (const gchar *properties, GstMessageType type)
{
  Place place;
  g_autofree gchar *all = NULL;
  GstHarness *sink;
  g_autoptr (GstBus) bus = gst_bus_new ();
  place_init (&place);
  all = g_strdup_printf ("broker=%s curve-server-key=%s curve-key-file=%s %s",
      place.endpoint, place.server, place.listed, properties);
  sink = number_sink (all);
  gst_element_set_bus (sink->element, bus);
  push_number (sink, 1);
  expect (sink->element, type, GST_RESOURCE_ERROR_NOT_AUTHORIZED, "produce");
  gst_element_set_bus (sink->element, NULL);
  gst_harness_teardown (sink);
  place_clear (&place);
}

/* The block is on this machine, so consumers find it by name. */
GST_START_TEST (a_key_without_the_right_to_produce)
{
  expect_refused_sink ("", GST_MESSAGE_WARNING);
}
GST_END_TEST;

GST_START_TEST (a_strict_block_that_no_consumer_can_read)
{
  expect_refused_sink ("strict=true", GST_MESSAGE_ERROR);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_key_that_is_not_listed);
  tcase_add_test (tc, a_wrong_server_key);
  tcase_add_test (tc, no_keys);
  tcase_add_test (tc, no_broker_there);
  tcase_add_test (tc, a_key_without_the_right_to_produce);
  tcase_add_test (tc, a_strict_block_that_no_consumer_can_read);
}

SANDBOX_MAIN (refused)
