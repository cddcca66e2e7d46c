/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every kind of meta is the same behind the wire, and each cut or impossible one is
 * refused. */
#include "gstdatahublimits.h"
#include "gstdatahubmeta.h"
#include "meta-kinds.h"
#include "suite.h"

#include <gst/video/video.h>
#include <string.h>

#define SIZE 4096

static const gchar *const no_tags[] = { NULL };

static GByteArray *
encode (GstBuffer *buffer, guint64 expected_left)
{
  GByteArray *bytes = g_byte_array_new ();
  GstDatahubLeftOut left = { 0 };
  gst_datahub_meta_encode (buffer, bytes, &left);
  fail_unless_equals_uint64 (left.count, expected_left);
  return bytes;
}

static GByteArray *
encode_kind (guint i)
{
  GstBuffer *buffer = plain (meta_kinds[i].size, 0);
  GByteArray *bytes;
  gst_meta_register_custom ("test-kind", (const gchar **) no_tags, NULL, NULL,
      NULL);
  meta_kinds[i].add (buffer);
  fail_unless (meta_kinds[i].is (buffer), "%s", meta_kinds[i].name);
  bytes = encode (buffer, 0);
  gst_buffer_unref (buffer);
  return bytes;
}

static guint
n_metas (GstBuffer *buffer)
{
  gpointer state = NULL;
  guint n = 0;
  while (gst_buffer_iterate_meta (buffer, &state))
    n++;
  return n;
}

GST_START_TEST (each_kind_is_the_same_behind_the_wire)
{
  g_autoptr (GByteArray) bytes = encode_kind ((guint) __i__);
  GstBuffer *back = plain (meta_kinds[__i__].size, 0);
  GstDatahubLeftOut left = { 0 };
  gst_datahub_meta_decode (back, bytes->data, bytes->len, &left);
  fail_unless_equals_uint64 (left.count, 0);
  fail_unless (meta_kinds[__i__].is (back), "%s", meta_kinds[__i__].name);
  gst_buffer_unref (back);
}
GST_END_TEST;

/* In memory that ends where they end, so that a sanitizer sees a read behind it. */
GST_START_TEST (a_cut_kind_is_refused_whole)
{
  g_autoptr (GByteArray) bytes = encode_kind ((guint) __i__);
  for (guint32 n = 0; n < bytes->len - 8; n += 1 + n / 500) {
    g_autofree guint8 *cut = g_memdup2 (bytes->data, 8 + n);
    GstBuffer *to = plain (meta_kinds[__i__].size, 0);
    GstDatahubLeftOut left = { 0 };
    guint32 size = GUINT32_TO_LE (n);
    memcpy (cut + 4, &size, sizeof size);
    gst_datahub_meta_decode (to, cut, 8 + n, &left);
    fail_unless (meta_kinds[__i__].open || left.count == 1, "%s of %u bytes",
        meta_kinds[__i__].name, n);
    fail_unless_equals_uint64 (n_metas (to) + left.count, 1 + (left.count > 1));
    gst_buffer_unref (to);
  }
}
GST_END_TEST;

/* Each 32-bit number of each kind becomes an extreme one. Whatever is accepted can
 * be encoded again. */
GST_START_TEST (impossible_numbers_do_no_harm)
{
  static const guint32 extremes[] = { 0, 1, 0x7fffffff, 0x80000000u,
    0xffffffffu, 0x7fc00000 /* no number */, 65536, 1u << 20 };
  g_autoptr (GByteArray) bytes = encode_kind ((guint) __i__);
  guint end = MIN (bytes->len, 200);
  for (guint at = 8; at + 4 <= end; at += 4)
    for (guint k = 0; k < G_N_ELEMENTS (extremes); k++) {
      g_autofree guint8 *bent = g_memdup2 (bytes->data, bytes->len);
      GstBuffer *to = plain (meta_kinds[__i__].size, 0);
      GstDatahubLeftOut left = { 0 };
      guint32 number = GUINT32_TO_LE (extremes[k]);
      memcpy (bent + at, &number, sizeof number);
      gst_datahub_meta_decode (to, bent, bytes->len, &left);
      g_byte_array_unref (encode (to, 0));
      gst_buffer_unref (to);
    }
}
GST_END_TEST;

/* ---- what stays ---- */

static void
check_left (GstBuffer *buffer, const gchar *name, guint64 metas)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  GstDatahubLeftOut left = { 0 };
  GstBuffer *back = plain (SIZE, 0);
  gst_datahub_meta_encode (buffer, bytes, &left);
  fail_unless_equals_uint64 (left.count, 1);
  fail_unless_equals_string (left.last, name);
  fail_unless (bytes->len <= GST_DATAHUB_METAS_MAX);
  left.count = 0;
  gst_datahub_meta_decode (back, bytes->data, bytes->len, &left);
  fail_unless_equals_uint64 (left.count, 0);
  fail_unless_equals_uint64 (n_metas (back), metas);
  gst_buffer_unref (back);
  gst_buffer_unref (buffer);
}

static void
add_text (GstBuffer *buffer, gsize length)
{
  g_autofree gchar *text = g_strnfill (length, 'x');
  gst_structure_set (gst_custom_meta_get_structure (
                         gst_buffer_add_custom_meta (buffer, "test-kind")),
      "text", G_TYPE_STRING, text, NULL);
}

/* Before and behind the one that is too large there is another. */
GST_START_TEST (metas_over_the_limit_stay_and_the_others_cross)
{
  const gsize head = strlen ("test-kind, text=(string);") + 1;
  GstBuffer *buffer;
  gst_meta_register_custom ("test-kind", (const gchar **) no_tags, NULL, NULL,
      NULL);
  buffer = plain (SIZE, 0);
  add_kind (buffer, "level");
  add_text (buffer, 3 * GST_DATAHUB_METAS_MAX);
  add_kind (buffer, "crop");
  check_left (buffer, "test-kind", 2);
  buffer = plain (SIZE, 0);
  add_text (buffer, GST_DATAHUB_METAS_MAX - head - 12);
  g_byte_array_unref (encode (buffer, 0));
  add_kind (buffer, "level");
  check_left (buffer, "GstAudioLevelMeta", 1);
}
GST_END_TEST;

GST_START_TEST (fields_that_no_other_process_reads_keep_a_meta_at_home)
{
  GstBuffer *buffer = plain (SIZE, 0);
  GstElement *bin = gst_bin_new (NULL);
  gst_meta_register_custom ("test-kind", (const gchar **) no_tags, NULL, NULL,
      NULL);
  gst_structure_set (gst_custom_meta_get_structure (
                         gst_buffer_add_custom_meta (buffer, "test-kind")),
      "element", GST_TYPE_ELEMENT, bin, NULL);
  add_kind (buffer, "AFD");
  check_left (buffer, "test-kind", 1);
  gst_object_unref (bin);
}
GST_END_TEST;

GST_START_TEST (a_parameter_of_a_region_stays_alone)
{
  GstBuffer *buffer = plain (SIZE, 0);
  GstVideoRegionOfInterestMeta *region =
      gst_buffer_add_video_region_of_interest_meta (buffer, "face", 1, 2, 3, 4);
  gst_video_region_of_interest_meta_add_param (region,
      gst_structure_new ("here", "p", G_TYPE_POINTER, buffer, NULL));
  gst_video_region_of_interest_meta_add_param (region,
      gst_structure_new ("there", "n", G_TYPE_INT, 5, NULL));
  check_left (buffer, "A parameter of GstVideoRegionOfInterestMeta", 1);
}
GST_END_TEST;

/* ---- what a consumer refuses ---- */

static void
check_refused (GByteArray *bytes, GstBuffer *to, const gchar *name)
{
  GstDatahubLeftOut left = { 0 };
  gst_datahub_meta_decode (to, bytes->data, bytes->len, &left);
  fail_unless_equals_uint64 (left.count, 1);
  fail_unless_equals_string (left.last, name);
  gst_buffer_unref (to);
}

/* A later version may have more kinds. */
GST_START_TEST (unknown_kinds_are_named_and_skipped)
{
  static const gchar name[] = "x-unregistered, a=(int)1;";
  guint8 unknown[] = { 200, 0, 0, 0, 2, 0, 0, 0, 'a', 'b' };
  guint8 custom[12 + sizeof name] = { 6, 0, 0, 0, 4 + sizeof name, 0, 0, 0,
    sizeof name };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  GstBuffer *to = plain (8, 0);
  g_autoptr (GByteArray) level = NULL;
  GstDatahubLeftOut left = { 0 };
  memcpy (custom + 12, name, sizeof name);
  add_kind (to, "level");
  level = encode (to, 0);
  g_byte_array_append (bytes, unknown, sizeof unknown);
  g_byte_array_append (bytes, level->data, level->len);
  gst_buffer_unref (to);
  to = plain (8, 0);
  gst_datahub_meta_decode (to, bytes->data, bytes->len, &left);
  fail_unless_equals_uint64 (left.count, 1);
  fail_unless_equals_string (left.last, "A meta of kind 200");
  fail_unless (is_kind (to, "level"));
  gst_buffer_unref (to);
  g_byte_array_set_size (bytes, 0);
  g_byte_array_append (bytes, custom, sizeof custom);
  check_refused (bytes, plain (8, 0), "x-unregistered");
}
GST_END_TEST;

GST_START_TEST (a_crop_outside_of_the_picture_is_refused)
{
  GstBuffer *buffer = plain (SIZE, 0);
  g_autoptr (GByteArray) bytes = NULL;
  add_kind (buffer, "crop");
  gst_buffer_get_video_crop_meta (buffer)->y = 13;
  add_kind (buffer, "bottom-up");
  bytes = encode (buffer, 0);
  check_refused (bytes, plain (SIZE, 0), "GstVideoCropMeta");
  gst_buffer_unref (buffer);
}
GST_END_TEST;

/* GStreamer maps a plane with the memory that has its first byte. */
GST_START_TEST (a_plane_in_two_memories_is_refused)
{
  GstBuffer *buffer = plain (SIZE, 0), *to;
  g_autoptr (GByteArray) bytes = NULL;
  add_kind (buffer, "bottom-up");
  bytes = encode (buffer, 0);
  to = gst_buffer_append (plain (SIZE / 2, 0), plain (SIZE / 2, 0));
  check_refused (bytes, to, "GstVideoMeta");
  gst_buffer_unref (buffer);
}
GST_END_TEST;

/* The first row, or the last tile, would be outside. */
GST_START_TEST (other_layouts_outside_of_the_buffer_are_refused)
{
  static const struct
  {
    const gchar *kind;
    gsize size, least;
  } layouts[] = { { "bottom-up", SIZE, SIZE }, { "tiles", 2 * SIZE, SIZE } };
  for (guint i = 0; i < G_N_ELEMENTS (layouts); i++) {
    GstBuffer *buffer = plain (layouts[i].size, 0);
    g_autoptr (GByteArray) bytes = NULL;
    add_kind (buffer, layouts[i].kind);
    bytes = encode (buffer, 0);
    check_refused (bytes, plain (layouts[i].least - 1, 0), "GstVideoMeta");
    gst_buffer_get_video_meta (buffer)->offset[0] -= 1;
    g_byte_array_unref (encode (buffer, 1));
    gst_buffer_unref (buffer);
  }
}
GST_END_TEST;

#if GST_CHECK_VERSION(1, 24, 0)
typedef struct
{
  GstMeta meta;
  guint32 number;
} TestMeta;

static gboolean
write_number (const GstMeta *meta, GstByteArrayInterface *data, guint8 *version)
{
  *version = 3;
  return gst_byte_array_interface_append_data (data,
      (const guint8 *) &((const TestMeta *) meta)->number, 4);
}

static GstMeta *
read_number (const GstMetaInfo *info, GstBuffer *buffer, const guint8 *data,
    gsize size, guint8 version)
{
  TestMeta *meta;
  if (size != 4 || version != 3)
    return NULL;
  meta = (TestMeta *) gst_buffer_add_meta (buffer, info, NULL);
  memcpy (&meta->number, data, 4);
  return &meta->meta;
}

static gboolean
begin_number (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  ((TestMeta *) meta)->number = 0;
  return TRUE;
}

GST_START_TEST (metas_that_serialize_themselves_cross)
{
  GType api =
      gst_meta_api_type_register ("TestMetaAPI", (const gchar **) no_tags);
  GstMetaInfo *info = gst_meta_info_new (api, "TestMeta", sizeof (TestMeta));
  GstBuffer *buffer = plain (8, 0), *back = plain (8, 0);
  GstDatahubLeftOut left = { 0 };
  g_autoptr (GByteArray) bytes = NULL;
  TestMeta *meta;
  info->init_func = begin_number;
  info->serialize_func = write_number;
  info->deserialize_func = read_number;
  meta = (TestMeta *) gst_buffer_add_meta (buffer,
      gst_meta_info_register (info), NULL);
  meta->number = 0xfeedf00d;
  bytes = encode (buffer, 0);
  gst_datahub_meta_decode (back, bytes->data, bytes->len, &left);
  meta = (TestMeta *) gst_buffer_get_meta (back, api);
  fail_unless (left.count == 0 && meta && meta->number == 0xfeedf00d);
  gst_buffer_unref (back);
  bytes->data[bytes->len - 8] = 4; /* another version */
  check_refused (bytes, plain (8, 0), "TestMeta");
  gst_buffer_unref (buffer);
}
GST_END_TEST;
#endif

static void
add_tests (TCase *tc)
{
  const int n = N_META_KINDS;
  tcase_add_loop_test (tc, each_kind_is_the_same_behind_the_wire, 0, n);
  tcase_add_loop_test (tc, a_cut_kind_is_refused_whole, 0, n);
  tcase_add_loop_test (tc, impossible_numbers_do_no_harm, 0, n);
  tcase_add_test (tc, metas_over_the_limit_stay_and_the_others_cross);
  tcase_add_test (tc, fields_that_no_other_process_reads_keep_a_meta_at_home);
  tcase_add_test (tc, a_parameter_of_a_region_stays_alone);
  tcase_add_test (tc, unknown_kinds_are_named_and_skipped);
  tcase_add_test (tc, a_crop_outside_of_the_picture_is_refused);
  tcase_add_test (tc, a_plane_in_two_memories_is_refused);
  tcase_add_test (tc, other_layouts_outside_of_the_buffer_are_refused);
#if GST_CHECK_VERSION(1, 24, 0)
  tcase_add_test (tc, metas_that_serialize_themselves_cross);
#endif
}

SUITE_MAIN (meta_kinds)
