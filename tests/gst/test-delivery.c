/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who waits for whom, what is lost, what happens when somebody goes, and what
 * is said about it. Producer and consumer are pipelines of this process. */
#include "place.h"

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <datahub/block.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define STOP_LIMIT (G_USEC_PER_SEC)
#define CAPS_TEST "application/x-test"

static GstHarness *
new_sink (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsink datablock=test sync=false async=false %s",
          properties);
  GstElement *element = gst_parse_launch (line, NULL);
  GstHarness *h = gst_harness_new_with_element (element, "sink", NULL);
  gst_object_unref (element);
  gst_harness_set_src_caps_str (h, CAPS_TEST);
  return h;
}

static GstHarness *
new_src (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc datablock=test %s", properties);
  GstElement *element = gst_parse_launch (line, NULL);
  GstHarness *h = gst_harness_new_with_element (element, NULL, "src");
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (element, bus);
  gst_object_unref (bus);
  gst_object_unref (element);
  gst_harness_play (h);
  return h;
}

static guint64
stat_of (GstElement *element, const gchar *field)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;
  guint small = 0;
  g_object_get (element, "stats", &stats, NULL);
  if (gst_structure_get_uint (stats, field, &small))
    return small;
  fail_unless (gst_structure_get_uint64 (stats, field, &value), "%s", field);
  return value;
}

static void
push_size (GstHarness *h, guint32 number, gsize size)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  gst_buffer_fill (buffer, 0, &number, sizeof number);
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

static void
push (GstHarness *h, guint32 number)
{
  push_size (h, number, 64);
}

static guint32
take (GstHarness *h, gboolean *discont)
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

static GstMessage *
wait_message (GstElement *element, GstMessageType type)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (element);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND, type);
  fail_unless (message != NULL);
  return message;
}

static void
expect_error (GstElement *element, GQuark domain, gint code, const gchar *word)
{
  GstMessage *message = wait_message (element, GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *detail = NULL;
  gst_message_parse_error (message, &error, &detail);
  fail_unless (g_error_matches (error, domain, code), "%s %d: %s",
      g_quark_to_string (error->domain), error->code, error->message);
  fail_unless (strstr (error->message, word) != NULL, "%s", error->message);
  fail_unless (detail && *detail);
  gst_message_unref (message);
}

/* ---- live and reliable ---- */

GST_START_TEST (live_is_told_exactly_what_it_lost)
{
  GstHarness *sink = new_sink ("slots=16"), *src = new_src ("");
  guint32 number, got = 0;
  gboolean discont = FALSE;
  GstMessage *message;
  guint64 processed, dropped;
  GstFormat format;
  push (sink, 0);
  fail_unless_equals_int (take (src, NULL), 0);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  for (guint32 i = 1; i <= 1000; i++)
    push (sink, i);
  gst_element_set_state (src->element, GST_STATE_PLAYING);
  for (number = 0; number != 1000; got++) {
    guint32 before = number;
    gboolean jumped;
    number = take (src, &jumped);
    fail_unless (jumped == (number != before + 1));
    discont |= jumped;
  }
  fail_unless (discont && got < 1000);
  fail_unless_equals_uint64 (stat_of (src->element, "lost"), 1000 - got);
  fail_unless_equals_uint64 (stat_of (src->element, "received"), 1 + got);
  do { /* one message for each gap, and the last one tells the sum */
    message = wait_message (src->element, GST_MESSAGE_QOS);
    gst_message_parse_qos_stats (message, &format, &processed, &dropped);
    fail_unless_equals_int (format, GST_FORMAT_BUFFERS);
    gst_message_unref (message);
  } while (dropped != 1000 - got);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gpointer
push_many (gpointer data)
{
  for (guint32 i = 0; i < 2000; i++)
    push ((GstHarness *) data, i);
  return NULL;
}

GST_START_TEST (reliable_loses_nothing)
{
  GstHarness *sink = new_sink ("slots=8 wait-for-consumers=1");
  GstHarness *src = new_src ("delivery=reliable start-at=oldest");
  GThread *thread = g_thread_new ("push", push_many, sink);
  for (guint32 i = 0; i < 2000; i++)
    fail_unless_equals_int (take (src, NULL), i);
  g_thread_join (thread);
  fail_unless_equals_uint64 (stat_of (src->element, "lost"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gpointer
push_growing (gpointer data)
{
  GstHarness *h = data;
  for (guint32 i = 0; i < 60; i++) {
    if (i % 20 == 0) {
      g_autofree gchar *caps =
          g_strdup_printf (CAPS_TEST ", size=(int)%u", i / 20);
      gst_harness_push_event (h,
          gst_event_new_caps (gst_caps_from_string (caps)));
    }
    push_size (h, i, (gsize) 1000 << (i / 20 * 4));
  }
  return NULL;
}

GST_START_TEST (new_caps_and_bigger_frames_lose_nothing)
{
  GstHarness *sink = new_sink ("slots=8 wait-for-consumers=1");
  GstHarness *src = new_src ("delivery=reliable start-at=oldest");
  GThread *thread = g_thread_new ("push", push_growing, sink);
  for (guint32 i = 0; i < 60; i++) {
    GstBuffer *buffer = gst_harness_pull (src);
    guint32 number = 0;
    g_autoptr (GstCaps) caps = gst_pad_get_current_caps (src->sinkpad);
    gint size = -1;
    gst_buffer_extract (buffer, 0, &number, sizeof number);
    fail_unless_equals_int (number, i);
    fail_unless_equals_int (gst_buffer_get_size (buffer), 1000 << (i / 20 * 4));
    /* caps may be ahead of what was pulled, never behind */
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "size", &size);
    fail_unless (size >= (gint) (i / 20));
    gst_buffer_unref (buffer);
  }
  g_thread_join (thread);
  fail_unless (stat_of (sink->element, "growths") >= 2);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (who_joins_at_a_keyframe_gets_one)
{
  GstHarness *sink = new_sink (""), *src;
  for (guint32 i = 0; i < 6; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64, NULL);
    gst_buffer_fill (buffer, 0, &i, sizeof i);
    if (i != 2)
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    gst_harness_push (sink, buffer);
  }
  src = new_src ("");
  fail_unless_equals_int (take (src, NULL), 2);
  fail_unless_equals_int (take (src, NULL), 3);
  gst_harness_teardown (src);
  src = new_src ("start-at=latest");
  fail_unless_equals_int (take (src, NULL), 5);
  gst_harness_teardown (src);
  src = new_src ("start-at=oldest");
  fail_unless_equals_int (take (src, NULL), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Flips a bit of the only place in the pools that has these bytes. */
static void
damage (guint32 number)
{
  g_autoptr (GDir) dir = g_dir_open (place_directory (), 0, NULL);
  const gchar *name;
  guint found = 0;
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (place_directory (), name, NULL);
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
  GstHarness *sink = new_sink (properties), *src;
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) warning = NULL;
  gboolean discont;
  for (guint32 i = 0; i < 5; i++)
    push (sink, 0xda7a0000 + i);
  damage (0xda7a0001);
  damage (0xda7a0003);
  src = new_src ("delivery=reliable start-at=oldest");
  fail_unless_equals_int (take (src, NULL), 0xda7a0000);
  fail_unless_equals_int (take (src, &discont), 0xda7a0002);
  fail_unless (discont);
  fail_unless_equals_int (take (src, &discont), 0xda7a0004);
  fail_unless (discont);
  push (sink, 5);
  fail_unless_equals_int (take (src, &discont), 5);
  fail_if (discont);
  fail_unless_equals_uint64 (stat_of (src->element, "damaged"), 2);
  fail_unless_equals_uint64 (stat_of (src->element, "lost"), 2);
  fail_unless_equals_uint64 (stat_of (src->element, "received"), 4);
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
push_flags (GstHarness *h, guint32 number, GstBufferFlags flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 3000, NULL);
  gst_buffer_fill (buffer, 0, &number, sizeof number);
  GST_BUFFER_FLAG_SET (buffer, flags);
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

/* Two consumers hold all they may, the block may not grow. */
GST_START_TEST (keyframes_outlive_what_depends_on_them)
{
  GstHarness *sink = new_sink ("slots=16 slot-size=4096 max-bytes=65536");
  GstHarness *hoarder = new_src (""), *other, *src;
  GstBuffer *held[10], *buffer;
  for (guint32 i = 0; i < 8; i++) {
    push_flags (sink, i, (GstBufferFlags) 0);
    held[i] = gst_harness_pull (hoarder);
  }
  fail_unless_equals_uint64 (stat_of (hoarder->element, "quota"), 8);
  other = new_src ("max-pinned=2");
  gst_buffer_unref (gst_harness_pull (other));
  for (guint32 i = 8; i < 10; i++) {
    push_flags (sink, i, (GstBufferFlags) 0);
    held[i] = gst_harness_pull (other);
  }
  fail_unless_equals_uint64 (stat_of (other->element, "pinned"), 2);
  for (guint32 i = 10; i < 48; i++)
    push_flags (sink, i,
        i % 8 == 0  ? (GstBufferFlags) 0
            : i % 2 ? GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_DROPPABLE
                    : GST_BUFFER_FLAG_DELTA_UNIT);
  fail_unless (stat_of (sink->element, "given-up") > 0);
  fail_unless_equals_uint64 (stat_of (sink->element, "no-room"), 0);
  fail_unless_equals_uint64 (stat_of (sink->element, "growths"), 0);
  src = new_src ("");
  buffer = gst_harness_pull (src);
  fail_unless (gst_buffer_memcmp (buffer, 0, &(guint32){ 40 }, 4) == 0);
  gst_buffer_unref (buffer);
  /* nothing depends on 41, so 42 is delivered */
  buffer = gst_harness_pull (src);
  fail_unless (gst_buffer_memcmp (buffer, 0, &(guint32){ 42 }, 4) == 0);
  fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (buffer);
  for (guint32 i = 0; i < 10; i++) {
    fail_unless (gst_buffer_memcmp (held[i], 0, &i, 4) == 0);
    gst_buffer_unref (held[i]);
  }
  gst_harness_teardown (src);
  gst_harness_teardown (other);
  gst_harness_teardown (hoarder);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (old_buffers_are_skipped)
{
  GstHarness *sink = new_sink (""), *src;
  gboolean discont;
  push (sink, 1);
  g_usleep (3000); /* the passing of time itself is what is tested */
  src = new_src ("max-age=1000000");
  while (stat_of (src->element, "expired") == 0)
    g_thread_yield ();
  /* it can be changed while the stream flows */
  g_object_set (src->element, "max-age", GST_CLOCK_TIME_NONE, NULL);
  push (sink, 2);
  fail_unless_equals_int (take (src, &discont), 2);
  fail_unless (discont);
  fail_unless_equals_uint64 (stat_of (src->element, "expired"), 1);
  fail_unless_equals_uint64 (stat_of (src->element, "lost"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (who_holds_the_producer_too_long_is_evicted_and_comes_back)
{
  GstHarness *sink = new_sink ("slots=8 block-timeout=50000000");
  GstHarness *src = new_src ("delivery=reliable");
  gboolean discont = FALSE;
  guint32 number;
  guint64 got = 1;
  push (sink, 0);
  fail_unless_equals_int (take (src, NULL), 0);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  for (guint32 i = 1; i <= 100; i++)
    push (sink, i); /* waits for the paused consumer until it is evicted */
  fail_unless_equals_uint64 (stat_of (sink->element, "evictions"), 1);
  gst_element_set_state (src->element, GST_STATE_PLAYING);
  do {
    gboolean jumped;
    number = take (src, &jumped);
    discont |= jumped;
    got++;
  } while (number != 100);
  fail_unless (discont);
  fail_unless_equals_uint64 (stat_of (src->element, "rejoins"), 1);
  fail_unless_equals_uint64 (stat_of (src->element, "lost"), 101 - got);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* ---- coming and going ---- */

GST_START_TEST (the_consumer_may_be_first)
{
  GstHarness *src = new_src ("start-at=oldest"), *sink;
  sink = new_sink ("wait-for-consumers=1");
  push (sink, 5);
  fail_unless_equals_int (take (src, NULL), 5);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (consumers_carry_on_with_the_next_producer)
{
  GstHarness *src = new_src ("start-at=oldest");
  gboolean discont;
  for (guint32 round = 0; round < 5; round++) {
    GstHarness *sink = new_sink ("wait-for-consumers=1");
    push (sink, 2 * round);
    fail_unless_equals_int (take (src, &discont), 2 * round);
    fail_unless (discont);
    push (sink, 2 * round + 1);
    fail_unless_equals_int (take (src, &discont), 2 * round + 1);
    fail_if (discont);
    gst_harness_teardown (sink);
  }
  fail_unless_equals_uint64 (stat_of (src->element, "producers"), 5);
  fail_unless_equals_uint64 (stat_of (src->element, "received"), 10);
  gst_harness_teardown (src);
}
GST_END_TEST;

static void
lose_producer (GstHarness *src)
{
  GstHarness *sink = new_sink ("wait-for-consumers=1");
  push (sink, 1);
  fail_unless_equals_int (take (src, NULL), 1);
  gst_harness_teardown (sink);
}

GST_START_TEST (a_lost_producer_is_the_end_if_asked)
{
  GstHarness *src = new_src ("start-at=oldest on-disconnect=eos");
  GstEvent *event;
  lose_producer (src);
  while ((event = gst_harness_pull_event (src))
      && GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    gst_event_unref (event);
  fail_unless (event != NULL);
  gst_event_unref (event);
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (a_lost_producer_is_an_error_if_asked)
{
  GstHarness *src = new_src ("start-at=oldest on-disconnect=error");
  lose_producer (src);
  expect_error (src->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ,
      "\"test\"");
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (the_wait_for_a_producer_ends_at_its_timeout)
{
  GstHarness *src = new_src ("timeout=20000000");
  expect_error (src->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
      "\"test\"");
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (the_timeout_holds_after_a_loss_too)
{
  GstHarness *src = new_src ("start-at=oldest timeout=500000000");
  lose_producer (src);
  expect_error (src->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
      "\"test\"");
  gst_harness_teardown (src);
}
GST_END_TEST;

typedef struct
{
  GMutex lock;
  GCond changed;
  guint added, removed;
  gchar *name, *reason;
  guint64 id;
} Seen;

static void
on_added (GstElement *sink, guint64 id, const gchar *name, gpointer user_data)
{
  Seen *seen = user_data;
  g_mutex_lock (&seen->lock);
  seen->added++;
  seen->id = id;
  seen->name = g_strdup (name);
  g_cond_signal (&seen->changed);
  g_mutex_unlock (&seen->lock);
}

static void
on_removed (GstElement *sink, guint64 id, const gchar *reason,
    gpointer user_data)
{
  Seen *seen = user_data;
  g_mutex_lock (&seen->lock);
  seen->removed++;
  fail_unless (id == seen->id);
  seen->reason = g_strdup (reason);
  g_cond_signal (&seen->changed);
  g_mutex_unlock (&seen->lock);
}

static void
wait_seen (Seen *seen, const guint *counter)
{
  g_mutex_lock (&seen->lock);
  while (*counter == 0)
    g_cond_wait (&seen->changed, &seen->lock);
  g_mutex_unlock (&seen->lock);
}

GST_START_TEST (the_producer_is_told_who_comes_and_goes)
{
  GstHarness *sink = new_sink (""), *src;
  Seen seen = { 0 };
  guint n;
  g_signal_connect (sink->element, "consumer-added", G_CALLBACK (on_added),
      &seen);
  g_signal_connect (sink->element, "consumer-removed", G_CALLBACK (on_removed),
      &seen);
  push (sink, 1);
  src = new_src ("consumer-name=somebody");
  wait_seen (&seen, &seen.added);
  fail_unless_equals_string (seen.name, "somebody");
  g_object_get (sink->element, "num-consumers", &n, NULL);
  fail_unless_equals_int (n, 1);
  gst_harness_teardown (src);
  wait_seen (&seen, &seen.removed);
  fail_unless_equals_string (seen.reason, "left");
  g_object_get (sink->element, "num-consumers", &n, NULL);
  fail_unless_equals_int (n, 0);
  gst_harness_teardown (sink);
  g_free (seen.name);
  g_free (seen.reason);
}
GST_END_TEST;

/* ---- stopping ---- */

static void
check_stops (GstElement *element)
{
  gint64 start = g_get_monotonic_time ();
  gst_element_set_state (element, GST_STATE_NULL);
  fail_unless (g_get_monotonic_time () - start < STOP_LIMIT,
      "took %" G_GINT64_FORMAT " us", g_get_monotonic_time () - start);
}

GST_START_TEST (a_source_that_waits_for_a_producer_stops_at_once)
{
  GstHarness *src = new_src ("");
  g_usleep (10000); /* stopping while it waits, not before */
  check_stops (src->element);
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (a_source_that_waits_for_buffers_stops_at_once)
{
  GstHarness *sink = new_sink (""), *src = new_src ("");
  push (sink, 1);
  take (src, NULL);
  check_stops (src->element);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
run_sources_in_turn (const gchar *wake)
{
  GstHarness *sink = new_sink (""), *src = new_src (wake);
  push (sink, 0);
  fail_unless_equals_int (take (src, NULL), 0);
  for (guint32 i = 1; i < 20; i++) {
    gst_element_set_state (src->element, GST_STATE_PAUSED);
    gst_element_set_state (src->element, GST_STATE_PLAYING);
    push (sink, i);
    fail_unless_equals_int (take (src, NULL), i);
  }
  check_stops (src->element);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}

GST_START_TEST (a_source_pauses_and_goes_on)
{
  run_sources_in_turn ("wake=adaptive");
  run_sources_in_turn ("wake=futex");
  run_sources_in_turn ("wake=poll poll-interval=100000");
  run_sources_in_turn ("wake=notify");
}
GST_END_TEST;

static guint64
heartbeat_of_the_consumer (void)
{
  DatahubConsumerInfo info;
  uint32_t n;
  fail_unless_equals_int (datahub_block_inspect_consumers ("test", &info, 1, &n,
                              NULL),
      DATAHUB_OK);
  fail_unless_equals_int (n, 1);
  return info.heartbeat_ns;
}

GST_START_TEST (a_paused_source_gives_signs_of_life)
{
  GstHarness *sink = new_sink (""), *src = new_src ("");
  guint64 last;
  push (sink, 1);
  fail_unless_equals_int (take (src, NULL), 1);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  /* whatever was on its way has passed when two more came */
  for (guint i = 0; i < 3; i++) {
    last = heartbeat_of_the_consumer ();
    while (heartbeat_of_the_consumer () == last)
      g_thread_yield ();
  }
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

typedef struct
{
  GstElement *pipeline;
  GstElement *sink;
} Producer;

static Producer start_producer (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

static Producer
start_producer (const gchar *format, ...)
{
  Producer p;
  g_autofree gchar *line = NULL;
  va_list args;
  va_start (args, format);
  line = g_strdup_vprintf (format, args);
  va_end (args);
  p.pipeline = gst_parse_launch (line, NULL);
  fail_unless (GST_IS_PIPELINE (p.pipeline));
  p.sink = gst_bin_get_by_name (GST_BIN (p.pipeline), "sink");
  gst_element_set_state (p.pipeline, GST_STATE_PLAYING);
  return p;
}

static void
end_producer (Producer *p)
{
  gst_element_set_state (p->pipeline, GST_STATE_NULL);
  gst_object_unref (p->sink);
  gst_object_unref (p->pipeline);
}

GST_START_TEST (a_sink_that_waits_for_consumers_plays_and_stops_at_once)
{
  Producer p =
      start_producer ("videotestsrc ! datahubsink name=sink datablock=test "
                      "wait-for-consumers=2");
  fail_unless_equals_int (gst_element_get_state (p.pipeline, NULL, NULL,
                              10 * GST_SECOND),
      GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_uint64 (stat_of (p.sink, "buffers"), 0);
  gst_element_set_state (p.pipeline, GST_STATE_PAUSED);
  gst_element_set_state (p.pipeline, GST_STATE_PLAYING);
  check_stops (p.pipeline);
  end_producer (&p);
}
GST_END_TEST;

/* A reliable consumer that reads nothing, and a producer that would wait for it
 * for ever. */
GST_START_TEST (a_sink_that_is_held_up_stops_at_once)
{
  GstHarness *src = new_src ("delivery=reliable start-at=oldest");
  Producer p = start_producer (
      "videotestsrc ! queue ! datahubsink name=sink datablock=test sync=false "
      "wait-for-consumers=1 block-timeout=18446744073709551615");
  take (src, NULL);
  gst_element_set_state (src->element, GST_STATE_PAUSED);
  while (stat_of (p.sink, "waits") == 0)
    g_thread_yield ();
  gst_element_set_state (p.pipeline, GST_STATE_PAUSED);
  gst_element_set_state (p.pipeline, GST_STATE_PLAYING);
  check_stops (p.pipeline);
  end_producer (&p);
  gst_harness_teardown (src);
}
GST_END_TEST;

GST_START_TEST (starting_and_stopping_leaves_nothing)
{
  guint fds = 0;
  for (guint i = 0; i < 10; i++) {
    GstHarness *sink = new_sink (""), *src = new_src ("");
    push (sink, i);
    fail_unless_equals_int (take (src, NULL), i);
    gst_element_set_bus (src->element, NULL); /* its messages hold src */
    if (i % 2)
      gst_harness_teardown (src);
    gst_harness_teardown (sink);
    if (i % 2 == 0)
      gst_harness_teardown (src);
    fail_unless_equals_int (place_count_files (), 0);
    if (i == 1)
      fds = place_count_fds ();
  }
  fail_unless_equals_int (place_count_fds (), fds);
}
GST_END_TEST;

/* ---- refusals ---- */

static void
expect_start_error (const gchar *line, GQuark domain, gint code,
    const gchar *word)
{
  GstElement *element = gst_parse_launch (line, NULL);
  g_autoptr (GstBus) bus = gst_bus_new ();
  gst_object_ref_sink (element);
  gst_element_set_bus (element, bus);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_PAUSED),
      GST_STATE_CHANGE_FAILURE);
  expect_error (element, domain, code, word);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
}

GST_START_TEST (wrong_names_are_refused)
{
  static const gchar *const names[] = { "\"\"", "../x", "-a", "\"a b\"",
    "a123456789a123456789a123456789a123456789a123456789a123456789a1234" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree gchar *sink =
        g_strdup_printf ("datahubsink datablock=%s", names[i]);
    g_autofree gchar *src =
        g_strdup_printf ("datahubsrc datablock=%s", names[i]);
    expect_start_error (sink, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "");
    expect_start_error (src, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "");
  }
}
GST_END_TEST;

GST_START_TEST (a_wrong_mode_is_refused)
{
  expect_start_error ("datahubsink shm-mode=rw", GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS, "rw");
  expect_start_error ("datahubsink shm-mode=0777", GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS, "0777");
}
GST_END_TEST;

GST_START_TEST (a_second_producer_is_refused)
{
  GstHarness *sink = new_sink ("");
  push (sink, 1);
  expect_start_error ("datahubsink datablock=test", GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_BUSY, "\"test\"");
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Runs until an error: of both, only the later one can publish last. */
GST_START_TEST (of_two_that_start_at_once_one_is_refused)
{
  Producer a = start_producer ("videotestsrc ! datahubsink name=sink "
                               "datablock=test wait-for-consumers=1");
  GstElement *other;
  gst_element_get_state (a.pipeline, NULL, NULL, 10 * GST_SECOND);
  other = gst_parse_launch ("videotestsrc ! datahubsink datablock=test", NULL);
  fail_unless_equals_int (gst_element_set_state (other, GST_STATE_PLAYING),
      GST_STATE_CHANGE_FAILURE);
  expect_error (other, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY, "\"test\"");
  gst_element_set_state (other, GST_STATE_NULL);
  gst_object_unref (other);
  end_producer (&a);
}
GST_END_TEST;

GST_START_TEST (the_consumer_table_can_be_full)
{
  GstHarness *sink = new_sink ("max-consumers=1"), *one, *two;
  push (sink, 1);
  one = new_src ("");
  take (one, NULL);
  two = new_src ("");
  expect_error (two->element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY,
      "max-consumers");
  gst_harness_teardown (one);
  gst_harness_teardown (two);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (what_does_not_fit_max_bytes_is_dropped_or_refused)
{
  GstHarness *sink = new_sink ("slots=4 slot-size=4096 max-bytes=400000");
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (sink->element, bus);
  push (sink, 1);
  fail_unless_equals_int (gst_harness_push (sink,
                              gst_buffer_new_allocate (NULL, 1000000, NULL)),
      GST_FLOW_ERROR);
  expect_error (sink->element, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NO_SPACE_LEFT, "");
  gst_object_unref (bus);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* ---- time ---- */

static void
on_handoff (GstElement *fakesink, GstBuffer *buffer, GstPad *pad,
    gpointer user_data)
{
  GAsyncQueue *times = user_data;
  const GstSegment *segment;
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  GstElement *pipeline = GST_ELEMENT (GST_OBJECT_PARENT (fakesink));
  GstClockTime *time = g_new (GstClockTime, 1);
  gst_event_parse_segment (event, &segment);
  *time = gst_segment_to_running_time (segment, GST_FORMAT_TIME,
              GST_BUFFER_PTS (buffer))
      + gst_element_get_base_time (pipeline);
  g_async_queue_push (times, time);
}

static GstElement *
watch_times (const gchar *line, GAsyncQueue *times)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstElement) out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  g_signal_connect (out, "handoff", G_CALLBACK (on_handoff), times);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  return pipeline;
}

static void
end_pipeline (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* Two consumers that start at different times see each frame at one instant,
 * that of the producer. */
GST_START_TEST (live_frames_have_the_same_instant_everywhere)
{
  g_autoptr (GAsyncQueue) sent = g_async_queue_new_full (g_free);
  g_autoptr (GAsyncQueue) got = g_async_queue_new_full (g_free);
  GstElement *consumer = watch_times (
      "datahubsrc datablock=test timestamps=clock start-at=oldest ! "
      "fakesink name=out signal-handoffs=true sync=false",
      got);
  GstElement *producer = watch_times (
      "videotestsrc is-live=true num-buffers=10 ! tee name=t ! queue ! "
      "fakesink name=out signal-handoffs=true sync=false t. ! queue ! "
      "datahubsink datablock=test wait-for-consumers=1",
      sent);
  for (guint i = 0; i < 10; i++) {
    g_autofree GstClockTime *a = g_async_queue_pop (sent);
    g_autofree GstClockTime *b = g_async_queue_pop (got);
    fail_unless (ABS (GST_CLOCK_DIFF (*a, *b)) < (gint64) GST_MSECOND,
        "%" G_GINT64_FORMAT " ns apart", GST_CLOCK_DIFF (*a, *b));
  }
  end_pipeline (consumer);
  end_pipeline (producer);
}
GST_END_TEST;

/* A film that has played for long, and a viewer who comes now. */
GST_START_TEST (a_late_viewer_of_a_film_sees_it_now)
{
  Producer film = start_producer (
      "videotestsrc timestamp-offset=3600000000000 num-buffers=1 ! "
      "datahubsink name=sink datablock=test sync=false");
  g_autoptr (GAsyncQueue) got = g_async_queue_new_full (g_free);
  g_autoptr (GstClock) clock = gst_system_clock_obtain ();
  g_autofree GstClockTime *at = NULL;
  GstElement *viewer;
  GstHarness *src;
  GstBuffer *buffer;
  while (stat_of (film.sink, "buffers") == 0)
    g_thread_yield ();
  viewer = watch_times ("datahubsrc datablock=test ! fakesink name=out "
                        "signal-handoffs=true sync=false",
      got);
  at = g_async_queue_pop (got);
  fail_unless (ABS (GST_CLOCK_DIFF (*at, gst_clock_get_time (clock)))
          < (gint64) GST_SECOND,
      "it would be shown at the wrong time");
  end_pipeline (viewer);
  src = new_src ("timestamps=passthrough");
  buffer = gst_harness_pull (src);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer), 3600 * GST_SECOND);
  gst_buffer_unref (buffer);
  gst_harness_teardown (src);
  end_producer (&film);
}
GST_END_TEST;

GST_START_TEST (latency_is_answered)
{
  GstHarness *sink = new_sink (""), *src;
  g_autoptr (GstQuery) query = gst_query_new_latency ();
  gboolean live;
  GstClockTime min, max;
  push (sink, 1);
  src = new_src ("delivery=reliable");
  take (src, NULL);
  fail_unless (gst_pad_peer_query (src->sinkpad, query));
  gst_query_parse_latency (query, &live, &min, &max);
  fail_unless (live && GST_CLOCK_TIME_IS_VALID (min)
      && max == GST_CLOCK_TIME_NONE);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static Suite *
datahub_delivery_suite (void)
{
  Suite *suite = suite_create ("delivery");
  TCase *tc = tcase_create ("delivery");
  suite_add_tcase (suite, tc);
  tcase_add_checked_fixture (tc, place_setup, place_teardown);
  tcase_add_test (tc, live_is_told_exactly_what_it_lost);
  tcase_add_test (tc, reliable_loses_nothing);
  tcase_add_test (tc, new_caps_and_bigger_frames_lose_nothing);
  tcase_add_test (tc, who_joins_at_a_keyframe_gets_one);
  tcase_add_test (tc, a_buffer_with_a_wrong_crc_is_told_once_and_skipped);
  tcase_add_test (tc, a_buffer_with_a_wrong_blake2b_is_told_once_and_skipped);
  tcase_add_test (tc, keyframes_outlive_what_depends_on_them);
  tcase_add_test (tc, old_buffers_are_skipped);
  tcase_add_test (tc,
      who_holds_the_producer_too_long_is_evicted_and_comes_back);
  tcase_add_test (tc, the_consumer_may_be_first);
  tcase_add_test (tc, consumers_carry_on_with_the_next_producer);
  tcase_add_test (tc, a_lost_producer_is_the_end_if_asked);
  tcase_add_test (tc, a_lost_producer_is_an_error_if_asked);
  tcase_add_test (tc, the_wait_for_a_producer_ends_at_its_timeout);
  tcase_add_test (tc, the_timeout_holds_after_a_loss_too);
  tcase_add_test (tc, the_producer_is_told_who_comes_and_goes);
  tcase_add_test (tc, a_source_that_waits_for_a_producer_stops_at_once);
  tcase_add_test (tc, a_source_that_waits_for_buffers_stops_at_once);
  tcase_add_test (tc, a_source_pauses_and_goes_on);
  tcase_add_test (tc, a_paused_source_gives_signs_of_life);
  tcase_add_test (tc, a_sink_that_waits_for_consumers_plays_and_stops_at_once);
  tcase_add_test (tc, a_sink_that_is_held_up_stops_at_once);
  tcase_add_test (tc, starting_and_stopping_leaves_nothing);
  tcase_add_test (tc, wrong_names_are_refused);
  tcase_add_test (tc, a_wrong_mode_is_refused);
  tcase_add_test (tc, a_second_producer_is_refused);
  tcase_add_test (tc, of_two_that_start_at_once_one_is_refused);
  tcase_add_test (tc, the_consumer_table_can_be_full);
  tcase_add_test (tc, what_does_not_fit_max_bytes_is_dropped_or_refused);
  tcase_add_test (tc, live_frames_have_the_same_instant_everywhere);
  tcase_add_test (tc, a_late_viewer_of_a_film_sees_it_now);
  tcase_add_test (tc, latency_is_answered);
  return suite;
}

GST_CHECK_MAIN (datahub_delivery)
