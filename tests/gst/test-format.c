/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events, caps, tags and flags across a block: there and back, and what is refused
 * of what another process may have written. */
#include "gstdatahubflags.h"
#include "gstdatahubformat.h"
#include "mutate.h"
#include "suite.h"

#include <gst/video/video.h>
#include <math.h>

static gconstpointer
bytes_of (GBytes *body, gsize *size)
{
  return g_bytes_get_data (body, size);
}

GST_START_TEST (stream_start_survives)
{
  GstEvent *event = gst_event_new_stream_start ("a \"stream\"/id");
  g_auto (GstDatahubStreamStart) start = { 0 };
  g_autoptr (GBytes) body = NULL;
  gsize size;
  gconstpointer data;
  gst_event_set_group_id (event, 77);
  gst_event_set_stream_flags (event, GST_STREAM_FLAG_SPARSE);
  body = gst_datahub_format_encode_stream_start (event, 0xfeedfacecafebeefu);
  data = bytes_of (body, &size);
  fail_unless (gst_datahub_format_decode_stream_start (data, size, &start));
  fail_unless_equals_string (start.stream_id, "a \"stream\"/id");
  fail_unless_equals_uint64 (start.group, 77);
  fail_unless_equals_uint64 (start.pipeline, 0xfeedfacecafebeefu);
  fail_unless_equals_int (start.flags, GST_STREAM_FLAG_SPARSE);
  gst_event_unref (event);
}
GST_END_TEST;

GST_START_TEST (caps_survive)
{
  static const gchar *const texts[] = {
    "video/x-raw, format=(string)I420, width=(int)320, height=(int)240, "
    "framerate=(fraction)30/1, colorimetry=(string)bt709",
    "video/x-h264, codec_data=(buffer)0164001effe1, alignment=(string)au",
    "audio/x-raw, format=(string)F32LE, rate=(int)48000, channels=(int)6, "
    "layout=(string)non-interleaved, channel-mask=(bitmask)0x3f",
    "video/x-raw(meta:Special), format=(string)NV12, width=(int)2, "
    "height=(int)2",
  };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GstCaps) caps = gst_caps_from_string (texts[i]);
    g_autoptr (GBytes) body = gst_datahub_format_encode_caps (caps);
    gsize size;
    gconstpointer data = bytes_of (body, &size);
    g_autoptr (GstCaps) back = gst_datahub_format_decode_caps (data, size);
    fail_unless (back && gst_caps_is_equal (caps, back), "%s", texts[i]);
  }
}
GST_END_TEST;

GST_START_TEST (limits_are_caps_of_system_memory_that_leave_something)
{
  static const gchar *const none[] = { "ANY", "EMPTY", "", "no caps at all",
    "1/2", "video/x-raw(memory:GLMemory)" };
  static const gchar text[] =
      "video/x-raw, width=[1,2]; video/x-raw(memory:GLMemory); a/b";
  g_autoptr (GstCaps) expected =
      gst_caps_from_string ("video/x-raw, width=[1,2]; a/b");
  g_autoptr (GstCaps) caps =
      gst_datahub_format_decode_limits (text, sizeof text);
  g_autofree gchar *deep = g_strnfill (2000, '{');
  fail_unless (caps && gst_caps_is_equal (caps, expected));
  for (guint i = 0; i < G_N_ELEMENTS (none); i++)
    fail_unless (gst_datahub_format_decode_limits (none[i],
                     strlen (none[i]) + 1)
            == NULL
        || i == 3);
  fail_unless (gst_datahub_format_decode_limits (deep, strlen (deep) + 1)
      == NULL);
  fail_unless (gst_datahub_format_decode_limits (text, sizeof text - 1)
      == NULL);
}
GST_END_TEST;

GST_START_TEST (caps_that_are_not_fixed_are_refused)
{
  GstCaps *none;
  static const gchar *const texts[] = { "ANY", "EMPTY", "video/x-raw",
    "video/x-raw, width=[1,2]", "a/b, c=1; d/e, f=2", "no caps at all", "",
    "video/x-raw(memory:GLMemory), width=1" };
  none = gst_datahub_format_decode_caps (texts[2], strlen (texts[2]));
  fail_unless (none == NULL, "a text without end");
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    GstCaps *caps =
        gst_datahub_format_decode_caps (texts[i], strlen (texts[i]) + 1);
    fail_unless (caps == NULL || i == 2, "%s", texts[i]);
    gst_clear_caps (&caps);
  }
}
GST_END_TEST;

GST_START_TEST (segment_survives)
{
  GstSegment segment, back;
  g_autoptr (GBytes) body = NULL;
  gsize size;
  gconstpointer data;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.flags = GST_SEGMENT_FLAG_TRICKMODE;
  segment.rate = -2.5;
  segment.applied_rate = 0.5;
  segment.base = 11;
  segment.offset = 22;
  segment.start = 33;
  segment.stop = 44;
  segment.time = 55;
  segment.position = 40;
  segment.duration = 66;
  body = gst_datahub_format_encode_segment (&segment);
  data = bytes_of (body, &size);
  fail_unless (gst_datahub_format_decode_segment (data, size, &back));
  fail_unless (gst_segment_is_equal (&segment, &back));
}
GST_END_TEST;

static gboolean
is_segment_taken (const GstSegment *segment)
{
  GstSegment back;
  g_autoptr (GBytes) body = gst_datahub_format_encode_segment (segment);
  gsize size;
  gconstpointer data = bytes_of (body, &size);
  return gst_datahub_format_decode_segment (data, size, &back);
}

GST_START_TEST (senseless_segments_are_refused)
{
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  fail_unless (is_segment_taken (&segment));
  segment.rate = 0.0;
  fail_if (is_segment_taken (&segment));
  segment.rate = NAN;
  fail_if (is_segment_taken (&segment));
  segment.rate = 1.0;
  segment.applied_rate = INFINITY;
  fail_if (is_segment_taken (&segment));
  segment.applied_rate = 1.0;
  segment.start = 5;
  segment.stop = 4;
  fail_if (is_segment_taken (&segment));
  segment.stop = GST_CLOCK_TIME_NONE;
  segment.base = GST_CLOCK_TIME_NONE;
  fail_if (is_segment_taken (&segment));
  segment.base = 0;
  segment.format = GST_FORMAT_UNDEFINED;
  fail_if (is_segment_taken (&segment));
}
GST_END_TEST;

GST_START_TEST (tags_of_both_scopes_survive)
{
  g_autoptr (GstTagList) stream = gst_tag_list_new (GST_TAG_TITLE,
      "a; \"title\"", GST_TAG_BITRATE, 128000, NULL);
  g_autoptr (GstTagList) global = gst_tag_list_new (GST_TAG_ARTIST, "Ä", NULL);
  GstTagList *a = NULL, *b = NULL;
  g_autoptr (GBytes) body = NULL;
  gsize size;
  gconstpointer data;
  gst_tag_list_set_scope (global, GST_TAG_SCOPE_GLOBAL);
  body = gst_datahub_format_encode_tags (stream, global);
  data = bytes_of (body, &size);
  fail_unless (gst_datahub_format_decode_tags (data, size, &a, &b));
  fail_unless (gst_tag_list_is_equal (a, stream));
  fail_unless (gst_tag_list_is_equal (b, global));
  fail_unless_equals_int (gst_tag_list_get_scope (b), GST_TAG_SCOPE_GLOBAL);
  gst_clear_tag_list (&a);
  gst_clear_tag_list (&b);
  g_clear_pointer (&body, g_bytes_unref);
  body = gst_datahub_format_encode_tags (stream, NULL);
  data = bytes_of (body, &size);
  fail_unless (gst_datahub_format_decode_tags (data, size, &a, &b));
  fail_unless (a != NULL && b == NULL);
  gst_clear_tag_list (&a);
}
GST_END_TEST;

static void
check_event (GstEvent *event)
{
  g_autoptr (GBytes) body = NULL;
  GstEvent *back;
  gsize size;
  gconstpointer data;
  fail_unless (gst_datahub_format_event_crosses (event));
  body = gst_datahub_format_encode_event (event);
  data = bytes_of (body, &size);
  back = gst_datahub_format_decode_event (data, size);
  fail_unless (back != NULL);
  fail_unless_equals_int (GST_EVENT_TYPE (back), GST_EVENT_TYPE (event));
  fail_unless (gst_structure_is_equal (gst_event_get_structure (event),
      gst_event_get_structure (back)));
  gst_event_unref (back);
  gst_event_unref (event);
}

GST_START_TEST (other_events_survive)
{
  GstBuffer *data = gst_buffer_new_memdup ("\1\2\3", 3);
  check_event (gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
      gst_structure_new ("application/x-mine", "n", G_TYPE_INT, 5, "s",
          G_TYPE_STRING, "x y", NULL)));
  check_event (gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
      gst_structure_new_empty ("sticky")));
  check_event (gst_event_new_custom (GST_EVENT_CUSTOM_BOTH,
      gst_structure_new_empty ("both")));
  check_event (gst_event_new_stream_group_done (9));
  check_event (gst_event_new_protection ("an-id", data, "isobmff/moov"));
  gst_buffer_unref (data);
}
GST_END_TEST;

GST_START_TEST (flags_survive)
{
  static const guint flags[] = { GST_BUFFER_FLAG_DISCONT,
    GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_HEADER,
    GST_BUFFER_FLAG_MARKER | GST_BUFFER_FLAG_GAP | GST_BUFFER_FLAG_CORRUPTED,
    GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_TFF
        | GST_VIDEO_BUFFER_FLAG_FIRST_IN_BUNDLE,
    GST_BUFFER_FLAG_DROPPABLE | GST_BUFFER_FLAG_LIVE };
  for (guint i = 0; i < G_N_ELEMENTS (flags); i++) {
    GstBuffer *buffer = gst_buffer_new ();
    guint32 wire;
    GST_BUFFER_FLAG_SET (buffer, flags[i]);
    wire = gst_datahub_flags_encode (buffer);
    fail_unless_equals_int (gst_datahub_flags_decode (wire), flags[i]);
    fail_unless_equals_int ((wire & DATAHUB_FLAG_DELTA_UNIT) != 0,
        (flags[i] & GST_BUFFER_FLAG_DELTA_UNIT) != 0);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_int (gst_datahub_flags_decode (DATAHUB_FLAG_LIVE), 0);
}
GST_END_TEST;

/* Whatever the bytes are, decoding ends and returns nothing half-made. */
static void
decode_all (gconstpointer data, gsize size)
{
  g_auto (GstDatahubStreamStart) start = { 0 };
  GstCaps *caps = gst_datahub_format_decode_caps (data, size);
  GstTagList *stream, *global;
  GstEvent *event = gst_datahub_format_decode_event (data, size);
  GstSegment segment;
  gst_datahub_format_decode_stream_start (data, size, &start);
  gst_datahub_format_decode_segment (data, size, &segment);
  gst_datahub_format_decode_tags (data, size, &stream, &global);
  gst_clear_tag_list (&stream);
  gst_clear_tag_list (&global);
  gst_clear_caps (&caps);
  if (event)
    gst_event_unref (event);
}

static GBytes *
sample_body (guint i)
{
  g_autoptr (GstCaps) caps =
      gst_caps_from_string ("video/x-raw, format=I420, width=4, height=4");
  g_autoptr (GstTagList) tags = gst_tag_list_new (GST_TAG_TITLE, "t", NULL);
  GstEvent *start = gst_event_new_stream_start ("id");
  GstEvent *custom = gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
      gst_structure_new ("a", "b", G_TYPE_DOUBLE, 1.5, NULL));
  GstSegment segment;
  GBytes *bodies[5];
  gst_segment_init (&segment, GST_FORMAT_TIME);
  bodies[0] = gst_datahub_format_encode_caps (caps);
  bodies[1] = gst_datahub_format_encode_tags (tags, tags);
  bodies[2] = gst_datahub_format_encode_stream_start (start, 1);
  bodies[3] = gst_datahub_format_encode_event (custom);
  bodies[4] = gst_datahub_format_encode_segment (&segment);
  gst_event_unref (start);
  gst_event_unref (custom);
  for (guint j = 0; j < 5; j++)
    if (j != i)
      g_bytes_unref (bodies[j]);
  return bodies[i];
}

/* In memory that ends where the body ends, so that a sanitizer sees a read
 * behind it. */
GST_START_TEST (hostile_bodies_do_no_harm)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (4711);
  mutate_allow_criticals ();
  decode_all (NULL, 0);
  for (guint i = 0; i < 5; i++) {
    g_autoptr (GBytes) body = sample_body (i);
    gsize size;
    gconstpointer data = bytes_of (body, &size);
    for (gsize n = 0; n < size; n++) {
      g_autofree gpointer cut = g_memdup2 (data, n ? n : 1);
      decode_all (cut, n);
    }
    for (guint m = 0; m < MUTATIONS / 5; m++) {
      g_autofree guint8 *bent = g_memdup2 (data, size);
      mutate_bytes (random, bent, size, 4);
      decode_all (bent, size);
    }
  }
}
GST_END_TEST;

GST_START_TEST (a_cut_body_is_refused)
{
  for (guint i = 0; i < 5; i++) {
    g_autoptr (GBytes) body = sample_body (i);
    g_auto (GstDatahubStreamStart) start = { 0 };
    GstSegment segment;
    GstTagList *a, *b;
    gsize size;
    gconstpointer data = bytes_of (body, &size);
    fail_unless (gst_datahub_format_decode_caps (data, size - 1) == NULL);
    fail_if (gst_datahub_format_decode_tags (data, size - 1, &a, &b));
    fail_if (gst_datahub_format_decode_stream_start (data, size - 1, &start));
    fail_unless (gst_datahub_format_decode_event (data, size - 1) == NULL);
    fail_if (gst_datahub_format_decode_segment (data, size - 1, &segment));
  }
}
GST_END_TEST;

static GstTocEntry *
chapter (const gchar *uid, gint64 start, gint64 stop)
{
  GstTocEntry *entry = gst_toc_entry_new (GST_TOC_ENTRY_TYPE_CHAPTER, uid);
  gst_toc_entry_set_start_stop_times (entry, start, stop);
  gst_toc_entry_set_tags (entry,
      gst_tag_list_new (GST_TAG_TITLE, "a, \"b\" {c}", NULL));
  return entry;
}

GST_START_TEST (tables_of_contents_survive)
{
  GstToc *toc = gst_toc_new (GST_TOC_SCOPE_GLOBAL), *back = NULL;
  GstTocEntry *edition =
      gst_toc_entry_new (GST_TOC_ENTRY_TYPE_EDITION, "edition");
  GstTocEntry *found;
  GstEvent *event, *got;
  GBytes *body;
  gint64 start, stop;
  gint repeat;
  gboolean updated = FALSE;
  GstTocLoopType loop;
  gchar *title;
  gst_toc_entry_append_sub_entry (edition, chapter ("one", 0, GST_SECOND));
  gst_toc_entry_append_sub_entry (edition,
      chapter ("two", GST_SECOND, 3 * GST_SECOND));
  gst_toc_entry_set_loop (edition, GST_TOC_LOOP_REVERSE, 4);
  gst_toc_append_entry (toc, edition);
  gst_toc_set_tags (toc, gst_tag_list_new (GST_TAG_ARTIST, "me", NULL));
  event = gst_event_new_toc (toc, TRUE);
  fail_unless (gst_datahub_format_event_crosses (event));
  body = gst_datahub_format_encode_event (event);
  fail_unless (body != NULL);
  got = gst_datahub_format_decode_event (g_bytes_get_data (body, NULL),
      g_bytes_get_size (body));
  fail_unless (got && GST_EVENT_TYPE (got) == GST_EVENT_TOC);
  gst_event_parse_toc (got, &back, &updated);
  fail_unless (updated);
  fail_unless_equals_int (gst_toc_get_scope (back), GST_TOC_SCOPE_GLOBAL);
  fail_unless (gst_tag_list_is_equal (gst_toc_get_tags (back),
      gst_toc_get_tags (toc)));
  found = gst_toc_find_entry (back, "edition");
  fail_unless (found && gst_toc_entry_get_loop (found, &loop, &repeat));
  fail_unless (loop == GST_TOC_LOOP_REVERSE && repeat == 4);
  found = gst_toc_find_entry (back, "two");
  fail_unless (found
      && gst_toc_entry_get_start_stop_times (found, &start, &stop));
  fail_unless (start == GST_SECOND && stop == 3 * GST_SECOND);
  fail_unless (gst_tag_list_get_string (gst_toc_entry_get_tags (found),
      GST_TAG_TITLE, &title));
  fail_unless_equals_string (title, "a, \"b\" {c}");
  g_free (title);
  gst_toc_unref (back);
  gst_toc_unref (toc);
  gst_event_unref (got);
  gst_event_unref (event);
  g_bytes_unref (body);
}
GST_END_TEST;

/* What another process may write in the place of one. */
GST_START_TEST (impossible_tables_of_contents_are_refused)
{
  static const gchar *const texts[] = { "toc;",
    "toc, scope=(int)7, "
    "updated=(boolean)true;",
    "toc, scope=(int)1, updated=(boolean)true, entries=(int)3;",
    "toc, scope=(int)1, updated=(boolean)true, entries=(int)< 1, 2 >;",
    "toc, scope=(int)1, updated=(boolean)true, entries=(structure)< [entry, "
    "type=(int)99, uid=(string)a;] >;",
    "toc, scope=(int)1, updated=(boolean)true, entries=(structure)< [entry, "
    "type=(int)3;] >;" };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    GByteArray *bytes = g_byte_array_new ();
    guint8 wire[4] = { 6, 0, 0, 0 };
    g_byte_array_append (bytes, wire, 4);
    g_byte_array_append (bytes, (const guint8 *) texts[i],
        (guint) strlen (texts[i]) + 1);
    fail_unless (gst_datahub_format_decode_event (bytes->data, bytes->len)
            == NULL,
        "%s", texts[i]);
    g_byte_array_unref (bytes);
  }
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, stream_start_survives);
  tcase_add_test (tc, caps_survive);
  tcase_add_test (tc, limits_are_caps_of_system_memory_that_leave_something);
  tcase_add_test (tc, caps_that_are_not_fixed_are_refused);
  tcase_add_test (tc, segment_survives);
  tcase_add_test (tc, senseless_segments_are_refused);
  tcase_add_test (tc, tags_of_both_scopes_survive);
  tcase_add_test (tc, other_events_survive);
  tcase_add_test (tc, flags_survive);
  tcase_add_test (tc, hostile_bodies_do_no_harm);
  tcase_add_test (tc, a_cut_body_is_refused);
  tcase_add_test (tc, tables_of_contents_survive);
  tcase_add_test (tc, impossible_tables_of_contents_are_refused);
}

SUITE_MAIN (format)
