/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that lead clients to a broker, when another program removes or replaces
 * them. */
#include "control/broker/broker-private.h"
#include "control/wire/endpoint-private.h"
#include "control/wire/runtime-dir-private.h"
#include "fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What a broker has: a lock, a bound socket, a key. */
typedef struct
{
  BrokerFiles *files;
  Keypair pair;
  char *socket, *lock, *key, *public;
  int lock_fd, socket_fd;
} Held;

static char *
in_runtime (const char *name)
{
  g_autoptr (GError) error = NULL;
  char *path = runtime_file (name, TRUE, &error);

  g_assert_no_error (error);
  return path;
}

static int
bind_at (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==,
      0);
  return fd;
}

static int
lock_at (const char *socket)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *endpoint = g_strconcat ("ipc://", socket, NULL);
  int fd = endpoint_lock (endpoint, &error);

  g_assert_no_error (error);
  return fd;
}

static void
hold (Held *held)
{
  memset (held, 0, sizeof *held);
  held->socket = in_runtime (BROKER_SOCKET);
  held->lock = in_runtime (BROKER_LOCK);
  held->key = in_runtime (BROKER_SECRET);
  held->public = in_runtime (BROKER_PUBLIC);
  g_assert_true (keypair_load_broker (&held->pair, TRUE, NULL));
  held->files = broker_files_new ();
  held->lock_fd = lock_at (held->socket);
  broker_files_add_lock (held->files, held->socket, held->lock_fd);
  held->socket_fd = bind_at (held->socket);
  broker_files_add_socket (held->files, held->socket);
  broker_files_set_key (held->files, &held->pair);
  g_assert_null (broker_files_find_lost (held->files));
  g_assert_true (broker_files_own (held->files, held->socket));
}

/* Also removes what is there, so that another can be held. */
static void
let_go (Held *held)
{
  broker_files_free (held->files);
  close (held->lock_fd);
  close (held->socket_fd);
  g_unlink (held->socket);
  g_rmdir (held->socket);
  g_unlink (held->lock);
  g_unlink (held->key);
  g_unlink (held->public);
  g_free (held->socket);
  g_free (held->lock);
  g_free (held->key);
  g_free (held->public);
}

static char *
text_of (const char *path)
{
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, NULL);
  return text;
}

static void
test_removed (void)
{
  Held held;

  hold (&held);
  g_assert_cmpint (g_unlink (held.lock), ==, 0);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.lock);
  /* another broker may have bound there since */
  g_assert_false (broker_files_own (held.files, held.socket));
  let_go (&held);
  hold (&held);
  g_assert_cmpint (g_unlink (held.socket), ==, 0);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.socket);
  g_assert_false (broker_files_own (held.files, held.socket));
  let_go (&held);
  hold (&held);
  g_assert_cmpint (g_unlink (held.key), ==, 0);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.key);
  let_go (&held);
}

/* Each has the name of the one that was removed. */
static void
test_replaced (void)
{
  Held held;
  g_auto (Keypair) other = { 0 };

  hold (&held);
  g_assert_cmpint (g_unlink (held.lock), ==, 0);
  int lock = lock_at (held.socket); /* removes the socket, too */
  int socket = bind_at (held.socket);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.lock);
  g_assert_false (broker_files_own (held.files, held.socket));
  close (socket);
  close (lock);
  let_go (&held);
  hold (&held);
  g_assert_cmpint (g_unlink (held.socket), ==, 0);
  socket = bind_at (held.socket);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.socket);
  close (socket);
  let_go (&held);
  hold (&held);
  g_assert_cmpint (g_unlink (held.key), ==, 0);
  g_assert_true (keypair_load_broker (&other, TRUE, NULL));
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.key);
  let_go (&held);
}

/* A lock that was removed before it was noted, and another one is there by then. */
static void
test_replaced_before (void)
{
  Held held;
  g_autofree char *nowhere = fixture_file ("nowhere.sock");

  hold (&held);
  broker_files_clear (held.files);
  g_assert_null (broker_files_find_lost (held.files));
  g_assert_cmpint (g_unlink (held.lock), ==, 0);
  int other = lock_at (held.socket);
  broker_files_add_lock (held.files, held.socket, held.lock_fd);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.lock);
  broker_files_clear (held.files);
  broker_files_add_socket (held.files, nowhere);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, nowhere);
  close (other);
  let_go (&held);
}

/* Programs that keep files from a clean-up touch them. */
static void
test_touched (void)
{
  static const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
  Held held;

  hold (&held);
  const char *paths[] = { held.lock, held.socket, held.key };
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    g_assert_cmpint (utimensat (AT_FDCWD, paths[i], times, 0), ==, 0);
  g_assert_null (broker_files_find_lost (held.files));
  /* a copy of the key is the key */
  g_autofree char *text = text_of (held.key);
  g_assert_cmpint (g_unlink (held.key), ==, 0);
  fixture_write (held.key, text, 0600);
  g_assert_null (broker_files_find_lost (held.files));
  /* and what can be read by others is not */
  g_assert_cmpint (g_unlink (held.key), ==, 0);
  fixture_write (held.key, text, 0644);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.key);
  g_assert_false (broker_files_prepare (held.files));
  let_go (&held);
}

/* The key is made again with both halves, in a directory that is made again. */
static void
test_prepared (void)
{
  Held held;
  g_autofree char *gone = fixture_file ("gone");

  hold (&held);
  g_autofree char *secret = text_of (held.key);
  g_autofree char *public = text_of (held.public);
  g_assert_cmpint (g_unlink (held.key), ==, 0);
  fixture_write (held.public, "of another key\n", 0600);
  g_assert_true (broker_files_prepare (held.files));
  g_assert_null (broker_files_find_lost (held.files));
  g_autofree char *written = text_of (held.public);
  g_assert_cmpstr (written, ==, public);

  g_assert_cmpint (g_rename (g_getenv ("DATAHUB_RUNTIME_DIR"), gone), ==, 0);
  g_assert_true (broker_files_prepare (held.files));
  g_autofree char *key = text_of (held.key);
  g_assert_cmpstr (key, ==, secret);
  g_assert_cmpstr (broker_files_find_lost (held.files), ==, held.lock);
  let_go (&held);
}

/* A key that another program put there is the one to use. */
static void
test_key_of_another (void)
{
  Held held;
  g_auto (Keypair) other = { 0 }, found = { 0 };

  hold (&held);
  g_assert_cmpint (g_unlink (held.key), ==, 0);
  g_assert_true (keypair_load_broker (&other, TRUE, NULL));
  /* its public half is not that of the key before */
  char public[DATAHUB_KEY_TEXT + 1];
  g_assert_true (datahub_keys_load_public (held.public, public, NULL));
  g_assert_cmpstr (public, ==, other.public_key);
  g_assert_true (broker_files_prepare (held.files));
  g_assert_true (keypair_load_broker (&found, FALSE, NULL));
  g_assert_cmpstr (found.public_key, ==, other.public_key);
  let_go (&held);
}

static void
test_not_prepared (void)
{
  Held held;
  g_autofree char *gone = fixture_file ("gone");
  const char *runtime = g_getenv ("DATAHUB_RUNTIME_DIR");

  hold (&held);
  g_assert_cmpint (g_unlink (held.socket), ==, 0);
  g_assert_cmpint (g_mkdir (held.socket, 0700), ==, 0);
  g_assert_false (broker_files_prepare (held.files));
  let_go (&held);
  hold (&held);
  g_assert_cmpint (g_rename (runtime, gone), ==, 0);
  fixture_write (runtime, "a file", 0600);
  g_assert_false (broker_files_prepare (held.files));
  g_assert_cmpint (g_unlink (runtime), ==, 0);
  let_go (&held);
}

/* The one that ends last leaves the socket of the other. */
static void
test_two_brokers (void)
{
  g_autofree char *gone = fixture_file ("gone");
  g_autofree char *socket = in_runtime (BROKER_SOCKET);
  g_autoptr (DatahubBroker) first = fixture_broker (NULL);

  g_assert_cmpint (g_rename (g_getenv ("DATAHUB_RUNTIME_DIR"), gone), ==, 0);
  g_autoptr (DatahubBroker) second = fixture_broker (NULL);
  datahub_broker_stop (first);
  g_assert_true (g_file_test (socket, G_FILE_TEST_EXISTS));
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
  fixture_round_trip (hub);
  datahub_broker_stop (second);
  g_assert_false (g_file_test (socket, G_FILE_TEST_EXISTS));
}

/* An allow-list that is read while the broker's thread ends is used by the next start,
 * and so is the request to end not. */
static void
test_list_at_the_end (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (Keypair) listed = { 0 };
  g_autofree char *list = fixture_file ("clients.json");
  g_autoptr (DatahubBroker) broker = fixture_broker (NULL);

  g_assert_true (keypair_generate (&listed, NULL));
  g_autofree char *text =
      g_strdup_printf ("{\"clients\":[{\"name\":\"a\",\"key\":\"%s\"}]}",
          listed.public_key);
  fixture_write (list, text, 0600);
  broker_quit_after (broker, 0);
  fixture_wait_until (!datahub_broker_is_running (broker));
  broker->running = TRUE; /* as it is until the thread is at its end */
  g_assert_true (datahub_broker_load_config (broker, list, &error));
  g_assert_no_error (error);
  broker->running = FALSE;
  datahub_broker_stop (broker);
  g_assert_true (rights_knows (broker->rights, listed.public_key));
  g_assert_true (datahub_broker_start (broker, &error));
  g_assert_no_error (error);
  g_assert_true (rights_knows (broker->rights, listed.public_key));
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
  fixture_round_trip (hub);
  g_assert_true (datahub_broker_is_running (broker));
}

static gpointer
remove_later (gpointer data)
{
  const char *gone = data;
  gulong us = (gulong) g_random_int_range (0, 10000);

  g_usleep (us); /* time is under test: a removal at any step of the start */
  g_rename (g_getenv ("DATAHUB_RUNTIME_DIR"), gone);
  return NULL;
}

/* The directory is removed once while a hub makes a broker: that is not an error that
 * needs an action of the user. */
static void
test_removed_at_the_start (void)
{
  for (int i = 0; i < 40; i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *name = g_strdup_printf ("gone%d", i);
    g_autofree char *gone = fixture_file (name);
    g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);
    GThread *thread = g_thread_new ("remover", remove_later, gone);
    g_assert_true (datahub_hub_connect_to (hub, "auto", NULL, NULL, &error));
    datahub_hub_wait_connected (hub, 10 * SECONDS, NULL, &error);
    g_assert_no_error (error);
    g_thread_join (thread);
  }
}

static void
add_tests (void)
{
  fixture_add ("/broker/files/removed", test_removed);
  fixture_add ("/broker/files/replaced", test_replaced);
  fixture_add ("/broker/files/replaced-before", test_replaced_before);
  fixture_add ("/broker/files/touched", test_touched);
  fixture_add ("/broker/files/prepared", test_prepared);
  fixture_add ("/broker/files/key-of-another", test_key_of_another);
  fixture_add ("/broker/files/not-prepared", test_not_prepared);
  fixture_add ("/broker/files/two-brokers", test_two_brokers);
  fixture_add ("/broker/files/removed-at-the-start", test_removed_at_the_start);
  fixture_add ("/broker/files/list-at-the-end", test_list_at_the_end);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
