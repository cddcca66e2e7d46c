/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The producer's view of its consumers. Counts come from kernel locks. They are
 * stale only while the server of a strict block hands out a lock: until it has
 * closed its copy, a consumer that dies then counts.
 * Tests: core-consumers, gst-attendance */
#include "producer-private.h"

/* The death of a consumer wakes no thread. A thread that waits for a number of consumers
 * checks the locks at this interval, a service thread cleans rows in each of its slices. */
#define CONSUMER_SLICE_NS SLEEP_SLICE_NS
#define JANITOR_NS NS_PER_S

static void
update_claims (DatahubProducer *producer)
{
  producer->backing.funcs->update_claims (&producer->reaper);
}

static uint32_t
count_started (DatahubProducer *producer)
{
  DatahubConsumerInfo info;
  uint32_t n = 0, rows = block_rows_in_use (&producer->block);
  update_claims (producer);
  for (uint32_t i = 0; i < rows; i++)
    if (row_read_info (&producer->block, producer->block.lck, i, &info)
        && info.state == DATAHUB_CONSUMER_ACTIVE && info.alive)
      n++;
  return n;
}

static int64_t
slice_until (int64_t end, int64_t slice)
{
  int64_t left = end - os_now ();
  if (end < 0 || left > slice)
    return slice;
  return left > 0 ? left : 0;
}

/**
 * datahub_producer_wait_consumers:
 * @producer: a published producer
 * @n_consumers: how many to wait for
 * @timeout_ns: how long
 *
 * Waits until that many live consumers have chosen their start position: they
 * miss nothing that is committed from now on. Interrupted by
 * %DATAHUB_WAIT_CONSUMERS.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_TIMEOUT, %DATAHUB_INTERRUPTED,
 *   %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_producer_wait_consumers (DatahubProducer *producer,
    uint32_t n_consumers, int64_t timeout_ns)
{
  WakePage *wake = producer->block.wake;
  int64_t end = os_end_of (timeout_ns);
  if (producer->generation != os_generation ())
    return DATAHUB_ERROR_FORKED;
  for (;;) {
    uint32_t seen = load_seq (&wake->attention);
    producer_beat (producer);
    if (load_seq (&producer->interrupted) & DATAHUB_WAIT_CONSUMERS)
      return DATAHUB_INTERRUPTED;
    if (count_started (producer) >= n_consumers)
      return DATAHUB_OK;
    if (end >= 0 && os_now () >= end)
      return DATAHUB_TIMEOUT;
    os_futex_wait (&wake->attention, seen, NULL, 0,
        slice_until (end, CONSUMER_SLICE_NS));
  }
}

/**
 * datahub_producer_wait_attention:
 * @producer: a producer
 * @seen: (inout): the state that this caller saw last; 0 at the start
 * @timeout_ns: how long
 *
 * For a service thread: returns when consumers joined, left or sent a request.
 * Once a second the heartbeat is updated and the rows of dead consumers are cleaned, which
 * counts as a change. While a thread is in here, the block grows before its slots are
 * short, and gives back memory that was not needed for five seconds; @timeout_ns does not
 * end a growth. Interrupted by %DATAHUB_WAIT_ATTENTION.
 *
 * Returns: %DATAHUB_OK with @seen renewed, %DATAHUB_TIMEOUT,
 *   %DATAHUB_INTERRUPTED, %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_producer_wait_attention (DatahubProducer *producer, uint32_t *seen,
    int64_t timeout_ns)
{
  WakePage *wake = producer->block.wake;
  int64_t end = os_end_of (timeout_ns);
  if (producer->generation != os_generation ())
    return DATAHUB_ERROR_FORKED;
  for (;;) {
    uint32_t now = load_seq (&wake->attention);
    producer_beat (producer);
    producer_tend_memory (producer);
    if (load_seq (&producer->interrupted) & DATAHUB_WAIT_ATTENTION)
      return DATAHUB_INTERRUPTED;
    if (now != *seen) {
      *seen = now;
      return DATAHUB_OK;
    }
    if (end >= 0 && os_now () >= end)
      return DATAHUB_TIMEOUT;
    os_futex_wait (&wake->attention, now, NULL, 0,
        slice_until (end, JANITOR_NS));
    producer_follow_consumers (producer);
    reaper_run (&producer->reaper, JANITOR_NS * 9 / 10);
  }
}

uint32_t
datahub_producer_list_consumers (DatahubProducer *producer,
    DatahubConsumerInfo *infos, uint32_t max_infos)
{
  uint32_t n = 0, rows;
  if (producer->generation != os_generation ())
    return 0;
  update_claims (producer);
  rows = block_rows_in_use (&producer->block);
  for (uint32_t i = 0; i < rows && n < max_infos; i++)
    if (row_read_info (&producer->block, producer->block.lck, i, &infos[n])
        && infos[n].alive
        && (infos[n].state == DATAHUB_CONSUMER_ACTIVE
            || infos[n].state == DATAHUB_CONSUMER_EVICTED))
      n++;
  return n;
}

uint32_t
datahub_producer_take_requests (DatahubProducer *producer)
{
  uint32_t requests = 0, rows;
  if (producer->generation != os_generation ())
    return 0;
  rows = block_rows_in_use (&producer->block);
  for (uint32_t i = 0; i < rows; i++) {
    ConsumerRow *row = block_row (&producer->block, i);
    if (load_relaxed (&row->requests))
      requests |= exchange_seq (&row->requests, 0);
    STEP (REQUESTS_TAKEN);
  }
  return requests & (DATAHUB_REQUEST_KEYFRAME | DATAHUB_REQUEST_RECONFIGURE);
}
