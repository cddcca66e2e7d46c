/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producers and consumers that live until somebody kills them, adopt each other's
 * blocks or do not, follow from one to the next or do not, and verify each
 * other: every payload at its arrival and again when its lease ends, and at the
 * end of a producer that all it committed came or is counted as lost. */
#ifndef TESTS_STRESS_ACTORS_H
#define TESTS_STRESS_ACTORS_H

#include "random-records.h"

#include <stdatomic.h>

#define MAX_EPOCHS (1u << 20)

/* What everybody writes down for the others to check. An epoch's numbers are
 * written by its producer alone. */
typedef struct
{
  _Atomic uint64_t attempted; /* buffers whose commit was begun */
  _Atomic uint64_t committed; /* buffers whose commit returned */
  _Atomic uint64_t base; /* buffers in the block before the epoch */
} Epoch;

typedef struct
{
  _Atomic uint64_t delivered, lost, copies, attachments, drained, suicides;
  _Atomic uint64_t adoptions, followed;
  _Atomic uint32_t stopping;
  Epoch epochs[MAX_EPOCHS];
} ActorBoard;

extern ActorBoard *actor_board;

typedef struct
{
  const char *channel;
  uint64_t epoch;
  uint64_t seed;
  DatahubProducerOptions options;
  int64_t pause_ns; /* between commits */
  bool kills_itself; /* some do, while they fill a slot */
} ProducerActor;

typedef struct
{
  const char *channel;
  uint64_t seed;
  bool reliable;
  bool stays; /* attached as long as the producer lives */
} ConsumerActor;

/* Made before anybody is born. */
void actor_board_make (void);
void actor_board_drop (void);

/* For check_fork(); @data is the life. A producer ends when it is told a word;
 * all consumers are gone by then, and it looks at what they left. Consumers end
 * when the board says so. */
void actor_produce (CheckParent *parent);
void actor_consume (CheckParent *parent);

#endif /* TESTS_STRESS_ACTORS_H */
