/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words that say what matters most. */
#include "cli-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>

/* --- roles of children --- */

/* Attaches, and reads nothing. */
static int
stay (const char *name)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  DatahubError error;

  datahub_consumer_options_init (&options);
  options.reliable = true;
  if (datahub_consumer_attach (name, &options, &consumer, &error) != DATAHUB_OK)
    return 1;
  fixture_say ("stays");
  fixture_child_stay ();
  return 0;
}

/* Hosts the broker. */
static int
host (const char *argument)
{
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  DatahubHub *hub = datahub_hub_new (0);

  if (!datahub_hub_connect_to (hub, "auto", NULL, NULL, NULL)
      || !datahub_hub_wait_connected (hub, 20 * SECONDS, NULL, NULL))
    return 1;
  fixture_say ("hosts");
  fixture_child_stay ();
  g_object_unref (hub);
  return 0;
}

/* --- the tests --- */

/* Who was evicted shows no sign of life either, but that is not what ails it. */
static void
test_evicted (void)
{
  DatahubProducerOptions options;
  DatahubProducer *producer;
  DatahubProducerStats stats = { 0 };
  DatahubError error;
  DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_GAP };

  datahub_producer_options_init (&options);
  options.slots = 8;
  options.slot_size = 4096;
  options.block_timeout_ns = SECONDS / 100;
  g_assert_cmpint (datahub_producer_create ("cam0", &options, &producer,
                       &error),
      ==, DATAHUB_OK);
  g_assert_cmpint (datahub_producer_publish (producer, &error), ==, DATAHUB_OK);
  Child *consumer = fixture_spawn ("stay", "cam0");
  fixture_expect_line (consumer, "stays");
  fixture_stop (consumer);
  while (stats.evictions == 0) {
    g_assert_cmpint (datahub_producer_commit (producer, &record,
                         DATAHUB_FOREVER, NULL, &error),
        ==, DATAHUB_OK);
    datahub_producer_get_stats (producer, &stats);
  }
  for (gboolean stalled = FALSE; !stalled;) {
    g_auto (Result) seen = run ("inspect", "--json", "cam0", NULL);
    json_t *json = parse (&seen);
    json_t *row = json_array_get (json_object_get (json, "consumer-list"), 0);
    g_assert_nonnull (row);
    stalled = json_is_true (json_object_get (row, "stalled"));
    json_decref (json);
  }
  g_auto (Result) text = run ("inspect", "cam0", NULL);
  assert_says (text.out, "evicted");
  fixture_signal (consumer, SIGKILL);
  fixture_reap (consumer);
  datahub_producer_close (producer);
}

/* A line of the log is UTF-8, not octal numbers. */
static void
test_log (void)
{
  g_autofree char *former = g_strdup (g_getenv ("DATAHUB_RUNTIME_DIR"));
  g_autofree char *dir = g_build_filename (former, "kamera-…", NULL);
  const char *argv[] = { cli_command (), "broker", NULL };

  g_assert_cmpint (g_mkdir_with_parents (dir, 0700), ==, 0);
  g_setenv ("DATAHUB_RUNTIME_DIR", dir, TRUE);
  Child *broker = fixture_spawn_argv (argv);
  fixture_expect_line (broker, "kamera-…");
  fixture_signal (broker, SIGTERM);
  g_assert_cmpint (fixture_reap (broker), ==, 0);
  g_setenv ("DATAHUB_RUNTIME_DIR", former, TRUE);
}

/* A broker that stands still is no reason to list nothing. */
static void
test_list_beside_a_stopped_broker (void)
{
  DatahubProducer *producer = produce ("cam0");
  Child *broker = fixture_spawn ("host", "");

  fixture_expect_line (broker, "hosts");
  fixture_stop (broker);
  g_auto (Result) list = run ("list", NULL);
  g_assert_cmpint (list.code, ==, 0);
  assert_says (list.out, "cam0");
  assert_says (list.err, "found by name only");
  fixture_signal (broker, SIGKILL);
  fixture_reap (broker);
  datahub_producer_close (producer);
}

static void
add_tests (void)
{
  fixture_add ("/words/evicted", test_evicted);
  fixture_add ("/words/log", test_log);
  fixture_add ("/words/list-beside-a-stopped-broker",
      test_list_beside_a_stopped_broker);
}

int
main (int argc, char **argv)
{
  cli_init ();
  fixture_add_role ("stay", stay);
  fixture_add_role ("host", host);
  return fixture_main (&argc, &argv, add_tests);
}
