/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real elements in front of the sink, and streams of which no caps give the size: what
 * allocates slots, what is copied, and that nothing negotiates again. */
#include "harness.h"
#include "messages.h"
#include "producer.h"
#include "sandbox.h"

#include <string.h>

#define SIZE 262144u
#define BUFFERS 24

typedef struct
{
  GstHarness *src;
  Producer producer;
  gint reconfigures; /* atomic */
} Stream;

static GstPadProbeReturn
on_upstream_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Stream *stream = user_data;
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_RECONFIGURE)
    g_atomic_int_inc (&stream->reconfigures);
  return GST_PAD_PROBE_OK;
}

/* It plays when the consumer is there. */
static void
start (Stream *stream, const gchar *line, const gchar *properties)
{
  g_autofree gchar *whole =
      g_strdup_printf ("%s ! datahubsink name=sink datablock=test sync=false "
                       "wait-for-consumers=1 %s",
          line, properties);
  g_autoptr (GstPad) pad = NULL;
  stream->reconfigures = 0;
  stream->producer.pipeline = gst_parse_launch (whole, NULL);
  fail_unless (GST_IS_PIPELINE (stream->producer.pipeline), "%s", whole);
  stream->producer.sink =
      gst_bin_get_by_name (GST_BIN (stream->producer.pipeline), "sink");
  pad = gst_element_get_static_pad (stream->producer.sink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, on_upstream_event,
      stream, NULL);
  stream->src = harness_src ("delivery=reliable start-at=oldest");
  gst_element_set_state (stream->producer.pipeline, GST_STATE_PLAYING);
}

static void
end (Stream *stream)
{
  fail_unless_equals_int (g_atomic_int_get (&stream->reconfigures), 0);
  producer_end (&stream->producer);
  gst_harness_teardown (stream->src);
}

/* Each buffer of the file has its number in each byte. */
static gchar *
write_file (void)
{
  gchar *path =
      g_build_filename (g_getenv ("DATAHUB_RUNTIME_DIR"), "tensors", NULL);
  g_autofree gchar *bytes = g_malloc ((gsize) SIZE * BUFFERS);
  for (guint i = 0; i < BUFFERS; i++)
    memset (bytes + (gsize) i * SIZE, (gint) i, SIZE);
  fail_unless (g_file_set_contents (path, bytes, (gssize) SIZE * BUFFERS,
      NULL));
  return path;
}

static void
take_file (GstHarness *src)
{
  for (guint i = 0; i < BUFFERS; i++) {
    g_autoptr (GstBuffer) buffer = gst_harness_pull (src);
    GstMapInfo map;
    fail_unless (buffer && gst_buffer_map (buffer, &map, GST_MAP_READ));
    fail_unless_equals_int (map.size, SIZE);
    fail_unless (map.data[0] == i
        && memcmp (map.data, map.data + 1, SIZE - 1) == 0);
    gst_buffer_unmap (buffer, &map);
  }
}

static guint64
copies_through (const gchar *between)
{
  g_autofree gchar *path = write_file ();
  g_autofree gchar *line =
      g_strdup_printf ("filesrc location=%s blocksize=%u %s", path, SIZE,
          between);
  Stream stream;
  guint64 copied;
  start (&stream, line, "");
  take_file (stream.src);
  copied = element_stat (stream.producer.sink, "copied");
  fail_unless_equals_uint64 (copied
          + element_stat (stream.producer.sink, "zero-copy"),
      BUFFERS);
  end (&stream);
  return copied;
}

GST_START_TEST (the_first_buffer_of_a_file_is_copied)
{
  fail_unless_equals_uint64 (copies_through (""), 1);
  fail_unless_equals_uint64 (copies_through ("! identity"), 1);
  fail_unless_equals_uint64 (
      copies_through ("! capssetter caps=other/tensors ! identity"), 1);
}
GST_END_TEST;

GST_START_TEST (a_file_through_a_caps_filter_is_copied_once)
{
  fail_unless_equals_uint64 (
      copies_through ("! capsfilter caps=application/x-test"), 1);
}
GST_END_TEST;

/* What waits in the queue before there is a block. */
GST_START_TEST (what_a_queue_holds_at_first_is_copied)
{
  guint64 copied = copies_through ("! queue max-size-buffers=3");
  fail_unless (copied >= 1 && copied <= 6, "%" G_GUINT64_FORMAT, copied);
  copied = copies_through ("! queue max-size-buffers=3 ! identity ! "
                           "queue max-size-buffers=3");
  fail_unless (copied >= 1 && copied <= 10, "%" G_GUINT64_FORMAT, copied);
}
GST_END_TEST;

/* A tee of GStreamer passes no allocator upstream. */
GST_START_TEST (behind_a_tee_all_is_copied)
{
  fail_unless_equals_uint64 (
      copies_through ("! tee name=t ! queue ! fakesink async=false t. ! queue"),
      BUFFERS);
}
GST_END_TEST;

/* Plays, pauses and plays, until the end. */
GST_START_TEST (pauses_change_nothing)
{
  g_autofree gchar *path = write_file ();
  g_autofree gchar *line = g_strdup_printf (
      "filesrc location=%s blocksize=%u ! queue max-size-buffers=2", path,
      SIZE);
  g_autoptr (GstMessage) message = NULL;
  Stream stream;
  start (&stream, line, "");
  for (guint i = 0; i < 6; i++) {
    gst_element_set_state (stream.producer.pipeline, GST_STATE_PAUSED);
    gst_element_set_state (stream.producer.pipeline, GST_STATE_PLAYING);
  }
  take_file (stream.src);
  message = wait_message (stream.producer.pipeline, GST_MESSAGE_EOS);
  fail_unless (element_stat (stream.producer.sink, "copied") <= 6);
  end (&stream);
}
GST_END_TEST;

/* Bigger than a slot as the user set it. A pool of that size would cut them. */
GST_START_TEST (converted_sound_crosses_whole)
{
  Stream stream;
  start (&stream,
      "audiotestsrc num-buffers=20 samplesperbuffer=16384 ! "
      "audio/x-raw,format=S16LE,channels=1 ! audioconvert ! "
      "audio/x-raw,format=F64LE",
      "slot-size=65536");
  for (guint i = 0; i < 20; i++) {
    g_autoptr (GstBuffer) buffer = gst_harness_pull (stream.src);
    fail_unless_equals_int (gst_buffer_get_size (buffer), 16384 * 8);
  }
  end (&stream);
}
GST_END_TEST;

/* The base class allocates their output, in GStreamer 1.22 to 1.26. */
static const gchar *const encoders[][2] = {
  { "alawenc", "audiotestsrc num-buffers=40 ! audio/x-raw,rate=8000" },
  { "mulawenc", "audiotestsrc num-buffers=40 ! audio/x-raw,rate=8000" },
  { "opusenc", "audiotestsrc num-buffers=40" },
  { "vorbisenc", "audiotestsrc num-buffers=40" },
  { "sbcenc", "audiotestsrc num-buffers=40" },
  { "theoraenc", "videotestsrc num-buffers=40 ! video/x-raw,format=I420" },
  { "pnmenc", "videotestsrc num-buffers=40 ! video/x-raw,format=RGB" },
};

static void
check_encoder (const gchar *encoder, const gchar *source)
{
  g_autofree gchar *line = g_strdup_printf ("%s ! %s", source, encoder);
  g_autoptr (GstMessage) message = NULL;
  Stream stream;
  start (&stream, line, "");
  message = wait_message (stream.producer.pipeline, GST_MESSAGE_EOS);
  fail_unless (element_stat (stream.producer.sink, "zero-copy") >= 30, "%s",
      encoder);
  end (&stream);
}

GST_START_TEST (encoders_write_into_slots)
{
  for (guint i = 0; i < G_N_ELEMENTS (encoders); i++) {
    g_autoptr (GstElementFactory) factory =
        gst_element_factory_find (encoders[i][0]);
    if (factory)
      check_encoder (encoders[i][0], encoders[i][1]);
  }
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, the_first_buffer_of_a_file_is_copied);
  tcase_add_test (tc, a_file_through_a_caps_filter_is_copied_once);
  tcase_add_test (tc, what_a_queue_holds_at_first_is_copied);
  tcase_add_test (tc, behind_a_tee_all_is_copied);
  tcase_add_test (tc, pauses_change_nothing);
  tcase_add_test (tc, converted_sound_crosses_whole);
  tcase_add_test (tc, encoders_write_into_slots);
}

SANDBOX_MAIN (upstreams)
