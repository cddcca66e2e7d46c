/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What connected processes cost while nothing happens: messages that the broker handles,
 * and times that threads wake. What is noticed of stopped processes without messages is in
 * broker-liveness and hub-loss. */
#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define INSTANCE "dddddddddddddddddddddddddddddddd"
#define N_HUBS 4
#define PERIOD_S 5

static int
connect_and_stay (const char *argument)
{
  g_autoptr (DatahubHub) hub G_GNUC_UNUSED = fixture_hub (DATAHUB_HUB_MONITOR);

  fixture_say ("connected");
  fixture_child_stay ();
  return 0;
}

/* A broker in another process, which hubs can examine. */
static int
serve (const char *argument)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);

  fixture_say ("serving");
  fixture_child_stay ();
  return 0;
}

static gint64
stat_of (DatahubHub *hub, const char *name)
{
  g_autofree char *text =
      datahub_hub_request (hub, "stats", NULL, 10 * SECONDS, NULL, NULL);
  json_t *stats = text ? json_loads (text, 0, NULL) : NULL;
  gint64 value = json_integer_value (json_object_get (stats, name));

  g_assert_nonnull (stats);
  json_decref (stats);
  return value;
}

/* Of all threads of process @pid. */
static guint64
count_switches (int pid)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) threads = g_dir_open (folder, 0, NULL);
  const char *mark = "\nvoluntary_ctxt_switches:", *name;
  guint64 sum = 0;

  while (threads && (name = g_dir_read_name (threads))) {
    g_autofree char *file = g_build_filename (folder, name, "status", NULL);
    g_autofree char *text = NULL;
    if (g_file_get_contents (file, &text, NULL, NULL))
      sum += g_ascii_strtoull (strstr (text, mark) + strlen (mark), NULL, 10);
  }
  return sum;
}

/* With a heartbeat of 400 ms each hub sends 2.5 messages a second. */
static void
test_messages (void)
{
  Child *broker = fixture_spawn_ready ("serve", "-", "serving");
  DatahubHub *hubs[N_HUBS];

  for (int i = 0; i < N_HUBS; i++)
    hubs[i] = fixture_hub (DATAHUB_HUB_MONITOR);
  gint64 requests = stat_of (hubs[0], "requests");
  gint64 began_ms = stat_of (hubs[0], "uptime-ms");
  g_usleep (PERIOD_S * G_USEC_PER_SEC); /* the period that is measured */
  gint64 sent = stat_of (hubs[0], "requests") - requests - 2;
  gint64 passed_ms = stat_of (hubs[0], "uptime-ms") - began_ms;
  /* one of each hub every 10 s, and one more of each as the period is cut out */
  g_assert_cmpint (sent, <=, N_HUBS * (passed_ms / 10000 + 1));
  for (int i = 0; i < N_HUBS; i++)
    g_object_unref (hubs[i]);
  fixture_kill (broker);
}

/* An idle process wakes at most twice a second because of its hub. */
static void
test_switches (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  Child *child = fixture_spawn_ready ("connect", "-", "connected");
  guint64 before = count_switches (child->pid);

  gint64 began = g_get_monotonic_time ();
  g_usleep (PERIOD_S * G_USEC_PER_SEC); /* the period that is measured */
  guint64 switches = count_switches (child->pid) - before;
  g_assert_cmpint ((gint64) switches * 1000, <=, 2 * fixture_ms_since (began));
  fixture_kill (child);
}

static json_t *
hello (Raw *raw, int pid, const char *pids)
{
  json_t *fields = json_pack ("{s:s, s:s, s:s, s:s, s:i}", "key",
      raw->public_key, "instance", INSTANCE, "program", "raw", "host",
      "nowhere", "pid", pid);

  if (pids)
    json_object_set_new (fields, "pids", json_string (pids));
  return raw_request (raw, "hello", fields);
}

static char *
own_pids (void)
{
  GStatBuf st;

  g_assert_cmpint (g_stat ("/proc/self/ns/pid", &st), ==, 0);
  return g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
      (guint64) st.st_dev, (guint64) st.st_ino);
}

static void
expect_heartbeat (int pid, const char *pids, gint64 ms)
{
  Raw *raw = raw_own ();
  json_t *answer = hello (raw, pid, pids);

  g_assert_cmpint (json_integer_value (json_object_get (answer,
                       "heartbeat-ms")),
      ==, ms);
  g_assert_cmpstr (json_string_value (json_object_get (answer, "pids")), ==,
      ms > 400 ? pids : NULL);
  json_decref (answer);
  raw_free (raw);
}

/* A client that the broker cannot examine speaks as often as ever: one that does not know
 * of it, one of another namespace, one that is not there. */
static void
test_heartbeats (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autofree char *pids = own_pids ();
  Child *gone = fixture_spawn_ready ("connect", "-", "connected");
  int pid = gone->pid;

  fixture_kill (gone);
  expect_heartbeat (getpid (), pids, 10000);
  expect_heartbeat (getpid (), NULL, 400);
  expect_heartbeat (getpid (), "1:2", 400);
  expect_heartbeat (pid, pids, 400);
}

/* The block is nowhere: it stays for as long as a silence is borne. */
static gboolean
is_stalled (DatahubHub *hub)
{
  g_autofree char *text = datahub_hub_request (hub, "find",
      "{\"name\":\"cam0\"}", 10 * SECONDS, NULL, NULL);
  json_t *answer = text ? json_loads (text, 0, NULL) : NULL;
  json_t *block = json_object_get (answer, "block");
  gboolean stalled = json_is_true (json_object_get (block, "stalled"));

  g_assert_nonnull (block);
  json_decref (answer);
  return stalled;
}

/* A client is silent by the kernel's word, and one that goes on is not, though it sends
 * nothing. */
static void
test_stopped_without_words (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
  g_autofree char *pids = own_pids ();
  Child *child = fixture_spawn_ready ("connect", "-", "connected");
  Raw *raw = raw_own ();
  json_t *answer = hello (raw, child->pid, pids);

  g_strlcpy (raw->epoch, json_string_value (json_object_get (answer, "epoch")),
      sizeof raw->epoch);
  json_decref (answer);
  raw_expect_ok (raw, "register",
      json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A));
  gint64 began = g_get_monotonic_time ();
  fixture_stop (child);
  fixture_wait_until (is_stalled (hub));
  /* silence alone would take 30 s */
  g_assert_cmpint (fixture_ms_since (began), <, 20000);
  fixture_signal (child, SIGCONT);
  fixture_wait_until (!is_stalled (hub));
  raw_free (raw);
  fixture_kill (child);
}

static void
add_tests (void)
{
  fixture_add ("/hub/rest/messages", test_messages);
  fixture_add ("/hub/rest/switches", test_switches);
  fixture_add ("/hub/rest/heartbeats", test_heartbeats);
  fixture_add ("/hub/rest/stopped-without-words", test_stopped_without_words);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("connect", connect_and_stay);
  fixture_add_role ("serve", serve);
  return fixture_main (&argc, &argv, add_tests);
}
