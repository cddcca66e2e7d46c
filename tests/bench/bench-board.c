/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-board.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_RECEIVERS 60

struct _BenchBoard
{
  _Atomic uint32_t bell;
  _Atomic uint32_t waiting;
  _Atomic uint64_t received[MAX_RECEIVERS];
};

BenchBoard *
bench_board_open (const char *path)
{
  if (!path)
    return NULL;
  int fd = open (path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return NULL;
  void *map = mmap (NULL, sizeof (BenchBoard), PROT_READ | PROT_WRITE,
      MAP_SHARED, fd, 0);
  close (fd);
  return map == MAP_FAILED ? NULL : map;
}

void
bench_board_received (BenchBoard *board, uint32_t receiver, uint64_t n)
{
  if (!board)
    return;
  atomic_store (&board->received[receiver], n);
  if (!atomic_load (&board->waiting))
    return;
  atomic_fetch_add (&board->bell, 1);
  syscall (SYS_futex, &board->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int
is_over (BenchBoard *board, uint32_t n_receivers, uint64_t sent,
    uint64_t in_flight)
{
  for (uint32_t i = 0; i < n_receivers; i++)
    if (sent - atomic_load (&board->received[i]) > in_flight)
      return 1;
  return 0;
}

void
bench_board_throttle (BenchBoard *board, uint32_t n_receivers, uint64_t sent,
    uint64_t in_flight)
{
  const struct timespec slice = { 0, 10000000 };
  if (!board || in_flight == 0)
    return;
  while (is_over (board, n_receivers, sent, in_flight)) {
    uint32_t bell = atomic_load (&board->bell);
    atomic_store (&board->waiting, 1);
    if (is_over (board, n_receivers, sent, in_flight))
      syscall (SYS_futex, &board->bell, FUTEX_WAIT, bell, &slice, NULL, 0);
    atomic_store (&board->waiting, 0);
  }
}
