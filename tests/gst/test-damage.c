/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Payload that was written over in shared memory: with checksums it is told once
 * and skipped. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* Flips a bit of the only place in the pools that has these bytes. */
static void
damage (guint32 number)
{
  g_autoptr (GDir) dir = g_dir_open (sandbox_directory (), 0, NULL);
  const gchar *name;
  guint found = 0;
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path =
        g_build_filename (sandbox_directory (), name, NULL);
    g_autoptr (GMappedFile) file = NULL;
    gchar *bytes;
    if (!strstr (name, ".d"))
      continue;
    file = g_mapped_file_new (path, FALSE, NULL);
    bytes = g_mapped_file_get_contents (file);
    for (gsize at = 4096; at < g_mapped_file_get_length (file); at += 64)
      if (memcmp (bytes + at, &number, sizeof number) == 0) {
        int fd = g_open (path, O_RDWR | O_CLOEXEC);
        guint8 byte = bytes[at + 63] ^ 0x20;
        fail_unless (fd >= 0);
        fail_unless_equals_int (pwrite (fd, &byte, 1, (off_t) at + 63), 1);
        close (fd);
        found++;
      }
  }
  fail_unless_equals_int (found, 1);
}

static void
skips_damaged (const gchar *checksum)
{
  g_autofree gchar *properties = g_strdup_printf ("checksum=%s", checksum);
  GstHarness *sink = number_sink (properties), *src;
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) warning = NULL;
  gboolean discont;
  for (guint32 i = 0; i < 5; i++)
    push_number (sink, 0xda7a0000 + i);
  damage (0xda7a0001);
  damage (0xda7a0003);
  src = harness_src_heard ("delivery=reliable start-at=oldest");
  fail_unless_equals_int (take_number (src, NULL), 0xda7a0000);
  fail_unless_equals_int (take_number (src, &discont), 0xda7a0002);
  fail_unless (discont);
  fail_unless_equals_int (take_number (src, &discont), 0xda7a0004);
  fail_unless (discont);
  push_number (sink, 5);
  fail_unless_equals_int (take_number (src, &discont), 5);
  fail_if (discont);
  fail_unless_equals_uint64 (element_stat (src->element, "damaged"), 2);
  fail_unless_equals_uint64 (element_stat (src->element, "lost"), 2);
  fail_unless_equals_uint64 (element_stat (src->element, "received"), 4);
  message = wait_message (src->element, GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &warning, NULL);
  fail_unless (g_error_matches (warning, GST_STREAM_ERROR,
      GST_STREAM_ERROR_FORMAT));
  fail_unless (strstr (warning->message, "checksum") != NULL);
  /* once */
  {
    g_autoptr (GstBus) bus = gst_element_get_bus (src->element);
    fail_unless (gst_bus_pop_filtered (bus,
                     GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)
        == NULL);
  }
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}

GST_START_TEST (a_buffer_with_a_wrong_crc_is_told_once_and_skipped)
{
  skips_damaged ("crc32c");
}
GST_END_TEST;

GST_START_TEST (a_buffer_with_a_wrong_blake2b_is_told_once_and_skipped)
{
  skips_damaged ("blake2b");
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_buffer_with_a_wrong_crc_is_told_once_and_skipped);
  tcase_add_test (tc, a_buffer_with_a_wrong_blake2b_is_told_once_and_skipped);
}

SANDBOX_MAIN (damage)
