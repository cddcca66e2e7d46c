/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections that prove no key, and processes without descriptors: the broker
 * lives, and the user's own clients are served. */
#include "fixture.h"

#include "control/broker/gate-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FEW 96
#define FLOOD 300
#define MANY 150
#define CLIENTS 30 /* more than a broker with FEW descriptors can serve */

static void
allow_descriptors (rlim_t n)
{
  struct rlimit limit = { n, n };

  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

/* Prints why a client waits. */
static GLogWriterOutput
print_starved (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer data)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0
        && strstr (fields[i].value, "free descriptors"))
      fixture_say ("%s", (const char *) fields[i].value);
  return G_LOG_WRITER_HANDLED;
}

/* A broker with few descriptors. */
static int
small (const char *argument)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();
  char byte;

  allow_descriptors (FEW);
  g_log_set_writer_func (print_starved, NULL, NULL);
  datahub_broker_add_endpoint (broker, "tcp://127.0.0.1:*", &error);
  g_assert_no_error (error);
  datahub_broker_start (broker, &error);
  g_assert_no_error (error);
  g_auto (GStrv) endpoints = datahub_broker_get_endpoints (broker);
  fixture_say ("serving %s", endpoints[1]);
  while (read (STDIN_FILENO, &byte, 1) == 1)
    continue;
  return 0;
}

/* Hosts the broker; asked by a line on its input, uses all descriptors. */
static int
full (const char *argument)
{
  g_autoptr (DatahubHub) hub = NULL;
  char byte;

  allow_descriptors (256);
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  hub = fixture_hub (DATAHUB_HUB_THREAD_SIGNALS);
  fixture_say ("hosting %d", datahub_hub_is_hosting (hub));
  while (read (STDIN_FILENO, &byte, 1) == 1) {
    while (dup (STDIN_FILENO) >= 0)
      continue;
    fixture_say ("full");
  }
  return 0;
}

static int
connect_path (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, sizeof address),
      ==, 0);
  return fd;
}

static int
connect_ipc (void)
{
  g_autofree char *endpoint = raw_endpoint ();

  return connect_path (endpoint + strlen ("ipc://"));
}

static int
connect_tcp (const char *endpoint)
{
  const char *colon = strrchr (endpoint, ':');
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection) connection =
      g_socket_client_connect_to_host (client, "127.0.0.1",
          (guint16) g_ascii_strtoull (colon + 1, NULL, 10), NULL, &error);

  g_assert_no_error (error);
  return fcntl (g_socket_get_fd (g_socket_connection_get_socket (connection)),
      F_DUPFD_CLOEXEC, 0);
}

/* The endpoint by tcp of a small broker. */
static Child *
spawn_small (char **endpoint)
{
  Child *child = fixture_spawn ("small", "-");

  for (;;) {
    g_autofree char *line = fixture_read_line (child);
    g_assert_nonnull (line);
    if (!g_str_has_prefix (line, "serving "))
      continue;
    *endpoint = g_strdup (line + strlen ("serving "));
    return child;
  }
}

static void
expect_service (void)
{
  for (int i = 0; i < 3; i++) {
    g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
    fixture_round_trip (hub);
  }
}

/* Three times as many connections as the broker has descriptors. */
static void
test_silent_connections (void)
{
  g_autofree char *endpoint = NULL;
  Child *child = spawn_small (&endpoint);
  int held[FLOOD];

  for (int i = 0; i < FLOOD; i++)
    held[i] = connect_ipc ();
  expect_service ();
  for (int i = 0; i < FLOOD; i++)
    close (held[i]);
  expect_service ();
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* More clients than it can serve: it serves the others, and its log has the reason. */
static void
test_too_many_clients (void)
{
  g_autofree char *endpoint = NULL;
  Child *child = spawn_small (&endpoint);
  DatahubHub *hubs[CLIENTS];

  for (int i = 0; i < CLIENTS; i++) {
    hubs[i] = datahub_hub_new (DATAHUB_HUB_MONITOR);
    g_assert_true (datahub_hub_connect_to (hubs[i], "auto", NULL, NULL, NULL));
  }
  fixture_expect_line (child,
      "the broker has fewer than 20 free descriptors: clients wait");
  for (int i = 0; i < CLIENTS; i++)
    g_object_unref (hubs[i]);
  expect_service ();
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

static const char head[10] = "\xff\0\0\0\0\0\0\0\1\x7f";

static void
test_half_greetings (void)
{
  g_autofree char *endpoint = NULL;
  Child *child = spawn_small (&endpoint);
  int held[FLOOD];

  for (int i = 0; i < FLOOD; i++) {
    held[i] = connect_tcp (endpoint);
    /* it may be closed already */
    if (send (held[i], head, sizeof head, MSG_NOSIGNAL) < 0)
      continue;
  }
  expect_service ();
  for (int i = 0; i < FLOOD; i++)
    close (held[i]);
  expect_service ();
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* A client that is connected stays so while others come. */
static void
test_clients_stay (void)
{
  g_autofree char *endpoint = NULL;
  Child *child = spawn_small (&endpoint);
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
  gboolean lost = FALSE;
  int held[FLOOD];

  g_signal_connect_swapped (hub, "broker-lost", G_CALLBACK (g_atomic_int_inc),
      &lost);
  for (int i = 0; i < FLOOD; i++)
    held[i] = connect_ipc ();
  fixture_round_trip (hub);
  g_assert_false (lost);
  for (int i = 0; i < FLOOD; i++)
    close (held[i]);
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* The broker goes to a process that can serve. */
static void
test_host_without_descriptors (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  Child *child = fixture_spawn_ready ("full", "-", "hosting 1");

  g_output_stream_write_all (g_subprocess_get_stdin_pipe (child->process), "?",
      1, NULL, NULL, NULL);
  fixture_expect_line (child, "full");
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  datahub_hub_connect_to (hub, "auto", NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (datahub_hub_wait_connected (hub, 30 * SECONDS, NULL, &error));
  g_assert_true (datahub_hub_is_hosting (hub));
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* Strangers by tcp do not get to the socket that libzmq listens on. */
static void
test_no_way_around (void)
{
  g_autofree char *tcp = NULL;
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED =
      fixture_broker_at (NULL, "tcp://127.0.0.1:*", &tcp);
  g_autofree char *endpoint = raw_endpoint ();
  g_autofree char *directory =
      g_path_get_dirname (endpoint + strlen ("ipc://"));
  g_autofree char *inner = g_build_filename (directory, "broker.in", NULL);
  g_autofree char *second = g_build_filename (directory, "strangers.in", NULL);

  g_assert_false (g_file_test (inner, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (second, G_FILE_TEST_EXISTS));
  expect_service ();
}

/* A file that is no socket is not removed for one. */
static void
test_file_in_the_way (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();
  g_autofree char *path = fixture_file ("notes.txt");
  g_autofree char *endpoint = g_strconcat ("ipc://", path, NULL);
  g_autofree char *text = NULL;

  fixture_write (path, "mine", 0600);
  datahub_broker_add_endpoint (broker, endpoint, &error);
  g_assert_no_error (error);
  g_assert_false (datahub_broker_start (broker, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_FAILED);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "mine");
}

/* ---- a gate without a broker: the test has the socket behind it ---- */

typedef struct
{
  Gate *gate;
  char *path, *bound; /* owned */
  int listener;
} Bare;

static void
bare_start (Bare *bare, gboolean strangers)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autofree char *inner = fixture_file ("behind");
  g_autofree char *endpoint = NULL;
  GError *error = NULL;

  unlink (inner);
  g_strlcpy (address.sun_path, inner, sizeof address.sun_path);
  bare->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (bare->listener, (struct sockaddr *) &address,
                       sizeof address),
      ==, 0);
  g_assert_cmpint (listen (bare->listener, MANY), ==, 0);
  bare->path = fixture_file ("outer");
  endpoint = g_strconcat ("ipc://", bare->path, NULL);
  unlink (bare->path);
  bare->gate = gate_new (0, strangers, &error);
  g_assert_no_error (error);
  gate_lead_to (bare->gate, inner, &error);
  g_assert_no_error (error);
  gate_add_listener (bare->gate, endpoint, &bare->bound, &error);
  g_assert_no_error (error);
  gate_start (bare->gate, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
bare_end (Bare *bare)
{
  gate_free (bare->gate);
  close (bare->listener);
  g_free (bare->bound);
  g_free (bare->path);
}

static int
bare_connect (Bare *bare)
{
  int fd = connect_path (bare->path);

  g_assert_cmpint (send (fd, head, sizeof head, MSG_NOSIGNAL), ==, sizeof head);
  return fd;
}

/* Whether the gate closes the connection within @ms. */
static gboolean
is_closed (int fd, int ms)
{
  struct pollfd client = { fd, 0, 0 };

  return poll (&client, 1, ms) > 0;
}

/* Returns whether it took less time than a half connection has. */
static gboolean
many_at_once (Bare *bare)
{
  gint64 start_us = g_get_monotonic_time ();
  int held[MANY], behind[MANY], n_closed = 0;
  gboolean quick;

  for (int i = 0; i < MANY; i++)
    held[i] = bare_connect (bare);
  for (int i = 0; i < MANY; i++)
    behind[i] = accept (bare->listener, NULL, NULL);
  for (int i = 0; i < MANY; i++)
    n_closed += is_closed (held[i], 0);
  quick = fixture_ms_since (start_us) < 2000;
  for (int i = 0; i < MANY; i++) {
    close (held[i]);
    close (behind[i]);
  }
  if (quick)
    g_assert_cmpint (n_closed, ==, 0);
  return quick;
}

/* As after the end of a broker: all clients of the user are back at once. */
static void
test_many_at_once (void)
{
  Bare bare;
  gboolean done = FALSE;

  bare_start (&bare, FALSE);
  for (int i = 0; i < 10 && !done; i++)
    done = many_at_once (&bare);
  if (!done)
    g_test_skip ("this machine is too slow");
  bare_end (&bare);
}

/* The broker gives up a client that does not read: it is stopped. */
static void
test_client_does_not_read (void)
{
  static const char bytes[4096];
  Bare bare;

  bare_start (&bare, FALSE);
  int client = bare_connect (&bare);
  int behind = accept (bare.listener, NULL, NULL);
  struct pollfd writable = { behind, POLLOUT, 0 };
  g_assert_cmpint (behind, >=, 0);
  while (poll (&writable, 1, 1000) > 0)
    if (send (behind, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
      g_assert_cmpint (errno, ==, EAGAIN);
  close (behind);
  g_assert_true (is_closed (client, 30000));
  close (client);
  bare_end (&bare);
}

/* --- each limit of strangers alone --- */

#define HALF_MAX 64
#define HALF_LEAST_MS 100

/* Connects @n times and waits until the gate closes one of them. Returns how many there
 * were at most; *@first_ms becomes how long that one was open at least. */
static guint
crowd (Bare *bare, guint n, gint64 *first_ms)
{
  g_autofree struct pollfd *clients = g_new0 (struct pollfd, n);
  g_autofree gint64 *since_us = g_new0 (gint64, n);
  guint most = 0;

  for (guint i = 0; i < n; i++) {
    since_us[i] = g_get_monotonic_time ();
    clients[i].fd = bare_connect (bare);
  }
  while (poll (clients, n, 1) == 0)
    most = MAX (most, gate_count (bare->gate));
  for (guint i = 0; i < n; i++) {
    if (clients[i].revents)
      *first_ms = fixture_ms_since (since_us[i]);
    close (clients[i].fd);
  }
  return most;
}

/* There are descriptors for all of them. */
static void
test_half_max (void)
{
  Bare bare;
  gint64 ms = 0;

  bare_start (&bare, TRUE);
  g_assert_cmpuint (crowd (&bare, HALF_MAX + 40, &ms), <=, HALF_MAX);
  bare_end (&bare);
}

/* A flood closes no connection at once. If this machine pauses, the connections are old
 * when the flood is there: one of the tries is quick. */
static void
test_half_least (void)
{
  Bare bare;
  gint64 ms = 0;

  for (int i = 0; i < 5; i++) {
    bare_start (&bare, TRUE);
    crowd (&bare, HALF_MAX + 40, &ms);
    g_test_message ("closed after %" G_GINT64_FORMAT " ms", ms);
    g_assert_cmpint (ms, >=, HALF_LEAST_MS);
    bare_end (&bare);
  }
}

/* They are fewer than HALF_MAX, and take half of the descriptors. */
static void
test_half_of_the_descriptors (void)
{
  struct rlimit before, limit;
  Bare bare;
  gint64 ms = 0;

  bare_start (&bare, TRUE);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  limit = before;
  limit.rlim_cur = 200;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  /* each has three descriptors here: the client's and two of the gate */
  g_assert_cmpuint (crowd (&bare, 45, &ms), <=, 100 / 3);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  bare_end (&bare);
}

static void
add_tests (void)
{
  fixture_add ("/broker/gate/silent-connections", test_silent_connections);
  fixture_add ("/broker/gate/half-greetings", test_half_greetings);
  fixture_add ("/broker/gate/clients-stay", test_clients_stay);
  fixture_add ("/broker/gate/too-many-clients", test_too_many_clients);
  fixture_add ("/broker/gate/host-without-descriptors",
      test_host_without_descriptors);
  fixture_add ("/broker/gate/no-way-around", test_no_way_around);
  fixture_add ("/broker/gate/file-in-the-way", test_file_in_the_way);
  fixture_add ("/broker/gate/many-at-once", test_many_at_once);
  fixture_add ("/broker/gate/strangers/half-max", test_half_max);
  fixture_add ("/broker/gate/strangers/half-least", test_half_least);
  fixture_add ("/broker/gate/strangers/half-of-the-descriptors",
      test_half_of_the_descriptors);
  fixture_add ("/broker/gate/client-does-not-read", test_client_does_not_read);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("small", small);
  fixture_add_role ("full", full);
  return fixture_main (&argc, &argv, add_tests);
}
