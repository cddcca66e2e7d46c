/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run for one death: a victim in a process of its own plays a part and may
 * be killed or stopped at one step of it; this process plays the others, and
 * looks at what is left. Each scenario is such a part with its run. */
#ifndef TESTS_STRESS_SCENARIO_H
#define TESTS_STRESS_SCENARIO_H

#include "random-records.h"

#include "lib/core/steps.h"

#include <datahub/core.h>

#define CHANNEL "sweep"
#define EPOCH 1 /* of the first producer; the second has one more */
#define MAX_CONSUMERS 4
#define ZONE_SIZE 128
/* Behind it, never written to: each write copies it. */
#define ZONE_REST 64
/* How long a reliable consumer may be in the way. */
#define BLOCK_TIMEOUT_NS (30 * CHECK_MS)

/* Shared with the victim. */
typedef struct
{
  StepCounts steps;
  StepCounts steps_of_second;
  _Atomic uint64_t attempted; /* buffers whose commit was begun */
  _Atomic uint64_t committed; /* buffers whose commit returned */
  _Atomic uint64_t zone; /* versions whose write returned */
  _Atomic uint64_t taken; /* the last event that a take returned */
  _Atomic uint32_t flushed; /* a flush was begun */
  _Atomic uint32_t published; /* publish returned */
  _Atomic uint32_t closing; /* a close was begun */
  _Atomic uint32_t is_new; /* the numbers are those of another block */
} Board;

typedef enum
{
  VICTIM_RUNS,
  VICTIM_STANDS, /* stopped at its step */
  VICTIM_DONE, /* played its part to the end */
  VICTIM_DEAD /* at its step */
} VictimState;

typedef struct
{
  CheckChild child;
  StepCounts *counts;
  StepTrap trap;
  VictimState state;
} Victim;

typedef struct _ScenarioRun ScenarioRun;

typedef struct _Scenario Scenario;
struct _Scenario
{
  const char *name;
  const Scenario *like; /* says what is not set here */
  uint64_t epoch; /* of the producer */
  /* Before the victim starts. */
  void (*prepare) (ScenarioRun *run);
  /* The part, in the victim's process. */
  void (*part) (CheckParent *parent);
  /* Again and again while the victim runs; waits a little. */
  void (*go_on) (ScenarioRun *run);
  /* A victim said something. */
  void (*hear) (ScenarioRun *run, Victim *victim, uint64_t word);
  /* The victim stands still: what the others must be able to do. */
  void (*beside) (ScenarioRun *run);
  /* The victim is dead or done. Leaves nothing behind. */
  void (*after) (ScenarioRun *run);
  bool is_slow; /* only the first arrival at each step is tried */
  bool has_consumer; /* a reliable one may die too */
  bool has_heir; /* who takes the name may die too */
};

/* Who the second victim is. */
typedef enum
{
  SECOND_NONE,
  SECOND_CONSUMER, /* beside the first */
  SECOND_HEIR, /* a producer with another block, after the first */
  SECOND_ADOPTER /* a producer with the same block, after the first */
} SecondRole;

struct _ScenarioRun
{
  const Scenario *scenario;
  Board *board;
  Victim victim, second;
  SecondRole role;
  Random random;

  DatahubProducer *producer; /* where the victim is a consumer */
  uint64_t next;
  DatahubSpinlock *lock;
  CheckChild prop; /* a child that dies as part of the scenery */

  RecordReader live, reliable, idle;
  bool reliable_pauses, all_pause; /* do not read for now */
  uint64_t posted; /* the last event; or, by the victim, taken */
  uint32_t asked; /* what the victim said last */
  CheckThread *thread; /* wants the user lock */
  CheckThread *filler; /* commits one buffer more than there is room for */
  _Atomic bool is_filled; /* it has */
  uint32_t holding; /* looks until the user lock is given back */
};

extern DatahubError scenario_error;

void scenario_must (DatahubResult result, DatahubResult wanted,
    const char *file, int line);
#define MUST(call) scenario_must ((call), DATAHUB_OK, __FILE__, __LINE__)
#define MUST_BE(call, wanted)                                                  \
  scenario_must ((call), (wanted), __FILE__, __LINE__)

/* Plays one scenario with its deaths (or none) and checks everything. */
void scenario_play (const Scenario *scenario, Board *board,
    const StepTrap *trap, SecondRole role, const StepTrap *trap_of_second);
/* The run of this process: for the victim, a copy of it. */
ScenarioRun *scenario_of (const CheckParent *parent);
/* A second victim in another part. */
void scenario_start_second (ScenarioRun *run,
    void (*part) (CheckParent *parent));
/* Goes on until the victim is dead, done, or stands still. */
void scenario_attend (ScenarioRun *run, Victim *victim);

/* Gives the word back to a victim, who may have died in another thread. */
void scenario_answer (Victim *victim);
/* Until a victim says a word or ends, and no longer than that. */
void scenario_await_word (const ScenarioRun *run, int64_t ns);
/* Waits for the end of a child that kills itself. */
void scenario_wait_for_death (CheckChild *child);

/* In a victim: the trap is armed between the two. */
void part_begins (CheckParent *parent);
void part_ends (void);
/* Says something and waits for an answer. */
uint64_t part_asks (CheckParent *parent, uint64_t word);

DatahubProducerOptions scenario_options (uint64_t epoch);
DatahubProducer *scenario_new_producer (uint64_t epoch);
/* Whether there is one to attach to, and lets us in. */
bool scenario_attach (RecordReader *reader, bool reliable, Random *random);
void scenario_detach (RecordReader *reader);
/* Reads all that is there. */
DatahubResult scenario_read_all (RecordReader *reader);
/* Commits and says so on the board. */
DatahubResult scenario_commit (Board *board, DatahubProducer *producer,
    uint64_t epoch, uint32_t n, int64_t timeout_ns);
/* How often the producer slept for room. */
uint64_t scenario_sleeps (DatahubProducer *producer);
void scenario_write_zone (Board *board, DatahubProducer *producer);
void scenario_check_zone (const ScenarioRun *run);

extern const Scenario producer_scenarios[];
extern const uint32_t n_producer_scenarios;
extern const Scenario consumer_scenarios[];
extern const uint32_t n_consumer_scenarios;

#endif /* TESTS_STRESS_SCENARIO_H */
