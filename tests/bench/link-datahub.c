/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core of datahub, without elements. */
#include "bench-link.h"

#include <datahub/core.h>

#define SLICE_NS INT64_C (100000000)
#define LONGEST_NS INT64_C (30000000000)

static DatahubProducer *producer;
static DatahubConsumer *consumer;
static DatahubError error;
static DatahubSlot slot;
static DatahubView view;

static void
must (DatahubResult result, const char *what)
{
  if (result != DATAHUB_OK)
    bench_link_fail (what, error.message);
}

static void
open_sender (const BenchWork *work)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = work->size;
  options.slots = (uint32_t) (2 * work->in_flight);
  must (datahub_producer_create (work->channel, &options, &producer, &error),
      "create");
  must (datahub_producer_publish (producer, &error), "publish");
}

static void
open_receiver (const BenchWork *work)
{
  DatahubConsumerOptions options;
  datahub_consumer_options_init (&options);
  options.reliable = true;
  options.start = DATAHUB_START_OLDEST;
  must (datahub_consumer_attach (work->channel, &options, &consumer, &error),
      "attach");
}

static void *
begin (const BenchWork *work)
{
  must (datahub_producer_acquire_slot (producer, work->size, LONGEST_NS, &slot,
            &error),
      "acquire");
  return slot.data;
}

static void
send (const BenchWork *work)
{
  DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_BUFFER,
    .pts = DATAHUB_NONE,
    .dts = DATAHUB_NONE,
    .duration = DATAHUB_NONE,
    .offset = DATAHUB_NONE,
    .offset_end = DATAHUB_NONE,
    .n_memories = 1,
    .memories = { { &slot, 0, work->size } },
    .release = true };
  must (datahub_producer_commit (producer, &record, LONGEST_NS, NULL, &error),
      "commit");
}

static const void *
receive (const BenchWork *work, size_t *size)
{
  DatahubResult result =
      datahub_consumer_begin_read (consumer, SLICE_NS, &view, &error);
  if (result == DATAHUB_TIMEOUT)
    return NULL;
  must (result, "read");
  *size = (size_t) view.memories[0].size;
  return view.memories[0].data;
}

static void
release (void)
{
  datahub_consumer_end_read (consumer, &view);
}

static void
close_all (void)
{
  if (consumer)
    datahub_consumer_close (consumer);
  if (!producer)
    return;
  datahub_producer_abort (producer, &slot);
  datahub_producer_close (producer);
}

const BenchLink bench_link_datahub = { "core", open_sender, open_receiver,
  begin, send, receive, release, close_all };
