/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "life.h"

#include <stdio.h>

Life
small_life (uint64_t first, uint32_t n)
{
  return (Life){ .options = small_options (), .first = first, .n = n };
}

static void
live (CheckParent *parent)
{
  const Life *life = parent->data;
  DatahubProducer *producer = producer_new ("cam0", &life->options);
  DatahubSlot slot;
  char caps[32];
  snprintf (caps, sizeof caps, "caps %llu", (unsigned long long) life->first);
  if (life->caps)
    commit_event (producer, DATAHUB_RECORD_CAPS, caps);
  for (uint32_t i = 0; i < life->n; i++)
    commit_buffer (producer, life->first + i, life->size ? life->size : 1000);
  if (life->dies_filling) {
    fill_slot (producer, 1 << 20, 3000, &slot);
    fill_slot (producer, 1 << 20, 3000, &slot);
  }
  check_ready (parent);
  check_until_killed (parent);
}

CheckChild
start_life (const Life *life)
{
  CheckChild child = check_fork_ready (live, life);
  return child;
}

void
leave_dead (const Life *life)
{
  CheckChild child = start_life (life);
  check_kill (&child);
}

DatahubConsumer *
orphan_of (const Life *life, bool reliable)
{
  CheckChild child = start_life (life);
  DatahubConsumer *consumer =
      consumer_new ("cam0", reliable, DATAHUB_START_OLDEST);
  check_kill (&child);
  return consumer;
}

DatahubProducer *
adopt_block (uint64_t incarnation)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK (producer_stats (producer).adopted);
  CHECK_INT (producer_stats (producer).incarnation, ==, incarnation);
  return producer;
}
