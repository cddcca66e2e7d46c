/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "common/speed.h"

#include <gio/gunixinputstream.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_LIMIT_US (20 * G_USEC_PER_SEC)
#define LINE_LIMIT_MS 60000 /* until a child prints something, or ends */
#define MAX_ROLES 16

static char *program;
static char *directory;
static struct
{
  const char *name;
  ChildRole role;
} roles[MAX_ROLES];
static guint n_roles;

static char *
make_directory (const char *parent)
{
  g_autofree char *template =
      g_build_filename (parent, "datahub-test-XXXXXX", NULL);

  g_assert_nonnull (g_mkdtemp_full (template, 0700));
  return g_steal_pointer (&template);
}

static void
remove_directory (const char *path)
{
  const char *name;
  GDir *dir = g_dir_open (path, 0, NULL);

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *file = g_build_filename (path, name, NULL);
    if (g_file_test (file, G_FILE_TEST_IS_DIR)
        && !g_file_test (file, G_FILE_TEST_IS_SYMLINK)) {
      g_chmod (file, 0700);
      remove_directory (file);
    } else {
      g_unlink (file);
    }
  }
  if (dir)
    g_dir_close (dir);
  g_rmdir (path);
}

/* A directory of the running test's own. */
const char *
fixture_dir (void)
{
  return directory;
}

char *
fixture_file (const char *name)
{
  return g_build_filename (directory, name, NULL);
}

void
fixture_write (const char *path, const char *text, int mode)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (g_chmod (path, mode), ==, 0);
}

/* Waits until the process behind @pidfd has ended. */
void
fixture_wait_end (int pidfd)
{
  struct pollfd end = { pidfd, POLLIN, 0 };

  if (poll (&end, 1, (int) (WAIT_LIMIT_US / 1000 * 2)) != 1)
    g_error ("the process does not end");
}

/* A helper process ends by itself, but later than the test. */
static void
end_helper (const char *runtime)
{
  g_autofree char *file = g_build_filename (runtime, "broker.lock", NULL);
  g_autofree char *text = NULL;
  int pid = 0, pidfd;

  if (!g_file_get_contents (file, &text, NULL, NULL)
      || !g_str_has_suffix (text, ", datahub-broker\n")
      || sscanf (text, "pid %d,", &pid) != 1)
    return;
  pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  if (pidfd < 0)
    return;
  g_autofree char *link = g_strdup_printf ("/proc/%d/exe", pid);
  g_autofree char *exe = g_file_read_link (link, NULL);
  /* the number may be another process's by now */
  if (exe && strstr (exe, "datahub-broker")) {
    syscall (SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    fixture_wait_end (pidfd);
  }
  close (pidfd);
}

typedef struct
{
  void (*test) (gconstpointer data);
  gconstpointer data;
} Test;

/* Every test has its own directories, so that none sees another's broker. */
static void
run_test (gconstpointer data)
{
  const Test *test = data;
  const char *shm_parent =
      g_file_test ("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : "/tmp";
  g_autofree char *shm = make_directory (shm_parent);

  directory = make_directory ("/tmp");
  g_autofree char *runtime = g_build_filename (directory, "run", NULL);
  g_setenv ("DATAHUB_RUNTIME_DIR", runtime, TRUE);
  g_setenv ("DATAHUB_SHM_DIR", shm, TRUE);
  g_unsetenv ("DATAHUB_BROKER");
  g_unsetenv ("DATAHUB_BROKER_HOST");
  test->test (test->data);
  end_helper (runtime);
  remove_directory (shm);
  remove_directory (directory);
  g_clear_pointer (&directory, g_free);
}

void
fixture_add_data (const char *path, gconstpointer data,
    void (*test) (gconstpointer data))
{
  Test *added = g_new (Test, 1);

  *added = (Test){ test, data };
  g_test_add_data_func_full (path, added, run_test, g_free);
}

static void
run_plain (gconstpointer data)
{
  ((void (*) (void)) data) ();
}

void
fixture_add (const char *path, void (*test) (void))
{
  fixture_add_data (path, (gconstpointer) test, run_plain);
}

void
fixture_add_role (const char *name, ChildRole role)
{
  g_assert_cmpuint (n_roles, <, MAX_ROLES);
  roles[n_roles].name = name;
  roles[n_roles++].role = role;
}

static int
run_role (const char *name, const char *argument)
{
  for (guint i = 0; i < n_roles; i++)
    if (strcmp (roles[i].name, name) == 0)
      return roles[i].role (argument);
  return 99;
}

/* Runs the tests; or one role, where this program was started as a child. */
int
fixture_main (int *argc, char ***argv, void (*add_tests) (void))
{
  program = g_file_read_link ("/proc/self/exe", NULL);
  if (*argc == 4 && strcmp ((*argv)[1], "--role") == 0) {
    /* Never outlive the test, however it ends. */
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    return run_role ((*argv)[2], (*argv)[3]);
  }
  signal (SIGPIPE, SIG_IGN);
  g_test_init (argc, argv, NULL);
  add_tests ();
  return g_test_run ();
}

static gboolean
wake (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

gint64
fixture_wait_begin (void)
{
  static gboolean ticking;

  /* Conditions that no source of this context signals are looked at often. */
  if (!ticking)
    g_timeout_add (5, wake, NULL);
  ticking = TRUE;
  return g_get_monotonic_time ();
}

void
fixture_wait_step (gint64 started, const char *what)
{
  if (speed_is_over (g_get_monotonic_time () - started, WAIT_LIMIT_US))
    g_error ("waited in vain for: %s", what);
  g_main_context_iteration (NULL, TRUE);
}

gint64
fixture_ms_since (gint64 started_us)
{
  return (g_get_monotonic_time () - started_us) / 1000;
}

/* A broker in this process, with the allow-list @config (text) if there is. */
DatahubBroker *
fixture_broker (const char *config)
{
  return fixture_broker_at (config, NULL, NULL);
}

DatahubBroker *
fixture_broker_at (const char *config, const char *endpoint, char **bound)
{
  g_autoptr (GError) error = NULL;
  DatahubBroker *broker = datahub_broker_new ();

  if (config) {
    g_autofree char *file = fixture_file ("clients.json");
    fixture_write (file, config, 0600);
    datahub_broker_load_config (broker, file, &error);
    g_assert_no_error (error);
  }
  if (endpoint)
    datahub_broker_add_endpoint (broker, endpoint, &error);
  g_assert_no_error (error);
  datahub_broker_start (broker, &error);
  g_assert_no_error (error);
  if (endpoint) {
    g_auto (GStrv) endpoints = datahub_broker_get_endpoints (broker);
    *bound = g_strdup (endpoints[1]);
  }
  return broker;
}

/* A connected hub. */
DatahubHub *
fixture_hub (DatahubHubFlags flags)
{
  g_autoptr (GError) error = NULL;
  DatahubHub *hub = datahub_hub_new (flags);

  datahub_hub_connect_to (hub, "auto", NULL, NULL, &error);
  g_assert_no_error (error);
  datahub_hub_wait_connected (hub, 30 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  return hub;
}

/* The broker has heard everything that @hub was told before. */
void
fixture_round_trip (DatahubHub *hub)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *answer =
      datahub_hub_request (hub, "ping", NULL, 30 * SECONDS, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (answer);
}

BrokerPlace
fixture_place (DatahubHub *hub)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text =
      datahub_hub_request (hub, "ping", NULL, 30 * SECONDS, NULL, &error);
  BrokerPlace place = { 0 };
  const char *kind;

  g_assert_no_error (error);
  json_t *answer = json_loads (text, 0, NULL);
  g_assert_cmpint (json_unpack (answer, "{s:s, s:i}", "kind", &kind, "pid",
                       &place.pid),
      ==, 0);
  g_strlcpy (place.kind, kind, sizeof place.kind);
  json_decref (answer);
  return place;
}

/* --- children --- */

Child *
fixture_spawn_argv (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  Child *child = g_new0 (Child, 1);

  child->process = g_subprocess_newv (argv,
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE
          | G_SUBPROCESS_FLAGS_STDIN_PIPE,
      &error);
  g_assert_no_error (error);
  child->lines =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (child->process));
  child->pid = atoi (g_subprocess_get_identifier (child->process));
  return child;
}

Child *
fixture_spawn (const char *role, const char *argument)
{
  const char *argv[] = { program, "--role", role, argument, NULL };

  return fixture_spawn_argv (argv);
}

static gboolean
has_line (GBufferedInputStream *lines)
{
  gsize size;
  const char *text = g_buffered_input_stream_peek_buffer (lines, &size);

  return size > 0 && memchr (text, '\n', size);
}

/* Reads until a line is whole, or there is no more. */
static void
wait_for_line (Child *child)
{
  GBufferedInputStream *lines = G_BUFFERED_INPUT_STREAM (child->lines);
  GInputStream *output = g_subprocess_get_stdout_pipe (child->process);
  struct pollfd more = {
    g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (output)), POLLIN, 0
  };

  while (!has_line (lines)) {
    if (poll (&more, 1, (int) speed_given () * LINE_LIMIT_MS) == 0)
      g_error ("the child %d is silent, and does not end", child->pid);
    if (g_buffered_input_stream_fill (lines, -1, NULL, NULL) <= 0)
      return;
  }
}

/* The next line that @child says; NULL when it says no more. */
char *
fixture_read_line (Child *child)
{
  wait_for_line (child);
  return g_data_input_stream_read_line (child->lines, NULL, NULL, NULL);
}

/* Reads on until @child says @line. */
void
fixture_expect_line (Child *child, const char *line)
{
  for (;;) {
    g_autofree char *said = fixture_read_line (child);
    if (!said)
      g_error ("the child ended before it said: %s", line);
    if (strstr (said, line))
      return;
    g_test_message ("child %d: %s", child->pid, said);
  }
}

void
fixture_signal (Child *child, int number)
{
  /* GSubprocess would send it from another thread, some time later. */
  g_assert_cmpint (kill (child->pid, number), ==, 0);
}

/* Stops @child; it is stopped when this returns. */
void
fixture_stop (Child *child)
{
  siginfo_t info;

  fixture_signal (child, SIGSTOP);
  g_assert_cmpint (waitid (P_PID, (id_t) child->pid, &info, WSTOPPED), ==, 0);
}

/* A child in a role, once it has said @line. */
Child *
fixture_spawn_ready (const char *role, const char *argument, const char *line)
{
  Child *child = fixture_spawn (role, argument);

  fixture_expect_line (child, line);
  return child;
}

/* Waits for the end of @child, frees it, and returns its exit code; -1 for one
 * that a signal ended. */
int
fixture_reap (Child *child)
{
  int code = -1;

  g_output_stream_close (g_subprocess_get_stdin_pipe (child->process), NULL,
      NULL);
  for (char *line; (line = fixture_read_line (child)); g_free (line))
    g_test_message ("child %d: %s", child->pid, line);
  g_subprocess_wait (child->process, NULL, NULL);
  if (g_subprocess_get_if_exited (child->process))
    code = g_subprocess_get_exit_status (child->process);
  g_object_unref (child->lines);
  g_object_unref (child->process);
  g_free (child);
  return code;
}

/* Kills @child, which was alive, and frees it. */
void
fixture_kill (Child *child)
{
  fixture_signal (child, SIGKILL);
  g_assert_cmpint (fixture_reap (child), ==, -1);
}

/* In a child: says one line, whole. */
void
fixture_say (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  if (write (STDOUT_FILENO, line, strlen (line)) < 0)
    _exit (98);
}

/* In a child: stays until the test lets go of it. */
void
fixture_child_stay (void)
{
  char byte;

  while (read (STDIN_FILENO, &byte, 1) > 0) {
  }
}

int
fixture_produce (const char *name, gboolean adopt)
{
  DatahubProducerOptions options;
  DatahubProducer *producer;
  DatahubError error;
  g_autoptr (DatahubHub) hub G_GNUC_UNUSED =
      datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);

  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  options.adopt = adopt;
  if (datahub_producer_create (name, &options, &producer, &error)
      || datahub_producer_publish (producer, &error)) {
    fixture_say ("cannot produce: %s", error.message);
    return 1;
  }
  if (!datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL)
      || !datahub_hub_wait_connected (hub, 30 * SECONDS, NULL, NULL))
    return 1;
  datahub_hub_register_block (hub, name, datahub_producer_get_uuid (producer),
      "video/x-raw", NULL, DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, name, 30 * SECONDS, NULL, NULL);
  fixture_say ("uuid %s", block ? datahub_hub_block_get_uuid (block) : "none");
  fixture_child_stay ();
  datahub_hub_unregister_block (hub, name,
      datahub_producer_get_uuid (producer));
  datahub_producer_close (producer);
  return 0;
}

int
fixture_consume (const char *name)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  DatahubError error;
  DatahubConsumerInfo rows[16];
  uint32_t n = 0;
  g_autoptr (DatahubHub) hub G_GNUC_UNUSED =
      datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);

  datahub_consumer_options_init (&options);
  options.name = "preview";
  if (datahub_consumer_attach (name, &options, &consumer, &error)
      || datahub_block_inspect_consumers (name, rows, 16, &n, &error)) {
    fixture_say ("cannot consume: %s", error.message);
    return 1;
  }
  if (!datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL)
      || !datahub_hub_wait_connected (hub, 30 * SECONDS, NULL, NULL))
    return 1;
  datahub_hub_consumer_joined (hub, name, datahub_consumer_get_uuid (consumer),
      rows[0].id, "preview");
  fixture_say ("joined");
  fixture_child_stay ();
  datahub_hub_consumer_left (hub, name, datahub_consumer_get_uuid (consumer),
      rows[0].id, "left");
  datahub_consumer_close (consumer);
  return 0;
}
