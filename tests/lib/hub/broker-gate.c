/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections that prove no key, and processes without descriptors: the broker
 * lives, and the user's own clients are served. */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FEW 96
#define FLOOD 300

static void
allow_descriptors (rlim_t n)
{
  struct rlimit limit = { n, n };

  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

/* A broker with few descriptors. */
static int
small (const char *argument)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();
  char byte;

  allow_descriptors (FEW);
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
connect_ipc (void)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autofree char *endpoint = raw_endpoint ();
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, endpoint + strlen ("ipc://"),
      sizeof address.sun_path);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, sizeof address),
      ==, 0);
  return fd;
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

static void
test_half_greetings (void)
{
  static const char head[10] = "\xff\0\0\0\0\0\0\0\1\x7f";
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
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autofree char *endpoint = raw_endpoint ();
  g_autofree char *directory =
      g_path_get_dirname (endpoint + strlen ("ipc://"));
  g_autofree char *inner = g_build_filename (directory, "broker.in", NULL);

  g_assert_false (g_file_test (inner, G_FILE_TEST_EXISTS));
  expect_service ();
}

static void
add_tests (void)
{
  fixture_add ("/broker/gate/silent-connections", test_silent_connections);
  fixture_add ("/broker/gate/half-greetings", test_half_greetings);
  fixture_add ("/broker/gate/clients-stay", test_clients_stay);
  fixture_add ("/broker/gate/host-without-descriptors",
      test_host_without_descriptors);
  fixture_add ("/broker/gate/no-way-around", test_no_way_around);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("small", small);
  fixture_add_role ("full", full);
  return fixture_main (&argc, &argv, add_tests);
}
