/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a table of tests, each in its own process, and prints TAP. */
#include "check-private.h"
#include "speed.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Longest a single behaviour may take on the reference machine, see speed.h. */
#define TEST_LIMIT_NS (60 * CHECK_S)
/* Between two looks at whether a limit that has passed has grown. */
#define AGAIN_MS 200
#define EXIT_SKIPPED 77
/* Longest a test looks for a condition. */
#define UNTIL_NS (10 * CHECK_S)

/* Written by the test's process, read by the runner after it ended. */
static char *skip_reason;
#define SKIP_REASON_SIZE 4096

uint64_t
check_now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

int64_t
check_scaled_ns (int64_t ns)
{
  return ns * speed_given ();
}

void
check_note (const char *format, ...)
{
  char line[1024];
  va_list args;
  va_start (args, format);
  vsnprintf (line, sizeof line, format, args);
  va_end (args);
  /* One write, so that lines of several processes do not mix. */
  dprintf (STDOUT_FILENO, "# %s\n", line);
}

void
check_fail (const char *file, int line, const char *format, ...)
{
  char text[1024];
  va_list args;
  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  check_note ("%s:%d: %s", file, line, text);
  _exit (1);
}

/* Both as signed and, where that says more, as unsigned 64-bit numbers. */
void
check_fail_int (const char *file, int line, const char *what, __int128 a,
    __int128 b)
{
  bool wide = a > INT64_MAX || b > INT64_MAX;
  if (wide)
    check_fail (file, line, "%s: %llu against %llu", what,
        (unsigned long long) a, (unsigned long long) b);
  check_fail (file, line, "%s: %lld against %lld", what, (long long) a,
      (long long) b);
}

void
check_skip (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  vsnprintf (skip_reason, SKIP_REASON_SIZE, format, args);
  va_end (args);
  _exit (EXIT_SKIPPED);
}

void
check_string (const char *file, int line, const char *text, const char *wanted,
    bool anywhere)
{
  bool found = text
      && (anywhere ? strstr (text, wanted) != NULL : !strcmp (text, wanted));
  if (!found)
    check_fail (file, line, "\"%s\" %s \"%s\"", text ? text : "(null)",
        anywhere ? "does not contain" : "is not", wanted);
}

/* It yields, so that whoever makes the condition true gets on, and a thread
 * checker sees a point to switch at. */
void
check_look_again (const char *file, int line, const char *condition,
    uint64_t since_ns)
{
  if (speed_is_over (check_now_ns () - since_ns, UNTIL_NS))
    check_fail (file, line, "in vain: %s", condition);
  sched_yield ();
}

static uint32_t kept_fds;

void
check_keep_fds (uint32_t n)
{
  kept_fds = n;
}

static void
run_test (const CheckTest *test)
{
  uint32_t fds = check_count_fds ();
  /* A test that hangs after its runner died would hang for ever. */
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  test->run ();
  check_assert_nothing_left ();
  CHECK_INT (check_count_fds (), ==, fds + kept_fds);
  /* exit(), not _exit(): leak sanitizers report here. */
  exit (0);
}

static uint64_t
limit_ns (void)
{
  const char *text = getenv ("CHECK_TIMEOUT");
  return text ? (uint64_t) atoll (text) * CHECK_S : TEST_LIMIT_NS;
}

/* Polls until the limit has passed on this machine; false then. */
bool
check_poll_in_time (int fd, uint64_t limit_ns)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
  uint64_t start = check_now_ns ();
  int wait_ms = (int) (check_scaled_ns ((int64_t) limit_ns) / CHECK_MS);
  do {
    if (poll (&poll_fd, 1, wait_ms) > 0)
      return true;
    wait_ms = AGAIN_MS;
  } while (!speed_is_over (check_now_ns () - start, limit_ns));
  return false;
}

static bool
wait_for_exit (pid_t pid, int *status)
{
  int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  uint64_t start = check_now_ns ();
  bool in_time = check_poll_in_time (pidfd, limit_ns ());
  if (!in_time) {
    check_note ("still running after %llu s, killed",
        (unsigned long long) ((check_now_ns () - start) / CHECK_S));
    kill (pid, SIGKILL);
  }
  close (pidfd);
  waitpid (pid, status, 0);
  return in_time;
}

static bool
report (const CheckTest *test, size_t number, int status, bool in_time)
{
  bool skipped = WIFEXITED (status) && WEXITSTATUS (status) == EXIT_SKIPPED;
  bool passed = skipped || (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  if (in_time && WIFSIGNALED (status))
    check_note ("ended by signal %d (%s)", WTERMSIG (status),
        strsignal (WTERMSIG (status)));
  printf ("%s %zu - %s%s%s\n", passed ? "ok" : "not ok", number, test->name,
      skipped ? " # SKIP " : "", skipped ? skip_reason : "");
  fflush (stdout);
  return passed;
}

static bool
run_one (const CheckTest *test, size_t number)
{
  int status = 0;
  check_directory_make ();
  skip_reason[0] = '\0';
  fflush (stdout);
  pid_t pid = fork ();
  if (pid == 0)
    run_test (test);
  bool in_time = wait_for_exit (pid, &status);
  check_directory_remove ();
  return report (test, number, status, in_time);
}

static bool
selected (const CheckTest *test, int argc, char **argv)
{
  if (argc < 2)
    return true;
  for (int i = 1; i < argc; i++)
    if (strstr (test->name, argv[i]))
      return true;
  return false;
}

/* Runs the tests whose name contains an argument, or all of them. */
int
check_main (const CheckTest *tests, size_t n_tests, int argc, char **argv)
{
  size_t number = 0, failed = 0;
  skip_reason = mmap (NULL, SKIP_REASON_SIZE, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (skip_reason == MAP_FAILED) {
    perror ("mmap");
    return 99;
  }
  signal (SIGPIPE, SIG_IGN);
  for (size_t i = 0; i < n_tests; i++)
    if (selected (&tests[i], argc, argv))
      failed += !run_one (&tests[i], ++number);
  printf ("1..%zu\n", number);
  munmap (skip_reason, SKIP_REASON_SIZE);
  return failed ? 1 : 0;
}
