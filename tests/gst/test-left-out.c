/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cannot cross is left out where it is, named once, and counted; the rest of
 * the stream arrives. */
#include "bytes.h"
#include "messages.h"
#include "sandbox.h"

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

GST_START_TEST (each_kind_of_meta_that_stays_is_named_once)
{
  static const gchar *const names[] = { "GstVideoMeta", "test-secret", NULL };
  static const gchar *const tags[] = { NULL };
  GstHarness *sink = heard_sink (), *src;
  gst_meta_register_custom ("test-secret", (const gchar **) tags, NULL, NULL,
      NULL);
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
  options.slot_size = 64;
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
add_tests (TCase *tc)
{
  tcase_add_test (tc, each_kind_of_meta_that_stays_is_named_once);
  tcase_add_test (tc, each_kind_of_meta_that_is_unknown_is_named_once);
}

SANDBOX_MAIN (left_out)
