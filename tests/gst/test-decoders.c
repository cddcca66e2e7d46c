/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every video decoder that is installed decodes into the pool of the sink: the
 * pictures are those that it decodes into memory of its own. Most sizes are no
 * multiple of the blocks of a codec. */
#include "harness.h"
#include "messages.h"
#include "sandbox.h"

#include <gst/video/video.h>

typedef struct
{
  const gchar *decoder;
  const gchar *format; /* of the pictures that are encoded */
  const gchar *encode; /* names of elements are between '!' */
  gboolean takes_pool; /* at 64x48, whatever its version */
  guint least_width; /* its library crashes below, with any sink */
  gboolean even; /* its encoder hangs with odd sizes */
} Codec;

static const Codec codecs[] = {
  { "avdec_h264", "I420", "x264enc bframes=2 tune=zerolatency ! h264parse",
      TRUE },
  { "openh264dec", "I420",
      "x264enc bframes=0 speed-preset=ultrafast ! "
      "video/x-h264,profile=constrained-baseline ! h264parse",
      FALSE },
  { "avdec_h265", "I420", "x265enc speed-preset=ultrafast ! h265parse", TRUE },
  { "libde265dec", "I420", "x265enc speed-preset=ultrafast ! h265parse",
      FALSE },
  { "vp8dec", "I420", "vp8enc deadline=1", TRUE },
  { "avdec_vp8", "I420", "vp8enc deadline=1", FALSE },
  { "vp9dec", "I420", "vp9enc deadline=1 cpu-used=8 ! vp9parse", FALSE },
  { "avdec_vp9", "I420", "vp9enc deadline=1 cpu-used=8 ! vp9parse", FALSE },
  { "av1dec", "I420", "av1enc cpu-used=8 usage-profile=realtime ! av1parse",
      FALSE },
  { "dav1ddec", "I420", "av1enc cpu-used=8 usage-profile=realtime ! av1parse",
      FALSE },
  { "theoradec", "I420", "theoraenc ! theoraparse", FALSE, 64 },
  { "jpegdec", "I420", "jpegenc", TRUE },
  { "avdec_mjpeg", "I420", "jpegenc ! jpegparse", FALSE },
  { "pngdec", "RGB", "pngenc", TRUE },
  { "avdec_png", "RGB", "avenc_png", FALSE },
  { "webpdec", "I420", "webpenc", FALSE },
  { "openjpegdec", "I420", "openjpegenc", FALSE },
  { "avdec_jpeg2000", "I420", "openjpegenc", FALSE },
  { "mpeg2dec", "I420", "mpeg2enc ! mpegvideoparse", FALSE, 0, TRUE },
  { "avdec_mpeg2video", "I420", "mpeg2enc ! mpegvideoparse", FALSE, 0, TRUE },
  { "avdec_mpeg4", "I420", "avenc_mpeg4 ! mpeg4videoparse", FALSE },
  { "avdec_h263p", "I420", "avenc_h263p", FALSE },
  { "avdec_ffv1", "I420", "avenc_ffv1", FALSE },
  { "avdec_huffyuv", "Y42B", "avenc_huffyuv", FALSE },
  { "avdec_prores", "I422_10LE", "avenc_prores_ks", FALSE },
  { "avdec_wmv2", "I420", "avenc_wmv2", FALSE },
  { "avdec_flv", "I420", "avenc_flv", FALSE },
  { "avdec_msmpeg4", "I420", "avenc_msmpeg4", FALSE },
  { "avdec_bmp", "BGR", "avenc_bmp", FALSE },
};

static const struct
{
  guint width, height, n_frames;
} sizes[] = { { 64, 48, 12 }, { 18, 18, 12 }, { 853, 479, 6 }, { 854, 480, 12 },
  { 1366, 768, 6 } };

/* A decoder, with threads where it has a property for them. */
static gchar *
describe_decoder (const gchar *name)
{
  static const gchar *const threads[] = { "max-threads", "threads" };
  g_autoptr (GstElement) element = gst_element_factory_make (name, NULL);
  if (!element)
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    if (g_object_class_find_property (G_OBJECT_GET_CLASS (element), threads[i]))
      return g_strdup_printf ("%s %s=4", name, threads[i]);
  return g_strdup (name);
}

/* The name of an element of @line that is not installed, or NULL. */
static gchar *
missing_element (const gchar *line)
{
  g_auto (GStrv) parts = g_strsplit (line, " ! ", -1);
  for (guint i = 0; parts[i]; i++) {
    g_auto (GStrv) words = g_strsplit (parts[i], " ", 2);
    g_autoptr (GstElementFactory) factory = NULL;
    if (strchr (words[0], '/'))
      continue;
    factory = gst_element_factory_find (words[0]);
    if (!factory)
      return g_strdup (words[0]);
  }
  return NULL;
}

/* The visible rows of a picture, wherever they are in memory. */
static gchar *
sum_of (GstBuffer *buffer, GstVideoInfo *info)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_MD5);
  GstVideoFrame frame;
  gint components[GST_VIDEO_MAX_COMPONENTS];
  fail_unless (gst_video_frame_map (&frame, info, buffer, GST_MAP_READ));
  for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES (&frame); p++) {
    const guint8 *row = GST_VIDEO_FRAME_PLANE_DATA (&frame, p);
    gint rows, bytes, c;
    gst_video_format_info_component (frame.info.finfo, p, components);
    c = components[0];
    rows = GST_VIDEO_FRAME_COMP_HEIGHT (&frame, c);
    bytes = GST_VIDEO_FRAME_COMP_WIDTH (&frame, c)
        * GST_VIDEO_FRAME_COMP_PSTRIDE (&frame, c);
    for (gint y = 0; y < rows; y++)
      g_checksum_update (sum,
          row + y * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, p), bytes);
  }
  gst_video_frame_unmap (&frame);
  return g_strdup (g_checksum_get_string (sum));
}

static GstPadProbeReturn
note_sum (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  GstVideoInfo video;
  fail_unless (caps && gst_video_info_from_caps (&video, caps));
  g_ptr_array_add (data, sum_of (GST_PAD_PROBE_INFO_BUFFER (info), &video));
  return GST_PAD_PROBE_OK;
}

/* The sums of what arrives at the element @name. */
static GPtrArray *
collect_at (GstElement *pipeline, const gchar *name)
{
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), name);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  GPtrArray *sums = g_ptr_array_new_with_free_func (g_free);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, note_sum, sums, NULL);
  return sums;
}

/* Returns the error, NULL: none. */
static GError *
play_to_the_end (GstElement *pipeline)
{
  g_autoptr (GstMessage) message = NULL;
  GError *error = NULL;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = wait_message (pipeline, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  return error;
}

/* Whether the encoder and the decoder can do that size at all. */
static gboolean
can_decode (const gchar *source, const gchar *decoder)
{
  g_autofree gchar *line =
      g_strdup_printf ("%s ! %s ! identity drop-allocation=true ! fakesink",
          source, decoder);
  g_autoptr (GstElement) pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GError) error = play_to_the_end (pipeline);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return error == NULL;
}

static void
compare (GPtrArray *own, GPtrArray *pool, guint least)
{
  fail_unless (own->len >= least, "%u pictures", own->len);
  fail_unless_equals_int (own->len, pool->len);
  for (guint i = 0; i < own->len; i++)
    fail_unless (g_str_equal (g_ptr_array_index (own, i),
                     g_ptr_array_index (pool, i)),
        "picture %u differs", i);
}

/* The same stream is decoded twice. Returns how many pictures were in the pool's
 * memory. */
static guint64
decode (const gchar *source, const gchar *decoder, guint n_frames)
{
  g_autofree gchar *line = g_strdup_printf (
      "%s ! tee name=t t. ! queue ! %s ! identity drop-allocation=true ! "
      "fakesink name=own async=false t. ! queue ! %s ! "
      "datahubsink name=pool datablock=test broker=none sync=false async=false",
      source, decoder, decoder);
  g_autoptr (GstElement) pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "pool");
  GPtrArray *own = collect_at (pipeline, "own");
  GPtrArray *pool = collect_at (pipeline, "pool");
  g_autoptr (GError) error = play_to_the_end (pipeline);
  guint64 zero_copy;
  fail_unless (error == NULL, "%s", error ? error->message : "");
  compare (own, pool, n_frames / 2);
  zero_copy = element_stat (sink, "zero-copy");
  fail_unless_equals_uint64 (zero_copy + element_stat (sink, "copied"),
      pool->len);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  g_ptr_array_unref (own);
  g_ptr_array_unref (pool);
  return zero_copy;
}

GST_START_TEST (pictures_in_the_pool_are_those_in_own_memory)
{
  const Codec *codec = &codecs[__i__];
  g_autofree gchar *decoder = describe_decoder (codec->decoder);
  g_autofree gchar *missing = missing_element (codec->encode);
  if (!decoder || missing) {
    g_print ("# %s: skipped, there is no %s\n", codec->decoder,
        decoder ? missing : codec->decoder);
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autofree gchar *source = g_strdup_printf (
        "videotestsrc pattern=ball num-buffers=%u ! "
        "video/x-raw,format=%s,width=%u,height=%u,framerate=25/1 ! %s",
        sizes[i].n_frames, codec->format, sizes[i].width, sizes[i].height,
        codec->encode);
    guint64 zero_copy;
    if (sizes[i].width < codec->least_width
        || (codec->even && sizes[i].width % 2))
      continue;
    if (!can_decode (source, decoder)) {
      fail_if (i == 0 && codec->takes_pool, "%s cannot decode %s", decoder,
          source);
      g_print ("# %s: %ux%u skipped, it cannot be encoded\n", codec->decoder,
          sizes[i].width, sizes[i].height);
      continue;
    }
    zero_copy = decode (source, decoder, sizes[i].n_frames);
    g_print ("# %s: %ux%u, %u of %u without a copy\n", codec->decoder,
        sizes[i].width, sizes[i].height, (guint) zero_copy, sizes[i].n_frames);
    if (i == 0 && codec->takes_pool)
      fail_unless (zero_copy > 0);
  }
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_loop_test (tc, pictures_in_the_pool_are_those_in_own_memory, 0,
      G_N_ELEMENTS (codecs));
}

SANDBOX_MAIN (decoders)
