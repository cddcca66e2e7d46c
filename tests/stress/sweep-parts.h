/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the victims of the sweep do, and what they ask of their run. */
#ifndef TESTS_STRESS_SWEEP_PARTS_H
#define TESTS_STRESS_SWEEP_PARTS_H

#include "scenario.h"

/* A producer asks: */
enum
{
  PUBLISHED = 1, /* consumers may come */
  PAUSE, /* the reliable one reads no more */
  GO_ON,
  CATCH_UP, /* the reliable one reads all there is */
  DEAD_CONSUMER, /* with pins and a gate */
  POST, /* the live one posts the next event */
};

/* A consumer asks: */
enum
{
  BLOCK = 1, /* commits until the victim is evicted */
  LAP,
  FILL, /* the producer sleeps: the victim is in the way */
  FLUSH,
  DIE, /* the producer dies */
  DEAD_OWNER, /* of user lock 2 */
  DEAD_NAMER, /* of a user lock */
  HOLD, /* user lock 1, for a while */
  WANT, /* user lock 1, which the victim has */
  TAKE, /* the producer takes its event, and looks at its limits */
};

/* Events and limits that follow from a number; 0: there is none. */
DatahubResult mail_post (DatahubConsumer *consumer, uint64_t number);
uint64_t mail_take (DatahubProducer *producer);
const char *mail_limits (uint64_t number, char text[DATAHUB_LIMITS_MAX]);
uint64_t mail_read_limits (DatahubProducer *producer, uint64_t id);
/* Of the first consumer that has any. */
uint64_t mail_find_limits (DatahubProducer *producer);
/* While the producer stands still, it may be reading them. */
void mail_change_limits (ScenarioRun *run);
void mail_post_next (ScenarioRun *run);
void mail_check_left (ScenarioRun *run, DatahubProducer *successor);

/* The clocks and the errors of the producer can be read. */
void telemetry_check (void);

/* Numbers go on where the dead one stopped, or begin anew. */
void take_up_numbers (Board *board, DatahubProducer *producer);

void producer_adopts (CheckParent *parent);
void producer_begins (CheckParent *parent);
void producer_commits (CheckParent *parent);
void producer_flushes (CheckParent *parent);
void producer_gives_up (CheckParent *parent);
void producer_waits_for_room (CheckParent *parent);
void producer_evicts (CheckParent *parent);
void producer_cleans_after_the_dead (CheckParent *parent);
void producer_grows (CheckParent *parent);
void producer_grows_in_pieces (CheckParent *parent);
void producer_has_big_slots (CheckParent *parent);
void producer_begins_with_big_slots (CheckParent *parent);
void producer_closes (CheckParent *parent);
void producer_loses_names (CheckParent *parent);
void producer_has_user_locks (CheckParent *parent);
void producer_takes_events (CheckParent *parent);
void producer_dies_half_way (CheckParent *parent);

void consumer_is_live (CheckParent *parent);
void consumer_is_reliable (CheckParent *parent);
void consumer_leaves_with_leases (CheckParent *parent);
void consumer_is_waited_for (CheckParent *parent);
void consumer_is_evicted (CheckParent *parent);
void consumer_is_lapped (CheckParent *parent);
void consumer_follows_growth (CheckParent *parent);
void consumer_is_the_last (CheckParent *parent);
void consumer_has_mail (CheckParent *parent);
void consumer_has_user_locks (CheckParent *parent);
void somebody_reclaims (CheckParent *parent);
void somebody_repairs (CheckParent *parent);
void somebody_repairs_for_good (CheckParent *parent);
void consumer_holds_and_dies (CheckParent *parent);
void producer_commits_and_dies (CheckParent *parent);
void producer_dies_publishing (CheckParent *parent);
void consumer_dies_with_a_lock (CheckParent *parent);
void consumer_dies_naming_a_lock (CheckParent *parent);
void consumer_dies_with_everything (CheckParent *parent);

#endif /* TESTS_STRESS_SWEEP_PARTS_H */
