/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A clock_gettime() of the program's own. */
#include "two-clocks.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Atomic int64_t shifts[2], stepped, passed = FAR;
static _Thread_local int is_main;

const BlockHeader *watched;
uint64_t head_at_reading, incarnation_at_reading;
uint64_t readings;

int
clock_gettime (clockid_t id, struct timespec *ts)
{
  int result = (int) syscall (SYS_clock_gettime, id, ts);
  int64_t ns = (int64_t) ts->tv_sec * CHECK_S + ts->tv_nsec;
  if (id == CLOCK_REALTIME) {
    ns += passed + stepped;
    if (is_main)
      readings++;
    if (is_main && watched) {
      head_at_reading = load_seq (&watched->head);
      incarnation_at_reading = load_seq (&watched->incarnation);
    }
  } else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
    ns += passed + shifts[is_main];
  ts->tv_sec = ns / CHECK_S;
  ts->tv_nsec = ns % CHECK_S;
  return result;
}

void
use_clock (int64_t shift)
{
  is_main = 1;
  shifts[1] = shift;
}

int64_t
now_ns (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (int64_t) ts.tv_sec * CHECK_S + ts.tv_nsec;
}

DatahubProducer *
producer_ahead (int64_t shift)
{
  shifts[0] = shift;
  use_clock (shift);
  return producer_new ("cam0", NULL);
}

int64_t
commit_now (DatahubProducer *producer, int64_t shift, uint64_t seed)
{
  DatahubSlot slot;
  use_clock (shift);
  fill_slot (producer, seed, 1000, &slot);
  DatahubCommit record = buffer_record (&slot, seed, 1000);
  record.instant_ns = now_ns ();
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  return record.instant_ns;
}

DatahubConsumer *
attach (int64_t max_age_ns)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  use_clock (0);
  datahub_consumer_options_init (&options);
  options.start = DATAHUB_START_OLDEST;
  options.max_age_ns = max_age_ns;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  return consumer;
}

void
check_about (int64_t value, int64_t wanted)
{
  CHECK_INT (value, >, wanted - 10 * CHECK_MS);
  CHECK_INT (value, <, wanted + 10 * CHECK_MS);
}

void
check_clock_of (DatahubConsumer *consumer, DatahubClockState state,
    int64_t offset)
{
  int64_t found;
  CHECK_INT (datahub_consumer_get_clock (consumer, &found), ==, state);
  if (offset)
    check_about (found, offset);
  else
    CHECK_INT (found, ==, 0);
}

int64_t
moved_by (DatahubConsumer *consumer, int64_t instant)
{
  DatahubView view;
  use_clock (0);
  view = read_record (consumer);
  datahub_consumer_end_read (consumer, &view);
  /* the instant was read before the commit */
  CHECK_INT ((int64_t) view.commit_ns - view.instant_ns, >=, 0);
  CHECK_INT ((int64_t) view.commit_ns - view.instant_ns, <, HOUR);
  return view.instant_ns - instant;
}

void
end (DatahubConsumer *consumer, DatahubProducer *producer)
{
  use_clock (0);
  datahub_consumer_close (consumer);
  use_clock (shifts[0]);
  datahub_producer_close (producer);
}

void
check_not_silent (const DatahubConsumerInfo *info)
{
  CHECK_INT (info->silent_ns, <, 60 * CHECK_S);
  CHECK (!info->stalled);
  CHECK_INT (info->heartbeat_ns, <=, now_ns ());
  CHECK_INT (info->heartbeat_ns, >, now_ns () - 60 * CHECK_S);
}

const int64_t distances[N_DISTANCES] = { FAR, -FAR / 10, 5 * CHECK_S,
  -5 * CHECK_S };
