/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas that nothing at the consumer could use are counted, without a warning. */
#include "bytes.h"
#include "harness.h"
#include "sandbox.h"

#include <datahub/producer.h>
#include <gst/check/gstharness.h>
#include <string.h>

static void
commit_body (DatahubProducer *producer, DatahubRecordType type,
    gconstpointer body, gsize size)
{
  DatahubCommit commit;
  datahub_commit_init (&commit, type);
  commit.meta = body;
  commit.meta_size = (guint32) size;
  fail_unless_equals_int (datahub_producer_commit (producer, &commit, 0, NULL,
                              NULL),
      DATAHUB_OK);
}

/* It is published. */
static DatahubProducer *
make_producer (void)
{
  static const gchar caps[] = "application/x-test";
  DatahubProducerOptions options;
  DatahubProducer *producer = NULL;
  datahub_producer_options_init (&options);
  options.slot_size = 64;
  fail_unless_equals_int (datahub_producer_create ("test", &options, &producer,
                              NULL),
      DATAHUB_OK);
  commit_body (producer, DATAHUB_RECORD_CAPS, caps, sizeof caps);
  fail_unless_equals_int (datahub_producer_publish (producer, NULL),
      DATAHUB_OK);
  return producer;
}

static GstHarness *
heard_sink (void)
{
  GstHarness *sink = harness_sink ("");
  g_autoptr (GstBus) bus = gst_bus_new ();
  gst_element_set_bus (sink->element, bus);
  gst_harness_set_src_caps_str (sink, "application/x-test");
  return sink;
}

/* All warnings and infos on the bus must be one info about @name. */
static void
expect_one_info (GstElement *element, const gchar *name)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (element);
  GstMessage *message = gst_bus_pop_filtered (bus,
      GST_MESSAGE_INFO | GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  g_autoptr (GError) info = NULL;
  fail_unless (message != NULL);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_INFO);
  gst_message_parse_info (message, &info, NULL);
  fail_unless (g_str_has_prefix (info->message, name), "%s", info->message);
  gst_message_unref (message);
  fail_if (gst_bus_pop_filtered (bus,
      GST_MESSAGE_INFO | GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
}

static const gchar custom_meta[] = "\6\0\0\0\21\0\0\0\15\0\0\0test-custom;\0";

/* What no element registered none can read; an element that is loaded later can. */
GST_START_TEST (a_custom_meta_of_others_is_no_reason_to_warn)
{
  static const gchar *const tags[] = { NULL };
  DatahubProducer *producer = make_producer ();
  GstHarness *src;
  GstBuffer *out;
  for (guint i = 0; i < 3; i++)
    commit_body (producer, DATAHUB_RECORD_BUFFER, custom_meta,
        sizeof custom_meta - 1);
  src = harness_src_heard ("delivery=reliable start-at=oldest");
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (gst_harness_pull (src));
  expect_one_info (src->element, "test-custom is a custom meta");
  fail_unless_equals_uint64 (element_stat (src->element, "metas-refused"), 3);
  gst_meta_register_custom ("test-custom", (const gchar **) tags, NULL, NULL,
      NULL);
  commit_body (producer, DATAHUB_RECORD_BUFFER, custom_meta,
      sizeof custom_meta - 1);
  out = gst_harness_pull (src);
  fail_unless (gst_buffer_get_custom_meta (out, "test-custom") != NULL);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  datahub_producer_close (producer);
}
GST_END_TEST;

static gboolean
init_nothing (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  return TRUE;
}

GST_START_TEST (what_the_bytes_have_anyway_is_no_reason_to_warn)
{
  static const gchar *const tags[] = { NULL };
  GType api =
      gst_meta_api_type_register ("GstMpegVideoMetaAPI", (const gchar **) tags);
  const GstMetaInfo *info = gst_meta_register (api, "GstMpegVideoMeta",
      sizeof (GstMeta), init_nothing, NULL, NULL);
  GstHarness *sink = heard_sink ();
  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = bytes_buffer (10, 1);
    gst_buffer_add_meta (buffer, info, NULL);
    gst_harness_push (sink, buffer);
  }
  expect_one_info (sink->element, "GstMpegVideoMeta repeats");
  fail_unless_equals_uint64 (element_stat (sink->element, "metas-left"), 3);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_custom_meta_of_others_is_no_reason_to_warn);
  tcase_add_test (tc, what_the_bytes_have_anyway_is_no_reason_to_warn);
}

SANDBOX_MAIN (metas_unused)
