/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measures what the tests mostly do: page faults, system calls, arithmetic. */
#include "speed.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* A round on the reference machine. There no behaviour takes more than a third of
 * its limit. */
#define REFERENCE_ROUND_NS 1000000
/* Longer than the slices of a scheduler, so that the share of a busy processor is
 * measured and not one slice of it. */
#define MEASURE_NS 200000000
#define MEMORY (1 << 20)
#define PAGE 4096
#define CALLS 256
#define STEPS 150000

static volatile uint32_t result;

static uint64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static void
fault_pages_in (void)
{
  char *memory = mmap (NULL, MEMORY, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return;
  madvise (memory, MEMORY, MADV_NOHUGEPAGE);
  for (size_t at = 0; at < MEMORY; at += PAGE)
    memory[at] = 1;
  munmap (memory, MEMORY);
}

static void
call_the_kernel (void)
{
  int ends[2];
  char byte = 0;
  if (pipe (ends) != 0)
    return;
  for (int i = 0; i < CALLS; i++)
    if (write (ends[1], &byte, 1) != 1 || read (ends[0], &byte, 1) != 1)
      break;
  close (ends[0]);
  close (ends[1]);
}

static void
calculate (void)
{
  uint32_t x = 2463534242u;
  for (int i = 0; i < STEPS; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  result = x;
}

void
speed_work (uint64_t rounds)
{
  for (uint64_t i = 0; i < rounds; i++) {
    fault_pages_in ();
    call_the_kernel ();
    calculate ();
  }
}

int64_t
speed_measure (void)
{
  uint64_t start = now_ns (), elapsed, rounds = 0;
  do {
    speed_work (1);
    rounds++;
    elapsed = now_ns () - start;
  } while (elapsed < MEASURE_NS);
  uint64_t reference = rounds * REFERENCE_ROUND_NS;
  uint64_t scale = (elapsed + reference - 1) / reference;
  return scale > SPEED_SLOWEST ? SPEED_SLOWEST : (int64_t) scale;
}

int64_t
speed_given (void)
{
  const char *text = getenv ("CHECK_SCALE");
  int64_t value = text ? atoll (text) : 1;
  return value > 0 ? value : 1;
}

bool
speed_is_over (uint64_t elapsed, uint64_t limit)
{
  static _Thread_local int64_t slowest = 0;
  if (slowest == 0)
    slowest = speed_given ();
  if (elapsed <= limit * (uint64_t) slowest)
    return false;
  int64_t now = speed_measure ();
  if (now > slowest)
    slowest = now;
  return elapsed > limit * (uint64_t) slowest;
}
