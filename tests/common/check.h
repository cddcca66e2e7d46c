/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A test program is a table of named behaviours. Each runs in a process of its
 * own with a private shared-memory directory, is timed, and must leave no file,
 * no descriptor and no mapping behind; the outcome is TAP. No GLib, so that
 * every sanitizer takes it. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct
{
  const char *name;
  void (*run) (void);
} CheckTest;

#define CHECK_MAIN(tests)                                                      \
  int main (int argc, char **argv)                                             \
  {                                                                            \
    return check_main (tests, sizeof tests / sizeof tests[0], argc, argv);     \
  }

int check_main (const CheckTest *tests, size_t n_tests, int argc, char **argv);

/* Ends the running test (or the child process it forked). */
void check_fail (const char *file, int line, const char *format, ...)
    __attribute__ ((format (printf, 3, 4), noreturn));
void check_skip (const char *format, ...)
    __attribute__ ((format (printf, 1, 2), noreturn));
void check_note (const char *format, ...)
    __attribute__ ((format (printf, 1, 2)));

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition))                                                          \
      check_fail (__FILE__, __LINE__, "%s", #condition);                       \
  } while (0)

/* Two integers of any type and the operator between them:
 * CHECK_INT (a, ==, b). 128 bits hold both without a change of sign. */
#define CHECK_INT(a, op, b)                                                    \
  do {                                                                         \
    __int128 check_a = (a), check_b = (b);                                     \
    if (!(check_a op check_b))                                                 \
      check_fail_int (__FILE__, __LINE__, #a " " #op " " #b, check_a,          \
          check_b);                                                            \
  } while (0)
void check_fail_int (const char *file, int line, const char *what, __int128 a,
    __int128 b) __attribute__ ((noreturn));

#define CHECK_STR(a, b) check_string (__FILE__, __LINE__, a, b, false)
#define CHECK_CONTAINS(a, b) check_string (__FILE__, __LINE__, a, b, true)
void check_string (const char *file, int line, const char *text,
    const char *wanted, bool anywhere);

/* Processes. A child dies with its parent, whatever happens to it, and talks
 * over two pipes in 64-bit words. */
typedef struct
{
  pid_t pid;
  int to; /* parent's end: words for the child */
  int from; /* parent's end: words of the child */
} CheckChild;

typedef struct
{
  int in; /* child's end: words of the parent */
  int out; /* child's end: words for the parent */
  const void *data;
} CheckParent;

CheckChild check_fork (void (*run) (CheckParent *parent), const void *data);
void check_tell (int fd, uint64_t word);
uint64_t check_hear (int fd);
bool check_has_word (int fd);
/* A child says that it is ready with its first word, which is 1. */
void check_ready (const CheckParent *parent);
/* Forks, and returns when the child is ready. */
CheckChild check_fork_ready (void (*run) (CheckParent *parent),
    const void *data);
/* The last that a child does which is to be killed. */
void check_until_killed (const CheckParent *parent) __attribute__ ((noreturn));
#define CHECK_HEAR(fd, word) CHECK_INT (check_hear (fd), ==, (uint64_t) (word))
/* Waits for a clean exit; kills and waits. Both free the child's pipes. */
void check_join (CheckChild *child);
void check_kill (CheckChild *child);
/* SIGSTOP, and not before the whole process stands still. */
void check_stop (const CheckChild *child);
void check_continue (const CheckChild *child);

/* Threads. */
typedef struct _CheckThread CheckThread;
CheckThread *check_thread (void *(*run) (void *), void *data);
void *check_thread_join (CheckThread *thread);
/* Returns when the kernel says that the thread sleeps in a system call. */
void check_until_asleep (CheckThread *thread);

/* The private shared-memory directory of the running test. */
const char *check_directory (void);
uint32_t check_count_files (void);
/* The path of the one file whose name ends in suffix. */
const char *check_find_file (const char *suffix);
/* Writes to a file that is there, such as one of /proc. */
bool check_write_file (const char *path, const char *text);
/* Bytes of memory that all files of the directory take now. */
uint64_t check_bytes_used (void);
/* This test leaves files on purpose; the next check does not count them. */
void check_allow_files (void);
void check_assert_nothing_left (void);
uint32_t check_count_fds (void);
/* The process keeps @n more descriptors till its end, as after its first watch of a
 * name: so many must be open in the end, not more and not less. */
#define CHECK_FDS_OF_WATCHES 2
void check_keep_fds (uint32_t n);
uint32_t check_count_fds_of (pid_t pid);

/* Looks until the condition holds, for what nothing can wait for; 10 s at most on
 * the reference machine. */
#define CHECK_UNTIL(condition)                                                 \
  do {                                                                         \
    uint64_t check_since = check_now_ns ();                                    \
    while (!(condition))                                                       \
      check_look_again (__FILE__, __LINE__, #condition, check_since);          \
  } while (0)
void check_look_again (const char *file, int line, const char *condition,
    uint64_t since_ns);

uint64_t check_now_ns (void);
/* Real time as slow machines and sanitizers need it: CHECK_SCALE multiplies.
 * CHECK_TIMEOUT (seconds) replaces the limit of one test, 60 s. Both limits grow
 * with what the machine needs, see speed.h. */
int64_t check_scaled_ns (int64_t ns);

#define CHECK_MS INT64_C (1000000)
#define CHECK_S INT64_C (1000000000)

#endif /* TESTS_CHECK_H */
