/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a stream comes first for a consumer that joins late, and not twice
 * for one that was there. */
#include "harness.h"
#include "sandbox.h"
#include "until.h"

#include <gst/check/gstharness.h>
#include <string.h>

#define BLOCK "datablock=test broker=none "
#define FRAMES "application/x-test"
#define HEADED FRAMES ", streamheader=(buffer)<48304830, 48314831>"
#define OTHER FRAMES ", streamheader=(buffer)<47304730>"

static GstHarness *
new_sink (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsink " BLOCK "sync=false async=false %s",
          properties);
  return gst_harness_new_parse (line);
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
push_flags (GstHarness *h, gconstpointer data, gsize size, guint flags)
{
  GstBuffer *buffer = gst_buffer_new_memdup (data, size);
  GST_BUFFER_FLAG_SET (buffer, flags);
  GST_BUFFER_PTS (buffer) = 5;
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

static void
push (GstHarness *h, const gchar *text)
{
  push_flags (h, text, strlen (text), 0);
}

/* A frame that depends on the one before. */
static void
push_delta (GstHarness *h, const gchar *text)
{
  push_flags (h, text, strlen (text), GST_BUFFER_FLAG_DELTA_UNIT);
}

/* The next buffers, in a line; what is marked as a header has no times. */
static gchar *
pull (GstHarness *h, guint n)
{
  GString *line = g_string_new (NULL);
  while (n--) {
    GstBuffer *buffer = gst_harness_pull (h);
    gchar text[32] = { 0 };
    fail_unless (buffer != NULL);
    gst_buffer_extract (buffer, 0, text, sizeof text - 1);
    if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER))
      fail_if (GST_BUFFER_PTS_IS_VALID (buffer)
          || GST_BUFFER_DTS_IS_VALID (buffer));
    g_string_append_printf (line, "%s%s%s ", text,
        GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER) ? "+" : "",
        GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT) ? "-" : "");
    gst_buffer_unref (buffer);
  }
  return g_string_free (line, FALSE);
}

static void
check_next (GstHarness *h, guint n, const gchar *expected)
{
  g_autofree gchar *line = pull (h, n);
  fail_unless_equals_string (line, expected);
}

static void
teardown (GstHarness *src, GstHarness *sink)
{
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}

GST_START_TEST (the_header_comes_before_the_first_buffer_of_a_late_joiner)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, HEADED);
  push (sink, "H0H0");
  push (sink, "H1H1");
  push (sink, "one");
  push (sink, "two");
  src = new_src ("");
  check_next (src, 3, "H0H0+ H1H1+ two ");
  push (sink, "three");
  check_next (src, 1, "three ");
  teardown (src, sink);
}
GST_END_TEST;

/* As matroskamux does: the caps with the header follow the header. */
GST_START_TEST (caps_may_come_behind_the_header)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, FRAMES);
  push (sink, "H0H0");
  push (sink, "H1H1");
  gst_harness_set_src_caps_str (sink, HEADED);
  push (sink, "one");
  src = new_src ("");
  check_next (src, 3, "H0H0+ H1H1+ one ");
  teardown (src, sink);
}
GST_END_TEST;

GST_START_TEST (who_was_there_does_not_get_it_twice)
{
  GstHarness *src = new_src ("delivery=reliable"), *oldest;
  GstHarness *sink = new_sink ("wait-for-consumers=1");
  gst_harness_set_src_caps_str (sink, HEADED);
  push (sink, "H0H0");
  push (sink, "H1H1");
  push (sink, "one");
  check_next (src, 3, "H0H0 H1H1 one ");
  gst_harness_set_src_caps_str (sink, OTHER);
  push (sink, "G0G0");
  push (sink, "two");
  check_next (src, 2, "G0G0 two ");
  oldest = new_src ("start-at=oldest");
  check_next (oldest, 5, "H0H0 H1H1 one G0G0 two ");
  gst_harness_teardown (oldest);
  teardown (src, sink);
}
GST_END_TEST;

GST_START_TEST (a_stream_that_is_joined_inside_of_its_header_brings_the_rest)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, HEADED);
  push (sink, "H0H0");
  push (sink, "H1H1");
  src = new_src ("start-at=latest");
  check_next (src, 2, "H0H0+ H1H1 ");
  push (sink, "one");
  check_next (src, 1, "one ");
  teardown (src, sink);
}
GST_END_TEST;

/* Loses the caps and what is pushed, up to a buffer of the name. */
static void
push_while_held (GstHarness *src, GstHarness *sink, const gchar *caps,
    const gchar *last)
{
  HarnessHold hold;
  harness_hold (src, &hold);
  push (sink, "held");
  harness_wait_held (&hold);
  gst_harness_set_src_caps_str (sink, caps);
  for (guint i = 0; i < 1000; i++)
    push (sink, "lost");
  push (sink, last);
  harness_release (&hold);
}

/* All up to a buffer of the name. */
static gchar *
pull_until (GstHarness *h, const gchar *last)
{
  GString *line = g_string_new (NULL);
  do {
    g_autofree gchar *word = pull (h, 1);
    g_string_append (line, word);
  } while (!g_str_has_suffix (line->str, last));
  return g_string_free (line, FALSE);
}

/* What decodes the stream has had the header. */
GST_START_TEST (a_loss_needs_no_header_but_one_that_was_lost_does)
{
  GstHarness *sink = new_sink ("slots=8"), *src;
  g_autofree gchar *first = NULL, *second = NULL;
  gst_harness_set_src_caps_str (sink, HEADED);
  push (sink, "one");
  push (sink, "two");
  src = new_src ("");
  check_next (src, 3, "H0H0+ H1H1+ two ");
  push_while_held (src, sink, HEADED, "three");
  first = pull_until (src, "three ");
  fail_if (strchr (first, '+') != NULL, "%s", first);
  push_while_held (src, sink, OTHER, "four");
  second = pull_until (src, "four ");
  fail_unless (strstr (second, "G0G0+ ") != NULL, "%s", second);
  teardown (src, sink);
}
GST_END_TEST;

GST_START_TEST (the_same_caps_again_begin_nothing)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, HEADED);
  push (sink, "one");
  push (sink, "two");
  src = new_src ("");
  check_next (src, 3, "H0H0+ H1H1+ two ");
  gst_harness_set_src_caps_str (sink, FRAMES);
  gst_harness_set_src_caps_str (sink, HEADED);
  push (sink, "three");
  check_next (src, 1, "three ");
  teardown (src, sink);
}
GST_END_TEST;

/* The messages of its bin are kept. */
static GstHarness *
new_heard_src (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc " BLOCK "timestamps=passthrough %s",
          properties);
  GstHarness *h = gst_harness_new_parse (line);
  g_autoptr (GstBus) bus = gst_bus_new ();
  gst_element_set_bus (h->element, bus);
  gst_harness_play (h);
  return h;
}

/* One warning with @word, and one stream that was counted; or none of both. */
static void
check_warnings (GstHarness *h, const gchar *word)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (h->element);
  g_autoptr (GstElement) src = gst_harness_find_element (h, "datahubsrc");
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  fail_unless ((message != NULL) == (word != NULL));
  fail_unless_equals_uint64 (element_stat (src, "headers-missing"),
      word != NULL);
  if (message) {
    g_autoptr (GError) warning = NULL;
    gst_message_parse_warning (message, &warning, NULL);
    fail_unless (strstr (warning->message, word), "%s", warning->message);
    gst_message_unref (message);
  }
  fail_if (gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING));
}

static void
check_join (const gchar *caps, const gchar *properties, const gchar *word)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, caps);
  push (sink, "H0H0");
  push (sink, "one");
  push (sink, "two");
  src = new_heard_src (properties);
  g_free (pull_until (src, "two "));
  push (sink, "three");
  check_next (src, 1, "three ");
  check_warnings (src, word);
  teardown (src, sink);
}

/* Nothing can be done here if the producer does not keep the header. */
GST_START_TEST (a_stream_that_is_joined_behind_its_header_is_named_once)
{
  check_join ("audio/x-wav", "", "audio/x-wav");
  check_join ("application/x-yuv4mpeg", "", "application/x-yuv4mpeg");
  check_join ("audio/x-wav", "start-at=oldest", NULL);
  check_join ("audio/x-raw, format=S16LE, rate=1, channels=1", "", NULL);
  check_join ("video/x-flv, streamheader=(buffer)<48304830>", "", NULL);
}
GST_END_TEST;

#define BOX(size, type) "\0\0\0" size type

static void
push_fragment (GstHarness *h, gchar number)
{
  gchar moof[12] = BOX ("\x0c", "moofxxx");
  gchar frame[] = { 'k', 'e', 'y', number };
  moof[11] = number;
  push_flags (h, moof, sizeof moof, 0);
  push_flags (h, BOX ("\x10", "mdat"), 8, 0);
  push_flags (h, frame, sizeof frame, 0);
  push_flags (h, "rest", 4, GST_BUFFER_FLAG_DELTA_UNIT);
}

static void
check_box (GstHarness *h, gsize size, const gchar *type, gboolean header)
{
  GstBuffer *buffer = gst_harness_pull (h);
  fail_unless_equals_uint64 (gst_buffer_get_size (buffer), size);
  fail_unless (gst_buffer_memcmp (buffer, 4, type, 4) == 0, "%s", type);
  fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER)
      == header);
  fail_if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT));
  gst_buffer_unref (buffer);
}

/* mp4mux marks neither the header nor the beginning of a fragment. */
GST_START_TEST (a_fragmented_mp4_is_joined_at_a_fragment)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, "video/quicktime, variant=iso");
  push_flags (sink, BOX ("\x0c", "ftypisom"), 12, 0);
  push_flags (sink, BOX ("\x10", "moovmovi"), 12, 0);
  push_flags (sink, "emov", 4, 0);
  push_fragment (sink, '1');
  push_fragment (sink, '2');
  src = new_src ("");
  check_box (src, 12, "ftyp", TRUE);
  check_box (src, 12, "moov", TRUE);
  check_next (src, 1, "emov+ ");
  check_box (src, 12, "moof", FALSE);
  check_box (src, 8, "mdat", FALSE);
  check_next (src, 2, "key2 rest- ");
  teardown (src, sink);
}
GST_END_TEST;

/* The newest buffer is inside of a fragment. */
GST_START_TEST (the_next_fragment_is_the_latest)
{
  GstHarness *sink = new_sink (""), *src;
  g_autoptr (GstElement) element =
      gst_harness_find_element (sink, "datahubsink");
  gst_harness_set_src_caps_str (sink, "video/quicktime, variant=iso");
  push_flags (sink, BOX ("\x0c", "ftypisom"), 12, 0);
  push_flags (sink, BOX ("\x0c", "moovmovi"), 12, 0);
  push_fragment (sink, '1');
  src = new_src ("start-at=latest");
  UNTIL (element_stat (element, "num-consumers") == 1);
  push_fragment (sink, '2');
  check_box (src, 12, "ftyp", TRUE);
  check_box (src, 12, "moov", TRUE);
  check_box (src, 12, "moof", FALSE);
  check_box (src, 8, "mdat", FALSE);
  check_next (src, 2, "key2 rest- ");
  teardown (src, sink);
}
GST_END_TEST;

/* Another program removes the files of the block. */
GST_START_TEST (a_block_that_follows_another_has_the_header)
{
  GstHarness *sink = new_sink (""), *src;
  g_autoptr (GstElement) element =
      gst_harness_find_element (sink, "datahubsink");
  gst_harness_set_src_caps_str (sink, "video/quicktime, variant=iso");
  push_flags (sink, BOX ("\x0c", "ftypisom"), 12, 0);
  push_flags (sink, BOX ("\x0c", "moovmovi"), 12, 0);
  push_fragment (sink, '1');
  sandbox_remove_files (NULL);
  UNTIL ((push_fragment (sink, '1'), element_stat (element, "renewals") == 1));
  push_fragment (sink, '2');
  src = new_src ("");
  check_box (src, 12, "ftyp", TRUE);
  check_box (src, 12, "moov", TRUE);
  check_box (src, 12, "moof", FALSE);
  check_box (src, 8, "mdat", FALSE);
  check_next (src, 2, "key2 rest- ");
  gst_harness_teardown (src);
  src = new_src ("start-at=oldest");
  check_box (src, 12, "ftyp", TRUE);
  check_box (src, 12, "moov", TRUE);
  check_box (src, 12, "moof", FALSE);
  teardown (src, sink);
}
GST_END_TEST;

/* Removes the files of the block and pushes until there is another. */
static void
renew (GstHarness *sink, const gchar *word)
{
  g_autoptr (GstElement) element =
      gst_harness_find_element (sink, "datahubsink");
  guint64 before = element_stat (element, "renewals");
  sandbox_remove_files (NULL);
  UNTIL ((push (sink, word), element_stat (element, "renewals") == before + 1));
}

/* The first record that is read of it is not the first of the stream. */
static void
check_renewed_join (const gchar *caps, const gchar *header)
{
  GstHarness *sink = new_sink (""), *src;
  g_autofree gchar *line = NULL;
  gst_harness_set_src_caps_str (sink, caps);
  push (sink, "H0H0");
  push (sink, "one");
  for (guint i = 0; i < 2; i++)
    renew (sink, "two");
  push (sink, "three");
  src = new_src ("start-at=oldest");
  line = pull_until (src, "three ");
  fail_unless (g_str_has_prefix (line, header), "%s", line);
  teardown (src, sink);
}

GST_START_TEST (the_oldest_buffer_of_a_block_that_follows_has_no_header)
{
  check_renewed_join (HEADED, "H0H0+ H1H1+ two ");
  check_renewed_join ("video/x-flv, streamheader=(buffer)<48304830>",
      "H0H0+ two ");
  check_renewed_join (FRAMES, "two ");
}
GST_END_TEST;

/* Of a container, and of caps that have their header. */
static void
check_follower (const gchar *caps)
{
  GstHarness *src = new_src ("delivery=reliable");
  GstHarness *sink = new_sink ("wait-for-consumers=1 slots=256");
  g_autofree gchar *line = NULL;
  gst_harness_set_src_caps_str (sink, caps);
  push_flags (sink, BOX ("\x0c", "ftypisom"), 12, 0);
  push_flags (sink, BOX ("\x0c", "moovmovi"), 12, 0);
  push (sink, "one");
  g_free (pull_until (src, "one "));
  renew (sink, "two");
  push (sink, "three");
  line = pull_until (src, "three ");
  fail_if (strchr (line, '+') != NULL, "%s", line);
  teardown (src, sink);
}

GST_START_TEST (a_consumer_that_goes_over_has_the_header)
{
  check_follower ("video/quicktime, variant=iso");
  check_follower (HEADED);
}
GST_END_TEST;

GST_START_TEST (a_block_that_follows_has_no_header_that_nothing_kept)
{
  GstHarness *sink = new_sink (""), *src;
  gst_harness_set_src_caps_str (sink, "audio/x-wav");
  push (sink, "H0H0");
  renew (sink, "two");
  push (sink, "three");
  src = new_heard_src ("start-at=oldest");
  g_free (pull_until (src, "three "));
  check_warnings (src, "audio/x-wav");
  teardown (src, sink);
}
GST_END_TEST;

/* A late consumer of these caps gets @expected. */
static void
check_latest (GstHarness *sink, const gchar *caps, guint n,
    const gchar *expected)
{
  GstHarness *src;
  gst_harness_set_src_caps_str (sink, caps);
  push (sink, "one");
  push (sink, "two");
  src = new_src ("start-at=latest");
  check_next (src, n, expected);
  gst_harness_teardown (src);
}

/* The event with the header of the fragments is still in force. */
GST_START_TEST (a_header_does_not_belong_to_other_caps)
{
  GstHarness *sink = new_sink ("");
  for (guint renewals = 0; renewals < 2; renewals++) {
    gst_harness_set_src_caps_str (sink, "video/quicktime, variant=iso");
    push_flags (sink, BOX ("\x0c", "ftypisom"), 12, 0);
    push_flags (sink, BOX ("\x0c", "moovmovi"), 12, 0);
    push_fragment (sink, '1');
    if (renewals)
      renew (sink, "more");
    check_latest (sink, FRAMES, 1, "two ");
    check_latest (sink, HEADED, 3, "H0H0+ H1H1+ two ");
  }
  renew (sink, "more");
  check_latest (sink, OTHER, 2, "G0G0+ two ");
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (its_first_consumer_gets_it_as_it_is)
{
  GstHarness *src = new_src ("delivery=reliable");
  GstHarness *sink = new_sink ("wait-for-consumers=1");
  GstEvent *event;
  gst_harness_set_src_caps_str (sink, "video/quicktime, variant=iso");
  push_flags (sink, BOX ("\x0c", "ftypisom"), 12, 0);
  push_flags (sink, BOX ("\x0c", "moovmovi"), 12, 0);
  push_fragment (sink, '1');
  check_box (src, 12, "ftyp", FALSE);
  check_box (src, 12, "moov", FALSE);
  check_box (src, 12, "moof", FALSE);
  while ((event = gst_harness_try_pull_event (src))) {
    fail_if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY);
    gst_event_unref (event);
  }
  teardown (src, sink);
}
GST_END_TEST;

/* Sizes that make no sense end the search, and no buffer. */
GST_START_TEST (boxes_that_make_no_sense_are_just_bytes)
{
  static const gchar *const sizes[] = { "\1", "\7", "\xff" };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstHarness *sink = new_sink (""), *src;
    gchar box[8] = { 0, 0, 0, *sizes[i], 'm', 'o', 'o', 'v' };
    gst_harness_set_src_caps_str (sink, "video/quicktime, variant=iso");
    for (guint n = 0; n < 20; n++)
      push_flags (sink, box, 1 + n % sizeof box, 0);
    push_delta (sink, "end");
    src = new_src ("start-at=latest");
    check_next (src, 1, "end- ");
    teardown (src, sink);
  }
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc,
      the_header_comes_before_the_first_buffer_of_a_late_joiner);
  tcase_add_test (tc, caps_may_come_behind_the_header);
  tcase_add_test (tc, who_was_there_does_not_get_it_twice);
  tcase_add_test (tc,
      a_stream_that_is_joined_inside_of_its_header_brings_the_rest);
  tcase_add_test (tc, a_loss_needs_no_header_but_one_that_was_lost_does);
  tcase_add_test (tc, the_same_caps_again_begin_nothing);
  tcase_add_test (tc, a_stream_that_is_joined_behind_its_header_is_named_once);
  tcase_add_test (tc, a_fragmented_mp4_is_joined_at_a_fragment);
  tcase_add_test (tc, the_next_fragment_is_the_latest);
  tcase_add_test (tc, a_block_that_follows_another_has_the_header);
  tcase_add_test (tc, the_oldest_buffer_of_a_block_that_follows_has_no_header);
  tcase_add_test (tc, a_consumer_that_goes_over_has_the_header);
  tcase_add_test (tc, a_block_that_follows_has_no_header_that_nothing_kept);
  tcase_add_test (tc, a_header_does_not_belong_to_other_caps);
  tcase_add_test (tc, its_first_consumer_gets_it_as_it_is);
  tcase_add_test (tc, boxes_that_make_no_sense_are_just_bytes);
}

SANDBOX_MAIN (headers)
