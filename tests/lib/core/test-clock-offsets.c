/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is concluded from two readings of clocks, and what becomes of a time. */
#include "fixture.h"

#include "core/block/clock-private.h"

#define HOUR (3600 * CHECK_S)

/* Of a producer: its pair and the boot. Now is 1000 h in both clocks. */
static const struct
{
  const char *what;
  int64_t monotonic, realtime;
  uint8_t boot;
  DatahubClockState state;
  int64_t offset;
} readings[] = {
  { "the same clocks", 1000 * HOUR, 1000 * HOUR, 1, DATAHUB_CLOCK_SAME, 0 },
  { "a pair of long ago", 10 * HOUR, 10 * HOUR, 1, DATAHUB_CLOCK_SAME, 0 },
  { "noise", 1000 * HOUR, 1000 * HOUR + 90 * CHECK_MS, 1, DATAHUB_CLOCK_SAME,
      0 },
  { "noise", 1000 * HOUR, 1000 * HOUR - 90 * CHECK_MS, 1, DATAHUB_CLOCK_SAME,
      0 },
  { "noise of long ago", 10 * HOUR, 10 * HOUR + 90 * CHECK_MS, 1,
      DATAHUB_CLOCK_SAME, 0 },
  { "noise of both", 1000 * HOUR + 50 * CHECK_MS, 1000 * HOUR + 50 * CHECK_MS,
      1, DATAHUB_CLOCK_SAME, 0 },
  { "noise of one", 1000 * HOUR + 50 * CHECK_MS, 1000 * HOUR, 1,
      DATAHUB_CLOCK_SAME, 0 },
  { "ahead", 1028 * HOUR, 1000 * HOUR, 1, DATAHUB_CLOCK_MAPPED, -28 * HOUR },
  { "ahead, idle for an hour", 1027 * HOUR, 999 * HOUR, 1, DATAHUB_CLOCK_MAPPED,
      -28 * HOUR },
  { "behind", 972 * HOUR, 1000 * HOUR, 1, DATAHUB_CLOCK_MAPPED, 28 * HOUR },
  { "behind, read a little later", 972 * HOUR + 50 * CHECK_MS,
      1000 * HOUR + 50 * CHECK_MS, 1, DATAHUB_CLOCK_MAPPED, 28 * HOUR },
  { "as far ahead as can be", (INT64_C (1) << 60) + 1000 * HOUR, 1000 * HOUR, 1,
      DATAHUB_CLOCK_MAPPED, -(INT64_C (1) << 60) },
  { "behind by little", 1000 * HOUR - 200 * CHECK_MS, 1000 * HOUR, 1,
      DATAHUB_CLOCK_MAPPED, 200 * CHECK_MS },
  { "another boot, ahead", 1028 * HOUR, 1000 * HOUR, 2,
      DATAHUB_CLOCK_OTHER_BOOT, 0 },
  { "another boot, behind", 972 * HOUR, 1000 * HOUR, 2,
      DATAHUB_CLOCK_OTHER_BOOT, 0 },
  { "another boot with these clocks", 1000 * HOUR, 1000 * HOUR, 2,
      DATAHUB_CLOCK_SAME, 0 },
  { "a boot that is not known", 1028 * HOUR, 1000 * HOUR, 0,
      DATAHUB_CLOCK_MAPPED, -28 * HOUR },
  /* CLOCK_REALTIME was set since, or the machine was suspended */
  { "set forward by an hour", 999 * HOUR, 998 * HOUR, 1, DATAHUB_CLOCK_SAME,
      0 },
  { "set forward by 50 years", 999 * HOUR, 0 * HOUR + 1, 1, DATAHUB_CLOCK_SAME,
      0 },
  { "set back by an hour", 1000 * HOUR - CHECK_S, 1001 * HOUR - CHECK_S, 1,
      DATAHUB_CLOCK_SAME, 0 },
  /* what no kernel gives */
  { "ahead, of no namespace", 1028 * HOUR, 1028 * HOUR, 1,
      DATAHUB_CLOCK_IMPLAUSIBLE, 0 },
  { "ahead, of the future", 1028 * HOUR, 1010 * HOUR, 1,
      DATAHUB_CLOCK_IMPLAUSIBLE, 0 },
  { "too far ahead", (INT64_C (1) << 60) + 1000 * HOUR + 1, 1000 * HOUR, 1,
      DATAHUB_CLOCK_IMPLAUSIBLE, 0 },
  { "no monotonic time", INT64_MIN, 1000 * HOUR, 1, DATAHUB_CLOCK_IMPLAUSIBLE,
      0 },
  { "no monotonic time", INT64_MAX, 1000 * HOUR, 1, DATAHUB_CLOCK_IMPLAUSIBLE,
      0 },
  { "no real time", 1000 * HOUR, -1, 1, DATAHUB_CLOCK_IMPLAUSIBLE, 0 },
  { "no real time", 1000 * HOUR, INT64_C (1) << 62, 1,
      DATAHUB_CLOCK_IMPLAUSIBLE, 0 },
  { "a real time of 2115", 1000 * HOUR, (INT64_C (1) << 62) - 1, 1,
      DATAHUB_CLOCK_SAME, 0 },
};

static ClockReading
reading_of (int64_t monotonic, int64_t realtime, uint8_t boot)
{
  ClockReading reading = { .monotonic_ns = (uint64_t) monotonic,
    .realtime_ns = (uint64_t) realtime };
  memset (reading.boot_id, boot, sizeof reading.boot_id);
  return reading;
}

static void
conclusions (void)
{
  ClockReading own = reading_of (1000 * HOUR, 1000 * HOUR, 1);
  for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++) {
    ClockReading pair = reading_of (readings[i].monotonic, readings[i].realtime,
        readings[i].boot);
    ClockOffset found = clock_compare (&pair, 0, &own);
    if (found.state != readings[i].state
        || found.offset_ns != readings[i].offset)
      check_fail (__FILE__, __LINE__, "%s: state %d, offset %lld",
          readings[i].what, (int) found.state, (long long) found.offset_ns);
  }
}

/* A namespace in which the clock is 73 years. */
static void
far_behind (void)
{
  const int64_t most = INT64_C (1) << 60;
  ClockReading own = reading_of (2 * most, 2 * most, 1);
  ClockReading pair = reading_of (most, 2 * most, 1);
  CHECK_INT (clock_compare (&pair, 0, &own).offset_ns, ==, most);
  pair.monotonic_ns--;
  CHECK_INT (clock_compare (&pair, 0, &own).state, ==, DATAHUB_CLOCK_SAME);
}

/* ---- a pair after another ---- */

/* What is known after a pair that shows @offset, and how @step changed the own
 * difference since. */
static ClockOffset
follow (const ClockOffset *known, int64_t offset, int64_t step)
{
  ClockReading own = reading_of (1000 * HOUR, 1000 * HOUR, 1);
  ClockReading pair = reading_of (1000 * HOUR - offset, 1000 * HOUR, 1);
  ClockOffset after = *known, found = clock_compare (&pair, 0, &own);
  found.own_difference = known->own_difference + step;
  clock_follow (&after, &found);
  CHECK_INT (after.own_difference, ==, found.own_difference);
  return after;
}

static void
new_pairs (void)
{
  ClockOffset same = { 0 }, known = follow (&same, -HOUR, 0), after;
  ClockOffset odd = { .state = DATAHUB_CLOCK_IMPLAUSIBLE };
  CHECK_INT (known.state, ==, DATAHUB_CLOCK_MAPPED);
  CHECK_INT (known.offset_ns, ==, -HOUR);
  /* no step: it is what the new pair shows */
  CHECK_INT (follow (&known, 2 * HOUR, 0).offset_ns, ==, 2 * HOUR);
  CHECK_INT (follow (&known, 0, 0).state, ==, DATAHUB_CLOCK_SAME);
  CHECK_INT (follow (&odd, 0, 0).state, ==, DATAHUB_CLOCK_SAME);
  CHECK_INT (follow (&odd, -HOUR, 0).offset_ns, ==, -HOUR);
  /* noise is no news */
  CHECK_INT (follow (&known, -HOUR + 90 * CHECK_MS, 0).offset_ns, ==, -HOUR);
  CHECK_INT (follow (&known, -HOUR - 90 * CHECK_MS, 0).offset_ns, ==, -HOUR);
  /* a step, which is over with the next pair */
  after = follow (&known, 2 * HOUR, HOUR);
  CHECK_INT (after.offset_ns, ==, -HOUR);
  CHECK_INT (follow (&after, 2 * HOUR, 0).offset_ns, ==, 2 * HOUR);
  CHECK_INT (follow (&same, 2 * HOUR, -HOUR).state, ==, DATAHUB_CLOCK_SAME);
  CHECK_INT (follow (&odd, 0, HOUR).state, ==, DATAHUB_CLOCK_IMPLAUSIBLE);
}

/* All that is left is the heartbeat. */
static void
without_a_pair (void)
{
  ClockReading own = reading_of (1000 * HOUR, 1000 * HOUR, 1);
  uint64_t now = own.monotonic_ns;
  CHECK_INT (clock_compare (NULL, now, &own).state, ==, DATAHUB_CLOCK_SAME);
  CHECK_INT (clock_compare (NULL, 0, &own).state, ==, DATAHUB_CLOCK_SAME);
  CHECK_INT (clock_compare (NULL, now + HOUR, &own).state, ==,
      DATAHUB_CLOCK_UNKNOWN);
  CHECK_INT (clock_compare (NULL, UINT64_MAX, &own).state, ==,
      DATAHUB_CLOCK_UNKNOWN);
}

/* Times that are none are left alone, at any offset that is accepted. */
static void
mapped_times (void)
{
  const int64_t most = INT64_C (1) << 60;
  CHECK_INT (clock_to_own (5, 3), ==, 8);
  CHECK_INT (clock_to_own (-5, -3), ==, -8);
  CHECK_INT (clock_to_own (INT64_MIN, most), ==, INT64_MIN);
  CHECK_INT (clock_to_own (INT64_MAX, most), ==, INT64_MAX);
  CHECK_INT (clock_to_own (CLOCK_TIME_MAX - 1, most), ==,
      CLOCK_TIME_MAX - 1 + most);
  CHECK_INT (clock_word_to_own (5, 3), ==, 8);
  CHECK_INT (clock_word_to_own (5, -30), ==, 1);
  CHECK_INT (clock_word_to_own (0, 3), ==, 0);
  CHECK_INT (clock_word_to_own (UINT64_MAX, 3), ==, UINT64_MAX);
}

static const CheckTest tests[] = {
  { "what two readings of the clocks show", conclusions },
  { "36 years are the most", far_behind },
  { "what a new pair changes", new_pairs },
  { "without a pair a heartbeat shows a clock that is ahead", without_a_pair },
  { "times that are none are left alone", mapped_times },
};
CHECK_MAIN (tests)
