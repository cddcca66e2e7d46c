/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Child processes and threads of a test. */
#include "asleep.h"
#include "check-private.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

/* Longest one side of a test waits for a word of the other. */
#define HEAR_LIMIT_NS (30 * CHECK_S)

CheckChild
check_fork (void (*run) (CheckParent *parent), const void *data)
{
  int down[2], up[2];
  CHECK (pipe2 (down, O_CLOEXEC) == 0 && pipe2 (up, O_CLOEXEC) == 0);
  fflush (stdout);
  pid_t parent_pid = getpid ();
  pid_t pid = fork ();
  CHECK (pid >= 0);
  if (pid == 0) {
    CheckParent parent = { .in = down[0], .out = up[1], .data = data };
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != parent_pid)
      _exit (1);
    close (down[1]);
    close (up[0]);
    run (&parent);
    _exit (0);
  }
  close (down[0]);
  close (up[1]);
  return (CheckChild){ .pid = pid, .to = down[1], .from = up[0] };
}

void
check_tell (int fd, uint64_t word)
{
  CHECK (write (fd, &word, sizeof word) == sizeof word);
}

uint64_t
check_hear (int fd)
{
  uint64_t word = 0;
  if (!check_poll_in_time (fd, HEAR_LIMIT_NS))
    check_fail (__FILE__, __LINE__, "no word of the other process in time");
  /* A pipe hands over so few bytes whole. */
  if (read (fd, &word, sizeof word) != sizeof word)
    check_fail (__FILE__, __LINE__, "the other process is gone");
  return word;
}

bool
check_has_word (int fd)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
  return poll (&poll_fd, 1, 0) == 1;
}

void
check_ready (const CheckParent *parent)
{
  check_tell (parent->out, 1);
}

CheckChild
check_fork_ready (void (*run) (CheckParent *parent), const void *data)
{
  CheckChild child = check_fork (run, data);
  CHECK_HEAR (child.from, 1);
  return child;
}

/* It does not look at the time: how long the others work is their affair, and
 * with its parent it ends too. */
void
check_until_killed (const CheckParent *parent)
{
  uint64_t word;
  if (read (parent->in, &word, sizeof word) == sizeof word)
    check_fail (__FILE__, __LINE__, "it was told a word instead of killed");
  _exit (1);
}

static int
end_child (CheckChild *child)
{
  int status = 0;
  CHECK (waitpid (child->pid, &status, 0) == child->pid);
  close (child->to);
  close (child->from);
  child->pid = -1;
  return status;
}

void
check_join (CheckChild *child)
{
  pid_t pid = child->pid;
  int status = end_child (child);
  if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
    check_fail (__FILE__, __LINE__, "child %d ended with status 0x%x",
        (int) pid, (unsigned) status);
}

void
check_kill (CheckChild *child)
{
  kill (child->pid, SIGKILL);
  int status = end_child (child);
  if (!WIFSIGNALED (status) || WTERMSIG (status) != SIGKILL)
    check_fail (__FILE__, __LINE__, "the child was gone before, status 0x%x",
        (unsigned) status);
}

void
check_stop (const CheckChild *child)
{
  int status;
  kill (child->pid, SIGSTOP);
  CHECK (waitpid (child->pid, &status, WUNTRACED) == child->pid);
  CHECK (WIFSTOPPED (status));
}

void
check_continue (const CheckChild *child)
{
  kill (child->pid, SIGCONT);
}

struct _CheckThread
{
  pthread_t thread;
  void *(*run) (void *);
  void *data;
  _Atomic pid_t tid;
};

static void *
thread_main (void *data)
{
  CheckThread *thread = data;
  atomic_store (&thread->tid, (pid_t) syscall (SYS_gettid));
  return thread->run (thread->data);
}

CheckThread *
check_thread (void *(*run) (void *), void *data)
{
  CheckThread *thread = calloc (1, sizeof *thread);
  CHECK (thread != NULL);
  thread->run = run;
  thread->data = data;
  CHECK (pthread_create (&thread->thread, NULL, thread_main, thread) == 0);
  return thread;
}

void *
check_thread_join (CheckThread *thread)
{
  void *result = NULL;
  CHECK (pthread_join (thread->thread, &result) == 0);
  free (thread);
  return result;
}

static bool
is_asleep (pid_t tid)
{
  char state = thread_state (tid);
  if (!state)
    check_fail (__FILE__, __LINE__, "the thread has ended instead of waiting");
  return state == 'S';
}

void
check_until_asleep (CheckThread *thread)
{
  pid_t tid;
  CHECK_UNTIL ((tid = atomic_load (&thread->tid)) != 0 && is_asleep (tid));
}
