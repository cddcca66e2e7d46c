/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas of buffers across a block: there and back, what cannot cross, and what is
 * refused of what another process may have written. */
#include "gstdatahubmeta.h"
#include "mutate.h"
#include "suite.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

static GByteArray *
encode_metas (GstBuffer *buffer, guint expected_left)
{
  GByteArray *bytes = g_byte_array_new ();
  GstDatahubLeftOut left = { 0 };
  gst_datahub_meta_encode (buffer, bytes, &left);
  fail_unless_equals_uint64 (left.count, expected_left);
  fail_unless ((left.last[0] != '\0') == (left.count > 0));
  return bytes;
}

/* Returns: how many were refused. */
static guint64
decode_metas (GstBuffer *to, gconstpointer data, gsize size)
{
  GstDatahubLeftOut left = { 0 };
  gst_datahub_meta_decode (to, data, size, &left);
  return left.count;
}

static GstBuffer *
metas_back (GstBuffer *buffer)
{
  GByteArray *bytes = encode_metas (buffer, 0);
  GstBuffer *back =
      gst_buffer_new_allocate (NULL, gst_buffer_get_size (buffer), NULL);
  fail_unless_equals_uint64 (decode_metas (back, bytes->data, bytes->len), 0);
  g_byte_array_unref (bytes);
  return back;
}

static GstBuffer *
padded_picture (void)
{
  gsize offset[4] = { 64, 64 + 32 * 16, 64 + 32 * 16 + 16 * 8 };
  gint stride[4] = { 32, 16, 16 };
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 4096, NULL);
  GstVideoMeta *meta =
      gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_INTERLACED,
          GST_VIDEO_FORMAT_I420, 20, 16, 3, offset, stride);
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (buffer);
  meta->alignment.padding_left = 2;
  crop->x = 2;
  crop->y = 4;
  crop->width = 10;
  crop->height = 12;
  return buffer;
}

GST_START_TEST (video_metas_survive)
{
  GstBuffer *buffer = padded_picture (), *back;
  GstVideoMeta *meta;
  GstVideoCropMeta *crop;
  GstVideoRegionOfInterestMeta *region;
  region =
      gst_buffer_add_video_region_of_interest_meta (buffer, "face", 1, 2, 3, 4);
  region->id = 9;
  gst_video_region_of_interest_meta_add_param (region,
      gst_structure_new ("detection", "confidence", G_TYPE_DOUBLE, 0.75, NULL));
  gst_video_region_of_interest_meta_add_param (region,
      gst_structure_new ("encoder", "qp", G_TYPE_INT, -3, NULL));
  back = metas_back (buffer);
  meta = gst_buffer_get_video_meta (back);
  fail_unless (meta != NULL);
  fail_unless_equals_int (meta->format, GST_VIDEO_FORMAT_I420);
  fail_unless_equals_int (meta->flags, GST_VIDEO_FRAME_FLAG_INTERLACED);
  fail_unless_equals_int (meta->width, 20);
  fail_unless_equals_int (meta->offset[1], 64 + 32 * 16);
  fail_unless_equals_int (meta->stride[0], 32);
  fail_unless_equals_int (meta->alignment.padding_left, 2);
  crop = gst_buffer_get_video_crop_meta (back);
  fail_unless (crop && crop->x == 2 && crop->height == 12);
  region = gst_buffer_get_video_region_of_interest_meta_id (back, 9);
  fail_unless (region && region->w == 3
      && region->roi_type == g_quark_from_static_string ("face"));
  {
    gdouble confidence = 0;
    gint qp = 0;
    GstStructure *param =
        gst_video_region_of_interest_meta_get_param (region, "detection");
    fail_unless (param
        && gst_structure_get_double (param, "confidence", &confidence));
    fail_unless (confidence == 0.75);
    param = gst_video_region_of_interest_meta_get_param (region, "encoder");
    fail_unless (param && gst_structure_get_int (param, "qp", &qp));
    fail_unless_equals_int (qp, -3);
  }
  gst_buffer_unref (buffer);
  gst_buffer_unref (back);
}
GST_END_TEST;

GST_START_TEST (planar_audio_survives)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 6 * 256, NULL), *back;
  gsize offsets[6];
  GstAudioInfo info;
  GstAudioMeta *meta;
  gst_audio_info_init (&info);
  gst_audio_info_set_format (&info, GST_AUDIO_FORMAT_F32LE, 48000, 6, NULL);
  info.layout = GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  for (guint i = 0; i < 6; i++)
    offsets[i] = (5 - i) * 256;
  fail_unless (gst_buffer_add_audio_meta (buffer, &info, 64, offsets) != NULL);
  back = metas_back (buffer);
  meta = gst_buffer_get_audio_meta (back);
  fail_unless (meta != NULL);
  fail_unless_equals_int (meta->samples, 64);
  fail_unless_equals_int (meta->offsets[0], 5 * 256);
  fail_unless_equals_int (meta->info.layout, GST_AUDIO_LAYOUT_NON_INTERLEAVED);
  fail_unless_equals_int (GST_AUDIO_INFO_CHANNELS (&meta->info), 6);
  gst_buffer_unref (buffer);
  gst_buffer_unref (back);
}
GST_END_TEST;

GST_START_TEST (time_and_custom_metas_survive)
{
  static const gchar *tags[] = { NULL };
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 16, NULL), *back;
  g_autoptr (GstCaps) ntp = gst_caps_new_empty_simple ("timestamp/x-ntp");
  GstReferenceTimestampMeta *time;
  GstCustomMeta *custom;
  gint n = 0;
  gst_meta_register_custom ("test-meta", tags, NULL, NULL, NULL);
  gst_buffer_add_reference_timestamp_meta (buffer, ntp, 123, 456);
  custom = gst_buffer_add_custom_meta (buffer, "test-meta");
  gst_structure_set (gst_custom_meta_get_structure (custom), "n", G_TYPE_INT, 7,
      NULL);
  back = metas_back (buffer);
  time = gst_buffer_get_reference_timestamp_meta (back, ntp);
  fail_unless (time && time->timestamp == 123 && time->duration == 456);
  custom = gst_buffer_get_custom_meta (back, "test-meta");
  fail_unless (custom
      && gst_structure_get_int (gst_custom_meta_get_structure (custom), "n",
          &n));
  fail_unless_equals_int (n, 7);
  gst_buffer_unref (buffer);
  gst_buffer_unref (back);
}
GST_END_TEST;

GST_START_TEST (what_cannot_cross_is_counted)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 16, NULL);
  GstBuffer *parent = gst_buffer_new ();
  GByteArray *bytes;
  gst_buffer_add_protection_meta (buffer,
      gst_structure_new ("secret", "key", G_TYPE_POINTER, buffer, NULL));
  gst_buffer_add_parent_buffer_meta (buffer, parent); /* stays, silently */
  bytes = encode_metas (buffer, 1);
  fail_unless_equals_int (bytes->len, 0);
  g_byte_array_unref (bytes);
  gst_buffer_unref (parent);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

GST_START_TEST (a_picture_outside_of_its_buffer_is_refused)
{
  GstBuffer *buffer = padded_picture ();
  GByteArray *bytes = encode_metas (buffer, 0);
  GstBuffer *small = gst_buffer_new_allocate (NULL, 512, NULL);
  fail_unless_equals_uint64 (decode_metas (small, bytes->data, bytes->len), 1);
  fail_unless (gst_buffer_get_video_meta (small) == NULL);
  g_byte_array_unref (bytes);
  gst_buffer_unref (small);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

/* The sink counts and reports a layout that each consumer would refuse. */
GST_START_TEST (a_layout_that_no_consumer_accepts_is_left_behind)
{
  static const struct
  {
    gint stride;
    guint planes;
    gsize size;
    guint left;
  } layouts[] = { { 32, 3, 1024, 0 }, { -32, 3, 1024, 1 }, { 32, 3, 767, 1 },
    { 32, 1, 1024, 1 } };
  for (guint i = 0; i < G_N_ELEMENTS (layouts); i++) {
    gsize offset[4] = { 0, 32 * 16, 32 * 16 + 16 * 8 };
    gint stride[4] = { layouts[i].stride, 16, 16 };
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, layouts[i].size, NULL);
    GByteArray *bytes;
    gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
        GST_VIDEO_FORMAT_I420, 32, 16, layouts[i].planes, offset, stride);
    bytes = encode_metas (buffer, layouts[i].left);
    fail_unless ((bytes->len == 0) == (layouts[i].left == 1));
    g_byte_array_unref (bytes);
    gst_buffer_unref (buffer);
  }
}
GST_END_TEST;

/* Where the encodings of the two metas have an enumeration, behind a head of
 * eight bytes: {kind, size}. */
#define VIDEO_FORMAT_AT 12
#define VIDEO_PADDING_AT 80
#define VIDEO_STRIDE_ALIGN_AT 96
#define CLIPPING_FORMAT_AT 8
#define AUDIO_FORMAT_AT 8
#define AUDIO_POSITIONS_AT 36

static GByteArray *
encode_with (GstBuffer *buffer, guint at, guint32 number)
{
  GByteArray *bytes = encode_metas (buffer, 0);
  number = GUINT32_TO_LE (number);
  memcpy (bytes->data + at, &number, sizeof number);
  return bytes;
}

/* Decodes the metas of @buffer, with @number at @at. */
static GstBuffer *
decode_with (GstBuffer *buffer, guint at, guint32 number, guint refused)
{
  GByteArray *bytes = encode_with (buffer, at, number);
  GstBuffer *to = gst_buffer_new_allocate (NULL, 4096, NULL);
  fail_unless_equals_uint64 (decode_metas (to, bytes->data, bytes->len),
      refused);
  g_byte_array_unref (bytes);
  return to;
}

static const guint32 no_values[] = { 127, 1000, G_MAXINT32, 0x80000000u,
  G_MAXUINT32 - 100 };

GST_START_TEST (numbers_that_are_no_formats_are_refused)
{
  GstBuffer *video = gst_buffer_new_allocate (NULL, 4096, NULL);
  GstBuffer *audio = gst_buffer_new_allocate (NULL, 4096, NULL);
  GstAudioInfo info;
  gst_buffer_add_video_meta (video, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_I420, 20, 16);
  gst_audio_info_init (&info);
  gst_audio_info_set_format (&info, GST_AUDIO_FORMAT_S16LE, 8000, 2, NULL);
  gst_buffer_add_audio_meta (audio, &info, 16, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (no_values); i++) {
    guint32 number = no_values[i];
    gst_buffer_unref (decode_with (video, VIDEO_FORMAT_AT, number + 300, 1));
    gst_buffer_unref (decode_with (audio, AUDIO_FORMAT_AT, number, 1));
    gst_buffer_unref (decode_with (audio, AUDIO_POSITIONS_AT, number, 1));
    gst_buffer_unref (decode_with (audio, AUDIO_POSITIONS_AT + 4, number, 1));
  }
  gst_buffer_unref (video);
  gst_buffer_unref (audio);
}
GST_END_TEST;

GST_START_TEST (an_alignment_that_cannot_be_is_left_out)
{
  static const guint at[] = { VIDEO_PADDING_AT + 4, VIDEO_PADDING_AT + 12,
    VIDEO_STRIDE_ALIGN_AT + 4 };
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 4096, NULL);
  gst_buffer_add_video_meta (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_I420, 20, 16);
  for (guint i = 0; i < G_N_ELEMENTS (at); i++) {
    GstBuffer *to = decode_with (buffer, at[i], 0xfffffff0u, 0);
    GstVideoMeta *meta = gst_buffer_get_video_meta (to);
    fail_unless_equals_int (meta->alignment.padding_bottom, 0);
    fail_unless_equals_int (meta->alignment.padding_right, 0);
    fail_unless_equals_int (meta->alignment.stride_align[1], 0);
    gst_buffer_unref (to);
  }
  gst_buffer_unref (buffer);
}
GST_END_TEST;

/* Decoders assert that it counts samples. */
GST_START_TEST (a_clipping_in_other_units_is_left_out)
{
  static const GstFormat formats[] = { GST_FORMAT_TIME, GST_FORMAT_BYTES,
    GST_FORMAT_PERCENT };
  GstBuffer *good = gst_buffer_new_allocate (NULL, 4096, NULL);
  gst_buffer_add_audio_clipping_meta (good, GST_FORMAT_DEFAULT, 1, 2);
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, 4096, NULL);
    GstBuffer *to = decode_with (good, CLIPPING_FORMAT_AT, formats[i], 1);
    fail_unless (gst_buffer_get_audio_clipping_meta (to) == NULL);
    gst_buffer_unref (to);
    gst_buffer_add_audio_clipping_meta (buffer, formats[i], 1, 2);
    g_byte_array_unref (encode_metas (buffer, 1));
    gst_buffer_unref (buffer);
  }
  gst_buffer_unref (good);
}
GST_END_TEST;

static volatile guint8 last_seen; /* so that it is really read */

/* A frame described by whatever survived must be readable to its last row. */
static void
read_picture (GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  GstVideoInfo info;
  GstVideoFrame frame;
  if (!meta
      || !gst_video_info_set_format (&info, meta->format, meta->width,
          meta->height))
    return;
  if (!gst_video_frame_map (&frame, &info, buffer, GST_MAP_READ))
    return;
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&frame); c++) {
    gint h = GST_VIDEO_FRAME_COMP_HEIGHT (&frame, c);
    const guint8 *last = GST_VIDEO_FRAME_COMP_DATA (&frame, c);
    last += (gsize) (h - 1) * (gsize) GST_VIDEO_FRAME_COMP_STRIDE (&frame, c);
    last_seen = last[0];
  }
  gst_video_frame_unmap (&frame);
}

GST_START_TEST (hostile_metas_do_no_harm)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (815);
  GstBuffer *buffer = padded_picture ();
  GByteArray *bytes;
  GstAudioInfo info;
  mutate_allow_criticals ();
  gst_audio_info_init (&info);
  gst_audio_info_set_format (&info, GST_AUDIO_FORMAT_S16LE, 8000, 2, NULL);
  gst_buffer_add_audio_meta (buffer, &info, 16, NULL);
  bytes = encode_metas (buffer, 0);
  for (guint m = 0; m < MUTATIONS; m++) {
    GstBuffer *to = gst_buffer_new_allocate (NULL, 4096, NULL);
    guint8 *bent = g_memdup2 (bytes->data, bytes->len);
    gsize size = (gsize) g_rand_int_range (random, 1, (gint) bytes->len + 1);
    mutate_bytes (random, bent, bytes->len, 3);
    decode_metas (to, bent, m % 2 ? size : bytes->len);
    read_picture (to);
    g_free (bent);
    gst_buffer_unref (to);
  }
  g_byte_array_unref (bytes);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, video_metas_survive);
  tcase_add_test (tc, planar_audio_survives);
  tcase_add_test (tc, time_and_custom_metas_survive);
  tcase_add_test (tc, what_cannot_cross_is_counted);
  tcase_add_test (tc, a_picture_outside_of_its_buffer_is_refused);
  tcase_add_test (tc, a_layout_that_no_consumer_accepts_is_left_behind);
  tcase_add_test (tc, numbers_that_are_no_formats_are_refused);
  tcase_add_test (tc, an_alignment_that_cannot_be_is_left_out);
  tcase_add_test (tc, a_clipping_in_other_units_is_left_out);
  tcase_add_test (tc, hostile_metas_do_no_harm);
}

SUITE_MAIN (metas)
