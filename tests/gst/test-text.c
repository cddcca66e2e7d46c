/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that another process wrote, and GStreamer's parser: brackets that show
 * only when a string in it is unpacked end the stack as others do. */
#include "suite.h"
#include "gstdatahubformat.h"
#include "gstdatahubmeta.h"
#include "gstdatahubtextguard.h"

#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MANY 200000
#define WIRE_TOC 6

static GstEvent *
decode_event (guint8 wire, const GString *text)
{
  g_autoptr (GByteArray) body = g_byte_array_new ();
  guint8 number[4] = { wire, 0, 0, 0 };
  g_byte_array_append (body, number, sizeof number);
  g_byte_array_append (body, (const guint8 *) text->str, (guint) text->len + 1);
  return gst_datahub_format_decode_event (body->data, body->len);
}

static gboolean
are_tags_taken (const gchar *text)
{
  GString *body = g_string_new (text);
  g_autoptr (GstTagList) stream = NULL;
  g_autoptr (GstTagList) global = NULL;
  gboolean taken;
  g_string_append_c (body, '\0'); /* the stream's; the global ones are none */
  taken = gst_datahub_format_decode_tags (body->str, body->len + 1, &stream,
      &global);
  g_string_free (body, TRUE);
  return taken;
}

/* @times the text @what, between @before and @behind. */
static GString *
repeat (const gchar *before, const gchar *what, guint times,
    const gchar *behind)
{
  GString *text = g_string_new (before);
  for (guint i = 0; i < times; i++)
    g_string_append (text, what);
  g_string_append (text, behind);
  return text;
}

GST_START_TEST (brackets_in_octal_are_counted)
{
  GString *text = repeat ("toc, scope=(int)1, updated=(boolean)false, "
                          "tags=(string)\"taglist\\,\\ title\\=\\(string\\)",
      "\\173", MANY, "\"");
  fail_unless (decode_event (WIRE_TOC, text) == NULL);
  g_string_free (text, TRUE);
}
GST_END_TEST;

GST_START_TEST (brackets_in_octal_in_a_string_in_a_string_are_counted)
{
  static const gchar *const ways[] = { "\\\\173", "\\\\1\\73", "\\134173",
    ("\\\\\\061"
     "73") };
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
    GString *text = repeat ("", ways[i], MANY, "");
    fail_if (gst_datahub_textguard_is_shallow (text->str), "%s", ways[i]);
    g_string_free (text, TRUE);
  }
}
GST_END_TEST;

GST_START_TEST (brackets_in_the_caps_of_a_sample_are_counted)
{
  GString *caps = repeat ("a/b, c=(string)", "{", MANY, "");
  g_autofree gchar *base64 =
      g_base64_encode ((const guchar *) caps->str, caps->len + 1);
  g_autofree gchar *text =
      g_strdelimit (g_strconcat ("taglist, image#(sample)00:", base64,
                        ":None:None", NULL),
          "=", '_');
  *strchr (text, '#') = '=';
  fail_if (are_tags_taken (text));
  g_string_free (caps, TRUE);
}
GST_END_TEST;

static GstSample *
new_cover (void)
{
  g_autoptr (GstBuffer) picture = gst_buffer_new_allocate (NULL, 50000, NULL);
  g_autoptr (GstCaps) caps =
      gst_caps_from_string ("image/jpeg, width=(int)600, height=(int)600, "
                            "sof-marker=(int)0");
  gst_buffer_memset (picture, 0, 0x7b, gst_buffer_get_size (picture));
  return gst_sample_new (picture, caps, NULL,
      gst_structure_new ("GstTagImageInfo", "image-description", G_TYPE_STRING,
          "the cover: {front}", "image-type", G_TYPE_INT, 3, NULL));
}

static gboolean
survive (GstTagList *tags)
{
  g_autoptr (GBytes) body = gst_datahub_format_encode_tags (tags, NULL);
  g_autoptr (GstTagList) stream = NULL;
  g_autoptr (GstTagList) global = NULL;
  gsize size;
  gconstpointer data = g_bytes_get_data (body, &size);
  return gst_datahub_format_decode_tags (data, size, &stream, &global) && stream
      && gst_tag_list_n_tags (stream) == gst_tag_list_n_tags (tags);
}

GST_START_TEST (what_people_write_is_taken)
{
  g_autoptr (GstTagList) tags = gst_tag_list_new_empty ();
  g_autofree gchar *long_text = g_strnfill (5000, 'a');
  GString *german = repeat ("", "Übergrößenträger ", 2000, "");
  gst_tag_list_add (tags, GST_TAG_MERGE_REPLACE, GST_TAG_TITLE, german->str,
      GST_TAG_LOCATION, "http://host/a/b/c.ogg", GST_TAG_COMMENT, long_text,
      GST_TAG_COPYRIGHT, "C:\\101\\173 {a} [b]", NULL);
  fail_unless (survive (tags));
  g_string_free (german, TRUE);
}
GST_END_TEST;

GST_START_TEST (covers_are_taken)
{
  g_autoptr (GstTagList) tags = gst_tag_list_new_empty ();
  for (guint i = 0; i < 5; i++) {
    g_autoptr (GstSample) cover = new_cover ();
    gst_tag_list_add (tags, GST_TAG_MERGE_APPEND, GST_TAG_IMAGE, cover,
        GST_TAG_LOCATION, "http://host/a/b/c.ogg", NULL);
  }
  fail_unless (survive (tags));
}
GST_END_TEST;

/* ---- text that changes while it is read ---- */

#define ROUNDS 20000

typedef struct
{
  guint8 *at; /* the last byte before a page that nobody may touch */
  gint stop; /* atomic */
} Restless;

static gpointer
change (gpointer data)
{
  Restless *restless = data;
  while (!g_atomic_int_get (&restless->stop)) {
    *(volatile guint8 *) restless->at = 'x';
    *(volatile guint8 *) restless->at = '\0';
  }
  return NULL;
}

/* @size bytes that end where memory ends, and whose last one somebody else keeps
 * changing from the end of a text to none. */
static guint8 *
begin_restless (Restless *restless, const void *bytes, gsize size)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  guint8 *memory = mmap (NULL, 2 * page, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fail_unless (memory != MAP_FAILED && size <= page);
  fail_unless_equals_int (mprotect (memory + page, page, PROT_NONE), 0);
  memcpy (memory + page - size, bytes, size);
  restless->at = memory + page - 1;
  return memory + page - size;
}

GST_START_TEST (text_is_read_once)
{
  static const gchar text[] = "application/x-test, a=(string)abcdefghijklmnop";
  Restless restless = { 0 };
  gconstpointer data = begin_restless (&restless, text, sizeof text);
  GThread *thread = g_thread_new ("restless", change, &restless);
  for (guint i = 0; i < ROUNDS; i++) {
    GstCaps *caps = gst_datahub_format_decode_caps (data, sizeof text);
    gst_clear_caps (&caps);
  }
  g_atomic_int_set (&restless.stop, TRUE);
  g_thread_join (thread);
}
GST_END_TEST;

GST_START_TEST (text_of_metas_is_read_once)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  GstBuffer *buffer = gst_buffer_new ();
  Restless restless = { 0 };
  GstDatahubLeftOut left = { 0 };
  g_autoptr (GstCaps) ntp = gst_caps_from_string ("timestamp/x-ntp");
  GThread *thread;
  gconstpointer data;
  gst_buffer_add_reference_timestamp_meta (buffer, ntp, 1, 1);
  gst_datahub_meta_encode (buffer, bytes, &left);
  fail_unless_equals_uint64 (left.count, 0);
  gst_buffer_unref (buffer);
  data = begin_restless (&restless, bytes->data, bytes->len);
  thread = g_thread_new ("restless", change, &restless);
  for (guint i = 0; i < ROUNDS; i++) {
    GstBuffer *to = gst_buffer_new ();
    gst_datahub_meta_decode (to, data, bytes->len, &left);
    gst_buffer_unref (to);
  }
  g_atomic_int_set (&restless.stop, TRUE);
  g_thread_join (thread);
}
GST_END_TEST;

/* Each of many small metas costs more here than it took to write. */
GST_START_TEST (a_heap_of_metas_is_refused)
{
  g_autoptr (GByteArray) one = g_byte_array_new ();
  g_autoptr (GByteArray) heap = g_byte_array_new ();
  GstDatahubLeftOut left = { 0 };
  GstBuffer *buffer = gst_buffer_new ();
  gst_buffer_add_video_region_of_interest_meta (buffer, "r", 0, 0, 1, 1);
  gst_datahub_meta_encode (buffer, one, &left);
  fail_unless_equals_uint64 (left.count, 0);
  gst_buffer_unref (buffer);
  while (heap->len < 8u << 20)
    g_byte_array_append (heap, one->data, one->len);
  buffer = gst_buffer_new ();
  gst_datahub_meta_decode (buffer, heap->data, heap->len, &left);
  fail_unless_equals_uint64 (left.count, 1);
  fail_unless_equals_int (gst_buffer_get_n_meta (buffer,
                              GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE),
      0);
  gst_datahub_meta_decode (buffer, heap->data, one->len * 500, &left);
  fail_unless_equals_uint64 (left.count, 1);
  gst_buffer_unref (buffer);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, brackets_in_octal_are_counted);
  tcase_add_test (tc, brackets_in_octal_in_a_string_in_a_string_are_counted);
  tcase_add_test (tc, brackets_in_the_caps_of_a_sample_are_counted);
  tcase_add_test (tc, what_people_write_is_taken);
  tcase_add_test (tc, covers_are_taken);
  tcase_add_test (tc, text_is_read_once);
  tcase_add_test (tc, text_of_metas_is_read_once);
  tcase_add_test (tc, a_heap_of_metas_is_refused);
}

SUITE_MAIN (text)
