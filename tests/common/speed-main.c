/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints by how much to multiply time limits on this machine: the slowest of as
 * many measurements at once as there are processors, since that is how the tests
 * run. */
#include "speed.h"

#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int
processors (void)
{
  cpu_set_t set;
  return sched_getaffinity (0, sizeof set, &set) == 0 ? CPU_COUNT (&set) : 1;
}

int
main (void)
{
  int slowest = 1, status, n = processors ();
  for (int i = 0; i < n; i++) {
    pid_t pid = fork ();
    if (pid == 0)
      _exit ((int) speed_measure ());
  }
  while (wait (&status) > 0)
    if (WIFEXITED (status) && WEXITSTATUS (status) > slowest)
      slowest = WEXITSTATUS (status);
  printf ("%d\n", slowest);
  return 0;
}
