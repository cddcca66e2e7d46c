/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker dies, stops or is not the one it should be: noticed in time, told
 * once, and healed. */
#include "fixture.h"

#include "control/wire/keys-private.h"
#include <signal.h>
#include <string.h>

/* A broker that can be killed. */
static int
serve (const char *argument)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();

  if (!datahub_broker_start (broker, &error)) {
    fixture_say ("cannot serve: %s", error->message);
    return 1;
  }
  fixture_say ("serving");
  fixture_child_stay ();
  return 0;
}

static Child *
start_broker (void)
{
  Child *child = fixture_spawn_ready ("serve", "-", "serving");
  return child;
}

typedef struct
{
  int lost, found, added, removed;
  GError *error;
} Heard;

static void
broker_lost (DatahubHub *hub, GError *error, Heard *heard)
{
  heard->lost++;
  g_clear_error (&heard->error);
  heard->error = g_error_copy (error);
}

static void
broker_found (DatahubHub *hub, const char *endpoint, Heard *heard)
{
  g_assert_true (g_str_has_prefix (endpoint, "ipc://"));
  heard->found++;
}

static void
block_added (DatahubHub *hub, DatahubHubBlock *block, Heard *heard)
{
  heard->added++;
}

static void
block_removed (DatahubHub *hub, DatahubHubBlock *block, const char *reason,
    Heard *heard)
{
  heard->removed++;
}

/* A hub that never hosts, so that only the test's broker counts. */
static DatahubHub *
listen (Heard *heard)
{
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_MONITOR);

  g_signal_connect (hub, "broker-lost", G_CALLBACK (broker_lost), heard);
  g_signal_connect (hub, "broker-found", G_CALLBACK (broker_found), heard);
  g_signal_connect (hub, "block-added", G_CALLBACK (block_added), heard);
  g_signal_connect (hub, "block-removed", G_CALLBACK (block_removed), heard);
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL));
  return hub;
}

static void
test_killed_and_restarted (void)
{
  Heard heard = { 0 };
  g_autoptr (GError) error = NULL;
  Child *broker = start_broker ();
  g_autoptr (DatahubHub) hub = listen (&heard);

  datahub_hub_register_block (hub, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.found == 1 && heard.added == 1);
  gint64 started = g_get_monotonic_time ();
  fixture_signal (broker, SIGKILL);
  fixture_wait_until (heard.lost == 1);
  g_assert_cmpint (fixture_ms_since (started), <, 2000);
  g_assert_error (heard.error, DATAHUB_HUB_ERROR,
      DATAHUB_HUB_ERROR_DISCONNECTED);
  g_assert_false (datahub_hub_is_connected (hub));
  fixture_reap (broker);

  broker = start_broker ();
  fixture_wait_until (heard.found == 2);
  /* What was registered is registered again, by nobody's asking; and listeners
   * see a change of brokers, not of blocks. */
  g_autoptr (DatahubHubBlock) block G_GNUC_UNUSED =
      datahub_hub_find (hub, "cam0", 10 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (heard.added, ==, 1);
  g_assert_cmpint (heard.removed, ==, 0);
  g_assert_cmpint (heard.lost, ==, 1);
  fixture_kill (broker);
  fixture_wait_until (heard.lost == 2);
  g_clear_error (&heard.error);
}

static void
test_stopped (void)
{
  Heard heard = { 0 };
  Child *broker = start_broker ();
  g_autoptr (DatahubHub) hub G_GNUC_UNUSED = listen (&heard);

  fixture_wait_until (heard.found == 1);
  gint64 started = g_get_monotonic_time ();
  fixture_stop (broker);
  fixture_wait_until (heard.lost == 1);
  g_assert_cmpint (fixture_ms_since (started), <, 2000);
  fixture_signal (broker, SIGCONT);
  fixture_wait_until (heard.found == 2);
  g_assert_cmpint (fixture_reap (broker), ==, 0);
  fixture_wait_until (heard.lost == 2);
  g_clear_error (&heard.error);
}

static void
ended (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (datahub_hub_request_finish (DATAHUB_HUB (source), result,
      &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DISCONNECTED);
  ++*(int *) user_data;
}

/* A request that was sent ends with the connection, once, long before its own
 * timeout. */
static void
test_request_ends (void)
{
  Heard heard = { 0 };
  int times = 0;
  Child *broker = start_broker ();
  g_autoptr (DatahubHub) hub = listen (&heard);

  fixture_wait_until (heard.found == 1);
  fixture_stop (broker);
  gint64 started = g_get_monotonic_time ();
  datahub_hub_request_async (hub, "stats", NULL, 60 * SECONDS, NULL, ended,
      &times);
  fixture_wait_until (times == 1);
  g_assert_cmpint (fixture_ms_since (started), <, 2500);
  fixture_signal (broker, SIGCONT);
  fixture_wait_until (heard.found == 2);
  g_autofree char *answer =
      datahub_hub_request (hub, "ping", NULL, 10 * SECONDS, NULL, NULL);
  g_assert_nonnull (answer);
  g_assert_cmpint (times, ==, 1);
  g_assert_cmpint (fixture_reap (broker), ==, 0);
  fixture_wait_until (heard.lost == 2);
  g_clear_error (&heard.error);
}

#define MORE_THAN_THE_QUEUE 12000

static void
lost_or_cancelled (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (datahub_hub_request_finish (DATAHUB_HUB (source), result,
      &error));
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DISCONNECTED);
  ++*(int *) user_data;
}

/* A connection that takes no more requests, or has just ended, is no reason to
 * refuse one: it waits for room or for the next connection. */
static void
test_full_queue (void)
{
  Heard heard = { 0 };
  int times = 0;
  Child *broker = start_broker ();
  g_autoptr (DatahubHub) hub = listen (&heard);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  fixture_wait_until (heard.found == 1);
  fixture_stop (broker);
  for (int i = 0; i < MORE_THAN_THE_QUEUE; i++)
    datahub_hub_request_async (hub, "stats", NULL, 60 * SECONDS, cancellable,
        lost_or_cancelled, &times);
  fixture_wait_until (heard.lost == 1 && times > 0);
  fixture_kill (broker);
  g_assert_cmpint (times, <, MORE_THAN_THE_QUEUE); /* the others wait */
  g_cancellable_cancel (cancellable);
  fixture_wait_until (times == MORE_THAN_THE_QUEUE);
  g_clear_error (&heard.error);
}

/* Nothing that is told waits while the broker is stopped: callers are streaming
 * threads. */
static void
test_callers_never_wait (void)
{
  Heard heard = { 0 };
  Child *broker = start_broker ();
  g_autoptr (DatahubHub) hub = listen (&heard);

  fixture_wait_until (heard.found == 1);
  fixture_stop (broker);
  gint64 worst = 0;
  for (int i = 0; i < 2000; i++) {
    gint64 started = g_get_monotonic_time ();
    datahub_hub_register_block (hub, "cam0", UUID_A, NULL, NULL,
        DATAHUB_REGISTER_DEFAULT);
    datahub_hub_send_notification (hub, "cam0", "data-ready", "{}");
    datahub_hub_consumer_joined (hub, "cam0", UUID_A, 1, "x");
    datahub_hub_consumer_left (hub, "cam0", UUID_A, 1, "left");
    datahub_hub_unregister_block (hub, "cam0", UUID_A);
    worst = MAX (worst, fixture_ms_since (started));
  }
  g_assert_cmpint (worst, <, 500);
  fixture_signal (broker, SIGCONT);
  g_assert_cmpint (fixture_reap (broker), ==, 0);
  fixture_wait_until (heard.lost >= 1);
  g_clear_error (&heard.error);
}

/* The broker at the endpoint has another key than the one that was named. */
static void
test_wrong_server_key (void)
{
  Heard heard = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *secret = fixture_file ("other.key");
  g_autofree char *public = fixture_file ("other.pub");
  g_autofree char *endpoint = raw_endpoint ();
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);

  g_assert_true (datahub_keys_generate (secret, public, NULL));
  g_signal_connect (hub, "broker-lost", G_CALLBACK (broker_lost), &heard);
  g_assert_true (datahub_hub_connect_to (hub, endpoint, public, NULL, &error));
  g_assert_false (datahub_hub_wait_connected (hub, 20 * SECONDS, NULL, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_KEY);
  g_assert_nonnull (strstr (error->message,
      "the server key was not accepted, or this is not a datahub broker"));
  g_assert_nonnull (strstr (error->message, public));
  fixture_wait_until (heard.lost == 1);
  g_assert_error (heard.error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_KEY);
  g_clear_error (&heard.error);
}

static void
test_client_key_refused (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *secret = fixture_file ("other.key");
  g_autofree char *public = fixture_file ("other.pub");
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);
  g_autofree char *endpoint = raw_endpoint ();

  g_assert_true (datahub_keys_generate (secret, public, NULL));
  g_assert_true (datahub_hub_connect_to (hub, endpoint, NULL, secret, &error));
  g_assert_false (datahub_hub_wait_connected (hub, 20 * SECONDS, NULL, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DENIED);
  g_assert_nonnull (strstr (error->message, secret));
  g_assert_nonnull (strstr (error->message, "allow-list"));
}

/* A listed key over TCP, with the files a user would copy. */
static void
test_listed_key_over_tcp (void)
{
  g_autoptr (GError) error = NULL;
  char key[DATAHUB_KEY_TEXT + 1];
  g_autofree char *secret = fixture_file ("other.key");
  g_autofree char *public = fixture_file ("other.pub");
  g_autofree char *server = fixture_file ("run/broker.pub");
  g_autofree char *list = fixture_file ("clients.json");
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);

  g_assert_true (datahub_keys_generate (secret, public, NULL));
  g_assert_true (datahub_keys_load_public (public, key, NULL));
  g_autofree char *text = g_strdup_printf (
      "{\"clients\":[{\"key\":\"%s\",\"produce\":[\"cam*\"]}]}", key);
  fixture_write (list, text, 0600);
  g_assert_true (datahub_broker_load_config (broker, list, &error));
  g_assert_true (datahub_broker_add_endpoint (broker, "tcp://127.0.0.1:*",
      &error));
  g_assert_true (datahub_broker_start (broker, &error));
  g_auto (GStrv) endpoints = datahub_broker_get_endpoints (broker);
  g_assert_cmpuint (g_strv_length (endpoints), ==, 2);
  g_assert_true (datahub_hub_connect_to (hub, endpoints[1], server, secret,
      &error));
  g_assert_true (datahub_hub_wait_connected (hub, 20 * SECONDS, NULL, &error));
  datahub_hub_register_block (hub, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) block G_GNUC_UNUSED =
      datahub_hub_find (hub, "cam0", 20 * SECONDS, NULL, &error);
  g_assert_no_error (error);
}

/* A second broker is told who is there; a file that a dead one left is none. */
static void
test_one_broker (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubBroker) second = datahub_broker_new ();
  Child *first = start_broker ();

  g_assert_false (datahub_broker_start (second, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY);
  g_autofree char *pid = g_strdup_printf ("pid %d", first->pid);
  g_assert_nonnull (strstr (error->message, pid));
  fixture_kill (first);
  g_clear_error (&error);
  g_assert_true (datahub_broker_start (second, &error));
  Heard heard = { 0 };
  g_autoptr (DatahubHub) hub G_GNUC_UNUSED = listen (&heard);
  fixture_wait_until (heard.found == 1);
}

/* A clean stop leaves the keys and the lock's file, no socket, no descriptor. */
static void
test_leaves_nothing (void)
{
  g_autofree char *path = fixture_file ("run/broker.sock");
  guint before = 0, after = 0;

  for (int round = 0; round < 3; round++) {
    DatahubBroker *broker = fixture_broker (NULL);
    DatahubHub *hub = fixture_hub (DATAHUB_HUB_DEFAULT);
    g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
    g_object_unref (hub);
    g_object_unref (broker);
    g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
    after = 0;
    while (g_dir_read_name (dir))
      after++;
    if (round == 0)
      before = after;
  }
  g_assert_cmpuint (after, ==, before);
}

static void
add_tests (void)
{
  fixture_add ("/hub/loss/killed-and-restarted", test_killed_and_restarted);
  fixture_add ("/hub/loss/stopped", test_stopped);
  fixture_add ("/hub/loss/request-ends", test_request_ends);
  fixture_add ("/hub/loss/full-queue", test_full_queue);
  fixture_add ("/hub/loss/callers-never-wait", test_callers_never_wait);
  fixture_add ("/hub/loss/wrong-server-key", test_wrong_server_key);
  fixture_add ("/hub/loss/client-key-refused", test_client_key_refused);
  fixture_add ("/hub/loss/listed-key-over-tcp", test_listed_key_over_tcp);
  fixture_add ("/hub/loss/one-broker", test_one_broker);
  fixture_add ("/hub/loss/leaves-nothing", test_leaves_nothing);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("serve", serve);
  return fixture_main (&argc, &argv, add_tests);
}
