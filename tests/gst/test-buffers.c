/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers of every shape cross: many memories and none, lists, flags, planes. */
#include "bytes.h"
#include "sandbox.h"
#include "until.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

static guint
num_consumers (GstHarness *sink)
{
  guint n;
  g_object_get (sink->element, "num-consumers", &n, NULL);
  return n;
}

GST_START_TEST (many_memories_and_none_cross)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *in = gst_buffer_new (), *out;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  for (guint i = 0; i < 9; i++)
    in = gst_buffer_append (in, bytes_buffer (10, 4));
  fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_push (sink, gst_buffer_new ()),
      GST_FLOW_OK);
  src = harness_src ("start-at=oldest");
  take_bytes (src, 90, 4);
  out = gst_harness_pull (src);
  fail_unless_equals_int (gst_buffer_get_size (out), 0);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* They are copied once, and a consumer that maps them all needs no further copy. */
GST_START_TEST (few_memories_stay_apart)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *in = gst_buffer_new (), *out;
  GstMapInfo map;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  for (guint i = 0; i < 4; i++)
    in = gst_buffer_append (in, bytes_buffer (10 + i, (guint8) i));
  gst_buffer_add_video_region_of_interest_meta (in, "face", 1, 2, 3, 4);
  fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
  fail_unless_equals_uint64 (element_stat (sink->element, "copied-bytes"), 46);
  src = harness_src ("start-at=oldest");
  out = gst_harness_pull (src);
  fail_unless_equals_int (gst_buffer_n_memory (out), 4);
  for (guint i = 0; i < 4; i++) {
    fail_unless (gst_memory_map (gst_buffer_peek_memory (out, i), &map,
        GST_MAP_READ));
    fail_unless_equals_int (map.size, 10 + i);
    fail_unless_equals_int (map.data[0], i);
    fail_unless_equals_int (map.data[9 + i], i);
    fail_unless (sandbox_is_shared (map.data, map.size));
    gst_memory_unmap (gst_buffer_peek_memory (out, i), &map);
  }
  fail_unless (gst_buffer_map (out, &map, GST_MAP_READ));
  fail_unless_equals_int (map.size, 46);
  fail_unless (sandbox_is_shared (map.data, map.size));
  fail_unless_equals_int (map.data[45], 3);
  gst_buffer_unmap (out, &map);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (two_slots_in_one_buffer_cross_without_a_copy)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *in, *out;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  in = gst_buffer_append (gst_harness_create_buffer (sink, 256),
      gst_harness_create_buffer (sink, 256));
  gst_buffer_memset (in, 0, 1, 256);
  gst_buffer_memset (in, 256, 2, 256);
  fail_unless_equals_int (gst_harness_push (sink, in), GST_FLOW_OK);
  src = harness_src ("");
  out = gst_harness_pull (src);
  fail_unless_equals_int (gst_buffer_n_memory (out), 2);
  fail_unless_equals_int (gst_buffer_memcmp (out, 256, "\2\2\2", 3), 0);
  fail_unless_equals_uint64 (element_stat (sink->element, "zero-copy"), 1);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static gpointer
push_list (gpointer data)
{
  GstHarness *h = data;
  GstBufferList *list = gst_buffer_list_new ();
  for (guint i = 0; i < 200; i++)
    gst_buffer_list_add (list, bytes_buffer (100, (guint8) i));
  return GINT_TO_POINTER (gst_pad_push_list (h->srcpad, list));
}

GST_START_TEST (a_long_buffer_list_crosses_whole)
{
  GstHarness *sink = harness_sink (""), *src;
  GThread *thread;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_bytes (sink, 100, 255);
  src = harness_src ("delivery=reliable start-at=oldest");
  UNTIL (num_consumers (sink) == 1);
  thread = g_thread_new ("push", push_list, sink);
  gst_buffer_unref (gst_harness_pull (src));
  for (guint i = 0; i < 200; i++)
    take_bytes (src, 100, (guint8) i);
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_OK);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

#define BIG 100000

static gpointer
push_big_list (gpointer data)
{
  GstHarness *h = data;
  GstBufferList *list = gst_buffer_list_new ();
  for (guint i = 0; i < 20; i++)
    gst_buffer_list_add (list, bytes_buffer (BIG, (guint8) i));
  return GINT_TO_POINTER (gst_pad_push_list (h->srcpad, list));
}

/* max-bytes has room for five slots of their size, and for five more when the
 * first ones have given their memory back. */
#define FEW_SLOTS "slots=128 slot-size=4096 max-bytes=1040000"

GST_START_TEST (a_buffer_list_of_more_than_all_slots_crosses_whole)
{
  GstHarness *sink = harness_sink (FEW_SLOTS), *src;
  GThread *thread;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_bytes (sink, 100, 255);
  src = harness_src ("delivery=reliable start-at=oldest");
  UNTIL (num_consumers (sink) == 1);
  thread = g_thread_new ("push", push_big_list, sink);
  gst_buffer_unref (gst_harness_pull (src));
  for (guint i = 0; i < 20; i++)
    take_bytes (src, BIG, (guint8) i);
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_OK);
  fail_unless (element_stat (sink->element, "slots") <= 10);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Headroom is for small slots: three big ones and 64 MiB are the most. */
GST_START_TEST (a_big_first_buffer_has_no_headroom)
{
  GstHarness *small = harness_sink ("datablock=small");
  GstHarness *big = harness_sink ("datablock=big");
  gst_harness_set_src_caps_str (small, TEST_CAPS);
  gst_harness_set_src_caps_str (big, TEST_CAPS);
  push_bytes (small, 1 << 20, 1);
  push_bytes (big, 40 << 20, 1);
  fail_unless_equals_uint64 (element_stat (small->element, "slot-size"),
      2 << 20);
  fail_unless_equals_uint64 (element_stat (big->element, "slot-size"),
      40 << 20);
  fail_unless (element_stat (big->element, "bytes-used") <= (3 * 40 + 64)
          << 20);
  gst_harness_teardown (small);
  gst_harness_teardown (big);
}
GST_END_TEST;

/* Three of them, as behind small ones. */
GST_START_TEST (big_buffers_fit_within_max_bytes_from_the_first)
{
  GstHarness *sink = harness_sink ("datablock=cam0 max-bytes=62914560");
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  for (guint i = 0; i < 6; i++)
    push_bytes (sink, 20 << 20, (guint8) i);
  fail_unless_equals_uint64 (element_stat (sink->element, "dropped"), 0);
  fail_unless (element_stat (sink->element, "bytes-used") <= 62914560);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_buffer_list_of_more_than_all_slots_is_not_dropped)
{
  GstHarness *sink = harness_sink (FEW_SLOTS);
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  push_bytes (sink, 100, 255);
  fail_unless_equals_int (GPOINTER_TO_INT (push_big_list (sink)), GST_FLOW_OK);
  fail_unless_equals_uint64 (element_stat (sink->element, "buffers"), 21);
  fail_unless_equals_uint64 (element_stat (sink->element, "no-room"), 0);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (flags_offsets_and_times_cross)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *in = bytes_buffer (10, 1), *out;
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  GST_BUFFER_PTS (in) = 5000;
  GST_BUFFER_DTS (in) = 4000;
  GST_BUFFER_DURATION (in) = 300;
  GST_BUFFER_OFFSET (in) = 77;
  GST_BUFFER_OFFSET_END (in) = 78;
  GST_BUFFER_FLAG_SET (in, GST_BUFFER_FLAG_HEADER | GST_BUFFER_FLAG_MARKER);
  gst_harness_push (sink, in);
  src = harness_src ("timestamps=passthrough");
  out = gst_harness_pull (src);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (out), 5000);
  fail_unless_equals_uint64 (GST_BUFFER_DTS (out), 4000);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (out), 300);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (out), 77);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET_END (out), 78);
  fail_unless (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_HEADER));
  fail_unless (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_MARKER));
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (planar_audio_is_readable_at_the_other_end)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *in = bytes_buffer (2 * 64 * 4, 0), *out;
  gsize offsets[2] = { 256, 0 };
  GstAudioInfo info;
  GstAudioBuffer audio;
  gst_harness_set_src_caps_str (sink,
      "audio/x-raw, format=F32LE, rate=48000, channels=2, "
      "layout=non-interleaved, channel-mask=(bitmask)0x3");
  gst_audio_info_init (&info);
  gst_audio_info_set_format (&info, GST_AUDIO_FORMAT_F32LE, 48000, 2, NULL);
  info.layout = GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  gst_buffer_add_audio_meta (in, &info, 64, offsets);
  gst_buffer_memset (in, 256, 7, 256);
  gst_harness_push (sink, in);
  src = harness_src ("");
  out = gst_harness_pull (src);
  fail_unless (gst_audio_buffer_map (&audio, &info, out, GST_MAP_READ));
  fail_unless_equals_int (audio.n_samples, 64);
  fail_unless_equals_int (((guint8 *) audio.planes[0])[255], 7);
  fail_unless_equals_int (((guint8 *) audio.planes[1])[0], 0);
  gst_audio_buffer_unmap (&audio);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A harness does not answer that it reads GstVideoMeta. */
GST_START_TEST (padded_pictures_fit_who_does_not_know_padding)
{
  GstHarness *sink = harness_sink (""), *src;
  gsize offset[4] = { 32 };
  gint stride[4] = { 24 };
  GstBuffer *in = bytes_buffer (32 + 24 * 16, 0xee);
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  gst_buffer_add_video_meta_full (in, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 16, 16, 1, offset, stride);
  for (guint y = 0; y < 16; y++)
    gst_buffer_memset (in, 32 + y * 24, 5, 16);
  gst_harness_push (sink, in);
  src = harness_src ("");
  take_bytes (src, 256, 5);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* A picture of 24 by 20 in rows of 32 bytes, with what elements add to one: a
 * region, a time, and, for caps of 16 by 16, a crop to the bytes that are 5. */
static GstBuffer *
cropped_picture (void)
{
  g_autoptr (GstCaps) ntp = gst_caps_new_empty_simple ("timestamp/x-ntp");
  gsize offset[4] = { 0 };
  gint stride[4] = { 32 };
  GstBuffer *buffer = bytes_buffer (32 * 20, 0xee);
  GstVideoCropMeta *crop;
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 24, 20, 1, offset, stride);
  crop = gst_buffer_add_video_crop_meta (buffer);
  *crop = (GstVideoCropMeta){ crop->meta, 4, 2, 16, 16 };
  for (guint y = 0; y < 16; y++)
    gst_buffer_memset (buffer, (y + 2) * 32 + 4, 5, 16);
  gst_buffer_add_video_region_of_interest_meta (buffer, "face", 6, 1, 4, 5)
      ->id = 3;
  gst_buffer_add_reference_timestamp_meta (buffer, ntp, 123, 456);
  return buffer;
}

/* What arrives of it downstream. */
static GstBuffer *
send_picture (GstBuffer *picture, const GType *known, guint n_known)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *out;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  gst_harness_push (sink, picture);
  src = harness_src ("start-at=oldest");
  for (guint i = 0; i < n_known; i++)
    gst_harness_add_propose_allocation_meta (src, known[i], NULL);
  out = gst_buffer_copy_deep (gst_harness_pull (src));
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
  return out;
}

static void
check_region (GstBuffer *buffer, guint x, guint y, guint w, guint h)
{
  GstVideoRegionOfInterestMeta *region =
      gst_buffer_get_video_region_of_interest_meta_id (buffer, 3);
  fail_unless (region != NULL);
  fail_unless_equals_int (region->x, x);
  fail_unless_equals_int (region->y, y);
  fail_unless_equals_int (region->w, w);
  fail_unless_equals_int (region->h, h);
}

GST_START_TEST (a_crop_is_applied_and_the_other_metas_stay)
{
  static const guint8 five[16 * 16] = { [0 ... 255] = 5 };
  GstBuffer *out = send_picture (cropped_picture (), NULL, 0);
  fail_unless_equals_int (gst_buffer_get_size (out), sizeof five);
  fail_unless (gst_buffer_memcmp (out, 0, five, sizeof five) == 0);
  fail_if (gst_buffer_get_video_meta (out));
  fail_if (gst_buffer_get_video_crop_meta (out));
  check_region (out, 2, 0, 4, 4);
  fail_unless (gst_buffer_get_reference_timestamp_meta (out, NULL) != NULL);
  gst_buffer_unref (out);
}
GST_END_TEST;

GST_START_TEST (a_crop_stays_where_it_is_known)
{
  const GType known[] = { GST_VIDEO_META_API_TYPE,
    GST_VIDEO_CROP_META_API_TYPE };
  GstBuffer *picture = cropped_picture ();
  GstBuffer *out = send_picture (picture, known, G_N_ELEMENTS (known));
  GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta (out);
  fail_unless_equals_int (gst_buffer_get_size (out), 32 * 20);
  fail_unless (crop && crop->x == 4 && crop->height == 16);
  fail_unless_equals_int (gst_buffer_get_video_meta (out)->width, 24);
  check_region (out, 6, 1, 4, 5);
  gst_buffer_unref (out);
  /* one that reads no crop must not get the whole picture */
  out = send_picture (cropped_picture (), known, 1);
  fail_unless_equals_int (gst_buffer_get_size (out), 16 * 16);
  gst_buffer_unref (out);
}
GST_END_TEST;

GST_START_TEST (a_crop_within_the_size_of_the_caps_stays)
{
  gsize offset[4] = { 0 };
  gint stride[4] = { 32 };
  GstBuffer *picture = bytes_buffer (32 * 16, 5), *out;
  GstVideoCropMeta *crop;
  gst_buffer_add_video_meta_full (picture, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 16, 16, 1, offset, stride);
  crop = gst_buffer_add_video_crop_meta (picture);
  *crop = (GstVideoCropMeta){ crop->meta, 4, 2, 8, 9 };
  out = send_picture (picture, NULL, 0);
  fail_unless_equals_int (gst_buffer_get_size (out), 16 * 16);
  crop = gst_buffer_get_video_crop_meta (out);
  fail_unless (crop && crop->x == 4 && crop->y == 2 && crop->width == 8);
  gst_buffer_unref (out);
}
GST_END_TEST;

static GstBuffer *
overlay_pixels (void)
{
  GstBuffer *pixels = bytes_buffer (2 * 2 * 4, 9);
  gst_buffer_add_video_meta (pixels, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, 2, 2);
  return pixels;
}

/* As regions do: its place is relative to the picture. */
GST_START_TEST (an_overlay_moves_with_the_crop)
{
  GstBuffer *picture = cropped_picture (), *out;
  g_autoptr (GstBuffer) pixels = overlay_pixels ();
  g_autoptr (GstVideoOverlayRectangle) rectangle =
      gst_video_overlay_rectangle_new_raw (pixels, 10, 7, 2, 2,
          GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
  g_autoptr (GstVideoOverlayComposition) overlay =
      gst_video_overlay_composition_new (rectangle);
  GstVideoOverlayCompositionMeta *meta;
  const guint cut_x = gst_buffer_get_video_crop_meta (picture)->x;
  const guint cut_y = gst_buffer_get_video_crop_meta (picture)->y;
  gint x, y;
  guint width, height;
  gst_buffer_add_video_overlay_composition_meta (picture, overlay);
  out = send_picture (picture, NULL, 0);
  meta = gst_buffer_get_video_overlay_composition_meta (out);
  fail_unless (meta != NULL);
  gst_video_overlay_rectangle_get_render_rectangle (
      gst_video_overlay_composition_get_rectangle (meta->overlay, 0), &x, &y,
      &width, &height);
  fail_unless_equals_int (x, 10 - (gint) cut_x);
  fail_unless_equals_int (y, 7 - (gint) cut_y);
  fail_unless_equals_int (width, 2);
  gst_buffer_unref (out);
}
GST_END_TEST;

/* The rows come in the usual order, and no layout of the old memory stays. */
GST_START_TEST (a_picture_from_the_last_row_to_the_first_is_turned)
{
  gsize offset[4] = { 15 * 16 };
  gint stride[4] = { -16 };
  GstBuffer *picture = bytes_buffer (16 * 16, 5), *out;
  for (guint row = 0; row < 16; row++)
    gst_buffer_memset (picture, row * 16, (guint8) (15 - row), 16);
  gst_buffer_add_video_meta_full (picture, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 16, 16, 1, offset, stride);
  gst_buffer_add_video_meta_full (picture, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 16, 16, 1, offset, stride)
      ->id = 1;
  out = send_picture (picture, NULL, 0);
  fail_unless (gst_buffer_get_video_meta (out) == NULL);
  for (guint row = 0; row < 16; row++) {
    guint8 byte = 99;
    gst_buffer_extract (out, row * 16 + 15, &byte, 1);
    fail_unless_equals_int (byte, row);
  }
  gst_buffer_unref (out);
}
GST_END_TEST;

/* An element would read outside of the picture. */
GST_START_TEST (a_crop_outside_of_the_caps_stays_behind_and_is_counted)
{
  GstHarness *sink = harness_sink (""), *src;
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (16, 16));
  for (guint i = 0; i < 2; i++) {
    GstBuffer *picture = bytes_buffer (16 * 16, 5);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (picture);
    *crop = (GstVideoCropMeta){ crop->meta, 4, 2, 12 + i, 9 };
    gst_harness_push (sink, picture);
  }
  src = harness_src ("delivery=reliable start-at=oldest");
  for (guint i = 0; i < 2; i++) {
    GstBuffer *out = gst_harness_pull (src);
    fail_unless ((gst_buffer_get_video_crop_meta (out) != NULL) == (i == 0));
    gst_buffer_unref (out);
  }
  fail_unless_equals_uint64 (element_stat (sink->element, "metas-left"), 1);
  fail_unless_equals_uint64 (element_stat (src->element, "metas-refused"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (a_picture_that_is_not_of_its_caps_is_left_alone)
{
  GstBuffer *picture = bytes_buffer (4096, 5), *out;
  gst_buffer_add_video_meta (picture, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_I420, 20, 20);
  out = send_picture (picture, NULL, 0);
  fail_unless_equals_int (gst_buffer_get_size (out), 4096);
  fail_unless (gst_buffer_get_video_meta (out) == NULL);
  gst_buffer_unref (out);
  picture = bytes_buffer (4096, 5);
  gst_buffer_add_video_meta (picture, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 8, 8);
  out = send_picture (picture, NULL, 0);
  fail_unless_equals_int (gst_buffer_get_size (out), 4096);
  fail_unless (gst_buffer_get_video_meta (out) == NULL);
  gst_buffer_unref (out);
}
GST_END_TEST;

static void
add_samples (GstBuffer *buffer, GstAudioFormat format, gint channels)
{
  GstAudioInfo info;
  gst_audio_info_init (&info);
  gst_audio_info_set_format (&info, format, 48000, channels, NULL);
  gst_buffer_add_audio_meta (buffer, &info, 16, NULL);
}

/* Elements would multiply its samples by the channels of the caps. */
GST_START_TEST (samples_that_are_not_of_their_caps_lose_their_meta)
{
  static const struct
  {
    GstAudioFormat format;
    gint channels;
  } of[] = { { GST_AUDIO_FORMAT_S16LE, 4 }, { GST_AUDIO_FORMAT_S16LE, 1 },
    { GST_AUDIO_FORMAT_S8, 4 } };
  GstHarness *sink = harness_sink (""), *src;
  gst_harness_set_src_caps_str (sink,
      "audio/x-raw, format=S16LE, rate=48000, channels=4, "
      "layout=interleaved, channel-mask=(bitmask)0x33");
  for (guint i = 0; i < G_N_ELEMENTS (of); i++) {
    GstBuffer *buffer = bytes_buffer (256, 5);
    add_samples (buffer, of[i].format, of[i].channels);
    gst_harness_push (sink, buffer);
  }
  src = harness_src ("delivery=reliable start-at=oldest");
  for (guint i = 0; i < G_N_ELEMENTS (of); i++) {
    GstBuffer *out = gst_harness_pull (src);
    fail_unless ((gst_buffer_get_audio_meta (out) != NULL) == (i == 0));
    gst_buffer_unref (out);
  }
  fail_unless_equals_uint64 (element_stat (sink->element, "metas-left"), 2);
  fail_unless_equals_uint64 (element_stat (src->element, "metas-refused"), 0);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* Elements cannot map them. */
GST_START_TEST (planes_without_a_meta_get_one)
{
  GstHarness *sink = harness_sink (""), *src;
  GstBuffer *out;
  GstAudioMeta *meta;
  gst_harness_set_src_caps_str (sink,
      "audio/x-raw, format=S16LE, rate=48000, channels=2, "
      "layout=non-interleaved, channel-mask=(bitmask)0x3");
  gst_harness_push (sink, bytes_buffer (256, 5));
  src = harness_src ("start-at=oldest");
  out = gst_harness_pull (src);
  meta = gst_buffer_get_audio_meta (out);
  fail_unless (meta && meta->samples == 64 && meta->offsets[1] == 128);
  gst_buffer_unref (out);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, many_memories_and_none_cross);
  tcase_add_test (tc, few_memories_stay_apart);
  tcase_add_test (tc, two_slots_in_one_buffer_cross_without_a_copy);
  tcase_add_test (tc, a_long_buffer_list_crosses_whole);
  tcase_add_test (tc, a_buffer_list_of_more_than_all_slots_crosses_whole);
  tcase_add_test (tc, a_buffer_list_of_more_than_all_slots_is_not_dropped);
  tcase_add_test (tc, a_big_first_buffer_has_no_headroom);
  tcase_add_test (tc, big_buffers_fit_within_max_bytes_from_the_first);
  tcase_add_test (tc, flags_offsets_and_times_cross);
  tcase_add_test (tc, planar_audio_is_readable_at_the_other_end);
  tcase_add_test (tc, padded_pictures_fit_who_does_not_know_padding);
  tcase_add_test (tc, a_crop_is_applied_and_the_other_metas_stay);
  tcase_add_test (tc, a_crop_stays_where_it_is_known);
  tcase_add_test (tc, a_crop_within_the_size_of_the_caps_stays);
  tcase_add_test (tc, an_overlay_moves_with_the_crop);
  tcase_add_test (tc, a_picture_from_the_last_row_to_the_first_is_turned);
  tcase_add_test (tc, a_crop_outside_of_the_caps_stays_behind_and_is_counted);
  tcase_add_test (tc, a_picture_that_is_not_of_its_caps_is_left_alone);
  tcase_add_test (tc, samples_that_are_not_of_their_caps_lose_their_meta);
  tcase_add_test (tc, planes_without_a_meta_get_one);
}

SANDBOX_MAIN (buffers)
