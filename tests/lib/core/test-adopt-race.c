/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several who adopt at the same moment, and one that is killed while it does. */
#include "life.h"

#include <unistd.h>

typedef struct
{
  Life life;
  int gate[2];
} Race;

static void
run_race (CheckParent *parent)
{
  const Race *race = parent->data;
  DatahubProducer *producer = NULL;
  char byte;
  close (race->gate[1]);
  CHECK (read (race->gate[0], &byte, 1) == 0); /* the other end is closed */
  DatahubResult result =
      datahub_producer_create ("cam0", &race->life.options, &producer, &err);
  CHECK_INT (result, ==, DATAHUB_OK);
  bool adopted = producer_stats (producer).adopted;
  result = datahub_producer_publish (producer, &err);
  CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_BUSY);
  CHECK_INT (adopted, <=, result == DATAHUB_OK);
  check_tell (parent->out, result == DATAHUB_OK ? 1 + adopted : 0);
  CHECK_HEAR (parent->in, 1);
  datahub_producer_close (producer);
}

static void
two_candidates (void)
{
  for (int round = 0; round < 20; round++) {
    Race race = { .life = small_life (0, 4) };
    CheckChild child = start_life (&race.life), racers[3];
    DatahubConsumer *consumer =
        consumer_new ("cam0", true, DATAHUB_START_OLDEST);
    uint64_t words[4] = { 0 };
    CHECK (pipe (race.gate) == 0);
    check_kill (&child);
    for (int i = 0; i < 3; i++)
      racers[i] = check_fork (run_race, &race);
    close (race.gate[0]);
    close (race.gate[1]);
    for (int i = 0; i < 3; i++)
      words[check_hear (racers[i].from)]++;
    CHECK_INT (words[2], ==, 1);
    CHECK_INT (words[1], ==, 0);
    for (int i = 0; i < 3; i++) {
      check_tell (racers[i].to, 1);
      check_join (&racers[i]);
    }
    expect_buffers (consumer, 0, 4);
    expect_outcome (consumer, DATAHUB_CLOSED);
    datahub_consumer_close (consumer);
  }
}

static void
adopt_at_once (CheckParent *parent)
{
  const Life *life = parent->data;
  DatahubProducer *producer = producer_new ("cam0", &life->options);
  check_ready (parent);
  commit_buffers (producer, life->first, life->n);
  check_until_killed (parent);
}

/* Killed at any moment of its start, by chance; every place between two stores
 * is for the sweep. */
static void
killed_adopting (void)
{
  Life life = small_life (0, 8);
  CheckChild child = start_life (&life);
  DatahubConsumer *reliable = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *live_one =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  DatahubView held[3], view;
  uint64_t seed = check_now_ns ();
  check_note ("seed %llu", (unsigned long long) seed);
  for (int i = 0; i < 3; i++)
    held[i] = read_record (live_one);
  expect_buffers (reliable, 0, 1);
  check_kill (&child);
  Life short_life = small_life (0, 0);
  /* how long a whole one takes here */
  uint64_t whole = check_now_ns ();
  child = check_fork_ready (adopt_at_once, &short_life);
  whole = check_now_ns () - whole;
  check_kill (&child);
  for (int round = 0; round < 300; round++) {
    child = check_fork (adopt_at_once, &short_life);
    seed = seed * UINT64_C (6364136223846793005) + 1442695040888963407u;
    uint64_t until = check_now_ns () + (seed >> 33) % (2 * whole);
    while (check_now_ns () < until)
      ;
    check_kill (&child);
  }
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK (producer_stats (producer).adopted);
  CHECK_INT (producer_stats (producer).incarnation, >, 10);
  CHECK_INT (producer_stats (producer).commits, ==, 8);
  expect_buffers (reliable, 1, 7);
  commit_buffers (producer, 8, 4);
  do {
    view = read_record (reliable);
    datahub_consumer_end_read (reliable, &view);
  } while (view.offset != 11);
  CHECK_INT (consumer_stats (reliable).lost, ==, 0);
  for (uint64_t i = 0; i < 3; i++) {
    check_buffer (&held[i], i, 1000);
    datahub_consumer_end_read (live_one, &held[i]);
  }
  datahub_consumer_close (reliable);
  datahub_consumer_close (live_one);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "of candidates at the same moment exactly one adopts", two_candidates },
  { "killed while it adopts, three hundred times, nothing is lost",
      killed_adopting },
};
CHECK_MAIN (tests)
