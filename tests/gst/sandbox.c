/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include <errno.h>
#include <glib/gstdio.h>
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
static void
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
remove_files (const gchar *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const gchar *name;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree gchar *file = g_build_filename (path, name, NULL);
    g_unlink (file);
  }
  if (dir)
    g_dir_close (dir);
}

/* A broker that still runs may write its key once more in between. */
static void
remove_directory (gchar *path)
{
  gboolean again = TRUE;
  for (guint i = 0; again && i < 100; i++) {
    remove_files (path);
    again = g_rmdir (path) != 0 && errno == ENOTEMPTY;
  }
  g_free (path);
}

/* Nothing may be left in shared memory, whatever the test did. */
static void
place_teardown (void)
{
  guint left = count_entries (shm_dir, TRUE);
  remove_directory (g_steal_pointer (&shm_dir));
  remove_directory (g_steal_pointer (&runtime_dir));
  fail_unless_equals_int (left, 0);
}

const gchar *
sandbox_directory (void)
{
  return shm_dir;
}

guint
sandbox_count_files (void)
{
  return count_entries (shm_dir, FALSE);
}

void
sandbox_remove_files (const gchar *word)
{
  GDir *dir = g_dir_open (shm_dir, 0, NULL);
  const gchar *name;
  guint n = 0;
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *file = g_build_filename (shm_dir, name, NULL);
    if (!g_str_has_prefix (name, "datahub-") || (word && !strstr (name, word)))
      continue;
    fail_unless (g_unlink (file) == 0);
    n++;
  }
  g_dir_close (dir);
  fail_unless (n > 0);
}

guint
sandbox_count_fds (void)
{
  return count_entries ("/proc/self/fd", FALSE) - 1;
}

gboolean
sandbox_is_shared (gconstpointer address, gsize size)
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

Suite *
sandbox_suite (const gchar *name, void (*add_tests) (TCase *tc))
{
  return suite_of_one_case (name, add_tests, place_setup, place_teardown);
}
