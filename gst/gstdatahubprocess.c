/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer writes its process id as it is in its own PID namespace: in a container
 * that is often 1, which is another process here. So the number counts only if the
 * process has the lock file of the block open.
 * Tests: gst-refusals, gst-introduction */
#include "gstdatahubprocess.h"

#include <string.h>
#include <unistd.h>

/* Whether process @pid has the lock file of block @uuid open. */
gboolean
gst_datahub_process_has_block (gint pid, const gchar *uuid)
{
  g_autofree gchar *path = g_strdup_printf ("/proc/%d/fd", pid);
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  const gchar *name;
  while (*uuid && directory && (name = g_dir_read_name (directory))) {
    g_autofree gchar *link = g_build_filename (path, name, NULL);
    g_autofree gchar *file = g_file_read_link (link, NULL);
    if (file && strstr (file, uuid))
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
