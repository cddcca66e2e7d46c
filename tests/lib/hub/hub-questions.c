/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* find, list and request: answered once, in time, whatever happens. */
#include "fixture.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static DatahubHubBlock *
find (DatahubHub *hub, const char *name, gint64 timeout_ns, GError **error)
{
  return datahub_hub_find (hub, name, timeout_ns, NULL, error);
}

static void
test_register_then_find (void)
{
  guint8 secret[DATAHUB_SECRET_SIZE] = { 1, 2, 3, 4 };
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) consumer = fixture_hub (DATAHUB_HUB_DEFAULT);

  datahub_hub_register_block (producer, "cam0", UUID_A, "video/x-raw", secret,
      DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) block =
      find (consumer, "cam0", 10 * SECONDS, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (datahub_hub_block_get_name (block), ==, "cam0");
  g_assert_cmpstr (datahub_hub_block_get_uuid (block), ==, UUID_A);
  g_assert_cmpstr (datahub_hub_block_get_caps (block), ==, "video/x-raw");
  g_assert_cmpint (datahub_hub_block_get_pid (block), ==, getpid ());
  g_assert_cmpmem (datahub_hub_block_get_secret (block), DATAHUB_SECRET_SIZE,
      secret, sizeof secret);
  g_assert_false (datahub_hub_block_is_pending (block));
  g_assert_false (datahub_hub_block_is_stalled (block));
}

static void
test_strict_then_find (void)
{
  guint8 secret[DATAHUB_SECRET_SIZE] = { 1, 2, 3, 4 };
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) consumer = fixture_hub (DATAHUB_HUB_DEFAULT);

  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, secret,
      DATAHUB_REGISTER_STRICT);
  g_autoptr (DatahubHubBlock) block =
      find (consumer, "cam0", 10 * SECONDS, &error);
  g_autoptr (DatahubHubBlock) again =
      find (consumer, "cam0", 10 * SECONDS, &error);
  g_assert_no_error (error);
  g_assert_null (datahub_hub_block_get_secret (block));
  g_assert_nonnull (datahub_hub_block_get_ticket (block));
  /* each is good once, so each find gives a new one */
  g_assert_cmpint (memcmp (datahub_hub_block_get_ticket (block),
                       datahub_hub_block_get_ticket (again),
                       DATAHUB_TICKET_SIZE),
      !=, 0);
}

static void
test_not_found (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  gint64 started = g_get_monotonic_time ();

  g_assert_null (find (hub, "nobody", 0, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_NOT_FOUND);
  g_assert_cmpint (fixture_ms_since (started), <, 900);
  g_clear_error (&error);
  started = g_get_monotonic_time ();
  g_assert_null (find (hub, "nobody", SECONDS / 5, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_NOT_FOUND);
  g_assert_cmpint (fixture_ms_since (started), >=, 200);
}

static void
test_pending_then_ready (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) consumer = fixture_hub (DATAHUB_HUB_DEFAULT);

  datahub_hub_register_block (producer, "cam0", NULL, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until ((g_clear_error (&error),
                          find (consumer, "cam0", 0, &error) == NULL)
      && g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PENDING));
  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  g_clear_error (&error);
  g_autoptr (DatahubHubBlock) block =
      find (consumer, "cam0", 10 * SECONDS, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (datahub_hub_block_get_uuid (block), ==, UUID_A);
}

static void
found (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find_finish (DATAHUB_HUB (source), result, &error);

  g_assert_no_error (error);
  g_assert_nonnull (block);
  ++*(int *) user_data;
}

/* Who asked first is told when the block comes, and is told once. */
static void
test_told_when_it_comes (void)
{
  int times = 0;
  g_autoptr (DatahubHub) consumer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);

  datahub_hub_find_async (consumer, "cam0", DATAHUB_FOREVER, NULL, found,
      &times);
  datahub_hub_register_block (producer, "other", UUID_B, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) other =
      find (consumer, "other", 10 * SECONDS, NULL);
  g_assert_nonnull (other);
  g_assert_cmpint (times, ==, 0);
  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (times == 1);
  datahub_hub_unregister_block (producer, "cam0", UUID_A);
  datahub_hub_register_block (producer, "cam0", UUID_B, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) again =
      find (consumer, "cam0", 10 * SECONDS, NULL);
  g_assert_nonnull (again);
  g_assert_cmpint (times, ==, 1);
}

static void
cancelled (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (datahub_hub_find_finish (DATAHUB_HUB (source), result,
      &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  ++*(int *) user_data;
}

static void
test_cancel (void)
{
  int times = 0;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);

  datahub_hub_find_async (hub, "nobody", DATAHUB_FOREVER, cancellable,
      cancelled, &times);
  g_cancellable_cancel (cancellable);
  fixture_wait_until (times == 1);
  /* One that was cancelled before it began ends too. */
  datahub_hub_find_async (hub, "nobody", DATAHUB_FOREVER, cancellable,
      cancelled, &times);
  fixture_wait_until (times == 2);
}

static gpointer
cancel_in_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancel_waiting_call (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  GThread *thread = g_thread_new ("cancel", cancel_in_thread, cancellable);

  g_assert_null (datahub_hub_find (hub, "nobody", DATAHUB_FOREVER, cancellable,
      &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

static void
test_no_broker (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);
  gint64 started = g_get_monotonic_time ();

  g_assert_true (datahub_hub_connect_to (hub, "auto", NULL, NULL, &error));
  g_assert_null (find (hub, "cam0", SECONDS / 5, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DISCONNECTED);
  g_clear_error (&error);
  g_assert_null (datahub_hub_list (hub, SECONDS / 5, NULL, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_TIMEOUT);
  g_clear_error (&error);
  g_assert_false (datahub_hub_wait_connected (hub, SECONDS / 5, NULL, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DISCONNECTED);
  g_assert_cmpint (fixture_ms_since (started), <, 3000);
  /* Who only looks on leaves nothing behind. */
  g_assert_false (g_file_test (g_getenv ("DATAHUB_RUNTIME_DIR"),
      G_FILE_TEST_EXISTS));
}

static void
test_bad_arguments (void)
{
  static const char *const endpoints[] = { "nonsense", "inproc://x",
    "ipc://relative", "tcp://host", "tcp://:1", "tcp://h:0", "tcp://h:99999",
    "udp://h:1" };
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);

  for (guint i = 0; i < G_N_ELEMENTS (endpoints); i++) {
    g_assert_false (datahub_hub_connect_to (hub, endpoints[i], NULL, NULL,
        &error));
    g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS);
    g_clear_error (&error);
  }
  g_assert_false (datahub_hub_connect_to (hub, "auto", "/no/such.pub", NULL,
      &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_KEY);
  g_clear_error (&error);
  g_assert_null (find (hub, "bad/name", 0, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS);
}

/* More blocks than fit on a page, with caps of every length. */
static void
test_list_pages (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) watcher = fixture_hub (DATAHUB_HUB_MONITOR);

  for (int i = 0; i < 200; i++) {
    g_autofree char *name = g_strdup_printf ("cam%03d", i);
    g_autofree char *caps = g_strnfill ((gsize) i * 40, 'x');
    datahub_hub_register_block (producer, name, UUID_A, caps, NULL,
        DATAHUB_REGISTER_DEFAULT);
  }
  g_autoptr (DatahubHubBlock) last G_GNUC_UNUSED =
      find (watcher, "cam199", 10 * SECONDS, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) blocks =
      datahub_hub_list (watcher, 10 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (blocks->len, ==, 200);
  for (guint i = 0; i < blocks->len; i++) {
    g_autofree char *name = g_strdup_printf ("cam%03u", i);
    DatahubHubBlock *block = g_ptr_array_index (blocks, i);
    g_assert_cmpstr (datahub_hub_block_get_name (block), ==, name);
    g_assert_cmpuint (strlen (datahub_hub_block_get_caps (block)), ==, i * 40);
    g_assert_null (datahub_hub_block_get_secret (block));
  }
}

/* What a producer wrote grows on the wire: caps of nothing but what must be
 * escaped. The list comes whole all the same. */
static void
test_list_of_escapes (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) watcher = fixture_hub (DATAHUB_HUB_MONITOR);
  g_autofree char *caps = g_strnfill (8192, '\1');

  for (int i = 0; i < 20; i++) {
    g_autofree char *name = g_strdup_printf ("cam%02d", i);
    datahub_hub_register_block (producer, name, UUID_A, caps, NULL,
        DATAHUB_REGISTER_DEFAULT);
  }
  g_autoptr (DatahubHubBlock) last =
      find (watcher, "cam19", 10 * SECONDS, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (datahub_hub_block_get_caps (last), ==, caps);
  g_autoptr (GPtrArray) blocks =
      datahub_hub_list (watcher, 10 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (blocks->len, ==, 20);
}

static void
test_request (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autofree char *answer =
      datahub_hub_request (hub, "stats", NULL, 10 * SECONDS, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (strstr (answer, "\"clients\":1"));
  g_assert_null (datahub_hub_request (hub, "no-such-request", "{}",
      10 * SECONDS, NULL, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL);
  g_clear_error (&error);
  g_assert_null (datahub_hub_request (hub, "stats", "[1", 10 * SECONDS, NULL,
      &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS);
  g_clear_error (&error);
  g_autofree char *filler = g_strnfill (70000, 'x');
  g_autofree char *large = g_strdup_printf ("{\"pad\":\"%s\"}", filler);
  g_assert_null (datahub_hub_request (hub, "ping", large, 10 * SECONDS, NULL,
      &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_LIMIT);
}

typedef struct
{
  int ended, ok;
} Count;

static void
counted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Count *count = user_data;
  g_autofree char *answer =
      datahub_hub_request_finish (DATAHUB_HUB (source), result, NULL);

  count->ended++;
  count->ok += answer != NULL;
}

/* Many at once, each answered once; some cancelled on the way. */
static void
test_each_ends_once (void)
{
  enum
  {
    N = 600
  };
  Count count = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);

  for (int i = 0; i < N; i++)
    datahub_hub_request_async (hub, "ping", NULL, 10 * SECONDS,
        i % 3 ? NULL : cancellable, counted, &count);
  g_cancellable_cancel (cancellable);
  fixture_wait_until (count.ended == N);
  g_assert_cmpint (count.ok, >=, N * 2 / 3);
  /* Nothing comes after that. */
  g_autofree char *answer =
      datahub_hub_request (hub, "ping", NULL, 10 * SECONDS, NULL, NULL);
  g_assert_nonnull (answer);
  while (g_main_context_iteration (NULL, FALSE)) {
  }
  g_assert_cmpint (count.ended, ==, N);
}

static gpointer
ask_often (gpointer hub)
{
  for (int i = 0; i < 400; i++) {
    g_autoptr (GError) error = NULL;
    g_assert_null (datahub_hub_find (hub, "nobody", 0, NULL, &error));
    g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_NOT_FOUND);
  }
  return NULL;
}

/* Whoever waits is gone the moment it is answered, with all that it waited in:
 * the thread that answers must not look back. */
static void
test_many_askers (void)
{
  GThread *threads[4];
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("asker", ask_often, hub);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
test_shared (void)
{
  g_autoptr (GError) error = NULL;
  DatahubHub *a = datahub_hub_get_shared (NULL, NULL, NULL, &error);
  DatahubHub *b = datahub_hub_get_shared (NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (a == b);
  g_assert_true (datahub_hub_wait_connected (a, 10 * SECONDS, NULL, &error));
  g_object_unref (a);
  g_assert_true (datahub_hub_is_connected (b));
  g_object_add_weak_pointer (G_OBJECT (b), (gpointer *) &b);
  g_object_unref (b);
  /* The hub's own thread may be the last to let go. */
  fixture_wait_until (g_atomic_pointer_get (&b) == NULL);

  DatahubHub *c = datahub_hub_get_shared (NULL, NULL, NULL, &error);
  g_assert_true (datahub_hub_wait_connected (c, 10 * SECONDS, NULL, &error));
  g_object_unref (c);

  g_setenv ("DATAHUB_RUNTIME_DIR", "/no/such/parent/run", TRUE);
  g_assert_null (datahub_hub_get_shared (NULL, NULL, NULL, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_RUNTIME_DIR);
}

/* What is told before there is a connection is told when there is one. */
static void
test_told_before_connected (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);

  datahub_hub_register_block (hub, "early", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  g_assert_true (datahub_hub_connect_to (hub, "auto", NULL, NULL, &error));
  g_autoptr (DatahubHubBlock) block G_GNUC_UNUSED =
      find (hub, "early", 10 * SECONDS, &error);
  g_assert_no_error (error);
}

static void
note_wrong_arguments (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (g_task_propagate_pointer (G_TASK (result), &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS);
  ++*(int *) user_data;
}

/* Wrong arguments for a hub without a thread: there are two reasons to refuse them,
 * and one answer. */
static void
test_refused_twice (void)
{
  struct rlimit before, few;
  int answers = 0;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  few = before;
  few.rlim_cur = 4;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_false (datahub_hub_connect_to (hub, "auto", NULL, NULL, NULL));
  datahub_hub_find_async (hub, "a/b", 0, NULL, note_wrong_arguments, &answers);
  datahub_hub_request_async (hub, "ping", "[]", 0, NULL, note_wrong_arguments,
      &answers);
  fixture_wait_until (answers == 2);
}

/* A lock file that is a FIFO, as another user can make it where @endpoint is in a
 * directory of all: it is not waited for. */
static void
test_lock_is_a_fifo (void)
{
  g_autofree char *path = fixture_file ("shared.sock");
  g_autofree char *lock = g_strconcat (path, ".lock", NULL);
  g_autofree char *endpoint = g_strconcat ("ipc://", path, NULL);
  gboolean stopped = TRUE;

  g_assert_cmpint (mkfifo (lock, 0600), ==, 0);
  g_autofree char *text = datahub_hub_describe_broker (endpoint, &stopped);
  g_assert_cmpstr (text, ==, endpoint);
  g_assert_false (stopped);
}

static void
add_tests (void)
{
  fixture_add ("/hub/register-then-find", test_register_then_find);
  fixture_add ("/hub/strict-then-find", test_strict_then_find);
  fixture_add ("/hub/not-found", test_not_found);
  fixture_add ("/hub/pending-then-ready", test_pending_then_ready);
  fixture_add ("/hub/told-when-it-comes", test_told_when_it_comes);
  fixture_add ("/hub/cancel", test_cancel);
  fixture_add ("/hub/cancel-waiting-call", test_cancel_waiting_call);
  fixture_add ("/hub/no-broker", test_no_broker);
  fixture_add ("/hub/bad-arguments", test_bad_arguments);
  fixture_add ("/hub/list-pages", test_list_pages);
  fixture_add ("/hub/list-of-escapes", test_list_of_escapes);
  fixture_add ("/hub/request", test_request);
  fixture_add ("/hub/each-ends-once", test_each_ends_once);
  fixture_add ("/hub/many-askers", test_many_askers);
  fixture_add ("/hub/shared", test_shared);
  fixture_add ("/hub/refused-twice", test_refused_twice);
  fixture_add ("/hub/lock-is-a-fifo", test_lock_is_a_fifo);
  fixture_add ("/hub/told-before-connected", test_told_before_connected);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
