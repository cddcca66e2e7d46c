/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-usage.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

static atomic_flag has_begun = ATOMIC_FLAG_INIT;
static struct rusage begin;

void
bench_usage_begin (void)
{
  if (!atomic_flag_test_and_set (&has_begun))
    getrusage (RUSAGE_SELF, &begin);
}

/* Shared pages are divided among the processes that map them. */
static unsigned long
pss_kib (void)
{
  char line[256];
  unsigned long kib = 0;
  FILE *file = fopen ("/proc/self/smaps_rollup", "re");
  while (file && fgets (line, sizeof line, file))
    if (sscanf (line, "Pss: %lu", &kib) == 1)
      break;
  if (file)
    fclose (file);
  return kib;
}

static double
since (struct timeval now, struct timeval then)
{
  return (double) (now.tv_sec - then.tv_sec)
      + (double) (now.tv_usec - then.tv_usec) / 1e6;
}

void
bench_usage_end (char *text, size_t size)
{
  struct rusage now;
  getrusage (RUSAGE_SELF, &now);
  bench_usage_begin ();
  snprintf (text, size,
      "{\"user_s\": %.6f, \"system_s\": %.6f, \"voluntary\": %ld, "
      "\"involuntary\": %ld, \"minor_faults\": %ld, \"major_faults\": %ld, "
      "\"pss_kib\": %lu}",
      since (now.ru_utime, begin.ru_utime),
      since (now.ru_stime, begin.ru_stime), now.ru_nvcsw - begin.ru_nvcsw,
      now.ru_nivcsw - begin.ru_nivcsw, now.ru_minflt - begin.ru_minflt,
      now.ru_majflt - begin.ru_majflt, pss_kib ());
}
