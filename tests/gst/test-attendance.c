/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Coming and going in any order: who waits for whom, how long, and who is told. */
#include "child.h"
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"

GST_START_TEST (the_consumer_may_be_first)
{
  GstHarness *src = harness_src ("start-at=oldest"), *sink;
  sink = number_sink ("wait-for-consumers=1");
  push_number (sink, 5);
  fail_unless_equals_int (take_number (src, NULL), 5);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (consumers_carry_on_with_the_next_producer)
{
  GstHarness *src = harness_src ("start-at=oldest");
  gboolean discont;
  for (guint32 round = 0; round < 5; round++) {
    GstHarness *sink = number_sink ("wait-for-consumers=1");
    push_number (sink, 2 * round);
    fail_unless_equals_int (take_number (src, &discont), 2 * round);
    fail_unless (discont);
    push_number (sink, 2 * round + 1);
    fail_unless_equals_int (take_number (src, &discont), 2 * round + 1);
    fail_if (discont);
    gst_harness_teardown (sink);
  }
  fail_unless_equals_uint64 (element_stat (src->element, "producers"), 5);
  fail_unless_equals_uint64 (element_stat (src->element, "received"), 10);
  gst_harness_teardown (src);
}
GST_END_TEST;

static void
lose_producer (GstHarness *src)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1");
  push_number (sink, 1);
  fail_unless_equals_int (take_number (src, NULL), 1);
  gst_harness_teardown (sink);
}

GST_START_TEST (a_lost_producer_is_the_end_if_asked)
{
  GstHarness *src = harness_src ("start-at=oldest on-disconnect=eos");
  GstEvent *event;
  lose_producer (src);
  while ((event = gst_harness_pull_event (src))
      && GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    gst_event_unref (event);
  fail_unless (event != NULL);
  gst_event_unref (event);
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (a_lost_producer_is_an_error_if_asked)
{
  GstHarness *src = harness_src_heard ("start-at=oldest on-disconnect=error");
  lose_producer (src);
  expect_error (src->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ,
      "\"test\"");
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (the_wait_for_a_producer_ends_at_its_timeout)
{
  GstHarness *src = harness_src_heard ("timeout=20000000");
  expect_error (src->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
      "\"test\"");
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (the_timeout_holds_after_a_loss_too)
{
  GstHarness *src = harness_src_heard ("start-at=oldest timeout=500000000");
  lose_producer (src);
  expect_error (src->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
      "\"test\"");
  gst_harness_teardown (src);
}
GST_END_TEST;

typedef struct
{
  GMutex lock;
  GCond changed;
  guint added, removed;
  gchar *name, *reason;
  guint64 id;
} Seen;

static void
on_added (GstElement *sink, guint64 id, const gchar *name, gpointer user_data)
{
  Seen *seen = user_data;
  g_mutex_lock (&seen->lock);
  seen->added++;
  seen->id = id;
  seen->name = g_strdup (name);
  g_cond_signal (&seen->changed);
  g_mutex_unlock (&seen->lock);
}

static void
on_removed (GstElement *sink, guint64 id, const gchar *reason,
    gpointer user_data)
{
  Seen *seen = user_data;
  g_mutex_lock (&seen->lock);
  seen->removed++;
  fail_unless (id == seen->id);
  seen->reason = g_strdup (reason);
  g_cond_signal (&seen->changed);
  g_mutex_unlock (&seen->lock);
}

static void
wait_seen (Seen *seen, const guint *counter)
{
  g_mutex_lock (&seen->lock);
  while (*counter == 0)
    g_cond_wait (&seen->changed, &seen->lock);
  g_mutex_unlock (&seen->lock);
}

GST_START_TEST (the_producer_is_told_who_comes_and_goes)
{
  GstHarness *sink = number_sink (""), *src;
  Seen seen = { 0 };
  guint n;
  g_signal_connect (sink->element, "consumer-added", G_CALLBACK (on_added),
      &seen);
  g_signal_connect (sink->element, "consumer-removed", G_CALLBACK (on_removed),
      &seen);
  push_number (sink, 1);
  src = harness_src ("consumer-name=somebody");
  wait_seen (&seen, &seen.added);
  fail_unless_equals_string (seen.name, "somebody");
  g_object_get (sink->element, "num-consumers", &n, NULL);
  fail_unless_equals_int (n, 1);
  gst_harness_teardown (src);
  wait_seen (&seen, &seen.removed);
  fail_unless_equals_string (seen.reason, "left");
  g_object_get (sink->element, "num-consumers", &n, NULL);
  fail_unless_equals_int (n, 0);
  gst_harness_teardown (sink);
  g_free (seen.name);
  g_free (seen.reason);
}
GST_END_TEST;

/* The next consumer takes the row of a killed one before the producer looks. */
GST_START_TEST (a_killed_consumer_died_though_its_place_is_taken)
{
  GstHarness *sink = number_sink ("max-consumers=1"), *src;
  Child *consumer;
  Seen seen = { 0 };
  g_signal_connect (sink->element, "consumer-added", G_CALLBACK (on_added),
      &seen);
  g_signal_connect (sink->element, "consumer-removed", G_CALLBACK (on_removed),
      &seen);
  push_number (sink, 1);
  consumer = child_start ("datahubsrc datablock=test ! fakesink");
  wait_seen (&seen, &seen.added);
  g_clear_pointer (&seen.name, g_free);
  child_kill (consumer);
  src = harness_src ("");
  wait_seen (&seen, &seen.removed);
  fail_unless_equals_string (seen.reason, "died");
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, the_consumer_may_be_first);
  tcase_add_test (tc, consumers_carry_on_with_the_next_producer);
  tcase_add_test (tc, a_lost_producer_is_the_end_if_asked);
  tcase_add_test (tc, a_lost_producer_is_an_error_if_asked);
  tcase_add_test (tc, the_wait_for_a_producer_ends_at_its_timeout);
  tcase_add_test (tc, the_timeout_holds_after_a_loss_too);
  tcase_add_test (tc, the_producer_is_told_who_comes_and_goes);
  tcase_add_test (tc, a_killed_consumer_died_though_its_place_is_taken);
}

SANDBOX_MAIN (attendance)
