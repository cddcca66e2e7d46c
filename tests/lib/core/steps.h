/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps of a core that was built to call at each: who counts them, and who
 * dies or stands still there. */
#ifndef TESTS_CORE_STEPS_H
#define TESTS_CORE_STEPS_H

#include <stdatomic.h>
#include <stdint.h>

/* More than there are. */
#define STEPS_MAX 256

/* Arrivals at each step; shared memory, written by one process at a time. */
typedef struct
{
  _Atomic uint32_t arrivals[STEPS_MAX];
  _Atomic uint32_t sprung;
} StepCounts;

/* At this arrival (1: the first) at this step the process sends itself the
 * signal. arrival 0: nowhere. */
typedef struct
{
  uint32_t step;
  uint32_t arrival;
  int signal;
} StepTrap;

uint32_t steps_number (void);
const char *steps_name (uint32_t step);
/* UINT32_MAX where there is none of that name. */
uint32_t steps_find (const char *name);

/* This process counts from here on, and is trapped. */
void steps_watch (StepCounts *counts, const StepTrap *trap);
void steps_ignore (void);

#endif /* TESTS_CORE_STEPS_H */
