/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The encodings of metas, one for each kind. gstdatahubmeta.c has the table. */
#ifndef GST_DATAHUB_META_CODEC_H
#define GST_DATAHUB_META_CODEC_H

#include "gstdatahubbytes.h"
#include "gstdatahubleftout.h"
#include "gstdatahublimits.h"

G_BEGIN_DECLS

/* Wire numbers: never change, never re-used. */
typedef enum
{
  GST_DATAHUB_META_VIDEO = 1,
  GST_DATAHUB_META_AUDIO,
  GST_DATAHUB_META_CROP,
  GST_DATAHUB_META_REFERENCE_TIME,
  GST_DATAHUB_META_REGION,
  GST_DATAHUB_META_CUSTOM,
  GST_DATAHUB_META_CLIPPING,
  GST_DATAHUB_META_PROTECTION,
  GST_DATAHUB_META_CAPTION,
  GST_DATAHUB_META_TIME_CODE,
  GST_DATAHUB_META_AFD,
  GST_DATAHUB_META_BAR,
  GST_DATAHUB_META_LEVEL,
  GST_DATAHUB_META_DOWNMIX,
  GST_DATAHUB_META_CODEC_ALPHA,
  GST_DATAHUB_META_SEI,
  GST_DATAHUB_META_RTP_SOURCE,
  GST_DATAHUB_META_NET_ADDRESS,
  GST_DATAHUB_META_AFFINE,
  GST_DATAHUB_META_OVERLAY,
  GST_DATAHUB_META_ANCILLARY,
  GST_DATAHUB_META_DSD_PLANES,
  GST_DATAHUB_META_SERIALIZED
} GstDatahubMetaKind;

/* An encoder appends to @bytes; what it appended is removed if it returns FALSE.
 * A decoder leaves @buffer as it was if it returns FALSE. */
typedef struct
{
  GstDatahubMetaKind kind;
  const gchar *name; /* of the type; NULL: the encoding begins with it */
  GType (*get_api) (void); /* NULL: several, or unknown to this GStreamer */
  gboolean (*encode) (GstMeta *meta, GByteArray *bytes,
      GstDatahubLeftOut *left);
  gboolean (*decode) (GstBuffer *buffer, GstDatahubBytes in);
} GstDatahubMetaCodec;

/* gstdatahubmetavideo.c */
extern const GstDatahubMetaCodec gst_datahub_meta_video;
extern const GstDatahubMetaCodec gst_datahub_meta_crop;
extern const GstDatahubMetaCodec gst_datahub_meta_affine;
/* gstdatahubmetaaudio.c */
extern const GstDatahubMetaCodec gst_datahub_meta_audio;
extern const GstDatahubMetaCodec gst_datahub_meta_clipping;
extern const GstDatahubMetaCodec gst_datahub_meta_level;
extern const GstDatahubMetaCodec gst_datahub_meta_downmix;
extern const GstDatahubMetaCodec gst_datahub_meta_dsd_planes;
/* gstdatahubmetastructure.c */
extern const GstDatahubMetaCodec gst_datahub_meta_reference_time;
extern const GstDatahubMetaCodec gst_datahub_meta_custom;
extern const GstDatahubMetaCodec gst_datahub_meta_protection;
extern const GstDatahubMetaCodec gst_datahub_meta_region;
/* gstdatahubmetaancillary.c */
extern const GstDatahubMetaCodec gst_datahub_meta_caption;
extern const GstDatahubMetaCodec gst_datahub_meta_time_code;
extern const GstDatahubMetaCodec gst_datahub_meta_afd;
extern const GstDatahubMetaCodec gst_datahub_meta_bar;
extern const GstDatahubMetaCodec gst_datahub_meta_sei;
extern const GstDatahubMetaCodec gst_datahub_meta_ancillary;
/* gstdatahubmetanetwork.c */
extern const GstDatahubMetaCodec gst_datahub_meta_rtp_source;
extern const GstDatahubMetaCodec gst_datahub_meta_net_address;
/* gstdatahubmetapictures.c */
extern const GstDatahubMetaCodec gst_datahub_meta_codec_alpha;
extern const GstDatahubMetaCodec gst_datahub_meta_overlay;
/* gstdatahubmetaserialized.c */
extern const GstDatahubMetaCodec gst_datahub_meta_serialized;

/* gstdatahubmetastructure.c: names and texts as u32 size, bytes with their end;
 * size 0: none. */
void gst_datahub_put_text (GByteArray *bytes, const gchar *text);
gboolean gst_datahub_get_text (GstDatahubBytes *in, gchar **text);

/* gstdatahubmeta.c: whether the table has an encoding for this kind. */
gboolean gst_datahub_meta_has_codec (const GstMetaInfo *info);

G_END_DECLS

#endif /* GST_DATAHUB_META_CODEC_H */
