/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas about sound: its layout, the samples to cut off, its level, how to mix it
 * down.
 * Tests: gst-metas, fuzz-meta */
#include "gstdatahubmetacodec.h"

#include <gst/audio/audio.h>

#define CHANNELS_MAX GST_DATAHUB_CHANNELS_MAX

static void
put_positions (GByteArray *bytes, const GstAudioChannelPosition *positions,
    guint channels)
{
  for (guint i = 0; i < channels; i++)
    gst_datahub_put_u32 (bytes, (guint32) positions[i]);
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

static void
put_offsets (GByteArray *bytes, const gsize *offsets, guint channels)
{
  for (guint i = 0; i < channels; i++)
    gst_datahub_put_u64 (bytes, offsets[i]);
}

static gboolean
get_offsets (GstDatahubBytes *in, gsize *offsets, guint channels)
{
  for (guint i = 0; i < channels; i++) {
    guint64 at;
    if (!gst_datahub_get_u64 (in, &at))
      return FALSE;
    offsets[i] = (gsize) at;
  }
  return TRUE;
}

/* Planes inside of the buffer and apart from each other, as GStreamer demands of
 * a caller. */
static gboolean
planes_fit (const gsize *offsets, guint channels, guint64 plane, gsize size)
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
encode_audio (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstAudioMeta *audio = (GstAudioMeta *) meta;
  gboolean planar =
      GST_AUDIO_INFO_LAYOUT (&audio->info) == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  guint channels = (guint) GST_AUDIO_INFO_CHANNELS (&audio->info);
  if (channels > CHANNELS_MAX)
    return FALSE;
  gst_datahub_put_u32 (bytes, GST_AUDIO_INFO_FORMAT (&audio->info));
  gst_datahub_put_u32 (bytes, (guint32) GST_AUDIO_INFO_RATE (&audio->info));
  gst_datahub_put_u32 (bytes, channels);
  gst_datahub_put_u32 (bytes, planar);
  gst_datahub_put_u32 (bytes, GST_AUDIO_INFO_FLAGS (&audio->info));
  gst_datahub_put_u64 (bytes, audio->samples);
  put_positions (bytes, audio->info.position, channels);
  if (planar)
    put_offsets (bytes, audio->offsets, channels);
  return TRUE;
}

static gboolean
get_audio_info (GstDatahubBytes *in, GstAudioInfo *info, guint64 *samples)
{
  GstAudioChannelPosition positions[CHANNELS_MAX];
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
      || channels == 0 || channels > CHANNELS_MAX || *samples == 0
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
  gsize offsets[CHANNELS_MAX];
  gsize size = gst_buffer_get_size (buffer);
  guint64 samples, plane;
  gst_audio_info_init (&info);
  if (!get_audio_info (&in, &info, &samples) || samples > size)
    return FALSE;
  plane = samples * (guint64) (GST_AUDIO_INFO_WIDTH (&info) / 8);
  if (info.layout != GST_AUDIO_LAYOUT_NON_INTERLEAVED)
    return samples * (guint64) GST_AUDIO_INFO_BPF (&info) <= size
        && gst_buffer_add_audio_meta (buffer, &info, samples, NULL) != NULL;
  return get_offsets (&in, offsets, (guint) info.channels)
      && planes_fit (offsets, (guint) info.channels, plane, size)
      && gst_buffer_add_audio_meta (buffer, &info, samples, offsets) != NULL;
}

const GstDatahubMetaCodec gst_datahub_meta_audio = { GST_DATAHUB_META_AUDIO,
  "GstAudioMeta", gst_audio_meta_api_get_type, encode_audio, decode_audio };

/* In samples only: decoders, parsers and muxers abort the process at any other
 * format. */
static gboolean
encode_clipping (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstAudioClippingMeta *clipping = (GstAudioClippingMeta *) meta;
  gst_datahub_put_u32 (bytes, clipping->format);
  gst_datahub_put_u64 (bytes, clipping->start);
  gst_datahub_put_u64 (bytes, clipping->end);
  return clipping->format == GST_FORMAT_DEFAULT;
}

static gboolean
decode_clipping (GstBuffer *buffer, GstDatahubBytes in)
{
  guint64 start, end;
  gint format;
  if (!gst_datahub_get_enum (&in, GST_TYPE_FORMAT, &format)
      || !gst_datahub_get_u64 (&in, &start) || !gst_datahub_get_u64 (&in, &end)
      || format != GST_FORMAT_DEFAULT)
    return FALSE;
  gst_buffer_add_audio_clipping_meta (buffer, (GstFormat) format, start, end);
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_clipping = {
  GST_DATAHUB_META_CLIPPING, "GstAudioClippingMeta",
  gst_audio_clipping_meta_api_get_type, encode_clipping, decode_clipping
};

static gboolean
encode_level (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstAudioLevelMeta *level = (GstAudioLevelMeta *) meta;
  gst_datahub_put_u32 (bytes, level->level);
  gst_datahub_put_u32 (bytes, level->voice_activity != FALSE);
  return TRUE;
}

static gboolean
decode_level (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 level, voice;
  if (!gst_datahub_get_u32 (&in, &level) || !gst_datahub_get_u32 (&in, &voice)
      || level > G_MAXUINT8 || voice > 1)
    return FALSE;
  gst_buffer_add_audio_level_meta (buffer, (guint8) level, (gboolean) voice);
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_level = { GST_DATAHUB_META_LEVEL,
  "GstAudioLevelMeta", gst_audio_level_meta_api_get_type, encode_level,
  decode_level };

static gboolean
encode_downmix (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstAudioDownmixMeta *mix = (GstAudioDownmixMeta *) meta;
  guint from = (guint) mix->from_channels, to = (guint) mix->to_channels;
  if (from > CHANNELS_MAX || to > CHANNELS_MAX)
    return FALSE;
  gst_datahub_put_u32 (bytes, from);
  gst_datahub_put_u32 (bytes, to);
  put_positions (bytes, mix->from_position, from);
  put_positions (bytes, mix->to_position, to);
  for (guint i = 0; i < from * to; i++) {
    gst_datahub_put_float (bytes, mix->matrix[0][i]);
    if (!isfinite (mix->matrix[0][i]))
      return FALSE;
  }
  return TRUE;
}

static gboolean
decode_downmix (GstBuffer *buffer, GstDatahubBytes in)
{
  GstAudioChannelPosition from[CHANNELS_MAX], to[CHANNELS_MAX];
  g_autofree gfloat *matrix = NULL;
  const gfloat *rows[CHANNELS_MAX];
  guint32 n_from, n_to;
  if (!gst_datahub_get_u32 (&in, &n_from) || !gst_datahub_get_u32 (&in, &n_to)
      || n_from == 0 || n_from > CHANNELS_MAX || n_to == 0
      || n_to > CHANNELS_MAX || !get_positions (&in, from, n_from)
      || !get_positions (&in, to, n_to))
    return FALSE;
  matrix = g_new (gfloat, n_from * n_to);
  for (guint i = 0; i < n_from * n_to; i++)
    if (!gst_datahub_get_float (&in, &matrix[i]))
      return FALSE;
  for (guint i = 0; i < n_to; i++)
    rows[i] = matrix + i * n_from;
  gst_buffer_add_audio_downmix_meta (buffer, from, (gint) n_from, to,
      (gint) n_to, rows);
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_downmix = { GST_DATAHUB_META_DOWNMIX,
  "GstAudioDownmixMeta", gst_audio_downmix_meta_api_get_type, encode_downmix,
  decode_downmix };

#if GST_CHECK_VERSION(1, 24, 0)
static gboolean
encode_dsd_planes (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstDsdPlaneOffsetMeta *dsd = (GstDsdPlaneOffsetMeta *) meta;
  guint channels = (guint) dsd->num_channels;
  if (channels > CHANNELS_MAX)
    return FALSE;
  gst_datahub_put_u32 (bytes, channels);
  gst_datahub_put_u64 (bytes, dsd->num_bytes_per_channel);
  put_offsets (bytes, dsd->offsets, channels);
  return TRUE;
}

static gboolean
decode_dsd_planes (GstBuffer *buffer, GstDatahubBytes in)
{
  gsize offsets[CHANNELS_MAX];
  gsize size = gst_buffer_get_size (buffer);
  guint32 channels;
  guint64 plane;
  if (!gst_datahub_get_u32 (&in, &channels)
      || !gst_datahub_get_u64 (&in, &plane) || channels == 0
      || channels > CHANNELS_MAX || plane == 0 || plane > size
      || !get_offsets (&in, offsets, channels)
      || !planes_fit (offsets, channels, plane, size))
    return FALSE;
  return gst_buffer_add_dsd_plane_offset_meta (buffer, (gint) channels,
             (gsize) plane, offsets)
      != NULL;
}

const GstDatahubMetaCodec gst_datahub_meta_dsd_planes = {
  GST_DATAHUB_META_DSD_PLANES, "GstDsdPlaneOffsetMeta",
  gst_dsd_plane_offset_meta_api_get_type, encode_dsd_planes, decode_dsd_planes
};
#else
const GstDatahubMetaCodec gst_datahub_meta_dsd_planes = {
  GST_DATAHUB_META_DSD_PLANES, "GstDsdPlaneOffsetMeta", NULL, NULL, NULL
};
#endif
