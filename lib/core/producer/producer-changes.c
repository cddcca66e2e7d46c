/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of the consumer table since the last call. Each consumer has its own end:
 * the row has a bit of every owner that left of its own accord, so the next owner
 * may take the row at once. A row can change again and again between two calls;
 * consumers that came and went meanwhile are not reported.
 * Tests: core-changes, gst-attendance */
#include "producer-private.h"

static uint64_t
claim_of (const DatahubProducer *producer, uint32_t i)
{
  return load_seq (&block_row (&producer->block, i)->claim);
}

/* Whether the owner of row @i with @claim left of its own accord. Of a strict block
 * the row is another object after its owner is gone. */
static bool
has_left (DatahubProducer *producer, uint32_t i, uint64_t claim)
{
  const StrictRow *rows = producer->reaper.rows;
  uint64_t word = load_seq (&block_row (&producer->block, i)->departures);
  return departures_has (word, claim)
      || (rows && departures_has (load_seq (&rows[i].departures), claim));
}

/* Reads the present owner of row @i. It may change meanwhile: then it is read at the
 * next call, which the newcomer causes. */
static bool
read_present (DatahubProducer *producer, uint32_t i, DatahubConsumerInfo *info,
    uint64_t *claim)
{
  *claim = claim_of (producer, i);
  return row_read_info (&producer->block, producer->block.lck, i, info)
      && info->alive
      && (info->state == DATAHUB_CONSUMER_ACTIVE
          || info->state == DATAHUB_CONSUMER_EVICTED)
      && *claim == claim_of (producer, i);
}

static void
add_change (DatahubConsumerChange *change, DatahubChange event,
    const KnownConsumer *known)
{
  *change = (DatahubConsumerChange){ .id = known->id, .event = event };
  memcpy (change->name, known->name, sizeof change->name);
}

/* Returns 1 if the end of a known consumer is a change. An eviction was the end
 * before. */
static uint32_t
report_end (DatahubProducer *producer, uint32_t i, KnownConsumer *known,
    bool rejoined, DatahubConsumerChange *change)
{
  uint32_t n = known->evicted ? 0 : 1;
  if (n)
    add_change (change,
        rejoined                                   ? DATAHUB_CHANGE_EVICTED
            : has_left (producer, i, known->claim) ? DATAHUB_CHANGE_LEFT
                                                   : DATAHUB_CHANGE_DIED,
        known);
  *known = (KnownConsumer){ 0 };
  return n;
}

static uint32_t
report_present (KnownConsumer *known, const DatahubConsumerInfo *info,
    uint64_t claim, DatahubConsumerChange *change)
{
  bool evicted = info->state == DATAHUB_CONSUMER_EVICTED;
  if (known->id ? known->evicted == evicted : evicted)
    return 0;
  known->id = info->id;
  known->claim = claim;
  known->evicted = evicted;
  memcpy (known->name, info->name, sizeof known->name);
  add_change (change, evicted ? DATAHUB_CHANGE_EVICTED : DATAHUB_CHANGE_JOINED,
      known);
  return 1;
}

/* Of row @i: up to two changes, an end and a beginning. */
static uint32_t
take_row_changes (DatahubProducer *producer, uint32_t i,
    DatahubConsumerChange *changes)
{
  KnownConsumer *known = &producer->known[i];
  DatahubConsumerInfo info;
  uint64_t claim;
  uint32_t n = 0;
  bool present = read_present (producer, i, &info, &claim);
  if (known->id && (!present || info.id != known->id))
    n = report_end (producer, i, known, present && claim == known->claim,
        changes);
  if (present)
    n += report_present (known, &info, claim, &changes[n]);
  return n;
}

uint32_t
datahub_producer_take_changes (DatahubProducer *producer,
    DatahubConsumerChange *changes, uint32_t max_changes)
{
  uint32_t n = 0, rows;
  if (producer->generation != os_generation ())
    return 0;
  producer->backing.funcs->update_claims (&producer->reaper);
  rows = block_rows_in_use (&producer->block);
  for (uint32_t i = 0; i < rows && n + 2 <= max_changes; i++)
    n += take_row_changes (producer, i, &changes[n]);
  return n;
}
