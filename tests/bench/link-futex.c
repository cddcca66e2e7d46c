/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The floor: as many processes that only sleep on one futex. Only the newest stamp
 * is kept, so it is no transport: it shows what the wakes alone cost. */
#include "bench-link.h"
#include "bench-sender.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct
{
  _Atomic uint32_t bell;
  uint8_t pad[60];
  BenchStamp stamp;
} Floor;

static Floor *shared;
static BenchStamp next, seen;
static uint32_t last_bell;

static void
open_floor (const BenchWork *work)
{
  int fd = open (work->channel, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate (fd, sizeof (Floor)) != 0)
    bench_link_fail ("open", work->channel);
  shared =
      mmap (NULL, sizeof (Floor), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close (fd);
  if (shared == MAP_FAILED)
    bench_link_fail ("map", work->channel);
}

static void *
begin (const BenchWork *work)
{
  return &next;
}

static void
send (const BenchWork *work)
{
  shared->stamp = next;
  atomic_fetch_add (&shared->bell, 1);
  syscall (SYS_futex, &shared->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static const void *
receive (const BenchWork *work, size_t *size)
{
  const struct timespec slice = { 0, 100000000 };
  if (atomic_load (&shared->bell) == last_bell)
    syscall (SYS_futex, &shared->bell, FUTEX_WAIT, last_bell, &slice, NULL, 0);
  uint32_t bell = atomic_load (&shared->bell);
  if (bell == last_bell)
    return NULL;
  last_bell = bell;
  seen = shared->stamp;
  *size = sizeof seen;
  return &seen;
}

static void
release (void)
{
}

const BenchLink bench_link_futex = { "floor", open_floor, open_floor, begin,
  send, receive, release, release };
