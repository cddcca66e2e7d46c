/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who joins late is told what is in force, also where no record of its own says
 * so; who was there is told each event once, in its place. */
#include "sandbox.h"

#include <gst/check/gstharness.h>
#include <string.h>

#define BLOCK "datablock=test broker=none "

static GstHarness *
new_sink (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsink " BLOCK "sync=false async=false slots=8 %s",
          properties);
  GstHarness *h = gst_harness_new_parse (line);
  gst_harness_set_src_caps_str (h, "application/x-test");
  return h;
}

static GstHarness *
new_src (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc " BLOCK "timestamps=passthrough %s",
          properties);
  GstHarness *h = gst_harness_new_parse (line);
  gst_harness_play (h);
  return h;
}

static void
push_buffers (GstHarness *h, guint n)
{
  for (guint i = 0; i < n; i++)
    fail_unless_equals_int (gst_harness_push (h,
                                gst_buffer_new_allocate (NULL, 10, NULL)),
        GST_FLOW_OK);
}

static void
push_sticky (GstHarness *h, const gchar *name, guint value)
{
  fail_unless (gst_harness_push_event (h,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
          gst_structure_new (name, "value", G_TYPE_UINT, value, NULL))));
}

static void
push_toc (GstHarness *h, const gchar *chapter)
{
  g_autoptr (GstToc) toc = gst_toc_new (GST_TOC_SCOPE_GLOBAL);
  gst_toc_append_entry (toc,
      gst_toc_entry_new (GST_TOC_ENTRY_TYPE_CHAPTER, chapter));
  fail_unless (gst_harness_push_event (h, gst_event_new_toc (toc, FALSE)));
}

static void
push_protection (GstHarness *h, const gchar *system)
{
  g_autoptr (GstBuffer) data = gst_buffer_new_allocate (NULL, 20, NULL);
  gst_buffer_memset (data, 0, 7, 20);
  fail_unless (gst_harness_push_event (h,
      gst_event_new_protection (system, data, "test")));
}

/* All events that lie ready, in a line; those of a name with their value. */
static gchar *
events_of (GstHarness *h)
{
  GString *line = g_string_new (NULL);
  GstEvent *event;
  while ((event = gst_harness_try_pull_event (h))) {
    const GstStructure *s = gst_event_get_structure (event);
    guint value;
    if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY
        && gst_structure_get_uint (s, "value", &value))
      g_string_append_printf (line, "%s=%u ", gst_structure_get_name (s),
          value);
    else
      g_string_append_printf (line, "%s ", GST_EVENT_TYPE_NAME (event));
    gst_event_unref (event);
  }
  return g_string_free (line, FALSE);
}

/* The events up to the next buffer. */
static void
check_next (GstHarness *h, const gchar *expected)
{
  g_autofree gchar *line = NULL;
  gst_buffer_unref (gst_harness_pull (h));
  line = events_of (h);
  fail_unless_equals_string (line, expected);
}

GST_START_TEST (sticky_events_are_told_to_who_joins_late)
{
  GstHarness *sink = new_sink (""), *src;
  push_sticky (sink, "lens", 1);
  push_buffers (sink, 1);
  push_sticky (sink, "lens", 2);
  push_toc (sink, "one");
  push_protection (sink, "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed");
  push_sticky (sink, "mount", 3);
  push_buffers (sink, 500);
  src = new_src ("");
  check_next (src,
      "stream-start stream-start caps segment lens=2 toc protection mount=3 ");
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (who_is_there_is_told_each_once_in_its_place)
{
  GstHarness *sink = new_sink (""), *src;
  push_sticky (sink, "lens", 1);
  push_buffers (sink, 1);
  src = new_src ("delivery=reliable");
  check_next (src, "stream-start stream-start caps segment lens=1 ");
  push_toc (sink, "one");
  push_buffers (sink, 1);
  check_next (src, "toc ");
  push_sticky (sink, "lens", 2);
  push_buffers (sink, 1);
  check_next (src, "lens=2 ");
  gst_harness_push_event (sink,
      gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "t", NULL)));
  push_buffers (sink, 1);
  check_next (src, "tag ");
  push_sticky (sink, "lens", 2);
  push_buffers (sink, 1);
  check_next (src, "lens=2 ");
  push_buffers (sink, 1);
  check_next (src, "");
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (sticky_events_are_of_one_stream)
{
  GstHarness *sink = new_sink (""), *src;
  GstSegment segment;
  push_sticky (sink, "lens", 1);
  push_buffers (sink, 1);
  gst_harness_push_event (sink, gst_event_new_stream_start ("another"));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  push_buffers (sink, 500);
  src = new_src ("");
  check_next (src, "stream-start stream-start caps segment ");
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A producer that never stops saying something new does not fill the record. */
GST_START_TEST (too_many_sticky_events_are_not_all_remembered)
{
  GstHarness *sink = new_sink (""), *src;
  g_autofree gchar *line = NULL;
  g_auto (GStrv) words = NULL;
  for (guint i = 0; i < 300; i++) {
    g_autofree gchar *name = g_strdup_printf ("event-%u", i);
    push_sticky (sink, name, i);
  }
  push_buffers (sink, 500);
  src = new_src ("");
  gst_buffer_unref (gst_harness_pull (src));
  line = events_of (src);
  fail_unless (g_str_has_suffix (line, "event-298=298 event-299=299 "));
  words = g_strsplit (line, " ", -1);
  fail_unless_equals_int (g_strv_length (words), 4 + 64 + 1);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Sticky events before the first buffer do not make the block too early, when
 * nobody knows yet how big its slots should be. */
GST_START_TEST (what_is_said_before_the_first_buffer_waits_for_it)
{
  GstHarness *sink = new_sink ("");
  g_autoptr (GstElement) element =
      gst_harness_find_element (sink, "datahubsink");
  g_autoptr (GstStructure) stats = NULL;
  guint64 growths = 1;
  push_toc (sink, "one");
  fail_unless_equals_int (gst_harness_push (sink,
                              gst_buffer_new_allocate (NULL, 100000, NULL)),
      GST_FLOW_OK);
  g_object_get (element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, "growths", &growths));
  fail_unless_equals_uint64 (growths, 0);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (the_end_of_a_group_names_the_group_as_it_is_called_here)
{
  GstHarness *sink = new_sink (""), *src;
  GstEvent *start = gst_event_new_stream_start ("grouped"), *event;
  GstSegment segment;
  guint group = GST_GROUP_ID_INVALID, done = GST_GROUP_ID_INVALID;
  gst_event_set_group_id (start, 4711);
  gst_harness_push_event (sink, start);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  push_buffers (sink, 1);
  gst_harness_push_event (sink, gst_event_new_stream_group_done (4711));
  gst_harness_push_event (sink, gst_event_new_eos ());
  src = new_src ("start-at=oldest");
  do {
    event = gst_harness_pull_event (src);
    fail_unless (event != NULL);
    if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START)
      gst_event_parse_group_id (event, &group);
    if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_GROUP_DONE)
      gst_event_parse_stream_group_done (event, &done);
    gst_event_unref (event);
  } while (done == GST_GROUP_ID_INVALID);
  fail_unless_equals_int (group, done);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* What was held back for a first buffer that never came is not said in the
 * stream of the next producer. */
GST_START_TEST (nothing_of_a_stream_is_said_in_the_next)
{
  GstHarness *sink = new_sink ("slot-size=4096"), *src;
  GstEvent *event;
  gboolean is_caps;
  push_sticky (sink, "lens", 1);
  src = new_src ("");
  do { /* then all that is in force was looked at */
    event = gst_harness_pull_event (src);
    fail_unless (event != NULL);
    is_caps = GST_EVENT_TYPE (event) == GST_EVENT_CAPS;
    gst_event_unref (event);
  } while (!is_caps);
  gst_harness_teardown (sink);
  sink = new_sink ("");
  push_buffers (sink, 1);
  check_next (src, "stream-start segment ");
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_wish_to_renegotiate_goes_up_to_the_producer)
{
  GstHarness *sink = new_sink (""), *src;
  GstEvent *event;
  push_buffers (sink, 1);
  src = new_src ("");
  gst_buffer_unref (gst_harness_pull (src));
  while ((event = gst_harness_try_pull_upstream_event (sink)))
    gst_event_unref (event);
  fail_unless (gst_harness_push_upstream_event (src,
      gst_event_new_reconfigure ()));
  event = gst_harness_pull_upstream_event (sink);
  fail_unless (event && GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE);
  gst_event_unref (event);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A pad on a sink, like that of a muxer, which decides itself what it sends first. */
static GstPad *
new_pad (GstElement *sink)
{
  GstPad *pad = gst_pad_new ("src", GST_PAD_SRC);
  GstPad *peer = gst_element_get_static_pad (sink, "sink");
  gst_pad_set_active (pad, TRUE);
  fail_unless_equals_int (gst_pad_link (pad, peer), GST_PAD_LINK_OK);
  gst_object_unref (peer);
  return pad;
}

static void
send_title (GstPad *pad, const gchar *title, GstTagScope scope)
{
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, title, NULL);
  gst_tag_list_set_scope (tags, scope);
  fail_unless (gst_pad_push_event (pad, gst_event_new_tag (tags)));
}

static void
send_value (GstPad *pad, const gchar *name, guint value)
{
  fail_unless (gst_pad_push_event (pad,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
          gst_structure_new (name, "value", G_TYPE_UINT, value, NULL))));
}

static void
send_stream (GstPad *pad, const gchar *id)
{
  GstSegment segment;
  GstCaps *caps = gst_caps_new_empty_simple ("application/x-test");
  gst_segment_init (&segment, GST_FORMAT_TIME);
  fail_unless (gst_pad_push_event (pad, gst_event_new_stream_start (id)));
  send_value (pad, "between", 2);
  fail_unless (gst_pad_push_event (pad, gst_event_new_caps (caps)));
  fail_unless (gst_pad_push_event (pad, gst_event_new_segment (&segment)));
  fail_unless_equals_int (gst_pad_push (pad,
                              gst_buffer_new_allocate (NULL, 10, NULL)),
      GST_FLOW_OK);
  gst_caps_unref (caps);
}

/* Tags in front of stream-start are those of the first stream, and of no other. */
GST_START_TEST (what_is_said_before_the_stream_is_of_the_first_one)
{
  GstElement *sink =
      gst_parse_launch ("datahubsink " BLOCK "sync=false async=false", NULL);
  GstPad *pad = new_pad (sink);
  GstHarness *src;
  gst_element_set_state (sink, GST_STATE_PLAYING);
  send_title (pad, "t", GST_TAG_SCOPE_STREAM);
  send_value (pad, "lens", 1);
  send_title (pad, "g", GST_TAG_SCOPE_GLOBAL);
  send_stream (pad, "one");
  src = new_src ("");
  check_next (src,
      "stream-start stream-start caps segment tag tag lens=1 between=2 ");
  send_stream (pad, "two");
  check_next (src, "stream-start between=2 segment ");
  gst_harness_teardown (src);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_object_unref (pad);
  gst_object_unref (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, sticky_events_are_told_to_who_joins_late);
  tcase_add_test (tc, who_is_there_is_told_each_once_in_its_place);
  tcase_add_test (tc, sticky_events_are_of_one_stream);
  tcase_add_test (tc, too_many_sticky_events_are_not_all_remembered);
  tcase_add_test (tc, what_is_said_before_the_first_buffer_waits_for_it);
  tcase_add_test (tc, the_end_of_a_group_names_the_group_as_it_is_called_here);
  tcase_add_test (tc, nothing_of_a_stream_is_said_in_the_next);
  tcase_add_test (tc, what_is_said_before_the_stream_is_of_the_first_one);
  tcase_add_test (tc, a_wish_to_renegotiate_goes_up_to_the_producer);
}

SANDBOX_MAIN (joiners)
