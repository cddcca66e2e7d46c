/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events cross in order with the buffers, late joiners get those in force, and
 * wishes go up. */
#include "bytes.h"
#include "producer.h"
#include "sandbox.h"

#include <datahub/consumer.h>
#include <gst/video/video.h>
#include <string.h>

static const gchar *
next_event (GstHarness *h, GstEvent **event)
{
  gst_clear_event (event);
  *event = gst_harness_pull_event (h);
  fail_unless (*event != NULL);
  return GST_EVENT_TYPE_NAME (*event);
}

static void
push_custom (GstHarness *h, const gchar *name)
{
  fail_unless (gst_harness_push_event (h,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new_empty (name))));
}

GST_START_TEST (events_come_in_order_with_buffers)
{
  GstHarness *sink = harness_sink (""), *src;
  GstEvent *event = NULL;
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, "t", NULL);
  GstClockTime timestamp, duration;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  fail_unless (gst_harness_push_event (sink, gst_event_new_tag (tags)));
  push_custom (sink, "before");
  push_bytes (sink, 10, 1);
  push_custom (sink, "between");
  fail_unless (gst_harness_push_event (sink, gst_event_new_gap (50, 60)));
  push_bytes (sink, 10, 2);
  src = harness_src ("start-at=oldest timestamps=passthrough");
  gst_buffer_unref (gst_harness_pull (src));
  gst_buffer_unref (gst_harness_pull (src));
  /* the base class's own, then the producer's */
  fail_unless_equals_string (next_event (src, &event), "stream-start");
  fail_unless_equals_string (next_event (src, &event), "stream-start");
  fail_unless_equals_string (next_event (src, &event), "caps");
  fail_unless_equals_string (next_event (src, &event), "segment");
  fail_unless_equals_string (next_event (src, &event), "tag");
  fail_unless_equals_string (next_event (src, &event), "custom-downstream");
  fail_unless (gst_event_has_name (event, "before"));
  fail_unless_equals_string (next_event (src, &event), "custom-downstream");
  fail_unless (gst_event_has_name (event, "between"));
  fail_unless_equals_string (next_event (src, &event), "gap");
  gst_event_parse_gap (event, &timestamp, &duration);
  fail_unless (timestamp == 50 && duration == 60);
  fail_unless (gst_harness_try_pull_event (src) == NULL);
  gst_clear_event (&event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_late_joiner_is_told_what_is_in_force)
{
  GstHarness *sink = harness_sink ("slots=8"), *src;
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, "t", NULL);
  GstEvent *event = NULL;
  GstBuffer *out;
  const GstSegment *in;
  GstSegment segment;
  gst_harness_set_src_caps_str (sink, TEST_CAPS ", n=1");
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 3;
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  gst_harness_push_event (sink, gst_event_new_tag (tags));
  for (guint i = 0; i < 500; i++)
    push_bytes (sink, 10, (guint8) i);
  src = harness_src ("timestamps=passthrough");
  out = gst_harness_pull (src);
  check_bytes (out, 10, (guint8) 499);
  fail_unless (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (out);
  next_event (src, &event);
  fail_unless_equals_string (next_event (src, &event), "stream-start");
  fail_unless_equals_string (next_event (src, &event), "caps");
  fail_unless_equals_string (next_event (src, &event), "segment");
  gst_event_parse_segment (event, &in);
  fail_unless_equals_uint64 (in->start, 3);
  fail_unless_equals_string (next_event (src, &event), "tag");
  fail_unless (gst_harness_try_pull_event (src) == NULL);
  gst_clear_event (&event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
pull_until_eos (GstHarness *src)
{
  GstEvent *event = NULL;
  while (strcmp (next_event (src, &event), "eos") != 0)
    ;
  gst_clear_event (&event);
}

GST_START_TEST (eos_reaches_those_who_come_late)
{
  GstHarness *sink = harness_sink (""), *early, *late;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  early = harness_src ("");
  push_bytes (sink, 10, 1);
  gst_buffer_unref (gst_harness_pull (early));
  fail_unless (gst_harness_push_event (sink, gst_event_new_eos ()));
  pull_until_eos (early);
  late = harness_src ("on-disconnect=error");
  gst_buffer_unref (gst_harness_pull (late));
  pull_until_eos (late);
  gst_harness_teardown (late);
  gst_harness_teardown (early);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_stream_of_nothing_ends_too)
{
  GstHarness *sink = harness_sink (""), *src;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  fail_unless (gst_harness_push_event (sink, gst_event_new_eos ()));
  src = harness_src ("");
  pull_until_eos (src);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (events_that_are_not_wanted_do_not_cross)
{
  GstHarness *sink = harness_sink ("event-types=gap"), *src;
  GstEvent *event = NULL;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_custom (sink, "before");
  gst_harness_push_event (sink,
      gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "t", NULL)));
  push_bytes (sink, 10, 1);
  gst_harness_push_event (sink, gst_event_new_eos ());
  src = harness_src ("start-at=oldest timestamps=passthrough");
  next_event (src, &event);
  fail_unless_equals_string (next_event (src, &event), "stream-start");
  fail_unless_equals_string (next_event (src, &event), "caps");
  fail_unless_equals_string (next_event (src, &event), "segment");
  fail_unless_equals_string (next_event (src, &event), "eos");
  gst_clear_event (&event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_flush_is_a_discont_with_a_new_segment)
{
  GstHarness *sink = harness_sink (""), *src;
  GstEvent *event = NULL;
  GstSegment segment;
  GstBuffer *out;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_bytes (sink, 10, 1);
  src = harness_src ("timestamps=passthrough");
  gst_buffer_unref (gst_harness_pull (src));
  while (strcmp (next_event (src, &event), "segment") != 0)
    ;
  gst_harness_push_event (sink, gst_event_new_flush_start ());
  gst_harness_push_event (sink, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 9;
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  push_bytes (sink, 10, 2);
  out = gst_harness_pull (src);
  check_bytes (out, 10, 2);
  fail_unless (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (out);
  fail_unless_equals_string (next_event (src, &event), "segment");
  gst_clear_event (&event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_wish_for_a_keyframe_goes_up_to_the_producer)
{
  GstHarness *sink = harness_sink (""), *src;
  GstEvent *event;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_bytes (sink, 10, 1);
  src = harness_src ("");
  gst_buffer_unref (gst_harness_pull (src));
  fail_unless (gst_harness_push_upstream_event (src,
      gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, TRUE,
          1)));
  do
    event = gst_harness_pull_upstream_event (sink);
  while (event && !gst_video_event_is_force_key_unit (event)
      && (gst_event_unref (event), TRUE));
  fail_unless (event != NULL);
  gst_event_unref (event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static guint64
records_of (DatahubConsumer *consumer)
{
  DatahubConsumerStats stats;
  datahub_consumer_get_stats (consumer, &stats);
  return stats.head;
}

/* A custom event belongs to a place in the stream, which does not go on. */
GST_START_TEST (an_event_waits_until_the_sink_plays)
{
  GstHarness *sink = harness_sink ("");
  DatahubConsumer *consumer = NULL;
  guint64 records;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_bytes (sink, 10, 1);
  fail_unless_equals_int (datahub_consumer_attach ("test", NULL, &consumer,
                              NULL),
      DATAHUB_OK);
  records = records_of (consumer);
  gst_element_set_state (sink->element, GST_STATE_PAUSED);
  push_custom (sink, "waits");
  fail_unless_equals_uint64 (records_of (consumer), records);
  gst_element_set_state (sink->element, GST_STATE_PLAYING);
  push_bytes (sink, 10, 2);
  fail_unless_equals_uint64 (records_of (consumer), records + 2);
  datahub_consumer_close (consumer);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (the_duration_is_that_of_the_producer)
{
  Producer producer =
      producer_start ("videotestsrc num-buffers=50 ! " VIDEO_CAPS (16,
          16) " ! datahubsink name=sink datablock=test sync=false "
              "wait-for-consumers=1");
  GstHarness *src = harness_src ("");
  gint64 duration = 0;
  gst_buffer_unref (gst_harness_pull (src));
  fail_unless (gst_element_query_duration (src->element, GST_FORMAT_TIME,
      &duration));
  fail_unless_equals_int64 (duration, 2 * GST_SECOND);
  gst_harness_teardown (src);
  producer_end (&producer);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, events_come_in_order_with_buffers);
  tcase_add_test (tc, a_late_joiner_is_told_what_is_in_force);
  tcase_add_test (tc, eos_reaches_those_who_come_late);
  tcase_add_test (tc, a_stream_of_nothing_ends_too);
  tcase_add_test (tc, events_that_are_not_wanted_do_not_cross);
  tcase_add_test (tc, a_flush_is_a_discont_with_a_new_segment);
  tcase_add_test (tc, an_event_waits_until_the_sink_plays);
  tcase_add_test (tc, the_duration_is_that_of_the_producer);
  tcase_add_test (tc, a_wish_for_a_keyframe_goes_up_to_the_producer);
}

SANDBOX_MAIN (events)
