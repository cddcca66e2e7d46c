/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The descriptors that each more element takes from its process. Those of the first
 * one are not counted: the directory, the watch, and what GLib makes once. */
#include "harness.h"
#include "messages.h"
#include "sandbox.h"
#include "until.h"

#define MORE 4

/* as docs/elements.md has them */
#define OF_SINK 4
#define OF_STRICT_SINK 8
#define OF_SOURCE 1
#define OF_STRICT_SOURCE 4
/* a row and a connection, for each consumer of a strict block */
#define OF_STRICT_SINK_PER_CONSUMER 2

typedef GstHarness *(*Make) (guint i, const gchar *properties);

static GstHarness *
make_sink (guint i, const gchar *properties)
{
  g_autofree gchar *all =
      g_strdup_printf ("broker=none datablock=d%u %s", i, properties);
  GstHarness *h = harness_sink (all);
  gst_harness_set_src_caps_str (h, VIDEO_CAPS (16, 16));
  fail_unless_equals_int (gst_harness_push (h,
                              gst_buffer_new_allocate (NULL, 256, NULL)),
      GST_FLOW_OK);
  return h;
}

/* It has read a buffer. */
static GstHarness *
make_source (guint i, const gchar *properties)
{
  g_autofree gchar *all =
      g_strdup_printf ("broker=none start-at=oldest datablock=d%u %s", i,
          properties);
  GstHarness *h = harness_src (all);
  GstBuffer *buffer = gst_harness_pull (h);
  fail_unless (buffer != NULL);
  gst_buffer_unref (buffer);
  return h;
}

/* One for all: a bus has descriptors of its own. */
static GstBus *bus;

/* It has found no producer, and waits for one. */
static GstHarness *
make_waiting (guint i, const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc broker=none datablock=none%u %s", i,
          properties);
  GstElement *element = gst_parse_launch (line, NULL);
  GstHarness *h = gst_harness_new_with_element (element, NULL, "src");
  g_autoptr (GstMessage) message = NULL;
  gst_element_set_bus (element, bus);
  gst_object_unref (element);
  gst_harness_play (h);
  message = wait_message (element, GST_MESSAGE_ELEMENT);
  fail_unless (gst_message_has_name (message, "datahub-waiting"));
  return h;
}

typedef struct
{
  GstHarness *all[MORE + 1];
} Row;

/* What each of MORE elements adds behind the first, or less. */
static void
add (Row *row, Make make, const gchar *properties, guint limit)
{
  guint before;
  row->all[0] = make (0, properties);
  before = sandbox_count_fds ();
  for (guint i = 1; i <= MORE; i++)
    row->all[i] = make (i, properties);
  /* the thread of a strict block closes what it has sent soon after */
  UNTIL (sandbox_count_fds () <= before + MORE * limit);
}

static void
end (Row *row)
{
  for (guint i = 0; i <= MORE; i++)
    gst_harness_teardown (row->all[i]);
}

GST_START_TEST (elements_of_named_blocks)
{
  Row sinks, sources;
  add (&sinks, make_sink, "", OF_SINK);
  add (&sources, make_source, "", OF_SOURCE);
  end (&sources);
  end (&sinks);
}
GST_END_TEST;

GST_START_TEST (elements_of_strict_blocks)
{
  Row sinks, sources;
  add (&sinks, make_sink, "strict=true", OF_STRICT_SINK);
  add (&sources, make_source, "",
      OF_STRICT_SOURCE + OF_STRICT_SINK_PER_CONSUMER);
  end (&sources);
  end (&sinks);
}
GST_END_TEST;

GST_START_TEST (sources_that_wait)
{
  Row waiting;
  bus = gst_bus_new ();
  add (&waiting, make_waiting, "", 0);
  end (&waiting);
  gst_clear_object (&bus);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, elements_of_named_blocks);
  tcase_add_test (tc, elements_of_strict_blocks);
  tcase_add_test (tc, sources_that_wait);
}

SANDBOX_MAIN (descriptors)
