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

/* A line of its own, so that receivers do not share one. */
typedef struct
{
  _Atomic uint64_t received;
  _Atomic uint32_t joined;
  uint8_t pad[52];
} Place;

struct _BenchBoard
{
  _Atomic uint32_t bell;
  _Atomic uint32_t waiting;
  uint8_t pad[56];
  Place places[BENCH_MOST_RECEIVERS];
};

BenchBoard *
bench_board_open (const char *path)
{
  int fd = path ? open (path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0)
    return NULL;
  void *map = MAP_FAILED;
  if (ftruncate (fd, sizeof (BenchBoard)) == 0)
    map = mmap (NULL, sizeof (BenchBoard), PROT_READ | PROT_WRITE, MAP_SHARED,
        fd, 0);
  close (fd);
  return map == MAP_FAILED ? NULL : map;
}

static void
ring (BenchBoard *board)
{
  if (!atomic_load (&board->waiting))
    return;
  atomic_fetch_add (&board->bell, 1);
  syscall (SYS_futex, &board->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

typedef bool (*Condition) (BenchBoard *board, uint32_t n, uint64_t sent,
    uint64_t in_flight);

/* The source is the only one that waits: once, 10 ms at most. */
static bool
wait_for (BenchBoard *board, Condition holds, uint32_t n, uint64_t sent,
    uint64_t in_flight)
{
  const struct timespec slice = { 0, 10000000 };
  if (holds (board, n, sent, in_flight))
    return true;
  uint32_t bell = atomic_load (&board->bell);
  atomic_store (&board->waiting, 1);
  if (!holds (board, n, sent, in_flight))
    syscall (SYS_futex, &board->bell, FUTEX_WAIT, bell, &slice, NULL, 0);
  atomic_store (&board->waiting, 0);
  return holds (board, n, sent, in_flight);
}

static bool
have_joined (BenchBoard *board, uint32_t n, uint64_t sent, uint64_t in_flight)
{
  for (uint32_t i = 0; i < n; i++)
    if (!atomic_load (&board->places[i].joined))
      return false;
  return true;
}

static bool
is_under (BenchBoard *board, uint32_t n, uint64_t sent, uint64_t in_flight)
{
  for (uint32_t i = 0; i < n; i++)
    if (sent - atomic_load (&board->places[i].received) > in_flight)
      return false;
  return true;
}

void
bench_board_join (BenchBoard *board, uint32_t receiver)
{
  if (!atomic_exchange (&board->places[receiver].joined, 1))
    ring (board);
}

bool
bench_board_wait_joined (BenchBoard *board, uint32_t n)
{
  return wait_for (board, have_joined, n, 0, 0);
}

void
bench_board_received (BenchBoard *board, uint32_t receiver, uint64_t n)
{
  atomic_store (&board->places[receiver].received, n);
  ring (board);
}

void
bench_board_throttle (BenchBoard *board, uint32_t n, uint64_t sent,
    uint64_t in_flight)
{
  while (!wait_for (board, is_under, n, sent, in_flight))
    ;
}
