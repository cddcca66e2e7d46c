/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The metas that cross to other processes. On the wire each is {u32 kind, u32
 * size, payload}, all little-endian; an unknown kind is skipped. A meta that
 * points outside of its buffer is refused when read, because GStreamer uses it
 * unchecked.
 * Tests: gst-metas, gst-metas-unused, gst-text, fuzz-meta */
#include "gstdatahubmeta.h"
#include "gstdatahubmetacodec.h"

#include <gst/video/video.h>

#define NAME_MAX_BYTES 64

/* Each kind once, the frequent ones first. */
static const GstDatahubMetaCodec *const codecs[] = {
  &gst_datahub_meta_video,
  &gst_datahub_meta_crop,
  &gst_datahub_meta_audio,
  &gst_datahub_meta_clipping,
  &gst_datahub_meta_reference_time,
  &gst_datahub_meta_region,
  &gst_datahub_meta_caption,
  &gst_datahub_meta_time_code,
  &gst_datahub_meta_sei,
  &gst_datahub_meta_rtp_source,
  &gst_datahub_meta_net_address,
  &gst_datahub_meta_protection,
  &gst_datahub_meta_overlay,
  &gst_datahub_meta_codec_alpha,
  &gst_datahub_meta_afd,
  &gst_datahub_meta_bar,
  &gst_datahub_meta_ancillary,
  &gst_datahub_meta_level,
  &gst_datahub_meta_downmix,
  &gst_datahub_meta_dsd_planes,
  &gst_datahub_meta_affine,
  &gst_datahub_meta_custom,
  &gst_datahub_meta_serialized,
};

static const GstDatahubMetaCodec *
codec_of (const GstMetaInfo *info)
{
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++)
    if (codecs[i]->get_api && codecs[i]->get_api () == info->api)
      return codecs[i];
  if (gst_meta_info_is_custom (info))
    return &gst_datahub_meta_custom;
  return &gst_datahub_meta_serialized;
}

static const GstDatahubMetaCodec *
codec_by_kind (guint32 kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++)
    if (codecs[i]->kind == kind)
      return codecs[i];
  return NULL;
}

gboolean
gst_datahub_meta_has_codec (const GstMetaInfo *info)
{
  return codec_of (info) != &gst_datahub_meta_serialized;
}

/* ---- to the wire ---- */

/* About the memory in this process, not about the medium. */
static gboolean
stays_at_home (const GstMeta *meta)
{
  return meta->info->api == GST_PARENT_BUFFER_META_API_TYPE;
}

static gboolean
encode_one (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  const GstDatahubMetaCodec *codec = codec_of (meta->info);
  guint header = bytes->len;
  guint32 size;
  if (!codec->encode)
    return FALSE;
  gst_datahub_put_u32 (bytes, codec->kind);
  gst_datahub_put_u32 (bytes, 0);
  if (!codec->encode (meta, bytes, left)) {
    g_byte_array_set_size (bytes, header);
    return FALSE;
  }
  size = GUINT32_TO_LE (bytes->len - header - 8);
  memcpy (bytes->data + header + 4, &size, sizeof size);
  return TRUE;
}

static const gchar *
name_of (const GstMeta *meta)
{
  return g_type_name (meta->info->type);
}

/* GstMpegVideoMeta: the headers of a picture, as mpegvideoparse finds them in its
 * bytes. Its library has no stable interface. */
static gboolean
is_made_from_bytes (const GstMeta *meta)
{
  return g_str_equal (name_of (meta), "GstMpegVideoMeta");
}

static void
note_left (GstDatahubLeftOut *left, const GstMeta *meta)
{
  if (is_made_from_bytes (meta))
    gst_datahub_left_out_mention (left, name_of (meta),
        "repeats what the bytes of its buffer are, and a parser behind "
        "datahubsrc makes it again");
  else
    gst_datahub_left_out_note (left, name_of (meta), 0,
        "has no form that other processes read, or does not fit its buffer");
}

/**
 * gst_datahub_meta_encode_of:
 * @buffer: a buffer
 * @medium: (nullable): what its caps describe
 * @bytes: where its metas are appended
 * @left: gets those that cannot cross
 */
void
gst_datahub_meta_encode_of (GstBuffer *buffer, const GstDatahubMedium *medium,
    GByteArray *bytes, GstDatahubLeftOut *left)
{
  const guint start = bytes->len;
  gpointer state = NULL;
  GstMeta *meta;
  while ((meta = gst_buffer_iterate_meta (buffer, &state))) {
    guint before = bytes->len;
    const gchar *wrong =
        medium ? gst_datahub_medium_contradiction (medium, buffer, meta) : NULL;
    if (stays_at_home (meta))
      continue;
    if (wrong) {
      gst_datahub_left_out_note (left, name_of (meta), 0, "%s", wrong);
    } else if (!encode_one (meta, bytes, left)) {
      note_left (left, meta);
    } else if (bytes->len - start > GST_DATAHUB_METAS_MAX) {
      gst_datahub_left_out_note (left, name_of (meta), bytes->len - before,
          "exceeds the %u bytes that the metas of one buffer may have",
          GST_DATAHUB_METAS_MAX);
      g_byte_array_set_size (bytes, before);
    }
  }
}

/* The same for a buffer of unknown caps. */
void
gst_datahub_meta_encode (GstBuffer *buffer, GByteArray *bytes,
    GstDatahubLeftOut *left)
{
  gst_datahub_meta_encode_of (buffer, NULL, bytes, left);
}

/* ---- from the wire ---- */

/* Letters at the begin of the payload @in, which begins with a text. */
static void
read_name (GstDatahubBytes in, gchar *name)
{
  guint n = 0;
  guint32 size;
  if (gst_datahub_get_u32 (&in, &size))
    for (; n < in.size && n < NAME_MAX_BYTES - 1; n++) {
      name[n] = (gchar) in.data[n];
      if (!g_ascii_isalnum (name[n]) && !strchr ("-_.:/", name[n]))
        break;
    }
  name[n] = '\0';
}

static void
name_refused (guint32 kind, GstDatahubBytes in, gchar name[NAME_MAX_BYTES])
{
  const GstDatahubMetaCodec *codec = codec_by_kind (kind);
  name[0] = '\0';
  if (codec && codec->name)
    g_strlcpy (name, codec->name, NAME_MAX_BYTES);
  else if (codec)
    read_name (in, name);
  if (name[0] == '\0')
    g_snprintf (name, NAME_MAX_BYTES, "A meta of kind %u", kind);
}

/* Elements that read a custom meta register it, as those that write it do. */
static void
note_refused (GstDatahubLeftOut *left, guint32 kind, GstDatahubBytes in)
{
  gchar name[NAME_MAX_BYTES];
  name_refused (kind, in, name);
  if (kind == GST_DATAHUB_META_CUSTOM && !gst_meta_get_info (name))
    gst_datahub_left_out_mention (left, name,
        "is a custom meta that no element of this process has registered, so "
        "none can read it");
  else
    gst_datahub_left_out_note (left, name, in.size,
        "is unknown to this process or not valid");
}

/* The picture is found once: it can be behind very many metas. */
typedef struct
{
  const GstVideoMeta *video;
  GstDatahubLeftOut *left;
} Picture;

static gboolean
check_crop (GstBuffer *buffer, GstMeta **meta, gpointer user_data)
{
  const Picture *picture = user_data;
  const GstVideoMeta *video = picture->video;
  GstVideoCropMeta *crop = (GstVideoCropMeta *) *meta;
  if (crop->meta.info->api != GST_VIDEO_CROP_META_API_TYPE
      || (crop->x + crop->width <= video->width
          && crop->y + crop->height <= video->height))
    return TRUE;
  *meta = NULL;
  gst_datahub_left_out_note (picture->left, "GstVideoCropMeta", 0,
      "is not inside of the picture");
  return TRUE;
}

/**
 * gst_datahub_meta_decode:
 * @buffer: a writable buffer with its memory in place
 * @data: the meta bytes of a record; untrusted
 * @size: how many
 * @left: gets those that were refused
 */
void
gst_datahub_meta_decode (GstBuffer *buffer, gconstpointer data, gsize size,
    GstDatahubLeftOut *left)
{
  GstDatahubBytes in = { data, size };
  Picture picture = { .left = left };
  if (size > GST_DATAHUB_METAS_MAX) {
    gst_datahub_left_out_note (left, "All metas of a buffer", size,
        "exceed the %u bytes that they may have", GST_DATAHUB_METAS_MAX);
    return;
  }
  while (in.size > 0) {
    guint32 kind = 0, length = 0;
    const GstDatahubMetaCodec *codec;
    const guint8 *payload;
    GstDatahubBytes one;
    if (!gst_datahub_get_u32 (&in, &kind) || !gst_datahub_get_u32 (&in, &length)
        || !gst_datahub_take (&in, &payload, length)) {
      gst_datahub_left_out_note (left, "The rest of the metas", in.size,
          "is not valid");
      break;
    }
    one = (GstDatahubBytes){ payload, length };
    codec = codec_by_kind (kind);
    if (!codec || !codec->decode || !codec->decode (buffer, one))
      note_refused (left, kind, one);
  }
  /* Without a video meta the picture is that of the caps: the source compares. */
  picture.video = gst_buffer_get_video_crop_meta (buffer)
      ? gst_buffer_get_video_meta (buffer)
      : NULL;
  if (picture.video)
    gst_buffer_foreach_meta (buffer, check_crop, &picture);
}
