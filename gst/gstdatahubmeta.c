/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The metas that cross to other processes. On the wire each is {u32 kind, u32
 * size, payload}, all little-endian; an unknown kind is skipped. A meta that
 * points outside of its buffer is refused when read, because GStreamer maps
 * planes by it unchecked.
 * Tests: gst-metas, gst-text, fuzz-meta */
#include "gstdatahubmeta.h"
#include "gstdatahubbytes.h"
#include "gstdatahubtextguard.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

/* Of one buffer, when read: each small one there is an allocation here. */
#define METAS_SIZE_MAX (1u << 20)
#define META_TEXT_MAX 4096
#define PARAMS_MAX 64u /* of a region of interest */
#define AUDIO_CHANNELS_MAX 64
/* Of a picture, and of the padding at each of its sides. */
#define SIDE_MAX (4u * G_MAXINT16)

/* Wire numbers: never change, never re-used. */
enum
{
  KIND_VIDEO = 1,
  KIND_AUDIO,
  KIND_CROP,
  KIND_REFERENCE_TIME,
  KIND_REGION,
  KIND_CUSTOM
};

typedef struct
{
  guint32 kind;
  GType (*get_api) (void);
  gboolean (*encode) (GstMeta *meta, GByteArray *bytes);
  gboolean (*decode) (GstBuffer *buffer, GstDatahubBytes in);
} MetaCodec;

static void
put_text (GByteArray *bytes, const gchar *text)
{
  gsize size = text ? strlen (text) + 1 : 0;
  gst_datahub_put_u32 (bytes, (guint32) size);
  if (size)
    g_byte_array_append (bytes, (const guint8 *) text, (guint) size);
}

/* A copy of the text of a meta; *text is NULL where there is none. It is checked
 * as a copy: the metas lie where their producer can still write. */
static gboolean
get_text (GstDatahubBytes *in, gchar **text)
{
  guint32 size = 0;
  g_autofree gchar *copy = NULL;
  *text = NULL;
  if (!gst_datahub_get_u32 (in, &size) || size > in->size
      || size > META_TEXT_MAX)
    return FALSE;
  if (size == 0)
    return TRUE;
  copy = g_memdup2 (in->data, size);
  if (memchr (copy, 0, size) != copy + size - 1
      || !g_utf8_validate (copy, (gssize) size - 1, NULL)
      || !gst_datahub_textguard_is_shallow (copy))
    return FALSE;
  *text = g_steal_pointer (&copy);
  in->data += size;
  in->size -= size;
  return TRUE;
}

/* The bytes of a row of plane @i, for all components. If several pixels share
 * bytes, the default layout of GStreamer is used. */
static guint64
row_size (const GstVideoFormatInfo *finfo, guint i, guint width, guint height,
    const gint *comps)
{
  guint64 row = 0;
  GstVideoInfo info;
  if (GST_VIDEO_FORMAT_INFO_IS_COMPLEX (finfo))
    return gst_video_info_set_format (&info, finfo->format, width, height)
            && GST_VIDEO_INFO_PLANE_STRIDE (&info, i) > 0
        ? (guint64) GST_VIDEO_INFO_PLANE_STRIDE (&info, i)
        : G_MAXUINT64;
  for (guint c = 0; c < GST_VIDEO_MAX_COMPONENTS && comps[c] >= 0; c++)
    row = MAX (row,
        (guint64) GST_VIDEO_FORMAT_INFO_SCALE_WIDTH (finfo, comps[c], width)
            * (guint64) GST_VIDEO_FORMAT_INFO_PSTRIDE (finfo, comps[c]));
  return row;
}

/* The bytes of plane @i from its offset on, or 0 where that is not known. */
static guint64
plane_size (const GstVideoFormatInfo *finfo, guint i, guint width, guint height,
    gint stride)
{
  gint comps[GST_VIDEO_MAX_COMPONENTS] = { -1 };
  guint64 rows, row;
  if (GST_VIDEO_FORMAT_INFO_HAS_PALETTE (finfo) && i == 1)
    return 256 * 4;
  gst_video_format_info_component (finfo, i, comps);
  if (stride <= 0 || comps[0] < 0)
    return 0;
  rows = (guint64) GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT (finfo, comps[0], height);
  row = row_size (finfo, i, width, height, comps);
  if ((guint64) stride < row || rows == 0)
    return 0;
  return (rows - 1) * (guint64) stride + row;
}

/* Whether all rows are in @size bytes. Strides of tiled formats are tile counts. */
static gboolean
video_planes_fit (const GstVideoFormatInfo *finfo, guint n_planes, guint width,
    guint height, const gsize *offset, const gint *stride, gsize size)
{
  if (GST_VIDEO_FORMAT_INFO_IS_TILED (finfo)
      || n_planes != GST_VIDEO_FORMAT_INFO_N_PLANES (finfo))
    return FALSE;
  for (guint i = 0; i < n_planes; i++) {
    guint64 bytes = plane_size (finfo, i, width, height, stride[i]);
    if (bytes == 0 || offset[i] > size || bytes > size - offset[i])
      return FALSE;
  }
  return TRUE;
}

static gboolean
encode_video (GstMeta *meta, GByteArray *bytes)
{
  GstVideoMeta *video = (GstVideoMeta *) meta;
  if (!video_planes_fit (gst_video_format_get_info (video->format),
          video->n_planes, video->width, video->height, video->offset,
          video->stride, gst_buffer_get_size (video->buffer)))
    return FALSE;
  gst_datahub_put_u32 (bytes, video->flags);
  gst_datahub_put_u32 (bytes, video->format);
  gst_datahub_put_u32 (bytes, (guint32) video->id);
  gst_datahub_put_u32 (bytes, video->width);
  gst_datahub_put_u32 (bytes, video->height);
  gst_datahub_put_u32 (bytes, video->n_planes);
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++) {
    gst_datahub_put_u64 (bytes, i < video->n_planes ? video->offset[i] : 0);
    gst_datahub_put_u32 (bytes,
        i < video->n_planes ? (guint32) video->stride[i] : 0);
  }
  gst_datahub_put_u32 (bytes, video->alignment.padding_top);
  gst_datahub_put_u32 (bytes, video->alignment.padding_bottom);
  gst_datahub_put_u32 (bytes, video->alignment.padding_left);
  gst_datahub_put_u32 (bytes, video->alignment.padding_right);
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
    gst_datahub_put_u32 (bytes, video->alignment.stride_align[i]);
  return TRUE;
}

static gboolean
get_video_planes (GstDatahubBytes *in, gsize *offset, gint *stride)
{
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++) {
    guint64 at = 0;
    guint32 step = 0;
    if (!gst_datahub_get_u64 (in, &at) || !gst_datahub_get_u32 (in, &step))
      return FALSE;
    offset[i] = (gsize) at;
    stride[i] = (gint) step;
  }
  return TRUE;
}

static gboolean
get_alignment (GstDatahubBytes *in, GstVideoAlignment *align)
{
  gst_video_alignment_reset (align);
  if (!gst_datahub_get_u32 (in, &align->padding_top)
      || !gst_datahub_get_u32 (in, &align->padding_bottom)
      || !gst_datahub_get_u32 (in, &align->padding_left)
      || !gst_datahub_get_u32 (in, &align->padding_right))
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
    if (!gst_datahub_get_u32 (in, &align->stride_align[i]))
      return FALSE;
  return TRUE;
}

/* Elements lay pictures out by it, with sums that are not checked. */
static gboolean
is_alignment_sane (const GstVideoAlignment *align)
{
  if (align->padding_top > SIDE_MAX || align->padding_bottom > SIDE_MAX
      || align->padding_left > SIDE_MAX || align->padding_right > SIDE_MAX)
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
    if (align->stride_align[i] > SIDE_MAX
        || (align->stride_align[i] & (align->stride_align[i] + 1)) != 0)
      return FALSE;
  return TRUE;
}

static gboolean
decode_video (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 flags, id, width, height, n_planes;
  gint format;
  gsize offset[GST_VIDEO_MAX_PLANES];
  gint stride[GST_VIDEO_MAX_PLANES];
  GstVideoAlignment align;
  GstVideoMeta *meta;
  if (!gst_datahub_get_u32 (&in, &flags)
      || !gst_datahub_get_enum (&in, GST_TYPE_VIDEO_FORMAT, &format)
      || !gst_datahub_get_u32 (&in, &id) || !gst_datahub_get_u32 (&in, &width)
      || !gst_datahub_get_u32 (&in, &height)
      || !gst_datahub_get_u32 (&in, &n_planes)
      || !get_video_planes (&in, offset, stride)
      || !get_alignment (&in, &align))
    return FALSE;
  if (format <= GST_VIDEO_FORMAT_ENCODED || n_planes == 0 || width == 0
      || height == 0 || width > SIDE_MAX || height > SIDE_MAX)
    return FALSE;
  if (!video_planes_fit (gst_video_format_get_info ((GstVideoFormat) format),
          n_planes, width, height, offset, stride,
          gst_buffer_get_size (buffer)))
    return FALSE;
  meta = gst_buffer_add_video_meta_full (buffer, (GstVideoFrameFlags) flags,
      (GstVideoFormat) format, width, height, n_planes, offset, stride);
  meta->id = (gint) id;
  if (is_alignment_sane (&align))
    meta->alignment = align;
  return TRUE;
}

static gboolean
encode_audio (GstMeta *meta, GByteArray *bytes)
{
  GstAudioMeta *audio = (GstAudioMeta *) meta;
  gboolean planar =
      GST_AUDIO_INFO_LAYOUT (&audio->info) == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  guint channels = (guint) GST_AUDIO_INFO_CHANNELS (&audio->info);
  if (channels > AUDIO_CHANNELS_MAX)
    return FALSE;
  gst_datahub_put_u32 (bytes, GST_AUDIO_INFO_FORMAT (&audio->info));
  gst_datahub_put_u32 (bytes, (guint32) GST_AUDIO_INFO_RATE (&audio->info));
  gst_datahub_put_u32 (bytes, channels);
  gst_datahub_put_u32 (bytes, planar);
  gst_datahub_put_u32 (bytes, GST_AUDIO_INFO_FLAGS (&audio->info));
  gst_datahub_put_u64 (bytes, audio->samples);
  for (guint i = 0; i < channels; i++)
    gst_datahub_put_u32 (bytes, (guint32) audio->info.position[i]);
  for (guint i = 0; planar && i < channels; i++)
    gst_datahub_put_u64 (bytes, audio->offsets[i]);
  return TRUE;
}

/* Planes inside of the buffer and apart from each other, as
 * gst_buffer_add_audio_meta() demands of its caller. */
static gboolean
audio_planes_fit (const gsize *offsets, guint channels, guint64 plane,
    gsize size)
{
  for (guint i = 0; i < channels; i++) {
    if (offsets[i] > size || plane > size - offsets[i])
      return FALSE;
    for (guint j = 0; j < i; j++)
      if (offsets[i] < offsets[j] + plane && offsets[j] < offsets[i] + plane)
        return FALSE;
  }
  return TRUE;
}

static gboolean
get_positions (GstDatahubBytes *in, GstAudioChannelPosition *positions,
    guint channels)
{
  for (guint i = 0; i < channels; i++) {
    gint position;
    if (!gst_datahub_get_enum (in, GST_TYPE_AUDIO_CHANNEL_POSITION, &position))
      return FALSE;
    positions[i] = (GstAudioChannelPosition) position;
  }
  return TRUE;
}

static gboolean
get_audio_info (GstDatahubBytes *in, GstAudioInfo *info, guint64 *samples)
{
  GstAudioChannelPosition positions[AUDIO_CHANNELS_MAX];
  guint32 rate, channels, planar, flags;
  gint format;
  gboolean positioned;
  if (!gst_datahub_get_enum (in, GST_TYPE_AUDIO_FORMAT, &format)
      || !gst_datahub_get_u32 (in, &rate)
      || !gst_datahub_get_u32 (in, &channels)
      || !gst_datahub_get_u32 (in, &planar) || !gst_datahub_get_u32 (in, &flags)
      || !gst_datahub_get_u64 (in, samples))
    return FALSE;
  if (format <= GST_AUDIO_FORMAT_ENCODED || rate == 0 || rate > G_MAXINT32
      || channels == 0 || channels > AUDIO_CHANNELS_MAX || *samples == 0
      || !get_positions (in, positions, channels))
    return FALSE;
  positioned = !(flags & GST_AUDIO_FLAG_UNPOSITIONED)
      && positions[0] != GST_AUDIO_CHANNEL_POSITION_NONE
      && gst_audio_check_valid_channel_positions (positions, (gint) channels,
          TRUE);
  gst_audio_info_set_format (info, (GstAudioFormat) format, (gint) rate,
      (gint) channels, positioned ? positions : NULL);
  if (planar)
    info->layout = GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  return TRUE;
}

static gboolean
decode_audio (GstBuffer *buffer, GstDatahubBytes in)
{
  GstAudioInfo info;
  gsize offsets[AUDIO_CHANNELS_MAX];
  gsize size = gst_buffer_get_size (buffer);
  guint64 samples, plane;
  gint width;
  gst_audio_info_init (&info);
  if (!get_audio_info (&in, &info, &samples) || samples > size)
    return FALSE;
  width = GST_AUDIO_INFO_WIDTH (&info) / 8;
  plane = samples * (guint64) width;
  if (info.layout != GST_AUDIO_LAYOUT_NON_INTERLEAVED)
    return samples * (guint64) GST_AUDIO_INFO_BPF (&info) <= size
        && gst_buffer_add_audio_meta (buffer, &info, samples, NULL) != NULL;
  for (gint i = 0; i < GST_AUDIO_INFO_CHANNELS (&info); i++) {
    guint64 at;
    if (!gst_datahub_get_u64 (&in, &at))
      return FALSE;
    offsets[i] = (gsize) at;
  }
  return audio_planes_fit (offsets, (guint) info.channels, plane, size)
      && gst_buffer_add_audio_meta (buffer, &info, samples, offsets) != NULL;
}

static gboolean
encode_crop (GstMeta *meta, GByteArray *bytes)
{
  GstVideoCropMeta *crop = (GstVideoCropMeta *) meta;
  gst_datahub_put_u32 (bytes, crop->x);
  gst_datahub_put_u32 (bytes, crop->y);
  gst_datahub_put_u32 (bytes, crop->width);
  gst_datahub_put_u32 (bytes, crop->height);
  return TRUE;
}

/* A crop must be inside of the picture, where that is known: video codecs are
 * in the order in which they are decoded, VideoMeta first. */
static gboolean
decode_crop (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 x, y, width, height;
  GstVideoMeta *video = gst_buffer_get_video_meta (buffer);
  GstVideoCropMeta *crop;
  if (!gst_datahub_get_u32 (&in, &x) || !gst_datahub_get_u32 (&in, &y)
      || !gst_datahub_get_u32 (&in, &width)
      || !gst_datahub_get_u32 (&in, &height))
    return FALSE;
  if (!video || (guint64) x + width > video->width
      || (guint64) y + height > video->height)
    return FALSE;
  crop = gst_buffer_add_video_crop_meta (buffer);
  crop->x = x;
  crop->y = y;
  crop->width = width;
  crop->height = height;
  return TRUE;
}

static gboolean
encode_reference_time (GstMeta *meta, GByteArray *bytes)
{
  GstReferenceTimestampMeta *time = (GstReferenceTimestampMeta *) meta;
  g_autofree gchar *reference =
      gst_caps_serialize (time->reference, GST_SERIALIZE_FLAG_NONE);
  if (!reference || strlen (reference) >= META_TEXT_MAX)
    return FALSE;
  gst_datahub_put_u64 (bytes, time->timestamp);
  gst_datahub_put_u64 (bytes, time->duration);
  put_text (bytes, reference);
  return TRUE;
}

static gboolean
decode_reference_time (GstBuffer *buffer, GstDatahubBytes in)
{
  guint64 timestamp, duration;
  g_autofree gchar *text = NULL;
  g_autoptr (GstCaps) reference = NULL;
  if (!gst_datahub_get_u64 (&in, &timestamp)
      || !gst_datahub_get_u64 (&in, &duration) || !get_text (&in, &text)
      || !text || timestamp == GST_CLOCK_TIME_NONE)
    return FALSE;
  reference = gst_caps_from_string (text);
  if (!reference)
    return FALSE;
  gst_buffer_add_reference_timestamp_meta (buffer, reference, timestamp,
      duration);
  return TRUE;
}

/* Parameters of a region, each as text; one that has no text stays behind. */
static void
put_params (GByteArray *bytes, GList *params)
{
  for (guint n = 0; params && n < PARAMS_MAX; params = params->next) {
    g_autofree gchar *text =
        gst_structure_serialize (params->data, GST_SERIALIZE_FLAG_NONE);
    if (!text || strlen (text) >= META_TEXT_MAX)
      continue;
    put_text (bytes, text);
    n++;
  }
}

/* Earlier versions wrote none. */
static gboolean
get_params (GstDatahubBytes *in, GstVideoRegionOfInterestMeta *region)
{
  for (guint n = 0; in->size > 0 && n < PARAMS_MAX; n++) {
    g_autofree gchar *text = NULL;
    GstStructure *param;
    if (!get_text (in, &text) || !text || !g_ascii_isalpha (*text))
      return FALSE;
    param = gst_structure_from_string (text, NULL);
    if (!param)
      return FALSE;
    gst_video_region_of_interest_meta_add_param (region, param);
  }
  return TRUE;
}

static gboolean
encode_region (GstMeta *meta, GByteArray *bytes)
{
  GstVideoRegionOfInterestMeta *region = (GstVideoRegionOfInterestMeta *) meta;
  const gchar *type = g_quark_to_string (region->roi_type);
  if (!type || strlen (type) >= META_TEXT_MAX)
    return FALSE;
  gst_datahub_put_u32 (bytes, (guint32) region->id);
  gst_datahub_put_u32 (bytes, (guint32) region->parent_id);
  gst_datahub_put_u32 (bytes, region->x);
  gst_datahub_put_u32 (bytes, region->y);
  gst_datahub_put_u32 (bytes, region->w);
  gst_datahub_put_u32 (bytes, region->h);
  put_text (bytes, type);
  put_params (bytes, region->params);
  return TRUE;
}

static gboolean
decode_region (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 id, parent, x, y, w, h;
  g_autofree gchar *type = NULL;
  GstVideoRegionOfInterestMeta *region;
  if (!gst_datahub_get_u32 (&in, &id) || !gst_datahub_get_u32 (&in, &parent)
      || !gst_datahub_get_u32 (&in, &x) || !gst_datahub_get_u32 (&in, &y)
      || !gst_datahub_get_u32 (&in, &w) || !gst_datahub_get_u32 (&in, &h)
      || !get_text (&in, &type) || !type)
    return FALSE;
  region =
      gst_buffer_add_video_region_of_interest_meta (buffer, type, x, y, w, h);
  region->id = (gint) id;
  region->parent_id = (gint) parent;
  if (get_params (&in, region))
    return TRUE;
  gst_buffer_remove_meta (buffer, (GstMeta *) region);
  return FALSE;
}

static gboolean
encode_custom (GstMeta *meta, GByteArray *bytes)
{
  GstCustomMeta *custom = (GstCustomMeta *) meta;
  g_autofree gchar *text =
      gst_structure_serialize (gst_custom_meta_get_structure (custom),
          GST_SERIALIZE_FLAG_NONE);
  if (!text || strlen (text) >= META_TEXT_MAX)
    return FALSE;
  put_text (bytes, text);
  return TRUE;
}

/* Only where this process registered the meta too. */
static gboolean
decode_custom (GstBuffer *buffer, GstDatahubBytes in)
{
  g_autofree gchar *text = NULL;
  g_autoptr (GstStructure) structure = NULL;
  const GstMetaInfo *info;
  GstCustomMeta *meta;
  if (!get_text (&in, &text) || !text || !g_ascii_isalpha (*text))
    return FALSE;
  structure = gst_structure_from_string (text, NULL);
  info =
      structure ? gst_meta_get_info (gst_structure_get_name (structure)) : NULL;
  if (!info || !gst_meta_info_is_custom (info))
    return FALSE;
  meta =
      gst_buffer_add_custom_meta (buffer, gst_structure_get_name (structure));
  if (!meta)
    return FALSE;
  for (gint i = 0; i < gst_structure_n_fields (structure); i++) {
    const gchar *name = gst_structure_nth_field_name (structure, (guint) i);
    gst_structure_set_value (gst_custom_meta_get_structure (meta), name,
        gst_structure_get_value (structure, name));
  }
  return TRUE;
}

static const MetaCodec codecs[] = {
  { KIND_VIDEO, gst_video_meta_api_get_type, encode_video, decode_video },
  { KIND_AUDIO, gst_audio_meta_api_get_type, encode_audio, decode_audio },
  { KIND_CROP, gst_video_crop_meta_api_get_type, encode_crop, decode_crop },
  { KIND_REFERENCE_TIME, gst_reference_timestamp_meta_api_get_type,
      encode_reference_time, decode_reference_time },
  { KIND_REGION, gst_video_region_of_interest_meta_api_get_type, encode_region,
      decode_region },
};
static const MetaCodec custom_codec = { KIND_CUSTOM, NULL, encode_custom,
  decode_custom };

static const MetaCodec *
codec_of (const GstMeta *meta)
{
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++)
    if (codecs[i].get_api () == meta->info->api)
      return &codecs[i];
  return gst_meta_info_is_custom (meta->info) ? &custom_codec : NULL;
}

static const MetaCodec *
codec_by_kind (guint32 kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++)
    if (codecs[i].kind == kind)
      return &codecs[i];
  return kind == KIND_CUSTOM ? &custom_codec : NULL;
}

/* About the memory in this process, not about the medium. */
static gboolean
stays_at_home (const GstMeta *meta)
{
  return meta->info->api == GST_PARENT_BUFFER_META_API_TYPE;
}

static gboolean
encode_one (GstMeta *meta, GByteArray *bytes)
{
  const MetaCodec *codec = codec_of (meta);
  guint header = bytes->len;
  guint32 size;
  if (!codec)
    return FALSE;
  gst_datahub_put_u32 (bytes, codec->kind);
  gst_datahub_put_u32 (bytes, 0);
  if (!codec->encode (meta, bytes)) {
    g_byte_array_set_size (bytes, header);
    return FALSE;
  }
  size = GUINT32_TO_LE (bytes->len - header - 8);
  memcpy (bytes->data + header + 4, &size, sizeof size);
  return TRUE;
}

/**
 * gst_datahub_meta_encode:
 * @buffer: a buffer
 * @bytes: where its metas are appended
 * @left_behind: (out) (optional): name of one meta that has no encoding
 *
 * Returns: how many metas could not cross
 */
guint
gst_datahub_meta_encode (GstBuffer *buffer, GByteArray *bytes,
    const gchar **left_behind)
{
  gpointer state = NULL;
  GstMeta *meta;
  guint refused = 0;
  while ((meta = gst_buffer_iterate_meta (buffer, &state))) {
    if (stays_at_home (meta) || encode_one (meta, bytes))
      continue;
    refused++;
    if (left_behind)
      *left_behind = g_type_name (meta->info->api);
  }
  return refused;
}

/**
 * gst_datahub_meta_decode:
 * @buffer: a writable buffer with its memory in place
 * @data: the meta bytes of a record; untrusted
 * @size: how many
 *
 * Returns: how many metas were refused: unknown here, or nonsense
 */
guint
gst_datahub_meta_decode (GstBuffer *buffer, gconstpointer data, gsize size)
{
  GstDatahubBytes in = { data, size };
  guint refused = 0;
  if (size > METAS_SIZE_MAX)
    return 1;
  while (in.size > 0) {
    guint32 kind = 0, length = 0;
    const MetaCodec *codec;
    if (!gst_datahub_get_u32 (&in, &kind) || !gst_datahub_get_u32 (&in, &length)
        || length > in.size)
      return refused + 1;
    codec = codec_by_kind (kind);
    if (!codec || !codec->decode (buffer, (GstDatahubBytes){ in.data, length }))
      refused++;
    in.data += length;
    in.size -= length;
  }
  return refused;
}
