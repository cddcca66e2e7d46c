/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producers that are killed and come back, under consumers in other processes. */
#include "child.h"
#include "sandbox.h"

#include <signal.h>

/* Stops a consumer called src: how often it attached, and to how many producers
 * it listened. */
static void
expect_stats (Child *consumer, guint64 attachments, guint64 producers)
{
  g_autofree gchar *line = child_stop_and_tell (consumer, "src");
  fail_unless_equals_uint64 (child_stat (line, "attachments"), attachments);
  fail_unless_equals_uint64 (child_stat (line, "producers"), producers);
}

static gboolean
is_discont (const gchar *line)
{
  return (child_flags (line) & GST_BUFFER_FLAG_DISCONT) != 0;
}

static void
take_until_discont (Child *child)
{
  gboolean discont = FALSE;
  while (!discont) {
    g_autofree gchar *line = child_next (child, "buffer show");
    fail_unless (line != NULL);
    discont = is_discont (line);
  }
}

/* A camera is killed and comes back, and again. */
GST_START_TEST (a_killed_producer_is_replaced_without_touching_the_consumer)
{
  Child *consumer = child_consumer ("");
  for (guint round = 0; round < 5; round++) {
    Child *producer = child_producer ("");
    take_until_discont (consumer);
    child_take_buffers (consumer, 3);
    child_kill (producer);
  }
  expect_stats (consumer, 1, 5);
}
GST_END_TEST;

/* Pictures in which each one differs, so that none can be taken for another. */
#define COUNTED                                                                \
  "videotestsrc pattern=ball is-live=true ! "                                  \
  "video/x-raw,width=64,height=64,framerate=100/1 ! "                          \
  "identity name=show ! datahubsink name=sink datablock=cam0 sync=false"

/* Adds sums of pictures that came until @n have come, or, with @n 0, until one
 * comes with DISCONT, which is returned. */
static gchar *
collect (Child *child, GPtrArray *sums, guint n)
{
  for (;;) {
    g_autofree gchar *line = child_next (child, "buffer show");
    fail_unless (line != NULL);
    if (n == 0 && is_discont (line))
      return child_sum (line);
    g_ptr_array_add (sums, child_sum (line));
    if (sums->len == n)
      return NULL;
  }
}

/* What was shown to the sink of a producer that was killed. */
static GPtrArray *
all_sums (Child *producer)
{
  GPtrArray *sums = g_ptr_array_new_with_free_func (g_free);
  gchar *line;
  while ((line = child_next (producer, "buffer show"))) {
    g_ptr_array_add (sums, child_sum (line));
    g_free (line);
  }
  return sums;
}

/* All of it came, but the last one perhaps, which may not have been committed.
 */
static void
check_all_came (GPtrArray *sent, GPtrArray *got)
{
  fail_unless (got->len == sent->len || got->len + 1 == sent->len,
      "%u of %u came", got->len, sent->len);
  for (guint i = 0; i < got->len; i++)
    fail_unless_equals_string (g_ptr_array_index (got, i),
        g_ptr_array_index (sent, i));
}

GST_START_TEST (a_reliable_consumer_gets_all_of_a_killed_producer_and_the_next)
{
  Child *consumer = child_consumer ("delivery=reliable start-at=oldest");
  g_autoptr (GPtrArray) got = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) sent = NULL;
  for (guint round = 0; round < 4; round++) {
    Child *producer = child_start (COUNTED " wait-for-consumers=1");
    gchar *newest = collect (consumer, got, 0);
    if (sent)
      check_all_came (sent, got);
    g_clear_pointer (&sent, g_ptr_array_unref);
    g_ptr_array_set_size (got, 0);
    g_ptr_array_add (got, newest);
    collect (consumer, got, 20);
    child_signal (producer, SIGKILL);
    sent = all_sums (producer);
    fail_unless_equals_int (child_end (producer), -SIGKILL);
  }
  expect_stats (consumer, 1, 4);
}
GST_END_TEST;

/* Another size, other caps: still the same block. */
GST_START_TEST (a_successor_with_other_caps_is_followed)
{
  Child *consumer = child_consumer ("");
  Child *producer = child_producer ("");
  gchar *line;
  child_take_buffers (consumer, 3);
  child_kill (producer);
  producer = child_start (
      "videotestsrc ! video/x-raw,format=RGBx,width=320,height=240 ! "
      "datahubsink name=sink datablock=cam0");
  child_expect (consumer, "event show stream-start");
  child_expect (consumer, "event show caps");
  child_expect (consumer, "event show segment");
  line = child_next (consumer, "buffer show");
  fail_unless (line && is_discont (line) && strstr (line, " 307200 "), "%s",
      line);
  g_free (line);
  line = child_stop_and_tell (producer, "sink");
  fail_unless (strstr (line, "adopted=(boolean)true"), "%s", line);
  fail_unless_equals_uint64 (child_stat (line, "growths"), 1);
  g_free (line);
  expect_stats (consumer, 1, 2);
}
GST_END_TEST;

/* One that asks for another ring gets a block of its own, and is followed too. */
GST_START_TEST (a_successor_with_another_ring_is_followed)
{
  Child *consumer = child_consumer ("");
  Child *producer = child_producer ("slots=8");
  child_take_buffers (consumer, 3);
  child_kill (producer);
  producer = child_producer ("slots=9");
  take_until_discont (consumer);
  child_take_buffers (consumer, 3);
  child_stop (producer);
  expect_stats (consumer, 2, 2);
}
GST_END_TEST;

/* The successor's timestamps begin at 0 again; on the consumer's clock time goes
 * on. */
GST_START_TEST (time_goes_on_with_a_successor)
{
  Child *consumer = child_consumer ("timestamps=clock");
  gint64 before = -1;
  for (guint round = 0; round < 3; round++) {
    Child *producer = child_start (COUNTED);
    gchar *line = NULL;
    gboolean another = FALSE;
    for (guint n = 0; n < 10; n += another) {
      gint64 pts;
      line = child_next (consumer, "buffer show");
      fail_unless (line != NULL);
      pts = child_pts (line);
      another |= is_discont (line);
      fail_unless (pts > before, "%s: not after %" G_GINT64_FORMAT, line,
          before);
      fail_unless (before < 0 || pts < before + 20 * (gint64) GST_SECOND, "%s",
          line);
      before = pts;
      g_free (line);
    }
    child_kill (producer);
  }
  expect_stats (consumer, 1, 3);
}
GST_END_TEST;

GST_START_TEST (the_wait_for_a_successor_ends_at_its_timeout)
{
  Child *consumer = child_consumer ("timeout=1000000000");
  Child *producer = child_producer ("");
  child_take_buffers (consumer, 3);
  child_kill (producer);
  child_expect_word (consumer, "error", "within 1 s");
  fail_unless_equals_int (child_end (consumer), 1);
}
GST_END_TEST;

/* In PAUSED it has committed nothing, but it is there. */
GST_START_TEST (a_silent_successor_is_waited_for)
{
  Child *consumer = child_consumer ("timeout=2000000000");
  Child *producer = child_producer ("");
  Child *impatient, *other;
  child_take_buffers (consumer, 3);
  child_kill (producer);
  producer = child_producer ("wait-for-consumers=2");
  child_expect (producer, "message sink consumer-added");
  /* who began to wait later, and as long, has given up */
  impatient =
      child_start ("datahubsrc datablock=nobody timeout=2000000000 ! fakesink");
  child_expect_word (impatient, "error", "within 2 s");
  fail_unless_equals_int (child_end (impatient), 1);
  other = child_consumer ("");
  child_take_buffers (consumer, 10);
  child_stop (other);
  child_stop (producer);
  expect_stats (consumer, 1, 2);
}
GST_END_TEST;

GST_START_TEST (a_consumer_that_waits_for_a_successor_stops_at_once)
{
  Child *consumer = child_consumer ("delivery=reliable");
  Child *producer = child_producer ("");
  child_take_buffers (consumer, 3);
  child_kill (producer);
  child_expect (consumer, "log src waiting for a producer");
  child_stop (consumer);
}
GST_END_TEST;

GST_START_TEST (who_does_not_want_to_wait_ends_with_the_producer)
{
  Child *consumer = child_consumer ("on-disconnect=eos");
  Child *producer = child_producer ("");
  child_take_buffers (consumer, 3);
  child_kill (producer);
  child_expect (consumer, "eos");
  fail_unless_equals_int (child_end (consumer), 0);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc,
      a_killed_producer_is_replaced_without_touching_the_consumer);
  tcase_add_test (tc,
      a_reliable_consumer_gets_all_of_a_killed_producer_and_the_next);
  tcase_add_test (tc, a_successor_with_other_caps_is_followed);
  tcase_add_test (tc, a_successor_with_another_ring_is_followed);
  tcase_add_test (tc, time_goes_on_with_a_successor);
  tcase_add_test (tc, the_wait_for_a_successor_ends_at_its_timeout);
  tcase_add_test (tc, a_silent_successor_is_waited_for);
  tcase_add_test (tc, a_consumer_that_waits_for_a_successor_stops_at_once);
  tcase_add_test (tc, who_does_not_want_to_wait_ends_with_the_producer);
}

SANDBOX_MAIN (successors)
