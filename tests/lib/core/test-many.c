/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many blocks of one process: the files that a start opens do not depend on their number.
 * They are counted by wrappers, which the linker puts before the
 * functions. */
#include "fixture.h"

#include <stdio.h>

#define N_BLOCKS 120
/* Of the names that one start examines, and its own. */
#define OPENS_OF_A_START 200

static uint32_t n_opens;

int __real_os_open_existing (int dir, const char *name, bool writable);
int __wrap_os_open_existing (int dir, const char *name, bool writable);

int
__wrap_os_open_existing (int dir, const char *name, bool writable)
{
  n_opens++;
  return __real_os_open_existing (dir, name, writable);
}

static DatahubProducer *
start (uint32_t number)
{
  char name[32];
  snprintf (name, sizeof name, "many%u", number);
  return producer_new (name, NULL);
}

static void
start_is_bounded (void)
{
  DatahubProducer *producers[N_BLOCKS];
  for (uint32_t i = 0; i < N_BLOCKS; i++) {
    n_opens = 0;
    producers[i] = start (i);
    CHECK_INT (n_opens, <=, OPENS_OF_A_START);
  }
  CHECK_INT (n_opens, >, 0); /* the wrapper counts */
  for (uint32_t i = 0; i < N_BLOCKS; i++)
    datahub_producer_close (producers[i]);
}

static void
publish_several (CheckParent *parent)
{
  const uint32_t *range = parent->data;
  for (uint32_t i = range[0]; i < range[1]; i++)
    start (i);
  check_ready (parent);
  check_until_killed (parent);
}

/* Each start examines a part of the names, so a few starts remove all that a dead
 * process left. Living blocks, with more names than a part has, are older and newer:
 * a file system lists the one or the other first. */
static void
dead_are_found_in_the_end (void)
{
  static const uint32_t older[] = { 1000, 1000 + N_BLOCKS / 2 };
  static const uint32_t dying[] = { 2000, 2000 + N_BLOCKS / 2 };
  static const uint32_t newer[] = { 3000, 3000 + N_BLOCKS / 2 };
  DatahubProducer *first = start (0);
  CheckChild child[] = { check_fork_ready (publish_several, older),
    check_fork_ready (publish_several, dying),
    check_fork_ready (publish_several, newer) };
  uint32_t n_files = check_count_files (), n_starts = 0;
  check_kill (&child[1]);
  while (check_count_files () > n_files * 3 / 4) {
    datahub_producer_close (start (4000));
    CHECK_INT (++n_starts, <=, 2 * N_BLOCKS);
  }
  datahub_producer_close (first);
  check_kill (&child[0]);
  check_kill (&child[2]);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK_INT (check_count_files (), ==, 0);
}

/* The first start of a process examines more, as it may be the only one. */
static void
first_start_examines_all (void)
{
  static const uint32_t dying[] = { 0, N_BLOCKS };
  CheckChild dead = check_fork_ready (publish_several, dying);
  check_kill (&dead);
  CHECK_INT (check_count_files (), >=, 5 * N_BLOCKS);
  DatahubProducer *producer = start (3000);
  CHECK_INT (check_count_files (), <, 10);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "the files that a start opens do not grow with the number of blocks",
      start_is_bounded },
  { "dead blocks among many living ones are removed by the starts after it",
      dead_are_found_in_the_end },
  { "the first start of a process removes all that is dead",
      first_start_examines_all },
};

CHECK_MAIN (tests)
