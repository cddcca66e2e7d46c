/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The row of a consumer: taking it, and requests to the producer.
 *
 * A row is written only while its lock byte is held (L2). The kernel frees the
 * byte with the last descriptor. So a consumer that is killed at any point
 * leaves a row that other processes recognise as dead and clean.
 * Tests: core-join, core-limits, core-consumers */
#include "consumer-private.h"
#include "core/base/result-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void
write_name (ConsumerRow *row, const char *name)
{
  char text[DATAHUB_CONSUMER_NAME_MAX] = { 0 };
  strncpy (text, name ? name : program_invocation_short_name, sizeof text - 1);
  for (uint32_t i = 0; i < 5; i++) {
    uint64_t word;
    memcpy (&word, text + i * 8, 8);
    store_relaxed (&row->name[i], word);
  }
}

static void
occupy_row (DatahubConsumer *consumer, const DatahubConsumerOptions *options)
{
  ConsumerRow *row = consumer->row;
  if (!row_is_neutral (&consumer->block, consumer->row_index))
    row_clean (&consumer->block, consumer->row_index);
  consumer->incarnation = load_relaxed (&row->incarnation) + 1;
  consumer->claim = consumer->incarnation;
  store_seq (&row->incarnation, consumer->incarnation);
  STEP (ROW_INCARNATION_STORED);
  store_seq (&row->claim, consumer->incarnation);
  STEP (ROW_CLAIM_STORED);
  store_seq (&row->gate, GATE_WORD (consumer->incarnation, GATE_OPEN));
  STEP (ROW_GATE_STORED);
  store_relaxed (&row->mode,
      (consumer->reliable ? MODE_RELIABLE : 0)
          | (consumer->notify ? MODE_NOTIFY : 0));
  store_relaxed (&row->pid, (uint32_t) getpid ());
  store_seq (&row->pools_seen, 0); /* the table has changed at least once */
  store_relaxed (&row->received, 0);
  store_relaxed (&row->lost, 0);
  store_relaxed (&row->expired, 0);
  consumer_beat (consumer);
  write_name (row, options->name);
  STEP (ROW_FIELDS_STORED);
  consumer_occupy_extra (consumer, options->limits);
  store_seq (&row->state, DATAHUB_CONSUMER_CLAIMED);
  STEP (ROW_STATE_STORED);
  raise_u32_seq (&consumer->block.wake->rows_hwm, consumer->row_index + 1);
  STEP (ROWS_HWM_RAISED);
}

DatahubResult
consumer_claim_row (DatahubConsumer *consumer,
    const DatahubConsumerOptions *options, DatahubError *error)
{
  Block *block = &consumer->block;
  int i = block->client->take_row (block);
  if (i < 0)
    return result_fail (error, DATAHUB_ERROR_FULL, 0,
        "The DataBlock \"%s\" already has %u consumers; raise max-consumers of "
        "the producer.",
        block->channel, block->g.max_rows);
  consumer->row_index = (uint32_t) i;
  consumer->row = block_row (block, consumer->row_index);
  occupy_row (consumer, options);
  return DATAHUB_OK;
}

void
datahub_consumer_request (DatahubConsumer *consumer, uint32_t requests)
{
  if (consumer->generation != os_generation ())
    return;
  or_seq (&consumer->row->requests, requests);
  STEP (REQUEST_STORED);
  block_attend (&consumer->block);
}
