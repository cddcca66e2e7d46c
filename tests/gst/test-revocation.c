/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The allow-list of a broker takes the right to a strict block from a key. What was
 * granted ends, for a process that goes on reading too; the others lose nothing. */
#include "numbers.h"
#include "sandbox.h"
#include "until.h"

#include <datahub/datahub.h>
#include <string.h>

/* Numbers that a consumer has read before the list changes, and after it. */
#define BEFORE 5u
#define AFTER 20u

enum
{
  PRODUCER,
  VIEWER,
  OTHER,
  N_KEYS
};

typedef struct
{
  DatahubBroker *broker; /* owned, as what follows */
  gchar *endpoint, *server, *config;
  gchar *files[N_KEYS];
  gchar keys[N_KEYS][DATAHUB_KEY_TEXT + 1];
} Place;

static gchar *
file_of (const gchar *name)
{
  return g_build_filename (g_getenv ("DATAHUB_RUNTIME_DIR"), name, NULL);
}

/* @word: the right of the viewer to all names. */
static void
load (Place *place, const gchar *word)
{
  g_autofree gchar *text = g_strdup_printf (
      "{\"clients\":[{\"key\":\"%s\",\"produce\":[\"*\"]},"
      "{\"key\":\"%s\",\"%s\":[\"*\"]},{\"key\":\"%s\",\"consume\":[\"*\"]}]}",
      place->keys[PRODUCER], place->keys[VIEWER], word, place->keys[OTHER]);
  fail_unless (g_file_set_contents_full (place->config, text, -1,
      G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  fail_unless (datahub_broker_load_config (place->broker, place->config, NULL));
}

static void
place_init (Place *place)
{
  static const gchar *const names[] = { "producer", "viewer", "other" };
  g_autofree gchar *runtime = datahub_runtime_dir (NULL);
  fail_unless (runtime != NULL);
  place->endpoint = g_strdup_printf ("ipc://%s/broker.sock", runtime);
  place->config = file_of ("allow.json");
  for (guint i = 0; i < N_KEYS; i++) {
    g_autofree gchar *public =
        g_strconcat (runtime, "/", names[i], ".pub", NULL);
    place->files[i] = file_of (names[i]);
    fail_unless (datahub_keys_generate (place->files[i], public, NULL));
    fail_unless (datahub_keys_load_public (public, place->keys[i], NULL));
  }
  place->broker = datahub_broker_new ();
  load (place, "consume");
  fail_unless (datahub_broker_start (place->broker, NULL));
  place->server = file_of ("broker.pub");
}

static void
place_clear (Place *place)
{
  g_clear_object (&place->broker);
  g_free (place->endpoint);
  g_free (place->server);
  g_free (place->config);
  for (guint i = 0; i < N_KEYS; i++)
    g_free (place->files[i]);
}

static gchar *
options_of (const Place *place, guint key, const gchar *more)
{
  return g_strdup_printf ("broker=%s curve-server-key=%s curve-key-file=%s %s",
      place->endpoint, place->server, place->files[key], more);
}

static DatahubHub *
hub_of (const Place *place, guint key)
{
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  g_autoptr (GError) error = NULL;
  fail_unless (datahub_hub_connect_to (hub, place->endpoint, place->server,
                   place->files[key], &error),
      "%s", error ? error->message : "");
  fail_unless (datahub_hub_wait_connected (hub, 30 * GST_SECOND, NULL, &error),
      "%s", error ? error->message : "");
  return hub;
}

/* A process that does with its ticket what it likes: it reads the block that it was
 * given, and follows no other. */
static DatahubConsumer *
attach (DatahubHub *hub)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  DatahubError error = { 0 };
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, "test", 30 * GST_SECOND, NULL, NULL);
  fail_unless (block && datahub_hub_block_get_ticket (block) != NULL);
  datahub_consumer_options_init (&options);
  options.ticket = datahub_hub_block_get_ticket (block);
  options.start = DATAHUB_START_OLDEST;
  fail_unless (datahub_consumer_attach ("test", &options, &consumer, &error)
          == DATAHUB_OK,
      "%s", error.message);
  return consumer;
}

/* Reads to the end of the block. Returns the last number of it. */
static guint32
read_rest (DatahubConsumer *consumer)
{
  guint32 last = 0;
  for (;;) {
    DatahubView view;
    DatahubError error = { 0 };
    DatahubResult result =
        datahub_consumer_begin_read (consumer, 30 * GST_SECOND, &view, &error);
    if (result == DATAHUB_CLOSED)
      return last;
    fail_unless (result == DATAHUB_OK, "%s", error.message);
    if (view.type == DATAHUB_RECORD_BUFFER)
      memcpy (&last, view.memories[0].data, sizeof last);
    datahub_consumer_end_read (consumer, &view);
  }
}

GST_START_TEST (a_right_that_was_taken_ends_what_was_granted)
{
  Place place = { 0 };
  g_autofree gchar *sink_options = NULL, *src_options = NULL;
  GstHarness *sink, *src;
  DatahubHub *hub;
  DatahubConsumer *viewer;
  g_autoptr (DatahubHubBlock) block = NULL;
  guint32 next = 0, taken = 0, last;
  gint64 since;
  place_init (&place);
  sink_options = options_of (&place, PRODUCER, "strict=true");
  src_options = options_of (&place, OTHER, "delivery=reliable start-at=oldest");
  sink = number_sink (sink_options);
  push_number (sink, next++);
  src = harness_src (src_options);
  hub = hub_of (&place, VIEWER);
  viewer = attach (hub);
  while (next < BEFORE)
    push_number (sink, next++);
  while (taken < next)
    fail_unless_equals_int (take_number (src, NULL), taken++);

  since = g_get_monotonic_time ();
  load (&place, "observe");
  UNTIL ((push_number (sink, next++),
      element_stat (sink->element, "renewals") > 0));
  last = next;
  GST_INFO ("another block after %d ms",
      (gint) ((g_get_monotonic_time () - since) / 1000));
  while (next < last + AFTER)
    push_number (sink, next++);
  /* those that may read it lose nothing */
  while (taken < next)
    fail_unless_equals_int (take_number (src, NULL), taken++);
  /* the last one before the renewal was looked for after it was pushed */
  fail_unless (read_rest (viewer) < last);
  block = datahub_hub_find (hub, "test", 30 * GST_SECOND, NULL, NULL);
  fail_unless (block && !datahub_hub_block_get_ticket (block));
  datahub_consumer_close (viewer);
  g_object_unref (hub);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
  place_clear (&place);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_right_that_was_taken_ends_what_was_granted);
}

SANDBOX_MAIN (revocation)
