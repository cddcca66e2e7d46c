/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer writes its process id as it is in its own PID namespace: in a container
 * that is often 1, which is another process here. So the number counts only if the
 * process has the lock file of the block open.
 * Tests: gst-refusals, gst-introduction */
#include "gstdatahubprocess.h"

#include <datahub/core.h>
#include <glib/gstdio.h>

/* The lock file of block @uuid, whatever user is in its name. */
static gboolean
find_lock_file (const gchar *uuid, GStatBuf *found)
{
  g_autofree gchar *end = g_strdup_printf ("-%s.lck", uuid);
  g_autoptr (GDir) directory = g_dir_open (datahub_shm_directory (), 0, NULL);
  const gchar *name;
  while (directory && (name = g_dir_read_name (directory))) {
    g_autofree gchar *path = NULL;
    if (!g_str_has_suffix (name, end))
      continue;
    path = g_build_filename (datahub_shm_directory (), name, NULL);
    if (g_lstat (path, found) == 0)
      return TRUE;
  }
  return FALSE;
}

/* Whether process @pid has the lock file of block @uuid open. A link in /proc has
 * the name of that file only if it was opened by its name, so inodes are compared. */
gboolean
gst_datahub_process_has_block (gint pid, const gchar *uuid)
{
  g_autofree gchar *path = g_strdup_printf ("/proc/%d/fd", pid);
  g_autoptr (GDir) directory = NULL;
  const gchar *name;
  GStatBuf lock, open;
  if (!*uuid || !find_lock_file (uuid, &lock))
    return FALSE;
  directory = g_dir_open (path, 0, NULL);
  while (directory && (name = g_dir_read_name (directory))) {
    g_autofree gchar *link = g_build_filename (path, name, NULL);
    if (g_stat (link, &open) == 0 && open.st_dev == lock.st_dev
        && open.st_ino == lock.st_ino)
      return TRUE;
  }
  return FALSE;
}

/* Returns: (transfer full): words for process @pid, as the producer of @uuid wrote it */
gchar *
gst_datahub_process_describe (gint pid, const gchar *uuid)
{
  return gst_datahub_process_has_block (pid, uuid)
      ? g_strdup_printf ("process %d", pid)
      : g_strdup_printf ("a process of another container or user (%d is its "
                         "number there)",
          pid);
}
