/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors that a forked child must not share with its parent. A kernel lock
 * belongs to the open file description that both share: the child would keep
 * the rows of its dead parent alive, and an unlock in the child would release
 * the parent's lock. So the child must only close them.
 * Tests: core-fork, core-fork-window */
#include "os-private.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;
/* guarded by fork_lock */
static int *lock_fds;
static size_t n_lock_fds, room_lock_fds;

shared_u32 os_forks;

static void
before_fork (void)
{
  pthread_mutex_lock (&fork_lock);
}

static void
after_fork_parent (void)
{
  pthread_mutex_unlock (&fork_lock);
}

static void
after_fork_child (void)
{
  for (size_t i = 0; i < n_lock_fds; i++)
    close (lock_fds[i]);
  n_lock_fds = 0;
  add_relaxed (&os_forks, 1);
  pthread_mutex_unlock (&fork_lock);
}

static void
install (void)
{
  pthread_atfork (before_fork, after_fork_parent, after_fork_child);
}

void
os_count_forks (void)
{
  pthread_once (&fork_once, install);
}

/* Between these two no other thread forks, so that a child finds what they guard
 * whole. */
void
os_forbid_forks (void)
{
  pthread_once (&fork_once, install);
  pthread_mutex_lock (&fork_lock);
}

void
os_allow_forks (void)
{
  pthread_mutex_unlock (&fork_lock);
}

/* The lock is held. */
static bool
add (int fd)
{
  if (n_lock_fds == room_lock_fds) {
    size_t room = room_lock_fds ? room_lock_fds * 2 : 16;
    int *grown = realloc (lock_fds, room * sizeof *grown);
    if (!grown)
      return false;
    lock_fds = grown;
    room_lock_fds = room;
  }
  lock_fds[n_lock_fds++] = fd;
  return true;
}

/* Returns false, with @fd not registered, when memory is out. */
bool
os_register_lock_fd (int fd)
{
  bool registered;
  pthread_once (&fork_once, install);
  pthread_mutex_lock (&fork_lock);
  registered = add (fd);
  pthread_mutex_unlock (&fork_lock);
  return registered;
}

/* The lock is held. */
static int
add_opened (int fd)
{
  if (fd < 0 || add (fd))
    return fd;
  close (fd);
  errno = ENOMEM;
  return -1;
}

/* Opens a file for locks; a fork cannot happen between that and its
 * registration. Returns -1 and sets errno. */
int
os_open_lock_fd (int dir, const char *name, bool writable)
{
  int fd;
  pthread_once (&fork_once, install);
  pthread_mutex_lock (&fork_lock);
  fd = add_opened (os_open_existing (dir, name, writable));
  pthread_mutex_unlock (&fork_lock);
  return fd;
}

/* The same for a file without a name: makes an open file description of its
 * own, without a copy in any child. The caller keeps @fd. */
int
os_reopen_lock_fd (int fd, bool writable)
{
  int own;
  pthread_once (&fork_once, install);
  pthread_mutex_lock (&fork_lock);
  own = add_opened (os_reopen (fd, writable));
  pthread_mutex_unlock (&fork_lock);
  return own;
}

/* Closes @fd, and with it every lock it holds, unless a fork did so already. */
void
os_close_lock_fd (int fd)
{
  pthread_mutex_lock (&fork_lock);
  for (size_t i = 0; i < n_lock_fds; i++)
    if (lock_fds[i] == fd) {
      lock_fds[i] = lock_fds[--n_lock_fds];
      close (fd);
      break;
    }
  pthread_mutex_unlock (&fork_lock);
}
