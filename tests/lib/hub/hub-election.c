/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One process of the user hosts the broker, a helper or one of the nodes; when it dies
 * another does, and everybody is found again. */
#include "common/speed.h"
#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_NODES 20
#define WHOLE_US (2 * G_USEC_PER_SEC)

static gboolean in_helper;

static void
node_found (DatahubHub *hub, const char *endpoint, gpointer user_data)
{
  fixture_say ("found");
}

/* A process with one block of its own; says when it finds a broker and, asked
 * by a line on its input, whether it hosts one. */
static int
node (const char *name)
{
  char byte;
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);

  g_signal_connect (hub, "broker-found", G_CALLBACK (node_found), NULL);
  datahub_hub_register_block (hub, name, UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  if (!datahub_hub_connect_to (hub, "auto", NULL, NULL, &error)) {
    fixture_say ("cannot connect: %s", error->message);
    return 1;
  }
  while (read (STDIN_FILENO, &byte, 1) == 1)
    fixture_say ("hosting %d", datahub_hub_is_hosting (hub));
  return 0;
}

static gboolean
is_hosting (Child *child)
{
  for (;;) {
    g_output_stream_write_all (g_subprocess_get_stdin_pipe (child->process),
        "?", 1, NULL, NULL, NULL);
    for (;;) {
      g_autofree char *line = fixture_read_line (child);
      g_assert_nonnull (line);
      if (g_str_has_prefix (line, "hosting"))
        return strcmp (line, "hosting 1") == 0;
    }
  }
}

/* The node that hosts the broker; -1: a helper. */
static int
find_host (DatahubHub *hub, Child **children, int n)
{
  BrokerPlace place = fixture_place (hub);
  int host = -1, hosts = 0;

  for (int i = 0; i < n; i++)
    if (children[i] && is_hosting (children[i])) {
      host = i;
      hosts++;
    }
  g_assert_cmpstr (place.kind, ==, in_helper ? "helper" : "process");
  g_assert_cmpint (hosts, ==, in_helper ? 0 : 1);
  if (!in_helper)
    g_assert_cmpint (place.pid, ==, children[host]->pid);
  return host;
}

static void
find_all (DatahubHub *hub, Child **children, int n)
{
  for (int i = 0; i < n; i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *name = g_strdup_printf ("node%d", i);
    if (!children[i])
      continue;
    g_autoptr (DatahubHubBlock) block =
        datahub_hub_find (hub, name, 10 * SECONDS, NULL, &error);
    g_assert_no_error (error);
    g_assert_cmpint (datahub_hub_block_get_pid (block), ==, children[i]->pid);
  }
}

static void
twenty_at_once (void)
{
  Child *children[N_NODES];
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);

  for (int i = 0; i < N_NODES; i++) {
    g_autofree char *name = g_strdup_printf ("node%d", i);
    children[i] = fixture_spawn ("node", name);
  }
  for (int i = 0; i < N_NODES; i++)
    fixture_expect_line (children[i], "found");
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, &error));
  find_all (hub, children, N_NODES);
  find_host (hub, children, N_NODES);
  for (int i = 0; i < N_NODES; i++)
    g_assert_cmpint (fixture_reap (children[i]), ==, 0);
}

static void
mark (DatahubHub *hub, gpointer detail, gboolean *seen)
{
  *seen = TRUE;
}

static void
kill_host (DatahubHub *hub, Child **children, int n)
{
  int host = find_host (hub, children, n);

  if (host < 0) {
    g_assert_cmpint (kill (fixture_place (hub).pid, SIGKILL), ==, 0);
    return;
  }
  fixture_kill (children[host]);
  children[host] = NULL;
}

static void
replace_killed (Child **children, int n)
{
  for (int i = 0; i < n; i++)
    if (!children[i]) {
      g_autofree char *name = g_strdup_printf ("node%d", i);
      children[i] = fixture_spawn_ready ("node", name, "found");
    }
}

/* Host after host is killed; each time all others are found again within two
 * seconds of the death. */
static void
host_killed (void)
{
  enum
  {
    N = 6
  };
  Child *children[N];
  const char *given = g_getenv ("DATAHUB_TEST_KILLS");
  int kills = given ? atoi (given) : 4;
  gboolean lost = FALSE;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);

  for (int i = 0; i < N; i++) {
    g_autofree char *name = g_strdup_printf ("node%d", i);
    children[i] = fixture_spawn ("node", name);
  }
  g_signal_connect (hub, "broker-lost", G_CALLBACK (mark), &lost);
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL));
  find_all (hub, children, N);
  for (int round = 0; round < kills; round++) {
    gint64 started = g_get_monotonic_time ();
    lost = FALSE;
    kill_host (hub, children, N);
    fixture_wait_until (lost);
    find_all (hub, children, N);
    gint64 took = g_get_monotonic_time () - started;
    g_test_message ("whole again after %d ms", (int) (took / 1000));
    g_assert_false (speed_is_over ((guint64) took, WHOLE_US));
    replace_killed (children, N);
    find_all (hub, children, N);
  }
  for (int i = 0; i < N; i++)
    if (children[i])
      g_assert_cmpint (fixture_reap (children[i]), ==, 0);
}

/* The same when the host leaves in peace. */
static void
test_host_leaves (void)
{
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  in_helper = FALSE;
  Child *children[3];
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);
  gboolean lost = FALSE;

  for (int i = 0; i < 3; i++) {
    g_autofree char *name = g_strdup_printf ("node%d", i);
    children[i] = fixture_spawn_ready ("node", name, "found");
  }
  g_signal_connect (hub, "broker-lost", G_CALLBACK (mark), &lost);
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL));
  find_all (hub, children, 3);
  int host = find_host (hub, children, 3);
  gint64 started = g_get_monotonic_time ();
  g_assert_cmpint (fixture_reap (children[host]), ==, 0);
  children[host] = NULL;
  fixture_wait_until (lost);
  find_all (hub, children, 3);
  g_assert_cmpint (fixture_ms_since (started), <, 2000);
  for (int i = 0; i < 3; i++)
    if (children[i])
      g_assert_cmpint (fixture_reap (children[i]), ==, 0);
}

/* Who only looks on never hosts. */
static void
test_monitor_never_hosts (void)
{
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) maker = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) monitor = fixture_hub (DATAHUB_HUB_MONITOR);
  gboolean lost = FALSE;

  g_assert_true (datahub_hub_is_hosting (maker));
  g_signal_connect (monitor, "broker-lost", G_CALLBACK (mark), &lost);
  g_clear_object (&maker);
  fixture_wait_until (lost);
  g_assert_false (datahub_hub_wait_connected (monitor, SECONDS, NULL, &error));
  g_assert_false (datahub_hub_is_hosting (monitor));
}

static gboolean
start (DatahubBroker *broker)
{
  g_autoptr (GError) error = NULL;
  gboolean started = datahub_broker_start (broker, &error);

  if (!started)
    g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY);
  return started;
}

static void
ask_to_yield (DatahubHub *hub)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *answer =
      datahub_hub_request (hub, "yield", NULL, 10 * SECONDS, NULL, &error);

  /* the answer is lost with the connection where the broker ends first */
  g_assert_true (answer
      || g_error_matches (error, DATAHUB_HUB_ERROR,
          DATAHUB_HUB_ERROR_DISCONNECTED));
}

/* Starts, or asks the next broker to make way. A node leaves the lock alone for 1.5 s; if
 * this process does not run for so long, the node hosts again. `datahub broker` asks
 * again as well. */
static gboolean
take_over (DatahubBroker *broker, DatahubHub *hub, gint64 *asked)
{
  if (start (broker))
    return TRUE;
  if (fixture_ms_since (*asked) > 2000 && datahub_hub_is_connected (hub)) {
    ask_to_yield (hub);
    *asked = g_get_monotonic_time ();
  }
  return FALSE;
}

/* An embedded broker makes way for a real one, and everybody moves over. */
static void
makes_way (void)
{
  Child *children[4];
  g_autoptr (DatahubHub) hub = NULL;
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();

  for (int i = 0; i < 4; i++) {
    g_autofree char *name = g_strdup_printf ("node%d", i);
    children[i] = fixture_spawn_ready ("node", name, "found");
  }
  g_assert_false (start (broker));
  hub = fixture_hub (DATAHUB_HUB_MONITOR);
  ask_to_yield (hub);
  gint64 asked = g_get_monotonic_time ();
  fixture_wait_until (take_over (broker, hub, &asked));
  find_all (hub, children, 4);
  for (int i = 0; i < 4; i++) {
    g_assert_false (is_hosting (children[i]));
    g_assert_cmpint (fixture_reap (children[i]), ==, 0);
  }
}

/* The time in which clients leave the lock alone is longer than the end of a broker that
 * has a client which does not read: 60 ms, libzmq's 200 ms and the gate's 300 ms. */
static void
test_hold (void)
{
  enum
  {
    LONGEST_END_MS = 560
  };
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  Raw *client = raw_own ();
  json_int_t hold = 0;

  raw_hello (client, UUID_A);
  ask_to_yield (hub);
  json_t *event = raw_event (client, "closing", 30000);
  g_assert_cmpint (json_unpack (event, "{s:I}", "hold-ms", &hold), ==, 0);
  g_assert_cmpint (hold, >, 2 * LONGEST_END_MS);
  json_decref (event);
  raw_free (client);
}

/* In one step: the broker looks at any time. */
static void
remove_runtime (const char *file)
{
  const char *runtime = g_getenv ("DATAHUB_RUNTIME_DIR");
  g_autofree char *path = g_build_filename (runtime, file, NULL);
  g_autofree char *name = g_strconcat ("gone-", file ? file : "all", NULL);
  g_autofree char *gone = fixture_file (name);

  g_assert_cmpint (g_rename (path, gone), ==, 0);
}

static gboolean
is_hosted_once (Child **children, int n)
{
  int hosts = 0;

  for (int i = 0; i < n; i++)
    hosts += is_hosting (children[i]);
  return hosts == (in_helper ? 0 : 1);
}

/* Another program removes what leads to the host, one file or the directory. A process
 * that comes then and the first one find each other. */
static void
files_removed (void)
{
  static const char *const lost[] = { NULL, "broker.sock", "broker.lock",
    "broker.key" };

  for (guint i = 0; i < G_N_ELEMENTS (lost); i++) {
    Child *children[2] = { fixture_spawn_ready ("node", "node0", "found") };
    g_assert_cmpint (is_hosting (children[0]), ==, !in_helper);
    remove_runtime (lost[i]);
    children[1] = fixture_spawn_ready ("node", "node1", "found");
    g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);
    g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL));
    find_all (hub, children, 2);
    fixture_wait_until (is_hosted_once (children, 2));
    for (int n = 0; n < 2; n++)
      g_assert_cmpint (fixture_reap (children[n]), ==, 0);
  }
}

/* All processes lose their broker at once, again and again: one of them hosts it, and
 * all are found. */
static void
directory_removed (void)
{
  enum
  {
    N = 6,
    TIMES = 3
  };
  Child *children[N];
  gboolean lost = FALSE;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);

  for (int i = 0; i < N; i++) {
    g_autofree char *name = g_strdup_printf ("node%d", i);
    children[i] = fixture_spawn ("node", name);
  }
  for (int i = 0; i < N; i++)
    fixture_expect_line (children[i], "found");
  g_signal_connect (hub, "broker-lost", G_CALLBACK (mark), &lost);
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL));
  find_all (hub, children, N);
  for (int round = 0; round < TIMES; round++) {
    g_autofree char *name = g_strdup_printf ("gone%d", round);
    g_autofree char *gone = fixture_file (name);
    lost = FALSE;
    g_assert_cmpint (g_rename (g_getenv ("DATAHUB_RUNTIME_DIR"), gone), ==, 0);
    fixture_wait_until (lost);
    find_all (hub, children, N);
    fixture_wait_until (is_hosted_once (children, N));
  }
  for (int i = 0; i < N; i++)
    g_assert_cmpint (fixture_reap (children[i]), ==, 0);
}

#define BOTH_WAYS(name)                                                        \
  static void test_##name##_helper (void)                                      \
  {                                                                            \
    in_helper = TRUE;                                                          \
    name ();                                                                   \
  }                                                                            \
  static void test_##name##_process (void)                                     \
  {                                                                            \
    g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);                         \
    in_helper = FALSE;                                                         \
    name ();                                                                   \
  }
BOTH_WAYS (twenty_at_once)
BOTH_WAYS (host_killed)
BOTH_WAYS (makes_way)
BOTH_WAYS (files_removed)
BOTH_WAYS (directory_removed)

static void
add_tests (void)
{
  fixture_add ("/hub/election/twenty-at-once", test_twenty_at_once_helper);
  fixture_add ("/hub/election/twenty-at-once-process",
      test_twenty_at_once_process);
  fixture_add ("/hub/election/host-killed", test_host_killed_helper);
  fixture_add ("/hub/election/host-killed-process", test_host_killed_process);
  fixture_add ("/hub/election/host-leaves", test_host_leaves);
  fixture_add ("/hub/election/monitor-never-hosts", test_monitor_never_hosts);
  fixture_add ("/hub/election/hold", test_hold);
  fixture_add ("/hub/election/makes-way", test_makes_way_helper);
  fixture_add ("/hub/election/makes-way-process", test_makes_way_process);
  fixture_add ("/hub/election/files-removed", test_files_removed_helper);
  fixture_add ("/hub/election/files-removed-process",
      test_files_removed_process);
  fixture_add ("/hub/election/directory-removed",
      test_directory_removed_helper);
  fixture_add ("/hub/election/directory-removed-process",
      test_directory_removed_process);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("node", node);
  return fixture_main (&argc, &argv, add_tests);
}
