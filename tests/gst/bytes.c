/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bytes.h"

GstBuffer *
bytes_buffer (gsize size, guint8 value)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  gst_buffer_memset (buffer, 0, value, size);
  return buffer;
}

void
push_bytes (GstHarness *h, gsize size, guint8 value)
{
  fail_unless_equals_int (gst_harness_push (h, bytes_buffer (size, value)),
      GST_FLOW_OK);
}

void
check_bytes (GstBuffer *buffer, gsize size, guint8 value)
{
  GstMapInfo map;
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  fail_unless_equals_int (map.size, size);
  for (gsize i = 0; i < size; i++)
    fail_unless_equals_int (map.data[i], value);
  gst_buffer_unmap (buffer, &map);
}

void
take_bytes (GstHarness *h, gsize size, guint8 value)
{
  GstBuffer *buffer = gst_harness_pull (h);
  fail_unless (buffer != NULL);
  check_bytes (buffer, size, value);
  gst_buffer_unref (buffer);
}
