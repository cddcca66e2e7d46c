/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas with what a broadcast sends beside a picture: captions, time codes, bars,
 * user data.
 * Tests: gst-metas, fuzz-meta */
#include "gstdatahubmetacodec.h"

#include <gst/video/gstvideotimecode.h>
#include <gst/video/video-anc.h>
#include <gst/video/video-sei.h>
#include <gst/video/video.h>

#define UUID_SIZE 16
#define DAY (24 * 60 * 60)

static gboolean
encode_caption (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoCaptionMeta *caption = (GstVideoCaptionMeta *) meta;
  if (caption->size > GST_DATAHUB_METAS_MAX)
    return FALSE;
  gst_datahub_put_u32 (bytes, caption->caption_type);
  gst_datahub_put (bytes, caption->data, caption->size);
  return TRUE;
}

static gboolean
decode_caption (GstBuffer *buffer, GstDatahubBytes in)
{
  gint type;
  if (!gst_datahub_get_enum (&in, GST_TYPE_VIDEO_CAPTION_TYPE, &type)
      || type == GST_VIDEO_CAPTION_TYPE_UNKNOWN || in.size == 0)
    return FALSE;
  return gst_buffer_add_video_caption_meta (buffer, (GstVideoCaptionType) type,
             in.data, in.size)
      != NULL;
}

const GstDatahubMetaCodec gst_datahub_meta_caption = { GST_DATAHUB_META_CAPTION,
  "GstVideoCaptionMeta", gst_video_caption_meta_api_get_type, encode_caption,
  decode_caption };

/* A date and time as u32 1, u64 microseconds since 1970 in UTC, u32 seconds that
 * the local time is ahead; none as u32 0. */
static void
put_date_time (GByteArray *bytes, GDateTime *time)
{
  gst_datahub_put_u32 (bytes, time != NULL);
  if (!time)
    return;
  gst_datahub_put_u64 (bytes,
      (guint64) (g_date_time_to_unix (time) * G_USEC_PER_SEC
          + g_date_time_get_microsecond (time)));
  gst_datahub_put_u32 (bytes,
      (guint32) (g_date_time_get_utc_offset (time) / G_USEC_PER_SEC));
}

static GDateTime *
make_date_time (gint64 microseconds, gint32 ahead)
{
  g_autoptr (GDateTime) seconds =
      g_date_time_new_from_unix_utc (microseconds / G_USEC_PER_SEC);
  g_autoptr (GDateTime) utc =
      seconds ? g_date_time_add (seconds, microseconds % G_USEC_PER_SEC) : NULL;
  g_autoptr (GTimeZone) zone = g_time_zone_new_offset (ahead);
  return utc && zone ? g_date_time_to_timezone (utc, zone) : NULL;
}

static gboolean
get_date_time (GstDatahubBytes *in, GDateTime **time)
{
  guint32 present, ahead;
  guint64 microseconds;
  *time = NULL;
  if (!gst_datahub_get_u32 (in, &present) || present > 1)
    return FALSE;
  if (!present)
    return TRUE;
  if (!gst_datahub_get_u64 (in, &microseconds)
      || !gst_datahub_get_u32 (in, &ahead) || (gint32) ahead <= -DAY
      || (gint32) ahead >= DAY)
    return FALSE;
  *time = make_date_time ((gint64) microseconds, (gint32) ahead);
  return *time != NULL;
}

static gboolean
encode_time_code (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  const GstVideoTimeCode *code = &((GstVideoTimeCodeMeta *) meta)->tc;
  gst_datahub_put_u32 (bytes, code->config.fps_n);
  gst_datahub_put_u32 (bytes, code->config.fps_d);
  gst_datahub_put_u32 (bytes, code->config.flags);
  gst_datahub_put_u32 (bytes, code->hours);
  gst_datahub_put_u32 (bytes, code->minutes);
  gst_datahub_put_u32 (bytes, code->seconds);
  gst_datahub_put_u32 (bytes, code->frames);
  gst_datahub_put_u32 (bytes, code->field_count);
  put_date_time (bytes, code->config.latest_daily_jam);
  return gst_video_time_code_is_valid (code);
}

/* GStreamer calculates with them, unchecked. */
static gboolean
is_time_code_sane (const guint32 *numbers)
{
  const guint flags = GST_VIDEO_TIME_CODE_FLAGS_DROP_FRAME
      | GST_VIDEO_TIME_CODE_FLAGS_INTERLACED;
  return numbers[0] <= G_MAXINT16 * 1000u && numbers[1] > 0
      && numbers[1] <= G_MAXINT16 * 1000u && (numbers[2] & ~flags) == 0;
}

static gboolean
decode_time_code (GstBuffer *buffer, GstDatahubBytes in)
{
  g_autoptr (GDateTime) jam = NULL;
  guint32 n[8];
  GstVideoTimeCode code = GST_VIDEO_TIME_CODE_INIT;
  gboolean valid;
  for (guint i = 0; i < G_N_ELEMENTS (n); i++)
    if (!gst_datahub_get_u32 (&in, &n[i]))
      return FALSE;
  if (!is_time_code_sane (n) || !get_date_time (&in, &jam))
    return FALSE;
  gst_video_time_code_init (&code, n[0], n[1], jam,
      (GstVideoTimeCodeFlags) n[2], n[3], n[4], n[5], n[6], n[7]);
  valid = gst_video_time_code_is_valid (&code)
      && gst_buffer_add_video_time_code_meta (buffer, &code) != NULL;
  gst_video_time_code_clear (&code);
  return valid;
}

const GstDatahubMetaCodec gst_datahub_meta_time_code = {
  GST_DATAHUB_META_TIME_CODE, "GstVideoTimeCodeMeta",
  gst_video_time_code_meta_api_get_type, encode_time_code, decode_time_code
};

static gboolean
encode_afd (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoAFDMeta *afd = (GstVideoAFDMeta *) meta;
  gst_datahub_put_u32 (bytes, afd->field);
  gst_datahub_put_u32 (bytes, afd->spec);
  gst_datahub_put_u32 (bytes, afd->afd);
  return TRUE;
}

static gboolean
decode_afd (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 field;
  gint spec, afd;
  if (!gst_datahub_get_u32 (&in, &field)
      || !gst_datahub_get_enum (&in, GST_TYPE_VIDEO_AFD_SPEC, &spec)
      || !gst_datahub_get_enum (&in, GST_TYPE_VIDEO_AFD_VALUE, &afd)
      || field > G_MAXUINT8)
    return FALSE;
  return gst_buffer_add_video_afd_meta (buffer, (guint8) field,
             (GstVideoAFDSpec) spec, (GstVideoAFDValue) afd)
      != NULL;
}

const GstDatahubMetaCodec gst_datahub_meta_afd = { GST_DATAHUB_META_AFD,
  "GstVideoAFDMeta", gst_video_afd_meta_api_get_type, encode_afd, decode_afd };

static gboolean
encode_bar (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoBarMeta *bar = (GstVideoBarMeta *) meta;
  gst_datahub_put_u32 (bytes, bar->field);
  gst_datahub_put_u32 (bytes, bar->is_letterbox != FALSE);
  gst_datahub_put_u32 (bytes, bar->bar_data1);
  gst_datahub_put_u32 (bytes, bar->bar_data2);
  return TRUE;
}

static gboolean
decode_bar (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 field, letterbox, one, two;
  if (!gst_datahub_get_u32 (&in, &field)
      || !gst_datahub_get_u32 (&in, &letterbox)
      || !gst_datahub_get_u32 (&in, &one) || !gst_datahub_get_u32 (&in, &two)
      || field > G_MAXUINT8 || letterbox > 1)
    return FALSE;
  return gst_buffer_add_video_bar_meta (buffer, (guint8) field,
             (gboolean) letterbox, one, two)
      != NULL;
}

const GstDatahubMetaCodec gst_datahub_meta_bar = { GST_DATAHUB_META_BAR,
  "GstVideoBarMeta", gst_video_bar_meta_api_get_type, encode_bar, decode_bar };

static gboolean
encode_sei (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoSEIUserDataUnregisteredMeta *sei =
      (GstVideoSEIUserDataUnregisteredMeta *) meta;
  if (sei->size > GST_DATAHUB_METAS_MAX)
    return FALSE;
  gst_datahub_put (bytes, sei->uuid, UUID_SIZE);
  if (sei->size)
    gst_datahub_put (bytes, sei->data, sei->size);
  return TRUE;
}

static gboolean
decode_sei (GstBuffer *buffer, GstDatahubBytes in)
{
  guint8 uuid[UUID_SIZE];
  if (!gst_datahub_get (&in, uuid, sizeof uuid) || in.size == 0)
    return FALSE;
  return gst_buffer_add_video_sei_user_data_unregistered_meta (buffer, uuid,
             (guint8 *) in.data, in.size)
      != NULL;
}

const GstDatahubMetaCodec gst_datahub_meta_sei = { GST_DATAHUB_META_SEI,
  "GstVideoSEIUserDataUnregisteredMeta",
  gst_video_sei_user_data_unregistered_meta_api_get_type, encode_sei,
  decode_sei };

#if GST_CHECK_VERSION(1, 24, 0)
static gboolean
encode_ancillary (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstAncillaryMeta *packet = (GstAncillaryMeta *) meta;
  guint n = packet->data_count & 0xff;
  gst_datahub_put_u32 (bytes, packet->field);
  gst_datahub_put_u32 (bytes, packet->c_not_y_channel != FALSE);
  gst_datahub_put_u32 (bytes, packet->line);
  gst_datahub_put_u32 (bytes, packet->offset);
  gst_datahub_put_u32 (bytes, packet->DID);
  gst_datahub_put_u32 (bytes, packet->SDID_block_number);
  gst_datahub_put_u32 (bytes, packet->checksum);
  gst_datahub_put_u32 (bytes, packet->data_count);
  for (guint i = 0; i < n; i++)
    gst_datahub_put_u32 (bytes, packet->data[i]);
  return TRUE;
}

static gboolean
get_words (GstDatahubBytes *in, guint16 *words, guint n)
{
  for (guint i = 0; i < n; i++) {
    guint32 word;
    if (!gst_datahub_get_u32 (in, &word) || word > G_MAXUINT16)
      return FALSE;
    words[i] = (guint16) word;
  }
  return TRUE;
}

static gboolean
decode_ancillary (GstBuffer *buffer, GstDatahubBytes in)
{
  guint16 head[6], data[256];
  guint32 field, channel;
  GstAncillaryMeta *packet;
  if (!gst_datahub_get_u32 (&in, &field) || !gst_datahub_get_u32 (&in, &channel)
      || channel > 1 || !get_words (&in, head, G_N_ELEMENTS (head))
      || !get_words (&in, data, head[5] & 0xff)
      || (field != GST_ANCILLARY_META_FIELD_PROGRESSIVE
          && field != GST_ANCILLARY_META_FIELD_INTERLACED_FIRST
          && field != GST_ANCILLARY_META_FIELD_INTERLACED_SECOND))
    return FALSE;
  packet = gst_buffer_add_ancillary_meta (buffer);
  packet->field = (GstAncillaryMetaField) field;
  packet->c_not_y_channel = (gboolean) channel;
  packet->line = head[0];
  packet->offset = head[1];
  packet->DID = head[2];
  packet->SDID_block_number = head[3];
  packet->checksum = head[4];
  packet->data_count = head[5];
  packet->data = g_memdup2 (data, sizeof *data * (head[5] & 0xff));
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_ancillary = {
  GST_DATAHUB_META_ANCILLARY, "GstAncillaryMeta",
  gst_ancillary_meta_api_get_type, encode_ancillary, decode_ancillary
};
#else
const GstDatahubMetaCodec gst_datahub_meta_ancillary = {
  GST_DATAHUB_META_ANCILLARY, "GstAncillaryMeta", NULL, NULL, NULL
};
#endif
