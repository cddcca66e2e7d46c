/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source at a name that is not a block of its user: it names
 * the owner, and waits. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"
#include "common/other-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define OTHER 4002u

static gchar *
own_entry (void)
{
  return g_strdup_printf ("%s/datahub-%u-test", g_getenv ("DATAHUB_SHM_DIR"),
      (guint) geteuid ());
}

static void
expect_message (GstElement *element, GstMessageType type, GQuark domain,
    gint code, const gchar *word)
{
  GstMessage *message = wait_message (element, type);
  g_autoptr (GError) error = NULL;
  if (type == GST_MESSAGE_WARNING)
    gst_message_parse_warning (message, &error, NULL);
  else
    gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, domain, code), "%s", error->message);
  fail_unless (strstr (error->message, word) != NULL, "%s", error->message);
  gst_message_unref (message);
}

static void
expect_refusal (GstElement *element, GstMessageType type, const gchar *word)
{
  expect_message (element, type, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_AUTHORIZED, word);
}

static void
expect_damage (GstElement *element, GstMessageType type, const gchar *word)
{
  expect_message (element, type, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
      word);
}

/* A directory, a FIFO, a device, ...: one kind each time. */
GST_START_TEST (no_plain_file_at_the_entry_ends_no_wait)
{
  g_autofree gchar *path = own_entry ();
  g_autofree gchar *word = g_strdup_printf ("of user %u", (guint) geteuid ());
  GstHarness *src, *sink;
  int number = other_file_make (__i__, path);
  if (number == EPERM && geteuid () != 0)
    return; /* a device */
  fail_unless_equals_int (number, 0);
  src = harness_src_heard ("start-at=oldest");
  expect_refusal (src->element, GST_MESSAGE_WARNING, word);
  fail_unless (g_remove (path) == 0);
  sink = number_sink ("wait-for-consumers=1");
  push_number (sink, 5);
  fail_unless_equals_int (take_number (src, NULL), 5);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A producer replaces it, and the source has its data. */
static void
expect_replaced (GstHarness *src, guint8 number)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1");
  push_number (sink, number);
  fail_unless_equals_int (take_number (src, NULL), number);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}

/* As long as the lock file is and longer, empty, and all zeros. */
static const gsize plain_sizes[] = { 0, 1, 100, 9000 };

GST_START_TEST (a_plain_file_at_the_entry_ends_no_wait)
{
  g_autofree gchar *path = own_entry ();
  gsize size = plain_sizes[__i__ / 2];
  g_autofree gchar *content = g_strnfill (size, __i__ % 2 ? 'x' : ' ');
  GstHarness *src;
  memset (content, __i__ % 2 ? 0xa5 : 0, size);
  fail_unless (g_file_set_contents (path, content, (gssize) size, NULL));
  src = harness_src_heard ("start-at=oldest");
  expect_damage (src->element, GST_MESSAGE_WARNING, "The next producer");
  expect_replaced (src, 6);
}
GST_END_TEST;

/* Also while a process has locked it as a producer does. */
GST_START_TEST (a_timeout_says_that_the_file_is_no_block)
{
  g_autofree gchar *path = own_entry ();
  struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
  GstHarness *src;
  gint fd = g_open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  fail_unless (fd >= 0 && fcntl (fd, F_OFD_SETLK, &lock) == 0);
  src = harness_src_heard ("timeout=300000000");
  expect_damage (src->element, GST_MESSAGE_ERROR, "Stop its producer");
  gst_harness_teardown (src);
  close (fd);
  src = harness_src_heard ("timeout=300000000");
  expect_damage (src->element, GST_MESSAGE_ERROR, "The next producer");
  gst_harness_teardown (src);
  fail_unless (g_unlink (path) == 0);
}
GST_END_TEST;

GST_START_TEST (a_timeout_says_whose_the_name_is)
{
  g_autofree gchar *path = own_entry ();
  GstHarness *src;
  fail_unless (g_mkdir (path, 0700) == 0);
  src = harness_src_heard ("timeout=300000000");
  expect_refusal (src->element, GST_MESSAGE_ERROR, path);
  gst_harness_teardown (src);
  fail_unless (g_rmdir (path) == 0);
}
GST_END_TEST;

/* The name of another user is not the own one: a producer of this user has it too,
 * and then there is nothing to refuse. */
GST_START_TEST (the_block_of_another_user_is_named)
{
  g_autofree gchar *path = g_strdup_printf ("%s/datahub-%u-test",
      g_getenv ("DATAHUB_SHM_DIR"), OTHER);
  GstHarness *src, *sink;
  gint fd;
  if (geteuid () != 0) {
    g_print ("skipped: only root can make files of another user\n");
    return;
  }
  fd = g_open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  fail_unless (fd >= 0 && fchown (fd, OTHER, OTHER) == 0);
  close (fd);
  src = harness_src_heard ("start-at=oldest");
  expect_refusal (src->element, GST_MESSAGE_WARNING, "user 4002 ");
  sink = number_sink ("wait-for-consumers=1");
  push_number (sink, 7);
  fail_unless_equals_int (take_number (src, NULL), 7);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
  fail_unless (g_unlink (path) == 0);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_loop_test (tc, no_plain_file_at_the_entry_ends_no_wait, 0,
      N_OTHER_FILES);
  tcase_add_loop_test (tc, a_plain_file_at_the_entry_ends_no_wait, 0,
      2 * G_N_ELEMENTS (plain_sizes));
  tcase_add_test (tc, a_timeout_says_that_the_file_is_no_block);
  tcase_add_test (tc, a_timeout_says_whose_the_name_is);
  tcase_add_test (tc, the_block_of_another_user_is_named);
}

SANDBOX_MAIN (identity)
