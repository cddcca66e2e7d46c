/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of devices: their producers die, start again and are many, and so does
 * the broker. */
#include "child.h"
#include "common/speed.h"
#include "devices.h"
#include "sandbox.h"
#include "until.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALL "Source/DataHub"
#define TEXT_CAPS "text/x-raw, format=utf8"
#define OTHER_TEXT_CAPS "text/x-raw, format=pango-markup"

static gint64
now (void)
{
  return g_get_monotonic_time ();
}

/* ---- producers end ---- */

GST_START_TEST (the_device_of_a_killed_producer_is_removed)
{
  Monitor monitor = monitor_start (ALL, NULL);
  Child *producer = child_producer ("");
  gint64 killed;
  monitor_expect_added (&monitor, "cam0");
  killed = now ();
  child_kill (producer);
  monitor_expect_removed (&monitor, "cam0");
  fail_if (speed_is_over (now () - killed, G_TIME_SPAN_SECOND));
  monitor_end (&monitor);
  datahub_block_reclaim (false, NULL, NULL, NULL);
}
GST_END_TEST;

/* A producer named "test", which another one follows. */
typedef struct
{
  void (*start) (gpointer data);
  void (*end) (gpointer data);
  void (*succeed) (gpointer data);
  gpointer data;
} Succession;

/* Another block shows that the monitor has looked since the producer ended. Returns
 * whether the device was removed. */
static gboolean
let_look (Monitor *monitor)
{
  gboolean removed = FALSE, looked = FALSE;
  DatahubProducer *fence = block_new_text ("fence", TEXT_CAPS);
  while (!looked) {
    GstMessageType type;
    GstDevice *device = monitor_next (monitor, &type);
    g_autofree gchar *name = device_string (device, "datahub.datablock");
    looked = g_str_equal (name, "fence");
    removed = removed || !looked;
    gst_object_unref (device);
  }
  datahub_producer_close (fence);
  return removed;
}

/* The next message about the block. */
static GstDevice *
next_of_test (Monitor *monitor, GstMessageType *type)
{
  for (;;) {
    GstDevice *device = monitor_next (monitor, type);
    g_autofree gchar *name = device_string (device, "datahub.datablock");
    if (g_str_equal (name, "test"))
      return device;
    gst_object_unref (device);
  }
}

/* The successor is another device, which goes. @type is of the first message. */
static void
forget (Monitor *monitor, GstDevice *device, GstMessageType type,
    gboolean removed)
{
  for (guint left = removed ? 1 : 2; left > 0; left--) {
    fail_unless_equals_int (type,
        left == 2 ? GST_MESSAGE_DEVICE_REMOVED : GST_MESSAGE_DEVICE_ADDED);
    gst_object_unref (device);
    device = next_of_test (monitor, &type);
  }
  fail_unless_equals_int (type, GST_MESSAGE_DEVICE_REMOVED);
  gst_object_unref (device);
}

/* The grace is a time, so only a succession that was fast enough must be a change; one
 * that took longer is repeated. Sets @before and @after to the devices. */
static void
succeed_until_fast (Monitor *monitor, const Succession *both,
    GstDevice **before, GstDevice **after)
{
  for (;;) {
    GstMessageType type;
    gboolean removed;
    gint64 start;
    both->start (both->data);
    *before = next_of_test (monitor, &type);
    fail_unless_equals_int (type, GST_MESSAGE_DEVICE_ADDED);
    start = now ();
    both->end (both->data);
    removed = let_look (monitor);
    both->succeed (both->data);
    start = now () - start;
    *after = next_of_test (monitor, &type);
    if (type == GST_MESSAGE_DEVICE_CHANGED)
      return;
    fail_unless (start > 200 * G_TIME_SPAN_MILLISECOND,
        "removed after %" G_GINT64_FORMAT " us", start);
    gst_harness_teardown (*(GstHarness **) both->data);
    forget (monitor, *after, type, removed);
    gst_object_unref (*before);
  }
}

static void
start_sink (gpointer data)
{
  *(GstHarness **) data = gray_sink_playing ();
}

static void
end_sink (gpointer data)
{
  gst_harness_teardown (*(GstHarness **) data);
}

static gboolean
has_same_uuid (GstDevice *before, GstDevice *after)
{
  g_autofree gchar *uuid = device_string (before, "datahub.uuid");
  g_autofree gchar *other = device_string (after, "datahub.uuid");
  return g_str_equal (uuid, other);
}

GST_START_TEST (a_restart_is_a_change)
{
  Monitor monitor = monitor_start (ALL, NULL);
  GstHarness *sink = NULL;
  const Succession both = { start_sink, end_sink, start_sink, &sink };
  g_autoptr (GstDevice) before = NULL;
  g_autoptr (GstDevice) after = NULL;
  succeed_until_fast (&monitor, &both, &before, &after);
  fail_if (has_same_uuid (before, after));
  gst_harness_teardown (sink);
  monitor_end (&monitor);
}
GST_END_TEST;

/* A producer of its own process that is killed, and one here that continues its
 * block. */
typedef struct
{
  GstHarness *heir; /* first */
  Child *child;
} Adoption;

static void
start_child (gpointer data)
{
  Adoption *both = data;
  both->child = child_start (
      "videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=16,height=16,"
      "framerate=25/1 ! datahubsink datablock=test");
  both->heir = harness_sink ("");
}

static void
kill_child (gpointer data)
{
  child_kill (((Adoption *) data)->child);
}

static void
adopt (gpointer data)
{
  Adoption *both = data;
  gst_harness_set_src_caps_str (both->heir, VIDEO_CAPS (16, 16));
  gray_push (both->heir);
}

GST_START_TEST (an_adoption_is_a_change)
{
  Monitor monitor = monitor_start (ALL, NULL);
  Adoption data;
  GstHarness *viewer = harness_src (""); /* its block is not garbage */
  const Succession both = { start_child, kill_child, adopt, &data };
  g_autoptr (GstDevice) before = NULL;
  g_autoptr (GstDevice) after = NULL;
  succeed_until_fast (&monitor, &both, &before, &after);
  fail_unless (has_same_uuid (before, after));
  fail_unless (device_pid (before) != getpid ());
  fail_unless_equals_int (device_pid (after), getpid ());
  gst_harness_teardown (viewer);
  gst_harness_teardown (data.heir);
  monitor_end (&monitor);
}
GST_END_TEST;

/* ---- many ---- */

#define MANY 100

static void
start_many (DatahubProducer **blocks, const gchar *caps)
{
  for (guint i = 0; i < MANY; i++) {
    g_autofree gchar *name = g_strdup_printf ("many%u", i);
    blocks[i] = block_new_text (name, caps);
  }
}

static void
stop_many (DatahubProducer **blocks)
{
  for (guint i = 0; i < MANY; i++)
    datahub_producer_close (blocks[i]);
}

/* Waits for a message about each of them. */
static void
expect_many (Monitor *monitor, GstMessageType type)
{
  g_autoptr (GHashTable) names =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  while (g_hash_table_size (names) < MANY) {
    GstMessageType found;
    GstDevice *device = monitor_next (monitor, &found);
    fail_unless_equals_int (found, type);
    fail_unless (g_hash_table_add (names,
        device_string (device, "datahub.datablock")));
    gst_object_unref (device);
  }
}

GST_START_TEST (a_hundred_blocks_come_and_go_at_once)
{
  Monitor monitor = monitor_start (ALL, NULL);
  DatahubProducer *blocks[MANY];
  start_many (blocks, TEXT_CAPS);
  expect_many (&monitor, GST_MESSAGE_DEVICE_ADDED);
  stop_many (blocks);
  expect_many (&monitor, GST_MESSAGE_DEVICE_REMOVED);
  monitor_end (&monitor);
}
GST_END_TEST;

static gint alive; /* atomic; devices */

static void
on_gone (gpointer data, GObject *device)
{
  g_atomic_int_add (&alive, -1);
}

/* Waits until all blocks have these caps. Returns the number of messages. */
static guint
take_round (Monitor *monitor, const gchar *caps)
{
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GstCaps) expected = gst_caps_from_string (caps);
  guint n = 0;
  for (; g_hash_table_size (seen) < MANY; n++) {
    GstMessageType type;
    g_autoptr (GstDevice) device = monitor_next (monitor, &type);
    g_autoptr (GstCaps) found = gst_device_get_caps (device);
    fail_unless_equals_int (type, GST_MESSAGE_DEVICE_CHANGED);
    g_atomic_int_inc (&alive);
    g_object_weak_ref (G_OBJECT (device), on_gone, NULL);
    if (gst_caps_is_equal (found, expected))
      g_hash_table_add (seen, device_string (device, "datahub.datablock"));
  }
  return n;
}

/* Each round writes other caps into all blocks. The broker announces it, so that it is
 * seen at once. */
static guint
play_rounds (Monitor *monitor, DatahubProducer **blocks, DatahubHub *hub,
    guint rounds)
{
  guint n = 0;
  for (guint round = 0; round < rounds; round++) {
    const gchar *caps = round % 2 ? OTHER_TEXT_CAPS : TEXT_CAPS;
    for (guint i = 0; i < MANY; i++) {
      g_autofree gchar *name = g_strdup_printf ("many%u", i);
      block_write_caps (blocks[i], caps, strlen (caps) + 1);
      datahub_hub_register_block (hub, name,
          datahub_producer_get_uuid (blocks[i]), caps, NULL,
          DATAHUB_REGISTER_DEFAULT);
    }
    n += take_round (monitor, caps);
  }
  return n;
}

static DatahubHub *
start_hub (DatahubHubFlags flags)
{
  DatahubHub *hub = datahub_hub_new (flags);
  fail_unless (datahub_hub_connect_to (hub, "auto", NULL, NULL, NULL));
  fail_unless (datahub_hub_wait_connected (hub, 30 * GST_SECOND, NULL, NULL));
  return hub;
}

GST_START_TEST (a_monitor_does_not_grow_with_ten_thousand_events)
{
  Monitor monitor;
  DatahubHub *hub;
  DatahubProducer *blocks[MANY];
  guint events, fds;
  gsize used;
  g_setenv ("DATAHUB_BROKER", "auto", TRUE);
  hub = start_hub (DATAHUB_HUB_THREAD_SIGNALS);
  start_many (blocks, OTHER_TEXT_CAPS);
  monitor = monitor_start (ALL, NULL);
  expect_many (&monitor, GST_MESSAGE_DEVICE_ADDED);
  events = play_rounds (&monitor, blocks, hub, 10);
  fds = sandbox_count_fds ();
  used = mallinfo2 ().uordblks;
  events += play_rounds (&monitor, blocks, hub, 90);
  fail_unless (events >= 10000, "%u events", events);
  UNTIL (sandbox_count_fds () <= fds); /* a look opens some for an instant */
  fail_unless (mallinfo2 ().uordblks < used + 256 * 1024,
      "%" G_GSIZE_FORMAT " bytes, then %" G_GSIZE_FORMAT, used,
      (gsize) mallinfo2 ().uordblks);
  UNTIL (g_atomic_int_get (&alive) <= MANY);
  g_object_unref (hub);
  stop_many (blocks);
  monitor_end (&monitor);
  fail_unless_equals_int (g_atomic_int_get (&alive), 0);
}
GST_END_TEST;

/* ---- with a broker ---- */

static int
find_broker (void)
{
  gboolean stopped;
  g_autofree gchar *where = datahub_hub_describe_broker ("auto", &stopped);
  const gchar *process = strstr (where, "process ");
  return process ? atoi (process + strlen ("process ")) : 0;
}

static gboolean
is_registered (DatahubHub *hub, const gchar *name)
{
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, name, 0, NULL, NULL);
  return block && *datahub_hub_block_get_uuid (block);
}

static void
wait_for_program (Monitor *monitor, GstDevice *device)
{
  g_autofree gchar *program = device_string (device, "datahub.program");
  GstDevice *after;
  if (!program) {
    after = monitor_expect (monitor, GST_MESSAGE_DEVICE_CHANGED, "cam0");
    program = device_string (after, "datahub.program");
    gst_object_unref (after);
  }
  fail_unless_equals_string (program, "pipeline-child");
  gst_object_unref (device);
}

/* The block of a process that knows no broker shows that nothing came before it. */
GST_START_TEST (a_broker_that_dies_and_returns_changes_nothing)
{
  Monitor monitor;
  Child *producer;
  DatahubProducer *fence;
  DatahubHub *hub;
  int broker;
  g_setenv ("DATAHUB_BROKER", "auto", TRUE);
  monitor = monitor_start (ALL, NULL);
  producer = child_producer ("");
  wait_for_program (&monitor,
      monitor_expect (&monitor, GST_MESSAGE_DEVICE_ADDED, "cam0"));
  broker = find_broker ();
  fail_unless (broker > 0);
  kill (broker, SIGKILL);
  hub = start_hub (DATAHUB_HUB_MONITOR);
  UNTIL (find_broker () > 0 && find_broker () != broker
      && is_registered (hub, "cam0"));
  fence = block_new_text ("fence", TEXT_CAPS);
  monitor_expect_added (&monitor, "fence");
  datahub_producer_close (fence);
  monitor_expect_removed (&monitor, "fence");
  child_stop (producer);
  monitor_expect_removed (&monitor, "cam0");
  g_object_unref (hub);
  monitor_end (&monitor);
}
GST_END_TEST;

static void
on_forgotten (DatahubHub *hub, DatahubHubBlock *block, const gchar *reason,
    gpointer forgotten)
{
  g_atomic_int_set ((gint *) forgotten, TRUE);
}

/* A new broker does not know the block of a process that is stopped. */
GST_START_TEST (what_a_broker_knew_stays_true)
{
  Monitor monitor;
  Child *producer;
  DatahubProducer *fence;
  DatahubHub *hub;
  gint forgotten = FALSE;
  int broker;
  g_setenv ("DATAHUB_BROKER", "auto", TRUE);
  monitor = monitor_start (ALL, NULL);
  producer = child_producer ("");
  wait_for_program (&monitor,
      monitor_expect (&monitor, GST_MESSAGE_DEVICE_ADDED, "cam0"));
  hub = start_hub (DATAHUB_HUB_THREAD_SIGNALS);
  UNTIL (is_registered (hub, "cam0"));
  g_signal_connect (hub, "block-removed", G_CALLBACK (on_forgotten),
      &forgotten);
  child_halt (producer);
  broker = find_broker ();
  fail_unless (broker > 0);
  kill (broker, SIGKILL);
  UNTIL (g_atomic_int_get (&forgotten));
  fence = block_new_text ("fence", TEXT_CAPS);
  monitor_expect_added (&monitor, "fence");
  datahub_producer_close (fence);
  monitor_expect_removed (&monitor, "fence");
  child_kill (producer);
  monitor_expect_removed (&monitor, "cam0");
  datahub_block_reclaim (false, NULL, NULL, NULL);
  g_object_unref (hub);
  monitor_end (&monitor);
}
GST_END_TEST;

/* Its caps are in memory that a stopped producer does not hand out: they are as
 * registered, and the monitor does not wait for it. */
GST_START_TEST (a_strict_block_of_a_stopped_producer_is_a_device)
{
  Monitor monitor, late;
  Child *producer;
  g_setenv ("DATAHUB_BROKER", "auto", TRUE);
  monitor = monitor_start (ALL, NULL);
  producer = child_producer ("strict=true");
  wait_for_program (&monitor,
      monitor_expect (&monitor, GST_MESSAGE_DEVICE_ADDED, "cam0"));
  monitor_end (&monitor);
  child_halt (producer);
  late = monitor_start ("Video/Source/DataHub", NULL);
  monitor_expect_added (&late, "cam0");
  monitor_end (&late);
  child_kill (producer);
  datahub_block_reclaim (false, NULL, NULL, NULL);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_set_timeout (tc, 240);
  tcase_add_test (tc, the_device_of_a_killed_producer_is_removed);
  tcase_add_test (tc, a_restart_is_a_change);
  tcase_add_test (tc, an_adoption_is_a_change);
  tcase_add_test (tc, a_hundred_blocks_come_and_go_at_once);
  tcase_add_test (tc, a_monitor_does_not_grow_with_ten_thousand_events);
  tcase_add_test (tc, a_broker_that_dies_and_returns_changes_nothing);
  tcase_add_test (tc, what_a_broker_knew_stays_true);
  tcase_add_test (tc, a_strict_block_of_a_stopped_producer_is_a_device);
}

SANDBOX_MAIN (devices_follow)
