/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iceoryx 1 by its C binding; the driver runs its daemon. The publisher waits
 * for its subscribers, as a reliable consumer of datahub is waited for. */
#include "bench-link.h"

#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/wait_set.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static iox_pub_storage_t publisher_storage;
static iox_sub_storage_t subscriber_storage;
static iox_ws_storage_t set_storage;
static iox_pub_t publisher;
static iox_sub_t subscriber;
static iox_ws_t set;
static void *loan;
static const void *taken;

static void
begin_runtime (void)
{
  char name[64];
  snprintf (name, sizeof name, "datahub-bench-%d", (int) getpid ());
  iox_runtime_init (name);
}

static void
open_sender (const BenchWork *work)
{
  iox_pub_options_t options;
  begin_runtime ();
  iox_pub_options_init (&options);
  options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
  publisher = iox_pub_init (&publisher_storage, "datahub", "bench",
      work->channel, &options);
}

static void
open_receiver (const BenchWork *work)
{
  iox_sub_options_t options;
  begin_runtime ();
  iox_sub_options_init (&options);
  options.queueCapacity = work->in_flight;
  options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
  subscriber = iox_sub_init (&subscriber_storage, "datahub", "bench",
      work->channel, &options);
  set = iox_ws_init (&set_storage);
  if (iox_ws_attach_subscriber_state (set, subscriber, SubscriberState_HAS_DATA,
          1, NULL)
      != WaitSetResult_SUCCESS)
    bench_link_fail ("attach", work->channel);
}

static void *
begin (const BenchWork *work)
{
  if (iox_pub_loan_chunk (publisher, &loan, (uint32_t) work->size)
      != AllocationResult_SUCCESS)
    bench_link_fail ("loan", "no chunk of this size is free");
  return loan;
}

static void
send (const BenchWork *work)
{
  iox_pub_publish_chunk (publisher, loan);
  loan = NULL;
}

static const void *
receive (const BenchWork *work, size_t *size)
{
  struct timespec slice = { 0, 100000000 };
  iox_notification_info_t infos[1];
  uint64_t missed;
  *size = (size_t) work->size;
  if (iox_sub_take_chunk (subscriber, &taken) == ChunkReceiveResult_SUCCESS)
    return taken;
  iox_ws_timed_wait (set, slice, infos, 1, &missed);
  return iox_sub_take_chunk (subscriber, &taken) == ChunkReceiveResult_SUCCESS
      ? taken
      : NULL;
}

static void
release (void)
{
  iox_sub_release_chunk (subscriber, taken);
}

static void
close_all (void)
{
  if (publisher) {
    if (loan)
      iox_pub_release_chunk (publisher, loan);
    iox_pub_deinit (publisher);
    return;
  }
  iox_ws_detach_subscriber_state (set, subscriber, SubscriberState_HAS_DATA);
  iox_ws_deinit (set);
  iox_sub_deinit (subscriber);
}

const BenchLink bench_link_iceoryx = { "iceoryx", open_sender, open_receiver,
  begin, send, receive, release, close_all };
