/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reaper: cleans the rows of dead consumers. It has its own lock. */
#ifndef DATAHUB_REAPER_PRIVATE_H
#define DATAHUB_REAPER_PRIVATE_H

#include "backing-private.h"

#include <pthread.h>

/* A row of a strict block, which is an object of its own. */
typedef struct
{
  int fd; /* a description that holds no lock; -1: not in use */
  bool granted;
  uint32_t quota;
  uint64_t claim; /* of the newest owner */
  shared_u64 departures; /* of all owners, as in ConsumerRow; no lock */
} StrictRow;

struct _Reaper
{
  const Backing *backing; /* not owned: the producer's */
  /* Guards fd, an own description that never keeps a lock (D3), and what
   * follows. */
  pthread_mutex_t lock;
  int fd; /* -1 where a row has a file of its own */
  int64_t last_ns;
  /* of a strict block */
  StrictRow *rows;
  int blank_fd; /* mapped in place of a removed row */
  shared_u32 rows_hwm; /* the block's, where no client can reach it */
};

void reaper_init (Reaper *reaper, const Backing *backing);
bool reaper_open (Reaper *reaper);
void reaper_close (Reaper *reaper);
uint32_t reaper_run (Reaper *reaper, int64_t not_within_ns);

#endif /* DATAHUB_REAPER_PRIVATE_H */
