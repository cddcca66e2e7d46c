/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct _Child
{
  const char *title;
  GSubprocess *process;
  GDataInputStream *lines;
  gchar *pid; /* kept after the end */
  ChildCount counts[CHILD_N_STREAMS];
  gboolean has_exited, has_said_all;
  ChildEnded ended;
  gpointer ended_data;
};

/* The child ends with its parent, also with one that ended before the request. */
static void
set_up_child (gpointer parent)
{
  setpgid (0, 0);
  prctl (PR_SET_PDEATHSIG, SIGINT);
  if (getppid () != GPOINTER_TO_INT (parent))
    _exit (1);
}

static void
maybe_ended (Child *child)
{
  if (child->has_exited && child->has_said_all)
    child->ended (child, child->ended_data);
}

static void
take_line (Child *child, const char *line)
{
  char key[16], stream[16];
  ChildCount count;

  if (sscanf (line,
          "%15s %15s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
          " %" G_GUINT64_FORMAT,
          key, stream, &count.buffers, &count.bytes, &count.lost)
          == 5
      && (g_str_equal (key, "PROGRESS") || g_str_equal (key, "END"))) {
    child->counts[g_str_equal (stream, "audio") ? CHILD_AUDIO : CHILD_VIDEO] =
        count;
  } else if (g_str_has_prefix (line, "SAY ")) {
    g_print ("[%-7s %s] %s\n", child->title, child->pid,
        line + strlen ("SAY "));
  } else {
    g_print ("[%-7s %s] %s\n", child->title, child->pid, line);
  }
}

static void
on_line (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Child *child = user_data;
  g_autofree char *line =
      g_data_input_stream_read_line_finish_utf8 (child->lines, result, NULL,
          NULL);

  if (!line) {
    child->has_said_all = TRUE;
    maybe_ended (child);
    return;
  }
  take_line (child, line);
  g_data_input_stream_read_line_async (child->lines, G_PRIORITY_DEFAULT, NULL,
      on_line, child);
}

static void
on_exit_status (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Child *child = user_data;
  g_subprocess_wait_finish (child->process, result, NULL);
  child->has_exited = TRUE;
  maybe_ended (child);
}

Child *
child_start (const char *title, const gchar *const *argv, ChildEnded ended,
    gpointer user_data, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE
          | G_SUBPROCESS_FLAGS_STDERR_MERGE);
  GSubprocess *process;
  Child *child;

  g_subprocess_launcher_set_child_setup (launcher, set_up_child,
      GINT_TO_POINTER (getpid ()), NULL);
  process = g_subprocess_launcher_spawnv (launcher, argv, error);
  if (!process)
    return NULL;
  child = g_new0 (Child, 1);
  child->title = title;
  child->process = process;
  child->pid = g_strdup (g_subprocess_get_identifier (process));
  child->ended = ended;
  child->ended_data = user_data;
  child->lines =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
  g_data_input_stream_read_line_async (child->lines, G_PRIORITY_DEFAULT, NULL,
      on_line, child);
  g_subprocess_wait_async (process, NULL, on_exit_status, child);
  return child;
}

void
child_free (Child *child)
{
  g_object_unref (child->lines);
  g_object_unref (child->process);
  g_free (child->pid);
  g_free (child);
}

const char *
child_get_title (Child *child)
{
  return child->title;
}

const char *
child_get_pid (Child *child)
{
  return child->pid;
}

gboolean
child_is_running (Child *child)
{
  return child && !child->has_exited;
}

void
child_signal (Child *child, int signal_number)
{
  if (!child->has_exited)
    g_subprocess_send_signal (child->process, signal_number);
}

ChildCount
child_get_count (Child *child, ChildStream stream)
{
  return child->counts[stream];
}

gboolean
child_has_succeeded (Child *child)
{
  return child->has_exited && g_subprocess_get_successful (child->process);
}

gchar *
child_describe_end (Child *child)
{
  if (child_has_succeeded (child))
    return g_strdup ("done");
  if (g_subprocess_get_if_signaled (child->process))
    return g_strdup_printf ("killed by signal %d (%s)",
        g_subprocess_get_term_sig (child->process),
        g_strsignal (g_subprocess_get_term_sig (child->process)));
  return g_strdup_printf ("failed with exit status %d",
      g_subprocess_get_exit_status (child->process));
}
