/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Caps with features, in front of a sink and behind a source. */
#include "harness.h"
#include "messages.h"
#include "sandbox.h"

#define PICTURE "format=RGBA, width=16, height=16, framerate=30/1"

static void
expect_answer (GstElement *sink, const gchar *filter, const gchar *expected)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  g_autoptr (GstCaps) asked = gst_caps_from_string (filter);
  g_autoptr (GstCaps) wanted = gst_caps_from_string (expected);
  g_autoptr (GstCaps) answer = gst_pad_query_caps (pad, asked);
  fail_unless (gst_caps_is_equal (answer, wanted), "%s: %s", filter,
      gst_caps_to_string (answer));
}

static gboolean
accepts (GstElement *sink, const gchar *text)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  g_autoptr (GstCaps) caps = gst_caps_from_string (text);
  return gst_pad_query_accept_caps (pad, caps);
}

GST_START_TEST (a_sink_offers_system_memory_only)
{
  static const gchar *const memories[] = { "GLMemory", "DMABuf", "NVMM",
    "VAMemory", "OfSomeVendor" };
  GstElement *sink = gst_element_factory_make ("datahubsink", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (memories); i++) {
    g_autofree gchar *one =
        g_strdup_printf ("video/x-raw(memory:%s), " PICTURE, memories[i]);
    g_autofree gchar *two = g_strdup_printf ("%s; audio/x-raw", one);
    g_autofree gchar *both = g_strdup_printf (
        "video/x-raw(memory:%s, meta:GstVideoOverlayComposition)", memories[i]);
    expect_answer (sink, one, "EMPTY");
    expect_answer (sink, two, "audio/x-raw");
    expect_answer (sink, both, "EMPTY");
    fail_if (accepts (sink, one));
  }
  expect_answer (sink, "ANY", "ANY");
  expect_answer (sink, "EMPTY", "EMPTY");
  gst_object_unref (sink);
}
GST_END_TEST;

GST_START_TEST (features_of_the_content_pass)
{
  static const gchar *const caps[] = { "video/x-raw, " PICTURE,
    "video/x-raw(memory:SystemMemory), " PICTURE,
    "video/x-raw(meta:GstVideoOverlayComposition), " PICTURE,
    "video/x-raw(memory:SystemMemory, meta:GstVideoOverlayComposition)",
    "video/x-raw(format:Interlaced), " PICTURE, "video/x-raw(vendor:mark)" };
  GstElement *sink = gst_element_factory_make ("datahubsink", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (caps); i++)
    expect_answer (sink, caps[i], caps[i]);
  fail_unless (accepts (sink, caps[2]) && accepts (sink, caps[4]));
  expect_answer (sink, "audio/x-raw(ANY), rate=8000", "audio/x-raw, rate=8000");
  expect_answer (sink, "video/x-raw(ANY)",
      "video/x-raw; video/x-raw(meta:GstVideoOverlayComposition);"
      "video/x-raw(format:Interlaced);"
      "video/x-raw(format:Interlaced, meta:GstVideoOverlayComposition)");
  gst_object_unref (sink);
}
GST_END_TEST;

static void
expect_refusal (const gchar *memory, const gchar *converter)
{
  g_autofree gchar *line =
      g_strdup_printf ("appsrc name=src caps=\"video/x-raw(memory:%s), " PICTURE
                       "\" ! datahubsink datablock=test",
          memory);
  GstElement *pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
  g_autoptr (GstBuffer) buffer = gst_buffer_new_allocate (NULL, 1024, NULL);
  GstFlowReturn flow;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_signal_emit_by_name (src, "push-buffer", buffer, &flow);
  expect_error (pipeline, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
      converter);
  fail_unless_equals_int (sandbox_count_files (), 0);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

GST_START_TEST (a_refusal_names_the_element_to_put_in_front)
{
  expect_refusal ("GLMemory", "Put gldownload in front of datahubsink");
  expect_refusal ("DMABuf", "Put vapostproc, or glupload ! gldownload, in");
  expect_refusal ("NVMM", "Put nvvideoconvert in");
  expect_refusal ("OfSomeVendor", "an element that converts to system memory");
}
GST_END_TEST;

/* An upstream element that can produce several memories queries for one after the
 * other. */
GST_START_TEST (a_query_for_one_of_several_memories_is_no_error)
{
  GstElement *pipeline =
      gst_parse_launch ("appsrc ! capsfilter "
                        "caps=\"video/x-raw(memory:GLMemory); video/x-raw\" ! "
                        "datahubsink name=sink datablock=test",
          NULL);
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  g_autoptr (GstCaps) upstream = NULL;
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  upstream = gst_pad_peer_query_caps (pad, NULL);
  fail_unless_equals_int (gst_caps_get_size (upstream), 2);
  expect_answer (sink, "video/x-raw(memory:GLMemory)", "EMPTY");
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR) == NULL);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_sink_offers_system_memory_only);
  tcase_add_test (tc, features_of_the_content_pass);
  tcase_add_test (tc, a_refusal_names_the_element_to_put_in_front);
  tcase_add_test (tc, a_query_for_one_of_several_memories_is_no_error);
}

SANDBOX_MAIN (features)
