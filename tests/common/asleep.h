/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says a thread of this process does. */
#ifndef TESTS_ASLEEP_H
#define TESTS_ASLEEP_H

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* The letter of proc(5): 'S' for one that sleeps in a system call; 0 where there
 * is no such thread. */
static inline char
thread_state (pid_t tid)
{
  char path[64], line[512];
  snprintf (path, sizeof path, "/proc/self/task/%d/stat", (int) tid);
  FILE *stat = fopen (path, "re");
  if (!stat)
    return 0;
  char *read = fgets (line, sizeof line, stat);
  fclose (stat);
  /* The state follows the name, which may hold anything but ends in ')'. */
  char *end = read ? strrchr (line, ')') : NULL;
  return end && end[1] == ' ' ? end[2] : 0;
}

#endif /* TESTS_ASLEEP_H */
