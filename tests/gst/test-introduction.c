/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A strict block without an introduction: the message names what is missing, and the
 * timeout holds. */
#include "child.h"
#include "messages.h"
#include "sandbox.h"

#include <datahub/datahub.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define STRICT                                                                 \
  TEST_PICTURE " ! datahubsink name=sink datablock=cam0 strict=true"

static const gchar *
pid_of (Child *child)
{
  return g_subprocess_get_identifier (child->process);
}

/* Waits for the broker of the runtime directory. */
static DatahubHub *
connect_hub (DatahubHub *hub)
{
  fail_unless (datahub_hub_connect_to (hub, "auto", NULL, NULL, NULL));
  fail_unless (datahub_hub_wait_connected (hub, 30 * GST_SECOND, NULL, NULL));
  return hub;
}

static GstMessage *
play_until (GstElement **pipeline, const gchar *properties,
    GstMessageType types)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc datablock=cam0 broker=auto %s ! fakesink",
          properties);
  *pipeline = gst_parse_launch (line, NULL);
  gst_element_set_state (*pipeline, GST_STATE_PLAYING);
  return wait_message (*pipeline, types);
}

/* An error within the timeout of 1.8 s, or, without a timeout, a warning, which takes
 * two seconds at least. */
static GError *
get_complaint (gboolean timed)
{
  GstElement *pipeline;
  g_autoptr (GstMessage) message = NULL;
  GError *error = NULL;
  gint64 start = g_get_monotonic_time (), took;
  message = play_until (&pipeline, timed ? "timeout=1800000000" : "",
      GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
  took = g_get_monotonic_time () - start;
  fail_unless_equals_int (GST_MESSAGE_TYPE (message),
      timed ? GST_MESSAGE_ERROR : GST_MESSAGE_WARNING);
  if (timed)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  fail_unless (took >= 1790000, "%" G_GINT64_FORMAT " us", took);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return error;
}

static void
expect_complaint (gint code, const gchar *const *words)
{
  for (gint timed = 0; timed < 2; timed++) {
    g_autoptr (GError) error = get_complaint (timed);
    fail_unless (g_error_matches (error, GST_RESOURCE_ERROR, code), "%d: %s",
        error->code, error->message);
    for (guint i = 0; words[i]; i++)
      fail_unless (strstr (error->message, words[i]) != NULL, "no %s: %s",
          words[i], error->message);
  }
}

GST_START_TEST (the_process_that_hosts_the_broker_is_stopped)
{
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  Child *host = child_start ("fakesrc is-live=true do-timestamp=true "
                             "! datahubsink name=sink datablock=host "
                             "broker=auto");
  Child *producer, *proof;
  g_autofree gchar *kill = g_strdup_printf ("kill -CONT %s", pid_of (host));
  const gchar *words[] = { "\"cam0\"", "broker.sock", kill, "stopped", NULL };
  child_expect (host, "playing");
  /* no other process can host it meanwhile */
  g_object_unref (connect_hub (datahub_hub_new (DATAHUB_HUB_MONITOR)));
  producer = child_start (STRICT " broker=auto");
  child_expect (producer, "playing");
  /* it was introduced, so the broker is the first one's */
  proof = child_start ("datahubsrc datablock=cam0 broker=auto ! "
                       "fakesink name=show");
  child_take_buffers (proof, 1);
  child_stop (proof);
  child_halt (host);
  expect_complaint (GST_RESOURCE_ERROR_BUSY, words);
  child_signal (host, SIGCONT);
  child_stop (producer);
  child_stop (host);
  g_unsetenv ("DATAHUB_BROKER_HOST");
}
GST_END_TEST;

/* The message has the number of the helper, not that of a program that uses it. */
static int
find_helper (void)
{
  gboolean stopped;
  g_autofree gchar *where = datahub_hub_describe_broker ("auto", &stopped);
  const gchar *process = strstr (where, "process ");
  fail_unless (strstr (where, "(datahub-broker)") && process, "%s", where);
  fail_if (stopped);
  return atoi (process + strlen ("process "));
}

GST_START_TEST (the_helper_of_the_broker_is_stopped)
{
  DatahubHub *hub = connect_hub (datahub_hub_new (DATAHUB_HUB_DEFAULT));
  int helper = find_helper ();
  g_autofree gchar *command = g_strdup_printf ("kill -CONT %d", helper);
  const gchar *words[] = { "\"cam0\"", "broker.sock", "(datahub-broker)",
    command, NULL };
  Child *producer = child_start (STRICT " broker=auto");
  child_expect (producer, "playing");
  fail_unless (kill (helper, SIGSTOP) == 0);
  expect_complaint (GST_RESOURCE_ERROR_BUSY, words);
  fail_unless (kill (helper, SIGCONT) == 0);
  g_object_unref (hub);
  child_stop (producer);
}
GST_END_TEST;

static void
remove_directory (const gchar *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const gchar *name;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree gchar *file = g_build_filename (path, name, NULL);
    g_unlink (file);
  }
  g_rmdir (path);
}

GST_START_TEST (producer_and_consumer_have_two_brokers)
{
  g_autofree gchar *runtime = g_strdup (g_getenv ("DATAHUB_RUNTIME_DIR"));
  g_autofree gchar *other = g_dir_make_tmp ("datahub-gst-XXXXXX", NULL);
  const gchar *words[] = { "\"cam0\"", "does not know it", runtime,
    "DATAHUB_RUNTIME_DIR", NULL };
  DatahubHub *shared;
  Child *producer;
  g_setenv ("DATAHUB_RUNTIME_DIR", other, TRUE);
  producer = child_start (STRICT " broker=auto");
  g_setenv ("DATAHUB_RUNTIME_DIR", runtime, TRUE);
  child_expect (producer, "playing");
  /* the hub of the source: its own broker answers */
  shared = datahub_hub_get_shared ("auto", NULL, NULL, NULL);
  fail_unless (datahub_hub_wait_connected (shared, 30 * GST_SECOND, NULL,
      NULL));
  expect_complaint (GST_RESOURCE_ERROR_NOT_AUTHORIZED, words);
  g_object_unref (shared);
  child_stop (producer);
  remove_directory (other);
}
GST_END_TEST;

GST_START_TEST (a_stopped_producer_is_named)
{
  Child *producer = child_start (STRICT " broker=none");
  g_autofree gchar *process =
      g_strdup_printf ("process %s,", pid_of (producer));
  const gchar *words[] = { "\"cam0\"", "does not answer", process, "kill -CONT",
    NULL };
  child_expect (producer, "playing");
  child_halt (producer);
  expect_complaint (GST_RESOURCE_ERROR_BUSY, words);
  child_signal (producer, SIGCONT);
  child_stop (producer);
}
GST_END_TEST;

GST_START_TEST (no_producer_is_no_complaint_of_the_broker)
{
  g_autoptr (GError) error = get_complaint (TRUE);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_FOUND));
}
GST_END_TEST;

/* A broker on a busy machine may answer after the timeout of the source. */
#define TRIES 10

/* As containers that share a runtime directory, and no memory. */
GST_START_TEST (the_block_is_in_other_memory)
{
  g_autofree gchar *here = g_strdup (g_getenv ("DATAHUB_SHM_DIR"));
  g_autofree gchar *there = g_strdup ("/dev/shm/datahub-gst-XXXXXX");
  const gchar *words[] = { "\"cam0\" has a producer", "not in", here,
    "DATAHUB_SHM_DIR", NULL };
  g_autoptr (DatahubHubBlock) block = NULL;
  g_autoptr (GError) warning = NULL, error = NULL;
  DatahubHub *shared;
  Child *producer;
  fail_unless (g_mkdtemp (there) != NULL);
  g_setenv ("DATAHUB_SHM_DIR", there, TRUE);
  producer = child_start (TEST_PICTURE " ! datahubsink name=sink "
                                       "datablock=cam0 broker=auto");
  g_setenv ("DATAHUB_SHM_DIR", here, TRUE);
  child_expect (producer, "playing");
  shared = datahub_hub_get_shared ("auto", NULL, NULL, NULL);
  block = datahub_hub_find (shared, "cam0", 30 * GST_SECOND, NULL, NULL);
  fail_unless (block != NULL);
  warning = get_complaint (FALSE);
  fail_unless (g_error_matches (warning, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_FOUND));
  for (guint i = 0; words[i]; i++)
    fail_unless (strstr (warning->message, words[i]) != NULL, "%s",
        warning->message);
  for (guint i = 0; i < TRIES && (!error || !strstr (error->message, words[0]));
       i++) {
    g_clear_error (&error);
    error = get_complaint (TRUE);
  }
  fail_unless (strstr (error->message, words[0]) != NULL, "%s", error->message);
  g_object_unref (shared);
  child_stop (producer);
  remove_directory (there);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, the_process_that_hosts_the_broker_is_stopped);
  tcase_add_test (tc, the_helper_of_the_broker_is_stopped);
  tcase_add_test (tc, producer_and_consumer_have_two_brokers);
  tcase_add_test (tc, a_stopped_producer_is_named);
  tcase_add_test (tc, the_block_is_in_other_memory);
  tcase_add_test (tc, no_producer_is_no_complaint_of_the_broker);
}

SANDBOX_MAIN (introduction)
