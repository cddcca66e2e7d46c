/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pipelines in processes of their own, which run side by side, are stopped and
 * let go on, and killed. */
#include "child.h"
#include "sandbox.h"
#include "until.h"

#include <signal.h>

#define FOREVER "block-timeout=18446744073709551615"

/* As fast as it can, and it shows what it sends. */
static Child *
busy_producer (const gchar *properties)
{
  return child_start (TEST_PICTURE " ! identity name=show ! datahubsink "
                                   "name=sink datablock=cam0 sync=false %s",
      properties);
}

GST_START_TEST (producer_first_then_two_consumers)
{
  Child *producer = child_producer ("");
  Child *live, *reliable;
  child_expect (producer, "playing");
  live = child_consumer ("");
  reliable = child_consumer ("delivery=reliable");
  child_take_buffers (live, 10);
  child_take_buffers (reliable, 10);
  child_stop (live);
  child_stop (reliable);
  child_stop (producer);
}
GST_END_TEST;

GST_START_TEST (the_end_of_the_stream_ends_everybody)
{
  Child *early = child_consumer ("");
  Child *producer = child_start ("videotestsrc num-buffers=20 ! datahubsink "
                                 "datablock=cam0 wait-for-consumers=1");
  fail_unless_equals_int (child_count_buffers (early), 20);
  fail_unless_equals_int (child_end (early), 0);
  fail_unless_equals_int (child_end (producer), 0);
}
GST_END_TEST;

GST_START_TEST (a_killed_reliable_consumer_does_not_hold_the_producer)
{
  Child *consumer = child_consumer ("delivery=reliable");
  Child *producer = busy_producer ("slots=8 wait-for-consumers=1 " FOREVER);
  child_expect (producer, "message sink consumer-added");
  child_take_buffers (consumer, 5);
  child_kill (consumer);
  child_expect_word (producer, "message sink consumer-removed",
      "reason=(string)died");
  child_take_buffers (producer, 100);
  child_stop (producer);
}
GST_END_TEST;

GST_START_TEST (a_stopped_live_consumer_does_not_slow_the_producer)
{
  Child *consumer = child_consumer ("");
  Child *producer = busy_producer ("slots=16 wait-for-consumers=1 " FOREVER);
  g_autofree gchar *line = NULL;
  child_take_buffers (consumer, 1);
  child_halt (consumer);
  child_take_buffers (producer, 2000);
  line = child_stop_and_tell (producer, "sink");
  fail_unless_equals_uint64 (child_stat (line, "waits"), 0);
  fail_unless_equals_uint64 (child_stat (line, "no-room"), 0);
  child_signal (consumer, SIGCONT);
  child_stop (consumer);
}
GST_END_TEST;

#define QUICK_PICTURE                                                          \
  "videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=64,height=48,"   \
  "framerate=100/1 ! datahubsink datablock=cam0 sync=false broker=auto"

static gboolean
is_bound (void)
{
  g_autofree gchar *path =
      g_build_filename (g_getenv ("DATAHUB_RUNTIME_DIR"), "broker.sock", NULL);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* Ends a consumer that lost nothing: the notifications that woke it. */
static guint64
notifications_of (Child *consumer)
{
  g_autofree gchar *line = child_stop_and_tell (consumer, "src");
  fail_unless_equals_uint64 (child_stat (line, "lost"), 0);
  return child_stat (line, "notifications");
}

GST_START_TEST (every_way_to_wait_follows_a_live_stream)
{
  static const gchar *const ways[] = { "adaptive", "futex",
    "poll poll-interval=1000000", "notify" };
  Child *producer = child_start (QUICK_PICTURE);
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
    Child *consumer = child_start (
        "datahubsrc name=src datablock=cam0 "
        "broker=auto delivery=reliable wake=%s ! fakesink name=show "
        "sync=false",
        ways[i]);
    child_take_buffers (consumer, 60);
    fail_unless ((notifications_of (consumer) > 0)
        == g_str_equal (ways[i], "notify"));
  }
  child_stop (producer);
}
GST_END_TEST;

/* The data does not depend on it. */
GST_START_TEST (notifications_may_end_and_come_again)
{
  Child *host =
      child_start ("datahubsrc datablock=other broker=auto ! fakesink");
  Child *producer, *consumer;
  UNTIL (is_bound ());
  producer = child_start (QUICK_PICTURE);
  consumer = child_consumer ("broker=auto delivery=reliable wake=notify");
  child_take_buffers (consumer, 60);
  child_kill (host);
  child_take_buffers (consumer, 300);
  fail_unless (notifications_of (consumer) > 0);
  child_stop (producer);
}
GST_END_TEST;

GST_START_TEST (a_stopped_reliable_consumer_is_evicted_and_comes_back)
{
  Child *consumer = child_consumer ("delivery=reliable");
  Child *producer =
      busy_producer ("slots=8 wait-for-consumers=1 block-timeout=200000000");
  g_autofree gchar *line = NULL;
  child_take_buffers (consumer, 1);
  child_halt (consumer);
  child_expect_word (producer, "message sink consumer-removed",
      "reason=(string)evicted");
  child_take_buffers (producer, 50);
  child_signal (consumer, SIGCONT);
  child_expect (producer, "message sink consumer-added");
  child_take_buffers (consumer, 10);
  line = child_stop_and_tell (consumer, "src");
  fail_unless (child_stat (line, "rejoins") >= 1);
  fail_unless (child_stat (line, "lost") > 0);
  child_stop (producer);
}
GST_END_TEST;

GST_START_TEST (a_producer_held_up_by_a_stopped_consumer_stops_at_once)
{
  Child *consumer = child_consumer ("delivery=reliable");
  Child *producer =
      child_producer ("slots=8 sync=false wait-for-consumers=1 " FOREVER);
  child_take_buffers (consumer, 1);
  child_halt (consumer);
  child_stop (producer);
  child_signal (consumer, SIGCONT);
  child_stop (consumer);
}
GST_END_TEST;

/* While the producer is stopped the consumer waits; it is not dead. */
GST_START_TEST (a_stopped_producer_is_waited_for)
{
  Child *consumer = child_consumer ("on-disconnect=error");
  Child *producer = child_producer ("");
  g_autofree gchar *line = NULL;
  child_take_buffers (consumer, 3);
  child_halt (producer);
  until_beats ("cam0", 4); /* it has looked, each time it slept in vain */
  child_signal (producer, SIGCONT);
  child_take_buffers (consumer, 30);
  line = child_stop_and_tell (consumer, "src");
  fail_unless_equals_uint64 (child_stat (line, "producers"), 1);
  child_stop (producer);
}
GST_END_TEST;

GST_START_TEST (a_second_live_producer_is_refused_and_disturbs_nobody)
{
  Child *producer = child_producer ("");
  Child *consumer, *other;
  g_autofree gchar *line = NULL;
  child_expect (producer, "playing");
  consumer = child_consumer ("");
  child_take_buffers (consumer, 3);
  other = child_producer ("");
  child_expect_word (other, "error", "\"cam0\"");
  fail_unless_equals_int (child_end (other), 1);
  child_take_buffers (consumer, 30);
  line = child_stop_and_tell (consumer, "src");
  fail_unless_equals_uint64 (child_stat (line, "lost"), 0);
  fail_unless_equals_uint64 (child_stat (line, "producers"), 1);
  child_stop (producer);
}
GST_END_TEST;

/* Sound and picture of one pipeline, through two blocks. */
GST_START_TEST (a_live_pair_arrives_whole)
{
  Child *consumer =
      child_start ("datahubsrc datablock=v ! fakesink name=show-v sync=false "
                   "datahubsrc datablock=a ! fakesink name=show-a sync=false");
  Child *producer = child_start (
      "videotestsrc is-live=true num-buffers=30 ! datahubsink datablock=v "
      "wait-for-consumers=1 "
      "audiotestsrc is-live=true num-buffers=50 ! datahubsink datablock=a "
      "wait-for-consumers=1");
  guint pictures = 0, sounds = 0;
  gchar *line;
  while ((line = child_next (consumer, "buffer "))) {
    pictures += g_str_has_prefix (line, "buffer show-v");
    sounds += g_str_has_prefix (line, "buffer show-a");
    g_free (line);
  }
  fail_unless_equals_int (pictures, 30);
  fail_unless_equals_int (sounds, 50);
  fail_unless_equals_int (child_end (consumer), 0);
  fail_unless_equals_int (child_end (producer), 0);
}
GST_END_TEST;

/* A branch of the producer draws into its frames after they were shared. */
GST_START_TEST (what_the_producer_draws_later_is_not_seen)
{
  Child *consumer = child_consumer ("delivery=reliable start-at=oldest");
  Child *producer = child_start (
      "videotestsrc pattern=red num-buffers=60 ! "
      "video/x-raw,format=RGB,width=64,height=64 ! tee name=t "
      "t. ! queue ! identity name=show ! datahubsink datablock=cam0 sync=false "
      "wait-for-consumers=1 "
      "t. ! queue ! identity sleep-time=2000 ! "
      "videobalance hue=0.5 contrast=0.2 ! fakesink sync=false");
  g_autofree gchar *red = NULL;
  for (guint i = 0; i < 60; i++) {
    g_autofree gchar *line = child_next (consumer, "buffer show");
    g_autofree gchar *sum = NULL;
    fail_unless (line != NULL);
    sum = child_sum (line);
    if (!red)
      red = g_strdup (sum);
    fail_unless_equals_string (sum, red);
  }
  fail_unless_equals_int (child_end (producer), 0);
  fail_unless_equals_int (child_end (consumer), 0);
}
GST_END_TEST;

GST_START_TEST (consumers_die_and_come_by_the_dozen)
{
  Child *producer = child_producer ("max-consumers=4");
  g_autofree gchar *line = NULL;
  child_expect (producer, "playing");
  for (guint i = 0; i < 12; i++) {
    Child *consumer =
        child_consumer (i % 2 ? "delivery=reliable" : "delivery=live");
    child_take_buffers (consumer, 1);
    child_signal (consumer, i % 3 ? SIGKILL : SIGINT);
    child_end (consumer);
  }
  line = child_stop_and_tell (producer, "sink");
  fail_unless_equals_uint64 (child_stat (line, "evictions"), 0);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, producer_first_then_two_consumers);
  tcase_add_test (tc, the_end_of_the_stream_ends_everybody);
  tcase_add_test (tc, a_killed_reliable_consumer_does_not_hold_the_producer);
  tcase_add_test (tc, a_stopped_live_consumer_does_not_slow_the_producer);
  tcase_add_test (tc, every_way_to_wait_follows_a_live_stream);
  tcase_add_test (tc, notifications_may_end_and_come_again);
  tcase_add_test (tc, a_stopped_reliable_consumer_is_evicted_and_comes_back);
  tcase_add_test (tc, a_producer_held_up_by_a_stopped_consumer_stops_at_once);
  tcase_add_test (tc, a_stopped_producer_is_waited_for);
  tcase_add_test (tc, a_second_live_producer_is_refused_and_disturbs_nobody);
  tcase_add_test (tc, a_live_pair_arrives_whole);
  tcase_add_test (tc, what_the_producer_draws_later_is_not_seen);
  tcase_add_test (tc, consumers_die_and_come_by_the_dozen);
}

SANDBOX_MAIN (processes)
