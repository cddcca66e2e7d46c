/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a source answers about latency, by the ages of buffers at their commit. */
#include "gstdatahublatency.h"
#include "suite.h"

#define FRAME ((gint64) (20 * GST_MSECOND))
#define MS ((gint64) GST_MSECOND)

/* Commits @n frames from @at on; returns the number of answers. */
static guint
run (GstDatahubLatency *latency, gint64 *at, guint n, gint64 age, gint64 jitter)
{
  guint changes = 0;
  for (guint i = 0; i < n; i++, *at += FRAME)
    changes += gst_datahub_latency_measure (latency, *at,
        age + (i % 7 == 3 ? jitter : 0));
  return changes;
}

GST_START_TEST (the_first_buffer_is_an_answer)
{
  GstDatahubLatency latency = { 0 };
  gint64 at = 100 * MS;
  fail_if (gst_datahub_latency_begin (&latency));
  fail_unless_equals_int (run (&latency, &at, 1, 3 * MS, 0), 1);
  fail_unless_equals_uint64 (latency.min, 5 * GST_MSECOND);
  fail_unless (gst_datahub_latency_begin (&latency));
  fail_unless_equals_uint64 (latency.min, 0);
}
GST_END_TEST;

/* An encoder that fills its queue: from 3 to 243 ms in steps of 5 ms. */
GST_START_TEST (a_ramp_is_no_storm)
{
  GstDatahubLatency latency = { 0 };
  gint64 at = 0;
  guint changes = 0;
  gst_datahub_latency_begin (&latency);
  for (gint64 age = 3 * MS; age < 248 * MS; age += 5 * MS)
    changes += run (&latency, &at, 1, age, 0);
  changes += run (&latency, &at, 1000, 243 * MS, 5 * MS);
  fail_unless (changes <= 7, "%u answers", changes);
  fail_unless (latency.min >= 248 * GST_MSECOND);
  fail_unless (latency.min <= 290 * GST_MSECOND);
}
GST_END_TEST;

/* Every picture but those of the first two seconds is younger than the answer. */
GST_START_TEST (jitter_is_covered)
{
  GstDatahubLatency latency = { 0 };
  gint64 at = 0;
  gst_datahub_latency_begin (&latency);
  run (&latency, &at, 100, 10 * MS, 23 * MS);
  fail_unless (latency.min >= 33 * GST_MSECOND);
  fail_unless_equals_int (run (&latency, &at, 2000, 10 * MS, 23 * MS), 0);
}
GST_END_TEST;

/* The producer stood still for 5 s once, then caught up: the viewers need not be late
 * from then on. */
GST_START_TEST (a_single_hold_up_changes_nothing)
{
  GstDatahubLatency latency = { 0 };
  gint64 at = 0;
  gst_datahub_latency_begin (&latency);
  run (&latency, &at, 500, 10 * MS, 0);
  at += 5000 * MS;
  for (gint64 age = 5000 * MS; age > 0; age -= FRAME, at += MS / 10)
    fail_if (gst_datahub_latency_measure (&latency, at, age));
  fail_unless_equals_int (run (&latency, &at, 1000, 10 * MS, 0), 0);
  fail_unless_equals_uint64 (latency.min, 15 * GST_MSECOND);
}
GST_END_TEST;

GST_START_TEST (it_follows_for_good_what_changed_for_good)
{
  GstDatahubLatency latency = { 0 };
  gint64 at = 0;
  gst_datahub_latency_begin (&latency);
  run (&latency, &at, 500, 10 * MS, 0);
  fail_unless_equals_int (run (&latency, &at, 150, 200 * MS, 0), 1);
  fail_unless (latency.min > 200 * GST_MSECOND);
  fail_unless_equals_int (run (&latency, &at, 1000, 10 * MS, 0), 1);
  fail_unless_equals_uint64 (latency.min, 15 * GST_MSECOND);
}
GST_END_TEST;

/* Another process wrote them. */
GST_START_TEST (impossible_times_do_no_harm)
{
  GstDatahubLatency latency = { 0 };
  const gint64 times[] = { 0, G_GINT64_CONSTANT (1) << 59, 5, 0 };
  gst_datahub_latency_begin (&latency);
  for (guint i = 0; i < 1000; i++)
    gst_datahub_latency_measure (&latency, times[i % 4], 10000 * MS);
  fail_unless (latency.min <= 12 * GST_SECOND);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, the_first_buffer_is_an_answer);
  tcase_add_test (tc, a_ramp_is_no_storm);
  tcase_add_test (tc, jitter_is_covered);
  tcase_add_test (tc, a_single_hold_up_changes_nothing);
  tcase_add_test (tc, it_follows_for_good_what_changed_for_good);
  tcase_add_test (tc, impossible_times_do_no_harm);
}

SUITE_MAIN (latency_meter)
