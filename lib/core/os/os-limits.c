/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limits of this process: their names in messages, the signal of one of
 * them, and a try of the resources that another library is about to take.
 * Tests: core-limits, core-cgroup-limit, gst-limits */
#include "os-limits-private.h"
#include "os-cgroup-private.h"
#include "os-private.h"
#include "core/base/result-private.h"

#include <datahub/resources.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Descriptors that are left, because other threads of the process take some
 * between the try and the use, and during the try. */
#define SPARE_DESCRIPTORS 6u
#define TRY_MAX 256u
/* What a thread maps: a stack of the usual size, and with its first allocation
 * an arena of the C library, which takes 128 MiB for a moment. */
#define THREAD_SPACE (UINT64_C (136) << 20)
#define SPARE_SPACE (UINT64_C (8) << 20)
/* Other threads that start meanwhile. */
#define SPARE_THREADS 2u
/* The kernel counts a thread for a moment after it was joined. */
#define LEAVE_NS (NS_PER_S)

typedef struct
{
  int number; /* errno of a refusal */
  int resource;
  const char *name;
  uint64_t unit; /* of the value in the message */
  const char *unit_name;
} Limit;

/* A limit that the system sets for all processes has the same errno, so a limit
 * is only named where this process has one. */
static const Limit limits[] = {
  { EMFILE, RLIMIT_NOFILE, "RLIMIT_NOFILE, ulimit -n", 1, "" },
  { EFBIG, RLIMIT_FSIZE, "RLIMIT_FSIZE, ulimit -f", 1024, " KiB" },
  { ENOMEM, RLIMIT_AS, "RLIMIT_AS, ulimit -v", 1024, " KiB" },
  { EAGAIN, RLIMIT_NPROC, "RLIMIT_NPROC, ulimit -u", 1, "" },
};
#define N_LIMITS (sizeof limits / sizeof limits[0])

static bool
is_set (const Limit *limit, int number, uint64_t *value)
{
  struct rlimit rlimit;
  if (limit->number != number
      || getrlimit ((__rlimit_resource_t) limit->resource, &rlimit) != 0
      || rlimit.rlim_cur == RLIM_INFINITY)
    return false;
  *value = (uint64_t) rlimit.rlim_cur;
  return true;
}

/* Whether this process has a limit that refuses with errno @number. */
bool
os_is_limited (int number)
{
  uint64_t value;
  for (size_t i = 0; i < N_LIMITS; i++)
    if (is_set (&limits[i], number, &value))
      return true;
  return false;
}

/* The text of errno @number, with the limit of this process that can be its
 * cause. The text is the thread's own, until its next call. */
const char *
os_reason (int number)
{
  static __thread char text[192];
  uint64_t value;
  for (size_t i = 0; i < N_LIMITS; i++)
    if (is_set (&limits[i], number, &value)) {
      snprintf (text, sizeof text, "%s (the limit %s, is %llu%s)",
          strerror (number), limits[i].name,
          (unsigned long long) (value / limits[i].unit), limits[i].unit_name);
      return text;
    }
  snprintf (text, sizeof text, "%s", strerror (number));
  return text;
}

/* Whether the control group has @size bytes of memory left for @what. */
DatahubResult
os_check_group (uint64_t size, const char *what, DatahubError *error)
{
  GroupSpace group = os_group_space ();
  if (size <= group.available)
    return DATAHUB_OK;
  return result_fail (error, DATAHUB_ERROR_NO_SPACE, ENOSPC,
      "Not enough memory for the %s: %.1f MiB wanted, %.1f MiB free of %.1f MiB, "
      "the memory limit of the control group. Raise that limit.",
      what, size / 1048576.0, group.available / 1048576.0,
      group.limit / 1048576.0);
}

/* ---- the signal of RLIMIT_FSIZE ---- */

/* Blocks SIGXFSZ in this thread, so that a call that makes a file bigger than
 * RLIMIT_FSIZE fails with EFBIG. Its default action ends the process. */
void
os_size_guard_begin (OsSizeGuard *guard)
{
  sigset_t set, pending;
  sigemptyset (&set);
  sigaddset (&set, SIGXFSZ);
  guard->was_pending =
      sigpending (&pending) == 0 && sigismember (&pending, SIGXFSZ) == 1;
  pthread_sigmask (SIG_BLOCK, &set, &guard->before);
}

/* Takes the signal of the guarded call, and keeps errno. A signal that was
 * pending before belongs to the application. */
void
os_size_guard_end (OsSizeGuard *guard)
{
  const struct timespec at_once = { 0, 0 };
  int number = errno;
  sigset_t set;
  sigemptyset (&set);
  sigaddset (&set, SIGXFSZ);
  while (!guard->was_pending && sigtimedwait (&set, NULL, &at_once) < 0
      && errno == EINTR)
    continue;
  pthread_sigmask (SIG_SETMASK, &guard->before, NULL);
  errno = number;
}

/* ---- the try ---- */

typedef struct
{
  pthread_mutex_t lock; /* held by the try until all threads are there */
  pthread_t threads[TRY_MAX];
  shared_u32 ids[TRY_MAX]; /* the kernel's; 0: not known yet */
  shared_u32 n_ids;
  int fds[TRY_MAX];
  uint32_t n_threads, n_fds;
} Try;

static void *
wait_for_end (void *data)
{
  Try *try = data;
  uint32_t i = add_seq (&try->n_ids, 1);
  store_seq (&try->ids[i], (uint32_t) syscall (SYS_gettid));
  pthread_mutex_lock (&try->lock);
  pthread_mutex_unlock (&try->lock);
  return NULL;
}

/* Whether @wanted numbers are free, without taking one: another thread would be
 * refused meanwhile. */
bool
os_has_descriptors (uint64_t wanted)
{
  struct rlimit rlimit;
  uint64_t n_free = 0;
  if (getrlimit (RLIMIT_NOFILE, &rlimit) != 0)
    return true;
  for (uint64_t fd = 0;
       n_free < wanted && fd < (uint64_t) rlimit.rlim_cur && fd <= INT32_MAX;
       fd++)
    n_free += fcntl ((int) fd, F_GETFD) < 0;
  return n_free >= wanted;
}

/* One of the descriptors is an epoll that watches another one: what it takes is
 * limited separately (fs.epoll.max_user_watches). */
static int
take_descriptors (Try *try, uint32_t wanted)
{
  struct epoll_event event = { .events = EPOLLIN };
  if (wanted && !os_has_descriptors ((uint64_t) wanted + SPARE_DESCRIPTORS))
    return EMFILE;
  while (try->n_fds < wanted) {
    int fd = try->n_fds == 1 ? epoll_create1 (EPOLL_CLOEXEC)
                             : eventfd (0, EFD_CLOEXEC);
    if (fd < 0)
      return errno;
    try->fds[try->n_fds++] = fd;
  }
  if (wanted > 1
      && epoll_ctl (try->fds[1], EPOLL_CTL_ADD, try->fds[0], &event) < 0)
    return errno;
  return 0;
}

static int
take_threads (Try *try, uint32_t wanted)
{
  sigset_t all, before;
  int number = 0;
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  while (!number && try->n_threads < wanted) {
    number =
        pthread_create (&try->threads[try->n_threads], NULL, wait_for_end, try);
    try->n_threads += number == 0;
  }
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return number;
}

/* Whether RLIMIT_AS leaves the addresses. The refusal of a stack would look like
 * one of a thread. */
static int
map_space (uint32_t n_threads)
{
  uint64_t size =
      SPARE_SPACE + (n_threads ? n_threads + SPARE_THREADS : 0) * THREAD_SPACE;
  void *space;
  if (!os_is_limited (ENOMEM))
    return 0;
  space = os_make_room (size);
  if (!space)
    return errno;
  os_free_room (space, size);
  return 0;
}

/* Until the kernel has forgotten a thread that was joined, it counts against
 * RLIMIT_NPROC, and the next one could be refused. */
static void
wait_until_gone (uint32_t id)
{
  int64_t end = os_now () + LEAVE_NS;
  while (syscall (SYS_tgkill, getpid (), id, 0) == 0 && os_now () < end)
    sched_yield ();
}

static void
give_back (Try *try)
{
  pthread_mutex_unlock (&try->lock);
  for (uint32_t i = 0; i < try->n_threads; i++)
    pthread_join (try->threads[i], NULL);
  for (uint32_t i = 0; i < try->n_threads; i++)
    wait_until_gone (load_seq (&try->ids[i]));
  for (uint32_t i = 0; i < try->n_fds; i++)
    close (try->fds[i]);
}

DatahubResult
datahub_resources_try (uint32_t descriptors, uint32_t threads,
    DatahubError *error)
{
  Try *try = calloc (1, sizeof *try);
  const char *what = "memory";
  uint32_t n_fds = descriptors < TRY_MAX ? descriptors : TRY_MAX;
  uint32_t n_threads = threads < TRY_MAX ? threads : TRY_MAX;
  int number;
  result_begin (error);
  if (!try)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  pthread_mutex_init (&try->lock, NULL);
  pthread_mutex_lock (&try->lock);
  number = map_space (n_threads);
  if (!number) {
    what = "descriptors";
    number = take_descriptors (try, n_fds);
  }
  if (!number) {
    what = "threads";
    number = take_threads (try, n_threads);
  }
  give_back (try);
  pthread_mutex_destroy (&try->lock);
  free (try);
  if (!number)
    return DATAHUB_OK;
  return result_fail (error, DATAHUB_ERROR_SYSTEM, number,
      "The system refuses %s: %s. %u free descriptors and %u threads are needed.",
      what, os_reason (number), n_fds ? n_fds + SPARE_DESCRIPTORS : 0,
      n_threads);
}
