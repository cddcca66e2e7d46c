/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "steps.h"

#include "core/base/steps-private.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEP_NAME(name) #name,
static const char *const names[] = { STEPS (STEP_NAME) };
_Static_assert(N_STEPS <= STEPS_MAX, "steps");

/* Set before, and cleared after, the calls that are watched; other threads of a
 * watched process see it too. */
static StepCounts *_Atomic watched;
static StepTrap armed;

uint32_t
steps_number (void)
{
  return N_STEPS;
}

const char *
steps_name (uint32_t step)
{
  return names[step];
}

uint32_t
steps_find (const char *name)
{
  for (uint32_t i = 0; i < N_STEPS; i++)
    if (strcmp (names[i], name) == 0)
      return i;
  return UINT32_MAX;
}

void
steps_watch (StepCounts *counts, const StepTrap *trap)
{
  armed = *trap;
  atomic_store (&watched, counts);
}

void
steps_ignore (void)
{
  atomic_store (&watched, NULL);
}

/* A signal to the own thread is there when the call returns; nothing follows a
 * SIGKILL. */
void
step_reached (Step step)
{
  StepCounts *counts = atomic_load (&watched);
  if (!counts)
    return;
  uint32_t arrival = atomic_fetch_add (&counts->arrivals[step], 1) + 1;
  if (arrival != armed.arrival || (uint32_t) step != armed.step)
    return;
  atomic_store (&counts->sprung, 1);
  syscall (SYS_tgkill, getpid (), syscall (SYS_gettid), armed.signal);
  while (armed.signal == SIGKILL)
    pause ();
}
