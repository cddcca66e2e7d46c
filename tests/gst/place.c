/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "place.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>

static gchar *shm_dir, *runtime_dir;

static guint
count_entries (const gchar *path, gboolean tell)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const gchar *name;
  guint n = 0;
  fail_unless (dir != NULL);
  for (; (name = g_dir_read_name (dir)); n++)
    if (tell)
      g_printerr ("left behind: %s\n", name);
  g_dir_close (dir);
  return n;
}

/* Blocks need a real shared memory file system, keys any directory. */
void
place_setup (void)
{
  g_autofree gchar *template = g_strdup ("/dev/shm/datahub-gst-XXXXXX");
  fail_unless (g_mkdtemp (template) != NULL);
  shm_dir = g_steal_pointer (&template);
  runtime_dir = g_dir_make_tmp ("datahub-gst-XXXXXX", NULL);
  fail_unless (runtime_dir != NULL);
  g_setenv ("DATAHUB_SHM_DIR", shm_dir, TRUE);
  g_setenv ("DATAHUB_RUNTIME_DIR", runtime_dir, TRUE);
  g_setenv ("DATAHUB_BROKER", "none", TRUE);
}

static void
remove_directory (gchar *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const gchar *name;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree gchar *file = g_build_filename (path, name, NULL);
    g_unlink (file);
  }
  if (dir)
    g_dir_close (dir);
  g_rmdir (path);
  g_free (path);
}

/* Nothing may be left in shared memory, whatever the test did. */
void
place_teardown (void)
{
  guint left = count_entries (shm_dir, TRUE);
  remove_directory (g_steal_pointer (&shm_dir));
  remove_directory (g_steal_pointer (&runtime_dir));
  fail_unless_equals_int (left, 0);
}

const gchar *
place_directory (void)
{
  return shm_dir;
}

guint
place_count_files (void)
{
  return count_entries (shm_dir, FALSE);
}

guint
place_count_fds (void)
{
  return count_entries ("/proc/self/fd", FALSE) - 1;
}

/* Whether the bytes are in a mapping of a file of a block. */
gboolean
place_is_shared (gconstpointer address, gsize size)
{
  gchar line[1024];
  gboolean found = FALSE;
  FILE *maps = fopen ("/proc/self/maps", "re");
  fail_unless (maps != NULL);
  while (!found && fgets (line, sizeof line, maps)) {
    unsigned long from, to;
    found = strstr (line, shm_dir) && sscanf (line, "%lx-%lx", &from, &to) == 2
        && (gulong) address >= from && (gulong) address + size <= to;
  }
  fclose (maps);
  return found;
}

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

/* The next line that begins so, or NULL at the end. */
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
child_signal (Child *child, int number)
{
  g_subprocess_send_signal (child->process, number);
}

/* Waits for its end. Returns the exit status, or minus the signal. */
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

/* A number of a "stats" line. */
guint64
child_stat (const gchar *line, const gchar *field)
{
  g_autofree gchar *mark = g_strdup_printf (" %s=(", field);
  const gchar *at = strstr (line, mark);
  fail_unless (at != NULL, "no %s in %s", field, line);
  return g_ascii_strtoull (strchr (at, ')') + 1, NULL, 10);
}
