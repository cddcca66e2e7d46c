/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The times of a producer in another time namespace. The offset is found before the row
 * is taken, and again when the producer took a new pair of its clocks, which is before it
 * publishes records that are more than a second younger than the pair before. So it is
 * known for each record that is read. A producer that adopts the block may have another
 * namespace; what the former one committed keeps the former offset.
 *
 * Without telemetry the block has no pairs: it is only seen once, at the attach, whether
 * the producer's clock is ahead.
 * Tests: core-clocks, core-clock-changes */
#include "core/block/clock-private.h"
#include "consumer-private.h"

static const shared_u64 no_turn;

static void
show_clock (ConsumerClock *clock)
{
  clock->maps = clock->now.offset_ns != 0 || clock->former_offset_ns != 0;
  store_relaxed (&clock->offset_ns, (uint64_t) clock->now.offset_ns);
  store_relaxed (&clock->state, (uint32_t) clock->now.state);
}

/* The block was just opened. */
void
consumer_begin_clock (DatahubConsumer *consumer)
{
  ConsumerClock *clock = &consumer->clock;
  const BlockHeader *header = consumer->block.header;
  bool has = (consumer->block.g.features & FEATURE_TELEMETRY) != 0;
  clock->turn = has ? &header->clock_turn : &no_turn;
  clock->seen_turn = load_acquire (clock->turn);
  clock->now = clock_find (&consumer->block);
  clock->incarnation = load_seq (&header->incarnation);
  show_clock (clock);
}

/* The producer took a new pair, or there is another producer. Such a one stores its
 * first pair behind its incarnation, which is loaded behind the pair here: it is that
 * of the pair, or a later one, and then another new pair follows. */
void
consumer_follow_clock (DatahubConsumer *consumer)
{
  ConsumerClock *clock = &consumer->clock;
  uint64_t incarnation;
  ClockOffset found;
  clock->seen_turn = load_acquire (clock->turn);
  found = clock_find (&consumer->block);
  incarnation = load_seq (&consumer->block.header->incarnation);
  if (incarnation == clock->incarnation)
    clock_follow (&clock->now, &found);
  else {
    clock->former_incarnation = clock->incarnation;
    clock->former_offset_ns = clock->now.offset_ns;
    clock->incarnation = incarnation;
    clock->now = found;
  }
  show_clock (clock);
}

/* Makes the times of a record those of this process. Only called if one of the
 * offsets is not 0. */
void
consumer_map_times (const DatahubConsumer *consumer, DatahubView *view)
{
  const ConsumerClock *clock = &consumer->clock;
  int64_t offset = view->incarnation == clock->former_incarnation
      ? clock->former_offset_ns
      : clock->now.offset_ns;
  view->instant_ns = clock_to_own (view->instant_ns, offset);
  view->commit_ns = clock_word_to_own (view->commit_ns, offset);
}

DatahubClockState
datahub_consumer_get_clock (DatahubConsumer *consumer, int64_t *offset_ns)
{
  const ConsumerClock *clock = &consumer->clock;
  uint32_t state = load_relaxed (&clock->state);
  *offset_ns = (int64_t) load_relaxed (&clock->offset_ns);
  if (*offset_ns != 0)
    return DATAHUB_CLOCK_MAPPED;
  /* the reading thread is between its two stores */
  return state == DATAHUB_CLOCK_MAPPED ? DATAHUB_CLOCK_SAME
                                       : (DatahubClockState) state;
}
