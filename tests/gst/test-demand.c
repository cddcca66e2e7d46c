/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source that is on while consumers are attached. The producer is another process,
 * and a file that its source opens stands for the camera. */
#include "child.h"
#include "sandbox.h"
#include "until.h"

#include <glib/gstdio.h>

#include <datahub/datahub.h>
#include <signal.h>
#include <unistd.h>

#define FRAME "rawvideoparse format=gray8 width=64 height=64 framerate=25/1"
#define DISCONT 0x40u

static const gchar *
pid_of (const Child *child)
{
  return g_subprocess_get_identifier (child->process);
}

/* Whether the process has the file open, as the kernel shows it. */
static gboolean
has_open (const Child *child, const gchar *path)
{
  g_autofree gchar *folder = g_strdup_printf ("/proc/%s/fd", pid_of (child));
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;
  gboolean found = FALSE;
  while (dir && !found && (name = g_dir_read_name (dir))) {
    g_autofree gchar *fd = g_build_filename (folder, name, NULL);
    g_autofree gchar *target = g_file_read_link (fd, NULL);
    found = g_strcmp0 (target, path) == 0;
  }
  return found;
}

static Child *
camera (const gchar *properties)
{
  Child *child = child_start ("filesrc name=camera location=/dev/zero ! " FRAME
                              " ! datahubsink name=sink datablock=cam0 "
                              "on-demand=true %s",
      properties);
  child_expect (child, "playing");
  return child;
}

static void
expect_started (Child *camera)
{
  child_expect_word (camera, "message sink datahub-source-started", "camera");
}

static void
expect_stopped (Child *camera)
{
  child_expect_word (camera, "message sink datahub-source-stopped", "camera");
}

/* The next line about a source; the caller frees it. */
static gchar *
next_switch (Child *camera)
{
  return child_next (camera, "message sink datahub-source-");
}

static void
check_on_and_off (const gchar *broker)
{
  Child *producer, *consumer;
  g_autofree gchar *properties =
      g_strdup_printf ("on-demand-linger=0 broker=%s", broker);
  g_autofree gchar *reader = g_strdup_printf ("broker=%s", broker);
  producer = camera (properties);
  for (guint i = 0; i < 3; i++) {
    g_autofree gchar *first = NULL;
    fail_if (has_open (producer, "/dev/zero"));
    consumer = child_consumer (reader);
    first = child_next (consumer, "buffer show");
    /* not the last picture of the time before */
    fail_unless (first && child_flags (first) & DISCONT, "%s", first);
    fail_unless (child_pts (first) < 60 * (gint64) GST_SECOND);
    fail_unless (has_open (producer, "/dev/zero"));
    expect_started (producer);
    child_take_buffers (consumer, 3);
    child_stop (consumer);
    expect_stopped (producer);
  }
  fail_if (has_open (producer, "/dev/zero"));
  child_stop (producer);
}

GST_START_TEST (the_source_is_on_while_there_is_a_consumer)
{
  check_on_and_off ("auto");
}
GST_END_TEST;

GST_START_TEST (no_broker_is_needed_for_it)
{
  check_on_and_off ("none");
}
GST_END_TEST;

GST_START_TEST (a_killed_consumer_is_no_demand_and_a_stopped_one_is)
{
  Child *producer = camera ("on-demand-linger=0"), *first, *second;
  g_autofree gchar *line = NULL;
  first = child_consumer ("");
  child_take_buffers (first, 1);
  expect_started (producer);
  child_halt (first);
  second = child_consumer ("");
  child_take_buffers (second, 1);
  child_stop (second);
  child_expect (producer, "message sink consumer-removed");
  fail_unless (has_open (producer, "/dev/zero"));
  child_kill (first);
  line = next_switch (producer);
  fail_unless (line && strstr (line, "stopped"), "%s", line);
  fail_if (has_open (producer, "/dev/zero"));
  child_stop (producer);
}
GST_END_TEST;

GST_START_TEST (many_consumers_start_it_once)
{
  Child *producer = camera ("on-demand-linger=0"), *consumers;
  g_autoptr (GString) line = g_string_new ("");
  g_autofree gchar *next = NULL;
  for (guint i = 0; i < 20; i++)
    g_string_append_printf (line,
        "datahubsrc datablock=cam0 ! fakesink "
        "name=show%u ",
        i);
  consumers = child_start ("%s", line->str);
  for (guint i = 0; i < 20; i++)
    child_expect (producer, "message sink consumer-added");
  child_expect (consumers, "buffer show19");
  child_kill (consumers);
  for (guint i = 0; i < 20; i++)
    child_expect (producer, "message sink consumer-removed");
  expect_stopped (producer);
  child_signal (producer, SIGINT);
  next = next_switch (producer);
  fail_unless (next == NULL, "%s", next);
  fail_unless_equals_int (child_end (producer), 0);
}
GST_END_TEST;

/* The lines of the producer from the first consumer to the second one that left. */
GST_START_TEST (a_consumer_that_comes_in_time_keeps_it_on)
{
  Child *producer = camera ("on-demand-linger=20000000000"), *consumer;
  guint removed = 0, started = 0, stopped = 0;
  consumer = child_consumer ("");
  child_take_buffers (consumer, 1);
  child_stop (consumer);
  consumer = child_consumer ("");
  child_take_buffers (consumer, 1);
  child_stop (consumer);
  while (removed < 2) {
    g_autofree gchar *line = child_next (producer, "message sink ");
    fail_unless (line != NULL);
    removed += strstr (line, "consumer-removed") != NULL;
    started += strstr (line, "source-started") != NULL;
    stopped += strstr (line, "source-stopped") != NULL;
  }
  fail_unless_equals_int (started, 1);
  fail_unless_equals_int (stopped, 0);
  fail_unless (has_open (producer, "/dev/zero"));
  child_stop (producer);
}
GST_END_TEST;

GST_START_TEST (who_only_looks_is_no_demand)
{
  Child *producer = camera ("on-demand-linger=0"), *consumer;
  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);
  g_autofree gchar *line = NULL;
  for (guint i = 0; i < 20; i++)
    fail_unless (datahub_block_inspect ("cam0", info, NULL) == DATAHUB_OK);
  fail_unless_equals_string (info->caps, "");
  fail_if (has_open (producer, "/dev/zero"));
  consumer = child_consumer ("");
  line = child_next (producer, "message sink ");
  fail_unless (line && strstr (line, "consumer-added"), "%s", line);
  child_take_buffers (consumer, 1);
  child_stop (consumer);
  child_stop (producer);
}
GST_END_TEST;

static gchar *
write_pictures (guint n)
{
  gchar *path = g_build_filename (sandbox_directory (), "pictures", NULL);
  g_autofree gchar *bytes = g_malloc0 (n * 4096);
  fail_unless (g_file_set_contents (path, bytes, n * 4096, NULL));
  return path;
}

/* The parser reads the file in pull mode: it must not run without the source. */
GST_START_TEST (a_source_that_ended_begins_again_for_the_next_consumer)
{
  g_autofree gchar *path = write_pictures (5);
  Child *producer = child_start ("filesrc name=camera location=%s ! " FRAME
                                 " ! datahubsink name=sink datablock=cam0 "
                                 "on-demand=true",
      path);
  child_expect (producer, "playing");
  fail_if (has_open (producer, path));
  for (guint i = 0; i < 3; i++) {
    Child *consumer = child_consumer ("delivery=reliable");
    child_take_buffers (consumer, 5);
    child_expect (consumer, "eos");
    fail_unless_equals_int (child_end (consumer), 0);
    expect_stopped (producer);
    fail_if (has_open (producer, path));
    UNTIL (datahub_block_glance ("cam0", &(DatahubBlockGlance){ 0 }, NULL)
        == DATAHUB_OK);
  }
  child_stop (producer);
  g_unlink (path);
}
GST_END_TEST;

/* Its row is still there when the producer is another process. */
GST_START_TEST (a_producer_that_comes_back_finds_its_demand)
{
  Child *producer = camera ("on-demand-linger=0"), *consumer;
  consumer = child_consumer ("");
  child_take_buffers (consumer, 2);
  child_kill (producer);
  producer = camera ("on-demand-linger=0");
  expect_started (producer);
  child_expect (consumer, "event show segment");
  child_take_buffers (consumer, 2);
  child_stop (consumer);
  expect_stopped (producer);
  child_stop (producer);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, the_source_is_on_while_there_is_a_consumer);
  tcase_add_test (tc, no_broker_is_needed_for_it);
  tcase_add_test (tc, a_killed_consumer_is_no_demand_and_a_stopped_one_is);
  tcase_add_test (tc, many_consumers_start_it_once);
  tcase_add_test (tc, a_consumer_that_comes_in_time_keeps_it_on);
  tcase_add_test (tc, who_only_looks_is_no_demand);
  tcase_add_test (tc, a_source_that_ended_begins_again_for_the_next_consumer);
  tcase_add_test (tc, a_producer_that_comes_back_finds_its_demand);
}

SANDBOX_MAIN (demand)
