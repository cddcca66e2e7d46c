/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cannot cross is left out where it is, named once, and counted; the rest of
 * the stream arrives. */
#include "bytes.h"
#include "messages.h"
#include "sandbox.h"

#include <datahub/block.h>
#include <datahub/producer.h>
#include <gst/audio/audio.h>
#include <gst/video/video.h>
#include <string.h>

/* How many warnings there are, all of which must have one of @words. */
static guint
count_warnings (GstElement *element, const gchar *const *words)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (element);
  GstMessage *message;
  guint n = 0;
  while ((message = gst_bus_pop_filtered (bus,
              GST_MESSAGE_WARNING | GST_MESSAGE_ERROR))) {
    g_autoptr (GError) warning = NULL;
    gboolean found = FALSE;
    fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
    gst_message_parse_warning (message, &warning, NULL);
    for (guint i = 0; words[i]; i++)
      found |= strstr (warning->message, words[i]) != NULL;
    fail_unless (found, "%s", warning->message);
    gst_message_unref (message);
    n++;
  }
  return n;
}

static GstHarness *
heard_sink (void)
{
  GstHarness *sink = harness_sink ("");
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (sink->element, bus);
  gst_object_unref (bus);
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  return sink;
}

static void
register_secret (void)
{
  static const gchar *tags[] = { NULL };
  gst_meta_register_custom ("test-secret", tags, NULL, NULL, NULL);
}

/* A layout outside of the picture, a secret, and a level that crosses. */
static GstBuffer *
laden (void)
{
  GstBuffer *buffer = bytes_buffer (10, 1);
  gsize offset[4] = { 0 };
  gint stride[4] = { 64 };
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 64, 64, 1, offset, stride);
  gst_structure_set (gst_custom_meta_get_structure (
                         gst_buffer_add_custom_meta (buffer, "test-secret")),
      "where", G_TYPE_POINTER, buffer, NULL);
  gst_buffer_add_audio_level_meta (buffer, 5, TRUE);
  return buffer;
}

/* How often the block has an error with this code and a text that begins so. */
static guint64
count_noted (DatahubResult code, const gchar *start)
{
  DatahubBlockError errors[DATAHUB_MAX_BLOCK_ERRORS];
  guint32 n = 0;
  guint64 count = 0;
  fail_unless_equals_int (datahub_block_inspect_errors ("test", errors,
                              G_N_ELEMENTS (errors), &n, NULL),
      DATAHUB_OK);
  for (guint32 i = 0; i < n; i++)
    if (errors[i].code == code && g_str_has_prefix (errors[i].text, start))
      count += errors[i].count;
  return count;
}

/* Also one that came before there was a block, but not those of other elements. */
GST_START_TEST (what_the_sink_posts_is_noted_in_the_block)
{
  GstHarness *sink = harness_sink ("");
  GstElement *element = sink->element;
  GstElement *other = gst_element_factory_make ("fakesink", NULL);
  GST_ELEMENT_WARNING (element, RESOURCE, SETTINGS, ("Early."), (NULL));
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  register_secret ();
  gst_harness_push (sink, laden ());
  GST_ELEMENT_WARNING (element, RESOURCE, NO_SPACE_LEFT, ("Late."), (NULL));
  GST_ELEMENT_ERROR (element, STREAM, FAILED, ("Failed."), (NULL));
  GST_ELEMENT_INFO (element, STREAM, FAILED, ("Told."), (NULL));
  gst_element_post_message (element,
      gst_message_new_warning (GST_OBJECT_CAST (other),
          g_error_new_literal (GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED,
              "Other."),
          NULL));
  fail_unless_equals_uint64 (count_noted (DATAHUB_ERROR_INVALID, "Early."), 1);
  fail_unless_equals_uint64 (count_noted (DATAHUB_ERROR_NO_SPACE, "Late."), 1);
  fail_unless_equals_uint64 (count_noted (DATAHUB_ERROR_INVALID, "Failed."), 1);
  fail_unless_equals_uint64 (count_noted (DATAHUB_ERROR_INVALID,
                                 "GstVideoMeta has no form"),
      1);
  fail_unless_equals_uint64 (count_noted (DATAHUB_ERROR_INVALID, "Told."), 0);
  fail_unless_equals_uint64 (count_noted (DATAHUB_ERROR_INVALID, "Other."), 0);
  gst_object_unref (other);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (each_kind_of_meta_that_stays_is_named_once)
{
  static const gchar *const names[] = { "GstVideoMeta", "test-secret", NULL };
  GstHarness *sink = heard_sink (), *src;
  register_secret ();
  for (guint i = 0; i < 3; i++)
    gst_harness_push (sink, laden ());
  fail_unless_equals_int (count_warnings (sink->element, names), 2);
  fail_unless_equals_uint64 (element_stat (sink->element, "metas-left"), 6);
  src = harness_src ("delivery=reliable start-at=oldest");
  for (guint i = 0; i < 3; i++) {
    GstBuffer *out = gst_harness_pull (src);
    fail_unless (gst_buffer_get_audio_level_meta (out) != NULL);
    gst_buffer_unref (out);
  }
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* ---- a producer that writes what this process does not know ---- */

static DatahubProducer *
make_producer (void)
{
  DatahubProducerOptions options;
  DatahubProducer *producer = NULL;
  DatahubError error = { 0 };
  datahub_producer_options_init (&options);
  options.slot_size = 256;
  fail_unless_equals_int (datahub_producer_create ("test", &options, &producer,
                              &error),
      DATAHUB_OK);
  return producer;
}

static void
commit_body (DatahubProducer *producer, DatahubRecordType type,
    const gchar *body, guint32 size)
{
  DatahubCommit commit;
  DatahubError error = { 0 };
  datahub_commit_init (&commit, type);
  commit.meta = body;
  commit.meta_size = size;
  fail_unless_equals_int (datahub_producer_commit (producer, &commit, 0, NULL,
                              &error),
      DATAHUB_OK);
}

static void
commit_text (DatahubProducer *producer, DatahubRecordType type,
    const gchar *text)
{
  commit_body (producer, type, text, (guint32) strlen (text) + 1);
}

static void
publish (DatahubProducer *producer)
{
  DatahubError error = { 0 };
  fail_unless_equals_int (datahub_producer_publish (producer, &error),
      DATAHUB_OK);
}

/* Metas of two unknown kinds, and a level. */
static const gchar unknown_metas[] = "\310\0\0\0\1\0\0\0a"
                                     "\311\0\0\0\0\0\0\0"
                                     "\15\0\0\0\10\0\0\0\115\0\0\0\1\0\0\0";

GST_START_TEST (each_kind_of_meta_that_is_unknown_is_named_once)
{
  static const gchar *const names[] = { "kind 200", "kind 201", NULL };
  DatahubProducer *producer = make_producer ();
  GstHarness *src;
  commit_text (producer, DATAHUB_RECORD_CAPS, TEST_CAPS);
  for (guint i = 0; i < 3; i++)
    commit_body (producer, DATAHUB_RECORD_BUFFER, unknown_metas,
        sizeof unknown_metas - 1);
  publish (producer);
  src = harness_src_heard ("delivery=reliable start-at=oldest");
  for (guint i = 0; i < 3; i++) {
    GstBuffer *out = gst_harness_pull (src);
    GstAudioLevelMeta *level = gst_buffer_get_audio_level_meta (out);
    fail_unless (level && level->level == 77);
    gst_buffer_unref (out);
  }
  fail_unless_equals_int (count_warnings (src->element, names), 2);
  fail_unless_equals_uint64 (element_stat (src->element, "metas-refused"), 6);
  gst_harness_teardown (src);
  datahub_producer_close (producer);
}
GST_END_TEST;

static void
put_u32s (GByteArray *bytes, guint n, const guint32 *words)
{
  for (guint i = 0; i < n; i++) {
    guint32 word = GUINT32_TO_LE (words[i]);
    g_byte_array_append (bytes, (const guint8 *) &word, sizeof word);
  }
}

/* A buffer of 256 bytes with the metas @words. */
static void
commit_words (DatahubProducer *producer, guint n, const guint32 *words)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  DatahubSlot slot;
  DatahubCommit commit;
  put_u32s (bytes, n, words);
  fail_unless_equals_int (datahub_producer_acquire_slot (producer, 256, 0,
                              &slot, NULL),
      DATAHUB_OK);
  memset (slot.data, 0, 256);
  datahub_commit_init (&commit, DATAHUB_RECORD_BUFFER);
  commit.n_memories = 1;
  commit.memories[0] = (DatahubCommitMemory){ &slot, 0, 256 };
  commit.release = true;
  commit.meta = bytes->data;
  commit.meta_size = bytes->len;
  fail_unless_equals_int (datahub_producer_commit (producer, &commit, 0, NULL,
                              NULL),
      DATAHUB_OK);
}

#define PICTURE(side)                                                          \
  1, 104, 0, GST_VIDEO_FORMAT_GRAY8, 0, side, side, 1, 0, 0, 16, 0, 0, 0, 0,   \
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define CROP(x, y, w, h) 3, 16, x, y, w, h
#define SAMPLES(channels, ...)                                                 \
  2, 28 + 4 * channels, GST_AUDIO_FORMAT_S16LE, 48000, channels, 0, 0, 16, 0,  \
      __VA_ARGS__

/* The sink writes no such metas; another program may. */
static void
expect_metas (const gchar *caps, guint n, const guint32 *words, guint expected)
{
  static const gchar *const names[] = { "GstVideoMeta is of another",
    "GstVideoCropMeta is not inside", "GstAudioMeta is of other", NULL };
  DatahubProducer *producer = make_producer ();
  GstHarness *src;
  GstBuffer *out;
  guint found;
  commit_text (producer, DATAHUB_RECORD_CAPS, caps);
  commit_words (producer, n, words);
  publish (producer);
  src = harness_src_heard ("delivery=reliable start-at=oldest");
  out = gst_harness_pull (src);
  found = gst_buffer_get_n_meta (out, GST_VIDEO_META_API_TYPE)
      + gst_buffer_get_n_meta (out, GST_VIDEO_CROP_META_API_TYPE)
      + gst_buffer_get_n_meta (out, GST_AUDIO_META_API_TYPE);
  fail_unless_equals_int (found, expected);
  fail_unless_equals_int (count_warnings (src->element, names), !expected);
  fail_unless_equals_uint64 (element_stat (src->element, "metas-refused"),
      !expected);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  datahub_producer_close (producer);
}

#define EXPECT_METAS(caps, expected, ...)                                      \
  do {                                                                         \
    const guint32 words[] = { __VA_ARGS__ };                                   \
    expect_metas (caps, G_N_ELEMENTS (words), words, expected);                \
  } while (0)
#define SOUND                                                                  \
  "audio/x-raw, format=S16LE, rate=48000, channels=4, "                        \
  "layout=interleaved, channel-mask=(bitmask)0x33"

GST_START_TEST (metas_that_contradict_the_caps_are_refused)
{
  EXPECT_METAS (VIDEO_CAPS (16, 16), 1, PICTURE (16));
  EXPECT_METAS (VIDEO_CAPS (16, 16), 0, PICTURE (8));
  EXPECT_METAS (VIDEO_CAPS (16, 16), 1, CROP (4, 2, 12, 9));
  EXPECT_METAS (VIDEO_CAPS (16, 16), 0, CROP (4, 2, 13, 9));
  EXPECT_METAS (SOUND, 1, SAMPLES (4, 0, 1, 2, 3));
  EXPECT_METAS (SOUND, 0, SAMPLES (3, 0, 1, 2));
}
GST_END_TEST;

/* A record that is no caps is skipped if it makes no sense. */
GST_START_TEST (damaged_records_are_skipped_and_counted)
{
  static const gchar *const words[] = { "is damaged", NULL };
  DatahubProducer *producer = make_producer ();
  GstHarness *src;
  commit_text (producer, DATAHUB_RECORD_STREAM_START, "no stream");
  commit_text (producer, DATAHUB_RECORD_CAPS, TEST_CAPS);
  commit_text (producer, DATAHUB_RECORD_SEGMENT, "no segment");
  commit_text (producer, DATAHUB_RECORD_TAGS, "no tags");
  commit_body (producer, DATAHUB_RECORD_TAGS, "nonsense\0taglist;", 18);
  commit_text (producer, DATAHUB_RECORD_EVENT, "\2\1\1\1no event");
  commit_body (producer, DATAHUB_RECORD_BUFFER, unknown_metas + 17, 16);
  publish (producer);
  src = harness_src_heard ("delivery=reliable start-at=oldest");
  gst_buffer_unref (gst_harness_pull (src));
  fail_unless_equals_int (count_warnings (src->element, words), 1);
  fail_unless_equals_uint64 (element_stat (src->element, "damaged"), 5);
  gst_harness_teardown (src);
  datahub_producer_close (producer);
}
GST_END_TEST;

/* ---- tags and events that are too large ---- */

static void
add_cover (GstTagList *tags, gsize size)
{
  g_autoptr (GstBuffer) picture = bytes_buffer (size, 0xff);
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("image/jpeg");
  g_autoptr (GstSample) cover = gst_sample_new (picture, caps, NULL, NULL);
  gst_tag_list_add (tags, GST_TAG_MERGE_APPEND, GST_TAG_IMAGE, cover, NULL);
}

/* The tags of the next event of them. */
static GstTagList *
take_tags (GstHarness *src)
{
  GstTagList *tags = NULL;
  while (!tags) {
    GstEvent *event = gst_harness_pull_event (src);
    fail_unless (event != NULL);
    if (GST_EVENT_TYPE (event) == GST_EVENT_TAG) {
      gst_event_parse_tag (event, &tags);
      tags = gst_tag_list_ref (tags);
    }
    gst_event_unref (event);
  }
  return tags;
}

/* Takes @tags. Returns: what a consumer got of them. */
static GstTagList *
tags_across (GstTagList *tags, const gchar *const *warnings, guint n_warnings)
{
  GstHarness *sink = heard_sink (), *src;
  GstTagList *back;
  fail_unless (gst_harness_push_event (sink, gst_event_new_tag (tags)));
  push_bytes (sink, 10, 1);
  fail_unless_equals_int (count_warnings (sink->element, warnings), n_warnings);
  src = harness_src_heard ("delivery=reliable start-at=oldest");
  take_bytes (src, 10, 1);
  fail_unless_equals_int (count_warnings (src->element, warnings), 0);
  back = take_tags (src);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
  return back;
}

static void
check_title (const GstTagList *tags)
{
  g_autofree gchar *title = NULL;
  fail_unless (gst_tag_list_get_string (tags, GST_TAG_TITLE, &title));
  fail_unless_equals_string (title, "A song");
}

/* The small cover crosses, too. */
GST_START_TEST (a_cover_that_is_too_large_does_not_cost_the_title)
{
  static const gchar *const words[] = { "The tag \"image\" (67108864 bytes)",
    NULL };
  GstTagList *tags = gst_tag_list_new_empty ();
  g_autoptr (GstTagList) back = NULL;
  add_cover (tags, 64u << 20);
  add_cover (tags, 100000);
  gst_tag_list_add (tags, GST_TAG_MERGE_APPEND, GST_TAG_TITLE, "A song", NULL);
  back = tags_across (tags, words, 1);
  check_title (back);
  fail_unless_equals_int (gst_tag_list_get_tag_size (back, GST_TAG_IMAGE), 1);
}
GST_END_TEST;

/* Each of them fits, all do not. */
GST_START_TEST (covers_cross_as_far_as_they_fit_together)
{
  static const gchar *const words[] = { "The tag \"image\"", NULL };
  GstTagList *tags = gst_tag_list_new_empty ();
  g_autoptr (GstTagList) back = NULL;
  for (guint i = 0; i < 5; i++)
    add_cover (tags, 700000 + i);
  gst_tag_list_add (tags, GST_TAG_MERGE_APPEND, GST_TAG_TITLE, "A song", NULL);
  back = tags_across (tags, words, 1);
  check_title (back);
  fail_unless_equals_int (gst_tag_list_get_tag_size (back, GST_TAG_IMAGE), 2);
}
GST_END_TEST;

/* Word by word, as karaoke has them. */
GST_START_TEST (brackets_in_lyrics_are_no_structure)
{
  static const gchar *const words[] = { NULL };
  GString *text = g_string_new ("");
  GstTagList *tags = gst_tag_list_new_empty ();
  g_autoptr (GstTagList) back = NULL;
  g_autofree gchar *lyrics = NULL;
  for (guint i = 0; i < 1400; i++)
    g_string_append (text, "[00:01.00] {la} <\"la\"> (string)\\\n");
  gst_tag_list_add (tags, GST_TAG_MERGE_APPEND, GST_TAG_LYRICS, text->str,
      GST_TAG_COMMENT, "a [", GST_TAG_COMMENT, text->str, GST_TAG_TITLE,
      "A song", NULL);
  back = tags_across (tags, words, 0);
  check_title (back);
  fail_unless (gst_tag_list_get_string (back, GST_TAG_LYRICS, &lyrics));
  fail_unless_equals_string (lyrics, text->str);
  fail_unless_equals_int (gst_tag_list_get_tag_size (back, GST_TAG_COMMENT), 2);
  g_string_free (text, TRUE);
}
GST_END_TEST;

/* A table with a level that no reader takes, a text that is too long, a pointer. */
static GstEvent *
make_large_event (guint i)
{
  g_autoptr (GstToc) toc = gst_toc_new (GST_TOC_SCOPE_GLOBAL);
  g_autofree gchar *text = g_strnfill (5u << 20, 'x');
  GstTocEntry *entry = gst_toc_entry_new (GST_TOC_ENTRY_TYPE_CHAPTER, "end");
  for (guint level = 0; level < 9; level++) {
    GstTocEntry *above =
        gst_toc_entry_new (GST_TOC_ENTRY_TYPE_CHAPTER, "chapter");
    gst_toc_entry_append_sub_entry (above, entry);
    entry = above;
  }
  gst_toc_append_entry (toc, entry);
  switch (i) {
    case 0:
      return gst_event_new_toc (toc, FALSE);
    case 1:
      return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
          gst_structure_new ("large", "text", G_TYPE_STRING, text, NULL));
    default:
      return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new ("private", "at", G_TYPE_POINTER, toc, NULL));
  }
}

GST_START_TEST (events_that_no_reader_takes_are_named_and_left_out)
{
  static const gchar *const names[] = { "The event toc", "\"large\" (52429",
    "\"private\"", NULL };
  GstHarness *sink = heard_sink (), *src;
  push_bytes (sink, 10, 1);
  for (guint i = 0; i < 6; i++)
    gst_harness_push_event (sink, make_large_event (i / 2));
  push_bytes (sink, 10, 2);
  fail_unless_equals_int (count_warnings (sink->element, names), 3);
  fail_unless_equals_uint64 (element_stat (sink->element, "left-out"), 6);
  src = harness_src_heard ("delivery=reliable start-at=oldest");
  take_bytes (src, 10, 1);
  take_bytes (src, 10, 2);
  fail_unless_equals_uint64 (element_stat (src->element, "damaged"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (sticky_events_that_are_not_kept_are_counted)
{
  static const gchar *const words[] = { "An earlier sticky event", NULL };
  GstHarness *sink = heard_sink ();
  push_bytes (sink, 10, 1);
  for (guint i = 0; i < 66; i++) {
    g_autofree gchar *name = g_strdup_printf ("event-%u", i);
    gst_harness_push_event (sink,
        gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
            gst_structure_new_empty (name)));
  }
  fail_unless_equals_int (count_warnings (sink->element, words), 1);
  fail_unless_equals_uint64 (element_stat (sink->element, "left-out"), 2);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_stream_id_that_is_too_long_becomes_its_checksum)
{
  static const gchar *const words[] = { "The stream-id (5242880 bytes)", NULL };
  GstHarness *sink = heard_sink (), *src;
  g_autofree gchar *id = g_strnfill (5u << 20, 'i');
  GstEvent *event;
  const gchar *back;
  gst_harness_push_event (sink, gst_event_new_stream_start (id));
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_bytes (sink, 10, 1);
  fail_unless_equals_int (count_warnings (sink->element, words), 1);
  src = harness_src_heard ("delivery=reliable start-at=oldest");
  event = gst_harness_pull_event (src);
  fail_unless_equals_int (GST_EVENT_TYPE (event), GST_EVENT_STREAM_START);
  gst_event_parse_stream_start (event, &back);
  fail_unless_equals_int (strlen (back), 64);
  gst_event_unref (event);
  take_bytes (src, 10, 1);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Only they are fatal, and at the sink. */
GST_START_TEST (caps_that_no_reader_takes_are_an_error_of_the_sink)
{
  GstHarness *sink = heard_sink ();
  g_autofree gchar *text = g_strnfill (5u << 20, 'x');
  GstCaps *caps = gst_caps_new_simple ("application/x-test", "header",
      G_TYPE_STRING, text, NULL);
  push_bytes (sink, 10, 1);
  gst_harness_push_event (sink, gst_event_new_caps (caps));
  expect_error (sink->element, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
      "5242");
  gst_caps_unref (caps);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, metas_that_contradict_the_caps_are_refused);
  tcase_add_test (tc, damaged_records_are_skipped_and_counted);
  tcase_add_test (tc, a_cover_that_is_too_large_does_not_cost_the_title);
  tcase_add_test (tc, covers_cross_as_far_as_they_fit_together);
  tcase_add_test (tc, brackets_in_lyrics_are_no_structure);
  tcase_add_test (tc, events_that_no_reader_takes_are_named_and_left_out);
  tcase_add_test (tc, sticky_events_that_are_not_kept_are_counted);
  tcase_add_test (tc, a_stream_id_that_is_too_long_becomes_its_checksum);
  tcase_add_test (tc, caps_that_no_reader_takes_are_an_error_of_the_sink);
  tcase_add_test (tc, what_the_sink_posts_is_noted_in_the_block);
  tcase_add_test (tc, each_kind_of_meta_that_stays_is_named_once);
  tcase_add_test (tc, each_kind_of_meta_that_is_unknown_is_named_once);
}

SANDBOX_MAIN (left_out)
