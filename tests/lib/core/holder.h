/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer of "cam0" in a process of its own, which takes something and holds it
 * until it is killed. */
#ifndef TESTS_CORE_HOLDER_H
#define TESTS_CORE_HOLDER_H

#include "fixture.h"

typedef struct
{
  bool reliable;
  uint32_t quota; /* 0: as it comes */
  uint32_t records; /* leased, from the oldest on */
  uint32_t lock; /* number of a user lock; 0: none */
  bool inherits; /* who had the lock before may have died */
} Holder;

/* For check_fork(), with a Holder; it is ready when it has everything. */
void hold_on (CheckParent *parent);

#endif /* TESTS_CORE_HOLDER_H */
