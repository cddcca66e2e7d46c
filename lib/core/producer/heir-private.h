/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring of a dead producer, on private copies. */
#ifndef DATAHUB_HEIR_PRIVATE_H
#define DATAHUB_HEIR_PRIVATE_H

#include "ring-private.h"

/* A record as the dead left it. */
typedef struct
{
  uint64_t seq, ordinal;
  uint64_t ctx_seq[DATAHUB_N_CONTEXTS];
  uint16_t ctx[DATAHUB_N_CONTEXTS];
  uint32_t type; /* 0: it makes no sense, or was never filled */
  uint32_t flags;
} Inherited;

typedef struct
{
  Ring *ring; /* not owned: the successor's, like the pools */
  Pools *pools;
  Inherited *records;
  uint64_t *words; /* of the ring, as they shall be */
  uint64_t sticky[N_STICKY];
  uint64_t head, tail;
} Heir;

bool heir_judge (Heir *heir);
void heir_settle (Heir *heir);
void heir_free (Heir *heir);

#endif /* DATAHUB_HEIR_PRIVATE_H */
