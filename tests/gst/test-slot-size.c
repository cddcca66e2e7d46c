/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How big a slot is to be, by what is known of the stream. */
#include "gstdatahubsinksettings.h"
#include "suite.h"

GST_START_TEST (slots_follow_the_stream)
{
  g_autoptr (GstCaps) video = gst_caps_from_string (
      "video/x-raw, format=I420, width=640, height=480, framerate=25/1");
  g_autoptr (GstCaps) audio = gst_caps_from_string (
      "audio/x-raw, format=S16LE, rate=48000, channels=2, layout=interleaved");
  g_autoptr (GstCaps) other = gst_caps_from_string ("video/x-h264");
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 5000, NULL);
  GstDatahubSlotSize size = gst_datahub_slot_size_from_caps (video);
  fail_unless (size.slot_size >= 640 * 480 * 3 / 2 + 4096 && !size.pack);
  size = gst_datahub_slot_size_from_caps (audio);
  fail_unless (size.slot_size == 65536 && size.pack);
  fail_unless_equals_uint64 (gst_datahub_slot_size_from_caps (other).slot_size,
      0);
  fail_unless_equals_uint64 (
      gst_datahub_slot_size_from_buffer (buffer).slot_size, 12288);
  fail_unless_equals_uint64 (gst_datahub_slot_size_from_buffer (NULL).slot_size,
      4096);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, slots_follow_the_stream);
}

SUITE_MAIN (slot_size)
