/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "numbers.h"

GstHarness *
number_sink (const gchar *properties)
{
  GstHarness *h = harness_sink (properties);
  gst_harness_set_src_caps_str (h, TEST_CAPS);
  return h;
}

void
push_number_sized (GstHarness *h, guint32 number, gsize size,
    GstBufferFlags flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  gst_buffer_fill (buffer, 0, &number, sizeof number);
  GST_BUFFER_FLAG_SET (buffer, flags);
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

void
push_number (GstHarness *h, guint32 number)
{
  push_number_sized (h, number, 64, (GstBufferFlags) 0);
}

guint32
take_number (GstHarness *h, gboolean *discont)
{
  GstBuffer *buffer = gst_harness_pull (h);
  guint32 number = 0;
  fail_unless (buffer != NULL);
  gst_buffer_extract (buffer, 0, &number, sizeof number);
  if (discont)
    *discont = GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  gst_buffer_unref (buffer);
  return number;
}
