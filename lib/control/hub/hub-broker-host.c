/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which process serves an endpoint, for messages. The holder of the endpoint's lock has
 * written its number and name into the lock file. They are believed only of a process
 * that has this file open: the number may be of another PID namespace, or old.
 * Tests: gst-introduction, hub-questions */
#include "control/wire/control-log-private.h"
#include <datahub/hub.h>
#include "control/wire/endpoint-private.h"
#include "control/wire/process-private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TEXT 128

/* Whether process @pid has the file open that @lock describes. */
static gboolean
has_open (int pid, const struct stat *lock)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd", pid);
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  const char *name;
  struct stat st;

  while (directory && (name = g_dir_read_name (directory))) {
    g_autofree char *file = g_build_filename (path, name, NULL);
    if (stat (file, &st) == 0 && st.st_dev == lock->st_dev
        && st.st_ino == lock->st_ino)
      return TRUE;
  }
  return FALSE;
}

/* Reads the number of the process and its name, as it wrote them. What is no plain file
 * is not read: an open of a FIFO would wait. */
static gboolean
read_holder (const char *file, struct stat *lock, int *pid,
    char program[MAX_TEXT])
{
  char text[MAX_TEXT];
  ssize_t n = -1;
  int fd = open (file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0)
    return FALSE;
  if (fstat (fd, lock) == 0 && S_ISREG (lock->st_mode))
    n = pread (fd, text, sizeof text - 1, 0);
  close (fd);
  text[MAX (n, 0)] = '\0';
  program[0] = '\0';
  return sscanf (text, "pid %d, %100[^\n]", pid, program) >= 1 && *pid > 0;
}

static char *
describe (const char *endpoint, gboolean *stopped)
{
  const char *path = endpoint_ipc_path (endpoint);
  g_autofree char *file = path ? endpoint_lock_file (path) : NULL;
  char program[MAX_TEXT];
  struct stat lock;
  int pid;

  if (!file || !read_holder (file, &lock, &pid, program)
      || !has_open (pid, &lock))
    return g_strdup (endpoint);
  *stopped = process_look (pid) == PROCESS_STOPPED;
  g_autofree char *safe = g_strescape (program, NULL);
  return *stopped
      ? g_strdup_printf ("%s, which is hosted by process %d (%s), which is "
                         "stopped (to continue it: kill -CONT %d),",
          endpoint, pid, *safe ? safe : "?", pid)
      : g_strdup_printf ("%s, which is hosted by process %d (%s),", endpoint,
          pid, *safe ? safe : "?");
}

/**
 * datahub_hub_describe_broker:
 * @endpoint: (nullable): as in datahub_hub_connect_to()
 * @stopped: (out): whether the process that serves it is stopped
 *
 * Reads files of the runtime directory and of the system; does not connect.
 *
 * Returns: (transfer full): the endpoint, and the process behind it if it is known, for
 * a sentence that begins with "The broker at"
 */
char *
datahub_hub_describe_broker (const char *endpoint, gboolean *stopped)
{
  g_autofree char *runtime = NULL;

  *stopped = FALSE;
  if (!endpoint || !*endpoint)
    endpoint = g_getenv ("DATAHUB_BROKER");
  if (endpoint && *endpoint && strcmp (endpoint, "auto") != 0)
    return describe (endpoint, stopped);
  runtime = endpoint_runtime (FALSE, NULL);
  return runtime ? describe (runtime, stopped)
                 : g_strdup ("the runtime directory");
}
