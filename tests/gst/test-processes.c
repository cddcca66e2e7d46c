/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pipelines in processes of their own, which are killed and stopped. */
#include "place.h"

#include <signal.h>

#define TEST_PICTURE                                                           \
  "videotestsrc pattern=ball ! video/x-raw,width=64,height=64"
#define FOREVER "block-timeout=18446744073709551615"

static void
take_buffers (Child *child, guint n)
{
  for (guint i = 0; i < n; i++)
    child_expect (child, "buffer show");
}

static int
stop (Child *child)
{
  gint64 start = g_get_monotonic_time ();
  int status;
  child_signal (child, SIGINT);
  status = child_end (child);
  fail_unless (g_get_monotonic_time () - start < G_USEC_PER_SEC,
      "it took %.2f s to stop",
      (gdouble) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  return status;
}

/* Stops a consumer called src: how often it attached, and to how many producers
 * it listened. */
static void
expect_stats (Child *consumer, guint64 attachments, guint64 producers)
{
  gchar *line;
  child_signal (consumer, SIGINT);
  line = child_next (consumer, "stats src");
  fail_unless (line != NULL);
  fail_unless_equals_uint64 (child_stat (line, "attachments"), attachments);
  fail_unless_equals_uint64 (child_stat (line, "producers"), producers);
  g_free (line);
  fail_unless_equals_int (child_end (consumer), 0);
}

static guint64
flag_discont (const gchar *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  return g_ascii_strtoull (words[4], NULL, 16) & GST_BUFFER_FLAG_DISCONT;
}

static void
take_until_discont (Child *child)
{
  gboolean discont = FALSE;
  while (!discont) {
    g_autofree gchar *line = child_next (child, "buffer show");
    fail_unless (line != NULL);
    discont = flag_discont (line) != 0;
  }
}

GST_START_TEST (producer_first_then_two_consumers)
{
  Child *producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  Child *live, *reliable;
  child_expect (producer, "playing");
  live = child_start ("datahubsrc datablock=cam0 ! fakesink name=show");
  reliable = child_start (
      "datahubsrc datablock=cam0 delivery=reliable ! fakesink name=show");
  take_buffers (live, 10);
  take_buffers (reliable, 10);
  fail_unless_equals_int (stop (live), 0);
  fail_unless_equals_int (stop (reliable), 0);
  fail_unless_equals_int (stop (producer), 0);
}
GST_END_TEST;

GST_START_TEST (the_end_of_the_stream_ends_everybody)
{
  Child *early = child_start ("datahubsrc datablock=cam0 ! fakesink name=show");
  Child *producer = child_start ("videotestsrc num-buffers=20 ! datahubsink "
                                 "datablock=cam0 wait-for-consumers=1");
  guint n = 0;
  gchar *line;
  while ((line = child_next (early, "buffer"))) {
    n++;
    g_free (line);
  }
  fail_unless_equals_int (n, 20);
  fail_unless_equals_int (child_end (early), 0);
  fail_unless_equals_int (child_end (producer), 0);
}
GST_END_TEST;

/* A camera is killed and comes back, and again. */
GST_START_TEST (a_killed_producer_is_replaced_without_touching_the_consumer)
{
  Child *consumer = child_start (
      "datahubsrc name=src datablock=cam0 ! fakesink name=show sync=false");
  for (guint round = 0; round < 5; round++) {
    Child *producer =
        child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
    take_until_discont (consumer);
    take_buffers (consumer, 3);
    child_signal (producer, SIGKILL);
    fail_unless_equals_int (child_end (producer), -SIGKILL);
  }
  expect_stats (consumer, 1, 5);
}
GST_END_TEST;

static void
kill_producer (Child *producer)
{
  child_signal (producer, SIGKILL);
  fail_unless_equals_int (child_end (producer), -SIGKILL);
}

/* Pictures in which each one differs, so that none can be taken for another. */
#define COUNTED                                                                \
  "videotestsrc pattern=ball is-live=true ! "                                  \
  "video/x-raw,width=64,height=64,framerate=100/1 ! "                          \
  "identity name=show ! datahubsink name=sink datablock=cam0 sync=false"

static gchar *
sum_of (const gchar *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  return g_strdup (words[5]);
}

/* Adds sums of pictures that came until @n have come, or, with @n 0, until one
 * comes with DISCONT, which is returned. */
static gchar *
collect (Child *child, GPtrArray *sums, guint n)
{
  for (;;) {
    g_autofree gchar *line = child_next (child, "buffer show");
    fail_unless (line != NULL);
    if (n == 0 && flag_discont (line))
      return sum_of (line);
    g_ptr_array_add (sums, sum_of (line));
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
    g_ptr_array_add (sums, sum_of (line));
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
  Child *consumer = child_start (
      "datahubsrc name=src datablock=cam0 delivery=reliable start-at=oldest ! "
      "fakesink name=show sync=false");
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
  Child *consumer = child_start (
      "datahubsrc name=src datablock=cam0 ! fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  gchar *line;
  take_buffers (consumer, 3);
  kill_producer (producer);
  producer = child_start (
      "videotestsrc ! video/x-raw,format=RGBx,width=320,height=240 ! "
      "datahubsink name=sink datablock=cam0");
  child_expect (consumer, "event show stream-start");
  child_expect (consumer, "event show caps");
  child_expect (consumer, "event show segment");
  line = child_next (consumer, "buffer show");
  fail_unless (line && flag_discont (line) && strstr (line, " 307200 "), "%s",
      line);
  g_free (line);
  child_signal (producer, SIGINT);
  line = child_next (producer, "stats sink");
  fail_unless (strstr (line, "adopted=(boolean)true"), "%s", line);
  fail_unless_equals_uint64 (child_stat (line, "growths"), 1);
  g_free (line);
  fail_unless_equals_int (child_end (producer), 0);
  expect_stats (consumer, 1, 2);
}
GST_END_TEST;

/* One that asks for another ring gets a block of its own, and is followed too. */
GST_START_TEST (a_successor_with_another_ring_is_followed)
{
  Child *consumer = child_start (
      "datahubsrc name=src datablock=cam0 ! fakesink name=show sync=false");
  Child *producer =
      child_start (TEST_PICTURE " ! datahubsink datablock=cam0 slots=8");
  take_buffers (consumer, 3);
  kill_producer (producer);
  producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0 slots=9");
  take_until_discont (consumer);
  take_buffers (consumer, 3);
  fail_unless_equals_int (stop (producer), 0);
  expect_stats (consumer, 2, 2);
}
GST_END_TEST;

static gint64
pts_of (const gchar *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  return g_ascii_strtoll (words[2], NULL, 10);
}

/* The successor's timestamps begin at 0 again; on the consumer's clock time goes
 * on. */
GST_START_TEST (time_goes_on_with_a_successor)
{
  Child *consumer =
      child_start ("datahubsrc name=src datablock=cam0 timestamps=clock ! "
                   "fakesink name=show sync=false");
  gint64 before = -1;
  for (guint round = 0; round < 3; round++) {
    Child *producer = child_start (COUNTED);
    gchar *line = NULL;
    gboolean another = FALSE;
    for (guint n = 0; n < 10; n += another) {
      gint64 pts;
      line = child_next (consumer, "buffer show");
      fail_unless (line != NULL);
      pts = pts_of (line);
      another |= flag_discont (line) != 0;
      fail_unless (pts > before, "%s: not after %" G_GINT64_FORMAT, line,
          before);
      fail_unless (before < 0 || pts < before + 20 * (gint64) GST_SECOND, "%s",
          line);
      before = pts;
      g_free (line);
    }
    kill_producer (producer);
  }
  expect_stats (consumer, 1, 3);
}
GST_END_TEST;

GST_START_TEST (the_wait_for_a_successor_ends_at_its_timeout)
{
  Child *consumer =
      child_start ("datahubsrc name=src datablock=cam0 timeout=1000000000 ! "
                   "fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  gchar *line;
  take_buffers (consumer, 3);
  kill_producer (producer);
  line = child_next (consumer, "error");
  fail_unless (line && strstr (line, "within 1.0 s"), "%s", line);
  g_free (line);
  fail_unless_equals_int (child_end (consumer), 1);
}
GST_END_TEST;

/* In PAUSED it has committed nothing, but it is there. */
GST_START_TEST (a_silent_successor_is_waited_for)
{
  Child *consumer =
      child_start ("datahubsrc name=src datablock=cam0 timeout=2000000000 ! "
                   "fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  take_buffers (consumer, 3);
  kill_producer (producer);
  producer = child_start (TEST_PICTURE
      " ! datahubsink datablock=cam0 wait-for-consumers=2 name=sink");
  child_expect (producer, "message sink consumer-added");
  g_usleep (2500000); /* longer than the timeout */
  Child *other =
      child_start ("datahubsrc datablock=cam0 ! fakesink name=show sync=false");
  take_buffers (consumer, 10);
  fail_unless_equals_int (stop (other), 0);
  fail_unless_equals_int (stop (producer), 0);
  expect_stats (consumer, 1, 2);
}
GST_END_TEST;

GST_START_TEST (a_consumer_that_waits_for_a_successor_stops_at_once)
{
  Child *consumer =
      child_start ("datahubsrc name=src datablock=cam0 delivery=reliable ! "
                   "fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  take_buffers (consumer, 3);
  kill_producer (producer);
  g_usleep (300000); /* until it has noticed */
  fail_unless_equals_int (stop (consumer), 0);
}
GST_END_TEST;

GST_START_TEST (who_does_not_want_to_wait_ends_with_the_producer)
{
  Child *consumer =
      child_start ("datahubsrc datablock=cam0 on-disconnect=eos ! "
                   "fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  take_buffers (consumer, 3);
  kill_producer (producer);
  child_expect (consumer, "eos");
  fail_unless_equals_int (child_end (consumer), 0);
}
GST_END_TEST;

GST_START_TEST (a_killed_reliable_consumer_does_not_hold_the_producer)
{
  Child *consumer = child_start ("datahubsrc datablock=cam0 delivery=reliable "
                                 "! fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE
      " ! identity name=show ! datahubsink name=sink datablock=cam0 sync=false "
      "slots=8 wait-for-consumers=1 " FOREVER);
  gchar *line;
  child_expect (producer, "message sink consumer-added");
  take_buffers (consumer, 5);
  child_signal (consumer, SIGKILL);
  fail_unless_equals_int (child_end (consumer), -SIGKILL);
  line = child_next (producer, "message sink consumer-removed");
  fail_unless (line && strstr (line, "reason=(string)died"), "%s", line);
  g_free (line);
  take_buffers (producer, 100);
  fail_unless_equals_int (stop (producer), 0);
}
GST_END_TEST;

GST_START_TEST (a_stopped_live_consumer_does_not_slow_the_producer)
{
  Child *consumer = child_start ("datahubsrc datablock=cam0 ! "
                                 "fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE
      " ! identity name=show ! datahubsink name=sink datablock=cam0 sync=false "
      "slots=16 wait-for-consumers=1 " FOREVER);
  gchar *line;
  take_buffers (consumer, 1);
  child_signal (consumer, SIGSTOP);
  take_buffers (producer, 2000);
  child_signal (producer, SIGINT);
  line = child_next (producer, "stats sink");
  fail_unless_equals_uint64 (child_stat (line, "waits"), 0);
  fail_unless_equals_uint64 (child_stat (line, "no-room"), 0);
  g_free (line);
  fail_unless_equals_int (child_end (producer), 0);
  child_signal (consumer, SIGCONT);
  fail_unless_equals_int (stop (consumer), 0);
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

/* Ends the consumer, and returns what it counted. */
static guint64
stop_and_tell (Child *consumer, const gchar *stat, guint64 *lost)
{
  guint64 value;
  gchar *line;
  child_signal (consumer, SIGINT);
  line = child_next (consumer, "stats src");
  fail_unless (line != NULL);
  value = child_stat (line, stat);
  *lost = child_stat (line, "lost");
  g_free (line);
  fail_unless_equals_int (child_end (consumer), 0);
  return value;
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
    guint64 lost, notifications;
    take_buffers (consumer, 60);
    notifications = stop_and_tell (consumer, "notifications", &lost);
    fail_unless_equals_uint64 (lost, 0);
    fail_unless ((notifications > 0) == g_str_equal (ways[i], "notify"));
  }
  fail_unless_equals_int (stop (producer), 0);
}
GST_END_TEST;

/* The data does not depend on it. */
GST_START_TEST (notifications_may_end_and_come_again)
{
  Child *host =
      child_start ("datahubsrc datablock=other broker=auto ! fakesink");
  Child *producer, *consumer;
  guint64 lost, notifications;
  while (!is_bound ())
    g_thread_yield ();
  producer = child_start (QUICK_PICTURE);
  consumer = child_start (
      "datahubsrc name=src datablock=cam0 broker=auto "
      "delivery=reliable wake=notify ! fakesink name=show sync=false");
  take_buffers (consumer, 60);
  child_signal (host, SIGKILL);
  fail_unless_equals_int (child_end (host), -SIGKILL);
  take_buffers (consumer, 300);
  notifications = stop_and_tell (consumer, "notifications", &lost);
  fail_unless (notifications > 0);
  fail_unless_equals_uint64 (lost, 0);
  fail_unless_equals_int (stop (producer), 0);
}
GST_END_TEST;

GST_START_TEST (a_stopped_reliable_consumer_is_evicted_and_comes_back)
{
  Child *consumer =
      child_start ("datahubsrc name=src datablock=cam0 delivery=reliable ! "
                   "fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE
      " ! identity name=show ! datahubsink name=sink datablock=cam0 slots=8 "
      "sync=false wait-for-consumers=1 block-timeout=200000000");
  gchar *line;
  take_buffers (consumer, 1);
  child_signal (consumer, SIGSTOP);
  line = child_next (producer, "message sink consumer-removed");
  fail_unless (line && strstr (line, "reason=(string)evicted"), "%s", line);
  g_free (line);
  take_buffers (producer, 50);
  child_signal (consumer, SIGCONT);
  child_expect (producer, "message sink consumer-added");
  take_buffers (consumer, 10);
  child_signal (consumer, SIGINT);
  line = child_next (consumer, "stats src");
  fail_unless (child_stat (line, "rejoins") >= 1);
  fail_unless (child_stat (line, "lost") > 0);
  g_free (line);
  fail_unless_equals_int (child_end (consumer), 0);
  fail_unless_equals_int (stop (producer), 0);
}
GST_END_TEST;

GST_START_TEST (a_producer_held_up_by_a_stopped_consumer_stops_at_once)
{
  Child *consumer =
      child_start ("datahubsrc datablock=cam0 delivery=reliable ! "
                   "fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE
      " ! datahubsink name=sink datablock=cam0 slots=8 sync=false "
      "wait-for-consumers=1 " FOREVER);
  take_buffers (consumer, 1);
  child_signal (consumer, SIGSTOP);
  fail_unless_equals_int (stop (producer), 0);
  child_signal (consumer, SIGCONT);
  fail_unless_equals_int (stop (consumer), 0);
}
GST_END_TEST;

/* While the producer is stopped the consumer waits; it is not dead. */
GST_START_TEST (a_stopped_producer_is_waited_for)
{
  Child *consumer =
      child_start ("datahubsrc name=src datablock=cam0 on-disconnect=error ! "
                   "fakesink name=show sync=false");
  Child *producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  gchar *line;
  take_buffers (consumer, 3);
  child_signal (producer, SIGSTOP);
  g_usleep (300000); /* three times what a consumer sleeps at most */
  child_signal (producer, SIGCONT);
  take_buffers (consumer, 30);
  child_signal (consumer, SIGINT);
  line = child_next (consumer, "stats src");
  fail_unless_equals_uint64 (child_stat (line, "producers"), 1);
  g_free (line);
  fail_unless_equals_int (child_end (consumer), 0);
  fail_unless_equals_int (stop (producer), 0);
}
GST_END_TEST;

GST_START_TEST (a_second_live_producer_is_refused_and_disturbs_nobody)
{
  Child *producer = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  Child *consumer, *other;
  gchar *line;
  child_expect (producer, "playing");
  consumer = child_start (
      "datahubsrc name=src datablock=cam0 ! fakesink name=show sync=false");
  take_buffers (consumer, 3);
  other = child_start (TEST_PICTURE " ! datahubsink datablock=cam0");
  line = child_next (other, "error");
  fail_unless (line && strstr (line, "\"cam0\""), "%s", line);
  g_free (line);
  fail_unless_equals_int (child_end (other), 1);
  take_buffers (consumer, 30);
  child_signal (consumer, SIGINT);
  line = child_next (consumer, "stats src");
  fail_unless_equals_uint64 (child_stat (line, "lost"), 0);
  fail_unless_equals_uint64 (child_stat (line, "producers"), 1);
  g_free (line);
  fail_unless_equals_int (child_end (consumer), 0);
  fail_unless_equals_int (stop (producer), 0);
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
  Child *consumer = child_start ("datahubsrc datablock=cam0 delivery=reliable "
                                 "start-at=oldest ! fakesink name=show "
                                 "sync=false");
  Child *producer = child_start (
      "videotestsrc pattern=red num-buffers=60 ! "
      "video/x-raw,format=RGB,width=64,height=64 ! tee name=t "
      "t. ! queue ! identity name=show ! datahubsink datablock=cam0 sync=false "
      "wait-for-consumers=1 "
      "t. ! queue ! identity sleep-time=2000 ! "
      "videobalance hue=0.5 contrast=0.2 ! fakesink sync=false");
  g_autofree gchar *red = NULL;
  for (guint i = 0; i < 60; i++) {
    gchar *line = child_next (consumer, "buffer show");
    g_auto (GStrv) words = g_strsplit (line, " ", -1);
    if (!red)
      red = g_strdup (words[5]);
    fail_unless_equals_string (words[5], red);
    g_free (line);
  }
  fail_unless_equals_int (child_end (producer), 0);
  fail_unless_equals_int (child_end (consumer), 0);
}
GST_END_TEST;

GST_START_TEST (consumers_die_and_come_by_the_dozen)
{
  Child *producer = child_start (TEST_PICTURE
      " ! datahubsink name=sink datablock=cam0 max-consumers=4");
  gchar *line;
  child_expect (producer, "playing");
  for (guint i = 0; i < 12; i++) {
    Child *consumer = child_start (
        "datahubsrc datablock=cam0 delivery=%s ! fakesink name=show",
        i % 2 ? "reliable" : "live");
    take_buffers (consumer, 1);
    child_signal (consumer, i % 3 ? SIGKILL : SIGINT);
    child_end (consumer);
  }
  child_signal (producer, SIGINT);
  line = child_next (producer, "stats sink");
  fail_unless_equals_uint64 (child_stat (line, "evictions"), 0);
  g_free (line);
  fail_unless_equals_int (child_end (producer), 0);
}
GST_END_TEST;

static Suite *
datahub_processes_suite (void)
{
  Suite *suite = suite_create ("processes");
  TCase *tc = tcase_create ("processes");
  suite_add_tcase (suite, tc);
  tcase_add_checked_fixture (tc, place_setup, place_teardown);
  tcase_add_test (tc, producer_first_then_two_consumers);
  tcase_add_test (tc, the_end_of_the_stream_ends_everybody);
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
  return suite;
}

GST_CHECK_MAIN (datahub_processes)
