/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "child.h"

#include <gst/check/gstcheck.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

Child *
child_start (const gchar *format, ...)
{
  Child *child = g_new0 (Child, 1);
  g_autofree gchar *pipeline = NULL;
  g_autoptr (GError) error = NULL;
  const gchar *program = g_getenv ("DATAHUB_TEST_CHILD");
  va_list args;
  fail_unless (program != NULL, "DATAHUB_TEST_CHILD: path of pipeline-child");
  va_start (args, format);
  pipeline = g_strdup_vprintf (format, args);
  va_end (args);
  child->process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
      program, pipeline, NULL);
  fail_unless (child->process != NULL, "%s", error ? error->message : "");
  child->out =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (child->process));
  return child;
}

Child *
child_consumer (const gchar *properties)
{
  return child_start ("datahubsrc name=src datablock=cam0 %s ! "
                      "fakesink name=show",
      properties);
}

Child *
child_producer (const gchar *properties)
{
  return child_start (TEST_PICTURE " ! datahubsink name=sink datablock=cam0 %s",
      properties);
}

gchar *
child_next (Child *child, const gchar *prefix)
{
  gchar *line;
  while ((line =
              g_data_input_stream_read_line (child->out, NULL, NULL, NULL))) {
    if (g_str_has_prefix (line, "error ")
        && !g_str_has_prefix (prefix, "error"))
      g_printerr ("child: %s\n", line);
    if (g_str_has_prefix (line, prefix))
      return line;
    g_free (line);
  }
  return NULL;
}

void
child_expect (Child *child, const gchar *prefix)
{
  gchar *line = child_next (child, prefix);
  fail_unless (line != NULL, "a child ended without \"%s\"", prefix);
  g_free (line);
}

void
child_expect_word (Child *child, const gchar *prefix, const gchar *word)
{
  g_autofree gchar *line = child_next (child, prefix);
  fail_unless (line && strstr (line, word), "not \"%s\": %s", word, line);
}

void
child_take_buffers (Child *child, guint n)
{
  for (guint i = 0; i < n; i++)
    child_expect (child, "buffer show");
}

guint
child_count_buffers (Child *child)
{
  guint n = 0;
  for (gchar *line; (line = child_next (child, "buffer ")); n++)
    g_free (line);
  return n;
}

/* GSubprocess would send it from another thread, some time later. */
void
child_signal (Child *child, int number)
{
  const gchar *pid = g_subprocess_get_identifier (child->process);
  if (pid)
    kill ((pid_t) g_ascii_strtoll (pid, NULL, 10), number);
}

void
child_halt (Child *child)
{
  const gchar *pid = g_subprocess_get_identifier (child->process);
  siginfo_t info;
  fail_unless (pid != NULL);
  child_signal (child, SIGSTOP);
  fail_unless_equals_int (waitid (P_PID, (id_t) g_ascii_strtoll (pid, NULL, 10),
                              &info, WSTOPPED),
      0);
}

int
child_end (Child *child)
{
  int status;
  g_free (child_next (child, "\n")); /* reads to the end */
  g_subprocess_wait (child->process, NULL, NULL);
  status = g_subprocess_get_if_exited (child->process)
      ? g_subprocess_get_exit_status (child->process)
      : -g_subprocess_get_term_sig (child->process);
  g_object_unref (child->out);
  g_object_unref (child->process);
  g_free (child);
  return status;
}

void
child_kill (Child *child)
{
  child_signal (child, SIGKILL);
  fail_unless_equals_int (child_end (child), -SIGKILL);
}

/* To stop takes less than a second; the other one is a busy machine's. */
void
child_stop (Child *child)
{
  gint64 start = g_get_monotonic_time ();
  child_signal (child, SIGINT);
  fail_unless_equals_int (child_end (child), 0);
  fail_unless (g_get_monotonic_time () - start < 2 * G_USEC_PER_SEC,
      "it took %.2f s to stop",
      (gdouble) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
}

gchar *
child_stop_and_tell (Child *child, const gchar *name)
{
  g_autofree gchar *prefix = g_strdup_printf ("stats %s ", name);
  gchar *line;
  child_signal (child, SIGINT);
  line = child_next (child, prefix);
  fail_unless (line != NULL, "a child ended without \"%s\"", prefix);
  fail_unless_equals_int (child_end (child), 0);
  return line;
}

guint64
child_stat (const gchar *line, const gchar *field)
{
  g_autofree gchar *mark = g_strdup_printf (" %s=(", field);
  const gchar *at = strstr (line, mark);
  fail_unless (at != NULL, "no %s in %s", field, line);
  return g_ascii_strtoull (strchr (at, ')') + 1, NULL, 10);
}

/* buffer NAME PTS SIZE FLAGS MD5 */
static gchar *
word_of (const gchar *line, guint word)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  fail_unless (g_strv_length (words) > word, "%s", line);
  return g_strdup (words[word]);
}

gint64
child_pts (const gchar *line)
{
  g_autofree gchar *word = word_of (line, 2);
  return g_ascii_strtoll (word, NULL, 10);
}

guint
child_flags (const gchar *line)
{
  g_autofree gchar *word = word_of (line, 4);
  return (guint) g_ascii_strtoull (word, NULL, 16);
}

gchar *
child_sum (const gchar *line)
{
  return word_of (line, 5);
}
