/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events and limits in the sweep: each follows from a number, so that one that is
 * torn or of another consumer shows. */
#include "sweep-parts.h"

#include <stdio.h>
#include <string.h>

static uint64_t
make_event (uint64_t number, uint8_t bytes[DATAHUB_UPSTREAM_EVENT_MAX])
{
  uint64_t size = 8 + number * 389 % (DATAHUB_UPSTREAM_EVENT_MAX - 7);
  memset (bytes, (int) (number * 31 % 251), DATAHUB_UPSTREAM_EVENT_MAX);
  memcpy (bytes, &number, 8);
  return size;
}

DatahubResult
mail_post (DatahubConsumer *consumer, uint64_t number)
{
  uint8_t bytes[DATAHUB_UPSTREAM_EVENT_MAX];
  uint64_t size = make_event (number, bytes);
  return datahub_consumer_post_event (consumer, bytes, size, &scenario_error);
}

/* 0: there is none. */
uint64_t
mail_take (DatahubProducer *producer)
{
  uint8_t bytes[DATAHUB_UPSTREAM_EVENT_MAX], wanted[sizeof bytes];
  uint64_t id, size = sizeof bytes, number = 0;
  DatahubResult result = datahub_producer_take_event (producer, &id, bytes,
      &size, &scenario_error);
  if (result == DATAHUB_TIMEOUT)
    return 0;
  MUST (result);
  CHECK_INT (size, >=, 8);
  memcpy (&number, bytes, 8);
  CHECK_INT (make_event (number, wanted), ==, size);
  CHECK (memcmp (bytes, wanted, size) == 0);
  return number;
}

const char *
mail_limits (uint64_t number, char text[DATAHUB_LIMITS_MAX])
{
  uint64_t length = 20 + number * 777 % (DATAHUB_LIMITS_MAX - 20);
  memset (text, (int) ('a' + number % 26), length);
  text[length] = 0;
  text[snprintf (text, 19, "%llu;", (unsigned long long) number)] = '/';
  return text;
}

/* 0: it has none. */
uint64_t
mail_read_limits (DatahubProducer *producer, uint64_t id)
{
  char text[DATAHUB_LIMITS_MAX], wanted[DATAHUB_LIMITS_MAX];
  unsigned long long number = 0;
  DatahubResult result = datahub_producer_get_limits (producer, id, text,
      sizeof text, &scenario_error);
  CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
      || result == DATAHUB_ERROR_NOT_FOUND);
  if (result != DATAHUB_OK)
    return 0;
  CHECK_INT (sscanf (text, "%llu;", &number), ==, 1);
  CHECK_STR (text, mail_limits (number, wanted));
  return number;
}

uint64_t
mail_find_limits (DatahubProducer *producer)
{
  DatahubConsumerInfo infos[MAX_CONSUMERS];
  uint64_t found = 0;
  uint32_t n = datahub_producer_list_consumers (producer, infos, MAX_CONSUMERS);
  for (uint32_t i = 0; i < n && !found; i++)
    found = mail_read_limits (producer, infos[i].id);
  return found;
}

void
mail_change_limits (ScenarioRun *run)
{
  char text[DATAHUB_LIMITS_MAX];
  MUST (datahub_consumer_set_limits (run->live.consumer,
      mail_limits (run->posted + 1000, text), &scenario_error));
}

void
mail_post_next (ScenarioRun *run)
{
  mail_change_limits (run);
  MUST (mail_post (run->live.consumer, ++run->posted));
}

/* What the dead producer did not take is there for its successor, once. */
void
mail_check_left (ScenarioRun *run, DatahubProducer *successor)
{
  uint64_t number = mail_take (successor);
  bool taken = atomic_load (&run->board->taken) == run->posted;
  if (number == 0)
    CHECK (taken || run->victim.trap.step == steps_find ("EVENT_TAKEN"));
  else
    CHECK (!taken && number == run->posted);
  CHECK_INT (mail_take (successor), ==, 0);
  MUST (mail_post (run->live.consumer, 99));
  CHECK_INT (mail_take (successor), ==, 99);
}
