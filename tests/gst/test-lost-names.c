/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of a block are removed while its sink plays. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"
#include "until.h"

#include <datahub/block.h>
#include <glib/gstdio.h>

/* Pushes numbers from @number on until @done. Returns: the next one */
static guint32
push_until (GstHarness *sink, guint32 number, gboolean (*done) (gpointer data),
    gpointer data)
{
  UNTIL ((push_number (sink, number++), done (data)));
  return number;
}

static gboolean
is_renewed (gpointer data)
{
  return element_stat (((GstHarness *) data)->element, "renewals") > 0;
}

static gboolean
has_entry (gpointer data)
{
  DatahubBlockGlance glance;
  return datahub_block_glance ("test", &glance, NULL) == DATAHUB_OK
      && glance.producer_alive;
}

/* Files of blocks with @word in the name; all of them: NULL. */
static void
remove_files (const gchar *word)
{
  const gchar *path = g_getenv ("DATAHUB_SHM_DIR"), *name;
  GDir *dir = g_dir_open (path, 0, NULL);
  guint n = 0;
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *file = g_build_filename (path, name, NULL);
    if (!g_str_has_prefix (name, "datahub-") || (word && !strstr (name, word)))
      continue;
    fail_unless (g_unlink (file) == 0);
    n++;
  }
  g_dir_close (dir);
  fail_unless (n > 0);
}

/* All numbers come, in their order, to the end. */
static void
expect_numbers (GstHarness *src, guint32 begin, guint32 end)
{
  for (guint32 n = begin; n < end; n++)
    fail_unless_equals_int (take_number (src, NULL), n);
}

/* @word: the names to remove. A consumer that is attached loses nothing, whatever it
 * does at the end of a producer; the next one finds the stream. */
static void
lose_names (const gchar *word, const gchar *properties)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1"), *src, *late;
  g_autofree gchar *options =
      g_strdup_printf ("delivery=reliable start-at=oldest %s", properties);
  GstBus *bus = gst_bus_new ();
  guint32 next;
  gst_element_set_bus (sink->element, bus);
  src = harness_src (options);
  push_number (sink, 0);
  fail_unless_equals_int (take_number (src, NULL), 0);
  remove_files (word);
  next = push_until (sink, 1, is_renewed, sink);
  push_number (sink, next++);
  push_number (sink, next++);
  expect_numbers (src, 1, next);
  late = harness_src ("start-at=oldest");
  push_number (sink, next);
  while (take_number (late, NULL) != next)
    ;
  fail_unless_equals_int (take_number (src, NULL), next);
  gst_message_unref (wait_message (sink->element, GST_MESSAGE_WARNING));
  fail_unless_equals_uint64 (element_stat (sink->element, "renewals"), 1);
  fail_unless_equals_uint64 (element_stat (src->element, "lost"), 0);
  gst_harness_teardown (late);
  gst_harness_teardown (src);
  gst_element_set_bus (sink->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (sink);
}

GST_START_TEST (all_names_are_mended)
{
  lose_names (NULL, "");
}
GST_END_TEST;

GST_START_TEST (a_part_is_mended)
{
  lose_names (".ctl", "");
}
GST_END_TEST;

GST_START_TEST (no_end_for_a_consumer_that_would_end)
{
  lose_names (NULL, "on-disconnect=eos");
}
GST_END_TEST;

GST_START_TEST (a_strict_block_is_mended)
{
  GstHarness *sink = number_sink ("strict=true"), *late;
  guint32 next;
  push_number (sink, 0);
  remove_files (".sck");
  next = push_until (sink, 1, is_renewed, sink);
  late = harness_src ("start-at=oldest");
  push_number (sink, next);
  while (take_number (late, NULL) != next)
    ;
  gst_harness_teardown (late);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The entry alone is linked again: the block is the same. */
GST_START_TEST (an_entry_is_mended)
{
  GstHarness *sink = number_sink (""), *late;
  guint32 next;
  push_number (sink, 0);
  remove_files ("-test");
  fail_if (has_entry (NULL));
  next = push_until (sink, 1, has_entry, NULL);
  late = harness_src ("start-at=oldest");
  push_number (sink, next);
  while (take_number (late, NULL) != next)
    ;
  fail_unless_equals_uint64 (element_stat (sink->element, "renewals"), 0);
  gst_harness_teardown (late);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The stop finds a block that the service thread may not have gone over to. */
GST_START_TEST (a_stop_right_behind)
{
  for (guint i = 0; i < 3; i++) {
    GstHarness *sink = number_sink ("");
    push_number (sink, 0);
    remove_files (NULL);
    push_until (sink, 1, is_renewed, sink);
    gst_harness_teardown (sink);
  }
}
GST_END_TEST;

/* Another producer has the name: it keeps it, and there is one warning. */
GST_START_TEST (a_name_that_was_taken_is_left)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1"), *src, *other, *late;
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  g_autoptr (GError) error = NULL;
  gst_element_set_bus (sink->element, bus);
  src = harness_src ("start-at=oldest");
  push_number (sink, 0);
  fail_unless_equals_int (take_number (src, NULL), 0);
  remove_files ("-test");
  other = number_sink ("");
  push_number (other, 100);
  message = wait_message (sink->element, GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_BUSY));
  gst_message_unref (message);
  late = harness_src ("start-at=oldest");
  fail_unless_equals_int (take_number (late, NULL), 100);
  push_number (sink, 1);
  fail_unless_equals_int (take_number (src, NULL), 1);
  gst_harness_teardown (late);
  gst_harness_teardown (other);
  gst_harness_teardown (src);
  gst_element_set_bus (sink->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, all_names_are_mended);
  tcase_add_test (tc, a_part_is_mended);
  tcase_add_test (tc, no_end_for_a_consumer_that_would_end);
  tcase_add_test (tc, a_strict_block_is_mended);
  tcase_add_test (tc, an_entry_is_mended);
  tcase_add_test (tc, a_stop_right_behind);
  tcase_add_test (tc, a_name_that_was_taken_is_left);
}

SANDBOX_MAIN (lost_names)
