/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lives of producers of "cam0" that end by a kill, and those who come after. */
#ifndef TESTS_CORE_LIFE_H
#define TESTS_CORE_LIFE_H

#include "fixture.h"

/* What a producer does before it is killed. */
typedef struct
{
  DatahubProducerOptions options;
  uint64_t first; /* buffer */
  uint32_t n;
  uint64_t size; /* 0: 1000 */
  bool caps; /* one before the first buffer, named after it */
  bool dies_filling;
} Life;

/* small_options(), and n buffers of 1000 bytes. */
Life small_life (uint64_t first, uint32_t n);
/* Returns when it has done all that it does but die. */
CheckChild start_life (const Life *life);
/* A whole one: its block is left, its producer dead. */
void leave_dead (const Life *life);
/* The consumer of one, who was there at the death and has read nothing. */
DatahubConsumer *orphan_of (const Life *life, bool reliable);
/* A producer of small_options(), which must find a block to go on with. */
DatahubProducer *adopt_block (uint64_t incarnation);

#endif /* TESTS_CORE_LIFE_H */
