/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A late consumer of units that are several buffers begins with the first buffer of
 * one that needs no other. */
#include "harness.h"
#include "sandbox.h"
#include "until.h"

#include <gst/check/gstharness.h>

#define D GST_BUFFER_FLAG_DELTA_UNIT
#define H GST_BUFFER_FLAG_HEADER
#define M GST_BUFFER_FLAG_MARKER
#define NALS "video/x-h264,stream-format=byte-stream,alignment=nal"

/* One buffer; its number is its last byte. */
typedef struct
{
  guint8 number; /* 0: behind the last one */
  gint time; /* -1: none */
  guint flags;
  guint size;
  guint8 bytes[8];
} Piece;

#define AUD264(n, time)                                                        \
  {                                                                            \
    n, time, D, 6,                                                             \
    {                                                                          \
      0, 0, 0, 1, 0x09, 0x10                                                   \
    }                                                                          \
  }
#define SPS264(n)                                                              \
  {                                                                            \
    n, -1, D | H, 6,                                                           \
    {                                                                          \
      0, 0, 0, 1, 0x67, 0x64                                                   \
    }                                                                          \
  }
#define PPS264(n)                                                              \
  {                                                                            \
    n, -1, D | H, 6,                                                           \
    {                                                                          \
      0, 0, 0, 1, 0x68, 0xee                                                   \
    }                                                                          \
  }
#define SEI264(n)                                                              \
  {                                                                            \
    n, -1, D | H, 5,                                                           \
    {                                                                          \
      0, 0, 1, 0x06, 0x05                                                      \
    }                                                                          \
  }
#define IDR264(n, time)                                                        \
  {                                                                            \
    n, time, 0, 6,                                                             \
    {                                                                          \
      0, 0, 0, 1, 0x65, 0x88                                                   \
    }                                                                          \
  }
#define IDR264_MORE(n)                                                         \
  {                                                                            \
    n, -1, 0, 6,                                                               \
    {                                                                          \
      0, 0, 0, 1, 0x65, 0x11                                                   \
    }                                                                          \
  }
#define P264(n, time)                                                          \
  {                                                                            \
    n, time, D, 5,                                                             \
    {                                                                          \
      0, 0, 1, 0x41, 0x9a                                                      \
    }                                                                          \
  }

/* Units of several streams: the last that readers can begin with begins with buffer
 * `begin`. */
static const struct
{
  const gchar *caps;
  guint begin;
  Piece pieces[14];
} streams[] = {
  { NALS, 6,
      { AUD264 (1, 0), SPS264 (2), PPS264 (3), IDR264 (4, -1), P264 (5, 1),
          AUD264 (6, 2), SPS264 (7), PPS264 (8), SEI264 (9), IDR264 (10, -1),
          IDR264_MORE (11), AUD264 (12, 3), P264 (13, -1) } },
  /* no delimiters, times on slices; messages are in front of any picture */
  { NALS, 4,
      { SPS264 (1), IDR264 (2, 0), P264 (3, 1), SPS264 (4), PPS264 (5),
          IDR264 (6, 2), IDR264_MORE (7), SEI264 (8), P264 (9, 3) } },
  /* nothing is in front of key frames, and there are no times */
  { NALS, 4,
      { SPS264 (1), IDR264 (2, -1), P264 (3, -1), IDR264 (4, -1),
          IDR264_MORE (5), P264 (6, -1) } },
  /* a second field of a key frame */
  { NALS, 2,
      { P264 (1, 0), AUD264 (2, 1), IDR264 (3, -1), IDR264 (4, -1),
          P264 (5, 2) } },
  /* with lengths in front */
  { "video/x-h264,stream-format=avc,alignment=nal,"
    "codec_data=(buffer)0164001efd",
      3,
      { { 1, 0, 0, 5, { 0, 3, 0x65, 0x88 } },
          { 2, 1, D, 5, { 0, 3, 0x41, 0x9a } },
          { 3, 2, D, 5, { 0, 3, 0x06, 0x05 } },
          { 4, 2, 0, 5, { 0, 3, 0x65, 0x88 } },
          { 5, 2, 0, 5, { 0, 3, 0x65, 0x11 } } } },
  { "video/x-h265,stream-format=byte-stream,alignment=nal", 4,
      { { 1, 0, D | H, 6, { 0, 0, 0, 1, 0x40, 0x01 } },
          { 2, -1, 0, 7, { 0, 0, 0, 1, 0x26, 0x01, 0xaf } },
          { 3, 1, D, 7, { 0, 0, 0, 1, 0x02, 0x01, 0xd0 } },
          { 4, 2, D | H, 6, { 0, 0, 0, 1, 0x40, 0x01 } },
          { 5, -1, D | H, 6, { 0, 0, 0, 1, 0x42, 0x01 } },
          { 6, -1, D | H, 6, { 0, 0, 0, 1, 0x44, 0x01 } },
          { 7, -1, D | H, 6, { 0, 0, 0, 1, 0x4e, 0x01 } },
          { 8, -1, 0, 7, { 0, 0, 0, 1, 0x26, 0x01, 0xaf } },
          { 9, -1, 0, 7, { 0, 0, 0, 1, 0x26, 0x01, 0x1f } },
          { 10, -1, D, 6, { 0, 0, 0, 1, 0x50, 0x01 } },
          { 11, 3, D, 7, { 0, 0, 0, 1, 0x02, 0x01, 0xd0 } } } },
  { "video/x-h266,stream-format=byte-stream,alignment=nal", 3,
      { { 1, 0, 0, 7, { 0, 0, 0, 1, 0x00, 0x41, 0x80 } },
          { 2, 1, D, 7, { 0, 0, 0, 1, 0x00, 0x01, 0x80 } },
          { 3, 2, D | H, 6, { 0, 0, 0, 1, 0x00, 0x79 } },
          { 4, 2, D | H, 6, { 0, 0, 0, 1, 0x00, 0x99 } },
          { 5, 2, 0, 7, { 0, 0, 0, 1, 0x00, 0x41, 0x00 } },
          { 6, 2, 0, 7, { 0, 0, 0, 1, 0x00, 0x41, 0x00 } } } },
  { "video/x-av1,stream-format=obu-stream,alignment=obu", 4,
      { { 1, 0, D | H, 1, { 0x10 } }, { 2, 0, 0, 2, { 0x30, 1 } },
          { 3, 1, D, 2, { 0x30, 1 } }, { 4, 2, D, 1, { 0x10 } },
          { 5, 2, D | H, 2, { 0x08, 1 } }, { 6, 2, 0, 2, { 0x30, 1 } },
          { 7, 2, 0, 2, { 0x20, 1 } }, { 8, 3, D, 2, { 0x30, 1 } } } },
  /* the first tile is behind other OBUs in its buffer */
  { "video/x-av1,stream-format=obu-stream,alignment=tile", 2,
      { { 1, 0, D, 3, { 0x12, 0, 0x30 } }, { 2, 1, 0, 3, { 0x12, 0, 0x30 } },
          { 3, 1, 0, 2, { 0x20, 1 } } } },
  { "image/x-jpc-striped,alignment=stripe", 3,
      { { 1, 0, 0, 1, { 0 } }, { 2, 0, M, 1, { 0 } }, { 3, 1, 0, 1, { 0 } },
          { 4, 1, M, 1, { 0 } } } },
};

static GstHarness *
new_sink (const gchar *caps)
{
  GstHarness *h =
      gst_harness_new_parse ("datahubsink datablock=test broker=none "
                             "sync=false async=false");
  gst_harness_set_src_caps_str (h, caps);
  return h;
}

static GstHarness *
new_src (const gchar *properties)
{
  g_autofree gchar *line =
      g_strdup_printf ("datahubsrc datablock=test broker=none "
                       "timestamps=passthrough delivery=reliable %s",
          properties);
  GstHarness *h = gst_harness_new_parse (line);
  gst_harness_play (h);
  return h;
}

static void
push_piece (GstHarness *h, const Piece *piece)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, piece->size + 1, NULL);
  gst_buffer_fill (buffer, 0, piece->bytes, piece->size);
  gst_buffer_fill (buffer, piece->size, &piece->number, 1);
  GST_BUFFER_FLAG_SET (buffer, piece->flags);
  if (piece->time >= 0)
    GST_BUFFER_PTS (buffer) = (GstClockTime) piece->time * GST_SECOND;
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

/* The next buffer is @piece, with the flags it was sent with. */
static void
pull_piece (GstHarness *h, const Piece *piece)
{
  const guint kept = D | H | M;
  GstBuffer *buffer = gst_harness_pull (h);
  guint8 number = 0;
  fail_unless (buffer != NULL);
  gst_buffer_extract (buffer, gst_buffer_get_size (buffer) - 1, &number, 1);
  fail_unless_equals_int (number, piece->number);
  fail_unless_equals_int (GST_BUFFER_FLAGS (buffer) & kept, piece->flags);
  gst_buffer_unref (buffer);
}

static void
end_stream (GstHarness *sink)
{
  fail_unless (gst_harness_push_event (sink, gst_event_new_eos ()));
}

GST_START_TEST (a_late_consumer_begins_with_a_whole_unit)
{
  const Piece *pieces = streams[__i__].pieces;
  GstHarness *sink = new_sink (streams[__i__].caps), *src;
  guint n = 0;
  for (; pieces[n].number; n++)
    push_piece (sink, &pieces[n]);
  src = new_src ("");
  for (guint i = streams[__i__].begin - 1; i < n; i++)
    pull_piece (src, &pieces[i]);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* All of it arrives where a consumer was there, in its order. */
GST_START_TEST (a_consumer_that_is_there_gets_all_of_it)
{
  const Piece *pieces = streams[__i__].pieces;
  GstHarness *sink = new_sink (streams[__i__].caps), *src;
  guint n = 0;
  for (; pieces[n].number; n++)
    push_piece (sink, &pieces[n]);
  src = new_src ("start-at=oldest");
  for (guint i = 0; i < n; i++)
    pull_piece (src, &pieces[i]);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* It comes before the unit, which a request brought, and does not begin inside. */
GST_START_TEST (a_consumer_that_waits_begins_with_a_whole_unit)
{
  const Piece *pieces = streams[0].pieces;
  GstHarness *sink = new_sink (NALS), *src;
  g_autoptr (GstElement) element =
      gst_harness_find_element (sink, "datahubsink");
  g_object_set (element, "slots", 8, NULL);
  push_piece (sink, &pieces[3]);
  for (guint i = 0; i < 1000; i++) /* the key frame is gone */
    push_piece (sink, &pieces[4]);
  src = new_src ("");
  UNTIL (element_stat (element, "num-consumers") == 1);
  push_piece (sink, &pieces[4]);
  for (guint i = 5; i < 13; i++)
    push_piece (sink, &pieces[i]);
  for (guint i = 5; i < 13; i++)
    pull_piece (src, &pieces[i]);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* As those of h264parse in front of a key frame that was asked for. */
GST_START_TEST (an_event_inside_of_a_unit_keeps_its_place)
{
  const Piece *pieces = streams[0].pieces;
  GstHarness *sink = new_sink (NALS), *src;
  for (guint i = 0; i < 8; i++)
    push_piece (sink, &pieces[i]);
  gst_harness_push_event (sink,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new_empty ("between")));
  for (guint i = 8; i < 11; i++)
    push_piece (sink, &pieces[i]);
  src = new_src ("");
  for (guint i = 5; i < 11; i++)
    pull_piece (src, &pieces[i]);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* What is held is part of the stream at its end, and not after a flush. */
GST_START_TEST (a_head_without_a_picture_is_not_lost)
{
  const Piece *pieces = streams[0].pieces;
  GstHarness *sink = new_sink (NALS), *src;
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  push_piece (sink, &pieces[3]);
  push_piece (sink, &pieces[5]);
  gst_harness_push_event (sink, gst_event_new_flush_start ());
  gst_harness_push_event (sink, gst_event_new_flush_stop (TRUE));
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  push_piece (sink, &pieces[9]);
  push_piece (sink, &pieces[11]);
  end_stream (sink);
  src = new_src ("");
  pull_piece (src, &pieces[9]);
  pull_piece (src, &pieces[11]);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Nothing is read behind the end of a buffer, and nothing is held for ever. */
GST_START_TEST (bytes_that_make_no_sense_are_just_bytes)
{
  static const guint8 bytes[][8] = { { 0 }, { 0, 0, 0, 1 }, { 0, 0, 1, 0x67 },
    { 0xff, 0xff }, { 0, 0, 0, 1, 0x65 }, { 0x12, 0x80, 0x80 } };
  for (guint s = 0; s < G_N_ELEMENTS (streams); s++) {
    GstHarness *sink = new_sink (streams[s].caps), *src;
    guint n = 0;
    for (guint i = 0; i < G_N_ELEMENTS (bytes); i++)
      for (guint size = 0; size < 8; size++, n++) {
        GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
        gst_buffer_fill (buffer, 0, bytes[i], size);
        GST_BUFFER_FLAG_SET (buffer, D);
        fail_unless_equals_int (gst_harness_push (sink, buffer), GST_FLOW_OK);
      }
    end_stream (sink);
    src = new_src ("start-at=oldest");
    for (guint i = 0; i < n; i++) {
      GstBuffer *buffer = gst_harness_pull (src);
      fail_unless_equals_uint64 (gst_buffer_get_size (buffer), i % 8);
      gst_buffer_unref (buffer);
    }
    gst_harness_teardown (src);
    gst_harness_teardown (sink);
  }
}
GST_END_TEST;

/* Whatever the flags: encoders may mark only what they were asked for. */
GST_START_TEST (pictures_that_stand_alone_are_not_waited_for)
{
  static const gchar *const caps[] = { "image/png", "image/jpeg",
    "video/x-prores", "audio/x-opus" };
  const Piece first = { 1, 0, 0, 1, { 0 } }, second = { 2, 1, D, 1, { 0 } },
              third = { 3, 2, D, 1, { 0 } };
  GstHarness *sink = new_sink (caps[__i__]), *src;
  push_piece (sink, &first);
  push_piece (sink, &second);
  src = new_src ("");
  pull_piece (src, &second);
  push_piece (sink, &third);
  pull_piece (src, &third);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_loop_test (tc, a_late_consumer_begins_with_a_whole_unit, 0,
      G_N_ELEMENTS (streams));
  tcase_add_loop_test (tc, a_consumer_that_is_there_gets_all_of_it, 0,
      G_N_ELEMENTS (streams));
  tcase_add_test (tc, a_consumer_that_waits_begins_with_a_whole_unit);
  tcase_add_test (tc, an_event_inside_of_a_unit_keeps_its_place);
  tcase_add_test (tc, a_head_without_a_picture_is_not_lost);
  tcase_add_test (tc, bytes_that_make_no_sense_are_just_bytes);
  tcase_add_loop_test (tc, pictures_that_stand_alone_are_not_waited_for, 0, 4);
}

SANDBOX_MAIN (units)
