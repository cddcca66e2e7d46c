/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The embedded broker in a helper process: what it leaves alone in the process that
 * starts it, when it ends, and what happens if it cannot be started. */
#include "common/speed.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_US (2 * G_USEC_PER_SEC)
#define WHOLE_US (G_USEC_PER_SEC)

static volatile sig_atomic_t children_ended;

/* ---- children ---- */

static void
count_child (int number)
{
  children_ended++;
}

static int
open_process (int pid)
{
  int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);

  g_assert_cmpint (pidfd, >=, 0);
  return pidfd;
}

/* Connects and stays; asked by a line on its input, prints what it had of a child. */
static int
starter (const char *argument)
{
  char byte;
  g_autoptr (DatahubHub) hub = NULL;

  signal (SIGCHLD, strcmp (argument, "ignore") == 0 ? SIG_IGN : count_child);
  hub = fixture_hub (DATAHUB_HUB_THREAD_SIGNALS);
  datahub_hub_register_block (hub, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_say ("found");
  while (read (STDIN_FILENO, &byte, 1) == 1) {
    int ended = waitpid (-1, NULL, WNOHANG | __WALL);
    fixture_say ("signals %d, wait %d %d", (int) children_ended, ended,
        ended < 0 ? errno : 0);
  }
  return 0;
}

static gboolean
refuse_call (guint32 number, guint32 action)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, action),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { G_N_ELEMENTS (code), code };

  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
      && prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static gboolean
restrict_by (const char *what)
{
  if (strcmp (what, "exec") == 0)
    return refuse_call (SYS_execve, SECCOMP_RET_ERRNO | EPERM);
  if (strcmp (what, "exec-kills") == 0)
    return refuse_call (SYS_execve, SECCOMP_RET_KILL_PROCESS);
  if (strcmp (what, "orphans") == 0)
    return prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
  return strcmp (what, "nothing") == 0;
}

/* Prints where the broker runs, if a process under the restriction @what needs one. */
static int
restricted (const char *what)
{
  g_autoptr (DatahubHub) hub = NULL;

  if (!restrict_by (what)) {
    fixture_say ("skip");
    return 0;
  }
  hub = fixture_hub (DATAHUB_HUB_THREAD_SIGNALS);
  BrokerPlace place = fixture_place (hub);
  fixture_say ("%s %d", place.kind, place.pid == (int) getpid ());
  return 0;
}

/* The answer of restricted(), behind what its log has. */
static char *
read_answer (Child *child)
{
  char *line = fixture_read_line (child);

  while (line && strstr (line, "datahub-Message")) {
    g_test_message ("%s", line);
    g_free (line);
    line = fixture_read_line (child);
  }
  return line;
}

/* Whether a child under @what hosts the broker in its own process. */
static void
expect_in_process (const char *what)
{
  Child *child = fixture_spawn ("restricted", what);
  g_autofree char *line = read_answer (child);

  if (g_strcmp0 (line, "skip") == 0)
    g_test_skip ("the kernel refuses the restriction");
  else
    g_assert_cmpstr (line, ==, "process 1");
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* Prints events of the log that has @data in its text, and the text. */
static GLogWriterOutput
print_event (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer data)
{
  const char *event = NULL, *text = NULL;

  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "DATAHUB_EVENT") == 0)
      event = fields[i].value;
    else if (strcmp (fields[i].key, "MESSAGE") == 0)
      text = fields[i].value;
  if (event && text && strstr (text, data))
    fixture_say ("%d %s %s", (int) level, event, text);
  return G_LOG_WRITER_HANDLED;
}

/* Prints what it logs of its helper. */
static int
logger (const char *argument)
{
  g_autoptr (DatahubHub) hub = NULL;

  g_log_set_writer_func (print_event, (gpointer) argument, NULL);
  hub = fixture_hub (DATAHUB_HUB_THREAD_SIGNALS);
  fixture_child_stay ();
  return 0;
}

static void
mark (DatahubHub *hub, gpointer detail, gboolean *seen)
{
  *seen = TRUE;
}

/* ---- the helper itself ---- */

static char *
read_proc (int pid, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
  char *text;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static void
assert_link (int pid, const char *name, const char *target)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
  g_autofree char *link = g_file_read_link (path, NULL);

  g_assert_cmpstr (link, ==, target);
}

static void
assert_pipe (int pid, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
  g_autofree char *link = g_file_read_link (path, NULL);

  g_assert_true (g_str_has_prefix (link, "pipe:"));
}

static guint64
status_mask (int pid, const char *field)
{
  g_autofree char *text = read_proc (pid, "status");
  const char *at = strstr (text, field);

  g_assert_nonnull (at);
  return g_ascii_strtoull (at + strlen (field), NULL, 16);
}

/* The helper has nothing of its starter: no descriptor, mask, disposition, session,
 * directory, and its limit of descriptors is the highest. */
static void
test_clean (void)
{
  int ends[2];
  char byte;
  sigset_t some, before;
  struct rlimit limit;

  g_assert_cmpint (pipe (ends), ==, 0); /* without O_CLOEXEC */
  sigemptyset (&some);
  sigaddset (&some, SIGUSR1);
  pthread_sigmask (SIG_BLOCK, &some, &before);
  signal (SIGUSR2, SIG_IGN);
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  BrokerPlace place = fixture_place (hub);
  g_assert_cmpstr (place.kind, ==, "helper");
  g_assert_false (datahub_hub_is_hosting (hub));
  close (ends[1]);
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 0);
  close (ends[0]);
  g_assert_cmpint (getsid (place.pid), ==, place.pid);
  assert_link (place.pid, "cwd", "/");
  assert_link (place.pid, "fd/0", "/dev/null");
  assert_link (place.pid, "fd/1", "/dev/null");
  assert_pipe (place.pid, "fd/2");
  g_assert_cmpuint (status_mask (place.pid, "SigBlk:"), ==, 0);
  g_assert_cmpuint (status_mask (place.pid, "SigIgn:")
          & (G_GUINT64_CONSTANT (1) << (SIGUSR2 - 1)),
      ==, 0);
  g_autofree char *name = read_proc (place.pid, "comm");
  g_assert_cmpstr (name, ==, "datahub-broker\n");
  g_assert_cmpint (prlimit (place.pid, RLIMIT_NOFILE, NULL, &limit), ==, 0);
  g_assert_cmpuint (limit.rlim_cur, ==, limit.rlim_max);
  signal (SIGUSR2, SIG_DFL);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
}

/* The process that started a helper gets no signal and no child: not at the start, and
 * not when the helper is killed and another one is started. */
static void
expect_no_child (const char *argument)
{
  Child *child = fixture_spawn_ready ("starter", argument, "found");
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);
  g_autofree char *line = NULL, *nothing = NULL;
  gboolean lost = FALSE;
  int pidfd = open_process (fixture_place (hub).pid);
  g_autoptr (DatahubHubBlock) block = NULL;

  g_signal_connect (hub, "broker-lost", G_CALLBACK (mark), &lost);
  syscall (SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  fixture_wait_end (pidfd);
  close (pidfd);
  fixture_wait_until (lost);
  block = datahub_hub_find (hub, "cam0", 30 * SECONDS, NULL, NULL);
  g_assert_nonnull (block);
  g_output_stream_write_all (g_subprocess_get_stdin_pipe (child->process), "?",
      1, NULL, NULL, NULL);
  line = fixture_read_line (child);
  nothing = g_strdup_printf ("signals 0, wait -1 %d", ECHILD);
  g_assert_cmpstr (line, ==, nothing);
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

static void
test_no_child (void)
{
  expect_no_child ("handler");
  expect_no_child ("ignore");
}

/* The process that started it is killed; the others notice nothing. */
static void
test_outlives_starter (void)
{
  Child *child = fixture_spawn_ready ("starter", "handler", "found");
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  BrokerPlace before = fixture_place (hub), after;
  gboolean lost = FALSE, removed = FALSE;

  g_assert_cmpstr (before.kind, ==, "helper");
  g_signal_connect (hub, "broker-lost", G_CALLBACK (mark), &lost);
  g_signal_connect (hub, "block-removed", G_CALLBACK (mark), &removed);
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, "cam0", 30 * SECONDS, NULL, NULL);
  g_assert_nonnull (block);
  fixture_kill (child);
  after = fixture_place (hub);
  g_assert_cmpint (before.pid, ==, after.pid);
  fixture_round_trip (hub);
  g_assert_false (lost);
}

static void
expect_end (int pidfd, gint64 started)
{
  fixture_wait_end (pidfd);
  gint64 took = g_get_monotonic_time () - started;
  g_test_message ("ended after %d ms", (int) (took / 1000));
  g_assert_false (speed_is_over ((guint64) took, END_US));
  close (pidfd);
}

/* It ends with its last client, whatever that one registered, and leaves no socket. Its
 * log has no complaint of a sanitizer. */
static void
test_ends (void)
{
  g_autofree char *log = fixture_file ("log");
  g_autofree char *text = NULL;
  g_autofree char *socket = fixture_file ("run/broker.sock");

  g_setenv ("DATAHUB_BROKER_LOG", log, TRUE);
  g_setenv ("G_MESSAGES_DEBUG", "datahub", TRUE);
  Child *child = fixture_spawn_ready ("starter", "handler", "found");
  g_unsetenv ("G_MESSAGES_DEBUG");
  g_unsetenv ("DATAHUB_BROKER_LOG");
  DatahubHub *hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  int pidfd = open_process (fixture_place (hub).pid);
  g_object_unref (hub);
  gint64 started = g_get_monotonic_time ();
  fixture_kill (child);
  expect_end (pidfd, started);
  g_assert_false (g_file_test (socket, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_get_contents (log, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "serves clients"));
  g_assert_null (strstr (text, "Sanitizer"));
}

#define OF_HELPER "the helper process of the broker: "

/* What the helper logs is in the log of the process that started it. */
static void
test_log (void)
{
  Child *child = fixture_spawn ("logger", OF_HELPER);
  g_autofree char *line =
      g_strdup_printf ("%d serving " OF_HELPER "serves clients",
          (int) G_LOG_LEVEL_DEBUG);

  fixture_expect_line (child, line);
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* Whatever it writes is a line of the log, and none of a level that ends a process. */
static void
test_log_hostile (void)
{
  g_autofree char *script = fixture_file ("script");
  g_autofree char *text = g_strdup_printf (
      "#!/bin/sh\n[ -e $0.ran ] && exit 1\n: >$0.ran\nexec 1>&2\n"
      "echo '4 fatal one'\necho plain\n"
      "printf 'a\\000b\\n\\n'\nprintf %%01999d 0\n");

  fixture_write (script, text, 0700);
  g_setenv ("DATAHUB_BROKER_HELPER", script, TRUE);
  Child *child = fixture_spawn ("logger", OF_HELPER);
  g_unsetenv ("DATAHUB_BROKER_HELPER");
  fixture_expect_line (child, "32 fatal " OF_HELPER "one");
  fixture_expect_line (child, "32 helper-output " OF_HELPER "plain");
  fixture_expect_line (child, "32 helper-output " OF_HELPER "a");
  fixture_expect_line (child, "32 helper-output " OF_HELPER "b");
  for (int length = 1999; length > 0; length -= 1023) {
    g_autofree char *zeros = g_strnfill ((gsize) MIN (length, 1023), '0');
    g_autofree char *line =
        g_strconcat ("32 helper-output " OF_HELPER, zeros, NULL);
    g_autofree char *said = fixture_read_line (child);
    g_assert_cmpstr (said, ==, line);
  }
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* As logger(), with a limit of descriptors, which the helper has too: "LIMIT", or
 * "LIMIT WORDS of what is printed". */
static int
few (const char *argument)
{
  rlim_t limit = (rlim_t) atoi (argument);
  const char *words = strchr (argument, ' ');
  const struct rlimit both = { limit, limit };
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);

  g_log_set_writer_func (print_event,
      (gpointer) (words ? words + 1 : OF_HELPER), NULL);
  if (setrlimit (RLIMIT_NOFILE, &both) != 0
      || !datahub_hub_connect_to (hub, "auto", NULL, NULL, NULL))
    return 1;
  fixture_child_stay ();
  return 0;
}

/* A helper that could serve a few clients alone does not start, and the log has it. */
static void
test_few_descriptors (void)
{
  Child *child = fixture_spawn ("few", "60");
  g_autofree char *line = fixture_read_line (child);

  g_assert_true (g_str_has_prefix (line,
      "32 helper-failed " OF_HELPER "the broker cannot start: "));
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_assert_cmpstr (fixture_place (hub).kind, ==, "helper");
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* A helper without descriptors for one more client ends, and the next one is that of a
 * process with a higher limit. */
static void
test_starved (void)
{
  enum
  {
    N = 20
  };
  Child *child = fixture_spawn_ready ("few", "75",
      "128 serving " OF_HELPER "serves clients");
  DatahubHub *hubs[N];

  hubs[0] = fixture_hub (DATAHUB_HUB_DEFAULT);
  int first = fixture_place (hubs[0]).pid;
  for (int i = 1; i < N; i++)
    hubs[i] = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_assert_cmpint (fixture_place (hubs[N - 1]).pid, !=, first);
  g_autofree char *line = fixture_read_line (child);
  g_assert_true (g_str_has_prefix (line, "32 starved " OF_HELPER));
  for (int i = 0; i < N; i++)
    g_object_unref (hubs[i]);
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* Killed again and again: each time the registry is whole within a second. */
static void
test_killed (void)
{
  Child *child = fixture_spawn_ready ("starter", "handler", "found");
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  gboolean lost;

  g_signal_connect (hub, "broker-lost", G_CALLBACK (mark), &lost);
  for (int i = 0; i < 5; i++) {
    g_autoptr (GError) error = NULL;
    BrokerPlace place = fixture_place (hub);
    g_assert_cmpstr (place.kind, ==, "helper");
    lost = FALSE;
    gint64 started = g_get_monotonic_time ();
    g_assert_cmpint (kill (place.pid, SIGKILL), ==, 0);
    fixture_wait_until (lost);
    g_autoptr (DatahubHubBlock) block =
        datahub_hub_find (hub, "cam0", 30 * SECONDS, NULL, &error);
    g_assert_no_error (error);
    gint64 took = g_get_monotonic_time () - started;
    g_assert_cmpint (datahub_hub_block_get_pid (block), ==, child->pid);
    g_test_message ("whole again after %d ms", (int) (took / 1000));
    g_assert_false (speed_is_over ((guint64) took, WHOLE_US));
    g_assert_cmpint (fixture_place (hub).pid, !=, place.pid);
  }
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* Without its lock file the helper is of no use, though it has a client. */
static void
test_directory_gone (void)
{
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  int pidfd = open_process (fixture_place (hub).pid);
  g_autofree char *lock = fixture_file ("run/broker.lock");
  gint64 started = g_get_monotonic_time ();
  gboolean found = FALSE;

  g_signal_connect (hub, "broker-found", G_CALLBACK (mark), &found);
  g_assert_cmpint (g_unlink (lock), ==, 0);
  expect_end (pidfd, started);
  fixture_wait_until (found);
}

/* Another broker began in the meantime: the end of the first leaves its socket. */
static void
test_directory_new (void)
{
  DatahubHub *hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  int pidfd = open_process (fixture_place (hub).pid);
  g_autofree char *lock = fixture_file ("run/broker.lock");

  syscall (SYS_pidfd_send_signal, pidfd, SIGSTOP, NULL, 0);
  g_object_unref (hub); /* or it would host the next one */
  g_assert_cmpint (g_unlink (lock), ==, 0);
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  syscall (SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
  fixture_wait_end (pidfd);
  close (pidfd);
  g_autoptr (DatahubHub) other = fixture_hub (DATAHUB_HUB_MONITOR);
  g_assert_cmpstr (fixture_place (other).kind, ==, "standalone");
}

/* ---- no helper ---- */

static void
test_exec_refused (void)
{
  expect_in_process ("exec");
}

/* The sandbox kills a process that calls exec(): it is not this one. */
static void
test_exec_kills (void)
{
  expect_in_process ("exec-kills");
}

static void
test_adopts_orphans (void)
{
  expect_in_process ("orphans");
}

#define NO_HELPER "no helper can be started"

/* Until the child with @role prints @message, and why. */
static void
expect_no_helper (const char *role, const char *argument, const char *message)
{
  Child *child = fixture_spawn (role, argument);
  g_autofree char *line =
      g_strdup_printf ("32 no-helper %s, because " NO_HELPER ": ", message);

  fixture_expect_line (child, line);
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

static void
test_program_missing (void)
{
  g_autofree char *missing = fixture_file ("missing");

  g_setenv ("DATAHUB_BROKER_HELPER", missing, TRUE);
  expect_in_process ("nothing");
  expect_no_helper ("logger", NO_HELPER, "the broker runs in this process");
  expect_no_helper ("few", "60 " NO_HELPER,
      "a broker could run in this process alone");
  g_unsetenv ("DATAHUB_BROKER_HELPER");
}

/* A helper that starts, and ends before it serves. */
static void
test_program_fails (void)
{
  g_setenv ("DATAHUB_BROKER_HELPER", "/bin/false", TRUE);
  expect_in_process ("nothing");
  g_unsetenv ("DATAHUB_BROKER_HELPER");
}

static void
test_not_wanted (void)
{
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  expect_in_process ("nothing");
}

static void
add_tests (void)
{
  fixture_add ("/hub/helper/clean", test_clean);
  fixture_add ("/hub/helper/no-child", test_no_child);
  fixture_add ("/hub/helper/outlives-starter", test_outlives_starter);
  fixture_add ("/hub/helper/ends", test_ends);
  fixture_add ("/hub/helper/log", test_log);
  fixture_add ("/hub/helper/log-hostile", test_log_hostile);
  fixture_add ("/hub/helper/few-descriptors", test_few_descriptors);
  fixture_add ("/hub/helper/starved", test_starved);
  fixture_add ("/hub/helper/killed", test_killed);
  fixture_add ("/hub/helper/directory-gone", test_directory_gone);
  fixture_add ("/hub/helper/directory-new", test_directory_new);
  fixture_add ("/hub/helper/exec-refused", test_exec_refused);
  fixture_add ("/hub/helper/exec-kills", test_exec_kills);
  fixture_add ("/hub/helper/adopts-orphans", test_adopts_orphans);
  fixture_add ("/hub/helper/program-missing", test_program_missing);
  fixture_add ("/hub/helper/program-fails", test_program_fails);
  fixture_add ("/hub/helper/not-wanted", test_not_wanted);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("few", few);
  fixture_add_role ("logger", logger);
  fixture_add_role ("starter", starter);
  fixture_add_role ("restricted", restricted);
  return fixture_main (&argc, &argv, add_tests);
}
