/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events, flags, metas and times across a block: there and back, and what is
 * refused of what another process may have written. */
#include "gstdatahubformat.h"
#include "gstdatahubmeta.h"
#include "gstdatahubsize.h"
#include "gstdatahubtime.h"

#include <gst/audio/audio.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <math.h>

#define MUTATIONS 20000

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
    "video/x-raw(memory:Special), format=(string)NV12, width=(int)2, "
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

GST_START_TEST (caps_that_are_not_fixed_are_refused)
{
  GstCaps *none;
  static const gchar *const texts[] = { "ANY", "EMPTY", "video/x-raw",
    "video/x-raw, width=[1,2]", "a/b, c=1; d/e, f=2", "no caps at all", "" };
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
    wire = gst_datahub_format_encode_flags (buffer);
    fail_unless_equals_int (gst_datahub_format_decode_flags (wire), flags[i]);
    fail_unless_equals_int ((wire & DATAHUB_FLAG_DELTA_UNIT) != 0,
        (flags[i] & GST_BUFFER_FLAG_DELTA_UNIT) != 0);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_int (gst_datahub_format_decode_flags (DATAHUB_FLAG_LIVE),
      0);
}
GST_END_TEST;

static void
ignore_warning (const gchar *domain, GLogLevelFlags level, const gchar *message,
    gpointer user_data)
{
}

/* GStreamer's parsers complain about nonsense in the log, up to criticals about
 * structures inside of structures. Mistakes of ours show as a crash. */
static void
allow_warnings (void)
{
  g_log_set_handler ("GStreamer", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL,
      ignore_warning, NULL);
}

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
  allow_warnings ();
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
      for (gint k = g_rand_int_range (random, 1, 5); k > 0; k--)
        bent[g_rand_int_range (random, 0, (gint) size)] =
            (guint8) g_rand_int (random);
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

/* ---- metas ---- */

static GByteArray *
encode_metas (GstBuffer *buffer, guint expected_left)
{
  GByteArray *bytes = g_byte_array_new ();
  const gchar *name = NULL;
  guint left = gst_datahub_meta_encode (buffer, bytes, &name);
  fail_unless_equals_int (left, expected_left);
  fail_unless ((name != NULL) == (left > 0));
  return bytes;
}

static GstBuffer *
metas_back (GstBuffer *buffer)
{
  GByteArray *bytes = encode_metas (buffer, 0);
  GstBuffer *back =
      gst_buffer_new_allocate (NULL, gst_buffer_get_size (buffer), NULL);
  fail_unless_equals_int (gst_datahub_meta_decode (back, bytes->data,
                              bytes->len),
      0);
  g_byte_array_unref (bytes);
  return back;
}

static GstBuffer *
padded_picture (void)
{
  gsize offset[4] = { 64, 64 + 32 * 16, 64 + 32 * 16 + 16 * 8 };
  gint stride[4] = { 32, 16, 16 };
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 4096, NULL);
  GstVideoMeta *meta =
      gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_INTERLACED,
          GST_VIDEO_FORMAT_I420, 20, 16, 3, offset, stride);
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (buffer);
  meta->alignment.padding_left = 2;
  crop->x = 2;
  crop->y = 4;
  crop->width = 10;
  crop->height = 12;
  return buffer;
}

GST_START_TEST (video_metas_survive)
{
  GstBuffer *buffer = padded_picture (), *back;
  GstVideoMeta *meta;
  GstVideoCropMeta *crop;
  GstVideoRegionOfInterestMeta *region;
  region =
      gst_buffer_add_video_region_of_interest_meta (buffer, "face", 1, 2, 3, 4);
  region->id = 9;
  gst_video_region_of_interest_meta_add_param (region,
      gst_structure_new ("detection", "confidence", G_TYPE_DOUBLE, 0.75, NULL));
  gst_video_region_of_interest_meta_add_param (region,
      gst_structure_new ("encoder", "qp", G_TYPE_INT, -3, NULL));
  back = metas_back (buffer);
  meta = gst_buffer_get_video_meta (back);
  fail_unless (meta != NULL);
  fail_unless_equals_int (meta->format, GST_VIDEO_FORMAT_I420);
  fail_unless_equals_int (meta->flags, GST_VIDEO_FRAME_FLAG_INTERLACED);
  fail_unless_equals_int (meta->width, 20);
  fail_unless_equals_int (meta->offset[1], 64 + 32 * 16);
  fail_unless_equals_int (meta->stride[0], 32);
  fail_unless_equals_int (meta->alignment.padding_left, 2);
  crop = gst_buffer_get_video_crop_meta (back);
  fail_unless (crop && crop->x == 2 && crop->height == 12);
  region = gst_buffer_get_video_region_of_interest_meta_id (back, 9);
  fail_unless (region && region->w == 3
      && region->roi_type == g_quark_from_static_string ("face"));
  {
    gdouble confidence = 0;
    gint qp = 0;
    GstStructure *param =
        gst_video_region_of_interest_meta_get_param (region, "detection");
    fail_unless (param
        && gst_structure_get_double (param, "confidence", &confidence));
    fail_unless (confidence == 0.75);
    param = gst_video_region_of_interest_meta_get_param (region, "encoder");
    fail_unless (param && gst_structure_get_int (param, "qp", &qp));
    fail_unless_equals_int (qp, -3);
  }
  gst_buffer_unref (buffer);
  gst_buffer_unref (back);
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

GST_START_TEST (planar_audio_survives)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 6 * 256, NULL), *back;
  gsize offsets[6];
  GstAudioInfo info;
  GstAudioMeta *meta;
  gst_audio_info_init (&info);
  gst_audio_info_set_format (&info, GST_AUDIO_FORMAT_F32LE, 48000, 6, NULL);
  info.layout = GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  for (guint i = 0; i < 6; i++)
    offsets[i] = (5 - i) * 256;
  fail_unless (gst_buffer_add_audio_meta (buffer, &info, 64, offsets) != NULL);
  back = metas_back (buffer);
  meta = gst_buffer_get_audio_meta (back);
  fail_unless (meta != NULL);
  fail_unless_equals_int (meta->samples, 64);
  fail_unless_equals_int (meta->offsets[0], 5 * 256);
  fail_unless_equals_int (meta->info.layout, GST_AUDIO_LAYOUT_NON_INTERLEAVED);
  fail_unless_equals_int (GST_AUDIO_INFO_CHANNELS (&meta->info), 6);
  gst_buffer_unref (buffer);
  gst_buffer_unref (back);
}
GST_END_TEST;

GST_START_TEST (time_and_custom_metas_survive)
{
  static const gchar *tags[] = { NULL };
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 16, NULL), *back;
  g_autoptr (GstCaps) ntp = gst_caps_new_empty_simple ("timestamp/x-ntp");
  GstReferenceTimestampMeta *time;
  GstCustomMeta *custom;
  gint n = 0;
  gst_meta_register_custom ("test-meta", tags, NULL, NULL, NULL);
  gst_buffer_add_reference_timestamp_meta (buffer, ntp, 123, 456);
  custom = gst_buffer_add_custom_meta (buffer, "test-meta");
  gst_structure_set (gst_custom_meta_get_structure (custom), "n", G_TYPE_INT, 7,
      NULL);
  back = metas_back (buffer);
  time = gst_buffer_get_reference_timestamp_meta (back, ntp);
  fail_unless (time && time->timestamp == 123 && time->duration == 456);
  custom = gst_buffer_get_custom_meta (back, "test-meta");
  fail_unless (custom
      && gst_structure_get_int (gst_custom_meta_get_structure (custom), "n",
          &n));
  fail_unless_equals_int (n, 7);
  gst_buffer_unref (buffer);
  gst_buffer_unref (back);
}
GST_END_TEST;

GST_START_TEST (what_cannot_cross_is_counted)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 16, NULL);
  GstBuffer *parent = gst_buffer_new ();
  GByteArray *bytes;
  gst_buffer_add_protection_meta (buffer, gst_structure_new_empty ("secret"));
  gst_buffer_add_parent_buffer_meta (buffer, parent); /* stays, silently */
  bytes = encode_metas (buffer, 1);
  fail_unless_equals_int (bytes->len, 0);
  g_byte_array_unref (bytes);
  gst_buffer_unref (parent);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

GST_START_TEST (a_picture_outside_of_its_buffer_is_refused)
{
  GstBuffer *buffer = padded_picture ();
  GByteArray *bytes = encode_metas (buffer, 0);
  GstBuffer *small = gst_buffer_new_allocate (NULL, 512, NULL);
  fail_unless_equals_int (gst_datahub_meta_decode (small, bytes->data,
                              bytes->len),
      2); /* and the crop has no picture to be in */
  fail_unless (gst_buffer_get_video_meta (small) == NULL);
  g_byte_array_unref (bytes);
  gst_buffer_unref (small);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

static volatile guint8 last_seen; /* so that it is really read */

/* A frame described by whatever survived must be readable to its last row. */
static void
read_picture (GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  GstVideoInfo info;
  GstVideoFrame frame;
  if (!meta
      || !gst_video_info_set_format (&info, meta->format, meta->width,
          meta->height))
    return;
  if (!gst_video_frame_map (&frame, &info, buffer, GST_MAP_READ))
    return;
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&frame); c++) {
    gint h = GST_VIDEO_FRAME_COMP_HEIGHT (&frame, c);
    const guint8 *last = GST_VIDEO_FRAME_COMP_DATA (&frame, c);
    last += (gsize) (h - 1) * (gsize) GST_VIDEO_FRAME_COMP_STRIDE (&frame, c);
    last_seen = last[0];
  }
  gst_video_frame_unmap (&frame);
}

GST_START_TEST (hostile_metas_do_no_harm)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (815);
  GstBuffer *buffer = padded_picture ();
  GByteArray *bytes;
  GstAudioInfo info;
  allow_warnings ();
  gst_audio_info_init (&info);
  gst_audio_info_set_format (&info, GST_AUDIO_FORMAT_S16LE, 8000, 2, NULL);
  gst_buffer_add_audio_meta (buffer, &info, 16, NULL);
  bytes = encode_metas (buffer, 0);
  for (guint m = 0; m < MUTATIONS; m++) {
    GstBuffer *to = gst_buffer_new_allocate (NULL, 4096, NULL);
    guint8 *bent = g_memdup2 (bytes->data, bytes->len);
    gsize size = (gsize) g_rand_int_range (random, 1, (gint) bytes->len + 1);
    for (gint k = g_rand_int_range (random, 1, 4); k > 0; k--)
      bent[g_rand_int_range (random, 0, (gint) bytes->len)] =
          (guint8) g_rand_int (random);
    gst_datahub_meta_decode (to, bent, m % 2 ? size : bytes->len);
    read_picture (to);
    g_free (bent);
    gst_buffer_unref (to);
  }
  g_byte_array_unref (bytes);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

/* ---- sizes ---- */

GST_START_TEST (slots_follow_the_stream)
{
  g_autoptr (GstCaps) video = gst_caps_from_string (
      "video/x-raw, format=I420, width=640, height=480, framerate=25/1");
  g_autoptr (GstCaps) audio = gst_caps_from_string (
      "audio/x-raw, format=S16LE, rate=48000, channels=2, layout=interleaved");
  g_autoptr (GstCaps) other = gst_caps_from_string ("video/x-h264");
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 5000, NULL);
  GstDatahubSize size = gst_datahub_size_from_caps (video);
  fail_unless (size.slot_size >= 640 * 480 * 3 / 2 + 4096 && !size.pack);
  size = gst_datahub_size_from_caps (audio);
  fail_unless (size.slot_size == 65536 && size.pack);
  fail_unless_equals_uint64 (gst_datahub_size_from_caps (other).slot_size, 0);
  fail_unless_equals_uint64 (gst_datahub_size_from_buffer (buffer).slot_size,
      12288);
  fail_unless_equals_uint64 (gst_datahub_size_from_buffer (NULL).slot_size,
      4096);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

/* ---- time ---- */

static GstElement *
some_element (void)
{
  return gst_object_ref_sink (gst_element_factory_make ("identity", NULL));
}

static GstDatahubStamp
map (GstDatahubTimeline *timeline, gint64 base, gint64 running_time,
    GstClockTime pts, GstClockTime dts, gint64 instant, gboolean live)
{
  GstDatahubNow now = { TRUE, base, running_time };
  GstDatahubStamp stamp = { pts, dts, instant, live };
  gst_datahub_timeline_map (timeline, &now, &stamp);
  return stamp;
}

static void
start_timeline (GstDatahubTimeline *timeline, GstDatahubTimestamps mode,
    GstElement *element)
{
  GstSegment segment;
  gst_datahub_timeline_init (timeline, mode);
  gst_datahub_timeline_set_group (timeline,
      gst_datahub_group_join (element, 42));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_datahub_timeline_set_segment (timeline, &segment);
}

GST_START_TEST (live_time_is_the_same_instant_here)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  /* captured at 1000 s, while this pipeline began at 990 s */
  stamp = map (&timeline, 990 * GST_SECOND, 11 * GST_SECOND, 5 * GST_SECOND,
      4 * GST_SECOND, 1000 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 10 * GST_SECOND);
  fail_unless_equals_uint64 (stamp.dts, 9 * GST_SECOND);
  fail_unless_equals_uint64 (timeline.out.base, 0);
  /* after a pause of this pipeline its base time is later */
  stamp = map (&timeline, 993 * GST_SECOND, 9 * GST_SECOND, 6 * GST_SECOND,
      GST_CLOCK_TIME_NONE, 1001 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 8 * GST_SECOND);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (time_before_the_start_shifts_the_group_once)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  start_timeline (&video, GST_DATAHUB_TIMESTAMPS_CLOCK, element);
  start_timeline (&audio, GST_DATAHUB_TIMESTAMPS_CLOCK, element);
  stamp = map (&video, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      98 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 0);
  stamp = map (&audio, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      99 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, GST_SECOND);
  stamp = map (&video, 100 * GST_SECOND, 0, 0, GST_CLOCK_TIME_NONE,
      101 * GST_SECOND, TRUE);
  fail_unless_equals_uint64 (stamp.pts, 3 * GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (a_group_ends_with_its_last_member)
{
  GstElement *element = some_element ();
  GstDatahubGroup *a = gst_datahub_group_join (element, 1);
  GstDatahubGroup *b = gst_datahub_group_join (element, 1);
  GstDatahubGroup *other = gst_datahub_group_join (element, 2);
  guint64 id = gst_datahub_group_get_id (a);
  fail_unless (a == b && other != a);
  gst_datahub_group_leave (a);
  gst_datahub_group_leave (b);
  a = gst_datahub_group_join (element, 1);
  fail_if (gst_datahub_group_get_id (a) == id);
  gst_datahub_group_leave (a);
  gst_datahub_group_leave (other);
  gst_object_unref (element);
}
GST_END_TEST;

/* A file at full speed: own timestamps, in a segment that lands on our clock,
 * and both streams keep their distance. */
GST_START_TEST (other_time_is_placed_by_the_segment)
{
  GstElement *element = some_element ();
  GstDatahubTimeline video, audio;
  GstDatahubStamp stamp;
  start_timeline (&video, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  start_timeline (&audio, GST_DATAHUB_TIMESTAMPS_AUTO, element);
  stamp = map (&video, 0, 7 * GST_SECOND, 20 * GST_SECOND, GST_CLOCK_TIME_NONE,
      520 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 20 * GST_SECOND);
  fail_unless_equals_uint64 (gst_segment_to_running_time (&video.out,
                                 GST_FORMAT_TIME, stamp.pts),
      7 * GST_SECOND);
  video.out_changed = FALSE;
  stamp = map (&audio, 0, 9 * GST_SECOND, 21 * GST_SECOND, GST_CLOCK_TIME_NONE,
      521 * GST_SECOND, FALSE);
  fail_unless_equals_uint64 (gst_segment_to_running_time (&audio.out,
                                 GST_FORMAT_TIME, stamp.pts),
      8 * GST_SECOND);
  map (&video, 0, 9 * GST_SECOND, 22 * GST_SECOND, GST_CLOCK_TIME_NONE,
      522 * GST_SECOND, FALSE);
  fail_if (video.out_changed, "the segment moves for no reason");
  /* the producer was paused for 3 s: the stream goes on 3 s later */
  stamp = map (&video, 0, 9 * GST_SECOND, 23 * GST_SECOND, GST_CLOCK_TIME_NONE,
      526 * GST_SECOND, FALSE);
  fail_unless (video.out_changed);
  fail_unless_equals_uint64 (gst_segment_to_running_time (&video.out,
                                 GST_FORMAT_TIME, stamp.pts),
      13 * GST_SECOND);
  gst_datahub_timeline_clear (&video);
  gst_datahub_timeline_clear (&audio);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (passthrough_changes_nothing)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  GstSegment segment;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_PASSTHROUGH, element);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 3;
  segment.base = 5;
  gst_datahub_timeline_set_segment (&timeline, &segment);
  stamp = map (&timeline, 990, 0, 20, 10, 500, TRUE);
  fail_unless (stamp.pts == 20 && stamp.dts == 10);
  fail_unless (gst_segment_is_equal (&timeline.out, &segment));
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (restart_begins_at_zero)
{
  GstElement *element = some_element ();
  GstDatahubTimeline timeline;
  GstDatahubStamp stamp;
  start_timeline (&timeline, GST_DATAHUB_TIMESTAMPS_RESTART, element);
  stamp = map (&timeline, 0, 5, 1000, 900, 70000, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 100);
  fail_unless_equals_uint64 (stamp.dts, 0);
  fail_unless_equals_uint64 (timeline.out.base, 5);
  stamp = map (&timeline, 0, 9, 1050, 1050, 70050, FALSE);
  fail_unless_equals_uint64 (stamp.pts, 150);
  gst_datahub_timeline_clear (&timeline);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (the_system_clock_is_monotonic)
{
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  g_autoptr (GstClock) real = g_object_new (GST_TYPE_SYSTEM_CLOCK, "clock-type",
      GST_CLOCK_TYPE_REALTIME, NULL);
  GstDatahubClockMap here = { 0 }, there = { 0 };
  gint64 offset, error;
  fail_unless_equals_int64 (gst_datahub_clock_map_offset (&here, clock), 0);
  offset = gst_datahub_clock_map_offset (&there, real);
  error = (gint64) gst_clock_get_time (real) + offset
      - gst_datahub_monotonic_now ();
  fail_unless (ABS (error) < (gint64) (50 * GST_MSECOND));
}
GST_END_TEST;

static Suite *
datahub_format_suite (void)
{
  Suite *suite = suite_create ("format");
  TCase *tc = tcase_create ("format");
  suite_add_tcase (suite, tc);
  tcase_add_test (tc, stream_start_survives);
  tcase_add_test (tc, caps_survive);
  tcase_add_test (tc, caps_that_are_not_fixed_are_refused);
  tcase_add_test (tc, segment_survives);
  tcase_add_test (tc, senseless_segments_are_refused);
  tcase_add_test (tc, tags_of_both_scopes_survive);
  tcase_add_test (tc, other_events_survive);
  tcase_add_test (tc, flags_survive);
  tcase_add_test (tc, hostile_bodies_do_no_harm);
  tcase_add_test (tc, a_cut_body_is_refused);
  tcase_add_test (tc, video_metas_survive);
  tcase_add_test (tc, tables_of_contents_survive);
  tcase_add_test (tc, impossible_tables_of_contents_are_refused);
  tcase_add_test (tc, planar_audio_survives);
  tcase_add_test (tc, time_and_custom_metas_survive);
  tcase_add_test (tc, what_cannot_cross_is_counted);
  tcase_add_test (tc, a_picture_outside_of_its_buffer_is_refused);
  tcase_add_test (tc, hostile_metas_do_no_harm);
  tcase_add_test (tc, slots_follow_the_stream);
  tcase_add_test (tc, live_time_is_the_same_instant_here);
  tcase_add_test (tc, time_before_the_start_shifts_the_group_once);
  tcase_add_test (tc, a_group_ends_with_its_last_member);
  tcase_add_test (tc, other_time_is_placed_by_the_segment);
  tcase_add_test (tc, passthrough_changes_nothing);
  tcase_add_test (tc, restart_begins_at_zero);
  tcase_add_test (tc, the_system_clock_is_monotonic);
  return suite;
}

GST_CHECK_MAIN (datahub_format)
