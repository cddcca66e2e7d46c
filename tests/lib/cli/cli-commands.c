/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The `datahub` command, as a shell would use it. */
#include "cli-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void
test_help (void)
{
  static const char *const commands[] = { "broker", "list", "inspect", "doctor",
    "reclaim", "keygen" };
  g_auto (Result) help = run ("--help", NULL);
  g_auto (Result) version = run ("--version", NULL);
  g_auto (Result) none = run (NULL);

  g_assert_cmpint (help.code, ==, 0);
  assert_says (help.out, "Example:");
  g_assert_cmpint (version.code, ==, 0);
  assert_says (version.out, "datahub ");
  g_assert_cmpint (none.code, ==, 2);
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++) {
    g_auto (Result) own = run (commands[i], "--help", NULL);
    assert_says (help.out, commands[i]);
    g_assert_cmpint (own.code, ==, 0);
    assert_says (own.out, "Example:");
    assert_says (own.out, "Usage:");
  }
}

static void
test_usage (void)
{
  g_auto (Result) unknown = run ("lsit", NULL);
  g_auto (Result) option = run ("list", "--jsno", NULL);
  g_auto (Result) missing = run ("inspect", NULL);
  g_auto (Result) extra = run ("list", "extra", NULL);
  g_auto (Result) name = run ("inspect", "bad/name", NULL);

  g_assert_cmpint (unknown.code, ==, 2);
  assert_says (unknown.err, "\"lsit\"");
  g_assert_cmpint (option.code, ==, 2);
  assert_says (option.err, "--jsno");
  assert_says (option.err, "datahub list --help");
  g_assert_cmpint (missing.code, ==, 2);
  g_assert_cmpint (extra.code, ==, 2);
  g_assert_cmpint (name.code, ==, 2);
  /* What is wrong is said on standard error, and nothing on the other. */
  g_assert_cmpstr (unknown.out, ==, "");
  g_assert_cmpstr (option.out, ==, "");
}

static void
test_list_nothing (void)
{
  g_auto (Result) result = run ("list", NULL);

  g_assert_cmpint (result.code, ==, 0);
  assert_says (result.out, "No blocks.");
  assert_says (result.err, "no broker answers");
  g_assert_false (g_file_test (g_getenv ("DATAHUB_RUNTIME_DIR"),
      G_FILE_TEST_EXISTS));
}

static json_t *
only_block (json_t *json)
{
  json_t *blocks = json_object_get (json, "blocks");

  g_assert_cmpuint (json_array_size (blocks), ==, 1);
  return json_array_get (blocks, 0);
}

/* A block that no broker knows is found by name, and said to be. */
static void
test_list_by_name (void)
{
  DatahubProducer *producer = produce ("cam0");
  g_auto (Result) table = run ("list", "--broker", "none", NULL);
  g_auto (Result) result = run ("list", "--json", "--broker", "none", NULL);
  json_t *json = parse (&result);
  json_t *block = only_block (json);

  g_assert_cmpint (table.code, ==, 0);
  assert_says (table.out, "cam0");
  assert_says (table.out, "name only");
  g_assert_cmpstr (table.err, ==, "");
  g_assert_cmpstr (text_of (block, "name"), ==, "cam0");
  g_assert_cmpstr (text_of (block, "state"), ==, "ready");
  g_assert_true (json_is_false (json_object_get (block, "from-broker")));
  g_assert_true (json_is_true (json_object_get (block, "from-memory")));
  g_assert_cmpint (json_integer_value (json_object_get (block, "pid")), ==,
      getpid ());
  json_decref (json);
  datahub_producer_close (producer);
}

static void
test_list_by_broker (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  DatahubProducer *producer = produce ("cam0");

  datahub_hub_register_block (hub, "cam0", datahub_producer_get_uuid (producer),
      "video/x-raw\x1b[31m", NULL, DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) found G_GNUC_UNUSED =
      datahub_hub_find (hub, "cam0", 10 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  g_auto (Result) table = run ("list", NULL);
  g_auto (Result) result = run ("list", "--json", NULL);
  json_t *json = parse (&result);
  json_t *block = only_block (json);

  g_assert_true (json_is_true (json_object_get (json, "broker")));
  g_assert_cmpstr (json_string_value (json_object_get (json, "broker-kind")),
      ==, "helper");
  g_assert_cmpint (json_integer_value (json_object_get (json, "broker-pid")),
      ==, fixture_place (hub).pid);
  g_assert_true (json_is_true (json_object_get (block, "from-broker")));
  g_assert_true (json_is_true (json_object_get (block, "from-memory")));
  g_assert_cmpstr (table.err, ==, "");
  assert_says (table.out, "broker");
  /* Nothing that a producer wrote steers the terminal. */
  assert_says (table.out, "video/x-raw?[31m");
  g_assert_null (strchr (table.out, '\x1b'));
  json_decref (json);
  datahub_producer_close (producer);
}

static void
test_list_errors (void)
{
  g_auto (Result) endpoint = run ("list", "--broker", "nonsense", NULL);
  g_auto (Result) key = run ("list", "--broker", "tcp://127.0.0.1:1",
      "--server-key", "/no/such.pub", NULL);

  g_assert_cmpint (endpoint.code, ==, 1);
  assert_says (endpoint.err, "nonsense");
  g_assert_cmpint (key.code, ==, 1);
  assert_says (key.err, "/no/such.pub");

  g_assert_cmpint (g_mkdir (g_getenv ("DATAHUB_RUNTIME_DIR"), 0700), ==, 0);
  g_chmod (g_getenv ("DATAHUB_RUNTIME_DIR"), 0777);
  g_auto (Result) mode = run ("list", NULL);
  g_assert_cmpint (mode.code, ==, 1);
  assert_says (mode.err, "chmod 700");
}

/* Waits until the only consumer shows so. */
static gboolean
shows_stalled (const char *name, gboolean wanted)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  gboolean is = !wanted;

  while (is != wanted && g_get_monotonic_time () < end) {
    g_auto (Result) result = run ("inspect", name, "--json", NULL);
    json_t *json = parse (&result);
    json_t *row = json_array_get (json_object_get (json, "consumer-list"), 0);
    is = json_is_true (json_object_get (row, "stalled"));
    json_decref (json);
  }
  return is == wanted;
}

static void
test_inspect (void)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  DatahubError error;
  DatahubProducer *producer = produce ("cam0");

  datahub_consumer_options_init (&options);
  options.name = "pre\x1bview";
  options.reliable = true;
  g_assert_cmpint (datahub_consumer_attach ("cam0", &options, &consumer,
                       &error),
      ==, DATAHUB_OK);
  g_auto (Result) table = run ("inspect", "cam0", NULL);
  g_auto (Result) result = run ("inspect", "cam0", "--json", NULL);
  json_t *json = parse (&result);
  json_t *rows = json_object_get (json, "consumer-list");

  g_assert_cmpint (table.code, ==, 0);
  assert_says (table.out, datahub_producer_get_uuid (producer));
  assert_says (table.out, "pre?view");
  assert_says (table.out, "reliable");
  assert_says (table.out, "alive");
  g_assert_null (strchr (table.out, '\x1b'));
  g_assert_cmpstr (text_of (json, "name"), ==, "cam0");
  g_assert_cmpstr (text_of (json, "uuid"), ==,
      datahub_producer_get_uuid (producer));
  g_assert_cmpstr (text_of (json, "state"), ==, "ready");
  g_assert_cmpint (json_integer_value (json_object_get (json, "slots")), ==, 8);
  g_assert_cmpuint (json_array_size (rows), ==, 1);
  g_assert_cmpstr (text_of (json_array_get (rows, 0), "delivery"), ==,
      "reliable");
  g_assert_true (json_is_false (json_object_get (json_array_get (rows, 0),
      "stalled")));
  g_assert_true (json_is_integer (json_object_get (json_array_get (rows, 0),
      "latency-count")));
  json_decref (json);
  /* nobody reads: after a while that shows, and is undone by a sign of life */
  g_assert_true (shows_stalled ("cam0", TRUE));
  g_auto (Result) stalled = run ("inspect", "cam0", NULL);
  assert_says (stalled.out, "stalled");
  datahub_consumer_beat (consumer);
  g_assert_true (shows_stalled ("cam0", FALSE));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);

  g_auto (Result) missing = run ("inspect", "cam0", NULL);
  g_assert_cmpint (missing.code, ==, 3);
  g_assert_cmpstr (missing.out, ==, "");
  assert_says (missing.err, "cam0");
}

/* A producer that leaves its block behind. */
static int
abandon (const char *name)
{
  produce (name);
  fixture_say ("produced");
  fixture_child_stay ();
  return 0;
}

static guint
count_files (void)
{
  guint n = 0;
  const char *name;
  g_autoptr (GDir) dir = g_dir_open (g_getenv ("DATAHUB_SHM_DIR"), 0, NULL);

  while ((name = g_dir_read_name (dir)))
    n += strstr (name, "cam0") != NULL;
  return n;
}

static void
test_reclaim (void)
{
  Child *child = fixture_spawn_ready ("abandon", "cam0", "produced");
  g_auto (Result) alive = run ("reclaim", "--yes", NULL);
  g_assert_cmpint (alive.code, ==, 0);
  assert_says (alive.out, "Nothing to reclaim.");
  fixture_kill (child);

  g_auto (Result) dry = run ("reclaim", NULL);
  g_assert_cmpint (dry.code, ==, 0);
  assert_says (dry.out, "Nothing was removed");
  g_assert_cmpuint (count_files (), ==, 1);
  g_auto (Result) dead = run ("list", "--broker", "none", NULL);
  assert_says (dead.out, "dead");
  g_auto (Result) wet = run ("reclaim", "--yes", "--json", NULL);
  g_assert_cmpint (wet.code, ==, 0);
  json_t *json = parse (&wet);
  g_assert_true (json_is_true (json_object_get (json, "removed")));
  g_assert_cmpuint (json_array_size (json_object_get (json, "files")), >, 0);
  json_decref (json);
  g_assert_cmpuint (count_files (), ==, 0);
}

static void
test_keygen (void)
{
  g_autofree char *name = fixture_file ("client");
  g_autofree char *file = fixture_file ("client.key");
  char key[DATAHUB_KEY_TEXT + 1];
  g_auto (Result) made = run ("keygen", name, NULL);
  g_auto (Result) again = run ("keygen", name, NULL);

  g_assert_cmpint (made.code, ==, 0);
  g_assert_true (datahub_keys_load_secret (file, key, NULL));
  g_assert_null (strstr (made.out, key));
  g_assert_cmpint (again.code, ==, 1);
  assert_says (again.err, "exists already");
}

static Child *
start_broker (const char *option, const char *value)
{
  const char *argv[] = { cli_command (), "broker", option, value, NULL };

  return fixture_spawn_argv (argv);
}

static void
test_broker_stops (void)
{
  static const int signals[] = { SIGTERM, SIGINT };
  g_autofree char *path = fixture_file ("run/broker.sock");

  for (guint i = 0; i < G_N_ELEMENTS (signals); i++) {
    Child *broker = start_broker (NULL, NULL);
    fixture_expect_line (broker, "event=serving");
    g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
    fixture_signal (broker, signals[i]);
    fixture_expect_line (broker, "event=stopped");
    g_assert_cmpint (fixture_reap (broker), ==, 0);
    g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  }
}

static void
test_broker_reloads (void)
{
  g_autofree char *list = fixture_file ("clients.json");

  fixture_write (list, "{\"clients\":[]}", 0600);
  Child *broker = start_broker ("--config", list);
  fixture_expect_line (broker, "event=serving");
  fixture_signal (broker, SIGHUP);
  fixture_expect_line (broker, "event=reload ");
  fixture_write (list, "{\"clients\":[{}]}", 0600);
  fixture_signal (broker, SIGHUP);
  fixture_expect_line (broker, "event=reload-failed");
  fixture_signal (broker, SIGTERM);
  g_assert_cmpint (fixture_reap (broker), ==, 0);

  g_auto (Result) refused = run ("broker", "--config", list, NULL);
  g_assert_cmpint (refused.code, ==, 1);
  assert_says (refused.err, list);
}

/* Another program removes the files of a broker, which begins anew: new clients find
 * it. It has its key, which remote clients have a copy of. */
static void
test_broker_files_removed (void)
{
  g_autofree char *runtime = fixture_file ("run");
  g_autofree char *gone = fixture_file ("gone");
  g_autofree char *key = fixture_file ("run/broker.key");
  g_autofree char *before = NULL, *after = NULL;
  Child *broker = start_broker (NULL, NULL);

  fixture_expect_line (broker, "event=serving");
  g_assert_true (g_file_get_contents (key, &before, NULL, NULL));
  g_assert_cmpint (g_rename (runtime, gone), ==, 0);
  fixture_expect_line (broker, "event=files-lost");
  fixture_expect_line (broker, "event=serving");
  g_assert_true (g_file_get_contents (key, &after, NULL, NULL));
  g_assert_cmpstr (before, ==, after);
  g_assert_cmpint (g_unlink (key), ==, 0);
  fixture_expect_line (broker, "it was made again");
  g_clear_pointer (&after, g_free);
  g_assert_true (g_file_get_contents (key, &after, NULL, NULL));
  g_assert_cmpstr (before, ==, after);
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
  fixture_round_trip (hub);
  fixture_signal (broker, SIGTERM);
  fixture_expect_line (broker, "event=stopped");
  g_assert_cmpint (fixture_reap (broker), ==, 0);
}

/* Another broker has made the files by then: the first one waits for its end, and
 * begins once. */
static void
test_broker_files_of_another (void)
{
  g_autofree char *runtime = fixture_file ("run");
  g_autofree char *gone = fixture_file ("gone");
  g_autofree char *again = fixture_file ("again");
  Child *broker = start_broker ("--wait", NULL);

  fixture_expect_line (broker, "event=serving");
  fixture_stop (broker);
  g_assert_cmpint (g_rename (runtime, gone), ==, 0);
  g_autoptr (DatahubBroker) other = fixture_broker (NULL);
  fixture_signal (broker, SIGCONT);
  fixture_expect_line (broker, "event=files-lost");
  fixture_expect_line (broker, "event=waiting");
  datahub_broker_stop (other);
  fixture_expect_line (broker, "event=serving");
  g_assert_cmpint (g_rename (runtime, again), ==, 0);
  fixture_expect_line (broker, "event=files-lost");
  fixture_expect_line (broker, "event=serving");
  fixture_signal (broker, SIGTERM);
  fixture_expect_line (broker, "event=stopped");
  g_assert_cmpint (fixture_reap (broker), ==, 0);
}

static int
uptime_ms (DatahubHub *hub)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *answer =
      datahub_hub_request (hub, "stats", NULL, 10 * SECONDS, NULL, &error);

  g_assert_no_error (error);
  const char *value = strstr (answer, "\"uptime-ms\":");
  g_assert_nonnull (value);
  return atoi (value + strlen ("\"uptime-ms\":"));
}

/* The files cannot be made again: the broker serves its clients and reports the loss
 * once, until they can. */
static void
test_broker_files_lost (void)
{
  g_autofree char *runtime = fixture_file ("run");
  g_autofree char *gone = fixture_file ("gone");
  Child *broker = start_broker (NULL, NULL);

  fixture_expect_line (broker, "event=serving");
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
  fixture_round_trip (hub);
  fixture_stop (broker);
  g_assert_cmpint (g_rename (runtime, gone), ==, 0);
  fixture_write (runtime, "a file", 0600);
  fixture_signal (broker, SIGCONT);
  fixture_expect_line (broker, "cannot be made again here");
  int looks = uptime_ms (hub) + 3 * 400;
  fixture_wait_until (uptime_ms (hub) > looks);
  g_assert_cmpint (g_unlink (runtime), ==, 0);
  for (gboolean ended = FALSE; !ended;) {
    g_autofree char *line = fixture_read_line (broker);
    g_assert_nonnull (line);
    g_assert_null (strstr (line, "cannot be made again"));
    ended = strstr (line, "the broker ends") != NULL;
  }
  fixture_expect_line (broker, "event=serving");
  fixture_signal (broker, SIGTERM);
  g_assert_cmpint (fixture_reap (broker), ==, 0);
}

static void
allow_descriptors (int pid, rlim_t n)
{
  struct rlimit limit;

  g_assert_cmpint (prlimit (pid, RLIMIT_NOFILE, NULL, &limit), ==, 0);
  limit.rlim_cur = MIN (n, limit.rlim_max);
  g_assert_cmpint (prlimit (pid, RLIMIT_NOFILE, &limit, NULL), ==, 0);
}

/* Until a line with @text; before it none has @other. */
static void
expect_without (Child *broker, const char *text, const char *other)
{
  for (gboolean found = FALSE; !found;) {
    g_autofree char *line = fixture_read_line (broker);
    g_assert_nonnull (line);
    found = strstr (line, text) != NULL;
    g_assert_true (found || !strstr (line, other));
  }
}

/* Its files were removed, and what a start needs is not there: the broker goes on
 * trying, and logs each reason once. */
static void
test_broker_tries_again (void)
{
  g_autofree char *lock = fixture_file ("run/broker.lock");
  Child *broker = start_broker (NULL, NULL);

  fixture_expect_line (broker, "event=serving");
  allow_descriptors (broker->pid, 55);
  g_assert_cmpint (g_unlink (lock), ==, 0);
  fixture_expect_line (broker, "goes on trying: the broker cannot start");
  for (int tries = 0; tries < 3; tries++)
    fixture_wait_until (g_unlink (lock) == 0); /* each makes it again */
  allow_descriptors (broker->pid, 54);
  expect_without (broker, "ulimit -n, is 54)", "goes on trying");
  allow_descriptors (broker->pid, RLIM_INFINITY);
  expect_without (broker, "event=serving", "goes on trying");
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
  fixture_round_trip (hub);
  fixture_signal (broker, SIGTERM);
  g_assert_cmpint (fixture_reap (broker), ==, 0);
}

static void
test_broker_refused (void)
{
  Child *broker = start_broker (NULL, NULL);

  fixture_expect_line (broker, "event=serving");
  g_auto (Result) second = run ("broker", NULL);
  g_assert_cmpint (second.code, ==, 1);
  g_autofree char *pid = g_strdup_printf ("pid %d", broker->pid);
  assert_says (second.err, pid);

  /* One that waits takes over when the first is killed. */
  Child *heir = start_broker ("--wait", NULL);
  fixture_expect_line (heir, "event=waiting");
  fixture_kill (broker);
  fixture_expect_line (heir, "event=serving");
  fixture_signal (heir, SIGTERM);
  g_assert_cmpint (fixture_reap (heir), ==, 0);

  g_auto (Result) endpoint = run ("broker", "--endpoint", "nonsense", NULL);
  g_assert_cmpint (endpoint.code, ==, 1);
  assert_says (endpoint.err, "nonsense");
}

/* A real broker replaces an embedded one, and its clients move over. */
static void
take_over (gboolean in_helper)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);

  g_assert_cmpint (datahub_hub_is_hosting (hub), ==, !in_helper);
  datahub_hub_register_block (hub, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  Child *broker = start_broker (NULL, NULL);
  fixture_expect_line (broker, "event=take-over");
  fixture_expect_line (broker, "event=serving");
  fixture_wait_until (!datahub_hub_is_hosting (hub));
  g_autoptr (DatahubHub) other = fixture_hub (DATAHUB_HUB_MONITOR);
  g_autoptr (DatahubHubBlock) block G_GNUC_UNUSED =
      datahub_hub_find (other, "cam0", 10 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (datahub_hub_is_hosting (hub));
  g_assert_cmpstr (fixture_place (other).kind, ==, "standalone");
  fixture_signal (broker, SIGTERM);
  fixture_expect_line (broker, "event=stopped");
  g_assert_cmpint (fixture_reap (broker), ==, 0);
}

static void
test_broker_takes_over (void)
{
  take_over (TRUE);
}

static void
test_broker_takes_over_process (void)
{
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  take_over (FALSE);
}

static void
add_tests (void)
{
  fixture_add ("/cli/help", test_help);
  fixture_add ("/cli/usage", test_usage);
  fixture_add ("/cli/list-nothing", test_list_nothing);
  fixture_add ("/cli/list-by-name", test_list_by_name);
  fixture_add ("/cli/list-by-broker", test_list_by_broker);
  fixture_add ("/cli/list-errors", test_list_errors);
  fixture_add ("/cli/inspect", test_inspect);
  fixture_add ("/cli/reclaim", test_reclaim);
  fixture_add ("/cli/keygen", test_keygen);
  fixture_add ("/cli/broker-stops", test_broker_stops);
  fixture_add ("/cli/broker-reloads", test_broker_reloads);
  fixture_add ("/cli/broker-tries-again", test_broker_tries_again);
  fixture_add ("/cli/broker-refused", test_broker_refused);
  fixture_add ("/cli/broker-files-removed", test_broker_files_removed);
  fixture_add ("/cli/broker-files-of-another", test_broker_files_of_another);
  fixture_add ("/cli/broker-files-lost", test_broker_files_lost);
  fixture_add ("/cli/broker-takes-over", test_broker_takes_over);
  fixture_add ("/cli/broker-takes-over-process",
      test_broker_takes_over_process);
}

int
main (int argc, char **argv)
{
  cli_init ();
  fixture_add_role ("abandon", abandon);
  return fixture_main (&argc, &argv, add_tests);
}
