/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks of tests/common for targets: what fails is a crash, so that the
 * input is kept. */
#include "common/check.h"

#include <datahub/core.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Thread_local DatahubError err;

void
check_fail (const char *file, int line, const char *format, ...)
{
  va_list args;
  fprintf (stderr, "%s:%d: ", file, line);
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fputc ('\n', stderr);
  abort ();
}

void
check_fail_int (const char *file, int line, const char *what, __int128 a,
    __int128 b)
{
  check_fail (file, line, "%s: %lld against %lld", what, (long long) a,
      (long long) b);
}
