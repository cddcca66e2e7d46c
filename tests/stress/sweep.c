/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sweep: processes are killed, and stopped, at every step that the core has
 * (lib/core/base/steps-private.h), and what they leave is looked at from outside
 * each time. First every scenario is played without a death, to see which steps
 * it reaches and how often; then once for each step and several arrivals at it;
 * then with two deaths.
 *
 * DATAHUB_SWEEP_ARRIVALS: how many arrivals at each step of each scenario are
 * tried at most, 5 by default (the first three, one in the middle, the last).
 * DATAHUB_SWEEP_PAIRS: how many double deaths, 100 by default.
 * DATAHUB_SWEEP_ONLY: play scenarios alone whose name has this in it.
 * DATAHUB_SWEEP_AGAIN: play one, a hundred times, as the line says that a failure
 * prints. */
#include "scenario.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_WORKERS 2
#define MAX_SCENARIOS 64
#define MAX_JOBS 200000
#define ARRIVALS_MAX 4096
/* Counts differ a little from run to run; a trap behind the end is set anew. */
#define TRIES 4

typedef struct
{
  uint32_t scenario;
  StepTrap trap, second;
  SecondRole role;
} Job;

/* Shared with the workers. */
typedef struct
{
  _Atomic uint32_t next_job;
  _Atomic uint32_t killed, stopped, pairs, missed;
  _Atomic uint32_t deaths_at[STEPS_MAX], stops_at[STEPS_MAX];
  uint32_t arrivals[MAX_SCENARIOS][STEPS_MAX];
  Job doing[N_WORKERS];
  uint32_t n_jobs;
  Job jobs[MAX_JOBS];
} Plan;

typedef struct
{
  uint32_t number;
} Worker;

static Plan *plan;
static const Scenario *scenarios[MAX_SCENARIOS];
static uint32_t n_scenarios;

static uint32_t
number_from (const char *variable, uint32_t otherwise)
{
  const char *text = getenv (variable);
  return text ? (uint32_t) strtoul (text, NULL, 0) : otherwise;
}

static void
take_scenarios (const Scenario *some, uint32_t n)
{
  const char *only = getenv ("DATAHUB_SWEEP_ONLY");
  for (uint32_t i = 0; i < n; i++)
    if (!only || strstr (some[i].name, only)) {
      CHECK_INT (n_scenarios, <, MAX_SCENARIOS);
      scenarios[n_scenarios++] = &some[i];
    }
}

/* Workers. */

static void
note_outcome (const Job *job, const Board *board)
{
  if (job->trap.arrival == 0) {
    for (uint32_t i = 0; i < steps_number (); i++)
      plan->arrivals[job->scenario][i] =
          atomic_load (&board->steps.arrivals[i]);
    return;
  }
  bool first = atomic_load (&board->steps.sprung);
  bool second = atomic_load (&board->steps_of_second.sprung);
  bool kill = job->trap.signal == SIGKILL;
  if (first)
    atomic_fetch_add (kill ? &plan->killed : &plan->stopped, 1);
  if (first)
    atomic_fetch_add (&(kill ? plan->deaths_at
                             : plan->stops_at)[job->trap.step],
        1);
  if (second)
    atomic_fetch_add (&plan->killed, 1);
  if (first && second)
    atomic_fetch_add (&plan->pairs, 1);
  if (!first)
    atomic_fetch_add (&plan->missed, 1);
}

static void
play (const Job *job, Board *board)
{
  for (int i = 0; i < TRIES; i++) {
    scenario_play (scenarios[job->scenario], board, &job->trap, job->role,
        &job->second);
    if (job->trap.arrival == 0 || atomic_load (&board->steps.sprung))
      break;
  }
  note_outcome (job, board);
}

static void
work (CheckParent *parent)
{
  const Worker *worker = parent->data;
  char directory[128];
  Board *board = mmap (NULL, sizeof *board, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK (board != MAP_FAILED);
  snprintf (directory, sizeof directory, "%s/worker-%u", check_directory (),
      worker->number);
  CHECK (mkdir (directory, 0700) == 0);
  setenv ("DATAHUB_SHM_DIR", directory, 1);
  for (uint32_t i;
       (i = atomic_fetch_add (&plan->next_job, 1)) < plan->n_jobs;) {
    plan->doing[worker->number] = plan->jobs[i];
    play (&plan->jobs[i], board);
  }
  CHECK (rmdir (directory) == 0);
}

static const char *const roles[] = { "alone", "consumer", "heir", "adopter" };

/* As DATAHUB_SWEEP_AGAIN takes it. */
static void
describe (const Job *job, char *text, size_t size)
{
  snprintf (text, size, "%s/%d/%s/%u/%s/%s/%u", scenarios[job->scenario]->name,
      job->trap.signal, steps_name (job->trap.step), job->trap.arrival,
      roles[job->role], steps_name (job->second.step), job->second.arrival);
}

static void
join_worker (CheckChild *child, uint32_t number)
{
  const Job *job = &plan->doing[number];
  char text[320];
  int status = 0;
  CHECK (waitpid (child->pid, &status, 0) == child->pid);
  close (child->to);
  close (child->from);
  if (status == 0)
    return;
  describe (job, text, sizeof text);
  check_fail (__FILE__, __LINE__,
      "status 0x%x; once more: DATAHUB_SWEEP_AGAIN=\"%s\"", (unsigned) status,
      text);
}

static void
do_jobs (void)
{
  CheckChild children[N_WORKERS];
  Worker workers[N_WORKERS];
  atomic_store (&plan->next_job, 0);
  for (uint32_t i = 0; i < N_WORKERS; i++) {
    workers[i] = (Worker){ i };
    children[i] = check_fork (work, &workers[i]);
  }
  for (uint32_t i = 0; i < N_WORKERS; i++)
    join_worker (&children[i], i);
  plan->n_jobs = 0;
}

/* The plan. */

static void
add_job (uint32_t scenario, StepTrap trap)
{
  CHECK_INT (plan->n_jobs, <, MAX_JOBS);
  plan->jobs[plan->n_jobs++] = (Job){ .scenario = scenario, .trap = trap };
}

static void
survey (void)
{
  for (uint32_t i = 0; i < n_scenarios; i++)
    add_job (i, (StepTrap){ 0 });
  do_jobs ();
}

/* The first three of @n arrivals, those in between evenly, the last. */
static uint32_t
choose_arrivals (uint32_t n, uint32_t most, uint32_t *chosen)
{
  uint32_t n_chosen = 0;
  for (uint32_t i = 1; i <= n && i <= 3 && n_chosen < most; i++)
    chosen[n_chosen++] = i;
  uint32_t rest = n > 3 && most > 3 ? most - 3 : 0;
  if (rest > n - 3)
    rest = n - 3;
  for (uint32_t i = 1; i <= rest && rest; i++)
    chosen[n_chosen++] = 3 + (uint32_t) ((uint64_t) (n - 3) * i / rest);
  return n_chosen;
}

static void
plan_deaths (int signal, uint32_t most)
{
  uint32_t chosen[ARRIVALS_MAX];
  if (most > ARRIVALS_MAX)
    most = ARRIVALS_MAX;
  for (uint32_t i = 0; i < n_scenarios; i++)
    for (uint32_t step = 0; step < steps_number (); step++) {
      uint32_t n = choose_arrivals (plan->arrivals[i][step],
          scenarios[i]->is_slow ? 1 : most, chosen);
      for (uint32_t k = 0; k < n; k++)
        add_job (i, (StepTrap){ step, chosen[k], signal });
    }
}

static bool
find_scenario (const char *name, uint32_t *index)
{
  for (uint32_t i = 0; i < n_scenarios; i++)
    if (strcmp (scenarios[i]->name, name) == 0) {
      *index = i;
      return true;
    }
  return false;
}

/* Any arrival at any step that the scenario reaches. */
static StepTrap
random_trap (Random *random, uint32_t scenario)
{
  uint32_t step;
  do
    step = random_below (random, steps_number ());
  while (plan->arrivals[scenario][step] == 0);
  uint32_t arrivals = plan->arrivals[scenario][step];
  return (StepTrap){ step, 1 + random_below (random, arrivals), SIGKILL };
}

/* One pair in a scenario drawn by lot: any step of the victim's, any step that
 * the second reaches in its own scenario. */
static bool
plan_pair (Random *random, SecondRole role, uint32_t part_of_second)
{
  uint32_t i = random_below (random, n_scenarios);
  const Scenario *scenario = scenarios[i];
  if (!(role >= SECOND_HEIR ? scenario->has_heir : scenario->has_consumer))
    return false;
  add_job (i, random_trap (random, i));
  plan->jobs[plan->n_jobs - 1].role = role;
  plan->jobs[plan->n_jobs - 1].second = random_trap (random, part_of_second);
  return true;
}

static void
plan_pairs (uint32_t n)
{
  Random random = { number_from ("DATAHUB_STRESS_SEED",
      (uint32_t) check_now_ns ()) };
  static const char *const parts[] = { [SECOND_CONSUMER] =
                                           "a reliable consumer",
    [SECOND_HEIR] = "a producer takes a dead one's name",
    [SECOND_ADOPTER] = "a producer adopts a block" };
  uint32_t seconds[SECOND_ADOPTER + 1];
  for (SecondRole role = SECOND_CONSUMER; role <= SECOND_ADOPTER; role++)
    if (!find_scenario (parts[role], &seconds[role]))
      return;
  check_note ("pairs of seed %llu", (unsigned long long) random.state);
  for (uint32_t i = 0; i < n;) {
    SecondRole role = SECOND_CONSUMER + i % SECOND_ADOPTER;
    i += plan_pair (&random, role, seconds[role]);
  }
}

static void
check_every_step (void)
{
  uint32_t never = 0;
  for (uint32_t i = 0; i < steps_number (); i++) {
    bool reached =
        atomic_load (&plan->deaths_at[i]) && atomic_load (&plan->stops_at[i]);
    if (!reached)
      check_note ("never reached: %s (%u deaths, %u stops)", steps_name (i),
          atomic_load (&plan->deaths_at[i]), atomic_load (&plan->stops_at[i]));
    never += !reached;
  }
  check_note ("%u steps in %u scenarios, %u killed at one, %u stopped, %u "
              "pairs, %u traps behind the end",
      steps_number (), n_scenarios, atomic_load (&plan->killed),
      atomic_load (&plan->stopped), atomic_load (&plan->pairs),
      atomic_load (&plan->missed));
  if (!getenv ("DATAHUB_SWEEP_ONLY"))
    CHECK_INT (never, ==, 0);
}

static Job
parse (const char *text)
{
  char name[96], first[48], role[16], second[48];
  Job job = { .trap.arrival = 0 };
  CHECK (sscanf (text, "%95[^/]/%d/%47[^/]/%u/%15[^/]/%47[^/]/%u", name,
             &job.trap.signal, first, &job.trap.arrival, role, second,
             &job.second.arrival)
      == 7);
  CHECK (find_scenario (name, &job.scenario));
  job.trap.step = steps_find (first);
  job.second.step = steps_find (second);
  job.second.signal = SIGKILL;
  CHECK (job.trap.step != UINT32_MAX && job.second.step != UINT32_MAX);
  while (job.role < SECOND_ADOPTER && strcmp (roles[job.role], role) != 0)
    job.role++;
  return job;
}

/* Found by lot, and now played always; arrival 0: the second lives. */
static const char *const found[] = {
  /* the next producer's pool was in the table, but nobody had been told */
  "a producer grows/9/P1_ENTRY_GEN_STORED/1/adopter/C0_BYTE_0_LOCKED/0",
};

static void
plan_found (void)
{
  if (getenv ("DATAHUB_SWEEP_ONLY"))
    return;
  for (uint32_t i = 0; i < sizeof found / sizeof found[0]; i++)
    plan->jobs[plan->n_jobs++] = parse (found[i]);
}

/* Returns whether one is to be played again. */
static bool
plan_again (void)
{
  const char *text = getenv ("DATAHUB_SWEEP_AGAIN");
  for (uint32_t i = 0; text && i < 100; i++)
    plan->jobs[plan->n_jobs++] = parse (text);
  return text != NULL;
}

static double
seconds_since (uint64_t start)
{
  return (double) (check_now_ns () - start) / 1e9;
}

static void
sweep (void)
{
  uint64_t start = check_now_ns ();
  plan = mmap (NULL, sizeof *plan, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK (plan != MAP_FAILED);
  take_scenarios (producer_scenarios, n_producer_scenarios);
  take_scenarios (consumer_scenarios, n_consumer_scenarios);
  if (plan_again ()) {
    do_jobs ();
    return;
  }
  survey ();
  check_note ("surveyed in %.1f s", seconds_since (start));
  plan_deaths (SIGKILL, number_from ("DATAHUB_SWEEP_ARRIVALS", 5));
  do_jobs ();
  check_note ("killed in %.1f s", seconds_since (start));
  plan_deaths (SIGSTOP, 1);
  do_jobs ();
  check_note ("stopped in %.1f s", seconds_since (start));
  plan_found ();
  plan_pairs (number_from ("DATAHUB_SWEEP_PAIRS", 100));
  do_jobs ();
  check_note ("all in %.1f s", seconds_since (start));
  check_every_step ();
  munmap (plan, sizeof *plan);
}

static const CheckTest tests[] = {
  { "killed and stopped at every step, everything is left whole", sweep },
};
CHECK_MAIN (tests)
