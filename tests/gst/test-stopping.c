/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pausing and stopping: at once, whatever is waited for, and nothing is left. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"
#include "producer.h"
#include "until.h"

#include <sys/stat.h>

#define STOP_LIMIT (G_USEC_PER_SEC)

static void
check_stops (GstElement *element)
{
  gint64 start = g_get_monotonic_time ();
  gst_element_set_state (element, GST_STATE_NULL);
  fail_unless (g_get_monotonic_time () - start < STOP_LIMIT,
      "took %" G_GINT64_FORMAT " us", g_get_monotonic_time () - start);
}

GST_START_TEST (a_source_that_waits_for_a_producer_stops_at_once)
{
  GstHarness *src = harness_src ("");
  until_asleep ("datahubsrc");
  check_stops (src->element);
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (a_source_that_waits_for_buffers_stops_at_once)
{
  GstHarness *sink = number_sink (""), *src = harness_src ("");
  push_number (sink, 1);
  take_number (src, NULL);
  until_asleep ("datahubsrc");
  check_stops (src->element);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* In PAUSED it stops at once; in PLAYING it ends. */
static void
expect_empty_end (const gchar *line)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  GstMessage *message;
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  fail_if (gst_element_get_state (pipeline, NULL, NULL, 20 * GST_SECOND)
      < GST_STATE_CHANGE_SUCCESS);
  check_stops (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = wait_message (pipeline, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
  gst_message_unref (message);
  check_stops (pipeline);
  gst_object_unref (pipeline);
}

/* The EOS comes before the sink plays, and before there is a block. */
GST_START_TEST (a_stream_without_buffers_ends)
{
  static const gchar *const inputs[] = { "fakesrc num-buffers=0",
    "fakesrc num-buffers=0 is-live=true", "videotestsrc num-buffers=0",
    "filesrc location=/dev/null" };
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++) {
    g_autofree gchar *usual =
        g_strdup_printf ("%s ! datahubsink datablock=test", inputs[i]);
    g_autofree gchar *sync =
        g_strdup_printf ("%s ! datahubsink datablock=test async=false "
                         "sync=false",
            inputs[i]);
    expect_empty_end (usual);
    expect_empty_end (sync);
  }
}
GST_END_TEST;

static void
run_sources_in_turn (const gchar *wake)
{
  GstHarness *sink = number_sink (""), *src = harness_src (wake);
  push_number (sink, 0);
  fail_unless_equals_int (take_number (src, NULL), 0);
  for (guint32 i = 1; i < 20; i++) {
    gst_element_set_state (src->element, GST_STATE_PAUSED);
    gst_element_set_state (src->element, GST_STATE_PLAYING);
    push_number (sink, i);
    fail_unless_equals_int (take_number (src, NULL), i);
  }
  check_stops (src->element);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}

GST_START_TEST (a_source_pauses_and_goes_on)
{
  run_sources_in_turn ("wake=adaptive");
  run_sources_in_turn ("wake=futex");
  run_sources_in_turn ("wake=poll poll-interval=100000");
  run_sources_in_turn ("wake=notify");
}
GST_END_TEST;

#define N_NUMBERS 1000

static gpointer
push_all (gpointer data)
{
  GstHarness *sink = data;
  for (guint32 i = 0; i < N_NUMBERS; i++)
    push_number (sink, i);
  fail_unless (gst_harness_push_event (sink, gst_event_new_eos ()));
  return NULL;
}

typedef struct
{
  GstHarness *src;
  gint taken; /* atomic */
} Taker;

static gpointer
take_all (gpointer data)
{
  Taker *taker = data;
  for (guint32 i = 0; i < N_NUMBERS; i++) {
    fail_unless_equals_int (take_number (taker->src, NULL), i);
    g_atomic_int_inc (&taker->taken);
  }
  return NULL;
}

GST_START_TEST (pauses_lose_nothing)
{
  for (guint round = 0; round < 5; round++) {
    GstHarness *sink = number_sink ("slots=8 wait-for-consumers=1");
    Taker taker = { harness_src ("delivery=reliable start-at=oldest"), 0 };
    GThread *push = g_thread_new ("push", push_all, sink);
    GThread *take = g_thread_new ("take", take_all, &taker);
    while (g_atomic_int_get (&taker.taken) < N_NUMBERS) {
      gst_element_set_state (taker.src->element, GST_STATE_PAUSED);
      gst_element_set_state (taker.src->element, GST_STATE_PLAYING);
    }
    g_thread_join (push);
    g_thread_join (take);
    UNTIL (GST_PAD_IS_EOS (taker.src->sinkpad));
    fail_unless_equals_uint64 (element_stat (taker.src->element, "lost"), 0);
    gst_harness_teardown (taker.src);
    gst_harness_teardown (sink);
  }
}
GST_END_TEST;

typedef struct
{
  GMutex shut; /* locked by the test */
  gint reached, passed; /* atomic */
} Gate;

/* The source pushes its segment while it makes the result that follows it. */
static GstPadProbeReturn
hold_segment (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Gate *gate = data;
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) != GST_EVENT_SEGMENT)
    return GST_PAD_PROBE_OK;
  g_atomic_int_set (&gate->reached, TRUE);
  g_mutex_lock (&gate->shut);
  g_mutex_unlock (&gate->shut);
  g_atomic_int_set (&gate->passed, TRUE);
  return GST_PAD_PROBE_OK;
}

static void
pause_while_it_is_made (gboolean eos)
{
  GstHarness *sink = number_sink (""), *src = harness_src ("");
  Gate gate = { 0 };
  g_mutex_init (&gate.shut);
  g_mutex_lock (&gate.shut);
  gst_pad_add_probe (src->sinkpad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      hold_segment, &gate, NULL);
  gst_harness_push_event (sink,
      gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "held", NULL)));
  if (eos)
    gst_harness_push_event (sink, gst_event_new_eos ());
  else
    push_number (sink, 7);
  UNTIL (g_atomic_int_get (&gate.reached));
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  g_mutex_unlock (&gate.shut);
  UNTIL (g_atomic_int_get (&gate.passed));
  until_asleep ("datahubsrc");
  gst_element_set_state (src->element, GST_STATE_PLAYING);
  if (eos)
    UNTIL (GST_PAD_IS_EOS (src->sinkpad));
  else
    fail_unless_equals_int (take_number (src, NULL), 7);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
  g_mutex_clear (&gate.shut);
}

GST_START_TEST (a_pause_while_a_buffer_is_made_keeps_it)
{
  pause_while_it_is_made (FALSE);
}
GST_END_TEST;

GST_START_TEST (a_pause_while_the_stream_ends_keeps_its_end)
{
  pause_while_it_is_made (TRUE);
}
GST_END_TEST;

GST_START_TEST (a_source_that_was_just_set_to_play_stops_at_once)
{
  GstHarness *sink = number_sink (""), *src = harness_src ("");
  push_number (sink, 1);
  for (guint i = 0; i < 300; i++) {
    gst_element_set_state (src->element, GST_STATE_PAUSED);
    gst_element_set_state (src->element, GST_STATE_PLAYING);
    check_stops (src->element);
    gst_element_set_state (src->element, GST_STATE_PLAYING);
  }
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_paused_source_gives_signs_of_life)
{
  GstHarness *sink = number_sink (""), *src = harness_src ("");
  push_number (sink, 1);
  fail_unless_equals_int (take_number (src, NULL), 1);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  until_beats ("test", 3); /* whatever was on its way has passed by then */
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_sink_that_waits_for_consumers_plays_and_stops_at_once)
{
  Producer p =
      producer_start ("videotestsrc ! datahubsink name=sink datablock=test "
                      "wait-for-consumers=2");
  fail_unless_equals_int (gst_element_get_state (p.pipeline, NULL, NULL,
                              10 * GST_SECOND),
      GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_uint64 (element_stat (p.sink, "buffers"), 0);
  /* often: the streaming thread wakes late only now and then */
  for (guint i = 0; i < 200; i++) {
    gst_element_set_state (p.pipeline, GST_STATE_PAUSED);
    gst_element_set_state (p.pipeline, GST_STATE_PLAYING);
  }
  check_stops (p.pipeline);
  producer_end (&p);
}
GST_END_TEST;

/* As gst-launch-1.0 -e does when it is interrupted. */
static void
check_ends (const gchar *line)
{
  Producer p = producer_start (line);
  g_autoptr (GstBus) bus = gst_element_get_bus (p.pipeline);
  g_autoptr (GstMessage) message = NULL;
  fail_unless (gst_element_get_state (p.pipeline, NULL, NULL, 20 * GST_SECOND)
      != GST_STATE_CHANGE_ASYNC);
  fail_unless (gst_element_send_event (p.pipeline, gst_event_new_eos ()));
  message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  fail_if (GST_OBJECT_FLAG_IS_SET (p.sink, GST_ELEMENT_FLAG_SOURCE));
  producer_end (&p);
}

/* Often: the EOS comes before, while or after the sink begins to wait. */
GST_START_TEST (a_sink_that_waits_for_consumers_can_be_ended)
{
  for (guint i = 0; i < 20; i++) {
    check_ends ("videotestsrc ! datahubsink name=sink datablock=test "
                "wait-for-consumers=1");
    check_ends ("videotestsrc is-live=true ! bin.( datahubsink name=sink "
                "datablock=test wait-for-consumers=1 )");
  }
}
GST_END_TEST;

/* A reliable consumer that reads nothing, and a producer that would wait for it
 * for ever. */
GST_START_TEST (a_sink_that_is_held_up_stops_at_once)
{
  GstHarness *src = harness_src ("delivery=reliable start-at=oldest");
  Producer p = producer_start (
      "videotestsrc ! queue ! datahubsink name=sink datablock=test sync=false "
      "wait-for-consumers=1 block-timeout=18446744073709551615");
  take_number (src, NULL);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  UNTIL (element_stat (p.sink, "waits") > 0);
  gst_element_set_state (p.pipeline, GST_STATE_PAUSED);
  gst_element_set_state (p.pipeline, GST_STATE_PLAYING);
  check_stops (p.pipeline);
  producer_end (&p);
  gst_harness_teardown (src);
}
GST_END_TEST;

/* The bytes of memory without a name that this process is making. */
static guint64
bytes_in_the_making (void)
{
  guint64 most = 0;
  for (int fd = 3; fd < 256; fd++) {
    struct stat st;
    if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && st.st_nlink == 0)
      most = MAX (most, (guint64) st.st_blocks * 512);
  }
  return most;
}

/* Makes the block grow for most of a second. */
static gpointer
push_huge (gpointer data)
{
  GstHarness *sink = data;
  GstBuffer *buffer =
      gst_buffer_new_allocate (NULL, 512 << 20, NULL); /* not touched */
  return GINT_TO_POINTER (gst_harness_push (sink, buffer));
}

static GThread *
begin_growing (GstHarness *sink)
{
  GThread *thread;
  push_number (sink, 1);
  thread = g_thread_new ("push", push_huge, sink);
  UNTIL (bytes_in_the_making () > 8 << 20);
  return thread;
}

GST_START_TEST (a_sink_stops_at_once_while_its_block_grows)
{
  GstHarness *sink = number_sink ("");
  GThread *thread = begin_growing (sink);
  check_stops (sink->element);
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_FLUSHING);
  fail_unless (bytes_in_the_making () < 1 << 20);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_flush_ends_the_growth_of_a_block)
{
  GstHarness *sink = number_sink ("");
  GThread *thread = begin_growing (sink);
  GstSegment segment;
  fail_unless (gst_harness_push_event (sink, gst_event_new_flush_start ()));
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_FLUSHING);
  fail_unless_equals_uint64 (element_stat (sink->element, "growths"), 0);
  fail_unless (gst_harness_push_event (sink, gst_event_new_flush_stop (TRUE)));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  fail_unless (gst_harness_push_event (sink, gst_event_new_segment (&segment)));
  push_number_sized (sink, 2, 3 << 20, (GstBufferFlags) 0);
  fail_unless_equals_uint64 (element_stat (sink->element, "growths"), 1);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Of the blocks below, which take the kernel about a second. */
#define MAKING_TOTAL (G_GUINT64_CONSTANT (2) << 30)

static gpointer
watch_the_making (gpointer done)
{
  guint64 most = 0;
  while (!g_atomic_int_get ((gint *) done))
    most = MAX (most, bytes_in_the_making ());
  return GSIZE_TO_POINTER ((gsize) most);
}

/* The rest of the memory is not taken. How long that lasts depends on what else the
 * machine does. */
static void
check_stops_before_it_is_made (GstElement *element)
{
  gint done = FALSE;
  GThread *watch = g_thread_new ("watch", watch_the_making, &done);
  gst_element_set_state (element, GST_STATE_NULL);
  g_atomic_int_set (&done, TRUE);
  fail_unless (GPOINTER_TO_SIZE (g_thread_join (watch)) < MAKING_TOTAL / 2);
  fail_unless (bytes_in_the_making () < 1 << 20);
  fail_unless_equals_int (sandbox_count_files (), 0);
}

/* The size of raw pictures is known from the caps: the block is made before the
 * first buffer. */
GST_START_TEST (a_sink_stops_at_once_while_its_block_is_made)
{
  GstElement *pipeline = gst_parse_launch (
      "videotestsrc ! video/x-raw,format=BGRx,width=7680,height=4320 ! "
      "datahubsink name=sink datablock=test slots=17",
      NULL);
  for (guint i = 0; i < 3; i++) {
    g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
    g_autoptr (GstMessage) message = NULL;
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    UNTIL (bytes_in_the_making () > 8 << 20);
    check_stops_before_it_is_made (pipeline);
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    fail_unless (message == NULL);
  }
  gst_object_unref (pipeline);
}
GST_END_TEST;

/* Its slots are 128 MiB: of no known size, so the first buffer decides. */
static gpointer
push_first (gpointer data)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64 << 20, NULL);
  return GINT_TO_POINTER (gst_harness_push (data, buffer));
}

static GThread *
begin_making (GstHarness *sink)
{
  GThread *thread = g_thread_new ("push", push_first, sink);
  UNTIL (bytes_in_the_making () > 8 << 20);
  return thread;
}

GST_START_TEST (a_sink_that_makes_its_block_in_render_stops_at_once)
{
  GstHarness *sink = number_sink ("slots=16");
  GThread *thread = begin_making (sink);
  check_stops_before_it_is_made (sink->element);
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_FLUSHING);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_pause_ends_the_making_of_a_block_which_begins_again)
{
  GstHarness *sink = number_sink ("slots=16");
  GThread *thread = begin_making (sink);
  guint64 now, most = 0;
  gst_element_set_state (sink->element, GST_STATE_PAUSED);
  while ((now = bytes_in_the_making ()) >= 1 << 20)
    most = MAX (most, now);
  fail_unless (most < MAKING_TOTAL / 2);
  gst_element_set_state (sink->element, GST_STATE_PLAYING);
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_OK);
  fail_unless_equals_uint64 (element_stat (sink->element, "buffers"), 1);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (starting_and_stopping_leaves_nothing)
{
  guint fds = 0;
  for (guint i = 0; i < 10; i++) {
    GstHarness *sink = number_sink (""), *src = harness_src ("");
    push_number (sink, i);
    fail_unless_equals_int (take_number (src, NULL), i);
    if (i % 2)
      gst_harness_teardown (src);
    gst_harness_teardown (sink);
    if (i % 2 == 0)
      gst_harness_teardown (src);
    fail_unless_equals_int (sandbox_count_files (), 0);
    if (i == 1)
      fds = sandbox_count_fds ();
  }
  fail_unless_equals_int (sandbox_count_fds (), fds);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_source_that_waits_for_a_producer_stops_at_once);
  tcase_add_test (tc, a_source_that_waits_for_buffers_stops_at_once);
  tcase_add_test (tc, a_stream_without_buffers_ends);
  tcase_add_test (tc, a_source_pauses_and_goes_on);
  tcase_add_test (tc, pauses_lose_nothing);
  tcase_add_test (tc, a_pause_while_a_buffer_is_made_keeps_it);
  tcase_add_test (tc, a_pause_while_the_stream_ends_keeps_its_end);
  tcase_add_test (tc, a_source_that_was_just_set_to_play_stops_at_once);
  tcase_add_test (tc, a_paused_source_gives_signs_of_life);
  tcase_add_test (tc, a_sink_that_waits_for_consumers_plays_and_stops_at_once);
  tcase_add_test (tc, a_sink_that_waits_for_consumers_can_be_ended);
  tcase_add_test (tc, a_sink_that_is_held_up_stops_at_once);
  tcase_add_test (tc, a_sink_stops_at_once_while_its_block_grows);
  tcase_add_test (tc, a_flush_ends_the_growth_of_a_block);
  tcase_add_test (tc, a_sink_stops_at_once_while_its_block_is_made);
  tcase_add_test (tc, a_sink_that_makes_its_block_in_render_stops_at_once);
  tcase_add_test (tc, a_pause_ends_the_making_of_a_block_which_begins_again);
  tcase_add_test (tc, starting_and_stopping_leaves_nothing);
}

SANDBOX_MAIN (stopping)
