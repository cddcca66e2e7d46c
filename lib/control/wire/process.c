/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether another process is stopped. Its end shows at its connection; that it is stopped
 * shows there only by its silence, so without the kernel's word each process has to speak
 * all the time.
 * Tests: hub-rest */
#include "process-private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of /proc/PID/stat: the number, a name of 64 bytes at most, the state. */
#define STAT_BYTES 128

/* The namespace of the process numbers of this process, as "DEVICE:INODE": a number means
 * the same process to all that have the same one. NULL: there is no /proc, or that of
 * another namespace. */
char *
process_space (void)
{
  char self[16];
  ssize_t n = readlink ("/proc/self", self, sizeof self - 1);
  struct stat st;

  if (n <= 0 || stat ("/proc/self/ns/pid", &st) != 0)
    return NULL;
  self[n] = '\0';
  if (g_ascii_strtoll (self, NULL, 10) != getpid ())
    return NULL;
  return g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
      (guint64) st.st_dev, (guint64) st.st_ino);
}

/* Reads one file of /proc; does not wait. A number that was used again is taken for the
 * process that has it now. */
ProcessState
process_look (int pid)
{
  char path[32], text[STAT_BYTES];
  ssize_t n = -1;

  snprintf (path, sizeof path, "/proc/%d/stat", pid);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    n = read (fd, text, sizeof text - 1);
    close (fd);
  }
  text[MAX (n, 0)] = '\0';
  /* the process name before the state may contain parentheses */
  const char *state = strrchr (text, ')');
  if (!state || state[1] != ' ' || !state[2])
    return PROCESS_UNKNOWN;
  return state[2] == 'T' || state[2] == 't' ? PROCESS_STOPPED : PROCESS_RUNS;
}
